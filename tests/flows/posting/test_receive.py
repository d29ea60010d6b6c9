"""Received webhooks move the journal on as a status does, and only forward."""

import logging
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from attrs import evolve

from clips import CLIP, PHOTOS
from tiktok_adapters.simulator import parse_fault
from tiktok_adapters.transports.fake import FakeTransport
from tiktok_core import PublishFailed, SignInRequired, Stage, TikTok
from tiktok_core.domain import events
from tiktok_core.events import WebhookRejected
from tiktok_core.logs import sentence


def deliver(bench: Any) -> list[events.Event]:
    """Hand the client what has happened, and return it."""
    came = []
    for delivery in bench.sim.webhooks():
        event = bench.tiktok.verify_webhook(delivery.body, delivery.headers["TikTok-Signature"])
        bench.run(bench.tiktok.received(event))
        came.append(event)
    return came


def stage(bench: Any, key: str) -> Stage:
    """Return the stage of a post in the journal."""
    return {record.key: record.stage for record in bench.journal.records()}[key]


def test_an_event_ends_a_post_without_a_question(bench: Any) -> None:
    """TikTok has the post and no program follows it.

    A webhook finishes the record, and resuming asks TikTok nothing.
    """
    account = bench.signed_in()
    bench.run(account.post_video(CLIP, privacy_level="SELF_ONLY", key="mine", wait=False))
    bench.clock.advance(60)
    (event,) = deliver(bench)
    assert isinstance(event, events.PostComplete)
    assert stage(bench, "mine") is Stage.COMPLETE
    asked = bench.sim.count("status")
    assert bench.run(account.resume("mine")).status == "PUBLISH_COMPLETE"
    assert bench.sim.count("status") == asked


def test_a_draft_is_delivered_and_later_posted(bench: Any) -> None:
    """Each webhook counts when it comes, and a late delivery takes nothing back."""
    account = bench.signed_in()
    done = bench.run(account.post_photos(PHOTOS, draft=True, key="mine", wait=False))
    bench.clock.advance(60)
    (delivered,) = deliver(bench)
    assert isinstance(delivered, events.DraftDelivered)
    assert stage(bench, "mine") is Stage.IN_INBOX
    bench.sim.finish_draft(done.publish_id, public=False)
    (posted,) = deliver(bench)
    assert isinstance(posted, events.PostComplete)
    assert stage(bench, "mine") is Stage.COMPLETE
    for late in (delivered, posted):
        bench.run(bench.tiktok.received(late))
        assert stage(bench, "mine") is Stage.COMPLETE


def test_a_failure_is_kept_with_its_reason(bench: Any) -> None:
    """Resuming the post raises the failure, as after a status."""
    account = bench.signed_in()
    bench.sim.faults.add(parse_fault("init=fail:duration_check_failed"))
    bench.run(account.post_video(CLIP, privacy_level="SELF_ONLY", key="mine", wait=False))
    bench.clock.advance(60)
    (event,) = deliver(bench)
    assert isinstance(event, events.PostFailed)
    assert stage(bench, "mine") is Stage.FAILED
    with pytest.raises(PublishFailed, match="duration_check_failed"):
        bench.run(account.resume("mine"))


@pytest.mark.parametrize("spelling", ["number", "string"])
def test_the_public_id_is_kept(bench: Any, spelling: str) -> None:
    """The id may come long after the post was done, as a number or as a text, and it may go again."""
    bench.sim.switches.webhook_post_id = spelling
    bench.sim.creator.private, bench.sim.app.audited = False, True
    account = bench.signed_in()
    bench.run(account.post_video(CLIP, privacy_level="PUBLIC_TO_EVERYONE", key="mine"))
    assert [type(event) for event in deliver(bench)] == [events.PostComplete]
    bench.clock.advance(3600)
    (public,) = deliver(bench)
    assert isinstance(public, events.PostPublic)
    (record,) = bench.journal.records()
    assert record.last.post_ids == (public.post_id,)
    content = {"publish_id": public.publish_id, "publish_type": "", "post_id": public.post_id}
    envelope = {"name": "", "client_key": "", "open_id": "", "created_at": public.created_at}
    gone = events.PostNoLongerPublic(**envelope, signed_at=public.signed_at, content={}, **content)
    shown = bench.run(bench.tiktok.received(gone))
    assert (shown.post_ids, shown.status) == ((), "PUBLISH_COMPLETE")


