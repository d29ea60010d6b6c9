"""The stores in PostgreSQL keep the contracts of their ports, in both worlds, on a real server.

What belongs here: bindings only.
"""

import hashlib
from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve
from cryptography.fernet import Fernet

from postgres_place import KEYS, Place
from tiktok_adapters.testing.contracts import PassTime
from tiktok_adapters.testing.contracts.journals import DurableJournalContract, OpenJournal
from tiktok_adapters.testing.contracts.stores import TOKENS, DurableTokenStoreContract, OpenStore, Spoil
from tiktok_core import Secret
from tiktok_core.wire.records import dump_tokens

DRIFT = timedelta(seconds=5)
"""Longer than a test takes, and shorter than a lease."""


class OnServer:
    """A place on the server, whose clock the test moves."""

    drift = DRIFT
    examples = 4

    @pytest.fixture
    def pass_time(self, place: Place) -> PassTime:
        """Return a function that moves the server's clock."""
        return place.pass_time


class PlainTokens(OnServer, DurableTokenStoreContract):
    """Plain tokens."""

    @pytest.fixture
    def spoil(self, place: Place) -> Spoil:
        """Return a function that puts another document into a row."""

        def spoil(account: str, document: bytes) -> None:
            place.execute("UPDATE {s}.tokens SET document = %s WHERE name = %s", document, account.encode())

        return spoil


class SealedTokens(OnServer, DurableTokenStoreContract):
    """Encrypted tokens."""

    @pytest.fixture
    def spoil(self, place: Place) -> Spoil:
        """Return a function that puts another document into a row, encrypted."""

        def spoil(account: str, document: bytes) -> None:
            token = Fernet(KEYS[0]).encrypt(hashlib.sha256(account.encode()).digest() + document).decode()
            sealed = dump_tokens(evolve(TOKENS, access_token=Secret(f"fernet1:{token}")))
            place.execute("UPDATE {s}.tokens SET document = %s WHERE name = %s", sealed, account.encode())

        return spoil


class TestTokens(PlainTokens):
    """Blocking."""

    @pytest.fixture
    def open_store(self, place: Place) -> OpenStore:
        """Return a function that opens the place under contract."""
        return lambda: place.stores().tokens()


class TestTokensAsync(PlainTokens):
    """Awaited."""

    @pytest.fixture
    def open_store(self, place: Place) -> OpenStore:
        """Return a function that opens the place under contract."""
        return lambda: place.stores_async().tokens()


class TestSealedTokens(SealedTokens):
    """Blocking and encrypted."""

    @pytest.fixture
    def open_store(self, place: Place) -> OpenStore:
        """Return a function that opens the place under contract."""
        return lambda: place.stores(keys=KEYS).tokens()


class TestSealedTokensAsync(SealedTokens):
    """Awaited and encrypted."""

    @pytest.fixture
    def open_store(self, place: Place) -> OpenStore:
        """Return a function that opens the place under contract."""
        return lambda: place.stores_async(keys=KEYS).tokens()


@pytest.fixture(params=[(), KEYS], ids=["plain", "sealed"])
def keys(request: pytest.FixtureRequest) -> Any:
    """Give the keys of a place."""
    return request.param


class TestJournal(OnServer, DurableJournalContract):
    """Blocking."""

    @pytest.fixture
    def open_journal(self, place: Place, keys: Any) -> OpenJournal:
        """Return a function that opens the place under contract."""
        return lambda: place.stores(keys=keys).journal()


class TestJournalAsync(OnServer, DurableJournalContract):
    """Awaited."""

    @pytest.fixture
    def open_journal(self, place: Place, keys: Any) -> OpenJournal:
        """Return a function that opens the place under contract."""
        return lambda: place.stores_async(keys=keys).journal()
