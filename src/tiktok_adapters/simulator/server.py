"""The sandbox server: the simulated TikTok on a loopback port, for browsers, curl and other processes.

What belongs here: sockets. The simulator makes every answer; this module itself streams only the stored videos.
"""

import asyncio
import contextlib
import ipaddress
import json
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import IO, Final, Self
from urllib.parse import unquote, urlsplit

from aiohttp import web

from tiktok_adapters.simulator.bench import SimulatedTikTok
from tiktok_adapters.simulator.calls import Call
from tiktok_adapters.simulator.control import is_foreign
from tiktok_adapters.simulator.incoming import LOST, Spooled, abort, range_of, receive, request_of, send
from tiktok_adapters.simulator.overview import Item
from tiktok_adapters.simulator.state import StateError, StateFile
from tiktok_adapters.simulator.storage import spool
from tiktok_adapters.transports.fake import ConnectionDropped, DelayedResponse
from tiktok_core.wire.http import BLOCK, Request, Response

__all__ = ["SandboxServer", "serve_forever"]

_VIDEO: Final = "/_sandbox/video/"
_EVENTS: Final = "/_sandbox/events"
_KEEPS: Final = 1.0
"""Seconds between two looks at whether the state has to be saved."""
_LOOKS: Final = 0.5
"""Seconds between two looks at what the page shows."""


class SandboxServer:
    """Serves one `SimulatedTikTok` on a loopback address, as an asynchronous context manager or in a thread.

    While it runs, the simulator's upload URLs point to it; those in an answer to a host of `names` keep TikTok's own host.

    Args:
        sim: the simulator that answers.
        host: a loopback address.
        port: 0 for a free one.
        tls: the context for TLS (default: plain http).
        names: host names besides loopback's for which it answers, on connections that `adopt` is given; None for none.

    Raises:
        ValueError: `host` is not a loopback address; the sandbox must not be reachable from a network.
    """

    def __init__(
        self,
        sim: SimulatedTikTok,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        tls: ssl.SSLContext | None = None,
        names: Container[str] | None = None,
    ) -> None:
        if not _is_here(host):
            raise ValueError(f"the sandbox serves on loopback addresses only, not on {host}; use 127.0.0.1")
        self._sim = sim
        self._host = host
        self._port = port
        self._tls = tls
        self._names = names
        self._runner: web.AppRunner | None = None
        self._listener: asyncio.Server | None = None
        self._url = ""
        self._previous_base = sim.upload_base

    @property
    def url(self) -> str:
        """The scheme, host and port, without a slash at the end.

        Raises:
            RuntimeError: the server is not running.
        """
        if not self._url:
            raise RuntimeError("the sandbox server is not running")
        return self._url

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        try:
            # aiohttp's site class hides the listening sockets, which `stop` needs so that it loses no connection.
            self._listener = await asyncio.get_running_loop().create_server(
                _protocols(runner), self._host, self._port, ssl=self._tls
            )
        except BaseException:
            await runner.cleanup()
            raise
        host = f"[{self._host}]" if ":" in self._host else self._host
        scheme, port = "http" if self._tls is None else "https", self._listener.sockets[0].getsockname()[1]
        self._runner, self._url = runner, f"{scheme}://{host}:{port}"
        self._previous_base, self._sim.upload_base = self._sim.upload_base, self._url
        return self

    async def __aexit__(self, *_details: object) -> None:
        self._sim.upload_base, self._url = self._previous_base, ""
        await self._stop_listening()
        if self._runner is not None:
            # With TLS a connection closes only when its other side agrees, which an idle client never does.
            still_open = [connection.transport for connection in _protocols(self._runner).connections]
            await self._runner.cleanup()
            for transport in filter(None, still_open):
                transport.abort()
            self._runner = None

    async def _stop_listening(self) -> None:
        if self._listener is None:
            return
        # aiohttp would never serve a connection that arrives while it closes. So first the server stops accepting, and then
        # it gives the accepted connections a few turns of the loop to arrive.
        loop = asyncio.get_running_loop()
        for listening in self._listener.sockets:
            loop.remove_reader(listening.fileno())
        for _ in range(3):
            await asyncio.sleep(0)
        self._listener.close()
        self._listener = None

    async def adopt(self, connection: socket.socket, tls: ssl.SSLContext) -> None:
        """Serve a connection that was accepted elsewhere, such as in another network. The server owns it from now on.

        Raises:
            OSError: the client does not agree about TLS, or is gone.
            RuntimeError: the server is not running.
        """
        if self._runner is None:
            raise RuntimeError("the sandbox server is not running")
        await asyncio.get_running_loop().connect_accepted_socket(_protocols(self._runner), connection, ssl=tls)

    @contextlib.contextmanager
    def run_in_thread(self) -> Iterator[Self]:
        """Serve from a thread with a loop of its own until the block ends.

        Raises:
            OSError: the port is taken.
        """
        started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        thread = threading.Thread(target=lambda: asyncio.run(self._until_stopped(started)), name="tiktok-sandbox")
        thread.start()
        try:
            loop, stop = started.result()
            try:
                yield self
            finally:
                loop.call_soon_threadsafe(stop.set)
        finally:
            thread.join()

    async def _until_stopped(self, started: "Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]") -> None:
        stop = asyncio.Event()
        try:
            async with self:
                started.set_result((asyncio.get_running_loop(), stop))
                await stop.wait()
        except OSError as problem:
            if started.done():
                raise
            started.set_exception(problem)

    # --- One request --------------------------------------------------------------------------------------------------

    async def _answer(self, incoming: web.Request) -> web.StreamResponse:
        # Another site's page could reach a loopback port through a host name that this site controls.
        if not self._is_meant(incoming):
            return web.Response(status=421, text="This sandbox answers to loopback addresses only.\n")
        if incoming.method == "GET" and incoming.path.startswith(_VIDEO):
            return await self._video(incoming)
        if incoming.method == "GET" and incoming.path == _EVENTS:
            return await self._events(incoming)
        with spool() as file:
            return await self._handled(incoming, file)

    async def _handled(self, incoming: web.Request, file: IO[bytes]) -> web.StreamResponse:
        body = Spooled(file)
        try:
            fits = await receive(incoming, body)
        except LOST:
            await asyncio.to_thread(self._sim.lost, request_of(incoming, body), body.size)
            return abort(incoming)
        if not fits:
            return web.Response(status=413)
        try:
            response = await asyncio.to_thread(self._response, request_of(incoming, body))
        except ConnectionDropped:
            return abort(incoming)
        if isinstance(response, DelayedResponse):
            await asyncio.sleep(response.seconds)
        return await send(incoming, response)

    async def _events(self, incoming: web.Request) -> web.StreamResponse:
        """Stream what changes on the sandbox's own page, until the browser leaves or the server ends."""
        if is_foreign(Call(Request(method="GET", url=str(incoming.url), headers=dict(incoming.headers)))):
            return web.Response(status=403, text="Only pages of this machine may ask.\n")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        seen: Mapping[str, Sequence[Item]] = {}
        with contextlib.suppress(*LOST):
            await response.prepare(incoming)
            while True:
                now = await asyncio.to_thread(self._sim.shown)
                changed = {
                    name: [(item.key, item.mark, item.inside) for item in items]
                    for name, items in now.items()
                    if items != seen.get(name)
                }
                # A line without data shows whether the browser is still there.
                await response.write(f"data: {json.dumps(changed)}\n\n".encode() if changed else b":\n\n")
                seen = now
                await asyncio.sleep(_LOOKS)
        return response

    def _is_meant(self, incoming: web.Request) -> bool:
        """Return whether the request names this machine, or one of `names`, as its host, and a path on it."""
        try:
            host = urlsplit(f"//{incoming.host}").hostname or ""
        except ValueError:
            return False
        return (_is_here(host) or self._is_named(host)) and incoming.raw_path.startswith("/")

    def _response(self, request: Request) -> Response:
        if self._names is None:
            return self._sim.handle(request)
        with self._sim.lock:
            # TikTok's upload URLs lead to its own host; a client that knows only the loopback address could not go there.
            is_named = self._is_named(urlsplit(request.url).hostname or "")
            self._sim.upload_base = self._previous_base if is_named else self._url
            return self._sim.handle(request)

    def _is_named(self, host: str) -> bool:
        return self._names is not None and host in self._names

    async def _video(self, incoming: web.Request) -> web.StreamResponse:
        publish_id = unquote(incoming.raw_path.partition("?")[0].removeprefix(_VIDEO))
        try:
            post, media_type = self._sim.post(publish_id), self._sim.media_type(publish_id)
        except KeyError:
            return web.Response(status=404)
        size = post.bytes_received if self._sim.keep_bytes else 0
        wanted = range_of(incoming.headers.get("Range", ""), size)
        if wanted is None:
            return web.Response(status=416, headers={"Content-Range": f"bytes */{size}"})
        first, last = wanted
        partial = "Range" in incoming.headers
        response = web.StreamResponse(status=206 if partial else 200, headers={"Accept-Ranges": "bytes"})
        response.content_type, response.content_length = media_type, last - first + 1
        if partial:
            response.headers["Content-Range"] = f"bytes {first}-{last}/{size}"
        # A browser leaves in the middle of a video whenever a person closes the page or moves on to another place.
        with contextlib.suppress(*LOST):
            await response.prepare(incoming)
            for start in range(first, last + 1, BLOCK):
                length = min(BLOCK, last + 1 - start)
                await response.write(await asyncio.to_thread(self._sim.read_video, publish_id, start, length))
        return response


