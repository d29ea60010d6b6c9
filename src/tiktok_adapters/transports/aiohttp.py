"""The asynchronous transport, over aiohttp.

What belongs here: sessions, connections, TLS, their event loop, and closing them. The module `aiohttp_exchange` sends a
single request.
"""

import asyncio
import os
import socket
import ssl
from contextlib import suppress
from types import TracebackType
from typing import Final, NoReturn, Self
from weakref import WeakSet

import aiohttp

from tiktok_adapters.transports.aiohttp_exchange import Exchange, WatchedRequest
from tiktok_adapters.transports.common import hide_queries, ready, target_of, unforeseen
from tiktok_adapters.transports.names import ThreadResolver
from tiktok_adapters.transports.proxies import Proxy
from tiktok_adapters.transports.reading import Reading
from tiktok_adapters.transports.tls import chosen_context, default_context
from tiktok_core.errors import Misused, NotSent
from tiktok_core.hidden import Hidden
from tiktok_core.wire.guests import GuestFailed, Guests
from tiktok_core.wire.http import Request, Response

__all__ = ["AiohttpTransport"]

LOGGERS: Final = ("aiohttp.client", "aiohttp.internal")
NO_HEADERS_OF_ITS_OWN: Final = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
LONGEST_LINE: Final = 65536
"""Largest size in bytes of a line of an answer's head. http.client has the same limit."""

TURNS: Final = 100
"""Largest number of event loop turns to wait until connections are closed. A few turns suffice."""


class AiohttpTransport:
    """Send requests asynchronously over pooled connections. It belongs to the event loop in which it is first used.

    It keeps no cookies, follows no redirects, sends no request twice, and reads no environment variables.

    Args:
        proxy: URL of an HTTP proxy, `http://user:password@host:port`; or a `Proxy`, which can name hosts that are called without it.
        ca_file: PEM file of the authorities to trust in place of the system's.
        ssl_context: complete TLS settings in place of `ca_file`. They must check certificates and host names.

    Raises:
        ValueError: the proxy is not an http URL, or the context does not check certificates and host names.
        OSError: the file of authorities is missing or holds no authority.
    """

    def __init__(
        self,
        *,
        proxy: str | Proxy | None = None,
        ca_file: str | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        hide_queries(*LOGGERS)
        given = Hidden(proxy)
        del proxy  # It may hold a password, which a crash report would show.
        self._proxy = Proxy.chosen(given)
        self._tls = chosen_context(ca_file, ssl_context)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._sessions: dict[bool, aiohttp.ClientSession] = {}
        self._reading = Reading()
        self._names = ThreadResolver()
        self._closed = False
        self._pid = os.getpid()

    async def send(self, request: Request, /) -> Response:
        """Send the request and return the answer. A cancelled call closes its connection.

        Raises:
            NotSent: no byte left this machine; `Misused` if the transport is closed or belongs to another event loop or process.
            Interrupted: part of the request left, and no complete answer came. `TimedOut` if it did not come in time.
            SourceChanged: the body's source ended early, so the server got an incomplete body.
        """
        guests = Guests()
        with suppress(GuestFailed):
            response = await self._sent(guests.watched(request))
            if guests.error is None:
                return response
        raise guests.take()

    async def _sent(self, request: Request) -> Response:
        if (obstacle := self._misplaced() or ("the transport is closed" if self._closed else None)) is not None:
            raise Misused(request.name, obstacle)
        try:
            target = target_of(request)
            tls = self._tls_context() if target.scheme == "https" else None
            proxy = self._proxy if self._proxy is not None and self._proxy.serves(target.host, target.port) else None
            exchange = Exchange(request, target, proxy, tls, self._reading)
            session = self._session(fresh=request.fresh_connection)
        except NotSent:
            raise
        except Exception as foreign:  # noqa: BLE001 - the caller gets one of our errors for each foreign one
            raise NotSent(request.name, unforeseen(foreign)) from None
        return await exchange.answer(session)

    async def close(self) -> None:
        """Close all connections. A second call, or a call in a forked child, does nothing.

        Any event loop may close the connections of one that has ended.

        Raises:
            Misused: the connections belong to another event loop, which has not ended. They stay open.
        """
        if os.getpid() != self._pid:
            return  # Closing them here would remove them from the parent's event loop.
        has_ended = self._loop is not None and self._loop.is_closed()
        if not has_ended and self._misplaced() is not None:
            raise Misused("closing the transport", "its connections belong to another event loop: close it there")
        self._closed = True
        while self._sessions:
            _, session = self._sessions.popitem()
            await session.close()
        if has_ended:
            for made in self._sockets:
                made.close()  # Nothing else does: aiohttp leaves the connections of an ended loop as they are.
        else:
            await self._hang_up()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a transport is not pickled: it holds connections")

    async def _hang_up(self) -> None:
        # TLS connections would wait for the server's closing message. If the event loop ended before that, they would stay
        # open.
        for made in self._sockets:
            with suppress(OSError):
                made.shutdown(socket.SHUT_RDWR)
        for _ in range(TURNS):
            if all(made.fileno() < 0 for made in self._sockets):
                return
            await asyncio.sleep(0)

    def _socket(self, address: aiohttp.AddrInfoType) -> socket.socket:
        made = socket.socket(*address[:3])
        self._sockets.add(made)
        ready(made)
        return made

    def _misplaced(self) -> str | None:
        """Return why this process or event loop cannot use the transport, or None. The first use chooses the loop."""
        if os.getpid() != self._pid:
            return "this transport belongs to another process: make a new client (or transport) after the fork"
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return "there is no running event loop: await this transport inside of one"
        if self._loop is None:
            self._loop = loop
        if self._loop is not loop:
            return "this transport belongs to another event loop: make a client (or transport) for each loop"
        return None

    def _tls_context(self) -> ssl.SSLContext:
        # Load the authorities once, and only for TLS: loading them takes longer than a whole request.
        if self._tls is None:
            self._tls = default_context()
        return self._tls

    def _session(self, *, fresh: bool) -> aiohttp.ClientSession:
        if fresh not in self._sessions:
            self._sessions[fresh] = aiohttp.ClientSession(
                # aiohttp's cache would keep an address that the name no longer has.
                connector=aiohttp.TCPConnector(
                    limit=0,
                    force_close=fresh,
                    socket_factory=self._socket,
                    resolver=self._names,
                    use_dns_cache=False,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
                auto_decompress=False,
                max_line_size=LONGEST_LINE,
                max_field_size=LONGEST_LINE,
                skip_auto_headers=NO_HEADERS_OF_ITS_OWN,
                request_class=WatchedRequest,
            )
        return self._sessions[fresh]
