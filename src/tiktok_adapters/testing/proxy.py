"""A proxy on loopback that breaks HTTP connections on demand. It breaks real sockets, which are more faithful than mocks.

    with FaultProxy(server_url) as proxy:
        proxy.on_request(2, "reset-answer:0")
        ...  # the client talks to proxy.url

The proxy passes all bytes on unchanged until a fault applies to a request. A fault is written as `WHAT:AMOUNT`, where `WHAT`
is one of:

- `reset-request:N`: the proxy passes on N bytes of the request, head included, and resets the connection. With 0 the server
  gets nothing. With more than the request has, the server gets all of it, and the client does not learn that.
- `reset-body:N`: the same, with N counted from the end of the head.
- `reset-answer:N`: the proxy passes on the whole request and N bytes of the answer, and resets the connection. With 0 the
  server has handled the request, and the client gets no answer.
- `cut-answer:N`: the same, but the proxy closes the connection normally, as if the answer ended there.
- `delay-answer:SECONDS`: the answer begins later by this time.
- `refuse:SECONDS`: from this request on, the proxy refuses new connections for this time. The current one goes on.

An answer shorter than N passes completely. What belongs here: sockets and the script of faults, but no rule of TikTok's.
"""

import asyncio
import math
import re
import socket
import struct
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Final, Self
from urllib.parse import urlsplit

from attrs import define, field

from tiktok_adapters.testing.proxy_script import ProxyFault, Script, What

__all__ = ["FaultProxy", "ProxyFault"]

BLOCK: Final = 1 << 16
LONGEST_HEAD: Final = 1 << 18
RESET: Final = struct.pack("ii", 1, 0)
"""With this value of SO_LINGER, closing a socket resets its connection."""
LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,18})[ \t]*\r\n", re.IGNORECASE)
CHUNKED: Final = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)


