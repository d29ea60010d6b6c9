"""Rows 7 and 8: HTTP statuses that report other trouble, or too many calls."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clips import PHOTOS
from tiktok_core import OutcomeUnknown, RateLimited, ServerError, Stage, StillProcessing, UploadError
from tiktok_core.ports import Response
from tiktok_core.wire.envelope import retry_after

TROUBLE = (408, 500, 502, 503, 504)
DATE = "Sun, 22 Nov 2026 12:00:00 GMT"


@pytest.mark.parametrize("status", TROUBLE)
def test_row_07_trouble_of_tiktoks_is_a_doubt(bench: Any, operation: Any, status: int) -> None:
    """TikTok reports it once and did not handle the request.

    The client asks again after half a second, unless it could publish twice.
    """
    bench.sim.says(operation.where, Response(status), nth=operation.nth)
    end = bench.check(operation, operation.cut, handled=operation.cut.sends)
    if operation.name == "code":
        assert isinstance(end, ServerError)
    assert bench.clock.naps == pytest.approx((0.5,) if operation.cut.sends > 1 else ())


@pytest.mark.parametrize("status", [408, 503])
def test_row_07_trouble_after_the_work_was_done_is_a_doubt(bench: Any, operation: Any, status: int) -> None:
    """TikTok handled the request and reported trouble. The client does the same, and nothing exists twice."""
    bench.sim.says(operation.where, lambda _request, handle: (handle(), Response(status))[1], nth=operation.nth)
    bench.check(operation, operation.lost)


@pytest.mark.parametrize("status", TROUBLE)
def test_row_07_trouble_without_end_is_told(bench: Any, operation: Any, status: int) -> None:
    """The attempts of each operation and the waits between them are bounded. The error has the status."""
    bench.sim.says(operation.where, Response(status), nth=operation.nth, times=99)
    end = bench.outcome(operation.ask)
    if operation.is_pull:
        assert isinstance(end, OutcomeUnknown)
    else:
        assert type(end) is (UploadError if operation.where == "put" else ServerError)
        assert end.status == status
    assert bench.way.sent.count(operation.where) == operation.never + operation.nth - 1
    waits = [0.5, 1.0, 2.0, 4.0, 8.0]
    assert list(bench.clock.naps) == pytest.approx(waits[: operation.never - 1])


SECONDS = {
    "seven": ({"Retry-After": "7"}, 7.0),
    "a date": ({"Retry-After": "Sun, 22 Nov 2026 12:00:15 GMT", "Date": DATE}, 15.0),
    "none": ({"Retry-After": "0"}, 0.0),
    "negative": ({"Retry-After": "-5"}, 60.0),
    "immense": ({"Retry-After": "1000000000000"}, 86_400.0),
    "garbage": ({"Retry-After": "soon"}, 60.0),
    "absent": ({}, 60.0),
}


@pytest.mark.parametrize(("headers", "seconds"), SECONDS.values(), ids=SECONDS)
def test_row_08_a_rate_limit_is_waited_out_or_told(
    bench: Any, operation: Any, headers: dict[str, str], seconds: float
) -> None:
    """The client waits as long as TikTok says, and a pull is not in doubt.

    If that exceeds the deadline, the error says how long to wait.
    """
    bench.sim.says(operation.where, Response(429, headers), nth=operation.nth)
    end = bench.outcome(operation.ask)
    # A renewal has to end before its lease does.
    if seconds < (20 if operation.name == "refresh" else 120):
        bench.check_end(end, None)
        assert bench.way.sent.count(operation.where) == (3 if operation.where == "put" else 2)
        assert bench.clock.naps == pytest.approx((max(0.5, seconds) if operation.where == "put" else seconds + 0.5,))
    else:
        assert isinstance(end, RateLimited)
        assert end.retry_after == seconds
        assert bench.clock.slept == 0
    bench.check_posts()


def test_row_08_a_post_that_was_told_to_wait_for_long_can_be_gone_on_with(bench: Any, step: Any) -> None:
    """The journal keeps the post where it is. Nothing was lost, and nothing is in doubt."""
    bench.sim.says(step.where, Response(429, {"Retry-After": "600"}), nth=step.nth)
    assert isinstance(bench.outcome(step.ask), RateLimited)
    (record,) = bench.journal.records()
    assert record.stage is (Stage.UPLOADING if step.where == "put" else Stage.PLANNED)
    bench.clock.advance(600)
    bench.check_end(bench.outcome(step.ask), None)
    bench.check_posts()


def test_row_08_a_rate_limit_while_following_is_waited_out(near: Any) -> None:
    """Asking for a post too early is no use. The second wait shows that the run knows the time to come again."""
    near.sim.says("status", Response(429, {"Retry-After": "110"}), times=2)
    assert near.post_film().is_final
    assert near.clock.naps == pytest.approx((1.0, 110.5, 110.0))


@pytest.mark.parametrize("by", ["run", "wait"])
def test_row_08_a_rate_limit_beyond_the_patience_ends_the_wait(near: Any, by: str) -> None:
    """The post continues at TikTok, and the error names it.

    The client does not sleep for a day, and does not ask before the time.
    """
    handed = near.outcome(lambda _: near.account.post_photos(PHOTOS, draft=True, key="wish", wait=False))
    near.sim.says("status", Response(429, {"Retry-After": "86400"}), times=99)
    follow = near.account.resume if by == "run" else near.account.wait
    end = near.outcome(lambda _: follow(handed.key if by == "run" else handed.publish_id))
    assert isinstance(end, StillProcessing)
    assert end.publish_id == handed.publish_id
    assert near.clock.slept < 2
    assert near.way.sent.count("status") == 1


@given(st.text(max_size=40), st.text(max_size=40))
def test_row_08_any_header_gives_a_bounded_wait(value: str, date: str) -> None:
    """No header makes the wait negative, endless, or an exception."""
    assert 0.0 <= retry_after({"retry-after": value, "date": date}) <= 86_400.0
