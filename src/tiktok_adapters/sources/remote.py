"""Objects that lie elsewhere: what each kind of storage has to offer, and the source over it.

What belongs here: the protocol `Remote`, and reading it with the bound that all sources of a client share.
"""

import threading
import weakref
from types import TracebackType
from typing import NoReturn, Protocol, Self

from tiktok_core.errors import SourceChanged
from tiktok_core.wire.http import redacted

__all__ = ["Ahead", "Remote", "RemoteSource"]


class Remote(Protocol):
    """One object that lies elsewhere, as it was when it was opened. Threads may share it.

    Attributes:
        name: the name by which any machine opens it. Its query is a secret.
        size: bytes.
        etag: the strong validator of the opening.
    """

    @property
    def name(self) -> str:
        """The name by which any machine opens it. Its query is a secret."""
        ...

    @property
    def size(self) -> int:
        """The number of bytes when it was opened."""
        ...

    @property
    def etag(self) -> str:
        """The strong validator of the opening."""
        ...

    def look(self) -> tuple[str, int]:
        """Return the ETag and the size of what lies there now, by one request.

        Raises:
            SourceChanged: nothing lies there any more, or it cannot be asked.
        """
        ...

    def fetch(self, start: int, length: int, /) -> bytes:
        """Return exactly these bytes, which lie inside of the size, and are one at least.

        Raises:
            SourceChanged: what lies there is not what was opened, or cannot be read.
        """
        ...

    def close(self) -> None:
        """End what still runs, and keep nothing. A second call does nothing."""
        ...


class Ahead:
    """What all sources of a client share. Closing it closes them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sources: weakref.WeakSet[RemoteSource] = weakref.WeakSet()
        self._closed = False

    def add(self, source: "RemoteSource") -> None:
        """Close this source with the client.

        Raises:
            SourceChanged: the client is closed.
        """
        with self._lock:
            if self._closed:
                raise SourceChanged(None, "the client is closed")
            self._sources.add(source)

    def close(self) -> None:
        """Close all sources. A second call does nothing."""
        with self._lock:
            self._closed = True
            sources = list(self._sources)
        for source in sources:
            source.close()


class RemoteSource:
    """A `Source` over an object that lies elsewhere. Threads may share it.

    Args:
        remote: the object. The source closes it.
        ahead: what it shares with the other sources of the client.
    """

    def __init__(self, remote: Remote, ahead: Ahead) -> None:
        self._remote = remote
        self._finalizer = weakref.finalize(self, remote.close)
        ahead.add(self)

    @property
    def name(self) -> str:
        """The object's name without its query, which may be a secret."""
        return redacted(self._remote.name)

    @property
    def size(self) -> int:
        """The number of bytes when the object was opened."""
        return self._remote.size

    @property
    def fingerprint(self) -> str:
        """The ETag and the size of what lies there now.

        Raises:
            SourceChanged: nothing lies there any more, or it cannot be asked.
        """
        self._check_open()
        etag, size = self._remote.look()
        return f"{etag}-{size}"

    def read(self, start: int, length: int, /) -> bytes:
        """Return the `length` bytes from `start`, or fewer at the end.

        Raises:
            SourceChanged: what lies there is not what was opened, or cannot be read.
        """
        self._check_open()
        length = min(length, self.size - start)
        return self._remote.fetch(start, length) if length > 0 else b""

    def close(self) -> None:
        """Close the object; a second call does nothing."""
        self._finalizer()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __fspath__(self) -> str:
        """Return the whole name, by which another process can open the object."""
        return self._remote.name

    def __repr__(self) -> str:
        return f"RemoteSource({self.name!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an open object is not pickled: open it again by its name")

    def _check_open(self) -> None:
        if not self._finalizer.alive:
            raise SourceChanged(None, "the source was closed")
