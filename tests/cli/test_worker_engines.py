"""`tiktok worker --engine`: whole workers of an engine over a home folder and a real server, their deaths, and their refusals.

What belongs here: processes of the command line. What an adapter does within a program is in `tests/adapters`.
"""

import hashlib
import secrets
import signal
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("procrastinate")
pytest.importorskip("celery")

from broker_servers import BROKER_PASSWORD, rabbitmq_server, redis_server
from clips import HEAD
from engine_servers import Engine, engine, sql
from postgres_server import postgres_server
from processes import seen
from tiktok_adapters.assembly import load_settings
from tiktok_adapters.cli.engines import engine as chosen
from tiktok_adapters.clocks import SystemClock
from tiktok_adapters.simulator import SimulatedTikTok, parse_fault
from tiktok_core import InvalidSettings

__all__ = ["engine", "postgres_server", "rabbitmq_server", "redis_server"]

Start = Callable[..., "subprocess.Popen[str]"]
CHUNK = 5_242_880


@pytest.fixture
def long_film(film: Path) -> Path:
    """A video of 12 chunks, of which no two are alike."""
    film.write_bytes(HEAD + hashlib.shake_128(b"film").digest(12 * CHUNK - len(HEAD)))
    return film


def test_another_worker_goes_on_after_a_kill(
    process: Start, sim: SimulatedTikTok, opened: Any, long_film: Path, engine: Engine
) -> None:
    """`kill -9` in the midst of a chunk: another one finds the post, and TikTok gets it once, with the bytes of the file."""
    opened.account().enter_video(long_film, draft=True, key="long", chunk_size=CHUNK)
    sim.faults.add(parse_fault("putx500=slow:0.3"))
    workers = [process(*engine.arguments(), env=engine.environ())]
    seen(lambda: sim.count("put") >= 2, *workers)
    workers.append(process(*engine.arguments(), env=engine.environ()))
    workers.pop(0).kill()
    sent = sim.count("put")
    seen(lambda: sim.count("put") > sent + 1, *workers)
    sim.faults.clear()
    seen(lambda: opened.account().post("long").is_ended, *workers)
    (post,) = sim.posts
    assert post.sha256 == hashlib.sha256(long_film.read_bytes()).hexdigest()
    assert sim.count("inbox_init") == 1


def test_what_a_queue_loses_is_found(
    process: Start, sim: SimulatedTikTok, opened: Any, film: Path, engine: Engine
) -> None:
    """All calls were made and then lost with their queue. What is held is left alone, and what is timed is never early."""
    account, now = opened.account(), SystemClock().now()
    for number in range(3):
        account.enter_video(film, draft=True, key=f"key-{number}")
    account.enter_video(film, draft=True, key="held", held=True)
    timed = account.enter_video(film, draft=True, key="timed", not_before=now + timedelta(seconds=5))
    calls = engine.calls(sim.app.client_key)
    for record in (*opened.due_posts(), timed):
        calls.call(record)
    assert engine.emptied() > 0
    worker = process(*engine.arguments(), "--jobs", "1", env=engine.environ())
    seen(lambda: all(record.is_ended for record in account.posts() if record.key != "held"), worker)
    begun = {record.key: record.init_at for record in account.posts()}
    assert begun["key-0"] < begun["key-1"] < begun["key-2"] < begun["timed"]
    assert begun["timed"] >= timed.due_at
    assert begun["held"] is None
    assert sim.count("inbox_init") == 4


def test_the_server_of_the_queue_is_restarted(
    process: Start, sim: SimulatedTikTok, opened: Any, long_film: Path, engine: Engine
) -> None:
    """In the midst of an upload. That goes on, what is entered meanwhile is made, and each is made once."""
    account = opened.account()
    account.enter_video(long_film, draft=True, key="long", chunk_size=CHUNK)
    sim.faults.add(parse_fault("putx500=slow:0.3"))
    worker = process(*engine.arguments(), env=engine.environ())
    seen(lambda: sim.count("put") >= 2, worker)
    engine.server.stop()
    account.enter_video(long_film, draft=True, key="while", chunk_size=CHUNK)
    engine.server.start()
    seen(lambda: all(record.is_ended for record in account.posts()), worker)
    assert sim.count("inbox_init") == 2
    assert {post.bytes_received for post in sim.posts} == {12 * CHUNK}


