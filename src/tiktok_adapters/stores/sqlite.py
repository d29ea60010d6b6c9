"""Token store and journal, each in one SQLite file, shared by threads and by processes of one machine.

What belongs here: how tokens, records and leases lie in such a file; the file itself is `sqlite_file`'s.
"""

from datetime import datetime
from typing import Any, Final

from attrs import asdict

from tiktok_adapters.stores.processes import Process, has_gone, this_process
from tiktok_adapters.stores.sqlite_file import Layout, SqliteFile, microseconds, name_bytes
from tiktok_core.domain.journal import Record
from tiktok_core.domain.tokens import Tokens
from tiktok_core.errors import LeaseLost
from tiktok_core.ports import HasPath
from tiktok_core.wire.records import dump_record, dump_tokens, load_record, load_tokens

__all__ = ["SqliteJournal", "SqliteTokenStore"]

TOKENS: Final = Layout(
    kind="Token store",
    application_id=0,
    version=1,
    tables=(
        "CREATE TABLE tokens (account BLOB PRIMARY KEY, record BLOB NOT NULL) WITHOUT ROWID",
        "CREATE TABLE leases (account BLOB PRIMARY KEY, owner TEXT NOT NULL, until INTEGER NOT NULL) WITHOUT ROWID",
    ),
)
TAKE_LEASE: Final = """
INSERT INTO leases (account, owner, until) VALUES (:account, :owner, :until)
ON CONFLICT (account) DO UPDATE SET owner = excluded.owner, until = excluded.until
WHERE leases.owner = excluded.owner OR leases.until <= :now
"""

# AUTOINCREMENT never gives a number twice, not even after its row is gone; so a lease of a forgotten post need not stay.
# A lease that was given back has no owner, and stays for its number. Where /proc does not tell, it has no process.
JOURNAL: Final = Layout(
    kind="Journal",
    application_id=0x746A726E,
    version=1,
    tables=(
        """
        CREATE TABLE records (
            name BLOB PRIMARY KEY, created INTEGER NOT NULL, updated INTEGER NOT NULL, ended INTEGER NOT NULL,
            record BLOB NOT NULL
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE leases (
            number INTEGER PRIMARY KEY AUTOINCREMENT, name BLOB NOT NULL UNIQUE, owner BLOB, until INTEGER NOT NULL,
            machine BLOB, pid INTEGER, started INTEGER
        )
        """,
    ),
)
SAVE_RECORD: Final = """
INSERT OR REPLACE INTO records (name, created, updated, ended, record)
VALUES (:name, :created, :updated, :ended, :record)
"""
LIST_RECORDS: Final = """
SELECT record FROM records WHERE name >= :first AND name < :beyond AND updated >= :since ORDER BY created, name
"""
NEWEST_NUMBER: Final = "SELECT number FROM leases WHERE name = ?"
# The casts: a damaged file may hold anything.
HELD_LEASE: Final = """
SELECT number, owner = :owner AS own, until > :now AS alive,
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
FORGET_RECORDS: Final = "DELETE FROM records WHERE ended AND updated < :before"
FORGET_LEASES: Final = "DELETE FROM leases WHERE until <= :before AND name NOT IN (SELECT name FROM records)"


class SqliteTokenStore(SqliteFile):
    """Tokens and leases in one file of mode 0600. Threads and processes may share it; a forked child opens its own.

    Every method may raise `StoreError`: also when the file stays locked for longer than `busy_wait`, and, but for
    `close`, once the store is closed. A file that is not ours, or is damaged, is never written to.

    Args:
        path: the file. It is created when missing, and so is its folder (mode 0700). A wider mode of the file is
            narrowed to 0600.
        busy_wait: seconds to wait while another process writes.

    Raises:
        StoreError: the path names something else, another user's file, or a damaged or newer store.
    """

    def __init__(self, path: str | HasPath, *, busy_wait: float = 10.0) -> None:
        super().__init__(path, TOKENS, busy_wait=busy_wait)

    def load(self, account: str, /) -> Tokens | None:
        """Return the account's tokens, or None."""
        with self._reading() as connection:
            row = connection.execute("SELECT record FROM tokens WHERE account = ?", (name_bytes(account),)).fetchone()
        if row is None:
            return None
        try:
            return load_tokens(row[0])
        except ValueError as error:
            raise self._error(str(error)) from None

    def save(self, account: str, tokens: Tokens, /) -> None:
        """Keep the tokens, durably and as a whole, in place of what was there."""
        values = (name_bytes(account), self._wipeable(dump_tokens(tokens)))
        self._write("INSERT OR REPLACE INTO tokens (account, record) VALUES (?, ?)", values)

    def delete(self, account: str, /) -> None:
        """Forget the account's tokens and overwrite them; nothing happens when it is unknown."""
        self._write("DELETE FROM tokens WHERE account = ?", (name_bytes(account),))

    def accounts(self) -> tuple[str, ...]:
        """Return the names of all accounts that have tokens, sorted."""
        with self._reading() as connection:
            rows = connection.execute("SELECT account FROM tokens").fetchall()
        return tuple(sorted(row[0].decode("utf-8", "surrogatepass") for row in rows))

    def try_lease(self, account: str, /, *, owner: str, now: datetime, until: datetime) -> bool:
        """Take or renew the lease until `until`; False while another owner's has not run out at `now`."""
        wish = {
            "account": name_bytes(account),
            "owner": owner,
            "now": microseconds(now),
            "until": microseconds(until),
        }
        return self._write(TAKE_LEASE, wish) == 1

    def release(self, account: str, /, *, owner: str) -> None:
        """Give the lease back; nothing happens when `owner` does not hold it."""
        self._write("DELETE FROM leases WHERE account = ? AND owner = ?", (name_bytes(account), owner))


