"""Every error that this library raises, on one page: by whose fault it is, and what can be done now.

What belongs here: error classes and the two small values that they carry (`Problem`, `Explanation`). Nothing else,
so that every other module may import this one. Data stands in positional fields, because such errors survive a pickle.
No error holds a token, a secret or a signed URL.

Longer than 400 lines because all errors stand on one page, where a reader sees who may be at fault.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, Literal

from attrs import Factory, define, field, frozen

__all__ = [
    "AccessDenied",
    "AccessTokenInvalid",
    "ApiError",
    "Explanation",
    "ForeignUploadHost",
    "GrantRejected",
    "Interrupted",
    "InvalidInput",
    "InvalidPost",
    "InvalidSettings",
    "LeaseLost",
    "NotSent",
    "OutcomeUnknown",
    "PostingRefused",
    "Problem",
    "PublishFailed",
    "RateLimited",
    "ScopeMissing",
    "ServerError",
    "SignInFailed",
    "SignInRequired",
    "SourceChanged",
    "StaleWebhook",
    "StateMismatch",
    "StillProcessing",
    "StoreError",
    "TikTokError",
    "TimedOut",
    "TransportError",
    "UnexpectedRedirect",
    "UnexpectedResponse",
    "UploadError",
    "UploadExpired",
    "WebhookRejected",
]

About = Literal["app", "account", "post", "file", "quota", "sign-in", "tiktok"]
Fault = Literal["developer", "app", "user", "tiktok"]
FAULTS: Final[dict[str, Fault]] = {
    "app": "app",
    "account": "user",
    "post": "developer",
    "file": "developer",
    "quota": "developer",
    "sign-in": "user",
    "tiktok": "tiktok",
}
"""Whose fault it is as a rule, by what it is about."""
StoreTrouble = Literal["locked", "full", "damaged", "version", "key", "foreign", "missing", "closed", "failed"]


@frozen
class Problem:
    """One thing that is wrong with what was asked.

    Attributes:
        field: the parameter, in the spelling of TikTok's documents where it has one (`title`, `photo_images[3]`).
        message: one clause: what is wrong and what would be right.
    """

    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


@frozen
class Explanation:
    """What a refusal of TikTok's means for the person who met it.

    Attributes:
        about: what it is about: the app, the account, the post, the file, a quota, the sign-in, or TikTok itself.
        meaning: what happened, in one sentence.
        retry_helps: whether the same call can succeed later without any change.
        retry_when: when it can, in words; empty where a retry cannot help.
        advice: what to change, and where; empty where waiting is all.
        fault: whose fault it is: the developer's (the call or the file), the app's (its settings in the portal, or that it
            was not audited), the user's (the creator's), or TikTok's own.
    """

    about: About
    meaning: str
    retry_helps: bool = False
    retry_when: str = ""
    advice: str = ""
    fault: Fault = field(default=Factory(lambda self: FAULTS[self.about], takes_self=True), kw_only=True)

    def __str__(self) -> str:
        again = f"Try again {self.retry_when}." if self.retry_helps and self.retry_when else ""
        return " ".join(part for part in (self.meaning, again, self.advice) if part)


@define(eq=False, slots=False, repr=False)
class TikTokError(Exception):
    """The root of all errors of this library; it is never raised itself.

    Attributes:
        key: what the post is known by in the journal, on every error of a call that posts; None on others, and on an error
            that comes before the post has a key.
        publish_id: TikTok's name for the post; None until TikTok has named it, and on errors that are about no post.
    """

    # Not in `__init__`: the class that raises does not know them. The flow that lets the error out does.
    key: str | None = field(default=None, init=False)
    publish_id: str | None = field(default=None, init=False)

    def name_post(self, key: str | None = None, publish_id: str | None = None) -> None:
        """Say which post this error is about: set `key` if it is given, and `publish_id` where the error has none yet."""
        self.key = key or self.key
        self.publish_id = self.publish_id or publish_id

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"


# --- Yours, before anything was sent -------------------------------------------------------------------------------


@define(eq=False, slots=False, repr=False)
class InvalidInput(TikTokError):
    """What was asked cannot be done as it stands; nothing was sent. Every problem at once, each with its field."""

    problems: tuple[Problem, ...]

    def __str__(self) -> str:
        return "; ".join(str(problem) for problem in self.problems)


class InvalidPost(InvalidInput):
    """The post breaks a documented rule of TikTok's, or one of this creator's own settings."""


class InvalidSettings(InvalidInput):
    """The app's settings (client key, redirect URI, scopes, hosts) cannot work."""


def refuse(error: type[InvalidInput], problems: Iterable[Problem]) -> None:
    """Raise `error` with all `problems`, if there are any."""
    if found := tuple(problems):
        raise error(found)


# --- Signing in -----------------------------------------------------------------------------------------------------


