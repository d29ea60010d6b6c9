"""Answers that make no sense: rows 29 to 34 of the fault matrix, over real sockets, with the whole client.

What belongs here: what a server may say instead of a good answer. `tests/wire/test_fuzz.py` gives any bytes to the
readers.
"""

import gzip
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tiktok_core import (
    ApiError,
    OutcomeUnknown,
    PublishFailed,
    StillProcessing,
    TikTokError,
    UnexpectedResponse,
)
from tiktok_core.errors import ForeignUploadHost, UnexpectedRedirect
from tiktok_core.ports import Request, Response

LOG_ID = "202609110102030A0B0C0D0E0F10111213"
HTML = b"<!DOCTYPE html><html><body>act.canary-of-a-token \x1b[31m Bad gateway " + b"word " * 1_000
DEEP = b"[" * 100_000
HUGE = b'{"data":"' + b"a" * (2 << 20)


def ok(data: Any) -> bytes:
    """Return an answer with an envelope."""
    return json.dumps({"data": data, "error": {"code": "ok", "message": "", "log_id": LOG_ID}}).encode()


# --- Row 29: JSON --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        HUGE,
        DEEP,
        b'{"data":{"max_video_post_duration_sec":NaN},"error":{"code":"ok"}}',
        b'{"data":{"max_video_post_duration_sec":"long"},"error":{"code":"ok"}}',
        b'{"data":[],"error":{"code":"ok"}}',
        b'{"data":{}}',
        b"\xff\xfe{}",
        b"null",
    ],
    ids=["2 MiB", "deep", "NaN", "wrong type", "data is a list", "no error", "UTF-16", "null"],
)
def test_row_29_json_that_makes_no_sense_is_typed(bench: Any, body: bytes) -> None:
    """Each such answer ends in one typed error that quotes little of it, and the call does not hang."""
    bench.sim.says("creator_info", Response(200, {"content-type": "application/json"}, body), times=9)
    end = bench.outcome(lambda it: it.account.creator_info())
    assert isinstance(end, UnexpectedResponse)
    assert len(str(end)) < 600


def test_row_29_what_tiktok_adds_and_its_marks_are_no_trouble(bench: Any) -> None:
    """The reader skips a byte-order mark, an unknown field, a number beyond 64 bits and a repeated name."""
    known = bench.run(bench.account.creator_info())
    body = ok({"privacy_level_options": list(known.privacy_level_options), "tomorrow": {"id": 10**40}})
    body = b"\xef\xbb\xbf" + body.replace(b'"tomorrow"', b'"tomorrow": 1, "tomorrow"')
    bench.sim.says("creator_info", Response(200, {}, body))
    assert bench.run(bench.account.creator_info()).privacy_level_options == known.privacy_level_options


def test_row_29_the_log_id_of_a_senseless_answer_is_told(bench: Any) -> None:
    """The error has the log id, because TikTok's support asks for it."""
    bench.sim.says("creator_info", Response(200, {}, ok({"max_video_post_duration_sec": "long"})))
    assert LOG_ID in str(bench.outcome(lambda it: it.account.creator_info()))


OLD_SHAPE = b'{"message": "error", "data": {"error_code": 10002, "description": "The parameters are wrong: %s"}}'
TOKEN = "act.canary-of-a-token"


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize("ask", ["refresh", "creator_info"])
def test_tiktoks_words_in_an_answer_of_its_older_shape_are_kept(near: Any, ask: str, status: int) -> None:
    """These words are often all that says what is wrong. The error hides what looks like a token in them."""
    body = OLD_SHAPE % TOKEN.encode()
    for where in ("token", "creator_info"):
        near.sim.says(where, Response(status, {}, body), times=9)
    end = near.outcome(lambda it: getattr(it.account, ask)())
    assert isinstance(end, (UnexpectedResponse, ApiError)), end
    assert "error, 10002, The parameters are wrong" in str(end)
    assert TOKEN not in str(end)


def test_a_token_in_an_answer_of_the_older_shape_is_never_shown(near: Any) -> None:
    """The error quotes only the fields for words."""
    body = json.dumps(
        {"message": {"access_token": "canary"}, "data": {"access_token": "canary", "description": ["canary"]}}
    )
    near.sim.says("token", Response(200, {}, body.encode()), times=9)
    end = near.outcome(lambda it: it.account.refresh())
    assert isinstance(end, UnexpectedResponse)
    assert "canary" not in str(end)


def test_a_reason_beside_a_status_that_is_not_final_is_told(near: Any) -> None:
    """TikTok gave a `fail_reason` without a final status, and the error has both."""
    body = ok({"status": "PROCESSING_UPLOAD", "fail_reason": "spam_risk"})
    near.sim.says("status", Response(200, {}, body), times=99)
    end = near.outcome(lambda it: it.account.with_options(patience=30).post_video(it.film, draft=True, key="wish"))
    assert isinstance(end, StillProcessing)
    assert (end.status, end.fail_reason) == ("PROCESSING_UPLOAD", "spam_risk")
    assert "spam_risk" in str(end)


