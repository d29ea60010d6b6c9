"""Background: calls that wait for a disk, made where one that hangs holds up nothing else.

What belongs here: the adapters of the `Background` and `AsyncBackground` ports. They know nothing of what is called.
"""

from collections.abc import Callable
from typing import Final, TypeVar

from tiktok_adapters.threads import Lane

__all__ = ["AsyncioBackground", "ThreadBackground"]

T = TypeVar("T")

MOST: Final = 64
"""Calls of one client at a time. Further ones wait for their turn, so that a disk that hangs does not fill the memory."""


class ThreadBackground:
    """Make calls in daemon threads, and wait for each of them no longer than it is worth. Threads may share it.

    Ctrl-C ends the wait at once. The program's end does not wait for a call.
    """

    def __init__(self) -> None:
        self._lane = Lane(MOST)

    def __call__(
        self, work: Callable[[], T], /, *, within: float, late: Exception, is_movable: bool, is_needed: bool = True
    ) -> T:
        """As `Background.__call__`."""
        if not is_movable:
            return work()
        return self._lane.call_blocking(work, within=within, late=late, always=is_needed)


class AsyncioBackground:
    """Make calls in daemon threads, and await each of them no longer than it is worth.

    Neither the event loop nor the program's end waits for a call.
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
        is_movable: bool,  # noqa: ARG002 - a source in the asynchronous world is called on any thread
        is_needed: bool = True,
    ) -> T:
        """As `AsyncBackground.__call__`."""
        return await self._lane.call(work, within=within, late=late, always=is_needed)
