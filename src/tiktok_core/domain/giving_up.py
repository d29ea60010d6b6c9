"""Giving a post up: which posts a person may give up, and why each other one is refused.

What belongs here: the verdict on a person's wish to give a post up. The rule: what may have been published is never given up. A
file is published by its last byte, so it can be given up until the request with that byte begins. A pull or photos are
published by their init, so they can be given up only before it is sent.
"""

from datetime import datetime

from tiktok_core.domain.forgetting import Trace
from tiktok_core.domain.journal import Record, Stage
from tiktok_core.domain.moves import given_up
from tiktok_core.domain.verdicts import Verdict
from tiktok_core.errors import InvalidInput, Problem

__all__ = ["after_giving_up", "why_not"]


def after_giving_up(record: Record, now: datetime) -> Verdict:
    """Return the verdict on a post that a person wants to give up. A post that was given up before stays as it is."""
    error = why_not(record)
    if error is not None or record.is_given_up:
        return Verdict(record=record, error=error)
    return Verdict(record=given_up(record, now))


def why_not(found: Record | Trace) -> InvalidInput | None:
    """Return the error for a post that cannot be given up; None where it can be, or was."""
    if isinstance(found, Trace):
        said = _ended(found.end)
    else:
        said = _said_of_a_pull(found) if found.wish.is_pulled else _said_of_a_file(found)
    return None if said is None else InvalidInput((Problem("key", said),))


def _said_of_a_file(record: Record) -> str | None:
    match record.stage:
        case Stage.UPLOADING if record.plan is None or record.offset >= record.plan.video_size:
            return "has a damaged record, so whether it was posted is not known: resume it, and then settle it"
        case Stage.UPLOADING if record.last_left:
            return "may be posted: its last byte may have reached TikTok. Resume it, and TikTok will say"
        case Stage.PROCESSING:
            return "is processing: TikTok has the whole file, and nothing can stop it any more"
        case _:
            return _said_of_any(record)


def _said_of_a_pull(record: Record) -> str | None:
    begun = [name for name in (record.publish_id, *record.others) if name]
    match record.stage:
        case Stage.INIT_SENT:
            return "may be posted: the request that publishes it was sent. Resume it to find out"
        case Stage.PROCESSING:
            return f"is processing: TikTok pulls its media. It may still be stopped: 'tiktok cancel {record.publish_id}', or `cancel` with this id"
        case Stage.PLANNED if begun:
            return f"may be posted: TikTok has begun {' and '.join(begun)}. It may still be stopped: 'tiktok cancel {begun[0]}', or `cancel` with this id"
        case _:
            return _said_of_any(record)


def _said_of_any(record: Record) -> str | None:
    if record.stage is Stage.UNKNOWN:
        return "may be posted: look at the account, and settle it as posted or as not posted"
    return _ended(record.stage) if record.is_ended else None


def _ended(stage: Stage | None) -> str | None:
    match stage:
        case Stage.GIVEN_UP:
            return None
        case None:
            return "had a record that could not be read and was removed, so whether it was posted is not known"
        case Stage.ABANDONED:
            return "was refused before anything was posted, so there is nothing to give up"
        case _:
            return f"is {stage}, so there is nothing to give up"
