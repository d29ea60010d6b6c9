"""Opening the browser: it gets the URL as one argument, and prints nothing on the terminal."""

import sys
import threading
from pathlib import Path

import pytest

from tiktok_adapters.sign_in.browser import open_browser

URL = "http://127.0.0.1:1/page?a=1&b=$(touch%20x);c='d'"


def _ended() -> None:
    for thread in threading.enumerate():
        if thread.name == "tiktok-browser":
            thread.join(20)


def test_the_browser_gets_the_url(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The browser gets the whole URL without a shell, and its output is discarded."""
    script = tmp_path / "browser.py"
    script.write_text(
        "import pathlib, sys\nprint('noise')\nprint('noise', file=sys.stderr)\n"
        f"pathlib.Path({str(tmp_path / 'seen')!r}).write_text(sys.argv[1])\n"
    )
    monkeypatch.setenv("BROWSER", f"{sys.executable} {script} %s")
    assert open_browser(URL)
    _ended()
    assert (tmp_path / "seen").read_text() == URL
    assert capfd.readouterr() == ("", "")


def test_a_browser_that_cannot_be_started_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """If no browser can be started, the function returns False and does not raise."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "missing"))
    assert not open_browser(URL)
