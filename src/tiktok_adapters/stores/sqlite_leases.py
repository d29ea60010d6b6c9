"""Leases in a SQLite file: which owner may act under a name, until when, and whether its process still runs.

What belongs here: the leases that the token store and the journal share. Each of them decides what a lease allows.
"""

from datetime import datetime
from typing import Any, Final

from attrs import asdict

from tiktok_adapters.stores.processes import Process, has_gone, this_process
from tiktok_adapters.stores.sqlite_file import Layout, SqliteFile
from tiktok_adapters.stores.stored import microseconds, name_bytes
from tiktok_core.ports import LONGEST_LEASE, HasPath

__all__ = ["LEASES", "LeasedFile"]

# AUTOINCREMENT never reuses a number, not even that of a deleted row: so the leases of forgotten posts may be deleted.
# A released lease keeps its row, because its number is still needed, but has no owner. Where /proc cannot identify the
# process, machine, pid and started are NULL.
LEASES: Final = """
CREATE TABLE leases (
    number INTEGER PRIMARY KEY AUTOINCREMENT, name BLOB NOT NULL UNIQUE, owner BLOB, until INTEGER NOT NULL,
    machine BLOB, pid INTEGER, started INTEGER
)
"""
# The casts: a damaged file may hold values of any type.
HELD_LEASE: Final = """
SELECT number, owner = :owner AS own, until > :now AND until <= :latest AS alive,
    CAST(machine AS BLOB) AS machine, CAST(pid AS INTEGER) AS pid, CAST(started AS INTEGER) AS started
FROM leases WHERE name = :name AND owner IS NOT NULL
"""
RENEW_LEASE: Final = """
UPDATE leases SET until = :until, machine = :machine, pid = :pid, started = :started WHERE name = :name
"""
GRANT_LEASE: Final = """
INSERT OR REPLACE INTO leases (name, owner, until, machine, pid, started)
VALUES (:name, :owner, :until, :machine, :pid, :started)
"""
END_LEASE: Final = "UPDATE leases SET owner = NULL WHERE name = ? AND owner = ?"


class LeasedFile(SqliteFile):
    """A file with leases. On Linux a lease ends as soon as the process that took it has ended.

    On other systems, and between machines that share the file, it ends when it expires.
    """

    def __init__(self, path: str | HasPath, layout: Layout, *, busy_wait: float) -> None:
        self._process = this_process()
        super().__init__(path, layout, busy_wait=busy_wait)

    def _take(self, name: str, *, owner: str, now: datetime, until: datetime, by_force: bool = False) -> int | None:
        """Take or renew the lease until `until`. Return its number, or None while another owner's lease is valid at `now`.

        The number stays the same until the owner releases the lease or another owner takes it, which `by_force` always does.
        """
        # The owner of a lease will have to save its result. So reserve disk space before it acts.
        self._hold_room()
        wish: dict[str, Any] = {
            "name": name_bytes(name),
            "owner": name_bytes(owner),
            "now": microseconds(now),
            "until": microseconds(until),
            "latest": microseconds(now + LONGEST_LEASE),
            **(dict.fromkeys(("machine", "pid", "started")) if self._process is None else asdict(self._process)),
        }
        with self._writing() as connection:
            held = connection.execute(HELD_LEASE, wish).fetchone()
            if held is not None:
                number, own, alive, *process = held
                if own:
                    connection.execute(RENEW_LEASE, wish)
                    return int(number)
                if alive and not by_force and not self._has_gone(*process):
                    return None
            return connection.execute(GRANT_LEASE, wish).lastrowid

    def release(self, name: str, /, *, owner: str) -> None:
        """Release the lease, if `owner` holds it."""
        self._write(END_LEASE, (name_bytes(name), name_bytes(owner)))

    def _has_gone(self, machine: bytes | None, pid: int | None, started: int | None) -> bool:
        if self._process is None or machine is None or pid is None or started is None:
            return False
        return has_gone(Process(machine=machine, pid=pid, started=started), here=self._process)
