"""Measure posts from object storage: against a local file, against boto3 and requests, and their memory.

The storage lies behind a line with latency, and TikTok behind a slow one: `lines.py` is both. Each variant is a process of its own, and they
take turns. It prints one table.

    .venv/bin/python benchmarks/elsewhere.py [ROUNDS [MB/s OF A CONNECTION TO THE STORAGE]]
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median
from typing import Final

from ground import HERE, MIB, fill, turns, worker
from meter import Meter
from network import alone, congestion_control
from ours import blocking

from tiktok_adapters.clocks import ManualClock
from tiktok_core.ports import Source

LATENCY: Final = 0.020
"""Seconds of a round trip to the storage."""
DOWN: Final = 85e6
"""Bytes a second of one connection to the storage; S3's guide for performance says 85 to 90 MB/s."""
UP: Final = 25e6
"""Bytes a second of the upload line."""
SIZE: Final = 1 << 30
CHUNK: Final = 10_000_000
AT_ONCE: Final = 16
VARIANTS: Final = ("file", "s3", "boto3", "bare", "many")


@contextmanager
def lines(path: Path, down: float) -> Iterator[tuple[str, str]]:
    """Start both lines, and end them after the block; yield the addresses of the storage and of TikTok."""
    command = [sys.executable, str(HERE / "lines.py"), str(path), str(LATENCY), str(down), str(UP)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        if running.stdin is None or running.stdout is None:
            raise RuntimeError("lines without pipes")
        try:
            storage, uploads = running.stdout.readline().split()
            yield f"http://127.0.0.1:{storage}", f"http://127.0.0.1:{uploads}"
        finally:
            running.stdin.close()


class BareSource:
    """The object as a source that boto3 reads, each block when it is asked for."""

    name, size, fingerprint = "bare", SIZE, "the same"

    def __init__(self, storage: str) -> None:
        import boto3

        self._client = boto3.client("s3", endpoint_url=storage, region_name="us-east-1")

    def read(self, start: int, length: int, /) -> bytes:
        """Return these bytes."""
        span = f"bytes={start}-{min(start + length, SIZE) - 1}"
        body: bytes = self._client.get_object(Bucket="videos", Key="large.mp4", Range=span)["Body"].read()
        return body


def ours(url: str, small: str, names: Sequence[str | Source]) -> dict[str, float]:
    """Post these at once with our client, after a small one; return the cost."""
    from tiktok_adapters.background import ThreadBackground
    from tiktok_adapters.sources import SourceOpener
    from tiktok_adapters.transports.urllib3 import Urllib3Transport

    clock = ManualClock()
    with (
        closing(SourceOpener(Urllib3Transport)) as opener,
        blocking(url, clock, "", open_source=opener, background=ThreadBackground()) as tiktok,
    ):
        account = tiktok.account()

        def post(video: str | Source) -> None:
            account.post_video(video, privacy_level="SELF_ONLY")

        with ThreadPoolExecutor(len(names)) as pool:
            post(small)
            clock.advance(60)
            meter = Meter()
            list(pool.map(post, names))
            return meter.read()


def theirs(url: str, storage: str) -> dict[str, float]:
    """Read each chunk with boto3, and then send it with requests; return the cost."""
    import boto3
    import requests

    client = boto3.client("s3", endpoint_url=storage, region_name="us-east-1")
    target = f"{url}/video/?upload_id=1&upload_token=1"
    with closing(client), requests.Session() as session:
        session.get(f"{url}/v2/post/publish/creator_info/query/").raise_for_status()
        meter = Meter()
        count = SIZE // CHUNK
        for number in range(count):
            first, last = number * CHUNK, SIZE - 1 if number == count - 1 else (number + 1) * CHUNK - 1
            body = client.get_object(Bucket="videos", Key="large.mp4", Range=f"bytes={first}-{last}")["Body"].read()
            headers = {"Content-Type": "video/mp4", "Content-Range": f"bytes {first}-{last}/{SIZE}"}
            session.put(target, data=body, headers=headers).raise_for_status()
        return meter.read()


def work(variant: str, storage: str, url: str, path: str) -> dict[str, float]:
    """Do the work of one variant; return the cost."""
    os.environ |= {"AWS_ENDPOINT_URL": storage, "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
    small, bucket = "s3://videos/small.mp4", "s3://videos/"
    kinds: dict[str, Callable[[], dict[str, float]]] = {
        "file": lambda: ours(url, small, [path]),
        "s3": lambda: ours(url, small, [f"{bucket}large.mp4"]),
        "boto3": lambda: theirs(url, storage),
        "bare": lambda: ours(url, small, [BareSource(storage)]),
        "many": lambda: ours(url, small, [f"{bucket}{number}.mp4" for number in range(AT_ONCE)]),
    }
    return kinds[variant]()


def main(rounds: int, down: float) -> None:
    """Measure, and print the table."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in VARIANTS}
    with tempfile.TemporaryDirectory() as folder:
        path = fill(Path(folder) / "large.mp4", SIZE)
        with lines(path, down) as (storage, url):
            for name in turns(VARIANTS, rounds):
                found[name].append(worker("elsewhere.py", "work", name, storage, url, path))
                print(f"{name}: {found[name][-1]}", file=sys.stderr)

    def over(name: str, other: str) -> str:
        ratios = [two["seconds"] / one["seconds"] for one, two in zip(found[name], found[other], strict=True)]
        return f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"

    def memory(name: str) -> str:
        peaks = [one["memory"] / MIB for one in found[name]]
        return f"{median(peaks):.0f} MiB ({min(peaks):.0f} to {max(peaks):.0f})"

    rate = SIZE / median(one["seconds"] for one in found["s3"]) / 1e6
    print(
        f"1 GiB from S3: {rate:.1f} MB/s over a line of {UP / 1e6:.0f} MB/s; congestion control: {congestion_control()}"
    )
    print(f"the rate over that of the same bytes from a local file: {over('s3', 'file')}")
    print(f"the rate over that of boto3 and requests, chunk by chunk: {over('s3', 'boto3')}")
    print(f"the rate over that of a source that reads each block with boto3: {over('s3', 'bare')}")
    print(
        f"memory above idle: one post {memory('s3')}, {AT_ONCE} at once {memory('many')}, a local file {memory('file')}"
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["work"]:
        print(json.dumps(work(*sys.argv[2:])))
    else:
        alone()
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 3, float(sys.argv[2]) * 1e6 if len(sys.argv) > 2 else DOWN)
