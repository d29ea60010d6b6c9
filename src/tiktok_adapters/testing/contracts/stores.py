"""The contract of `TokenStore` and `AsyncTokenStore`.

What belongs here: promises of every store, and of every store that outlives its process.

Longer than 400 lines because a contract is one class that an adapter binds.
"""

import asyncio
import inspect
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, ClassVar, TypeAlias

import pytest
from attrs import evolve
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tiktok_adapters.testing.contracts import Contract, PassTime, Run
from tiktok_adapters.testing.contracts.store_model import TokenStoreMachine
from tiktok_core.domain.tokens import Secret, Tokens
from tiktok_core.errors import StoreError
from tiktok_core.ports import AsyncTokenStore, TokenStore

__all__ = ["AnyTokenStore", "DurableTokenStoreContract", "OpenStore", "Spoil", "TokenStoreContract"]

AnyTokenStore: TypeAlias = TokenStore | AsyncTokenStore
"""A blocking or asynchronous token store."""
OpenStore: TypeAlias = Callable[[], AnyTokenStore]
"""Opens the same place with each call."""
Spoil: TypeAlias = Callable[[str, bytes], None]
"""Changes the stored document of an account."""

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
LATER = NOW + timedelta(seconds=10)
TICK = timedelta(microseconds=1)
JUMPS = (timedelta(hours=1), timedelta(days=365), NOW - datetime(1970, 1, 1, tzinfo=UTC))
"""Times by which a clock is set back."""
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
AS_THE_MODEL = settings(
    stateful_step_count=12,
    deadline=None,
    database=None,
    # A durable store writes to a disk or asks a server at each step, and no promise is about speed.
    suppress_health_check=[HealthCheck.too_slow],
)
SPOILT = {
    "damaged": (b'{"version": 1, "access_token": "act.canary', "damaged"),
    "something else": (b'["act.canary"]', "damaged"),
    "too large": (b'{"version": 1, "access_token": "act.canary"' + b" " * 9_000_000 + b"}", "damaged"),
    "another version": (b'{"version": 99, "access_token": "act.canary"}', "version"),
}
"""Unreadable documents, and the kind of trouble that each causes."""
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
    "".join(map(chr, Random(1).choices(range(0x4E00, 0x9FA5), k=1_000))),  # noqa: S311 - 3 kB that nothing can compress
]


