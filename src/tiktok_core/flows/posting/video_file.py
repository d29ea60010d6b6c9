"""The file of a video post: looked at before the post is planned, and checked again before its last byte leaves.

What belongs here: opening a file, and holding it to what it was when the post was planned.

Its tests: `tests/faults/test_files.py`, `tests/flows/posting/test_check.py`.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Final, cast

from attrs import define, evolve, frozen

from tiktok_core.domain.chunks import ChunkPlan, plan_chunks, size_problem
from tiktok_core.domain.containers import film
from tiktok_core.domain.elsewhere import another_file, of_post
from tiktok_core.domain.journal import Record, Wish
from tiktok_core.domain.media import HEAD_LENGTH, MediaType, VideoFacts, media_type
from tiktok_core.domain.names import bare, is_never_pulled, is_url, query_of, shown
from tiktok_core.domain.tokens import Secret
from tiktok_core.domain.tracks import Film
from tiktok_core.errors import InvalidPost, LeaseLost, Problem, SourceChanged, refuse
from tiktok_core.flows.calls.context import Context
from tiktok_core.flows.calls.disks import LONGEST_COPY, Openable, look, look_or_doubt, open_source, read_in_time
from tiktok_core.flows.calls.leases import try_lease
from tiktok_core.flows.posting.turn import STEP_LEASE
from tiktok_core.ports import LONGEST_LEASE, FillsBuffers, HasPath, Source
from tiktok_core.wire.http import read_from, read_from_into

__all__ = [
    "VideoFile",
    "check_unchanged",
    "guarded",
    "looked_into",
    "open_media",
    "open_video",
    "planned",
    "reopened",
]

LOOK: Final = timedelta(seconds=2)
"""How long a look into a video may take. It then returns what it has found, for a post can be sent without it."""


@frozen(kw_only=True)
class VideoFile:
    """A video file, ready to be uploaded.

    Attributes:
        source: its bytes.
        name: what it is called, whole; None for a source without a name.
        fingerprint: what the source was when it was looked at.
        media_type: what it is.
        plan: how it is cut.
    """

    source: Source
    name: Secret | None
    fingerprint: str
    media_type: MediaType
    plan: ChunkPlan


async def open_video(
    context: Context, video: Openable, chunk_size: int | None, longest: timedelta = LONGEST_COPY
) -> VideoFile:
    """Look at a file: its size, its first bytes, how it will be cut. To open what lies elsewhere takes no longer than `longest`.

    Raises:
        InvalidPost: it is empty, too large, or no video; or the chosen chunk size cannot work.
        SourceChanged: it does not answer within the time-out, or can no longer be read.
    """
    source, name = await open_media(context, video, longest)
    return await look(context, source, partial(_looked_at, source, name, chunk_size))


async def reopened(context: Context, record: Record, owner: str) -> VideoFile:
    """Open the file of a record by the name that the record has, under its owner's lease.

    Raises:
        LeaseLost: another owner has taken the post over.
        InvalidPost: the record has no name, because the file was a source without one; or it has never been opened, and is no video
            that can be uploaded.
        SourceChanged: there is no such file any more.
    """
    if record.wish.name is None:
        raise InvalidPost((Problem("video", "was a source without a name; give it again to go on"),))
    # What lies at an https URL is copied first where its server gives no ranges, and that may take longer than a lease lasts. Another
    # worker that took the post over meanwhile would begin a copy of its own, and so would the next one.
    may_be_copied = is_url(record.wish.name) and not is_never_pulled(record.wish.name)
    lease = partial(try_lease, context, context.journal, record.name, owner)
    if may_be_copied and await lease(LONGEST_LEASE) is None:
        raise LeaseLost(record.key)
    try:
        # Not for longer than the lease: of two workers with a slower server, each would take the post over before the other could send.
        found = await open_video(context, record.wish.name, None, LONGEST_LEASE - STEP_LEASE)
    except InvalidPost as error:
        if record.wish.is_unopened and context.open_source is not None:
            raise
        # There was a file, so that there is none now is a change, and no mistake in what the caller asked for.
        raise of_post(SourceChanged(None, str(error)), record) from error
    except SourceChanged as error:
        raise of_post(error, record) from error
    # Not after an error: the run releases the lease then, and a coroutine that is being closed can await nothing.
    if may_be_copied:
        await lease(STEP_LEASE)
    return found


async def open_media(
    context: Context, media: Openable, longest: timedelta = LONGEST_COPY
) -> tuple[Source, Secret | None]:
    """Open a file or take a source as it is, and return it with its name; None where it has none.

    Raises:
        InvalidPost: there is no such file, or this client opens none.
    """
    if isinstance(media, Secret):
        # The name of a record is a secret, too, and may be a path.
        return await open_source(context, _opening(context, media), longest if is_url(media) else None), media
    if not isinstance(media, str) and (hasattr(media, "read") or not isinstance(media, HasPath)):
        source = cast(Source, media)
    else:
        source = await open_source(context, _opening(context, media))
    # A source that knows its path is found again by another process, which may work in another folder.
    named = source if isinstance(source, HasPath) else media
    if isinstance(named, str):
        return source, Secret(named)
    return source, Secret(named.__fspath__()) if isinstance(named, HasPath) else None


def _opening(context: Context, name: str | HasPath | Secret) -> Callable[[], Source]:
    opener = context.open_source
    if opener is None:
        what = f"{shown(name)} is a URL" if isinstance(name, Secret) and is_url(name) else "is a file's name"
        raise InvalidPost((Problem("video", f"{what}, and this client was given no open_source"),))
    return lambda: opener(name.reveal() if isinstance(name, Secret) else name)


def _looked_at(source: Source, name: Secret | None, chunk_size: int | None) -> VideoFile:
    refuse(InvalidPost, size_problem(source.size))
    return VideoFile(
        source=source,
        name=name,
        fingerprint=source.fingerprint,
        media_type=media_type(read_from(source, 0, min(source.size, HEAD_LENGTH))),
        plan=plan_chunks(source.size, chunk_size),
    )


def planned(wish: Wish, video_file: VideoFile) -> Wish:
    """Return a wish with what was found in its file, and the name under which it was opened."""
    name = video_file.name
    return evolve(
        wish,
        video=None if name is None else bare(name),
        query=None if name is None else query_of(name),
        query_digest=wish.query_digest if name is None or wish.name in {None, name} else wish.identity or "",
        fingerprint=video_file.fingerprint,
        media_type=video_file.media_type,
        plan=video_file.plan,
    )


async def looked_into(context: Context, source: Source) -> Film:
    """Return what a video says about itself; where that cannot be read, what a probe finds in it, if one is installed.

    Of a client that was told to look at no properties, only the layout is returned.

    Raises:
        SourceChanged: the source can no longer be read.
    """
    read = read_in_time(context, source, LOOK)
    found = await look_or_doubt(context, source, lambda: film(source.size, read), Film())
    if context.probe is False:
        return evolve(found, facts=VideoFacts())
    if found.facts.has_picture is None and context.probe is not None:
        return evolve(found, facts=await context.probe.facts(source))
    return found


def check_unchanged(video_file: VideoFile, record: Record) -> None:
    """Refuse to go on with a file that is not the one that the post was planned with.

    Raises:
        SourceChanged: it is another one, or has changed.
    """
    try:
        unchanged = video_file.source.fingerprint == record.wish.fingerprint
    except SourceChanged as error:
        raise of_post(error, record) from None
    if not unchanged:
        raise another_file(record)


@define
class _Guarded:
    """The source of a video that checks it once more before it gives the last byte away.

    By then every byte was read: what changed meanwhile would be completed by that one. Afterwards it is too late, and to
    say that nothing was posted would be untrue.

    Attributes:
        gave_all: whether the last byte was given.
    """

    _video_file: VideoFile
    _record: Record
    gave_all: bool = False

    @property
    def size(self) -> int:
        # As it was when the file was opened: asking the source might wait for a disk.
        return self._video_file.plan.video_size

    @property
    def fingerprint(self) -> str:
        return self._video_file.source.fingerprint

    def read(self, start: int, length: int, /) -> bytes:
        block = read_from(self._video_file.source, start, length)
        self._given(start, len(block))
        return block

    def _given(self, start: int, length: int) -> None:
        if length and start + length >= self.size:
            check_unchanged(self._video_file, self._record)
            self.gave_all = True


@define
class _GuardedBuffers(_Guarded):
    """The same for a source that fills buffers, which costs less than new memory for each block."""

    def read_into(self, start: int, buffer: memoryview, /) -> int:
        got = read_from_into(cast(FillsBuffers, self._video_file.source), start, buffer)
        self._given(start, got)
        return got


def guarded(video_file: VideoFile, record: Record) -> _Guarded:
    """Return the file's source, guarded for this post."""
    return (_GuardedBuffers if isinstance(video_file.source, FillsBuffers) else _Guarded)(video_file, record)
