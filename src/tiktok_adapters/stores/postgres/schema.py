"""The schema of the stores: making its tables, bringing them to this release's version, and refusing those of other programs.

What belongs here: opening. Two processes that open at once wait for one another, and the second finds everything done.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

import psycopg
from attrs import field, frozen

from tiktok_adapters.stores.postgres import sql
from tiktok_adapters.stores.postgres.pools import Pool
from tiktok_core.errors import InvalidSettings, Problem, StoreTrouble

__all__ = ["LAYOUT", "Layout", "Unfit", "check_name", "lock_of", "prepare", "quoted"]

NAME: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")
OTHERS: Final = re.compile(r"CREATE (?:UNLOGGED )?(?:TABLE|SEQUENCE) {s}\.(\w+)")


@frozen
class Layout:
    """The tables of a release.

    Attributes:
        version: their version.
        tables: the statements that make them.
        upgrades: for each older version, the statements that turn its tables into those of the next version.
    """

    version: int
    tables: tuple[str, ...]
    upgrades: Mapping[int, tuple[str, ...]] = field(factory=dict)


LAYOUT: Final = Layout(version=1, tables=sql.TABLES)


class Unfit(Exception):
    """The tables are not this release's. `reason` is one clause."""

    def __init__(self, reason: str, kind: StoreTrouble) -> None:
        super().__init__(reason)
        self.reason = reason
        self.kind = kind


def check_name(schema: str) -> None:
    """Check the name of a schema.

    Raises:
        InvalidSettings: it is not a name that PostgreSQL takes without quotes.
    """
    if not NAME.fullmatch(schema):
        message = f"{schema!r} is no name for a schema: take small letters, digits and underscores, 63 at most"
        raise InvalidSettings((Problem("schema", message),))


def quoted(schema: str) -> str:
    """Return the name of a schema as it stands in a statement."""
    return f'"{schema}"'


def lock_of(schema: str, what: str) -> int:
    """Return the number of an advisory lock. Such numbers are shared by all programs that use the database."""
    return int.from_bytes(hashlib.sha256(f"tiktok-open {what} {schema}".encode()).digest()[:8], signed=True)


async def prepare(pool: Pool, connection: Any, schema: str, layout: Layout) -> bool:
    """Make the tables, or bring them to this release's version. Usually it looks and finds them. Return whether it made them.

    Raises:
        Unfit: the tables are another program's, or a newer release's.
        psycopg.Error: the server refuses.
    """

    async def execute(statement: str, **values: Any) -> list[Any]:
        return await pool.execute(connection, statement.replace("{s}", quoted(schema)), values)

    names = OTHERS.findall(" ".join(layout.tables))
    there, is_new = await execute(sql.IN_THE_WAY, schema=schema, names=names), False
    if not there or await _version(execute, there, schema, layout) != layout.version:
        await execute(sql.BEGIN)
        await execute(sql.LOCK, lock=lock_of(schema, "schema"))
        there = await execute(sql.IN_THE_WAY, schema=schema, names=names)
        version = await _version(execute, there, schema, layout) if there else None
        if is_new := version is None:
            await _made(execute, schema)
            for statement in layout.tables:
                await execute(statement)
            await execute(sql.MARK, version=layout.version)
        while version is not None and version < layout.version:
            for statement in layout.upgrades[version]:
                await execute(statement)
            version += 1
            await execute(sql.REMARK, version=version)
        await execute("COMMIT")
    return is_new


async def _made(execute: Any, schema: str) -> None:
    # Not CREATE SCHEMA IF NOT EXISTS: it asks for a right on the database even where the schema exists.
    if not await execute(sql.HAS_SCHEMA, schema=schema):
        await execute("CREATE SCHEMA {s}")


async def _version(execute: Any, there: list[Any], schema: str, layout: Layout) -> int:
    name = there[0][0].reveal().decode()
    foreign = Unfit(
        f"the schema {schema!r} has a table {name!r} of another program: name a schema of its own for the store",
        "foreign",
    )
    if not any(found.reveal() == b"meta" for (found,) in there):
        raise foreign
    rows: list[Any] | None = None
    try:
        rows = await execute(sql.VERSION)
    except (psycopg.errors.UndefinedColumn, psycopg.errors.UndefinedFunction):
        rows = []
    if not rows:
        raise foreign
    version: int = rows[0][0]
    if version != layout.version and version not in layout.upgrades:
        reason = f"its tables have version {version}, and this release reads version {layout.version}"
        raise Unfit(
            f"{reason}: upgrade to the release that made them" if version > layout.version else reason, "version"
        )
    return version
