"""The stores in PostgreSQL keep the contracts of their ports, in both worlds, on a real server.

What belongs here: bindings only.
"""

import asyncio
import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve
from cryptography.fernet import Fernet

from postgres_place import KEYS, Place
from tiktok_adapters.testing.contracts import PassTime
from tiktok_adapters.testing.contracts.clocks import ClockContract
from tiktok_adapters.testing.contracts.journals import DurableJournalContract, OpenJournal
from tiktok_adapters.testing.contracts.pacers import PacerContract
from tiktok_adapters.testing.contracts.slots import Crowd, UploadSlotsContract
from tiktok_adapters.testing.contracts.stores import TOKENS, DurableTokenStoreContract, OpenStore, Spoil
from tiktok_core import Secret
from tiktok_core.ports import AsyncClock, AsyncPacer, Clock, Pacer
from tiktok_core.wire.records import dump_tokens

DRIFT = timedelta(seconds=5)
"""Longer than a test takes, and shorter than a lease."""


class OnServer:
    """A place on the server, whose clock the test moves."""

    drift = DRIFT
    examples = 4

    @pytest.fixture
    def pass_time(self, place: Place) -> PassTime:
        """Return a function that moves the server's clock."""
        return place.pass_time


class PlainTokens(OnServer, DurableTokenStoreContract):
    """Plain tokens."""

    @pytest.fixture
    def spoil(self, place: Place) -> Spoil:
        """Return a function that puts another document into a row."""

        def spoil(account: str, document: bytes) -> None:
            place.execute("UPDATE {s}.tokens SET document = %s WHERE name = %s", document, account.encode())

        return spoil


class SealedTokens(OnServer, DurableTokenStoreContract):
    """Encrypted tokens."""

    @pytest.fixture
    def spoil(self, place: Place) -> Spoil:
        """Return a function that puts another document into a row, encrypted."""

        def spoil(account: str, document: bytes) -> None:
            token = Fernet(KEYS[0]).encrypt(hashlib.sha256(account.encode()).digest() + document).decode()
            sealed = dump_tokens(evolve(TOKENS, access_token=Secret(f"fernet1:{token}")))
            place.execute("UPDATE {s}.tokens SET document = %s WHERE name = %s", sealed, account.encode())

        return spoil


class TestTokens(PlainTokens):
    """Blocking."""

    @pytest.fixture
    def open_store(self, place: Place) -> OpenStore:
        """Return a function that opens the place under contract."""
        return lambda: place.stores().tokens()


class TestTokensAsync(PlainTokens):
    """Awaited."""

    @pytest.fixture
    def open_store(self, place: Place) -> OpenStore:
        """Return a function that opens the place under contract."""
        return lambda: place.stores_async().tokens()


class TestSealedTokens(SealedTokens):
    """Blocking and encrypted."""

    @pytest.fixture
    def open_store(self, place: Place) -> OpenStore:
        """Return a function that opens the place under contract."""
        return lambda: place.stores(keys=KEYS).tokens()


class TestSealedTokensAsync(SealedTokens):
    """Awaited and encrypted."""

    @pytest.fixture
    def open_store(self, place: Place) -> OpenStore:
        """Return a function that opens the place under contract."""
        return lambda: place.stores_async(keys=KEYS).tokens()


@pytest.fixture(params=[(), KEYS], ids=["plain", "sealed"])
def keys(request: pytest.FixtureRequest) -> Any:
    """Give the keys of a place."""
    return request.param


class TestJournal(OnServer, DurableJournalContract):
    """Blocking."""

    @pytest.fixture
    def open_journal(self, place: Place, keys: Any) -> OpenJournal:
        """Return a function that opens the place under contract."""
        return lambda: place.stores(keys=keys).journal()


class TestJournalAsync(OnServer, DurableJournalContract):
    """Awaited."""

    @pytest.fixture
    def open_journal(self, place: Place, keys: Any) -> OpenJournal:
        """Return a function that opens the place under contract."""
        return lambda: place.stores_async(keys=keys).journal()


