"""Every error that this library raises, on one page. Each says what went wrong, whose fault it is, and what to do now.

This module holds the error classes and the two small values that they carry (`Problem`, `Explanation`). It holds nothing
else, so that every other module can import it. The data of an error stands in positional fields, because such errors
survive a pickle. No error holds a token, a secret or a signed URL.

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
    "Misused",
    "NotSent",
    "OutcomeUnknown",
    "PostingRefused",
    "Problem",
    "PublishFailed",
    "RateLimited",
    "ReleaseRequired",
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
"""Whose fault a refusal is by default, for each thing that it can be about."""
StoreTrouble = Literal["locked", "full", "damaged", "version", "key", "foreign", "missing", "closed", "moved", "failed"]


@frozen
class Problem:
    """One thing that is wrong with the caller's input.

    Attributes:
        field: the parameter (`title`, `photo_images[3]`), as TikTok's documents spell it if they have it.
        message: one clause that says what is wrong and what would be right.
    """

    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


@frozen
class Explanation:
    """The meaning of one of TikTok's refusals, and what to do about it.

    Attributes:
        about: what the refusal is about: the app, the account, the post, the file, a quota, the sign-in, or TikTok itself.
        meaning: what happened, in one sentence.
        retry_helps: whether the same call can succeed later without any change.
        retry_when: when the call can succeed, in words; empty if a retry cannot help.
        advice: what to change, and where; empty if the only remedy is to wait.
        fault: whose fault it is: the developer's (the call or the file), the app's (its settings in the portal, or a missing
            audit), the user's (the creator), or TikTok's.
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
    """The root of all errors of this library. The library raises its subclasses only.

    Attributes:
        key: the post's key in the journal, on every error of a call that posts; None on other errors, and on errors that
            occur before the post has a key.
        publish_id: TikTok's id of the post; None before TikTok has given one, and on errors that are not about a post.
    """

    # `__init__` does not take these two: the code that raises an error does not know them. The flow that passes the error on
    # to the caller fills them in.
    key: str | None = field(default=None, init=False)
    publish_id: str | None = field(default=None, init=False)

    def name_post(self, key: str | None = None, publish_id: str | None = None) -> None:
        """Record which post this error is about: set `key` if it is given, and `publish_id` if the error has none yet."""
        self.key = key or self.key
        self.publish_id = self.publish_id or publish_id

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"


# --- Wrong input, found before anything was sent -------------------------------------------------------------------


@define(eq=False, slots=False, repr=False)
class InvalidInput(TikTokError):
    """The library refused the caller's input and sent nothing. The error lists every problem, each with its field."""

    problems: tuple[Problem, ...]

    def __str__(self) -> str:
        return "; ".join(str(problem) for problem in self.problems)


class InvalidPost(InvalidInput):
    """The post breaks one of TikTok's documented rules, or one of this creator's own settings."""


class ReleaseRequired(InvalidInput):
    """A person has to release the post first (`release`): it is held, or the latest time to begin it is over. Nothing was sent."""


class InvalidSettings(InvalidInput):
    """The app's settings (client key, redirect URI, scopes, hosts) cannot work."""


def refuse(error: type[InvalidInput], problems: Iterable[Problem]) -> None:
    """Raise `error` with all `problems`; do nothing if there are none."""
    if found := tuple(problems):
        raise error(found)


# --- Signing in -----------------------------------------------------------------------------------------------------


@define(eq=False, slots=False, repr=False)
class SignInRequired(TikTokError):
    """The account has no usable tokens, so a person has to sign in (again).

    Attributes:
        account: the account's `open_id`, or None if no account is signed in.
        reason: one clause.
    """

    account: str | None
    reason: str

    def __str__(self) -> str:
        who = f"Account {self.account}" if self.account else "TikTok"
        return f"{who} needs a sign-in: {self.reason}."


@define(eq=False, slots=False, repr=False)
class SignInFailed(TikTokError):
    """TikTok refused a sign-in or another call of OAuth.

    Attributes:
        code: TikTok's `error` word (`invalid_grant`, `access_denied`, ...).
        message: TikTok's `error_description`, or a sentence of this library.
        log_id: TikTok's id of the exchange, which its support asks for; empty if there was none.
        status: HTTP status; None if the answer came through the browser.
        explanation: what the refusal means; None for unknown words.
        error_type: the parameter that TikTok's own error page names (`client_key`, `redirect_uri`, `scope`, `code_challenge`, ...).
        error_code: the number in that page's address (`errCode`).
    """

    code: str
    message: str = ""
    log_id: str = ""
    status: int | None = None
    explanation: Explanation | None = None
    error_type: str = ""
    error_code: str = ""

    def __str__(self) -> str:
        return _refusal("Sign-in failed", self)


class AccessDenied(SignInFailed):
    """The person (or TikTok) refused the authorization."""


