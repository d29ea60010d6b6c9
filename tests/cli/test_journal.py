"""`uploads`, `resume`, `--key`, `--again`: posting once, and continuing an interrupted post."""

import json
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from clips import HEAD, PHOTO
from tiktok_adapters.simulator import SimulatedTikTok, parse_fault

SELF = ("--privacy", "SELF_ONLY")

pytestmark = pytest.mark.usefixtures("signed_in")


def test_the_same_command_within_the_hour_posts_once(cli: Any, sim: SimulatedTikTok, film: Path) -> None:
    """A repeated command shows the post that the first one made, and says so."""
    first = cli("post", "video", str(film), *SELF, "--json")
    again = cli("post", "video", str(film), *SELF, "--json")
    assert (first.exit_code, again.exit_code) == (0, 0)
    assert {**json.loads(again.stdout), "earlier_at": None} == json.loads(first.stdout)
    assert json.loads(first.stdout)["key"].startswith("cli-")
    assert "--again" in again.stderr
    assert len(sim.posts) == 1


def test_again_and_another_wish_are_other_posts(cli: Any, sim: SimulatedTikTok, film: Path) -> None:
    """`--again`, another title and another account's options each make a post."""
    for options in ((), ("--again",), ("--title", "other")):
        assert cli("post", "video", str(film), *SELF, *options).exit_code == 0
    assert len(sim.posts) == 3


def test_a_chosen_key_stands_for_one_post(cli: Any, sim: SimulatedTikTok, film: Path) -> None:
    """Under one key the command posts once, and refuses another post."""
    for _ in range(2):
        assert cli("post", "video", str(film), *SELF, "--key", "mine").exit_code == 0
    refused = cli("post", "video", str(film), *SELF, "--key", "mine", "--title", "other")
    assert refused.exit_code == 2
    assert "another post" in refused.stderr
    assert len(sim.posts) == 1


def test_a_killed_upload_is_listed_and_gone_on_with(
    process: Callable[..., "subprocess.Popen[str]"], cli: Any, sim: SimulatedTikTok, tmp_path: Path
) -> None:
    """After a kill in the middle of a chunk, `uploads` lists the post, and `resume` continues it without a second post."""
    film = tmp_path / "long.mp4"
    film.write_bytes(HEAD + bytes(15_000_000))
    sim.faults.add(parse_fault("put:2=slow:20"))
    running = process("post", "video", str(film), *SELF, "--chunk-size", "5242880", "--key", "mine")
    deadline = time.monotonic() + 20
    while sim.count("put") < 2 and time.monotonic() < deadline:
        time.sleep(0.01)  # Another process does the work, and only its requests show how far it is.
    running.send_signal(signal.SIGKILL)
    running.wait()
    listed = cli("uploads", "--json")
    (post,) = json.loads(listed.stdout)["posts"]
    assert (post["key"], post["status"]) == ("mine", "PROCESSING_UPLOAD")
    assert "uploading" in cli("uploads").stdout
    done = cli("resume", "--all", "--json")
    assert done.exit_code == 0, done.output
    assert [one["status"] for one in json.loads(done.stdout)["posts"]] == ["PUBLISH_COMPLETE"]
    assert json.loads(cli("uploads", "--json").stdout) == {"posts": [], "unreadable": []}
    assert [post.bytes_received for post in sim.posts] == [film.stat().st_size]


@pytest.mark.parametrize(("word", "inits"), [("posted", 1), ("not-posted", 2)])
def test_an_unknown_outcome_is_settled(cli: Any, sim: SimulatedTikTok, word: str, inits: int) -> None:
    """An unknown outcome exits 6 until a person settles it; then the same command shows the result."""
    sim.switches.download_seconds = 0
    sim.faults.add(parse_fault("photo_init=drop-after"))
    command = ("post", "photo", PHOTO, *SELF, "--key", "mine")
    for _ in range(2):
        lost = cli(*command)
        assert lost.exit_code == 6
        assert "tiktok resume mine --settle posted" in lost.stderr
        assert "--settle not-posted" in lost.stderr
    assert "outcome unknown" in cli("uploads").stdout
    assert cli("resume", "--all").exit_code == 6
    settled = cli("resume", "mine", "--settle", word, "--json")
    assert settled.exit_code == 0
    assert json.loads(settled.stdout)["status"] == ("PUBLISH_COMPLETE" if word == "posted" else "NOT_POSTED")
    assert cli("resume", "mine").exit_code == (0 if word == "posted" else 2)
    assert cli(*command).exit_code == 0
    assert sim.count("photo_init") == inits


