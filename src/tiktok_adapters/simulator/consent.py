"""The authorization page: check the app's request, ask the person, and redirect the browser.

What belongs here: https://developers.tiktok.com/doc/login-kit-desktop and /doc/login-kit-web. A faulty request gets a page
that names the parameter, as its address does; it is never redirected to the app. The HTML is in `pages.py`.
"""

from collections.abc import Callable, Iterable, Mapping
from html.parser import HTMLParser
from typing import Final
from urllib.parse import parse_qsl, urlencode

from attrs import frozen

from tiktok_adapters.simulator.accounts import App, Creator
from tiktok_adapters.simulator.calls import Call, single_values
from tiktok_adapters.simulator.oauth import challenge_rules
from tiktok_adapters.simulator.pages import consent_page, error_page, html
from tiktok_adapters.simulator.rules import SCOPES, redirect_matches, spelled_as
from tiktok_adapters.simulator.world import Code, World
from tiktok_core.wire.http import Response

__all__ = ["ConsentForm", "Faulty", "allowed_by", "authorize", "form_of", "given_scopes", "new_code"]

BASIC: Final = "user.info.basic"
_ASKED: Final = (
    *("client_key", "scope", "response_type", "redirect_uri", "state"),
    *("code_challenge", "code_challenge_method", "disable_auto_auth"),
)


_ERRORS: Final[Mapping[str, tuple[str, str]]] = {
    "client_key": ("unauthorized_client", ""),
    "client_id": ("param_error", "10003"),
    "scope": ("invalid_scope", ""),
    "redirect_uri": ("invalid_request", ""),
    "code_challenge": ("param_error", "10007"),
    "code_challenge_method": ("param_error", "10008"),
    "non_sandbox_target": ("access_denied", ""),
}
"""`error` and `errCode` in the address of the error page, as observed, by the fault."""
_AFTERWARDS: Final[Mapping[str, str]] = {
    "account": "Choose one of the accounts.",
    "non_sandbox_target": "This account is not a target user of the sandbox.",
}
"""The sentences about faults that are not in the app's request."""
_SAID: Final = ("error", "error_type", "errCode")


class Faulty(Exception):
    """The request or the person's answer is wrong; the page names the parameter.

    Args:
        parameter: the faulty parameter.
        sentence: what is wrong with it.
        fault: the key in the table of errors, if it is not the parameter.
    """

    def __init__(self, parameter: str, sentence: str, fault: str = "") -> None:
        super().__init__(parameter)
        self.parameter = parameter
        self.sentence = sentence
        self.error, self.code = _ERRORS.get(fault or parameter, ("param_error", ""))

    @property
    def address(self) -> dict[str, str]:
        """What the address of TikTok's error page says of this fault."""
        said = {"error": self.error, "error_type": self.parameter}
        return {**said, "errCode": self.code} if self.code else said


@frozen
class _Ask:
    """The app's request for consent, after its checks."""

    app: App
    redirect_uri: str
    state: str
    scopes: tuple[str, ...]
    challenge: str
    parameters: Mapping[str, str]


def authorize(world: World, call: Call) -> Response:
    """Answer the authorization page: GET shows the page, POST brings the person's decision.

    A faulty request leads to the error page, whose address has the request's parameters and names the fault.
    """
    if call.request.method == "POST":
        try:
            values, granted = form_of(call)
        except Faulty as fault:
            return _shown(fault)
        asked = [(name, values[name]) for name in _ASKED if name in values]
        return _or_its_error(call, asked, lambda: _decide(world, values, granted))
    if any(name == "error_type" for name, _value in call.query):
        return _error_page(world, call)
    return _or_its_error(call, call.query, lambda: _ask(world, *single_values(call.query)))


def _or_its_error(call: Call, asked: Iterable[tuple[str, str]], answer: Callable[[], Response]) -> Response:
    try:
        return answer()
    except Faulty as fault:
        query = urlencode([*asked, *fault.address.items()])
        return Response(302, {"location": f"{call.path}?{query}", "cache-control": "no-store"})


def _shown(fault: Faulty) -> Response:
    return html(error_page(fault.parameter, fault.sentence), 400)


