"""Answers: the documents' examples, and every odd answer that was seen beside them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_core.domain.app import Endpoints
from tiktok_core.domain.tokens import Secret
from tiktok_core.errors import ForeignUploadHost, PostingRefused, UnexpectedResponse
from tiktok_core.wire.display import read_user_info
from tiktok_core.wire.envelope import log_id_within, open_envelope, read_json
from tiktok_core.wire.http import MAX_RESPONSE, Request, Response
from tiktok_core.wire.publishing import read_begun, read_chunk_answer, read_creator_info, read_publication

REQUEST = Request(method="POST", url="https://open.tiktokapis.com/v2/x/")
TIKTOK = Endpoints()
UPLOAD_URL = "https://open-upload.tiktokapis.com/video/?upload_id=7300000000000000001&upload_token=1111"
POST_ID = 7_300_000_000_000_000_099


def ok(data: object, **extra: object) -> Response:
    """Return a success of the v2 API with this data."""
    error = {"code": "ok", "message": "", "log_id": "20260911"}
    return Response(200, {}, json.dumps({"data": data, "error": error, **extra}).encode())


@pytest.mark.parametrize("body", [b'{"error":{"code":"ok"}}', b'{"data":null,"error":{"code":"ok","message":null}}'])
def test_absent_data_is_empty(body: bytes) -> None:
    """Success may come without data, or with null, or with a byte order mark."""
    assert open_envelope(REQUEST, Response(200, {}, body)) == {}
    assert open_envelope(REQUEST, Response(200, {}, b"\xef\xbb\xbf" + body)) == {}


@pytest.mark.parametrize("data", [[], "x", 5, True])
def test_data_is_an_object(data: object) -> None:
    """The reader refuses data of another kind."""
    with pytest.raises(UnexpectedResponse, match="its data is not an object"):
        open_envelope(REQUEST, ok(data))


@pytest.mark.parametrize(
    ("document", "headers", "log_id"),
    [
        ({"error": {"log_id": "A", "logid": "B"}}, {"x-tt-logid": "H"}, "A"),
        ({"error": {"logid": "B"}, "log_id": "C"}, {}, "B"),
        ({"error": {}, "log_id": "C"}, {"x-tt-logid": "H"}, "C"),
        ({"error": {"log_id": ""}}, {"x-tt-logid": "H"}, "H"),
        ({"error": {"log_id": 17}}, {}, "17"),
        ({"error": {"log_id": None}}, {}, ""),
    ],
)
def test_the_log_id_is_found_wherever_it_stands(document: dict[str, Any], headers: dict[str, str], log_id: str) -> None:
    """The log id has two spellings and two places, and may be in the header."""
    document["error"]["code"] = "spam_risk"
    answer = Response(200, headers, json.dumps(document).encode())
    with pytest.raises(PostingRefused) as caught:
        open_envelope(REQUEST, answer)
    assert caught.value.log_id == log_id_within(answer) == log_id


@pytest.mark.parametrize(
    ("body", "log_id"),
    [
        (b'{"error": "invalid_grant", "error_description": "x", "log_id": "FLAT"}', "FLAT"),
        (b'{"data": {"log_id": "INNER"}, "error": {"code": "ok", "log_id": "OK"}}', "OK"),
        (b'{"access_token": "act.x", "log_id": ["no text"]}', "H"),
        (b"null", "H"),
        (b'["log_id"]', "H"),
        (b"<html>502</html>", "H"),
        (b"", "H"),
        (b'{"log_id": "B"}' + b" " * MAX_RESPONSE, "H"),
    ],
)
def test_the_log_id_of_any_answer_is_found_for_the_log(body: bytes, log_id: str) -> None:
    """A success and an OAuth answer have one, too. Where the body has none, or is no document, the header counts."""
    assert log_id_within(Response(200, {"x-tt-logid": "H"}, body)) == log_id


@given(st.binary(max_size=50) | st.text().map(lambda text: json.dumps({"error": {"log_id": text}}).encode()))
def test_a_log_id_is_one_line_of_any_answer(body: bytes) -> None:
    """Looking for it never fails, whatever the answer is."""
    assert log_id_within(Response(200, {}, body)).isprintable()


def test_the_documents_creator_info_is_read() -> None:
    """The reader reads every documented field, and takes the levels as data."""
    info = read_creator_info(
        REQUEST,
        ok(
            {
                "creator_avatar_url": "https://lf16-tt4d.tiktokcdn.com/obj/example/avatar.jpg",
                "creator_username": "maker_one",
                "creator_nickname": "Maker One",
                "privacy_level_options": ["PUBLIC_TO_EVERYONE", "A_NEW_LEVEL", "SELF_ONLY"],
                "comment_disabled": False,
                "duet_disabled": False,
                "stitch_disabled": True,
                "max_video_post_duration_sec": 300,
                "something_new": {"x": [1]},
            }
        ),
    )
    assert info.privacy_level_options == ("PUBLIC_TO_EVERYONE", "A_NEW_LEVEL", "SELF_ONLY")
    assert (info.creator_nickname, info.stitch_disabled, info.max_video_post_duration_sec) == ("Maker One", True, 300)


def test_a_creator_info_may_lack_everything() -> None:
    """Missing and null fields get their defaults, and similar types are read."""
    assert read_creator_info(REQUEST, ok({})) == read_creator_info(REQUEST, ok({"creator_nickname": None}))
    info = read_creator_info(
        REQUEST,
        ok(
            {
                "privacy_level_options": "SELF_ONLY",
                "max_video_post_duration_sec": "600",
                "duet_disabled": 1,
                "creator_username": 4711,
            }
        ),
    )
    assert (info.privacy_level_options, info.max_video_post_duration_sec) == (("SELF_ONLY",), 600)
    assert (info.duet_disabled, info.creator_username) == (True, "4711")


@pytest.mark.parametrize(
    "data",
    [
        {"creator_username": ["x"]},
        {"creator_username": True},
        {"comment_disabled": "yes"},
        {"comment_disabled": 2},
        {"max_video_post_duration_sec": "long"},
        {"max_video_post_duration_sec": 1.5},
        {"max_video_post_duration_sec": True},
        {"privacy_level_options": [["x"]]},
        {"privacy_level_options": {"x": 1}},
    ],
)
def test_fields_of_a_foreign_type_are_refused_without_quoting_them(data: dict[str, object]) -> None:
    """A value of another type is an unexpected answer."""
    with pytest.raises(UnexpectedResponse, match="fields of CreatorInfo") as caught:
        read_creator_info(REQUEST, ok(data))
    assert caught.value.__cause__ is None


def test_the_documents_tickets_are_read() -> None:
    """An upload has an id and a URL, letter by letter. A pull has an id, and the reader ignores any URL beside it."""
    data = {"publish_id": "v_pub_file~v2-1.7300000000000000001", "upload_url": UPLOAD_URL}
    ticket = read_begun(REQUEST, ok(data), TIKTOK, uploads=True)
    assert (ticket.publish_id, ticket.upload_url) == (data["publish_id"], Secret(UPLOAD_URL))
    pulled = read_begun(REQUEST, ok({**data, "upload_url": "http://evil.example/"}), TIKTOK, uploads=False)
    assert (pulled.publish_id, pulled.upload_url) == (data["publish_id"], None)


@pytest.mark.parametrize("data", [{}, {"publish_id": ""}, {"publish_id": None}, {"upload_url": UPLOAD_URL}])
def test_a_ticket_has_an_id(data: dict[str, object]) -> None:
    """Without a publish id TikTok began nothing that the client could follow."""
    for uploads in (True, False):
        with pytest.raises(UnexpectedResponse):
            read_begun(REQUEST, ok(data), TIKTOK, uploads=uploads)


@pytest.mark.parametrize("url", [None, ""])
def test_an_upload_needs_its_url(url: str | None) -> None:
    """Such an answer was recorded once, and is unexpected."""
    with pytest.raises(UnexpectedResponse, match="no upload_url"):
        read_begun(REQUEST, ok({"publish_id": "p", "upload_url": url}), TIKTOK, uploads=True)


@pytest.mark.parametrize(
    "url", ["https://evil.example/?upload_token=canary", "http://x.tiktokapis.com/canary", "https://1.2.3.4/canary"]
)
def test_no_byte_goes_to_a_foreign_host(url: str) -> None:
    """The reader refuses a foreign upload host with the id of the post, and does not repeat its URL."""
    with pytest.raises(ForeignUploadHost, match=r"of p1 is not on TikTok's hosts") as caught:
        read_begun(REQUEST, ok({"publish_id": "p1", "upload_url": url}), TIKTOK, uploads=True)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("ids", "found"),
    [
        ([POST_ID], (POST_ID,)),
        ([str(POST_ID), POST_ID + 1], (POST_ID, POST_ID + 1)),
        (POST_ID, (POST_ID,)),
        (str(POST_ID), (POST_ID,)),
        ([], ()),
        ("", ()),
        (0, ()),
        (None, ()),
        ([None, "", POST_ID], (POST_ID,)),
    ],
)
def test_post_ids_are_read_in_every_form_seen(ids: object, found: tuple[int, ...]) -> None:
    """Numbers, strings, one or several, none, null: the reader never rounds 64 bits."""
    data = {"status": "PUBLISH_COMPLETE", "publicaly_available_post_id": ids}
    assert read_publication(REQUEST, ok(data), "p").post_ids == found


@given(st.lists(st.integers(1, 2**64 - 1)))
def test_post_ids_keep_all_their_digits(ids: list[int]) -> None:
    """Every 64-bit id comes out as it went in."""
    data = {"status": "PUBLISH_COMPLETE", "publicaly_available_post_id": ids}
    assert read_publication(REQUEST, ok(data), "p").post_ids == tuple(ids)


@pytest.mark.parametrize("ids", ["[1e999]", "[true]", "[7.3e18]", '["x"]', "[{}]", "{}", "[[1]]", "1.5"])
def test_what_is_no_post_id_is_refused(ids: str) -> None:
    """An id that would be rounded or guessed is an unexpected answer, and no other exception."""
    body = f'{{"data":{{"status":"FAILED","publicaly_available_post_id":{ids}}},"error":{{"code":"ok"}}}}'
    if ids == "{}":
        body = body.replace("{}}", '{"a":1}}')
    with pytest.raises(UnexpectedResponse, match=r"fields of Publication|limit of floats"):
        read_publication(REQUEST, Response(200, {}, body.encode()), "p")


def test_a_recorded_failure_is_read() -> None:
    """The FAILED answer that was seen in public has two fields, and is no error of the call."""
    body = b'{"data":{"fail_reason":"file_format_check_failed","status":"FAILED"},"error":{"code":"ok","message":""}}'
    told = read_publication(REQUEST, Response(200, {}, body), "p1")
    assert (told.publish_id, told.status, told.fail_reason) == ("p1", "FAILED", "file_format_check_failed")
    assert (told.uploaded_bytes, told.downloaded_bytes, told.post_ids) == (None, None, ())


def test_unknown_words_pass_through() -> None:
    """The reader keeps an unknown status and reason. The requested id takes precedence over the one in the answer."""
    told = read_publication(
        REQUEST, ok({"status": "NEW", "fail_reason": "odd", "downloaded_bytes": "17", "publish_id": "other"}), "p1"
    )
    assert (told.status, told.fail_reason, told.downloaded_bytes, told.publish_id) == ("NEW", "odd", 17, "p1")


@pytest.mark.parametrize("data", [{}, {"status": None}, {"status": []}])
def test_a_publication_has_a_status(data: dict[str, object]) -> None:
    """The status is the one field that an answer must have."""
    with pytest.raises(UnexpectedResponse):
        read_publication(REQUEST, ok(data), "p")


def test_the_documents_profile_is_read() -> None:
    """Fields that the client did not ask for are None, even if they come as null."""
    user = {"open_id": "-000AbC", "display_name": "Maker One", "follower_count": 0, "bio_description": None, "new": 1}
    info = read_user_info(REQUEST, ok({"user": user}))
    assert (info.open_id, info.display_name, info.follower_count) == ("-000AbC", "Maker One", 0)
    assert info.bio_description is None
    assert info.is_verified is None


@pytest.mark.parametrize("data", [{}, {"user": None}, {"user": []}])
def test_a_profile_has_a_user(data: dict[str, object]) -> None:
    """Success without a user is unexpected."""
    with pytest.raises(UnexpectedResponse, match=r"no data.user"):
        read_user_info(REQUEST, ok(data))


@pytest.mark.parametrize(
    ("header", "uploaded"),
    [
        ("bytes 0-9999999/50000123", 9_999_999),
        ("bytes 9999999/50000123", 9_999_999),
        ("Bytes 0-0/*", 0),
        (" bytes  0-5/10 ", 5),
        ("bytes 5-9/10", None),
        ("bytes */10", None),
        ("bytes 0-" + "9" * 16 + "/1", None),
        ("0-5/10", None),
        ("", None),
        (None, None),
    ],
)
def test_progress_is_read_where_it_is_told(header: str | None, uploaded: int | None) -> None:
    """The header says how many bytes TikTok has. A header without sense counts as none, and the reader ignores the body."""
    headers = {} if header is None else {"content-range": header}
    for status in (201, 206, 416, 502):
        answer = read_chunk_answer(REQUEST, Response(status, headers, b"\xff{"))
        assert (answer.status, answer.uploaded) == (status, uploaded)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty"),
        (b"null", "it is not a JSON object"),
        (b"[]", "it is not a JSON object"),
        (b"<html>Unsupported path(Janus)</html>", "Unsupported path"),
        (b"{", "it is not JSON"),
        (b"\xff\xfe{", "it is not JSON"),
        (b'{"a":NaN}', "it contains NaN, which is not JSON"),
        (b'{"a":-Infinity}', "it contains -Infinity, which is not JSON"),
        (b'{"a":' + b"9" * 100_000 + b"}", "limit"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "too deeply"),
        (b"[" * 100_000, "too deeply"),
        (b'{"a":"' + b"x" * MAX_RESPONSE + b'"}', "it is longer than 1,048,576 bytes"),
    ],
)
def test_what_is_no_json_object_is_typed(body: bytes, reason: str) -> None:
    """Hostile and broken bodies give one clear error, which quotes at most the start of the body."""
    with pytest.raises(UnexpectedResponse, match=reason) as caught:
        read_json(REQUEST, Response(404, {"x-tt-logid": "L"}, body))
    assert (caught.value.status, caught.value.log_id) == (404, "L")
    assert len(str(caught.value)) < 400


def test_the_largest_answer_is_still_read() -> None:
    """The reader accepts an answer of exactly the limit. Of duplicate members the last counts, as in other JSON readers."""
    start, end = b'{"a":1,"a":"', b'"}'
    body = start + b"x" * (MAX_RESPONSE - len(start) - len(end)) + end
    assert len(read_json(REQUEST, Response(200, {}, body))["a"]) == len(body) - len(start) - len(end)
