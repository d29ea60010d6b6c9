"""The uploads in Python: `uploads.py VARIANT URL PEM SMALL LARGE` prints the cost of sending the large file.

What belongs here: one function for each variant. Each sends the same chunks, and first the small file, so that connection,
imports and caches are ready before the measurement. Our variants make a whole post: creator info, init, and chunks, each with a
save to the journal. A variant imports its libraries itself, because memory is measured.
"""

import asyncio
import io
import json
import ssl
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Final, cast

from meter import Meter

from tiktok_core import plan_chunks
from tiktok_core.wire.http import FileSlice

__all__: list[str] = []

CHUNK: Final = 64_000_000
TAKEN: Final = (201, 206)
BLOCK: Final = 256 * 1024

Cost = dict[str, float]
Send = Callable[[Path], None]


def ranges(size: int) -> Iterator[tuple[int, int]]:
    """Yield the first and last byte of each chunk."""
    return plan_chunks(size, CHUNK if size > CHUNK else None).ranges()


def headers(chunk: tuple[int, int], size: int) -> dict[str, str]:
    """Return the headers of a chunk, for variants without our library."""
    first, last = chunk
    return {
        "Content-Type": "video/mp4",
        "Content-Range": f"bytes {first}-{last}/{size}",
        "Content-Length": str(last - first + 1),
    }


def check(status: int) -> None:
    """Raise for a refusal, because its figures would be those of a failure."""
    if status not in TAKEN:
        raise RuntimeError(f"the sink refused the bytes with status {status}")


class Part:
    """The next `length` bytes of a file as a file object, which a program would pass to a library to send a chunk."""

    def __init__(self, file: io.BufferedReader, length: int) -> None:
        self._file = file
        self._left = length

    def __len__(self) -> int:
        return self._left

    def __iter__(self) -> Iterator[bytes]:
        while block := self.read(BLOCK):
            yield block

    def read(self, size: int = -1) -> bytes:
        """Return at most `size` bytes."""
        block = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(block)
        return block


def parts(path: Path) -> Iterator[tuple[Part, dict[str, str]]]:
    """Yield each chunk of a file with its headers."""
    size = path.stat().st_size
    with path.open("rb") as file:
        for first, last in ranges(size):
            yield Part(file, last - first + 1), headers((first, last), size)


def measured(send: Send, small: Path, large: Path) -> Cost:
    """Send the small file, then the large one, and return the cost of the large one."""
    send(small)
    meter = Meter()
    send(large)
    return meter.read()


# --- Ours ------------------------------------------------------------------------------------------------------------


def ours_blocking(url: str, certificate: str, small: Path, large: Path) -> Cost:
    """Post with the blocking client."""
    import ours

    from tiktok_adapters.clocks import ManualClock
    from tiktok_adapters.sources import FileSource

    clock = ManualClock()
    with ours.blocking(url, clock, certificate) as tiktok:
        account = tiktok.account()

        def send(path: Path) -> None:
            clock.advance(ours.APART)
            chunk_size = CHUNK if path.stat().st_size > CHUNK else None
            with FileSource(path) as film:
                account.post_video(film, privacy_level="SELF_ONLY", chunk_size=chunk_size, wait=False)

        return measured(send, small, large)


async def ours_asynchronous(url: str, certificate: str, small: Path, large: Path) -> Cost:
    """Post with the asynchronous client."""
    import ours

    from tiktok_adapters.clocks import ManualClock
    from tiktok_adapters.sources import FileSource

    clock = ManualClock()
    async with ours.asynchronous(url, clock, certificate) as tiktok:
        account = await tiktok.account()

        async def send(path: Path) -> None:
            clock.advance(ours.APART)
            chunk_size = CHUNK if path.stat().st_size > CHUNK else None
            with FileSource(path) as film:
                await account.post_video(film, privacy_level="SELF_ONLY", chunk_size=chunk_size, wait=False)

        await send(small)
        meter = Meter()
        await send(large)
        return meter.read()


# --- The same techniques without a client: the best that ours could reach ----------------------------------------------


def put_head(host: str, chunk: tuple[int, int], size: int) -> bytes:
    """Return the head of the request that sends a chunk."""
    said = "".join(f"{name}: {value}\r\n" for name, value in headers(chunk, size).items())
    return f"PUT /video/ HTTP/1.1\r\nHost: {host}\r\n{said}\r\n".encode()


def bare_socket(url: str, certificate: str, small: Path, large: Path) -> Cost:
    """Send over a socket, with reading ahead and full packets."""
    import socket

    from tiktok_adapters.sources import FileSource
    from tiktok_adapters.transports.reading import Reading
    from tiktok_adapters.transports.sockets import CORK

    host, port = url.rpartition("/")[2].split(":")
    reading = Reading()
    with socket.create_connection((host, int(port))) as plain:
        context = ssl.create_default_context(cafile=certificate) if certificate else None
        line = plain if context is None else context.wrap_socket(plain, server_hostname=host)

        def cork(on: int) -> None:
            if CORK is not None:
                line.setsockopt(socket.IPPROTO_TCP, CORK, on)

        def send(path: Path) -> None:
            with FileSource(path) as film:
                for first, last in ranges(film.size):
                    with reading.ahead(FileSlice(film, first, last - first + 1)) as ahead:
                        line.sendall(put_head(host, (first, last), film.size))
                        cork(1)
                        for block in ahead.blocks(30):
                            line.sendall(block)
                        cork(0)
                        check(int(line.recv(1024).split()[1]))
                        ahead.join(30)

        return measured(send, small, large)


