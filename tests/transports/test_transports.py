"""What the transports over sockets promise beyond the contract of their port: pools, threads, loops, proxies, logs."""

import asyncio
import base64
import logging
import socket
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tiktok_adapters.testing.contracts.behaviour import BehaviourServer
from tiktok_adapters.transports.aiohttp import AiohttpTransport
from tiktok_adapters.transports.urllib3 import Urllib3Transport
from tiktok_core.errors import Interrupted, NotSent, TimedOut, TransportError
from tiktok_core.wire.http import BLOCK, Body, FileSlice, Request, Response

SECRET = "canary-4711"
GIB = 1 << 30


class Zeros:
    """A source of any number of zeros."""

    size = 5 * GIB
    fingerprint = "zeros"

    def read(self, start: int, length: int, /) -> bytes:
        """Return zeros."""
        return bytes(min(length, max(0, self.size - start)))


Talk = Callable[[list[Request]], list[Response | TransportError]]


def _urllib3(requests: list[Request], **options: Any) -> list[Response | TransportError]:
    with Urllib3Transport(**options) as http:
        return [_outcome(lambda request=request: http.send(request)) for request in requests]  # type: ignore[misc]


def _outcome(send: Callable[[], Response]) -> Response | TransportError:
    try:
        return send()
    except TransportError as error:
        return error


def _aiohttp(requests: list[Request], **options: Any) -> list[Response | TransportError]:
    async def main() -> list[Response | TransportError]:
        outcomes: list[Response | TransportError] = []
        async with AiohttpTransport(**options) as http:
            for request in requests:
                try:
                    outcomes.append(await http.send(request))
                except TransportError as error:
                    outcomes.append(error)
        return outcomes

    return asyncio.run(main())


both = pytest.mark.parametrize("talk", [_urllib3, _aiohttp])


@pytest.fixture
def server() -> Iterator[BehaviourServer]:
    """Return a server on loopback."""
    with BehaviourServer() as server:
        yield server


