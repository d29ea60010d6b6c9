"""Signing in by QR code: the two calls of an app, and the phone that scans the app's code.

What belongs here: https://developers.tiktok.com/doc/login-kit-qr-code-authorization. A page of the sandbox plays the phone: a
person enters the URL of the QR code there, because a real phone cannot reach a simulated TikTok.
"""

from typing import Final
from urllib.parse import parse_qsl, urlencode

from tiktok_adapters.simulator.accounts import App
from tiktok_adapters.simulator.answers import OAuthRefused, json_answer
from tiktok_adapters.simulator.calls import Call, single_values
from tiktok_adapters.simulator.consent import Faulty, allowed_by, form_of, given_scopes, new_code
from tiktok_adapters.simulator.oauth import NO_STORE, client, required
from tiktok_adapters.simulator.pages import consent_page, error_page, html, phone_page
from tiktok_adapters.simulator.world import QrCode, World
from tiktok_core.wire.http import Response

__all__ = ["PHONE", "check_qrcode", "get_qrcode", "phone"]

PHONE: Final = "/phone/"
PLACEHOLDER: Final = "tobefilled"
LONGEST_TICKET: Final = 512


def get_qrcode(world: World, call: Call) -> Response:
    """Answer `POST /v2/oauth/get_qrcode/`, which needs no secret.

    Raises:
        OAuthRefused: the app is unknown, or may not ask for a scope.
    """
    form = call.form()
    app = world.app(required(form, "client_key"))
    if app is None:
        raise OAuthRefused("invalid_client", "Client key is incorrect.")
    scopes = tuple(dict.fromkeys(required(form, "scope").split(",")))
    if not set(scopes) <= set(app.scopes):
        raise OAuthRefused("invalid_scope", "The scope is unknown, malformed or not approved.")
    token = world.chance.letters(32)
    expires = world.later(world.switches.qr_seconds)
    world.qr_codes[token] = QrCode(app=app, scopes=scopes, state=form.get("state", ""), expires_at=expires)
    said = {"client_key": app.client_key, "client_ticket": PLACEHOLDER, "scope": ",".join(scopes), "token": token}
    return json_answer({"scan_qrcode_url": f"aweme://authorize?{urlencode(said)}", "token": token}, 200, NO_STORE)


def check_qrcode(world: World, call: Call) -> Response:
    """Answer `POST /v2/oauth/check_qrcode/`.

    Raises:
        OAuthRefused: the credentials are wrong, or the token belongs to no QR code of this app.
    """
    form = call.form()
    app = client(world, form)
    drawn = world.qr_codes.get(required(form, "token"))
    if drawn is None or drawn.app is not app:
        raise OAuthRefused("invalid_request", "The token is invalid.")
    status = _status(world, drawn)
    answer = {"client_ticket": drawn.ticket, "status": status, "redirect_uri": "", "state": drawn.state}
    if status == "confirmed" and world.switches.qr_code_in == "code":
        answer["code"] = drawn.code
    elif status == "confirmed":
        answer["redirect_uri"] = f"{world.codes[drawn.code].redirect_uri}?{urlencode({'code': drawn.code})}"
    return json_answer(answer, 200, NO_STORE)


def phone(world: World, call: Call) -> Response:
    """Answer the phone: GET scans a code, POST brings the person's decision."""
    try:
        if call.request.method == "POST":
            values, granted = form_of(call)
            return _decide(world, values, granted)
        values, repeated = single_values(call.query)
        if not values:
            return html(phone_page())
        if repeated:
            raise Faulty(repeated, "The address contains this parameter more than once.")
        drawn, ticket = _scanned(world, values)
        drawn.ticket = ticket
        note = "You have scanned a QR code; afterwards return to the program that showed it"
        return html(consent_page(drawn.app, world.creators, drawn.scopes, {"scanned": values["scanned"]}, note))
    except Faulty as fault:
        return html(error_page(fault.parameter, fault.sentence), 400)


def _status(world: World, drawn: QrCode) -> str:
    if drawn.code:
        return "utilised" if world.codes[drawn.code].used else "confirmed"
    # TikTok does not document its answer after a denial.
    if drawn.denied or world.now >= drawn.expires_at:
        return "expired"
    return "scanned" if drawn.ticket else "new"


def _scanned(world: World, values: dict[str, str]) -> tuple[QrCode, str]:
    scheme, _mark, query = values.get("scanned", "").strip().partition("://authorize?")
    said, _repeated = single_values(parse_qsl(query))
    drawn = world.qr_codes.get(said.get("token", ""))
    if scheme != "aweme" or drawn is None:
        raise Faulty("scanned", "This is not the QR code of an app.")
    if _status(world, drawn) not in {"new", "scanned"}:
        raise Faulty("token", "This QR code has expired.")
    ticket = said.get("client_ticket", PLACEHOLDER)
    if ticket == PLACEHOLDER or len(urlencode({"": ticket})) > LONGEST_TICKET:
        raise Faulty("client_ticket", "The app has to fill in its own ticket, of less than 512 characters.")
    return drawn, ticket


def _decide(world: World, values: dict[str, str], granted: list[str]) -> Response:
    drawn, _ticket = _scanned(world, values)
    creator = allowed_by(world, drawn.app, values)
    if creator is None:
        drawn.denied = True
        return html(phone_page("You denied the request"))
    scopes = given_scopes(world, drawn.scopes, granted)
    uri = "" if world.switches.qr_code_in == "code" else _redirect(drawn.app)
    drawn.code = new_code(world, drawn.app, creator, scopes, redirect_uri=uri, challenge=None)
    return html(phone_page("Done: return to the program that showed the QR code"))


def _redirect(app: App) -> str:
    """Return the redirect URI of an app's QR codes. TikTok does not document which one it takes."""
    return next((uri for uri in app.redirect_uris if "*" not in uri), app.redirect_uris[0].replace(":*", "", 1))
