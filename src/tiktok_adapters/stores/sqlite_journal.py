"""Journal in one SQLite file, shared by threads and by processes of one machine.

What belongs here: how records lie in the file, and how they are found. `sqlite_file` opens and writes files, `sqlite_leases`
grants leases, `sqlite_facts` has what records are found by, and `sqlite_traces` what is removed and what remains of it.
"""

import sqlite3
from datetime import datetime
from typing import Any, Final

from tiktok_adapters.stores.sqlite_facts import (
    DUE,
    DUE_AT,
    FACTS,
    FUNCTIONS,
    LEARNED,
    NOT_ENDED,
    OF_ACCOUNT,
    OF_POST,
    OTHERS,
    SINCE,
    UNDER,
    is_account,
    lacking,
    post_text,
    ranged,
)
from tiktok_adapters.stores.sqlite_file import Layout, covered_rows
from tiktok_adapters.stores.sqlite_leases import LEASES
from tiktok_adapters.stores.sqlite_traces import LOAD_RECORD, TRACES, TracedFile
from tiktok_adapters.stores.stored import (
    DAMAGED,
    NEWER,
    known,
    microseconds,
    name_bytes,
    name_text,
    names_lying,
    readable,
)
from tiktok_core.domain.forgetting import name_parts
from tiktok_core.domain.journal import Record
from tiktok_core.errors import LeaseLost, StoreError
from tiktok_core.hidden import Hidden
from tiktok_core.ports import HasPath
from tiktok_core.wire.records import (
    LATER_VERSION,
    RECORD_VERSION,
    USUAL_VERSION,
    OtherVersion,
    dump_record,
    record_version,
)

__all__ = ["SqliteJournal"]

ALONE: Final = 2
"""The version of a file with a record that older releases would misread: they stop there."""
JOURNAL: Final = Layout(
    kind="Journal",
    application_id=0x746A726E,
    version=1,
    also_reads=(ALONE,),
    tables=(
        """
        CREATE TABLE records (
            name BLOB PRIMARY KEY, created INTEGER NOT NULL, updated INTEGER NOT NULL, ended INTEGER NOT NULL,
            record BLOB NOT NULL
        ) WITHOUT ROWID
        """,
        LEASES,
    ),
    additions={**TRACES, **FACTS},
    functions=FUNCTIONS,
)
SAVE_RECORD: Final = """
INSERT OR REPLACE INTO records (name, created, updated, ended, record)
VALUES (:name, :created, :updated, :ended, :record)
"""
NEWEST_NUMBER: Final = "SELECT number FROM leases WHERE name = ?"


