"""Rows 2 and 4 to 6: answers that break off, come slowly, never, or before the request is complete; and waits that end.

The test's own server works on plain sockets, because no HTTP library makes these mistakes. Row 5 runs by the real
clock.
"""

import asyncio
import contextlib
import signal
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
from attrs import define, field

from clips import HEAD
from tiktok_adapters.clocks import ManualClock, SystemClock
from tiktok_adapters.sources import BytesSource
from tiktok_adapters.transports.fake import ConnectionDropped
from tiktok_core import Endpoints, Interrupted, NotSent, TikTokError, TimedOut, UploadError
from tiktok_core.ports import Request

RESET = struct.pack("ii", 1, 0)
"""The value of SO_LINGER that makes closing a socket reset its connection."""
CHUNK = 5_242_880
REAL = 0.4
"""Seconds for each wait of a request where the clock is the machine's."""
SLOW = 1.0
"""Seconds that a slow reader takes for a chunk."""


# --- The server ------------------------------------------------------------------------------------------------------


@define(eq=False)
class Talk:
    """One request on its connection, and what a test can do with it.

    Attributes:
        wire: the connection.
        stopping: set when the server ends.
    """

    wire: socket.socket
    stopping: threading.Event
    _handle: Callable[[Request], Any]
    _request: tuple[str, str, dict[str, str]]
    _body: bytearray
    _length: int

    def take(self, until: int | None = None, *, seconds: float = 0.0) -> None:
        """Read the body up to so many bytes, or all of it, in about so many seconds."""
        end = self._length if until is None else min(until, self._length)
        while len(self._body) < end and not self.stopping.is_set():
            block = self.wire.recv(min(65_536, end - len(self._body)))
            if not block:
                raise ConnectionError("the body ended early")
            self._body += block
            self.stopping.wait(seconds * len(block) / end)

    def answer(self) -> tuple[bytes, bytes]:
        """Let TikTok handle the request; return the head and the body of its answer."""
        self.take()
        method, target, headers = self._request
        request = Request(
            method=method, url=f"http://{headers['host']}{target}", headers=headers, body=bytes(self._body)
        )
        response = self._handle(request)
        lines = [f"HTTP/1.1 {response.status} So", *(f"{name}: {value}" for name, value in response.headers.items())]
        head = "\r\n".join([*lines, f"Content-Length: {len(response.body)}", "", ""])
        return head.encode(), response.body

    def say(self, data: bytes) -> None:
        """Send bytes."""
        self.wire.sendall(data)

    def trickle(self, data: bytes, pause: float) -> None:
        """Send bytes one by one."""
        for byte in data:
            self.say(bytes([byte]))
            if self.stopping.wait(pause):
                return

    def reset(self) -> None:
        """Reset the connection."""
        self.wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.wire.close()


Act = Callable[[Talk], None]


@define(eq=False)
class RoughServer:
    """The simulated TikTok behind plain sockets. A test takes requests over and answers them as badly as it wants.

    Attributes:
        handle: answers each request that the test does not take over.
        act: answers the next request; then the server closes the connection.
        times: how many requests it answers.
    """

    handle: Callable[[Request], Any]
    act: Act | None = None
    times: int = 0
    stopping: threading.Event = field(factory=threading.Event)
    _talks: list[tuple[socket.socket, threading.Thread]] = field(factory=list)
    _listener: socket.socket = field(factory=lambda: socket.create_server(("127.0.0.1", 0)))

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def meet(self, act: Act, times: int = 1) -> None:
        """Let `act` answer the next requests."""
        self.act, self.times = act, times

    @contextlib.contextmanager
    def running(self) -> Iterator["RoughServer"]:
        """Serve until the block ends."""
        thread = threading.Thread(target=self._accept)
        thread.start()
        try:
            yield self
        finally:
            self.stopping.set()
            with contextlib.suppress(OSError):
                socket.create_connection(self._listener.getsockname()[:2]).close()
            thread.join()
            self._listener.close()
            for wire, talking in self._talks:
                with contextlib.suppress(OSError):
                    wire.shutdown(socket.SHUT_RDWR)
                talking.join()

    def _accept(self) -> None:
        while True:
            wire, _ = self._listener.accept()
            if self.stopping.is_set():
                wire.close()
                return
            # The buffers are small, so that a reader who stops is noticed.
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
            thread = threading.Thread(target=self._talk, args=(wire,))
            self._talks.append((wire, thread))
            thread.start()

    def _talk(self, wire: socket.socket) -> None:
        with wire, contextlib.suppress(OSError, ConnectionDropped):
            while (talk := self._request(wire)) is not None:
                if self.act is not None and self.times > 0:
                    self.times -= 1
                    self.act(talk)
                    return
                for part in talk.answer():
                    talk.say(part)

    def _request(self, wire: socket.socket) -> Talk | None:
        data = bytearray()
        while b"\r\n\r\n" not in data:
            block = wire.recv(4096)
            if not block:
                return None
            data += block
        head, _, body = bytes(data).partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _version = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.pop("content-length", "0"))
        return Talk(wire, self.stopping, self.handle, (method, target, headers), bytearray(body), length)


