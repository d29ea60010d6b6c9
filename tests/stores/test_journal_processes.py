"""What the SQLite journal promises to processes that share it: leases of dead owners, races, and forks."""

import os
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
from attrs import evolve

from stored import LATER, NOW, RECORD
from tiktok_adapters.stores import processes
from tiktok_adapters.stores.sqlite import SqliteJournal
from tiktok_core.errors import LeaseLost, StoreError

NAME = RECORD.name

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells whether a process is gone")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the journal's file will be."""
    return tmp_path / "home" / "journal.db"


def _run(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


# --- Owners that are gone --------------------------------------------------------------------------------------------

HOLD = """
    import sys
    from datetime import datetime
    from tiktok_adapters.stores.sqlite import SqliteJournal

    path, name, now, until = sys.argv[1:]
    journal = SqliteJournal(path)
    moments = dict(now=datetime.fromisoformat(now), until=datetime.fromisoformat(until))
    print(journal.try_lease(name, owner="a", **moments), flush=True)
    sys.stdin.read()
"""


@contextmanager
def _python(code: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a program and wait for its end, whatever happens."""
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        try:
            yield child
        finally:
            child.kill()


def _line(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline()


def _go(child: subprocess.Popen[str]) -> None:
    assert child.stdin is not None
    child.stdin.write("go\n")
    child.stdin.flush()


@linux
@pytest.mark.parametrize("reaped", [True, False])
def test_a_killed_holder_is_followed_at_once(path: Path, *, reaped: bool) -> None:
    """Other owners respect a lease while its process lives.

    Once the process is killed, the lease is free, even before its parent notices.
    """
    hold = (str(path), NAME, NOW.isoformat(), LATER.isoformat())
    with closing(SqliteJournal(path)) as journal, _python(HOLD, *hold) as child:
        first = int(_line(child))
        assert journal.try_lease(NAME, owner="b", now=NOW, until=LATER) is None
        child.kill()
        if reaped:
            child.wait()
        else:
            os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        second = journal.try_lease(NAME, owner="b", now=NOW, until=LATER)
        assert second is not None
        assert second > first
        with pytest.raises(LeaseLost):
            journal.save(RECORD, fence=first)


@linux
def test_a_number_that_another_process_got_since_is_no_holder(path: Path) -> None:
    """A process with the same number that started at another time is another process."""
    with closing(SqliteJournal(path)) as journal:
        journal.try_lease(NAME, owner="a", now=NOW, until=LATER)
        assert journal.try_lease(NAME, owner="b", now=NOW, until=LATER) is None
        _run(path, "UPDATE leases SET started = started - 1")
        assert journal.try_lease(NAME, owner="b", now=NOW, until=LATER) is not None


@linux
def test_a_holder_on_another_machine_is_waited_for(path: Path) -> None:
    """The journal cannot see processes of another machine, boot or container. Only time ends their leases."""
    with closing(SqliteJournal(path)) as journal:
        journal.try_lease(NAME, owner="a", now=NOW, until=LATER)
        _run(path, "UPDATE leases SET machine = x'00', started = started - 1")
        assert journal.try_lease(NAME, owner="b", now=NOW, until=LATER) is None
        assert journal.try_lease(NAME, owner="b", now=LATER, until=LATER) is not None


@linux
def test_a_hidden_process_is_not_gone(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that /proc does not show and a signal still finds is alive."""
    with closing(SqliteJournal(path)) as journal:
        journal.try_lease(NAME, owner="a", now=NOW, until=LATER)
        monkeypatch.setattr(processes, "PROC", tmp_path)
        assert journal.try_lease(NAME, owner="b", now=NOW, until=LATER) is None


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that stands in for /proc, with what /proc says of this process."""
    proc = tmp_path / "proc"
    own = proc / str(os.getpid())
    (own / "ns").mkdir(parents=True)
    (own / "ns" / "pid").symlink_to("pid:[4026531836]")
    (own / "stat").write_bytes(b"7 (a) Z (b)) S " + b" ".join(b"%d" % number for number in range(4, 52)))
    (proc / "self").symlink_to(str(os.getpid()))
    (proc / "sys/kernel/random").mkdir(parents=True)
    (proc / "sys/kernel/random/boot_id").write_text("boot\n")
    monkeypatch.setattr(processes, "PROC", proc)
    return proc


def test_a_process_is_told_by_machine_number_and_start(proc: Path) -> None:
    """Host, boot, namespace, number and start time come from where Linux keeps them, for any name of the program."""
    machine = f"{os.uname().nodename} boot pid:[4026531836]".encode()
    assert processes.this_process() == processes.Process(machine=machine, pid=os.getpid(), started=22)


def _of_another_container(proc: Path) -> None:
    (proc / "self").unlink()
    (proc / "1").symlink_to(str(os.getpid()))
    (proc / "self").symlink_to("1")


def _cut_stat(proc: Path) -> None:
    (proc / "self" / "stat").write_bytes(b"7 (python")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda proc: (proc / "self").unlink(),
        lambda proc: (proc / "sys/kernel/random/boot_id").unlink(),
        lambda proc: (proc / "self/ns/pid").unlink(),
        _of_another_container,
        _cut_stat,
    ],
)
def test_where_proc_says_too_little_only_time_ends_a_lease(
    path: Path, proc: Path, spoil: Callable[[Path], object]
) -> None:
    """Without /proc, or with another container's, an owner takes and renews a lease, and the lease ends when it runs out."""
    spoil(proc)
    assert processes.this_process() is None
    with closing(SqliteJournal(path)) as journal:
        number = journal.try_lease(NAME, owner="a", now=NOW, until=LATER)
        assert journal.try_lease(NAME, owner="a", now=NOW, until=LATER) == number
        assert journal.try_lease(NAME, owner="b", now=NOW, until=LATER) is None
        assert journal.try_lease(NAME, owner="b", now=LATER, until=LATER) is not None


# --- Many processes --------------------------------------------------------------------------------------------------

RACE = """
    import sys
    from datetime import UTC, datetime, timedelta
    from tiktok_adapters.stores.sqlite import SqliteJournal

    path, owner, rounds = sys.argv[1:]
    now = datetime(2026, 3, 1, tzinfo=UTC)
    print("ready", flush=True)
    sys.stdin.readline()
    journal = SqliteJournal(path)
    won = [
        number for number in range(int(rounds))
        if journal.try_lease(str(number), owner=owner, now=now, until=now + timedelta(seconds=10)) is not None
    ]
    print(*won, flush=True)
    sys.stdin.read()  # A racer that left early would be dead, and its leases free.
"""


def test_of_two_processes_one_gets_each_lease(path: Path) -> None:
    """Processes that start together make one file. In each round exactly one of them gets the lease."""
    rounds = 30
    with _python(RACE, str(path), "a", str(rounds)) as one, _python(RACE, str(path), "b", str(rounds)) as other:
        assert [_line(racer) for racer in (one, other)] == ["ready\n"] * 2
        for racer in (one, other):
            _go(racer)
        won = [int(number) for racer in (one, other) for number in _line(racer).split()]
    assert sorted(won) == list(range(rounds))


WRITE = """
    import sys
    from datetime import UTC, datetime
    from attrs import evolve
    from tiktok_adapters.stores.sqlite import SqliteJournal
    from tiktok_core.errors import LeaseLost

    path, owner, turns, *names = sys.argv[1:]
    now = datetime(2026, 3, 1, tzinfo=UTC)
    journal = SqliteJournal(path)
    for turn in range(int(turns)):
        sys.stdin.readline()
        # A lease that has run out when it is given: each process overtakes the one before.
        numbers = [journal.try_lease(name, owner=f"{owner} {turn}", now=now, until=now) for name in names]
        records = [journal.load(name) for name in names]
        print(*numbers, flush=True)
        sys.stdin.readline()
        saved = []
        for number, record in zip(numbers, records):
            try:
                journal.save(evolve(record, offset=number), fence=number)
                saved.append(number)
            except LeaseLost:
                pass
        print(*saved, flush=True)
"""


def test_eight_processes_never_overwrite_a_newer_record(path: Path) -> None:
    """Eight owners overtook one another and save at once. Only the newest writes each record."""
    turns = 5
    records = [evolve(RECORD, key=key) for key in ("a", "b")]
    names = [record.name for record in records]
    with closing(SqliteJournal(path)) as journal, ExitStack() as running:
        for record in records:
            journal.save(record, fence=None)
        arguments = [(str(path), str(owner), str(turns), *names) for owner in range(8)]
        writers = [running.enter_context(_python(WRITE, *given)) for given in arguments]
        for _ in range(turns):
            given = _numbers_of(writers)
            saved = [number for numbers in _numbers_of(writers) for number in numbers]
            newest = [max(numbers) for numbers in zip(*given, strict=True)]
            assert sorted(saved) == sorted(newest)
            assert [found.offset for found in journal.records()] == newest


def _numbers_of(writers: list[subprocess.Popen[str]]) -> list[list[int]]:
    """Let all processes start at once, and return what each of them prints."""
    for writer in writers:
        _go(writer)
    return [[int(number) for number in _line(writer).split()] for writer in writers]


def test_nobody_comes_between_a_fence_and_its_save(path: Path) -> None:
    """From the look at the newest lease to the end of the save, another process cannot take the lease."""
    refused: list[str] = []
    with closing(SqliteJournal(path)) as journal, closing(SqliteJournal(path, busy_wait=0)) as other:
        number = journal.try_lease(NAME, owner="a", now=NOW, until=LATER)
        assert journal._connection is not None

        def intrude(statement: str) -> None:
            if "INTO records" in statement:
                try:
                    other.try_lease(NAME, owner="b", now=LATER, until=LATER)
                except StoreError as error:
                    refused.append(error.reason)

        journal._connection.set_trace_callback(intrude)
        journal.save(RECORD, fence=number)
    # SQLite traces the statement again for each trigger that it fires.
    assert set(refused) == {"database is locked"}


def test_a_forked_child_opens_its_own(path: Path) -> None:
    """In a forked child the parent's journal refuses every call, because the child does not have its locks."""
    code = """
        import os, sys
        from tiktok_adapters.stores.sqlite import SqliteJournal
        from tiktok_core.errors import StoreError

        path, name = sys.argv[1:]
        journal = SqliteJournal(path)
        child = os.fork()
        if child == 0:
            try:
                journal.load(name)
            except StoreError as error:
                print(error.reason, flush=True)
            os._exit(0)
        os.waitpid(child, 0)
        print(journal.load(name).key)
    """
    with closing(SqliteJournal(path)) as journal:
        journal.save(RECORD, fence=None)
    with _python(code, str(path), NAME) as parent:
        out, _ = parent.communicate(timeout=30)
    assert out == "another process opened it: open it again after the fork\nkey\n"
