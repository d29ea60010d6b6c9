"""Each engine over each of its servers, for tests of whole workers.

What belongs here: what a test does with a queue past the workers.
"""

from typing import Any

import pytest
from attrs import frozen

from postgres_server import PASSWORD
from tiktok_adapters.cli.engines import prepared, queue_of
from tiktok_adapters.simulator import DEFAULT_CLIENT_KEY
from tiktok_core import Secret

__all__ = ["SERVERS", "Engine", "engine", "sql"]


def sql(url: str, statement: str) -> list[Any]:
    """Do something in a database."""
    import psycopg  # noqa: PLC0415

    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


@frozen
class Engine:
    """An engine and its server."""

    name: str
    server: Any

    def calls(self, client_key: str) -> Any:
        """Return what makes calls, as a program would."""
        queue = queue_of(client_key)
        if self.name == "celery":
            from celery import Celery  # noqa: PLC0415

            from tiktok_adapters.engines.celery import CeleryEngine  # noqa: PLC0415

            app = Celery("program", broker=self.server.url(), set_as_current=False, fixups=[])
            return CeleryEngine(app, queue=queue)
        import procrastinate  # noqa: PLC0415

        from tiktok_adapters.engines.procrastinate import ProcrastinateEngine  # noqa: PLC0415

        connector = procrastinate.SyncPsycopgConnector(conninfo=self.server.url(), min_size=1, max_size=1)
        prepared(Secret(self.server.url()), "here")
        return ProcrastinateEngine(procrastinate.App(connector=connector).open(), queue=queue)

    def emptied(self) -> int:
        """Empty all queues, past the engine, and return how much was in them."""
        if "postgres" in self.server.url():
            return len(sql(self.server.url(), "DELETE FROM procrastinate_jobs RETURNING id"))
        if "redis" in self.server.url():
            import redis  # noqa: PLC0415

            with redis.Redis.from_url(self.server.url()) as connection:
                found = int(connection.dbsize())
                connection.flushall()
                return found
        import kombu  # noqa: PLC0415

        with kombu.Connection(self.server.url()) as connection:
            return int(connection.default_channel.queue_purge(queue_of(DEFAULT_CLIENT_KEY)))

    def arguments(self) -> tuple[str, ...]:
        """Return the command of a worker."""
        return "worker", "--engine", self.name

    def environ(self) -> dict[str, str]:
        """Return the setting that leads to the server."""
        url = self.server.url()
        # PostgreSQL does not ask this user for a password, and the worker does not know that.
        return {"TIKTOK_ENGINE_URL": url.replace("owner@", f"owner:{PASSWORD}@")}


SERVERS = {
    "procrastinate": ("procrastinate", "postgres_server"),
    "celery-rabbitmq": ("celery", "rabbitmq_server"),
    "celery-redis": ("celery", "redis_server"),
}


@pytest.fixture(params=SERVERS)
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine, over each of its servers."""
    name, server = SERVERS[request.param]
    return Engine(name, request.getfixturevalue(server))
