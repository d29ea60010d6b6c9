"""Consent page, codes, tokens, refresh and revoke."""

import hashlib
import json
from collections.abc import Callable
from html import escape
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tiktok_adapters.clocks import ManualClock
from tiktok_adapters.simulator import API_URL, AUTH_URL, App, Creator, SimulatedTikTok, callback_values
from tiktok_core.wire.http import Request

RFC = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
HEX = "13d31e961a1ad8ec2f16b10c4c982e0876a878ad6df144566ee1894acb70f9c3"


def test_consent_leads_back_with_a_code(play: Any) -> None:
    """Allow redirects with code, granted scopes and state; the code has characters that need escaping."""
    url = play.sim.authorize(play.authorize_url(), scopes=["user.info.basic", "video.upload"])
    values = callback_values(url)
    assert url.startswith("http://127.0.0.1:3455/callback/?code=")
    assert {"*", "!"} <= set(values["code"])
    assert "%2A" in url
    assert "%21" in url
    assert values["scopes"] == "user.info.basic,video.upload"
    assert values["state"] == "st&<ate>"


def test_the_page_is_served_without_its_last_slash_too(play: Any) -> None:
    """Clients that leave the slash out get the same page, and its form leads back with a code that works."""
    url = play.authorize_url().replace("/authorize/?", "/authorize?")
    page = play.sim.handle(Request(method="GET", url=url))
    assert (page.status, page.body) == (200, play.sim.handle(Request(method="GET", url=play.authorize_url())).body)
    assert play.exchange(callback_values(play.sim.authorize(url))["code"]).code == "ok"
    elsewhere = Request(method="GET", url=url.replace("www.tiktok.com", "open.tiktokapis.com"))
    assert play.sim.handle(elsewhere).status == 404


@pytest.mark.parametrize(
    ("switch", "granted"), [("always", "user.info.basic,video.publish"), ("asked", "video.publish")]
)
def test_the_basic_scope_comes_with_every_sign_in(play: Any, switch: str, granted: str) -> None:
    """An app that asks for one scope gets the basic one too; with a switch it gets only what it asks for."""
    play.sim.switches.basic_scope = switch
    values = callback_values(play.sim.authorize(play.authorize_url(scope="video.publish")))
    assert values["scopes"] == granted
    assert play.exchange(values["code"]).document["scope"] == granted
    unticked = play.sim.authorize(play.authorize_url(scope="user.info.basic,video.publish"), scopes=["video.publish"])
    assert callback_values(unticked)["scopes"] == granted


def test_denial(play: Any) -> None:
    """Deny redirects with access_denied and the state, without a code."""
    values = callback_values(play.sim.authorize(play.authorize_url(), allow=False))
    assert values["error"] == "access_denied"
    assert values["state"] == "st&<ate>"
    assert "code" not in values


@pytest.mark.parametrize(
    ("changes", "parameter"),
    [
        ({"client_key": "unknown"}, "client_key"),
        ({"client_key": None, "client_id": "sbawsimulated0001"}, "client_key"),
        ({"redirect_uri": "http://127.0.0.1:3455/other/"}, "redirect_uri"),
        ({"redirect_uri": None}, "redirect_uri"),
        ({"state": None}, "state"),
        ({"response_type": None}, "response_type"),
        ({"scope": "user.info.basic video.upload"}, "scope"),
        ({"scope": "no.such.scope"}, "scope"),
        ({"scope": "research.data.basic"}, "scope"),
        ({"scope": ""}, "scope"),
        ({"code_challenge": None}, "code_challenge"),
        ({"code_challenge_method": "plain"}, "code_challenge_method"),
        ({"code_challenge_method": None}, "code_challenge_method"),
        ({"disable_auto_auth": "yes"}, "disable_auto_auth"),
    ],
)
def test_faulty_requests_stay_on_the_page(play: Any, changes: dict[str, str | None], parameter: str) -> None:
    """A faulty request gets a page that names the parameter, and never a redirect to the app."""
    with pytest.raises(ValueError, match=rf"refuses {parameter}$"):
        play.sim.authorize(play.authorize_url(**changes))
    answer = play.sim.handle(Request(method="GET", url=play.authorize_url(**changes)))
    assert answer.headers["location"].startswith("/v2/auth/authorize/?")
    page = play.sim.handle(Request(method="GET", url=urljoin(AUTH_URL, answer.headers["location"])))
    assert page.status == 400
    assert "location" not in page.headers


