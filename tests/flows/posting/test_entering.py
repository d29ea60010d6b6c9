"""Entering a post for later: held, at a time, for workers; and taking several steps under one owner."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from clips import CLIP, CLIP_BYTES, HEAD, PHOTOS
from tiktok_adapters.simulator import parse_fault
from tiktok_core import (
    InvalidInput,
    InvalidPost,
    PublishStatus,
    ReleaseRequired,
    Schedule,
    ServerError,
    SignInRequired,
    Stage,
)
from tiktok_core.ports import Request

HOUR = timedelta(hours=1)


def enter(bench: Any, account: Any, clip: Path, **how: Any) -> Any:
    """Enter a draft under the key `wish`."""
    return bench.run(account.enter_video(clip, draft=True, **{"key": "wish", **how}))


def advanced(bench: Any, account: Any, **how: Any) -> Any:
    """Take steps until the next wait is longer than five seconds."""
    return bench.run(account.advance("wish", until_wait=5.0, **how))


def refusing(request: Request) -> Any:
    """Fail, because nothing is to be sent now."""
    raise AssertionError(f"{request.method} {request.url} was sent")


def test_what_is_entered_is_not_posted(bench: Any, clip: Path) -> None:
    """Nothing is sent until somebody takes a step; then it becomes the post that was entered."""
    account = bench.signed_in()
    bench.handle, handle = refusing, bench.handle
    record = enter(bench, account, clip)
    assert (record.stage, record.is_entered, record.wish.video) == (Stage.PLANNED, True, str(clip))
    assert bench.run(bench.tiktok.due_posts()) == bench.run(bench.tiktok.unfinished()) == (record,)
    assert enter(bench, account, clip) == record
    bench.handle = handle
    assert advanced(bench, account).publication.status == PublishStatus.SEND_TO_USER_INBOX
    assert bench.run(bench.tiktok.due_posts()) == bench.run(bench.tiktok.unfinished()) == ()
    assert enter(bench, account, clip).stage is Stage.IN_INBOX
    assert bench.sim.count("inbox_init") == 1


def test_photos_are_entered_too(bench: Any) -> None:
    """They are pulled, so no file is opened."""
    account = bench.signed_in()
    record = bench.run(account.enter_photos(PHOTOS, privacy_level="SELF_ONLY", key="wish", title="Three"))
    assert (record.stage, record.wish.post.title) == (Stage.PLANNED, "Three")
    assert bench.sim.count("photo_init") == 0
    assert bench.run(account.resume("wish")).is_final
    with pytest.raises(InvalidPost, match="privacy_level"):
        bench.run(account.enter_photos(PHOTOS, key="other"))


def test_a_source_without_a_name_is_not_entered(bench: Any) -> None:
    """Nobody could open it later, so it is refused before it is stored."""
    account = bench.signed_in()
    with pytest.raises(InvalidPost, match="source without a name"):
        bench.run(account.enter_video(CLIP, draft=True, key="wish"))
    assert bench.journal.records() == ()


def test_nobody_enters_for_an_account_that_is_not_signed_in(bench: Any, clip: Path) -> None:
    """The person would otherwise hear of it when the time has come."""
    with pytest.raises(SignInRequired):
        enter(bench, bench.run(bench.tiktok.account("-000Nobody")), clip)


def test_a_post_is_begun_at_its_time(bench: Any, clip: Path) -> None:
    """Each step before says how long that is, and sends nothing. The time's zone stays in the record."""
    account, now = bench.signed_in(), bench.clock.now()
    at = (now + 3 * HOUR).astimezone(datetime.now().astimezone().tzinfo)
    record = enter(bench, account, clip, not_before=at)
    assert record.schedule == Schedule(not_before=now + 3 * HOUR, not_after=now + 4 * HOUR)
    bench.handle, handle = refusing, bench.handle
    assert bench.run(bench.tiktok.due_posts()) == ()
    assert (
        bench.run(bench.tiktok.due_posts(within=3 * 3600))
        == bench.run(bench.tiktok.due_posts(within=1e300))
        == (record,)
    )
    bench.clock.advance(3600)
    assert advanced(bench, account).again_in == bench.run(account.advance("wish")).again_in == 7200
    bench.handle = handle
    bench.clock.advance(7200)
    assert bench.run(bench.tiktok.due_posts()) == (record,)
    assert advanced(bench, account).publication.is_final


