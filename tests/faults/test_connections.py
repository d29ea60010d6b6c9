"""Rows 1 to 3: connections that are refused, or reset before, within and after a request."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from example_counts import at_most
from tiktok_core import Interrupted, NotSent, OutcomeUnknown


def test_row_01_a_refused_connection_is_tried_again_and_told(bench: Any, operation: Any) -> None:
    """TikTok gets nothing of any call. After the repetitions the error says so, and nothing is in doubt."""
    bench.way.alone = True
    bench.when(operation, bench.front.refuse)
    already = bench.sim.count(operation.where)
    end = bench.outcome(operation.ask)
    assert type(end) is NotSent
    assert bench.sim.count(operation.where) - already == operation.nth - 1
    sends = bench.way.sent.count(operation.where)
    if operation.where == "put":
        # Each step also asks for the offset, until the account's budget of repetitions is spent.
        assert 6 <= sends - (operation.nth - 1) <= 18
    elif operation.name.startswith("init"):
        # Before another init the client asks for the creator again, and this question does not arrive either.
        assert (sends, bench.way.sent.count("creator_info")) == (1, 4)
        assert bench.clock.naps == pytest.approx([0.5, 0.5, 1.0])
    else:
        assert sends == (2 if operation.name == "refresh" else 3)
        assert bench.clock.naps == pytest.approx([0.5, 1.0][: sends - 1])
    assert [post for post in bench.sim.posts if post.urls] == []


def test_row_01_what_was_refused_once_is_done_once(bench: Any, operation: Any) -> None:
    """When the server is back after the first pause, TikTok gets the request once and the call succeeds."""
    bench.way.alone = True
    bench.when(operation, bench.front.refuse)
    sleep = bench.clock.sleep

    def back_again(seconds: float, /) -> None:
        sleep(seconds)
        bench.front.listen()

    bench.clock.sleep = back_again
    end = bench.outcome(operation.ask)
    assert not isinstance(end, Exception), repr(end)
    assert bench.way.sent.count(operation.where) == (3 if operation.where == "put" else 2)
    assert bench.sim.arrived.count(operation.where) == (2 if operation.where == "put" else 1)
    bench.check_posts()


@pytest.mark.parametrize("bytes_passed", [0, 60])
def test_row_02_a_reset_within_the_request_is_a_doubt(bench: Any, operation: Any, bytes_passed: int) -> None:
    """TikTok never has the whole request. The client repeats once what cannot publish, and nothing else."""
    bench.when(operation, lambda: bench.front.on_request(1, f"reset-request:{bytes_passed}"))
    end = bench.check(operation, operation.cut, handled=operation.cut.sends - 1)
    assert [fault.what for fault in bench.front.struck] == ["reset-request"]
    if isinstance(end, Exception):
        assert isinstance(end, Interrupted) or isinstance(end.__cause__, Interrupted)


@pytest.mark.parametrize("bytes_passed", [0, 60])
def test_row_02_a_reset_instead_of_the_answer_is_a_doubt(bench: Any, operation: Any, bytes_passed: int) -> None:
    """TikTok has handled the request. The client repeats it only where that does no harm, and never posts twice."""
    bench.when(operation, lambda: bench.front.on_request(1, f"reset-answer:{bytes_passed}"))
    bench.check(operation, operation.lost)
    assert [fault.what for fault in bench.front.struck] == ["reset-answer"]


def test_row_02_resets_without_end_are_told(bench: Any, operation: Any) -> None:
    """No answer comes at all. The attempts of each operation are bounded, and the error is the last doubt."""

    def again() -> None:
        bench.front.on_request(1, "reset-request:60")
        bench.way.when(operation.where, again)

    bench.when(operation, again)
    end = bench.outcome(operation.ask)
    assert type(end) is (OutcomeUnknown if operation.is_pull else Interrupted)
    assert bench.way.sent.count(operation.where) == operation.never + operation.nth - 1
    bench.check_posts()


CHUNK = 5_242_880
LAST = CHUNK + 77 + 8
"""Bytes of the film's chunks."""


@pytest.mark.parametrize("kept", ["discard", "keep"])
@pytest.mark.parametrize(
    ("nth", "passed"),
    [(nth, passed) for nth, size in ((1, CHUNK), (2, LAST)) for passed in (0, 1, size // 2, size - 1)],
)
def test_row_03_a_chunk_that_breaks_off_is_gone_on_with(bench: Any, nth: int, passed: int, kept: str) -> None:
    """The reset comes after no byte, one byte, half, or all but one.

    TikTok has each byte of the file once, and the progress only grows.
    """
    bench.sim.switches.partial_bytes = kept
    bench.way.when("put", lambda: bench.front.on_request(1, f"reset-body:{passed}"), nth=nth)
    bench.post_film()
    assert [str(fault) for fault in bench.front.struck] == [f"reset-body:{passed}"]


@pytest.mark.parametrize("transport", ["urllib3", "aiohttp"])
@settings(max_examples=at_most(20), suppress_health_check=list(HealthCheck))
@given(
    cuts=st.lists(st.tuples(st.integers(1, 4), st.integers(0, LAST)), max_size=4, unique_by=lambda cut: cut[0]),
    kept=st.sampled_from(["discard", "keep"]),
    header=st.sampled_from(["count", "last"]),
)
def test_row_03_chunks_that_break_off_anywhere_are_gone_on_with(
    open_bench: Any, transport: str, cuts: list[tuple[int, int]], kept: str, header: str
) -> None:
    """Connections may fail at any places. If the failures end, TikTok has the whole film."""
    with open_bench(transport) as bench:
        bench.sim.switches.partial_bytes, bench.sim.switches.progress_header = kept, header
        for nth, passed in cuts:
            fault = f"reset-body:{passed}"
            bench.way.when("put", lambda fault=fault: bench.front.on_request(1, fault), nth=nth)
        bench.post_film()
