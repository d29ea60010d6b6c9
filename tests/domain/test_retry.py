"""When the client makes a call again: by the kind of request, by what went wrong, and by the time that is left."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_core.domain.retry import Operation, RetryLimits, backoff, pause_before_retry
from tiktok_core.errors import (
    AccessTokenInvalid,
    ApiError,
    Interrupted,
    Misused,
    NotSent,
    PostingRefused,
    RateLimited,
    ServerError,
    SourceChanged,
    TikTokError,
    TimedOut,
    UnexpectedResponse,
)

SAFE = [Operation.READ, Operation.CANCEL, Operation.REFRESH, Operation.REVOKE, Operation.DOWNLOAD]
UNSAFE = [*(Operation.INIT_UPLOAD, Operation.INIT_PULL, Operation.SPEND_CODE, Operation.CHUNK, Operation.ADD_DATA)]
DOUBTFUL = [Interrupted("GET x", "y"), TimedOut("GET x", "y"), ServerError("internal_error", "", "", 500)]
FINAL = [
    ApiError("invalid_params"),
    AccessTokenInvalid("access_token_invalid"),
    PostingRefused("spam_risk"),
    SourceChanged(None, "x"),
    UnexpectedResponse("GET x", "y"),
]
operations = st.sampled_from(Operation)
numbers = st.floats(0, 1, exclude_max=True)


def again(operation: Operation, error: TikTokError, *, tried: int = 1, spent: float = 0.0, retries: int = 2) -> bool:
    """Return whether the client makes the call again."""
    limits = RetryLimits(retries=retries)
    return pause_before_retry(operation, error, tried=tried, spent=spent, limits=limits, jitter=0.5) is not None


@given(operations)
def test_what_was_not_sent_may_always_be_repeated(operation: Operation) -> None:
    """The request did not leave, so it cannot be done twice."""
    assert again(operation, NotSent("GET x", "y"))


@given(operations)
def test_a_misused_client_repeats_nothing(operation: Operation) -> None:
    """The request did not leave, and the next one would not either."""
    assert not again(operation, Misused("GET x", "the transport is closed"))


@pytest.mark.parametrize("error", DOUBTFUL)
def test_a_doubtful_call_is_repeated_only_where_that_is_harmless(error: TikTokError) -> None:
    """Reads, cancellations, renewals, revocations and downloads may be repeated. Requests that publish, spend or store may not."""
    assert [operation for operation in Operation if again(operation, error)] == SAFE
    assert not any(again(operation, error) for operation in UNSAFE)


@given(operations, st.sampled_from(FINAL))
def test_an_answer_is_an_answer(operation: Operation, error: TikTokError) -> None:
    """The client does not repeat a request that TikTok refused, or whose answer makes no sense."""
    assert not again(operation, error)


@given(operations, st.integers(0, 9), st.integers(1, 20))
def test_the_number_of_repetitions_is_kept(operation: Operation, retries: int, tried: int) -> None:
    """After so many repetitions the call ends."""
    assert again(operation, NotSent("GET x", "y"), tried=tried, retries=retries) == (tried <= retries)


@given(st.floats(0, 10**9), numbers, st.floats(0, 200), st.floats(1, 200))
def test_a_rate_limit_is_waited_out_or_told(retry_after: float, jitter: float, spent: float, deadline: float) -> None:
    """The client never asks earlier than TikTok says, and never after the deadline."""
    error = RateLimited("rate_limit_exceeded", "", "", 429, None, retry_after)
    pause = pause_before_retry(
        Operation.READ, error, tried=1, spent=spent, limits=RetryLimits(deadline=deadline), jitter=jitter
    )
    if pause is None:
        assert spent + retry_after + 0.5 >= deadline
    else:
        assert retry_after <= pause <= retry_after + 0.5
        assert spent + pause < deadline


@given(st.integers(1, 10_000), numbers)
def test_the_back_off_is_random_and_bounded(tried: int, jitter: float) -> None:
    """The pause is between nothing and half a second doubled each time, and never above 30 s."""
    assert 0 <= backoff(tried, jitter) <= min(30.0, 0.5 * 2 ** min(tried - 1, 20))
    assert backoff(tried, 0.0) == 0.0
