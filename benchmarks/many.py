"""Many uploads at once: `many.py WORLD URL PEM FILE UPLOADS IN_FLIGHT` prints the cost of so many posts of a file.

All uploads start at once on one client, for many accounts: as tasks, or from 50 threads. What belongs here: the two clients, and
the lag of the event loop.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import ours
from meter import Meter

from tiktok_adapters.clocks import ManualClock
from tiktok_adapters.slots import AsyncioUploadSlots, ThreadUploadSlots
from tiktok_adapters.sources import open_source
from tiktok_core.lifting import lift_tokens

__all__: list[str] = []

THREADS: Final = 50
EACH: Final = 5
"""The uploads of one account: TikTok accepts six inits of an account in a minute."""
TICK: Final = 0.005


def names(uploads: int) -> list[str]:
    """Return the account of each upload."""
    return [f"account-{number // EACH}" for number in range(uploads)]


def served(published: list[str]) -> float:
    """Return the accounts whose uploads all succeeded."""
    return sum(count == EACH for count in Counter(published).values())


def blocking(url: str, certificate: str, path: Path, uploads: int, in_flight: int) -> dict[str, float]:
    """Post from threads that share the blocking client."""
    clock, accounts = ManualClock(), names(uploads)
    ports = {"tokens": ours.signed_in(clock, *set(accounts)), "slots": ThreadUploadSlots(in_flight)}
    with ours.blocking(url, clock, certificate, open_source=open_source, **ports) as tiktok:

        def post(name: str) -> str:
            tiktok.account(name).post_video(path, privacy_level="SELF_ONLY", wait=False)
            return name

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(post, accounts[:1]))
            clock.advance(600)
            meter = Meter()
            published = list(pool.map(post, accounts))
            return {**meter.read(), "accounts": served(published)}


async def asynchronous(url: str, certificate: str, path: Path, uploads: int, in_flight: int) -> dict[str, float]:
    """Post in tasks that share the asynchronous client."""
    clock, accounts = ManualClock(), names(uploads)
    ports = {
        "tokens": lift_tokens(ours.signed_in(clock, *set(accounts))),
        "slots": AsyncioUploadSlots(in_flight),
    }
    async with ours.asynchronous(url, clock, certificate, open_source=open_source, **ports) as tiktok:

        async def post(name: str) -> str:
            account = await tiktok.account(name)
            await account.post_video(path, privacy_level="SELF_ONLY", wait=False)
            return name

        await post(accounts[0])
        clock.advance(600)
        lags: list[float] = []
        watching = asyncio.create_task(watch(lags))
        meter = Meter()
        published = await asyncio.gather(*map(post, accounts))
        cost = meter.read()
        watching.cancel()
        lag = sorted(lags)[int(len(lags) * 0.99)]
        return {**cost, "accounts": served(published), "lag": lag}


async def watch(lags: list[float]) -> None:
    """Record how late each of many short sleeps ends."""
    while True:
        began = time.perf_counter()
        await asyncio.sleep(TICK)
        lags.append(time.perf_counter() - began - TICK)


def main(world: str, url: str, certificate: str, path: str, uploads: str, in_flight: str) -> None:
    """Run one client and print its figures."""
    options = (url, certificate, Path(path), int(uploads), int(in_flight))
    print(json.dumps(blocking(*options) if world == "blocking" else asyncio.run(asynchronous(*options))))


if __name__ == "__main__":
    main(*sys.argv[1:])
