"""Journal in one SQLite file, shared by threads and by processes of one machine.

What belongs here: how records and traces lie in the file. `sqlite_file` opens and writes files, and `sqlite_leases` grants
leases.
"""

import sqlite3
from datetime import datetime, timedelta
from typing import Any, Final

from tiktok_adapters.stores.sqlite_file import (
    Layout,
    covered_rows,
    microseconds,
    moment,
    name_bytes,
    name_text,
    names_lying,
)
from tiktok_adapters.stores.sqlite_leases import LEASES, LeasedFile
from tiktok_core.domain.forgetting import Trace, forgetting, lasting, name_digest, name_parts, trace_of
from tiktok_core.domain.journal import Record, learned_chunk
from tiktok_core.errors import LeaseLost
from tiktok_core.hidden import Hidden
from tiktok_core.ports import HasPath
from tiktok_core.wire.records import OtherVersion, dump_record, dump_trace, load_record, load_trace

__all__ = ["SqliteJournal"]

JOURNAL: Final = Layout(
    kind="Journal",
    application_id=0x746A726E,
    version=1,
    tables=(
        """
        CREATE TABLE records (
            name BLOB PRIMARY KEY, created INTEGER NOT NULL, updated INTEGER NOT NULL, ended INTEGER NOT NULL,
            record BLOB NOT NULL
        ) WITHOUT ROWID
        """,
        LEASES,
    ),
    # Older releases do not know these tables, share the file, and remove records by a plain DELETE. So a trigger copies every
    # deleted record to `removed`, until `forget` makes a trace of it. Saves use INSERT OR REPLACE, which does not fire the
    # trigger.
    additions={
        "traces": "CREATE TABLE traces (digest BLOB PRIMARY KEY, trace BLOB NOT NULL) WITHOUT ROWID",
        "seen": "CREATE TABLE seen (at INTEGER NOT NULL)",
        "removed": "CREATE TABLE removed (number INTEGER PRIMARY KEY, name BLOB NOT NULL, record BLOB NOT NULL)",
        "removed_by_name": "CREATE INDEX removed_by_name ON removed (name)",
        "keep_removed": """
        CREATE TRIGGER keep_removed AFTER DELETE ON records
        BEGIN INSERT INTO removed (name, record) VALUES (OLD.name, OLD.record); END
        """,
    },
)
DAMAGED: Final = "it is kept, and 'tiktok uploads --forget' with this key removes it"
NEWER: Final = f"another release wrote it: upgrade to that one; {DAMAGED}"
# The casts: a damaged file may hold anything, and SQLite quotes text that it cannot decode.
LOAD_RECORD: Final = "SELECT CAST(record AS BLOB) FROM records WHERE name = ?"
SAVE_RECORD: Final = """
INSERT OR REPLACE INTO records (name, created, updated, ended, record)
VALUES (:name, :created, :updated, :ended, :record)
"""
LIST_RECORDS: Final = """
SELECT CAST(name AS BLOB), CAST(record AS BLOB) FROM records
WHERE name >= :first AND (:beyond IS NULL OR name < :beyond) AND updated >= :since ORDER BY created, name
"""
NEWEST_NUMBER: Final = "SELECT number FROM leases WHERE name = ?"
OLD_RECORDS: Final = """
SELECT name, CAST(record AS BLOB) FROM records
WHERE (ended OR instr(record, CAST('"stage": "given up"' AS BLOB))) AND updated < :before AND (:after IS NULL OR name > :after) ORDER BY name LIMIT 500
"""
REMOVE_RECORD: Final = "DELETE FROM records WHERE name = ?"
REMOVED: Final = """
SELECT number, CAST(name AS BLOB), CAST(record AS BLOB) FROM removed WHERE number > ? ORDER BY number LIMIT 500
"""
REMOVED_UNDER: Final = "SELECT CAST(record AS BLOB) FROM removed WHERE name = ? ORDER BY number"
END_REMOVED: Final = "DELETE FROM removed WHERE number = ?"
END_REMOVED_UNDER: Final = "DELETE FROM removed WHERE name = ?"
LOAD_TRACE: Final = "SELECT CAST(trace AS BLOB) FROM traces WHERE digest = ?"
SAVE_TRACE: Final = "INSERT OR REPLACE INTO traces (digest, trace) VALUES (?, ?)"
FORGET_LEASES: Final = "DELETE FROM leases WHERE until <= :before AND name NOT IN (SELECT name FROM records)"


