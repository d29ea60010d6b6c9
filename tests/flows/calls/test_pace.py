"""Limits that a client keeps by itself: TikTok's quotas, a budget of repetitions, and warnings about a full day."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from clips import CLIP, PULLED, clip
from tiktok_adapters.simulator import parse_fault
from tiktok_adapters.stores.sqlite_pacer import SqlitePacer
from tiktok_core import PrivacyLevel, RateLimited, ServerError, StoreError, UploadError
from tiktok_core.domain.retry import BUDGET, EARNED
from tiktok_core.flows.calls.pace import Budgets, Cooldown, Told
from tiktok_core.lifting import lift_pacer
from tiktok_core.logs import sentence
from tiktok_core.ports import AsyncPacer
from tiktok_core.version import __version__


def with_pacer(account: Any, pacer: AsyncPacer) -> Any:
    """Return the account with that pacer."""
    other = account.with_options()
    inner = getattr(other, "_face", other)
    inner._context = evolve(inner._context, pacer=pacer)
    return other


def test_clients_that_share_a_pacer_share_the_quota(bench: Any, tmp_path: Path) -> None:
    """Two processes of one machine share TikTok's twenty calls a minute."""
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
    """A quota is a courtesy: without its pacer the client makes the call all the same, and logs why."""

    class Broken:
        async def pause(self, name: str, /, *, limit: int, now: datetime) -> float:
            raise StoreError("Pacer pace.db", "database or disk is full")

        async def close(self) -> None:
            raise AssertionError("nobody closes it here")

    account = with_pacer(bench.signed_in(), Broken())
    assert bench.run(account.creator_info()).privacy_level_options
    assert "disk is full" in caplog.text


@pytest.mark.parametrize("quota", ["creator_info", "status"])
def test_waiting_for_a_quota_is_told(bench: Any, quota: str, caplog: pytest.LogCaptureFixture) -> None:
    """The client keeps each quota and sends TikTok no call too many. The log says for how long it waits."""
    account = bench.signed_in()
    done = bench.run(account.post_video(PULLED, draft=True))
    bench.clock.advance(60)
    asked, limit = bench.sim.count(quota), {"creator_info": 20, "status": 30}[quota]
    ask = account.creator_info if quota == "creator_info" else partial(account.publish_status, done.publish_id)
    before = bench.clock.slept
    for _ in range(limit):
        bench.run(ask())
    assert bench.clock.slept == before
    bench.run(ask())
    assert bench.sim.count(quota) == asked + limit + 1
    assert 59 <= bench.clock.slept - before <= 61
    (said,) = [record for record in caplog.records if "a minute of the account" in record.getMessage()]
    assert said.pause == pytest.approx(bench.clock.slept - before)
    assert (said.account, said.quota) == (account.open_id, quota)
    words = {"creator_info": "the creator info", "status": "the status of posts"}[quota]
    assert sentence(said).startswith(
        f"TikTok takes {limit} questions for {words} a minute of the account {account.open_id}:"
    )


@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 100)), max_size=30))
def test_nothing_is_told_twice_in_a_minute(asked: list[tuple[str, float]]) -> None:
    """Under each name a warning is due again a minute after it was given, and not before."""
    told, now, given_at = Told(), datetime(2026, 3, 1, tzinfo=UTC), dict[str, datetime]()
    for name, later in asked:
        now += timedelta(seconds=later)
        due = name not in given_at or now - given_at[name] >= timedelta(minutes=1)
        assert told.is_due(name, now) is due
        if due:
            given_at[name] = now


@given(st.floats(-86_400, 86_400))
def test_a_clock_that_is_set_does_not_silence_a_warning(jump: float) -> None:
    """A warning that was given a minute ahead or ago is given again, and one of a thread that read the clock a little later is not."""
    told, now = Told(), datetime(2026, 3, 1, tzinfo=UTC)
    assert told.is_due("a", now)
    assert told.is_due("a", now + timedelta(seconds=jump)) is (abs(timedelta(seconds=jump)) >= timedelta(minutes=1))
    assert not told.is_due("a", now + timedelta(seconds=jump))


