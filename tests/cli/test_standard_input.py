"""`-`: the video that comes on standard input is checked, posted once, and gone on with by the same input.

What belongs here: what the command line adds to a thing without a name.
"""

import hashlib
import json
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from clips import HEAD
from tiktok_adapters import connect
from tiktok_adapters.cli.standard_input import media_of
from tiktok_adapters.simulator import SimulatedTikTok
from tiktok_core import InvalidPost
from tiktok_core.domain.chunks import LARGEST_VIDEO

SELF = ("--privacy", "SELF_ONLY")


def is_film(sim: SimulatedTikTok, film: Path) -> bool:
    """Whether TikTok has one post, with these bytes."""
    (post,) = sim.posts
    return sim.read_video(post.publish_id) == film.read_bytes()


@pytest.mark.usefixtures("signed_in")
@pytest.mark.parametrize("kind", ["pipe", "file"])
def test_a_video_comes_through_a_pipe_or_from_a_file(
    environ: dict[str, str], sim: SimulatedTikTok, film: Path, tmp_path: Path, kind: str
) -> None:
    """In a separate process: TikTok gets the bytes, and no temporary file is left."""
    spool = tmp_path / "spool"
    spool.mkdir()
    with (
        film.open("rb") as file,
        subprocess.Popen(["cat", str(film)], stdout=subprocess.PIPE) if kind == "pipe" else nullcontext() as cat,
    ):
        program = [sys.executable, "-c", "from tiktok_adapters.cli import main; main()", "post", "video", "-", *SELF]
        done = subprocess.run(
            [*program, "--json"],
            stdin=file if cat is None else cat.stdout,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={**os.environ, **environ, "TMPDIR": str(spool)},
        )
    assert (done.returncode, done.stderr.count("Traceback")) == (0, 0), done.stderr
    assert json.loads(done.stdout)["status"] == "PUBLISH_COMPLETE"
    assert is_film(sim, film)
    assert list(spool.iterdir()) == []


@pytest.mark.usefixtures("signed_in")
def test_the_same_input_is_posted_once(cli: Any, sim: SimulatedTikTok, film: Path) -> None:
    """The key is derived from the bytes, so a command that a script repeats makes no second post."""
    first = json.loads(cli("post", "video", "-", *SELF, "--json", typed=film.read_bytes()).stdout)
    again = json.loads(cli("post", "video", "-", *SELF, "--json", typed=film.read_bytes()).stdout)
    assert (again["key"], again["publish_id"]) == (first["key"], first["publish_id"])
    assert again["earlier_at"] is not None
    assert is_film(sim, film)


@pytest.mark.usefixtures("signed_in")
def test_an_interrupted_post_goes_on_with_the_same_input(
    cli: Any, environ: dict[str, str], sim: SimulatedTikTok
) -> None:
    """`tiktok resume` cannot read the input again, and says which command can."""
    data = HEAD + hashlib.shake_128(b"long").digest(70_000_000)
    sim.faults.add("put:2x99=status:503")
    interrupted = cli("post", "video", "-", *SELF, "--no-probe", typed=data)
    assert interrupted.exit_code != 0
    sim.faults.clear()
    with connect(environ=environ) as tiktok:
        (record,) = tiktok.account().unfinished()
    assert (record.wish.video, record.is_before_handover) == (None, True)
    resumed = cli("resume", record.key)
    assert resumed.exit_code == 2
    assert (
        "came on standard input: run 'tiktok post video -' again with the same input and the same options"
        in resumed.stderr
    )
    assert "came on standard input" in cli("resume", "--all").stderr
    done = cli("post", "video", "-", *SELF, "--no-probe", "--json", typed=data)
    assert (done.exit_code, json.loads(done.stdout)["key"]) == (0, record.key)
    assert sim.read_video(sim.posts[0].publish_id) == data


@pytest.mark.usefixtures("signed_in")
def test_resume_takes_the_same_input(cli: Any, environ: dict[str, str], sim: SimulatedTikTok, tmp_path: Path) -> None:
    """And a file with the same bytes. Where a file is named that is not there, that is what it says."""
    data = HEAD + hashlib.shake_128(b"long").digest(70_000_000)
    sim.faults.add("put:2x99=status:503")
    assert cli("post", "video", "-", *SELF, "--no-probe", typed=data).exit_code != 0
    sim.faults.clear()
    with connect(environ=environ) as tiktok:
        (record,) = tiktok.account().unfinished()
    missing = cli("resume", record.key, str(tmp_path / "missing.mp4"))
    assert (missing.exit_code, "there is no file at" in missing.stderr) == (2, True)
    assert "came on standard input" not in missing.stderr
    done = cli("resume", record.key, "-", "--json", typed=data)
    assert (done.exit_code, json.loads(done.stdout)["key"]) == (0, record.key)
    assert sim.read_video(sim.posts[0].publish_id) == data


@pytest.mark.usefixtures("signed_in")
@pytest.mark.parametrize("option", [("--at", "2027-01-01T00:00Z"), ("--enter-only",), ("--hold",)])
def test_standard_input_cannot_wait(cli: Any, sim: SimulatedTikTok, film: Path, option: tuple[str, ...]) -> None:
    """A post for later needs a name, and nothing is read."""
    refused = cli("post", "video", "-", *SELF, *option, typed=film.read_bytes())
    assert refused.exit_code == 2
    assert "A post for later needs the name of a file" in refused.stderr
    assert not sim.posts


def test_a_dry_run_shows_the_chunks_of_what_came(cli: Any, sim: SimulatedTikTok, film: Path) -> None:
    """It sends none of it."""
    document = json.loads(cli("post", "video", "-", *SELF, "--dry-run", "--json", typed=film.read_bytes()).stdout)
    assert document["plan"]["video_size"] == film.stat().st_size
    assert [one["method"] for one in document["requests"]].count("PUT") == 1
    assert not sim.posts


def test_the_plan_of_what_came(cli: Any, film: Path) -> None:
    """It is that of the same file."""
    named = cli("plan", str(film), "--json").stdout
    assert cli("plan", "-", "--json", typed=film.read_bytes()).stdout == named


@pytest.mark.parametrize("command", [("post", "video", "-", *SELF), ("plan", "-")])
def test_an_empty_input_is_an_empty_file(cli: Any, command: tuple[str, ...]) -> None:
    """As where a program before the pipe failed."""
    refused = cli(*command)
    assert refused.exit_code == 2
    assert "the file is empty" in refused.stderr


@pytest.mark.parametrize(
    "stdin", [None, SimpleNamespace(closed=True), SimpleNamespace(closed=False, isatty=lambda: True)]
)
def test_a_terminal_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, stdin: Any) -> None:
    """Nobody types a video."""
    monkeypatch.setattr(sys, "stdin", stdin)
    with pytest.raises(Exception, match="- reads the video from standard input: send a file or a pipe there"):
        media_of("-")


def test_an_input_above_the_limit_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The size of a file is known."""
    path = tmp_path / "sparse.mp4"
    with path.open("wb") as file:
        file.truncate(LARGEST_VIDEO + 1)
    with path.open() as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        with pytest.raises(InvalidPost, match="the file has 4,294,967,297 bytes"):
            media_of("-")
