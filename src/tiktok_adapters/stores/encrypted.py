"""Token store that encrypts tokens with Fernet keys (github.com/fernet/spec), and keeps them in another token store.

What belongs here: what is encrypted, and the replacement of keys. `sealing` encrypts; the assembly finds the keys.
"""

import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, NoReturn

from tiktok_adapters.stores.sealed_tokens import Box
from tiktok_adapters.stores.sealing import check_keys
from tiktok_core.blocking import Mirror, blocking
from tiktok_core.domain.tokens import Secret, Tokens
from tiktok_core.lifting import drive, lift_clock, lift_tokens
from tiktok_core.ports import AsyncClock, AsyncTokenStore, Clock, TokenStore

__all__ = ["AsyncEncryptedTokenStore", "EncryptedTokenStore", "check_keys"]

LEASE: Final = timedelta(seconds=10)
LEASE_WAIT: Final = 0.05


class AsyncEncryptedTokenStore:
    """Encrypted tokens in any asynchronous store.

    All tokens of an account are one ciphertext that is bound to the account. So the store detects changed tokens, and tokens
    that were copied from another account. Names, scopes and times stay readable in the inner store, for people. This store
    does not use them: it takes them from the ciphertext.

    Every method may raise `StoreError`, for example when no key decrypts the tokens. A sign-in never overwrites tokens that
    no key decrypts.

    Args:
        inner: keeps the ciphertexts, names and leases. Closing this store closes it.
        keys: 32 random bytes each, in URL-safe base64. The first key encrypts, every key may decrypt.

    Raises:
        InvalidSettings: there is no key, or one of them is malformed.
        ImportError: `cryptography` is not installed.
    """

    def __init__(self, inner: AsyncTokenStore, keys: Iterable[str | Secret]) -> None:
        self._inner = inner
        covered = tuple(map(Secret, keys))
        del keys  # A crash report shows local variables.
        self._box = Box(covered)

    async def load(self, account: str, /) -> Tokens | None:
        """Return the account's tokens, or None."""
        kept = await self._inner.load(account)
        return None if kept is None else self._box.opened(account, kept)

    async def save(self, account: str, tokens: Tokens, /, *, seen: int | None = None) -> int | None:
        """Store the tokens and return their generation. With `seen`, only replace that generation; else return None.

        Without `seen`, tokens that no key decrypts are not replaced. With `seen`, the caller has already decrypted them.
        """
        if seen is None:
            await self.load(account)
        return await self._inner.save(account, self._box.sealed(account, tokens), seen=seen)

    async def delete(self, account: str, /, *, seen: int | None = None) -> None:
        """Delete the account's tokens, if it has any, even when no key decrypts them."""
        await self._inner.delete(account, seen=seen)

    async def accounts(self) -> tuple[str, ...]:
        """Return the names of all accounts that have tokens, sorted."""
        return await self._inner.accounts()

    async def try_lease(self, account: str, /, *, owner: str, now: datetime, until: datetime) -> bool:
        """Take or renew the lease until `until`. Return False while another owner's lease is valid at `now`."""
        return await self._inner.try_lease(account, owner=owner, now=now, until=until)

    async def release(self, account: str, /, *, owner: str) -> None:
        """Release the lease, if `owner` holds it."""
        await self._inner.release(account, owner=owner)

    async def close(self) -> None:
        """Close the store; a second call does nothing."""
        await self._inner.close()

    async def rotate(self, clock: AsyncClock) -> tuple[str, ...]:
        """Encrypt again, with the first key, all tokens that another key encrypted. Then the other keys may be dropped.

        The method leases each account while it encrypts its tokens, so that no client renews them. Other accounts are
        not blocked.

        Args:
            clock: tells the time for the leases, and waits for them.

        Returns:
            The accounts whose tokens were encrypted again.

        Raises:
            StoreError: no key decrypts an account's tokens. The accounts before it are done.
        """
        return tuple([account for account in await self._inner.accounts() if await self._rotated(account, clock)])

    async def _rotated(self, account: str, clock: AsyncClock) -> bool:
        owner = secrets.token_hex(16)
        while not await self._inner.try_lease(account, owner=owner, now=clock.now(), until=clock.now() + LEASE):
            await clock.sleep(LEASE_WAIT)
        try:
            while (kept := await self._inner.load(account)) is not None:
                tokens = self._box.opened(account, kept)
                if self._box.is_newest(kept):
                    return False
                # The save returns None if the account signed in meanwhile: a sign-in takes no lease.
                sealed = self._box.sealed(account, tokens)
                if await self._inner.save(account, sealed, seen=kept.generation) is not None:
                    return True
            return False
        finally:
            await self._inner.release(account, owner=owner)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._inner!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an encrypted store is not pickled: it holds keys")


class EncryptedTokenStore(Mirror[AsyncEncryptedTokenStore]):
    """Encrypted tokens in any blocking store; otherwise as `AsyncEncryptedTokenStore`.

    Args:
        inner: keeps the ciphertexts, names and leases. Closing this store closes it.
        keys: 32 random bytes each, in URL-safe base64. The first key encrypts, every key may decrypt.

    Raises:
        InvalidSettings: there is no key, or one of them is malformed.
        ImportError: `cryptography` is not installed.
    """

    def __init__(self, inner: TokenStore, keys: Iterable[str | Secret]) -> None:
        covered = tuple(map(Secret, keys))
        del keys  # A crash report shows local variables.
        super().__init__(AsyncEncryptedTokenStore(lift_tokens(inner), covered))
        self._inner = inner

    load = blocking(AsyncEncryptedTokenStore.load)
    save = blocking(AsyncEncryptedTokenStore.save)
    delete = blocking(AsyncEncryptedTokenStore.delete)
    accounts = blocking(AsyncEncryptedTokenStore.accounts)
    try_lease = blocking(AsyncEncryptedTokenStore.try_lease)
    release = blocking(AsyncEncryptedTokenStore.release)
    close = blocking(AsyncEncryptedTokenStore.close)

    def rotate(self, clock: Clock) -> tuple[str, ...]:
        """As `AsyncEncryptedTokenStore.rotate`."""
        return drive(self._face.rotate(lift_clock(clock)))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._inner!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an encrypted store is not pickled: it holds keys")
