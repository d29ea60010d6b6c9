"""The plainest ports: what a client uses where its program gives no `protect` and no `background`."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

__all__ = ["AtOnce", "Unprotected"]

T = TypeVar("T")


class Unprotected:
    """Work that an interruption cuts in two: for a program that makes sure that none comes."""

    async def __call__(self, work: Coroutine[Any, Any, T], /) -> T:
        """Await the work."""
        return await work

    async def close(self) -> None:
        """Do nothing: nothing is under way."""


class AtOnce:
    """Calls made where they are asked for: for a program whose sources and destinations wait for nothing."""

    async def __call__(
        self, work: Callable[[], T], /, *, within: float, late: Exception, is_movable: bool, is_needed: bool = True
    ) -> T:
        """Make the call here and now."""
        del within, late, is_movable, is_needed
        return work()
