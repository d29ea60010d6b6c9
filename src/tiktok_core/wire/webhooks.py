"""The format of webhooks: the signature over the raw bytes, the envelope, and the JSON within its JSON.

Sources: developers.tiktok.com/doc/webhooks-verification, /doc/webhooks-events. The library checks the signature of the bytes
before it reads anything in them.
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from math import inf
from typing import Any, Final

from tiktok_core.domain.app import App
from tiktok_core.domain.events import (
    AuthorizationRemoved,
    DownloadReady,
    DraftDelivered,
    Event,
    Ping,
    PostComplete,
    PostFailed,
    PostNoLongerPublic,
    PostPublic,
    UnknownEvent,
    VideoKitEvent,
)
from tiktok_core.errors import InvalidInput, Problem, StaleWebhook, WebhookRejected
from tiktok_core.wire.reading import Unreadable, json_value, plain, whole_number, word

__all__ = ["LONGEST", "SIGNATURE_HEADER", "TOLERANCE", "verify_webhook"]

SIGNATURE_HEADER: Final = "TikTok-Signature"
"""The header of a webhook request whose value to pass to `verify_webhook` as `signature`."""
TOLERANCE: Final = 300.0
"""The default tolerance in seconds. TikTok lets the receiver choose it."""
LONGEST: Final = 1 << 20
"""Bytes of the longest accepted body. A receiver needs to read at most one byte more than this."""
SIGNATURE: Final = re.compile(r"t=(?P<time>[0-9]{1,11}),s=(?P<signature>[0-9a-f]{64})", re.ASCII)
MILLISECONDS: Final = 10**11
"""Times from this figure on are in milliseconds, as in the portal's test event."""
LATEST: Final = datetime(9999, 1, 1, tzinfo=UTC)


def verify_webhook(
    app: App, body: bytes, signature: str | None, *, now: datetime, tolerance: float = TOLERANCE
) -> Event:
    """Check that TikTok signed a webhook, and return its event.

    Args:
        app: the app, with whose client secret TikTok signs.
        body: the request's body, byte for byte as it came.
        signature: the header `TikTok-Signature`.
        now: when the webhook came, as an aware `datetime`.
        tolerance: seconds by which the signature's time may lie before or after `now`.

    Raises:
        WebhookRejected: TikTok did not sign these bytes for this app, or the signature's time lies in the future.
        StaleWebhook: TikTok signed it longer ago than the tolerance; the error carries the event.
        InvalidInput: the tolerance is negative or not a finite number.
        TypeError: the body is not bytes, or the signature is not a string.
    """
    if not 0 <= tolerance < inf:
        # NaN fails every comparison, so every webhook would pass.
        raise InvalidInput((Problem("tolerance", f"must be a number of seconds, not {tolerance}"),))
    if not isinstance(body, bytes):
        raise TypeError("the body must be the bytes that came: decoding and encoding again may change them")
    if signature is not None and not isinstance(signature, str):
        raise TypeError("the signature must be the text of the header: if it came as bytes, decode it as Latin-1")
    if len(body) > LONGEST:
        raise WebhookRejected(f"its body is longer than {LONGEST:,} bytes")
    seconds, signed = _parts(signature)
    if not _is_signed(app, f"{seconds}.".encode() + body, signed):
        raise WebhookRejected("its signature is not TikTok's for this app and these bytes")
    signed_at = _moment(int(seconds)) or LATEST
    event = _event(app, body, signed_at)
    age = (now - signed_at).total_seconds()
    if -age > tolerance:
        raise WebhookRejected("its signature is for a time that has not come; is this machine's clock right?")
    if age > tolerance:
        raise StaleWebhook(f"it was signed {age:.0f} s ago", event)
    return event


def _is_signed(app: App, content: bytes, signed: str) -> bool:
    # In one expression, so that no variable holds the secret, nor the signature that a forged webhook would need.
    return hmac.compare_digest(
        hmac.new(app.client_secret.reveal().encode("utf-8", "surrogatepass"), content, hashlib.sha256)
        .hexdigest()
        .encode(),
        signed.encode(),
    )


