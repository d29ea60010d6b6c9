"""What the tests of memory share: a sandbox in a separate process, and a way to sign in there."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import urllib3

from tiktok_adapters import connect
from tiktok_adapters.simulator import DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET
from tiktok_adapters.simulator.consent import ConsentForm

SERVER = """
import sys
from tiktok_adapters.simulator import DEFAULT_SCOPES, App, SimulatedTikTok, Switches
from tiktok_adapters.simulator.server import SandboxServer

app = App(scopes=(*DEFAULT_SCOPES, "portability.all.ongoing"))
simulated = SimulatedTikTok(switches=Switches(processing_seconds=0, data_seconds=0), apps=[app], keep_bytes=False)
with SandboxServer(simulated).run_in_thread() as sandbox:
    print(sandbox.url, flush=True)
    sys.stdin.read()
simulated.close()
"""


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[str]:
    """Start a sandbox in a separate process and give its address; it ends when its standard input does."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin
        assert server.stdout
        yield server.stdout.readline().strip()
        server.stdin.close()
        assert server.wait(timeout=20) == 0


@pytest.fixture
def signed_in() -> Callable[..., dict[str, str]]:
    """Sign in at a sandbox, keep the tokens in a home folder, and return the environment variables that name it."""
    return _signed_in


def _signed_in(sandbox: str, home: Path, scopes: tuple[str, ...] | None = None) -> dict[str, str]:
    environ = {
        "TIKTOK_CLIENT_KEY": DEFAULT_CLIENT_KEY,
        "TIKTOK_CLIENT_SECRET": DEFAULT_CLIENT_SECRET,
        "TIKTOK_REDIRECT_URI": "https://app.example.com/callback/",
        "TIKTOK_API_URL": sandbox,
        "TIKTOK_AUTH_URL": f"{sandbox}/v2/auth/authorize/",
        "TIKTOK_HOME": str(home),
    }
    with connect(environ=environ) as tiktok, urllib3.PoolManager() as browser:
        authorization = tiktok.authorization(scopes)
        page = ConsentForm(browser.request("GET", authorization.url).data.decode())
        answer = browser.request(
            "POST",
            f"{sandbox}/v2/auth/authorize/",
            body=page.answered(None, None, allow=True),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            redirect=False,
        )
        tiktok.sign_in(authorization, answer.headers["Location"])
    return environ
