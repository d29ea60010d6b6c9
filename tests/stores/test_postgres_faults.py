"""What the stores in PostgreSQL do if their server restarts, refuses, or its answer is lost, in both worlds.

What belongs here: faults of the server and of the line to it. `test_postgres.py` has what the stores promise beside that.
"""

import asyncio
import logging
import signal
import threading
import time
import traceback
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from crash_report import shown
from lossy import Lossy
from postgres_place import KEYS, Place, World
from postgres_server import PASSWORD, Server, free_port
from stored import LATER, NEWER, NOW, RECORD, TOKENS
from tiktok_adapters.stores.postgres import schema
from tiktok_adapters.stores.postgres.schema import Layout
from tiktok_core.domain.journal import Stage
from tiktok_core.errors import StoreError

NAME = RECORD.name
ENDED = evolve(RECORD, stage=Stage.COMPLETE, upload_url=None)


@pytest.fixture
def line(place: Place) -> Iterator[Lossy]:
    """Give a line to the server that can lose answers."""
    with Lossy(place.server.port) as relay:
        yield relay


def over(line: Lossy) -> str:
    """Return the URL of the server over this line."""
    return f"postgresql://owner@127.0.0.1:{line.port}/postgres"


# --- Lost answers ----------------------------------------------------------------------------------------------------

LOST = [(0,), (0, 3), (0, 1), (0, 2)]
"""Answers that are lost: that of the statement; that of its repetition, too; those with which the next connection begins."""


@pytest.mark.parametrize("which", LOST)
def test_a_save_whose_answer_is_lost_is_done_once(world: World, line: Lossy, which: tuple[int, ...]) -> None:
    """The store recognises its own tokens: the generation that it returns is the one that they have."""
    tokens = world.stores(url=over(line)).tokens()
    seen = world.run(tokens.save("me", TOKENS))
    line.lose(*which)
    generation = world.run(tokens.save("me", NEWER, seen=seen))
    assert line.lost == len(which)
    assert generation == seen + 1
    assert world.run(tokens.load("me")) == NEWER
    assert world.run(tokens.load("me")).generation == generation


@pytest.mark.parametrize("is_first", [True, False])
def test_a_sign_in_whose_answer_is_lost_is_done_once(world: World, line: Lossy, is_first: bool) -> None:
    """That holds for tokens that replace any, or are the account's first."""
    tokens = world.stores(url=over(line)).tokens()
    world.run(tokens.load("me") if is_first else tokens.save("me", TOKENS))
    # The first answer is that of the look whether there are tokens.
    line.lose(1)
    generation = world.run(tokens.save("me", NEWER))
    assert line.lost == 1
    assert world.run(tokens.load("me")) == NEWER
    assert world.run(tokens.load("me")).generation == generation


def test_a_save_that_was_overtaken_after_its_answer_was_lost_says_so(world: World, line: Lossy) -> None:
    """Another process replaced the tokens meanwhile. Its tokens stay, and the caller learns that others are there."""
    tokens, other = world.stores(url=over(line)).tokens(), world.place.stores().tokens()
    seen = world.run(tokens.save("me", TOKENS))

    def overtake() -> None:
        found = other.load("me")
        assert found == NEWER
        other.save("me", TOKENS, seen=found.generation)

    line.lose(0, before=overtake)
    assert world.run(tokens.save("me", NEWER, seen=seen)) is None
    assert line.lost == 1
    assert other.load("me") == TOKENS
    other.close()


def test_a_lease_whose_answer_is_lost_is_its_owners(world: World, line: Lossy) -> None:
    """The owner gets the number of its lease, nobody else gets the lease, and what is saved under it is there."""
    journal = world.stores(url=over(line)).journal()
    world.run(journal.load(NAME))
    line.lose(0)
    number = world.run(journal.try_lease(NAME, owner="a", now=NOW, until=LATER))
    assert world.run(journal.try_lease(NAME, owner="b", now=NOW, until=LATER)) is None
    line.lose(0)
    assert world.run(journal.try_lease(NAME, owner="a", now=NOW, until=LATER)) == number
    line.lose(0)
    world.run(journal.save(RECORD, fence=number))
    assert world.run(journal.load(NAME)) == RECORD
    line.lose(0)
    world.run(journal.release(NAME, owner="a"))
    assert world.run(journal.try_lease(NAME, owner="b", now=NOW, until=LATER)) > number
    assert line.lost == 4


