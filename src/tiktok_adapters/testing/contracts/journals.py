"""The contract of `Journal` and `AsyncJournal`.

What belongs here: promises of every journal, and of every journal that outlives its process.

Longer than 400 lines because a contract is one class that an adapter binds.
"""

import asyncio
import hashlib
import inspect
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, ClassVar, TypeAlias

import pytest
from attrs import evolve
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tiktok_adapters.testing.contracts import Contract, PassTime, Run
from tiktok_adapters.testing.contracts.journal_model import JournalMachine, forget_before
from tiktok_adapters.testing.contracts.stores import AS_THE_MODEL, JUMPS, ODD_NAMES
from tiktok_core.domain.chunks import ChunkPlan
from tiktok_core.domain.journal import ENDS, Record, Stage, Wish
from tiktok_core.domain.kept_refusal import given_up_at
from tiktok_core.domain.media import MediaType
from tiktok_core.domain.posts import PhotoPost, VideoPost
from tiktok_core.domain.publishing import Publication
from tiktok_core.domain.schedule import Schedule
from tiktok_core.domain.tokens import Secret
from tiktok_core.errors import LeaseLost, StoreError
from tiktok_core.lifting import lift_journal
from tiktok_core.ports import LONGEST_LEASE, AsyncJournal, Journal, trace_of

__all__ = ["AnyJournal", "DurableJournalContract", "JournalContract", "OpenJournal"]

AnyJournal: TypeAlias = Journal | AsyncJournal
"""A blocking or asynchronous journal."""
OpenJournal: TypeAlias = Callable[[], AnyJournal]
"""Opens the same place with each call."""

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
LATER = NOW + timedelta(seconds=10)
MUCH_LATER = LATER + timedelta(seconds=10)
TICK = timedelta(microseconds=1)
RECORD = Record(
    key="key-1",
    app="app",
    account="me",
    wish=Wish(
        post=VideoPost(title="Ünïcode 🎬", privacy_level="SELF_ONLY"),
        video="/videos/clip.mp4",
        fingerprint="20000000:abc",
        media_type=MediaType.MP4,
        plan=ChunkPlan(20_000_000, 10_000_000, 2),
        is_cut_chosen=True,
    ),
    stage=Stage.UPLOADING,
    created_at=NOW,
    updated_at=NOW + TICK,
    inits=2,
    init_at=NOW,
    publish_id="v_pub_file~v2-1.1",
    upload_url=Secret("https://upload.example.com/?upload_token=canary"),
    plan=ChunkPlan(20_000_000, 10_000_000, 2),
    offset=10_000_000,
    last=Publication(publish_id="v_pub_file~v2-1.1", status="PROCESSING_UPLOAD", uploaded_bytes=10_000_000),
)
OTHER = Record(
    key="key-2",
    app="app",
    account="me",
    wish=Wish(post=PhotoPost(photo_images=("https://example.com/a.jpg",), title="Photos")),
    created_at=NOW - TICK,
    updated_at=NOW,
)
NAME = RECORD.name


