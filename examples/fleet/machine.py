"""The fleet's machines: each has a network and a home folder of its own, runs one program, and may be switched off at any moment.

What belongs here: starting and ending a machine, and what of it the system allows.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

INSIDE = str(Path(__file__).with_name("inside.py"))
AHEAD = 60
"""Seconds by which a wrong clock is ahead."""


@cache
def namespace() -> tuple[str, ...] | None:
    """Return the command that runs another one in a network namespace; None where the system forbids it."""
    command = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-current-user", "--keep-caps", "--net"]
    try:
        done = subprocess.run([*command, "true"], capture_output=True, check=False)
    except FileNotFoundError:
        return None
    return None if done.returncode else tuple(command)


@cache
def wrong_clock() -> Mapping[str, str] | None:
    """Return the variables that set a program's clock ahead; None if libfaketime is not installed."""
    library = next(iter(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), None)
    if library is None:
        return None
    # What the machine counts since it was started stays right, as on a machine whose clock is wrong.
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME": f"+{AHEAD}s",
        "DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        "PYTHONPATH": str(Path(__file__).with_name("ahead")),
    }


class Machine:
    """A machine that runs one program.

    Args:
        name: names its folder.
        folder: where the folders of machines are.
        command: the program.
        environ: its settings.
        ports: the ports of its loopback, and the Unix sockets to which they lead; none where it has no network of its own.
        slot: which of the fleet's places it takes.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        command: Sequence[str],
        environ: Mapping[str, str],
        ports: Mapping[int, Path],
        *,
        slot: int = 0,
    ) -> None:
        self.name, self.slot, self.started, self.ended = name, slot, time.time(), float("inf")
        self.folder = folder / name
        (self.folder / "home").mkdir(parents=True)
        prefix = (namespace() or ()) if ports else ()
        places = json.dumps({port: str(path) for port, path in ports.items()})
        whole = [*prefix, sys.executable, INSIDE, places, *command]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("TIKTOK_")}
        own = {**clean, "TIKTOK_HOME": str(self.folder / "home"), **environ}
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                whole, env=own, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
            )

    @property
    def log(self) -> str:
        """What its program has said."""
        return (self.folder / "log").read_text(errors="replace")

    def kill(self) -> None:
        """Switch it off: everything on it gets SIGKILL at once."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()
        self.ended = time.time()

    def end(self) -> int:
        """Ask its program to end, and return the program's exit status."""
        os.killpg(self.process.pid, signal.SIGTERM)
        return self.process.wait(30)
