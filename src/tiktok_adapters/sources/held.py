"""Sources over files that the caller holds open. They never close them, and never leave a cursor elsewhere.

What belongs here: reading such a file. What a given thing is, is decided in `given`; bytes that come once are copied by `spooled`.
"""

import os
import threading
import weakref
from abc import ABC, abstractmethod
from functools import partial
from typing import Any, Final

from tiktok_adapters.sources.files import OpenFile, sampled
from tiktok_core.errors import SourceChanged

__all__ = ["CursorSource", "HeldFile"]


class _Settled(ABC):
    """A source of which all bytes were read once: its fingerprint is their digest, however they were given.

    Each look costs samples only, so it finds a change as a look at a file does.
    """

    _size = 0
    _seen = ""
    _whole = ""

    @property
    def size(self) -> int:
        """The number of bytes when the source was opened."""
        return self._size

    @property
    def fingerprint(self) -> str:
        """The digest of all bytes, as long as none seems to have changed.

        Raises:
            SourceChanged: they can no longer be read.
        """
        _, state = self._look()
        return self._whole if state == self._seen else state

    def settle(self, digest: str) -> None:
        """Take the digest of all bytes.

        Raises:
            SourceChanged: they changed meanwhile.
        """
        if self._look() != (self._size, self._seen):
            raise SourceChanged(None, "the file changed while it was looked at; post it once it is complete")
        self._whole = f"{self._size}-{digest}"

    @abstractmethod
    def _look(self) -> tuple[int, str]:
        """Return the size now, and a text that changes if the bytes may have changed."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._size} bytes)"


class HeldFile(_Settled, OpenFile):
    """A regular file that the caller has open, read at any offset by a descriptor of our own, which moves no cursor.

    Its holder may close it, and may remove its name: our descriptor stays.
    """

    def __init__(self, fd: int) -> None:
        own = os.dup(fd)
        super().__init__(own, partial(os.close, own))
        self._size, self._seen = self._look()

    def _look(self) -> tuple[int, str]:
        self._check_open()
        now = os.fstat(self._fd)
        return now.st_size, f"{now.st_size}-{now.st_mtime_ns}-{sampled(self.read, now.st_size)}"


class CursorSource(_Settled):
    """An open file that can be read by moving its cursor alone. Each read puts the cursor back, and keeps other reads out.

    Args:
        held: the open file: it has `read`, `seek` and `tell`.
    """

    def __init__(self, held: Any) -> None:
        self._held = held
        self._cursor = _cursor_of(held)
        self._size, self._seen = self._look()

    def read(self, start: int, length: int, /) -> bytes:
        """Return the `length` bytes from `start`, or fewer at the end of the file.

        Raises:
            SourceChanged: the file is closed or can no longer be read.
        """
        with self._cursor.lock:
            return self._moved(start, os.SEEK_SET, length)[0]

    def close(self) -> None:
        """Do nothing: the file is its holder's."""

    def _look(self) -> tuple[int, str]:
        with self._cursor.lock:
            _, size = self._moved(0, os.SEEK_END, 0)
        return size, f"{size}-{sampled(self.read, size)}"

    def _moved(self, offset: int, whence: int, length: int) -> tuple[bytes, int]:
        """Return what is read there, and where that is; the cursor is put back."""
        try:
            before = self._held.tell()
            try:
                self._held.seek(offset, whence)
                there = self._held.tell()
                return self._filled(length), there
            finally:
                self._held.seek(before)
        except Exception as error:
            raise SourceChanged(None, f"the file can no longer be read ({type(error).__name__}: {error})") from error

    def _filled(self, length: int) -> bytes:
        block = bytes(self._held.read(length))
        if len(block) == length or not block:
            return block
        blocks, got = [block], len(block)
        while got < length and (block := bytes(self._held.read(length - got))):
            blocks.append(block)
            got += len(block)
        return b"".join(blocks)


class _Cursor:
    """The one cursor of an open file: who moves it holds the lock."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


_CURSORS: Final[weakref.WeakValueDictionary[int, _Cursor]] = weakref.WeakValueDictionary()
_CURSORS_LOCK: Final = threading.Lock()


def _cursor_of(held: object) -> _Cursor:
    """Return the cursor of an open file, which several posts may read at once."""
    # By its id, because an open file need not be hashable. The sources that share a cursor keep the file, and so its id.
    with _CURSORS_LOCK:
        return _CURSORS.setdefault(id(held), _Cursor())
