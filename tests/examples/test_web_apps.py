"""The web applications of `examples/web`: the whole walk of two users, and that no check of their security can be left out.

What belongs here: checks that hold for each of the applications, and for each check a change of its source that it has to notice.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from web_browsers import Browser, Site, opened
from web_mutations import MUTATIONS

NAMES: Final = tuple(MUTATIONS)
LINES: Final = {"flask": 200, "fastapi": 200, "aiohttp": 215, "django": 230}
"""aiohttp has no sessions of its own, and Django wants settings."""
PASSWORD: Final = "correct horse"
FILMS: Final = {"anna": b"\0\0\0\x18ftypisom" + b"anna" * 50_000, "ben": b"\0\0\0\x18ftypisom" + b"ben" * 1_000}
CHOICES: Final = {"title": "From the page", "privacy_level": "SELF_ONLY", "button": "post"}
AGREED: Final = "By posting, you agree to TikTok's Music Usage Confirmation"


def signed_up(site: Site, name: str) -> Browser:
    """Return the browser of a new user."""
    browser = Browser(site)
    assert browser.get("/").location.startswith("/enter")
    made = browser.submit("/enter", "/enter?new=1", name=name, password=PASSWORD)
    assert (made.status in (302, 303), made.location) == (True, "/")
    return browser


def connected(site: Site, name: str) -> Browser:
    """Return the browser of a new user who has connected the TikTok account of that name."""
    browser = signed_up(site, name)
    assert browser.get(site.agreed(browser.get("/connect").location, name)).status == 302
    assert "Disconnect TikTok" in browser.get("/").text
    return browser


def uploaded(browser: Browser, name: str) -> str:
    """Return the page of a film that the user uploaded."""
    sent = browser.submit("/", "/films", film=(f"{name}.mp4", FILMS[name], "video/mp4"))
    assert sent.location.startswith("/films/"), sent.text
    return sent.location


def walk(site: Site) -> None:
    """Two users sign up, connect, upload, are refused without their consent, post, see the result, and disconnect."""
    browsers = {name: connected(site, name) for name in FILMS}
    pages = {name: uploaded(browser, name) for name, browser in browsers.items()}
    for name, browser in browsers.items():
        url = pages[name]
        first = browser.get(url).text
        assert name in first
        assert not any(f" {word}" in first for word in ("checked", 'value="SELF_ONLY" selected'))
        assert browser.get(f"{url}/video").body == FILMS[name]
        for missing in (
            {},
            {"privacy_level": "SELF_ONLY"},
            {"privacy_level": "SELF_ONLY", "agreed_to": "another text"},
        ):
            refused = browser.submit(url, url, **{"button": "post", "agreed_to": "", "title": "", **missing})
            assert (refused.status, "tiktok-problems" in refused.text) == (200, True), missing
        assert not [post for post in site.simulator.posts if post.account == site.open_id(name)]
        for _ in range(2):  # A form that is sent twice is one post.
            assert browser.post(url, {**browser.hidden(first, url), **CHOICES}).location in (url, "")
    for name, browser in browsers.items():
        assert "tiktok-progress" in browser.get(pages[name]).text
        assert f'data-again="{pages[name]}"' in browser.get(pages[name]).text
    for _ in range(20):
        site.go_on()
    for name, browser in browsers.items():
        assert "The post is published." in browser.get(pages[name]).text
        (post,) = [post for post in site.simulator.posts if post.account == site.open_id(name)]
        assert site.simulator.read_video(post.publish_id) == FILMS[name]
        assert post.title == CHOICES["title"]
    assert not list((site.folder / "films").iterdir())
    assert browsers["anna"].submit("/", "/disconnect").location == "/"
    assert site.open_id("anna") not in {one.account for one in site.simulator.sign_ins}
    assert site.open_id("ben") in {one.account for one in site.simulator.sign_ins}
    assert "Connect TikTok" in browsers["anna"].get("/").text
    assert browsers["anna"].get(pages["anna"]).status in (302, 404)
    assert "The post is published." in browsers["ben"].get(pages["ben"]).text


def state(site: Site) -> None:
    """The answer of another sign-in is refused by its state, before any code is spent."""
    anna, ben = signed_up(site, "anna"), signed_up(site, "ben")
    anna.get("/connect")
    foreign = site.agreed(ben.get("/connect").location, "ben")
    spent = site.count("token")
    assert anna.get(foreign).status in (400, 502)
    assert site.count("token") == spent
    assert "Connect TikTok" in anna.get("/").text


def verifier(site: Site) -> None:
    """What a sign-in keeps serves in its own session alone, and once; two sign-ins at once do not meet."""
    anna, ben = signed_up(site, "anna"), signed_up(site, "ben")
    answer = site.agreed(anna.get("/connect").location, "anna")
    assert ben.get(answer).status == 400
    assert "Connect TikTok" in ben.get("/").text
    answers = [(one, site.agreed(one.get("/connect").location, name)) for one, name in ((anna, "anna"), (ben, "ben"))]
    assert [one.get(url).status for one, url in answers] == [302, 302]
    spent = site.count("token")
    assert [one.get(url).status for one, url in answers] == [400, 400]
    assert site.count("token") == spent


def forged(site: Site) -> None:
    """No form is taken without the token of its own session."""
    anna, ben = connected(site, "anna"), connected(site, "ben")
    url = uploaded(anna, "anna")
    token = ben.hidden(ben.get("/").text, "/films")
    forms = {
        "/films": {"film": ("x.mp4", FILMS["ben"], "video/mp4")},
        url: {**CHOICES, "agreed_to": AGREED},
        "/enter": {"name": "ben", "password": PASSWORD},
        "/enter?new=1": {"name": "carl", "password": PASSWORD},
        "/leave": {},
        "/disconnect": {},
    }
    for path, fields in forms.items():
        for sent in ({}, token, dict.fromkeys(token, "")):
            assert anna.post(path, {**fields, **sent}).status == 403, (path, sent)
    assert "Disconnect TikTok" in anna.get("/").text
    assert "tiktok-form" in anna.get(url).text


def ownership(site: Site) -> None:
    """Another user sees, shows and posts no film of mine, and the film on the disk is for this program alone."""
    anna, ben = connected(site, "anna"), connected(site, "ben")
    url = uploaded(anna, "anna")
    assert [path.stat().st_mode & 0o777 for path in (site.folder / "films").iterdir()] == [0o600]
    mine = uploaded(ben, "ben")
    token = ben.hidden(ben.get("/").text, "/films")
    assert ben.get(url).status == 404
    assert ben.get(f"{url}/video").status == 404
    assert ben.post(url, {**token, **CHOICES, "agreed_to": AGREED}).status == 404
    assert anna.get(mine).status == 404
    assert url not in ben.get("/").text


def account(site: Site) -> None:
    """A user without an account never gets that of another one, not even the only one; and no account has two users."""
    anna, ben = connected(site, "anna"), signed_up(site, "ben")
    token = ben.hidden(ben.get("/").text, "/leave")
    mine = ben.post("/films", {**token, "film": ("ben.mp4", FILMS["ben"], "video/mp4")}).location
    answer = ben.get(mine)
    assert (answer.status, answer.location, "anna" in answer.text) == (302, "/", False)
    assert ben.post(mine, {**token, **CHOICES, "agreed_to": AGREED}).location == "/"
    assert not site.simulator.posts
    assert ben.post("/disconnect", token).location == "/"
    assert "Disconnect TikTok" in anna.get("/").text
    assert site.open_id("anna") in {one.account for one in site.simulator.sign_ins}
    assert ben.get(site.agreed(ben.get("/connect").location, "anna")).status == 409
    assert "Connect TikTok" in ben.get("/").text


def login(site: Site) -> None:
    """Without a login there is no page but that of the login; a password is needed, and none is kept as it was typed."""
    anna = connected(site, "anna")
    url = uploaded(anna, "anna")
    guest = Browser(site)
    for path in ("/", "/connect", "/callback/", url, f"{url}/video"):
        assert guest.get(path).location.startswith("/enter"), path
    for wrong in ({"name": "anna", "password": "wrong"}, {"name": "carl", "password": PASSWORD}):
        assert guest.submit("/enter", "/enter", **wrong).status == 403
    for wrong in ({"name": "anna", "password": "another one"}, {"name": "carl", "password": "short"}):
        assert guest.submit("/enter", "/enter?new=1", **wrong).status == 403
    assert guest.submit("/enter", "/enter", name="anna", password=PASSWORD).location == "/"
    assert "anna.mp4" in guest.get("/").text
    assert PASSWORD.encode() not in (site.folder / "site.db").read_bytes()
    assert guest.submit("/", "/leave").location.startswith("/enter")
    assert guest.get("/").location.startswith("/enter")


def cookies(site: Site) -> None:
    """No script reads a cookie, no other site sends it, and no page has a secret or may load from elsewhere."""
    anna = connected(site, "anna")
    anna.get(uploaded(anna, "anna"))
    location = anna.get("/connect").location
    assert anna.cookies
    for cookie in anna.cookies:
        words = {word.strip().lower() for word in cookie.split(";")[1:]}
        assert {"httponly", "samesite=lax", "secure"} <= words, cookie
    guest = Browser(site)
    guest.get("/enter")
    former = dict(guest.jar)
    guest.submit("/enter", "/enter", name="anna", password=PASSWORD)
    assert guest.jar != former, "the login did not begin a new session"
    for answer in anna.answers:
        if answer.status == 200:
            assert "default-src 'none'" in answer.headers["content-security-policy"]
            assert answer.headers["x-content-type-options"] == "nosniff"
        if answer.location != location:
            for secret in (*site.secrets(), PASSWORD):
                assert secret not in answer.text


CHECKS: Final[dict[str, Callable[[Site], None]]] = {
    check.__name__: check for check in (walk, state, verifier, forged, ownership, account, login, cookies)
}


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", NAMES)
def test_an_application_keeps_its_promise(name: str, check: str, tmp_path: Path) -> None:
    """Each application does what each check says, as its docstring says."""
    with opened(name, tmp_path) as site:
        CHECKS[check](site)


@pytest.mark.full
@pytest.mark.parametrize(("name", "what"), [(name, what) for name in NAMES for what in MUTATIONS[name]])
def test_no_check_can_be_left_out(name: str, what: str, tmp_path: Path) -> None:
    """An application without one of its checks fails here."""
    check, changes = MUTATIONS[name][what]
    with opened(name, tmp_path, changes) as site, pytest.raises(AssertionError):
        CHECKS[check](site)


@pytest.mark.parametrize("name", NAMES)
def test_an_application_is_short(name: str) -> None:
    """A person reads it from top to bottom."""
    source = Path(__file__).parents[2] / "examples" / "web" / f"{name}_app.py"
    assert len(source.read_text().splitlines()) < LINES[name]
