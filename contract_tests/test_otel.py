"""A traced transport or clock keeps the contract of its port, under any telemetry.

What belongs here: bindings only. `make test` runs those in memory: what a wrapper can break shows there, too.
"""

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tiktok_adapters.clocks import AsyncioClock, ManualClock, SystemClock
from tiktok_adapters.otel import Providers, traced
from tiktok_adapters.simulator import SimulatedTikTok
from tiktok_adapters.testing.contracts.behaviour import MemoryPlace
from tiktok_adapters.testing.contracts.clocks import ClockContract
from tiktok_adapters.testing.contracts.tiktok import TikTokContract
from tiktok_adapters.testing.contracts.transports import TransportContract
from tiktok_adapters.testing.contracts.wire import WireContract
from tiktok_adapters.transports.aiohttp import AiohttpTransport
from tiktok_adapters.transports.fake import FakeTransport
from tiktok_adapters.transports.urllib3 import Urllib3Transport
from tiktok_core.ports import AsyncClock, AsyncTransport, Clock, Transport


def recording() -> Providers:
    """Return providers that record everything in memory."""
    spans = TracerProvider()
    spans.add_span_processor(SimpleSpanProcessor(InMemorySpanExporter()))
    return {"tracer_provider": spans, "meter_provider": MeterProvider([InMemoryMetricReader()])}


@pytest.mark.full
class TestTracedUrllib3(WireContract):
    """Over urllib3, blocking."""

    @pytest.fixture
    def transport(self) -> Transport:
        """Return the transport under contract."""
        return traced(Urllib3Transport(), **recording())


@pytest.mark.full
class TestTracedAiohttp(WireContract):
    """Over aiohttp, awaited."""

    @pytest.fixture
    def transport(self) -> AsyncTransport:
        """Return the transport under contract."""
        return traced(AiohttpTransport(), **recording())


class TestTracedFake(TransportContract):
    """In memory, blocking."""

    @pytest.fixture
    def transport(self, place: MemoryPlace) -> Transport:
        """Return the transport under contract."""
        return traced(FakeTransport(place.handle), **recording())


@pytest.mark.full
class TestTracedFakeWithoutTelemetry(TransportContract):
    """In memory, blocking, where the program has set up no telemetry."""

    @pytest.fixture
    def transport(self, place: MemoryPlace) -> Transport:
        """Return the transport under contract."""
        return traced(FakeTransport(place.handle))


class TestTracedAtTikTok(TikTokContract):
    """Under the client's whole work, in memory."""

    @pytest.fixture
    def transport(self, sim: SimulatedTikTok) -> Transport:
        """Return the transport under contract."""
        return traced(FakeTransport(sim.handle), **recording())


class TestTracedSystemClock(ClockContract):
    """The machine's clock, blocking."""

    @pytest.fixture
    def clock(self) -> Clock:
        """Return the clock under contract."""
        return traced(SystemClock(), **recording())


class TestTracedAsyncioClock(ClockContract):
    """The machine's clock, awaited."""

    @pytest.fixture
    def clock(self) -> AsyncClock:
        """Return the clock under contract."""
        return traced(AsyncioClock(), **recording())


class TestTracedManualClock(ClockContract):
    """The virtual clock."""

    @pytest.fixture
    def clock(self) -> Clock:
        """Return the clock under contract."""
        return traced(ManualClock(), **recording())
