"""What the SQLite token store promises beyond the contract of its port: its file, other processes, and damage."""

import os
import pickle
import signal
import sqlite3
import stat
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from attrs import evolve

from stored import LATER, NOW, TOKENS, umask
from tiktok_adapters.stores import sqlite_file
from tiktok_adapters.stores.memory import MemoryJournal, MemoryTokenStore
from tiktok_adapters.stores.sqlite import SqliteTokenStore
from tiktok_core.domain.tokens import Secret
from tiktok_core.errors import StoreError
from tiktok_core.wire.records import dump_tokens


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the store's file will be."""
    return tmp_path / "home" / "tokens.db"


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _saved(path: Path) -> bytes:
    with closing(SqliteTokenStore(path)) as store:
        store.save("me", TOKENS)
    return path.read_bytes()


# --- The file --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mask", [0, 0o022, 0o077, 0o277])
def test_only_the_owner_may_read(path: Path, mask: int) -> None:
    """The file has mode 0600 and its folder 0700, for any umask."""
    with umask(mask):
        _saved(path)
    assert (_mode(path), _mode(path.parent)) == (0o600, 0o700)


def test_a_file_that_others_may_read_is_narrowed(path: Path) -> None:
    """Opening corrects a mode that a copy or a backup has widened."""
    _saved(path)
    path.chmod(0o664)
    with closing(SqliteTokenStore(path)) as store:
        assert _mode(path) == 0o600
        assert store.load("me") == TOKENS


def test_the_journal_of_a_transaction_is_the_owners_too(path: Path) -> None:
    """Other users cannot read the file that SQLite keeps beside the store's while it writes."""
    with umask(0), closing(SqliteTokenStore(path)) as store:
        connection = store._connection
        assert connection is not None
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("DELETE FROM tokens")
        connection.execute("INSERT INTO leases (name, owner, until) VALUES (x'00', 'a', 0)")
        assert [_mode(file) for file in path.parent.iterdir()] == [0o600, 0o600]
        connection.execute("ROLLBACK")


def test_a_folder_that_exists_keeps_its_mode(tmp_path: Path) -> None:
    """The store does not change a folder that it did not make."""
    tmp_path.chmod(0o755)
    _saved(tmp_path / "tokens.db")
    assert _mode(tmp_path) == 0o755


def test_deleted_tokens_are_overwritten(path: Path) -> None:
    """After a log-out, the secrets are not left in the file's free pages."""
    assert b"rft.canary" in _saved(path)
    with closing(SqliteTokenStore(path)) as store:
        store.delete("me")
    assert b"canary" not in path.read_bytes()


def _foreign_owner(path: Path) -> None:
    _saved(path)
    os.chown(path, 12345, -1)


def _open_folder(path: Path) -> None:
    path.parent.mkdir()
    path.parent.chmod(0o777)


def _pipe(path: Path) -> None:
    path.parent.mkdir()
    os.mkfifo(path)


def _link(path: Path) -> None:
    path.parent.mkdir()
    (path.parent / "target").touch()
    path.symlink_to("target")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(
            _foreign_owner,
            "belongs to another user",
            marks=pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away"),
        ),
        (_open_folder, "every user may replace files in its folder"),
        (_link, "not a regular file"),
        (lambda path: path.mkdir(parents=True), "not a regular file"),
        (_pipe, "not a regular file"),
        (lambda path: path.parent.write_bytes(b""), "not a directory"),
    ],
)
def test_what_is_no_file_of_ours_is_refused(path: Path, make: Callable[[Path], object], words: str) -> None:
    """An unsafe path is a `StoreError` that says why."""
    make(path)
    with pytest.raises(StoreError) as caught:
        SqliteTokenStore(path)
    assert words in caught.value.reason


def test_a_path_with_a_nul_is_refused(tmp_path: Path) -> None:
    """An impossible path is a `StoreError`, too."""
    with pytest.raises(StoreError, match="NUL"):
        SqliteTokenStore(f"{tmp_path}/a\0b")


# --- Damage ----------------------------------------------------------------------------------------------------------


