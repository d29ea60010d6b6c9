"""Our two clients, signed in and connected to a sink, for the measurements of uploads and of calls.

What belongs here: making the smallest client that a program could embed, with tokens and journal in memory.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Any, Final

from tiktok_adapters.clocks import ManualClock
from tiktok_adapters.stores.memory import MemoryJournal, MemoryTokenStore
from tiktok_core import App, AsyncTikTok, Endpoints, Secret, TikTok, Tokens
from tiktok_core.lifting import lift_clock, lift_journal, lift_tokens

__all__ = ["ACCESS_TOKEN", "APART", "asynchronous", "blocking", "signed_in"]

ACCESS_TOKEN: Final = Secret("act.for-the-benchmark")
APP: Final = App("key", Secret("secret"), "http://127.0.0.1:*/callback/")
APART: Final = 10.0
"""Seconds of virtual time between two calls: TikTok accepts 6 to 30 a minute, and the client would wait for its quota."""


def signed_in(clock: ManualClock, *accounts: str) -> MemoryTokenStore:
    """Return a store with tokens that stay valid during the measurement."""
    now, store = clock.now(), MemoryTokenStore()
    for account in accounts or ("somebody",):
        tokens = Tokens(
            open_id=account,
            access_token=ACCESS_TOKEN,
            refresh_token=Secret("rft.for-the-benchmark"),
            scope=("video.publish",),
            issued_at=now,
            expires_at=now + timedelta(days=300),
            refresh_expires_at=now + timedelta(days=365),
        )
        store.save(account, tokens)
    return store


@contextmanager
def blocking(url: str, clock: ManualClock, certificate: str, **options: Any) -> Iterator[TikTok]:
    """Yield the blocking client."""
    from tiktok_adapters.transports.urllib3 import Urllib3Transport

    ports = {"tokens": signed_in(clock), "journal": MemoryJournal(), **options}
    transport = Urllib3Transport(ca_file=certificate or None)
    with TikTok(APP, transport=transport, clock=clock, endpoints=Endpoints(api_url=url), **ports) as tiktok:
        yield tiktok


@asynccontextmanager
async def asynchronous(url: str, clock: ManualClock, certificate: str, **options: Any) -> AsyncIterator[AsyncTikTok]:
    """Yield the asynchronous client."""
    from tiktok_adapters.transports.aiohttp import AiohttpTransport

    ports = {"tokens": lift_tokens(signed_in(clock)), "journal": lift_journal(MemoryJournal()), **options}
    async with AsyncTikTok(
        APP,
        transport=AiohttpTransport(ca_file=certificate or None),
        clock=lift_clock(clock),
        endpoints=Endpoints(api_url=url),
        **ports,
    ) as tiktok:
        yield tiktok
