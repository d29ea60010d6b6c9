"""Every token store keeps the contract of its port.

What belongs here: bindings only.
"""

from pathlib import Path

import pytest

from tiktok_adapters.stores.memory import MemoryTokenStore
from tiktok_adapters.stores.sqlite import SqliteTokenStore
from tiktok_adapters.stores.threaded import ThreadedTokenStore
from tiktok_adapters.testing.contracts.stores import DurableTokenStoreContract, OpenStore, TokenStoreContract


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
