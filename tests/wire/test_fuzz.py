"""Any answer gives a value or a typed error, and the error does not show the body."""

import json
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from tiktok_core.domain.app import Endpoints
from tiktok_core.domain.tokens import Secret, Tokens
from tiktok_core.errors import TikTokError, UnexpectedResponse
from tiktok_core.wire.display import read_user_info, read_videos
from tiktok_core.wire.envelope import open_envelope
from tiktok_core.wire.http import Request, Response
from tiktok_core.wire.oauth import read_client_token, read_qr_answer, read_qr_code, read_revoked, read_tokens
from tiktok_core.wire.portability import ArchiveReader, read_data_request, read_request_id
from tiktok_core.wire.publishing import read_begun, read_chunk_answer, read_creator_info, read_publication
from tiktok_core.wire.pulled import read_pulled
from tiktok_core.wire.records import dump_tokens, load_tokens

REQUEST = Request(method="POST", url="https://open.tiktokapis.com/v2/x/")
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def read_archive(request: Request, response: Response) -> int:
    """Read an answer to a download, as it streams through."""
    reader = ArchiveReader(BytesIO)
    sink = reader.sink(response)
    if sink is None:
        return reader.read(request, response)
    sink.write(response.body)
    return reader.read(request, Response(response.status, response.headers))


READERS: dict[str, Callable[[Request, Response], object]] = {
    "creator info": read_creator_info,
    "upload ticket": lambda request, response: read_begun(request, response, Endpoints(), uploads=True),
    "pull ticket": lambda request, response: read_begun(request, response, Endpoints(), uploads=False),
    "publication": lambda request, response: read_publication(request, response, "p"),
    "profile": read_user_info,
    "videos": read_videos,
    "data request's id": read_request_id,
    "data request": read_data_request,
    "archive": read_archive,
    "plain success": open_envelope,
    "QR code": lambda request, response: read_qr_code(request, response, Secret("ticket"), (), NOW),
    "QR code's status": read_qr_answer,
    "app's token": lambda request, response: read_client_token(request, response, NOW),
    "tokens": lambda request, response: read_tokens(request, response, NOW),
    "revocation": read_revoked,
    "chunk": read_chunk_answer,
    "media server": read_pulled,
}
readers = pytest.mark.parametrize("read", READERS.values(), ids=READERS)

NAMES = st.sampled_from(
    [
        "data",
        "error",
        "code",
        "message",
        "log_id",
        "logid",
        "user",
        "status",
        "fail_reason",
        "publicaly_available_post_id",
        "uploaded_bytes",
        "open_id",
        "publish_id",
        "upload_url",
        "access_token",
        "refresh_token",
        "expires_in",
        "refresh_expires_in",
        "scope",
        "error_description",
        "privacy_level_options",
        "comment_disabled",
        "max_video_post_duration_sec",
        "follower_count",
        "is_verified",
        "videos",
        "id",
        "create_time",
        "cursor",
        "has_more",
        "request_id",
        "data_format",
        "category_selection_list",
        "apply_time",
        "collect_time",
        "token",
        "scan_qrcode_url",
        "client_ticket",
        "redirect_uri",
    ]
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.sampled_from(["ok", "FAILED", "https://x.tiktokapis.com/", "", "-1", "1e9", 10**400, -1, 0])
    | st.text(st.characters(exclude_categories=()), max_size=10)
)
DOCUMENTS = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5), max_leaves=12
)
VALUES = LEAVES | st.lists(LEAVES, max_size=3) | st.dictionaries(NAMES, LEAVES, max_size=2)
HEADERS = st.dictionaries(st.sampled_from(["x-tt-logid", "retry-after", "date", "content-range"]), st.text(max_size=20))
STATUSES = st.sampled_from([200, 201, 204, 206, 301, 307, 400, 401, 403, 404, 416, 429, 500, 503]) | st.integers(
    100, 599
)


def outcome(read: Callable[[Request, Response], object], response: Response) -> TikTokError | None:
    """Read an answer. Anything but a value or a typed error fails the test."""
    try:
        read(REQUEST, response)
    except TikTokError as error:
        return error
    return None


@given(st.binary(max_size=400), STATUSES, HEADERS)
def test_any_bytes_end_in_a_value_or_a_typed_error(body: bytes, status: int, headers: dict[str, str]) -> None:
    """No bytes, status or headers raise an error that `except TikTokError` would miss."""
    for read in READERS.values():
        outcome(read, Response(status, headers, body))


@given(DOCUMENTS, STATUSES)
def test_any_json_ends_in_a_value_or_a_typed_error(document: object, status: int) -> None:
    """No JSON of any shape raises an error that `except TikTokError` would miss."""
    for read in READERS.values():
        outcome(read, Response(status, {}, json.dumps(document).encode()))


