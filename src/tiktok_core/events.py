"""Webhooks: check that TikTok sent one, and read its event.

This module only gathers the public names for webhooks from the layers below.
"""

from tiktok_core.domain.events import (
    AuthorizationRemoved,
    DownloadReady,
    DraftDelivered,
    Event,
    Ping,
    PostComplete,
    PostEvent,
    PostFailed,
    PostNoLongerPublic,
    PostPublic,
    UnknownEvent,
    VideoKitEvent,
)
from tiktok_core.errors import StaleWebhook, WebhookRejected
from tiktok_core.wire.webhooks import SIGNATURE_HEADER, verify_webhook

__all__ = [
    "SIGNATURE_HEADER",
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
    "StaleWebhook",
    "UnknownEvent",
    "VideoKitEvent",
    "WebhookRejected",
    "verify_webhook",
]
