"""Every transport keeps the contract of its port, and those over sockets also keep the harder one.

What belongs here: bindings only.
"""

import ssl

import pytest

from tiktok_adapters.testing.contracts.behaviour import MemoryPlace
from tiktok_adapters.testing.contracts.tls import TlsWireContract
from tiktok_adapters.testing.contracts.transports import TransportContract
from tiktok_adapters.testing.contracts.wire import WireContract
from tiktok_adapters.transports.aiohttp import AiohttpTransport
from tiktok_adapters.transports.fake import FakeTransport
from tiktok_adapters.transports.urllib3 import Urllib3Transport


class TestUrllib3(WireContract):
    """Over urllib3, blocking."""

    @pytest.fixture
    def transport(self) -> Urllib3Transport:
        """Return the transport under contract."""
        return Urllib3Transport()


class TestAiohttp(WireContract):
    """Over aiohttp, awaited."""

    @pytest.fixture
    def transport(self) -> AiohttpTransport:
        """Return the transport under contract."""
        return AiohttpTransport()


class TestUrllib3OverTls(TlsWireContract):
    """Over urllib3 and TLS, blocking."""

    @pytest.fixture
    def transport(self, ssl_context: ssl.SSLContext) -> Urllib3Transport:
        """Return the transport under contract."""
        return Urllib3Transport(ssl_context=ssl_context)


class TestAiohttpOverTls(TlsWireContract):
    """Over aiohttp and TLS, awaited."""

    @pytest.fixture
    def transport(self, ssl_context: ssl.SSLContext) -> AiohttpTransport:
        """Return the transport under contract."""
        return AiohttpTransport(ssl_context=ssl_context)


class TestFake(TransportContract):
    """In memory, blocking."""

    @pytest.fixture
    def transport(self, place: MemoryPlace) -> FakeTransport:
        """Return the transport under contract."""
        return FakeTransport(place.handle)
