"""The fault proxy does what its script says, and nothing else.

What belongs here: the proxy between a plain socket or transport and the contracts' server, without any rule of
TikTok's.
"""

import gc
import socket
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tiktok_adapters.sources import BytesSource
from tiktok_adapters.testing.contracts.behaviour import BehaviourServer
from tiktok_adapters.testing.proxy import FaultProxy, ProxyFault
from tiktok_adapters.transports.urllib3 import Urllib3Transport
from tiktok_core import Interrupted, NotSent, TimedOut
from tiktok_core.ports import Request
from tiktok_core.wire.http import BLOCK, FileSlice

LONG = FileSlice(BytesSource(bytes(range(256)) * 8192), 0, 256 * 8192)


@pytest.fixture
def server() -> Iterator[BehaviourServer]:
    """Give the server behind the proxy."""
    with BehaviourServer() as server:
        yield server


@pytest.fixture
def proxy(server: BehaviourServer) -> Iterator[FaultProxy]:
    """Give the proxy."""
    with FaultProxy(server.base_url) as proxy:
        yield proxy


@pytest.fixture
def http() -> Iterator[Urllib3Transport]:
    """Give a client."""
    with Urllib3Transport() as transport:
        yield transport


def put(proxy: FaultProxy, *, fresh: bool = True, timeout: float = 5) -> Request:
    """Return a request with a body of 2 MiB, of which the server echoes a part."""
    return Request(
        method="PUT", url=f"{proxy.url}/status/200?secret=1", body=LONG, fresh_connection=fresh, timeout=timeout
    )


def settled(server: BehaviourServer, requests: int, *, body: int = 0) -> None:
    """Wait until the server has got so many requests, and of the last one so many bytes: it notes a request before its body."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        if len(server.seen) >= requests and (not body or len(server.seen[-1].body) >= body):
            return
        time.sleep(0.01)


def test_without_a_fault_every_byte_passes(proxy: FaultProxy, server: BehaviourServer, http: Urllib3Transport) -> None:
    """Bodies, answers and their order are the same as without the proxy, over one connection."""
    for _ in range(3):
        assert http.send(put(proxy, fresh=False)).body == b"as asked"
    echoed = http.send(Request(method="POST", url=f"{proxy.url}/echo", body=bytes(range(256)) * 2000))
    assert echoed.body == bytes(range(256)) * 2000
    assert [seen.body for seen in server.seen[:3]] == [b"".join(LONG.blocks())] * 3
    assert proxy.requests == ("PUT /status/200",) * 3 + ("POST /echo",)
    assert (proxy.connections, proxy.struck) == (1, ())


@pytest.mark.parametrize("fault", ["reset-request:0", "reset-request:20", "reset-request:700000"])
def test_a_request_is_cut_where_it_was_asked(
    proxy: FaultProxy, server: BehaviourServer, http: Urllib3Transport, fault: str
) -> None:
    """The client gets a reset, and the server never gets a whole request."""
    proxy.on_request(2, fault)
    assert http.send(put(proxy)).status == 200
    with pytest.raises(Interrupted):
        http.send(put(proxy))
    assert http.send(put(proxy)).status == 200
    assert [str(struck) for struck in proxy.struck] == [fault]
    assert len([seen for seen in server.seen if len(seen.body) == LONG.length]) == 2


def test_a_request_that_ends_before_the_cut_arrives_whole(proxy: FaultProxy, server: BehaviourServer) -> None:
    """If the cut is behind the end, the server gets all bytes, and the client gets no answer."""
    proxy.on_request(1, "reset-request:999999")
    with socket.create_connection(("127.0.0.1", int(proxy.url.rpartition(":")[2]))) as wire:
        wire.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nwish")
        with pytest.raises(ConnectionResetError):
            wire.recv(1)
    settled(server, 1, body=4)
    assert [seen.body for seen in server.seen] == [b"wish"]


def test_a_lost_answer_was_given(proxy: FaultProxy, server: BehaviourServer, http: Urllib3Transport) -> None:
    """With `reset-answer:0` the server has handled the request before the client loses the connection."""
    proxy.on_request(1, "reset-answer:0")
    with pytest.raises(Interrupted) as caught:
        http.send(put(proxy))
    assert len(server.seen) == 1
    assert len(server.seen[0].body) == LONG.length
    assert not isinstance(caught.value, TimedOut)


@pytest.mark.parametrize("fault", ["cut-answer:0", "cut-answer:30", "cut-answer:300000", "reset-answer:300000"])
def test_an_answer_is_cut_where_it_was_asked(
    proxy: FaultProxy, server: BehaviourServer, http: Urllib3Transport, fault: str
) -> None:
    """No more than so many bytes come back, and the client counts no answer."""
    proxy.on_request(1, fault)
    with pytest.raises(Interrupted):
        http.send(Request(method="GET", url=f"{proxy.url}/large/{8 * BLOCK}"))
    assert len(server.seen) == 1


def test_a_cut_answer_has_exactly_so_many_bytes(proxy: FaultProxy) -> None:
    """The client reads the bytes before the cut, and then an orderly end."""
    proxy.on_request(1, "cut-answer:30")
    with socket.create_connection(("127.0.0.1", int(proxy.url.rpartition(":")[2]))) as wire:
        wire.sendall(b"GET /status/200 HTTP/1.1\r\nHost: x\r\n\r\n")
        got = b""
        while block := wire.recv(4096):
            got += block
    assert len(got) == 30


def test_a_short_answer_passes_whole(proxy: FaultProxy, http: Urllib3Transport) -> None:
    """A cut behind the end of the answer breaks neither this answer nor the next one on the same connection."""
    proxy.on_request(1, "cut-answer:5000")
    for _ in range(2):
        assert http.send(put(proxy, fresh=False)).status == 200
    assert proxy.struck == ()


def test_a_late_answer_comes_late(proxy: FaultProxy, http: Urllib3Transport) -> None:
    """The client waits for a delay within its time-out. A longer one is a time-out, and closing does not wait for it."""
    proxy.on_request(1, "delay-answer:0.1")
    proxy.on_request(2, "delay-answer:600")
    assert http.send(put(proxy)).status == 200
    with pytest.raises(TimedOut):
        http.send(put(proxy, timeout=0.2))


def test_connections_are_refused_for_a_while(proxy: FaultProxy, http: Urllib3Transport) -> None:
    """The request that starts it passes. The proxy refuses new connections, and after the time all works again."""
    proxy.on_request(1, "refuse:600")
    assert http.send(put(proxy)).status == 200
    with pytest.raises(NotSent):
        http.send(put(proxy))
    proxy.listen()
    proxy.on_request(1, "refuse:0.1")
    assert http.send(put(proxy)).status == 200
    end = time.monotonic() + 5
    while time.monotonic() < end:
        with suppress(NotSent):
            assert http.send(put(proxy)).status == 200
            return
        time.sleep(0.05)
    pytest.fail("it never listened again")


def test_refusing_can_be_ended(proxy: FaultProxy, http: Urllib3Transport) -> None:
    """A test that refuses by hand, or does not want to wait, ends it itself. The address stays the same."""
    for _ in range(2):
        proxy.refuse()
        with pytest.raises(NotSent):
            http.send(put(proxy))
        proxy.listen()
        assert http.send(put(proxy)).status == 200


def test_a_later_refusal_outlasts_an_earlier_one(proxy: FaultProxy, http: Urllib3Transport) -> None:
    """The end of one refusal does not end another one."""
    proxy.on_request(1, "refuse:0.1")
    assert http.send(put(proxy)).status == 200
    proxy.refuse()
    time.sleep(0.2)
    with pytest.raises(NotSent):
        http.send(put(proxy))


def test_a_fault_may_wait_for_a_connection(proxy: FaultProxy, server: BehaviourServer, http: Urllib3Transport) -> None:
    """Faults of a connection count connections. The one that resets strikes before a request comes."""
    proxy.on_connection(2, "reset-answer:0")
    proxy.on_connection(3, "reset-request:0")
    for _ in range(2):
        assert http.send(put(proxy, fresh=False)).status == 200
    for _ in range(2):
        with pytest.raises((Interrupted, NotSent)):
            http.send(put(proxy))
    assert len(server.seen) == 3
    assert [fault.what for fault in proxy.struck] == ["reset-answer", "reset-request"]


def test_faults_can_be_forgotten(proxy: FaultProxy, http: Urllib3Transport) -> None:
    """The proxy lists the faults that have not met a request yet, and can forget them."""
    proxy.on_request(1, "reset-request:0")
    assert proxy.pending == (ProxyFault("reset-request", 0),)
    proxy.clear()
    assert http.send(put(proxy)).status == 200
    assert proxy.pending == ()


def test_a_server_that_is_gone_makes_no_answer() -> None:
    """If the server cannot be reached, the proxy gives no answer in its place."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        gone = listener.getsockname()[1]
    with FaultProxy(f"http://127.0.0.1:{gone}") as proxy, Urllib3Transport() as http, pytest.raises(Interrupted):
        http.send(Request(method="GET", url=proxy.url))


