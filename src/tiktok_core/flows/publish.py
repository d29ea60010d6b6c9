"""Publishing, top to bottom: look at what is wished, enter it in the journal, and take steps until it has ended.

A post is a loop over `advance`; so is going on with one after a crash, in another process.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from tiktok_core.domain.creator import CreatorInfo
from tiktok_core.domain.journal import Record, Stage, record_name, settled
from tiktok_core.domain.pacing import Quota
from tiktok_core.domain.posts import PhotoPost, VideoPost, is_documented
from tiktok_core.domain.publishing import Publication, Step
from tiktok_core.errors import InvalidInput, InvalidPost, LeaseLost, Problem, TikTokError
from tiktok_core.flows.access import authorized
from tiktok_core.flows.exchange import Context
from tiktok_core.flows.hold import save, take
from tiktok_core.flows.leases import given_back
from tiktok_core.flows.run import OnProgress, Run
from tiktok_core.flows.wish import enter, known, open_film, photo_wish, video_wish
from tiktok_core.ports import HasPath, Source
from tiktok_core.wire.publishing import creator_info_request, read_creator_info

__all__ = ["creator_info", "one_step", "post_photos", "post_video", "posts", "resume", "settle", "unfinished"]

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


async def post_video(
    context: Context,
    account: str,
    video: str | HasPath | Source,
    post: VideoPost,
    *,
    chunk_size: int | None,
    key: str | None,
    on_progress: OnProgress | None,
    until_final: bool,
) -> Publication:
    """Post a video from a file, a source, or a URL that TikTok pulls."""
    wish, film = await _wished(
        context, account, post, lambda creator: video_wish(context, video, post, chunk_size, creator=creator)
    )
    record = await enter(context, account, wish, key)
    # A file that was opened here is closed until its turn comes: many posts may wait for theirs.
    given = film if film is not None and film.source is video else None
    del film
    return await Run(context, record, given, on_progress).to_its_end(until_final=until_final)


async def post_photos(
    context: Context,
    account: str,
    post: PhotoPost,
    *,
    key: str | None,
    on_progress: OnProgress | None,
    until_final: bool,
) -> Publication:
    """Post photos that TikTok pulls from URLs."""
    wish = await _wished(context, account, post, lambda creator: photo_wish(context, post, creator=creator))
    record = await enter(context, account, wish, key)
    return await Run(context, record, None, on_progress).to_its_end(until_final=until_final)


async def resume(
    context: Context,
    account: str,
    key: str,
    video: str | HasPath | Source | None,
    *,
    on_progress: OnProgress | None,
    until_final: bool,
) -> Publication:
    """Go on with a post of the journal; one that has ended is told as it ended."""
    record = await known(context, account, key)
    film = None if video is None else await open_film(context, video, None)
    return await Run(context, record, film, on_progress).to_its_end(until_final=until_final)


async def one_step(context: Context, account: str, key: str, video: str | HasPath | Source | None) -> Step:
    """Take one step of a post of the journal, and say when to come again."""
    record = await known(context, account, key)
    film = None if video is None else await open_film(context, video, None)
    return await Run(context, record, film, None).one_step()


async def posts(context: Context, account: str) -> tuple[Record, ...]:
    """Return the account's records, the oldest first."""
    return await context.journal.records(record_name(context.app.client_key, account, ""))


async def unfinished(context: Context, account: str) -> tuple[Record, ...]:
    """Return the account's records of posts that have not ended, the oldest first."""
    return tuple(record for record in await posts(context, account) if not record.is_ended)


async def settle(context: Context, account: str, key: str, *, posted: bool) -> Publication:
    """Write down what a person found out about a post whose outcome was unknown."""
    record = await known(context, account, key)
    owner = context.entropy(16).hex()
    async with given_back(context, context.journal, record.name, owner):
        hold = await take(context, record.name, owner)
        if hold is None:
            raise LeaseLost(key)
        if hold.record.stage is not Stage.UNKNOWN:
            said = f"is {hold.record.stage}; only an unknown outcome can be settled"
            raise InvalidInput((Problem("key", said),))
        return (await save(context, hold, settled(hold.record, context.clock.now(), posted=posted))).shown
