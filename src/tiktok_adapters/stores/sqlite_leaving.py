"""The files of a home that is to be moved: who holds what in them, everything that lies there, and their marks.

What belongs here: the files as a move sees them. It opens them also while they are marked as being moved. `sqlite_moved` says what the
mark is, and the assembly in which order the files are marked.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from attrs import evolve, frozen

from tiktok_adapters.stores.sqlite_file import Layout, SqliteFile
from tiktok_adapters.stores.sqlite_journal import JOURNAL, SqliteJournal
from tiktok_adapters.stores.sqlite_leases import LeasedFile
from tiktok_adapters.stores.sqlite_moved import BEING_MOVED, MOVED, Move, mark, move_in, unmark
from tiktok_adapters.stores.sqlite_pacer import CALLS, SqlitePacer
from tiktok_adapters.stores.sqlite_tokens import TOKENS, SqliteTokenStore
from tiktok_adapters.stores.stored import known, microseconds, moment, name_text, readable
from tiktok_core.domain.forgetting import Trace, name_digest, trace_of
from tiktok_core.domain.journal import Record
from tiktok_core.hidden import Hidden
from tiktok_core.wire.records import OtherVersion, load_trace

__all__ = ["Holder", "KeptRecord", "LeavingJournal", "LeavingPacer", "LeavingTokens"]

PORTION: Final = 500
"""How many rows are read at once."""
# The casts: a damaged file may hold values of any type.
HELD: Final = """
SELECT CAST(name AS BLOB), until > :now, CAST(machine AS BLOB), CAST(pid AS INTEGER), CAST(started AS INTEGER)
FROM leases WHERE owner IS NOT NULL
"""
COUNT: Final = "SELECT count(*) FROM records"
WALK: Final = """
SELECT CAST(name AS BLOB), CAST(created AS INTEGER), CAST(updated AS INTEGER), CAST(record AS BLOB) FROM records
WHERE :after IS NULL OR name > :after ORDER BY name LIMIT :most
"""
TRACES: Final = (
    "SELECT CAST(digest AS BLOB), CAST(trace AS BLOB) FROM traces WHERE digest > :after ORDER BY digest LIMIT :most"
)
REMOVED: Final = "SELECT number, CAST(name AS BLOB), CAST(record AS BLOB) FROM removed WHERE number > :after ORDER BY number LIMIT :most"
LEARNED: Final = "SELECT CAST(app AS BLOB), CAST(at AS INTEGER), CAST(chunk AS INTEGER) FROM learned"
SEEN: Final = "SELECT max(CAST(at AS INTEGER)) FROM seen"


@frozen
class Holder:
    """Who may act now under a name.

    Attributes:
        name: the account, or the name of the record.
        pid: the process; None if it is not known.
    """

    name: str
    pid: int | None


@frozen(kw_only=True)
class KeptRecord:
    """What lies under a name of the journal.

    Attributes:
        name: the name's bytes as they lie there.
        created: when the post was wished, in microseconds since 1970.
        updated: when the record was last true, likewise.
        document: the record as it lies there.
        record: the record; None if this release cannot read it.
        reason: why it cannot be read; empty if it can.
        version: the version of a record that another release wrote; otherwise None.
    """

    name: bytes
    created: int
    updated: int
    document: Hidden[bytes]
    record: Record | None
    reason: str = ""
    version: int | None = None

    @property
    def shown_name(self) -> str:
        """The name as a text."""
        return name_text(self.name)


class _Leaving(SqliteFile):
    """A file that is to be moved, opened with its mark or without."""

    _marked: tuple[str, ...] = ()

    @property
    def version(self) -> int:
        """The version of its tables, whatever its mark is."""
        with self._connected() as connection:
            number: int = connection.execute("PRAGMA user_version").fetchone()[0]
            return number % BEING_MOVED

    def move(self) -> Move | None:
        """Return what the mark says; None if there is none."""
        with self._connected() as connection:
            return move_in(connection)

    def mark(self, move: Move, now: datetime) -> tuple[Holder, ...]:
        """Mark the file as being moved, unless somebody holds a lease in it; return who does. A file with this mark is left as it is.

        Nobody takes a lease between the look and the mark, and nobody can afterwards. A file that is being moved is marked as moved
        by a move that is done; one without a mark was not moved, and is left.

        Raises:
            StoreError: the file has the mark of another move.
        """
        with self._writing() as connection:
            found = move_in(connection)
            if found is not None and found.id != move.id:
                raise self._error(f"{found.sentence}; another process has done that just now", "moved")
            if found == move or (found is not None and found.is_done) or (found is None and move.is_done):
                return ()
            if not move.is_done and (held := self._held(connection, now)):
                return held
            mark(connection, move, self._marked)
            return ()

    def unmark(self, move: Move) -> None:
        """Take the mark of a move away. That of another one, or of one that is done, stays."""
        with self._writing() as connection:
            if move_in(connection) == move:
                unmark(connection, self._marked)

    def _held(self, connection: Any, now: datetime) -> tuple[Holder, ...]:  # noqa: ARG002 - those with leases look
        return ()


class _LeavingLeases(_Leaving, LeasedFile):
    def holders(self, now: datetime) -> tuple[Holder, ...]:
        """Return who may act now: by a lease that has not expired, or as a process that still runs and has not given it back."""
        with self._connected() as connection:
            return self._held(connection, now)

    def _held(self, connection: Any, now: datetime) -> tuple[Holder, ...]:
        found = []
        for name, is_alive, *process in connection.execute(HELD, {"now": microseconds(now)}):
            is_known = self._process is not None and None not in process and process[0] == self._process.machine
            # A process that was stopped for a while may act again, although its lease has expired.
            if not self._has_gone(*process) and (is_alive or is_known):
                found.append(Holder(name_text(name), process[1] if is_known else None))
        return tuple(found)


class LeavingTokens(_LeavingLeases, SqliteTokenStore):
    """A file of tokens that is to be moved. A wrapped store reads what is sealed, or in a keychain.

    Args:
        path: the file; it is created if it is missing.
    """

    _marked = ("tokens", "leases")

    def __init__(self, path: Path) -> None:
        LeasedFile.__init__(self, path, _leaving(TOKENS), busy_wait=10.0)


class LeavingPacer(_Leaving, SqlitePacer):
    """A pacer's file that is to be moved: it is marked, so that no client that has it open calls TikTok any more.

    Args:
        path: the file; it is created if it is missing.
    """

    _marked = ("calls",)

    def __init__(self, path: Path) -> None:
        SqliteFile.__init__(self, path, _leaving(CALLS), busy_wait=10.0)


class LeavingJournal(_LeavingLeases, SqliteJournal):
    """A journal's file that is to be moved.

    Args:
        path: the file; it is created if it is missing.
    """

    _marked = ("records", "leases")

    def __init__(self, path: Path) -> None:
        LeasedFile.__init__(self, path, _leaving(JOURNAL), busy_wait=10.0)

    def count(self) -> int:
        """Return how many records there are."""
        with self._connected() as connection:
            number: int = connection.execute(COUNT).fetchone()[0]
            return number

    def walk(self) -> Iterator[tuple[KeptRecord, ...]]:
        """Yield every record, also those that cannot be read, in portions."""
        after: bytes | None = None
        while rows := self._rows(WALK, {"after": after, "most": PORTION}):
            yield tuple(_kept(*row) for row in rows)
            after = rows[-1][0]

    def traces(self) -> Iterator[tuple[Trace, ...]]:
        """Yield what remains of the records that were removed, in portions. There may be two traces of one name."""
        after: Any = b""
        while rows := self._rows(TRACES, {"after": after, "most": PORTION}):
            yield tuple(_trace(digest, document) for digest, document in rows)
            after = rows[-1][0]
        after = -1
        while rows := self._rows(REMOVED, {"after": after, "most": PORTION}):
            yield tuple(_trace_of(name, document) for _number, name, document in rows)
            after = rows[-1][0]

    def lessons(self) -> tuple[tuple[str, int, int], ...]:
        """Return the chunk size that each app's posts have taught last: the app, when (microseconds since 1970), the size."""
        with self._connected() as connection:
            return tuple((name_text(app), at, chunk) for app, at, chunk in connection.execute(LEARNED))

    def seen(self) -> datetime | None:
        """Return the time that the journal believes for forgetting; None before its first look at a clock."""
        with self._connected() as connection:
            (at,) = connection.execute(SEEN).fetchone()
        try:
            return None if at is None else moment(at)
        except OverflowError:  # A damaged file may hold anything.
            return None


def _leaving(layout: Layout) -> Layout:
    """Return a layout that reads a file also with its mark."""
    own = (layout.version, *layout.also_reads)
    return evolve(
        layout, also_reads=(*layout.also_reads, *(one + more for one in own for more in (BEING_MOVED, MOVED)))
    )


def _kept(name: bytes, created: int, updated: int, document: Hidden[bytes]) -> KeptRecord:
    made = KeptRecord(name=name, created=created, updated=updated, document=document, record=None)
    try:
        return evolve(made, record=known(name, document))
    except OtherVersion as error:
        version = json.loads(document.reveal())["version"]
        return evolve(made, reason=str(error), version=version if type(version) is int else None)
    except ValueError as error:
        return evolve(made, reason=str(error))


def _trace(digest: bytes, document: Hidden[bytes]) -> Trace:
    try:
        return load_trace(document.reveal())
    except ValueError:
        # The trace proves that there was a post, though its details cannot be read.
        return Trace(digest=digest.hex(), end=None)


def _trace_of(name: bytes, document: Hidden[bytes]) -> Trace:
    record = readable(name, document)
    return Trace(digest=name_digest(name_text(name)), end=None) if record is None else trace_of(record)
