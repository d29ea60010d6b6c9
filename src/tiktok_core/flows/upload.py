"""Sending one chunk of a video exactly where TikTok expects it, and reading what the upload host says to it."""

from collections.abc import Callable
from functools import partial
from typing import Final, cast

from attrs import define, evolve, frozen

from tiktok_core.domain.chunks import ChunkPlan
from tiktok_core.domain.journal import Record, next_chunk, upload_left
from tiktok_core.domain.media import MediaType
from tiktok_core.domain.refusals import explain
from tiktok_core.domain.retry import Operation
from tiktok_core.errors import (
    Interrupted,
    NotSent,
    RateLimited,
    SourceChanged,
    TikTokError,
    UnexpectedRedirect,
    UnexpectedResponse,
    UploadError,
    UploadExpired,
)
from tiktok_core.flows.disks import look
from tiktok_core.flows.exchange import Context, Dispatch, exchange
from tiktok_core.ports import FillsBuffers, Source
from tiktok_core.wire.http import read_from, read_from_into
from tiktok_core.wire.publishing import ChunkAnswer, chunk_request, read_chunk_answer

__all__ = ["Doubt", "Film", "check_film", "send_next"]

COMPLETE: Final = (200, 201)
"""The guide names 201 for the last chunk; clients have seen 200, too."""
PARTIAL: Final = 206
TOO_MANY: Final = "rate_limit_exceeded"


@frozen(kw_only=True)
class Film:
    """A video file, ready to be handed over.

    Attributes:
        source: its bytes.
        name: what it is called; None for a source without a name.
        fingerprint: what the source was when it was looked at.
        media_type: what it is.
        plan: how it is cut.
    """

    source: Source
    name: str | None
    fingerprint: str
    media_type: MediaType
    plan: ChunkPlan


@frozen
class Doubt:
    """A chunk of which nobody knows whether TikTok has it.

    Attributes:
        error: why.
        said: how much TikTok has, as far as it said: a count or the last offset.
        refused: whether TikTok refused to go on at our offset.
        may_have_come: whether its last byte may have reached TikTok.
    """

    error: TikTokError
    said: int | None = None
    refused: bool = False
    may_have_come: bool = True


async def send_next(
    context: Context, record: Record, film: Film, on_sent: Callable[[int], None], dispatch: Dispatch
) -> int | Doubt:
    """Send what comes next, and return how many bytes TikTok has proved to have, or the doubt.

    Args:
        context: what to work with.
        record: the post, which is uploading.
        film: the video.
        on_sent: told how many bytes of the video have left.
        dispatch: becomes what is known of the chunk.

    Raises:
        SourceChanged: the file is no longer the one that was planned; nothing more of it counts.
        UploadExpired: the upload URL is dead.
        UploadError: TikTok refused the chunk for good.
        UnexpectedResponse: an answer that contradicts what was sent.
        Raised: the source, or `on_sent`, raised something.
    """
    if record.upload_url is None:
        raise UploadError(record.publish_id, "its upload URL is no longer known")
    chunk = next_chunk(record)
    await look(context, film.source, partial(check_film, film, record), record.publish_id)
    source = _guarded(film, record)
    request = chunk_request(record.upload_url, source, chunk, film.media_type, partial(_beyond, chunk[0], on_sent))
    # As slow as the line, but what outlives its upload URL comes to nothing.
    request = evolve(request, time_limit=upload_left(record, context.clock.now()))
    try:
        answer = await exchange(
            context, request, read_chunk_answer, Operation.CHUNK, account=record.account, dispatch=dispatch
        )
    except SourceChanged as error:
        raise evolve(error, publish_id=record.publish_id) from None
    except (Interrupted, NotSent) as error:
        return Doubt(error, may_have_come=dispatch.may_be_whole)
    result = _read(answer, record, chunk[1])
    if not source.gave_all:
        # Looked at again: bytes that changed while they were read must not be completed by another chunk.
        await look(context, film.source, partial(check_film, film, record), record.publish_id)
    return evolve(result, may_have_come=dispatch.may_be_whole) if isinstance(result, Doubt) else result


