"""A call in an account's name: with a token that lives, renewed ahead of its end or after a refusal, once.

Only one of many threads, tasks and processes renews: TikTok replaces the refresh token at each renewal, and whoever
comes second with the old one signs the account out. The lease lives in the token store; waiting for it is done through
the clock, so the same text serves both worlds.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Final, TypeVar

from attrs import evolve

from tiktok_core.domain.pacing import Quota
from tiktok_core.domain.retry import Operation, Patience
from tiktok_core.domain.tokens import Secret, Tokens, needs_refresh, renewed
from tiktok_core.errors import AccessTokenInvalid, GrantRejected, SignInRequired, StoreError, TikTokError
from tiktok_core.flows.exchange import Context, exchange, log
from tiktok_core.flows.pace import quota_name
from tiktok_core.flows.watch import Watch
from tiktok_core.wire.http import Request, Response
from tiktok_core.wire.oauth import read_tokens, refresh_request

__all__ = ["authorized", "pause_for_quota", "refreshed", "usable_tokens"]

T = TypeVar("T")

LEASE: Final = timedelta(seconds=60)
REFRESH_LIMIT: Final = 40.0
"""Seconds for a whole renewal: less than the lease, so that nobody renews beside a slow holder."""
LEASE_WAIT: Final = 0.05


async def authorized(
    context: Context,
    account: str,
    build: Callable[[Secret], Request],
    read: Callable[[Request, Response], T],
    *,
    operation: Operation = Operation.READ,
    quota: Quota | None = None,
) -> T:
    """Make a call with the account's access token; renew and repeat it once when TikTok refuses the token.

    A refused token proves that nothing was done, so even a call that publishes may be repeated then.

    Raises:
        SignInRequired: there are no tokens, or they can no longer be renewed.
        TransportError, ApiError, UnexpectedResponse: as the call ends.
    """
    tokens = await usable_tokens(context, account)
    if quota is not None:
        context = await _paced(context, account, quota)
    try:
        return await exchange(context, build(tokens.access_token), read, operation, account=account, quota=quota)
    except AccessTokenInvalid:
        tokens = await refreshed(context, account, tokens)
    return await exchange(context, build(tokens.access_token), read, operation, account=account, quota=quota)


async def _paced(context: Context, account: str, quota: Quota) -> Context:
    """Wait until the quota allows a call, and return the context with what is left of its deadline.

    Where the deadline does not allow the wait, the call is made all the same, and TikTok says what it makes of it.
    """
    watch, deadline = Watch(context.clock), context.patience.deadline
    while 0 < (pause := await pause_for_quota(context, account, quota)) <= deadline - watch.seconds:
        await context.clock.sleep(pause)
        watch.slept(pause)
    left = max(deadline - watch.seconds, min(context.timeout, deadline))
    return evolve(context, patience=evolve(context.patience, deadline=left))


async def pause_for_quota(context: Context, account: str, quota: Quota) -> float:
    """Return the seconds to wait before one more call, and say so; when none, the call counts as made."""
    own, name = quota_name(account, quota), f"{context.app.client_key}\n{quota_name(account, quota)}"
    try:
        # A quota that TikTok says is used up, whoever used it, is not asked for.
        pause = context.quiet.pause(own, context.clock.now())
        pause = pause or await context.pacer.pause(name, limit=quota.value, now=context.clock.now())
    except StoreError as error:
        # Keeping to the quota is a courtesy that must not cost a post: TikTok refuses a call too many by itself.
        log.warning("The quota is not kept: %s", error)
        return 0.0
    if pause > 0:
        said = "TikTok takes %d of these calls a minute: the next one in %.0f s"
        log.warning(said, quota.value, pause, extra={"pause": pause})
    return pause


async def usable_tokens(context: Context, account: str) -> Tokens:
    """Return the account's tokens, renewed if their end is near.

    A renewal ahead of the end that fails for want of an answer is no obstacle: the tokens still live. Whether it
    succeeds or not, it is tried once a minute, by all that share the pacer.

    Raises:
        SignInRequired: there are none, or they can no longer be renewed.
        TransportError, ApiError: they have ended, and TikTok could not be asked for others.
    """
    tokens = await _stored(context, account)
    now = context.clock.now()
    if not needs_refresh(tokens, now):
        return tokens
    if not tokens.is_expired(now) and await _was_tried(context, account):
        return tokens
    try:
        return await refreshed(context, account, tokens)
    except TikTokError as error:
        if isinstance(error, (SignInRequired, StoreError)) or tokens.is_expired(context.clock.now()):
            raise
        return tokens


async def _was_tried(context: Context, account: str) -> bool:
    name = f"{context.app.client_key}\n{account}\nrenewal ahead"
    try:
        return await context.pacer.pause(name, limit=1, now=context.clock.now()) > 0
    except StoreError:
        return False


async def refreshed(context: Context, account: str, stale: Tokens) -> Tokens:
    """Return tokens other than `stale`: those that somebody else stored meanwhile, or newly renewed ones.

    Raises:
        SignInRequired: they can no longer be renewed.
        TransportError, ApiError: TikTok could not be asked; the stored tokens stay as they are.
    """
    owner = context.entropy(16).hex()
    while True:
        tokens = await _stored(context, account)
        if tokens.access_token != stale.access_token:
            return tokens
        # With its lease: whoever is cancelled while taking one would leave it to keep the others waiting.
        if (fresh := await context.protect(_renewed_under_lease(context, account, owner, stale))) is not None:
            return fresh
        await context.clock.sleep(LEASE_WAIT)


async def _renewed_under_lease(context: Context, account: str, owner: str, stale: Tokens) -> Tokens | None:
    now = context.clock.now()
    if not await context.tokens.try_lease(account, owner=owner, now=now, until=now + LEASE):
        return None
    try:
        # Between our look and our lease another holder may have finished.
        tokens = await _stored(context, account)
        if tokens.access_token != stale.access_token:
            return tokens
        # Whether it has ended is for TikTok to say: our clock may be wrong.
        if not tokens.refresh_token:
            raise SignInRequired(account, "it has no refresh token")
        try:
            return await _renewed_and_saved(context, account, tokens)
        except GrantRejected as error:
            return await _adopted(context, account, tokens, error)
    finally:
        await context.tokens.release(account, owner=owner)


async def _renewed_and_saved(context: Context, account: str, tokens: Tokens) -> Tokens:
    request = refresh_request(context.app, context.endpoints, tokens.refresh_token)
    read = partial(read_tokens, now=context.clock.now())
    request = evolve(request, time_limit=REFRESH_LIMIT / 2)
    answer = await exchange(_hasty(context), request, read, Operation.REFRESH, account=account)
    if tokens.open_id and answer.open_id not in ("", tokens.open_id):
        raise SignInRequired(account, "TikTok renewed it into another account's tokens, which were not kept")
    fresh = renewed(tokens, answer)
    if (newer := await _newer_than(context, account, tokens)) is not None:
        return newer
    await context.tokens.save(account, fresh)
    if fresh.needs_sign_in_soon(context.clock.now()):
        end = fresh.refresh_expires_at
        log.warning("The sign-in of %s ends on %s: a person has to sign in again before", account, f"{end:%Y-%m-%d}")
    return fresh


async def _newer_than(context: Context, account: str, old: Tokens) -> Tokens | None:
    # Somebody may have signed in again while TikTok was asked, or out (`_stored` says so): neither is undone.
    try:
        stored = await _stored(context, account)
    except StoreError:
        # What cannot be read may still be written, and the only copy of the new token is here.
        return None
    return stored if stored.refresh_token != old.refresh_token else None


def _hasty(context: Context) -> Context:
    # Everything has to be over before the lease is: one repetition, and no long wait.
    retries, deadline = context.patience.retries, context.patience.deadline
    return evolve(context, patience=Patience(retries=min(1, retries), deadline=min(REFRESH_LIMIT / 2, deadline)))


async def _adopted(context: Context, account: str, refused: Tokens, error: GrantRejected) -> Tokens:
    # Nothing is deleted: the stored tokens may be a newer sign-in's.
    tokens = await _stored(context, account)
    if tokens.refresh_token != refused.refresh_token:
        return tokens
    raise SignInRequired(account, f"TikTok no longer takes its refresh token ({error.code})") from error


async def _stored(context: Context, account: str) -> Tokens:
    tokens = await context.tokens.load(account)
    if tokens is None:
        raise SignInRequired(account, "nobody has signed in, or the sign-in was ended")
    return tokens
