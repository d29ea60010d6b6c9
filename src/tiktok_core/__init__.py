"""TikTok's Open API as a pure core: values, rules, and flows over abstract ports. It does no I/O of its own.

What stands in `__all__` is public and keeps to semantic versioning; so are `tiktok_core.errors` and `tiktok_core.ports`.
"""

import importlib
from typing import TYPE_CHECKING, Any

from tiktok_core.version import __version__

if TYPE_CHECKING:
    from tiktok_core.account import AsyncAccount
    from tiktok_core.blocking import Account, TikTok
    from tiktok_core.client import AsyncTikTok
    from tiktok_core.domain.app import DEFAULT_SCOPES, App, AppKind, Endpoints, Scope
    from tiktok_core.domain.chunks import ChunkPlan, fallback_plans, plan_chunks
    from tiktok_core.domain.creator import CreatorInfo, PrivacyLevel
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
    from tiktok_core.domain.export import ExportForm
    from tiktok_core.domain.forgetting import Unreadable
    from tiktok_core.domain.journal import Record, Stage, Wish
    from tiktok_core.domain.library import FoundPost, UserInfo, Video, VideoPage
    from tiktok_core.domain.media import VideoFacts
    from tiktok_core.domain.pkce import ChallengeEncoding
    from tiktok_core.domain.portability import DataArchive, DataCategory, DataFormat, DataRequest, DataStatus
    from tiktok_core.domain.posts import PhotoPost, VideoPost
    from tiktok_core.domain.publishing import Progress, Publication, PublishStatus, Step
    from tiktok_core.domain.qr import QrCheck, QrCode, QrStatus
    from tiktok_core.domain.refusals import explain
    from tiktok_core.domain.sign_in import Authorization
    from tiktok_core.domain.tokens import ClientToken, Secret, Tokens
    from tiktok_core.errors import (
        AccessDenied,
        AccessTokenInvalid,
        ApiError,
        Explanation,
        ForeignUploadHost,
        GrantRejected,
        Interrupted,
        InvalidInput,
        InvalidPost,
        InvalidSettings,
        LeaseLost,
        NotSent,
        OutcomeUnknown,
        PostingRefused,
        Problem,
        PublishFailed,
        RateLimited,
        ScopeMissing,
        ServerError,
        SignInFailed,
        SignInRequired,
        SourceChanged,
        StaleWebhook,
        StateMismatch,
        StillProcessing,
        StoreError,
        TikTokError,
        TimedOut,
        TransportError,
        UnexpectedRedirect,
        UnexpectedResponse,
        UploadError,
        UploadExpired,
        WebhookRejected,
    )
    from tiktok_core.wire.http import FileSlice, Request, Response, Sink, Source
    from tiktok_core.wire.webhooks import verify_webhook

__all__ = [
    "DEFAULT_SCOPES",
    "AccessDenied",
    "AccessTokenInvalid",
    "Account",
    "ApiError",
    "App",
    "AppKind",
    "AsyncAccount",
    "AsyncTikTok",
    "Authorization",
    "AuthorizationRemoved",
    "ChallengeEncoding",
    "ChunkPlan",
    "ClientToken",
    "CreatorInfo",
    "DataArchive",
    "DataCategory",
    "DataFormat",
    "DataRequest",
    "DataStatus",
    "DownloadReady",
    "DraftDelivered",
    "Endpoints",
    "Event",
    "Explanation",
    "ExportForm",
    "FileSlice",
    "ForeignUploadHost",
    "FoundPost",
    "GrantRejected",
    "Interrupted",
    "InvalidInput",
    "InvalidPost",
    "InvalidSettings",
    "LeaseLost",
    "NotSent",
    "OutcomeUnknown",
    "PhotoPost",
    "Ping",
    "PostComplete",
    "PostEvent",
    "PostFailed",
    "PostNoLongerPublic",
    "PostPublic",
    "PostingRefused",
    "PrivacyLevel",
    "Problem",
    "Progress",
    "Publication",
    "PublishFailed",
    "PublishStatus",
    "QrCheck",
    "QrCode",
    "QrStatus",
    "RateLimited",
    "Record",
    "Request",
    "Response",
    "Scope",
    "ScopeMissing",
    "Secret",
    "ServerError",
    "SignInFailed",
    "SignInRequired",
    "Sink",
    "Source",
    "SourceChanged",
    "Stage",
    "StaleWebhook",
    "StateMismatch",
    "Step",
    "StillProcessing",
    "StoreError",
    "TikTok",
    "TikTokError",
    "TimedOut",
    "Tokens",
    "TransportError",
    "UnexpectedRedirect",
    "UnexpectedResponse",
    "UnknownEvent",
    "Unreadable",
    "UploadError",
    "UploadExpired",
    "UserInfo",
    "Video",
    "VideoFacts",
    "VideoKitEvent",
    "VideoPage",
    "VideoPost",
    "WebhookRejected",
    "Wish",
    "__version__",
    "explain",
    "fallback_plans",
    "plan_chunks",
    "verify_webhook",
]

# From the light to the heavy: to import this package costs next to nothing, and a name brings what it stands on.
_ROOMS = (
    "errors",
    "domain.creator",
    "domain.pkce",
    "domain.app",
    "domain.tokens",
    "domain.refusals",
    "wire.http",
    "domain.chunks",
    "domain.media",
    "domain.posts",
    "domain.export",
    "domain.publishing",
    "domain.events",
    "domain.sign_in",
    "domain.qr",
    "domain.library",
    "domain.portability",
    "domain.journal",
    "domain.forgetting",
    "wire.webhooks",
    "account",
    "client",
    "blocking",
)


def __getattr__(name: str) -> Any:
    if name in __all__:
        for room in _ROOMS:
            found = getattr(importlib.import_module(f"{__name__}.{room}"), name, None)
            if found is not None:
                globals()[name] = found
                return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
