"""The demo's large video: a small real one, followed by a box that players skip.

What belongs here: bytes that are computed when they are read, so that neither the package nor memory holds 70 MB.
"""

import hashlib
from importlib.resources import files
from typing import Final

from tiktok_adapters.sources import BytesSource

__all__ = ["PaddedFilm", "film"]

BLOCK: Final = 4096


def film() -> bytes:
    """Return the bytes of the small video that comes with the package."""
    return files("tiktok_adapters.cli").joinpath("film", "demo.mp4").read_bytes()


class PaddedFilm:
    """A video made larger by a `free` box (ISO/IEC 14496-12) at its end; players still play it.

    Each block of padding differs, so that a chunk in the wrong place changes the digest of the whole.

    Args:
        film: an MP4 file.
        size: the total number of bytes.

    Raises:
        ValueError: `size` leaves too few bytes for the box, or more than its 32-bit size can hold.
    """

    def __init__(self, film: bytes, size: int) -> None:
        padding = size - len(film)
        if not 8 <= padding < 2**32:
            raise ValueError(f"a `free` box needs 8 to 4294967295 bytes, not {padding}; choose another size")
        self._head = film + padding.to_bytes(4, "big") + b"free"
        self._size = size
        self._fingerprint = f"{size}-{BytesSource(film).fingerprint}"

    @property
    def name(self) -> str:
        """The file's name."""
        return "demo.mp4"

    @property
    def size(self) -> int:
        """The total number of bytes."""
        return self._size

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the bytes, which never change."""
        return self._fingerprint

    def read(self, start: int, length: int, /) -> bytes:
        """Return `length` bytes from `start`, or fewer at the end."""
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
