"""The headers of MP4, MOV and WebM files: codecs, sides, rate and duration, where the headers state them.

What belongs here: reading, by hand, from the formats' own documents: ISO/IEC 14496-12 for MP4 and MOV,
https://www.matroska.org/technical/elements.html for WebM. `media.py` judges what is read.
"""

import math
import struct
from collections.abc import Iterator
from fractions import Fraction
from typing import Final, Protocol

from attrs import define, field, frozen

__all__ = ["EBML", "FASTEST", "Look", "Stored", "Track", "Unreadable", "mp4", "webm"]

FASTEST: Final = Fraction(121, 2)
"""The documented 60 frames a second, and half a frame more, because cameras are not exact."""
EBML: Final = b"\x1a\x45\xdf\xa3"
"""The first bytes of a WebM."""
LONGEST_BOX: Final = 64 << 20
"""The longest table of contents that is read."""
MOST_PARTS: Final = 10_000

_WEBM_CODECS: Final = {b"V_VP8": b"vp08", b"V_VP9": b"vp09"}


class Stored(Protocol):
    """Stored bytes that can be read at any place."""

    def read(self, start: int, length: int) -> bytes:
        """Return at most `length` bytes from `start`."""
        ...


class Unreadable(Exception):
    """The bytes do not follow their format, or not all of them are kept."""


@frozen
class Track:
    """One track with pictures: the codes and sides of its pictures, and their rate if its headers tell it."""

    codes: tuple[bytes, ...]
    sides: tuple[tuple[int, int], ...]
    rate: Fraction | None = None
    is_still: bool = False


@define
class Look:
    """What the headers of a video say; None for what they leave open."""

    seconds: Fraction | None = None
    tracks: list[Track] = field(factory=list)


# --- MP4 and MOV -----------------------------------------------------------------------------------------------------


def mp4(stored: Stored, size: int) -> Look:
    """Return what the `moov` box says; the picture's bytes are not read.

    Raises:
        Unreadable: there is no `moov` box, or it is damaged.
    """
    place = 0
    for _ in range(MOST_PARTS):
        header = stored.read(place, 16)
        if place >= size or len(header) < 8:
            break
        length, name = _number(header[:4]), header[4:8]
        begins = 8
        if length == 1:
            length, begins = _number(header[8:16]), 16
        elif length == 0:
            length = size - place
        if length < begins:
            break
        if name == b"moov":
            if length > LONGEST_BOX:
                break
            body = stored.read(place + begins, length - begins)
            if len(body) < length - begins:
                break
            return _movie(body)
        place += length
    raise Unreadable


def _movie(moov: bytes) -> Look:
    parts = list(_boxes(moov))
    one = dict(parts)
    if b"mvhd" not in one:
        raise Unreadable  # such as the compressed movie of old QuickTime files
    fragments = dict(_boxes(one[b"mvex"])) if b"mvex" in one else None
    ends = [_lasts(one[b"mvhd"])]
    if fragments is not None and b"mehd" in fragments:
        ends.append(_lasts_in(fragments[b"mehd"], one[b"mvhd"]))
    tracks = [_track(body, fragmented=fragments is not None) for name, body in parts if name == b"trak"]
    return Look(max(filter(None, ends), default=None), [track for track in tracks if track is not None])


def _lasts(header: bytes) -> Fraction | None:
    """Return the seconds in a `mvhd` or `mdhd` box; None if they are unknown, which is zero or all ones."""
    place, wide = (24, 8) if header[0] == 1 else (16, 4)
    ticks = _number(_cut(header, place, wide))
    return None if ticks in {0, (1 << 8 * wide) - 1} else Fraction(ticks, _scale(header))


def _lasts_in(mehd: bytes, mvhd: bytes) -> Fraction | None:
    """Return the seconds of all fragments, in the time scale of the movie."""
    ticks = _number(_cut(mehd, 4, 8 if mehd[0] == 1 else 4))
    return Fraction(ticks, _scale(mvhd)) if ticks else None


def _track(trak: bytes, *, fragmented: bool) -> Track | None:
    """Return a track with pictures; None for sound and everything else."""
    media = dict(_boxes(dict(_boxes(trak)).get(b"mdia", b"")))
    if media.get(b"hdlr", b"")[8:12] != b"vide":
        return None
    table = dict(_boxes(dict(_boxes(media.get(b"minf", b""))).get(b"stbl", b"")))
    entries = list(_boxes(table.get(b"stsd", b"")[8:]))
    sides = [(_number(_cut(entry, 24, 2)), _number(_cut(entry, 26, 2))) for _code, entry in entries]
    stts = table.get(b"stts", b"")
    runs = [
        (_number(stts[place : place + 4]), _number(stts[place + 4 : place + 8])) for place in range(8, len(stts) - 7, 8)
    ]
    # The frames of fragments are not in this table.
    is_told = not fragmented and b"mdhd" in media
    return Track(
        codes=tuple(code for code, _entry in entries),
        sides=tuple((width, height) for width, height in sides if width and height),
        rate=_rate(runs, _scale(media[b"mdhd"])) if is_told else None,
        is_still=not fragmented and sum(count for count, _ticks in runs) == 1,
    )


def _rate(runs: list[tuple[int, int]], scale: int) -> Fraction | None:
    """Return the frames a second of runs of frames and the ticks of each; None if it is not certain.

    Where the rate varies, a slow average says nothing about the rate that TikTok goes by; a fast one has a faster part.
    """
    # The last frame often has a duration of its own.
    steady = runs[:-1] if len(runs) > 1 and runs[-1][0] == 1 else runs
    frames, whole = sum(count for count, _ticks in steady), sum(count * ticks for count, ticks in steady)
    if frames < 2 or whole == 0:
        return None
    rate = Fraction(frames * scale, whole)
    return rate if len({ticks for _count, ticks in steady}) == 1 or rate > FASTEST else None


