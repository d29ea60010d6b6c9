"""What a run of the local page finds of earlier ones, what it removes, and what it says where something fails.

What belongs here: the folder, the check-up, public links, and errors of the program itself.
"""

import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from studio_browser import FILM, Browser
from tiktok_adapters.studio import other_routes
from tiktok_adapters.studio.given import GivenFiles
from tiktok_core import AsyncAccount

CANARY = "canary-of-a-fault"
"""What an error may say, and no log, page or output shows."""


def test_a_new_run_removes_what_is_over_and_keeps_the_rest(
    start: Any, signed_in: str, account: Any, tmp_path: Path
) -> None:
    """Films whose posts have ended, and parts of films that never came whole, go; films that wait stay."""
    browser = Browser(start()).enter()
    at = time.strftime("%Y-%m-%dT%H:%M", time.localtime(time.time() + 86_400))
    browser.post(browser.given(signed_in), button="draft", at=at)
    waiting = browser.given(signed_in, (FILM.with_name("vp9.webm")).read_bytes(), "waits.webm")
    start.stop()
    folder = tmp_path / "home" / "studio"
    for name, age in (("old", 7_200), ("new", 60)):
        part = folder / f".{name}" / "part.mp4"
        part.parent.mkdir()
        part.write_bytes(b"part")
        for one in (part, part.parent):
            os.utime(one, (time.time() - age, time.time() - age))
    (folder / "not-ours").mkdir()
    (record,) = account.unfinished()
    account.abandon(record.key)
    browser = Browser(start()).enter()
    assert sorted(one.name for one in folder.iterdir()) == sorted([".new", waiting.rpartition("/")[2], "not-ours"])
    assert "waits.webm" in browser.get(f"/a/{signed_in}").said


