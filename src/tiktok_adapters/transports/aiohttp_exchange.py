"""One request over aiohttp, and its answer.

What belongs here: when to send what, how long to wait, and deciding between "not sent" and "interrupted". aiohttp repeats
some failed requests by itself. A middleware prevents that: it turns each failure into one of our errors first.
"""

import asyncio
import io
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Final, TypeAlias

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import StreamWriter
from yarl import URL

from tiktok_adapters.threads import Lane
from tiktok_adapters.transports.common import Target, body_blocks, joined_headers, unforeseen, wire_headers
from tiktok_adapters.transports.heads import check_head
from tiktok_adapters.transports.proxies import Proxy
from tiktok_adapters.transports.reading import Ahead, Block, NotYet, Reading, hung
from tiktok_adapters.transports.tls import tls_fault
from tiktok_core.errors import Interrupted, NotSent, SourceChanged, StoreError, TikTokError, TimedOut
from tiktok_core.hidden import Hidden
from tiktok_core.wire.guests import GuestFailed
from tiktok_core.wire.http import BLOCK, MAX_RESPONSE, Request, Response, Sink

__all__ = ["Exchange", "WatchedRequest"]

Foreign: TypeAlias = tuple[tuple[type[Exception], str], ...]

PIECE: Final = 64 * 1024
LARGE_PIECE: Final = 256 * 1024
"""Bytes that are sent per wait. A slow line gets few, because it must take them within the time-out. A fast line gets many,
because each wait costs time."""
PROMPT: Final = 1 / 16
"""Fraction of the time-out. If a piece was sent within it, the next piece has twice the size."""

HOLD: Final = 0.005
"""Seconds for which all uploads together may occupy the event loop if neither disk nor line makes them wait."""

MOMENT: Final = 0.0003
"""Seconds for which a single upload blocks the event loop to wait for a block. Data in the system's memory is read within
that time, and a real sleep would take longer. With several uploads it is zero, so that others can go on."""

# Errors of aiohttp before any byte was sent, and their meaning. The first entry that fits counts.
CONNECTING: Final[Foreign] = (
    (TimeoutError, "the connection was not made in time"),
    (aiohttp.ClientConnectorDNSError, "the host's name was not found"),
    (aiohttp.ClientProxyConnectionError, "the proxy refused the connection or is out of reach"),
    (aiohttp.InvalidURL, "the URL is not a complete http or https URL"),
    (aiohttp.ClientConnectorError, "the host refused the connection or is out of reach"),
    (aiohttp.ClientResponseError, "the proxy did not answer in HTTP"),
    (aiohttp.ClientConnectionError, "the proxy closed the connection before the tunnel was open"),
    (aiohttp.ClientError, "the connection could not be set up"),
    (OSError, "the connection could not be set up"),
)
HANDSHAKE: Final = (ssl.SSLError, ConnectionResetError, ConnectionAbortedError)
"""Causes of a connector's error if the connection was made but the TLS handshake failed."""

# Errors of aiohttp after bytes were sent, and their meaning. The first entry that fits counts.
TALKING: Final[Foreign] = (
    (aiohttp.ServerDisconnectedError, "the server closed the connection before the answer was complete"),
    (aiohttp.ClientResponseError, "the answer is not HTTP"),
    (aiohttp.ClientPayloadError, "the answer broke off"),
    (aiohttp.ClientError, "the connection was lost"),
    (OSError, "the connection was lost"),
)


