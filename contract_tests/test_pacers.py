"""Every pacer keeps the contract of its port.

What belongs here: bindings only.
"""

from pathlib import Path

import pytest

from tiktok_adapters.stores.on_demand import PacerOnDemand
from tiktok_adapters.stores.sqlite_pacer import SqlitePacer
from tiktok_adapters.stores.threaded import ThreadedPacer
from tiktok_adapters.testing.contracts.pacers import PacerContract
from tiktok_core.flows.calls.pace import OwnPacer


class TestOwn(PacerContract):
    """The pacer that a client has by itself, awaited."""

    @pytest.fixture
    def pacer(self) -> OwnPacer:
        """Return the pacer under contract."""
        return OwnPacer()


class TestSqlite(PacerContract):
    """One SQLite file, blocking."""

    @pytest.fixture
    def pacer(self, tmp_path: Path) -> SqlitePacer:
        """Return the pacer under contract."""
        return SqlitePacer(tmp_path / "pace.db")


class TestThreadedSqlite(PacerContract):
    """One SQLite file, opened at the first call, awaited."""

    @pytest.fixture
    def pacer(self, tmp_path: Path) -> ThreadedPacer:
        """Return the pacer under contract."""
        path = tmp_path / "pace.db"
        return ThreadedPacer(PacerOnDemand(path, lambda: SqlitePacer(path)))
