"""Who may ask the local page: the browser that has opened it, and no page of another origin, whatever it tries.

What belongs here: hostile requests. Each changes nothing, and reads nothing that is the person's.
"""

import socket
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from attrs import frozen

from studio_browser import FILM, Answer, Browser

EVIL = "https://evil.example"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@frozen
class Try:
    """A request of a page that is not the studio's. `{key}`, `{csrf}`, `{account}` stand for what the attacker cannot know, but may guess."""

    method: str
    path: str
    body: str | None = None
    site: str | None = "cross-site"
    headers: Mapping[str, str] = {}
    has_cookie: bool = True


ACT = "/a/{account}/posts/give-up"
TRIES = {
    "a form of another site, whose cookie a browser without SameSite sends": Try(
        "POST", ACT, "csrf={csrf}&key={key}", headers={"Origin": EVIL, **FORM}
    ),
    "a form without a token": Try("POST", ACT, "key={key}", "same-origin", FORM),
    "a form with a wrong token": Try("POST", ACT, "csrf=guessed&key={key}", "same-origin", FORM),
    "a form of a sandboxed frame": Try("POST", ACT, "csrf={csrf}&key={key}", headers={"Origin": "null", **FORM}),
    "a form without an origin": Try("POST", ACT, "csrf={csrf}&key={key}", None, {"Origin": "", **FORM}),
    "a form of another port of this machine": Try(
        "POST", ACT, "csrf={csrf}&key={key}", "same-site", {"Origin": "http://127.0.0.1:1", **FORM}
    ),
    "a form that a script of another port sends with our origin left out": Try(
        "POST", ACT, "csrf={csrf}&key={key}", "same-site", FORM
    ),
    "a form of the same port by another name": Try(
        "POST", ACT, "csrf={csrf}&key={key}", headers={"Origin": "http://localhost:{port}", **FORM}
    ),
    "a form over https": Try(
        "POST", ACT, "csrf={csrf}&key={key}", headers={"Origin": "https://127.0.0.1:{port}", **FORM}
    ),
    "a form as plain text": Try("POST", ACT, "csrf={csrf}&key={key}", "same-origin", {"Content-Type": "text/plain"}),
    "a form in parts": Try(
        "POST",
        ACT,
        '--x\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n{csrf}\r\n--x--\r\n',
        "same-origin",
        {"Content-Type": "multipart/form-data; boundary=x"},
    ),
    "the token in the address": Try("POST", f"{ACT}?csrf={{csrf}}&key={{key}}", "", "same-origin", FORM),
    "a fetch without a cookie": Try("POST", ACT, "csrf={csrf}&key={key}", "same-origin", FORM, has_cookie=False),
    "another method by a header": Try("GET", ACT, None, "same-origin", {"X-HTTP-Method-Override": "POST"}),
    "another method by a field": Try("GET", f"{ACT}?_method=POST&csrf={{csrf}}&key={{key}}", None, "same-origin"),
    "a preflight": Try(
        "OPTIONS", ACT, None, headers={"Origin": EVIL, "Access-Control-Request-Method": "PUT"}, has_cookie=False
    ),
    "a HEAD": Try("HEAD", "/a/{account}", None, "same-origin"),
    "a DELETE": Try("DELETE", "/a/{account}", None, "same-origin"),
    "a fetch of another site": Try("GET", "/a/{account}", headers={"Origin": EVIL}),
    "a fetch of another site without CORS": Try("GET", "/a/{account}", headers={"Sec-Fetch-Mode": "no-cors"}),
    "an image": Try("GET", "/a/{account}", headers={"Sec-Fetch-Dest": "image"}, has_cookie=False),
    "a frame": Try("GET", "/a/{account}", headers={"Sec-Fetch-Dest": "iframe", "Sec-Fetch-Mode": "navigate"}),
    "a link on another port": Try("GET", "/a/{account}", None, "same-site", {"Sec-Fetch-Mode": "navigate"}),
    "a script's address": Try("GET", "/studio.js", headers={"Sec-Fetch-Dest": "script"}),
    "the stream of events": Try("GET", "/a/{account}/events", headers={"Origin": EVIL, "Accept": "text/event-stream"}),
    "the stream of events without a cookie": Try("GET", "/a/{account}/events", None, "same-origin", has_cookie=False),
    "a WebSocket": Try(
        "GET",
        "/a/{account}/events",
        headers={
            "Origin": EVIL,
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        },
    ),
    "a WebSocket of the same origin": Try(
        "GET", "/a/{account}", None, "same-origin", {"Connection": "Upgrade", "Upgrade": "websocket"}
    ),
    "a name that leads here": Try("GET", "/a/{account}", None, "same-origin", {"Host": "evil.example:{port}"}),
    "a name that leads here, with a form": Try(
        "POST",
        ACT,
        "csrf={csrf}&key={key}",
        "same-origin",
        {"Host": "evil.example:{port}", "Origin": "http://evil.example:{port}", **FORM},
    ),
    "the host without its port": Try("GET", "/a/{account}", None, "same-origin", {"Host": "127.0.0.1"}),
    "the host by another name": Try("GET", "/a/{account}", None, "same-origin", {"Host": "localhost:{port}"}),
    "another user's program": Try("GET", "/a/{account}", None, None, has_cookie=False),
    "another user's program with a guessed cookie": Try(
        "GET", "/a/{account}", None, None, {"Cookie": "studio-{place}=guessed"}, has_cookie=False
    ),
    "a film of another site": Try(
        "PUT", "/a/{account}/films", "film", headers={"Origin": EVIL, "X-Studio-Csrf": "guessed"}
    ),
    "a film without a token": Try("PUT", "/a/{account}/films", "film", "same-origin"),
    "the sign-in of another site": Try("POST", "/sign-in", "csrf={csrf}", headers={"Origin": EVIL, **FORM}),
    "a sign-in that a person typed as an address": Try("POST", "/sign-in", "csrf={csrf}", "none", FORM),
    "the ticket once more": Try("GET", "{ticket}", None, "none", has_cookie=False),
    "a guessed ticket": Try("GET", "/enter?ticket=guessed", None, "none", has_cookie=False),
    "no ticket": Try("GET", "/enter?ticket=", None, "none", has_cookie=False),
    "the ticket from another site": Try("GET", "{ticket}", has_cookie=False),
    "the place of another run": Try("GET", "/../another/a/{account}", None, "same-origin"),
}


