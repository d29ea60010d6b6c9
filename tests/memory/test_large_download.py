"""A large archive goes to disk in constant memory: 64 MiB, over each transport.

Client and server are separate processes, so that the test measures the client alone.
"""

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import urllib3

SIZE = 64 * 1024 * 1024
MOST = 4 * 1024
"""KiB above idle."""

BLOCKING = """
import resource, sys
from tiktok_adapters import connect

with connect() as tiktok:
    account = tiktok.account()
    request_id = account.request_data(["activity"])
    account.download_data(request_id, "small.zip")
    idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print("idle", request_id, flush=True)
    sys.stdin.readline()
    done = account.download_data(request_id, "large.zip")
    print(done.size, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - idle)
"""

ASYNCHRONOUS = """
import asyncio, resource, sys
from tiktok_adapters import connect_async

async def main():
    async with connect_async() as tiktok:
        account = await tiktok.account()
        request_id = await account.request_data(["activity"])
        await account.download_data(request_id, "small.zip")
        idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print("idle", request_id, flush=True)
        sys.stdin.readline()
        done = await account.download_data(request_id, "large.zip")
        print(done.size, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - idle)

asyncio.run(main())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="peak memory is read as Linux counts it")
@pytest.mark.parametrize("script", [BLOCKING, ASYNCHRONOUS], ids=["urllib3", "aiohttp"])
def test_64_mib_arrive_as_they_are_in_constant_memory(
    script: str, sandbox: str, signed_in: Callable[..., dict[str, str]], tmp_path: Path
) -> None:
    """The zip is whole, and the client never took 4 MiB more than after a small one."""
    environ = signed_in(sandbox, tmp_path / "home", ("user.info.basic", "portability.all.ongoing"))
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", script],
        env=environ,
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as client:
        assert client.stdout
        assert client.stdout.readline().startswith("idle ")
        with urllib3.PoolManager() as browser:
            switches = json.dumps({"data_bytes": SIZE})
            assert browser.request("POST", f"{sandbox}/_sandbox/switches", body=switches).status == 200
        said, failed = client.communicate("go on\n", timeout=100)
    assert (client.returncode, failed) == (0, "")
    size, above_idle = map(int, said.split())
    path = tmp_path / "large.zip"
    assert size == path.stat().st_size > SIZE
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
    assert above_idle < MOST
