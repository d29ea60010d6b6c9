"""`--at`, `--not-after`, `--enter-only`, `--hold` and `release`: a post is begun at its time, by whom a person said, and never twice."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from tiktok_adapters import connect
from tiktok_adapters.clocks import ManualClock, SystemClock
from tiktok_adapters.simulator import SimulatedTikTok
from tiktok_core import Stage

START: Final = datetime(2026, 12, 1, 12, tzinfo=UTC)
HOUR: Final = 3_600.0
AT: Final = "2026-12-01 18:00 Europe/Berlin"
SHOWN: Final = "2026-12-01 18:00 Europe/Berlin (2026-12-01 17:00 UTC)"
LATEST: Final = "2026-12-01 19:00 Europe/Berlin (2026-12-01 18:00 UTC)"
IN_UTC: Final = "2026-12-01T17:00:00Z"
SELF: Final = ("--privacy", "SELF_ONLY")
PHOTO: Final = ("post", "photo", "https://media.example.com/1.jpg", *SELF)
LATER: Final = (*PHOTO, "--at", AT)

pytestmark = pytest.mark.usefixtures("signed_in")


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch, no_waiting: None) -> ManualClock:
    """The time of the commands and of the sandbox, which stands still unless a command sleeps; in Berlin."""
    clock = ManualClock(START)
    monkeypatch.setattr(SystemClock, "now", lambda _clock: clock.now())
    monkeypatch.setattr(SystemClock, "sleep", lambda _clock, seconds: clock.sleep(seconds))
    monkeypatch.setenv("TZ", "Europe/Berlin")
    return clock


@pytest.fixture
def leave(monkeypatch: pytest.MonkeyPatch, clock: ManualClock) -> Callable[[], None]:
    """Let a person press Ctrl-C at the next wait, once."""

    def at_the_next_wait() -> None:
        def sleep(_clock: SystemClock, seconds: float) -> None:
            monkeypatch.setattr(SystemClock, "sleep", lambda _clock, seconds: clock.sleep(seconds))
            raise KeyboardInterrupt

        monkeypatch.setattr(SystemClock, "sleep", sleep)

    return at_the_next_wait


def key_of(result: Any) -> str:
    """Return the key in the document of a command that succeeded."""
    assert result.exit_code == 0, result.output
    return str(json.loads(result.stdout)["key"])


def listed(cli: Any) -> list[dict[str, Any]]:
    """Return the posts that `uploads` lists."""
    posts: list[dict[str, Any]] = json.loads(cli("uploads", "--json").stdout)["posts"]
    return posts


def worked(environ: dict[str, str]) -> list[str]:
    """Do what a worker does, and return the keys of the posts that were due."""
    with connect(environ=environ) as tiktok:
        due = tiktok.due_posts()
        for record in due:
            assert tiktok.account(record.account).advance(record.key, until_wait=60.0).publication.is_final
        return [record.key for record in due]


# --- At a time -------------------------------------------------------------------------------------------------------


def test_a_post_is_made_at_its_time(cli: Any, sim: SimulatedTikTok, film: Path, clock: ManualClock) -> None:
    """The command says until when it waits. Repeated, at any time, it shows that post."""
    command = ("post", "video", str(film), *SELF, "--at", AT)
    done = cli(*command)
    assert done.exit_code == 0, done.stderr
    (wait,) = [line for line in done.stderr.splitlines() if line.startswith("Waiting")]
    assert wait.startswith(f"Waiting until {SHOWN}, in 5 h 0 min, to post cli-")
    assert sim.posts[0].status == "PUBLISH_COMPLETE"
    assert clock.naps[0] > HOUR / 60 - 1
    assert START + timedelta(hours=5) <= clock.now() < START + timedelta(hours=5, minutes=2)
    for _ in range(2):
        again = cli(*command, "--json")
        assert key_of(again) == done.stderr.partition("Its key is ")[2].partition(":")[0]
        assert json.loads(again.stdout)["earlier_at"] == "2026-12-01T12:00:00Z"
        assert "You asked for the same post before" in again.stderr
        clock.advance(2 * HOUR)
    assert len(sim.posts) == 1


def test_another_time_is_another_post(cli: Any, sim: SimulatedTikTok, clock: ManualClock) -> None:
    """The same time in another zone is not; nor are the same words without a time the post of a time."""
    keys = [
        key_of(cli(*PHOTO, "--enter-only", *time, "--json"))
        for time in (("--at", AT), ("--at", "2026-12-01T17:00Z"), ("--at", "2026-12-02 18:00"), ())
    ]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3
    assert sim.posts == ()


def test_ctrl_c_while_a_post_waits_says_how_to_go_on(cli: Any, sim: SimulatedTikTok, leave: Callable[[], None]) -> None:
    """`resume` waits for the rest of the time, and says so."""
    leave()
    stopped = cli(*LATER, "--key", "mine")
    assert stopped.exit_code == 130
    assert stopped.stderr.splitlines()[-1] == (
        f"tiktok: interrupted. Its key is mine; it is planned for {SHOWN}. "
        "'tiktok resume mine' waits for it, 'tiktok abandon mine' gives it up."
    )
    assert sim.posts == ()
    assert "is planned, and TikTok has given it no publish id yet: tiktok resume mine" in cli("status", "mine").stderr
    resumed = cli("resume", "mine")
    assert resumed.exit_code == 0
    assert resumed.stderr.startswith(f"Waiting until {SHOWN}, in 5 h 0 min, to post mine. Ctrl-C ends the wait")
    assert len(sim.posts) == 1


def test_ctrl_c_leaves_to_the_worker_what_was_entered_for_it(cli: Any, leave: Callable[[], None]) -> None:
    """A person who waits for such a post may go away."""
    assert cli(*LATER, "--key", "mine", "--enter-only").exit_code == 0
    leave()
    stopped = cli("resume", "mine")
    assert "'tiktok worker' posts it then, 'tiktok abandon mine' gives it up." in stopped.stderr


REFUSED: Final = [
    ("--at tomorrow", "Invalid value for '--at': 'tomorrow' is not a time, such as"),
    (
        "--at 2026-12-01T11:59Z",
        "--at: 2026-12-01 12:59 Europe/Berlin (2026-12-01 11:59 UTC) is over: name a time to come",
    ),
    ("--at 2027-03-02T12:00Z", "(2027-03-02 12:00 UTC) is more than 90 days ahead"),
    ("--not-after 2026-12-01T18:00Z", "--not-after needs --at"),
    ("--at 2026-12-01T17:00Z --not-after 2026-12-01T17:00Z", "is not later than --at, 2026-12-01 18:00 Europe/Berlin"),
    ("--at 2027-03-28T02:30_Europe/Berlin", "does not exist in Europe/Berlin"),
    ("--at 2026-12-01T18:00_Europe/Berln", "did you mean Europe/Berlin"),
]


@pytest.mark.parametrize(("options", "said"), REFUSED)
@pytest.mark.parametrize("how", [(), ("--enter-only",), ("--hold", "--key", "mine"), ("--dry-run",)])
def test_a_time_that_cannot_be_meant_is_refused(
    how: tuple[str, ...], options: str, said: str, *, cli: Any, sim: SimulatedTikTok
) -> None:
    """In one sentence, in the words of the command line; nothing is sent, and nothing is stored."""
    refused = cli(*PHOTO, *how, *(word.replace("_", " ") for word in options.split()))
    assert refused.exit_code == 2
    assert said in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert "not_before" not in refused.stderr
    assert (listed(cli), sim.posts) == ([], ())


def test_a_dry_run_says_when(cli: Any, sim: SimulatedTikTok) -> None:
    """Beside the requests; nothing is stored."""
    told = cli(*LATER, "--dry-run")
    assert told.exit_code == 0
    assert f"would send these requests from {SHOWN} on, and begin by {LATEST}; none" in told.stdout
    document = json.loads(cli(*LATER, "--dry-run", "--json").stdout)
    times = {"not_before": IN_UTC, "not_after": "2026-12-01T18:00:00Z", "zone": "Europe/Berlin"}
    assert times.items() <= document.items()
    assert json.loads(cli(*PHOTO, "--dry-run", "--json").stdout)["not_before"] is None
    assert (listed(cli), sim.posts) == ([], ())


# --- For a worker ----------------------------------------------------------------------------------------------------


def test_a_post_is_entered_for_a_worker(
    cli: Any, sim: SimulatedTikTok, environ: dict[str, str], clock: ManualClock
) -> None:
    """The command returns at once; the worker begins it at its time, and the command shows it from then on."""
    entered = cli(*LATER, "--enter-only")
    key = entered.stdout.partition(":")[0]
    assert (
        entered.stdout == f"{key}: entered; 'tiktok worker' posts it at {SHOWN}, in 5 h 0 min, and has to run by then\n"
    )
    document = json.loads(cli(*LATER, "--enter-only", "--json").stdout)
    assert document == {
        "key": key,
        "publish_id": "",
        "status": "PROCESSING_DOWNLOAD",
        "fail_reason": "",
        "post_ids": [],
        "uploaded_bytes": None,
        "earlier_at": "2026-12-01T12:00:00Z",
        "stage": "planned",
        "not_before": IN_UTC,
        "not_after": "2026-12-01T18:00:00Z",
        "zone": "Europe/Berlin",
        "held": False,
        "entered": True,
    }
    assert clock.naps == ()
    assert worked(environ) == []
    clock.advance(5 * HOUR)
    assert cli("uploads").stdout.endswith("; waits for 'tiktok worker'\n")
    assert worked(environ) == [key]
    after = cli(*LATER, "--enter-only")
    assert after.stdout == f"{key}: complete {sim.posts[0].publish_id}\n"
    assert len(sim.posts) == 1


def test_a_post_without_a_time_is_due_at_once(cli: Any, environ: dict[str, str], film: Path) -> None:
    """The worker opens the file by its whole name."""
    entered = cli("post", "video", str(film), *SELF, "--enter-only")
    key, _, said = entered.stdout.partition(": ")
    assert said == "entered; 'tiktok worker' posts it as soon as it can and has to run by then\n"
    assert worked(environ) == [key]


def test_a_file_that_has_changed_by_its_time_is_not_posted(cli: Any, sim: SimulatedTikTok, film: Path) -> None:
    """Nobody entered what lies there now."""
    entered = cli("post", "video", str(film), *SELF, "--enter-only", "--key", "mine")
    assert entered.exit_code == 0
    film.write_bytes(film.read_bytes() + b"\0\0\0\x08free")
    refused = cli("resume", "mine")
    assert (refused.exit_code, "is not the one that this post began with" in refused.stderr) == (2, True)
    assert (sim.posts, sim.count("video_init")) == ((), 0)


def test_a_post_that_waits_in_a_command_is_not_the_workers(
    cli: Any, environ: dict[str, str], clock: ManualClock, leave: Callable[[], None]
) -> None:
    """Unless somebody enters it for them afterwards."""
    leave()
    assert cli(*LATER).exit_code == 130
    clock.advance(5 * HOUR)
    assert worked(environ) == []
    key = key_of(cli(*LATER, "--enter-only", "--json"))
    assert worked(environ) == [key]


# --- Held and late ---------------------------------------------------------------------------------------------------


def test_a_held_post_waits_for_its_release(
    cli: Any, sim: SimulatedTikTok, environ: dict[str, str], clock: ManualClock
) -> None:
    """No command and no worker begins it before; after it, it still waits for its time."""
    held = cli(*LATER, "--hold", "--key", "mine")
    ways = "'tiktok release mine' lets it be posted, 'tiktok abandon mine' gives it up"
    assert held.stdout == f"mine: entered; held, for {SHOWN}: {ways}\n"
    assert cli("uploads").stdout.endswith(f"; held, for {SHOWN}: {ways}\n")
    assert (listed(cli)[0]["held"], listed(cli)[0]["entered"]) == (True, True)
    assert "no publish id yet: tiktok release mine" in cli("status", "mine").stderr
    for command in (("resume", "mine"), (*LATER, "--key", "mine")):
        refused = cli(*command)
        assert refused.exit_code == 2
        assert refused.stderr.splitlines()[-1] == (
            "tiktok: mine is held: a person has to release it before it is posted. "
            "'tiktok release mine' releases it, 'tiktok abandon mine' gives it up"
        )
    released = cli("release", "mine")
    assert released.exit_code == 0
    assert released.stdout == (
        f"mine is released: its time is {SHOWN}; 'tiktok worker' posts it then, or 'tiktok resume mine' waits for it\n"
    )
    assert worked(environ) == []
    clock.advance(5 * HOUR)
    assert worked(environ) == ["mine"]
    assert len(sim.posts) == 1


def test_a_release_without_a_time_says_who_posts(cli: Any, environ: dict[str, str]) -> None:
    """The document has the post's state. What is not held is not released, nor what nobody knows."""
    key = key_of(cli(*PHOTO, "--hold", "--json"))
    assert worked(environ) == []
    document = json.loads(cli("release", key, "--json").stdout)
    assert (document["key"], document["held"], document["stage"], document["not_before"]) == (
        key,
        False,
        "planned",
        None,
    )
    again = cli("release", key)
    assert (again.exit_code, "nothing to release" in again.stderr) == (2, True)
    assert "did you mean" in cli("release", f"{key}0").stderr
    other = key_of(cli(*PHOTO, "--hold", "--again", "--json"))
    assert (
        cli("release", other).stdout == f"{other} is released: 'tiktok worker' posts it, or 'tiktok resume {other}'\n"
    )
    assert sorted(worked(environ)) == sorted([key, other])