def test_a_call_with_its_key_waits_for_the_time(bench: Any, clip: Path) -> None:
    """`resume` sleeps until then, though the clock is set on the way, and follows the post to its end."""
    account = bench.signed_in()
    at = bench.clock.now() + 3 * HOUR
    enter(bench, account, clip, not_before=at, for_workers=False)
    assert bench.run(bench.tiktok.due_posts(within=1e6)) == ()
    assert bench.run(account.resume("wish")).is_final
    (record,) = bench.journal.records()
    assert at <= record.init_at < at + timedelta(minutes=1)


@pytest.mark.parametrize("late", [timedelta(microseconds=1), timedelta(days=30)])
def test_a_late_post_asks_a_person(bench: Any, clip: Path, late: timedelta) -> None:
    """The evening's video may be wrong at breakfast. Released, it is posted; given up, it is not."""
    account = bench.signed_in()
    enter(bench, account, clip, not_before=bench.clock.now() + HOUR, not_after=bench.clock.now() + 2 * HOUR)
    bench.clock.advance((2 * HOUR + late).total_seconds())
    bench.kill_access_token(account.open_id)
    for ask in (lambda: account.advance("wish"), lambda: advanced(bench, account), lambda: account.resume("wish")):
        with pytest.raises(ReleaseRequired, match="release it, or give it up") as raised:
            bench.run(ask())
        assert raised.value.key == "wish"
    assert bench.sim.count("inbox_init") == 0
    released = bench.run(account.release("wish"))
    assert released.schedule.not_after == bench.clock.now() + HOUR
    assert advanced(bench, account).publication.is_final


def test_a_held_post_waits_for_a_person(bench: Any, clip: Path) -> None:
    """No step, worker or repeated wish begins it. Released, it is begun by the first that comes."""
    account = bench.signed_in()
    record = enter(bench, account, clip, held=True)
    assert record.is_held
    for ask in (
        lambda: account.advance("wish"),
        lambda: account.resume("wish"),
        lambda: account.post_video(clip, draft=True, key="wish"),
    ):
        with pytest.raises(ReleaseRequired, match="is held"):
            bench.run(ask())
    assert enter(bench, account, clip) == record
    assert bench.run(bench.tiktok.due_posts(within=1e6)) == ()
    assert bench.run(bench.tiktok.unfinished()) == (record,)
    assert not bench.run(account.release("wish")).is_held
    with pytest.raises(InvalidInput, match="nothing to release"):
        bench.run(account.release("wish"))
    assert bench.sim.count("inbox_init") == 0
    assert bench.run(account.post_video(clip, draft=True, key="wish")).is_final
    with pytest.raises(InvalidInput, match="nothing to release"):
        bench.run(account.release("wish"))
    bench.journal.remove(bench.journal.records()[0].name)
    with pytest.raises(InvalidInput, match="nothing to release"):
        bench.run(account.release("wish"))


def test_a_held_post_can_be_given_up(bench: Any, clip: Path) -> None:
    """Then its key is never begun again, by no release either."""
    account = bench.signed_in()
    enter(bench, account, clip, held=True)
    assert bench.run(account.abandon("wish")).status == "NOT_POSTED"
    with pytest.raises(InvalidPost, match="was given up"):
        enter(bench, account, clip)
    with pytest.raises(InvalidInput, match="nothing to release"):
        bench.run(account.release("wish"))
    bench.journal.remove(bench.journal.records()[0].name)
    with pytest.raises(InvalidPost, match="was given up"):
        enter(bench, account, clip)


def test_the_key_of_a_forgotten_post_is_not_entered_again(bench: Any, clip: Path) -> None:
    """Its trace says that it was posted."""
    account = bench.signed_in()
    bench.run(account.post_video(clip, draft=True, key="wish"))
    bench.journal.remove(bench.journal.records()[0].name)
    with pytest.raises(InvalidPost, match="was posted before"):
        enter(bench, account, clip)


