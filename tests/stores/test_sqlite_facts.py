"""What the SQLite journal finds without reading other documents: the same as a look at every document, whoever wrote them."""

import json
import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve, frozen
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from example_counts import at_most
from stored import LATER, NOW, RECORD
from tiktok_adapters.stores import sqlite_facts, sqlite_traces
from tiktok_adapters.stores.sqlite import SqliteJournal
from tiktok_adapters.stores.stored import microseconds, name_text
from tiktok_adapters.testing.contracts.journal_model import forget_before
from tiktok_core.domain.chunks import ChunkPlan
from tiktok_core.domain.forgetting import trace_of
from tiktok_core.domain.journal import ENDS, Record, Stage, Wish, learned_chunk
from tiktok_core.domain.posts import VideoPost
from tiktok_core.domain.schedule import Schedule
from tiktok_core.errors import StoreError
from tiktok_core.wire.records import dump_record, load_record

BERLIN = "2026-03-01T13:00:01.000005+01:00"
ODD = ("", "me", "m", "\0", "ü", "\ud800", "🎬", "%", "\\u0000", "a\nb", "x" * 300)
PUBLISH_IDS = (None, "", "p", "p\0q", "p\0r", '"', "\udc00", "ü", "[", "p,null]")
TICK = timedelta(microseconds=1)
TIMES = st.integers(-3, 3).map(lambda ticks: NOW + TICK * ticks) | st.sampled_from(
    (NOW + timedelta(seconds=1), datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
)
USUAL, OTHER = ChunkPlan(20_000_000, 10_000_000, 2), ChunkPlan(20_000_000, 6_000_000, 3)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the journal's file is."""
    return tmp_path / "journal.db"


@pytest.fixture
def journal(path: Path) -> Iterator[SqliteJournal]:
    """Open a journal that does not wait for the disk."""
    with closing(SqliteJournal(path)) as journal:
        assert journal._connection is not None
        journal._connection.execute("PRAGMA synchronous = OFF")
        yield journal


def connection_of(journal: SqliteJournal) -> sqlite3.Connection:
    """Return the journal's connection, on which a test may do what any other program does to the file."""
    assert journal._connection is not None
    return journal._connection


# --- As a look at every document -------------------------------------------------------------------------------------


@frozen(kw_only=True)
class Row:
    """A row of the table that every release knows."""

    name: bytes
    created: int
    updated: int
    document: bytes

    @property
    def record(self) -> Record | None:
        """The record, if it can be read."""
        try:
            record = load_record(self.document)
        except ValueError:
            return None
        return record if record.name.encode("utf-8", "surrogatepass") == self.name else None


def rows(connection: sqlite3.Connection) -> list[Row]:
    """Return every row, the oldest first."""
    found = connection.execute(
        "SELECT CAST(name AS BLOB), created, updated, CAST(record AS BLOB) FROM records ORDER BY created, name"
    )
    return [Row(name=name, created=a, updated=b, document=document) for name, a, b, document in found]


@st.composite
def records(draw: st.DrawFn) -> Record:
    """Draw a record in any stage, with any name, of any version."""
    begins = draw(st.none() | TIMES)
    return Record(
        key=draw(st.sampled_from(("a", "b", *ODD))),
        app=draw(st.sampled_from(("app", "ap", "ü"))),
        account=draw(st.sampled_from(("me", "you", *ODD))),
        wish=Wish(
            post=VideoPost(title=draw(st.sampled_from(("t", "ü\ud800", "\0")))),
            plan=draw(st.sampled_from((None, USUAL))),
        ),
        stage=draw(st.sampled_from(Stage)),
        created_at=draw(TIMES),
        updated_at=draw(TIMES),
        publish_id=draw(st.sampled_from(PUBLISH_IDS)),
        plan=draw(st.sampled_from((None, USUAL, OTHER, evolve(OTHER, chunk_size=5_242_880)))),
        schedule=begins and Schedule(not_before=begins, not_after=datetime.max.replace(tzinfo=UTC)),
        is_held=draw(st.booleans()),
        is_entered=draw(st.booleans()),
        again_at=draw(st.none() | TIMES),
    )


def by_older(connection: sqlite3.Connection, record: Record) -> None:
    """Write a record as an older release does."""
    connection.execute(
        "INSERT OR REPLACE INTO records (name, created, updated, ended, record) VALUES (?, ?, ?, ?, ?)",
        (
            record.name.encode("utf-8", "surrogatepass"),
            microseconds(record.created_at),
            microseconds(record.updated_at),
            record.is_ended,
            dump_record(record),
        ),
    )


def in_json(change: Callable[[dict[str, Any]], None]) -> Callable[[bytes], bytes]:
    """Return a damage that leaves the document JSON."""

    def damaged(document: bytes) -> bytes:
        try:
            found = json.loads(document)
            change(found)
        except (ValueError, TypeError, AttributeError, RecursionError):  # It was damaged before.
            return document
        return json.dumps(found, sort_keys=True).encode()

    return damaged


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda document: document[: len(document) // 2],
    "empty": lambda _: b"",
    "a number": lambda _: b"5",
    "a list": lambda _: b'["stage"]',
    "a NUL after it": lambda document: document + b"\0",
    "a NUL within": lambda document: document.replace(b'"title": "', b'"title": "\0'),
    "no UTF-8": lambda document: document.replace(b'"title": "', b'"title": "\xff'),
    "a lone byte": lambda document: document.replace(b'"title": "', b'"title": "\x80'),
    "not ASCII": lambda document: document.replace(b'"title": "', b'"title": "\xc3\xbc'),
    "blanks": lambda document: b" " * 5_000 + document,
    "a newer version": in_json(lambda found: found.update(version=99)),
    "no version": in_json(lambda found: found.update(version=0)),
    "a true version": in_json(lambda found: found.update(version=True)),
    "a version in words": in_json(lambda found: found.update(version="2")),
    "another key": in_json(lambda found: found.update(key=f"{found['key']}x")),
    "a longer key": in_json(lambda found: found.update(key=f"{found['key']}\0x")),
    "a key that is a number": in_json(lambda found: found.update(key=5)),
    "deep": lambda document: document.replace(b'"title": ', b'"title": ' + b"[" * 5_000),
    "a zone": in_json(lambda found: found.get("schedule") and found["schedule"].update(not_before=BERLIN)),
    # Where the post has ended, a list lacks it: the next test.
    "no time": in_json(lambda found: None if found["stage"] in ENDS else found.update(created_at="soon")),
}
EARLIER: dict[str, Any] = {"schedule": None, "is_held": False, "is_entered": False, "again_at": None}
STEPS = st.one_of(
    records().map(lambda record: ("save", record)),
    records().map(lambda record: ("save by an older release", evolve(record, **EARLIER))),
    st.sampled_from(("remove", "damaged name", "as text")).map(lambda word: (word, None)),
    st.sampled_from(sorted(DAMAGES)).map(lambda damage: ("damage", damage)),
)


def step(journal: SqliteJournal, what: str, value: Any, at: int) -> None:
    """Change one row, as this release, an older one, or a fault of the disk does."""
    connection = connection_of(journal)
    there = rows(connection)
    if what == "save":
        journal.save(value, fence=None)
    elif what == "save by an older release":
        by_older(connection, value)
    elif there:
        row = there[at % len(there)]
        if what == "remove":
            connection.execute("DELETE FROM records WHERE name = ?", (row.name,))
        elif what == "damaged name":
            connection.execute("UPDATE OR REPLACE records SET name = ? WHERE name = ?", (row.name + b"\xff", row.name))
        elif what == "as text":
            connection.execute("UPDATE records SET record = CAST(record AS TEXT) WHERE name = ?", (row.name,))
        else:
            damaged = DAMAGES[value](row.document)
            connection.execute("UPDATE records SET record = ? WHERE name = ?", (damaged, row.name))


@settings(max_examples=at_most(150), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    steps=st.lists(st.tuples(STEPS, st.integers(0, 9)), max_size=12),
    times=st.tuples(st.none() | TIMES, st.none() | TIMES, TIMES),
)
def test_each_call_finds_what_a_look_at_every_document_finds(
    journal: SqliteJournal, steps: list[tuple[tuple[str, Any], int]], times: tuple[Any, Any, datetime]
) -> None:
    """Whatever was written, by whichever release, and whatever became of it: no call misses a record or invents one."""
    connection = connection_of(journal)
    for table in ("records", "removed", "learned"):
        connection.execute(f"DELETE FROM {table}")
    taught: dict[str, tuple[datetime, int]] = {}
    for (what, value), at in steps:
        step(journal, what, value, at)
        for row in rows(connection):
            if row.record is not None and (chunk := learned_chunk(row.record)) is not None:
                app = row.record.app
                taught[app] = max(taught.get(app, (row.record.updated_at, chunk)), (row.record.updated_at, chunk))
    lying = rows(connection)
    for under in {"", "app\n", "ap", "app\nme\n", "ü\n", *(row.name.decode("utf-8", "replace")[:9] for row in lying)}:
        check(journal, lying, under, *times)
    # What a damaged document, or one of a newer release, says of its chunks is learned, too: it costs a refused init at most.
    if not any(what.startswith("damage") for (what, _), _ in steps):
        for app in ("app", "ap", "ü", "none"):
            assert journal.learned(app) == (taught[app][1] if app in taught else None)


def check(  # noqa: PLR0917
    journal: SqliteJournal,
    lying: Sequence[Row],
    under: str,
    since: datetime | None,
    until: datetime | None,
    due: datetime,
) -> None:
    """Compare what the journal finds under these names with the rows."""
    first = under.encode("utf-8", "surrogatepass")
    mine = [row for row in lying if row.name.startswith(first)]
    read = [(row, row.record) for row in mine]
    found = [record for _, record in read if record is not None]
    assert journal.records(under) == tuple(found)
    assert journal.records(under, since=since, until=until) == tuple(
        record
        for row, record in read
        if record is not None
        and (since is None or row.updated >= microseconds(since))
        and (until is None or row.created <= microseconds(until))
    )
    assert journal.unfinished(under) == tuple(record for record in found if not record.is_ended)
    assert journal.unfinished(under, due=due) == tuple(
        record for record in found if record.due_at is not None and record.due_at <= due
    )
    for publish_id in filter(lambda one: one is not None, PUBLISH_IDS):
        first_one = next((record for record in found if record.publish_id == publish_id), None)
        assert journal.of_post(publish_id, under) == first_one
    lost = [row.name for row, record in read if record is None]
    assert journal.unreadable(under) == tuple(sorted(map(name_text, lost)))


@pytest.mark.parametrize("ended", [False, True])
def test_what_only_a_look_at_every_document_finds(journal: SqliteJournal, *, ended: bool) -> None:
    """A field is missing in JSON of the right version and name: listed while the post goes on. Each call with its key says so."""
    record = evolve(RECORD, stage=Stage.COMPLETE if ended else Stage.PROCESSING, upload_url=None)
    journal.save(record, fence=None)
    connection_of(journal).execute(
        "UPDATE records SET record = CAST(replace(record, '\"inits\"', '\"stini\"') AS BLOB)"
    )
    assert journal.unreadable() == (() if ended else (record.name,))
    with pytest.raises(StoreError, match="damaged"):
        journal.load(record.name)
    assert journal.records() == journal.unfinished() == ()
    assert journal.remove(record.name) is True


# --- By an index -----------------------------------------------------------------------------------------------------


def plan_of(connection: sqlite3.Connection, statement: str) -> list[str]:
    """Return how SQLite finds the rows of a statement; older releases of it put the word TABLE before a name."""
    return [row[3].replace("TABLE ", "") for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")]


def test_no_call_reads_what_it_does_not_return(journal: SqliteJournal) -> None:
    """SQLite finds the rows of every statement by an index: none goes through the records, the facts, or the leases."""
    said: list[str] = []
    connection = connection_of(journal)
    connection.set_trace_callback(said.append)
    journal.save(RECORD, fence=None)
    journal.replace(evolve(RECORD, stage=Stage.COMPLETE, upload_url=None), seen=RECORD)
    journal.try_lease(RECORD.name, owner="a", now=NOW, until=LATER)
    journal.save(evolve(RECORD, key="other"), fence=None)
    for under in ("", "app", "app\n", "app\nme\n", "app\nme\nkey-"):
        journal.unreadable(under)
        journal.unfinished(under)
        journal.unfinished(under, due=NOW)
        journal.of_post("p", under)
        for since in (None, NOW):
            journal.records(under, since=since, until=NOW)
    journal.load(RECORD.name)
    journal.learned("app")
    journal.trace(RECORD.name)
    journal.remove(RECORD.name)
    journal.save(evolve(RECORD, stage=Stage.COMPLETE, upload_url=None), fence=None)
    connection.execute("DELETE FROM records WHERE name = ?", (evolve(RECORD, key="other").name.encode(),))
    forget_before(journal, lambda done: done, NOW + timedelta(days=1))
    journal.release(RECORD.name, owner="a")
    connection.set_trace_callback(None)
    plans = {
        statement: plan_of(connection, statement)
        for statement in said
        if re.match(r"\s*(SELECT|INSERT|DELETE|UPDATE)", statement)
    }
    assert {
        word
        for plan in plans.values()
        for line in plan
        for word in re.findall(r"USING (?:COVERING )?INDEX (\w+)", line)
    } >= {
        *("facts_by_account", "facts_by_end", "facts_by_post", "facts_by_version", "facts_not_ended", "facts_due"),
        *("sqlite_autoindex_facts_1", "leases_by_end", "removed_by_name"),
    }
    slow = {
        statement: plan
        for statement, plan in plans.items()
        if any(re.match(r"SCAN (?!seen|.*CONSTANT)", line) or "TEMP B-TREE" in line for line in plan)
    }
    assert slow == {}


def test_a_migration_puts_no_document_aside(journal: SqliteJournal) -> None:
    """It goes once through the records and sorts nothing, because SQLite's temporary files are not overwritten."""
    connection = connection_of(journal)
    for name, function in sqlite_facts.FUNCTIONS.items():
        connection.create_function(name, 1, function)
    assert plan_of(connection, sqlite_facts.FILL) == ["SCAN records"]


# --- Forgetting ------------------------------------------------------------------------------------------------------


def _many(journal: SqliteJournal, count: int) -> list[Record]:
    many = [evolve(RECORD, key=f"key-{number}", stage=Stage.COMPLETE, upload_url=None) for number in range(count)]
    for record in many:
        journal.save(record, fence=None)
        journal.try_lease(record.name, owner="a", now=NOW, until=LATER)
    return many


def test_much_is_forgotten_in_portions(journal: SqliteJournal, path: Path) -> None:
    """No write lock is held for more than a portion, others write between two of them, and everything leaves its trace."""
    many = _many(journal, sqlite_traces.PORTION * 2 + 1)
    going_on = evolve(RECORD, key="going on", stage=Stage.PROCESSING, upload_url=None)
    written: list[bool] = []
    removed: list[set[str]] = []
    with closing(SqliteJournal(path, busy_wait=0)) as other:

        def watch(statement: str) -> None:
            if statement.startswith("BEGIN"):
                removed.append(set())
                other.save(going_on, fence=None)
                written.append(True)
            if statement.startswith(("DELETE FROM records", "\nDELETE FROM leases")):
                removed[-1].add(statement)

        journal.forget(LATER, keep=timedelta(0))
        connection_of(journal).set_trace_callback(watch)
        journal.forget(NOW + timedelta(days=2), keep=timedelta(0))
        connection_of(journal).set_trace_callback(None)
    assert journal.records() == (going_on,)
    assert len(written) >= 6
    assert max(map(len, removed)) == sqlite_traces.PORTION
    for record in (many[0], many[sqlite_traces.PORTION], many[-1]):
        assert journal.trace(record.name) == trace_of(record)
    for table in ("removed", "leases"):
        assert connection_of(journal).execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


def test_what_is_begun_again_meanwhile_is_not_forgotten(journal: SqliteJournal, path: Path) -> None:
    """A record that another process changes between the look and the removal stays as it is."""
    (record,) = _many(journal, 1)
    again = evolve(record, stage=Stage.PROCESSING)
    with closing(SqliteJournal(path, busy_wait=0)) as other:
        looked: list[str] = []

        def watch(statement: str) -> None:
            if "facts_by_end" in statement:
                looked.append(statement)
            if statement.startswith("BEGIN") and looked:
                other.save(again, fence=None)

        journal.forget(NOW, keep=timedelta(0))
        connection_of(journal).set_trace_callback(watch)
        journal.forget(NOW + timedelta(days=1), keep=timedelta(days=-1))
        connection_of(journal).set_trace_callback(None)
    assert looked
    assert journal.records() == (again,)
    assert journal.trace(record.name) is None


# --- What SQLite has to have -----------------------------------------------------------------------------------------


def test_a_python_whose_sqlite_has_no_json_is_told_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence names the version and what is needed, and no file is made that the triggers could not serve."""
    connect = sqlite3.connect

    def without_json(*args: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*args, **options)
        connection.set_authorizer(
            lambda action, _, name, *__: (
                sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_FUNCTION and name == "json_valid" else sqlite3.SQLITE_OK
            )
        )
        return connection

    monkeypatch.setattr(sqlite3, "connect", without_json)
    with pytest.raises(StoreError, match=f"SQLite {sqlite3.sqlite_version} of this Python .* SQLite 3.38 or newer"):
        SqliteJournal(path)
    assert not path.exists()
