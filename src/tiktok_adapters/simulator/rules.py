"""TikTok's rules that need no state, restated from its documents: chunk plans, redirect URIs, PKCE, captions, URLs.

What belongs here: plain functions on plain values. The client shares none of these rules: if the planner checked its own
plans, both would be wrong together.
"""

import base64
import hashlib
import hmac
import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import urlsplit

from attrs import frozen

from tiktok_adapters.simulator.switches import Encoding, Megabyte

__all__ = [
    "CHUNK_COUNT_INVALID",
    "CHUNK_SIZE_INVALID",
    "FIELD_SCOPES",
    "LIMITS",
    "SCOPES",
    "VIDEO_FIELDS",
    "is_loopback",
    "owns",
    "plan_problem",
    "proves",
    "pull_url_problem",
    "redirect_matches",
    "registration_problem",
    "spelled_as",
    "utf16_units",
]

SCOPES: Final = frozenset(
    {
        "user.info.basic",
        "user.info.profile",
        "user.info.stats",
        "video.list",
        "video.upload",
        "video.publish",
        *(
            f"portability.{what}.{how}"
            for what in ("all", "activity", "directmessages", "postsandprofile")
            for how in ("single", "ongoing")
        ),
        "research.data.basic",
        "research.data.u18eu",
        "research.data.vra",
        "research.adlib.basic",
        "local.product.manage",
        "local.shop.manage",
        "local.voucher.manage",
        "artist.certification.read",
        "artist.certification.update",
    }
)
"""Every scope of https://developers.tiktok.com/doc/tiktok-api-scopes."""

FIELD_SCOPES: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        ("open_id", "union_id", "avatar_url", "avatar_url_100", "avatar_url_200", "avatar_large_url", "display_name"),
        "user.info.basic",
    ),
    **dict.fromkeys(("bio_description", "profile_deep_link", "is_verified", "username"), "user.info.profile"),
    **dict.fromkeys(("follower_count", "following_count", "likes_count", "video_count"), "user.info.stats"),
}
"""The scope of each field of https://developers.tiktok.com/doc/tiktok-api-v2-get-user-info.

`avatar_url_200` is in no table of TikTok's, and was observed to be accepted.
"""

VIDEO_FIELDS: Final = frozenset(
    {
        *("id", "create_time", "cover_image_url", "share_url", "video_description", "duration", "height", "width"),
        *("title", "embed_html", "embed_link", "like_count", "comment_count", "share_count", "view_count"),
    }
)
"""The fields of https://developers.tiktok.com/doc/tiktok-api-v2-video-object."""

# --- Chunk plans: https://developers.tiktok.com/doc/content-posting-api-media-transfer-guide --------------------------

CHUNK_COUNT_INVALID: Final = "The total chunk count is invalid"
CHUNK_SIZE_INVALID: Final = "The chunk size is invalid"
FILE_SIZE_INVALID: Final = "The video size is invalid"
MAX_CHUNKS: Final = 1000


@frozen
class Limits:
    """Limits of a chunk plan, in bytes."""

    smallest: int
    largest: int
    last: int
    file: int


LIMITS: Final[Mapping[Megabyte, Limits]] = {
    "strict": Limits(5_242_880, 64_000_000, 128_000_000, 4_000_000_000),
    "decimal": Limits(5_000_000, 64_000_000, 128_000_000, 4_000_000_000),
    "binary": Limits(5_242_880, 67_108_864, 134_217_728, 4_294_967_296),
}
"""The guide's 5 MB, 64 MB, 128 MB and 4 GB, in both readings; `strict` has the limits that both readings allow."""


def plan_problem(video_size: int, chunk_size: int, count: int, *, mb: Megabyte, lenient: bool = False) -> str | None:
    """Return why TikTok would refuse a plan, or None if it would accept it.

    Args:
        video_size: the bytes of the file.
        chunk_size: the bytes of every chunk except the last, which takes the remainder.
        count: `total_chunk_count`.
        mb: the reading of "MB".
        lenient: whether a single chunk of 5 MB or more may be larger than `chunk_size`.
    """
    limits = LIMITS[mb]
    if video_size < 1 or video_size > limits.file:
        return FILE_SIZE_INVALID
    if chunk_size < 1:
        return CHUNK_SIZE_INVALID
    if count != video_size // chunk_size or not 1 <= count <= MAX_CHUNKS:
        return CHUNK_COUNT_INVALID
    if count == 1:
        return None if _one_chunk_fits(video_size, chunk_size, limits, lenient=lenient) else CHUNK_SIZE_INVALID
    last = video_size - chunk_size * (count - 1)
    fits = limits.smallest <= chunk_size <= limits.largest and last <= limits.last
    return None if fits else CHUNK_SIZE_INVALID