def test_to_hold_what_was_entered_before_changes_nothing_and_says_so(cli: Any) -> None:
    """A person must not believe that it waits."""
    assert cli(*LATER, "--enter-only", "--key", "mine").exit_code == 0
    told = cli(*LATER, "--hold", "--key", "mine", "--json")
    assert json.loads(told.stdout)["held"] is False
    assert "mine was entered before and is not held: 'tiktok abandon mine' gives it up" in told.stderr


def test_a_late_post_asks_a_person(
    cli: Any, sim: SimulatedTikTok, clock: ManualClock, leave: Callable[[], None]
) -> None:
    """The evening's post may be wrong at breakfast. Released, it is posted within an hour, by the same command, too."""
    leave()
    command = (*LATER, "--not-after", "2026-12-01 20:00")
    key = cli(*command).stderr.partition("Its key is ")[2].partition(";")[0]
    clock.advance(12 * HOUR)
    by = "2026-12-01 20:00 Europe/Berlin (2026-12-01 19:00 UTC)"
    assert f"; late, to be begun by {by}: 'tiktok release {key}' lets" in cli("uploads").stdout
    for late in (("resume", key), command, LATER):
        refused = cli(*late)
        assert refused.exit_code == 2
        assert f"tiktok: {key} was to be begun until 2026-12-01 19:00:00 UTC, and was not" in refused.stderr
        assert f"'tiktok release {key}' releases it" in refused.stderr
    assert f"{key} is left as it is: late" in cli("resume", "--all").stderr
    assert cli("resume", "--all").exit_code == 6
    assert "1 unfinished, of which 1 held or late, until 'tiktok release'" in cli("doctor").stdout
    until = "2026-12-02 02:00 Europe/Berlin (2026-12-02 01:00 UTC)"
    assert cli("release", key).stdout == f"{key} is released: 'tiktok resume {key}' posts it, until {until}\n"
    assert sim.posts == ()
    for again in (command, LATER):
        assert key_of(cli(*again, "--json")) == key
    assert len(sim.posts) == 1