@pytest.mark.parametrize("times", [1, 2])
def test_a_signal_ends_it_after_the_chunk_and_a_second_one_at_once(
    process: Start, sim: SimulatedTikTok, opened: Any, long_film: Path, engine: Engine, *, times: int
) -> None:
    """The chunk that is under way is stored, no other is begun, and the next worker goes on from there."""
    account = opened.account()
    account.enter_video(long_film, draft=True, key="long", chunk_size=CHUNK)
    sim.faults.add(parse_fault(f"putx500=slow:{0.3 if times == 1 else 30}"))
    worker = process(*engine.arguments(), env=engine.environ())
    seen(lambda: sim.count("put") >= (2 if times == 1 else 1), worker)
    worker.send_signal(signal.SIGTERM)
    if times == 2:
        assert worker.stderr is not None
        while "SIGTERM: ending" not in worker.stderr.readline():
            pass
        worker.send_signal(signal.SIGTERM)
    _, said = worker.communicate(timeout=60)
    assert worker.returncode == (0 if times == 1 else -signal.SIGTERM), said
    record, sent = account.post("long"), sim.count("put")
    if times == 1:
        assert record.offset == sent * CHUNK < long_film.stat().st_size
    sim.faults.clear()
    other = process(*engine.arguments(), env=engine.environ())
    seen(lambda: account.post("long").is_ended, other)
    assert sim.count("inbox_init") == 1


def test_nothing_shows_the_password(
    process: Start, sim: SimulatedTikTok, opened: Any, film: Path, engine: Engine
) -> None:
    """Not the most verbose log of the engine and its libraries, which every test's output is searched for, nor the list of processes."""
    opened.account().enter_video(film, draft=True, key="wish")
    worker = process(*engine.arguments(), env={**engine.environ(), "TIKTOK_LOG": "DEBUG"})
    seen(lambda: opened.account().post("wish").is_ended, worker)
    if Path("/proc/self/cmdline").exists():
        assert b"canary" not in Path(f"/proc/{worker.pid}/cmdline").read_bytes()
    worker.send_signal(signal.SIGTERM)
    _, said = worker.communicate(timeout=60)
    assert "DEBUG" in said


# --- What is refused -------------------------------------------------------------------------------------------------


def refused(cli: Any, name: str, url: str) -> str:
    """Return the sentence with which a worker is refused."""
    done = cli("worker", "--engine", name, env={"TIKTOK_ENGINE_URL": url})
    assert (done.exit_code, done.stdout) == (2, ""), done.output
    assert done.stderr.count("\n") == 1, done.stderr
    return str(done.stderr.strip())


@pytest.mark.parametrize("name", ["procrastinate", "celery"])
@pytest.mark.parametrize(
    ("leads", "sentence"),
    [
        ("", "engine_url: is missing: set TIKTOK_ENGINE_URL, or engine_url in "),
        ("sqs://canary-of-a-url@host", "begins with 'sqs', but this engine needs "),
        ("canary-of-a-url", "begins with 'no scheme', but this engine needs "),
        ("amqp:///canary-of-a-url", "names no host: it should look like "),
        ("redis:///canary-of-a-url", "names no host: it should look like "),
        ("redis://host:canary-of-a-url", "is no URL: it should look like "),
    ],
)
def test_a_url_that_leads_nowhere_is_refused(cli: Any, name: str, leads: str, sentence: str) -> None:
    """One sentence names the setting, shows how it looks, and quotes nothing of it."""
    said = refused(cli, name, leads)
    assert said.startswith("tiktok: engine_url: ")
    scheme = leads.partition(":")[0]
    assert sentence in said or f"begins with '{scheme}', but this engine needs " in said
    assert ("postgresql://" if name == "procrastinate" else "amqp://") in said


