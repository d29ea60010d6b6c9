"""The contract of transports over real sockets: promises that hold when the server or the network misbehaves.

What belongs here: promises that need a socket. Binding `WireContract` also binds `TransportContract`.

Longer than 400 lines because a contract is one class that an adapter binds.
"""

import logging
import pickle
import socket
import traceback
from collections.abc import Iterator
from random import Random
from typing import Any, Final

import pytest

from tiktok_adapters.sources import BytesSource
from tiktok_adapters.testing.contracts import Run
from tiktok_adapters.testing.contracts.behaviour import REFUSED, TAKEN, BehaviourServer
from tiktok_adapters.testing.contracts.transports import DATA, SECRET, AnyTransport, Basin, TransportContract
from tiktok_core.errors import Interrupted, NotSent, TimedOut, TransportError
from tiktok_core.wire.http import BLOCK, Body, FileSlice, Request

__all__ = ["WireContract"]

PATIENCE: Final = 0.15
"""Seconds that a request in these tests waits for an answer that never comes."""

MUCH: Final = FileSlice(BytesSource(bytes(16 * BLOCK)), 0, 16 * BLOCK)
"""More bytes than the buffers between two sockets hold at first."""
TOO_MUCH: Final = FileSlice(BytesSource(bytes(96 * BLOCK)), 0, 96 * BLOCK)
"""More bytes than those buffers may grow to: Linux lets the one of a reader grow to 32 MiB."""


class _Filling(BytesSource):
    def read_into(self, start: int, buffer: memoryview, /) -> int:
        part = self.read(start, len(buffer))
        buffer[: len(part)] = part
        return len(part)


