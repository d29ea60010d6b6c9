"""One request over aiohttp, and its answer.

What belongs here: what is sent when, how long is waited for what, and telling "not sent" from "interrupted". aiohttp sends
some requests again by itself; a middleware turns each failure into ours before it can.
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

__all__ = ["Exchange", "ToldRequest"]

Foreign: TypeAlias = tuple[tuple[type[Exception], str], ...]

PIECE: Final = 64 * 1024
LARGE_PIECE: Final = 256 * 1024
"""Bytes that are sent in one wait: a few where the line is slow, because it has to take them within the time-out, and many
where it is quick, because each wait costs."""
PROMPT: Final = 1 / 16
"""Of the time-out: a piece that left within it may be followed by one of twice the size."""

HOLD: Final = 0.005
"""Seconds that all uploads together keep the event loop to themselves, where neither disk nor line makes them wait."""

MOMENT: Final = 0.0003
"""Seconds that the event loop waits for the block of a single upload: what is in memory is there by then, and sleeping until
then takes longer. Of several, others can go on meanwhile."""

# What aiohttp raises before anything has left, and what it means; the first that fits counts.
CONNECTING: Final[Foreign] = (
    (TimeoutError, "no connection came about in time"),
    (aiohttp.ClientConnectorDNSError, "the host's name was not found"),
    (aiohttp.ClientProxyConnectionError, "the proxy refused the connection or is out of reach"),
    (aiohttp.InvalidURL, "the URL is not a complete http or https URL"),
    (aiohttp.ClientConnectorError, "the host refused the connection or is out of reach"),
    (aiohttp.ClientResponseError, "the proxy did not answer in HTTP"),
    (aiohttp.ClientConnectionError, "the proxy hung up before there was a tunnel"),
    (aiohttp.ClientError, "the connection could not be set up"),
    (OSError, "the connection could not be set up"),
)
HANDSHAKE: Final = (ssl.SSLError, ConnectionResetError, ConnectionAbortedError)
"""What lies beneath a connector's error when there was a connection, and TLS failed on it."""

# What aiohttp raises once something has left, and what it means; the first that fits counts.
TALKING: Final[Foreign] = (
    (aiohttp.ServerDisconnectedError, "the connection was closed before a whole answer had come"),
    (aiohttp.ClientResponseError, "the answer is not HTTP"),
    (aiohttp.ClientPayloadError, "the answer broke off"),
    (aiohttp.ClientError, "the connection was lost"),
    (OSError, "the connection was lost"),
)


