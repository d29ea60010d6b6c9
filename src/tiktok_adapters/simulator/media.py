"""The look at the bytes of a video, and at the names of pulled media, before TikTok publishes them.

What belongs here: which files fail, and with which `fail_reason`. The look is written by hand from the formats' own
documents: ISO/IEC 14496-12 for MP4 and MOV, https://www.matroska.org/technical/elements.html for WebM. It shares no code with
the checks of the client, so that neither can hide a mistake of the other. The limits are those of
https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide.

It judges only what it can read with certainty. It does not decode pictures, and it cannot fetch a pulled URL, so of a URL it
judges the ending alone.
"""

import codecs
import json
import math
import re
import struct
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Final, Literal, Protocol, TypeAlias
from urllib.parse import urlsplit

from attrs import define, field, frozen

__all__ = ["HEAD", "Bytes", "Check", "Stored", "pull_problem", "video_problem"]

Check: TypeAlias = Literal["certain", "begins", "whole", "off"]
_BOM: Final = codecs.BOM_UTF8

FORMAT: Final = "file_format_check_failed"
DURATION: Final = "duration_check_failed"
FRAME_RATE: Final = "frame_rate_check_failed"
PICTURE_SIZE: Final = "picture_size_check_failed"

HEAD: Final = 4096
"""The bytes at the start of a file that are always kept for this look."""
SMALLEST, LARGEST = 360, 4096
"""Pixels of each side of the picture."""
SLOWEST, FASTEST = Fraction(45, 2), Fraction(121, 2)
"""Frames a second: the documented 23 to 60, and half a frame more on both sides, because cameras are not exact."""
LONGEST_BOX: Final = 64 << 20
"""The longest table of contents that is read."""
MOST_PARTS: Final = 10_000

_FIRST_BOXES: Final = frozenset({b"ftyp", b"styp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"uuid"})
"""The boxes with which MP4 and MOV files begin."""
_OTHER_BRANDS: Final = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1", b"avif", b"avis", b"M4A ", b"M4B "}
)
"""The brands of pictures and of sound, which begin with the same box as videos."""
_OTHERS: Final = (
    *(b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*", b"RIFF", b"ID3", b"OggS", b"fLaC", b"FLV\x01"),
    *(b"%PDF-", b"PK\x03\x04", b"\x1f\x8b\x08", b"\x7fELF", b"#!/", b"version https://git-lfs"),
)
"""The first bytes of pictures, of sound, of other videos, of documents, and of the pointer that Git LFS leaves behind."""
_MARKUP: Final = re.compile(rb"\s*<(!doctype|!--|html|head|body|\?xml|svg)\b", re.IGNORECASE)
_EBML: Final = b"\x1a\x45\xdf\xa3"
_OTHER_CODES: Final = frozenset(
    {b"av01", b"vvc1", b"vvi1", b"mp4v", b"s263", b"h263", b"jpeg", b"mjpa", b"mjpb", b"png ", b"gif ", b"rle "}
    | {b"raw ", b"SVQ1", b"SVQ3", b"apch", b"apcn", b"apcs", b"apco", b"ap4h", b"ap4x", b"dvc ", b"dvcp", b"other"}
)
"""Codes of pictures that are certainly neither H.264, H.265, VP8 nor VP9; a code that is not here is not judged."""
_WEBM_CODECS: Final = {b"V_VP8": b"vp08", b"V_VP9": b"vp09"}
_PHOTO_ENDINGS: Final = frozenset({"jpg", "jpeg", "webp"})
_VIDEO_ENDINGS: Final = frozenset({"mp4", "m4v", "mov", "qt", "webm"})
_OTHER_ENDINGS: Final = frozenset(
    {"png", "gif", "bmp", "tif", "tiff", "heic", "heif", "avif", "svg", "pdf", "zip", "html", "htm", "json", "txt"}
    | {"avi", "mkv", "flv", "wmv", "mpg", "mpeg", "3gp", "ogv", "mp3", "m4a", "wav", "ogg", "aac"}
)


class Stored(Protocol):
    """Stored bytes that can be read at any place."""

    def read(self, start: int, length: int) -> bytes:
        """Return at most `length` bytes from `start`."""
        ...


@frozen
class Bytes:
    """Bytes in memory, such as the start of a file of which no more is kept."""

    content: bytes

    def read(self, start: int, length: int) -> bytes:
        """Return at most `length` bytes from `start`."""
        return self.content[start : start + length]


class _Unreadable(Exception):
    """The bytes do not follow their format, or not all of them are kept."""


@frozen
class _Track:
    """One track with pictures: the codes and sides of its pictures, and their rate if its headers tell it."""

    codes: tuple[bytes, ...]
    sides: tuple[tuple[int, int], ...]
    rate: Fraction | None = None
    is_still: bool = False


@define
class _Look:
    """What the headers of a video say; None for what they leave open."""

    seconds: Fraction | None = None
    tracks: list[_Track] = field(factory=list)


def video_problem(stored: Stored, size: int, longest: float, check: Check) -> str | None:
    """Return the reason for which TikTok would fail this video, or None.

    Args:
        stored: the bytes that are kept.
        size: the size of the file.
        longest: the most seconds that this post may last.
        check: how much is asked of a file; the switch `media_check` describes it.
    """
    if check == "off":
        return None
    head = stored.read(0, HEAD)
    if head[:4] != _EBML and head[4:8] not in _FIRST_BOXES:
        return FORMAT if check != "certain" or _is_something_else(head, size) else None
    if head[4:8] == b"ftyp" and head[8:12] in _OTHER_BRANDS:
        return FORMAT
    try:
        look = _webm(stored, size) if head[:4] == _EBML else _mp4(stored, size)
    except (_Unreadable, IndexError, ZeroDivisionError):
        return FORMAT if check == "whole" else None
    return _judge(look, longest)


def _is_something_else(head: bytes, size: int) -> bool:
    """Return whether these are the first bytes of a known format that is no video: a picture, a document, a page, JSON."""
    if size == 0 or head.startswith(_OTHERS) or _MARKUP.match(head.removeprefix(_BOM)):
        return True
    if head.removeprefix(_BOM).lstrip()[:1] not in {b"{", b"["}:
        return False
    try:
        text = head.decode("utf-8-sig", "strict" if size <= len(head) else "ignore")
        if size > len(head):
            return text.isascii() and text.isprintable()
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def pull_problem(kind: str, urls: Iterable[str]) -> str | None:
    """Return the reason for which TikTok would fail a pull, or None. One bad picture spoils all of them."""
    own, others = (_PHOTO_ENDINGS, _VIDEO_ENDINGS) if kind == "photo" else (_VIDEO_ENDINGS, _PHOTO_ENDINGS)
    endings = {urlsplit(url).path.rpartition("/")[2].rpartition(".")[2].lower() for url in urls}
    return FORMAT if (endings - own) & (_OTHER_ENDINGS | others) else None


def _judge(look: _Look, longest: float) -> str | None:
    # A track of one picture beside the film is its cover.
    tracks = [track for track in look.tracks if not track.is_still] or look.tracks
    if not tracks or any(code in _OTHER_CODES for track in tracks for code in track.codes):
        return FORMAT
    if any(not SMALLEST <= side <= LARGEST for track in tracks for sides in track.sides for side in sides):
        return PICTURE_SIZE
    if look.seconds is not None and look.seconds > longest:
        return DURATION
    wrong = any(track.rate is not None and not SLOWEST <= track.rate <= FASTEST for track in tracks)
    return FRAME_RATE if wrong else None


# --- MP4 and MOV -----------------------------------------------------------------------------------------------------


def _mp4(stored: Stored, size: int) -> _Look:
    """Return what the `moov` box says; the picture's bytes are not read.

    Raises:
        _Unreadable: there is no `moov` box, or it is damaged.
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
    raise _Unreadable


def _movie(moov: bytes) -> _Look:
    parts = list(_boxes(moov))
    one = dict(parts)
    if b"mvhd" not in one:
        raise _Unreadable  # such as the compressed movie of old QuickTime files
    fragments = dict(_boxes(one[b"mvex"])) if b"mvex" in one else None
    ends = [_lasts(one[b"mvhd"])]
    if fragments is not None and b"mehd" in fragments:
        ends.append(_lasts_in(fragments[b"mehd"], one[b"mvhd"]))
    tracks = [_track(body, fragmented=fragments is not None) for name, body in parts if name == b"trak"]
    return _Look(max(filter(None, ends), default=None), [track for track in tracks if track is not None])


def _lasts(header: bytes) -> Fraction | None:
    """Return the seconds in a `mvhd` or `mdhd` box; None if they are unknown, which is zero or all ones."""
    place, wide = (24, 8) if header[0] == 1 else (16, 4)
    ticks = _number(_cut(header, place, wide))
    return None if ticks in {0, (1 << 8 * wide) - 1} else Fraction(ticks, _scale(header))


def _lasts_in(mehd: bytes, mvhd: bytes) -> Fraction | None:
    """Return the seconds of all fragments, in the time scale of the movie."""
    ticks = _number(_cut(mehd, 4, 8 if mehd[0] == 1 else 4))
    return Fraction(ticks, _scale(mvhd)) if ticks else None


def _track(trak: bytes, *, fragmented: bool) -> _Track | None:
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
    return _Track(
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
        _Unreadable: a box is longer than its place, or there are more than any file has.
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
            raise _Unreadable
        yield name, body[place + begins : place + length]
        place += length


# --- WebM ------------------------------------------------------------------------------------------------------------

_DOC_TYPE, _SEGMENT, _INFO, _TRACKS, _CLUSTER = 0x4282, 0x18538067, 0x1549A966, 0x1654AE6B, 0x1F43B675
_TIME_SCALE, _LASTS, _ENTRY, _KIND, _CODEC, _VIDEO = 0x2AD7B1, 0x4489, 0xAE, 0x83, 0x86, 0xE0
_WIDTH, _HEIGHT = 0xB0, 0xBA
_IS_VIDEO: Final = 1


def _webm(stored: Stored, size: int) -> _Look:
    """Return what the headers before the first cluster say. The rate of the frames is not among them.

    Raises:
        _Unreadable: they are damaged, or after the clusters.
    """
    look = _Look()
    for name, place, length in _elements(stored, 0, size):
        if name == int.from_bytes(_EBML):
            header = {one: stored.read(at, min(long, 16)) for one, at, long in _elements(stored, place, place + length)}
            if header.get(_DOC_TYPE, b"webm").rstrip(b"\0") != b"webm":
                return look  # Matroska that is no WebM: no codec of it counts
        elif name == _SEGMENT:
            _segment(stored, place, place + length, look)
            return look
    raise _Unreadable


def _segment(stored: Stored, start: int, end: int, look: _Look) -> None:
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
        raise _Unreadable


def _webm_seconds(stored: Stored, place: int, length: int) -> Fraction | None:
    said = {name: stored.read(at, long) for name, at, long in _elements(stored, place, place + length) if long <= 8}
    if _LASTS not in said:
        return None
    ticks = _real(said[_LASTS])
    scale = _number(said[_TIME_SCALE]) if _TIME_SCALE in said else 1_000_000
    return Fraction(ticks) * scale / 1_000_000_000 if ticks > 0 else None


def _entry(stored: Stored, place: int, length: int) -> _Track | None:
    said = {name: (at, long) for name, at, long in _elements(stored, place, place + length)}
    if _KIND not in said or _number(stored.read(said[_KIND][0], min(8, said[_KIND][1]))) != _IS_VIDEO:
        return None
    codec = stored.read(said[_CODEC][0], min(40, said[_CODEC][1])).rstrip(b"\0") if _CODEC in said else b""
    at, long = said.get(_VIDEO, (place, 0))
    picture = {name: _number(stored.read(a, n)) for name, a, n in _elements(stored, at, at + long) if n <= 8}
    sides = (picture.get(_WIDTH, 0), picture.get(_HEIGHT, 0))
    return _Track(codes=(_WEBM_CODECS.get(codec, b"other"),), sides=(sides,) if all(sides) else ())


def _elements(stored: Stored, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield the id, the place and the length of each element; one of unknown length lasts until `end`.

    Raises:
        _Unreadable: an element is longer than its place, or there are more than headers have.
    """
    place = start
    for _ in range(MOST_PARTS):
        if place >= end:
            return
        header = stored.read(place, 12)
        if not header:
            raise _Unreadable
        width = 9 - header[0].bit_length()
        wide = 9 - _cut(header, width, 1)[0].bit_length()
        if width > 4 or wide > 8:
            raise _Unreadable
        length = _number(_cut(header, width, wide)) & ((1 << 7 * wide) - 1)
        begins = place + width + wide
        if length == (1 << 7 * wide) - 1:
            length = end - begins
        if begins + length > end:
            raise _Unreadable
        yield _number(header[:width]), begins, length
        place = begins + length
    raise _Unreadable


# --- Numbers ---------------------------------------------------------------------------------------------------------


def _number(octets: bytes) -> int:
    return int.from_bytes(octets)


def _cut(octets: bytes, start: int, length: int) -> bytes:
    found = octets[start : start + length]
    if len(found) < length:
        raise _Unreadable
    return found


def _real(octets: bytes) -> float:
    """Return an IEEE 754 number of four or eight bytes; 0 for one that is no number."""
    if len(octets) not in {4, 8}:
        raise _Unreadable
    value: float = struct.unpack(">f" if len(octets) == 4 else ">d", octets)[0]
    return value if math.isfinite(value) else 0.0