@pytest.mark.parametrize("publish_id", ["\ud800", "a b", "x" * 65, "\u0000", "\n", "\u00fc"])
def test_a_publish_id_that_cannot_be_asked_about_is_none(near: Any, publish_id: str) -> None:
    """The client cannot store such an id or ask about it.

    The init of a pull is then in doubt, and the client does not repeat it.
    """
    body = ok({"publish_id": publish_id})
    near.sim.says("video_init", Response(200, {}, body), times=9)
    url = "https://media.example.com/clip.mp4"
    end = near.outcome(lambda it: it.account.post_video(url, privacy_level="SELF_ONLY", key="wish", wait=False))
    assert isinstance(end, OutcomeUnknown)
    assert near.way.sent.count("video_init") == 1


def test_an_answer_has_no_say_in_our_own_key(near: Any) -> None:
    """`key` is the journal's word. A field of this name in TikTok's answer changes nothing."""
    done = near.run(near.account.post_video(near.film, draft=True, key="wish"))
    near.sim.says(
        "status", Response(200, {}, ok({"status": "PUBLISH_COMPLETE", "key": "another", "uploaded_bytes": -1}))
    )
    found = near.run(near.account.publish_status(done.publish_id))
    assert (found.key, found.uploaded_bytes) == (None, None)


# --- Row 30: content encodings -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("claimed", ["gzip", "br", "deflate", "identity, gzip"])
def test_row_30_nothing_is_inflated(bench: Any, claimed: str) -> None:
    """The client asks for no encoding.

    It leaves a compressed answer as small as it is, and such an answer is no JSON.
    """
    bomb = gzip.compress(bytes(64 << 20))
    asked: list[str] = []

    def says(request: Request, _handle: Any) -> Response:
        asked.append(next(value for name, value in request.headers.items() if name.lower() == "accept-encoding"))
        return Response(200, {"content-type": "application/json", "content-encoding": claimed}, bomb)

    bench.sim.says("creator_info", says)
    assert isinstance(bench.outcome(lambda it: it.account.creator_info()), UnexpectedResponse)
    assert asked == ["identity"]


# --- Row 31: answers of another kind ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Response(200, {"content-type": "text/html"}, HTML), UnexpectedResponse),
        (Response(400, {"content-type": "text/html"}, HTML), UnexpectedResponse),
        (Response(200, {}, b""), UnexpectedResponse),
        (Response(204, {}, b""), UnexpectedResponse),
        (Response(200, {"content-type": "text/plain"}, ok({}).replace(b'"ok"', b'"tomorrow"')), ApiError),
    ],
    ids=["HTML", "HTML with 400", "empty", "no content", "another code with 200"],
)
def test_row_31_an_answer_of_another_kind_is_typed(bench: Any, operation: Any, answer: Response, error: type) -> None:
    """The error says what came: at most 200 characters of it, escaped. The client never takes it for success."""
    bench.sim.says(operation.where, answer, nth=operation.nth, times=9)
    end = bench.outcome(operation.ask)
    bench.check_posts()
    if operation.where == "put" or (operation.where == "revoke" and not answer.body):
        # Of the answer to a chunk only the status counts, and an empty answer is how a revocation succeeds.
        assert not isinstance(end, ApiError)
        return
    assert isinstance(end, TikTokError), end
    if operation.is_pull and error is UnexpectedResponse:
        assert isinstance(end, OutcomeUnknown)
    elif operation.where != "token":
        assert isinstance(end, error)
    said = str(end)
    assert "\x1b" not in said
    assert "canary" not in said
    # At most 200 characters come from the answer; the library writes the rest.
    assert said.count("word") <= 200 // len("word ")


# --- Row 32: redirects ---------------------------------------------------------------------------------------------------------


class _Second(BaseHTTPRequestHandler):
    def _count(self) -> None:
        self.server.arrived.append(self.requestline)  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()

    do_GET = do_POST = do_PUT = do_HEAD = _count  # noqa: N815 - the names are the library's

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the library's
        """Say nothing."""


