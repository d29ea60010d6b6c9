"""Journal in PostgreSQL, shared by processes on any number of machines.

What belongs here: what the journal sends, and how it reads rows. `sql` has the statements.
"""

import asyncio
import hashlib
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final

from tiktok_adapters.stores.postgres import sql
from tiktok_adapters.stores.postgres.parts import BlockingPart, Leases, id_of
from tiktok_adapters.stores.postgres.rows import Row, Rows, Unread, format_of
from tiktok_adapters.stores.postgres.server import Server
from tiktok_adapters.stores.sealing import Seal
from tiktok_adapters.stores.stored import microseconds, moment, name_bytes, name_text, trace_in
from tiktok_core.blocking import blocking
from tiktok_core.domain.forgetting import Trace, forgetting, lasting, name_digest, name_parts, trace_of
from tiktok_core.domain.journal import Record
from tiktok_core.errors import LeaseLost, StoreError
from tiktok_core.hidden import Hidden
from tiktok_core.wire.records import (
    RECORD_VERSION,
    dump_record,
    dump_trace,
)

__all__ = ["AsyncPostgresJournal", "PostgresJournal"]

FIRST: Final = -(2**63)


class AsyncPostgresJournal(Leases):
    """Records, traces and leases in tables.

    Every method may raise `StoreError`. Once the journal is closed, every method but `close` raises it. Each method but `replace`,
    `remove` and, once a day, `forget` sends one statement, and reads no record but those that it returns.

    Args:
        server: where it is kept.
        seal: encrypts records, and opens those that are encrypted; None for a journal that is not encrypted. Records that are
            not encrypted are read in any case. Names, times and what else is searched for are never encrypted.
    """

    def __init__(self, server: Server, seal: Seal | None) -> None:
        super().__init__(server, "record_leases")
        self._seal = seal
        self._reader = Rows(seal)
        self._renewals: dict[str, asyncio.Future[None]] = {}

    async def load(self, name: str, /) -> Record | None:
        """Return the record, or None."""
        rows = await self._rows(sql.LOAD_RECORD, {"id": id_of(name)})
        return self._told(Row(*rows[0])) if rows else None

    async def save(self, record: Record, /, *, fence: int | None) -> None:
        """Store the record under its name, durably and atomically, in place of any earlier one.

        Args:
            record: the record to store.
            fence: the number of the lease under which the caller writes. None writes without checking leases.

        Raises:
            LeaseLost: `fence` is not the number of this post's newest lease. Nothing was written.
        """
        if not await self._rows(sql.SAVE_RECORD, self._reader.values(record) | {"fence": fence}):
            raise LeaseLost(record.key)

    async def replace(self, record: Record, /, *, seen: Record) -> bool:
        """Replace the record `seen` without checking leases. Return False, and write nothing, if another one is stored."""
        values = self._reader.values(record)
        if self._seal is None and await self._replaced(values, Hidden(dump_record(seen))):
            return True
        # Another release may have written the same record in other words, and a sealed one is never twice the same.
        while rows := await self._rows(sql.LOAD_RECORD, {"id": id_of(record.name)}):
            row = Row(*rows[0])
            if self._told(row) != seen:
                return False
            if await self._replaced(values, row.document):
                return True
        return False

    async def _replaced(self, values: dict[str, Any], seen: Hidden[bytes]) -> bool:
        digest = hashlib.sha256(seen.reveal()).digest()
        return bool(await self._rows(sql.REPLACE_RECORD, values | {"seen": digest}))

    async def records(
        self, under: str = "", /, *, since: datetime | None = None, until: datetime | None = None
    ) -> tuple[Record, ...]:
        """Return the records under these names, updated since the one time and created until the other, the oldest first.

        Records that cannot be read are left out. `unreadable` returns their names.
        """
        values = {"since": since and microseconds(since), "until": until and microseconds(until)}
        return await self._listed(sql.RECORDS, under, values)

    async def unfinished(self, under: str = "", /, *, due: datetime | None = None) -> tuple[Record, ...]:
        """Return the records of posts that have not ended, the oldest first; with `due`, those that are due for a worker."""
        if due is None:
            return await self._listed(sql.UNFINISHED, under, {})
        return await self._listed(sql.DUE, under, {"due": microseconds(due)})

    async def of_post(self, publish_id: str, under: str = "", /) -> Record | None:
        """Return the oldest record that has this publish id, or None."""
        found = await self._listed(sql.OF_POST, under, {"post": id_of(publish_id)})
        return found[0] if found else None

    async def learned(self, app: str, /) -> int | None:
        """Return the chunk size that the app's posts have taught last, or None."""
        rows = await self._rows(sql.LEARNED, {"app": id_of(app)})
        return rows[0][0] if rows else None

    async def unreadable(self, under: str = "", /) -> tuple[str, ...]:
        """Return the sorted names, beginning with `under`, of the records that cannot be read.

        They are those of other releases, those that no key opens, and those that were changed past the journal.
        """
        keys = [b"", *(self._seal.marks if self._seal is not None else ())]
        readable = [format_of(version, key) for version in range(1, RECORD_VERSION + 1) for key in keys]
        rows = await self._rows(sql.UNREADABLE, _range(under) | {"readable": readable})
        return tuple(sorted(name_text(name.reveal()) for (name,) in rows))

    async def _listed(self, statement: str, under: str, values: dict[str, Any]) -> tuple[Record, ...]:
        found = (self._readable(Row(*row)) for row in await self._rows(statement, _range(under) | values))
        return tuple(record for record in found if record is not None)

    async def forget(self, now: datetime, /, *, keep: timedelta) -> None:
        """Note the time. Once a day, remove the records that ended more than `keep` ago.

        Keep their traces. Also remove leases that expired a day ago, unless their post has a record. A late holder's write is refused.
        """
        ((known,),) = await self._rows(sql.SEEN, {})
        due = forgetting(None if known is None else moment(known), now, keep)
        if due is None or not await self._rows(sql.SEE, {"known": known, "seen": microseconds(due.seen)}):
            return  # It is too early, or another process does it.
        if due.before is None:
            return
        values = {"before": microseconds(due.before), "updated": FIRST, "after": b""}
        while rows := await self._rows(sql.ENDED, values):
            # Leave a record that cannot be read: only who can read it knows the details for its trace.
            old = [
                (row, record) for row in (Row(*row[1:]) for row in rows) if (record := self._readable(row)) is not None
            ]
            await self._removed([(row, trace_of(record)) for row, record in old])
            values |= {"updated": rows[-1][0], "after": id_of(name_text(rows[-1][1].reveal()))}
        await self._rows(sql.FORGET_LEASES, {})

    async def remove(self, name: str, /) -> bool:
        """Remove this record, but keep its trace. A readable record that has not ended stays: return False."""
        while rows := await self._rows(sql.LOAD_RECORD, {"id": id_of(name)}):
            row = Row(*rows[0])
            record = self._readable(row)
            if record is not None and not record.is_ended:
                return False
            trace = Trace(digest=name_digest(name), end=None) if record is None else trace_of(record)
            if await self._removed([(row, trace)]):
                return True
            # It was saved meanwhile: look at what is there now.
        return False

    async def _removed(self, old: list[tuple[Row, Trace]]) -> bool:
        traces = [lasting(row.trace, trace) for row, trace in old]
        values = {
            "ids": [bytes.fromhex(trace.digest) for trace in traces],
            "digests": [row.digest.reveal() for row, _trace in old],
            "traces": [dump_trace(trace) for trace in traces],
        }
        return bool(await self._rows(sql.REMOVE, values)) if old else False

    async def trace(self, name: str, /) -> Trace | None:
        """Return the trace of the removed record of this name, or None."""
        rows = await self._rows(sql.TRACE, {"id": id_of(name)})
        return trace_in(name_digest(name), rows[0][0].reveal()) if rows else None

    async def try_lease(
        self, name: str, /, *, owner: str, now: datetime, until: datetime, by_force: bool = False
    ) -> int | None:
        """Take or renew the lease for `until - now`. Return its number, or None while another owner's is valid.

        The server's clock decides. The number stays the same until the owner releases the lease or another owner takes it, which
        `by_force` always does.
        """
        await self._renewed(name)
        return await self._take(name, owner, now, until, by_force=by_force)

    def renew(self, name: str, /, *, owner: str, now: datetime, until: datetime) -> None:
        """Begin to renew the lease, and return at once. The next call about this lease waits for the end of it."""

        async def renewed() -> None:
            with suppress(StoreError):
                await self._take(name, owner, now, until, by_force=False)

        if name not in self._renewals:
            task = self._renewals[name] = asyncio.ensure_future(renewed())
            task.add_done_callback(lambda _task: self._renewals.pop(name, None))

    async def release(self, name: str, /, *, owner: str) -> None:
        """Release the lease, if `owner` holds it."""
        await self._renewed(name)
        await super().release(name, owner=owner)

    async def close(self) -> None:
        """Close this store; a second call does nothing. The last one of a `PostgresStores` closes the connections."""
        for name in tuple(self._renewals):
            await self._renewed(name)
        await super().close()

    async def _renewed(self, name: str) -> None:
        if (task := self._renewals.get(name)) is not None:
            await asyncio.wait([task])

    def _told(self, row: Row) -> Record:
        trouble: Unread
        try:
            return self._reader.known(row)
        except Unread as error:
            trouble = error
        _app, account, key = name_parts(row.name)
        raise self._error(f"post {key!r} of account {account!r}: {trouble.reason}", trouble.kind)

    def _readable(self, row: Row) -> Record | None:
        try:
            return self._reader.known(row)
        except Unread:
            return None


