"""The time at which a post is to be begun: the earliest and the latest, and what is wrong with a wished one.

What belongs here: plain functions over moments. How a person spells a time is the command line's. Whether a post may be begun
is decided in `beginning`.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from attrs import frozen

from tiktok_core.errors import InvalidPost, Problem, refuse

__all__ = ["FURTHEST", "USUAL_LATENESS", "Schedule", "schedule", "schedule_problems", "shown"]

USUAL_LATENESS: Final = timedelta(hours=1)
"""How late a post may be begun unless its wish says otherwise."""
FURTHEST: Final = timedelta(days=90)
"""How far ahead a post may be planned."""
LATEST: Final = datetime.max.replace(tzinfo=UTC) - USUAL_LATENESS


@frozen(kw_only=True)
class Schedule:
    """When a post may be begun.

    Attributes:
        not_before: the earliest time (UTC).
        not_after: the latest time (UTC); afterwards a person has to release the post.
        zone: the time zone in which a person gave the time, such as `Europe/Berlin`; empty if it is not known.
    """

    not_before: datetime
    not_after: datetime
    zone: str = ""

    def is_same(self, other: "Schedule") -> bool:
        """Whether both name the same times, in whichever zone they were given."""
        return (self.not_before, self.not_after) == (other.not_before, other.not_after)


def schedule(not_before: datetime | None, not_after: datetime | None) -> Schedule | None:
    """Return the schedule of a wish; None if it may be begun at any time.

    Args:
        not_before: the earliest time; None for now.
        not_after: the latest time; an hour after `not_before` unless given.

    Raises:
        InvalidPost: a time has no zone, or the two contradict each other.
    """
    if not_before is None:
        if not_after is not None:
            raise InvalidPost((Problem("not_after", "needs not_before: the time at which the post may begin"),))
        return None
    naive = [name for name, at in (("not_before", not_before), ("not_after", not_after)) if _is_naive(at)]
    refuse(InvalidPost, (Problem(name, "has no time zone: give an aware datetime") for name in naive))
    first = not_before.astimezone(UTC)
    last = min(first, LATEST) + USUAL_LATENESS if not_after is None else not_after.astimezone(UTC)
    if last <= first:
        raise InvalidPost((Problem("not_after", f"{shown(last)} is not later than not_before, {shown(first)}"),))
    return Schedule(not_before=first, not_after=last, zone=getattr(not_before.tzinfo, "key", None) or "")


def schedule_problems(wished: Schedule | None, now: datetime) -> tuple[Problem, ...]:
    """Return what is wrong with the schedule of a new post: its time is over, or too far ahead."""
    if wished is None:
        return ()
    first = wished.not_before
    if first < now:
        return (Problem("not_before", f"{shown(first)} is over: give a time to come, or none to post now"),)
    if first - now > FURTHEST:
        return (Problem("not_before", f"{shown(first)} is more than {FURTHEST.days} days ahead: enter it later"),)
    return ()


def shown(moment: datetime) -> str:
    """Return a time as a message shows it."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _is_naive(at: datetime | None) -> bool:
    return at is not None and at.utcoffset() is None
