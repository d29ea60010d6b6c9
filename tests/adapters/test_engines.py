"""Workers over a journal: what one does when it is called, and what the sweeper finds of what an engine lost."""

import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field
from hypothesis import given, settings
from hypothesis import strategies as st

from clips import CLIP_BYTES
from tiktok_adapters.clocks import ManualClock
from tiktok_adapters.engines.rounds import Rounds
from tiktok_adapters.engines.worker import FOR_A_PERSON, GRACE, Worker
from tiktok_adapters.simulator import (
    DEFAULT_CLIENT_KEY,
    DEFAULT_CLIENT_SECRET,
    DEFAULT_REDIRECT_URI,
    SimulatedTikTok,
    parse_fault,
)
from tiktok_adapters.sources import open_source
from tiktok_adapters.stores.memory import MemoryJournal, MemoryTokenStore
from tiktok_adapters.transports.fake import FakeTransport
from tiktok_core import App, StoreError, TikTok
from tiktok_core.domain.journal import Record

HOUR = timedelta(hours=1)


@define
class Kept:
    """An alarm that keeps its calls until a test makes them."""

    calls: list[tuple[str, str, datetime]] = field(factory=list)

    def ring(self, account: str, key: str, at: datetime, /) -> None:
        """Keep a call."""
        self.calls.append((account, key, at))


@define
class Place:
    """Some accounts over a simulated TikTok, under a clock that a test moves."""

    clock: ManualClock
    sim: SimulatedTikTok
    tiktok: TikTok
    journal: MemoryJournal
    worker: Worker
    folder: Path
    handle: Callable[[Any], Any]
    alarm: Kept = field(factory=Kept)

    def account(self) -> Any:
        """Return the account, signed in."""
        authorization = self.tiktok.authorization(redirect_uri="http://127.0.0.1:4000/callback/")
        return self.tiktok.sign_in(authorization, self.sim.authorize(authorization.url))

    def entered(self, account: Any, key: str = "wish", **how: Any) -> Record:
        """Enter a draft."""
        path = self.folder / "clip.mp4"
        if not path.exists():
            path.write_bytes(CLIP_BYTES)
        return account.enter_video(path, draft=True, key=key, **how)

    def run(self, *, most: int = 1_000) -> None:
        """Make all calls, each at its time, and the calls that they make."""
        while self.alarm.calls:
            most -= 1
            assert most, "the calls do not end"
            account, key, at = self.alarm.calls.pop(0)
            self.clock.advance(max(0.0, (at - self.clock.now()).total_seconds()))
            self.worker.called(self.alarm, account, key, at)