class JournalContract(Contract):
    """Bind it with the fixture `journal`: an empty journal. The contract closes it.

    Attributes:
        examples: how many sequences of calls the journal is compared with a model in. Fewer do for a journal that is far away.
    """

    examples: ClassVar[int] = 10

    @pytest.fixture
    def journal(self) -> AnyJournal:
        """Return the empty journal to test."""
        raise NotImplementedError("a binding defines the fixture `journal`")

    @pytest.fixture
    def kept(self, journal: AnyJournal, run: Run) -> Iterator[AnyJournal]:
        """Return the journal, and close it after the test."""
        yield journal
        run(journal.close())

    # --- Records -----------------------------------------------------------------------------------------------------

    def test_an_unknown_name_has_no_record(self, kept: AnyJournal, run: Run) -> None:
        """Loading a record that was never saved gives None, even if the name is leased."""
        assert run(kept.load(NAME)) is None
        run(kept.try_lease(NAME, owner="a", now=NOW, until=LATER))
        assert run(kept.load(NAME)) is None
        assert run(kept.records()) == ()

    @pytest.mark.parametrize("record", [RECORD, OTHER, evolve(RECORD, handed_at=NOW, upload_url=None)])
    def test_what_was_saved_is_loaded(self, kept: AnyJournal, run: Run, record: Record) -> None:
        """A record is loaded exactly as saved, with its upload URL and its times to the microsecond."""
        run(kept.save(record, fence=None))
        assert run(kept.load(record.name)) == record

    def test_saving_replaces_the_record_as_a_whole(self, kept: AnyJournal, run: Run) -> None:
        """Nothing of the earlier record remains, and there is still one record."""
        run(kept.save(RECORD, fence=None))
        bare = evolve(RECORD, stage=Stage.PLANNED, upload_url=None, plan=None, publish_id=None, last=None)
        run(kept.save(bare, fence=None))
        assert run(kept.load(NAME)) == bare
        assert run(kept.records()) == (bare,)

    def test_a_key_belongs_to_an_app_and_an_account(self, kept: AnyJournal, run: Run) -> None:
        """The same key under another app or account is another post."""
        records = [RECORD, evolve(RECORD, app="other"), evolve(RECORD, account="you"), evolve(RECORD, key="key-2")]
        for record in records:
            run(kept.save(record, fence=None))
        assert [run(kept.load(record.name)) for record in records] == records

    def test_records_come_oldest_first(self, kept: AnyJournal, run: Run) -> None:
        """All records, ended ones too, come by their creation time, not by when they were saved or by name."""
        wished = [
            evolve(RECORD, key=key, created_at=NOW + TICK * age, updated_at=NOW - TICK * age, stage=stage)
            for age, (key, stage) in enumerate(zip("zayxbc", (Stage.PLANNED, *ENDS), strict=True))
        ]
        for record in (wished[3], wished[0], wished[5], wished[4], wished[2], wished[1]):
            run(kept.save(record, fence=None))
        assert run(kept.records()) == tuple(wished)

    def test_some_of_the_records_can_be_asked_for(self, kept: AnyJournal, run: Run) -> None:
        """Records can be filtered by the exact beginning of their names and by the time of their last update."""
        records = [
            evolve(RECORD, app=app, account=account, created_at=NOW + TICK * age, updated_at=NOW - TICK * age)
            for age, (app, account) in enumerate(
                (("a", "b"), ("a", "bb"), ("a", "B"), ("ab", "b"), ("a%", "_"), ("_", "b"))
            )
        ]
        for record in records:
            run(kept.save(record, fence=None))
        for under in ("", "a", "a\n", "a\nb", "a\nb\n", records[0].name, records[0].name + "x", "%", "_", "_\nb"):
            assert run(kept.records(under)) == tuple(record for record in records if record.name.startswith(under))
        for since in (NOW, NOW - TICK * 2, NOW + TICK):
            expected = tuple(record for record in records if record.updated_at >= since)
            assert run(kept.records(since=since)) == expected
            assert run(kept.records("a\n", since=since)) == tuple(
                record for record in expected if record.name.startswith("a\n")
            )

    def test_records_of_a_time_can_be_asked_for(self, kept: AnyJournal, run: Run) -> None:
        """`until` bounds the creation time, `since` the last update; both include their border."""
        records = [
            evolve(RECORD, key=f"key-{age}", created_at=NOW + TICK * age, updated_at=NOW + TICK * (age + 3))
            for age in range(4)
        ]
        for record in reversed(records):
            run(kept.save(record, fence=None))
        assert run(kept.records(until=NOW + TICK)) == tuple(records[:2])
        assert run(kept.records("app\nme\n", since=NOW + TICK * 4, until=NOW + TICK * 2)) == tuple(records[1:3])
        assert run(kept.records("app\nyou\n", since=NOW, until=LATER)) == ()
        assert run(kept.records(until=NOW - TICK)) == ()

    def test_unfinished_posts_are_found(self, kept: AnyJournal, run: Run) -> None:
        """Of all stages, exactly those that are no end are listed, the oldest first, and only under the given name."""
        records = [
            evolve(RECORD, key=stage.value, stage=stage, account=account, created_at=NOW + TICK * age)
            for age, (account, stage) in enumerate((account, stage) for account in ("me", "you") for stage in Stage)
        ]
        for record in reversed(records):
            run(kept.save(record, fence=None))
        unfinished = tuple(record for record in records if not record.is_ended)
        assert run(kept.unfinished()) == run(kept.unfinished("app\n")) == unfinished
        assert run(kept.unfinished("app\nyou\n")) == unfinished[len(unfinished) // 2 :]
        assert run(kept.unfinished("other\n")) == ()
        for record in unfinished:
            run(kept.save(evolve(record, stage=Stage.COMPLETE), fence=None))
        assert run(kept.unfinished()) == ()

    def test_posts_that_are_due_are_found(self, kept: AnyJournal, run: Run) -> None:
        """A worker finds what was entered for it and is due; never what is held, of a later time, ended, or a caller's own."""
        plain = evolve(RECORD, stage=Stage.PLANNED, publish_id=None, upload_url=None, is_entered=True)
        timed = Schedule(not_before=LATER, not_after=MUCH_LATER, zone="Europe/Berlin")
        due = evolve(plain, key="due")
        later = evolve(plain, key="later", schedule=timed, account="you")
        others = [
            evolve(plain, key="held", is_held=True),
            evolve(plain, key="held and timed", is_held=True, schedule=timed),
            evolve(plain, key="own", is_entered=False),
            evolve(plain, key="own and timed", is_entered=False, schedule=timed),
            evolve(plain, key="ended", stage=Stage.COMPLETE),
            evolve(plain, key="given up", stage=Stage.GIVEN_UP, refusal=given_up_at(NOW)),
            evolve(plain, key="not known", stage=Stage.UNKNOWN),
        ]
        for record in (due, later, *others):
            run(kept.save(record, fence=None))
            assert run(kept.load(record.name)) == record
        assert run(kept.unfinished(due=NOW - TICK)) == ()
        assert run(kept.unfinished(due=NOW)) == run(kept.unfinished(due=LATER - TICK)) == (due,)
        assert run(kept.unfinished(due=LATER)) == (due, later)
        assert run(kept.unfinished("app\nyou\n", due=LATER)) == (later,)
        put_off = evolve(due, again_at=MUCH_LATER)
        assert run(kept.replace(put_off, seen=due)) is True
        assert run(kept.unfinished(due=MUCH_LATER - TICK)) == (later,)
        assert run(kept.unfinished(due=MUCH_LATER)) == (put_off, later)
        run(kept.save(evolve(due, is_held=True), fence=None))
        run(kept.replace(evolve(later, schedule=None), seen=later))
        assert run(kept.unfinished(due=NOW)) == (evolve(later, schedule=None),)

    def test_a_post_is_found_by_its_publish_id(self, kept: AnyJournal, run: Run) -> None:
        """The oldest record of a publish id is found, in whatever stage, under the given name only, and only by its current id."""
        older = evolve(RECORD, key="older", stage=Stage.COMPLETE, created_at=NOW - TICK)
        foreign = evolve(RECORD, account="you", created_at=NOW - TICK * 2)
        for record in (RECORD, older, foreign, evolve(OTHER, others=("v_pub_file~v2-1.1",))):
            run(kept.save(record, fence=None))
        publish_id = RECORD.publish_id or ""
        assert run(kept.of_post(publish_id)) == run(kept.of_post(publish_id, "app\n")) == foreign
        assert run(kept.of_post(publish_id, "app\nme\n")) == older
        assert run(kept.of_post(publish_id, "other\n")) is None
        assert run(kept.of_post(publish_id[:-1])) is run(kept.of_post("%")) is run(kept.of_post("")) is None
        run(kept.save(evolve(older, publish_id="v_pub_file~v2-1.2"), fence=None))
        assert run(kept.of_post(publish_id, "app\nme\n")) == RECORD

    def test_what_was_learned_of_an_app_stays(self, kept: AnyJournal, run: Run) -> None:
        """The chunk size that TikTok took last instead of the usual one is known, also after its record is gone."""
        usual, other = ChunkPlan(20_000_000, 10_000_000, 2), ChunkPlan(20_000_000, 6_000_000, 3)
        first = evolve(RECORD, plan=other)
        second = evolve(RECORD, key="second", plan=ChunkPlan(20_000_000, 5_242_880, 3), updated_at=LATER)
        run(kept.save(evolve(RECORD, plan=usual), fence=None))
        run(kept.save(evolve(first, publish_id=None, stage=Stage.PLANNED), fence=None))
        assert run(kept.learned("app")) is None
        run(kept.save(first, fence=None))
        assert run(kept.learned("app")) == 6_000_000
        run(kept.save(second, fence=None))
        run(kept.replace(evolve(first, offset=1), seen=first))
        assert run(kept.learned("app")) == 5_242_880
        assert run(kept.learned("ap")) is run(kept.learned("app\nme")) is run(kept.learned("")) is None
        run(kept.save(evolve(second, stage=Stage.ABANDONED, upload_url=None), fence=None))
        assert run(kept.remove(second.name)) is True
        assert run(kept.learned("app")) == 5_242_880

    @pytest.mark.parametrize("key", ODD_NAMES, ids=range(len(ODD_NAMES)))
    def test_odd_characters_in_a_name_survive(self, kept: AnyJournal, run: Run, key: str) -> None:
        """Names and owners are opaque keys, and never a path, a pattern or part of a query."""
        odd, beside = evolve(RECORD, key=key), evolve(RECORD, key=f"{key}.", created_at=NOW + TICK)
        number = run(kept.try_lease(odd.name, owner=key, now=NOW, until=LATER))
        run(kept.save(odd, fence=number))
        run(kept.save(beside, fence=None))
        assert run(kept.records()) == (odd, beside)
        assert run(kept.load(odd.name)) == odd
        assert run(kept.try_lease(odd.name, owner=f"{key}.", now=NOW, until=LATER)) is None
        run(kept.release(odd.name, owner=key))
        assert run(kept.try_lease(odd.name, owner=f"{key}.", now=NOW, until=LATER)) > number

    # --- Leases ------------------------------------------------------------------------------------------------------

    def test_a_free_lease_has_a_number(self, kept: AnyJournal, run: Run) -> None:
        """The first owner gets the lease, even for a post without a record."""
        assert type(run(kept.try_lease(NAME, owner="a", now=NOW, until=LATER))) is int

    def test_a_lease_is_not_taken_twice(self, kept: AnyJournal, run: Run, pass_time: PassTime) -> None:
        """Another owner does not get a lease before it has expired."""
        run(kept.try_lease(NAME, owner="a", now=NOW, until=LATER))
        assert run(kept.try_lease(NAME, owner="b", now=NOW, until=LATER)) is None
        just_before = LATER - max(TICK, self.drift)
        pass_time((just_before - NOW).total_seconds())
        assert run(kept.try_lease(NAME, owner="b", now=just_before, until=MUCH_LATER)) is None

    def test_a_lease_is_taken_by_force(self, kept: AnyJournal, run: Run) -> None:
        """With `by_force` another owner's lease is taken at once. The old owner's number writes nothing any more."""
        first = run(kept.try_lease(NAME, owner="a", now=NOW, until=LATER))
        second = run(kept.try_lease(NAME, owner="b", now=NOW, until=LATER, by_force=True))
        assert second > first
        with pytest.raises(LeaseLost):
            run(kept.save(RECORD, fence=first))
        assert run(kept.try_lease(NAME, owner="a", now=NOW, until=LATER)) is None
        assert run(kept.try_lease(NAME, owner="b", now=NOW, until=LATER, by_force=True)) == second
        run(kept.save(RECORD, fence=second))

    def test_a_lease_runs_out(self, kept: AnyJournal, run: Run, pass_time: PassTime) -> None:
        """An expired lease is free, and its next owner gets a larger number."""
        first = run(kept.try_lease(NAME, owner="a", now=NOW, until=LATER))
        pass_time((LATER - NOW).total_seconds())
        assert run(kept.try_lease(NAME, owner="b", now=LATER, until=MUCH_LATER)) > first
        assert run(kept.try_lease(NAME, owner="a", now=LATER, until=MUCH_LATER)) is None

    @pytest.mark.parametrize("back", JUMPS)
    def test_a_clock_that_goes_back_makes_nobody_wait_for_long(
        self, kept: AnyJournal, run: Run, pass_time: PassTime, back: timedelta
    ) -> None:
        """A lease that ends later than any lease can is left from before the clock went back. It does not block a new owner."""
        first = run(kept.try_lease(NAME, owner="a", now=NOW, until=LATER))
        then = NOW - back
        pass_time(-back.total_seconds())
        assert run(kept.try_lease(NAME, owner="b", now=then, until=then + LONGEST_LEASE)) > first
        assert run(kept.try_lease(NAME, owner="a", now=then, until=then + LONGEST_LEASE)) is None

    def test_a_renewed_lease_keeps_its_number(self, kept: AnyJournal, run: Run, pass_time: PassTime) -> None:
        """Renewing changes only the end, even if the lease has expired and no other owner took it."""
        a_moment = max(TICK, self.drift)
        number = run(kept.try_lease(NAME, owner="a", now=NOW, until=LATER))
        assert run(kept.try_lease(NAME, owner="a", now=NOW, until=LATER + a_moment)) == number
        pass_time((LATER - NOW).total_seconds())
        assert run(kept.try_lease(NAME, owner="b", now=LATER, until=MUCH_LATER)) is None
        pass_time((MUCH_LATER - LATER).total_seconds())
        assert run(kept.try_lease(NAME, owner="a", now=MUCH_LATER, until=MUCH_LATER + a_moment)) == number
        assert run(kept.try_lease(NAME, owner="b", now=MUCH_LATER, until=MUCH_LATER + a_moment)) is None

    def test_plain_code_renews_a_lease_where_the_journal_lets_it(
        self, kept: AnyJournal, run: Run, pass_time: PassTime
    ) -> None:
        """`renew` is optional (`RenewsLeases`). It begins the renewal; the calls that follow come after it."""
        given: Any = kept
        journal: Any = given if inspect.iscoroutinefunction(given.try_lease) else lift_journal(given)
        if not hasattr(journal, "renew"):
            return

        async def renewed() -> int | None:
            journal.renew(NAME, owner="a", now=NOW, until=MUCH_LATER)
            number: int | None = await journal.try_lease(NAME, owner="b", now=NOW, until=LATER)
            return number

        first = run(kept.try_lease(NAME, owner="a", now=NOW, until=LATER))
        assert run(renewed()) is None
        pass_time((LATER - NOW).total_seconds())
        assert run(kept.try_lease(NAME, owner="b", now=LATER, until=MUCH_LATER)) is None
        run(kept.save(RECORD, fence=first))

        async def late() -> None:
            journal.renew(NAME, owner="a", now=LATER, until=MUCH_LATER)
            await journal.release(NAME, owner="a")

        run(late())
        assert run(kept.try_lease(NAME, owner="b", now=LATER, until=MUCH_LATER)) > first
        # Another owner has it by now.
        run(late())
        assert run(kept.try_lease(NAME, owner="c", now=LATER, until=MUCH_LATER)) is None

    def test_a_released_lease_is_free(self, kept: AnyJournal, run: Run) -> None:
        """A released lease is free at once, and its number is never reused."""
        first = run(kept.try_lease(NAME, owner="a", now=NOW, until=LATER))
        run(kept.release(NAME, owner="a"))
        second = run(kept.try_lease(NAME, owner="b", now=NOW, until=LATER))
        run(kept.release(NAME, owner="b"))
        assert first < second < run(kept.try_lease(NAME, owner="b", now=NOW, until=LATER))

    def test_a_stranger_cannot_release_a_lease(self, kept: AnyJournal, run: Run) -> None:
        """An owner that lost its lease cannot release the lease of the new owner."""
        run(kept.try_lease(NAME, owner="a", now=NOW, until=LATER))
        run(kept.release(NAME, owner="b"))
        run(kept.release("nothing", owner="b"))
        assert run(kept.try_lease(NAME, owner="b", now=NOW, until=LATER)) is None

    def test_leases_of_posts_do_not_mix(self, kept: AnyJournal, run: Run) -> None:
        """Each post has its own lease. Taking or releasing one does not affect another."""
        run(kept.try_lease(NAME, owner="a", now=NOW, until=LATER))
        assert run(kept.try_lease(OTHER.name, owner="b", now=NOW, until=LATER)) is not None
        run(kept.release(OTHER.name, owner="a"))
        assert run(kept.try_lease(OTHER.name, owner="a", now=NOW, until=LATER)) is None

    def test_saving_leaves_the_lease(self, kept: AnyJournal, run: Run) -> None:
        """Saving does not end the lease, even if the post has ended. Only `release` and time do."""
        number = run(kept.try_lease(NAME, owner="a", now=NOW, until=LATER))
        run(kept.save(evolve(RECORD, stage=Stage.COMPLETE), fence=number))
        assert run(kept.try_lease(NAME, owner="b", now=NOW, until=LATER)) is None

    def test_of_many_at_once_one_gets_the_lease(self, kept: AnyJournal, run: Run) -> None:
        """Of many owners that ask at the same time, exactly one gets a number."""
        calls = [lambda o=o: kept.try_lease(NAME, owner=str(o), now=NOW, until=LATER) for o in range(16)]
        assert sum(number is not None for number in _at_once(run, calls)) == 1

    def test_the_last_of_many_at_once_has_the_largest_number(self, kept: AnyJournal, run: Run) -> None:
        """Of many owners that take the lease by force at the same time, the last one has the largest number, and it alone saves."""
        for _ in range(5):
            calls = [
                lambda o=o: kept.try_lease(NAME, owner=str(o), now=NOW, until=LATER, by_force=True) for o in range(16)
            ]
            numbers = sorted(_at_once(run, calls))
            assert len(set(numbers)) == 16
            for older in numbers[:-1]:
                with pytest.raises(LeaseLost):
                    run(kept.save(RECORD, fence=older))
            run(kept.save(RECORD, fence=numbers[-1]))

    # --- Fences ------------------------------------------------------------------------------------------------------

    def test_the_newest_lease_writes(self, kept: AnyJournal, run: Run, pass_time: PassTime) -> None:
        """The owner of the newest lease may save repeatedly, even after it expired, until another owner takes it."""
        number = run(kept.try_lease(NAME, owner="a", now=NOW, until=LATER))
        run(kept.save(RECORD, fence=number))
        pass_time((MUCH_LATER - NOW).total_seconds())
        run(kept.try_lease(NAME, owner="a", now=MUCH_LATER, until=MUCH_LATER))
        moved = evolve(RECORD, offset=20_000_000)
        run(kept.save(moved, fence=number))
        assert run(kept.load(NAME)) == moved

    def test_a_lease_that_was_given_back_writes_until_the_next(self, kept: AnyJournal, run: Run) -> None:
        """A late save under a released lease succeeds, as long as no other owner has taken the lease."""
        number = run(kept.try_lease(NAME, owner="a", now=NOW, until=LATER))
        run(kept.release(NAME, owner="a"))
        run(kept.save(RECORD, fence=number))
        assert run(kept.load(NAME)) == RECORD

    @pytest.mark.parametrize("ending", ["run out", "released", "released twice"])
    def test_an_older_lease_writes_nothing(self, kept: AnyJournal, run: Run, pass_time: PassTime, ending: str) -> None:
        """A save under an older lease raises `LeaseLost` with the post's key, and the newer owner's record stays."""
        old = run(kept.try_lease(NAME, owner="a", now=NOW, until=LATER))
        pass_time((LATER - NOW).total_seconds())
        if ending != "run out":
            run(kept.release(NAME, owner="a"))
        new = run(kept.try_lease(NAME, owner="b", now=LATER, until=MUCH_LATER))
        if ending == "released twice":
            run(kept.release(NAME, owner="b"))
        run(kept.save(RECORD, fence=new))
        with pytest.raises(LeaseLost) as caught:
            run(kept.save(evolve(RECORD, offset=0), fence=old))
        assert caught.value.post == RECORD.key
        assert run(kept.load(NAME)) == RECORD

    def test_an_overtaken_holder_writes_nothing_before_the_newer_one_does(
        self, kept: AnyJournal, run: Run, pass_time: PassTime
    ) -> None:
        """As soon as a new lease is granted, a save under the older one is refused."""
        old = run(kept.try_lease(NAME, owner="a", now=NOW, until=LATER))
        pass_time((LATER - NOW).total_seconds())
        run(kept.try_lease(NAME, owner="b", now=LATER, until=MUCH_LATER))
        with pytest.raises(LeaseLost):
            run(kept.save(RECORD, fence=old))
        assert run(kept.load(NAME)) is None

    @pytest.mark.parametrize("away", [-(2**70), -1, 1, 2**31, 2**70])
    def test_a_number_that_was_never_given_writes_nothing(self, kept: AnyJournal, run: Run, away: int) -> None:
        """A save with a smaller or larger number is refused, and so is any number if no lease was ever taken."""
        with pytest.raises(LeaseLost):
            run(kept.save(OTHER, fence=away))
        number = run(kept.try_lease(NAME, owner="a", now=NOW, until=LATER))
        with pytest.raises(LeaseLost):
            run(kept.save(RECORD, fence=number + away))
        assert run(kept.records()) == ()

    def test_without_a_fence_anybody_writes(self, kept: AnyJournal, run: Run) -> None:
        """A save without a fence succeeds under any lease, for answers that must not be lost. The owner goes on."""
        number = run(kept.try_lease(NAME, owner="a", now=NOW, until=LATER))
        run(kept.save(RECORD, fence=None))
        assert run(kept.load(NAME)) == RECORD
        run(kept.save(evolve(RECORD, offset=0), fence=number))
        assert run(kept.load(NAME)).offset == 0

    # --- Beside the lease ---------------------------------------------------------------------------------------------

    def test_what_was_seen_is_replaced(self, kept: AnyJournal, run: Run) -> None:
        """`replace` replaces the whole record under any lease. The lease stays with its owner, under the same number."""
        number = run(kept.try_lease(NAME, owner="a", now=NOW, until=LATER))
        run(kept.save(RECORD, fence=number))
        told = evolve(RECORD, stage=Stage.COMPLETE, upload_url=None, updated_at=LATER)
        assert run(kept.replace(told, seen=RECORD)) is True
        assert run(kept.records()) == (told,)
        run(kept.save(RECORD, fence=number))
        assert run(kept.load(NAME)) == RECORD

    @pytest.mark.parametrize(
        "seen",
        [
            evolve(RECORD, updated_at=NOW + TICK * 2),
            evolve(RECORD, offset=0),
            evolve(RECORD, upload_url=None),
            evolve(RECORD, last=None),
        ],
        ids=["time", "offset", "URL", "tidings"],
    )
    def test_what_was_changed_since_is_not_replaced(self, kept: AnyJournal, run: Run, seen: Record) -> None:
        """If any field was changed since `seen` was loaded, `replace` returns False, and nothing is lost."""
        run(kept.save(RECORD, fence=None))
        assert run(kept.replace(evolve(seen, stage=Stage.FAILED), seen=seen)) is False
        assert run(kept.records()) == (RECORD,)

    def test_what_is_not_there_is_not_replaced(self, kept: AnyJournal, run: Run) -> None:
        """`replace` does not bring back a record that was forgotten."""
        assert run(kept.replace(RECORD, seen=RECORD)) is False
        assert run(kept.records()) == ()

    def test_of_many_at_once_one_replaces(self, kept: AnyJournal, run: Run) -> None:
        """Of many callers that saw the same record, exactly one replaces it."""
        run(kept.save(RECORD, fence=None))
        told = [evolve(RECORD, offset=number) for number in range(16)]
        written = _at_once(run, [partial(kept.replace, one, seen=RECORD) for one in told])
        assert written.count(True) == 1
        assert run(kept.load(NAME)) == told[written.index(True)]

    # --- Forgetting --------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("stage", Stage)
    def test_only_what_has_ended_is_forgotten(self, kept: AnyJournal, run: Run, stage: Stage) -> None:
        """An unfinished post is never forgotten, however old it is."""
        record = evolve(RECORD, stage=stage)
        run(kept.save(record, fence=None))
        forget_before(kept, run, NOW + timedelta(days=10_000))
        assert (run(kept.load(NAME)) is None) == record.is_ended
        assert run(kept.records()) == (() if record.is_ended else (record,))

    def test_what_ended_since_is_kept(self, kept: AnyJournal, run: Run) -> None:
        """Forgetting compares the time of the last update, to the microsecond."""
        old = evolve(RECORD, stage=Stage.FAILED, created_at=LATER, updated_at=NOW - TICK)
        new = evolve(OTHER, stage=Stage.FAILED, created_at=NOW - timedelta(days=400), updated_at=NOW)
        for record in (old, new):
            run(kept.save(record, fence=None))
        forget_before(kept, run, NOW)
        assert run(kept.records()) == (new,)

    def test_forgetting_leaves_a_lease_that_is_alive(self, kept: AnyJournal, run: Run, pass_time: PassTime) -> None:
        """Forgetting removes no valid lease: its owner goes on under its number."""
        number = run(kept.try_lease(NAME, owner="a", now=NOW, until=LATER + max(TICK, self.drift)))
        run(kept.save(evolve(RECORD, stage=Stage.COMPLETE), fence=number))
        pass_time((LATER - NOW).total_seconds())
        forget_before(kept, run, LATER)
        assert run(kept.try_lease(NAME, owner="b", now=LATER, until=MUCH_LATER)) is None
        run(kept.save(RECORD, fence=number))
        assert run(kept.load(NAME)) == RECORD

    def test_a_key_that_was_forgotten_has_larger_numbers(self, kept: AnyJournal, run: Run) -> None:
        """An owner from before a post was forgotten cannot write into a later post of the same name."""
        old = run(kept.try_lease(NAME, owner="a", now=NOW, until=LATER))
        run(kept.save(evolve(RECORD, stage=Stage.COMPLETE), fence=old))
        run(kept.release(NAME, owner="a"))
        forget_before(kept, run, MUCH_LATER)
        new = run(kept.try_lease(NAME, owner="b", now=MUCH_LATER, until=MUCH_LATER + TICK))
        assert new > old
        with pytest.raises(LeaseLost):
            run(kept.save(RECORD, fence=old))
        assert run(kept.load(NAME)) is None

    def test_what_is_forgotten_leaves_its_trace_for_good(self, kept: AnyJournal, run: Run) -> None:
        """A trace keeps a digest of the name, the end, the publish id and the reason of a failure for ever, but no name."""
        failed = evolve(
            RECORD, stage=Stage.FAILED, last=Publication(publish_id="p", status="FAILED", fail_reason="internal")
        )
        run(kept.save(failed, fence=None))
        assert run(kept.trace(NAME)) is None
        for _ in range(2):
            forget_before(kept, run, MUCH_LATER + timedelta(days=10_000))
            assert run(kept.load(NAME)) is None
            trace = run(kept.trace(NAME))
            assert trace == trace_of(failed)
            assert (trace.digest, trace.end) == (hashlib.sha256(NAME.encode()).hexdigest(), Stage.FAILED)
            assert (trace.publish_id, trace.fail_reason) == (RECORD.publish_id, "internal")
        assert run(kept.trace(OTHER.name)) is None

    @pytest.mark.parametrize("first", ENDS)
    @pytest.mark.parametrize("second", ENDS)
    def test_of_two_traces_the_one_that_speaks_of_a_post_stays(
        self, kept: AnyJournal, run: Run, first: Stage, second: Stage
    ) -> None:
        """A key that was posted stays posted, even if other records are saved and forgotten under it later."""
        for stage in (first, second):
            run(kept.save(evolve(RECORD, stage=stage), fence=None))
            assert run(kept.remove(NAME)) is True
        more = (Stage.ABANDONED, Stage.GIVEN_UP, Stage.FAILED, Stage.IN_INBOX, Stage.COMPLETE)
        assert run(kept.trace(NAME)).end == max(first, second, key=more.index)

    @pytest.mark.parametrize("off", [timedelta(days=-20_000), timedelta(days=100), timedelta(days=36_500)])
    def test_one_look_at_a_wrong_clock_forgets_nothing(self, kept: AnyJournal, run: Run, off: timedelta) -> None:
        """Wrong times within a day forget nothing, because the journal compares each time with those it has seen."""
        ended, keep = evolve(RECORD, stage=Stage.COMPLETE), timedelta(days=90)
        run(kept.save(ended, fence=None))
        for now in (NOW, NOW + off, NOW + off + timedelta(hours=23), NOW, NOW + timedelta(days=30)):
            run(kept.forget(now, keep=keep))
            assert run(kept.records()) == (ended,)
        # The journal trusts the right time again once it has seen it for a day.
        run(kept.forget(NOW + timedelta(days=100), keep=keep))
        run(kept.forget(NOW + timedelta(days=101), keep=keep))
        assert run(kept.records()) == ()

    @pytest.mark.parametrize("stage", Stage)
    def test_only_what_has_ended_is_removed(self, kept: AnyJournal, run: Run, stage: Stage) -> None:
        """`remove` keeps a readable record that has not ended, and returns False for an unknown name."""
        record = evolve(RECORD, stage=stage)
        run(kept.save(record, fence=None))
        assert run(kept.remove(NAME)) is record.is_ended
        assert run(kept.records()) == (() if record.is_ended else (record,))
        assert (run(kept.trace(NAME)) is None) != record.is_ended
        assert run(kept.remove(OTHER.name)) is False

    def test_what_can_be_read_is_not_listed_as_unreadable(self, kept: AnyJournal, run: Run) -> None:
        """Every record that this release saves is readable."""
        run(kept.save(RECORD, fence=None))
        run(kept.save(evolve(OTHER, stage=Stage.FAILED), fence=None))
        assert run(kept.unreadable()) == ()

    # --- All of it ---------------------------------------------------------------------------------------------------

    def test_any_order_of_calls_does_what_the_model_does(self, kept: AnyJournal, run: Run, pass_time: PassTime) -> None:
        """With two owners, two posts and any order of calls, the journal behaves like a plain model."""
        # Much longer than what a clock of the journal's own goes on by during an example.
        unit = max(timedelta(seconds=1), self.drift * 10)

        class Machine(JournalMachine):
            def __init__(self) -> None:
                super().__init__(kept, run, pass_time=pass_time, unit=unit)

        wanted = settings(AS_THE_MODEL, max_examples=self.examples, stateful_step_count=30)
        run_state_machine_as_test(Machine, settings=wanted)

    def test_it_does_not_show_what_is_in_it(self, kept: AnyJournal, run: Run) -> None:
        """A journal's repr does not show upload URLs, which are secrets."""
        run(kept.save(RECORD, fence=None))
        assert "canary" not in f"{kept!r} {kept} {run(kept.records())!r}"

    def test_closing_twice_does_nothing(self, kept: AnyJournal, run: Run) -> None:
        """A second `close` is no error."""
        assert run(kept.close()) is None
        assert run(kept.close()) is None

    def test_a_closed_journal_says_so(self, kept: AnyJournal, run: Run) -> None:
        """After `close`, a call raises `StoreError`. The journal does not seem empty."""
        run(kept.close())
        for call in (
            lambda: kept.load(NAME),
            kept.records,
            lambda: kept.save(RECORD, fence=None),
            lambda: kept.replace(RECORD, seen=RECORD),
            lambda: kept.try_lease(NAME, owner="a", now=NOW, until=LATER),
            lambda: kept.release(NAME, owner="a"),
            lambda: kept.forget(NOW, keep=timedelta(0)),
            kept.unreadable,
            lambda: kept.remove(NAME),
            lambda: kept.trace(NAME),
        ):
            with pytest.raises(StoreError):
                run(call())


class DurableJournalContract(JournalContract):
    """For journals that outlive their process. Bind it with the fixture `open_journal`.

    `open_journal` is a function without arguments. Each call opens the same place, which is empty at first.
    """

    @pytest.fixture
    def open_journal(self) -> OpenJournal:
        """Return a function that opens the same place with each call."""
        raise NotImplementedError("a binding defines the fixture `open_journal`")

    @pytest.fixture
    def journal(self, open_journal: OpenJournal) -> AnyJournal:
        """Open the place."""
        return open_journal()

    @pytest.fixture
    def other(self, open_journal: OpenJournal, run: Run) -> Iterator[AnyJournal]:
        """Open the place a second time."""
        other = open_journal()
        yield other
        run(other.close())

    def test_records_survive_closing(self, kept: AnyJournal, open_journal: OpenJournal, run: Run) -> None:
        """Saved data is there when the place is opened again."""
        run(kept.save(RECORD, fence=None))
        run(kept.close())
        again = open_journal()
        assert run(again.load(NAME)) == RECORD
        run(again.close())

    def test_leases_survive_closing(self, kept: AnyJournal, open_journal: OpenJournal, run: Run) -> None:
        """A lease belongs to its owner, so it survives closing the journal."""
        number = run(kept.try_lease(NAME, owner="a", now=NOW, until=LATER))
        run(kept.close())
        again = open_journal()
        assert run(again.try_lease(NAME, owner="b", now=NOW, until=LATER)) is None
        run(again.save(RECORD, fence=number))
        assert run(again.try_lease(NAME, owner="a", now=NOW, until=LATER)) == number
        run(again.close())

    @pytest.mark.parametrize("forgotten", [False, True])
    def test_numbers_grow_across_closing(
        self, kept: AnyJournal, open_journal: OpenJournal, run: Run, *, forgotten: bool
    ) -> None:
        """A number is never reused, even after its lease was released, the post forgotten, and the journal closed."""
        old = run(kept.try_lease(NAME, owner="a", now=NOW, until=LATER))
        run(kept.release(NAME, owner="a"))
        if forgotten:
            forget_before(kept, run, MUCH_LATER)
        run(kept.close())
        again = open_journal()
        assert run(again.try_lease(NAME, owner="b", now=MUCH_LATER, until=MUCH_LATER + TICK)) > old
        run(again.close())

    def test_another_one_sees_what_was_saved_and_forgotten(self, kept: AnyJournal, other: AnyJournal, run: Run) -> None:
        """Each call sees earlier changes of other openers: nothing is cached."""
        run(kept.save(RECORD, fence=None))
        assert run(other.load(NAME)) == RECORD
        ended = evolve(RECORD, stage=Stage.COMPLETE)
        run(other.save(ended, fence=None))
        assert run(kept.records()) == (ended,)
        forget_before(kept, run, MUCH_LATER)
        assert run(other.records()) == ()

    def test_another_one_respects_lease_and_fence(
        self, kept: AnyJournal, other: AnyJournal, run: Run, pass_time: PassTime
    ) -> None:
        """All openers of the place respect a lease, and its loss."""
        old = run(kept.try_lease(NAME, owner="a", now=NOW, until=LATER))
        assert run(other.try_lease(NAME, owner="b", now=NOW, until=LATER)) is None
        pass_time((LATER - NOW).total_seconds())
        assert run(other.try_lease(NAME, owner="b", now=LATER, until=MUCH_LATER)) > old
        with pytest.raises(LeaseLost):
            run(kept.save(RECORD, fence=old))
        assert run(other.load(NAME)) is None


def _at_once(run: Run, calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """Make the calls at the same time, by threads or as tasks, and return their results."""
    with ThreadPoolExecutor(len(calls)) as pool:
        results = list(pool.map(lambda call: call(), calls))
    if not inspect.isawaitable(results[0]):
        return results
    gathered: list[Any] = run(_gathered(results))
    return gathered


async def _gathered(awaitables: Sequence[Any]) -> list[Any]:
    return await asyncio.gather(*awaitables)
