"""Signing in by QR code, with both clients. The simulator plays the phone, and the clock is virtual."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve

from tiktok_adapters.simulator import Creator, parse_fault
from tiktok_core import (
    InvalidSettings,
    Misused,
    NotSent,
    QrCode,
    QrStatus,
    Secret,
    SignInFailed,
    UnexpectedResponse,
)
from tiktok_core.errors import StateMismatch
from tiktok_core.ports import Request, Response


def test_a_code_is_scanned_agreed_to_and_becomes_tokens(bench: Any) -> None:
    """The client reports each status.

    At the end the account that agreed is signed in, with the scopes that it granted.
    """
    begun = bench.run(bench.tiktok.qr_code(["user.info.basic", "video.upload"]))
    assert bench.run(bench.tiktok.check_qr_code(begun)).status == QrStatus.NEW
    bench.sim.scan(begun.url, allow=None)
    assert bench.run(bench.tiktok.check_qr_code(begun)).status == QrStatus.SCANNED
    bench.sim.scan(begun.url, scopes=["user.info.basic"])
    done = bench.run(bench.tiktok.check_qr_code(begun))
    assert (done.status, done.open_id) == (QrStatus.CONFIRMED, bench.sim.creator.open_id)
    assert bench.store.load(done.open_id).missing(begun.scopes) == ("video.upload",)
    assert bench.run(bench.tiktok.check_qr_code(begun)) == evolve(done, status=QrStatus.UTILISED, open_id=None)


@pytest.mark.parametrize("place", ["redirect_uri", "code"])
@pytest.mark.parametrize("redirect_uris", [("http://127.0.0.1:*/callback/",), ("https://app.example.com/callback/",)])
def test_the_code_is_found_wherever_tiktok_puts_it(bench: Any, place: str, redirect_uris: tuple[str, ...]) -> None:
    """The code may be in the redirect URI or in its own field.

    The client spends it with a redirect URI that TikTok accepts.
    """
    bench.sim.switches.qr_code_in = place
    bench.sim.app.redirect_uris = redirect_uris
    inner = getattr(bench.tiktok, "_face", bench.tiktok)
    inner._context = evolve(inner._context, app=evolve(inner._context.app, redirect_uri=redirect_uris[0]))
    begun = bench.run(bench.tiktok.qr_code())
    bench.sim.scan(begun.url)
    assert bench.run(bench.tiktok.check_qr_code(begun)).open_id == bench.sim.creator.open_id


def test_what_was_begun_can_be_kept_as_json_and_finished_elsewhere(bench: Any) -> None:
    """The stored sign-in is plain text. A value restored from it equals the first one and finishes the sign-in."""
    begun = bench.run(bench.tiktok.qr_code())
    restored = QrCode.restore(json.loads(json.dumps(begun.reveal())))
    assert restored == begun
    bench.sim.scan(begun.url)
    assert bench.run(bench.tiktok.check_qr_code(restored)).open_id == bench.sim.creator.open_id


def test_another_ones_ticket_is_not_believed(bench: Any) -> None:
    """The client refuses a confirmed answer with the ticket of another sign-in, and spends no code."""
    begun = bench.run(bench.tiktok.qr_code())
    bench.sim.scan(begun.url.replace(begun.client_ticket.reveal(), "somebody-elses"))
    with pytest.raises(StateMismatch):
        bench.run(bench.tiktok.check_qr_code(begun))
    assert bench.sim.count("token") == 0


def test_a_code_that_was_kept_too_long_is_not_asked_after(bench: Any) -> None:
    """After ten minutes the client refuses the old code, and the person has to start again."""
    begun = bench.run(bench.tiktok.qr_code())
    bench.clock.advance(601)
    with pytest.raises(SignInFailed, match="10 minutes"):
        bench.run(bench.tiktok.check_qr_code(begun))
    assert bench.sim.count("check_qrcode") == 0


def test_unknown_scopes_are_refused_before_anything_is_sent(bench: Any) -> None:
    """The client never sends a scope that TikTok does not have."""
    with pytest.raises(InvalidSettings, match="scope"):
        bench.run(bench.tiktok.qr_code(["video.everything"]))
    assert bench.sim.count("get_qrcode") == 0


def test_a_question_whose_answer_is_lost_is_asked_again(bench: Any) -> None:
    """If the confirmed answer is lost on its way, the next answer has its code."""
    begun = bench.run(bench.tiktok.qr_code())
    bench.sim.scan(begun.url)
    bench.sim.faults.add(parse_fault("check_qrcode=drop-after"))
    assert bench.run(bench.tiktok.check_qr_code(begun)).open_id
    assert bench.sim.count("check_qrcode") == 2


@pytest.mark.parametrize("fault", ["get_qrcode=garbage", "get_qrcode=code:invalid_client", "check_qrcode=garbage"])
def test_what_tiktok_refuses_is_told(bench: Any, fault: str) -> None:
    """TikTok's refusal, or an answer that makes no sense, becomes the error of the call."""
    bench.sim.faults.add(parse_fault(fault))
    with pytest.raises((SignInFailed, UnexpectedResponse)):
        bench.run(bench.tiktok.check_qr_code(bench.run(bench.tiktok.qr_code())))


# --- The whole of it --------------------------------------------------------------------------------------------------


