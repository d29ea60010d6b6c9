"""The life of a post after it was handed over: the words of its status, which of them are final, when to ask again.

Source: developers.tiktok.com/doc/content-posting-api-reference-get-video-status.
"""

from enum import StrEnum
from typing import Final, Literal

from attrs import evolve, frozen

from tiktok_core.domain.chunks import ChunkPlan
from tiktok_core.domain.tokens import Secret
from tiktok_core.errors import InvalidInput, Problem

__all__ = [
    "NOT_POSTED",
    "Begun",
    "Progress",
    "Publication",
    "PublishStatus",
    "Step",
    "check_publish_id",
    "further",
    "is_publish_id",
    "poll_pause",
]

FIRST_WAIT: Final = 1.0
WAIT_GROWTH: Final = 1.5
LONGEST_WAIT: Final = 10.0
LONGEST_ID: Final = 64


class PublishStatus(StrEnum):
    """The documented words. A word that TikTok adds later is kept as it came and is not final."""

    PROCESSING_UPLOAD = "PROCESSING_UPLOAD"
    PROCESSING_DOWNLOAD = "PROCESSING_DOWNLOAD"
    SEND_TO_USER_INBOX = "SEND_TO_USER_INBOX"
    PUBLISH_COMPLETE = "PUBLISH_COMPLETE"
    FAILED = "FAILED"


NOT_POSTED: Final = "NOT_POSTED"
"""Our own word for a post that was given up, or settled so by a person, before TikTok had published anything."""
FINAL: Final = (
    PublishStatus.SEND_TO_USER_INBOX,
    PublishStatus.PUBLISH_COMPLETE,
    PublishStatus.FAILED,
    NOT_POSTED,
)


@frozen(kw_only=True)
class Begun:
    """What TikTok answers to an init: what the begun post is known by.

    Attributes:
        publish_id: opaque, at most 64 characters.
        upload_url: where the bytes go within one hour; None when TikTok pulls them. A secret: never shown.
    """

    publish_id: str
    upload_url: Secret | None = None


@frozen(kw_only=True)
class Publication:
    """A post as TikTok last reported it.

    Attributes:
        publish_id: the post's id while it is being published.
        status: one of `PublishStatus`, a word that TikTok added later, or `NOT_POSTED` where nothing came of it.
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
class Step:
    """One step of a post.

    Attributes:
        publication: the post as it is now.
        again_in: seconds after which to come again; None when it has ended.
        is_ours: whether the step was taken here; otherwise another owner goes on with the post.
    """

    publication: Publication
    again_in: float | None
    is_ours: bool = True


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


def further(known: Publication | None, heard: Publication) -> Publication:
    """Return the more advanced of two statuses of one post, the older being `known`.

    A lagging server may report less than is known, and takes nothing back by that; a late failure, and a draft that was
    posted, do replace what is known. An id is not taken back by a status that names none.
    """
    if known is None:
        return heard
    if _distance(heard) < _distance(known):
        return known
    return heard if heard.post_ids else evolve(heard, post_ids=known.post_ids)


def _distance(publication: Publication) -> int:
    """Return how far a post is: under way, before its creator, at one of its two ends."""
    return (publication.status in FINAL) + (
        publication.status in {PublishStatus.PUBLISH_COMPLETE, PublishStatus.FAILED}
    )


def poll_pause(elapsed: float) -> float:
    """Return the seconds to wait before the next question, `elapsed` seconds after TikTok had all that it needs.

    That gives 1, then each wait 1.5 times the last, at most 10, without remembering any of them.
    """
    # What was handed over ahead of `now` was handed over before the clock went back: how long ago is unknown.
    return LONGEST_WAIT if elapsed < 0 else min(FIRST_WAIT + elapsed * (WAIT_GROWTH - 1), LONGEST_WAIT)


def is_publish_id(text: str) -> bool:
    """Whether a text can be a publish id: TikTok's are opaque, at most 64 characters, printable ASCII without blanks."""
    return text.isascii() and text.isprintable() and 0 < len(text) <= LONGEST_ID and " " not in text


def check_publish_id(publish_id: str) -> None:
    """Refuse what cannot be a publish id.

    Raises:
        InvalidInput: it is none.
    """
    if not is_publish_id(publish_id):
        raise InvalidInput(
            (Problem("publish_id", f"is 1 to {LONGEST_ID} characters without blanks, as TikTok gave it"),)
        )
