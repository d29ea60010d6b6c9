"""Upload slots: they limit how many uploads run at once, and choose the next one.

What belongs here: the adapters of the `UploadSlots` and `AsyncUploadSlots` ports. Each serves one client. The limit exists
because every open upload over TLS takes memory, and many at once are no faster than a few.
"""

import asyncio
import threading
from collections import OrderedDict, deque
from typing import Final, Generic, TypeVar

from tiktok_core.errors import Misused

__all__ = ["USUAL", "AsyncioUploadSlots", "ThreadUploadSlots"]

USUAL: Final = 16
"""How many uploads run at once unless the program says otherwise."""

W = TypeVar("W")


class _Turns(Generic[W]):
    """The waiting uploads by account. Accounts take turns, and the uploads of one account keep their order."""

    def __init__(self, limit: int) -> None:
        if limit < 1:
            raise ValueError("at least one upload must be able to run: give a limit of 1 or more")
        self._limit = self._free = limit
        self._waiting: OrderedDict[str, deque[W]] = OrderedDict()

    @property
    def all_free(self) -> bool:
        """Whether no upload has a slot."""
        return self._free == self._limit

    def take(self) -> bool:
        """Take a slot if one is free, and return whether it was. While a slot is free, no upload waits."""
        if self._free == 0:
            return False
        self._free -= 1
        return True

    def wait(self, account: str, waiter: W) -> None:
        self._waiting.setdefault(account, deque()).append(waiter)

    def give_up(self, account: str, waiter: W) -> None:
        """Remove a waiting upload from its queue. If its turn has already come, do nothing."""
        queue = self._waiting.get(account, deque())
        if waiter in queue:
            queue.remove(waiter)
        if not queue:
            self._waiting.pop(account, None)

    def give_back(self) -> W | None:
        """Pass a slot on, and return the waiter that has it now. Return None if no upload waits, and the slot is free."""
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
        limit: how many uploads may run at once.

    Raises:
        ValueError: the limit is below 1.
    """

    def __init__(self, limit: int = USUAL) -> None:
        self._lock = threading.Lock()
        self._turns = _Turns[threading.Event](limit)

    def enter(self, account: str, /) -> None:
        """Wait for a slot and take it. An interrupted wait takes no slot."""
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
        """Give a slot back. The next waiting upload gets it."""
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
    """Slots for the tasks of one event loop. Another loop may use them once all are free.

    Args:
        limit: how many uploads may run at once.

    Raises:
        ValueError: the limit is below 1.
    """

    def __init__(self, limit: int = USUAL) -> None:
        self._turns = _Turns[asyncio.Future[None]](limit)
        self._loop: asyncio.AbstractEventLoop | None = None

    async def enter(self, account: str, /) -> None:
        """Wait for a slot and take it. A cancelled wait takes no slot.

        Raises:
            Misused: uploads of another event loop are in these slots.
        """
        loop = asyncio.get_running_loop()
        if self._loop is not loop and not self._turns.all_free:
            raise Misused("the upload", "its upload slots belong to another event loop: make a client for each loop")
        self._loop = loop
        if self._turns.take():
            return
        turn = loop.create_future()
        self._turns.wait(account, turn)
        try:
            await turn
        except BaseException:
            if turn.cancelled():
                self._turns.give_up(account, turn)
            else:
                # The slot was given and the wait was cancelled at the same moment: pass the slot on.
                self.leave()
            raise

    def leave(self) -> None:
        """Give a slot back. The next waiting upload gets it."""
        turn = self._turns.give_back()
        while turn is not None and turn.cancelled():
            # This waiter's task was cancelled, but has not run since: skip it.
            turn = self._turns.give_back()
        if turn is not None:
            turn.set_result(None)