def made(folder: Path) -> Place:
    """Return a place without accounts."""
    clock, tokens, journal = ManualClock(), MemoryTokenStore(), MemoryJournal()
    sim, places = SimulatedTikTok(clock), list[Place]()

    def answer(request: Any) -> Any:
        return places[0].handle(request)

    tiktok = TikTok(
        App(DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, DEFAULT_REDIRECT_URI),
        transport=FakeTransport(answer, wait=clock.advance),
        tokens=tokens,
        journal=journal,
        clock=clock,
        open_source=open_source,
    )
    places.append(Place(clock, sim, tiktok, journal, Worker(tiktok, clock=clock), folder, sim.handle))
    return places[0]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Give a place of its own."""
    place = made(tmp_path)
    yield place
    place.tiktok.close()


def test_a_call_goes_on_until_the_post_has_ended(place: Place) -> None:
    """Each call makes the next one, at the time that the journal has, and the last makes none."""
    place.sim.switches.processing_seconds = 300
    record = place.entered(place.account())
    place.alarm.ring(record.account, record.key, record.due_at or record.created_at)
    place.run()
    assert place.journal.records()[0].is_ended
    assert place.sim.count("inbox_init") == 1
    assert place.alarm.calls == []


def test_an_early_call_is_made_again(place: Place) -> None:
    """Some engines wait for a few minutes at most. Nothing is sent before the time."""
    record = place.entered(place.account(), not_before=place.clock.now() + 3 * HOUR)
    at = record.due_at or record.created_at
    place.worker.called(place.alarm, record.account, record.key, at)
    assert place.alarm.calls == [(record.account, "wish", at)]
    place.run()
    assert place.journal.records()[0].init_at >= at


@pytest.mark.parametrize("how", ["twice", "unknown", "held", "a caller's own", "given up"])
def test_a_call_that_the_journal_does_not_know_of_does_nothing(place: Place, how: str) -> None:
    """It is a second one, or the post was changed since: whoever changed it has made a call, if one is needed."""
    account, now = place.account(), place.clock.now()
    place.sim.switches.processing_seconds = 300
    place.entered(account, held=how == "held", for_workers=how != "a caller's own")
    if how == "twice":
        place.worker.called(place.alarm, account.open_id, "wish", now)
    if how == "given up":
        account.abandon("wish")
    before, calls = place.journal.records(), list(place.alarm.calls)
    place.worker.called(place.alarm, account.open_id, "nothing" if how == "unknown" else "wish", now)
    assert (place.journal.records(), place.alarm.calls) == (before, calls)


def test_a_post_that_another_worker_has_is_left_to_it(place: Place) -> None:
    """The call makes no other one: the worker that has the post does, or the sweeper where it has ended."""
    record = place.entered(place.account())
    now = place.clock.now()
    place.journal.try_lease(record.name, owner="another", now=now, until=now + timedelta(seconds=30))
    place.worker.called(place.alarm, record.account, record.key, now)
    assert (place.alarm.calls, place.sim.count("inbox_init")) == ([], 0)
    place.clock.advance(30)
    assert place.worker.sweep(place.alarm) == 1
    place.run()
    assert place.journal.records()[0].is_ended


def test_what_an_engine_lost_is_found(place: Place) -> None:
    """Once it is overdue, and by one of several sweepers; not before, and not while it waits for its time or a person."""
    account, other = place.account(), Worker(place.tiktok, clock=place.clock)
    place.entered(account)
    place.entered(account, "later", not_before=place.clock.now() + HOUR)
    place.entered(account, "held", held=True)
    place.clock.advance(GRACE - 1)
    assert place.worker.sweep(place.alarm) == 0
    place.clock.advance(1)
    assert [place.worker.sweep(place.alarm), other.sweep(place.alarm)] == [1, 0]
    assert [key for _, key, _ in place.alarm.calls] == ["wish"]
    place.run()
    assert {record.key: record.is_ended for record in place.journal.records()} == {
        "wish": True,
        "later": False,
        "held": False,
    }


def test_trouble_that_passes_is_come_back_to(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """Later each time. When it is over, the post is made, once."""
    record = place.entered(place.account())
    place.sim.faults.add(parse_fault("inbox_initx40=unreachable"))
    at, times = record.due_at or record.created_at, []
    place.worker.called(place.alarm, record.account, record.key, at)
    for _ in range(3):
        (call,) = place.alarm.calls
        times.append(round((call[2] - place.clock.now()).total_seconds()))
        place.alarm.calls.clear()
        place.clock.advance((call[2] - place.clock.now()).total_seconds())
        place.worker.called(place.alarm, *call)
    assert times == [30, 60, 120]
    assert "a worker comes again in 30 s" in caplog.text
    place.sim.faults.clear()
    place.run()
    assert place.sim.count("inbox_init") >= 1
    assert place.journal.records()[0].is_ended


def test_what_a_person_has_to_do_is_waited_for(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """The sign-in is over: one line says so. The sweeper looks again from time to time, and goes on after the next sign-in."""
    account = place.account()
    record = place.entered(account)
    place.tiktok.forget(account.open_id)
    at = record.due_at or record.created_at
    place.worker.called(place.alarm, record.account, record.key, at)
    assert place.alarm.calls == []
    assert "needs a sign-in" in caplog.text
    assert "a person is needed" in caplog.text
    place.clock.advance(GRACE)
    assert place.worker.sweep(place.alarm) == 0
    caplog.clear()
    place.clock.advance(FOR_A_PERSON)
    assert place.worker.sweep(place.alarm) == 1
    place.run()
    assert "needs a sign-in" not in caplog.text
    place.account()
    place.clock.advance(FOR_A_PERSON + GRACE)
    assert place.worker.sweep(place.alarm) == 1
    place.run()
    assert place.journal.records()[0].is_ended


def test_a_late_post_is_left_to_a_person_without_a_line_each_time(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    """`tiktok uploads` shows it. Released, it is posted by the next call."""
    account = place.account()
    record = place.entered(account, not_before=place.clock.now() + HOUR)
    place.clock.advance(3 * 3_600)
    at = record.due_at or record.created_at
    place.worker.called(place.alarm, record.account, record.key, at)
    assert place.alarm.calls == []
    assert [line for line in caplog.records if line.levelname == "WARNING" and "release" in line.message] == []
    account.release("wish")
    place.clock.advance(FOR_A_PERSON + GRACE)
    assert place.worker.sweep(place.alarm) == 1
    place.run()
    assert place.journal.records()[0].is_ended


def test_a_store_that_fails_ends_no_worker(place: Place, monkeypatch: Any, caplog: pytest.LogCaptureFixture) -> None:
    """What cannot be stored is said, and the sweeper makes the call later."""
    record = place.entered(place.account())
    at = record.due_at or record.created_at

    def broken(*_: Any, **__: Any) -> Any:
        raise StoreError("Journal", "the server has gone", "failed")

    with monkeypatch.context() as patch:
        patch.setattr(MemoryJournal, "save", broken)
        patch.setattr(MemoryJournal, "replace", broken)
        place.worker.called(place.alarm, record.account, record.key, at)
    assert place.alarm.calls == []
    assert "when to come again could not be stored" in caplog.text
    place.clock.advance(GRACE)
    assert place.worker.sweep(place.alarm) == 1
    place.run()
    assert place.journal.records()[0].is_ended


@settings(max_examples=60)
@given(st.data())
def test_whatever_an_engine_does_each_post_is_made_once(tmp_path_factory: Any, data: st.DataObject) -> None:
    """Calls are lost, doubled, late and out of order; sweepers come at any time. In the end each key has one post."""
    place = made(tmp_path_factory.mktemp("posts"))
    place.sim.switches.processing_seconds = data.draw(st.sampled_from([2, 60]))
    account = place.account()
    keys = [f"key-{number}" for number in range(data.draw(st.integers(1, 3)))]
    for number, key in enumerate(keys):
        place.entered(account, key, not_before=place.clock.now() + timedelta(minutes=number) if number else None)
    for _ in range(data.draw(st.integers(0, 25))):
        match data.draw(st.sampled_from(["sweep", "call", "lose", "double", "wait"])):
            case "sweep":
                place.worker.sweep(place.alarm)
            case "call" if place.alarm.calls:
                call = place.alarm.calls.pop(data.draw(st.integers(0, len(place.alarm.calls) - 1)))
                place.worker.called(place.alarm, *call)
            case "lose" if place.alarm.calls:
                place.alarm.calls.pop(data.draw(st.integers(0, len(place.alarm.calls) - 1)))
            case "double" if place.alarm.calls:
                place.alarm.calls.append(data.draw(st.sampled_from(place.alarm.calls)))
            case _:
                place.clock.advance(data.draw(st.sampled_from([1, 15, 120])))
    while not all(record.is_ended for record in place.journal.records()):
        place.clock.advance(60)
        place.worker.sweep(place.alarm)
        place.run()
    assert {record.key for record in place.journal.records()} == set(keys)
    assert len({post.publish_id for post in place.sim.posts}) == place.sim.count("inbox_init") == len(keys)
    place.tiktok.close()


# --- Rounds ----------------------------------------------------------------------------------------------------------


def rounds(place: Place, **how: Any) -> Rounds:
    """Return rounds that look often."""
    return Rounds(place.tiktok, place.worker, every=0.01, **how)


def in_background(work: Callable[[], object]) -> threading.Thread:
    """Begin work in a thread."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_rounds_go_on_with_what_is_due_and_end(place: Place) -> None:
    """With `once` they end when nothing is due: what waits for its time or a person is left alone."""
    account = place.account()
    for number in range(5):
        place.entered(account, f"key-{number}")
    place.entered(account, "later", not_before=place.clock.now() + HOUR)
    place.entered(account, "held", held=True)
    rounds(place).run(threading.Event(), once=True)
    records = {record.key: record for record in place.journal.records()}
    assert [key for key, record in records.items() if not record.is_ended] == ["held", "later"]
    begun = sorted((record.init_at, key) for key, record in records.items() if record.init_at)
    assert [key for _, key in begun] == [f"key-{number}" for number in range(5)]


