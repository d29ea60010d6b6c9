"""The warden: a small process that makes the namespaces, runs the command in them, and leaves nothing behind.

What belongs here: the warden's own program. It needs the standard library only, and talks with the process that started it
(`child.py`) over a socket, in JSON, one message each:

- it begins with `{"ready": true}`, with the sockets that it made in the network namespace, or `{"forbidden": REASON}`;
- `{"go": true}` lets it run the command; it answers `{"started": ERRNO}`, 0 for success;
- `{"signal": N}` goes to the command; `{"connect": PORT}` is answered by `{"connected": ERRNO}`, with a socket for 0;
- at the end it says `{"ended": STATUS}`, after all descendants of the command have ended, too.

When the process that started it is gone, it kills them all and removes that process's folder.
"""

import json
import os
import select
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NoReturn

from tiktok_adapters.sandboxed.namespace import cover, dies_with_parent, drop_powers, enter, keeps_orphans

__all__ = ["main"]

if sys.platform != "linux":
    raise ImportError("the warden needs Linux")

HTTPS: Final = 443
DNS: Final = 53
HERE: Final = "127.0.0.1"
LONGEST: Final = 1 << 16
GRACE: Final = 2.0
"""Seconds for what the command left running to end by itself, after a SIGTERM."""
KEPT: Final = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""Signals that are meant for the command: the warden gets them too when a whole group of processes does."""


def main() -> NoReturn:
    """Run the command of `sys.argv`: the number of the socket, a plan in JSON, and the command with its arguments.

    The plan has `folder`, which goes with the process that started this one, and `world`, which is null or has `address`,
    `covers` (pairs of a path and the file to show there) and `reach` (ports of the outer loopback).
    """
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    plan, command = json.loads(sys.argv[2]), sys.argv[3:]
    kept = {number: signal.signal(number, signal.SIG_IGN) for number in KEPT}
    keeps_orphans()
    try:
        made = _world(plan["world"]) if plan["world"] else []
    except OSError as problem:
        _tell(control, {"forbidden": str(problem.strerror or problem)})
        os._exit(0)
    _tell(control, {"ready": True}, made)
    for one in made:
        one.close()
    if not _read(control):
        _leave(plan["folder"])
    child, failure = _start(command, kept, is_confined=plan["world"] is not None)
    _tell(control, {"started": failure})
    status = _watch(control, child) if child else 0
    if status is None:
        _leave(plan["folder"])
    _end_all(GRACE)
    _tell(control, {"ended": status})
    os._exit(0)


def _world(world: Mapping[str, Any]) -> list[socket.socket]:
    """Enter the namespaces, and return the sockets of the sandbox in them: for HTTPS, for DNS, and for each outer port."""
    enter(world["address"])
    for path, by in world["covers"]:
        cover(path, by)
    names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    names.bind((HERE, DNS))
    return [
        socket.create_server((world["address"], HTTPS), backlog=128),
        names,
        *(socket.create_server((HERE, port), backlog=128) for port in world["reach"]),
    ]


def _start(command: list[str], kept: Mapping[signal.Signals, Any], *, is_confined: bool) -> tuple[int, int]:
    """Run the command; return its process id and 0, or 0 and the number of the error."""
    told, tells = os.pipe()
    warden = os.getpid()
    child = os.fork()
    if child == 0:
        try:
            for number, before in kept.items():
                signal.signal(number, signal.SIG_IGN if before is signal.SIG_IGN else signal.SIG_DFL)
            for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them.
                signal.signal(number, signal.SIG_DFL)
            if is_confined:
                drop_powers()
            dies_with_parent(signal.SIGKILL)
            if os.getppid() == warden:
                os.execvp(command[0], command)  # noqa: S606 - to run it is what the command was given for
        except OSError as problem:
            os.write(tells, str(problem.errno or 1).encode())
        finally:
            os._exit(1)
    os.close(tells)
    with os.fdopen(told, "rb") as answer:
        failure = int(answer.read() or 0)
    if failure:
        os.waitpid(child, 0)
        return 0, failure
    return child, 0


def _watch(control: socket.socket, child: int) -> int | None:
    """Do as the other process asks until the command has ended; return its status, or None if the other process is gone."""
    reads, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.set_wakeup_fd(wakes)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    poll = select.poll()
    poll.register(control, select.POLLIN)
    poll.register(reads, select.POLLIN)
    while True:
        # Looked at first: the command may have ended before the handler was set.
        for ended, status in _ended():
            if ended == child:
                return os.waitstatus_to_exitcode(status)
        for number, _event in poll.poll():
            if number == reads:
                os.read(reads, LONGEST)
            elif message := _read(control):
                _obey(control, child, message)
            else:
                return None


def _obey(control: socket.socket, child: int, message: Mapping[str, Any]) -> None:
    if "signal" in message:
        # Only this process waits for the command, and it has not: the number still belongs to it.
        os.kill(child, message["signal"])
        return
    problem = 0
    for host in (HERE, "::1"):
        try:
            with socket.create_connection((host, message["connect"]), timeout=1) as made:
                made.settimeout(None)
                _tell(control, {"connected": 0}, [made])
                return
        except OSError as failed:
            problem = problem or failed.errno or 1
    _tell(control, {"connected": problem})


def _end_all(grace: float) -> None:
    """End everything that descends from this process, at the latest after `grace` seconds."""
    until = time.monotonic() + grace
    for pid in _descendants(os.getpid()):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM if grace else signal.SIGKILL)
    while True:
        try:
            if next(_ended(), None) is None:
                if time.monotonic() >= until:
                    for pid in _descendants(os.getpid()):
                        with suppress(ProcessLookupError):
                            os.kill(pid, signal.SIGKILL)
                time.sleep(0.01)
        except ChildProcessError:
            return


def _ended() -> Iterator[tuple[int, int]]:
    """Yield the process id and status of each child that has ended.

    Raises:
        ChildProcessError: there are no children.
    """
    while (found := os.waitpid(-1, os.WNOHANG))[0]:
        yield found


def _descendants(ancestor: int) -> set[int]:
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with suppress(OSError):
                # The name in brackets may hold anything; the state and the parent follow it.
                parents[int(folder.name)] = int(
                    (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[1]
                )
    found: set[int] = set()
    ranks: Iterable[int] = {ancestor}
    while ranks := {pid for pid, parent in parents.items() if parent in ranks} - found:
        found |= ranks
    return found


def _leave(folder: str) -> NoReturn:
    """End, and take everything along, after the process that started this one is gone."""
    _end_all(0)
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


def _tell(control: socket.socket, message: Mapping[str, Any], sockets: Sequence[socket.socket] = ()) -> None:
    with suppress(OSError):  # The other process may be gone; the next reading says so.
        socket.send_fds(control, [json.dumps(message).encode()], [one.fileno() for one in sockets])


def _read(control: socket.socket) -> dict[str, Any]:
    """Return the next message; empty if the other process is gone."""
    try:
        text = control.recv(LONGEST)
    except OSError:
        return {}
    message: dict[str, Any] = json.loads(text or "{}")
    return message
