"""Moves homes, and dies where it is told to. `test_moving` runs this file as a program.

Each line of the input is a JSON document: settings, what to do (`run` or `cancel`), and at which step to die (0 for none). A step is
the beginning of a statement in a SQLite file, or the moment before or after a call to the database. For each line a child of
this process does the work. The answer is a line: its exit status, and how many steps it took.
"""

import json
import os
import sqlite3
import sys
from types import FrameType
from typing import Any

from tiktok_adapters.assembly import load_settings
from tiktok_adapters.assembly.moving import HomeMove
from tiktok_adapters.stores.postgres.pools import ThreadPool
from tiktok_core import StoreError

DIED = 77
REFUSED = 3


class Steps:
    """Counts the steps of this process, and ends it at one of them."""

    def __init__(self, last: int) -> None:
        self.count = 0
        self._last = last
        connect = sqlite3.connect

        def connected(*arguments: Any, **options: Any) -> sqlite3.Connection:
            connection = connect(*arguments, **options)
            connection.set_trace_callback(self._step)
            return connection

        sqlite3.connect = connected  # type: ignore[assignment]  # the real one, whose statements are counted
        sys.setprofile(self._look)

    def _step(self, _statement: str = "") -> None:
        self.count += 1
        if self.count == self._last:
            os._exit(DIED)

    def _look(self, frame: FrameType, event: str, _value: Any) -> None:
        if frame.f_code is ThreadPool.execute.__code__ and event in ("call", "return"):
            self._step()


def work(settings: dict[str, str], what: str, last: int, answer: int) -> int:
    """Do the work, write the number of steps to a descriptor, and return the exit status."""
    steps = Steps(last)
    status = 0
    try:
        with HomeMove(load_settings({}, settings)) as moving:
            getattr(moving, what)()
    except StoreError:
        status = REFUSED
    sys.setprofile(None)
    os.write(answer, str(steps.count).encode())
    return status


def main() -> None:
    """Serve the lines of the input."""
    for line in sys.stdin:
        asked = json.loads(line)
        heard, said = os.pipe()
        child = os.fork()
        if child == 0:
            os._exit(work(asked["settings"], asked["what"], asked["last"], said))
        os.close(said)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        steps = os.read(heard, 20).decode() or "0"
        os.close(heard)
        print(json.dumps([status, int(steps)]), flush=True)


if __name__ == "__main__":
    main()