class SqliteJournal(LeasedFile):
    """Records and leases in one file of mode 0600. Threads and processes may share it. A forked child must open its own.

    On Linux a lease ends as soon as the process that took it has ended. On other systems, and between machines that share
    the file, it ends only when it expires. The file holds an upload URL until its record is saved without it, and the URL
    is overwritten then.

    Every method may raise `StoreError`, for example when another process locks the file for longer than `busy_wait`.
    Once the journal is closed, every method but `close` raises it. The journal never writes to a damaged file or to a
    file of another kind.

    Args:
        path: the file. If it is missing, it is created, and so is its folder (mode 0700). If other users have any rights
            to the file, its mode is set to 0600.
        busy_wait: seconds to wait while another process writes.

    Raises:
        StoreError: the path is not a file of this kind, belongs to another user, or holds a damaged or newer journal.
    """

    def __init__(self, path: str | HasPath, *, busy_wait: float = 10.0) -> None:
        super().__init__(path, JOURNAL, busy_wait=busy_wait)

    def load(self, name: str, /) -> Record | None:
        """Return the record, or None."""
        with self._connected() as connection:
            rows, *escaped = (covered_rows(connection, LOAD_RECORD, (lying,)) for lying in names_lying(name))
        if not rows and any(escaped):
            raise self._error(f"{_post_of(name)}: damaged name: {DAMAGED}", "damaged")
        return self._read(name, rows[0][0]) if rows else None

    def save(self, record: Record, /, *, fence: int | None) -> None:
        """Store the record under its name, durably and atomically, in place of any earlier one.

        Args:
            record: the record to store.
            fence: the number of the lease under which the caller writes. None writes without checking leases.

        Raises:
            LeaseLost: `fence` is not the number of this post's newest lease. Nothing was written.
        """
        values = self._values(record)

        def save(connection: sqlite3.Connection) -> None:
            # One transaction compares and writes, so that no other owner can take the lease in between.
            if fence is not None and connection.execute(NEWEST_NUMBER, (name_bytes(record.name),)).fetchone() != (
                fence,
            ):
                raise LeaseLost(record.key)
            connection.execute(SAVE_RECORD, values.reveal())

        self._save(save)

    def replace(self, record: Record, /, *, seen: Record) -> bool:
        """Replace the record `seen` without checking leases. Return False, and write nothing, if another one is stored."""
        values = self._values(record)

        def replace(connection: sqlite3.Connection) -> bool:
            rows = covered_rows(connection, LOAD_RECORD, (name_bytes(record.name),))
            if not rows or self._read(record.name, rows[0][0]) != seen:
                return False
            connection.execute(SAVE_RECORD, values.reveal())
            return True

        return self._save(replace)

    def records(
        self, under: str = "", /, *, since: datetime | None = None, until: datetime | None = None
    ) -> tuple[Record, ...]:
        """Return the records under these names, updated since the one time and created until the other, the oldest first.

        Records that cannot be read are left out. `unreadable` returns their names.
        """
        found = (_readable(name, record) for name, record in self._listed(under, since))
        return tuple(record for record in found if record is not None and (until is None or record.created_at <= until))

    def unfinished(self, under: str = "", /, *, due: datetime | None = None) -> tuple[Record, ...]:
        """Return the records of posts that have not ended, the oldest first; with `due`, those that are due for a worker."""
        found = (record for record in self.records(under) if not record.is_ended)
        return tuple(record for record in found if due is None or (record.due_at is not None and record.due_at <= due))

    def of_post(self, publish_id: str, under: str = "", /) -> Record | None:
        """Return the oldest record that has this publish id, or None."""
        return next((record for record in self.records(under) if record.publish_id == publish_id), None)

    def learned(self, app: str, /) -> int | None:
        """Return the chunk size that the app's posts have taught last, or None."""
        found = [(one.updated_at, size) for one in self.records(f"{app}\n") if (size := learned_chunk(one)) is not None]
        return max(found)[1] if found else None

    def unreadable(self, under: str = "", /) -> tuple[str, ...]:
        """Return the sorted names, beginning with `under`, of the records that cannot be read."""
        listed = self._listed(under, None)
        return tuple(sorted(name_text(name) for name, record in listed if _readable(name, record) is None))

    def _listed(self, under: str, since: datetime | None) -> list[tuple[Any, ...]]:
        first = name_bytes(under)
        values = {
            "first": first,
            # It sorts after every name with this prefix, also after a damaged name whose next byte is not valid UTF-8.
            "beyond": first[:-1] + bytes([first[-1] + 1]) if first else None,
            "since": -(2**63) if since is None else microseconds(since),
        }
        with self._connected() as connection:
            return covered_rows(connection, LIST_RECORDS, values)

    def forget(self, now: datetime, /, *, keep: timedelta) -> None:
        """Note the time. Once a day, remove and overwrite the records that ended more than `keep` ago.

        Keep their traces. Also remove leases that expired before then, unless their post has a record. A late holder's
        write is refused.
        """
        with self._connected() as connection:
            # Usually nothing is due, and this check needs no write lock.
            if forgetting(_seen(connection), now, keep) is None:
                return
        with self._writing() as connection:
            due = forgetting(_seen(connection), now, keep)
            if due is None:
                return  # Another process has done it since the check above.
            connection.execute("DELETE FROM seen")
            connection.execute("INSERT INTO seen (at) VALUES (?)", (microseconds(due.seen),))
            if due.before is None:
                return
            before = microseconds(due.before)
            _remove_ended(connection, before)
            _trace_removed(connection)
            connection.execute(FORGET_LEASES, {"before": before})

    def remove(self, name: str, /) -> bool:
        """Remove and overwrite this record, but keep its trace. A readable record that has not ended stays: return False."""
        return self._save(lambda connection: any(_removed(connection, name, lying) for lying in names_lying(name)))

    def trace(self, name: str, /) -> Trace | None:
        """Return the trace of the removed record of this name, or None."""
        with self._connected() as connection:
            found = _trace(connection, name)
            # Include records that another release has removed since the latest `forget`.
            for lying in names_lying(name):
                for (record,) in covered_rows(connection, REMOVED_UNDER, (lying,)):
                    found = lasting(found, _trace_of(name, record))
        return found

    def try_lease(
        self, name: str, /, *, owner: str, now: datetime, until: datetime, by_force: bool = False
    ) -> int | None:
        """Take or renew the lease until `until`. Return its number, or None while another owner's lease is valid at `now`.

        The number stays the same until the owner releases the lease or another owner takes it, which `by_force` always does.
        """
        return self._take(name, owner=owner, now=now, until=until, by_force=by_force)

    def _values(self, record: Record) -> Hidden[dict[str, Any]]:
        document = Hidden(dump_record(record))
        if record.upload_url is not None:
            document = Hidden(self._wipeable(document.reveal()))
        return Hidden(
            {
                "name": name_bytes(record.name),
                "created": microseconds(record.created_at),
                "updated": microseconds(record.updated_at),
                # Releases without this stage would remove a record that has ended, and begin its post again.
                "ended": record.is_ended and not record.is_given_up,
                "record": document.reveal(),
            }
        )

    def _read(self, name: str, record: Hidden[bytes]) -> Record:
        try:
            return _known(name_bytes(name), record)
        except ValueError as error:
            advice = NEWER if isinstance(error, OtherVersion) else DAMAGED
            raise self._unreadable(f"{_post_of(name)}: {error}: {advice}", error) from None


