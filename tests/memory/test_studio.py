"""The local page takes a large film, shows it and posts it, and holds at most 16 MiB more than before.

What belongs here: the peak of the page's own process, as the kernel counts it. `STUDIO_FILM=1073741824` runs it with 1 GiB.
"""

import http.client
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from clips import HEAD
from studio_browser import WAIT, Browser
from tiktok_adapters import connect

SIZE: Final = int(os.environ.get("STUDIO_FILM") or 128 << 20)
MOST: Final = 16 << 20
PROGRAM: Final = (sys.executable, "-c", "from tiktok_adapters.cli import main; main()")


def most(pid: int) -> int:
    """Return the bytes that a process has held at most."""
    found = re.search(r"VmHWM:\s+([0-9]+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def dropped(browser: Browser, account: str, size: int) -> str:
    """Drop a film of so many bytes, and return the path of its export page."""
    block = bytes(1 << 20)
    connection = http.client.HTTPConnection(browser.host, timeout=WAIT)
    connection.putrequest("PUT", f"{browser.place}/a/{account}/films")
    headers = {"Cookie": browser.cookie, "Origin": f"http://{browser.host}", "X-Studio-Csrf": browser.csrf}
    for name, value in {**headers, "X-Studio-Name": "film.mp4", "Content-Length": str(size)}.items():
        connection.putheader(name, value)
    connection.endheaders(HEAD)
    left = size - len(HEAD)
    while left:
        connection.send(block[:left])
        left -= min(left, len(block))
    answer = connection.getresponse()
    path: str = json.loads(answer.read())["go"]
    connection.close()
    return path.removeprefix(browser.place)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells the peak of another process")
def test_a_large_film_is_never_in_memory(
    sandbox: str, signed_in: Callable[..., dict[str, str]], tmp_path: Path
) -> None:
    """Dropped, previewed in part, and sent: the same pages with a small film come first, so that all code is loaded."""
    environ = signed_in(sandbox, tmp_path / "home")
    with connect(environ=environ) as client:
        account = client.account().open_id
    running = subprocess.Popen(
        [*PROGRAM, "studio", "--no-browser", "--json"],
        stdout=subprocess.PIPE,
        text=True,
        env={**{name: value for name, value in os.environ.items() if not name.startswith("TIKTOK_")}, **environ},
    )
    try:
        assert running.stdout is not None
        browser = Browser(json.loads(running.stdout.readline())["url"]).enter()
        peaks = []
        for size in (5 << 20, SIZE):
            path = dropped(browser, account, size)
            number = path.rpartition("/")[2]
            assert browser.get(path).status == 200
            assert browser.get(f"/given/{number}/video", Range="bytes=1000000-2000000").status == 206
            browser.post(path, button="draft")
            wait_until_sent(browser, account)
            peaks.append(most(running.pid))
    finally:
        running.terminate()
        running.communicate(timeout=WAIT)
    assert peaks[1] - peaks[0] <= MOST, peaks
    assert not list((tmp_path / "home" / "studio").iterdir())


def wait_until_sent(browser: Browser, account: str) -> None:
    """Wait until nothing is kept any more: each film goes when its post has ended."""
    for _ in range(6_000):
        if "Kept for posts" not in browser.get(f"/a/{account}").said:
            return
        time.sleep(0.02)
    raise AssertionError(browser.get(f"/a/{account}").said)
