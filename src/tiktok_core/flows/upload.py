"""Handing over the bytes of a video: chunk after chunk, each exactly where TikTok expects it."""

from collections.abc import Callable
from functools import partial
from typing import Final

from attrs import evolve, frozen

from tiktok_core.domain.chunks import ChunkPlan
from tiktok_core.domain.media import MediaType
from tiktok_core.errors import SourceChanged, UnexpectedRedirect, UploadError, UploadExpired
from tiktok_core.flows.exchange import Context, exchange
from tiktok_core.ports import Source
from tiktok_core.wire.publishing import ChunkAnswer, chunk_request, read_chunk_answer

__all__ = ["Film", "upload"]

CREATED: Final = (200, 201)
"""The guide names 201 for the last chunk; clients have seen 200, too."""


@frozen(kw_only=True)
class Film:
    """A video file, ready to be handed over.

    Attributes:
        source: its bytes.
        fingerprint: what the source was when it was looked at.
        media_type: what it is.
        plan: how it is cut.
    """

    source: Source
    fingerprint: str
    media_type: MediaType
    plan: ChunkPlan


async def upload(
    context: Context, publish_id: str, upload_url: str, film: Film, on_sent: Callable[[int], None]
) -> None:
    """Send all chunks in order.

    Args:
        context: what to work with.
        publish_id: the post, for errors.
        upload_url: as TikTok gave it; used to the letter.
        film: the video.
        on_sent: told how many bytes of the video have left.

    Raises:
        SourceChanged: the file is no longer the one that was planned; nothing more was sent.
        UploadExpired: the upload URL is dead.
        UploadError: TikTok refused a chunk.
        TransportError: no answer to a chunk.
    """
    count = film.plan.total_chunk_count
    for index, chunk in enumerate(film.plan.ranges()):
        _check_source(film, publish_id)
        request = chunk_request(upload_url, film.source, chunk, film.media_type, partial(_beyond, chunk[0], on_sent))
        try:
            answer = await exchange(context, request, read_chunk_answer)
        except SourceChanged as error:
            raise evolve(error, publish_id=publish_id) from None
        # Looked at again: bytes that changed while they were read must not be completed by another chunk.
        _check_source(film, publish_id)
        _check_answer(answer, publish_id, is_last=index == count - 1)


def _beyond(first: int, on_sent: Callable[[int], None], sent: int) -> None:
    on_sent(first + sent)


def _check_source(film: Film, publish_id: str) -> None:
    try:
        unchanged = film.source.fingerprint == film.fingerprint
    except SourceChanged as error:
        raise evolve(error, publish_id=publish_id) from None
    if not unchanged:
        raise SourceChanged(publish_id, "the file was changed while it was being uploaded; post it again as it is now")


def _check_answer(answer: ChunkAnswer, publish_id: str, *, is_last: bool) -> None:
    status = answer.status
    if status in CREATED or status == 206:
        if is_last == (status in CREATED):
            return
        said = "that more is missing after the last byte" if is_last else "that all is there before the last byte"
        raise UploadError(publish_id, f"the upload host says {said}", status)
    if 300 <= status < 400:
        raise UnexpectedRedirect(f"PUT of {publish_id}", "it sends elsewhere, and no redirect is ever followed", status)
    if status == 403:
        raise UploadExpired(publish_id, "the upload URL has expired (it lives one hour); post the file again", status)
    if status == 404:
        raise UploadExpired(publish_id, "TikTok no longer knows this upload; post the file again", status)
    if status == 416:
        raise UploadError(publish_id, f"TikTok has {answer.uploaded} bytes and expected others", status)
    raise UploadError(publish_id, "the upload host refused the bytes", status)
