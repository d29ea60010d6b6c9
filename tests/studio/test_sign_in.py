"""Signing in from the local page: the same listener and the same checks as `tiktok login`, without a terminal.

What belongs here: the page's part. `tests/sign_in` has the listener's.
"""

import json
import re
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from studio_browser import Answer, Browser
from tiktok_adapters import connect
from tiktok_adapters.cli.person import consent


def consent_page(page: Answer) -> str:
    """Return the address of TikTok's page that the studio shows."""
    found = re.search(r'class="press" href="([^"]+)"', page.text)
    assert found is not None, page.said
    return found[1]


def test_a_person_signs_in(start: Callable[..., str], environ: dict[str, str]) -> None:
    """The page shows the link and waits; once the person has agreed there, it leads to the account."""
    browser = Browser(start()).enter()
    assert "No account is signed in" in browser.get("/").said
    page = browser.post("/sign-in")
    assert json.loads(browser.get("/sign-in/state").body) == {"go": None}
    assert consent(consent_page(page)) == 200
    browser.until("/sign-in", "Signed in.")
    with connect(environ=environ) as client:
        (tokens,) = client.accounts()
    assert json.loads(browser.get("/sign-in/state").body) == {"go": f"{browser.place}/a/{tokens.open_id}"}
    assert "Maker One" in browser.get("/").said
    assert "Posts of Maker One" in browser.get(f"/a/{tokens.open_id}").said


def test_another_account_is_added_and_chosen(browser: Browser, signed_in: str, sim: Any) -> None:
    """Each account has its own page, and its own posts."""
    from tiktok_adapters.simulator import Creator  # noqa: PLC0415 - for this test only

    sim.creators.append(Creator(username="maker_two"))
    page = browser.post("/sign-in", switch="on")
    assert "disable_auto_auth=1" in consent_page(page)
    two = sim.creators[1].open_id
    answered = sim.authorize(consent_page(page), account="maker_two")
    host = urlsplit(answered)
    other = Browser(f"http://{host.netloc}/x/y")
    assert other.send("GET", f"{host.path}?{host.query}", site="cross-site").status == 200
    browser.until("/sign-in", "Signed in.")
    accounts = browser.get("/").text
    assert f"/a/{signed_in}" in accounts
    assert f"/a/{two}" in accounts


def test_a_new_sign_in_takes_the_place_of_one_that_waits(browser: Browser, signed_in: str) -> None:
    """A second press gives a fresh link, and the first one's listener is closed."""
    assert signed_in
    first = consent_page(browser.post("/sign-in"))
    second = consent_page(browser.post("/sign-in"))
    assert first != second
    with pytest.raises(OSError, match="refused"):
        consent(first)
    assert consent(second) == 200
    browser.until("/sign-in", "Signed in.")


def test_a_studio_that_ends_does_not_wait_for_a_sign_in(start: Any, signed_in: str) -> None:
    """An open sign-in does not keep the process."""
    assert signed_in
    browser = Browser(start()).enter()
    consent_page(browser.post("/sign-in"))
    start.stop()


def test_who_denies_is_told_so(browser: Browser, sim: Any) -> None:
    """A refusal ends the sign-in, and a new one can begin."""
    asked = consent_page(browser.post("/sign-in"))
    answered = urlsplit(sim.authorize(asked, allow=False))
    other = Browser(f"http://{answered.netloc}/x/y")
    other.send("GET", f"{answered.path}?{answered.query}", site="cross-site")
    said = browser.until("/sign-in", "access_denied").said
    assert "Begin to sign in" in said


def test_the_answer_is_pasted_where_no_listener_can_wait(
    environ: dict[str, str], start: Callable[..., str], sim: Any
) -> None:
    """With a redirect URI that is taken or elsewhere, the person pastes the address; another address is refused."""
    environ["TIKTOK_REDIRECT_URI"] = "https://app.example.com/callback/"
    browser = Browser(start()).enter()
    page = browser.post("/sign-in")
    assert "You have to paste the answer here" in page.said
    wrong = browser.post("/sign-in/answer", answer="https://app.example.com/callback/?code=x&state=y")
    assert wrong.status == 400
    assert "paste the whole address" in wrong.said
    browser.post("/sign-in/answer", answer=sim.authorize(consent_page(page)))
    browser.until("/sign-in", "Signed in.")
    assert browser.post("/sign-in/answer", answer="anything").status == 409


def test_a_taken_port_of_the_redirect_uri_is_told(environ: dict[str, str], start: Callable[..., str], sim: Any) -> None:
    """The page says why the answer has to be pasted."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        environ["TIKTOK_REDIRECT_URI"] = f"http://127.0.0.1:{port}/callback/"
        sim.app.redirect_uris = (*sim.app.redirect_uris, environ["TIKTOK_REDIRECT_URI"])
        page = Browser(start()).enter().post("/sign-in")
    assert f"this machine cannot listen on http://127.0.0.1:{port}/callback/" in page.said


def test_without_a_check_up_the_page_says_where_it_is(browser: Browser) -> None:
    """A studio that was given none names the command."""
    assert "tiktok doctor" in browser.get("/doctor").said
    assert browser.post("/doctor").status == 404


def test_an_account_that_may_only_send_drafts_is_offered_drafts(
    sim: Any, environ: dict[str, str], start: Callable[..., str]
) -> None:
    """Without video.publish there is no export page, and the draft still goes."""
    with connect(environ=environ) as client:
        asked = client.authorization(
            ["user.info.basic", "video.upload"], redirect_uri="http://127.0.0.1:3455/callback/"
        )
        account = client.sign_in(asked, sim.authorize(asked.url)).open_id
    browser = Browser(start()).enter()
    path = browser.given(account)
    page = browser.get(path)
    assert "did not grant video.publish" in page.said
    browser.post(path, button="draft")
    browser.until(f"/a/{account}", "Draft in the inbox")