def _range(under: str) -> dict[str, Any]:
    """Return the values by which an index finds the names with this beginning."""
    first = name_bytes(under)[: sql.HEAD]
    # It sorts after every name with this beginning. No byte of a name is 255.
    beyond = first[:-1] + bytes([first[-1] + 1]) if first else None
    return {"under": name_bytes(under), "first": first, "beyond": beyond}


class PostgresJournal(BlockingPart[AsyncPostgresJournal]):
    """As `AsyncPostgresJournal`, blocking."""

    load = blocking(AsyncPostgresJournal.load)
    save = blocking(AsyncPostgresJournal.save)
    replace = blocking(AsyncPostgresJournal.replace)
    records = blocking(AsyncPostgresJournal.records)
    unfinished = blocking(AsyncPostgresJournal.unfinished)
    of_post = blocking(AsyncPostgresJournal.of_post)
    learned = blocking(AsyncPostgresJournal.learned)
    unreadable = blocking(AsyncPostgresJournal.unreadable)
    forget = blocking(AsyncPostgresJournal.forget)
    remove = blocking(AsyncPostgresJournal.remove)
    trace = blocking(AsyncPostgresJournal.trace)
    try_lease = blocking(AsyncPostgresJournal.try_lease)
    release = blocking(AsyncPostgresJournal.release)
    close = blocking(AsyncPostgresJournal.close)
