"""Token store and journal, each in one SQLite file, shared by threads and by processes of one machine.

What belongs here: how tokens and records lie in such a file; the file itself is `sqlite_file`'s, leases are `sqlite_leases`'.
"""

import sqlite3
from datetime import datetime, timedelta
from typing import Any, Final

from attrs import evolve

from tiktok_adapters.stores.sqlite_file import Layout, microseconds, moment, name_bytes, name_text, names_lying
from tiktok_adapters.stores.sqlite_leases import LEASES, LeasedFile
from tiktok_core.domain.forgetting import Trace, forgetting, lasting, name_digest, name_parts, trace_of
from tiktok_core.domain.journal import Record
from tiktok_core.domain.tokens import Tokens
from tiktok_core.errors import LeaseLost
from tiktok_core.hidden import Hidden
from tiktok_core.ports import HasPath
from tiktok_core.wire.records import (
    OtherVersion,
    dump_record,
    dump_tokens,
    dump_trace,
    load_record,
    load_tokens,
    load_trace,
)

__all__ = ["SqliteJournal", "SqliteTokenStore"]

# AUTOINCREMENT never gives a number twice, not even after its row is gone.
TOKENS_TABLE: Final = """
CREATE TABLE tokens (
    generation INTEGER PRIMARY KEY AUTOINCREMENT, account BLOB NOT NULL UNIQUE, record BLOB NOT NULL
)
"""
TOKENS: Final = Layout(
    kind="Token store",
    application_id=0,
    version=2,
    tables=(TOKENS_TABLE, LEASES),
    upgrades={
        1: (
            "ALTER TABLE tokens RENAME TO tokens_before",
            TOKENS_TABLE,
            "INSERT INTO tokens (account, record) SELECT account, record FROM tokens_before",
            "DROP TABLE tokens_before",
        )
    },
)
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
KEPT: Final = "it is kept, and 'tiktok logout --forget' with this name forgets it"
DAMAGED: Final = "it is kept, and 'tiktok uploads --forget' with this key removes it"
NEWER: Final = f"another release wrote it: upgrade to that one; {DAMAGED}"
LARGEST: Final = 8 * 1024 * 1024
"""Bytes of an account's tokens: more than any answer of TikTok's can hold."""
# The casts, here and below: a damaged file may hold anything, and SQLite quotes a text that it cannot decode.
LOAD_TOKENS: Final = """
SELECT generation, CASE WHEN length(record) <= ? THEN CAST(record AS BLOB) END FROM tokens WHERE account = ?
"""
SEEN_TOKENS: Final = "SELECT 1 FROM tokens WHERE account = ? AND generation = ?"
SAVE_TOKENS: Final = "INSERT OR REPLACE INTO tokens (account, record) VALUES (?, ?)"
DELETE_TOKENS: Final = "DELETE FROM tokens WHERE account = :account AND (:seen IS NULL OR generation = :seen)"
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


