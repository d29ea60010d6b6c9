"""The sandbox's own pages in a real browser: readable on a phone as on a wide screen."""

from collections.abc import Iterator
from typing import Any

import pytest

from tiktok_adapters.simulator.publishing import PHOTO_TITLE
from tiktok_adapters.simulator.server import SandboxServer

WORD = "x" * 200
LONG = [f"https://media.example.com/{'a-long-folder-' * 12}{number}.jpg?{WORD}" for number in (1, 2)]
OVERFLOWING = """
const cells = [...document.querySelectorAll("article > div, article p, dt, dd, li, h1, h2, fieldset, label")];
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