def _other_version(path: Path) -> bytes:
    _saved(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    return path.read_bytes()


def _other_database(path: Path) -> bytes:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE photos (name TEXT)")
    return path.read_bytes()


def _no_database(path: Path) -> bytes:
    path.parent.mkdir()
    path.write_bytes(b"{}\n" * 1000)
    return path.read_bytes()


def _cut(path: Path) -> bytes:
    path.write_bytes(_saved(path)[:6000])
    return path.read_bytes()


def _scribbled(path: Path) -> bytes:
    data = bytearray(_saved(path))
    data[4096:] = b"\xa5" * (len(data) - 4096)
    path.write_bytes(data)
    return bytes(data)


def _bad_record(path: Path) -> bytes:
    data = _saved(path)
    path.write_bytes(data.replace(b'"version": 1', b'"version": x'))
    return path.read_bytes()


def _empty(path: Path) -> bytes:
    path.parent.mkdir()
    path.touch()
    return b""


DAMAGES = [_other_version, _other_database, _no_database, _cut, _scribbled, _bad_record, _empty]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_or_foreign_file_is_refused_and_kept(path: Path, damage: Callable[[Path], bytes]) -> None:
    """An unreadable file is a `StoreError` at opening or loading. No byte of it changes, and no error shows a secret."""
    before = damage(path)
    with pytest.raises(StoreError) as caught, closing(SqliteTokenStore(path)) as store:
        store.load("me")
    assert path.read_bytes() == before
    assert str(path) in str(caught.value)
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_renewal_takes_the_place_of_what_it_has_read(path: Path) -> None:
    """The only copy of the new pair is worth more than an old pair that was damaged since it was read."""
    with closing(SqliteTokenStore(path)) as store:
        store.save("me", TOKENS)
    _bad_record(path)
    with closing(SqliteTokenStore(path)) as store:
        with closing(sqlite3.connect(path)) as connection:
            (seen,) = connection.execute("SELECT generation FROM tokens").fetchone()
        assert store.save("me", TOKENS, seen=seen) is not None
        assert store.load("me") == TOKENS


# The tables of the first release.
FIRST_LAYOUT = """
CREATE TABLE tokens (account BLOB PRIMARY KEY, record BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE leases (
    number INTEGER PRIMARY KEY AUTOINCREMENT, name BLOB NOT NULL UNIQUE, owner BLOB, until INTEGER NOT NULL,
    machine BLOB, pid INTEGER, started INTEGER
);
PRAGMA user_version = 1;
"""


def _first_release(path: Path, accounts: int) -> None:
    """Make a file as the first release made it."""
    path.parent.mkdir(mode=0o700)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(FIRST_LAYOUT)
        for number in range(accounts):
            document = b" " * 4096 + dump_tokens(evolve(TOKENS, open_id=str(number)))
            connection.execute("INSERT INTO tokens VALUES (?, ?)", (b"%d" % number, document))
        connection.execute("INSERT INTO tokens VALUES (x'7a', x'7b')")  # The store keeps an unreadable record, too.
        connection.commit()
    path.chmod(0o600)


def test_a_file_of_the_first_release_is_opened(path: Path) -> None:
    """Every sign-in stays, and from then on each account's tokens have a generation."""
    _first_release(path, accounts=3)
    with closing(SqliteTokenStore(path)) as store, closing(SqliteTokenStore(path)) as other:
        loaded = [store.load(str(number)) for number in range(3)]
        assert loaded == [evolve(TOKENS, open_id=str(number)) for number in range(3)]
        generations = [tokens.generation for tokens in loaded if tokens]
        assert len({0, *generations}) == 4
        assert other.save("1", TOKENS, seen=generations[1]) is not None
        assert store.save("1", TOKENS, seen=generations[1]) is None
        assert store.accounts() == ("0", "1", "2", "z")
        with pytest.raises(StoreError, match="it is kept"):
            store.load("z")
        for account in store.accounts():
            store.delete(account)
    assert b"canary" not in path.read_bytes()


def test_many_open_a_file_of_the_first_release_at_once(path: Path) -> None:
    """One store rebuilds it, and all of them read it."""
    _first_release(path, accounts=1)

    def look(_: int) -> bool:
        with closing(SqliteTokenStore(path)) as store:
            return store.load("0") == evolve(TOKENS, open_id="0")

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(look, range(16)))


def test_a_file_of_the_first_release_that_cannot_be_made_anew_is_kept(path: Path) -> None:
    """The error says that another program uses or has damaged the file. No byte of it changes."""
    _first_release(path, accounts=1)
    before = path.read_bytes()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked"):
            SqliteTokenStore(path, busy_wait=0.01)
        other.execute("ROLLBACK")
    assert path.read_bytes() == before


def test_what_could_not_be_loaded_is_not_saved(path: Path) -> None:
    """The store refuses tokens larger than any of TikTok's, and keeps the earlier ones."""
    with closing(SqliteTokenStore(path)) as store:
        store.save("me", TOKENS)
        with pytest.raises(StoreError, match="too large to keep"):
            store.save("me", evolve(TOKENS, access_token=Secret("a" * 9_000_000)))
        assert store.load("me") == TOKENS


# --- Its beginning ---------------------------------------------------------------------------------------------------


def _names(path: Path) -> set[str]:
    return {file.name for file in path.parent.iterdir()}


def test_a_beginning_leaves_nothing_beside_the_file(path: Path) -> None:
    """The folder in which the store makes its file is gone once the file is in its place."""
    _saved(path)
    assert _names(path) == {"tokens.db"}


