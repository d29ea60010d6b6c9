"""What the upload host's answer to a chunk proves: how many bytes TikTok has, a doubt, or a refusal.

What belongs here: reading the status of an answer to a chunk, and the figures in it. What follows for the post is in
`upload_verdicts`.
"""

from typing import Final

from attrs import evolve, frozen

from tiktok_core.domain.journal import Record
from tiktok_core.domain.refusals import explain
from tiktok_core.errors import (
    RateLimited,
    TikTokError,
    UnexpectedRedirect,
    UnexpectedResponse,
    UploadError,
    UploadExpired,
)

__all__ = ["ChunkAnswer", "Doubt", "Outcome", "chunk_outcome", "proved_offset"]

COMPLETE: Final = (200, 201)
"""The guide names 201 for the last chunk; clients have seen 200, too."""
PARTIAL: Final = 206
TOO_MANY: Final = "rate_limit_exceeded"


@frozen
class ChunkAnswer:
    """What the upload host said to a chunk.

    Attributes:
        status: HTTP status.
        uploaded: bytes that it has, as far as it says; TikTok does not define whether its figure is a count or the
            last offset, so this may be one too few.
        retry_after: seconds to wait after a 429.
    """

    status: int
    uploaded: int | None
    retry_after: float = 0.0


@frozen
class Doubt:
    """A chunk that TikTok may have or not.

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


Outcome = int | Doubt | UploadExpired
"""What came of a chunk: the bytes that TikTok has proved to have, a doubt, or a dead upload URL."""


def chunk_outcome(answer: ChunkAnswer, record: Record, last: int, *, may_have_come: bool) -> Outcome:
    """Return what an answer to a chunk proves.

    Args:
        answer: what the upload host said.
        record: the post, as it was before the chunk left.
        last: the last byte of the chunk.
        may_have_come: whether the chunk's last byte may have reached TikTok.

    Raises:
        UploadError, UnexpectedRedirect: TikTok refused the chunk for good.
        UnexpectedResponse: the answer contradicts what was sent.
    """
    outcome = _read(answer, record, last)
    return evolve(outcome, may_have_come=may_have_come) if isinstance(outcome, Doubt) else outcome


def _read(answer: ChunkAnswer, record: Record, last: int) -> Outcome:
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
    if isinstance(refusal, UploadExpired):
        return refusal
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


def proved_offset(record: Record, said: int, *, refused: bool) -> int:
    """Return how many bytes TikTok has, when it says `said`, which may be a count or the last offset.

    TikTok stores whole chunks, so of the two readings the one on a chunk's border is taken. If neither is on a border, the figure is
    read as a count. A figure beyond the file proves nothing.

    Args:
        record: the post.
        said: TikTok's figure.
        refused: whether TikTok has just refused to go on at the record's offset, so that this is not the answer.
    """
    plan = record.plan
    if plan is None:
        raise ValueError("what TikTok pulls has no chunks")
    possible = [
        offset for offset in (said, said + 1) if offset <= plan.video_size and not (refused and offset == record.offset)
    ]
    borders = [offset for offset in possible if offset % plan.chunk_size == 0 or offset == plan.video_size]
    return next(iter([*borders, *possible]), record.offset)