def test_rounds_end_when_they_are_told_to(place: Place) -> None:
    """They wait for the steps that are under way, and begin no other post."""
    stop, account = threading.Event(), place.account()
    place.entered(account, "first")
    place.entered(account, "second")
    ended: list[None] = []

    def answer(request: Any) -> Any:
        if "upload_id=" in request.url:
            stop.set()
        return place.sim.handle(request)

    place.worker = Worker(place.tiktok, clock=place.clock, stop=stop.is_set)
    place.handle = answer
    thread = in_background(lambda: ended.append(rounds(place, jobs=2).run(stop)))
    thread.join(30)
    assert ended == [None]
    stages = {record.key: record.stage.value for record in place.journal.records()}
    assert stages == {"first": "processing", "second": "planned"}


def test_a_journal_that_fails_ends_no_rounds(place: Place, monkeypatch: Any, caplog: pytest.LogCaptureFixture) -> None:
    """They look again, and say why they could not."""
    place.entered(place.account())
    unfinished, failures = MemoryJournal.unfinished, [StoreError("Journal", "is locked", "locked")]

    def at_times(journal: Any, *given: Any, **named: Any) -> Any:
        if failures:
            raise failures.pop()
        return unfinished(journal, *given, **named)

    monkeypatch.setattr(MemoryJournal, "unfinished", at_times)
    stop = threading.Event()
    thread = in_background(lambda: rounds(place).run(stop))
    while not place.journal.records()[0].is_ended:
        thread.join(0.01)
    stop.set()
    thread.join(30)
    assert not thread.is_alive()
    assert "What is due is not known" in caplog.text


def test_a_worker_that_fails_ends_no_rounds(place: Place, monkeypatch: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A mistake of ours, or of an adapter, is logged whole, and the other posts go on."""
    account = place.account()
    place.entered(account, "broken")
    work = Worker.work

    def sometimes(worker: Worker, record: Record) -> Any:
        if record.key == "broken":
            raise RuntimeError("a mistake")
        return work(worker, record)

    monkeypatch.setattr(Worker, "work", sometimes)
    place.entered(account, "other")
    rounds(place).run(threading.Event(), once=True)
    assert {record.key: record.is_ended for record in place.journal.records()} == {"broken": False, "other": True}
    assert "RuntimeError: a mistake" in caplog.text


def test_without_a_job_there_is_no_worker(place: Place) -> None:
    """It would wait for ever."""
    with pytest.raises(ValueError, match="1 job or more"):
        Rounds(place.tiktok, place.worker, jobs=0)
