"""Procrastinate as the alarm clock, within a program: its jobs in a real database, and what becomes of them.

What belongs here: the adapter. Whole workers as processes, and their deaths, are in `tests/cli/test_worker_engines.py`.
"""

import asyncio
import secrets
import signal
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

procrastinate = pytest.importorskip("procrastinate")
psycopg = pytest.importorskip("psycopg")

from engine_place import EnginePlace, engine_place, until  # noqa: E402
from postgres_server import Server, postgres_server  # noqa: E402
from tiktok_adapters.engines.calls import TASK, Call  # noqa: E402
from tiktok_adapters.engines.procrastinate import QUEUE, ProcrastinateEngine  # noqa: E402
from tiktok_core import StoreError  # noqa: E402

__all__ = ["postgres_server"]

FAR = datetime(2096, 5, 6, 7, 8, 9, 123456, UTC)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[EnginePlace]:
    """A place of its own."""
    with engine_place(tmp_path) as found:
        yield found


@pytest.fixture
def database(postgres_server: Server) -> Iterator[str]:
    """The URL of a database of its own, with Procrastinate's tables."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    app = blocking(postgres_server.url(name))
    with app.open():
        app.schema_manager.apply_schema()
    yield postgres_server.url(name)
    with psycopg.connect(postgres_server.url(), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def blocking(url: str) -> Any:
    """Return a blocking app."""
    return procrastinate.App(
        connector=procrastinate.SyncPsycopgConnector(conninfo=url, min_size=1, max_size=2, timeout=5)
    )


def awaited(url: str) -> Any:
    """Return an asynchronous app."""
    return procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=url, min_size=1, max_size=4, timeout=5))


def jobs(url: str, query: str = "SELECT status, scheduled_at, args, id FROM procrastinate_jobs ORDER BY id") -> Any:
    """Return the jobs in the database."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(query.encode())
        return cursor.fetchall() if cursor.description else []


def serving(place: EnginePlace, url: str, *, worker: bool = True, **options: Any) -> Callable[[], object]:
    """Return what runs a worker until the place's `stop` is set."""

    async def serve() -> None:
        app = awaited(url)
        async with app.open_async():
            engine = ProcrastinateEngine(app, place.worker if worker else None)
            await engine.run_worker_async(place.stop, **{"sweep_every": 0.2, **options})

    return lambda: asyncio.run(serve())


def test_a_post_that_was_entered_is_made_once_at_its_time(place: EnginePlace, database: str) -> None:
    """A program calls for what it entered, from threads or from coroutines. No job is left, and a held post is not called for."""
    app = blocking(database)
    engine = ProcrastinateEngine(app)
    with app.open():
        engine.call(place.entered("now"))
        engine.call(place.entered("held", held=True))
        timed = place.entered("timed", not_before=datetime.now(UTC) + timedelta(seconds=1.5))

        async def call() -> None:
            other = awaited(database)
            async with other.open_async():
                engine = ProcrastinateEngine(other)
                await engine.call_async(timed)
                await engine.call_async(place.account.post("held"))

        asyncio.run(call())
    assert [(args["key"], at) for _, at, args, _ in jobs(database)] == [
        ("now", place.account.post("now").due_at),
        ("timed", timed.due_at),
    ]
    with place.running(serving(place, database, sweep_every=1_000)):
        until(lambda: place.ended("now") and place.ended("timed") and not jobs(database))
    assert place.account.post("timed").init_at >= timed.due_at
    assert place.account.post("held").is_planned
    assert place.sim.count("inbox_init") == 2


def test_a_call_may_have_a_long_name(database: str) -> None:
    """The longest key of an account with a long name fits into the index over waiting jobs."""
    app, key = blocking(database), "🗝" * 200
    with app.open():
        ProcrastinateEngine(app).ring("-" * 500, key, FAR)
    [(_, at, args, _)] = jobs(database)
    assert (Call.read(**args), at) == (Call("-" * 500, key, FAR), FAR)


def test_a_post_has_one_waiting_job_and_that_is_the_newest(database: str) -> None:
    """The journal has one time. An earlier call is heard although a later one waits, and a second one of the same time is none."""
    app = blocking(database)
    engine = ProcrastinateEngine(app)
    with app.open():
        engine.ring("a", "k", FAR)
        engine.ring("a", "other", FAR)
        first = jobs(database)
        engine.ring("a", "k", FAR)
        assert jobs(database) == first
        engine.ring("a", "k", FAR - timedelta(days=1))
    assert [(args["key"], at) for _, at, args, _ in jobs(database)] == [
        ("other", FAR),
        ("k", FAR - timedelta(days=1)),
    ]


