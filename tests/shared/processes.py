"""Waiting for what other processes do.

What belongs here: waits that end when a process ends.
"""

import subprocess
import time
from collections.abc import Callable

__all__ = ["seen"]


def seen(is_so: Callable[[], bool], *running: "subprocess.Popen[str]") -> None:
    """Wait until something is so, as long as the processes run."""
    while not is_so():
        for one in running:
            assert one.poll() is None, one.communicate()
        time.sleep(0.02)