def _scale(header: bytes) -> int:
    """Return the ticks of a second in a `mvhd` or `mdhd` box."""
    return _number(_cut(header, 20 if header[0] == 1 else 12, 4))


def _boxes(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the name and the body of each box.

    Raises:
        Unreadable: a box is longer than its place, or there are more than any file has.
    """
    place, count = 0, 0
    while place + 8 <= len(body):
        length, name, begins = _number(body[place : place + 4]), body[place + 4 : place + 8], 8
        if length == 0 and name == b"\0\0\0\0":
            return  # QuickTime ends some lists with four bytes of zeros
        if length == 1:
            length, begins = _number(_cut(body, place + 8, 8)), 16
        elif length == 0:
            length = len(body) - place
        count += 1
        if length < begins or place + length > len(body) or count > MOST_PARTS:
            raise Unreadable
        yield name, body[place + begins : place + length]
        place += length


# --- WebM ------------------------------------------------------------------------------------------------------------

_DOC_TYPE, _SEGMENT, _INFO, _TRACKS, _CLUSTER = 0x4282, 0x18538067, 0x1549A966, 0x1654AE6B, 0x1F43B675
_TIME_SCALE, _LASTS, _ENTRY, _KIND, _CODEC, _VIDEO = 0x2AD7B1, 0x4489, 0xAE, 0x83, 0x86, 0xE0
_WIDTH, _HEIGHT = 0xB0, 0xBA
_IS_VIDEO: Final = 1


def webm(stored: Stored, size: int) -> Look:
    """Return what the headers before the first cluster say. The rate of the frames is not among them.

    Raises:
        Unreadable: they are damaged, or after the clusters.
    """
    look = Look()
    for name, place, length in _elements(stored, 0, size):
        if name == int.from_bytes(EBML):
            header = {one: stored.read(at, min(long, 16)) for one, at, long in _elements(stored, place, place + length)}
            if header.get(_DOC_TYPE, b"webm").rstrip(b"\0") != b"webm":
                return look  # Matroska that is no WebM: no codec of it counts
        elif name == _SEGMENT:
            _segment(stored, place, place + length, look)
            return look
    raise Unreadable


def _segment(stored: Stored, start: int, end: int, look: Look) -> None:
    has_tracks = False
    for name, place, length in _elements(stored, start, end):
        if name == _CLUSTER:
            break
        if name == _INFO:
            look.seconds = _webm_seconds(stored, place, length)
        elif name == _TRACKS:
            has_tracks = True
            for kind, at, long in _elements(stored, place, place + length):
                if kind == _ENTRY and (track := _entry(stored, at, long)) is not None:
                    look.tracks.append(track)
    if not has_tracks:
        raise Unreadable


def _webm_seconds(stored: Stored, place: int, length: int) -> Fraction | None:
    said = {name: stored.read(at, long) for name, at, long in _elements(stored, place, place + length) if long <= 8}
    if _LASTS not in said:
        return None
    ticks = _real(said[_LASTS])
    scale = _number(said[_TIME_SCALE]) if _TIME_SCALE in said else 1_000_000
    return Fraction(ticks) * scale / 1_000_000_000 if ticks > 0 else None


def _entry(stored: Stored, place: int, length: int) -> Track | None:
    said = {name: (at, long) for name, at, long in _elements(stored, place, place + length)}
    if _KIND not in said or _number(stored.read(said[_KIND][0], min(8, said[_KIND][1]))) != _IS_VIDEO:
        return None
    codec = stored.read(said[_CODEC][0], min(40, said[_CODEC][1])).rstrip(b"\0") if _CODEC in said else b""
    at, long = said.get(_VIDEO, (place, 0))
    picture = {name: _number(stored.read(a, n)) for name, a, n in _elements(stored, at, at + long) if n <= 8}
    sides = (picture.get(_WIDTH, 0), picture.get(_HEIGHT, 0))
    return Track(codes=(_WEBM_CODECS.get(codec, b"other"),), sides=(sides,) if all(sides) else ())


def _elements(stored: Stored, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield the id, the place and the length of each element; one of unknown length lasts until `end`.

    Raises:
        Unreadable: an element is longer than its place, or there are more than headers have.
    """
    place = start
    for _ in range(MOST_PARTS):
        if place >= end:
            return
        header = stored.read(place, 12)
        if not header:
            raise Unreadable
        width = 9 - header[0].bit_length()
        wide = 9 - _cut(header, width, 1)[0].bit_length()
        if width > 4 or wide > 8:
            raise Unreadable
        length = _number(_cut(header, width, wide)) & ((1 << 7 * wide) - 1)
        begins = place + width + wide
        if length == (1 << 7 * wide) - 1:
            length = end - begins
        if begins + length > end:
            raise Unreadable
        yield _number(header[:width]), begins, length
        place = begins + length
    raise Unreadable


# --- Numbers ---------------------------------------------------------------------------------------------------------


def _number(octets: bytes) -> int:
    return int.from_bytes(octets)


def _cut(octets: bytes, start: int, length: int) -> bytes:
    found = octets[start : start + length]
    if len(found) < length:
        raise Unreadable
    return found


def _real(octets: bytes) -> float:
    """Return an IEEE 754 number of four or eight bytes; 0 for one that is no number."""
    if len(octets) not in {4, 8}:
        raise Unreadable
    value: float = struct.unpack(">f" if len(octets) == 4 else ">d", octets)[0]
    return value if math.isfinite(value) else 0.0
