"""One SQLite file of ours: how it is opened, kept from other people, told from other files, and written as a whole.

What belongs here: whatever is the same for every store in such a file. Nothing is encrypted: its owner alone may read it.
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
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar
from weakref import WeakSet

from attrs import field, frozen

from tiktok_adapters.stores.reserve import Reserve
from tiktok_core.errors import StoreError, StoreTrouble
from tiktok_core.hidden import Hidden
from tiktok_core.ports import HasPath
from tiktok_core.wire.records import OtherVersion

__all__ = ["Layout", "SqliteFile", "covered_rows", "microseconds", "moment", "name_bytes", "name_text", "names_lying"]

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
EVERYBODY_ELSE: Final = stat.S_IRWXG | stat.S_IRWXO
HAS_MODES: Final = hasattr(os, "geteuid")
"""Whether a mode says who may do what. On Windows it does not, and every folder's is wide open."""
NO_ROOM: Final = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
"""How SQLite says that the disk, a quota or the table of files is full."""
KINDS: Final[dict[int, StoreTrouble]] = {
    sqlite3.SQLITE_BUSY: "locked",
    sqlite3.SQLITE_LOCKED: "locked",
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_CORRUPT: "damaged",
    sqlite3.SQLITE_NOTADB: "damaged",
}
FULL: Final = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
ADVICE: Final = "put a copy in its place, or move it away to begin anew"
UNFINISHED: Final = ".new-"
FORK_WAIT: Final = 2.0

log: Final = logging.getLogger("tiktok_core")
T = TypeVar("T")

_preparing = threading.Lock()
_files: "WeakSet[SqliteFile]" = WeakSet()


@frozen(kw_only=True)
class Layout:
    """What is in a file.

    Attributes:
        kind: what the file is, in words, for errors.
        application_id: SQLite's mark of whose file it is; tells one kind from another.
        version: of the tables.
        tables: the statements that make them.
        upgrades: for an older version, the statements that make this one of it.
        additions: what came later without another version, because releases that do not know it lose nothing by it: the
            name of each table, index or trigger, and the statement that makes it.
        is_durable: whether what is written has to outlive a power cut.
    """

    kind: str
    application_id: int
    version: int
    tables: tuple[str, ...]
    upgrades: Mapping[int, tuple[str, ...]] = field(factory=dict)
    additions: Mapping[str, str] = field(factory=dict)
    is_durable: bool = True


