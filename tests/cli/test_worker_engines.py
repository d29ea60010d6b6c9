"""`tiktok worker --engine`: whole workers of an engine over a home folder and a real server, their deaths, and their refusals.

What belongs here: processes of the command line. What an adapter does within a program is in `tests/adapters`.
"""

import hashlib
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from postgres_server import Server, postgres_server
from tiktok_adapters import connect
from tiktok_adapters.simulator import SimulatedTikTok, parse_fault

__all__ = ["postgres_server"]

Start = Callable[..., "subprocess.Popen[str]"]
CHUNK = 5_242_880


@pytest.fixture
def opened(environ: dict[str, str], signed_in: str) -> Iterator[Any]:
    """A client of the home folder, with an account that is signed in."""
    assert signed_in
    with connect(environ=environ) as tiktok:
        yield tiktok


@pytest.fixture
def engine_url(postgres_server: Server) -> str:
    return postgres_server.url()


def seen(is_so: Callable[[], bool], *running: "subprocess.Popen[str]") -> None:
    """Wait until something is so, as long as the processes run."""
    while not is_so():
        for one in running:
            assert one.poll() is None, one.communicate()
        time.sleep(0.02)


def test_another_worker_goes_on_after_a_kill(
    process: Start, sim: SimulatedTikTok, opened: Any, film: Path, engine_url: str
) -> None:
    with film.open("r+b") as file:
        file.truncate(12 * CHUNK)
    opened.account().enter_video(film, draft=True, key="long", chunk_size=CHUNK)
    sim.faults.add(parse_fault("putx500=slow:0.5"))
    env = {"TIKTOK_ENGINE_URL": engine_url}
    first = process("worker", "--engine", "procrastinate", env=env)
    seen(lambda: sim.count("put") >= 2, first)
    second = process("worker", "--engine", "procrastinate", env=env)
    seen(lambda: sim.count("put") >= 4, first, second)
    first.kill()
    first.communicate()
    sent, at = sim.count("put"), time.monotonic()
    seen(lambda: sim.count("put") > sent, second)
    print("went on after", time.monotonic() - at)
    sim.faults.clear()
    seen(lambda: opened.account().post("long").is_ended, second)
    (post,) = sim.posts
    assert post.size == post.bytes_received
    assert post.sha256 == hashlib.sha256(film.read_bytes()).hexdigest()
    assert sim.count("inbox_init") == 1
