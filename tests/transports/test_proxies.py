"""The transports behind a proxy: what the proxy gets, what its failures mean, and which hosts are called without it.

What belongs here: the same tests for both transports, with a real proxy that fails as a test tells it to.
"""

import asyncio
import base64
import logging
import pickle
import socket
import ssl
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
import trustme

from crash_report import shown as in_a_crash_report
from tiktok_adapters.sources import BytesSource
from tiktok_adapters.testing.contracts.behaviour import BehaviourServer
from tiktok_adapters.testing.contracts.tls import server_context
from tiktok_adapters.testing.tunnel import ConnectProxy
from tiktok_adapters.transports.aiohttp import AiohttpTransport
from tiktok_adapters.transports.proxies import Proxy
from tiktok_adapters.transports.urllib3 import Urllib3Transport
from tiktok_core.errors import Interrupted, InvalidSettings, NotSent, TimedOut, TransportError
from tiktok_core.wire.http import BLOCK, FileSlice, Request, Response

Kind = type[Urllib3Transport] | type[AiohttpTransport]

PASSWORD = "canary-4711"
USER = f"me:{PASSWORD}"
TOKEN = "canary-4712"
FILM = FileSlice(BytesSource(bytes(4 * BLOCK)), 0, 4 * BLOCK)

both = pytest.mark.parametrize("kind", [Urllib3Transport, AiohttpTransport])


def talk(kind: Kind, requests: list[Request], **options: Any) -> list[Response | TransportError]:
    """Send one request after the other through one transport, and return the result of each."""

    async def main() -> list[Response | TransportError]:
        http, outcomes = kind(**options), []
        assert PASSWORD not in repr(http) + repr(vars(http))
        for request in requests:
            try:
                sent = http.send(request)
                outcomes.append(await sent if not isinstance(sent, Response) else sent)
            except TransportError as error:
                shown = "".join(traceback.format_exception(error)) + repr(error) + repr(pickle.dumps(error))
                reported = in_a_crash_report(error, {PASSWORD, TOKEN})
                assert PASSWORD not in shown
                assert TOKEN not in shown
                assert base64.b64encode(PASSWORD.encode()).decode() not in shown
                assert not reported
                outcomes.append(error)
        if (closed := http.close()) is not None:
            await closed
        return outcomes

    return asyncio.run(main())


@pytest.fixture(autouse=True)
def _nothing_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Assert after every test that no log, of any level, has a password or a token."""
    caplog.set_level(logging.DEBUG)
    yield
    logged = "".join(record.getMessage() for record in caplog.get_records("call"))
    assert PASSWORD not in logged
    assert TOKEN not in logged
    assert base64.b64encode(f"me:{PASSWORD}".encode()).decode() not in logged


def without_user(proxy: ConnectProxy) -> str:
    """Return the URL of the proxy as errors show it."""
    return proxy.url.replace(f"{USER}@", "")


def put(server: BehaviourServer, path: str = "/status/201", **options: Any) -> Request:
    """Return a request that carries a secret in its URL and in a header."""
    url = f"{server.base_url}{path}?upload_token={TOKEN}"
    headers = {"Authorization": f"Bearer {TOKEN}"}
    return Request(method="PUT", url=url, headers=headers, **{"body": b"video", "timeout": 2, **options})


# --- A tunnel ---------------------------------------------------------------------------------------------------------


@both
def test_tls_goes_through_a_tunnel(kind: Kind, server: BehaviourServer, context: ssl.SSLContext) -> None:
    """The proxy gets a host, a port and its own password. It cannot read what passes through the tunnel."""
    with ConnectProxy(user=USER) as proxy:
        outcomes = talk(kind, [put(server), put(server, body=FILM)], proxy=proxy.url, ssl_context=context)
        assert [getattr(outcome, "status", outcome) for outcome in outcomes] == [201, 201]
        (head,) = proxy.heads  # One tunnel for all requests.
    port = server.base_url.rpartition(":")[2]
    assert head.startswith(f"CONNECT 127.0.0.1:{port} HTTP/1.")
    assert f"Proxy-Authorization: Basic {base64.b64encode(f'me:{PASSWORD}'.encode()).decode()}" in head
    assert TOKEN not in head
    assert TOKEN.encode() not in proxy.came
    assert server.seen[0].header("proxy-authorization") is None
    assert server.seen[1].body == b"".join(FILM.blocks())


@both
def test_a_fresh_connection_is_a_tunnel_of_its_own(
    kind: Kind, server: BehaviourServer, context: ssl.SSLContext
) -> None:
    """A new tunnel cannot break as an idle one can, so the outcome is not in doubt."""
    with ConnectProxy(user=USER) as proxy:
        requests = [put(server), put(server, fresh_connection=True), put(server, fresh_connection=True)]
        outcomes = talk(kind, requests, proxy=proxy.url, ssl_context=context)
        assert [getattr(outcome, "status", outcome) for outcome in outcomes] == [201] * 3
        assert len(proxy.heads) == 3


@both
def test_a_certificate_is_checked_through_a_tunnel(kind: Kind, context: ssl.SSLContext) -> None:
    """A proxy that puts itself in the middle shows its own certificate instead of the server's, and the client refuses it."""
    with (
        ConnectProxy(user=USER) as proxy,
        BehaviourServer(tls=server_context(trustme.CA().issue_cert("127.0.0.1"))) as foreign,
    ):
        (outcome,) = talk(kind, [put(foreign)], proxy=proxy.url, ssl_context=context)
        assert isinstance(outcome, NotSent)
        assert "this machine does not trust its authority; if it is your organization's own" in outcome.reason
        assert outcome.reason.endswith(f"(the connection goes through the proxy {without_user(proxy)})")
    assert foreign.seen == []


