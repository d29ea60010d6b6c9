"""One turn at a post: its record, and the lease under which the record may be written. Each step begins and ends here.

What belongs here: taking the lease, storing the record, and doing what a verdict says.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final

from attrs import define, evolve, frozen

from tiktok_core.domain.journal import Record
from tiktok_core.domain.verdicts import Verdict
from tiktok_core.errors import LeaseLost, TikTokError
from tiktok_core.flows.calls.context import Context
from tiktok_core.flows.calls.leases import released_after, renewal, take_over, try_lease

__all__ = [
    "HELD_PAUSE",
    "STEP_LEASE",
    "Gone",
    "Progressed",
    "Turn",
    "from_now",
    "held_elsewhere",
    "judged",
    "postpone",
    "take_turn",
]

STEP_LEASE: Final = timedelta(seconds=10)
"""How long the lease of a step lasts, unless the step makes it longer."""
HELD_PAUSE: Final = 1.0
"""Seconds before a lease that another owner holds is looked at again."""


class Gone(LookupError):
    """The journal has no record of this post, or has removed it since it was last looked at."""


@frozen(kw_only=True)
class Progressed:
    """What a step has come to.

    Attributes:
        record: the post, as it is stored now.
        again_in: seconds after which to take the next step; None when the post has ended.
        trouble: what went wrong on the way, though not for good.
        is_ours: whether this step was taken here; otherwise another owner holds the lease.
    """

    record: Record
    again_in: float | None
    trouble: TikTokError | None = None
    is_ours: bool = True


@define
class Turn:
    """The right of one owner to take the next step of a post.

    Attributes:
        context: what to work with.
        record: the post, as it is stored.
        owner: who holds the lease.
        fence: the number of the lease; the journal refuses a record under an older number than the newest lease's.
        taken_at: when the lease was taken or renewed (UTC).
    """

    context: Context
    record: Record
    owner: str
    fence: int
    taken_at: datetime

    @property
    def is_fresh(self) -> bool:
        """Whether most of the lease of this step is left."""
        return abs(self.now - self.taken_at) < STEP_LEASE / 3

    @property
    def now(self) -> datetime:
        """The time."""
        return self.context.clock.now()

    async def save(self, record: Record) -> None:
        """Store the record under this lease, where it is another than the stored one.

        Raises:
            LeaseLost: another owner has taken the post over.
        """
        if record != self.record:
            await self.context.journal.save(record, fence=self.fence)
            self.record = record

    def adopt(self, record: Record) -> None:
        """Go on with a record that was stored beside the lease, with `replace`."""
        self.record = record

    async def settle(self, verdict: Verdict) -> Progressed:
        """Store the record of a verdict, and then do the rest of what it says.

        Raises:
            LeaseLost: another owner has taken the post over.
            TikTokError: the verdict is an error.
        """
        await self.save(verdict.record)
        error = verdict.error
        if error is None:
            return Progressed(record=self.record, again_in=verdict.again_in, trouble=verdict.trouble)
        if verdict.trouble is None:
            raise error
        raise error from verdict.trouble

    async def lengthen(self, longer: timedelta) -> bool:
        """Make the lease last `longer` than usual, for an act that takes its time; False when another owner has taken it."""
        context, lasting = self.context, STEP_LEASE + longer
        return await try_lease(context, context.journal, self.record.name, self.owner, lasting) == self.fence

    def renewal(self) -> Callable[[timedelta], None] | None:
        """Return a function that renews the lease while bytes leave; None if the journal does not let plain code do so."""
        return renewal(self.context, self.record.name, self.owner, STEP_LEASE)

    async def take_back(self, record: Record) -> None:
        """Store what was true before an act that certainly did not happen, although the journal may say that it might have.

        The error that kept the act from happening is on its way to the caller, and matters more than whether this succeeds:
        a failure is only logged.
        """
        try:
            await self.context.journal.save(record, fence=self.fence)
        except LeaseLost:
            return  # Another owner has the post now, and has read or replaced the record.
        except Exception as error:  # noqa: BLE001 - the first error matters more than a second one
            with suppress(Exception):
                said = "Post %s: that nothing was sent could not be stored: %s"
                self.context.log.warning(said, record.key, type(error).__name__)
        else:
            self.record = record

    async def held_elsewhere(self) -> Progressed:
        """Return what to report once another owner has taken the post over."""
        return await held_elsewhere(self.context, self.record)


async def take_turn(context: Context, name: str, owner: str, *, at_once: bool = False) -> Turn | None:
    """Take or renew the lease, and read the record under it; None while another owner holds the lease.

    To be called inside of `released_after`, which releases the lease.

    Args:
        context: what to work with.
        name: what the record is stored under.
        owner: who takes the lease.
        at_once: take the lease away from another owner, who then stops before its next act.

    Raises:
        Gone: the journal has no record of this post.
    """
    taken_at = context.clock.now()
    fence = await try_lease(context, context.journal, name, owner, STEP_LEASE)
    if fence is None and at_once:
        fence = await take_over(context, context.journal, name, owner, STEP_LEASE)
    if fence is None:
        return None
    record = await context.journal.load(name)
    if record is None:
        raise Gone("the journal has no such post")
    return Turn(context.about(publish_id=record.publish_id), record, owner, fence, taken_at)


async def held_elsewhere(context: Context, record: Record) -> Progressed:
    """Return what to report while another owner goes on with the post: nothing was done here.

    Raises:
        Gone: the journal has no record of this post.
    """
    current = await context.journal.load(record.name)
    if current is None:
        raise Gone("the journal has no such post")
    return Progressed(record=current, again_in=None if current.is_ended else HELD_PAUSE, is_ours=False)


async def postpone(context: Context, record: Record, seconds: float) -> bool:
    """Store when a worker is to come again for a post, and return whether that was done.

    It is not if the post has changed since, is due later anyway, or is none of the workers'.
    """
    again_at = from_now(context, seconds)
    if record.due_at is None or again_at <= record.due_at:
        return False
    return await context.journal.replace(evolve(record, again_at=again_at), seen=record)


def from_now(context: Context, seconds: float) -> datetime:
    """Return the time that is so many seconds from now, or the last that there is."""
    try:
        return context.clock.now() + timedelta(seconds=seconds)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


async def judged(
    context: Context, found: Record, judge: Callable[[Record, datetime], Verdict], *, at_once: bool
) -> Record:
    """Store what follows from what a person says of a post, and return its record.

    Args:
        context: what to work with.
        found: the post, as it was last seen.
        judge: gives the verdict on the record as it is then.
        at_once: whether another owner is stopped.

    Raises:
        Gone: the journal has no record of this post any more.
        LeaseLost: another owner works on the post.
        TikTokError: the verdict is an error.
    """
    owner = context.entropy(16).hex()
    async with released_after(context, context.journal, found.name, owner):
        turn = await take_turn(context, found.name, owner, at_once=at_once)
        if turn is None:
            raise LeaseLost(found.key)
        return (await turn.settle(judge(turn.record, turn.now))).record
