"""Rows 18, 21 to 24 and 40: faults of the places that keep tokens, and the names of accounts.

`tests/proofs/test_kills.py` tests row 18 at each system call.
"""

import errno
import os
import random
import re
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from attrs import evolve
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from stored import NEWER, NOW, TOKENS, MemoryKeychain, umask
from tiktok_adapters.assembly import token_file
from tiktok_adapters.cli.app import tiktok as program
from tiktok_adapters.clocks import SystemClock
from tiktok_adapters.simulator import DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, SimulatedTikTok
from tiktok_adapters.stores.encrypted import EncryptedTokenStore
from tiktok_adapters.stores.keyring import KeyringTokenStore
from tiktok_adapters.stores.memory import MemoryJournal, MemoryTokenStore
from tiktok_adapters.stores.sqlite import SqliteJournal, SqliteTokenStore
from tiktok_adapters.transports.fake import FakeTransport
from tiktok_core import App, Secret, StoreError, TikTok
from tiktok_core.ports import Request, TokenStore

APP = App(DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, "https://app.example.com/callback/")
KEY = "Zm9yIHRlc3RzIGFuZCBub3RoaW5nIGVsc2UgYXQgYWw="


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the store's file will be."""
    return tmp_path / "home" / "tokens.db"


def saved(path: Path) -> bytes:
    """Save the tokens, and return what the file holds."""
    with closing(SqliteTokenStore(path)) as store:
        store.save("me", TOKENS)
    return path.read_bytes()


def mode(path: Path) -> int:
    """Return the permissions of a file."""
    return stat.S_IMODE(path.stat().st_mode)


# --- Row 18: a process that is killed while it saves ------------------------------------------------------------------

