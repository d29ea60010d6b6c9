"""The look at a video file: what it says about itself, and whether it is cut off.

This module chooses the reader by the first bytes: `movies` reads MP4 and MOV, `elements` reads WebM. Both skip what they do not
know, and never refuse a file for it.
"""

from collections.abc import Iterator

from attrs import evolve

from tiktok_core.domain.elements import EBML, read_elements
from tiktok_core.domain.movies import read_movie
from tiktok_core.domain.reading import LookEnded, Read, Window
from tiktok_core.domain.tracks import Film
from tiktok_core.errors import Problem

__all__ = ["film", "layout_problems"]


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
    return evolve(read_elements(window) if begins == EBML else read_movie(window), size=size)


def layout_problems(found: Film) -> Iterator[Problem]:
    """Yield a problem if a video's own layout shows that the file is cut off."""
    if found.lacks_index:
        yield Problem("video", "the file is cut off: its index (the moov box) is missing, so no player can play it")
    elif found.promised:
        said = f"the file is cut off: it has {found.size:,} bytes, and its own layout promises {found.promised:,}"
        yield Problem("video", said)
