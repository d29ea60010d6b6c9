"""Destinations: they receive a long answer, and keep it once it is complete.

What belongs here: the adapters of the `Destination` port. They handle files without knowing the content.
"""

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final, NoReturn, Self

from tiktok_core.errors import InvalidInput, Problem, StoreError
from tiktok_core.ports import HasPath

__all__ = ["FileDestination", "open_destination"]

SYNC_EVERY: Final = 16 * 1024 * 1024
"""Bytes after which `write` syncs the file. So little is left for `keep` to sync, and it does not block an event loop."""


def open_destination(path: str | HasPath, /, *, overwrite: bool = False) -> "FileDestination":
    """Return a destination for the file of this name.

    Raises:
        InvalidInput: the folder does not exist, or the file exists and `overwrite` is False.
    """
    return FileDestination(path, overwrite=overwrite)


class FileDestination:
    """A file of mode 0600 that appears complete or not at all.

    The bytes go to a temporary file in the same folder (`.tiktok-*.part`). It gets its final name once all bytes are on the
    disk. A process that is killed before that leaves the temporary file behind.

    Args:
        path: the file. A relative path is resolved at once.
        overwrite: whether to replace an existing file.

    Raises:
        InvalidInput: the folder does not exist, or the file exists and `overwrite` is False.
    """

    def __init__(self, path: str | HasPath, *, overwrite: bool = False) -> None:
        self._path = Path(os.path.abspath(path))  # noqa: PTH100 - `Path.absolute` keeps "..", which may move later
        self._overwrite = overwrite
        # A cancelled call leaves a thread that may still write. The lock makes `discard` wait for it before closing the file.
        self._lock = threading.Lock()
        self._part: IO[bytes] | None = None
        self._unsynced = 0
        if not self._path.parent.is_dir():
            raise _refusal(f"there is no folder {self._path.parent}")
        if self._path.is_dir():
            raise _refusal(f"{self._path} is a folder")
        if not overwrite and os.path.lexists(self._path):
            raise self._occupied()

    def begin(self) -> Self:
        """Start with an empty file, and return its sink. Earlier bytes are discarded.

        Raises:
            StoreError: the folder does not allow a new file.
        """
        self.discard()
        with self._lock, self._reported():
            # Do not build on the name in `path`: the result could exceed the longest name allowed.
            made, name = tempfile.mkstemp(prefix=".tiktok-", suffix=".part", dir=self._path.parent)
            os.close(made)
            self._part = Path(name).open("r+b", buffering=0)  # noqa: SIM115 - it stays open between calls
            self._unsynced = 0
        return self

    def write(self, block: bytes, /) -> None:
        """Write the next bytes.

        Raises:
            StoreError: the write failed. The disk may be full.
        """
        with self._lock, self._reported():
            part, rest = self._opened(), memoryview(block)
            while rest:
                rest = rest[part.write(rest) :]
            self._unsynced += len(block)
            if self._unsynced >= SYNC_EVERY:
                os.fsync(part.fileno())
                self._unsynced = 0

    def keep(self) -> None:
        """Sync the file to the disk, and give it its final name.

        Raises:
            InvalidInput: another file got that name in the meantime, and `overwrite` is False.
            StoreError: the write failed.
        """
        with self._lock, self._reported():
            part = self._opened()
            os.fsync(part.fileno())
            part.close()
            self._place(Path(part.name))
            self._part = None
            _sync_folder(self._path.parent)

    def discard(self) -> None:
        """Delete the temporary file. After `keep`, do nothing. Waits for a `write` that is still running."""
        with self._lock:
            part, self._part = self._part, None
            if part is not None:
                with suppress(OSError):
                    part.close()
                with suppress(OSError):
                    Path(part.name).unlink()

    def __repr__(self) -> str:
        return f"FileDestination({str(self._path)!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an open file is not pickled")

    def _place(self, part: Path) -> None:
        if self._overwrite:
            part.replace(self._path)
            return
        try:
            os.link(part, self._path)  # Unlike a rename, a link replaces no file.
        except FileExistsError:
            raise self._occupied() from None
        except OSError:  # A file system without hard links.
            if os.path.lexists(self._path):
                raise self._occupied() from None
            part.rename(self._path)
        else:
            part.unlink()

    def _opened(self) -> IO[bytes]:
        if self._part is None:
            raise StoreError(str(self._path), "it is not open: call begin() first")
        return self._part

    def _occupied(self) -> InvalidInput:
        return _refusal(f"{self._path} already exists: choose another name, or allow overwriting")

    @contextmanager
    def _reported(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = (error.strerror or type(error).__name__).lower()
            raise StoreError(str(self._path), f"it cannot be written ({reason})") from None


def _refusal(message: str) -> InvalidInput:
    return InvalidInput((Problem("to", message),))


def _sync_folder(folder: Path) -> None:
    # Windows cannot open a folder, but needs no sync to keep its names.
    with suppress(OSError):
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
