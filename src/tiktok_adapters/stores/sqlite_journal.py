"""Journal in one SQLite file, shared by threads and by processes of one machine.

What belongs here: how records and traces lie in the file. `sqlite_file` opens and writes files, and `sqlite_leases` grants
leases.
"""

import sqlite3
from datetime import datetime, timedelta
from typing import Any, Final

from attrs import evolve

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
from tiktok_core.domain.journal import Record
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
    # Releases before these tables remove records by a plain DELETE, and share the file. So a trigger keeps what any release
    # removes, until `forget` makes a trace of it. INSERT OR REPLACE, by which records are saved, fires no such trigger.
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
WHERE name >= :first AND name < :beyond AND updated >= :since ORDER BY created, name
"""
NEWEST_NUMBER: Final = "SELECT number FROM leases WHERE name = ?"
OLD_RECORDS: Final = """
SELECT name, CAST(record AS BLOB) FROM records
WHERE ended AND updated < :before AND (:after IS NULL OR name > :after) ORDER BY name LIMIT 500
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
    """Records and leases in one file of mode 0600. Threads and processes may share it; a forked child opens its own.

    On Linux a lease is handed over at once when the process that took it is gone; elsewhere, and between machines that
    share the file, only when it has run out. Upload URLs lie in the file until their record is saved without them, and
    are overwritten then.

    Every method may raise `StoreError`: also when the file stays locked for longer than `busy_wait`, and, but for
    `close`, once the journal is closed. A file that is not ours, or is damaged, is never written to.

    Args:
        path: the file. It is created when missing, and so is its folder (mode 0700). A wider mode of the file is
            narrowed to 0600.
        busy_wait: seconds to wait while another process writes.

    Raises:
        StoreError: the path names something else, another user's file, or a damaged or newer journal.
    """

    def __init__(self, path: str | HasPath, *, busy_wait: float = 10.0) -> None:
        super().__init__(path, JOURNAL, busy_wait=busy_wait)

    def load(self, name: str, /) -> Record | None:
        """Return the record, or None."""
        with self._connected() as connection:
            rows = covered_rows(connection, LOAD_RECORD, (name_bytes(name),))
        return self._read(name, rows[0][0]) if rows else None

    def save(self, record: Record, /, *, fence: int | None) -> None:
        """Keep the record under its name, durably and as a whole, in place of what was there.

        Args:
            record: what to keep.
            fence: the number of the lease under which it is written; None writes whoever holds the lease.

        Raises:
            LeaseLost: that is not the newest lease of this post; nothing was written.
        """
        values = self._values(record)

        def save(connection: sqlite3.Connection) -> None:
            # Compared and written in one transaction: nobody takes the lease in between.
            if fence is not None and connection.execute(NEWEST_NUMBER, (name_bytes(record.name),)).fetchone() != (
                fence,
            ):
                raise LeaseLost(record.key)
            connection.execute(SAVE_RECORD, values.reveal())

        self._save(save)

    def replace(self, record: Record, /, *, seen: Record) -> bool:
        """Keep the record in place of `seen`, whoever holds the lease; False, with nothing written, where that is not there."""
        values = self._values(record)

        def replace(connection: sqlite3.Connection) -> bool:
            rows = covered_rows(connection, LOAD_RECORD, (name_bytes(record.name),))
            if not rows or self._read(record.name, rows[0][0]) != seen:
                return False
            connection.execute(SAVE_RECORD, values.reveal())
            return True

        return self._save(replace)

    def records(self, under: str = "", /, *, since: datetime | None = None) -> tuple[Record, ...]:
        """Return the records whose name begins with `under` and that were last true since then, the oldest wish first.

        Those that cannot be read are left out: `unreadable` names them.
        """
        found = (_readable(record) for _, record in self._listed(under, since))
        return tuple(record for record in found if record is not None)

    def unreadable(self, under: str = "", /) -> tuple[str, ...]:
        """Return the names, beginning with `under`, of the records that cannot be read, sorted."""
        return tuple(sorted(name_text(name) for name, record in self._listed(under, None) if _readable(record) is None))

    def _listed(self, under: str, since: datetime | None) -> list[tuple[Any, ...]]:
        # A byte that no UTF-8 has stands behind every name that begins so.
        first = name_bytes(under)
        values = {
            "first": first,
            "beyond": first + b"\xff",
            "since": -(2**63) if since is None else microseconds(since),
        }
        with self._connected() as connection:
            return covered_rows(connection, LIST_RECORDS, values)

    def forget(self, now: datetime, /, *, keep: timedelta) -> None:
        """Take note of the time, and once a day remove and overwrite the records whose end lies `keep` back.

        Their traces stay. Leases that ran out by then go too where no record is left: their late holders are refused.
        """
        with self._connected() as connection:
            # Most looks need no more than this, and lock nobody out.
            if forgetting(_seen(connection), now, keep) is None:
                return
        with self._writing() as connection:
            due = forgetting(_seen(connection), now, keep)
            if due is None:
                return  # Another process was faster.
            connection.execute("DELETE FROM seen")
            connection.execute("INSERT INTO seen (at) VALUES (?)", (microseconds(due.seen),))
            if due.before is None:
                return
            before = microseconds(due.before)
            _remove_ended(connection, before)
            _trace_removed(connection)
            connection.execute(FORGET_LEASES, {"before": before})

    def remove(self, name: str, /) -> bool:
        """Remove and overwrite this record, and keep its trace; one that can be read and has not ended stays."""
        return self._save(lambda connection: any(_removed(connection, name, lying) for lying in names_lying(name)))

    def trace(self, name: str, /) -> Trace | None:
        """Return what remains of the record of this name that was removed, or None."""
        with self._connected() as connection:
            found = _trace(connection, name)
            # What another release has removed since the latest `forget` here.
            for lying in names_lying(name):
                for (record,) in covered_rows(connection, REMOVED_UNDER, (lying,)):
                    found = lasting(found, _trace_of(name, record))
        return found

    def try_lease(self, name: str, /, *, owner: str, now: datetime, until: datetime) -> int | None:
        """Take or renew the lease until `until`, and return its number; None while another owner's is alive at `now`.

        Its owner keeps the number until somebody else takes the lease or it is given back.
        """
        return self._take(name, owner=owner, now=now, until=until)

    def _values(self, record: Record) -> Hidden[dict[str, Any]]:
        document = Hidden(dump_record(record))
        if record.upload_url is not None:
            document = Hidden(self._wipeable(document.reveal()))
        return Hidden(
            {
                "name": name_bytes(record.name),
                "created": microseconds(record.created_at),
                "updated": microseconds(record.updated_at),
                "ended": record.is_ended,
                "record": document.reveal(),
            }
        )

    def _read(self, name: str, record: Hidden[bytes]) -> Record:
        try:
            return load_record(record)
        except ValueError as error:
            advice = NEWER if isinstance(error, OtherVersion) else DAMAGED
            _, account, key = name_parts(name)
            raise self._unreadable(f"post {key!r} of account {account!r}: {error}: {advice}", error) from None