def test_a_key_stands_for_one_time(bench: Any, clip: Path) -> None:
    """Another time is another wish, also none; the zone in which it is spelled is not. Once begun, its time says nothing more."""
    account, now = bench.signed_in(), bench.clock.now()
    at = now + HOUR
    record = enter(bench, account, clip, not_before=at)
    for wish in ({"not_before": at + HOUR}, {"not_before": at, "not_after": at + 3 * HOUR}, {}):
        with pytest.raises(InvalidPost, match="stands for a post at 2026-01-01 13:00:0"):
            enter(bench, account, clip, **wish)
    with pytest.raises(InvalidPost, match="stands for a post at"):
        bench.run(account.post_video(clip, draft=True, key="wish"))
    assert enter(bench, account, clip, not_before=at.astimezone(datetime.now().astimezone().tzinfo)) == record
    bench.clock.advance(3600)
    # The command that a person repeats names a time that is over by now.
    assert enter(bench, account, clip, not_before=at) == record
    assert advanced(bench, account).publication.is_final
    assert bench.run(account.post_video(clip, draft=True, key="wish")).is_final
    bench.run(account.post_video(clip, draft=True, key="now"))
    with pytest.raises(InvalidPost, match="without a time"):
        enter(bench, account, clip, key="now", not_before=bench.clock.now() + HOUR)


@pytest.mark.parametrize(("away", "said"), [(-1, "is over"), (91 * 86_400, "90 days")])
def test_a_time_that_cannot_be_meant_is_refused(bench: Any, clip: Path, away: float, said: str) -> None:
    """Before anything is stored."""
    account = bench.signed_in()
    with pytest.raises(InvalidPost, match=said):
        enter(bench, account, clip, not_before=bench.clock.now() + timedelta(seconds=away))
    assert bench.journal.records() == ()


def test_a_post_that_a_caller_left_can_be_given_to_the_workers(bench: Any, clip: Path) -> None:
    """Only where somebody enters it; and not while its caller is at it."""
    account = bench.signed_in()
    bench.run(account.enter_video(clip, draft=True, key="wish", for_workers=False))
    (before,) = bench.run(bench.tiktok.unfinished())
    assert bench.run(bench.tiktok.due_posts()) == ()
    now = bench.clock.now()
    bench.journal.try_lease(before.name, owner="its caller", now=now, until=now + HOUR / 4)
    assert enter(bench, account, clip) == before
    bench.journal.release(before.name, owner="its caller")
    assert enter(bench, account, clip) == evolve(before, is_entered=True)
    assert len(bench.run(bench.tiktok.due_posts())) == 1


def test_a_late_upload_does_not_begin_anew(bench: Any, tmp_path: Path) -> None:
    """Its URL has expired before all bytes were there, and the time to begin is over: a person is asked."""
    path = tmp_path / "film.mp4"
    path.write_bytes(HEAD + bytes(12_000_000))
    account = bench.signed_in()
    enter(bench, account, path, not_before=bench.clock.now() + HOUR, chunk_size=6_000_000)
    bench.clock.advance(3600)
    bench.run(account.advance("wish"))
    assert bench.journal.records()[0].stage is Stage.UPLOADING
    bench.clock.advance(3 * 3600)
    with pytest.raises(ReleaseRequired):
        advanced(bench, account)
    bench.run(account.release("wish"))
    assert advanced(bench, account).publication.is_final
    assert bench.sim.count("inbox_init") == 2


def film(tmp_path: Path, chunks: int) -> Path:
    """Return the path of a film of so many chunks of 5 MiB."""
    path = tmp_path / "film.mp4"
    path.write_bytes(CLIP_BYTES)
    with path.open("r+b") as file:
        file.truncate(5_242_880 * chunks)
    return path


def test_many_chunks_ask_for_the_status_once(bench: Any, tmp_path: Path) -> None:
    """Under one owner nothing is in doubt between two chunks. One step at a time has another owner each, and has to ask."""
    account = bench.signed_in()
    enter(bench, account, film(tmp_path, 20), chunk_size=5_242_880)
    step = advanced(bench, account)
    assert step.publication.is_final
    assert bench.sim.count("put") == 20
    assert bench.sim.count("status") <= 2


def test_a_worker_that_is_told_to_stop_ends_after_its_chunk(bench: Any, tmp_path: Path) -> None:
    """It says that the next step is due at once, and gives the lease back, so that another goes on."""
    account = bench.signed_in()
    enter(bench, account, film(tmp_path, 6), chunk_size=5_242_880)
    step = advanced(bench, account, stop=lambda: bench.sim.count("put") == 3)
    assert (bench.sim.count("put"), step.again_in, step.publication.uploaded_bytes) == (3, 0.0, 3 * 5_242_880)
    assert advanced(bench, account).publication.is_final
    assert bench.sim.count("put") == 6


