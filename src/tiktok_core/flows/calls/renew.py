"""Renewing an account's tokens: by one process of many, saved before they are used, and never over newer tokens.

Only one of many threads, tasks and processes renews: TikTok replaces the refresh token at each renewal, and a
second renewal with the old one signs the account out. The lease lives in the token store; waiting for it is done through
the clock, so the same text serves both worlds. What the lease cannot prevent, a holder that wakes up late, the
generation does: a save over other tokens than those that were renewed is refused.
"""

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any, Final, TypeVar

from attrs import evolve

from tiktok_core.domain.retry import Operation, RetryLimits
from tiktok_core.domain.tokens import Tokens, Unsaved, is_newer, renewed
from tiktok_core.errors import GrantRejected, Misused, SignInRequired, StoreError
from tiktok_core.flows.calls.context import Context
from tiktok_core.flows.calls.disks import close_opener
from tiktok_core.flows.calls.dispatch import Dispatch
from tiktok_core.flows.calls.exchange import exchange
from tiktok_core.flows.calls.leases import released_after, try_lease
from tiktok_core.flows.calls.stopwatch import Stopwatch
from tiktok_core.wire.oauth import read_tokens, refresh_request

__all__ = ["close", "leased", "persistently", "refreshed", "renewed_and_saved", "stored"]

T = TypeVar("T")

REFRESH_LIMIT: Final = 40.0
"""Seconds for a whole renewal."""
SAVE_FOR: Final = 10.0
"""Seconds for which saving is tried again; the last try may take as long once more."""
SAVE_PAUSE: Final = 0.5
RENEWAL_LEASE: Final = timedelta(seconds=REFRESH_LIMIT + 2 * SAVE_FOR)
"""Long enough that no second process renews beside a slow holder."""
RENEWAL_WAIT: Final = 0.05
PASSING_STORE_TROUBLES: Final = ("locked", "full", "failed")
"""Trouble of a store that may be over in a moment."""


async def stored(context: Context, account: str) -> Tokens:
    """Return the account's tokens as the store has them, once what could not be saved before is there.

    Raises:
        SignInRequired: there are none.
        StoreError: they cannot be read, or still not be saved.
    """
    for held in tuple(context.unsaved):
        if held.account == account:
            return await _saved(context, held)
    return _known(account, await context.tokens.load(account))


async def refreshed(context: Context, account: str, seen: Tokens) -> Tokens:
    """Return newer tokens than those `seen`: those that another process has stored meanwhile, or renewed ones.

    Raises:
        SignInRequired: they can no longer be renewed.
        TransportError, ApiError: TikTok could not be asked; the stored tokens stay as they are.
        StoreError: the new ones could not be saved, and are held.
    """
    owner, context = context.entropy(16).hex(), context.about(account=account)
    while True:
        tokens = await stored(context, account)
        if is_newer(tokens, seen):
            return tokens
        _check_renewable(account, tokens)
        # Together with taking the lease: a caller that is cancelled meanwhile would leave a lease for which the others wait.
        if (fresh := await context.protect(_renewed_under_lease(context, account, owner, seen))) is not None:
            return fresh
        await context.clock.sleep(RENEWAL_WAIT)


@asynccontextmanager
async def leased(context: Context, account: str) -> AsyncIterator[None]:
    """Hold the account's lease for something that takes a few calls; wait for it before."""
    owner, context = context.entropy(16).hex(), context.about(account=account)
    longer = timedelta(seconds=2 * context.retry_limits.deadline)
    async with released_after(context, context.tokens, account, owner):
        while not await try_lease(context, context.tokens, account, owner, RENEWAL_LEASE + longer):
            await context.clock.sleep(RENEWAL_WAIT)
        yield


async def renewed_and_saved(context: Context, account: str, tokens: Tokens) -> Tokens:
    """Renew these tokens, as the one holder of the lease; to be called under `protect`.

    Raises:
        SignInRequired: they cannot be renewed; those that TikTok has refused are marked, and never used again.
        TransportError, ApiError: TikTok could not be asked.
        StoreError: the new ones could not be saved, and are held.
    """
    # Whether it has ended is for TikTok to say: our clock may be wrong.
    _check_renewable(account, tokens)
    request = refresh_request(context.app, context.endpoints, tokens.refresh_token)
    read = partial(read_tokens, now=context.clock.now())
    request = evolve(request, time_limit=REFRESH_LIMIT / 2)
    dispatch = Dispatch()
    try:
        answer = await exchange(_hasty(context), request, read, Operation.REFRESH, account=account, dispatch=dispatch)
    except GrantRejected as error:
        return await _refused(context, account, tokens, error)
    if tokens.open_id and answer.open_id not in ("", tokens.open_id):
        raise SignInRequired(account, "TikTok renewed it into another account's tokens, which were not kept")
    held = Unsaved(account=account, tokens=renewed(tokens, answer), over=tokens)
    # From here on the only copy of them is ours.
    context.unsaved.add(held)
    fresh = await persistently(context, partial(_saved, context, held))
    if dispatch.error is not None:
        raise dispatch.error
    if fresh.needs_sign_in_soon(context.clock.now()):
        end = fresh.refresh_expires_at
        said = "The sign-in of %s ends on %s: a person has to sign in again before"
        context.log.warning(said, account, end.date(), account=account)
    return fresh