def _readable(record: Hidden[bytes]) -> Record | None:
    try:
        return load_record(record)
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
        # There was a post, and what the trace said of it cannot be read.
        return Trace(digest=name_digest(name), end=None)


def _trace_of(name: str, record: Hidden[bytes]) -> Trace:
    known = _readable(record)
    return (
        Trace(digest=name_digest(name), end=None)
        if known is None
        else evolve(trace_of(known), digest=name_digest(name))
    )


def _leave(connection: sqlite3.Connection, name: str, trace: Trace) -> None:
    kept = dump_trace(lasting(_trace(connection, name), trace))
    connection.execute(SAVE_TRACE, (bytes.fromhex(trace.digest), kept))


def _remove_ended(connection: sqlite3.Connection, before: int) -> None:
    after = None
    while rows := covered_rows(connection, OLD_RECORDS, {"before": before, "after": after}):
        # What another release wrote is left for it to forget, and its details with it.
        connection.executemany(REMOVE_RECORD, [(name,) for name, record in rows if _readable(record) is not None])
        after = rows[-1][0]


def _trace_removed(connection: sqlite3.Connection) -> None:
    after = -1
    while rows := covered_rows(connection, REMOVED, (after,)):
        for number, name, record in rows:
            # A newer release, which removed it, can read it, and makes a better trace of it.
            if _readable(record) is not None:
                _leave(connection, name_text(name), _trace_of(name_text(name), record))
                connection.execute(END_REMOVED, (number,))
        after = rows[-1][0]


def _removed(connection: sqlite3.Connection, name: str, lying: bytes) -> bool:
    rows = covered_rows(connection, LOAD_RECORD, (lying,))
    known = _readable(rows[0][0]) if rows else None
    if not rows or (known is not None and not known.is_ended):
        return False
    connection.execute(REMOVE_RECORD, (lying,))
    for (record,) in covered_rows(connection, REMOVED_UNDER, (lying,)):
        _leave(connection, name, _trace_of(name, record))
    connection.execute(END_REMOVED_UNDER, (lying,))
    return True