@pytest.mark.parametrize(
    ("name", "leads", "sentence"),
    [
        ("procrastinate", "postgresql://me:canary-of-a-url@127.0.0.1:9/db", "leads to no database at 127.0.0.1:9: "),
        ("procrastinate", "postgresql://me:%zzcanary-of-a-url@127.0.0.1:9/db", "is no URL that PostgreSQL understands"),
        ("celery", "amqp://me:canary-of-a-url@127.0.0.1:9//", "leads to no broker at 127.0.0.1:9: "),
        ("celery", "redis://:canary-of-a-url@127.0.0.1:9/0", "leads to no broker at 127.0.0.1:9: "),
    ],
)
def test_a_server_that_does_not_answer_is_named(cli: Any, name: str, leads: str, sentence: str) -> None:
    """By its host and port, with the reason, and the place of the setting."""
    said = refused(cli, name, leads)
    assert sentence in said
    assert said.endswith("(it comes from TIKTOK_ENGINE_URL)")


def test_the_database_of_the_stores_has_the_calls_too() -> None:
    """Procrastinate's worker looks for it there unless `engine_url` names another."""
    env = {"TIKTOK_STORE_URL": "postgresql://me:canary-of-a-url@127.0.0.1:9/db"}
    with pytest.raises(InvalidSettings, match=r"leads to no database at 127\.0\.0\.1:9"):
        chosen("procrastinate", load_settings({}, {**env, "TIKTOK_HOME": "/nowhere"}))


def test_a_wrong_password_is_one_sentence(cli: Any, engine: Engine, postgres_server: Any) -> None:
    """It does not show the password."""
    if engine.name == "procrastinate":
        sql(
            engine.server.url(),
            f"DROP ROLE IF EXISTS locked; CREATE ROLE locked LOGIN PASSWORD '{secrets.token_hex(8)}'",
        )
        url = engine.server.url(user="locked", password="canary-of-a-wrong-password")
    else:
        url = engine.server.url().replace(BROKER_PASSWORD, "canary-of-a-wrong-password")
    assert "leads to no " in refused(cli, engine.name, url)


def test_an_empty_database_gets_its_tables(
    cli: Any, process: Start, opened: Any, film: Path, postgres_server: Any
) -> None:
    """By the first of several workers. A database whose tables are of another release is refused, as is a user who may make none."""
    name, url = f"test_{secrets.token_hex(6)}", postgres_server.url()
    sql(url, f"CREATE DATABASE {name}")
    own = postgres_server.url(name)
    opened.account().enter_video(film, draft=True, key="wish")
    workers = [process("worker", "--engine", "procrastinate", env={"TIKTOK_ENGINE_URL": own}) for _ in range(3)]
    seen(lambda: opened.account().post("wish").is_ended, *workers)
    for worker in workers:
        worker.kill()
        worker.wait()
    sql(own, "DROP TABLE procrastinate_periodic_defers, procrastinate_events, procrastinate_jobs CASCADE")
    sql(own, "CREATE TABLE procrastinate_jobs (id int)")
    assert "whose tables are of another release" in refused(cli, "procrastinate", own)
    sql(own, "DROP TABLE procrastinate_jobs; DROP ROLE IF EXISTS guest; CREATE ROLE guest LOGIN")
    sql(own, "DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO guest")
    said = refused(cli, "procrastinate", postgres_server.url(name, user="guest"))
    assert "tables cannot be made: permission denied" in said
    sql(url, f"DROP DATABASE {name} WITH (FORCE)")


def test_an_engine_does_not_end_when_nothing_is_due(cli: Any) -> None:
    """`--once` is a usage error with it."""
    done = cli("worker", "--engine", "celery", "--once")
    assert done.exit_code == 2
    assert "--once is for a worker without an engine" in done.stderr
