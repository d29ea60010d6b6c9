"""Protect: work that is finished even if the caller is interrupted.

What belongs here: the adapters of the `Protect` and `AsyncProtect` ports. A token that was renewed and not saved is
lost for good, so renewing and saving may not be torn apart by Ctrl-C, by a cancelled task, or by a client that closes.
"""

import asyncio
import os
import signal
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

from tiktok_core.errors import StoreError

__all__ = ["AsyncioProtect", "MainThreadProtect"]

T = TypeVar("T")


class MainThreadProtect:
    """Hold Ctrl-C back while the work runs, and deliver it afterwards.

    Python delivers the interrupt signal on the main thread only, so on any other thread the work just runs.
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
        end = threading.Event()
        try:
            self._unfinished[end] = threading.get_ident()
            if self._closed:
                _refuse(work)
            with _interrupt_held():
                return _drive(work)
        finally:
            work.close()  # Does nothing unless the signal came before the work had begun.
            self._unfinished.pop(end, None)
            end.set()

    def close(self) -> None:
        """Wait until the work of all other threads is finished, and take no more; a second call does nothing.

        Ctrl-C is held back meanwhile, too.
        """
        self._closed = True
        if os.getpid() != self._pid:
            return  # A forked child has none of those threads.
        with _interrupt_held():
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
def _interrupt_held() -> Iterator[None]:
    """Hold Ctrl-C back on the main thread, and deliver it afterwards; it reaches no other thread."""
    is_main = threading.current_thread() is threading.main_thread()
    previous = signal.getsignal(signal.SIGINT) if is_main else None
    if previous is None:  # Also where it was set by something that is not Python: it could not be put back.
        yield
        return
    held: list[int] = []
    try:
        signal.signal(signal.SIGINT, lambda number, _frame: held.append(number))
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
        if held:
            signal.raise_signal(signal.SIGINT)


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
