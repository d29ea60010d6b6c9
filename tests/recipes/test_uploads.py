"""The views of the page about uploads, served by their frameworks: the film of a form is posted, once, as it came.

What belongs here: what the recipe promises beyond "its snippets run", which `tests/docs` tests.
"""

import asyncio
import io
import json
import re
from collections.abc import Callable
from hashlib import shake_128
from pathlib import Path
from typing import Any, Final, TypeAlias

import pytest
from urllib3.filepost import encode_multipart_formdata

from clips import HEAD
from tiktok_adapters.background import AsyncioBackground, ThreadBackground
from tiktok_adapters.protect import AsyncioProtect
from tiktok_adapters.sources import open_source
from tiktok_adapters.testing.fakes import Fake
from tiktok_core import AsyncTikTok, TikTok
from tiktok_core.lifting import lift_clock, lift_journal, lift_tokens, lift_transport

PAGE: Final = Path(__file__).parents[2] / "docs" / "cookbook" / "uploads.md"
SNIPPET: Final = re.compile(r"^(?:<!-- (\w+) -->\n)?```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILM: Final = HEAD + shake_128(b"film").digest(3_000_000)
"""More than any of the frameworks keeps in memory."""
SMALL: Final = HEAD + b"small"

Answer: TypeAlias = tuple[int, dict[str, Any]]
Send: TypeAlias = Callable[[bytes, str], Answer]
"""Sends the body of a form, and its content type."""


def recipe(name: str, function: str) -> Any:
    """Return a function of the page."""
    pytest.importorskip(name, reason=f"{name} comes with `make check`")
    scope: dict[str, Any] = {"__name__": "recipe"}
    for _, snippet in SNIPPET.findall(PAGE.read_text()):
        if f"def {function}" in snippet:
            exec(compile(snippet, PAGE.name, "exec"), scope)
    return scope[function]


def blocking(fake: Fake) -> TikTok:
    """Return a blocking client as `connect` makes it."""
    return TikTok(
        fake.tiktok.app,
        transport=fake.transport,
        tokens=fake.tokens,
        journal=fake.journal,
        clock=fake.clock,
        background=ThreadBackground(),
        open_source=open_source,
    )


def asynchronous(fake: Fake) -> AsyncTikTok:
    """Return an asynchronous client as `connect_async` makes it."""
    return AsyncTikTok(
        fake.tiktok.app,
        transport=lift_transport(fake.transport),
        tokens=lift_tokens(fake.tokens),
        journal=lift_journal(fake.journal),
        clock=lift_clock(fake.clock),
        protect=AsyncioProtect(),
        background=AsyncioBackground(),
        open_source=open_source,
    )


def over_flask(fake: Fake) -> Send:
    """Call the Flask application."""
    client = recipe("flask", "flask_site")(blocking(fake)).test_client()

    def send(body: bytes, content_type: str) -> Answer:
        answer = client.post("/films", data=body, content_type=content_type)
        return answer.status_code, answer.json

    return send


def over_django(fake: Fake) -> Send:
    """Call the Django view with a request as its server makes it."""
    view = recipe("django", "django_view")(blocking(fake))
    import django  # noqa: PLC0415
    from django.conf import settings  # noqa: PLC0415
    from django.test import RequestFactory  # noqa: PLC0415

    if not settings.configured:
        settings.configure(ALLOWED_HOSTS=["127.0.0.1"], LOGGING_CONFIG=None)
        django.setup()

    def send(body: bytes, content_type: str) -> Answer:
        request = RequestFactory().generic("POST", "/films", body, content_type)
        answer = view(request)
        request.close()
        return answer.status_code, json.loads(answer.content)

    return send


def over_fastapi(fake: Fake) -> Send:
    """Call the FastAPI application as a server does, the body in pieces."""
    site = recipe("fastapi", "fastapi_site")(asynchronous(fake))

    def send(body: bytes, content_type: str) -> Answer:
        sent: list[dict[str, Any]] = []
        pieces = [body[start : start + 65_536] for start in range(0, len(body), 65_536)]

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

        async def tell(message: Any) -> None:
            sent.append(message)

        call = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": "/films",
            "raw_path": b"/films",
            "query_string": b"",
            "headers": [(b"content-type", content_type.encode())],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 2),
        }
        asyncio.run(site(call, receive, tell))
        return sent[0]["status"], json.loads(b"".join(message.get("body", b"") for message in sent))

    return send


