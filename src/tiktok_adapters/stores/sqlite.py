"""Token store and journal in SQLite files: the module from which users import both.

What belongs here: names only. `sqlite_tokens` and `sqlite_journal` define them.
"""

from tiktok_adapters.stores.sqlite_journal import SqliteJournal
from tiktok_adapters.stores.sqlite_tokens import SqliteTokenStore

__all__ = ["SqliteJournal", "SqliteTokenStore"]
