"""Reading a file a few bytes at a time, for a look that has to end.

This module holds what the readers of all formats share: how they ask for bytes, how few times they ask, and when they have to stop.
"""

from collections.abc import Callable
from typing import Final, TypeAlias

from attrs import define

__all__ = ["LookEnded", "Read", "Window"]

Read: TypeAlias = Callable[[int, int], bytes]
"""Returns `length` bytes from `start`, or fewer at the end of the file."""

WIDTH: Final = 16 * 1024
"""Bytes to ask for at least: a network drive takes as long for a few bytes as for these."""
MOST_READS: Final = 200_000
"""The most parts of a file that one look reads."""


class LookEnded(Exception):
    """A look has to stop before it has seen the whole file. Raised by a `Read` or a `Window`; no caller of a look sees it."""


@define
class Window:
    """Reads a file through `read`, and keeps the last part, in which the next small parts mostly lie.

    Attributes:
        size: bytes of the file.
    """

    size: int
    _read: Read
    _start: int = 0
    _held: bytes = b""
    _reads: int = 0

    def bytes_at(self, start: int, length: int) -> bytes:
        """Return `length` bytes from `start`, or fewer at the end of the file.

        Raises:
            LookEnded: the time is over, or too many parts were read.
        """
        self._reads += 1
        if self._reads > MOST_READS:
            raise LookEnded
        if not self._start <= start <= start + length <= self._start + len(self._held):
            if start >= self.size:
                return b""
            self._start, self._held = start, self._read(start, max(length, min(WIDTH, self.size - start)))
        return self._held[start - self._start : start - self._start + length]

    def number_at(self, start: int, length: int) -> int:
        """Return an unsigned number, its highest byte first.

        Raises:
            LookEnded: as `bytes_at`; or the file ends within the number.
        """
        data = self.bytes_at(start, length)
        if len(data) < length:
            raise LookEnded
        return int.from_bytes(data)
