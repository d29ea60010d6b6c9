"""Signing in, in two steps that may run in two processes; ending what was granted; and the app's own token."""

from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from typing import Final

from attrs import evolve

from tiktok_core.domain.app import DEFAULT_SCOPES, check_scopes
from tiktok_core.domain.pkce import ChallengeEncoding, challenge_of, make_state, make_verifier
from tiktok_core.domain.retry import Operation
from tiktok_core.domain.sign_in import Authorization, check_age, granted_code, granted_code_alone
from tiktok_core.domain.tokens import ClientToken, Secret, Tokens, is_newer
from tiktok_core.errors import (
    AccessTokenInvalid,
    GrantRejected,
    InvalidSettings,
    Problem,
    SignInRequired,
    StoreError,
    UnexpectedResponse,
)
from tiktok_core.flows.calls.context import Context, log
from tiktok_core.flows.calls.dispatch import Dispatch
from tiktok_core.flows.calls.exchange import exchange
from tiktok_core.flows.calls.renew import leased, persistently, refreshed, renewed_and_saved
from tiktok_core.wire.oauth import (
    authorization_url,
    callback_of,
    client_token_request,
    code_request,
    read_client_token,
    read_revoked,
    read_tokens,
    revoke_request,
)

__all__ = [
    "all_tokens",
    "begin",
    "client_token",
    "complete",
    "complete_with_code",
    "only_account",
    "renew",
    "revoke",
    "spend",
]

OF_ONE_ACCOUNT: Final = ("damaged", "version", "key")
"""Troubles of a store that may be those of one account alone."""


def begin(
    context: Context,
    scopes: Iterable[str] | None,
    redirect_uri: str | None,
    encoding: ChallengeEncoding | None,
    *,
    always_ask: bool,
) -> Authorization:
    """Return a new sign-in: the page to open, and what its answer will be checked against.

    Raises:
        InvalidSettings: an unknown scope, or a redirect URI that is not the app's (with its port, if it is a wildcard).
    """
    app = context.app
    wanted = check_scopes(DEFAULT_SCOPES if scopes is None else scopes)
    uri = app.redirect_uri if redirect_uri is None else redirect_uri
    if not app.accepts_redirect(uri):
        raise InvalidSettings((Problem("redirect_uri", f"{uri} is not the app's {app.redirect_uri} with a port"),))
    verifier, state = Secret(make_verifier(context.entropy)), Secret(make_state(context.entropy))
    challenge = challenge_of(verifier.reveal(), encoding or app.challenge)
    return Authorization(
        url=authorization_url(
            app,
            context.endpoints,
            redirect_uri=uri,
            scopes=wanted,
            state=state,
            challenge=challenge,
            always_ask=always_ask,
        ),
        redirect_uri=uri,
        scopes=wanted,
        state=state,
        code_verifier=verifier if challenge else None,
        begun_at=context.clock.now(),
    )


async def complete(context: Context, authorization: Authorization, callback: Secret) -> Tokens:
    """Check the answer, spend its code, and keep the tokens."""
    code = granted_code(authorization, callback_of(callback))
    check_age(authorization.begun_at, context.clock.now())
    return await spend(context, code, authorization.redirect_uri, authorization.code_verifier)


async def complete_with_code(context: Context, authorization: Authorization, code: Secret) -> Tokens:
    """Spend a code that came alone, tied to this sign-in by PKCE, and keep the tokens."""
    granted = granted_code_alone(authorization, code)
    check_age(authorization.begun_at, context.clock.now())
    return await spend(context, granted, authorization.redirect_uri, authorization.code_verifier)


