"""What the journal's file says of each record beside its document, so that a call finds records without reading others.

What belongs here: the tables `facts` and `learned`, the triggers that fill them, and the statements that find records by them.
The triggers also serve what an older release writes, which knows only the table `records`. They compute with SQLite's own
functions, because the connection of an older release has no others.

A fact may come of a damaged document. So the journal reads each document that a fact has found, and goes by what it reads.
"""

import json
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any, Final

from tiktok_adapters.stores.stored import name_bytes
from tiktok_core.domain.journal import ENDS

__all__ = [
    "DUE",
    "DUE_AT",
    "ENDED_BEFORE",
    "FACTS",
    "FUNCTIONS",
    "LEARNED",
    "NOT_ENDED",
    "OF_ACCOUNT",
    "OF_POST",
    "OTHERS",
    "SINCE",
    "UNDER",
    "is_account",
    "lacking",
    "post_text",
    "ranged",
]

OLDEST_SQLITE: Final = (3, 31)
"""Tested from here on. SQLite's JSON functions are always there from 3.38 on, and usually before."""
FIRST: Final = -(2**63)
ENDED_STAGES: Final = ", ".join(f"'{stage.value}'" for stage in ENDS)
FIELDS: Final = "name, account, created, updated, version, ended, due, publish_id, chunk"
# The casts: a document lies there as a BLOB, which SQLite 3.45 and newer would take for its own binary JSON. A damaged file may
# hold anything, also text that is no JSON: SQLite's functions raise an error for it, and its row could not be written.
DOCUMENT: Final = """
CASE WHEN json_valid(CAST({row}record AS TEXT)) THEN ltrim(CAST({row}record AS TEXT)) END AS document
"""
# The parts of a name end with a newline each. What has fewer of them is damaged, and belongs to no account.
ACCOUNT: Final = """
CASE WHEN instr(substr(CAST({row}name AS BLOB), instr(CAST({row}name AS BLOB), x'0a') + 1), x'0a') THEN
    substr(CAST({row}name AS BLOB), 1, instr(CAST({row}name AS BLOB), x'0a')
        + instr(substr(CAST({row}name AS BLOB), instr(CAST({row}name AS BLOB), x'0a') + 1), x'0a'))
END
"""
# A document that this release's reader might refuse has no version here: one with a byte that is not ASCII, which no release
# writes and which may be no UTF-8; one with a NUL, at which SQLite's functions end; and one that is under another name.
VERSION: Final = r"""
CASE WHEN json_type(document, '$.version') = 'integer'
    AND CAST({row}name AS BLOB) = CAST(json_extract(document, '$.app') || char(10) || json_extract(document, '$.account')
        || char(10) || json_extract(document, '$.key') AS BLOB)
    AND NOT instr(document, '\u0000')
    AND NOT instr(CAST({row}record AS BLOB), x'00')
    AND {is_ascii}
THEN json_extract(document, '$.version') END
"""
ENDED: Final = "coalesce(json_extract(document, '$.stage') IN ({stages}), 0)".replace("{stages}", ENDED_STAGES)
# Only this release and newer ones write records that a worker is to come for, so the rule is not told a second time here: this
# is due at once until `DUE_AT` writes down what the record says.
DUE_FIRST: Final = "CASE WHEN json_type(document, '$.entered') = 'true' AND NOT {ended} THEN {first} END".replace(
    "{ended}", ENDED
).replace("{first}", str(FIRST))
# Two paths give the piece of JSON as it is written. One would give its text, which SQLite ends at a NUL.
PUBLISH_ID: Final = """
CASE json_type(document, '$.publish_id') WHEN 'text' THEN json_extract(document, '$.publish_id', '$[0]') END
"""
CHUNK: Final = """
CASE WHEN json_type(document, '$.plan') = 'array' AND json_type(document, '$.plan[1]') = 'integer'
    AND json_type(document, '$.publish_id') = 'text' AND json_extract(document, '$.publish_id', '$[0]') <> '["",null]'
    AND json_extract(document, '$.plan') IS NOT json_extract(document, '$.wish.plan')
THEN json_extract(document, '$.plan[1]') END
"""
READ: Final = (
    f"{{row}}name, {ACCOUNT}, {{row}}created, {{row}}updated, {VERSION}, {ENDED}, {DUE_FIRST}, {PUBLISH_ID}, {CHUNK}"
)
NOTE: Final = (
    f"INSERT OR REPLACE INTO facts ({FIELDS}) SELECT {READ} FROM (SELECT {DOCUMENT})".replace("{row}", "NEW.")  # noqa: S608 - constants of this module
).replace("{is_ascii}", "NOT document GLOB '*[^ -~]*'")
# GLOB takes longer than all the rest, which shows when it reads a whole home.
FILL: Final = (
    f"INSERT INTO facts ({FIELDS}) SELECT {READ} FROM (SELECT *, {DOCUMENT} FROM records)".replace("{row}", "")  # noqa: S608 - constants of this module
).replace("{is_ascii}", "is_ascii(CAST(record AS BLOB))")
FUNCTIONS: Final[Mapping[str, Callable[[Any], Any]]] = {"is_ascii": bytes.isascii}
"""The functions that the statements of `FACTS` need, but no trigger."""

