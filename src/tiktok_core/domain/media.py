"""The rules for videos and URLs that TikTok takes. They check first bytes, properties and spelling.

This module holds TikTok's limits for videos, and the values to compare with them. `containers` reads the layout of videos, and
`pictures` holds the rules for pictures. A property that could not be read is None, and the rules never refuse None.

Source: developers.tiktok.com/doc/content-posting-api-media-transfer-guide (media restrictions, pull from URL).
"""

import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Final
from urllib.parse import SplitResult, urldefrag, urljoin, urlsplit

from attrs import evolve, frozen

from tiktok_core.domain.creator import CreatorInfo
from tiktok_core.domain.names import bare, is_never_pulled
from tiktok_core.domain.tokens import Secret
from tiktok_core.errors import InvalidPost, Problem
from tiktok_core.hidden import Hidden

__all__ = [
    "HEAD_LENGTH",
    "MediaType",
    "VideoFacts",
    "media_doubts",
    "media_problems",
    "media_type",
    "ownership_problems",
    "picture_kind",
    "property_problem",
    "pull_problems",
    "source_url_problems",
    "url_problems",
]

HEAD_LENGTH: Final = 64
"""The number of bytes at the beginning of a file that show its type."""
CODECS: Final = ("H.264", "H.265", "VP8", "VP9")
FRAME_RATES: Final = (23, 60)
SIDES: Final = (360, 4096)
"""The least and the most pixels of a video's width and height."""
LONGEST: Final = 600
"""Seconds; the limit of drafts, and of direct posts where TikTok gives no figure for the creator. That figure may be higher."""


class MediaType(StrEnum):
    """The video types that the upload host takes, as values of `Content-Type`."""

    MP4 = "video/mp4"
    QUICKTIME = "video/quicktime"
    WEBM = "video/webm"


PICTURE_BRANDS: Final = (
    *(b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"),
    *(b"mif1", b"mif2", b"msf1", b"avif", b"avis"),
)
SOUND_BRANDS: Final = (b"M4A ", b"M4B ", b"M4P ")
QUICKTIME_BOXES: Final = (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"styp", b"uuid")
FOREIGN: Final = (
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (b"GIF8", "a GIF picture"),
    (b"%PDF-", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"FLV\x01", "a Flash video"),
    (b"\x00\x00\x01\xba", "an MPEG program stream"),
    (b"0&\xb2u\x8ef\xcf\x11", "a Windows Media file"),
    (b"OggS", "an Ogg file"),
    (b"ID3", "an MP3 sound"),
    (b"<!doctype", "a web page"),
    (b"<html", "a web page"),
    (b"<?xml", "an XML document"),
    (b"version https://git-lfs", "a pointer of Git LFS, and not the file itself: get it with `git lfs pull`"),
    (b"{", "a JSON document"),
)
RIFF_KINDS: Final = {b"WEBP": "a WebP picture", b"AVI ": "an AVI video", b"WAVE": "a WAV sound"}
TAKEN: Final = "TikTok takes MP4, MOV and WebM videos"
FORBIDDEN: Final = re.compile(r"[\x00-\x20\\\x7f\ud800-\udfff]")
UPLOAD: Final = "with `upload=True` (--upload) the library opens the URL and sends its bytes"
NO_FRAGMENT: Final = "the URL has a fragment (#...), which no client sends to a server"
HOST_LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.IGNORECASE)


def media_type(head: bytes) -> MediaType:
    """Return the video type of a file. Its bytes decide; its name says nothing.

    Args:
        head: the first `HEAD_LENGTH` bytes.

    Raises:
        InvalidPost: the file is not a video that TikTok takes.
    """
    found = _recognised(head)
    if isinstance(found, MediaType):
        return found
    what = found or "no video: it begins as neither an MP4, a MOV nor a WebM does"
    raise InvalidPost((Problem("video", f"the file is {what}; {TAKEN}"),))


