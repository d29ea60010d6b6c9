"""The home folder: which file keeps what, and stores that are opened at the first call that needs them.

What belongs here: names and modes of files. How a store lies in its file is the store's.
"""

import hashlib
import os
import threading
from abc import ABC, abstractmethod
from datetime import datetime
from pathlib import Path
from typing import Final, Generic, TypeVar

from tiktok_core import (
    App,
    Record,
    StoreError,
    Tokens,
)
from tiktok_core.ports import Journal, Pacer, TokenStore

__all__ = ["JournalOnDemand", "PacerOnDemand", "TokensOnDemand", "journal_file", "pacer_file", "prepare", "token_file"]

TOKENS: Final = "tokens-{app}.db"
"""One file for each app: an `open_id` means something to its own app only, and no other may get its tokens."""
JOURNAL: Final = "journal.db"
PACER: Final = "pace.db"

S = TypeVar("S", TokenStore, Journal, Pacer)


def token_file(home: Path, app: App) -> Path:
    """Return the file that keeps the tokens of this app's accounts."""
    # A client key is no file name: whatever stands in it, its digest is one.
    return home / TOKENS.format(app=hashlib.sha256(app.client_key.encode()).hexdigest()[:12])


def journal_file(home: Path) -> Path:
    """Return the file that keeps the records of posts, of all apps: each record names its own."""
    return home / JOURNAL


def pacer_file(home: Path) -> Path:
    """Return the file by which the processes of this machine keep to the quotas together."""
    return home / PACER


def prepare(home: Path, app: App) -> None:
    """Make the home folder and its token file, so that what is wrong with them is known before a person is asked.

    Raises:
        StoreError: tokens could not be kept there.
    """
    from tiktok_adapters.stores.sqlite import SqliteTokenStore  # noqa: PLC0415

    SqliteTokenStore(token_file(home, app)).close()
    if hasattr(os, "geteuid") and home.stat().st_uid == os.geteuid():
        home.chmod(0o700)


class _OnDemand(ABC, Generic[S]):
    """A file of a home folder, opened at the first call that needs it: looking leaves no traces."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._store: S | None = None
        self._closed = False

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._store is not None:
                self._store.close()

    def _exists(self) -> bool:
        # A closed store is asked all the same: it has to say that it is closed.
        return self._closed or self._store is not None or os.path.lexists(self._path)

    def _opened(self) -> S:
        with self._lock:
            if self._store is None:
                if self._closed:
                    raise StoreError(str(self._path), "it is closed")
                self._store = self._open(self._path)
            return self._store

    @abstractmethod
    def _open(self, path: Path) -> S: ...


class TokensOnDemand(_OnDemand[TokenStore]):
    """The tokens of an app in a home folder; while there is no file, there is nothing in it."""

    def load(self, account: str, /) -> Tokens | None:
        """As `TokenStore.load`."""
        return self._opened().load(account) if self._exists() else None

    def save(self, account: str, tokens: Tokens, /) -> None:
        """As `TokenStore.save`."""
        self._opened().save(account, tokens)

    def delete(self, account: str, /) -> None:
        """As `TokenStore.delete`."""
        if self._exists():
            self._opened().delete(account)

    def accounts(self) -> tuple[str, ...]:
        """As `TokenStore.accounts`."""
        return self._opened().accounts() if self._exists() else ()

    def try_lease(self, account: str, /, *, owner: str, now: datetime, until: datetime) -> bool:
        """As `TokenStore.try_lease`."""
        return self._opened().try_lease(account, owner=owner, now=now, until=until)

    def release(self, account: str, /, *, owner: str) -> None:
        """As `TokenStore.release`."""
        if self._exists():
            self._opened().release(account, owner=owner)

    def _open(self, path: Path) -> TokenStore:
        from tiktok_adapters.stores.sqlite import SqliteTokenStore  # noqa: PLC0415

        return SqliteTokenStore(path)


class JournalOnDemand(_OnDemand[Journal]):
    """The journal in a home folder; while there is no file, there is nothing in it."""

    def load(self, name: str, /) -> Record | None:
        """As `Journal.load`."""
        return self._opened().load(name) if self._exists() else None

    def save(self, record: Record, /, *, fence: int | None) -> None:
        """As `Journal.save`."""
        self._opened().save(record, fence=fence)

    def records(self, under: str = "", /, *, since: datetime | None = None) -> tuple[Record, ...]:
        """As `Journal.records`."""
        return self._opened().records(under, since=since) if self._exists() else ()

    def forget(self, before: datetime, /) -> None:
        """As `Journal.forget`."""
        if self._exists():
            self._opened().forget(before)

    def try_lease(self, name: str, /, *, owner: str, now: datetime, until: datetime) -> int | None:
        """As `Journal.try_lease`."""
        return self._opened().try_lease(name, owner=owner, now=now, until=until)

    def release(self, name: str, /, *, owner: str) -> None:
        """As `Journal.release`."""
        if self._exists():
            self._opened().release(name, owner=owner)

    def _open(self, path: Path) -> Journal:
        from tiktok_adapters.stores.sqlite import SqliteJournal  # noqa: PLC0415

        return SqliteJournal(path)


class PacerOnDemand(_OnDemand[Pacer]):
    """The pacer in a home folder."""

    def pause(self, name: str, /, *, limit: int, now: datetime) -> float:
        """As `Pacer.pause`."""
        return self._opened().pause(name, limit=limit, now=now)

    def _open(self, path: Path) -> Pacer:
        from tiktok_adapters.stores.sqlite_pacer import SqlitePacer  # noqa: PLC0415

        return SqlitePacer(path)
