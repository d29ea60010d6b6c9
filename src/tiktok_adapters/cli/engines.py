"""`worker --engine`: a whole worker of an engine over the home folder.

What belongs here: the app of the engine, made from the settings, and one sentence for each reason why it cannot run. The adapters are
in `tiktok_adapters.engines`; a program with an app of its own uses those.
"""

import asyncio
import hashlib
import importlib.util
import logging
import sys
import threading
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, urlsplit

from tiktok_adapters.cli.common import say
from tiktok_core import InvalidSettings, Problem, Secret

if TYPE_CHECKING:
    from tiktok_adapters.assembly import Settings
    from tiktok_adapters.engines.worker import Worker

__all__ = ["ENGINES", "Run", "engine", "prepared", "queue_of"]

Run = Callable[["Worker", threading.Event, int], None]
"""Runs an engine's worker until the event is set: with what goes on with posts, and how many of them at once."""
WAIT: Final = 5
"""Seconds to wait for the first answer of a server."""
LOGGERS: Final = {"procrastinate": ("procrastinate", "psycopg"), "celery": ("celery", "kombu", "amqp")}
"""The logs of each engine and of what it stands on."""
POSTGRES: Final = ("postgresql", "postgres")
BROKERS: Final = ("amqp", "amqps", "redis", "rediss")
ELSEWHERE: Final = "of another release of Procrastinate: apply its migrations"


def engine(name: str, found: "Settings") -> Run:
    """Return what runs a worker of the engine, once its settings and its server have been looked at.

    Raises:
        InvalidSettings: the URL is missing or wrong, or its server cannot be used.
        ImportError: the engine's extra is not installed.
    """
    _show_warnings(LOGGERS[name])
    try:
        return ENGINES[name](found)
    except InvalidSettings as error:
        # As for every setting, the sentence says where the value came from.
        origin = found.origins.get("engine_url")
        said = [
            Problem(one.field, f"{one.message}{f' (it comes from {origin})' if origin else ''}")
            for one in error.problems
        ]
        raise InvalidSettings(tuple(said)) from None


def _show_warnings(names: Collection[str]) -> None:
    """Show what an engine warns of, one line each and each text once, unless the log shows all of it anyway."""
    said = set[str]()

    def emit(record: logging.LogRecord) -> None:
        first, *_ = [*record.getMessage().strip().splitlines(), ""]
        if first not in said:
            said.add(first)
            say(first)

    warnings = logging.Handler(logging.WARNING)
    warnings.emit = emit  # type: ignore[method-assign]  # a handler of one line needs no class
    for name in () if logging.getLogger().handlers else names:
        logging.getLogger(name).handlers[:] = [warnings]


def queue_of(client_key: str) -> str:
    """Return the queue of an app's calls. Apps may share a server, and a worker can do nothing with a call of another app."""
    return f"tiktok_open_{hashlib.sha256(client_key.encode()).hexdigest()[:12]}"


def _url(url: Secret, found: "Settings", schemes: Collection[str], example: str) -> SplitResult:
    """Return the parts of the URL. No message quotes it, for it may hold a password.

    Raises:
        InvalidSettings: it is missing, or no URL of the engine.
    """
    if not url:
        raise _wrong(
            f"is missing: set TIKTOK_ENGINE_URL, or engine_url in {found.home / 'config.toml'}, such as {example}"
        )
    try:
        parts = urlsplit(url.reveal())
        _ = parts.port  # Only this looks at it.
    except ValueError:
        raise _wrong(f"is no URL: it should look like {example}") from None
    if parts.scheme not in schemes:
        raise _wrong(
            f"begins with {parts.scheme or 'no scheme'!r}, but this engine needs {' or '.join(schemes)}, as in {example}"
        )
    return parts


def _wrong(message: str) -> InvalidSettings:
    return InvalidSettings((Problem("engine_url", message),))


def _at(parts: SplitResult, port: int) -> str:
    return f"{parts.hostname}:{parts.port or port}"


def _procrastinate(found: "Settings") -> Run:
    # The adapter says what to install.
    from tiktok_adapters.engines.procrastinate import ProcrastinateEngine  # noqa: PLC0415, I001

    import procrastinate as package  # noqa: PLC0415

    # A database that has the stores can have the calls, too.
    url, queue = found.engine_url or found.store_url, queue_of(found.client_key)
    parts = _url(url, found, POSTGRES, "postgresql://user@localhost/database")
    del found
    prepared(url, _at(parts, 5432) if parts.hostname else "this machine's socket")

    def run(worker: "Worker", stop: threading.Event, jobs: int) -> None:
        options: dict[str, Any] = {
            "min_size": 1,
            "max_size": jobs + 2,
            "timeout": 2 * WAIT,
            "kwargs": {"connect_timeout": WAIT},
        }
        app = package.App(connector=package.PsycopgConnector(conninfo=url.reveal(), **options))

        async def serve() -> None:
            async with app.open_async():
                await ProcrastinateEngine(app, worker, queue=queue).run_worker_async(stop, concurrency=jobs)

        # psycopg cannot use the usual event loop of Windows.
        factory = asyncio.SelectorEventLoop if sys.platform == "win32" else None
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(serve())

    return run