@pytest.mark.parametrize("which", LOST)
def test_a_replacement_whose_answer_is_lost_has_replaced(world: World, line: Lossy, which: tuple[int, ...]) -> None:
    """The caller hears that its record is there, and a caller that saw the former one is refused."""
    journal = world.stores(url=over(line)).journal()
    world.run(journal.save(RECORD, fence=None))
    line.lose(*which)
    assert world.run(journal.replace(ENDED, seen=RECORD)) is True
    assert line.lost == len(which)
    assert world.run(journal.load(NAME)) == ENDED
    assert world.run(journal.replace(ENDED, seen=RECORD)) is False


def test_what_is_removed_while_an_answer_is_lost_has_its_trace(world: World, line: Lossy) -> None:
    """`remove` returns True for what it removed itself."""
    journal = world.stores(url=over(line)).journal()
    world.run(journal.save(ENDED, fence=None))
    # The first answer is that of the look at the record.
    line.lose(1)
    assert world.run(journal.remove(NAME)) is True
    assert line.lost == 1
    assert world.run(journal.trace(NAME)).end is Stage.COMPLETE
    assert world.run(journal.load(NAME)) is None


def test_a_record_that_is_saved_while_it_is_looked_at_is_looked_at_again(world: World, line: Lossy) -> None:
    """`remove` removes what it has looked at, and `replace` replaces what it has compared, even if another process comes between."""
    journal, other = world.stores(url=over(line)).journal(), world.place.stores().journal()
    world.run(journal.save(ENDED, fence=None))
    failed = evolve(ENDED, stage=Stage.FAILED)
    line.meanwhile(0, lambda: other.save(failed, fence=None))
    assert world.run(journal.remove(NAME)) is True
    assert world.run(journal.trace(NAME)).end is Stage.FAILED
    world.run(journal.save(ENDED, fence=None))
    line.meanwhile(0, lambda: other.save(RECORD, fence=None))
    assert world.run(journal.remove(NAME)) is False
    assert world.run(journal.load(NAME)) == RECORD
    sealed = world.stores(url=over(line), keys=KEYS).journal()
    world.run(sealed.load(NAME))
    line.meanwhile(0, lambda: other.save(ENDED, fence=None))
    assert world.run(sealed.replace(failed, seen=RECORD)) is False
    line.meanwhile(0, lambda: other.remove(NAME))
    assert world.run(sealed.replace(failed, seen=ENDED)) is False
    assert world.run(journal.load(NAME)) is None
    other.close()


def test_what_is_forgotten_while_answers_are_lost_is_forgotten_at_once(world: World, line: Lossy) -> None:
    """The look at the clock that was noted counts, though its answer was lost: the records do not stay for another day."""
    journal = world.stores(url=over(line)).journal()
    world.run(journal.save(ENDED, fence=None))
    world.run(journal.forget(NOW + timedelta(days=100), keep=timedelta(days=90)))
    assert world.run(journal.records()) == (ENDED,)
    # Answers: the time, its note, two of the next connection, the repeated note, the old records, their removal.
    line.lose(1, 6)
    world.run(journal.forget(NOW + timedelta(days=101), keep=timedelta(days=90)))
    assert line.lost == 2
    assert world.run(journal.records()) == ()
    assert world.run(journal.trace(NAME)).end is Stage.COMPLETE


def test_a_call_that_is_counted_while_its_answer_is_lost_counts(world: World, line: Lossy) -> None:
    """No minute has too many calls: one whose answer is lost may be counted twice."""
    pacer = world.stores(url=over(line)).pacer()
    assert world.run(pacer.pause("me", limit=2, now=NOW)) == 0
    line.lose(0)
    assert world.run(pacer.pause("me", limit=2, now=NOW)) > 0
    assert line.lost == 1