def _recognised(head: bytes) -> MediaType | str | None:
    if head[4:8] == b"ftyp":
        if head[8:12] in PICTURE_BRANDS:
            return "a HEIF or AVIF picture"
        if head[8:12] in SOUND_BRANDS:
            return "an MPEG-4 sound"
        return MediaType.QUICKTIME if head[8:12] == b"qt  " else MediaType.MP4
    if head[:4] == b"\x1aE\xdf\xa3":
        return "a Matroska video" if b"matroska" in head else MediaType.WEBM
    if head[:4] == b"RIFF":
        return RIFF_KINDS.get(head[8:12], "a RIFF file")
    if head[4:8] in QUICKTIME_BOXES:
        return MediaType.QUICKTIME
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return next((what for start, what in FOREIGN if head.startswith(start) or text.startswith(start)), None)


def picture_kind(head: bytes) -> str:
    """Return in words what a file is, judged by its first `HEAD_LENGTH` bytes; empty if they are of no known type."""
    found = _recognised(head)
    return "a video" if isinstance(found, MediaType) else found or ""


@frozen(kw_only=True)
class VideoFacts:
    """The properties of a video. A property that could not be read is None.

    Attributes:
        codec: `H.264`, `H.265`, `VP8`, `VP9`, or the name of another codec.
        frame_rate: frames a second; the average if the rate varies.
        has_variable_rate: whether the time between frames varies, or may vary: in a part that was not read, or in a WebM, in which each
            frame has a time of its own.
        width: pixels, as stored in the file, before any rotation.
        height: pixels, as stored in the file, before any rotation.
        duration: seconds.
        may_be_longer: whether the video lasts for `duration` at least, because its end could not be read.
        has_picture: whether it has a video track.
        shown: width and height in pixels that a player shows, if the file crops its pictures.
        others: codec, rate and sides of further video tracks.
    """

    codec: str | None = None
    frame_rate: float | None = None
    has_variable_rate: bool = False
    width: int | None = None
    height: int | None = None
    duration: float | None = None
    may_be_longer: bool = False
    has_picture: bool | None = None
    shown: tuple[int, int] | None = None
    others: "tuple[VideoFacts, ...]" = ()


def media_problems(facts: VideoFacts, creator: CreatorInfo | None = None, *, draft: bool = False) -> Iterator[Problem]:
    """Yield each reason for which TikTok would refuse a video, with the figure and its limit.

    Args:
        facts: the properties of the video.
        creator: the info of the creator who posts it, which has their longest duration; None if unknown.
        draft: whether it becomes a draft, which may never be longer than ten minutes.
    """
    if facts.has_picture is False:
        yield _video(f"it has no picture, only sound or data; {TAKEN}")
    wrong = [list(_track_problems(track)) for track in (facts, *facts.others)]
    if all(wrong):
        yield from dict.fromkeys(problem for one in wrong for problem in one)
    limit, whose = LONGEST, "TikTok takes"
    if creator is not None and creator.max_video_post_duration_sec is not None:
        most = creator.max_video_post_duration_sec
        if not draft or most < LONGEST:
            limit, whose = most, "this creator may post"
    # Limits are whole seconds. A video that was cut to such a length lasts a frame or a sound packet longer.
    if facts.duration is not None and facts.duration >= limit + 1:
        least = "at least " if facts.may_be_longer else ""
        yield _video(f"it lasts {least}{facts.duration:,.1f} s; {whose} at most {limit} s")


def _track_problems(facts: VideoFacts) -> Iterator[Problem]:
    if facts.codec not in (None, *CODECS):
        yield _video(f"the codec is {facts.codec}; TikTok takes {', '.join(CODECS)}")
    # Where the rate varies, a part of the video is faster than the average, and another one slower.
    if facts.frame_rate is not None and (_is_fast(facts.frame_rate) or not facts.has_variable_rate):
        yield from _rate(facts.frame_rate)
    if facts.shown is None:
        yield from _side_problems(facts.width, facts.height)
    elif any(_side_problems(*facts.shown)):
        # Nobody knows whether TikTok goes by the stored or by the shown pixels. Where both are wrong, that does not matter.
        yield from _side_problems(facts.width, facts.height)


