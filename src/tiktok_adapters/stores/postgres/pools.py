"""Connections to PostgreSQL, for threads and for the tasks of an event loop.

What belongs here: the two classes that know psycopg's two worlds. They have the same methods; those of the first never suspend, so
that a coroutine over them can be driven to its end without an event loop. What is sent, and what follows from an error, `server` knows.

A pool connects in its caller's call. So an error is the caller's, with its reason, and no thread or task works in the background.
"""

import asyncio
import os
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Generic, Protocol, TypeVar

import psycopg
from attrs import frozen
from psycopg.adapt import AdaptersMap, Dumper, Loader
from psycopg.pq import Format, TransactionStatus

from tiktok_core.hidden import Hidden

__all__ = ["Busy", "Elsewhere", "Pool", "TaskPool", "ThreadPool"]

C = TypeVar("C")

IDLE: Final = 300.0
"""Seconds after which a connection that nobody has used is not used any more: a firewall may have forgotten it."""


class Busy(Exception):
    """Every connection is in use."""


class Elsewhere(Exception):
    """The connections belong to another process or event loop."""


class _HiddenDumper(Dumper):
    """Sends what is in a wrapper as bytes: psycopg's own frames show the wrapper."""

    format = Format.BINARY
    oid = psycopg.adapters.types["bytea"].oid

    def dump(self, obj: Any) -> bytes:
        document: bytes = obj.reveal()
        return document


class _HiddenLoader(Loader):
    """Gives bytes in a wrapper."""

    format = Format.BINARY

    def load(self, data: Any) -> Hidden[bytes]:
        return Hidden(bytes(data))


def _adapters() -> AdaptersMap:
    found = AdaptersMap(psycopg.adapters)
    found.register_loader("bytea", _HiddenLoader)
    found.register_dumper(Hidden, _HiddenDumper)
    return found


def _options() -> dict[str, Any]:
    # No prepared statements: a pooler may give the next transaction another connection.
    return {"autocommit": True, "prepare_threshold": None, "context": _adapters()}


@frozen
class _Idle(Generic[C]):
    """A connection that nobody uses."""

    connection: C
    since: float

    @property
    def is_fresh(self) -> bool:
        return time.monotonic() - self.since < IDLE


class _Pool(Generic[C]):
    def __init__(self, conninfo: Hidden[str]) -> None:
        self._conninfo = conninfo
        self._idle: deque[_Idle[C]] = deque()
        self._pid = os.getpid()

    def _latest(self) -> _Idle[C] | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None


class Pool(Protocol):
    """What both pools can do, for callers that await either. A connection is one of psycopg's, of the pool's own world."""

    def new_lock(self) -> AbstractAsyncContextManager[None]:
        """Return a lock that lets one caller after the other in."""
        ...

    def check(self) -> None:
        """Check that the caller may use the connections.

        Raises:
            Elsewhere: they belong to another event loop, or to the process that this one was forked from.
        """
        ...

    async def take(self, within: float) -> tuple[Any, bool]:
        """Return a connection, and whether it is a new one. The caller gives it back.

        Raises:
            Busy: none became free within this many seconds.
            psycopg.Error: none can be made.
        """
        ...

    async def give_back(self, connection: Any, *, is_fit: bool) -> None:
        """Take a connection back. The next caller gets it, unless it is not fit, broken, or in the midst of something."""
        ...

    async def execute(self, connection: Any, text: str, values: Mapping[str, Any]) -> list[Any]:
        """Execute a statement, and return the rows that it finds. Bytes in them are wrapped."""
        ...

    async def execute_script(self, connection: Any, text: str, values: Mapping[str, Any]) -> list[Any]:
        """Execute several statements in one exchange with the server, and return the rows of the last that finds any."""
        ...

    async def drop(self) -> None:
        """Close the connections that nobody uses."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class _Lock:
    """A lock of threads as a coroutine takes it that never suspends."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    async def __aenter__(self) -> None:
        self._lock.acquire()

    async def __aexit__(self, *_: object) -> None:
        self._lock.release()


