"""Calls in the library's own threads: in order, within their time, and without delaying the end of a program."""

import asyncio
import os
import subprocess
import sys
import threading
import time
from contextvars import ContextVar
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_adapters import threads
from tiktok_adapters.background import AsyncioBackground, ThreadBackground
from tiktok_adapters.stores.memory import MemoryJournal, MemoryTokenStore
from tiktok_adapters.stores.threaded import ThreadedJournal, ThreadedTokenStore
from tiktok_adapters.threads import NAME, Lane
from tiktok_core import StoreError
from tiktok_core.ports import LONGEST_LEASE

LATE = StoreError("Disk", "it hangs")
variable: ContextVar[str] = ContextVar("variable", default="nothing")


def calls() -> list[threading.Thread]:
    """Return the threads that make calls, or wait for one."""
    return [thread for thread in threading.enumerate() if thread.name == NAME]


@given(cancelled=st.lists(st.booleans(), min_size=1, max_size=8))
def test_calls_are_made_in_their_order_also_where_some_are_cancelled(cancelled: list[bool]) -> None:
    """A cancelled call finishes before a later one begins, so that the later one can give back what it took."""
    made: list[tuple[str, int]] = []
    go_on = threading.Event()

    def call(number: int) -> None:
        made.append(("begun", number))
        assert go_on.wait(10)
        made.append(("ended", number))

    async def main() -> None:
        lane = Lane()
        tasks = [asyncio.create_task(lane.call(lambda number=number: call(number))) for number in range(len(cancelled))]
        await asyncio.sleep(0)
        for task, is_cancelled in zip(tasks, cancelled, strict=True):
            if is_cancelled:
                task.cancel()
        go_on.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        await lane.call(lambda: made.append(("begun", len(tasks))))

    asyncio.run(main())
    count = len(cancelled)
    assert made == [(what, number) for number in range(count) for what in ("begun", "ended")] + [("begun", count)]


class HangingStore(MemoryTokenStore):
    """A token store whose disk hangs until the test releases it."""

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.go_on = threading.Event(), threading.Event()

    def _wait(self) -> None:
        self.entered.set()
        assert self.go_on.wait(10)

    def load(self, account: str, /) -> None:
        """Hang."""
        self._wait()

    def try_lease(self, account: str, /, **options: object) -> bool:
        """Hang, and then take the lease."""
        self._wait()
        return super().try_lease(account, **options)  # type: ignore[arg-type]


def test_a_lease_that_a_cancelled_call_was_taking_is_given_back() -> None:
    """The thread takes the lease although its caller is gone.

    Giving it back comes after that, however early the call for it came.
    """
    inner = HangingStore()
    store = ThreadedTokenStore(inner)
    now = datetime(2026, 1, 1, tzinfo=UTC)

    async def main() -> None:
        taking = asyncio.create_task(store.try_lease("me", owner="one", now=now, until=now + LONGEST_LEASE))
        while not inner.entered.is_set():  # noqa: ASYNC110 - it is told by another thread
            await asyncio.sleep(0)
        taking.cancel()
        giving = asyncio.create_task(store.release("me", owner="one"))
        await asyncio.sleep(0)
        inner.go_on.set()
        await giving
        assert taking.cancelled()

    asyncio.run(main())
    assert inner._leases == {}


def test_a_store_that_hangs_says_so_after_its_time() -> None:
    """The caller gets a `StoreError`, and so do the callers behind it in the queue, whose calls cannot be made either."""
    inner = HangingStore()
    store = ThreadedTokenStore(inner, time_limit=0.05)

    async def main() -> None:
        for ask in (store.load("me"), store.accounts()):
            with pytest.raises(StoreError, match=r"did not answer within 0\.05 s") as caught:
                await ask
            assert caught.value.kind == "locked"
        # Another store may be on another disk.
        assert await ThreadedJournal(MemoryJournal()).records() == ()
        inner.go_on.set()
        assert await ThreadedTokenStore(inner).accounts() == ()

    asyncio.run(main())


def test_a_call_sees_the_variables_of_its_caller() -> None:
    """As with `asyncio.to_thread`: a request's name in the log is the same in the thread."""
    variable.set("mine")

    async def main() -> list[str]:
        return [await Lane().call(variable.get)]

    assert asyncio.run(main()) == ["mine"]
    assert Lane().call_blocking(variable.get, within=10, late=LATE) == "mine"


