"""A schema of its own for each test, on the server of `postgres_server`, and what a test does to it past the stores.

What belongs here: fixtures for all tests of the stores in PostgreSQL.
"""

import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from postgres_server import Server
from tiktok_adapters.stores.postgres import AsyncPostgresStores, PostgresStores

__all__ = ["KEYS", "Place", "place"]

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
