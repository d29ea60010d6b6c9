"""Workers of an engine are killed in the midst of a chunk, again and again: others go on soon, and each key has one post.

Workers are on one machine, or on many: then each has a home of its own, and the journal is in a database, which sees no process. So
only the end of its lease tells that a worker is dead.

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
from typing import Any, Final, Protocol

import pytest
from attrs import frozen

pytest.importorskip("procrastinate")
pytest.importorskip("celery")

from broker_servers import rabbitmq_server, redis_server
from clips import HEAD
from engine_servers import SERVERS, Engine
from postgres_place import Database, database
from postgres_server import postgres_server
from signed_in import signed_in
from tiktok_adapters import connect
from tiktok_adapters.assembly.home import journal_file
from tiktok_adapters.simulator import Creator, SimulatedTikTok, Switches, parse_fault
from tiktok_core import Record

__all__ = ["database", "postgres_server", "rabbitmq_server", "redis_server"]

KILLS: Final = int(os.environ.get("ENGINE_KILLS", "1"))
CHUNK: Final = 5_242_880
CHUNKS: Final = 5
EACH: Final = 5
"""Posts of an account: TikTok takes so many unfinished drafts of one."""
SLOW: Final = 0.2
"""Seconds by which each answer to a chunk is late, for the kill to come in its midst."""
WORKERS: Final = 2
PROGRAM: Final = (sys.executable, "-c", "from tiktok_adapters.cli import main; main()")


class Runs(Protocol):
    """What runs workers: an engine, or nothing but the worker's own rounds."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def server(self) -> Any:
        """Its server; None if it needs none."""
        ...

    def arguments(self) -> tuple[str, ...]:
        """Return the command of a worker."""
        ...

    def environ(self) -> dict[str, str]:
        """Return the settings that lead to the server."""
        ...


@frozen
class Rounds:
    """No engine."""

    name: str = "no engine"
    server: Any = None

    def arguments(self) -> tuple[str, ...]:
        """As `Runs.arguments`."""
        return ("worker",)

    def environ(self) -> dict[str, str]:
        """As `Runs.environ`."""
        return {}


class Place(Protocol):
    """Where workers find the posts."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    def environ(self, worker: str) -> dict[str, str]:
        """Return the settings of a worker of this name."""
        ...

    def holder(self, record: Record, pids: dict[int, str]) -> str | None:
        """Return the worker that has a post; None if none has it."""
        ...


@frozen
class OneMachine:
    """A home that all workers share. Its journal knows the process that has a post."""

    home: Path
    name: str = "one machine"

    def environ(self, worker: str) -> dict[str, str]:
        """As `Place.environ`."""
        return {"TIKTOK_HOME": str(self.home)}

    def holder(self, record: Record, pids: dict[int, str]) -> str | None:
        """As `Place.holder`."""
        with closing(sqlite3.connect(journal_file(self.home), timeout=30)) as journal:
            found = journal.execute(
                "SELECT pid FROM leases WHERE name = ? AND owner IS NOT NULL", (record.name.encode(),)
            ).fetchone()
        return None if found is None else pids.get(found[0])


@frozen
class ManyMachines:
    """A database, and a home for each worker. A trigger notes who stored a record last, which the stores do not."""

    database: Database
    homes: Path
    name: str = "many machines"

    def environ(self, worker: str) -> dict[str, str]:
        """As `Place.environ`."""
        return {
            "TIKTOK_STORE_URL": self.database.url,
            "TIKTOK_HOME": str(self.homes / worker),
            # The stores name their connections only where nobody else has.
            "PGAPPNAME": worker,
        }

    def watch(self) -> None:
        """Note from now on who stores a record."""
        self.database.execute("CREATE TABLE public.writers (id bytea PRIMARY KEY, worker text NOT NULL)")
        self.database.execute(
            """
            CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                INSERT INTO public.writers VALUES (NEW.id, current_setting('application_name'))
                ON CONFLICT (id) DO UPDATE SET worker = excluded.worker;
                RETURN NEW;
            END $$
            """
        )
        self.database.execute(
            "CREATE TRIGGER note BEFORE INSERT OR UPDATE ON {s}.records FOR EACH ROW EXECUTE FUNCTION public.note()"
        )

    def holder(self, record: Record, pids: dict[int, str]) -> str | None:
        """As `Place.holder`."""
        found = self.database.execute(
            """
            SELECT convert_to(worker, 'UTF8') FROM public.writers JOIN {s}.record_leases USING (id)
            WHERE id = %s AND owner IS NOT NULL AND until > clock_timestamp()
            """,
            hashlib.sha256(record.name.encode()).digest(),
        )
        worker = bytes(found[0][0]).decode() if found else None
        return worker if worker in pids.values() else None


class Workers:
    """Some workers, of which each that is killed is replaced."""

    def __init__(self, runs: Runs, place: Place, environ: dict[str, str]) -> None:
        self._command = [*PROGRAM, *runs.arguments()]
        self._place = place
        self._environ = {**os.environ, **environ, **runs.environ()}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._begun = 0

    def start(self) -> None:
        """Start one more."""
        self._begun += 1
        name = f"worker-{self._begun}"
        environ = self._environ | self._place.environ(name)
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self._running[name] = subprocess.Popen(self._command, env=environ, **quiet)  # type: ignore[call-overload]

    def holder(self, record: Record) -> str | None:
        """Return the name of the one that has a post."""
        return self._place.holder(record, {one.pid: name for name, one in self._running.items()})

    def kill(self, name: str) -> None:
        """Kill one of them."""
        one = self._running.pop(name)
        one.send_signal(signal.SIGKILL)
        one.wait()

    def close(self) -> None:
        """End all."""
        for name in list(self._running):
            self.kill(name)

    def until(self, is_so: Callable[[], object]) -> None:
        """Wait until something is so, for two minutes at most, as long as all of them run."""
        end = time.monotonic() + 120
        while not is_so():
            assert all(one.poll() is None for one in self._running.values()), "a worker has ended by itself"
            assert time.monotonic() < end
            time.sleep(0.01)


def has_ended(account: Any, key: str) -> bool:
    """Whether a post has ended."""
    return bool(account.post(key).is_ended)


def killed_within(
    workers: Workers, sim: SimulatedTikTok, account: Any, record: Record, *, chance: Random
) -> float | None:
    """Kill the worker that sends a chunk of a post, and return after how many seconds another goes on; None if it was done before."""
    sent = chance.randrange(CHUNKS - 1) * CHUNK
    workers.until(lambda: (found := account.post(record.key)).is_ended or (found.is_uploading and found.offset >= sent))
    time.sleep(chance.random() * SLOW)
    if (name := workers.holder(record)) is None:
        return None
    # Whoever takes the post over asks for its status first. No other call asks for it before the last chunk.
    asked = sim.count("status")
    workers.kill(name)
    at = time.monotonic()
    workers.until(lambda: sim.count("status") > asked)
    took = time.monotonic() - at
    workers.start()
    return took


@pytest.fixture(params=["no engine", *SERVERS])
def runs(request: pytest.FixtureRequest) -> Runs:
    """Each engine, over each of its servers; and none."""
    if request.param == "no engine":
        return Rounds()
    name, server = SERVERS[request.param]
    return Engine(name, request.getfixturevalue(server))


@pytest.fixture(params=["one machine", "many machines"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Each place."""
    if request.param == "one machine":
        return OneMachine(tmp_path / "home")
    return ManyMachines(request.getfixturevalue("database"), tmp_path)


