"""Measure the library beside curl and the bare libraries, on this machine alone, and write `results.json`.

What belongs here: which variants there are, in which order they run, and what is compared with what. Each measurement
is a process of its own, and the variants take turns in each round, so that a passing load hits all of them alike.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, Final

from report import Row, compared, spread, table, write

__all__: list[str] = []

HERE: Final = Path(__file__).parent
RESULTS: Final = HERE / "results.json"

ROUNDS: Final = 5
MIB: Final = 1 << 20
DEFAULT_SIZE: Final = 256
SIZES: Final = range(123, 4097)
"""MiB; below, there would be no second chunk of 64,000,000 bytes, and TikTok takes no more."""
SMALL: Final = 1_000
"""Bytes that each variant sends before it is measured."""
STARTS: Final = 3
"""Starts of each interpreter in a round, of which the middle one counts: a start is short, and so is a disturbance."""

CURL: Final = "curl -T"
UPLOADS: Final = {
    CURL: ("curl.py",),
    "Urllib3Transport": ("uploads.py", "ours-urllib3"),
    "AiohttpTransport": ("uploads.py", "ours-aiohttp"),
    "bare urllib3, file object": ("uploads.py", "bare-urllib3"),
    "bare aiohttp, file object": ("uploads.py", "bare-aiohttp"),
}
# Each of ours is compared with the library that it stands on.
CALLS: Final = {
    "bare urllib3": ("bare-urllib3", "bare urllib3"),
    "TikTok.creator_info": ("ours-urllib3", "bare urllib3"),
    "bare aiohttp": ("bare-aiohttp", "bare aiohttp"),
    "AsyncTikTok.creator_info": ("ours-aiohttp", "bare aiohttp"),
}
EMPTY: Final = "an empty interpreter"
COMMAND_LINE: Final = Path(sys.executable).with_name("tiktok")
URLLIB3, ASYNCIO, CORE, CLICK, HELP = (
    "import urllib3",
    "import asyncio",
    "import tiktok_core",
    "import click",
    "tiktok --help",
)
STARTED: Final = {
    EMPTY: (sys.executable, "-c", "pass"),
    **{words: (sys.executable, "-c", words) for words in (URLLIB3, ASYNCIO, CORE, CLICK)},
    HELP: (str(COMMAND_LINE), "--help"),
}
# What is started, and what it is compared with.
STARTS_COMPARED: Final = (
    (URLLIB3, URLLIB3),
    (CORE, URLLIB3),
    (ASYNCIO, ASYNCIO),
    (CORE, ASYNCIO),
    (CLICK, CLICK),
    (HELP, CLICK),
)

Samples = dict[str, list[dict[str, float]]]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure everything, print the table and write the file."""
    options = parsed(arguments)
    skipped = {} if shutil.which("curl") else {CURL: "there is no curl on this machine"}
    with tempfile.TemporaryDirectory() as folder:
        uploads = measured_uploads(Path(folder), options.size * MIB, options.rounds, skipped)
    rows = [
        *upload_rows(uploads, options.size * MIB),
        *call_rows(measured_calls(options.rounds)),
        *planner_rows([worker("planner.py") for _ in range(options.rounds)]),
        *import_rows(measured_imports(options.rounds)),
    ]
    about = {
        "upload_mib": options.size,
        "rounds": options.rounds,
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in ("aiohttp", "attrs", "cattrs", "click", "urllib3")},
        "skipped": skipped,
    }
    print(f"Uploads of {options.size} MiB, {options.rounds} rounds, medians; ratios are taken within each round.\n")
    print(table(rows))
    for variant, reason in skipped.items():
        print(f"\nLeft out: {variant}, because {reason}. Ratios of uploads are ratios to it.")
    write(RESULTS, about, rows)


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description="Measure the library beside curl and the bare libraries.")
    parser.add_argument(
        "--size", type=int, default=DEFAULT_SIZE, metavar="MIB", help="MiB to upload (default: %(default)s)"
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="rounds of each part (default: %(default)s)")
    options = parser.parse_args(arguments)
    if options.size not in SIZES:
        parser.error(f"--size must be {SIZES.start} to {SIZES.stop - 1}")
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    return options


# --- Measuring -------------------------------------------------------------------------------------------------------


