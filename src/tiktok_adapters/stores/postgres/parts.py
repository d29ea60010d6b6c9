"""What the stores over one server share: each is closed by itself, and two of them grant leases.

What belongs here: the bases of the adapters, in both worlds.
"""

from datetime import datetime
from typing import Any, NoReturn, TypeVar

from tiktok_adapters.stores.postgres import sql
from tiktok_adapters.stores.postgres.server import Server, Values
from tiktok_adapters.stores.stored import name_bytes
from tiktok_core.blocking import Mirror
from tiktok_core.domain.forgetting import name_digest
from tiktok_core.errors import StoreError, StoreTrouble
from tiktok_core.ports import LONGEST_LEASE

__all__ = ["BlockingPart", "Leases", "Part", "id_of"]


def id_of(name: str) -> bytes:
    """Return the key under which a table keeps what belongs to a name."""
    return bytes.fromhex(name_digest(name))


class Part:
    """A part of what lies on a server: its calls, until it is closed."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._is_closed = False
        server.enter()

    async def close(self) -> None:
        """Close this store; a second call does nothing. The last one of a `PostgresStores` closes the connections."""
        if not self._is_closed:
            self._is_closed = True
            await self._server.leave()

    async def _rows(self, statement: str, values: Values, *, is_script: bool = False) -> list[Any]:
        if self._is_closed:
            raise self._error("it is closed", "closed")
        return await self._server.rows(statement, values, is_script=is_script)

    def _error(self, reason: str, kind: StoreTrouble) -> StoreError:
        return self._server.error(reason, kind)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._server!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an open store is not pickled: open it again by its URL")


class Leases(Part):
    """Leases by the server's clock. They end when they expire, also where their owner's process has ended.

    Args:
        server: where they are kept.
        table: the table that keeps them.
    """

    def __init__(self, server: Server, table: str) -> None:
        super().__init__(server)
        self._table = table

    def _id(self, name: str) -> bytes:
        return id_of(name)

    async def _take(self, name: str, owner: str, now: datetime, until: datetime, *, by_force: bool) -> int | None:
        values = {
            "id": self._id(name),
            "owner": name_bytes(owner),
            "seconds": (until - now).total_seconds(),
            "longest": LONGEST_LEASE.total_seconds(),
            "by_force": by_force,
        }
        rows = await self._rows(sql.TRY_LEASE.replace("{leases}", self._table), values)
        return rows[0][0] if rows else None

    async def release(self, name: str, /, *, owner: str) -> None:
        """Release the lease, if `owner` holds it."""
        values = {"id": self._id(name), "owner": name_bytes(owner)}
        await self._rows(sql.RELEASE.replace("{leases}", self._table), values)


P = TypeVar("P", bound=Part)


class BlockingPart(Mirror[P]):
    """The blocking twin of a part."""

    def __repr__(self) -> str:
        return repr(self._face).replace("Async", "", 1)

    def __reduce__(self) -> NoReturn:
        raise TypeError("an open store is not pickled: open it again by its URL")
