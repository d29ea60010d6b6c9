"""What a `FaultProxy` is told to break, and what has come by: the faults, and the script of them.

What belongs here: values and counts; the sockets are in `proxy`.
"""

import re
import threading
from typing import Final, Literal, Self, TypeAlias, cast, get_args

from attrs import define, frozen

__all__ = ["ProxyFault"]

What: TypeAlias = Literal["reset-request", "reset-body", "reset-answer", "cut-answer", "delay-answer", "refuse"]

SPELLING: Final = re.compile(r"([a-z-]+):(\d{1,12}(?:\.\d{1,6})?)", re.ASCII)


@frozen
class ProxyFault:
    """One thing that goes wrong on the wire.

    Attributes:
        what: its name, as at the head of `proxy`.
        amount: bytes or seconds.
    """

    what: What
    amount: float = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the fault that `text` spells.

        Raises:
            ValueError: it spells none.
        """
        found = SPELLING.fullmatch(text)
        if found is None or found[1] not in get_args(What):
            raise ValueError(
                f"{text!r} is not a fault: it is spelled WHAT:AMOUNT, with one of {', '.join(get_args(What))}"
            )
        return cls(cast(What, found[1]), float(found[2]))

    def __str__(self) -> str:
        return f"{self.what}:{self.amount:.12g}"


@define(eq=False)
class _Waiting:
    fault: ProxyFault
    left: int
    is_for_connection: bool


class Script:
    """Which faults are to come, and what came; used from two threads."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.struck: list[ProxyFault] = []
        self.connections = 0
        self._lock = threading.Lock()
        self._waiting: list[_Waiting] = []

    @property
    def pending(self) -> tuple[ProxyFault, ...]:
        """The faults that are still to come."""
        with self._lock:
            return tuple(waiting.fault for waiting in self._waiting)

    def add(self, nth: int, fault: ProxyFault | str, *, is_for_connection: bool) -> None:
        """Let a fault meet the `nth` request or connection from now on."""
        if nth < 1:
            raise ValueError(f"requests and connections are counted from 1, not from {nth}")
        parsed = ProxyFault.parse(fault) if isinstance(fault, str) else fault
        with self._lock:
            self._waiting.append(_Waiting(parsed, nth, is_for_connection))

    def clear(self) -> None:
        """Forget the faults that are still to come."""
        with self._lock:
            self._waiting.clear()

    def connected(self) -> list[ProxyFault]:
        """Count a connection, and return the faults that meet it."""
        self.connections += 1
        return self._due(is_for_connection=True)

    def arrived(self, head: bytes) -> list[ProxyFault]:
        """Count a request, and return the faults that meet it."""
        self.seen.append(head.partition(b" HTTP/")[0].partition(b"?")[0].decode("latin-1"))
        return self._due(is_for_connection=False)

    def _due(self, *, is_for_connection: bool) -> list[ProxyFault]:
        with self._lock:
            met = []
            for waiting in [one for one in self._waiting if one.is_for_connection is is_for_connection]:
                waiting.left -= 1
                if not waiting.left:
                    met.append(waiting.fault)
                    self._waiting.remove(waiting)
            return met
