"""The mark of a home that is being moved, or was moved, to another store: in each of its files.

What belongs here: what the mark is. A version that no release reads stops each program that opens the file, also an older one.
Triggers stop the programs that have it open: their next write fails with the sentence, before they act. Both come and go in one
transaction.
"""

import sqlite3
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from attrs import frozen

from tiktok_core.errors import StoreTrouble

__all__ = ["BEING_MOVED", "MOVED", "Conflict", "Move", "mark", "move_in", "move_of", "refusal", "unmark"]

BEING_MOVED: Final = 1_000
"""What is added to the version of a file while its home is being moved."""
MOVED: Final = 2_000
"""What is added to it afterwards."""
TABLE: Final = "CREATE TABLE moved (id BLOB NOT NULL, place TEXT NOT NULL)"
UNKNOWN: Final = (b"", "a database that its mark does not name any more")
"""What is known of a move whose mark is damaged."""
WRITES: Final = ("INSERT", "UPDATE", "DELETE")


@frozen
class Move:
    """A move of a home to a database.

    Attributes:
        id: tells this move from every other one.
        place: where to, without user and password.
        is_done: whether the database has taken over for good, and the home knows it.
    """

    id: bytes
    place: str
    is_done: bool = False

    @property
    def sentence(self) -> str:
        """What a program is told that would use the home."""
        if self.is_done:
            return f"its home was moved to {self.place}: set TIKTOK_STORE_URL to that database"
        return f"its home is being moved to {self.place}: 'tiktok store move' goes on with it, 'tiktok store move --cancel' takes it back"


class Conflict(Exception):
    """A home cannot arrive: the other store has something of it already. The argument is one clause."""


def mark(connection: sqlite3.Connection, move: Move, tables: Iterable[str]) -> None:
    """Mark a file, or change its mark. To be called inside a transaction.

    Args:
        connection: the file.
        move: what the mark says.
        tables: the tables that nobody may write any more.
    """
    tables = tuple(tables)
    unmark(connection, tables)
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    connection.execute(f"PRAGMA user_version = {version + (MOVED if move.is_done else BEING_MOVED)}")
    connection.execute(TABLE)
    connection.execute("INSERT INTO moved VALUES (?, ?)", (move.id, move.place))
    # The sentence has to be a literal of the trigger.
    said = move.sentence.replace("\0", " ").replace("'", "''")
    for table in tables:
        for write in WRITES:
            connection.execute(
                f"CREATE TRIGGER moved_{table}_{write} BEFORE {write} ON {table} BEGIN SELECT RAISE(ABORT, '{said}'); END"
            )


def unmark(connection: sqlite3.Connection, tables: Iterable[str]) -> None:
    """Take the mark away, if there is one. To be called inside a transaction."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    connection.execute(f"PRAGMA user_version = {version % BEING_MOVED}")
    connection.execute("DROP TABLE IF EXISTS moved")
    for table in tables:
        for write in WRITES:
            connection.execute(f"DROP TRIGGER IF EXISTS moved_{table}_{write}")


def move_in(connection: sqlite3.Connection) -> Move | None:
    """Return what the mark of a file says; None if there is none."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if not BEING_MOVED < version < MOVED + BEING_MOVED:
        return None
    found = UNKNOWN
    with suppress(sqlite3.Error):
        found = connection.execute("SELECT CAST(id AS BLOB), CAST(place AS TEXT) FROM moved").fetchone() or UNKNOWN
    return Move(found[0], found[1], version > MOVED)


def move_of(path: Path) -> Move | None:
    """Return what the mark of a file says; None if there is no file, or none that says anything."""
    with (
        suppress(sqlite3.Error),
        closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection,
    ):
        return move_in(connection)
    return None


def refusal(connection: sqlite3.Connection, version: int, known: str) -> tuple[str, StoreTrouble]:
    """Return why a file of this version is not read, and the kind of trouble."""
    if (move := move_in(connection)) is not None:
        return move.sentence, "moved"
    return f"it has version {version}, but this release reads {known}", "version"
