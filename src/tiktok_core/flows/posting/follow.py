"""Following a post to its end: asking TikTok, and writing down what a question or a webhook reports.

Waiting is apart from doing: nothing here can begin a post. A status is written beside the lease, with `replace`, because a
caller that follows a post may hold its lease for long. So nothing that another process wrote is lost.

What belongs here: asking for a status, storing it, and both in a loop. Which of two statuses counts is decided by
`domain.publishing`.
"""

from collections.abc import Callable
from functools import partial

from attrs import evolve

from tiktok_core.domain.events import PostEvent, status_after
from tiktok_core.domain.journal import Record, record_name
from tiktok_core.domain.moves import is_foreseen, reported
from tiktok_core.domain.pacing import Quota
from tiktok_core.domain.publishing import Publication, check_publish_id, further, poll_pause
from tiktok_core.domain.retry import Operation
from tiktok_core.domain.trouble import MOST_MISSES
from tiktok_core.domain.verdicts import (
    after_forgotten,
    after_status,
    finished,
    is_forgotten,
    is_not_known_yet,
    is_status_of,
    says_nothing,
    still_processing,
)
from tiktok_core.errors import ApiError, RateLimited, StoreError, TransportError
from tiktok_core.flows.calls.access import authorized
from tiktok_core.flows.calls.context import Context
from tiktok_core.flows.calls.leases import released_after, try_lease
from tiktok_core.flows.calls.stopwatch import Stopwatch
from tiktok_core.flows.posting.turn import STEP_LEASE, Progressed, Turn
from tiktok_core.wire.envelope import open_envelope
from tiktok_core.wire.publishing import cancel_request, read_publication, status_request

__all__ = ["cancel", "find_record", "poll", "publish_status", "receive", "wait", "write_status"]


async def publish_status(context: Context, account: str, publish_id: str) -> Publication:
    """Ask how a post is doing."""
    check_publish_id(publish_id)
    return await authorized(
        context.about(publish_id=publish_id),
        account,
        lambda token: status_request(context.endpoints, token, publish_id),
        partial(read_publication, publish_id=publish_id),
        quota=Quota.STATUS,
    )


async def cancel(context: Context, account: str, publish_id: str) -> Publication:
    """Ask TikTok to stop pulling, write down how the post is doing afterwards, and return it: it may be too late."""
    check_publish_id(publish_id)
    context = context.about(account=account, publish_id=publish_id)
    ask = partial(cancel_request, context.endpoints, publish_id=publish_id)
    await authorized(context, account, ask, open_envelope, operation=Operation.CANCEL)
    publication = await publish_status(context, account, publish_id)
    try:
        record = await find_record(context, account, publish_id)
        if record is not None and not record.is_uploading:
            about = context.about(key=record.key)
            await write_status(about, record, lambda found: further(found.last, publication))
    except StoreError as error:
        context.log.warning(
            "Post %s is %s, and the journal could not note it: %s", publish_id, publication.status, error
        )
    return publication


async def poll(turn: Turn) -> Progressed:
    """Ask TikTok how a post is doing, and write down what it says."""
    record = turn.record
    try:
        publication = await publish_status(turn.context, record.account, record.publish_id or "")
    except ApiError as error:
        if is_forgotten(record, turn.now, error):
            return await _forgotten(turn)
        if not is_not_known_yet(record, turn.now, error):
            raise
        return await turn.settle(after_status(record, turn.now))
    # A webhook may have reported more while the question was under way; another process may have followed the post.
    stored = await write_status(turn.context, record, lambda found: further(found.last, publication))
    if stored is None:
        return await turn.held_elsewhere()
    turn.adopt(stored)
    return await turn.settle(after_status(stored, turn.now))


async def _forgotten(turn: Turn) -> Progressed:
    verdict = after_forgotten(turn.record, turn.now)
    # Beside the lease, as a status is: a webhook may have reported an end meanwhile.
    if not await turn.context.journal.replace(verdict.record, seen=turn.record):
        return await turn.held_elsewhere()
    turn.adopt(verdict.record)
    return await turn.settle(verdict)