async def bare_streams(url: str, certificate: str, small: Path, large: Path) -> Cost:
    """Send over asyncio's streams, with reading ahead, in pieces."""
    from tiktok_adapters.sources import FileSource
    from tiktok_adapters.transports.reading import Reading

    host, port = url.rpartition("/")[2].split(":")
    context = ssl.create_default_context(cafile=certificate) if certificate else None
    answers, line = await asyncio.open_connection(host, int(port), ssl=context)
    # The written bytes have been sent, or encrypted, before the next read overwrites their memory.
    line.transport.set_write_buffer_limits(high=0 if context is None else 1, low=0)
    reading = Reading()

    async def send(path: Path) -> None:
        with FileSource(path) as film:
            for first, last in ranges(film.size):
                with reading.ahead(FileSlice(film, first, last - first + 1)) as ahead:
                    line.write(put_head(host, (first, last), film.size))
                    for block in ahead.blocks(30):
                        for start in range(0, len(block), BLOCK):
                            line.write(block[start : start + BLOCK])
                            await line.drain()
                    check(int((await answers.read(1024)).split()[1]))

    try:
        await send(small)
        meter = Meter()
        await send(large)
        return meter.read()
    finally:
        line.close()


# --- The bare libraries ----------------------------------------------------------------------------------------------


def bare_urllib3(url: str, certificate: str, small: Path, large: Path) -> Cost:
    """Send with urllib3's pool and a file object as the body."""
    import urllib3

    with urllib3.PoolManager(ca_certs=certificate or None) as pool:

        def send(path: Path) -> None:
            for part, said in parts(path):
                body = cast(IO[bytes], part)
                check(pool.request("PUT", f"{url}/video/", body=body, headers=said, retries=False).status)

        return measured(send, small, large)


async def bare_aiohttp(url: str, certificate: str, small: Path, large: Path) -> Cost:
    """Send with a session of aiohttp and a file object as the data."""
    import aiohttp

    context: Any = ssl.create_default_context(cafile=certificate) if certificate else True
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session:

        async def send(path: Path) -> None:
            size = path.stat().st_size
            for chunk in ranges(size):
                # aiohttp closes the file at the end of each request, and Content-Length makes it stop at the chunk's end.
                file = path.open("rb")
                file.seek(chunk[0])
                said = headers(chunk, size)
                async with session.put(f"{url}/video/", data=file, headers=said, ssl=context) as answer:
                    check(answer.status)

        await send(small)
        meter = Meter()
        await send(large)
        return meter.read()


def bare_requests(url: str, certificate: str, small: Path, large: Path) -> Cost:
    """Send with a session of requests and a file object as the data."""
    import requests

    verify = certificate or True
    with requests.Session() as session:

        def send(path: Path) -> None:
            for part, said in parts(path):
                answer = session.put(f"{url}/video/", data=part, headers=said, timeout=300, verify=verify)
                check(answer.status_code)

        return measured(send, small, large)


def bare_httpx(url: str, certificate: str, small: Path, large: Path) -> Cost:
    """Send with a client of httpx and an iterator of blocks as the content."""
    import httpx

    with httpx.Client(verify=ssl.create_default_context(cafile=certificate or None), timeout=300) as client:

        def send(path: Path) -> None:
            for part, said in parts(path):
                check(client.put(f"{url}/video/", content=iter(part), headers=said).status_code)

        return measured(send, small, large)


def seed(url: str, certificate: str, small: Path, large: Path) -> Cost:
    """Post with tiktok-api-client, as its guide does; it plans its own chunks."""
    from predecessor import signed_in

    tiktok = signed_in(url, certificate)

    def send(path: Path) -> None:
        tiktok.create_video(
            source="FILE_UPLOAD",
            upload_type="POST_VIDEO_FILE",
            title="",
            privacy_level="SELF_ONLY",
            video_path=str(path),
        )

    return measured(send, small, large)


VARIANTS: Final[dict[str, Callable[[str, str, Path, Path], Any]]] = {
    "ours-urllib3": ours_blocking,
    "ours-aiohttp": ours_asynchronous,
    "bare-socket": bare_socket,
    "bare-streams": bare_streams,
    "bare-urllib3": bare_urllib3,
    "bare-aiohttp": bare_aiohttp,
    "requests": bare_requests,
    "httpx": bare_httpx,
    "seed": seed,
}


def main(variant: str, url: str, certificate: str, small: str, large: str) -> None:
    """Run one variant and print its figures."""
    cost = VARIANTS[variant](url, certificate, Path(small), Path(large))
    print(json.dumps(asyncio.run(cost) if asyncio.iscoroutine(cost) else cost))


if __name__ == "__main__":
    main(*sys.argv[1:])
