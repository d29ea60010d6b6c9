"""A port that gives others their turn: what may happen between two steps of a flow happens."""

import asyncio
from typing import Any

__all__ = ["Yielding"]


class Yielding:
    """A port in memory at which other tasks, and a cancellation, get their turn before and after every call."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._inner, name)

        async def run(*args: Any, **options: Any) -> Any:
            await asyncio.sleep(0)
            result = call(*args, **options)
            await asyncio.sleep(0)
            return result

        return run
