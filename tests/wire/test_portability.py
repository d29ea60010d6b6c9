"""The exact requests and answers of Data Portability, and telling an archive from another answer in its place."""

import io
import json
import zipfile
from collections.abc import Iterator
from itertools import pairwise

import pytest
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st

from tiktok_core.domain.app import Endpoints
from tiktok_core.domain.portability import DataRequest, DataSelection
from tiktok_core.domain.tokens import Secret
from tiktok_core.errors import ApiError, Interrupted, RateLimited, ServerError, TikTokError, UnexpectedResponse
from tiktok_core.wire.http import MAX_RESPONSE, Request, Response
from tiktok_core.wire.portability import (
    ArchiveReader,
    add_data_request,
    cancel_data_request,
    check_data_request,
    download_request,
    read_data_request,
    read_request_id,
)

TIKTOK, TOKEN = Endpoints(), Secret("act.exampleAccess000")
HOST = "https://open.tiktokapis.com"
ASKED = Request(method="POST", url=f"{HOST}/v2/user/data/download/")
LOG_ID = "20240125230933D4C4606E87F0A61BE502"
REFUSAL = {
    "data": {},
    "error": {
        "code": "invalid_params",
        "http_status_code": 400,
        "log_id": LOG_ID,
        "message": "Incorrect `request_id`. Please validate the request.",
    },
}


def answer(document: object, status: int = 200) -> Response:
    """Return a JSON answer."""
    return Response(status, {"content-type": "application/json"}, json.dumps(document).encode())


def zipped(size: int, comment: bytes = b"") -> bytes:
    """Return a zip with one file of that size."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("activity.json", b"x" * size)
        archive.comment = comment
    return made.getvalue()


@define
class Begun:
    """Stands in for a destination: what was written since the last `begin`, and how often it began."""

    content: bytearray = field(factory=bytearray)
    times: int = 0

    def begin(self) -> "Begun":
        """Start again from nothing."""
        self.content.clear()
        self.times += 1
        return self

    def write(self, block: bytes, /) -> None:
        """Keep a block."""
        self.content += block


def pieces(content: bytes, cuts: list[int]) -> Iterator[bytes]:
    """Cut the content at these places."""
    places = sorted({0, len(content), *(cut % (len(content) + 1) for cut in cuts)})
    yield from (content[start:end] for start, end in pairwise(places))


def received(begun: Begun, content: bytes, cuts: list[int], status: int = 200) -> int:
    """Read an answer that comes in pieces, as a transport would deliver it."""
    reader = ArchiveReader(begun.begin)
    sink = reader.sink(Response(status))
    if sink is None:
        return reader.read(ASKED, Response(status, {}, content[: MAX_RESPONSE + 1]))
    for piece in pieces(content, cuts):
        sink.write(piece)
    return reader.read(ASKED, Response(status))


def test_the_questions_are_those_of_the_documents() -> None:
    """Paths, fields and bodies are the documents'. The token is the user's, though the samples print another kind."""
    selection = DataSelection(categories=("profile", "activity"), data_format="json")
    sink = ArchiveReader(Begun().begin).sink
    asked = {
        "add/?fields=request_id": add_data_request(TIKTOK, TOKEN, selection),
        "check/?fields=request_id,apply_time,collect_time,status,data_format,category_selection_list": check_data_request(
            TIKTOK, TOKEN, 123451234512345
        ),
        "cancel/": cancel_data_request(TIKTOK, TOKEN, 123451234512345),
        "download/": download_request(TIKTOK, TOKEN, 123451234512345, sink),
    }
    for path, request in asked.items():
        assert (request.method, request.url) == ("POST", f"{HOST}/v2/user/data/{path}")
        assert request.headers["Authorization"] == "Bearer act.exampleAccess000"
        assert request.headers["Content-Type"] == "application/json; charset=UTF-8"
    bodies = [json.loads(request.body) for request in asked.values() if isinstance(request.body, bytes)]
    assert bodies == [
        {"data_format": "json", "category_selection_list": ["profile", "activity"]},
        *[{"request_id": 123451234512345}] * 3,
    ]
    assert [request.fresh_connection for request in asked.values()] == [True, False, False, False]
    assert [request.sink for request in asked.values()] == [None, None, None, sink]


@pytest.mark.parametrize("spelled", [2**53 + 1, str(2**53 + 1)])
def test_an_id_is_read_to_its_last_digit(spelled: object) -> None:
    """An id is a 64-bit number, even if it comes as a string."""
    document = {"data": {"request_id": spelled}, "error": {"code": "ok", "message": "", "log_id": LOG_ID}}
    assert read_request_id(ASKED, answer(document)) == 2**53 + 1


def test_the_documents_status_is_read() -> None:
    """Only TikTok's sample spells the category of direct messages this way."""
    data = {
        "apply_time": 1703186989,
        "category_selection_list": ["profile", "video", "direct_messages"],
        "collect_time": 1703187862,
        "data_format": "text",
        "request_id": 123451234512345,
        "status": "downloading",
    }
    found = read_data_request(ASKED, answer({"data": data, "error": {"code": "ok"}}))
    assert found == DataRequest(
        request_id=123451234512345,
        status="downloading",
        apply_time=1703186989,
        collect_time=1703187862,
        data_format="text",
        category_selection_list=("profile", "video", "direct_messages"),
    )
    short = read_data_request(ASKED, answer({"data": {"request_id": 1, "status": "new"}, "error": {"code": "ok"}}))
    assert (short.status, short.collect_time, short.category_selection_list) == ("new", None, ())
    with pytest.raises(UnexpectedResponse):
        read_data_request(ASKED, answer({"data": {"request_id": 1}, "error": {"code": "ok"}}))


