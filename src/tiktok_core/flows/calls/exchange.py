"""One request and its answer, repetitions included.

What belongs here: sending, reading, and repeating. Whether a call may be repeated is decided by `domain.retry`.

Its tests: `tests/flows/test_tables.py`, `tests/flows/calls/test_pace.py`, `tests/faults/test_answers.py`.
"""

import logging
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

from attrs import evolve

from tiktok_core.domain.pacing import Quota
from tiktok_core.domain.retry import Operation, pause_before_retry
from tiktok_core.errors import RateLimited, TikTokError
from tiktok_core.flows.calls.context import Context
from tiktok_core.flows.calls.dispatch import Dispatch, Raised
from tiktok_core.flows.calls.pace import quota_name
from tiktok_core.flows.calls.stopwatch import Stopwatch
from tiktok_core.hidden import Hidden
from tiktok_core.logs import Log
from tiktok_core.wire.envelope import USER_AGENT, log_id_within
from tiktok_core.wire.http import Request, Response

__all__ = ["exchange"]

T = TypeVar("T")

UNLIMITED: Final = frozenset({Operation.CHUNK, Operation.DOWNLOAD})


async def exchange(
    context: Context,
    request: Request,
    read: Callable[[Request, Response], T],
    operation: Operation,
    *,
    account: str = "",
    quota: Quota | None = None,
    dispatch: Dispatch | None = None,
) -> T:
    """Send a request and return what `read` makes of the answer; repeat it where that can do no harm.

    Repetitions are paid from the budget of `account`: once it is spent, the first error is the last. That `quota` is used
    up is remembered for all its calls.

    Args:
        context: what to work with.
        request: what to send.
        read: makes something of the answer.
        operation: what is asked, as far as repeating it goes.
        account: whose call it is.
        quota: which of TikTok's quotas it uses.
        dispatch: becomes what is known of the request. Who gives one calls its `let_out` once the answer is stored.

    Raises:
        TransportError: no answer.
        ApiError, SignInFailed, UnexpectedResponse: as `read` finds.
        Raised: the caller's own code raised something, and a dispatch was given; without one it raises that itself.
    """
    own = dispatch or Dispatch()
    try:
        result = await _exchanged(context, request, read, operation, own, account=account, quota=quota)
        if dispatch is None:
            own.let_out()
    except Raised as carried:
        if dispatch is not None:
            raise
        raised = carried.error
    except TikTokError:
        if dispatch is not None or own.error is None:
            raise
        raised = own.error
    else:
        return result
    try:
        # Outside of the `except`, which would change its context.
        raise raised
    finally:
        del raised, own  # The error's traceback leads to them, and they to it.


async def _exchanged(
    context: Context,
    request: Request,
    read: Callable[[Request, Response], T],
    operation: Operation,
    dispatch: Dispatch,
    *,
    account: str,
    quota: Quota | None,
) -> T:
    headers = Hidden({"User-Agent": USER_AGENT, **request.headers})
    watch, tried, deadline = Stopwatch(context.clock), 0, context.retry_limits.deadline
    while True:
        tried += 1
        limit = _time_limit(request, operation, deadline - watch.seconds)
        response: Response | None = None
        try:
            response = await dispatch.send(
                context.transport, evolve(request, headers=headers, timeout=context.timeout, time_limit=limit)
            )
            if context.log.is_on(logging.DEBUG):
                log = context.log.about(account=account, attempt=tried)
                dispatch.overhear(partial(_tell_answer, log, request, response, watch))
            result = read(request, response)
        except TikTokError as error:
            used_up = quota if isinstance(error, RateLimited) else None
            if used_up is not None and isinstance(error, RateLimited):
                dispatch.may_have_acted = False
                context.cooldown.ask(quota_name(account, used_up), context.clock.now(), error.retry_after)
            took, spent = watch.since(), watch.look(most=limit or deadline)
            pause = pause_before_retry(
                operation, error, tried=tried, spent=spent, limits=context.retry_limits, jitter=context.jitter()
            )
            if pause is None or dispatch.error is not None or not context.budgets.spend(account):
                if response is None and context.log.is_on(logging.DEBUG):
                    log = context.log.about(account=account, attempt=tried, duration=took)
                    dispatch.overhear(partial(_tell_no_answer, log, request, error))
                raise
            if context.log.is_on(logging.WARNING):
                _tell_of_repetition(
                    context.log.about(account=account, attempt=tried, duration=took), request, error, pause
                )
        else:
            context.budgets.earn(account, repeated=tried - 1)
            return result
        await context.clock.sleep(pause)
        watch.slept(pause)
        if used_up is not None:
            context.cooldown.over(quota_name(account, used_up))


def _tell_answer(log: Log, request: Request, response: Response, watch: Stopwatch) -> None:
    # The clock is read here, where no answer is lost if it fails.
    log.debug(
        "%s: HTTP %d, %d bytes",
        request.name,
        response.status,
        len(response.body),
        log_id=log_id_within(response),
        duration=watch.since(),
    )


def _tell_no_answer(log: Log, request: Request, error: TikTokError) -> None:
    # One that is repeated is told of by its warning.
    log.debug("%s: %s", request.name, type(error).__name__)


def _tell_of_repetition(log: Log, request: Request, error: TikTokError, pause: float) -> None:
    kind, log_id = type(error).__name__, getattr(error, "log_id", "")
    log.warning("%s: %s; again in %.1f s", request.name, kind, pause, log_id=log_id, pause=pause)


def _time_limit(request: Request, operation: Operation, left: float) -> float | None:
    # How long a chunk or an archive may take is the line's business: it is only bound to make headway.
    if operation in UNLIMITED:
        return request.time_limit
    return max(0.001, min(left, request.time_limit or left))
