"""Fixtures for the tests of other programs: a simulated TikTok in memory and as a server, with its clock and its faults.

What belongs here: fixtures whose names begin with `tiktok_`. pytest imports this file in every environment where this package
is installed. So the file imports only pytest until a test uses a fixture, and no fixture is automatic.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tiktok_adapters.clocks import ManualClock
    from tiktok_adapters.simulator import Faults
    from tiktok_adapters.testing.fakes import AsyncFake, Fake, Sandbox

__all__ = ["tiktok_async_fake", "tiktok_clock", "tiktok_fake", "tiktok_faults", "tiktok_sandbox"]


@pytest.fixture
def tiktok_clock() -> "ManualClock":
    """The clock of the fakes: it stands still until `sleep` or `advance` moves it."""
    from tiktok_adapters.clocks import ManualClock  # noqa: PLC0415

    return ManualClock()


@pytest.fixture
def tiktok_faults() -> "Faults":
    """The faults of this test, in the fakes and in the sandbox. Example: `tiktok_faults.add("put:2=drop-after")`."""
    from tiktok_adapters.simulator import Faults  # noqa: PLC0415

    return Faults()


@pytest.fixture
def tiktok_fake(tiktok_clock: "ManualClock", tiktok_faults: "Faults") -> "Iterator[Fake]":
    """A blocking client over a simulated TikTok in memory, with a signed-in account."""
    from tiktok_adapters.testing.fakes import make_fake  # noqa: PLC0415

    with make_fake(tiktok_clock, tiktok_faults) as fake:
        yield fake


@pytest.fixture
def tiktok_async_fake(tiktok_clock: "ManualClock", tiktok_faults: "Faults") -> "Iterator[AsyncFake]":
    """An asynchronous client over a simulated TikTok in memory, with a signed-in account. Any event loop may use it."""
    from tiktok_adapters.testing.fakes import make_async_fake  # noqa: PLC0415

    with make_async_fake(tiktok_clock, tiktok_faults) as fake:
        yield fake


@pytest.fixture
def tiktok_sandbox(tiktok_faults: "Faults") -> "Iterator[Sandbox]":
    """A simulated TikTok on a free port of this machine, and the settings with which programs use it."""
    from tiktok_adapters.testing.fakes import serve_sandbox  # noqa: PLC0415

    with serve_sandbox(tiktok_faults) as sandbox:
        yield sandbox
