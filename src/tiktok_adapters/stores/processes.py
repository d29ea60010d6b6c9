"""Which process holds a lease, and whether it is gone, as far as Linux tells.

What belongs here: reading `/proc`. Where it is missing or says too little, nobody is ever said to be gone.
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
"""Killed and not yet reaped by its parent: it runs no more."""


@frozen(kw_only=True)
class Process:
    """A process, told from all others that ever had its number.

    Attributes:
        machine: host, boot and namespace of process ids, within which `pid` means something.
        pid: its number.
        started: clock ticks between the boot and its start.
    """

    machine: bytes
    pid: int
    started: int


def this_process() -> Process | None:
    """Return the process that asks; None where that cannot be told."""
    try:
        if (PROC / "self").readlink() != Path(str(os.getpid())):  # That `/proc` is another container's.
            return None
        boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()
        # Containers on one machine share the boot and count their processes apart.
        machine = f"{socket.gethostname()} {boot} {(PROC / 'self/ns/pid').readlink()}".encode()
        started = _started(os.getpid())
    except (OSError, ValueError, IndexError):
        return None
    return None if started is None else Process(machine=machine, pid=os.getpid(), started=started)


def has_gone(process: Process, *, here: Process) -> bool:
    """Whether a process has certainly ended, as seen from the process `here`; one of another machine never has."""
    if process.machine != here.machine:
        return False
    try:
        return _started(process.pid) != process.started
    except (FileNotFoundError, ProcessLookupError):
        return not _exists(process.pid)
    except (OSError, ValueError, IndexError):
        return False


def _started(pid: int) -> int | None:
    # The name in brackets comes before and may hold anything, brackets too.
    fields = (PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
    return None if fields[STATE] in DEAD else int(fields[STARTED])


def _exists(pid: int) -> bool:
    # `/proc` may hide a process that lives (mount option hidepid); a signal of 0 does nothing but find it.
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
