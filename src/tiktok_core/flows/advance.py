"""One step of a post: the record says which. Whoever holds the lease takes it; everybody else is told when to come again.

Calling this twice, from two processes, is safe, and so is never calling it again: each step is stored before the next.
"""

from collections.abc import Awaitable, Callable

from tiktok_core.domain.journal import Record, Stage
from tiktok_core.domain.publishing import follow
from tiktok_core.flows.begin import after_lost_init, begin
from tiktok_core.flows.exchange import Context
from tiktok_core.flows.follow import publish_status
from tiktok_core.flows.handover import hand_over, look_again
from tiktok_core.flows.hold import Hold, Progressed, outcome_unknown, pause_until_told, take, theirs
from tiktok_core.flows.learn import learn
from tiktok_core.flows.upload import Film

__all__ = ["advance"]


async def advance(
    context: Context,
    record: Record,
    owner: str,
    *,
    film: Callable[[Record], Awaitable[Film]],
    on_sent: Callable[[Record, int], None],
    is_certain: bool,
) -> Progressed:
    """Take one step.

    Args:
        context: what to work with.
        record: the post, as it was last seen.
        owner: who takes the step; the same at each step of one run.
        film: gives the file of the record; asked only when it is looked into, or bytes of it have to leave.
        on_sent: told how many bytes of the video have left.
        is_certain: whether the step before was ours and ended without a doubt.

    Raises:
        LeaseLost: somebody else has taken the post over.
        OutcomeUnknown: nobody can say whether the post exists; a person has to.
        TikTokError: as the step ends.
    """
    hold = await take(context, record.name, owner)
    if hold is None:
        return await theirs(context, record)
    record = hold.record
    if record.is_ended:
        return Progressed(record=record, again_in=None)
    if record.stage is Stage.UNKNOWN and record.publish_id and record.plan:
        return await look_again(context, hold)
    if record.stage is Stage.UNKNOWN:
        raise outcome_unknown(record, "an earlier run found no answer")
    if record.stage is Stage.PROCESSING:
        return await _poll(context, hold)
    if record.stage is Stage.UPLOADING:
        return await hand_over(context, hold, film, on_sent, is_certain=is_certain)
    if record.stage is Stage.INIT_SENT:
        return await after_lost_init(context, hold)
    return await begin(context, hold, film)


async def _poll(context: Context, hold: Hold) -> Progressed:
    record = hold.record
    publication = await publish_status(context, record.account, record.publish_id or "")
    # An event may have told more while the question was under way, or somebody else followed the post, if it took long.
    learned = await learn(context, record, lambda found: follow(found.last, publication))
    if learned is None:
        return await theirs(context, record)
    now = context.clock.now()
    return Progressed(record=learned, again_in=None if learned.is_ended else pause_until_told(learned, now))
