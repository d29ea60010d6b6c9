"""What the SQLite journal promises beyond the contract of its port: its file, and damage."""

import os
import pickle
import random
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from attrs import evolve

from tiktok_adapters.stores.memory import MemoryJournal
from tiktok_adapters.stores.sqlite import SqliteJournal, SqliteTokenStore
from tiktok_adapters.testing.contracts.journal_model import forget_before
from tiktok_core.domain.forgetting import Trace, name_digest
from tiktok_core.domain.journal import Record, Stage, Wish
from tiktok_core.domain.posts import VideoPost
from tiktok_core.domain.tokens import Secret
from tiktok_core.errors import StoreError

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(seconds=10)
RECORD = Record(
    key="key",
    app="app",
    account="me",
    wish=Wish(post=VideoPost(title="title")),
    stage=Stage.UPLOADING,
    created_at=NOW,
    updated_at=NOW,
    upload_url=Secret("https://upload.example.com/?upload_token=canary"),
)
NAME = RECORD.name


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the journal's file will be."""
    return tmp_path / "home" / "journal.db"


@contextmanager
def _umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def _saved(path: Path) -> bytes:
    with closing(SqliteJournal(path)) as journal:
        journal.save(RECORD, fence=None)
    return path.read_bytes()


def _run(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


# --- The file --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mask", [0, 0o022, 0o277])
def test_only_the_owner_may_read(path: Path, mask: int) -> None:
    """The file has mode 0600 and its folder 0700, whatever the umask is; a wider mode is put right at opening."""
    with _umask(mask):
        _saved(path)
    assert [stat.S_IMODE(found.stat().st_mode) for found in (path, path.parent)] == [0o600, 0o700]
    path.chmod(0o644)
    SqliteJournal(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "end", [evolve(RECORD, upload_url=None), evolve(RECORD, stage=Stage.COMPLETE, upload_url=None)]
)
def test_an_upload_url_is_overwritten_when_it_is_over(path: Path, end: Record) -> None:
    """From the moment in which a record is saved without its URL, the URL is nowhere in the file."""
    assert b"upload_token=canary" in _saved(path)
    with closing(SqliteJournal(path)) as journal:
        journal.save(end, fence=None)
        assert b"canary" not in path.read_bytes()
        assert journal.load(NAME) == end


def test_a_forgotten_record_is_overwritten(path: Path) -> None:
    """Forgetting leaves nothing in the file's free pages."""
    with closing(SqliteJournal(path)) as journal:
        journal.save(evolve(RECORD, stage=Stage.FAILED), fence=None)
        assert b"canary" in path.read_bytes()
        forget_before(journal, lambda done: done, LATER)
        assert b"canary" not in path.read_bytes()


# Seeds with which SQLite 3.40 did leave a copy behind before URLs were kept out of its tree.
@pytest.mark.parametrize("seed", [31, 74, 86])
def test_no_copy_of_an_upload_url_is_left_where_rows_were_moved(path: Path, seed: int) -> None:
    """SQLite moves rows from page to page without wiping where they were: a URL never lies in what is moved."""
    chance = random.Random(seed)
    keys = [str(number) for number in range(60)]
    with closing(SqliteJournal(path)) as journal:
        assert journal._connection is not None
        journal._connection.execute("PRAGMA synchronous = OFF")

        def save_all(url: Callable[[], Secret | None]) -> None:
            for key in chance.sample(keys, len(keys)):
                post = VideoPost(title="t" * chance.randrange(900))
                journal.save(evolve(RECORD, key=key, wish=Wish(post=post), upload_url=url()), fence=None)

        save_all(lambda: Secret("canary" + "x" * chance.randrange(900)))
        save_all(lambda: None)
    assert b"canary" not in path.read_bytes()


# --- Damage ----------------------------------------------------------------------------------------------------------


def _other_version(path: Path) -> None:
    _run(path, "PRAGMA user_version = 99")


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:6000])


def _scribbled(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:4096] + b"\xa5" * (len(data) - 4096))


