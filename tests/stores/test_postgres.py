"""What the stores in PostgreSQL promise beyond the contracts of their ports, in both worlds.

What belongs here: encryption, indexes, closing, and the clock. `test_postgres_faults.py` has what happens if the server fails.
"""

import asyncio
import ctypes
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import evolve
from cryptography.fernet import Fernet

from clips import CLIP
from crash_report import Watch, shown
from postgres_place import KEYS, Place, World
from postgres_server import PASSWORD, free_port
from stored import NEWER, NOW, RECORD, TOKENS
from tiktok_adapters.simulator import DEFAULT_CLIENT_KEY, SimulatedTikTok
from tiktok_adapters.stores.postgres import PostgresStores, pools, sql
from tiktok_adapters.stores.postgres.clock import EVERY, AsyncPostgresClock, PostgresClock, Reading
from tiktok_adapters.transports.fake import FakeTransport
from tiktok_core import App, AsyncTikTok, TikTok
from tiktok_core.domain.journal import Stage
from tiktok_core.errors import InvalidSettings, StoreError
from tiktok_core.lifting import lift_transport
from tiktok_core.wire.records import dump_record

NAME = RECORD.name
ENDED = evolve(RECORD, stage=Stage.COMPLETE, upload_url=None)
OTHER_KEY = Fernet.generate_key().decode()


# --- Encryption ------------------------------------------------------------------------------------------------------


def everything(place: Place) -> str:
    """Return all that lies in the tables."""
    tables = place.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", place.schema)
    rows = [row for (table,) in tables for row in place.execute(f"SELECT * FROM {{s}}.{table}")]
    return " ".join(
        bytes(value).decode("latin-1") if isinstance(value, bytes) else str(value) for row in rows for value in row
    )


@pytest.mark.parametrize("keys", [(), KEYS], ids=["plain", "sealed"])
def test_with_keys_no_secret_lies_in_the_tables(world: World, keys: Any) -> None:
    """Tokens and upload URLs lie there in plain text without keys only."""
    stores = world.stores(keys=keys)
    world.run(stores.tokens().save("me", TOKENS))
    world.run(stores.journal().save(RECORD, fence=None))
    assert ("canary" in everything(world.place)) is not bool(keys)
    assert ("title" in everything(world.place)) is not bool(keys)


@pytest.mark.parametrize("keys", [(), [OTHER_KEY]], ids=["no key", "another key"])
def test_without_its_key_a_record_is_told_and_kept(world: World, keys: Any) -> None:
    """Tokens and records are errors of kind `key`. The journal lists such records, and nothing is overwritten by a sign-in."""
    sealed = world.stores(keys=KEYS)
    world.run(sealed.tokens().save("me", TOKENS))
    world.run(sealed.journal().save(ENDED, fence=None))
    stores = world.stores(keys=keys)
    journal = stores.journal()
    error = world.fails(lambda: journal.load(NAME))
    assert (error.kind, "give the key" in str(error)) == ("key", True)
    assert world.run(journal.records()) == ()
    assert world.run(journal.unreadable()) == (NAME,)
    assert world.run(journal.unreadable("other\n")) == ()
    tokens = stores.tokens()
    assert world.fails(lambda: tokens.load("me")).kind == "key"
    assert world.fails(lambda: tokens.save("me", NEWER)).kind == "key"
    assert world.run(sealed.journal().load(NAME)) == ENDED
    assert world.run(sealed.journal().unreadable()) == ()
    # Whoever says so may remove it. The trace does not know how it ended.
    world.run(journal.forget(NOW + timedelta(days=1000), keep=timedelta(0)))
    world.run(journal.forget(NOW + timedelta(days=1002), keep=timedelta(0)))
    assert world.run(journal.unreadable()) == (NAME,)
    assert world.run(journal.remove(NAME)) is True
    assert world.run(journal.trace(NAME)).end is None


