"""The progress of a post on standard error: a moving bar on a terminal, plain lines elsewhere.

What belongs here: drawing. The core's `Progress` brings the numbers.
"""

import sys
import time
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Final, Protocol, Self

from tiktok_adapters.cli.common import say
from tiktok_core import Progress

if TYPE_CHECKING:
    import rich.progress

__all__ = ["Display", "display"]

LINE_EVERY: Final = 10.0
"""Seconds between plain lines while a chunk takes long."""


class Display(Protocol):
    """A context manager that shows progress while it is open."""

    def __call__(self, progress: Progress, /) -> None:
        """Show the progress of the post."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


def display() -> Display:
    """Return the display that suits standard error."""
    # A process may be started without a standard error.
    if sys.stderr is not None and sys.stderr.isatty():
        try:
            return Harmless(Bar())
        except ModuleNotFoundError:  # rich is optional.
            pass
    return Harmless(Lines())


class Harmless:
    """A display that ignores a closed terminal, because showing progress must not end a post."""

    def __init__(self, display: Display) -> None:
        self._display = display

    def __call__(self, progress: Progress, /) -> None:
        """Show the progress of the post, if the terminal is still there."""
        with suppress(OSError, ValueError):
            self._display(progress)

    def __enter__(self) -> Self:
        with suppress(OSError, ValueError):
            self._display.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with suppress(OSError, ValueError):
            self._display.__exit__(kind, error, traceback)


def chunk_of(progress: Progress) -> tuple[int, int]:
    """Return the number of the chunk being sent, counted from 1, and the number of chunks."""
    if progress.plan is None:
        return 1, 1
    count = progress.plan.total_chunk_count
    return min(max(0, progress.sent_bytes - 1) // progress.plan.chunk_size, count - 1) + 1, count


class Lines:
    """Plain lines: one for each finished chunk, one every ten seconds, and one for each new status."""

    def __init__(self) -> None:
        self._began: tuple[float, int] | None = None
        self._said_at = 0.0
        self._said_chunk = 0
        self._said_bytes = -1
        self._status = ""

    def __call__(self, progress: Progress, /) -> None:
        if progress.status:
            if progress.status != self._status:
                self._status = progress.status
                say(f"{progress.publish_id}: {progress.status}")
            return
        now = time.monotonic()
        if self._began is None:
            self._began, self._said_at = (now, progress.sent_bytes), now
        if self._is_worth_a_line(progress, now):
            self._said_at, self._said_bytes = now, progress.sent_bytes
            say(self._line(progress, now))

    def _is_worth_a_line(self, progress: Progress, now: float) -> bool:
        if progress.sent_bytes == self._said_bytes:
            return False
        number, _count = chunk_of(progress)
        last = progress.plan.chunk(number - 1)[1] if progress.plan else progress.video_size - 1
        is_whole = progress.sent_bytes == last + 1 and number > self._said_chunk
        if is_whole:
            self._said_chunk = number
        return is_whole or now - self._said_at >= LINE_EVERY

    def _line(self, progress: Progress, now: float) -> str:
        number, count = chunk_of(progress)
        sent, size = progress.sent_bytes, progress.video_size
        parts = [f"Sent {sent:,} of {size:,} bytes ({sent * 100 // max(1, size)} %)", f"chunk {number} of {count}"]
        began, first = self._began or (now, 0)
        if now > began and sent > first:
            rate = (sent - first) / (now - began)
            parts.append(f"{rate / 1e6:,.1f} MB/s")
            if sent < size:
                parts.append(f"{(size - sent) / rate:,.0f} s left")
        return ", ".join(parts)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Nothing is open."""


class Bar:
    """A bar with bytes, percent, rate, time left and chunk; the status stands below it.

    Raises:
        ModuleNotFoundError: rich is not installed.
    """

    def __init__(self) -> None:
        from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
        from rich.progress import (  # noqa: PLC0415
            BarColumn,
            DownloadColumn,
            Progress,
            TaskProgressColumn,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        self._bar: rich.progress.Progress = Progress(
            TextColumn("Sending"),
            BarColumn(),
            TaskProgressColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[chunk]}"),
            console=Console(stderr=True),
        )
        self._task: rich.progress.TaskID | None = None
        self._status = ""

    def __call__(self, progress: Progress, /) -> None:
        if progress.status:
            if progress.status != self._status:
                self._status = progress.status
                self._bar.console.print(f"{progress.publish_id}: {progress.status}", markup=False, highlight=False)
            return
        number, count = chunk_of(progress)
        chunk = f"chunk {number} of {count}"
        if self._task is None:
            self._task = self._bar.add_task("", total=progress.video_size, chunk=chunk)
        self._bar.update(self._task, completed=progress.sent_bytes, chunk=chunk)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()
