"""Embed the core in an asynchronous service: the same flows with `await`, here with aiohttp."""

import asyncio

from tiktok_adapters.background import AsyncioBackground
from tiktok_adapters.clocks import AsyncioClock
from tiktok_adapters.protect import AsyncioProtect
from tiktok_adapters.simulator import DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, SimulatedTikTok
from tiktok_adapters.simulator.server import SandboxServer
from tiktok_adapters.sources import BytesSource
from tiktok_adapters.stores.memory import MemoryJournal, MemoryTokenStore
from tiktok_adapters.stores.threaded import ThreadedJournal, ThreadedTokenStore
from tiktok_adapters.transports.aiohttp import AiohttpTransport
from tiktok_core import App, AsyncTikTok, Endpoints, PrivacyLevel

VIDEO = b"\0\0\0\x18ftypisom" + bytes(7_000_000)


async def main() -> None:
    """Sign in and post two videos at once."""
    app = App(DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, "https://app.example.com/callback/")
    simulated = SimulatedTikTok()
    async with SandboxServer(simulated) as sandbox:
        endpoints = Endpoints(api_url=sandbox.url, auth_url=f"{sandbox.url}/v2/auth/authorize/")
        async with AsyncTikTok(
            app,
            transport=AiohttpTransport(),
            tokens=ThreadedTokenStore(MemoryTokenStore()),
            journal=ThreadedJournal(MemoryJournal()),
            clock=AsyncioClock(),
            protect=AsyncioProtect(),
            background=AsyncioBackground(),
            endpoints=endpoints,
        ) as tiktok:
            authorization = tiktok.authorization()
            account = await tiktok.sign_in(authorization, simulated.authorize(authorization.url))
            posts = await asyncio.gather(
                *(
                    account.post_video(BytesSource(VIDEO), title=title, privacy_level=PrivacyLevel.SELF_ONLY)
                    for title in ("first", "second")
                )
            )
            for post in posts:
                print(post.publish_id, post.status)
    simulated.close()


if __name__ == "__main__":
    asyncio.run(main())
