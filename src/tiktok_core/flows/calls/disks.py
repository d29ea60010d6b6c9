"""Calls that wait for a disk: made in the background, and given up after a while.

What belongs here: how sources and destinations are called from a flow. What they are asked is in the other flows.

Its tests: `tests/proofs/test_hanging.py`.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, TypeVar

from tiktok_core.domain.reading import LookEnded, Read
from tiktok_core.errors import SourceChanged, StoreError
from tiktok_core.flows.calls.context import Context
from tiktok_core.ports import Closes, Destination, FillsBuffers, Source
from tiktok_core.wire.http import read_from

__all__ = [
    "LONGEST_LOOK",
    "close_opener",
    "discard",
    "keep",
    "look",
    "look_or_doubt",
    "open_destination",
    "open_source",
    "read_in_time",
]

T = TypeVar("T")

LONGEST_COPY: Final = timedelta(hours=1)
"""The time in which a video that lies elsewhere is copied, where it cannot be read in parts."""
LONGEST_LOOK: Final = timedelta(seconds=10)
"""The time for a look that is a courtesy: a post is sent without it."""


async def open_source(context: Context, work: Callable[[], Source], *, is_elsewhere: bool = False) -> Source:
    """Open a source by its name.

    Args:
        context: what the flow works with.
        work: opens it.
        is_elsewhere: whether it may have to be copied here first. What copies it ends by itself where no bytes come.

    Raises:
        SourceChanged: that has not ended within the time-out.
    """
    within = LONGEST_COPY.total_seconds() if is_elsewhere else context.timeout
    late = SourceChanged(None, _hung("the file", within))
    return await context.background(work, within=within, late=late, is_movable=True, is_needed=False)


async def close_opener(context: Context) -> None:
    """Close what opens sources, if it holds connections or memory of its own."""
    opener = context.open_source
    if isinstance(opener, Closes):
        late = SourceChanged(None, _hung("what opens sources", LONGEST_LOOK.total_seconds()))
        # It may wait for a moment until nothing is on its way, which must not hold up an event loop.
        await context.background(opener.close, within=LONGEST_LOOK.total_seconds(), late=late, is_movable=True)


async def open_destination(context: Context, work: Callable[[], Destination]) -> Destination:
    """Say where a named file is to be kept.

    Raises:
        StoreError: that has not ended within the time-out.
    """
    late = StoreError("Destination", _hung("its folder", context.timeout))
    return await context.background(work, within=context.timeout, late=late, is_movable=True, is_needed=False)


async def look(context: Context, source: Source, work: Callable[[], T], publish_id: str | None = None) -> T:
    """Ask a source for what the post cannot do without.

    Raises:
        SourceChanged: it has not answered within the time-out.
    """
    late = SourceChanged(publish_id, _hung("the source", context.timeout))
    return await context.background(
        work, within=context.timeout, late=late, is_movable=_is_movable(source), is_needed=False
    )


async def look_or_doubt(context: Context, source: Source, work: Callable[[], T], otherwise: T) -> T:
    """Ask a source for what is good to know. Where it does not answer in time, that is logged, and `otherwise` returned."""
    within = min(LONGEST_LOOK.total_seconds(), context.timeout)
    late = SourceChanged(None, _hung("the source", within))
    try:
        return await context.background(work, within=within, late=late, is_movable=_is_movable(source), is_needed=False)
    except SourceChanged as error:
        if error is not late:
            raise
    except LookEnded:
        pass
    context.log.warning("The file is not looked into before it is posted: %s", late.reason)
    return otherwise


async def keep(context: Context, destination: Destination) -> None:
    """Keep what was written.

    Raises:
        StoreError: that has not ended within the time-out.
    """
    late = StoreError("Destination", _hung("its disk", context.timeout))
    await context.background(destination.keep, within=context.timeout, late=late, is_movable=False)


async def discard(context: Context, destination: Destination) -> None:
    """Leave nothing behind, as far as the disk answers. To be called at the end of a call that failed: it raises nothing."""
    late = StoreError("Destination", _hung("its disk", context.timeout))
    try:
        await context.background(destination.discard, within=context.timeout, late=late, is_movable=False)
    except StoreError as error:
        context.log.warning("What was downloaded is left behind for now: %s", error)


def read_in_time(context: Context, source: Source, longest: timedelta) -> Read:
    """Return a reader of the source for one look, which ends (`LookEnded`) once it has read for so long.

    A source that can only be read in the caller's thread cannot be left while it reads, so each look has to end by itself.
    """
    began: datetime | None = None

    def read(start: int, length: int) -> bytes:
        nonlocal began
        began = began or context.clock.now()
        # A clock that is set back, or far ahead, may end the look late or early: `look_or_doubt` ends it where it can.
        if context.clock.now() - began > longest:
            raise LookEnded
        return read_from(source, start, length)

    return read


def _is_movable(source: Source) -> bool:
    # A source that fills buffers is read on other threads in any case. Another one may belong to the caller's thread.
    return isinstance(source, FillsBuffers)


def _hung(what: str, within: float) -> str:
    return f"{what} did not answer within {within:g} s; check whether a disk or network drive hangs"
