"""Reading by a file descriptor, at any offset.

What belongs here: what the sources over the operating system's own files share.
"""

import hashlib
import os
import threading
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import Final, NoReturn, Self

from tiktok_core.errors import SourceChanged

__all__ = ["Descriptor", "sampled", "why"]

SAMPLE: Final = 64 * 1024
"""Bytes of each of the three samples: head, middle, tail."""


def sampled(read: Callable[[int, int], bytes], size: int) -> str:
    """Return a digest of three samples of so many bytes: their head, their middle and their tail."""
    digest = hashlib.blake2b(digest_size=16)
    for start in (0, max(0, size // 2 - SAMPLE // 2), max(0, size - SAMPLE)):
        digest.update(read(start, SAMPLE))
    return digest.hexdigest()


def why(error: OSError) -> str:
    """Return the system's own words for what went wrong."""
    return (error.strerror or type(error).__name__).lower()


class Descriptor:
    """An open descriptor, which this object closes. Each read names its position, so threads may share it.

    Args:
        fd: the descriptor of a regular file.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        # Garbage collection closes the file without a warning: a script that posts one file need not close it.
        self._finalizer = weakref.finalize(self, os.close, fd)
        self._cursor = threading.Lock()

    def read(self, start: int, length: int, /) -> bytes:
        """Return the `length` bytes from `start`, or fewer at the end of the file.

        Raises:
            SourceChanged: the file is closed or can no longer be read.
        """
        self._check_open()
        try:
            block = self._read_at(start, length)
            if len(block) == length or not block:
                return block
            return self._rest(block, start, length)
        except OSError as error:
            raise SourceChanged(None, f"the file can no longer be read ({why(error)})") from None

    def read_into(self, start: int, buffer: memoryview, /) -> int:
        """Fill the buffer with the bytes from `start`, and return how many. They are fewer only at the end of the file.

        Raises:
            SourceChanged: the file is closed or can no longer be read.
        """
        if not hasattr(os, "preadv"):
            block = self.read(start, len(buffer))
            buffer[: len(block)] = block
            return len(block)
        self._check_open()
        filled = 0
        try:
            # A network file system may return fewer bytes than asked for, even before the end.
            while filled < len(buffer) and (got := os.preadv(self._fd, [buffer[filled:]], start + filled)):
                filled += got
        except OSError as error:
            raise SourceChanged(None, f"the file can no longer be read ({why(error)})") from None
        return filled

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._finalizer()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError("an open file is not pickled: open it again by its path")

    def _check_open(self) -> None:
        if not self._finalizer.alive:
            # By now the closed descriptor's number may belong to another file.
            raise SourceChanged(None, "the file was closed")

    def _rest(self, block: bytes, start: int, length: int) -> bytes:
        # A network file system may return fewer bytes than asked for, even before the end.
        blocks = [block]
        got = len(block)
        while got < length and (block := self._read_at(start + got, length - got)):
            blocks.append(block)
            got += len(block)
        return b"".join(blocks)

    def _read_at(self, start: int, length: int) -> bytes:
        if hasattr(os, "pread"):
            block: bytes = os.pread(self._fd, length, start)
            return block
        with self._cursor:  # Windows has no pread. All threads share the file's cursor, so move it under a lock.
            os.lseek(self._fd, start, os.SEEK_SET)
            return os.read(self._fd, length)
