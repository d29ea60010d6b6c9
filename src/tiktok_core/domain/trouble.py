"""When steps that fail again and again are enough, and how long to wait before the next one until then.

What belongs here: plain functions over counts that a run keeps. What one error means for the post is in the verdicts.
"""

from typing import Final

from tiktok_core.domain.journal import Record
from tiktok_core.domain.retry import Operation, RetryLimits, backoff, pause_before_retry
from tiktok_core.domain.verdicts import is_unanswered
from tiktok_core.errors import NotSent, RateLimited, TikTokError

__all__ = [
    "MOST_DOUBTS",
    "MOST_MISSES",
    "began_nothing",
    "is_another_upload",
    "pause_after_miss",
    "pause_after_trouble",
    "proved_bytes",
]

MOST_DOUBTS: Final = 6
"""Steps in a row that may bring nothing but trouble."""
MOST_MISSES: Final = 5
"""Questions in a row that may go without an answer, each of them repeated by itself."""


def began_nothing(record: Record, trouble: TikTokError) -> bool:
    """Whether the trouble is that of an init that certainly began nothing."""
    return record.is_planned and isinstance(trouble, (NotSent, RateLimited))


def is_another_upload(before: Record, record: Record) -> bool:
    """Whether bytes that were proved before the step say nothing about the record after it."""
    return not record.is_uploading or record.publish_id != before.publish_id


def proved_bytes(record: Record, known: int) -> int:
    """Return the most bytes that TikTok has ever proved to have: a chunk that is there once more adds nothing."""
    return max(known, record.offset)


def pause_after_trouble(
    record: Record, trouble: TikTokError, *, times: int, spent: float, limits: RetryLimits, jitter: float
) -> float | None:
    """Return the seconds to wait after a step that brought only trouble; None where that is enough.

    Args:
        record: the post, after the step.
        trouble: what went wrong.
        times: how many steps in a row brought only trouble, at least 1.
        spent: seconds since the first of them; counts only where no init has begun anything.
        limits: how long to try.
        jitter: a random number from 0 to 1.
    """
    if began_nothing(record, trouble):
        operation = Operation.INIT_PULL if record.wish.is_pulled else Operation.INIT_UPLOAD
        return pause_before_retry(operation, trouble, tried=times, spent=spent, limits=limits, jitter=jitter)
    is_far = isinstance(trouble, RateLimited) and trouble.retry_after > limits.deadline
    return None if is_far or times >= MOST_DOUBTS else _pause(trouble, times, jitter)


def pause_after_miss(error: TikTokError, *, times: int, jitter: float) -> float | None:
    """Return the seconds to wait after a question about a post without an answer; None where that is enough.

    Args:
        error: how the question ended.
        times: how many questions in a row went without an answer, at least 1.
        jitter: a random number from 0 to 1.
    """
    return _pause(error, times, jitter) if is_unanswered(error) and times < MOST_MISSES else None


def _pause(trouble: TikTokError, times: int, jitter: float) -> float:
    pause = backoff(times, jitter)
    return max(pause, trouble.retry_after) if isinstance(trouble, RateLimited) else pause
