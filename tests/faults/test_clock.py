"""Row 25: a clock that jumps, and a machine that is suspended.

The client has its own clock here, and TikTok's clock runs on as time does.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import define

from clips import PHOTOS
from tiktok_adapters.stores.memory import MemoryJournal, MemoryTokenStore
from tiktok_adapters.stores.sqlite import SqliteJournal, SqliteTokenStore
from tiktok_adapters.stores.sqlite_pacer import SqlitePacer
from tiktok_core import ServerError, SignInRequired, StillProcessing
from tiktok_core.lifting import lift_pacer
from tiktok_core.ports import Response

HOUR, YEAR = timedelta(hours=1).total_seconds(), timedelta(days=365).total_seconds()
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
JUMPS = {"an hour ahead": HOUR, "an hour back": -HOUR, "a year ahead": YEAR, "a year back": -YEAR, "to 1970": None}
jumps = pytest.mark.parametrize("by", JUMPS.values(), ids=JUMPS)


@define(eq=False)
class Settable:
    """A clock over another one. A test can set it."""

    inner: Any
    offset: timedelta = timedelta(0)
    on_sleep: Callable[[], object] = lambda: None

    def now(self) -> datetime:
        """Return what it shows."""
        shown: datetime = self.inner.now() + self.offset
        return shown

    def sleep(self, seconds: float, /) -> None:
        """Sleep as long as asked, whatever the clock shows; then a test may act."""
        self.inner.sleep(seconds)
        self.on_sleep()

    def jump(self, by: float | None) -> None:
        """Set the clock forward or back, or to 1970."""
        self.offset += EPOCH - self.now() if by is None else timedelta(seconds=by)

    def set_right(self) -> None:
        """Set the clock right."""
        self.offset = timedelta(0)


@pytest.fixture
def unsure(near: Any) -> Any:
    """Give a bench whose client has a clock that can be set; the inner clock is TikTok's."""
    near.clock = Settable(near.clock)
    near.connect()
    return near


def renewals(bench: Any) -> int:
    """Return how often the client renewed the tokens."""
    return int(bench.way.sent.count("token"))


@jumps
def test_row_25_a_sign_in_outlives_every_jump(unsure: Any, by: float | None) -> None:
    """While TikTok accepts the tokens, every call succeeds.

    A jump costs one renewal at most, and so does the way back.
    """
    for act in (lambda: unsure.clock.jump(by), unsure.clock.set_right):
        before = renewals(unsure)
        act()
        for _ in range(3):
            assert unsure.run(unsure.account.creator_info()).privacy_level_options
        assert renewals(unsure) - before <= 1
    unsure.clock.inner.advance(7_200)
    assert unsure.run(unsure.account.creator_info()).privacy_level_options


@jumps
def test_row_25_whether_a_sign_in_has_ended_is_for_tiktok_to_say(unsure: Any, by: float | None) -> None:
    """At any time of its clock the client asks TikTok once, and only a refusal requires a person."""
    unsure.clock.inner.advance(15_552_001)
    unsure.clock.jump(by)
    with pytest.raises(SignInRequired, match="no longer takes its refresh token"):
        unsure.run(unsure.account.creator_info())
    assert renewals(unsure) == 1


@jumps
@pytest.mark.parametrize(("where", "nth"), [("video_init", 1), ("put", 1), ("put", 2), ("status", 1), ("status", 4)])
def test_row_25_a_jump_on_the_way_changes_nothing(unsure: Any, by: float | None, where: str, nth: int) -> None:
    """The clock jumps before, between or after chunks, or during the wait.

    There is one whole post, with the usual pauses and at most one more init.
    """
    unsure.sim.switches.processing_seconds = 100
    unsure.way.when(where, lambda: unsure.clock.jump(by), nth=nth)
    unsure.post_film()
    assert unsure.sim.count("video_init") <= 2
    assert renewals(unsure) <= 1
    waits = unsure.clock.inner.naps
    assert [wait for wait in waits if not 0.49 <= wait <= 10] == []
    assert 100 <= sum(waits) <= 120


@pytest.mark.parametrize("by", [HOUR, -HOUR, YEAR, -YEAR])
def test_row_25_patience_is_measured_and_not_read_off(unsure: Any, by: float) -> None:
    """The client follows a post without an end for 15 minutes, though the clock is set again and again."""
    unsure.sim.faults.add("init=never-ends")
    unsure.clock.on_sleep = lambda: unsure.clock.jump(by)
    handed = unsure.run(unsure.account.post_photos(PHOTOS, privacy_level="SELF_ONLY", key="wish", wait=False))
    for follow in (lambda: unsure.account.resume("wish"), lambda: unsure.account.wait(handed.publish_id)):
        unsure.clock.set_right()
        before = unsure.clock.inner.slept
        with pytest.raises(StillProcessing) as raised:
            unsure.run(follow())
        assert 880 <= unsure.clock.inner.slept - before <= 900
        assert 880 <= raised.value.waited <= 900