@given(st.dictionaries(NAMES, VALUES, max_size=8), st.dictionaries(NAMES, VALUES, max_size=8), STATUSES)
def test_any_fields_in_a_good_envelope_are_a_value_or_typed(
    data: dict[str, Any], beside: dict[str, Any], status: int
) -> None:
    """Right names with wrong values, beside `ok`, raise no other error either."""
    document = {**beside, "data": {"status": "FAILED", "user": data, "videos": [data], **data}, "error": {"code": "ok"}}
    for read in READERS.values():
        outcome(read, Response(status, {}, json.dumps(document).encode()))
        outcome(read, Response(status, {}, json.dumps({**document, "error": None}).encode()))


@readers
@given(st.integers(0, 1_000), st.sampled_from([b"", b"<html>", b"{", b"[", b"\x00"]), STATUSES)
def test_a_body_is_quoted_by_its_first_two_hundred_bytes_at_most(
    read: Callable[[Request, Response], object], length: int, start: bytes, status: int
) -> None:
    """Message and traceback have at most 200 bytes of an unreadable answer."""
    error = outcome(read, Response(status, {}, start + b"@ " * length))
    if error is not None:
        assert str(error).count("@") <= 100
        assert "".join(traceback.format_exception(error)).count("@") <= 100


@readers
def test_what_stands_behind_the_excerpt_never_shows(read: Callable[[Request, Response], object]) -> None:
    """No error shows a secret at the end of a long page."""
    error = outcome(read, Response(404, {}, b"<p> " * 50 + b"canary"))
    assert error is None or isinstance(error, UnexpectedResponse)
    assert "canary" not in str(error)


TIMES = st.datetimes(
    datetime(1971, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    datetime(9000, 1, 1),  # noqa: DTZ001 - here too
    timezones=st.timezones(),
)
TOKENS = st.builds(
    Tokens,
    open_id=st.text(),
    access_token=st.text().map(Secret),
    refresh_token=st.text().map(Secret),
    scope=st.lists(st.text(), max_size=3).map(tuple),
    issued_at=TIMES,
    expires_at=TIMES,
    refresh_expires_at=TIMES,
)


@given(TOKENS)
def test_tokens_survive_their_record(tokens: Tokens) -> None:
    """A store returns the same tokens, to the microsecond, for any time zone."""
    back = load_tokens(dump_tokens(tokens))
    utc = {name: getattr(tokens, name).astimezone(UTC) for name in ("issued_at", "expires_at", "refresh_expires_at")}
    assert back == evolve(tokens, **utc)
    assert back.expires_at.tzinfo is UTC


RECORD: dict[str, Any] = {
    "version": 1,
    "open_id": "-000",
    "access_token": "act.canary",
    "refresh_token": "rft.canary",
    "scope": ["a"],
    "issued_at": "2026-11-22T00:00:00+00:00",
    "expires_at": "2026-11-23T00:00:00+00:00",
    "refresh_expires_at": "2027-11-22T00:00:00+00:00",
}


@pytest.mark.parametrize("name", RECORD)
@pytest.mark.parametrize("damage", [None, "canary", 17, ["canary", 1], {"canary": 1}, "0001-01-01T00:00:00+23:59", 1.5])
def test_a_damaged_record_is_refused_without_quoting_it(name: str, damage: object) -> None:
    """The reader finds one damaged field. The message names the kind of damage, and not the content."""
    if isinstance(damage, str) and name in ("open_id", "access_token", "refresh_token"):
        assert load_tokens(json.dumps({**RECORD, name: damage}).encode()).scope == ("a",)
        return
    for document in ({**RECORD, name: damage}, {key: value for key, value in RECORD.items() if key != name}):
        with pytest.raises(ValueError, match="record") as caught:
            load_tokens(json.dumps(document).encode())
        assert "canary" not in "".join(traceback.format_exception(caught.value))


def test_a_naive_time_is_damage_and_a_newer_version_is_named() -> None:
    """A time without a zone could mean any hour. For a record of another release the error names its version."""
    with pytest.raises(ValueError, match="damaged"):
        load_tokens(json.dumps({**RECORD, "issued_at": "2026-11-22T00:00:00"}).encode())
    with pytest.raises(ValueError, match="version 2, this release reads version 1"):
        load_tokens(json.dumps({**RECORD, "version": 2}).encode())


@given(st.binary() | DOCUMENTS.map(lambda document: json.dumps(document).encode()))
def test_any_record_is_read_or_refused(record: bytes) -> None:
    """Any bytes from a disk raise only the documented error."""
    with pytest.raises(ValueError, match="record"):
        load_tokens(record)


@pytest.mark.parametrize("record", [b"[" * 100_000, b'{"version":' + b"9" * 10_000 + b"}", b"", b"\xff\xfe"])
def test_hostile_records_are_damage(record: bytes) -> None:
    """Deep nesting, giant numbers and empty files are damage like any other."""
    with pytest.raises(ValueError, match="damaged record"):
        load_tokens(record)
