"""The command under a warden, as the process sees it that started it.

What belongs here: the other end of the socket of `warden.py`, which says what the messages are.
"""

import asyncio
import errno
import json
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from tiktok_adapters.sandboxed.child import Forbidden

__all__ = ["Warded"]

if sys.platform != "linux":
    raise ImportError("the warden needs Linux")

PROGRAM: Final = (
    "import sys; sys.path.append(sys.argv.pop(1)); from tiktok_adapters.sandboxed.warden import main; main()"
)
MOST_SOCKETS: Final = 253
"""As many descriptors as one message may carry."""
LONGEST: Final = 1 << 16


class Warded:
    """A command under a warden (`warden.py`, which says what the messages are). Use it on the main thread, on Linux.

    Args:
        command: the program and its arguments.
        environ: the command's environment.
        folder: what the warden removes if this process is killed.
        world: what the network namespace is to have, see `warden.main`; None for none.
    """

    def __init__(
        self, command: Sequence[str], environ: Mapping[str, str], folder: str, world: Mapping[str, Any] | None
    ) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.setblocking(False)
        # Descriptors that the caller meant for the command are handed on, too; so this one is not named to Popen alone.
        theirs.set_inheritable(True)
        plan = json.dumps({"folder": folder, "world": world})
        package = str(Path(__file__).parents[2])
        arguments = [sys.executable, "-I", "-S", "-c", PROGRAM, package, str(theirs.fileno()), plan, *command]
        try:
            self._process = subprocess.Popen(arguments, env=environ, close_fds=False)  # noqa: S603 - the caller's own command
        finally:
            theirs.close()
        loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[list[socket.socket]] = loop.create_future()
        self._started: asyncio.Future[int] = loop.create_future()
        self._ended: asyncio.Future[int] = loop.create_future()
        self._connecting: deque[asyncio.Future[socket.socket]] = deque()
        loop.add_reader(self._control, self._read)

    async def ready(self) -> list[socket.socket]:
        """Wait for the namespaces, and return the sockets that the warden made in them.

        Raises:
            Forbidden: the system forbids them.
        """
        return await self._ready

    async def go(self) -> None:
        """See `Child`."""
        self._tell({"go": True})
        if number := await self._started:
            raise OSError(number, os.strerror(number))

    async def ended(self) -> int:
        """See `Child`."""
        return await self._ended

    def signal(self, number: int) -> None:
        """See `Child`."""
        self._tell({"signal": number})

    async def connect(self, port: int) -> socket.socket:
        """Return a connection to a port on which the command listens, on the loopback of its own network.

        Raises:
            OSError: nothing listens there.
        """
        answer: asyncio.Future[socket.socket] = asyncio.get_running_loop().create_future()
        self._connecting.append(answer)
        self._tell({"connect": port})
        return await answer

    async def close(self) -> None:
        """See `Child`. It takes along what descends from the command."""
        asyncio.get_running_loop().remove_reader(self._control)
        self._control.close()
        await asyncio.to_thread(self._process.wait)
        waiting: tuple[asyncio.Future[Any], ...] = (self._ready, self._started, self._ended, *self._connecting)
        for future in waiting:
            future.cancel()

    def _tell(self, message: Mapping[str, Any]) -> None:
        with suppress(OSError):  # The warden may be gone; reading says so.
            self._control.send(json.dumps(message).encode())

    def _read(self) -> None:
        try:
            text, numbers, _flags, _address = socket.recv_fds(
                self._control, LONGEST, MOST_SOCKETS, socket.MSG_CMSG_CLOEXEC
            )
        except BlockingIOError:
            return
        except OSError:
            text, numbers = b"", []
        sockets = [socket.socket(fileno=number) for number in numbers]
        for one in sockets:
            one.setblocking(False)
        if not text:
            self._gone()
            return
        match json.loads(text):
            case {"ready": True}:
                self._ready.set_result(sockets)
            case {"forbidden": reason}:
                self._ready.set_exception(Forbidden(f"this system allows no network namespace ({reason})"))
            case {"started": number}:
                self._started.set_result(number)
            case {"connected": number}:
                self._connected(number, sockets)
            case {"ended": status}:
                self._ended.set_result(status)

    def _connected(self, number: int, sockets: list[socket.socket]) -> None:
        answer = self._connecting.popleft()
        if answer.cancelled():
            for one in sockets:
                one.close()
        elif number:
            answer.set_exception(OSError(number, os.strerror(number)))
        else:
            answer.set_result(sockets[0])

    def _gone(self) -> None:
        """The warden has ended: after the command, or because somebody killed it; the command then got SIGKILL."""
        asyncio.get_running_loop().remove_reader(self._control)
        if not self._ready.done():
            self._ready.set_exception(Forbidden("the process that makes the namespace has ended"))
        if not self._started.done():
            # Perhaps the command had begun already; nobody can say so any more.
            self._started.set_result(0)
        if not self._ended.done():
            self._ended.set_result(-signal.SIGKILL)
        for answer in self._connecting:
            if not answer.done():
                answer.set_exception(OSError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED)))