async def spend(context: Context, code: Secret, redirect_uri: str, code_verifier: Secret | None) -> Tokens:
    """Spend a code and keep the tokens.

    That is done once: after a lost answer the person has to sign in again.
    """
    request = code_request(context.app, context.endpoints, code, redirect_uri=redirect_uri, code_verifier=code_verifier)

    async def spent() -> Tokens:
        read, dispatch = partial(read_tokens, now=context.clock.now()), Dispatch()
        fresh = evolve(request, fresh_connection=True)
        tokens = await exchange(context, fresh, read, Operation.SPEND_CODE, dispatch=dispatch)
        if not tokens.open_id:
            raise UnexpectedResponse(request.name, "it names no open_id")
        # A person's sign-in takes the place of what is there; a renewal that is under way is refused.
        generation = await persistently(context, partial(context.tokens.save, tokens.open_id, tokens))
        if dispatch.error is not None:
            raise dispatch.error
        return evolve(tokens, generation=generation or 0)

    return await context.protect(spent())


async def client_token(context: Context) -> ClientToken:
    """Return a new token of the app itself; nothing keeps it but the caller."""
    request = client_token_request(context.app, context.endpoints)
    read = partial(read_client_token, now=context.clock.now())
    # As harmless as a read: TikTok gives out another one each time, and takes none back.
    return await exchange(context, request, read, Operation.READ)


async def renew(context: Context, account: str) -> Tokens:
    """Renew the account's tokens now, however long they would have lived."""
    tokens = await context.tokens.load(account)
    if tokens is None:
        raise SignInRequired(account, "nobody has signed in, or the sign-in was ended")
    return await refreshed(context, account, tokens)


async def revoke(context: Context, account: str) -> None:
    """End what the person granted, at TikTok and then here; tokens that TikTok no longer knows are forgotten, too."""
    if await context.tokens.load(account) is None:
        return
    # Under the lease: a renewal that is under way would store new tokens that were not ended.
    async with leased(context, account):
        tokens = await context.tokens.load(account)
        if tokens is None:
            return
        # Ended before, in whichever way: what was wanted is the case.
        with suppress(SignInRequired):
            # TikTok ends what a live token stands for.
            if tokens.is_expired(context.clock.now()):
                tokens = await context.protect(renewed_and_saved(context, account, tokens))
            try:
                await _revoked(context, tokens)
            except (GrantRejected, AccessTokenInvalid):
                # This token is dead, which says nothing of the grant: only its refresh token can.
                tokens = await context.protect(renewed_and_saved(context, account, tokens))
                with suppress(GrantRejected, AccessTokenInvalid):
                    await _revoked(context, tokens)
        there = await context.tokens.load(account)
        # Newer ones come from a new sign-in, which was not ended.
        if there is not None and not is_newer(there, tokens):
            await context.tokens.delete(account, seen=there.generation)


async def _revoked(context: Context, tokens: Tokens) -> None:
    request = revoke_request(context.app, context.endpoints, tokens.access_token)
    await exchange(context, request, read_revoked, Operation.REVOKE)


async def all_tokens(context: Context) -> tuple[Tokens, ...]:
    """Return the tokens of all accounts; what cannot be read is warned of, and costs the other accounts nothing.

    Raises:
        StoreError: the store cannot be read, or there are tokens and none of them can be read.
    """
    found: list[Tokens] = []
    unread: list[StoreError] = []
    for account in await context.tokens.accounts():
        try:
            tokens = await context.tokens.load(account)
        except StoreError as error:
            if error.kind not in OF_ONE_ACCOUNT:
                raise
            unread.append(error)
        else:
            found.extend([] if tokens is None else [tokens])
    if unread and not found:
        raise unread[0]
    for trouble in unread:
        log.warning("%s", trouble)
    return tuple(found)


async def only_account(context: Context) -> str:
    """Return the one account that is signed in.

    Raises:
        SignInRequired: none is.
        InvalidSettings: several are, so one has to be named.
    """
    accounts = await context.tokens.accounts()
    if not accounts:
        raise SignInRequired(None, "nobody is signed in")
    if len(accounts) > 1:
        raise InvalidSettings((Problem("account", f"several accounts are signed in, name one: {', '.join(accounts)}"),))
    return accounts[0]
