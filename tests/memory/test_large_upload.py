"""A large file goes to TikTok in constant memory and unchanged: 300 MB in chunks of 64 MB, over each transport.

Client and server are separate processes, so that the test measures the client alone.
"""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import urllib3

from clips import HEAD

SIZE = 300_000_000
MOST = 24 * 1024
"""KiB above idle."""

BLOCKING = """
import resource, sys
from tiktok_adapters import connect
from tiktok_adapters.sources import BytesSource

with connect() as tiktok:
    account = tiktok.account()
    small = account.post_video(BytesSource(b"\\0\\0\\0\\x18ftypisom" + bytes(1000)), privacy_level="SELF_ONLY")
    idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    done = account.post_video(sys.argv[1], privacy_level="SELF_ONLY", chunk_size=64_000_000)
    print(done.publish_id, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - idle)
"""

ASYNCHRONOUS = """
import asyncio, resource, sys
from tiktok_adapters import connect_async
from tiktok_adapters.sources import BytesSource

async def main():
    async with connect_async() as tiktok:
        account = await tiktok.account()
        small = await account.post_video(BytesSource(b"\\0\\0\\0\\x18ftypisom" + bytes(1000)), privacy_level="SELF_ONLY")
        idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        done = await account.post_video(sys.argv[1], privacy_level="SELF_ONLY", chunk_size=64_000_000)
        print(done.publish_id, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - idle)

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """Give a file of 300 MB in which no two blocks are alike, and its digest."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for number in range(SIZE // 1_000_000):
            block = hashlib.shake_128(number.to_bytes(4, "big")).digest(1_000) * 1_000
            block = block if number else HEAD + block[len(HEAD) :]
            file.write(block)
            digest.update(block)
    yield path, digest.hexdigest()
    path.unlink()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="peak memory is read as Linux counts it")
@pytest.mark.parametrize("script", [BLOCKING, ASYNCHRONOUS], ids=["urllib3", "aiohttp"])
def test_300_mb_arrive_as_they_are_in_constant_memory(
    script: str, film: tuple[Path, str], sandbox: str, signed_in: Callable[..., dict[str, str]], tmp_path: Path
) -> None:
    """The server's digest is the file's, and the client never took 24 MiB more than when idle."""
    path, digest = film
    environ = signed_in(sandbox, tmp_path / "home")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, path],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert (done.returncode, done.stderr) == (0, "")
    publish_id, above_idle = done.stdout.split()
    with urllib3.PoolManager() as browser:
        answer = browser.request("GET", f"{sandbox}/_sandbox/posts")
    posts = {post["publish_id"]: post for post in json.loads(answer.data)}
    assert posts[publish_id]["sha256"] == digest
    assert int(above_idle) < MOST
