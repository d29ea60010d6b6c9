"""Rows 27, 28 and 42: TLS that cannot be trusted, proxies that fail, and a client used where it does not belong.

The sandbox speaks TLS here, with a certificate that a test can change. The tests of the adapters check what the error
of each fault says, and that both clients say the same.
"""

import asyncio
import os
import pickle
import ssl
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trustme
from attrs import define

from tiktok_adapters.simulator.server import SandboxServer
from tiktok_adapters.testing.tunnel import ConnectProxy
from tiktok_adapters.transports.proxies import Proxy
from tiktok_core import Misused, NotSent, Stage, StillProcessing, StoreError, TikTokError
from tiktok_core.ports import Request

AUTHORITY = trustme.CA()
GOOD = AUTHORITY.issue_cert("127.0.0.1")
PAST = datetime.now(UTC) - timedelta(days=2)
BAD = {
    "unknown": trustme.CA().issue_cert("127.0.0.1"),
    "another host": AUTHORITY.issue_cert("elsewhere.example"),
    "expired": AUTHORITY.issue_cert("127.0.0.1", not_before=PAST, not_after=PAST + timedelta(days=1)),
}
CHUNK = 5_242_880
CERTIFICATE = "the server's certificate was refused"


@define
class TlsFront:
    """The sandbox behind TLS; each new connection gets the current certificate."""

    url: str
    context: ssl.SSLContext

    def show(self, certificate: trustme.LeafCert) -> None:
        """Use this certificate for new connections."""
        certificate.configure_cert(self.context)

    def sign_itself(self) -> None:
        """Use a certificate that signs itself."""
        own = trustme.CA()
        with own.private_key_pem.tempfile() as key, own.cert_pem.tempfile() as certificate:
            self.context.load_cert_chain(certificate, key)

    def speak(self, version: ssl.TLSVersion) -> None:
        """Use only this version of TLS, which OpenSSL would not do by itself."""
        self.context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            self.context.minimum_version = self.context.maximum_version = version


FAULTS: dict[str, tuple[Callable[[TlsFront], None], str]] = {
    **{name: (lambda front, bad=bad: front.show(bad), CERTIFICATE) for name, bad in BAD.items()},  # type: ignore[misc]
    "self-signed": (TlsFront.sign_itself, CERTIFICATE),
    "TLS 1.0": (lambda front: front.speak(ssl.TLSVersion.TLSv1), "during the TLS handshake"),
}
REFUSALS = {
    "407": (b"HTTP/1.1 407 Proxy Authentication Required", " wants a user name and a password"),
    "403": (b"HTTP/1.1 403 Forbidden", " refused to open a tunnel (HTTP 403)"),
    "502": (b"HTTP/1.1 502 Bad Gateway", " refused to open a tunnel (HTTP 502)"),
}


@contextmanager
def _front(sim: Any) -> Iterator[TlsFront]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    GOOD.configure_cert(context)
    with SandboxServer(sim, tls=context).run_in_thread() as server:
        yield TlsFront(server.url, context)


@pytest.fixture
def new_front() -> Callable[[Any], Any]:
    """Put TLS in front of TikTok."""
    return _front


def through(bench: Any, **options: Any) -> None:
    """Give the bench a transport with these options that trusts the sandbox's authority."""
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    bench.run(bench.way.inner.close())
    bench.way.inner = type(bench.way.inner)(ssl_context=context, **options)


def gets_nothing(bench: Any, operation: Any, spoil: Callable[[], None], words: str) -> None:
    """For any call, the server gets nothing, with TLS or without. The error names the certificate or the handshake."""
    bench.way.alone = True
    bench.when(operation, spoil)
    already = bench.sim.count(operation.where)
    end = bench.outcome(operation.ask)
    assert type(end) is NotSent
    assert words in str(end)
    assert bench.sim.count(operation.where) - already == operation.nth - 1
    bench.check_posts()


