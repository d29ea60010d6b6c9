"""One SQLite file: opening it, hiding it from other users, recognising other kinds of file, and atomic writes.

What belongs here: the code that all stores in SQLite files share. The file is not encrypted, but only its owner may read it.
"""

import errno
import logging
import os
import shutil
import sqlite3
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar
from weakref import WeakSet

from attrs import field, frozen

from tiktok_adapters.stores.reserve import Reserve
from tiktok_adapters.stores.sqlite_moved import refusal
from tiktok_adapters.stores.sqlite_troubles import kind_of
from tiktok_core.errors import StoreError, StoreTrouble
from tiktok_core.hidden import Hidden
from tiktok_core.ports import HasPath
from tiktok_core.wire.records import OtherVersion

__all__ = ["Layout", "SqliteFile", "covered_rows"]

EVERYBODY_ELSE: Final = stat.S_IRWXG | stat.S_IRWXO
HAS_MODES: Final = hasattr(os, "geteuid")
"""Whether file modes grant rights. On Windows they do not, and every folder seems open to all."""
NO_ROOM: Final = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
"""SQLite's error codes when the disk, a quota or the table of open files is full."""
FULL: Final = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
ADVICE: Final = "restore it from a copy, or move it away to start with a new one"
UNFINISHED: Final = ".new-"
ADDING_WAIT: Final = 60_000
"""Milliseconds to wait, at least, while another process adds to a file what this release needs."""
FORK_WAIT: Final = 2.0

log: Final = logging.getLogger("tiktok_core")
T = TypeVar("T")

_preparing = threading.Lock()
_files: "WeakSet[SqliteFile]" = WeakSet()


@frozen(kw_only=True)
class Layout:
    """The content of a file.

    Attributes:
        kind: the name of this kind of file, for errors.
        application_id: SQLite's field for the program that owns the file. Each kind of file has another one.
        version: the version of the tables.
        tables: the statements that create the tables.
        upgrades: for each older version, the statements that turn its tables into those of this version.
        also_reads: later versions with the same tables, which a store writes so that older releases stop.
        additions: tables, indexes and triggers that were added without a new version, because releases that do not know
            them still work with the file. Maps each name to the statements that create it, and fill it.
        functions: the functions of one value that `additions` need to fill something, by their names.
        is_durable: whether writes must survive a power cut.
    """

    kind: str
    application_id: int
    version: int
    tables: tuple[str, ...]
    upgrades: Mapping[int, tuple[str, ...]] = field(factory=dict)
    also_reads: tuple[int, ...] = ()
    additions: Mapping[str, tuple[str, ...]] = field(factory=dict)
    functions: Mapping[str, Callable[[Any], Any]] = field(factory=dict)
    is_durable: bool = True

    def reads(self, version: int) -> bool:
        """Whether this release works with a file of this version, after an upgrade if need be."""
        return version in {self.version, *self.also_reads, *self.upgrades}

    @property
    def versions(self) -> str:
        """The versions of the tables that this release knows, in words."""
        known = " and ".join(map(str, (self.version, *self.also_reads)))
        return f"version{'s' if self.also_reads else ''} {known}"


