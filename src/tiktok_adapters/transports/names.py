"""Look up host names for aiohttp.

What belongs here: name lookups in our own threads. aiohttp uses asyncio's executor, which the whole program shares, and whose
threads a program waits for when it exits. A name server that does not answer would block both.
"""

import socket
from functools import partial
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult

from tiktok_adapters.threads import Lane

__all__ = ["ThreadResolver"]

MOST: Final = 64
"""Largest number of concurrent lookups. Further ones wait for their turn."""
NUMERIC: Final = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV


class ThreadResolver(AbstractResolver):
    """Look names up in daemon threads. A cancelled lookup goes on in its thread, and its answer is dropped."""

    def __init__(self) -> None:
        self._lane = Lane(MOST)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a host.

        Raises:
            OSError: the lookup found no address.
        """
        return await self._lane.call(partial(_addresses, host, port, family), always=False)

    async def close(self) -> None:
        """Do nothing: a resolver owns no thread."""


def _addresses(host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
    found = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return [
        ResolveResult(
            hostname=host,
            # Include the zone, without which a link-local IPv6 address is ambiguous.
            host=socket.getnameinfo(address, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)[0],
            port=port,
            family=kind,
            proto=protocol,
            flags=NUMERIC,
        )
        for kind, _, protocol, _, address in found
    ]