def test_an_old_key_still_opens_and_a_save_uses_the_new_one(world: World) -> None:
    """A key is replaced by putting a new one before it."""
    world.run(world.stores(keys=KEYS).journal().save(RECORD, fence=None))
    both = world.stores(keys=[OTHER_KEY, *KEYS]).journal()
    assert world.run(both.load(NAME)) == RECORD
    assert world.run(both.unreadable()) == ()
    assert world.run(both.replace(ENDED, seen=RECORD)) is True
    assert world.run(world.stores(keys=[OTHER_KEY]).journal().load(NAME)) == ENDED


def test_what_was_saved_before_there_was_a_key_is_read(world: World) -> None:
    """A plain journal gets encrypted record by record."""
    world.run(world.stores().journal().save(RECORD, fence=None))
    sealed = world.stores(keys=KEYS).journal()
    assert world.run(sealed.records()) == (RECORD,)
    assert world.run(sealed.replace(ENDED, seen=RECORD)) is True
    assert "title" not in everything(world.place)


def test_a_record_that_was_moved_under_another_name_is_damaged(world: World) -> None:
    """Whoever can write to the table cannot pass a post off as another one, encrypted or not."""
    for keys in ((), KEYS):
        journal = world.stores(keys=keys).journal()
        for key in ("one", "two"):
            world.run(journal.save(evolve(RECORD, key=key), fence=None))
        world.place.execute(
            "UPDATE {s}.records SET (digest, document) = (SELECT digest, document FROM {s}.records WHERE name LIKE %s)",
            b"%one",
        )
        error = world.fails(lambda journal=journal: journal.load(evolve(RECORD, key="two").name))
        assert error.kind == "damaged"
        assert world.run(journal.load(evolve(RECORD, key="one").name)) == evolve(RECORD, key="one")


# --- What cannot be read ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "kind"), [(b'{"version": 99}', "version"), (b'{"version": 2, "upload_url": "canary', "damaged")]
)
def test_a_record_that_cannot_be_read_is_told_and_kept(world: World, document: bytes, kind: str) -> None:
    """The error names the post and says what to do. The record is listed, its neighbour is read, and it can be removed."""
    journal = world.stores().journal()
    world.run(journal.save(RECORD, fence=None))
    world.run(journal.save(evolve(ENDED, key="beside"), fence=None))
    if kind == "version":
        # A newer release writes what it takes to read a record.
        world.place.execute(
            "UPDATE {s}.records SET format = '99', digest = sha256(%s), document = %s WHERE name = %s",
            document,
            document,
            NAME.encode(),
        )
    else:
        world.place.execute("UPDATE {s}.records SET document = %s WHERE name = %s", document, NAME.encode())
    error = world.fails(lambda: journal.load(NAME))
    assert error.kind == kind
    assert "post 'key' of account 'me'" in str(error)
    assert "canary" not in str(error)
    assert world.run(journal.unreadable()) == world.run(journal.unreadable("app\nme\n")) == (NAME,)
    assert world.run(journal.unreadable("app\nyou\n")) == ()
    assert [record.key for record in world.run(journal.records())] == ["beside"]
    assert world.fails(lambda: journal.replace(ENDED, seen=RECORD)).kind == kind
    assert world.run(journal.remove(NAME)) is True
    assert world.run(journal.trace(NAME)).end is None


def test_a_record_in_other_words_is_replaced(world: World) -> None:
    """Another release may have written the same record in another spelling. `replace` compares values."""
    journal = world.stores().journal()
    world.run(journal.save(RECORD, fence=None))
    spelled = json.dumps(json.loads(dump_record(RECORD)), indent=1).encode()
    world.place.execute("UPDATE {s}.records SET document = %s, digest = sha256(%s)", spelled, spelled)
    assert world.run(journal.replace(ENDED, seen=evolve(RECORD, offset=1))) is False
    assert world.run(journal.replace(ENDED, seen=RECORD)) is True
    assert world.run(journal.load(NAME)) == ENDED


def test_a_damaged_trace_still_proves_that_there_was_a_post(world: World) -> None:
    """A trace that cannot be read has no end, and no other end takes its place but one that says more."""
    journal = world.stores().journal()
    world.run(journal.save(evolve(ENDED, stage=Stage.ABANDONED), fence=None))
    world.run(journal.remove(NAME))
    world.place.execute("UPDATE {s}.traces SET document = 'garbage'")
    assert world.run(journal.trace(NAME)).end is None
    world.run(journal.save(evolve(ENDED, stage=Stage.ABANDONED), fence=None))
    assert world.run(journal.remove(NAME)) is True
    assert world.run(journal.trace(NAME)).end is None


