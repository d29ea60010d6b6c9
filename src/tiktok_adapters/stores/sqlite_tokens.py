"""Token store in one SQLite file, shared by threads and by processes of one machine.

What belongs here: how tokens lie in the file. `sqlite_file` opens and writes files, and `sqlite_leases` grants leases.
"""

import sqlite3
from datetime import datetime
from typing import Final

from attrs import evolve

from tiktok_adapters.stores.sqlite_file import Layout, covered_rows, name_bytes, name_text, names_lying
from tiktok_adapters.stores.sqlite_leases import LEASES, LeasedFile
from tiktok_core.domain.tokens import Tokens
from tiktok_core.hidden import Hidden
from tiktok_core.ports import HasPath
from tiktok_core.wire.records import dump_tokens, load_tokens

__all__ = ["SqliteTokenStore"]

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
KEPT: Final = "it is kept, and 'tiktok logout --forget' with this name forgets it"
LARGEST: Final = 8 * 1024 * 1024
"""Bytes of an account's tokens: more than any answer of TikTok's can hold."""
# The casts: a damaged file may hold anything, and SQLite quotes text that it cannot decode.
LOAD_TOKENS: Final = """
SELECT generation, CASE WHEN length(record) <= ? THEN CAST(record AS BLOB) END FROM tokens WHERE account = ?
"""
SEEN_TOKENS: Final = "SELECT 1 FROM tokens WHERE account = ? AND generation = ?"
SAVE_TOKENS: Final = "INSERT OR REPLACE INTO tokens (account, record) VALUES (?, ?)"
DELETE_TOKENS: Final = "DELETE FROM tokens WHERE account = :account AND (:seen IS NULL OR generation = :seen)"


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
        with self._connected() as connection:
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
        with self._connected() as connection:
            rows = connection.execute("SELECT CAST(account AS BLOB) FROM tokens").fetchall()
        return tuple(sorted(name_text(row[0]) for row in rows))

    def try_lease(self, account: str, /, *, owner: str, now: datetime, until: datetime) -> bool:
        """Take or renew the lease until `until`; False while another owner's has not run out at `now`."""
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
