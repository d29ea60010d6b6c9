"""What the tests of the local page share: a sandbox, the page over it in a thread with a loop of its own, and a browser."""

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from studio_browser import WAIT, Browser
from tiktok_adapters import connect, connect_async
from tiktok_adapters.clocks import AsyncioClock
from tiktok_adapters.simulator import App, SimulatedTikTok, Switches
from tiktok_adapters.simulator.server import SandboxServer
from tiktok_adapters.studio import Studio

REDIRECT = "http://127.0.0.1:*/callback/"


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep this machine's settings away from the tests."""
    for name in [name for name in os.environ if name.startswith("TIKTOK_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "person"))


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the waits of the client: the sandbox finishes its work at once."""
    sleep = AsyncioClock.sleep
    monkeypatch.setattr(AsyncioClock, "sleep", lambda clock, seconds: sleep(clock, min(seconds, 0.01)))


@pytest.fixture
def sim() -> Iterator[SimulatedTikTok]:
    """A simulated TikTok whose posts are done when the client first asks."""
    simulated = SimulatedTikTok(
        switches=Switches(processing_seconds=0.0, download_seconds=0.0),
        apps=[App(client_secret="canary-of-the-studio")],
    )
    yield simulated
    simulated.close()


@pytest.fixture
def environ(sim: SimulatedTikTok, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment variables that connect to the served sandbox."""
    with SandboxServer(sim).run_in_thread() as server:
        yield {
            "TIKTOK_CLIENT_KEY": sim.app.client_key,
            "TIKTOK_CLIENT_SECRET": "canary-of-the-studio",
            "TIKTOK_REDIRECT_URI": REDIRECT,
            "TIKTOK_API_URL": server.url,
            "TIKTOK_AUTH_URL": f"{server.url}/v2/auth/authorize/",
            "TIKTOK_HOME": str(tmp_path / "home"),
        }


@pytest.fixture
def start(environ: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Start the page over the sandbox, and return the address to open. `stop` ends the latest."""
    running: list[tuple[threading.Thread, asyncio.AbstractEventLoop, asyncio.Task[None]]] = []

    def begin(**options: Any) -> str:
        started: Future[tuple[str, asyncio.AbstractEventLoop, asyncio.Task[None]]] = Future()

        async def serve() -> None:
            chosen = {"pause": 0.02, **options}
            async with connect_async(environ=environ) as tiktok, Studio(tiktok, tmp_path / "home", **chosen) as studio:
                task = asyncio.current_task()
                assert task is not None
                started.set_result((studio.url, asyncio.get_running_loop(), task))
                await asyncio.Event().wait()

        def run() -> None:
            try:
                asyncio.run(serve())
            except asyncio.CancelledError:
                pass
            except BaseException as error:
                if started.done():
                    raise
                started.set_exception(error)

        thread = threading.Thread(target=run, name="studio")
        thread.start()
        url, loop, task = started.result(WAIT)
        running.append((thread, loop, task))
        return url

    def stop() -> None:
        thread, loop, task = running.pop()
        loop.call_soon_threadsafe(task.cancel)
        thread.join(WAIT)
        assert not thread.is_alive()

    begin.stop = stop  # type: ignore[attr-defined]
    yield begin
    while running:
        stop()


@pytest.fixture
def signed_in(sim: SimulatedTikTok, environ: dict[str, str]) -> str:
    """Sign the simulator's creator in; return the `open_id`."""
    with connect(environ=environ) as client:
        asked = client.authorization(
            ["user.info.basic", "video.publish", "video.upload", "video.list"],
            redirect_uri="http://127.0.0.1:3455/callback/",
        )
        return client.sign_in(asked, sim.authorize(asked.url)).open_id


@pytest.fixture
def account(environ: dict[str, str], signed_in: str) -> Iterator[Any]:
    """The account, in a client of the same home folder: another process, such as the command line."""
    with connect(environ=environ) as client:
        yield client.account(signed_in)


@pytest.fixture
def browser(start: Callable[..., str], signed_in: str) -> Browser:
    """A browser that has opened the page; one account is signed in."""
    assert signed_in
    return Browser(start()).enter()