@pytest.mark.parametrize(("last", "has_place"), [("chmod", False), ("link", False), ("unlink", True), ("rmdir", True)])
def test_what_died_while_making_the_file_is_swept(path: Path, last: str, has_place: bool) -> None:
    """A process that is killed while it makes the file leaves a whole file or none. The next one removes the remains."""
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from tiktok_adapters.stores.sqlite import SqliteTokenStore\n"
        "die = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)\n"
        "chmod = Path.chmod\n"
        "if sys.argv[2] == 'chmod': Path.chmod = lambda path, mode: die() if path.suffix == '.db' else chmod(path, mode)\n"
        "else: setattr(os, sys.argv[2], die)\n"
        "SqliteTokenStore(sys.argv[1])\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path), last], check=False, timeout=20)
    assert done.returncode == -signal.SIGKILL
    (left,) = _names(path) - {"tokens.db"}
    assert left.startswith("tokens.db.new-")
    assert path.exists() == has_place
    _saved(path)
    assert _names(path) == {"tokens.db"}


def test_whoever_is_slower_takes_what_is_there(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes begin at once and make one file, even if one removes what the other is still making."""
    link = os.link

    def after_another(made: Path, place: Path) -> None:
        monkeypatch.setattr(os, "link", link)
        monkeypatch.setattr(sqlite_file, "_preparing", threading.Lock())  # The other store is another process.
        _saved(path)
        assert not Path(made).exists()
        link(made, place)

    monkeypatch.setattr(os, "link", after_another)
    with closing(SqliteTokenStore(path)) as store:
        assert store.load("me") == TOKENS
    assert _names(path) == {"tokens.db"}


def test_a_file_system_without_hard_links_will_do(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a file cannot have two names, the store moves it to its place."""

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    _saved(path)
    assert _names(path) == {"tokens.db"}


def test_a_folder_that_cannot_be_written_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the store can make no file, it raises `StoreError` and leaves nothing."""

    def refuse(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "link", refuse)
    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(StoreError, match="read-only file system"):
        SqliteTokenStore(path)
    assert _names(path) == set()


def test_a_full_disk_is_typed_and_loses_nothing(path: Path) -> None:
    """A save without room raises `StoreError`, and the earlier data is still there."""
    with closing(SqliteTokenStore(path)) as store:
        store.save("me", TOKENS)
        assert store._connection is not None
        store._connection.execute("PRAGMA max_page_count = 1")  # SQLite answers as on a full disk.
        with pytest.raises(StoreError, match="full"):
            store.save("me", evolve(TOKENS, refresh_token=Secret("x" * 100_000)))
        assert store.load("me") == TOKENS


def test_a_save_that_finds_no_room_takes_what_is_held(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the disk is full, a save gives up the reserve and uses its room."""
    with closing(SqliteTokenStore(path)) as store:
        connection = store._connection
        assert connection is not None
        store.try_lease("me", owner="a", now=NOW, until=LATER)
        connection.execute("PRAGMA max_page_count = 1")
        give_up = store._reserve.give_up

        def more_room() -> bool:
            connection.execute("PRAGMA max_page_count = 1000")
            return give_up()

        monkeypatch.setattr(store._reserve, "give_up", more_room)
        store.save("me", TOKENS)
        assert store.load("me") == TOKENS
    assert _names(path) == {"tokens.db"}


def test_a_locked_file_is_waited_for_and_not_for_ever(path: Path) -> None:
    """While another process writes, a call waits for `busy_wait` seconds and then raises `StoreError`."""
    _saved(path)
    with closing(SqliteTokenStore(path, busy_wait=0.05)) as store, closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        for call in (store.accounts, lambda: store.save("me", TOKENS), lambda: store.release("me", owner="a")):
            with pytest.raises(StoreError, match="locked"):
                call()
        other.execute("ROLLBACK")
        assert store.load("me") == TOKENS


# --- Threads and processes -------------------------------------------------------------------------------------------


def test_threads_may_share_a_store(path: Path) -> None:
    """Many threads on one store, and on many stores of one file, lose no data."""
    with closing(SqliteTokenStore(path)) as shared:

        def work(number: int) -> bool:
            with closing(SqliteTokenStore(path)) as own:
                own.save(f"own {number}", TOKENS)
            shared.save(f"shared {number}", TOKENS)
            return shared.try_lease("me", owner=str(number), now=NOW, until=LATER)

        with ThreadPoolExecutor(8) as pool:
            leases = list(pool.map(work, range(24)))
        assert len(shared.accounts()) == 48
    assert leases.count(True) == 1


RACE = """
    import sys
    from datetime import UTC, datetime, timedelta
    from tiktok_adapters.stores.sqlite import SqliteTokenStore

    path, owner = sys.argv[1:]
    sys.stdin.readline()
    now = datetime(2026, 3, 1, tzinfo=UTC)
    store = SqliteTokenStore(path)
    won = [
        number for number in range(20)
        if store.try_lease(str(number), owner=owner, now=now, until=now + timedelta(seconds=10))
    ]
    print(*won, flush=True)
    sys.stdin.read()  # A racer that left early would be dead, and its leases free.
    store.close()
"""


def test_processes_take_each_lease_once(path: Path) -> None:
    """Processes that start together make one file, and no two of them get the same lease."""
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(RACE), str(path), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    won = [racer.stdout.readline().split() for racer in racers if racer.stdout is not None]
    for racer in racers:
        racer.communicate(timeout=30)
    assert [racer.returncode for racer in racers] == [0] * 4
    assert sorted(number for numbers in won for number in numbers) == sorted(map(str, range(20)))


def test_a_forked_child_opens_its_own(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a forked child the parent's store says so, because the child does not have its locks."""
    with closing(SqliteTokenStore(path)) as store:
        monkeypatch.setattr(os, "getpid", lambda: -1)
        with pytest.raises(StoreError, match="another process"):
            store.load("me")


FORK = """
    import os, sys, threading
    from contextlib import closing
    from tiktok_adapters.stores.sqlite import SqliteTokenStore
    from tiktok_core.errors import StoreError
    from stored import TOKENS

    store = SqliteTokenStore(sys.argv[1])
    inside, go = threading.Event(), threading.Event()

    def work():
        with store._writing() as connection:
            connection.execute("DELETE FROM tokens")
            inside.set()
            go.wait(1)

    store.save("me", TOKENS)
    thread = threading.Thread(target=work)
    thread.start()
    inside.wait()
    threading.Timer(0.2, go.set).start()
    child = os.fork()
    if child == 0:
        try:
            store.load("me")
        except StoreError as error:
            print(error.reason, flush=True)
        store.close()  # Nothing of the parent's is undone by that.
        with closing(SqliteTokenStore(sys.argv[1])) as own:
            print(own.accounts(), flush=True)
            own.save("child", TOKENS)
        os._exit(0)
    print(os.waitpid(child, 0)[1], store.accounts())
    thread.join()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_fork_comes_between_transactions(path: Path) -> None:
    """A fork waits until another thread's transaction has ended. The child uses a store of its own."""
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore::DeprecationWarning",
            "-c",
            textwrap.dedent(FORK),
            str(path),
        ],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "another process opened it: open it again after the fork",
        "()",
        "0 ('child',)",
    ]