def test_idle_threads_are_used_again() -> None:
    """A call starts no thread while one is idle."""
    for _ in range(50):
        while calls() and not threads._crew._idle:
            time.sleep(0.001)  # The thread of the call before is about to be idle.
        before = len(calls())
        Lane().call_blocking(threading.get_ident, within=10, late=LATE)
        assert len(calls()) <= max(1, before)
    assert all(thread.daemon for thread in calls())


def test_no_more_calls_than_the_width_are_made_at_a_time() -> None:
    """Further calls wait for their turn. A call whose caller has gone does not begin."""
    go_on, begun = threading.Event(), threading.Semaphore(0)

    def hang() -> None:
        begun.release()
        assert go_on.wait(10)

    async def main() -> None:
        lane = Lane(2)
        hanging = [asyncio.create_task(lane.call(hang)) for _ in range(2)]
        for _ in hanging:
            await Lane().call(begun.acquire)
        made: list[str] = []
        with pytest.raises(StoreError):
            await lane.call(lambda: made.append("given up"), within=0.02, late=LATE, always=False)
        with pytest.raises(StoreError):
            await lane.call(lambda: made.append("needed"), within=0.02, late=LATE)
        go_on.set()
        await asyncio.gather(*hanging)
        await lane.call(lambda: None)
        await lane.call(lambda: None)
        assert made == ["needed"]

    asyncio.run(main())


def test_what_a_call_raises_comes_out() -> None:
    """Both kinds of call raise the error unchanged.

    Only `StopIteration`, which no coroutine can raise, comes as the cause of another error.
    """

    def lookup() -> None:
        raise LookupError("the call's own")

    def stop() -> None:
        raise StopIteration

    async def main() -> None:
        with pytest.raises(LookupError, match="own"):
            await Lane().call(lookup)
        with pytest.raises(RuntimeError, match="StopIteration"):
            await Lane().call(stop)

    asyncio.run(main())
    with pytest.raises(LookupError, match="own"):
        Lane().call_blocking(lookup, within=10, late=LATE)


def test_a_call_may_end_after_its_event_loop() -> None:
    """The thread drops its answer and goes on."""
    go_on, ended = threading.Event(), threading.Event()

    def hang() -> None:
        assert go_on.wait(10)

    async def main() -> None:
        lane = Lane()
        with pytest.raises(StoreError):
            await lane.call(hang, within=0.02, late=LATE)
        task = asyncio.create_task(lane.call(ended.set))
        await asyncio.sleep(0)
        task.cancel()

    asyncio.run(main())
    go_on.set()
    assert ended.wait(10)


def test_the_background_gives_up_what_hangs() -> None:
    """With both clients the given error is raised. What must not move to another thread runs on the caller's own."""
    go_on = threading.Event()

    def hang() -> None:
        assert go_on.wait(10)

    async def main() -> None:
        with pytest.raises(StoreError, match="hangs"):
            await AsyncioBackground()(hang, within=0.02, late=LATE, is_movable=True)
        other = await AsyncioBackground()(threading.get_ident, within=10, late=LATE, is_movable=False)
        assert other != threading.get_ident()

    asyncio.run(main())
    background = ThreadBackground()
    with pytest.raises(StoreError, match="hangs"):
        background(hang, within=0.02, late=LATE, is_movable=True)
    assert background(threading.get_ident, within=10, late=LATE, is_movable=True) != threading.get_ident()
    assert background(threading.get_ident, within=10, late=LATE, is_movable=False) == threading.get_ident()
    go_on.set()


FORKED = """
import os, sys, threading
from tiktok_adapters import threads
from tiktok_adapters.threads import Lane
lane, go_on, begun = Lane(), threading.Event(), threading.Event()
threading.Thread(target=lambda: lane.call_blocking(lambda: (begun.set(), go_on.wait(10)), within=10, late=TimeoutError()), daemon=True).start()
begun.wait(10)
child = os.fork()
if child == 0:
    os._exit(lane.call_blocking(lambda: 7, within=10, late=TimeoutError()))
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
go_on.set()
sys.exit(code)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_has_threads_of_its_own() -> None:
    """The child can make calls even if the parent was making one at the fork."""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", FORKED], timeout=60, check=False)
    assert done.returncode == 7
