"""Many posts at once on one client: a limited number of them upload, and the others wait for their upload URL."""

import asyncio
import gc
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from clips import CLIP_BYTES
from tiktok_adapters.clocks import ManualClock
from tiktok_adapters.simulator import (
    DEFAULT_CLIENT_KEY,
    DEFAULT_CLIENT_SECRET,
    DEFAULT_REDIRECT_URI,
    Creator,
    SimulatedTikTok,
    Switches,
)
from tiktok_adapters.slots import AsyncioUploadSlots, ThreadUploadSlots
from tiktok_adapters.sources import open_source
from tiktok_adapters.stores.memory import MemoryJournal, MemoryTokenStore
from tiktok_adapters.transports.fake import FakeTransport
from tiktok_core import App, AsyncTikTok, Publication, TikTok
from tiktok_core.lifting import lift_journal, lift_tokens
from tiktok_core.ports import Request, Response

APP = App(DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, DEFAULT_REDIRECT_URI)
OPEN_FILES = Path("/proc/self/fd")


def open_videos() -> int:
    """Return how many video files this process has open; 0 where the system does not tell."""
    count = 0
    for entry in OPEN_FILES.iterdir() if OPEN_FILES.exists() else ():
        with suppress(OSError):  # It was closed in the meantime.
            count += str(entry.readlink()).endswith(".mp4")
    return count


class Watch:
    """A transport that counts the uploads under way, each from its init to the end of its only chunk.

    With `company`, the first upload waits for another one, because a busy machine may not run two threads side by side.
    """

    def __init__(self, sim: SimulatedTikTok, clock: ManualClock, *, company: bool = False) -> None:
        self._inner = FakeTransport(sim.handle, wait=clock.advance)
        self._lock = threading.Lock()
        self._company = threading.Event()
        if not company:
            self._company.set()
        self._under_way = 0
        self.most = 0
        self.most_files = 0

    def send(self, request: Request, /) -> Response:
        """Count, and send."""
        if request.method == "PUT":
            with self._lock:
                self._under_way -= 1
        response = self._inner.send(request)
        if "/init/" in request.url:
            with self._lock:
                self._under_way += 1
                self.most = max(self.most, self._under_way)
            if self.most > 1:
                self._company.set()
            self._company.wait(20)
        self.most_files = max(self.most_files, open_videos())
        return response

    def close(self) -> None:
        """Close."""
        self._inner.close()


class YieldingWatch:
    """The same for tasks: each request and each wait lets the other tasks run."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch

    async def send(self, request: Request, /) -> Response:
        """Send, and let the other tasks run before and after."""
        await asyncio.sleep(0)
        response = self.watch.send(request)
        await asyncio.sleep(0)
        return response

    async def close(self) -> None:
        """Close."""
        self.watch.close()


class YieldingClock:
    """A virtual clock whose waits let the other tasks run."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock

    def now(self) -> datetime:
        """Return the time."""
        return self._clock.now()

    async def sleep(self, seconds: float, /) -> None:
        """Move the clock on, after the other tasks have run."""
        await asyncio.sleep(0)
        self._clock.sleep(seconds)


class SharedClock(ManualClock):
    """A virtual clock that moves on in small steps.

    Otherwise the waits of thirty threads would end the lease of a waiting one.
    """

    def sleep(self, seconds: float, /) -> None:
        """Move on by a thousandth of the given seconds."""
        super().sleep(seconds / 1000)


@pytest.fixture
def clock() -> ManualClock:
    """Give a virtual clock."""
    return SharedClock()


