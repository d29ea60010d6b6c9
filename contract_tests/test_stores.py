"""Every token store keeps the contract of its port.

What belongs here: bindings only.
"""

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from attrs import evolve
from cryptography.fernet import Fernet

from stored import MemoryKeychain
from tiktok_adapters.stores.encrypted import AsyncEncryptedTokenStore, EncryptedTokenStore
from tiktok_adapters.stores.keyring import KeyringTokenStore
from tiktok_adapters.stores.memory import MemoryTokenStore
from tiktok_adapters.stores.on_demand import TokensOnDemand
from tiktok_adapters.stores.sqlite import SqliteTokenStore
from tiktok_adapters.stores.threaded import ThreadedTokenStore
from tiktok_adapters.testing.contracts.stores import (
    TOKENS,
    DurableTokenStoreContract,
    OpenStore,
    Spoil,
    TokenStoreContract,
)
from tiktok_core import Secret
from tiktok_core.wire.records import dump_tokens

KEYS = ["Zm9yIHRlc3RzIGFuZCBub3RoaW5nIGVsc2UgYXQgYWw="]


def write(path: Path, account: str, document: bytes) -> None:
    """Replace the account's document in the file, without the store."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE tokens SET record = ? WHERE account = ?", (document, account.encode()))


def digest(account: str) -> bytes:
    """Return the digest that stands for an account's name."""
    return hashlib.sha256(account.encode()).digest()


def sealing(path: Path) -> Spoil:
    """Return a function that writes a document which the key opens."""

    def spoil(account: str, document: bytes) -> None:
        token = Fernet(KEYS[0]).encrypt(digest(account) + document).decode()
        write(path, account, dump_tokens(evolve(TOKENS, access_token=Secret(f"fernet1:{token}"))))

    return spoil


class Files:
    """The place of a store that is one SQLite file."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        """Return the file."""
        return tmp_path / "tokens.db"


class PlainFiles(Files):
    """A place of plain tokens."""

    @pytest.fixture
    def spoil(self, path: Path) -> Spoil:
        """Return a function that puts another document there."""
        return lambda account, document: write(path, account, document)


class SealedFiles(Files):
    """A place of encrypted tokens."""

    @pytest.fixture
    def spoil(self, path: Path) -> Spoil:
        """Return a function that puts another document there, encrypted."""
        return sealing(path)


class Keychains:
    """The place of a store that is a keychain."""

    @pytest.fixture
    def keychain(self) -> MemoryKeychain:
        """Return the keychain; a real one is in `test_secret_service.py`."""
        return MemoryKeychain()

    @pytest.fixture
    def spoil(self, keychain: MemoryKeychain) -> Spoil:
        """Return a function that puts another document into an entry."""

        def spoil(account: str, document: bytes) -> None:
            keychain.entries["app", digest(account).hex()] = f"1 {document.decode()}"

        return spoil


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


class TestSqlite(PlainFiles, DurableTokenStoreContract):
    """One SQLite file, blocking."""

    @pytest.fixture
    def open_store(self, path: Path) -> OpenStore:
        """Return a function that opens the place under contract."""
        return lambda: SqliteTokenStore(path)


class TestSqliteOnDemand(PlainFiles, DurableTokenStoreContract):
    """One SQLite file, opened at the first call that needs it."""

    @pytest.fixture
    def open_store(self, path: Path) -> OpenStore:
        """Return a function that opens the place under contract."""
        return lambda: TokensOnDemand(path, lambda: SqliteTokenStore(path))


class TestThreadedSqlite(PlainFiles, DurableTokenStoreContract):
    """One SQLite file, awaited."""

    @pytest.fixture
    def open_store(self, path: Path) -> OpenStore:
        """Return a function that opens the place under contract."""
        return lambda: ThreadedTokenStore(SqliteTokenStore(path))


class TestKeyring(Keychains, DurableTokenStoreContract):
    """A keychain beside a SQLite file, blocking."""

    @pytest.fixture
    def open_store(self, tmp_path: Path, keychain: MemoryKeychain) -> OpenStore:
        """Return a function that opens the place under contract."""
        return lambda: KeyringTokenStore("app", SqliteTokenStore(tmp_path / "names.db"), keychain=keychain)


class TestThreadedKeyring(Keychains, DurableTokenStoreContract):
    """A keychain beside a SQLite file, awaited."""

    @pytest.fixture
    def open_store(self, tmp_path: Path, keychain: MemoryKeychain) -> OpenStore:
        """Return a function that opens the place under contract."""
        return lambda: ThreadedTokenStore(
            KeyringTokenStore("app", SqliteTokenStore(tmp_path / "names.db"), keychain=keychain)
        )


class TestEncryptedMemory(TokenStoreContract):
    """Encrypted in memory, blocking."""

    @pytest.fixture
    def store(self) -> EncryptedTokenStore:
        """Return the store under contract."""
        return EncryptedTokenStore(MemoryTokenStore(), KEYS)


class TestEncryptedSqlite(SealedFiles, DurableTokenStoreContract):
    """Encrypted in a SQLite file, blocking."""

    @pytest.fixture
    def open_store(self, path: Path) -> OpenStore:
        """Return a function that opens the place under contract."""
        return lambda: EncryptedTokenStore(SqliteTokenStore(path), KEYS)


class TestThreadedEncryptedSqlite(SealedFiles, DurableTokenStoreContract):
    """Encrypted in a SQLite file, as a whole in a worker thread."""

    @pytest.fixture
    def open_store(self, path: Path) -> OpenStore:
        """Return a function that opens the place under contract."""
        return lambda: ThreadedTokenStore(EncryptedTokenStore(SqliteTokenStore(path), KEYS))


class TestAsyncEncryptedSqlite(SealedFiles, DurableTokenStoreContract):
    """Encrypted in the event loop, before an asynchronous store."""

    @pytest.fixture
    def open_store(self, path: Path) -> OpenStore:
        """Return a function that opens the place under contract."""
        return lambda: AsyncEncryptedTokenStore(ThreadedTokenStore(SqliteTokenStore(path)), KEYS)
