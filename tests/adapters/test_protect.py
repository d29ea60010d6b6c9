"""What protected work promises: it finishes, and the interruption comes afterwards."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tiktok_adapters.protect import AsyncioProtect, MainThreadProtect
from tiktok_core import Misused, StoreError


async def _interrupted(done: list[str]) -> str:
    signal.raise_signal(signal.SIGINT)
    done.append("saved")
    return "result"


async def _suspending() -> None:
    await asyncio.sleep(0)


async def _value(value: str) -> str:
    return value


async def _failing() -> None:
    raise LookupError("the work's own")


# --- Blocking --------------------------------------------------------------------------------------------------------


def test_work_has_its_result() -> None:
    """Without an interruption, protecting changes nothing."""
    before = signal.getsignal(signal.SIGINT)
    assert MainThreadProtect()(_value("result")) == "result"
    assert signal.getsignal(signal.SIGINT) is before


def test_an_interrupt_waits_for_the_work() -> None:
    """Ctrl-C comes when the work is done, as it would have come without protection."""
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        MainThreadProtect()(_interrupted(done))
    assert done == ["saved"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


class TimeIsUp(BaseException):
    """The error that a worker's time limit raises."""


@pytest.mark.parametrize("name", ["SIGALRM", "SIGTERM", "SIGUSR1"])
def test_any_signal_that_a_function_handles_waits_for_the_work(name: str) -> None:
    """Its handler may raise at any point, as that of Ctrl-C does.

    It runs after the work, with the frame of the signal's moment.
    """
    number, done, frames = getattr(signal, name, None), list[str](), list[object]()
    if number is None:
        pytest.skip("this system has no such signal")

    def handler(_number: int, frame: object) -> None:
        frames.append(frame)
        raise TimeIsUp

    async def work() -> None:
        signal.raise_signal(number)
        done.append("saved")

    before = signal.signal(number, handler)
    try:
        with pytest.raises(TimeIsUp):
            MainThreadProtect()(work())
        assert signal.getsignal(number) is handler
    finally:
        signal.signal(number, before)
    assert done == ["saved"]
    assert frames != [None]


def test_of_several_signals_each_is_delivered() -> None:
    """Every handler runs, even if the first one raises, and afterwards each is in its place again."""
    heard: list[int] = []

    def handler(number: int, _frame: object) -> None:
        heard.append(number)
        raise TimeIsUp

    async def work() -> None:
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGTERM, handler), signal.signal(signal.SIGINT, handler)
    try:
        with pytest.raises(TimeIsUp):
            MainThreadProtect()(work())
        assert sorted(heard) == sorted([signal.SIGTERM, signal.SIGINT])
        assert signal.getsignal(signal.SIGTERM) is signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGINT, before[1])


def test_work_inside_of_other_work_is_done_though_the_client_closes_meanwhile() -> None:
    """Protected work may call further protected work: it is part of what began in time. This holds for both clients."""
    blocking, done = MainThreadProtect(), list[str]()

    async def outer() -> None:
        blocking.close()
        assert blocking(_value("inner")) == "inner"
        done.append("blocking")

    blocking(outer())

    async def main() -> None:
        protect, begun, go = AsyncioProtect(), asyncio.Event(), asyncio.Event()

        async def waits() -> None:
            begun.set()
            await go.wait()
            assert await protect(_value("inner")) == "inner"
            done.append("asynchronous")

        working = asyncio.create_task(protect(waits()))
        await begun.wait()
        closing = asyncio.create_task(_closed(protect.close()))
        await asyncio.sleep(0)
        go.set()
        await closing
        await working

    asyncio.run(main())
    assert done == ["blocking", "asynchronous"]


def test_an_interrupt_reaches_the_handler_that_was_there() -> None:
    """A program with its own handler gets its signal there, once."""
    heard: list[int] = []
    done: list[str] = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: heard.append(number))
    try:
        assert MainThreadProtect()(_interrupted(done)) == "result"
    finally:
        signal.signal(signal.SIGINT, before)
    assert (heard, done) == ([signal.SIGINT], ["saved"])


def test_an_ignored_interrupt_stays_ignored() -> None:
    """A program that ignores Ctrl-C still ignores it."""
    done: list[str] = []
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert MainThreadProtect()(_interrupted(done)) == "result"
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_protection_can_be_nested() -> None:
    """The inner work does not let the interruption into the outer one."""
    protect = MainThreadProtect()
    done: list[str] = []

    async def outer() -> None:
        protect(_interrupted(done))
        done.append("outer saved")

    with pytest.raises(KeyboardInterrupt):
        protect(outer())
    assert done == ["saved", "outer saved"]


