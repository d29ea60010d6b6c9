"""One PostgreSQL server as the stores see it: they send statements, and get rows or a `StoreError`.

What belongs here: what holds for each call. A connection is looked at when it is new; a call whose connection broke is made again,
and told so; errors become `StoreError` outside of any `except`, so that no traceback leads into psycopg's frames, which hold passwords
and documents.
"""

import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any, Final, TypeAlias, TypeVar

import psycopg

from tiktok_adapters.stores.postgres import schema as schemas
from tiktok_adapters.stores.postgres import sql
from tiktok_adapters.stores.postgres.pools import Busy, Elsewhere, Pool
from tiktok_adapters.stores.postgres.troubles import READ_ONLY, Failure, failure_of, lost, not_connected
from tiktok_core.errors import StoreError, StoreTrouble

__all__ = ["Server", "Values"]

T = TypeVar("T")

Values: TypeAlias = Mapping[str, Any]
"""The values of a statement by name. A secret one is in its wrapper."""
OLDEST: Final = 120000
"""PostgreSQL 12, as the server numbers its versions."""
PAUSE: Final = 0.25
"""Seconds between attempts to connect."""


class Server:
    """A server, reached through a pool of connections.

    Args:
        pool: makes and keeps the connections.
        name: how errors call the store: host and database, without user and password.
        schema: the schema of the tables.
        wait: seconds for which a call waits for a free connection, or for a server that restarts.
    """

    def __init__(self, pool: Pool, name: str, schema: str, wait: float) -> None:
        self._pool = pool
        self.name = name
        self.schema = schema
        self._wait = wait
        self._preparing = pool.new_lock()
        self._before_closing: list[Callable[[], Coroutine[Any, Any, None]]] = []
        self._is_prepared = False
        self.has_made_tables = False
        self._is_closed = False
        self._users = 0

    def enter(self) -> None:
        """Count one more user of the connections.

        Raises:
            StoreError: they are closed.
        """
        if self._is_closed:
            raise self.error("it is closed", "closed")
        self._users += 1

    async def leave(self) -> None:
        """Count one user less. The last one closes the connections."""
        self._users -= 1
        if self._users == 0:
            await self.close()

    def new_lock(self) -> AbstractAsyncContextManager[None]:
        """Return a lock that lets one caller after the other in."""
        return self._pool.new_lock()

    def before_closing(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do some work before the connections close. It must not raise."""
        self._before_closing.append(work)

    async def rows(
        self, statement: str, values: Values, *, is_script: bool = False, is_patient: bool = True
    ) -> list[Any]:
        """Execute a statement of `sql`, and return the rows that it finds.

        If a connection breaks, a patient call sends the statement again, for `wait` seconds at most, with `again` in its values.

        Raises:
            StoreError: the server cannot be reached or refuses, or the store is closed.
        """
        await self.prepare()
        text = statement.replace("{s}", schemas.quoted(self.schema))
        execute = self._pool.execute_script if is_script else self._pool.execute

        async def send(connection: Any, is_again: bool) -> list[Any]:
            return await execute(connection, text, {**values, "again": is_again})

        if is_patient:
            return await self._patiently(send)
        found = await self._attempt(send, self._wait, is_again=False)
        if isinstance(found, Failure):
            raise found.error
        rows: list[Any] = found
        return rows

    async def transaction(
        self, work: Callable[[Callable[..., Coroutine[Any, Any, list[Any]]]], Coroutine[Any, Any, T]]
    ) -> T:
        """Do some work in one transaction, over one connection. What it raises undoes all of it.

        If the connection breaks, it is not known whether the work was done: look.

        Raises:
            StoreError: the server cannot be reached or refuses, or the store is closed.
        """
        await self.prepare()

        async def run(connection: Any, _is_again: bool) -> T:
            async def execute(statement: str, **values: Any) -> list[Any]:
                text = statement.replace("{s}", schemas.quoted(self.schema))
                return await self._pool.execute(connection, text, values)

            await execute(sql.BEGIN)
            found = await work(execute)
            await execute("COMMIT")
            return found

        done: T | Failure = await self._attempt(run, self._wait, is_again=False)
        if isinstance(done, Failure):
            raise done.error
        return done

    async def prepare(self) -> None:
        """Connect, and make or check the tables, unless that was done. A server that cannot be reached is not waited for.

        Raises:
            StoreError: the server or its tables do not fit, or the store is closed.
        """
        self._check_open()
        if self._is_prepared:
            return
        async with self._preparing:
            if self._is_prepared:
                return

            async def look(connection: Any, _is_again: bool) -> bool:
                return await schemas.prepare(self._pool, connection, self.schema, schemas.LAYOUT)

            found = await self._attempt(look, self._wait, is_again=False)
            if isinstance(found, Failure):
                raise found.error
            self._is_prepared, self.has_made_tables = True, found

    async def close(self) -> None:
        """Close the connections; a second call does nothing."""
        if self._is_closed:
            return
        with suppress(Elsewhere):
            self._pool.check()
            if self._is_prepared:
                for work in self._before_closing:
                    await work()
            self._is_closed = True
            await self._pool.drop()

    def error(self, reason: str, kind: StoreTrouble) -> StoreError:
        """Return an error of this store."""
        return StoreError(self.name, reason, kind)

    def __repr__(self) -> str:
        return repr(self.name)

    def _check_open(self) -> None:
        if self._is_closed:
            raise self.error("it is closed", "closed")
        is_elsewhere = False
        try:
            self._pool.check()
        except Elsewhere:
            is_elsewhere = True
        if is_elsewhere:
            reason = "another process or event loop opened it: open it again in each"
            raise self.error(reason, "closed")

    async def _patiently(self, send: Callable[[Any, bool], Coroutine[Any, Any, list[Any]]]) -> list[Any]:
        end = time.monotonic() + self._wait
        is_again = False
        while True:
            found = await self._attempt(send, end - time.monotonic(), is_again=is_again)
            if not isinstance(found, Failure):
                rows: list[Any] = found
                return rows
            is_again = is_again or found.was_sent
            if not found.may_pass or time.monotonic() + PAUSE > end:
                raise found.error
            await self._pool.sleep(PAUSE)

    async def _attempt(
        self, send: Callable[[Any, bool], Coroutine[Any, Any, Any]], within: float, *, is_again: bool
    ) -> Any:
        """Do the work over one connection. Return what it returns, or why it failed."""
        try:
            connection, is_new = await self._pool.take(within)
        except Busy:
            reason = "each connection is in use: allow more of them, or fewer calls at once"
            return Failure(self.error(reason, "locked"))
        except psycopg.Error as error:
            return not_connected(error, self.name)
        is_begun, is_fit = False, not is_new
        try:
            if is_new:
                (row,) = await self._pool.execute(connection, sql.CHECK, {})
                if (unfit := _unfit(*row)) is not None:
                    return Failure(self.error(unfit, "foreign"))
                is_fit = True
            is_begun = True
            return await send(connection, is_again)
        except schemas.Unfit as error:
            return Failure(self.error(error.reason, error.kind))
        except psycopg.Error as error:
            if not connection.closed:
                return failure_of(error, self.name, is_lost=False)
            # The server has probably ended all connections, so the next attempt makes a new one.
            await self._pool.drop()
            return failure_of(error, self.name, is_lost=True) if is_begun else lost(self.name)
        finally:
            # A store that was closed meanwhile keeps no connection.
            await self._pool.give_back(connection, is_fit=is_fit and not self._is_closed)


def _unfit(version: int, is_read_only: bool, is_asynchronous: bool) -> str | None:
    """Return why a server or its settings for this user do not fit; None if they do."""
    if version < OLDEST:
        return f"the server is PostgreSQL {version // 10000}, and the store needs {OLDEST // 10000} or newer"
    if is_read_only:
        return READ_ONLY
    if is_asynchronous:
        return (
            "synchronous_commit is off for this user, so a crash of the server could lose what was saved, and a post could "
            "be made twice: ALTER ROLE ... SET synchronous_commit = on"
        )
    return None
