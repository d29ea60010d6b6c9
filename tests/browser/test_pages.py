"""The sandbox's own pages in a real browser: readable on a phone as on a wide screen."""

import importlib.util
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tiktok_adapters.simulator import UPLOAD_BASE
from tiktok_adapters.simulator.publishing import PHOTO_TITLE
from tiktok_adapters.simulator.server import SandboxServer

FILM = Path(__file__).parents[1] / "media" / "good.mp4"
WAIT = 30
WORD = "x" * 200
LONG = [f"https://media.example.com/{'a-long-folder-' * 12}{number}.jpg?{WORD}" for number in (1, 2)]
OVERFLOWING = """
const cells = [...document.querySelectorAll("article > div, article p, dt, dd, li, h1, h2, h3, fieldset, label, pre, summary")];
const outside = cells.filter(cell => {
  const inside = document.createRange();
  inside.selectNodeContents(cell);
  return inside.getBoundingClientRect().right > cell.getBoundingClientRect().right + 1;
});
const page = document.documentElement;
return [page.scrollWidth > page.clientWidth, outside.map(cell => cell.tagName)];
"""


@pytest.fixture
def sandbox(tiktok_fake: Any) -> Iterator[str]:
    """Yield the address of a sandbox that has a video, and photos with long URLs, a long title and a long description."""
    photos = {"title": WORD[:PHOTO_TITLE], "description": WORD, "privacy_level": "SELF_ONLY"}
    tiktok_fake.account.post_photos(LONG, **photos)
    with SandboxServer(tiktok_fake.simulator).run_in_thread() as server:
        yield server.url


@pytest.mark.parametrize("width", [320, 420, 640, 760, 1400])
def test_nothing_runs_over_its_place_at_any_width(sandbox: str, tiktok_fake: Any, browser: Any, width: int) -> None:
    """URLs of photos stay in their column, and no page has to be moved sideways: the posts, the consent page, its error page."""
    tiktok_fake.simulator.creator.nickname = WORD
    consent = tiktok_fake.tiktok.authorization().url.replace("https://www.tiktok.com", sandbox)
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    for url, sign in (
        (f"{sandbox}/", "ol code"),
        (consent, "fieldset"),
        (consent.replace("client_key=", f"client_key={WORD}"), "#parameter"),
        (f"{sandbox}/phone/", "#scanned"),
    ):
        browser.get(url)
        assert browser.find_elements("css selector", sign), url
        assert browser.execute_script(OVERFLOWING) == [False, []], url


# --- The sandbox's own page --------------------------------------------------------------------------------------------


def axe() -> str:
    """Return the program axe-core, which judges how well people with an impairment can use a page."""
    found = importlib.util.find_spec("axe_playwright_python")
    if found is None or not found.submodule_search_locations:
        pytest.skip("axe-playwright-python is not installed")
    return (Path(found.submodule_search_locations[0]) / "axe.min.js").read_text("utf-8")


def wait(browser: Any, condition: Callable[[Any], Any]) -> None:
    """Wait until a condition holds."""
    from selenium.webdriver.support.wait import WebDriverWait  # noqa: PLC0415 - only `make check` installs it

    WebDriverWait(browser, WAIT).until(condition)


def until(browser: Any, script: str) -> None:
    """Wait until a script in the page returns something true."""
    wait(browser, lambda driver: driver.execute_script(f"return {script}"))