@define(eq=False, slots=False, repr=False)
class SignInRequired(TikTokError):
    """No usable tokens for this account: a person has to sign in (again).

    Attributes:
        account: the account's `open_id`, or None when nobody is signed in.
        reason: one clause.
    """

    account: str | None
    reason: str

    def __str__(self) -> str:
        who = f"Account {self.account}" if self.account else "TikTok"
        return f"{who} needs a sign-in: {self.reason}."


@define(eq=False, slots=False, repr=False)
class SignInFailed(TikTokError):
    """OAuth said no.

    Attributes:
        code: TikTok's `error` word (`invalid_grant`, `access_denied`, ...).
        message: TikTok's `error_description`, or ours.
        log_id: TikTok's id of the exchange, which its support asks for; empty when there was none.
        status: HTTP status; None when the answer came through the browser.
        explanation: what the code means, where it is known.
    """

    code: str
    message: str = ""
    log_id: str = ""
    status: int | None = None
    explanation: Explanation | None = None

    def __str__(self) -> str:
        return _refusal("Sign-in failed", self)


class AccessDenied(SignInFailed):
    """The person (or TikTok) refused the authorization."""


class StateMismatch(SignInFailed):
    """The answer's `state` is not the one that was sent: it belongs to another sign-in, or somebody forged it."""


class GrantRejected(SignInFailed):
    """The code or refresh token is expired, used, revoked, or was issued for something else (`invalid_grant`)."""


# --- No answer ------------------------------------------------------------------------------------------------------


@define(eq=False, slots=False, repr=False)
class TransportError(TikTokError):
    """No answer came back. `NotSent` and its siblings say what TikTok may have seen.

    Attributes:
        request: method and URL without its query.
        reason: one clause, written by the transport.
    """

    request: str
    reason: str

    def __str__(self) -> str:
        return f"{self.request}: {self.reason}."


class NotSent(TransportError):
    """The request never left this machine (name not found, refused, TLS failed): repeating it is safe."""


class Interrupted(TransportError):
    """The request left and no whole answer came: what TikTok did with it is unknown."""


class TimedOut(Interrupted):
    """The request left and the answer did not come in time: what TikTok did with it is unknown."""


# --- TikTok said no -------------------------------------------------------------------------------------------------


@define(eq=False, slots=False, repr=False)
class ApiError(TikTokError):
    """TikTok answered with an error code. Unknown codes stay this class.

    Attributes:
        code: TikTok's `error.code`, as it came.
        message: TikTok's `error.message`, as it came.
        log_id: TikTok's id of the exchange, which its support asks for.
        status: HTTP status; TikTok sends some refusals with 200.
        explanation: what the code means and what to do, where it is known.
    """

    code: str
    message: str = ""
    log_id: str = ""
    status: int = 0
    explanation: Explanation | None = None

    def __str__(self) -> str:
        return _refusal("TikTok refused", self)


class AccessTokenInvalid(ApiError):
    """The access token is wrong, expired or revoked."""


class ScopeMissing(ApiError):
    """The person did not grant, or the app does not have, the scope that this call needs."""


class PostingRefused(ApiError):
    """The app or the creator may not post this now: audit, caps, bans, ownership of the URL."""


class ServerError(ApiError):
    """TikTok's own trouble (`internal_error`, HTTP 408 or 5xx)."""


@define(eq=False, slots=False, repr=False)
class RateLimited(ApiError):
    """Too many calls in this minute.

    Attributes:
        retry_after: seconds to wait; TikTok counts by the minute where its answer does not say.
    """

    retry_after: float = 60.0


@define(eq=False, slots=False, repr=False)
class UnexpectedResponse(TikTokError):
    """An answer outside the documented shape.

    Attributes:
        request: method and URL without its query.
        reason: one clause: what was expected.
        status: HTTP status.
        log_id: TikTok's id of the exchange, where one was found.
    """

    request: str
    reason: str
    status: int | None = None
    log_id: str = ""

    def __str__(self) -> str:
        status = f" (HTTP {self.status})" if self.status is not None else ""
        return f"{self.request}: unexpected answer{status}: {self.reason}.{_log_id(self.log_id)}"


class UnexpectedRedirect(UnexpectedResponse):
    """An answer that sends elsewhere. It is never followed: the request carries secrets or a video."""


class ForeignUploadHost(UnexpectedResponse):
    """The upload URL is not one of TikTok's: no byte was sent there."""


# --- Publishing -----------------------------------------------------------------------------------------------------


@define(eq=False, slots=False, repr=False)
class UploadError(TikTokError):
    """The bytes of a video could not be handed over.

    Attributes:
        publish_id: the post that was begun; None where none was.
        reason: one clause.
        status: HTTP status of the upload host; None where it did not answer.
    """

    publish_id: str | None
    reason: str
    status: int | None = None

    def __str__(self) -> str:
        what = f"Upload of {self.publish_id}" if self.publish_id else "Upload"
        status = f" (HTTP {self.status})" if self.status is not None else ""
        return f"{what} failed{status}: {self.reason}."


