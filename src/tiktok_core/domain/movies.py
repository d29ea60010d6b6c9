"""Reading MP4 and MOV films: which tracks they have, how long they last, and whether they are whole.

This module reads boxes, and skips those that it does not know. It judges nothing: `media` has TikTok's limits.

Sources: ISO/IEC 14496-12 (boxes, fragments) and 14496-15 (names of codecs); Apple's QuickTime File Format.
"""

from typing import Final

from tiktok_core.domain.boxes import Movie, MovieTrack, box_at, boxes, stated
from tiktok_core.domain.fragments import MOST_FRAGMENTS, read_fragment, read_last_fragments, read_segments
from tiktok_core.domain.reading import LookEnded, Window
from tiktok_core.domain.tracks import Film, Track, joined

__all__ = ["read_movie"]

MEDIA_BOXES: Final = (b"moov", b"moof", b"mdat")
"""Boxes that hold the film. If the file ends within one, a part of the film is missing."""
BOXES: Final = frozenset(
    b"ftyp styp moov mdat moof mfra free skip wide uuid sidx ssix prft emsg pdin meta udta pnot PICT".split()
)
"""Boxes of a whole file that are known. If another one is there, the index may be hidden behind it."""
LARGEST_TABLE: Final = 4 * 1024**2
"""Bytes of the longest table of frames that is read: enough for hours of film."""
CODECS: Final = {
    **dict.fromkeys((b"avc1", b"avc2", b"avc3", b"avc4", b"dva1", b"dvav"), "H.264"),
    **dict.fromkeys((b"hvc1", b"hev1", b"hvc2", b"hev2", b"dvh1", b"dvhe"), "H.265"),
    b"vp08": "VP8",
    b"vp09": "VP9",
    b"av01": "AV1",
    **dict.fromkeys((b"vvc1", b"vvi1"), "H.266"),
    **dict.fromkeys((b"mp4v", b"XVID", b"xvid", b"DIVX", b"divx"), "MPEG-4 Visual"),
    **dict.fromkeys((b"s263", b"h263", b"H263"), "H.263"),
    **dict.fromkeys((b"jpeg", b"mjpa", b"mjpb", b"mjpg", b"MJPG"), "Motion JPEG"),
    **dict.fromkeys((b"mjp2", b"MJ2C"), "JPEG 2000"),
    b"png ": "PNG",
    **dict.fromkeys((b"apch", b"apcn", b"apcs", b"apco", b"ap4h", b"ap4x"), "ProRes"),
    **dict.fromkeys((b"AVdn", b"AVdh"), "DNxHD"),
    **dict.fromkeys((b"dvc ", b"dvcp", b"dv5n", b"dv5p", b"dvh5", b"dvh6"), "DV"),
    **dict.fromkeys((b"SVQ1", b"SVQ3"), "Sorenson Video"),
    b"CFHD": "CineForm",
    b"cvid": "Cinepak",
    b"rle ": "QuickTime Animation",
    **dict.fromkeys((b"raw ", b"2vuy", b"yuv2", b"v210", b"v308", b"v408", b"v410", b"r210", b"b64a"), "uncompressed"),
    **dict.fromkeys((b"mx3n", b"mx3p", b"mx4n", b"mx5n", b"mx5p", b"m2v1", b"xdv1"), "MPEG-2"),
}
"""Names of codecs, by the name of the box that describes the pictures. Another name says nothing: a protected film has one."""


def read_movie(window: Window) -> Film:
    """Return what the boxes of a film say, as far as they can be read."""
    found = Movie()
    try:
        _whole(window, found)
    except LookEnded:
        found.is_partial = True
    return _told(found)


def _whole(window: Window, found: Movie) -> None:
    """Read the boxes of the file in their order."""
    position = fragments = 0
    is_known = True
    while position < window.size:
        kind, body, end = box_at(window, position, window.size)
        if body > end or len(kind) < 4 or not (kind.isascii() and kind.decode("ascii").isprintable()):
            return  # No box: what follows is not known.
        if end > window.size:
            if kind not in MEDIA_BOXES:
                return
            found.promised = end
        is_known = is_known and kind in BOXES
        position, end = end, min(end, window.size)
        if kind == b"moov":
            _index(window, found, body, end)
            found.has_index = True
        elif kind == b"sidx":
            read_segments(window, found, body, end)
        elif kind == b"moof":
            if not fragments:
                found.has_end = read_last_fragments(window, found)
            fragments += 1
            if fragments > MOST_FRAGMENTS:
                raise LookEnded
            read_fragment(window, found, body, end, is_in_order=True)
    found.has_end = True
    found.lacks_index = is_known and position == window.size > 0 and not found.has_index


