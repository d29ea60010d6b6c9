"""From a film to a post: what is dropped, what is wrong with it, what is posted, how far it is, and what can be done about each post.

What belongs here: requests as the page's forms and script send them, over real sockets, to the page and from it to the sandbox.
"""

import http.client
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from click.testing import CliRunner

from studio_browser import FILM, WAIT, Answer, Browser
from tiktok_adapters.cli.app import tiktok
from tiktok_core import Stage

TEXTS = Path(__file__).parents[1] / "media" / "good.jpg"
PICTURES = ("https://media.example.com/1.jpg", "https://media.example.com/2.jpg?signature=canary-of-a-query")


def choices(page: Answer, **more: str) -> dict[str, str]:
    """Return the fields of the export page, as a person fills them in."""
    agreed = re.search(r'name="agreed_to" value="([^"]*)"', page.text)
    assert agreed is not None, page.said
    return {"title": "Hello #world", "privacy_level": "SELF_ONLY", "agreed_to": agreed[1], "button": "post", **more}


def wait_until_nothing_is_kept(home: Path) -> None:
    """Wait until the copies of films are gone: they are removed right after their posts have ended."""
    end = time.monotonic() + WAIT
    while kept := list((home / "studio").iterdir()):
        assert time.monotonic() < end, kept
        time.sleep(0.01)


def form_of(browser: Browser, page: Answer) -> str:
    """Return the path to which an export page sends its form."""
    found: str = re.findall(r'action="([^"]*/given/[0-9a-f]{16})"', page.text)[0]
    return found.removeprefix(browser.place)


def posted(browser: Browser, account: str, **more: str) -> Answer:
    """Drop a film, post it, and return the account's page."""
    path = browser.given(account)
    return browser.post(path, **choices(browser.get(path), **more))


# --- What is given ---------------------------------------------------------------------------------------------------


def test_a_film_is_posted(browser: Browser, account: Any, sim: Any, tmp_path: Path) -> None:
    """The export page shows the film and what is known of it; Post sends it, and then the copy is gone."""
    path = browser.given(account.open_id, name="Mein Film <1>.mp4")
    (kept,) = (tmp_path / "home" / "studio").glob("*/*")
    assert (kept.name, kept.read_bytes()) == ("Mein Film _1_.mp4", FILM.read_bytes())
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.parent.stat().st_mode & 0o777 == 0o700
    assert kept.parents[1].stat().st_mode & 0o777 == 0o700
    page = browser.get(path)
    assert page.status == 200
    for said in ("Maker One", "Mein Film _1_.mp4", "Codec: H.264", "Length: ", "Picture: "):
        assert said in page.said
    browser.post(path, **choices(page))
    done = browser.until(f"/a/{account.open_id}", "Posted")
    assert "Hello #world" in done.said
    (record,) = account.posts()
    assert record.stage is Stage.COMPLETE
    assert record.key.startswith("cli-")
    assert sim.post(record.publish_id).title == "Hello #world"
    wait_until_nothing_is_kept(tmp_path / "home")
    assert "1 of about" in done.said


def test_a_draft_goes_to_the_inbox(browser: Browser, account: Any) -> None:
    """A draft needs no choice."""
    posted(browser, account.open_id, button="draft", privacy_level="", title="")
    browser.until(f"/a/{account.open_id}", "Draft in the inbox")
    assert [one.wish.post.draft for one in account.posts()] == [True]


def test_pictures_are_posted(browser: Browser, account: Any, sim: Any, tmp_path: Path) -> None:
    """URLs of pictures become a photo post; the page may load pictures from their hosts, and from no other."""
    page = browser.post(f"/a/{account.open_id}/pictures", urls="\n".join(PICTURES))
    assert page.status == 200
    assert "img-src 'self' https://media.example.com;" in page.headers["Content-Security-Policy"]
    browser.post(form_of(browser, page), **choices(page, photo_cover_index="1", description="Two"))
    browser.until(f"/a/{account.open_id}", "Posted")
    (record,) = account.posts()
    assert record.wish.post.photo_cover_index == 1
    assert record.wish.post.description == "Two"
    assert sim.post(record.publish_id)
    wait_until_nothing_is_kept(tmp_path / "home")


# --- What is refused -------------------------------------------------------------------------------------------------


