"""Names of media that lie elsewhere: URLs, whose query may be a signature that opens them. So a query is a secret.

What belongs here: how such a name is kept, shown and compared. Whether TikTok can pull from a URL is said by `media`.
"""

import hashlib
import re
from collections.abc import Iterable
from typing import Final, TypeVar

from tiktok_core.domain.tokens import Secret
from tiktok_core.hidden import Hidden

__all__ = [
    "SHOWN_QUERY",
    "bare",
    "covered",
    "digested",
    "is_digested",
    "is_never_pulled",
    "is_url",
    "name_digest",
    "query_of",
    "shown",
    "without",
]

T = TypeVar("T")

URL: Final = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
STORED: Final = re.compile(r"(?:s3|gs|az)://", re.IGNORECASE)
"""Names of objects in stores that TikTok cannot reach, so that each of them is opened."""
DIGEST: Final = re.compile(r"[0-9a-f]{64}")
SHOWN_QUERY: Final = "?..."


def is_url(text: str | Hidden[str]) -> bool:
    """Whether `text` is a URL rather than the path of a file."""
    return URL.match(text.reveal() if isinstance(text, Hidden) else text) is not None


def is_never_pulled(name: str | Hidden[str]) -> bool:
    """Whether `name` is that of an object in a store (`s3://`, `gs://`, `az://`), which only a client with credentials can open."""
    return STORED.match(name.reveal() if isinstance(name, Hidden) else name) is not None


def covered(media: T) -> T | Secret:
    """Return a URL as a secret, and anything else as it is."""
    return Secret(media) if isinstance(media, str) and is_url(media) else media


def bare(name: str | Hidden[str]) -> str:
    """Return a URL without its query, and any other name as it is."""
    whole = Secret(name)
    del name  # A crash report would show it.
    return whole.reveal().partition("?")[0] if is_url(whole) else whole.reveal()


def query_of(name: str | Hidden[str]) -> Secret | None:
    """Return the query of a URL; None if it has none, or is none."""
    whole = Secret(name)
    del name
    return Secret(whole.reveal().partition("?")[2]) if is_url(whole) and "?" in whole.reveal() else None


def shown(name: str | Hidden[str]) -> str:
    """Return a name as people may see it: a URL has `?...` in place of its query."""
    return bare(name) + (SHOWN_QUERY if query_of(name) is not None else "")


def name_digest(name: str | Hidden[str]) -> str:
    """Return the digest of a URL with its query, by which it is recognised once its query is gone."""
    whole = Secret(name)
    del name
    return hashlib.sha256(whole.reveal().encode("utf-8", "surrogatepass")).hexdigest()


def digested(url: str) -> str:
    """Return a URL that TikTok pulled with its digest in place of its query. What has no query stays as it is.

    The digest stands as a fragment, which no URL that TikTok pulls has.
    """
    return url if query_of(url) is None else f"{bare(url)}#{name_digest(url)}"


def is_digested(url: str) -> bool:
    """Whether `digested` has taken the query from this URL."""
    return DIGEST.fullmatch(url.partition("#")[2]) is not None


def without(text: str, secrets: Iterable[Secret]) -> str:
    """Return a text of another program, such as TikTok's message, without the queries that it may quote."""
    for secret in filter(None, secrets):
        text = text.replace(secret.reveal(), "...")
    return text