# --- Before there is one ----------------------------------------------------------------------------------------------


REFUSALS = {
    b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n": (
        "the proxy {} wants a user name and a password, or refused those it was given (HTTP 407)"
    ),
    b"HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\nnever": "the proxy {} refused to open a tunnel (HTTP 403)",
    b"HTTP/1.0 502 Bad Gateway\r\n\r\n": "the proxy {} refused to open a tunnel (HTTP 502)",
    b"220 ready for mail\r\n\r\n": "the proxy {} did not answer in HTTP",
    b"HTTP/1.1 200 OK": "the proxy {} closed the connection before the tunnel was open",
    b"": "the proxy {} closed the connection before the tunnel was open",
}


@both
@pytest.mark.parametrize("says", REFUSALS)
def test_a_refused_tunnel_is_not_sent(
    kind: Kind, server: BehaviourServer, context: ssl.SSLContext, says: bytes
) -> None:
    """Any answer of the proxy but success means that nothing has left.

    The client asks once, and does not bypass the proxy.
    """
    with ConnectProxy(user=USER, says=says) as proxy:
        (outcome,) = talk(kind, [put(server)], proxy=proxy.url, ssl_context=context)
        assert isinstance(outcome, NotSent)
        assert outcome.reason == REFUSALS[says].format(without_user(proxy))
        assert len(proxy.heads) == 1
    assert server.connections == 0