def _parts(signature: str | None) -> tuple[str, str]:
    """Return the time and the signature of the header."""
    if not signature:
        raise WebhookRejected(f"it has no {SIGNATURE_HEADER}")
    found = SIGNATURE.fullmatch(signature)
    if found is None:
        # The format is strict: with repeated parts, or two joined headers, it would be unclear which one counts.
        raise WebhookRejected(f"its {SIGNATURE_HEADER} is not t=<seconds>,s=<64 hexadecimal digits>")
    return found["time"], found["signature"]


def _event(app: App, body: bytes, signed_at: datetime) -> Event:
    document = _object(body)
    if document is None:
        raise WebhookRejected("its body is not a JSON object")
    client_key = document.get("client_key")
    if client_key != app.client_key:
        raise WebhookRejected("it is for another app")
    content, name = _content(document.get("content")), _text(document.get("event"))
    envelope: dict[str, Any] = {
        "name": name,
        "client_key": app.client_key,
        "open_id": _text(document.get("user_openid")),
        "created_at": _moment(document.get("create_time")) or signed_at,
        "signed_at": signed_at,
        "content": content,
        "create_time": document.get("create_time"),
    }
    try:
        if isinstance(content, dict):
            return EVENTS[name](envelope, content)
    except (KeyError, ValueError):
        pass
    return UnknownEvent(**envelope)


def _object(text: bytes) -> dict[str, Any] | None:
    try:
        document = json_value(text)
    except Unreadable:
        return None
    return document if isinstance(document, dict) else None


def _content(said: Any) -> Any:
    """Return the value of the JSON within the JSON. Return a text that is not JSON unchanged, for a receiver that knows it."""
    if said is None:
        return {}
    try:
        return json_value(said) if isinstance(said, str) else said
    except Unreadable:
        return said


def _moment(number: object) -> datetime | None:
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        return None
    try:
        return datetime.fromtimestamp(number / 1000 if abs(number) >= MILLISECONDS else number, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _text(value: object) -> str:
    return plain(value if isinstance(value, str) else "" if value is None or isinstance(value, bool) else str(value))


def _number(content: Mapping[str, Any], name: str) -> int:
    """Return an id: a 64-bit number, which may come as a number or as a string."""
    return whole_number(content[name])


def _word(content: Mapping[str, Any], name: str) -> str:
    if not (text := word(content[name])):
        raise ValueError(name)
    return text


def _post(content: Mapping[str, Any]) -> dict[str, Any]:
    return {"publish_id": _word(content, "publish_id"), "publish_type": _text(content.get("publish_type"))}


Envelope = Mapping[str, Any]
EVENTS: Final[Mapping[str, Callable[[Envelope, Mapping[str, Any]], Event]]] = {
    "tiktok.ping": lambda envelope, said: Ping(**envelope, reason=_text(said.get("reason"))),
    "authorization.removed": lambda envelope, said: AuthorizationRemoved(**envelope, reason=_number(said, "reason")),
    "post.publish.failed": lambda envelope, said: PostFailed(
        **envelope, **_post(said), reason=_text(said.get("reason"))
    ),
    "post.publish.complete": lambda envelope, said: PostComplete(**envelope, **_post(said)),
    "post.publish.inbox_delivered": lambda envelope, said: DraftDelivered(**envelope, **_post(said)),
    "post.publish.publicly_available": lambda envelope, said: PostPublic(
        **envelope, **_post(said), post_id=_number(said, "post_id")
    ),
    # TikTok spells it so.
    "post.publish.no_longer_publicaly_available": lambda envelope, said: PostNoLongerPublic(
        **envelope, **_post(said), post_id=_number(said, "post_id")
    ),
    "video.upload.failed": lambda envelope, said: VideoKitEvent(**envelope, share_id=_word(said, "share_id")),
    "video.publish.completed": lambda envelope, said: VideoKitEvent(**envelope, share_id=_word(said, "share_id")),
    "portability.download.ready": lambda envelope, said: DownloadReady(
        **envelope, request_id=_number(said, "request_id")
    ),
}
