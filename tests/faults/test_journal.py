"""Rows 19 to 21: a process that ends at any step of a post, and a journal that cannot be written.

The test plays the end of a process within one: at each call of each port, before and after it, one after the other.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field

from clips import PHOTOS, PULLED
from tiktok_adapters.stores.sqlite import SqliteJournal
from tiktok_core import OutcomeUnknown, PublishStatus, Stage, StoreError, TikTokError

WISHES: dict[str, Callable[[Any], Any]] = {
    "film": lambda bench: bench.post_film(),
    "draft": lambda bench: bench.run(
        bench.account.post_video(bench.film, draft=True, chunk_size=5_242_880, key="wish")
    ),
    "pull": lambda bench: bench.run(bench.account.post_video(PULLED, privacy_level="SELF_ONLY", key="wish")),
    "photos": lambda bench: bench.run(bench.account.post_photos(PHOTOS, privacy_level="SELF_ONLY", key="wish")),
}
wishes = pytest.mark.parametrize("wish", WISHES)


class Killed(BaseException):
    """The end of a process, which no `except` of the library can catch."""


@define(eq=False)
class Life:
    """One process, as long as it runs.

    Attributes:
        fails_at: the number of the call that ends it; None if it runs on.
        is_done: whether that call still does its work.
        error: what the call raises; a process that was killed makes no further call.
        only: which calls count; all calls unless given.
        calls: the calls so far.
    """

    fails_at: int | None = None
    is_done: bool = False
    error: BaseException = field(factory=Killed)
    only: tuple[str, ...] = ()
    calls: list[str] = field(factory=list)
    is_over: bool = False

    def call(self, name: str, method: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Make a call, unless the process has ended."""
        if self.is_over:
            raise self.error
        if self.only and name not in self.only:
            return method(*args, **options)
        self.calls.append(name)
        if len(self.calls) != self.fails_at:
            return method(*args, **options)
        self.is_over = isinstance(self.error, Killed)
        if self.is_done:
            method(*args, **options)
        raise self.error


class Mortal:
    """A port of a process that may end."""

    def __init__(self, port: Any, life: Life, *names: str) -> None:
        self._port = port
        for name in names:
            setattr(self, name, self._mortal(life, name))

    def _mortal(self, life: Life, name: str) -> Callable[..., Any]:
        method = getattr(self._port, name)
        label = f"{type(self._port).__name__}.{name}"
        return lambda *args, **options: life.call(label, method, *args, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)


def live(bench: Any, life: Life, wish: str) -> Any:
    """Let a process make the wish, and return its result or error; None if it was killed."""
    inner = bench.tokens, bench.journal, bench.clock, bench.way.inner
    bench.tokens = Mortal(inner[0], life, "load", "save", "try_lease", "release")
    bench.journal = Mortal(inner[1], life, "load", "save", "records", "forget", "try_lease", "release")
    bench.clock = Mortal(inner[2], life, "sleep")
    bench.way.inner = Mortal(inner[3], life, "send")
    life_calls, life.only = life.only, ("nothing",)
    bench.connect()
    life.only = life_calls
    try:
        return bench.outcome(WISHES[wish])
    except Killed:
        return None
    finally:
        bench.tokens, bench.journal, bench.clock, bench.way.inner = inner
        bench.connect()


def record_of(bench: Any) -> Any:
    """Return the one record of the journal, or None."""
    return next(iter(bench.journal.records()), None)


def settled(bench: Any, wish: str, end: Any) -> None:
    """Assert that the wish is one whole post, or that its outcome is unknown where it has to be."""
    bench.check_posts()
    if isinstance(end, OutcomeUnknown):
        return
    assert not isinstance(end, TikTokError), repr(end)
    assert end.is_final
    complete = [post for post in bench.sim.posts if post.urls or post.bytes_received == post.size]
    assert [post.publish_id for post in complete] == [end.publish_id]
    assert record_of(bench).publish_id == end.publish_id