def test_an_error_of_the_work_comes_out_and_the_handler_is_put_back() -> None:
    """Afterwards the program's own handler is in place."""
    with pytest.raises(LookupError):
        MainThreadProtect()(_failing())
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_on_another_thread_the_work_just_runs() -> None:
    """Signals come to the main thread only, and only the main thread may set a handler."""
    results: list[str] = []
    thread = threading.Thread(target=lambda: results.append(MainThreadProtect()(_value("result"))))
    thread.start()
    thread.join(5)
    assert results == ["result"]


def _here(call: Callable[[], object]) -> None:
    call()


def _elsewhere(call: Callable[[], object]) -> None:
    caught: list[BaseException] = []

    def work() -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - carried over to the main thread
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(5)
    raise caught[0]


@pytest.mark.parametrize("where", [_here, _elsewhere])
def test_work_that_suspends_is_refused(where: Callable[[Callable[[], object]], None]) -> None:
    """Blocking work that awaits a real event is a mistake, and the error names it."""
    with pytest.raises(RuntimeError, match="_suspending waits for an event loop"):
        where(lambda: MainThreadProtect()(_suspending()))


async def _gated(begun: threading.Event, go: threading.Event, done: list[str]) -> None:
    begun.set()
    go.wait(5)
    done.append("saved")


def test_closing_waits_for_the_work_of_other_threads() -> None:
    """Closing a client that others still use does not close the store under them. Ctrl-C in the meantime waits, too."""
    protect = MainThreadProtect()
    begun, go, done = threading.Event(), threading.Event(), list[str]()
    thread = threading.Thread(target=lambda: protect(_gated(begun, go, done)))
    thread.start()
    begun.wait(5)
    kick = threading.Timer(0.05, lambda: os.kill(os.getpid(), signal.SIGINT))
    release = threading.Timer(0.15, go.set)
    kick.start()
    release.start()
    with pytest.raises(KeyboardInterrupt):
        protect.close()
    assert done == ["saved"]
    for one in (thread, kick, release):
        one.join(5)


def test_who_closes_in_the_midst_of_its_own_work_does_not_wait_for_itself() -> None:
    """A signal's handler that closes the client may run at any time."""
    protect = MainThreadProtect()

    async def closing() -> str:
        protect.close()
        return "result"

    assert protect(closing()) == "result"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is nothing to fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_does_not_wait_for_threads_that_did_not_come_along() -> None:
    """The child has none of these threads, and closes at once."""
    protect = MainThreadProtect()
    begun, go = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: protect(_gated(begun, go, [])))
    thread.start()
    begun.wait(5)
    if (child := os.fork()) == 0:
        protect.close()
        os._exit(0)
    patience = time.monotonic() + 5
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < patience:
        time.sleep(0.01)
    if ended == (0, 0):
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    go.set()
    thread.join(5)
    assert ended == (child, 0)


def test_what_is_closed_begins_nothing() -> None:
    """The client closes its ports next, which would cut off any work that began now."""
    protect, shield = MainThreadProtect(), AsyncioProtect()
    done: list[str] = []

    async def main() -> None:
        await shield.close()
        await shield.close()
        with pytest.raises(StoreError, match="closed"):
            await shield(_interrupted(done))

    protect.close()
    protect.close()
    with pytest.raises(StoreError, match="closed"):
        protect(_interrupted(done))
    asyncio.run(main())
    assert done == []


# --- Asynchronous ----------------------------------------------------------------------------------------------------


async def _slow(begun: asyncio.Event, go: asyncio.Event, done: list[str]) -> str:
    begun.set()
    await go.wait()
    done.append("saved")
    return "result"


def test_shielded_work_has_its_result() -> None:
    """Without a cancellation, protecting changes nothing, and errors come out unchanged."""

    async def main() -> None:
        protect = AsyncioProtect()
        assert await protect(_value("result")) == "result"
        with pytest.raises(LookupError):
            await protect(_failing())

    asyncio.run(main())


@pytest.mark.parametrize("times", [1, 2, 5])
def test_a_cancellation_waits_for_the_work(times: int) -> None:
    """The caller may be cancelled any number of times. The work finishes first, and then the cancellation comes out."""

    async def main() -> None:
        begun, go, done = asyncio.Event(), asyncio.Event(), list[str]()
        caller = asyncio.create_task(AsyncioProtect()(_slow(begun, go, done)))
        await begun.wait()
        for _ in range(times):
            caller.cancel()
            await asyncio.sleep(0)
            assert not caller.done()
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await caller
        assert done == ["saved"]
        assert caller.cancelled()

    asyncio.run(main())


def test_a_time_out_waits_for_the_work() -> None:
    """`asyncio.timeout` around protected work raises its `TimeoutError` after the work."""

    async def main() -> None:
        begun, go, done = asyncio.Event(), asyncio.Event(), list[str]()
        asyncio.get_running_loop().call_later(0.05, go.set)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await AsyncioProtect()(_slow(begun, go, done))
        assert done == ["saved"]

    asyncio.run(main())


