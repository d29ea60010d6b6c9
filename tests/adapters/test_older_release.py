"""A journal's file that two releases share: this one, and one from before the journal kept traces.

The older release is the real one, from the repository's history, in a separate process.
"""

import io
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
import textwrap
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path

import pytest
from attrs import evolve

from stored import LATER, NOW, RECORD
from tiktok_adapters.stores.sqlite import SqliteJournal
from tiktok_adapters.stores.sqlite_journal import JOURNAL
from tiktok_adapters.stores.sqlite_leaving import LeavingJournal, LeavingTokens
from tiktok_adapters.stores.sqlite_moved import Move
from tiktok_adapters.testing.contracts.journal_model import forget_before
from tiktok_core.domain.forgetting import Trace, trace_of
from tiktok_core.domain.journal import Record, Stage, Wish
from tiktok_core.domain.moves import given_up
from tiktok_core.domain.schedule import Schedule
from tiktok_core.errors import LeaseLost, StoreError
from tiktok_core.wire.records import dump_record, record_version

BEFORE_TRACES = "3ef930f"
OPEN = """
    import sys
    from datetime import datetime, timedelta
    from attrs import evolve
    from tiktok_adapters.stores.sqlite import SqliteJournal
    from tiktok_core.domain.chunks import ChunkPlan
    from tiktok_core.domain.journal import Record, Stage, Wish
    from tiktok_core.domain.posts import VideoPost

    journal = SqliteJournal(sys.argv[1])
    now = datetime.fromisoformat(sys.argv[2])
    record = Record(
        key="key", app="app", account="me", wish=Wish(post=VideoPost(title="title")), stage=Stage.COMPLETE,
        created_at=now, updated_at=now, publish_id="p-1",
    )
"""
ANSWER = """
    for line in sys.stdin:
        try:
            print(repr(eval(line)), flush=True)
        except Exception as error:
            print(type(error).__name__, error, flush=True)
"""
DONE = evolve(RECORD, stage=Stage.COMPLETE, upload_url=None, publish_id="p-1")
WAITING = evolve(
    RECORD,
    key="waiting",
    stage=Stage.PLANNED,
    upload_url=None,
    is_entered=True,
    schedule=Schedule(not_before=LATER, not_after=LATER + timedelta(hours=1), zone="Europe/Berlin"),
)
SIGNED = evolve(
    RECORD,
    key="signed",
    stage=Stage.PLANNED,
    upload_url=None,
    plan=None,
    wish=Wish(post=RECORD.wish.post, video="https://media.example.com/clip.mp4?sig=canary"),
)
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


