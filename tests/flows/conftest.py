"""Both clients over the simulated TikTok in memory, under a virtual clock."""

import asyncio
import inspect
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from attrs import define, evolve

from clips import CLIP_BYTES
from tiktok_adapters.clocks import ManualClock
from tiktok_adapters.destinations import open_destination
from tiktok_adapters.protect import AsyncioProtect, MainThreadProtect
from tiktok_adapters.simulator import DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, DEFAULT_REDIRECT_URI, SimulatedTikTok
from tiktok_adapters.sources import open_source
from tiktok_adapters.stores.memory import MemoryJournal, MemoryTokenStore
from tiktok_adapters.transports.fake import FakeTransport
from tiktok_core import App, AsyncTikTok, Secret, TikTok
from tiktok_core.lifting import lift_clock, lift_journal, lift_tokens, lift_transport
from tiktok_core.ports import Request, Response

T = TypeVar("T")


@define
class Bench:
    """What each test of the flows gets.

    Attributes:
        tiktok: the client, blocking or asynchronous; a test passes what its methods return through `run`.
        sim: the simulated TikTok behind it.
        clock: the clock of client and TikTok.
        store: keeps the tokens.
        journal: keeps the records.
        handle: answers each request; a test may replace it with another function.
    """

    tiktok: Any
    sim: SimulatedTikTok
    clock: ManualClock
    store: MemoryTokenStore
    journal: MemoryJournal
    handle: Callable[[Request], Response]
    runner: Callable[[Coroutine[Any, Any, Any]], Any]

    def run(self, result: Any) -> Any:
        """Return a blocking method's result, or await an asynchronous one's."""
        return self.runner(result) if inspect.iscoroutine(result) else result

    def signed_in(self) -> Any:
        """Return an account that has signed in and was granted every scope that it asked for."""
        authorization = self.tiktok.authorization(redirect_uri="http://127.0.0.1:4000/callback/")
        return self.run(self.tiktok.sign_in(authorization, self.sim.authorize(authorization.url)))

    def kill_access_token(self, open_id: str) -> None:
        """Put an access token that TikTok does not know into the store, beside a refresh token that TikTok knows."""
        tokens = self.store.load(open_id)
        assert tokens is not None
        self.store.save(open_id, evolve(tokens, access_token=Secret("act.dead")))


@pytest.fixture(params=["blocking", "asynchronous"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """Give a client of each world in turn."""
    clock = ManualClock()
    sim = SimulatedTikTok(clock)
    store, journal = MemoryTokenStore(), MemoryJournal()
    app = App(DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, DEFAULT_REDIRECT_URI)
    made: list[Bench] = []

    def answer(request: Request) -> Response:
        return made[0].handle(request)

    transport = FakeTransport(answer, wait=clock.advance)
    if request.param == "blocking":
        tiktok: Any = TikTok(
            app,
            transport=transport,
            tokens=store,
            journal=journal,
            clock=clock,
            protect=MainThreadProtect(),
            open_source=open_source,
            open_destination=open_destination,
        )
        runner: Any = lambda _: pytest.fail("a blocking client gave a coroutine")  # noqa: E731
        made.append(Bench(tiktok, sim, clock, store, journal, sim.handle, runner))
        yield made[0]
    else:
        with asyncio.Runner() as loop:
            tiktok = AsyncTikTok(
                app,
                transport=lift_transport(transport),
                tokens=lift_tokens(store),
                journal=lift_journal(journal),
                clock=lift_clock(clock),
                protect=AsyncioProtect(),
                open_source=open_source,
                open_destination=open_destination,
            )
            made.append(Bench(tiktok, sim, clock, store, journal, sim.handle, loop.run))
            yield made[0]
    sim.close()


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Give a small video file."""
    path = tmp_path / "clip.mp4"
    path.write_bytes(CLIP_BYTES)
    return path
