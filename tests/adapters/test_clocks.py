"""What the virtual clock promises beyond the contract of its port."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import pytest

from tiktok_adapters.clocks import ManualClock

START = datetime(2026, 5, 1, 12, tzinfo=UTC)


def test_a_manual_clock_stands_still() -> None:
    """No time passes by itself."""
    clock = ManualClock(START)
    assert clock.now() == clock.now() == START


def test_sleeping_moves_a_manual_clock_and_is_recorded() -> None:
    """A sleep returns at once, and a test can assert it afterwards."""
    clock = ManualClock(START)
    for seconds in (1, 0.5, 0, -3, 3600):
        clock.sleep(seconds)
    assert clock.now() == START + timedelta(seconds=3601.5)
    assert clock.naps == (1, 0.5, 3600)
    assert clock.slept == 3601.5


def test_advancing_a_manual_clock_is_not_a_nap() -> None:
    """Time may pass, or the clock be set back, without a sleep."""
    clock = ManualClock(START)
    clock.advance(10)
    clock.advance(-20)
    assert clock.now() == START - timedelta(seconds=10)
    assert clock.naps == ()


def test_a_manual_clock_shows_utc() -> None:
    """A start in another zone is the same moment in UTC; the clock refuses one without a zone."""
    tokyo = timezone(timedelta(hours=9))
    assert ManualClock(START.astimezone(tokyo)).now().utcoffset() == timedelta(0)
    with pytest.raises(ValueError, match="aware"):
        ManualClock(START.replace(tzinfo=None))


def test_threads_may_share_a_manual_clock() -> None:
    """No sleep is lost when many threads sleep at once."""
    clock = ManualClock(START)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(clock.sleep, [1] * 800))
    assert clock.now() == START + timedelta(seconds=800)
    assert len(clock.naps) == 800