class FaultProxy:
    """Passes HTTP on to a server, and breaks connections by its faults. A context manager with its own thread.

    It handles requests with a `Content-Length` or without a body. It also passes a chunked body on, but then counts
    everything that follows on that connection as part of the body.

    Args:
        target_url: the server, `http://host:port`. A path is ignored.

    Raises:
        ValueError: the URL is not `http` or has no host.
    """

    def __init__(self, target_url: str) -> None:
        target = urlsplit(target_url)
        if target.scheme != "http" or not target.hostname:
            raise ValueError(
                f"the target must be http://host:port, but it is {target.scheme}://{target.hostname or ''}"
            )
        self._target = (target.hostname, target.port or 80)
        self._port = 0
        self._script = Script()
        self._server: asyncio.Server | None = None
        self._talks: dict[asyncio.Task[None], _Talk] = {}
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Scheme, host and port, without a slash at the end.

        Raises:
            RuntimeError: the proxy is not running.
        """
        if not self._port:
            raise RuntimeError("the proxy is not running")
        return f"http://127.0.0.1:{self._port}"

    @property
    def requests(self) -> tuple[str, ...]:
        """Method and path of every request that reached the proxy, in order, without queries: these may hold secrets."""
        return tuple(self._script.seen)

    @property
    def connections(self) -> int:
        """The number of connections made to the proxy."""
        return self._script.connections

    @property
    def pending(self) -> tuple[ProxyFault, ...]:
        """The faults that have not applied to a request or connection yet."""
        return self._script.pending

    @property
    def struck(self) -> tuple[ProxyFault, ...]:
        """The faults that have broken a connection, in order."""
        return tuple(self._script.struck)

    def on_request(self, nth: int, fault: ProxyFault | str) -> None:
        """Apply a fault to the `nth` request from now on, counted from 1 over all connections.

        Raises:
            ValueError: `nth` is less than 1, or the text names no fault.
        """
        self._script.add(nth, fault, is_for_connection=False)

    def on_connection(self, nth: int, fault: ProxyFault | str) -> None:
        """Apply a fault to the first request on the `nth` connection from now on.

        `reset-request:0` does not wait for that request. It resets the connection as soon as it is made.

        Raises:
            ValueError: `nth` is less than 1, or the text names no fault.
        """
        self._script.add(nth, fault, is_for_connection=True)

    def clear(self) -> None:
        """Remove all faults that have not applied yet."""
        self._script.clear()

    def refuse(self) -> None:
        """Refuse new connections from now on, until `listen`. Open connections go on.

        Raises:
            RuntimeError: the proxy is not running.
        """
        self._do(self._refuse_for(None))

    def listen(self) -> None:
        """Accept new connections again, even before the time of a `refuse` is over.

        Raises:
            RuntimeError: the proxy is not running.
            OSError: another socket has got the port in the meantime.
        """
        self._do(self._listen())

    def __enter__(self) -> Self:
        started: Future[None] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run(started)), name="fault-proxy")
        self._thread.start()
        try:
            started.result()
        except BaseException:
            self._thread.join()
            raise
        return self

    def __exit__(self, *_details: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        if self._thread is not None:
            self._thread.join()
        self._port = 0

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        if not self._port:
            work.close()
            raise RuntimeError("the proxy is not running")
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    # --- In the proxy's own thread ------------------------------------------------------------------------------------

    async def _run(self, started: "Future[None]") -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._listening, self._refusals = asyncio.Lock(), set[asyncio.Task[None]]()
        try:
            await self._listen()
        except OSError as problem:
            started.set_exception(problem)
            return
        started.set_result(None)
        await self._stop.wait()
        for refusal in self._refusals:
            refusal.cancel()
        await self._stop_listening()
        # A connection that was just accepted has a task but no `_Talk` yet.
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            for talk in self._talks.values():
                talk.reset()
            await asyncio.wait(others, timeout=0.05)

    async def _listen(self) -> None:
        async with self._listening:
            if self._server is None and not self._stop.is_set():
                self._server = await asyncio.start_server(
                    self._talk, "127.0.0.1", self._port, limit=LONGEST_HEAD, reuse_address=True
                )
                self._port = self._server.sockets[0].getsockname()[1]

    async def _stop_listening(self) -> None:
        async with self._listening:
            if self._server is not None:
                # When a server closes, asyncio loses connections that it has accepted but not attached yet.
                for listener in self._server.sockets:
                    asyncio.get_running_loop().remove_reader(listener.fileno())
                for _ in range(5):
                    await asyncio.sleep(0)
                # Do not wait for the server: it would wait for its connections, which are closed one by one later.
                self._server.close()
                self._server = None

    async def _refuse_for(self, seconds: float | None) -> None:
        for earlier in self._refusals:
            earlier.cancel()
        await self._stop_listening()
        if seconds is None:
            return
        refusal = asyncio.create_task(self._listen_after(seconds))
        self._refusals.add(refusal)
        refusal.add_done_callback(self._refusals.discard)

    async def _listen_after(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        while True:
            # The system may have given the port to an outgoing connection in the meantime.
            with suppress(OSError):
                return await self._listen()
            await asyncio.sleep(0.05)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or self._stop.is_set():
            _reset(writer)
            with suppress(OSError):
                await writer.wait_closed()
            return
        talk = self._talks[task] = _Talk(self._script, self._target, self._refuse_for, self._stop, reader, writer)
        try:
            # Errors are expected here: one side has broken the connection on purpose.
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, _Over):
                await talk.run()
        finally:
            await talk.end()
            del self._talks[task]


class _Over(Exception):
    """A fault has ended the connection."""


@define(eq=False)
class _Talk:
    """One connection of a client, and its connection to the server."""

    _script: Script
    _target: tuple[str, int]
    _refuse_for: Callable[[float], Awaitable[None]]
    _stop: asyncio.Event
    _reader: asyncio.StreamReader
    _writer: asyncio.StreamWriter
    _server: asyncio.StreamWriter | None = None
    _answers: asyncio.Task[None] | None = None
    _faults: dict[What, ProxyFault] = field(factory=dict)
    _passed: int = 0
    _answered: int = 0

    async def run(self) -> None:
        """Pass requests on until one side or a fault closes the connection."""
        first = self._script.connected()
        self._faults = {fault.what: fault for fault in first}
        if self._amount("reset-request") == 0:
            self._break("reset-request")
        while head := await self._head():
            self._faults = {fault.what: fault for fault in (*first, *self._script.arrived(head))}
            first, self._passed, self._answered = [], 0, 0
            if refusal := self._faults.get("refuse"):
                self._script.struck.append(refusal)
                await self._refuse_for(refusal.amount)
            await self._request(head)

    def reset(self) -> None:
        """Reset both connections."""
        _reset(self._writer)
        if self._server is not None:
            _reset(self._server)

    async def end(self) -> None:
        """Close both connections, unless they are closed, and wait until all tasks have ended."""
        writers = [writer for writer in (self._server, self._writer) if writer is not None]
        if self._answers is not None:
            if self._server is not None:
                self._server.close()
            await asyncio.gather(self._answers, return_exceptions=True)
        for writer in writers:
            writer.close()
        for writer in writers:
            with suppress(OSError):
                await writer.wait_closed()

    async def _head(self) -> bytes:
        try:
            return await self._reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return b""

    async def _request(self, head: bytes) -> None:
        length = LENGTH.search(head)
        left = math.inf if CHUNKED.search(head) else int(length[1]) if length else 0
        cut: What = "reset-body" if "reset-body" in self._faults else "reset-request"
        limit = min(self._amount(cut) + (len(head) if cut == "reset-body" else 0), len(head) + left)
        if limit == 0:
            self._break(cut)
        async for block in self._pieces(head, left):
            part = block[: int(min(limit - self._passed, len(block)))]
            await self._pass_on(part)
            self._passed += len(part)
            if self._passed == limit and cut in self._faults:
                self._break(cut)

    async def _pieces(self, head: bytes, left: float) -> AsyncIterator[bytes]:
        yield head
        while left > 0 and (block := await self._reader.read(int(min(BLOCK, left)))):
            left -= len(block)
            yield block

    async def _pass_on(self, block: bytes) -> None:
        if self._server is None:
            reader, self._server = await asyncio.open_connection(*self._target)
            self._answers = asyncio.create_task(self._pass_back(reader))
        self._server.write(block)
        # The server may have closed the connection while its answer still passes back to the client.
        with suppress(OSError):
            await self._server.drain()

    async def _pass_back(self, reader: asyncio.StreamReader) -> None:
        with suppress(OSError, _Over):
            while block := await reader.read(BLOCK):
                if not self._answered and (delay := self._faults.pop("delay-answer", None)):
                    self._script.struck.append(delay)
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._stop.wait(), delay.amount)
                await self._answer(block)
        self._writer.close()

    async def _answer(self, block: bytes) -> None:
        what: What = "reset-answer" if self._amount("reset-answer") <= self._amount("cut-answer") else "cut-answer"
        left = self._amount(what) - self._answered
        self._writer.write(block[: int(min(left, len(block)))])
        self._answered += len(block)
        await self._writer.drain()
        if left <= len(block):
            self._break(what)

    def _amount(self, what: What) -> float:
        fault = self._faults.get(what)
        return math.inf if fault is None else int(fault.amount)

    def _break(self, what: What) -> None:
        """End the connection to the client. The server gets the bytes that were passed on, and then the end of the stream."""
        self._script.struck.append(self._faults[what])
        if what == "cut-answer":
            self._writer.close()
        else:
            _reset(self._writer)
        if self._server is not None:
            self._server.close()
        raise _Over


def _reset(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()
