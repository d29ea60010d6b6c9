"""A server that speaks TLS, and who trusts it."""

import ssl
from collections.abc import Iterator

import pytest
import trustme

from tiktok_adapters.testing.contracts.behaviour import BehaviourServer
from tiktok_adapters.testing.contracts.tls import server_context


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """Return the authority that is trusted."""
    return trustme.CA()


@pytest.fixture
def context(authority: trustme.CA) -> ssl.SSLContext:
    """Return a context that trusts it."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture
def server(authority: trustme.CA) -> Iterator[BehaviourServer]:
    """Return a server that can be trusted."""
    with BehaviourServer(tls=server_context(authority.issue_cert("127.0.0.1"))) as server:
        yield server
