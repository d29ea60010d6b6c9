"""Destinations: where a long answer is kept, once all of it has come.

What belongs here: the adapters of the `Destination` port. They know files, and nothing of what is in them.
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
"""Bytes after which the disk is waited for, within `write`: so little is left that `keep` does not hold an event loop up."""


def open_destination(path: str | HasPath, /, *, overwrite: bool = False) -> "FileDestination":
    """Return where a named file is to be kept.

    Raises:
        InvalidInput: there is no such folder, or the file is there already and may not be overwritten.
    """
    return FileDestination(path, overwrite=overwrite)


class FileDestination:
    """A file of mode 0600 that is there as a whole, or not at all.

    It is written under another name in the same folder (`.tiktok-*.part`), and gets its own once it is on the disk. A process
    that is killed meanwhile leaves that other file behind.

    Args:
        path: the file; a relative path is settled at once.
        overwrite: replace a file that is there.

    Raises:
        InvalidInput: there is no such folder, or the file is there already and may not be overwritten.
    """

    def __init__(self, path: str | HasPath, *, overwrite: bool = False) -> None:
        self._path = Path(os.path.abspath(path))  # noqa: PTH100 - `Path.absolute` keeps "..", which may move later
        self._overwrite = overwrite
        # Whoever is cancelled leaves a thread behind that may still be writing: it has to be over before the file is closed.
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
        """Return where the bytes go, from the first one on: what was written before counts for nothing.

        Raises:
            StoreError: no file can be made in the folder.
        """
        self.discard()
        with self._lock, self._reported():
            # A name of its own kind: with `path`'s, it could be longer than a name may be.
            made, name = tempfile.mkstemp(prefix=".tiktok-", suffix=".part", dir=self._path.parent)
            os.close(made)
            self._part = Path(name).open("r+b", buffering=0)  # noqa: SIM115 - it stays open from call to call
            self._unsynced = 0
        return self

    def write(self, block: bytes, /) -> None:
        """Write the next bytes.

        Raises:
            StoreError: they cannot be written; the disk may be full.
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
        """Give the file its name, once all of it is on the disk.

        Raises:
            InvalidInput: another file has got that name meanwhile, and may not be overwritten.
            StoreError: it cannot be written.
        """
        with self._lock, self._reported():
            part = self._opened()
            os.fsync(part.fileno())
            part.close()
            self._place(Path(part.name))
            self._part = None
            _sync_folder(self._path.parent)

    def discard(self) -> None:
        """Leave nothing behind; nothing happens after `keep`. A write that is still going on is waited for."""
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
            os.link(part, self._path)  # Unlike a renaming, it replaces nothing.
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
            raise StoreError(str(self._path), "it was not begun, or is closed")
        return self._part

    def _occupied(self) -> InvalidInput:
        return _refusal(f"{self._path} is there already: choose another name, or overwrite it")

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
    # Where a folder cannot be opened (Windows), its names are safe by themselves.
    with suppress(OSError):
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