def test_of_many_threads_one_warns() -> None:
    """Thirty threads that find a quota used up give one warning, also if they come in another order than they read the clock."""
    told, start, now = Told(), threading.Barrier(30), datetime(2026, 3, 1, tzinfo=UTC)

    def ask(number: int) -> bool:
        start.wait(20)
        return told.is_due("a", now - timedelta(milliseconds=number))

    with ThreadPoolExecutor(30) as pool:
        assert sum(pool.map(ask, range(30))) == 1


@pytest.mark.parametrize("deadline", [5.0, 59.0, 61.0])
def test_a_quota_is_not_waited_for_beyond_the_deadline(bench: Any, deadline: float) -> None:
    """A call has one deadline for all its waits.

    If the quota's wait is longer, the client asks TikTok and takes its answer.
    """
    account = bench.signed_in().with_options(deadline=deadline, retries=0)
    for _ in range(20):
        bench.run(account.creator_info())
    before = bench.clock.now()
    if deadline > 60:
        assert bench.run(account.creator_info()).privacy_level_options
    else:
        with pytest.raises(RateLimited):
            bench.run(account.creator_info())
    assert (bench.clock.now() - before).total_seconds() <= deadline
    assert bench.clock.slept == (60.0 if deadline > 60 else 0.0)


def test_a_refusal_by_the_minute_teaches_the_pacer(bench: Any) -> None:
    """TikTok says that a quota is used up, by any program.

    Until its time has come, the client makes and counts no such call.
    """
    account = bench.signed_in()
    bench.sim.faults.add(parse_fault("creator_info=code:rate_limit_exceeded"))
    with pytest.raises(RateLimited):
        bench.run(account.with_options(retries=0).creator_info())
    bench.clock.advance(20)
    before = bench.clock.slept
    bench.run(account.creator_info())
    assert bench.clock.slept - before == 40.0
    assert bench.sim.count("creator_info") == 2
    bench.run(account.creator_info())
    assert bench.clock.slept - before == 40.0


@given(st.floats(0, 86_400), st.floats(-86_400, 86_400))
def test_quiet_lasts_a_minute_at_most(seconds: float, later: float) -> None:
    """The pause stays within a minute for any request of TikTok's and any jump of the clock."""
    cooldown, now = Cooldown(), datetime(2026, 3, 1, tzinfo=UTC)
    cooldown.ask("a", now, seconds)
    assert 0 <= cooldown.pause("a", now + timedelta(seconds=later)) <= 60
    assert cooldown.pause("a", now) == pytest.approx(min(seconds, 60), abs=1e-5)
    assert cooldown.pause("b", now) == 0


def test_chunks_in_doubt_are_paid_from_the_budget(bench: Any) -> None:
    """An upload host answers every chunk with an error.

    Once the budget is spent, the client sends each post's chunk once.
    """
    account = bench.signed_in()
    bench.sim.faults.add(parse_fault("putx9999=status:503"))
    before, posts = len(bench.sim.log), 30
    for number in range(posts):
        bench.clock.advance(60)
        with pytest.raises(UploadError):
            bench.run(account.post_video(clip(number), privacy_level=PrivacyLevel.SELF_ONLY))
    # Any answer of TikTok's, even an error, earns a tenth of a repetition.
    assert bench.sim.count("put") <= posts + BUDGET + EARNED * (len(bench.sim.log) - before)


def test_an_outage_is_not_met_with_a_multiple_of_the_calls(bench: Any) -> None:
    """While TikTok answers only with errors, an account has a budget of repetitions.

    Once it is spent, each call is one request.
    """
    account = bench.signed_in()
    bench.sim.faults.add(parse_fault("user_infox1000=status:503"))
    calls = 30
    for _ in range(calls):
        with pytest.raises(ServerError):
            bench.run(account.user_info())
    assert bench.sim.count("user_info") == calls + BUDGET


