"""A look at the database of the stores, for people: what it is, and what its clock says.

What belongs here: the value and the question. Reading every record belongs to `walking`.
"""

from datetime import datetime

from attrs import frozen

from tiktok_adapters.stores.postgres import sql
from tiktok_adapters.stores.postgres.clock import read
from tiktok_adapters.stores.postgres.server import Server

__all__ = ["Facts", "look"]


@frozen(kw_only=True)
class Facts:
    """What a database is.

    Attributes:
        name: its host and name, without user and password.
        server: the server's version, such as `15.13`.
        schema: the schema of the tables.
        version: the version of the tables.
        is_new: whether this process has just made the tables.
        time: what the server's clock says, as an aware datetime.
    """

    name: str
    server: str
    schema: str
    version: int
    is_new: bool
    time: datetime


async def look(server: Server) -> Facts:
    """Return what a database is. Its tables are made if they are missing.

    Raises:
        StoreError: it cannot be reached, or cannot be used.
    """
    ((version, tables),) = await server.rows(sql.FACTS, {})
    return Facts(
        name=server.name,
        server=version.partition(" ")[0],
        schema=server.schema,
        version=tables,
        is_new=server.has_made_tables,
        time=(await read(server)).time,
    )
