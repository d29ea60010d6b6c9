"""A transport over httpx that is no part of the library: it proves that the contract can test anyone's adapter.

What belongs here: an adapter as a user of the library would write it, and its bindings.
"""

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import httpx
import pytest

from tiktok_adapters.testing.contracts.tiktok import TikTokContract
from tiktok_adapters.testing.contracts.wire import WireContract
from tiktok_adapters.transports.common import joined_headers
from tiktok_adapters.transports.heads import check_head
from tiktok_core.errors import Interrupted, Misused, NotSent, TimedOut
from tiktok_core.wire.guests import GuestFailed, Guests
from tiktok_core.wire.http import BLOCK, MAX_RESPONSE, FileSlice, Request, Response

NOTHING_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
TLS = ssl.create_default_context()
PIECE = 64 * 1024
# Bytes that the operating system has accepted and not sent would leave while the transport waits for an answer.
SOCKET_OPTIONS = [(socket.IPPROTO_TCP, getattr(socket, "TCP_NOTSENT_LOWAT", socket.TCP_NODELAY), 4 * PIECE)]
BODYLESS = {"GET", "HEAD", "DELETE"}


class HttpxTransport:
    """Sends requests over httpx, awaited. It uses the lower layer, which sends once and adds no header."""

    def __init__(self) -> None:
        self._pool = self._new_pool()
        self._closed = False
        self._home: tuple[int, asyncio.AbstractEventLoop] | None = None

    async def send(self, request: Request, /) -> Response:
        """As `AsyncTransport.send`."""
        guests = Guests()
        with suppress(GuestFailed):
            response = await self._sent(guests.watched(request))
            if guests.error is None:
                return response
        raise guests.take()

    async def _sent(self, request: Request) -> Response:
        here = os.getpid(), asyncio.get_running_loop()
        self._home = self._home or here
        if self._home != here:
            raise Misused(request.name, "the transport belongs to another process or event loop: make one for each")
        if self._closed:
            raise Misused(request.name, "the transport is closed")
        exchange = _Exchange(request)
        if not request.fresh_connection:
            return await exchange.answer(self._pool)
        async with self._new_pool() as pool:
            return await exchange.answer(pool)

    async def close(self) -> None:
        """As `AsyncTransport.close`."""
        self._closed = True
        await self._pool.aclose()

    def _new_pool(self) -> httpx.AsyncHTTPTransport:
        return httpx.AsyncHTTPTransport(verify=TLS, trust_env=False, socket_options=SOCKET_OPTIONS)


class _Exchange:
    def __init__(self, request: Request) -> None:
        self._request = request

    async def answer(self, pool: httpx.AsyncHTTPTransport) -> Response:
        name = self._request.name
        try:
            async with asyncio.timeout(self._request.time_limit):
                return await self._answer(pool)
        except (httpx.UnsupportedProtocol, httpx.InvalidURL):
            raise NotSent(name, "the URL is not a complete http or https URL") from None
        except NOTHING_LEFT:
            raise NotSent(name, "the connection was not made") from None
        except (httpx.TimeoutException, TimeoutError):
            raise TimedOut(name, "no answer came in time") from None
        except httpx.TransportError:
            raise Interrupted(name, "the exchange broke off") from None

    async def _answer(self, pool: httpx.AsyncHTTPTransport) -> Response:
        url = httpx.URL(self._request.url)
        if not url.host or url.userinfo:
            raise httpx.InvalidURL("no host, or a user")
        sent = httpx.Request(
            self._request.method,
            url,
            headers=self._headers(),
            content=self._body() if self._request.content_length else None,
            # The target as it was spelled: httpx would encode some characters again.
            extensions={"timeout": httpx.Timeout(self._request.timeout).as_dict(), "target": self._target(url)},
        )
        response = await pool.handle_async_request(sent)
        fields = [(raw.decode("latin-1"), value.decode("utf-8", "replace")) for raw, value in response.headers.raw]
        headers = joined_headers(fields)
        head = Response(response.status_code, headers)
        body = bytearray()
        try:
            version = {"HTTP/1.0": (1, 0), "HTTP/1.1": (1, 1)}.get(response.http_version, (0, 0))
            check_head(self._request, version, response.status_code, response.reason_phrase, fields)
            sink = self._request.sink(head) if self._request.sink else None
            async for block in response.aiter_raw(BLOCK):
                if sink is not None:
                    sink.write(block)
                    continue
                body += block
                if len(body) > MAX_RESPONSE:
                    break
        finally:
            await response.aclose()
        return Response(head.status, headers, bytes(body[: MAX_RESPONSE + 1]))

    def _headers(self) -> list[tuple[bytes, bytes]]:
        headers = {"Accept-Encoding": "identity"}
        if any(name.lower() == "accept-encoding" for name in self._request.headers):
            headers.clear()
        headers |= self._request.headers
        if self._request.content_length or self._request.method not in BODYLESS:
            headers["Content-Length"] = str(self._request.content_length)
        return [(name.encode(), value.encode()) for name, value in headers.items()]

    def _target(self, url: httpx.URL) -> bytes:
        rest = self._request.url.partition("://")[2].partition("/")[2]
        return f"/{rest}".encode() if "/" in self._request.url.partition("://")[2] else url.raw_path

    async def _body(self) -> AsyncIterator[bytes]:
        body, sent = self._request.body, 0
        blocks = (
            body.blocks()
            if isinstance(body, FileSlice)
            else (body[start : start + BLOCK] for start in range(0, len(body), BLOCK))
        )
        for block in blocks:
            for start in range(0, len(block), PIECE):  # The time-out of httpx is for sending the whole piece.
                yield block[start : start + PIECE]
            sent += len(block)
            if self._request.on_sent is not None:
                self._request.on_sent(sent)


class TestHttpx(WireContract):
    """Over httpx, awaited: an adapter outside the library."""

    @pytest.fixture
    def transport(self) -> HttpxTransport:
        """Return the transport under contract."""
        return HttpxTransport()

    @pytest.mark.xfail(strict=True, reason="httpcore keeps what comes behind an answer, and takes it for the next one")
    def test_what_comes_behind_an_answer_belongs_to_no_request(self, http: Any, place: Any, run: Any) -> None:
        """No adapter over httpx can keep this one promise without httpx's private parts."""
        super().test_what_comes_behind_an_answer_belongs_to_no_request(http, place, run)


class TestHttpxAtTikTok(TikTokContract):
    """The same transport under the client's whole work."""

    @pytest.fixture
    def transport(self) -> HttpxTransport:
        """Return the transport under contract."""
        return HttpxTransport()
