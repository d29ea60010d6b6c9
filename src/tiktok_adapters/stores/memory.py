"""Token store and journal in memory, for tests and for services that keep their data elsewhere.

What belongs here: stores whose content is lost when the process ends.
"""

import itertools
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import NoReturn

from attrs import evolve, frozen

from tiktok_core.domain.forgetting import Trace, forgetting, lasting, name_digest, trace_of
from tiktok_core.domain.journal import Record, learned_chunk
from tiktok_core.domain.tokens import Tokens
from tiktok_core.errors import LeaseLost, StoreError
from tiktok_core.ports import LONGEST_LEASE

__all__ = ["MemoryJournal", "MemoryTokenStore"]


def _is_alive(until: datetime, now: datetime) -> bool:
    return now < until <= now + LONGEST_LEASE


class _Memory:
    """The common part of both stores: one lock for all threads, closing, and no pickling."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._closed = False

    def __reduce__(self) -> NoReturn:
        raise TypeError("a store in memory is not pickled: it holds secrets")

    @contextmanager
    def _open(self) -> Iterator[None]:
        if os.getpid() != self._pid:
            raise StoreError(
                f"{self._kind} in memory",
                "another process made it, and processes cannot share it: make one after the fork",
                "closed",
            )
        with self._lock:
            if self._closed:
                raise StoreError(f"{self._kind} in memory", "it is closed", "closed")
            yield


class MemoryTokenStore(_Memory):
    """Tokens and leases in two dictionaries. Threads may share the store, processes cannot.

    Every method but `close` raises `StoreError` once the store is closed.
    """

    def __init__(self) -> None:
        super().__init__("Token store")
        self._tokens: dict[str, Tokens] = {}
        self._leases: dict[str, tuple[str, datetime]] = {}
        # One counter for all accounts: no generation repeats, even after an account was deleted.
        self._generations = itertools.count(1)

    def load(self, account: str, /) -> Tokens | None:
        """Return the account's tokens, or None."""
        with self._open():
            return self._tokens.get(account)

    def save(self, account: str, tokens: Tokens, /, *, seen: int | None = None) -> int | None:
        """Store the tokens and return their generation. With `seen`, only replace that generation; else return None."""
        with self._open():
            if not self._has(account, seen):
                return None
            self._tokens[account] = evolve(tokens, generation=next(self._generations))
            return self._tokens[account].generation

    def delete(self, account: str, /, *, seen: int | None = None) -> None:
        """Delete the account's tokens, if it has any. With `seen`, only delete that generation."""
        with self._open():
            if self._has(account, seen):
                self._tokens.pop(account, None)

    def _has(self, account: str, seen: int | None) -> bool:
        return seen is None or (account in self._tokens and self._tokens[account].generation == seen)

    def accounts(self) -> tuple[str, ...]:
        """Return the names of all accounts that have tokens, sorted."""
        with self._open():
            return tuple(sorted(self._tokens))

    def try_lease(self, account: str, /, *, owner: str, now: datetime, until: datetime) -> bool:
        """Take or renew the lease until `until`. Return False while another owner's lease is valid at `now`."""
        with self._open():
            holder, end = self._leases.get(account, (owner, now))
            if holder != owner and _is_alive(end, now):
                return False
            self._leases[account] = (owner, until)
            return True

    def release(self, account: str, /, *, owner: str) -> None:
        """Release the lease, if `owner` holds it."""
        with self._open():
            if account in self._leases and self._leases[account][0] == owner:
                del self._leases[account]

    def close(self) -> None:
        """Forget everything; a second call does nothing."""
        with self._lock:
            self._closed = True
            self._tokens.clear()
            self._leases.clear()


@frozen
class _Lease:
    """The newest lease of a post. A released lease stays, without an owner, because its number is still needed."""

    number: int
    owner: str | None
    until: datetime


