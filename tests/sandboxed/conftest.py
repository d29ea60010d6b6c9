"""What the tests of `tiktok sandbox run` share: a simulated TikTok, and a command that runs in its world."""

import asyncio
import os
from collections.abc import Iterator
from typing import Any

import pytest

from tiktok_adapters.sandboxed.run import Wish, run
from tiktok_adapters.simulator import SimulatedTikTok, Switches
from worlds import Ran, Run, need_namespaces


@pytest.fixture
def sim() -> Iterator[SimulatedTikTok]:
    """A simulated TikTok whose posts are done when the client first asks."""
    simulated = SimulatedTikTok(switches=Switches(processing_seconds=0.0, download_seconds=0.0))
    yield simulated
    simulated.close()


@pytest.fixture
def process(sim: SimulatedTikTok, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a command in the world of the simulated TikTok, until it ends."""

    def start(*command: str, environ: dict[str, str] | None = None, **ways: Any) -> Ran:
        said: list[str] = []
        wish = Wish(
            command=command, environ={**os.environ, **(environ or {})}, settings=lambda url: {"URL": str(url)}, **ways
        )
        capfd.readouterr()
        outcome = asyncio.run(asyncio.wait_for(run(sim, wish, said.append), 60))
        out, err = capfd.readouterr()
        return Ran(outcome, out, err, said)

    return start


@pytest.fixture
def confined(process: Run) -> Run:
    """The same, in a network of the command's own; the test is skipped where the system forbids that."""
    need_namespaces()
    return lambda *command, **ways: process(*command, by_proxy=False, **ways)


@pytest.fixture(params=[pytest.param(False, id="namespace"), pytest.param(True, id="proxy")])
def either(request: pytest.FixtureRequest, process: Run) -> Run:
    """The same, in both ways."""
    if not request.param:
        need_namespaces()
    return lambda *command, **ways: process(*command, by_proxy=request.param, **ways)