class TokenStoreContract(Contract):
    """Bind it with the fixture `store`: an empty store. The contract closes it.

    Attributes:
        examples: how many sequences of calls the store is compared with a model in. Fewer do for a store that is far away.
    """

    examples: ClassVar[int] = 15

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
        """Loading an unknown account gives None."""
        assert run(kept.load("nobody")) is None

    def test_what_was_saved_is_loaded(self, kept: AnyTokenStore, run: Run) -> None:
        """Tokens are loaded exactly as saved, including secrets and times."""
        run(kept.save("me", TOKENS))
        assert run(kept.load("me")) == TOKENS

    def test_a_mark_is_kept_with_the_tokens(self, kept: AnyTokenStore, run: Run) -> None:
        """The mark that TikTok refuses the refresh token is kept with the tokens until the next sign-in."""
        run(kept.save("me", evolve(TOKENS, is_refused=True)))
        assert run(kept.load("me")) == TOKENS
        assert run(kept.load("me")).is_refused is True
        run(kept.save("me", TOKENS))
        assert run(kept.load("me")).is_refused is False

    def test_saving_replaces_the_tokens_as_a_whole(self, kept: AnyTokenStore, run: Run) -> None:
        """Nothing of the earlier tokens remains."""
        run(kept.save("me", TOKENS))
        run(kept.save("me", OTHERS))
        assert run(kept.load("me")) == OTHERS

    def test_accounts_do_not_mix(self, kept: AnyTokenStore, run: Run) -> None:
        """Each account has its own tokens."""
        run(kept.save("me", TOKENS))
        run(kept.save("you", OTHERS))
        assert (run(kept.load("me")), run(kept.load("you"))) == (TOKENS, OTHERS)

    def test_a_deleted_account_is_gone(self, kept: AnyTokenStore, run: Run) -> None:
        """Deleting removes this account and no other."""
        run(kept.save("me", TOKENS))
        run(kept.save("you", OTHERS))
        run(kept.delete("me"))
        assert run(kept.load("me")) is None
        assert run(kept.load("you")) == OTHERS

    def test_deleting_an_unknown_account_does_nothing(self, kept: AnyTokenStore, run: Run) -> None:
        """Deleting twice is no error."""
        run(kept.save("me", TOKENS))
        run(kept.delete("nobody"))
        assert run(kept.accounts()) == ("me",)

    def test_accounts_are_sorted(self, kept: AnyTokenStore, run: Run) -> None:
        """The names are sorted, independent of the order in which they were saved."""
        for name in ("b", "ä", "a", "Z", "10", "9"):
            run(kept.save(name, TOKENS))
        assert run(kept.accounts()) == ("10", "9", "Z", "a", "b", "ä")

    def test_only_accounts_with_tokens_are_listed(self, kept: AnyTokenStore, run: Run) -> None:
        """A lease without tokens does not make an account."""
        run(kept.try_lease("leased", owner="a", now=NOW, until=LATER))
        run(kept.save("gone", TOKENS))
        run(kept.delete("gone"))
        assert run(kept.accounts()) == ()

    @pytest.mark.parametrize("name", ODD_NAMES, ids=range(len(ODD_NAMES)))
    def test_odd_characters_in_a_name_survive(self, kept: AnyTokenStore, run: Run, name: str) -> None:
        """A name is an opaque key, and never a path, a pattern or part of a query."""
        run(kept.save(name, TOKENS))
        run(kept.save(f"{name}.", OTHERS))
        assert run(kept.load(name)) == TOKENS
        assert run(kept.accounts()) == (name, f"{name}.")
        assert run(kept.try_lease(name, owner="a", now=NOW, until=LATER))
        assert not run(kept.try_lease(name, owner="b", now=NOW, until=LATER))
        run(kept.delete(name))
        assert run(kept.accounts()) == (f"{name}.",)

    # --- Generations -------------------------------------------------------------------------------------------------

    def test_each_save_has_a_generation_of_its_own(self, kept: AnyTokenStore, run: Run) -> None:
        """Loaded tokens have the generation of their save. The generation in the saved tokens is ignored."""
        first = run(kept.save("me", evolve(TOKENS, generation=7)))
        assert run(kept.load("me")).generation == first
        second = run(kept.save("me", TOKENS))
        assert run(kept.load("me")).generation == second
        assert first != second

    def test_what_was_seen_is_replaced(self, kept: AnyTokenStore, run: Run) -> None:
        """A renewal replaces the tokens that it has renewed."""
        run(kept.save("me", TOKENS))
        seen = run(kept.load("me")).generation
        generation = run(kept.save("me", OTHERS, seen=seen))
        assert generation not in {None, seen}
        assert run(kept.load("me")) == OTHERS
        assert run(kept.load("me")).generation == generation

    def test_what_was_not_seen_is_not_replaced(self, kept: AnyTokenStore, run: Run) -> None:
        """A late renewal does not replace a newer renewal or sign-in, even if the tokens are equal."""
        seen = run(kept.save("me", TOKENS))
        newer = run(kept.save("me", TOKENS))
        assert run(kept.save("me", OTHERS, seen=seen)) is None
        assert run(kept.load("me")) == TOKENS
        assert run(kept.load("me")).generation == newer

    def test_what_is_gone_is_not_brought_back(self, kept: AnyTokenStore, run: Run) -> None:
        """A late renewal does not undo a sign-out, and does not create an account."""
        seen = run(kept.save("me", TOKENS))
        run(kept.delete("me"))
        assert run(kept.save("me", OTHERS, seen=seen)) is None
        assert run(kept.save("nobody", OTHERS, seen=seen)) is None
        assert run(kept.accounts()) == ()

    def test_a_generation_is_not_given_again(self, kept: AnyTokenStore, run: Run) -> None:
        """A generation is never reused, even after a sign-out: so a generation from before it never matches later tokens."""
        given = []
        for _ in range(3):
            given.append(run(kept.save("me", TOKENS)))
            run(kept.delete("me"))
        assert len(set(given)) == 3
        latest = run(kept.save("me", TOKENS))
        assert [run(kept.save("me", OTHERS, seen=seen)) for seen in given] == [None] * 3
        assert run(kept.load("me")).generation == latest

    def test_a_sign_in_takes_the_place_of_whatever_is_there(self, kept: AnyTokenStore, run: Run) -> None:
        """A sign-in replaces any tokens, because a person has just acted."""
        for tokens in (TOKENS, OTHERS, TOKENS):
            assert run(kept.save("me", tokens, seen=None)) is not None
            assert run(kept.load("me")) == tokens

    def test_only_what_was_seen_is_deleted(self, kept: AnyTokenStore, run: Run) -> None:
        """A late sign-out does not delete a newer sign-in."""
        seen = run(kept.save("me", TOKENS))
        newer = run(kept.save("me", OTHERS))
        run(kept.delete("me", seen=seen))
        run(kept.delete("nobody", seen=seen))
        assert run(kept.load("me")) == OTHERS
        run(kept.delete("me", seen=newer))
        assert run(kept.load("me")) is None

    def test_of_many_who_have_seen_the_same_one_saves(self, kept: AnyTokenStore, run: Run) -> None:
        """Comparing and saving are atomic: of eight concurrent saves, seven are refused."""
        seen = run(kept.save("me", TOKENS))
        several = [evolve(OTHERS, refresh_token=Secret(f"rft.{number}")) for number in range(8)]
        saved = run(_all_at_once(kept, several, seen))
        (winner,) = [number for number, generation in enumerate(saved) if generation is not None]
        assert run(kept.load("me")) == several[winner]
        assert run(kept.load("me")).generation == saved[winner]

    def test_any_order_of_calls_does_what_the_model_does(self, kept: AnyTokenStore, run: Run) -> None:
        """With two accounts and any order of saves and deletions, the store behaves like a plain model."""

        class Machine(TokenStoreMachine):
            def __init__(self) -> None:
                super().__init__(kept, run)

        run_state_machine_as_test(Machine, settings=settings(AS_THE_MODEL, max_examples=self.examples))

    # --- Leases ------------------------------------------------------------------------------------------------------

    def test_a_free_lease_can_be_taken(self, kept: AnyTokenStore, run: Run) -> None:
        """The first owner gets the lease, even for an account without tokens."""
        assert run(kept.try_lease("me", owner="a", now=NOW, until=LATER)) is True

    def test_a_lease_is_not_taken_twice(self, kept: AnyTokenStore, run: Run, pass_time: PassTime) -> None:
        """Another owner does not get a lease before it has expired."""
        run(kept.try_lease("me", owner="a", now=NOW, until=LATER))
        just_before = LATER - max(TICK, self.drift)
        assert run(kept.try_lease("me", owner="b", now=NOW, until=LATER)) is False
        pass_time((just_before - NOW).total_seconds())
        assert run(kept.try_lease("me", owner="b", now=just_before, until=LATER + timedelta(days=1))) is False

    def test_a_lease_runs_out(self, kept: AnyTokenStore, run: Run, pass_time: PassTime) -> None:
        """An expired lease is free, because its owner may be dead."""
        run(kept.try_lease("me", owner="a", now=NOW, until=LATER))
        pass_time((LATER - NOW).total_seconds())
        assert run(kept.try_lease("me", owner="b", now=LATER, until=LATER + timedelta(seconds=10))) is True
        assert run(kept.try_lease("me", owner="a", now=LATER, until=LATER + timedelta(seconds=10))) is False

    @pytest.mark.parametrize("back", JUMPS)
    def test_a_clock_that_goes_back_makes_nobody_wait_for_long(
        self, kept: AnyTokenStore, run: Run, pass_time: PassTime, back: timedelta
    ) -> None:
        """A lease that ends later than any lease can is left from before the clock went back. It does not block a new owner."""
        run(kept.try_lease("me", owner="a", now=NOW, until=LATER))
        then = NOW - back
        pass_time(-back.total_seconds())
        assert run(kept.try_lease("me", owner="b", now=then, until=then + timedelta(seconds=60))) is True
        assert run(kept.try_lease("me", owner="a", now=then, until=then + timedelta(seconds=60))) is False

    def test_its_owner_can_renew_a_lease(self, kept: AnyTokenStore, run: Run, pass_time: PassTime) -> None:
        """Renewing changes the end of a lease."""
        run(kept.try_lease("me", owner="a", now=NOW, until=LATER))
        assert run(kept.try_lease("me", owner="a", now=NOW, until=LATER + timedelta(seconds=5) + self.drift)) is True
        pass_time((LATER - NOW).total_seconds())
        assert run(kept.try_lease("me", owner="b", now=LATER, until=LATER + timedelta(seconds=9))) is False

    def test_a_released_lease_is_free(self, kept: AnyTokenStore, run: Run) -> None:
        """A released lease is free at once."""
        run(kept.try_lease("me", owner="a", now=NOW, until=LATER))
        run(kept.release("me", owner="a"))
        assert run(kept.try_lease("me", owner="b", now=NOW, until=LATER)) is True

    def test_a_stranger_cannot_release_a_lease(self, kept: AnyTokenStore, run: Run) -> None:
        """An owner that lost its lease cannot release the lease of the new owner."""
        run(kept.try_lease("me", owner="a", now=NOW, until=LATER))
        run(kept.release("me", owner="b"))
        run(kept.release("nobody", owner="b"))
        assert run(kept.try_lease("me", owner="b", now=NOW, until=LATER)) is False

    def test_leases_of_accounts_do_not_mix(self, kept: AnyTokenStore, run: Run) -> None:
        """Each account has its own lease."""
        run(kept.try_lease("me", owner="a", now=NOW, until=LATER))
        assert run(kept.try_lease("you", owner="b", now=NOW, until=LATER)) is True

    def test_saving_and_deleting_leave_the_lease(self, kept: AnyTokenStore, run: Run) -> None:
        """Saving and deleting do not end a lease. Only `release` and time do."""
        run(kept.try_lease("me", owner="a", now=NOW, until=LATER))
        run(kept.save("me", TOKENS))
        run(kept.delete("me"))
        assert run(kept.try_lease("me", owner="b", now=NOW, until=LATER)) is False

    # --- The end -----------------------------------------------------------------------------------------------------

    def test_closing_twice_does_nothing(self, kept: AnyTokenStore, run: Run) -> None:
        """A second `close` is no error."""
        assert run(kept.close()) is None
        assert run(kept.close()) is None

    def test_a_closed_store_says_so(self, kept: AnyTokenStore, run: Run) -> None:
        """After `close`, a call raises `StoreError`. The store does not seem empty."""
        run(kept.close())
        with pytest.raises(StoreError):
            run(kept.load("me"))
        with pytest.raises(StoreError):
            run(kept.save("me", TOKENS))


