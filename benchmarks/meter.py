"""The cost of a piece of work: seconds, processor seconds, and peak memory above the start.

What belongs here: reading the process's own figures, with few imports from the standard library only. A process must stay small,
because the system reports at least its size as the memory of its children.
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
    """Measures this process, with all threads, from the creation of the meter."""

    def __init__(self) -> None:
        # Linux resets an earlier peak on request. Otherwise the peak of the imports would hide that of the work.
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5", "ascii")
        self._idle = own_peak()
        self._processor = processor(resource.RUSAGE_SELF)
        self._began = time.perf_counter()

    def read(self) -> dict[str, float]:
        """Return the cost so far."""
        seconds = time.perf_counter() - self._began
        return {
            "seconds": seconds,
            "processor": processor(resource.RUSAGE_SELF) - self._processor,
            "memory": own_peak() - self._idle,
        }


def own_peak() -> int:
    """Return this process's peak of resident memory, in bytes."""
    # The file is more accurate if it exists: the peak of `getrusage` includes the parent's size and cannot be reset.
    if STATUS.exists() and (found := re.search(r"VmHWM:\s+(\d+) kB", STATUS.read_text("ascii"))):
        return int(found[1]) * 1024
    return peak(resource.RUSAGE_SELF)


def peak(who: int) -> int:
    """Return the peak of resident memory, in bytes."""
    return resource.getrusage(who).ru_maxrss * (1024 if KIB_IN_RSS else 1)


def processor(who: int) -> float:
    """Return the processor seconds of user and system."""
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime
