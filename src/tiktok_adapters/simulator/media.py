"""The look at the bytes of a video, and at the names of pulled media, before TikTok publishes them.

What belongs here: which files fail, and with which `fail_reason`; `headers.py` reads them. Both share no code with the checks
of the client, so that neither can hide a mistake of the other. The limits are those of
https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide.

It judges only what it can read with certainty. It does not decode pictures, and it cannot fetch a pulled URL, so of a URL it
judges the ending alone.
"""

import codecs
import json
import re
from collections.abc import Iterable
from fractions import Fraction
from typing import Final, Literal, TypeAlias
from urllib.parse import urlsplit

from attrs import frozen

from tiktok_adapters.simulator.headers import EBML, FASTEST, Look, Stored, Unreadable, mp4, webm

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
SLOWEST: Final = Fraction(45, 2)
"""The documented 23 frames a second, and half a frame less."""
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
_MARKUP: Final = re.compile(rb"\s*<(!--|(!doctype|html|head|body|\?xml|svg)\b)", re.IGNORECASE)
_OTHER_CODES: Final = frozenset(
    {b"av01", b"vvc1", b"vvi1", b"mp4v", b"s263", b"h263", b"jpeg", b"mjpa", b"mjpb", b"png ", b"gif ", b"rle "}
    | {b"raw ", b"SVQ1", b"SVQ3", b"apch", b"apcn", b"apcs", b"apco", b"ap4h", b"ap4x", b"dvc ", b"dvcp", b"other"}
)
"""Codes of pictures that are certainly neither H.264, H.265, VP8 nor VP9; a code that is not here is not judged.

`other` is how `headers.py` names any other codec of a WebM.
"""
_PHOTO_ENDINGS: Final = frozenset({"jpg", "jpeg", "webp"})
_VIDEO_ENDINGS: Final = frozenset({"mp4", "m4v", "mov", "qt", "webm"})
_OTHER_ENDINGS: Final = frozenset(
    {"png", "gif", "bmp", "tif", "tiff", "heic", "heif", "avif", "svg", "pdf", "zip", "html", "htm", "json", "txt"}
    | {"avi", "mkv", "flv", "wmv", "mpg", "mpeg", "3gp", "ogv", "mp3", "m4a", "wav", "ogg", "aac"}
)


@frozen
class Bytes:
    """Bytes in memory, such as the start of a file of which no more is kept."""

    content: bytes

    def read(self, start: int, length: int) -> bytes:
        """Return at most `length` bytes from `start`."""
        return self.content[start : start + length]


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
    if head[:4] != EBML and head[4:8] not in _FIRST_BOXES:
        return FORMAT if check != "certain" or _is_something_else(head, size) else None
    if head[4:8] == b"ftyp" and head[8:12] in _OTHER_BRANDS:
        return FORMAT
    try:
        look = webm(stored, size) if head[:4] == EBML else mp4(stored, size)
    except (Unreadable, IndexError, ZeroDivisionError):
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


def _judge(look: Look, longest: float) -> str | None:
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
