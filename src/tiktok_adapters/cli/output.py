"""The results of commands: documents, sentences, exit statuses.

What belongs here: writing values and errors for programs (`--json`) and for people.
"""

import json
import traceback
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

import click
from attrs import asdict, define

from tiktok_adapters.assembly.derived import DERIVED
from tiktok_adapters.cli.common import choices, printable, say
from tiktok_adapters.cli.options import option_of
from tiktok_core import (
    ApiError,
    InvalidInput,
    InvalidSettings,
    OutcomeUnknown,
    Publication,
    PublishFailed,
    RateLimited,
    ReleaseRequired,
    ScopeMissing,
    SignInFailed,
    SignInRequired,
    SourceChanged,
    StillProcessing,
    StoreError,
    TikTokError,
    Tokens,
    TransportError,
    UploadError,
)
from tiktok_core.errors import UnexpectedRedirect
from tiktok_core.events import WebhookRejected

__all__ = [
    "DERIVED",
    "UNEXPECTED",
    "NotGranted",
    "PostInterrupted",
    "account_document",
    "document",
    "error_document",
    "post_document",
    "report",
    "show",
    "show_post",
    "spelled_moment",
    "status_of",
    "tell",
]

UNEXPECTED: Final = 1
INTERRUPTED: Final = 130
STATUSES: Final[tuple[tuple[type[TikTokError], int], ...]] = (
    (SourceChanged, 2),
    (InvalidInput, 2),
    (SignInRequired, 3),
    (ApiError, 4),
    (SignInFailed, 4),
    (PublishFailed, 4),
    (UploadError, 4),
    (UnexpectedRedirect, 4),
    (WebhookRejected, 4),
    (TransportError, 5),
    (OutcomeUnknown, 6),
    (StillProcessing, 6),
)
"""The exit status of each error class; the first class that fits counts."""
UNGRANTED: Final = "scope_not_authorized"
"""TikTok's word for a scope that the person did not grant, so that a person has to sign in again."""
ASKED: Final = ("client_key", "client_secret", "redirect_uri")
"""The settings for which `tiktok configure` asks."""
WAY_IN: Final = "To be asked for what is missing: tiktok configure. To try everything without an account: tiktok demo, or tiktok sandbox"
GOES_ON: Final = (StillProcessing, TransportError, UploadError)
"""Errors after which `tiktok resume` can continue the post."""
INTERRUPTIONS: Final = (KeyboardInterrupt, click.Abort)


@define(eq=False, slots=False, repr=False)
class NotGranted(SignInRequired):
    """The sign-in lacks scopes that the command needs; found in the store, without asking TikTok.

    Attributes:
        scopes: the scopes that it lacks.
    """

    scopes: tuple[str, ...]


class PostInterrupted(KeyboardInterrupt):
    """A person interrupted a post that the journal knows.

    Args:
        left: sentences that say how far the post came, and how to go on.
        key: its key.
        publish_id: TikTok's id of it; None before TikTok has given one.
    """

    def __init__(self, left: str, key: str, publish_id: str | None) -> None:
        super().__init__(left)
        self.left = left
        self.key = key
        self.publish_id = publish_id


def status_of(error: BaseException) -> int:
    """Return the exit status of an error."""
    if isinstance(error, click.ClickException):
        return error.exit_code
    if isinstance(error, INTERRUPTIONS):
        return INTERRUPTED
    if isinstance(error, ScopeMissing) and error.code == UNGRANTED:
        return status_of(SignInRequired(None, ""))
    return next((status for kind, status in STATUSES if isinstance(error, kind)), UNEXPECTED)


