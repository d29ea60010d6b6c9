"""A headless browser, and the sandbox and the command line as separate processes."""

import logging
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

PROGRAM = (sys.executable, "-W", "error", "-c", "from tiktok_adapters.cli import main; main()")
FLAGS = (
    "--headless=new",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=760,820",
    "--force-color-profile=srgb",
    "--lang=en",
)
WAIT = 30


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Any]:
    """Chromium, driven by selenium; the test is skipped if one of them is missing."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    programs = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
    if missing := [name for name, path in programs.items() if path is None]:
        pytest.skip(f"{' and '.join(missing)} not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = programs["chromium"]
    for flag in (*FLAGS, f"--user-data-dir={tmp_path / 'chromium'}"):
        options.add_argument(flag)
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        # Chromium's own sandbox refuses to run as root.
        options.add_argument("--no-sandbox")
    # With the path given, selenium neither searches for a driver nor downloads one.
    service = webdriver.ChromeService(executable_path=programs["chromedriver"], log_output=subprocess.DEVNULL)
    driver = webdriver.Chrome(options=options, service=service)
    driver.set_page_load_timeout(WAIT)
    # selenium's debug log has the browser's own messages, such as its address with the answer in it.
    logging.getLogger("selenium").setLevel(logging.INFO)
    try:
        yield driver
    finally:
        driver.quit()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Start `tiktok` as a process; the fixture ends the processes that still run, by their ids."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TIKTOK_")}
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str, **environ: str) -> "subprocess.Popen[str]":
        running = subprocess.Popen(
            [*PROGRAM, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**clean, "TIKTOK_HOME": str(tmp_path / "home"), **environ},
        )
        started.append(running)
        return running

    yield run
    for running in started:
        if running.poll() is None:
            running.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            running.communicate(timeout=5)
        running.kill()
        running.communicate()
