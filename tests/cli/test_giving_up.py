"""`abandon`, bare `resume`, `cancel` of an upload, and Ctrl-C: a person always has a way out, and nothing is posted by surprise."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from tiktok_adapters import connect
from tiktok_adapters.cli import journal
from tiktok_adapters.simulator import SimulatedTikTok, parse_fault
from tiktok_adapters.stores.sqlite import SqliteJournal
from tiktok_core import Account, Progress

PHOTO = "https://media.example.com/1.jpg"
SELF = ("--privacy", "SELF_ONLY")
CHUNKS = ("--chunk-size", "5242880")

pytestmark = pytest.mark.usefixtures("signed_in")


@pytest.fixture
def long_film(tmp_path: Path) -> Path:
    """A file of three chunks."""
    path = tmp_path / "wrong.mp4"
    path.write_bytes(b"\0\0\0\x18ftypisom" + bytes(16_000_000))
    return path


@pytest.fixture
def leave(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let a person press Ctrl-C once so many bytes of an upload have left; never again after that."""

    def after(count: int) -> None:
        def shown(_display: Any, progress: Progress) -> None:
            if progress.stage == "uploading" and progress.sent_bytes >= count:
                monkeypatch.undo()
                raise KeyboardInterrupt

        monkeypatch.setattr("tiktok_adapters.cli.progress.Harmless.__call__", shown)

    return after


@pytest.fixture
def at_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let standard input be a terminal."""
    monkeypatch.setattr(journal, "_is_terminal", lambda: True)


def home(environ: dict[str, str]) -> SqliteJournal:
    """Open the journal of the commands."""
    return SqliteJournal(Path(environ["TIKTOK_HOME"], "journal.db"))


def make_older(environ: dict[str, str], key: str, age: timedelta) -> None:
    """Let a post have been wished and begun earlier."""
    with closing(home(environ)) as kept:
        (record,) = (one for one in kept.records() if one.key == key)
        begun = None if record.init_at is None else record.init_at - age
        kept.save(evolve(record, created_at=record.created_at - age, init_at=begun), fence=None)


def live(sim: SimulatedTikTok) -> list[Any]:
    """Return the posts that TikTok has published, or will."""
    return [one for one in sim.posts if one.status != "FAILED" and one.bytes_received == one.size]


# --- Ctrl-C ----------------------------------------------------------------------------------------------------------


def test_ctrl_c_in_an_upload_names_the_key_and_the_ways_to_go_on(
    cli: Any, sim: SimulatedTikTok, long_film: Path, leave: Callable[[int], None]
) -> None:
    """How far it came, `resume` and `abandon`; a program gets the same as a document."""
    leave(6_000_000)
    stopped = cli("post", "video", str(long_film), *SELF, *CHUNKS, "--key", "mine")
    assert stopped.exit_code == 130
    assert stopped.stderr.splitlines()[-1] == (
        "tiktok: interrupted. Its key is mine; it is uploading, 5,242,880 of 16,000,012 bytes. "
        "'tiktok resume mine' continues it, 'tiktok abandon mine' gives it up."
    )
    leave(11_000_000)
    error = json.loads(cli("resume", "mine", "--json").stdout)["error"]
    assert (error["type"], error["key"], error["publish_id"]) == ("KeyboardInterrupt", "mine", sim.posts[0].publish_id)
    assert "it is uploading" in error["message"]
    assert live(sim) == []


def test_ctrl_c_in_a_post_of_its_own_names_its_key(cli: Any, long_film: Path, leave: Callable[[int], None]) -> None:
    """A post with `--again` has a random key, which a person needs to go on with it."""
    leave(1)
    stopped = cli("post", "video", str(long_film), *SELF, *CHUNKS, "--again")
    (post,) = json.loads(cli("uploads", "--json").stdout)["posts"]
    assert f"'tiktok abandon {post['key']}' gives it up" in stopped.stderr


def test_ctrl_c_of_what_may_be_published_does_not_offer_to_give_it_up(
    cli: Any, sim: SimulatedTikTok, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While TikTok processes the post it goes on by itself."""
    sim.switches.processing_seconds = 3_600
    assert cli("post", "video", str(film), *SELF, "--key", "mine", "--no-wait").exit_code == 0

    def resume(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Account, "resume", resume)
    stopped = cli("resume", "mine")
    assert stopped.exit_code == 130
    assert (
        f"it is processing {sim.posts[0].publish_id}. TikTok goes on by itself. 'tiktok resume mine'" in stopped.stderr
    )
    assert "abandon" not in stopped.stderr
    monkeypatch.undo()


