"""A plain model of a token store, and a state machine that makes calls in any order and compares the results.

What belongs here: the model only. The module `stores` tests the single promises.
"""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Final

from attrs import define
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tiktok_adapters.testing.contracts import Run
from tiktok_core.domain.tokens import Secret, Tokens
from tiktok_core.ports import AsyncTokenStore, TokenStore

__all__ = ["TokenStoreMachine"]

START: Final = datetime(2026, 3, 1, tzinfo=UTC)
NAMES: Final = ("one", "two")
ACCOUNTS = st.sampled_from(NAMES)
SEEN = st.sampled_from(["none", "latest", "older", "another's"])
FAR_AWAY: Final = 2**40

_examples = itertools.count()


@define
class _Kept:
    """The tokens of an account, and its generations."""

    tokens: Tokens
    generation: int


class TokenStoreMachine(RuleBasedStateMachine):
    """Makes the same calls to a store and to the model. Each example has its own accounts in the same store.

    Args:
        store: the token store, blocking or asynchronous.
        run: awaits the results of asynchronous calls.
    """

    def __init__(self, store: TokenStore | AsyncTokenStore, run: Run) -> None:
        super().__init__()
        self.store = store
        self.run = run
        self.example = f"example {next(_examples)}"
        self.kept: dict[str, _Kept] = {}
        self.given: dict[str, list[int]] = {name: [] for name in NAMES}

    @rule(name=ACCOUNTS, which=SEEN, secret=st.text(max_size=20), number=st.integers(0, FAR_AWAY))
    def save(self, name: str, which: str, secret: str, number: int) -> None:
        """Save as a sign-in, over the current generation, or over one that is gone."""
        tokens = Tokens(
            open_id=name,
            access_token=Secret(secret),
            refresh_token=Secret(secret[::-1]),
            scope=(),
            issued_at=START,
            expires_at=START + timedelta(hours=2),
            refresh_expires_at=START + timedelta(days=180),
            generation=number,
        )
        seen = self.seen(name, which)
        generation = self.run(self.store.save(self.named(name), tokens, seen=seen))
        if seen is not None and (name not in self.kept or self.kept[name].generation != seen):
            assert generation is None
            return
        assert generation not in {None, *self.given[name]}
        self.given[name].append(generation)
        self.kept[name] = _Kept(tokens, generation)

    @rule(name=ACCOUNTS, which=SEEN)
    def delete(self, name: str, which: str) -> None:
        """Delete the tokens, or only those of a generation."""
        seen = self.seen(name, which)
        self.run(self.store.delete(self.named(name), seen=seen))
        if seen is None or (name in self.kept and self.kept[name].generation == seen):
            self.kept.pop(name, None)

    @invariant()
    def it_has_what_the_model_has(self) -> None:
        """Compare the tokens, their generations and the names with the model."""
        for name in NAMES:
            loaded = self.run(self.store.load(self.named(name)))
            kept = self.kept.get(name)
            assert loaded == (kept.tokens if kept else None)
            assert loaded is None or kept is None or loaded.generation == kept.generation
        mine = {account for account in self.run(self.store.accounts()) if account.startswith(f"{self.example}:")}
        assert mine == {self.named(name) for name in self.kept}

    def named(self, name: str) -> str:
        """Return an account of this example."""
        return f"{self.example}:{name}"

    def seen(self, name: str, which: str) -> int | None:
        """Return a generation of the wanted sort. If there is none, return one that the store never gave."""
        other = NAMES[1] if name == NAMES[0] else NAMES[0]
        numbers = {
            "latest": self.given[name][-1:],
            "older": self.given[name][-2:-1],
            "another's": [number for number in self.given[other] if number not in self.given[name]],
        }
        return None if which == "none" else next(iter(numbers[which]), FAR_AWAY)