def over_aiohttp(fake: Fake) -> Send:
    """Serve with aiohttp on loopback."""
    make = recipe("aiohttp", "aiohttp_site")

    def send(body: bytes, content_type: str) -> Answer:
        from aiohttp.test_utils import TestClient, TestServer  # noqa: PLC0415

        async def main() -> Answer:
            async with TestClient(TestServer(make(asynchronous(fake)))) as client:
                answer = await client.post("/films", data=io.BytesIO(body), headers={"Content-Type": content_type})
                return answer.status, await answer.json()

        return asyncio.run(main())

    return send


@pytest.fixture(params=[over_flask, over_django, over_fastapi, over_aiohttp])
def send(request: pytest.FixtureRequest, tiktok_fake: Fake) -> Send:
    """Return what sends a form to each site in turn."""
    made: Send = request.param(tiktok_fake)
    return made


def form(film: bytes, **fields: str) -> tuple[bytes, str]:
    """Return the body of a form and its content type."""
    wished = {"title": "From the form", "privacy": "SELF_ONLY", "key": "form-1", **fields}
    return encode_multipart_formdata({**wished, "film": ("clip.mp4", film, "video/mp4")})


@pytest.mark.parametrize("film", [FILM, SMALL], ids=["on disk", "in memory"])
def test_the_film_of_a_form_is_posted_once(send: Send, tiktok_fake: Fake, film: bytes) -> None:
    """A form that is sent twice is one post; TikTok gets the film as it came."""
    assert [send(*form(film)) for _ in range(2)] == [(202, {"post": "form-1"})] * 2
    (post,) = tiktok_fake.simulator.posts
    assert tiktok_fake.simulator.read_video(post.publish_id) == film
    assert post.title == "From the form"


@pytest.mark.parametrize(
    ("film", "fields", "words"),
    [
        (b"", {}, "video: the file is empty"),
        (b"a text", {}, "video: "),
        (SMALL, {"title": "x" * 3_000}, "title: "),
    ],
)
def test_a_film_that_cannot_be_posted_is_told(
    send: Send, tiktok_fake: Fake, film: bytes, fields: dict[str, str], words: str
) -> None:
    """The person gets the library's own sentence, and nothing is posted."""
    status, said = send(*form(film, **fields))
    assert status == 400
    assert words in said["wrong"]
    assert not tiktok_fake.simulator.posts


def test_another_film_under_the_same_key_is_refused(send: Send, tiktok_fake: Fake) -> None:
    """The digest of all bytes tells them apart."""
    assert send(*form(FILM))[0] == 202
    status, said = send(*form(FILM[:-1] + b"!"))
    assert (status, "stands for another post" in said["wrong"]) == (400, True)
    assert len(tiktok_fake.simulator.posts) == 1


def test_a_film_that_is_stored_is_entered_by_its_name(tiktok_fake: Fake, tmp_path: Path) -> None:
    """A worker finds it."""
    datastructures = pytest.importorskip("werkzeug.datastructures", reason="flask comes with `make check`")
    store = recipe("shutil", "store_and_enter")
    account = blocking(tiktok_fake).account()
    upload = datastructures.FileStorage(io.BytesIO(SMALL))
    record = store(account, upload, str(tmp_path / "stored.mp4"), privacy_level="SELF_ONLY")
    assert record.wish.video == str(tmp_path / "stored.mp4")
    assert (tmp_path / "stored.mp4").read_bytes() == SMALL
