"""Linux's namespaces: a network with loopback only, and files that are other files. System calls, and nothing else.

What belongs here: what a process does to itself before it runs a command. It needs the standard library only, because the
warden starts without this package's dependencies.
"""

import ctypes
import fcntl
import os
import socket
import struct
import sys
from pathlib import Path
from typing import Final

__all__ = ["cover", "dies_with_parent", "drop_powers", "enter", "keeps_orphans"]

if sys.platform != "linux":
    raise ImportError("namespaces are Linux's")

NEWNS: Final = 0x00020000
NEWUSER: Final = 0x10000000
NEWNET: Final = 0x40000000
MS_BIND: Final = 0x1000
MS_REC: Final = 0x4000
MS_PRIVATE: Final = 0x40000
PR_SET_PDEATHSIG: Final = 1
PR_CAPBSET_DROP: Final = 24
PR_SET_CHILD_SUBREAPER: Final = 36
PR_CAP_AMBIENT: Final = 47
PR_CAP_AMBIENT_CLEAR_ALL: Final = 4
CAPABILITY_VERSION: Final = 0x20080522
POWERS: Final = {"NET_ADMIN": 12, "SYS_MODULE": 16, "SYS_RAWIO": 17, "SYS_PTRACE": 19, "SYS_ADMIN": 21}
"""The capabilities with which a program could leave its namespaces, or change them."""
SIOCGIFFLAGS: Final = 0x8913
SIOCSIFFLAGS: Final = 0x8914
SIOCSIFADDR: Final = 0x8916
SIOCSIFNETMASK: Final = 0x891C
IFF_UP: Final = 1

_libc = ctypes.CDLL(None, use_errno=True)


def enter(address: str) -> None:
    """Give this process a network of its own, with loopback and one more address on it, and mounts of its own.

    Without the right to do that, the process first gets a user namespace, in which it keeps its own user and group.

    Raises:
        OSError: the system forbids it.
    """
    try:
        _unshare(NEWNS | NEWNET)
    except PermissionError:
        user, group = os.geteuid(), os.getegid()
        _unshare(NEWUSER | NEWNS | NEWNET)
        for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
            Path("/proc/self", name).write_text(text)
    # Otherwise the mounts below would be seen outside, too.
    _mount(None, "/", MS_REC | MS_PRIVATE)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        flags = struct.unpack_from("16xH", fcntl.ioctl(asking, SIOCGIFFLAGS, struct.pack("16sH22x", b"lo", 0)))[0]
        fcntl.ioctl(asking, SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", flags | IFF_UP))
        # Many look-ups find IPv4 addresses only where an address besides loopback's is configured.
        for request, value in ((SIOCSIFADDR, address), (SIOCSIFNETMASK, "255.255.255.255")):
            fcntl.ioctl(asking, request, struct.pack("16sHH4s16x", b"lo:1", socket.AF_INET, 0, socket.inet_aton(value)))


def cover(path: str, by: str) -> None:
    """Show the file `by` at `path`, where there is a file.

    Raises:
        OSError: the system forbids it.
    """
    _mount(by, path, MS_BIND)


def keeps_orphans() -> None:
    """Let descendants whose parents have ended become children of this process.

    Raises:
        OSError: the system forbids it.
    """
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def dies_with_parent(signal: int) -> None:
    """Let this process get a signal when its parent ends. A change of capabilities undoes it.

    Raises:
        OSError: the system forbids it.
    """
    _prctl(PR_SET_PDEATHSIG, signal)


def drop_powers() -> None:
    """Let the program that this process becomes have no power to leave or change the namespaces, even as root.

    Raises:
        OSError: the system forbids it.
    """
    header = struct.pack("Ii", CAPABILITY_VERSION, 0)
    held = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; then the same for higher numbers
    _check(_libc.capget(header, held), "capget")
    for number in POWERS.values():
        # A process without capabilities may not do this, and its program gets none either.
        if held[1] >> number & 1:
            _prctl(PR_CAPBSET_DROP, number)
    _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    held[2] = held[5] = 0
    _check(_libc.capset(header, held), "capset")


def _unshare(flags: int) -> None:
    _check(_libc.unshare(flags), "unshare")


def _mount(source: str | None, target: str, flags: int) -> None:
    encoded = None if source is None else os.fsencode(source)
    _check(_libc.mount(encoded, os.fsencode(target), None, ctypes.c_ulong(flags), None), f"mount {target}")


def _prctl(option: int, value: int) -> None:
    _check(_libc.prctl(option, ctypes.c_ulong(value), *[ctypes.c_ulong(0)] * 3), "prctl")


def _check(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
