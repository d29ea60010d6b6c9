"""Many processes go on with one post at once: one of them acts, and all of them see the same end."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tiktok_adapters import connect
from tiktok_adapters.simulator import DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, SimulatedTikTok
from tiktok_adapters.simulator.server import SandboxServer

PROCESSES = 32
# One interpreter imports everything once; its children share nothing but the files and what a fork copies.
CROWD = f"""
import os, sys
from tiktok_adapters import connect
import tiktok_adapters.stores.sqlite, tiktok_adapters.transports.urllib3, cattrs

children = []
for number in range({PROCESSES}):
    child = os.fork()
    if child == 0:
        try:
            with connect() as tiktok:
                done = tiktok.account().resume("mine")
            line = f"{{done.publish_id}} {{done.status}}\\n"
        except BaseException as error:
            line = f"{{type(error).__name__}} {{error}}\\n"
        os.write(1, line.encode())
        os._exit(0)
    children.append(child)
for child in children:
    os.waitpid(child, 0)
"""


@pytest.fixture
def environ(tmp_path: Path) -> Iterator[tuple[SimulatedTikTok, dict[str, str]]]:
    """Give a sandbox with an account that is signed in, and the settings that lead to it."""
    simulated = SimulatedTikTok()
    simulated.switches.processing_seconds = 1.0
    with closing(simulated), SandboxServer(simulated).run_in_thread() as sandbox:
        settings = {
            "TIKTOK_CLIENT_KEY": DEFAULT_CLIENT_KEY,
            "TIKTOK_CLIENT_SECRET": DEFAULT_CLIENT_SECRET,
            "TIKTOK_REDIRECT_URI": "https://app.example.com/callback/",
            "TIKTOK_API_URL": sandbox.url,
            "TIKTOK_AUTH_URL": f"{sandbox.url}/v2/auth/authorize/",
            "TIKTOK_HOME": str(tmp_path / "home"),
        }
        with connect(environ=settings) as tiktok:
            authorization = tiktok.authorization()
            tiktok.sign_in(authorization, simulated.authorize(authorization.url))
        yield simulated, settings


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the crowd is made by forking")
def test_one_of_many_processes_acts_and_all_see_the_same(
    environ: tuple[SimulatedTikTok, dict[str, str]], tmp_path: Path
) -> None:
    """An upload was interrupted after its first chunk: 32 processes resume it, each byte goes once, there is one post."""
    simulated, settings = environ
    film = tmp_path / "film.mp4"
    film.write_bytes(b"\0\0\0\x18ftypisom" + bytes(16_000_000))
    with connect(environ=settings) as tiktok, pytest.raises(KeyboardInterrupt):
        tiktok.account().post_video(
            film,
            privacy_level="SELF_ONLY",
            chunk_size=5_242_880,
            key="mine",
            on_progress=lambda told: _interrupt() if told.sent_bytes > 6_000_000 else None,
        )
    before = simulated.count("put")
    crowd = subprocess.run(
        [sys.executable, "-W", "error", "-c", CROWD],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    ends = Counter(crowd.stdout.splitlines())
    (post,) = simulated.posts
    assert ends == {f"{post.publish_id} PUBLISH_COMPLETE": PROCESSES}, crowd.stderr
    assert post.bytes_received == film.stat().st_size
    assert simulated.count("video_init") == 1
    assert simulated.count("put") - before == 2


def _interrupt() -> None:
    raise KeyboardInterrupt
