"""A schema of its own for each test, on the server of `postgres_server`, and what a test does to it past the stores.

What belongs here: fixtures for all tests of the stores in PostgreSQL.
"""

import asyncio
import inspect
import secrets
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from postgres_server import PASSWORD, Server
from tiktok_adapters.stores.postgres import AsyncPostgresStores, PostgresStores
from tiktok_core.errors import StoreError

__all__ = ["KEYS", "Database", "Place", "World", "database", "place", "world"]

KEYS = ["Zm9yIHRlc3RzIGFuZCBub3RoaW5nIGVsc2UgYXQgYWw="]


class Place:
    """A schema on a server, which the first stores make."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.schema = f"test_{secrets.token_hex(8)}"
        self._connection = _connected(server)

    def stores(self, **options: Any) -> PostgresStores:
        """Open the place for threads."""
        return PostgresStores(**{"url": self.server.url(), "schema": self.schema} | options)

    def stores_async(self, **options: Any) -> AsyncPostgresStores:
        """Open the place for tasks."""
        return AsyncPostgresStores(**{"url": self.server.url(), "schema": self.schema} | options)

    def execute(self, statement: str, *values: Any) -> list[Any]:
        """Do something past the stores. `{s}` in the statement is the schema."""
        return self.execute_named(statement, values or None)

    def execute_named(self, statement: str, values: Any) -> list[Any]:
        """Do something past the stores, with values by name."""
        try:
            self._connection.execute("")
        except Exception:  # noqa: BLE001 - the server was restarted
            self._connection.close()
            self._connection = _connected(self.server)
        cursor = self._connection.execute(statement.replace("{s}", self.schema).encode(), values)
        return cursor.fetchall() if cursor.description else []

    def transaction(self) -> Any:
        """Return a connection whose statements are one transaction, until its `rollback`."""
        found = _connected(self.server)
        found.autocommit = False
        return found

    def pass_time(self, seconds: float) -> None:
        """Let time pass on the server: every time that is stored there moves back."""
        if not self.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", self.schema):
            return  # Nothing is stored.
        for table in ("token_leases", "record_leases", "slots"):
            self.execute(f"UPDATE {{s}}.{table} SET until = until - make_interval(secs => %s)", seconds)
        moved = "(SELECT array_agg(call - make_interval(secs => %s) ORDER BY call) FROM unnest(calls) AS call)"
        self.execute(f"UPDATE {{s}}.pace SET calls = {moved}", seconds)

    def close(self) -> None:
        """Drop the schema."""
        self.execute("DROP SCHEMA IF EXISTS {s} CASCADE")
        self._connection.close()


def _connected(server: Server) -> Any:
    import psycopg  # noqa: PLC0415 - not every Python has it

    return psycopg.connect(server.url(), autocommit=True)


@pytest.fixture
def place(postgres_server: Server) -> Iterator[Place]:
    """Give an empty place."""
    found = Place(postgres_server)
    yield found
    found.close()


class World:
    """The stores of a place, blocking or awaited."""

    def __init__(self, place: Place, runner: asyncio.Runner | None) -> None:
        self.place = place
        self._runner = runner
        self._opened: list[Any] = []
        self.is_blocking = runner is None

    def stores(self, **options: Any) -> Any:
        """Open the place."""
        opened = (self.place.stores if self._runner is None else self.place.stores_async)(**options)
        self._opened.append(opened)
        return opened

    def run(self, value: Any) -> Any:
        """Return the result of a call."""
        return self._runner.run(_awaited(value)) if self._runner and inspect.isawaitable(value) else value

    def at_once(self, calls: list[Callable[[], Any]]) -> list[Any]:
        """Return the results of calls that are made at the same time."""
        if self._runner is not None:
            return list(self._runner.run(_gathered(calls)))
        results: list[Any] = [None] * len(calls)

        def make(number: int, call: Callable[[], Any]) -> None:
            results[number] = call()

        threads = [threading.Thread(target=make, args=pair) for pair in enumerate(calls)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return results

    def fails(self, call: Callable[[], Any]) -> StoreError:
        """Return the error of a call."""
        with pytest.raises(StoreError) as caught:
            self.run(call())
        return caught.value

    def close(self) -> None:
        """Close what was opened."""
        for opened in self._opened:
            self.run(opened.close())


async def _awaited(value: Any) -> Any:
    return await value


async def _gathered(calls: list[Callable[[], Any]]) -> list[Any]:
    return await asyncio.gather(*(call() for call in calls))


@pytest.fixture(params=["blocking", "awaited"])
def world(request: pytest.FixtureRequest, place: Place) -> Iterator[World]:
    """Give the place in each world."""
    with asyncio.Runner() as runner:
        found = World(place, runner if request.param == "awaited" else None)
        yield found
        found.close()


class Database:
    """A database of its own, for programs that are given a URL and no schema."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.name = f"test_{secrets.token_hex(8)}"
        self.url = server.url(self.name, password=PASSWORD)
        self._do(f"CREATE DATABASE {self.name}")

    def execute(self, statement: str, *values: Any) -> list[Any]:
        """Do something past the stores. `{s}` in the statement is their schema."""
        import psycopg  # noqa: PLC0415 - as above

        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement.replace("{s}", "tiktok").encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def close(self) -> None:
        """Drop the database."""
        self._do(f"DROP DATABASE {self.name} WITH (FORCE)")

    def _do(self, statement: str) -> None:
        with _connected(self.server) as connection:
            connection.execute(statement)


@pytest.fixture
def database(postgres_server: Server) -> Iterator[Database]:
    """Give an empty database. Its URL has a password, which this server does not ask for."""
    found = Database(postgres_server)
    yield found
    found.close()
