"""`tiktok studio`: the address that it prints, the simulated TikTok that it starts, its check-up, and how it ends.

What belongs here: the command as a process. The page is tested in `tests/studio`.
"""

import json
import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable
from typing import Any

import pytest

from studio_browser import WAIT, Browser
from tiktok_adapters.cli.person import consent

Process = Callable[..., "subprocess.Popen[str]"]


def opened(running: "subprocess.Popen[str]") -> Browser:
    """Return a browser that has opened the printed address."""
    assert running.stdout is not None
    return Browser(json.loads(running.stdout.readline())["url"]).enter()


def ended(running: "subprocess.Popen[str]", number: int = signal.SIGINT) -> str:
    """End the command, and return what it said."""
    running.send_signal(number)
    _stdout, stderr = running.communicate(timeout=WAIT)
    assert running.returncode == 0, stderr
    assert "Traceback" not in stderr
    return stderr


def signed_in(browser: Browser) -> str:
    """Sign in as a person does in the sandbox, and return the account's path."""
    page = browser.post("/sign-in")
    asked = re.search(r'class="press" href="([^"]+)"', page.text)
    assert asked is not None, page.said
    # The consent page is the sandbox's, whatever this machine's settings say.
    assert consent(asked[1]) == 200
    browser.until("/sign-in", "Go to the posts of this account")
    found = json.loads(browser.get("/sign-in/state").body)["go"]
    assert isinstance(found, str)
    return found.removeprefix(browser.place)


def test_the_sandbox_needs_no_settings_and_leads_nowhere_else(process: Process) -> None:
    """With `--sandbox` a person signs in, is checked up, and none of the machine's own settings counts."""
    real = {"TIKTOK_CLIENT_KEY": "mistaken", "TIKTOK_API_URL": "https://192.0.2.1", "TIKTOK_STORE": "keyring"}
    running = process("studio", "--sandbox", "--no-browser", "--json", env=real)
    browser = opened(running)
    assert "A simulated TikTok at http://127.0.0.1:" in browser.get("/").said
    path = signed_in(browser)
    assert "Posts of Maker One" in browser.get(path).said
    checked = browser.post("/doctor").said
    assert "TikTok's API fine 127.0.0.1:" in checked
    assert "upload host fine 127.0.0.1:" in checked
    assert "trouble" not in checked
    assert "address works once" in ended(running)


def test_it_opens_the_browser_and_leaves_the_process_as_it_was(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address that is printed is the one that the browser opens; at the end the sandbox's variables are gone again."""
    seen: list[str] = []

    def visit(url: str) -> None:
        try:
            browser = Browser(url).enter()
            seen.extend((url, browser.get("/").said, browser.post("/doctor").said))
        finally:
            os.kill(os.getpid(), signal.SIGINT)

    def open_browser(url: str) -> None:
        threading.Thread(target=visit, args=(url,)).start()

    monkeypatch.setattr("tiktok_adapters.cli.studio.open_browser", open_browser)
    monkeypatch.setenv("TIKTOK_LOG", "WARNING")
    result = cli("studio", "--sandbox", env={"TIKTOK_CLIENT_KEY": "mine"})
    assert result.exit_code == 0, result.output
    url, page, checked = seen
    assert url in result.output
    assert "Nothing here reaches TikTok" in page
    assert "sign-in trouble" in checked
    assert os.environ["TIKTOK_LOG"] == "WARNING"
    assert "TIKTOK_API_URL" not in os.environ


def test_it_uses_the_settings_and_their_home(process: Process, signed_in: str) -> None:
    """Without `--sandbox` it has the accounts of the home folder, and ends at SIGTERM, too."""
    running = process("studio", "--no-browser", "--json")
    browser = opened(running)
    assert signed_in in browser.get("/").text
    assert browser.get(f"/a/{signed_in}").status == 200
    ended(running, signal.SIGTERM)


def test_a_taken_port_is_told_in_one_sentence(process: Process, cli: Any, signed_in: str) -> None:
    """The second studio on a port ends before it opens a page."""
    assert signed_in
    running = process("studio", "--no-browser", "--json")
    browser = opened(running)
    port = browser.host.partition(":")[2]
    second = cli("studio", "--port", port, "--no-browser")
    assert second.exit_code == 2
    assert f"--port: {port} cannot be used: another program, perhaps another studio, has it" in second.output
    ended(running)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--sandbox", "--home", "somewhere"), "leave out --home"),
        (("--port", "70000"), "is not a port"),
    ],
)
def test_options_that_cannot_be(cli: Any, arguments: tuple[str, ...], said: str) -> None:
    """Bad options are refused before anything is started."""
    result = cli("studio", *arguments)
    assert result.exit_code == 2
    assert said in result.output


def test_missing_settings_are_named(cli: Any) -> None:
    """Without settings the command says what is missing, and how to try everything without an account."""
    result = cli("studio", "--no-browser", env={"TIKTOK_CLIENT_KEY": ""})
    assert result.exit_code == 2
    assert "client" in result.output
