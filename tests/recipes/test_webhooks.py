"""The recipes of the guide on webhooks, served by their frameworks: the recipes get raw bytes, and each event counts once."""

import asyncio
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
import urllib3

from tiktok_adapters.clocks import SystemClock
from tiktok_adapters.simulator import DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, SimulatedTikTok
from tiktok_adapters.simulator.webhooks import signed
from tiktok_adapters.simulator.world import Delivery
from tiktok_adapters.stores.memory import MemoryJournal, MemoryTokenStore
from tiktok_adapters.transports.fake import FakeTransport
from tiktok_core import App, TikTok

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "webhooks.md"
SNIPPET = re.compile(r"^(?:<!-- (\w+) -->\n)?```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# These bytes are not in TikTok's form of JSON: a framework that parses and writes them again changes them.
BODY = (
    b'{"client_key": "%b",  "event":"post.publish.complete","create_time":1790000000,"user_openid":"\\u002d000a",'
    b'"content":"{\\"publish_id\\":\\"v_pub_url~v2.1\\"}"}' % DEFAULT_CLIENT_KEY.encode()
)

Post = Callable[[bytes, dict[str, str]], int]


class Awaited:
    """Replaces a client whose `received` does nothing until it is awaited."""

    def __init__(self, received: list[Any]) -> None:
        self._received = received

    async def received(self, event: Any) -> None:
        """Wait a little, and keep the event."""
        await asyncio.sleep(0.01)
        self._received.append(event)


def recipe(name: str, received: list[Any]) -> dict[str, Any]:
    """Run the snippets that the guide's recipe for a framework needs, with a client of the simulated TikTok."""
    pytest.importorskip(name, reason=f"{name} comes with `make check`")
    app = App(DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, "https://app.example.com/callback/")
    tiktok = TikTok(
        app,
        transport=FakeTransport(SimulatedTikTok().handle),
        tokens=MemoryTokenStore(),
        journal=MemoryJournal(),
        clock=SystemClock(),
    )
    tiktok.received = received.append  # type: ignore[method-assign, assignment]
    scope: dict[str, Any] = {"tiktok": tiktok, "async_tiktok": Awaited(received), "__name__": "recipe"}
    for needed, snippet in SNIPPET.findall(GUIDE.read_text()):
        if "def handle" in snippet or needed == name or (not needed and f"{name}_app" in snippet):
            exec(compile(snippet, GUIDE.name, "exec"), scope)
    return scope


@pytest.fixture
def received() -> list[Any]:
    """The events on which the recipe has acted."""
    return []


@pytest.fixture(params=["aiohttp", "fastapi", "flask", "django"])
def post(request: pytest.FixtureRequest, received: list[Any]) -> Iterator[Post]:
    """Serve each recipe in turn, and yield a function that posts to it."""
    served: Callable[[dict[str, Any]], Iterator[Post]] = SERVED[request.param]
    yield from served(recipe(request.param, received))


def over_aiohttp(scope: dict[str, Any]) -> Iterator[Post]:
    """Serve with aiohttp on a separate loop."""
    from aiohttp import web  # noqa: PLC0415

    loop = asyncio.new_event_loop()
    runner = web.AppRunner(scope["aiohttp_app"]())
    loop.run_until_complete(runner.setup())
    site = web.TCPSite(runner, "127.0.0.1", 0)
    loop.run_until_complete(site.start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield from posting(f"http://127.0.0.1:{runner.addresses[0][1]}")
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.run_until_complete(runner.cleanup())
    loop.close()


def posting(url: str) -> Iterator[Post]:
    """Return a function that posts to this address."""
    with urllib3.PoolManager(retries=False) as pool:
        yield lambda body, headers: pool.request("POST", f"{url}/webhook", body=body, headers=headers).status


class Quiet(WSGIRequestHandler):
    """A handler that logs nothing."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the library's
        """Log nothing."""


def over_wsgi(application: Any) -> Iterator[Post]:
    """Serve with the standard library's WSGI server."""
    with make_server("127.0.0.1", 0, application, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield from posting(f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
        thread.join()


def over_flask(scope: dict[str, Any]) -> Iterator[Post]:
    """Serve the Flask application."""
    yield from over_wsgi(scope["flask_app"])


def over_django(scope: dict[str, Any]) -> Iterator[Post]:
    """Serve the Django view with the smallest possible settings."""
    import django  # noqa: PLC0415
    from django.conf import settings  # noqa: PLC0415
    from django.core.wsgi import get_wsgi_application  # noqa: PLC0415
    from django.urls import clear_url_caches, path  # noqa: PLC0415

    class Urls:
        urlpatterns = (path("webhook", scope["django_webhook"]),)

    if not settings.configured:
        settings.configure(ALLOWED_HOSTS=["127.0.0.1"], LOGGING_CONFIG=None)
        django.setup()
    settings.ROOT_URLCONF = Urls
    clear_url_caches()
    yield from over_wsgi(get_wsgi_application())


def over_asgi(scope: dict[str, Any]) -> Iterator[Post]:
    """Call the FastAPI application as a server does, because this library brings no ASGI server."""

    def post(body: bytes, headers: dict[str, str]) -> int:
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        call = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": "/webhook",
            "raw_path": b"/webhook",
            "query_string": b"",
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 2),
        }
        asyncio.run(scope["fastapi_app"](call, receive, send))
        return int(sent[0]["status"])

    yield post


SERVED = {"aiohttp": over_aiohttp, "fastapi": over_asgi, "flask": over_flask, "django": over_django}


@pytest.fixture
def delivery() -> Delivery:
    """Return a webhook that was signed now."""
    return signed(SimulatedTikTok().app, "", BODY, SystemClock().now())


def test_a_webhook_counts_once(post: Post, received: list[Any], delivery: Delivery) -> None:
    """The recipe answers each delivery with 200, and acts on the first one only."""
    for _ in range(3):
        assert post(delivery.body, dict(delivery.headers)) == 200
    assert [event.publish_id for event in received] == ["v_pub_url~v2.1"]


@pytest.mark.parametrize("forge", ["body", "signature", "none"])
def test_a_forged_webhook_is_refused(post: Post, received: list[Any], delivery: Delivery, forge: str) -> None:
    """The recipe answers a forged webhook with 400 and does nothing."""
    body, headers = delivery.body, dict(delivery.headers)
    if forge == "body":
        body = body.replace(b"  ", b" ")
    elif forge == "signature":
        headers["TikTok-Signature"] = headers["TikTok-Signature"].replace("s=", "s=0")
    else:
        del headers["TikTok-Signature"]
    assert post(body, headers) == 400
    assert received == []


def test_a_late_webhook_counts_once_too(post: Post, received: list[Any]) -> None:
    """A late delivery counts once too, because TikTok repeats for 72 hours, perhaps with the old signature."""
    late = signed(SimulatedTikTok().app, "", BODY, SystemClock().now().replace(year=2025))
    for _ in range(2):
        assert post(late.body, dict(late.headers)) == 200
    assert len(received) == 1