class SqliteFile:
    """A file of mode 0600. Threads and processes may share it. A forked child must open its own.

    Every method of a store in it may raise `StoreError`, for example when another process locks the file for longer than
    `busy_wait`. Once the store is closed, every method but `close` raises it. The store never writes to a damaged file or to
    a file of another kind.

    Args:
        path: the file. If it is missing, it is created, and so is its folder (mode 0700). If other users have any rights
            to the file, its mode is set to 0600.
        layout: the content of the file.
        busy_wait: seconds to wait while another process writes.

    Raises:
        StoreError: the path is not a file of this kind, belongs to another user, or holds a damaged or newer store.
    """

    def __init__(self, path: str | HasPath, layout: Layout, *, busy_wait: float) -> None:
        if "\0" in os.fspath(path):  # Before `abspath`, which may cut the path there.
            raise StoreError(layout.kind, "the path holds a NUL character", "foreign")
        self._layout = layout
        self._path = Path(os.path.abspath(path))  # noqa: PTH100 - `Path.absolute` keeps "..", which may move later
        self._unfinished = f"{self._path.name}{UNFINISHED}"
        self._reserve = Reserve(self._path.with_name(f"{self._path.name}-reserve"))
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._connection: sqlite3.Connection | None = None
        with self._typed():
            with _preparing:
                self._prepare_file()
                _files.add(self)
            self._connection = sqlite3.connect(
                self._path, timeout=busy_wait, isolation_level=None, check_same_thread=False
            )
        try:
            self._prepare_connection()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        # In a forked child, the lock may belong to a thread that does not exist there: so do not wait for it.
        if not self._lock.acquire(timeout=-1 if os.getpid() == self._pid else 0):
            return
        try:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
        finally:
            self._lock.release()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self._path)!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an open store is not pickled: open it again by its path")

    # --- For the stores ----------------------------------------------------------------------------------------------

    def _write(self, statement: str, values: Any) -> int:
        """Run one statement as a transaction, and return how many rows it changed."""
        return self._save(lambda connection: connection.execute(statement, values).rowcount)

    def _save(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do the work inside a transaction. If the disk is full, give up the reserve and do it once more."""
        with self._connected() as connection:
            try:
                with _transaction(connection):
                    return work(connection)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF not in NO_ROOM or not self._reserve.give_up():
                    raise
            with _transaction(connection):
                return work(connection)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Give the connection inside a transaction, during which no other connection can write."""
        with self._connected() as connection, _transaction(connection):
            yield connection

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """Give the open connection, to one thread at a time, for reading or writing."""
        if os.getpid() != self._pid:
            # SQLite's locks do not survive a fork: using the connection could damage the file.
            raise self._error("another process opened it: open it again after the fork", "closed")
        with self._lock, self._typed():
            if self._connection is None:
                raise self._error("it is closed", "closed")
            yield self._connection

    def _hold_room(self) -> None:
        """Reserve disk space for a later save, before the action whose result it saves."""
        with self._typed():
            self._reserve.hold()

    @contextmanager
    def _typed(self) -> Iterator[None]:
        """Turn errors of SQLite and of the file system into `StoreError`. No other code does."""
        try:
            yield
        except sqlite3.Error as error:
            kind = kind_of(error)
            raise self._error(f"{error}: {ADVICE}" if kind == "damaged" else str(error), kind) from None
        except OSError as error:
            kind = "full" if error.errno in FULL else "failed"
            raise self._error((error.strerror or type(error).__name__).lower(), kind) from None

    def _wipeable(self, document: bytes) -> bytes:
        """Pad a JSON document, so that no byte of it remains in the file once its row is deleted.

        SQLite puts the beginning of a row into a page of its tree, and leaves old copies of that page behind when it moves
        rows, even with secure_delete. The rest goes to overflow pages, which are never moved, and which SQLite overwrites when
        it frees them. So blanks, which JSON allows, fill the part in the tree.
        """
        return b" " * self._page_size + document

    def _error(self, reason: str, kind: StoreTrouble = "failed") -> StoreError:
        return StoreError(f"{self._layout.kind} {self._path}", reason, kind)

    def _unreadable(self, said: str, error: ValueError) -> StoreError:
        return self._error(said, "version" if isinstance(error, OtherVersion) else "damaged")

    # --- Opening -----------------------------------------------------------------------------------------------------

    def _prepare_file(self) -> None:
        folder = self._path.parent
        if not folder.exists():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)  # The umask may deny rights even to the owner.
        if HAS_MODES and folder.stat().st_mode & (stat.S_IWOTH | stat.S_ISVTX) == stat.S_IWOTH:
            raise self._error(
                "every user may replace files in its folder: take that right away, or choose another folder", "foreign"
            )
        if not os.path.lexists(self._path):
            self._create_file()
        self._sweep()
        self._check_file(self._path.lstat())

    def _create_file(self) -> None:
        # Create the file in a temporary folder, and move it to its place when it is complete. So no process ever sees half a
        # file, and an empty file at the path is a file that has lost its content, never one that is being created.
        try:
            with tempfile.TemporaryDirectory(prefix=self._unfinished, dir=self._path.parent) as folder:
                Path(folder).chmod(0o700)  # The umask, as above.
                made = Path(folder, self._path.name)
                with closing(sqlite3.connect(made, isolation_level=None)) as connection, _transaction(connection):
                    for statement in (
                        *self._layout.tables,
                        f"PRAGMA application_id = {self._layout.application_id}",
                        f"PRAGMA user_version = {self._layout.version}",
                    ):
                        connection.execute(statement)
                    self._add(connection)
                made.chmod(0o600)
                _put(made, self._path)
        except (OSError, sqlite3.Error):
            if not os.path.lexists(self._path):
                raise
            # Another process has created the file, and its `_sweep` has removed our temporary folder.

    def _sweep(self) -> None:
        # This also removes the second name that a process leaves if it dies after it has put the file in its place.
        with suppress(OSError):
            for left in self._path.parent.iterdir():
                if left.name.startswith(self._unfinished):
                    shutil.rmtree(left, ignore_errors=True)

    def _check_file(self, found: os.stat_result) -> None:
        # Do not open the file here: closing a descriptor would drop the locks that SQLite holds in this process.
        if not stat.S_ISREG(found.st_mode):
            raise self._error("it is not a regular file", "foreign")
        if hasattr(os, "geteuid") and found.st_uid != os.geteuid():
            raise self._error("it belongs to another user", "foreign")
        if not found.st_size:
            raise self._error(f"it is empty, so its content is lost: {ADVICE}", "damaged")
        if HAS_MODES and found.st_mode & EVERYBODY_ELSE:
            log.warning("%s %s: other users could read it, so its mode was set to 0600", self._layout.kind, self._path)
            self._path.chmod(0o600)

    def _prepare_connection(self) -> None:
        with self._connected() as connection:
            version = _pragma(connection, "user_version")
            if version == 0 or _pragma(connection, "application_id") != self._layout.application_id:
                raise self._error(f"it is another kind of database: {ADVICE}", "foreign")
            if not self._layout.reads(version):
                raise self._error(*refusal(connection, version, self._layout.versions))
            # EXTRA also syncs the folder to the disk. Without that, a power cut may undo a commit.
            connection.execute(f"PRAGMA synchronous = {'EXTRA' if self._layout.is_durable else 'OFF'}")
            connection.execute("PRAGMA secure_delete = ON")
            self._page_size = _pragma(connection, "page_size")
            if version in self._layout.upgrades:
                self._upgrade(connection)
            if self._lacking(connection):
                patience = _pragma(connection, "busy_timeout")
                connection.execute(f"PRAGMA busy_timeout = {max(patience, ADDING_WAIT)}")
                with _transaction(connection):
                    self._add(connection)
                connection.execute(f"PRAGMA busy_timeout = {patience}")

    def _add(self, connection: sqlite3.Connection) -> None:
        # Inside the transaction it is asked again what is lacking: another process may have added it since.
        for name, function in self._layout.functions.items():
            connection.create_function(name, 1, function)
        for statement in self._lacking(connection):
            connection.execute(statement)

    def _lacking(self, connection: sqlite3.Connection) -> list[str]:
        there = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        return [one for name, statements in self._layout.additions.items() if name not in there for one in statements]

    def _upgrade(self, connection: sqlite3.Connection) -> None:
        with _transaction(connection):
            version = _pragma(connection, "user_version")  # Another process may have upgraded it since.
            for statement in self._layout.upgrades.get(version, ()):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {self._layout.version}")