def test_another_latest_time_is_refused(cli: Any) -> None:
    """It would be a second post at the same time, or a change that nobody makes."""
    key = key_of(cli(*LATER, "--enter-only", "--json"))
    refused = cli(*LATER, "--enter-only", "--not-after", "2026-12-01 23:00")
    assert refused.exit_code == 2
    assert (
        f"--not-after: the same post was entered before, to be begun by {LATEST}: 'tiktok abandon {key}'"
        in refused.stderr
    )
    assert len(listed(cli)) == 1


def test_a_chosen_key_stands_for_one_time(cli: Any) -> None:
    """Another time under it is refused, also none."""
    assert cli(*LATER, "--enter-only", "--key", "mine").exit_code == 0
    for other in (PHOTO, (*PHOTO, "--at", "2026-12-02 18:00")):
        refused = cli(*other, "--key", "mine")
        assert refused.exit_code == 2
        assert "--key: 'mine' stands for a post at 2026-12-01 17:00:00 UTC" in refused.stderr


@pytest.mark.parametrize("how", [("--enter-only",), ("--hold",)])
def test_what_waits_can_be_given_up(
    how: tuple[str, ...], cli: Any, environ: dict[str, str], clock: ManualClock
) -> None:
    """Then nobody begins it, and the same command makes a new post, while its time is to come."""
    key = key_of(cli(*LATER, *how, "--json"))
    assert f"{key} is given up: nothing is posted under this key any more" in cli("abandon", key).stdout
    assert key_of(cli(*LATER, "--enter-only", "--json")) != key
    clock.advance(5 * HOUR)
    assert key not in worked(environ)


