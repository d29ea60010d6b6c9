"""Bad input: exit status 2, one sentence, and nothing posted."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clips import PHOTO
from tiktok_adapters.simulator import SimulatedTikTok
from tiktok_core.domain.posts import PHOTO_TITLE

SELF = ("--privacy", "SELF_ONLY")


def _empty(folder: Path) -> str:
    (folder / "empty.mp4").touch()
    return str(folder / "empty.mp4")


def _fifo(folder: Path) -> str:
    os.mkfifo(folder / "pipe.mp4")
    return str(folder / "pipe.mp4")


def _picture(folder: Path) -> str:
    (folder / "picture.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(100))
    return str(folder / "picture.jpg")


def _huge(folder: Path) -> str:
    (folder / "huge.mp4").touch()
    os.truncate(folder / "huge.mp4", 4 * 1024**3 + 1)
    return str(folder / "huge.mp4")


FILES: dict[str, tuple[Callable[[Path], str], str]] = {
    "empty": (_empty, "the file is empty"),
    "missing": (lambda folder: str(folder / "missing.mp4"), "there is no file"),
    "directory": (str, "is a directory"),
    "fifo": (_fifo, "is a pipe"),
    "picture": (_picture, "JPEG picture"),
    "over 4 GiB": (_huge, "at most 4 GB"),
}
POSTS = {
    "long title": (["video", "FILM", *SELF, "--title", "\N{GRINNING FACE}" * 1100 + "x"], "2,201 UTF-16 units"),
    "no such option of this creator": (["video", "FILM", "--privacy", "PUBLIC_TO_EVERYONE"], "may choose"),
    "unknown privacy": (["video", "FILM", "--privacy", "EVERYBODY"], "'EVERYBODY' is not one of"),
    "no privacy": (["video", "FILM"], "--privacy: is required for a direct post"),
    "no privacy for photos": (["photo", PHOTO], "--privacy: is required for a direct post"),
    "branded and private": (["video", "FILM", *SELF, "--brand-content"], "--brand-content: branded"),
    "branded, private photos": (["photo", PHOTO, *SELF, "--brand-content"], "cannot be set to private"),
    "negative cover": (["video", "FILM", *SELF, "--cover-ms", "-1"], "--cover-ms: must be a time in ms"),
    "chunk size too small": (["video", "FILM", *SELF, "--chunk-size", "1_000"], "--chunk-size: "),
    "chunk size of a URL": (
        ["video", "https://media.example.com/1.mp4", *SELF, "--chunk-size", "9"],
        "With `upload=True`",
    ),
    "photo title": (["photo", PHOTO, *SELF, "--title", "x" * (PHOTO_TITLE + 1)], f"{PHOTO_TITLE + 1} UTF-16 units"),
    "cover out of range": (["photo", PHOTO, *SELF, "--cover-index", "1"], "--cover-index: counts from 0"),
    "no photo": (["photo", *SELF], "1 to 35 photos, not 0"),
    "36 photos": (["photo", *[PHOTO] * 36, *SELF], "1 to 35 photos, not 36"),
    "http photo": (["photo", "http://media.example.com/1.jpg", *SELF], "https URLs only"),
    "photo of an address": (["photo", "https://203.0.113.7/1.jpg", *SELF], "from domains only"),
    "http video": (["video", "http://media.example.com/1.mp4", *SELF], "https URLs only"),
    "video of an address": (["video", "https://[2001:db8::1]/1.mp4", *SELF], "from domains only"),
}
SETTINGS = {
    "no client key": ({"TIKTOK_CLIENT_KEY": ""}, "TIKTOK_CLIENT_KEY"),
    "no client secret": ({"TIKTOK_CLIENT_SECRET": ""}, '"Client secret"'),
    "redirect with query": ({"TIKTOK_REDIRECT_URI": "http://127.0.0.1:1/c/?x=1"}, "must not have a query"),
    "http API elsewhere": ({"TIKTOK_API_URL": "http://api.example.com"}, "must be https"),
    "http page elsewhere": ({"TIKTOK_AUTH_URL": "http://www.example.com/"}, "TIKTOK_AUTH_URL"),
    "unknown log level": ({"TIKTOK_LOG": "LOUD"}, "'LOUD' is not one of"),
}


def _refused(result: Any, sentence: str) -> None:
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert sentence in result.stderr


def _nothing_posted(sim: SimulatedTikTok) -> None:
    assert sim.posts == ()
    assert not {"video_init", "inbox_init", "photo_init", "put"} & {entry.operation for entry in sim.log}


@pytest.mark.parametrize("case", FILES)
@pytest.mark.usefixtures("signed_in")
def test_a_file_that_is_no_video_is_refused(case: str, cli: Any, sim: SimulatedTikTok, tmp_path: Path) -> None:
    """One sentence names a file that cannot be uploaded, before the command sends anything to TikTok."""
    make, sentence = FILES[case]
    asked = len(sim.log)
    _refused(cli("post", "video", make(tmp_path), *SELF), sentence)
    assert len(sim.log) == asked


@pytest.mark.parametrize("case", POSTS)
@pytest.mark.usefixtures("signed_in")
def test_a_post_that_breaks_a_rule_is_refused(case: str, cli: Any, sim: SimulatedTikTok, film: Path) -> None:
    """The command refuses a post that TikTok would refuse, and sends nothing."""
    arguments, sentence = POSTS[case]
    _refused(cli("post", *[str(film) if word == "FILM" else word for word in arguments]), sentence)
    _nothing_posted(sim)


@pytest.mark.parametrize("case", SETTINGS)
@pytest.mark.usefixtures("signed_in")
def test_settings_that_cannot_work_are_refused(case: str, cli: Any, sim: SimulatedTikTok, film: Path) -> None:
    """The command names a missing or wrong setting before it sends anything."""
    env, sentence = SETTINGS[case]
    asked = len(sim.log)
    _refused(cli("post", "video", str(film), *SELF, env=env), sentence)
    assert len(sim.log) == asked


def test_an_unknown_scope_is_refused(cli: Any) -> None:
    """The command names an unknown scope before it opens a page."""
    _refused(cli("login", "--no-browser", "--scope", "video.publish,video.everything"), "'video.everything'")


def test_no_scope_is_refused(cli: Any) -> None:
    """The command refuses an empty list of scopes; it does not use the default list."""
    _refused(cli("login", "--no-browser", "--scope", ","), "at least one scope")


def test_all_problems_come_at_once(cli: Any) -> None:
    """Without any settings, one error lists all three required ones, a line each, and a way in."""
    result = cli("accounts", env={"TIKTOK_CLIENT_KEY": "", "TIKTOK_CLIENT_SECRET": "", "TIKTOK_REDIRECT_URI": ""})
    assert (result.exit_code, result.stdout) == (2, "")
    head, *missing, way_in = result.stderr.splitlines()
    assert "missing" in head
    for name, line in zip(("TIKTOK_CLIENT_KEY", "TIKTOK_CLIENT_SECRET", "TIKTOK_REDIRECT_URI"), missing, strict=True):
        assert name in line
        assert "developer portal" in line
    assert all(command in way_in for command in ("tiktok configure", "tiktok demo", "tiktok sandbox"))


def test_settings_are_looked_at_before_the_file(cli: Any) -> None:
    """If settings and the file are both missing, the error names the settings."""
    result = cli("post", "video", "missing.mp4", *SELF, env={"TIKTOK_CLIENT_KEY": ""})
    assert "TIKTOK_CLIENT_KEY" in result.stderr
    assert "missing.mp4" not in result.stderr


def test_the_file_is_looked_at_before_the_sign_in(cli: Any, tmp_path: Path) -> None:
    """The command names a missing file without a sign-in, and makes no folder."""
    _refused(cli("post", "video", str(tmp_path / "missing.mp4"), *SELF), "there is no file")
    assert not (tmp_path / "home").exists()


def test_a_good_post_without_a_sign_in_asks_for_one(cli: Any, film: Path, tmp_path: Path) -> None:
    """The exit status is 3 if a person has to sign in."""
    result = cli("post", "video", str(film), *SELF)
    assert result.exit_code == 3
    assert "no account is signed in" in result.stderr
    assert "tiktok login" in result.stderr
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["accounts", "--nonsense"],
        ["post", "video"],
        ["plan", "12x", "--chunk-size", "many"],
        ["login", "--kind", "phone"],
        ["explain", "no_such_code"],
        ["sandbox", "--port", "70000"],
        ["sandbox", "--fault", "nonsense"],
    ],
)
def test_a_usage_error_is_a_document_too(cli: Any, arguments: list[str]) -> None:
    """With --json even a misspelt command answers with the error document."""
    result = cli("--json", *arguments)
    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"]["message"]
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.usefixtures("signed_in")
def test_an_upload_url_elsewhere_gets_no_byte(cli: Any, sim: SimulatedTikTok, film: Path) -> None:
    """A foreign upload host ends the post with status 1 before the command sends a byte."""
    sim.faults.add("init=foreign-upload-host")
    result = cli("post", "video", str(film), *SELF)
    assert result.exit_code == 1
    assert "no byte was sent" in result.stderr
    assert sim.count("put") == 0
    assert sim.posts[0].bytes_received == 0


@pytest.mark.usefixtures("signed_in")
def test_a_refusal_of_tiktoks_is_explained(cli: Any, sim: SimulatedTikTok, film: Path) -> None:
    """For TikTok's own refusal the document has code, log id and explanation, and the exit status is 4."""
    sim.faults.add("init=code:spam_risk_too_many_posts")
    result = cli("post", "video", str(film), *SELF, "--json")
    assert result.exit_code == 4
    error = json.loads(result.stdout)["error"]
    assert set(error) == {
        "type",
        "code",
        "message",
        "log_id",
        "retry_after",
        "explanation",
        "key",
        "publish_id",
        "earlier_at",
    }
    assert (error["type"], error["code"]) == ("PostingRefused", "spam_risk_too_many_posts")
    assert error["log_id"]
    assert error["explanation"]["about"] == "quota"
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.usefixtures("signed_in")
@pytest.mark.parametrize(
    ("fault", "end"),
    [
        ("initx9=drop-after", (5, "Interrupted")),
        ("initx9=garbage", (1, "UnexpectedResponse")),
        ("init=redirect:https://www.example.com/", (4, "UnexpectedRedirect")),
        ("initx9=code:rate_limit_exceeded", (4, "RateLimited")),
        ("init=fail:frame_rate_check_failed", (4, "PublishFailed")),
    ],
)
def test_each_end_has_its_status(fault: str, end: tuple[int, str], cli: Any, sim: SimulatedTikTok, film: Path) -> None:
    """The exit status shows a program why a post did not succeed."""
    sim.faults.add(fault)
    result = cli("--json", "post", "video", str(film), *SELF)
    assert (result.exit_code, json.loads(result.stdout)["error"]["type"]) == end


@pytest.mark.usefixtures("signed_in")
def test_a_lost_answer_to_a_pull_is_an_unknown_outcome(cli: Any, sim: SimulatedTikTok) -> None:
    """The exit status is 6 if the post may exist; the command does not repeat it."""
    sim.faults.add("init=drop-after")
    result = cli("post", "photo", PHOTO, *SELF)
    assert result.exit_code == 6
    assert "may have been posted" in result.stderr
    assert sim.count("photo_init") == 1
