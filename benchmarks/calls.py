"""Small JSON calls: `calls.py VARIANT URL PEM AT_ONCE` prints the microseconds of one call, and the number of answered calls.

What belongs here: one function for each variant, which asks for creator info and parses the answer's JSON. The bare libraries
send the same headers, have a time-out and return a dict; our clients return a typed value. With more than one call at once,
blocking variants use threads and the others use tasks.
"""

import asyncio
import json
import ssl
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from typing import Any, Final

from ours import ACCESS_TOKEN, APART

from tiktok_adapters.clocks import ManualClock
from tiktok_core import Endpoints
from tiktok_core.wire.publishing import creator_info_request

__all__: list[str] = []

CALLS: Final = 2_000
SLOW_CALLS: Final = 200
"""The calls of a variant that makes a new connection for each: over TLS one takes as long as a hundred others."""
FIRST_CALLS: Final = 50
"""The calls before the measurement, which fill connection, converter and caches."""
TIMEOUT: Final = 30

Ask = Callable[[], Any]
AskLater = Callable[[], Awaitable[Any]]


def question(url: str) -> tuple[str, dict[str, str]]:
    """Return the URL and the headers that all variants use."""
    request = creator_info_request(Endpoints(api_url=url), ACCESS_TOKEN)
    return request.url, dict(request.headers)


def check(answer: Any) -> None:
    """Raise unless the measured answer is a success with all its fields."""
    data = answer["data"] if isinstance(answer, dict) else answer
    longest = data["max_video_post_duration_sec"] if isinstance(data, dict) else data.max_video_post_duration_sec
    if longest != 300:
        raise RuntimeError("the answer differs from the sink's")


# --- Blocking --------------------------------------------------------------------------------------------------------


@contextmanager
def ours_blocking(url: str, certificate: str, at_once: int) -> Iterator[Ask]:
    """Ask with the blocking client."""
    import ours

    clock = ManualClock()
    with ours.blocking(url, clock, certificate) as tiktok:
        account = tiktok.account()

        def ask() -> object:
            clock.advance(APART)
            return account.creator_info()

        yield ask


@contextmanager
def bare_urllib3(url: str, certificate: str, at_once: int) -> Iterator[Ask]:
    """Ask with urllib3's pool."""
    import urllib3

    place, headers = question(url)
    with urllib3.PoolManager(ca_certs=certificate or None, maxsize=at_once, timeout=TIMEOUT) as pool:
        yield lambda: json.loads(pool.request("POST", place, headers=headers).data)


@contextmanager
def bare_requests(url: str, certificate: str, at_once: int) -> Iterator[Ask]:
    """Ask with a session of requests."""
    import requests
    from requests.adapters import HTTPAdapter

    place, headers = question(url)
    verify = certificate or True
    with requests.Session() as session:
        session.mount(url, HTTPAdapter(pool_maxsize=at_once))
        yield lambda: session.post(place, headers=headers, timeout=TIMEOUT, verify=verify).json()


@contextmanager
def bare_httpx(url: str, certificate: str, at_once: int) -> Iterator[Ask]:
    """Ask with a client of httpx."""
    import httpx

    place, headers = question(url)
    with httpx.Client(verify=ssl.create_default_context(cafile=certificate or None), timeout=TIMEOUT) as client:
        yield lambda: client.post(place, headers=headers).json()


@contextmanager
def seed(url: str, certificate: str, at_once: int) -> Iterator[Ask]:
    """Ask with tiktok-api-client."""
    from predecessor import signed_in

    yield signed_in(url, certificate).get_creator_info


def blocking(opened: AbstractContextManager[Ask], at_once: int, count: int = CALLS) -> float:
    """Return the microseconds of a call."""
    with opened as ask, ThreadPoolExecutor(at_once) as pool:

        def some(count: int) -> None:
            for _ in range(count):
                ask()

        for _ in range(FIRST_CALLS):
            check(ask())
        if at_once == 1:
            began = time.perf_counter()
            some(count)
        else:
            list(pool.map(some, [1] * at_once))
            began = time.perf_counter()
            list(pool.map(some, [count // at_once] * at_once))
        return microseconds(began, count)


# --- Asynchronous ----------------------------------------------------------------------------------------------------


@asynccontextmanager
async def ours_asynchronous(url: str, certificate: str) -> AsyncIterator[AskLater]:
    """Ask with the asynchronous client."""
    import ours

    clock = ManualClock()
    async with ours.asynchronous(url, clock, certificate) as tiktok:
        account = await tiktok.account()

        async def ask() -> object:
            clock.advance(APART)
            return await account.creator_info()

        yield ask


@asynccontextmanager
async def our_transport(url: str, certificate: str) -> AsyncIterator[AskLater]:
    """Ask with the transport of the asynchronous client, without the client."""
    from tiktok_adapters.transports.aiohttp import AiohttpTransport

    request = creator_info_request(Endpoints(api_url=url), ACCESS_TOKEN)
    async with AiohttpTransport(ca_file=certificate or None) as http:

        async def ask() -> object:
            return json.loads((await http.send(request)).body)

        yield ask


@asynccontextmanager
async def bare_aiohttp(url: str, certificate: str) -> AsyncIterator[AskLater]:
    """Ask with a session of aiohttp."""
    import aiohttp

    place, headers = question(url)
    context: Any = ssl.create_default_context(cafile=certificate) if certificate else True
    timeout = aiohttp.ClientTimeout(total=TIMEOUT)
    async with aiohttp.ClientSession(timeout=timeout) as session:

        async def ask() -> object:
            async with session.post(place, headers=headers, ssl=context) as answer:
                return await answer.json()

        yield ask


async def asynchronous(opened: AbstractAsyncContextManager[AskLater], at_once: int) -> float:
    """Return the microseconds of a call."""
    async with opened as ask:

        async def some(count: int) -> None:
            for _ in range(count):
                await ask()

        for _ in range(FIRST_CALLS):
            check(await ask())
        await asyncio.gather(*(some(1) for _ in range(at_once)))
        began = time.perf_counter()
        await asyncio.gather(*(some(CALLS // at_once) for _ in range(at_once)))
        return microseconds(began, CALLS)


def microseconds(began: float, count: int) -> float:
    """Return the time of one call."""
    return (time.perf_counter() - began) / count * 1e6


BLOCKING: Final = {
    "ours-urllib3": ours_blocking,
    "bare-urllib3": bare_urllib3,
    "requests": bare_requests,
    "httpx": bare_httpx,
    "seed": seed,
}
ASYNCHRONOUS: Final = {
    "ours-aiohttp": ours_asynchronous,
    "transport-aiohttp": our_transport,
    "bare-aiohttp": bare_aiohttp,
}


def main(variant: str, url: str, certificate: str, at_once: str) -> None:
    """Run one variant and print its figure."""
    threads = tasks = int(at_once)
    if variant in BLOCKING:
        made = SLOW_CALLS if variant == "seed" else CALLS
        took = blocking(BLOCKING[variant](url, certificate, threads), threads, made)
    else:
        took = asyncio.run(asynchronous(ASYNCHRONOUS[variant](url, certificate), tasks))
    print(json.dumps({"microseconds": took}))


if __name__ == "__main__":
    main(*sys.argv[1:])