def serve_forever(
    sim: SimulatedTikTok,
    host: str = "127.0.0.1",
    port: int = 0,
    on_ready: Callable[[str], None] = lambda _url: None,
    *,
    state: StateFile | None = None,
    tls: ssl.SSLContext | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM. Call this on the main thread.

    Args:
        sim: the simulator that answers.
        host: a loopback address.
        port: 0 for a free one.
        on_ready: the function that is called once with the server's URL.
        state: the file that is kept up to date meanwhile, at most a second late, and at the end.
        tls: the context for TLS (default: plain http).

    Raises:
        ValueError: `host` is not a loopback address.
        OSError: the port is taken.
        StateError: the file cannot be written.
    """
    server = SandboxServer(sim, host, port, tls=tls)

    async def serve() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            # On systems whose loops cannot watch signals, Ctrl-C raises an exception.
            with contextlib.suppress(NotImplementedError):
                loop.add_signal_handler(number, stop.set)
        async with server:
            # The loop's end cancels it, and `state` is saved after that.
            if state is not None:
                state.port = urlsplit(server.url).port or 0
            keeping = asyncio.create_task(_keep(sim, state))
            on_ready(server.url)
            await stop.wait()
            keeping.cancel()

    try:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(serve())
    finally:
        if state is not None:
            state.save(sim)


async def _keep(sim: SimulatedTikTok, state: StateFile | None) -> None:
    """Save the world whenever it may have changed. Where that fails, the sandbox goes on, and the end says so."""
    saved = -1
    while state is not None:
        changes = sim.changes
        if changes != saved:
            with contextlib.suppress(StateError):
                await asyncio.to_thread(state.save, sim)
                saved = changes
        await asyncio.sleep(_KEEPS)


def _protocols(runner: web.AppRunner) -> web.Server:
    if runner.server is None:
        raise RuntimeError("the runner was not set up")
    return runner.server


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
