"""TikTok's quotas per minute and token, and how long to wait so that one's own calls do not run into them.

Source: developers.tiktok.com/doc/tiktok-api-v2-rate-limit and the page of each endpoint. Whether the three inits share one
quota is not said, so they are kept as if they did.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import Enum

__all__ = ["MINUTE", "Quota", "pause_for"]

MINUTE = timedelta(minutes=1)


class Quota(Enum):
    """Calls a minute for one token."""

    CREATOR_INFO = 20
    INIT = 6
    STATUS = 30


def pause_for(calls: Sequence[datetime], quota: Quota, now: datetime) -> float:
    """Return the seconds to wait before another call, so that no minute has more of them than the quota.

    Args:
        calls: when the latest calls were made, oldest first.
        quota: what they count against.
        now: the time.
    """
    if len(calls) < quota.value:
        return 0.0
    # What matters is the call that would share a minute with the new one as the first too many.
    free_at = calls[-quota.value] + MINUTE
    return max(0.0, (free_at - now).total_seconds())
