"""Token store in one SQLite file, shared by threads and by processes of one machine.

What belongs here: how tokens lie in the file. `sqlite_file` opens and writes files, and `sqlite_leases` grants leases.
"""

import sqlite3
from datetime import datetime
from typing import Final

from attrs import evolve

from tiktok_adapters.stores.sqlite_file import Layout, covered_rows
from tiktok_adapters.stores.sqlite_leases import LEASES, LeasedFile
from tiktok_adapters.stores.stored import name_bytes, name_text, names_lying
from tiktok_core.domain.tokens import Tokens
from tiktok_core.hidden import Hidden
from tiktok_core.ports import HasPath
from tiktok_core.wire.records import dump_tokens, load_tokens

__all__ = ["SqliteTokenStore"]

# AUTOINCREMENT never reuses a number, not even that of a deleted row.
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
KEPT: Final = "it is kept, and 'tiktok logout --forget' with this name forgets it"
LARGEST: Final = 8 * 1024 * 1024
"""Largest size in bytes of an account's tokens. No answer of TikTok's is that large."""
# The casts: a damaged file may hold anything, and SQLite quotes text that it cannot decode.
LOAD_TOKENS: Final = """
SELECT generation, CASE WHEN length(record) <= ? THEN CAST(record AS BLOB) END FROM tokens WHERE account = ?
"""
SEEN_TOKENS: Final = "SELECT 1 FROM tokens WHERE account = ? AND generation = ?"
SAVE_TOKENS: Final = "INSERT OR REPLACE INTO tokens (account, record) VALUES (?, ?)"
DELETE_TOKENS: Final = "DELETE FROM tokens WHERE account = :account AND (:seen IS NULL OR generation = :seen)"


class SqliteTokenStore(LeasedFile):
    """Tokens and leases in one file of mode 0600. Threads and processes may share it. A forked child must open its own.

    On Linux a lease ends as soon as the process that took it has ended. On other systems it ends when it expires.

    Every method may raise `StoreError`, for example when another process locks the file for longer than `busy_wait`.
    Once the store is closed, every method but `close` raises it. The store never writes to a damaged file or to a file
    of another kind.

    Args:
        path: the file. If it is missing, it is created, and so is its folder (mode 0700). If other users have any rights
            to the file, its mode is set to 0600.
        busy_wait: seconds to wait while another process writes.

    Raises:
        StoreError: the path is not a file of this kind, belongs to another user, or holds a damaged or newer store.
    """

    def __init__(self, path: str | HasPath, *, busy_wait: float = 10.0) -> None:
        super().__init__(path, TOKENS, busy_wait=busy_wait)

    def load(self, account: str, /) -> Tokens | None:
        """Return the account's tokens, or None."""
        with self._connected() as connection:
            return self._lying(connection, account)

    def save(self, account: str, tokens: Tokens, /, *, seen: int | None = None) -> int | None:
        """Store the tokens and return their generation. With `seen`, only replace that generation; else return None.

        Without `seen`, tokens that cannot be read are not replaced. With `seen`, the caller has already read them.
        """
        document = Hidden(self._wipeable(dump_tokens(tokens)))
        if len(document.reveal()) > LARGEST:
            raise self._error("the tokens are too large to keep", "full")

        def replace(connection: sqlite3.Connection) -> int | None:
            # One transaction compares and writes, so that no other save can come in between.
            if seen is None:
                self._lying(connection, account)
            elif connection.execute(SEEN_TOKENS, (name_bytes(account), seen)).fetchone() is None:
                return None
            return connection.execute(SAVE_TOKENS, (name_bytes(account), document.reveal())).lastrowid

        return self._save(replace)

    def delete(self, account: str, /, *, seen: int | None = None) -> None:
        """Delete the account's tokens, if it has any, and overwrite them in the file. With `seen`, only that generation."""

        def delete(connection: sqlite3.Connection) -> None:
            for lying in names_lying(account):
                connection.execute(DELETE_TOKENS, {"account": lying, "seen": seen})

        self._save(delete)

    def accounts(self) -> tuple[str, ...]:
        """Return the names of all accounts that have tokens, sorted."""
        with self._connected() as connection:
            rows = connection.execute("SELECT CAST(account AS BLOB) FROM tokens").fetchall()
        return tuple(sorted(name_text(row[0]) for row in rows))

    def try_lease(self, account: str, /, *, owner: str, now: datetime, until: datetime) -> bool:
        """Take or renew the lease until `until`. Return False while another owner's lease is valid at `now`."""
        return self._take(account, owner=owner, now=now, until=until) is not None

    def _lying(self, connection: sqlite3.Connection, account: str) -> Tokens | None:
        name, *escaped = names_lying(account)
        rows = covered_rows(connection, LOAD_TOKENS, (LARGEST, name))
        if not rows:
            if any(covered_rows(connection, LOAD_TOKENS, (LARGEST, lying)) for lying in escaped):
                raise self._error(f"account {account!r}: damaged name: {KEPT}", "damaged")
            return None
        ((generation, record),) = rows
        if record.reveal() is None:
            raise self._error(f"account {account!r}: damaged record (too large): {KEPT}", "damaged")
        try:
            return evolve(load_tokens(record), generation=generation)
        except ValueError as error:
            raise self._unreadable(f"account {account!r}: {error}: {KEPT}", error) from None