def measured_uploads(folder: Path, size: int, rounds: int, skipped: Mapping[str, str]) -> Samples:
    """Return what each upload cost, in each round."""
    small, large = folder / "small.mp4", folder / "large.mp4"
    fill(small, SMALL)
    fill(large, size)
    samples: Samples = defaultdict(list)
    with sink("uploads") as url:
        for name in turns([name for name in UPLOADS if name not in skipped], rounds):
            script, *variant = UPLOADS[name]
            samples[name].append(worker(script, *variant, f"{url}/video", str(small), str(large)))
    return samples


def measured_calls(rounds: int) -> Samples:
    """Return what a call cost, in each round."""
    samples: Samples = defaultdict(list)
    with sink("calls") as url:
        for name in turns(list(CALLS), rounds):
            samples[name].append(worker("calls.py", CALLS[name][0], url))
    return samples


def measured_imports(rounds: int) -> Samples:
    """Return what a start cost above that of an empty interpreter, in each round."""
    for command in STARTED.values():
        start(command)  # The first start may have to compile, and to read from the disk.
    samples: Samples = defaultdict(list)
    for name in turns(list(STARTED), rounds):
        samples[name].append({"ms": median(start(STARTED[name]) for _ in range(STARTS))})
    empty = [one["ms"] for one in samples.pop(EMPTY)]
    return {
        name: [{"ms": one["ms"] - bare} for one, bare in zip(found, empty, strict=True)]
        for name, found in samples.items()
    }


def turns(names: Sequence[str], rounds: int) -> Iterator[str]:
    """Yield all names once a round, each round beginning with another one: nobody always follows the same neighbour."""
    for number in range(rounds):
        first = number % len(names)
        yield from (*names[first:], *names[:first])


def worker(script: str, *arguments: str) -> dict[str, float]:
    """Run one measurement in a process of its own and return its figures."""
    command = [sys.executable, str(HERE / script), *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def start(command: Sequence[str]) -> float:
    """Run a command to its end and return the milliseconds."""
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - began) * 1e3


@contextmanager
def sink(kind: str) -> Iterator[str]:
    """Start a sink and give its URL."""
    command = [sys.executable, str(HERE / "sinks.py"), kind]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("a sink without pipes")
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.stdin.close()


def fill(path: Path, size: int) -> None:
    """Write a file, and wait until it is on the disk: writing it out later would disturb the first round."""
    block = os.urandom(min(size, MIB))
    with path.open("wb") as file:
        for start_of_block in range(0, size, len(block)):
            file.write(block[: size - start_of_block])
        file.flush()
        os.fsync(file.fileno())


# --- Comparing -------------------------------------------------------------------------------------------------------


def upload_rows(samples: Samples, size: int) -> Iterator[Row]:
    """Yield a row for each upload: throughput and processor seconds over curl's."""
    for name, found in samples.items():
        yield Row(
            part="upload",
            variant=name,
            unit="MB/s",
            figure=spread(size / one["seconds"] / 1e6 for one in found),
            reference=CURL,
            ratio=compared(samples, name, CURL, lambda one: 1 / one["seconds"]),
            processor=compared(samples, name, CURL, lambda one: one["processor"]),
            memory_mib=spread(one["memory"] / MIB for one in found),
        )


def call_rows(samples: Samples) -> Iterator[Row]:
    """Yield a row for each kind of call: its time over the bare library's."""
    for name, (_, reference) in CALLS.items():
        yield Row(
            part="small call",
            variant=name,
            unit="microseconds",
            figure=spread(one["microseconds"] for one in samples[name]),
            reference=reference,
            ratio=compared(samples, name, reference, lambda one: one["microseconds"]),
        )


def planner_rows(samples: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    """Yield the planner's rows; there is nothing to compare them with."""
    for variant, figure in (("plan_chunks(4 GiB)", "plan"), ("one range of it", "range")):
        yield Row(part="planner", variant=variant, unit="microseconds", figure=spread(one[figure] for one in samples))


def import_rows(samples: Samples) -> Iterator[Row]:
    """Yield a row for each cold start: its time over that of its reference."""
    for name, reference in STARTS_COMPARED:
        yield Row(
            part="cold start",
            variant=name,
            unit="ms above empty",
            figure=spread(one["ms"] for one in samples[name]),
            reference=reference,
            ratio=compared(samples, name, reference, lambda one: one["ms"]),
        )


if __name__ == "__main__":
    main()