def test_the_sweeper_makes_what_is_not_called_for(place: EnginePlace, database: str) -> None:
    """Nobody made a call, or the table was emptied: posts are made in the order in which they are due."""
    for number in range(4):
        place.entered(f"key-{number}")
    with place.running(serving(place, database, concurrency=1)):
        until(lambda: all(place.ended(f"key-{number}") for number in range(4)))
    begun = [place.account.post(f"key-{number}").init_at for number in range(4)]
    assert begun == sorted(begun)
    assert place.sim.count("inbox_init") == 4


def test_jobs_of_the_dead_do_not_pile_up(place: EnginePlace, database: str) -> None:
    """A worker that was killed left a job that is under way. It is removed; jobs of others stay."""
    taken = f"INSERT INTO procrastinate_jobs (queue_name, task_name, status) VALUES ('{QUEUE}', '%s', 'doing')"
    jobs(database, taken % TASK)
    jobs(database, taken % "another.task")
    with place.running(serving(place, database)):
        until(lambda: len(jobs(database)) == 1)
    assert jobs(database, "SELECT task_name FROM procrastinate_jobs") == [("another.task",)]


def test_a_call_that_fails_is_logged_and_leaves_no_job(
    place: EnginePlace, database: str, monkeypatch: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The journal cannot be read for a while. The sweeper makes the call again, and not the engine."""
    troubles = [StoreError("Journal", "the disk has gone", "failed")] * 2
    find = type(place.worker)._found

    def at_times(worker: Any, *names: str) -> Any:
        if troubles:
            raise troubles.pop()
        return find(worker, *names)

    monkeypatch.setattr(type(place.worker), "_found", at_times)
    app = blocking(database)
    with app.open():
        ProcrastinateEngine(app).call(place.entered())
    with place.running(serving(place, database)):
        until(lambda: place.ended() and not jobs(database))
    assert "The call for post wish failed, and is made again: StoreError" in caplog.text
    assert place.sim.count("inbox_init") == 1


def test_a_call_that_comes_early_is_made_for_later(place: EnginePlace, database: str, monkeypatch: Any) -> None:
    """The database's clock is ahead of the worker's: the job is not fetched again at once, again and again."""
    behind = timedelta(seconds=1)
    monkeypatch.setattr(type(place.worker), "now", lambda worker: datetime.now(UTC) - behind)
    app = blocking(database)
    record = place.entered()
    at = record.created_at
    with app.open():
        ProcrastinateEngine(app).ring(record.account, record.key, at)
    with place.running(serving(place, database, sweep_every=1_000)):
        until(lambda: place.ended() and not jobs(database))
    calls = jobs(database, "SELECT last_value FROM procrastinate_jobs_id_seq")
    assert calls[0][0] <= 4


@pytest.mark.full
def test_a_worker_waits_for_its_database(
    place: EnginePlace, database: str, postgres_server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """It is down for a while: a call raises, the worker goes on when it is back, and nothing is posted twice."""
    app = blocking(database)
    with place.running(serving(place, database)):
        place.entered("before")
        until(lambda: place.ended("before"))
        postgres_server.stop(signal.SIGQUIT)
        record = place.entered("while")
        with pytest.raises(psycopg.OperationalError), app.open():
            ProcrastinateEngine(app).call(record)
        postgres_server.start()
        until(lambda: place.ended("while"))
    assert "is started again" in caplog.text
    assert place.sim.count("inbox_init") == 2


def test_a_program_that_only_makes_calls_is_no_worker(
    place: EnginePlace, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Its worker says so, and leaves the post to others."""
    with pytest.raises(ValueError, match="give it a worker"):
        serving(place, database, worker=False)()

    async def serve() -> None:
        app = awaited(database)
        async with app.open_async():
            engine = ProcrastinateEngine(app)
            await engine.call_async(place.entered())
            await app.run_worker_async(wait=False, install_signal_handlers=False)

    asyncio.run(serve())
    assert "came to a process that has no worker" in caplog.text
    assert not place.ended()


def test_a_program_runs_the_worker_itself(place: EnginePlace, database: str) -> None:
    """An app with other tasks, whose own worker runs them all: the calls of a post go on there, too."""
    place.sim.switches.processing_seconds = 8.0

    async def serve() -> None:
        app = awaited(database)
        async with app.open_async():
            engine = ProcrastinateEngine(app, place.worker)
            await engine.call_async(place.entered())
            while not place.stop.is_set():
                await app.run_worker_async(wait=False, install_signal_handlers=False)
                await asyncio.sleep(0.1)

    with place.running(lambda: asyncio.run(serve())):
        until(place.ended)
    assert place.sim.count("inbox_init") == 1
