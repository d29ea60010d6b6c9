"""Every clock keeps the contract of its port.

What belongs here: bindings only.
"""

import pytest

from tiktok_adapters.clocks import AsyncioClock, ManualClock, SystemClock
from tiktok_adapters.testing.contracts.clocks import ClockContract


class TestSystemClock(ClockContract):
    """The machine's clock, blocking."""

    @pytest.fixture
    def clock(self) -> SystemClock:
        """Return the clock under contract."""
        return SystemClock()


class TestAsyncioClock(ClockContract):
    """The machine's clock, awaited."""

    @pytest.fixture
    def clock(self) -> AsyncioClock:
        """Return the clock under contract."""
        return AsyncioClock()


class TestManualClock(ClockContract):
    """The virtual clock."""

    @pytest.fixture
    def clock(self) -> ManualClock:
        """Return the clock under contract."""
        return ManualClock()
