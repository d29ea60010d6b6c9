"""Holding a post: its record, and the lease under which it is written. Every step begins and ends here."""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from attrs import frozen

from tiktok_core.domain.journal import Record
from tiktok_core.domain.posts import PhotoPost
from tiktok_core.domain.publishing import poll_pause
from tiktok_core.errors import LeaseLost, OutcomeUnknown, TikTokError
from tiktok_core.flows.exchange import Context, log
from tiktok_core.flows.leases import try_lease

__all__ = [
    "AGAIN",
    "LEASE",
    "LEASE_WAIT",
    "Gone",
    "Hold",
    "Progressed",
    "keep",
    "outcome_unknown",
    "pause_until_told",
    "save",
    "take",
    "take_back",
    "theirs",
]

LEASE: Final = timedelta(seconds=10)
LEASE_WAIT: Final = 1.0
"""Seconds before somebody else's lease is looked at again."""
AGAIN: Final = 0.5
"""Seconds before a step with trouble is taken again, at least."""


class Gone(LookupError):
    """The journal has no record of this post, or has removed it since it was last looked at."""


@frozen
class Hold:
    """The right to go on with a post.

    Attributes:
        record: the post, as it is stored.
        owner: who holds the lease.
        fence: the number of the lease; whoever has a larger one has taken over.
    """

    record: Record
    owner: str
    fence: int


@frozen(kw_only=True)
class Progressed:
    """What a step has come to.

    Attributes:
        record: the post, as it is stored now.
        again_in: seconds after which to come again; None when the post has ended.
        trouble: what went wrong on the way, though not for good.
        is_ours: whether this step was taken here; otherwise somebody else holds the lease.
    """

    record: Record
    again_in: float | None
    trouble: TikTokError | None = None
    is_ours: bool = True


async def take(context: Context, name: str, owner: str) -> Hold | None:
    """Take or renew the lease, and read the record under it; None while somebody else holds it.

    To be called inside of `given_back`.

    Raises:
        Gone: the journal has no record of this post.
    """
    fence = await try_lease(context, context.journal, name, owner, LEASE)
    if fence is None:
        return None
    record = await context.journal.load(name)
    if record is None:
        raise Gone("the journal has no such post")
    return Hold(record, owner, fence)


async def keep(context: Context, hold: Hold, longer: timedelta) -> bool:
    """Make the lease last `longer` than usual, for an act that takes its time; False when somebody else has taken it."""
    return await try_lease(context, context.journal, hold.record.name, hold.owner, LEASE + longer) == hold.fence


async def theirs(context: Context, record: Record) -> Progressed:
    """Return what there is to tell while somebody else goes on with the post: nothing was done here."""
    current = await context.journal.load(record.name) or record
    return Progressed(record=current, again_in=None if current.is_ended else LEASE_WAIT, is_ours=False)


async def save(context: Context, hold: Hold, record: Record) -> Record:
    """Store the record under this lease, and return it.

    Raises:
        LeaseLost: somebody else has taken the post over.
    """
    if record != hold.record:
        await context.journal.save(record, fence=hold.fence)
    return record


async def take_back(context: Context, hold: Hold, record: Record) -> None:
    """Store what was true before an act that certainly has not happened, although the journal may say that it might have.

    The error that kept the act from happening is on its way to the caller, and matters more than whether this succeeds:
    a failure is only logged.
    """
    try:
        await context.journal.save(record, fence=hold.fence)
    except LeaseLost:
        return  # Another owner has the post now, and has read or replaced the record.
    except Exception as error:  # noqa: BLE001 - the first error matters more than a second one
        with suppress(Exception):
            log.warning("Post %s: that nothing was sent could not be stored: %s", record.key, type(error).__name__)


def pause_until_told(record: Record, now: datetime) -> float:
    """Return the seconds until TikTok is asked again how a post is doing that it has, or may have."""
    return poll_pause((now - (record.handed_at or record.created_at)).total_seconds())


def outcome_unknown(record: Record, cause: str) -> OutcomeUnknown:
    """Return the error for a post of which nobody can say whether it exists."""
    what = "The photo post" if isinstance(record.wish.post, PhotoPost) else "The video post"
    return OutcomeUnknown(what, record.init_at or record.created_at, cause)
