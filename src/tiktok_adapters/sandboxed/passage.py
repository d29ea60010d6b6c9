"""Connections that pass between two networks: accepted in one, continued in the other.

What belongs here: accepting, and copying bytes; nothing knows what the bytes mean.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

__all__ = ["Serve", "accepting", "connected", "copied", "listening"]

HERE: Final = "127.0.0.1"
Serve = Callable[[socket.socket], Awaitable[None]]
BLOCK: Final = 1 << 16
PAUSE: Final = 0.05
"""Seconds until the next try, when the system has no descriptor left for a connection."""


def listening(port: int) -> socket.socket:
    """Return a listening socket on loopback that does not block; port 0 is any free one.

    Raises:
        OSError: the port is taken.
    """
    listener = socket.create_server((HERE, port), backlog=128)
    listener.setblocking(False)
    return listener


async def connected(port: int) -> socket.socket:
    """Return a connection to a port on loopback.

    Raises:
        OSError: nothing listens there.
    """
    made = socket.socket()
    try:
        made.setblocking(False)
        await asyncio.get_running_loop().sock_connect(made, (HERE, port))
    except BaseException:
        made.close()
        raise
    return made


@asynccontextmanager
async def accepting(listener: socket.socket, serve: Serve) -> AsyncIterator[None]:
    """Serve each connection in a task of its own until the block ends; the listener is closed then.

    Args:
        listener: a listening socket that does not block.
        serve: serves one connection, and owns it; its `OSError` ends that connection only.
    """
    serving: set[asyncio.Task[None]] = set()

    async def served(connection: socket.socket) -> None:
        try:
            await serve(connection)
        except BaseException as problem:
            connection.close()
            if not isinstance(problem, OSError):
                raise

    async def accept() -> None:
        while True:
            try:
                connection, _address = await asyncio.get_running_loop().sock_accept(listener)
            except OSError:
                await asyncio.sleep(PAUSE)
                continue
            task = asyncio.create_task(served(connection))
            serving.add(task)
            task.add_done_callback(serving.discard)

    accepts = asyncio.create_task(accept())
    try:
        yield
    finally:
        tasks = (accepts, *serving)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        listener.close()


async def copied(one: socket.socket, other: socket.socket) -> None:
    """Copy what each of two connections sends to the other, until both have ended; then close both.

    Raises:
        OSError: one of them broke; the other is closed, too.
    """
    first, second = await asyncio.open_connection(sock=one), await asyncio.open_connection(sock=other)
    writers = (first[1], second[1])
    try:
        async with asyncio.TaskGroup() as both:
            both.create_task(_copied(first[0], second[1]))
            both.create_task(_copied(second[0], first[1]))
        for writer in writers:
            writer.close()
            await writer.wait_closed()
    except* OSError as problem:
        raise problem.exceptions[0] from None
    finally:
        for writer in writers:
            writer.transport.abort()


async def _copied(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while block := await source.read(BLOCK):
        target.write(block)
        await target.drain()
    # The other direction goes on.
    target.write_eof()
