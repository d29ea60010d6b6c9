"""Procrastinate as the alarm clock: a call for a post is a job in PostgreSQL, and waits there until its time.

What belongs here: the task, how a call becomes a job, and a worker's run. What a call leads to is in `worker`.

A job says nothing that the journal does not know, so none has to last: a post has one waiting job at most, and jobs of workers that
have ended are removed. No job is retried, and none has a `lock`: the journal's lease sees to it that one worker is at a post.
"""

import asyncio
import hashlib
import logging
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from attrs import frozen

from tiktok_adapters.engines.calls import TASK, Call, Ringing, told
from tiktok_adapters.engines.rounds import JOBS
from tiktok_adapters.engines.sweeper import EVERY, Sweeper
from tiktok_adapters.engines.worker import Worker
from tiktok_core.domain.journal import Record
from tiktok_core.lifting import drive

try:
    import procrastinate
    from procrastinate import exceptions, jobs
except ModuleNotFoundError as error:
    if error.name != "procrastinate":
        raise
    needed = "the engine needs procrastinate: pip install 'tiktok-open[procrastinate]'"
    raise ImportError(needed, name=error.name) from None

__all__ = ["QUEUE", "ProcrastinateEngine"]

QUEUE: Final = "tiktok_open"
"""The queue of its jobs unless the program says otherwise."""
POLL: Final = 1.0
"""Seconds between two looks at the queue: by so much a job may start late."""
AGAIN: Final = 2.0
"""Seconds before a worker looks again whether its database is back."""
TRIES: Final = 5
PATIENCE: Final = 30.0
"""Seconds to wait for the event loop when a thread makes a call."""

log: Final = logging.getLogger("tiktok_core")


