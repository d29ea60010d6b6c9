"""The asynchronous transport, over aiohttp.

What belongs here: sending one request over a session, and telling "not sent" from "interrupted". aiohttp sends some
requests again by itself; a middleware turns each failure into ours before it can.
"""

import asyncio
import os
import ssl
from types import SimpleNamespace, TracebackType
from typing import Any, Final, NoReturn, Self, TypeAlias
from urllib.parse import SplitResult

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import StreamWriter
from yarl import URL

from tiktok_adapters.transports.common import (
    Proxy,
    body_blocks,
    hide_queries,
    joined_headers,
    settled_url,
    wire_headers,
)
from tiktok_core.errors import Interrupted, NotSent, TimedOut
from tiktok_core.wire.http import MAX_RESPONSE, Request, Response

__all__ = ["AiohttpTransport"]

Foreign: TypeAlias = tuple[tuple[type[Exception], str], ...]

LOGGERS: Final = ("aiohttp.client", "aiohttp.internal")
NO_HEADERS_OF_ITS_OWN: Final = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
LONGEST_LINE: Final = 65536
"""Bytes of one line of an answer's head; what http.client allows too."""

# What aiohttp raises, and what it means; the first that fits counts.
CONNECTING: Final[Foreign] = (
    (TimeoutError, "no connection came about in time"),
    (aiohttp.ClientConnectorDNSError, "the host's name was not found"),
    (aiohttp.ClientConnectorCertificateError, "the server's certificate was refused"),
    (aiohttp.ClientSSLError, "TLS could not be set up"),
    (ssl.SSLError, "TLS could not be set up"),
    (aiohttp.ClientProxyConnectionError, "the proxy refused the connection or is out of reach"),
    (aiohttp.ClientHttpProxyError, "the proxy refused"),
    (aiohttp.InvalidURL, "the URL is not a complete http or https URL"),
    (aiohttp.ClientConnectorError, "the host refused the connection or is out of reach"),
    (aiohttp.ClientError, "the connection could not be set up"),
    (OSError, "the connection could not be set up"),
)
TALKING: Final[Foreign] = (
    (TimeoutError, "no answer came in time"),
    (aiohttp.ServerDisconnectedError, "the connection was closed before a whole answer had come"),
    (aiohttp.ClientResponseError, "the answer is not HTTP"),
    (aiohttp.ClientPayloadError, "the answer broke off"),
    (aiohttp.ClientError, "the connection was lost"),
    (OSError, "the connection was lost"),
)


class AiohttpTransport:
    """Send requests over pooled connections, awaited. It belongs to the event loop that it is first used in.

    It keeps no cookies, follows no redirect, sends nothing twice, and reads no environment variable for a proxy.

    Args:
        proxy: URL of an HTTP proxy, `http://user:password@host:port`; user and password may be left out.
        ca_file: PEM file of the authorities to trust, in place of the system's.

    Raises:
        ValueError: the proxy is not an http URL.
        OSError: the file of authorities is missing or holds none.
    """

    def __init__(self, *, proxy: str | None = None, ca_file: str | None = None) -> None:
        hide_queries(*LOGGERS)
        self._proxy = None if proxy is None else Proxy.parsed(proxy)
        self._tls = None if ca_file is None else ssl.create_default_context(cafile=ca_file)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sessions: dict[bool, aiohttp.ClientSession] = {}
        self._closed = False
        self._pid = os.getpid()

    async def send(self, request: Request, /) -> Response:
        """Send the request and return the answer; a cancelled call closes its connection.

        Raises:
            NotSent: nothing left this machine; repeating is safe.
            Interrupted: something left and no whole answer came (`TimedOut` where it did not come in time).
            SourceChanged: the body's source ended early; what was sent is incomplete.
            RuntimeError: the transport was first used in another event loop, or made by another process.
        """
        self._check_place()
        if self._closed:
            raise NotSent(request.name, "the transport is closed")
        url = settled_url(request)
        exchange = _Exchange(request, url, self._proxy, self._tls_context() if url.scheme == "https" else None)
        return await exchange.answer(self._session(fresh=request.fresh_connection))

    async def close(self) -> None:
        """Close all connections; a second call does nothing.

        Raises:
            RuntimeError: the transport was used in another event loop, or made by another process.
        """
        self._check_place()
        self._closed = True
        while self._sessions:
            _, session = self._sessions.popitem()
            await session.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a transport is not pickled: it holds connections")

    def _check_place(self) -> None:
        if os.getpid() != self._pid:
            raise RuntimeError("this transport belongs to another process: make a new one after the fork")
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        if self._loop is not loop:
            raise RuntimeError("this transport belongs to another event loop: make one for each loop")

    def _tls_context(self) -> ssl.SSLContext:
        # Loading the authorities takes longer than a whole call, so it is done once, and only where TLS is used.
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls

    def _session(self, *, fresh: bool) -> aiohttp.ClientSession:
        if fresh not in self._sessions:
            trace = aiohttp.TraceConfig()
            trace.on_connection_create_end.append(_connected)
            trace.on_connection_reuseconn.append(_connected)
            self._sessions[fresh] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, force_close=fresh),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
                auto_decompress=False,
                max_line_size=LONGEST_LINE,
                max_field_size=LONGEST_LINE,
                trace_configs=[trace],
            )
        return self._sessions[fresh]


