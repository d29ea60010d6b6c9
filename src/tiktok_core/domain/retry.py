"""When a call may be made again: a pure decision over what was asked, what went wrong, and how much time is left.

It never sleeps and never sends. "Not sent" may be repeated, but where the program misused the client; "interrupted" only
where a repetition cannot publish; an answer of TikTok's by its code. What belongs here: the table of operations, the back-off, the limits.
"""

from enum import StrEnum
from typing import Final

from attrs import frozen

from tiktok_core.errors import Interrupted, Misused, NotSent, RateLimited, ServerError, TikTokError

__all__ = ["BUDGET", "Operation", "RetryLimits", "backoff", "earned", "pause_before_retry"]

BASE: Final = 0.5
LONGEST: Final = 30.0
BUDGET: Final = 20.0
"""Repetitions that an account has at most."""
EARNED: Final = 0.1
"""What an answered call adds to them: in an outage that lasts, one call in ten is repeated once."""


class Operation(StrEnum):
    """What is being asked, as far as repeating it goes. What was not sent, or came too soon, may always be repeated."""

    READ = "read"
    CANCEL = "cancel"
    INIT_UPLOAD = "init of an upload"
    INIT_PULL = "init of a pull"
    SPEND_CODE = "spending a code"
    REFRESH = "refresh"
    REVOKE = "revoke"
    CHUNK = "chunk"
    ADD_DATA = "request of data"
    DOWNLOAD = "download"


HARMLESS_TWICE: Final = frozenset(
    {Operation.READ, Operation.CANCEL, Operation.REFRESH, Operation.REVOKE, Operation.DOWNLOAD}
)
"""What may be repeated although TikTok may have done it already.

A read changes nothing, and a second cancellation stops nothing more. A second refresh with the same token, if it is refused,
proves that the first one was heard. A revoked token stays revoked.

The others are not repeated here. A pull publishes by itself. A code is spent once. A request of data may spend a scope. Before a
chunk is sent again, TikTok is asked for its offset. The init of an upload posts nothing without bytes, but each may cost a
pending share: the journal counts them, and repeats them itself."""


@frozen(kw_only=True)
class RetryLimits:
    """How long to try.

    Attributes:
        retries: repetitions after the first try.
        deadline: seconds for the call with all its repetitions and waits.
    """

    retries: int = 2
    deadline: float = 120.0


def pause_before_retry(
    operation: Operation, error: TikTokError, *, tried: int, spent: float, limits: RetryLimits, jitter: float
) -> float | None:
    """Return the seconds to wait before the call is made again, or None when the error is to be raised.

    Args:
        operation: what was asked.
        error: what went wrong.
        tried: how often the call was made, at least 1.
        spent: seconds since the first try.
        limits: how often and how long to try.
        jitter: a random number from 0 to 1, which spreads the repetitions of many clients.
    """
    may_repeat = isinstance(error, (NotSent, RateLimited)) or (
        operation in HARMLESS_TWICE and isinstance(error, (Interrupted, ServerError))
    )
    if not may_repeat or isinstance(error, Misused) or tried > limits.retries:
        return None
    pause = backoff(tried, jitter)
    if isinstance(error, RateLimited):
        # Earlier than asked is no use; a little later does not hurt.
        pause += error.retry_after
    return pause if spent + pause < limits.deadline else None


def earned(left: float, repeated: int) -> float:
    """Return the repetitions that an account has left after a call was answered that took `repeated` of them."""
    return min(BUDGET, left + repeated + EARNED)


def backoff(tried: int, jitter: float) -> float:
    """Return the seconds to wait after the `tried`-th try: a random part of 0.5 s, doubled each time, at most 30 s."""
    return jitter * min(LONGEST, BASE * float(1 << min(tried - 1, 10)))
