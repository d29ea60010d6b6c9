"""Keeping to quotas: no minute has too many calls, no call waits longer than it has to, and a full day gives a warning."""

from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from tiktok_core.domain.journal import Record, Stage, Wish
from tiktok_core.domain.pacing import DAY, MINUTE, Quota, pause_for, quota_warning
from tiktok_core.domain.posts import VideoPost

START = datetime(2026, 3, 1, tzinfo=UTC)
DRAFT, DIRECT = VideoPost(draft=True), VideoPost(privacy_level="SELF_ONLY")


@given(st.sampled_from(Quota), st.lists(st.floats(0, 40), max_size=80))
def test_no_minute_has_more_calls_than_the_quota(quota: Quota, gaps: list[float]) -> None:
    """With calls at any times, each made as soon as it may be, no minute has more than the quota, and no call waits idly."""
    now, made = START, list[datetime]()
    for gap in gaps:
        now += timedelta(seconds=gap)
        pause = pause_for(made, quota.value, now)
        assert 0 <= pause <= 60
        if pause:
            within = [call for call in made if call > now - timedelta(minutes=1)]
            assert len(within) >= quota.value
        now += timedelta(seconds=pause)
        made.append(now)
    for index, call in enumerate(made[quota.value :]):
        assert call - made[index] >= timedelta(minutes=1) - timedelta(microseconds=2)


def test_each_quota_names_its_calls() -> None:
    """A person who waits is told for what."""
    assert len({quota.calls for quota in Quota}) == len(Quota)


@given(st.lists(st.integers(0, 4_000_000_000), max_size=40), st.integers(1, 30))
def test_no_wait_is_longer_than_a_minute_whatever_the_clock_did(calls: list[int], limit: int) -> None:
    """Calls in the future come from before the clock went back, and old ones no longer count."""
    known = [datetime.fromtimestamp(call, UTC) for call in sorted(calls)]
    assert 0 <= pause_for(known, limit, START) <= MINUTE.total_seconds()
    assert pause_for([START + timedelta(seconds=1)] * 40, limit, START) == 0


def made(
    post: VideoPost, number: int, ago: timedelta = timedelta(hours=1), stage: Stage = Stage.COMPLETE
) -> list[Record]:
    """Return records of posts whose init left so long ago."""
    return [
        Record(
            key=f"{stage} {index}", app="a", account="b", wish=Wish(post=post), stage=stage, publish_id="p",
            created_at=START - DAY * 3, updated_at=START, init_at=START - ago,
        )
        for index in range(number)
    ]  # fmt: skip


def fresh(post: VideoPost) -> Record:
    """Return the record of a post that is about to begin."""
    return Record(key="new", app="a", account="b", wish=Wish(post=post), created_at=START, updated_at=START)


@pytest.mark.parametrize(
    ("post", "share", "words"), [(DRAFT, 5, "draft 6 of 24 hours"), (DIRECT, 15, "post 16 of 24 hours")]
)
def test_one_more_than_a_days_share_is_told_of(post: VideoPost, share: int, words: str) -> None:
    """The last post that fits gives no warning. The next one's warning says how many there were and what to do."""
    assert quota_warning(made(post, share - 1), fresh(post)) is None
    warning = quota_warning(made(post, share), fresh(post))
    assert warning is not None
    assert words in warning
    assert "wait a day" in warning


@pytest.mark.parametrize("post", [DRAFT, DIRECT])
def test_what_takes_no_share_is_not_counted(post: VideoPost) -> None:
    """Older posts, failed ones, posts that TikTok never named, and posts of the other kind do not count."""
    other = DIRECT if post is DRAFT else DRAFT
    unnamed = [evolve(record, publish_id=None) for record in made(post, 20)]
    beside = [*made(post, 20, DAY), *made(post, 20, stage=Stage.FAILED), *unnamed, *made(other, 20)]
    assert quota_warning(beside, fresh(post)) is None
    full = 5 if post is DRAFT else 15
    assert quota_warning([*beside, *made(post, full, DAY - MINUTE)], fresh(post)) is not None