class SqliteJournal(TracedFile):
    """Records and leases in one file of mode 0600. Threads and processes may share it. A forked child must open its own.

    On Linux a lease ends as soon as the process that took it has ended. On other systems, and between machines that share
    the file, it ends only when it expires. The file holds an upload URL, and the query of a URL, until its record is saved
    without it, and it is overwritten then.

    Every method may raise `StoreError`, for example when another process locks the file for longer than `busy_wait`.
    Once the journal is closed, every method but `close` raises it. The journal never writes to a damaged file or to a
    file of another kind.

    Args:
        path: the file. If it is missing, it is created, and so is its folder (mode 0700). If other users have any rights
            to the file, its mode is set to 0600.
        busy_wait: seconds to wait while another process writes.

    Raises:
        StoreError: the path is not a file of this kind, belongs to another user, or holds a damaged or newer journal; or
            this Python's SQLite has no JSON functions.
    """

    def __init__(self, path: str | HasPath, *, busy_wait: float = 10.0) -> None:
        if (lack := lacking()) is not None:
            raise StoreError(JOURNAL.kind, lack, "failed")
        super().__init__(path, JOURNAL, busy_wait=busy_wait)

    def load(self, name: str, /) -> Record | None:
        """Return the record, or None."""
        with self._connected() as connection:
            rows, *escaped = (covered_rows(connection, LOAD_RECORD, (lying,)) for lying in names_lying(name))
        if not rows and any(escaped):
            raise self._error(f"{_post_of(name)}: damaged name: {DAMAGED}", "damaged")
        return self._read(name, rows[0][0]) if rows else None

    def save(self, record: Record, /, *, fence: int | None) -> None:
        """Store the record under its name, durably and atomically, in place of any earlier one.

        Args:
            record: the record to store.
            fence: the number of the lease under which the caller writes. None writes without checking leases.

        Raises:
            LeaseLost: `fence` is not the number of this post's newest lease. Nothing was written.
        """
        values = self._values(record)

        def save(connection: sqlite3.Connection) -> None:
            # One transaction compares and writes, so that no other owner can take the lease in between.
            if fence is not None and connection.execute(NEWEST_NUMBER, (name_bytes(record.name),)).fetchone() != (
                fence,
            ):
                raise LeaseLost(record.key)
            _store(connection, record, values)

        self._save(save)

    def replace(self, record: Record, /, *, seen: Record) -> bool:
        """Replace the record `seen` without checking leases. Return False, and write nothing, if another one is stored."""
        values = self._values(record)

        def replace(connection: sqlite3.Connection) -> bool:
            rows = covered_rows(connection, LOAD_RECORD, (name_bytes(record.name),))
            if not rows or self._read(record.name, rows[0][0]) != seen:
                return False
            _store(connection, record, values)
            return True

        return self._save(replace)

    def records(
        self, under: str = "", /, *, since: datetime | None = None, until: datetime | None = None
    ) -> tuple[Record, ...]:
        """Return the records under these names, updated since the one time and created until the other, the oldest first.

        Records that cannot be read are left out. `unreadable` returns their names.
        """
        usual = UNDER if since is None or under.count("\n") > 1 else SINCE
        times = {
            "since": -(2**63) if since is None else microseconds(since),
            "until": 2**63 - 1 if until is None else microseconds(until),
        }
        return self._found(OF_ACCOUNT if is_account(under) else usual, under, **times)

    def unfinished(self, under: str = "", /, *, due: datetime | None = None) -> tuple[Record, ...]:
        """Return the records of posts that have not ended, the oldest first; with `due`, those that are due for a worker."""
        if due is None:
            return tuple(record for record in self._found(NOT_ENDED, under) if not record.is_ended)
        found = self._found(DUE, under, due=microseconds(due))
        return tuple(record for record in found if record.due_at is not None and record.due_at <= due)

    def of_post(self, publish_id: str, under: str = "", /) -> Record | None:
        """Return the oldest record that has this publish id, or None."""
        found = self._found(OF_POST, under, post=post_text(publish_id))
        return next((record for record in found if record.publish_id == publish_id), None)

    def learned(self, app: str, /) -> int | None:
        """Return the chunk size that the app's posts have taught last, or None."""
        with self._connected() as connection:
            row = connection.execute(LEARNED, (name_bytes(app),)).fetchone()
        return row[0] if row is not None and type(row[0]) is int else None

    def unreadable(self, under: str = "", /) -> tuple[str, ...]:
        """Return the sorted names, beginning with `under`, of the records that cannot be read.

        Of a record whose post has ended, this call goes by what SQLite reads: it misses damage that leaves the document JSON,
        with the right version and name.
        """
        lost = set()
        for statement in (NOT_ENDED, *OTHERS):
            for name, record in self._rows(*_of_versions(statement, under)):
                if readable(name, record) is None:
                    lost.add(name_text(name))
        return tuple(sorted(lost))

    def try_lease(
        self, name: str, /, *, owner: str, now: datetime, until: datetime, by_force: bool = False
    ) -> int | None:
        """Take or renew the lease until `until`. Return its number, or None while another owner's lease is valid at `now`.

        The number stays the same until the owner releases the lease or another owner takes it, which `by_force` always does.
        """
        return self._take(name, owner=owner, now=now, until=until, by_force=by_force)

    def _found(self, statement: str, under: str, **values: Any) -> tuple[Record, ...]:
        """Return the readable records that a statement finds under these names, the oldest first."""
        statement, range_values = ranged(statement, under)
        rows = self._rows(statement, {**range_values, **values})
        found = [record for name, lying in rows if (record := readable(name, lying)) is not None]
        return tuple(sorted(found, key=lambda record: (record.created_at, name_bytes(record.name))))

    def _values(self, record: Record) -> Hidden[dict[str, Any]]:
        document = Hidden(dump_record(record))
        if record.upload_url is not None or record.wish.secrets:
            document = Hidden(self._wipeable(document.reveal()))
        return Hidden(
            {
                "name": name_bytes(record.name),
                "created": microseconds(record.created_at),
                "updated": microseconds(record.updated_at),
                # An older release removes what has ended after one look at the clock, and would begin its post again.
                "ended": record.is_ended and record_version(record) <= USUAL_VERSION,
                "record": document.reveal(),
            }
        )

    def _read(self, name: str, record: Hidden[bytes]) -> Record:
        try:
            return known(name_bytes(name), record)
        except ValueError as error:
            advice = NEWER if isinstance(error, OtherVersion) else DAMAGED
            raise self._unreadable(f"{_post_of(name)}: {error}: {advice}", error) from None


def _post_of(name: str) -> str:
    _, account, key = name_parts(name)
    return f"post {key!r} of account {account!r}"


def _of_versions(statement: str, under: str) -> tuple[str, dict[str, Any]]:
    statement, values = ranged(statement, under)
    return statement, {**values, "oldest": 1, "newest": RECORD_VERSION}


def _store(connection: sqlite3.Connection, record: Record, values: Hidden[dict[str, Any]]) -> None:
    if record_version(record) >= LATER_VERSION:
        # In the same transaction: no older release ever sees the one without the other. A newer one may have raised it further.
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version < ALONE:
            connection.execute(f"PRAGMA user_version = {ALONE}")
    connection.execute(SAVE_RECORD, values.reveal())
    if record.is_entered:
        due = None if record.due_at is None else microseconds(record.due_at)
        connection.execute(DUE_AT, {"name": name_bytes(record.name), "due": due})