class TestPacer(OnServer, PacerContract):
    """Blocking."""

    @pytest.fixture
    def pacer(self, place: Place) -> Pacer:
        """Return the pacer under contract."""
        return place.stores().pacer()


class TestPacerAsync(OnServer, PacerContract):
    """Awaited."""

    @pytest.fixture
    def pacer(self, place: Place) -> AsyncPacer:
        """Return the pacer under contract."""
        return place.stores_async().pacer()


class TestClock(ClockContract):
    """Blocking."""

    @pytest.fixture
    def clock(self, place: Place) -> Iterator[Clock]:
        """Return the clock under contract."""
        with place.stores() as stores:
            yield stores.clock()


class TestClockAsync(ClockContract):
    """Awaited."""

    @pytest.fixture
    def clock(self, place: Place) -> AsyncClock:
        """Return the clock under contract. No store of it is ever open."""
        return place.stores_async().clock()


class Gone(BaseException):
    """The error that interrupts a waiting thread, as Ctrl-C would."""


class Threads:
    """A crowd of threads. Whoever waits asks again when the crowd says so."""

    def __init__(self, place: Place, limit: int, **options: Any) -> None:
        self._place = place
        self._stores = place.stores(**options)
        self._slots = self._stores.slots(limit, clock=self)
        self._changed = threading.Condition()
        self._threads: dict[str, threading.Thread] = {}
        self._waiting: dict[str, bool] = {}
        """Who waits, and whether it is to go away."""
        self._ending: set[str] = set()
        self.inside: list[str] = []

    def now(self) -> Any:
        """Nobody asks."""
        raise NotImplementedError

    def sleep(self, seconds: float, /) -> None:
        """Wait for the crowd."""
        name = threading.current_thread().name
        with self._changed:
            self._waiting[name] = False
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: self._waiting.get(name) is not False, 20)
            if self._waiting.pop(name, False):
                raise Gone

    def start(self, account: str, name: str) -> None:
        """Let a worker of this account enter."""
        thread = threading.Thread(target=self._work, args=(account, name), name=name)
        with self._changed:
            self._threads[name] = thread
            thread.start()
        self._rest()

    def finish(self, name: str) -> None:
        """Let a worker that has a slot leave."""
        with self._changed:
            self._ending.add(name)
            self._changed.notify_all()
        self._threads.pop(name).join()
        self._rest()

    def cancel(self, name: str) -> None:
        """Interrupt a waiting worker."""
        with self._changed:
            self._waiting[name] = True
            self._changed.notify_all()
        self._threads.pop(name).join()

    def close(self) -> None:
        """Let everybody go."""
        while self.inside:
            self.finish(self.inside[0])
        self._stores.close()

    def _work(self, account: str, name: str) -> None:
        try:
            self._slots.enter(account)
        except Gone:
            return
        with self._changed:
            self.inside.append(name)
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: name in self._ending, 20)
            self.inside.remove(name)
        self._slots.leave()

    def _rest(self) -> None:
        """Let everybody who waits ask twice."""
        with self._changed:
            for _ in range(3):
                assert self._changed.wait_for(lambda: len(self._waiting) + len(self.inside) == len(self._threads), 20)
                self._waiting.clear()
                self._changed.notify_all()
            assert self._changed.wait_for(lambda: len(self._waiting) + len(self.inside) == len(self._threads), 20)


