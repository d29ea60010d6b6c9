"""A home arrives in a database: everything of it, once, read back; or nothing."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from moved_home import APPS, DAMAGED, DONE, GONE, KEY, RECORDS, REMOVED, fill, held, opened
from postgres_place import Database
from stored import NOW
from tiktok_adapters.assembly import load_settings
from tiktok_adapters.assembly.home import journal_file
from tiktok_adapters.assembly.moving import HomeMove
from tiktok_adapters.stores.postgres import PostgresStores
from tiktok_adapters.stores.sqlite import SqliteJournal
from tiktok_core.domain.forgetting import trace_of
from tiktok_core.domain.journal import Stage
from tiktok_core.errors import StoreError

Move = Callable[..., None]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder with something of everything."""
    fill(tmp_path, "sqlite")
    return tmp_path


@pytest.fixture
def move(home: Path, database: Database) -> Move:
    """Move the home."""

    def run(*keys: str) -> None:
        settings = {"TIKTOK_HOME": str(home), "TIKTOK_STORE_URL": database.url, "TIKTOK_STORE_KEY": ",".join(keys)}
        with HomeMove(load_settings({}, settings)) as moving:
            moving.run()

    return run


def refused(move: Move, home: Path) -> str:
    """Return why a move is refused; the home is as it was."""
    before = _held(home)
    with pytest.raises(StoreError, match="nothing was changed") as caught:
        move()
    assert _held(home) == before
    return str(caught.value)


def _held(home: Path) -> Any:
    stores = {app: opened(home, "sqlite", app) for app in APPS}
    with closing(SqliteJournal(journal_file(home))) as journal:
        found = held(journal, stores)
    for store in stores.values():
        store.close()
    return found


@pytest.mark.parametrize("keys", [(), (KEY,)], ids=["plain", "sealed"])
def test_everything_of_a_home_arrives(home: Path, database: Database, move: Move, keys: tuple[str, ...]) -> None:
    """Accounts of each app, records also of other apps and damaged ones, traces, what was learned, and the believed time."""
    before = _held(home)
    assert len(before.tokens) == 3
    assert (len(before.records), before.unreadable) == (len(RECORDS), (DAMAGED,))
    assert before.traces == (trace_of(GONE), trace_of(REMOVED), None)
    assert before.learned is not None
    move(*keys)
    with PostgresStores(database.url, keys=keys) as stores:
        journal = stores.journal()
        assert held(journal, {app: stores.tokens(app) for app in APPS}) == before
        assert journal.unfinished() == tuple(record for record in before.records if not record.is_ended)
        assert [record.key for record in journal.unfinished(due=NOW)] == ["waiting"]
        assert journal.of_post("p-1") == DONE
        with pytest.raises(StoreError, match="damaged record"):
            journal.load(DAMAGED)
    assert database.execute("SELECT at FROM {s}.seen") == [
        ((NOW - NOW.min.replace(tzinfo=NOW.tzinfo)) and _micro(NOW),)
    ]
    plain = b"".join(bytes(one) for (one,) in database.execute("SELECT document FROM {s}.tokens"))
    assert (b"rft.me" in plain) is not bool(keys)


def _micro(moment: Any) -> int:
    return int(moment.timestamp()) * 1_000_000


def test_a_record_of_a_newer_release_arrives_as_it_lies(home: Path, database: Database, move: Move) -> None:
    """This release lists it as unreadable, before and after, and the newer one finds it by its version."""
    with closing(sqlite3.connect(journal_file(home))) as connection, connection:
        changed = "CAST(replace(CAST(record AS TEXT), '\"version\": 2', '\"version\": 9') AS BLOB)"
        connection.execute(f"UPDATE records SET record = {changed} WHERE name = ?", (DONE.name.encode(),))
        connection.execute("DELETE FROM records WHERE name = ?", (RECORDS[2].name.encode(),))
        connection.execute("INSERT INTO traces VALUES (?, ?)", (b"0" * 32, b"no JSON"))
        (lying,) = connection.execute("SELECT record FROM records WHERE name = ?", (DONE.name.encode(),)).fetchone()
        connection.execute("UPDATE removed SET record = ? WHERE name = ?", (lying, RECORDS[2].name.encode()))
    move()
    with PostgresStores(database.url) as stores, closing(stores.journal()) as journal:
        assert set(journal.unreadable()) == {DAMAGED, DONE.name}
        with pytest.raises(StoreError, match="version 9") as caught:
            journal.load(DONE.name)
        assert caught.value.kind == "version"
        trace = journal.trace(RECORDS[2].name)
        assert trace is not None
        assert trace.end is None
    assert database.execute("SELECT format FROM {s}.records WHERE format = '9'") == [(b"9",)]
    assert len(database.execute("SELECT 1 FROM {s}.traces")) == 4


def test_traces_and_lessons_of_both_are_merged(home: Path, database: Database, move: Move) -> None:
    """The trace that says more of a post stays, the newest lesson, and the earlier of both believed times."""
    with PostgresStores(database.url) as stores, closing(stores.journal()) as journal:
        journal.save(evolve(GONE, stage=Stage.FAILED), fence=None)
        journal.save(evolve(REMOVED, stage=Stage.IN_INBOX), fence=None)
        for record in (GONE, REMOVED):
            assert journal.remove(record.name)
        journal.forget(NOW + timedelta(days=3), keep=timedelta(days=90))
    move()
    with PostgresStores(database.url) as stores, closing(stores.journal()) as journal:
        assert journal.trace(GONE.name) == trace_of(GONE)
        assert journal.trace(REMOVED.name) == trace_of(REMOVED)
    assert database.execute("SELECT at FROM {s}.seen") == [(_micro(NOW),)]
    assert home.exists()


