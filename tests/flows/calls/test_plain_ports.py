"""The plainest ports: they add nothing to what they are given."""

import pytest

from tiktok_core.blocking import drive
from tiktok_core.flows.calls.plain_ports import AtOnce, Unprotected


def test_unprotected_work_is_awaited_as_it_is() -> None:
    """Its result and its error reach the caller, and closing waits for nothing."""

    async def work(*, fails: bool) -> str:
        if fails:
            raise LookupError
        return "done"

    protect = Unprotected()
    assert drive(protect(work(fails=False))) == "done"
    with pytest.raises(LookupError):
        drive(protect(work(fails=True)))
    drive(protect.close())


def test_a_call_is_made_at_once() -> None:
    """Its result and its own error reach the caller; nothing is ever late."""

    def fail() -> str:
        raise LookupError

    background = AtOnce()
    assert drive(background(lambda: "done", within=0, late=TimeoutError(), is_movable=False)) == "done"
    with pytest.raises(LookupError):
        drive(background(fail, within=0, late=TimeoutError(), is_movable=True))
