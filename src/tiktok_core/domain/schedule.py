"""The time at which a post is to be begun: the earliest and the latest, and what is wrong with a wished one.

What belongs here: plain functions over moments. How a person spells a time is the command line's; where it is kept is the
journal's.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from attrs import frozen

from tiktok_core.errors import InvalidPost, Problem

__all__ = ["FURTHEST", "USUAL_LATENESS", "Schedule", "schedule"]

USUAL_LATENESS: Final = timedelta(hours=1)
"""How late a post may be begun unless its wish says otherwise."""
FURTHEST: Final = timedelta(days=90)
"""How far ahead a post may be planned."""


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
        """Whether both name the same moments, in whichever zone they were spelled."""
        return (self.not_before, self.not_after) == (other.not_before, other.not_after)


def schedule(not_before: datetime | None, not_after: datetime | None, now: datetime) -> Schedule | None:
    """Return the schedule of a wish; None if it may be begun at any time.

    Args:
        not_before: the earliest time; None for now.
        not_after: the latest time; an hour after `not_before` unless given. It needs a `not_before`.
        now: the time (UTC).

    Raises:
        InvalidPost: a time has no zone, is over, is more than 90 days ahead, or the two contradict each other.
    """
    if not_before is None and not_after is None:
        return None
    problems = [
        Problem(
            name, "needs a time zone: give an aware datetime, such as datetime(..., tzinfo=ZoneInfo('Europe/Berlin'))"
        )
        for name, at in (("not_before", not_before), ("not_after", not_after))
        if at is not None and at.utcoffset() is None
    ]
    if problems:
        raise InvalidPost(tuple(problems))
    if not_before is None:
        raise InvalidPost((Problem("not_after", "needs a not_before: the time at which the post may begin"),))
    first = not_before.astimezone(UTC)
    if first < now:
        problems.append(Problem("not_before", f"{_shown(first)} is over: give a time to come, or none to post now"))
    elif first - now > FURTHEST:
        problems.append(
            Problem("not_before", f"{_shown(first)} is more than {FURTHEST.days} days ahead: enter it later")
        )
    last = not_after.astimezone(UTC) if not_after is not None else min(first, LATEST) + USUAL_LATENESS
    if last <= first:
        problems.append(Problem("not_after", f"{_shown(last)} is not later than not_before, {_shown(first)}"))
    if problems:
        raise InvalidPost(tuple(problems))
    return Schedule(not_before=first, not_after=last, zone=getattr(not_before.tzinfo, "key", "") or "")


LATEST: Final = datetime.max.replace(tzinfo=UTC) - USUAL_LATENESS


def _shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