def _side_problems(width: int | None, height: int | None) -> Iterator[Problem]:
    lowest, highest = SIDES
    for side, pixels in (("width", width), ("height", height)):
        if pixels is not None and not lowest <= pixels <= highest:
            yield _video(f"the {side} is {pixels} pixels; TikTok takes {lowest} to {highest}")


def media_doubts(facts: VideoFacts, cover: int | None = None) -> Iterator[Problem]:
    """Yield each reason for which TikTok may or may not refuse a video, or not do as the post asks.

    Args:
        facts: the properties of the video.
        cover: the time of the frame that the post wants as its cover, in ms; None if it wants none.
    """
    yield from dict.fromkeys(doubt for track in (facts, *facts.others) for doubt in _track_doubts(track))
    wrong = [list(_track_problems(track)) for track in (facts, *facts.others)]
    if not all(wrong):
        for problem in dict.fromkeys(problem for one in wrong for problem in one):
            yield _video(
                f"one of its {len(wrong)} video tracks: {problem.message}, and does not say which track counts"
            )
    end = None if facts.may_be_longer or facts.duration is None else facts.duration
    if end is not None and cover is not None and cover > end * 1000:
        said = f"{cover:,} ms is beyond the end of the video ({end:,.1f} s); TikTok then takes the first frame"
        yield Problem("video_cover_timestamp_ms", said)


def _track_doubts(facts: VideoFacts) -> Iterator[Problem]:
    if facts.frame_rate is not None and facts.has_variable_rate and not _is_fast(facts.frame_rate):
        for problem in _rate(facts.frame_rate):
            yield _video(f"{problem.message}, and it may vary: TikTok does not say which of its rates counts")
    if facts.shown is not None:
        stored, shown = (any(_side_problems(*sides)) for sides in ((facts.width, facts.height), facts.shown))
        if stored is not shown:
            yield _video(
                f"it stores {facts.width} x {facts.height} pixels and shows {facts.shown[0]} x {facts.shown[1]}: "
                f"TikTok takes {SIDES[0]} to {SIDES[1]} a side, and does not say which of them counts"
            )


def _video(message: str) -> Problem:
    return Problem("video", message)


def _is_fast(rate: float) -> bool:
    # Cameras call 22.98 frames a second 23, and 60.02 they call 60.
    return rate > FRAME_RATES[1] + 0.5


def _rate(rate: float) -> Iterator[Problem]:
    if _is_fast(rate) or rate < FRAME_RATES[0] - 0.5:
        yield _video(f"the frame rate is {rate:.4g} a second; TikTok takes {FRAME_RATES[0]} to {FRAME_RATES[1]}")


def source_url_problems(field: str, url: str | Hidden[str]) -> Iterator[Problem]:
    """Yield each reason in the spelling of a URL that keeps the library from opening it, whoever opens it then."""
    whole = Secret(url)
    del url  # A crash report would show its query.
    # The key of an object may hold a blank. What opens it says what else it may not hold.
    if FORBIDDEN.search(whole.reveal()) and not is_never_pulled(whole):
        yield Problem(field, "the URL contains a blank, a backslash, a control character or half of a surrogate pair")
    elif "@" in bare(whole).partition("://")[2].partition("/")[0]:
        yield Problem(field, "the URL must not contain a user name")
    elif whole.reveal()[:8].lower() == "https://" and "#" in whole.reveal():
        yield Problem(field, NO_FRAGMENT)