def post_a_draft(fake: Any) -> None:
    """Post a draft in memory, where upload URLs are TikTok's, although a server has put its own in their place."""
    sim = fake.simulator
    served, sim.upload_base = sim.upload_base, UPLOAD_BASE
    fake.account.post_video(FILM, draft=True)
    sim.upload_base = served


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1400])
def test_people_with_an_impairment_can_use_every_page(
    sandbox: str, tiktok_fake: Any, browser: Any, width: int, scheme: str
) -> None:
    """axe-core finds nothing serious, with every part of the page open, in both colour schemes."""
    if folder := os.environ.get("PAGE_IMAGES"):
        # The documents show a post that a person might make.
        tiktok_fake.simulator.world.tasks.clear()
    post_a_draft(tiktok_fake)
    tiktok_fake.simulator.faults.add("put:2=drop-after")
    tiktok_fake.simulator.switches.access_seconds = 60
    consent = tiktok_fake.tiktok.authorization().url.replace("https://www.tiktok.com", sandbox)
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    liked = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", liked)
    for url in (f"{sandbox}/", consent, f"{sandbox}/phone/"):
        browser.get(url)
        if folder and url == f"{sandbox}/":
            until(browser, "document.getElementById('said').textContent === 'Live'")
            browser.execute_script("document.querySelector('#requests details').open = true")
            until(browser, "document.querySelector('video').readyState >= 2")
            browser.save_screenshot(f"{folder}/sandbox-{width}-{scheme}.png")
        browser.execute_script("document.querySelectorAll('details').forEach(one => { one.open = true; })")
        browser.execute_script(axe())
        found = browser.execute_async_script("axe.run().then(arguments[0])")
        assert found["passes"], url
        wrong = [
            (one["id"], one["impact"], one["nodes"][0]["html"])
            for one in found["violations"]
            if one["impact"] in {"serious", "critical"}
        ]
        assert wrong == [], url


def test_the_page_is_live_and_its_buttons_do_not_load_it_again(sandbox: str, tiktok_fake: Any, browser: Any) -> None:
    """A post, a fault and a press of another page's button appear by themselves; what a person is typing stays."""
    sim = tiktok_fake.simulator
    browser.get(f"{sandbox}/")
    browser.execute_script(
        "window.stays = true; document.querySelectorAll('details').forEach(one => { one.open = true; })"
    )
    until(browser, "document.getElementById('said').textContent === 'Live'")
    post_a_draft(tiktok_fake)
    until(browser, "document.querySelector('#list-posts h3').textContent === '(no caption)'")
    until(browser, "document.querySelector('#list-posts video') !== null")
    sim.faults.add("put:2=drop-after")
    until(browser, "document.querySelector('#list-faults').textContent.includes('put:2=drop-after')")

    typing = "document.querySelector('[data-key=access_seconds] input[name=value]')"
    browser.execute_script(f"{typing}.focus(); {typing}.value = '77'")
    sim.switches.access_seconds = 60
    browser.execute_script("document.querySelector('[data-key=mb] button[value=binary]').click()")
    until(browser, "document.querySelector('[data-key=mb] button[value=binary]').ariaPressed === 'true'")
    assert sim.switches.mb == "binary"
    assert browser.execute_script(f"return {typing}.value") == "77"
    browser.execute_script(f"{typing}.closest('form').requestSubmit()")
    until(browser, "document.getElementById('said').textContent === 'Done'")
    assert sim.switches.access_seconds == 77

    browser.execute_script(f"{typing}.value = 'soon'; {typing}.closest('form').requestSubmit()")
    until(browser, "document.getElementById('said').textContent.includes('it takes none or a whole number from 0')")
    assert sim.switches.access_seconds == 77
    assert browser.execute_script("return window.stays")


def test_the_page_works_without_its_script(sandbox: str, tiktok_fake: Any, browser: Any) -> None:
    """Each button is a form that shows the page again."""
    browser.execute_cdp_cmd("Network.enable", {})
    browser.execute_cdp_cmd("Network.setBlockedURLs", {"urls": ["*/page.js"]})
    browser.get(f"{sandbox}/")
    browser.find_element("css selector", "#list-accounts button[name=private]").click()
    wait(browser, lambda driver: driver.current_url == f"{sandbox}/#accounts")
    assert tiktok_fake.simulator.creator.private is False
    assert (
        browser.find_element("css selector", "#list-accounts button[name=private]").get_attribute("aria-pressed")
        == "false"
    )
