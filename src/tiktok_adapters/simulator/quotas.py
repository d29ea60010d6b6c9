"""Quotas of a sliding minute. Source: https://developers.tiktok.com/doc/tiktok-api-v2-rate-limit.

What belongs here: counting calls. The caps on posts count posts, and are with the posts.
"""

import math
from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from tiktok_adapters.simulator.answers import Refused
from tiktok_adapters.simulator.switches import Switches

__all__ = ["PER_MINUTE", "Quotas"]

MINUTE: Final = timedelta(minutes=1)

PER_MINUTE: Final[Mapping[str, int]] = {
    "user_info": 600,
    "video_list": 600,
    "video_query": 600,
    "creator_info": 20,
    "video_init": 6,
    "inbox_init": 6,
    "photo_init": 6,
    "status": 30,
    "data_add": 1000,
    "data_check": 1000,
    "data_cancel": 1000,
    "data_download": 1000,
}
"""Calls a minute, by operation; TikTok publishes no quota for the others."""

_INITS: Final = frozenset({"video_init", "inbox_init", "photo_init"})
_LIBRARY: Final = frozenset({"user_info", "video_list", "video_query"})


class Quotas:
    """The calls of the last minute in each bucket."""

    def __init__(self) -> None:
        self._calls: dict[tuple[str, str], deque[datetime]] = {}

    def spend(self, operation: str, *, token: str, app: str, now: datetime, switches: Switches) -> None:
        """Count one call. A refused one does not count.

        Raises:
            Refused: the bucket has used up its calls for this minute.
        """
        limit = switches.cancel_per_minute if operation == "cancel" else PER_MINUTE.get(operation)
        if limit is None:
            return
        name = "init" if operation in _INITS and switches.init_buckets == "shared" else operation
        whose = app if operation in _LIBRARY and switches.library_quota == "app" else token
        calls = self._calls.setdefault((name, whose), deque())
        while calls and calls[0] <= now - MINUTE:
            calls.popleft()
        if len(calls) >= limit:
            wait = (calls[0] + MINUTE - now).total_seconds() if calls else MINUTE.total_seconds()
            raise Refused("rate_limit_exceeded", "Too many requests", retry_after=max(1, math.ceil(wait)))
        calls.append(now)
