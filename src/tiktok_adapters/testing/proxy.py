"""A proxy on loopback that breaks HTTP connections on demand, at the level of sockets, where no mock can be wrong.

    with FaultProxy(server_url) as proxy:
        proxy.on_request(2, "reset-answer:0")
        ...  # the client talks to proxy.url

Everything passes byte for byte until a fault meets a request. Faults are spelled `WHAT:AMOUNT`, where `WHAT` is one of:

- `reset-request:N`: the connection is reset after N bytes of the request, head included, were passed on. With 0 the server
  sees nothing of it; with more than there are it sees all, and the client does not hear whether it did.
- `reset-body:N`: likewise, with N counted from the end of the head.
- `reset-answer:N`: the whole request is passed on; after N bytes of the answer the connection is reset. With 0 the server
  has dealt with the request, and the client hears nothing.
- `cut-answer:N`: likewise, but the connection is closed in good order, as if the answer ended there.
- `delay-answer:SECONDS`: the answer begins that much later.
- `refuse:SECONDS`: from this request on, new connections are refused for so long; this one goes on.

An answer that is shorter than N passes whole. What belongs here: sockets and the script of faults; no rule of TikTok's.
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
"""The value of SO_LINGER that makes closing a socket reset its connection."""
LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,18})[ \t]*\r\n", re.IGNORECASE)
CHUNKED: Final = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)


class FaultProxy:
    """Passes HTTP on to a server and breaks what it is told to break; a context manager with a thread of its own.

    It takes requests with a `Content-Length` or without a body. A chunked body passes too, but then whatever follows on
    its connection counts as part of it.

    Args:
        target_url: the server, `http://host:port`; a path is not looked at.

    Raises:
        ValueError: the URL is not one of plain http with a host.
    """

    def __init__(self, target_url: str) -> None:
        target = urlsplit(target_url)
        if target.scheme != "http" or not target.hostname:
            raise ValueError(
                f"the proxy passes on to http://host:port, not to {target.scheme}://{target.hostname or ''}"
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
            RuntimeError: it is not running.
        """
        if not self._port:
            raise RuntimeError("the proxy is not running")
        return f"http://127.0.0.1:{self._port}"

    @property
    def requests(self) -> tuple[str, ...]:
        """Method and path of every request that reached the proxy, in order; without queries, which may hold secrets."""
        return tuple(self._script.seen)

    @property
    def connections(self) -> int:
        """How many connections were made to the proxy."""
        return self._script.connections

    @property
    def pending(self) -> tuple[ProxyFault, ...]:
        """The faults that have not met a request or connection yet."""
        return self._script.pending

    @property
    def struck(self) -> tuple[ProxyFault, ...]:
        """The faults that have broken something, in order."""
        return tuple(self._script.struck)

    def on_request(self, nth: int, fault: ProxyFault | str) -> None:
        """Let a fault meet the `nth` request from now on, counted from 1 over all connections.

        Raises:
            ValueError: `nth` is less than 1, or the text spells no fault.
        """
        self._script.add(nth, fault, is_for_connection=False)

    def on_connection(self, nth: int, fault: ProxyFault | str) -> None:
        """Let a fault meet the first request on the `nth` connection from now on.

        `reset-request:0` does not wait for that request: it resets the connection as soon as it is made.

        Raises:
            ValueError: `nth` is less than 1, or the text spells no fault.
        """
        self._script.add(nth, fault, is_for_connection=True)

    def clear(self) -> None:
        """Forget the faults that are still to come."""
        self._script.clear()

    def refuse(self) -> None:
        """Refuse new connections from now on, until `listen`; those that are open go on.

        Raises:
            RuntimeError: it is not running.
        """
        self._do(self._refuse_for(None))

    def listen(self) -> None:
        """Take new connections again, also before the time of a `refuse` is over.

        Raises:
            RuntimeError: it is not running.
            OSError: somebody else has been given the port meanwhile.
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
        # A connection that was just accepted is a task before it is a talk.
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
                # asyncio loses a connection that was accepted and not attached yet when its server closes.
                for listener in self._server.sockets:
                    asyncio.get_running_loop().remove_reader(listener.fileno())
                for _ in range(5):
                    await asyncio.sleep(0)
                # Its connections are ended one by one: waiting for the server would wait for them.
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
            # Somebody's outgoing connection may have been given the port meanwhile.
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
            # Whatever breaks here was broken on purpose, by one side or the other.
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, _Over):
                await talk.run()
        finally:
            await talk.end()
            del self._talks[task]


class _Over(Exception):
    """A fault has ended the connection."""


@define(eq=False)
class _Talk:
    """One connection of a client's, and the one to the server behind it."""

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
        """Pass requests on until one side hangs up or a fault does."""
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
        """Close both connections, unless they are, and wait until nothing more moves."""
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
        # Where the server has hung up, its answer may still be on the way back.
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
        """End the connection to the client; the server reads what was passed on, and then finds the end."""
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
