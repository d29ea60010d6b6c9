"""Keeping to TikTok's quotas: a call that would be one too many is delayed, said so, and never refused.

The calls are remembered by this client alone. Threads may share it: at worst a call too many slips through, which TikTok
refuses and `exchange` repeats.
"""

from collections import deque
from datetime import datetime

from attrs import field, frozen

from tiktok_core.domain.pacing import Quota, pause_for

__all__ = ["Pacer"]


@frozen
class Pacer:
    """When the latest calls of each account were made."""

    _calls: dict[tuple[str, Quota], deque[datetime]] = field(factory=dict, repr=False)

    def pause(self, account: str, quota: Quota, now: datetime) -> float:
        """Return the seconds to wait before this call; when none, it counts as made now."""
        calls = self._calls.setdefault((account, quota), deque(maxlen=quota.value))
        pause = pause_for(calls, quota, now)
        if pause == 0.0:
            calls.append(now)
        return pause
