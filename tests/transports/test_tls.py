"""What the transports say about a server that they do not trust, and which servers a program can make them trust.

What belongs here: error messages and arguments. The contract, which also runs over TLS, tests that nothing is sent.
"""

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from tiktok_adapters.sources import BytesSource
from tiktok_adapters.testing.contracts.behaviour import BehaviourServer
from tiktok_adapters.testing.contracts.tls import BAD_SERVERS, CUTS, cutting
from tiktok_adapters.transports.aiohttp import AiohttpTransport
from tiktok_adapters.transports.tls import tls_fault
from tiktok_adapters.transports.urllib3 import Urllib3Transport
from tiktok_core.errors import NotSent, TransportError
from tiktok_core.wire.http import BLOCK, FileSlice, Request, Response

Kind = type[Urllib3Transport] | type[AiohttpTransport]

CUT = "the connection broke during the TLS handshake"
OWN = "if it is your organization's own, name the authority's PEM file as ca_file"
REASONS = {
    "unknown authority": f"the server's certificate was refused: this machine does not trust its authority; {OWN}",
    "self-signed": f"the server's certificate was refused: it is self-signed, and this machine does not trust it; {OWN}",
    "another host": "the server's certificate was refused: it was issued for another address",
    "another address": "the server's certificate was refused: it was issued for another address",
    "expired": "the server's certificate was refused: it has expired, or this machine's clock is wrong",
    "not valid yet": "the server's certificate was refused: it is not valid yet, or this machine's clock is wrong",
    "TLS 1.0": "the server supports no safe version of TLS: it needs TLS 1.2 or newer",
    "TLS 1.1": "the server supports no safe version of TLS: it needs TLS 1.2 or newer",
}
both = pytest.mark.parametrize("kind", [Urllib3Transport, AiohttpTransport])


def talk(kind: Kind, requests: list[Request], **options: Any) -> list[Response | TransportError]:
    """Send one request after the other through one transport, and return the result of each."""

    async def main() -> list[Response | TransportError]:
        http, outcomes = kind(**options), []
        for request in requests:
            try:
                sent = http.send(request)
                outcomes.append(await sent if not isinstance(sent, Response) else sent)
            except TransportError as error:
                outcomes.append(error)
        if (closed := http.close()) is not None:
            await closed
        return outcomes

    return asyncio.run(main())


def get(url: str) -> Request:
    """Return a request without a body."""
    return Request(method="GET", url=url, timeout=5)


# --- What the errors say ---------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("fault", BAD_SERVERS)
def test_what_is_wrong_with_a_server_is_said(
    kind: Kind, fault: str, authority: trustme.CA, context: ssl.SSLContext
) -> None:
    """The sentence names the fault, in the same words with both clients."""
    with BehaviourServer(tls=BAD_SERVERS[fault](authority)) as bad:
        (outcome,) = talk(kind, [get(f"{bad.base_url}/echo?token=1")], ssl_context=context)
        assert isinstance(outcome, NotSent)
        assert str(outcome) == f"GET {bad.base_url}/echo: {REASONS[fault]}."


@both
def test_a_certificate_for_another_name_is_said(kind: Kind, authority: trustme.CA, context: ssl.SSLContext) -> None:
    """The client asks for a host by its name, not by its address."""
    with BehaviourServer(tls=BAD_SERVERS["another host"](authority)) as bad:
        url = bad.base_url.replace("127.0.0.1", "localhost")
        (outcome,) = talk(kind, [get(url)], ssl_context=context)
    assert isinstance(outcome, NotSent)
    assert outcome.reason == "the server's certificate was refused: it was issued for another host"


@both
@pytest.mark.parametrize("says", CUTS)
def test_a_cut_handshake_is_said(kind: Kind, says: str, context: ssl.SSLContext) -> None:
    """The error tells a server that hung up in the handshake from one that cannot be reached."""
    with cutting(CUTS[says]) as (url, _):
        (outcome,) = talk(kind, [get(url)], ssl_context=context)
    assert isinstance(outcome, NotSent)
    assert outcome.reason.startswith("the TLS handshake failed (" if says == "with an alert" else CUT)


@both
def test_a_server_without_tls_is_said(kind: Kind) -> None:
    """An https URL of a server that speaks http is the commonest mistake with one's own server."""
    with BehaviourServer() as plain:
        (outcome,) = talk(kind, [get(plain.base_url.replace("http:", "https:"))])
    assert isinstance(outcome, NotSent)
    assert outcome.reason in {"the server does not speak TLS on this port", CUT}


