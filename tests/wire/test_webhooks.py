"""Webhooks: only the exact bytes that TikTok signed are accepted, and the event keeps all that they say."""

import hashlib
import hmac
import json
import pickle
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_core import App, errors
from tiktok_core.domain import events
from tiktok_core.events import StaleWebhook, UnknownEvent, WebhookRejected
from tiktok_core.wire.webhooks import LONGEST, verify_webhook

SECRET = "s3cr3t-client"
APP = App("awexample", SECRET, "https://app.example.com/callback/")
BODY = b'{"client_key":"awexample","event":"tiktok.ping"}'
SECONDS = 1_790_000_001
SIGNATURE = "f35cd44d2462bd4c3f0d159dc7d8b98fc774cc6be42e9ea0211d270d0ddd78ba"
NOW = datetime.fromtimestamp(SECONDS, UTC)


def sign(body: bytes, seconds: int = SECONDS, secret: str = SECRET) -> str:
    """Return the header for a body."""
    digest = hmac.new(secret.encode(), str(seconds).encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={seconds},s={digest}"


def spelled(event: str, content: Any, **envelope: Any) -> bytes:
    """Return the body of an event."""
    document = {"client_key": "awexample", "event": event, "create_time": 1_790_000_000, "user_openid": "-000a"}
    return json.dumps({**document, "content": json.dumps(content), **envelope}).encode()


def received(event: str, content: Any, **envelope: Any) -> events.Event:
    """Return the event of a signed body."""
    body = spelled(event, content, **envelope)
    return verify_webhook(APP, body, sign(body), now=NOW)


def test_the_published_vector_is_believed() -> None:
    """Key, time, body and signature were computed from the documents."""
    event = verify_webhook(APP, BODY, f"t={SECONDS},s={SIGNATURE}", now=NOW)
    assert isinstance(event, events.Ping)
    assert event.signed_at == event.created_at == NOW


POST = {"publish_id": "v_pub_url~v2.73", "publish_type": "DIRECT_POST"}


@pytest.mark.parametrize(
    ("name", "content", "expected", "fields"),
    [
        ("tiktok.ping", {"reason": "testing Webhook"}, events.Ping, {"reason": "testing Webhook"}),
        ("authorization.removed", {"reason": 1}, events.AuthorizationRemoved, {"reason": 1}),
        ("post.publish.failed", {**POST, "reason": "internal"}, events.PostFailed, {**POST, "reason": "internal"}),
        ("post.publish.complete", POST, events.PostComplete, POST),
        ("post.publish.inbox_delivered", POST, events.DraftDelivered, POST),
        ("post.publish.publicly_available", {**POST, "post_id": 7}, events.PostPublic, {**POST, "post_id": 7}),
        ("post.publish.publicly_available", {**POST, "post_id": "7"}, events.PostPublic, {"post_id": 7}),
        ("post.publish.no_longer_publicaly_available", {**POST, "post_id": 7}, events.PostNoLongerPublic, {"post_id": 7}),
        ("video.upload.failed", {"share_id": "x"}, events.VideoKitEvent, {"share_id": "x"}),
        ("video.publish.completed", {"share_id": "x"}, events.VideoKitEvent, {"share_id": "x"}),
        ("portability.download.ready", {"request_id": 2**53 + 1}, events.DownloadReady, {"request_id": 2**53 + 1}),
    ],
)  # fmt: skip
def test_each_documented_event_is_typed(
    name: str, content: dict[str, Any], expected: type[events.Event], fields: dict[str, Any]
) -> None:
    """The content, which is JSON in a string in JSON, is parsed, and the event also keeps it as it came."""
    event = received(name, content)
    assert type(event) is expected
    assert {field: getattr(event, field) for field in fields} == fields
    assert event.content == content
    assert (event.name, event.client_key, event.open_id) == (name, "awexample", "-000a")
    assert event.created_at == datetime.fromtimestamp(1_790_000_000, UTC)


def test_the_portals_test_event_is_read() -> None:
    """The time of this event is in milliseconds, and its account is a number."""
    event = received("tiktok.ping", {"reason": "testing Webhook"}, create_time=1_752_894_700_622, user_openid=12)
    assert event.created_at == datetime(2025, 7, 19, 3, 11, 40, 622000, tzinfo=UTC)
    assert event.open_id == "12"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("post.publish.renamed", {"a": 1}),
        ("post.publish.complete", {}),
        ("post.publish.complete", {"publish_id": None}),
        ("post.publish.publicly_available", {**POST, "post_id": [1]}),
        ("authorization.removed", {"reason": "because"}),
        ("portability.download.ready", {"request_id": True}),
        ("", {}),
    ],
)
def test_what_is_not_documented_is_kept(name: str, content: dict[str, Any]) -> None:
    """TikTok signed it, so it raises no error. A receiver that knows the event can read its content."""
    event = received(name, content)
    assert type(event) is UnknownEvent
    assert (event.name, event.content) == (name, content)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8), st.sampled_from(["event", "create_time", "user_openid", "content"]))  # fmt: skip
