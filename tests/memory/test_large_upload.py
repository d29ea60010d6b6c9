"""A large file goes through in constant memory, and arrives as it is: 300 MB in chunks of 64 MB, over each transport.

Client and server are processes of their own, so that what is measured is the client alone.
"""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from tiktok_adapters import connect
from tiktok_adapters.simulator import DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET
from tiktok_adapters.simulator.consent import ConsentForm

SIZE = 300_000_000
MOST = 24 * 1024
"""KiB above idle."""

SERVER = """
import sys
from tiktok_adapters.simulator import SimulatedTikTok
from tiktok_adapters.simulator.server import SandboxServer

simulated = SimulatedTikTok(keep_bytes=False)
simulated.switches.processing_seconds = 0
with SandboxServer(simulated).run_in_thread() as sandbox:
    print(sandbox.url, flush=True)
    sys.stdin.read()
simulated.close()
"""

BLOCKING = """
import resource, sys
from tiktok_adapters import connect
from tiktok_adapters.sources import BytesSource

with connect() as tiktok:
    account = tiktok.account()
    small = account.post_video(BytesSource(bytes(1000)), privacy_level="SELF_ONLY")
    idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    done = account.post_video(sys.argv[1], privacy_level="SELF_ONLY", chunk_size=64_000_000)
    print(done.publish_id, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - idle)
"""

ASYNCHRONOUS = """
import asyncio, resource, sys
from tiktok_adapters import connect_async
from tiktok_adapters.sources import BytesSource

async def main():
    async with connect_async() as tiktok:
        account = await tiktok.account()
        small = await account.post_video(BytesSource(bytes(1000)), privacy_level="SELF_ONLY")
        idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        done = await account.post_video(sys.argv[1], privacy_level="SELF_ONLY", chunk_size=64_000_000)
        print(done.publish_id, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - idle)

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """Give a file of 300 MB in which no two blocks are alike, and its digest."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for number in range(SIZE // 1_000_000):
            block = hashlib.shake_128(number.to_bytes(4, "big")).digest(1_000) * 1_000
            file.write(block)
            digest.update(block)
    yield path, digest.hexdigest()
    path.unlink()


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[str]:
    """Start a sandbox in a process of its own and give its address; it ends when its standard input does."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin
        assert server.stdout
        yield server.stdout.readline().strip()
        server.stdin.close()
        assert server.wait(timeout=20) == 0


def sign_in(sandbox: str, environ: dict[str, str]) -> None:
    """Consent over HTTP as a browser would, and keep the tokens in the home folder of `environ`."""
    with connect(environ=environ) as tiktok, urllib3.PoolManager() as browser:
        authorization = tiktok.authorization()
        page = ConsentForm(browser.request("GET", authorization.url).data.decode())
        answer = browser.request(
            "POST",
            f"{sandbox}/v2/auth/authorize/",
            body=page.answered(None, None, allow=True),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            redirect=False,
        )
        tiktok.sign_in(authorization, answer.headers["Location"])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="peak memory is read as Linux counts it")
@pytest.mark.parametrize("script", [BLOCKING, ASYNCHRONOUS], ids=["urllib3", "aiohttp"])
def test_300_mb_arrive_as_they_are_in_constant_memory(
    script: str, film: tuple[Path, str], sandbox: str, tmp_path: Path
) -> None:
    """The server's digest is the file's, and the client never held 24 MiB more than when idle."""
    path, digest = film
    environ = {
        "TIKTOK_CLIENT_KEY": DEFAULT_CLIENT_KEY,
        "TIKTOK_CLIENT_SECRET": DEFAULT_CLIENT_SECRET,
        "TIKTOK_REDIRECT_URI": "https://app.example.com/callback/",
        "TIKTOK_API_URL": sandbox,
        "TIKTOK_AUTH_URL": f"{sandbox}/v2/auth/authorize/",
        "TIKTOK_HOME": str(tmp_path / "home"),
    }
    sign_in(sandbox, environ)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, path],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert (done.returncode, done.stderr) == (0, "")
    publish_id, above_idle = done.stdout.split()
    with urllib3.PoolManager() as browser:
        answer = browser.request("GET", f"{sandbox}/_sandbox/posts")
    posts = {post["publish_id"]: post for post in json.loads(answer.data)}
    assert posts[publish_id]["sha256"] == digest
    assert int(above_idle) < MOST
