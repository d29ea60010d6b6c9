"""A token store in one SQLite file, shared by threads and by processes of one machine.

What belongs here: how tokens and leases lie in the file, and how the file is kept from other people. The tokens are not
encrypted: the file is readable by its owner only.
"""

import os
import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NoReturn

from tiktok_core.domain.tokens import Tokens
from tiktok_core.errors import StoreError
from tiktok_core.ports import HasPath
from tiktok_core.wire.records import dump_tokens, load_tokens

__all__ = ["SqliteTokenStore"]

SCHEMA: Final = 1
TABLES: Final = (
    "CREATE TABLE tokens (account BLOB PRIMARY KEY, record BLOB NOT NULL) WITHOUT ROWID",
    "CREATE TABLE leases (account BLOB PRIMARY KEY, owner TEXT NOT NULL, until INTEGER NOT NULL) WITHOUT ROWID",
)
TAKE_LEASE: Final = """
INSERT INTO leases (account, owner, until) VALUES (:account, :owner, :until)
ON CONFLICT (account) DO UPDATE SET owner = excluded.owner, until = excluded.until
WHERE leases.owner = excluded.owner OR leases.until <= :now
"""
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
EVERYBODY_ELSE: Final = stat.S_IRWXG | stat.S_IRWXO

_preparing = threading.Lock()


class SqliteTokenStore:
    """Tokens and leases in one file of mode 0600. Threads and processes may share it; a forked child opens its own.

    Every method may raise `StoreError`: also when the file stays locked for longer than `busy_wait`, and, but for
    `close`, once the store is closed. A file that is not ours, or is damaged, is never written to.

    Args:
        path: the file. It is created when missing, and so is its folder (mode 0700). A wider mode of the file is
            narrowed to 0600.
        busy_wait: seconds to wait while another process writes.

    Raises:
        StoreError: the path names something else, another user's file, or a damaged or newer store.
    """

    def __init__(self, path: str | HasPath, *, busy_wait: float = 10.0) -> None:
        self._path = Path(os.path.abspath(path))  # noqa: PTH100 - `Path.absolute` keeps "..", which may move later
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._connection: sqlite3.Connection | None = None
        with self._typed():
            with _preparing:
                self._prepare_file()
            self._connection = sqlite3.connect(
                self._path, timeout=busy_wait, isolation_level=None, check_same_thread=False
            )
        try:
            self._prepare_schema()
        except BaseException:
            self.close()
            raise

    def load(self, account: str, /) -> Tokens | None:
        """Return the account's tokens, or None."""
        with self._reading() as connection:
            row = connection.execute("SELECT record FROM tokens WHERE account = ?", (_key(account),)).fetchone()
        if row is None:
            return None
        try:
            return load_tokens(row[0])
        except ValueError as error:
            raise self._error(str(error)) from None

    def save(self, account: str, tokens: Tokens, /) -> None:
        """Keep the tokens, durably and as a whole, in place of what was there."""
        self._write(
            "INSERT OR REPLACE INTO tokens (account, record) VALUES (?, ?)", (_key(account), dump_tokens(tokens))
        )

    def delete(self, account: str, /) -> None:
        """Forget the account's tokens and overwrite them; nothing happens when it is unknown."""
        self._write("DELETE FROM tokens WHERE account = ?", (_key(account),))

    def accounts(self) -> tuple[str, ...]:
        """Return the names of all accounts that have tokens, sorted."""
        with self._reading() as connection:
            rows = connection.execute("SELECT account FROM tokens").fetchall()
        return tuple(sorted(row[0].decode("utf-8", "surrogatepass") for row in rows))

    def try_lease(self, account: str, /, *, owner: str, now: datetime, until: datetime) -> bool:
        """Take or renew the lease until `until`; False while another owner's has not run out at `now`."""
        wish = {"account": _key(account), "owner": owner, "now": _microseconds(now), "until": _microseconds(until)}
        return self._write(TAKE_LEASE, wish) == 1

    def release(self, account: str, /, *, owner: str) -> None:
        """Give the lease back; nothing happens when `owner` does not hold it."""
        self._write("DELETE FROM leases WHERE account = ? AND owner = ?", (_key(account), owner))

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def __repr__(self) -> str:
        return f"SqliteTokenStore({str(self._path)!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an open token store is not pickled: open it again by its path")

    # --- Calls -------------------------------------------------------------------------------------------------------

    def _write(self, statement: str, values: Any) -> int:
        with self._reading() as connection, _transaction(connection):
            return connection.execute(statement, values).rowcount

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._typed():
            if self._connection is None:
                raise self._error("it is closed")
            if os.getpid() != self._pid:
                # SQLite's locks do not survive a fork: using the connection could damage the file.
                raise self._error("it was opened by another process: open it again after the fork")
            yield self._connection

    @contextmanager
    def _typed(self) -> Iterator[None]:
        """Map what SQLite and the file system raise to `StoreError`: this is the one place."""
        try:
            yield
        except sqlite3.Error as error:
            raise self._error(str(error)) from None
        except OSError as error:
            raise self._error((error.strerror or type(error).__name__).lower()) from None
        except ValueError:
            raise self._error("the path holds a NUL character") from None

    def _error(self, reason: str) -> StoreError:
        return StoreError(f"Token store {self._path}", reason)

    # --- Opening -----------------------------------------------------------------------------------------------------

    def _prepare_file(self) -> None:
        folder = self._path.parent
        if not folder.exists():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)  # An odd umask may have taken even the owner's rights.
        if folder.stat().st_mode & (stat.S_IWOTH | stat.S_ISVTX) == stat.S_IWOTH:
            raise self._error("everybody may replace files in its folder")
        try:
            found = self._path.lstat()
        except FileNotFoundError:
            self._create_file()
        else:
            self._check_file(found)

    def _create_file(self) -> None:
        # Created by us and not by SQLite, so that it is never readable by others, not even for a moment.
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:  # Another process was faster.
            self._check_file(self._path.lstat())
            return
        os.close(fd)
        self._path.chmod(0o600)

    def _check_file(self, found: os.stat_result) -> None:
        # The file is not opened here: closing a descriptor would drop the locks that SQLite holds in this process.
        if not stat.S_ISREG(found.st_mode):
            raise self._error("it is not a regular file")
        if hasattr(os, "geteuid") and found.st_uid != os.geteuid():
            raise self._error("it belongs to another user")
        if found.st_mode & EVERYBODY_ELSE:
            self._path.chmod(0o600)

    def _prepare_schema(self) -> None:
        with self._reading() as connection:
            if self._version(connection) == 0:
                with _transaction(connection):
                    self._create_tables(connection)
            if (version := self._version(connection)) != SCHEMA:
                raise self._error(f"it has version {version}, and this release reads version {SCHEMA}")
            # EXTRA also waits until the folder is on the disk: without that, a commit may be undone by a power cut.
            connection.execute("PRAGMA synchronous = EXTRA")
            connection.execute("PRAGMA secure_delete = ON")

    def _create_tables(self, connection: sqlite3.Connection) -> None:
        if self._version(connection) != 0:  # Another process was faster.
            return
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise self._error("it is a database of something else")
        for table in TABLES:
            connection.execute(table)
        connection.execute(f"PRAGMA user_version = {SCHEMA}")

    @staticmethod
    def _version(connection: sqlite3.Connection) -> int:
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        return version


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    # IMMEDIATE takes the write lock at once: two readers that both want to write would wait for each other.
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _key(account: str) -> bytes:
    # Bytes, because SQLite's text ends at a NUL and cannot hold a lone surrogate.
    return account.encode("utf-8", "surrogatepass")


def _microseconds(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)
