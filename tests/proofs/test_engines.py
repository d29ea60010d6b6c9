"""Workers of an engine are killed in the midst of a chunk, again and again: others go on soon, and each key has one post.

`ENGINE_KILLS` sets how often each engine's worker is killed; `make prove-engines` kills 40. The figures are in `docs/proofs.md`.
"""

import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

pytest.importorskip("procrastinate")
pytest.importorskip("celery")

from broker_servers import rabbitmq_server, redis_server
from clips import HEAD
from engine_servers import Engine, engine
from postgres_server import postgres_server
from signed_in import signed_in
from tiktok_adapters import connect
from tiktok_adapters.assembly.home import journal_file
from tiktok_adapters.simulator import Creator, SimulatedTikTok, Switches, parse_fault
from tiktok_core import Record

__all__ = ["engine", "postgres_server", "rabbitmq_server", "redis_server"]

KILLS: Final = int(os.environ.get("ENGINE_KILLS", "2"))
CHUNK: Final = 5_242_880
CHUNKS: Final = 5
EACH: Final = 5
"""Posts of an account: TikTok takes so many unfinished drafts of one."""
SLOW: Final = 0.2
"""Seconds by which each answer to a chunk is late, for the kill to come in its midst."""
WORKERS: Final = 2
PROGRAM: Final = (sys.executable, "-c", "from tiktok_adapters.cli import main; main()")


class Workers:
    """Some workers over one home, of which each that is killed is replaced."""

    def __init__(self, engine: Engine, environ: dict[str, str]) -> None:
        self._command = [*PROGRAM, *engine.arguments()]
        self._environ = {**os.environ, **environ, **engine.environ()}
        self._running: dict[int, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Start one more."""
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        one = subprocess.Popen(self._command, env=self._environ, **quiet)  # type: ignore[call-overload]
        self._running[one.pid] = one

    def kill(self, pid: int) -> None:
        """Kill one of them."""
        one = self._running.pop(pid)
        one.send_signal(signal.SIGKILL)
        one.wait()

    def close(self) -> None:
        """End all."""
        for pid in list(self._running):
            self.kill(pid)

    def until(self, is_so: Callable[[], object]) -> None:
        """Wait until something is so, for two minutes at most, as long as all of them run."""
        end = time.monotonic() + 120
        while not is_so():
            assert all(one.poll() is None for one in self._running.values()), "a worker has ended by itself"
            assert time.monotonic() < end
            time.sleep(0.01)


def holder(home: Path, name: str) -> int | None:
    """Return the process that has a post, as the journal knows it."""
    with closing(sqlite3.connect(journal_file(home), timeout=30)) as journal:
        found = journal.execute(
            "SELECT pid FROM leases WHERE name = ? AND owner IS NOT NULL", (name.encode(),)
        ).fetchone()
    return None if found is None else found[0]


def has_ended(account: Any, key: str) -> bool:
    """Whether a post has ended."""
    return bool(account.post(key).is_ended)


def killed_within(
    workers: Workers, sim: SimulatedTikTok, account: Any, record: Record, *, folder: Path, chance: Random
) -> float | None:
    """Kill the worker that sends a chunk of a post, and return after how many seconds another goes on; None if it was done before."""
    sent = chance.randrange(CHUNKS - 1) * CHUNK
    workers.until(lambda: (found := account.post(record.key)).is_ended or (found.is_uploading and found.offset >= sent))
    time.sleep(chance.random() * SLOW)
    if (pid := holder(folder, record.name)) is None:
        return None
    # Whoever takes the post over asks for its status first. No other call asks for it before the last chunk.
    asked = sim.count("status")
    workers.kill(pid)
    at = time.monotonic()
    workers.until(lambda: sim.count("status") > asked)
    took = time.monotonic() - at
    workers.start()
    return took


@pytest.fixture
def home(tmp_path: Path) -> Iterator[tuple[SimulatedTikTok, dict[str, str], list[str], Path]]:
    """A sandbox with as many accounts as the posts need, signed in."""
    creators = [Creator(username=f"maker-{number}") for number in range(-(-KILLS // EACH))]
    sim = SimulatedTikTok(switches=Switches(processing_seconds=0.0), creators=creators)
    with signed_in(sim, tmp_path / "home") as environ:
        accounts = []
        with connect(environ=environ) as tiktok:
            for creator in creators:
                begun = tiktok.authorization()
                accounts.append(tiktok.sign_in(begun, sim.authorize(begun.url, account=creator.username)).open_id)
        yield sim, environ, accounts, tmp_path / "home"


@pytest.mark.timeout(120 + 60 * KILLS)
def test_a_worker_that_is_killed_is_followed_by_another(
    engine: Engine, home: tuple[SimulatedTikTok, dict[str, str], list[str], Path], tmp_path: Path
) -> None:
    """Each time, the one that sends a chunk. The next one asks TikTok how much it has, and sends the rest."""
    sim, environ, accounts, folder = home
    workers, chance, times = Workers(engine, environ), Random(KILLS), list[float]()
    sim.faults.add(parse_fault(f"putx{CHUNKS * KILLS * 20}=slow:{SLOW}"))
    digests: list[str] = []
    try:
        for _ in range(WORKERS):
            workers.start()
        with connect(environ=environ) as tiktok:
            for number in range(KILLS):
                account, film = tiktok.account(accounts[number // EACH]), tmp_path / "film.mp4"
                film.write_bytes(HEAD + hashlib.shake_128(str(number).encode()).digest(CHUNK * CHUNKS - len(HEAD)))
                digests.append(hashlib.sha256(film.read_bytes()).hexdigest())
                record = account.enter_video(film, draft=True, key=f"key-{number}", chunk_size=CHUNK)
                took = killed_within(workers, sim, account, record, folder=folder, chance=chance)
                times += [] if took is None else [took]
                workers.until(partial(has_ended, account, record.key))
    finally:
        workers.close()
    assert sorted(post.sha256 for post in sim.posts) == sorted(digests)
    assert sim.count("inbox_init") == KILLS
    assert len(times) >= KILLS * 0.9
    ordered = sorted(times)
    late = ordered[max(0, -(-len(ordered) * 95 // 100) - 1)]
    print(
        f"\n{engine.name} over {type(engine.server).__name__}: {len(times)} kills,"
        f" {len(sim.posts)} posts; a survivor went on after {ordered[len(ordered) // 2]:.1f} s (median), {late:.1f} s (95th"
        f" percentile), {ordered[-1]:.1f} s (longest)"
    )
