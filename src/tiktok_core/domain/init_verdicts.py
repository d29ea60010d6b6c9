"""What follows from an init: from its answer, its refusal, or its lost answer.

What belongs here: one plain function for each thing that can be heard, and what only they need: the ladder of chunk sizes, and
how many inits are enough. Of a file TikTok publishes nothing without bytes, so a lost answer costs an init. A pull or photos
are published by the init alone, so after a lost answer the outcome is unknown, and a person has to look. A pull becomes an
upload after one answer alone: that the app may not pull from this URL, which proves that this init began nothing.

Two functions are about a lost answer. The step that sent the init calls `after_lost_answer`. `after_unanswered_init` is for the
next step, in the same run or after a crash, which finds an init with no stored answer; it returns None where that step may send
another init.
"""

from datetime import datetime
from typing import Final

from attrs import evolve

from tiktok_core.domain.chunks import ChunkPlan, fallback_plans
from tiktok_core.domain.journal import Record
from tiktok_core.domain.kept_refusal import refusal_of, refused_again
from tiktok_core.domain.moves import begun, ended, not_begun, to_be_uploaded, unknown
from tiktok_core.domain.posts import VideoPost
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
    PostingRefused,
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
    "after_no_upload",
    "after_refused_init",
    "after_unanswered_init",
    "after_unsent_init",
]

MOST_INITS: Final = 3
"""Inits that are sent for a file before its post is given up: each may cost a place among the creator's five pending
shares. The next call that asks for the same post starts to count again."""
MOST_LOST_INITS: Final = 2
"""How many inits in a row may stay without an answer. After that many, the library sends no other one."""
UNVERIFIED: Final = "url_ownership_unverified"
"""TikTok's word for a URL that is under none of the app's verified properties."""
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


def after_init_error(record: Record, now: datetime, error: TikTokError, *, can_upload: bool = False) -> Verdict:
    """Return the verdict on an init that ended with one of `INIT_ERRORS`.

    Args:
        record: the post, as it was stored before the init left.
        now: the time.
        error: how the init ended.
        can_upload: whether this client can open a URL, so that what TikTok may not pull can be uploaded.
    """
    if isinstance(error, Misused):
        return Verdict(record=not_begun(record, now), error=error)
    if isinstance(error, (NotSent, RateLimited)):
        return after_unsent_init(record, now, error)
    if isinstance(error, ApiError) and not isinstance(error, ServerError):
        if can_upload and _is_to_be_uploaded(record, error):
            return Verdict(record=to_be_uploaded(record, now, refusal_of(error)), again_in=0.0)
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


def after_no_upload(record: Record, now: datetime, error: InvalidPost) -> Verdict:
    """Return the verdict on a video that TikTok refused to pull, and that cannot be uploaded either: TikTok's refusal stands."""
    why = refusal_of(error)
    if record.refusal is not None:
        said = "; ".join(problem.message for problem in error.problems)
        reason = f"{record.refusal.reason.rstrip('. ') or 'TikTok may not pull from this URL'}; it cannot be uploaded instead, because {said}"
        why = evolve(record.refusal, reason=reason)
    return Verdict(record=ended(record, now, why), error=refused_again(why, None))


def _is_to_be_uploaded(record: Record, error: ApiError) -> bool:
    """Whether a refusal says that the app may not pull from this URL, and the wish lets the library upload what lies there."""
    wish = record.wish
    is_pulled_video = isinstance(wish.post, VideoPost) and wish.is_pulled and wish.video is not None
    may_exist = record.publish_id is not None or bool(record.others)
    is_definite = isinstance(error, PostingRefused) and (error.code, error.status) == (UNVERIFIED, 403)
    return is_pulled_video and wish.upload is None and is_definite and not may_exist


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