def _one_chunk_fits(video_size: int, chunk_size: int, limits: Limits, *, lenient: bool) -> bool:
    if video_size > limits.largest:
        return False
    return chunk_size == video_size or (lenient and chunk_size >= limits.smallest)


# --- Signing in: https://developers.tiktok.com/doc/login-kit-desktop, /doc/login-kit-web ------------------------------

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1"})


def is_loopback(url: str) -> bool:
    """Return whether the URL's host is one of the two that desktop apps may register."""
    return re.sub(r":(\*|\d+)$", "", urlsplit(url).netloc) in LOOPBACK


def registration_problem(uri: str, kind: str) -> str | None:
    """Return why a portal would refuse to register `uri` for an app of this `kind`, or None."""
    parts = urlsplit(uri)
    if len(uri) >= 512:
        return "a redirect URI has fewer than 512 characters"
    if "?" in uri or "#" in uri:
        return "a redirect URI has neither a query nor a fragment"
    if is_loopback(uri) and kind != "web":
        return None if parts.scheme in {"http", "https"} and ":" in parts.netloc else "a desktop URI needs a port or *"
    if kind == "desktop":
        return "a desktop URI is on localhost or 127.0.0.1"
    return (
        None
        if parts.scheme == "https" and parts.netloc and "*" not in uri
        else "a web URI is https and absolute, and one of this machine is on a port of localhost or 127.0.0.1"
    )


def redirect_matches(registered: str, given: str) -> bool:
    """Return whether a request may name `given`: the registered URI, with a number in place of its `*` port."""
    if ":*" not in registered:
        return given == registered
    before, after = registered.split(":*", 1)
    found = re.fullmatch(re.escape(before) + r":([1-9][0-9]{0,4})" + re.escape(after), given, re.ASCII)
    return found is not None and int(found[1]) <= 65_535


_CHALLENGES: Final[Mapping[Encoding, str]] = {
    "hex": r"[0-9a-f]{64}",
    "base64url": r"[A-Za-z0-9_-]{43}",
    "either": r"[0-9a-f]{64}|[A-Za-z0-9_-]{43}",
}


def spelled_as(challenge: str, encoding: Encoding) -> bool:
    """Return whether a code challenge has the alphabet and length of this encoding."""
    return re.fullmatch(_CHALLENGES[encoding], challenge) is not None


def proves(verifier: str, challenge: str, encoding: Encoding, *, any_length: bool = False) -> bool:
    """Return whether the code verifier (43 to 128 unreserved characters, or any number) matches the challenge."""
    length = "+" if any_length else "{43,128}"
    if not re.fullmatch(rf"[A-Za-z0-9._~-]{length}", verifier) or not spelled_as(challenge, encoding):
        return False
    digest = hashlib.sha256(verifier.encode()).digest()
    spelled = digest.hex() if len(challenge) == 64 else base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return hmac.compare_digest(spelled, challenge)


# --- Posts: https://developers.tiktok.com/doc/content-posting-api-reference-direct-post -------------------------------


def utf16_units(text: str) -> int:
    """Return the length of a caption as TikTok counts it: an emoji outside the BMP counts as two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def pull_url_problem(url: object) -> str | None:
    """Return why TikTok could not pull from this URL, or None. It does not check redirects or reachability."""
    if not isinstance(url, str):
        return "The URL is missing or not a string"
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return "The URL is malformed"
    if parts.scheme != "https":
        return "The URL must be https"
    if not host or "." not in host or _is_address(host):
        return "The host of the URL must be a domain name"
    return None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host.rpartition(".")[2].isdigit()
    return True


def owns(properties: Iterable[str], url: str) -> bool:
    """Return whether one of the verified URL properties covers this URL.

    A property is a domain (`static.example.com`, with its subdomains) or a prefix (`https://example.com/videos/`).
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    climbs = ".." in parts.path.split("/")
    return any(
        (url.startswith(known) and not climbs) if "://" in known else (host == known or host.endswith("." + known))
        for known in properties
    )
