"""Posting and following: what arrives at TikTok, and what the commands print."""

import hashlib
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from attrs import fields

from clips import PHOTO
from tiktok_adapters.cli.how import How
from tiktok_adapters.cli.post import photo, video
from tiktok_adapters.simulator import SimulatedTikTok
from tiktok_core import Account, PhotoPost, Publication, StillProcessing, VideoPost

SELF = ("--privacy", "SELF_ONLY")

pytestmark = pytest.mark.usefixtures("signed_in")


def test_a_video_goes_from_end_to_end(
    process: Callable[..., "subprocess.Popen[str]"],
    hides: Callable[[str], str],
    sim: SimulatedTikTok,
    film: Path,
) -> None:
    """In a separate process: the bytes and settings arrive intact, and stdout has only the document.

    The log on stderr has a line for each request of the post, with its key.
    """
    running = process(
        "post",
        "video",
        str(film),
        *SELF,
        "--title",
        "Hello #world",
        "--disable-duet",
        "--aigc",
        "--cover-ms",
        "500",
        "--json",
        env={"TIKTOK_LOG": "DEBUG"},
    )
    stdout, stderr = running.communicate(timeout=30)
    assert running.returncode == 0, stderr
    post = sim.posts[0]
    assert json.loads(stdout) == {
        "key": json.loads(stdout)["key"],
        "publish_id": post.publish_id,
        "status": "PUBLISH_COMPLETE",
        "fail_reason": "",
        "post_ids": [],
        "uploaded_bytes": film.stat().st_size,
        "earlier_at": None,
    }
    assert post.sha256 == hashlib.sha256(film.read_bytes()).hexdigest()
    info = {"title": "Hello #world", "disable_duet": True, "is_aigc": True, "video_cover_timestamp_ms": 500}
    assert info.items() <= post.post_info.items()
    assert "chunk 1 of 1" in hides(stderr)
    assert "PUBLISH_COMPLETE" in stderr
    key = f'key="{json.loads(stdout)["key"]}"'
    logged = re.findall(
        rf"^[0-9,: -]+ DEBUG tiktok_core: (?:GET|POST|PUT) \S+/(\w+)/: HTTP 20\d, .*{key}.*\]$", stderr, re.MULTILINE
    )
    assert logged == ["query", "init", "video", "fetch"]
    hides(stdout)


def test_a_chosen_chunk_size_is_kept(cli: Any, sim: SimulatedTikTok, film: Path) -> None:
    """--chunk-size decides how the file is cut, and progress names each chunk."""
    with film.open("ab") as file:
        file.truncate(11_000_000)
    result = cli("post", "video", str(film), *SELF, "--chunk-size", "5,500,000", "--no-wait")
    assert result.exit_code == 0, result.stderr
    assert sim.posts[0].source_info["total_chunk_count"] == 2
    assert sim.count("put") == 2
    assert [line.rpartition("chunk ")[2][:6] for line in result.stderr.splitlines()[:2]] == ["1 of 2", "2 of 2"]
    assert result.stderr.splitlines()[2].startswith("Its key is cli-")
    assert "PROCESSING_UPLOAD" in result.stdout


def test_a_draft_says_what_is_not_sent(cli: Any, sim: SimulatedTikTok, film: Path) -> None:
    """A draft needs no privacy level; the command accepts a title, does not send it, and says so on standard error."""
    result = cli("post", "video", str(film), "--draft", "--title", "Later")
    assert result.exit_code == 0, result.stderr
    assert "SEND_TO_USER_INBOX" in result.stdout
    assert "the post leaves out: title" in result.stderr
    assert (sim.posts[0].mode, sim.posts[0].title) == ("MEDIA_UPLOAD", "")


def test_a_video_can_be_pulled(cli: Any, sim: SimulatedTikTok) -> None:
    """The command sends a URL to TikTok unchanged."""
    result = cli("post", "video", "https://media.example.com/clip.mp4", *SELF, "--no-wait")
    assert result.exit_code == 0, result.stderr
    assert sim.posts[0].urls == ("https://media.example.com/clip.mp4",)


