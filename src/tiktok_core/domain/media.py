"""Which files and URLs can be posted: told by their first bytes, and by their names where those say nothing.

Source: developers.tiktok.com/doc/content-posting-api-media-transfer-guide (media restrictions, pull from URL).
"""

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from tiktok_core.errors import InvalidPost, Problem

__all__ = ["HEAD_LENGTH", "MediaType", "is_url", "media_type", "url_problems"]

HEAD_LENGTH: Final = 64
"""Bytes of a file that are looked at."""


class MediaType(StrEnum):
    """The video types that the upload host takes, as `Content-Type`."""

    MP4 = "video/mp4"
    QUICKTIME = "video/quicktime"
    WEBM = "video/webm"


BY_ENDING: Final = {"mp4": MediaType.MP4, "m4v": MediaType.MP4, "mov": MediaType.QUICKTIME, "webm": MediaType.WEBM}
PICTURE_BRANDS: Final = (b"heic", b"heix", b"mif1", b"msf1", b"avif", b"avis")
QUICKTIME_BOXES: Final = (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
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
    (b"<!DOCTYPE", "a web page"),
    (b"<html", "a web page"),
    (b"<?xml", "an XML document"),
)
RIFF_KINDS: Final = {b"WEBP": "a WebP picture", b"AVI ": "an AVI video", b"WAVE": "a WAV sound"}
TAKEN: Final = "TikTok takes MP4, MOV and WebM videos"
HOST_LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.IGNORECASE)


def media_type(head: bytes, name: str | None) -> MediaType:
    """Return the video type of a file.

    Args:
        head: its first `HEAD_LENGTH` bytes; they win over the name.
        name: its name, or None when it has none, where bytes that say nothing pass for MP4.

    Raises:
        InvalidPost: it is something else.
    """
    found = _recognised(head)
    if isinstance(found, MediaType):
        return found
    if found:
        raise InvalidPost((Problem("video", f"the file is {found}; {TAKEN}"),))
    if name is None:
        return MediaType.MP4
    ending = name.rpartition(".")[2].lower() if "." in name else ""
    if ending not in BY_ENDING:
        what = f"a file named .{ending}" if ending else "a file without an ending in its name"
        raise InvalidPost((Problem("video", f"{what} is not known to be a video; {TAKEN}"),))
    return BY_ENDING[ending]


def _recognised(head: bytes) -> MediaType | str | None:
    if head[4:8] == b"ftyp":
        if head[8:12] in PICTURE_BRANDS:
            return "a HEIF or AVIF picture"
        return MediaType.QUICKTIME if head[8:12] == b"qt  " else MediaType.MP4
    if head[:4] == b"\x1aE\xdf\xa3":
        return "a Matroska video" if b"matroska" in head else MediaType.WEBM
    if head[:4] == b"RIFF":
        return RIFF_KINDS.get(head[8:12], "a RIFF file")
    if head[4:8] in QUICKTIME_BOXES:
        return MediaType.QUICKTIME
    return next((what for start, what in FOREIGN if head.startswith(start)), None)


def is_url(text: str) -> bool:
    """Whether `text` is meant as a URL rather than as the name of a file."""
    return re.match(r"[a-z][a-z0-9+.-]+://", text, re.IGNORECASE) is not None


def url_problems(field: str, url: str) -> Iterator[Problem]:
    """Yield what keeps TikTok from pulling this URL, as far as its spelling tells: https, a domain, no user."""
    if any(character <= " " or character in "\\\x7f" or "\ud800" <= character <= "\udfff" for character in url):
        yield Problem(field, "the URL holds a blank, a backslash, a control character or half of a surrogate pair")
        return
    try:
        parts = urlsplit(url)
        host, _port = _ascii((parts.hostname or "").removesuffix(".")), parts.port
    except ValueError:
        yield Problem(field, "is not a URL")
        return
    if parts.scheme != "https":
        yield Problem(field, f"TikTok pulls from https URLs only, not {parts.scheme or 'a bare name'}")
    if not host:
        yield Problem(field, "the URL names no host")
    elif "[" in parts.netloc or _is_address(host):
        yield Problem(field, f"TikTok pulls from domains only, not from the address {host}")
    elif "." not in host or not all(HOST_LABEL.fullmatch(label) for label in host.split(".")):
        yield Problem(field, f"{host!r} is not a public domain name")
    if "@" in parts.netloc:
        yield Problem(field, "the URL names a user")
    if parts.fragment:
        yield Problem(field, "the URL has a fragment, which is never sent to a server")


def _is_address(host: str) -> bool:
    # `127.1`, `0x7f.1` and `2130706433` are addresses to most resolvers; IPv6 ones stand in brackets.
    return re.fullmatch(r"(0x[0-9a-f]*|[0-9]+)(\.(0x[0-9a-f]*|[0-9]+))*", host, re.IGNORECASE) is not None


def _ascii(host: str) -> str:
    # Other scripts' digits and dots become ASCII ones, as they do for whoever looks the name up.
    try:
        return host.encode("idna").decode()
    except UnicodeError:
        return host
