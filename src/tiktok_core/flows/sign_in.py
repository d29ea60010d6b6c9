"""Signing in, in two steps that may run in two processes; and ending what was granted."""

from collections.abc import Iterable
from contextlib import suppress
from functools import partial

from attrs import evolve

from tiktok_core.domain.app import DEFAULT_SCOPES, check_scopes
from tiktok_core.domain.pkce import ChallengeEncoding, challenge_of, encoding_for, make_state, make_verifier
from tiktok_core.domain.retry import Operation
from tiktok_core.domain.sign_in import Authorization, granted_code
from tiktok_core.domain.tokens import Secret, Tokens
from tiktok_core.errors import (
    AccessTokenInvalid,
    GrantRejected,
    InvalidSettings,
    Problem,
    SignInRequired,
    UnexpectedResponse,
)
from tiktok_core.flows.access import refreshed, usable_tokens
from tiktok_core.flows.exchange import Context, exchange
from tiktok_core.wire.oauth import (
    authorization_url,
    callback_of,
    code_request,
    read_revoked,
    read_tokens,
    revoke_request,
)

__all__ = ["begin", "complete", "only_account", "renew", "revoke"]


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
    verifier, state = make_verifier(context.entropy), make_state(context.entropy)
    challenge = challenge_of(verifier, encoding or encoding_for(app.kind))
    url = authorization_url(
        app,
        context.endpoints,
        redirect_uri=uri,
        scopes=wanted,
        state=state,
        challenge=challenge,
        always_ask=always_ask,
    )
    return Authorization(
        url=url,
        redirect_uri=uri,
        scopes=wanted,
        state=Secret(state),
        code_verifier=Secret(verifier) if challenge else None,
    )


async def complete(context: Context, authorization: Authorization, callback: str) -> Tokens:
    """Check the answer, spend its code, and keep the tokens.

    The code is spent once: after a lost answer the sign-in has to begin anew.
    """
    code = granted_code(authorization, callback_of(callback))
    request = evolve(code_request(context.app, context.endpoints, authorization, code), fresh_connection=True)

    async def spend() -> Tokens:
        read = partial(read_tokens, now=context.clock.now())
        tokens = await exchange(context, request, read, Operation.SPEND_CODE)
        if not tokens.open_id:
            raise UnexpectedResponse(request.name, "it names no open_id")
        await context.tokens.save(tokens.open_id, tokens)
        return tokens

    return await context.protect(spend())


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
    # Ended before, in whichever way: what was wanted is the case.
    with suppress(GrantRejected, AccessTokenInvalid, SignInRequired):
        # TikTok ends what a live token stands for.
        tokens = await usable_tokens(context, account)
        request = revoke_request(context.app, context.endpoints, tokens.access_token)
        await exchange(context, request, read_revoked, Operation.REVOKE)
    await context.tokens.delete(account)


async def only_account(context: Context) -> str:
    """Return the one account that is signed in.

    Raises:
        SignInRequired: nobody is.
        InvalidSettings: several are, so one has to be named.
    """
    accounts = await context.tokens.accounts()
    if not accounts:
        raise SignInRequired(None, "nobody is signed in")
    if len(accounts) > 1:
        raise InvalidSettings((Problem("account", f"several accounts are signed in, name one: {', '.join(accounts)}"),))
    return accounts[0]