def test_a_slot_whose_answer_is_lost_is_taken_once(world: World, line: Lossy) -> None:
    """The upload has one slot, and gives it back."""
    stores = world.stores(url=over(line))
    slots = stores.slots(1)
    world.run(stores.tokens().accounts())
    line.lose(0)
    world.run(slots.enter("me"))
    assert line.lost == 1
    assert world.place.execute("SELECT held FROM {s}.slots") == [(True,)]
    world.run(stores.close())
    assert world.place.execute("SELECT held FROM {s}.slots") == []


# --- A server that restarts ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_crash", [False, True])
def test_no_call_fails_while_the_server_restarts(world: World, is_crash: bool) -> None:
    """Calls that find their connection dead, or no server, are made again until the server is there."""
    stores = world.stores(wait=60)
    tokens, journal = stores.tokens(), stores.journal()
    # Eight connections lie ready, and each of them dies.
    world.at_once([lambda name=name: tokens.save(name, TOKENS) for name in "abcdefgh"])
    restarted = threading.Thread(target=_restart, args=(world.place.server, is_crash))
    restarted.start()
    for number in range(6):
        calls = [lambda name=f"{name}{number}": tokens.save(name, NEWER) for name in "abcdefgh"]
        record = evolve(RECORD, key=str(number))
        world.at_once([*calls, lambda record=record: journal.save(record, fence=None)])
    restarted.join()
    world.run(tokens.load("a"))
    assert len(world.run(tokens.accounts())) == 8 + 6 * 8
    assert len(world.run(journal.records())) == 6


def _restart(server: Server, is_crash: bool) -> None:
    server.stop(signal.SIGQUIT if is_crash else signal.SIGINT)
    server.start()


def test_a_server_that_does_not_come_back_is_told(world: World) -> None:
    """The error names the server and the reason. It is `locked`, because waiting may help."""
    tokens = world.stores(wait=0.3).tokens()
    world.run(tokens.save("me", TOKENS))
    world.place.server.stop()
    try:
        error = world.fails(lambda: tokens.load("me"))
    finally:
        world.place.server.start()
    assert error.kind == "locked"
    assert "Connection refused" in str(error)
    assert world.run(tokens.load("me")) == TOKENS


# --- A server that refuses -------------------------------------------------------------------------------------------


def user(place: Place, name: str, settings: str = "", **options: str) -> str:
    """Make a user with rights to its own schema, and return the URL with which it connects."""
    place.execute(f"DROP ROLE IF EXISTS {name}")
    place.execute(f"CREATE ROLE {name} LOGIN SUPERUSER {settings}")
    return place.server.url(user=name, **options)


def test_a_wrong_password_is_told_and_shown_nowhere(
    world: World, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """The error says who was refused. Neither it, its traceback with local variables, the log nor a repr shows the password."""
    caplog.set_level(logging.DEBUG)
    user(world.place, "locked", "PASSWORD 'another one'")
    stores = world.stores(url=world.place.server.url(user="locked", password=PASSWORD))
    tokens = stores.tokens()
    error = world.fails(lambda: tokens.load("me"))
    world.place.execute("DROP ROLE locked")
    assert error.kind == "failed"
    assert 'password authentication failed for user "locked"' in str(error)
    assert (
        PASSWORD
        not in "".join(traceback.format_exception(error)) + f"{stores!r} {tokens!r} {caplog.text} {capfd.readouterr()}"
    )
    assert shown(error, [PASSWORD]) == []
    # No frame of psycopg's is left, which would show it.
    assert error.__context__ is error.__cause__ is None


def test_the_right_password_opens(world: World) -> None:
    """The password of the URL is used, so the test above is about a wrong one."""
    user(world.place, "locked", f"PASSWORD '{PASSWORD}'")
    tokens = world.stores(url=world.place.server.url(user="locked", password=PASSWORD)).tokens()
    assert world.run(tokens.accounts()) == ()
    world.place.execute("REASSIGN OWNED BY locked TO owner")
    world.place.execute("DROP ROLE locked")


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("default_transaction_read_only = on", "the server takes no writes"),
        ("synchronous_commit = off", "synchronous_commit is off"),
    ],
)
def test_settings_that_would_lose_a_post_are_refused(world: World, setting: str, said: str) -> None:
    """The error names the setting, before anything is written."""
    url = user(world.place, "odd")
    world.place.execute(f"ALTER ROLE odd SET {setting}")
    error = world.fails(lambda: world.stores(url=url).journal().records())
    assert (error.kind, said in str(error)) == ("foreign", True)
    assert world.place.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", world.place.schema) == []


