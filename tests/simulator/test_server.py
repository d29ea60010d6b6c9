"""The sandbox server over real loopback sockets: curl, http.client, its pages, its faults, its end."""

import asyncio
import hashlib
import http.client
import json
import logging
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
import urllib3

from tiktok_adapters.clocks import ManualClock
from tiktok_adapters.simulator import (
    DEFAULT_CLIENT_KEY,
    DEFAULT_CLIENT_SECRET,
    Creator,
    SimulatedTikTok,
    callback_values,
)
from tiktok_adapters.simulator.server import SandboxServer

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = hashlib.sha256(VERIFIER.encode()).hexdigest()
REDIRECT = "http://127.0.0.1:3455/callback/"
SIZE, CHUNK = 11_000_000, 5_242_880


@pytest.fixture(autouse=True)
def somebody_elses_client(caplog: pytest.LogCaptureFixture) -> None:
    """Silence urllib3's log: without our transport urllib3 logs whole upload URLs."""
    caplog.set_level(logging.INFO, "urllib3")


@pytest.fixture
def server(sim: SimulatedTikTok) -> Iterator[SandboxServer]:
    """A running server."""
    with SandboxServer(sim).run_in_thread() as running:
        yield running


class Caller:
    """A client that never repeats a call."""

    def __init__(self, url: str, seconds: float = 10) -> None:
        self.url = url
        self.pool = urllib3.PoolManager(retries=False, timeout=seconds)
        self.close = self.pool.clear

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Send a request; a dictionary goes as JSON."""
        every = {name.replace("_", "-"): value for name, value in headers.items()}
        if isinstance(body, dict):
            body, every = json.dumps(body).encode(), {"Content-Type": "application/json", **every}
        url = path if "://" in path else self.url + path
        return self.pool.request(method, url, body=body, headers=every, redirect=False)

    def form(self, path: str, fields: dict[str, str]) -> Any:
        """Post a form."""
        return self.call("POST", path, urlencode(fields).encode(), Content_Type="application/x-www-form-urlencoded")


@pytest.fixture
def caller(server: SandboxServer) -> Iterator[Caller]:
    """A client of the running server."""
    made = Caller(server.url)
    yield made
    made.pool.clear()


def begin(play: Any, size: int = 1000) -> tuple[str, str]:
    """Begin a post in memory; return publish id and the path of its upload URL."""
    data = play.video(size).data
    parts = urlsplit(data["upload_url"])
    return data["publish_id"], f"{parts.path}?{parts.query}"


def run_curl(*arguments: str) -> str:
    """Run curl, and return what it prints."""
    command = ["curl", "--silent", "--show-error", "--max-time", "20", "--noproxy", "*", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_walks_the_whole_sandbox(server: SandboxServer, play: Any, tmp_path: Path) -> None:
    """Authorize, consent, exchange, init, two chunks and status work with curl alone, and every byte stays the same."""
    page = run_curl(
        "--get",
        f"{server.url}/v2/auth/authorize/",
        *("--data-urlencode", f"client_key={DEFAULT_CLIENT_KEY}"),
        *("--data-urlencode", "scope=user.info.basic,video.publish"),
        *("--data-urlencode", "response_type=code"),
        *("--data-urlencode", f"redirect_uri={REDIRECT}"),
        *("--data-urlencode", "state=s1"),
        *("--data-urlencode", f"code_challenge={CHALLENGE}"),
        *("--data-urlencode", "code_challenge_method=S256"),
    )
    fields = re.findall(r'type="hidden" name="([^"]*)" value="([^"]*)"', page)
    fields += [("account", "maker_one"), ("decision", "allow")]
    fields += [("granted", scope) for scope in re.findall(r'name="granted" value="([^"]*)"', page)]
    form = [part for name, value in fields for part in ("--data-urlencode", f"{name}={value}")]
    answer = run_curl("--include", f"{server.url}/v2/auth/authorize/", *form)
    location = re.search(r"(?im)^location: (\S+)", answer)
    assert location is not None, answer
    callback = callback_values(location[1])
    assert callback["state"] == "s1"

    tokens = json.loads(
        run_curl(
            f"{server.url}/v2/oauth/token/",
            *("--data-urlencode", f"client_key={DEFAULT_CLIENT_KEY}"),
            *("--data-urlencode", f"client_secret={DEFAULT_CLIENT_SECRET}"),
            *("--data-urlencode", "grant_type=authorization_code"),
            *("--data-urlencode", f"code={callback['code']}"),
            *("--data-urlencode", f"redirect_uri={REDIRECT}"),
            *("--data-urlencode", f"code_verifier={VERIFIER}"),
        )
    )
    headers = ["-H", f"Authorization: Bearer {tokens['access_token']}", "-H", "Content-Type: application/json"]
    source = {"source": "FILE_UPLOAD", "video_size": SIZE, "chunk_size": CHUNK, "total_chunk_count": 2}
    body = json.dumps({"post_info": {"privacy_level": "SELF_ONLY", "title": "by curl"}, "source_info": source})
    data = json.loads(run_curl(f"{server.url}/v2/post/publish/video/init/", *headers, "--data", body))["data"]
    assert data["upload_url"].startswith(server.url)

    video = (b"\0\0\0\x18ftypisom" + bytes(range(256)) * (SIZE // 256) + b"t" * 256)[:SIZE]
    statuses = []
    for first, last in ((0, CHUNK - 1), (CHUNK, SIZE - 1)):
        chunk = tmp_path / "chunk"
        chunk.write_bytes(video[first : last + 1])
        content_range = f"Content-Range: bytes {first}-{last}/{SIZE}"
        # `--upload-file` would add the file's name to a path that ends in a slash.
        put = ["--request", "PUT", "--data-binary", f"@{chunk}", "-H", content_range, "-H", "Content-Type: video/mp4"]
        statuses.append(run_curl("--write-out", "%{http_code}", "--output", "/dev/null", *put, data["upload_url"]))
    assert statuses == ["206", "201"]
    play.clock.advance(2)
    asked = json.dumps({"publish_id": data["publish_id"]})
    status = json.loads(run_curl(f"{server.url}/v2/post/publish/status/fetch/", *headers, "--data", asked))
    assert status["data"]["status"] == "PUBLISH_COMPLETE"
    (post,) = json.loads(run_curl(f"{server.url}/_sandbox/posts"))
    assert (post["size"], post["sha256"]) == (SIZE, hashlib.sha256(video).hexdigest())


def test_pages_of_posts(server: SandboxServer, caller: Caller, play: Any) -> None:
    """The page shows a post with its caption escaped, and the JSON has the same data."""
    play.upload(play.video(title='<script>alert(1)</script> & "so" on'))
    play.photos(post_info={"privacy_level": "SELF_ONLY", "description": "<b>doors</b>"})
    page = caller.call("GET", "/")
    text = page.data.decode()
    assert "script-src 'self';" in page.headers["content-security-policy"]
    assert text.count("<script") == text.count('<script src="/_sandbox/page.js" defer>') == 1
    assert "<b>" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;so&quot; on" in text
    assert "<video controls" in text
    assert "https://media.example.com/2.webp" in text
    assert hashlib.sha256(b"\0\0\0\x18ftypisom" + b"v" * 88).hexdigest() in text
    posts = json.loads(caller.call("GET", "/_sandbox/posts").data)
    assert [(post["kind"], post["size"], post["bytes_received"]) for post in posts] == [
        ("video", 100, 100),
        ("photo", 0, 0),
    ]
    log = json.loads(caller.call("GET", "/_sandbox/log").data)
    assert [entry["operation"] for entry in log][-3:] == ["video_init", "put", "photo_init"]
    assert log[-2]["account"] == play.sim.creator.open_id
    assert "upload_token" not in str(log)


@pytest.mark.parametrize(
    ("header", "status", "part"),
    [
        (None, 200, slice(0, 1000)),
        ("bytes=0-9", 206, slice(0, 10)),
        ("bytes=990-", 206, slice(990, 1000)),
        ("bytes=-5", 206, slice(995, 1000)),
        ("bytes=5-5000", 206, slice(5, 1000)),
        ("bytes=1000-", 416, slice(0, 0)),
        ("bytes=-0", 416, slice(0, 0)),
        ("bytes=x", 416, slice(0, 0)),
    ],
)
def test_videos_play(caller: Caller, play: Any, header: str, status: int, part: slice) -> None:
    """The server sends a stored video whole and in ranges, with the media type of its upload."""
    publish_id, path = begin(play)
    content = bytes(number % 251 for number in range(1000))
    put = caller.call("PUT", path, content, Content_Type="video/webm", Content_Range="bytes 0-999/1000")
    assert put.status == 201
    headers = {} if header is None else {"Range": header}
    answer = caller.call("GET", f"/_sandbox/video/{publish_id}", **headers)
    assert answer.status == status
    if status < 400:
        assert answer.headers["content-type"] == "video/webm"
        assert answer.data == content[part]
    assert caller.call("GET", "/_sandbox/video/unknown").status == 404


def test_a_browser_that_leaves_in_the_middle_of_a_video_is_no_error(
    sim: SimulatedTikTok, play: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A person closes the page while videos load: the server logs nothing, and serves the next page."""
    publish_id = play.upload(play.video(20_000_000), 20_000_000)
    with SandboxServer(sim).run_in_thread() as server:
        address = urlsplit(server.url)
        for _ in range(3):
            with socket.create_connection((address.hostname, address.port), timeout=10) as wire:
                wire.sendall(f"GET /_sandbox/video/{publish_id} HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode())
                assert wire.recv(1024)
                wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with closing(Caller(server.url)) as next_one:
            assert next_one.call("GET", "/").status == 200
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_faults_and_switches_over_http(server: SandboxServer, caller: Caller, play: Any) -> None:
    """Other processes add faults in the same grammar and set switches by name; a request with a bad one changes nothing."""
    assert json.loads(caller.call("POST", "/_sandbox/faults", b"status=status:502\nput:2=drop-after\n").data) == [
        "status=status:502",
        "put:2=drop-after",
    ]
    refused = caller.call("POST", "/_sandbox/faults", b"init=garbage\nnonsense")
    assert (refused.status, b"nonsense" in refused.data) == (400, True)
    assert len(play.sim.faults.pending) == 2
    assert caller.call("POST", "/v2/post/publish/status/fetch/", {}).status == 502
    assert json.loads(caller.call("DELETE", "/_sandbox/faults").data) == []
    shown = json.loads(caller.call("POST", "/_sandbox/switches", {"mb": "binary"}).data)
    assert (shown["mb"], play.sim.switches.mb) == ("binary", "binary")
    assert caller.call("POST", "/_sandbox/switches", {"mb": "metric"}).status == 400
    assert caller.call("POST", "/_sandbox/switches", b"[]").status == 400
    assert caller.call("POST", "/_sandbox/faults", b"*=garbage", Origin="https://evil.example").status == 403
    assert caller.call("GET", "/_sandbox/unknown").status == 404


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("POST", {"Sec_Fetch_Site": "cross-site"}, 403),
        ("DELETE", {"Sec_Fetch_Site": "cross-site"}, 403),
        ("POST", {"Origin": "https://evil.example", "Sec_Fetch_Site": "cross-site"}, 403),
        ("POST", {"Origin": "null", "Sec_Fetch_Site": "cross-site"}, 403),
        ("POST", {"Origin": "http://127.0.0.1:3000", "Sec_Fetch_Site": "cross-site"}, 200),
        ("POST", {"Sec_Fetch_Site": "same-origin"}, 200),
        ("POST", {"Sec_Fetch_Site": "none"}, 200),
        ("POST", {}, 200),
        ("GET", {"Sec_Fetch_Site": "cross-site"}, 200),
    ],
)
def test_a_page_of_another_site_changes_nothing_even_if_it_names_no_origin(
    caller: Caller, play: Any, method: str, headers: dict[str, str], status: int
) -> None:
    """A POST from another site is refused by what the browser says of it; a link to a page here works."""
    play.sim.faults.add("put=drop-after")
    before = play.sim.faults.pending
    body = b"status=drop-after" if method == "POST" else b""
    assert caller.call(method, "/_sandbox/faults", body, **headers).status == status
    assert (play.sim.faults.pending == before) == (status == 403 or method == "GET")


