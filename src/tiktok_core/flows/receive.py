"""Receiving an event: the journal moves on as if the status had been asked, so whoever follows the post may stop."""

from tiktok_core.domain.events import PostEvent, tidings
from tiktok_core.domain.journal import Record, Stage
from tiktok_core.domain.publishing import Publication
from tiktok_core.flows.exchange import Context
from tiktok_core.flows.hold import LEASE
from tiktok_core.flows.learn import journaled, learn
from tiktok_core.flows.leases import given_back, try_lease

__all__ = ["receive"]


async def receive(context: Context, event: PostEvent) -> Publication | None:
    """Write down what an event tells of a post of the journal, and return the post; None where it is none of ours.

    A repeated or late event changes nothing, and of several that come at once, in whatever order, none is lost: what is
    further is not taken back by what is less far.
    """
    record = await journaled(context, event.open_id, event.publish_id)
    if record is None:
        return None
    if record.stage is Stage.UPLOADING:
        return await _of_an_upload(context, record, event)
    known = await learn(context, record, lambda found: _known(found, event))
    return None if known is None else known.shown


async def _of_an_upload(context: Context, record: Record, event: PostEvent) -> Publication | None:
    # Whoever sends bytes of it finds out by themselves; only what nobody sends is written down here.
    owner = context.entropy(16).hex()
    async with given_back(context, context.journal, record.name, owner):
        if await try_lease(context, context.journal, record.name, owner, LEASE) is None:
            return record.shown
        known = await learn(context, record, lambda found: _known(found, event))
    return None if known is None else known.shown


def _known(record: Record, event: PostEvent) -> Publication:
    return tidings(event, record.last or Publication(publish_id=event.publish_id, status=record.shown.status))