def test_a_server_that_becomes_read_only_is_told(world: World) -> None:
    """A connection from before a failover meets a server that takes no writes. A new connection is refused for the same reason."""
    url = user(world.place, "odd")
    tokens = world.stores(url=url, connections=1).tokens()
    world.run(tokens.save("me", TOKENS))
    world.place.execute("ALTER ROLE odd SET default_transaction_read_only = on")
    world.place.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'odd'")
    error = world.fails(lambda: tokens.save("me", NEWER))
    assert error.kind == "foreign"
    assert "the server takes no writes" in str(error)


def test_a_replica_is_refused(world: World) -> None:
    """A server in recovery is no place for a journal, even if its connection says nothing of reading only."""
    replica = Server()
    try:
        replica.stop()
        (Path(replica.data) / "standby.signal").touch()
        replica.start()
        error = world.fails(lambda: world.stores(url=replica.url()).tokens().load("me"))
    finally:
        replica.close()
    assert (error.kind, "it is a replica" in str(error)) == ("foreign", True)


def test_a_server_that_cannot_be_reached_is_told_at_once(world: World) -> None:
    """The first call does not wait: most likely the URL is wrong."""
    stores = world.stores(url=f"postgresql://owner@127.0.0.1:{free_port()}/postgres", wait=1e6)
    error = world.fails(stores.tokens().accounts)
    assert (error.kind, "Connection refused" in str(error)) == ("locked", True)


def test_a_missing_database_is_told(world: World) -> None:
    """The server's own words name the database."""
    error = world.fails(world.stores(url=world.place.server.url("nowhere")).tokens().accounts)
    assert 'database "nowhere" does not exist' in str(error)


def test_a_user_without_rights_is_told(world: World) -> None:
    """The error says which right is missing, and where to read of it."""
    world.place.execute("DROP ROLE IF EXISTS poor")
    world.place.execute("CREATE ROLE poor LOGIN")
    poor = world.place.server.url(user="poor")
    error = world.fails(world.stores(url=poor).tokens().accounts)
    assert error.kind == "foreign"
    assert "permission denied for database postgres: grant" in str(error)
    world.run(world.stores().tokens().accounts())
    error = world.fails(world.stores(url=poor).tokens().accounts)
    assert (error.kind, "permission denied for schema" in str(error)) == ("foreign", True)
    world.place.execute("GRANT USAGE ON SCHEMA {s} TO poor")
    world.place.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {s} TO poor")
    world.place.execute("GRANT USAGE ON ALL SEQUENCES IN SCHEMA {s} TO poor")
    tokens = world.stores(url=poor).tokens()
    assert world.run(tokens.save("me", TOKENS)) is not None


# --- Too many at once ------------------------------------------------------------------------------------------------


