"""The program as a whole: quick help, plan and explain, the sandbox, the demo, and how it ends."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from attrs import evolve

from tiktok_adapters.cli import app, plan, progress
from tiktok_adapters.cli.demo import digest_of
from tiktok_adapters.cli.output import status_of
from tiktok_adapters.cli.padded import PaddedFilm
from tiktok_adapters.cli.padded import film as small_film
from tiktok_adapters.clocks import SystemClock
from tiktok_core import ChunkPlan, NotSent, Progress, SourceChanged, StoreError, UploadExpired
from tiktok_core.domain.refusals import REFUSALS

Start = Callable[..., "subprocess.Popen[str]"]
HEAVY = ("rich", "urllib3", "aiohttp", "sqlite3", "cattrs", "tiktok_core")


def test_help_stays_light() -> None:
    """`tiktok --help` imports only what it needs, so that it answers at once."""
    script = (
        "import sys; from tiktok_adapters.cli import main\n"
        "try: main(['--help'])\n"
        f"except SystemExit: print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert "Post a video or photos." in done.stdout


def test_the_table_tells_what_the_commands_tell() -> None:
    """The help texts in the table, which imports no command, equal the commands' own."""
    context = click.Context(app.tiktok)
    for name, (_room, text) in app.COMMANDS.items():
        command = app.tiktok.get_command(context, name)
        assert command is not None
        assert (command.name, command.short_help) == (name, text)
        assert "Example: tiktok" in (command.help or "")


@pytest.mark.parametrize(("module", "extra"), [("click", "cli")])
def test_a_missing_extra_is_named(module: str, extra: str) -> None:
    """Without click the program prints one line that says what to install."""
    script = f"import sys; sys.modules[{module!r}] = None\nfrom tiktok_adapters.cli import main\nmain([])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"tiktok-open[{extra}]" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("size", ["70_000_000", "70,000,000", "70000000"])
def test_plan_takes_a_number(size: str, cli: Any) -> None:
    """`plan` takes sizes with separators, and needs no settings."""
    nothing = dict.fromkeys(("TIKTOK_CLIENT_KEY", "TIKTOK_CLIENT_SECRET", "TIKTOK_REDIRECT_URI"), "")
    document = json.loads(cli("plan", size, "--json", env=nothing).stdout)
    assert {name: document[name] for name in ("video_size", "chunk_size", "total_chunk_count")} == {
        "video_size": 70_000_000,
        "chunk_size": 10_000_000,
        "total_chunk_count": 7,
    }
    assert document["chunks"][0] == [0, 9_999_999]
    assert document["chunks"][-1] == [60_000_000, 69_999_999]


def test_plan_takes_a_file(cli: Any, film: Path) -> None:
    """`plan` reads the size of a file."""
    result = cli("plan", str(film))
    assert f"{film.stat().st_size:,} bytes in one chunk" in result.stdout


@pytest.mark.parametrize("code", sorted(REFUSALS))
def test_explain_knows_every_code(code: str, cli: Any) -> None:
    """`explain` explains each code of the table, for people and for programs."""
    assert REFUSALS[code].meaning in cli("explain", code).stdout
    told = json.loads(cli("explain", code, "--json").stdout)
    assert (told["meaning"], told["fault"]) == (REFUSALS[code].meaning, REFUSALS[code].fault)


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("invalid_client", "the fault of the app's settings"),
        ("spam_risk", "the user's fault"),
        ("internal", "TikTok's fault"),
        ("frame_rate_check_failed", "the developer's fault"),
    ],
)
def test_explain_says_whose_fault_it_is(code: str, fault: str, cli: Any) -> None:
    """The first line says whose fault a refusal is, after its subject."""
    assert fault in cli("explain", code).stdout.splitlines()[0]


