"""Compare the library with curl and other libraries, on this machine only, and write `results.json`.

What belongs here: the variants, their order, and their references. Each measurement runs in a separate process, and the
variants take turns in each round, so that a short load on the machine affects all of them.
"""

import argparse
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, Final

from attrs import frozen
from ground import HERE, MIB, fill, place, turns, worker
from network import alone, congestion_control
from report import Row, Samples, compared, spread, table, write

__all__: list[str] = []

RESULTS: Final = HERE / "results.json"
SMALL: Final = 1_000
"""The bytes that each variant sends before its measurement."""
MANY_SIZE: Final = 20_000_000
STARTS: Final = 3
"""The starts of each interpreter in a round. The median counts, because even a short disturbance spoils a short start."""
LIBRARIES: Final = ("aiohttp", "attrs", "cattrs", "click", "httpx", "requests", "tiktok-api-client", "urllib3")

CURL: Final = "curl -T"
OURS: Final = {"TikTok": "ours-urllib3", "AsyncTikTok": "ours-aiohttp"}
UPLOADS: Final = {
    CURL: ("curl.py",),
    **{name: ("uploads.py", word) for name, word in OURS.items()},
    "a socket": ("uploads.py", "bare-socket"),
    "asyncio's streams": ("uploads.py", "bare-streams"),
    "urllib3": ("uploads.py", "bare-urllib3"),
    "aiohttp": ("uploads.py", "bare-aiohttp"),
    "requests": ("uploads.py", "requests"),
    "httpx": ("uploads.py", "httpx"),
    "tiktok-api-client": ("uploads.py", "seed"),
}
SIZES: Final = {"64 MB": 64_000_000, "256 MB": 256_000_000, "1 GiB": 1 << 30, "4 GiB": 1 << 32}

# Each of our clients is compared with the library that it uses.
CALLS: Final = {
    "urllib3": ("bare-urllib3", "urllib3"),
    "TikTok": ("ours-urllib3", "urllib3"),
    "requests": ("requests", "urllib3"),
    "httpx": ("httpx", "urllib3"),
    "tiktok-api-client": ("seed", "urllib3"),
    "aiohttp": ("bare-aiohttp", "aiohttp"),
    "AsyncTikTok": ("ours-aiohttp", "aiohttp"),
    "AiohttpTransport": ("transport-aiohttp", "aiohttp"),
}

EMPTY: Final = "an empty interpreter"
COMMAND_LINE: Final = Path(sys.executable).with_name("tiktok")
REQUESTS, URLLIB3, CORE, CLICK, HELP = (
    "import requests",
    "import urllib3",
    "import tiktok_core",
    "python -c 'import click'",
    "tiktok --help",
)
STARTED: Final = {
    EMPTY: (sys.executable, "-c", "pass"),
    **{words: (sys.executable, "-c", words) for words in (REQUESTS, URLLIB3, CORE)},
    CLICK: (sys.executable, "-c", "import click"),
    HELP: (str(COMMAND_LINE), "--help"),
}


@frozen(kw_only=True)
class Options:
    """The settings of the measurements.

    Attributes:
        size: the bytes of an upload.
        rounds: how often each variant is measured.
        many: how many uploads start at once on the asynchronous client; the blocking client starts a fifth of them.
        folder: the folder for files and certificates.
        has_curl: whether curl is installed as the reference for uploads.
    """

    size: int
    rounds: int
    many: int
    folder: Path
    has_curl: bool


# --- Parts -----------------------------------------------------------------------------------------------------------


def uploads(options: Options) -> Iterator[Row]:
    """Yield a row for each upload, plain and over TLS: throughput and processor seconds over curl's."""
    large = fill(options.folder / "large.mp4", options.size)
    names = [name for name in UPLOADS if options.has_curl or name != CURL]
    for part, tls in (("upload", False), ("upload over TLS", True)):
        samples = uploaded(options, names, large, tls=tls)
        yield from (upload_row(part, name, samples, options.size) for name in samples)
    large.unlink()