def test_a_call_waits_for_a_connection_and_then_says_what_to_do(world: World) -> None:
    """With one connection, which another call holds, the error says that each is in use."""
    stores = world.stores(connections=1, wait=0.2)
    tokens = stores.tokens()
    seen = world.run(tokens.save("me", TOKENS))
    blocker = world.place.transaction()
    blocker.execute(f"SELECT FROM {world.place.schema}.tokens FOR UPDATE")

    def late() -> Any:
        try:
            return tokens.load("me") if world.is_blocking else _held(tokens.load("me"))
        except StoreError as error:
            return error

    async def _held(call: Any) -> Any:
        try:
            return await call
        except StoreError as error:
            return error

    def then_free() -> Any:
        if world.is_blocking:
            time.sleep(0.6)
            return blocker.rollback()
        return _freed()

    async def _freed() -> None:
        await asyncio.sleep(0.6)
        blocker.rollback()

    saved, error, _ = world.at_once([lambda: tokens.save("me", NEWER, seen=seen), late, then_free])
    blocker.close()
    assert saved == seen + 1
    assert isinstance(error, StoreError)
    assert (error.kind, "each connection is in use" in str(error)) == ("locked", True)
    assert world.run(tokens.load("me")) == NEWER


def test_a_call_that_the_server_cancels_is_told(world: World) -> None:
    """`statement_timeout` ends a call that waits for another session. Waiting may help."""
    url = user(world.place, "odd")
    world.place.execute("ALTER ROLE odd SET statement_timeout = '100ms'")
    tokens = world.stores(url=url).tokens()
    seen = world.run(tokens.save("me", TOKENS))
    blocker = world.place.transaction()
    blocker.execute(f"SELECT FROM {world.place.schema}.tokens FOR UPDATE")
    error = world.fails(lambda: tokens.save("me", NEWER, seen=seen))
    blocker.rollback()
    blocker.close()
    assert (error.kind, "statement_timeout" in str(error)) == ("locked", True)
    assert world.run(tokens.save("me", NEWER, seen=seen)) is not None


def test_a_server_without_room_for_another_connection_is_waited_for(world: World) -> None:
    """A user's limit of connections is met by waiting for the end of another one."""
    url = user(world.place, "odd")
    world.place.execute("ALTER ROLE odd NOSUPERUSER CONNECTION LIMIT 1")
    world.place.execute("GRANT CREATE ON DATABASE postgres TO odd")
    first = world.place.stores(url=url).tokens()
    assert first.accounts() == ()
    second = world.stores(url=url, wait=0.2).tokens()
    error = world.fails(second.accounts)
    assert error.kind == "locked"
    first.close()
    assert world.run(second.accounts()) == ()
    world.place.execute("DROP SCHEMA {s} CASCADE")
    world.place.execute("REVOKE CREATE ON DATABASE postgres FROM odd")


# --- Tables ----------------------------------------------------------------------------------------------------------


def test_many_that_open_at_once_make_the_tables_once(world: World) -> None:
    """Each of twelve openers finds the tables, whoever made them."""
    opened = [world.stores().tokens() for _ in range(12)]
    saved = world.at_once(
        [lambda tokens=tokens, name=str(n): tokens.save(name, TOKENS) for n, tokens in enumerate(opened)]
    )
    assert len(set(saved)) == 12
    assert world.place.execute("SELECT version FROM {s}.meta") == [(1,)]


@pytest.mark.parametrize(
    "foreign",
    [
        "CREATE TABLE {s}.tokens (id integer)",
        "CREATE VIEW {s}.records AS SELECT 1 AS one",
        "CREATE TABLE {s}.meta (something text)",
        "CREATE TABLE {s}.meta (application text, version integer)",
        "CREATE TABLE {s}.meta (application text, version integer); INSERT INTO {s}.meta VALUES ('another', 1)",
        "CREATE SEQUENCE {s}.numbers",
    ],
)
def test_tables_of_another_program_are_left_alone(world: World, foreign: str) -> None:
    """The error names the table, and nothing is made beside it."""
    world.place.execute("CREATE SCHEMA {s}")
    world.place.execute(foreign)
    error = world.fails(world.stores().tokens().accounts)
    assert error.kind == "foreign"
    assert "of another program: name a schema of its own" in str(error)
    assert (
        len(
            world.place.execute(
                "SELECT 1 FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind <> 'i'", world.place.schema
            )
        )
        == 1
    )


