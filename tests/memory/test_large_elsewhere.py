"""Large films that lie elsewhere are sent in bounded memory: one of 120 MB, and sixteen of 40 MB at once, over each transport.

What belongs here: what the sources of a client hold together. They are sent as uploads are, to a server that takes whatever comes: TikTok
takes six posts a minute, and the limit is about sixteen at the same time. Client and server are separate processes, so that the test
measures the client alone.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from clips import HEAD

SERVER = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
from media_server import served

film = bytes.fromhex(sys.argv[2]) + b"".join(number.to_bytes(4, "big") * 250 for number in range(int(sys.argv[3]) // 1000))
with served(film) as media:
    etag = media.etag
    type(media).etag = property(lambda _: etag)  # Computed once, and not for each request.
    print(media.url.partition("?")[0], hashlib.sha256(film).hexdigest(), flush=True)
    sys.stdin.read()
"""

BLOCKING = """
import resource, sys
from concurrent.futures import ThreadPoolExecutor
from tiktok_adapters.sources import BytesSource, MediaHosts, SourceOpener
from tiktok_adapters.transports.urllib3 import Urllib3Transport
from tiktok_core.ports import FileSlice, Request

url, count = sys.argv[1], int(sys.argv[2])
hosts = MediaHosts.parsed("127.0.0.1")
opener = SourceOpener(lambda: Urllib3Transport(refuse=hosts.refusal), hosts)

def send(transport, source):
    return transport.send(Request(method="PUT", url=url, body=FileSlice(source, 0, source.size))).body.decode()

with Urllib3Transport() as transport, ThreadPoolExecutor(count) as pool:
    send(transport, BytesSource(bytes(1000)))
    idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    digests = list(pool.map(lambda _: send(transport, opener(url)), range(count)))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - idle, *digests)
opener.close()
"""

ASYNCHRONOUS = """
import asyncio, resource, sys
from tiktok_adapters.sources import BytesSource, MediaHosts, SourceOpener
from tiktok_adapters.transports.aiohttp import AiohttpTransport
from tiktok_adapters.transports.urllib3 import Urllib3Transport
from tiktok_core.ports import FileSlice, Request

url, count = sys.argv[1], int(sys.argv[2])
hosts = MediaHosts.parsed("127.0.0.1")
opener = SourceOpener(lambda: Urllib3Transport(refuse=hosts.refusal), hosts)

async def send(transport, source):
    return (await transport.send(Request(method="PUT", url=url, body=FileSlice(source, 0, source.size)))).body.decode()

async def main():
    transport = AiohttpTransport()
    await send(transport, BytesSource(bytes(1000)))
    idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sources = [await asyncio.to_thread(opener, url) for _ in range(count)]
    digests = await asyncio.gather(*(send(transport, source) for source in sources))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - idle, *digests)
    await transport.close()

asyncio.run(main())
opener.close()
"""


@pytest.fixture
def film(size: int) -> Iterator[tuple[str, str]]:
    """Serve a film of this size in a process of its own; give its URL and its digest."""
    shared = Path(__file__).parents[1] / "shared"
    with subprocess.Popen(
        [sys.executable, "-c", SERVER, shared, HEAD.hex(), str(size)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdin
        assert server.stdout
        url, digest = server.stdout.readline().split()
        yield url, digest
        server.stdin.close()
        assert server.wait(timeout=20) == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="peak memory is read as Linux counts it")
@pytest.mark.parametrize("script", [BLOCKING, ASYNCHRONOUS], ids=["urllib3", "aiohttp"])
@pytest.mark.parametrize(
    ("count", "size", "most"), [(1, 120_000_000, 48), (16, 40_000_000, 160)], ids=["one", "sixteen"]
)
def test_films_elsewhere_arrive_as_they_are_in_bounded_memory(
    script: str, count: int, most: int, film: tuple[str, str]
) -> None:
    """Each arrives with the film's digest, and the client never takes more MiB above idle than these."""
    url, digest = film
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, url, str(count)],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert (done.returncode, done.stderr) == (0, "")
    above_idle, *digests = done.stdout.split()
    print(f"{count}: {int(above_idle) // 1024} MiB above idle")
    assert digests == [digest] * count
    assert int(above_idle) < most * 1024
