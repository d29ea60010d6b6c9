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
from attrs import frozen

from broker_servers import rabbitmq_server, redis_server
from postgres_server import postgres_server
from tiktok_adapters import connect
from tiktok_adapters.simulator import SimulatedTikTok, parse_fault

__all__ = ["postgres_server", "rabbitmq_server", "redis_server"]

Start = Callable[..., "subprocess.Popen[str]"]
CHUNK = 5_242_880


@pytest.fixture
def opened(environ: dict[str, str], signed_in: str) -> Iterator[Any]:
    """A client of the home folder, with an account that is signed in."""
    assert signed_in
    with connect(environ=environ) as tiktok:
        yield tiktok


@frozen
class Engine:
    """An engine and its server."""

    name: str
    server: Any

    def arguments(self) -> tuple[str, ...]:
        """Return the command of a worker."""
        return "worker", "--engine", self.name

    def environ(self) -> dict[str, str]:
        """Return the setting that leads to the server."""
        return {"TIKTOK_ENGINE_URL": self.server.url()}


SERVERS = {
    "procrastinate": ("procrastinate", "postgres_server"),
    "celery-rabbitmq": ("celery", "rabbitmq_server"),
    "celery-redis": ("celery", "redis_server"),
}


@pytest.fixture(params=SERVERS)
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine, over each of its servers."""
    name, server = SERVERS[request.param]
    return Engine(name, request.getfixturevalue(server))


def seen(is_so: Callable[[], bool], *running: "subprocess.Popen[str]") -> None:
    """Wait until something is so, as long as the processes run."""
    while not is_so():
        for one in running:
            assert one.poll() is None, one.communicate()
        time.sleep(0.02)


def test_another_worker_goes_on_after_a_kill(
    process: Start, sim: SimulatedTikTok, opened: Any, film: Path, engine: Engine
) -> None:
    with film.open("r+b") as file:
        file.truncate(12 * CHUNK)
    opened.account().enter_video(film, draft=True, key="long", chunk_size=CHUNK)
    sim.faults.add(parse_fault("putx500=slow:0.5"))
    first = process(*engine.arguments(), env=engine.environ())
    seen(lambda: sim.count("put") >= 2, first)
    second = process(*engine.arguments(), env=engine.environ())
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
