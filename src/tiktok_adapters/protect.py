"""Protect: work that is finished even if the caller is interrupted.

What belongs here: the adapters of the `Protect` and `AsyncProtect` ports. A token that was renewed and not saved is
lost for good, so renewing and saving may not be torn apart by Ctrl-C, by a cancelled task, or by a client that closes.
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

from tiktok_core.errors import StoreError

__all__ = ["AsyncioProtect", "MainThreadProtect"]

T = TypeVar("T")


class MainThreadProtect:
    """Hold signals back while the work runs, and deliver them afterwards: Ctrl-C, and all others that Python handles.

    A handler of Python's may raise at any point of the work: that of Ctrl-C does, and so does a worker's time limit that is
    set by `signal.alarm`. Python runs them on the main thread only, so on any other thread the work just runs. Work inside
    of other work is part of that.
    """

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._closed = False
        # Of the work that runs now: its end, and its thread. No lock, which a signal's handler might wait for for ever.
        self._unfinished: dict[threading.Event, int] = {}

    def __call__(self, work: Coroutine[Any, Any, T], /) -> T:
        """Run a coroutine that never suspends, and return its result.

        Raises:
            RuntimeError: the coroutine suspended: something in it does not block.
            StoreError: this protection is closed.
            KeyboardInterrupt: after the work, if the interrupt came meanwhile (or whatever its handler does).
        """
        if threading.get_ident() in self._unfinished.copy().values():
            return _drive(work)
        end = threading.Event()
        try:
            self._unfinished[end] = threading.get_ident()
            if self._closed:
                _refuse(work)
            with _signals_held():
                return _drive(work)
        finally:
            work.close()  # Does nothing unless the signal came before the work had begun.
            self._unfinished.pop(end, None)
            end.set()

    def close(self) -> None:
        """Wait until the work of all other threads is finished, and take no more; a second call does nothing.

        Signals are held back meanwhile, too.
        """
        self._closed = True
        if os.getpid() != self._pid:
            return  # A forked child has none of those threads.
        with _signals_held():
            for end, thread in self._unfinished.copy().items():
                if thread != threading.get_ident():
                    end.wait()


class AsyncioProtect:
    """Finish the work even if the caller is cancelled, repeatedly too, and let the cancellation out afterwards.

    The caller waits for the work, so a cancelled call takes as long as its work does. The end of `asyncio.run` waits for
    it, too, also after a second Ctrl-C; one that hits in the midst of a step of the work, and not while it waits, still
    tears it.
    """

    def __init__(self) -> None:
        # The event loop holds tasks by weak references only.
        self._unfinished: set[asyncio.Task[Any]] = set()
        self._closed = False

    async def __call__(self, work: Coroutine[Any, Any, T], /) -> T:
        """Await the work, shielded, and return its result.

        Raises:
            StoreError: this protection is closed.
            CancelledError: after the work, if the caller was cancelled meanwhile; an error of the work is its cause.
        """
        if asyncio.current_task() in self._unfinished:
            return await work  # Work inside of other work is part of that, and no cancellation reaches it.
        if self._closed:
            _refuse(work)
        task = asyncio.create_task(work)
        # `asyncio.run` cancels at its end every task that it knows of. It waits for the caller, and that one for the work.
        asyncio._unregister_task(task)  # noqa: SLF001 - for whoever makes tasks of a kind: docs.python.org/3/library/asyncio-extending.html
        self._unfinished.add(task)
        task.add_done_callback(self._unfinished.discard)
        await _finished({task}, of=task)
        return task.result()

    async def close(self) -> None:
        """Wait until all work is finished, also such whose caller is gone, and take no more.

        A second call does nothing.

        Raises:
            CancelledError: after the work, if the caller was cancelled meanwhile.
        """
        self._closed = True
        await _finished(self._unfinished)


async def _finished(tasks: set[asyncio.Task[Any]], of: asyncio.Task[Any] | None = None) -> None:
    """Wait for the tasks, and let a cancellation out afterwards; an error of the one task that it is of is its cause."""
    interruption: asyncio.CancelledError | None = None
    while unfinished := [task for task in tasks if not task.done()]:
        try:
            # `wait` leaves its tasks alone when it is cancelled itself, and never raises their errors.
            await asyncio.wait(unfinished)
        except asyncio.CancelledError as cancelled:
            interruption = cancelled
    if interruption is not None:
        raise interruption from (None if of is None or of.cancelled() else of.exception())


@contextmanager
def _signals_held() -> Iterator[None]:
    """Hold signals back on the main thread, and deliver them afterwards; Python handles them on no other thread.

    Only those are held that a function of Python's handles: nothing else can raise, and the handler of another one could not
    always be put back.
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
    """A handler that keeps signals for others. One that is still in place when the hold is over passes them on at once."""

    handlers: dict[int, Callable[[int, FrameType | None], Any]]
    is_over: bool = False
    held: dict[int, FrameType | None] = field(factory=dict)

    def __call__(self, number: int, frame: FrameType | None) -> Any:
        if self.is_over:
            return self.handlers[number](number, frame)
        self.held[number] = frame
        return None

    def deliver(self) -> None:
        """Call the handlers as they would have been called. Where one raises, the others are called all the same."""
        if self.held:
            number, frame = self.held.popitem()
            try:
                self.handlers[number](number, frame)
            finally:
                self.deliver()


def _refuse(work: Coroutine[Any, Any, Any]) -> NoReturn:
    work.close()
    raise StoreError("Client", "it is closed, and begins nothing that would have to be saved", "closed")


def _drive(work: Coroutine[Any, Any, T]) -> T:
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    work.close()
    raise RuntimeError(f"{getattr(work, '__qualname__', 'the work')} suspended, which protected work must not do here")
