"""The promises of each port, as tests to be bound to an adapter: ours, or yours.

What belongs here: one file per port, and what they share. A contract is a class of ordinary tests; a binding is a
subclass with one fixture that makes the adapter. Blocking and asynchronous adapters keep the same contract: whatever a
call returns goes through `run`, which awaits it where there is something to await. See `contract_tests/README.md`.
"""

import asyncio
import inspect
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest

__all__ = ["Contract", "Run", "ended"]

Run: TypeAlias = Callable[[Any], Any]
"""Returns what a call of either world gave, awaited where there is something to await."""


class Contract:
    """What all contracts share: the fixture `run`."""

    @pytest.fixture
    def run(self) -> Iterator[Run]:
        """Return what a call returned, awaited where it is awaitable; all in one event loop for each test."""
        with asyncio.Runner() as runner:

            def run(value: Any) -> Any:
                return runner.run(_awaited(value)) if inspect.isawaitable(value) else value

            yield run


def ended(run: Run, call: Callable[[], Any]) -> Any:
    """Return what a call of either world gave, or the very object that it raised, whatever that is.

    It is caught where the call was made: an event loop treats some errors in a way of its own.
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