def report(error: BaseException, *, as_json: bool) -> int:
    """Print one sentence on standard error and, for `as_json`, a document. Return the exit status."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError) and not as_json:
        error.show()
        return error.exit_code
    # The command line's framework raises an error of its own in place of an interruption.
    error = error.__cause__ if isinstance(error.__cause__, PostInterrupted) else error
    if isinstance(error, InvalidSettings) and len(error.problems) > 1:
        say("tiktok: these settings are missing or wrong:")
        for problem in error.problems:
            say(f"  {option_of(problem.field)} {problem.message}")
        if _is_first_run(error):
            say(WAY_IN)
    else:
        say(f"tiktok: {_sentence(error)}{'. ' + WAY_IN if _is_first_run(error) else ''}")
    if _is_unexpected(error) and _wants_traceback():
        click.echo("".join(traceback.format_exception(error)), err=True)
    if as_json:
        document({"error": error_document(error)})
    return status_of(error)


def _is_first_run(error: BaseException) -> bool:
    """Whether a setting is missing for which `tiktok configure` asks."""
    missing = error.problems if isinstance(error, InvalidSettings) else ()
    return any(problem.field in ASKED and problem.message.startswith("is missing") for problem in missing)


def document(value: Any) -> None:
    """Print one JSON document on standard output."""
    # JSON in ASCII survives the encoding of any terminal or pipe.
    click.echo(json.dumps(value, indent=2))


def show(value: Any, *lines: str) -> None:
    """Print the result of a command: the document for `--json`, the lines otherwise."""
    if choices().json:
        document(value)
        return
    for line in lines:
        click.echo(printable(line))


def tell(sentence: str) -> None:
    """Print a sentence while the command runs: on standard output, or with `--json` on standard error."""
    if choices().json:
        say(sentence)
    else:
        show(None, sentence)


def post_document(publication: Publication, earlier: datetime | None = None) -> dict[str, Any]:
    """Return the document of a post, with the time at which an earlier command asked for it."""
    return {
        "key": publication.key,
        "publish_id": publication.publish_id,
        "status": publication.status,
        "fail_reason": publication.fail_reason,
        "post_ids": list(publication.post_ids),
        "uploaded_bytes": publication.uploaded_bytes,
        "earlier_at": spelled_moment(earlier) if earlier else None,
    }


def show_post(done: Publication, earlier: datetime | None = None) -> None:
    """Print a post as its document or one line. Name a derived key too, because it prevents a repeated post."""
    if done.key and done.key.startswith(DERIVED):
        say(
            f"Its key is {done.key}: the same command does not post again within 60 minutes, unless it fails; use --again for that."
        )
    ids = f", public as {', '.join(map(str, done.post_ids))}" if done.post_ids else ""
    reason = f" ({done.fail_reason})" if done.fail_reason else ""
    show(post_document(done, earlier), f"{done.publish_id or done.key}: {done.status}{reason}{ids}")


def account_document(tokens: Tokens) -> dict[str, Any]:
    """Return the document of a signed-in account, without its tokens."""
    return {
        "open_id": tokens.open_id,
        "scope": ",".join(tokens.scope),
        "expires_at": spelled_moment(tokens.expires_at),
        "refresh_expires_at": spelled_moment(tokens.refresh_expires_at),
    }


def spelled_moment(moment: datetime) -> str:
    """Return a time as the documents spell it: in UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def error_document(error: BaseException) -> dict[str, Any]:
    """Return the document of an error."""
    code = UNGRANTED if isinstance(error, NotGranted) else getattr(error, "code", None)
    if isinstance(error, PublishFailed):
        code = error.reason
    elif isinstance(error, StillProcessing):
        code = error.fail_reason
    elif isinstance(error, StoreError):
        code = error.kind
    explanation = getattr(error, "explanation", None)
    said = error.message if isinstance(error, ApiError | SignInFailed) else ""
    return {
        "type": _kind(error),
        "code": code or None,
        "message": said or _sentence(error),
        "log_id": getattr(error, "log_id", "") or None,
        "retry_after": error.retry_after if isinstance(error, RateLimited) else None,
        "explanation": asdict(explanation) if explanation else None,
        "key": getattr(error, "key", None),
        "publish_id": getattr(error, "publish_id", None),
        "earlier_at": spelled_moment(at) if (at := getattr(error, "earlier_at", None)) else None,
    }


def _kind(error: BaseException) -> str:
    if isinstance(error, INTERRUPTIONS):
        return "KeyboardInterrupt"
    if isinstance(error, NotGranted):
        return "SignInRequired"
    return "UsageError" if isinstance(error, click.UsageError) else type(error).__name__


def _sentence(error: BaseException) -> str:
    if isinstance(error, INTERRUPTIONS):
        return f"interrupted. {error.left}" if isinstance(error, PostInterrupted) else "interrupted"
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return f"Name a command. Try '{error.ctx.command_path} --help'."
    if isinstance(error, click.UsageError):
        hint = f" Try '{error.ctx.command_path} --help'." if error.ctx else ""
        said = error.format_message().rstrip(".")
        return f"{said}{'' if said.endswith('?') else '.'}{hint}"
    if isinstance(error, click.ClickException):
        return error.format_message()
    if isinstance(error, ReleaseRequired) and error.key:
        said = "; ".join(problem.message for problem in error.problems)
        ways = f"'tiktok release {error.key}' releases it, 'tiktok abandon {error.key}' gives it up"
        return f"{error.key} {said}. {ways}"
    if isinstance(error, InvalidInput):
        return _in_options(error)
    if isinstance(error, SignInRequired):
        return f"{error}{_sign_in(error.scopes if isinstance(error, NotGranted) else ())}"
    if _is_unexpected(error):
        return f"an unexpected error ({type(error).__name__}); set TIKTOK_LOG=DEBUG to see where"
    return f"{error}{_what_next(error)}"


def _sign_in(scopes: Iterable[str]) -> str:
    """Return the command that grants the scopes, to stand after an error."""
    return f" Sign in: tiktok login{''.join(f' --scope {scope}' for scope in scopes)}"


def _what_next(error: BaseException) -> str:
    """Return what to type next about a post that has no good end, to stand after its error."""
    key, at = getattr(error, "key", None), getattr(error, "earlier_at", None)
    if isinstance(error, ScopeMissing) and (needed := getattr(error, "needed", ())):
        return _sign_in(needed)
    if not key:
        return ""
    if isinstance(error, OutcomeUnknown):
        return f" If it is there: tiktok resume {key} --settle posted. If not: tiktok resume {key} --settle not-posted"
    if isinstance(error, GOES_ON):
        return f" Its key is {key}; 'tiktok resume {key}' continues it."
    if isinstance(error, PublishFailed) and key.startswith(DERIVED):
        return " The same 'tiktok post' makes a new post."
    if isinstance(error, PublishFailed) and at:
        return f" It was asked for at {at:%Y-%m-%d %H:%M} UTC. Its key makes no other post: take another --key to post again."
    return ""


def _in_options(error: InvalidInput) -> str:
    """Return the problems under the names of the options, because a person typed those."""
    return "; ".join(f"{option_of(problem.field)}: {problem.message}" for problem in error.problems)


def _is_unexpected(error: BaseException) -> bool:
    return not (isinstance(error, (TikTokError, click.ClickException, *INTERRUPTIONS)) or _names_a_package(error))


def _names_a_package(error: BaseException) -> bool:
    """Whether an adapter names a package to install; Python's own import errors name a file, or have a narrower class."""
    return type(error) is ImportError and error.name is not None and error.path is None


def _wants_traceback() -> bool:
    import os  # noqa: PLC0415 - for this rare case only

    return os.environ.get("TIKTOK_LOG", "").upper() == "DEBUG"
