"""The source over a temporary copy, of a video that cannot be read where it lies, or whose bytes come once.

What belongs here: the copy, while it comes and once it is there. It has no name on the disk, so nothing is left of it, even after a kill.
"""

import hashlib
import os
import tempfile
import weakref
from collections.abc import Callable
from typing import IO

from tiktok_adapters.sources.files import OpenFile
from tiktok_core.errors import TikTokError
from tiktok_core.hidden import Hidden
from tiktok_core.wire.http import redacted

__all__ = ["Copy", "NamedCopy", "SpooledSource"]


class Copy:
    """Takes the bytes of a video as they come. Only this user can read them (mode 0600).

    Args:
        refused: returns what is raised where the folder or the disk cannot take them.

    Attributes:
        size: the bytes that it has.
    """

    def __init__(self, refused: Callable[[OSError], TikTokError]) -> None:
        self._refused = refused
        self._digest = hashlib.blake2b(digest_size=16)
        self.size = 0
        try:
            self._file: IO[bytes] = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - it outlives this call
        except OSError as error:
            raise refused(error) from None
        self._finalizer = weakref.finalize(self, self._file.close)

    def write(self, block: bytes, /) -> None:
        """Add bytes to the end.

        Raises:
            TikTokError: there is no room for them; as `refused` says.
        """
        self._digest.update(block)
        left = memoryview(block)
        try:
            while left:
                written = os.write(self._file.fileno(), left)
                left = left[written:]
                self.size += written
        except OSError as error:
            raise self._refused(error) from None

    def source(self, name: Hidden[str] | None = None) -> "SpooledSource":
        """Return the source of the complete copy, which owns it from now on.

        Args:
            name: the name by which any machine opens the video, if it has one. Its query is a secret.
        """
        self._finalizer.detach()
        fingerprint = f"{self.size}-{self._digest.hexdigest()}"
        if name is None:
            return SpooledSource(self._file, self.size, fingerprint)
        return NamedCopy(self._file, self.size, fingerprint, name)

    def close(self) -> None:
        """Give the disk back. Once it has a source, this does nothing."""
        self._finalizer()


class SpooledSource(OpenFile):
    """A temporary copy of a video. Each read names its position, so threads may share it.

    Args:
        file: the copy, which this source owns from now on.
        size: its bytes.
        fingerprint: of all of them.
    """

    def __init__(self, file: IO[bytes], size: int, fingerprint: str) -> None:
        super().__init__(file.fileno(), file.close)
        self._size = size
        self._known = fingerprint

    @property
    def size(self) -> int:
        """The number of bytes."""
        return self._size

    @property
    def fingerprint(self) -> str:
        """A digest of all bytes. It never changes, because no other process can open the copy.

        Raises:
            SourceChanged: the copy was closed.
        """
        self._check_open()
        return self._known

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._size} bytes)"


class NamedCopy(SpooledSource):
    """A temporary copy of what lies elsewhere.

    Args:
        file: the copy, which this source owns from now on.
        size: its bytes.
        fingerprint: of all of them.
        name: the name by which any machine opens the video. Its query is a secret.
    """

    def __init__(self, file: IO[bytes], size: int, fingerprint: str, name: Hidden[str]) -> None:
        super().__init__(file, size, fingerprint)
        self._name = name

    @property
    def name(self) -> str:
        """The name of the video without its query, which may be a secret."""
        return redacted(self._name)

    def __fspath__(self) -> str:
        """Return the whole name, by which another process can open the video."""
        return self._name.reveal()

    def __repr__(self) -> str:
        return f"NamedCopy({self.name!r})"
