"""TikTok's quotas, how long to wait so that one's own calls do not run into them, and what to warn of before they end.

Sources: developers.tiktok.com/doc/tiktok-api-v2-rate-limit and the page of each endpoint. Whether the three inits share one
quota is not said, so they are kept as if they did. What a creator may post in a day is shared by all apps, and only a refusal says
that it is used up, so of that there are warnings only.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from tiktok_core.domain.journal import Record, Stage

__all__ = ["DAILY_POSTS", "DAY", "MINUTE", "PENDING_SHARES", "Quota", "pause_for", "quota_warning"]

MINUTE: Final = timedelta(minutes=1)
DAY: Final = timedelta(days=1)
PENDING_SHARES: Final = 5
"""Drafts that may wait in a creator's inbox within 24 hours."""
DAILY_POSTS: Final = 15
"""About what a creator may post in 24 hours, by all apps together."""


class Quota(Enum):
    """Calls a minute for one token."""

    CREATOR_INFO = 20
    INIT = 6
    STATUS = 30
    PORTABILITY = 1000

    @property
    def calls(self) -> str:
        """The calls, in words, for a sentence that says how many of them TikTok takes."""
        return CALLS[self]


CALLS: Final = {
    Quota.CREATOR_INFO: "questions for the creator info",
    Quota.INIT: "new posts",
    Quota.STATUS: "questions for the status of posts",
    Quota.PORTABILITY: "calls about copies of data",
}


def pause_for(calls: Sequence[datetime], limit: int, now: datetime) -> float:
    """Return the seconds to wait before another call, so that no minute has more than `limit` of them.

    Args:
        calls: when the latest calls were made, oldest first. One that lies ahead of `now` was made before the clock went
            back, and counts for nothing.
        limit: how many calls a minute may have.
        now: the time.
    """
    recent = [at for at in calls if now - MINUTE < at <= now]
    if len(recent) < limit:
        return 0.0
    # What matters is the call that would share a minute with the new one as the first too many.
    return (recent[-limit] + MINUTE - now).total_seconds()


def quota_warning(records: Iterable[Record], fresh: Record) -> str | None:
    """Return what to tell before a post begins when TikTok may refuse it, for the creator has had a day's share.

    Args:
        records: the account's records.
        fresh: the one that is about to begin.
    """
    since = fresh.created_at - DAY
    is_draft = fresh.wish.post.draft
    # A draft whose bytes never came waits, too, until TikTok gives it up.
    count = 1 + sum(
        record.publish_id is not None
        and (record.init_at or record.created_at) > since
        and record.wish.post.draft == is_draft
        and record.stage is not Stage.FAILED
        for record in records
    )
    if is_draft and count > PENDING_SHARES:
        return (
            f"This is draft {count} of 24 hours, and TikTok lets {PENDING_SHARES} of a creator wait: if it refuses, "
            "finish or delete one in the app, or wait a day"
        )
    if not is_draft and count > DAILY_POSTS:
        return (
            f"This is post {count} of 24 hours, and TikTok takes about {DAILY_POSTS} of a creator, from all apps together: "
            "if it refuses, wait a day, or post in the app"
        )
    return None