class ThreadPool(_Pool[psycopg.Connection[Any]]):
    """Connections that the threads of one process share.

    Args:
        conninfo: what libpq connects by. It may hold a password.
        size: how many connections there may be.
    """

    def __init__(self, conninfo: Hidden[str], size: int) -> None:
        super().__init__(conninfo)
        self._room = threading.BoundedSemaphore(size)

    def new_lock(self) -> "_Lock":
        """As `Pool.new_lock`."""
        return _Lock()

    def check(self) -> None:
        """As `Pool.check`."""
        if os.getpid() != self._pid:
            raise Elsewhere

    async def take(self, within: float) -> tuple[psycopg.Connection[Any], bool]:
        """As `Pool.take`."""
        if not self._room.acquire(timeout=max(0.0, within)):
            raise Busy
        try:
            while (found := self._latest()) is not None:
                if found.is_fresh:
                    return found.connection, False
                found.connection.close()
            return psycopg.Connection.connect(self._conninfo.reveal(), **_options()), True
        except BaseException:
            self._room.release()
            raise

    async def give_back(self, connection: psycopg.Connection[Any], *, is_fit: bool) -> None:
        """As `Pool.give_back`."""
        try:
            if is_fit and connection.pgconn.transaction_status == TransactionStatus.IDLE:
                self._idle.append(_Idle(connection, time.monotonic()))
            else:
                connection.close()
        finally:
            self._room.release()

    async def execute(self, connection: psycopg.Connection[Any], text: str, values: Mapping[str, Any]) -> list[Any]:
        """As `Pool.execute`."""
        with connection.cursor(binary=True) as cursor:
            cursor.execute(text.encode(), values)
            return cursor.fetchall() if cursor.description is not None else []

    async def execute_script(
        self, connection: psycopg.Connection[Any], text: str, values: Mapping[str, Any]
    ) -> list[Any]:
        """As `Pool.execute_script`."""
        with psycopg.ClientCursor(connection) as cursor:
            cursor.execute(text.encode(), values)
            rows: list[Any] = []
            more: bool | None = True
            while more:
                rows = cursor.fetchall() if cursor.description is not None else rows
                more = cursor.nextset()
            return rows

    async def drop(self) -> None:
        """As `Pool.drop`."""
        while (found := self._latest()) is not None:
            found.connection.close()

    async def sleep(self, seconds: float) -> None:
        """As `Pool.sleep`."""
        time.sleep(seconds)  # noqa: ASYNC251 - no event loop runs this


class TaskPool(_Pool[psycopg.AsyncConnection[Any]]):
    """Connections that the tasks of one event loop share; otherwise as `ThreadPool`."""

    def __init__(self, conninfo: Hidden[str], size: int) -> None:
        super().__init__(conninfo)
        self._room = asyncio.BoundedSemaphore(size)
        self._loop: asyncio.AbstractEventLoop | None = None

    def new_lock(self) -> asyncio.Lock:
        """As `Pool.new_lock`."""
        return asyncio.Lock()

    def check(self) -> None:
        """As `Pool.check`."""
        loop = asyncio.get_running_loop()
        if os.getpid() != self._pid or self._loop not in {None, loop}:
            raise Elsewhere
        self._loop = loop

    async def take(self, within: float) -> tuple[psycopg.AsyncConnection[Any], bool]:
        """As `Pool.take`."""
        try:
            async with asyncio.timeout(max(0.0, within)):
                await self._room.acquire()
        except TimeoutError:
            raise Busy from None
        try:
            while (found := self._latest()) is not None:
                if found.is_fresh:
                    return found.connection, False
                await found.connection.close()
            return await psycopg.AsyncConnection.connect(self._conninfo.reveal(), **_options()), True
        except BaseException:
            self._room.release()
            raise

    async def give_back(self, connection: psycopg.AsyncConnection[Any], *, is_fit: bool) -> None:
        """As `Pool.give_back`."""
        try:
            if is_fit and connection.pgconn.transaction_status == TransactionStatus.IDLE:
                self._idle.append(_Idle(connection, time.monotonic()))
            else:
                await connection.close()
        finally:
            self._room.release()

    async def execute(
        self, connection: psycopg.AsyncConnection[Any], text: str, values: Mapping[str, Any]
    ) -> list[Any]:
        """As `Pool.execute`."""
        async with connection.cursor(binary=True) as cursor:
            await cursor.execute(text.encode(), values)
            return await cursor.fetchall() if cursor.description is not None else []

    async def execute_script(
        self, connection: psycopg.AsyncConnection[Any], text: str, values: Mapping[str, Any]
    ) -> list[Any]:
        """As `Pool.execute_script`."""
        async with psycopg.AsyncClientCursor(connection) as cursor:
            await cursor.execute(text.encode(), values)
            rows: list[Any] = []
            more: bool | None = True
            while more:
                rows = await cursor.fetchall() if cursor.description is not None else rows
                more = cursor.nextset()
            return rows

    async def drop(self) -> None:
        """As `Pool.drop`."""
        while (found := self._latest()) is not None:
            await found.connection.close()

    async def sleep(self, seconds: float) -> None:
        """As `Pool.sleep`."""
        await asyncio.sleep(seconds)
