"""What follows while a file is uploaded: at an offset, after a doubt, and after the upload URL died.

What belongs here: one plain function for each thing that can be heard. After any doubt TikTok is asked how much it has, and its
word wins over ours. The figure of the upload host can be read in two ways, so where a status counts bytes, its count decides. Only
where a status counts none at all does the host's figure decide, also that every byte is there.
"""

from datetime import datetime
from typing import Final

from tiktok_core.domain.chunk_answers import Doubt, Outcome, proved_offset
from tiktok_core.domain.init_verdicts import MOST_INITS
from tiktok_core.domain.journal import Record, Stage, next_chunk, upload_left
from tiktok_core.domain.kept_refusal import refusal_of
from tiktok_core.domain.moves import ended, moved, not_left, restarted, unknown
from tiktok_core.domain.publishing import Publication, poll_pause
from tiktok_core.domain.verdicts import (
    ID_IS_FORGOTTEN,
    TROUBLE_PAUSE,
    Verdict,
    after_forgotten,
    after_reported_end,
    is_forgotten,
    pause_before_question,
)
from tiktok_core.errors import TikTokError, UploadError, UploadExpired

__all__ = [
    "after_doubt",
    "after_expired_url",
    "at_offset",
    "dead_url",
    "expired_url",
    "outcome_by_now",
    "record_after_chunk",
    "while_damaged",
]

HOUR_IS_OVER: Final = "its upload URL has lived for an hour"
URL_HAS_DIED: Final = "its upload URL has died"
FOR_WANT_OF_BYTES: Final = ("", "internal")
"""Reasons that TikTok may give for a post whose upload URL died."""


def while_damaged(record: Record, now: datetime) -> Verdict | None:
    """Return the verdict on an upload whose record makes no sense; None where it does.

    No byte can follow, because where the next one belongs is lost. So the outcome is unknown, and a person can settle it.
    """
    if is_sound(record):
        return None
    said = "how its file is cut, or how much of it is there, was damaged in the journal: no more of it is sent"
    return Verdict(record=unknown(record, now), error=UploadError(record.publish_id, said))


def is_sound(record: Record) -> bool:
    """Return whether an upload's record says how its file is cut, and no more of it is there than it has."""
    return record.plan is not None and record.offset <= record.plan.video_size


def dead_url(record: Record) -> UploadExpired:
    """Return the error for an upload URL that died in an earlier run."""
    return UploadExpired(record.publish_id, URL_HAS_DIED)


def expired_url(record: Record, now: datetime) -> UploadExpired | None:
    """Return the error for an upload URL whose hour is over; None while it lives."""
    return UploadExpired(record.publish_id, HOUR_IS_OVER) if upload_left(record, now) <= 0 else None


def outcome_by_now(record: Record, now: datetime, outcome: Outcome) -> Outcome:
    """Return what came of a chunk; a doubt about it is a dead upload URL by now, where the URL's hour is over."""
    return (expired_url(record, now) or outcome) if isinstance(outcome, Doubt) else outcome


def record_after_chunk(departing: Record, before: Record, outcome: Outcome) -> Record:
    """Return the record to store once a chunk's answer is known: as before, where its last byte certainly did not arrive.

    Args:
        departing: the record that was stored before the chunk left.
        before: the record as it was before that.
        outcome: what came of the chunk.
    """
    did_not_arrive = isinstance(outcome, UploadExpired) or (isinstance(outcome, Doubt) and not outcome.may_have_come)
    return not_left(departing, before) if did_not_arrive else departing


def at_offset(record: Record, now: datetime, offset: int, trouble: TikTokError | None = None) -> Verdict:
    """Return the verdict on a post of which TikTok has proved to have `offset` bytes."""
    if offset != record.offset:
        record = moved(record, now, offset)
    if record.is_processing:
        return Verdict(record=record, again_in=poll_pause(0), trouble=trouble)
    return Verdict(record=record, again_in=TROUBLE_PAUSE if trouble else 0.0, trouble=trouble)


