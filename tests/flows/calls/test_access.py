"""Calls in an account's name: the client renews tokens before their end and after a refusal, once at a time."""

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
    """The client renews nothing while the token is valid for long."""
    account = bench.signed_in()
    bench.run(account.creator_info())
    assert bench.sim.count("token") == 1


def test_a_token_near_its_end_is_renewed_before_the_call(bench: Any) -> None:
    """Within 300 s of the end the client renews first. It stores the new pair before it uses it."""
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
    """After a 401 for the token the client renews it and makes the call again."""
    account = bench.signed_in()
    bench.kill_access_token(account.open_id)
    assert bench.run(account.creator_info()).creator_username == "maker_one"
    assert bench.sim.count("creator_info") == 2
    assert bench.sim.count("token") == 2


def test_a_token_that_is_refused_again_is_not_renewed_for_ever(bench: Any) -> None:
    """After two refusals in a row the call ends."""
    account = bench.signed_in()
    bench.sim.faults.add(parse_fault("creator_infox9=code:access_token_invalid"))
    with pytest.raises(AccessTokenInvalid):
        bench.run(account.creator_info())
    assert bench.sim.count("creator_info") == 2
    assert bench.sim.count("token") == 2


def test_a_refused_refresh_token_asks_for_a_sign_in_and_deletes_nothing(bench: Any) -> None:
    """The client says in one sentence that the refresh token is dead, and leaves the stored tokens for inspection."""
    account = bench.signed_in()
    bench.sim.disconnect(account.open_id)
    bench.kill_access_token(account.open_id)
    with pytest.raises(SignInRequired, match="refresh token"):
        bench.run(account.creator_info())
    assert bench.store.accounts() == (account.open_id,)


def test_tokens_that_another_process_renewed_are_adopted(bench: Any) -> None:
    """TikTok refuses a refresh token that another process has used.

    The client then takes the newer pair from the store.
    """
    account = bench.signed_in()
    live = bench.store.load(account.open_id)
    stale = evolve(live, access_token=Secret("act.dead"), refresh_token=Secret("rft.dead"))
    bench.store.save(account.open_id, stale)
    load = bench.store.load
    calls: list[str] = []

    def load_then_newer(name: str, /) -> Any:
        # The other process saves after our third look into the store: after the look in the lease, before the look
        # after the refusal.
        calls.append(name)
        if len(calls) == 4:
            bench.store.save(name, live)
        return load(name)

    bench.store.load = load_then_newer
    assert bench.run(account.creator_info()).creator_username == "maker_one"
    assert bench.store.load(account.open_id).access_token == live.access_token


def test_whether_a_refresh_token_has_ended_is_for_tiktok_to_say(bench: Any) -> None:
    """By our clock the token has ended, but that may be wrong: the client asks TikTok once, whose refusal counts."""
    account = bench.signed_in()
    bench.clock.advance(15_552_001)
    with pytest.raises(SignInRequired, match="no longer takes its refresh token"):
        bench.run(account.creator_info())
    assert bench.sim.count("token") == 2


def test_a_renewal_ahead_of_the_end_that_fails_does_not_fail_the_call(bench: Any) -> None:
    """While the old token is valid, the call succeeds though the token endpoint cannot be reached."""
    account = bench.signed_in()
    bench.clock.advance(7200 - 200)
    bench.sim.faults.add(parse_fault("token=unreachable"))
    bench.run(account.creator_info())
    assert bench.sim.count("creator_info") == 1


def test_a_renewal_ahead_of_the_end_is_tried_once_a_minute(bench: Any) -> None:
    """While the token endpoint cannot be reached, a call with a valid token waits for it at most once a minute."""
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
    """The limit of one renewal a minute is for renewals ahead of the end.

    After a 401 the client always renews the stored token.
    """
    account = bench.signed_in()
    bench.clock.advance(7200 - 200)
    bench.run(account.creator_info())
    for renewals in (2, 3):
        bench.sim.faults.add(parse_fault("creator_info=expire"))
        bench.run(account.creator_info())
        assert bench.sim.count("token") == 1 + renewals


def test_a_pacer_that_cannot_be_read_keeps_nobody_from_renewing(bench: Any) -> None:
    """The limit of one try a minute is a courtesy: if the pacer cannot be read, the client renews all the same."""
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
    """The client takes over a newer sign-in, and leaves an ended one ended.

    If it cannot read the store, it saves all the same.
    """
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
    """From 30 days before the refresh token ends, each renewal warns by when a person has to sign in again."""
    caplog.set_level(logging.WARNING, "tiktok_core")
    account = bench.signed_in()
    bench.sim.switches.refresh_seconds = days * 86_400
    tokens = bench.run(account.refresh())
    assert tokens.needs_sign_in_soon(bench.clock.now()) == warned
    end = f"{tokens.refresh_expires_at:%Y-%m-%d}"
    assert [end in record.getMessage() for record in caplog.records] == [True] * warned


def test_a_renewal_after_the_end_that_fails_is_told(bench: Any) -> None:
    """Without a valid token the client raises the transport's error, and the stored tokens stay."""
    account = bench.signed_in()
    bench.clock.advance(7300)
    bench.sim.faults.add(parse_fault("tokenx2=unreachable"))
    with pytest.raises(NotSent):
        bench.run(account.creator_info())
    assert bench.store.accounts() == (account.open_id,)
    assert bench.run(account.creator_info()).creator_username == "maker_one"


def test_a_renewal_by_hand_gives_other_tokens(bench: Any) -> None:
    """`refresh` renews even a token that is valid for long."""
    account = bench.signed_in()
    before = bench.run(account.tokens())
    assert bench.run(account.refresh()).access_token != before.access_token


@pytest.mark.parametrize("lifetimes", ["legacy", "2026-11"])
def test_both_documented_lifetimes_can_be_lived_with(bench: Any, lifetimes: str) -> None:
    """With and without rotation, a program can use an account for two weeks, with a call every few hours."""
    bench.sim.switches.lifetimes = lifetimes
    account = bench.signed_in()
    for _ in range(60):
        bench.clock.advance(timedelta(hours=5.5).total_seconds())
        bench.run(account.creator_info())


def test_someone_elses_lease_is_waited_for_and_outlived(bench: Any) -> None:
    """The client waits until the lease of a dead holder runs out, and no longer."""
    account = bench.signed_in()
    now = bench.clock.now()
    bench.store.try_lease(account.open_id, owner="dead", now=now, until=now + timedelta(seconds=30))
    bench.run(account.refresh())
    assert 30 <= bench.clock.slept <= 31
    assert bench.sim.count("token") == 2


@pytest.mark.parametrize("bench", ["blocking"], indirect=True)
def test_many_threads_renew_once(bench: Any) -> None:
    """TikTok rotates refresh tokens. Sixteen threads find the token expired and make one renewal together."""
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