def test_what_has_no_sentence_of_its_own_is_told_in_openssls_words() -> None:
    """The error does not hide a fault that the library does not know."""
    refused = ssl.SSLCertVerificationError()
    refused.verify_code, refused.verify_message = 26, "unsuitable certificate purpose"
    assert tls_fault(refused) == "the server's certificate was refused: OpenSSL says: unsuitable certificate purpose"
    assert tls_fault(ssl.SSLError()) == "the TLS handshake failed"


# --- Which servers to trust ------------------------------------------------------------------------------------------


@both
def test_a_server_of_ones_own_can_be_trusted(
    kind: Kind, server: BehaviourServer, authority: trustme.CA, context: ssl.SSLContext, tmp_path: Path
) -> None:
    """A program can trust its own server by a context, or by a file with its authority. Otherwise the client refuses it."""
    request = get(f"{server.base_url}/status/200")
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    for options in ({"ssl_context": context}, {"ca_file": str(tmp_path / "authority.pem")}):
        (outcome,) = talk(kind, [request], **options)
        assert isinstance(outcome, Response)
    (outcome,) = talk(kind, [request])
    assert isinstance(outcome, NotSent)


def _trusts_anybody() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _any_name() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    return context


def _optional() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


@both
@pytest.mark.parametrize("made", [_trusts_anybody, _any_name, _optional])
def test_no_context_switches_the_checks_off(kind: Kind, made: Callable[[], ssl.SSLContext]) -> None:
    """The client refuses a context that trusts every server, where the program gives it, and says what to do instead."""
    with pytest.raises(ValueError, match=r"require a certificate.*cafile"):
        kind(ssl_context=made())


@both
def test_two_answers_to_one_question_are_refused(kind: Kind, context: ssl.SSLContext) -> None:
    """With a context and a file, the client would have to guess which of them counts."""
    with pytest.raises(ValueError, match="give one of them"):
        kind(ssl_context=context, ca_file="authority.pem")


@both
def test_the_authorities_are_loaded_once(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading them takes longer than a call. A transport loads them at its first use of TLS, and never again."""
    made: list[ssl.SSLContext] = []
    create = ssl.create_default_context

    def counted(**options: Any) -> ssl.SSLContext:
        made.append(create(**options))
        return made[-1]

    monkeypatch.setattr(ssl, "create_default_context", counted)
    with BehaviourServer() as plain:
        tls = plain.base_url.replace("http:", "https:")
        urls = [f"{plain.base_url}/status/200"]
        assert len(made) == 0
        talk(kind, [get(url) for url in urls])
        assert len(made) == 0
        talk(kind, [get(f"{tls}/{number}") for number in range(3)])
        assert len(made) == 1


# --- Over it ----------------------------------------------------------------------------------------------------------


@both
def test_one_connection_serves_many_requests(kind: Kind, server: BehaviourServer, context: ssl.SSLContext) -> None:
    """All chunks of an upload go over one connection.

    Tickets for a later session do not make the connection look used up.
    """
    body = FileSlice(BytesSource(bytes(3 * BLOCK)), 5, 2 * BLOCK)
    url = f"{server.base_url}/status/201"
    requests = [Request(method="PUT", url=url, body=body), get(url), Request(method="POST", url=url, body=b"x")]
    outcomes = talk(kind, requests * 3, ssl_context=context)
    assert [getattr(outcome, "status", outcome) for outcome in outcomes] == [201] * 9
    assert {seen.connection for seen in server.seen} == {0}


@both
def test_an_early_refusal_is_reported(kind: Kind, server: BehaviourServer, context: ssl.SSLContext) -> None:
    """A server refuses and stops reading. The client reports the refusal, and does not send the rest of the body."""
    body = FileSlice(BytesSource(bytes(16 * BLOCK)), 0, 16 * BLOCK)
    request = Request(method="PUT", url=f"{server.base_url}/early-open", body=body, timeout=0.5)
    (outcome,) = talk(kind, [request], ssl_context=context)
    assert isinstance(outcome, Response)
    assert (outcome.status, outcome.body) == (403, b"too early")


@both
def test_a_connection_that_the_server_ended_is_not_used_again(
    kind: Kind, server: BehaviourServer, context: ssl.SSLContext
) -> None:
    """The transport finds the end of an idle connection before it sends the next request on it."""
    hang_up, good = get(f"{server.base_url}/hang-up"), get(f"{server.base_url}/status/200")

    async def main() -> list[Response]:
        http = kind(ssl_context=context)
        answers = []
        for request in (hang_up, good):
            sent = http.send(request)
            answers.append(await sent if not isinstance(sent, Response) else sent)
            await asyncio.sleep(0.05)
        if (closed := http.close()) is not None:
            await closed
        return answers

    assert [answer.status for answer in asyncio.run(main())] == [200, 200]
    assert server.connections == 2