def test_no_value_in_the_envelope_upsets_the_reader(value: Any, field: str) -> None:
    """Any signed JSON object becomes an event with a key."""
    document = {**json.loads(spelled("post.publish.complete", POST)), field: value}
    body = json.dumps(document).encode()
    event = verify_webhook(APP, body, sign(body), now=NOW)
    assert len(event.key) == 64


def test_row_35_a_repeated_event_has_the_same_key_and_another_has_another() -> None:
    """The signature of the repetition may be much later. An event that differs in anything has another key."""
    body = spelled("post.publish.complete", POST)
    later = verify_webhook(APP, body, sign(body, SECONDS + 200), now=NOW)
    assert later.key == received("post.publish.complete", POST).key
    others = [
        received("post.publish.failed", POST),
        received("post.publish.complete", {**POST, "publish_id": "v_pub_url~v2.74"}),
        received("post.publish.complete", POST, user_openid="-000b"),
        received("post.publish.complete", POST, create_time=1_790_000_001),
    ]
    assert len({event.key for event in (later, *others)}) == 5


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), st.lists, max_leaves=4)
NO_JSON = st.sampled_from(["hello", "bye", "{", "[1,", "NaN,", ""])
CONTENT = st.one_of(JSON.map(json.dumps), st.dictionaries(st.text(max_size=3), JSON).map(json.dumps), NO_JSON)


def said(text: str) -> Any:
    """Return what a content says: the JSON in it, or the content itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


@given(st.sampled_from(["new.event", "post.publish.complete", "tiktok.ping"]), CONTENT, CONTENT)
def test_a_key_tells_what_was_said(name: str, one: str, other: str) -> None:
    """Two events have the same key exactly if they say the same, with content of any kind. The event keeps all of it."""
    bodies = [json.dumps({**json.loads(spelled(name, {})), "content": text}).encode() for text in (one, other)]
    first, second = (verify_webhook(APP, body, sign(body), now=NOW) for body in bodies)
    assert first.content == said(one)
    assert (first.key == second.key) == (
        json.dumps(said(one), sort_keys=True) == json.dumps(said(other), sort_keys=True)
    )
    assert isinstance(first.content, dict) or type(first) is UnknownEvent


@pytest.mark.parametrize("create_time", [None, "1790000000", 1_790_000_000, [1], True])
def test_a_repeated_event_has_the_same_key_however_its_time_is_given(create_time: Any) -> None:
    """Without a readable time the event has the delivery's, and the key does not contain it."""
    body = spelled("tiktok.ping", {"reason": "x"}, create_time=create_time)
    first, second = (
        verify_webhook(APP, body, sign(body, SECONDS + late), now=NOW + timedelta(seconds=late)) for late in (0, 200)
    )
    assert first.key == second.key
    assert first.key != received("tiktok.ping", {"reason": "x"}, create_time=1_790_000_001).key


@pytest.mark.parametrize("tolerance", [float("nan"), float("inf"), float("-inf"), -1.0])
def test_a_tolerance_is_a_length_of_time(tolerance: float) -> None:
    """A tolerance that is none would accept every webhook, so it is refused."""
    with pytest.raises(errors.InvalidInput, match="tolerance"):
        verify_webhook(APP, BODY, f"t={SECONDS},s={SIGNATURE}", now=NOW, tolerance=tolerance)


def test_a_tolerance_may_be_longer_than_any_time_there_is() -> None:
    """A receiver that keeps keys for ever may accept an event of any age."""
    late = NOW + timedelta(days=36_500)
    assert verify_webhook(APP, BODY, f"t={SECONDS},s={SIGNATURE}", now=late, tolerance=1e300).name == "tiktok.ping"


def test_signatures_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the standard library's function for this compares them, and its result alone decides."""
    asked: list[tuple[bytes, bytes]] = []

    def compare(one: bytes, other: bytes) -> bool:
        asked.append((one, other))
        return answer

    monkeypatch.setattr(hmac, "compare_digest", compare)
    answer = False
    with pytest.raises(WebhookRejected, match="signature"):
        verify_webhook(APP, BODY, f"t={SECONDS},s={SIGNATURE}", now=NOW)
    answer = True
    assert verify_webhook(APP, BODY, f"t={SECONDS},s={'0' * 64}", now=NOW).name == "tiktok.ping"
    assert asked == [(SIGNATURE.encode(),) * 2, (SIGNATURE.encode(), b"0" * 64)]


@pytest.mark.parametrize("offset", [-300, -1, 0, 1, 300])
def test_the_time_may_differ_by_the_tolerance_either_way(offset: int) -> None:
    """Clocks differ, and a delivery takes time."""
    assert verify_webhook(APP, BODY, f"t={SECONDS},s={SIGNATURE}", now=NOW + timedelta(seconds=offset)).name


