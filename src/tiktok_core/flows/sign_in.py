"""Signing in, in two steps that may run in two processes; revoking a grant; and the app's own token."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
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
from tiktok_core.flows.calls.context import Context
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
    "removed",
    "renew",
    "revoke",
    "spend",
]

OF_ONE_ACCOUNT: Final = ("damaged", "version", "key")
"""The kinds of `StoreError` that may concern a single account."""


def begin(
    context: Context,
    scopes: Iterable[str] | None,
    redirect_uri: str | None,
    encoding: ChallengeEncoding | None,
    *,
    always_ask: bool,
) -> Authorization:
    """Return a new sign-in: the page to open, and the values with which to check its answer.

    Raises:
        InvalidSettings: a scope is unknown, or the redirect URI is not the app's (with a concrete port for a wildcard).
    """
    app = context.app
    wanted = check_scopes(DEFAULT_SCOPES if scopes is None else scopes)
    uri = app.redirect_uri if redirect_uri is None else redirect_uri
    if not app.accepts_redirect(uri):
        raise InvalidSettings(
            (
                Problem(
                    "redirect_uri",
                    f"{uri} does not match the app's redirect URI {app.redirect_uri} (a * stands for any port)",
                ),
            )
        )
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


async def complete(context: Context, authorization: Authorization, callback: Secret, max_age: float) -> Tokens:
    """Check the answer, exchange its code, and store the tokens."""
    code = granted_code(authorization, callback_of(callback))
    check_age(authorization.begun_at, context.clock.now(), max_age)
    return await spend(context, code, authorization.redirect_uri, authorization.code_verifier)


async def complete_with_code(context: Context, authorization: Authorization, code: Secret, max_age: float) -> Tokens:
    """Exchange a code that came without its state, which only PKCE ties to this sign-in, and store the tokens."""
    granted = granted_code_alone(authorization, code)
    check_age(authorization.begun_at, context.clock.now(), max_age)
    return await spend(context, granted, authorization.redirect_uri, authorization.code_verifier)


async def spend(context: Context, code: Secret, redirect_uri: str, code_verifier: Secret | None) -> Tokens:
    """Exchange a code for tokens, and store them.

    The flow tries this once. After a lost answer, the person has to begin the sign-in again.
    """
    request = code_request(context.app, context.endpoints, code, redirect_uri=redirect_uri, code_verifier=code_verifier)

    async def spent() -> Tokens:
        read, dispatch = partial(read_tokens, now=context.clock.now()), Dispatch()
        fresh = evolve(request, fresh_connection=True)
        tokens = await exchange(context, fresh, read, Operation.SPEND_CODE, dispatch=dispatch)
        if not tokens.open_id:
            raise UnexpectedResponse(request.name, "it has no open_id")
        # The new tokens replace any others in the store. A renewal that is running then cannot save its tokens.
        about = context.about(account=tokens.open_id)
        generation = await persistently(about, partial(context.tokens.save, tokens.open_id, tokens))
        if dispatch.error is not None:
            raise dispatch.error
        return evolve(tokens, generation=generation or 0)

    return await context.protect(spent())


async def client_token(context: Context) -> ClientToken:
    """Return a new token of the app itself. The library does not store it."""
    request = client_token_request(context.app, context.endpoints)
    read = partial(read_client_token, now=context.clock.now())
    # Safe to repeat, like a read: TikTok issues another token each time, and the earlier ones stay valid.
    return await exchange(context, request, read, Operation.READ)


async def renew(context: Context, account: str) -> Tokens:
    """Renew the account's tokens now, even if they are valid for longer."""
    tokens = await context.tokens.load(account)
    if tokens is None:
        raise SignInRequired(account, "it never signed in, or its sign-in was ended")
    return await refreshed(context, account, tokens)


async def revoke(context: Context, account: str) -> None:
    """Revoke the person's grant at TikTok, then delete the tokens here, even if TikTok no longer knows them."""
    if await context.tokens.load(account) is None:
        return
    # Under the lease, so that no other process renews the tokens meanwhile: its new tokens would not be revoked.
    context = context.about(account=account)
    async with leased(context, account):
        tokens = await context.tokens.load(account)
        if tokens is None:
            return
        # `SignInRequired` means that the grant has ended already, which is the caller's aim.
        with suppress(SignInRequired):
            # TikTok revokes a grant by a live access token only.
            if tokens.is_expired(context.clock.now()):
                tokens = await context.protect(renewed_and_saved(context, account, tokens))
            try:
                await _revoked(context, tokens)
            except (GrantRejected, AccessTokenInvalid):
                # The access token is dead, but the grant may still live: only the refresh token can show that.
                tokens = await context.protect(renewed_and_saved(context, account, tokens))
                with suppress(GrantRejected, AccessTokenInvalid):
                    await _revoked(context, tokens)
        there = await context.tokens.load(account)
        # Newer tokens come of a new sign-in, which this call must not delete.
        if there is not None and not is_newer(there, tokens):
            await context.tokens.delete(account, seen=there.generation)


async def removed(context: Context, account: str, at: datetime) -> None:
    """Mark an account's tokens as refused, after TikTok reported that the person removed the authorization `at` that time.

    Tokens that were issued later come of a newer sign-in, and stay as they are. Nothing is deleted.
    """
    tokens = await context.tokens.load(account)
    while tokens is not None and not tokens.is_refused and tokens.issued_at <= at:
        if await context.tokens.save(account, evolve(tokens, is_refused=True), seen=tokens.generation) is not None:
            return
        tokens = await context.tokens.load(account)


async def _revoked(context: Context, tokens: Tokens) -> None:
    request = revoke_request(context.app, context.endpoints, tokens.access_token)
    await exchange(context, request, read_revoked, Operation.REVOKE)


async def all_tokens(context: Context) -> tuple[Tokens, ...]:
    """Return the tokens of all accounts. Log a warning for tokens that cannot be read, and leave them out.

    Raises:
        StoreError: the store cannot be read, or it holds tokens and none of them can be read.
    """
    found: list[Tokens] = []
    unread: list[tuple[str, StoreError]] = []
    for account in await context.tokens.accounts():
        try:
            tokens = await context.tokens.load(account)
        except StoreError as error:
            if error.kind not in OF_ONE_ACCOUNT:
                raise
            unread.append((account, error))
        else:
            found.extend([] if tokens is None else [tokens])
    if unread and not found:
        raise unread[0][1]
    for account, trouble in unread:
        context.log.warning("%s", trouble, account=account)
    return tuple(found)


async def only_account(context: Context) -> str:
    """Return the only account that is signed in.

    Raises:
        SignInRequired: no account is signed in.
        InvalidSettings: several accounts are signed in, so the caller has to name one.
    """
    accounts = await context.tokens.accounts()
    if not accounts:
        raise SignInRequired(None, "no account is signed in")
    if len(accounts) > 1:
        raise InvalidSettings(
            (Problem("account", f"several accounts are signed in; name one of {', '.join(accounts)}"),)
        )
    return accounts[0]
