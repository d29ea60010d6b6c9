"""Calls in an account's name: tokens that are renewed ahead of their end, after a refusal, and by one at a time."""

import logging
import threading
from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve

from tiktok_adapters.simulator import parse_fault
from tiktok_core import NotSent, Secret, SignInRequired, StoreError
from tiktok_core.errors import AccessTokenInvalid


def test_a_live_token_is_used_as_it_is(bench: Any) -> None:
    """Nothing is renewed while the token has long to live."""
    account = bench.signed_in()
    bench.run(account.creator_info())
    assert bench.sim.count("token") == 1


def test_a_token_near_its_end_is_renewed_before_the_call(bench: Any) -> None:
    """Within 300 s of the end the call goes out with a new token, and the new pair is stored before it is used."""
    account = bench.signed_in()
    before = bench.store.load(account.open_id)
    bench.clock.advance(7200 - 299)
    bench.run(account.creator_info())
    after = bench.store.load(account.open_id)
    assert bench.sim.count("token") == 2
    assert after.access_token != before.access_token
    assert after.refresh_token != before.refresh_token
    assert bench.sim.count("creator_info") == 1


def test_a_refused_token_is_renewed_and_the_call_repeated_once(bench: Any) -> None:
    """After a 401 for the token the call is made again with a new one."""
    account = bench.signed_in()
    bench.kill_access_token(account.open_id)
    assert bench.run(account.creator_info()).creator_username == "maker_one"
    assert bench.sim.count("creator_info") == 2
    assert bench.sim.count("token") == 2


def test_a_token_that_is_refused_again_is_not_renewed_for_ever(bench: Any) -> None:
    """Two refusals in a row end the call."""
    account = bench.signed_in()
    bench.sim.faults.add(parse_fault("creator_infox9=code:access_token_invalid"))
    with pytest.raises(AccessTokenInvalid):
        bench.run(account.creator_info())
    assert bench.sim.count("creator_info") == 2
    assert bench.sim.count("token") == 2


def test_a_refused_refresh_token_asks_for_a_sign_in_and_deletes_nothing(bench: Any) -> None:
    """A dead refresh token is told in one sentence; the stored tokens stay for whoever looks into it."""
    account = bench.signed_in()
    bench.sim.disconnect(account.open_id)
    bench.kill_access_token(account.open_id)
    with pytest.raises(SignInRequired, match="refresh token"):
        bench.run(account.creator_info())
    assert bench.store.accounts() == (account.open_id,)


def test_tokens_that_another_process_renewed_are_adopted(bench: Any) -> None:
    """When a refresh token is refused because somebody else has used it, the newer stored pair is taken."""
    account = bench.signed_in()
    live = bench.store.load(account.open_id)
    stale = evolve(live, access_token=Secret("act.dead"), refresh_token=Secret("rft.dead"))
    bench.store.save(account.open_id, stale)
    load = bench.store.load
    calls: list[str] = []

    def load_then_newer(name: str, /) -> Any:
        # The other process saves after our third look: after the one in the lease, before the one after the refusal.
        calls.append(name)
        if len(calls) == 4:
            bench.store.save(name, live)
        return load(name)

    bench.store.load = load_then_newer
    assert bench.run(account.creator_info()).creator_username == "maker_one"
    assert bench.store.load(account.open_id).access_token == live.access_token


def test_whether_a_refresh_token_has_ended_is_for_tiktok_to_say(bench: Any) -> None:
    """Past its end only a person can help; our clock may be wrong, so TikTok is asked, once."""
    account = bench.signed_in()
    bench.clock.advance(15_552_001)
    with pytest.raises(SignInRequired, match="no longer takes its refresh token"):
        bench.run(account.creator_info())
    assert bench.sim.count("token") == 2


def test_a_renewal_ahead_of_the_end_that_fails_does_not_fail_the_call(bench: Any) -> None:
    """While the old token lives, a token endpoint out of reach is no obstacle."""
    account = bench.signed_in()
    bench.clock.advance(7200 - 200)
    bench.sim.faults.add(parse_fault("token=unreachable"))
    bench.run(account.creator_info())
    assert bench.sim.count("creator_info") == 1


def test_a_renewal_ahead_of_the_end_is_tried_once_a_minute(bench: Any) -> None:
    """While the token endpoint is out of reach, calls with a living token do not wait for it more than once a minute."""
    account = bench.signed_in()
    bench.clock.advance(7200 - 200)
    bench.sim.faults.add(parse_fault("tokenx99=unreachable"))
    bench.run(account.creator_info())
    tried = bench.sim.count("token")
    for _ in range(5):
        bench.run(account.creator_info())
    assert bench.sim.count("token") == tried
    bench.clock.advance(61)
    bench.run(account.creator_info())
    assert bench.sim.count("token") == 2 * tried - 1