def sizes(options: Options) -> Iterator[Row]:
    """Yield a row for each size and client, over TLS: the cost grows with the size, and the memory does not."""
    names = [name for name in (CURL, *OURS) if options.has_curl or name != CURL]
    for words, size in SIZES.items():
        large = fill(options.folder / "large.mp4", size)
        samples = uploaded(options, names, large, tls=True)
        yield from (upload_row(f"{words} over TLS", name, samples, size) for name in samples)
        large.unlink()


def uploaded(options: Options, names: Sequence[str], large: Path, *, tls: bool) -> Samples:
    """Return the cost of each upload in each round."""
    small = fill(options.folder / "small.mp4", SMALL)
    samples: dict[str, list[dict[str, float]]] = defaultdict(list)
    with place(options.folder, tls=tls) as at:
        for name in turns(names, options.rounds):
            samples[name].append(worker(*UPLOADS[name], at.url, at.authority, small, large))
    return samples


def upload_row(part: str, name: str, samples: Samples, size: int) -> Row:
    """Return the row of an upload."""
    found = samples[name]
    return Row(
        part=part,
        variant=name,
        unit="MB/s",
        figure=spread(size / one["seconds"] / 1e6 for one in found),
        reference=CURL,
        ratio=compared(samples, name, CURL, lambda one: 1 / one["seconds"]),
        processor=compared(samples, name, CURL, lambda one: one["processor"]),
        memory_mib=spread(one["memory"] / MIB for one in found),
    )


def calls(options: Options) -> Iterator[Row]:
    """Yield a row for each kind of call: its time over the bare library's."""
    for part, tls, at_once in (
        ("small call", False, 1),
        ("small call, 100 at once", False, 100),
        ("small call over TLS", True, 1),
    ):
        samples: dict[str, list[dict[str, float]]] = defaultdict(list)
        with place(options.folder, tls=tls) as at:
            for name in turns(list(CALLS), options.rounds):
                samples[name].append(worker("calls.py", CALLS[name][0], at.url, at.authority, at_once))
        for name, (_, reference) in CALLS.items():
            yield timed(part, name, samples, reference, "microseconds")


def many(options: Options) -> Iterator[Row]:
    """Yield a row for each number of uploads in flight, over TLS: the throughput over that of 16, which is the default."""
    film = fill(options.folder / "film.mp4", MANY_SIZE)
    usual, few = "16", options.many // 5
    settings: dict[str, dict[str, tuple[str, int, str]]] = {
        "AsyncTikTok": {count: ("asynchronous", few, count) for count in ("4", "8", usual, "32", "64")},
        "TikTok, 50 threads": {count: ("blocking", few, count) for count in ("2", "4", usual, "50")},
    }
    settings["AsyncTikTok"][f"{usual} of {options.many:,}"] = ("asynchronous", options.many, usual)
    with place(options.folder, tls=True) as at:
        for client, choices in settings.items():
            samples: dict[str, list[dict[str, float]]] = defaultdict(list)
            for count in turns(list(choices), options.rounds):
                samples[count].append(posted(at.url, at.authority, film, *choices[count]))
            for count, found in samples.items():
                yield many_row(f"{few} uploads of 20 MB", f"{client}, {count} in flight", found, samples[usual])


def posted(url: str, authority: str, film: Path, world: str, uploads: int, in_flight: str) -> dict[str, float]:
    """Return the cost of many uploads; all of them have to succeed."""
    cost = worker("many.py", world, url, authority, film, uploads, in_flight)
    if cost["accounts"] * 5 != uploads:
        raise RuntimeError(f"uploads failed: only {cost['accounts']} accounts completed theirs")
    return {**cost, "rate": uploads * MANY_SIZE / cost["seconds"] / 1e6}


def many_row(
    part: str, variant: str, found: Sequence[Mapping[str, float]], usual: Sequence[Mapping[str, float]]
) -> Row:
    """Return the row of many uploads."""
    return Row(
        part=part,
        variant=variant,
        unit="MB/s",
        figure=spread(one["rate"] for one in found),
        reference="16 in flight",
        ratio=spread(a["rate"] / b["rate"] for a, b in zip(found, usual, strict=True)),
        memory_mib=spread(one["memory"] / MIB for one in found),
        lag_ms=spread(one["lag"] * 1e3 for one in found) if "lag" in found[0] else None,
    )


