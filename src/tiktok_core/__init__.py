"""TikTok's Open API as a pure core: values, rules, and flows over abstract ports. The core itself does no I/O.

This module holds the names that callers construct, receive or catch. These modules are public too: `errors` (all errors),
`events` (webhooks), `portability` (a copy of a person's data), `ports` (for authors of adapters) and `lifting` (to use a blocking
adapter in the asynchronous client). All public names follow semantic versioning.
"""

import importlib
import warnings
from typing import TYPE_CHECKING, Any, Final

from tiktok_core.version import __version__ as __version__

# For type checkers, which do not run `__getattr__`. A test compares this list with the table below.
if TYPE_CHECKING:
    from tiktok_core.account import AsyncAccount as AsyncAccount
    from tiktok_core.blocking import Account as Account
    from tiktok_core.blocking import TikTok as TikTok
    from tiktok_core.blocking import Videos as Videos
    from tiktok_core.client import AsyncTikTok as AsyncTikTok
    from tiktok_core.domain.app import DEFAULT_SCOPES as DEFAULT_SCOPES
    from tiktok_core.domain.app import App as App
    from tiktok_core.domain.app import AppKind as AppKind
    from tiktok_core.domain.app import ChallengeEncoding as ChallengeEncoding
    from tiktok_core.domain.app import Endpoints as Endpoints
    from tiktok_core.domain.app import Scope as Scope
    from tiktok_core.domain.chunks import ChunkPlan as ChunkPlan
    from tiktok_core.domain.chunks import fallback_plans as fallback_plans
    from tiktok_core.domain.chunks import plan_chunks as plan_chunks
    from tiktok_core.domain.coming_again import come_again as come_again
    from tiktok_core.domain.creator import CreatorInfo as CreatorInfo
    from tiktok_core.domain.creator import PrivacyLevel as PrivacyLevel
    from tiktok_core.domain.display import FoundPost as FoundPost
    from tiktok_core.domain.display import UserInfo as UserInfo
    from tiktok_core.domain.display import Video as Video
    from tiktok_core.domain.display import VideoPage as VideoPage
    from tiktok_core.domain.export import ExportForm as ExportForm
    from tiktok_core.domain.forgetting import Unreadable as Unreadable
    from tiktok_core.domain.journal import Record as Record
    from tiktok_core.domain.journal import Stage as Stage
    from tiktok_core.domain.journal import Wish as Wish
    from tiktok_core.domain.media import VideoFacts as VideoFacts
    from tiktok_core.domain.posts import PhotoPost as PhotoPost
    from tiktok_core.domain.posts import VideoPost as VideoPost
    from tiktok_core.domain.publishing import Progress as Progress
    from tiktok_core.domain.publishing import Publication as Publication
    from tiktok_core.domain.publishing import PublishStatus as PublishStatus
    from tiktok_core.domain.publishing import Step as Step
    from tiktok_core.domain.qr import QrCheck as QrCheck
    from tiktok_core.domain.qr import QrCode as QrCode
    from tiktok_core.domain.qr import QrStatus as QrStatus
    from tiktok_core.domain.refusals import explain as explain
    from tiktok_core.domain.schedule import Schedule as Schedule
    from tiktok_core.domain.sign_in import Authorization as Authorization
    from tiktok_core.domain.tokens import ClientToken as ClientToken
    from tiktok_core.domain.tokens import Secret as Secret
    from tiktok_core.domain.tokens import Tokens as Tokens
    from tiktok_core.errors import AccessDenied as AccessDenied
    from tiktok_core.errors import ApiError as ApiError
    from tiktok_core.errors import Explanation as Explanation
    from tiktok_core.errors import Interrupted as Interrupted
    from tiktok_core.errors import InvalidInput as InvalidInput
    from tiktok_core.errors import InvalidPost as InvalidPost
    from tiktok_core.errors import InvalidSettings as InvalidSettings
    from tiktok_core.errors import Misused as Misused
    from tiktok_core.errors import NotSent as NotSent
    from tiktok_core.errors import OutcomeUnknown as OutcomeUnknown
    from tiktok_core.errors import PostingRefused as PostingRefused
    from tiktok_core.errors import Problem as Problem
    from tiktok_core.errors import PublishFailed as PublishFailed
    from tiktok_core.errors import RateLimited as RateLimited
    from tiktok_core.errors import ReleaseRequired as ReleaseRequired
    from tiktok_core.errors import ScopeMissing as ScopeMissing
    from tiktok_core.errors import ServerError as ServerError
    from tiktok_core.errors import SignInFailed as SignInFailed
    from tiktok_core.errors import SignInRequired as SignInRequired
    from tiktok_core.errors import SourceChanged as SourceChanged
    from tiktok_core.errors import StillProcessing as StillProcessing
    from tiktok_core.errors import StoreError as StoreError
    from tiktok_core.errors import TikTokError as TikTokError
    from tiktok_core.errors import TimedOut as TimedOut
    from tiktok_core.errors import TransportError as TransportError
    from tiktok_core.errors import UnexpectedResponse as UnexpectedResponse
    from tiktok_core.errors import UploadError as UploadError
    from tiktok_core.errors import UploadExpired as UploadExpired
    from tiktok_core.flows.display import AsyncVideos as AsyncVideos