async def wait(context: Context, account: str, publish_id: str) -> Publication:
    """Ask at least once, and again and again until the post has ended or the journal knows that it has.

    The journal may know an end from a webhook. TikTok may have taken back what was complete, so it is asked, too.

    Raises:
        PublishFailed: TikTok gave the post up.
        StillProcessing: patience, or the network, ended first.
        StoreError: the journal cannot be read.
    """
    check_publish_id(publish_id)
    watch, known, misses, pause = Stopwatch(context.clock), None, 0, 0.0
    record = await find_record(context, account, publish_id)
    context = context.about(account=account, key=None if record is None else record.key, publish_id=publish_id)
    while watch.look(most=context.retry_limits.deadline) + pause <= context.patience:
        await context.clock.sleep(pause)
        pause = poll_pause(watch.slept(pause))
        record = record and await context.journal.load(record.name)
        if record is not None and record.publish_id == publish_id and record.last is not None:
            was_asked, known = known is not None, further(known, record.shown)
            if was_asked and known.is_final:
                return finished(known)
        try:
            known = further(known, await publish_status(context, account, publish_id))
        except (TransportError, ApiError) as error:
            now = context.clock.now()
            if not says_nothing(record, now, error):
                raise
            if known is not None and known.is_final:
                return finished(known)
            misses += not is_not_known_yet(record, now, error)
            if misses < MOST_MISSES:
                pause = max(pause, error.retry_after) if isinstance(error, RateLimited) else pause
                continue
            if known is None:
                raise
            raise still_processing(known, watch.seconds, error) from error
        misses = 0
        if known.is_final:
            return finished(known if record is None else evolve(known, key=record.key))
    raise still_processing(known or Publication(publish_id=publish_id, status="not known"), watch.seconds)


async def receive(context: Context, event: PostEvent) -> Publication | None:
    """Write down what an event reports of a post of the journal, and return the post; None where the journal has none.

    A repeated or late event changes nothing. Of several that come at once, in any order, none is lost: the more advanced
    status stays.
    """
    record = await find_record(context, event.open_id, event.publish_id)
    if record is None:
        return None
    context = context.about(account=record.account, key=record.key, publish_id=record.publish_id)
    if record.is_uploading:
        return await _receive_of_an_upload(context, record, event)
    stored = await write_status(context, record, lambda found: _status(found, event))
    return None if stored is None else stored.shown


async def _receive_of_an_upload(context: Context, record: Record, event: PostEvent) -> Publication | None:
    # A process that sends bytes of the post asks by itself; only where none does, the event is written down here.
    owner = context.entropy(16).hex()
    async with released_after(context, context.journal, record.name, owner):
        if await try_lease(context, context.journal, record.name, owner, STEP_LEASE) is None:
            return record.shown
        stored = await write_status(context, record, lambda found: _status(found, event))
    return None if stored is None else stored.shown


def _status(record: Record, event: PostEvent) -> Publication:
    return status_after(event, record.last or Publication(publish_id=event.publish_id, status=record.shown.status))


async def write_status(context: Context, record: Record, status: Callable[[Record], Publication]) -> Record | None:
    """Write down what is known of a post by now, and return its record as it is then; None where it is no longer that post.

    Args:
        context: what to work with.
        record: the post, as it was last seen.
        status: returns what is known of the post, given its record: called again where another process wrote meanwhile.
    """
    publish_id, found = record.publish_id, record
    while is_status_of(found, publish_id):
        publication = evolve(status(found), key=None)
        if publication == found.last:
            return found
        heard = reported(found, context.clock.now(), publication)
        if await context.journal.replace(heard, seen=found):
            if not is_foreseen(found, "reported", heard):
                said = "Post %s was %s, and TikTok reports it as %s by now"
                context.log.warning(said, heard.key, found.stage, heard.stage, publish_id=publish_id)
            return heard
        current = await context.journal.load(found.name)
        if current is None:
            break
        found = current
    return None


async def find_record(context: Context, account: str, publish_id: str) -> Record | None:
    """Return the record of a publish id; without an account the posts of the whole app are searched."""
    under = record_name(context.app.client_key, account, "") if account else f"{context.app.client_key}\n"
    return await context.journal.of_post(publish_id, under)