def prepared(url: Secret, where: str) -> None:
    """See that the database answers and has Procrastinate's tables, and make them where it has none.

    Raises:
        InvalidSettings: it does not answer, or lets the user make no tables, or its tables are of another release.
    """
    import psycopg  # noqa: PLC0415
    from procrastinate import sql  # noqa: PLC0415
    from procrastinate.schema import SchemaManager  # noqa: PLC0415

    try:
        connection = psycopg.connect(url.reveal(), autocommit=True, connect_timeout=WAIT)
    except psycopg.OperationalError as error:
        raise _wrong(f"leads to no database at {where}: {_last_line(error, url)}") from None
    except psycopg.Error:
        # This error quotes what it does not understand, which may be a password.
        raise _wrong(
            "is no URL that PostgreSQL understands: look for %, @, : and / in the password, and write them as %25 ..."
        ) from None
    with connection:
        try:
            if not _has_tables(connection):
                _made(connection, SchemaManager.get_schema())
            # Of no queue, so none is taken.
            connection.execute(sql.queries["fetch_job"], {"queues": [], "worker_id": 0})
        except (psycopg.errors.UndefinedFunction, psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn):
            raise _wrong(f"leads to a database at {where} whose tables are {ELSEWHERE}") from None
        except psycopg.Error as error:
            said = f"leads to a database at {where} in which Procrastinate's tables cannot be made: {_last_line(error, url)}"
            raise _wrong(f"{said}. Let 'procrastinate schema --apply' be run by a user who may") from None


def _has_tables(connection: Any) -> bool:
    return bool(connection.execute("SELECT to_regclass('procrastinate_jobs') IS NOT NULL").fetchone()[0])


def _made(connection: Any, statements: str) -> None:
    import psycopg  # noqa: PLC0415

    try:
        connection.execute(statements)
    except (psycopg.errors.DuplicateObject, psycopg.errors.DuplicateTable, psycopg.errors.UniqueViolation):
        # Another worker has begun at the same time, and was first.
        if not _has_tables(connection):
            raise


def _celery(found: "Settings") -> Run:
    # The adapter says what to install.
    from tiktok_adapters.engines.celery import CeleryEngine  # noqa: PLC0415, I001

    import celery  # noqa: PLC0415
    from kombu.exceptions import KombuError  # noqa: PLC0415

    parts = _url(found.engine_url, found, BROKERS, "amqp://user@localhost or redis://localhost")
    if not parts.hostname:
        raise _wrong("names no host: it should look like amqp://user@localhost or redis://localhost")
    is_redis = parts.scheme.startswith("redis")
    if is_redis and importlib.util.find_spec("redis") is None:
        raise ImportError("Celery over Redis needs redis: pip install 'tiktok-open[celery]'", name="redis")
    url, queue, where = found.engine_url, queue_of(found.client_key), _at(parts, 6379 if is_redis else 5672)
    del found
    app = celery.Celery("tiktok_open", broker=url.reveal(), set_as_current=False, fixups=[])
    app.conf.update(
        task_default_queue=queue,
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,
        broker_connection_timeout=WAIT,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
    )
    with app.connection_for_write() as connection:
        try:
            connection.ensure_connection(max_retries=1, timeout=WAIT)
            connection.default_channel.close()
        except (KombuError, OSError, *connection.connection_errors, *connection.channel_errors) as error:
            raise _wrong(f"leads to no broker at {where}: {_last_line(error, url)}") from None

    def run(worker: "Worker", stop: threading.Event, jobs: int) -> None:
        CeleryEngine(app, lambda: worker).run_worker(stop, concurrency=jobs)

    return run


def _last_line(error: Exception, url: Secret) -> str:
    """Return what a server says, on one line, without a password."""
    text = str(error).strip().splitlines()[-1].strip() if str(error).strip() else type(error).__name__
    return text.replace(url.reveal(), "the URL").replace(urlsplit(url.reveal()).password or "\0", "***")


ENGINES: Final[dict[str, Callable[["Settings"], Run]]] = {"procrastinate": _procrastinate, "celery": _celery}
"""The engines of `worker --engine`."""