class ProcrastinateEngine:
    """Calls workers through an app of Procrastinate. This implements `Alarm`.

    Args:
        app: the app, on which the task `TASK` is registered. It is opened and closed by the program.
        worker: goes on with posts; none in a process that only makes calls.
        queue: the queue of the jobs. Use one for each journal: a worker that is called for a post of another journal does nothing.
    """

    def __init__(self, app: procrastinate.App, worker: Worker | None = None, *, queue: str = QUEUE) -> None:
        self._app = app
        self._worker = worker
        self._queue = queue
        self._threads: ThreadPoolExecutor | None = None
        app.task(name=TASK, queue=queue, retry=False)(self._called)

    def ring(self, account: str, key: str, at: datetime, /) -> None:
        """Have a worker called for a post at a time, instead of at the time of its earlier call that still waits.

        For an app that was opened with `open`. Over one that was opened with `open_async`, await `ring_async`.

        Args:
            account: the account's `open_id`.
            key: the post's key.
            at: the time (UTC).

        Raises:
            procrastinate.exceptions.ConnectorException: the database does not take the call. The sweeper makes it later.
        """
        drive(self._defer(_Queue(self._app), Call(account, key, at)))

    async def ring_async(self, account: str, key: str, at: datetime, /) -> None:
        """As `ring`, for coroutines, over an app that was opened with `open_async`."""
        await self._defer(_AsyncQueue(self._app), Call(account, key, at))

    def call(self, record: Record) -> None:
        """Have a worker called for a post that was just entered, at its time. For a post that waits for a person it does nothing.

        Without this call the sweeper finds the post.

        Raises:
            procrastinate.exceptions.ConnectorException: as `ring`.
        """
        if record.due_at is not None:
            self.ring(record.account, record.key, record.due_at)

    async def call_async(self, record: Record) -> None:
        """As `call`, for coroutines, over an app that was opened with `open_async`."""
        if record.due_at is not None:
            await self.ring_async(record.account, record.key, record.due_at)

    async def run_worker_async(
        self, stop: threading.Event, *, concurrency: int = JOBS, sweep_every: float = EVERY, **options: Any
    ) -> None:
        """Run a worker of Procrastinate and a sweeper until `stop` is set; then wait for the steps that are under way.

        The app has to be open (`open_async`). While its database is down, the worker waits for it.

        Args:
            stop: set to end it, for example by a signal's handler. It should be what the `stop` of the `Worker` asks.
            concurrency: how many posts to go on with at once.
            sweep_every: seconds between two sweeps.
            **options: more options of `procrastinate.App.run_worker_async`. By default the worker takes jobs of this engine's queue
                only, looks for them every second, deletes them when they have ended, and handles no signals.
        """
        if self._worker is None:
            raise ValueError("this engine only makes calls: give it a worker")
        worker = self._worker
        usual = {
            "queues": [self._queue],
            "fetch_job_polling_interval": POLL,
            "delete_jobs": "always",
            "install_signal_handlers": False,
        }
        loop = asyncio.get_running_loop()
        sweeper = Sweeper(
            lambda: worker,
            Ringing(lambda call: _awaited(self._defer(_AsyncQueue(self._app), call), loop)),
            every=sweep_every,
            also=lambda: _awaited(self._remove_stalled(), loop),
        )
        with ThreadPoolExecutor(concurrency, thread_name_prefix="tiktok-worker") as self._threads:
            sweeper.start()
            try:
                await self._until(stop, {**usual, **options, "concurrency": concurrency})
            finally:
                # The sweeper needs the loop until it has ended.
                await asyncio.to_thread(sweeper.stop)

    async def _until(self, stop: threading.Event, options: dict[str, Any]) -> None:
        while not stop.is_set():
            running = asyncio.ensure_future(self._app.run_worker_async(**options))
            try:
                while not stop.is_set() and not running.done():
                    # The handler of a signal sets `stop`, and cannot wake the loop.
                    await asyncio.wait([running], timeout=0.2)
            finally:
                running.cancel()
                # It ends in order: it waits for the jobs that are under way.
                [ended] = await asyncio.gather(running, return_exceptions=True)
            if ended is not None and not isinstance(ended, (exceptions.ConnectorException, asyncio.CancelledError)):
                raise ended
            if not stop.is_set():
                said = "The worker of Procrastinate ended, and is started again in %.0f s: %s"
                log.warning(said, AGAIN, "its connection was lost" if ended is None else told(ended))
                for _ in range(int(AGAIN / 0.2)):
                    if not stop.is_set():
                        await asyncio.sleep(0.2)

    async def _called(self, account: str, key: str, at: str) -> None:
        call, loop = Call.read(account, key, at), asyncio.get_running_loop()
        if self._worker is None:
            log.warning("A call for post %s came to a process that has no worker for it", call.key)
            return
        worker = self._worker

        def again(other: Call) -> None:
            # One that came too early is made for later than its time: the database's clock is ahead of the worker's.
            early = max(call.at - worker.now(), timedelta()) if other == call else timedelta()
            _awaited(self._defer(_AsyncQueue(self._app), other, other.at + early), loop)

        await loop.run_in_executor(self._threads, call.answer, worker, Ringing(again))

    async def _defer(self, queue: "_Queue | _AsyncQueue", call: Call, not_before: datetime | None = None) -> None:
        arguments = call.written()
        # A digest, for Procrastinate takes the lock out of a message of PostgreSQL, and not every text comes out whole.
        post = f"{call.account}\n{call.key}"
        lock = f"{TASK} {hashlib.sha256(post.encode()).hexdigest()}"
        is_due = call.at <= datetime.now(UTC)
        for _ in range(TRIES):
            with suppress(exceptions.AlreadyEnqueued):
                await queue.defer(arguments, queue=self._queue, queueing_lock=lock, schedule_at=not_before or call.at)
                return
            for job in await queue.waiting(lock):
                if job.task_kwargs == arguments or (is_due and job.scheduled_at and job.scheduled_at <= call.at):
                    # It keeps its place before the jobs of later posts.
                    return
                # At its time the post is not due, or was due long ago.
                await queue.remove(job)
        # Others make calls for this post at the same time: one of theirs waits.

    async def _remove_stalled(self) -> None:
        """Remove the jobs of workers that have ended without a word; the sweeper has made other calls by then."""
        manager = self._app.job_manager
        for job in await manager.get_stalled_jobs(queue=self._queue, task_name=TASK):
            # Another worker may have done so.
            with suppress(exceptions.ConnectorException):
                await manager.finish_job(job, status=jobs.Status.FAILED, delete_job=True)


def _awaited(work: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop) -> None:
    asyncio.run_coroutine_threadsafe(work, loop).result(PATIENCE)


@frozen
class _Queue:
    """The jobs of a blocking app, as coroutines that never suspend."""

    app: procrastinate.App

    async def defer(self, arguments: dict[str, Any], **how: Any) -> None:
        self.app.configure_task(TASK, **how).defer(**arguments)

    async def waiting(self, lock: str) -> list[jobs.Job]:
        return list(self.app.job_manager.list_jobs(queueing_lock=lock, status="todo"))

    async def remove(self, job: jobs.Job) -> None:
        self.app.job_manager.cancel_job_by_id(job.id or 0, delete_job=True)


@frozen
class _AsyncQueue:
    """The jobs of an asynchronous app."""

    app: procrastinate.App

    async def defer(self, arguments: dict[str, Any], **how: Any) -> None:
        await self.app.configure_task(TASK, **how).defer_async(**arguments)

    async def waiting(self, lock: str) -> list[jobs.Job]:
        return list(await self.app.job_manager.list_jobs_async(queueing_lock=lock, status="todo"))

    async def remove(self, job: jobs.Job) -> None:
        await self.app.job_manager.cancel_job_by_id_async(job.id or 0, delete_job=True)
