"""Reading ahead: every byte is in its place, no buffer is used again too early, and no thread stays behind."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from queue import Empty

import pytest
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st

from tiktok_adapters.testing.contracts.behaviour import BehaviourServer
from tiktok_adapters.transports.aiohttp import AiohttpTransport
from tiktok_adapters.transports.reading import FEW, SMALL, Ahead, NotYet, Reading
from tiktok_adapters.transports.sockets import CORK, PatientSocket, Waits
from tiktok_adapters.transports.urllib3 import Urllib3Transport
from tiktok_core.errors import Interrupted, SourceChanged, TimedOut
from tiktok_core.wire.http import BLOCK, FileSlice, Request

READERS = "tiktok-reader"


@define(eq=False)
class Numbered:
    """A source whose bytes say where they come from. It knows how often it was read, and by which threads."""

    size: int = 8 * BLOCK
    fails_at: int | None = None
    threads: list[str] = field(factory=list)
    begun: threading.Semaphore = field(factory=lambda: threading.Semaphore(0))
    go_on: threading.Event = field(factory=threading.Event)

    def __attrs_post_init__(self) -> None:
        self.go_on.set()

    @property
    def fingerprint(self) -> str:
        """Return its fingerprint."""
        return "numbered"

    def read(self, start: int, length: int, /) -> bytes:
        """Return bytes that name their block."""
        return bytes([start // BLOCK % 251]) * min(length, self.size - start)

    def read_into(self, start: int, buffer: memoryview, /) -> int:
        """Fill the buffer with them."""
        self.threads.append(threading.current_thread().name)
        self.begun.release()
        assert self.go_on.wait(10)
        if self.fails_at is not None and start >= self.fails_at:
            raise SourceChanged(None, "it is gone")
        block = self.read(start, len(buffer))
        buffer[: len(block)] = block
        return len(block)


@pytest.fixture
def server() -> Iterator[BehaviourServer]:
    """Serve answers of all kinds."""
    with BehaviourServer() as server:
        yield server


def readers() -> list[threading.Thread]:
    """Return the threads that read."""
    return [thread for thread in threading.enumerate() if thread.name == READERS]


def gone() -> bool:
    """Wait until no thread reads any more; a thread that has to stop needs a moment."""
    end = time.monotonic() + 5
    while readers() and time.monotonic() < end:
        time.sleep(0.001)
    return not readers()


@given(
    data=st.binary(min_size=1, max_size=200),
    size=st.integers(1, 40),
    start=st.integers(0, 20),
)
def test_all_bytes_come_in_order(data: bytes, size: int, start: int) -> None:
    """With blocks of any size that share two buffers, all bytes of the source come in order."""

    class Short:
        size = len(data)
        fingerprint = ""

        def read(self, start: int, length: int, /) -> bytes:
            return data[start : start + length]

        def read_into(self, start: int, buffer: memoryview, /) -> int:
            block = self.read(start, len(buffer))
            buffer[: len(block)] = block
            return len(block)

    start = min(start, len(data) - 1)
    body = FileSlice(Short(), start, len(data) - start)
    ahead = Ahead(body.blocks_in(memoryview(bytearray(size)), memoryview(bytearray(size))))
    assert b"".join(bytes(block) for block in ahead.blocks(10)) == data[start:]
    ahead.join(10)
    assert not readers()


def test_a_block_stays_until_the_next_but_one_is_asked_for() -> None:
    """The thread is one block ahead and no further, and never writes into the block in use."""
    source = Numbered()
    with Reading().ahead(FileSlice(source, 0, source.size)) as ahead:
        ahead.ask()
        first = ahead.take()
        assert first is not None
        for _ in range(2):
            assert source.begun.acquire(timeout=5)
        assert not source.begun.acquire(timeout=0.05)
        assert bytes(first) == bytes(BLOCK)
        ahead.ask()
        assert ahead.take() is not None
        assert source.begun.acquire(timeout=5)
    assert gone()


def test_what_is_not_there_yet_need_not_be_waited_for() -> None:
    """Meanwhile an event loop can run other tasks."""
    source = Numbered()
    source.go_on.clear()
    with Reading().ahead(FileSlice(source, 0, source.size)) as ahead:
        ahead.ask()
        with pytest.raises(NotYet):
            ahead.take(within=0)
        source.go_on.set()
        assert ahead.take() is not None
    assert gone()


def test_what_the_source_raises_comes_where_its_block_would() -> None:
    """The source's error comes once, after the blocks before it."""
    source = Numbered(fails_at=2 * BLOCK)
    with Reading().ahead(FileSlice(source, 0, source.size)) as ahead:
        blocks = ahead.blocks(10)
        assert [next(blocks)[0], next(blocks)[0]] == [0, 1]
        with pytest.raises(SourceChanged):
            next(blocks)
    assert gone()