UNSIGNED: list[tuple[dict[str, str | None], dict[str, Any], dict[str, str]]] = [
    ({"client_key": "unknown"}, {}, {"error": "unauthorized_client", "error_type": "client_key"}),
    ({}, {"approved": False}, {"error": "unauthorized_client", "error_type": "client_key"}),
    (
        {"client_key": None, "client_id": "x"},
        {},
        {"error": "param_error", "error_type": "client_key", "errCode": "10003"},
    ),
    ({"scope": "research.data.basic"}, {}, {"error": "invalid_scope", "error_type": "scope"}),
    ({"redirect_uri": "https://elsewhere.example/"}, {}, {"error": "invalid_request", "error_type": "redirect_uri"}),
    ({"code_challenge": None}, {}, {"error": "param_error", "error_type": "code_challenge", "errCode": "10007"}),
    (
        {"code_challenge_method": "plain"},
        {},
        {"error": "param_error", "error_type": "code_challenge_method", "errCode": "10008"},
    ),
    ({}, {"target_users": ()}, {"error": "access_denied", "error_type": "non_sandbox_target"}),
]


@pytest.mark.parametrize(("changes", "portal", "said"), UNSIGNED)
def test_the_address_of_the_error_page_names_the_fault(
    play: Any, changes: dict[str, str | None], portal: dict[str, Any], said: dict[str, str]
) -> None:
    """The address keeps every parameter of the request, the state too, and gains error, error_type and errCode."""
    for name, value in portal.items():
        setattr(play.sim.app, name, value)
    url = play.authorize_url(**changes)
    answer = play.sim.handle(Request(method="GET", url=url))
    if answer.status == 200:  # the account is found out only when it is chosen
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        body = (urlsplit(url).query + "&account=maker_one&decision=allow").encode()
        answer = play.sim.handle(Request(method="POST", url=AUTH_URL, headers=headers, body=body))
    assert answer.status == 302
    assert callback_values(answer.headers["location"]) == {**callback_values(url), **said}


@pytest.mark.parametrize("hostile", ["<script>", "non_sandbox_target", ""])
def test_an_error_page_that_nobody_was_sent_to_shows_its_word_escaped(play: Any, hostile: str) -> None:
    """Anybody can write an address; the page shows its word, and runs nothing."""
    page = play.sim.handle(Request(method="GET", url=f"{play.authorize_url()}&{urlencode({'error_type': hostile})}"))
    assert page.status == 400
    assert b"<script" not in page.body
    assert f'id="parameter">{escape(hostile)}<'.encode() in page.body


def test_repeated_parameter(play: Any) -> None:
    """The page names a repeated parameter."""
    with pytest.raises(ValueError, match="state"):
        play.sim.authorize(play.authorize_url() + "&state=again")


def test_repeated_field_of_the_form(play: Any) -> None:
    """The page names a repeated field of its form."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    page = Request(method="POST", url=AUTH_URL, headers=headers, body=b"state=a&state=b&decision=allow")
    response = play.sim.handle(page)
    assert response.status == 400
    assert b'id="parameter">state<' in response.body


def test_unsupported_response_type_goes_back(play: Any) -> None:
    """Only a wrong response type is reported to the app through the redirect."""
    assert callback_values(play.sim.authorize(play.authorize_url(response_type="token")))["error"] == (
        "unsupported_response_type"
    )


class Tags(HTMLParser):
    """Collects the elements that a browser would see."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect an element."""
        self.tags.append(tag)
        self.tags.extend(name for name, _value in attrs if name.startswith("on"))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(hostile=st.text(alphabet="<>&\"'/ =abonscript", min_size=1, max_size=40).filter(str.strip))
