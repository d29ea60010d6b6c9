"""A pacer in a SQLite file, by which the processes of one machine together keep to an account's quotas.

What belongs here: the times of the calls in the latest minute. The file holds no secret. If it is lost, TikTok may refuse
some calls, and nothing else happens.
"""

from datetime import datetime
from typing import Final

from tiktok_adapters.stores.sqlite_file import Layout, SqliteFile
from tiktok_adapters.stores.stored import microseconds, moment, name_bytes
from tiktok_core.domain.pacing import MINUTE, pause_for
from tiktok_core.ports import HasPath

__all__ = ["SqlitePacer"]

CALLS: Final = Layout(
    kind="Pacer",
    application_id=0x746A7063,
    version=1,
    tables=("CREATE TABLE calls (name BLOB NOT NULL, at INTEGER NOT NULL)", "CREATE INDEX by_name ON calls (name, at)"),
    is_durable=False,
)
OUTSIDE: Final = "DELETE FROM calls WHERE at <= :start OR at > :now"
INSIDE: Final = "SELECT at FROM calls WHERE name = :name ORDER BY at"


class SqlitePacer(SqliteFile):
    """The calls of the latest minute, in one file of mode 0600. Threads and processes may share it.

    Both methods may raise `StoreError`, for example when another process locks the file for longer than `busy_wait`. Once the
    pacer is closed, `pause` raises it.

    Args:
        path: the file. If it is missing, it is created, and so is its folder (mode 0700).
        busy_wait: seconds to wait while another process writes.

    Raises:
        StoreError: the path is not a file of this kind, belongs to another user, or holds damaged or newer data.
    """

    def __init__(self, path: str | HasPath, *, busy_wait: float = 2.0) -> None:
        super().__init__(path, CALLS, busy_wait=busy_wait)

    def pause(self, name: str, /, *, limit: int, now: datetime) -> float:
        """Return the seconds to wait before the next call. If that is zero, count the call as made now."""
        values = {"name": name_bytes(name), "now": microseconds(now), "start": microseconds(now - MINUTE)}
        with self._writing() as connection:
            connection.execute(OUTSIDE, values)
            calls = [moment(at) for (at,) in connection.execute(INSIDE, values)]
            pause = pause_for(calls, limit, now)
            if pause == 0.0:
                connection.execute("INSERT INTO calls (name, at) VALUES (:name, :now)", values)
            return pause