@jumps
def test_row_25_a_call_is_repeated_as_ever(unsure: Any, by: float | None) -> None:
    """A jump in the middle of a call makes the call neither endless nor shorter."""
    unsure.sim.says("creator_info", Response(503), times=99)
    unsure.clock.on_sleep = lambda: unsure.clock.jump(by)
    with pytest.raises(ServerError):
        unsure.run(unsure.account.creator_info())
    assert unsure.way.sent.count("creator_info") == 3
    assert unsure.clock.inner.naps == pytest.approx((0.5, 1.0))


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@pytest.mark.parametrize("by", [-HOUR, -YEAR, None], ids=["an hour", "a year", "to 1970"])
def test_row_25_a_lease_does_not_outlive_a_clock_set_back(
    unsure: Any, tmp_path: Path, by: float | None, kind: str
) -> None:
    """Another process took the leases of post and tokens and is gone.

    Then the clock goes back, and the client does not wait for that time.
    """
    if kind == "sqlite":
        tokens = SqliteTokenStore(tmp_path / "tokens.db")
        tokens.save(unsure.account.open_id, unsure.tokens.load(unsure.account.open_id))
        unsure.tokens, unsure.journal = tokens, SqliteJournal(tmp_path / "journal.db")
    assert isinstance(unsure.journal, MemoryJournal if kind == "memory" else SqliteJournal)
    assert isinstance(unsure.tokens, MemoryTokenStore if kind == "memory" else SqliteTokenStore)
    unsure.connect()
    unsure.run(unsure.account.post_photos(PHOTOS, privacy_level="SELF_ONLY", key="wish", wait=False))
    (record,) = unsure.journal.records()
    now = unsure.clock.now()
    unsure.journal.try_lease(record.name, owner="gone", now=now, until=now + timedelta(seconds=600))
    unsure.tokens.try_lease(unsure.account.open_id, owner="gone", now=now, until=now + timedelta(seconds=60))
    unsure.clock.jump(by)
    assert unsure.run(unsure.account.resume("wish")).is_final
    unsure.run(unsure.account.refresh())
    assert unsure.clock.inner.slept <= 60
    unsure.journal.close()
    unsure.tokens.close()


@jumps
@pytest.mark.parametrize("kind", ["own", "sqlite"])
def test_row_25_no_jump_makes_a_call_wait_for_more_than_a_minute(
    unsure: Any, tmp_path: Path, by: float | None, kind: str
) -> None:
    """Calls that lie in the clock's future count for nothing, and calls in its past for a minute at most."""
    pacer = SqlitePacer(tmp_path / "pace.db")
    if kind == "sqlite":
        unsure.connect(pacer=pacer if unsure.world == "blocking" else lift_pacer(pacer))
    for _ in range(20):
        unsure.run(unsure.account.creator_info())
    unsure.clock.jump(by)
    # TikTok's minute is over, so only the client's own count can delay the call.
    unsure.clock.inner.advance(60)
    before = unsure.clock.inner.slept
    for _ in range(20):
        unsure.run(unsure.account.creator_info())
    assert unsure.clock.inner.slept - before <= 60
    pacer.close()


@pytest.mark.parametrize("hours", [1, 8, 24 * 30])
@pytest.mark.parametrize("when", ["while waiting", "in a chunk", "in the last chunk"])
def test_row_25_a_machine_that_was_suspended_goes_on(near: Any, hours: int, when: str) -> None:
    """The lid was closed for an hour, a night or a month.

    The client finishes the post, once, and the person need not sign in again.
    """
    near.sim.switches.processing_seconds = 100
    # The last chunk may have arrived, so TikTok has to give the post up before the client begins another one.
    near.sim.switches.expired_upload = "fail"
    slept: list[float] = []

    def suspend() -> None:
        slept.append(hours * HOUR)
        near.clock.advance(slept[0])

    if when != "while waiting":

        def broken(*_: Any) -> Response:
            suspend()
            return Response(502)

        near.sim.says("put", broken, nth=2 if when == "in the last chunk" else 1)
    else:
        near.way.when("status", suspend, nth=3)
    near.post_film()
    assert near.sim.count("video_init") == (1 if when == "while waiting" else 2)
    assert near.way.sent.count("token") <= 1


def test_row_25_a_night_in_the_lid_does_not_end_the_patience(near: Any) -> None:
    """Sleep of the machine does not count as waiting: the client asks again before it gives up."""
    near.sim.switches.processing_seconds = 9 * HOUR
    sleep = near.clock.sleep

    def suspended(seconds: float, /) -> None:
        sleep(seconds)
        near.clock.advance(8 * HOUR if len(near.clock.naps) == 3 else 0)

    near.clock.sleep = suspended
    near.sim.switches.processing_seconds = 8 * HOUR + 60
    assert near.post_film().is_final