def test_a_step_that_fails_ends_the_steps(bench: Any, clip: Path) -> None:
    """Its error has the key, and the next call goes on."""
    account = bench.signed_in()
    enter(bench, account, clip)
    bench.sim.faults.add(parse_fault("creator_infox9=code:internal_error@500"))
    bench.run(account.enter_video(clip, privacy_level="SELF_ONLY", key="direct"))
    with pytest.raises(ServerError) as raised:
        bench.run(account.advance("direct", until_wait=5.0))
    assert raised.value.key == "direct"
    bench.sim.faults.clear()
    assert bench.run(account.advance("direct", until_wait=60.0)).publication.is_final


def test_a_slot_is_taken_for_the_bytes_and_not_for_waiting(bench: Any, clip: Path, tmp_path: Path) -> None:
    """A post that waits for its time, or for TikTok, keeps no upload from beginning."""

    class Counted:
        taken = open = 0

        async def enter(self, account: str, /) -> None:
            self.taken, self.open = self.taken + 1, self.open + 1

        def leave(self) -> None:
            self.open -= 1

    account, slots = bench.signed_in(), Counted()
    face = getattr(bench.tiktok, "_face", bench.tiktok)
    face._context = evolve(face._context, slots=slots)
    account = bench.run(bench.tiktok.account(account.open_id))
    handle, in_slot = bench.handle, []

    def watched(request: Request) -> Any:
        in_slot.append(("init/" in request.url or "upload_id=" in request.url, slots.open))
        return handle(request)

    bench.handle = watched
    enter(bench, account, film(tmp_path, 3), chunk_size=5_242_880, not_before=datetime(2026, 1, 1, 13, tzinfo=UTC))
    assert advanced(bench, account).again_in > 3_000
    assert (slots.taken, slots.open) == (0, 0)
    bench.clock.advance(4_000)
    assert advanced(bench, account).publication.is_final
    assert (slots.taken, slots.open) == (1, 0)
    assert all(is_open for needs, is_open in in_slot if needs)


def test_a_stretch_of_steps_says_when_to_come_again(bench: Any, clip: Path) -> None:
    """The time stays in the journal, so that whoever looks for due posts does not come before; nobody waits for what has ended."""
    account = bench.signed_in()
    bench.sim.switches.processing_seconds = 60
    enter(bench, account, clip)
    step = bench.run(account.advance("wish", until_wait=2.0))
    assert 2.0 < step.again_in < 10.0
    assert bench.run(bench.tiktok.due_posts()) == ()
    (record,) = bench.run(bench.tiktok.due_posts(within=step.again_in))
    assert record.again_at == bench.clock.now() + timedelta(seconds=step.again_in)
    bench.clock.advance(step.again_in)
    while (step := bench.run(account.advance("wish", until_wait=2.0))).again_in is not None:
        bench.clock.advance(step.again_in)
    assert bench.run(bench.tiktok.due_posts(within=1e6)) == ()


def test_of_many_sweepers_one_calls_a_worker(bench: Any, clip: Path) -> None:
    """Each has seen the same record; the first that postpones it calls a worker, and the others do not."""
    account = bench.signed_in()
    enter(bench, account, clip)
    seen = [bench.run(bench.tiktok.due_posts()) for _ in range(3)]
    assert [bench.run(bench.tiktok.postpone(record, 10.0)) for (record,) in seen] == [True, False, False]
    assert bench.run(bench.tiktok.due_posts()) == ()
    bench.clock.advance(10)
    (record,) = bench.run(bench.tiktok.due_posts())
    assert bench.run(bench.tiktok.postpone(record, -5.0)) is False
    bench.run(account.abandon("wish"))
    assert bench.run(bench.tiktok.postpone(record, 10.0)) is False
    (own,) = bench.journal.records()
    assert bench.run(bench.tiktok.postpone(own, 10.0)) is False


def test_a_post_that_another_worker_has_is_left_to_it(bench: Any, clip: Path) -> None:
    """The call comes back at once, changes nothing, and says so."""
    account, now = bench.signed_in(), bench.clock.now()
    record = enter(bench, account, clip)
    bench.journal.try_lease(record.name, owner="another", now=now, until=now + HOUR / 4)
    assert bench.run(account.advance("wish", until_wait=60.0)).is_ours is False
    assert bench.run(account.advance("wish")).is_ours is False
    assert bench.journal.records() == (record,)
    assert bench.sim.count("inbox_init") == 0
