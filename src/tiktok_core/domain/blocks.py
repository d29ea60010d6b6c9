"""Reading a file from its beginning towards its end, in large blocks: a look at a few bytes may cost a way over a network.

What belongs here: what any reader of a format needs for that. What the bytes mean is in the modules of the formats.
"""

from typing import Final

from attrs import define

from tiktok_core.domain.reading import Read

__all__ = ["BLOCK", "Blocks", "Ended"]

BLOCK: Final = 256 * 1024
"""Bytes of one read: a network drive takes as long for a few bytes as for these, and a look has to end in seconds."""


class Ended(Exception):
    """Bytes are not there: the file ends before them (`is_cut`), or only its beginning is at hand."""

    def __init__(self, *, is_cut: bool) -> None:
        super().__init__()
        self.is_cut = is_cut


@define
class Blocks:
    """The part of a file that was read last. It moves forward only, so each byte is read at most once.

    Attributes:
        size: bytes of the file; None if unknown. Only a known size shows that a file ends too early.
        start: where in the file the part begins.
        data: the part.
    """

    size: int | None
    _read: Read
    start: int = 0
    data: bytes = b""

    def is_beyond(self, offset: int) -> bool:
        """Whether the file is known to end before an offset."""
        return self.size is not None and offset > self.size

    def at(self, position: int, length: int) -> bytes:
        """Return `length` bytes from `position`, or fewer at the end of what is at hand."""
        offset = position - self.start
        if len(self.data) - offset < length:
            self.start, self.data, offset = position, self.data[offset:], 0
        while len(self.data) - offset < length:
            end = self.start + len(self.data)
            most = BLOCK if self.size is None else min(BLOCK, self.size - end)
            block = self._read(end, most) if most > 0 else b""
            if not block:
                break
            self.data += block
        return self.data[offset : offset + length]

    def need(self, position: int, length: int) -> bytes:
        """Return `length` bytes from `position`.

        Raises:
            Ended: there are fewer.
        """
        found = self.at(position, length)
        if len(found) < length:
            raise Ended(is_cut=self.is_beyond(position + length))
        return found