def test_photos_are_posted_in_their_order(cli: Any, sim: SimulatedTikTok) -> None:
    """All URLs, the cover and the options arrive unchanged."""
    second = "https://media.example.com/2.webp"
    result = cli(
        "post", "photo", PHOTO, second, *SELF, "--title", "Two", "--description", "doors #doors",
        "--cover-index", "1", "--no-music", "--aigc", "--no-wait", "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    post = sim.posts[0]
    assert json.loads(result.stdout)["publish_id"] == post.publish_id
    assert post.urls == (PHOTO, second)
    assert post.source_info["photo_cover_index"] == 1
    assert {"title": "Two", "description": "doors #doors", "auto_add_music": False}.items() <= post.post_info.items()
    assert post.is_aigc


def test_status_tells_of_a_finished_post(cli: Any, sim: SimulatedTikTok, film: Path) -> None:
    """The exit status is 0 if the post succeeded."""
    cli("post", "video", str(film), *SELF, "--no-wait")
    result = cli("status", sim.posts[0].publish_id, "--json")
    assert (result.exit_code, json.loads(result.stdout)["status"]) == (0, "PUBLISH_COMPLETE")


@pytest.mark.parametrize("wait", [(), ("--wait",)])
def test_status_tells_of_a_failed_post(wait: tuple[str, ...], cli: Any, sim: SimulatedTikTok, film: Path) -> None:
    """The exit status is 4 if the post failed; the document has the reason, with and without --wait, and a sentence explains it."""
    sim.faults.add("init=fail:duration_check_failed")
    cli("post", "video", str(film), *SELF, "--no-wait")
    result = cli("status", sim.posts[0].publish_id, "--json", *wait)
    document = json.loads(result.stdout)
    assert (result.exit_code, document["status"], document["fail_reason"]) == (4, "FAILED", "duration_check_failed")
    assert "too long or too short" in result.stderr


def test_status_tells_of_a_post_that_goes_on(cli: Any, sim: SimulatedTikTok, film: Path) -> None:
    """The exit status is 6 while the post is neither done nor failed."""
    sim.switches.processing_seconds = 60.0
    cli("post", "video", str(film), *SELF, "--no-wait")
    result = cli("status", sim.posts[0].publish_id)
    assert result.exit_code == 6
    assert "do not post again" in result.stderr


@pytest.mark.parametrize("wait", [(), ("--wait",)])
def test_status_tells_the_reason_that_tiktok_gives_before_the_end(
    wait: tuple[str, ...], cli: Any, monkeypatch: pytest.MonkeyPatch, signed_in: str
) -> None:
    """TikTok may name a reason with a status that is not final; neither the sentence nor the document drops it."""
    going_on = Publication(publish_id="v_pub_file~v2-1.1", status="PROCESSING_UPLOAD", fail_reason="internal")

    def stopped(_account: Account, publish_id: str) -> Publication:
        raise StillProcessing(publish_id, going_on.status, 900.0, fail_reason=going_on.fail_reason)

    monkeypatch.setattr(Account, "wait", stopped)
    monkeypatch.setattr(Account, "publish_status", lambda *_: going_on)
    result = cli("status", going_on.publish_id, "--json", *wait)
    assert (result.exit_code, json.loads(result.stdout)["fail_reason"]) == (6, "internal")
    assert "PROCESSING_UPLOAD (internal)" in result.stderr


def test_status_of_an_unknown_post_is_tiktoks_refusal(cli: Any) -> None:
    """If TikTok does not know the id, the exit status is 4, and the document has TikTok's code."""
    result = cli("status", "v_pub_file~v2-1.1", "--json")
    assert (result.exit_code, json.loads(result.stdout)["error"]["code"]) == (4, "invalid_publish_id")


@pytest.mark.parametrize(("command", "post"), [(video, VideoPost), (photo, PhotoPost)])
def test_every_setting_of_a_post_can_be_chosen(command: click.Command, post: type) -> None:
    """The command line has an option for each setting of the library, and the same `How` options for videos and photos."""
    known = {parameter.name for parameter in command.params}
    assert {field.name for field in fields(post)} - known == {"auto_add_music"} & {field.name for field in fields(post)}
    assert {field.name for field in fields(How)} <= known
