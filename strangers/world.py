"""The sandboxed world of one client: start it, ask for acts, and look from outside at what TikTok saw.

What belongs here: the process and the sandbox's own calls. What an act's result is called is in `judge.py`.
"""

import json
import os
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tiktok_adapters.simulator.switches import read_switch

__all__ = ["World"]

TIKTOK: Final = Path(sys.executable).with_name("tiktok")
ANSWER: Final = "@@"
PATIENCE: Final = 90
"""The seconds after which an act counts as one that does not end."""
QUICK: Final = {"processing_seconds": 0, "download_seconds": 0}
"""Beside a switch that is tried, nobody has to wait; both are figures for tests, and no claim about TikTok."""
REDIRECTS: Final = ("http://localhost:8902/", "https://app.example.com/auth/callback/tiktok")
"""The redirect URIs that clients do not let their user choose, and that the sandbox's app has not."""


class World:
    """One `tiktok sandbox run`, begun again if an act had to be ended.

    Args:
        command: the driver.
        folder: where the client and its driver may leave files; `said.txt` there has what they say besides.
    """

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self._command, self._folder, self._noise = command, folder, (folder / "said.txt").open("a")
        self._process: subprocess.Popen[str] | None = None
        self._usual: dict[str, Any] = {}
        self._port = 0

    def _begin(self) -> "subprocess.Popen[str]":
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self._port = listener.getsockname()[1]
        uris = [word for uri in REDIRECTS for word in ("--redirect-uri", uri)]
        process = subprocess.Popen(
            [TIKTOK, "sandbox", "--port", str(self._port), *uris, "run", "--consent", "--", *self._command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._noise,
            env={**os.environ, "TMPDIR": str(self._folder)},
            text=True,
        )
        self._process = process
        # The driver knows no such act, and answers that: now everything runs.
        if self._ask(process, {"act": ""}) is None:
            said = (self._folder / "said.txt").read_text().splitlines()
            raise RuntimeError(f"{self._command[-1]} did not begin: {' '.join(said[-3:])}")
        self._usual = self.look("switches")
        return process

    def look(self, what: str, body: object = None, method: str | None = None) -> Any:
        """Return the answer of one of the sandbox's own calls."""
        url = f"http://127.0.0.1:{self._port}/_sandbox/{what}"
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(url, data=data, method=method), timeout=20) as answer:
            return json.load(answer)

    def remove_the_app(self) -> None:
        """Let the person remove the app, if TikTok still has the sign-in."""
        for one in self.look("sign-ins"):
            self.look(f"sign-ins?account={one['username']}", method="DELETE")

    def renew(self, switches: str = "") -> None:
        """Forget posts, sign-ins and requests, and set switches (`NAME=VALUE`, separated by blanks) beside the usual ones."""
        if self._process is None:
            self._begin()
        self.look("reset", {})
        tried = dict(read_switch(one) for one in switches.split())
        self.look("switches", {**self._usual, **({**QUICK, **tried} if tried else {})})

    def ask(self, act: str, **words: object) -> dict[str, str] | None:
        """Ask for an act; return the driver's answer, or None if the act did not end and the world is gone."""
        if self._process is None:
            raise RuntimeError("renew() comes first")
        return self._ask(self._process, {"act": act, **words})

    def _ask(self, process: "subprocess.Popen[str]", wish: Mapping[str, object]) -> dict[str, str] | None:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("there are no pipes")
        end = threading.Timer(PATIENCE, process.kill)
        end.start()
        try:
            process.stdin.write(json.dumps(wish) + "\n")
            process.stdin.flush()
            for line in process.stdout:
                if line.startswith(ANSWER):
                    answer: dict[str, str] = json.loads(line.removeprefix(ANSWER))
                    return answer
        except BrokenPipeError:
            pass
        finally:
            end.cancel()
        process.wait()
        self._process = None
        return None

    def close(self) -> None:
        """End the client, and with it its sandbox."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._noise.close()