def sent(browser: Browser, one: Try, known: dict[str, str]) -> Answer:
    """Send a hostile request. What the attacker could know at best stands in it."""

    def said(text: str) -> str:
        for name, value in known.items():
            text = text.replace(f"{{{name}}}", value)
        return text

    mine = Browser(browser.url, browser.cookie if one.has_cookie else "")
    path = said(one.path) if one.path == "{ticket}" else f"{browser.place}{said(one.path)}"
    body = None if one.body is None else said(one.body).encode()
    return mine.send(
        one.method, path, body, site=one.site, headers={name: said(value) for name, value in one.headers.items()}
    )


@pytest.mark.parametrize("what", TRIES)
def test_another_origin_changes_nothing_and_reads_nothing(browser: Browser, account: Any, what: str) -> None:
    """The answer is a refusal without a word of the person's, the post is as it was, nothing is kept, and no sign-in begins."""
    held = account.enter_video(FILM, title="Canary of the title", privacy_level="SELF_ONLY", held=True)
    known = {
        "key": held.key,
        "csrf": browser.csrf,
        "account": account.open_id,
        "port": browser.host.partition(":")[2],
        "place": browser.place[1:],
        "ticket": browser.url.partition(browser.host)[2],
    }
    answer = sent(browser, TRIES[what], known)
    assert 400 <= answer.status < 500
    for secret in ("Canary of the title", held.key, account.open_id, browser.csrf, browser.cookie.partition("=")[2]):
        assert secret not in answer.text
    assert not any(name.lower().startswith("access-control") or name.lower() == "set-cookie" for name in answer.headers)
    assert account.post(held.key) == held
    page = browser.get(f"/a/{account.open_id}")
    assert page.status == 200
    assert "Kept for posts" not in page.said
    assert "Begin to sign in" in browser.get("/sign-in").said


