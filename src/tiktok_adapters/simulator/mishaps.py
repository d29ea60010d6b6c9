"""The effect of a fault on one request: before the request is handled, and on its answer.

What belongs here: acting on a `faults.Fault`. The module `faults` explains the vocabulary.
"""

import json
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from attrs import evolve

from tiktok_adapters.simulator.answers import (
    API_CODES,
    OAuthRefused,
    Refused,
    data_refusal,
    oauth_refusal,
    plain,
    refusal,
)
from tiktok_adapters.simulator.calls import Call
from tiktok_adapters.simulator.faults import OAUTH, POST_FAULTS, Fault
from tiktok_adapters.simulator.uploads import find, put_partly
from tiktok_adapters.simulator.world import World
from tiktok_adapters.transports.fake import ConnectionDropped, DelayedResponse
from tiktok_core.wire.http import Response

__all__ = ["after", "before"]

FOREIGN_HOST: Final = "https://uploads.example.net"
GARBAGE: Final = b"<html><body>\x00 upstream says: \xff\xfe</body></html>"
_SAID_WITH_200: Final = frozenset(
    {"spam_risk_too_many_posts", "spam_risk_user_banned_from_posting", "reached_active_user_cap"}
)


def before(world: World, call: Call, operation: str, fault: Fault) -> Response | None:
    """Apply a fault before the request is handled. If this returns an answer, the request is not handled.

    Raises:
        ConnectionDropped: the connection is lost.
    """
    match fault.what:
        case "unreachable":
            raise ConnectionDropped(sent=False, reason="no connection could be made")
        case "drop-before":
            raise ConnectionDropped(sent=True, reason="the connection was dropped before an answer")
        case "drop-at":
            received = min(int(fault.detail), call.request.content_length)
            put_partly(world, call, received)
            raise ConnectionDropped(sent=True, reason=f"the connection was dropped after {received} bytes")
        case "status":
            return plain("" if operation == "put" else f"{fault.detail}\n", int(fault.detail))
        case "redirect":
            return plain("", 307, {"location": fault.detail})
        case "code":
            return _refused(world, operation, fault.detail)
        case "expire":
            _expire(world, call, operation)
    return None


def after(world: World, fault: Fault, response: Response, begun: str | None) -> Response:
    """Apply a fault to the answer, or to the post with the id `begun` that the request began.

    Raises:
        ConnectionDropped: the answer is lost.
    """
    if fault.what in POST_FAULTS and begun is not None:
        world.tasks[begun].script.follow(fault.what, fault.detail)
    match fault.what:
        case "drop-after":
            raise ConnectionDropped(sent=True, reason="the answer was lost")
        case "truncate":
            # The answer keeps the length of the whole body, so that the transport can see that the body is cut.
            headers = {**response.headers, "content-length": str(max(1, len(response.body)))}
            return evolve(response, headers=headers, body=response.body[: len(response.body) // 2])
        case "garbage":
            return Response(200, {"content-type": "text/html"}, GARBAGE)
        case "slow":
            return DelayedResponse(response.status, response.headers, response.body, float(fault.detail))
        case "foreign-upload-host":
            return _elsewhere(response)
    return response


def _refused(world: World, operation: str, detail: str) -> Response:
    code, _, status = detail.partition("@")
    if operation in OAUTH:
        flat = oauth_refusal(OAuthRefused(code, "The request was refused."), world.switches, world.log_id())
        return evolve(flat, status=int(status)) if status else flat
    gentle = operation == "creator_info" and code in _SAID_WITH_200
    documented = 200 if gentle else API_CODES.get(code, 400)
    refused = Refused(code, status=int(status) if status else documented)
    if operation.startswith("data_"):
        return data_refusal(refused, world.switches, world.log_id(), spelling=code)
    return refusal(refused, world.switches, world.log_id(), spelling=code)


def _expire(world: World, call: Call, operation: str) -> None:
    long_ago = world.now - timedelta(seconds=1)
    if operation == "put":
        task = find(world, call)
        if task is not None and task.upload is not None:
            task.upload.expires_at = long_ago
    elif token := world.tokens.get(call.bearer()):
        token.expires_at = long_ago


def _elsewhere(response: Response) -> Response:
    try:
        document = json.loads(response.body)
        parts = urlsplit(document["data"]["upload_url"])
    except (ValueError, LookupError, TypeError):
        return response  # the init was refused, or another fault has changed its answer
    document["data"]["upload_url"] = f"{FOREIGN_HOST}{parts.path}?{parts.query}"
    return evolve(response, body=json.dumps(document).encode())
