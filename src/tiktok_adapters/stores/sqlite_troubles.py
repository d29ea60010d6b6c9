"""What SQLite's errors mean for a store.

What belongs here: the table from SQLite's codes to the kinds of `StoreError`.
"""

import sqlite3
from typing import Final

from tiktok_core.errors import StoreTrouble

__all__ = ["kind_of"]

KINDS: Final[dict[int, StoreTrouble]] = {
    sqlite3.SQLITE_BUSY: "locked",
    sqlite3.SQLITE_LOCKED: "locked",
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_CORRUPT: "damaged",
    sqlite3.SQLITE_NOTADB: "damaged",
    # Only the triggers of `sqlite_moved` end a statement so.
    sqlite3.SQLITE_CONSTRAINT_TRIGGER: "moved",
}


def kind_of(error: sqlite3.Error) -> StoreTrouble:
    """Return the kind of trouble that an error is."""
    code = getattr(error, "sqlite_errorcode", 0)
    return KINDS.get(code) or KINDS.get(code & 0xFF, "failed")
