"""Every token store keeps the contract of its port.

What belongs here: bindings only.
"""

from pathlib import Path

import pytest

from tiktok_adapters.stores.encrypted import AsyncEncryptedTokenStore, EncryptedTokenStore
from tiktok_adapters.stores.keyring import KeyringTokenStore
from tiktok_adapters.stores.memory import MemoryTokenStore
from tiktok_adapters.stores.sqlite import SqliteTokenStore
from tiktok_adapters.stores.threaded import ThreadedTokenStore
from tiktok_adapters.testing.contracts.stores import DurableTokenStoreContract, OpenStore, TokenStoreContract

KEYS = ["Zm9yIHRlc3RzIGFuZCBub3RoaW5nIGVsc2UgYXQgYWw="]


class Entries(dict[tuple[str, str], str]):
    """A keychain that is a dictionary; a real one is in `test_secret_service.py`."""

    def get_password(self, service: str, username: str) -> str | None:
        """Return an entry, or None."""
        return self.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep an entry."""
        self[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        """Remove an entry."""
        del self[service, username]


class TestMemory(TokenStoreContract):
    """In memory, blocking."""

    @pytest.fixture
    def store(self) -> MemoryTokenStore:
        """Return the store under contract."""
        return MemoryTokenStore()


class TestThreadedMemory(TokenStoreContract):
    """In memory, awaited."""

    @pytest.fixture
    def store(self) -> ThreadedTokenStore:
        """Return the store under contract."""
        return ThreadedTokenStore(MemoryTokenStore())


class TestSqlite(DurableTokenStoreContract):
    """One SQLite file, blocking."""

    @pytest.fixture
    def open_store(self, tmp_path: Path) -> OpenStore:
        """Return a function that opens the place under contract."""
        return lambda: SqliteTokenStore(tmp_path / "tokens.db")


class TestThreadedSqlite(DurableTokenStoreContract):
    """One SQLite file, awaited."""

    @pytest.fixture
    def open_store(self, tmp_path: Path) -> OpenStore:
        """Return a function that opens the place under contract."""
        return lambda: ThreadedTokenStore(SqliteTokenStore(tmp_path / "tokens.db"))


class TestKeyring(DurableTokenStoreContract):
    """A keychain beside a SQLite file, blocking."""

    @pytest.fixture
    def open_store(self, tmp_path: Path) -> OpenStore:
        """Return a function that opens the place under contract."""
        entries = Entries()
        return lambda: KeyringTokenStore("app", SqliteTokenStore(tmp_path / "names.db"), keychain=entries)


class TestThreadedKeyring(DurableTokenStoreContract):
    """A keychain beside a SQLite file, awaited."""

    @pytest.fixture
    def open_store(self, tmp_path: Path) -> OpenStore:
        """Return a function that opens the place under contract."""
        entries = Entries()
        return lambda: ThreadedTokenStore(
            KeyringTokenStore("app", SqliteTokenStore(tmp_path / "names.db"), keychain=entries)
        )


class TestEncryptedMemory(TokenStoreContract):
    """Encrypted in memory, blocking."""

    @pytest.fixture
    def store(self) -> EncryptedTokenStore:
        """Return the store under contract."""
        return EncryptedTokenStore(MemoryTokenStore(), KEYS)


class TestEncryptedSqlite(DurableTokenStoreContract):
    """Encrypted in a SQLite file, blocking."""

    @pytest.fixture
    def open_store(self, tmp_path: Path) -> OpenStore:
        """Return a function that opens the place under contract."""
        return lambda: EncryptedTokenStore(SqliteTokenStore(tmp_path / "tokens.db"), KEYS)


class TestThreadedEncryptedSqlite(DurableTokenStoreContract):
    """Encrypted in a SQLite file, as a whole in a worker thread."""

    @pytest.fixture
    def open_store(self, tmp_path: Path) -> OpenStore:
        """Return a function that opens the place under contract."""
        return lambda: ThreadedTokenStore(EncryptedTokenStore(SqliteTokenStore(tmp_path / "tokens.db"), KEYS))


class TestAsyncEncryptedSqlite(DurableTokenStoreContract):
    """Encrypted in the event loop, before an asynchronous store."""

    @pytest.fixture
    def open_store(self, tmp_path: Path) -> OpenStore:
        """Return a function that opens the place under contract."""
        return lambda: AsyncEncryptedTokenStore(ThreadedTokenStore(SqliteTokenStore(tmp_path / "tokens.db")), KEYS)