def test_each_account_has_a_budget_of_its_own() -> None:
    """One account's repetitions take nothing from another account's budget."""
    budgets = Budgets()
    assert [budgets.spend("a") for _ in range(int(BUDGET) + 1)] == [True] * int(BUDGET) + [False]
    assert budgets.spend("b")


def test_answers_fill_the_budget_again() -> None:
    """An answered call gives back what it took and a little more, up to the full budget."""
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
    """Only TikTok knows how many drafts wait, so the client tries the sixth of a day.

    The log says what to do if TikTok refuses.
    """
    account = bench.signed_in()
    for number in range(6):
        assert ("draft 6" in caplog.text) is False
        if number < 5:
            bench.run(account.post_video(PULLED, draft=True))
            bench.clock.advance(timedelta(minutes=1).total_seconds())
    with pytest.raises(Exception, match="spam_risk_too_many_pending_share"):
        bench.run(account.post_video(PULLED, draft=True))
    assert "This is draft 6 of 24 hours" in caplog.text


def test_more_posts_than_a_creator_is_given_are_told_of(bench: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The sixteenth direct post of a day gets the same warning. A day later there is none."""
    account = bench.signed_in()
    for _ in range(15):
        bench.run(account.post_video(PULLED, privacy_level=PrivacyLevel.SELF_ONLY))
    assert "of 24 hours" not in caplog.text
    with pytest.raises(Exception, match="spam_risk_too_many_posts"):
        bench.run(account.post_video(PULLED, privacy_level=PrivacyLevel.SELF_ONLY))
    assert "This is post 16 of 24 hours" in caplog.text
    caplog.clear()
    bench.clock.advance(timedelta(days=1).total_seconds())
    bench.run(account.post_video(PULLED, privacy_level=PrivacyLevel.SELF_ONLY))
    assert "of 24 hours" not in caplog.text


# --- What a call may take ----------------------------------------------------------------------------------------------


def sent_by(bench: Any) -> list[Any]:
    """Return the list of requests that leave from now on."""
    handle, sent = bench.sim.handle, []
    bench.handle = lambda request: (sent.append(request), handle(request))[1]
    return sent


def test_options_reach_every_request_of_a_call(bench: Any) -> None:
    """The options bound each wait and each whole request. A chunk may take as long as its line does."""
    account = bench.signed_in().with_options(timeout=3.5, deadline=17.0)
    sent = sent_by(bench)
    bench.run(account.post_video(CLIP, privacy_level=PrivacyLevel.SELF_ONLY))
    assert {request.timeout for request in sent} == {3.5}
    limits = {request.method: request.time_limit for request in sent}
    assert limits.pop("PUT") > 3_500
    assert all(0 < limit <= 17.0 for limit in limits.values())


def test_a_call_is_not_repeated_beyond_its_deadline(bench: Any) -> None:
    """Repetitions and their waits end by the deadline, however many repetitions would be left."""
    account = bench.signed_in().with_options(deadline=5.0, retries=99)
    bench.sim.faults.add(parse_fault("user_infox99=status:503"))
    before = bench.clock.now()
    with pytest.raises(ServerError):
        bench.run(account.user_info())
    assert (bench.clock.now() - before).total_seconds() <= 5.0


def test_every_request_says_who_asks(bench: Any) -> None:
    """Requests to the API and to the upload host name this library and its version, and no HTTP library."""
    account, sent = bench.signed_in(), sent_by(bench)
    bench.run(account.post_video(CLIP, privacy_level=PrivacyLevel.SELF_ONLY))
    assert {request.headers["User-Agent"] for request in sent} == {f"tiktok-open/{__version__}"}
    assert {request.method for request in sent} == {"POST", "PUT"}


def test_the_library_prints_nothing_by_itself() -> None:
    """The program decides where the library's log goes. If it does not, not even a warning reaches the terminal."""
    said = subprocess.run(
        [sys.executable, "-c", "from tiktok_core.logs import Log; Log().warning('x')"],
        capture_output=True,
        check=True,
    )
    assert (said.stdout, said.stderr) == (b"", b"")
