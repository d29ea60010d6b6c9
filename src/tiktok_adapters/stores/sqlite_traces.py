"""What a journal's file forgets and what it keeps for good: old records, their traces, and leases that nobody needs.

What belongs here: removing records, and the tables that remember them. `sqlite_journal` writes and finds records.
"""

import sqlite3
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from tiktok_adapters.stores.sqlite_facts import ENDED_BEFORE
from tiktok_adapters.stores.sqlite_file import covered_rows
from tiktok_adapters.stores.sqlite_leases import LeasedFile
from tiktok_adapters.stores.stored import microseconds, moment, name_bytes, name_text, names_lying, readable, trace_in
from tiktok_core.domain.forgetting import Trace, forgetting, lasting, name_digest, trace_of
from tiktok_core.hidden import Hidden
from tiktok_core.wire.records import dump_trace

__all__ = ["LOAD_RECORD", "TRACES", "TracedFile"]

# Older releases do not know these tables, share the file, and remove records by a plain DELETE. So a trigger copies every
# deleted record to `removed`, until `forget` makes a trace of it. Saves use INSERT OR REPLACE, which does not fire the trigger.
TRACES: Final[Mapping[str, tuple[str, ...]]] = {
    "traces": ("CREATE TABLE traces (digest BLOB PRIMARY KEY, trace BLOB NOT NULL) WITHOUT ROWID",),
    "seen": ("CREATE TABLE seen (at INTEGER NOT NULL)",),
    "removed": ("CREATE TABLE removed (number INTEGER PRIMARY KEY, name BLOB NOT NULL, record BLOB NOT NULL)",),
    "removed_by_name": ("CREATE INDEX removed_by_name ON removed (name)",),
    "keep_removed": (
        """
        CREATE TRIGGER keep_removed AFTER DELETE ON records
        BEGIN INSERT INTO removed (name, record) VALUES (OLD.name, OLD.record); END
        """,
    ),
    "leases_by_end": ("CREATE INDEX leases_by_end ON leases (until)",),
}
PORTION: Final = 500
"""How many rows are removed under one write lock."""
BEFORE_ALL: Final = -(2**63)
# The casts: a damaged file may hold anything, and SQLite quotes text that it cannot decode.
LOAD_RECORD: Final = "SELECT CAST(record AS BLOB) FROM records WHERE name = ?"
REMOVE_RECORD: Final = "DELETE FROM records WHERE name = ?"
REMOVE_UNCHANGED: Final = "DELETE FROM records WHERE name = ? AND CAST(record AS BLOB) = ?"
REMOVED: Final = """
SELECT number, CAST(name AS BLOB), CAST(record AS BLOB) FROM removed WHERE number > ? ORDER BY number LIMIT ?
"""
REMOVED_UNDER: Final = "SELECT CAST(record AS BLOB) FROM removed WHERE name = ? ORDER BY number"
END_REMOVED: Final = "DELETE FROM removed WHERE number = ?"
END_NEWEST_REMOVED: Final = "DELETE FROM removed WHERE number = (SELECT max(number) FROM removed WHERE name = ?)"
END_REMOVED_UNDER: Final = "DELETE FROM removed WHERE name = ?"
LOAD_TRACE: Final = "SELECT CAST(trace AS BLOB) FROM traces WHERE digest = ?"
SAVE_TRACE: Final = "INSERT OR REPLACE INTO traces (digest, trace) VALUES (?, ?)"
LAPSED_LEASES: Final = """
SELECT until, number FROM leases INDEXED BY leases_by_end
WHERE until <= :before AND (until, number) > (:until, :number)
    AND NOT EXISTS (SELECT 1 FROM records WHERE records.name = leases.name)
ORDER BY until, number LIMIT :most
"""
FORGET_LEASE: Final = """
DELETE FROM leases
WHERE number = ? AND until <= ? AND NOT EXISTS (SELECT 1 FROM records WHERE records.name = leases.name)
"""