def test_a_refused_post_is_refused_again(cli: Any, sim: SimulatedTikTok) -> None:
    """`resume` of a post that TikTok refused exits as the refusal did, with its code, and posts nothing."""
    sim.creator.private = False
    assert cli("post", "photo", PHOTO, *SELF, "--key", "mine").exit_code == 4
    again = cli("resume", "mine", "--json")
    assert again.exit_code == 4
    error = json.loads(again.stdout)["error"]
    assert (error["type"], error["code"]) == ("PostingRefused", "unaudited_client_can_only_post_to_private_accounts")
    assert error["log_id"]
    assert not sim.posts


def test_one_post_that_fails_does_not_hold_up_the_others(cli: Any, sim: SimulatedTikTok, film: Path) -> None:
    """`resume --all` continues all posts, and its exit status is the worst one."""
    sim.switches.processing_seconds = 3_600
    for key in ("first", "second"):
        assert cli("post", "video", str(film), *SELF, "--no-wait", "--key", key).exit_code == 0
    sim.world.tasks[sim.posts[0].publish_id].script.fail_reason = "duration_check_failed"
    sim.switches.processing_seconds = 0
    done = cli("resume", "--all", "--json")
    assert done.exit_code == 4
    assert [one["status"] for one in json.loads(done.stdout)["posts"]] == ["FAILED", "PUBLISH_COMPLETE"]


@pytest.mark.parametrize(("version", "code"), [("9", "version"), ("x", "damaged")])
def test_one_record_that_cannot_be_read_is_named_and_can_be_forgotten(
    cli: Any, sim: SimulatedTikTok, film: Path, *, environ: dict[str, str], signed_in: str, version: str, code: str
) -> None:
    """An unreadable record is listed with its account and advice, stops no other post, and is deleted only by name."""
    derived = ("post", "video", str(film), *SELF, "--json")
    key = json.loads(cli(*derived).stdout)["key"]
    path = Path(environ["TIKTOK_HOME"], "journal.db")
    with closing(sqlite3.connect(path)) as connection, connection:
        replaced = "CAST(replace(CAST(record AS TEXT), '\"version\": 2', '\"version\": ' || ?) AS BLOB)"
        connection.execute(f"UPDATE records SET record = {replaced}", (version,))
    assert cli("post", "photo", PHOTO, *SELF, "--key", "other").exit_code == 0
    (lost,) = json.loads(cli("uploads", "--json").stdout)["unreadable"]
    assert (lost["key"], lost["open_id"], lost["code"]) == (key, signed_in, code)
    assert f"{key}: the record cannot be read" in cli("uploads").stdout
    # The record's post cannot be compared with the command's, so the command does not post a second time.
    for command in (derived, ("resume", key, "--json")):
        refused = cli(*command)
        assert (refused.exit_code, json.loads(refused.stdout)["error"]["code"]) == (1, code)
        assert "'tiktok uploads --forget' with this key" in refused.stderr
    resumed = cli("resume", "--json")
    assert (resumed.exit_code, json.loads(resumed.stdout)) == (1, {"posts": [], "unreadable": [lost]})
    assert key in resumed.stderr
    given_up = cli("abandon", key)
    assert given_up.exit_code == 2, "what may be published cannot be given up"
    assert "KEY: cannot be given up, because its record cannot be read" in given_up.stderr
    assert cli("uploads", "--forget", "nothing").exit_code == 2
    assert cli("uploads", "--forget", key).exit_code == 0
    assert json.loads(cli("uploads", "--json").stdout) == {"posts": [], "unreadable": []}
    assert cli("post", "video", str(film), *SELF, "--key", key).exit_code == 2
    assert len(sim.posts) == 2


def test_a_post_that_has_not_ended_is_not_forgotten(cli: Any, sim: SimulatedTikTok) -> None:
    """`uploads --forget` refuses a readable unfinished post, and deletes the record of one that has ended."""
    sim.switches.download_seconds = 3_600
    command = ("post", "photo", PHOTO, *SELF, "--key", "mine")
    assert cli(*command, "--no-wait").exit_code == 0
    assert "has not ended" in cli("uploads", "--forget", "mine").stderr
    assert cli("post", "photo", PHOTO, *SELF, "--key", "failed", "--no-wait").exit_code == 0
    assert [post["key"] for post in json.loads(cli("uploads", "--json").stdout)["posts"]] == ["mine", "failed"]
    sim.creator.private = False
    assert cli("post", "photo", PHOTO, *SELF, "--key", "refused").exit_code == 4
    assert cli("uploads", "--forget", "refused", "--json").exit_code == 0


@pytest.mark.parametrize(
    "arguments", [("resume", "nothing"), ("resume", "--settle", "posted"), ("resume", "x", "--settle", "maybe")]
)
def test_what_cannot_be_resumed_is_refused(cli: Any, arguments: tuple[str, ...]) -> None:
    """An unknown key, `--settle` without a key, and an unknown word after it exit 2."""
    assert cli(*arguments).exit_code == 2
