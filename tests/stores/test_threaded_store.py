"""What a blocking store behind an asynchronous face promises beyond the contract of the port."""

import asyncio
import threading

import pytest

from tiktok_adapters.stores.memory import MemoryTokenStore
from tiktok_adapters.stores.threaded import ThreadedTokenStore
from tiktok_core.domain.tokens import Tokens


class _SlowStore(MemoryTokenStore):
    """A store that takes long to load."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Event()
        self.go = threading.Event()
        self.left = threading.Event()

    def load(self, account: str, /) -> Tokens | None:
        self.entered.set()
        self.go.wait(5)
        self.left.set()
        return super().load(account)


def test_a_slow_store_does_not_hold_up_the_event_loop() -> None:
    """Other tasks run while the store waits for its disk."""
    slow = _SlowStore()

    async def main() -> None:
        loading = asyncio.create_task(ThreadedTokenStore(slow).load("me"))
        await asyncio.to_thread(slow.entered.wait, 5)
        assert not loading.done()
        slow.go.set()
        assert await loading is None

    asyncio.run(main())


def test_a_cancelled_call_still_ends() -> None:
    """The store finishes every call that it has begun."""
    slow = _SlowStore()

    async def main() -> None:
        loading = asyncio.create_task(ThreadedTokenStore(slow).load("me"))
        await asyncio.to_thread(slow.entered.wait, 5)
        loading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await loading
        slow.go.set()

    asyncio.run(main())
    assert slow.left.wait(10), "the thread outlives the loop, but not its call"
