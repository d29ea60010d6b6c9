"""The public side of a post: its address, and how to recognise it if TikTok does not report its public id.

Sources: developers.tiktok.com/doc/tiktok-api-v2-video-list, /doc/content-posting-api-reference-get-video-status.
"""

from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote

from tiktok_core.domain.creator import PrivacyLevel
from tiktok_core.domain.display import CAPTION_SHOWN, FoundPost, Video
from tiktok_core.domain.journal import Record
from tiktok_core.domain.posts import PhotoPost, VideoPost

__all__ = ["caption", "found_post", "has_photos", "is_alike", "is_listed", "is_private", "moved", "post_times"]

SLACK: Final = timedelta(minutes=2)
"""The most by which TikTok's clock and ours may differ."""
LATEST: Final = timedelta(hours=2)
"""The longest time from the end of the upload to the public post: a pull may take one hour, and TikTok's own work another."""
SITE: Final = "https://www.tiktok.com"


def found_post(post_id: str, video: Video | None, *, handle: str, photos: bool, is_certain: bool = True) -> FoundPost:
    """Return a public post with its addresses: those that TikTok gave, or ones made from the creator's handle.

    Args:
        post_id: TikTok's id of the public post.
        video: the post in the list of videos; None if it is not there.
        handle: the creator's handle; empty if unknown.
        photos: whether it is a photo post.
        is_certain: whether TikTok itself named it for this post.
    """
    canonical = f"{SITE}/@{quote(handle, safe='')}/{'photo' if photos else 'video'}/{post_id}" if handle else None
    return FoundPost(
        id=post_id,
        share_url=(video and video.share_url) or canonical,
        embed_link=(video and video.embed_link) or f"{SITE}/embed/v2/{post_id}",
        is_certain=is_certain,
    )


def has_photos(record: Record | None, publish_id: str) -> bool:
    """Whether this is a photo post. The journal's record says so; without a record, the spelling of the publish id does."""
    return publish_id.startswith("p_") if record is None else isinstance(record.wish.post, PhotoPost)


def is_private(record: Record) -> bool:
    """Whether only the creator may watch a post, so that it never gets a public id."""
    return not record.wish.post.draft and record.wish.post.privacy_level == PrivacyLevel.SELF_ONLY


def is_listed(record: Record) -> bool:
    """Whether a post can be in the list of videos with the requested caption. The creator may change a draft's caption."""
    is_direct_video = isinstance(record.wish.post, VideoPost) and not record.wish.post.draft
    return is_direct_video and record.init_at is not None and not is_private(record)


def post_times(record: Record) -> tuple[datetime, datetime]:
    """Return the earliest and the latest time at which the public post can have appeared (UTC)."""
    begun = record.init_at or record.created_at
    return moved(begun, -SLACK), moved(record.handed_at or begun, LATEST + SLACK)


def moved(moment: datetime, by: timedelta) -> datetime:
    """Return the moment, moved by so much; the moment itself where that is no date any more."""
    try:
        return moment + by
    except (
        OverflowError
    ):  # A damaged record may name the first or the last moment that there is: it costs no other post.
        return moment


def caption(record: Record) -> str:
    """Return a post's caption in the form in which the list of videos shows it."""
    return record.wish.post.title[:CAPTION_SHOWN].strip()


def is_alike(record: Record, video: Video) -> bool:
    """Whether a video has the post's caption and a time that fits the post."""
    if not video.id or video.create_time is None:
        return False
    first, last = (moment.timestamp() for moment in post_times(record))
    shown = (video.title or video.video_description or "").strip()
    return first <= video.create_time <= last and shown == caption(record)