def url_problems(field: str, url: str | Hidden[str]) -> Iterator[Problem]:
    """Yield each reason in the URL's spelling that keeps TikTok from pulling it: TikTok wants https, a domain and no user."""
    whole = Secret(url)
    del url  # A crash report would show its query.
    if FORBIDDEN.search(whole.reveal()):
        yield Problem(field, "the URL contains a blank, a backslash, a control character or half of a surrogate pair")
        return
    try:
        parts = urlsplit(bare(whole))
        host, _port = _host(parts), parts.port
    except ValueError:
        yield Problem(field, "is not a URL")
        return
    if parts.scheme != "https":
        yield Problem(field, f"TikTok pulls from https URLs only, not {parts.scheme or 'a bare name'}")
    if not host:
        yield Problem(field, "the URL has no host")
    elif "[" in parts.netloc or _is_address(host):
        yield Problem(field, f"TikTok pulls from domains only, not from the address {host}")
    elif "." not in host or not all(HOST_LABEL.fullmatch(label) for label in host.split(".")):
        yield Problem(field, f"{host!r} is not a public domain name")
    if "@" in parts.netloc:
        yield Problem(field, "the URL must not contain a user name")
    if urldefrag(whole.reveal()).fragment:
        yield Problem(field, NO_FRAGMENT)


def pull_problems(url: str | Hidden[str], chunk_size: int | None, *, upload: bool | None) -> Iterator[Problem]:
    """Yield each reason for which TikTok cannot pull a video, with the way out where the library may upload it instead.

    Args:
        url: the URL.
        chunk_size: the size of a chunk that the caller chose, which is for uploads.
        upload: whether the caller wants an upload; None if that is left to the library.
    """
    can_be_opened = upload is None and not any(source_url_problems("video_url", url))
    for problem in url_problems("video_url", url):
        yield evolve(problem, message=f"{problem.message}; {UPLOAD}") if can_be_opened else problem
    if chunk_size is not None:
        yield Problem("chunk_size", f"is for uploads; TikTok pulls a URL by itself. {UPLOAD.capitalize()}")


def ownership_problems(field: str, url: str | Hidden[str], properties: Iterable[str]) -> Iterator[Problem]:
    """Yield a problem if the app lists verified URL properties and none of them covers the URL."""
    whole, listed = Secret(url), tuple(properties)
    del url  # A crash report would show its query.
    if listed and not any(url_problems(field, whole)) and not any(_covers(one, bare(whole)) for one in listed):
        yield Problem(field, f"the URL lies under none of the app's verified URL properties: {', '.join(listed)}")


def property_problem(one: str) -> str | None:
    """Return what is wrong with a URL property; None for a domain, or a URL prefix that ends in a slash."""
    if "://" not in one:
        problem = next(url_problems("", f"https://{one}/"), None)
        is_bare = problem is None and urlsplit(f"https://{one}/").netloc == one and ":" not in one
        return None if is_bare else f"{one!r} is neither a domain nor a URL prefix such as https://media.example.com/p/"
    problem = next(url_problems("", one), None)
    if problem is not None:
        return f"{one!r}: {problem.message}"
    if not one.endswith("/") or "?" in one:
        return f"{one!r} must end in a slash, as prefixes do in TikTok's developer portal"
    return None


def _covers(one: str, url: str) -> bool:
    if "://" in one:
        # A server may resolve the dots in a path and so leave the folder. So both spellings have to lie under the prefix.
        return all(_settled(spelling).startswith(_settled(one)) for spelling in (url, _without_dots(url)))
    host, domain = _host(urlsplit(url)), _host(urlsplit(f"https://{one}/"))
    return host == domain or host.endswith(f".{domain}")


def _without_dots(url: str) -> str:
    return urljoin(url, re.sub("%2e", ".", urlsplit(url).path, flags=re.IGNORECASE))


def _settled(url: str) -> str:
    parts = urlsplit(url)
    port = "" if parts.port in (None, 443) else f":{parts.port}"
    return f"{_host(parts)}{port}{parts.path}"


def _host(parts: SplitResult) -> str:
    return _ascii((parts.hostname or "").removesuffix("."))


def _is_address(host: str) -> bool:
    # Most resolvers read `127.1`, `0x7f.1` and `2130706433` as addresses. IPv6 addresses stand in brackets.
    return re.fullmatch(r"(0x[0-9a-f]*|[0-9]+)(\.(0x[0-9a-f]*|[0-9]+))*", host, re.IGNORECASE) is not None


def _ascii(host: str) -> str:
    # Digits and dots of other scripts become ASCII ones, as in the client that looks the name up.
    try:
        return host.encode("idna").decode()
    except UnicodeError:
        return host
