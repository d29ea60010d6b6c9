"""A person uses the local page in a real browser: from the sign-in to a published post, and through each thing that can go wrong.

What belongs here: what a person sees and presses. `tests/studio` has the requests one by one. `STUDIO_IMAGES=docs/images` also writes
the pictures that the documents show.
"""

import asyncio
import importlib.util
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tiktok_adapters import connect, connect_async
from tiktok_adapters.clocks import AsyncioClock
from tiktok_adapters.simulator import SimulatedTikTok, Switches
from tiktok_adapters.simulator.server import SandboxServer
from tiktok_adapters.studio import Studio

pytestmark = pytest.mark.full
MEDIA = Path(__file__).parents[1] / "media"
WAIT = 30
OVERFLOWS = "return document.documentElement.scrollWidth > document.documentElement.clientWidth"


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the waits of the client between two tries."""
    sleep = AsyncioClock.sleep
    monkeypatch.setattr(AsyncioClock, "sleep", lambda clock, seconds: sleep(clock, min(seconds, 0.01)))


@pytest.fixture
def world() -> Iterator[SimulatedTikTok]:
    """A simulated TikTok."""
    simulated = SimulatedTikTok(switches=Switches(processing_seconds=0.0, download_seconds=0.0))
    yield simulated
    simulated.close()


@pytest.fixture
def environ(world: SimulatedTikTok, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The variables that connect to the served sandbox."""
    with SandboxServer(world).run_in_thread() as server:
        yield {
            "TIKTOK_CLIENT_KEY": world.app.client_key,
            "TIKTOK_CLIENT_SECRET": world.app.client_secret,
            "TIKTOK_REDIRECT_URI": "http://127.0.0.1:*/callback/",
            "TIKTOK_API_URL": server.url,
            "TIKTOK_AUTH_URL": f"{server.url}/v2/auth/authorize/",
            "TIKTOK_HOME": str(tmp_path / "home"),
        }


