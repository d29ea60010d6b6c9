"""Following a post: how often the client asks for its status, when the wait ends, and what it raises without an end."""

from datetime import timedelta
from typing import Any

import pytest

from clips import CLIP
from tiktok_adapters.simulator import parse_fault
from tiktok_core import (
    ApiError,
    NotSent,
    OutcomeUnknown,
    Publication,
    PublishFailed,
    PublishStatus,
    Stage,
    StillProcessing,
    StoreError,
)
from tiktok_core.domain.moves import reported
from tiktok_core.errors import LeaseLost


def posted(account: Any, kind: str) -> Any:
    """Post a film, a film that TikTok pulls, or photos, under one key."""
    if kind == "photos":
        return account.post_photos(["https://media.example.com/1.jpg"], privacy_level="SELF_ONLY", key="wish")
    video = CLIP if kind == "film" else "https://media.example.com/1.mp4"
    return account.post_video(video, privacy_level="SELF_ONLY", key="wish")


def test_status_is_asked_after_one_second_and_then_ever_more_rarely(bench: Any) -> None:
    """The waits are 1 s, then each 1.5 times the last, at most 10 s."""
    account = bench.signed_in()
    bench.sim.switches.processing_seconds = 60
    bench.run(account.post_video(CLIP, draft=True))
    naps = bench.clock.naps
    assert naps[:4] == (1.0, 1.5, 2.25, 3.375)
    assert max(naps) == 10.0
    assert bench.sim.count("status") == len(naps)


def test_waiting_for_a_known_post_asks_at_once(bench: Any) -> None:
    """The client asks at once for a post of an earlier day."""
    account = bench.signed_in()
    handed = bench.run(account.post_video(CLIP, draft=True, wait=False))
    bench.clock.advance(60)
    assert bench.run(account.wait(handed.publish_id)).status == PublishStatus.SEND_TO_USER_INBOX
    assert bench.clock.naps == ()


@pytest.mark.parametrize("fault", ["never-ends", "word:QUEUED_SOMEWHERE"])
def test_a_post_that_does_not_end_is_neither_success_nor_failure(bench: Any, fault: str) -> None:
    """After its patience the client raises that TikTok is still processing, with the last status."""
    account = bench.signed_in()
    bench.sim.switches.processing_seconds = 10**6
    bench.sim.faults.add(parse_fault(f"init={fault}"))
    with pytest.raises(StillProcessing, match="do not post again") as raised:
        bench.run(account.post_video(CLIP, draft=True))
    assert raised.value.publish_id == bench.sim.posts[0].publish_id
    assert raised.value.status in {"PROCESSING_UPLOAD", "QUEUED_SOMEWHERE"}
    assert 880 <= bench.clock.slept <= 900
    assert len(bench.sim.posts) == 1


def test_a_status_that_goes_back_does_not_undo_the_end(bench: Any) -> None:
    """The post that ended stays ended, and there is one."""
    account = bench.signed_in()
    bench.sim.faults.add(parse_fault("init=backwards"))
    assert bench.run(account.post_video(CLIP, draft=True)).is_final
    assert len(bench.sim.posts) == 1


def test_a_token_that_dies_while_waiting_never_begins_another_post(bench: Any) -> None:
    """The token expires again and again during the wait. The client renews it and sends one init."""
    account = bench.signed_in()
    bench.sim.switches.access_seconds = 4
    bench.run(account.refresh())
    bench.sim.switches.processing_seconds = 120
    done = bench.run(account.post_video(CLIP, draft=True))
    assert done.is_final
    assert bench.sim.count("inbox_init") == 1
    assert bench.sim.count("token") > 3


@pytest.mark.parametrize("fault", ["unreachable", "drop-after", "status:503", "code:internal_error", "truncate"])
def test_a_few_lost_answers_do_not_end_the_wait(bench: Any, fault: str) -> None:
    """Four questions in a row may stay without an answer, although the client sends each three times."""
    account = bench.signed_in()
    bench.sim.faults.add(parse_fault(f"statusx12={fault}"))
    assert bench.run(account.post_video(CLIP, draft=True)).is_final


def test_a_network_that_is_gone_ends_the_wait_with_the_post_named(bench: Any) -> None:
    """After five lost answers the error names the post, which continues at TikTok."""
    account = bench.signed_in()
    bench.sim.faults.add(parse_fault("statusx99=unreachable"))
    with pytest.raises(StillProcessing) as raised:
        bench.run(account.post_video(CLIP, draft=True))
    assert isinstance(raised.value.__cause__, NotSent)
    assert raised.value.publish_id == bench.sim.posts[0].publish_id


