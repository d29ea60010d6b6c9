"""Writing down what TikTok told of a post, beside whoever is at work on it: nothing that anybody wrote is lost by that."""

from collections.abc import Callable
from typing import Final

from attrs import evolve

from tiktok_core.domain.journal import Record, Stage, record_name
from tiktok_core.domain.moves import reported
from tiktok_core.domain.publishing import Publication
from tiktok_core.flows.exchange import Context

__all__ = ["journaled", "learn"]

OWN: Final = frozenset({Stage.UPLOADING, Stage.UNKNOWN, Stage.PROCESSING, Stage.COMPLETE, Stage.IN_INBOX, Stage.FAILED})
"""Stages in which a post has a publish id that is still its own."""


async def learn(context: Context, record: Record, tell: Callable[[Record], Publication]) -> Record | None:
    """Write down what is known of a post by now, and return its record as it is then; None where it is no longer that post.

    Args:
        context: what to work with.
        record: the post, as it was last seen.
        tell: returns what is known of the post, given its record: asked again where somebody else wrote meanwhile.
    """
    publish_id, found = record.publish_id, record
    while found.publish_id == publish_id and found.stage in OWN:
        publication = evolve(tell(found), key=None)
        if publication == found.last:
            return found
        moved = reported(found, context.clock.now(), publication)
        if await context.journal.replace(moved, seen=found):
            return moved
        current = await context.journal.load(found.name)
        if current is None:
            break
        found = current
    return None


async def journaled(context: Context, account: str, publish_id: str) -> Record | None:
    """Return the record of a publish id; without an account the posts of the whole app are looked through."""
    under = record_name(context.app.client_key, account, "") if account else f"{context.app.client_key}\n"
    return next((one for one in await context.journal.records(under) if one.publish_id == publish_id), None)
