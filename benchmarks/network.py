"""A separate loopback for the benchmark: `alone()` starts the program again in a network namespace, if Linux allows it.

What belongs here: making the measurements independent of this machine's network settings. A congestion control that paces (BBR)
spends timers on a loopback that needs none. Their number differs from one connection to the next, which makes the figures
useless.
"""

import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import Final

__all__ = ["alone", "congestion_control"]

CONTROL: Final = Path("/proc/sys/net/ipv4/tcp_congestion_control")
STEADY: Final = "reno"
"""A congestion control that does not pace, and that every Linux has."""
MARK: Final = "BENCHMARK_NETWORK"
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


def alone() -> None:
    """Continue in a separate network; do nothing if the system does not allow one."""
    if os.environ.get(MARK):
        _bring_up()
        CONTROL.write_text(STEADY, "ascii")
        return
    unshare = shutil.which("unshare")
    command = [unshare or "", "--user", "--map-root-user", "--net"]
    if unshare and subprocess.run([*command, "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0:
        os.environ[MARK] = "own"
        os.execv(unshare, [*command, sys.executable, *sys.argv])


def congestion_control() -> str:
    """Return the congestion control of this network."""
    return CONTROL.read_text("ascii").strip() if CONTROL.exists() else "the system's"


def _bring_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        name, flags = struct.unpack("16sh22x", fcntl.ioctl(any_socket, SIOCGIFFLAGS, struct.pack("16sh22x", b"lo", 0)))
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh22x", name, flags | IFF_UP))