def test_tokens_that_are_too_large_are_not_saved(world: World) -> None:
    """A store keeps nothing that it would not read."""
    tokens = world.stores().tokens()
    error = world.fails(lambda: tokens.save("me", evolve(TOKENS, open_id="x" * 2**23)))
    assert error.kind == "full"
    assert world.run(tokens.accounts()) == ()


def test_two_sign_ins_at_once_leave_one_of_them(world: World) -> None:
    """Each of many sign-ins at the same time gets a generation, and the last one's tokens stay."""
    tokens = world.stores().tokens()
    several = [evolve(TOKENS, open_id=str(number)) for number in range(12)]
    saved = world.at_once([lambda one=one: tokens.save("me", one) for one in several])
    assert len(set(saved)) == 12
    assert world.run(tokens.load("me")) == several[saved.index(max(saved))]
    assert world.run(tokens.load("me")).generation == max(saved)


# --- Indexes ---------------------------------------------------------------------------------------------------------

RANGE = {"under": b"app\nme7\n", "first": b"app\nme7\n", "beyond": b"app\nme7\x0b"}
EARLY, LATE = 1_000, 10_000_000
QUERIES = {
    "a record": (sql.LOAD_RECORD, {"id": b"\0" * 32}, {}),
    "all of an account": (sql.RECORDS, RANGE | {"since": None, "until": None}, {"name": 50}),
    "an account's since": (sql.RECORDS, RANGE | {"since": LATE, "until": None}, {"name": 0}),
    "an account's until": (sql.RECORDS, RANGE | {"since": None, "until": EARLY}, {"name": 0}),
    "unfinished of an account": (sql.UNFINISHED, RANGE, {}),
    "due of an account": (sql.DUE, RANGE | {"due": EARLY}, {}),
    "due of all": (sql.DUE, {"under": b"", "first": b"", "beyond": None, "due": EARLY}, {}),
    "of a post": (sql.OF_POST, {"under": b"", "first": b"", "beyond": None, "post": b"post 17"}, {}),
    "unreadable": (sql.UNREADABLE, RANGE | {"readable": [b"2", b"3"]}, {}),
    "what is old": (sql.ENDED, {"before": EARLY, "updated": -(2**63), "after": b""}, {}),
}
FILL = """
INSERT INTO {s}.records (id, name, created, updated, ended, due, post, format, digest, document)
SELECT sha256(number::text::bytea), convert_to(E'app\\nme' || number % 200 || E'\\nkey ' || number, 'UTF8'),
    number + 2000, number + 3000, number % 100 <> 0, CASE WHEN number % 500 = 0 THEN number END,
    convert_to('post ' || number, 'UTF8'), '2', sha256('document'), 'document'
FROM generate_series(1, 10000) AS number
"""


def nodes(plan: dict[str, Any]) -> Any:
    """Yield each step of a plan."""
    yield plan
    for inner in plan.get("Plans", ()):
        yield from nodes(inner)


@pytest.mark.parametrize("query", QUERIES)
def test_no_call_reads_records_that_it_does_not_return(place: Place, query: str) -> None:
    """Of 10,000 records, each question reads those that it returns, by an index, and throws none away."""
    with place.stores() as stores:
        stores.journal().close()
        place.execute(FILL)
        place.execute("ANALYZE {s}.records")
        statement, values, _ = QUERIES[query]
        explained = f"EXPLAIN (ANALYZE, FORMAT JSON) {statement.replace('{s}', place.schema)}"
        ((found,),) = place.execute_named(explained, values)
    steps = [step for step in nodes(found[0]["Plan"]) if step.get("Relation Name") == "records"]
    assert steps or query == "unreadable"
    assert [step["Node Type"] for step in steps if step["Node Type"] == "Seq Scan"] == []
    assert (
        sum(step.get("Rows Removed by Filter", 0) + step.get("Rows Removed by Index Recheck", 0) for step in steps) == 0
    )


