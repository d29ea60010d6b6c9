"""The contract of `UploadSlots` and `AsyncUploadSlots`.

What belongs here: promises that hold for all slots, whether threads or tasks wait for them.
"""

from collections.abc import Callable
from typing import Protocol

import pytest

from tiktok_adapters.testing.contracts.stores import ODD_NAMES

__all__ = ["Crowd", "UploadSlotsContract"]


class Crowd(Protocol):
    """Workers that want slots. Each is a thread or a task. Every method returns once all workers are idle."""

    def start(self, account: str, name: str) -> None:
        """Start a worker that enters for this account."""
        ...

    def finish(self, name: str) -> None:
        """Make a worker leave its slot."""
        ...

    def cancel(self, name: str) -> None:
        """Cancel a waiting worker."""
        ...

    @property
    def inside(self) -> list[str]:
        """The workers that have a slot, in the order in which they got it."""
        ...


class UploadSlotsContract:
    """Bind it with the fixture `gather`."""

    @pytest.fixture
    def gather(self) -> Callable[[int], Crowd]:
        """Return a function that makes a crowd for a number of slots."""
        raise NotImplementedError("a binding defines the fixture `gather`")

    @pytest.mark.parametrize("limit", [0, -1])
    def test_at_least_one_may_run(self, gather: Callable[[int], Crowd], limit: int) -> None:
        """A limit below 1 is refused, because no upload could ever run."""
        with pytest.raises(ValueError, match="at least one"):
            gather(limit)

    @pytest.mark.parametrize("limit", [1, 3])
    def test_as_many_run_as_there_are_slots_and_in_their_order(
        self, gather: Callable[[int], Crowd], limit: int
    ) -> None:
        """As many workers enter as there are slots. Each worker that leaves lets exactly the next one in."""
        crowd = gather(limit)
        names = [str(number) for number in range(limit + 4)]
        for name in names:
            crowd.start("a", name)
        assert crowd.inside == names[:limit]
        for done in range(4):
            crowd.finish(names[done])
            assert crowd.inside == names[done + 1 : done + 1 + limit]
        for name in names[4:]:
            crowd.finish(name)
        assert crowd.inside == []
        crowd.start("b", "again")
        assert crowd.inside == ["again"]
        crowd.finish("again")

    def test_the_accounts_take_turns(self, gather: Callable[[int], Crowd]) -> None:
        """An account with one late post does not wait for all posts of another account."""
        crowd = gather(1)
        for number in range(5):
            crowd.start("many", f"m{number}")
        crowd.start("one", "o0")
        crowd.start("two", "t0")
        crowd.start("one", "o1")
        order = []
        while crowd.inside:
            (name,) = crowd.inside
            order.append(name)
            crowd.finish(name)
        assert order == ["m0", "m1", "o0", "t0", "m2", "o1", "m3", "m4"]

    @pytest.mark.parametrize("odd", ODD_NAMES, ids=range(len(ODD_NAMES)))
    def test_any_text_names_an_account(self, gather: Callable[[int], Crowd], odd: str) -> None:
        """The name of an account is an opaque key: accounts whose names are nearly the same take turns, too."""
        crowd = gather(1)
        for account, name in ((odd, "a0"), (odd, "a1"), (odd, "a2"), (f"{odd}.", "b0")):
            crowd.start(account, name)
        order = []
        while crowd.inside:
            (name,) = crowd.inside
            order.append(name)
            crowd.finish(name)
        assert order == ["a0", "a1", "b0", "a2"]

    def test_who_goes_away_takes_no_slot(self, gather: Callable[[int], Crowd]) -> None:
        """A cancelled worker takes no slot, whether it is the first, the last or the only one of its account."""
        crowd = gather(1)
        for name in ("a0", "a1", "a2", "b0", "a3"):
            crowd.start(name[0], name)
        for name in ("a1", "b0", "a3"):
            crowd.cancel(name)
        crowd.finish("a0")
        assert crowd.inside == ["a2"]
        crowd.finish("a2")
        assert crowd.inside == []
        crowd.start("b", "b1")
        assert crowd.inside == ["b1"]
        crowd.finish("b1")
