"""Threads of our own, for calls that may hang.

What belongs here: making a blocking call in a thread, and waiting for it. This module does not know what the calls do.

asyncio's own executor does not fit: the whole program shares its few threads, and waits for each of them when it exits, so
calls that hang stop everything else. The threads here are daemons: a program that exits does not wait for them.
"""

import asyncio
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar

__all__ = ["Lane", "taken"]

T = TypeVar("T")

NAME: Final = "tiktok-call"
IDLE: Final = 5.0
"""Seconds after which an idle thread ends."""
LOOK: Final = 0.5
"""Seconds after which a wait checks for signals."""


class _Crew:
    """Threads that do jobs: an idle thread takes a job, otherwise a new thread does."""

    def __init__(self) -> None:
        self._wake = threading.Condition()
        self._jobs: deque[Callable[[], None]] = deque()
        self._idle = 0

    def run(self, job: Callable[[], None]) -> None:
        """Let a thread do the job, which must not raise."""
        with self._wake:
            if self._idle > len(self._jobs):
                self._jobs.append(job)
                self._wake.notify()
                return
        threading.Thread(target=self._work, args=(job,), name=NAME, daemon=True).start()

    def _work(self, job: Callable[[], None] | None) -> None:
        while job is not None:
            job()
            # An idle thread must not keep its last job alive.
            job = None
            job = self._next()

    def _next(self) -> Callable[[], None] | None:
        with self._wake:
            self._idle += 1
            try:
                self._wake.wait_for(lambda: self._jobs, IDLE)
                return self._jobs.popleft() if self._jobs else None
            finally:
                self._idle -= 1


_crew = _Crew()


def _after_fork() -> None:
    # A forked child has none of these threads, and one of them may have held the lock.
    global _crew  # noqa: PLW0603 - there is one crew for the whole process
    _crew = _Crew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def taken(queue: "SimpleQueue[T]", within: float) -> T:
    """Return the next item of a queue. Ctrl-C ends the wait.

    Raises:
        Empty: no item came within `within` seconds.
    """
    end = time.monotonic() + within
    while True:
        # A wait does not notice a signal that comes just as it begins. So each wait is short.
        left = end - time.monotonic()
        try:
            return queue.get(timeout=max(0.0, min(left, LOOK)))
        except Empty:
            if left <= LOOK:
                raise


class Lane:
    """Make blocking calls in the order of the requests, up to `width` at a time. Threads and event loops may share it.

    With a width of one, each call ends before the next one begins. That holds even if the caller of a call was cancelled or
    has waited for too long: a thread cannot be stopped, so such a call goes on.

    Args:
        width: the largest number of calls that run at the same time.
    """

    def __init__(self, width: int = 1) -> None:
        self._width = width
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._jobs: deque[Callable[[], None]] = deque()
        self._busy = 0

    async def call(
        self,
        work: Callable[[], T],
        *,
        within: float | None = None,
        late: BaseException | None = None,
        always: bool = True,
    ) -> T:
        """Make the call in a thread, under the caller's context variables, and return what it returns.

        Args:
            work: the call.
            within: seconds to wait for its end. None waits without a limit.
            late: the error to raise when that time is over. The default is `TimeoutError`.
            always: whether to make the call even if its caller has stopped waiting before its turn came.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def settle(result: Any, error: BaseException | None) -> None:
            if not future.done():
                if error is None:
                    future.set_result(result)
                else:
                    future.set_exception(error)

        def tell(result: Any, error: BaseException | None) -> None:
            # If the loop was closed meanwhile, no task waits for the result any more.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(settle, result, error)

        self._put(_job(work, tell, lambda: always or not future.done()))
        alarm = None if within is None else loop.call_later(within, settle, None, late or TimeoutError())
        try:
            return await future
        finally:
            if alarm is not None:
                alarm.cancel()
            if future.done() and not future.cancelled():
                future.exception()  # Mark the error as retrieved, even if the caller was cancelled just as it came.

    def call_blocking(self, work: Callable[[], T], *, within: float, late: BaseException, always: bool = True) -> T:
        """Make the call in a thread, and return its result. After `within` seconds raise `late`."""
        answer: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()
        waits = [True]
        self._put(_job(work, lambda result, error: answer.put((result, error)), lambda: always or bool(waits)))
        try:
            result, error = taken(answer, within)
        except Empty:
            raise late from None
        finally:
            waits.clear()
        if error is not None:
            raise error
        found: T = result
        return found

    def post(self, work: Callable[[], object]) -> None:
        """Make the call in a thread, in its turn, and wait for nothing: its result and its errors are dropped."""
        with suppress(RuntimeError):  # No thread could be started.
            self._put(_job(work, lambda _result, _error: None, lambda: True))

    def _put(self, job: Callable[[], None]) -> None:
        if os.getpid() != self._pid:
            self._begin()  # A forked child has none of the threads that would have done the waiting jobs.
        with self._lock:
            self._jobs.append(job)
            if self._busy >= self._width:
                return
            self._busy += 1
        try:
            _crew.run(self._drain)
        except BaseException:
            # No thread could be started. The caller gets the error, so the call must not be made later.
            with self._lock:
                self._busy -= 1
                with suppress(ValueError):
                    self._jobs.remove(job)
            raise

    def _drain(self) -> None:
        while True:
            with self._lock:
                if not self._jobs:
                    self._busy -= 1
                    return
                job = self._jobs.popleft()
            job()
            del job


def _job(
    work: Callable[[], object], tell: Callable[[Any, BaseException | None], None], is_wanted: Callable[[], bool]
) -> Callable[[], None]:
    context = copy_context()

    def job() -> None:
        if not is_wanted():
            return
        result: object = None
        error: BaseException | None = None
        try:
            result = context.run(work)
        except StopIteration as stop:
            # A coroutine that awaits the call would take StopIteration for its own end.
            error = RuntimeError("the call raised StopIteration")
            error.__cause__ = stop
        except BaseException as raised:  # noqa: BLE001 - the caller gets every error
            error = raised
        try:
            tell(result, error)
        finally:
            # The error refers to this frame, and the frame to the error: break the cycle, so that both are freed at once.
            del result, error

    return job