FACTS: Final[Mapping[str, tuple[str, ...]]] = {
    "learned": (
        "CREATE TABLE learned (app BLOB PRIMARY KEY, at INTEGER NOT NULL, chunk INTEGER NOT NULL) WITHOUT ROWID",
    ),
    # version: the document's; NULL where it may be unreadable. ended: whether it says that its post has ended; older releases
    # are told otherwise of some, by the column of this name in `records`. due: when a worker is to come for it, or a time
    # before. publish_id: as `post_text` writes it. chunk: the size that the post has taught.
    "facts": (
        """
        CREATE TABLE facts (
            number INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE, account BLOB, created INTEGER NOT NULL,
            updated INTEGER NOT NULL, version INTEGER, ended INTEGER NOT NULL, due INTEGER, publish_id TEXT, chunk INTEGER
        )
        """,
    ),
    # What was learned stays when its record is replaced or removed. The conflict clause of the writing statement would hold
    # here, too, so the condition stands in the query.
    "learn": (
        """
        CREATE TRIGGER learn AFTER INSERT ON facts WHEN NEW.chunk IS NOT NULL
        BEGIN
            INSERT OR REPLACE INTO learned (app, at, chunk)
            SELECT substr(NEW.name, 1, instr(NEW.name, x'0a') - 1), NEW.updated, NEW.chunk
            WHERE NOT EXISTS (
                SELECT 1 FROM learned WHERE app = substr(NEW.name, 1, instr(NEW.name, x'0a') - 1)
                AND (at > NEW.updated OR (at = NEW.updated AND chunk >= NEW.chunk))
            );
        END
        """,
    ),
    # The records of a file from before these tables are read once, when this trigger is made.
    "note_saved": (FILL, f"CREATE TRIGGER note_saved AFTER INSERT ON records BEGIN {NOTE}; END"),
    "note_changed": (
        f"""
        CREATE TRIGGER note_changed AFTER UPDATE ON records
        BEGIN DELETE FROM facts WHERE name = OLD.name; {NOTE}; END
        """,  # noqa: S608 - constants of this module
    ),
    "note_removed": (
        "CREATE TRIGGER note_removed AFTER DELETE ON records BEGIN DELETE FROM facts WHERE name = OLD.name; END",
    ),
    "facts_by_account": ("CREATE INDEX facts_by_account ON facts (account, updated, created)",),
    "facts_by_end": ("CREATE INDEX facts_by_end ON facts (ended, updated, created)",),
    "facts_by_post": ("CREATE INDEX facts_by_post ON facts (publish_id) WHERE publish_id IS NOT NULL",),
    "facts_by_version": ("CREATE INDEX facts_by_version ON facts (version)",),
    "facts_not_ended": ("CREATE INDEX facts_not_ended ON facts (name) WHERE NOT ended",),
    "facts_due": ("CREATE INDEX facts_due ON facts (due) WHERE due IS NOT NULL",),
}

# CROSS JOIN: facts first, then only the records that they name. Without an order: SQLite may put what it sorts into a temporary
# file, which nobody overwrites.
FOUND: Final = """
SELECT CAST(records.name AS BLOB), CAST(records.record AS BLOB)
FROM facts INDEXED BY {index} CROSS JOIN records ON records.name = facts.name
WHERE facts.name >= :first AND facts.name < :beyond
"""


def _found(index: str, condition: str) -> str:
    return FOUND.replace("{index}", index) + "AND " + condition


TIMES: Final = "facts.updated >= :since AND facts.created <= :until"
UNDER: Final = _found("sqlite_autoindex_facts_1", TIMES)
OF_ACCOUNT: Final = _found("facts_by_account", f"facts.account = :first AND {TIMES}")
SINCE: Final = _found("facts_by_end", f"facts.ended IN (0, 1) AND {TIMES}")
NOT_ENDED: Final = _found("facts_not_ended", "NOT facts.ended")
DUE: Final = _found("facts_due", "facts.due <= :due")
OF_POST: Final = _found("facts_by_post", "facts.publish_id = :post")
OTHERS: Final = tuple(
    _found("facts_by_version", condition)
    for condition in ("facts.version IS NULL", "facts.version < :oldest", "facts.version > :newest")
)
"""The statements that find what may be unreadable, besides what has not ended."""
DUE_AT: Final = "UPDATE facts SET due = :due WHERE name = :name"
"""To run after a record is saved that was entered for a worker."""
LEARNED: Final = "SELECT chunk FROM learned WHERE app = ?"
ENDED_BEFORE: Final = """
SELECT facts.updated, facts.created, facts.number, records.name, CAST(records.record AS BLOB)
FROM facts INDEXED BY facts_by_end CROSS JOIN records ON records.name = facts.name
WHERE facts.ended = 1 AND facts.updated < :before
    AND (facts.updated, facts.created, facts.number) > (:updated, :created, :number)
ORDER BY facts.updated, facts.created, facts.number LIMIT :most
"""


def ranged(statement: str, under: str) -> tuple[str, dict[str, Any]]:
    """Return a statement for the names that begin so, and the values of this beginning."""
    first = name_bytes(under)
    if not first:
        return statement.replace("AND facts.name < :beyond", ""), {"first": first}
    # It sorts after every name with this beginning, also after a damaged name whose next byte is not valid UTF-8.
    return statement, {"first": first, "beyond": first[:-1] + bytes([first[-1] + 1])}


def is_account(under: str) -> bool:
    """Whether the names that begin so are those of one account."""
    return under.count("\n") == 2 and under.endswith("\n")


def post_text(publish_id: str) -> str:
    """Return the text under which the file finds a publish id: in ASCII, as every release writes documents."""
    return json.dumps([publish_id, None], separators=(",", ":"))


def lacking() -> str | None:
    """Return what the SQLite of this Python lacks for the triggers of `FACTS`, and what to do; None if it lacks nothing."""
    with closing(sqlite3.connect(":memory:")) as connection:
        try:
            connection.execute("SELECT json_valid('[]')")
        except sqlite3.Error:
            has_json = False
        else:
            has_json = True
    if has_json and sqlite3.sqlite_version_info >= OLDEST_SQLITE:
        return None
    return f"the SQLite {sqlite3.sqlite_version} of this Python is too old or has no JSON functions: run a Python with SQLite 3.38 or newer"