class _Exchange:
    """One request on its way, and its answer."""

    def __init__(self, request: Request, url: SplitResult, proxy: Proxy | None, tls: ssl.SSLContext | None) -> None:
        self._request = request
        self._url = url
        self._proxy = proxy
        self._tls = tls
        self._blocks = body_blocks(request)
        self._sent = 0
        self._connected = False
        self._over = False
        self._ours: Exception | None = None
        self._line: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._end = None if request.time_limit is None else self._loop.time() + request.time_limit
        self._patience = asyncio.timeout(None)

    async def answer(self, session: aiohttp.ClientSession) -> Response:
        """Send the request and read the answer."""
        try:
            async with self._patience:
                self.wait_anew()
                return await self._answer(session)
        except (aiohttp.ClientError, OSError) as foreign:  # TimeoutError is an OSError.
            raise self._translated(foreign) from None
        finally:
            self._over = True
            if self._line is not None:
                # aiohttp closes it, which waits until the other side has read what is in the buffer: perhaps for ever.
                self._line.abort()

    def wait_anew(self) -> None:
        """Begin another wait: it ends with its own time-out, or with the limit for all."""
        if self._over or self._patience.expired():  # The task that sends may be a step behind the one that gave up.
            return
        end = self._loop.time() + self._request.timeout
        self._patience.reschedule(end if self._end is None else min(end, self._end))

    def connected(self) -> None:
        """Note that there is a connection: from now on something may have left."""
        self._connected = True
        self.wait_anew()

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Send the body, one block after the other; what fails here is not the network's fault, and is kept apart."""
        if isinstance(writer, StreamWriter):
            self._line = writer.transport
        while block := await self._next_block():
            await writer.write(block)
            self._sent += len(block)

    async def only_once(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Send; aiohttp sends again after some of its own errors, so none of them reaches it."""
        try:
            return await handler(request)
        except (aiohttp.ClientError, OSError) as foreign:
            raise self._translated(foreign) from None

    async def _answer(self, session: aiohttp.ClientSession) -> Response:
        response = await session.request(
            self._request.method,
            URL(self._url.geturl(), encoded=True),
            data=_Body(self) if self._request.content_length else None,
            headers=self._headers(),
            skip_auto_headers=NO_HEADERS_OF_ITS_OWN,
            allow_redirects=False,
            ssl=True if self._tls is None else self._tls,
            trace_request_ctx=self,
            middlewares=(self.only_once,),
            proxy=None if self._proxy is None else self._proxy.url,
            proxy_headers=None if self._proxy is None else self._proxy.headers,
        )
        try:
            body = bytearray()
            while len(body) <= MAX_RESPONSE:
                self.wait_anew()
                block = await response.content.read(MAX_RESPONSE + 1 - len(body))
                if not block:
                    break
                body += block
        finally:
            # An answer that was read whole has given its connection back already, unless the body is still on its way.
            response.close()
        if self._sent == self._request.content_length and len(body) <= MAX_RESPONSE:
            self._line = None  # All was sent and all was read: it may serve others by now.
        return Response(response.status, joined_headers(response.headers.items()), bytes(body))

    def _headers(self) -> dict[str, str]:
        headers = wire_headers(self._request)
        if self._proxy is not None and self._url.scheme == "http":
            headers |= self._proxy.headers
        return headers

    async def _next_block(self) -> bytes | memoryview:
        try:
            if self._sent and self._request.on_sent is not None:
                self._request.on_sent(self._sent)
            self.wait_anew()
            if self._sent == self._request.content_length:
                return b""  # At once: an answer that overtakes the end of the body would cost the connection.
            if isinstance(self._request.body, bytes):
                return next(self._blocks, b"")
            # In a thread: a slow disk would hold up every other task.
            return await asyncio.to_thread(next, self._blocks, b"")
        except Exception as error:
            self._ours = error
            raise

    def _translated(self, foreign: Exception) -> Exception:
        """Return our error for a foreign one. What the foreign one says stays here: it may quote the URL."""
        if self._ours is not None:  # A source or a callback raised it, and aiohttp took it for trouble on the line.
            return self._ours
        table, error = (TALKING, Interrupted) if self._connected else (CONNECTING, NotSent)
        if self._connected and isinstance(foreign, TimeoutError):
            error = TimedOut
        return error(self._request.name, next(reason for kind, reason in table if isinstance(foreign, kind)))


class _Body(aiohttp.Payload):
    """The body as aiohttp takes it: a payload of our own, because only a payload gets to see the connection."""

    def __init__(self, exchange: _Exchange) -> None:
        super().__init__(None)
        self._exchange = exchange

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Send the body."""
        await self._exchange.write(writer)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:  # noqa: ARG002 - aiohttp's signature
        """Refuse: a body is never text."""
        raise TypeError("a body is not decoded")


async def _connected(_session: aiohttp.ClientSession, context: SimpleNamespace, _event: Any) -> None:
    exchange: _Exchange = context.trace_request_ctx
    exchange.connected()