# --- Row 19 ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("world", "wish"),
    [("blocking", "film"), ("asynchronous", "draft"), ("blocking", "pull"), ("asynchronous", "photos")],
)
def test_row_19_whoever_asks_again_after_the_process_ended_finds_one_post(
    open_bench: Any, world: str, wish: str
) -> None:
    """The process ends before or after every call. Asked again, there is one post.

    Only a pull whose init may have left is in doubt.
    """
    with open_bench(world) as bench:
        clean = Life()
        settled(bench, wish, live(bench, clean, wish))
    assert len(clean.calls) > 20
    in_doubt = set()
    for fails_at in range(1, len(clean.calls) + 1):
        for is_done in (False, True):
            with open_bench(world) as bench:
                life = Life(fails_at, is_done)
                assert live(bench, life, wish) is None
                stage = record_of(bench).stage if record_of(bench) else Stage.PLANNED
                inits = len(bench.inits)
                # Longer than any lease, shorter than the life of an upload URL.
                bench.clock.advance(600)
                end = live(bench, Life(), wish)
                settled(bench, wish, end)
                if isinstance(end, OutcomeUnknown):
                    in_doubt.add(life.calls[-1])
                assert isinstance(end, OutcomeUnknown) == (stage is Stage.INIT_SENT and wish in {"pull", "photos"})
                again = not inits or (wish in {"film", "draft"} and stage is Stage.INIT_SENT)
                assert len(bench.inits) - inits == (again and not isinstance(end, OutcomeUnknown))
    # The calls between storing that the init leaves and storing its answer.
    if wish in {"pull", "photos"}:
        assert {"FakeTransport.send", "MemoryJournal.save"} <= in_doubt


@wishes
def test_row_19_a_finished_post_is_told_and_not_made_again(near: Any, wish: str) -> None:
    """Any process that asks again after its end gets the same answer, without a request to TikTok."""
    first = live(near, Life(), wish)
    sent = len(near.way.sent)
    assert live(near, Life(), wish) == first
    assert len(near.way.sent) == sent


# --- Row 20 ----------------------------------------------------------------------------------------------------------

LOST = {
    "killed before": None,
    "killed after": None,
    "timed out": "slow:45",
    "lost": "drop-after",
    "never came": "drop-before",
}


def lose_init(near: Any, wish: str, how: str) -> Any:
    """Make the wish, and let the answer to its init be lost in the given way."""
    if LOST[how] is not None:
        near.sim.faults.add(f"init={LOST[how]}")
        return live(near, Life(), wish)
    life = Life(only=("FakeTransport.send",), is_done=how == "killed after")
    # The client asks for the creator first, unless the post is a draft.
    life.fails_at = 1 if wish == "draft" else 2
    end = live(near, life, wish)
    near.clock.advance(600)
    return end


@pytest.mark.parametrize("how", LOST)
@pytest.mark.parametrize("wish", ["film", "draft"])
def test_row_20_a_file_whose_init_was_lost_is_begun_anew(near: Any, wish: str, how: str) -> None:
    """Without bytes TikTok posts nothing.

    The client sends one more init, the first one stays unused, and the journal has counted both.
    """
    lose_init(near, wish, how)
    settled(near, wish, live(near, Life(), wish))
    unused = [post for post in near.sim.posts if not post.bytes_received]
    assert len(unused) == (how in {"killed after", "timed out", "lost"})
    assert {post.status for post in unused} <= {"PROCESSING_UPLOAD"}
    assert record_of(near).inits == 2


@pytest.mark.parametrize("how", LOST)
@pytest.mark.parametrize("wish", ["pull", "photos"])
@pytest.mark.parametrize("is_posted", [True, False])
def test_row_20_a_pull_whose_init_was_lost_waits_for_a_person(near: Any, wish: str, how: str, is_posted: bool) -> None:
    """No call repeats it until a person has looked. Then it is done, or may be posted once."""
    lose_init(near, wish, how)
    for _ in range(2):
        end = live(near, Life(), wish)
        assert isinstance(end, OutcomeUnknown)
        assert end.key == "wish"
    inits = near.inits
    assert len(inits) == (how != "killed before")
    told = near.run(near.account.settle("wish", posted=is_posted))
    assert (told.status == PublishStatus.PUBLISH_COMPLETE) == is_posted
    assert live(near, Life(), wish).is_final
    assert len(near.inits) == len(inits) + (not is_posted)


