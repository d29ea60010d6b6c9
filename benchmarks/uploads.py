"""The uploads in Python: `uploads.py VARIANT URL SMALL LARGE` prints what sending the large file cost.

What belongs here: one function for each variant. Each sends the small file first, so that connection, imports and caches
are there before the measurement begins, and the same chunks with the same headers.
"""

import asyncio
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final, cast

import aiohttp
import urllib3
from meter import Meter

from tiktok_adapters.sources import FileSource
from tiktok_adapters.transports.aiohttp import AiohttpTransport
from tiktok_adapters.transports.urllib3 import Urllib3Transport
from tiktok_core import Request, Secret, plan_chunks
from tiktok_core.domain.media import MediaType
from tiktok_core.wire.publishing import chunk_request

__all__: list[str] = []

CHUNK: Final = 64_000_000
TAKEN: Final = (201, 206)


def ranges(size: int) -> Iterator[tuple[int, int]]:
    """Yield first and last byte of each chunk."""
    return plan_chunks(size, CHUNK if size > CHUNK else None).ranges()


def requests(url: str, source: FileSource) -> Iterator[Request]:
    """Yield the request for each chunk, as the client makes it."""
    for chunk in ranges(source.size):
        yield chunk_request(Secret(url), source, chunk, MediaType.MP4)


def headers(chunk: tuple[int, int], size: int) -> dict[str, str]:
    """Return what has to be said of a chunk where no library of ours says it."""
    first, last = chunk
    return {
        "Content-Type": "video/mp4",
        "Content-Range": f"bytes {first}-{last}/{size}",
        "Content-Length": str(last - first + 1),
    }


def opened(path: Path) -> Iterator[tuple[io.BufferedReader, dict[str, str]]]:
    """Yield the file, opened where each chunk begins, and its headers.

    aiohttp closes the file at the end of each request, and stops by Content-Length at the chunk's end.
    """
    size = path.stat().st_size
    for chunk in ranges(size):
        file = path.open("rb")
        file.seek(chunk[0])
        yield file, headers(chunk, size)


def check(status: int) -> None:
    """Stop at an answer that takes nothing: its figures would be those of a failure."""
    if status not in TAKEN:
        raise RuntimeError(f"the sink answered {status}")


class Part:
    """The next `length` bytes of a file, as a file object: what a person gives urllib3 to send a chunk of a file."""

    def __init__(self, file: io.BufferedReader, length: int) -> None:
        self._file = file
        self._left = length

    def read(self, size: int = -1) -> bytes:
        """Return at most `size` bytes."""
        block = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(block)
        return block


def ours_blocking(url: str, small: Path, large: Path) -> dict[str, float]:
    """Send with `Urllib3Transport`."""
    with Urllib3Transport() as transport, FileSource(small) as little, FileSource(large) as film:
        for request in requests(url, little):
            check(transport.send(request).status)
        meter = Meter()
        for request in requests(url, film):
            check(transport.send(request).status)
        return meter.read()


async def ours_asynchronous(url: str, small: Path, large: Path) -> dict[str, float]:
    """Send with `AiohttpTransport`."""
    async with AiohttpTransport() as transport:
        with FileSource(small) as little, FileSource(large) as film:
            for request in requests(url, little):
                check((await transport.send(request)).status)
            meter = Meter()
            for request in requests(url, film):
                check((await transport.send(request)).status)
            return meter.read()


def bare_urllib3(url: str, small: Path, large: Path) -> dict[str, float]:
    """Send with urllib3's pool, its body a file object."""
    with urllib3.PoolManager() as pool:

        def send(path: Path) -> None:
            size = path.stat().st_size
            with path.open("rb") as file:
                for chunk in ranges(size):
                    first, last = chunk
                    body = cast(IO[bytes], Part(file, last - first + 1))
                    check(pool.request("PUT", url, body=body, headers=headers(chunk, size), retries=False).status)

        send(small)
        meter = Meter()
        send(large)
        return meter.read()


async def bare_aiohttp(url: str, small: Path, large: Path) -> dict[str, float]:
    """Send with a session of aiohttp's, its data a file object."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session:

        async def send(path: Path) -> None:
            for file, said in opened(path):
                async with session.put(url, data=file, headers=said) as answer:
                    check(answer.status)

        await send(small)
        meter = Meter()
        await send(large)
        return meter.read()


BLOCKING: Final = {"ours-urllib3": ours_blocking, "bare-urllib3": bare_urllib3}
ASYNCHRONOUS: Final = {"ours-aiohttp": ours_asynchronous, "bare-aiohttp": bare_aiohttp}


def main(variant: str, url: str, small: str, large: str) -> None:
    """Run one variant and print its figures."""
    if variant in BLOCKING:
        cost = BLOCKING[variant](url, Path(small), Path(large))
    else:
        cost = asyncio.run(ASYNCHRONOUS[variant](url, Path(small), Path(large)))
    print(json.dumps(cost))


if __name__ == "__main__":
    main(*sys.argv[1:])
