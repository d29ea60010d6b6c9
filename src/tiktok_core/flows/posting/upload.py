"""Uploading a file, one chunk a step. After any doubt TikTok is asked how much it has, and its word wins over ours.

What belongs here: the order of these acts, and sending one chunk exactly where TikTok expects it. What an answer proves is
read by `domain.chunk_answers`; what follows from it is decided by `domain.upload_verdicts`.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Final

from attrs import evolve

from tiktok_core.domain.chunk_answers import Doubt, Outcome, chunk_outcome
from tiktok_core.domain.elsewhere import of_post, renamed
from tiktok_core.domain.journal import Record, next_chunk, upload_left
from tiktok_core.domain.moves import leaving, moved
from tiktok_core.domain.publishing import Publication
from tiktok_core.domain.retry import Operation
from tiktok_core.domain.upload_verdicts import (
    after_doubt,
    after_expired_url,
    dead_url,
    expired_url,
    outcome_by_now,
    record_after_chunk,
    while_damaged,
)
from tiktok_core.domain.verdicts import after_handover, is_forgotten, says_nothing
from tiktok_core.errors import (
    ApiError,
    Interrupted,
    LeaseLost,
    Misused,
    NotSent,
    SourceChanged,
    TikTokError,
    TransportError,
    UploadError,
    UploadExpired,
)
from tiktok_core.flows.calls.context import Context
from tiktok_core.flows.calls.disks import look
from tiktok_core.flows.calls.dispatch import Dispatch
from tiktok_core.flows.calls.exchange import exchange
from tiktok_core.flows.calls.surely import surely
from tiktok_core.flows.posting.follow import publish_status
from tiktok_core.flows.posting.turn import Progressed, Turn
from tiktok_core.flows.posting.video_file import VideoFile, check_unchanged, guarded
from tiktok_core.wire.publishing import chunk_request, read_chunk_answer

__all__ = ["ask_about_lost_upload", "upload"]

SLOWEST: Final = 100_000
"""Bytes a second: where the journal cannot renew a lease while bytes leave, a chunk that goes slower may outlive it. What another
holder sends then is refused by TikTok or by the fence."""


async def upload(
    turn: Turn,
    open_video: Callable[[Record], Awaitable[VideoFile]],
    on_sent: Callable[[Record, int], None],
    *,
    is_certain: bool,
) -> Progressed:
    """Send the next chunk.

    Args:
        turn: our right to take this step; the post is uploading.
        open_video: gives the file of the record; asked only when bytes of it have to leave.
        on_sent: called with how many bytes of the video have left.
        is_certain: whether the record's offset is TikTok's own word; otherwise it is asked first.

    Raises:
        SourceChanged: the file is not the one that was planned; nothing more of it is sent.
        UploadExpired: the upload URL is dead, and no more inits are allowed for this key.
        UploadError: TikTok refused the chunk for good, or the record makes no sense.
        UnexpectedResponse: an answer that contradicts what was sent.
        Misused: the client cannot work here; nothing left.
        LeaseLost: another owner has taken the post over.
    """
    if (verdict := while_damaged(turn.record, turn.now)) is not None:
        return await turn.settle(verdict)
    try:
        if (error := expired_url(turn.record, turn.now)) is not None:
            return await _expired(turn, error)
        asked = None if is_certain else await _doubted(turn, None)
    except LeaseLost:
        # Another owner took over while TikTok was asked; nothing was done here.
        return await turn.held_elsewhere()
    if asked is not None and not turn.record.is_uploading:
        return asked
    first, last = next_chunk(turn.record)
    video_file = await open_video(turn.record)
    length, renew = last - first + 1, turn.renewal()
    longer = timedelta(seconds=0.0 if renew else length / SLOWEST)
    if not (renew and turn.is_fresh) and not await turn.lengthen(longer):
        return await turn.held_elsewhere()
    await turn.save(renamed(turn.record, video_file.name, video_file.fingerprint))

    def left(sent: int) -> None:
        if renew is not None:
            # Once the last byte has left, only the answer is waited for.
            renew(timedelta(seconds=turn.context.timeout if sent >= length else 0.0))
        on_sent(turn.record, first + sent)

    sent = await _sent_and_saved(turn, video_file, left)
    outcome = outcome_by_now(turn.record, turn.now, sent)
    if isinstance(outcome, UploadExpired):
        return await _expired(turn, outcome)
    if isinstance(outcome, Doubt):
        return await _doubted(turn, outcome)
    return await turn.settle(after_handover(turn.record))


async def ask_about_lost_upload(turn: Turn) -> Progressed:
    """Ask TikTok once more about a post that may have become complete just before its upload URL died."""
    try:
        return await _expired(turn, dead_url(turn.record))
    except LeaseLost:
        return await turn.held_elsewhere()


async def _doubted(turn: Turn, doubt: Doubt | None) -> Progressed:
    heard = await _heard(turn)
    return await turn.settle(after_doubt(turn.record, turn.now, doubt, heard))


async def _expired(turn: Turn, error: UploadExpired) -> Progressed:
    heard = await _heard(turn)
    return await turn.settle(after_expired_url(turn.record, turn.now, error, heard))


async def _heard(turn: Turn) -> Publication | TikTokError:
    """Return the post's status or, where the answer says nothing about the post, or that TikTok has forgotten it, its error."""
    try:
        return await publish_status(turn.context, turn.record.account, turn.record.publish_id or "")
    except (TransportError, ApiError) as error:
        if not (says_nothing(turn.record, turn.now, error) or is_forgotten(turn.record, turn.now, error)):
            raise
        return error