class SqliteJournal(SqliteFile):
    """Records and leases in one file of mode 0600. Threads and processes may share it; a forked child opens its own.

    On Linux a lease is handed over at once when the process that took it is gone; elsewhere, and between machines that
    share the file, only when it has run out. Upload URLs lie in the file until their record is saved without them, and
    are overwritten then.

    Every method may raise `StoreError`: also when the file stays locked for longer than `busy_wait`, and, but for
    `close`, once the journal is closed. A file that is not ours, or is damaged, is never written to.

    Args:
        path: the file. It is created when missing, and so is its folder (mode 0700). A wider mode of the file is
            narrowed to 0600.
        busy_wait: seconds to wait while another process writes.

    Raises:
        StoreError: the path names something else, another user's file, or a damaged or newer journal.
    """

    def __init__(self, path: str | HasPath, *, busy_wait: float = 10.0) -> None:
        self._process = this_process()
        super().__init__(path, JOURNAL, busy_wait=busy_wait)

    def load(self, name: str, /) -> Record | None:
        """Return the record, or None."""
        with self._reading() as connection:
            row = connection.execute("SELECT record FROM records WHERE name = ?", (name_bytes(name),)).fetchone()
        return None if row is None else self._read(row[0])

    def save(self, record: Record, /, *, fence: int | None) -> None:
        """Keep the record under its name, durably and as a whole, in place of what was there.

        Args:
            record: what to keep.
            fence: the number of the lease under which it is written; None writes whoever holds the lease.

        Raises:
            LeaseLost: that is not the newest lease of this post; nothing was written.
        """
        name = name_bytes(record.name)
        document = dump_record(record)
        values = {
            "name": name,
            "created": microseconds(record.created_at),
            "updated": microseconds(record.updated_at),
            "ended": record.is_ended,
            "record": document if record.upload_url is None else self._wipeable(document),
        }
        with self._writing() as connection:
            # Compared and written in one transaction: nobody takes the lease in between.
            if fence is not None and connection.execute(NEWEST_NUMBER, (name,)).fetchone() != (fence,):
                raise LeaseLost(record.key)
            connection.execute(SAVE_RECORD, values)

    def records(self, under: str = "", /, *, since: datetime | None = None) -> tuple[Record, ...]:
        """Return the records whose name begins with `under` and that were last true since then, the oldest wish first.

        One of them that cannot be read is a `StoreError`.
        """
        # A byte that no UTF-8 has stands behind every name that begins so.
        first = name_bytes(under)
        values = {
            "first": first,
            "beyond": first + b"\xff",
            "since": -(2**63) if since is None else microseconds(since),
        }
        with self._reading() as connection:
            rows = connection.execute(LIST_RECORDS, values).fetchall()
        return tuple(self._read(row[0]) for row in rows)

    def forget(self, before: datetime, /) -> None:
        """Remove and overwrite the records that have ended and were last true before that time.

        Leases that ran out by then go too where no record is left: their late holders are refused.
        """
        with self._writing() as connection:
            connection.execute(FORGET_RECORDS, {"before": microseconds(before)})
            connection.execute(FORGET_LEASES, {"before": microseconds(before)})

    def try_lease(self, name: str, /, *, owner: str, now: datetime, until: datetime) -> int | None:
        """Take or renew the lease until `until`, and return its number; None while another owner's is alive at `now`.

        Its owner keeps the number until somebody else takes the lease or it is given back.
        """
        wish: dict[str, Any] = {
            "name": name_bytes(name),
            "owner": name_bytes(owner),
            "now": microseconds(now),
            "until": microseconds(until),
            **(dict.fromkeys(("machine", "pid", "started")) if self._process is None else asdict(self._process)),
        }
        with self._writing() as connection:
            held = connection.execute(HELD_LEASE, wish).fetchone()
            if held is not None:
                number, own, alive, *process = held
                if own:
                    connection.execute(RENEW_LEASE, wish)
                    return int(number)
                if alive and not self._has_gone(*process):
                    return None
            return connection.execute(GRANT_LEASE, wish).lastrowid

    def release(self, name: str, /, *, owner: str) -> None:
        """Give the lease back; nothing happens when `owner` does not hold it."""
        self._write(
            "UPDATE leases SET owner = NULL WHERE name = ? AND owner = ?", (name_bytes(name), name_bytes(owner))
        )

    def _read(self, row: Any) -> Record:
        try:
            return load_record(row)
        except ValueError as error:
            raise self._error(str(error)) from None

    def _has_gone(self, machine: bytes | None, pid: int | None, started: int | None) -> bool:
        if self._process is None or machine is None or pid is None or started is None:
            return False
        return has_gone(Process(machine=machine, pid=pid, started=started), here=self._process)
