"""What the SQLite journal promises beyond the contract of its port: its file, and damage."""

import pickle
import random
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from attrs import evolve

from stored import LATER, NOW, RECORD, umask
from tiktok_adapters.stores.memory import MemoryJournal
from tiktok_adapters.stores.sqlite import SqliteJournal, SqliteTokenStore
from tiktok_adapters.testing.contracts.journal_model import forget_before
from tiktok_core.domain.forgetting import Trace, name_digest
from tiktok_core.domain.journal import Record, Stage, Wish
from tiktok_core.domain.moves import given_up, reported
from tiktok_core.domain.posts import PhotoPost, VideoPost
from tiktok_core.domain.publishing import Publication
from tiktok_core.domain.tokens import Secret
from tiktok_core.errors import StoreError

NAME = RECORD.name


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the journal's file will be."""
    return tmp_path / "home" / "journal.db"


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
    """The file has mode 0600 and its folder 0700, for any umask. Opening corrects a wider mode."""
    with umask(mask):
        _saved(path)
    assert [stat.S_IMODE(found.stat().st_mode) for found in (path, path.parent)] == [0o600, 0o700]
    path.chmod(0o644)
    SqliteJournal(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "end", [evolve(RECORD, upload_url=None), evolve(RECORD, stage=Stage.COMPLETE, upload_url=None)]
)
def test_an_upload_url_is_overwritten_when_it_is_over(path: Path, end: Record) -> None:
    """Once a record is saved without its upload URL, the URL is nowhere in the file."""
    assert b"upload_token=canary" in _saved(path)
    with closing(SqliteJournal(path)) as journal:
        journal.save(end, fence=None)
        assert b"canary" not in path.read_bytes()
        assert journal.load(NAME) == end


@pytest.mark.parametrize(
    "wish",
    [
        Wish(post=VideoPost(), video="https://media.example.com/clip.mp4?sig=canary"),
        Wish(post=PhotoPost(photo_images=("https://media.example.com/1.jpg?sig=canary",))),
    ],
    ids=["video", "photos"],
)
def test_the_query_of_a_url_is_overwritten_when_the_post_has_ended(path: Path, wish: Wish) -> None:
    """It may be a signature. Nothing of it is left in the file, and the URL is recognised all the same."""
    going_on = evolve(RECORD, wish=wish, plan=None, upload_url=None, publish_id="p", stage=Stage.PROCESSING)
    with closing(SqliteJournal(path)) as journal:
        journal.save(going_on, fence=None)
        assert b"sig=canary" in path.read_bytes()
        ended = reported(going_on, LATER, Publication(publish_id="p", status="PUBLISH_COMPLETE"))
        journal.save(ended, fence=None)
        assert b"sig=canary" not in path.read_bytes()
        loaded = journal.load(NAME)
        assert loaded == ended
        assert loaded is not None
        assert loaded.wish.is_same(wish)


def test_a_forgotten_record_is_overwritten(path: Path) -> None:
    """A forgotten record leaves nothing in the file's free pages."""
    with closing(SqliteJournal(path)) as journal:
        journal.save(evolve(RECORD, stage=Stage.FAILED), fence=None)
        assert b"canary" in path.read_bytes()
        forget_before(journal, lambda done: done, LATER)
        assert b"canary" not in path.read_bytes()


# Seeds with which SQLite 3.40 did leave a copy, before URLs were kept out of its tree.
@pytest.mark.parametrize("seed", [31, 74, 86])
def test_no_copy_of_an_upload_url_is_left_where_rows_were_moved(path: Path, seed: int) -> None:
    """SQLite moves rows between pages without overwriting their old place, so no moved row contains a URL."""
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
    path.write_bytes(path.read_bytes().replace(b'"version": 2', b'"version": 9'))


@pytest.mark.parametrize(
    "damage", [_other_version, _cut, _scribbled, _bad_document, _another_type, _empty_document, _newer_document]
)
@pytest.mark.parametrize(
    "call", [lambda journal: journal.load(NAME), lambda journal: journal.replace(RECORD, seen=RECORD)]
)
def test_a_damaged_journal_is_refused_and_kept(
    path: Path, damage: Callable[[Path], object], call: Callable[[SqliteJournal], object]
) -> None:
    """An unreadable file is a `StoreError` that names it and quotes nothing of it. No byte of it changes."""
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
    """The journal lists and loads the others. It names the damaged record, even if its name is damaged, and removes it."""
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