def test_an_event_that_comes_twice_changes_nothing(bench: Any) -> None:
    """TikTok promises to deliver each event at least once."""
    account = bench.signed_in()
    bench.run(account.post_video(CLIP, draft=True, key="mine"))
    (delivery,) = bench.sim.webhooks()
    event = bench.tiktok.verify_webhook(delivery.body, delivery.headers["TikTok-Signature"])
    before = bench.journal.records()
    for _ in range(2):
        assert bench.run(bench.tiktok.received(event)).key == "mine"
    assert bench.journal.records() == before


def test_events_about_nothing_of_ours_are_told_as_such(bench: Any) -> None:
    """A post of another program, a ping, and a sign-in that was ended."""
    account = bench.signed_in()
    bench.run(account.post_video(CLIP, draft=True, key="mine"))
    deliver(bench)
    foreign = {"publish_id": "v_pub_url~v2.1", "publish_type": ""}
    now = bench.clock.now()
    envelope = {"name": "", "client_key": "", "open_id": "", "created_at": now, "signed_at": now, "content": {}}
    assert bench.run(bench.tiktok.received(events.PostComplete(**envelope, **foreign))) is None
    assert bench.run(bench.tiktok.received(events.Ping(**envelope, reason=""))) is None
    bench.run(account.revoke())
    (removed,) = deliver(bench)
    assert isinstance(removed, events.AuthorizationRemoved)
    assert events.REMOVAL_REASONS[removed.reason]


@pytest.fixture
def held(bench: Any) -> Any:
    """Give an account with a post whose lease another process holds."""
    account = bench.signed_in()
    bench.run(account.post_video(CLIP, privacy_level="SELF_ONLY", key="mine", wait=False))
    (record,) = bench.journal.records()
    now = bench.clock.now()
    bench.journal.try_lease(record.name, owner="other", now=now, until=now + timedelta(seconds=100))
    return account


def test_what_is_told_is_written_beside_its_holder(bench: Any, held: Any) -> None:
    """The holder's next step finds that the post has ended."""
    bench.clock.advance(60)
    deliver(bench)
    assert stage(bench, "mine") is Stage.COMPLETE


@pytest.mark.parametrize("follower", ["post", "resume", "wait"])
def test_whoever_follows_the_post_stops_early(bench: Any, monkeypatch: Any, follower: str) -> None:
    """TikTok's status lags for ever, and a webhook comes after a minute. The client then asks no longer."""
    account = bench.signed_in()
    bench.sim.faults.add(parse_fault("init=never-ends"))
    monkeypatch.setattr(bench.clock, "sleep", until_told(bench, after=60))
    post = partial(account.post_video, CLIP, privacy_level="SELF_ONLY", key="mine")
    if follower == "post":
        done = bench.run(post())
    else:
        begun = bench.run(post(wait=False))
        done = bench.run(account.resume("mine") if follower == "resume" else account.wait(begun.publish_id))
    assert (done.status, done.key) == ("PUBLISH_COMPLETE", "mine")
    assert 60 <= bench.clock.slept <= 80
    asked = bench.sim.count("status")
    assert bench.run(account.wait(done.publish_id)) == done
    # The client asks once more, because TikTok may take back that a post is complete.
    assert bench.sim.count("status") == asked + 1


def until_told(bench: Any, after: float) -> Callable[[float], None]:
    """Return a `sleep` during which, after so many seconds, another process receives the webhook of the post's end."""
    sleep = bench.clock.sleep
    app, transport = bench.tiktok.app, FakeTransport(bench.sim.handle)
    other = TikTok(app, transport=transport, tokens=bench.store, journal=bench.journal, clock=bench.clock)

    def until(seconds: float) -> None:
        sleep(seconds)
        (record,) = bench.journal.records()
        if bench.clock.slept >= after and record.shown.status != "PUBLISH_COMPLETE":
            now, said = bench.clock.now(), {"name": "", "client_key": app.client_key, "open_id": "", "content": {}}
            event = events.PostComplete(**said, created_at=now, signed_at=now, publish_id=record.publish_id)
            other.received(event)

    return until


def test_waiting_ends_though_tiktok_cannot_be_asked(bench: Any) -> None:
    """The journal says that a draft is in the inbox, and it may have been posted since.

    Without an answer of TikTok's, the inbox stands.
    """
    account = bench.signed_in()
    done = bench.run(account.post_photos(PHOTOS, draft=True, key="mine"))
    bench.sim.faults.add(parse_fault("status=status:503"))
    patient = account.with_options(retries=0)
    assert bench.run(patient.wait(done.publish_id)).status == "SEND_TO_USER_INBOX"
    bench.sim.finish_draft(done.publish_id, public=False)
    assert bench.run(patient.wait(done.publish_id)).status == "PUBLISH_COMPLETE"


