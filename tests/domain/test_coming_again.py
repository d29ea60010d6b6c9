"""When to come again after an error: one table over every error that there is."""

from datetime import UTC, datetime
from typing import Any, Final

import pytest

import tiktok_core.errors
from tiktok_core import come_again
from tiktok_core.errors import (
    ApiError,
    InvalidInput,
    LeaseLost,
    Misused,
    NotSent,
    OutcomeUnknown,
    PublishFailed,
    RateLimited,
    SignInFailed,
    SignInRequired,
    SourceChanged,
    StaleWebhook,
    StillProcessing,
    StoreError,
    TikTokError,
    TransportError,
    UnexpectedResponse,
    UploadError,
    WebhookRejected,
)

DATA: Final[dict[type[TikTokError], tuple[Any, ...]]] = {
    InvalidInput: ((),),
    SignInRequired: ("o", "r"),
    SignInFailed: ("invalid_grant",),
    TransportError: ("POST", "r"),
    ApiError: ("code",),
    UnexpectedResponse: ("POST", "r"),
    UploadError: (None, "r"),
    PublishFailed: ("p", "r"),
    OutcomeUnknown: ("what", datetime(2026, 1, 1, tzinfo=UTC), "r"),
    StillProcessing: ("p", "s", 1.0),
    LeaseLost: ("k",),
    StoreError: ("s", "r"),
    WebhookRejected: ("r",),
    StaleWebhook: ("r", None),
}
PASSING: Final = {
    "TransportError": 30.0,
    "NotSent": 30.0,
    "Interrupted": 30.0,
    "TimedOut": 30.0,
    "ServerError": 30.0,
    "UnexpectedResponse": 30.0,
    "StillProcessing": 30.0,
    "StoreError": 30.0,
    "RateLimited": 60.0,
    "LeaseLost": 10.0,
}


def made(kind: type[TikTokError]) -> TikTokError:
    """Return an error of a class."""
    return kind(*next(DATA[base] for base in kind.__mro__ if base in DATA))


ALL: Final = [
    kind
    for name in tiktok_core.errors.__all__
    if isinstance(kind := getattr(tiktok_core.errors, name), type)
    and issubclass(kind, TikTokError)
    and kind is not TikTokError
]


@pytest.mark.parametrize("kind", ALL)
def test_what_passes_by_itself_is_come_back_to(kind: type[TikTokError]) -> None:
    """A person is needed for everything that waiting does not change."""
    assert come_again(made(kind)) == PASSING.get(kind.__name__)


@pytest.mark.parametrize(
    ("kind", "helps"),
    [("locked", True), ("full", True), ("failed", True)]
    + [(kind, False) for kind in ("damaged", "version", "key", "foreign", "missing", "closed")],
)
def test_a_store_is_waited_for_where_that_can_help(kind: Any, helps: bool) -> None:
    """A disk gets room again; a damaged record does not mend itself."""
    assert (come_again(StoreError("s", "r", kind)) is not None) is helps


def test_a_storage_is_waited_for_where_that_can_help() -> None:
    """One that does not answer may do so later. A video that was replaced needs a person."""
    assert come_again(SourceChanged(None, "r", passes=True), times=2) == 60
    assert come_again(SourceChanged(None, "r")) is None


def test_it_waits_longer_each_time_but_never_for_long() -> None:
    """The wait doubles up to a quarter of an hour. TikTok's own word about a limit counts as it is."""
    error = NotSent("POST", "r")
    assert [come_again(error, times=times) for times in (1, 2, 3, 6, 7, 10_000)] == [30, 60, 120, 900, 900, 900]
    assert come_again(RateLimited("c", retry_after=7.0), times=9) == 7.0
    assert come_again(RateLimited("c", retry_after=0.0)) == 1.0
    assert come_again(Misused("POST", "r")) is None