def test_consent_page_escapes(hostile: str) -> None:
    """Any text in names and parameters leaves the page's elements unchanged."""

    def tags(text: str) -> tuple[list[str], str]:
        app = App(name=text)
        creator = Creator(nickname=text, username=text)
        sim = SimulatedTikTok(ManualClock(), apps=[app], creators=[creator])
        query = urlencode(
            {
                "client_key": app.client_key,
                "scope": "user.info.basic",
                "response_type": "code",
                "redirect_uri": "http://127.0.0.1:1/callback/",
                "state": text,
                "code_challenge": HEX,
                "code_challenge_method": "S256",
            }
        )
        url = f"{AUTH_URL}?{query}"
        seen = Tags()
        seen.feed(sim.handle(Request(method="GET", url=url)).body.decode())
        return seen.tags, callback_values(sim.authorize(url))["state"]

    found, state = tags(hostile)
    assert found == tags("plain")[0]
    assert "script" not in found
    assert state == hostile


def test_exchange(play: Any) -> None:
    """A code becomes tokens with the documented fields, prefixes and lifetimes."""
    tokens = play.sign_in()
    assert tokens["access_token"].startswith("act.")
    assert tokens["refresh_token"].startswith("rft.")
    assert (tokens["expires_in"], tokens["refresh_expires_in"]) == (7_200, 15_552_000)
    assert tokens["open_id"] == play.sim.creator.open_id
    assert tokens["token_type"] == "Bearer"
    assert tokens["scope"].split(",")[0] == "user.info.basic"


def test_code_is_used_once(play: Any) -> None:
    """The second exchange of a code is refused."""
    code = play.code()
    assert play.exchange(code).code == "ok"
    assert play.exchange(code).code == "invalid_grant"


@pytest.mark.parametrize(("seconds", "code"), [(299, "ok"), (300, "invalid_grant")])
def test_code_dies(play: Any, seconds: int, code: str) -> None:
    """A code lives five minutes unless the switch says otherwise."""
    given_code = play.code()
    play.clock.advance(seconds)
    assert play.exchange(given_code).code == code


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"redirect_uri": "http://127.0.0.1:3456/callback/"}, "invalid_request", "Redirect_uri is not matched with"),
        ({"code_verifier": "x" * 43}, "invalid_request", "Code verifier or code challenge is invalid."),
        ({"code_verifier": None}, "invalid_request", "Code verifier or code challenge is invalid."),
        ({"client_secret": None}, "invalid_request", "Client secret is missed in request."),
        ({"client_secret": "wrong"}, "invalid_client", "secret"),
        ({"client_key": "nobody"}, "invalid_client", "key"),
        ({"client_key": None}, "invalid_request", "client_key"),
        ({"grant_type": "password"}, "unsupported_grant_type", "grant"),
        ({"grant_type": None}, "invalid_request", "grant_type"),
        ({"code": None}, "invalid_request", "code"),
        ({"code": "nonsense"}, "invalid_grant", "code"),
    ],
)
@pytest.mark.parametrize("status", [200, 400])
def test_refused_exchanges(play: Any, changes: dict[str, str | None], error: str, words: str, status: int) -> None:
    """Each bad exchange gets the documented flat error with the switch's HTTP status; a good one still works afterwards."""
    play.sim.switches.oauth_error_status = status
    code = play.code()
    answer = play.exchange(code, **changes)
    assert (answer.status, answer.code) == (status, error)
    assert words.lower() in answer.document["error_description"].lower()
    assert len(answer.document["log_id"]) == 34
    assert play.exchange(code).code == "ok"


def test_code_of_another_app(play: Any, second_app: App) -> None:
    """A code is bound to its app."""
    code = play.code()
    answer = play.exchange(code, client_key=second_app.client_key, client_secret=second_app.client_secret)
    assert answer.code == "invalid_grant"


def test_grant_types_of_an_app(play: Any) -> None:
    """An app that may not refresh gets `unauthorized_client`."""
    play.sim.app.grant_types = ("authorization_code",)
    assert play.refresh("rft.x").code == "unauthorized_client"


