"""Celery as the alarm clock, within a program: its messages at real brokers, and the settings that it refuses.

What belongs here: the adapter. Whole workers as processes, and their deaths, are in `tests/cli/test_worker_engines.py`.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

celery = pytest.importorskip("celery")

from broker_servers import Broker, rabbitmq_server, redis_server  # noqa: E402
from engine_place import EnginePlace, engine_place, until  # noqa: E402
from signed_in import signed_in  # noqa: E402
from tiktok_adapters import connect  # noqa: E402
from tiktok_adapters.engines.calls import TASK  # noqa: E402
from tiktok_adapters.engines.celery import LONGEST, CeleryEngine  # noqa: E402
from tiktok_adapters.simulator import SimulatedTikTok, Switches  # noqa: E402
from tiktok_core import InvalidSettings  # noqa: E402

__all__ = ["rabbitmq_server", "redis_server"]

APP = """
import celery
from tiktok_adapters import connect
from tiktok_adapters.clocks import SystemClock
from tiktok_adapters.engines.celery import CeleryEngine
from tiktok_adapters.engines.worker import Worker
import os

app = celery.Celery("program", broker=os.environ["BROKER"])
app.conf.update(worker_prefetch_multiplier=int(os.environ.get("PREFETCH", 1)), broker_connection_retry_on_startup=True)
engine = CeleryEngine(app, lambda: Worker(connect(), clock=SystemClock(), stop=engine.is_stopping, grace=1.0), sweep_every=0.5)
"""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[EnginePlace]:
    """A place of its own."""
    with engine_place(tmp_path) as found:
        yield found


@pytest.fixture(params=["redis_server", "rabbitmq_server"])
def broker(request: pytest.FixtureRequest) -> Broker:
    """Each broker."""
    found: Broker = request.getfixturevalue(request.param)
    return found


def app_of(url: str, **settings: Any) -> Any:
    """Return an app as a program would set it up."""
    app = celery.Celery("program", broker=url, set_as_current=False, fixups=[])
    usual = {"broker_connection_retry_on_startup": True, "worker_enable_remote_control": False}
    app.conf.update(
        {"worker_prefetch_multiplier": 1, "task_default_queue": f"q{time.monotonic_ns()}", **usual, **settings}
    )
    return app


def running(place: EnginePlace, engine: CeleryEngine, **options: Any) -> Any:
    """Run a worker in a thread."""
    return place.running(lambda: engine.run_worker(place.stop, **options))


def test_a_post_that_was_entered_is_made_once_at_its_time(place: EnginePlace, broker: Broker) -> None:
    """A program calls for what it entered. A held post is not called for. A broker may lose a call: the sweeper makes it again."""
    engine = CeleryEngine(app_of(broker.url()), lambda: place.worker, sweep_every=5)
    engine.call(place.entered("now"))
    engine.call(place.entered("held", held=True))
    timed = place.entered("timed", not_before=datetime.now(UTC) + timedelta(seconds=1.5))
    engine.call(timed)
    with running(place, engine):
        until(lambda: place.ended("now") and place.ended("timed"), why=place.account.posts)
    assert place.account.post("timed").init_at >= timed.due_at
    assert place.account.post("held").is_planned
    assert place.sim.count("inbox_init") == 2


def test_the_sweeper_makes_what_is_not_called_for(place: EnginePlace, redis_server: Broker) -> None:
    """Nobody made a call, or the queue was emptied: posts are made in the order in which they are due."""
    for number in range(4):
        place.entered(f"key-{number}")
    engine = CeleryEngine(app_of(redis_server.url()), lambda: place.worker, sweep_every=0.2)
    with running(place, engine, concurrency=1):
        until(lambda: all(place.ended(f"key-{number}") for number in range(4)))
    begun = [place.account.post(f"key-{number}").init_at for number in range(4)]
    assert begun == sorted(begun)
    assert place.sim.count("inbox_init") == 4


def test_no_message_waits_for_longer_than_brokers_take_it(place: EnginePlace, monkeypatch: Any) -> None:
    """A call of next week comes after five minutes, and is made again until its time."""
    sent: list[dict[str, Any]] = []
    engine = CeleryEngine(app_of("memory://"))
    monkeypatch.setattr(engine._task, "apply_async", lambda **how: sent.append(how))
    now = datetime.now(UTC)
    engine.ring("a", "k", now + timedelta(days=7))
    engine.ring("a", "k", now - timedelta(days=7))
    engine.call(place.entered(held=True))
    assert [one["countdown"] for one in sent] == [LONGEST, None]


@pytest.mark.parametrize(
    ("settings", "url", "sentence"),
    [
        ({"worker_prefetch_multiplier": 4}, "amqp://", "worker_prefetch_multiplier: is 4, .*: set it to 1"),
        ({"task_always_eager": True}, "amqp://", "task_always_eager: is True, .*: set it to False"),
        ({"accept_content": ["pickle"]}, "amqp://", "accept_content: has no 'json', .*: add it"),
        (
            {"task_annotations": {"*": {"acks_late": False}}},
            "amqp://",
            f"task_annotations: sets acks_late of {TASK} to False, .*: set it to True",
        ),
        (
            {"broker_transport_options": {"visibility_timeout": 600}},
            "redis://",
            "broker_transport_options: has a visibility_timeout of 600 s, .*: set it above 600",
        ),
    ],
)
def test_settings_that_lose_calls_are_refused(
    place: EnginePlace, settings: dict[str, Any], url: str, sentence: str
) -> None:
    """Before a worker starts: the sentence names the setting, and the value to set."""
    engine = CeleryEngine(app_of(url, **settings), lambda: place.worker)
    with pytest.raises(InvalidSettings, match=sentence):
        engine.run_worker(place.stop)


def test_settings_that_lose_nothing_are_none_of_ours(place: EnginePlace) -> None:
    """The usual visibility time-out is long enough, and RabbitMQ has none."""
    short = {"broker_transport_options": {"visibility_timeout": 1}}
    for app in (app_of("redis://"), app_of("redis://", broker_transport_options={"visibility_timeout": 601})):
        CeleryEngine(app, lambda: place.worker).check()
    CeleryEngine(app_of("amqp://", **short), lambda: place.worker).check()


def test_an_app_that_runs_its_tasks_at_once_takes_no_calls(place: EnginePlace) -> None:
    """The caller would post by itself, and wait."""
    with pytest.raises(InvalidSettings, match="task_always_eager"):
        CeleryEngine(app_of("memory://", task_always_eager=True)).call(place.entered())
    assert not place.ended()


def test_without_its_broker_a_call_raises(place: EnginePlace) -> None:
    """The post stays entered, and the sweeper makes the call later."""
    engine = CeleryEngine(app_of("redis://127.0.0.1:9/0"))
    with pytest.raises(Exception, match="refused"):
        engine.call(place.entered())


def test_a_program_that_only_makes_calls_is_no_worker(
    place: EnginePlace, redis_server: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    """Its worker says so, and leaves the post to others."""
    app = app_of(redis_server.url())
    engine = CeleryEngine(app)
    engine.call(place.entered())
    with place.running(lambda: CeleryEngine.run_worker(engine, place.stop)):
        until(lambda: "came to a process that has no worker" in caplog.text)
    assert not place.ended()


@pytest.mark.full
@pytest.mark.filterwarnings("ignore::celery.exceptions.CPendingDeprecationWarning")
def test_a_worker_waits_for_its_broker(place: EnginePlace, broker: Broker) -> None:
    """It is down for a while, and Redis has forgotten all then. The worker goes on when it is back, and posts nothing twice."""
    engine = CeleryEngine(app_of(broker.url()), lambda: place.worker, sweep_every=0.5)
    with running(place, engine):
        place.entered("before")
        until(lambda: place.ended("before"))
        broker.stop()
        place.entered("while")
        broker.start()
        until(lambda: place.ended("while"))
    assert place.sim.count("inbox_init") == 2


# --- celery worker, as a program starts it ---------------------------------------------------------------------------


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Start `celery worker` for an app of a program; the fixture ends it and its children."""
    started: list[subprocess.Popen[str]] = []
    (tmp_path / "program.py").write_text(APP)

    def start(environ: dict[str, str], *options: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "celery", "-A", "program", "worker", *options]
        process = subprocess.Popen(
            command,
            cwd=tmp_path,
            env={**os.environ, **environ, "C_FORCE_ROOT": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.mark.full
@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
def test_the_workers_of_an_app_go_on_with_posts(
    program: Callable[..., Any], redis_server: Broker, tmp_path: Path, pool: str
) -> None:
    """Each pool: posts that nobody called for are found and made, and a signal ends the worker with what is under way."""
    film = tmp_path / "film.mp4"
    film.write_bytes(b"\0\0\0\x18ftypisom" + bytes(20_000_000))
    sim = SimulatedTikTok(switches=Switches(processing_seconds=0.0))
    with signed_in(sim, tmp_path / "home") as settings, connect(environ=settings) as tiktok:
        account = tiktok.account()
        for number in range(3):
            account.enter_video(film, draft=True, key=f"key-{number}", chunk_size=5_242_880)
        worker = program({**settings, "BROKER": redis_server.url()}, "--pool", pool, "--concurrency", "2", "-l", "INFO")
        until(lambda: worker.poll() is None and all(one.is_ended for one in account.posts()), why=worker.poll)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(60) == 0
        assert sim.count("inbox_init") == 3
        assert all(post.bytes_received == film.stat().st_size for post in sim.posts)


@pytest.mark.full
def test_the_workers_of_an_app_do_not_start_with_settings_that_lose_calls(
    program: Callable[..., Any], redis_server: Broker, tmp_path: Path
) -> None:
    """The sentence is the last thing that they say."""
    worker = program({"BROKER": redis_server.url(), "PREFETCH": "4", "TIKTOK_HOME": str(tmp_path)})
    said, _ = worker.communicate(timeout=60)
    assert worker.returncode != 0
    assert said.splitlines()[-1].startswith("tiktok: worker_prefetch_multiplier: is 4")
