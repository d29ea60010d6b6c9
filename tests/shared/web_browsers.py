"""Browsers for the applications of `examples/web`: each application is called as its server calls it, over a TikTok in memory.

What belongs here: loading an application from its source, WSGI, ASGI and aiohttp, and what a browser keeps. Checks are in
`tests/examples`.
"""

import asyncio
import io
import itertools
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from html.parser import HTMLParser
from http import HTTPStatus
from pathlib import Path
from types import ModuleType
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

import pytest
from attrs import field, frozen
from urllib3.filepost import encode_multipart_formdata

from tiktok_adapters.clocks import ManualClock
from tiktok_adapters.simulator import Creator, Faults, SimulatedTikTok
from tiktok_adapters.testing.fakes import AnyFake, make_async_fake, make_fake
from tiktok_core import AsyncTikTok, TikTok
from tiktok_core.lifting import drive

__all__ = ["EXAMPLES", "Answer", "Browser", "Site", "opened"]

EXAMPLES: Final = Path(__file__).parents[2] / "examples" / "web"
KEY: Final = "A" * 43 + "="
"""Of each site's sessions."""
Changes: TypeAlias = Sequence[tuple[str, str]]
Headers: TypeAlias = list[tuple[str, str]]
Call: TypeAlias = Callable[[str, str, Mapping[str, str], bytes], tuple[int, Headers, bytes]]
"""Takes method, URL, headers and body; returns status, headers and body."""
numbers: Final = itertools.count()


@frozen
class Site:
    """An application over a simulated TikTok.

    Attributes:
        call: sends it a request.
        go_on: runs its worker once, after time has passed.
        folder: where its database and its films lie.
        fake: the simulated TikTok with the client's stores.
    """

    call: Call
    go_on: Callable[[], None]
    folder: Path
    fake: AnyFake[Any, Any]

    @property
    def simulator(self) -> SimulatedTikTok:
        """The simulated TikTok."""
        return self.fake.simulator

    def agreed(self, url: str, name: str) -> str:
        """Return where TikTok's page sends the browser of a creator who agrees, without the host."""
        parts = urlsplit(self.simulator.authorize(url, account=name))
        return f"{parts.path}?{parts.query}"

    def open_id(self, name: str) -> str:
        """Return the id of a creator's account."""
        return next(one.open_id for one in self.simulator.creators if one.username == name)

    def count(self, operation: str) -> int:
        """Return how many requests of this kind TikTok has had."""
        return sum(entry.operation == operation for entry in self.simulator.log)

    def secrets(self) -> tuple[str, ...]:
        """Return the secrets that the client keeps."""
        kept = [self.fake.tokens.load(name) for name in self.fake.tokens.accounts()]
        tokens = [secret for one in kept if one for secret in (one.access_token, one.refresh_token)]
        return tuple(secret.reveal() for secret in (*tokens, self.fake.tiktok.app.client_secret))


@frozen
class Answer:
    """What a browser got."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The page."""
        return self.body.decode()

    @property
    def location(self) -> str:
        """Where it leads; empty if nowhere. What the login is to lead back to is left out."""
        return self.headers.get("location", "").removeprefix("https://app.example.com")


@frozen
class Browser:
    """One browser, with its cookies and all that it was shown."""

    site: Site
    jar: dict[str, str] = field(factory=dict)
    cookies: list[str] = field(factory=list)
    answers: list[Answer] = field(factory=list)

    def get(self, url: str) -> Answer:
        """Load a page."""
        return self._sent("GET", url, {}, b"")

    def post(self, url: str, fields: Mapping[str, Any]) -> Answer:
        """Send a form as it is."""
        body, content_type = encode_multipart_formdata(dict(fields))
        return self._sent("POST", url, {"Content-Type": content_type, "Content-Length": str(len(body))}, body)

    def submit(self, page: str, action: str, **fields: Any) -> Answer:
        """Load a page, fill its form in that leads to `action`, and send it."""
        return self.post(action, {**self.hidden(self.get(page).text, action), **fields})

    @staticmethod
    def hidden(text: str, action: str) -> dict[str, str]:
        """Return the hidden fields of a form of a page."""
        reader = _Forms()
        reader.feed(text)
        assert action in reader.forms, (action, text)
        return reader.forms[action]

    def _sent(self, method: str, url: str, headers: dict[str, str], body: bytes) -> Answer:
        kept = "; ".join(f"{name}={value}" for name, value in self.jar.items())
        around = {"Host": "app.example.com", "Referer": "https://app.example.com/", **headers}
        status, got, sent = self.site.call(method, url, {**around, **({"Cookie": kept} if kept else {})}, body)
        for name, value in got:
            if name.lower() == "set-cookie":
                self.cookies.append(value)
                key, _, rest = value.partition(";")[0].partition("=")
                self.jar[key] = rest
        if (
            status == HTTPStatus.INTERNAL_SERVER_ERROR
        ):  # No AssertionError: a change that breaks an application is not noticed by that.
            raise RuntimeError(sent.decode())
        answer = Answer(status, {name.lower(): value for name, value in got}, sent)
        self.answers.append(answer)
        return answer


class _Forms(HTMLParser):
    """Reads the hidden fields of each form of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: dict[str, dict[str, str]] = {}
        self._form: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of forms and of their hidden fields."""
        values = dict(attrs)
        if tag == "form":
            self._form = self.forms.setdefault(values.get("action") or "", {})
        elif tag == "input" and values.get("type") == "hidden":
            self._form[values.get("name") or ""] = values.get("value") or ""