@pytest.mark.parametrize("fault", ["unreachable", "drop-before", "drop-after", "truncate"])
def test_connections_are_really_lost(server: SandboxServer, caller: Caller, play: Any, fault: str) -> None:
    """A dropped or cut answer reaches a real client as a broken connection."""
    begun = len(play.sim.posts)
    play.sim.faults.add(f"token={fault}")
    with pytest.raises((urllib3.exceptions.ProtocolError, http.client.HTTPException)):
        caller.form("/v2/oauth/token/", {"grant_type": "client_credentials"})
    assert len(play.sim.posts) == begun
    assert play.sim.count("token") == 1
    assert caller.form("/v2/oauth/token/", {"grant_type": "x"}).status == 200


def test_slow_answers(server: SandboxServer, caller: Caller, play: Any) -> None:
    """A slow answer is whole and late: a client with a short time-out does not get it, although TikTok has acted."""
    play.sim.faults.add("token=slow:0.1")
    assert caller.form("/v2/oauth/token/", {"grant_type": "x"}).status == 200
    play.sim.faults.add("token=slow:600")
    with closing(Caller(server.url, seconds=0.3)) as hasty, pytest.raises(urllib3.exceptions.ReadTimeoutError):
        hasty.form("/v2/oauth/token/", {"grant_type": "x"})
    assert play.sim.count("token") == 2


