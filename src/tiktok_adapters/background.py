"""Background: run calls that may wait for a disk in threads, so that a disk that hangs blocks nothing else.

What belongs here: the adapters of the `Background` and `AsyncBackground` ports. They do not know what the calls do.
"""

from collections.abc import Callable
from typing import Final, TypeVar

from tiktok_adapters.threads import Lane

__all__ = ["AsyncioBackground", "ThreadBackground"]

T = TypeVar("T")

MOST: Final = 64
"""Largest number of concurrent calls of one client. Further calls wait, so that a hanging disk does not fill the memory."""


class ThreadBackground:
    """Make calls in daemon threads, and wait for each no longer than its caller allows. Threads may share it.

    Ctrl-C ends the wait at once. A program that exits does not wait for these calls.
    """

    def __init__(self) -> None:
        self._lane = Lane(MOST)

    def __call__(
        self, work: Callable[[], T], /, *, within: float, late: Exception, is_movable: bool, is_needed: bool = True
    ) -> T:
        """See `Background.__call__`."""
        if not is_movable:
            return work()
        return self._lane.call_blocking(work, within=within, late=late, always=is_needed)


class AsyncioBackground:
    """Make calls in daemon threads, and await each no longer than its caller allows.

    The calls block neither the event loop nor the exit of the program.
    """

    def __init__(self) -> None:
        self._lane = Lane(MOST)

    async def __call__(
        self,
        work: Callable[[], T],
        /,
        *,
        within: float,
        late: Exception,
        is_movable: bool,  # noqa: ARG002 - the asynchronous client may call a source on any thread
        is_needed: bool = True,
    ) -> T:
        """See `AsyncBackground.__call__`."""
        return await self._lane.call(work, within=within, late=late, always=is_needed)