class StateMismatch(SignInFailed):
    """The answer's `state` differs from the one that was sent: the answer belongs to another sign-in, or is forged."""


class GrantRejected(SignInFailed):
    """The code or refresh token is expired, used or revoked, or belongs to another app or redirect URI (`invalid_grant`)."""


# --- No answer ------------------------------------------------------------------------------------------------------


@define(eq=False, slots=False, repr=False)
class TransportError(TikTokError):
    """No complete answer came back. The subclasses say whether TikTok may have seen the request.

    Attributes:
        request: method and URL, without the query.
        reason: one clause, written by the transport.
    """

    request: str
    reason: str

    def __str__(self) -> str:
        return f"{self.request}: {self.reason}."


class NotSent(TransportError):
    """The request never left this machine (host name not found, connection refused, TLS failed). It is safe to repeat it."""


class Misused(NotSent):
    """The program used a client where it cannot work: in a second event loop, in a forked child, or after `close`.

    Nothing left this machine, and no repetition helps: the library makes none. Make a client for each process and event loop.
    Closing a client in another event loop than its own raises it, too; `request` says so then.
    """


class Interrupted(TransportError):
    """The request left, and no complete answer came. TikTok may or may not have acted on it."""


class TimedOut(Interrupted):
    """The request left, and the answer did not come in time. TikTok may or may not have acted on it."""


# --- TikTok said no -------------------------------------------------------------------------------------------------


@define(eq=False, slots=False, repr=False)
class ApiError(TikTokError):
    """TikTok answered with an error code. An unknown code raises this class itself, a known one may raise a subclass.

    Attributes:
        code: TikTok's `error.code`, unchanged.
        message: TikTok's `error.message`, unchanged.
        log_id: TikTok's id of the exchange, which its support asks for; empty if the answer has none.
        status: HTTP status; TikTok sends some refusals with 200.
        explanation: what the code means and what to do; None for an unknown code.
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
    """The call needs a scope that the person did not grant, or that the app does not have."""


class PostingRefused(ApiError):
    """The app or the creator may not post this now, because of an audit, a cap, a ban or an unverified URL."""


class ServerError(ApiError):
    """TikTok failed to handle the call (`internal_error`, HTTP 408 or 5xx)."""


@define(eq=False, slots=False, repr=False)
class RateLimited(ApiError):
    """The caller made too many calls within a minute.

    Attributes:
        retry_after: seconds to wait, as TikTok's answer says; 60 if it does not say, because TikTok counts by the minute.
    """

    retry_after: float = 60.0


@define(eq=False, slots=False, repr=False)
class UnexpectedResponse(TikTokError):
    """The answer does not have the documented shape.

    Attributes:
        request: method and URL, without the query.
        reason: one clause that says what is missing or wrong.
        status: HTTP status.
        log_id: TikTok's id of the exchange; empty if the answer has none.
    """

    request: str
    reason: str
    status: int | None = None
    log_id: str = ""

    def __str__(self) -> str:
        status = f" (HTTP {self.status})" if self.status is not None else ""
        return f"{self.request}: unexpected answer{status}: {self.reason}.{_log_id(self.log_id)}"


class UnexpectedRedirect(UnexpectedResponse):
    """The answer is a redirect. The library follows none, because a request carries secrets or a video."""


class ForeignUploadHost(UnexpectedResponse):
    """The upload URL does not lie on one of TikTok's hosts. The library sent no byte there."""


# --- Publishing -----------------------------------------------------------------------------------------------------


@define(eq=False, slots=False, repr=False)
class UploadError(TikTokError):
    """The library could not upload the bytes of a video.

    Attributes:
        publish_id: TikTok's id of the post; None if TikTok has not given one.
        reason: one clause.
        status: HTTP status of the upload host; None if it did not answer.
    """

    publish_id: str | None
    reason: str
    status: int | None = None

    def __str__(self) -> str:
        what = f"Upload of {self.publish_id}" if self.publish_id else "Upload"
        status = f" (HTTP {self.status})" if self.status is not None else ""
        return f"{what} failed{status}: {self.reason}."


class UploadExpired(UploadError):
    """The upload URL is no longer valid: it lives one hour. Only a new post gets another one."""


@define(eq=False, slots=False, repr=False)
class SourceChanged(UploadError):
    """The file changed since the post was asked for, or can no longer be read. The library sent nothing more of it.

    Attributes:
        passes: whether waiting may help: the server or the storage where the file lies did not answer, or had trouble of its own.
    """

    passes: bool = False


