"""Every journal keeps the contract of its port.

What belongs here: bindings only.
"""

from pathlib import Path

import pytest

from tiktok_adapters.stores.memory import MemoryJournal
from tiktok_adapters.stores.on_demand import JournalOnDemand
from tiktok_adapters.stores.sqlite import SqliteJournal
from tiktok_adapters.stores.threaded import ThreadedJournal
from tiktok_adapters.testing.contracts.journals import DurableJournalContract, JournalContract, OpenJournal


class TestMemory(JournalContract):
    """In memory, blocking."""

    @pytest.fixture
    def journal(self) -> MemoryJournal:
        """Return the journal under contract."""
        return MemoryJournal()


class TestThreadedMemory(JournalContract):
    """In memory, awaited."""

    @pytest.fixture
    def journal(self) -> ThreadedJournal:
        """Return the journal under contract."""
        return ThreadedJournal(MemoryJournal())


class TestSqlite(DurableJournalContract):
    """One SQLite file, blocking."""

    @pytest.fixture
    def open_journal(self, tmp_path: Path) -> OpenJournal:
        """Return a function that opens the place under contract."""
        return lambda: SqliteJournal(tmp_path / "journal.db")


class TestThreadedSqlite(DurableJournalContract):
    """One SQLite file, awaited."""

    @pytest.fixture
    def open_journal(self, tmp_path: Path) -> OpenJournal:
        """Return a function that opens the place under contract."""
        return lambda: ThreadedJournal(SqliteJournal(tmp_path / "journal.db"))


class TestSqliteOnDemand(DurableJournalContract):
    """One SQLite file, opened at the first call that needs it."""

    @pytest.fixture
    def open_journal(self, tmp_path: Path) -> OpenJournal:
        """Return a function that opens the place under contract."""
        path = tmp_path / "journal.db"
        return lambda: JournalOnDemand(path, lambda: SqliteJournal(path))
