"""TikTok's webhook events as values.

Sources: developers.tiktok.com/doc/webhooks-overview, /doc/webhooks-events. This module holds one class for each documented
event, and the key by which a receiver recognises a repeated event. `wire.webhooks` holds their format and signature.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from attrs import field, frozen

from tiktok_core.domain.publishing import NOT_POSTED, Publication, PublishStatus

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
"""Why an account's tokens ended, for each number in `AuthorizationRemoved.reason`."""


@frozen(kw_only=True)
class Event:
    """One webhook event. TikTok delivers each event at least once, in any order.

    Attributes:
        name: the name of the event, as TikTok spells it.
        client_key: the client key of the app that the event is for.
        open_id: the account that the event is about; empty if TikTok names none.
        created_at: when the event happened (UTC); the time of the signature if TikTok gives no other.
        signed_at: when TikTok signed this delivery (UTC). It is unknown whether TikTok signs a repeated delivery again.
        content: the event's content, as it came: a mapping for a documented event, any JSON value for another one, or the
            text itself if it is not JSON.
        create_time: TikTok's own figure for `created_at`; None if it gave none.
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
        """A text that is the same for every delivery of one event. Store it to recognise repeated deliveries.

        It is a digest of everything that the webhook says about the event, without what it says about the delivery.
        """
        said = (self.name, self.client_key, self.open_id, self.create_time, self.content)
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


@frozen(kw_only=True)
class UnknownEvent(Event):
    """An event that TikTok added later, or one whose content differs from the documentation."""


@frozen(kw_only=True)
class Ping(Event):
    """A test event, sent by the test button of the developer portal."""

    reason: str


@frozen(kw_only=True)
class AuthorizationRemoved(Event):
    """The account's tokens ended: the app no longer has the person's authorization.

    Attributes:
        reason: TikTok's number for the reason; `REMOVAL_REASONS` explains it.
    """

    reason: int


@frozen(kw_only=True)
class PostEvent(Event):
    """An event about a post.

    Attributes:
        publish_id: TikTok's id of the post.
        publish_type: TikTok's word for the way of posting, such as `INBOX_SHARE`; empty if it gave none.
    """

    publish_id: str
    publish_type: str = ""


@frozen(kw_only=True)
class PostFailed(PostEvent):
    """TikTok failed the post. `reason` is the same word as `fail_reason` in a status."""

    reason: str


@frozen(kw_only=True)
class PostComplete(PostEvent):
    """The post is complete. For a draft, the event comes each time that the creator posts it."""


@frozen(kw_only=True)
class DraftDelivered(PostEvent):
    """The draft has reached the creator's inbox."""


@frozen(kw_only=True)
class PostPublic(PostEvent):
    """The post has become public, with the id `post_id`."""

    post_id: int


@frozen(kw_only=True)
class PostNoLongerPublic(PostEvent):
    """The public post `post_id` is no longer public."""

    post_id: int


@frozen(kw_only=True)
class VideoKitEvent(Event):
    """An upload of the older Video Kit ended; `name` says how."""

    share_id: str


@frozen(kw_only=True)
class DownloadReady(Event):
    """The archive of a Data Portability request can be downloaded."""

    request_id: int


def status_after(event: PostEvent, known: Publication) -> Publication:
    """Return the state of a post after the event, in the form of an answer to a status call."""
    post_ids, status, reason = known.post_ids, known.status, known.fail_reason
    if isinstance(event, PostFailed):
        status, reason = PublishStatus.FAILED, event.reason
    elif isinstance(event, DraftDelivered):
        # Events come in any order: a draft that its creator has posted was delivered before.
        is_further = known.is_final and known.status != NOT_POSTED
        status = known.status if is_further else PublishStatus.SEND_TO_USER_INBOX
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