@pytest.fixture
def studio(environ: dict[str, str], tmp_path: Path) -> Iterator[str]:
    """The address of the page, which runs in a thread."""
    started: Future[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        stop = asyncio.Event()
        async with connect_async(environ=environ) as tiktok, Studio(tiktok, tmp_path / "home", pause=0.1) as page:
            started.set_result((page.url, asyncio.get_running_loop(), stop))
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    url, loop, stop = started.result(WAIT)
    yield url
    loop.call_soon_threadsafe(stop.set)
    thread.join()


class Person:
    """Who sits before the browser."""

    def __init__(self, browser: Any, width: int) -> None:
        self.browser = browser
        self.width = width
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def sees(self, text: str) -> None:
        """Wait until a text is on the page."""
        self.waits(lambda _driver: text in self.text, text)

    @property
    def text(self) -> str:
        """What stands on the page."""
        return str(self.browser.execute_script("return document.body.innerText"))

    def press(self, label: str) -> None:
        """Press a button, or follow a link."""
        path = f'//button[normalize-space()="{label}"] | //a[normalize-space()="{label}"]'
        self.waits(lambda driver: driver.find_elements("xpath", path), label)
        self.browser.find_element("xpath", path).click()

    def checks(self, name: str) -> None:
        """See that the page fits its window, and that people with an impairment can use it."""
        assert self.browser.execute_script(OVERFLOWS) is False, name
        found = importlib.util.find_spec("axe_playwright_python")
        if found is None or not found.submodule_search_locations:
            pytest.skip("axe-playwright-python is not installed")
        self.browser.execute_script((Path(found.submodule_search_locations[0]) / "axe.min.js").read_text("utf-8"))
        judged = self.browser.execute_async_script("axe.run().then(arguments[0])")
        assert judged["passes"]
        wrong = [
            (one["id"], one["nodes"][0]["html"])
            for one in judged["violations"]
            if one["impact"] in {"serious", "critical"}
        ]
        assert wrong == [], name
        if folder := os.environ.get("STUDIO_IMAGES"):
            self.browser.save_screenshot(f"{folder}/studio-{name}-{self.width}.png")

    def signs_in(self) -> None:
        """Sign in on the sandbox's consent page, which opens in a tab of its own."""
        self.press("Sign in to an account")
        self.press("Begin to sign in")
        mine = self.browser.current_window_handle
        self.press("Open TikTok's page and agree there")
        (other,) = [one for one in self.browser.window_handles if one != mine]
        self.browser.switch_to.window(other)
        self.sees("A simulated TikTok")
        self.press("Allow")
        self.sees("You can close this window")
        self.browser.close()
        self.browser.switch_to.window(mine)
        self.sees("New post")

    def chooses(self, film: Path) -> None:
        """Choose a film's file."""
        self.waits(lambda driver: driver.find_elements("id", "film"))
        self.browser.find_element("id", "film").send_keys(str(film))

    def fills_in(self, title: str) -> None:
        """Fill in the export page: a title, and that only the creator can see it."""
        self.sees("Who can view this post")
        self.browser.find_element("name", "title").send_keys(title)
        self.browser.find_element("css selector", "option[value=SELF_ONLY]").click()

    def waits(self, condition: Callable[[Any], Any], what: str = "what the test waits for") -> None:
        """Wait until a condition holds."""
        from selenium.common import TimeoutException  # noqa: PLC0415 - only `make check` installs it
        from selenium.webdriver.support.wait import WebDriverWait  # noqa: PLC0415 - only `make check` installs it

        try:
            WebDriverWait(self.browser, WAIT).until(condition)
        except TimeoutException:
            raise AssertionError(f"{what!r} is not there: {self.browser.current_url} {self.text}") from None

    def does(self, key: str, action: str) -> None:
        """Press a button of a post, and wait for the page that follows."""
        self.browser.execute_script("window.former = true")
        self.browser.find_element("css selector", f"[data-post='{key}'] form[action$='/{action}'] button").click()
        self.waits(lambda driver: driver.execute_script("return !window.former && document.readyState === 'complete'"))


def posts_a_film(person: Person) -> None:
    """A film: its first frame, what is known of it, and the post."""
    person.chooses(MEDIA / "good.mp4")
    person.fills_in("Hello from the studio")
    person.sees("Codec: H.264")
    person.waits(lambda driver: driver.execute_script("return document.querySelector('video').readyState >= 2"))
    person.checks("export")
    person.press("Post")
    person.sees("Posted")
    person.sees("Hello from the studio")
    person.checks("posts")


def sends_other_kinds(person: Person) -> None:
    """A draft, and photos."""
    person.chooses(MEDIA / "vp9.webm")
    person.sees("Codec: VP9")
    person.press("Send to inbox as draft")
    person.sees("Draft in the inbox of the TikTok app")
    person.browser.find_element("id", "urls").send_keys("https://media.example.com/1.jpg")
    person.press("Use these pictures")
    person.fills_in("A photo")
    person.press("Post")
    person.sees("1 picture")
    person.sees("A photo")


def is_refused(person: Person) -> None:
    """What is no film is not kept, and a film that TikTok would refuse has no button that posts it."""
    person.chooses(MEDIA / "good.jpg")
    person.sees("the file is a JPEG picture")
    person.chooses(MEDIA / "eleven-minutes.mp4")
    person.sees("cannot be posted")
    assert not person.browser.find_element("css selector", ".tiktok-post").is_enabled()
    person.checks("refused")


def is_interrupted(person: Person, world: SimulatedTikTok, environ: dict[str, str]) -> None:
    """An upload that breaks off goes on, as the same post."""
    world.faults.add("putx9=status:500")
    person.chooses(MEDIA / "h265.mov")
    person.fills_in("Broken off")
    person.press("Post")
    person.sees("Go on continues it")
    person.sees("Upload interrupted")
    person.checks("interrupted")
    world.faults.clear()
    posted = len(world.posts)
    person.press("Go on")
    person.sees("Broken off")
    person.waits(lambda _driver: all_ended(environ))
    person.waits(lambda driver: "Upload interrupted" not in person.text)
    assert len(world.posts) == posted


def is_held(person: Person, posts: str, environ: dict[str, str]) -> None:
    """Of two posts that another program holds, one is released and posted, and one is given up."""
    with connect(environ=environ) as client:
        account = client.account()
        held = account.enter_video(MEDIA / "good.mp4", title="Held", privacy_level="SELF_ONLY", held=True)
        other = account.enter_video(MEDIA / "vp8.webm", title="Not wanted", privacy_level="SELF_ONLY", held=True)
        person.browser.get(posts)
        person.sees("Held: release it")
        person.checks("held")
        person.does(held.key, "release")
        person.sees("Waits for a worker")
        person.does(held.key, "go-on")
        person.does(other.key, "give-up")
        person.sees("Given up: nothing was posted")
        person.waits(lambda _driver: all_ended(environ))
        assert account.post(held.key).publish_id
        assert not account.post(other.key).publish_id


@pytest.mark.parametrize("width", [360, 1400])
def test_a_person_posts(studio: str, world: SimulatedTikTok, environ: dict[str, str], browser: Any, width: int) -> None:
    """From the sign-in to a published post, a draft, photos, a refused film, and posts that were interrupted, held and given up."""
    person = Person(browser, width)
    browser.get(studio)
    person.sees("No account is signed in")
    assert "ticket" not in browser.current_url
    person.checks("accounts")
    person.signs_in()
    posts = browser.current_url
    person.checks("new")
    posts_a_film(person)
    sends_other_kinds(person)
    is_refused(person)
    browser.get(posts)
    is_interrupted(person, world, environ)
    is_held(person, posts, environ)
    assert [one["message"] for one in browser.get_log("browser") if "Content Security Policy" in one["message"]] == []


def all_ended(environ: dict[str, str]) -> bool:
    """Whether no post is under way."""
    with connect(environ=environ) as client:
        return not client.account().unfinished()


# --- A page of another port of this machine --------------------------------------------------------------------------

EVIL = """<!doctype html><title>evil</title><iframe name="frame"></iframe>
<form method="post" target="frame" action="{act}"><input name="csrf" value="{csrf}"><input name="key" value="{key}"></form>
<script>
const tries = {{
  get: () => fetch("{page}", {{ credentials: "include" }}).then(answer => answer.text()),
  opaque: () => fetch("{page}", {{ credentials: "include", mode: "no-cors" }}).then(answer => answer.text()),
  post: () => fetch("{act}", {{ method: "POST", credentials: "include", mode: "no-cors",
    body: new URLSearchParams({{ csrf: "{csrf}", key: "{key}" }}) }}).then(answer => answer.text()),
  put: () => fetch("{page}/films", {{ method: "PUT", credentials: "include", headers: {{ "X-Studio-Csrf": "{csrf}" }}, body: "film" }}),
  image: () => new Promise((resolve, reject) => {{
    const image = new Image(); image.onload = () => resolve("loaded"); image.onerror = reject; image.src = "{page}"; }}),
  script: () => new Promise((resolve, reject) => {{
    const one = document.createElement("script"); one.onload = () => resolve("loaded"); one.onerror = reject; one.src = "{script}";
    document.head.append(one); }}),
  events: () => new Promise((resolve, reject) => {{
    const source = new EventSource("{page}/events", {{ withCredentials: true }}); source.onmessage = resolve; source.onerror = reject; }}),
  socket: () => new Promise((resolve, reject) => {{
    const socket = new WebSocket("{socket}"); socket.onopen = resolve; socket.onerror = reject; }}),
  frame: () => new Promise(resolve => {{
    const frame = document.querySelector("iframe");
    frame.onload = () => {{ try {{ resolve(frame.contentDocument.body.innerText || "empty"); }} catch {{ resolve(""); }} }};
    document.querySelector("form").submit(); }}),
}};
window.results = {{}};
(async () => {{
  for (const [name, attempt] of Object.entries(tries)) {{
    try {{ window.results[name] = String(await attempt()); }} catch {{ window.results[name] = ""; }}
  }}
  window.done = true;
}})();
</script>"""


def test_a_page_on_another_port_gets_nothing(
    studio: str, environ: dict[str, str], world: SimulatedTikTok, browser: Any
) -> None:
    """Cookies and SameSite know no ports: what keeps such a page out is the path of the cookie and the check of each request.

    The page knows the worst: the address of the studio, a token of its forms, and the key of a post.
    """
    with connect(environ=environ) as client:
        asked = client.authorization(redirect_uri="http://127.0.0.1:3455/callback/")
        account = client.sign_in(asked, world.authorize(asked.url))
        held = account.enter_video(MEDIA / "good.mp4", title="Canary of a title", privacy_level="SELF_ONLY", held=True)
        browser.get(studio)
        mine = browser.current_url
        page = f"{mine}a/{account.open_id}"
        browser.get(page)
        csrf = browser.execute_script("return document.body.dataset.csrf")
        html = EVIL.format(
            page=page,
            act=f"{page}/posts/give-up",
            csrf=csrf,
            key=held.key,
            script=f"{mine}studio.js",
            socket=f"{page}/events".replace("http:", "ws:"),
        )
        with foreign(html) as (address, cookies):
            browser.get(address)
            person = Person(browser, 1400)
            person.waits(lambda driver: driver.execute_script("return window.done === true"))
            results = browser.execute_script("return window.results")
        assert set(results.values()) == {""}, results
        assert set(cookies) == {""}
        assert account.post(held.key) == held
        browser.get(page)
        person.sees("Canary of a title")


@contextmanager
def foreign(html: str) -> Iterator[tuple[str, list[str]]]:
    """Serve a page on another port, and give its address and the cookies that it is sent."""
    cookies: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            cookies.append(self.headers.get("Cookie", ""))
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(html.encode())

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/", cookies
        finally:
            server.shutdown()
            thread.join()
