"""The upload host: one PUT per chunk, strictly in order. Source: /doc/content-posting-api-media-transfer-guide.

What belongs here: which bytes the host accepts, and its answers. `storage.py` stores the bytes.
"""

import re
from typing import Final

from attrs import frozen

from tiktok_adapters.simulator.answers import Refused
from tiktok_adapters.simulator.calls import Call
from tiktok_adapters.simulator.checks import may_post
from tiktok_adapters.simulator.media import Bytes, video_problem
from tiktok_adapters.simulator.storage import Upload, blocks_of
from tiktok_adapters.simulator.tasks import Task
from tiktok_adapters.simulator.world import World
from tiktok_core.wire.http import Response

__all__ = ["find", "put", "put_partly"]

MEDIA_TYPES: Final = frozenset({"video/mp4", "video/quicktime", "video/webm"})
LONGEST_DRAFT: Final = 600
"""Seconds; a direct post has its creator's own limit."""
_ALSO_REASONS: Final = frozenset({"spam_risk_too_many_posts", "spam_risk_user_banned_from_posting"})
_RANGE: Final = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})", re.ASCII)


class _Unwelcome(Exception):
    """The host answers this PUT without storing its bytes."""

    def __init__(self, status: int, *, progress: bool = False) -> None:
        super().__init__(status)
        self.status = status
        self.progress = progress


@frozen
class _Chunk:
    """The range that a PUT declares, both ends included."""

    first: int
    last: int
    again: bool = False

    @property
    def length(self) -> int:
        return self.last - self.first + 1


def find(world: World, call: Call) -> Task | None:
    """Return the post of an upload URL, or None."""
    given = dict(call.query)
    secrets = (given.get("upload_id"), given.get("upload_token"))
    uploads = (task for task in world.tasks.values() if task.upload is not None)
    return next((task for task in uploads if task.upload and secrets == _secrets(task.upload)), None)


def _secrets(upload: Upload) -> tuple[str, str]:
    return upload.upload_id, upload.upload_token


def put(world: World, call: Call) -> Response:
    """Answer one PUT: 201 after the last byte, 206 if more bytes are missing, or a refusal."""
    task = find(world, call)
    body = world.switches.put_body.encode()
    if task is None or task.upload is None:
        return Response(404, body=body)
    upload = task.upload
    try:
        chunk = _welcome(world, upload, call)
    except _Unwelcome as no:
        return Response(no.status, _progress(world, upload) if no.progress else {}, body)
    if chunk.again:
        for _block in blocks_of(call.request.body):
            continue  # a server also reads the bytes that it discards
    else:
        _store(world, task, upload, call, chunk.length)
    done = upload.offset == upload.size
    status = world.switches.last_chunk_status if done else 206
    return Response(status, _progress(world, upload), body)


def put_partly(world: World, call: Call, received: int) -> None:
    """Handle a PUT whose connection was lost after `received` bytes. It gets no answer.

    The request's body holds at least that many bytes, and at most the declared ones.
    """
    task = find(world, call)
    if task is None or task.upload is None:
        return
    try:
        chunk = _welcome(world, task.upload, call, whole=False)
    except _Unwelcome:
        return
    whole = received >= chunk.length
    if not chunk.again and (whole or world.switches.partial_bytes == "keep"):
        _store(world, task, task.upload, call, min(received, chunk.length))


def _welcome(world: World, upload: Upload, call: Call, *, whole: bool = True) -> _Chunk:
    """Return the chunk that this PUT may store.

    Raises:
        _Unwelcome: 400, 403, 416, or the status for a length that is not the declared one.
    """
    if upload.completed_at is not None and world.switches.finished_upload == "forget":
        raise _Unwelcome(404)
    if world.now >= upload.expires_at:
        raise _Unwelcome(403)
    if not call.headers.get("content-range"):
        raise _Unwelcome(world.switches.no_range_status, progress=world.switches.no_range_status == 416)
    found = _RANGE.fullmatch(call.headers["content-range"])
    chunked = "transfer-encoding" in call.headers
    if found is None or chunked or call.media_type not in MEDIA_TYPES:
        raise _Unwelcome(400)
    first, last, total = (int(number) for number in found.groups())
    chunk = _Chunk(first, last, again=(first, last) == upload.last_range)
    if total != upload.size or chunk.length < 1 or last >= total:
        raise _Unwelcome(400)
    if whole and call.request.content_length != chunk.length:
        raise _Unwelcome(world.switches.mismatch_status)
    if chunk.again and world.switches.repeat_chunk == "accept":
        return chunk
    if first != upload.offset:
        raise _Unwelcome(416, progress=True)
    if last != upload.chunk_end(first):
        raise _Unwelcome(400)
    return chunk


def _store(world: World, task: Task, upload: Upload, call: Call, length: int) -> None:
    first = upload.offset
    upload.append(call.request.body, length, keep_partial=world.switches.partial_bytes == "keep")
    upload.last_range, upload.media_type = (first, upload.offset - 1), call.media_type
    upload.history.append((world.now, upload.offset))
    if upload.offset == upload.size:
        _look_at(world, task, upload)
        _cap_again(world, task)
        upload.completed_at = world.now


def _look_at(world: World, task: Task, upload: Upload) -> None:
    """Let a file fail that is no video, or none that TikTok publishes; a fault that a test set comes first."""
    if task.script.fail_reason is not None:
        return
    longest = task.creator.max_video_post_duration_sec if task.mode == "DIRECT_POST" else LONGEST_DRAFT
    stored = Bytes(upload.head) if upload.file is None else upload
    task.script.fail_reason = video_problem(stored, upload.size, longest, world.switches.media_check)


def _cap_again(world: World, task: Task) -> None:
    # Inits without their bytes do not count towards a day's cap, so the last byte of an upload can reach the cap too.
    if task.mode != "DIRECT_POST":
        return
    try:
        may_post(world, task.app, task.creator)
    except Refused as refused:
        if refused.code in _ALSO_REASONS:
            task.script.fail_reason = refused.code


def _progress(world: World, upload: Upload) -> dict[str, str]:
    """Return the header with the stored bytes: their number, or the last offset (no header if there is none)."""
    last = world.switches.progress_header == "last"
    if last and upload.offset == 0:
        return {}
    return {"content-range": f"bytes 0-{upload.offset - last}/{upload.size}"}