def test_a_refused_token_is_renewed_however_young_it_is(bench: Any) -> None:
    """The rule of one renewal a minute is for those ahead of the end: a 401 for the stored token always allows one."""
    account = bench.signed_in()
    bench.clock.advance(7200 - 200)
    bench.run(account.creator_info())
    for renewals in (2, 3):
        bench.sim.faults.add(parse_fault("creator_info=expire"))
        bench.run(account.creator_info())
        assert bench.sim.count("token") == 1 + renewals


def test_a_pacer_that_cannot_be_read_keeps_nobody_from_renewing(bench: Any) -> None:
    """Trying once a minute is a courtesy: without a pacer the token is renewed all the same."""
    account = bench.signed_in()
    inner = getattr(bench.tiktok, "_face", bench.tiktok)

    class Broken:
        async def pause(self, name: str, /, **_: Any) -> float:
            raise StoreError("Pacer", "it is locked")

    object.__setattr__(inner._context, "pacer", Broken())
    bench.clock.advance(7200 - 200)
    assert bench.run(account.tokens()).issued_at == bench.clock.now()


@pytest.mark.parametrize("meanwhile", ["signed in", "signed out", "unreadable"])
def test_what_happens_during_a_renewal_is_not_undone(bench: Any, meanwhile: str) -> None:
    """A newer sign-in is adopted, and an ended one stays ended; a store that cannot be read is written all the same."""
    account = bench.signed_in()
    old = bench.store.load(account.open_id)
    newer = evolve(old, access_token=Secret("act.newer"), refresh_token=Secret("rft.newer"))
    load = bench.store.load
    handle = bench.handle

    def unreadable(_name: str, /) -> Any:
        raise StoreError("Store", "it is locked")

    def handle_and_meddle(request: Any) -> Any:
        response = handle(request)
        if meanwhile == "signed in":
            bench.store.save(account.open_id, newer)
        elif meanwhile == "signed out":
            bench.store.delete(account.open_id)
        else:
            bench.store.load = unreadable
        return response

    bench.handle = handle_and_meddle
    if meanwhile == "signed out":
        with pytest.raises(SignInRequired):
            bench.run(account.refresh())
        assert bench.store.accounts() == ()
        return
    tokens = bench.run(account.refresh())
    bench.store.load = load
    assert bench.store.load(account.open_id) == tokens
    assert (tokens == newer) == (meanwhile == "signed in")
    assert tokens != old


@pytest.mark.parametrize(("days", "warned"), [(30, True), (31, False)])
def test_the_end_of_a_sign_in_is_warned_of(
    bench: Any, days: int, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """From 30 days before the refresh token ends, each renewal says when a person has to sign in again."""
    caplog.set_level(logging.WARNING, "tiktok_core")
    account = bench.signed_in()
    bench.sim.switches.refresh_seconds = days * 86_400
    tokens = bench.run(account.refresh())
    assert tokens.needs_sign_in_soon(bench.clock.now()) == warned
    end = f"{tokens.refresh_expires_at:%Y-%m-%d}"
    assert [end in record.getMessage() for record in caplog.records] == [True] * warned


def test_a_renewal_after_the_end_that_fails_is_told(bench: Any) -> None:
    """Without a live token the transport's error is the answer, and the stored tokens stay."""
    account = bench.signed_in()
    bench.clock.advance(7300)
    bench.sim.faults.add(parse_fault("tokenx2=unreachable"))
    with pytest.raises(NotSent):
        bench.run(account.creator_info())
    assert bench.store.accounts() == (account.open_id,)
    assert bench.run(account.creator_info()).creator_username == "maker_one"


def test_a_renewal_by_hand_gives_other_tokens(bench: Any) -> None:
    """`refresh` renews however long the token would have lived."""
    account = bench.signed_in()
    before = bench.run(account.tokens())
    assert bench.run(account.refresh()).access_token != before.access_token


@pytest.mark.parametrize("lifetimes", ["legacy", "2026-11"])
def test_both_documented_lifetimes_can_be_lived_with(bench: Any, lifetimes: str) -> None:
    """With and without rotation, an account is used for two weeks of calls every few hours."""
    bench.sim.switches.lifetimes = lifetimes
    account = bench.signed_in()
    for _ in range(60):
        bench.clock.advance(timedelta(hours=5.5).total_seconds())
        bench.run(account.creator_info())


def test_someone_elses_lease_is_waited_for_and_outlived(bench: Any) -> None:
    """A holder that died is waited for until its lease runs out, and no longer."""
    account = bench.signed_in()
    now = bench.clock.now()
    bench.store.try_lease(account.open_id, owner="dead", now=now, until=now + timedelta(seconds=30))
    bench.run(account.refresh())
    assert 30 <= bench.clock.slept <= 31
    assert bench.sim.count("token") == 2


@pytest.mark.parametrize("bench", ["blocking"], indirect=True)
def test_many_threads_renew_once(bench: Any) -> None:
    """Sixteen threads that find the token expired make one renewal between them, under rotation."""
    account = bench.signed_in()
    bench.clock.advance(7300)
    answers: list[str] = []

    def call() -> None:
        answers.append(account.creator_info().creator_username)

    threads = [threading.Thread(target=call) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["maker_one"] * 16
    assert bench.sim.count("token") == 2