@pytest.mark.parametrize("fault", FAULTS)
def test_row_27_a_server_that_cannot_be_trusted_gets_nothing(bench: Any, operation: Any, fault: str) -> None:
    """Whatever was asked: nothing reaches it, with TLS or without, and the error names the certificate, or the handshake."""
    through(bench)
    spoil, words = FAULTS[fault]
    gets_nothing(bench, operation, lambda: spoil(bench.front), words)


def test_row_27_a_post_goes_on_when_the_certificate_is_mended(bench: Any, step: Any) -> None:
    """A certificate expires at any step of a post. Once it is renewed, the same key continues the post, with every byte."""
    through(bench)
    bench.way.alone = True
    bench.when(step, lambda: bench.front.show(BAD["expired"]))
    assert type(bench.outcome(step.ask)) is NotSent
    bench.front.show(GOOD)
    bench.clock.advance(60)
    bench.check_end(bench.outcome(step.ask), None)
    bench.check_posts()
    assert len([post for post in bench.sim.posts if post.urls or post.bytes_received == post.size]) == 1


@pytest.mark.parametrize("refusal", REFUSALS)
def test_row_28_a_proxy_that_refuses_is_told(bench: Any, operation: Any, refusal: str) -> None:
    """Without a tunnel nothing is in doubt.

    TikTok gets nothing, no request bypasses the proxy, and the error says what the proxy wants.
    """
    with ConnectProxy() as proxy:
        through(bench, proxy=proxy.url)
        head, words = REFUSALS[refusal]
        refuse = lambda: setattr(proxy, "says", head + b"\r\nContent-Length: 0\r\n\r\n")  # noqa: E731
        gets_nothing(bench, operation, refuse, words)


@pytest.mark.parametrize("amount", [100_000, 3_000_000, 5_300_000])
def test_row_28_a_proxy_that_dies_under_a_chunk_loses_nothing(bench: Any, amount: int) -> None:
    """A tunnel breaks within a chunk, which is a doubt.

    The client asks TikTok for its offset, and each byte arrives once.
    """
    with ConnectProxy() as proxy:
        through(bench, proxy=proxy.url)

        def dies() -> None:
            proxy.dies_after = len(proxy.came) + amount

        def lives() -> None:
            proxy.dies_after = None

        bench.way.when("put", dies)
        bench.way.when("status", lives)
        bench.post_film()
        assert len(proxy.heads) >= 2
    assert len(bench.inits) == 1


def test_row_28_what_is_excepted_goes_around_the_proxy(bench: Any) -> None:
    """An unusable proxy does not affect a host that the client calls without it."""
    through(bench, proxy=Proxy.parsed("http://127.0.0.1:9", "127.0.0.1"))
    bench.post_film()


MISUSES: dict[str, tuple[str, str, Callable[[], Any]]] = {
    # The transport's attribute that the mistake of the program changes. In a real one, the stores might refuse first.
    "forked": ("_pid", "belongs to another process: make a new client", lambda: -1),
    "closed": ("_closed", "the transport is closed", lambda: True),
    "second loop": ("_loop", "belongs to another event loop: make a client", asyncio.new_event_loop),
}


@pytest.mark.parametrize("mistake", ["forked", "closed"])
def test_row_42_a_misused_client_ends_each_call_at_once(bench: Any, operation: Any, mistake: str) -> None:
    """The client tries no second time, the journal says what is true, and a client that is used well goes on from there."""
    check_misuse(bench, operation, mistake)


def test_row_42_a_client_in_another_event_loop_ends_each_call_at_once(open_bench: Any, operation: Any) -> None:
    """The same for the loop, to which only an asynchronous client belongs."""
    with open_bench("aiohttp") as bench:
        check_misuse(bench, operation, "second loop")


