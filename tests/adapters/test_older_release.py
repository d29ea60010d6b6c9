"""A journal's file that two releases share: this one, and one from before the journal kept traces.

The older release is the real one, from the repository's history, in a separate process.
"""

import io
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import textwrap
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from attrs import evolve

from stored import NOW, RECORD
from tiktok_adapters.stores.sqlite import SqliteJournal
from tiktok_adapters.testing.contracts.journal_model import forget_before
from tiktok_core.domain.forgetting import Trace, trace_of
from tiktok_core.domain.journal import Stage

BEFORE_TRACES = "3ef930f"
OPEN = """
    import sys
    from datetime import datetime, timedelta
    from attrs import evolve
    from tiktok_adapters.stores.sqlite import SqliteJournal
    from tiktok_core.domain.journal import Record, Stage, Wish
    from tiktok_core.domain.posts import VideoPost

    journal = SqliteJournal(sys.argv[1])
    now = datetime.fromisoformat(sys.argv[2])
    record = Record(
        key="key", app="app", account="me", wish=Wish(post=VideoPost(title="title")), stage=Stage.COMPLETE,
        created_at=now, updated_at=now, publish_id="p-1",
    )
"""
DONE = evolve(RECORD, stage=Stage.COMPLETE, upload_url=None, publish_id="p-1")
OlderRelease = Callable[[str], str]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give the source of the older release from the repository."""
    git, root = shutil.which("git"), Path(__file__).parents[2]
    if git is None:
        pytest.skip("git is not installed, so the older release cannot be taken from the history")
    archive = subprocess.run(
        [git, "-C", str(root), "archive", BEFORE_TRACES, "src"], capture_output=True, timeout=60, check=False
    )
    if archive.returncode:
        pytest.skip(f"the history has no commit {BEFORE_TRACES}: this is an sdist or a shallow clone")
    folder = tmp_path_factory.mktemp("older")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as packed:
        packed.extractall(folder, filter="data")
    yield folder / "src"
    shutil.rmtree(folder)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the journal's file is."""
    return tmp_path / "journal.db"


@pytest.fixture
def older(source: Path, path: Path) -> OlderRelease:
    """Return a function that runs a program with the older release and returns its output."""

    def run(text: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(OPEN) + textwrap.dedent(text), str(path), NOW.isoformat()],
            env={**os.environ, "PYTHONPATH": str(source)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run


def test_a_home_of_the_older_release_is_migrated_in_place_and_stays_its_own(path: Path, older: OlderRelease) -> None:
    """The first opening adds what is missing and loses nothing.

    The version stays, and the older release can use the file.
    """
    older("journal.save(record, fence=None)")
    with closing(SqliteJournal(path)) as journal:
        assert journal.records() == (DONE,)
        assert journal.trace(DONE.name) is None
        journal.save(evolve(DONE, key="other"), fence=None)
    assert older("print(sorted(record.key for record in journal.records()))") == "['key', 'other']"
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)


@pytest.mark.parametrize("stage", ["COMPLETE", "FAILED", "ABANDONED"])
def test_what_the_older_release_forgets_leaves_its_trace_too(path: Path, older: OlderRelease, stage: str) -> None:
    """Its plain DELETE keeps what is needed, until this release makes a trace of it. Then no name is left in the file."""
    SqliteJournal(path).close()
    older(f"""
        journal.save(evolve(record, stage=Stage.{stage}), fence=None)
        journal.forget(now + timedelta(days=1))
        assert journal.records() == ()
    """)
    expected = trace_of(evolve(DONE, stage=Stage[stage]))
    with closing(SqliteJournal(path)) as journal:
        assert journal.trace(DONE.name) == expected
        assert DONE.name.encode() in path.read_bytes()
        forget_before(journal, lambda done: done, NOW)
        assert journal.trace(DONE.name) == expected
        assert DONE.name.encode() not in path.read_bytes()


def test_a_key_that_the_older_release_uses_again_stays_posted(path: Path, older: OlderRelease) -> None:
    """It knows no traces. What it records under the key afterwards never removes the post's trace."""
    with closing(SqliteJournal(path)) as journal:
        journal.save(DONE, fence=None)
        journal.remove(DONE.name)
    older("""
        journal.save(evolve(record, stage=Stage.ABANDONED, publish_id=None), fence=None)
        journal.forget(now + timedelta(days=1))
    """)
    with closing(SqliteJournal(path)) as journal:
        assert journal.trace(DONE.name) == trace_of(DONE)
        forget_before(journal, lambda done: done, NOW)
        assert journal.trace(DONE.name) == trace_of(DONE)


def test_a_record_that_is_saved_again_leaves_no_trace(path: Path) -> None:
    """A save replaces the row and removes no record."""
    with closing(SqliteJournal(path)) as journal:
        for stage in (Stage.PLANNED, Stage.UPLOADING, Stage.COMPLETE):
            journal.save(evolve(DONE, stage=stage), fence=None)
        assert journal.trace(DONE.name) is None
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM removed").fetchone() == (0,)


def test_what_a_newer_release_removed_is_left_for_it(path: Path) -> None:
    """A removed record that this release cannot read keeps its key used, until a release comes that can read it."""
    with closing(SqliteJournal(path)) as journal:
        journal.save(DONE, fence=None)
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute(
                "UPDATE records SET record = CAST(replace(CAST(record AS TEXT), '\"version\": 2', '\"version\": 9') AS BLOB)"
            )
            connection.execute("DELETE FROM records")
        forget_before(journal, lambda done: done, NOW + timedelta(days=1))
        assert journal.trace(DONE.name) == Trace(digest=trace_of(DONE).digest, end=None)
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("SELECT count(*) FROM removed").fetchone() == (1,)
