"""A home folder with something of everything, and what a store holds: for the tests of moves.

What belongs here: making the home, and reading both ends of a move.
"""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from attrs import evolve, frozen

from stored import NOW, RECORD, TOKENS
from tiktok_adapters.assembly.home import TOKENS as FILES
from tiktok_adapters.assembly.home import journal_file, pacer_file
from tiktok_adapters.stores.apps import app_digest
from tiktok_adapters.stores.encrypted import EncryptedTokenStore
from tiktok_adapters.stores.sqlite import SqliteJournal, SqliteTokenStore
from tiktok_adapters.stores.sqlite_pacer import SqlitePacer
from tiktok_core import Secret, Tokens
from tiktok_core.domain.chunks import plan_chunks
from tiktok_core.domain.forgetting import Trace
from tiktok_core.domain.journal import Record, Stage

__all__ = ["APPS", "DAMAGED", "DONE", "GONE", "KEY", "RECORDS", "REMOVED", "Held", "fill", "held", "opened"]

KEY: Final = "Zm9yIHRlc3RzIGFuZCBub3RoaW5nIGVsc2UgYXQgYWw="
APPS: Final = ("app-of-one", "app-of-two")
DONE: Final = evolve(RECORD, key="done", stage=Stage.COMPLETE, upload_url=None, publish_id="p-1")
RECORDS: Final = (
    evolve(RECORD, key="uploading", plan=plan_chunks(70_000_000), publish_id="p-2"),
    DONE,
    evolve(RECORD, key="waiting", stage=Stage.PLANNED, upload_url=None, is_entered=True),
    evolve(RECORD, key="of another app", app=APPS[1], account="you\n"),
)
GONE: Final = evolve(DONE, key="gone", publish_id="p-3")
REMOVED: Final = evolve(DONE, key="removed by an older release", publish_id="p-4")
DAMAGED: Final = "app\nme\ndamaged"


def tokens_of(account: str) -> Tokens:
    """Return the tokens of an account."""
    return evolve(TOKENS, open_id=account, refresh_token=Secret(f"rft.{account}"))


@frozen
class Held:
    """What a store holds, without what each store numbers by itself."""

    tokens: dict[tuple[str, str], Tokens]
    records: tuple[Record, ...]
    unreadable: tuple[str, ...]
    traces: tuple[Trace | None, ...]
    learned: int | None


def fill(home: Path, store: str) -> None:
    """Make a home with something of everything."""
    for app, accounts in zip(APPS, (("me", "second"), ("you\n",)), strict=True):
        with closing(opened(home, store, app)) as tokens:
            for account in accounts:
                tokens.save(account, tokens_of(account))
    with closing(SqliteJournal(journal_file(home))) as journal:
        for record in (*RECORDS, GONE, REMOVED):
            journal.save(record, fence=None)
        journal.remove(GONE.name)
        journal.forget(NOW, keep=timedelta(days=90))
    with closing(sqlite3.connect(journal_file(home))) as connection, connection:
        connection.execute("DELETE FROM records WHERE name = ?", (REMOVED.name.encode(),))
        row = (DAMAGED.encode(), 1, 2, 0, b'{"version": 2}')
        connection.execute("INSERT INTO records (name, created, updated, ended, record) VALUES (?, ?, ?, ?, ?)", row)
    with closing(SqlitePacer(pacer_file(home))) as pacer:
        pacer.pause("me", limit=6, now=datetime.now(UTC))


def opened(home: Path, store: str, app: str) -> Any:
    """Open the tokens of an app."""
    file = SqliteTokenStore(home / FILES[store].format(app=app_digest(app)))
    return EncryptedTokenStore(file, [KEY]) if store == "encrypted" else file


def held(journal: Any, stores: dict[str, Any]) -> Held:
    """Return what two kinds of store hold."""
    found = {}
    for app, store in stores.items():
        for account in store.accounts():
            found[app, account] = evolve(store.load(account), generation=0)
    traces = tuple(journal.trace(record.name) for record in (GONE, REMOVED, DONE))
    return Held(found, journal.records(), journal.unreadable(), traces, journal.learned("app"))