def test_token_endpoint_takes_forms_only(play: Any) -> None:
    """JSON, a repeated field, and bytes that are not text are malformed requests."""
    url = f"{API_URL}/v2/oauth/token/"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for headers, body in [
        ({"Content-Type": "application/json"}, json.dumps({"grant_type": "refresh_token"}).encode()),
        (form, b"grant_type=a&grant_type=b"),
        (form, b"client_key=\xff"),
        (form, b"client_key=%ff"),
    ]:
        assert play.send(Request(method="POST", url=url, headers=headers, body=body)).code == "invalid_request"


def test_missing_slash(play: Any) -> None:
    """Without its slash the token endpoint does not exist."""
    response = play.sim.handle(Request(method="POST", url=f"{API_URL}/v2/oauth/token"))
    assert (response.status, response.body) == (404, b"Unsupported path(Janus)")


def test_refresh_rotates(play: Any) -> None:
    """As in the November pages, a refresh gives a new refresh token and invalidates the old one."""
    tokens = play.sign_in()
    renewed = play.refresh(tokens["refresh_token"]).document
    assert renewed["refresh_token"] != tokens["refresh_token"]
    assert play.refresh(tokens["refresh_token"]).code == "invalid_grant"
    assert play.refresh(renewed["refresh_token"]).code == "ok"


def test_legacy_refresh(play: Any) -> None:
    """As in the older pages, the refresh token stays, and a refresh does not prolong its life."""
    play.sim.switches.lifetimes = "legacy"
    tokens = play.sign_in()
    play.clock.advance(1000)
    renewed = play.refresh(tokens["refresh_token"]).document
    assert tokens["expires_in"] == renewed["expires_in"] == 86_400
    assert renewed["refresh_token"] == tokens["refresh_token"]
    assert (tokens["refresh_expires_in"], renewed["refresh_expires_in"]) == (31_536_000, 31_535_000)


@settings(deadline=None)
@given(steps=st.lists(st.sampled_from(["refresh", "old refresh", "wait"]), max_size=12), kills=st.booleans())
def test_life_of_refresh_tokens(new_play: Callable[[], Any], steps: list[str], kills: bool) -> None:
    """After any refreshes and pauses, the newest pair works until it expires, and no older refresh token works."""
    play = new_play()
    play.sim.switches.refresh_kills_access = kills
    pairs = [play.sign_in()]
    for step in steps:
        if step == "wait":
            play.clock.advance(60)
        elif step == "refresh":
            pairs.append(play.refresh(pairs[-1]["refresh_token"]).document)
        elif len(pairs) > 1:
            assert play.refresh(pairs[-2]["refresh_token"]).code == "invalid_grant"
    path = "/v2/user/info/?fields=open_id"
    assert play.get(path, token=pairs[-1]["access_token"]).code == "ok"
    older = {play.get(path, token=pair["access_token"]).code for pair in pairs[:-1]}
    assert older <= {"access_token_invalid" if kills else "ok"}
    play.clock.advance(7_200)
    assert play.get(path, token=pairs[-1]["access_token"]).code == "access_token_invalid"


def test_web_flow(play: Any) -> None:
    """The web flow needs no challenge; with a switch it needs one, in the encoding of another switch."""
    web = {"redirect_uri": "https://app.example.com/callback/", "code_challenge": None, "code_challenge_method": None}
    redirect = {"redirect_uri": web["redirect_uri"]}
    assert play.exchange(play.code(**web), **redirect, code_verifier=None).code == "ok"
    play.sim.switches.web_challenge = "required"
    with pytest.raises(ValueError, match="code_challenge"):
        play.code(**web)
    play.sim.switches.web_pkce = "base64url"
    assert play.exchange(play.code(**redirect, code_challenge=RFC), **redirect).code == "ok"


def test_misspelt_challenge_found_by_the_token_call(play: Any) -> None:
    """The page accepts a base64url challenge, and the token call refuses it; with a switch the page refuses it."""
    answer = play.exchange(play.code(code_challenge=RFC))
    assert answer.document["error_description"] == "Code verifier or code challenge is invalid."
    play.sim.switches.pkce = "base64url"
    assert play.exchange(play.code(code_challenge=RFC)).code == "ok"
    play.sim.switches.flip({"pkce": "hex", "challenge_check": "authorize"})
    with pytest.raises(ValueError, match=r"refuses code_challenge$"):
        play.code(code_challenge=RFC)


