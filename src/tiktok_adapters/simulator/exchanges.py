"""One request of the sandbox server, as aiohttp gives it, and its answer, as aiohttp takes it.

What belongs here: the way between aiohttp's values and those of `wire.http`; `server` has the sockets.
"""

import contextlib
import re
import socket
import struct
import threading
from typing import IO, Final

import aiohttp
from aiohttp import web
from attrs import define, field

from tiktok_adapters.simulator.calls import MAX_BODY
from tiktok_core.wire.http import BLOCK, FileSlice, Request, Response

__all__ = ["LOST", "Spooled", "abort", "receive", "request_of", "send", "served_range"]

LOST: Final = (ConnectionError, aiohttp.ClientError, web.RequestPayloadError)
"""What is raised when the client has left."""


@define(eq=False)
class Spooled:
    """A received body as a source: it is written once from start to end, and then read."""

    _file: IO[bytes]
    size: int = 0
    fingerprint: str = "received"
    _lock: threading.Lock = field(factory=threading.Lock)

    def write(self, block: bytes) -> None:
        """Append a block."""
        self._file.write(block)
        self.size += len(block)

    def read(self, start: int, length: int, /) -> bytes:
        """Return at most `length` bytes from `start`."""
        with self._lock:
            self._file.seek(start)
            return self._file.read(min(length, self.size - start))


async def receive(incoming: web.Request, body: Spooled) -> bool:
    """Read the body into `body`; return False if it is longer than the request's method allows."""
    async for block in incoming.content.iter_chunked(BLOCK):
        if incoming.method != "PUT" and body.size + len(block) > MAX_BODY:
            return False
        body.write(block)
    return True


def request_of(incoming: web.Request, body: Spooled) -> Request:
    """Return the request as the simulator reads it: with its whole URL, and each header once."""
    headers: dict[str, str] = {}
    for name, value in incoming.headers.items():
        lower = name.lower()
        headers[lower] = f"{headers[lower]}, {value}" if lower in headers else value
    # A client may name the port that https has anyway.
    host = incoming.host.lower().removesuffix(":443") if incoming.secure else incoming.host
    url = f"{incoming.scheme}://{host}{incoming.raw_path}"
    return Request(method=incoming.method, url=url, headers=headers, body=FileSlice(body, 0, body.size))


async def send(incoming: web.Request, response: Response) -> web.StreamResponse:
    """Return the answer for aiohttp, or send it: one that is shorter than it claims ends with a closed connection."""
    headers = {name: value for name, value in response.headers.items() if name != "content-length"}
    claimed = int(response.headers.get("content-length", len(response.body)))
    if claimed <= len(response.body):
        return web.Response(status=response.status, headers=headers, body=response.body)
    cut = web.StreamResponse(status=response.status, headers=headers)
    cut.content_length = claimed
    with contextlib.suppress(*LOST):
        await cut.prepare(incoming)
        await cut.write(response.body)
    if incoming.transport is not None:
        incoming.transport.close()
    return cut


def abort(incoming: web.Request) -> web.StreamResponse:
    """Reset the connection: the client gets no answer, not even an orderly end."""
    if incoming.transport is not None:
        wire = incoming.transport.get_extra_info("socket")
        with contextlib.suppress(OSError, AttributeError):
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        incoming.transport.abort()
    return web.Response()


def served_range(header: str, size: int) -> tuple[int, int] | None:
    """Return the first and last requested byte, or None if the range cannot be served."""
    if not header:
        return 0, size - 1
    found = re.fullmatch(r"bytes=(\d{0,15})-(\d{0,15})", header, re.ASCII)
    if found is None or not any(found.groups()):
        return None
    if not found[1]:
        return (max(0, size - int(found[2])), size - 1) if size and int(found[2]) else None
    first, last = int(found[1]), min(size - 1, int(found[2]) if found[2] else size - 1)
    return (first, last) if first <= last else None
