"""Token store in PostgreSQL, shared by processes on any number of machines.

What belongs here: what the token store sends, and how it reads rows. `sql` has the statements.
"""

import hashlib
from datetime import datetime
from typing import Final

from attrs import evolve

from tiktok_adapters.stores.postgres import sql
from tiktok_adapters.stores.postgres.parts import BlockingPart, Leases, id_of
from tiktok_adapters.stores.postgres.server import Server
from tiktok_adapters.stores.sealing import MARK
from tiktok_adapters.stores.stored import name_bytes, name_text
from tiktok_core.blocking import blocking
from tiktok_core.domain.tokens import Tokens
from tiktok_core.errors import StoreTrouble
from tiktok_core.hidden import Hidden
from tiktok_core.wire.records import OtherVersion, dump_tokens, load_tokens

__all__ = ["AsyncPostgresTokenStore", "PostgresTokenStore", "token_id"]

LARGEST: Final = 8 * 1024 * 1024
"""Largest size in bytes of an account's tokens. No answer of TikTok's is that large."""
KEPT: Final = "it is kept, and 'tiktok logout --forget' with this name forgets it"


def token_id(app: str, account: str) -> bytes:
    """Return the key under which the tokens of an account of an app lie."""
    return hashlib.sha256(id_of(app) + id_of(account)).digest() if app else id_of(account)


class AsyncPostgresTokenStore(Leases):
    """Tokens and leases in tables.

    Every method may raise `StoreError`. Once the store is closed, every method but `close` raises it.

    Args:
        server: where they are kept.
        app: the digest of a client key. Tokens with another one are not seen.
        is_sealed: whether what is kept is encrypted. Otherwise encrypted tokens are errors: TikTok must never get such a text.
    """

    def __init__(self, server: Server, app: str = "", *, is_sealed: bool = False) -> None:
        super().__init__(server, "token_leases")
        self._app = app
        self._is_sealed = is_sealed

    def _id(self, name: str) -> bytes:
        return token_id(self._app, name)

    async def load(self, account: str, /) -> Tokens | None:
        """Return the account's tokens, or None."""
        rows = await self._rows(sql.LOAD_TOKENS, {"id": self._id(account), "largest": LARGEST})
        return self._read(account, *rows[0]) if rows else None

    async def save(self, account: str, tokens: Tokens, /, *, seen: int | None = None) -> int | None:
        """Store the tokens and return their generation. With `seen`, only replace that generation; else return None.

        Without `seen`, tokens that cannot be read are not replaced. With `seen`, the caller has already read them.
        """
        document = Hidden(dump_tokens(tokens))
        if len(document.reveal()) > LARGEST:
            raise self._error("the tokens are too large to keep", "full")
        if seen is not None:
            return await self._saved(account, document, seen)
        while True:
            found = await self.load(account)
            saved = await self._saved(account, document, None if found is None else found.generation)
            if saved is not None:
                return saved
            # Others were saved or deleted meanwhile: look at what is there now.

    async def _saved(self, account: str, document: Hidden[bytes], seen: int | None) -> int | None:
        """Store the document in place of that generation, or of none, and return its own; None if others are there."""
        statement = sql.INSERT_TOKENS if seen is None else sql.REPLACE_TOKENS
        values = {"id": self._id(account), "app": self._app, "name": name_bytes(account)}
        rows = await self._rows(statement, {**values, "document": document, "seen": seen})
        return rows[0][0] if rows else None

    async def delete(self, account: str, /, *, seen: int | None = None) -> None:
        """Delete the account's tokens, if it has any. With `seen`, only delete that generation."""
        await self._rows(sql.DELETE_TOKENS, {"id": self._id(account), "seen": seen})

    async def accounts(self) -> tuple[str, ...]:
        """Return the names of all accounts that have tokens, sorted."""
        rows = await self._rows(sql.ACCOUNTS, {"app": self._app})
        return tuple(sorted(name_text(name.reveal()) for (name,) in rows))

    async def try_lease(self, account: str, /, *, owner: str, now: datetime, until: datetime) -> bool:
        """Take or renew the lease for `until - now`. Return False while another owner's lease is valid by the server's clock."""
        return await self._take(account, owner, now, until, by_force=False) is not None

    def _read(self, account: str, generation: int, document: Hidden[bytes] | None) -> Tokens:
        if document is None:
            raise self._error(f"account {account!r}: damaged record (too large): {KEPT}", "damaged")
        try:
            tokens = evolve(load_tokens(document), generation=generation)
        except ValueError as error:
            kind: StoreTrouble = "version" if isinstance(error, OtherVersion) else "damaged"
            raise self._error(f"account {account!r}: {error}: {KEPT}", kind) from None
        if not self._is_sealed and tokens.access_token.reveal().startswith(MARK.decode()):
            raise self._error(f"the tokens of {account!r} are encrypted: give the key; nothing was changed", "key")
        return tokens


class PostgresTokenStore(BlockingPart[AsyncPostgresTokenStore]):
    """As `AsyncPostgresTokenStore`, blocking."""

    load = blocking(AsyncPostgresTokenStore.load)
    save = blocking(AsyncPostgresTokenStore.save)
    delete = blocking(AsyncPostgresTokenStore.delete)
    accounts = blocking(AsyncPostgresTokenStore.accounts)
    try_lease = blocking(AsyncPostgresTokenStore.try_lease)
    release = blocking(AsyncPostgresTokenStore.release)
    close = blocking(AsyncPostgresTokenStore.close)