@both
def test_a_silent_proxy_is_not_waited_for(kind: Kind, server: BehaviourServer, context: ssl.SSLContext) -> None:
    """A proxy that accepts a connection and says nothing holds the caller no longer than `timeout`."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        proxy = f"http://127.0.0.1:{silent.getsockname()[1]}"
        (outcome,) = talk(kind, [put(server, timeout=0.5)], proxy=proxy, ssl_context=context)
    assert isinstance(outcome, NotSent)
    assert f"the proxy {proxy}" in outcome.reason
    assert server.connections == 0


@both
def test_a_proxy_out_of_reach_is_named(kind: Kind) -> None:
    """The error says which proxy refuses connections, or has an unknown name, and shows no password."""
    unknown = f"http://{USER}@proxy.invalid:3128"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        closed = f"127.0.0.1:{taken.getsockname()[1]}"
    request = Request(method="GET", url="https://tiktok.invalid/", timeout=5)
    (outcome,) = talk(kind, [request], proxy=f"http://{USER}@{closed}")
    assert isinstance(outcome, NotSent)
    assert outcome.reason == f"the proxy http://{closed} refused the connection or is out of reach"
    (outcome,) = talk(kind, [request], proxy=unknown)
    assert isinstance(outcome, NotSent)
    assert outcome.reason == "the name of the proxy http://proxy.invalid:3128 was not found"


@both
def test_a_tunnel_that_ends_in_the_handshake_is_not_sent(
    kind: Kind, server: BehaviourServer, context: ssl.SSLContext
) -> None:
    """A proxy that dies before TLS is ready has seen nothing of the request."""
    for options in ({"dies_after": 0}, {"dies_before": 0}):
        with ConnectProxy(user=USER, **options) as proxy:
            (outcome,) = talk(kind, [put(server)], proxy=proxy.url, ssl_context=context)
            assert isinstance(outcome, NotSent)
            assert outcome.reason.startswith(
                "the connection broke during the TLS handshake (the connection goes through"
            )
    assert server.seen == []


# --- In mid-tunnel ----------------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("megabytes", [0.5, 2.5])
def test_a_tunnel_that_dies_under_a_request_is_interrupted(
    kind: Kind, server: BehaviourServer, context: ssl.SSLContext, megabytes: float
) -> None:
    """Once a byte has passed, the outcome is in doubt.

    The transport does not send the request again, and the next one succeeds.
    """
    with ConnectProxy(user=USER, dies_after=int(megabytes * BLOCK)) as proxy:
        outcomes = talk(kind, [put(server, body=FILM), put(server)], proxy=proxy.url, ssl_context=context)
        assert isinstance(outcomes[0], Interrupted)
        assert not isinstance(outcomes[0], TimedOut)
    assert len(server.seen) == 1


@both
@pytest.mark.parametrize("path", ["/large/900000", "/close-after-body"])
def test_a_tunnel_that_dies_under_an_answer_is_interrupted(
    kind: Kind, server: BehaviourServer, context: ssl.SSLContext, path: str
) -> None:
    """The server has handled the request, and the client does not get the answer. The transport does not send it again."""
    with ConnectProxy(user=USER, dies_before=200_000) as proxy:
        (outcome,) = talk(kind, [put(server, path)], proxy=proxy.url, ssl_context=context)
        assert isinstance(outcome, Interrupted)
        assert len(proxy.heads) == 1
    assert len(server.seen) == 1


# --- Which hosts are called without it --------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("exception", ["127.0.0.1", "127.0.0.0/8", "*", "127.0.0.1:{port}"])
def test_an_excepted_host_is_called_without_the_proxy(
    kind: Kind, server: BehaviourServer, context: ssl.SSLContext, exception: str
) -> None:
    """The same transport calls some hosts through the proxy and others directly."""
    exception = exception.format(port=server.base_url.rpartition(":")[2])
    with ConnectProxy(user=USER) as proxy:
        chosen = Proxy.parsed(proxy.url, exception)
        (outcome,) = talk(kind, [put(server)], proxy=chosen, ssl_context=context)
        assert isinstance(outcome, Response)
        assert proxy.heads == []


@pytest.mark.parametrize(
    ("exception", "host", "excepted"),
    [
        ("tiktokapis.com", "open.tiktokapis.com", True),
        ("tiktokapis.com", "tiktokapis.com", True),
        (".tiktokapis.com", "Open.TikTokAPIs.com.", True),
        ("tiktokapis.com", "nottiktokapis.com", False),
        ("open.tiktokapis.com:443", "open.tiktokapis.com", True),
        ("open.tiktokapis.com:8443", "open.tiktokapis.com", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.0.0.0/8", "ten.example", False),
        ("::1", "::1", True),
        ("[::1]:443", "::1", True),
        ("[::1]:444", "::1", False),
        ("fd00::/8", "fd00::5", True),
        ("*", "anything.example", True),
        ("", "open.tiktokapis.com", False),
        (".", "open.tiktokapis.com", False),
    ],
)
def test_exceptions_are_read_as_other_programs_read_them(exception: str, host: str, excepted: bool) -> None:
    """A name stands for itself and all names that end in it, a network for all its addresses, and a port only for itself."""
    assert Proxy.parsed("http://proxy:3128", exception).serves(host, 443) is not excepted


# --- The environment --------------------------------------------------------------------------------------------------


def test_the_environment_can_name_a_proxy() -> None:
    """`HTTPS_PROXY` comes before `ALL_PROXY`, and the lower-case spelling first. Without a variable there is no proxy."""
    assert Proxy.named_by({}) is None
    assert Proxy.named_by({"HTTPS_PROXY": "", "HTTP_PROXY": "http://plain:1"}) is None
    assert (all_ := Proxy.named_by({"ALL_PROXY": "http://all:1"})) is not None
    assert all_.url == "http://all:1"
    surroundings = {"ALL_PROXY": "http://all:1", "HTTPS_PROXY": "http://upper:2", "https_proxy": "me:word@lower:3"}
    assert (found := Proxy.named_by(surroundings)) is not None
    assert (found.host, found.port) == ("lower", 3)
    assert found.headers == {"Proxy-Authorization": f"Basic {base64.b64encode(b'me:word').decode()}"}
    assert "word" not in repr(found)


def test_the_environment_can_except_hosts() -> None:
    """`NO_PROXY` is a list with commas or blanks. The client never calls this machine through a proxy."""
    found = Proxy.named_by({"HTTPS_PROXY": "http://proxy:1", "NO_PROXY": "corp.example, 10.0.0.0/8 .lan"})
    assert found is not None
    direct = ["corp.example", "a.corp.example", "10.9.9.9", "nas.lan", "localhost", "127.0.0.1", "127.9.9.9", "::1"]
    assert [host for host in direct if found.serves(host, 443)] == []
    assert found.serves("open.tiktokapis.com", 443)


def test_the_password_of_an_environment_may_be_any_bytes() -> None:
    """The password is sent byte for byte, also if the environment is not UTF-8."""
    found = Proxy.named_by({"HTTPS_PROXY": b"http://me:p\xe9@proxy:1".decode("utf-8", "surrogateescape")})
    assert found is not None
    assert found.headers == {"Proxy-Authorization": f"Basic {base64.b64encode(b'me:p' + bytes([0xE9])).decode()}"}
    with pytest.raises(ValueError, match="half of a character"):
        Proxy.parsed("http://me:p\ud800@proxy:1")


@pytest.mark.parametrize("scheme", ["socks5", "socks4a", "https"])
def test_a_proxy_of_another_kind_is_told_which_is_supported(scheme: str) -> None:
    """The error names the only scheme that is supported, and the one that was given; it quotes no unknown word."""
    with pytest.raises(InvalidSettings, match=f"http is the only scheme supported, not {scheme}$"):
        Proxy.named_by({"ALL_PROXY": f"{scheme}://proxy:1080"})
    with pytest.raises(InvalidSettings, match=r"http is the only scheme supported$") as caught:
        Proxy.named_by({"ALL_PROXY": f"{PASSWORD}://proxy:1080"})
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize("value", [f"socks5://me:{PASSWORD}@h:1", f"https://{PASSWORD}@h", "http://h:port", "http://["])
def test_a_proxy_in_the_environment_that_cannot_be_used_is_named(value: str) -> None:
    """The error names the variable and does not show its value, which may have a password."""
    with pytest.raises(InvalidSettings, match="https_proxy: cannot be used") as caught:
        Proxy.named_by({"https_proxy": value})
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize("user", ["", "me:canary-4711@", "m%40e:p%3Aw%2F%25%20@", "me:@", "m%C3%BC:%FF@"])
@pytest.mark.parametrize("host", ["proxy.example.com:3128", "[2001:db8::1]:80"])
def test_a_client_of_another_library_gets_the_whole_url(user: str, host: str) -> None:
    """With user and password, percent-encoded where they have to be, and hidden from a repr."""
    proxy = Proxy.parsed(f"http://{user}{host}")
    assert Proxy.parsed(proxy.whole_url) == proxy
    assert PASSWORD not in repr(proxy.whole_url)


def test_a_proxy_may_be_an_ipv6_address() -> None:
    """The brackets of an IPv6 address belong to the URL, and not to the address."""
    proxy = Proxy.parsed("http://[::1]:3128")
    assert (proxy.host, proxy.url) == ("::1", "http://[::1]:3128")
