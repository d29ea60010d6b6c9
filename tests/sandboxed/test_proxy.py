"""What clients ask of the proxy, in every form in which they ask, and what it answers over real sockets."""

import asyncio
import socket

import pytest

from tiktok_adapters.sandboxed import proxy
from tiktok_adapters.sandboxed.passage import accepting, connected, copied, listening
from tiktok_adapters.sandboxed.proxy import asked_for


@pytest.mark.parametrize(
    ("head", "asked"),
    [
        (
            b"CONNECT open.tiktokapis.com:443 HTTP/1.1\r\nHost: open.tiktokapis.com:443\r\n\r\n",
            ("open.tiktokapis.com", 443),
        ),
        (b"CONNECT open.tiktokapis.com:443 HTTP/1.0\r\n\r\n", ("open.tiktokapis.com", 443)),
        (b"CONNECT Open.TikTokAPIs.com HTTP/1.1\r\nConnection: close\r\n\r\n", ("open.tiktokapis.com", 443)),
        (b"CONNECT open.tiktokapis.com:80 HTTP/1.1\r\n\r\n", ("open.tiktokapis.com", 80)),
        (b"CONNECT [::1]:443 HTTP/1.1\r\n\r\n", ("::1", 443)),
        (b"GET http://www.tiktok.com/x?y HTTP/1.1\r\n\r\n", ("www.tiktok.com", 0)),
        (b"POST https://www.tiktok.com:443/ HTTP/1.1\r\n\r\n", ("www.tiktok.com", 0)),
        (b"GET /x HTTP/1.1\r\nHost: www.tiktok.com\r\n\r\n", None),
        (b"CONNECT host:port HTTP/1.1\r\n\r\n", None),
        (b"CONNECT [::1 HTTP/1.1\r\n\r\n", None),
        (b"\x16\x03\x01\x00\x05\r\n\r\n", None),
        (b"\r\n\r\n", None),
    ],
)
def test_each_form_of_a_request_is_understood(head: bytes, asked: tuple[str, int] | None) -> None:
    """A client asks with any version of HTTP, with or without `Host` and port, or for a whole URL."""
    assert asked_for(head) == asked


async def _told(request: bytes) -> tuple[bytes, list[bytes], list[str]]:
    """Send bytes to the proxy; return its answer, the first bytes in tunnels, and the names that it noted."""
    loop = asyncio.get_running_loop()
    tunnels: list[bytes] = []
    noted: list[str] = []

    async def answer(connection: socket.socket) -> None:
        tunnels.append(await loop.sock_recv(connection, 100))
        connection.close()

    listener = listening(0)
    async with accepting(listener, lambda connection: proxy.serve(connection, answer, noted.append)):
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        writer.write(request)
        writer.write_eof()
        received = await reader.read()
        writer.close()
        await writer.wait_closed()
    return received, tunnels, noted


def test_what_follows_the_head_belongs_to_the_tunnel() -> None:
    """A client that does not wait for the answer loses no byte."""
    received, tunnels, noted = asyncio.run(_told(b"CONNECT www.tiktok.com:443 HTTP/1.0\r\n\r\n\x16\x03hello"))
    assert received == b"HTTP/1.1 200 Connection established\r\n\r\n"
    assert (tunnels, noted) == ([b"\x16\x03hello"], [])


def test_everything_else_is_refused_with_a_reason() -> None:
    """Another name gets a sentence and no tunnel, and is noted."""
    received, tunnels, noted = asyncio.run(_told(b"CONNECT elsewhere.example:443 HTTP/1.1\r\n\r\n"))
    assert received.startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert b"answers for TikTok's names only" in received
    assert (tunnels, noted) == ([], ["elsewhere.example"])


@pytest.mark.parametrize("request_", [b"", b"CONNECT www.tik", b"x" * 20_000], ids=["nothing", "cut", "endless"])
def test_what_is_no_request_gets_no_answer(request_: bytes) -> None:
    """The proxy closes the connection, and goes on."""
    try:
        received, tunnels, noted = asyncio.run(_told(request_))
    except ConnectionResetError:  # bytes were left unread
        return
    assert (received, tunnels, noted) == (b"", [], [])


def test_copying_ends_only_after_both_sides() -> None:
    """Each side's bytes arrive, also those that are sent after the other side has ended."""

    async def both() -> tuple[bytes, bytes]:
        loop = asyncio.get_running_loop()
        server = listening(0)
        async with accepting(passage := listening(0), lambda connection: _led(connection, server.getsockname()[1])):
            client_reader, client_writer = await asyncio.open_connection(*passage.getsockname())
            accepted, _ = await loop.sock_accept(server)
            reader, writer = await asyncio.open_connection(sock=accepted)
            client_writer.write(b"q" * 3_000_000)
            client_writer.write_eof()
            question = await reader.read()
            writer.write(b"a" * 3_000_000)
            writer.close()
            answer = await client_reader.read()
            client_writer.close()
            await client_writer.wait_closed()
        server.close()
        return question, answer

    question, answer = asyncio.run(both())
    assert (len(question), len(answer)) == (3_000_000, 3_000_000)


async def _led(connection: socket.socket, port: int) -> None:
    await copied(connection, await connected(port))


def test_a_broken_connection_breaks_the_other_side() -> None:
    """When one side resets its connection, the other one ends, too."""

    async def broken() -> bytes:
        loop = asyncio.get_running_loop()
        server = listening(0)
        async with accepting(passage := listening(0), lambda connection: _led(connection, server.getsockname()[1])):
            reader, writer = await asyncio.open_connection(*passage.getsockname())
            accepted, _ = await loop.sock_accept(server)
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            accepted.close()
            try:
                return await reader.read()
            except ConnectionResetError:
                return b""
            finally:
                writer.close()
                server.close()

    assert asyncio.run(broken()) == b""
