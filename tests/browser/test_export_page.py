"""The export page in a real browser, under its strict policy: with its script, without it, narrow and wide.

What belongs here: what only a browser shows. What the HTML says is in `tests/export_page`.
"""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final
from urllib.parse import parse_qsl

import pytest
from attrs import define, field

from small_pictures import JPEGS
from tiktok_adapters.page import (
    POLICY,
    SCRIPT,
    STYLE,
    Shown,
    cannot_post_page,
    export_page,
    progress_page,
    read_submission,
    whole_page,
)
from tiktok_core import CreatorInfo, ExportForm, InvalidPost, Publication

VIDEO: Final = Path(__file__).parents[1] / "media" / "good.mp4"
WAIT: Final = 30
WIDTHS: Final = (360, 1400)
MAKER: Final = CreatorInfo(
    creator_nickname="Maker One",
    creator_username="maker_one",
    privacy_level_options=("PUBLIC_TO_EVERYONE", "MUTUAL_FOLLOW_FRIENDS", "SELF_ONLY"),
    stitch_disabled=True,
    max_video_post_duration_sec=300,
)
NOT_PRIVATE: Final = "Branded content visibility cannot be set to private."
UNDISCLOSED: Final = "You need to indicate if your content promotes yourself, a third party, or both."
PROMOTIONAL: Final = "Your photo/video will be labeled as 'Promotional content'"
PARTNERSHIP: Final = "Your photo/video will be labeled as 'Paid partnership'"
MUSIC: Final = "By posting, you agree to TikTok's Music Usage Confirmation"
BOTH: Final = "By posting, you agree to TikTok's Branded Content Policy and Music Usage Confirmation"
AT_ONCE: Final = "const later = window.setTimeout; window.setTimeout = (run, _wait) => later(run, 20);"
"""Lets the page look again at once, so that no test waits."""


@define(eq=False)
class App:
    """A small app that serves the page. It keeps what was posted.

    Attributes:
        is_photo: whether it posts photos.
        url: its address.
        posts: the settings that were posted.
        trips: which buttons came.
        looks: how often a page about a post was asked for.
    """

    is_photo: bool = False
    url: str = ""
    posts: list[Any] = field(factory=list)
    trips: list[str] = field(factory=list)
    looks: int = 0

    def page(self, form: ExportForm, **settings: Any) -> str:
        """Return the page of a form."""
        pictures = ("/1.jpg", "/2.jpg") if self.is_photo else ()
        shown = Shown(
            video="" if self.is_photo else "/clip.mp4", pictures=pictures, name="clip.mp4", lines=("12.5 MB",)
        )
        return export_page(form, action="/", shown=shown, hidden={"csrf": "a-token"}, **settings)

    def got(self, path: str) -> tuple[str, str | bytes]:
        """Answer a GET."""
        fresh = ExportForm(MAKER, is_photo=self.is_photo, title="Evening light #kyoto")
        match path:
            case "/":
                return self.html(self.page(fresh))
            case "/style.css":
                return "text/css", STYLE
            case "/script.js":
                return "text/javascript", SCRIPT
            case "/clip.mp4":
                return "video/mp4", VIDEO.read_bytes()
            case "/1.jpg" | "/2.jpg":
                return "image/jpeg", next(iter(JPEGS.values()))
            case _ if path.startswith("/state?"):
                chosen = dict(parse_qsl(path.partition("?")[2]))
                return self.html(self.page(read_submission(chosen).on(fresh)))
            case "/later":
                return self.html(cannot_post_page(nickname="Maker One", reason="The cap is reached.", again="/"))
            case "/posts/1":
                self.looks += 1
                done = Publication(publish_id="1", status="PUBLISH_COMPLETE") if self.looks > 2 else None
                return self.html(progress_page(done, again="/posts/1"))
            case _:
                return "text/plain", ""

    def sent(self, fields: dict[str, str]) -> tuple[str, str | bytes]:
        """Answer a POST."""
        assert fields["csrf"] == "a-token"
        sent = read_submission(fields)
        self.trips.append(sent.action)
        form = sent.on(ExportForm(MAKER, is_photo=self.is_photo))
        problems = sent.problems
        if sent.action == "post" and not problems:
            try:
                urls = ("https://media.example.com/1.jpg", "https://media.example.com/2.jpg")
                extra = {"description": sent.photos.description, "photo_cover_index": sent.photos.photo_cover_index}
                self.posts.append(form.photo_post(urls, **extra) if self.is_photo else form.video_post())
            except InvalidPost as error:
                problems = error.problems
            else:
                return self.html(progress_page(again="/posts/1"))
        return self.html(self.page(form, refused=problems, sent=sent))

    def html(self, part: str) -> tuple[str, str]:
        """Return a document around a part."""
        return "text/html; charset=utf-8", whole_page(
            part, title="Post to TikTok", style="/style.css", script="/script.js"
        )


