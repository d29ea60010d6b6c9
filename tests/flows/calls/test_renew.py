"""Renewals that race with sign-ins, with each other, and with a store that cannot save.

None of them loses a sign-in.
"""

import asyncio
import itertools
import json
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest
from attrs import evolve
from hypothesis import example, given, settings
from hypothesis import strategies as st

from example_counts import at_most
from tiktok_adapters.clocks import ManualClock
from tiktok_adapters.protect import AsyncioProtect
from tiktok_adapters.simulator import DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, SimulatedTikTok, parse_fault
from tiktok_adapters.stores.memory import MemoryJournal, MemoryTokenStore
from tiktok_adapters.transports.fake import FakeTransport
from tiktok_core import (
    App,
    AsyncTikTok,
    Interrupted,
    Secret,
    SignInRequired,
    StoreError,
    TikTok,
    Tokens,
)
from tiktok_core.lifting import lift_clock, lift_journal
from tiktok_core.logs import sentence
from tiktok_core.ports import Response
from yielding import Yielding

APP = App(DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, "https://app.example.com/callback/")


def is_live(sim: SimulatedTikTok, tokens: Tokens) -> bool:
    """Return whether TikTok still accepts the refresh token."""
    return not sim.world.tokens[tokens.refresh_token.reveal()].dead


def another(bench: Any) -> TikTok:
    """Return another program's client over the same store."""
    transport = FakeTransport(bench.sim.handle)
    return TikTok(APP, transport=transport, tokens=bench.store, journal=MemoryJournal(), clock=bench.clock)


def sign_in_elsewhere(bench: Any) -> Tokens:
    """Let the person sign in with another program, and return what the store holds then."""
    other = another(bench)
    begun = other.authorization()
    return other.sign_in(begun, bench.sim.authorize(begun.url)).tokens()


def before_the_save(bench: Any, meddle: Callable[[], object]) -> None:
    """Call a function once, between a renewal's last look and its save."""
    save = bench.store.save

    def meddle_then_save(*args: Any, **options: Any) -> Any:
        bench.store.save = save
        meddle()
        return save(*args, **options)

    bench.store.save = meddle_then_save


def failing(bench: Any, times: float, kind: Any = "locked") -> None:
    """Let the store refuse that many saves."""
    save, left = bench.store.save, itertools.count(1)

    def fail_or_save(*args: Any, **options: Any) -> Any:
        if next(left) <= times:
            raise StoreError("Store", "database is locked", kind)
        bench.store.save = save
        return save(*args, **options)

    bench.store.save = fail_or_save


# --- Who saves -------------------------------------------------------------------------------------------------------


def test_a_sign_in_between_look_and_save_is_adopted(bench: Any) -> None:
    """The client takes over a sign-in that comes however late. A renewal does not undo what a person has just done."""
    account = bench.signed_in()
    newer: list[Tokens] = []
    before_the_save(bench, lambda: newer.append(sign_in_elsewhere(bench)))
    assert bench.run(account.refresh()) == newer[0]
    assert bench.store.load(account.open_id) == newer[0]
    assert is_live(bench.sim, newer[0])


def test_a_sign_out_between_look_and_save_stays(bench: Any) -> None:
    """A renewal does not bring back a sign-in that was ended."""
    account = bench.signed_in()
    before_the_save(bench, lambda: bench.store.delete(account.open_id))
    with pytest.raises(SignInRequired, match="its sign-in was ended"):
        bench.run(account.refresh())
    assert bench.store.accounts() == ()


def test_a_holder_that_wakes_up_late_writes_over_nobody(bench: Any) -> None:
    """Its lease has run out and another holder has renewed. The late holder takes the pair that is stored."""
    bench.sim.switches.lifetimes = "legacy"  # Without rotation TikTok answers both renewals.
    account = bench.signed_in()
    newer: list[Tokens] = []

    def sleep_long() -> None:
        bench.clock.advance(61)
        newer.append(another(bench).account().refresh())

    before_the_save(bench, sleep_long)
    assert bench.run(account.refresh()) == newer[0]
    assert bench.store.load(account.open_id) == newer[0]


def test_the_lease_outlives_a_renewal_that_takes_its_time(bench: Any) -> None:
    """TikTok answers at the last moment, and the store saves at the last try. No other holder may renew before that."""
    account = bench.signed_in()
    handle, save, free = bench.handle, bench.store.save, []

    def look() -> None:
        now = bench.clock.now()
        free.append(bench.store.try_lease(account.open_id, owner="another", now=now, until=now + timedelta(seconds=1)))

    def answer_late(request: Any) -> Any:
        bench.clock.advance(39.9)
        look()
        return handle(request)

    def save_late(*args: Any, **options: Any) -> Any:
        bench.clock.advance(9.4)
        look()
        if len(free) < 3:
            raise StoreError("Store", "database is locked", "locked")
        return save(*args, **options)

    bench.handle, bench.store.save = answer_late, save_late
    bench.run(account.refresh())
    assert free == [False] * 3