def _index(window: Window, found: Movie, start: int, end: int) -> None:
    for kind, body, after in boxes(window, start, end):
        if kind == b"mvhd":
            found.scale, duration = _times(window, body)
            if found.scale and duration:
                found.durations.append(duration / found.scale)
        elif kind == b"trak":
            track = MovieTrack()
            _track(window, found, track, body, after)
            found.tracks.append(track)
        elif kind == b"mvex":
            found.has_end = False  # Fragments follow: until they are read, the film may be longer.
            _extension(window, found, body, after)


def _times(window: Window, body: int) -> tuple[int, int]:
    """Return units a second and duration of a `mvhd` or `mdhd` box; a duration of all ones is unknown, and given as 0."""
    if window.number_at(body, 1) == 1:
        return window.number_at(body + 20, 4), stated(window.number_at(body + 24, 8), 8)
    return window.number_at(body + 12, 4), stated(window.number_at(body + 16, 4), 4)


def _track(window: Window, found: Movie, track: MovieTrack, start: int, end: int) -> None:
    for kind, body, after in boxes(window, start, end):
        if kind == b"tkhd":
            is_wide = window.number_at(body, 1) == 1
            track.number = window.number_at(body + (20 if is_wide else 12), 4)
            place, width = (body + 28, 8) if is_wide else (body + 20, 4)
            track.duration = stated(window.number_at(place, width), width)
        elif kind == b"tref":
            _references(window, found, track, body, after)
        elif kind == b"mdia":
            _media(window, track, body, after)


def _references(window: Window, found: Movie, track: MovieTrack, start: int, end: int) -> None:
    """Note which tracks are pictures of chapters, or a thumbnail of another track."""
    for kind, body, after in boxes(window, start, end):
        if kind == b"chap":
            found.asides.update(window.number_at(place, 4) for place in range(body, min(after, body + 400) - 3, 4))
        track.is_aside = track.is_aside or kind == b"thmb"


def _media(window: Window, track: MovieTrack, start: int, end: int) -> None:
    for kind, body, after in boxes(window, start, end):
        if kind == b"mdhd":
            track.scale, track.media_duration = _times(window, body)
        elif kind == b"hdlr":
            track.is_video = window.bytes_at(body + 8, 4) == b"vide"
        elif kind == b"minf" and track.is_video:
            for inner, start_of, end_of in boxes(window, body, after):
                if inner == b"stbl":
                    _table(window, track, start_of, end_of)


def _table(window: Window, track: MovieTrack, start: int, end: int) -> None:
    for kind, body, after in boxes(window, start, end):
        if kind == b"stsd":
            for name, entry, _ in boxes(window, body + 8, after):
                track.pictures.append(
                    (CODECS.get(name), window.number_at(entry + 24, 2), window.number_at(entry + 26, 2))
                )
        elif kind == b"stts" and after - body <= LARGEST_TABLE:
            table = window.bytes_at(body + 8, after - body - 8)
            for place in range(0, len(table) - 7, 8):
                track.frames.add(int.from_bytes(table[place : place + 4]), int.from_bytes(table[place + 4 : place + 8]))


def _extension(window: Window, found: Movie, start: int, end: int) -> None:
    for kind, body, _ in boxes(window, start, end):
        if kind == b"mehd" and found.scale:
            width = 8 if window.number_at(body, 1) == 1 else 4
            found.durations.append(stated(window.number_at(body + 4, width), width) / found.scale)
        elif kind == b"trex":
            track = found.track(window.number_at(body + 4, 4))
            if track is not None:
                track.usual_ticks = window.number_at(body + 12, 4)


def _told(found: Movie) -> Film:
    durations = list(found.durations)
    if found.listed:
        durations.append(max(end for _, end in found.listed) - min(begin for begin, _ in found.listed))
    if found.scale:
        durations.extend(track.duration / found.scale for track in found.tracks)
    timed = [track for track in found.tracks if track.scale]
    durations.extend((track.end - (track.begin or 0)) / track.scale for track in timed)
    if not any(durations):
        durations.extend((track.media_duration or track.frames.ticks) / track.scale for track in timed)
    return joined(
        [
            Track(
                pictures=tuple(track.pictures),
                frames=track.frames,
                scale=track.scale,
                is_aside=track.is_aside or track.number in found.asides or track.frames.count == 1,
            )
            for track in found.tracks
            if track.is_video and track.pictures
        ],
        duration=max(durations, default=0) or None,
        has_end=found.has_end,
        is_partial=found.is_partial,
        has_tracks=found.has_index and bool(found.tracks),
        promised=found.promised,
        lacks_index=found.lacks_index,
    )
