"""The calls after an init: the status of a post, the end of a pull, and a draft that the creator finishes.

What belongs here: https://developers.tiktok.com/doc/content-posting-api-reference-get-video-status and the cancel call of
/doc/content-posting-api-media-transfer-guide. The life of a post is in `tasks.py`.
"""

from datetime import datetime, timedelta
from typing import Any

from tiktok_adapters.simulator.answers import Refused
from tiktok_adapters.simulator.calls import Call
from tiktok_adapters.simulator.checks import ownership
from tiktok_adapters.simulator.switches import Switches
from tiktok_adapters.simulator.tasks import FINAL, State, Task
from tiktok_adapters.simulator.world import World

__all__ = ["cancel", "finish", "status"]


def status(world: World, call: Call) -> dict[str, Any]:
    """Answer `POST /v2/post/publish/status/fetch/`; the call succeeds even if the post failed."""
    task = _own_task(world, call, "status")
    task.polls += 1
    if task.polls <= world.switches.status_unknown_polls:
        raise _unknown()
    seen_at = world.now - timedelta(seconds=world.switches.status_lag_seconds)
    return _spelled(task, task.state(seen_at, world.switches), world.switches, seen_at)


def cancel(world: World, call: Call) -> None:
    """Answer `POST /v2/post/publish/cancel/`: stop a pull while TikTok downloads; afterwards it is too late.

    Raises:
        Refused: `publish_not_cancellable` if the download is over, or for an upload, which a client ends by sending no more.
    """
    task = _own_task(world, call, "cancel")
    if task.state(world.now, world.switches).status in FINAL or task.upload is not None:
        raise Refused("publish_not_cancellable", "The task cannot be cancelled")
    if world.switches.cancel_checks_ownership:
        ownership(task.app, *task.urls)
    if world.now < task.created_at + timedelta(seconds=world.switches.download_seconds):
        task.cut = (world.now, "publish_cancelled")


def finish(world: World, task: Task, *, public: bool) -> None:
    """Let the creator post a draft in the app. The creator may do so several times.

    Raises:
        ValueError: the draft is not in the inbox, or the inbox has dropped it.
    """
    if task.mode != "MEDIA_UPLOAD":
        raise ValueError(f"{task.publish_id} is not a draft")
    now, switches = world.now, world.switches
    if task.state(now, switches).status not in {"SEND_TO_USER_INBOX", "PUBLISH_COMPLETE"}:
        raise ValueError(f"{task.publish_id} is not in the inbox")
    if task.is_expired(now, switches):
        raise ValueError(f"{task.publish_id} is no longer in the inbox")
    task.finishes.append((now, world.chance.post_id() if public else None))


def _unknown() -> Refused:
    return Refused("invalid_publish_id", "The publish id does not exist")


def _own_task(world: World, call: Call, operation: str) -> Task:
    app, creator = world.admit(call, operation, "video.publish", "video.upload")
    publish_id = call.json().get("publish_id")
    task = world.task(publish_id)
    if task is None:
        raise _unknown()
    if task.app is not app or task.creator is not creator:
        raise Refused(
            "token_not_authorized_for_specified_publish_id", "The token is not authorized for this publish id"
        )
    return task


def _spelled(task: Task, state: State, switches: Switches, seen_at: datetime) -> dict[str, Any]:
    data: dict[str, Any] = {"status": state.status}
    if state.fail_reason:
        data["fail_reason"] = state.fail_reason
        if switches.failed_body == "short":
            return data
    if switches.status_ids != "missing":
        data["publicaly_available_post_id"] = _ids(state.post_ids, switches)
    if task.upload is not None:
        if switches.uploaded_bytes != "missing":
            counted = task.upload.counted(seen_at)
            data["uploaded_bytes"] = task.upload.whole(counted) if switches.uploaded_bytes == "chunks" else counted
    else:
        data["downloaded_bytes"] = state.downloaded_bytes
    return data


def _ids(post_ids: tuple[int, ...], switches: Switches) -> Any:
    if switches.status_ids == "strings":
        return [str(post_id) for post_id in post_ids]
    if switches.status_ids == "scalar" and len(post_ids) == 1:
        return post_ids[0]
    return list(post_ids)
