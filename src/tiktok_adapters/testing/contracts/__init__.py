"""The promises of each port as tests. You can bind them to an adapter of this library or of your own.

What belongs here: one file per port, and the code that they share. A contract is a class of ordinary tests. A binding is a
subclass with one fixture that makes the adapter. Blocking and asynchronous adapters keep the same contract: every result of
a call goes through `run`, which awaits it if it is awaitable. See `contract_tests/README.md`.
"""

import asyncio
import inspect
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest

__all__ = ["Contract", "Run", "ended"]

Run: TypeAlias = Callable[[Any], Any]
"""Returns the result of a blocking or asynchronous call. It awaits an awaitable result."""


class Contract:
    """The base of all contracts: the fixture `run`."""

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
