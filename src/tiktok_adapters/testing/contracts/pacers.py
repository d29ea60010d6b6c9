"""The contract of `Pacer` and `AsyncPacer`.

What belongs here: promises that hold for every pacer, whether threads or processes share it.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from tiktok_adapters.testing.contracts import Contract, PassTime, Run
from tiktok_adapters.testing.contracts.stores import ODD_NAMES
from tiktok_core.ports import AsyncPacer, Pacer

__all__ = ["PacerContract"]

AnyPacer = Pacer | AsyncPacer

NOW = datetime(2026, 3, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TICK = timedelta(microseconds=2)
"""A pause is a float, so its last digit may be inexact."""


class PacerContract(Contract):
    """Bind it with the fixture `pacer`."""

    @pytest.fixture
    def pacer(self) -> AnyPacer:
        """Return the pacer to test, without any calls so far."""
        raise NotImplementedError("a binding defines the fixture `pacer`")

    @pytest.fixture
    def kept(self, pacer: AnyPacer, run: Run) -> Iterator[AnyPacer]:
        """Give the pacer, and close it afterwards."""
        yield pacer
        run(pacer.close())
        run(pacer.close())

    @pytest.mark.parametrize("seed", range(12))
    def test_no_minute_has_too_many_calls_and_none_waits_idly(
        self, kept: AnyPacer, run: Run, pass_time: PassTime, seed: int
    ) -> None:
        """At any schedule, no minute has more calls than the limit, and each call is made as early as the limit allows."""
        chance = Random(seed)  # noqa: S311 - a schedule, not a secret
        limit, name = chance.randint(1, 6), str(seed)
        gaps = [chance.choice((0, chance.random(), chance.uniform(0, 40))) for _ in range(40)]
        now, made = NOW, list[datetime]()
        for gap in gaps:
            now += timedelta(seconds=gap)
            pass_time(gap)
            pause = run(kept.pause(name, limit=limit, now=now))
            assert 0 <= pause <= MINUTE.total_seconds()
            if pause:
                assert sum(now - MINUTE < call <= now for call in made) >= limit
                now += timedelta(seconds=pause) + TICK
                pass_time(pause + TICK.total_seconds())
                assert run(kept.pause(name, limit=limit, now=now)) == 0
            made.append(now)
        for index, call in enumerate(made[limit:]):
            assert call - made[index] >= MINUTE - TICK - self.drift

    def test_asking_while_there_is_a_pause_costs_nothing(self, kept: AnyPacer, run: Run, pass_time: PassTime) -> None:
        """Only calls that the pacer allowed count."""
        drift = self.drift.total_seconds()
        assert run(kept.pause("a", limit=1, now=NOW)) == 0
        for seconds in range(1, 60 - int(drift)):
            pass_time(1)
            pause = run(kept.pause("a", limit=1, now=NOW + timedelta(seconds=seconds)))
            assert 60 - seconds - drift <= pause <= 60 - seconds
        pass_time(1 + drift)
        assert run(kept.pause("a", limit=1, now=NOW + MINUTE)) == 0

    @pytest.mark.parametrize("other", ["b", "A", "a ", "a\n", "a%", "a\0", "\ud800", "", "ä" * 500, ODD_NAMES[-1]])
    def test_names_are_opaque_keys(self, kept: AnyPacer, run: Run, other: str) -> None:
        """Calls under one name do not count for another name."""
        assert run(kept.pause("a", limit=1, now=NOW)) == 0
        assert run(kept.pause(other, limit=1, now=NOW)) == 0
        for name in ("a", other):
            assert 60 - self.drift.total_seconds() <= run(kept.pause(name, limit=1, now=NOW)) <= 60

    @pytest.mark.parametrize(
        "back", [timedelta(seconds=1), timedelta(hours=1), timedelta(days=365), NOW - datetime(1970, 1, 1, tzinfo=UTC)]
    )
    def test_a_clock_that_goes_back_makes_nobody_wait(
        self, kept: AnyPacer, run: Run, pass_time: PassTime, back: timedelta
    ) -> None:
        """Calls with a later time than now do not count, and no pause is longer than a minute."""
        assert run(kept.pause("a", limit=1, now=NOW)) == 0
        back += self.drift
        pass_time(-back.total_seconds())
        assert run(kept.pause("a", limit=1, now=NOW - back)) == 0
        assert 60 - self.drift.total_seconds() <= run(kept.pause("a", limit=1, now=NOW - back)) <= 60
