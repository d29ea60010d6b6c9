"""What TikTok tells by itself: its webhook events as values.

Sources: developers.tiktok.com/doc/webhooks-overview, /doc/webhooks-events. What belongs here: one value for each documented
event, and the key by which a repeated one is recognised. How they are spelled and signed is `wire.webhooks`.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from attrs import field, frozen

from tiktok_core.domain.publishing import Publication, PublishStatus

__all__ = [
    "REMOVAL_REASONS",
    "AuthorizationRemoved",
    "DownloadReady",
    "DraftDelivered",
    "Event",
    "Ping",
    "PostComplete",
    "PostEvent",
    "PostFailed",
    "PostNoLongerPublic",
    "PostPublic",
    "UnknownEvent",
    "VideoKitEvent",
    "status_after",
]

REMOVAL_REASONS: Final[Mapping[int, str]] = {
    0: "for an unknown reason",
    1: "the person disconnected the app",
    2: "the person's account was deleted",
    3: "the person's age changed",
    4: "the person's account was banned",
    5: "the developer revoked it",
}
"""Why an account's tokens are dead, by the number of `AuthorizationRemoved`."""


@frozen(kw_only=True)
class Event:
    """One webhook. TikTok promises to deliver each at least once, and no order.

    Attributes:
        name: the event, in TikTok's spelling.
        client_key: the app that it is for.
        open_id: the account that it is about; empty where TikTok names none.
        created_at: when it happened (UTC); when it was signed, where TikTok gives no time.
        signed_at: when this delivery was signed (UTC); whether a repeated delivery is signed again is unknown.
        content: all that came with it, as it came: a mapping for each documented event, and for others any JSON value,
            which is its text where that is no JSON.
        create_time: TikTok's own figure for `created_at`; None where it gave none.
    """

    name: str
    client_key: str
    open_id: str
    created_at: datetime
    signed_at: datetime
    content: Any = field(repr=False)
    create_time: Any = field(default=None, repr=False)

    @property
    def key(self) -> str:
        """A word that is the same for each delivery of one event: keep it, and a repeated event is recognised.

        It is a digest of all that was said of the event, and of nothing that was said of the delivery.
        """
        said = (self.name, self.client_key, self.open_id, self.create_time, self.content)
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


@frozen(kw_only=True)
class UnknownEvent(Event):
    """An event that TikTok added later, or one whose content is not as documented."""


@frozen(kw_only=True)
class Ping(Event):
    """The portal's test button."""

    reason: str


@frozen(kw_only=True)
class AuthorizationRemoved(Event):
    """The account's tokens are dead.

    Attributes:
        reason: TikTok's number; `REMOVAL_REASONS` has it in words.
    """

    reason: int


@frozen(kw_only=True)
class PostEvent(Event):
    """Something became of a post.

    Attributes:
        publish_id: the post.
        publish_type: TikTok's word for how it was posted, such as `INBOX_SHARE`; empty where it gave none.
    """

    publish_id: str
    publish_type: str = ""


@frozen(kw_only=True)
class PostFailed(PostEvent):
    """TikTok gave it up; `reason` is the same word as the status's `fail_reason`."""

    reason: str


@frozen(kw_only=True)
class PostComplete(PostEvent):
    """It is posted; a draft each time its creator posts it."""


@frozen(kw_only=True)
class DraftDelivered(PostEvent):
    """It waits in the creator's inbox."""


@frozen(kw_only=True)
class PostPublic(PostEvent):
    """Everybody may watch it, as `post_id`."""

    post_id: int


@frozen(kw_only=True)
class PostNoLongerPublic(PostEvent):
    """Not everybody may watch `post_id` any more."""

    post_id: int


@frozen(kw_only=True)
class VideoKitEvent(Event):
    """An upload of the older Video Kit ended, as its name says."""

    share_id: str


@frozen(kw_only=True)
class DownloadReady(Event):
    """The archive of a Data Portability request can be downloaded."""

    request_id: int


def status_after(event: PostEvent, known: Publication) -> Publication:
    """Return what is known of a post after the event, as if its status had been asked."""
    post_ids, status, reason = known.post_ids, known.status, known.fail_reason
    if isinstance(event, PostFailed):
        status, reason = PublishStatus.FAILED, event.reason
    elif isinstance(event, DraftDelivered):
        # Events come in no order: a draft that was posted has been delivered, too.
        status = known.status if known.is_final else PublishStatus.SEND_TO_USER_INBOX
    elif isinstance(event, (PostComplete, PostPublic)):
        status, reason = PublishStatus.PUBLISH_COMPLETE, ""
    if isinstance(event, PostPublic) and event.post_id not in post_ids:
        post_ids = (*post_ids, event.post_id)
    if isinstance(event, PostNoLongerPublic):
        post_ids = tuple(post_id for post_id in post_ids if post_id != event.post_id)
    return Publication(
        publish_id=known.publish_id,
        status=status,
        fail_reason=reason,
        post_ids=post_ids,
        uploaded_bytes=known.uploaded_bytes,
        downloaded_bytes=known.downloaded_bytes,
        key=known.key,
    )
