"""Upload slots in PostgreSQL: they limit how many uploads run at once on all machines together.

What belongs here: the adapters of `UploadSlots` and `AsyncUploadSlots` over a server. `sql` says who is next. A slot is a row that
ends by itself: its holder renews it as long as its process lives.
"""

import asyncio
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final

from tiktok_adapters.stores.postgres import sql
from tiktok_adapters.stores.postgres.parts import id_of
from tiktok_adapters.stores.postgres.schema import lock_of
from tiktok_adapters.stores.postgres.server import Server
from tiktok_core.errors import StoreError
from tiktok_core.lifting import drive

__all__ = ["LASTS", "AsyncPostgresUploadSlots", "PostgresUploadSlots"]

LASTS: Final = 10.0
"""Seconds after which the slot of a process is free again that was killed: as long as the lease of its post lasts."""
RENEWALS: Final = 3
"""How many times a slot is renewed before it would end."""
Sleep = Callable[[float], Coroutine[Any, Any, None]]


class _Slots:
    """What both worlds share. Each coroutine over a blocking server never suspends."""

    def __init__(self, server: Server, limit: int, pause: float, lasts: float) -> None:
        if limit < 1:
            raise ValueError("at least one upload must be able to run: give a limit of 1 or more")
        self._server = server
        self._values = {"limit": limit, "lasts": lasts, "lock": lock_of(server.schema, "slots")}
        self._pause = pause
        self._every = lasts / RENEWALS
        self._held: deque[bytes] = deque()
        self._gone: list[bytes] = []
        self._tending = server.new_lock()
        server.before_closing(self._settle)

    async def _entered(self, account: str, sleep: Sleep) -> None:
        ticket = secrets.token_bytes(16)
        values = {**self._values, "ticket": ticket, "account": id_of(account)}
        try:
            while not (await self._server.rows(sql.TAKE_SLOT, values, is_script=True))[0][0]:
                await sleep(self._pause)
        except BaseException:
            self._gone.append(ticket)
            raise
        self._held.append(ticket)

    async def _tend(self, *, is_renewing: bool = True) -> None:
        """Give back the slots that were left, and renew the others. What fails is done the next time, or ends by itself."""
        # One after the other: a renewal would bring a slot back that is given back at the same time.
        async with self._tending:
            with suppress(StoreError):
                if gone := self._gone[:]:
                    await self._server.rows(sql.LEAVE_SLOTS, {"tickets": gone}, is_patient=False)
                    self._gone = self._gone[len(gone) :]
                if is_renewing and self._held:
                    values = {**self._values, "tickets": list(self._held)}
                    await self._server.rows(sql.HOLD_SLOTS, values, is_patient=False)

    async def _settle(self) -> None:
        """Give every slot back, because the connections close."""
        while self._held:
            self._gone.append(self._held.popleft())
        await self._tend(is_renewing=False)


class PostgresUploadSlots(_Slots):
    """Slots for the threads of clients on any number of machines. A thread in the background renews them while there are any.

    Args:
        server: where they are.
        limit: how many uploads may run at once, on all machines together. Each machine gives the same number.
        sleep: waits between two questions whether a slot is free.
        pause: seconds to wait so.
        lasts: seconds after which the slot of a process is free again that was killed.

    Raises:
        ValueError: the limit is below 1.
    """

    def __init__(
        self, server: Server, limit: int, *, sleep: Callable[[float], None], pause: float, lasts: float = LASTS
    ) -> None:
        super().__init__(server, limit, pause, lasts)
        self._sleep = sleep
        self._lock = threading.Lock()
        self._renewer: threading.Thread | None = None

    def enter(self, account: str, /) -> None:
        """Wait for a slot and take it. An interrupted wait takes no slot.

        Raises:
            StoreError: the server cannot be asked.
        """

        async def sleep(seconds: float) -> None:
            self._sleep(seconds)

        try:
            drive(self._entered(account, sleep))
        except BaseException:
            drive(self._tend(is_renewing=False))
            raise
        with self._lock:
            if self._renewer is None:
                self._renewer = threading.Thread(target=self._renew, name="tiktok-slots", daemon=True)
                self._renewer.start()

    def leave(self) -> None:
        """Give a slot back. If the server cannot be told, the slot ends by itself."""
        self._gone.append(self._held.popleft())
        drive(self._tend(is_renewing=False))

    def _renew(self) -> None:
        while True:
            time.sleep(self._every)
            with self._lock:
                if not self._held and not self._gone:
                    self._renewer = None
                    return
            drive(self._tend())


class AsyncPostgresUploadSlots(_Slots):
    """Slots for the tasks of clients on any number of machines; otherwise as `PostgresUploadSlots`. A task renews them.

    Args:
        server: where they are.
        limit: as for `PostgresUploadSlots`.
        sleep: as for `PostgresUploadSlots`, awaited.
        pause: as for `PostgresUploadSlots`.
        lasts: as for `PostgresUploadSlots`.

    Raises:
        ValueError: the limit is below 1.
    """

    def __init__(self, server: Server, limit: int, *, sleep: Sleep, pause: float, lasts: float = LASTS) -> None:
        super().__init__(server, limit, pause, lasts)
        self._sleep = sleep
        self._renewer: asyncio.Task[None] | None = None
        self._leaving: set[asyncio.Task[None]] = set()

    async def enter(self, account: str, /) -> None:
        """Wait for a slot and take it. A cancelled wait takes no slot.

        Raises:
            StoreError: the server cannot be asked.
        """
        try:
            await self._entered(account, self._sleep)
        except BaseException:
            self._give_back()
            raise
        if self._renewer is None or self._renewer.done():
            self._renewer = asyncio.create_task(self._renew())

    def leave(self) -> None:
        """Give a slot back, in the background. If the server cannot be told, the slot ends by itself."""
        self._gone.append(self._held.popleft())
        self._give_back()

    def _give_back(self) -> None:
        task = asyncio.get_running_loop().create_task(self._tend(is_renewing=False))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _renew(self) -> None:
        while self._held or self._gone:
            await asyncio.sleep(self._every)
            await self._tend()

    async def _settle(self) -> None:
        if self._renewer is not None:
            self._renewer.cancel()
        await super()._settle()
        await asyncio.gather(*self._leaving, return_exceptions=True)
