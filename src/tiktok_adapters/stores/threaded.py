"""Blocking stores, shown as asynchronous ones.

What belongs here: moving calls to a thread, and nothing that knows what they do.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Final, ParamSpec, TypeVar

from tiktok_adapters.threads import Lane
from tiktok_core.domain.forgetting import Trace
from tiktok_core.domain.journal import Record
from tiktok_core.domain.tokens import Tokens
from tiktok_core.errors import StoreError
from tiktok_core.ports import Journal, Pacer, TokenStore

__all__ = ["ThreadedJournal", "ThreadedPacer", "ThreadedTokenStore"]

P = ParamSpec("P")
T = TypeVar("T")

TIME_LIMIT: Final = 30.0
"""Seconds for a call: longer than our stores wait for another process, and not for ever where a disk hangs."""


class _Threaded:
    """The calls of one store, one after the other.

    A lease that a cancelled call was taking is taken before the call that gives it back begins, and never after it.
    """

    def __init__(self, store: object, time_limit: float) -> None:
        self._name = type(store).__name__
        self._time_limit = time_limit
        self._lane = Lane()

    async def _call(self, call: Callable[P, T], /, *args: P.args, **options: P.kwargs) -> T:
        reason = f"it did not answer within {self._time_limit:g} s: see whether its disk hangs"
        late = StoreError(self._name, reason, "locked")
        return await self._lane.call(partial(call, *args, **options), within=self._time_limit, late=late)


class ThreadedTokenStore(_Threaded):
    """Run each call of a blocking store in a worker thread, so that the event loop goes on.

    The calls are made one after the other. A call that is cancelled is made all the same, as a whole and in its turn; its
    result is dropped. A call that has not ended in time raises `StoreError`; it may still end later, in its turn.

    Args:
        store: a blocking store that threads may share. Closing this one closes it.
        time_limit: seconds for a call, with those before it.
    """

    def __init__(self, store: TokenStore, *, time_limit: float = TIME_LIMIT) -> None:
        super().__init__(store, time_limit)
        self._store = store

    async def load(self, account: str, /) -> Tokens | None:
        """Return the account's tokens, or None."""
        return await self._call(self._store.load, account)

    async def save(self, account: str, tokens: Tokens, /, *, seen: int | None = None) -> int | None:
        """Keep the tokens in place of what was there, and return their generation; None where `seen` is not there."""
        return await self._call(self._store.save, account, tokens, seen=seen)

    async def delete(self, account: str, /, *, seen: int | None = None) -> None:
        """Forget the account's tokens, where they are those `seen`; nothing happens when it is unknown."""
        await self._call(self._store.delete, account, seen=seen)

    async def accounts(self) -> tuple[str, ...]:
        """Return the names of all accounts that have tokens, sorted."""
        return await self._call(self._store.accounts)

    async def try_lease(self, account: str, /, *, owner: str, now: datetime, until: datetime) -> bool:
        """Take or renew the lease until `until`; False while another owner's has not run out at `now`."""
        return await self._call(self._store.try_lease, account, owner=owner, now=now, until=until)

    async def release(self, account: str, /, *, owner: str) -> None:
        """Give the lease back; nothing happens when `owner` does not hold it."""
        await self._call(self._store.release, account, owner=owner)

    async def close(self) -> None:
        """Close the store; a second call does nothing."""
        await self._call(self._store.close)


class ThreadedJournal(_Threaded):
    """Run each call of a blocking journal in a worker thread, so that the event loop goes on.

    The calls are made one after the other. A call that is cancelled is made all the same, as a whole and in its turn; its
    result is dropped. A call that has not ended in time raises `StoreError`; it may still end later, in its turn.

    Args:
        journal: a blocking journal that threads may share. Closing this one closes it.
        time_limit: seconds for a call, with those before it.
    """

    def __init__(self, journal: Journal, *, time_limit: float = TIME_LIMIT) -> None:
        super().__init__(journal, time_limit)
        self._journal = journal

    async def load(self, name: str, /) -> Record | None:
        """Return the record, or None."""
        return await self._call(self._journal.load, name)

    async def save(self, record: Record, /, *, fence: int | None) -> None:
        """Keep the record under its name, durably and as a whole, in place of what was there.

        Args:
            record: what to keep.
            fence: the number of the lease under which it is written; None writes whoever holds the lease.

        Raises:
            LeaseLost: that is not the newest lease of this post; nothing was written.
        """
        await self._call(self._journal.save, record, fence=fence)

    async def replace(self, record: Record, /, *, seen: Record) -> bool:
        """Keep the record in place of `seen`, whoever holds the lease; False, with nothing written, where that is not there."""
        return await self._call(self._journal.replace, record, seen=seen)

    async def records(self, under: str = "", /, *, since: datetime | None = None) -> tuple[Record, ...]:
        """Return the records whose name begins with `under` and that were last true since then, the oldest wish first."""
        return await self._call(self._journal.records, under, since=since)

    async def unreadable(self, under: str = "", /) -> tuple[str, ...]:
        """Return the names, beginning with `under`, of the records that cannot be read, sorted."""
        return await self._call(self._journal.unreadable, under)

    async def forget(self, now: datetime, /, *, keep: timedelta) -> None:
        """Take note of the time, and once a day remove the records whose end lies `keep` back; their traces stay."""
        await self._call(self._journal.forget, now, keep=keep)

    async def remove(self, name: str, /) -> bool:
        """Remove this record and keep its trace; a record that can be read and has not ended stays."""
        return await self._call(self._journal.remove, name)

    async def trace(self, name: str, /) -> Trace | None:
        """Return what remains of the record of this name that was removed, or None."""
        return await self._call(self._journal.trace, name)

    async def try_lease(self, name: str, /, *, owner: str, now: datetime, until: datetime) -> int | None:
        """Take or renew the lease until `until`, and return its number; None while another owner's is alive at `now`."""
        return await self._call(self._journal.try_lease, name, owner=owner, now=now, until=until)

    async def release(self, name: str, /, *, owner: str) -> None:
        """Give the lease back; nothing happens when `owner` does not hold it."""
        await self._call(self._journal.release, name, owner=owner)

    async def close(self) -> None:
        """Close the journal; a second call does nothing."""
        await self._call(self._journal.close)


class ThreadedPacer(_Threaded):
    """Run each call of a blocking pacer in a worker thread, so that the event loop goes on.

    Args:
        pacer: a blocking pacer that threads may share. Closing this one closes it.
        time_limit: seconds for a call, with those before it.
    """

    def __init__(self, pacer: Pacer, *, time_limit: float = TIME_LIMIT) -> None:
        super().__init__(pacer, time_limit)
        self._pacer = pacer

    async def pause(self, name: str, /, *, limit: int, now: datetime) -> float:
        """Return the seconds to wait before one more call; when none, it counts as made now."""
        return await self._call(self._pacer.pause, name, limit=limit, now=now)

    async def close(self) -> None:
        """Close the pacer; a second call does nothing."""
        await self._call(self._pacer.close)
