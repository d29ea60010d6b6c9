"""The sweeper: a thread of a worker's process that looks every second for posts whose call an engine has lost.

What belongs here: the thread. What a sweep does is in `worker`. It is no periodic task of an engine: such a task is lost together with
the engine's queue.
"""

import logging
import threading
from collections.abc import Callable
from typing import Final

from tiktok_adapters.engines.calls import told
from tiktok_adapters.engines.worker import Alarm, Worker

__all__ = ["EVERY", "PROMPT", "Sweeper"]

EVERY: Final = 1.0
"""Seconds between two sweeps."""
PROMPT: Final = 2.0
"""Seconds by which a post may be overdue where a worker's death is to be noticed soon: a `grace` for `Worker`."""

log: Final = logging.getLogger("tiktok_core")


class Sweeper:
    """Sweeps in a thread of its own, until it is stopped. Each process of a worker may have one.

    Args:
        make_worker: returns the worker whose `sweep` is called. It is called in the thread, until it succeeds.
        alarm: makes the calls.
        every: seconds between two sweeps.
        also: called after each sweep, for an engine's own cleaning.
    """

    def __init__(
        self,
        make_worker: Callable[[], Worker],
        alarm: Alarm,
        *,
        every: float = EVERY,
        also: Callable[[], object] = lambda: None,
    ) -> None:
        self._make_worker = make_worker
        self._alarm = alarm
        self._every = every
        self._also = also
        self._stop = threading.Event()
        self._is_well = True
        self._thread = threading.Thread(target=self._run, name="tiktok-sweeper", daemon=True)

    def start(self) -> None:
        """Begin to sweep."""
        self._thread.start()

    def stop(self) -> None:
        """End, after the sweep that is under way."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            try:
                self._make_worker().sweep(self._alarm)
                self._also()
            except Exception as error:  # noqa: BLE001 - whatever it is, the next sweep may succeed
                if self._is_well:
                    # Once: an engine that is down stays so for many sweeps.
                    log.warning("The sweep for lost calls failed, and is repeated: %s", told(error))
                self._is_well = False
            else:
                self._is_well = True
