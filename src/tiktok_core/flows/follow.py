"""Following a post to its end. Waiting is apart from doing: nothing here can begin a post, whatever happens."""

from functools import partial
from typing import Final

from attrs import evolve

from tiktok_core.domain.pacing import Quota
from tiktok_core.domain.publishing import Publication, check_publish_id, follow, poll_pause
from tiktok_core.domain.refusals import explain
from tiktok_core.errors import PublishFailed, RateLimited, ServerError, StillProcessing, TikTokError, TransportError
from tiktok_core.flows.access import authorized
from tiktok_core.flows.exchange import Context
from tiktok_core.flows.learn import journaled
from tiktok_core.flows.watch import Watch
from tiktok_core.wire.envelope import open_envelope
from tiktok_core.wire.publishing import cancel_request, read_publication, status_request

__all__ = ["MISSES", "PASSING", "cancel", "finished", "publish_status", "still", "wait"]

MISSES: Final = 5
"""Questions in a row that may go without an answer, each of them repeated by itself."""
PASSING: Final = (TransportError, ServerError, RateLimited)
"""Troubles that say nothing of the post."""


async def publish_status(context: Context, account: str, publish_id: str) -> Publication:
    """Ask how a post is doing."""
    check_publish_id(publish_id)
    return await authorized(
        context,
        account,
        lambda token: status_request(context.endpoints, token, publish_id),
        partial(read_publication, publish_id=publish_id),
        quota=Quota.STATUS,
    )


async def cancel(context: Context, account: str, publish_id: str) -> Publication:
    """Ask TikTok to stop pulling, and return how the post is doing afterwards: it may be too late."""
    check_publish_id(publish_id)
    ask = partial(cancel_request, context.endpoints, publish_id=publish_id)
    await authorized(context, account, ask, open_envelope)
    return await publish_status(context, account, publish_id)


async def wait(context: Context, account: str, publish_id: str) -> Publication:
    """Ask at least once, and again and again until the post has ended or the journal knows that it has.

    An event may have told the journal; and what was complete may have been taken back since, so that is asked for, too.

    Raises:
        PublishFailed: TikTok gave the post up.
        StillProcessing: patience, or the network, ended first.
        StoreError: the journal cannot be read.
    """
    check_publish_id(publish_id)
    watch, known, misses, pause = Watch(context.clock), None, 0, 0.0
    record = await journaled(context, account, publish_id)
    while watch.look(most=context.patience.deadline) + pause <= context.follow_for:
        await context.clock.sleep(pause)
        pause = poll_pause(watch.slept(pause))
        record = record and await context.journal.load(record.name)
        if record is not None and record.publish_id == publish_id and record.last is not None:
            was_asked, known = known is not None, follow(known, record.shown)
            if was_asked and known.is_final:
                return finished(known)
        try:
            known = follow(known, await publish_status(context, account, publish_id))
        except PASSING as error:
            if known is not None and known.is_final:
                return finished(known)
            misses += 1
            if misses < MISSES:
                pause = max(pause, error.retry_after) if isinstance(error, RateLimited) else pause
                continue
            if known is None:
                raise
            raise still(known, watch.seconds, error) from error
        misses = 0
        if known.is_final:
            return finished(known if record is None else evolve(known, key=record.key))
    raise still(known or Publication(publish_id=publish_id, status="not known"), watch.seconds)


def finished(publication: Publication) -> Publication:
    """Return a post that has ended well.

    Raises:
        PublishFailed: it has not.
    """
    if publication.is_failed:
        raise PublishFailed(publication.publish_id, publication.fail_reason, explain(publication.fail_reason))
    return publication


def still(known: Publication, waited: float, trouble: TikTokError | None = None) -> StillProcessing:
    """Return the error for a post that goes on after our patience, or the way to it, has ended."""
    said = "" if trouble is None else str(trouble)
    return StillProcessing(known.publish_id, known.status, waited, said, known.fail_reason)
