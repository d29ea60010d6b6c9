"""Objects that lie elsewhere: what each kind of storage has to offer, and the source over it.

What belongs here: the protocol `Remote`, and the source over one. Which ranges are fetched and kept is decided in `ahead`.
"""

import weakref
from types import TracebackType
from typing import NoReturn, Protocol, Self

from tiktok_adapters.sources.ahead import Ahead, Ranges
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

    def fetch(self, start: int, length: int, /) -> bytes | memoryview:
        """Return exactly these bytes, which lie inside of the size, and are one at least.

        Raises:
            SourceChanged: what lies there is not what was opened, or cannot be read.
        """
        ...

    def close(self) -> None:
        """End what still runs, and keep nothing. A second call does nothing."""
        ...


class RemoteSource:
    """A `Source` over an object that lies elsewhere, which reads ahead. Threads may share it.

    Args:
        remote: the object. The source closes it.
        ahead: what it shares with the other sources of the client.
        head: the first bytes of the object, if its opening brought them.

    Raises:
        SourceChanged: the client is closed.
    """

    def __init__(self, remote: Remote, ahead: Ahead, *, head: bytes = b"") -> None:
        self._remote = remote
        self._ahead = ahead
        self._ranges = Ranges(remote, ahead, head)
        # Garbage collection closes the source, as it closes a file: a program that posts one film need not close it.
        self._finalizer = weakref.finalize(self, self._ranges.close)

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
        """The ETag and the size. They are asked for again when the last byte was given; until then each read would fail.

        Raises:
            SourceChanged: nothing lies there any more, or it cannot be asked.
        """
        return self._ranges.fingerprint()

    def read(self, start: int, length: int, /) -> bytes:
        """Return the `length` bytes from `start`, or fewer at the end.

        Raises:
            SourceChanged: what lies there is not what was opened, or cannot be read.
        """
        end = min(start + length, self.size)
        if start >= end:
            return b""
        block = self._ranges.block(start, end)
        if len(block) == end - start:
            return bytes(block)
        found = bytearray(end - start)
        self._fill(start, memoryview(found), block)
        return bytes(found)

    def read_into(self, start: int, buffer: memoryview, /) -> int:
        """Fill the buffer with the bytes from `start`, and return how many. They are fewer only at the end of the object.

        Raises:
            SourceChanged: what lies there is not what was opened, or cannot be read.
        """
        length = max(0, min(len(buffer), self.size - start))
        self._fill(start, buffer[:length], b"")
        return length

    def _fill(self, start: int, buffer: memoryview, block: bytes | memoryview) -> None:
        filled = 0
        while filled < len(buffer):
            block = block or self._ranges.block(start + filled, start + len(buffer))
            buffer[filled : filled + len(block)] = block
            filled += len(block)
            block = b""

    def close(self) -> None:
        """Close the object, and end what is on its way; a second call does nothing."""
        self._ahead.close_source(self._finalizer)

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
