"""How the derived keys of a wish begin: the same for the command line and the local page, so that both mean the same post.

What belongs here: the digest of a wish. Which earlier post is meant by a repeated wish is a rule of the core.
"""

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from attrs import fields, frozen

from tiktok_core import PhotoPost, Record, VideoPost, Wish
from tiktok_core.domain.derived_keys import is_meant
from tiktok_core.domain.names import is_url

__all__ = ["DERIVED", "Spelled", "key_of_the_same_url", "prefix_of"]

DERIVED: Final = "cli-"
"""The first letters of every derived key. The word is that of the first release: another one would post once more."""


def prefix_of(account: str, wish: Wish, at: datetime | None) -> str:
    """Return how the derived keys of a wish begin. The spelling is that of every release: another one would post once more.

    Args:
        account: the `open_id`.
        wish: what is asked for.
        at: the time that is asked for; None for now.
    """
    media = () if isinstance(wish.post, PhotoPost) else (wish.fingerprint or (wish.name and wish.name.reveal()),)
    time = () if at is None else (at.astimezone(UTC).isoformat(),)
    named = (account, *media, Spelled(wish.post), *time)
    return DERIVED + hashlib.sha256(repr(named).encode("utf-8", "surrogatepass")).hexdigest()[:16]


@frozen(repr=False)
class Spelled:
    """A post that shows every setting, with the queries of URLs, which a post itself does not show."""

    post: VideoPost | PhotoPost

    def __repr__(self) -> str:
        values = ", ".join(f"{one.name}={getattr(self.post, one.name)!r}" for one in fields(type(self.post)))
        return f"{type(self.post).__name__}({values})"


def key_of_the_same_url(wish: Wish, at: datetime | None, records: Iterable[Record], now: datetime) -> str | None:
    """Return the key of an earlier post of what lies at the same URL, pulled or uploaded, under any query; None if there is none.

    TikTok pulls it, or the library uploads it, with or without an option: the digest of the wish alone cannot tell that both are
    one wish.
    """
    if wish.video is None or not is_url(wish.video):
        return None
    meant = [
        one
        for one in records
        if one.key.startswith(DERIVED)
        and one.wish.video == wish.video
        and (None if one.schedule is None else one.schedule.not_before) == at
        and one.wish.is_same(wish)
        and is_meant(one, now)
    ]
    return max(meant, key=lambda one: one.created_at).key if meant else None
