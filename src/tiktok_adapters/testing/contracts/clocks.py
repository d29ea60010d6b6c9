"""The contract of `Clock` and `AsyncClock`.

What belongs here: promises that hold for every clock, whether it is real, virtual, blocking or asynchronous.
"""

from datetime import timedelta

import pytest

from tiktok_adapters.testing.contracts import Contract, Run
from tiktok_core.ports import AsyncClock, Clock

__all__ = ["ClockContract"]

NAP = 0.02
SLACK = timedelta(milliseconds=5)
"""Seconds by which a real clock may wake too early, because the network may adjust it during the sleep."""


class ClockContract(Contract):
    """Bind it with the fixture `clock`."""

    @pytest.fixture
    def clock(self) -> Clock | AsyncClock:
        """Return the clock to test."""
        raise NotImplementedError("a binding defines the fixture `clock`")

    def test_the_time_is_aware_and_in_utc(self, clock: Clock | AsyncClock) -> None:
        """Times can be compared and stored without asking for a time zone."""
        assert clock.now().utcoffset() == timedelta(0)

    def test_sleeping_takes_its_time(self, clock: Clock | AsyncClock, run: Run) -> None:
        """After a sleep, at least that much time has passed."""
        before = clock.now()
        run(clock.sleep(NAP))
        assert clock.now() - before >= timedelta(seconds=NAP) - SLACK

    @pytest.mark.parametrize("seconds", [0, 0.0, -1, -1e9])
    def test_sleeping_for_nothing_returns(self, clock: Clock | AsyncClock, run: Run, seconds: float) -> None:
        """A wait of zero or less is no error. It ends at once, and does not set the clock back."""
        before = clock.now()
        assert run(clock.sleep(seconds)) is None
        assert clock.now() >= before

    def test_sleeping_gives_nothing_back(self, clock: Clock | AsyncClock, run: Run) -> None:
        """A sleep returns None, so that no caller can rely on a value that another clock does not return."""
        assert run(clock.sleep(NAP / 10)) is None
