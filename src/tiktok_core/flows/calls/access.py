"""A call in an account's name: with a token that lives, renewed ahead of its end or after a refusal, once."""

from collections.abc import Callable
from typing import TypeVar

from attrs import evolve

from tiktok_core.domain.pacing import Quota
from tiktok_core.domain.retry import Operation
from tiktok_core.domain.tokens import Secret, Tokens, needs_refresh
from tiktok_core.errors import AccessTokenInvalid, SignInRequired, StoreError, TikTokError
from tiktok_core.flows.calls.context import Context
from tiktok_core.flows.calls.exchange import exchange
from tiktok_core.flows.calls.pace import quota_name
from tiktok_core.flows.calls.renew import refreshed, stored
from tiktok_core.flows.calls.stopwatch import Stopwatch
from tiktok_core.wire.http import Request, Response

__all__ = ["authorized", "pause_for_quota", "usable_tokens"]

T = TypeVar("T")


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
    watch, deadline = Stopwatch(context.clock), context.retry_limits.deadline
    while 0 < (pause := await pause_for_quota(context, account, quota)) <= deadline - watch.seconds:
        await context.clock.sleep(pause)
        watch.slept(pause)
    if watch.seconds == 0:
        return context
    left = max(deadline - watch.seconds, min(context.timeout, deadline))
    return evolve(context, retry_limits=evolve(context.retry_limits, deadline=left))


async def pause_for_quota(context: Context, account: str, quota: Quota) -> float:
    """Return the seconds to wait before one more call, and say so, once a minute; when none, the call counts as made."""
    own = quota_name(account, quota)
    name = f"{context.app.client_key}\n{own}"
    try:
        # Where TikTok says that a quota is used up, also by other programs, no call is made.
        now = context.clock.now()
        pause = context.cooldown.pause(own, now) or await context.pacer.pause(name, limit=quota.value, now=now)
    except StoreError as error:
        # Keeping to the quota is a courtesy that must not cost a post: TikTok refuses a call too many by itself.
        context.log.warning("The quota is not kept: %s", error, account=account, quota=quota.name.lower())
        return 0.0
    if pause > 0:
        log = context.log.about(account=account, quota=quota.name.lower())
        if context.told.is_due(own, now):
            said = "TikTok takes %d %s a minute of the account %s: the next one in %.0f s"
            log.warning(said, quota.value, quota.calls, account, pause, pause=pause)
        else:
            log.debug("This waits for the same quota: %.0f s", pause, pause=pause)
    return pause


async def usable_tokens(context: Context, account: str) -> Tokens:
    """Return the account's tokens, renewed if their end is near.

    A renewal ahead of the end that fails for want of an answer is no obstacle: the tokens still live. Whether it
    succeeds or not, it is tried once a minute, by all that share the pacer.

    Raises:
        SignInRequired: there are none, or they can no longer be renewed.
        TransportError, ApiError: they have ended, and TikTok could not be asked for others.
    """
    tokens = await stored(context, account)
    now = context.clock.now()
    if not needs_refresh(tokens, now):
        return tokens
    if not tokens.is_expired(now) and (tokens.is_refused or await _was_tried(context, account)):
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