class Person:
    """A person who sees each QR code and uses the phone after some seconds of the virtual clock."""

    def __init__(self, bench: Any) -> None:
        self.bench = bench
        self.seen: list[QrCode] = []
        self.told: list[str] = []
        self._plans: list[tuple[float, Callable[[], None]]] = []
        sleep = bench.clock.sleep

        def sleep_and_act(seconds: float, /) -> None:
            sleep(seconds)
            due = [plan for plan in self._plans if plan[0] <= bench.clock.slept]
            for plan in due:
                self._plans.remove(plan)
                plan[1]()

        bench.clock.sleep = sleep_and_act

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        """Use the phone later."""
        self._plans.append((seconds, act))

    def sign_in(self, **options: Any) -> Any:
        """Sign in by QR code from beginning to end."""
        show, tell = self.seen.append, self.told.append
        return self.bench.run(self.bench.tiktok.sign_in_by_qr_code(show, on_status=tell, **options))


@pytest.fixture
def person(bench: Any) -> Person:
    """Give a person with a phone."""
    return Person(bench)


def test_the_loop_tells_each_status_once(bench: Any, person: Person) -> None:
    """The client asks TikTok every two seconds and reports each new status when it comes. The account is signed in."""
    person.after(10, lambda: bench.sim.scan(person.seen[-1].url, allow=None))
    person.after(20, lambda: bench.sim.scan(person.seen[-1].url))
    account = person.sign_in()
    assert account.open_id == bench.sim.creator.open_id
    assert person.told == ["scanned", "confirmed"]
    assert len(person.seen) == 1
    assert set(bench.clock.naps) == {2.0}
    assert bench.clock.slept == 20


def test_an_expired_code_is_replaced(bench: Any, person: Person) -> None:
    """The client shows another code as soon as one has expired, and the new code counts."""
    bench.sim.creators.append(Creator(open_id="-000Second", username="maker_two"))
    person.after(150, lambda: bench.sim.scan(person.seen[-1].url, account="maker_two"))
    assert person.sign_in().open_id == "-000Second"
    assert len(person.seen) == 2
    assert person.seen[0].token != person.seen[1].token
    assert person.seen[0].client_ticket != person.seen[1].client_ticket
    assert person.told == ["expired", "confirmed"]


def test_nobody_is_waited_for_longer_than_five_minutes(bench: Any, person: Person) -> None:
    """The limit is for all codes together.

    The client works without a status callback, and draws no code that it could not wait for.
    """
    bench.sim.switches.qr_seconds = 150
    with pytest.raises(SignInFailed, match="300 seconds"):
        bench.run(bench.tiktok.sign_in_by_qr_code(person.seen.append))
    assert bench.clock.slept == 300
    assert len(person.seen) == 2
    assert bench.store.accounts() == ()


def test_a_limit_of_ones_own(bench: Any, person: Person) -> None:
    """The caller can set the limit, and the last wait is no longer than the time that is left."""
    with pytest.raises(SignInFailed, match="5 seconds"):
        person.sign_in(limit=5)
    assert bench.clock.naps == (2.0, 2.0, 1.0)


@pytest.mark.parametrize("trouble", ["unreachable", "code:temporarily_unavailable", "status:429", "status:503"])
def test_trouble_for_a_while_does_not_end_it(bench: Any, person: Person, trouble: str) -> None:
    """If a question stays without an answer, or came too soon, the client asks again as long as there is time."""
    bench.sim.faults.add(parse_fault(f"check_qrcodex3={trouble}"))
    person.after(30, lambda: bench.sim.scan(person.seen[-1].url))
    assert person.sign_in().open_id == bench.sim.creator.open_id
    assert bench.sim.faults.pending == ()


def test_a_network_that_stays_away_is_the_error(bench: Any, person: Person) -> None:
    """When the time is over, the client raises the last error of the network, and not a missing agreement."""
    bench.sim.faults.add(parse_fault("check_qrcodex999=unreachable"))
    with pytest.raises(NotSent):
        person.sign_in(limit=30)


def test_a_misused_client_ends_it_at_once(bench: Any, person: Person) -> None:
    """No further question would leave this machine, so the client does not ask until the time is over."""
    answer = bench.handle

    def misused(request: Request) -> Response:
        if "check_qrcode" in request.url:
            raise Misused(request.name, "the transport is closed")
        return answer(request)

    bench.handle = misused
    with pytest.raises(Misused):
        person.sign_in(limit=30)
    assert bench.clock.slept == 2.0


def test_a_code_that_was_used_elsewhere_ends_it(bench: Any, person: Person) -> None:
    """If another program has spent the code first, the client says so at once and draws no other code for a thief."""

    def steal() -> None:
        bench.sim.scan(person.seen[-1].url)
        (drawn,) = bench.sim.world.qr_codes.values()
        bench.sim.world.codes[drawn.code].used = True

    person.after(4, steal)
    with pytest.raises(SignInFailed, match="used for another sign-in"):
        person.sign_in()
    assert len(person.seen) == 1


def test_a_code_is_spent_once_even_where_the_answer_is_lost(bench: Any, person: Person) -> None:
    """The client repeats a status question, and never repeats the request that spends the code."""
    person.after(4, lambda: bench.sim.scan(person.seen[-1].url))
    bench.sim.faults.add(parse_fault("token=drop-after"))
    with pytest.raises(Exception, match="token"):
        person.sign_in()
    assert bench.sim.count("token") == 1


def test_a_qr_code_shows_no_secret(bench: Any) -> None:
    """Its repr shows no token, no ticket and no address."""
    begun = bench.run(bench.tiktok.qr_code())
    for secret in (begun.url, begun.token.reveal(), begun.client_ticket.reveal()):
        assert secret not in f"{begun!r} {begun}"
    assert isinstance(begun.token, Secret)