@pytest.mark.parametrize(("kept", "received"), [("discard", 0), ("keep", 400)])
def test_client_that_goes_away(server: SandboxServer, play: Any, kept: str, received: int) -> None:
    """The host keeps none of a broken PUT, or with a switch the bytes that arrived; the upload can continue."""
    play.sim.switches.partial_bytes = kept
    _publish_id, path = begin(play)
    address = urlsplit(server.url)
    seen = len(play.sim.log)
    with socket.create_connection((address.hostname, address.port), timeout=10) as wire:
        head = (
            f"PUT {path} HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: video/mp4\r\n"
            "Content-Range: bytes 0-999/1000\r\nContent-Length: 1000\r\n\r\n"
        )
        wire.sendall(head.encode() + b"v" * 400)
    deadline = time.monotonic() + 5
    while len(play.sim.log) == seen and time.monotonic() < deadline:
        time.sleep(0.005)
    assert play.sim.log[-1].status is None
    assert play.sim.posts[0].bytes_received == received


def raw(server: SandboxServer, text: str) -> bytes:
    """Send a raw request and return the first line of the answer."""
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as wire:
        wire.sendall(text.encode())
        return wire.recv(4096).partition(b"\r\n")[0]


def test_odd_requests(server: SandboxServer, caller: Caller, play: Any) -> None:
    """Foreign host names, chunked PUTs and large forms are refused."""
    for host in ("evil.example", "[bad", "127.0.0.1.evil.example", "a@evil.example"):
        assert b" 421 " in raw(server, f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")
    assert b" 421 " in raw(server, "GET http://127.0.0.1/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    _publish_id, path = begin(play, 3)
    chunked = (
        f"PUT {path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Type: video/mp4\r\n"
        "Content-Range: bytes 0-2/3\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    )
    assert b" 400 " in raw(server, chunked)
    assert play.sim.posts[0].bytes_received == 0
    assert caller.call("POST", "/v2/oauth/token/", b"x" * ((1 << 20) + 1)).status == 413


def test_large_put_goes_through_a_file(server: SandboxServer, caller: Caller, play: Any) -> None:
    """The server receives a chunk that is larger than the limit in memory."""
    publish_id, path = begin(play, 20_000_000)
    answer = caller.call(
        "PUT", path, b"w" * 20_000_000, Content_Type="video/mp4", Content_Range="bytes 0-19999999/20000000"
    )
    assert answer.status == 201
    assert play.sim.post(publish_id).sha256 == hashlib.sha256(b"w" * 20_000_000).hexdigest()


def test_only_loopback() -> None:
    """The sandbox refuses to serve on an address that a network can reach."""
    sim = SimulatedTikTok(ManualClock(), creators=[Creator()])
    for host in ("0.0.0.0", "192.168.1.2", "example.com", "::"):
        with pytest.raises(ValueError, match="loopback"):
            SandboxServer(sim, host)
    with pytest.raises(RuntimeError, match="not running"):
        _ = SandboxServer(sim).url


def test_taken_port(server: SandboxServer, sim: SimulatedTikTok) -> None:
    """A taken port is an error, and no thread is left behind."""
    with (
        pytest.raises(OSError, match="address already in use"),
        SandboxServer(sim, port=urlsplit(server.url).port or 0).run_in_thread(),
    ):
        raise AssertionError("it must not start")
    assert sim.upload_base == server.url


def test_asynchronous_life(sim: SimulatedTikTok) -> None:
    """The server starts and stops inside a loop, and restores the upload base, without a warning."""

    async def live() -> str:
        async with SandboxServer(sim, "localhost") as server:
            return server.url

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        url = asyncio.run(live())
    assert url.startswith("http://localhost:")
    assert sim.upload_base == "https://open-upload.tiktokapis.com"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_forever_ends_cleanly(number: signal.Signals) -> None:
    """After SIGINT or SIGTERM the program prints nothing and ends with status 0."""
    program = (
        "from tiktok_adapters.simulator import SimulatedTikTok\n"
        "from tiktok_adapters.simulator.server import serve_forever\n"
        "serve_forever(SimulatedTikTok(seed=None), on_ready=lambda url: print(url, flush=True))\n"
    )
    command = [sys.executable, "-W", "error", "-c", program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        url = process.stdout.readline().strip()
        pool = urllib3.PoolManager(retries=False, timeout=10)
        assert pool.request("GET", f"{url}/").status == 200
        pool.clear()
        process.send_signal(number)
        assert process.wait(10) == 0
        assert process.stderr.read() == ""