@contextmanager
def serving(app: App) -> Iterator[App]:
    """Serve an app on loopback."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.answer(*app.got(self.path))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self.answer(*app.sent(dict(parse_qsl(body, keep_blank_values=True))))

        def answer(self, kind: str, body: str | bytes) -> None:
            raw = body.encode() if isinstance(body, str) else body
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(raw)))
            self.send_header("Content-Security-Policy", POLICY)
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the name is the library's
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        app.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield app
        finally:
            server.shutdown()
            thread.join()


@define(eq=False)
class Person:
    """A person at the page: they see what is shown, and can use what is not disabled.

    Attributes:
        browser: the browser.
    """

    browser: Any

    def at(self, selector: str) -> Any:
        """Return an element."""
        return self.browser.find_element("css selector", selector)

    def named(self, name: str) -> Any:
        """Return a control."""
        return self.at(f"[name={name}]:not([type=hidden])")

    def tick(self, name: str) -> None:
        """Click a box."""
        self.named(name).click()

    def choose(self, level: str) -> None:
        """Choose a level."""
        self.level(level).click()

    def level(self, level: str) -> Any:
        """Return a line of the drop-down."""
        return self.at(f"[name=privacy_level] option[value='{level}']")

    @property
    def post(self) -> Any:
        """The button that posts."""
        return self.at("button[value=post]")

    def press(self, button: str) -> None:
        """Press a button, and wait for the next page."""
        before = self.at("html").id
        pressed = self.at(f"button[value={button}]")
        assert pressed.is_enabled()
        pressed.click()
        self.until(lambda: self.at("html").id != before)

    def until(self, condition: Any) -> None:
        """Wait until a condition holds."""
        from selenium.common.exceptions import NoSuchElementException  # noqa: PLC0415 - only `make check` installs it
        from selenium.webdriver.support.wait import WebDriverWait  # noqa: PLC0415

        ignored = (NoSuchElementException,)
        WebDriverWait(self.browser, WAIT, 0.05, ignored_exceptions=ignored).until(lambda _driver: condition())

    @property
    def text(self) -> str:
        """What can be read."""
        text: str = self.at("body").text
        return text

    @property
    def carried(self) -> str:
        """The declaration that the form carries."""
        value: str = self.browser.execute_script("return document.querySelector('[name=agreed_to]').value")
        return value

    @property
    def declaration(self) -> str:
        """The declaration that can be read."""
        text: str = self.at("#tiktok-declaration").text
        return text


@pytest.fixture
def person(browser: Any) -> Person:
    """Return a person whose page looks again at once."""
    browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": AT_ONCE})
    return Person(browser)


def wide(browser: Any, width: int) -> None:
    """Set the width of the page, in pixels."""
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def without_script(browser: Any) -> None:
    """Let no page have its script."""
    browser.execute_cdp_cmd("Network.enable", {})
    browser.execute_cdp_cmd("Network.setBlockedURLs", {"urls": ["*/script.js"]})


def check_use(browser: Any) -> None:
    """Check the page with axe-core, and that nothing runs over its place."""
    found = importlib.util.find_spec("axe_playwright_python")
    if found is None or not found.submodule_search_locations:
        pytest.skip("axe-playwright-python is not installed")
    browser.execute_script((Path(found.submodule_search_locations[0]) / "axe.min.js").read_text("utf-8"))
    result = browser.execute_async_script("axe.run().then(arguments[0])")
    assert result["passes"]
    serious = {"serious", "critical"}
    wrong = [(one["id"], one["nodes"][0]["html"]) for one in result["violations"] if one["impact"] in serious]
    assert wrong == []
    page = "const page = document.documentElement; return page.scrollWidth > page.clientWidth"
    assert browser.execute_script(page) is False


# --- With the script ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1400, "light")])
def test_branded_first_then_private(person: Person, width: int, scheme: str) -> None:
    """Each choice shows at once what it means, with no round trip before Post; axe-core finds nothing serious on the way."""
    browser = person.browser
    wide(browser, width)
    liked = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", liked)
    with serving(App()) as app:
        browser.get(app.url)
        assert "Maker One" in person.text
        assert not person.at("button[value=update]").is_displayed()
        assert not person.post.is_enabled()
        assert person.post.get_attribute("title") == "Choose who can view this post."
        assert not person.named("brand_content_toggle").is_displayed()
        assert not person.named("allow_stitch").is_enabled()
        assert "labeled" not in person.text
        check_use(browser)

        person.choose("PUBLIC_TO_EVERYONE")
        assert person.post.is_enabled()
        person.tick("is_disclosed")
        assert not person.post.is_enabled()
        assert person.post.get_attribute("title") == UNDISCLOSED
        assert UNDISCLOSED in person.at("#tiktok-hint-post").text
        assert "labeled" not in person.text
        person.tick("brand_organic_toggle")
        assert (PROMOTIONAL in person.text, person.declaration, person.carried) == (True, MUSIC, MUSIC)
        assert person.post.is_enabled()
        person.tick("brand_content_toggle")
        assert (PROMOTIONAL in person.text, PARTNERSHIP in person.text) == (False, True)
        assert (person.declaration, person.carried) == (BOTH, BOTH)
        private = person.level("SELF_ONLY")
        assert (private.is_enabled(), private.get_attribute("title")) == (False, NOT_PRIVATE)
        assert NOT_PRIVATE in person.at("#tiktok-hint-privacy_level").text
        check_use(browser)

        person.press("post")
        assert "may take a few minutes" in person.text
        assert app.trips == ["post"]
        (post,) = app.posts
        assert (post.title, post.privacy_level) == ("Evening light #kyoto", "PUBLIC_TO_EVERYONE")
        assert (post.brand_content_toggle, post.brand_organic_toggle, post.disable_comment) == (True, True, True)
        person.until(lambda: "The post is published." in person.text)
        assert "few minutes" not in person.text
        check_use(browser)
        assert [one for one in browser.get_log("browser") if "Content Security Policy" in one["message"]] == []


def test_private_first_then_branded(person: Person) -> None:
    """The box is disabled with its text until another level is chosen; turning the disclosure off unticks the boxes."""
    with serving(App()) as app:
        person.browser.get(app.url)
        person.choose("SELF_ONLY")
        person.tick("is_disclosed")
        box = person.named("brand_content_toggle")
        assert (box.is_enabled(), box.get_attribute("title")) == (False, NOT_PRIVATE)
        assert NOT_PRIVATE in person.at("#tiktok-hint-brand_content_toggle").text
        for width in WIDTHS:
            wide(person.browser, width)
            check_use(person.browser)
        person.choose("MUTUAL_FOLLOW_FRIENDS")
        assert (box.is_enabled(), box.get_attribute("title")) == (True, "")
        person.tick("brand_content_toggle")
        assert not person.level("SELF_ONLY").is_enabled()
        person.tick("is_disclosed")
        assert person.level("SELF_ONLY").is_enabled()
        assert (person.declaration, person.carried) == (MUSIC, MUSIC)
        person.tick("is_disclosed")
        assert not box.is_selected()
        person.tick("is_disclosed")
        person.choose("SELF_ONLY")
        person.tick("allow_comment")
        person.press("post")
        (post,) = app.posts
        assert (post.privacy_level, post.brand_content_toggle, post.disable_comment) == ("SELF_ONLY", False, False)
        assert (post.disable_duet, post.disable_stitch) == (True, True)


def test_a_keyboard_alone_is_enough_and_enter_never_posts(person: Person) -> None:
    """Space ticks; Enter on a box shows the page again, and posts nothing."""
    from selenium.webdriver.common.keys import Keys  # noqa: PLC0415 - only `make check` installs it

    with serving(App()) as app:
        person.browser.get(app.url)
        person.choose("SELF_ONLY")
        person.named("allow_comment").send_keys(Keys.SPACE)
        before = person.at("html").id
        person.named("allow_comment").send_keys(Keys.ENTER)
        person.until(lambda: person.at("html").id != before)
        assert (app.trips, app.posts) == (["update"], [])
        assert person.named("allow_comment").is_selected()
        assert not person.browser.find_elements("css selector", "#tiktok-problems")


def test_a_second_press_sends_nothing(person: Person) -> None:
    """A double click posts once; after coming back to the page, a press counts again."""
    watch = """
    window.refused = [];
    window.addEventListener("submit", event => { window.refused.push(event.defaultPrevented); event.preventDefault(); });
    const post = document.querySelector("button[value=post]");
    post.click();
    post.click();
    window.dispatchEvent(new Event("pageshow"));
    post.click();
    return window.refused;
    """
    with serving(App()) as app:
        person.browser.get(app.url)
        person.choose("SELF_ONLY")
        assert person.browser.execute_script(watch) == [False, True, False]


def test_the_length_is_counted_as_tiktok_counts_it(person: Person) -> None:
    """An emoji counts two; a title that is too long is marked while it is typed, and disables the button."""
    with serving(App(is_photo=True)) as app:
        person.browser.get(app.url)
        person.choose("SELF_ONLY")
        fill = "const area = document.querySelector('[name=title]'); area.value = arguments[0];"
        fill += "area.dispatchEvent(new Event('input', {bubbles: true}))"
        person.browser.execute_script(fill, "\U0001f307" * 45)
        assert "90 of 90" in person.text
        assert person.post.is_enabled()
        person.browser.execute_script(fill, "\U0001f307" * 45 + "x")
        assert "This text has 91 characters. TikTok takes at most 90." in person.text
        assert person.named("title").get_attribute("aria-invalid") == "true"
        assert not person.post.is_enabled()
        person.browser.execute_script(fill, "Two doors")
        assert person.named("title").get_attribute("aria-invalid") is None
        person.named("description").send_keys("one\ntwo")
        person.at("[name=photo_cover_index] option[value='1']").click()
        check_use(person.browser)
        person.press("post")
        (post,) = app.posts
        assert (post.title, post.description, post.photo_cover_index) == ("Two doors", "one\ntwo", 1)


def test_problems_are_focused_and_go_when_they_are_solved(person: Person) -> None:
    """The list gets the focus; a line of it leads to its control; after a change the mark and the line are gone.

    The page for a creator who cannot post now can be used by all, too.
    """
    with serving(App()) as app:
        person.browser.get(app.url)
        person.choose("PUBLIC_TO_EVERYONE")
        # A page that was left open while the creator took the level away.
        person.browser.execute_script("document.querySelector('[value=PUBLIC_TO_EVERYONE]').value = 'GONE'")
        person.press("post")
        assert app.posts == []
        person.until(lambda: person.browser.switch_to.active_element.get_attribute("id") == "tiktok-problems")
        (line,) = person.browser.find_elements("css selector", "#tiktok-problems a")
        assert "does not offer that choice now" in line.text
        for width in WIDTHS:
            wide(person.browser, width)
            check_use(person.browser)
        line.click()
        assert person.browser.switch_to.active_element.get_attribute("name") == "privacy_level"
        assert person.named("privacy_level").get_attribute("aria-invalid") == "true"
        person.choose("SELF_ONLY")
        assert person.named("privacy_level").get_attribute("aria-invalid") is None
        assert "does not offer" not in person.text
        assert not person.browser.find_elements("css selector", "#tiktok-problems")
        person.press("post")
        assert [post.privacy_level for post in app.posts] == ["SELF_ONLY"]

        person.browser.get(f"{app.url}/state?title=a%00b")
        title = person.named("title")
        assert title.get_attribute("aria-invalid") == "true"
        assert person.at("#tiktok-problems").text.endswith("cannot store. Remove it.")
        title.clear()
        assert title.get_attribute("aria-invalid") is None
        assert "cannot store" not in person.text

        person.browser.get(f"{app.url}/later")
        assert "Try again later." in person.text
        check_use(person.browser)


STATES: Final = """
const done = arguments[arguments.length - 1];
const isPhoto = arguments[0];
const snapshot = root => [...root.querySelectorAll(".tiktok-form *")]
  .filter(one => one.matches("[data-when], label, input, select, option, button, span"))
  .map(one => [one.tagName, one.name || one.value || one.dataset.when || one.textContent, one.hidden, one.disabled === true,
    one.title, one.name === "agreed_to" ? one.value : ""].join(" | "));
