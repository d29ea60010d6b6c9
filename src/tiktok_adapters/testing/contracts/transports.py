"""The contract of `Transport` and `AsyncTransport`: what holds for every transport, the in-memory fake included.

What belongs here: promises that need no socket. `tiktok_adapters.testing.contracts.wire` adds those that do.
"""

import gzip
from collections.abc import Iterator
from random import Random
from typing import Any, Final

import pytest

from tiktok_adapters.sources import BytesSource
from tiktok_adapters.testing.contracts import Contract, Run
from tiktok_adapters.testing.contracts.behaviour import MemoryPlace, Place
from tiktok_core.errors import NotSent, SourceChanged
from tiktok_core.ports import AsyncTransport, Transport
from tiktok_core.wire.http import BLOCK, MAX_RESPONSE, Body, FileSlice, Request, Response

__all__ = ["AnyTransport", "TransportContract"]

AnyTransport = Transport | AsyncTransport
"""A transport of either world."""

SECRET: Final = "canary-4711"  # noqa: S105 - it stands for one, to see whether it leaks
DATA: Final = Random(11).randbytes(2 * BLOCK + 77)  # noqa: S311 - reproducible bytes, not a secret
STATUSES: Final = [200, 201, 204, 206, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 408, 416, 429, 500, 503]
BODIES: Final[dict[str, Body]] = {
    "empty": b"",
    "one byte": b"x",
    "blocks": DATA,
    "slice": FileSlice(BytesSource(DATA), 7, BLOCK + 12),
    "empty slice": FileSlice(BytesSource(DATA), 7, 0),
}


class ShortSource(BytesSource):
    """A source that promised more bytes than it has."""

    @property
    def size(self) -> int:
        """Bytes that were promised."""
        return super().size + 1000


class Basin:
    """Takes answers, and remembers how they came."""

    def __init__(self) -> None:
        self.heads: list[Response] = []
        self.blocks: list[bytes] = []

    def sink(self, head: Response) -> "Basin":
        """Take this answer."""
        self.heads.append(head)
        return self

    def write(self, block: bytes, /) -> None:
        """Take a block of it."""
        self.blocks.append(block)

    @property
    def content(self) -> bytes:
        """All blocks in their order."""
        return b"".join(self.blocks)


