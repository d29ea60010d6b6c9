"""What the tests of the tools share: a simulated TikTok in memory, a signed-in account, and the SDK's own client."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from attrs import define

from clips import CLIP_BYTES
from tiktok_adapters.clocks import ManualClock
from tiktok_adapters.protect import AsyncioProtect
from tiktok_adapters.simulator import DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, SimulatedTikTok, Switches
from tiktok_adapters.simulator import App as SimulatedApp
from tiktok_adapters.sources import open_source
from tiktok_adapters.stores.memory import MemoryJournal, MemoryTokenStore
from tiktok_adapters.transports.fake import FakeTransport
from tiktok_core import App, AsyncTikTok, TikTokError
from tiktok_core.lifting import lift_clock, lift_journal, lift_tokens, lift_transport

HOST = "media.example.com"
SCOPES = ("user.info.basic", "video.list", "video.publish", "video.upload")


@define
class World:
    """A simulated TikTok, a journal, and who works with them.

    Attributes:
        sim: the simulated TikTok.
        clock: the clock of all.
        journal: keeps the records of the agent's client and of the person's.
        tiktok: the client of the person and of workers; the tools have one of their own over the same stores.
        account: the account that has signed in, of that client.
        folder: the folder that was named; it has `clip.mp4` and `other.mp4`.
        make: makes a further client over the same stores.
    """

    sim: SimulatedTikTok
    clock: ManualClock
    journal: MemoryJournal
    tiktok: AsyncTikTok
    account: Any
    folder: Path
    make: Callable[[], AsyncTikTok]

    @asynccontextmanager
    async def agent(
        self, *, allowed: bool = False, mode: str = "auto", asked: Any = None, folders: "tuple[Path, ...] | None" = None
    ) -> AsyncIterator[Any]:
        """Give the SDK's client of a server with its own client of the library."""
        from mcp import Client  # noqa: PLC0415 - some installations lack it

        from tiktok_adapters.agents import Desk, Permits, build  # noqa: PLC0415 - it needs the same package

        accounts = frozenset({self.account.open_id} if allowed else ())
        permits = Permits(
            folders=(self.folder,) if folders is None else folders, hosts=frozenset({HOST}), accounts=accounts
        )
        # It is not closed, because the stores in memory would end with it.
        desk = Desk(tiktok=self.make(), permits=permits)
        try:
            async with Client(build(desk), mode=mode, elicitation_callback=asked) as client:
                yield client
        finally:
            await desk.close()

    async def work(self) -> None:
        """Do what a worker does: go on with each post that was entered for workers."""
        for record in await self.account.unfinished():
            if record.is_entered:
                await self.went_on(record.key)

    async def went_on(self, key: str) -> None:
        """Take steps of a post, whatever they end in."""
        try:
            await self.account.advance(key, until_wait=0.0)
        except TikTokError:
            return


async def _world(folder: Path) -> World:
    clock = ManualClock()
    sim = SimulatedTikTok(
        clock,
        switches=Switches(processing_seconds=0.0, download_seconds=0.0),
        apps=[SimulatedApp(url_properties=(HOST,))],
    )
    store, journal = MemoryTokenStore(), MemoryJournal()

    def make() -> AsyncTikTok:
        return AsyncTikTok(
            App(DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, "https://app.example.com/callback/"),
            transport=lift_transport(FakeTransport(sim.handle, wait=clock.advance)),
            tokens=lift_tokens(store),
            journal=lift_journal(journal),
            clock=lift_clock(clock),
            protect=AsyncioProtect(),
            open_source=open_source,
        )

    tiktok = make()
    begun = tiktok.authorization(SCOPES)
    account = await tiktok.sign_in(begun, sim.authorize(begun.url))
    return World(sim, clock, journal, tiktok, account, folder, make)


@pytest.fixture
def in_world(tmp_path: Path) -> Callable[[Callable[[World], Awaitable[None]]], None]:
    """Run a coroutine function in a new world."""
    pytest.importorskip("mcp", reason="mcp is not installed")
    folder = tmp_path / "clips"
    folder.mkdir(exist_ok=True)
    (folder / "clip.mp4").write_bytes(CLIP_BYTES)
    (folder / "other.mp4").write_bytes(CLIP_BYTES + b"\0\0\0\x08free")

    def run(story: Callable[[World], Awaitable[None]]) -> None:
        async def whole() -> None:
            world = await _world(folder)
            try:
                await story(world)
            finally:
                await world.tiktok.close()
                world.sim.close()

        asyncio.run(whole())

    return run