WEB = "https://app.example.com/callback/"


@pytest.mark.parametrize(("web_pkce", "code"), [("hex", "invalid_request"), ("either", "ok")])
def test_a_web_page_serves_a_base64url_challenge_and_the_token_call_decides(
    play: Any, web_pkce: str, code: str
) -> None:
    """A web app with a base64url challenge sees the page; the token call refuses it, or takes it with a switch."""
    play.sim.switches.web_pkce = web_pkce
    given_code = play.code(redirect_uri=WEB, code_challenge=RFC)
    assert play.exchange(given_code, redirect_uri=WEB).code == code


@pytest.mark.parametrize(("length", "code"), [("documented", "invalid_request"), ("any", "ok")])
def test_a_verifier_of_six_characters_is_for_the_token_call_to_judge(play: Any, length: str, code: str) -> None:
    """The page cannot see how short a verifier is; the token call keeps to the documents, or with a switch takes it."""
    play.sim.switches.verifier_length = length
    play.verifier = "sixsix"
    given_code = play.code(code_challenge=hashlib.sha256(b"sixsix").hexdigest())
    assert play.exchange(given_code).code == code


def test_a_request_without_a_state_may_be_served(play: Any) -> None:
    """With a switch the page serves a request without `state`, and the answer has none."""
    play.sim.switches.state_required = False
    values = callback_values(play.sim.authorize(play.authorize_url(state=None)))
    assert set(values) == {"code", "scopes"}
    assert set(callback_values(play.sim.authorize(play.authorize_url(state=None), allow=False))) == {
        "error",
        "error_description",
    }


@pytest.mark.parametrize(("order", "error"), [("code", "invalid_grant"), ("client", "invalid_client")])
def test_a_bad_code_hides_a_bad_client_key(play: Any, order: str, error: str) -> None:
    """The token call looks at the code first; with a switch it looks at the client first. A cut code counts as expired."""
    play.sim.switches.token_order = order
    cut = play.code().partition("*")[0]
    answer = play.exchange(cut, client_key="nobody")
    assert answer.code == error
    assert play.exchange(cut).document["error_description"] == "Authorization code is expired."


def test_automatic_consent(play: Any) -> None:
    """With a switch TikTok redirects an account that consented before at once, unless the app asks for the page."""
    play.sim.switches.auto_auth = True
    play.code()
    assert play.sim.handle(Request(method="GET", url=play.authorize_url())).status == 302
    assert play.sim.handle(Request(method="GET", url=play.authorize_url(disable_auto_auth="1"))).status == 200


def test_an_account_consents_by_itself(play: Any) -> None:
    """With a switch nobody sees the page: the account allows everything, and an app that asks for the page gets it, too."""
    play.sim.creators.append(Creator(username="second"))
    play.sim.switches.auto_consent = "second"
    for changes in ({}, {"disable_auto_auth": "1"}):
        answer = play.sim.handle(Request(method="GET", url=play.authorize_url(**changes)))
        assert answer.status == 302
        tokens = play.exchange(callback_values(answer.headers["location"])["code"]).document
        assert tokens["open_id"] == play.sim.creators[1].open_id
        assert set(tokens["scope"].split(",")) == set(play.sim.app.scopes)


def test_an_account_that_does_not_exist_cannot_consent(play: Any) -> None:
    """The switch takes any name; the page says that there is no such account."""
    play.sim.switches.auto_consent = "nobody"
    answer = play.sim.handle(Request(method="GET", url=play.authorize_url()))
    assert answer.status == 302
    assert "error_type=account" in answer.headers["location"]


def test_a_faulty_request_gets_its_page_although_an_account_consents(play: Any) -> None:
    """Consent does not hide what is wrong with the app's request."""
    play.sim.switches.auto_consent = play.sim.creator.username
    answer = play.sim.handle(Request(method="GET", url=play.authorize_url(scope="nonsense")))
    assert "error_type=scope" in answer.headers["location"]


