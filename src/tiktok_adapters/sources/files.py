"""The source over a file on the disk.

What belongs here: opening a file, and reading it at any offset.
"""

import hashlib
import os
import stat
import threading
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, NoReturn, Self

from tiktok_core.errors import InvalidPost, Problem, SourceChanged
from tiktok_core.ports import HasPath

__all__ = ["FileSource", "OpenFile"]

SAMPLE: Final = 64 * 1024
"""Bytes of each of the three samples (head, middle, tail) that a fingerprint covers."""

# Without O_NONBLOCK, opening a FIFO without a writer would wait for ever. O_BINARY matters on Windows only.
FLAGS: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)

REFUSED: Final = (
    (stat.S_ISDIR, "is a directory"),
    (stat.S_ISFIFO, "is a pipe"),
    (stat.S_ISSOCK, "is a socket"),
    (stat.S_ISCHR, "is a device"),
    (stat.S_ISBLK, "is a device"),
)


class OpenFile:
    """A file that is open. Each read names its position, so threads may share it.

    Args:
        fd: the file's descriptor.
        close: closes it.
    """

    def __init__(self, fd: int, close: Callable[[], object]) -> None:
        self._fd = fd
        # Garbage collection closes the file without a warning: a script that posts one file need not close it.
        self._finalizer = weakref.finalize(self, close)
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
            raise SourceChanged(None, f"the file can no longer be read ({_why(error)})") from None

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
            raise SourceChanged(None, f"the file can no longer be read ({_why(error)})") from None
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


class FileSource(OpenFile):
    """A regular file, kept open. Each read names its position, so threads may share the source.

    Args:
        path: the file, or a symbolic link to it. A relative path is resolved at once.

    Raises:
        InvalidPost: the file does not exist, cannot be read, or is not a regular file.
    """

    def __init__(self, path: str | HasPath) -> None:
        if not os.fspath(path):
            raise InvalidPost((Problem("video", "the file's name is empty"),))
        self._path = Path(os.path.abspath(path))  # noqa: PTH100 - `Path.absolute` keeps "..", which may move later
        fd = _open(self._path)
        super().__init__(fd, partial(os.close, fd))
        try:
            self._size = _regular(self._path, os.fstat(self._fd)).st_size
        except InvalidPost:
            self.close()
            raise

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return self._path.name

    @property
    def size(self) -> int:
        """The file's size in bytes when it was opened."""
        return self._size

    @property
    def fingerprint(self) -> str:
        """Identity, size and time of the file that is at the path now, and a digest of samples of the open file.

        Raises:
            SourceChanged: no file is at the path any more, or the file can no longer be read.
        """
        try:
            # Look at the path, not at the open file: if a rename replaced the file, the open one would seem unchanged.
            now = self._path.stat()
        except OSError as error:
            raise SourceChanged(None, f"the file is gone or out of reach ({_why(error)})") from None
        digest = hashlib.blake2b(digest_size=16)
        for start in (0, max(0, now.st_size // 2 - SAMPLE // 2), max(0, now.st_size - SAMPLE)):
            digest.update(self.read(start, SAMPLE))
        return f"{now.st_dev}-{now.st_ino}-{now.st_size}-{now.st_mtime_ns}-{digest.hexdigest()}"

    def __fspath__(self) -> str:
        """Return the absolute path, by which another process can open the file."""
        return str(self._path)

    def __repr__(self) -> str:
        return f"FileSource({str(self._path)!r})"


def _open(path: Path) -> int:
    try:
        return os.open(path, FLAGS)
    except (FileNotFoundError, NotADirectoryError):
        raise _refusal(f"there is no file at {path}") from None
    except OSError as error:
        raise _refusal(f"{path} cannot be opened ({_why(error)})") from None
    except ValueError:
        raise _refusal("the path holds a NUL character") from None


def _regular(path: Path, status: os.stat_result) -> os.stat_result:
    for is_kind, what in REFUSED:
        if is_kind(status.st_mode):
            raise _refusal(f"{path} {what}, and only a regular file can be read at any offset")
    return status


def _refusal(message: str) -> InvalidPost:
    return InvalidPost((Problem("video", message),))


def _why(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