def test_nothing_unexpected_shows_a_traceback(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug in the library gives one sentence and status 1; only TIKTOK_LOG=DEBUG prints the traceback."""

    def broken(*_: object) -> ChunkPlan:
        raise ZeroDivisionError

    monkeypatch.setattr(plan, "plan_chunks", broken)
    result = cli("plan", "1", "--json")
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert json.loads(result.stdout)["error"]["type"] == "ZeroDivisionError"
    monkeypatch.setenv("TIKTOK_LOG", "DEBUG")
    from click.testing import CliRunner  # noqa: PLC0415

    assert "Traceback" in CliRunner().invoke(app.tiktok, ["plan", "1"]).stderr


def test_an_interrupt_is_130(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C anywhere ends with status 130 and without a traceback."""

    def interrupted(*_: object) -> ChunkPlan:
        raise KeyboardInterrupt

    monkeypatch.setattr(plan, "plan_chunks", interrupted)
    assert cli("plan", "1").exit_code == 130
    result = cli("plan", "1", "--json")
    assert json.loads(result.stdout)["error"]["message"] == "interrupted"
    assert result.stderr.split("\n") == ["", "tiktok: interrupted", ""]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (SourceChanged(None, "it changed"), 2),
        (UploadExpired(None, "it died"), 4),
        (NotSent("GET x", "refused"), 5),
        (StoreError("Store", "locked"), 1),
        (ZeroDivisionError(), 1),
    ],
)
def test_errors_have_their_status(error: Exception, status: int) -> None:
    """Errors that the other tests cannot easily cause have their exit statuses, too."""
    assert status_of(error) == status


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_sandbox_serves_until_it_is_told_to_end(number: signal.Signals, process: Start) -> None:
    """`sandbox` prints shell lines that connect to it at once, and ends cleanly."""
    running = process("sandbox", "--fault", "status=code:internal_error")
    assert running.stdout is not None
    lines = [running.stdout.readline() for _ in range(6)]
    assert re.match(r"# .*http://127\.0\.0\.1:\d+", lines[0])
    variables = dict(line.removeprefix("export ").strip().split("=", 1) for line in lines[1:])
    assert set(variables) == {
        "TIKTOK_CLIENT_KEY",
        "TIKTOK_CLIENT_SECRET",
        "TIKTOK_REDIRECT_URI",
        "TIKTOK_API_URL",
        "TIKTOK_AUTH_URL",
    }
    shell = subprocess.run(
        ["sh"], input="".join(lines) + 'echo "$TIKTOK_REDIRECT_URI"', capture_output=True, text=True, check=True
    )
    assert shell.stdout.strip() == "http://127.0.0.1:*/callback/"
    with urllib.request.urlopen(f"{variables['TIKTOK_API_URL']}/_sandbox/faults", timeout=10) as answer:
        assert json.load(answer) == ["status=code:internal_error"]
    running.send_signal(number)
    _stdout, stderr = running.communicate(timeout=30)
    assert (running.returncode, stderr) == (0, "")


def test_the_sandbox_document_is_one_line(process: Start) -> None:
    """With --json the first line is the whole document, and the sandbox keeps serving."""
    running = process("sandbox", "--json")
    assert running.stdout is not None
    document = json.loads(running.stdout.readline())
    assert document["environment"]["TIKTOK_API_URL"] == document["url"]
    with urllib.request.urlopen(document["url"], timeout=10) as answer:
        assert answer.status == 200