@pytest.fixture
def opened(source: Path, path: Path) -> Iterator[OlderRelease]:
    """Return a function that asks a process of the older release, which has the file open all the time."""
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(OPEN) + textwrap.dedent(ANSWER), str(path), NOW.isoformat()],
        env={**os.environ, "PYTHONPATH": str(source)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:

        def ask(expression: str) -> str:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(f"{expression}\n")
            process.stdin.flush()
            return process.stdout.readline().strip()

        assert ask("journal.records()") == "()", "the file is made before this release opens it"
        yield ask
        process.kill()


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


# --- Indexes ---------------------------------------------------------------------------------------------------------


def test_what_the_older_release_wrote_is_found(path: Path, older: OlderRelease) -> None:
    """The first opening notes of every record what it is found by, and which chunk size it has taught."""
    older("""
        other = ChunkPlan(20_000_000, 6_000_000, 3)
        for number, stage in enumerate(Stage):
            journal.save(evolve(record, key=str(number), stage=stage, publish_id=f"p-{number}"), fence=None)
        journal.save(evolve(record, key="taught", plan=other), fence=None)
    """)
    with closing(SqliteJournal(path)) as journal:
        check(journal)
        assert journal.learned("app") == 6_000_000
    SqliteJournal(path).close()  # A second opening adds nothing.


def check(journal: SqliteJournal) -> None:
    """Compare what the indexes find with all records."""
    everything = journal.records()
    assert {record.stage for record in everything} >= {Stage.PLANNED, Stage.PROCESSING, Stage.COMPLETE, Stage.FAILED}
    assert journal.unfinished() == tuple(record for record in everything if not record.is_ended)
    for record in everything[:50]:
        assert journal.of_post(record.publish_id or "", "app\n") is not None
    assert journal.records("app\nme\n", since=NOW) == everything
    assert journal.unreadable() == ()


def test_what_an_older_process_writes_meanwhile_is_found(path: Path, opened: OlderRelease) -> None:
    """It opened the file before this release, and its writes are noted all the same, whichever of them comes last."""
    with closing(SqliteJournal(path)) as journal:
        going_on = "evolve(record, key='mine', stage=Stage.UPLOADING, publish_id='p-9', plan=ChunkPlan(20_000_000, 6_000_000, 3))"
        assert opened(f"journal.save({going_on}, fence=None)") == "None"
        (record,) = journal.records("app\nme\n", since=NOW)
        assert (record.key, record.publish_id) == ("mine", "p-9")
        assert journal.unfinished() == (record,)
        assert journal.of_post("p-9") == record
        assert journal.learned("app") == 6_000_000
        assert opened(f"journal.save(evolve({going_on}, stage=Stage.FAILED, plan=None), fence=None)") == "None"
        assert journal.unfinished() == ()
        assert opened("journal.forget(now + timedelta(days=1))") == "None"
        assert journal.of_post("p-9") is None
        assert journal.learned("app") == 6_000_000


# --- Records that it would misread -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "record",
    [
        WAITING,
        evolve(WAITING, schedule=None, is_held=True, is_entered=False),
        evolve(WAITING, stage=Stage.COMPLETE),
        given_up(evolve(WAITING, schedule=None), NOW),
        SIGNED,
        evolve(SIGNED, wish=evolve(SIGNED.wish, query=None, upload=True)),
        evolve(SIGNED, wish=SIGNED.wish.without_queries, stage=Stage.COMPLETE, publish_id="p-1"),
    ],
    ids=["at a time", "held", "ended", "given up", "query", "upload of a URL", "ended pull"],
)
def test_an_older_process_that_has_the_file_open_leaves_what_it_would_misread(
    path: Path, opened: OlderRelease, record: Record
) -> None:
    """Its calls with this record raise its own error, and it neither forgets nor replaces it. It goes on with its own posts."""
    with closing(SqliteJournal(path)) as journal:
        journal.save(record, fence=None)
        for call in (
            f"journal.load({record.name!r})",
            f"journal.replace(evolve(record, key={record.key!r}), seen=record)",
            "journal.records()",
        ):
            said = opened(call)
            assert said.startswith("StoreError"), said
            assert f"record of version {record_version(record)}, this release reads version 2" in said
        assert opened("journal.save(evolve(record, key='mine'), fence=None)") == "None"
        assert opened("journal.forget(now + timedelta(days=400))") == "None"
        assert journal.records() == (record,)
        assert journal.load(record.name) == record


@pytest.mark.parametrize("record", [WAITING, SIGNED], ids=["at a time", "query"])
def test_an_older_release_that_comes_later_stops_with_its_sentence(
    path: Path, source: Path, older: OlderRelease, record: Record
) -> None:
    """From the first such record on it opens the file no more, and changes nothing. Given-up posts alone do not stop it."""
    older("journal.save(record, fence=None)")
    with closing(SqliteJournal(path)) as journal:
        planned = evolve(WAITING, key="given up", schedule=None, is_entered=False)
        journal.save(given_up(planned, NOW), fence=None)
        older("assert journal.load(record.name) == record")
        journal.save(record, fence=None)
    before = path.read_bytes()
    with pytest.raises(AssertionError, match="it has version 2, and this release reads version 1"):
        older("raise SystemExit('it went on')")
    assert path.read_bytes() == before
    with closing(SqliteJournal(path)) as journal:
        assert journal.load(record.name) == record


def test_the_file_is_closed_to_older_releases_only_with_the_record(path: Path) -> None:
    """A save that is refused leaves the version. A replacement raises it, too, and nothing lowers it again."""
    with closing(SqliteJournal(path)) as journal, closing(sqlite3.connect(path)) as beside:

        def version() -> int:
            found: int = beside.execute("PRAGMA user_version").fetchone()[0]
            return found

        with pytest.raises(LeaseLost):
            journal.save(WAITING, fence=5)
        assert journal.replace(WAITING, seen=DONE) is False
        plain = evolve(WAITING, schedule=None, is_entered=False)
        journal.save(plain, fence=None)
        assert version() == 1
        assert journal.replace(WAITING, seen=plain) is True
        assert version() == 2
        journal.save(plain, fence=None)
        assert version() == 2
        beside.execute("PRAGMA user_version = 3")  # A newer release may have its own reasons.
        journal.save(WAITING, fence=None)
        assert version() == 3
    with pytest.raises(StoreError, match="it has version 3, but this release reads versions 1 and 2"):
        SqliteJournal(path)


# --- The first opening -----------------------------------------------------------------------------------------------

