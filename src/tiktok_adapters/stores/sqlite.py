"""Token store and journal, each in one SQLite file, shared by threads and by processes of one machine.

What belongs here: how tokens and records lie in such a file; the file itself is `sqlite_file`'s, leases are `sqlite_leases`'.
"""

import sqlite3
from datetime import datetime
from typing import Any, Final

from attrs import evolve

from tiktok_adapters.stores.sqlite_file import Layout, microseconds, name_bytes
from tiktok_adapters.stores.sqlite_leases import LEASES, LeasedFile
from tiktok_core.domain.journal import Record
from tiktok_core.domain.tokens import Tokens
from tiktok_core.errors import LeaseLost
from tiktok_core.hidden import Hidden
from tiktok_core.ports import HasPath
from tiktok_core.wire.records import dump_record, dump_tokens, load_record, load_tokens

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
)
KEPT: Final = "it is kept, and 'tiktok logout --forget' with this name forgets it"
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
SELECT CAST(record AS BLOB) FROM records
WHERE name >= :first AND name < :beyond AND updated >= :since ORDER BY created, name
"""
NEWEST_NUMBER: Final = "SELECT number FROM leases WHERE name = ?"
FORGET_RECORDS: Final = "DELETE FROM records WHERE ended AND updated < :before"
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
        self._write(DELETE_TOKENS, {"account": name_bytes(account), "seen": seen})

    def accounts(self) -> tuple[str, ...]:
        """Return the names of all accounts that have tokens, sorted."""
        with self._reading() as connection:
            rows = connection.execute("SELECT CAST(account AS BLOB) FROM tokens").fetchall()
        try:
            return tuple(sorted(row[0].decode("utf-8", "surrogatepass") for row in rows))
        except UnicodeDecodeError:
            raise self._error("damaged name of an account", "damaged") from None

    def try_lease(self, account: str, /, *, owner: str, now: datetime, until: datetime) -> bool:
        """Take or renew the lease until `until`; False while another owner's has not run out at `now`."""
        return self._take(account, owner=owner, now=now, until=until) is not None

    def _lying(self, connection: sqlite3.Connection, account: str) -> Tokens | None:
        row = Hidden(connection.execute(LOAD_TOKENS, (LARGEST, name_bytes(account))).fetchone())
        if row.reveal() is None:
            return None
        generation, record = row.reveal()[0], Hidden(row.reveal()[1])
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
            row = Hidden(connection.execute(LOAD_RECORD, (name_bytes(name),)).fetchone())
        return None if row.reveal() is None else self._read(row)

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
            row = Hidden(connection.execute(LOAD_RECORD, (name_bytes(record.name),)).fetchone())
            if row.reveal() is None or self._read(row) != seen:
                return False
            connection.execute(SAVE_RECORD, values.reveal())
            return True

        return self._save(replace)

    def records(self, under: str = "", /, *, since: datetime | None = None) -> tuple[Record, ...]:
        """Return the records whose name begins with `under` and that were last true since then, the oldest wish first.

        One of them that cannot be read is a `StoreError`.
        """
        # A byte that no UTF-8 has stands behind every name that begins so.
        first = name_bytes(under)
        values = {
            "first": first,
            "beyond": first + b"\xff",
            "since": -(2**63) if since is None else microseconds(since),
        }
        with self._reading() as connection:
            rows = [Hidden(row) for row in connection.execute(LIST_RECORDS, values).fetchall()]
        return tuple(map(self._read, rows))

    def forget(self, before: datetime, /) -> None:
        """Remove and overwrite the records that have ended and were last true before that time.

        Leases that ran out by then go too where no record is left: their late holders are refused.
        """
        with self._writing() as connection:
            connection.execute(FORGET_RECORDS, {"before": microseconds(before)})
            connection.execute(FORGET_LEASES, {"before": microseconds(before)})

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

    def _read(self, row: Hidden[Any]) -> Record:
        try:
            return load_record(Hidden(row.reveal()[0]))
        except ValueError as error:
            raise self._unreadable(str(error), error) from None
