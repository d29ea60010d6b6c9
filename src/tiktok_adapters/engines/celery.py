"""Celery as the alarm clock: a call for a post is a message at RabbitMQ or Redis.

What belongs here: the task, how a call becomes a message, which settings of an app lose or double calls, and a worker's run. What a
call leads to is in `worker`.

A message waits for `LONGEST` seconds at most. A call that is further away comes too early, and is made again: RabbitMQ takes a
worker that keeps a message for half an hour for dead, and Redis delivers one again that was kept for its visibility time-out.
"""

import logging
import multiprocessing
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final

from tiktok_adapters.clocks import SystemClock
from tiktok_adapters.engines.calls import TASK, Call, Ringing
from tiktok_adapters.engines.rounds import JOBS
from tiktok_adapters.engines.sweeper import EVERY, Sweeper
from tiktok_adapters.engines.worker import Worker
from tiktok_core.domain.journal import Record
from tiktok_core.errors import InvalidSettings, Problem

try:
    import celery
    from celery import signals
    from celery.app import app_or_default
    from celery.worker import state
except ModuleNotFoundError as error:
    if error.name != "celery":
        raise
    needed = "the engine needs celery: pip install 'tiktok-open[celery]'"
    raise ImportError(needed, name=error.name) from None

__all__ = ["LONGEST", "CeleryEngine"]

LONGEST: Final = 300.0
"""Seconds for which a message waits at most."""
USUAL_VISIBILITY: Final = 3_600
"""Seconds after which a message that is not acknowledged is delivered again, where an app over Redis sets nothing else."""
STALE: Final = 600.0
"""Seconds after which a call that no worker has taken is dropped: the sweeper has made others by then."""
PUBLISHING: Final = {"max_retries": 2, "interval_start": 0.0, "interval_step": 0.2, "interval_max": 0.2}

log: Final = logging.getLogger("tiktok_core")