# --- Row 21 ----------------------------------------------------------------------------------------------------------

WRITES = ("MemoryJournal.save", "MemoryJournal.try_lease", "MemoryJournal.release", "MemoryJournal.forget")


@wishes
def test_row_21_a_journal_that_cannot_be_written_never_costs_a_second_post(open_bench: Any, wish: str) -> None:
    """The disk is full or broken at any write.

    The error has the key, the client sends nothing that it did not store, and then one post.
    """
    with open_bench("blocking") as bench:
        clean = Life(only=WRITES)
        settled(bench, wish, live(bench, clean, wish))
    for fails_at, name in enumerate(clean.calls, 1):
        with open_bench("blocking") as bench:
            life = Life(fails_at, error=StoreError("Journal", "no space left on device"), only=WRITES)
            end = live(bench, life, wish)
            is_renewal = name == "MemoryJournal.try_lease" and not isinstance(end, StoreError)
            if name == "MemoryJournal.release" or is_renewal:
                # The lease runs out by itself; so it does where it could not be renewed while bytes were leaving.
                settled(bench, wish, end)
                continue
            assert isinstance(end, StoreError), repr(end)
            inits = bench.inits
            record = record_of(bench)
            assert not inits or record.stage is not Stage.PLANNED
            assert record is None or end.key == "wish"
            bench.clock.advance(600)
            end = live(bench, Life(), wish)
            settled(bench, wish, end)
            assert isinstance(end, OutcomeUnknown) == (
                bool(inits) and record.stage is Stage.INIT_SENT and wish in {"pull", "photos"}
            )


def test_row_21_a_warning_that_cannot_be_given_costs_nothing(near: Any) -> None:
    """The journal answers every question except how much of the day's share is used. The client makes the post."""
    life = Life(1, error=StoreError("Journal", "a record is damaged"), only=("MemoryJournal.records",))
    settled(near, "photos", live(near, life, "photos"))
    assert life.calls == ["MemoryJournal.records"]


@pytest.fixture
def disk(tmp_path: Path) -> SqliteJournal:
    """Give a journal in a file."""
    return SqliteJournal(tmp_path / "journal.db")


@pytest.mark.parametrize("limit", ["PRAGMA max_page_count = 1", "PRAGMA query_only = ON"], ids=["full", "read-only"])
def test_row_21_a_disk_that_is_full_is_found_before_anything_is_sent(
    near: Any, disk: SqliteJournal, limit: str
) -> None:
    """The client stores the wish first, so TikTok gets no request of a post that could not be stored."""
    near.journal = disk
    near.connect()
    assert disk._connection is not None
    disk._connection.execute(limit)
    end = near.outcome(
        lambda bench: bench.account.post_photos(PHOTOS, title="x" * 80, description="y" * 4_000, draft=True)
    )
    assert isinstance(end, StoreError)
    assert str(disk._path) in str(end)
    assert near.way.sent == []
    disk.close()


def test_row_21_a_disk_that_fills_up_before_the_publish_id_is_written_costs_an_init(
    near: Any, disk: SqliteJournal
) -> None:
    """No byte leaves for a post whose id could not be stored.

    With room again the client begins again, and there is one post.
    """
    near.journal = disk
    near.connect()
    assert disk._connection is not None
    limit = f"PRAGMA max_page_count = {disk._connection.execute('PRAGMA page_count').fetchone()[0]}"
    near.way.when("video_init", lambda: disk._connection.execute(limit))  # type: ignore[union-attr]
    end = near.outcome(lambda bench: bench.post_film())
    assert isinstance(end, StoreError)
    assert end.key == "wish"
    assert near.sim.count("put") == 0
    disk._connection.execute("PRAGMA max_page_count = 1000000")
    near.clock.advance(600)
    near.post_film()
    assert near.sim.count("video_init") == 2
    disk.close()
