"""Closing a client during a renewal: TikTok has replaced the refresh token, and the client still stores the new one."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from signed_in import signed_in
from tiktok_adapters import connect, connect_async
from tiktok_adapters.simulator import SimulatedTikTok
from tiktok_core import Misused

Place = tuple[SimulatedTikTok, dict[str, str]]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Serve a TikTok with a signed-in account, whose next token response is slow."""
    sim = SimulatedTikTok(seed=None)
    with signed_in(sim, tmp_path / "home") as environ:
        sim.faults.add("token=slow:0.6")
        yield sim, environ


def renewing(sim: SimulatedTikTok) -> bool:
    """Whether the client has asked TikTok for new tokens."""
    return sim.count("token") > 1


def assert_kept(place: Place) -> None:
    """Check that the client asked TikTok once, and that the stored tokens are valid."""
    sim, environ = place
    assert sim.count("token") == 2
    with connect(environ=environ) as tiktok:
        (stored,) = tiktok.accounts()
    assert not sim.world.tokens[stored.refresh_token.reveal()].dead


@pytest.mark.parametrize("how", ["left", "cancelled", "failed"])
def test_leaving_the_block_waits_for_a_task_that_renews(place: Place, how: str) -> None:
    """The tokens are also stored if the task is cancelled, or if an error leaves the block."""
    sim, environ = place

    async def main() -> None:
        async with connect_async(environ=environ) as tiktok:
            task = asyncio.create_task((await tiktok.account()).refresh())
            while not renewing(sim):  # noqa: ASYNC110 - another thread changes the value
                await asyncio.sleep(0.01)
            if how == "cancelled":
                task.cancel()
            elif how == "failed":
                raise LookupError
        assert (await asyncio.gather(task, return_exceptions=True))[0] is not None

    with pytest.raises(LookupError) if how == "failed" else contextlib.nullcontext():
        asyncio.run(main())
    assert_kept(place)


def test_another_event_loop_closes_nothing_while_a_task_renews(place: Place) -> None:
    """It cannot wait for the task, and the task still has to save. The error says where to close the client."""
    sim, environ = place

    async def main() -> None:
        async with connect_async(environ=environ) as tiktok:
            task = asyncio.create_task((await tiktok.account()).refresh())
            while not renewing(sim):  # noqa: ASYNC110 - another thread changes the value
                await asyncio.sleep(0.01)
            with pytest.raises(Misused, match="close it there"):
                await asyncio.to_thread(asyncio.run, tiktok.close())
            assert len(await tiktok.accounts()) == 1
            await task

    asyncio.run(main())
    assert_kept(place)


def test_leaving_the_block_waits_for_a_thread_that_renews(place: Place) -> None:
    """The same with the blocking client: it closes the token file after the save."""
    sim, environ = place
    with connect(environ=environ) as tiktok:
        thread = threading.Thread(target=tiktok.account().refresh)
        thread.start()
        while not renewing(sim):
            time.sleep(0.01)
    thread.join(10)
    assert_kept(place)


PROGRAM = """
import asyncio
from tiktok_adapters import connect_async

async def main():
    async with connect_async() as tiktok:
        await (await tiktok.account()).refresh()

asyncio.run(main())
"""


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_in_asyncio_run_waits_for_the_save(place: Place, times: int) -> None:
    """A real process: the first Ctrl-C cancels the program, the second one ends the loop, and the pair is stored."""
    sim, environ = place
    running = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", PROGRAM], env={**os.environ, **environ}, stderr=subprocess.PIPE, text=True
    )
    try:
        while not renewing(sim) and running.poll() is None:
            time.sleep(0.01)
        for _ in range(times):
            time.sleep(0.1)
            running.send_signal(signal.SIGINT)
        _stdout, stderr = running.communicate(timeout=30)
    finally:
        running.kill()
        running.communicate()
    assert "KeyboardInterrupt" in stderr
    assert_kept(place)
