"""The stores of one PostgreSQL database: what programs make, and what hands out the adapters of each port.

What belongs here: opening by a URL, and closing. psycopg is imported where it is used, so that its absence has a sentence.
"""

from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self

from tiktok_adapters.stores.apps import app_digest
from tiktok_adapters.stores.encrypted import AsyncEncryptedTokenStore, EncryptedTokenStore
from tiktok_adapters.stores.sealing import Seal
from tiktok_core.domain.tokens import Secret
from tiktok_core.errors import InvalidSettings, Problem
from tiktok_core.hidden import Hidden
from tiktok_core.lifting import drive
from tiktok_core.ports import (
    AsyncClock,
    AsyncJournal,
    AsyncPacer,
    AsyncTokenStore,
    AsyncUploadSlots,
    Clock,
    Journal,
    Pacer,
    TokenStore,
    UploadSlots,
)

if TYPE_CHECKING:
    from tiktok_adapters.stores.postgres.arriving import Arrival
    from tiktok_adapters.stores.postgres.looking import Facts, Reading
    from tiktok_adapters.stores.postgres.pools import Pool
    from tiktok_adapters.stores.postgres.server import Server

__all__ = ["AsyncPostgresStores", "PostgresStores"]

SCHEMES: Final = ("postgresql://", "postgres://")
DEFAULTS: Final[dict[str, Any]] = {
    # Seconds to connect, and milliseconds until a line is given up on which nothing is confirmed: no call hangs with it.
    "connect_timeout": 5,
    "tcp_user_timeout": 5000,
    "keepalives_idle": 30,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "fallback_application_name": "tiktok-open",
}


class _Stores:
    def __init__(
        self,
        url: str | Secret,
        *,
        schema: str = "tiktok",
        keys: Iterable[str | Secret] = (),
        connections: int = 8,
        wait: float = 10.0,
    ) -> None:
        covered, self._keys = Secret(url), tuple(map(Secret, keys))
        del url, keys  # A crash report shows local variables.
        self._given = covered, schema, connections, wait
        self._server = _server(self._is_blocking, *self._given)
        self._seal = Seal(self._keys) if self._keys else None

    _is_blocking: bool

    @property
    def name(self) -> str:
        """What errors call the database: its host and name, without user and password."""
        return self._server.name

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._server!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("open stores are not pickled: open them again by their URL")