# --- Closing and sharing ---------------------------------------------------------------------------------------------


def marked(place: Place) -> str:
    """Return a URL whose connections can be told from others."""
    return f"{place.server.url()}?application_name={place.schema}"


def connections(place: Place) -> int:
    """Return how many of these connections the server has."""
    ((count,),) = place.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = %s", place.schema)
    return int(count)


def test_the_last_adapter_closes_the_connections(world: World) -> None:
    """A client closes the adapters that it was given. When all are closed, no connection stays, and none is opened again."""
    stores = world.stores(url=marked(world.place))
    adapters = [stores.tokens(), stores.journal(), stores.pacer()]
    for adapter in adapters:
        world.run(adapters[0].accounts() if adapter is adapters[0] else adapter.close())
    assert connections(world.place) == 1
    world.run(adapters[0].close())
    _soon(lambda: connections(world.place) == 0)
    assert world.fails(adapters[0].accounts).kind == "closed"
    with pytest.raises(StoreError, match="it is closed"):
        stores.tokens()


def _soon(is_so: Any) -> None:
    end = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_call_that_is_under_way_while_the_stores_are_closed_leaves_no_connection(world: World) -> None:
    """The call is made to its end, and its connection is closed then."""
    stores = world.stores(url=marked(world.place))
    tokens = stores.tokens()
    seen = world.run(tokens.save("me", TOKENS))
    blocker = world.place.transaction()
    blocker.execute(f"SELECT FROM {world.place.schema}.tokens FOR UPDATE")

    def is_waiting() -> bool:
        return world.place.execute("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'") != []

    def close() -> Any:
        if not world.is_blocking:
            return closing_later()
        _soon(is_waiting)
        stores.close()
        return blocker.rollback()

    async def closing_later() -> None:
        while not is_waiting():  # noqa: ASYNC110 - the server knows
            await asyncio.sleep(0.001)
        await stores.close()
        blocker.rollback()

    generation, _ = world.at_once([lambda: tokens.save("me", NEWER, seen=seen), close])
    blocker.close()
    assert generation > seen
    _soon(lambda: connections(world.place) == 0)


def test_stores_in_a_with_statement_outlast_their_adapters(world: World) -> None:
    """Clients come and go, and the connections stay for the next one."""
    stores = world.stores()
    world.run(stores.__aenter__() if not world.is_blocking else stores.__enter__())
    for _ in range(3):
        tokens = stores.tokens()
        world.run(tokens.save("me", TOKENS))
        world.run(tokens.close())
        assert world.fails(lambda tokens=tokens: tokens.load("me")).kind == "closed"
    journal = stores.journal()
    world.run(stores.__aexit__(None, None, None) if not world.is_blocking else stores.__exit__(None, None, None))
    assert world.fails(journal.records).kind == "closed"
    world.run(stores.close())


def test_stores_are_not_pickled_and_show_their_place(world: World) -> None:
    """A repr has host and database, and no password."""
    stores = world.stores(url=world.place.server.url(password=PASSWORD))
    for one in (stores, stores.tokens(), stores.journal(), stores.pacer()):
        assert f"PostgreSQL 127.0.0.1:{world.place.server.port}/postgres" in repr(one)
        assert PASSWORD not in repr(one)
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(one)


def test_a_second_event_loop_is_told(place: Place) -> None:
    """Connections of one event loop do not work in another one."""
    stores = place.stores_async()
    tokens = stores.tokens()

    async def other_loop() -> None:
        with pytest.raises(StoreError, match="another process or event loop opened it"):
            await asyncio.to_thread(asyncio.run, tokens.accounts())
        await stores.close()

    async def first() -> None:
        await tokens.accounts()
        await other_loop()

    asyncio.run(first())