SPOIL = """
CREATE FUNCTION {s}.spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {how} RETURN NEW; END $$;
CREATE TRIGGER spoil BEFORE INSERT ON {s}.{table} FOR EACH ROW EXECUTE FUNCTION {s}.spoil()
"""


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        (("records", "NEW.document := 'changed';"), "a record could not be read back"),
        (("records", "NEW.document := 'changed'; NEW.digest := sha256('changed');"), "a record could not be read back"),
        (
            (
                "tokens",
                "NEW.document := convert_to(replace(convert_from(NEW.document, 'UTF8'), 'rft.', 'xyz.'), 'UTF8');",
            ),
            "could not be read back",
        ),
    ],
)
def test_what_is_not_read_back_is_not_moved(
    home: Path, database: Database, move: Move, spoilt: tuple[str, str], said: str
) -> None:
    """A database that does not keep what it was given gets nothing, and the home stays as it was."""
    with PostgresStores(database.url) as stores:
        stores.look()
    table, how = spoilt
    for statement in SPOIL.replace("{table}", table).replace("{how}", how).split(";\nCREATE TRIGGER"):
        database.execute(statement if "FUNCTION {s}.spoil() RETURNS" in statement else f"CREATE TRIGGER{statement}")
    assert said in refused(move, home)
    assert database.execute("SELECT 1 FROM {s}.tokens UNION SELECT 1 FROM {s}.records") == []


def test_records_that_do_not_come_up_are_missed(home: Path, move: Move) -> None:
    """A damaged file may hold names that no order finds: the number of records tells, before anything is moved."""
    with closing(sqlite3.connect(journal_file(home))) as connection, connection:
        for number in range(501):
            row = (f"app\nme\n{number:04}", 1, 2, 0, b"{}")
            connection.execute(
                "INSERT INTO records (name, created, updated, ended, record) VALUES (?, ?, ?, ?, ?)", row
            )
    assert "and only " in refused(move, home)


def test_a_believed_time_that_is_damaged_is_none(home: Path, database: Database, move: Move) -> None:
    """The database begins to believe anew, which forgets later, never earlier."""
    with closing(sqlite3.connect(journal_file(home))) as connection, connection:
        connection.execute("UPDATE seen SET at = ?", (2**62,))
    move()
    assert database.execute("SELECT at FROM {s}.seen") == [(None,)]


def test_taking_back_comes_too_late_for_a_move_that_ends_meanwhile(home: Path, database: Database) -> None:
    """The database decides: what it has taken over is not taken back, and the home stays as it is marked."""
    settings = load_settings({}, {"TIKTOK_HOME": str(home), "TIKTOK_STORE_URL": database.url})
    with HomeMove(settings) as first, HomeMove(settings) as second:
        received, state_of = first._received, second._state_of

        def meanwhile(move: Any) -> str | None:
            return received(move) if before() else None

        def before() -> bool:
            with pytest.raises(StoreError, match="another process has moved it to PostgreSQL") as caught:
                second.cancel()
            return caught.value.kind == "moved"

        def look(move: Any) -> str:
            found = state_of(move)
            received(move)
            return found

        second._state_of = look  # type: ignore[method-assign]  # it ends after the look
        first._received = meanwhile  # type: ignore[method-assign]
        first.run()
    assert len(database.execute("SELECT 1 FROM {s}.tokens")) == 3
    with pytest.raises(StoreError, match="was moved to"):
        SqliteJournal(journal_file(home))


def test_a_mark_that_is_damaged_still_stops_everything(home: Path, move: Move) -> None:
    """Nobody can tell which database has taken over, so the home is neither used nor moved anew."""
    move()
    with closing(sqlite3.connect(journal_file(home))) as connection, connection:
        connection.execute("DROP TABLE moved")
    with pytest.raises(StoreError, match="a database that its mark does not name any more"):
        SqliteJournal(journal_file(home))
    with closing(sqlite3.connect(journal_file(home))) as connection, connection:
        connection.execute("PRAGMA user_version = 1001")
    with pytest.raises(StoreError, match="knows nothing of it"):
        move()


def test_two_that_move_at_once_move_once(home: Path, database: Database) -> None:
    """Who comes second finds it done; who would take it back then is told that it is too late."""
    settings = load_settings({}, {"TIKTOK_HOME": str(home), "TIKTOK_STORE_URL": database.url})
    with HomeMove(settings) as first, HomeMove(settings) as second:
        mark = second._mark

        def meanwhile(move: Any) -> None:
            first.run()
            mark(move)

        second._mark = meanwhile  # type: ignore[method-assign]  # between the look and the mark
        with pytest.raises(StoreError) as caught:
            second.run()
        assert caught.value.kind == "moved"
    assert len(database.execute("SELECT 1 FROM {s}.tokens")) == 3
    with pytest.raises(StoreError, match="was moved to"):
        SqliteJournal(journal_file(home))
