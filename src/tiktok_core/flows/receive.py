"""Receiving an event: the journal moves on as if the status had been asked, so whoever follows the post may stop."""

from attrs import evolve

from tiktok_core.domain.events import PostEvent, tidings
from tiktok_core.domain.journal import Record, Stage, record_name, told
from tiktok_core.domain.publishing import Publication, follow
from tiktok_core.flows.exchange import Context
from tiktok_core.flows.hold import LEASE, let_go

__all__ = ["receive"]

MINE = frozenset({Stage.UPLOADING, Stage.PROCESSING, Stage.COMPLETE, Stage.IN_INBOX, Stage.FAILED})
"""Stages in which a post has a publish id that is still its own."""


async def receive(context: Context, event: PostEvent) -> Publication | None:
    """Write down what an event tells of a post of the journal, and return the post; None where it is none of ours.

    A repeated or late event changes nothing: what is final is not taken back by what is not.
    """
    record = await _found(context, event)
    if record is None:
        return None
    owner, now = context.entropy(16).hex(), context.clock.now()
    fence = await context.journal.try_lease(record.name, owner=owner, now=now, until=now + LEASE)
    try:
        current = await context.journal.load(record.name) or record
        if current.publish_id != event.publish_id or current.stage not in MINE:
            return None
        moved = _moved(current, event, context)
        # Somebody else may hold the post. They only follow it, unless they are sending bytes of it: then it is theirs.
        if moved != current and (fence is not None or current.stage is not Stage.UPLOADING):
            await context.journal.save(moved, fence=fence)
            current = moved
    finally:
        await let_go(context, record.name, owner)
    return current.shown


async def _found(context: Context, event: PostEvent) -> Record | None:
    # Without an account the posts of the whole app are looked through.
    under = record_name(context.app.client_key, event.open_id, "") if event.open_id else f"{context.app.client_key}\n"
    records = await context.journal.records(under)
    return next((record for record in records if record.publish_id == event.publish_id), None)


def _moved(record: Record, event: PostEvent, context: Context) -> Record:
    known = record.last or Publication(publish_id=event.publish_id, status=record.shown.status)
    publication = follow(record.last, evolve(tidings(event, known), key=None))
    return record if publication == record.last else told(record, context.clock.now(), publication)