@define
class _Guarded:
    """The source of a film that looks at it once more before it gives the last byte away.

    By then every byte was read: what changed meanwhile would be completed by that one. Afterwards it is too late, and to
    say that nothing was posted would be untrue.
    """

    _film: Film
    _record: Record
    gave_all: bool = False

    @property
    def size(self) -> int:
        # As it was when the film was opened: asking the source might wait for a disk.
        return self._film.plan.video_size

    @property
    def fingerprint(self) -> str:
        return self._film.source.fingerprint

    def read(self, start: int, length: int, /) -> bytes:
        block = read_from(self._film.source, start, length)
        self._given(start, len(block))
        return block

    def _given(self, start: int, length: int) -> None:
        if length and start + length >= self.size:
            check_film(self._film, self._record)
            self.gave_all = True


@define
class _GuardedBuffers(_Guarded):
    """The same for a source that fills buffers, which costs less than new memory for each block."""

    def read_into(self, start: int, buffer: memoryview, /) -> int:
        got = read_from_into(cast(FillsBuffers, self._film.source), start, buffer)
        self._given(start, got)
        return got


def _guarded(film: Film, record: Record) -> _Guarded:
    return (_GuardedBuffers if isinstance(film.source, FillsBuffers) else _Guarded)(film, record)


def check_film(film: Film, record: Record) -> None:
    """Refuse to go on with a file that is not the one that was wished to be posted.

    Raises:
        SourceChanged: it is not.
    """
    try:
        unchanged = film.source.fingerprint == record.wish.fingerprint
    except SourceChanged as error:
        raise evolve(error, publish_id=record.publish_id) from None
    if not unchanged:
        raise SourceChanged(record.publish_id, "the file is not the one that this post began with; post it anew")


def _beyond(first: int, on_sent: Callable[[int], None], sent: int) -> None:
    on_sent(first + sent)


def _read(answer: ChunkAnswer, record: Record, last: int) -> int | Doubt:
    status, end = answer.status, last + 1
    is_last = record.plan is not None and end == record.plan.video_size
    if status in COMPLETE and is_last:
        return end
    if status == PARTIAL:
        return _partial(answer, record, end, is_last=is_last)
    if status == 429:
        return Doubt(RateLimited(TOO_MANY, "", "", status, explain(TOO_MANY), answer.retry_after))
    refusal = _refusal(answer, record)
    if status >= 500 or status == 408:
        return Doubt(refusal)
    if status == 416:
        return Doubt(refusal, answer.uploaded, refused=True)
    raise refusal


def _partial(answer: ChunkAnswer, record: Record, end: int, *, is_last: bool) -> int | Doubt:
    said = answer.uploaded
    if said is not None and said > end:
        raise UnexpectedResponse(f"PUT of {record.publish_id}", f"it says {said} bytes after {end} were sent", PARTIAL)
    if is_last:
        return Doubt(UploadError(record.publish_id, "more is said to be missing after the last byte", PARTIAL), said)
    if said in (None, end, end - 1):
        return end
    return Doubt(UploadError(record.publish_id, f"only {said} bytes are said to be stored of {end}", PARTIAL), said)


def _refusal(answer: ChunkAnswer, record: Record) -> TikTokError:
    status, publish_id = answer.status, record.publish_id
    if 300 <= status < 400:
        return UnexpectedRedirect(
            f"PUT of {publish_id}", "it sends elsewhere, and no redirect is ever followed", status
        )
    if status == 403:
        return UploadExpired(publish_id, "the upload URL has expired (it lives one hour)", status)
    if status == 404:
        return UploadExpired(publish_id, "TikTok no longer knows this upload", status)
    if 200 <= status < 300:
        said = (
            "it says that all is there before the last byte" if status in COMPLETE else "it does not say what is there"
        )
        return UnexpectedResponse(f"PUT of {publish_id}", said, status)
    if status == 416:
        return UploadError(publish_id, f"TikTok has {answer.uploaded} bytes and expected others", status)
    return UploadError(publish_id, "the upload host did not take the bytes", status)
