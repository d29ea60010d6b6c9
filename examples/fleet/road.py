"""The roads from the machines to TikTok and to the object store: HTTP proxies that are slow, and that know who goes there.

What belongs here: the proxy. What is learned from the traffic to TikTok is in `traffic`.
"""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector, web
from attrs import define, field

from services import free_port

PIECE = 1 << 16
HOP_BY_HOP = {"transfer-encoding", "connection", "keep-alive"}


@define(eq=False)
class Trip:
    """One request on a road.

    Attributes:
        who: the machine; empty where the road cannot tell.
        method, path, headers: of the request.
        began, ended: seconds since 1970; infinite while it lasts.
        carried: the bytes of its body so far.
        body, answer: the bodies of the request and of the answer, where they are small.
    """

    who: str
    method: str
    path: str
    headers: dict[str, str]
    began: float = field(factory=time.time)
    ended: float = float("inf")
    carried: int = 0
    body: bytes = b""
    answer: bytes = b""

    @property
    def share(self) -> float:
        """How much of its body is through."""
        return self.carried / max(1, int(self.headers.get("content-length", 0)))


class Road:
    """A road to a service.

    Args:
        target: the scheme, host and port of the service.
        rate: bytes a second of each request and of each answer.
        delay: seconds for which a request waits at most.
        refusal: how likely it is that a request is answered 503 by the road.
    """

    def __init__(self, target: str, *, rate: float, delay: float = 0.0, refusal: float = 0.0) -> None:
        self.target, self.rate, self.delay, self.refusal = target, rate, delay, refusal
        self.port, self.trips = free_port(), list[Trip]()
        self.refused = 0
        self._chance = Random(1)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="road", daemon=True)
        self._thread.start()
        self._runners: list[web.AppRunner] = []
        self._session = self._run(self._made())

    def open(self, who: str, where: Path | int) -> None:
        """Let requests in at a Unix socket or a port; they come from this machine."""
        self._run(self._open(who, where))

    def close(self) -> None:
        """Let nothing in any more."""
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _made(self) -> ClientSession:
        return ClientSession(connector=TCPConnector(limit=0), timeout=ClientTimeout(total=120), auto_decompress=False)

    async def _open(self, who: str, where: Path | int) -> None:
        app = web.Application(client_max_size=1 << 30)
        app.router.add_route("*", "/{path:.*}", partial(self._pass, who))
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", where) if isinstance(where, int) else web.UnixSite(runner, str(where))
        await site.start()
        self._runners.append(runner)

    async def _close(self) -> None:
        for runner in self._runners:
            await runner.cleanup()
        await self._session.close()

    async def _pass(self, who: str, request: web.Request) -> web.StreamResponse:
        trip = Trip(who, request.method, request.raw_path, {name.lower(): one for name, one in request.headers.items()})
        if self._chance.random() < self.refusal:
            self.refused += 1
            return web.Response(status=503, text="<Error><Code>SlowDown</Code><Message>Slow down.</Message></Error>")
        small = (request.content_length or 0) < PIECE
        trip.body = await request.read() if small else b""
        self.trips.append(trip)
        await asyncio.sleep(self._chance.uniform(0, self.delay))
        try:
            body = (trip.body or None) if small else self._slowly(trip, request)
            async with self._session.request(
                trip.method, self.target + trip.path, headers=request.headers, data=body, allow_redirects=False
            ) as answer:
                whole = await answer.read()
                trip.answer = whole if len(whole) < PIECE else b""
                await asyncio.sleep(len(whole) / self.rate)
                headers = {name: one for name, one in answer.headers.items() if name.lower() not in HOP_BY_HOP}
                return web.Response(status=answer.status, headers=headers, body=whole)
        except (TimeoutError, OSError, ClientError):
            return web.Response(status=502)  # Either side has gone.
        finally:
            trip.ended = time.time()

    async def _slowly(self, trip: Trip, request: web.Request) -> AsyncIterator[bytes]:
        async for piece in request.content.iter_chunked(PIECE):
            trip.carried += len(piece)
            yield piece
            await asyncio.sleep(len(piece) / self.rate)