def planner(options: Options) -> Iterator[Row]:
    """Yield the planner's rows, which have no reference."""
    samples = [worker("planner.py") for _ in range(options.rounds)]
    for variant, figure in (("plan_chunks(4 GiB)", "plan"), ("one range of it", "range")):
        yield Row(part="planner", variant=variant, unit="microseconds", figure=spread(one[figure] for one in samples))


def starts(options: Options) -> Iterator[Row]:
    """Yield a row for each cold start: the time of imports above an empty interpreter, the whole time of commands."""
    for command in STARTED.values():
        start(command)  # The first start may compile modules and read them from the disk.
    samples: dict[str, list[dict[str, float]]] = defaultdict(list)
    for name in turns(list(STARTED), options.rounds):
        samples[name].append({"ms": median(start(STARTED[name]) for _ in range(STARTS))})
    yield from (timed("start", name, samples, CLICK, "ms") for name in (CLICK, HELP))
    empty = [one["ms"] for one in samples[EMPTY]]
    above = {
        name: [{"ms": one["ms"] - bare} for one, bare in zip(samples[name], empty, strict=True)]
        for name in (REQUESTS, URLLIB3, CORE)
    }
    yield from (timed("import, above an empty start", name, above, REQUESTS, "ms") for name in above)


def start(command: Sequence[str]) -> float:
    """Run a command and return its milliseconds."""
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - began) * 1e3


def timed(part: str, name: str, samples: Samples, reference: str, unit: str) -> Row:
    """Return the row of a measured time."""
    return Row(
        part=part,
        variant=name,
        unit=unit,
        figure=spread(one[unit] for one in samples[name]),
        reference=reference,
        ratio=compared(samples, name, reference, lambda one: one[unit]),
    )


PARTS: Final[dict[str, Callable[[Options], Iterator[Row]]]] = {
    "uploads": uploads,
    "sizes": sizes,
    "many": many,
    "calls": calls,
    "planner": planner,
    "starts": starts,
}


# --- The whole run ---------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure everything, print the table and write the file."""
    asked = parsed(arguments)
    alone()
    skipped = {} if shutil.which("curl") else {CURL: "there is no curl on this machine"}
    with tempfile.TemporaryDirectory() as folder:
        options = Options(
            size=asked.size * MIB, rounds=asked.rounds, many=asked.many, folder=Path(folder), has_curl=not skipped
        )
        rows = [row for part in asked.only for row in PARTS[part](options)]
    about: dict[str, Any] = {
        "upload_mib": asked.size,
        "many": asked.many,
        "rounds": asked.rounds,
        "congestion_control": congestion_control(),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in LIBRARIES},
        "skipped": skipped,
    }
    print(f"Uploads of {asked.size} MiB, {asked.rounds} rounds, medians; ratios are taken within each round.\n")
    print(table(rows))
    for variant, reason in skipped.items():
        print(f"\nLeft out: {variant}, because {reason}. The ratios of uploads compare with it, so they are missing.")
    if asked.only == list(PARTS):
        write(RESULTS, about, rows)


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description="Measure the library beside curl and others' libraries.")
    parser.add_argument(
        "--size", type=int, default=1024, metavar="MIB", help="the size of an upload (default: %(default)s)"
    )
    parser.add_argument(
        "--rounds", type=int, default=5, metavar="N", help="how often to measure (default: %(default)s)"
    )
    parser.add_argument("--many", type=int, default=1000, metavar="N", help="uploads at once (default: %(default)s)")
    parser.add_argument(
        "only", nargs="*", metavar="PART", help=f"{', '.join(PARTS)} (default: all, and write the results)"
    )
    asked = parser.parse_args(arguments)
    if unknown := set(asked.only) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    if not 123 <= asked.size <= 4096:
        parser.error("an upload has 123 to 4,096 MiB: below, there is no second chunk, and TikTok takes no more")
    asked.only = asked.only or list(PARTS)
    return asked


if __name__ == "__main__":
    main()