class AsyncPostgresStores(_Stores):
    """Stores in a PostgreSQL database, for the tasks of one event loop. Each of them may be shared by any number of machines.

    Nothing is connected before the first call or `async with`. Then the tables are made if they are missing.

    The connections close when the last of the adapters that were handed out is closed: a client closes those that it was given. In
    `async with` they close at its end, so that clients can come and go. After that every call raises `StoreError`.

    Args:
        url: `postgresql://user@host/database`, with any parameters of libpq. A password is better kept where libpq looks for it, in
            the file that PGPASSFILE names.
        schema: the schema of the tables. It belongs to these stores alone.
        keys: keys that encrypt tokens and records: 32 random bytes each, in URL-safe base64. The first one encrypts, every one may
            decrypt. Without keys nothing is encrypted.
        connections: how many connections there may be. Each lasts for one call.
        wait: seconds for which a call waits for a free connection, or for a server that restarts.

    Raises:
        InvalidSettings: the URL, the schema's name or a key is malformed.
        ImportError: psycopg is not installed, or it finds no libpq; or `cryptography` is not installed, and there are keys.
    """

    _is_blocking = False

    def tokens(self, client_key: str = "") -> AsyncTokenStore:
        """Return a new token store.

        Args:
            client_key: the app whose tokens these are. Tokens of different apps are kept apart: an `open_id` is valid for one app
                only. `connect` and the command line give it, so give it to share tokens with them.
        """
        from tiktok_adapters.stores.postgres.tokens import AsyncPostgresTokenStore  # noqa: PLC0415

        plain = AsyncPostgresTokenStore(self._server, _app(client_key), is_sealed=bool(self._keys))
        return AsyncEncryptedTokenStore(plain, self._keys) if self._keys else plain

    def journal(self) -> AsyncJournal:
        """Return a new journal."""
        from tiktok_adapters.stores.postgres.journal import AsyncPostgresJournal  # noqa: PLC0415

        return AsyncPostgresJournal(self._server, self._seal)

    def pacer(self) -> AsyncPacer:
        """Return a new pacer."""
        from tiktok_adapters.stores.postgres.pacer import AsyncPostgresPacer  # noqa: PLC0415

        return AsyncPostgresPacer(self._server)

    def slots(self, limit: int, *, pause: float = 1.0, clock: AsyncClock | None = None) -> AsyncUploadSlots:
        """Return new upload slots. A slot is free again within 10 s after its process was killed.

        Args:
            limit: how many uploads may run at once, on all machines together. Each machine gives the same number.
            pause: seconds between two questions whether a slot is free.
            clock: waits so long. Usual: the clock below.

        Raises:
            ValueError: the limit is below 1.
        """
        from tiktok_adapters.stores.postgres.slots import AsyncPostgresUploadSlots  # noqa: PLC0415

        return AsyncPostgresUploadSlots(self._server, limit, sleep=(clock or self.clock()).sleep, pause=pause)

    def clock(self) -> AsyncClock:
        """Return a clock that the server sets: when it is first looked at, and once a minute.

        The first look connects for itself and blocks the event loop meanwhile, for some milliseconds. It raises `StoreError` if the
        server cannot be reached. Later looks never do: the clock goes on by its last reading.
        """
        from tiktok_adapters.stores.postgres.clock import AsyncPostgresClock, read  # noqa: PLC0415

        def first() -> Any:
            server = _server(True, *self._given)
            try:
                return drive(read(server))
            finally:
                drive(server.close())

        return AsyncPostgresClock(self._server, first)

    async def look(self) -> "Facts":
        """Return what the database is: its server, the version of its tables, its time.

        Raises:
            StoreError: it cannot be reached, or cannot be used.
        """
        from tiktok_adapters.stores.postgres.looking import look  # noqa: PLC0415

        return await look(self._server)

    async def close(self) -> None:
        """Close the connections, and with them every adapter; a second call does nothing."""
        await self._server.close()

    async def __aenter__(self) -> Self:
        self._server.enter()
        await self._server.prepare()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class PostgresStores(_Stores):
    """As `AsyncPostgresStores`, for the threads of one process: its adapters block, and it is used in `with`.

    A forked child must make its own.

    Args:
        url: as for `AsyncPostgresStores`.
        schema: as for `AsyncPostgresStores`.
        keys: as for `AsyncPostgresStores`.
        connections: as for `AsyncPostgresStores`.
        wait: as for `AsyncPostgresStores`.

    Raises:
        InvalidSettings: the URL, the schema's name or a key is malformed.
        ImportError: psycopg is not installed, or it finds no libpq; or `cryptography` is not installed, and there are keys.
    """

    _is_blocking = True

    def tokens(self, client_key: str = "") -> TokenStore:
        """As `AsyncPostgresStores.tokens`."""
        from tiktok_adapters.stores.postgres.tokens import AsyncPostgresTokenStore, PostgresTokenStore  # noqa: PLC0415

        plain = PostgresTokenStore(AsyncPostgresTokenStore(self._server, _app(client_key), is_sealed=bool(self._keys)))
        return EncryptedTokenStore(plain, self._keys) if self._keys else plain

    def journal(self) -> Journal:
        """Return a new journal."""
        from tiktok_adapters.stores.postgres.journal import AsyncPostgresJournal, PostgresJournal  # noqa: PLC0415

        return PostgresJournal(AsyncPostgresJournal(self._server, self._seal))

    def pacer(self) -> Pacer:
        """Return a new pacer."""
        from tiktok_adapters.stores.postgres.pacer import AsyncPostgresPacer, PostgresPacer  # noqa: PLC0415

        return PostgresPacer(AsyncPostgresPacer(self._server))

    def slots(self, limit: int, *, pause: float = 1.0, clock: Clock | None = None) -> UploadSlots:
        """As `AsyncPostgresStores.slots`."""
        from tiktok_adapters.stores.postgres.slots import PostgresUploadSlots  # noqa: PLC0415

        return PostgresUploadSlots(self._server, limit, sleep=(clock or self.clock()).sleep, pause=pause)

    def clock(self) -> Clock:
        """Return a clock that the server sets: when it is first looked at, and once a minute.

        The first look raises `StoreError` if the server cannot be reached. Later looks never do: the clock goes on by its last reading.
        """
        from tiktok_adapters.stores.postgres.clock import PostgresClock, read  # noqa: PLC0415

        return PostgresClock(self._server, lambda: drive(read(self._server)))

    def look(self) -> "Facts":
        """As `AsyncPostgresStores.look`."""
        from tiktok_adapters.stores.postgres.looking import look  # noqa: PLC0415

        return drive(look(self._server))

    def read_all(self) -> "Reading":
        """Read everything, and return what is there and what cannot be read: what 'tiktok store check' calls.

        Raises:
            StoreError: the database cannot be reached, or cannot be used.
        """
        from tiktok_adapters.stores.postgres.looking import read_all  # noqa: PLC0415

        return drive(read_all(self._server, self._keys))

    def arrival(self) -> "Arrival":
        """Return the database's side of moves: what 'tiktok store move' calls."""
        from tiktok_adapters.stores.postgres.arriving import Arrival  # noqa: PLC0415

        return Arrival(self._server, self._keys)

    def close(self) -> None:
        """Close the connections, and with them every adapter; a second call does nothing."""
        drive(self._server.close())

    def __enter__(self) -> Self:
        self._server.enter()
        drive(self._server.prepare())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _app(client_key: str) -> str:
    return app_digest(client_key) if client_key else ""


