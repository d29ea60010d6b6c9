"""A worker without an engine: it looks at the journal every few seconds, and goes on with what is due.

What belongs here: the loop and its threads. What a worker does with one post is in `worker`.
"""

import logging
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from tiktok_adapters.engines.worker import Worker
from tiktok_core import StoreError, TikTok
from tiktok_core.domain.journal import Record

__all__ = ["JOBS", "Rounds"]

JOBS: Final = 4
"""How many posts a worker goes on with at once unless the program says otherwise."""
EVERY: Final = 2.0

log: Final = logging.getLogger("tiktok_core")


class Rounds:
    """Goes on with the posts that are due, until it is stopped. Any number of processes and machines may run one over the same journal.

    It has one post of each account at a time, in the order in which they are due.

    Args:
        tiktok: the client; it is not closed here.
        worker: goes on with one post. Its `stop` should be the event that `run` is given.
        jobs: how many posts to go on with at once.
        every: seconds between two looks at the journal.

    Raises:
        ValueError: `jobs` is below 1.
    """

    def __init__(self, tiktok: TikTok, worker: Worker, *, jobs: int = JOBS, every: float = EVERY) -> None:
        if jobs < 1:
            raise ValueError("at least one post must be able to go on: give 1 job or more")
        self._tiktok = tiktok
        self._worker = worker
        self._jobs = jobs
        self._every = every
        self._woken = threading.Event()
        self._lock = threading.Lock()
        self._busy: set[str] = set()
        self._elsewhere: dict[str, float] = {}

    def run(self, stop: threading.Event, *, once: bool = False) -> None:
        """Go on with what is due, until `stop` is set; then wait for the steps that are under way.

        Args:
            stop: set to end the rounds, for example by a signal's handler. It is looked at at least every half second.
            once: return as soon as nothing is due any more.
        """
        with ThreadPoolExecutor(self._jobs, thread_name_prefix="tiktok-worker") as pool:
            while not stop.is_set():
                begun = self._begin(pool)
                with self._lock:
                    is_idle = not self._busy
                if once and not begun and is_idle:
                    return
                self._wait(stop)

    def _begin(self, pool: ThreadPoolExecutor) -> int:
        """Hand the posts that are due to free threads, and return how many."""
        self._woken.clear()
        try:
            due = self._tiktok.due_posts()
        except StoreError as error:
            log.warning("What is due is not known, and is looked at again in %.0f s: %s", self._every, error)
            return 0
        begun = 0
        for record in self._ours(due):
            with self._lock:
                if len(self._busy) >= self._jobs:
                    return begun
                self._busy.add(record.account)
            pool.submit(self._work, record)
            begun += 1
        return begun

    def _ours(self, due: Iterable[Record]) -> list[Record]:
        """Return the first post of each account that has none under way, without those that another worker has."""
        now, first = time.monotonic(), dict[str, Record]()
        with self._lock:
            self._elsewhere = {name: until for name, until in self._elsewhere.items() if until > now}
            for record in due:
                if record.name not in self._elsewhere:
                    first.setdefault(record.account, record)
            return [record for account, record in first.items() if account not in self._busy]

    def _work(self, record: Record) -> None:
        again = None
        try:
            again = self._worker.work(record)
        except Exception:
            log.exception("Post %s: the worker failed, and comes again later", record.key)
        with self._lock:
            self._busy.discard(record.account)
            if again is None:
                # It has ended, waits for a person, or another worker has it. The journal tells only the first two.
                self._elsewhere[record.name] = time.monotonic() + self._every
        self._woken.set()

    def _wait(self, stop: threading.Event) -> None:
        end = time.monotonic() + self._every
        while not stop.is_set() and not self._woken.is_set() and (left := end - time.monotonic()) > 0:
            # In short pieces: the handler of a signal sets `stop` between them.
            self._woken.wait(min(left, 0.5))
