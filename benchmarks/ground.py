"""The tools of the measurements: a sink, a certificate, files, turns, and processes that print figures.

What belongs here: everything that a measurement needs and does not measure.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from attrs import frozen

__all__ = ["HERE", "MIB", "Place", "fill", "place", "turns", "worker"]

HERE: Final = Path(__file__).parent
MIB: Final = 1 << 20
HEAD: Final = b"\0\0\0\x18ftypisom"
"""The first bytes of a video."""


@frozen
class Place:
    """The address of a sink.

    Attributes:
        url: the sink's scheme, host and port.
        authority: the PEM file of the authority to trust; empty for plain HTTP.
        sink: the sink's process.
    """

    url: str
    authority: str
    sink: "subprocess.Popen[str]"


@contextmanager
def place(folder: Path, *, tls: bool) -> Iterator[Place]:
    """Start a sink, and end it after the block."""
    authority = certified(folder) if tls else None
    own = [str(folder / "sink.pem")] if tls else []
    command = [sys.executable, str(HERE / "sinks.py"), *own]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as sink:
        if sink.stdin is None or sink.stdout is None:
            raise RuntimeError("a sink without pipes")
        try:
            scheme = "https" if tls else "http"
            yield Place(f"{scheme}://127.0.0.1:{int(sink.stdout.readline())}", str(authority or ""), sink)
        finally:
            sink.stdin.close()


def certified(folder: Path) -> Path:
    """Write a certificate for the sink, and return the file of its authority."""
    # A separate process does this: its libraries would enlarge this one, and so the least memory that its children report.
    made = "import sys, trustme; ca = trustme.CA(); leaf = ca.issue_cert('127.0.0.1'); "
    made += "ca.cert_pem.write_to_path(sys.argv[1]); leaf.private_key_and_cert_chain_pem.write_to_path(sys.argv[2])"
    authority = folder / "authority.pem"
    subprocess.run([sys.executable, "-c", made, str(authority), str(folder / "sink.pem")], check=True)
    return authority


def fill(path: Path, size: int) -> Path:
    """Write a file, and wait until it is on the disk, because a later write would disturb the first round."""
    block = os.urandom(min(size, MIB))
    with path.open("wb") as file:
        file.write(HEAD)
        for start in range(len(HEAD), size, len(block)):
            file.write(block[: size - start])
        file.flush()
        os.fsync(file.fileno())
    return path


def turns(names: Sequence[str], rounds: int) -> Iterator[str]:
    """Yield all names in each round. Each round starts with another name, so that the order within a round changes."""
    for number in range(rounds):
        first = number % len(names)
        yield from (*names[first:], *names[:first])


def worker(script: str, *arguments: object) -> dict[str, float]:
    """Run one measurement in a separate process and return its figures."""
    command = [sys.executable, str(HERE / script), *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures
