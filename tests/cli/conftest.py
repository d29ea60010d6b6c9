"""What the tests of the command line share: a sandbox, settings that connect to it, and ways to run `tiktok`."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import define
from click.testing import CliRunner, Result

from tiktok_adapters import connect
from tiktok_adapters.cli.app import tiktok
from tiktok_adapters.clocks import SystemClock
from tiktok_adapters.simulator import App, SimulatedTikTok, Switches
from tiktok_adapters.simulator.server import SandboxServer

FILM = Path(__file__).parents[1] / "media" / "good.mp4"
SECRET = "canary-of-the-client-secret"
REDIRECT = "http://127.0.0.1:*/callback/"
PROGRAM = (sys.executable, "-c", "from tiktok_adapters.cli import main; main()")


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep this machine's settings away from the tests."""
    for name in [name for name in os.environ if name.startswith("TIKTOK_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "person"))


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the waits of commands in this process: the sandbox finishes its work at once."""
    sleep = SystemClock.sleep
    monkeypatch.setattr(SystemClock, "sleep", lambda clock, seconds: sleep(clock, min(seconds, 0.01)))


@pytest.fixture
def sim() -> Iterator[SimulatedTikTok]:
    """A simulated TikTok whose posts are done when the client first asks."""
    simulated = SimulatedTikTok(
        switches=Switches(processing_seconds=0.0, download_seconds=0.0), apps=[App(client_secret=SECRET)]
    )
    yield simulated
    simulated.close()


@pytest.fixture
def url(sim: SimulatedTikTok) -> Iterator[str]:
    """The address of the served sandbox."""
    with SandboxServer(sim).run_in_thread() as server:
        yield server.url


@pytest.fixture
def environ(sim: SimulatedTikTok, url: str, tmp_path: Path) -> dict[str, str]:
    """The environment variables that connect to the sandbox."""
    return {
        "TIKTOK_CLIENT_KEY": sim.app.client_key,
        "TIKTOK_CLIENT_SECRET": SECRET,
        "TIKTOK_REDIRECT_URI": REDIRECT,
        "TIKTOK_API_URL": url,
        "TIKTOK_AUTH_URL": f"{url}/v2/auth/authorize/",
        "TIKTOK_HOME": str(tmp_path / "home"),
    }


@pytest.fixture
def hides(sim: SimulatedTikTok) -> Callable[[str], str]:
    """Assert that a text contains no secret of this test, and return the text."""

    def check(text: str) -> str:
        uploads = [task.upload for task in sim.world.tasks.values() if task.upload is not None]
        for secret in (SECRET, *sim.world.tokens, *sim.world.codes, *(upload.upload_token for upload in uploads)):
            assert secret not in text
        return text

    return check


@define
class Cli:
    """Runs `tiktok` in this process, and checks that it prints no secret and no traceback."""

    environ: dict[str, str]
    hides: Callable[[str], str]

    def __call__(self, *arguments: str, env: dict[str, str] | None = None, typed: str = "") -> Result:
        """Run a command; a person types this."""
        result = CliRunner().invoke(tiktok, list(arguments), input=typed, env={**self.environ, **(env or {})})
        print(result.output, end="")  # pytest shows it where the test fails.
        assert "Traceback" not in self.hides(result.output)
        return result


@pytest.fixture
def cli(environ: dict[str, str], hides: Callable[[str], str]) -> Cli:
    """Runs `tiktok` against the sandbox; no account is signed in."""
    return Cli(environ, hides)


@pytest.fixture
def signed_in(sim: SimulatedTikTok, environ: dict[str, str]) -> str:
    """Sign the simulator's creator in; return the `open_id`."""
    with connect(environ=environ) as client:
        authorization = client.authorization(redirect_uri="http://127.0.0.1:3455/callback/")
        return client.sign_in(authorization, sim.authorize(authorization.url)).open_id


@pytest.fixture
def opened(environ: dict[str, str], signed_in: str) -> Iterator[Any]:
    """A client of the home folder, with an account that is signed in."""
    assert signed_in
    with connect(environ=environ) as tiktok:
        yield tiktok


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A video."""
    path = tmp_path / "clip.mp4"
    path.write_bytes(FILM.read_bytes())
    return path


@pytest.fixture
def process(environ: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Start `tiktok` in a separate process; the fixture ends the processes that still run, by their ids."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, env: dict[str, str] | None = None) -> "subprocess.Popen[str]":
        running = subprocess.Popen(
            [*PROGRAM, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environ, "TMPDIR": str(tmp_path), **(env or {})},
        )
        started.append(running)
        return running

    yield start
    for running in started:
        if running.poll() is None:
            running.send_signal(signal.SIGKILL)
        running.communicate()