@pytest.fixture
def new_front() -> Callable[[Any], Any]:
    """Return what starts the server."""
    return lambda sim: RoughServer(sim.handle).running()


def cut_after_head(talk: Talk) -> None:
    """Reset the connection after the head of the answer and half of its body."""
    head, body = talk.answer()
    talk.say(head + body[: len(body) // 2])
    talk.reset()


def short(talk: Talk) -> None:
    """Close properly within the announced body."""
    head, body = talk.answer()
    talk.say(head + body[:-1])


def short_head(talk: Talk) -> None:
    """Close within the head."""
    talk.say(talk.answer()[0][:-2])


def cut_chunks(talk: Talk) -> None:
    """Announce another chunk of the answer and close."""
    head, body = talk.answer()
    status = head.partition(b"\r\n")[0]
    size = f"{len(body):x}".encode()
    talk.say(status + b"\r\nTransfer-Encoding: chunked\r\n\r\n" + size + b"\r\n" + body + b"\r\nff\r\ncut")


def test_row_02_a_reset_after_the_head_of_the_answer_is_a_doubt(bench: Any, operation: Any) -> None:
    """A status without its whole answer counts as no answer."""
    bench.when(operation, lambda: bench.front.meet(cut_after_head))
    bench.check(operation, operation.lost)


@pytest.mark.parametrize("cut", [short, short_head, cut_chunks])
def test_row_04_an_answer_that_is_cut_is_a_doubt_and_no_answer(bench: Any, operation: Any, cut: Act) -> None:
    """The answer is short of its length, or cut in its head or between chunks.

    It is a doubt, and never an error about its content.
    """
    bench.when(operation, lambda: bench.front.meet(cut))
    end = bench.check(operation, operation.lost)
    if operation.name == "code":
        assert isinstance(end, Interrupted)
    if operation.is_pull:
        assert isinstance(end.__cause__, Interrupted)


# --- Row 5 -----------------------------------------------------------------------------------------------------------


class Impatient(SystemClock):
    """Real time, in which `sleep` returns at once."""

    def sleep(self, seconds: float, /) -> None:
        """Return at once."""


@pytest.fixture
def new_clock(request: pytest.FixtureRequest) -> Callable[[], Any]:
    """Return what makes the clock: the machine's for row 5."""
    return Impatient if "row_05" in request.node.name else ManualClock


def silent(talk: Talk) -> None:
    """Read everything and say nothing."""
    talk.take()
    talk.stopping.wait()


def stalled(talk: Talk) -> None:
    """Read nothing more and say nothing."""
    talk.stopping.wait()


def trickling(talk: Talk) -> None:
    """Answer byte by byte, each byte within the time for one wait."""
    talk.trickle(b"".join(talk.answer()), 0.02)


def slow_reader(talk: Talk) -> None:
    """Read with many pauses, each shorter than one wait, and give a good answer."""
    talk.take(seconds=SLOW)
    talk.say(b"".join(talk.answer()))


def within(seconds: float, bench: Any, word: str, ask: Callable[[], Any], *, calls: int = 1) -> Any:
    """Return what the call gives, after a look at its requests of this word.

    Each has a limit within these seconds, and each repetition a shorter one than the request before it. The contract
    of transports says that no transport exceeds the limit of a request.
    """
    already = len(bench.way.requests)
    end = ask()
    limits = [request.time_limit for asked, request in bench.way.requests[already:] if asked == word]
    assert limits
    assert None not in limits
    assert max(limits) <= seconds
    begun_again = sum(later >= earlier for earlier, later in pairwise(limits))
    assert begun_again < calls, "what the first tries took was not counted"
    return end


def test_row_05_a_silent_server_holds_nobody_beyond_the_deadline(bench: Any, operation: Any) -> None:
    """A call ends within its deadline: in doubt, or with success if TikTok was silent only once."""
    bench.connect(timeout=REAL, deadline=2 * REAL)
    if operation.where == "put":
        # A chunk may be as slow as the line. It has to make progress, and to end before its upload URL does.
        bench.when(operation, lambda: bench.front.meet(silent))
        end = bench.outcome(operation.ask)
        assert not isinstance(end, Exception)
        assert {request.timeout for asked, request in bench.way.requests if asked == "put"} == {REAL}
    else:
        bench.when(operation, lambda: bench.front.meet(silent, times=99))
        calls = 2 if operation.name == "init of a file" else 1
        end = within(2 * REAL, bench, operation.where, lambda: bench.outcome(operation.ask), calls=calls)
        assert isinstance(end.__cause__ if operation.is_pull else end, TimedOut)
    bench.check_posts()


@pytest.mark.parametrize(("ask", "word"), [("creator_info", "creator_info"), ("refresh", "token")])
def test_row_05_a_byte_now_and_then_holds_nobody_beyond_the_deadline(bench: Any, ask: str, word: str) -> None:
    """Progress is not enough for a call with a deadline. A renewal has a deadline, too."""
    bench.connect(timeout=REAL, deadline=2 * REAL)
    bench.front.meet(trickling, times=99)
    end = within(2 * REAL, bench, word, lambda: bench.outcome(lambda _: getattr(bench.account, ask)()))
    assert isinstance(end, TimedOut)


def test_row_05_a_chunk_is_not_waited_for_beyond_the_life_of_its_upload_url(bench: Any) -> None:
    """Its answer comes byte by byte without an end. The client gives up when the upload URL has expired."""
    clock = ManualClock()
    bench.clock = bench.sim.world.clock = clock
    bench.connect()

    def late(_request: Request, handle: Callable[[], Any]) -> Any:
        response = handle()
        clock.advance(3_600 - 0.5)
        return response

    bench.sim.says("video_init", late)
    bench.way.when("put", lambda: bench.front.meet(trickling))
    bench.post_film()
    limits = [request.time_limit for asked, request in bench.way.requests if asked == "put"]
    assert [limit <= 0.5 for limit in limits] == [True, False, False]


def test_row_05_a_slow_reader_is_waited_for_and_a_stalled_one_is_not(bench: Any) -> None:
    """A server that takes the bytes slowly is no fault. One that takes none is a doubt, and the next try succeeds."""
    bench.connect(timeout=SLOW / 2, deadline=SLOW)
    bench.sim.switches.processing_seconds = 0
    bench.way.when("put", lambda: bench.front.meet(slow_reader))
    bench.way.when("put", lambda: bench.front.meet(stalled), nth=2)
    bench.post_film()
    assert bench.way.sent.count("put") == 3


def test_row_05_a_connection_that_does_not_come_about_is_not_sent(bench: Any) -> None:
    """The client gives up in time on a host that does not even refuse, and nothing is in doubt."""
    with socket.socket() as full, contextlib.ExitStack() as waiting:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(3):
            knock = waiting.enter_context(socket.socket())
            knock.setblocking(False)
            knock.connect_ex(full.getsockname())
        bench.connect(
            timeout=REAL, deadline=2 * REAL, endpoints=Endpoints(api_url=f"http://127.0.0.1:{full.getsockname()[1]}")
        )
        end = within(2 * REAL, bench, "creator_info", lambda: bench.outcome(lambda _: bench.account.creator_info()))
    assert type(end) is NotSent


def test_row_05_whoever_gives_up_is_let_go(bench: Any, operation: Any) -> None:
    """A caller cancels, or presses Ctrl-C.

    A call that must stay whole ends by its deadline, any other at once, and TikTok never has two posts.
    A call that ends at once has a deadline that is longer than a test may take.
    """
    is_torn = operation.where not in {"token", "video_init", "photo_init"}
    limit = 600.0 if is_torn else 2 * REAL
    bench.connect(timeout=limit, deadline=limit)
    tasks: list[asyncio.Task[Any]] = []
    ctrl_c = threading.Timer(0.1, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT))

    def act() -> None:
        bench.front.meet(silent)
        if tasks:
            asyncio.get_running_loop().call_later(0.1, tasks[0].cancel)
        else:
            ctrl_c.start()

    bench.when(operation, act)
    if bench.world == "blocking":
        try:
            with pytest.raises(KeyboardInterrupt):
                operation.ask(bench)
        finally:
            ctrl_c.cancel()
    else:
        work = operation.ask(bench)

        async def cancelled() -> None:
            tasks.append(asyncio.create_task(work))
            with pytest.raises(asyncio.CancelledError):
                await tasks[0]

        bench.runner.run(cancelled())
    bench.check_posts()


# --- Row 6 -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [403, 413])
@pytest.mark.parametrize("then", ["close", "reset", "wait"])
@pytest.mark.parametrize("nth", [1, 2])
def test_row_06_a_refusal_before_the_bytes_are_out_never_hangs(bench: Any, status: int, then: str, nth: int) -> None:
    """The caller gets that refusal, or a doubt that TikTok settles.

    There is never a second post or a wait without an end.
    """
    bench.connect(timeout=0.5)

    def early(talk: Talk) -> None:
        talk.take(100_000)
        talk.say(f"HTTP/1.1 {status} No\r\nContent-Length: 9\r\n\r\ntoo early".encode())
        if then == "reset":
            talk.reset()
        elif then == "wait":
            talk.stopping.wait()

    bench.way.when("put", lambda: bench.front.meet(early), nth=nth)
    film = BytesSource(HEAD + bytes(2 * CHUNK))
    ask = lambda _: bench.account.post_video(film, privacy_level="SELF_ONLY", chunk_size=CHUNK, key="wish")  # noqa: E731
    end = bench.outcome(ask)
    complete = [post for post in bench.sim.posts if post.bytes_received == post.size]
    inits = bench.sim.count("video_init")
    if isinstance(end, TikTokError):
        assert (type(end), status, end.status, inits) == (UploadError, 413, 413, 1)
        assert complete == []
    else:
        assert [post.publish_id for post in complete] == [end.publish_id]
        assert inits <= (2 if status == 403 else 1)
    if then == "wait":
        assert isinstance(end, UploadError) if status == 413 else inits == 2
