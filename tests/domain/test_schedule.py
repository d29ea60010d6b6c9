"""When a post may be begun: what is wrong with a wished time, and the table of who may begin what when."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from tiktok_core import InvalidInput, InvalidPost, PhotoPost, ReleaseRequired, Schedule, Stage, Wish
from tiktok_core.domain.beginning import after_release, needs_release, not_yet
from tiktok_core.domain.journal import Record
from tiktok_core.domain.schedule import FURTHEST, USUAL_LATENESS, schedule, schedule_problems

NOW: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR: Final = timedelta(hours=1)
TICK: Final = timedelta(microseconds=1)
AT: Final = Schedule(not_before=NOW, not_after=NOW + HOUR)
RECORD: Final = Record(
    key="k", app="a", account="o", wish=Wish(post=PhotoPost(photo_images=())), created_at=NOW, updated_at=NOW
)


def test_a_time_is_kept_in_utc_with_its_zone() -> None:
    """The moment is that of the person's zone, and the zone's name is kept where it has one."""
    at = datetime(2026, 12, 24, 18, tzinfo=ZoneInfo("Europe/Berlin"))
    found = schedule(at, None)
    assert found == Schedule(
        not_before=datetime(2026, 12, 24, 17, tzinfo=UTC),
        not_after=datetime(2026, 12, 24, 18, tzinfo=UTC),
        zone="Europe/Berlin",
    )
    assert found is not None
    assert found.not_before.tzinfo is UTC
    offset = schedule(at.astimezone(timezone(HOUR)), at + timedelta(days=2))
    assert offset is not None
    assert (offset.zone, offset.not_after - offset.not_before) == ("", timedelta(days=2))
    assert schedule(None, None) is None


@pytest.mark.parametrize(
    ("times", "fields"),
    [
        ((NOW.replace(tzinfo=None), None), ["not_before"]),
        ((NOW.replace(tzinfo=None), NOW.replace(tzinfo=None)), ["not_before", "not_after"]),
        ((NOW, NOW.replace(tzinfo=None)), ["not_after"]),
        ((None, NOW), ["not_after"]),
        ((NOW, NOW), ["not_after"]),
        ((NOW, NOW - TICK), ["not_after"]),
    ],
)
def test_times_that_mean_nothing_are_refused(times: tuple[Any, Any], fields: list[str]) -> None:
    """A time without a zone may be any of 24, and nothing lies between two times that contradict each other."""
    with pytest.raises(InvalidPost) as caught:
        schedule(*times)
    assert [problem.field for problem in caught.value.problems] == fields


@given(st.datetimes(timezones=st.just(UTC)))
def test_any_time_has_a_schedule_or_is_refused(at: datetime) -> None:
    """Also the first and the last time that there is. What is over or more than 90 days ahead is refused, and nothing else."""
    found = schedule(at, None)
    assert found is not None
    assert found.not_before <= found.not_after <= found.not_before + USUAL_LATENESS or at > NOW + FURTHEST
    assert bool(schedule_problems(found, NOW)) is not (NOW <= at <= NOW + FURTHEST)


def test_no_time_has_no_problem() -> None:
    """A post without a time may be begun at once."""
    assert schedule_problems(None, NOW) == ()


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("is_held", [False, True])
@pytest.mark.parametrize("away", [-HOUR, -TICK, timedelta(0), HOUR, HOUR + TICK, None])
def test_only_what_is_free_and_in_time_is_begun(stage: Stage, is_held: bool, away: timedelta | None) -> None:
    """Before its time a post waits as long as that takes. Held or late, it needs a person, but only until it was begun."""
    record = evolve(RECORD, stage=stage, is_held=is_held, schedule=None if away is None else AT)
    now = NOW + (away or timedelta(0))
    verdict, is_unbegun = not_yet(record, now), stage in (Stage.PLANNED, Stage.INIT_SENT)
    if is_unbegun and (is_held or (away is not None and away > HOUR)):
        assert verdict is not None
        assert isinstance(verdict.error, ReleaseRequired)
        assert ("held" if is_held else "2026-03-01 13:00:00 UTC") in str(verdict.error)
        assert needs_release(record, now)
    elif away is not None and away < timedelta(0):
        assert verdict is not None
        assert (verdict.again_in, verdict.error) == (-away.total_seconds(), None)
    else:
        assert verdict is None
    assert verdict is None or verdict.record == record


@pytest.mark.parametrize(
    ("is_held", "late"), [(True, timedelta(0)), (False, timedelta(days=3)), (True, timedelta(days=3))]
)
def test_what_a_person_releases_may_be_begun(is_held: bool, late: timedelta) -> None:
    """A held post keeps its time. A late one gets an hour from now."""
    record, now = evolve(RECORD, is_held=is_held, schedule=AT), NOW + HOUR + late
    verdict = after_release(record, now)
    assert verdict.error is None
    assert not_yet(verdict.record, now) is None
    assert verdict.record.schedule == (evolve(AT, not_after=now + HOUR) if late else AT)
    assert not verdict.record.is_held


def test_a_released_post_still_waits_for_its_time() -> None:
    """Releasing a held post does not begin it early."""
    verdict = after_release(evolve(RECORD, is_held=True, schedule=AT), NOW - HOUR)
    waits = not_yet(verdict.record, NOW - HOUR)
    assert waits is not None
    assert waits.again_in == HOUR.total_seconds()


@pytest.mark.parametrize(
    "record", [RECORD, evolve(RECORD, schedule=AT), evolve(RECORD, stage=Stage.COMPLETE, is_held=True)]
)
def test_what_waits_for_nobody_is_not_released(record: Record) -> None:
    """A person who releases it has mistaken it for another post, and hears so."""
    verdict = after_release(record, NOW)
    assert isinstance(verdict.error, InvalidInput)
    assert verdict.record == record
