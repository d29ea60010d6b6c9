"""A person signs in with a real browser: the printed address, the consent page, a click, the last page, stored tokens.

`CONSENT_IMAGE=docs/images/consent.png` also writes the picture of the consent page that the documents show.
"""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Start = Callable[..., "subprocess.Popen[str]"]
WAIT = 30


@pytest.fixture
def sandbox(start: Start) -> dict[str, str]:
    """The settings that connect to a sandbox, as the sandbox prints them."""
    running = start("sandbox", "--json")
    assert running.stdout is not None
    environment: dict[str, str] = json.loads(running.stdout.readline())["environment"]
    return environment


def begin(start: Start, sandbox: dict[str, str], browser: Any) -> "subprocess.Popen[str]":
    """Start a login, and open the page that it prints."""
    running = start("login", "--no-browser", **sandbox)
    assert running.stdout is not None
    browser.get(running.stdout.readline().strip())
    return running


def press(browser: Any, label: str) -> str:
    """Press a button, and return the text of the next page."""
    by = pytest.importorskip("selenium.webdriver.common.by").By
    ui = pytest.importorskip("selenium.webdriver.support.ui")
    before = browser.find_element(by.TAG_NAME, "html").id
    browser.find_element(by.XPATH, f"//button[text()='{label}']").click()
    ui.WebDriverWait(browser, WAIT).until(lambda page: page.find_element(by.TAG_NAME, "html").id != before)
    text: str = browser.find_element(by.TAG_NAME, "body").text
    return text


def accounts(start: Start, sandbox: dict[str, str]) -> list[dict[str, str]]:
    """Return the signed-in accounts, as the command line lists them."""
    stdout, stderr = start("accounts", "--json", **sandbox).communicate(timeout=WAIT)
    assert not stderr
    found: list[dict[str, str]] = json.loads(stdout)["accounts"]
    return found


def test_a_person_signs_in(start: Start, sandbox: dict[str, str], browser: Any, tmp_path: Path) -> None:
    """The login prints a page, the person presses Allow, the last page says that it can be closed, and the tokens are stored."""
    running = begin(start, sandbox, browser)
    assert browser.title == "Log in with TikTok"
    page = browser.find_element("tag name", "body").text
    assert "A simulated TikTok. Nothing here reaches the real one." in page
    assert "Maker One (@maker_one, private)" in page
    assert "video.publish" in page
    browser.save_screenshot(str(tmp_path / "consent.png"))
    assert "You can close this window" in press(browser, "Allow")
    assert browser.current_url.startswith("http://127.0.0.1:")
    stdout, stderr = running.communicate(timeout=WAIT)
    assert running.returncode == 0, stderr
    assert "Signed in as Maker One" in stdout
    (account,) = accounts(start, sandbox)
    assert account["scope"] == "user.info.basic,video.publish,video.upload"
    if wanted := os.environ.get("CONSENT_IMAGE"):
        Path(wanted).write_bytes((tmp_path / "consent.png").read_bytes())


def test_a_person_unticks_a_scope(start: Start, sandbox: dict[str, str], browser: Any) -> None:
    """A scope that the person unticks is not granted, and the login says so."""
    running = begin(start, sandbox, browser)
    browser.find_element("css selector", "input[value='video.publish']").click()
    assert "You can close this window" in press(browser, "Allow")
    _stdout, stderr = running.communicate(timeout=WAIT)
    assert running.returncode == 0, stderr
    assert "You did not grant: video.publish." in stderr
    assert accounts(start, sandbox)[0]["scope"] == "user.info.basic,video.upload"


def test_a_person_says_no(start: Start, sandbox: dict[str, str], browser: Any) -> None:
    """If the person denies, the last page says so, the login ends with status 4, and no tokens are stored."""
    running = begin(start, sandbox, browser)
    text = press(browser, "Deny")
    assert "Not signed in" in text
    assert "access_denied" in text
    assert "You can close this window" in text
    _stdout, stderr = running.communicate(timeout=WAIT)
    assert running.returncode == 4
    assert "Sign-in failed (access_denied)" in stderr
    assert accounts(start, sandbox) == []


def test_a_faulty_address_is_named_on_the_page(start: Start, sandbox: dict[str, str], browser: Any) -> None:
    """For a faulty address the page names the parameter, as TikTok's does, and does not redirect the browser."""
    running = start("login", "--no-browser", **sandbox)
    assert running.stdout is not None
    browser.get(running.stdout.readline().strip().replace("client_key=", "client_id="))
    assert browser.find_element("id", "parameter").text == "client_key"


def test_a_phone_signs_in(start: Start, sandbox: dict[str, str], browser: Any) -> None:
    """The sandbox's phone takes the URL of the QR code, the person agrees, and the login ends."""
    running = start("login", "--qr", **sandbox, PYTHONIOENCODING="utf-8")
    assert running.stdout is not None
    said = next(line.strip() for line in running.stdout if line.startswith("aweme://"))
    browser.get(f"{sandbox['TIKTOK_API_URL']}/phone/")
    browser.find_element("id", "scanned").send_keys(said)
    assert "wants to use your TikTok account" in press(browser, "Scan")
    assert "Done: return to" in press(browser, "Allow")
    stdout, stderr = running.communicate(timeout=WAIT)
    assert running.returncode == 0, stderr
    assert "Signed in as Maker One" in stdout
