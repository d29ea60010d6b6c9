"""Errors as answers: every error of the library, with what a program can read of it, and no secret.

What belongs here: the one place that turns an error into an answer.
"""

import logging
from collections.abc import Awaitable, Callable
from functools import wraps
from inspect import signature
from typing import Annotated, Concatenate, Final, ParamSpec, TypeVar

from attrs import asdict
from mcp_types import CallToolResult, TextContent

from tiktok_adapters.agents.answers import Answer, Data, Meaning, Trouble, Wrong
from tiktok_core import (
    ApiError,
    InvalidInput,
    OutcomeUnknown,
    PublishFailed,
    RateLimited,
    ReleaseRequired,
    SignInFailed,
    SignInRequired,
    StillProcessing,
    StoreError,
    TikTokError,
    TransportError,
    UploadError,
)
from tiktok_core.errors import Explanation, Problem

__all__ = ["answered", "answering", "meaning_of", "trouble_of", "wrong_of"]

P = ParamSpec("P")
S = TypeVar("S")
log: Final = logging.getLogger("tiktok_core")


def answered(answer: Answer) -> CallToolResult:
    """Return an answer as the protocol has it: as a value and as text."""
    return CallToolResult(
        content=[TextContent(type="text", text=answer.model_dump_json())],
        structured_content=answer.model_dump(mode="json"),
        is_error=answer.error is not None,
    )


def answering(
    kind: type[Answer],
) -> Callable[[Callable[Concatenate[S, P], Awaitable[Answer]]], Callable[Concatenate[S, P], Awaitable[CallToolResult]]]:
    """Let a tool answer with this model, and with what went wrong in it."""

    def decorate(tool: Callable[Concatenate[S, P], Awaitable[Answer]]) -> Callable[..., Awaitable[CallToolResult]]:
        @wraps(tool)
        async def run(self: S, *args: P.args, **named: P.kwargs) -> CallToolResult:
            try:
                return answered(await tool(self, *args, **named))
            except Exception as error:  # noqa: BLE001 - every error becomes an answer, and none a traceback
                return answered(kind(error=trouble_of(error)))

        # What the tool's caller gets is the wrapped answer; its schema is made from the model.
        returned = Annotated[CallToolResult, kind]
        run.__annotations__ = {**tool.__annotations__, "return": returned}
        run.__signature__ = signature(tool).replace(return_annotation=returned)  # type: ignore[attr-defined]
        return run

    return decorate


def trouble_of(error: Exception) -> Trouble:
    """Return what went wrong."""
    if not isinstance(error, TikTokError):
        log.error("A tool failed with an unexpected error: %s", type(error).__name__)
        return Trouble(
            type="UnexpectedError", message=f"An unexpected error ({type(error).__name__}) stopped the tool."
        )
    explanation = getattr(error, "explanation", None)
    said = error.message if isinstance(error, ApiError | SignInFailed) else ""
    return Trouble(
        type=type(error).__name__,
        code=_code(error),
        message=_sentence(error),
        tiktok_said=Data(untrusted_text=said) if said else None,
        problems=[wrong_of(one) for one in error.problems] if isinstance(error, InvalidInput) else [],
        explanation=meaning_of(explanation) if explanation else None,
        log_id=getattr(error, "log_id", "") or None,
        retry_after=error.retry_after if isinstance(error, RateLimited) else None,
        key=error.key,
        publish_id=error.publish_id,
    )


def wrong_of(problem: Problem) -> Wrong:
    """Return one problem; it may name a file, so its words are data."""
    return Wrong(field=problem.field, message=Data(untrusted_text=problem.message))


def meaning_of(found: Explanation) -> Meaning:
    """Return what a refusal means."""
    return Meaning(**asdict(found))


def _code(error: TikTokError) -> str | None:
    match error:
        case PublishFailed():
            return error.reason or None
        case StillProcessing():
            return error.fail_reason or None
        case StoreError():
            return error.kind
        case _:
            return getattr(error, "code", None) or None


def _sentence(error: TikTokError) -> str:
    """Return one sentence of ours: nothing that TikTok or a file said is in it."""
    key = error.key or "KEY"
    match error:
        case ReleaseRequired():
            return (
                f"The post waits for a person: 'tiktok release {key}', or Release in 'tiktok studio', then call resume."
            )
        case InvalidInput():
            return "Something in the call cannot be right, and nothing was sent: see problems."
        case SignInRequired():
            return "A person has to sign in: 'tiktok login'."
        case ApiError() | SignInFailed():
            return "TikTok refused the call: see code and explanation."
        case PublishFailed():
            return "TikTok took the post and then failed it: see code and explanation."
        case OutcomeUnknown():
            how = f"'tiktok resume {key} --settle posted' or '--settle not-posted'"
            return f"The answer was lost, so the post may be on TikTok: a person has to look, and say which with {how}."
        case StillProcessing():
            return "TikTok has the post and has not finished it: call status later, and do not post again."
        case TransportError() | UploadError():
            return (
                "TikTok was not reached, or did not take the bytes: call resume with the key, which never posts twice."
            )
        case StoreError():
            return "The store of tokens and posts cannot be used: a person has to look with 'tiktok doctor'."
        case _:
            return "The call failed: see type and code. 'tiktok doctor' looks for the cause."
