"""`doctor`: each thing that keeps a post from being made is found, told, and told where to mend it."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from tiktok_adapters.assembly import token_file
from tiktok_adapters.cli import doctor as room
from tiktok_adapters.simulator import SimulatedTikTok, parse_fault
from tiktok_adapters.stores.sqlite import SqliteTokenStore
from tiktok_core import App, Response

CHECKS = [
    "settings",
    "redirect URI",
    "TikTok's API",
    "clock",
    "sign-in",
    "scopes",
    "posts of the last day",
    "creator",
    "account",
    "upload host",
]


def examined(cli: Any, *arguments: str, env: dict[str, str] | None = None) -> tuple[int, dict[str, dict[str, str]]]:
    """Run the command; return its status and the findings by check."""
    done = cli("doctor", "--json", *arguments, env=env)
    document = json.loads(done.stdout)
    assert document["can_post"] == (done.exit_code == 0)
    assert set(CHECKS) == {finding["check"] for finding in document["findings"]}
    return done.exit_code, {finding["check"]: finding for finding in document["findings"]}


@pytest.mark.usefixtures("signed_in")
def test_all_is_well(cli: Any) -> None:
    """Every check is made, in the order in which a post needs them, and none finds trouble."""
    status, found = examined(cli)
    assert status == 0
    assert list(found) == CHECKS
    assert {finding["verdict"] for finding in found.values()} == {"fine"}
    assert "client_key from TIKTOK_CLIENT_KEY" in found["settings"]["message"]
    assert "Desktop" in found["redirect URI"]["message"]
    assert "Login Kit" in found["redirect URI"]["where"]


@pytest.mark.usefixtures("signed_in")
def test_people_get_lines(cli: Any) -> None:
    """A mark and a sentence for each check, and below it what to change."""
    done = cli("doctor")
    assert done.exit_code == 0
    assert "+ creator: maker_one may post now; videos up to 300 s" in done.stdout


def test_missing_settings_are_named_with_their_place_in_the_portal(cli: Any) -> None:
    """All of them at once, and nothing else is looked at."""
    status, found = examined(cli, env={"TIKTOK_CLIENT_KEY": "", "TIKTOK_CLIENT_SECRET": ""})
    assert status == 2
    assert "developer portal" in found["settings"]["message"]
    assert {finding["verdict"] for name, finding in found.items() if name != "settings"} == {"not looked at"}


def test_the_key_of_a_sandbox_is_pointed_out(cli: Any, environ: dict[str, str]) -> None:
    """Only target users can sign in to a sandbox, which is told before anybody wonders."""
    assert "target users" in examined(cli, env={"TIKTOK_CLIENT_KEY": "sbawexample"})[1]["settings"]["message"]


@pytest.mark.usefixtures("signed_in")
def test_nobody_answers(cli: Any) -> None:
    """Trouble with the network is told for the API and for the upload host; what the home folder tells is still told."""
    status, found = examined(cli, env={"TIKTOK_API_URL": "http://127.0.0.1:1"})
    assert status == 5
    assert [name for name, finding in found.items() if finding["verdict"] == "trouble"] == [
        "TikTok's API",
        "creator",
        "upload host",
    ]
    assert found["sign-in"]["verdict"] == "fine"
    assert found["clock"]["verdict"] == "not looked at"


def test_nobody_is_signed_in(cli: Any) -> None:
    """Then the way to mend it is one command."""
    status, found = examined(cli)
    assert status == 3
    assert found["sign-in"]["change"] == "Sign in: tiktok login"
    assert found["creator"]["verdict"] == "not looked at"
    assert found["upload host"]["verdict"] == "fine"


@pytest.mark.parametrize(
    ("scope", "end"),
    [
        (("user.info.basic", "video.upload"), (0, "warning")),
        (("user.info.basic", "video.publish"), (0, "warning")),
        (("user.info.basic",), (4, "trouble")),
    ],
)
def test_what_was_not_granted_is_told(
    cli: Any, environ: dict[str, str], signed_in: str, scope: tuple[str, ...], end: tuple[int, str]
) -> None:
    """With neither scope nothing can be posted; with one of them, drafts or direct posts alone."""
    change_tokens(environ, signed_in, scope=scope)
    exit_code, found = examined(cli)
    assert (exit_code, found["scopes"]["verdict"]) == end
    assert "Scopes" in found["scopes"]["where"]
    assert (found["creator"]["verdict"] == "not looked at") == ("video.publish" not in scope)


def change_tokens(environ: dict[str, str], account: str, **changes: Any) -> None:
    """Change what the home folder keeps of an account."""
    app = App(environ["TIKTOK_CLIENT_KEY"], environ["TIKTOK_CLIENT_SECRET"], environ["TIKTOK_REDIRECT_URI"])
    store = SqliteTokenStore(token_file(Path(environ["TIKTOK_HOME"]), app))
    tokens = store.load(account)
    assert tokens is not None
    store.save(account, evolve(tokens, **changes))
    store.close()


def test_a_sign_in_that_ends_soon_is_told(cli: Any, environ: dict[str, str], signed_in: str) -> None:
    """Within 30 days of its end, while nothing has failed yet."""
    change_tokens(environ, signed_in, refresh_expires_at=datetime.now(UTC) + timedelta(days=29))
    status, found = examined(cli)
    assert (status, found["sign-in"]["verdict"]) == (0, "warning")
    assert "before then" in found["sign-in"]["change"]


@pytest.mark.usefixtures("signed_in")
@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("spam_risk_too_many_posts", "24 hours"),
        ("spam_risk_user_banned_from_posting", "barred"),
        ("reached_active_user_cap", "active"),
        ("scope_not_authorized", "scope"),
    ],
)
def test_a_refusal_of_the_creator_info_is_explained(cli: Any, sim: SimulatedTikTok, code: str, words: str) -> None:
    """The three that come with HTTP 200, too."""
    sim.faults.add(parse_fault(f"creator_info=code:{code}@200"))
    status, found = examined(cli)
    assert (status, found["creator"]["verdict"]) == (4, "trouble")
    assert words in found["creator"]["message"]


@pytest.mark.usefixtures("signed_in")
def test_a_public_account_is_a_warning(cli: Any, sim: SimulatedTikTok) -> None:
    """Whether the app was audited nobody can ask; the account can be seen."""
    sim.creators[0].private = False
    status, found = examined(cli)
    assert (status, found["account"]["verdict"]) == (0, "warning")
    assert "audited" in found["account"]["message"]
    assert "Private account" in found["account"]["where"]


@pytest.mark.usefixtures("signed_in")
def test_a_full_inbox_is_a_warning(cli: Any, film: Path) -> None:
    """After five drafts of a day the sixth may be refused."""
    for number in range(5):
        assert cli("post", "video", str(film), "--draft", "--key", str(number)).exit_code == 0
    status, found = examined(cli)
    assert (status, found["posts of the last day"]["verdict"]) == (0, "warning")
    assert "5 of 5 drafts" in found["posts of the last day"]["message"]


@pytest.mark.usefixtures("signed_in")
def test_a_post_of_unknown_outcome_is_a_warning(cli: Any, sim: SimulatedTikTok) -> None:
    """Somebody has to look; how to say what was found stands beside it."""
    sim.faults.add(parse_fault("photo_init=drop-after"))
    assert cli("post", "photo", "https://media.example.com/1.jpg", "--privacy", "SELF_ONLY").exit_code == 6
    found = examined(cli)[1]["posts of the last day"]
    assert found["verdict"] == "warning"
    assert "--settle" in found["change"]


@pytest.mark.parametrize(
    ("behind", "verdict"),
    [(0, "fine"), (-50, "fine"), (90, "warning"), (-90, "warning"), (900, "trouble"), (-900, "trouble")],
)
def test_a_clock_that_is_wrong_is_told(behind: int, verdict: str) -> None:
    """By TikTok's own Date: a little is a warning, more than five minutes is trouble."""
    there = format_datetime(datetime.now(UTC) + timedelta(seconds=behind), usegmt=True)
    finding = room._clock(Response(status=401, headers={"date": there}))
    assert finding.verdict == verdict
    assert ("behind" if behind > 0 else "ahead of") in finding.message or behind == 0


@pytest.mark.parametrize("date", ["", "yesterday", "\N{SNOWMAN}"])
def test_a_date_that_cannot_be_read_is_no_trouble(date: str) -> None:
    """Then the clock was not looked at, and that is said."""
    assert room._clock(Response(status=401, headers={"date": date} if date else {})).verdict == "not looked at"


def test_nothing_is_left_behind_by_looking(cli: Any, environ: dict[str, str]) -> None:
    """Where nobody has signed in, the home folder is not even made."""
    examined(cli)
    assert not Path(environ["TIKTOK_HOME"]).exists()