@pytest.fixture
def world(tmp_path: Path, place: Place) -> Iterator[tuple[SimulatedTikTok, dict[str, str], list[str]]]:
    """A sandbox with as many accounts as the posts need, signed in."""
    creators = [Creator(username=f"maker-{number}") for number in range(-(-KILLS // EACH))]
    sim = SimulatedTikTok(switches=Switches(processing_seconds=0.0), creators=creators)
    with signed_in(sim, tmp_path / "first") as first:
        accounts = []
        environ = first | place.environ("enters")
        with connect(environ=environ) as tiktok:
            for creator in creators:
                begun = tiktok.authorization()
                accounts.append(tiktok.sign_in(begun, sim.authorize(begun.url, account=creator.username)).open_id)
        if isinstance(place, ManyMachines):
            place.watch()
        yield sim, environ, accounts


@pytest.mark.timeout(120 + 60 * KILLS)
def test_a_worker_that_is_killed_is_followed_by_another(
    runs: Runs, place: Place, world: tuple[SimulatedTikTok, dict[str, str], list[str]], tmp_path: Path
) -> None:
    """Each time, the one that sends a chunk. The next one asks TikTok how much it has, and sends the rest."""
    sim, environ, accounts = world
    workers, chance, times = Workers(runs, place, environ), Random(KILLS), list[float]()
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
                took = killed_within(workers, sim, account, record, chance=chance)
                times += [] if took is None else [took]
                workers.until(partial(has_ended, account, record.key))
    finally:
        workers.close()
    assert sorted(post.sha256 for post in sim.posts) == sorted(digests)
    assert sim.count("inbox_init") == KILLS
    assert len(times) >= KILLS * 0.9
    ordered = sorted(times)
    late = ordered[max(0, -(-len(ordered) * 95 // 100) - 1)]
    server = "" if runs.server is None else f" over {type(runs.server).__name__}"
    print(
        f"\n{runs.name}{server}, {place.name}: {len(times)} kills,"
        f" {len(sim.posts)} posts; a survivor went on after {ordered[len(ordered) // 2]:.1f} s (median), {late:.1f} s (95th"
        f" percentile), {ordered[-1]:.1f} s (longest)"
    )