MIGRATE = """
    import os, signal, sys
    from tiktok_adapters.stores.sqlite import SqliteJournal
    from tiktok_adapters.stores.sqlite_file import SqliteFile

    lacking, statements = SqliteFile._lacking, int(sys.argv[2])

    def dying(self, connection):
        connection.execute("PRAGMA cache_size = 10")  # So that much is in the file before the transaction ends.
        for number, statement in enumerate(lacking(self, connection)):
            if number == statements:
                os.kill(os.getpid(), signal.SIGKILL)
            yield statement
        os.kill(os.getpid(), signal.SIGKILL)

    if statements:
        SqliteFile._lacking = dying
    print("ready", flush=True)
    sys.stdin.readline()
    print(len(SqliteJournal(sys.argv[1]).unfinished()), flush=True)
"""


def fill(path: Path, count: int) -> int:
    """Write records as the older release does, past it, and return how many have not ended."""
    going_on = 0
    with closing(sqlite3.connect(path)) as connection, connection:
        for number in range(count):
            stage = list(Stage)[number % 9]
            record = evolve(DONE, key=str(number), stage=stage, publish_id=f"p-{number}")
            row = (record.name.encode(), 0, 10**18, record.is_ended, dump_record(record))
            connection.execute(
                "INSERT INTO records (name, created, updated, ended, record) VALUES (?, ?, ?, ?, ?)", row
            )
            going_on += not record.is_ended
    return going_on


def migrating(path: Path, statements: int = 0) -> "subprocess.Popen[str]":
    """Start a process of this release that opens the file once it is told to, and dies before one of the statements."""
    command = [sys.executable, "-c", textwrap.dedent(MIGRATE), str(path), str(statements)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_several_processes_open_a_home_of_the_older_release_at_once(path: Path, older: OlderRelease) -> None:
    """One of them adds what is missing, the others wait for it, and all find the same."""
    older("journal.save(record, fence=None)")
    going_on = fill(path, 2_000)
    with ExitStack() as stack:
        running = [stack.enter_context(migrating(path)) for _ in range(4)]
        for process in running:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in running:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        assert [process.communicate(timeout=60)[0] for process in running] == [f"{going_on}\n"] * 4
    with closing(SqliteJournal(path)) as journal:
        check(journal)


@pytest.mark.parametrize("statements", range(1, 1 + sum(map(len, JOURNAL.additions.values()))))
def test_a_first_opening_that_is_killed_changes_nothing(path: Path, older: OlderRelease, statements: int) -> None:
    """Before whichever statement it dies: the older release still works with the file, and the next opening adds everything."""
    older("journal.save(record, fence=None)")
    going_on = fill(path, 1_500)
    with migrating(path, statements) as process:
        process.communicate("go\n", timeout=60)
    assert process.returncode == -signal.SIGKILL
    with closing(sqlite3.connect(path)) as connection:
        made = "SELECT count(*) FROM sqlite_master WHERE name LIKE 'facts%' OR name IN ('traces', 'learned')"
        assert connection.execute(made).fetchone() == (0,)
    assert older("print(len(journal.records()))") == "1501"
    with closing(SqliteJournal(path)) as journal:
        check(journal)
        assert len(journal.unfinished()) == going_on


@pytest.mark.parametrize("is_done", [False, True], ids=["being moved", "moved"])
def test_a_home_that_is_moved_stops_the_older_release(
    path: Path, source: Path, opened: OlderRelease, is_done: bool
) -> None:
    """Where it has the file open, its next lease or record fails with the sentence; it does not open the file, nor that of tokens."""
    assert opened("journal.save(record, fence=None)") == "None"
    move = Move(b"id", "PostgreSQL host/'db'")
    tokens = path.with_name("tokens.db")
    for file in (LeavingJournal(path), LeavingTokens(tokens)):
        with closing(file):
            assert file.mark(move, NOW) == ()
            if is_done:
                file.mark(evolve(move, is_done=True), NOW)
    said = evolve(move, is_done=is_done).sentence
    for call in (
        "journal.save(evolve(record, key='new'), fence=None)",
        "journal.try_lease(record.name, owner='one', now=now, until=now + timedelta(seconds=10))",
        "journal.forget(now + timedelta(days=1000))",
    ):
        assert opened(call).startswith("StoreError Journal ")
        assert said in opened(call)
    assert opened("[one.key for one in journal.records()]") == "['key']"
    for name, file_of, known in (("SqliteJournal", path, 1), ("SqliteTokenStore", tokens, 2)):
        program = f"from tiktok_adapters.stores.sqlite import {name}; {name}({str(file_of)!r})"
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONPATH": str(source)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert f"it has version {2000 if is_done else 1000}"[:-1] in done.stderr
        assert f"and this release reads version {known}" in done.stderr
