"""What a stretch of work costs: seconds, processor seconds, and peak memory above where it began.

What belongs here: reading the process's own figures. Standard library only, and little of it, because a process hands
its own size on to its children as the least they can be seen to have used.
"""

import re
import resource
import sys
import time
from contextlib import suppress
from pathlib import Path

__all__ = ["Meter", "peak", "processor"]

KIB_IN_RSS = sys.platform != "darwin"
STATUS = Path("/proc/self/status")


class Meter:
    """Measures this process, all threads, from the moment it is made."""

    def __init__(self) -> None:
        # Linux forgets an earlier peak on request. Without that, what importing needed for a moment would hide the rest.
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5", "ascii")
        self._idle = own_peak()
        self._processor = processor(resource.RUSAGE_SELF)
        self._began = time.perf_counter()

    def read(self) -> dict[str, float]:
        """Return what it cost until now."""
        seconds = time.perf_counter() - self._began
        return {
            "seconds": seconds,
            "processor": processor(resource.RUSAGE_SELF) - self._processor,
            "memory": own_peak() - self._idle,
        }


def own_peak() -> int:
    """Return this process's peak of resident memory, in bytes."""
    # Where there is one, the file is truer: what `getrusage` tells includes the parent's size and is never forgotten.
    if STATUS.exists() and (found := re.search(r"VmHWM:\s+(\d+) kB", STATUS.read_text("ascii"))):
        return int(found[1]) * 1024
    return peak(resource.RUSAGE_SELF)


def peak(who: int) -> int:
    """Return the peak of resident memory, in bytes."""
    return resource.getrusage(who).ru_maxrss * (1024 if KIB_IN_RSS else 1)


def processor(who: int) -> float:
    """Return the processor seconds, of user and system."""
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime
