"""Looking up the names of hosts, for aiohttp.

What belongs here: asking the operating system in a thread of our own. aiohttp asks it in asyncio's executor, which the whole
program shares, and whose threads the program's end waits for: a name server that is out of reach would hold up both.
"""

import socket
from functools import partial
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult

from tiktok_adapters.threads import Lane

__all__ = ["ThreadResolver"]

MOST: Final = 64
"""Names that are looked up at a time; further ones wait for their turn."""
NUMERIC: Final = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV


class ThreadResolver(AbstractResolver):
    """Look names up in daemon threads. A lookup that is cancelled goes on by itself, and its answer is dropped."""

    def __init__(self) -> None:
        self._lane = Lane(MOST)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a host.

        Raises:
            OSError: it has none.
        """
        return await self._lane.call(partial(_addresses, host, port, family), always=False)

    async def close(self) -> None:
        """Do nothing: no thread belongs to a resolver."""


def _addresses(host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
    found = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return [
        ResolveResult(
            hostname=host,
            # With its zone, where an address means something within one only (IPv6, link-local).
            host=socket.getnameinfo(address, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)[0],
            port=port,
            family=kind,
            proto=protocol,
            flags=NUMERIC,
        )
        for kind, _, protocol, _, address in found
    ]
