"""The command, as the process sees it that started it: what it can do, and how that is done on any system.

What belongs here: starting the command, sending signals to it, and waiting for its end. On Linux `warded.py` does more.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Protocol

__all__ = ["Alone", "Child", "Forbidden", "exit_status"]


class Forbidden(Exception):
    """The system does not let the command have a network of its own; the text says why."""


class Child(Protocol):
    """A command that has not begun yet, runs, or has ended."""

    async def go(self) -> None:
        """Let the command begin.

        Raises:
            OSError: it cannot be run.
        """
        ...

    async def ended(self) -> int:
        """Wait for its end, and return its status; a negative one is that of a signal."""
        ...

    def signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        ...

    async def close(self) -> None:
        """Kill it, if it still runs, and let go of it."""
        ...


def exit_status(status: int) -> int:
    """Return the exit status by which a shell tells how a command ended."""
    return status if status >= 0 else 128 - status


class Alone:
    """A command that this process starts itself. What the command leaves running stays."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str]) -> None:
        self._command = command
        self._environ = environ
        self._process: asyncio.subprocess.Process | None = None

    async def go(self) -> None:
        """See `Child`."""
        self._process = await asyncio.create_subprocess_exec(*self._command, env=self._environ)

    async def ended(self) -> int:
        """See `Child`."""
        return await self._begun.wait()

    def signal(self, number: int) -> None:
        """See `Child`."""
        with suppress(ProcessLookupError):
            self._begun.send_signal(number)

    async def close(self) -> None:
        """See `Child`."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    @property
    def _begun(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise RuntimeError("the command has not begun")
        return self._process
