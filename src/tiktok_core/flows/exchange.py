"""One request and its answer, repetitions included; and the context that every flow is given."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

from attrs import define, evolve, field, frozen

from tiktok_core.domain.app import App, Endpoints
from tiktok_core.domain.pacing import Quota
from tiktok_core.domain.retry import Operation, Patience, pause_before_retry
from tiktok_core.domain.tokens import Unsaved
from tiktok_core.errors import Interrupted, NotSent, RateLimited, SourceChanged, StoreError, TikTokError
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
from tiktok_core.wire.guests import Guests
from tiktok_core.wire.http import FileSlice, Request, Response

__all__ = ["Context", "Dispatch", "Raised", "exchange", "log"]

T = TypeVar("T")

TOLD: Final = (NotSent, Interrupted, SourceChanged, StoreError)
"""What a transport may raise."""
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


class Raised(BaseException):
    """Carries what the caller's own code raised past every `except` of the flows; the outermost one raises it.

    A callback may raise what a flow would handle: `NotSent`, which is repeated, or `StoreError`, which is logged.

    Args:
        error: what was raised.
    """

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error


@define
class Dispatch:
    """What is known of a request while it is made and afterwards: the one place that says whether any of it may have left.

    Whoever stores something before a request makes one, and stores what was true before where nothing has come of it.

    Attributes:
        may_have_acted: whether TikTok may have acted on it: the transport was given it, and neither the transport
            (`NotSent`) nor TikTok (`RateLimited`) has said that nothing was done.
        error: what the caller's own code raised meanwhile: a callback, a source, a sink, a handler of the log.
    """

    may_have_acted: bool = False
    error: BaseException | None = None
    _guests: Guests = field(factory=Guests)
    _is_slice: bool = False

    @property
    def may_be_whole(self) -> bool:
        """Whether the last byte of its body may have left."""
        gave_all = self._guests.gave_all or not self._is_slice
        return self.may_have_acted and gave_all and not self._guests.was_stopped

    def let_out(self) -> None:
        """Raise what the caller's own code raised, as `Raised`, now that everything is stored."""
        if self.error is not None:
            error, self.error = self.error, None  # Its traceback leads back here.
            raise Raised(error)

    def overhear(self, say: Callable[[], None]) -> None:
        """Write to the log beside an answer that must not be lost because a handler fails."""
        try:
            say()
        except BaseException as error:  # noqa: BLE001 - it is let out later
            self.error = error

    async def send(self, transport: AsyncTransport, request: Request) -> Response:
        """Give the request to the transport, once.

        Raises:
            NotSent, Interrupted, SourceChanged, StoreError: as the transport says; `Interrupted` also for an error that no
                transport may raise, which is its cause.
            Raised: the caller's own code raised something.
        """
        self._guests, self._is_slice = Guests(), isinstance(request.body, FileSlice)
        request = self._guests.watched(request)
        self.may_have_acted = True
        try:
            response = await transport.send(request)
        except BaseException as error:
            if not self._guests.explain(error):
                self.may_have_acted = not isinstance(error, NotSent)
                if isinstance(error, TOLD) or not isinstance(error, Exception):
                    raise
                said = f"the transport raised {type(error).__name__}, so whether the request arrived is unknown"
                raise Interrupted(request.name, said) from error
        else:
            if not self._guests.explain(None):
                return response
        raise Raised(self._guests.take())


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
    watch, tried, deadline = Watch(context.clock), 0, context.patience.deadline
    while True:
        tried += 1
        limit = _time_limit(request, operation, deadline - watch.seconds)
        try:
            response = await dispatch.send(
                context.transport, evolve(request, headers=headers, timeout=context.timeout, time_limit=limit)
            )
            if log.isEnabledFor(logging.DEBUG):
                said = ("%s: HTTP %d, %d bytes", request.name, response.status, len(response.body))
                dispatch.overhear(partial(log.debug, *said))
            result = read(request, response)
        except TikTokError as error:
            used_up = quota if isinstance(error, RateLimited) else None
            if used_up is not None and isinstance(error, RateLimited):
                dispatch.may_have_acted = False
                context.quiet.ask(quota_name(account, used_up), context.clock.now(), error.retry_after)
            spent = watch.look(most=limit or deadline)
            pause = pause_before_retry(
                operation, error, tried=tried, spent=spent, patience=context.patience, jitter=context.jitter()
            )
            if pause is None or dispatch.error is not None or not context.budgets.spend(account):
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
