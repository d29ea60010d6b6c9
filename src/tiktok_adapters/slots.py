"""Upload slots: how many uploads run at once, and who comes next.

What belongs here: the adapters of the `UploadSlots` and `AsyncUploadSlots` ports. Each serves one client: over TLS an upload
costs memory for as long as it is open, and many at once are no faster than a few.
"""

import asyncio
import threading
from collections import OrderedDict, deque
from typing import Final, Generic, TypeVar

__all__ = ["USUAL", "AsyncioUploadSlots", "ThreadUploadSlots"]

USUAL: Final = 16

W = TypeVar("W")


class _Turns(Generic[W]):
    """Who waits, by account: the accounts take turns, and within each the first comes first."""

    def __init__(self, limit: int) -> None:
        if limit < 1:
            raise ValueError("at least one upload has to run at a time")
        self._free = limit
        self._waiting: OrderedDict[str, deque[W]] = OrderedDict()

    def take(self) -> bool:
        """Take a slot if one is free; nobody waits then."""
        if self._free == 0:
            return False
        self._free -= 1
        return True

    def wait(self, account: str, waiter: W) -> None:
        self._waiting.setdefault(account, deque()).append(waiter)

    def give_up(self, account: str, waiter: W) -> None:
        """Wait no longer; nothing happens when its turn has come meanwhile."""
        queue = self._waiting.get(account, deque())
        if waiter in queue:
            queue.remove(waiter)
        if not queue:
            self._waiting.pop(account, None)

    def give_back(self) -> W | None:
        """Return who has the slot now; None when it is free."""
        if not self._waiting:
            self._free += 1
            return None
        account, queue = self._waiting.popitem(last=False)
        waiter = queue.popleft()
        if queue:
            self._waiting[account] = queue
        return waiter


class ThreadUploadSlots:
    """Slots for the threads of one blocking client.

    Args:
        limit: how many uploads run at once.

    Raises:
        ValueError: the limit is not at least 1.
    """

    def __init__(self, limit: int = USUAL) -> None:
        self._lock = threading.Lock()
        self._turns = _Turns[threading.Event](limit)

    def enter(self, account: str, /) -> None:
        """Wait for a slot and take it; an interrupted wait takes none."""
        with self._lock:
            if self._turns.take():
                return
            turn = threading.Event()
            self._turns.wait(account, turn)
        try:
            turn.wait()
        except BaseException:
            self._give_up(account, turn)
            raise

    def leave(self) -> None:
        """Give a slot back, to whoever is next."""
        with self._lock:
            if (turn := self._turns.give_back()) is not None:
                turn.set()

    def _give_up(self, account: str, turn: threading.Event) -> None:
        with self._lock:
            if not turn.is_set():
                self._turns.give_up(account, turn)
                return
        self.leave()


class AsyncioUploadSlots:
    """Slots for the tasks of one event loop.

    Args:
        limit: how many uploads run at once.

    Raises:
        ValueError: the limit is not at least 1.
    """

    def __init__(self, limit: int = USUAL) -> None:
        self._turns = _Turns[asyncio.Future[None]](limit)

    async def enter(self, account: str, /) -> None:
        """Wait for a slot and take it; a cancelled wait takes none."""
        if self._turns.take():
            return
        turn = asyncio.get_running_loop().create_future()
        self._turns.wait(account, turn)
        try:
            await turn
        except BaseException:
            if turn.cancelled():
                self._turns.give_up(account, turn)
            else:
                # It was given and cancelled in the same moment.
                self.leave()
            raise

    def leave(self) -> None:
        """Give a slot back, to whoever is next."""
        turn = self._turns.give_back()
        while turn is not None and turn.cancelled():
            # Its task was cancelled and has not noticed yet.
            turn = self._turns.give_back()
        if turn is not None:
            turn.set_result(None)