def test_a_network_that_was_never_there_is_told_as_such(bench: Any) -> None:
    """If the client knows nothing of the post, the wait ends with the network's error."""
    account = bench.signed_in()
    bench.sim.faults.add(parse_fault("statusx99=unreachable"))
    with pytest.raises(NotSent):
        bench.run(account.wait("v_pub_file~v2-1.1"))


def test_a_rate_limit_while_waiting_is_waited_out(bench: Any) -> None:
    """TikTok allows thirty questions a minute. The wait lasts as long as the refusal says."""
    account = bench.signed_in()
    bench.sim.faults.add(parse_fault("status=code:rate_limit_exceeded"))
    assert bench.run(account.post_video(CLIP, draft=True)).is_final
    assert max(bench.clock.naps) >= 10.0


def test_an_unknown_post_is_told(bench: Any) -> None:
    """TikTok's refusal of a publish id reaches the caller, with an explanation."""
    account = bench.signed_in()
    with pytest.raises(ApiError, match="invalid_publish_id"):
        bench.run(account.publish_status("v_pub_file~v2-1.0"))


def test_a_failed_post_is_shown_by_status_and_raised_by_wait(bench: Any) -> None:
    """`status` returns the failure, and `wait` raises it."""
    account = bench.signed_in()
    bench.sim.faults.add(parse_fault("init=fail:file_format_check_failed"))
    handed = bench.run(account.post_video(CLIP, draft=True, wait=False))
    bench.clock.advance(60)
    told = bench.run(account.publish_status(handed.publish_id))
    assert (told.status, told.fail_reason) == (PublishStatus.FAILED, "file_format_check_failed")
    with pytest.raises(PublishFailed):
        bench.run(account.wait(handed.publish_id))


@pytest.mark.parametrize("shape", ["numbers", "strings", "scalar", "missing"])
def test_public_ids_are_read_in_every_shape(bench: Any, shape: str) -> None:
    """Ids of nineteen digits come as numbers or strings, alone or not at all, and the client keeps every digit."""
    bench.sim.app.audited, bench.sim.creator.private = True, False
    bench.sim.switches.status_ids = shape
    account = bench.signed_in()
    done = bench.run(account.post_video(CLIP, privacy_level="PUBLIC_TO_EVERYONE"))
    bench.clock.advance(120)
    told = bench.run(account.publish_status(done.publish_id))
    expected = () if shape == "missing" else tuple(int(one) for one in bench.sim.posts[0].post_ids)
    assert told.post_ids == expected
    assert all(len(str(one)) == 19 for one in told.post_ids)


def test_an_id_that_tiktok_does_not_know_in_the_first_minute_after_our_init_is_asked_for_again(bench: Any) -> None:
    """TikTok may need a moment to know an id that it has just given. Five answers are no reason to give up."""
    bench.sim.faults.add("statusx6=code:invalid_publish_id")
    done = bench.run(bench.signed_in().post_video(CLIP, privacy_level="SELF_ONLY"))
    assert done.is_final


def test_waiting_for_an_id_of_our_own_that_tiktok_does_not_know_yet_asks_again(bench: Any) -> None:
    """`wait` treats it as the post's own call does; an id that the journal does not know is TikTok's refusal at once."""
    account = bench.signed_in()
    done = bench.run(account.post_video(CLIP, privacy_level="SELF_ONLY", wait=False))
    bench.sim.faults.add("statusx2=code:invalid_publish_id")
    assert bench.run(account.wait(done.publish_id)).is_final
    with pytest.raises(ApiError, match="invalid_publish_id"):
        bench.run(account.wait("v_pub_file~v2-1.1"))


@pytest.mark.parametrize("kind", ["film", "pull", "photos"])
def test_an_id_that_tiktok_has_forgotten_leaves_the_outcome_for_a_person_to_settle(bench: Any, kind: str) -> None:
    """After a minute the id is not too new. TikTok is asked again by each later call, and a person may settle the post."""
    bench.sim.faults.add("statusx999=code:invalid_publish_id")
    start, account = bench.clock.now(), bench.signed_in()
    for _ in range(2):
        with pytest.raises(OutcomeUnknown, match="no longer knows its publish id"):
            bench.run(posted(account, kind))
        assert bench.journal.records()[0].stage is Stage.UNKNOWN
    assert timedelta(seconds=55) < bench.clock.now() - start < timedelta(minutes=3)
    assert bench.run(account.settle("wish", posted=True)).status == PublishStatus.PUBLISH_COMPLETE
    assert len(bench.sim.posts) == 1