async def _sent_and_saved(turn: Turn, video_file: VideoFile, on_sent: Callable[[int], None]) -> Outcome:
    """Store that a chunk leaves, send it, and store what came of it.

    The journal has to say that the last byte may have arrived, whenever that may be true. It says so no longer where that byte
    certainly did not leave, or was refused.
    """
    before, dispatch = turn.record, Dispatch()
    departing = leaving(before, turn.now)
    try:
        await turn.save(departing)
        outcome = await _sent(turn.context, before, video_file, on_sent, dispatch)
        await turn.save(record_after_chunk(departing, before, outcome))
    except GeneratorExit:
        raise  # The coroutine is being closed, as where an event loop ends without it, and can await nothing.
    except BaseException:
        if departing != before and not dispatch.may_be_whole:
            # Surely: a second cancellation, while this is stored, would leave the untruth.
            await surely(turn.context, partial(turn.take_back, before))
        dispatch.let_out()
        raise
    if isinstance(outcome, int):
        await turn.save(moved(turn.record, turn.now, outcome))
    dispatch.let_out()
    return outcome


async def _sent(
    context: Context, record: Record, video_file: VideoFile, on_sent: Callable[[int], None], dispatch: Dispatch
) -> Outcome:
    """Send what comes next, and return what came of it; `dispatch` becomes what is known of the chunk.

    Raises:
        SourceChanged: the file is no longer the one that was planned; nothing more of it counts.
        UploadError: TikTok refused the chunk for good.
        UnexpectedResponse: an answer that contradicts what was sent.
        Misused: the client cannot work here; nothing left.
        Raised: the source, or `on_sent`, raised something.
    """
    if record.upload_url is None:
        raise UploadError(record.publish_id, "its upload URL is no longer known")
    chunk = next_chunk(record)
    await look(context, video_file.source, partial(check_unchanged, video_file, record), record.publish_id)
    source = guarded(video_file, record)
    request = chunk_request(record.upload_url, source, chunk, video_file.media_type, on_sent)
    # As slow as the line, but what outlives its upload URL comes to nothing.
    request = evolve(request, time_limit=upload_left(record, context.clock.now()))
    try:
        answer = await exchange(
            context, request, read_chunk_answer, Operation.CHUNK, account=record.account, dispatch=dispatch
        )
    except SourceChanged as error:
        raise of_post(error, record) from None
    except Misused:
        raise  # No doubt, and no later step can send more.
    except (Interrupted, NotSent) as error:
        return Doubt(error, may_have_come=dispatch.may_be_whole)
    outcome = chunk_outcome(answer, record, chunk[1], may_have_come=dispatch.may_be_whole)
    if not source.gave_all and not isinstance(outcome, UploadExpired):
        # Looked at again: bytes that changed while they were read must not be completed by another chunk.
        await look(context, video_file.source, partial(check_unchanged, video_file, record), record.publish_id)
    return outcome