def _bad_document(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"version": 2', b'"version": x'))


def _another_type(path: Path) -> None:
    _run(path, "UPDATE records SET record = 5")


def _empty_document(path: Path) -> None:
    _run(path, "UPDATE records SET record = x''")


def _newer_document(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"version": 2', b'"version": 4'))


@pytest.mark.parametrize(
    "damage", [_other_version, _cut, _scribbled, _bad_document, _another_type, _empty_document, _newer_document]
)
@pytest.mark.parametrize(
    "call", [lambda journal: journal.load(NAME), lambda journal: journal.replace(RECORD, seen=RECORD)]
)
def test_a_damaged_journal_is_refused_and_kept(
    path: Path, damage: Callable[[Path], object], call: Callable[[SqliteJournal], object]
) -> None:
    """What cannot be read is a `StoreError` that names the file and quotes nothing of it; no byte of it is changed."""
    _saved(path)
    damage(path)
    before = path.read_bytes()
    with pytest.raises(StoreError) as caught, closing(SqliteJournal(path)) as journal:
        call(journal)
    assert path.read_bytes() == before
    assert f"Journal {path}" in str(caught.value)
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_one_damaged_record_costs_no_other(path: Path) -> None:
    """The others are listed and loaded; the damaged one is named beside them, also where its name is damaged, and removed."""
    other = evolve(RECORD, key="other")
    with closing(SqliteJournal(path)) as journal:
        journal.save(RECORD, fence=None)
        journal.save(other, fence=None)
        _run(path, "UPDATE records SET record = x'7b7d' WHERE CAST(name AS TEXT) LIKE '%key'")
        assert journal.records() == (other,)
        assert journal.unreadable() == journal.unreadable("app\nme\n") == (NAME,)
        assert journal.load(other.name) == other
        _run(path, "UPDATE records SET name = CAST(name || x'ff' AS BLOB) WHERE record = x'7b7d'")
        (name,) = journal.unreadable("app\nme\n")
        assert name == f"{NAME}\udcff"
        before = journal.trace(name)
        assert journal.remove(name) is True
        assert (before, journal.unreadable(), journal.records()) == (None, (), (other,))
        assert journal.trace(name) == Trace(digest=name_digest(name), end=None)


def test_a_damaged_trace_still_keeps_its_key_used(path: Path) -> None:
    """Whatever its row holds: there was a post, and nobody knows what became of it."""
    with closing(SqliteJournal(path)) as journal:
        journal.save(evolve(RECORD, stage=Stage.COMPLETE, upload_url=None), fence=None)
        journal.remove(NAME)
        for value in ("x'7b'", "5", "'text'"):
            _run(path, f"UPDATE traces SET trace = {value}")
            assert journal.trace(NAME) == Trace(digest=name_digest(NAME), end=None)


@pytest.mark.parametrize("value", ["'canary'", "x'ff00'", "-9e18", "9e18", "1e300"])
def test_a_damaged_time_is_a_time_or_none(path: Path, value: str) -> None:
    """Whatever the remembered time holds, the journal goes on, and forgets again when the right time was seen for a day."""
    with closing(SqliteJournal(path)) as journal:
        journal.forget(NOW, keep=timedelta(0))
        _run(path, f"UPDATE seen SET at = {value}")
        journal.save(evolve(RECORD, stage=Stage.COMPLETE, upload_url=None), fence=None)
        for days in (0, 1, 2):
            journal.forget(LATER + timedelta(days=days), keep=timedelta(0))
        assert journal.records() == ()


def test_a_look_at_the_clock_writes_nothing_on_most_posts(path: Path) -> None:
    """It takes no write lock and reads no record: within a day of the latest time only that time is read."""
    with closing(SqliteJournal(path, busy_wait=0.05)) as journal, closing(sqlite3.connect(path)) as other:
        journal.forget(NOW, keep=timedelta(0))
        other.execute("BEGIN IMMEDIATE")
        before = path.read_bytes()
        journal.forget(NOW + timedelta(hours=23), keep=timedelta(0))
        assert path.read_bytes() == before
        with pytest.raises(StoreError, match="locked"):
            journal.forget(NOW + timedelta(hours=24), keep=timedelta(0))
        other.execute("ROLLBACK")


@pytest.mark.parametrize("column", ["owner", "until", "machine", "pid", "started"])
@pytest.mark.parametrize("value", ["'canary'", "x'ff00'", "-1", "1e300"])
def test_a_damaged_lease_is_a_lease_or_none(path: Path, column: str, value: str) -> None:
    """Whatever a lease's row holds, asking for it is answered, and a number is never given twice."""
    with closing(SqliteJournal(path)) as journal:
        old = journal.try_lease(NAME, owner="a", now=NOW, until=LATER)
        _run(path, f"UPDATE leases SET {column} = {value}")
        new = journal.try_lease(NAME, owner="b", now=NOW, until=LATER)
        assert old is not None
        assert new is None or new > old


def test_files_of_the_two_stores_are_not_mixed_up(path: Path) -> None:
    """A token store is no journal, and a journal no token store; neither is written to."""
    tokens = path.with_name("tokens.db")
    SqliteTokenStore(tokens).close()
    SqliteJournal(path).close()
    before = tokens.read_bytes(), path.read_bytes()
    with pytest.raises(StoreError, match="another kind of database"):
        SqliteJournal(tokens)
    with pytest.raises(StoreError, match="another kind of database"):
        SqliteTokenStore(path)
    assert (tokens.read_bytes(), path.read_bytes()) == before


def test_a_full_disk_is_typed_and_loses_nothing(path: Path) -> None:
    """A save that finds no room fails as a `StoreError`, and what was saved before is still there."""
    with closing(SqliteJournal(path)) as journal:
        journal.save(RECORD, fence=None)
        assert journal._connection is not None
        journal._connection.execute("PRAGMA max_page_count = 1")  # SQLite answers as it does on a full disk.
        with pytest.raises(StoreError, match="full"):
            journal.save(evolve(RECORD, upload_url=Secret("x" * 100_000)), fence=None)
        assert journal.load(NAME) == RECORD


def test_a_locked_file_is_waited_for_and_not_for_ever(path: Path) -> None:
    """While another process writes, a call waits for `busy_wait` seconds and is then a `StoreError`."""
    _saved(path)
    with closing(SqliteJournal(path, busy_wait=0.05)) as journal, closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        for call in (
            journal.records,
            lambda: journal.save(RECORD, fence=None),
            lambda: journal.try_lease(NAME, owner="a", now=NOW, until=LATER),
            lambda: journal.forget(LATER, keep=timedelta(0)),
        ):
            with pytest.raises(StoreError, match="locked"):
                call()
        other.execute("ROLLBACK")
        assert journal.load(NAME) == RECORD


def test_journals_are_not_pickled(path: Path) -> None:
    """Neither connections nor secrets travel to another process by accident, and no repr shows what is inside."""
    with closing(SqliteJournal(path)) as journal, pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(journal)
    with closing(MemoryJournal()) as memory, pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(memory)
    assert repr(journal) == f"SqliteJournal({str(path)!r})"


class Pressed:
    """A connection on which Ctrl-C is pressed while it waits to begin a transaction: it is raised once that has begun."""

    def __init__(self, inner: sqlite3.Connection) -> None:
        self._inner = inner

    def execute(self, statement: str, *values: object) -> sqlite3.Cursor:
        """Run the statement, and raise what was pressed meanwhile."""
        done = self._inner.execute(statement, *values)
        if statement.startswith("BEGIN"):
            raise KeyboardInterrupt
        return done

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)


def test_a_ctrl_c_while_a_transaction_begins_keeps_nothing_locked(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while a store waits for another process leaves no transaction open: it and all others can still write."""
    with closing(SqliteJournal(path)) as journal, closing(SqliteJournal(path, busy_wait=0)) as other:
        with monkeypatch.context() as patch:
            patch.setattr(journal, "_connection", Pressed(journal._connection))  # type: ignore[arg-type]
            with pytest.raises(KeyboardInterrupt):
                journal.save(RECORD, fence=None)
        other.save(RECORD, fence=None)
        journal.save(evolve(RECORD, offset=1), fence=None)
        loaded = other.load(NAME)
        assert loaded is not None
        assert loaded.offset == 1


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param("UPDATE records SET name = substr(name, 1, length(name) - 1) || x'ff'", id="the name is no text"),
        pytest.param("UPDATE records SET name = x'ff' || substr(name, 2), record = x'00'", id="name and record"),
        pytest.param("UPDATE records SET name = substr(name, 1, length(name) - 1) || x'78'", id="another letter"),
        pytest.param("UPDATE records SET record = replace(record, '\"me\"', '\"you\"')", id="another account"),
    ],
)
def test_a_record_under_another_name_than_its_own_is_named_and_can_be_removed(path: Path, damage: str) -> None:
    """By its own name it is not found, so it is no post that could be gone on with: it counts as one that cannot be read."""
    _saved(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(damage)
        connection.execute("UPDATE records SET name = CAST(name AS BLOB), record = CAST(record AS BLOB)")
    with closing(SqliteJournal(path)) as journal:
        other = evolve(RECORD, key="another")
        journal.save(other, fence=None)
        assert journal.records() == (other,)
        (name,) = journal.unreadable()
        with pytest.raises(StoreError, match=r"damaged .*'tiktok uploads --forget' with this key removes it") as raised:
            journal.load(name)
        assert raised.value.kind == "damaged"
        assert "canary" not in str(raised.value)
        assert journal.remove(name)
        assert (journal.unreadable(), journal.records()) == ((), (other,))
        assert journal.trace(name) == Trace(digest=name_digest(name), end=None)