def test_sandbox_targets(play: Any) -> None:
    """An account that is no target user of a sandbox app cannot sign in."""
    play.sim.app.target_users = ("somebody_else",)
    with pytest.raises(ValueError, match="non_sandbox_target"):
        play.sim.authorize(play.authorize_url())


def test_client_token(play: Any) -> None:
    """An app gets a client token, which does not work as a user's access token."""
    answer = play.form("/v2/oauth/token/", grant_type="client_credentials")
    assert answer.document["access_token"].startswith("clt.")
    assert answer.document["expires_in"] == 7200
    assert play.get("/v2/user/info/?fields=open_id", token=answer.document["access_token"]).code == (
        "access_token_invalid"
    )


def test_revoke(play: Any) -> None:
    """Revoking invalidates both tokens and fails posts in progress; a switch decides whether revoking again is an error."""
    tokens = play.sign_in()
    begun = play.pull(token=tokens["access_token"]).data["publish_id"]
    answer = play.sim.handle(_revocation(play, tokens["access_token"]))
    assert (answer.status, answer.body) == (200, b"")
    assert play.refresh(tokens["refresh_token"]).code == "invalid_grant"
    assert play.get("/v2/user/info/?fields=open_id", token=tokens["access_token"]).code == "access_token_invalid"
    assert play.sim.post(begun).fail_reason == "auth_removed"
    assert play.form("/v2/oauth/revoke/", token=tokens["access_token"]).code == "invalid_grant"
    play.sim.switches.flip({"revoke_unknown": "accept", "revoke_body": "object"})
    assert play.sim.handle(_revocation(play, tokens["access_token"])).body == b"{}"


def _revocation(play: Any, token: str) -> Request:
    body = urlencode({"client_key": play.client_key, "client_secret": play.secret, "token": token}).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return Request(method="POST", url=f"{API_URL}/v2/oauth/revoke/", headers=headers, body=body)


def test_each_app_knows_an_account_by_another_name(play: Any, second_app: App) -> None:
    """Each app has its own open_id for a user, and it begins with TikTok's first character."""
    names = {play.sim.world.account(app, play.sim.creator) for app in play.sim.apps}
    assert len(names) == 2
    assert all(name.startswith("-000") for name in names)


def test_two_creators_are_never_one_account(play: Any) -> None:
    """Each username has its own open_id, also where only the names were given; twins are refused by name."""
    creators = [Creator(), Creator(username="maker_two"), Creator(username="maker_three")]
    assert len({one.open_id for one in creators}) == 3
    assert Creator(username="maker_two").open_id == creators[1].open_id
    assert all(one.open_id.startswith("-000") for one in creators)
    play.sim = SimulatedTikTok(play.clock, creators=creators)
    signed_in = {play.sign_in(one.username)["open_id"] for one in creators}
    assert signed_in == {one.open_id for one in creators}
    with pytest.raises(ValueError, match="same username"):
        SimulatedTikTok(creators=[Creator(), Creator()])
    with pytest.raises(ValueError, match="same open_id"):
        SimulatedTikTok(creators=[Creator(open_id="-000x"), Creator(open_id="-000x", username="maker_two")])
    with pytest.raises(ValueError, match="same client_key"):
        SimulatedTikTok(apps=[App(), App()])
    with pytest.raises(ValueError, match="same username"):
        play.sim.creators.append(Creator(open_id="-000y"))
    with pytest.raises(ValueError, match="same open_id"):
        play.sim.creators[1] = Creator(username="maker_four", open_id=creators[0].open_id)
    assert list(play.sim.creators) == creators
    del play.sim.creators[1:]
    assert repr(play.sim.creators) == repr(creators[:1])


def test_runs_repeat(play: Any, new_play: Callable[[], Any]) -> None:
    """The same seed gives the same tokens; without a seed the tokens cannot be guessed."""
    unguessable = new_play()
    unguessable.sim = SimulatedTikTok(unguessable.clock, seed=None)
    tokens = play.sign_in()
    assert new_play().sign_in() == tokens
    assert unguessable.sign_in()["access_token"] != tokens["access_token"]
