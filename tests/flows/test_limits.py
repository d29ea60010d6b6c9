"""Limits that a client keeps by itself: TikTok's quotas, a budget of repetitions, and what it tells of a full day."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from tiktok_adapters.simulator import parse_fault
from tiktok_adapters.stores.sqlite_pacer import SqlitePacer
from tiktok_core import PrivacyLevel, ServerError, StoreError
from tiktok_core.blocking import lift_pacer
from tiktok_core.domain.retry import BUDGET, EARNED
from tiktok_core.flows.pace import Budgets
from tiktok_core.ports import AsyncPacer

VIDEO_URL = "https://media.example.com/clip.mp4"


def with_pacer(account: Any, pacer: AsyncPacer) -> Any:
    """Return the account, keeping to the quotas by that pacer."""
    other = account.with_options()
    inner = getattr(other, "_face", other)
    inner._context = evolve(inner._context, pacer=pacer)
    return other


def test_clients_that_share_a_pacer_share_the_quota(bench: Any, tmp_path: Path) -> None:
    """Two processes of one machine ask twenty times a minute together, not each."""
    account = bench.signed_in()
    pacers = [SqlitePacer(tmp_path / "pace.db") for _ in range(2)]
    accounts = [with_pacer(account, lift_pacer(pacer)) for pacer in pacers]
    for turn in range(20):
        bench.run(accounts[turn % 2].creator_info())
    assert bench.clock.slept == 0
    bench.run(accounts[0].creator_info())
    assert 59 <= bench.clock.slept <= 61
    for pacer in pacers:
        pacer.close()


def test_a_pacer_that_fails_costs_no_call(bench: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Keeping to a quota is a courtesy: without it the call is made all the same, and the log says why."""

    class Broken:
        async def pause(self, name: str, /, *, limit: int, now: datetime) -> float:
            raise StoreError("Pacer pace.db", "database or disk is full")

        async def close(self) -> None:
            raise AssertionError("nobody closes it here")

    account = with_pacer(bench.signed_in(), Broken())
    assert bench.run(account.creator_info()).privacy_level_options
    assert "disk is full" in caplog.text


def test_an_outage_is_not_met_with_a_multiple_of_the_calls(bench: Any) -> None:
    """While nothing answers, an account has a budget of repetitions; once it is spent, each call is one request."""
    account = bench.signed_in()
    bench.sim.faults.add(parse_fault("user_infox1000=status:503"))
    calls = 30
    for _ in range(calls):
        with pytest.raises(ServerError):
            bench.run(account.user_info())
    assert bench.sim.count("user_info") == calls + BUDGET


def test_each_account_has_a_budget_of_its_own() -> None:
    """What one account's calls cost leaves the others what they have."""
    budgets = Budgets()
    assert [budgets.spend("a") for _ in range(int(BUDGET) + 1)] == [True] * int(BUDGET) + [False]
    assert budgets.spend("b")


def test_answers_fill_the_budget_again() -> None:
    """A call that was answered gives back what it took and a little more, up to the full budget."""
    budgets = Budgets()
    while budgets.spend("a"):
        continue
    for _ in range(int(1 / EARNED) + 1):
        assert not budgets.spend("a")
        budgets.earn("a", repeated=0)
    assert budgets.spend("a")
    for _ in range(1000):
        budgets.earn("a", repeated=2)
    assert [budgets.spend("a") for _ in range(int(BUDGET) + 1)] == [True] * int(BUDGET) + [False]


def test_more_drafts_than_an_inbox_takes_are_told_of(bench: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The sixth draft of a day is tried, for TikTok alone knows what waits; the log says what to do if it refuses."""
    account = bench.signed_in()
    for number in range(6):
        assert ("draft 6" in caplog.text) is False
        if number < 5:
            bench.run(account.post_video(VIDEO_URL, draft=True))
            bench.clock.advance(timedelta(minutes=1).total_seconds())
    with pytest.raises(Exception, match="spam_risk_too_many_pending_share"):
        bench.run(account.post_video(VIDEO_URL, draft=True))
    assert "This is draft 6 of 24 hours" in caplog.text


def test_more_posts_than_a_creator_is_given_are_told_of(bench: Any, caplog: pytest.LogCaptureFixture) -> None:
    """So is the sixteenth direct post; whoever asks a day later hears nothing."""
    account = bench.signed_in()
    for _ in range(15):
        bench.run(account.post_video(VIDEO_URL, privacy_level=PrivacyLevel.SELF_ONLY))
    assert "of 24 hours" not in caplog.text
    with pytest.raises(Exception, match="spam_risk_too_many_posts"):
        bench.run(account.post_video(VIDEO_URL, privacy_level=PrivacyLevel.SELF_ONLY))
    assert "This is post 16 of 24 hours" in caplog.text
    caplog.clear()
    bench.clock.advance(timedelta(days=1).total_seconds())
    bench.run(account.post_video(VIDEO_URL, privacy_level=PrivacyLevel.SELF_ONLY))
    assert "of 24 hours" not in caplog.text
