"""Pacer in PostgreSQL, by which all machines together keep to an account's quotas.

What belongs here: what the pacer sends. A crash of the server may lose the latest minute's calls; TikTok may refuse some calls then.
"""

from datetime import datetime

from tiktok_adapters.stores.postgres import sql
from tiktok_adapters.stores.postgres.parts import BlockingPart, Part, id_of
from tiktok_core.blocking import blocking
from tiktok_core.domain.pacing import MINUTE

__all__ = ["AsyncPostgresPacer", "PostgresPacer"]


class AsyncPostgresPacer(Part):
    """The calls of the latest minute, by the server's clock. `pause` may raise `StoreError`."""

    async def pause(self, name: str, /, *, limit: int, now: datetime) -> float:  # noqa: ARG002 - the server's clock counts
        """Return the seconds to wait before the next call. If that is zero, count the call as made now."""
        rows = await self._rows(sql.PACE, {"id": id_of(name), "limit": limit})
        return min(max(0.0, float(rows[0][0])), MINUTE.total_seconds())


class PostgresPacer(BlockingPart[AsyncPostgresPacer]):
    """As `AsyncPostgresPacer`, blocking."""

    pause = blocking(AsyncPostgresPacer.pause)
    close = blocking(AsyncPostgresPacer.close)