def test_row_35_an_old_one_is_stale_and_carries_its_event() -> None:
    """TikTok repeats for 72 hours and may not sign again. A receiver that stores keys may still use the event."""
    with pytest.raises(StaleWebhook, match="301 s ago") as raised:
        verify_webhook(APP, BODY, f"t={SECONDS},s={SIGNATURE}", now=NOW + timedelta(seconds=301))
    assert isinstance(raised.value.event, events.Ping)
    again = pickle.loads(pickle.dumps(raised.value))
    assert (again.event.key, str(again)) == (raised.value.event.key, str(raised.value))
    assert verify_webhook(APP, BODY, f"t={SECONDS},s={SIGNATURE}", now=NOW + timedelta(hours=72), tolerance=72 * 3600)


def test_row_35_one_from_the_future_is_rejected() -> None:
    """The error has no event: either a clock is wrong, or an attacker prepared a signature."""
    with pytest.raises(WebhookRejected, match="has not come") as raised:
        verify_webhook(APP, BODY, f"t={SECONDS},s={SIGNATURE}", now=NOW - timedelta(seconds=301))
    assert not isinstance(raised.value, StaleWebhook)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "t=1",
        f"s={SIGNATURE}",
        f"t={SECONDS},s={SIGNATURE},s={SIGNATURE}",
        f"t={SECONDS},t={SECONDS},s={SIGNATURE}",
        f"t={SECONDS},s={SIGNATURE}, t={SECONDS},s={SIGNATURE}",
        f"t={SECONDS},s={SIGNATURE.upper()}",
        f"t={SECONDS},s={SIGNATURE[:-1]}",
        f"t={SECONDS},s={SIGNATURE}0",
        f"t={SECONDS},s={'ä' * 64}",
        f"t=+{SECONDS},s={SIGNATURE}",
        f"t={SECONDS}.0,s={SIGNATURE}",
        f"t=١٧٩٠٠٠٠٠٠١,s={SIGNATURE}",
        f"t={'9' * 5000},s={SIGNATURE}",
        f"t={SECONDS + 1},s={SIGNATURE}",
        f"T={SECONDS},S={SIGNATURE}",
        "t=,s=",
        "\ud800",
    ],
)
def test_row_35_a_forged_header_is_rejected(header: str | None) -> None:
    """Any other header raises one typed error."""
    with pytest.raises(WebhookRejected):
        verify_webhook(APP, BODY, header, now=NOW)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        BODY + b"\n",
        BODY[:-1],
        json.dumps(json.loads(BODY)).encode(),
        BODY.decode().encode("utf-16"),
        b"\xff" + BODY,
        bytes(LONGEST + 1),
    ],
)
def test_row_35_changed_bytes_are_rejected(body: bytes) -> None:
    """Even bytes that mean the same are rejected: TikTok signed bytes."""
    with pytest.raises(WebhookRejected):
        verify_webhook(APP, body, f"t={SECONDS},s={SIGNATURE}", now=NOW)


@pytest.mark.parametrize("body", [b"[]", b"1", b"{", b"\xff\xfe", b"[" * 100_000, b"{}", b'{"client_key":"other"}'])
def test_what_is_signed_and_no_webhook_of_this_app_is_rejected(body: bytes) -> None:
    """Two apps never have the same secret, but an app and its sandbox may."""
    with pytest.raises(WebhookRejected):
        verify_webhook(APP, body, sign(body), now=NOW)


def test_a_text_for_a_body_is_a_mistake_of_the_caller() -> None:
    """If a framework decodes first, only some bodies would fail. Here all of them fail."""
    with pytest.raises(TypeError, match="bytes"):
        verify_webhook(APP, BODY.decode(), sign(BODY), now=NOW)  # type: ignore[arg-type]


def test_the_errors_show_no_secret_and_nothing_of_the_body() -> None:
    """The error tells a forger what is missing, and nothing more."""
    for body, header in ((BODY, None), (BODY, f"t={SECONDS},s={'0' * 64}"), (b"canary", sign(b"canary"))):
        with pytest.raises(errors.WebhookRejected) as raised:
            verify_webhook(APP, body, header, now=NOW)
        assert SECRET not in str(raised.value)
        assert "canary" not in repr(raised.value)


@pytest.mark.parametrize("signature", [b"t=1,s=0", 7, ["t=1"]])
def test_a_signature_that_is_no_text_is_named(signature: Any) -> None:
    """The mistake is a `TypeError` with a clear sentence, as for a body that is no bytes."""
    with pytest.raises(TypeError, match="text of the header"):
        verify_webhook(APP, BODY, signature, now=NOW)


@pytest.mark.parametrize("create_time", [10**400, -(10**400), 1e300, -1e300, 10**12 * 9_999])
def test_a_time_out_of_range_is_the_signatures(create_time: Any) -> None:
    """The reader does not guess at a time that no calendar has."""
    assert received("tiktok.ping", {}, create_time=create_time).created_at == NOW