def test_another_process_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a process with another id, every call is an error that says what to do. Closing does nothing there."""
    stores = world.stores()
    tokens = stores.tokens()
    world.run(tokens.save("me", TOKENS))
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: -1)
        error = world.fails(lambda: tokens.load("me"))
        world.run(stores.close())
    assert (error.kind, "open it again in each" in str(error)) == ("closed", True)
    assert world.run(tokens.load("me")) == TOKENS


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_is_told_and_leaves_the_connections_alone(place: Place) -> None:
    """The child's calls are errors, and after its end the parent goes on over the same connection."""
    with place.stores(url=marked(place)) as stores:
        tokens = stores.tokens()
        tokens.save("me", TOKENS)
        child = os.fork()
        if child == 0:
            said = 1
            try:
                tokens.load("me")
            except StoreError as error:
                said = 0 if error.kind == "closed" else 2
            stores.close()
            os._exit(said)
        assert os.waitpid(child, 0)[1] == 0
        assert tokens.load("me") == TOKENS
        assert connections(place) == 1


def test_a_cancelled_call_gives_its_connection_back(place: Place) -> None:
    """The only connection is free for the next call, which finds nothing of the cancelled one."""

    async def story() -> None:
        async with place.stores_async(connections=1) as stores:
            tokens = stores.tokens()
            seen = await tokens.save("me", TOKENS)
            blocker = place.transaction()
            blocker.execute(f"SELECT FROM {place.schema}.tokens FOR UPDATE")
            late = asyncio.create_task(tokens.save("me", NEWER, seen=seen))
            waiting = asyncio.create_task(tokens.load("me"))
            while place.execute("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'") == []:  # noqa: ASYNC110 - the server knows
                await asyncio.sleep(0.001)
            late.cancel()
            with pytest.raises(asyncio.CancelledError):
                await late
            assert await waiting == TOKENS
            blocker.rollback()
            blocker.close()
            assert (await tokens.load("me")).generation == seen

    asyncio.run(story())


class Gone(BaseException):
    """What interrupts a thread: Ctrl-C, or the time limit of a task queue."""


def test_an_interrupted_call_that_waits_loses_no_connection(place: Place) -> None:
    """The only connection comes back while a thread waits for it that is interrupted. The next call gets it."""
    with place.stores(connections=1) as stores:
        tokens = stores.tokens()
        seen = tokens.save("me", TOKENS)
        blocker = place.transaction()
        blocker.execute(f"SELECT FROM {place.schema}.tokens FOR UPDATE")
        ended: list[str] = []

        def wait() -> None:
            try:
                tokens.load("me")
            except Gone:
                ended.append("interrupted")

        first = threading.Thread(target=tokens.save, args=("me", NEWER), kwargs={"seen": seen})
        second = threading.Thread(target=wait)
        first.start()
        _soon(lambda: place.execute("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'") != [])
        second.start()
        _soon(lambda: sys._current_frames()[second.ident].f_code.co_qualname == "Condition.wait")
        # It is raised as soon as the thread runs Python again, which is when the connection comes back.
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(second.ident), ctypes.py_object(Gone))
        blocker.rollback()
        blocker.close()
        first.join()
        second.join()
        assert ended == ["interrupted"]
        assert tokens.load("me") == NEWER


FORGETFUL = """
import asyncio, sys
from tiktok_adapters.stores.postgres import AsyncPostgresStores, PostgresStores
stores = {"blocking": PostgresStores, "awaited": AsyncPostgresStores}[sys.argv[1]](sys.argv[2], schema=sys.argv[3])
found = stores.tokens().accounts()
print(found if isinstance(found, tuple) else asyncio.run(found))
"""


def test_a_program_that_closes_nothing_ends_and_says_nothing(world: World) -> None:
    """No thread or task of the pool keeps it from ending."""
    kind = "blocking" if world.is_blocking else "awaited"
    command = [sys.executable, "-c", FORGETFUL, kind, world.place.server.url(), world.place.schema]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"()\n", b"")


def test_no_local_variable_shows_what_is_stored(place: Place) -> None:
    """While the stores work, none of their frames has a token, an upload URL, a key or the password of the URL."""
    secret = ("act.canary", "rft.canary", "upload_token=canary", KEYS[0], PASSWORD)
    with Watch() as watch:
        for keys in ((), KEYS):
            url = place.server.url(password=PASSWORD)
            with place.stores(keys=keys, url=url, schema=f"{place.schema}_{len(keys)}") as stores:
                tokens, journal = stores.tokens(), stores.journal()
                seen = tokens.save("me", TOKENS)
                tokens.save("me", TOKENS, seen=seen)
                tokens.load("me")
                journal.save(RECORD, fence=None)
                journal.replace(evolve(RECORD, offset=1), seen=RECORD)
                journal.records()
                journal.load(NAME)
    for keys in ((), KEYS):
        place.execute(f"DROP SCHEMA {place.schema}_{len(keys)} CASCADE")
    assert watch.frames
    assert watch.leaks(secret) == []


