"""The tutorial is a transcript: a person types its commands on a terminal, and reads what stands below each of them.

What belongs here: the person, the terminal, and what differs from one walk to the next (ports, ids, times).
"""

import os
import re
import select
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest
from attrs import define

from tiktok_adapters.cli.padded import PaddedFilm
from tiktok_adapters.simulator import DEFAULT_CLIENT_SECRET, SimulatedTikTok
from tiktok_adapters.simulator.server import SandboxServer

pytestmark = [pytest.mark.full, pytest.mark.skipif(not hasattr(os, "openpty"), reason="there is no terminal to open")]

PAGE: Final = Path(__file__).parents[2] / "docs" / "tutorial.md"
FILM: Final = Path(__file__).parents[1] / "media" / "good.mp4"
BLOCK: Final = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ASKED: Final = re.compile(r"((?:Client key|Client secret|Redirect URI)(?: [\[(].*[\])])?: )(.*)")
VARIES: Final = re.compile(r"(cli-[0-9a-f]{16}-\d)|(v_pub_file~v2-1\.\d+)|(\d{4}-\d\d-\d\d \d\d:\d\d UTC)|…")
BAR: Final = re.compile(r"Sending .*|\x1b\[[0-9;?]*[a-zA-Z]")
PATIENCE: Final = 60.0
BROWSER: Final = """
import sys
from contextlib import suppress
from tiktok_adapters.cli.person import consent
with suppress(RuntimeError):  # The page shows an error, and a person has nothing to press.
    consent(sys.argv[1])
"""


def commands() -> Iterator[tuple[str, list[str]]]:
    """Yield each command of the page, and the lines below it."""
    for block in BLOCK.findall(PAGE.read_text("utf-8")):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *lines = part.rstrip("\n").split("\n")
            yield command, lines


@define
class Terminal:
    """A terminal on which one command runs.

    Attributes:
        ours: where the person reads and types.
        theirs: where the command does.
        process: the command.
        shown: all that was shown.
        read_up_to: the end of the text that was waited for last.
    """

    ours: int
    theirs: int
    process: "subprocess.Popen[bytes]"
    shown: str = ""
    read_up_to: int = 0

    @classmethod
    def running(cls, command: str, environ: dict[str, str], folder: Path) -> "Terminal":
        """Start a command as the leader of a session: it gets the first terminal that it opens, and with it Ctrl-C."""
        ours, theirs = os.openpty()
        line = f"exec <{os.ttyname(theirs)} >{os.ttyname(theirs)} 2>&1; {command}"
        started = subprocess.Popen(["/bin/sh", "-c", line], env=environ, cwd=folder, start_new_session=True)
        return cls(ours, theirs, started)

    def read(self) -> bool:
        """Read what is shown next; False once the command has ended and all is read."""
        deadline = time.monotonic() + PATIENCE
        while not select.select([self.ours], [], [], 0.05)[0]:
            if self.process.poll() is not None:
                return False
            assert time.monotonic() < deadline, f"nothing more is shown after:\n{self.shown}"
        self.shown += os.read(self.ours, 65_536).decode().replace("\r\n", "\n")
        return True

    def wait_for(self, text: str) -> None:
        """Read until a text is shown after what was waited for before."""
        while (at := self.shown.find(text, self.read_up_to)) < 0:
            assert self.read(), f"{text!r} is not shown, but:\n{self.shown}"
        self.read_up_to = at + len(text)

    def type(self, text: str) -> None:
        """Type a text."""
        os.write(self.ours, text.encode())

    def lines(self) -> list[str]:
        """Read to the end, and return all that was shown, without the moving bar."""
        while self.read():
            pass
        os.close(self.ours)
        os.close(self.theirs)
        return [line for line in BAR.sub("", self.shown).split("\n") if line.strip()]


@define
class Walk:
    """A walk along the tutorial.

    Attributes:
        simulated: the simulated TikTok.
        port: its port, in place of the one on the page.
        folder: where the commands run.
        environ: their environment.
        keys: for each key on the page, the one that was shown in its place.
    """

    simulated: SimulatedTikTok
    port: int
    folder: Path
    environ: dict[str, str]
    keys: dict[str, str]

    def take(self, command: str, lines: list[str]) -> None:
        """Type a command of the page, answer its questions as the page does, and compare what is shown with the page."""
        command = command.replace("8642", str(self.port))
        for there, here in self.keys.items():
            command = command.replace(there, here)
        if command.startswith("export "):
            self.environ.update(word.split("=", 1) for word in shlex.split(command)[1:])
            return
        terminal = Terminal.running(command, self.environ, self.folder)
        for before, line in pairwise(["", *lines]):
            if asked := ASKED.fullmatch(line):
                terminal.wait_for(asked[1])
                is_new_secret = asked[1] == "Client secret: "
                terminal.type(f"{DEFAULT_CLIENT_SECRET if is_new_secret else asked[2]}\n")
            elif line == "^C":
                terminal.wait_for(before)
                while "post video" in command and self.simulated.count("put") < 2:
                    time.sleep(0.01)  # Only TikTok knows how far the upload is.
                terminal.type("\x03")
        shown = terminal.lines()
        assert len(shown) == len(lines), f"$ {command}\n" + "\n".join(shown)
        for line, there in zip(shown, lines, strict=True):
            self._compare(line, there.replace("8642", str(self.port)))

    def _compare(self, line: str, there: str) -> None:
        pattern, end = "", 0
        for found in VARIES.finditer(there):
            any_such = (
                r"cli-[0-9a-f]{16}-\d" if found[1] else r"\S+" if found[2] else r"[\d: UTC-]+" if found[3] else ".*"
            )
            known = self.keys.get(found[0])
            pattern += re.escape(there[end : found.start()]) + f"({re.escape(known) if known else any_such})"
            end = found.end()
        matched = re.fullmatch(pattern + re.escape(there[end:]), line)
        assert matched, f"\n{line}\nis shown in place of\n{there}"
        for found, here in zip(VARIES.finditer(there), matched.groups(), strict=True):
            if found[1]:
                self.keys[found[0]] = here


def test_the_tutorial_is_what_a_person_sees(tmp_path: Path) -> None:
    """Five mistakes on the way to a posted video, each answered by a sentence that says what to do next."""
    (tmp_path / "clip.mp4").write_bytes(FILM.read_bytes())
    wrong = PaddedFilm(FILM.read_bytes(), 16_000_000)
    (tmp_path / "wrong.mp4").write_bytes(wrong.read(0, wrong.size))
    (tmp_path / "browser.py").write_text(BROWSER)
    steps = list(commands())
    ((served, _),) = [step for step in steps if step[0].startswith("tiktok sandbox")]
    simulated = SimulatedTikTok()
    for option, value in pairwise(shlex.split(served)):
        if option == "--fault":
            simulated.faults.add(value)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("TIKTOK_")}
    environ |= {
        "HOME": str(tmp_path),
        "TERM": "dumb",  # A terminal on which nothing moves.
        "COLUMNS": "200",
        "BROWSER": f"{sys.executable} {tmp_path / 'browser.py'} %s",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    with closing(simulated), SandboxServer(simulated).run_in_thread() as sandbox:
        walk = Walk(simulated, int(sandbox.url.rpartition(":")[2]), tmp_path, environ, {})
        for command, lines in steps:
            if command.startswith(("tiktok ", "export ")) and command != served:
                walk.take(command, lines)
        assert [(post.title, post.status) for post in simulated.posts][-1] == (
            "My first post #hello",
            "PUBLISH_COMPLETE",
        )
        assert sum(post.status == "PUBLISH_COMPLETE" for post in simulated.posts) == 1
