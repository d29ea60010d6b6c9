"""Under which key a command posts: the one that a person chose, that of an earlier post which is meant, or the next of a row.

What belongs here: what the command line derives a key from. Which earlier post is meant is a rule of the core.
"""

import hashlib
import secrets
from datetime import UTC, datetime

from attrs import fields, frozen

from tiktok_adapters.cli.common import now, recorded, say
from tiktok_adapters.cli.output import DERIVED
from tiktok_core import Account, PhotoPost, Stage, VideoPost, Wish
from tiktok_core.domain.derived_keys import SAME, is_meant
from tiktok_core.domain.names import is_url

__all__ = ["chosen_key"]


def chosen_key(
    account: Account, key: str | None, wish: Wish, *, again: bool, at: datetime | None = None
) -> tuple[str, datetime | None]:
    """Return the key to post under: the given one, a derived one, or a random one if `again` asks for a separate post.

    With it comes the time at which an earlier command asked for the post of this key; None if this command makes it. A derived key
    is the same while the earlier post goes on and for 60 minutes after it has ended well, so that a command that a person repeats
    because it seemed to hang, or that a script repeats, makes no second post.

    Args:
        account: whose post it is.
        key: the key that a person chose; None for a derived one.
        wish: what is asked for.
        again: whether a separate post is wanted.
        at: the time that was asked for; None for now.
    """
    if key is None and again:
        return secrets.token_hex(12), None
    named = (
        key
        if key is not None
        else _of_the_same_url(account, wish, at) or account.derived_key(_prefix(account, wish, at))
    )
    record = recorded(account, named)
    if record is None or record.key != named or record.stage is Stage.ABANDONED:
        return named, None
    if key is None:
        since = f"{record.created_at:%Y-%m-%d %H:%M} UTC"
        how = "this is how it ended" if record.is_ended else "continuing it"
        say(f"You asked for the same post before, at {since}: {how}, post {named}; use --again to make another one.")
    return named, record.created_at


def _prefix(account: Account, wish: Wish, at: datetime | None) -> str:
    """Return how the derived keys of a wish begin. The spelling is that of every release: another one would post once more."""
    media = () if isinstance(wish.post, PhotoPost) else (wish.fingerprint or (wish.name and wish.name.reveal()),)
    time = () if at is None else (at.astimezone(UTC).isoformat(),)
    named = (account.open_id, *media, Spelled(wish.post), *time)
    return DERIVED + hashlib.sha256(repr(named).encode("utf-8", "surrogatepass")).hexdigest()[:16]


@frozen(repr=False)
class Spelled:
    """A post that shows every setting, with the queries of URLs, which a post itself does not show."""

    post: VideoPost | PhotoPost

    def __repr__(self) -> str:
        values = ", ".join(f"{one.name}={getattr(self.post, one.name)!r}" for one in fields(type(self.post)))
        return f"{type(self.post).__name__}({values})"


def _of_the_same_url(account: Account, wish: Wish, at: datetime | None) -> str | None:
    """Return the key of an earlier post of what lies at the same URL, pulled or uploaded, under any query; None if there is none.

    TikTok pulls it, or the library uploads it, with or without an option: the digest of the command alone cannot tell that both
    are one wish.
    """
    if wish.video is None or not is_url(wish.video):
        return None
    recent = {one.key: one for one in (*account.unfinished(), *account.posts(since=now() - SAME))}
    meant = [
        one
        for one in recent.values()
        if one.key.startswith(DERIVED)
        and one.wish.video == wish.video
        and (None if one.schedule is None else one.schedule.not_before) == at
        and one.wish.is_same(wish)
        and is_meant(one, now())
    ]
    return max(meant, key=lambda one: one.created_at).key if meant else None