@pytest.mark.parametrize("kind", ["film", "pull", "photos"])
def test_an_id_that_tiktok_knows_again_is_followed_to_its_end(bench: Any, kind: str) -> None:
    """One server that does not know the post is not the last word."""
    bench.sim.faults.add("statusx80=code:invalid_publish_id")
    account = bench.signed_in()
    with pytest.raises(OutcomeUnknown):
        bench.run(posted(account, kind))
    bench.sim.faults.clear()
    bench.sim.switches.processing_seconds = bench.sim.switches.download_seconds = 300
    assert bench.run(account.resume("wish")).status == PublishStatus.PUBLISH_COMPLETE
    assert len(bench.sim.posts) == 1


def test_a_post_that_was_waited_for_has_its_key(bench: Any) -> None:
    """A post that the journal does not know has none."""
    account = bench.signed_in()
    begun = bench.run(posted(account, "film"))
    assert bench.run(account.wait(begun.publish_id)).key == "wish"
    bench.run(account.forget("wish"))
    assert bench.run(account.wait(begun.publish_id)).key is None


def test_a_post_that_cannot_be_asked_about_at_once_was_not_waited_for(bench: Any) -> None:
    """The error says how long the call has followed the post."""
    account = bench.signed_in()
    bench.sim.switches.processing_seconds = 60
    bench.run(account.post_video(CLIP, privacy_level="SELF_ONLY", key="wish", wait=False))
    bench.sim.faults.add("status=code:scope_not_authorized")
    with pytest.raises(StillProcessing, match="after 0 s"):
        bench.run(account.resume("wish"))


@pytest.mark.parametrize("posted_it", [True, False])
def test_what_another_owner_works_on_is_not_settled(bench: Any, posted_it: bool) -> None:
    """Only giving up takes a lease away."""
    account, journal = bench.signed_in(), bench.journal
    bench.sim.faults.add("statusx999=code:invalid_publish_id")
    with pytest.raises(OutcomeUnknown):
        bench.run(posted(account, "film"))
    (record,), now = journal.records(), bench.clock.now()
    assert journal.try_lease(record.name, owner="another", now=now, until=now + timedelta(seconds=30))
    with pytest.raises(LeaseLost):
        bench.run(account.settle("wish", posted=posted_it))
    assert journal.records() == (record,)


def test_a_post_that_another_owner_keeps_is_followed_for_so_long_only(bench: Any) -> None:
    """It waits for a lease that never ends as for TikTok: until its patience is over."""
    account, journal = bench.signed_in(), bench.journal
    bench.sim.faults.add("creator_infox9=unreachable")
    with pytest.raises(NotSent):
        bench.run(posted(account, "film"))
    (record,), now = journal.records(), bench.clock.now()
    assert journal.try_lease(record.name, owner="another", now=now, until=now + timedelta(minutes=20))
    with pytest.raises(StillProcessing):
        bench.run(account.resume("wish"))
    assert bench.clock.slept < 1_000


def test_a_cancelled_pull_is_written_down(bench: Any) -> None:
    """Nothing is left to follow. A journal that cannot be read does not hide TikTok's answer."""
    bench.sim.switches.download_seconds = 3_600
    account = bench.signed_in()
    begun = bench.run(account.post_photos(["https://media.example.com/1.jpg"], privacy_level="SELF_ONLY", wait=False))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(bench.journal), "of_post", broken)
        assert bench.run(account.cancel(begun.publish_id)).is_failed
    assert bench.journal.records()[0].stage is Stage.PROCESSING
    with pytest.raises(ApiError, match="publish_not_cancellable"):
        bench.run(account.cancel(begun.publish_id))
    other = bench.run(account.post_photos(["https://media.example.com/2.jpg"], privacy_level="SELF_ONLY", wait=False))
    assert bench.run(account.cancel(other.publish_id)).is_failed
    stages = {record.publish_id: record.stage for record in bench.journal.records()}
    assert stages == {begun.publish_id: Stage.PROCESSING, other.publish_id: Stage.FAILED}


def broken(*_: Any, **__: Any) -> Any:
    """Fail as a journal that cannot be read."""
    raise StoreError("the journal", "cannot be read", "failed")


def test_a_webhook_that_comes_with_the_answer_that_the_id_is_forgotten_is_kept(bench: Any) -> None:
    """What another process wrote about the post counts, and the call goes on from there."""
    account, journal = bench.signed_in(), bench.journal
    bench.sim.faults.add("statusx999=code:invalid_publish_id")
    replace = type(journal).replace

    def raced(journal: Any, record: Any, /, *, seen: Any) -> bool:
        if record.stage is Stage.UNKNOWN:
            done = Publication(publish_id=seen.publish_id, status=PublishStatus.PUBLISH_COMPLETE)
            replace(journal, reported(seen, bench.clock.now(), done), seen=seen)
        return bool(replace(journal, record, seen=seen))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(journal), "replace", raced)
        assert bench.run(posted(account, "film")).status == PublishStatus.PUBLISH_COMPLETE
