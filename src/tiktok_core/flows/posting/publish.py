"""Publishing, top to bottom: check what is asked for, enter it in the journal, and take steps until the post has ended.

A post is a loop over `advance`; so is going on with one after a crash, in another process.

What belongs here: what a client's method does with a post, from its first line to its last. The parts are in the other modules.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from attrs import evolve

from tiktok_core.domain.creator import CreatorInfo
from tiktok_core.domain.forgetting import Trace, trace_refusal
from tiktok_core.domain.journal import Record
from tiktok_core.domain.pacing import Quota
from tiktok_core.domain.posts import PhotoPost, VideoPost, is_documented
from tiktok_core.domain.publishing import Publication, Step
from tiktok_core.domain.verdicts import Verdict, finished, not_refused
from tiktok_core.errors import InvalidInput, InvalidPost, LeaseLost, Problem, TikTokError
from tiktok_core.flows.calls.access import authorized
from tiktok_core.flows.calls.context import Context
from tiktok_core.flows.calls.disks import is_given
from tiktok_core.flows.posting.check import photo_wish, video_wish
from tiktok_core.flows.posting.entry import Terms, enter, known, remembered, unseen
from tiktok_core.flows.posting.run import OnProgress, Run
from tiktok_core.flows.posting.turn import Gone, judged
from tiktok_core.flows.posting.video_file import VideoFile, let_go, open_video, taken_in
from tiktok_core.ports import Given, HasPath, Source
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


def _named(context: Context, account: str, key: str | None) -> tuple[str, Context]:
    """Return the key of a new post, a random one unless given, and a context whose log has it from the first line on."""
    key = context.entropy(12).hex() if key is None else key
    return key, context.about(account=account, key=key)


async def post_video(
    context: Context,
    account: str,
    video: str | HasPath | Source | Given,
    post: VideoPost,
    *,
    chunk_size: int | None,
    key: str | None,
    on_progress: OnProgress | None,
    wait: bool,
) -> Publication:
    """Post a video from a file, a source, or a URL that TikTok pulls."""
    key, context = _named(context, account, key)
    taken = await taken_in(context, video, post)
    try:
        wish, video_file = await _wished(
            context, account, post, lambda creator: video_wish(context, taken, post, chunk_size, creator=creator)
        )
        found = await enter(context, account, wish, key)
        # A file that was opened by its name is closed until its turn comes: many posts may wait, and each open file counts.
        given = video_file if video_file is not None and video_file.source is taken else None
        del video_file
        return await _to_its_end(context, found, key, given, on_progress, wait=wait, error=InvalidPost)
    finally:
        let_go(taken, video)


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
    video: str | HasPath,
    post: VideoPost,
    terms: Terms,
    *,
    chunk_size: int | None,
    key: str | None,
) -> Record:
    """Enter a video in the journal, and leave it to others to post it."""
    if is_given(video):
        raise _nameless()
    key, context = _named(context, account, key)
    wish, video_file = await _wished(
        context, account, post, lambda creator: video_wish(context, video, post, chunk_size, creator=creator)
    )
    if video_file is not None and video_file.name is None:
        raise _nameless()
    return await _entered(context, await enter(context, account, wish, key, terms), key, terms)


def _nameless() -> InvalidPost:
    return InvalidPost(
        (Problem("video", "is a source without a name, which nobody could open later; give the name of a file"),)
    )


async def enter_photos(context: Context, account: str, post: PhotoPost, terms: Terms, *, key: str | None) -> Record:
    """Enter photos in the journal, and leave it to others to post them."""
    key, context = _named(context, account, key)
    wish = await _wished(context, account, post, lambda creator: photo_wish(context, post, creator=creator))
    return await _entered(context, await enter(context, account, wish, key, terms), key, terms)


async def _entered(context: Context, found: Record | Trace, key: str, terms: Terms) -> Record:
    if isinstance(found, Trace):
        raise trace_refusal(found, InvalidPost) or InvalidPost(
            (Problem("key", f"{key!r} was posted before; take another key"),)
        )
    if not_refused(found).is_ended or found.is_entered or not terms.is_entered:
        return found
    # A caller began it by itself before, and now leaves it to the workers.
    try:
        return await judged(
            context, found, lambda record, _now: Verdict(record=evolve(record, is_entered=True)), at_once=False
        )
    except LeaseLost:
        return found  # Its owner goes on with it.


async def resume(
    context: Context,
    account: str,
    key: str,
    video: str | HasPath | Source | Given | None,
    *,
    on_progress: OnProgress | None,
    wait: bool,
) -> Publication:
    """Go on with a post of the journal; return one that has ended as it ended."""
    context = context.about(account=account, key=key)
    found = await known(context, account, key)
    taken = None if video is None else await taken_in(context, video)
    try:
        video_file = None if taken is None else await open_video(context, taken, None)
        return await _to_its_end(context, found, key, video_file, on_progress, wait=wait, error=InvalidInput)
    finally:
        let_go(taken, video)


async def advance(
    context: Context,
    account: str,
    key: str,
    video: str | HasPath | Source | Given | None,
    *,
    until_wait: float | None,
    stop: Callable[[], bool] | None,
) -> Step:
    """Take one step of a post of the journal, or several in a row, and say when to come again."""
    context = context.about(account=account, key=key)
    # A single step reads the record under its lease. A stretch of steps may wait for an upload slot first.
    found = unseen(context, account, key) if until_wait is None else await known(context, account, key)
    taken = None if video is None else await taken_in(context, video)
    try:
        video_file = None if taken is None else await open_video(context, taken, None)
        while isinstance(found, Record):
            try:
                return await Run(context, found, video_file, None).advance(until_wait, stop)
            except Gone:
                found = await known(context, account, key)
    finally:
        let_go(taken, video)
    return Step(publication=remembered(context, found, key, InvalidInput), again_in=None)


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