@pytest.fixture
def second() -> Iterator[ThreadingHTTPServer]:
    """Serve a second host, to which nothing may come."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Second) as server:
        server.arrived = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_row_32_no_redirect_is_followed(bench: Any, operation: Any, second: Any, status: int) -> None:
    """For any status and any target, the second host gets nothing, and the first host gets no second request."""
    elsewhere = f"http://127.0.0.1:{second.server_port}/stolen"
    bench.sim.says(operation.where, Response(status, {"location": elsewhere}, b""), nth=operation.nth, times=9)
    end = bench.outcome(operation.ask)
    assert isinstance(end, (UnexpectedRedirect, OutcomeUnknown)), end
    assert second.arrived == []
    assert elsewhere not in str(end)
    bench.check_posts()


@pytest.mark.parametrize("where", ["same", "relative", "itself"])
def test_row_32_not_even_to_the_same_host(bench: Any, where: str) -> None:
    """The client does not follow a loop, not even once."""
    path = "/v2/post/publish/creator_info/query/"
    location = {"same": f"{bench.front.url}/v2/user/info/", "relative": "/v2/user/info/", "itself": path}[where]
    bench.sim.says("creator_info", Response(307, {"location": location}, b""), times=9)
    assert isinstance(bench.outcome(lambda it: it.account.creator_info()), UnexpectedRedirect)
    assert len(bench.sim.arrived) == 1


# --- Row 33: where the bytes shall go --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "https://uploads.example.com/video/?upload_token=t",
        "https://open-upload.tiktokapis.com.example.com/video/?upload_token=t",
        "https://open-upload.tiktokapis.com@example.com/video/?upload_token=t",
        "https://user:word@open-upload.tiktokapis.com/video/?upload_token=t",
        "http://open-upload.tiktokapis.com/video/?upload_token=t",
        "https://93.184.216.34/video/?upload_token=t",
        "https://[2606:2800::1]/video/?upload_token=t",
        "https://tiktokapis.com\\.example.com/video/?upload_token=t",
        "//open-upload.tiktokapis.com/video/?upload_token=t",
        "file:///etc/passwd",
        "",
    ],
)
def test_row_33_no_byte_goes_to_a_foreign_host(bench: Any, url: str) -> None:
    """If an init names another host, another scheme or a user's name, the post ends before a byte has left."""
    ticket = ok({"publish_id": "v_pub_file~v2-1.1", "upload_url": url})
    bench.sim.says("video_init", Response(200, {}, ticket), times=9)
    end = bench.outcome(lambda it: it.account.post_video(it.film, privacy_level="SELF_ONLY", key="wish"))
    assert isinstance(end, (ForeignUploadHost, UnexpectedResponse)), end
    assert "put" not in bench.way.sent
    assert "upload_token" not in str(end)


@pytest.mark.parametrize(
    "host",
    [
        "open-upload.tiktokapis.com:8443",
        "127.0.0.1",
        "127.0.0.1:443",
        "localhost",
        "[::1]",
        "0.0.0.0",
        "tiktokapis.com.localhost",
        "open-upload.tiktokapis.com:443@localhost",
    ],
)
def test_row_33_no_byte_goes_to_this_machine_or_another_port(near: Any, host: str) -> None:
    """With the real TikTok's hosts, the video goes neither to this machine nor to another port of TikTok's hosts."""
    ticket = ok({"publish_id": "v_pub_file~v2-1.1", "upload_url": f"https://{host}/video/?upload_token=t"})
    near.sim.says("video_init", Response(200, {}, ticket), times=9)
    end = near.outcome(lambda it: it.account.post_video(it.film, privacy_level="SELF_ONLY", key="wish"))
    assert isinstance(end, ForeignUploadHost), end
    assert "put" not in near.way.sent


# --- Row 34: words of a status ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["never-ends", "word:REVIEWING"])
def test_row_34_a_status_without_end_is_neither_success_nor_failure(near: Any, word: str) -> None:
    """The wait is bounded. The client keeps an unknown word as it came, and the caller can follow the post further."""
    near.sim.faults.add(f"init={word}")
    near.sim.says("other", Response(200, {}, b""))
    end = near.outcome(lambda it: it.account.with_options(patience=60).post_video(it.film, draft=True, key="wish"))
    if word == "never-ends":
        assert isinstance(end, StillProcessing)
        assert 0 < end.waited <= 60
    else:
        assert end.status == "SEND_TO_USER_INBOX"


def test_row_34_a_word_of_tomorrow_is_kept(near: Any) -> None:
    """The word is not final, so the client follows the post until its patience ends, and then reports the word."""
    body = ok({"status": "REVIEWING_BY_HAND", "fail_reason": ""})
    near.sim.says("status", Response(200, {}, body), times=99)
    end = near.outcome(lambda it: it.account.with_options(patience=30).post_video(it.film, draft=True, key="wish"))
    assert isinstance(end, StillProcessing)
    assert end.status == "REVIEWING_BY_HAND"


def test_row_34_what_is_final_is_not_taken_back(near: Any) -> None:
    """A server that lags behind says that it is still at work.

    The end stays, and a call with its key asks TikTok nothing.
    """
    near.sim.faults.add("init=backwards")
    done = near.run(near.account.post_video(near.film, draft=True, key="wish"))
    assert done.status == "SEND_TO_USER_INBOX"
    near.clock.advance(3)
    assert near.run(near.account.publish_status(done.publish_id)).status == "PROCESSING_UPLOAD"
    asked = near.way.sent.count("status")
    assert near.run(near.account.resume("wish")).status == "SEND_TO_USER_INBOX"
    assert near.way.sent.count("status") == asked


def test_row_34_a_late_failure_is_a_failure(near: Any) -> None:
    """TikTok fails a post after it has said that it is complete. The next call reports that, with the reason."""
    near.sim.faults.add("init=late-fail:frame_rate_check_failed")
    done = near.run(near.account.post_video(near.film, privacy_level="SELF_ONLY", key="wish"))
    near.clock.advance(3_600)
    late = near.run(near.account.publish_status(done.publish_id))
    assert (late.status, late.fail_reason) == ("FAILED", "frame_rate_check_failed")
    end = near.outcome(lambda it: it.account.wait(done.publish_id))
    assert isinstance(end, PublishFailed)
    assert end.reason == "frame_rate_check_failed"
