"""Clocks that a PostgreSQL server sets, so that all machines that share it have the same time.

What belongs here: the adapters of `Clock` and `AsyncClock` over a server. Between two readings a clock goes on by what the operating
system counts since it was started, so a jump of the machine's own clock changes nothing.
"""

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final

from attrs import frozen

from tiktok_adapters.stores.postgres import sql
from tiktok_adapters.stores.postgres.server import Server
from tiktok_adapters.stores.stored import moment
from tiktok_core.errors import StoreError
from tiktok_core.lifting import drive

__all__ = ["AsyncPostgresClock", "PostgresClock", "Reading", "read", "steady"]

EVERY: Final = 60.0
"""Seconds after which the server is asked again."""


def steady() -> float:
    """Return seconds since some moment. Nobody sets this clock, and on Linux it goes on while the machine sleeps."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


@frozen
class Reading:
    """What the server's clock said.

    Attributes:
        at: the moment, by `steady`.
        time: the server's time at that moment.
        error: seconds by which both may be apart.
    """

    at: float
    time: datetime
    error: float


async def read(server: Server, now: Callable[[], float] = steady) -> Reading:
    """Return the better of two readings: the first one may have waited for a connection.

    Raises:
        StoreError: the server cannot be reached.
    """
    found: list[Reading] = []
    for _ in range(2):
        start = now()
        ((lying,),) = await server.rows(sql.CLOCK, {})
        end = now()
        found.append(Reading((start + end) / 2, moment(lying), (end - start) / 2))
    return min(found, key=lambda reading: reading.error)


class _Clock:
    """A clock over readings: the first one at the first look, the others in the background.

    Args:
        server: the server, for all readings but the first.
        first: makes the first reading. It blocks.
        now: the steady clock.
    """

    def __init__(self, server: Server, first: Callable[[], Reading], now: Callable[[], float] = steady) -> None:
        self._server = server
        self._first = first
        self._steady = now
        self._lock = threading.Lock()
        self._latest: Reading | None = None
        self._due = 0.0

    def now(self) -> datetime:
        """Return the server's time as an aware datetime in UTC.

        Raises:
            StoreError: the server cannot be reached at the first look. Later on the clock goes on without it.
        """
        with self._lock:
            if self._latest is None:
                self._latest, self._due = self._first(), self._steady() + EVERY
            elif self._steady() >= self._due:
                self._due = self._steady() + EVERY
                self._begin(self._read())
            reading = self._latest
        return reading.time + timedelta(seconds=self._steady() - reading.at)

    async def _read(self) -> None:
        # A server that cannot be reached, or is closed: the clock goes on by the reading that it has.
        with suppress(StoreError):
            self._latest = await read(self._server, self._steady)

    _begin: Callable[[Coroutine[Any, Any, None]], None]
    """Does some work in the background."""


class PostgresClock(_Clock):
    """The server's clock. `sleep` blocks the thread."""

    def sleep(self, seconds: float, /) -> None:
        """Block for `seconds`. With zero or less, return at once."""
        if seconds > 0:
            time.sleep(seconds)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        threading.Thread(target=drive, args=(work,), name="tiktok-clock", daemon=True).start()


class AsyncPostgresClock(_Clock):
    """The server's clock. `sleep` lets the event loop run other tasks. The first look blocks the loop for some milliseconds."""

    _task: "asyncio.Task[None] | None" = None

    async def sleep(self, seconds: float, /) -> None:
        """Wait for `seconds`. With zero or less, return at once."""
        if seconds > 0:
            await asyncio.sleep(seconds)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            self._task = asyncio.get_running_loop().create_task(work)
        except RuntimeError:  # Somebody looks at the clock outside of the event loop, which is asked at the next look.
            work.close()
