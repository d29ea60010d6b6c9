"""What follows from something that was heard about a post: the record to store, when to go on, and which error to raise.

What belongs here: the value `Verdict`, and the verdicts on a post that TikTok has all the bytes of, or may have. Verdicts on an
init are in `init_verdicts`, on an upload in `upload_verdicts`, on steps that fail again and again in `trouble`. All of them are
plain functions: they send nothing, store nothing and read no clock.
"""

from datetime import datetime, timedelta
from typing import Final

from attrs import frozen

from tiktok_core.domain.journal import Record, Stage
from tiktok_core.domain.kept_refusal import NOT_WRITTEN_DOWN, refused_again
from tiktok_core.domain.moves import reported, settled, unknown
from tiktok_core.domain.posts import PhotoPost
from tiktok_core.domain.publishing import Publication, poll_pause
from tiktok_core.domain.refusals import explain
from tiktok_core.errors import (
    ApiError,
    InvalidInput,
    Misused,
    OutcomeUnknown,
    Problem,
    PublishFailed,
    RateLimited,
    ServerError,
    StillProcessing,
    TikTokError,
    TransportError,
)

__all__ = [
    "ID_IS_FORGOTTEN",
    "SAYS_NOTHING",
    "TROUBLE_PAUSE",
    "UNKNOWN_ID",
    "Verdict",
    "after_end",
    "after_forgotten",
    "after_handover",
    "after_patience",
    "after_person",
    "after_reported_end",
    "after_status",
    "finished",
    "is_forgotten",
    "is_not_known_yet",
    "is_status_of",
    "is_unanswered",
    "not_refused",
    "outcome_unknown",
    "pause_before_question",
    "says_nothing",
    "still_processing",
    "while_unknown",
]

TROUBLE_PAUSE: Final = 0.5
"""Seconds before a step with trouble is taken again, at least."""
SAYS_NOTHING: Final = (TransportError, ServerError, RateLimited)
"""Errors of any question that say nothing about what was asked. `says_nothing` adds one for a post's status."""
UNKNOWN_ID: Final = "invalid_publish_id"
"""TikTok's word for a publish id that it does not know yet, never knew, or has forgotten."""
ID_IS_FORGOTTEN: Final = "TikTok no longer knows its publish id"
KNOWN_WITHIN: Final = timedelta(minutes=1)
"""How long after an init TikTok may not know the post's publish id yet, as a client saw."""
NAMED: Final = frozenset(
    {Stage.UPLOADING, Stage.UNKNOWN, Stage.PROCESSING, Stage.COMPLETE, Stage.IN_INBOX, Stage.FAILED, Stage.GIVEN_UP}
)
"""Stages in which the publish id of a record is that of its latest init."""


@frozen(kw_only=True)
class Verdict:
    """What to do after something was heard. The record is stored first.

    Attributes:
        record: the record to store.
        again_in: seconds after which to take the next step; None where the post has ended.
        trouble: what went wrong on the way, though not for good; the cause of `error` where that is another one.
        error: what to raise once the record is stored; None where the step ends well.
    """

    record: Record
    again_in: float | None = None
    trouble: TikTokError | None = None
    error: TikTokError | None = None


def after_end(record: Record) -> Verdict:
    """Return the verdict on a post that has ended: nothing is left to do."""
    return Verdict(record=record)


def after_handover(record: Record) -> Verdict:
    """Return the verdict on a post of which TikTok has all that it needs, or only a part: ask soon, or go on at once."""
    return Verdict(record=record, again_in=poll_pause(0) if record.is_processing else 0.0)


def after_status(record: Record, now: datetime) -> Verdict:
    """Return the verdict on a post whose newest status is in the record."""
    return Verdict(record=record, again_in=None if record.is_ended else pause_before_question(record, now))


def after_forgotten(record: Record, now: datetime) -> Verdict:
    """Return the verdict on a post whose publish id TikTok no longer knows: it may have been published, and a person has to look."""
    lost = record if record.stage is Stage.UNKNOWN else unknown(record, now)
    return Verdict(record=lost, error=outcome_unknown(lost, ID_IS_FORGOTTEN))


