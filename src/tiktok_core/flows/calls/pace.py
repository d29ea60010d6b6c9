"""Keeping to limits while calls are made: TikTok's quotas, and a budget of repetitions for each account.

What belongs here: what one client remembers of its own calls. A pacer that several processes share is an adapter's.
"""

from collections import deque
from collections.abc import MutableMapping
from datetime import datetime, timedelta

from attrs import field, frozen

from tiktok_core.domain.pacing import MINUTE, Quota, pause_for
from tiktok_core.domain.retry import BUDGET, earned

__all__ = ["Budgets", "Cooldown", "OwnPacer", "Told", "quota_name"]


def quota_name(account: str, quota: Quota) -> str:
    """Return what an account's quota is known by within a client."""
    return f"{account}\n{quota.name}"


@frozen
class OwnPacer:
    """When the latest calls of this client were made.

    Threads may share it: at worst a call too many slips through, which TikTok refuses and `exchange` repeats.
    """

    _calls: MutableMapping[str, deque[datetime]] = field(factory=dict, repr=False)

    async def pause(self, name: str, /, *, limit: int, now: datetime) -> float:
        """Return the seconds to wait before one more call; when none, it counts as made now."""
        calls = self._calls.setdefault(name, deque(maxlen=limit))
        pause = pause_for(calls, limit, now)
        if pause == 0.0:
            calls.append(now)
        return pause

    async def close(self) -> None:
        """Forget everything."""
        self._calls.clear()


@frozen
class Cooldown:
    """Until when TikTok has asked for no more calls, although our own count allows one: other programs use the same quota.

    A minute at most, because TikTok counts by the minute; if it asks for longer, the next call is refused and says so again.
    """

    _until: MutableMapping[str, datetime] = field(factory=dict, repr=False)

    def ask(self, name: str, now: datetime, seconds: float) -> None:
        """Note that no call shall be made under this name for so long."""
        self._until[name] = now + min(timedelta(seconds=seconds), MINUTE)

    def over(self, name: str) -> None:
        """Note that a call has waited until the end of it."""
        self._until.pop(name, None)

    def pause(self, name: str, now: datetime) -> float:
        """Return the seconds to wait; none where the clock has gone back since."""
        left = self._until.get(name, now) - now
        return left.total_seconds() if timedelta(0) < left <= MINUTE else 0.0


@frozen
class Told:
    """When a warning was last given under a name, so that of many calls that wait for the same not each gives it."""

    _tickets: MutableMapping[str, list[datetime | None]] = field(factory=dict, repr=False)

    def is_due(self, name: str, now: datetime) -> bool:
        """Whether the warning was not given in the last minute; then it counts as given now."""
        # One ticket for each name, with the time of the latest warning: of threads that come at once one gets it, and the
        # others need not warn. A time that lies a little ahead is that of a thread that has read the clock later, and one that
        # lies far ahead is from before the clock went back.
        ticket = self._tickets.setdefault(name, [None])
        try:
            given = ticket.pop()
        except IndexError:
            return False
        is_due = given is None or abs(now - given) >= MINUTE
        ticket.append(now if is_due else given)
        return is_due


@frozen
class Budgets:
    """How many repetitions each account has left, so that an outage is not met with a multiple of the calls."""

    _left: MutableMapping[str, float] = field(factory=dict, repr=False)

    def spend(self, account: str) -> bool:
        """Take one repetition; False when none is left."""
        left = self._left.get(account, BUDGET)
        if left < 1:
            return False
        self._left[account] = left - 1
        return True

    def earn(self, account: str, *, repeated: int) -> None:
        """Give back what an answered call took, and a little more."""
        left = self._left.get(account)
        if left is not None:
            self._left[account] = earned(left, repeated)