def test_ctrl_c_while_tiktok_pulls_names_the_way_to_stop_it(
    cli: Any, sim: SimulatedTikTok, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pull cannot be given up any more, and TikTok may still stop it."""
    sim.switches.download_seconds = 3_600
    assert cli("post", "photo", PHOTO, *SELF, "--key", "mine", "--no-wait").exit_code == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Account, "resume", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        stopped = cli("resume", "mine")
    assert "'tiktok resume mine' follows it, 'tiktok cancel mine' may still stop it." in stopped.stderr
    assert cli("cancel", "mine").exit_code == 0
    assert cli("uploads").stdout.strip() == "Every post has ended.", "the journal knows what TikTok answered"


# --- Status ----------------------------------------------------------------------------------------------------------


def test_the_status_of_an_interrupted_upload_says_that_it_waits_for_bytes(
    cli: Any, long_film: Path, leave: Callable[[int], None]
) -> None:
    """TikTok does not go on with it by itself."""
    leave(6_000_000)
    cli("post", "video", str(long_film), *SELF, *CHUNKS, "--key", "mine")
    told = cli("status", "mine")
    assert told.exit_code == 6
    assert "it is uploading, 5,242,880 of 16,000,012 bytes. 'tiktok resume mine' continues it" in told.stderr
    assert "it waits for the rest of the file" in told.stderr
    assert "by itself" not in told.stderr


def test_the_status_of_a_post_that_was_given_up_says_so(
    cli: Any, sim: SimulatedTikTok, long_film: Path, leave: Callable[[int], None]
) -> None:
    """TikTok, which waits for bytes, is not asked; nothing came of the post, whether it is named by key or by publish id."""
    leave(6_000_000)
    cli("post", "video", str(long_film), *SELF, *CHUNKS, "--key", "mine")
    cli("abandon", "mine")
    asked = sim.count("status")
    for name in ("mine", sim.posts[0].publish_id):
        told = cli("status", name, "--json", "--wait")
        assert (told.exit_code, json.loads(told.stdout)["status"]) == (4, "NOT_POSTED")
        assert "mine was given up, so nothing is posted under this key" in told.stderr
    assert sim.count("status") == asked


@pytest.mark.parametrize(
    "command",
    [("abandon",), ("resume",), ("resume", "--settle", "posted"), ("uploads", "--forget"), ("find",), ("status",)],
)
def test_every_command_takes_keys_and_ids_and_names_near_ones(
    command: tuple[str, ...], cli: Any, sim: SimulatedTikTok, film: Path
) -> None:
    """A person has one or the other at hand. An empty word, such as a variable that is not set, is none."""
    assert cli("post", "video", str(film), *SELF, "--key", "birthday-film").exit_code == 0
    near = cli(*command, "birthday-fim")
    assert (near.exit_code, "did you mean birthday-film?" in near.stderr) == (2, True)
    by_key, by_id = cli(*command, "birthday-film"), cli(*command, sim.posts[0].publish_id)
    if command != ("uploads", "--forget"):
        assert (by_key.exit_code, by_key.stdout, by_key.stderr) == (by_id.exit_code, by_id.stdout, by_id.stderr)
    empty = cli(*command, "")
    assert (empty.exit_code, "is empty" in empty.stderr) == (2, True)


def test_a_key_and_another_post_contradict_each_other(cli: Any, sim: SimulatedTikTok, film: Path) -> None:
    """A key makes one post, ever."""
    told = cli("post", "video", str(film), *SELF, "--key", "mine", "--again")
    assert (told.exit_code, "--again makes another one" in told.stderr, sim.posts) == (2, True, ())


def test_cancel_of_an_upload_that_has_ended_says_how(cli: Any, film: Path) -> None:
    """The journal knows, and nothing can be given up any more."""
    assert cli("post", "video", str(film), *SELF, "--key", "mine").exit_code == 0
    told = cli("cancel", "mine")
    assert told.exit_code == 4
    assert "The post has ended: it is complete." in told.stderr
    assert "abandon" not in told.stderr


@pytest.mark.parametrize("command", ["status", "cancel"])
def test_a_key_that_nobody_knows_is_answered_with_near_ones(command: str, cli: Any, film: Path) -> None:
    """Neither the journal nor TikTok knows it."""
    assert cli("post", "video", str(film), *SELF, "--key", "birthday-film").exit_code == 0
    told = cli(command, "birthday-fim")
    assert told.exit_code == 2
    assert (
        "KEY: neither the journal of this account nor TikTok knows a post 'birthday-fim'; did you mean" in told.stderr
    )
    assert "birthday-film?" in told.stderr


def test_a_failed_post_says_what_the_next_command_makes(cli: Any, sim: SimulatedTikTok, film: Path) -> None:
    """The same command makes a new post; under a key of the person's own it does not, and says when that post was asked for."""
    sim.faults.add("initx2=fail:internal")
    failed = cli("post", "video", str(film), *SELF)
    assert (failed.exit_code, "The same 'tiktok post' makes a new post." in failed.stderr) == (4, True)
    assert cli("post", "video", str(film), *SELF, "--key", "mine").exit_code == 4
    again = cli("post", "video", str(film), *SELF, "--key", "mine")
    assert again.exit_code == 4
    assert "Its key makes no other post: take another --key to post again." in again.stderr
    assert cli("post", "video", str(film), *SELF).exit_code == 0
    assert len(sim.posts) == 3


@pytest.mark.parametrize("key", ["", "x" * 201])
def test_a_key_that_cannot_be_one_is_named_by_its_option(key: str, cli: Any, film: Path) -> None:
    """A person typed --key."""
    told = cli("post", "video", str(film), *SELF, "--key", key)
    assert told.exit_code == 2
    assert "--key: is 1 to 200 printable characters" in told.stderr


# --- Giving up -------------------------------------------------------------------------------------------------------


def test_an_interrupted_upload_is_given_up(
    cli: Any, sim: SimulatedTikTok, long_film: Path, leave: Callable[[int], None]
) -> None:
    """It is no longer listed or continued, its key is refused with the reason, and giving up twice is no error."""
    leave(6_000_000)
    command = ("post", "video", str(long_film), *SELF, *CHUNKS, "--key", "mine")
    assert cli(*command).exit_code == 130
    given = cli("abandon", "mine", "--json")
    assert given.exit_code == 0
    assert json.loads(given.stdout) == {
        "key": "mine",
        "publish_id": sim.posts[0].publish_id,
        "status": "NOT_POSTED",
        "fail_reason": "",
        "post_ids": [],
        "uploaded_bytes": None,
        "earlier_at": None,
    }
    assert "mine is given up" in cli("abandon", "mine").stdout
    assert json.loads(cli("uploads", "--json").stdout)["posts"] == []
    assert cli("resume", "--all").stdout == "Every post has ended.\n"
    for again in (command, ("resume", "mine")):
        refused = cli(*again)
        assert refused.exit_code == 2
        assert "was given up by a person at" in refused.stderr
    assert len(sim.posts) == 1
    assert live(sim) == []


def test_the_same_command_makes_a_new_post_after_one_that_was_given_up(
    cli: Any, sim: SimulatedTikTok, long_film: Path, leave: Callable[[int], None]
) -> None:
    """A derived key gets a successor, also within the same second; the post that was given up stays given up."""
    command = ("post", "video", str(long_film), *SELF, *CHUNKS)
    keys = []
    for _ in range(3):
        leave(1)
        assert cli(*command).exit_code == 130
        (post,) = json.loads(cli("uploads", "--json").stdout)["posts"]
        keys.append(post["key"])
        assert "the same command makes a new post" in cli("abandon", post["key"]).stdout
    done = json.loads(cli(*command, "--json").stdout)
    assert done["key"] not in keys
    assert len(set(keys)) == 3
    assert [one.publish_id for one in live(sim)] == [done["publish_id"]]
    assert {**json.loads(cli(*command, "--json").stdout), "earlier_at": None} == done


def test_what_may_be_published_is_not_given_up(cli: Any, sim: SimulatedTikTok, film: Path) -> None:
    """Exit status 2 and the reason, for each kind of post; nothing is changed."""
    sim.switches.download_seconds = sim.switches.processing_seconds = 3_600
    assert cli("post", "video", str(film), *SELF, "--key", "file", "--no-wait").exit_code == 0
    assert cli("post", "photo", PHOTO, *SELF, "--key", "photos", "--no-wait").exit_code == 0
    sim.faults.add(parse_fault("photo_init=drop-after"))
    assert cli("post", "photo", PHOTO, *SELF, "--key", "lost").exit_code == 6
    before = cli("uploads", "--json").stdout
    for key, why in {
        "file": "TikTok has the whole file",
        "photos": f"cancel {sim.posts[1].publish_id}",
        "lost": "settle it",
        "other": "has no post 'other'",
    }.items():
        refused = cli("abandon", key)
        assert (refused.exit_code, refused.stdout) == (2, "")
        assert why in refused.stderr
        assert json.loads(cli("abandon", key, "--json").stdout)["error"]["type"] == "InvalidInput"
    assert cli("uploads", "--json").stdout == before


def test_an_upload_in_another_process_is_stopped(
    process: Callable[..., "subprocess.Popen[str]"], cli: Any, sim: SimulatedTikTok, long_film: Path
) -> None:
    """The other command ends with the reason, and no other byte leaves it."""
    sim.faults.add(parse_fault("put:2=slow:2"))
    running = process("post", "video", str(long_film), *SELF, *CHUNKS, "--key", "mine")
    deadline = time.monotonic() + 60
    while sim.count("put") < 2 and time.monotonic() < deadline:
        time.sleep(0.01)  # Another process does the work, and only its requests show how far it is.
    assert cli("abandon", "mine").exit_code == 0
    _, stderr = running.communicate(timeout=60)
    assert running.returncode == 2
    assert "was given up by a person at" in stderr
    assert sim.count("put") == 2
    assert live(sim) == []


def test_an_upload_that_cannot_be_stopped_from_here_is_refused(
    cli: Any, long_film: Path, leave: Callable[[int], None], environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A journal may go by a clock of its own: then the other process has to be ended first."""
    leave(1)
    assert cli("post", "video", str(long_film), *SELF, *CHUNKS, "--key", "mine").exit_code == 130
    monkeypatch.setattr(SqliteJournal, "try_lease", lambda *_, **__: None)
    refused = cli("abandon", "mine")
    assert refused.exit_code == 2
    assert "end that process" in refused.stderr
    with closing(home(environ)) as kept:
        assert not kept.records()[0].is_ended


# --- Cancelling an upload --------------------------------------------------------------------------------------------


def test_cancel_of_an_upload_says_what_is_the_case(
    cli: Any, sim: SimulatedTikTok, long_film: Path, leave: Callable[[int], None]
) -> None:
    """With no byte sent, while TikTok processes it, and once it was given up; what to do is said with the key."""
    leave(1)
    command = ("post", "video", str(long_film), *SELF, *CHUNKS, "--key", "mine")
    assert cli(*command).exit_code == 130
    publish_id = sim.posts[0].publish_id
    refused = cli("cancel", publish_id)
    assert refused.exit_code == 4
    assert "the upload of a file, of which TikTok has 0 of 16,000,012 bytes. 'tiktok abandon mine'" in refused.stderr
    assert "ended" not in refused.stderr
    error = json.loads(cli("cancel", publish_id, "--json").stdout)["error"]
    assert (error["code"], "tiktok abandon mine" in error["explanation"]["meaning"]) == (
        "publish_not_cancellable",
        True,
    )
    assert cli("abandon", "mine").exit_code == 0
    assert "It was given up" in cli("cancel", publish_id).stderr
    sim.switches.processing_seconds = 3_600
    assert cli("post", "video", str(long_film), *SELF, *CHUNKS, "--no-wait").exit_code == 0
    assert "TikTok has the whole file" in cli("cancel", sim.posts[1].publish_id).stderr


# --- Going on --------------------------------------------------------------------------------------------------------


def test_uploads_shows_file_title_account_and_age(
    cli: Any, long_film: Path, leave: Callable[[int], None], environ: dict[str, str], signed_in: str
) -> None:
    """A person tells posts apart by these, and a program by the fields of the document."""
    leave(6_000_000)
    assert cli("post", "video", str(long_film), *SELF, *CHUNKS, "--key", "mine", "--title", "Hello").exit_code == 130
    make_older(environ, "mine", timedelta(hours=3))
    with connect(environ=environ) as client:
        (record,) = client.account().unfinished()
    line = cli("uploads").stdout
    assert "mine: uploading, 5,242,880 of 16,000,012 bytes; wrong.mp4" in line
    assert f'"Hello"; account {signed_in}; 3 h old, since {record.created_at:%Y-%m-%d %H:%M} UTC' in line
    (post,) = json.loads(cli("uploads", "--json").stdout)["posts"]
    assert (post["stage"], post["open_id"], post["title"]) == ("uploading", signed_in, "Hello")
    assert (post["video"], post["photo_images"]) == (str(long_film), [])
    assert datetime.fromisoformat(post["created_at"]) == record.created_at.replace(microsecond=0).astimezone(UTC)


def test_bare_resume_lists_and_posts_nothing(cli: Any, sim: SimulatedTikTok, environ: dict[str, str]) -> None:
    """Without a terminal it wants a key or `--all`: in a script nothing is published by surprise."""
    sim.faults.add(parse_fault("creator_infox99=code:internal_error"))
    for key in ("first", "second"):
        assert cli("post", "photo", PHOTO, *SELF, "--key", key).exit_code == 4
    sim.faults.clear()
    refused = cli("resume")
    assert refused.exit_code == 2
    assert [line.partition(":")[0] for line in refused.stderr.splitlines()] == ["first", "second", "tiktok"]
    assert "use --all to continue all 2" in refused.stderr
    assert json.loads(cli("resume", "--json").stdout)["error"]["type"] == "UsageError"
    assert sim.posts == ()
    assert cli("resume", "--all", "first").exit_code == 2
    make_older(environ, "first", timedelta(hours=2))
    resumed = cli("resume", "--all", "--json")
    assert resumed.exit_code == 6
    assert [one["status"] for one in json.loads(resumed.stdout)["posts"]] == ["PROCESSING_DOWNLOAD", "PUBLISH_COMPLETE"]
    assert "'tiktok resume first' continues it, 'tiktok abandon first' gives it up" in resumed.stderr
    assert len(sim.posts) == 1
    assert cli("resume", "first").exit_code == 0
    assert cli("resume").stdout == "Every post has ended.\n"


@pytest.mark.usefixtures("at_terminal")
def test_on_a_terminal_resume_asks_about_each_post(cli: Any, sim: SimulatedTikTok, environ: dict[str, str]) -> None:
    """Only a yes continues a post; with `--all` it asks about those alone that would start again after an hour."""
    sim.faults.add(parse_fault("creator_infox99=code:internal_error"))
    for key in ("first", "second", "third"):
        assert cli("post", "photo", PHOTO, *SELF, "--key", key).exit_code == 4
    sim.faults.clear()
    asked = cli("resume", typed="n\ny\n\n")
    assert asked.exit_code == 0, asked.output
    assert asked.stderr.count("Continue it? [y/N]") == 3
    assert len(sim.posts) == 1
    make_older(environ, "first", timedelta(hours=2))
    asked = cli("resume", "--all", typed="n\n")
    assert asked.exit_code == 6
    assert asked.stderr.count("It is older than an hour and may start from the beginning. Continue it?") == 1
    assert len(sim.posts) == 2
    assert cli("resume", "--all", typed="y\n").exit_code == 0
    assert len(sim.posts) == 3
    assert cli("resume", "--json").exit_code == 0


@pytest.mark.full
@pytest.mark.skipif(not hasattr(os, "openpty"), reason="there is no terminal to open")
def test_ctrl_c_of_a_process_ends_it_with_the_ways_to_go_on(
    process: Callable[..., "subprocess.Popen[str]"], cli: Any, sim: SimulatedTikTok, long_film: Path
) -> None:
    """A signal in the midst of a chunk: the last line says it all, and the lease is given back."""
    sim.faults.add(parse_fault("put:2=slow:20"))
    running = process("post", "video", str(long_film), *SELF, *CHUNKS, "--key", "mine")
    deadline = time.monotonic() + 60
    while sim.count("put") < 2 and time.monotonic() < deadline:
        time.sleep(0.01)  # Another process does the work, and only its requests show how far it is.
    running.send_signal(signal.SIGINT)
    _, stderr = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "Its key is mine; it is uploading, 5,242,880 of 16,000,012 bytes" in stderr.splitlines()[-1]
    assert cli("abandon", "mine").exit_code == 0