class Exchange:
    """One request on its way, and its answer."""

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
        except Exception as foreign:  # noqa: BLE001 - whatever a library raises, one of ours leaves
            error = self._translated(foreign)
            raise error from error.__cause__
        finally:
            if self._alarm is not None:
                self._alarm.cancel()
            if self._line is not None:
                # aiohttp closes it, which waits until the other side has read what is in the buffer: perhaps for ever.
                self._line.abort()

    def _watch(self, patience: asyncio.Timeout) -> None:
        """Look whether anything has moved within the time-out; if so, look again later."""
        end = self._moved + self._request.timeout
        end = end if self._end is None else min(end, self._end)
        if self._loop.time() < end:
            self._alarm = self._loop.call_at(end, self._watch, patience)
            return
        if self._late is not None and self._loop.time() >= self._moved + self._request.timeout:
            # The line was not what stood still.
            self._failed = self._late
        patience.reschedule(end)

    @contextmanager
    def _waiting(self, late: TikTokError) -> Iterator[None]:
        """Wait for a source or a sink, which is what `late` says if it hangs until the time-out is over."""
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
        """Note that there is a connection: from now on something may have left."""
        self._connected = self._left = True
        self._move()

    def refused(self) -> None:
        """Note that aiohttp could not spell the request, or found the connection closed, before anything left."""
        self._left = False

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Send the body, one block after the other, while a thread reads the next one: a slow disk holds up no task."""
        try:
            await self._write(writer)
        except (GuestFailed, SourceChanged) as error:
            # aiohttp hands on another error than this one.
            self._failed = error
            raise

    async def _write(self, writer: AbstractStreamWriter) -> None:
        if not isinstance(writer, StreamWriter):
            raise TypeError("aiohttp writes in another way than it used to")
        if writer.transport is not None:
            self._line = writer.transport
            # What was written has left, or is encrypted: its memory is about to be read into again. (TLS would take a
            # limit of nothing for one that is always reached.)
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
            raise RuntimeError("a source that ended early has not said so")
        return block

    async def _come(self, ahead: Ahead) -> Block | None:
        """Wait for a block without a thread that waits for it."""
        there = asyncio.Event()

        def tell() -> None:
            with suppress(RuntimeError):  # The loop was closed meanwhile.
                self._loop.call_soon_threadsafe(there.set)

        with ahead.told(tell):
            while True:
                there.clear()
                try:
                    return ahead.take(within=0.0)
                except NotYet:
                    await there.wait()

    async def _let_others(self) -> None:
        """Let other tasks have their turn, if they have not had one for long."""
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
            # An answer that overtakes the end of the body costs the connection: the last piece is not waited for.
            if self._sent < self._request.content_length:
                await writer.drain()
            self._move()
            is_prompt = self._moved - began < PROMPT * self._request.timeout
            self._piece = min(2 * self._piece, LARGE_PIECE) if is_prompt else PIECE
        self._report()

    async def only_once(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Send; aiohttp sends again after some of its own errors, so none of them reaches it."""
        if isinstance(request, ToldRequest):
            request.exchange = self
        try:
            return await handler(request)
        except Exception as foreign:  # noqa: BLE001 - whatever a library raises, one of ours leaves
            error = self._translated(foreign)
            raise error from error.__cause__

    async def _answer(self, session: aiohttp.ClientSession) -> Response:
        # Its `repr` shows the URL and the headers.
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
            # An answer that was read whole has given its connection back already, unless the body is still on its way.
            response.reveal().close()
        if self._sent == self._request.content_length and len(answer.body) <= MAX_RESPONSE:
            self._line = None  # All was sent and all was read: it may serve others by now.
        return answer

    async def _read(self, content: aiohttp.StreamReader) -> bytes:
        if content.is_eof():  # All of it came with the head, as small answers do.
            return content.read_nowait(MAX_RESPONSE + 1)
        body = io.BytesIO()  # Which does not show what it holds.
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
            reason = f"it took no bytes within {self._request.timeout:g} s; see whether its disk hangs"
            with self._waiting(StoreError("Destination", reason)):
                # In a thread: a slow disk would hold up every other task.
                await lane.call(partial(sink.write, block))
            self._move()

    def _headers(self) -> dict[str, str]:
        told = self._proxy if self._target.scheme == "http" else None
        # In one expression: no variable holds what may be a secret.
        return {**wire_headers(self._request), **({} if told is None else told.headers)}

    def _report(self) -> None:
        if self._request.on_sent is not None:
            self._request.on_sent(self._sent)

    def _translated(self, foreign: Exception) -> Exception:
        """Return our error for a foreign one. What the foreign one says stays here: it may quote the URL."""
        if isinstance(foreign, (TikTokError, GuestFailed)):
            return foreign
        if self._failed is not None:
            return self._failed
        if not self._connected:
            return NotSent(self._request.name, self._obstacle(foreign))
        if isinstance(foreign, TimeoutError):
            return TimedOut(self._request.name, "no answer came in time")
        error = Interrupted if self._left else NotSent
        reasons = (reason for kind, reason in TALKING if isinstance(foreign, kind))
        return error(self._request.name, next(reasons, unforeseen(foreign)))

    def _obstacle(self, foreign: Exception) -> str:
        """Return why no connection came about."""
        if isinstance(foreign, aiohttp.ClientHttpProxyError):
            return Proxy.refusal(foreign.status)
        if isinstance(foreign, aiohttp.ClientConnectorError) and isinstance(foreign.os_error, HANDSHAKE):
            return tls_fault(foreign.os_error)
        return next((reason for kind, reason in CONNECTING if isinstance(foreign, kind)), unforeseen(foreign))


def _text(value: str) -> str:
    # aiohttp spells bytes that are no UTF-8 as lone surrogates, which no log and no store takes.
    return value if value.isascii() else value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


class _Body(aiohttp.Payload):
    """The body as aiohttp takes it: a payload of our own, because only a payload gets to see the connection."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__(None)
        self._exchange = exchange

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Send the body."""
        await self._exchange.write(writer)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:  # noqa: ARG002 - aiohttp's signature
        """Refuse: a body is never text."""
        raise TypeError("a body is not decoded")


class ToldRequest(aiohttp.ClientRequest):
    """A request that tells its exchange when there is a connection for it."""

    exchange: Exchange | None = None

    async def send(self, conn: aiohttp.connector.Connection) -> aiohttp.ClientResponse:
        """Send it on that connection."""
        if self.exchange is None:
            return await super().send(conn)
        self.exchange.connected()
        try:
            return await super().send(conn)
        except (ValueError, aiohttp.ClientConnectionResetError):
            self.exchange.refused()
            raise
