"""What a post looks like in public: its address, and what sets it apart from others where TikTok does not name it.

Sources: developers.tiktok.com/doc/tiktok-api-v2-video-list, /doc/content-posting-api-reference-get-video-status.
"""

from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote

from tiktok_core.domain.creator import PrivacyLevel
from tiktok_core.domain.display import CAPTION_SHOWN, FoundPost, Video
from tiktok_core.domain.journal import Record
from tiktok_core.domain.posts import PhotoPost, VideoPost

__all__ = ["caption", "found_post", "has_photos", "is_alike", "is_listed", "is_private", "post_times"]

SLACK: Final = timedelta(minutes=2)
"""By how much two clocks may differ."""
LATEST: Final = timedelta(hours=2)
"""How long after its hand-over a post may have come to be: a pull may take one hour, and TikTok's own work another."""
SITE: Final = "https://www.tiktok.com"


def found_post(post_id: str, video: Video | None, *, handle: str, photos: bool, is_certain: bool = True) -> FoundPost:
    """Return where a post is shown: as TikTok said, or under its creator's handle if that is known.

    Args:
        post_id: the public post.
        video: it in the list of videos; None where it was not found there.
        handle: its creator's; empty where it is not known.
        photos: whether it is made of photos.
        is_certain: whether TikTok named it as this post.
    """
    canonical = f"{SITE}/@{quote(handle, safe='')}/{'photo' if photos else 'video'}/{post_id}" if handle else None
    return FoundPost(
        id=post_id,
        share_url=(video and video.share_url) or canonical,
        embed_link=(video and video.embed_link) or f"{SITE}/embed/v2/{post_id}",
        is_certain=is_certain,
    )


def has_photos(record: Record | None, publish_id: str) -> bool:
    """Whether a post is made of photos: as the journal knows or, without it, as publish ids are spelled."""
    return publish_id.startswith("p_") if record is None else isinstance(record.wish.post, PhotoPost)


def is_private(record: Record) -> bool:
    """Whether only its creator may watch a post, so that no public id ever comes."""
    return not record.wish.post.draft and record.wish.post.privacy_level == PrivacyLevel.SELF_ONLY


def is_listed(record: Record) -> bool:
    """Whether a post may be in the list of videos under the caption that was wished. A draft's is its creator's."""
    is_direct_video = isinstance(record.wish.post, VideoPost) and not record.wish.post.draft
    return is_direct_video and record.init_at is not None and not is_private(record)


def post_times(record: Record) -> tuple[datetime, datetime]:
    """Return when a post can have come to be, at the earliest and at the latest (UTC)."""
    begun = record.init_at or record.created_at
    return _moved(begun, -SLACK), _moved(record.handed_at or begun, LATEST + SLACK)


def _moved(moment: datetime, by: timedelta) -> datetime:
    try:
        return moment + by
    except (
        OverflowError
    ):  # A damaged record may name the first or the last moment that there is: it costs no other post.
        return moment


def caption(record: Record) -> str:
    """Return a post's caption as the list of videos shows it."""
    return record.wish.post.title[:CAPTION_SHOWN].strip()


def is_alike(record: Record, video: Video) -> bool:
    """Whether a video has a post's caption, and a time that the post can have."""
    if not video.id or video.create_time is None:
        return False
    first, last = (moment.timestamp() for moment in post_times(record))
    shown = (video.title or video.video_description or "").strip()
    return first <= video.create_time <= last and shown == caption(record)
