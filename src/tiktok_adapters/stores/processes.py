"""Identify the process that holds a lease, and detect on Linux that it has ended.

What belongs here: reading `/proc`. Where `/proc` is missing or incomplete, no process counts as ended.
"""

import os
import socket
from pathlib import Path
from typing import Final

from attrs import frozen

__all__ = ["Process", "has_gone", "this_process"]

PROC: Final = Path("/proc")
STATE: Final = 0
STARTED: Final = 19
DEAD: Final = (b"Z", b"X")
"""States of a process that has ended but that its parent has not reaped yet."""


@frozen(kw_only=True)
class Process:
    """A process, distinguished from all others that ever had its pid.

    Attributes:
        machine: host, boot and pid namespace. Within these `pid` is unique.
        pid: the process id.
        started: clock ticks between the boot and the start of the process.
    """

    machine: bytes
    pid: int
    started: int


def this_process() -> Process | None:
    """Return the calling process, or None where the system does not identify it."""
    try:
        if (PROC / "self").readlink() != Path(str(os.getpid())):  # This `/proc` belongs to another container.
            return None
        boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()
        # Containers on one machine share the boot id, but each has its own pid namespace.
        machine = f"{socket.gethostname()} {boot} {(PROC / 'self/ns/pid').readlink()}".encode()
        started = _started(os.getpid())
    except (OSError, ValueError, IndexError):
        return None
    return None if started is None else Process(machine=machine, pid=os.getpid(), started=started)


def has_gone(process: Process, *, here: Process) -> bool:
    """Return whether the process has certainly ended, as seen from `here`; False for a process of another machine."""
    if process.machine != here.machine:
        return False
    try:
        return _started(process.pid) != process.started
    except (FileNotFoundError, ProcessLookupError):
        return not _exists(process.pid)
    except (OSError, ValueError, IndexError):
        return False


def _started(pid: int) -> int | None:
    # The program's name precedes these fields in brackets. It may itself contain brackets.
    fields = (PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
    return None if fields[STATE] in DEAD else int(fields[STARTED])


def _exists(pid: int) -> bool:
    # `/proc` may hide a living process (mount option hidepid). Signal 0 only checks that it exists.
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
