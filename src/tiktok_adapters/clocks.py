"""Clocks: the machine's clock, and a virtual one for tests.

What belongs here: the adapters of the `Clock` and `AsyncClock` ports. The flows keep deadlines, not the clocks.
"""

import asyncio
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Final

__all__ = ["AsyncioClock", "ManualClock", "SystemClock"]

START: Final = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


class SystemClock:
    """The machine's clock. `sleep` blocks the thread."""

    def now(self) -> datetime:
        """Return the current time as an aware datetime in UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float, /) -> None:
        """Block for `seconds`. With zero or less, return at once."""
        if seconds > 0:
            time.sleep(seconds)


class AsyncioClock:
    """The machine's clock. `sleep` lets the event loop run other tasks."""

    def now(self) -> datetime:
        """Return the current time as an aware datetime in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float, /) -> None:
        """Wait for `seconds`. With zero or less, return at once."""
        if seconds > 0:
            await asyncio.sleep(seconds)


class ManualClock:
    """A virtual clock: it stands still until `sleep` or `advance` moves it. Threads may share it.

    The blocking client uses it directly. The asynchronous client uses it lifted, because its `sleep` never waits.

    Args:
        start: the first time that it shows, aware. The default is a fixed day.

    Raises:
        ValueError: `start` is naive.
    """

    def __init__(self, start: datetime = START) -> None:
        self._lock = threading.Lock()
        self._now = _utc(start)
        self._naps: list[float] = []

    @property
    def naps(self) -> tuple[float, ...]:
        """The seconds of each `sleep` so far that was longer than zero, in order."""
        with self._lock:
            return tuple(self._naps)

    @property
    def slept(self) -> float:
        """The sum of all naps in seconds, without `advance`."""
        return sum(self.naps)

    def now(self) -> datetime:
        """Return the virtual time as an aware datetime in UTC."""
        with self._lock:
            return self._now

    def sleep(self, seconds: float, /) -> None:
        """Move the clock by `seconds` at once, and record the nap. With zero or less, do nothing."""
        if seconds > 0:
            with self._lock:
                self._naps.append(seconds)
                self._now += timedelta(seconds=seconds)

    def advance(self, seconds: float, /) -> None:
        """Move the clock by `seconds` without recording a nap. A negative number sets it back."""
        with self._lock:
            self._now += timedelta(seconds=seconds)


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("the start of a clock must be an aware datetime: give it a timezone")
    return moment.astimezone(UTC)
