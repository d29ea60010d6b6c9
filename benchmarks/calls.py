"""Small JSON calls, one after the other: `calls.py VARIANT URL` prints the microseconds of one.

What belongs here: one function for each variant. The bare ones send the same headers to the same path and read the
answer's bytes; ours give a typed value.
"""

import asyncio
import json
import sys
import time
from datetime import timedelta
from typing import Final

import aiohttp
import urllib3

from tiktok_adapters.clocks import ManualClock
from tiktok_adapters.stores.memory import MemoryJournal, MemoryTokenStore
from tiktok_adapters.transports.aiohttp import AiohttpTransport
from tiktok_adapters.transports.urllib3 import Urllib3Transport
from tiktok_core import App, AsyncTikTok, CreatorInfo, Endpoints, Secret, TikTok, Tokens
from tiktok_core.blocking import lift_clock, lift_journal, lift_tokens
from tiktok_core.domain.creator import PrivacyLevel
from tiktok_core.wire.publishing import creator_info_request

__all__: list[str] = []

CALLS: Final = 2_000
FIRST_CALLS: Final = 50
"""Calls before the measurement: connection, converter and caches."""

OPEN_ID: Final = "somebody"
ACCESS_TOKEN: Final = Secret("act.for-the-benchmark")
APP: Final = App("key", Secret("secret"), "http://127.0.0.1:*/callback/")
APART: Final = 4.0
"""Seconds of virtual time between two calls: TikTok takes 20 a minute, and a client that keeps to that would wait."""


def signed_in(clock: ManualClock) -> MemoryTokenStore:
    """Return a store with tokens that outlive the measurement."""
    now = clock.now()
    tokens = Tokens(
        open_id=OPEN_ID,
        access_token=ACCESS_TOKEN,
        refresh_token=Secret("rft.for-the-benchmark"),
        scope=("video.publish",),
        issued_at=now,
        expires_at=now + timedelta(days=30),
        refresh_expires_at=now + timedelta(days=365),
    )
    store = MemoryTokenStore()
    store.save(OPEN_ID, tokens)
    return store


def check(info: CreatorInfo) -> None:
    """Make sure that what is measured is a success, with all its fields."""
    if PrivacyLevel.SELF_ONLY not in info.privacy_level_options or info.max_video_post_duration_sec != 300:
        raise RuntimeError("the answer is not the sink's")


def microseconds(began: float) -> float:
    """Return the time of one call."""
    return (time.perf_counter() - began) / CALLS * 1e6


def ours_blocking(api_url: str) -> float:
    """Ask with the blocking client."""
    clock = ManualClock()
    with TikTok(
        APP,
        transport=Urllib3Transport(),
        tokens=signed_in(clock),
        journal=MemoryJournal(),
        clock=clock,
        endpoints=Endpoints(api_url=api_url),
    ) as tiktok:
        account = tiktok.account()

        def call() -> CreatorInfo:
            clock.advance(APART)
            return account.creator_info()

        for _ in range(FIRST_CALLS):
            check(call())
        began = time.perf_counter()
        for _ in range(CALLS):
            call()
        return microseconds(began)


async def ours_asynchronous(api_url: str) -> float:
    """Ask with the asynchronous client."""
    clock = ManualClock()
    async with AsyncTikTok(
        APP,
        transport=AiohttpTransport(),
        tokens=lift_tokens(signed_in(clock)),
        journal=lift_journal(MemoryJournal()),
        clock=lift_clock(clock),
        endpoints=Endpoints(api_url=api_url),
    ) as tiktok:
        account = await tiktok.account()

        async def call() -> CreatorInfo:
            clock.advance(APART)
            return await account.creator_info()

        for _ in range(FIRST_CALLS):
            check(await call())
        began = time.perf_counter()
        for _ in range(CALLS):
            await call()
        return microseconds(began)


def bare_urllib3(api_url: str) -> float:
    """Ask with urllib3's pool."""
    request = creator_info_request(Endpoints(api_url=api_url), ACCESS_TOKEN)
    with urllib3.PoolManager() as pool:

        def call() -> bytes:
            return pool.request("POST", request.url, headers=request.headers).data

        for _ in range(FIRST_CALLS):
            json.loads(call())
        began = time.perf_counter()
        for _ in range(CALLS):
            call()
        return microseconds(began)


async def bare_aiohttp(api_url: str) -> float:
    """Ask with a session of aiohttp's."""
    request = creator_info_request(Endpoints(api_url=api_url), ACCESS_TOKEN)
    async with aiohttp.ClientSession() as session:

        async def call() -> bytes:
            async with session.post(request.url, headers=request.headers) as answer:
                return await answer.read()

        for _ in range(FIRST_CALLS):
            json.loads(await call())
        began = time.perf_counter()
        for _ in range(CALLS):
            await call()
        return microseconds(began)


BLOCKING: Final = {"ours-urllib3": ours_blocking, "bare-urllib3": bare_urllib3}
ASYNCHRONOUS: Final = {"ours-aiohttp": ours_asynchronous, "bare-aiohttp": bare_aiohttp}


def main(variant: str, api_url: str) -> None:
    """Run one variant and print its figure."""
    took = BLOCKING[variant](api_url) if variant in BLOCKING else asyncio.run(ASYNCHRONOUS[variant](api_url))
    print(json.dumps({"microseconds": took}))


if __name__ == "__main__":
    main(*sys.argv[1:])