def check_misuse(bench: Any, operation: Any, mistake: str) -> None:
    """Misuse the client just before this operation's request, and use it well afterwards."""
    through(bench)
    attribute, words, make = MISUSES[mistake]
    inner, other = bench.way.inner, make()
    good = getattr(inner, attribute)
    already, slept = bench.sim.count(operation.where), bench.clock.slept
    bench.when(operation, lambda: setattr(inner, attribute, other))
    with pytest.raises(Misused, match=words):
        bench.run(operation.ask(bench))
    assert bench.sim.count(operation.where) == already + operation.nth - 1
    assert bench.way.sent.count(operation.where) == operation.nth
    assert bench.clock.slept == slept
    for record in bench.journal.records():
        if operation.where == "put":
            assert (record.stage, record.offset) == (Stage.UPLOADING, (operation.nth - 1) * CHUNK)
            assert not record.last_left
        elif operation.where != "status":
            assert (record.stage, record.inits, record.lost_inits) == (Stage.PLANNED, 0, 0)
    setattr(inner, attribute, good or bench.runner.get_loop() if attribute == "_loop" else good)
    if mistake == "second loop":
        other.close()
    bench.check_end(bench.outcome(operation.ask), None)
    bench.check_posts()


def test_row_42_a_client_that_is_misused_while_it_follows_a_post_names_it(bench: Any) -> None:
    """TikTok goes on with the post. The error says so at once, and its cause is the mistake."""
    through(bench)
    bench.way.when("status", lambda: setattr(bench.way.inner, "_pid", -1))
    end = bench.outcome(lambda _: bench.post_film())
    assert isinstance(end, StillProcessing)
    assert isinstance(end.__cause__, Misused)
    assert bench.way.sent.count("status") == 1
    bench.way.inner._pid = os.getpid()
    assert bench.post_film().is_final


def test_row_42_a_client_in_another_event_loop_is_refused(bench: Any) -> None:
    """An asynchronous client belongs to the loop of its first call; a blocking one works in any thread."""
    through(bench)
    assert bench.run(bench.account.creator_info()).creator_username
    already = len(bench.sim.arrived)
    with ThreadPoolExecutor(1) as pool:
        elsewhere = pool.submit(_called, bench.account.creator_info)
        if bench.world == "asynchronous":
            with pytest.raises(
                Misused, match=r"belongs to another event loop: make a client \(or transport\) for each"
            ):
                elsewhere.result()
            assert len(bench.sim.arrived) == already
        else:
            assert elsewhere.result().creator_username


def test_row_42_a_client_closed_in_another_event_loop_closes_what_it_can(bench: Any) -> None:
    """The connections wait for their own loop, and the error says so. A blocking client is closed by any thread."""
    through(bench)
    bench.run(bench.account.creator_info())
    with ThreadPoolExecutor(1) as pool:
        closing = pool.submit(_called, bench.tiktok.close)
        if bench.world == "asynchronous":
            with pytest.raises(Misused, match="closing the transport: its connections belong to another event loop"):
                closing.result()
        else:
            closing.result()
    with pytest.raises(StoreError, match="closed"):
        bench.journal.records()
    bench.run(bench.tiktok.close())
    with pytest.raises(Misused, match="closed"):
        bench.run(bench.way.send(Request(method="GET", url=bench.front.url)))


def _called(call: Callable[[], Any]) -> Any:
    async def main() -> Any:
        made = call()
        return await made if asyncio.iscoroutine(made) else made

    return asyncio.run(main())


def test_row_42_a_client_that_was_closed_is_refused(bench: Any) -> None:
    """After closing, the client sends nothing, and the error says that it was closed."""
    through(bench)
    bench.run(bench.tiktok.close())
    end = bench.outcome(lambda made: made.account.creator_info())
    assert isinstance(end, TikTokError)
    assert "closed" in str(end)
    assert bench.sim.arrived == []


def test_row_42_a_client_is_not_pickled(bench: Any) -> None:
    """Pickling would take connections and tokens to another process, so client and account refuse it."""
    for one in (bench.tiktok, bench.account):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(one)