def test_a_connection_made_at_the_last_moment_is_closed(server: BehaviourServer) -> None:
    """A proxy that stops while a connection comes in leaves nothing open."""
    for _ in range(20):
        with FaultProxy(server.base_url) as proxy:
            wire = socket.create_connection(("127.0.0.1", int(proxy.url.rpartition(":")[2])))
        with wire, suppress(ConnectionResetError):
            assert wire.recv(1) == b""
    gc.collect()


def test_closing_ends_what_is_open(server: BehaviourServer) -> None:
    """Idle connections, and one in the middle of a request, do not delay the proxy."""
    with FaultProxy(server.base_url) as proxy:
        port = int(proxy.url.rpartition(":")[2])
        wires = [socket.create_connection(("127.0.0.1", port)) for _ in range(2)]
        wires[0].sendall(b"PUT /status/200 HTTP/1.1\r\nContent-Length: 99\r\n\r\nhalf")
        settled(server, 1)
    # Closing waited for none of them: none has ended by itself.
    for wire in wires:
        with wire, pytest.raises(ConnectionResetError):
            wire.recv(1)


@pytest.mark.parametrize(
    "text", ["", "reset", "reset-request", "reset-request:", "reset-request:-1", "slow:1", "refuse:x"]
)
def test_what_is_not_a_fault_is_refused(text: str) -> None:
    """The proxy refuses a wrong script when it is written, and the message lists the words."""
    with pytest.raises(ValueError, match="delay-answer"):
        ProxyFault.parse(text)


def test_slips_are_found(server: BehaviourServer) -> None:
    """The proxy refuses an https URL, a use before it runs, and counting from 0."""
    with pytest.raises(ValueError, match="must be http"):
        FaultProxy("https://127.0.0.1:1")
    proxy = FaultProxy(server.base_url)
    with pytest.raises(RuntimeError):
        _url = proxy.url
    for act in (proxy.refuse, proxy.listen):
        with pytest.raises(RuntimeError):
            act()
    with pytest.raises(ValueError, match="from 1"):
        proxy.on_request(0, "refuse:1")