# --- Opening ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "options", "field"),
    [
        (f"mysql://me:{PASSWORD}@localhost/db", {}, "store_url"),
        (f"postgresql://me:{PASSWORD}%zz@localhost/db", {}, "store_url"),
        (f"postgresql://me:{PASSWORD}@localhost/db?nothing=1", {}, "store_url"),
        ("", {}, "store_url"),
        ("postgresql://localhost/db", {"schema": "Robert'); DROP TABLE"}, "schema"),
        ("postgresql://localhost/db", {"schema": ""}, "schema"),
        ("postgresql://localhost/db", {"connections": 0}, "connections"),
        ("postgresql://localhost/db", {"keys": ["short"]}, "store_key"),
    ],
)
@pytest.mark.usefixtures("postgres_server")
def test_what_cannot_be_used_is_refused_before_anything_is_connected(url: str, options: Any, field: str) -> None:
    """The error names the field, and shows nothing of the password."""
    with pytest.raises(InvalidSettings) as caught:
        PostgresStores(url, **options)
    assert [problem.field for problem in caught.value.problems] == [field]
    assert PASSWORD not in f"{caught.value!r} {caught.value}"
    assert shown(caught.value, [PASSWORD]) == []


@pytest.mark.usefixtures("postgres_server")
def test_without_psycopg_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stores can be imported without it."""
    for missing, error, said in (
        ("psycopg", ImportError, r"stores in PostgreSQL need psycopg and libpq: pip install 'tiktok-open\[postgres\]'"),
        ("tiktok_adapters.stores.postgres.troubles", ModuleNotFoundError, "troubles"),
    ):
        with monkeypatch.context() as patch:
            for name in ("pools", "schema", "server", "troubles"):
                patch.delitem(sys.modules, f"tiktok_adapters.stores.postgres.{name}", raising=False)
                patch.delattr(f"tiktok_adapters.stores.postgres.{name}", raising=False)
            patch.setitem(sys.modules, missing, None)
            with pytest.raises(error, match=said):
                PostgresStores("postgresql://localhost/db")


def test_an_old_connection_is_not_used_any_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A firewall may have forgotten a connection that nobody has used for minutes."""
    monkeypatch.setattr(pools, "IDLE", 0.0)
    tokens = world.stores(url=marked(world.place)).tokens()
    used = set()
    for _ in range(3):
        world.run(tokens.accounts())
        _soon(lambda: connections(world.place) == 1)
        used |= set(
            world.place.execute("SELECT pid FROM pg_stat_activity WHERE application_name = %s", world.place.schema)
        )
    assert len(used) == 3


@pytest.mark.parametrize(
    ("number", "said"), [(110021, "is PostgreSQL 11, and the store needs 12 or newer"), (120000, None)]
)
@pytest.mark.usefixtures("postgres_server")
def test_an_old_server_is_refused(number: int, said: str | None) -> None:
    """Version 12 is the oldest."""
    from tiktok_adapters.stores.postgres.server import _unfit  # noqa: PLC0415 - it needs psycopg

    assert said is _unfit(number, False, False) or said in str(_unfit(number, False, False))


# --- Clock -----------------------------------------------------------------------------------------------------------


def test_the_clock_is_the_servers(world: World) -> None:
    """It is right at the first look, whatever the machine's clock says, and later on goes by the time since then."""
    clock = world.stores().clock()
    ((there,),) = world.place.execute("SELECT clock_timestamp()")
    shown_then = _now(world, clock)
    ((after,),) = world.place.execute("SELECT clock_timestamp()")
    slack = timedelta(seconds=0.5)
    assert there - slack <= shown_then <= after + slack
    assert shown_then.tzinfo is UTC
    assert _now(world, clock) >= shown_then


