"""Reading WebM films: which tracks they have, how long they last, and whether they are whole.

This module reads elements, and skips those that it does not know. It judges nothing: `media` has TikTok's limits.

Sources: RFC 8794 (EBML); RFC 9559 (Matroska); the WebM container guidelines; RFC 6386, section 9.1 (which frames VP8 shows).
"""

import struct
from collections.abc import Iterator
from contextlib import suppress
from math import isfinite
from typing import Final

from attrs import define, field

from tiktok_core.domain.reading import LookEnded, Window
from tiktok_core.domain.tracks import Film, Frames, Track, joined

__all__ = ["EBML", "read_elements"]

EBML: Final = b"\x1aE\xdf\xa3"
"""The first bytes of a WebM film."""
SEGMENT, INFO, TRACKS, CLUSTER = 0x18538067, 0x1549A966, 0x1654AE6B, 0x1F43B675
OF_SEGMENT: Final = frozenset({INFO, TRACKS, CLUSTER, 0x114D9B74, 0x1C53BB6B, 0x1941A469, 0x1043A770, 0x1254C367})
"""Elements of a segment. A cluster of unknown length ends where one of them begins."""
TIMESTAMP_SCALE, DURATION = 0x2AD7B1, 0x4489
TRACK, NUMBER, KIND, CODEC, VIDEO = 0xAE, 0xD7, 0x83, 0x86, 0xE0
WIDTH, HEIGHT, BOTTOM, TOP, LEFT, RIGHT = 0xB0, 0xBA, 0x54AA, 0x54BB, 0x54CC, 0x54DD
TIMESTAMP, SIMPLE_BLOCK, BLOCK_GROUP, BLOCK = 0xE7, 0xA3, 0xA0, 0xA1
IS_VIDEO: Final = 1
MOST_BLOCKS: Final = 20_000
"""The most blocks to read for the frame rate: minutes of film."""
NANOSECONDS: Final = 1_000_000_000
CODECS: Final = {
    "V_VP8": "VP8",
    "V_VP9": "VP9",
    "V_AV1": "AV1",
    "V_MPEG4/ISO/AVC": "H.264",
    "V_MPEGH/ISO/HEVC": "H.265",
    "V_THEORA": "Theora",
    "V_MPEG4/ISO/ASP": "MPEG-4 Visual",
    "V_MPEG2": "MPEG-2",
    "V_MJPEG": "Motion JPEG",
    "V_PRORES": "ProRes",
    "V_FFV1": "FFV1",
}
"""Names of codecs. Another name says nothing: it may stand for a format that names its codec elsewhere."""


@define
class _Track:
    """What is known of a track with pictures so far.

    Attributes:
        number: by which blocks name it.
        codec: TikTok's name of its codec; None if unknown.
        sides: width and height, as stored; 0 if unknown.
        shown: width and height after cropping, if it is cropped.
        last: timestamp of the last frame that was counted.
    """

    number: int
    codec: str | None
    sides: tuple[int, int]
    shown: tuple[int, int] | None
    frames: Frames = field(factory=Frames)
    last: int | None = None


@define
class _Film:
    """What is known of a film so far.

    Attributes:
        scale: nanoseconds of a unit.
        duration: units that the segment states; 0 while unknown.
        last: the latest timestamp of a block that was read, in units.
        blocks: the number of blocks that were read.
        is_partial: whether blocks are left that were not read.
        has_end: whether the last block was read.
    """

    scale: int = 1_000_000
    duration: float = 0.0
    tracks: list[_Track] = field(factory=list)
    has_tracks: bool = False
    last: int = 0
    blocks: int = 0
    is_partial: bool = True
    has_end: bool = False
    promised: int = 0


def read_elements(window: Window) -> Film:
    """Return what the elements of a film say, as far as they can be read."""
    found = _Film()
    with suppress(LookEnded):
        _whole(window, found)
    return joined(
        [
            Track(
                pictures=((track.codec, *track.sides),),
                frames=track.frames,
                scale=NANOSECONDS // found.scale,
                shown=track.shown,
                has_times=True,
                is_aside=found.has_end and track.last is not None and not track.frames.count,
            )
            for track in found.tracks
        ],
        duration=(found.duration or found.last) * found.scale / NANOSECONDS or None,
        has_end=found.duration > 0 or found.has_end,
        is_partial=found.is_partial,
        has_tracks=found.has_tracks,
        promised=found.promised,
    )


def _whole(window: Window, found: _Film) -> None:
    header = _element(window, 0)
    if header is None or header[2] is None:
        return
    segment = _element(window, header[2])
    if segment is None or segment[0] != SEGMENT:
        return
    _, start, end = segment
    if end is not None and end > window.size:
        found.promised = end
    _segment(window, found, start, window.size if end is None else min(end, window.size))


