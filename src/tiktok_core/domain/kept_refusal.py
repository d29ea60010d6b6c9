"""Why a wish was given up before anything was posted: an error as a value, which a journal can keep and raise again.

What belongs here: the value, and the way from an error to it and back. A caller that asks for the post later, in any
process, gets the same error as the caller that met the refusal.
"""

from datetime import UTC, datetime
from typing import Final

from attrs import frozen

from tiktok_core.domain.refusals import explain
from tiktok_core.errors import (
    ApiError,
    ForeignUploadHost,
    Interrupted,
    InvalidInput,
    InvalidPost,
    PostingRefused,
    Problem,
    ScopeMissing,
    ServerError,
    TikTokError,
    TimedOut,
    TransportError,
    UnexpectedRedirect,
    UnexpectedResponse,
    UploadError,
    UploadExpired,
)

__all__ = [
    "GIVEN_UP_ONCE",
    "KINDS",
    "NOT_WRITTEN_DOWN",
    "SAID_BY_A_PERSON",
    "Refusal",
    "given_up_at",
    "refusal_of",
    "refused_again",
]


@frozen(kw_only=True)
class Refusal:
    """The facts of an error after which nothing was posted.

    Attributes:
        kind: the error's class.
        what: TikTok's code, or the request; empty for others.
        reason: TikTok's message, or ours.
        status: HTTP status, where there was one.
        log_id: TikTok's id of the exchange, where there was one.
        fields: what was wrong with the post: the parameters,
        messages: and of each what was wrong with it.
    """

    kind: str
    what: str = ""
    reason: str = ""
    status: int | None = None
    log_id: str = ""
    fields: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()

    def __attrs_post_init__(self) -> None:
        if self.kind not in KINDS or len(self.fields) != len(self.messages):
            raise ValueError("no such refusal")


KINDS: Final[dict[str, type[TikTokError]]] = {
    kind.__name__: kind
    for kind in (
        InvalidInput,
        InvalidPost,
        ApiError,
        ScopeMissing,
        PostingRefused,
        ServerError,
        Interrupted,
        TimedOut,
        UnexpectedResponse,
        UnexpectedRedirect,
        ForeignUploadHost,
        UploadExpired,
    )
}
SAID_BY_A_PERSON: Final = Refusal(
    kind="InvalidInput",
    fields=("key",),
    messages=(
        "was settled as not posted, so there is nothing to go on with; post again, under the same key if you like",
    ),
)
NOT_WRITTEN_DOWN: Final = Refusal(
    kind="InvalidInput",
    fields=("key",),
    messages=("was given up before anything was posted, and why was not written down; post again, under any key",),
)
GIVEN_UP: Final = "was given up by a person{}, so nothing is posted under it any more; take another key to post again"
GIVEN_UP_ONCE: Final = Refusal(kind="InvalidPost", fields=("key",), messages=(GIVEN_UP.format(""),))
"""The reason of a post that was given up, where the journal has forgotten when."""


def given_up_at(now: datetime) -> Refusal:
    """Return the reason of a post that a person gave up, as later calls with its key get it."""
    said = GIVEN_UP.format(f" at {now.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC")
    return Refusal(kind="InvalidPost", fields=("key",), messages=(said,))


def refusal_of(error: TikTokError) -> Refusal:
    """Return the facts of an error."""
    kind = next((one.__name__ for one in type(error).__mro__ if KINDS.get(one.__name__) is one), "")
    if isinstance(error, InvalidInput):
        fields = tuple(problem.field for problem in error.problems)
        return Refusal(kind=kind, fields=fields, messages=tuple(problem.message for problem in error.problems))
    if isinstance(error, ApiError):
        return Refusal(kind=kind, what=error.code, reason=error.message, status=error.status, log_id=error.log_id)
    if isinstance(error, UnexpectedResponse):
        return Refusal(kind=kind, what=error.request, reason=error.reason, status=error.status, log_id=error.log_id)
    if isinstance(error, TransportError):
        return Refusal(kind=kind, what=error.request, reason=error.reason)
    if isinstance(error, UploadError):
        return Refusal(kind=kind, reason=error.reason, status=error.status)
    raise ValueError(f"after {type(error).__name__} it is not certain that nothing was posted")


def refused_again(refusal: Refusal, publish_id: str | None) -> TikTokError:
    """Return the error once more.

    Args:
        refusal: its facts.
        publish_id: the post that had been begun, where one had.
    """
    kind, what, reason, status = KINDS[refusal.kind], refusal.what, refusal.reason, refusal.status
    if issubclass(kind, InvalidInput):
        return kind(tuple(map(Problem, refusal.fields, refusal.messages)))
    if issubclass(kind, ApiError):
        return kind(what, reason, refusal.log_id, status or 0, explain(what))
    if issubclass(kind, UnexpectedResponse):
        return kind(what, reason, status, refusal.log_id)
    if issubclass(kind, TransportError):
        return kind(what, reason)
    return UploadExpired(publish_id, reason, status)