def after_doubt(record: Record, now: datetime, doubt: Doubt | None, heard: Publication | TikTokError) -> Verdict:
    """Return the verdict on an upload whose offset is in doubt: the first of these that is the case.

    1. The status says that the post has ended: this is its end. Or TikTok no longer knows the post: it is begun again, unless its
       last byte may have reached TikTok.
    2. The last byte has left, and the upload host refuses it because it has every byte, but the status counts fewer or none: the
       outcome is unknown, and TikTok is asked later.
    3. The status counts bytes: this is the offset, unless the upload host has just refused to go on there.
    4. The upload host gave no figure; or it says that every byte is there, and a status counts bytes, or there is no status: the
       offset stays as it was.
    5. Otherwise the upload host's figure is the offset, read as `proved_offset` does.

    Args:
        record: the post, which is uploading.
        now: the time.
        doubt: the doubt about the latest chunk; None at the beginning of a step, before its chunk leaves.
        heard: the post's status, or the error of the question for it.
    """
    trouble = doubt.error if doubt else None
    said, refused = (doubt.said, doubt.refused) if doubt else (None, False)
    size, counted, counts_none = _size(record), None, False
    if isinstance(heard, Publication):
        if heard.is_final:
            return after_reported_end(record, now, heard)
        counted = heard.uploaded_bytes
        if refused and record.last_left and said is not None and said + 1 >= size > (counted or 0):
            # The upload host has it all, and the status does not know yet: to send it again is no use.
            return _asked_later(record, now)
        if counted is not None and not (refused and counted == record.offset):
            # This figure is a count, so a chunk's border need not decide what it means.
            return at_offset(record, now, min(counted, size), trouble)
        counts_none = counted is None
    elif is_forgotten(record, now, heard):
        return _forgotten(record, now)
    else:
        trouble = trouble or heard
    if said is None or (said + 1 >= size and not counts_none):
        # The upload host's figure can be read in two ways. A status that counts says it plainly, and none has.
        return at_offset(record, now, record.offset, trouble)
    return at_offset(record, now, proved_offset(record, said, refused=refused), trouble)


def after_expired_url(record: Record, now: datetime, error: UploadExpired, heard: Publication | TikTokError) -> Verdict:
    """Return the verdict on an upload whose URL is dead: a fresh init, but only where the post cannot be complete.

    Once the last byte may be there, a count that is short proves nothing, for it may be late: TikTok has to say that it
    gave the post up for want of bytes. Until then the outcome is unknown, and TikTok is asked about it.

    Args:
        record: the post, which is uploading, or has been.
        now: the time.
        error: why the URL is dead.
        heard: the post's status, or the error of the question for it.
    """
    if not isinstance(heard, Publication):
        if is_forgotten(record, now, heard):
            return _forgotten(record, now)
        return Verdict(record=record, again_in=TROUBLE_PAUSE, trouble=heard)
    if not is_sound(record):
        return after_reported_end(record, now, heard) if heard.is_final else _asked_later(record, now)
    size, counted = _size(record), heard.uploaded_bytes
    is_short = next_chunk(record)[1] + 1 != size if counted is None else counted < size
    # A post that failed for want of bytes is none; one that failed for its file's or its creator's sake would again.
    is_lost = heard.is_failed and heard.fail_reason in FOR_WANT_OF_BYTES and is_short
    if heard.is_final and not is_lost:
        return after_reported_end(record, now, heard)
    if counted is not None and not is_short:
        return at_offset(record, now, size)
    if is_lost or (is_short and not record.last_left):
        return _begun_again(record, now, error)
    return _asked_later(record, now)


def _asked_later(record: Record, now: datetime) -> Verdict:
    lost = record if record.stage is Stage.UNKNOWN else unknown(record, now)
    return Verdict(record=lost, again_in=pause_before_question(lost, now))


def _forgotten(record: Record, now: datetime) -> Verdict:
    if record.stage is Stage.UNKNOWN or record.last_left or not is_sound(record):
        return after_forgotten(record, now)
    # A file without its last byte was never published.
    return _begun_again(record, now, UploadExpired(record.publish_id, ID_IS_FORGOTTEN))


def _begun_again(record: Record, now: datetime, error: UploadExpired) -> Verdict:
    if record.inits >= MOST_INITS:
        return Verdict(record=ended(record, now, refusal_of(error)), error=error)
    return Verdict(record=restarted(record, now), again_in=0.0, trouble=error)


def _size(record: Record) -> int:
    return record.plan.video_size if record.plan else 0