def _segment(window: Window, found: _Film, start: int, end: int) -> None:
    while start < end:
        element = _element(window, start)
        if element is None:
            return
        kind, body, after = element
        after = end if after is None else min(after, end)
        if kind == CLUSTER:
            if found.blocks > MOST_BLOCKS and found.duration:
                return  # All that the blocks could tell is known.
            start = _cluster(window, found, body, after, is_open=element[2] is None)
            continue
        if kind == INFO:
            _info(window, found, body, after)
        elif kind == TRACKS:
            for inner, start_of, end_of in _elements(window, body, after):
                if inner == TRACK:
                    _track(window, found, start_of, end_of)
            found.has_tracks = True
        start = after
    found.has_end = True
    found.is_partial = found.blocks > MOST_BLOCKS


def _info(window: Window, found: _Film, start: int, end: int) -> None:
    for kind, body, after in _elements(window, start, end):
        if kind == TIMESTAMP_SCALE:
            found.scale = min(max(1, _number(window, body, after)), NANOSECONDS)
        elif kind == DURATION and after - body in (4, 8):
            octets = window.number_at(body, after - body).to_bytes(after - body)
            (duration,) = struct.unpack(">f" if after - body == 4 else ">d", octets)
            found.duration = duration if isfinite(duration) and duration > 0 else 0.0


def _track(window: Window, found: _Film, start: int, end: int) -> None:
    number = kind_of = 0
    codec: str | None = None
    picture: dict[int, int] = {}
    for kind, body, after in _elements(window, start, end):
        if kind == NUMBER:
            number = _number(window, body, after)
        elif kind == KIND:
            kind_of = _number(window, body, after)
        elif kind == CODEC:
            codec = CODECS.get(window.bytes_at(body, min(after - body, 64)).rstrip(b"\0").decode("ascii", "replace"))
        elif kind == VIDEO:
            picture = {one: _number(window, at, to) for one, at, to in _elements(window, body, after) if to - at <= 8}
    if kind_of != IS_VIDEO:
        return
    width, height = picture.get(WIDTH, 0), picture.get(HEIGHT, 0)
    across = picture.get(LEFT, 0) + picture.get(RIGHT, 0)
    down = picture.get(TOP, 0) + picture.get(BOTTOM, 0)
    is_cropped = (across or down) and across < width and down < height
    found.tracks.append(
        _Track(
            number=number,
            codec=codec,
            sides=(width, height),
            shown=(width - across, height - down) if is_cropped else None,
        )
    )


def _cluster(window: Window, found: _Film, start: int, end: int, *, is_open: bool) -> int:
    """Read the blocks of a cluster, and return the offset of what follows it."""
    timestamp = 0
    while start < end:
        element = _element(window, start)
        if element is None:
            raise LookEnded  # What follows is no element, or nothing that was written to its end.
        kind, body, after = element
        if is_open and kind in OF_SEGMENT:
            return start
        after = end if after is None else min(after, end)
        if kind == TIMESTAMP:
            timestamp = _number(window, body, after)
            found.last = max(found.last, timestamp)
        elif kind == SIMPLE_BLOCK:
            _block(window, found, timestamp, body)
        elif kind == BLOCK_GROUP:
            for inner, at, _ in _elements(window, body, after):
                if inner == BLOCK:
                    _block(window, found, timestamp, at)
        start = after
    return end


def _block(window: Window, found: _Film, timestamp: int, body: int) -> None:
    head = window.bytes_at(body, 16)
    number = _variable(head)
    if number is None or len(head) < number[1] + 3:
        raise LookEnded
    width = number[1]
    timestamp += int.from_bytes(head[width : width + 2], signed=True)
    found.last = max(found.last, timestamp)
    found.blocks += 1
    track = next((one for one in found.tracks if one.number == number[0]), None)
    if track is None or found.blocks > MOST_BLOCKS:
        return
    # VP8 keeps frames that it never shows in blocks of their own: a bit of the frame's first byte says so.
    first = head[width + 3 : width + 4]
    if track.codec == "VP8" and first and not first[0] & 0x10:
        return
    if track.last is not None:
        track.frames.add(1, max(0, timestamp - track.last))
    track.last = timestamp


def _elements(window: Window, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield id, start and end of each element within another one; one that is longer than what holds it ends there."""
    while start < end:
        element = _element(window, start)
        if element is None:
            return
        kind, body, after = element
        after = end if after is None else min(after, end)
        yield kind, body, after
        start = after


def _element(window: Window, start: int) -> tuple[int, int, int | None] | None:
    """Return id, start of the body and end of an element, None for an unknown end; or None if there is no element."""
    head = window.bytes_at(start, 12)
    width = 9 - head[0].bit_length() if head else 9
    if width > 4:
        return None
    length = _variable(head[width:])
    if length is None:
        return None
    body = start + width + length[1]
    is_unknown = length[0] == (1 << 7 * length[1]) - 1
    return int.from_bytes(head[:width]), body, None if is_unknown else body + length[0]


def _variable(data: bytes) -> tuple[int, int] | None:
    """Return a number of variable width, and its width in bytes; None if the data end within it."""
    width = 9 - data[0].bit_length() if data else 9
    if len(data) < width or width > 8:
        return None
    return int.from_bytes(data[:width]) & ((1 << 7 * width) - 1), width


def _number(window: Window, body: int, after: int) -> int:
    return window.number_at(body, min(after - body, 8))
