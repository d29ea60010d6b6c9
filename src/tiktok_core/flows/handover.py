"""Handing over a file, one chunk a step. After any doubt TikTok is asked how much it has, and its word wins over ours."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Final

from attrs import evolve

from tiktok_core.domain.given_up import refusal_of
from tiktok_core.domain.journal import (
    MOST_INITS,
    Record,
    Stage,
    anew,
    ended,
    leaving,
    moved,
    next_chunk,
    proved_offset,
    told,
    unknown,
    upload_left,
)
from tiktok_core.domain.publishing import Publication, poll_pause
from tiktok_core.errors import LeaseLost, TikTokError, UploadError, UploadExpired
from tiktok_core.flows.exchange import Context, Dispatch
from tiktok_core.flows.follow import PASSING, publish_status
from tiktok_core.flows.hold import AGAIN, Hold, Progressed, keep, pause_until_told, save, take_back, theirs
from tiktok_core.flows.surely import surely
from tiktok_core.flows.upload import Doubt, Film, send_next

__all__ = ["hand_over", "look_again"]

SLOWEST: Final = 100_000
"""Bytes a second: a chunk that goes slower may outlive its lease, and what another holder sends then is refused by TikTok
or by the fence."""
HOUR_IS_OVER: Final = "its upload URL has lived for an hour"
FOR_WANT_OF_BYTES: Final = ("", "internal")
"""Reasons that TikTok may give for a post whose upload URL died."""


async def hand_over(
    context: Context,
    hold: Hold,
    film: Callable[[Record], Awaitable[Film]],
    on_sent: Callable[[Record, int], None],
    *,
    is_certain: bool,
) -> Progressed:
    """Send the next chunk.

    Args:
        context: what to work with.
        hold: the post, which is uploading.
        film: gives the file of the record; asked only when bytes of it have to leave.
        on_sent: told how many bytes of the video have left.
        is_certain: whether the record's offset is TikTok's own word; otherwise it is asked first.

    Raises:
        SourceChanged: the file is not the one that was wished; nothing more of it is sent.
        UploadExpired: the upload URL is dead, and no more inits are allowed for this key.
        UploadError: TikTok refused the chunk for good, or the record makes no sense.
        UnexpectedResponse: an answer that contradicts what was sent.
        LeaseLost: somebody else has taken the post over.
    """
    record = hold.record
    if record.plan is None or record.offset > _size(record):
        raise UploadError(
            record.publish_id, "how its file is cut, or how much of it is there, was damaged in the journal"
        )
    try:
        if upload_left(record, context.clock.now()) <= 0:
            return await _expired(context, hold, UploadExpired(record.publish_id, HOUR_IS_OVER))
        progressed = Progressed(record=record, again_in=0.0) if is_certain else await _ask(context, hold, None)
    except LeaseLost:
        # Somebody took over while TikTok was asked; nothing was done here.
        return await theirs(context, record)
    record = progressed.record
    if record.stage is not Stage.UPLOADING:
        return progressed
    hold = evolve(hold, record=record)
    first, last = next_chunk(record)
    source = await film(record)
    if not await keep(context, hold, timedelta(seconds=(last - first + 1) / SLOWEST)):
        return await theirs(context, record)
    hold, result = await _chunk_sent(context, hold, source, partial(on_sent, record))
    record = hold.record
    if isinstance(result, Doubt) and upload_left(record, context.clock.now()) <= 0:
        result = UploadExpired(record.publish_id, HOUR_IS_OVER)
    if isinstance(result, UploadExpired):
        return await _expired(context, hold, result)
    if isinstance(result, Doubt):
        return await _ask(context, hold, result)
    return Progressed(record=record, again_in=poll_pause(0) if record.stage is Stage.PROCESSING else 0.0)


async def _chunk_sent(
    context: Context, hold: Hold, source: Film, on_sent: Callable[[int], None]
) -> tuple[Hold, int | Doubt | UploadExpired]:
    """Send one chunk between two records, so that the journal never says of a last byte less than what may be true.

    Nor more: where the last byte certainly did not leave, or was refused, what can be there is what could be before.
    """
    before, dispatch = hold.record, Dispatch()
    departing = leaving(before, context.clock.now())
    result: int | Doubt | UploadExpired
    try:
        hold = evolve(hold, record=await save(context, hold, departing))
        try:
            result = await send_next(context, before, source, on_sent, dispatch)
        except UploadExpired as error:
            result = error
        if isinstance(result, UploadExpired) or (isinstance(result, Doubt) and not result.may_have_come):
            hold = evolve(hold, record=await save(context, hold, before))
    except GeneratorExit:
        raise  # The coroutine is being closed, as where an event loop ends without it, and can await nothing.
    except BaseException:
        if departing != before and not dispatch.may_be_whole:
            # Surely: a second cancellation, while this is stored, would leave the untruth.
            await surely(context, partial(take_back, context, hold, before))
        dispatch.let_out()
        raise
    if isinstance(result, int):
        hold = evolve(hold, record=await save(context, hold, moved(hold.record, context.clock.now(), result)))
    dispatch.let_out()
    return hold, result


async def _ask(context: Context, hold: Hold, doubt: Doubt | None) -> Progressed:
    record = hold.record
    trouble = doubt.error if doubt else None
    said, refused = (doubt.said, doubt.refused) if doubt else (None, False)
    says_nothing = False
    try:
        publication = await publish_status(context, record.account, record.publish_id or "")
    except PASSING as error:
        trouble = trouble or error
    else:
        if publication.is_final:
            return await _ended(context, hold, publication)
        counted = publication.uploaded_bytes
        if refused and record.last_left and said is not None and said + 1 >= _size(record) > (counted or 0):
            # The upload host has it all, and the status does not know yet: to send it again is no use.
            return await _unknown(context, hold)
        if counted is not None and not (refused and counted == record.offset):
            # By its name a count, so no border has to decide what it means.
            return await _at(context, hold, min(counted, _size(record)), trouble)
        says_nothing = counted is None
    if said is None or (said + 1 >= _size(record) and not says_nothing):
        # That every byte is there has to be TikTok's plain word, not our reading of the upload host's figure.
        return await _at(context, hold, record.offset, trouble)
    return await _at(context, hold, proved_offset(record, said, refused=refused), trouble)


async def _at(context: Context, hold: Hold, offset: int, trouble: TikTokError | None) -> Progressed:
    record = hold.record
    if offset != record.offset:
        record = await save(context, hold, moved(record, context.clock.now(), offset))
    if record.stage is Stage.PROCESSING:
        return Progressed(record=record, again_in=poll_pause(0), trouble=trouble)
    return Progressed(record=record, again_in=AGAIN if trouble else 0.0, trouble=trouble)


async def _ended(context: Context, hold: Hold, publication: Publication) -> Progressed:
    record = await save(context, hold, told(hold.record, context.clock.now(), publication))
    return Progressed(record=record, again_in=None)


async def look_again(context: Context, hold: Hold) -> Progressed:
    """Ask TikTok once more about a post that may have become complete just before its upload URL died."""
    try:
        return await _expired(context, hold, UploadExpired(hold.record.publish_id, "its upload URL has died"))
    except LeaseLost:
        return await theirs(context, hold.record)


async def _expired(context: Context, hold: Hold, error: UploadExpired) -> Progressed:
    """Go on with a fresh init, but only where the post cannot be complete: otherwise that would be a second one.

    Once the last byte may be there, a count that is short proves nothing, for it may be late: TikTok has to say that it
    gave the post up for want of bytes. Until then it is unknown, and asked about.
    """
    record = hold.record
    try:
        publication = await publish_status(context, record.account, record.publish_id or "")
    except PASSING as trouble:
        return Progressed(record=record, again_in=AGAIN, trouble=trouble)
    counted, is_last = publication.uploaded_bytes, next_chunk(record)[1] + 1 == _size(record)
    is_short = not is_last if counted is None else counted < _size(record)
    # A post that failed for want of bytes is none; one that failed for its file's or its creator's sake would again.
    is_lost = publication.is_failed and publication.fail_reason in FOR_WANT_OF_BYTES and is_short
    if publication.is_final and not is_lost:
        return await _ended(context, hold, publication)
    if counted is not None and not is_short:
        return await _at(context, hold, _size(record), None)
    if is_lost or (is_short and not record.last_left):
        return await _anew(context, hold, error)
    return await _unknown(context, hold)


async def _unknown(context: Context, hold: Hold) -> Progressed:
    record, now = hold.record, context.clock.now()
    if record.stage is not Stage.UNKNOWN:
        record = await save(context, hold, unknown(record, now))
    return Progressed(record=record, again_in=pause_until_told(record, now))


async def _anew(context: Context, hold: Hold, error: UploadExpired) -> Progressed:
    if hold.record.inits >= MOST_INITS:
        await save(context, hold, ended(hold.record, context.clock.now(), refusal_of(error)))
        raise error
    record = await save(context, hold, anew(hold.record, context.clock.now()))
    return Progressed(record=record, again_in=0.0, trouble=error)


def _size(record: Record) -> int:
    return record.plan.video_size if record.plan else 0
