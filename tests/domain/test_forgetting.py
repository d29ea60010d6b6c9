"""When a journal forgets and what stays: the rule against wrong clocks, and the trace of a post."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from tiktok_core.domain.forgetting import Forgetting, Trace, forgetting, lasting, name_digest, name_parts, trace_of
from tiktok_core.domain.journal import ENDS, KEEP, Record, Stage, Wish
from tiktok_core.domain.posts import VideoPost
from tiktok_core.domain.publishing import Publication

DAY = timedelta(days=1)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
times = st.datetimes(timezones=st.just(UTC))
traces = st.builds(Trace, digest=st.just("d"), end=st.sampled_from([None, *ENDS]), publish_id=st.none() | st.text())


@given(st.lists(times, max_size=20), st.timedeltas(timedelta(0), KEEP * 2))
def test_no_single_look_at_a_clock_decides_what_is_forgotten(looks: list[datetime], keep: timedelta) -> None:
    """A time counts if an earlier look showed it, a look a day later confirms it, and no look between them was earlier."""
    seen = None
    for number, now in enumerate(looks):
        due = forgetting(seen, now, keep)
        if due is None:
            continue
        if due.before is not None:
            first = max(index for index in range(number) if looks[index] == seen)
            assert now - looks[first] >= DAY
            assert all(look >= looks[first] for look in looks[first:number])
            assert due.before == max(looks[first], datetime.min.replace(tzinfo=UTC) + keep) - keep
        seen = due.seen
        assert seen == now


@given(st.lists(times, max_size=10), times.filter(lambda at: at.year < 9_000))
def test_a_clock_that_is_set_right_is_believed_after_a_day(looks: list[datetime], now: datetime) -> None:
    """Whatever the clock showed before, a wrong time does not keep old records for ever."""
    seen = None
    for look in [*looks, now]:
        due = forgetting(seen, look, KEEP)
        seen = due.seen if due is not None else seen
    assert seen is not None
    due = forgetting(seen, now + DAY, KEEP)
    assert due is not None
    assert due.before is not None
    # Before the latest right look, and no more than a day before it.
    later = forgetting(due.seen, now + DAY * 2, timedelta(0))
    assert later is not None
    assert later.before == now + DAY


def test_a_clock_at_the_beginning_of_time_forgets_nothing_and_raises_nothing() -> None:
    """The time before which records go cannot lie before the first moment that there is."""
    first = datetime.min.replace(tzinfo=UTC)
    due = forgetting(first + DAY, first + 2 * DAY, KEEP)
    assert due == Forgetting(first + 2 * DAY, first)


@given(st.timedeltas(timedelta(0), DAY - timedelta(microseconds=1)))
def test_most_looks_write_nothing(later: timedelta) -> None:
    """Within a day of the remembered time there is nothing to do."""
    assert forgetting(NOW, NOW + later, KEEP) is None


@given(traces, traces)
def test_the_trace_of_a_post_outlives_all_others(older: Trace, newer: Trace) -> None:
    """Less never replaces the fact that TikTok has a post, or may have one. Of two equal traces the first stays."""
    kept = lasting(older, newer)
    assert kept in (older, newer)
    assert lasting(None, newer) == newer
    if Stage.COMPLETE in (older.end, newer.end):
        assert kept.end is Stage.COMPLETE
    if kept.end is Stage.ABANDONED:
        assert older.end is newer.end is Stage.ABANDONED
    if older.end is newer.end:
        assert kept == older


@pytest.mark.parametrize("stage", ENDS)
def test_a_trace_says_how_a_post_ended_and_names_nobody(stage: Stage) -> None:
    """It has digest, end, publish id and TikTok's reason, and no key, account, app or title."""
    told = Publication(publish_id="p-1", status="FAILED", fail_reason="internal")
    record = Record(
        key="my-key",
        app="my-app",
        account="my-account",
        wish=Wish(post=VideoPost(title="my-title")),
        stage=stage,
        created_at=NOW,
        updated_at=NOW,
        publish_id="p-1",
        last=told if stage is Stage.FAILED else evolve(told, status="PUBLISH_COMPLETE", fail_reason=""),
    )
    trace = trace_of(record)
    assert trace.digest == name_digest(record.name) == hashlib.sha256(b"my-app\nmy-account\nmy-key").hexdigest()
    assert "my-" not in repr(trace)
    shown = trace.shown("my-key")
    assert shown.status == (record.shown.status if record.last and stage is Stage.FAILED else shown.status)
    assert (shown.key, shown.publish_id, shown.is_final) == ("my-key", "p-1", True)
    assert shown.fail_reason == ("internal" if stage is Stage.FAILED else "")


def test_a_trace_without_an_end_shows_nothing() -> None:
    """The outcome of an unreadable record is unknown."""
    with pytest.raises(ValueError, match="not known"):
        Trace(digest="d", end=None).shown("key")


@pytest.mark.parametrize(
    ("name", "parts"), [("a\nb\nc", ("a", "b", "c")), ("a\nb", ("a", "b", "")), ("\x00", ("\x00", "", ""))]
)
def test_a_name_has_three_parts(name: str, parts: tuple[str, str, str]) -> None:
    """The parts are app, account and key. In a damaged name, missing parts are empty."""
    assert name_parts(name) == parts