async def _awaited_at_once(store: AsyncTokenStore, several: list[Tokens], seen: int) -> list[int | None]:
    return await asyncio.gather(*(store.save("me", tokens, seen=seen) for tokens in several))


def _all_at_once(store: Any, several: list[Tokens], seen: int) -> Any:
    if inspect.iscoroutinefunction(store.save):
        return _awaited_at_once(store, several, seen)
    with ThreadPoolExecutor(len(several)) as pool:
        return list(pool.map(lambda tokens: store.save("me", tokens, seen=seen), several))


class DurableTokenStoreContract(TokenStoreContract):
    """For stores that outlive their process. Bind it with the fixtures `open_store` and `spoil`.

    `open_store` is a function without arguments. Each call opens the same place, which is empty at first. `spoil(account,
    document)` bypasses the store, and replaces the account's stored document by these bytes.
    """

    @pytest.fixture
    def spoil(self) -> Spoil:
        """Return a function that replaces a stored document."""
        raise NotImplementedError("a binding defines the fixture `spoil`")

    @pytest.fixture
    def open_store(self) -> OpenStore:
        """Return a function that opens the same place with each call."""
        raise NotImplementedError("a binding defines the fixture `open_store`")

    @pytest.fixture
    def store(self, open_store: OpenStore) -> AnyTokenStore:
        """Open the place."""
        return open_store()

    @pytest.fixture
    def other(self, open_store: OpenStore, run: Run) -> Iterator[AnyTokenStore]:
        """Open the place a second time."""
        other = open_store()
        yield other
        run(other.close())

    def test_tokens_survive_closing(self, kept: AnyTokenStore, open_store: OpenStore, run: Run) -> None:
        """Saved data is there when the place is opened again."""
        run(kept.save("me", TOKENS))
        run(kept.close())
        again = open_store()
        assert run(again.load("me")) == TOKENS
        run(again.close())

    def test_leases_survive_closing(self, kept: AnyTokenStore, open_store: OpenStore, run: Run) -> None:
        """A lease belongs to its owner, so it survives closing the store."""
        run(kept.try_lease("me", owner="a", now=NOW, until=LATER))
        run(kept.close())
        again = open_store()
        assert run(again.try_lease("me", owner="b", now=NOW, until=LATER)) is False
        assert run(again.try_lease("me", owner="a", now=NOW, until=LATER)) is True
        run(again.close())

    def test_another_one_sees_what_was_saved_and_deleted(
        self, kept: AnyTokenStore, other: AnyTokenStore, run: Run
    ) -> None:
        """Each call sees earlier changes of other openers: nothing is cached."""
        run(kept.save("me", TOKENS))
        assert run(other.load("me")) == TOKENS
        run(other.save("me", OTHERS))
        assert run(kept.load("me")) == OTHERS
        run(kept.delete("me"))
        assert run(other.accounts()) == ()

    def test_generations_survive_closing(self, kept: AnyTokenStore, open_store: OpenStore, run: Run) -> None:
        """After reopening, generations are the same, and none is reused, not even that of a deleted account."""
        seen, gone = run(kept.save("me", TOKENS)), run(kept.save("you", TOKENS))
        run(kept.delete("you"))
        run(kept.close())
        again = open_store()
        assert run(again.load("me")).generation == seen
        assert run(again.save("you", TOKENS)) != gone
        assert run(again.save("you", OTHERS, seen=gone)) is None
        assert run(again.save("me", OTHERS, seen=seen)) is not None
        run(again.close())

    def test_another_one_cannot_be_overtaken(self, kept: AnyTokenStore, other: AnyTokenStore, run: Run) -> None:
        """Of two openers, such as two processes, that have seen the same tokens, only the first one saves."""
        seen = run(kept.save("me", TOKENS))
        assert run(other.load("me")).generation == seen
        assert run(other.save("me", OTHERS, seen=seen)) is not None
        assert run(kept.save("me", TOKENS, seen=seen)) is None
        run(kept.delete("me", seen=seen))
        assert run(kept.load("me")) == OTHERS

    @pytest.mark.parametrize("what", SPOILT)
    def test_what_cannot_be_read_is_told_and_kept(self, kept: AnyTokenStore, spoil: Spoil, run: Run, what: str) -> None:
        """Tokens that are damaged, too large or another release's cause an error for their account only.

        No sign-in replaces them. After they are deleted, the account can sign in again.
        """
        run(kept.save("me", TOKENS))
        run(kept.save("you", OTHERS))
        document, kind = SPOILT[what]
        spoil("me", document)
        for call in (lambda: kept.load("me"), lambda: kept.save("me", OTHERS), lambda: kept.load("me")):
            with pytest.raises(StoreError) as caught:
                run(call())
            assert caught.value.kind == kind
            assert "canary" not in str(caught.value)
        assert run(kept.accounts()) == ("me", "you")
        assert run(kept.load("you")) == OTHERS
        run(kept.delete("me"))
        run(kept.save("me", TOKENS))
        assert run(kept.load("me")) == TOKENS

    def test_another_one_respects_the_lease(self, kept: AnyTokenStore, other: AnyTokenStore, run: Run) -> None:
        """All openers of the place respect a lease."""
        assert run(kept.try_lease("me", owner="a", now=NOW, until=LATER)) is True
        assert run(other.try_lease("me", owner="b", now=NOW, until=LATER)) is False
        run(kept.release("me", owner="a"))
        assert run(other.try_lease("me", owner="b", now=NOW, until=LATER)) is True
