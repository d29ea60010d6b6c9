"""Whether a post may be begun now: not while it is held, not before its time, and not after it.

What belongs here: plain functions. They decide before each init, whoever asks for it; what is under way is not their business.
"""

from datetime import datetime
from typing import Final

from attrs import evolve

from tiktok_core.domain.journal import Record, Stage
from tiktok_core.domain.schedule import USUAL_LATENESS, shown
from tiktok_core.domain.verdicts import Verdict
from tiktok_core.errors import InvalidInput, Problem, ReleaseRequired

__all__ = ["after_release", "needs_release", "not_yet"]

HELD: Final = "is held: a person has to release it before it is posted"
LATE: Final = "was to be begun until {}, and was not: a person has to release it, or give it up"


def not_yet(record: Record, now: datetime) -> Verdict | None:
    """Return the verdict on a post that may not be begun now; None if it may.

    A post whose time has not come waits for it. One that is held, or late, needs a person.
    """
    if needs_release(record, now):
        return Verdict(record=record, error=_release_required(record))
    if record.schedule is not None and now < record.schedule.not_before:
        return Verdict(record=record, again_in=(record.schedule.not_before - now).total_seconds())
    return None


def needs_release(record: Record, now: datetime) -> bool:
    """Whether a person has to release a post before it is begun."""
    if record.stage not in (Stage.PLANNED, Stage.INIT_SENT):
        return False
    return record.is_held or (record.schedule is not None and now > record.schedule.not_after)


def after_release(record: Record, now: datetime) -> Verdict:
    """Return the verdict on a post that a person releases: it may be begun, a late one within an hour from now."""
    if not needs_release(record, now):
        said = f"is {record.stage}, and neither held nor late: there is nothing to release"
        return Verdict(record=record, error=InvalidInput((Problem("key", said),)))
    at = record.schedule
    if at is not None and now > at.not_after:
        at = evolve(at, not_after=now + USUAL_LATENESS)
    return Verdict(record=evolve(record, is_held=False, schedule=at))


def _release_required(record: Record) -> ReleaseRequired:
    late = "" if record.schedule is None else LATE.format(shown(record.schedule.not_after))
    return ReleaseRequired((Problem("key", HELD if record.is_held else late),))
