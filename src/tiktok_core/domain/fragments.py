"""Reading the fragments of MP4 and MOV films, which come one after another and each tell the times of their own frames.

Sources: ISO/IEC 14496-12, sections 8.8 (movie fragments) and 8.16 (segments).
"""

from collections.abc import Iterator
from typing import Final

from tiktok_core.domain.boxes import Movie, box_at, boxes
from tiktok_core.domain.reading import LookEnded, Window

__all__ = ["MOST_FRAGMENTS", "read_fragment", "read_last_fragments", "read_segments"]

MOST_FRAGMENTS: Final = 20_000
MOST_SAMPLES: Final = 1_000_000
"""The most samples of fragments to read: hours of film."""
LARGEST_LIST: Final = 4 * 1024**2
"""Bytes of the longest list of fragments or samples that is read."""


def read_segments(window: Window, found: Movie, body: int, end: int) -> None:
    """Note what an index of segments (`sidx`) lists; fragments may follow those."""
    is_wide = window.number_at(body, 1) == 1
    scale, width, listed = window.number_at(body + 8, 4), 8 if is_wide else 4, body + 12 + (16 if is_wide else 8)
    if not scale or end - listed > LARGEST_LIST:
        return
    begin = window.number_at(body + 12, width)
    table = window.bytes_at(listed + 4, end - listed - 4)
    lasting = sum(int.from_bytes(table[place + 4 : place + 8]) for place in range(0, len(table) - 11, 12))
    found.listed.append((begin / scale, (begin + lasting) / scale))


def read_last_fragments(window: Window, found: Movie) -> bool:
    """Read from the last fragment that the list at the file's end names; return whether all to the end was read."""
    tail = window.bytes_at(max(0, window.size - 16), 16)
    length = int.from_bytes(tail[12:16])
    if tail[4:8] != b"mfro" or not 16 < length <= min(LARGEST_LIST, window.size):
        return False
    last = 0
    for kind, body, after in boxes(window, window.size - length + 8, window.size):
        if kind == b"tfra":
            last = max(last, _last_listed(window, body, after))
    position, fragments = last, 0
    while 0 < position < window.size:
        kind, body, end = box_at(window, position, window.size)
        if body > end or end > window.size or fragments > MOST_FRAGMENTS:
            return False
        if kind == b"moof":
            fragments += 1
            read_fragment(window, found, body, end, is_in_order=False)
        position = end
    return fragments > 0


def _last_listed(window: Window, body: int, end: int) -> int:
    """Return the offset of the last fragment that a `tfra` box lists; 0 if it lists none."""
    width = 8 if window.number_at(body, 1) == 1 else 4
    sizes, count = window.number_at(body + 8, 4), window.number_at(body + 12, 4)
    each = 2 * width + sum(1 + (sizes >> shift & 3) for shift in (0, 2, 4))
    place = body + 16 + (count - 1) * each + width
    return window.number_at(place, width) if count and place + width <= end else 0


def read_fragment(window: Window, found: Movie, start: int, end: int, *, is_in_order: bool) -> None:
    """Read a fragment; `is_in_order` says whether those before it were read."""
    for kind, body, after in boxes(window, start, end):
        if kind == b"traf":
            _track_run(window, found, body, after, is_in_order=is_in_order)


def _track_run(window: Window, found: Movie, start: int, end: int, *, is_in_order: bool) -> None:
    """Read what a fragment has of one track: when it begins, and how long each of its samples lasts."""
    track, usual, begins = None, 0, None
    samples: list[int] = []
    for kind, body, after in boxes(window, start, end):
        flags = window.number_at(body, 4) & 0xFFFFFF
        if kind == b"tfhd":
            track = found.track(window.number_at(body + 4, 4))
            if track is None:
                return
            place = body + 8 + (8 if flags & 0x1 else 0) + (4 if flags & 0x2 else 0)
            usual = window.number_at(place, 4) if flags & 0x8 else track.usual_ticks
        elif kind == b"tfdt":
            begins = window.number_at(body + 4, 8 if window.number_at(body, 1) == 1 else 4)
        elif kind == b"trun":
            run = list(_samples(window, body, after, flags, usual))
            samples += run
            found.samples += len(run)
            if found.samples > MOST_SAMPLES:
                raise LookEnded
    if track is None:
        return
    begins = track.end if begins is None else begins
    track.begin = begins if track.begin is None else min(track.begin, begins)
    track.end = max(track.end, begins + sum(samples))
    if is_in_order:
        track.frames.add_fragment(begins, samples)


def _samples(window: Window, body: int, end: int, flags: int, usual: int) -> Iterator[int]:
    """Yield the duration of each sample of a `trun` box."""
    count = window.number_at(body + 4, 4)
    place = body + 8 + (4 if flags & 0x1 else 0) + (4 if flags & 0x4 else 0)
    each = 4 * (flags >> 8 & 0xF).bit_count()
    if not flags & 0x100:
        count = min(count, (end - place) // each if each else MOST_SAMPLES)
        yield from (usual for _ in range(count))
        return
    table = window.bytes_at(place, min(end - place, LARGEST_LIST))
    for at in range(0, min(len(table) - each + 1, count * each), each):
        yield int.from_bytes(table[at : at + 4])
