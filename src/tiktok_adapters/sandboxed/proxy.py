"""A proxy on loopback that leads TikTok's names to the sandbox, and every other name nowhere.

What belongs here: reading what a client asks of a proxy, and the answer.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

from tiktok_adapters.sandboxed.names import TIKTOK

__all__ = ["asked_for", "serve"]

ESTABLISHED: Final = b"HTTP/1.1 200 Connection established\r\n\r\n"
REFUSAL: Final = "tiktok sandbox run answers for TikTok's names only, over https, and lets nothing else out.\n"
LONGEST_HEAD: Final = 1 << 14
PATIENCE: Final = 30.0
HTTPS: Final = 443


def asked_for(head: bytes) -> tuple[str, int] | None:
    """Return the host and port that a client asks a proxy for; the port is 0 unless it asks for a tunnel.

    A client asks with CONNECT, in any version of HTTP and with or without a `Host`, or for a whole URL. None if it asks for
    neither.
    """
    method, _, rest = head.decode("latin-1").partition(" ")
    target = rest.split(" ", 1)[0].split("\r", 1)[0]
    try:
        parts = urlsplit(f"//{target}" if method == "CONNECT" else target)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if not host:
        return None
    return host, (port or HTTPS) if method == "CONNECT" else 0


async def serve(
    connection: socket.socket, answer: Callable[[socket.socket], Awaitable[None]], note: Callable[[str], None]
) -> None:
    """Serve one client: hand its tunnel to TikTok on to `answer`, or refuse what it asks for, and `note` the name.

    Raises:
        OSError: the client is gone, or sends no request.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(PATIENCE):
        head = await _head(connection)
    asked = asked_for(head)
    if asked is not None and asked[0] in TIKTOK and asked[1] == HTTPS:
        await loop.sock_sendall(connection, ESTABLISHED)
        await answer(connection)
        return
    if asked is not None:
        note(asked[0])
    body = REFUSAL.encode()
    said = f"HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    with connection:
        await loop.sock_sendall(connection, said.encode() + body)
        connection.shutdown(socket.SHUT_WR)


async def _head(connection: socket.socket) -> bytes:
    """Return the head of a request. It is read byte by byte: what follows belongs to the tunnel."""
    head = bytearray()
    while not head.endswith((b"\r\n\r\n", b"\n\n")):
        byte = await asyncio.get_running_loop().sock_recv(connection, 1)
        if not byte or len(head) == LONGEST_HEAD:
            raise ConnectionAbortedError("this is no request")
        head += byte
    return bytes(head)
