"""The promises of each port as tests. You can bind them to an adapter of this library or of your own.

What belongs here: one file per port, and the code that they share. A contract is a class of ordinary tests. A binding is a
subclass with one fixture that makes the adapter. Blocking and asynchronous adapters keep the same contract: every result of
a call goes through `run`, which awaits it if it is awaitable. See `contract_tests/README.md`.
"""

import asyncio
import inspect
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, ClassVar, TypeAlias

import pytest

__all__ = ["Contract", "PassTime", "Run", "ended"]

PassTime: TypeAlias = Callable[[float], None]
"""Lets seconds pass for an adapter that has a clock of its own. A negative number sets that clock back."""
Run: TypeAlias = Callable[[Any], Any]
"""Returns the result of a blocking or asynchronous call. It awaits an awaitable result."""


class Contract:
    """The base of all contracts: the fixture `run`, and what a binding tells of an adapter with a clock of its own.

    Attributes:
        drift: how far the adapter's own clock may go on by itself during a test. Most adapters have none: each call gives the time.
    """

    drift: ClassVar[timedelta] = timedelta(0)

    @pytest.fixture
    def pass_time(self) -> PassTime:
        """Return a function that lets time pass for the adapter. A store in a database moves the times that are stored there.

        By default the function does nothing, because the adapter reads no clock.
        """
        return lambda _seconds: None

    @pytest.fixture
    def run(self) -> Iterator[Run]:
        """Return a function that awaits awaitable results, in one event loop for each test, and returns others unchanged."""
        with asyncio.Runner() as runner:

            def run(value: Any) -> Any:
                return runner.run(_awaited(value)) if inspect.isawaitable(value) else value

            yield run


def ended(run: Run, call: Callable[[], Any]) -> Any:
    """Return the result of a blocking or asynchronous call, or the exception object that it raised.

    The exception is caught inside the event loop, because an event loop handles some exceptions in its own way.
    """
    try:
        value = call()
    except BaseException as error:  # noqa: BLE001 - the test judges it
        return error
    return run(_ended(value)) if inspect.isawaitable(value) else value


async def _awaited(value: Any) -> Any:
    return await value


async def _ended(value: Any) -> Any:
    try:
        return await value
    except BaseException as error:  # noqa: BLE001 - the test judges it
        return error