def _now(world: World, clock: Any) -> datetime:
    async def now() -> datetime:
        found: datetime = clock.now()
        return found

    found: datetime = clock.now() if world.is_blocking else world.run(now())
    return found


LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("server", ["is there", "comes back"])
def test_a_clock_is_set_again_once_a_minute_and_goes_on_without_a_server(world: World, server: str) -> None:
    """A look at the clock waits for nothing after the first one: it shows the time since the last reading."""
    steady = [0.0]
    stores = world.stores(wait=0.1)
    world.run(stores.tokens().accounts())
    kind = PostgresClock if world.is_blocking else AsyncPostgresClock
    clock = kind(stores._server, lambda: Reading(0.0, LONG_AGO, 0.0), lambda: steady[0])
    assert _now(world, clock) == LONG_AGO
    steady[0] = EVERY - 1
    assert _now(world, clock) == LONG_AGO + timedelta(seconds=EVERY - 1)
    if server == "comes back":
        world.place.server.stop()
    try:
        steady[0] = EVERY + 1
        assert _now(world, clock) == LONG_AGO + timedelta(seconds=EVERY + 1)
        _tick(world, lambda: _is_read(clock))
    finally:
        if server == "comes back":
            world.place.server.start()
            assert _now(world, clock) == LONG_AGO + timedelta(seconds=EVERY + 1)
            steady[0] = 2 * EVERY + 1
            _now(world, clock)
            _tick(world, lambda: _is_read(clock))
    assert abs(_now(world, clock) - datetime.now(UTC)) < timedelta(seconds=20)


def _is_read(clock: Any) -> bool:
    task = getattr(clock, "_task", None)
    return (
        task.done() if task is not None else not any(thread.name == "tiktok-clock" for thread in threading.enumerate())
    )


def test_a_clock_that_cannot_be_set_says_so(world: World) -> None:
    """There is no time to show before the first reading."""
    clock = world.stores(url=f"postgresql://owner@127.0.0.1:{free_port()}/postgres").clock()
    with pytest.raises(StoreError, match="cannot connect"):
        _now(world, clock)


def test_an_asynchronous_clock_can_be_looked_at_outside_of_its_loop(place: Place) -> None:
    """It shows the time there, but is not set again."""
    steady = [0.0]
    clock = AsyncPostgresClock(place.stores_async()._server, lambda: Reading(0.0, LONG_AGO, 0.0), lambda: steady[0])
    for steady[0] in (0.0, EVERY + 1, 2 * EVERY + 2):
        assert clock.now() == LONG_AGO + timedelta(seconds=steady[0])


# --- Upload slots ----------------------------------------------------------------------------------------------------

HOLDER = """
import sys, time
from tiktok_adapters.stores.postgres import PostgresStores
stores = PostgresStores(sys.argv[1], schema=sys.argv[2])
stores.slots(1).enter("me")
print("inside", flush=True)
time.sleep(600)
"""


def test_the_slot_of_a_killed_process_is_free_after_ten_seconds(world: World) -> None:
    """Until then it counts, because its upload may go on. Then the next waiter gets it without anybody's help."""
    command = [sys.executable, "-c", HOLDER, world.place.server.url(), world.place.schema]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"inside\n"
        holder.send_signal(signal.SIGKILL)
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        world.place.pass_time(6)

    slots = world.stores().slots(1, pause=5, clock=Napping(world, nap))
    world.run(slots.enter("you"))
    assert naps == [5, 5]


class Napping:
    """A clock whose `sleep` does something else."""

    def __init__(self, world: World, nap: Any) -> None:
        self._is_blocking = world.is_blocking
        self._nap = nap

    def now(self) -> Any:
        """Nobody asks."""
        raise NotImplementedError

    def sleep(self, seconds: float, /) -> Any:
        """Do it."""
        if self._is_blocking:
            return self._nap(seconds)
        return self._awaited(seconds)

    async def _awaited(self, seconds: float) -> None:
        self._nap(seconds)