class CeleryEngine:
    """Calls workers through an app of Celery. This implements `Alarm`.

    The app's workers (`celery worker`) go on with posts, and each of their processes sweeps. They refuse to start with settings that
    `check` refuses.

    Args:
        app: the app, on which the task `tiktok_open.post` is registered.
        make_worker: returns what goes on with posts, over a client of its own. It is called in each process of a worker, once the
            process needs it: no client survives a fork. None in a program that only makes calls.
        queue: the queue of the messages; the app's usual one unless given. Use one for each journal: a worker that is called for a
            post of another journal does nothing.
        sweep_every: seconds between two sweeps.
    """

    def __init__(
        self,
        app: celery.Celery,
        make_worker: Callable[[], Worker] | None = None,
        *,
        queue: str | None = None,
        sweep_every: float = EVERY,
    ) -> None:
        self._app = app
        self._make_worker = make_worker
        self._queue = queue
        self._sweep_every = sweep_every
        # In memory that a worker's processes share.
        self._stopping = multiprocessing.RawValue("b", 0)
        self._lock = threading.Lock()
        self._made: tuple[int, Worker] | None = None
        self._sweeping: tuple[int, Sweeper] | None = None

        # It goes by the worker's clock: a call that came early by that is not made again for at once.
        self._alarm = Ringing(lambda call: self._ring(call, self._worker().now()))

        def post(account: str, key: str, at: str) -> None:
            self._called(Call.read(account, key, at))

        self._task = app.task(
            post,
            name=TASK,
            shared=False,
            acks_late=True,
            reject_on_worker_lost=True,
            ignore_result=True,
            serializer="json",
            max_retries=0,
        )
        if make_worker is not None:
            signals.worker_init.connect(self._on_init, weak=False)
            signals.worker_ready.connect(self._on_ready, weak=False)
            signals.worker_process_init.connect(self._on_process, weak=False)
            signals.worker_shutting_down.connect(self._on_stop, weak=False)
            signals.worker_shutdown.connect(self._end_sweeps, weak=False)

    def ring(self, account: str, key: str, at: datetime, /) -> None:
        """Have a worker called for a post at a time.

        Args:
            account: the account's `open_id`.
            key: the post's key.
            at: the time (UTC).

        Raises:
            kombu.exceptions.OperationalError: the broker does not take the call. The sweeper makes it later.
            InvalidSettings: the app runs tasks where they are called (`task_always_eager`).
        """
        self._ring(Call(account, key, at), SystemClock().now())

    def call(self, record: Record) -> None:
        """Have a worker called for a post that was just entered, at its time. For a post that waits for a person it does nothing.

        Without this call the sweeper finds the post.

        Raises:
            kombu.exceptions.OperationalError: as `ring`.
            InvalidSettings: as `ring`.
        """
        if record.due_at is not None:
            self.ring(record.account, record.key, record.due_at)

    def is_stopping(self) -> bool:
        """Whether the worker to which this process belongs is to end. This is for the `stop` of the `Worker`."""
        return bool(self._stopping.value)

    def check(self) -> None:
        """Check the settings of the app, as its workers do before they start.

        Raises:
            InvalidSettings: settings would lose or double calls; the error names all of them at once, and the values to set.
        """
        if problems := tuple(self._problems()):
            raise InvalidSettings(problems)

    def run_worker(self, stop: threading.Event, *, concurrency: int = JOBS, **options: Any) -> None:
        """Run a worker of Celery with threads until `stop` is set; then wait for the steps that are under way.

        This is for a program that is a worker and nothing else. `celery worker` runs one of any other kind. While its broker is
        down, the worker waits for it.

        Args:
            stop: set to end it, for example by a signal's handler.
            concurrency: how many posts to go on with at once.
            **options: more options of `celery.worker.WorkController`. By default the worker takes messages of this engine's queue
                only, and does not talk to other workers.

        Raises:
            InvalidSettings: as `check`.
            RuntimeError: the worker has ended by itself; the log of Celery says why.
        """
        self.check()
        usual = {"queues": None if self._queue is None else [self._queue], "pool": "threads"}
        quiet = {"without_mingle": True, "without_gossip": True, "without_heartbeat": True}
        # Two workers of one name would take each other's messages to be their own.
        name = f"tiktok-{uuid.uuid4().hex[:12]}@{celery.utils.nodenames.gethostname()}"
        state.should_stop = None
        # The threads of a worker look for their tasks here.
        self._app.set_default()
        controller = self._app.WorkController(hostname=name, concurrency=concurrency, **{**usual, **quiet, **options})
        ended = threading.Event()

        def watch() -> None:
            while not stop.wait(0.2):
                if ended.is_set():
                    return
            self._stopping.value = 1
            # The worker looks at this at each turn of its loop.
            state.should_stop = 0

        watcher = threading.Thread(target=watch, name="tiktok-stop", daemon=True)
        watcher.start()
        self._sweep()
        try:
            controller.start()
        finally:
            ended.set()
            watcher.join()
            self._end_sweeps()
            state.should_stop, self._stopping.value = None, 0
        if not stop.is_set():
            raise RuntimeError("the worker of Celery has ended by itself: its log says why")

    # --- Calls -------------------------------------------------------------------------------------------------------

    def _ring(self, call: Call, now: datetime) -> None:
        if self._app.conf.task_always_eager:
            raise InvalidSettings((self._eager(),))
        countdown = min(max((call.at - now).total_seconds(), 0.0), LONGEST)
        self._task.apply_async(
            kwargs=call.written(),
            queue=self._queue,
            countdown=countdown or None,
            expires=countdown + STALE,
            retry=True,
            retry_policy=PUBLISHING,
        )

    def _called(self, call: Call) -> None:
        if self._make_worker is None:
            log.warning("A call for post %s came to a process that has no worker for it", call.key)
            return
        call.answer(self._worker(), self._alarm)

    def _worker(self) -> Worker:
        """Return the worker of this process."""
        with self._lock:
            if self._made is None or self._made[0] != os.getpid():
                assert self._make_worker is not None  # noqa: S101 - whoever asks has looked
                self._made = os.getpid(), self._make_worker()
            return self._made[1]

    # --- The settings of an app --------------------------------------------------------------------------------------

    def _problems(self) -> Iterator[Problem]:
        conf, task = self._app.conf, self._app.tasks[TASK]
        if conf.task_always_eager:
            yield self._eager()
        if conf.worker_prefetch_multiplier != 1:
            said = f"is {conf.worker_prefetch_multiplier}, so that posts wait behind one that is long: set it to 1"
            yield Problem("worker_prefetch_multiplier", said)
        if not {"json", "application/json"} & set(conf.accept_content):
            yield Problem("accept_content", "has no 'json', in which the calls are written: add it")
        for name in ("acks_late", "reject_on_worker_lost"):
            if not getattr(task, name):
                said = f"sets {name} of {TASK} to False, so that a worker's death loses its call: set it to True"
                yield Problem("task_annotations", said)
        with self._app.connection_for_write() as connection:
            is_redis = connection.transport.driver_type == "redis"
        visibility = conf.broker_transport_options.get("visibility_timeout", USUAL_VISIBILITY)
        if is_redis and visibility <= 2 * LONGEST:
            said = f"has a visibility_timeout of {visibility} s, after which waiting calls come twice: set it above {2 * LONGEST:.0f}"
            yield Problem("broker_transport_options", said)

    def _eager(self) -> Problem:
        return Problem(
            "task_always_eager", "is True, so that a call is a post at once, and in the caller: set it to False"
        )

    # --- The processes of a worker -----------------------------------------------------------------------------------

    def _sweep(self) -> None:
        with self._lock:
            if self._sweeping is None or self._sweeping[0] != os.getpid():
                sweeper = Sweeper(self._worker, self._alarm, every=self._sweep_every)
                self._sweeping = os.getpid(), sweeper
                sweeper.start()

    def _on_init(self, sender: Any, **_: Any) -> None:
        if sender.app is not self._app:
            return
        self._stopping.value = 0
        try:
            self.check()
        except InvalidSettings as error:
            # Celery goes on after every other error of a signal's receiver.
            raise SystemExit(f"tiktok: {error}") from None

    def _on_ready(self, sender: Any, **_: Any) -> None:
        """Sweep in the worker's own process, unless it forks others: those sweep."""
        is_forking = getattr(sender.pool, "uses_semaphore", False)
        if sender.app is self._app and not is_forking:
            self._sweep()

    def _on_process(self, **_: Any) -> None:
        if app_or_default() is self._app:
            self._sweep()

    def _on_stop(self, **_: Any) -> None:
        self._stopping.value = 1

    def _end_sweeps(self, **_: Any) -> None:
        with self._lock:
            sweeping, self._sweeping = self._sweeping, None
        if sweeping is not None and sweeping[0] == os.getpid():
            sweeping[1].stop()