@define(eq=False, slots=False, repr=False)
class PublishFailed(TikTokError):
    """TikTok accepted the post, and later reported that it failed.

    Attributes:
        publish_id: TikTok's id of the post.
        reason: TikTok's `fail_reason`, unchanged.
        explanation: what the reason means and what to do; None for an unknown reason.
    """

    publish_id: str
    reason: str
    explanation: Explanation | None = None

    def __str__(self) -> str:
        why = f" {self.explanation}" if self.explanation else ""
        return f"Post {self.publish_id} failed: {self.reason or 'TikTok gave no reason'}.{why}"


@define(eq=False, slots=False, repr=False)
class OutcomeUnknown(TikTokError):
    """The post may or may not exist: the answer to the request that publishes was lost, or TikTok no longer knows the post.

    The library never repeats such a request by itself, because TikTok cannot tell a repetition from a second post. A person
    looks at the account and reports the outcome: `settle(key, posted=...)`, or
    `tiktok resume KEY --settle posted|not-posted`.

    Attributes:
        what: what the request asked for.
        since: when the request left (UTC).
        cause: why the outcome is not known, in one clause.
    """

    what: str
    since: datetime
    cause: str

    def __str__(self) -> str:
        at = self.since.strftime("%Y-%m-%d %H:%M:%S UTC")
        how = f" Then settle the key {self.key} as posted or as not posted." if self.key else ""
        return (
            f"{self.what} was sent at {at}, and its outcome is not known ({self.cause}). "
            f"It may have been posted: look at the account before you post again.{how}"
        )


@define(eq=False, slots=False, repr=False)
class StillProcessing(TikTokError):
    """The library stopped waiting before TikTok finished the post. This is neither a success nor a failure.

    Attributes:
        publish_id: TikTok's id of the post, with which to ask for its status later.
        status: the last status that TikTok reported.
        waited: seconds for which the library waited.
        trouble: why the library stopped waiting early, in one clause; empty if its patience ran out.
        fail_reason: the reason that TikTok gave with a status that is not final; empty if it gave none.
    """

    publish_id: str
    status: str
    waited: float
    trouble: str = ""
    fail_reason: str = ""

    def __str__(self) -> str:
        reason = f" TikTok gives the reason {self.fail_reason}." if self.fail_reason else ""
        trouble = f" Its status can no longer be followed: {self.trouble.rstrip('.')}." if self.trouble else ""
        return (
            f"Post {self.publish_id} is still {self.status} after {self.waited:.0f} s.{reason}{trouble} "
            "TikTok goes on by itself: ask for its status later, and do not post again."
        )


@define(eq=False, slots=False, repr=False)
class LeaseLost(TikTokError):
    """Another process has taken this post over. This one did nothing more with it.

    Attributes:
        post: the key of the post.
    """

    post: str

    def __str__(self) -> str:
        return f"Another process has taken over post {self.post} and goes on with it."


# --- Stores and webhooks --------------------------------------------------------------------------------------------


@define(eq=False, slots=False, repr=False)
class StoreError(TikTokError):
    """A store could not read or write.

    Attributes:
        store: which store, in words; never its content.
        reason: one clause.
        kind: the cause, for programs. The store is `locked` (or busy) or `full`; the data in it is `damaged`, of another
            `version`, or encrypted with another `key`; the data is `foreign` (another owner's, or not a store at all);
            something that the store needs is `missing`; the store is `closed`; its content is or was `moved` to another store;
            or it `failed` in another way. Waiting can help with the first two only. The store keeps data that it cannot read.
    """

    store: str
    reason: str
    kind: StoreTrouble = "failed"

    def __str__(self) -> str:
        return f"{self.store}: {self.reason}."


@define(eq=False, slots=False, repr=False)
class WebhookRejected(TikTokError):
    """The webhook cannot be trusted, so the error shows nothing of it.

    Attributes:
        reason: one clause.
    """

    reason: str

    def __str__(self) -> str:
        return f"The webhook is rejected: {self.reason}."


@define(eq=False, slots=False, repr=False)
class StaleWebhook(WebhookRejected):
    """TikTok signed the webhook, but too long ago. It is a repeated delivery, which TikTok sends for 72 hours, or a replay.

    Attributes:
        event: the `Event` of the webhook. A receiver that keeps the keys of events may use it if its key is new.
    """

    event: Any

    def __str__(self) -> str:
        return f"TikTok signed the webhook, but too long ago: {self.reason}."


def _refusal(what: str, error: ApiError | SignInFailed) -> str:
    said = f": {error.message.rstrip('.')}" if error.message else ""
    words = [error.code, getattr(error, "error_type", ""), getattr(error, "error_code", "")]
    status = f"HTTP {error.status}" if error.status else ""
    known = ", ".join(filter(None, dict.fromkeys((*words, status))))
    why = f" {error.explanation}" if error.explanation else ""
    return f"{what} ({known}){said}.{why}{_log_id(error.log_id)}"


def _log_id(log_id: str) -> str:
    return f" [log_id {log_id}]" if log_id else ""
