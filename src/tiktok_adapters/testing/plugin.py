"""Fixtures for anybody's tests: a simulated TikTok in memory and as a server, with its clock and its faults.

What belongs here: fixtures whose names begin with `tiktok_`. pytest imports this file in every run of an environment where
this package is installed, so it imports nothing but pytest until a fixture is used, and none of them is used by itself.
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
    """The clock of the fakes: it stands still until somebody sleeps or moves it on."""
    from tiktok_adapters.clocks import ManualClock  # noqa: PLC0415

    return ManualClock()


@pytest.fixture
def tiktok_faults() -> "Faults":
    """What goes wrong in this test, at the fakes and at the sandbox: `tiktok_faults.add("put:2=drop-after")`."""
    from tiktok_adapters.simulator import Faults  # noqa: PLC0415

    return Faults()


@pytest.fixture
def tiktok_fake(tiktok_clock: "ManualClock", tiktok_faults: "Faults") -> "Iterator[Fake]":
    """A blocking client over a simulated TikTok in memory, with an account that is signed in."""
    from tiktok_adapters.testing.fakes import make_fake  # noqa: PLC0415

    with make_fake(tiktok_clock, tiktok_faults) as fake:
        yield fake


@pytest.fixture
def tiktok_async_fake(tiktok_clock: "ManualClock", tiktok_faults: "Faults") -> "Iterator[AsyncFake]":
    """The same for an asynchronous client; it serves any event loop, for it never waits."""
    from tiktok_adapters.testing.fakes import make_async_fake  # noqa: PLC0415

    with make_async_fake(tiktok_clock, tiktok_faults) as fake:
        yield fake


@pytest.fixture
def tiktok_sandbox(tiktok_faults: "Faults") -> "Iterator[Sandbox]":
    """A simulated TikTok served on a free port of this machine, and the settings that lead programs to it."""
    from tiktok_adapters.testing.fakes import serve_sandbox  # noqa: PLC0415

    with serve_sandbox(tiktok_faults) as sandbox:
        yield sandbox
