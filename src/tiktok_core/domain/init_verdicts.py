"""What follows from an init: from its answer, its refusal, or its lost answer.

What belongs here: one plain function for each thing that can be heard, and what only they need: the ladder of chunk sizes, and
how many inits are enough. Of a file TikTok publishes nothing without bytes, so a lost answer costs an init. A pull or photos
are published by the init alone, so after a lost answer the outcome is unknown, and a person has to look.

Two functions are about a lost answer. The step that sent the init calls `after_lost_answer`. `after_unanswered_init` is for the
next step, in the same run or after a crash, which finds an init with no stored answer; it returns None where that step may send
another init.
"""

from datetime import datetime
from typing import Final

from tiktok_core.domain.chunks import ChunkPlan, fallback_plans
from tiktok_core.domain.journal import Record
from tiktok_core.domain.kept_refusal import refusal_of
from tiktok_core.domain.moves import begun, ended, not_begun, unknown
from tiktok_core.domain.publishing import Begun
from tiktok_core.domain.verdicts import SAYS_NOTHING, TROUBLE_PAUSE, Verdict, after_handover, outcome_unknown
from tiktok_core.errors import (
    AccessTokenInvalid,
    ApiError,
    ForeignUploadHost,
    Interrupted,
    InvalidPost,
    Misused,
    NotSent,
    RateLimited,
    ServerError,
    TikTokError,
    UnexpectedRedirect,
    UnexpectedResponse,
)

__all__ = [
    "INIT_ERRORS",
    "MOST_INITS",
    "MOST_LOST_INITS",
    "after_begun_init",
    "after_creator_check",
    "after_init_error",
    "after_lost_answer",
    "after_refused_init",
    "after_unanswered_init",
    "after_unsent_init",
]

MOST_INITS: Final = 3
"""Inits that are sent for a file before its post is given up: each may cost a place among the creator's five pending
shares. The next call that asks for the same post starts to count again."""
MOST_LOST_INITS: Final = 2
"""How many inits in a row may stay without an answer. After that many, the library sends no other one."""
PLAN_REFUSED: Final = ("chunk size is invalid", "chunk count is invalid")
NOT_ABOUT_THE_POST: Final = (*SAYS_NOTHING, AccessTokenInvalid)
"""Refusals that say nothing about the post: it stays as it was planned."""
INIT_ERRORS: Final = (NotSent, Interrupted, ApiError, UnexpectedResponse)
"""Errors of an init after which `after_init_error` knows what to do."""


def after_creator_check(record: Record, now: datetime, error: ApiError | InvalidPost) -> Verdict:
    """Return the verdict on a post that may not be posted as its creator is now, or whose creator could not be asked."""
    if isinstance(error, NOT_ABOUT_THE_POST):
        return Verdict(record=record, error=error)
    return Verdict(record=ended(record, now, refusal_of(error)), error=error)


def after_unanswered_init(record: Record, now: datetime) -> Verdict | None:
    """Return the verdict on an init that an earlier step sent, and of which no answer is stored; None: send another one."""
    if record.wish.is_pulled:
        lost = unknown(record, now)
        return Verdict(
            record=lost, error=outcome_unknown(lost, "no answer was stored: its process ended, or could not store one")
        )
    if _had_enough(record):
        error = UnexpectedResponse("init", f"{record.lost_inits} of them went without an answer; nothing was posted")
        return Verdict(record=ended(record, now, refusal_of(error)), error=error)
    return None


def after_begun_init(record: Record, now: datetime, answer: Begun) -> Verdict:
    """Return the verdict on an init that began a post."""
    return after_handover(begun(record, now, answer))


def after_init_error(record: Record, now: datetime, error: TikTokError) -> Verdict:
    """Return the verdict on an init that ended with one of `INIT_ERRORS`."""
    if isinstance(error, Misused):
        return Verdict(record=not_begun(record, now), error=error)
    if isinstance(error, (NotSent, RateLimited)):
        return after_unsent_init(record, now, error)
    if isinstance(error, ApiError) and not isinstance(error, ServerError):
        return after_refused_init(record, now, error)
    return after_lost_answer(record, now, error)


def after_unsent_init(record: Record, now: datetime, error: NotSent | RateLimited) -> Verdict:
    """Return the verdict on an init that was not sent, or came too soon: it certainly began nothing."""
    wait = error.retry_after if isinstance(error, RateLimited) else 0.0
    return Verdict(record=not_begun(record, now), again_in=max(TROUBLE_PAUSE, wait), trouble=error)


def after_lost_answer(record: Record, now: datetime, error: TikTokError) -> Verdict:
    """Return the verdict on an init that this step sent, and that got no answer, a 5xx, or one that is of no use."""
    if isinstance(error, (ForeignUploadHost, UnexpectedRedirect)):
        # A host answered, and it began no post that can be uploaded to, or none at all.
        return Verdict(record=ended(record, now, refusal_of(error)), error=error)
    if record.wish.is_pulled:
        lost = unknown(record, now)
        return Verdict(record=lost, trouble=error, error=outcome_unknown(lost, str(error).rstrip(".")))
    if _had_enough(record):
        return Verdict(record=ended(record, now, refusal_of(error)), error=error)
    return Verdict(record=record, again_in=TROUBLE_PAUSE, trouble=error)


def after_refused_init(record: Record, now: datetime, error: ApiError) -> Verdict:
    """Return the verdict on an init that TikTok refused, so that nothing was created."""
    plan = _next_plan(record) if any(word in error.message for word in PLAN_REFUSED) else None
    if plan is not None:
        return Verdict(record=not_begun(record, now, plan), again_in=0.0, trouble=error)
    if isinstance(error, NOT_ABOUT_THE_POST):
        return Verdict(record=not_begun(record, now), error=error)
    return Verdict(record=ended(record, now, refusal_of(error)), error=error)


def _had_enough(record: Record) -> bool:
    return record.lost_inits >= MOST_LOST_INITS or record.inits >= MOST_INITS


def _next_plan(record: Record) -> ChunkPlan | None:
    """Return the next way to cut the file after the one that TikTok refused; None after the last, or where a person chose."""
    first, refused = record.wish.plan, record.plan
    if first is None or refused is None or record.wish.is_cut_chosen:
        return None
    ladder = (first, *fallback_plans(first))
    after = ladder[ladder.index(refused) + 1 :] if refused in ladder else ()
    return after[0] if after else None