def test_an_error_of_cancelled_work_is_the_cause() -> None:
    """The caller gets the cancellation, whose cause is the error of the work."""

    async def failing(begun: asyncio.Event, go: asyncio.Event) -> None:
        begun.set()
        await go.wait()
        raise LookupError

    async def main() -> None:
        begun, go = asyncio.Event(), asyncio.Event()
        caught: list[BaseException | None] = []

        async def call() -> None:
            try:
                await AsyncioProtect()(failing(begun, go))
            except asyncio.CancelledError as error:
                caught.append(error.__cause__)
                raise

        caller = asyncio.create_task(call())
        await begun.wait()
        caller.cancel()
        await asyncio.sleep(0)
        go.set()
        await asyncio.wait({caller})
        assert isinstance(caught[0], LookupError)

    asyncio.run(main())


async def _closing(
    protect: AsyncioProtect, go: asyncio.Event, done: list[str]
) -> tuple[asyncio.Task[str], asyncio.Task[None]]:
    """Begin to close while work is under way; return the tasks of the work's caller and of the closing."""
    begun = asyncio.Event()
    caller = asyncio.create_task(protect(_slow(begun, go, done)))
    await begun.wait()
    closing = asyncio.create_task(_closed(protect.close()))
    await asyncio.sleep(0)
    return caller, closing


def test_closing_waits_for_unfinished_work() -> None:
    """A client that closes leaves no half-saved token behind, although its callers are gone."""

    async def main() -> None:
        protect, go, done = AsyncioProtect(), asyncio.Event(), list[str]()
        caller, closing = await _closing(protect, go, done)
        assert not closing.done()
        go.set()
        await closing
        assert done == ["saved"]
        assert await caller == "result"
        await protect.close()

    asyncio.run(main())


def test_a_closing_that_is_cancelled_waits_all_the_same() -> None:
    """The cancellation comes out after the work, as for the caller."""

    async def main() -> None:
        protect, go, done = AsyncioProtect(), asyncio.Event(), list[str]()
        caller, closing = await _closing(protect, go, done)
        closing.cancel()
        await asyncio.sleep(0)
        assert not closing.done()
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await closing
        assert done == ["saved"]
        assert await caller == "result"

    asyncio.run(main())


def test_the_end_of_the_event_loop_waits_for_the_work() -> None:
    """`asyncio.run` cancels all tasks when its program returns. Protected work still finishes."""
    done: list[str] = []
    kept: list[object] = []

    async def main() -> None:
        begun, go = asyncio.Event(), asyncio.Event()
        kept.append(asyncio.create_task(AsyncioProtect()(_slow(begun, go, done))))
        await begun.wait()
        asyncio.get_running_loop().call_later(0.05, go.set)

    asyncio.run(main())
    assert done == ["saved"]


def _left_unfinished(
    protect: AsyncioProtect, done: list[str]
) -> tuple[asyncio.AbstractEventLoop, asyncio.Event, asyncio.Task[str]]:
    """Return an event loop that has stopped in the middle of protected work, what lets the work go on, and its caller."""
    loop, begun, go = asyncio.new_event_loop(), asyncio.Event(), asyncio.Event()
    caller = loop.create_task(protect(_slow(begun, go, done)))
    loop.run_until_complete(begun.wait())
    return loop, go, caller


def test_work_of_another_event_loop_is_closed_there() -> None:
    """No other loop can wait for it. The error says so, and the protection stays open until its own loop closes it."""
    protect, done = AsyncioProtect(), list[str]()
    loop, go, caller = _left_unfinished(protect, done)
    with pytest.raises(Misused, match="close it there"):
        asyncio.run(protect.close())
    assert asyncio.run(protect(_value("result"))) == "result"
    go.set()
    loop.run_until_complete(protect.close())
    assert done == ["saved"]
    assert loop.run_until_complete(caller) == "result"
    loop.close()


def test_work_of_an_event_loop_that_has_ended_is_not_waited_for() -> None:
    """Nothing finishes it any more, and closing does not hang."""
    protect, done = AsyncioProtect(), list[str]()
    loop, _go, _caller = _left_unfinished(protect, done)
    loop.close()
    asyncio.run(protect.close())
    with pytest.raises(StoreError, match="closed"):
        asyncio.run(protect(_value("result")))
    assert done == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is nothing to fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_does_not_wait_for_tasks_of_its_parent() -> None:
    """The child has no event loop that would finish them, and closes at once."""
    protect, done = AsyncioProtect(), list[str]()
    loop, go, caller = _left_unfinished(protect, done)
    if (child := os.fork()) == 0:
        status = 1
        try:
            asyncio.run(protect.close())
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    go.set()
    assert loop.run_until_complete(caller) == "result"
    loop.close()


async def _closed(closing: Coroutine[Any, Any, None]) -> None:
    await closing