@pytest.fixture
def sim(clock: ManualClock) -> Iterator[SimulatedTikTok]:
    """Give a simulated TikTok with ten creators."""
    creators = [Creator(open_id=f"creator-{number}", username=f"maker_{number}") for number in range(10)]
    sim = SimulatedTikTok(clock, creators=creators, switches=Switches(processing_seconds=0.0))
    yield sim
    sim.close()


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Give three videos for each creator, once the files that earlier tests left open are closed, which would count."""
    gc.collect()
    found = [tmp_path / f"{number}.mp4" for number in range(30)]
    for number, path in enumerate(found):
        path.write_bytes(CLIP_BYTES + bytes([number]))
    return found


def check(sim: SimulatedTikTok, watch: Watch, done: list[Publication], limit: int) -> None:
    """Assert that each video is posted once, and that no more than the limit were ever under way."""
    assert {post.status for post in done} == {"SEND_TO_USER_INBOX"}
    assert len({post.publish_id for post in done}) == len(sim.posts) == 30
    assert 1 < watch.most <= limit


@pytest.mark.parametrize("limit", [2, 4])
def test_tasks_wait_for_a_slot_before_their_init(
    sim: SimulatedTikTok, clock: ManualClock, files: list[Path], limit: int
) -> None:
    """Thirty posts start at once, and a few at a time upload.

    The others have neither an upload URL nor an open file.
    """
    watch = Watch(sim, clock)

    async def story() -> list[Publication]:
        async with AsyncTikTok(
            APP,
            transport=YieldingWatch(watch),
            tokens=lift_tokens(MemoryTokenStore()),
            journal=lift_journal(MemoryJournal()),
            clock=YieldingClock(clock),
            slots=AsyncioUploadSlots(limit),
            open_source=open_source,
        ) as tiktok:
            accounts = []
            for number in range(10):
                asked = tiktok.authorization(redirect_uri="http://127.0.0.1:4000/callback/")
                accounts.append(await tiktok.sign_in(asked, sim.authorize(asked.url, account=f"maker_{number}")))
            posts = (accounts[at % 10].post_video(path, draft=True) for at, path in enumerate(files))
            return await asyncio.gather(*posts)

    check(sim, watch, asyncio.run(story()), limit)
    # The client opens each file for a moment to look at it, before its post waits.
    assert watch.most_files <= limit + 1


def test_threads_wait_for_a_slot_before_their_init(sim: SimulatedTikTok, clock: ManualClock, files: list[Path]) -> None:
    """Thirty threads on one blocking client do the same."""
    watch = Watch(sim, clock, company=True)
    with TikTok(
        APP,
        transport=watch,
        tokens=MemoryTokenStore(),
        journal=MemoryJournal(),
        clock=clock,
        slots=ThreadUploadSlots(4),
        open_source=open_source,
    ) as tiktok:
        accounts = []
        for number in range(10):
            asked = tiktok.authorization(redirect_uri="http://127.0.0.1:4000/callback/")
            accounts.append(tiktok.sign_in(asked, sim.authorize(asked.url, account=f"maker_{number}")))

        def post(at: int) -> Publication:
            return accounts[at % 10].post_video(files[at], draft=True)

        with ThreadPoolExecutor(30) as pool:
            done = list(pool.map(post, range(30)))
    check(sim, watch, done, 4)


def test_a_slot_is_not_kept_by_who_waits_for_the_quota(bench: Any, tmp_path: Path) -> None:
    """The seventh init of a minute is not due yet. Meanwhile other accounts upload."""

    class Slots:
        def __init__(self) -> None:
            self.taken = 0
            self.naps: list[int] = []

        async def enter(self, account: str, /) -> None:
            self.taken += 1

        def leave(self) -> None:
            self.taken -= 1

    account, slots = bench.signed_in(), Slots()
    inner = getattr(account, "_face", account)
    slept = inner._context.clock

    class Clock:
        def now(self) -> datetime:
            return slept.now()

        async def sleep(self, seconds: float, /) -> None:
            if seconds > 5:
                slots.naps.append(slots.taken)
            await slept.sleep(seconds)

    inner._context = evolve(inner._context, slots=slots, clock=Clock())
    path = tmp_path / "clip.mp4"
    path.write_bytes(CLIP_BYTES)
    for _ in range(7):
        bench.run(account.post_video(path, privacy_level="SELF_ONLY"))
    assert slots.naps[-1] == 0
    assert bench.clock.slept > 30
    assert slots.taken == 0
