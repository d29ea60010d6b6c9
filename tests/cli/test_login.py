"""`tiktok login` as a person meets it: as a process, with a page, a listener and a pasted answer."""

import http.client
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tiktok_adapters import connect
from tiktok_adapters.cli.person import consent
from tiktok_adapters.simulator import SimulatedTikTok

Start = Callable[..., "subprocess.Popen[str]"]
Hides = Callable[[str], str]


def _page(running: "subprocess.Popen[str]") -> str:
    assert running.stdout is not None
    return running.stdout.readline().rstrip("\n")


def _get(url: str) -> int:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    try:
        connection.request("GET", f"{parts.path}?{parts.query}")
        return connection.getresponse().status
    finally:
        connection.close()


def _redirect(page: str) -> str:
    return parse_qs(urlsplit(page).query)["redirect_uri"][0]


def test_login_goes_from_end_to_end(process: Start, sim: SimulatedTikTok, hides: Hides, tmp_path: Path) -> None:
    """The URL stands alone on a line; forged answers get 400 and the login goes on; the person's answer ends it."""
    running = process("login", "--no-browser")
    assert running.stdin is not None
    running.stdin.close()  # The end of the input does not end the wait.
    running.stdin = None
    page = _page(running)
    assert page.startswith("http://127.0.0.1:")
    redirect = _redirect(page)
    assert _get(f"{redirect}?code=forged&state=wrong") == 400
    assert _get(f"{redirect}?error=access_denied") == 400
    assert consent(page) == 200
    stdout, stderr = running.communicate(timeout=30)
    assert running.returncode == 0, stderr
    assert "Signed in as Maker One" in hides(stdout)
    hides(stderr)
    assert parse_qs(urlsplit(page).query)["scope"] == ["user.info.basic,video.upload,video.publish"]
    assert sim.count("token") == 1
    home = tmp_path / "home"
    assert home.stat().st_mode & 0o777 == 0o700
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in home.iterdir())


def test_with_json_the_document_is_an_account(process: Start, sim: SimulatedTikTok, hides: Hides) -> None:
    """With --json the URL is on standard error, alone on its line, and standard output is the document."""
    running = process("login", "--no-browser", "--json", "--scope", "user.info.basic", "--scope", "video.upload")
    assert running.stderr is not None
    page = next(line.strip() for line in running.stderr if line.startswith("http"))
    assert consent(page) == 200
    stdout, _stderr = running.communicate(timeout=30)
    document = json.loads(hides(stdout))
    assert list(document) == ["open_id", "scope", "expires_at", "refresh_expires_at"]
    assert document["scope"] == "user.info.basic,video.upload"
    assert document["open_id"] == sim.creator.open_id


def test_an_answer_can_be_pasted(process: Start, sim: SimulatedTikTok, hides: Hides) -> None:
    """With --no-browser the callback's address may be pasted; another line does not end the wait."""
    running = process("login", "--no-browser")
    callback = sim.authorize(_page(running))
    stdout, stderr = running.communicate(f"what?\n{callback}x\n{callback}\n", timeout=30)
    assert running.returncode == 0, stderr
    assert stderr.count("not the answer") == 2
    assert "Signed in as" in hides(stdout)
    hides(stderr)


def test_the_browser_is_opened(process: Start, tmp_path: Path) -> None:
    """Without --no-browser the person's browser gets the page, and nothing has to be typed."""
    script = tmp_path / "browser.py"
    script.write_text(
        "import sys\nfrom tiktok_adapters.cli.person import consent\nconsent(sys.argv[1])\nprint('noise')\n"
    )
    running = process("login", env={"BROWSER": f"{sys.executable} {script} %s"})
    stdout, stderr = running.communicate(timeout=30)
    assert running.returncode == 0, stderr
    assert "noise" not in stdout + stderr