def test_what_is_no_film_is_refused_and_not_kept(browser: Browser, account: Any, tmp_path: Path) -> None:
    """The first bytes decide, whatever the name says."""
    answer = browser.drop(account.open_id, TEXTS.read_bytes(), "film.mp4")
    assert answer.status == 400
    assert "the file is a JPEG picture" in json.loads(answer.body)["refused"]
    assert not list((tmp_path / "home" / "studio").iterdir())


@pytest.mark.parametrize("name", ["15fps.mp4", "200-high.mp4", "mpeg4.mp4", "eleven-minutes.mp4"])
def test_a_film_that_tiktok_would_refuse_is_told_before_it_is_sent(
    browser: Browser, account: Any, sim: Any, name: str
) -> None:
    """The page says what is wrong and offers no Post; a form that is sent all the same posts nothing."""
    path = browser.given(account.open_id, FILM.with_name(name).read_bytes(), name)
    page = browser.get(path)
    assert "cannot be posted" in page.said
    answer = browser.post(path, **choices(page))
    assert answer.status == 400
    assert not account.posts()
    assert not sim.posts


REFUSED = {
    "no consent": ({"agreed_to": ""}, "sentence above the button"),
    "another declaration": ({"agreed_to": "I agree to nothing."}, "sentence above the button"),
    "no level": ({"privacy_level": ""}, "Choose who can view this post"),
    "a level that the account does not offer": ({"privacy_level": "PUBLIC_TO_EVERYONE"}, "does not offer that choice"),
    "a title that is too long": ({"title": "x" * 2_201}, "2201 of 2200"),
    "a disclosure without a box": ({"is_disclosed": "on"}, "promotes yourself, a third party, or both"),
    "a button that the page has not": ({"button": "erase"}, "no such button"),
    "a time that is over": ({"at": "2020-01-01T00:00"}, "is over"),
    "a time that is none": ({"at": "soon"}, "is not a date"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_form_that_may_not_be_posted_is_shown_again(browser: Browser, account: Any, sim: Any, what: str) -> None:
    """What is wrong stands on the page, and nothing is posted or entered."""
    more, said = REFUSED[what]
    answer = posted(browser, account.open_id, **more)
    assert answer.status == 400
    assert said in answer.said
    assert not account.posts()
    assert not sim.posts


def test_what_the_creator_switched_off_meanwhile_is_refused(browser: Browser, account: Any, sim: Any) -> None:
    """A stale page agrees to options that are gone: fresh ones are asked for at each press."""
    path = browser.given(account.open_id)
    page = browser.get(path)
    sim.creator.comment_disabled = True
    answer = browser.post(path, **choices(page, allow_comment="on"))
    assert answer.status == 400
    assert "switch" in answer.said.lower()
    assert not account.posts()


def test_another_accounts_post_is_not_found(browser: Browser, account: Any) -> None:
    """A key of no post of this account is refused by each button."""
    for action in ("go-on", "release", "give-up", "posted", "not-posted"):
        answer = browser.post(f"/a/{account.open_id}/posts/{action}", key="anothers")
        assert answer.status in {400, 404}, answer.said
        assert "Refused" in answer.said
    assert browser.post(f"/a/{account.open_id}/posts/erase", key="anothers").status == 404
    assert browser.get("/a/nobody").status == 409
    assert browser.get(f"/a/{account.open_id}/given/..%2f..").status == 404
    assert browser.get("/given/0123456789abcdef/video").status == 404


@contextmanager
def dropping(browser: Browser, account: str, size: int, first: bytes) -> Iterator[http.client.HTTPConnection]:
    """Begin to drop a film of so many bytes, and send the first ones."""
    connection = http.client.HTTPConnection(browser.host, timeout=WAIT)
    connection.putrequest("PUT", f"{browser.place}/a/{account}/films")
    for name, value in {
        "Cookie": browser.cookie,
        "Origin": f"http://{browser.host}",
        "X-Studio-Csrf": browser.csrf,
        "X-Studio-Name": quote("film.mp4"),
        "Content-Length": str(size),
    }.items():
        connection.putheader(name, value)
    connection.endheaders(first or None)
    try:
        yield connection
    finally:
        connection.close()


def test_a_film_that_does_not_come_whole_is_not_kept(browser: Browser, account: Any, tmp_path: Path) -> None:
    """While it comes, it is under another name; when the browser leaves, it is removed."""
    folder = tmp_path / "home" / "studio"
    with dropping(browser, account.open_id, 1_000_000, FILM.read_bytes()[:1_000]):
        end = time.monotonic() + WAIT
        while not list(folder.glob(".*/*")) and time.monotonic() < end:
            time.sleep(0.01)
        assert list(folder.glob(".*/*"))
        assert "Kept for posts" not in browser.get(f"/a/{account.open_id}").said
    wait_until_nothing_is_kept(tmp_path / "home")


def test_the_studio_keeps_no_more_than_it_says(
    browser: Browser, account: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A film that is too large, one too many, and one for which the disk has no room are refused before they come."""
    from tiktok_adapters.studio import given  # noqa: PLC0415 - what is changed

    def refused(size: int) -> str:
        with dropping(browser, account.open_id, size, b"") as connection:
            answer = connection.getresponse()
            assert answer.status in {409, 413, 507}
            said: str = json.loads(answer.read())["refused"]
            return said

    assert "TikTok takes at most" in refused(given.LARGEST + 1)
    monkeypatch.setattr(given.shutil, "disk_usage", lambda _path: type("Usage", (), {"free": given.SPARE + 9})())
    assert "The disk has no room" in refused(10)
    monkeypatch.undo()
    monkeypatch.setattr(given, "MOST", 0)
    assert "post or remove one first" in refused(10)
    assert not list((tmp_path / "home").glob("studio/*"))


def test_a_film_can_be_removed_unless_a_post_needs_it(browser: Browser, account: Any, sim: Any) -> None:
    """Remove takes the copy away; the copy of an interrupted post stays."""
    path = browser.given(account.open_id)
    assert "Kept for posts" in browser.get(f"/a/{account.open_id}").said
    assert "Kept for posts" not in browser.post(f"{path}/remove").said
    assert browser.get(path).status == 404
    sim.faults.add("putx9=status:500")
    path = browser.given(account.open_id)
    browser.post(path, **choices(browser.get(path)))
    browser.until(f"/a/{account.open_id}", "Upload interrupted")
    assert "give that post up first" in browser.post(f"{path}/remove").said
    assert browser.get(path).status == 200


def test_a_film_stays_until_the_last_of_its_posts_has_ended(
    browser: Browser, account: Any, sim: Any, tmp_path: Path
) -> None:
    """The end of one post takes nothing away from another one of the same film."""
    path = browser.given(account.open_id)
    fields = choices(browser.get(path))
    sim.faults.add("putx9=status:500")
    browser.post(path, **fields)
    browser.until(f"/a/{account.open_id}", "Go on continues it")
    sim.faults.clear()
    browser.post(path, button="draft")
    browser.until(f"/a/{account.open_id}", "Draft in the inbox")
    (record,) = account.unfinished()
    assert browser.get(path).status == 200
    browser.post(f"/a/{account.open_id}/posts/go-on", key=record.key)
    browser.until(f"/a/{account.open_id}", "Posted")
    wait_until_nothing_is_kept(tmp_path / "home")


def test_the_preview_is_served_in_parts(browser: Browser, account: Any) -> None:
    """A browser's player asks for parts of a film, and gets them with the film's type."""
    number = browser.given(account.open_id).rpartition("/")[2]
    whole = browser.get(f"/given/{number}/video")
    assert (whole.status, whole.body, whole.headers["Content-Type"]) == (200, FILM.read_bytes(), "video/mp4")
    part = browser.get(f"/given/{number}/video", Range="bytes=100-199")
    assert (part.status, part.body) == (206, FILM.read_bytes()[100:200])
    assert part.headers["Content-Range"] == f"bytes 100-199/{FILM.stat().st_size}"
    assert browser.get(f"/given/{number}/video", Range="bytes=9999999-").status == 416


# --- One wish, one post ----------------------------------------------------------------------------------------------


def test_a_repeated_press_posts_once(browser: Browser, account: Any, sim: Any) -> None:
    """The same film with the same choices is one post, pressed twice or dropped again; a person can ask for another one."""
    path = browser.given(account.open_id)
    fields = choices(browser.get(path))
    for _ in range(3):
        browser.post(path, **fields)
    browser.until(f"/a/{account.open_id}", "Posted")
    assert browser.given(account.open_id, name="another-name.mp4") == path
    assert browser.given(account.open_id) == path
    answer = browser.post(path, **fields)
    assert answer.status == 409
    assert "Nothing was posted again" in answer.said
    assert len(sim.posts) == 1
    again = re.search(r'name="again" value="([^"]+)"', answer.text)
    assert again is not None
    for _ in range(2):
        browser.post(path, **fields, again=again[1])
    for _ in range(200):
        if len(account.posts()) == 2 and not account.unfinished():
            break
        time.sleep(0.05)
    assert len(sim.posts) == 2


def test_the_command_line_means_the_same_post(
    browser: Browser, account: Any, sim: Any, environ: dict[str, str]
) -> None:
    """`tiktok post` with the same pictures and settings finds the post that the page made, because both derive the same key."""
    page = browser.post(f"/a/{account.open_id}/pictures", urls="\n".join(PICTURES))
    browser.post(form_of(browser, page), **choices(page))
    browser.until(f"/a/{account.open_id}", "Posted")
    (record,) = account.posts()
    options = ("--title", "Hello #world", "--privacy", "SELF_ONLY", "--disable-comment", "--no-music", "--json")
    done = CliRunner().invoke(tiktok, ["post", "photo", *PICTURES, *options], env=environ)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["key"] == record.key
    assert len(sim.posts) == 1


# --- Interrupted, held, late, unknown --------------------------------------------------------------------------------


def test_an_interrupted_upload_goes_on_after_a_restart(
    start: Any, signed_in: str, account: Any, sim: Any, tmp_path: Path
) -> None:
    """A restart keeps the film and the post; Go on ends it, and it is one post."""
    browser = Browser(start()).enter()
    sim.faults.add("putx9=status:500")
    path = browser.given(signed_in)
    browser.post(path, **choices(browser.get(path)))
    stopped = browser.until(f"/a/{signed_in}", "Upload interrupted")
    assert "Go on continues it" in stopped.said
    start.stop()
    sim.faults.clear()
    browser = Browser(start()).enter()
    (record,) = account.unfinished()
    browser.post(f"/a/{signed_in}/posts/go-on", key=record.key)
    browser.until(f"/a/{signed_in}", "Posted")
    assert len(sim.posts) == 1
    wait_until_nothing_is_kept(tmp_path / "home")


def test_a_studio_that_ends_leaves_its_posts_to_the_next(start: Any, signed_in: str, account: Any, sim: Any) -> None:
    """Ctrl-C during an upload stops it well: the next run goes on with the same post."""
    browser = Browser(start()).enter()
    sim.faults.add("put=slow:2")
    path = browser.given(signed_in)
    browser.post(path, **choices(browser.get(path)))
    browser.until(f"/a/{signed_in}", "Uploads")
    start.stop()
    sim.faults.clear()
    (record,) = account.unfinished()
    browser = Browser(start()).enter()
    browser.post(f"/a/{signed_in}/posts/go-on", key=record.key)
    browser.until(f"/a/{signed_in}", "Posted")
    assert len(sim.posts) == 1


def test_a_held_post_is_released_and_goes_on(browser: Browser, account: Any, sim: Any) -> None:
    """What another program holds is released and posted here."""
    held = account.enter_video(FILM, privacy_level="SELF_ONLY", held=True)
    page = browser.get(f"/a/{account.open_id}")
    assert "Held: release it" in page.said
    assert "Waits for a worker" in browser.post(f"/a/{account.open_id}/posts/release", key=held.key).said
    browser.post(f"/a/{account.open_id}/posts/go-on", key=held.key)
    browser.until(f"/a/{account.open_id}", "Posted")
    assert len(sim.posts) == 1


def test_a_post_waits_for_its_time_and_is_given_up(browser: Browser, account: Any, sim: Any, tmp_path: Path) -> None:
    """A time in the form enters the post; giving it up ends the wait, removes the film, and posts nothing."""
    at = (datetime.now().astimezone() + timedelta(hours=30)).strftime("%Y-%m-%dT%H:%M")
    path = browser.given(account.open_id)
    assert "wait until" in browser.get(f"{path}?at={at}").said
    page = browser.post(path, **choices(browser.get(path), at=at))
    assert f"Waits for {at.replace('T', ' ')}" in page.said
    (record,) = account.unfinished()
    assert record.schedule.not_before == datetime.fromisoformat(at).astimezone(UTC)
    assert not record.is_entered
    assert "Given up: nothing was posted" in browser.post(f"/a/{account.open_id}/posts/give-up", key=record.key).said
    assert not list((tmp_path / "home" / "studio").glob("*/*"))
    assert not sim.posts


def test_a_post_waits_again_after_a_restart(start: Any, signed_in: str, account: Any, sim: Any) -> None:
    """A new run waits for the times for which the earlier one waited, and for no other post."""
    browser = Browser(start()).enter()
    at = (datetime.now().astimezone() + timedelta(hours=30)).strftime("%Y-%m-%dT%H:%M")
    path = browser.given(signed_in)
    browser.post(path, **choices(browser.get(path), at=at))
    other = account.enter_video(
        FILM, privacy_level="SELF_ONLY", not_before=datetime.now(UTC) + timedelta(hours=30), for_workers=False
    )
    start.stop()
    page = Browser(start()).enter().get(f"/a/{signed_in}")
    waits = [part for part in page.said.split("Post, ")[1:] if "Waits for" in part]
    assert [("press Go on" in part) for part in waits].count(True) == 1
    assert other.key in page.text
    assert not sim.posts


@pytest.mark.parametrize(("button", "stage"), [("posted", Stage.COMPLETE), ("not-posted", Stage.ABANDONED)])
def test_a_person_says_what_became_of_a_post(
    browser: Browser, account: Any, sim: Any, button: str, stage: Stage
) -> None:
    """Where the answer to the request that posts is lost, the page says so, and a person settles it."""
    sim.faults.add("initx9=drop-after")
    page = browser.post(f"/a/{account.open_id}/pictures", urls=PICTURES[0])
    browser.post(form_of(browser, page), **choices(page))
    page = browser.until(f"/a/{account.open_id}", "May or may not be posted")
    assert "It is not there" in page.said
    (record,) = account.unfinished()
    browser.post(f"/a/{account.open_id}/posts/{button}", key=record.key)
    assert account.post(record.key).stage is stage


def test_a_refused_post_can_be_made_again(browser: Browser, account: Any, sim: Any) -> None:
    """What TikTok refused says why, keeps the film, and leads back to its export page."""
    sim.faults.add("init:1=code:spam_risk_too_many_posts")
    path = browser.given(account.open_id)
    browser.post(path, **choices(browser.get(path)))
    page = browser.until(f"/a/{account.open_id}", "spam_risk_too_many_posts")
    assert "Nothing was posted: spam_risk_too_many_posts" in page.said
    assert f'{browser.place}{path}">Post it again' in page.text
    browser.post(path, **choices(browser.get(path)))
    browser.until(f"/a/{account.open_id}", "Posted")
    assert len(sim.posts) == 1


def test_a_creator_who_cannot_post_now_is_told_so(browser: Browser, account: Any, sim: Any) -> None:
    """In place of the export page stands why."""
    sim.faults.add("creator_info:1=code:spam_risk_user_banned_from_posting")
    path = browser.given(account.open_id)
    assert "cannot post to TikTok now" in browser.get(path).said


# --- Live progress ---------------------------------------------------------------------------------------------------


def test_the_stream_tells_the_rows_that_change(browser: Browser, account: Any, sim: Any) -> None:
    """The stream shows a post from its upload to its end, with the bytes, and ends its silence with comments only."""
    connection = http.client.HTTPConnection(browser.host, timeout=WAIT)
    connection.request("GET", f"{browser.place}/a/{account.open_id}/events", headers={"Cookie": browser.cookie})
    stream = connection.getresponse()
    assert stream.getheader("Content-Type") == "text/event-stream"
    posted(browser, account.open_id)
    rows: list[dict[str, str]] = []
    while not rows or "Posted" not in rows[-1]["rest"]:
        line = stream.readline()
        assert line, "the stream ended"
        if line.startswith(b"data: "):
            rows += json.loads(line[6:])
    connection.close()
    (record,) = account.posts()
    assert {row["key"] for row in rows} == {record.key}


def test_the_stream_of_a_studio_that_ends_ends(start: Any, signed_in: str) -> None:
    """An open page does not keep the studio from ending."""
    browser = Browser(start()).enter()
    connection = http.client.HTTPConnection(browser.host, timeout=WAIT)
    connection.request("GET", f"{browser.place}/a/{signed_in}/events", headers={"Cookie": browser.cookie})
    stream = connection.getresponse()
    assert stream.readline()
    start.stop()
    while stream.readline():
        pass
    connection.close()


def test_a_second_studio_on_the_port_is_refused(start: Callable[..., str]) -> None:
    """One sentence names the port and what to do."""
    port = int(Browser(start()).host.partition(":")[2])
    with pytest.raises(Exception, match="another program, perhaps another studio, has it"):
        start(port=port)