def test_a_taken_port_is_one_sentence(cli: Any) -> None:
    """The error names a port that is in use, without a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = cli("sandbox", "--port", str(port))
    assert result.exit_code == 1
    assert f"127.0.0.1:{port}" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_the_demo_tells_its_story(process: Start, tmp_path: Path) -> None:
    """The demo needs no settings, ignores the environment, leaves no files, and finds the video intact."""
    misleading = {"TIKTOK_API_URL": "http://nowhere.invalid", "TIKTOK_LOG": "NONSENSE", "TIKTOK_CLIENT_KEY": ""}
    misleading |= {"ALL_PROXY": "socks5://nowhere.invalid", "TIKTOK_PROXY": "nonsense://", "TIKTOK_CA_FILE": "/nowhere"}
    before = set(tmp_path.iterdir())
    running = process("demo", "--json", env=misleading)
    stdout, stderr = running.communicate(timeout=60)
    assert running.returncode == 0, stderr
    document = json.loads(stdout)
    assert document["status"] == "PUBLISH_COMPLETE"
    assert document["video_size"] == document["uploaded_bytes"] == 70_000_000
    assert document["sha256"] == document["sha256_at_tiktok"] == digest_of(PaddedFilm(small_film(), 70_000_000))
    assert document["seconds"] > 0
    assert [refusal["type"] for refusal in document["refusals"]] == ["PostingRefused", "InvalidPost"]
    assert "chunk 7 of 7" in stderr
    assert set(tmp_path.iterdir()) == before
    assert not re.search(r"act\.|rft\.|upload_token", stdout + stderr)


def test_damage_is_an_error(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo's comparison is real: another digest ends it with status 1."""
    monkeypatch.setattr("tiktok_adapters.cli.demo.SIZE", 200_000)
    monkeypatch.setattr("tiktok_adapters.cli.demo.digest_of", lambda _source: "0" * 64)
    # The demo's TikTok needs some time to process a video.
    monkeypatch.setattr(SystemClock, "sleep", lambda _clock, seconds: time.sleep(seconds))
    result = cli("demo")
    assert result.exit_code == 1
    assert "arrived damaged" in result.stderr


def test_the_padded_film_can_be_read_from_anywhere() -> None:
    """The source returns the same bytes at any offset, its box ends exactly at the end, and no two blocks are equal."""
    small = small_film()
    source = PaddedFilm(small, 200_000)
    whole = source.read(0, source.size)
    assert len(whole) == source.size == 200_000
    assert whole.startswith(small)
    box = whole[len(small) :]
    assert (int.from_bytes(box[:4], "big"), box[4:8]) == (len(box), b"free")
    for start, length in ((0, 10), (len(small) - 3, 20), (len(small) + 5, 9000), (199_990, 100), (200_000, 5)):
        assert source.read(start, length) == whole[start : start + length]
    assert whole[160_000:170_000] not in whole[170_000:]
    with pytest.raises(ValueError, match="needs 8 to 4294967295 bytes"):
        PaddedFilm(small, len(small) + 7)


def test_plain_progress_names_bytes_percent_and_chunk(capsys: pytest.CaptureFixture[str]) -> None:
    """Each chunk and each new status gets one line, even if the display receives it several times."""
    told = Progress(
        stage="uploading",
        sent_bytes=0,
        video_size=21_000_000,
        publish_id="p",
        plan=ChunkPlan(21_000_000, 10_000_000, 2),
    )
    with progress.Lines() as lines:
        for sent in (0, 5_000_000, 10_000_000, 10_000_000, 15_000_000, 20_000_000, 21_000_000):
            lines(evolve(told, sent_bytes=sent))
        for word in ("PROCESSING_UPLOAD", "PROCESSING_UPLOAD", "PUBLISH_COMPLETE"):
            lines(evolve(told, stage="processing", sent_bytes=21_000_000, status=word))
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("Sent 10,000,000 of 21,000,000 bytes (47 %), chunk 1 of 2, ")
    assert said[1].startswith("Sent 21,000,000 of 21,000,000 bytes (100 %), chunk 2 of 2, ")
    assert said[2:] == ["p: PROCESSING_UPLOAD", "p: PUBLISH_COMPLETE"]


def test_a_terminal_gets_a_bar() -> None:
    """On a terminal standard error shows a moving bar, and standard output stays free."""
    script = (
        "from tiktok_adapters.cli.progress import Bar, display\nfrom tiktok_core import Progress, ChunkPlan\n"
        "with display() as show:\n    assert isinstance(show._display, Bar)\n"
        "    show(Progress(stage='uploading', sent_bytes=5, video_size=10, publish_id='p', plan=ChunkPlan(10, 10, 1)))\n"
        "    show(Progress(stage='processing', sent_bytes=10, video_size=10, publish_id='p', status='DONE'))\n"
    )
    leader, follower = os.openpty()
    done = subprocess.run(
        [sys.executable, "-c", script],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=follower,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "200"},
        check=True,
    )
    os.close(follower)
    shown = os.read(leader, 100_000).decode()
    os.close(leader)
    assert done.stdout == b""
    assert "chunk 1 of 1" in shown
    assert "p: DONE" in shown