class TracedFile(LeasedFile):
    """A file with leases and records that remembers what was removed."""

    def forget(self, now: datetime, /, *, keep: timedelta) -> None:
        """Note the time. Once a day, remove and overwrite the records that ended more than `keep` ago.

        Keep their traces. Also remove leases that expired before then, unless their post has a record. A late holder's
        write is refused. Other processes can write meanwhile: the records are removed in portions. What is left where the
        process ends in the midst goes on the next day.
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
        if due.before is not None:
            before = microseconds(due.before)
            self._remove_ended(before)
            self._trace_removed()
            self._forget_leases(before)

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

    def _remove_ended(self, before: int) -> None:
        after = {"updated": BEFORE_ALL, "created": BEFORE_ALL, "number": 0}
        while rows := self._rows(ENDED_BEFORE, {"before": before, "most": PORTION, **after}):
            # Documents are read without the lock, because that takes longer than all the rest. What was changed since stays,
            # and so does a record that another release wrote: only that release can read its details for the trace.
            ended = [
                (name, record, trace_of(found))
                for *_, name, record in rows
                if (found := readable(name, record)) is not None and found.is_ended
            ]
            with self._writing() as connection:
                for name, record, trace in ended:
                    if connection.execute(REMOVE_UNCHANGED, (name, record.reveal())).rowcount:
                        connection.execute(END_NEWEST_REMOVED, (name,))
                        _leave(connection, name_text(name), trace)
            after = dict(zip(after, rows[-1], strict=False))

    def _trace_removed(self) -> None:
        after = -1
        while rows := self._rows(REMOVED, (after, PORTION)):
            # Leave an unreadable record: the newer release that wrote it can make a better trace of it.
            traces = [
                (number, name_text(name), trace_of(found))
                for number, name, record in rows
                if (found := readable(name, record)) is not None
            ]
            with self._writing() as connection:
                for number, name, trace in traces:
                    if connection.execute(END_REMOVED, (number,)).rowcount:
                        _leave(connection, name, trace)
            after = rows[-1][0]

    def _forget_leases(self, before: int) -> None:
        after = {"until": BEFORE_ALL, "number": 0}
        while rows := self._rows(LAPSED_LEASES, {"before": before, "most": PORTION, **after}):
            after = {"until": rows[-1][0], "number": rows[-1][1].reveal()}
            with self._writing() as connection:
                connection.executemany(FORGET_LEASE, [(number.reveal(), before) for _, number in rows])

    def _rows(self, statement: str, values: Any) -> list[tuple[Any, ...]]:
        with self._connected() as connection:
            return covered_rows(connection, statement, values)


def _seen(connection: sqlite3.Connection) -> datetime | None:
    row = connection.execute("SELECT max(CAST(at AS INTEGER)) FROM seen").fetchone()
    try:
        return None if row[0] is None else moment(row[0])
    except OverflowError:  # A damaged file may hold anything.
        return None


def _trace(connection: sqlite3.Connection, name: str) -> Trace | None:
    row = connection.execute(LOAD_TRACE, (bytes.fromhex(name_digest(name)),)).fetchone()
    return None if row is None else trace_in(name_digest(name), row[0])


def _trace_of(name: str, record: Hidden[bytes]) -> Trace:
    found = readable(name_bytes(name), record)
    return Trace(digest=name_digest(name), end=None) if found is None else trace_of(found)


def _leave(connection: sqlite3.Connection, name: str, trace: Trace) -> None:
    kept = dump_trace(lasting(_trace(connection, name), trace))
    connection.execute(SAVE_TRACE, (bytes.fromhex(trace.digest), kept))


def _removed(connection: sqlite3.Connection, name: str, lying: bytes) -> bool:
    rows = covered_rows(connection, LOAD_RECORD, (lying,))
    found = readable(lying, rows[0][0]) if rows else None
    if not rows or (found is not None and not found.is_ended):
        return False
    connection.execute(REMOVE_RECORD, (lying,))
    for (record,) in covered_rows(connection, REMOVED_UNDER, (lying,)):
        _leave(connection, name, _trace_of(name, record))
    connection.execute(END_REMOVED_UNDER, (lying,))
    return True