class MemoryJournal(_Memory):
    """Records, traces and leases in dictionaries. Threads may share the journal, processes cannot.

    Every method but `close` raises `StoreError` once the journal is closed.
    """

    def __init__(self) -> None:
        super().__init__("Journal")
        self._records: dict[str, Record] = {}
        self._traces: dict[str, Trace] = {}
        self._seen: datetime | None = None
        self._leases: dict[str, _Lease] = {}
        self._learned: dict[str, tuple[datetime, int]] = {}
        # One counter for all posts: no number repeats, even after a post was forgotten.
        self._numbers = itertools.count(1)

    def load(self, name: str, /) -> Record | None:
        """Return the record, or None."""
        with self._open():
            return self._records.get(name)

    def save(self, record: Record, /, *, fence: int | None) -> None:
        """Store the record under its name, in place of any earlier one.

        Args:
            record: the record to store.
            fence: the number of the lease under which the caller writes. None writes without checking leases.

        Raises:
            LeaseLost: `fence` is not the number of this post's newest lease. Nothing was written.
        """
        with self._open():
            lease = self._leases.get(record.name)
            if fence is not None and (lease is None or lease.number != fence):
                raise LeaseLost(record.key)
            self._keep(record)

    def replace(self, record: Record, /, *, seen: Record) -> bool:
        """Replace the record `seen` without checking leases. Return False, and write nothing, if another one is stored."""
        with self._open():
            is_there = self._records.get(record.name) == seen
            if is_there:
                self._keep(record)
            return is_there

    def _keep(self, record: Record) -> None:
        self._records[record.name] = record
        if (chunk_size := learned_chunk(record)) is not None:
            known = self._learned.get(record.app, (record.updated_at, chunk_size))
            self._learned[record.app] = max(known, (record.updated_at, chunk_size))

    def records(
        self, under: str = "", /, *, since: datetime | None = None, until: datetime | None = None
    ) -> tuple[Record, ...]:
        """Return the records under these names, updated since the one time and created until the other, the oldest first."""
        return self._found(
            under,
            lambda record: (
                (since is None or record.updated_at >= since) and (until is None or record.created_at <= until)
            ),
        )

    def unfinished(self, under: str = "", /, *, due: datetime | None = None) -> tuple[Record, ...]:
        """Return the records of posts that have not ended, the oldest first; with `due`, those that are due for a worker."""
        if due is None:
            return self._found(under, lambda record: not record.is_ended)
        return self._found(under, lambda record: record.due_at is not None and record.due_at <= due)

    def of_post(self, publish_id: str, under: str = "", /) -> Record | None:
        """Return the oldest record that has this publish id, or None."""
        return next(iter(self._found(under, lambda record: record.publish_id == publish_id)), None)

    def learned(self, app: str, /) -> int | None:
        """Return the chunk size that the app's posts have taught last, or None."""
        with self._open():
            return self._learned[app][1] if app in self._learned else None

    def _found(self, under: str, is_wanted: Callable[[Record], bool]) -> tuple[Record, ...]:
        with self._open():
            found = [record for name, record in self._records.items() if name.startswith(under) and is_wanted(record)]
        return tuple(sorted(found, key=lambda record: (record.created_at, record.name)))

    def unreadable(self, under: str = "", /) -> tuple[str, ...]:  # noqa: ARG002 - every record in memory is readable
        """Return an empty tuple: every record in memory is readable."""
        with self._open():
            return ()

    def forget(self, now: datetime, /, *, keep: timedelta) -> None:
        """Note the time. Once a day, remove the records that ended more than `keep` ago, but keep their traces.

        Also remove leases that expired before then, unless their post has a record. A late holder's write is refused.
        """
        with self._open():
            due = forgetting(self._seen, now, keep)
            if due is None:
                return
            self._seen = due.seen
            if due.before is None:
                return
            for record in list(self._records.values()):
                if record.is_ended and record.updated_at < due.before:
                    self._remove(record)
            self._leases = {
                name: lease for name, lease in self._leases.items() if name in self._records or lease.until > due.before
            }

    def remove(self, name: str, /) -> bool:
        """Remove this record but keep its trace. A record that has not ended stays, and False is returned."""
        with self._open():
            record = self._records.get(name)
            if record is None or not record.is_ended:
                return False
            self._remove(record)
            return True

    def trace(self, name: str, /) -> Trace | None:
        """Return the trace of the removed record of this name, or None."""
        with self._open():
            return self._traces.get(name_digest(name))

    def _remove(self, record: Record) -> None:
        trace = trace_of(record)
        self._traces[trace.digest] = lasting(self._traces.get(trace.digest), trace)
        del self._records[record.name]

    def try_lease(
        self, name: str, /, *, owner: str, now: datetime, until: datetime, by_force: bool = False
    ) -> int | None:
        """Take or renew the lease until `until`. Return its number, or None while another owner's lease is valid at `now`.

        The number stays the same until the owner releases the lease or another owner takes it, which `by_force` always does.
        """
        with self._open():
            lease = self._leases.get(name)
            if lease is not None and lease.owner == owner:
                self._leases[name] = evolve(lease, until=until)
                return lease.number
            if lease is not None and lease.owner is not None and _is_alive(lease.until, now) and not by_force:
                return None
            self._leases[name] = _Lease(next(self._numbers), owner, until)
            return self._leases[name].number

    def release(self, name: str, /, *, owner: str) -> None:
        """Release the lease, if `owner` holds it."""
        with self._open():
            lease = self._leases.get(name)
            if lease is not None and lease.owner == owner:
                self._leases[name] = evolve(lease, owner=None)

    def close(self) -> None:
        """Forget everything; a second call does nothing."""
        with self._lock:
            self._closed = True
            self._records.clear()
            self._traces.clear()
            self._leases.clear()
            self._learned.clear()