def test_bytes_that_are_being_sent_are_left_alone(bench: Any, held: Any) -> None:
    """The client that sends them finds out by itself.

    A change of the record beside it could lose what it has proved.
    """
    (record,) = bench.journal.records()
    sending = evolve(record, stage=Stage.UPLOADING)
    bench.journal.save(sending, fence=None)
    bench.clock.advance(60)
    deliver(bench)
    assert bench.journal.records() == (sending,)


def test_bytes_that_nobody_sends_any_longer_are_no_obstacle(bench: Any) -> None:
    """The process that sent the last of them died before it stored that.

    The webhook counts, and its lease is given back.
    """
    account = bench.signed_in()
    bench.run(account.post_video(CLIP, privacy_level="SELF_ONLY", key="mine", wait=False))
    (record,) = bench.journal.records()
    bench.journal.save(evolve(record, stage=Stage.UPLOADING), fence=None)
    bench.clock.advance(60)
    deliver(bench)
    assert stage(bench, "mine") is Stage.COMPLETE
    now = bench.clock.now()
    assert bench.journal.try_lease(record.name, owner="other", now=now, until=now) is not None


def test_the_client_checks_the_signature_by_its_own_clock(bench: Any) -> None:
    """The client takes its own clock, unless the caller says when the webhook came."""
    bench.signed_in()
    account = bench.run(bench.tiktok.account())
    bench.run(account.post_video(CLIP, draft=True))
    (delivery,) = bench.sim.webhooks()
    came = bench.clock.now()
    bench.clock.advance(3600)
    signature = delivery.headers["TikTok-Signature"]
    with pytest.raises(WebhookRejected, match="too long ago"):
        bench.tiktok.verify_webhook(delivery.body, signature)
    assert bench.tiktok.verify_webhook(delivery.body, signature, received_at=came).name
    assert bench.tiktok.verify_webhook(delivery.body, signature, tolerance=7200).name


def test_an_end_that_no_move_foresees_is_kept_and_logged(bench: Any, caplog: pytest.LogCaptureFixture) -> None:
    """TikTok failed the post and says later that it is complete. The latest word counts, and the log shows both."""
    account = bench.signed_in()
    bench.sim.faults.add(parse_fault("init=fail:duration_check_failed"))
    bench.run(account.post_video(CLIP, privacy_level="SELF_ONLY", key="mine", wait=False))
    bench.clock.advance(60)
    (failed,) = deliver(bench)
    assert stage(bench, "mine") is Stage.FAILED
    caplog.set_level(logging.WARNING, logger="tiktok_core")
    caplog.clear()
    envelope = {"name": "", "client_key": "", "open_id": "", "created_at": failed.created_at}
    content = {"signed_at": failed.signed_at, "content": {}, "publish_id": failed.publish_id}
    shown = bench.run(bench.tiktok.received(events.PostComplete(**envelope, **content)))
    assert (shown.status, stage(bench, "mine")) == ("PUBLISH_COMPLETE", Stage.COMPLETE)
    (said,) = caplog.records
    assert sentence(said) == "Post mine was failed, and TikTok reports it as complete by now"
    assert (said.key, said.publish_id) == ("mine", failed.publish_id)


def test_a_removed_authorization_marks_the_tokens_that_were_issued_before_it(bench: Any) -> None:
    """The account no longer counts as signed in without a warning, and the refresh token is never used again."""
    account = bench.signed_in()
    bench.clock.advance(60)
    bench.sim.disconnect(account.open_id)
    (removed,) = deliver(bench)
    assert isinstance(removed, events.AuthorizationRemoved)
    assert bench.store.load(account.open_id).is_refused
    asked = bench.sim.count("token")
    with pytest.raises(SignInRequired):
        bench.run(account.creator_info())
    assert bench.sim.count("token") == asked


def test_a_removed_authorization_leaves_a_newer_sign_in_alone(bench: Any) -> None:
    """TikTok delivers a webhook for days: by then the person may have signed in again."""
    account = bench.signed_in()
    bench.clock.advance(60)
    bench.sim.disconnect(account.open_id)
    bench.clock.advance(60)
    bench.signed_in()
    (removed,) = deliver(bench)
    assert isinstance(removed, events.AuthorizationRemoved)
    assert not bench.store.load(account.open_id).is_refused
    assert bench.run(account.creator_info())
    assert bench.run(bench.tiktok.received(evolve(removed, open_id="-000Unknown"))) is None
