"""Missing scopes are named before a request is made, and a new sign-in keeps what was granted."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from clips import PHOTO
from tiktok_adapters import connect
from tiktok_adapters.cli import login as room
from tiktok_adapters.simulator import Creator, SimulatedTikTok

SELF = ("--privacy", "SELF_ONLY")


@pytest.fixture
def granted(sim: SimulatedTikTok, environ: dict[str, str]) -> Callable[..., str]:
    """Sign in with these scopes."""

    def sign_in(*scopes: str) -> str:
        with connect(environ=environ) as client:
            asked = client.authorization(scopes, redirect_uri="http://127.0.0.1:3455/callback/")
            return client.sign_in(asked, sim.authorize(asked.url)).open_id

    return sign_in


@pytest.fixture
def pages(sim: SimulatedTikTok, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The pages that `login` opened; a person agrees to everything on each of them."""
    found: list[str] = []

    class Answered:
        def wait(self, *_: Any) -> str:
            return sim.authorize(found[-1])

        def put(self, _: Any) -> None:
            """Nothing: the person's answer is known."""

        def give_up(self) -> None:
            """Nothing: the person's answer is known."""

    monkeypatch.setattr(room, "open_browser", found.append)
    monkeypatch.setattr(room, "Answers", Answered)
    return found


def asked(page: str) -> set[str]:
    """Return the scopes that a page asks for."""
    return set(parse_qs(urlsplit(page).query)["scope"][0].split(","))


@pytest.mark.parametrize(
    ("arguments", "scope"),
    [
        (("videos",), "video.list"),
        (("creator",), "video.publish"),
        (("whoami", "--field", "username"), "user.info.profile"),
        (("post", "photo", PHOTO, *SELF), "video.publish"),
        (("post", "photo", PHOTO, "--draft"), "video.upload"),
        (("status", "v_pub_file~v2-1.1"), "video.publish"),
        (("resume", "mine"), "video.publish"),
        (("cancel", "v_pub_url~v2-1.1"), "video.publish"),
        (("find", "v_pub_file~v2-1.1"), "video.publish"),
        (("data", "request", "profile"), "portability.all.single"),
    ],
)
def test_a_scope_that_was_not_granted_is_named_with_the_command_before_any_request(
    arguments: tuple[str, ...], scope: str, cli: Any, granted: Callable[..., str], sim: SimulatedTikTok
) -> None:
    """What was granted lies in the store; the exit status is 3, because a person has to sign in."""
    granted("user.info.basic")
    before = len(sim.log)
    result = cli(*arguments, "--json")
    assert len(sim.log) == before
    error = json.loads(result.stdout)["error"]
    assert (result.exit_code, error["type"], error["code"]) == (3, "SignInRequired", "scope_not_authorized")
    command = " ".join(arguments[:2] if arguments[0] in {"post", "data"} else arguments[:1])
    assert f"it did not grant {scope}, which 'tiktok {command}' needs" in result.stderr
    assert f"tiktok login --scope {scope}" in result.stderr


@pytest.mark.usefixtures("signed_in")
def test_a_scope_that_tiktok_itself_misses_wants_a_sign_in(cli: Any, sim: SimulatedTikTok, film: Path) -> None:
    """The store may know of a grant that TikTok no longer has: the command names the scope, which TikTok does not."""
    sim.faults.add("creator_info=code:scope_not_authorized")
    told = cli("post", "video", str(film), *SELF)
    assert told.exit_code == 3
    assert told.stderr.rstrip().endswith("Sign in: tiktok login --scope video.publish")
    sim.faults.add("status=code:scope_not_authorized")
    assert "Sign in: tiktok login --scope video.publish" in cli("status", "v_pub_file~v2-1.1").stderr


def test_login_keeps_what_any_account_granted_where_it_may_be_any(
    cli: Any, granted: Callable[..., str], pages: list[str], sim: SimulatedTikTok, environ: dict[str, str]
) -> None:
    """With several accounts the person chooses on TikTok's page; with --account it is that one, in any spelling."""
    first = granted("user.info.basic", "video.upload", "video.publish")
    sim.creators.append(Creator(open_id="-000Second", username="maker_two"))
    with connect(environ=environ) as client:
        other = client.authorization(
            ["user.info.basic", "user.info.stats"], redirect_uri="http://127.0.0.1:3455/callback/"
        )
        client.sign_in(other, sim.authorize(other.url, account="maker_two"))
    posting = {"user.info.basic", "video.upload", "video.publish", "video.list"}
    cli("login", "--scope", "video.list", "--account", first.upper())
    assert asked(pages[-1]) == posting
    cli("login", "--scope", "video.list")
    assert asked(pages[-1]) == {*posting, "user.info.stats"}
    told = cli("login", "--scope", "video.list", "--switch")
    assert asked(pages[-1]) == {"video.list"}
    assert f"If you choose {first} there, it gives up what it granted before: " in told.stderr


def test_login_adds_to_what_was_granted(cli: Any, granted: Callable[..., str], pages: list[str]) -> None:
    """A sign-in for one more scope does not drop posting, and a plain one drops nothing either."""
    granted("user.info.basic", "video.upload", "video.publish")
    assert cli("login", "--scope", "video.list").exit_code == 0
    everything = {"user.info.basic", "video.upload", "video.publish", "video.list"}
    assert asked(pages[-1]) == everything
    assert cli("videos").exit_code == 0
    assert cli("login").exit_code == 0
    assert asked(pages[-1]) == everything


def test_login_with_only_replaces_what_was_granted_and_says_what_is_given_up(
    cli: Any, granted: Callable[..., str], pages: list[str]
) -> None:
    """The sentence stands before the page, when a person can still turn back."""
    account = granted("user.info.basic", "video.upload", "video.publish")
    result = cli("login", "--only", "--scope", "user.info.basic")
    assert asked(pages[-1]) == {"user.info.basic"}
    said = f"This sign-in gives up what {account} granted before: video.publish, video.upload."
    assert said in result.stderr.partition("Open this page")[0]
    assert "No longer granted: video.publish, video.upload" in result.stderr