def test_a_slot_is_renewed_as_long_as_it_is_held(world: World) -> None:
    """A slot that would end within a third of a second is held for many times as long, and then given back."""
    stores = world.stores()
    slots = stores.slots(1)
    slots._every, slots._values["lasts"] = 0.05, 5.0
    world.run(slots.enter("me"))
    for before in (_until(world.place) for _ in range(3)):
        _tick(world, lambda before=before: _until(world.place) > before)
    # A server that has lost the row, as after a crash, is told of it again.
    world.place.execute("DELETE FROM {s}.slots")
    _tick(world, lambda: bool(world.place.execute("SELECT 1 FROM {s}.slots WHERE held")))
    if world.is_blocking:
        slots.leave()
    else:
        world.run(_leaving(slots))
    _tick(world, lambda: world.place.execute("SELECT 1 FROM {s}.slots") == [])
    _tick(world, lambda: slots._renewer is None or (not world.is_blocking and slots._renewer.done()))


async def _leaving(slots: Any) -> None:
    slots.leave()


def _until(place: Place) -> Any:
    return place.execute("SELECT until FROM {s}.slots")[0][0]


def _tick(world: World, is_so: Any) -> None:
    end = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < end
        world.run(asyncio.sleep(0.01)) if not world.is_blocking else time.sleep(0.01)


def test_a_server_that_cannot_be_asked_lets_nobody_in(world: World) -> None:
    """`enter` raises, and `leave` does not: the slot ends by itself."""
    slots = world.stores(wait=0.2).slots(2)
    world.run(slots.enter("me"))
    world.place.server.stop()
    try:
        assert world.fails(lambda: slots.enter("me")).kind == "locked"
        if world.is_blocking:
            slots.leave()
        else:
            world.run(_leaving(slots))
    finally:
        world.place.server.start()


# --- The main job ----------------------------------------------------------------------------------------------------


def test_a_post_is_made_with_everything_in_the_database(place: Place) -> None:
    """The blocking client signs in and posts a video; another one finds the tokens and the post."""
    with closing(SimulatedTikTok()) as sim:
        sim.switches.processing_seconds = 0
        app = App(DEFAULT_CLIENT_KEY, sim.app.client_secret, "https://app.example.com/callback/")
        with place.stores(keys=KEYS) as stores:
            with client(TikTok, app, FakeTransport(sim.handle), stores) as tiktok:
                begun = tiktok.authorization()
                account = tiktok.sign_in(begun, sim.authorize(begun.url))
                done = account.post_video(CLIP, privacy_level="SELF_ONLY", key="once")
            with client(TikTok, app, FakeTransport(sim.handle), stores) as tiktok:
                assert tiktok.account().post_video(CLIP, privacy_level="SELF_ONLY", key="once") == done
            assert place.execute("SELECT count(*) FROM {s}.slots") == [(0,)]


def test_a_post_is_made_with_everything_in_the_database_awaited(place: Place) -> None:
    """The asynchronous client does the same."""

    async def post() -> None:
        with closing(SimulatedTikTok()) as sim:
            sim.switches.processing_seconds = 0
            app = App(DEFAULT_CLIENT_KEY, sim.app.client_secret, "https://app.example.com/callback/")
            async with place.stores_async(keys=KEYS) as stores:
                async with client(AsyncTikTok, app, lift_transport(FakeTransport(sim.handle)), stores) as tiktok:
                    begun = tiktok.authorization()
                    account = await tiktok.sign_in(begun, sim.authorize(begun.url))
                    done = await account.post_video(CLIP, privacy_level="SELF_ONLY", key="once")
                async with client(AsyncTikTok, app, lift_transport(FakeTransport(sim.handle)), stores) as tiktok:
                    account = await tiktok.account()
                    assert await account.post_video(CLIP, privacy_level="SELF_ONLY", key="once") == done

    asyncio.run(post())
    assert place.execute("SELECT count(*) FROM {s}.slots") == [(0,)]


def client(kind: Any, app: App, transport: Any, stores: Any) -> Any:
    """Return a client with every port of the stores."""
    return kind(
        app,
        transport=transport,
        tokens=stores.tokens(),
        journal=stores.journal(),
        pacer=stores.pacer(),
        slots=stores.slots(4),
        clock=stores.clock(),
    )
