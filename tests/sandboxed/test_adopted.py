"""The sandbox's server as the host of TikTok's names: connections that were accepted elsewhere, and whose upload URLs they get."""

import asyncio
import json
import socket
import ssl
from typing import Any

import pytest

from tiktok_adapters.sandboxed.authority import Authority
from tiktok_adapters.sandboxed.names import TIKTOK
from tiktok_adapters.sandboxed.passage import accepting, listening
from tiktok_adapters.simulator import SimulatedTikTok
from tiktok_adapters.simulator.server import SandboxServer
from tiktok_core.wire.http import Request

API = "open.tiktokapis.com"
INIT = "/v2/post/publish/video/init/"
POST = {
    "post_info": {"privacy_level": "SELF_ONLY"},
    "source_info": {"source": "FILE_UPLOAD", "video_size": 10, "chunk_size": 10, "total_chunk_count": 1},
}


def token(sim: SimulatedTikTok) -> str:
    """Return the access token of a new sign-in."""
    asked = (
        f"client_key={sim.app.client_key}&scope=video.publish&response_type=code&state=s"
        "&redirect_uri=https%3A%2F%2Fapp.example.com%2Fcallback%2F"
    )
    code = sim.authorize(f"https://www.tiktok.com/v2/auth/authorize/?{asked}").partition("code=")[2].partition("&")[0]
    form = (
        f"client_key={sim.app.client_key}&client_secret={sim.app.client_secret}&grant_type=authorization_code"
        f"&code={code}&redirect_uri=https%3A%2F%2Fapp.example.com%2Fcallback%2F"
    )
    headers = {"content-type": "application/x-www-form-urlencoded"}
    request = Request(method="POST", url=f"https://{API}/v2/oauth/token/", headers=headers, body=form.encode())
    return str(json.loads(sim.handle(request).body)["access_token"])


async def _told(
    sim: SimulatedTikTok,
    method: str,
    path: str,
    host: str,
    body: bytes = b"",
    *,
    plain: bool = False,
    names: Any = TIKTOK,
) -> tuple[int, bytes]:
    """Send a request to a server, over TLS on an adopted connection, or to its own port; return status and body."""
    authority = Authority()
    context = authority.context()
    trusting = ssl.create_default_context(cadata=authority.pem.decode())
    access = token(sim) if body else ""
    async with SandboxServer(sim, names=names) as server:
        listener = listening(0)

        async def adopt(connection: socket.socket) -> None:
            await server.adopt(connection, context)

        async with accepting(listener, adopt):
            port = int(server.url.rpartition(":")[2]) if plain else listener.getsockname()[1]
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=None if plain else trusting, server_hostname=None if plain else API
            )
            head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {access}\r\nContent-Type: application/json\r\n"
            writer.write(f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
            answer = await reader.read()
            writer.close()
            await writer.wait_closed()
        first, _, rest = answer.partition(b"\r\n\r\n")
        return int(first.split()[1]), rest


@pytest.mark.parametrize("host", [API, f"{API}:443", "Open.TikTokAPIs.com"])
def test_the_server_answers_for_the_names_that_it_is_given(sim: SimulatedTikTok, host: str) -> None:
    """A host of TikTok's gets TikTok's answer, in each spelling."""
    status, body = asyncio.run(_told(sim, "GET", "/v2/user/info/", host))
    assert (status, json.loads(body)["error"]["code"]) == (401, "access_token_invalid")


@pytest.mark.parametrize("host", ["example.com", "tiktokapis.com.example.com", "[bad"])
def test_no_other_name_gets_an_answer(sim: SimulatedTikTok, host: str) -> None:
    """Another host is refused, over TLS, too."""
    assert asyncio.run(_told(sim, "GET", "/v2/user/info/", host))[0] == 421


def test_a_server_without_names_answers_to_loopback_only(sim: SimulatedTikTok) -> None:
    """The guard stays where nobody gave names."""
    assert asyncio.run(_told(sim, "GET", "/v2/user/info/", API, plain=True, names=None))[0] == 421


@pytest.mark.parametrize("path", ["/", "/_sandbox/posts", "/v2/auth/authorize/", "/phone/"])
def test_the_api_host_has_the_paths_of_the_api_only(sim: SimulatedTikTok, path: str) -> None:
    """The sandbox's own pages, and the paths of TikTok's other hosts, are not there."""
    assert asyncio.run(_told(sim, "GET", path, API))[0] == 404


def test_an_upload_url_leads_where_its_client_can_go(sim: SimulatedTikTok) -> None:
    """A client of TikTok's names gets TikTok's upload host; a client of the loopback address gets that address."""
    body = json.dumps(POST).encode()
    _, named = asyncio.run(_told(sim, "POST", INIT, API, body))
    assert json.loads(named)["data"]["upload_url"].startswith("https://open-upload.tiktokapis.com/")
    _, here = asyncio.run(_told(sim, "POST", INIT, "127.0.0.1", body, plain=True))
    assert json.loads(here)["data"]["upload_url"].startswith("http://127.0.0.1:")
    assert sim.upload_base == "https://open-upload.tiktokapis.com"


def test_a_client_that_does_not_trust_the_server_is_an_error(sim: SimulatedTikTok) -> None:
    """Who adopts a connection learns that its client gave up."""

    async def refuse() -> None:
        async with SandboxServer(sim, names=TIKTOK) as server:
            ours, theirs = socket.socketpair()
            theirs.setblocking(False)
            adopting = asyncio.create_task(server.adopt(theirs, Authority().context()))
            trusting_others = ssl.create_default_context()
            with ours, pytest.raises(ssl.SSLCertVerificationError):
                await asyncio.to_thread(trusting_others.wrap_socket, ours, server_hostname=API)
            with pytest.raises(ssl.SSLError, match="UNKNOWN_CA"):
                await adopting

    asyncio.run(refuse())


def test_a_server_that_does_not_run_adopts_nothing(sim: SimulatedTikTok) -> None:
    """Before it begins and after its end there is nobody to serve the connection."""
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(RuntimeError, match="is not running"):
        asyncio.run(SandboxServer(sim, names=TIKTOK).adopt(theirs, Authority().context()))
