"""A home that arrives in the database: everything in one transaction, with the row that says that the database has taken over.

What belongs here: the database's side of a move. A move is announced here before the home is marked, so that a second try knows
whether this is the database that the first one meant. Its end, or its being taken back, is one row: whichever is first, counts.
"""

import hashlib
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, Final, Literal, TypeAlias

from attrs import evolve

from tiktok_adapters.stores.postgres import sql
from tiktok_adapters.stores.postgres.parts import id_of
from tiktok_adapters.stores.postgres.rows import Row, Rows, format_of
from tiktok_adapters.stores.postgres.server import Server
from tiktok_adapters.stores.postgres.tokens import token_id
from tiktok_adapters.stores.sealed_tokens import Box
from tiktok_adapters.stores.sealing import Seal
from tiktok_adapters.stores.sqlite_leaving import KeptRecord, LeavingJournal
from tiktok_adapters.stores.sqlite_moved import Conflict
from tiktok_adapters.stores.stored import microseconds, name_bytes, name_text, trace_in
from tiktok_core.domain.forgetting import Trace, lasting, name_parts
from tiktok_core.domain.tokens import Secret, Tokens
from tiktok_core.hidden import Hidden
from tiktok_core.lifting import drive
from tiktok_core.wire.records import dump_tokens, dump_trace, load_tokens

__all__ = ["Arrival", "State"]

State: TypeAlias = Literal["begun", "done", "cancelled"]
Execute: TypeAlias = Callable[..., Coroutine[Any, Any, list[Any]]]
NOT_READ: Final = "-"
"""The format of a record that no release can read."""


class Arrival:
    """The moves of homes to a database, as one home's move sees them. Its calls block.

    Each of them may raise `StoreError`.

    Args:
        server: the database, through a pool of threads.
        keys: the keys that encrypt tokens and records there.
    """

    def __init__(self, server: Server, keys: tuple[Secret, ...]) -> None:
        self._server = server
        self._box = Box(keys) if keys else None
        self._rows = Rows(Seal(keys) if keys else None)

    def announce(self, move: bytes) -> None:
        """Say that a home is about to be moved here."""
        drive(self._server.rows(sql.ANNOUNCE, {"id": move}))

    def state(self, move: bytes) -> State | None:
        """Return how far a move has come; None if it was not announced here."""
        rows = drive(self._server.rows(sql.MOVE_STATE, {"id": move}))
        return rows[0][0] if rows else None

    def cancel(self, move: bytes) -> State | None:
        """Take a move back unless it is done, and return its state: after `cancelled` nothing of it can arrive any more."""
        drive(self._server.rows(sql.CANCEL_MOVE, {"id": move}))
        return self.state(move)

    def receive(self, move: bytes, tokens: Mapping[tuple[str, str], Tokens], journal: LeavingJournal) -> State | None:
        """Take everything in, read it back, and take over: all of it, or nothing. Return the state afterwards.

        Args:
            move: the move, which was announced.
            tokens: the tokens, by the digest of the app's client key, and the account.
            journal: the journal.

        Raises:
            Conflict: an account or a post is here already, or what was read back differs.
        """

        async def work(execute: Execute) -> State | None:
            rows = await execute(sql.HOLD_MOVE, id=move)
            state: State | None = rows[0][0] if rows else None
            if state != "begun":
                return state
            for (app, account), one in tokens.items():
                await self._tokens(execute, app, account, one)
            taken = 0
            for portion in journal.walk():
                await self._records(execute, portion)
                taken += len(portion)
            if taken != journal.count():
                raise Conflict(f"the journal has {journal.count()} records, and only {taken} could be read")
            for traces in journal.traces():
                await self._traces(execute, traces)
            for app, at, size in journal.lessons():
                await execute(sql.LEARN, app=id_of(app), updated=at, size=size)
            if (seen := journal.seen()) is not None:
                await execute(sql.BELIEVE, at=microseconds(seen))
            await execute(sql.END_MOVE, id=move)
            return "done"

        return drive(self._server.transaction(work))

    async def _tokens(self, execute: Execute, app: str, account: str, tokens: Tokens) -> None:
        values = {"id": token_id(app, account), "app": app, "name": name_bytes(account), "again": False}
        document = Hidden(dump_tokens(tokens if self._box is None else self._box.sealed(account, tokens)))
        if not await execute(sql.INSERT_TOKENS, **values, document=document):
            raise Conflict(
                f"account {account!r} is signed in there already: forget one of both sign-ins, by 'tiktok logout --forget {account}' with "
                "or without TIKTOK_STORE_URL"
            )
        ((_generation, lying),) = await execute(sql.LOAD_TOKENS, id=values["id"], largest=len(document.reveal()))
        found = load_tokens(lying) if self._box is None else self._box.opened(account, load_tokens(lying))
        if evolve(found, generation=tokens.generation) != tokens:
            raise Conflict(f"the tokens of {account!r} could not be read back")

    async def _records(self, execute: Execute, portion: tuple[KeptRecord, ...]) -> None:
        values = [self._values(one) for one in portion]
        added = await execute(sql.ADD_RECORDS, **{name: [one[name] for one in values] for name in values[0]})
        there = {bytes(one.reveal()) for (one,) in added}
        for one, row in zip(portion, values, strict=True):
            if row["id"] not in there:
                _app, account, key = name_parts(name_text(one.name))
                raise Conflict(
                    f"the database has a post {key!r} of account {account!r}, too, and a key stands for one post: forget the one in the "
                    f"home folder, by 'tiktok uploads --forget {key}' without TIKTOK_STORE_URL"
                )
        sent = {one.name: (one, row) for one, row in zip(portion, values, strict=True)}
        rows = [Row(*row) for row in await execute(sql.READ_BACK, ids=[one["id"] for one in values])]
        if sum(self._is_there(*sent[row.lying.reveal()], row) for row in rows) != len(portion):
            raise Conflict("a record could not be read back")

    def _is_there(self, one: KeptRecord, values: dict[str, Any], row: Row) -> bool:
        if row.document != values["document"] or row.digest.reveal() != values["digest"]:
            return False
        return one.record is None or self._rows.known(row) == one.record

    def _values(self, one: KeptRecord) -> dict[str, Any]:
        if one.record is not None:
            values = self._rows.values(one.record)
            return {name: values[name] for name in values if name not in ("app", "size")}
        # It is kept as it lies there, so that its key stays used and a release that can read it finds it.
        return {
            "id": id_of(name_text(one.name)),
            "name": one.name,
            "created": one.created,
            "updated": one.updated,
            "ended": False,
            "due": None,
            "post": None,
            "format": format_of(one.version, b"") if one.version else NOT_READ.encode(),
            "digest": hashlib.sha256(one.document.reveal()).digest(),
            "document": one.document,
        }

    async def _traces(self, execute: Execute, traces: Iterable[Trace]) -> None:
        found: dict[str, Trace] = {}
        for trace in traces:
            found[trace.digest] = lasting(found.get(trace.digest), trace)
        ids = [bytes.fromhex(digest) for digest in found]
        for lying, document in await execute(sql.FOUND_TRACES, ids=ids):
            digest = lying.reveal().hex()
            found[digest] = lasting(trace_in(digest, document.reveal()), found[digest])
        await execute(sql.ADD_TRACES, ids=ids, documents=[dump_trace(trace) for trace in found.values()])
