"""An account over a simulated TikTok in this process, for tests of engines: what is real there is the engine and its server.

What belongs here: a place to post from, and waiting for what another thread or process does.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from attrs import define

from clips import CLIP_BYTES
from tiktok_adapters.clocks import SystemClock
from tiktok_adapters.engines.worker import Worker
from tiktok_adapters.simulator import (
    DEFAULT_CLIENT_KEY,
    DEFAULT_CLIENT_SECRET,
    DEFAULT_REDIRECT_URI,
    SimulatedTikTok,
    Switches,
)
from tiktok_adapters.sources import open_source
from tiktok_adapters.stores.memory import MemoryJournal, MemoryTokenStore
from tiktok_adapters.transports.fake import FakeTransport
from tiktok_core import App, TikTok
from tiktok_core.domain.journal import Record

__all__ = ["EnginePlace", "engine_place", "until"]


def until(is_so: Callable[[], object], *, why: Callable[[], object] = lambda: "it did not come to that") -> None:
    """Wait until something is so, for a minute at most."""
    end = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < end, why()
        time.sleep(0.02)


@define
class EnginePlace:
    """An account, and a worker that goes on with its posts as soon as one is overdue."""

    sim: SimulatedTikTok
    tiktok: TikTok
    account: Any
    worker: Worker
    stop: threading.Event
    film: Path

    def entered(self, key: str = "wish", **how: Any) -> Record:
        """Enter a draft."""
        return self.account.enter_video(self.film, draft=True, key=key, **how)

    def ended(self, key: str = "wish") -> bool:
        """Whether a post has ended."""
        found = self.account.post(key)
        return found is not None and found.is_ended

    def running(self, work: Callable[[], object]) -> "Running":
        """Run a worker in a thread."""
        return Running(self.stop, work)


class Running:
    """A worker in a thread of this process; leaving the block stops it, and raises what it raised."""

    def __init__(self, stop: threading.Event, work: Callable[[], object]) -> None:
        self._stop = stop
        self._work = work
        self._raised: list[BaseException] = []
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001 - it is raised again
            self._raised.append(error)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self.thread.join(60)
        assert not self.thread.is_alive()
        self._stop.clear()
        for error in self._raised:
            raise error


@contextmanager
def engine_place(folder: Path, *, grace: float = 1.0) -> Iterator[EnginePlace]:
    """Give a place of its own."""
    sim = SimulatedTikTok(switches=Switches(processing_seconds=0.0))
    tiktok = TikTok(
        App(DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, DEFAULT_REDIRECT_URI),
        transport=FakeTransport(sim.handle),
        tokens=MemoryTokenStore(),
        journal=MemoryJournal(),
        clock=SystemClock(),
        open_source=open_source,
    )
    film = folder / "clip.mp4"
    film.write_bytes(CLIP_BYTES)
    with tiktok:
        authorization = tiktok.authorization(redirect_uri="http://127.0.0.1:4000/callback/")
        account = tiktok.sign_in(authorization, sim.authorize(authorization.url))
        stop = threading.Event()
        worker = Worker(tiktok, clock=SystemClock(), stop=stop.is_set, grace=grace)
        yield EnginePlace(sim, tiktok, account, worker, stop, film)
    sim.close()
