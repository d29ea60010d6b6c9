"""Under which key a command posts: the one that a person chose, that of an earlier post which is meant, or the next of a row.

What belongs here: how the command line finds an earlier post. What a key is derived from is in `assembly.derived`, and which earlier
post is meant is a rule of the core.
"""

import secrets
from datetime import datetime

from tiktok_adapters.assembly.derived import key_of_the_same_url, prefix_of
from tiktok_adapters.cli.common import now, recorded, say
from tiktok_core import Account, Stage, Wish
from tiktok_core.domain.derived_keys import SAME
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
        else _of_the_same_url(account, wish, at) or account.derived_key(prefix_of(account.open_id, wish, at))
    )
    record = recorded(account, named)
    if record is None or record.key != named or record.stage is Stage.ABANDONED:
        return named, None
    if key is None:
        since = f"{record.created_at:%Y-%m-%d %H:%M} UTC"
        how = "this is how it ended" if record.is_ended else "continuing it"
        say(f"You asked for the same post before, at {since}: {how}, post {named}; use --again to make another one.")
    return named, record.created_at


def _of_the_same_url(account: Account, wish: Wish, at: datetime | None) -> str | None:
    """Return the key of an earlier post of what lies at the same URL; None if there is none."""
    if wish.video is None or not is_url(wish.video):
        return None
    recent = {one.key: one for one in (*account.unfinished(), *account.posts(since=now() - SAME))}
    return key_of_the_same_url(wish, at, recent.values(), now())