const field = name => document.querySelector(".tiktok-form").elements.namedItem(name);
const boxes = ["is_disclosed", "brand_organic_toggle", "brand_content_toggle"];
(async () => {
  const different = [];
  let looked = 0;
  for (let bits = 0; bits < 64; bits++) {
    const level = [...field("privacy_level").options][(bits >> 3) % 4].value;
    const isLong = bits >= 32;
    field("privacy_level").value = level;
    field("title").value = isLong ? "x".repeat(isPhoto ? 91 : 2201) : "short";
    const chosen = new URLSearchParams({ title: field("title").value, privacy_level: level });
    boxes.forEach((name, place) => {
      field(name).checked = Boolean(bits & (1 << place));
      if (field(name).checked) chosen.set(name, "on");
    });
    field("title").dispatchEvent(new Event("change", { bubbles: true }));
    const answer = await (await fetch(`/state?${chosen}`)).text();
    const [ours, served] = [document, new DOMParser().parseFromString(answer, "text/html")].map(snapshot);
    ours.forEach((line, place) => { if (line !== served[place]) different.push([String(chosen).slice(-120), line, served[place]]); });
    looked += ours.length === served.length;
  }
  done([looked, different.slice(0, 5)]);
})();
"""


@pytest.mark.parametrize("is_photo", [False, True])
def test_the_script_shows_what_the_server_would_show(person: Person, is_photo: bool) -> None:
    """After every combination of level, disclosure, boxes and a long title: what is hidden, disabled, hinted and carried."""
    with serving(App(is_photo=is_photo)) as app:
        person.browser.get(app.url)
        # Without the script there is one button more; it is the only difference.
        script = "document.querySelector('[data-without-script]').hidden = false;" + STATES
        looked, different = person.browser.execute_async_script(script, is_photo)
        assert different == []
        assert looked == 64


# --- Without the script ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", WIDTHS)
def test_branded_first_then_private_without_the_script(person: Person, width: int) -> None:
    """The same walk by round trips, each with Update."""
    wide(person.browser, width)
    without_script(person.browser)
    with serving(App()) as app:
        person.browser.get(app.url)
        assert not person.post.is_enabled()
        check_use(person.browser)
        person.tick("is_disclosed")
        person.choose("PUBLIC_TO_EVERYONE")
        person.press("update")
        assert not person.post.is_enabled()
        assert person.post.get_attribute("title") == UNDISCLOSED
        assert UNDISCLOSED in person.at("#tiktok-hint-post").text
        person.tick("brand_organic_toggle")
        person.press("update")
        assert PROMOTIONAL in person.text
        assert person.post.is_enabled()
        # The declaration that was shown is not that of the choices: the page comes once more, and asks to read it.
        person.tick("brand_content_toggle")
        person.press("post")
        assert app.posts == []
        assert "Read the sentence above the button" in person.at("#tiktok-problems").text
        assert (PARTNERSHIP in person.text, person.declaration) == (True, BOTH)
        private = person.level("SELF_ONLY")
        assert (private.is_enabled(), private.get_attribute("title")) == (False, NOT_PRIVATE)
        check_use(person.browser)
        person.press("post")
        assert app.trips == ["update", "update", "post", "post"]
        (post,) = app.posts
        assert (post.brand_content_toggle, post.brand_organic_toggle, post.title) == (
            True,
            True,
            "Evening light #kyoto",
        )
        before = person.at("html").id
        person.at("#tiktok-progress a").click()
        person.until(lambda: person.at("html").id != before)
        person.at("#tiktok-progress a").click()
        person.until(lambda: person.browser.find_elements("css selector", "a") and app.looks == 2)
        person.at("#tiktok-progress a").click()
        person.until(lambda: "The post is published." in person.text)


def test_private_first_then_branded_without_the_script(person: Person) -> None:
    """The box is disabled after the round trip; both chosen at once are told at the box, and either can be taken back."""
    without_script(person.browser)
    with serving(App()) as app:
        person.browser.get(app.url)
        person.choose("SELF_ONLY")
        person.tick("is_disclosed")
        person.press("update")
        box = person.named("brand_content_toggle")
        assert (box.is_enabled(), box.get_attribute("title")) == (False, NOT_PRIVATE)
        person.choose("PUBLIC_TO_EVERYONE")
        person.press("update")
        # The button is enabled again by Update; then the person chooses both.
        person.tick("brand_organic_toggle")
        person.press("update")
        person.tick("brand_organic_toggle")
        person.choose("SELF_ONLY")
        person.tick("brand_content_toggle")
        person.press("post")
        assert app.posts == []
        assert NOT_PRIVATE in person.at("#tiktok-error-brand_content_toggle").text
        assert not person.post.is_enabled()
        person.tick("brand_content_toggle")
        person.tick("brand_organic_toggle")
        person.press("update")
        person.press("post")
        (post,) = app.posts
        assert (post.privacy_level, post.brand_organic_toggle, post.brand_content_toggle) == ("SELF_ONLY", True, False)