VARIED: Final = FileSlice(_Filling(Random(9).randbytes(BLOCK + BLOCK // 2)), 0, BLOCK + BLOCK // 2)  # noqa: S311 - no secret
"""A body in reused memory, in which each byte differs from the byte one block later."""

SENDS: Final[dict[str, tuple[str, Body]]] = {
    "GET": ("GET", b""),
    "HEAD": ("HEAD", b""),
    "DELETE": ("DELETE", b""),
    "POST": ("POST", b"form"),
    "empty POST": ("POST", b""),
    "PUT": ("PUT", b"video"),
    "empty PUT": ("PUT", b""),
    "PUT of a slice": ("PUT", FileSlice(BytesSource(DATA), 3, BLOCK + 5)),
}
BROKEN: Final = [
    "/reset-after-head",
    "/reset-after-body",
    "/close-after-body",
    "/truncated",
    "/truncated-head",
    "/truncated-chunks",
    "/garbage",
]


def _everything(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + repr(error) + repr(error.__dict__)


class WireContract(TransportContract):
    """Bind it with the fixture `transport`, which the contract closes."""

    @pytest.fixture
    def place(self) -> Iterator[BehaviourServer]:
        """Return the server of the tests."""
        with BehaviourServer() as server:
            yield server

    @pytest.fixture
    def narrow_place(self) -> Iterator[BehaviourServer]:
        """Return a server with small buffers, as at the end of a real line."""
        with BehaviourServer(narrow=True) as server:
            yield server

    # --- What is sent ------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize(("method", "body"), SENDS.values(), ids=SENDS)
    def test_the_length_is_always_explicit(
        self, http: AnyTransport, place: BehaviourServer, run: Run, method: str, body: Body
    ) -> None:
        """Every body has a Content-Length, even an empty one, and none is chunked."""
        request = Request(method=method, url=f"{place.base_url}/status/200", body=body)
        run(http.send(request))
        length = str(request.content_length)
        assert place.seen[0].header("content-length") in ({length} if method in {"POST", "PUT"} else {"0", None})
        assert place.seen[0].header("transfer-encoding") is None

    @pytest.mark.parametrize(("method", "body"), SENDS.values(), ids=SENDS)
    def test_no_header_is_made_up(
        self, http: AnyTransport, place: BehaviourServer, run: Run, method: str, body: Body
    ) -> None:
        """The transport adds no header. In particular it guesses no content type and asks for no compression."""
        run(http.send(Request(method=method, url=f"{place.base_url}/echo", headers={"X-Mine": "1"}, body=body)))
        names = [name for name, _ in place.seen[0].headers]
        assert set(names) <= {"host", "user-agent", "connection", "accept-encoding", "content-length", "x-mine"}
        assert len(names) == len(set(names))
        assert place.seen[0].header("accept-encoding") == "identity"

    def test_headers_that_were_given_win(self, http: AnyTransport, place: BehaviourServer, run: Run) -> None:
        """A header of the request replaces the header that the library would send."""
        given = {"user-agent": "ours/1", "CONTENT-TYPE": "video/mp4", "accept-encoding": "br", "Accept": "text/x"}
        run(http.send(Request(method="POST", url=f"{place.base_url}/echo", headers=given, body=b"x")))
        for name, value in given.items():
            assert [found for key, found in place.seen[0].headers if key == name.lower()] == [value]

    def test_the_head_of_an_answer_has_no_body(self, http: AnyTransport, place: BehaviourServer, run: Run) -> None:
        """After HEAD the transport waits for no body."""
        response = run(http.send(Request(method="HEAD", url=f"{place.base_url}/large/100", timeout=PATIENCE)))
        assert (response.status, response.headers["content-length"], response.body) == (200, "100", b"")

    def test_cookies_are_not_kept(self, http: AnyTransport, place: BehaviourServer, run: Run) -> None:
        """Cookies of one account's answer are not sent with another account's request."""
        for _ in range(2):
            run(http.send(Request(method="GET", url=f"{place.base_url}/status/200")))
        assert [seen.header("cookie") for seen in place.seen] == [None, None]

    def test_nothing_of_a_redirect_reaches_another_server(
        self, http: AnyTransport, place: BehaviourServer, run: Run
    ) -> None:
        """Neither body nor header follows a redirect to a foreign host."""
        with BehaviourServer() as foreign:
            headers = {"X-Location": f"{foreign.base_url}/echo", "Authorization": "Bearer x"}
            url = f"{place.base_url}/status/307"
            assert run(http.send(Request(method="PUT", url=url, headers=headers, body=b"video"))).status == 307
        assert foreign.seen == []

    def test_the_environment_names_no_proxy(
        self, http: AnyTransport, place: BehaviourServer, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Requests use no proxy unless the program has configured one."""
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        assert run(http.send(Request(method="GET", url=f"{place.base_url}/status/200"))).status == 200

    # --- One send is one request -------------------------------------------------------------------------------------

    @pytest.mark.parametrize("body", [b"", DATA[:BLOCK], MUCH], ids=["none", "one block", "many blocks"])
    def test_an_interim_answer_is_not_the_answer(
        self, http: AnyTransport, place: BehaviourServer, run: Run, body: Body
    ) -> None:
        """The transport skips interim answers (1xx) before and after the body. The next request gets its own answer."""
        interim = Request(method="PUT", url=f"{place.base_url}/interim", body=body, timeout=5)
        for _ in range(2):
            response = run(http.send(interim))
            assert (response.status, response.body) == (200, b"the real one")
        assert run(http.send(Request(method="POST", url=f"{place.base_url}/echo", body=b"mine"))).body == b"mine"
        assert {seen.connection for seen in place.seen} == {0}
        sent = b"".join(body.blocks()) if isinstance(body, FileSlice) else body
        assert [seen.body == sent for seen in place.seen[:2]] == [True, True]

    @pytest.mark.parametrize(("method", "body"), SENDS.values(), ids=SENDS)
    def test_a_request_on_a_dropped_connection_is_not_repeated(
        self, http: AnyTransport, place: BehaviourServer, run: Run, method: str, body: Body
    ) -> None:
        """An idle connection that breaks during a request makes it `Interrupted`, and the server gets the request once."""
        request = Request(method=method, url=f"{place.base_url}/second-dropped", body=body)
        assert run(http.send(request)).status == 200
        try:
            run(http.send(request))
        except Interrupted:
            assert place.seen[1].connection == place.seen[0].connection
        assert len(place.seen) == 2

    @pytest.mark.parametrize(("method", "body"), SENDS.values(), ids=SENDS)
    def test_a_fresh_connection_is_a_new_one(
        self, http: AnyTransport, place: BehaviourServer, run: Run, method: str, body: Body
    ) -> None:
        """With `fresh_connection` the transport uses a new connection, because an idle one could break and leave a doubt."""
        url = f"{place.base_url}/second-dropped"
        run(http.send(Request(method="GET", url=url)))
        for _ in range(2):
            request = Request(method=method, url=url, body=body, fresh_connection=True)
            assert run(http.send(request)).status == 200
        assert len({seen.connection for seen in place.seen}) == len(place.seen) == 3

    def test_a_server_that_hangs_up_is_called_again(self, http: AnyTransport, place: BehaviourServer, run: Run) -> None:
        """The transport notices that the server closed an idle connection, or reports a doubt. It never sends twice."""
        request = Request(method="PUT", url=f"{place.base_url}/hang-up", body=b"video")
        answered = 0
        for _ in range(5):
            try:
                answered += run(http.send(request)).status == 200
            except Interrupted:
                continue
        assert answered >= 1
        assert answered <= len(place.seen) <= 5

    @pytest.mark.parametrize("path", BROKEN)
    @pytest.mark.parametrize("sends", SENDS.values(), ids=SENDS)
    def test_a_broken_exchange_is_interrupted_and_not_repeated(
        self, http: AnyTransport, place: BehaviourServer, run: Run, path: str, sends: tuple[str, Body]
    ) -> None:
        """Once bytes were sent, every failure is `Interrupted`, and the server gets one request."""
        method, body = sends
        # An answer to HEAD has no body that could be cut off.
        if method == "HEAD" and path in {"/truncated", "/truncated-chunks"}:
            path = "/truncated-head"
        with pytest.raises(Interrupted) as caught:
            run(http.send(Request(method=method, url=place.base_url + path, body=body)))
        assert not isinstance(caught.value, TimedOut), "the break was waited out and not noticed"
        assert len(place.seen) == 1
        assert run(http.send(Request(method="GET", url=f"{place.base_url}/status/200"))).status == 200

    def test_a_reset_before_the_request_is_no_answer(self, http: AnyTransport, run: Run) -> None:
        """A server that resets the connection may have got the request, so the result is an error and no answer."""
        with BehaviourServer(slam=True) as slammer, pytest.raises((Interrupted, NotSent)):
            run(http.send(Request(method="PUT", url=f"{slammer.base_url}/echo", body=b"video")))

    # --- Odd answers -------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("name", REFUSED)
    def test_what_is_not_http_is_no_answer(
        self, http: AnyTransport, place: BehaviourServer, run: Run, name: str
    ) -> None:
        """Every transport raises `Interrupted` for an answer that HTTP does not allow, or that leaves its end open."""
        with pytest.raises(Interrupted) as caught:
            run(http.send(Request(method="POST", url=f"{place.base_url}/odd/{name}", body=b"x", timeout=5)))
        self.check_is_ours(caught.value)
        assert len(place.seen) == 1
        assert run(http.send(Request(method="POST", url=f"{place.base_url}/echo", body=b"mine"))).body == b"mine"

    @pytest.mark.parametrize("name", TAKEN)
    def test_what_http_allows_is_an_answer(
        self, http: AnyTransport, place: BehaviourServer, run: Run, name: str
    ) -> None:
        """Every transport reads unusual answers that HTTP allows. Each header can be encoded as UTF-8."""
        response = run(http.send(Request(method="POST", url=f"{place.base_url}/odd/{name}", body=b"x", timeout=5)))
        assert (response.status, response.body) == (200, b"ok")
        assert all((header + value).encode() for header, value in response.headers.items())

    def test_interim_answers_without_end_end_with_the_time_limit(
        self, http: AnyTransport, place: BehaviourServer, run: Run
    ) -> None:
        """A server that sends interim answers for ever cannot block a caller longer than `time_limit`."""
        url = f"{place.base_url}/interim-drip"
        with pytest.raises(TimedOut):
            run(http.send(Request(method="POST", url=url, body=b"x", time_limit=2 * PATIENCE)))

    def test_what_comes_behind_an_answer_belongs_to_no_request(
        self, http: AnyTransport, place: BehaviourServer, run: Run
    ) -> None:
        """A second answer without a request never counts as the answer to the next request."""
        for _ in range(2):
            try:
                response = run(http.send(Request(method="GET", url=f"{place.base_url}/two-answers")))
            except Interrupted:
                pass
            else:
                assert response.body == b"ok"
            assert run(http.send(Request(method="POST", url=f"{place.base_url}/echo", body=b"mine"))).body == b"mine"

    # --- Long answers ------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("path", ["/truncated", "/truncated-chunks"])
    def test_an_answer_to_a_sink_that_is_cut_is_interrupted(
        self, http: AnyTransport, place: BehaviourServer, run: Run, path: str
    ) -> None:
        """The sink gets the beginning of the answer, the call raises `Interrupted`, and nothing is sent again."""
        basin = Basin()
        with pytest.raises(Interrupted) as caught:
            run(http.send(Request(method="POST", url=place.base_url + path, body=b"x", sink=basin.sink)))
        assert not isinstance(caught.value, TimedOut), "the break was waited out and not noticed"
        assert b"shortcut".startswith(basin.content)
        assert len(place.seen) == 1
        assert run(http.send(Request(method="GET", url=f"{place.base_url}/status/200"))).status == 200

    def test_an_answer_in_chunks_goes_to_its_sink(self, http: AnyTransport, place: BehaviourServer, run: Run) -> None:
        """A chunked answer, whose length is not known before, goes to its sink completely."""
        basin = Basin()
        run(http.send(Request(method="POST", url=f"{place.base_url}/chunks", sink=basin.sink)))
        assert basin.content == b"whole chunk"

    def test_a_sink_waits_no_longer_than_others(self, http: AnyTransport, place: BehaviourServer, run: Run) -> None:
        """The time limit also holds while a sink gets an answer."""
        request = Request(method="GET", url=f"{place.base_url}/trickle", time_limit=PATIENCE, sink=Basin().sink)
        with pytest.raises(TimedOut):
            run(http.send(request))

    # --- Nothing left ------------------------------------------------------------------------------------------------

    def test_a_refused_connection_is_not_sent(self, http: AnyTransport, run: Run) -> None:
        """A refused connection is `NotSent`, so repeating is safe."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        with pytest.raises(NotSent):
            run(http.send(Request(method="POST", url=f"http://127.0.0.1:{port}/echo", body=b"x")))

    def test_an_unknown_host_is_not_sent(self, http: AnyTransport, run: Run) -> None:
        """A host name that does not exist is `NotSent`."""
        with pytest.raises(NotSent):
            run(http.send(Request(method="POST", url="http://nowhere.invalid/echo", body=b"x")))

    def test_a_server_without_tls_is_not_sent_to(self, http: AnyTransport, run: Run) -> None:
        """A server that does not speak TLS gets no request, and not without TLS either."""
        with BehaviourServer() as plain:
            url = plain.base_url.replace("http:", "https:")
            with pytest.raises(NotSent):
                run(http.send(Request(method="PUT", url=f"{url}/echo", body=b"video", timeout=2)))
            assert not any(seen.body or seen.path == "/echo" for seen in plain.seen)

    def test_a_url_that_is_none_is_not_sent(self, http: AnyTransport, run: Run) -> None:
        """An invalid URL is `NotSent`."""
        for url in ("ftp://127.0.0.1/x", "http:///x", "http://127.0.0.1:notaport/", "nonsense", ""):
            with pytest.raises(NotSent):
                run(http.send(Request(method="GET", url=url)))

    # --- In time: a client that waits for too long gets a good answer in the end, and then the test fails ------------

    def test_a_silent_server_is_not_waited_for(self, http: AnyTransport, place: BehaviourServer, run: Run) -> None:
        """No answer within `timeout` is `TimedOut`."""
        with pytest.raises(TimedOut):
            run(http.send(Request(method="POST", url=f"{place.base_url}/silent", body=b"x", timeout=PATIENCE)))

    @pytest.mark.parametrize("path", ["/silent", "/trickle", "/trickle-head"])
    def test_the_time_limit_is_for_all_waits_together(
        self, http: AnyTransport, place: BehaviourServer, run: Run, path: str
    ) -> None:
        """A server that sends single bytes slowly cannot block a caller longer than `time_limit`."""
        with pytest.raises(TimedOut):
            run(http.send(Request(method="GET", url=place.base_url + path, time_limit=PATIENCE)))

    def test_a_server_that_does_not_read_is_not_waited_for(
        self, http: AnyTransport, place: BehaviourServer, run: Run
    ) -> None:
        """If the server takes no bytes within `timeout`, the result is `TimedOut`."""
        with pytest.raises(TimedOut):
            run(http.send(Request(method="PUT", url=f"{place.base_url}/stalled", body=MUCH, timeout=PATIENCE)))

    def test_the_time_limit_holds_while_sending(self, http: AnyTransport, place: BehaviourServer, run: Run) -> None:
        """A server that reads slowly cannot block a caller longer than `time_limit`."""
        request = Request(method="PUT", url=f"{place.base_url}/slow-reader", body=MUCH, time_limit=2 * PATIENCE)
        with pytest.raises(TimedOut):
            run(http.send(request))

    def test_a_slow_line_is_waited_for(self, http: AnyTransport, narrow_place: BehaviourServer, run: Run) -> None:
        """`timeout` limits each wait without progress: a megabyte may take longer, as long as bytes are sent.

        The server's pauses together are longer than `timeout`. Blocks that wait to be sent are not overwritten meanwhile.
        """
        request = Request(method="PUT", url=f"{narrow_place.base_url}/slow-line", body=VARIED, timeout=2)
        assert run(http.send(request)).status == 200
        assert narrow_place.seen[0].body == b"".join(VARIED.blocks())

    @pytest.mark.parametrize("path", ["/early", "/early-open", "/early-midway"])
    def test_an_answer_before_the_body_has_left_ends_the_wait(
        self, http: AnyTransport, place: BehaviourServer, run: Run, path: str
    ) -> None:
        """An early refusal is reported if it can be read, and the call does not hang."""
        try:
            response = run(http.send(Request(method="PUT", url=place.base_url + path, body=TOO_MUCH, timeout=1)))
        except Interrupted:
            pass
        else:
            assert (response.status, response.body) == (403, b"too early")
        assert len(place.seen) == 1
        assert run(http.send(Request(method="GET", url=f"{place.base_url}/status/200"))).status == 200

    # --- Secrets -----------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("path", [*BROKEN, "/silent", "/trickle", "/early", "/status/307", "/second-dropped"])
    def test_no_query_is_shown(
        self, http: AnyTransport, place: BehaviourServer, run: Run, caplog: pytest.LogCaptureFixture, path: str
    ) -> None:
        """The query of a URL may be the key to an upload. No error and no log of any level shows it."""
        caplog.set_level(logging.DEBUG)
        url = f"{place.base_url}{path}?upload_token={SECRET}"
        headers = {"Authorization": f"Bearer {SECRET}"}
        request = Request(method="PUT", url=url, headers=headers, body=MUCH, timeout=PATIENCE, time_limit=3 * PATIENCE)
        for _ in range(2):
            try:
                run(http.send(request))
            except TransportError as error:
                self.check_is_ours(error)
        assert SECRET not in caplog.text

    def test_no_query_is_shown_when_nothing_was_sent(
        self, http: AnyTransport, run: Run, caplog: pytest.LogCaptureFixture
    ) -> None:
        """An error before the first byte does not show the query either."""
        caplog.set_level(logging.DEBUG)
        nowhere = ("http://nowhere.invalid", "http://127.0.0.1:9", "ftp://x", f"http://{SECRET}@127.0.0.1:9")
        with BehaviourServer() as plain:
            for base in (plain.base_url.replace("http:", "https:"), *nowhere):
                with pytest.raises(NotSent) as caught:
                    run(http.send(Request(method="GET", url=f"{base}/?upload_token={SECRET}", timeout=2)))
                self.check_is_ours(caught.value)
        assert SECRET not in caplog.text

    def check_is_ours(self, error: TransportError) -> None:
        """Assert that the error shows no secret, has no foreign error as cause or context, and can be pickled."""
        assert SECRET not in _everything(error)
        assert error.__cause__ is None
        assert error.reason
        assert not error.reason.endswith(".")
        copy: Any = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
        assert (type(copy), copy.request, copy.reason) == (type(error), error.request, error.reason)
