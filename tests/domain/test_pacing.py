"""Keeping to a quota: no minute has too many calls, and no call waits longer than it has to."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tiktok_core.domain.pacing import Quota, pause_for

START = datetime(2026, 3, 1, tzinfo=UTC)


@given(st.sampled_from(Quota), st.lists(st.floats(0, 40), max_size=80))
def test_no_minute_has_more_calls_than_the_quota(quota: Quota, gaps: list[float]) -> None:
    """Whenever calls are wanted, each made as soon as it may be: any minute holds at most the quota, and none waits idly."""
    now, made = START, list[datetime]()
    for gap in gaps:
        now += timedelta(seconds=gap)
        pause = pause_for(made, quota, now)
        assert 0 <= pause <= 60
        if pause:
            within = [call for call in made if call > now - timedelta(minutes=1)]
            assert len(within) >= quota.value
        now += timedelta(seconds=pause)
        made.append(now)
    for index, call in enumerate(made[quota.value :]):
        assert call - made[index] >= timedelta(minutes=1) - timedelta(microseconds=2)