def _server(is_blocking: bool, url: Secret, schema: str, connections: int, wait: float) -> "Server":
    try:
        from tiktok_adapters.stores.postgres import pools, server  # noqa: PLC0415
        from tiktok_adapters.stores.postgres import schema as schemas  # noqa: PLC0415
    except ImportError as error:
        if (error.name or "psycopg").partition(".")[0] != "psycopg":
            raise
        message = "stores in PostgreSQL need psycopg and libpq: pip install 'tiktok-open[postgres]'"
        raise ImportError(message, name="psycopg") from None
    schemas.check_name(schema)
    if connections < 1:
        raise InvalidSettings((Problem("connections", "are fewer than one: no call could be made"),))
    parts = _parts(url)
    pool: Pool = (pools.ThreadPool if is_blocking else pools.TaskPool)(_conninfo(parts), connections)
    return server.Server(pool, _name(parts), schema, wait)


def _parts(url: Secret) -> Hidden[dict[str, Any]]:
    from psycopg import ProgrammingError  # noqa: PLC0415
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415

    found: Hidden[dict[str, Any]] | None = None
    if url.reveal().startswith(SCHEMES):
        # libpq quotes what it cannot read, which may be the password.
        with suppress(ProgrammingError):
            found = Hidden(dict(conninfo_to_dict(url.reveal())))
    if found is None:
        message = "is no URL of a PostgreSQL database: write postgresql://user@host/database"
        raise InvalidSettings((Problem("store_url", message),))
    return found


def _conninfo(parts: Hidden[dict[str, Any]]) -> Hidden[str]:
    from psycopg.conninfo import make_conninfo  # noqa: PLC0415

    return Hidden(make_conninfo("", **DEFAULTS | parts.reveal()))


def _name(parts: Hidden[dict[str, Any]]) -> str:
    known = {name: str(parts.reveal().get(name) or "") for name in ("host", "hostaddr", "port", "dbname")}
    port = f":{known['port']}" if known["port"] else ""
    return f"PostgreSQL {known['host'] or known['hostaddr'] or 'on this machine'}{port}/{known['dbname']}"
