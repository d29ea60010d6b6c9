"""Signals: what reaches this process is meant for the command.

What belongs here: which signals, and which of them the command has got already.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from tiktok_adapters.sandboxed.child import Child

__all__ = ["forwarding"]

FORWARDED: Final = ("SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")
FROM_THE_TERMINAL: Final = ("SIGINT", "SIGQUIT")


@contextmanager
def forwarding(child: Child) -> Iterator[None]:
    """Send the signals that reach this process on to the command, until the block ends. Call this on the main thread."""
    loop, handled = asyncio.get_running_loop(), []
    for name in FORWARDED:
        number = getattr(signal, name, None)
        # Whoever started this process let it ignore the signal, and the command with it.
        if number is None or signal.getsignal(number) is signal.SIG_IGN:
            continue
        # On systems whose loops cannot watch signals, the console sends them to the command, too.
        with suppress(NotImplementedError):
            loop.add_signal_handler(number, _forward, child, number)
            handled.append(number)
    try:
        yield
    finally:
        for number in handled:
            loop.remove_signal_handler(number)


def _forward(child: Child, number: signal.Signals) -> None:
    # The terminal sends Ctrl-C to every process in its foreground, the command included; a second one could mean more to it.
    if number.name not in FROM_THE_TERMINAL or not _is_in_foreground():
        child.signal(number)


def _is_in_foreground() -> bool:
    if sys.platform == "win32":
        return False
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
