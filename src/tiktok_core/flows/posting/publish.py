"""Publishing, top to bottom: check what is asked for, enter it in the journal, and take steps until the post has ended.

A post is a loop over `advance`; so is going on with one after a crash, in another process.

What belongs here: what a client's method does with a post, from its first line to its last. The parts are in the other modules.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final, TypeVar

from tiktok_core.domain.creator import CreatorInfo
from tiktok_core.domain.forgetting import Trace
from tiktok_core.domain.journal import Record, Wish
from tiktok_core.domain.pacing import Quota
from tiktok_core.domain.posts import PhotoPost, VideoPost, is_documented
from tiktok_core.domain.publishing import Publication, Step
from tiktok_core.domain.tokens import Secret
from tiktok_core.domain.verdicts import finished
from tiktok_core.errors import InvalidInput, InvalidPost, Problem, TikTokError
from tiktok_core.flows.calls.access import authorized
from tiktok_core.flows.calls.context import Context
from tiktok_core.flows.calls.disks import Openable, is_given, taken_in
from tiktok_core.flows.posting.check import is_to_be_opened, photo_wish, video_wish
from tiktok_core.flows.posting.entry import Terms, enter, has_all, known, left_to_workers, remembered, unseen
from tiktok_core.flows.posting.run import OnProgress, Run
from tiktok_core.flows.posting.turn import Gone
from tiktok_core.flows.posting.video_file import VideoFile, open_video
from tiktok_core.ports import Media
from tiktok_core.wire.publishing import creator_info_request, read_creator_info

__all__ = [
    "advance",
    "creator_info",
    "enter_photos",
    "enter_video",
    "post_photos",
    "post_video",
    "resume",
]

T = TypeVar("T")
NAMELESS: Final = Problem(
    "video", "is a source without a name, which no later step could open; give the name of a file"
)


async def creator_info(context: Context, account: str) -> CreatorInfo:
    """Ask what this creator may post now."""
    ask = partial(creator_info_request, context.endpoints)
    return await authorized(context, account, ask, read_creator_info, quota=Quota.CREATOR_INFO)


async def _wished(
    context: Context,
    account: str,
    post: VideoPost | PhotoPost,
    make: Callable[[CreatorInfo | None], Awaitable[T]],
) -> T:
    """Return what `make` makes of the post; where nothing is wrong but an unknown level, after a look at the creator's.

    TikTok may have added it, or it is misspelt: only the creator's own list can tell.
    """
    try:
        return await make(None)
    except InvalidPost as error:
        if is_documented(post.privacy_level) or any(problem.field != "privacy_level" for problem in error.problems):
            raise
        try:
            creator = await creator_info(context, account)
        except TikTokError:
            raise error from None
    return await make(creator)


async def _wished_video(
    context: Context,
    account: str,
    video: Openable,
    post: VideoPost,
    key: str,
    *,
    chunk_size: int | None,
    upload: bool | None,
) -> tuple[Wish, VideoFile | None]:
    if isinstance(video, Secret) and is_to_be_opened(context, video, upload):
        unopened = Wish(post=post, video=video.reveal(), upload=True)
        if await has_all(context, account, unopened, key):
            return unopened, None
    return await _wished(
        context,
        account,
        post,
        lambda creator: video_wish(context, video, post, chunk_size, creator=creator, upload=upload),
    )


def _named(context: Context, account: str, key: str | None) -> tuple[str, Context]:
    """Return the key of a new post, a random one unless given, and a context whose log has it from the first line on."""
    key = context.entropy(12).hex() if key is None else key
    return key, context.about(account=account, key=key)


async def post_video(
    context: Context,
    account: str,
    video: Media | Secret,
    post: VideoPost,
    *,
    chunk_size: int | None,
    upload: bool | None,
    key: str | None,
    on_progress: OnProgress | None,
    wait: bool,
) -> Publication:
    """Post a video from a file, a source, or a URL that TikTok pulls or the library opens."""
    key, context = _named(context, account, key)
    async with taken_in(context, video, post) as taken:
        wish, video_file = await _wished_video(context, account, taken, post, key, chunk_size=chunk_size, upload=upload)
        found = await enter(context, account, wish, key)
        # A file that was opened by its name is closed until its turn comes: many posts may wait. What lies elsewhere stays open.
        is_kept = video_file is not None and (video_file.source is taken or isinstance(taken, Secret))
        given = video_file if is_kept else None
        del video_file
        return await _to_its_end(context, found, key, given, on_progress, wait=wait, error=InvalidPost)


async def post_photos(
    context: Context,
    account: str,
    post: PhotoPost,
    *,
    key: str | None,
    on_progress: OnProgress | None,
    wait: bool,
) -> Publication:
    """Post photos that TikTok pulls from URLs."""
    key, context = _named(context, account, key)
    wish = await _wished(context, account, post, lambda creator: photo_wish(context, post, creator=creator))
    found = await enter(context, account, wish, key)
    return await _to_its_end(context, found, key, None, on_progress, wait=wait, error=InvalidPost)


async def enter_video(
    context: Context,
    account: str,
    video: Openable,
    post: VideoPost,
    terms: Terms,
    *,
    chunk_size: int | None,
    upload: bool | None,
    key: str | None,
) -> Record:
    """Enter a video in the journal, and leave it to others to post it."""
    if is_given(video):
        raise InvalidPost((NAMELESS,))
    key, context = _named(context, account, key)
    wish, video_file = await _wished_video(context, account, video, post, key, chunk_size=chunk_size, upload=upload)
    if video_file is not None and video_file.name is None:
        raise InvalidPost((NAMELESS,))
    return await left_to_workers(context, await enter(context, account, wish, key, terms), key, terms)


async def enter_photos(context: Context, account: str, post: PhotoPost, terms: Terms, *, key: str | None) -> Record:
    """Enter photos in the journal, and leave it to others to post them."""
    key, context = _named(context, account, key)
    wish = await _wished(context, account, post, lambda creator: photo_wish(context, post, creator=creator))
    return await left_to_workers(context, await enter(context, account, wish, key, terms), key, terms)


async def resume(
    context: Context,
    account: str,
    key: str,
    video: Media | Secret | None,
    *,
    on_progress: OnProgress | None,
    wait: bool,
) -> Publication:
    """Go on with a post of the journal; return one that has ended as it ended."""
    context = context.about(account=account, key=key)
    found = await known(context, account, key)
    async with _opened(context, found, video) as video_file:
        return await _to_its_end(context, found, key, video_file, on_progress, wait=wait, error=InvalidInput)


async def advance(
    context: Context,
    account: str,
    key: str,
    video: Media | Secret | None,
    *,
    until_wait: float | None,
    stop: Callable[[], bool] | None,
) -> Step:
    """Take one step of a post of the journal, or several in a row, and say when to come again."""
    context = context.about(account=account, key=key)
    # A single step reads the record under its lease. A stretch of steps may wait for an upload slot first.
    found = unseen(context, account, key) if until_wait is None else await known(context, account, key)
    async with _opened(context, found, video) as video_file:
        while isinstance(found, Record):
            try:
                return await Run(context, found, video_file, None).advance(until_wait, stop)
            except Gone:
                found = await known(context, account, key)
    return Step(publication=remembered(context, found, key, InvalidInput), again_in=None)


@asynccontextmanager
async def _opened(
    context: Context, found: Record | Trace, video: Media | Secret | None
) -> AsyncIterator[VideoFile | None]:
    """Yield the video that a caller gives to go on with, opened; None if it gives none, or if no bytes of it can be needed."""
    # A single step has not seen the record yet, and of the stand-in nothing counts.
    is_pulled = isinstance(found, Record) and found.wish.video is not None and found.wish.is_pulled
    if video is None or is_pulled or isinstance(found, Trace) or found.is_ended:
        yield None
        return
    async with taken_in(context, video) as taken:
        yield await open_video(context, taken, None)


async def _to_its_end(
    context: Context,
    found: Record | Trace,
    key: str,
    video_file: VideoFile | None,
    on_progress: OnProgress | None,
    *,
    wait: bool,
    error: type[InvalidInput],
) -> Publication:
    while isinstance(found, Record):
        try:
            return await Run(context, found, video_file, on_progress).to_its_end(wait=wait)
        except Gone:
            # It has ended meanwhile, and a process whose clock is ahead, or a person, has removed its record.
            key, found = found.key, await known(context, found.account, found.key)
    try:
        return finished(remembered(context, found, key, error))
    except TikTokError as refusal:
        refusal.name_post(key, found.publish_id)
        raise