@pytest.mark.parametrize(
    ("code", "told", "status", "kind", "known"),
    [
        ("invalid_params", 400, 200, ApiError, 400),
        ("invalid_params", 400, 400, ApiError, 400),
        ("invalid_params", "400", 200, ApiError, 200),
        ("invalid_params", 7, 200, ApiError, 200),
        ("something_new", 503, 200, ServerError, 503),
        ("something_new", 429, 200, RateLimited, 429),
        ("something_new", 400, 503, ServerError, 503),
    ],
)
def test_a_refusal_tells_its_status_wherever_it_stands(
    code: str, told: object, status: int, kind: type[ApiError], known: int
) -> None:
    """The status may be in the error or with the answer.

    Both decide the class, and the answer's own failure comes first.
    """
    refusal = {"data": {}, "error": {**REFUSAL["error"], "code": code, "http_status_code": told}}
    with pytest.raises(ApiError) as caught:
        read_data_request(ASKED, answer(refusal, status))
    assert (type(caught.value), caught.value.status, caught.value.log_id) == (kind, known, LOG_ID)


@given(st.integers(0, 3000), st.binary(max_size=0xFFFF), st.lists(st.integers(min_value=0), max_size=9))
def test_an_archive_is_written_as_it_came(size: int, comment: bytes, cuts: list[int]) -> None:
    """Blocks of any size are accepted, and so is any comment at the end."""
    content, begun = zipped(size, comment), Begun()
    assert received(begun, content, cuts) == len(content)
    assert (bytes(begun.content), begun.times) == (content, 1)


@given(st.integers(min_value=0), st.lists(st.integers(min_value=0), max_size=5))
def test_an_archive_without_its_end_is_interrupted(cut: int, cuts: list[int]) -> None:
    """Without a length, a broken connection looks like the end of the answer, but the zip itself shows that it is incomplete."""
    whole = zipped(3000)
    content = whole[: 2 + cut % (len(whole) - 24)]
    with pytest.raises(Interrupted, match="broke off"):
        received(Begun(), content, cuts)


@given(
    st.one_of(st.binary(max_size=300), st.just(json.dumps(REFUSAL).encode())),
    st.lists(st.integers(min_value=0), max_size=5),
    st.sampled_from([200, 206, 400, 404, 429, 500, 307]),
)
def test_what_is_no_archive_is_never_written(content: bytes, cuts: list[int], status: int) -> None:
    """Any other answer, with any status and type, raises an error, and begins no destination."""
    begun = Begun()
    if content.startswith(b"PK"):
        content = b" " + content
    with pytest.raises(TikTokError):
        received(begun, content, cuts, status)
    assert begun.times == 0


@pytest.mark.parametrize("status", [200, 400])
def test_the_documents_refusal_of_a_download_is_read(status: int) -> None:
    """The refusal may have HTTP 200, and comes in the place of an archive."""
    begun = Begun()
    with pytest.raises(ApiError, match="Incorrect `request_id`") as caught:
        received(begun, json.dumps(REFUSAL).encode(), [1, 2, 3], status)
    assert (caught.value.code, caught.value.status, begun.times) == ("invalid_params", 400, 0)


def test_an_archive_under_a_failed_status_is_not_taken() -> None:
    """A status that refuses counts."""
    begun = Begun()
    with pytest.raises(ServerError):
        received(begun, zipped(10), [], 503)
    assert begun.times == 0


def test_a_success_without_an_archive_makes_no_sense() -> None:
    """The code `ok` alone is unexpected. So is a page of a megabyte, of which the reader keeps no more than usual."""
    with pytest.raises(UnexpectedResponse, match="without an archive"):
        received(Begun(), json.dumps({"error": {"code": "ok"}}).encode(), [])
    with pytest.raises(UnexpectedResponse, match="longer than"):
        received(Begun(), b"<" * (3 * MAX_RESPONSE), [1, MAX_RESPONSE])


def test_a_repeated_download_begins_anew() -> None:
    """Nothing of the first answer stays, be it an archive or a refusal."""
    begun, content = Begun(), zipped(100)
    reader = ArchiveReader(begun.begin)
    for before in (content[:50], b'{"error"'):
        first = reader.sink(Response(200))
        assert first is not None
        first.write(before)
    again = reader.sink(Response(200))
    assert again is not None
    again.write(content)
    assert reader.read(ASKED, Response(200)) == len(content)
    assert (bytes(begun.content), begun.times) == (content, 2)
