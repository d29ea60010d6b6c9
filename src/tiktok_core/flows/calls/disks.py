"""Calls that wait for a disk: made in the background, and given up after a while.

What belongs here: how sources and destinations are called from a flow. What they are asked is in the other flows.

Its tests: `tests/proofs/test_hanging.py`.
"""

import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final, TypeAlias, TypeVar, cast

from tiktok_core.domain.chunks import LARGEST_VIDEO, size_problem
from tiktok_core.domain.posts import VideoPost, video_problems
from tiktok_core.domain.reading import LookEnded, Read
from tiktok_core.domain.tokens import Secret
from tiktok_core.errors import InvalidPost, Problem, SourceChanged, StoreError, refuse
from tiktok_core.flows.calls.context import Context
from tiktok_core.ports import Closes, Destination, FillsBuffers, HasPath, Media, OpensGiven, Receives, Source
from tiktok_core.wire.http import read_from

__all__ = [
    "LONGEST_COPY",
    "LONGEST_LOOK",
    "Openable",
    "close_opener",
    "discard",
    "is_given",
    "keep",
    "look",
    "look_or_doubt",
    "open_destination",
    "open_source",
    "read_in_time",
    "taken_in",
]

T = TypeVar("T")

Openable: TypeAlias = str | HasPath | Source | Secret
"""What a flow opens: a file's name, a source, or the name of what lies elsewhere, as a secret."""

LONGEST_COPY: Final = timedelta(hours=1)
"""The time in which a video that lies elsewhere is copied, where it cannot be read in parts."""
LONGEST_LOOK: Final = timedelta(seconds=10)
"""The time for a look that is a courtesy: a post is sent without it."""


async def open_source(context: Context, work: Callable[[], Source], longest: timedelta | None = None) -> Source:
    """Open a source by its name.

    Args:
        context: what the flow works with.
        work: opens it.
        longest: the time for what lies elsewhere, and may have to be copied here first. What copies it ends by itself where no
            bytes come. None for a file.

    Raises:
        SourceChanged: that has not ended within the time-out.
    """
    within = context.timeout if longest is None else longest.total_seconds()
    slow = f"the video was not opened within {within:g} s; give it where a server gives ranges, or as a file"
    late = SourceChanged(None, _hung("the file", within) if longest is None else slow)
    return await context.background(work, within=within, late=late, is_movable=True, is_needed=False)


async def close_opener(context: Context) -> None:
    """Close what opens sources, if it holds connections or memory of its own."""
    opener = context.open_source
    if isinstance(opener, Closes):
        late = SourceChanged(None, _hung("what opens sources", LONGEST_LOOK.total_seconds()))
        # It may wait for a moment until nothing is on its way, which must not hold up an event loop.
        await context.background(opener.close, within=LONGEST_LOOK.total_seconds(), late=late, is_movable=True)


@asynccontextmanager
async def taken_in(context: Context, media: Media | Secret, post: VideoPost | None = None) -> AsyncIterator[Openable]:
    """Yield a source of bytes, of an open file or of an upload, and close it at the end; yield anything else as it is.

    That source keeps bytes that come once, so a call that looks at its file twice has them twice. It is closed here, because an error
    that holds it may live longer than the call. What was given stays open.

    Raises:
        InvalidPost: it cannot be read, is too large, or is nothing that this client takes; and what is wrong with the post's settings.
        SourceChanged: it does not answer within the time-out, or changed meanwhile.
    """
    if not is_given(media):
        yield cast(Openable, media)
        return
    opens: object = context.open_source
    try:
        source = await _source_of(context, opens, media) if isinstance(opens, OpensGiven) else None
        if source is None:
            raise InvalidPost((Problem("video", _not_taken(media)),))
    except InvalidPost as error:
        if post is not None:
            error.problems = (*error.problems, *video_problems(post, ()))
        raise
    try:
        yield source
    finally:
        if isinstance(source, Closes):
            source.close()


def is_given(media: object) -> bool:
    """Whether it is neither a name nor a source: bytes, an open file, or a stranger."""
    if isinstance(media, str | Secret):
        return False
    # A source has no cursor, so that a retry cannot disturb a reader. Bytes and open files are no sources by themselves.
    if isinstance(media, bytes | bytearray | memoryview) or _has(media, "seek"):
        return True
    if not _has(media, "read") and isinstance(media, HasPath):
        return False
    return not all(_has(media, name) for name in ("size", "fingerprint", "read"))


def _has(media: object, name: str) -> bool:
    # Looked up first without calling it: a source's `size` may look at the file, and an upload's `seek` may open it.
    return inspect.getattr_static(media, name, None) is not None or hasattr(media, name)


def _not_taken(media: object) -> str:
    """Return what is said of such a thing where nothing makes a source of it."""
    if isinstance(media, bytes | bytearray | memoryview):
        return "is bare bytes; give the name of a file, or tiktok_adapters.sources.BytesSource with its bytes"
    if _has(media, "seek"):
        return "is an open file; give its name, or tiktok_adapters.sources.BytesSource with its bytes"
    return (
        "is neither the name of a file nor a source; give a name, or tiktok_adapters.sources.BytesSource with the bytes"
    )


async def _source_of(context: Context, opens: OpensGiven, given: object) -> Source | None:
    """Make a source of what is neither a name nor a source; None if it is of no kind that is known.

    Raises:
        InvalidPost: it cannot be read, or is too large.
        SourceChanged: a part of it did not come within the time-out, or it changed meanwhile.
    """
    late = SourceChanged(None, _hung("what was given as the file", context.timeout))
    # Attributes of a stranger's object may do anything, so they are looked up where its bytes are read.
    intake = await context.background(
        lambda: opens.open_given(given), within=context.timeout, late=late, is_movable=False, is_needed=False
    )
    source = None
    try:
        while intake is not None and source is None:
            if isinstance(intake, Receives):
                await intake.receive(context.timeout)
            source = await context.background(
                intake.take, within=context.timeout, late=late, is_movable=intake.is_movable, is_needed=False
            )
            if intake.size > LARGEST_VIDEO:
                refuse(InvalidPost, size_problem(intake.size))
    finally:
        del intake  # An error holds this frame, and the intake may hold an open file.
    return source


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