def test_other_tables_in_the_schema_do_not_matter(world: World) -> None:
    """Tables of other names may lie beside ours."""
    world.place.execute("CREATE SCHEMA {s}")
    world.place.execute("CREATE TABLE {s}.customers (id integer)")
    assert world.run(world.stores().tokens().accounts()) == ()


def test_tables_of_a_newer_release_are_left_alone(world: World) -> None:
    """The error says which version there is, and which release to use."""
    world.run(world.stores().tokens().save("me", TOKENS))
    world.place.execute("UPDATE {s}.meta SET version = 2")
    error = world.fails(world.stores().tokens().accounts)
    assert error.kind == "version"
    assert "its tables have version 2, and this release reads version 1: upgrade" in str(error)


def test_tables_of_an_older_release_are_brought_up_to_date_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tokens stay, and many that open at once upgrade once, from version to version."""
    world.run(world.stores().tokens().save("me", TOKENS))
    world.place.execute("UPDATE {s}.meta SET version = 0")
    world.place.execute("ALTER TABLE {s}.learned RENAME size TO length")
    upgrades = {
        0: ("ALTER TABLE {s}.learned RENAME length TO size",),
        1: ("ALTER TABLE {s}.meta ADD upgraded integer",),
    }
    monkeypatch.setattr(schema, "LAYOUT", Layout(version=2, tables=schema.LAYOUT.tables, upgrades=upgrades))
    opened = [world.stores().tokens() for _ in range(6)]
    found = world.at_once([lambda tokens=tokens: tokens.load("me") for tokens in opened])
    assert found == [TOKENS] * 6
    assert world.place.execute("SELECT version, upgraded FROM {s}.meta") == [(2, None)]


def test_tables_that_are_dropped_while_a_store_is_open_are_missed(world: World) -> None:
    """The error is about the tables, and nothing is made anew under a running store."""
    tokens = world.stores().tokens()
    world.run(tokens.save("me", TOKENS))
    world.place.execute("DROP SCHEMA {s} CASCADE")
    error = world.fails(lambda: tokens.load("me"))
    assert error.kind == "damaged"
    assert "the tables are not as this release made them" in str(error)


# --- Clocks ----------------------------------------------------------------------------------------------------------

OFF = [timedelta(seconds=60), timedelta(seconds=1799), timedelta(seconds=-60), timedelta(seconds=-1799)]
"""How far the clock of another machine may be wrong."""


@pytest.mark.parametrize("off", OFF)
def test_no_wrong_clock_takes_a_lease_early(world: World, off: timedelta) -> None:
    """A lease lasts as long as its owner wished, by the server's clock, whatever the machines' clocks say."""
    stores = world.stores()
    journal, tokens = stores.journal(), stores.tokens()
    number = world.run(journal.try_lease(NAME, owner="a", now=NOW, until=LATER))
    world.run(tokens.try_lease("me", owner="a", now=NOW, until=LATER))
    wrong = {"owner": "b", "now": NOW + off, "until": LATER + off}
    assert world.run(journal.try_lease(NAME, **wrong)) is None
    assert world.run(tokens.try_lease("me", **wrong)) is False
    world.run(journal.save(RECORD, fence=number))
    world.place.pass_time(10)
    assert world.run(journal.try_lease(NAME, **wrong)) > number
    assert world.run(tokens.try_lease("me", **wrong)) is True


def test_no_wrong_clock_lets_a_minute_have_too_many_calls(world: World) -> None:
    """Machines whose clocks are apart by up to an hour keep to one quota together."""
    pacers = [world.stores().pacer() for _ in range(5)]
    for minute in range(3):
        times = [NOW + timedelta(minutes=minute) + off for off in (timedelta(0), *OFF)]
        pairs = list(zip(pacers, times, strict=True)) * 6
        calls = [lambda pacer=pacer, at=at: pacer.pause("me", limit=6, now=at) for pacer, at in pairs]
        pauses = world.at_once(calls)
        assert pauses.count(0) == 6
        assert all(0 <= pause <= 60 for pause in pauses)
        world.place.pass_time(60)
