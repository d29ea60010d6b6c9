"""The contract of transports under TLS: all promises that hold without TLS, and the servers that a transport must not trust.

What belongs here: good and bad certificates, made by trustme. The good ones are made once for all tests.
"""

import socket
import ssl
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final

import pytest
import trustme

from tiktok_adapters.simulator import SimulatedTikTok
from tiktok_adapters.simulator.server import SandboxServer
from tiktok_adapters.testing.contracts import Run
from tiktok_adapters.testing.contracts.behaviour import BehaviourServer
from tiktok_adapters.testing.contracts.tiktok import TikTokContract
from tiktok_adapters.testing.contracts.transports import SECRET, AnyTransport
from tiktok_adapters.testing.contracts.wire import PATIENCE, WireContract
from tiktok_core.errors import NotSent, TransportError
from tiktok_core.wire.http import Request

__all__ = ["BAD_SERVERS", "CUTS", "TlsTikTokContract", "TlsWireContract", "cutting", "server_context"]

HOST: Final = "127.0.0.1"
DAY: Final = timedelta(days=1)


def server_context(certificate: "trustme.LeafCert | None" = None) -> ssl.SSLContext:
    """Return a server's TLS settings."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if certificate is not None:
        certificate.configure_cert(context)
    return context


def _unknown(_authority: trustme.CA) -> ssl.SSLContext:
    return server_context(trustme.CA().issue_cert(HOST))


def _self_signed(_authority: trustme.CA) -> ssl.SSLContext:
    context, own = server_context(), trustme.CA()
    with own.private_key_pem.tempfile() as key, own.cert_pem.tempfile() as certificate:
        context.load_cert_chain(certificate, key)
    return context


def _another_host(authority: trustme.CA) -> ssl.SSLContext:
    return server_context(authority.issue_cert("elsewhere.example"))


def _another_address(authority: trustme.CA) -> ssl.SSLContext:
    return server_context(authority.issue_cert("127.0.0.2"))


def _expired(authority: trustme.CA) -> ssl.SSLContext:
    now = datetime.now(UTC)
    return server_context(authority.issue_cert(HOST, not_before=now - 2 * DAY, not_after=now - DAY))


def _not_yet(authority: trustme.CA) -> ssl.SSLContext:
    now = datetime.now(UTC)
    return server_context(authority.issue_cert(HOST, not_before=now + DAY, not_after=now + 2 * DAY))


def _old(version: ssl.TLSVersion) -> Callable[[trustme.CA], ssl.SSLContext]:
    def made(authority: trustme.CA) -> ssl.SSLContext:
        context = server_context(authority.issue_cert(HOST))
        context.set_ciphers("ALL:@SECLEVEL=0")  # OpenSSL refuses this version otherwise.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = context.maximum_version = version
        return context

    return made


BAD_SERVERS: Final[dict[str, Callable[[trustme.CA], ssl.SSLContext]]] = {
    "unknown authority": _unknown,
    "self-signed": _self_signed,
    "another host": _another_host,
    "another address": _another_address,
    "expired": _expired,
    "not valid yet": _not_yet,
    "TLS 1.0": _old(ssl.TLSVersion.TLSv1),
    "TLS 1.1": _old(ssl.TLSVersion.TLSv1_1),
}
"""Servers that a transport must not trust, by their fault."""
CUTS: Final[dict[str, bytes | None]] = {
    "at once": None,
    "after the greeting": b"",
    "within a record": b"\x16\x03\x03\x00\x7a\x02\x00",
    "with an alert": b"\x15\x03\x03\x00\x02\x02\x28",
}
"""Where a handshake may break off, and the bytes that the server sends before that."""
"""What a server sends before it closes the connection. With None it does not even read the client's first message."""


@contextmanager
def cutting(says: bytes | None) -> Iterator[tuple[str, list[bytes]]]:
    """Run a server that closes connections during the handshake. Give its URL, and the bytes it got on each connection."""
    heard: list[bytes] = []
    with socket.create_server((HOST, 0)) as listener:

        def serve() -> None:
            with suppress(OSError):  # The listener is closed.
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        heard.append(b"" if says is None else connection.recv(65536))
                        connection.sendall(says or b"")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"https://{HOST}:{listener.getsockname()[1]}", heard
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


