"""Protect: work that is finished even if the caller is interrupted.

What belongs here: the adapters of the `Protect` and `AsyncProtect` ports. A token that was renewed and not saved is
lost for good, so renewing and saving may not be torn apart by Ctrl-C or by a cancelled task.
"""

import asyncio
import signal
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["AsyncioProtect", "MainThreadProtect"]

T = TypeVar("T")


class MainThreadProtect:
    """Hold Ctrl-C back while the work runs, and deliver it afterwards.

    Python delivers the interrupt signal on the main thread only, so on any other thread the work just runs.
    """

    def __call__(self, work: Coroutine[Any, Any, T], /) -> T:
        """Run a coroutine that never suspends, and return its result.

        Raises:
            RuntimeError: the coroutine suspended: something in it does not block.
            KeyboardInterrupt: after the work, if the interrupt came meanwhile (or whatever its handler does).
        """
        if threading.current_thread() is not threading.main_thread():
            return _drive(work)
        previous = signal.getsignal(signal.SIGINT)
        if previous is None:  # Set by something that is not Python: it could not be put back.
            return _drive(work)
        held: list[int] = []
        try:
            signal.signal(signal.SIGINT, lambda number, _frame: held.append(number))
            return _drive(work)
        finally:
            work.close()  # Does nothing unless the signal came before the work had begun.
            signal.signal(signal.SIGINT, previous)
            if held:
                signal.raise_signal(signal.SIGINT)


class AsyncioProtect:
    """Finish the work even if the caller is cancelled, repeatedly too, and let the cancellation out afterwards.

    The caller waits for the work, so a cancelled call takes as long as its work does.
    """

    def __init__(self) -> None:
        # The event loop holds tasks by weak references only.
        self._unfinished: set[asyncio.Task[Any]] = set()

    async def __call__(self, work: Coroutine[Any, Any, T], /) -> T:
        """Await the work, shielded, and return its result.

        Raises:
            CancelledError: after the work, if the caller was cancelled meanwhile; an error of the work is its cause.
        """
        task = asyncio.create_task(work)
        self._unfinished.add(task)
        task.add_done_callback(self._unfinished.discard)
        interruption: asyncio.CancelledError | None = None
        while not task.done():
            try:
                # `wait` leaves its task alone when it is cancelled itself, and never raises the task's error.
                await asyncio.wait({task})
            except asyncio.CancelledError as cancelled:
                interruption = cancelled
        if interruption is not None:
            raise interruption from (None if task.cancelled() else task.exception())
        return task.result()

    async def close(self) -> None:
        """Wait until all work is finished, also such whose caller is gone."""
        while self._unfinished:
            await asyncio.wait(tuple(self._unfinished))


def _drive(work: Coroutine[Any, Any, T]) -> T:
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    work.close()
    raise RuntimeError(f"{getattr(work, '__qualname__', 'the work')} suspended, which protected work must not do here")