def test_a_time_that_is_over_makes_no_new_post_after_one_that_was_given_up(cli: Any, clock: ManualClock) -> None:
    """Nothing of it was posted, so the sentence says that its time is over."""
    key = key_of(cli(*LATER, "--enter-only", "--json"))
    assert cli("abandon", key).exit_code == 0
    clock.advance(6 * HOUR)
    assert "is over: name a time to come" in cli(*LATER).stderr


# --- Several at once -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at_terminal", [False, True])
def test_resume_all_begins_nothing_early_or_held(
    at_terminal: bool, cli: Any, sim: SimulatedTikTok, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says what it leaves, and why, does not wait, and asks nobody about it. At its time it begins one, however old the wish."""
    monkeypatch.setattr("tiktok_adapters.cli.journal._is_terminal", lambda: at_terminal)
    assert cli(*PHOTO, "--at", "2026-12-01 18:00", "--enter-only", "--key", "timed").exit_code == 0
    assert cli(*PHOTO, "--hold", "--key", "held").exit_code == 0
    assert cli(*PHOTO, "--enter-only", "--key", "free").exit_code == 0
    done = cli("resume", "--all", "--json")
    assert done.exit_code == 0
    assert f"timed is left as it is: waits for {SHOWN}, in 5 h 0 min: 'tiktok worker' posts it then." in done.stderr
    assert "held is left as it is: held: 'tiktok release held' lets it be posted" in done.stderr
    assert {post["key"] for post in json.loads(done.stdout)["posts"]} == {"timed", "held", "free"}
    assert len(sim.posts) == 1
    assert clock.now() < START + timedelta(minutes=1)
    assert sorted(cli("resume", "--all").stdout.splitlines()) == ["held: planned", "timed: planned"]
    clock.advance(5 * HOUR)
    assert cli("resume", "--all").exit_code == 0
    assert [post["key"] for post in listed(cli)] == ["held"]
    assert len(sim.posts) == 2


def test_uploads_say_what_each_waits_for(cli: Any, leave: Callable[[], None]) -> None:
    """A post that only its own command waits for is no worker's."""
    leave()
    assert cli(*LATER, "--key", "mine").exit_code == 130
    assert cli("uploads").stdout.endswith(f"; waits for {SHOWN}, in 5 h 0 min: 'tiktok resume mine' waits for it\n")
    (post,) = listed(cli)
    assert (post["not_before"], post["zone"], post["held"], post["entered"]) == (IN_UTC, "Europe/Berlin", False, False)
    assert post["stage"] == Stage.PLANNED
