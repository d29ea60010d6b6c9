"""Signing in by QR code: the app's two calls, and the phone."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tiktok_adapters.simulator import App
from tiktok_core.wire.http import Request

TICKET = "a-ticket-of-ours"


def _begin(play: Any, **changes: str | None) -> tuple[str, str]:
    """Ask for a QR code; return the URL to draw, with our ticket in it, and the token."""
    fields: dict[str, str | None] = {"scope": "user.info.basic,video.upload", "client_secret": None, **changes}
    answer = play.form("/v2/oauth/get_qrcode/", **fields)
    assert set(answer.document) == {"scan_qrcode_url", "token"}, answer
    return answer.document["scan_qrcode_url"].replace("tobefilled", TICKET), answer.document["token"]


def _check(play: Any, token: str, **changes: str | None) -> Any:
    return play.form("/v2/oauth/check_qrcode/", token=token, **changes)


def test_a_code_is_drawn_as_documented(play: Any) -> None:
    """The URL to draw has the documented shape, with a placeholder for the ticket."""
    url = play.form("/v2/oauth/get_qrcode/", scope="user.info.basic", client_secret=None).document["scan_qrcode_url"]
    assert url.startswith("aweme://authorize?")
    said = parse_qs(urlsplit(url).query)
    assert said["client_ticket"] == ["tobefilled"]
    assert set(said) == {"client_key", "client_ticket", "scope", "token"}


def test_it_goes_from_new_to_utilised(play: Any) -> None:
    """Each step has its documented word; answers repeat ticket and state, and the code is in the redirect URI."""
    url, token = _begin(play, state="s1")
    assert _check(play, token).document["status"] == "new"
    play.sim.scan(url, allow=None)
    assert _check(play, token).document["status"] == "scanned"
    play.sim.scan(url, scopes=["video.upload"])
    answer = _check(play, token).document
    assert (answer["status"], answer["client_ticket"], answer["state"]) == ("confirmed", TICKET, "s1")
    redirect, _, query = answer["redirect_uri"].partition("?")
    tokens = play.exchange(parse_qs(query)["code"][0], redirect_uri=redirect, code_verifier=None).document
    assert tokens["scope"] == "user.info.basic,video.upload"
    assert _check(play, token).document["status"] == "utilised"
    with pytest.raises(ValueError, match="token"):
        play.sim.scan(url)


def test_by_a_switch_the_code_has_a_field_of_its_own(play: Any) -> None:
    """With a switch the field is `code`, as in one table of the documents; then the code fits any redirect URI of the app."""
    play.sim.switches.qr_code_in = "code"
    url, token = _begin(play)
    play.sim.scan(url)
    answer = _check(play, token).document
    assert answer["redirect_uri"] == ""
    elsewhere = {"redirect_uri": "https://elsewhere.example/", "code_verifier": None}
    assert play.exchange(answer["code"], **elsewhere).code == "invalid_request"
    assert play.exchange(answer["code"], code_verifier=None).code == "ok"


def test_an_app_with_a_wildcard_alone_can_sign_in_too(play: Any) -> None:
    """The redirect URI in the answer fits the app's registered ones, even if they all have a wildcard."""
    play.sim.app.redirect_uris = ("http://127.0.0.1:*/callback/",)
    url, token = _begin(play)
    play.sim.scan(url)
    redirect, _, query = _check(play, token).document["redirect_uri"].partition("?")
    assert play.exchange(parse_qs(query)["code"][0], redirect_uri=redirect, code_verifier=None).code == "ok"


@pytest.mark.parametrize("denied", [True, False])
def test_it_ends(play: Any, denied: bool) -> None:
    """After its life or a denial, a QR code has expired and cannot be scanned."""
    url, token = _begin(play)
    if denied:
        play.sim.scan(url, allow=False)
    else:
        play.clock.advance(play.sim.switches.qr_seconds)
    assert _check(play, token).document["status"] == "expired"
    with pytest.raises(ValueError, match="token"):
        play.sim.scan(url)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"client_key": "nobody"}, "invalid_client"),
        ({"client_key": None}, "invalid_request"),
        ({"scope": None}, "invalid_request"),
        ({"scope": "user.info.basic video.upload"}, "invalid_scope"),
        ({"scope": "research.data.basic"}, "invalid_scope"),
    ],
)
def test_bad_questions_for_a_code(play: Any, changes: dict[str, str | None], error: str) -> None:
    """Each wrong request gets its flat error."""
    fields: dict[str, str | None] = {"scope": "user.info.basic", **changes}
    assert play.form("/v2/oauth/get_qrcode/", **fields).code == error


def test_bad_questions_after_a_code(play: Any, second_app: App) -> None:
    """The check of a QR code needs the secret of the code's own app."""
    _url, token = _begin(play)
    assert _check(play, token, client_secret=None).code == "invalid_request"
    assert _check(play, token, client_secret="wrong").code == "invalid_client"
    assert _check(play, "nonsense").code == "invalid_request"
    other = {"client_key": second_app.client_key, "client_secret": second_app.client_secret}
    assert _check(play, token, **other).code == "invalid_request"


@pytest.mark.parametrize(
    ("said", "parameter"),
    [
        ("https://app.example.com/", "scanned"),
        ("aweme://authorize?token=nonsense", "scanned"),
        ("//[", "scanned"),
        ("{url}&client_ticket=again", "client_ticket"),
    ],
)
def test_what_the_phone_cannot_use(play: Any, said: str, parameter: str) -> None:
    """The phone names the faulty part: a foreign address, or a placeholder that the app did not replace."""
    url = play.form("/v2/oauth/get_qrcode/", scope="user.info.basic", client_secret=None).document["scan_qrcode_url"]
    with pytest.raises(ValueError, match=rf"phone refuses {parameter}$"):
        play.sim.scan(said.format(url=url))


def test_a_ticket_has_a_length(play: Any) -> None:
    """A ticket of 512 escaped characters is one too long."""
    url, _token = _begin(play)
    with pytest.raises(ValueError, match="client_ticket"):
        play.sim.scan(url.replace(TICKET, "%20" * 512))


def test_the_phone_is_a_page_of_the_sandbox(play: Any) -> None:
    """The phone is on none of TikTok's hosts; without a URL it asks for one; it refuses nonsense on a page."""
    assert play.sim.handle(Request(method="GET", url="https://www.tiktok.com/phone/?scanned=x")).status == 404
    page = play.sim.handle(Request(method="GET", url="http://127.0.0.1:1/phone/"))
    assert b'name="scanned"' in page.body
    assert play.sim.handle(Request(method="GET", url="http://127.0.0.1:1/phone/?a=1&a=2")).status == 400
    assert play.sim.handle(Request(method="POST", url="http://127.0.0.1:1/phone/", body=b"{}")).status == 400
    assert play.sim.handle(Request(method="PUT", url="http://127.0.0.1:1/phone/")).status == 405


def test_nobody_but_an_account_of_the_page_can_agree(play: Any) -> None:
    """An unknown account, or one that is not a target user, is refused, and the code stays valid."""
    url, token = _begin(play)
    with pytest.raises(ValueError, match="account"):
        play.sim.scan(url, account="nobody")
    play.sim.app.target_users = ()
    with pytest.raises(ValueError, match="non_sandbox_target"):
        play.sim.scan(url)
    assert _check(play, token).document["status"] == "scanned"
