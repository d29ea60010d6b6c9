"""All upload slots keep the contract of their port.

What belongs here: bindings, and what they need for a crowd of threads or of tasks.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from tiktok_adapters import slots
from tiktok_adapters.slots import AsyncioUploadSlots, ThreadUploadSlots
from tiktok_adapters.testing.contracts.slots import Crowd, UploadSlotsContract
from tiktok_core.errors import Misused


class Gone(BaseException):
    """The error that interrupts a waiting thread, as Ctrl-C would."""


class Turn(threading.Event):
    """What a thread waits for. A test can interrupt it."""

    latest: "Turn"

    def __init__(self) -> None:
        super().__init__()
        self._wake = threading.Event()
        Turn.latest = self

    def set(self) -> None:
        """Give the slot."""
        super().set()
        self._wake.set()

    def interrupt(self) -> None:
        """Interrupt the thread without a slot."""
        self._wake.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the slot or for the interruption."""
        assert self._wake.wait(10)
        if not self.is_set():
            raise Gone
        return True


class Threads:
    """A crowd of threads."""

    def __init__(self, limit: int) -> None:
        self._slots = ThreadUploadSlots(limit)
        self._limit = limit
        self._threads: dict[str, threading.Thread] = {}
        self._turns: dict[str, Turn] = {}
        self._ends: dict[str, threading.Event] = {}
        self.inside: list[str] = []

    def start(self, account: str, name: str) -> None:
        """Let a worker of this account enter."""
        self._ends[name] = threading.Event()
        thread = self._threads[name] = threading.Thread(target=self._work, args=(account, name))
        waits = len(self.inside) == self._limit
        before = self._waiting
        thread.start()
        self._until(lambda: self._waiting == before + 1 if waits else name in self.inside)
        if waits:
            self._turns[name] = Turn.latest

    def finish(self, name: str) -> None:
        """Let a worker that has a slot leave."""
        expected = min(self._limit, len(self.inside) - 1 + self._waiting)
        self._ends[name].set()
        self._threads[name].join()
        self._until(lambda: len(self.inside) == expected)

    def cancel(self, name: str) -> None:
        """Interrupt a waiting worker."""
        self._turns[name].interrupt()
        self._threads[name].join()

    @property
    def _waiting(self) -> int:
        return sum(len(queue) for queue in self._slots._turns._waiting.values())

    def _work(self, account: str, name: str) -> None:
        try:
            self._slots.enter(account)
        except Gone:
            return
        self.inside.append(name)
        self._ends[name].wait()
        self.inside.remove(name)
        self._slots.leave()

    def _until(self, is_so: Callable[[], bool]) -> None:
        end = time.monotonic() + 10
        while not is_so():
            assert time.monotonic() < end, "the crowd does not come to rest"
            time.sleep(0.0005)


class Tasks:
    """A crowd of tasks."""

    def __init__(self, limit: int, loop: asyncio.AbstractEventLoop) -> None:
        self._slots = AsyncioUploadSlots(limit)
        self._loop = loop
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ends: dict[str, asyncio.Event] = {}
        self.inside: list[str] = []

    def start(self, account: str, name: str) -> None:
        """Let a worker of this account enter."""
        self._ends[name] = asyncio.Event()
        self._tasks[name] = self._loop.create_task(self._work(account, name))
        self._rest()

    def finish(self, name: str) -> None:
        """Let a worker that has a slot leave."""
        self._ends[name].set()
        self._rest()

    def cancel(self, name: str) -> None:
        """Cancel a waiting worker."""
        self._tasks[name].cancel()
        self._rest()

    async def _work(self, account: str, name: str) -> None:
        await self._slots.enter(account)
        self.inside.append(name)
        await self._ends[name].wait()
        self.inside.remove(name)
        self._slots.leave()

    def _rest(self) -> None:
        async def turns() -> None:
            for _ in range(10):
                await asyncio.sleep(0)

        self._loop.run_until_complete(turns())


class TestThreads(UploadSlotsContract):
    """Threads of a blocking client."""

    @pytest.fixture
    def gather(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Crowd]:
        """Return a function that makes a crowd."""
        monkeypatch.setattr(slots, "threading", SimpleNamespace(Event=Turn, Lock=threading.Lock))
        return Threads

    def test_a_slot_given_to_somebody_who_goes_away_goes_on(self, gather: Callable[[int], Crowd]) -> None:
        """If a thread is interrupted at the moment when it gets a slot, the slot goes to the next worker."""
        own = ThreadUploadSlots(1)
        own.enter("a")

        class Late(Turn):
            def wait(self, timeout: float | None = None) -> bool:
                own.leave()
                raise Gone

        slots.threading.Event = Late  # type: ignore[misc, assignment]
        with pytest.raises(Gone):
            own.enter("b")
        own.enter("c")


class TestTasks(UploadSlotsContract):
    """Tasks of an asynchronous client."""

    @pytest.fixture
    def loop(self) -> Iterator[asyncio.AbstractEventLoop]:
        """Give an event loop."""
        with asyncio.Runner() as runner:
            yield runner.get_loop()

    @pytest.fixture
    def gather(self, loop: asyncio.AbstractEventLoop) -> Callable[[int], Crowd]:
        """Return a function that makes a crowd."""
        return lambda limit: Tasks(limit, loop)

    @pytest.mark.parametrize("is_given_first", [True, False])
    def test_a_slot_given_to_somebody_who_goes_away_goes_on(
        self, loop: asyncio.AbstractEventLoop, is_given_first: bool
    ) -> None:
        """If a task gets a slot and is cancelled at the same moment, in either order, the slot goes to the next worker."""

        async def story() -> None:
            own = AsyncioUploadSlots(1)
            await own.enter("a")
            late = asyncio.create_task(own.enter("b"))
            await asyncio.sleep(0)
            for act in (own.leave, late.cancel) if is_given_first else (late.cancel, own.leave):
                act()
            with pytest.raises(asyncio.CancelledError):
                await late
            async with asyncio.timeout(1):
                await own.enter("c")

        loop.run_until_complete(story())


def test_the_uploads_of_two_event_loops_never_share_slots() -> None:
    """A second loop gets an error that says what to do, and the slots once the first loop's uploads have left."""
    shared = AsyncioUploadSlots(1)

    async def entered() -> None:
        await shared.enter("me")

    async def at_the_same_time() -> None:
        await entered()
        with pytest.raises(Misused, match="make a client for each loop"):
            await asyncio.to_thread(asyncio.run, entered())

    asyncio.run(at_the_same_time())
    shared.leave()
    asyncio.run(entered())
