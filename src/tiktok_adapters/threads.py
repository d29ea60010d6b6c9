"""Threads of our own, for calls that may hang.

What belongs here: making a blocking call in a thread, and waiting for its end. Nothing here knows what is called.

asyncio's own executor does not fit: the whole program shares its few threads, and the program's end waits for each of them,
so calls that hang stop everything else. The threads here are daemons, which no end of a program waits for.
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
"""Seconds after which a thread ends that has nothing to do."""
LOOK: Final = 0.5
"""Seconds after which a wait looks whether a signal has come."""


class _Crew:
    """Threads that take jobs: one that is idle, or otherwise a new one."""

    def __init__(self) -> None:
        self._wake = threading.Condition()
        self._jobs: deque[Callable[[], None]] = deque()
        self._idle = 0

    def run(self, job: Callable[[], None]) -> None:
        """Let a thread do the job. It may raise nothing."""
        with self._wake:
            if self._idle > len(self._jobs):
                self._jobs.append(job)
                self._wake.notify()
                return
        threading.Thread(target=self._work, args=(job,), name=NAME, daemon=True).start()

    def _work(self, job: Callable[[], None] | None) -> None:
        while job is not None:
            job()
            # An idle thread holds on to nothing that its last job knew.
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
    # The threads did not come along, and one of them may have held the lock.
    global _crew  # noqa: PLW0603 - the threads belong to the process, so there is one crew for it
    _crew = _Crew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def taken(queue: "SimpleQueue[T]", within: float) -> T:
    """Return what comes next in a queue, and let Ctrl-C end the wait.

    Raises:
        Empty: nothing has come within so many seconds.
    """
    end = time.monotonic() + within
    while True:
        # A signal that comes at the moment at which a wait begins is not seen before its end: so no wait is long.
        left = end - time.monotonic()
        try:
            return queue.get(timeout=max(0.0, min(left, LOOK)))
        except Empty:
            if left <= LOOK:
                raise


class Lane:
    """Blocking calls, begun in the order in which they were asked for, so many at a time. Threads and event loops may share it.

    With a width of one each call has ended before the next one begins: also a call whose caller was cancelled, or has waited
    for too long. Such a call goes on by itself, for a thread cannot be stopped.

    Args:
        width: how many calls run at a time.
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
            within: seconds to wait for its end; None for as long as it takes.
            late: what is raised where it has not ended by then; `TimeoutError` unless given.
            always: make the call also where nobody waits for it any more when its turn comes.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def told(result: Any, error: BaseException | None) -> None:
            if not future.done():
                if error is None:
                    future.set_result(result)
                else:
                    future.set_exception(error)

        def tell(result: Any, error: BaseException | None) -> None:
            # The loop may have been closed meanwhile: then nothing waits there any more.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(told, result, error)

        self._put(_job(work, tell, lambda: always or not future.done()))
        alarm = None if within is None else loop.call_later(within, told, None, late or TimeoutError())
        try:
            return await future
        finally:
            if alarm is not None:
                alarm.cancel()
            if future.done() and not future.cancelled():
                future.exception()  # Looked at also where the caller was cancelled at the moment of the answer.

    def call_blocking(self, work: Callable[[], T], *, within: float, late: BaseException, always: bool = True) -> T:
        """Make the call in a thread, and wait here for what it returns, but no longer than `within` seconds."""
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

    def _put(self, job: Callable[[], None]) -> None:
        if os.getpid() != self._pid:
            self._begin()  # A forked child has none of the threads that would have gone on with what was asked for.
        with self._lock:
            self._jobs.append(job)
            if self._busy >= self._width:
                return
            self._busy += 1
        try:
            _crew.run(self._drain)
        except BaseException:
            # There is no thread to be had: nothing may be made of the call later.
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
            # A coroutine that waits for it would take it for the end of itself.
            error = RuntimeError("the call raised StopIteration")
            error.__cause__ = stop
        except BaseException as raised:  # noqa: BLE001 - whatever it is, it is for the caller
            error = raised
        try:
            tell(result, error)
        finally:
            # An error that knows this frame, which knows the error, would live until the next garbage collection.
            del result, error

    return job