def covered_rows(connection: sqlite3.Connection, statement: str, values: Any) -> list[tuple[Any, ...]]:
    """Return the rows that a statement finds, with the last column, which may hold secrets, wrapped in `Hidden`."""
    return [(*row[:-1], Hidden(row[-1])) for row in connection.execute(statement, values).fetchall()]


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    # IMMEDIATE takes the write lock at once. Otherwise two readers that both want to write would deadlock.
    try:
        # Inside the `try`, because Ctrl-C during this wait is raised after the transaction has begun.
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _put(made: Path, place: Path) -> None:
    """Move a finished file to its place, unless another process has put one there."""
    try:
        os.link(made, place)
    except FileExistsError:
        return
    except OSError:  # A file system without hard links.
        if not os.path.lexists(place):
            made.rename(place)


def _before_fork() -> None:
    # A child must not inherit a transaction: when it closes its copy of the connection, it would undo later commits of this
    # process. Wait no longer than FORK_WAIT: a signal handler may fork while its own thread holds a lock.
    locks = (_preparing, *(file._lock for file in list(_files)))  # noqa: SLF001 - the class is in this module
    _held.extend(lock for lock in locks if lock.acquire(timeout=FORK_WAIT))


def _after_fork() -> None:
    while _held:
        _held.pop().release()


_held: list[threading.Lock] = []
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
