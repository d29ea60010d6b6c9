"""Clocks: the machine's own, and a virtual one for tests.

What belongs here: the adapters of the `Clock` and `AsyncClock` ports. Nothing here keeps a deadline: flows do.
"""

import asyncio
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Final

__all__ = ["AsyncioClock", "ManualClock", "SystemClock"]

START: Final = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


class SystemClock:
    """The machine's clock; sleeping blocks the thread."""

    def now(self) -> datetime:
        """Return the time, aware, in UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float, /) -> None:
        """Block for `seconds`; zero or less returns at once."""
        if seconds > 0:
            time.sleep(seconds)


class AsyncioClock:
    """The machine's clock; sleeping lets the event loop go on."""

    def now(self) -> datetime:
        """Return the time, aware, in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float, /) -> None:
        """Wait for `seconds`; zero or less returns at once."""
        if seconds > 0:
            await asyncio.sleep(seconds)


class ManualClock:
    """A virtual clock: it stands still until somebody sleeps or moves it on. Threads may share it.

    It serves the blocking world; lifted, it serves the asynchronous one too, because its `sleep` never waits.

    Args:
        start: the time that it shows first, aware; a fixed day when none is given.

    Raises:
        ValueError: `start` is naive.
    """

    def __init__(self, start: datetime = START) -> None:
        self._lock = threading.Lock()
        self._now = _utc(start)
        self._naps: list[float] = []

    @property
    def naps(self) -> tuple[float, ...]:
        """Seconds of each `sleep` so far that was longer than zero, in order."""
        with self._lock:
            return tuple(self._naps)

    @property
    def slept(self) -> float:
        """Seconds slept in all; `advance` does not count."""
        return sum(self.naps)

    def now(self) -> datetime:
        """Return the virtual time, aware, in UTC."""
        with self._lock:
            return self._now

    def sleep(self, seconds: float, /) -> None:
        """Move on by `seconds` at once and record the nap; zero or less does nothing."""
        if seconds > 0:
            with self._lock:
                self._naps.append(seconds)
                self._now += timedelta(seconds=seconds)

    def advance(self, seconds: float, /) -> None:
        """Move on by `seconds`, as if the world had gone on meanwhile; a negative number sets the clock back."""
        with self._lock:
            self._now += timedelta(seconds=seconds)


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a clock needs an aware time to start with")
    return moment.astimezone(UTC)
