"""How `traced` reads to a type checker: a port of each world stays one, and an account stays what it was."""

from typing import assert_type

from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.trace import NoOpTracerProvider

from tiktok_adapters import connect, connect_async
from tiktok_adapters.clocks import AsyncioClock, ManualClock, SystemClock
from tiktok_adapters.otel import Providers, traced
from tiktok_adapters.transports.aiohttp import AiohttpTransport
from tiktok_adapters.transports.fake import FakeTransport
from tiktok_adapters.transports.urllib3 import Urllib3Transport
from tiktok_core import Account, AsyncAccount, Publication
from tiktok_core.lifting import lift_clock, lift_transport
from tiktok_core.ports import AsyncClock, AsyncTransport, Clock, Response, Transport


def blocking_face() -> None:
    """Trace the parts of a blocking client."""
    assert_type(traced(Urllib3Transport()), Transport)
    assert_type(traced(FakeTransport(lambda _: Response(200))), Transport)
    assert_type(traced(SystemClock()), Clock)
    providers: Providers = {"tracer_provider": NoOpTracerProvider(), "meter_provider": NoOpMeterProvider()}
    with connect(transport=traced(Urllib3Transport(), **providers), clock=traced(ManualClock())) as tiktok:
        account = traced(tiktok.account(), tracer_provider=NoOpTracerProvider())
        assert_type(account, Account)
        assert_type(account.post_video("clip.mp4"), Publication)


async def asynchronous_face() -> None:
    """Trace the parts of an asynchronous client."""
    assert_type(traced(AiohttpTransport()), AsyncTransport)
    assert_type(traced(lift_transport(Urllib3Transport())), AsyncTransport)
    assert_type(traced(AsyncioClock()), AsyncClock)
    assert_type(traced(lift_clock(ManualClock())), AsyncClock)
    async with connect_async(transport=traced(AiohttpTransport()), clock=traced(AsyncioClock())) as tiktok:
        account = traced(await tiktok.account())
        assert_type(account, AsyncAccount)
        assert_type(await account.resume("key"), Publication)
