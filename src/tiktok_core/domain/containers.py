"""The layout of video and picture files: it shows whether a file is cut off, and how many pixels a picture has.

This module holds plain functions that read boxes, elements and segments, a few bytes at a time, through `read(start, length)`.
That returns fewer bytes at the end of the file. The functions skip what they do not know, and never refuse a file for it.

Sources: ISO/IEC 14496-12 (boxes); RFC 8794 and the WebM container guidelines (elements); ITU-T T.81, annex B (segments);
RFC 9649 (WebP).
"""

from collections.abc import Iterator
from typing import Final

from attrs import evolve

from tiktok_core.domain.elements import EBML, read_elements
from tiktok_core.domain.media import HEAD_LENGTH, PictureFacts, picture_kind
from tiktok_core.domain.movies import read_movie
from tiktok_core.domain.reading import LookEnded, Read, Window
from tiktok_core.domain.tracks import Film
from tiktok_core.errors import Problem

__all__ = ["film", "layout_problems", "picture_facts"]

MOST_STEPS: Final = 20_000
"""The most segments to read in a picture."""
STANDALONE: Final = (0x01, *range(0xD0, 0xD8))
"""JPEG markers that no length follows."""
SCANS: Final = (0x00, 0xD9, 0xDA)
"""Markers in the coded picture of a JPEG, or after it."""
FRAMES: Final = tuple(marker for marker in range(0xC0, 0xD0) if marker not in (0xC4, 0xC8, 0xCC))
"""JPEG markers of a segment that holds the picture's size."""


def film(size: int, read: Read) -> Film:
    """Return what a video says about itself.

    Args:
        size: bytes of the file.
        read: returns `length` bytes from `start`, or fewer at the end of the file. It may raise `LookEnded` to stop the look.
    """
    window = Window(size, read)
    try:
        begins = window.bytes_at(0, 4)
    except LookEnded:
        return Film()
    return read_elements(window) if begins == EBML else read_movie(window)


def layout_problems(size: int, found: Film) -> Iterator[Problem]:
    """Yield a problem if a video's own layout shows that the file is cut off.

    Args:
        size: bytes of the file.
        found: what the video says about itself.
    """
    if found.lacks_index:
        yield Problem("video", "the file is cut off: its index (the moov box) is missing, so no player can play it")
    elif found.promised:
        said = f"the file is cut off: it has {size:,} bytes, and its own layout promises {found.promised:,}"
        yield Problem("video", said)


def picture_facts(size: int, read: Read) -> PictureFacts:
    """Return the properties of a picture.

    Args:
        size: bytes of the file.
        read: returns `length` bytes from `start`, or fewer at the end of the file.
    """
    head = read(0, HEAD_LENGTH)
    found = PictureFacts(size=size, kind=picture_kind(head))
    if found.kind == "a JPEG picture":
        pixels, is_cut = _jpeg_pixels(size, read)
        found = evolve(found, is_cut=is_cut)
    elif found.kind == "a WebP picture":
        # One byte more: some writers leave out the last padding byte, and readers accept that.
        pixels = _webp_pixels(read)
        found = evolve(found, is_cut=int.from_bytes(head[4:8], "little") + 8 > size + 1)
    else:
        return found
    # A side of 0 means that the format writes the size elsewhere, or nowhere.
    return evolve(found, width=pixels[0], height=pixels[1]) if pixels and all(pixels) else found


def _jpeg_pixels(size: int, read: Read) -> tuple[tuple[int, int] | None, bool]:
    """Return the width and height of a JPEG, if found, and whether the file ends before them."""
    position = 2
    for _ in range(MOST_STEPS):
        head = read(position, 9)
        if len(head) < 9:
            return None, position + 9 > size
        if head[0] != 0xFF or head[1] in SCANS:
            return None, False
        marker = head[1]
        if marker == 0xFF:  # A fill byte.
            position += 1
        elif marker in STANDALONE:
            position += 2
        elif marker in FRAMES:
            return (int.from_bytes(head[7:9]), int.from_bytes(head[5:7])), False
        else:
            position += 2 + int.from_bytes(head[2:4])
    return None, False


def _webp_pixels(read: Read) -> tuple[int, int] | None:
    kind, data = read(12, 4), read(20, 10)
    if len(data) < 10:
        return None
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[4:7], "little"), 1 + int.from_bytes(data[7:10], "little")
    if kind == b"VP8L" and data[0] == 0x2F:
        bits = int.from_bytes(data[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 " and data[3:6] == b"\x9d\x01*":
        return int.from_bytes(data[6:8], "little") & 0x3FFF, int.from_bytes(data[8:10], "little") & 0x3FFF
    return None