@pytest.mark.parametrize("bench", ["blocking"], indirect=True)
def test_many_threads_renew_once_though_the_access_token_stays(bench: Any) -> None:
    """A server may give the same access token with another refresh token.

    The generation tells old tokens from new ones.
    """
    account = bench.signed_in()
    first = bench.store.load(account.open_id)
    asked: list[str] = []

    def handle(request: Any) -> Response:
        asked.append(parse_qs(request.body.decode())["refresh_token"][0])
        life = {"expires_in": 7200, "refresh_expires_in": 15_552_000, "open_id": account.open_id}
        tokens = {"access_token": first.access_token.reveal(), "refresh_token": f"rft.{len(asked)}"}
        return Response(200, {}, json.dumps({**life, **tokens}).encode())

    bench.handle = handle
    bench.clock.advance(7300)
    seen: list[Tokens] = []
    threads = [threading.Thread(target=lambda: seen.append(account.tokens())) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert asked == [first.refresh_token.reveal()]
    assert {tokens.refresh_token for tokens in seen} == {Secret("rft.1")}


WHAT = st.sampled_from(["refresh", "call", "sign in", "lose the answer", "let the lease run out"])
Step = tuple[int, str, int]


class Race:
    """Two programs with one store and one TikTok, in one event loop."""

    def __init__(self, sim: SimulatedTikTok, clock: ManualClock) -> None:
        self.sim, self.clock, self.store = sim, clock, MemoryTokenStore()
        self.programs = [
            AsyncTikTok(
                APP,
                transport=Yielding(FakeTransport(sim.handle, wait=clock.advance)),
                tokens=Yielding(self.store),
                journal=lift_journal(MemoryJournal()),
                clock=lift_clock(clock),
                protect=AsyncioProtect(),
            )
            for _ in range(2)
        ]

    async def sign_in(self, who: int) -> str:
        """Sign the creator in with one of the two programs."""
        begun = self.programs[who].authorization()
        return (await self.programs[who].sign_in(begun, self.sim.authorize(begun.url))).open_id

    async def take(self, account: str, step: Step) -> None:
        """Call a function after a while."""
        who, what, delay = step
        for _ in range(delay):
            await asyncio.sleep(0)
        if what == "lose the answer":
            self.sim.faults.add("token=drop-after")
        elif what == "let the lease run out":
            self.clock.advance(61)
        elif what == "sign in":
            with suppress(Interrupted):  # The client does not repeat a request with a code.
                await self.sign_in(who)
        else:
            found = await self.programs[who].account(account)
            # Interrupted: two answers in a row were lost.
            with suppress(SignInRequired, Interrupted):
                await (found.refresh() if what == "refresh" else found.creator_info())

    async def asked(self, account: str) -> int:
        """Count TikTok's requests while both programs want another pair and get none."""
        before = self.sim.count("token")
        for tiktok in self.programs:
            with pytest.raises(SignInRequired):
                await (await tiktok.account(account)).refresh()
        return self.sim.count("token") - before


@settings(max_examples=at_most(80), deadline=None)
@example([(0, "refresh", 0), (0, "lose the answer", 0), (0, "lose the answer", 12)])
@given(st.lists(st.tuples(st.integers(0, 1), WHAT, st.integers(0, 12)), min_size=2, max_size=10))
def test_in_any_order_what_is_stored_lives(plan: list[Step]) -> None:
    """Two programs renew and sign in at once, and the stored pair is valid.

    Only a lost answer can end it, at the cost of one question.
    """

    async def story() -> None:
        clock = ManualClock()
        with closing(SimulatedTikTok(clock)) as sim:
            race = Race(sim, clock)
            account = await race.sign_in(0)
            await asyncio.gather(*(race.take(account, step) for step in plan))
            stored = race.store.load(account)
            assert stored is not None
            if not is_live(sim, stored):
                assert "lose the answer" in {what for _, what, _ in plan}
                sim.faults.clear()
                assert await race.asked(account) <= 1

    asyncio.run(story())


# --- A store that cannot save ----------------------------------------------------------------------------------------


def test_a_save_that_fails_for_a_moment_is_tried_again(bench: Any, caplog: pytest.LogCaptureFixture) -> None:
    """TikTok has replaced the refresh token and gives the new one only once.

    So the client tries to save it while there is time.
    """
    account = bench.signed_in()
    failing(bench, times=5)
    tokens = bench.run(account.refresh())
    assert bench.store.load(account.open_id) == tokens
    assert 0 < bench.clock.slept <= 10
    (said,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert sentence(said) == "Store cannot take new tokens (locked); trying again"
    assert said.account == account.open_id


def test_tokens_that_cannot_be_saved_are_held_and_saved_before_the_next_call(bench: Any) -> None:
    """The error says where the tokens are. The client sends nothing with tokens that are not stored."""
    account = bench.signed_in()
    old = bench.store.load(account.open_id)
    failing(bench, times=float("inf"))
    for call in (account.refresh, account.creator_info, account.tokens):
        with pytest.raises(StoreError, match="the new ones in its memory alone") as caught:
            bench.run(call())
        assert caught.value.kind == "locked"
    assert bench.sim.count("token") == 2
    assert bench.sim.count("creator_info") == 0
    assert bench.store.load(account.open_id) == old
    failing(bench, times=0)
    del bench.store.save
    bench.run(account.creator_info())
    stored = bench.store.load(account.open_id)
    assert is_live(bench.sim, stored)
    assert stored.generation != old.generation
    assert bench.sim.count("token") == 2


def test_trouble_that_does_not_pass_is_not_waited_for(bench: Any) -> None:
    """A closed store stays closed, so the client does not wait. It holds the tokens all the same."""
    account = bench.signed_in()
    failing(bench, times=float("inf"), kind="closed")
    with pytest.raises(StoreError, match="in its memory alone"):
        bench.run(account.refresh())
    assert bench.clock.slept == 0


@pytest.mark.parametrize("kind", ["locked", "closed"])
def test_tokens_that_are_held_are_saved_when_the_client_is_closed(bench: Any, kind: str) -> None:
    """Closing is the last chance to save them. If that fails, the error says that the sign-in is lost."""
    account = bench.signed_in()
    failing(bench, times=float("inf"), kind=kind)
    with pytest.raises(StoreError):
        bench.run(account.refresh())
    if kind == "locked":
        del bench.store.save
        saved: list[Tokens] = []
        save = bench.store.save
        bench.store.save = lambda name, tokens, **seen: (saved.append(tokens), save(name, tokens, **seen))[1]
        bench.run(bench.tiktok.close())
        assert [is_live(bench.sim, tokens) for tokens in saved] == [True]
        return
    with pytest.raises(StoreError, match=r"the new tokens of .* are lost: sign in again"):
        bench.run(bench.tiktok.close())
    with pytest.raises(StoreError, match="closed"):
        bench.store.load(account.open_id)


def test_tokens_that_are_held_give_way_to_a_sign_in(bench: Any) -> None:
    """A newer sign-in or a sign-out in the meantime replaces the held tokens."""
    account = bench.signed_in()
    failing(bench, times=float("inf"))
    with pytest.raises(StoreError):
        bench.run(account.refresh())
    del bench.store.save
    newer = sign_in_elsewhere(bench)
    assert bench.run(account.tokens()) == newer
    assert bench.store.load(account.open_id) == newer
    failing(bench, times=float("inf"))
    with pytest.raises(StoreError):
        bench.run(account.refresh())
    del bench.store.save
    bench.store.delete(account.open_id)
    with pytest.raises(SignInRequired):
        bench.run(account.tokens())
    assert bench.store.accounts() == ()
    bench.run(bench.tiktok.close())


def test_tokens_that_are_held_take_the_place_of_a_mark(bench: Any) -> None:
    """Another program asked with the old pair, TikTok refused, and the program marked the pair.

    The client still saves the new pair.
    """
    account = bench.signed_in()
    failing(bench, times=float("inf"))
    with pytest.raises(StoreError):
        bench.run(account.refresh())
    del bench.store.save
    with pytest.raises(SignInRequired):
        another(bench).account().refresh()
    assert bench.store.load(account.open_id).is_refused
    tokens = bench.run(account.tokens())
    assert is_live(bench.sim, tokens)
    assert another(bench).account().refresh() != tokens


def test_a_sign_in_that_cannot_be_saved_at_once_is_not_given_up(bench: Any) -> None:
    """The code of the sign-in is spent, so the client also tries to save for a while."""
    failing(bench, times=3)
    assert bench.store.load(bench.signed_in().open_id) is not None


def test_a_lease_that_cannot_be_given_back_does_not_hide_the_renewal(bench: Any) -> None:
    """The lease runs out by itself, and the caller gets the renewed tokens."""
    account = bench.signed_in()

    def refuse(*_: object, **__: object) -> None:
        raise StoreError("Store", "database is locked", "locked")

    bench.store.release = refuse
    assert is_live(bench.sim, bench.run(account.refresh()))


# --- A refresh token that was refused --------------------------------------------------------------------------------


def test_a_refused_token_is_not_asked_with_again(bench: Any) -> None:
    """Neither this program nor another one with the same store asks with it again, until a person signs in."""
    account = bench.signed_in()
    bench.sim.disconnect(account.open_id)
    bench.clock.advance(7300)
    for tiktok in (None, None, another(bench)):
        with pytest.raises(SignInRequired, match="no longer takes its refresh token"):
            bench.run(account.creator_info()) if tiktok is None else tiktok.account().creator_info()
    assert bench.sim.count("token") == 2
    stored = bench.store.load(account.open_id)
    assert stored.is_refused
    assert stored.refresh_token
    sign_in_elsewhere(bench)
    bench.run(account.creator_info())
    bench.run(account.refresh())


def test_an_access_token_that_lives_is_used_though_its_refresh_token_is_refused(bench: Any) -> None:
    """The access token is valid until its end, so the client uses it for its last minutes."""
    account = bench.signed_in()
    tokens = bench.store.load(account.open_id)
    bench.store.save(account.open_id, evolve(tokens, is_refused=True), seen=tokens.generation)
    bench.clock.advance(7200 - 100)
    bench.run(account.creator_info())
    assert bench.sim.count("token") == 1
    bench.clock.advance(101)
    with pytest.raises(SignInRequired):
        bench.run(account.creator_info())


@pytest.mark.parametrize("bench", ["blocking"], indirect=True)
def test_a_lost_answer_makes_no_storm(bench: Any) -> None:
    """TikTok rotated and its answer was lost.

    One of 32 threads finds out, and the others get the error without asking TikTok.
    """
    account = bench.signed_in()
    bench.clock.advance(7300)
    bench.sim.faults.add(parse_fault("token=drop-after"))
    told: list[str] = []

    def call() -> None:
        with pytest.raises(SignInRequired) as caught:
            account.creator_info()
        told.append(caught.value.reason)

    threads = [threading.Thread(target=call) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == 32
    # The sign-in, the renewal whose answer was lost, and one repetition of it.
    assert bench.sim.count("token") == 3


def test_a_mark_that_cannot_be_saved_changes_nothing_else(bench: Any) -> None:
    """The caller gets TikTok's refusal. Because no mark is stored, the next call costs one question."""
    account = bench.signed_in()
    bench.sim.disconnect(account.open_id)
    failing(bench, times=1)
    for asked in (2, 3):
        with pytest.raises(SignInRequired, match="no longer takes its refresh token"):
            bench.run(account.refresh())
        assert bench.sim.count("token") == asked


# --- Revoking --------------------------------------------------------------------------------------------------------


def test_a_sign_out_waits_for_a_renewal(bench: Any) -> None:
    """Without waiting, the renewed pair would stay behind and open the account for ever."""
    account = bench.signed_in()
    now = bench.clock.now()
    bench.store.try_lease(account.open_id, owner="renewal", now=now, until=now + timedelta(seconds=30))
    bench.run(account.revoke())
    assert 30 <= bench.clock.slept <= 31
    assert bench.store.accounts() == ()
    assert bench.store.try_lease(account.open_id, owner="another", now=now, until=now + timedelta(seconds=1))


def test_who_is_signed_out_already_takes_no_lease(bench: Any) -> None:
    """There is nothing to protect by a lease, and the client writes nothing."""
    account = bench.signed_in()
    bench.run(account.revoke())
    bench.store.try_lease = lambda *_, **__: pytest.fail("a lease was asked for")
    bench.run(account.revoke())


def test_nobody_renews_while_somebody_signs_out(bench: Any) -> None:
    """The client holds the lease until it has forgotten the tokens."""
    account = bench.signed_in()
    delete, free = bench.store.delete, []

    def look_then_delete(name: str, /, **seen: Any) -> None:
        now = bench.clock.now()
        free.append(bench.store.try_lease(name, owner="another", now=now, until=now + timedelta(seconds=1)))
        delete(name, **seen)

    bench.store.delete = look_then_delete
    bench.run(account.revoke())
    assert free == [False]


def test_a_sign_in_that_was_refused_before_can_be_forgotten(bench: Any) -> None:
    """There is nothing to end at TikTok, and the client sends no request."""
    account = bench.signed_in()
    bench.sim.disconnect(account.open_id)
    bench.clock.advance(7300)
    for _ in range(2):
        with pytest.raises(SignInRequired):
            bench.run(account.refresh())
    bench.run(account.revoke())
    assert bench.store.accounts() == ()
    assert (bench.sim.count("token"), bench.sim.count("revoke")) == (2, 0)