@contextmanager
def opened(name: str, tmp_path: Path, changes: Changes = ()) -> Iterator[Site]:
    """Give an application, after these changes of its source, each of which has to match once."""
    pytest.importorskip(name, reason=f"{name} comes with `make check`")
    # Django can be set up only once, and each site has its own folder: each gets a Django of its own.
    for found in [found for found in sys.modules if found.partition(".")[0] == "django"]:
        del sys.modules[found]
    module = _loaded(name, changes)
    clock, folder = ManualClock(), tmp_path / "site"
    with ExitStack() as stack:
        fake: AnyFake[Any, Any]
        if name in ("flask", "django"):
            fake = stack.enter_context(make_fake(clock, Faults()))
            fake.account.revoke()
        else:
            fake = stack.enter_context(make_async_fake(clock, Faults()))
            drive(fake.account.revoke())
        fake.simulator.creators[:] = [Creator(username="anna"), Creator(username="ben")]
        call, worker = stack.enter_context(SERVED[name](module, fake, folder))

        def go_on() -> None:
            worker()
            clock.advance(10.0)

        yield Site(call, go_on, folder, fake)


def _loaded(name: str, changes: Changes) -> ModuleType:
    path = EXAMPLES / f"{name}_app.py"
    source = path.read_text()
    for former, latter in changes:
        assert source.count(former) == 1, f"{path.name} has {source.count(former)} times: {former}"
        source = source.replace(former, latter)
    # A name of its own: FastAPI and Django look the names of a module up in `sys.modules`.
    module = ModuleType(f"web_example_{name}_{next(numbers)}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module
    exec(compile(source, path.name, "exec"), vars(module))
    return module


def work(tiktok: TikTok) -> None:
    """Take the steps of all posts that are due, as `tiktok worker` does."""
    for record in tiktok.due_posts():
        tiktok.account(record.account).advance(record.key, until_wait=5.0)


async def work_async(tiktok: AsyncTikTok) -> None:
    """Take the same steps with the asynchronous client."""
    for record in await tiktok.due_posts():
        await (await tiktok.account(record.account)).advance(record.key, until_wait=5.0)


def _over_wsgi(site: Any) -> Call:
    def call(method: str, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Headers, bytes]:
        path, _, query = url.partition("?")
        told: list[Any] = []
        environ = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "SERVER_NAME": "app.example.com",
            "SERVER_PORT": "443",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "https",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "CONTENT_TYPE": headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            **{f"HTTP_{key.upper()}": value for key, value in headers.items() if not key.startswith("Content")},
        }
        answer = site(environ, lambda status, got, _=None: told.extend((status, got)))
        try:
            sent = b"".join(answer)
        finally:
            getattr(answer, "close", lambda: None)()
        return int(told[0].split()[0]), told[1], sent

    return call


@contextmanager
def _flask(module: Any, fake: AnyFake[Any, Any], folder: Path) -> Iterator[tuple[Call, Callable[[], None]]]:
    yield _over_wsgi(module.make_site(fake.tiktok, folder, KEY)), lambda: work(fake.tiktok)


@contextmanager
def _django(module: Any, fake: AnyFake[Any, Any], folder: Path) -> Iterator[tuple[Call, Callable[[], None]]]:
    yield _over_wsgi(module.make_site(fake.tiktok, folder, KEY)), lambda: work(fake.tiktok)
    sys.modules["django.db"].connections.close_all()


@contextmanager
def _fastapi(module: Any, fake: AnyFake[Any, Any], folder: Path) -> Iterator[tuple[Call, Callable[[], None]]]:
    with asyncio.Runner() as runner:
        site = module.make_site(fake.tiktok, folder, KEY)

        def call(method: str, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Headers, bytes]:
            path, _, query = url.partition("?")
            sent: list[Any] = []
            pieces = [body[at : at + 65_536] for at in range(0, len(body), 65_536)] or [b""]
            scope = {
                "type": "http",
                "asgi": {"version": "3.0"},
                "http_version": "1.1",
                "method": method,
                "scheme": "https",
                "path": path,
                "raw_path": path.encode(),
                "query_string": query.encode(),
                "headers": [(key.lower().encode(), value.encode()) for key, value in headers.items()],
                "client": ("127.0.0.1", 1),
                "server": ("app.example.com", 443),
            }

            async def receive() -> dict[str, Any]:
                if not pieces:
                    await asyncio.Event().wait()  # The browser stays.
                return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

            async def send(message: Any) -> None:
                sent.append(message)

            runner.run(site(scope, receive, send))
            got = [(key.decode(), value.decode()) for key, value in sent[0]["headers"]]
            return sent[0]["status"], got, b"".join(message.get("body", b"") for message in sent)

        yield call, lambda: runner.run(work_async(fake.tiktok))


@contextmanager
def _aiohttp(module: Any, fake: AnyFake[Any, Any], folder: Path) -> Iterator[tuple[Call, Callable[[], None]]]:
    from aiohttp import DummyCookieJar  # noqa: PLC0415
    from aiohttp.test_utils import TestClient, TestServer  # noqa: PLC0415

    with asyncio.Runner() as runner:
        server = TestServer(module.make_site(fake.tiktok, folder, KEY))

        async def begun() -> Any:
            await server.start_server(access_log=None)  # which would show the codes of sign-ins
            return TestClient(server, cookie_jar=DummyCookieJar())

        client = runner.run(begun())

        async def called(method: str, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Headers, bytes]:
            async with client.request(method, url, headers=headers, data=body, allow_redirects=False) as answer:
                return answer.status, list(answer.headers.items()), await answer.read()

        try:
            yield lambda *request: runner.run(called(*request)), lambda: runner.run(work_async(fake.tiktok))
        finally:
            runner.run(client.close())


SERVED: Final = {"flask": _flask, "django": _django, "fastapi": _fastapi, "aiohttp": _aiohttp}