@contextmanager
def _raw_server(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """Run `talk` with the first connection; the value is the server's URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                talk(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(5)
        assert not thread.is_alive()


def _head(connection: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        head += connection.recv(65536)
    return head


# --- Connections -----------------------------------------------------------------------------------------------------


@both
def test_one_connection_serves_many_requests(server: BehaviourServer, talk: Talk) -> None:
    """All chunks of an upload go over one connection, for any kind of body."""
    url = f"{server.base_url}/status/201"
    bodies: list[Body] = [b"", b"x", bytes(3 * BLOCK), FileSlice(Zeros(), 5, 2 * BLOCK)]
    outcomes = talk([Request(method="PUT", url=url, body=body) for body in bodies for _ in range(3)])
    assert [getattr(outcome, "status", None) for outcome in outcomes] == [201] * 12
    assert {seen.connection for seen in server.seen} == {0}


@both
@pytest.mark.parametrize("path", ["/silent", "/truncated", "/early-open", "/large/2000000"])
def test_a_connection_that_is_not_clean_is_not_used_again(server: BehaviourServer, talk: Talk, path: str) -> None:
    """Bytes that are still on their way could pass for the next answer."""
    body = FileSlice(Zeros(), 0, 16 * BLOCK)
    bad = Request(method="PUT", url=server.base_url + path, body=body, timeout=0.2)
    good = Request(method="POST", url=f"{server.base_url}/echo", body=b"mine")
    outcome = talk([bad, good])[1]
    assert isinstance(outcome, Response)
    assert outcome.body == b"mine"
    assert [seen.connection for seen in server.seen] == [0, 1]


@both
def test_an_early_refusal_is_reported(server: BehaviourServer, talk: Talk) -> None:
    """A server refuses and stops reading. The client reports the refusal, and does not send the rest of the body."""
    body = FileSlice(Zeros(), 0, 4 * GIB)
    (outcome,) = talk([Request(method="PUT", url=f"{server.base_url}/early-open", body=body, timeout=0.3)])
    assert isinstance(outcome, Response)
    assert (outcome.status, outcome.body) == (403, b"too early")
    assert server.seen[0].header("content-length") == str(4 * GIB)


@both
@pytest.mark.parametrize("limit", [None, 600.0])
def test_a_refusal_in_the_midst_of_a_body_is_heard_at_once(
    server: BehaviourServer, talk: Talk, limit: float | None
) -> None:
    """A server has refused and reads no more. The client does not wait for it, even if the line was quick until then.

    Waiting would take longer than a test may take.
    """
    body = FileSlice(Zeros(), 0, 4 * GIB)
    url = f"{server.base_url}/early-midway"
    for outcome in talk([Request(method="PUT", url=url, body=body, timeout=600, time_limit=limit)] * 3):
        assert isinstance(outcome, Response)
        assert (outcome.status, outcome.body) == (403, b"too early")


@both
def test_the_memory_for_a_body_is_constant(talk: Talk) -> None:
    """The transport never has a whole slice in memory: 64 MiB leave through a few blocks."""
    length = 64 * BLOCK
    received = [0]

    def sink(connection: socket.socket) -> None:
        head = _head(connection)
        buffer = bytearray(BLOCK)
        received[0] = len(head.partition(b"\r\n\r\n")[2])
        while received[0] < length:
            received[0] += connection.recv_into(buffer)
        connection.sendall(b"HTTP/1.1 204 No\r\n\r\n")

    with _raw_server(sink) as url:
        tracemalloc.start()
        try:
            (outcome,) = talk([Request(method="PUT", url=url, body=FileSlice(Zeros(), 0, length))])
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert isinstance(outcome, Response)
    assert received[0] == length
    assert peak < 12 * BLOCK


def test_threads_may_share_a_transport(server: BehaviourServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers do not mix, and the transport keeps no more idle connections than allowed."""
    monkeypatch.setattr("tiktok_adapters.transports.urllib3.IDLE", 4)
    with Urllib3Transport() as http:

        def work(number: int) -> bool:
            body = str(number).encode() * 100
            return http.send(Request(method="POST", url=f"{server.base_url}/echo", body=body)).body == body

        with ThreadPoolExecutor(16) as pool:
            assert all(pool.map(work, range(400)))
        assert sum(map(len, http._idle.values())) == 4


def test_tasks_may_share_a_transport(server: BehaviourServer) -> None:
    """Answers do not mix among tasks either."""

    async def main() -> list[bytes]:
        async with AiohttpTransport() as http:
            url = f"{server.base_url}/echo"
            bodies = [str(number).encode() * 100 for number in range(100)]
            sends = [http.send(Request(method="POST", url=url, body=body)) for body in bodies]
            return [answer.body for answer in await asyncio.gather(*sends)]

    assert asyncio.run(main()) == [str(number).encode() * 100 for number in range(100)]


def test_closing_closes_idle_connections() -> None:
    """No socket stays open, and the server sees the end of the connection."""
    ended = threading.Event()

    def talk(connection: socket.socket) -> None:
        _head(connection)
        connection.sendall(b"HTTP/1.1 204 No\r\n\r\n")
        connection.settimeout(5)
        if connection.recv(1) == b"":
            ended.set()

    with _raw_server(talk) as url:
        http = Urllib3Transport()
        http.send(Request(method="GET", url=url))
        assert not ended.is_set()
        http.close()
        assert ended.wait(5)


def test_a_cancelled_send_closes_its_connection() -> None:
    """A caller that gives up leaves nothing on its way: the server sees the end of the connection."""
    begun, ended = threading.Event(), threading.Event()

    def talk(connection: socket.socket) -> None:
        _head(connection)
        begun.set()
        connection.settimeout(5)
        while connection.recv(65536):
            pass
        ended.set()

    async def main(url: str) -> None:
        async with AiohttpTransport() as http:
            sending = asyncio.create_task(http.send(Request(method="POST", url=url, body=b"x")))
            await asyncio.to_thread(begun.wait, 5)
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending
            assert await asyncio.to_thread(ended.wait, 5)

    with _raw_server(talk) as url:
        asyncio.run(main(url))


def _sockets() -> int:
    count = 0
    for entry in list(Path("/proc/self/fd").iterdir()):
        with suppress(OSError):  # The descriptor that lists the folder is closed by now.
            count += str(entry.readlink()).startswith("socket:")
    return count


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts descriptors in /proc")
def test_a_body_that_nobody_reads_leaves_no_socket_open(server: BehaviourServer) -> None:
    """The transport drops the connection and does not flush it: a server that never reads could keep it open for ever."""

    async def main() -> None:
        body = FileSlice(Zeros(), 0, 64 * BLOCK)
        async with AiohttpTransport() as http:
            before = _sockets()
            with pytest.raises(TimedOut):
                await http.send(Request(method="PUT", url=f"{server.base_url}/stalled", body=body, timeout=0.5))
            await asyncio.sleep(0.01)
            assert _sockets() == before + 1  # The server's end, which is in this process too.

    asyncio.run(main())


# --- Proxies ---------------------------------------------------------------------------------------------------------


@both
def test_a_proxy_gets_the_whole_url_and_its_password(
    server: BehaviourServer, talk: Callable[..., list[Response | TransportError]]
) -> None:
    """A plain request goes through the proxy, with the proxy's password."""
    proxy = server.base_url.replace("http://", "http://me:p%40ss@")
    (outcome,) = talk([Request(method="POST", url="http://tiktok.invalid/v2?x=%2F", body=b"form")], proxy=proxy)
    assert isinstance(outcome, Response)
    assert server.seen[0].target == "http://tiktok.invalid/v2?x=%2F"
    assert server.seen[0].header("host") == "tiktok.invalid"
    assert server.seen[0].header("proxy-authorization") == f"Basic {base64.b64encode(b'me:p@ss').decode()}"


@both
def test_a_proxy_gets_nothing_of_a_tls_request(
    server: BehaviourServer, talk: Callable[..., list[Response | TransportError]]
) -> None:
    """Over TLS the proxy gets only a host and its own password. If the tunnel fails, nothing was sent."""
    request = Request(
        method="POST",
        url=f"https://tiktok.invalid/v2?token={SECRET}",
        headers={"Authorization": f"Bearer {SECRET}"},
        body=SECRET.encode(),
        timeout=2,
    )
    (outcome,) = talk([request], proxy=server.base_url.replace("http://", "http://me:word@"))
    assert isinstance(outcome, NotSent)
    assert (server.seen[0].method, server.seen[0].target) == ("CONNECT", "tiktok.invalid:443")
    assert server.seen[0].header("proxy-authorization") == f"Basic {base64.b64encode(b'me:word').decode()}"
    assert SECRET not in repr(server.seen)
    assert "word" not in str(outcome) + repr(outcome)


@both
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_dead_proxy_is_not_sent(talk: Callable[..., list[Response | TransportError]], scheme: str) -> None:
    """If the proxy cannot be reached, nothing leaves without it, and the error shows no password."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    request = Request(method="GET", url=f"{scheme}://tiktok.invalid/")
    (outcome,) = talk([request], proxy=f"http://me:{SECRET}@127.0.0.1:{port}")
    assert isinstance(outcome, NotSent)
    assert SECRET not in str(outcome) + repr(outcome)


@pytest.mark.parametrize("kind", [Urllib3Transport, AiohttpTransport])
@pytest.mark.parametrize("proxy", [f"socks5://me:{SECRET}@h:1", f"https://{SECRET}@h", SECRET, ""])
def test_a_proxy_of_another_kind_is_refused(kind: type[Urllib3Transport] | type[AiohttpTransport], proxy: str) -> None:
    """The client supports http proxies only. Its refusal shows no password."""
    with pytest.raises(ValueError, match="http://host:port") as caught:
        kind(proxy=proxy)
    assert SECRET not in str(caught.value)


# --- Logs and authorities -----------------------------------------------------------------------------------------


@both
def test_an_answer_with_a_broken_header_leaks_no_query_to_the_log(talk: Talk, caplog: pytest.LogCaptureFixture) -> None:
    """urllib3 warns of such an answer with the whole URL. The warning stays, without the query."""
    caplog.set_level(logging.DEBUG)

    def broken(connection: socket.socket) -> None:
        _head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n goes on: from nowhere\r\nContent-Length: 2\r\n\r\nok")

    with _raw_server(broken) as url:
        (outcome,) = talk([Request(method="GET", url=f"{url}/v?upload_token={SECRET}")])
    assert isinstance(outcome, (Response, Interrupted))
    assert SECRET not in caplog.text
    if talk is _urllib3:
        assert "/v?***" in caplog.text


@pytest.mark.parametrize("kind", [Urllib3Transport, AiohttpTransport])
def test_authorities_that_cannot_be_read_are_found_out_at_once(
    kind: type[Urllib3Transport] | type[AiohttpTransport], tmp_path: Path
) -> None:
    """With a wrong file of authorities, the transport never trusts others instead."""
    (tmp_path / "empty.pem").touch()
    for path in (tmp_path / "missing.pem", tmp_path / "empty.pem"):
        with pytest.raises(OSError, match=r"."):
            kind(ca_file=str(path))


@both
@pytest.mark.parametrize("path", ["/interim-drip", "/trickle-head"])
def test_the_head_of_an_answer_is_waited_for_once(server: BehaviourServer, talk: Talk, path: str) -> None:
    """Interim answers and single bytes of a head are no progress: `timeout` ends them, even without another limit."""
    request = Request(method="POST", url=server.base_url + path, body=b"x", timeout=0.2)
    assert [type(outcome) for outcome in talk([request])] == [TimedOut]


@both
@pytest.mark.parametrize("path", ["/odd/204-with-length", "/odd/length-negative", "/two-answers"])
def test_a_connection_whose_answer_was_odd_is_not_used_again(server: BehaviourServer, talk: Talk, path: str) -> None:
    """Bytes that still come on it belong to no request."""
    requests = [Request(method="GET", url=server.base_url + each) for each in (path, "/echo")]
    talk(requests)
    assert [seen.connection for seen in server.seen] == [0, 1]


# --- Whatever a library raises ---------------------------------------------------------------------------------------


def _fails(error: Exception) -> Callable[..., Any]:
    def fail(*_args: object, **_options: object) -> Any:
        raise error

    return fail


@both
@pytest.mark.parametrize("broken", ["header", "method", "authorities", "name"])
def test_what_a_library_raises_before_the_first_byte_is_not_sent(
    server: BehaviourServer, talk: Talk, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """A header that cannot be spelled, an invalid method, authorities that cannot be loaded, no way to look a name up."""
    url, method, headers = f"{server.base_url}/echo", "POST", {}
    if broken == "header":
        headers = {"X-Odd": "\ud800"}
    elif broken == "method":
        method = "PO ST"
    elif broken == "authorities":
        url = url.replace("http:", "https:")
        for module in ("urllib3", "aiohttp"):
            name = f"tiktok_adapters.transports.{module}.default_context"
            monkeypatch.setattr(name, _fails(OSError("no authorities")))
    else:
        url = url.replace("127.0.0.1", "localhost")
        monkeypatch.setattr("socket.getaddrinfo", _fails(RuntimeError("can't start new thread")))
    for body in (b"", b"x"):
        (outcome,) = talk([Request(method=method, url=url, headers=headers, body=body, timeout=2)])
        assert isinstance(outcome, NotSent)
    assert server.seen == []


@both
def test_what_a_library_raises_once_something_has_left_is_interrupted(
    server: BehaviourServer, talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unknown error is `Interrupted`, too. Its text stays out of the library's error, because it may quote the URL."""
    for name in ("urllib3.connection.HTTPConnection.getresponse", "aiohttp.ClientResponse.start"):
        monkeypatch.setattr(name, _fails(AttributeError(SECRET)))
    for body in (b"", b"x"):
        (outcome,) = talk([Request(method="POST", url=f"{server.base_url}/echo", body=body)])
        assert type(outcome) is Interrupted
        assert outcome.reason == "the HTTP library failed with AttributeError"
        assert outcome.__cause__ is None
