"""Asynchronous stores and pacers that call blocking ones in a thread.

What belongs here: moving calls to a thread, without knowing what the calls do.
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
"""Seconds for a call: longer than our stores wait for another process, but limited in case a disk hangs."""


class _Threaded:
    """Runs the calls to one store, one after the other.

    So if a `try_lease` is cancelled, the thread still finishes it before it begins the `release` that follows.
    """

    def __init__(self, store: object, time_limit: float) -> None:
        self._name = type(store).__name__
        self._time_limit = time_limit
        self._lane = Lane()

    async def _call(self, call: Callable[P, T], /, *args: P.args, **options: P.kwargs) -> T:
        reason = f"it did not answer within {self._time_limit:g} s: check whether its disk hangs"
        late = StoreError(self._name, reason, "locked")
        return await self._lane.call(partial(call, *args, **options), within=self._time_limit, late=late)


class ThreadedTokenStore(_Threaded):
    """Run each call of a blocking store in a worker thread, so that the event loop goes on.

    The thread makes one call after the other. It also makes a cancelled call, completely and in its turn, and drops the
    result. A call that exceeds the time limit raises `StoreError`, but the thread may still finish it later, in its turn.

    Args:
        store: a blocking store that threads may share. Closing this one closes it.
        time_limit: seconds for a call, including the wait for earlier calls.
    """

    def __init__(self, store: TokenStore, *, time_limit: float = TIME_LIMIT) -> None:
        super().__init__(store, time_limit)
        self._store = store

    async def load(self, account: str, /) -> Tokens | None:
        """Return the account's tokens, or None."""
        return await self._call(self._store.load, account)

    async def save(self, account: str, tokens: Tokens, /, *, seen: int | None = None) -> int | None:
        """Store the tokens and return their generation. With `seen`, only replace that generation; else return None."""
        return await self._call(self._store.save, account, tokens, seen=seen)

    async def delete(self, account: str, /, *, seen: int | None = None) -> None:
        """Delete the account's tokens, if it has any. With `seen`, only delete that generation."""
        await self._call(self._store.delete, account, seen=seen)

    async def accounts(self) -> tuple[str, ...]:
        """Return the names of all accounts that have tokens, sorted."""
        return await self._call(self._store.accounts)

    async def try_lease(self, account: str, /, *, owner: str, now: datetime, until: datetime) -> bool:
        """Take or renew the lease until `until`. Return False while another owner's lease is valid at `now`."""
        return await self._call(self._store.try_lease, account, owner=owner, now=now, until=until)

    async def release(self, account: str, /, *, owner: str) -> None:
        """Release the lease, if `owner` holds it."""
        await self._call(self._store.release, account, owner=owner)

    async def close(self) -> None:
        """Close the store; a second call does nothing."""
        await self._call(self._store.close)


class ThreadedJournal(_Threaded):
    """Run each call of a blocking journal in a worker thread, so that the event loop goes on.

    The thread makes one call after the other. It also makes a cancelled call, completely and in its turn, and drops the
    result. A call that exceeds the time limit raises `StoreError`, but the thread may still finish it later, in its turn.

    Args:
        journal: a blocking journal that threads may share. Closing this one closes it.
        time_limit: seconds for a call, including the wait for earlier calls.
    """

    def __init__(self, journal: Journal, *, time_limit: float = TIME_LIMIT) -> None:
        super().__init__(journal, time_limit)
        self._journal = journal

    async def load(self, name: str, /) -> Record | None:
        """Return the record, or None."""
        return await self._call(self._journal.load, name)

    async def save(self, record: Record, /, *, fence: int | None) -> None:
        """Store the record under its name, durably and atomically, in place of any earlier one.

        Args:
            record: the record to store.
            fence: the number of the lease under which the caller writes. None writes without checking leases.

        Raises:
            LeaseLost: `fence` is not the number of this post's newest lease. Nothing was written.
        """
        await self._call(self._journal.save, record, fence=fence)

    async def replace(self, record: Record, /, *, seen: Record) -> bool:
        """Replace the record `seen` without checking leases. Return False, and write nothing, if another one is stored."""
        return await self._call(self._journal.replace, record, seen=seen)

    async def records(
        self, under: str = "", /, *, since: datetime | None = None, until: datetime | None = None
    ) -> tuple[Record, ...]:
        """Return the records under these names, updated since the one time and created until the other, the oldest first."""
        return await self._call(self._journal.records, under, since=since, until=until)

    async def unfinished(self, under: str = "", /, *, due: datetime | None = None) -> tuple[Record, ...]:
        """Return the records of posts that have not ended, the oldest first; with `due`, those that are due for a worker."""
        return await self._call(self._journal.unfinished, under, due=due)

    async def of_post(self, publish_id: str, under: str = "", /) -> Record | None:
        """Return the oldest record that has this publish id, or None."""
        return await self._call(self._journal.of_post, publish_id, under)

    async def learned(self, app: str, /) -> int | None:
        """Return the chunk size that the app's posts have taught last, or None."""
        return await self._call(self._journal.learned, app)

    async def unreadable(self, under: str = "", /) -> tuple[str, ...]:
        """Return the sorted names, beginning with `under`, of the records that cannot be read."""
        return await self._call(self._journal.unreadable, under)

    async def forget(self, now: datetime, /, *, keep: timedelta) -> None:
        """Note the time. Once a day, remove the records that ended more than `keep` ago, but keep their traces."""
        await self._call(self._journal.forget, now, keep=keep)

    async def remove(self, name: str, /) -> bool:
        """Remove this record but keep its trace. A readable record that has not ended stays, and False is returned."""
        return await self._call(self._journal.remove, name)

    async def trace(self, name: str, /) -> Trace | None:
        """Return the trace of the removed record of this name, or None."""
        return await self._call(self._journal.trace, name)

    async def try_lease(
        self, name: str, /, *, owner: str, now: datetime, until: datetime, by_force: bool = False
    ) -> int | None:
        """Take or renew the lease until `until`. Return its number, or None while another owner's lease is valid at `now`."""
        return await self._call(self._journal.try_lease, name, owner=owner, now=now, until=until, by_force=by_force)

    def renew(self, name: str, /, *, owner: str, now: datetime, until: datetime) -> None:
        """Begin to renew the lease, and return at once."""
        self._lane.post(partial(self._journal.try_lease, name, owner=owner, now=now, until=until))

    async def release(self, name: str, /, *, owner: str) -> None:
        """Release the lease, if `owner` holds it."""
        await self._call(self._journal.release, name, owner=owner)

    async def close(self) -> None:
        """Close the journal; a second call does nothing."""
        await self._call(self._journal.close)


class ThreadedPacer(_Threaded):
    """Run each call of a blocking pacer in a worker thread, so that the event loop goes on.

    Args:
        pacer: a blocking pacer that threads may share. Closing this one closes it.
        time_limit: seconds for a call, including the wait for earlier calls.
    """

    def __init__(self, pacer: Pacer, *, time_limit: float = TIME_LIMIT) -> None:
        super().__init__(pacer, time_limit)
        self._pacer = pacer

    async def pause(self, name: str, /, *, limit: int, now: datetime) -> float:
        """Return the seconds to wait before the next call. If that is zero, count the call as made now."""
        return await self._call(self._pacer.pause, name, limit=limit, now=now)

    async def close(self) -> None:
        """Close the pacer; a second call does nothing."""
        await self._call(self._pacer.close)
