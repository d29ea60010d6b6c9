"""One request and its answer, repetitions included; and the context that every flow is given."""

import logging
from collections.abc import Callable
from typing import Final, TypeVar

from attrs import evolve, field, frozen

from tiktok_core.domain.app import App, Endpoints
from tiktok_core.domain.pacing import Quota
from tiktok_core.domain.retry import Operation, Patience, pause_before_retry
from tiktok_core.domain.tokens import Unsaved
from tiktok_core.errors import RateLimited, TikTokError
from tiktok_core.flows.pace import Budgets, Quiet, quota_name
from tiktok_core.flows.watch import Watch
from tiktok_core.hidden import Hidden
from tiktok_core.ports import (
    AsyncBackground,
    AsyncClock,
    AsyncJournal,
    AsyncPacer,
    AsyncProbe,
    AsyncProtect,
    AsyncTokenStore,
    AsyncTransport,
    AsyncUploadSlots,
    HasPath,
    OpenDestination,
    Source,
)
from tiktok_core.wire.envelope import USER_AGENT
from tiktok_core.wire.http import Request, Response

__all__ = ["Context", "exchange", "log"]

T = TypeVar("T")

UNLIMITED: Final = frozenset({Operation.CHUNK, Operation.DOWNLOAD})

log: Final = logging.getLogger("tiktok_core")
# A library does not print: whoever embeds it decides where its log goes.
log.addHandler(logging.NullHandler())


@frozen(kw_only=True)
class Context:
    """What a flow works with.

    Attributes:
        app: the app in whose name calls are made.
        endpoints: where TikTok is.
        transport: sends requests.
        tokens: keeps tokens and leases.
        unsaved: renewed tokens that the store could not take yet.
        journal: keeps the record of each post.
        clock: time and waiting.
        protect: finishes what must not be cut in two.
        entropy: returns that many unpredictable bytes.
        open_source: opens a named file; None where the embedder gives sources only.
        open_destination: says where a named file is kept; None where the embedder gives destinations only.
        timeout: seconds for each single wait of a request.
        patience: how long to try a call.
        pacer: keeps to TikTok's quotas.
        budgets: how many repetitions each account has left.
        quiet: until when TikTok has asked for no more calls.
        slots: bounds how many uploads run at once; None lets all of them.
        probe: looks into videos; None where nobody does.
        background: makes calls that wait for a disk.
        follow_for: seconds to follow a post before saying that it is still processing.
    """

    app: App
    endpoints: Endpoints
    transport: AsyncTransport = field(repr=False)
    tokens: AsyncTokenStore = field(repr=False)
    journal: AsyncJournal = field(repr=False)
    clock: AsyncClock = field(repr=False)
    protect: AsyncProtect = field(repr=False)
    entropy: Callable[[int], bytes] = field(repr=False)
    open_source: Callable[[str | HasPath], Source] | None = field(repr=False)
    timeout: float
    patience: Patience
    pacer: AsyncPacer = field(repr=False)
    unsaved: set[Unsaved] = field(factory=set, repr=False)
    budgets: Budgets = field(factory=Budgets, repr=False)
    quiet: Quiet = field(factory=Quiet, repr=False)
    slots: AsyncUploadSlots | None = field(default=None, repr=False)
    probe: AsyncProbe | None = field(default=None, repr=False)
    background: AsyncBackground = field(repr=False)
    open_destination: OpenDestination | None = field(default=None, repr=False)
    follow_for: float

    def jitter(self) -> float:
        """Return a random number from 0 to 1."""
        return int.from_bytes(self.entropy(4), "big") / 2**32


async def exchange(
    context: Context,
    request: Request,
    read: Callable[[Request, Response], T],
    operation: Operation,
    *,
    account: str = "",
    quota: Quota | None = None,
) -> T:
    """Send a request and return what `read` makes of the answer; repeat it where that can do no harm.

    Repetitions are paid from the budget of `account`: once it is spent, the first error is the last. That `quota` is used
    up is remembered for all its calls.

    Raises:
        TransportError: no answer.
        ApiError, SignInFailed, UnexpectedResponse: as `read` finds.
    """
    headers = Hidden({"User-Agent": USER_AGENT, **request.headers})
    watch, tried, deadline = Watch(context.clock), 0, context.patience.deadline
    while True:
        tried += 1
        limit = _time_limit(request, operation, deadline - watch.seconds)
        try:
            response = await context.transport.send(
                evolve(request, headers=headers, timeout=context.timeout, time_limit=limit)
            )
            if log.isEnabledFor(logging.DEBUG):
                log.debug("%s: HTTP %d, %d bytes", request.name, response.status, len(response.body))
            result = read(request, response)
        except TikTokError as error:
            used_up = quota if isinstance(error, RateLimited) else None
            if used_up is not None and isinstance(error, RateLimited):
                context.quiet.ask(quota_name(account, used_up), context.clock.now(), error.retry_after)
            spent = watch.look(most=limit or deadline)
            pause = pause_before_retry(
                operation, error, tried=tried, spent=spent, patience=context.patience, jitter=context.jitter()
            )
            if pause is None or not context.budgets.spend(account):
                raise
            kind = type(error).__name__
            log.warning("%s: %s; again in %.1f s", request.name, kind, pause, extra={"pause": pause})
        else:
            context.budgets.earn(account, repeated=tried - 1)
            return result
        await context.clock.sleep(pause)
        watch.slept(pause)
        if used_up is not None:
            context.quiet.over(quota_name(account, used_up))


def _time_limit(request: Request, operation: Operation, left: float) -> float | None:
    # How long a chunk or an archive may take is the line's business: it is only bound to make headway.
    if operation in UNLIMITED:
        return request.time_limit
    return max(0.001, min(left, request.time_limit or left))