def test_nothing_is_read_once_it_is_over() -> None:
    """When the upload is over, the thread finishes only the read that has begun."""
    source = Numbered()
    source.go_on.clear()
    with Reading().ahead(FileSlice(source, 0, source.size)) as ahead:
        ahead.ask()
        assert source.begun.acquire(timeout=5)
    source.go_on.set()
    assert gone()
    assert len(source.threads) == 1


def test_many_at_once_have_smaller_blocks() -> None:
    """A few uploads get large blocks. More of them save memory, and a sender that can read by itself does so."""
    reading, source = Reading(), Numbered()
    body = FileSlice(source, 0, source.size)
    opened = [reading.ahead(body) for _ in range(FEW + 1)]
    entered = [one.__enter__() for one in opened]
    assert not reading.pays_for(body)
    sizes = [len(next(ahead.blocks(10))) for ahead in entered]
    assert sizes == [BLOCK] * FEW + [SMALL]
    for one in opened:
        one.__exit__(None, None, None)
    assert reading.pays_for(body)
    assert not reading.pays_for(FileSlice(source, 0, BLOCK))
    assert gone()


def test_a_body_for_which_there_is_no_thread_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the system has no thread for several bodies, later ones are read ahead as before."""

    def refused(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    reading, source = Reading(), Numbered()
    body = FileSlice(source, 0, source.size)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refused)
        for _ in range(FEW):
            with pytest.raises(RuntimeError), reading.ahead(body):
                pytest.fail("there was a thread")
    assert reading.count == 0
    assert reading.pays_for(body)


def test_the_blocking_transport_reads_in_a_thread_that_ends_with_the_request(server: BehaviourServer) -> None:
    """The body arrives whole, and the caller may close the source when `send` returns."""
    source = Numbered()
    body = FileSlice(source, 0, source.size)
    with Urllib3Transport() as http:
        assert http.send(Request(method="PUT", url=f"{server.base_url}/", body=body)).status == 200
        assert not readers()
    assert set(source.threads) == {READERS}
    assert server.seen[0].body == b"".join(body.blocks())


def test_the_blocking_transport_reads_nothing_after_it_has_failed(server: BehaviourServer) -> None:
    """If a server hangs up in the middle, the thread stops before the caller gets the error."""
    source = Numbered(size=64 * BLOCK)
    request = Request(method="PUT", url=f"{server.base_url}/reset-after-head", body=FileSlice(source, 0, source.size))
    with Urllib3Transport() as http:
        with pytest.raises(Interrupted):
            http.send(request)
        assert not readers()
        read = len(source.threads)
    assert read < 64
    assert len(source.threads) == read


def test_a_source_that_does_not_fill_buffers_is_asked_where_it_is_sent(server: BehaviourServer) -> None:
    """Such a source may hold an object that belongs to one thread, such as a database connection."""
    asked_in = []

    class Old:
        size = 3 * BLOCK
        fingerprint = ""

        def read(self, _start: int, length: int, /) -> bytes:
            asked_in.append(threading.current_thread().name)
            return bytes(length)

    with Urllib3Transport() as http:
        http.send(Request(method="PUT", url=f"{server.base_url}/", body=FileSlice(Old(), 0, 3 * BLOCK)))
    assert set(asked_in) == {threading.current_thread().name}


def test_an_upload_lets_other_tasks_have_their_turn(server: BehaviourServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Line and disk are always ready.

    The loop runs other tasks whenever the upload held it for too long: here, once a block.
    """
    monkeypatch.setattr("tiktok_adapters.transports.aiohttp_exchange.HOLD", 0.0)
    source = Numbered(size=32 * BLOCK)
    turns = 0

    async def watch() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def upload() -> int:
        async with AiohttpTransport() as http:
            watching = asyncio.ensure_future(watch())
            request = Request(method="PUT", url=f"{server.base_url}/", body=FileSlice(source, 0, source.size))
            try:
                return (await http.send(request)).status
            finally:
                watching.cancel()

    assert asyncio.run(upload()) == 200
    assert turns >= 32
    assert gone()


