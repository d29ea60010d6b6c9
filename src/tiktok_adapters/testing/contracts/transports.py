"""The contract of `Transport` and `AsyncTransport`: promises of every transport, including the in-memory fake.

What belongs here: promises that need no socket. `tiktok_adapters.testing.contracts.wire` adds those that need one.

Longer than 400 lines because a contract is one class that an adapter binds.
"""

import asyncio
import gzip
import inspect
import os
import queue
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any, Final

import pytest

from tiktok_adapters.sources import BytesSource
from tiktok_adapters.testing.contracts import Contract, Run, ended
from tiktok_adapters.testing.contracts.behaviour import MemoryPlace, Place
from tiktok_core.errors import Interrupted, InvalidPost, Misused, NotSent, Problem, SourceChanged
from tiktok_core.ports import AsyncTransport, Source, Transport
from tiktok_core.wire.http import BLOCK, MAX_RESPONSE, Body, FileSlice, Request, Response

__all__ = ["AnyTransport", "TransportContract"]

AnyTransport = Transport | AsyncTransport
"""A blocking or asynchronous transport."""

SECRET: Final = "canary-4711"  # noqa: S105 - a sample, to detect leaks
DATA: Final = Random(11).randbytes(2 * BLOCK + 77)  # noqa: S311 - reproducible bytes, not a secret
STATUSES: Final = [200, 201, 204, 206, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 408, 416, 429, 500, 503]
BODIES: Final[dict[str, Body]] = {
    "empty": b"",
    "one byte": b"x",
    "blocks": DATA,
    "slice": FileSlice(BytesSource(DATA), 7, BLOCK + 12),
    "empty slice": FileSlice(BytesSource(DATA), 7, 0),
}


class Own(BaseException):
    """An error of the caller that is not an `Exception`."""


RAISED: Final[dict[str, Callable[[], BaseException]]] = {
    "a time-out": lambda: TimeoutError("of the caller's"),
    "trouble with a file": lambda: OSError("of the caller's"),
    "an empty queue": queue.Empty,
    "not sent": lambda: NotSent("GET x", "of the caller's"),
    "interrupted": lambda: Interrupted("GET x", "of the caller's"),
    "a refusal": lambda: InvalidPost((Problem("title", "of the caller's"),)),
    "a runtime error": lambda: RuntimeError("of the caller's"),
    "a cancellation": asyncio.CancelledError,
    "Ctrl-C": KeyboardInterrupt,
    "an exit": lambda: SystemExit(3),
    "an end of iteration": StopAsyncIteration,
    "a closed generator": GeneratorExit,
    "an error of its own kind": Own,
}
"""Errors that the caller's code may raise, including those of sockets, HTTP libraries, this library and event loops."""


class Raising(BytesSource):
    """A source that fails from an offset on, and counts how far it was read."""

    def __init__(self, error: BaseException | None = None, *, at: int = 0) -> None:
        super().__init__(bytes(16 * BLOCK))
        self.error = error
        self.at = at
        self.furthest = 0

    @property
    def whole(self) -> FileSlice:
        """The whole source as a body."""
        return FileSlice(self, 0, self.size)

    def read(self, start: int, length: int, /) -> bytes:
        """Return the bytes, or raise the error."""
        if self.error is not None and start + length > self.at:
            raise self.error
        self.furthest = max(self.furthest, start + length)
        return super().read(start, length)


class Odd:
    """A source whose `read` is given. It has no `read_into`.

    Args:
        read: returns a part of the bytes, in its own way.
        data: the bytes.
    """

    fingerprint = "odd"

    def __init__(self, read: Callable[[bytes, int, int], Any], data: bytes) -> None:
        self._read = read
        self._data = data

    @property
    def size(self) -> int:
        """The number of bytes."""
        return len(self._data)

    def read(self, start: int, length: int, /) -> Any:
        """Return the result of the given function."""
        return self._read(self._data, start, length)


class OddFiller(Odd):
    """A source that fills buffers, and returns the result of the given function as their count. Its `read` returns None."""

    def read(self, _start: int, _length: int, /) -> Any:
        """Return None."""
        return None

    def read_into(self, start: int, buffer: memoryview, /) -> Any:
        """Fill the buffer, and return the result of the given function."""
        part = self._data[start : start + len(buffer)]
        buffer[: len(part)] = part
        return self._read(self._data, start, len(buffer))


REUSED: Final = bytearray(BLOCK)