def test_a_post_that_was_given_up_is_removed_by_no_release_without_that_stage(path: Path) -> None:
    """Such a release removes what has ended after one look at the clock, and would begin the post again."""
    with closing(SqliteJournal(path)) as journal:
        given = given_up(evolve(RECORD, stage=Stage.PLANNED), NOW)
        journal.save(given, fence=None)
        _run(path, "DELETE FROM records WHERE ended")
        assert journal.load(given.name) == given
        forget_before(journal, lambda done: done, NOW + timedelta(days=1))
        assert journal.load(given.name) is None
        trace = journal.trace(given.name)
        assert trace is not None
        assert trace.end is Stage.GIVEN_UP


def test_a_damaged_trace_still_keeps_its_key_used(path: Path) -> None:
    """A trace with any content still says that there was a post, whose outcome is unknown."""
    with closing(SqliteJournal(path)) as journal:
        journal.save(evolve(RECORD, stage=Stage.COMPLETE, upload_url=None), fence=None)
        journal.remove(NAME)
        for value in ("x'7b'", "5", "'text'"):
            _run(path, f"UPDATE traces SET trace = {value}")
            assert journal.trace(NAME) == Trace(digest=name_digest(NAME), end=None)


@pytest.mark.parametrize("value", ["'canary'", "x'ff00'", "-9e18", "9e18", "1e300"])
def test_a_damaged_time_is_a_time_or_none(path: Path, value: str) -> None:
    """If the remembered time is damaged, the journal works, and forgets again once it has seen the right time for a day."""
    with closing(SqliteJournal(path)) as journal:
        journal.forget(NOW, keep=timedelta(0))
        _run(path, f"UPDATE seen SET at = {value}")
        journal.save(evolve(RECORD, stage=Stage.COMPLETE, upload_url=None), fence=None)
        for days in (0, 1, 2):
            journal.forget(LATER + timedelta(days=days), keep=timedelta(0))
        assert journal.records() == ()


def test_a_look_at_the_clock_writes_nothing_on_most_posts(path: Path) -> None:
    """It takes no write lock and reads no record. Within a day of the latest time it reads only that time."""
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
    """For any content of its row, a lease can be asked for, and the journal never gives a number twice."""
    with closing(SqliteJournal(path)) as journal:
        old = journal.try_lease(NAME, owner="a", now=NOW, until=LATER)
        _run(path, f"UPDATE leases SET {column} = {value}")
        new = journal.try_lease(NAME, owner="b", now=NOW, until=LATER)
        assert old is not None
        assert new is None or new > old


def test_files_of_the_two_stores_are_not_mixed_up(path: Path) -> None:
    """A token store is no journal, and a journal is no token store. Neither changes the other's file."""
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
    """A save without room raises `StoreError`, and the earlier data is still there."""
    with closing(SqliteJournal(path)) as journal:
        journal.save(RECORD, fence=None)
        assert journal._connection is not None
        journal._connection.execute("PRAGMA max_page_count = 1")  # SQLite answers as on a full disk.
        with pytest.raises(StoreError, match="full"):
            journal.save(evolve(RECORD, upload_url=Secret("x" * 100_000)), fence=None)
        assert journal.load(NAME) == RECORD


def test_a_locked_file_is_waited_for_and_not_for_ever(path: Path) -> None:
    """While another process writes, a call waits for `busy_wait` seconds and then raises `StoreError`."""
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
    """Connections and secrets do not go to another process by accident, and no repr shows the content."""
    with closing(SqliteJournal(path)) as journal, pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(journal)
    with closing(MemoryJournal()) as memory, pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(memory)
    assert repr(journal) == f"SqliteJournal({str(path)!r})"


class Pressed:
    """A connection that gets Ctrl-C while it waits to begin a transaction. It raises once the transaction has begun."""

    def __init__(self, inner: sqlite3.Connection) -> None:
        self._inner = inner

    def execute(self, statement: str, *values: object) -> sqlite3.Cursor:
        """Run the statement, and raise the Ctrl-C that came meanwhile."""
        done = self._inner.execute(statement, *values)
        if statement.startswith("BEGIN"):
            raise KeyboardInterrupt
        return done

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)


def test_a_ctrl_c_while_a_transaction_begins_keeps_nothing_locked(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while a store waits for another process leaves no transaction open.

    This and all other stores can still write.
    """
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
    """Its own name does not find it, so no call can resume it: it counts as an unreadable record."""
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
