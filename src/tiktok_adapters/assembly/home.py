"""The home folder: which file keeps what, and stores that are opened at the first call that needs them.

What belongs here: names and modes of files. How a store lies in its file is the store's.
"""

import hashlib
import logging
import os
import threading
from abc import ABC, abstractmethod
from contextlib import closing, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Generic, TypeVar

from tiktok_adapters.assembly.settings import Settings
from tiktok_core import (
    App,
    Record,
    StoreError,
    Tokens,
)
from tiktok_core.domain.forgetting import Trace
from tiktok_core.ports import Journal, Pacer, TokenStore

__all__ = ["JournalOnDemand", "PacerOnDemand", "TokensOnDemand", "journal_file", "pacer_file", "prepare", "token_file"]

TOKENS: Final = {"sqlite": "tokens-{app}.db", "keyring": "keychain-{app}.db", "encrypted": "encrypted-{app}.db"}
"""One file for each app: an `open_id` means something to its own app only, and no other may get its tokens.

And one for each store, so that none is ever taken for another: what lies beside a keychain has no secret.
"""
SERVICE: Final = "tiktok-open {app}"
JOURNAL: Final = "journal.db"
PACER: Final = "pace.db"

S = TypeVar("S", TokenStore, Journal, Pacer)

log: Final = logging.getLogger("tiktok_core")


def token_file(home: Path, app: App, store: str = "sqlite") -> Path:
    """Return the file in which a store keeps the tokens of this app's accounts, or what it knows of them."""
    return home / TOKENS[store].format(app=_digest(app))


def journal_file(home: Path) -> Path:
    """Return the file that keeps the records of posts, of all apps: each record names its own."""
    return home / JOURNAL


def pacer_file(home: Path) -> Path:
    """Return the file by which the processes of this machine keep to the quotas together."""
    return home / PACER


def prepare(settings: Settings, app: App) -> None:
    """Make the home folder and its token store, so that what is wrong with them is known before a person is asked.

    Raises:
        StoreError: tokens could not be kept there.
        InvalidSettings: what the store needs is missing.
    """
    with closing(_open_tokens(settings, app)) as store:
        store.load("")  # Nobody's: a keychain that is locked says so.
        if settings.store == "encrypted":
            for account in store.accounts():
                store.load(account)  # And a wrong key.
    home = settings.home
    if hasattr(os, "geteuid") and home.stat().st_uid == os.geteuid():
        home.chmod(0o700)


def _digest(app: App) -> str:
    # A client key is no file name: whatever stands in it, its digest is one.
    return hashlib.sha256(app.client_key.encode()).hexdigest()[:12]


def _open_tokens(settings: Settings, app: App) -> TokenStore:
    from tiktok_adapters.stores.sqlite import SqliteTokenStore  # noqa: PLC0415

    keys = settings.store_keys()
    file = SqliteTokenStore(token_file(settings.home, app, settings.store))
    if settings.store == "keyring":
        from tiktok_adapters.stores.keyring import KeyringTokenStore  # noqa: PLC0415

        return KeyringTokenStore(SERVICE.format(app=_digest(app)), file)
    if settings.store == "encrypted":
        from tiktok_adapters.stores.encrypted import EncryptedTokenStore  # noqa: PLC0415

        return EncryptedTokenStore(file, keys)
    return file


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
                    raise StoreError(str(self._path), "it is closed", "closed")
                self._store = self._open(self._path)
            return self._store

    @abstractmethod
    def _open(self, path: Path) -> S: ...


class TokensOnDemand(_OnDemand[TokenStore]):
    """The tokens of an app in the store that was chosen; while there is no file, there is nothing in it.

    Nothing is ever taken from another store than that, or kept in one; a warning tells when one has tokens, too.
    """

    def __init__(self, settings: Settings, app: App) -> None:
        super().__init__(token_file(settings.home, app, settings.store))
        self._settings, self._app = settings, app
        self._others = [kind for kind in TOKENS if kind != settings.store]

    def load(self, account: str, /) -> Tokens | None:
        """As `TokenStore.load`."""
        return self._opened().load(account) if self._exists() else None

    def save(self, account: str, tokens: Tokens, /, *, seen: int | None = None) -> int | None:
        """As `TokenStore.save`."""
        return self._opened().save(account, tokens, seen=seen)

    def delete(self, account: str, /, *, seen: int | None = None) -> None:
        """As `TokenStore.delete`."""
        if self._exists():
            self._opened().delete(account, seen=seen)

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

    def _exists(self) -> bool:
        self._tell_of_others()
        return super()._exists()

    def _open(self, path: Path) -> TokenStore:  # noqa: ARG002 - the settings say more than a path does
        self._tell_of_others()
        return _open_tokens(self._settings, self._app)

    def _tell_of_others(self) -> None:
        others, self._others = self._others, []
        for kind in others:
            file = token_file(self._settings.home, self._app, kind)
            if _has_accounts(file):
                said = "The store %r has tokens of this app, too (%s): they are not used, the store is %r"
                log.warning(said, kind, file, self._settings.store)


def _has_accounts(file: Path) -> bool:
    if not os.path.lexists(file):
        return False
    from tiktok_adapters.stores.sqlite import SqliteTokenStore  # noqa: PLC0415

    with suppress(StoreError), closing(SqliteTokenStore(file)) as store:
        return bool(store.accounts())
    return False


class JournalOnDemand(_OnDemand[Journal]):
    """The journal in a home folder; while there is no file, there is nothing in it."""

    def load(self, name: str, /) -> Record | None:
        """As `Journal.load`."""
        return self._opened().load(name) if self._exists() else None

    def save(self, record: Record, /, *, fence: int | None) -> None:
        """As `Journal.save`."""
        self._opened().save(record, fence=fence)

    def replace(self, record: Record, /, *, seen: Record) -> bool:
        """As `Journal.replace`."""
        return self._opened().replace(record, seen=seen) if self._exists() else False

    def records(self, under: str = "", /, *, since: datetime | None = None) -> tuple[Record, ...]:
        """As `Journal.records`."""
        return self._opened().records(under, since=since) if self._exists() else ()

    def unreadable(self, under: str = "", /) -> tuple[str, ...]:
        """As `Journal.unreadable`."""
        return self._opened().unreadable(under) if self._exists() else ()

    def forget(self, now: datetime, /, *, keep: timedelta) -> None:
        """As `Journal.forget`."""
        if self._exists():
            self._opened().forget(now, keep=keep)

    def remove(self, name: str, /) -> bool:
        """As `Journal.remove`."""
        return self._opened().remove(name) if self._exists() else False

    def trace(self, name: str, /) -> Trace | None:
        """As `Journal.trace`."""
        return self._opened().trace(name) if self._exists() else None

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