class Exchange:
    """Sends one request and reads its answer."""

    def __init__(
        self, request: Request, target: Target, proxy: Proxy | None, tls: ssl.SSLContext | None, reading: Reading
    ) -> None:
        self._request = request
        self._reading = reading
        self._target = target
        self._proxy = proxy
        self._tls = tls
        self._sent = 0
        self._piece = PIECE
        self._connected = False
        self._left = False
        self._failed: GuestFailed | TikTokError | None = None
        self._line: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._moved = self._turn = self._loop.time()
        self._end = None if request.time_limit is None else self._moved + request.time_limit
        self._alarm: asyncio.TimerHandle | None = None
        self._late: TikTokError | None = None

    async def answer(self, session: aiohttp.ClientSession) -> Response:
        """Send the request and read the answer."""
        try:
            async with asyncio.timeout(None) as patience:
                self._watch(patience)
                return await self._answer(session)
        except Exception as foreign:  # noqa: BLE001 - the caller gets one of our errors for each foreign one
            error = self._translated(foreign)
            raise error from error.__cause__
        finally:
            if self._alarm is not None:
                self._alarm.cancel()
            if self._line is not None:
                # aiohttp's close waits until the server has read the buffer, perhaps for ever. So abort the connection.
                self._line.abort()

    def _watch(self, patience: asyncio.Timeout) -> None:
        """Check whether any bytes moved within the time-out. If so, check again later."""
        end = self._moved + self._request.timeout
        end = end if self._end is None else min(end, self._end)
        if self._loop.time() < end:
            self._alarm = self._loop.call_at(end, self._watch, patience)
            return
        if self._late is not None and self._loop.time() >= self._moved + self._request.timeout:
            # A source or sink hung, not the connection.
            self._failed = self._late
        patience.reschedule(end)

    @contextmanager
    def _waiting(self, late: TikTokError) -> Iterator[None]:
        """Wait for a source or a sink. If it hangs until the time-out is over, the request fails with `late`."""
        self._move()
        self._late = late
        try:
            yield
        finally:
            self._late = None
            self._move()

    def _move(self) -> None:
        self._moved = self._loop.time()

    def connected(self) -> None:
        """Note that the connection is open. From now on some of the request may have left."""
        self._connected = self._left = True
        self._move()

    def refused(self) -> None:
        """Note that nothing was sent: aiohttp could not write the request, or the connection was already closed."""
        self._left = False

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Send the body block by block. A thread reads the next block, so that a slow disk blocks no task."""
        try:
            await self._write(writer)
        except (GuestFailed, SourceChanged) as error:
            # Keep the error, because aiohttp replaces it by its own.
            self._failed = error
            raise

    async def _write(self, writer: AbstractStreamWriter) -> None:
        if not isinstance(writer, StreamWriter):
            raise TypeError(
                "this release of aiohttp writes bodies in a way that this library does not know: install an older one"
            )
        if writer.transport is not None:
            self._line = writer.transport
            # After a drain, written bytes are sent or encrypted, so that the memory of the block can be reused. (With TLS
            # a limit of 0 would count as always exceeded.)
            self._line.set_write_buffer_limits(high=0 if self._tls is None else 1, low=0)
        if isinstance(self._request.body, bytes):
            for block in body_blocks(self._request):
                await self._send(writer, block)
            return
        with self._reading.ahead(self._request.body) as ahead:
            while self._sent < self._request.content_length:
                await self._send(writer, await self._next(ahead))

    async def _next(self, ahead: Ahead) -> Block:
        ahead.ask()
        try:
            block = ahead.take(within=MOMENT if self._reading.count == 1 else 0.0)
        except NotYet:
            with self._waiting(hung(self._request.timeout)):
                block = await self._come(ahead)
        else:
            await self._let_others()
        if block is None:
            raise RuntimeError("the source ended early without an error")
        return block

    async def _come(self, ahead: Ahead) -> Block | None:
        """Wait for a block without blocking a thread."""
        there = asyncio.Event()

        def tell() -> None:
            with suppress(RuntimeError):  # The loop was closed in the meantime.
                self._loop.call_soon_threadsafe(there.set)

        with ahead.telling(tell):
            while True:
                there.clear()
                try:
                    return ahead.take(within=0.0)
                except NotYet:
                    await there.wait()

    async def _let_others(self) -> None:
        """Let other tasks run, if they had no turn for some time."""
        if self._loop.time() - self._turn > HOLD / self._reading.count:
            await asyncio.sleep(0)
            self._turn = self._loop.time()

    async def _send(self, writer: StreamWriter, block: bytes | memoryview) -> None:
        rest = memoryview(block)
        while rest:
            piece, rest = rest[: self._piece], rest[self._piece :]
            began = self._loop.time()
            self._sent += len(piece)
            await writer.write(piece, drain=False)
            # Do not drain the last piece: if the answer came during that wait, the connection would be lost.
            if self._sent < self._request.content_length:
                await writer.drain()
            self._move()
            is_prompt = self._moved - began < PROMPT * self._request.timeout
            self._piece = min(2 * self._piece, LARGE_PIECE) if is_prompt else PIECE
        self._report()

    async def only_once(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Send the request once. aiohttp repeats a request after some of its own errors, so turn all of them into ours."""
        if isinstance(request, WatchedRequest):
            request.exchange = self
        try:
            return await handler(request)
        except Exception as foreign:  # noqa: BLE001 - the caller gets one of our errors for each foreign one
            error = self._translated(foreign)
            raise error from error.__cause__

    async def _answer(self, session: aiohttp.ClientSession) -> Response:
        # Covered, because the `repr` of the response shows the URL and the headers.
        response = Hidden(
            await session.request(
                self._request.method,
                URL(self._target.url, encoded=True),
                data=_Body(self) if self._request.content_length else None,
                headers=self._headers(),
                allow_redirects=False,
                ssl=True if self._tls is None else self._tls,
                middlewares=(self.only_once,),
                proxy=None if self._proxy is None else self._proxy.url,
                proxy_headers=None if self._proxy is None else self._proxy.headers,
            )
        )
        content, version = response.reveal().content, response.reveal().version or (0, 0)
        fields = Hidden([(name, _text(value)) for name, value in response.reveal().headers.items()])
        answer = Response(response.reveal().status, joined_headers(fields.reveal()))
        try:
            check_head(
                self._request,
                (version[0], version[1]),
                answer.status,
                response.reveal().reason or "",
                fields.reveal(),
            )
            sink = self._sink(answer)
            if sink is None:
                answer = Response(answer.status, answer.headers, await self._read(content))
            else:
                await self._pour(content, sink)
        finally:
            # A completely read answer has already returned its connection to the pool, unless the body is still being sent.
            response.reveal().close()
        if self._sent == self._request.content_length and len(answer.body) <= MAX_RESPONSE:
            self._line = (
                None  # The exchange is complete, and the connection may already serve another request: do not abort it.
            )
        return answer

    async def _read(self, content: aiohttp.StreamReader) -> bytes:
        if content.is_eof():  # A small answer comes together with its head.
            return content.read_nowait(MAX_RESPONSE + 1)
        body = io.BytesIO()  # Its `repr` does not show the content.
        while body.tell() <= MAX_RESPONSE:
            self._move()
            if not body.write(await content.read(MAX_RESPONSE + 1 - body.tell())) or content.at_eof():
                break
        return body.getvalue()

    def _sink(self, head: Response) -> Sink | None:
        return None if self._request.sink is None else self._request.sink(head)

    async def _pour(self, content: aiohttp.StreamReader, sink: Sink) -> None:
        self._move()
        lane = Lane()
        while block := await content.read(BLOCK):
            reason = f"it took no bytes within {self._request.timeout:g} s; check whether its disk hangs"
            with self._waiting(StoreError("Destination", reason)):
                # Write in a thread, because a slow disk would block all other tasks.
                await lane.call(partial(sink.write, block))
            self._move()

    def _headers(self) -> dict[str, str]:
        proxy = self._proxy if self._target.scheme == "http" else None
        # In one expression, so that no local variable holds a secret.
        return {**wire_headers(self._request), **({} if proxy is None else proxy.headers)}

    def _report(self) -> None:
        if self._request.on_sent is not None:
            self._request.on_sent(self._sent)

    def _translated(self, foreign: Exception) -> Exception:
        """Return our error for a foreign one. Drop the foreign message, which may quote the URL."""
        if isinstance(foreign, (TikTokError, GuestFailed)):
            return foreign
        if self._failed is not None:
            return self._failed
        if not self._connected:
            obstacle = self._obstacle(foreign)
            return NotSent(self._request.name, self._proxy.named_in(obstacle) if self._proxy else obstacle)
        if isinstance(foreign, TimeoutError):
            return TimedOut(self._request.name, "no answer came in time")
        error = Interrupted if self._left else NotSent
        reasons = (reason for kind, reason in TALKING if isinstance(foreign, kind))
        return error(self._request.name, next(reasons, unforeseen(foreign)))

    def _obstacle(self, foreign: Exception) -> str:
        """Return why the connection could not be made."""
        if isinstance(foreign, aiohttp.ClientHttpProxyError):
            return Proxy.refusal(foreign.status)
        if isinstance(foreign, aiohttp.ClientConnectorError) and isinstance(foreign.os_error, HANDSHAKE):
            return tls_fault(foreign.os_error)
        if self._proxy is not None and isinstance(foreign, aiohttp.ClientConnectorDNSError):
            return "the name of the proxy was not found"
        return next((reason for kind, reason in CONNECTING if isinstance(foreign, kind)), unforeseen(foreign))


def _text(value: str) -> str:
    # aiohttp decodes bytes that are not UTF-8 to lone surrogates, which logs and stores refuse.
    return value if value.isascii() else value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


class _Body(aiohttp.Payload):
    """The body as an aiohttp payload, because aiohttp gives only a payload access to the connection."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__(None)
        self._exchange = exchange

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Send the body."""
        await self._exchange.write(writer)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:  # noqa: ARG002 - aiohttp's signature
        """Raise TypeError: a body is never text."""
        raise TypeError("a body is not decoded")


class WatchedRequest(aiohttp.ClientRequest):
    """A request that notifies its exchange when its connection is open."""

    exchange: Exchange | None = None

    async def send(self, conn: aiohttp.connector.Connection) -> aiohttp.ClientResponse:
        """Send the request on the connection."""
        if self.exchange is None:
            return await super().send(conn)
        self.exchange.connected()
        try:
            return await super().send(conn)
        except (ValueError, aiohttp.ClientConnectionResetError):
            self.exchange.refused()
            raise