SAVES = """
    import os, sys
    from attrs import evolve
    from tiktok_adapters.stores.sqlite import SqliteTokenStore
    from tiktok_core import Secret

    for line in sys.stdin:
        if os.fork() == 0:
            store, number = SqliteTokenStore(sys.argv[1]), int(line)
            first = store.load("me")
            while True:
                number += 1
                store.save("me", evolve(first, refresh_token=Secret(str(number)), access_token=Secret("a" * number)))
                os.write(1, f"{os.getpid()} {number}\\n".encode())
        os.wait()
        os.write(1, b"gone\\n")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the workers are made by forking")
def test_row_18_a_kill_at_any_moment_leaves_old_or_new_tokens_whole(path: Path) -> None:
    """A process is killed 60 times while it saves. It leaves what it last reported as saved, or what it was saving."""
    saved(path)
    moments, number = random.Random(18), 0
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(SAVES), str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as workers:
        assert workers.stdin is not None
        assert workers.stdout is not None
        for _round in range(60):
            print(number, file=workers.stdin, flush=True)
            pid, said = map(int, workers.stdout.readline().split())
            time.sleep(moments.uniform(0, 0.01))
            os.kill(pid, signal.SIGKILL)
            while (line := workers.stdout.readline()) != "gone\n":
                said = int(line.split()[1])
            with closing(SqliteTokenStore(path)) as store:
                found = store.load("me")
            assert found is not None
            number = int(found.refresh_token.reveal())
            assert said <= number <= said + 1
            assert found == evolve(TOKENS, refresh_token=Secret(str(number)), access_token=Secret("a" * number))
            with closing(sqlite3.connect(path)) as connection:
                assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        workers.stdin.close()
    saved(path)
    assert {file.name for file in path.parent.iterdir()} == {"tokens.db"}


# --- Row 21: a disk that is full or cannot be written -----------------------------------------------------------------


def client(sim: SimulatedTikTok, store: TokenStore, transport: Any = None) -> TikTok:
    """Return a client of the simulated TikTok."""
    transport = transport or FakeTransport(sim.handle)
    return TikTok(APP, transport=transport, tokens=store, journal=MemoryJournal(), clock=SystemClock())


@contextmanager
def signed_in(store: TokenStore) -> Iterator[SimulatedTikTok]:
    """Give a TikTok at which an account has signed in, with its tokens in the store."""
    with closing(SimulatedTikTok()) as sim:
        tiktok = client(sim, store)
        asked = tiktok.authorization()
        tiktok.sign_in(asked, sim.authorize(asked.url))
        yield sim


def renewals(sim: SimulatedTikTok) -> int:
    """Return how often the client asked TikTok for tokens after the sign-in."""
    return sim.count("token") - 1


def test_row_21_no_room_is_found_while_the_old_token_lives(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store holds room for the tokens of a renewal beforehand. Without room the client does not even ask TikTok."""

    def full(_fd: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with closing(SqliteTokenStore(path)) as store, signed_in(store) as sim:
        account = client(sim, store).account()
        with monkeypatch.context() as disk:
            disk.setattr(os, "fsync", full)
            with pytest.raises(StoreError, match="no space left on device"):
                account.refresh()
        assert renewals(sim) == 0
        assert {file.name for file in path.parent.iterdir()} == {"tokens.db"}
        account.refresh()
        assert renewals(sim) == 1
        assert {file.name for file in path.parent.iterdir()} == {"tokens.db", "tokens.db-reserve"}


def test_row_21_the_journal_has_its_room_before_tiktok_is_asked(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal holds room for the record of a post, too, so the client finds out before it asks TikTok to act."""

    def full(_fd: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with closing(SqliteJournal(path)) as journal:
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(StoreError, match="no space left on device"):
            journal.try_lease("post", owner="a", now=NOW, until=NOW + timedelta(seconds=10))


def test_row_21_a_reserve_of_somebody_elses_making_is_not_written(path: Path) -> None:
    """The store follows no link in the reserve's place, and writes nothing elsewhere."""
    saved(path)
    victim = path.parent / "victim"
    victim.write_text("untouched")
    (path.parent / "tokens.db-reserve").symlink_to(victim)
    with closing(SqliteTokenStore(path)) as store:
        lease = {"owner": "a", "now": NOW, "until": NOW + timedelta(seconds=10)}
        with pytest.raises(StoreError, match="symbolic links"):
            store.try_lease("me", **lease)
        assert victim.read_text() == "untouched"
        assert store.try_lease("me", **lease)
    assert mode(path.parent / "tokens.db-reserve") == 0o600


ON_A_SMALL_DISK = """
    import subprocess, sys
    from contextlib import closing
    from pathlib import Path
    from test_stores import SqliteTokenStore, StoreError, FakeTransport, client, renewals, signed_in

    disk, what = Path(sys.argv[1]), sys.argv[2]
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k,nr_inodes=10", "tmpfs", str(disk)], check=True)

    def fill():
        try:
            if what == "inodes":
                for number in range(100):
                    (disk / f"file {number}").touch()
            with (disk / "filler").open("ab", buffering=0) as filler:
                while True:
                    filler.write(bytes(1024))
        except OSError as error:
            assert error.errno == 28, error

    def refused(account):
        try:
            account.refresh()
        except StoreError as error:
            return error.reason

    with closing(SqliteTokenStore(disk / "tokens.db")) as store, signed_in(store) as sim:
        if what == "read-only":
            store.close()
            subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
            with closing(SqliteTokenStore(disk / "tokens.db")) as other:
                account = client(sim, other).account()
                print(refused(account), renewals(sim), other.load(account.open_id) is not None)
        elif what == "before":
            fill()
            account = client(sim, store).account()
            print(refused(account), renewals(sim))
            (disk / "filler").unlink()
            print(refused(account), renewals(sim))
        else:

            def while_asked(request):
                fill()
                return sim.handle(request)

            account = client(sim, store, FakeTransport(while_asked)).account()
            before = store.load(account.open_id)
            print(refused(account), renewals(sim))
            with closing(SqliteTokenStore(disk / "tokens.db")) as other:
                kept = other.load(account.open_id)
            print(kept.refresh_token != before.refresh_token, kept.access_token.reveal() in sim.world.tokens)
            print(refused(account), renewals(sim))
"""


def small_disk(tmp_path: Path, what: str) -> list[str]:
    """Run the story on a disk of 512 KiB, in a separate name space, and return its output."""
    command = [sys.executable, "-c", textwrap.dedent(ON_A_SMALL_DISK), str(tmp_path), what]
    done = subprocess.run(
        ["unshare", "--mount", "--user", "--map-root-user", *command],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def no_mounts() -> str:
    """Return why this machine cannot have a small disk; empty if it can."""
    if shutil.which("unshare") is None:
        return "there is no unshare on this machine"
    with tempfile.TemporaryDirectory() as folder:
        command = ["unshare", "--mount", "--user", "--map-root-user", "mount", "-t", "tmpfs", "tmpfs", folder]
        done = subprocess.run(command, capture_output=True, check=False)
    return "" if done.returncode == 0 else "this machine does not let a process mount a disk of its own"


needs_mounts = pytest.mark.skipif(bool(no_mounts()), reason=no_mounts() or "mounting works")


@needs_mounts
def test_row_21_a_full_disk_keeps_the_old_token(tmp_path: Path) -> None:
    """If the disk is full beforehand, the client does not ask TikTok. With room again, the renewal succeeds."""
    assert small_disk(tmp_path, "before") == ["no space left on device 0", "None 1"]


@needs_mounts
@pytest.mark.parametrize("what", ["bytes", "inodes"])
def test_row_21_a_disk_that_fills_up_while_tiktok_answers_loses_nothing(tmp_path: Path, what: str) -> None:
    """The store writes the new tokens into the room that it held for them.

    The next renewal finds the disk full before it begins.
    """
    renewed, kept, again = small_disk(tmp_path, what)
    assert (renewed, kept) == ("None 1", "True True")
    assert re.fullmatch("(no space left on device|database or disk is full|unable to open database file) 1", again)


@needs_mounts
def test_row_21_a_disk_that_cannot_be_written_keeps_the_old_token(tmp_path: Path) -> None:
    """The client also finds a read-only disk before it asks TikTok."""
    assert small_disk(tmp_path, "read-only") == ["read-only file system 0 True"]


# --- Row 22: files that hold something else ---------------------------------------------------------------------------

DOCUMENT = "UPDATE tokens SET record = "
DAMAGED_FILES: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "truncated within the header": lambda path: os.truncate(path, 60),
    "truncated": lambda path: os.truncate(path, 10_000),
    "not a database": lambda path: path.write_bytes(b'{"access_token": "act.canary"}' * 1_000),
    "not UTF-8": lambda path: path.write_bytes(b"\xff\xfe\x00" * 5_000),
    "100 MB": lambda path: os.truncate(_emptied(path), 100_000_000),
    "another version": lambda path: run(path, "PRAGMA user_version = 99"),
    "another database": lambda path: run(path, "PRAGMA application_id = 7"),
}
DAMAGED_RECORDS: dict[str, str] = {
    "an empty record": f"{DOCUMENT} x''",
    "wrong JSON": f"{DOCUMENT} CAST('{{' || CAST(record AS TEXT) AS BLOB)",
    "JSON of something else": f"{DOCUMENT} CAST('[1, 2]' AS BLOB)",
    "another version's record": f"{DOCUMENT} CAST(replace(record, '\"version\": 1', '\"version\": 2') AS BLOB)",
    "a record of 100 MB": f"{DOCUMENT} zeroblob(100000000)",
    "a record that is not UTF-8": f"{DOCUMENT} CAST(replace(record, 'act.', x'fffe') AS BLOB)",
    "a text that is not UTF-8": f"{DOCUMENT} CAST(replace(record, 'act.', x'fffe') AS TEXT)",
    "a number": f"{DOCUMENT} 7",
}


def _emptied(path: Path) -> Path:
    path.write_bytes(b"")
    return path


def run(path: Path, statement: str) -> None:
    """Run an SQL statement on a file, without its store."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


@pytest.mark.parametrize("damage", DAMAGED_FILES)
def test_row_22_a_file_that_is_no_store_of_ours_is_told_and_kept(path: Path, damage: str) -> None:
    """Neither reading nor a new sign-in changes a byte of the file.

    The error says what the file is, and shows no secret.
    """
    saved(path)
    DAMAGED_FILES[damage](path)
    before = path.read_bytes()
    for call in (lambda store: store.load("me"), lambda store: store.save("me", NEWER)):
        with pytest.raises(StoreError) as caught, closing(SqliteTokenStore(path)) as store:
            call(store)
        assert str(path) in str(caught.value)
        assert "canary" not in str(caught.value)
        assert path.read_bytes() == before
    if damage != "another version":
        assert "restore it from a copy, or move it away to start with a new one" in str(caught.value)


@pytest.mark.parametrize("damage", DAMAGED_RECORDS)
def test_row_22_a_record_that_cannot_be_read_is_told_and_kept(path: Path, damage: str) -> None:
    """Only calls for its own account raise an error. Not even a new sign-in replaces the record."""
    saved(path)
    run(path, DAMAGED_RECORDS[damage])
    with closing(SqliteTokenStore(path)) as store:
        store.save("you", NEWER)
        before = path.read_bytes()
        for call in (lambda: store.load("me"), lambda: store.save("me", NEWER)):
            with pytest.raises(StoreError, match=r"record .*it is kept") as caught:
                call()
            assert "canary" not in str(caught.value)
        assert path.read_bytes() == before
        assert store.load("you") == NEWER


def test_row_22_a_name_that_cannot_be_read_is_told(path: Path) -> None:
    """The store lists the name, escaped. By this name it refuses to load the tokens, and can forget them."""
    saved(path)
    run(path, "UPDATE tokens SET account = x'ff'")
    with closing(SqliteTokenStore(path)) as store:
        store.save("you", NEWER)
        assert store.accounts() == ("you", "\udcff")
        with pytest.raises(StoreError, match="damaged name"):
            store.load("\udcff")
        store.delete("\udcff")
        assert store.accounts() == ("you",)


def test_row_22_a_file_cut_anywhere_is_told_or_whole(path: Path) -> None:
    """Any part of the file's end is missing.

    The store loads what was saved or raises an error, and does not change the rest.
    """
    whole = saved(path)
    lost = 0
    for length in range(0, len(whole), 61):
        path.write_bytes(whole[:length])
        try:
            with closing(SqliteTokenStore(path)) as store:
                assert store.load("me") == TOKENS
        except StoreError:
            lost += 1
        assert path.read_bytes() == whole[:length]
    assert lost > 300


@pytest.mark.parametrize("page", range(7))
@pytest.mark.parametrize("fill", [b"\0", b"\xff", b"\xa5"])
def test_row_23_a_corrupt_page_is_told(path: Path, page: int, fill: bytes) -> None:
    """Each call that meets the damaged page raises an error, and tokens beside it are whole."""
    whole = bytearray(saved(path))
    assert len(whole) == 7 * 4096
    whole[page * 4096 : (page + 1) * 4096] = fill * 4096
    path.write_bytes(whole)
    told = 0
    for call in (
        lambda store: store.load("me") == TOKENS,
        lambda store: store.accounts() == ("me",),
        lambda store: store.try_lease("me", owner="a", now=NOW, until=NOW),
    ):
        try:
            with closing(SqliteTokenStore(path)) as store:
                assert call(store)
        except StoreError:
            told += 1
    assert told


def test_row_22_an_encrypted_store_is_told_and_kept() -> None:
    """Any other value in the place of a ciphertext is an error, and the store does not overwrite it."""
    inner = MemoryTokenStore()
    store = EncryptedTokenStore(inner, [KEY])
    store.save("me", TOKENS)
    sealed = inner.load("me")
    assert sealed is not None
    text = sealed.access_token.reveal()
    for damage in ("", "{", text[:50], text[:-1], text.upper(), "act.canary", "\ud83d", "x" * 1_000_000):
        damaged = evolve(sealed, access_token=Secret(damage))
        inner.save("me", damaged)
        for call in (lambda: store.load("me"), lambda: store.save("me", NEWER)):
            with pytest.raises(StoreError) as caught:
                call()
            assert "canary" not in str(caught.value)
        assert inner.load("me") == damaged


# --- Row 23: locks, writers that died, a missing log ------------------------------------------------------------------


@pytest.mark.parametrize("hold", ["IMMEDIATE", "EXCLUSIVE"])
def test_row_23_a_locked_file_is_waited_for_within_bounds(path: Path, hold: str) -> None:
    """Another process writes and does not end. A call waits for its `busy_wait`, and then raises an error.

    A lock that ends within the `busy_wait` is no error.
    """
    saved(path)
    with closing(sqlite3.connect(path, check_same_thread=False)) as other:
        with closing(SqliteTokenStore(path, busy_wait=0.2)) as hasty:
            other.execute(f"BEGIN {hold}")
            with pytest.raises(StoreError, match="locked"):
                hasty.save("me", NEWER)
        soon = threading.Timer(0.1, other.execute, ("ROLLBACK",))
        soon.start()
        with closing(SqliteTokenStore(path, busy_wait=60)) as patient:
            patient.save("me", NEWER)
            soon.join()
            assert patient.load("me") == NEWER


def test_row_23_a_file_that_is_locked_while_tiktok_answers_loses_nothing(path: Path) -> None:
    """TikTok has replaced the refresh token.

    The client goes on trying to save, and holds what it cannot save until it can.
    """

    class Quick(SystemClock):
        def sleep(self, seconds: float, /) -> None:
            super().sleep(seconds / 50)

    with (
        closing(SqliteTokenStore(path, busy_wait=0.05)) as store,
        signed_in(store) as sim,
        closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other,
    ):

        def handle_and_lock(request: Any) -> Any:
            answer = sim.handle(request)
            other.execute("BEGIN IMMEDIATE")
            return answer

        transport = FakeTransport(handle_and_lock)
        tiktok = TikTok(APP, transport=transport, tokens=store, journal=MemoryJournal(), clock=Quick())
        account = tiktok.account()
        soon = threading.Timer(0.3, lambda: other.execute("ROLLBACK"))
        soon.start()
        tokens = account.refresh()
        assert store.load(account.open_id) == tokens
        soon.join()
        with pytest.raises(StoreError, match="in its memory alone") as caught:
            account.refresh()
        assert caught.value.kind == "locked"
        assert store.load(account.open_id) == tokens
        other.execute("ROLLBACK")
        stored = account.tokens()
        assert store.load(account.open_id) == stored != tokens
        assert not sim.world.tokens[stored.refresh_token.reveal()].dead


DIES = """
    import os, signal, sqlite3, sys
    connection = sqlite3.connect(sys.argv[1], isolation_level=None)
    connection.execute("PRAGMA cache_size = 1")
    connection.execute("BEGIN EXCLUSIVE")
    connection.execute("UPDATE tokens SET record = zeroblob(50000)")
    connection.execute("CREATE TABLE spilled (content)")
    connection.execute("INSERT INTO spilled VALUES (zeroblob(500000))")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_row_23_a_killed_writer_is_undone(path: Path) -> None:
    """Half of its transaction is in the file already. The next opener undoes it, and waits for no lock."""
    whole = saved(path)
    command = [sys.executable, "-c", textwrap.dedent(DIES), str(path)]
    assert subprocess.run(command, check=False, timeout=30).returncode == -signal.SIGKILL
    assert path.read_bytes() != whole
    assert (path.parent / "tokens.db-journal").stat().st_size
    with closing(SqliteTokenStore(path, busy_wait=0)) as store:
        assert store.load("me") == TOKENS
        store.save("me", NEWER)
        assert store.load("me") == NEWER


def test_row_23_a_killed_writer_without_its_journal_is_told(path: Path) -> None:
    """Without the journal SQLite cannot undo the half transaction.

    The store raises an error, and never takes it for tokens.
    """
    saved(path)
    subprocess.run([sys.executable, "-c", textwrap.dedent(DIES), str(path)], check=False, timeout=30)
    (path.parent / "tokens.db-journal").unlink()
    with pytest.raises(StoreError), closing(SqliteTokenStore(path)) as store:
        assert store.load("me") == TOKENS


def test_row_23_a_missing_log_is_no_half_of_anything(path: Path) -> None:
    """A tool put the file into WAL mode, and a copy left the log behind.

    The store then gives older tokens, which are whole.
    """
    saved(path)
    copy = path.parent / "copy.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        with closing(SqliteTokenStore(path)) as store:
            store.save("me", NEWER)
            assert store.load("me") == NEWER
            shutil.copyfile(path, copy)
    copy.chmod(0o600)
    with closing(SqliteTokenStore(copy)) as store:
        assert store.load("me") == TOKENS
        store.save("me", NEWER)
        assert store.load("me") == NEWER


# --- Row 24: whose file it is, and who may read it ---------------------------------------------------------------------


def test_row_24_nobody_else_may_read_whatever_the_umask_is(path: Path) -> None:
    """Under umask 000 the folder has mode 0700, and every file has 0600: the store's, its reserve's, and SQLite's."""
    with umask(0), closing(SqliteTokenStore(path)) as store:
        store.save("me", TOKENS)
        store.try_lease("me", owner="a", now=NOW, until=NOW)
        with store._writing() as connection:
            connection.execute("DELETE FROM tokens")
            modes = {file.name: mode(file) for file in path.parent.iterdir()}
    assert modes == dict.fromkeys(("tokens.db", "tokens.db-journal", "tokens.db-reserve"), 0o600)
    assert mode(path.parent) == 0o700


@pytest.mark.parametrize("wide", [0o644, 0o660, 0o604, 0o777])
def test_row_24_a_wide_mode_is_narrowed_and_told(path: Path, wide: int, caplog: pytest.LogCaptureFixture) -> None:
    """The store sets a file that others could read to its owner's alone, and logs a warning."""
    saved(path)
    path.chmod(wide)
    with closing(SqliteTokenStore(path)) as store:
        assert store.load("me") == TOKENS
    assert mode(path) == 0o600
    assert caplog.messages == [f"Token store {path}: other users could read it, so its mode was set to 0600"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_row_24_another_owners_file_is_refused(path: Path) -> None:
    """The file's owner could always read it again."""
    before = saved(path)
    os.chown(path, 12345, -1)
    with pytest.raises(StoreError, match="it belongs to another user"):
        SqliteTokenStore(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("target", ["tokens", "nothing"])
def test_row_24_a_link_is_refused(path: Path, target: str) -> None:
    """The store does not follow a link in the file's place, whether or not it leads to a store."""
    saved(path.parent / "elsewhere" / "tokens")
    path.symlink_to(path.parent / "elsewhere" / target)
    with pytest.raises(StoreError, match="it is not a regular file"):
        SqliteTokenStore(path)
    assert not (path.parent / "elsewhere" / "nothing").exists()


def test_row_24_a_folder_in_which_everybody_may_write_is_refused(path: Path) -> None:
    """In such a folder every user could put another file in its place. In a sticky folder no other user can."""
    path.parent.mkdir()
    path.parent.chmod(0o777)
    with pytest.raises(StoreError, match="every user may replace files in its folder"):
        SqliteTokenStore(path)
    path.parent.chmod(0o1777)
    saved(path)


# --- Row 40: names ----------------------------------------------------------------------------------------------------

NASTY = ("", ".", "..", "../../x", "/etc/passwd", "a/b", "a\\b", "C:\\x", "~", "%2e%2e", "a\0b", "\ud83d", "x" * 5_000)
names = st.one_of(st.sampled_from(NASTY), st.text(), st.text("./\\\0:~%", max_size=20))
STORES: dict[str, Callable[[Path], TokenStore]] = {
    "sqlite": lambda folder: SqliteTokenStore(folder / "tokens.db"),
    "keyring": lambda folder: KeyringTokenStore(
        "app", SqliteTokenStore(folder / "tokens.db"), keychain=MemoryKeychain()
    ),
    "encrypted": lambda folder: EncryptedTokenStore(SqliteTokenStore(folder / "tokens.db"), [KEY]),
}


@pytest.mark.parametrize("kind", STORES)
def test_row_40_a_name_is_a_key_and_never_a_path(kind: str) -> None:
    """Any text is the name of exactly one account, and makes no file."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, "home")
        with closing(STORES[kind](home)) as store:

            @settings(max_examples=15)
            @given(st.lists(names, min_size=1, max_size=4, unique=True))
            def holds(accounts: list[str]) -> None:
                for number, account in enumerate(accounts):
                    store.save(account, evolve(TOKENS, open_id=str(number)))
                    assert store.try_lease(account, owner="a", now=NOW, until=NOW + timedelta(seconds=1))
                assert store.accounts() == tuple(sorted(accounts))
                for number, account in enumerate(accounts):
                    assert store.load(account) == evolve(TOKENS, open_id=str(number))
                    store.release(account, owner="a")
                    store.delete(account)
                assert store.accounts() == ()

            holds()
        assert {file.name for file in home.iterdir()} == {"tokens.db", "tokens.db-reserve"}
        assert list(Path(folder).iterdir()) == [home]


@settings(max_examples=30, deadline=None)
@given(name=names.filter(lambda name: bool(name) and "\0" not in name and not name.startswith("-")))
def test_row_40_an_account_named_on_the_command_line_is_never_a_path(name: str) -> None:
    """Any text after --account or in TIKTOK_ACCOUNT is an account that is signed in or not, and makes no file."""
    with tempfile.TemporaryDirectory() as folder, closing(SimulatedTikTok()) as sim:
        environ = {
            "TIKTOK_CLIENT_KEY": sim.app.client_key,
            "TIKTOK_CLIENT_SECRET": "secret",
            "TIKTOK_REDIRECT_URI": "http://127.0.0.1:*/callback/",
            "TIKTOK_API_URL": "http://127.0.0.1:1",
            "TIKTOK_HOME": str(Path(folder, "home")),
        }
        for arguments in (["--account", name, "whoami"], ["logout", "--forget", "--", name]):
            done = CliRunner().invoke(program, arguments, env=environ)
            assert done.exit_code == (3 if "whoami" in arguments else 0), done.output
        assert list(Path(folder).iterdir()) == []


@settings(max_examples=50, deadline=None)
@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"]), max_size=40))
def test_row_40_an_upload_to_the_sandbox_is_never_a_path(name: str) -> None:
    """The sandbox looks up the name in the address of an upload, and writes no file under it."""
    with tempfile.TemporaryDirectory() as folder, closing(SimulatedTikTok()) as sim:
        before = set(Path(folder).iterdir())
        for path in (
            f"/video/{quote(name)}",
            f"/video/..%2f..{quote(folder)}%2f{quote(name)}",
            f"/video/?upload_id={quote(name)}",
        ):
            headers = {"Content-Range": "bytes 0-3/4", "Content-Type": "video/mp4"}
            url = f"https://open-upload.tiktokapis.com{path}"
            answer = sim.handle(Request(method="PUT", url=url, headers=headers, body=b"film"))
            assert answer.status >= 400
        assert set(Path(folder).iterdir()) == before


@given(st.text(min_size=1).filter(lambda key: key.isascii() and key.isprintable() and " " not in key))
def test_row_40_a_client_key_is_no_file_name(key: str) -> None:
    """For any client key, the file of an app is in the home folder."""
    home = Path("/home")
    file = token_file(home, App(key, "secret", "https://app.example.com/callback/"))
    assert file.parent == home
    assert file.name.isascii()
    assert not set(file.name) & set("/\\:~%")
