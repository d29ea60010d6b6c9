"""Every transport carries the client's whole work, as the simulated TikTok sees it.

What belongs here: bindings only.
"""

import ssl

import pytest

from tiktok_adapters.simulator import SimulatedTikTok
from tiktok_adapters.testing.contracts.tiktok import TikTokContract
from tiktok_adapters.testing.contracts.tls import TlsTikTokContract
from tiktok_adapters.transports.aiohttp import AiohttpTransport
from tiktok_adapters.transports.fake import FakeTransport
from tiktok_adapters.transports.urllib3 import Urllib3Transport


class TestUrllib3(TikTokContract):
    """Over urllib3, blocking."""

    @pytest.fixture
    def transport(self) -> Urllib3Transport:
        """Return the transport under contract."""
        return Urllib3Transport()


class TestAiohttp(TikTokContract):
    """Over aiohttp, awaited."""

    @pytest.fixture
    def transport(self) -> AiohttpTransport:
        """Return the transport under contract."""
        return AiohttpTransport()


class TestUrllib3OverTls(TlsTikTokContract):
    """Over urllib3 and TLS, blocking."""

    @pytest.fixture
    def transport(self, ssl_context: ssl.SSLContext) -> Urllib3Transport:
        """Return the transport under contract."""
        return Urllib3Transport(ssl_context=ssl_context)


class TestAiohttpOverTls(TlsTikTokContract):
    """Over aiohttp and TLS, awaited."""

    @pytest.fixture
    def transport(self, ssl_context: ssl.SSLContext) -> AiohttpTransport:
        """Return the transport under contract."""
        return AiohttpTransport(ssl_context=ssl_context)


class TestFake(TikTokContract):
    """In memory, blocking."""

    @pytest.fixture
    def transport(self, sim: SimulatedTikTok) -> FakeTransport:
        """Return the transport under contract."""
        return FakeTransport(sim.handle)
