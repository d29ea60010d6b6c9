"""Stores that are opened at the first call that needs them: looking into a home folder leaves no trace.

What belongs here: one class for each port that a file keeps. Which store is opened, and where, its maker says.
"""

import os
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Generic, TypeVar

from tiktok_core import Record, StoreError, Tokens
from tiktok_core.ports import Journal, Pacer, TokenStore, Trace

__all__ = ["JournalOnDemand", "PacerOnDemand", "TokensOnDemand"]

S = TypeVar("S", TokenStore, Journal, Pacer)


class _OnDemand(Generic[S]):
    """A store in a file, opened at the first call that needs it.

    Args:
        path: the file; while there is none, there is nothing in the store.
        open_store: opens the store, and makes the file.
    """

    def __init__(self, path: Path, open_store: Callable[[], S]) -> None:
        self._path = path
        self._open: Callable[[], S] = open_store
        self._lock = threading.Lock()
        self._store: S | None = None
        self._closed = False

    def close(self) -> None:
        """Close the store if it was opened; every other call then raises `StoreError`."""
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
                self._store = self._open()
            return self._store


class TokensOnDemand(_OnDemand[TokenStore]):
    """The tokens of a store that is opened on demand.

    Args:
        path: as for every store on demand.
        open_store: as for every store on demand.
        at_first_use: called once, before the first look into the store.
    """

    def __init__(
        self, path: Path, open_store: Callable[[], TokenStore], at_first_use: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(path, open_store)
        self._at_first_use: Callable[[], None] | None = at_first_use

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
        self._begin()
        return super()._exists()

    def _opened(self) -> TokenStore:
        self._begin()
        return super()._opened()

    def _begin(self) -> None:
        first, self._at_first_use = self._at_first_use, None
        if first is not None:
            first()


class JournalOnDemand(_OnDemand[Journal]):
    """The journal of a store that is opened on demand."""

    def load(self, name: str, /) -> Record | None:
        """As `Journal.load`."""
        return self._opened().load(name) if self._exists() else None

    def save(self, record: Record, /, *, fence: int | None) -> None:
        """As `Journal.save`."""
        self._opened().save(record, fence=fence)

    def replace(self, record: Record, /, *, seen: Record) -> bool:
        """As `Journal.replace`."""
        return self._opened().replace(record, seen=seen) if self._exists() else False

    def records(
        self, under: str = "", /, *, since: datetime | None = None, until: datetime | None = None
    ) -> tuple[Record, ...]:
        """As `Journal.records`."""
        return self._opened().records(under, since=since, until=until) if self._exists() else ()

    def unfinished(self, under: str = "", /, *, due: datetime | None = None) -> tuple[Record, ...]:
        """As `Journal.unfinished`."""
        return self._opened().unfinished(under, due=due) if self._exists() else ()

    def of_post(self, publish_id: str, under: str = "", /) -> Record | None:
        """As `Journal.of_post`."""
        return self._opened().of_post(publish_id, under) if self._exists() else None

    def learned(self, app: str, /) -> int | None:
        """As `Journal.learned`."""
        return self._opened().learned(app) if self._exists() else None

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

    def try_lease(
        self, name: str, /, *, owner: str, now: datetime, until: datetime, by_force: bool = False
    ) -> int | None:
        """As `Journal.try_lease`."""
        return self._opened().try_lease(name, owner=owner, now=now, until=until, by_force=by_force)

    def release(self, name: str, /, *, owner: str) -> None:
        """As `Journal.release`."""
        if self._exists():
            self._opened().release(name, owner=owner)


class PacerOnDemand(_OnDemand[Pacer]):
    """The pacer of a store that is opened on demand."""

    def pause(self, name: str, /, *, limit: int, now: datetime) -> float:
        """As `Pacer.pause`."""
        return self._opened().pause(name, limit=limit, now=now)