def test_denied_consent_is_refused(process: Start, sim: SimulatedTikTok, environ: dict[str, str]) -> None:
    """4: the person said no, nothing is kept."""
    running = process("login", "--no-browser", "--json")
    assert running.stderr is not None
    page = next(line.strip() for line in running.stderr if line.startswith("http"))
    assert _get(sim.authorize(page, allow=False)) == 200
    stdout, _stderr = running.communicate(timeout=30)
    error = json.loads(stdout)["error"]
    assert (running.returncode, error["type"], error["code"]) == (4, "AccessDenied", "access_denied")
    with connect(environ=environ) as client:
        assert client.accounts() == ()


def test_scopes_that_were_unticked_are_named(process: Start, sim: SimulatedTikTok) -> None:
    """Fewer scopes than wanted is a success with a warning."""
    running = process("login", "--no-browser")
    assert _get(sim.authorize(_page(running), scopes=["user.info.basic"])) == 200
    stdout, stderr = running.communicate(timeout=30)
    assert running.returncode == 0
    assert "Not granted, though it was asked for: video.upload, video.publish" in stderr
    assert "Granted: user.info.basic" in stdout


def test_ctrl_c_ends_the_wait(process: Start, environ: dict[str, str]) -> None:
    """130: interrupted, without a traceback, and nobody is signed in."""
    running = process("login", "--no-browser")
    _page(running)
    running.send_signal(signal.SIGINT)
    _stdout, stderr = running.communicate(timeout=30)
    assert running.returncode == 130
    assert stderr.splitlines()[-1] == "tiktok: interrupted"
    assert "Traceback" not in stderr
    with connect(environ=environ) as client:
        assert client.accounts() == ()


@pytest.mark.parametrize("redirect", ["https://app.example.com/callback/", "https://127.0.0.1:3455/callback/"])
def test_a_redirect_elsewhere_is_pasted(redirect: str, process: Start, sim: SimulatedTikTok) -> None:
    """Where nobody can listen, a sentence says so, and the answer is pasted."""
    sim.app.redirect_uris = (redirect,)
    running = process("login", "--no-browser", env={"TIKTOK_REDIRECT_URI": redirect})
    callback = sim.authorize(_page(running))
    stdout, stderr = running.communicate(f"{callback}\n", timeout=30)
    assert running.returncode == 0, stderr
    assert f"has to be pasted here, because {redirect}" in stderr
    assert "Signed in as" in stdout


def test_a_taken_port_leaves_pasting(process: Start, sim: SimulatedTikTok) -> None:
    """A port that another program holds is named, and the answer can be pasted."""
    import socket  # noqa: PLC0415

    with socket.create_server(("127.0.0.1", 0)) as other:
        redirect = f"http://127.0.0.1:{other.getsockname()[1]}/callback/"
        running = process("login", "--no-browser", env={"TIKTOK_REDIRECT_URI": redirect})
        stdout, stderr = running.communicate(f"{sim.authorize(_page(running))}\n", timeout=30)
    assert running.returncode == 0, stderr
    assert "cannot be listened on (address already in use)" in stderr
    assert "Signed in as" in stdout


def test_no_answer_can_come_after_the_end_of_the_only_input(process: Start) -> None:
    """Where pasting is the only way, the end of the input ends the wait with status 4."""
    running = process("login", "--no-browser", env={"TIKTOK_REDIRECT_URI": "https://app.example.com/callback/"})
    _stdout, stderr = running.communicate("", timeout=30)
    assert running.returncode == 4
    assert "the input ended" in stderr


@pytest.mark.parametrize("place", ["a file", "a folder for everybody"])
def test_tokens_that_cannot_be_kept_are_found_out_before_anybody_is_asked(cli: Any, tmp_path: Path, place: str) -> None:
    """A home folder that cannot hold tokens ends the login before the page is printed: no grant is left over."""
    home = tmp_path / "odd"
    if place == "a file":
        home.touch()
    else:
        home.mkdir()
        home.chmod(0o777)
    result = cli("login", "--no-browser", "--home", str(home))
    assert result.exit_code == 1
    assert "http" not in result.stdout
    assert len(result.stderr.splitlines()) == 1
