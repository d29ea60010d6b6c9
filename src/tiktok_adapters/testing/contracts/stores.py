"""The contract of `TokenStore` and `AsyncTokenStore`.

What belongs here: promises that hold for every store, and for every store that outlives its process.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import pytest
from attrs import evolve

from tiktok_adapters.testing.contracts import Contract, Run
from tiktok_core.domain.tokens import Secret, Tokens
from tiktok_core.errors import StoreError
from tiktok_core.ports import AsyncTokenStore, TokenStore

__all__ = ["AnyTokenStore", "DurableTokenStoreContract", "OpenStore", "TokenStoreContract"]

AnyTokenStore: TypeAlias = TokenStore | AsyncTokenStore
"""A token store of either world."""
OpenStore: TypeAlias = Callable[[], AnyTokenStore]
"""Opens the same place at each call."""

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
LATER = NOW + timedelta(seconds=10)
JUMPS = (timedelta(hours=1), timedelta(days=365), NOW - datetime(1970, 1, 1, tzinfo=UTC))
"""By how much a clock may be set back."""
TOKENS = Tokens(
    open_id="open-id-1",
    access_token=Secret("act.first"),
    refresh_token=Secret("rft.first"),
    scope=("user.info.basic", "video.publish"),
    issued_at=NOW,
    expires_at=NOW + timedelta(hours=2),
    refresh_expires_at=NOW + timedelta(days=180),
)
OTHERS = evolve(TOKENS, open_id="open-id-2", access_token=Secret("act.second"), scope=())
ODD_NAMES = [
    "",
    " ",
    "../../etc/passwd",
    "a/b\\c",
    "quote'\"; DROP TABLE tokens; --",
    "line\nbreak\r\ttab",
    "nul\0inside",
    "%s %00 {}",
    "Ünïcode 漢字 🎬",
    "e\u0301 is not \u00e9",
    "lone \ud83d surrogate",
    "x" * 10_000,
]


class TokenStoreContract(Contract):
    """Bind it with the fixture `store`: an empty store. The contract closes it."""

    @pytest.fixture
    def store(self) -> AnyTokenStore:
        """Return the empty store to test."""
        raise NotImplementedError("a binding defines the fixture `store`")

    @pytest.fixture
    def kept(self, store: AnyTokenStore, run: Run) -> Iterator[AnyTokenStore]:
        """Return the store, and close it after the test."""
        yield store
        run(store.close())

    # --- Tokens ------------------------------------------------------------------------------------------------------

    def test_an_unknown_account_has_no_tokens(self, kept: AnyTokenStore, run: Run) -> None:
        """Loading what was never saved gives None."""
        assert run(kept.load("nobody")) is None

    def test_what_was_saved_is_loaded(self, kept: AnyTokenStore, run: Run) -> None:
        """Tokens come back as they were, secrets and times included."""
        run(kept.save("me", TOKENS))
        assert run(kept.load("me")) == TOKENS

    def test_saving_replaces_the_tokens_as_a_whole(self, kept: AnyTokenStore, run: Run) -> None:
        """Nothing of the tokens before is left."""
        run(kept.save("me", TOKENS))
        run(kept.save("me", OTHERS))
        assert run(kept.load("me")) == OTHERS

    def test_accounts_do_not_mix(self, kept: AnyTokenStore, run: Run) -> None:
        """Each account has its own tokens."""
        run(kept.save("me", TOKENS))
        run(kept.save("you", OTHERS))
        assert (run(kept.load("me")), run(kept.load("you"))) == (TOKENS, OTHERS)

    def test_a_deleted_account_is_gone(self, kept: AnyTokenStore, run: Run) -> None:
        """Deleting forgets this account and no other."""
        run(kept.save("me", TOKENS))
        run(kept.save("you", OTHERS))
        run(kept.delete("me"))
        assert run(kept.load("me")) is None
        assert run(kept.load("you")) == OTHERS

    def test_deleting_an_unknown_account_does_nothing(self, kept: AnyTokenStore, run: Run) -> None:
        """Forgetting twice is no error."""
        run(kept.save("me", TOKENS))
        run(kept.delete("nobody"))
        assert run(kept.accounts()) == ("me",)

    def test_accounts_are_sorted(self, kept: AnyTokenStore, run: Run) -> None:
        """The names come sorted, whatever order they were saved in."""
        for name in ("b", "ä", "a", "Z", "10", "9"):
            run(kept.save(name, TOKENS))
        assert run(kept.accounts()) == ("10", "9", "Z", "a", "b", "ä")

    def test_only_accounts_with_tokens_are_listed(self, kept: AnyTokenStore, run: Run) -> None:
        """A lease alone makes no account."""
        run(kept.try_lease("leased", owner="a", now=NOW, until=LATER))
        run(kept.save("gone", TOKENS))
        run(kept.delete("gone"))
        assert run(kept.accounts()) == ()

    @pytest.mark.parametrize("name", ODD_NAMES, ids=range(len(ODD_NAMES)))
    def test_odd_characters_in_a_name_survive(self, kept: AnyTokenStore, run: Run, name: str) -> None:
        """A name is an opaque key: it is never a path, a pattern or a piece of a query."""
        run(kept.save(name, TOKENS))
        run(kept.save(f"{name}.", OTHERS))
        assert run(kept.load(name)) == TOKENS
        assert run(kept.accounts()) == (name, f"{name}.")
        assert run(kept.try_lease(name, owner="a", now=NOW, until=LATER))
        assert not run(kept.try_lease(name, owner="b", now=NOW, until=LATER))
        run(kept.delete(name))
        assert run(kept.accounts()) == (f"{name}.",)

    # --- Leases ------------------------------------------------------------------------------------------------------

    def test_a_free_lease_can_be_taken(self, kept: AnyTokenStore, run: Run) -> None:
        """Who comes first gets the lease, also for an account without tokens."""
        assert run(kept.try_lease("me", owner="a", now=NOW, until=LATER)) is True

    def test_a_lease_is_not_taken_twice(self, kept: AnyTokenStore, run: Run) -> None:
        """Another owner does not get it before it has run out."""
        run(kept.try_lease("me", owner="a", now=NOW, until=LATER))
        just_before = LATER - timedelta(microseconds=1)
        assert run(kept.try_lease("me", owner="b", now=NOW, until=LATER)) is False
        assert run(kept.try_lease("me", owner="b", now=just_before, until=LATER + timedelta(days=1))) is False

    def test_a_lease_runs_out(self, kept: AnyTokenStore, run: Run) -> None:
        """At its end it is free: its holder may be dead."""
        run(kept.try_lease("me", owner="a", now=NOW, until=LATER))
        assert run(kept.try_lease("me", owner="b", now=LATER, until=LATER + timedelta(seconds=10))) is True
        assert run(kept.try_lease("me", owner="a", now=LATER, until=LATER + timedelta(seconds=10))) is False

    @pytest.mark.parametrize("back", JUMPS)
    def test_a_clock_that_goes_back_makes_nobody_wait_for_long(
        self, kept: AnyTokenStore, run: Run, back: timedelta
    ) -> None:
        """A lease that ends later than any could is left over from before: it counts for nothing."""
        run(kept.try_lease("me", owner="a", now=NOW, until=LATER))
        then = NOW - back
        assert run(kept.try_lease("me", owner="b", now=then, until=then + timedelta(seconds=60))) is True
        assert run(kept.try_lease("me", owner="a", now=then, until=then + timedelta(seconds=60))) is False

    def test_its_owner_can_renew_a_lease(self, kept: AnyTokenStore, run: Run) -> None:
        """Renewing moves the end."""
        run(kept.try_lease("me", owner="a", now=NOW, until=LATER))
        assert run(kept.try_lease("me", owner="a", now=NOW, until=LATER + timedelta(seconds=5))) is True
        assert run(kept.try_lease("me", owner="b", now=LATER, until=LATER + timedelta(seconds=9))) is False

    def test_a_released_lease_is_free(self, kept: AnyTokenStore, run: Run) -> None:
        """Nobody waits for a lease that was given back."""
        run(kept.try_lease("me", owner="a", now=NOW, until=LATER))
        run(kept.release("me", owner="a"))
        assert run(kept.try_lease("me", owner="b", now=NOW, until=LATER)) is True

    def test_a_stranger_cannot_release_a_lease(self, kept: AnyTokenStore, run: Run) -> None:
        """Who lost a lease and wakes up late does not take it from the one who has it now."""
        run(kept.try_lease("me", owner="a", now=NOW, until=LATER))
        run(kept.release("me", owner="b"))
        run(kept.release("nobody", owner="b"))
        assert run(kept.try_lease("me", owner="b", now=NOW, until=LATER)) is False

    def test_leases_of_accounts_do_not_mix(self, kept: AnyTokenStore, run: Run) -> None:
        """Each account has its own lease."""
        run(kept.try_lease("me", owner="a", now=NOW, until=LATER))
        assert run(kept.try_lease("you", owner="b", now=NOW, until=LATER)) is True

    def test_saving_and_deleting_leave_the_lease(self, kept: AnyTokenStore, run: Run) -> None:
        """The holder saves while it holds; only `release` and time end a lease."""
        run(kept.try_lease("me", owner="a", now=NOW, until=LATER))
        run(kept.save("me", TOKENS))
        run(kept.delete("me"))
        assert run(kept.try_lease("me", owner="b", now=NOW, until=LATER)) is False

    # --- The end -----------------------------------------------------------------------------------------------------

    def test_closing_twice_does_nothing(self, kept: AnyTokenStore, run: Run) -> None:
        """A second close is no error."""
        assert run(kept.close()) is None
        assert run(kept.close()) is None

    def test_a_closed_store_says_so(self, kept: AnyTokenStore, run: Run) -> None:
        """Use after close is a `StoreError`, not an empty store."""
        run(kept.close())
        with pytest.raises(StoreError):
            run(kept.load("me"))
        with pytest.raises(StoreError):
            run(kept.save("me", TOKENS))


class DurableTokenStoreContract(TokenStoreContract):
    """For stores that outlive their process. Bind it with the fixture `open_store`.

    `open_store` is a function without arguments; each call opens the same place, which is empty at first.
    """

    @pytest.fixture
    def open_store(self) -> OpenStore:
        """Return a function that opens the same place at each call."""
        raise NotImplementedError("a binding defines the fixture `open_store`")

    @pytest.fixture
    def store(self, open_store: OpenStore) -> AnyTokenStore:
        """Return the place, opened."""
        return open_store()

    @pytest.fixture
    def other(self, open_store: OpenStore, run: Run) -> Iterator[AnyTokenStore]:
        """Return the place, opened once more."""
        other = open_store()
        yield other
        run(other.close())

    def test_tokens_survive_closing(self, kept: AnyTokenStore, open_store: OpenStore, run: Run) -> None:
        """What was saved is there when the place is opened again."""
        run(kept.save("me", TOKENS))
        run(kept.close())
        again = open_store()
        assert run(again.load("me")) == TOKENS
        run(again.close())

    def test_leases_survive_closing(self, kept: AnyTokenStore, open_store: OpenStore, run: Run) -> None:
        """A lease belongs to its owner, not to the opened store."""
        run(kept.try_lease("me", owner="a", now=NOW, until=LATER))
        run(kept.close())
        again = open_store()
        assert run(again.try_lease("me", owner="b", now=NOW, until=LATER)) is False
        assert run(again.try_lease("me", owner="a", now=NOW, until=LATER)) is True
        run(again.close())

    def test_another_one_sees_what_was_saved_and_deleted(
        self, kept: AnyTokenStore, other: AnyTokenStore, run: Run
    ) -> None:
        """Each call sees what others did before it: nothing is cached."""
        run(kept.save("me", TOKENS))
        assert run(other.load("me")) == TOKENS
        run(other.save("me", OTHERS))
        assert run(kept.load("me")) == OTHERS
        run(kept.delete("me"))
        assert run(other.accounts()) == ()

    def test_another_one_respects_the_lease(self, kept: AnyTokenStore, other: AnyTokenStore, run: Run) -> None:
        """A lease holds for everybody who opened the place."""
        assert run(kept.try_lease("me", owner="a", now=NOW, until=LATER)) is True
        assert run(other.try_lease("me", owner="b", now=NOW, until=LATER)) is False
        run(kept.release("me", owner="a"))
        assert run(other.try_lease("me", owner="b", now=NOW, until=LATER)) is True
