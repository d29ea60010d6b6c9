"""The life of a post after it was handed over: the words of its status, which of them are final, when to ask again.

Source: developers.tiktok.com/doc/content-posting-api-reference-get-video-status.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Final, Literal

from attrs import frozen

from tiktok_core.domain.chunks import ChunkPlan

__all__ = ["Progress", "Publication", "PublishStatus", "Ticket", "follow", "poll_waits"]

FIRST_WAIT: Final = 1.0
WAIT_GROWTH: Final = 1.5
LONGEST_WAIT: Final = 10.0


class PublishStatus(StrEnum):
    """The documented words. A word that TikTok adds later is kept as it came and is not final."""

    PROCESSING_UPLOAD = "PROCESSING_UPLOAD"
    PROCESSING_DOWNLOAD = "PROCESSING_DOWNLOAD"
    SEND_TO_USER_INBOX = "SEND_TO_USER_INBOX"
    PUBLISH_COMPLETE = "PUBLISH_COMPLETE"
    FAILED = "FAILED"


FINAL: Final = (PublishStatus.SEND_TO_USER_INBOX, PublishStatus.PUBLISH_COMPLETE, PublishStatus.FAILED)


@frozen(kw_only=True)
class Ticket:
    """What a begun post is known by.

    Attributes:
        publish_id: opaque, at most 64 characters.
        upload_url: where the bytes go within one hour; None when TikTok pulls them. A secret: never shown.
    """

    publish_id: str
    upload_url: str | None = None

    def __repr__(self) -> str:
        return f"Ticket(publish_id={self.publish_id!r})"


@frozen(kw_only=True)
class Publication:
    """A post as TikTok last told of it.

    Attributes:
        publish_id: the post's id while it is being published.
        status: one of `PublishStatus`, or a word that TikTok added later.
        fail_reason: why it failed; empty otherwise.
        post_ids: ids of the public posts it became, as 64-bit numbers; private posts never get one, and a draft may
            become several.
        uploaded_bytes: bytes that TikTok has of a file; None when it did not say.
        downloaded_bytes: bytes that TikTok has pulled; None when it did not say.
        key: what the post is known by in the journal; None for a post of which it knows nothing.
    """

    publish_id: str
    status: str
    fail_reason: str = ""
    post_ids: tuple[int, ...] = ()
    uploaded_bytes: int | None = None
    downloaded_bytes: int | None = None
    key: str | None = None

    @property
    def is_final(self) -> bool:
        """Whether nothing more has to be done or awaited by the app (a draft in the inbox waits for its creator)."""
        return self.status in FINAL

    @property
    def is_failed(self) -> bool:
        """Whether TikTok gave the post up."""
        return self.status == PublishStatus.FAILED


@frozen(kw_only=True)
class Progress:
    """How far a post is, for a progress bar.

    Attributes:
        stage: `uploading` while bytes leave, `processing` from then on.
        sent_bytes: bytes that have left; never shrinks, never above `video_size`.
        video_size: bytes in all; 0 when TikTok pulls them.
        status: TikTok's last word; empty while uploading.
        publish_id: the post.
        plan: the chunk plan; None when TikTok pulls the bytes.
    """

    stage: Literal["uploading", "processing"]
    sent_bytes: int
    video_size: int
    publish_id: str
    status: str = ""
    plan: ChunkPlan | None = None


def follow(known: Publication | None, told: Publication) -> Publication:
    """Return which of two tidings of one post to believe, the older being `known`.

    A final word is not taken back by an unfinished one, which a lagging server may still give; a late failure and a
    draft that was posted do replace it.
    """
    if known is not None and known.is_final and not told.is_final:
        return known
    return told


def poll_waits() -> Iterator[float]:
    """Yield the seconds to wait before each question for the status: 1, then each 1.5 times the last, at most 10."""
    wait = FIRST_WAIT
    while True:
        yield wait
        wait = min(wait * WAIT_GROWTH, LONGEST_WAIT)