def test_a_film_may_go_while_they_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A post that ends removes its film, perhaps between two looks of a page that lists them all."""
    kept = GivenFiles(tmp_path)
    stays, goes = (kept.pictures([f"https://media.example.com/{name}.jpg"]) for name in ("stays", "goes"))
    found = Path.iterdir

    def then_gone(folder: Path) -> list[Path]:
        names = list(found(folder))
        if folder == tmp_path:
            kept.remove(goes.id)
        return names

    monkeypatch.setattr(Path, "iterdir", then_gone)
    assert [one.id for one in kept.all()] == [stays.id]


def test_a_public_post_has_its_link(browser: Browser, account: Any, sim: Any) -> None:
    """Where TikTok names the public post, its page can be opened; a private one has none."""
    path = browser.given(account.open_id)
    page = browser.get(path)
    agreed = re.search(r'name="agreed_to" value="([^"]*)"', page.text)
    assert agreed is not None
    fields = {"agreed_to": agreed[1], "button": "post", "title": "Private", "privacy_level": "SELF_ONLY"}
    browser.post(path, **fields)
    browser.until(f"/a/{account.open_id}", "Posted")
    (record,) = account.posts()
    refused = browser.post(f"/a/{account.open_id}/posts/find", key=record.key)
    assert "it is private, or not public yet" in refused.said
    sim.app.audited, sim.creator.private, sim.switches.moderation_seconds = True, False, 0.0
    path = browser.given(account.open_id)
    browser.post(path, **{**fields, "title": "Public", "privacy_level": "PUBLIC_TO_EVERYONE"})
    shown = browser.until(f"/a/{account.open_id}", "See it on TikTok")
    public = next(one for one in account.posts() if one.wish.post.title == "Public")
    assert f"/video/{public.last.post_ids[0]}" in shown.text
    assert 'rel="noopener noreferrer"' in shown.text


def test_a_link_is_looked_for_after_a_restart(start: Any, signed_in: str, account: Any, sim: Any) -> None:
    """A new run does not know the link, and asks TikTok when a person wants it."""
    sim.app.audited, sim.creator.private, sim.switches.moderation_seconds = True, False, 0.0
    account.post_video(FILM, privacy_level="PUBLIC_TO_EVERYONE", key="public")
    browser = Browser(start()).enter()
    assert "See it on TikTok" not in browser.get(f"/a/{signed_in}").said
    assert "See it on TikTok" in browser.post(f"/a/{signed_in}/posts/find", key="public").said


@frozen
class Found:
    """A finding of a check-up."""

    check: str
    verdict: str
    message: str
    change: str = ""
    where: str = ""


def test_the_check_up_is_shown(start: Callable[..., str]) -> None:
    """Each finding with its verdict, and what to change and where."""
    found = [Found("clock", "fine", "agrees"), Found("proxy <b>", "trouble", "is odd", "Change it.", "config.toml")]
    browser = Browser(start(examine=lambda: found)).enter()
    assert "Begin the check-up" in browser.get("/doctor").said
    answer = browser.post("/doctor")
    assert "clock fine agrees" in answer.said
    assert "is odd Change it. (config.toml)" in answer.said
    assert b"<b>" not in answer.body


def test_a_fault_of_the_program_is_one_sentence(start: Callable[..., str]) -> None:
    """An unexpected error shows its kind, and nothing of where it happened."""

    def broken() -> Any:
        raise ZeroDivisionError(CANARY)

    browser = Browser(start(examine=broken)).enter()
    answer = browser.post("/doctor")
    assert answer.status == 500
    assert "An unexpected error (ZeroDivisionError)" in answer.said
    assert "canary" not in answer.text
    assert browser.get("/").status == 200


def test_a_fault_of_the_program_in_a_post_does_not_end_the_studio(
    browser: Browser, account: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row says so, and the post stays in the journal."""
    held = account.enter_video(FILM, privacy_level="SELF_ONLY", for_workers=True)

    def broken(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError(CANARY)

    monkeypatch.setattr(AsyncAccount, "resume", broken)
    browser.post(f"/a/{account.open_id}/posts/go-on", key=held.key)
    assert "canary" not in browser.until(f"/a/{account.open_id}", "An unexpected error (ZeroDivisionError)").text
    monkeypatch.undo()
    browser.post(f"/a/{account.open_id}/posts/go-on", key=held.key)
    browser.until(f"/a/{account.open_id}", "Posted")


def test_only_its_own_files_are_served(browser: Browser) -> None:
    """The names are those of a table."""
    for name in other_routes.FILES:
        assert browser.get(f"/{name}").status == 200
    assert browser.get("/server.py").status == 404


def test_too_many_pictures_are_refused(browser: Browser, account: Any) -> None:
    """And none at all."""
    for urls in ("", "\n".join(f"https://media.example.com/{number}.jpg" for number in range(36))):
        answer = browser.post(f"/a/{account.open_id}/pictures", urls=urls)
        assert answer.status == 400
        assert "Give 1 to 35 URLs" in answer.said
    assert browser.post(f"/a/{account.open_id}/pictures", urls="x" * 300_000).status == 413


def test_a_set_of_pictures_has_no_film(browser: Browser, account: Any) -> None:
    """Its number in the address of a preview leads nowhere; a picture of another scheme opens no host to the page."""
    page = browser.post(
        f"/a/{account.open_id}/pictures", urls="http://plain.example/1.jpg https://user@host.example/2.jpg"
    )
    assert "img-src 'self';" in page.headers["Content-Security-Policy"]
    found = re.search(r"/given/([0-9a-f]{16})", page.text)
    assert found is not None
    assert browser.get(f"/given/{found[1]}/video").status == 404


def test_pictures_wait_for_their_time_and_go_as_drafts(browser: Browser, account: Any, sim: Any) -> None:
    """A draft of pictures keeps its title, and waits like any other post."""
    page = browser.post(f"/a/{account.open_id}/pictures", urls="https://media.example.com/1.jpg")
    path = re.search(r'action="[^"]*(/a/[^"]*/given/[0-9a-f]{16})"', page.text)
    assert path is not None
    shown = browser.post(path[1], button="draft", title="Later", at="2020-01-01T00:00")
    assert shown.status == 400
    at = time.strftime("%Y-%m-%dT%H:%M", time.localtime(time.time() + 86_400))
    assert "Waits for" in browser.post(path[1], button="draft", title="Later", at=at).said
    (record,) = account.unfinished()
    assert (record.wish.post.draft, record.wish.post.title) == (True, "Later")
    assert not sim.posts


def test_an_update_of_the_page_keeps_the_choices(browser: Browser, account: Any) -> None:
    """Without the script, Update shows what the choices mean, and posts nothing."""
    path = browser.given(account.open_id)
    page = browser.post(path, button="update", title="Kept title", privacy_level="SELF_ONLY", is_disclosed="on")
    assert page.status == 200
    assert "Kept title" in page.said
    assert not account.posts()


@pytest.mark.parametrize("name", ["..", "", "%ff%00", "a" * 300 + ".mp4", "pictures.json"])
def test_any_name_of_a_film_is_taken(browser: Browser, account: Any, name: str, tmp_path: Path) -> None:
    """A name is only a name: the film lies in its folder."""
    path = browser.given(account.open_id, name=name)
    (kept,) = (tmp_path / "home" / "studio").glob("*/*")
    assert kept.read_bytes() == FILM.read_bytes()
    assert browser.get(path).status == 200