@cache
def _authority() -> trustme.CA:
    return trustme.CA()


@cache
def _trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@cache
def _trusted(authority: trustme.CA) -> ssl.SSLContext:
    return server_context(authority.issue_cert(HOST))


class Trust:
    """The common part of both contracts: an authority, and a server's certificate from it."""

    @pytest.fixture
    def authority(self) -> trustme.CA:
        """Return the authority that the transport trusts."""
        return _authority()

    @pytest.fixture
    def ssl_context(self, authority: trustme.CA) -> ssl.SSLContext:
        """Return the TLS settings for the transport."""
        return _trusting(authority)

    @pytest.fixture
    def good(self, authority: trustme.CA) -> ssl.SSLContext:
        """Return the TLS settings of a trusted server."""
        return _trusted(authority)


class TlsTikTokContract(Trust, TikTokContract):
    """Bind it with the fixture `transport`, made from the fixture `ssl_context`. It needs aiohttp and trustme."""

    @pytest.fixture
    def sandbox(self, sim: SimulatedTikTok, good: ssl.SSLContext) -> Iterator[SandboxServer]:
        """Return the server of the simulated TikTok."""
        with SandboxServer(sim, tls=good).run_in_thread() as server:
            yield server


class TlsWireContract(Trust, WireContract):
    """Bind it with the fixture `transport`, made from the fixture `ssl_context`. It needs trustme."""

    @pytest.fixture
    def place(self, good: ssl.SSLContext) -> Iterator[BehaviourServer]:
        """Return the server of the tests."""
        with BehaviourServer(tls=good) as server:
            yield server

    @pytest.fixture
    def narrow_place(self, good: ssl.SSLContext) -> Iterator[BehaviourServer]:
        """Return a server with small buffers, as at the end of a real line."""
        with BehaviourServer(tls=good, narrow=True) as server:
            yield server

    @pytest.mark.parametrize("server", BAD_SERVERS.values(), ids=BAD_SERVERS)
    def test_a_server_that_cannot_be_trusted_gets_nothing(
        self, http: AnyTransport, authority: trustme.CA, run: Run, server: Callable[[trustme.CA], ssl.SSLContext]
    ) -> None:
        """With a wrong certificate or an old TLS the result is `NotSent`. The transport tries once, and never without TLS."""
        with BehaviourServer(tls=server(authority)) as bad:
            with pytest.raises(NotSent) as caught:
                run(http.send(self.upload(bad.base_url)))
            self.check_is_ours(caught.value)
            assert bad.connections == 1
        assert bad.seen == []

    @pytest.mark.parametrize("says", CUTS.values(), ids=CUTS)
    def test_a_handshake_that_is_cut_is_not_sent(self, http: AnyTransport, run: Run, says: bytes | None) -> None:
        """If a server closes the connection during the handshake, nothing is sent to it, and not without TLS either."""
        with cutting(says) as (url, heard):
            with pytest.raises(NotSent) as caught:
                run(http.send(self.upload(url)))
            self.check_is_ours(caught.value)
        assert len(heard) == 1
        assert heard[0][:1] in {b"", b"\x16"}

    def test_a_handshake_that_does_not_end_is_not_waited_for(self, http: AnyTransport, run: Run) -> None:
        """A server that accepts a connection and stays silent blocks the caller no longer than `timeout`."""
        with socket.create_server((HOST, 0)) as silent, pytest.raises(NotSent):
            run(http.send(self.upload(f"https://{HOST}:{silent.getsockname()[1]}", timeout=PATIENCE)))

    def test_trust_in_one_server_is_no_trust_in_another(
        self, http: AnyTransport, place: BehaviourServer, authority: trustme.CA, run: Run
    ) -> None:
        """An open connection to a trusted server does not make the transport trust another server, before or after."""
        assert run(http.send(self.upload(place.base_url))).status == 201
        with BehaviourServer(tls=_another_host(authority)) as bad, pytest.raises(TransportError):
            run(http.send(self.upload(bad.base_url)))
        assert run(http.send(self.upload(place.base_url))).status == 201

    def upload(self, base_url: str, *, timeout: float = 5) -> Request:
        """Return a request that carries a secret."""
        return Request(
            method="PUT", url=f"{base_url}/status/201?upload_token={SECRET}", body=SECRET.encode(), timeout=timeout
        )
