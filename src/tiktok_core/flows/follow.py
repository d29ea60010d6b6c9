"""Following a post to its end. Waiting is apart from doing: nothing here can begin a post, whatever happens."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from itertools import chain
from typing import Final

from tiktok_core.domain.publishing import Publication, follow, poll_waits
from tiktok_core.domain.refusals import explain
from tiktok_core.errors import PublishFailed, RateLimited, ServerError, StillProcessing, TransportError
from tiktok_core.flows.access import authorized
from tiktok_core.flows.exchange import Context
from tiktok_core.wire.publishing import read_publication, status_request

__all__ = ["publish_status", "wait"]

MISSES: Final = 5
"""Questions in a row that may go without an answer."""


async def publish_status(context: Context, account: str, publish_id: str) -> Publication:
    """Ask how a post is doing."""
    return await authorized(
        context,
        account,
        lambda token: status_request(context.endpoints, token, publish_id),
        partial(read_publication, publish_id=publish_id),
    )


async def wait(
    context: Context,
    account: str,
    publish_id: str,
    *,
    known: Publication | None = None,
    tell: Callable[[Publication], None] | None = None,
) -> Publication:
    """Ask again and again until the post has ended.

    Args:
        context: what to work with; its `patience` bounds the wait.
        account: whose post it is.
        publish_id: the post.
        known: what is known of a post just begun. Its first question waits a second, and if the network ends the
            wait, the error tells of the post and not of the network.
        tell: called with each answer.

    Raises:
        PublishFailed: TikTok gave the post up.
        StillProcessing: patience, or the network, ended first.
    """
    began, misses, longer = context.clock.now(), 0, 0.0
    for pause in poll_waits() if known else chain((0.0,), poll_waits()):
        seconds = max(pause, longer)
        if context.clock.now() + timedelta(seconds=seconds) > began + timedelta(seconds=context.patience):
            break
        await context.clock.sleep(seconds)
        try:
            known = follow(known, await publish_status(context, account, publish_id))
        except (TransportError, ServerError, RateLimited) as error:
            misses, longer = misses + 1, error.retry_after if isinstance(error, RateLimited) else 0.0
            if misses < MISSES:
                continue
            if known is None:
                raise
            raise _still(context, known, began) from error
        misses, longer = 0, 0.0
        if tell:
            tell(known)
        if _has_ended(known):
            return known
    raise _still(context, known or Publication(publish_id=publish_id, status="not known"), began)


def _has_ended(publication: Publication) -> bool:
    if publication.is_failed:
        raise PublishFailed(publication.publish_id, publication.fail_reason, explain(publication.fail_reason))
    return publication.is_final


def _still(context: Context, known: Publication, began: datetime) -> StillProcessing:
    return StillProcessing(known.publish_id, known.status, (context.clock.now() - began).total_seconds())
