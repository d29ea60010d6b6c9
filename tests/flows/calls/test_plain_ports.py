"""The plainest ports add nothing to what they get."""

import pytest

from tiktok_core.blocking import drive
from tiktok_core.flows.calls.plain_ports import AtOnce, Unprotected


def test_unprotected_work_is_awaited_as_it_is() -> None:
    """The caller gets the result or the error of the work, and closing waits for nothing."""

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
    """The caller gets the call's result or error, and the call is never late."""

    def fail() -> str:
        raise LookupError

    background = AtOnce()
    assert drive(background(lambda: "done", within=0, late=TimeoutError(), is_movable=False)) == "done"
    with pytest.raises(LookupError):
        drive(background(fail, within=0, late=TimeoutError(), is_movable=True))