async def persistently(context: Context, save: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Save what TikTok will not give again; where the store cannot, try again for a while.

    Raises:
        StoreError: it still cannot, or never will.
    """
    watch = Stopwatch(context.clock)
    is_first = True
    while True:
        try:
            return await save()
        except StoreError as error:
            if error.kind not in PASSING_STORE_TROUBLES or watch.look(most=SAVE_FOR) + SAVE_PAUSE > SAVE_FOR:
                raise
            if is_first:
                context.log.warning("%s cannot take new tokens (%s); trying again", error.store, error.kind)
            is_first = False
        await context.clock.sleep(SAVE_PAUSE)
        watch.slept(SAVE_PAUSE)


async def close(context: Context) -> None:
    """Finish what is protected, save the tokens that could not be saved before, and close the ports, even where one fails.

    Raises:
        StoreError: some tokens still cannot be saved, and are lost.
        Misused: this is another event loop than the client's. If protected work is unfinished there, nothing is closed, because
            that work still has to save; otherwise everything but the connections is.
    """
    async with AsyncExitStack() as closing:
        # An exit stack runs its callbacks in reverse order.
        closing.push_async_callback(close_opener, context)
        for port in (context.pacer, context.journal, context.tokens, context.transport):
            closing.push_async_callback(port.close)
        closing.push_async_callback(_save_what_is_held, context)
        try:
            await context.protect.close()
        except Misused:
            closing.pop_all()
            raise


async def _save_what_is_held(context: Context) -> None:
    lost: list[StoreError] = []
    for held in tuple(context.unsaved):
        try:
            await _save(context, held)
        except StoreError as error:
            said = f"{error.reason}; the new tokens of {held.account} are lost: sign in again"
            lost.append(StoreError(error.store, said, error.kind))
    if lost:
        raise lost[0]


async def _renewed_under_lease(context: Context, account: str, owner: str, seen: Tokens) -> Tokens | None:
    async with released_after(context, context.tokens, account, owner):
        if not await try_lease(context, context.tokens, account, owner, RENEWAL_LEASE):
            return None
        # Between our look and our lease another holder may have finished.
        tokens = await stored(context, account)
        return tokens if is_newer(tokens, seen) else await renewed_and_saved(context, account, tokens)


async def _saved(context: Context, held: Unsaved) -> Tokens:
    try:
        tokens = await _save(context, held)
    except StoreError as error:
        said = (
            f"{error.reason}; TikTok has replaced the tokens of {held.account}, and this client has the new ones in its "
            "memory alone: it saves them before its next call for the account, or when it is closed"
        )
        raise StoreError(error.store, said, error.kind) from error
    return _known(held.account, tokens)


async def _save(context: Context, held: Unsaved) -> Tokens | None:
    """Save them, and return what is stored now: they, or what another process has stored meanwhile; None after a sign-out."""
    over = held.over
    while (number := await context.tokens.save(held.account, held.tokens, seen=over.generation)) is None:
        there = await context.tokens.load(held.account)
        if there is None or there != over:
            context.unsaved.discard(held)
            return there
        # The very pair that was replaced, saved once more: marked by a process that TikTok refused it, or under another key.
        over = there
    context.unsaved.discard(held)
    return evolve(held.tokens, generation=number)


async def _refused(context: Context, account: str, tokens: Tokens, error: GrantRejected) -> Tokens:
    # Nothing is deleted: the stored tokens may be a newer sign-in's, and an access token may live on.
    try:
        await context.tokens.save(account, evolve(tokens, is_refused=True), seen=tokens.generation)
    except StoreError as trouble:
        context.log.warning("That a refresh token was refused is not remembered: %s", trouble, account=account)
    there = await stored(context, account)
    if is_newer(there, tokens):
        return there
    raise SignInRequired(account, f"TikTok no longer takes its refresh token ({error.code})") from error


def _check_renewable(account: str, tokens: Tokens) -> None:
    if tokens.is_refused:
        raise SignInRequired(account, "TikTok no longer takes its refresh token, and has said so before")
    if not tokens.refresh_token:
        raise SignInRequired(account, "it has no refresh token")


def _known(account: str, tokens: Tokens | None) -> Tokens:
    if tokens is None:
        raise SignInRequired(account, "it never signed in, or its sign-in was ended")
    return tokens


def _hasty(context: Context) -> Context:
    # Everything has to be over before the lease is: one repetition, and no long wait.
    retries, deadline = context.retry_limits.retries, context.retry_limits.deadline
    return evolve(context, retry_limits=RetryLimits(retries=min(1, retries), deadline=min(REFRESH_LIMIT / 2, deadline)))