def after_reported_end(record: Record, now: datetime, publication: Publication) -> Verdict:
    """Return the verdict on a post that TikTok reports to have ended."""
    return Verdict(record=reported(record, now, publication))


def while_unknown(record: Record) -> Verdict:
    """Return the verdict on a post whose init may have published it, and which TikTok has not named: a person has to look."""
    return Verdict(record=record, error=outcome_unknown(record, "an earlier run found no answer"))


def after_person(record: Record, now: datetime, *, posted: bool) -> Verdict:
    """Return the verdict on a post whose outcome a person has found out."""
    if record.stage is not Stage.UNKNOWN:
        said = f"is {record.stage}; only an unknown outcome can be settled"
        return Verdict(record=record, error=InvalidInput((Problem("key", said),)))
    return Verdict(record=settled(record, now, posted=posted))


def after_patience(record: Record, waited: float, trouble: TikTokError | None = None) -> TikTokError:
    """Return the error for a post that is followed no longer, because the patience or the way to TikTok has ended."""
    if record.stage is Stage.UNKNOWN:
        return outcome_unknown(record, "TikTok has not said how it ended")
    return still_processing(record.shown, waited, trouble)


def pause_before_question(record: Record, now: datetime) -> float:
    """Return the seconds until TikTok is asked again about a post that it has, or may have."""
    return poll_pause((now - (record.handed_at or record.created_at)).total_seconds())


def is_unanswered(error: TikTokError) -> bool:
    """Whether a question was not answered, so that it may be asked again. A misused client can never ask it."""
    return isinstance(error, SAYS_NOTHING) and not isinstance(error, Misused)


def says_nothing(record: Record | None, now: datetime, error: TikTokError) -> bool:
    """Whether an error of the question for a post's status says nothing about the post, so that it may be asked again.

    Args:
        record: the post; None where the journal has none with this publish id.
        now: the time.
        error: how the question ended.
    """
    return is_unanswered(error) or is_not_known_yet(record, now, error)


def is_not_known_yet(record: Record | None, now: datetime, error: TikTokError) -> bool:
    """Whether TikTok does not know a publish id that it has only just given us: in the first minute that says nothing."""
    if not isinstance(error, ApiError) or error.code != UNKNOWN_ID or record is None or record.init_at is None:
        return False
    return now - record.init_at < KNOWN_WITHIN


def is_forgotten(record: Record, now: datetime, error: TikTokError) -> bool:
    """Whether TikTok does not know a publish id that it gave us more than a minute ago: it has forgotten it."""
    return isinstance(error, ApiError) and error.code == UNKNOWN_ID and not is_not_known_yet(record, now, error)


def is_status_of(record: Record, publish_id: str | None) -> bool:
    """Whether a status of this publish id may be written into this record: the id is that of its latest init."""
    return record.publish_id == publish_id and record.stage in NAMED


def outcome_unknown(record: Record, cause: str) -> OutcomeUnknown:
    """Return the error for a post that may exist or not."""
    what = "The photo post" if isinstance(record.wish.post, PhotoPost) else "The video post"
    return OutcomeUnknown(what, record.init_at or record.created_at, cause)


def still_processing(known: Publication, waited: float, trouble: TikTokError | None = None) -> StillProcessing:
    """Return the error for a post that goes on although it is followed no longer.

    Args:
        known: the post, as TikTok last reported it.
        waited: seconds for which the post was followed.
        trouble: the error that ended the following; None where the patience ended.
    """
    said = "" if trouble is None else str(trouble)
    return StillProcessing(known.publish_id, known.status, waited, said, known.fail_reason)


def finished(publication: Publication) -> Publication:
    """Return a post that has ended well.

    Raises:
        PublishFailed: it has failed.
    """
    if publication.is_failed:
        raise PublishFailed(publication.publish_id, publication.fail_reason, explain(publication.fail_reason))
    return publication


def not_refused(record: Record) -> Record:
    """Return the record.

    Raises:
        TikTokError: the post was refused before anything was posted, and this is the same error as at that time; or a person
            gave it up.
    """
    if record.stage in (Stage.ABANDONED, Stage.GIVEN_UP):
        raise refused_again(record.refusal or NOT_WRITTEN_DOWN, record.publish_id)
    return record
