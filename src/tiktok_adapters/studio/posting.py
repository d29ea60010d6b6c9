"""The posts that this process runs: each in a task of its own, with its progress and with what went wrong.

What belongs here: tasks, and figures for a person. The journal has what must not be lost: a task that ends with the process leaves its
post there, and `go on` continues it.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, TypeAlias

from attrs import define, field

from tiktok_adapters.studio.faults import tell_where
from tiktok_adapters.studio.words import left, sentence, size
from tiktok_core import Progress, Publication, TikTokError

__all__ = ["Poster", "Running", "Work"]

SPAN: Final = 10.0
"""Seconds over which a rate is measured, so that it follows a line that changes."""
Work: TypeAlias = Callable[[Callable[[Progress], None]], Awaitable[Publication]]
"""Makes or continues a post, and calls back with its progress."""
Named: TypeAlias = tuple[str, str]
"""The `open_id` of an account, and the key of one of its posts."""


@define
class Running:
    """How far a post is that runs here.

    Attributes:
        last: the last progress; None before the first.
        clock: returns seconds, from any beginning.
    """

    clock: Callable[[], float] = time.monotonic
    last: Progress | None = None
    _samples: deque[tuple[float, int]] = field(factory=deque)

    def tell(self, progress: Progress) -> None:
        """Note a progress."""
        now = self.clock()
        self.last = progress
        self._samples.append((now, progress.sent_bytes))
        while len(self._samples) > 2 and now - self._samples[0][0] > SPAN:
            self._samples.popleft()

    @property
    def rate(self) -> float | None:
        """Bytes a second; None while it cannot be told."""
        if len(self._samples) < 2:
            return None
        (began, first), (ended, sent) = self._samples[0], self._samples[-1]
        return (sent - first) / (ended - began) if ended > began and sent > first else None

    @property
    def sentence(self) -> str:
        """The bytes sent, the speed and the time left, while bytes are sent; empty otherwise."""
        last, rate = self.last, self.rate
        if last is None or last.status or not last.video_size:
            return ""
        parts = [f"{size(last.sent_bytes)} of {size(last.video_size)}"]
        if rate is not None and last.sent_bytes < last.video_size:
            parts += [f"{size(round(rate))}/s", left((last.video_size - last.sent_bytes) / rate)]
        return ", ".join(parts)


class Poster:
    """Runs posts until they end or the process does."""

    def __init__(self) -> None:
        self._tasks: dict[Named, asyncio.Task[None]] = {}
        self._shown: dict[Named, Running] = {}
        self._troubles: dict[Named, str] = {}
        self._news = asyncio.Event()

    def start(self, account: str, key: str, work: Work, ended: Callable[[Publication | None], Awaitable[None]]) -> None:
        """Run a post. Nothing happens if it runs already.

        Args:
            account: the `open_id`.
            key: the post's key.
            work: makes or continues it.
            ended: called once it has ended here, with what became of it; None after an error.
        """
        named = (account, key)
        if named in self._tasks:
            return
        self._troubles.pop(named, None)
        self._shown[named] = shown = Running()
        self._tasks[named] = asyncio.create_task(self._run(named, shown, work, ended), name=f"post {key}")
        self._tell()

    async def _run(
        self, named: Named, shown: Running, work: Work, ended: Callable[[Publication | None], Awaitable[None]]
    ) -> None:
        def tell(progress: Progress) -> None:
            shown.tell(progress)
            self._tell()

        done = None
        try:
            try:
                done = await work(tell)
            except TikTokError as error:
                self._troubles[named] = sentence(error)
            with suppress(TikTokError, OSError):
                await ended(done)
        except Exception as error:  # noqa: BLE001 - a fault of the program must reach the person, and not end the studio
            tell_where(error)
            self._troubles[named] = f"An unexpected error ({type(error).__name__}) stopped it: Go on continues it."
        finally:
            del self._tasks[named], self._shown[named]
            self._tell()

    def running(self, account: str, key: str) -> Running | None:
        """Return how far a post is that runs here; None if it does not."""
        return self._shown.get((account, key))

    def trouble(self, account: str, key: str) -> str:
        """Return what went wrong with a post in this process; empty if nothing did."""
        return self._troubles.get((account, key), "")

    def settle(self, account: str, key: str) -> None:
        """Forget what went wrong with a post, because a person has said what is to be done."""
        self._troubles.pop((account, key), None)
        self._tell()

    async def news(self, seconds: float) -> None:
        """Return when something may have changed, at the latest after these seconds."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), seconds)

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def wake(self) -> None:
        """Let all who wait for news look now."""
        self._tell()

    async def close(self) -> None:
        """Stop all tasks, and wait for them. Their posts stay in the journal."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tell()
