"""The demo's film as a large file: a real one, and behind it a box that players skip.

What belongs here: bytes that are made when they are read, so that 70 MB lie neither in the package nor in memory.
"""

import hashlib
from importlib.resources import files
from typing import Final

from tiktok_adapters.sources import BytesSource

__all__ = ["PaddedFilm", "film"]

BLOCK: Final = 4096


def film() -> bytes:
    """Return the small film that comes with the package."""
    return files("tiktok_adapters.cli").joinpath("film", "demo.mp4").read_bytes()


class PaddedFilm:
    """A film made larger by a `free` box (ISO/IEC 14496-12) at its end, which leaves it as playable as it was.

    The padding differs from block to block, so that a chunk in the wrong place changes the digest of the whole.

    Args:
        film: an MP4 file.
        size: bytes in all.

    Raises:
        ValueError: there is no room for the box, or it would be larger than its 32-bit size can say.
    """

    def __init__(self, film: bytes, size: int) -> None:
        room = size - len(film)
        if not 8 <= room < 2**32:
            raise ValueError(f"a box of {room} bytes cannot be written in the short form")
        self._head = film + room.to_bytes(4, "big") + b"free"
        self._size = size
        self._fingerprint = f"{size}-{BytesSource(film).fingerprint}"

    @property
    def name(self) -> str:
        """What to call it."""
        return "demo.mp4"

    @property
    def size(self) -> int:
        """Bytes in all."""
        return self._size

    @property
    def fingerprint(self) -> str:
        """A word that never changes, because the bytes cannot."""
        return self._fingerprint

    def read(self, start: int, length: int, /) -> bytes:
        """Return the `length` bytes from `start`, or fewer at the end."""
        end = min(start + length, self._size)
        if start >= end:
            return b""
        first = start // BLOCK
        blocks = b"".join(_block(number) for number in range(first, -(-end // BLOCK)))
        got = bytearray(blocks[start - first * BLOCK : end - first * BLOCK])
        if start < len(self._head):
            there = self._head[start:end]
            got[: len(there)] = there
        return bytes(got)


def _block(number: int) -> bytes:
    digest = hashlib.sha256(number.to_bytes(8, "big")).digest()
    return digest * (BLOCK // len(digest))