_MODULES: Final = {
    "DEFAULT_SCOPES": "domain.app",
    "AccessDenied": "errors",
    "Account": "blocking",
    "ApiError": "errors",
    "App": "domain.app",
    "AppKind": "domain.app",
    "AsyncAccount": "account",
    "AsyncTikTok": "client",
    "AsyncVideos": "flows.display",
    "Authorization": "domain.sign_in",
    "ChallengeEncoding": "domain.app",
    "ChunkPlan": "domain.chunks",
    "ClientToken": "domain.tokens",
    "CreatorInfo": "domain.creator",
    "Endpoints": "domain.app",
    "Explanation": "errors",
    "ExportForm": "domain.export",
    "FoundPost": "domain.display",
    "Interrupted": "errors",
    "InvalidInput": "errors",
    "InvalidPost": "errors",
    "InvalidSettings": "errors",
    "Misused": "errors",
    "NotSent": "errors",
    "OutcomeUnknown": "errors",
    "PhotoPost": "domain.posts",
    "PostingRefused": "errors",
    "PrivacyLevel": "domain.creator",
    "Problem": "errors",
    "Progress": "domain.publishing",
    "Publication": "domain.publishing",
    "PublishFailed": "errors",
    "PublishStatus": "domain.publishing",
    "QrCheck": "domain.qr",
    "QrCode": "domain.qr",
    "QrStatus": "domain.qr",
    "RateLimited": "errors",
    "ReleaseRequired": "errors",
    "Record": "domain.journal",
    "Schedule": "domain.schedule",
    "Scope": "domain.app",
    "ScopeMissing": "errors",
    "Secret": "domain.tokens",
    "ServerError": "errors",
    "SignInFailed": "errors",
    "SignInRequired": "errors",
    "SourceChanged": "errors",
    "Stage": "domain.journal",
    "Step": "domain.publishing",
    "StillProcessing": "errors",
    "StoreError": "errors",
    "TikTok": "blocking",
    "TikTokError": "errors",
    "TimedOut": "errors",
    "Tokens": "domain.tokens",
    "TransportError": "errors",
    "UnexpectedResponse": "errors",
    "Unreadable": "domain.forgetting",
    "UploadError": "errors",
    "UploadExpired": "errors",
    "UserInfo": "domain.display",
    "Video": "domain.display",
    "VideoFacts": "domain.media",
    "VideoPage": "domain.display",
    "VideoPost": "domain.posts",
    "Videos": "blocking",
    "Wish": "domain.journal",
    "__version__": "version",
    "come_again": "domain.coming_again",
    "explain": "domain.refusals",
    "fallback_plans": "domain.chunks",
    "plan_chunks": "domain.chunks",
}
"""Each public name, and the module that defines it. `__getattr__` imports the module when the name is first used, so that
importing this package costs next to nothing."""

_MOVED: Final = {
    name: module
    for module, names in {
        "errors": "AccessTokenInvalid ForeignUploadHost GrantRejected LeaseLost StateMismatch UnexpectedRedirect",
        "events": "AuthorizationRemoved DownloadReady DraftDelivered Event Ping PostComplete PostEvent PostFailed "
        "PostNoLongerPublic PostPublic StaleWebhook UnknownEvent VideoKitEvent WebhookRejected verify_webhook",
        "portability": "DataArchive DataCategory DataFormat DataRequest DataStatus",
        "ports": "FileSlice Request Response Sink Source",
    }.items()
    for name in names.split()
}
"""Each name that has moved from here to a public module, and that module."""

if not TYPE_CHECKING:
    # Hidden from type checkers: if they saw a `__getattr__`, they would accept every misspelt name.
    __all__ = list(_MODULES)

    def __getattr__(name: str) -> Any:
        if module := _MODULES.get(name):
            found = globals()[name] = getattr(importlib.import_module(f"{__name__}.{module}"), name)
            return found
        if module := _MOVED.get(name):
            said = f"tiktok_core.{name} has moved: from tiktok_core.{module} import {name}"
            warnings.warn(said, DeprecationWarning, stacklevel=2)
            return getattr(importlib.import_module(f"{__name__}.{module}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
