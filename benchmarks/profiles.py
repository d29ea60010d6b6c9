"""The profiles: `make profile` prints each library's share of an upload and of a small call, and writes `profile.json`.

What belongs here: the profiler, and the groups of its figures. The profiler slows down Python but not the system, so the figures
are shares, not seconds. It watches only the thread that sends.
"""

import asyncio
import cProfile
import json
import pstats
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import calls
import uploads
from ground import HERE, MIB, fill, place, worker
from meter import Meter
from network import alone

__all__: list[str] = []

RESULTS: Final = HERE / "profile.json"
SIZE: Final = 512 * MIB
CALLS: Final = 1_000

ENCRYPTING, SENDING, WAITING = "TLS", "sockets", "waiting"
GROUPS: Final = (
    ENCRYPTING,
    SENDING,
    WAITING,
    "asyncio",
    "HTTP library",
    "json, attrs, cattrs",
    "adapters",
    "core",
    "rest",
)
# The name of a C function decides its group; the first matching part counts.
C_CODE: Final = {
    "_ssl": ENCRYPTING,
    "of '_socket.socket'": SENDING,
    "poll' of": WAITING,
    "SimpleQueue": WAITING,
    "_thread.lock": WAITING,
}
# The file of a Python function decides its group.
FILES: Final = {
    "tiktok_core": "core",
    "tiktok_adapters": "adapters",
    "asyncio": "asyncio",
    "selectors.py": "asyncio",
    "ssl.py": ENCRYPTING,
    "aiohttp": "HTTP library",
    "yarl": "HTTP library",
    "multidict": "HTTP library",
    "urllib3": "HTTP library",
    "http/": "HTTP library",
    "email": "HTTP library",
    "json": "json, attrs, cattrs",
    "attr": "json, attrs, cattrs",
}

Function = tuple[str, int, str]


def upload(variant: str, url: str, certificate: str, small: Path, large: Path) -> cProfile.Profile:
    """Profile an upload, from the start of the measurement in `uploads.py`."""
    profile = cProfile.Profile()

    class Watched(Meter):
        def __init__(self) -> None:
            super().__init__()
            profile.enable()

        def read(self) -> dict[str, float]:
            profile.disable()
            return super().read()

    uploads.Meter = Watched  # type: ignore[attr-defined]  # the variants use this name
    cost: Any = uploads.VARIANTS[variant](url, certificate, small, large)
    if asyncio.iscoroutine(cost):
        asyncio.run(cost)
    return profile


def call(variant: str, url: str, certificate: str) -> cProfile.Profile:
    """Profile small calls, one after another."""
    profile = cProfile.Profile()

    async def later() -> None:
        async with calls.ASYNCHRONOUS[variant](url, certificate) as ask:
            for _ in range(calls.FIRST_CALLS):
                await ask()
            profile.enable()
            for _ in range(CALLS):
                await ask()
            profile.disable()

    if variant in calls.ASYNCHRONOUS:
        asyncio.run(later())
        return profile
    with calls.BLOCKING[variant](url, certificate, 1) as ask:
        for _ in range(calls.FIRST_CALLS):
            ask()
        profile.enable()
        for _ in range(CALLS):
            ask()
        profile.disable()
    return profile


def shares(profile: cProfile.Profile) -> dict[str, float]:
    """Return each group's share of the time; the time of a C function without a group counts for its Python caller."""
    found: dict[str, float] = defaultdict(float)
    entries: Mapping[Function, tuple[int, int, float, float, Mapping[Function, tuple[int, int, float, float]]]]
    entries = pstats.Stats(profile).stats  # type: ignore[attr-defined]  # the attribute is public, but the stubs lack it
    for function, (_, _, own, _, callers) in entries.items():
        told = group(function)
        if told is not None or not callers:
            found[told or "rest"] += own
            continue
        for caller, (_, _, part, _) in callers.items():
            found[group(caller) or "rest"] += part
    whole = sum(found.values())
    return {name: found[name] / whole for name in GROUPS}


def group(function: Function) -> str | None:
    """Return the group of a function; None for a general C function."""
    file, _, name = function
    if file == "~":
        return next((told for part, told in C_CODE.items() if part in name), None)
    parts = file.rpartition("site-packages/")[2].rpartition("/src/")[2].rpartition("python3.11/")[2]
    return next((told for part, told in FILES.items() if part in parts), "rest")


def measured() -> Iterator[tuple[str, dict[str, float]]]:
    """Yield the name and the shares of each profile; each runs in a separate process."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        small, large = fill(folder / "small.mp4", 1_000), fill(folder / "large.mp4", SIZE)
        for words, tls in (("upload", False), ("upload over TLS", True)):
            with place(folder, tls=tls) as at:
                for client, variant in (("TikTok", "ours-urllib3"), ("AsyncTikTok", "ours-aiohttp")):
                    yield f"{words}, {client}", worker("profiles.py", variant, at.url, at.authority, small, large)
        with place(folder, tls=False) as at:
            for client, variant in (
                ("TikTok", "ours-urllib3"),
                ("AsyncTikTok", "ours-aiohttp"),
                ("aiohttp alone", "bare-aiohttp"),
            ):
                yield f"small call, {client}", worker("profiles.py", variant, at.url, at.authority)


def main(*arguments: str) -> None:
    """Profile everything, or with arguments one variant, and print its shares."""
    if len(arguments) == 5:
        variant, url, certificate, small, large = arguments
        print(json.dumps(shares(upload(variant, url, certificate, Path(small), Path(large)))))
        return
    if arguments:
        print(json.dumps(shares(call(*arguments))))
        return
    alone()
    results = dict(measured())
    print("\n".join(table(results)))
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", "utf-8")


def table(results: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    """Yield the lines of a table in Markdown."""
    yield f"| what | {' | '.join(GROUPS)} |"
    yield f"| --- |{' ---: |' * len(GROUPS)}"
    for what, parts in results.items():
        yield f"| {what} | {' | '.join(f'{parts[name]:.0%}' for name in GROUPS)} |"


if __name__ == "__main__":
    main(*sys.argv[1:])