class Tasks:
    """A crowd of tasks. Whoever waits asks again when the crowd says so."""

    def __init__(self, place: Place, limit: int, loop: asyncio.AbstractEventLoop) -> None:
        self._place = place
        self._loop = loop
        self._stores = place.stores_async()
        self._slots = self._stores.slots(limit, clock=self)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._waiting: list[asyncio.Event] = []
        self._ends: dict[str, asyncio.Event] = {}
        self.inside: list[str] = []

    def now(self) -> Any:
        """Nobody asks."""
        raise NotImplementedError

    async def sleep(self, seconds: float, /) -> None:
        """Wait for the crowd."""
        turn = asyncio.Event()
        self._waiting.append(turn)
        try:
            await turn.wait()
        finally:
            self._waiting.remove(turn)

    def start(self, account: str, name: str) -> None:
        """Let a worker of this account enter."""
        self._ends[name] = asyncio.Event()
        self._tasks[name] = self._loop.create_task(self._work(account, name))
        self._rest()

    def finish(self, name: str) -> None:
        """Let a worker that has a slot leave."""
        self._ends[name].set()
        self._loop.run_until_complete(self._tasks.pop(name))
        self._rest()

    def cancel(self, name: str) -> None:
        """Cancel a waiting worker."""
        self._tasks[name].cancel()
        self._loop.run_until_complete(asyncio.wait([self._tasks.pop(name)]))
        self._rest()

    def close(self) -> None:
        """Let everybody go."""
        while self.inside:
            self.finish(self.inside[0])
        self._loop.run_until_complete(self._stores.close())

    async def _work(self, account: str, name: str) -> None:
        await self._slots.enter(account)
        self.inside.append(name)
        await self._ends[name].wait()
        self.inside.remove(name)
        self._slots.leave()

    def _rest(self) -> None:
        async def rest() -> None:
            async with asyncio.timeout(20):
                # A slot is given back in the background.
                for _ in range(3):
                    await self._until(lambda: self._are_idle() and self._rows() == len(self._tasks))
                    for turn in self._waiting:
                        turn.set()
                    await asyncio.sleep(0)
                await self._until(self._are_idle)

        self._loop.run_until_complete(rest())

    def _are_idle(self) -> bool:
        return len(self._waiting) + len(self.inside) == len(self._tasks)

    async def _until(self, is_so: Callable[[], bool]) -> None:
        while not is_so():  # noqa: ASYNC110 - the server knows, and tells nobody
            await asyncio.sleep(0.001)

    def _rows(self) -> int:
        ((count,),) = self._place.execute("SELECT count(*) FROM {s}.slots")
        return int(count)


class TestSlots(UploadSlotsContract):
    """Blocking."""

    @pytest.fixture
    def gather(self, place: Place) -> Iterator[Callable[[int], Crowd]]:
        """Give a function that makes a crowd."""
        with ExitStack() as stack:
            yield lambda limit: stack.enter_context(closing(Threads(place, limit)))


class TestSlotsAsync(UploadSlotsContract):
    """Awaited."""

    @pytest.fixture
    def gather(self, place: Place) -> Iterator[Callable[[int], Crowd]]:
        """Give a function that makes a crowd."""
        with asyncio.Runner() as runner, ExitStack() as stack:
            yield lambda limit: stack.enter_context(closing(Tasks(place, limit, runner.get_loop())))


class BehindPooler(OnServer):
    """A place behind pgbouncer, which gives each transaction one of three connections."""

    @pytest.fixture
    def url(self, pooler: int) -> str:
        """Return the URL of the pooler."""
        return f"postgresql://owner@127.0.0.1:{pooler}/postgres"


class TestTokensBehindPooler(BehindPooler, PlainTokens):
    """Blocking."""

    @pytest.fixture
    def open_store(self, place: Place, url: str) -> OpenStore:
        """Return a function that opens the place under contract."""
        return lambda: place.stores(url=url).tokens()


class TestJournalBehindPoolerAsync(BehindPooler, DurableJournalContract):
    """Awaited."""

    @pytest.fixture
    def open_journal(self, place: Place, url: str) -> OpenJournal:
        """Return a function that opens the place under contract."""
        return lambda: place.stores_async(url=url).journal()


class TestPacerBehindPoolerAsync(BehindPooler, PacerContract):
    """Awaited."""

    @pytest.fixture
    def pacer(self, place: Place, url: str) -> AsyncPacer:
        """Return the pacer under contract."""
        return place.stores_async(url=url).pacer()


class TestSlotsBehindPooler(UploadSlotsContract):
    """Blocking."""

    @pytest.fixture
    def gather(self, place: Place, pooler: int) -> Iterator[Callable[[int], Crowd]]:
        """Give a function that makes a crowd."""
        url = f"postgresql://owner@127.0.0.1:{pooler}/postgres"
        with ExitStack() as stack:
            yield lambda limit: stack.enter_context(closing(Threads(place, limit, url=url)))
