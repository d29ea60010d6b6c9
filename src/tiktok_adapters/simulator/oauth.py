"""The token and revoke endpoints. Source: https://developers.tiktok.com/doc/oauth-user-access-token-management.

What belongs here: exchanging codes, refreshing, client tokens, revoking, and the flat refusals of these calls.
"""

import hmac
from collections.abc import Callable, Mapping
from typing import Any, Final

from tiktok_adapters.simulator.accounts import App, Creator
from tiktok_adapters.simulator.answers import OAuthRefused, json_answer
from tiktok_adapters.simulator.calls import Call
from tiktok_adapters.simulator.rules import is_loopback, proves, redirect_matches
from tiktok_adapters.simulator.switches import Encoding
from tiktok_adapters.simulator.world import Code, Token, World
from tiktok_core.wire.http import Response

__all__ = ["NO_STORE", "challenge_rules", "client", "required", "revoke", "token"]

CLIENT_TOKEN_SECONDS: Final = 7200
NO_STORE: Final = {"cache-control": "no-store"}


def token(world: World, call: Call) -> Response:
    """Answer `POST /v2/oauth/token/`.

    Raises:
        OAuthRefused: it carries the documented word and, if there is one, the documented description.
    """
    form = call.form()
    grant_type = required(form, "grant_type")
    if grant_type == "authorization_code" and world.switches.token_order == "code":  # noqa: S105 - it is a word, no password
        # TikTok looks at the code first, so that a bad code hides bad credentials.
        _live_code(world, required(form, "code"))
    app = client(world, form)
    grant = _GRANTS.get(grant_type)
    if grant is None:
        raise OAuthRefused("unsupported_grant_type", "The grant type is not supported.")
    if grant_type not in app.grant_types:
        raise OAuthRefused("unauthorized_client", "The client may not use this grant type.")
    return json_answer(grant(world, app, form), 200, NO_STORE)


def revoke(world: World, call: Call) -> Response:
    """Answer `POST /v2/oauth/revoke/`: every token of this account for this app becomes invalid.

    Raises:
        OAuthRefused: the credentials are wrong, or the token is not valid.
    """
    form = call.form()
    app = client(world, form)
    given = world.live_token(required(form, "token"), "access")
    if given is None or given.app is not app or given.creator is None:
        if world.switches.revoke_unknown == "refuse":
            raise OAuthRefused("invalid_grant", "The token is invalid, expired or revoked.")
    else:
        world.disconnect(app, given.creator)
    return Response(200, {}, b"") if world.switches.revoke_body == "empty" else json_answer({})


def challenge_rules(world: World, app: App, redirect_uri: str) -> tuple[str, Encoding]:
    """Return whether this flow's code challenge is `required`, `optional` or `ignored`, and its encoding."""
    if app.kind == "desktop" or (app.kind == "both" and is_loopback(redirect_uri)):
        return "required", world.switches.pkce
    return world.switches.web_challenge, world.switches.web_pkce


def client(world: World, form: Mapping[str, str]) -> App:
    """Return the app whose credentials are in a form.

    Raises:
        OAuthRefused: the credentials are missing or wrong.
    """
    key = required(form, "client_key")
    if not form.get("client_secret"):
        raise OAuthRefused("invalid_request", "Client secret is missed in request.")
    app = world.app(key)
    if app is None or not hmac.compare_digest(app.client_secret.encode(), form["client_secret"].encode()):
        raise OAuthRefused("invalid_client", "Client key or secret is incorrect.")
    return app


def required(form: Mapping[str, str], name: str) -> str:
    """Return a field of a form.

    Raises:
        OAuthRefused: the field is missing.
    """
    if not form.get(name):
        raise OAuthRefused("invalid_request", f"The parameter {name} is missing.")
    return form[name]


def _by_code(world: World, app: App, form: Mapping[str, str]) -> dict[str, Any]:
    text, redirect_uri = required(form, "code"), required(form, "redirect_uri")
    code = _live_code(world, text)
    if code.app is not app:
        raise _expired()
    if not _fits(code, redirect_uri):
        raise OAuthRefused("invalid_request", "Redirect_uri is not matched with the uri when requesting code.")
    _check_proof(world, app, code, form.get("code_verifier", ""))
    code.used = True
    return _user_tokens(world, app, code.creator, code.scopes)


def _live_code(world: World, text: str) -> Code:
    code = world.codes.get(text)
    if code is None or code.used or world.now >= code.expires_at:
        raise _expired()
    return code


def _expired() -> OAuthRefused:
    # The same words for a code that was cut short, is unknown, or belongs to another app.
    return OAuthRefused("invalid_grant", "Authorization code is expired.")


def _fits(code: Code, redirect_uri: str) -> bool:
    if code.redirect_uri:
        return redirect_uri == code.redirect_uri
    return any(redirect_matches(registered, redirect_uri) for registered in code.app.redirect_uris)


def _check_proof(world: World, app: App, code: Code, verifier: str) -> None:
    need, encoding = challenge_rules(world, app, code.redirect_uri)
    if code.challenge is None or need == "ignored" or (need == "optional" and not code.challenge):
        return
    if not proves(verifier, code.challenge, encoding, any_length=world.switches.verifier_length == "any"):
        raise OAuthRefused("invalid_request", "Code verifier or code challenge is invalid.")


def _by_refresh(world: World, app: App, form: Mapping[str, str]) -> dict[str, Any]:
    text = required(form, "refresh_token")
    old = world.live_token(text, "refresh")
    if old is None or old.app is not app or old.creator is None:
        raise OAuthRefused("invalid_grant", "Refresh token is invalid or expired.")
    if world.switches.refresh_kills_access:
        for known in world.tokens.values():
            known.dead |= known.kind == "access" and known.app is app and known.creator is old.creator
    if not world.switches.token_life.rotate:
        return _user_tokens(world, app, old.creator, old.scopes, refresh_token=text)
    old.dead = True
    return _user_tokens(world, app, old.creator, old.scopes)


def _by_client(world: World, app: App, _form: Mapping[str, str]) -> dict[str, Any]:
    text = "clt." + world.chance.letters(48)
    expires = world.later(CLIENT_TOKEN_SECONDS)
    world.tokens[text] = Token(kind="client", app=app, creator=None, scopes=(), expires_at=expires)
    return {"access_token": text, "expires_in": CLIENT_TOKEN_SECONDS, "token_type": "Bearer"}


_GRANTS: Final[Mapping[str, Callable[[World, App, Mapping[str, str]], dict[str, Any]]]] = {
    "authorization_code": _by_code,
    "refresh_token": _by_refresh,
    "client_credentials": _by_client,
}


def _user_tokens(
    world: World, app: App, creator: Creator, scopes: tuple[str, ...], *, refresh_token: str = ""
) -> dict[str, Any]:
    life = world.switches.token_life
    access = "act." + world.chance.letters(64)
    expires = world.later(life.access)
    world.tokens[access] = Token(kind="access", app=app, creator=creator, scopes=scopes, expires_at=expires)
    if not refresh_token:
        refresh_token = "rft." + world.chance.letters(64)
        expires = world.later(life.refresh)
        world.tokens[refresh_token] = Token(kind="refresh", app=app, creator=creator, scopes=scopes, expires_at=expires)
    left = world.tokens[refresh_token].expires_at - world.now
    return {
        "access_token": access,
        "expires_in": life.access,
        "open_id": world.account(app, creator),
        "refresh_token": refresh_token,
        "refresh_expires_in": int(left.total_seconds()),
        "scope": ",".join(scopes),
        "token_type": "Bearer",
    }