def test_the_owner_may_do_what_the_tries_may_not(browser: Browser, account: Any) -> None:
    """The same form from the page itself gives the post up: the tries failed for where they came from."""
    held = account.enter_video(FILM, title="Canary of the title", privacy_level="SELF_ONLY", held=True)
    assert "Canary of the title" in browser.get(f"/a/{account.open_id}").said
    assert "Given up: nothing was posted" in browser.post(f"/a/{account.open_id}/posts/give-up", key=held.key).said
    assert account.post(held.key).is_given_up


# --- The cookie and the headers --------------------------------------------------------------------------------------


def test_the_printed_address_opens_the_page_once(start: Callable[..., str]) -> None:
    """It sets a cookie that scripts cannot read and other sites' requests do not carry, and leads to an address without the token."""
    browser = Browser(start())
    path = browser.url.partition(browser.host)[2]
    first = browser.send("GET", path, site="none")
    assert first.status == 303
    assert first.headers["Location"] == f"{browser.place}/"
    cookie = first.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Strict", f"Path={browser.place}/"} <= {part.strip() for part in cookie.split(";")}
    assert browser.send("GET", path, site="none").status == 403
    browser.cookie = cookie.partition(";")[0]
    assert browser.get("/").status == 200
    # Who opens the address again in the browser that opened it sees the page.
    assert browser.send("GET", path, site="none").headers["Location"] == f"{browser.place}/"


def test_a_page_of_an_earlier_run_is_told_so(start: Any, signed_in: str) -> None:
    """Neither its cookie nor its form is valid after a restart: one sentence says what to open."""
    assert signed_in
    browser = Browser(start()).enter()
    port = int(browser.host.partition(":")[2])
    start.stop()
    fresh = Browser(start(port=port)).enter()
    browser.place = fresh.place
    stale = browser.post("/sign-in")
    assert stale.status == 403
    assert "open the address that `tiktok studio` printed" in stale.said
    browser.cookie = fresh.cookie
    assert browser.post("/sign-in").status == 403


HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


@pytest.mark.parametrize(
    "path", ["/", "/sign-in", "/studio.js", "/studio.css", "/page.js", "/page.css", "/nothing", "/a/nobody"]
)
def test_each_answer_has_the_headers(browser: Browser, path: str) -> None:
    """No answer may be framed, guessed at, kept, or shown to another origin; and no page has a script or a style in itself."""
    answer = browser.get(path)
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    policy = answer.headers["Content-Security-Policy"]
    for part in (
        "default-src 'none'",
        "script-src 'self'",
        "frame-ancestors 'none'",
        "form-action 'self'",
        "base-uri 'none'",
    ):
        assert part in policy
    assert "unsafe" not in policy
    assert "<style" not in answer.text
    if answer.headers["Content-Type"].startswith("text/html"):
        assert " style=" not in answer.text
        assert "<script>" not in answer.text
        assert " onclick" not in answer.text


def test_two_hosts_in_one_request_are_refused(browser: Browser) -> None:
    """A request with a second Host, which parsers read differently, reaches nothing."""
    host, _, port = browser.host.partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        lines = (
            f"GET {browser.place}/ HTTP/1.1",
            f"Host: {browser.host}",
            "Host: evil.example",
            f"Cookie: {browser.cookie}",
        )
        connection.sendall("\r\n".join((*lines, "Connection: close", "", "")).encode())
        answer = b""
        while block := connection.recv(65_536):
            answer += block
    assert answer.split()[1] in {b"400", b"421"}
    assert b"Accounts" not in answer
