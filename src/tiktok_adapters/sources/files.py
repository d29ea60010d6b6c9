"""The source over a file on the disk.

What belongs here: opening a file by its path, and noticing that another one is there.
"""

import os
import stat
from pathlib import Path
from typing import Final

from tiktok_adapters.sources.descriptors import Descriptor, sampled, why
from tiktok_core.errors import InvalidPost, Problem, SourceChanged
from tiktok_core.ports import HasPath

__all__ = ["FileSource"]

# Without O_NONBLOCK, opening a FIFO without a writer would wait for ever. O_BINARY matters on Windows only.
FLAGS: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)

REFUSED: Final = (
    (stat.S_ISDIR, "is a directory"),
    (stat.S_ISFIFO, "is a pipe"),
    (stat.S_ISSOCK, "is a socket"),
    (stat.S_ISCHR, "is a device"),
    (stat.S_ISBLK, "is a device"),
)


class FileSource(Descriptor):
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
        super().__init__(_open(self._path))
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
            raise SourceChanged(None, f"the file is gone or out of reach ({why(error)})") from None
        return f"{now.st_dev}-{now.st_ino}-{now.st_size}-{now.st_mtime_ns}-{sampled(self.read, now.st_size)}"

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
        raise _refusal(f"{path} cannot be opened ({why(error)})") from None
    except ValueError:
        raise _refusal("the path holds a NUL character") from None


def _regular(path: Path, status: os.stat_result) -> os.stat_result:
    for is_kind, what in REFUSED:
        if is_kind(status.st_mode):
            raise _refusal(f"{path} {what}, and only a regular file can be read at any offset")
    return status


def _refusal(message: str) -> InvalidPost:
    return InvalidPost((Problem("video", message),))
