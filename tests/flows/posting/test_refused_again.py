"""A refused post: no caller gets a success for it, and every caller that asks for it gets the reason."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from attrs import fields

from clips import CLIP, PHOTOS
from tiktok_adapters.simulator import parse_fault
from tiktok_adapters.transports.fake import FakeTransport
from tiktok_core import InvalidInput, OutcomeUnknown, Stage, TikTok, TikTokError

POSTS: dict[str, Callable[[Any], Any]] = {
    "clip": lambda account: account.post_video(CLIP, privacy_level="SELF_ONLY", key="wish"),
    "photos": lambda account: account.post_photos(PHOTOS, privacy_level="SELF_ONLY", key="wish"),
}


def private(bench: Any) -> None:
    """Make the account public: an app that was not audited may not post to a public account."""
    bench.sim.creator.private = False


def settings(bench: Any) -> None:
    """Take this privacy level from the creator's list."""
    bench.sim.creator.private = False
    bench.sim.faults.add(parse_fault("creator_infox9=code:privacy_level_option_mismatch"))


REASONS: dict[str, Callable[[Any], None]] = {
    "the account is public": private,
    "the creator may not": settings,
    "the scope is missing": lambda bench: bench.sim.faults.add(parse_fault("initx9=code:scope_not_authorized")),
    "spam": lambda bench: bench.sim.faults.add(parse_fault("initx9=code:spam_risk")),
    "a word that nobody knows": lambda bench: bench.sim.faults.add(parse_fault("initx9=code:something_new")),
    "a foreign host": lambda bench: bench.sim.faults.add(parse_fault("video_initx9=foreign-upload-host")),
    "no answer": lambda bench: bench.sim.faults.add(parse_fault("video_initx9=drop-before")),
    "dead URLs": lambda bench: bench.sim.faults.add(parse_fault("putx9=expire")),
    "elsewhere": lambda bench: bench.sim.faults.add(parse_fault("initx9=redirect:https://e.example/")),
}
FILES_ONLY = {"a foreign host", "no answer", "dead URLs"}


def other(bench: Any) -> Any:
    """Return the account on a second client; for the stores it is another process."""
    transport = FakeTransport(bench.sim.handle)
    client = TikTok(bench.tiktok.app, transport=transport, tokens=bench.store, journal=bench.journal, clock=bench.clock)
    return client.account()


def refused(bench: Any, ask: Callable[[], Any]) -> TikTokError:
    """Return the error that the call raises."""
    with pytest.raises(TikTokError) as caught:
        bench.run(ask())
    return caught.value


@pytest.mark.parametrize(
    ("reason", "post"),
    [(reason, post) for reason in REASONS for post in POSTS if post != "photos" or reason not in FILES_ONLY],
)
def test_a_refusal_is_told_again_to_whoever_asks(bench: Any, post: str, reason: str) -> None:
    """Resuming and taking a step, in this process or another one, raise the same error with the same facts."""
    account = bench.signed_in()
    REASONS[reason](bench)
    first = refused(bench, lambda: POSTS[post](account))
    (record,) = bench.journal.records()
    assert record.stage is Stage.ABANDONED
    assert bench.run(account.posts())[0].shown.status == "NOT_POSTED"
    asked = len(bench.sim.log)
    for ask in (
        lambda: account.resume("wish"),
        lambda: account.advance("wish"),
        lambda: other(bench).resume("wish"),
    ):
        again = refused(bench, ask)
        assert type(again) is type(first)
        for field in fields(type(first)):
            assert getattr(again, field.name) == getattr(first, field.name)
        assert (str(again), again.key) == (str(first), "wish")
    assert len(bench.sim.log) == asked
    bench.sim.faults.clear()
    bench.sim.creator.private = True
    bench.clock.advance(60)
    assert bench.run(POSTS[post](account)).is_final


def test_who_waits_for_another_hears_of_its_refusal(bench: Any) -> None:
    """Another client holds the post and TikTok refuses it.

    The client that waited raises the refusal, and does not report success.
    """
    account, ends = bench.signed_in(), []
    bench.sim.faults.add(parse_fault("video_initx9=unreachable"))
    refused(bench, lambda: POSTS["clip"](account))
    (record,) = bench.journal.records()
    assert record.stage is Stage.PLANNED
    bench.sim.faults.clear()
    private(bench)
    bench.clock.advance(600)
    now, sleep = bench.clock.now(), bench.clock.sleep
    assert bench.journal.try_lease(record.name, owner="elsewhere", now=now, until=now + timedelta(seconds=10))

    def slept(seconds: float, /) -> None:
        sleep(seconds)
        if not ends:
            bench.journal.release(record.name, owner="elsewhere")
            ends.append(refused(bench, lambda: other(bench).resume("wish", CLIP)))

    bench.clock.sleep = slept
    end = refused(bench, lambda: account.resume("wish", CLIP))
    assert [(type(end), str(end))] == [(type(one), str(one)) for one in ends]
    assert not bench.sim.posts


def test_what_a_person_settled_as_not_posted_is_told_so(bench: Any) -> None:
    """The result says that it is not posted, resuming is refused, and posting again makes a post of its own."""
    account = bench.signed_in()
    bench.sim.faults.add(parse_fault("photo_init=drop-before"))
    lost = refused(bench, lambda: POSTS["photos"](account))
    assert isinstance(lost, OutcomeUnknown)
    assert "Then settle the key wish as posted or as not posted" in str(lost)
    told = bench.run(account.settle("wish", posted=False))
    assert (told.status, told.publish_id, told.key, told.is_failed) == ("NOT_POSTED", "", "wish", False)
    assert isinstance(refused(bench, lambda: account.resume("wish")), InvalidInput)
    assert bench.run(POSTS["photos"](account)).is_final
    assert len(bench.sim.posts) == 1


@pytest.mark.parametrize("draft", [False, True])
def test_what_a_person_settled_as_posted_is_told_as_it_is(bench: Any, draft: bool) -> None:
    """The result says what it is: a draft in the inbox, and not a published post."""
    account = bench.signed_in()
    bench.sim.faults.add(parse_fault("photo_init=drop-after"))
    level = None if draft else "SELF_ONLY"
    refused(bench, lambda: account.post_photos(PHOTOS, draft=draft, privacy_level=level, key="wish"))
    told = bench.run(account.settle("wish", posted=True))
    assert told.status == ("SEND_TO_USER_INBOX" if draft else "PUBLISH_COMPLETE")
    assert bench.journal.records()[0].stage is (Stage.IN_INBOX if draft else Stage.COMPLETE)