class TransportContract(Contract):
    """Bind it with the fixture `transport`, which the contract closes, and with `place` where that is not in memory."""

    @pytest.fixture
    def place(self) -> Any:
        """Return where the requests go."""
        return MemoryPlace()

    @pytest.fixture
    def transport(self) -> AnyTransport:
        """Return the transport to test."""
        raise NotImplementedError("a binding defines the fixture `transport`")

    @pytest.fixture
    def http(self, transport: AnyTransport, run: Run) -> Iterator[AnyTransport]:
        """Return the transport, and close it after the test."""
        yield transport
        run(transport.close())

    @pytest.mark.parametrize("status", STATUSES)
    def test_any_status_is_an_answer(self, http: AnyTransport, place: Place, run: Run, status: int) -> None:
        """A transport judges no status: that is the core's work."""
        response = run(http.send(Request(method="GET", url=f"{place.base_url}/status/{status}")))
        assert type(response) is Response
        assert response.status == status

    def test_header_names_come_in_lower_case(self, http: AnyTransport, place: Place, run: Run) -> None:
        """A header is found whatever its spelling was, and its value is as it was sent."""
        headers = run(http.send(Request(method="GET", url=f"{place.base_url}/headers"))).headers
        assert headers["x-mixed"] == "one"
        assert headers["x-odd"] == 'a; b="c, d"; ü=✓'
        assert all(name == name.lower() for name in headers)

    def test_repeated_headers_are_joined(self, http: AnyTransport, place: Place, run: Run) -> None:
        """No value of a repeated header is lost."""
        assert run(http.send(Request(method="GET", url=f"{place.base_url}/headers"))).headers["x-twice"] == "a, b"

    @pytest.mark.parametrize("value", ["plain", 'a;b="c, d"', "Bearer act.x%20y", "=?utf-8?q?x?=", "ü ✓"])
    def test_header_values_arrive(self, http: AnyTransport, place: Place, run: Run, value: str) -> None:
        """Values of request headers are not touched."""
        run(http.send(Request(method="GET", url=f"{place.base_url}/echo", headers={"X-Value": value})))
        assert place.seen[-1].header("x-value") == value

    @pytest.mark.parametrize("target", ["/echo", "/echo?b=%2f%2F&a=~%7E&x=+&e=&y=a:b@c/d?", "/echo?t=a%20b%C3%BC"])
    def test_the_target_arrives_as_it_was_spelled(
        self, http: AnyTransport, place: Place, run: Run, target: str
    ) -> None:
        """A URL may be signed, so nothing in it is encoded, decoded or sorted anew."""
        run(http.send(Request(method="GET", url=place.base_url + target)))
        assert place.seen[-1].target == target

    @pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
    @pytest.mark.parametrize("method", ["POST", "PUT"])
    def test_bodies_arrive_byte_for_byte(
        self, http: AnyTransport, place: Place, run: Run, method: str, body: Body
    ) -> None:
        """What was given is what arrives, bytes and slices alike."""
        expected = b"".join(body.blocks()) if isinstance(body, FileSlice) else body
        run(http.send(Request(method=method, url=f"{place.base_url}/status/200", body=body)))
        assert (place.seen[-1].method, place.seen[-1].body) == (method, expected)

    def test_the_same_request_can_be_sent_again(self, http: AnyTransport, place: Place, run: Run) -> None:
        """A request is a value: sending it uses nothing up."""
        request = Request(method="PUT", url=f"{place.base_url}/status/201", body=FileSlice(BytesSource(DATA), 5, 4000))
        assert [run(http.send(request)).status for _ in range(3)] == [201, 201, 201]
        assert [seen.body for seen in place.seen] == [DATA[5:4005]] * 3

    @pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_a_redirect_is_not_followed(
        self, http: AnyTransport, place: Place, run: Run, method: str, status: int
    ) -> None:
        """A request carries secrets or a video: it goes where it was sent, and nowhere else."""
        body = b"" if method == "GET" else b"video"
        response = run(http.send(Request(method=method, url=f"{place.base_url}/status/{status}", body=body)))
        assert (response.status, response.headers["location"]) == (status, "/landed")
        assert [seen.path for seen in place.seen] == [f"/status/{status}"]

    @pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
    def test_progress_counts_up_to_the_length(self, http: AnyTransport, place: Place, run: Run, body: Body) -> None:
        """`on_sent` hears growing numbers of which the last is the body's length; without a body, nothing."""
        heard: list[int] = []
        request = Request(method="PUT", url=f"{place.base_url}/status/200", body=body, on_sent=heard.append)
        run(http.send(request))
        assert heard == sorted(set(heard))
        assert heard[-1:] == ([request.content_length] if request.content_length else [])
        assert len(heard) >= request.content_length // BLOCK

    def test_the_error_of_a_callback_reaches_the_caller(self, http: AnyTransport, place: Place, run: Run) -> None:
        """Whoever stops an upload from `on_sent` gets their own error back, also one that a socket could raise."""
        stop = TimeoutError("stopped by the user")

        def on_sent(_sent: int) -> None:
            raise stop

        body = FileSlice(BytesSource(DATA), 0, len(DATA))
        with pytest.raises(TimeoutError) as caught:
            run(http.send(Request(method="PUT", url=f"{place.base_url}/echo", body=body, on_sent=on_sent)))
        assert caught.value is stop
        assert run(http.send(Request(method="GET", url=f"{place.base_url}/status/200"))).status == 200

    def test_a_source_that_ends_early_reaches_the_caller(self, http: AnyTransport, place: Place, run: Run) -> None:
        """`SourceChanged` is no trouble of the network; and the next request does not suffer from it."""
        body = FileSlice(ShortSource(DATA), 0, len(DATA) + 1000)
        with pytest.raises(SourceChanged):
            run(http.send(Request(method="PUT", url=f"{place.base_url}/status/200", body=body, timeout=2)))
        assert run(http.send(Request(method="GET", url=f"{place.base_url}/status/200"))).status == 200

    @pytest.mark.parametrize("extra", [-1, 0, 1, 2, 500_000])
    def test_a_long_answer_is_cut(self, http: AnyTransport, place: Place, run: Run, extra: int) -> None:
        """At most one byte more than `MAX_RESPONSE` is kept, by which the core knows; the next request is well."""
        size = MAX_RESPONSE + extra
        response = run(http.send(Request(method="GET", url=f"{place.base_url}/large/{size}")))
        assert len(response.body) == min(size, MAX_RESPONSE + 1)
        assert run(http.send(Request(method="POST", url=f"{place.base_url}/echo", body=b"well"))).body == b"well"

    def test_a_long_answer_goes_to_its_sink(self, http: AnyTransport, place: Place, run: Run) -> None:
        """All of it, in order, and in blocks that can be held; nothing of it is kept, and the next request is well."""
        basin = Basin()
        response = run(http.send(Request(method="POST", url=f"{place.base_url}/echo", body=DATA, sink=basin.sink)))
        assert (response.status, response.body) == (200, b"")
        assert basin.content == DATA
        assert max(map(len, basin.blocks)) <= BLOCK
        assert run(http.send(Request(method="POST", url=f"{place.base_url}/echo", body=b"well"))).body == b"well"

    def test_a_sink_is_chosen_by_the_head(self, http: AnyTransport, place: Place, run: Run) -> None:
        """Status and headers are told before the body is read; an answer that is declined is kept as any other."""
        heads: list[Response] = []
        url = f"{place.base_url}/status/404"
        response = run(http.send(Request(method="GET", url=url, sink=heads.append)))
        assert (response.status, response.body) == (404, b"as asked")
        assert [(head.status, head.headers, head.body) for head in heads] == [(404, response.headers, b"")]

    def test_each_send_chooses_anew(self, http: AnyTransport, place: Place, run: Run) -> None:
        """A request that is repeated begins its answer from the front."""
        basin = Basin()
        request = Request(method="POST", url=f"{place.base_url}/echo", body=b"one ", sink=basin.sink)
        assert [run(http.send(request)).body for _ in range(2)] == [b"", b""]
        assert (len(basin.heads), basin.content) == (2, b"one one ")

    def test_what_goes_to_a_sink_is_not_decoded(self, http: AnyTransport, place: Place, run: Run) -> None:
        """A compressed answer stays as it came there, too."""
        basin = Basin()
        run(http.send(Request(method="GET", url=f"{place.base_url}/gzip", sink=basin.sink)))
        assert gzip.decompress(basin.content) == b"plain"

    @pytest.mark.parametrize("where", ["sink", "write"])
    def test_the_error_of_a_sink_reaches_the_caller(
        self, http: AnyTransport, place: Place, run: Run, monkeypatch: pytest.MonkeyPatch, where: str
    ) -> None:
        """A full disk is no trouble of the network, also where its error is one that a socket could raise."""
        full, basin = OSError("no space left"), Basin()

        def fail(_what: object) -> None:
            raise full

        monkeypatch.setattr(basin, where, fail)
        with pytest.raises(OSError, match="no space") as caught:
            run(http.send(Request(method="GET", url=f"{place.base_url}/large/{3 * BLOCK}", sink=basin.sink)))
        assert caught.value is full
        assert run(http.send(Request(method="GET", url=f"{place.base_url}/status/200"))).status == 200

    def test_content_is_not_decoded(self, http: AnyTransport, place: Place, run: Run) -> None:
        """A compressed answer stays as it came: unpacking could fill the memory."""
        response = run(http.send(Request(method="GET", url=f"{place.base_url}/gzip")))
        assert gzip.decompress(response.body) == b"plain"

    def test_after_closing_nothing_is_sent(self, http: AnyTransport, place: Place, run: Run) -> None:
        """Use after close is `NotSent`, a second close does nothing, and the error shows no query."""
        run(http.close())
        run(http.close())
        with pytest.raises(NotSent) as caught:
            run(http.send(Request(method="GET", url=f"{place.base_url}/echo?upload_token={SECRET}")))
        assert SECRET not in str(caught.value) + repr(caught.value)
        assert place.seen == []