class UploadExpired(UploadError):
    """The upload URL is dead: it lives one hour. A new post has to be begun."""


class SourceChanged(UploadError):
    """The file is not the one that the upload began with; nothing more of it was sent."""


@define(eq=False, slots=False, repr=False)
class PublishFailed(TikTokError):
    """TikTok took the post and then failed it.

    Attributes:
        publish_id: the post.
        reason: TikTok's `fail_reason`, as it came.
        explanation: what the reason means and what to do, where it is known.
    """

    publish_id: str
    reason: str
    explanation: Explanation | None = None

    def __str__(self) -> str:
        why = f" {self.explanation}" if self.explanation else ""
        return f"Post {self.publish_id} failed: {self.reason or 'TikTok gave no reason'}.{why}"


@define(eq=False, slots=False, repr=False)
class OutcomeUnknown(TikTokError):
    """The request that publishes left, and its answer was lost: the post may or may not exist.

    It is never repeated by itself, because TikTok has no way to tell a repetition from a second post. A person looks at the
    account and says what is there: `settle(key, posted=...)`, or `tiktok resume KEY --settle posted|not-posted`.

    Attributes:
        what: what was being asked.
        since: when the request left (UTC).
        cause: why no answer came, in one clause.
    """

    what: str
    since: datetime
    cause: str

    def __str__(self) -> str:
        at = self.since.strftime("%Y-%m-%d %H:%M:%S UTC")
        how = f" Its key is {self.key}: settle it as posted or as not posted, as you see it there." if self.key else ""
        return (
            f"{self.what} was sent at {at} and its answer was lost ({self.cause}); "
            f"it may have been posted: look at the account before posting again.{how}"
        )


@define(eq=False, slots=False, repr=False)
class StillProcessing(TikTokError):
    """The time for waiting is over and the post is not: neither a success nor a failure.

    Attributes:
        publish_id: ask its status later.
        status: the last word that TikTok said.
        waited: seconds.
        trouble: what ended the waiting early, in one clause; empty when it was our patience.
        fail_reason: the reason that TikTok gave beside a status that is not final; empty where it gave none.
    """

    publish_id: str
    status: str
    waited: float
    trouble: str = ""
    fail_reason: str = ""

    def __str__(self) -> str:
        trouble = f" (and can no longer be followed: {self.trouble.rstrip('.')})" if self.trouble else ""
        reason = f", for which TikTok gives {self.fail_reason} as its reason," if self.fail_reason else ""
        return (
            f"Post {self.publish_id} is still {self.status}{reason} after {self.waited:.0f} s{trouble}; "
            "TikTok goes on by itself: ask its status later, and do not post again."
        )


@define(eq=False, slots=False, repr=False)
class LeaseLost(TikTokError):
    """Somebody else has taken this post over; nothing more was done here.

    Attributes:
        post: the key of the post.
    """

    post: str

    def __str__(self) -> str:
        return f"Post {self.post} was taken over by another process; it goes on there."


# --- Around it ------------------------------------------------------------------------------------------------------


@define(eq=False, slots=False, repr=False)
class StoreError(TikTokError):
    """A store could not read or write.

    Attributes:
        store: which one, in words (never with what was in it).
        reason: one clause.
        kind: what is the case, for programs: it is locked or busy; there is no room; what lies there is damaged, of another
            version, or encrypted with another key; it is somebody else's, or something else; what it needs is missing; it is
            closed; or it failed in another way. Waiting helps with the first two at most. What cannot be read is kept.
    """

    store: str
    reason: str
    kind: StoreTrouble = "failed"

    def __str__(self) -> str:
        return f"{self.store}: {self.reason}."


@define(eq=False, slots=False, repr=False)
class WebhookRejected(TikTokError):
    """A webhook that is not to be believed; nothing of it is shown.

    Attributes:
        reason: one clause.
    """

    reason: str

    def __str__(self) -> str:
        return f"The webhook is rejected: {self.reason}."


@define(eq=False, slots=False, repr=False)
class StaleWebhook(WebhookRejected):
    """A webhook of TikTok's that comes late: a repeated delivery, which may come for 72 hours, or a replayed one.

    Attributes:
        event: what it says, an `Event`. Whoever keeps the keys of events may use it if this one is new to them.
    """

    event: Any

    def __str__(self) -> str:
        return f"The webhook is TikTok's but late: {self.reason}."


def _refusal(what: str, error: ApiError | SignInFailed) -> str:
    said = f": {error.message.rstrip('.')}" if error.message else ""
    status = f", HTTP {error.status}" if error.status else ""
    why = f" {error.explanation}" if error.explanation else ""
    return f"{what} ({error.code}{status}){said}.{why}{_log_id(error.log_id)}"


def _log_id(log_id: str) -> str:
    return f" [log_id {log_id}]" if log_id else ""