@pytest.mark.parametrize("blocks", [1, 8])
def test_a_source_that_hangs_ends_its_request_after_the_time_out(server: BehaviourServer, blocks: int) -> None:
    """For both ways to read, one sentence says that the source hung, and no call waits for it any longer."""
    source = Numbered()
    source.go_on.clear()
    # A connection that stands already, so that the short time-out is for the source alone.
    first = Request(method="GET", url=f"{server.base_url}/")
    request = Request(method="PUT", url=first.url, body=FileSlice(source, 0, blocks * BLOCK), timeout=0.2)

    async def upload() -> None:
        async with AiohttpTransport() as http:
            await http.send(first)
            await http.send(request)

    def upload_blocking() -> None:
        with Urllib3Transport() as http:
            http.send(first)
            http.send(request)

    for send in (lambda: asyncio.run(upload()), upload_blocking):
        with pytest.raises(SourceChanged, match=r"gave no bytes within 0\.2 s"):
            send()
    assert {seen.connection for seen in server.seen} == {0, 1}
    source.go_on.set()
    assert gone()


def test_a_slow_line_is_not_taken_for_a_source_that_hangs(server: BehaviourServer) -> None:
    """If a server stops reading, both clients raise a time-out: the source gave all bytes that were asked for."""
    source = Numbered(size=64 * BLOCK)
    body = FileSlice(source, 0, source.size)
    request = Request(method="PUT", url=f"{server.base_url}/stalled", body=body, timeout=0.2)

    async def upload() -> None:
        async with AiohttpTransport() as http:
            await http.send(request)

    for send in (lambda: asyncio.run(upload()), lambda: Urllib3Transport().send(request)):
        with pytest.raises(TimedOut):
            send()
    assert gone()


def test_a_source_may_raise_whatever_it_likes(server: BehaviourServer) -> None:
    """Even an error of the source's own queue does not mean that a block is still to come.

    The cause stays with the error.
    """

    @define(eq=False)
    class Drained(Numbered):
        def read_into(self, start: int, buffer: memoryview, /) -> int:
            raise Empty from OSError("why")

    body = FileSlice(Drained(), 0, 4 * BLOCK)
    request = Request(method="PUT", url=f"{server.base_url}/", body=body)

    async def upload() -> None:
        async with AiohttpTransport() as http:
            await http.send(request)

    for send in (lambda: asyncio.run(upload()), lambda: Urllib3Transport().send(request)):
        with pytest.raises(Empty) as caught:
            send()
        assert isinstance(caught.value.__cause__, OSError)
    assert gone()


@pytest.mark.skipif(CORK is None, reason="this system cannot hold back packets that are not full")
def test_packets_are_full_while_a_body_is_sent_and_as_they_come_before_and_after() -> None:
    """The transport sends what it held back at the end, even if sending failed."""
    assert CORK is not None
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as inner:
        line = PatientSocket(inner, Waits(1, None))
        with line.in_full_packets():
            assert inner.getsockopt(socket.IPPROTO_TCP, CORK) == 1
        assert inner.getsockopt(socket.IPPROTO_TCP, CORK) == 0
        with pytest.raises(Interrupted), line.in_full_packets():
            raise Interrupted("PUT", "the connection was lost")
        assert inner.getsockopt(socket.IPPROTO_TCP, CORK) == 0
