"""Protect: finish work even if the caller is interrupted.

What belongs here: the adapters of the `Protect` and `AsyncProtect` ports. A token that was renewed but not saved is lost for
good. So neither Ctrl-C, nor a cancelled task, nor closing the client may come between renewing and saving.
"""

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn, TypeVar

from attrs import define, field

from tiktok_core.errors import Misused, StoreError
from tiktok_core.lifting import drive

__all__ = ["AsyncioProtect", "MainThreadProtect"]

T = TypeVar("T")


class MainThreadProtect:
    """Hold back all signals that Python handles, such as Ctrl-C, while the work runs, and deliver them afterwards.

    A signal handler in Python may raise at any point of the work. The handler of Ctrl-C does, and so does a worker's time
    limit that uses `signal.alarm`. Python runs these handlers on the main thread only, so on any other thread the work runs
    without this. Protected work that runs inside other protected work is part of it.
    """

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._closed = False
        # Maps the end of each running work to its thread. Without a lock: a signal handler could wait for a lock for ever.
        self._unfinished: dict[threading.Event, int] = {}

    def __call__(self, work: Coroutine[Any, Any, T], /) -> T:
        """Run a coroutine that never suspends, and return its result.

        Raises:
            RuntimeError: the coroutine suspended, so something in it is not blocking.
            StoreError: this protection is closed.
            KeyboardInterrupt: after the work, if Ctrl-C came meanwhile. Other signal handlers may raise other errors.
        """
        if threading.get_ident() in self._unfinished.copy().values():
            return drive(work)
        end = threading.Event()
        try:
            self._unfinished[end] = threading.get_ident()
            if self._closed:
                _refuse(work)
            with _signals_held():
                return drive(work)
        finally:
            work.close()  # This matters only if a signal came before the work had begun.
            self._unfinished.pop(end, None)
            end.set()

    def close(self) -> None:
        """Wait until the work of all other threads is finished, and refuse new work. A second call does nothing.

        Signals are held back while it waits.
        """
        self._closed = True
        if os.getpid() != self._pid:
            return  # Those threads do not exist in a forked child.
        with _signals_held():
            for end, thread in self._unfinished.copy().items():
                if thread != threading.get_ident():
                    end.wait()


class AsyncioProtect:
    """Finish the work even if the caller is cancelled, once or repeatedly, and raise the cancellation afterwards.

    The caller waits for the work, so a cancelled call takes as long as its work. `asyncio.run` also waits for it before it
    returns, even after a second Ctrl-C. But a second Ctrl-C that comes while the work computes, and not while it waits, still
    breaks it off.
    """

    def __init__(self) -> None:
        # Keep the tasks here: the event loop has only weak references to them.
        self._unfinished: set[asyncio.Task[Any]] = set()
        self._closed = False
        self._pid = os.getpid()

    async def __call__(self, work: Coroutine[Any, Any, T], /) -> T:
        """Await the work, shielded from cancellation, and return its result.

        Raises:
            StoreError: this protection is closed.
            CancelledError: after the work, if the caller was cancelled meanwhile. If the work failed, its error is the cause.
        """
        if asyncio.current_task() in self._unfinished:
            return await work  # This work is part of protected work, which no cancellation reaches.
        if self._closed:
            _refuse(work)
        task = asyncio.create_task(work)
        # `asyncio.run` ends by cancelling every registered task. It waits for the caller, which waits for this task.
        asyncio._unregister_task(task)  # noqa: SLF001 - documented for custom tasks: docs.python.org/3/library/asyncio-extending.html
        self._unfinished.add(task)
        task.add_done_callback(self._unfinished.discard)
        await _finished({task}, of=task)
        return task.result()

    async def close(self) -> None:
        """Wait until all work is finished, even work whose caller is gone, and refuse new work.

        A second call does nothing. The work of an event loop that has ended, or of a parent process, is not waited for.

        Raises:
            CancelledError: after the work, if the caller was cancelled meanwhile.
            Misused: another event loop, which has not ended, has unfinished work. This protection stays open.
        """
        is_inherited = os.getpid() != self._pid
        alive = {task for task in self._unfinished.copy() if not (is_inherited or task.get_loop().is_closed())}
        here = asyncio.get_running_loop()
        if any(task.get_loop() is not here for task in alive):
            said = "another event loop has work of it to finish, such as a renewal of tokens: close it there"
            raise Misused("closing the client", said)
        self._closed = True
        await _finished(alive)


async def _finished(tasks: set[asyncio.Task[Any]], of: asyncio.Task[Any] | None = None) -> None:
    """Wait for the tasks, and raise a cancellation afterwards. An error of the task `of` becomes its cause."""
    interruption: asyncio.CancelledError | None = None
    while unfinished := [task for task in tasks if not task.done()]:
        try:
            # A cancelled `wait` does not cancel its tasks, and it never raises their errors.
            await asyncio.wait(unfinished)
        except asyncio.CancelledError as cancelled:
            interruption = cancelled
    if interruption is not None:
        raise interruption from (None if of is None or of.cancelled() else of.exception())


@contextmanager
def _signals_held() -> Iterator[None]:
    """Hold signals back on the main thread, and deliver them afterwards. Python runs handlers on no other thread.

    Only signals with a handler in Python are held. Other handlers cannot raise, and Python cannot always restore them.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    found = {number: signal.getsignal(number) for number in signal.valid_signals()}
    hold = _Hold({number: handler for number, handler in found.items() if callable(handler)})
    try:
        for number in hold.handlers:
            signal.signal(number, hold)
        yield
    finally:
        hold.is_over = True
        try:
            for number, handler in hold.handlers.items():
                signal.signal(number, handler)
        finally:
            hold.deliver()


@define(eq=False)
class _Hold:
    """A handler that collects signals. If it is still installed after the hold is over, it passes signals on at once."""

    handlers: dict[int, Callable[[int, FrameType | None], Any]]
    is_over: bool = False
    held: dict[int, FrameType | None] = field(factory=dict)

    def __call__(self, number: int, frame: FrameType | None) -> Any:
        if self.is_over:
            return self.handlers[number](number, frame)
        self.held[number] = frame
        return None

    def deliver(self) -> None:
        """Call the handlers of the collected signals. If one raises, the others are still called."""
        if self.held:
            number, frame = self.held.popitem()
            try:
                self.handlers[number](number, frame)
            finally:
                self.deliver()


def _refuse(work: Coroutine[Any, Any, Any]) -> NoReturn:
    work.close()
    raise StoreError("Client", "it is closed and begins no more work whose result must be saved", "closed")