class SqliteTokenStore(LeasedFile):
    """Tokens and leases in one file of mode 0600. Threads and processes may share it; a forked child opens its own.

    On Linux a lease is handed over at once when the process that took it is gone; elsewhere when it has run out.

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
        super().__init__(path, TOKENS, busy_wait=busy_wait)

    def load(self, account: str, /) -> Tokens | None:
        """Return the account's tokens, or None."""
        with self._reading() as connection:
            return self._lying(connection, account)

    def save(self, account: str, tokens: Tokens, /, *, seen: int | None = None) -> int | None:
        """Keep the tokens in place of what was there, and return their generation; None where `seen` is not there.

        A record that cannot be read is not replaced by a new sign-in. What was `seen` could be read.
        """
        document = Hidden(self._wipeable(dump_tokens(tokens)))
        if len(document.reveal()) > LARGEST:
            raise self._error("the tokens are too large to keep", "full")

        def replace(connection: sqlite3.Connection) -> int | None:
            # Compared and written in one transaction: nobody saves in between.
            if seen is None:
                self._lying(connection, account)
            elif connection.execute(SEEN_TOKENS, (name_bytes(account), seen)).fetchone() is None:
                return None
            return connection.execute(SAVE_TOKENS, (name_bytes(account), document.reveal())).lastrowid

        return self._save(replace)

    def delete(self, account: str, /, *, seen: int | None = None) -> None:
        """Forget the account's tokens, where they are those `seen`, and overwrite them."""

        def delete(connection: sqlite3.Connection) -> None:
            for lying in names_lying(account):
                connection.execute(DELETE_TOKENS, {"account": lying, "seen": seen})

        self._save(delete)

    def accounts(self) -> tuple[str, ...]:
        """Return the names of all accounts that have tokens, sorted."""
        with self._reading() as connection:
            rows = connection.execute("SELECT CAST(account AS BLOB) FROM tokens").fetchall()
        return tuple(sorted(name_text(row[0]) for row in rows))

    def try_lease(self, account: str, /, *, owner: str, now: datetime, until: datetime) -> bool:
        """Take or renew the lease until `until`; False while another owner's has not run out at `now`."""
        return self._take(account, owner=owner, now=now, until=until) is not None

    def _lying(self, connection: sqlite3.Connection, account: str) -> Tokens | None:
        name, *escaped = names_lying(account)
        rows = _rows(connection, LOAD_TOKENS, (LARGEST, name))
        if not rows:
            if any(_rows(connection, LOAD_TOKENS, (LARGEST, lying)) for lying in escaped):
                raise self._error(f"account {account!r}: damaged name: {KEPT}", "damaged")
            return None
        ((generation, record),) = rows
        if record.reveal() is None:
            raise self._error(f"account {account!r}: damaged record (too large): {KEPT}", "damaged")
        try:
            return evolve(load_tokens(record), generation=generation)
        except ValueError as error:
            raise self._unreadable(f"account {account!r}: {error}: {KEPT}", error) from None


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
        with self._reading() as connection:
            rows, *escaped = (_rows(connection, LOAD_RECORD, (lying,)) for lying in names_lying(name))
        if not rows and any(escaped):
            raise self._error(f"{_post_of(name)}: damaged name: {DAMAGED}", "damaged")
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
            rows = _rows(connection, LOAD_RECORD, (name_bytes(record.name),))
            if not rows or self._read(record.name, rows[0][0]) != seen:
                return False
            connection.execute(SAVE_RECORD, values.reveal())
            return True

        return self._save(replace)

    def records(self, under: str = "", /, *, since: datetime | None = None) -> tuple[Record, ...]:
        """Return the records whose name begins with `under` and that were last true since then, the oldest wish first.

        Those that cannot be read are left out: `unreadable` names them.
        """
        found = (_readable(name, record) for name, record in self._listed(under, since))
        return tuple(record for record in found if record is not None)

    def unreadable(self, under: str = "", /) -> tuple[str, ...]:
        """Return the names, beginning with `under`, of the records that cannot be read, sorted."""
        listed = self._listed(under, None)
        return tuple(sorted(name_text(name) for name, record in listed if _readable(name, record) is None))

    def _listed(self, under: str, since: datetime | None) -> list[tuple[Any, ...]]:
        first = name_bytes(under)
        values = {
            "first": first,
            # Behind every name that begins so, also where damage has put a byte behind it that no UTF-8 has.
            "beyond": first[:-1] + bytes([first[-1] + 1]) if first else None,
            "since": -(2**63) if since is None else microseconds(since),
        }
        with self._reading() as connection:
            return _rows(connection, LIST_RECORDS, values)

    def forget(self, now: datetime, /, *, keep: timedelta) -> None:
        """Take note of the time, and once a day remove and overwrite the records whose end lies `keep` back.

        Their traces stay. Leases that ran out by then go too where no record is left: their late holders are refused.
        """
        with self._reading() as connection:
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
        with self._reading() as connection:
            found = _trace(connection, name)
            # What another release has removed since the latest `forget` here.
            for lying in names_lying(name):
                for (record,) in _rows(connection, REMOVED_UNDER, (lying,)):
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
            return _known(name_bytes(name), record)
        except ValueError as error:
            advice = NEWER if isinstance(error, OtherVersion) else DAMAGED
            raise self._unreadable(f"{_post_of(name)}: {error}: {advice}", error) from None


def _post_of(name: str) -> str:
    _, account, key = name_parts(name)
    return f"post {key!r} of account {account!r}"


def _rows(connection: sqlite3.Connection, statement: str, values: Any) -> list[tuple[Any, ...]]:
    """Return the rows that a statement finds, with their last column covered: it is the one that holds secrets."""
    return [(*row[:-1], Hidden(row[-1])) for row in connection.execute(statement, values).fetchall()]


def _known(name: object, record: Hidden[bytes]) -> Record:
    """Return the record that lies under this name.

    Raises:
        ValueError: it is damaged, or of another version (`OtherVersion`). One that says another name than it lies under is
            damaged: by its own name it would not be found.
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
        # There was a post, and what the trace said of it cannot be read.
        return Trace(digest=name_digest(name), end=None)


def _trace_of(name: str, record: Hidden[bytes]) -> Trace:
    known = _readable(name_bytes(name), record)
    return Trace(digest=name_digest(name), end=None) if known is None else trace_of(known)


def _leave(connection: sqlite3.Connection, name: str, trace: Trace) -> None:
    kept = dump_trace(lasting(_trace(connection, name), trace))
    connection.execute(SAVE_TRACE, (bytes.fromhex(trace.digest), kept))


def _remove_ended(connection: sqlite3.Connection, before: int) -> None:
    after = None
    while rows := _rows(connection, OLD_RECORDS, {"before": before, "after": after}):
        # What another release wrote is left for it to forget, and its details with it.
        connection.executemany(REMOVE_RECORD, [(name,) for name, record in rows if _readable(name, record) is not None])
        after = rows[-1][0]


def _trace_removed(connection: sqlite3.Connection) -> None:
    after = -1
    while rows := _rows(connection, REMOVED, (after,)):
        for number, name, record in rows:
            # A newer release, which removed it, can read it, and makes a better trace of it.
            if _readable(name, record) is not None:
                _leave(connection, name_text(name), _trace_of(name_text(name), record))
                connection.execute(END_REMOVED, (number,))
        after = rows[-1][0]


def _removed(connection: sqlite3.Connection, name: str, lying: bytes) -> bool:
    rows = _rows(connection, LOAD_RECORD, (lying,))
    known = _readable(lying, rows[0][0]) if rows else None
    if not rows or (known is not None and not known.is_ended):
        return False
    connection.execute(REMOVE_RECORD, (lying,))
    for (record,) in _rows(connection, REMOVED_UNDER, (lying,)):
        _leave(connection, name, _trace_of(name, record))
    connection.execute(END_REMOVED_UNDER, (lying,))
    return True