def _error_page(world: World, call: Call) -> Response:
    """Show the fault that the address names; the sentence comes from a second check of the request beside it."""
    parameter = next(value for name, value in call.query if name == "error_type")
    values, repeated = single_values([pair for pair in call.query if pair[0] not in _SAID])
    try:
        _check(world, values, repeated)
    except Faulty as fault:
        if fault.parameter == parameter:
            return _shown(fault)
    return _shown(Faulty(parameter, _AFTERWARDS.get(parameter, "Begin again in the app.")))


def _ask(world: World, values: Mapping[str, str], repeated: str) -> Response:
    ask = _check(world, values, repeated)
    if ask.parameters["response_type"] != "code":
        return _back(ask, {"error": "unsupported_response_type", "error_description": "Only code is supported."})
    if world.switches.auto_auth and ask.parameters.get("disable_auto_auth") != "1" and (who := _session(world, ask)):
        return _allow(world, ask, who, given_scopes(world, ask.scopes, ask.scopes))
    if world.switches.auto_consent is not None:
        pressed = {**ask.parameters, "account": world.switches.auto_consent, "decision": "allow"}
        return _decide(world, pressed, list(ask.scopes))
    back = f"Afterwards you return to {ask.redirect_uri}"
    return html(consent_page(ask.app, world.creators, ask.scopes, ask.parameters, back))


def _check(world: World, given: Mapping[str, str], repeated: str) -> _Ask:
    if repeated:
        raise Faulty(repeated, "The address contains this parameter more than once.")
    app = world.app(given.get("client_key", ""))
    if app is None and "client_key" not in given and "client_id" in given:
        raise Faulty("client_key", "The parameter is called client_key, and not client_id.", "client_id")
    if app is None:
        raise Faulty("client_key", "No app has this client key.")
    if not app.approved:
        raise Faulty("client_key", "TikTok has not approved this app yet; until then only a sandbox's key works.")
    redirect_uri = given.get("redirect_uri", "")
    if not any(redirect_matches(registered, redirect_uri) for registered in app.redirect_uris):
        raise Faulty("redirect_uri", "This is none of the redirect URIs that the app has registered.")
    for name in ("state", "response_type"):
        if not given.get(name) and (name != "state" or world.switches.state_required):
            raise Faulty(name, "This parameter is required.")
    if given.get("disable_auto_auth", "0") not in {"0", "1"}:
        raise Faulty("disable_auto_auth", "This parameter is 0 or 1.")
    scopes = _scopes(app, given.get("scope", ""))
    challenge = _challenge(world, app, redirect_uri, given)
    kept = {name: given[name] for name in _ASKED if name in given}
    return _Ask(app, redirect_uri, given.get("state", ""), scopes, challenge, kept)


