"""The webhooks of the simulated TikTok: the events since the test last asked, as signed requests.

Source: https://developers.tiktok.com/doc/webhooks-events, /doc/webhooks-verification. What belongs here: the event that
follows each change, and the signature, restated from the documents. The simulator sends no webhook; the test delivers them.
"""

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from tiktok_adapters.simulator.accounts import App
from tiktok_adapters.simulator.portability import ready_at
from tiktok_adapters.simulator.tasks import Task
from tiktok_adapters.simulator.world import Delivery, World

__all__ = ["due", "repeated", "signed"]

PUBLISH_TYPES: Final = {"MEDIA_UPLOAD": "INBOX_SHARE"}
"""The documented word. The documents give none for direct posts, so a switch has that one."""


def due(world: World, app: App) -> tuple[Delivery, ...]:
    """Return the events since the last call, each once, signed now."""
    found = []
    for event, account, at, content in _happened(world, app):
        identity = (event, account, json.dumps(content))
        if identity not in world.told:
            world.told[identity] = app, signed(app, event, _body(app, event, account, at, content), world.now)
            found.append(world.told[identity][1])
    return tuple(found)


def repeated(world: World, app: App) -> tuple[Delivery, ...]:
    """Return the events of all earlier calls again; a switch says whether each is signed now or as it was."""
    first = [delivery for whose, delivery in world.told.values() if whose is app]
    if world.switches.webhook_retry_stamp == "kept":
        return tuple(first)
    return tuple(signed(app, one.event, one.body, world.now) for one in first)


def signed(app: App, event: str, body: bytes, at: datetime) -> Delivery:
    """Return a delivery of these bytes, signed at that time."""
    seconds = int(at.timestamp())
    message = str(seconds).encode() + b"." + body
    signature = hmac.new(app.client_secret.encode(), message, hashlib.sha256).hexdigest()
    headers = {"Content-Type": "application/json", "TikTok-Signature": f"t={seconds},s={signature}"}
    return Delivery(event=event, headers=headers, body=body)


def _body(app: App, event: str, account: str, at: datetime, content: Mapping[str, Any]) -> bytes:
    document = {
        "client_key": app.client_key,
        "event": event,
        "create_time": int(at.timestamp()),
        **({"user_openid": account} if account else {}),
        "content": json.dumps(content, separators=(",", ":")),
    }
    return json.dumps(document, separators=(",", ":")).encode()


def _happened(world: World, app: App) -> Iterator[tuple[str, str, datetime, Mapping[str, Any]]]:
    for removed, account, at in world.removals:
        if removed is app:
            yield "authorization.removed", account, at, {"reason": 1}
    for task in world.tasks.values():
        if task.app is app:
            for event, content in _of_post(world, task):
                yield event, task.account, world.now, content
    for copy in world.copies.values():
        ready = ready_at(world, copy)
        if copy.app is app and ready is not None and ready <= world.now:
            user = copy.account if world.switches.webhook_data_user == "named" else ""
            yield "portability.download.ready", user, ready, {"request_id": copy.request_id}


def _of_post(world: World, task: Task) -> Iterator[tuple[str, Mapping[str, Any]]]:
    state = task.state(world.now, world.switches)
    kind = PUBLISH_TYPES.get(task.mode, world.switches.webhook_publish_type)
    content = {"publish_id": task.publish_id, "publish_type": kind}
    if state.status == "FAILED":
        yield "post.publish.failed", {**content, "reason": state.fail_reason}
        return
    if task.mode == "MEDIA_UPLOAD" and state.status in {"SEND_TO_USER_INBOX", "PUBLISH_COMPLETE"}:
        yield "post.publish.inbox_delivered", content
    if state.status == "PUBLISH_COMPLETE":
        yield "post.publish.complete", content
        for post_id in state.post_ids:
            spelled = str(post_id) if world.switches.webhook_post_id == "string" else post_id
            yield "post.publish.publicly_available", {**content, "post_id": spelled}
