"""The layout of video files: it shows whether a file is cut off.

This module holds plain functions that read boxes and elements, a few bytes at a time, through `read(start, length)`. That
returns fewer bytes at the end of the file. The functions skip what they do not know, and never refuse a file for it.

Sources: ISO/IEC 14496-12 (boxes); RFC 8794 and the WebM container guidelines (elements).
"""

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from tiktok_core.errors import Problem

__all__ = ["Read", "layout_problems"]

Read: TypeAlias = Callable[[int, int], bytes]

BOXES: Final = frozenset(
    b"ftyp styp moov mdat moof mfra free skip wide uuid sidx ssix prft emsg pdin meta udta pnot PICT".split()
)
MEDIA_BOXES: Final = (b"moov", b"moof", b"mdat")
"""Boxes that hold the video. If the file ends within one, a part of the video is missing."""
MOST_STEPS: Final = 20_000
"""The most boxes to read in a file."""
EBML: Final = b"\x1aE\xdf\xa3"
SEGMENT: Final = b"\x18S\x80g"


def layout_problems(size: int, read: Read) -> Iterator[Problem]:
    """Yield a problem if a video's own layout shows that the file is cut off.

    Args:
        size: bytes of the file.
        read: returns `length` bytes from `start`, or fewer at the end of the file.
    """
    end = _element_end(read) if read(0, 4) == EBML else _box_end(size, read)
    if end is None:
        yield Problem("video", "the file is cut off: its index (the moov box) is missing, so no player can play it")
    elif end > size:
        yield Problem("video", f"the file is cut off: it has {size:,} bytes, and its own layout promises {end:,}")


def _box_end(size: int, read: Read) -> int | None:
    """Return the offset at which the last box claims to end; 0 if that is unknown, None if the file has no index box."""
    position, seen = 0, set[bytes]()
    for _ in range(MOST_STEPS):
        head = read(position, 16)
        length, kind = int.from_bytes(head[:4]), head[4:8]
        if kind not in BOXES:
            return 0
        if length == 1:
            length = int.from_bytes(head[8:])
        # A length of 0 means the rest of the file.
        length = length or size - position
        if length < 8:
            return 0
        position += length
        seen.add(kind)
        if position > size:
            return position if kind in MEDIA_BOXES else 0
        if position == size:
            return position if b"moov" in seen else None
    return 0


def _element_end(read: Read) -> int:
    """Return the offset at which the segment of a WebM file claims to end; 0 if it does not say."""
    head = _number(read(4, 8))
    if head is None:
        return 0
    start = 4 + head[1] + head[0]
    length = _number(read(start + 4, 8))
    if length is None or read(start, 4) != SEGMENT:
        return 0
    return start + 4 + length[1] + length[0]


def _number(data: bytes) -> tuple[int, int] | None:
    """Return an EBML number and its width in bytes; None if its value is "unknown" or the data ends within it."""
    width = 9 - data[0].bit_length() if data else 9
    if len(data) < width:
        return None
    rest = (1 << 7 * width) - 1
    number = int.from_bytes(data[:width]) & rest
    return None if number == rest else (number, width)