def _scopes(app: App, text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if not text or any(name not in SCOPES for name in names):
        raise Faulty("scope", "Scopes are names of TikTok's, separated by commas, without blanks.")
    if any(name not in app.scopes for name in names):
        raise Faulty("scope", "The app is not approved for one of these scopes.")
    return tuple(dict.fromkeys(names))


def _challenge(world: World, app: App, redirect_uri: str, given: Mapping[str, str]) -> str:
    challenge = given.get("code_challenge", "")
    need, encoding = challenge_rules(world, app, redirect_uri)
    if need == "ignored" or (need == "optional" and not challenge):
        return ""
    if not challenge:
        raise Faulty("code_challenge", "This app needs a code challenge.")
    if given.get("code_challenge_method") != "S256":
        raise Faulty("code_challenge_method", "The only method is S256.")
    if world.switches.challenge_check == "authorize" and not spelled_as(challenge, encoding):
        raise Faulty("code_challenge", "A code challenge is the SHA-256 of the verifier as 64 hexadecimal digits.")
    return challenge


def _session(world: World, ask: _Ask) -> Creator | None:
    return next(
        (who for (app, who), scopes in world.consents.items() if app is ask.app and scopes >= set(ask.scopes)), None
    )


def _decide(world: World, values: Mapping[str, str], granted: list[str]) -> Response:
    ask = _check(world, values, "")
    creator = allowed_by(world, ask.app, values)
    if creator is None:
        return _back(ask, {"error": "access_denied", "error_description": "User denied the authorization request."})
    return _allow(world, ask, creator, given_scopes(world, ask.scopes, granted))


def given_scopes(world: World, asked: tuple[str, ...], ticked: Iterable[str]) -> tuple[str, ...]:
    """Return the scopes that a sign-in gives: the ticked ones, and the one that comes with every sign-in."""
    given = tuple(name for name in asked if name in set(ticked))
    return given if world.switches.basic_scope == "asked" or BASIC in given else (BASIC, *given)


def form_of(call: Call) -> tuple[dict[str, str], list[str]]:
    """Return the fields of the consent page's form, and the scopes that stayed ticked.

    Raises:
        Faulty: the body is not this form.
    """
    if call.media_type != "application/x-www-form-urlencoded":
        raise Faulty("content-type", "The page sends a form.")
    pairs = parse_qsl(call.body.decode(errors="replace"), keep_blank_values=True)
    granted = [value for name, value in pairs if name == "granted"]
    values, repeated = single_values([pair for pair in pairs if pair[0] != "granted"])
    if repeated:
        raise Faulty(repeated, "The form contains this field more than once.")
    return values, granted


def allowed_by(world: World, app: App, values: Mapping[str, str]) -> Creator | None:
    """Return the creator who pressed Allow; None for a denial.

    Raises:
        Faulty: no account was chosen, or the account may not sign in.
    """
    if values.get("decision") != "allow":
        return None
    creator = world.creator(values.get("account", ""))
    if creator is None:
        raise Faulty("account", _AFTERWARDS["account"])
    if app.target_users is not None and creator.username not in app.target_users:
        raise Faulty("non_sandbox_target", _AFTERWARDS["non_sandbox_target"])
    return creator


def _allow(world: World, ask: _Ask, creator: Creator, scopes: tuple[str, ...]) -> Response:
    code = new_code(world, ask.app, creator, scopes, redirect_uri=ask.redirect_uri, challenge=ask.challenge)
    return _back(ask, {"code": code, "scopes": ",".join(scopes)})


def new_code(
    world: World, app: App, creator: Creator, scopes: tuple[str, ...], *, redirect_uri: str, challenge: str | None
) -> str:
    """Return an authorization code for a creator's grant; an empty redirect URI means any of the app's."""
    text = world.chance.code()
    world.codes[text] = Code(
        app=app,
        creator=creator,
        scopes=scopes,
        redirect_uri=redirect_uri,
        challenge=challenge,
        expires_at=world.later(world.switches.code_seconds),
    )
    world.consents[app, creator] = frozenset(scopes)
    return text


def _back(ask: _Ask, parameters: Mapping[str, str]) -> Response:
    echoed = {"state": ask.state} if ask.state else {}
    location = f"{ask.redirect_uri}?{urlencode({**parameters, **echoed})}"
    return Response(302, {"location": location, "cache-control": "no-store"})


class ConsentForm(HTMLParser):
    """Reads the consent page as a browser does: its hidden fields, and the faulty parameter if the page shows one."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.hidden: list[tuple[str, str]] = []
        self.scopes: list[str] = []
        self.accounts: list[str] = []
        self.parameter = ""
        self._in_parameter = False
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Read a field of the form."""
        values = {name: value or "" for name, value in attrs}
        self._in_parameter = values.get("id") == "parameter"
        if tag != "input":
            return
        if values.get("type") == "hidden":
            self.hidden.append((values["name"], values["value"]))
        elif values.get("name") == "granted":
            self.scopes.append(values["value"])
        elif values.get("name") == "account":
            self.accounts.append(values["value"])

    def handle_data(self, data: str) -> None:
        """Read the faulty parameter."""
        if self._in_parameter:
            self.parameter += data

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002 - the signature is HTMLParser's
        """Leave the element."""
        self._in_parameter = False

    def answered(self, account: str | None, scopes: tuple[str, ...] | None, *, allow: bool) -> bytes:
        """Return the body that a browser would post (default: the first account, with all scopes)."""
        chosen = self.scopes if scopes is None else scopes
        fields = [*self.hidden, ("account", account or self.accounts[0]), *(("granted", name) for name in chosen)]
        return urlencode([*fields, ("decision", "allow" if allow else "deny")]).encode()
