"""How long something has taken, although the clock may be set meanwhile, or the machine suspended.

What belongs here: the measure of patience and deadlines within a process. Comparing readings of the clock is for what is
stored, and read by others or later.

Its tests: `tests/faults/test_clock.py`.
"""

from collections.abc import Callable
from datetime import datetime

from attrs import define, field

from tiktok_core.ports import AsyncClock

__all__ = ["Stopwatch"]


@define
class Stopwatch:
    """Counts the seconds from its making.

    Attributes:
        seconds: how many there were at the latest look.
    """

    _clock: AsyncClock
    seconds: float = 0.0
    _seen: datetime = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._seen = self._clock.now()

    def look(self, most: float) -> float:
        """Return the seconds by now; since the latest look, 0 to `most` seconds count, even if the clock says another figure."""
        return self._add(lambda gone: min(max(gone, 0.0), most))

    def slept(self, seconds: float) -> float:
        """Return the seconds by now, after a sleep of so many: those it were, though the clock may have been set back."""
        return self._add(lambda _gone: seconds)

    def since(self) -> float:
        """Return the seconds since the latest look, however many; none where the clock was set back. It counts as no look."""
        return max((self._clock.now() - self._seen).total_seconds(), 0.0)

    def _add(self, count: Callable[[float], float]) -> float:
        now = self._clock.now()
        self.seconds += count((now - self._seen).total_seconds())
        self._seen = now
        return self.seconds