def _reused(data: bytes, start: int, length: int) -> memoryview:
    part = data[start : start + length]
    REUSED[:] = bytes(len(REUSED))
    REUSED[: len(part)] = part
    return memoryview(REUSED)[: len(part)]


USABLE: Final[dict[str, Callable[[bytes], Source]]] = {
    "more than asked": lambda data: Odd(lambda all_, start, length: all_[start : start + length + 1000], data),
    "far more than asked": lambda data: Odd(lambda all_, start, _length: all_[start:], data),
    "less than asked": lambda data: Odd(lambda all_, start, length: all_[start : start + (length + 2) // 3], data),
    "a bytearray": lambda data: Odd(lambda all_, start, length: bytearray(all_[start : start + length]), data),
    "a view": lambda data: Odd(lambda all_, start, length: memoryview(all_)[start : start + length], data),
    "the same buffer each time": lambda data: Odd(_reused, data),
}
"""Sources whose bytes can be sent, although they do not keep to the port."""

UNUSABLE: Final[dict[str, Callable[[bytes], Source]]] = {
    "None": lambda data: Odd(lambda _all, _start, _length: None, data),
    "str": lambda data: Odd(lambda _all, _start, length: "x" * length, data),
    "int": lambda data: Odd(lambda _all, _start, length: length, data),
    "list": lambda data: Odd(lambda all_, start, length: list(all_[start : start + length][:9]), data),
    "None for a buffer": lambda data: OddFiller(lambda _all, _start, _length: None, data),
    "bytes for a buffer": lambda data: OddFiller(lambda all_, start, length: all_[start : start + length], data),
    "more than a buffer": lambda data: OddFiller(lambda _all, _start, length: length + 1, data),
    "less than nothing": lambda data: OddFiller(lambda _all, _start, _length: -1, data),
}
"""Sources that return no bytes, or a wrong count."""


class ShortSource(BytesSource):
    """A source whose size is larger than its data."""

    @property
    def size(self) -> int:
        """The promised number of bytes."""
        return super().size + 1000


class Basin:
    """A sink that records answers and their blocks."""

    def __init__(self) -> None:
        self.heads: list[Response] = []
        self.blocks: list[bytes] = []

    def sink(self, head: Response) -> "Basin":
        """Accept this answer."""
        self.heads.append(head)
        return self

    def write(self, block: bytes, /) -> None:
        """Record a block."""
        self.blocks.append(block)

    @property
    def content(self) -> bytes:
        """All blocks in order."""
        return b"".join(self.blocks)


class TransportContract(Contract):
    """Bind it with the fixture `transport`, which the contract closes. Over sockets also bind the fixture `place`."""

    @pytest.fixture
    def place(self) -> Any:
        """Return the destination of the requests."""
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
        """A transport returns every status as an answer. The core judges it."""
        response = run(http.send(Request(method="GET", url=f"{place.base_url}/status/{status}")))
        assert type(response) is Response
        assert response.status == status

    def test_header_names_come_in_lower_case(self, http: AnyTransport, place: Place, run: Run) -> None:
        """Header names come in lower case, and values unchanged."""
        headers = run(http.send(Request(method="GET", url=f"{place.base_url}/headers"))).headers
        assert headers["x-mixed"] == "one"
        assert headers["x-odd"] == 'a; b="c, d"; ü=✓'
        assert all(name == name.lower() for name in headers)

    def test_repeated_headers_are_joined(self, http: AnyTransport, place: Place, run: Run) -> None:
        """No value of a repeated header is lost."""
        assert run(http.send(Request(method="GET", url=f"{place.base_url}/headers"))).headers["x-twice"] == "a, b"

    @pytest.mark.parametrize("value", ["plain", 'a;b="c, d"', "Bearer act.x%20y", "=?utf-8?q?x?=", "ü ✓"])
    def test_header_values_arrive(self, http: AnyTransport, place: Place, run: Run, value: str) -> None:
        """Values of request headers arrive unchanged."""
        run(http.send(Request(method="GET", url=f"{place.base_url}/echo", headers={"X-Value": value})))
        assert place.seen[-1].header("x-value") == value

    @pytest.mark.parametrize("target", ["/echo", "/echo?b=%2f%2F&a=~%7E&x=+&e=&y=a:b@c/d?", "/echo?t=a%20b%C3%BC"])
    def test_the_target_arrives_as_it_was_spelled(
        self, http: AnyTransport, place: Place, run: Run, target: str
    ) -> None:
        """A URL may be signed, so the transport does not encode, decode or sort its parts again."""
        run(http.send(Request(method="GET", url=place.base_url + target)))
        assert place.seen[-1].target == target

    @pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
    @pytest.mark.parametrize("method", ["POST", "PUT"])
    def test_bodies_arrive_byte_for_byte(
        self, http: AnyTransport, place: Place, run: Run, method: str, body: Body
    ) -> None:
        """Bodies arrive unchanged, both bytes and slices."""
        expected = b"".join(body.blocks()) if isinstance(body, FileSlice) else body
        run(http.send(Request(method=method, url=f"{place.base_url}/status/200", body=body)))
        assert (place.seen[-1].method, place.seen[-1].body) == (method, expected)

    def test_the_same_request_can_be_sent_again(self, http: AnyTransport, place: Place, run: Run) -> None:
        """A request is a value, so it can be sent more than once."""
        request = Request(method="PUT", url=f"{place.base_url}/status/201", body=FileSlice(BytesSource(DATA), 5, 4000))
        assert [run(http.send(request)).status for _ in range(3)] == [201, 201, 201]
        assert [seen.body for seen in place.seen] == [DATA[5:4005]] * 3

    @pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_a_redirect_is_not_followed(
        self, http: AnyTransport, place: Place, run: Run, method: str, status: int
    ) -> None:
        """A request holds secrets or a video, so it goes only to its own URL."""
        body = b"" if method == "GET" else b"video"
        response = run(http.send(Request(method=method, url=f"{place.base_url}/status/{status}", body=body)))
        assert (response.status, response.headers["location"]) == (status, "/landed")
        assert [seen.path for seen in place.seen] == [f"/status/{status}"]

    @pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
    def test_progress_counts_up_to_the_length(self, http: AnyTransport, place: Place, run: Run, body: Body) -> None:
        """`on_sent` gets growing numbers, the last of which is the body's length. Without a body it is not called."""
        heard: list[int] = []
        request = Request(method="PUT", url=f"{place.base_url}/status/200", body=body, on_sent=heard.append)
        run(http.send(request))
        assert heard == sorted(set(heard))
        assert heard[-1:] == ([request.content_length] if request.content_length else [])
        assert len(heard) >= request.content_length // BLOCK

    @pytest.mark.parametrize("raised", RAISED.values(), ids=RAISED)
    def test_what_a_callback_raises_reaches_the_caller_as_it_is(
        self, http: AnyTransport, place: Place, run: Run, raised: Callable[[], BaseException]
    ) -> None:
        """An error that `on_sent` raises reaches the caller unchanged, and no more of the body is sent after it.

        The transport does not repeat the request, and uses the connection for no other.
        """
        stop, heard, source = raised(), list[int](), Raising()

        def on_sent(sent: int) -> None:
            heard.append(sent)
            raise stop

        request = Request(method="PUT", url=f"{place.base_url}/echo", body=source.whole, on_sent=on_sent)
        assert ended(run, lambda: http.send(request)) is stop
        assert len(heard) == 1
        assert source.furthest < source.size
        echo = Request(method="POST", url=f"{place.base_url}/echo", body=b"mine")
        assert run(http.send(echo)).body == b"mine"
        assert len(place.seen) <= 2

    def test_the_end_of_an_iteration_reaches_the_caller_as_the_language_allows(
        self, http: AnyTransport, place: Place, run: Run
    ) -> None:
        """A callback's `StopIteration` leaves a function unchanged, and a coroutine as the cause of a `RuntimeError`."""
        stop = StopIteration("mine")

        def on_sent(_sent: int) -> None:
            raise stop

        request = Request(method="PUT", url=f"{place.base_url}/echo", body=b"video", on_sent=on_sent)
        found = ended(run, lambda: http.send(request))
        assert found is stop or (type(found) is RuntimeError and found.__cause__ is stop)
        assert (found is stop) == (not inspect.iscoroutinefunction(http.send))

    @pytest.mark.parametrize("at", [0, 2 * BLOCK])
    @pytest.mark.parametrize("raised", RAISED.values(), ids=RAISED)
    def test_what_a_source_raises_reaches_the_caller_as_it_is(
        self, http: AnyTransport, place: Place, run: Run, raised: Callable[[], BaseException], at: int
    ) -> None:
        """An error of the source before or after its first byte reaches the caller, and the next request works."""
        broken = raised()
        body = Raising(broken, at=at).whole
        assert ended(run, lambda: http.send(Request(method="PUT", url=f"{place.base_url}/echo", body=body))) is broken
        assert run(http.send(Request(method="POST", url=f"{place.base_url}/echo", body=b"mine"))).body == b"mine"

    @pytest.mark.parametrize("source", USABLE.values(), ids=USABLE)
    def test_no_byte_leaves_behind_the_length_that_was_told(
        self, http: AnyTransport, place: Place, run: Run, source: Callable[[bytes], Source]
    ) -> None:
        """The body has its length and content, even if the source returns more, less or memory that it reuses."""
        body = FileSlice(source(DATA), 7, BLOCK + 12)
        run(http.send(Request(method="PUT", url=f"{place.base_url}/status/200", body=body)))
        run(http.send(Request(method="PUT", url=f"{place.base_url}/status/200", body=b"next")))
        assert [seen.body for seen in place.seen] == [DATA[7 : BLOCK + 19], b"next"]

    @pytest.mark.parametrize("source", UNUSABLE.values(), ids=UNUSABLE)
    def test_a_source_that_gives_no_bytes_is_told_in_one_sentence(
        self, http: AnyTransport, place: Place, run: Run, source: Callable[[bytes], Source]
    ) -> None:
        """If a source returns no bytes or a wrong count, the error names the source, and nothing wrong is sent."""
        body = FileSlice(source(DATA), 7, BLOCK + 12)
        with pytest.raises(SourceChanged, match=r"the source's read(_into)?\(\) (returned|says) "):
            run(http.send(Request(method="PUT", url=f"{place.base_url}/status/200", body=body, timeout=2)))
        assert run(http.send(Request(method="GET", url=f"{place.base_url}/status/200"))).status == 200

    def test_a_source_that_ends_early_reaches_the_caller(self, http: AnyTransport, place: Place, run: Run) -> None:
        """`SourceChanged` reaches the caller and is not reported as a network error, and the next request works."""
        body = FileSlice(ShortSource(DATA), 0, len(DATA) + 1000)
        with pytest.raises(SourceChanged):
            run(http.send(Request(method="PUT", url=f"{place.base_url}/status/200", body=body, timeout=2)))
        assert run(http.send(Request(method="GET", url=f"{place.base_url}/status/200"))).status == 200

    @pytest.mark.parametrize("extra", [-1, 0, 1, 2, 500_000])
    def test_a_long_answer_is_cut(self, http: AnyTransport, place: Place, run: Run, extra: int) -> None:
        """At most `MAX_RESPONSE` + 1 bytes are kept, so that the core notices the excess. The next request works."""
        size = MAX_RESPONSE + extra
        response = run(http.send(Request(method="GET", url=f"{place.base_url}/large/{size}")))
        assert len(response.body) == min(size, MAX_RESPONSE + 1)
        assert run(http.send(Request(method="POST", url=f"{place.base_url}/echo", body=b"well"))).body == b"well"

    def test_a_long_answer_goes_to_its_sink(self, http: AnyTransport, place: Place, run: Run) -> None:
        """The sink gets the whole answer in order, in small blocks. Nothing stays in memory, and the next request works."""
        basin = Basin()
        response = run(http.send(Request(method="POST", url=f"{place.base_url}/echo", body=DATA, sink=basin.sink)))
        assert (response.status, response.body) == (200, b"")
        assert basin.content == DATA
        assert max(map(len, basin.blocks)) <= BLOCK
        assert run(http.send(Request(method="POST", url=f"{place.base_url}/echo", body=b"well"))).body == b"well"

    def test_a_sink_is_chosen_by_the_head(self, http: AnyTransport, place: Place, run: Run) -> None:
        """The sink's factory gets status and headers before the body. If it declines, the answer is returned as usual."""
        heads: list[Response] = []
        url = f"{place.base_url}/status/404"
        response = run(http.send(Request(method="GET", url=url, sink=heads.append)))
        assert (response.status, response.body) == (404, b"as asked")
        assert [(head.status, head.headers, head.body) for head in heads] == [(404, response.headers, b"")]

    def test_each_send_chooses_anew(self, http: AnyTransport, place: Place, run: Run) -> None:
        """Each send calls the sink's factory, so a repeated request starts its answer from the beginning."""
        basin = Basin()
        request = Request(method="POST", url=f"{place.base_url}/echo", body=b"one ", sink=basin.sink)
        assert [run(http.send(request)).body for _ in range(2)] == [b"", b""]
        assert (len(basin.heads), basin.content) == (2, b"one one ")

    def test_what_goes_to_a_sink_is_not_decoded(self, http: AnyTransport, place: Place, run: Run) -> None:
        """A sink gets a compressed answer unchanged."""
        basin = Basin()
        run(http.send(Request(method="GET", url=f"{place.base_url}/gzip", sink=basin.sink)))
        assert gzip.decompress(basin.content) == b"plain"

    @pytest.mark.parametrize("raised", RAISED.values(), ids=RAISED)
    @pytest.mark.parametrize("where", ["sink", "write"])
    def test_what_a_sink_raises_reaches_the_caller_as_it_is(  # noqa: PLR0917 - pytest passes fixtures by name
        self,
        http: AnyTransport,
        place: Place,
        run: Run,
        monkeypatch: pytest.MonkeyPatch,
        where: str,
        raised: Callable[[], BaseException],
    ) -> None:
        """An error of a sink, such as a full disk, is not reported as a network error, even if a socket could raise it."""
        full, basin = raised(), Basin()

        def fail(_what: object) -> None:
            raise full

        monkeypatch.setattr(basin, where, fail)
        request = Request(method="GET", url=f"{place.base_url}/large/{3 * BLOCK}", sink=basin.sink)
        assert ended(run, lambda: http.send(request)) is full
        assert run(http.send(Request(method="GET", url=f"{place.base_url}/status/200"))).status == 200

    def test_content_is_not_decoded(self, http: AnyTransport, place: Place, run: Run) -> None:
        """A compressed answer stays compressed, because unpacking could fill the memory."""
        response = run(http.send(Request(method="GET", url=f"{place.base_url}/gzip")))
        assert gzip.decompress(response.body) == b"plain"

    def test_after_closing_nothing_is_sent(self, http: AnyTransport, place: Place, run: Run) -> None:
        """A send after `close` is `Misused`, and the error shows no query. A second `close` does nothing."""
        run(http.close())
        run(http.close())
        with pytest.raises(Misused) as caught:
            run(http.send(Request(method="GET", url=f"{place.base_url}/echo?upload_token={SECRET}")))
        assert SECRET not in str(caught.value) + repr(caught.value)
        assert place.seen == []

    def test_a_second_event_loop_is_served_or_told(self, http: AnyTransport, place: Place, run: Run) -> None:
        """In another thread's event loop the request is answered, or `Misused` says what to do. The call does not hang.

        The first loop's connections still work. A blocking transport serves any thread.
        """
        assert run(http.send(Request(method="GET", url=f"{place.base_url}/status/200"))).status == 200
        with ThreadPoolExecutor(1) as pool:
            found = pool.submit(_elsewhere, http, f"{place.base_url}/status/204").result()
        assert _is_served_or_told(found)
        assert run(http.send(Request(method="POST", url=f"{place.base_url}/echo", body=b"mine"))).body == b"mine"

    def test_a_forked_child_is_served_or_told(self, http: AnyTransport, place: Place, run: Run) -> None:
        """A forked child's request is answered, or `Misused` says what to do. The child never uses its parent's connections.

        Two processes that share a connection would read each other's answers.
        """
        if sys.platform == "win32":
            pytest.skip("Windows has no fork")
        assert run(http.send(Request(method="GET", url=f"{place.base_url}/status/200"))).status == 200
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", DeprecationWarning
            )  # The server has threads, but the child needs none of them.
            child = os.fork()
        if child == 0:
            status = 1
            try:
                status = 0 if _is_served_or_told(_elsewhere(http, f"{place.base_url}/status/204")) else 2
            finally:
                os._exit(status)
        assert _status_of(child) == 0
        assert run(http.send(Request(method="POST", url=f"{place.base_url}/echo", body=b"mine"))).body == b"mine"
        assert "/status/204" not in [seen.path for seen in place.seen if seen.connection == 0]


def _elsewhere(http: AnyTransport, url: str) -> Any:
    """Send a request. An asynchronous transport gets a new event loop for it."""
    with asyncio.Runner() as runner:
        return ended(runner.run, lambda: http.send(Request(method="GET", url=url, timeout=5)))


def _is_served_or_told(found: Any) -> bool:
    return isinstance(found, Misused) or getattr(found, "status", None) == 204


def _status_of(child: int, patience: float = 30.0) -> int:
    """Return the exit status of a child. A child that hangs is killed."""
    if sys.platform == "win32":
        raise NotImplementedError("Windows has no fork")
    end = time.monotonic() + patience
    while (ended_one := os.waitpid(child, os.WNOHANG)) == (0, 0):
        if time.monotonic() > end:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.01)
    return os.waitstatus_to_exitcode(ended_one[1])