class SqliteFile:
    """A file of mode 0600. Threads and processes may share it; a forked child opens its own.

    Every method of a store in it may raise `StoreError`: also when the file stays locked for longer than `busy_wait`,
    and, but for `close`, once the store is closed. A file that is not ours, or is damaged, is never written to.

    Args:
        path: the file. It is created when missing, and so is its folder (mode 0700). A wider mode of the file is
            narrowed to 0600.
        layout: what is in it.
        busy_wait: seconds to wait while another process writes.

    Raises:
        StoreError: the path names something else, another user's file, or a damaged or newer store.
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
        # In a forked child, somebody who did not come along may have the lock for ever.
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
        """Do the work inside a transaction; once more in the room that is held for it, when there is no other."""
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
        """Give the connection inside a transaction that nobody else can come between."""
        with self._connected() as connection, _transaction(connection):
            yield connection

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        if os.getpid() != self._pid:
            # SQLite's locks do not survive a fork: using the connection could damage the file.
            raise self._error("it was opened by another process: open it again after the fork", "closed")
        with self._lock, self._typed():
            if self._connection is None:
                raise self._error("it is closed", "closed")
            yield self._connection

    def _hold_room(self) -> None:
        """See that there is room for what will have to be saved, while nothing is at stake yet."""
        with self._typed():
            self._reserve.hold()

    @contextmanager
    def _typed(self) -> Iterator[None]:
        """Map what SQLite and the file system raise to `StoreError`: this is the one place."""
        try:
            yield
        except sqlite3.Error as error:
            kind = KINDS.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, "failed")
            raise self._error(f"{error}: {ADVICE}" if kind == "damaged" else str(error), kind) from None
        except OSError as error:
            kind = "full" if error.errno in FULL else "failed"
            raise self._error((error.strerror or type(error).__name__).lower(), kind) from None

    def _wipeable(self, document: bytes) -> bytes:
        """Return a JSON document in a form of which nothing is left in the file once its row is deleted.

        A row begins in a page of the tree, of which SQLite leaves old copies behind when it moves rows about, even with
        secure_delete. What does not fit there goes to pages of its own, which are never moved and are overwritten when
        they are given up. So blanks, which JSON does not mind, take the place in the tree.
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
            folder.chmod(0o700)  # An odd umask may have taken even the owner's rights.
        if HAS_MODES and folder.stat().st_mode & (stat.S_IWOTH | stat.S_ISVTX) == stat.S_IWOTH:
            raise self._error("everybody may replace files in its folder", "foreign")
        if not os.path.lexists(self._path):
            self._create_file()
        self._sweep()
        self._check_file(self._path.lstat())

    def _create_file(self) -> None:
        # Made whole in a folder of its own, and then put in its place: nobody ever sees half of it, so that an empty file
        # there is one that has lost what was in it, and no beginning.
        try:
            with tempfile.TemporaryDirectory(prefix=self._unfinished, dir=self._path.parent) as folder:
                Path(folder).chmod(0o700)  # An odd umask, as above.
                made = Path(folder, self._path.name)
                with closing(sqlite3.connect(made, isolation_level=None)) as connection, _transaction(connection):
                    for statement in (
                        *self._layout.tables,
                        *self._layout.additions.values(),
                        f"PRAGMA application_id = {self._layout.application_id}",
                        f"PRAGMA user_version = {self._layout.version}",
                    ):
                        connection.execute(statement)
                made.chmod(0o600)
                _put(made, self._path)
        except (OSError, sqlite3.Error):
            if not os.path.lexists(self._path):
                raise
            # Another process was faster, and has swept ours.

    def _sweep(self) -> None:
        # Also what died after the file had got its place: there it is still known by a second name.
        with suppress(OSError):
            for left in self._path.parent.iterdir():
                if left.name.startswith(self._unfinished):
                    shutil.rmtree(left, ignore_errors=True)

    def _check_file(self, found: os.stat_result) -> None:
        # The file is not opened here: closing a descriptor would drop the locks that SQLite holds in this process.
        if not stat.S_ISREG(found.st_mode):
            raise self._error("it is not a regular file", "foreign")
        if hasattr(os, "geteuid") and found.st_uid != os.geteuid():
            raise self._error("it belongs to another user", "foreign")
        if not found.st_size:
            raise self._error(f"it is empty, and what was in it is lost: {ADVICE}", "damaged")
        if HAS_MODES and found.st_mode & EVERYBODY_ELSE:
            log.warning("%s %s could be read by others: its mode is 0600 again", self._layout.kind, self._path)
            self._path.chmod(0o600)

    def _prepare_connection(self) -> None:
        with self._connected() as connection:
            version = _pragma(connection, "user_version")
            if version == 0 or _pragma(connection, "application_id") != self._layout.application_id:
                raise self._error(f"it is a database of something else: {ADVICE}", "foreign")
            if version != self._layout.version and version not in self._layout.upgrades:
                said = f"it has version {version}, and this release reads version {self._layout.version}"
                raise self._error(said, "version")
            # EXTRA also waits until the folder is on the disk: without that, a commit may be undone by a power cut.
            connection.execute(f"PRAGMA synchronous = {'EXTRA' if self._layout.is_durable else 'OFF'}")
            connection.execute("PRAGMA secure_delete = ON")
            self._page_size = _pragma(connection, "page_size")
            if version != self._layout.version:
                self._upgrade(connection)
            if self._lacking(connection):
                with _transaction(connection):
                    # Asked once more: another process may have been faster.
                    for statement in self._lacking(connection):
                        connection.execute(statement)

    def _lacking(self, connection: sqlite3.Connection) -> list[str]:
        there = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        return [statement for name, statement in self._layout.additions.items() if name not in there]

    def _upgrade(self, connection: sqlite3.Connection) -> None:
        with _transaction(connection):
            version = _pragma(connection, "user_version")  # Another process may have been faster.
            for statement in self._layout.upgrades.get(version, ()):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {self._layout.version}")


def name_bytes(name: str) -> bytes:
    """Return how a name lies in a file: SQLite's own text ends at a NUL and cannot hold a lone surrogate."""
    return name.encode("utf-8", "surrogatepass")


def name_text(lying: bytes) -> str:
    """Return the name that lies in a file. The bytes of a damaged one that are no text are escaped."""
    try:
        return lying.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return lying.decode("utf-8", "surrogateescape")


def names_lying(name: str) -> tuple[bytes, ...]:
    """Return the bytes as which a name may lie in a file: first as it is written, then as damage that `name_text` escaped."""
    written = name_bytes(name)
    try:
        escaped = name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return (written,)
    return (written,) if escaped == written else (written, escaped)


def microseconds(moment: datetime) -> int:
    """Return how a moment lies in a file: microseconds since 1970 (UTC)."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def moment(lying: int) -> datetime:
    """Return the moment that lies in a file as `microseconds`."""
    return EPOCH + timedelta(microseconds=lying)


def covered_rows(connection: sqlite3.Connection, statement: str, values: Any) -> list[tuple[Any, ...]]:
    """Return the rows that a statement finds. Their last column, which holds the secrets, is covered by `Hidden`."""
    return [(*row[:-1], Hidden(row[-1])) for row in connection.execute(statement, values).fetchall()]


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value


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


def _put(made: Path, place: Path) -> None:
    """Give a finished file its place, unless there is one; another process may have been faster."""
    try:
        os.link(made, place)
    except FileExistsError:
        return
    except OSError:  # A file system without hard links.
        if not os.path.lexists(place):
            made.rename(place)


def _before_fork() -> None:
    # A child must not inherit a transaction: closing its copy of the connection would undo what we have committed since.
    # Not for ever: it may be a signal's handler that forks, in the midst of a transaction of its own thread.
    locks = (_preparing, *(file._lock for file in list(_files)))  # noqa: SLF001 - it is this module's own
    _held.extend(lock for lock in locks if lock.acquire(timeout=FORK_WAIT))


def _after_fork() -> None:
    while _held:
        _held.pop().release()


_held: list[threading.Lock] = []
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
