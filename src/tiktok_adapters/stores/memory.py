"""A token store in memory: for tests, and for services that keep tokens elsewhere.

What belongs here: nothing that outlives the process.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final, NoReturn

from tiktok_core.domain.tokens import Tokens
from tiktok_core.errors import StoreError

__all__ = ["MemoryTokenStore"]

NAME: Final = "Token store in memory"


class MemoryTokenStore:
    """Tokens and leases in two dictionaries. Threads may share it; processes cannot.

    Every method but `close` raises `StoreError` once the store is closed.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tokens: dict[str, Tokens] = {}
        self._leases: dict[str, tuple[str, datetime]] = {}
        self._closed = False

    def load(self, account: str, /) -> Tokens | None:
        """Return the account's tokens, or None."""
        with self._open():
            return self._tokens.get(account)

    def save(self, account: str, tokens: Tokens, /) -> None:
        """Keep the tokens in place of what was there."""
        with self._open():
            self._tokens[account] = tokens

    def delete(self, account: str, /) -> None:
        """Forget the account's tokens; nothing happens when it is unknown."""
        with self._open():
            self._tokens.pop(account, None)

    def accounts(self) -> tuple[str, ...]:
        """Return the names of all accounts that have tokens, sorted."""
        with self._open():
            return tuple(sorted(self._tokens))

    def try_lease(self, account: str, /, *, owner: str, now: datetime, until: datetime) -> bool:
        """Take or renew the lease until `until`; False while another owner's has not run out at `now`."""
        with self._open():
            holder, end = self._leases.get(account, (owner, now))
            if holder != owner and end > now:
                return False
            self._leases[account] = (owner, until)
            return True

    def release(self, account: str, /, *, owner: str) -> None:
        """Give the lease back; nothing happens when `owner` does not hold it."""
        with self._open():
            if account in self._leases and self._leases[account][0] == owner:
                del self._leases[account]

    def close(self) -> None:
        """Forget everything; a second call does nothing."""
        with self._lock:
            self._closed = True
            self._tokens.clear()
            self._leases.clear()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a token store is not pickled: it holds secrets")

    @contextmanager
    def _open(self) -> Iterator[None]:
        with self._lock:
            if self._closed:
                raise StoreError(NAME, "it is closed")
            yield