def _post_of(name: str) -> str:
    _, account, key = name_parts(name)
    return f"post {key!r} of account {account!r}"


def _known(name: object, record: Hidden[bytes]) -> Record:
    """Return the record that is stored under this name.

    Raises:
        ValueError: the record is damaged, or another release wrote it (`OtherVersion`). A record that holds another name
            than the one it is stored under is damaged: a lookup by its own name would not find it.
    """
    known = load_record(record)
    if name_bytes(known.name) != name:
        raise ValueError("damaged record (it is under another post's name)")
    return known


def _readable(name: object, record: Hidden[bytes]) -> Record | None:
    try:
        return _known(name, record)
    except ValueError:
        return None


def _seen(connection: sqlite3.Connection) -> datetime | None:
    row = connection.execute("SELECT max(CAST(at AS INTEGER)) FROM seen").fetchone()
    try:
        return None if row[0] is None else moment(row[0])
    except OverflowError:  # A damaged file may hold anything.
        return None


def _trace(connection: sqlite3.Connection, name: str) -> Trace | None:
    row = connection.execute(LOAD_TRACE, (bytes.fromhex(name_digest(name)),)).fetchone()
    if row is None:
        return None
    try:
        return load_trace(row[0])
    except ValueError:
        # The trace proves that there was a post, though its details cannot be read.
        return Trace(digest=name_digest(name), end=None)


def _trace_of(name: str, record: Hidden[bytes]) -> Trace:
    known = _readable(name_bytes(name), record)
    return Trace(digest=name_digest(name), end=None) if known is None else trace_of(known)


def _leave(connection: sqlite3.Connection, name: str, trace: Trace) -> None:
    kept = dump_trace(lasting(_trace(connection, name), trace))
    connection.execute(SAVE_TRACE, (bytes.fromhex(trace.digest), kept))


def _remove_ended(connection: sqlite3.Connection, before: int) -> None:
    after = None
    while rows := covered_rows(connection, OLD_RECORDS, {"before": before, "after": after}):
        # Leave a record that another release wrote: only that release can read its details for the trace.
        connection.executemany(REMOVE_RECORD, [(name,) for name, record in rows if _readable(name, record) is not None])
        after = rows[-1][0]


def _trace_removed(connection: sqlite3.Connection) -> None:
    after = -1
    while rows := covered_rows(connection, REMOVED, (after,)):
        for number, name, record in rows:
            # Leave an unreadable record: the newer release that wrote it can make a better trace of it.
            if _readable(name, record) is not None:
                _leave(connection, name_text(name), _trace_of(name_text(name), record))
                connection.execute(END_REMOVED, (number,))
        after = rows[-1][0]


def _removed(connection: sqlite3.Connection, name: str, lying: bytes) -> bool:
    rows = covered_rows(connection, LOAD_RECORD, (lying,))
    known = _readable(lying, rows[0][0]) if rows else None
    if not rows or (known is not None and not known.is_ended):
        return False
    connection.execute(REMOVE_RECORD, (lying,))
    for (record,) in covered_rows(connection, REMOVED_UNDER, (lying,)):
        _leave(connection, name, _trace_of(name, record))
    connection.execute(END_REMOVED_UNDER, (lying,))
    return True
