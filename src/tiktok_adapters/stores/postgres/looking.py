"""A look at the database of the stores, for people: what it is, and what its clock says.

What belongs here: what is told about a database as a whole, and the reading of everything in it.
"""

from datetime import datetime

from attrs import frozen

from tiktok_adapters.stores.encrypted import AsyncEncryptedTokenStore
from tiktok_adapters.stores.postgres import sql
from tiktok_adapters.stores.postgres.clock import read
from tiktok_adapters.stores.postgres.rows import Row, Rows, Unread
from tiktok_adapters.stores.postgres.server import Server
from tiktok_adapters.stores.postgres.tokens import AsyncPostgresTokenStore
from tiktok_adapters.stores.sealing import Seal
from tiktok_adapters.stores.stored import name_text
from tiktok_core.domain.forgetting import name_parts
from tiktok_core.domain.tokens import Secret
from tiktok_core.errors import StoreError

__all__ = ["Facts", "Lost", "Reading", "look", "read_all"]


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


@frozen
class Lost:
    """Something that cannot be read.

    Attributes:
        what: which account or post.
        reason: one clause.
    """

    what: str
    reason: str


@frozen
class Reading:
    """What a database holds.

    Attributes:
        accounts: how many accounts are signed in, of all apps.
        posts: how many posts the journal has.
        lost: what cannot be read.
    """

    accounts: int
    posts: int
    lost: tuple[Lost, ...]


async def read_all(server: Server, keys: tuple[Secret, ...]) -> Reading:
    """Read the tokens of every account and every record, and return what cannot be read.

    Raises:
        StoreError: the server cannot be reached, or its tables cannot be used.
    """
    rows_of, lost = Rows(Seal(keys) if keys else None), list[Lost]()
    accounts = [(app, name_text(name.reveal())) for app, name in await server.rows(sql.EVERY_ACCOUNT, {})]
    for app, account in accounts:
        # It is not closed: that would close the connections.
        plain = AsyncPostgresTokenStore(server, app, is_sealed=bool(keys))
        try:
            await (AsyncEncryptedTokenStore(plain, keys) if keys else plain).load(account)
        except StoreError as error:
            lost.append(Lost(f"account {account!r}", error.reason))
    posts, after = 0, b""
    while rows := await server.rows(sql.WALK, {"after": after}):
        posts, after = posts + len(rows), rows[-1][0].reveal()
        for _id, *row in rows:
            one = Row(*row)
            _app, account, key = name_parts(one.name)
            try:
                rows_of.known(one)
            except Unread as error:
                lost.append(Lost(f"post {key!r} of account {account!r}", error.reason))
    return Reading(len(accounts), posts, tuple(lost))
