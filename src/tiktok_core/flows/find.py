"""Finding what a post has become in public: by the id that TikTok names, or else by its caption and its time.

The id may come long after the post is done, and for private posts it never comes.
"""

from datetime import timedelta
from typing import Final

from tiktok_core.domain.app import Scope
from tiktok_core.domain.journal import Record, record_name
from tiktok_core.domain.library import CAPTION_SHOWN, FoundPost, Video
from tiktok_core.domain.publishing import poll_pause
from tiktok_core.flows.access import usable_tokens
from tiktok_core.flows.exchange import Context
from tiktok_core.flows.follow import publish_status
from tiktok_core.flows.library import AsyncVideos, query_videos
from tiktok_core.flows.watch import Watch

__all__ = ["find_post"]

SLACK: Final = timedelta(minutes=2)
"""By how much two clocks may differ."""
EMBED: Final = "https://www.tiktok.com/embed/v2/"
FIELDS: Final = ("id", "create_time", "title", "video_description", "share_url", "embed_link")


async def find_post(context: Context, account: str, name: str, *, wait: bool) -> tuple[FoundPost, ...]:
    """Return what the post has become in public; nothing while it is not public, or private for ever.

    Args:
        context: what to work with.
        account: whose post it is.
        name: its key in the journal, or its publish id.
        wait: ask again until it is found or patience has ended.
    """
    watch = Watch(context.clock)
    while True:
        found = await _found(context, account, name)
        waited = watch.look(most=context.patience.deadline)
        pause = poll_pause(waited)
        if found or not wait or waited + pause > context.follow_for:
            return found
        await context.clock.sleep(pause)
        watch.slept(pause)


async def _found(context: Context, account: str, name: str) -> tuple[FoundPost, ...]:
    record = await _record(context, account, name)
    publish_id = name if record is None else record.publish_id
    known = None if publish_id is None else await publish_status(context, account, publish_id)
    may_list = (await usable_tokens(context, account)).allows(Scope.VIDEO_LIST)
    if known is not None and known.post_ids:
        ids = [str(post_id) for post_id in known.post_ids]
        videos = await query_videos(context, account, ids, FIELDS) if may_list else ()
        pages = {video.id: video for video in videos}
        return tuple(_by_id(post_id, pages.get(post_id)) for post_id in ids)
    if record is None or not may_list:
        return ()
    return await _alike(context, account, record)


async def _record(context: Context, account: str, name: str) -> Record | None:
    mine = record_name(context.app.client_key, account, "")
    record = await context.journal.load(mine + name)
    if record is not None:
        return record
    return next((one for one in await context.journal.records(mine) if one.publish_id == name), None)


async def _alike(context: Context, account: str, record: Record) -> tuple[FoundPost, ...]:
    """Return the videos that have the post's caption and came after it: one is likely, of several nobody can say."""
    caption = record.wish.post.title[:CAPTION_SHOWN].strip()
    since = ((record.init_at or record.created_at) - SLACK).timestamp()
    found = []
    async for video in AsyncVideos(context, account, None, FIELDS):
        if video.create_time is not None and video.create_time < since:
            break
        shown = (video.title or video.video_description or "").strip()
        if caption and shown == caption and video.id:
            found.append(
                FoundPost(id=video.id, share_url=video.share_url, embed_link=_embed(video.id, video), is_certain=False)
            )
    return tuple(found)


def _by_id(post_id: str, video: Video | None) -> FoundPost:
    share_url = video.share_url if video else None
    return FoundPost(id=post_id, share_url=share_url, embed_link=_embed(post_id, video), is_certain=True)


def _embed(post_id: str, video: Video | None) -> str:
    return (video.embed_link if video else None) or f"{EMBED}{post_id}"
