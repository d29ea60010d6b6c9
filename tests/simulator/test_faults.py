"""Faults: their grammar, the requests that they meet, and their effects; and the in-memory transport that carries them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_adapters.simulator import API_URL, Fault, Faults, parse_fault
from tiktok_adapters.simulator.faults import OPERATIONS
from tiktok_adapters.transports.fake import ConnectionDropped, DelayedResponse, FakeTransport
from tiktok_core.errors import Interrupted, NotSent, SourceChanged, TimedOut
from tiktok_core.wire.http import BLOCK, MAX_RESPONSE, FileSlice, Request, Response

INFO = "/v2/post/publish/creator_info/query/"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("put:2=drop-after", Fault("put", "drop-after", nth=2)),
        ("status=code:internal_error", Fault("status", "code", "internal_error")),
        ("statusx3=status:503", Fault("status", "status", "503", times=3)),
        ("put:2x3=drop-at:100", Fault("put", "drop-at", "100", 2, 3)),
        ("*=slow:1.5", Fault("*", "slow", "1.5")),
        ("init=redirect:https://elsewhere.example/a:b=c", Fault("init", "redirect", "https://elsewhere.example/a:b=c")),
        (" token=code:invalid_grant@400 ", Fault("token", "code", "invalid_grant@400")),
    ],
)
def test_grammar(text: str, fault: Fault) -> None:
    """A fault is written as WHERE[:N][xM]=WHAT, and prints the same text."""
    assert parse_fault(text) == fault
    assert parse_fault(str(fault)) == fault


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is not a fault"),
        ("put", "is not a fault"),
        ("put:0=drop-after", "is not a fault"),
        ("put:2:drop-after", "is not a fault"),
        ("upload=drop-after", "no operation"),
        ("put=explode", "no fault"),
        ("put=drop-after:3", "does not fit"),
        ("put=drop-at", "does not fit"),
        ("put=drop-at:many", "does not fit"),
        ("status=status:999", "does not fit"),
        ("status=slow:-1", "does not fit"),
        ("status=code:Not A Word", "does not fit"),
        ("status=redirect:elsewhere", "does not fit"),
        ("status=drop-at:3", "does not apply"),
        ("status=fail:internal", "does not apply"),
        ("put=code:internal_error", "does not apply"),
        ("token=expire", "does not apply"),
        ("put=foreign-upload-host", "does not apply"),
    ],
)
def test_bad_faults_are_refused(text: str, complaint: str) -> None:
    """An unknown word, or one that does not apply to the operation, is refused with a reason."""
    with pytest.raises(ValueError, match=complaint):
        parse_fault(text)


@given(
    nth=st.integers(1, 6),
    times=st.integers(1, 4),
    where=st.sampled_from(["put", "init", "*"]),
    seen=st.lists(st.sampled_from(OPERATIONS), max_size=30),
)
def test_a_fault_meets_the_right_requests(nth: int, times: int, where: str, seen: list[str]) -> None:
    """A fault meets exactly `times` matching requests, starting with the nth."""
    faults = Faults()
    faults.add(Fault(where, "drop-after", nth=nth, times=times))
    met = [bool(faults.take(operation)) for operation in seen]
    inits = {"video_init", "inbox_init", "photo_init"}
    places = [i for i, name in enumerate(seen) if where in {"*", name} or (where == "init" and name in inits)]
    expected = set(places[nth - 1 : nth - 1 + times])
    assert {i for i, hit in enumerate(met) if hit} == expected
    assert bool(faults.pending) is (len(places) < nth + times - 1)


def test_one_fault_leaves_the_next_request_alone(play: Any) -> None:
    """A fault meets its request once and is then removed."""
    play.token()
    play.sim.faults.add("creator_info=code:rate_limit_exceeded")
    first, second = play.post(INFO), play.post(INFO)
    assert (first.status, first.code, second.code) == (429, "rate_limit_exceeded", "ok")


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("creator_info=code:reached_active_user_cap", 200, "reached_active_user_cap"),
        ("creator_info=code:access_token_invalid", 401, "access_token_invalid"),
        ("creator_info=code:brand_new@418", 418, "brand_new"),
        ("creator_info=code:invalid_param", 400, "invalid_param"),
        ("creator_info=code:invalid_params", 400, "invalid_params"),
    ],
)
def test_codes_come_with_their_status(play: Any, fault: str, status: int, code: str) -> None:
    """A code has the documented HTTP status of its endpoint unless the fault names another."""
    play.token()
    play.sim.faults.add(fault)
    answer = play.post(INFO)
    assert (answer.status, answer.code) == (status, code)


def test_oauth_codes_are_flat(play: Any) -> None:
    """A fault at the token endpoint has the flat shape."""
    play.sim.faults.add("token=code:server_error@500")
    answer = play.refresh("rft.x")
    assert (answer.status, answer.document["error"]) == (500, "server_error")


def test_bare_status(play: Any) -> None:
    """The answer is a bare status, and the request is not handled."""
    play.token()
    play.sim.faults.add("init=status:503")
    assert play.video().status == 503
    assert play.sim.posts == ()


def test_redirect(play: Any) -> None:
    """A redirect names another address, and the request is not handled."""
    play.token()
    play.sim.faults.add("init=redirect:https://elsewhere.example/")
    answer = play.video()
    assert (answer.status, answer.headers["location"]) == (307, "https://elsewhere.example/")
    assert play.sim.posts == ()


def test_garbage(play: Any) -> None:
    """With `garbage` the request is handled, and the answer is 200 without JSON."""
    play.token()
    play.sim.faults.add("init=garbage")
    answer = play.video()
    assert answer.status == 200
    assert isinstance(answer.document, bytes)
    assert len(play.sim.posts) == 1


def test_foreign_upload_host(play: Any) -> None:
    """The upload URL points to another host, and carries its secrets there."""
    play.token()
    play.sim.faults.add("init=foreign-upload-host")
    assert play.video().data["upload_url"].startswith("https://uploads.example.net/video/?upload_id=")


def test_faults_combine(play: Any) -> None:
    """Several faults may meet one request; a fault without an effect does no harm."""
    request = _init(play)
    for fault in ("init=slow:9", "init=foreign-upload-host", "init:2=foreign-upload-host", "init:2=status:503"):
        play.sim.faults.add(fault)
    with pytest.raises(TimedOut):
        FakeTransport(play.sim.handle).send(request)
    assert play.video().status == 503


def test_expire(play: Any) -> None:
    """The access token, or the upload URL, expires before its next use."""
    url = play.video(3).data["upload_url"]
    play.sim.faults.add("put=expire")
    assert play.put(url, 0, b"abc", 3).status == 403
    play.sim.faults.add("status=expire")
    assert play.status("x").code == "access_token_invalid"


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        ("init=fail:frame_rate_check_failed", ["PROCESSING_UPLOAD", "FAILED", "FAILED", "FAILED"]),
        ("init=late-fail:spam_risk", ["PROCESSING_UPLOAD", "PUBLISH_COMPLETE", "FAILED", "FAILED"]),
        ("init=never-ends", ["PROCESSING_UPLOAD"] * 4),
        ("init=backwards", ["PROCESSING_UPLOAD", "PUBLISH_COMPLETE", "PROCESSING_UPLOAD", "PUBLISH_COMPLETE"]),
        ("init=word:EXPIRED_MAYBE", ["EXPIRED_MAYBE", "PUBLISH_COMPLETE", "PUBLISH_COMPLETE", "PUBLISH_COMPLETE"]),
    ],
)
def test_lives(play: Any, fault: str, seen: list[str]) -> None:
    """A fault at init changes the life of its post."""
    play.token()
    play.sim.faults.add(fault)
    publish_id = play.upload(play.video())
    statuses = []
    for _ in range(4):
        statuses.append(play.status(publish_id).data["status"])
        play.clock.advance(2)
    assert statuses == seen


# --- Through the transport -----------------------------------------------------------------------------------------


def _init(play: Any) -> Request:
    body = {"post_info": {"privacy_level": "SELF_ONLY"}, "source_info": play.source(3)}
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {play.token()}"}
    url = f"{API_URL}/v2/post/publish/video/init/"
    return Request(method="POST", url=url, headers=headers, body=json.dumps(body).encode(), timeout=5)


@pytest.mark.parametrize(
    ("fault", "error", "posts"),
    [
        ("init=unreachable", NotSent, 0),
        ("init=drop-before", Interrupted, 0),
        ("init=drop-after", Interrupted, 1),
        ("init=truncate", Interrupted, 1),
        ("init=slow:6", TimedOut, 1),
    ],
)
def test_lost_connections(play: Any, fault: str, error: type[Exception], posts: int) -> None:
    """The client gets the same error as from a network, and the request was handled or not, as the fault says."""
    request = _init(play)
    play.sim.faults.add(fault)
    with pytest.raises(error) as caught:
        FakeTransport(play.sim.handle).send(request)
    assert type(caught.value) is error
    assert len(play.sim.posts) == posts
    assert play.sim.log[-1].status == (200 if fault[5:] in {"truncate", "slow:6"} else None)
    assert play.sim.count("video_init") == 1


def test_slow_answer_in_time(play: Any) -> None:
    """A slow answer within the limit arrives, and the virtual clock has advanced."""
    request, start = _init(play), play.clock.now()
    play.sim.faults.add("init=slow:4.5")
    assert FakeTransport(play.sim.handle, wait=play.clock.advance).send(request).status == 200
    assert (play.clock.now() - start).total_seconds() == 4.5


@pytest.mark.parametrize(("kept", "received"), [("discard", 0), ("keep", 4)])
@pytest.mark.parametrize("size", [10, 4])
def test_drop_at(play: Any, kept: str, received: int, size: int) -> None:
    """A PUT is cut at a byte: the host keeps none of its bytes, or with a switch those that arrived; a whole body is stored."""
    play.sim.switches.partial_bytes = kept
    url = play.video(size).data["upload_url"]
    play.sim.faults.add("put=drop-at:4")
    headers = {"Content-Type": "video/mp4", "Content-Range": f"bytes 0-{size - 1}/{size}"}
    with pytest.raises(Interrupted):
        FakeTransport(play.sim.handle).send(Request(method="PUT", url=url, headers=headers, body=b"v" * size))
    assert play.sim.posts[0].bytes_received == (4 if size == 4 else received)


class Bytes:
    """A source over bytes."""

    fingerprint = "bytes"

    def __init__(self, content: bytes, promised: int | None = None) -> None:
        self.content = content
        self.size = len(content) if promised is None else promised

    def read(self, start: int, length: int, /) -> bytes:
        """Return bytes."""
        return self.content[start : start + length]


@given(
    size=st.integers(0, 3 * BLOCK),
    start=st.integers(0, 1000),
    reads=st.sampled_from(["all", "none", "first", "twice"]),
    in_memory=st.booleans(),
)
def test_progress(size: int, start: int, reads: str, in_memory: bool) -> None:
    """Progress grows block by block and ends at the length of the body, even if the handler reads only a part."""
    content = b"x" * (start + size)
    body = content[start:] if in_memory else FileSlice(Bytes(content), start, size)
    seen: list[int] = []

    def handle(request: Request) -> Response:
        if isinstance(request.body, FileSlice):
            for _ in range(2 if reads == "twice" else 1):
                for block in request.body.blocks():
                    assert set(block) == {ord("x")}
                    if reads == "first":
                        break
                    if reads == "none":
                        return Response(403)
        return Response(200)

    FakeTransport(handle).send(Request(method="PUT", url="https://a.example/", body=body, on_sent=seen.append))
    assert seen == sorted(set(seen))
    assert (seen[-1] if seen else 0) == size
    assert all(later - earlier <= BLOCK for earlier, later in zip([0, *seen], seen, strict=False))


def test_nothing_is_reported_as_sent_when_nothing_was(play: Any) -> None:
    """A request that was never sent reports no progress; one that was dropped after its body does."""
    seen: list[int] = []
    request = Request(method="POST", url=f"{API_URL}/v2/oauth/token/", body=b"abc", on_sent=seen.append)
    for fault in ("token=unreachable", "token:2=drop-after"):
        play.sim.faults.add(fault)
    with pytest.raises(NotSent):
        FakeTransport(play.sim.handle).send(request)
    assert seen == []
    with pytest.raises(Interrupted):
        FakeTransport(play.sim.handle).send(request)
    assert seen == [3]


def test_short_source_goes_through(play: Any) -> None:
    """A source that ends early raises the caller's error, whether or not the handler reads the source."""
    body = FileSlice(Bytes(b"abc", promised=9), 0, 9)
    with pytest.raises(SourceChanged):
        FakeTransport(lambda _request: Response(404)).send(Request(method="PUT", url="https://a.example/", body=body))


def test_answers_are_cut_and_lowered() -> None:
    """Header names arrive in lower case; of a long body the client gets one byte more than the limit."""
    transport = FakeTransport(lambda _request: DelayedResponse(200, {"X-One": "1"}, b"x" * (MAX_RESPONSE + 9), 1.0))
    response = transport.send(Request(method="GET", url="https://a.example/"))
    assert type(response) is Response
    assert (dict(response.headers), len(response.body)) == ({"x-one": "1"}, MAX_RESPONSE + 1)


def test_closed_transport_sends_nothing(play: Any) -> None:
    """After `close` the transport sends nothing; it delivered each earlier request once."""
    transport = FakeTransport(play.sim.handle)
    request = Request(method="GET", url=f"{API_URL}/nothing")
    transport.send(request)
    transport.send(request)
    transport.close()
    transport.close()
    with pytest.raises(NotSent):
        transport.send(request)
    assert len(play.sim.log) == 2


def test_dropping_handlers() -> None:
    """Any handler may drop a connection."""

    def handle(_request: Request) -> Response:
        raise ConnectionDropped(sent=True)

    with pytest.raises(Interrupted, match="dropped"):
        FakeTransport(handle).send(Request(method="GET", url="https://a.example/?token=secret"))