def test_a_fork_does_not_wait_for_ever(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that forks during its own transaction does not wait. Its child can close what it cannot use."""
    monkeypatch.setattr(sqlite_file, "FORK_WAIT", 0.01)
    with closing(SqliteTokenStore(path)) as store:
        with store._writing():
            sqlite_file._before_fork()
            sqlite_file._after_fork()
            with monkeypatch.context() as child:
                child.setattr(os, "getpid", lambda: -1)
                store.close()
        assert store.accounts() == ()


def test_memory_is_not_shared_over_a_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes with a copy each would renew twice, and one of them would lose its sign-in."""
    store, journal = MemoryTokenStore(), MemoryJournal()
    monkeypatch.setattr(os, "getpid", lambda: -1)
    for call in (lambda: store.load("me"), journal.records):
        with pytest.raises(StoreError, match="another process made it"):
            call()


def test_stores_are_not_pickled(path: Path) -> None:
    """Connections and secrets do not go to another process by accident."""
    with closing(SqliteTokenStore(path)) as store, pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(store)
    with closing(MemoryTokenStore()) as memory, pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(memory)


DIE = """
    import os, signal, sys
    from datetime import UTC, datetime, timedelta
    from tiktok_adapters.stores.sqlite import SqliteTokenStore

    now = datetime(2026, 3, 1, tzinfo=UTC)
    assert SqliteTokenStore(sys.argv[1]).try_lease("a", owner="dead", now=now, until=now + timedelta(seconds=60))
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="this system does not tell which processes run")
def test_the_lease_of_a_dead_process_is_free(path: Path) -> None:
    """A killed process that was renewing does not hold the others up until its lease ends."""
    subprocess.run([sys.executable, "-c", textwrap.dedent(DIE), str(path)], check=False, timeout=30)
    now = datetime(2026, 3, 1, tzinfo=UTC)
    with closing(SqliteTokenStore(path)) as store:
        assert store.try_lease("a", owner="me", now=now, until=now + timedelta(seconds=60))
        assert not store.try_lease("a", owner="you", now=now, until=now + timedelta(seconds=60))
