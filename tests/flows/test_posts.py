"""What the journal knows: one post, the posts since a time, and keys that are derived from what is asked for."""

from datetime import timedelta
from typing import Any

import pytest

from clips import CLIP, PHOTO
from tiktok_core import InvalidInput, InvalidPost, PublishFailed
from tiktok_core.domain.derived_keys import is_of
from tiktok_core.domain.forgetting import Trace, name_digest
from tiktok_core.domain.journal import record_name


def test_one_post_is_found_by_its_key_or_its_publish_id(bench: Any) -> None:
    """A key comes before a publish id of the same name. What the journal does not know is None."""
    account = bench.signed_in()
    done = bench.run(account.post_video(CLIP, privacy_level="SELF_ONLY", key="mine"))
    record = bench.run(account.post("mine"))
    assert (record.key, record.publish_id) == ("mine", done.publish_id)
    assert bench.run(account.post(done.publish_id)) == record
    assert bench.run(account.post("other")) is bench.run(account.post("")) is None
    bench.run(account.post_photos([PHOTO], privacy_level="SELF_ONLY", key=done.publish_id))
    assert bench.run(account.post(done.publish_id)).key == done.publish_id


def test_the_posts_since_a_time_are_those_in_which_something_happened(bench: Any) -> None:
    """The time is that of the last change, and has a time zone."""
    account = bench.signed_in()
    bench.run(account.post_video(CLIP, privacy_level="SELF_ONLY", key="first"))
    (first,) = bench.run(account.posts())
    bench.clock.advance(3_600)
    bench.run(account.post_photos([PHOTO], privacy_level="SELF_ONLY", key="second"))
    since = first.updated_at
    assert [one.key for one in bench.run(account.posts(since=since))] == ["first", "second"]
    assert [one.key for one in bench.run(account.posts(since=since + timedelta(microseconds=1)))] == ["second"]
    with pytest.raises(InvalidInput, match="since: has no time zone"):
        bench.run(account.posts(since=since.replace(tzinfo=None)))


@pytest.mark.parametrize(
    ("key", "is_one"),
    [("d-1", True), ("d-20261130T120000", True), ("17", False), ("e-1", False), ("d-", False), ("d-e-1", False)],
)
def test_a_key_is_of_a_row_by_its_prefix(key: str, is_one: bool) -> None:
    """A key of one's own may be a number."""
    assert is_of("d", key) is is_one


def test_a_repeated_wish_gets_the_key_of_the_post_that_goes_on_or_ended_within_the_hour(bench: Any) -> None:
    """An hour after the end a new key is due."""
    account = bench.signed_in()
    key = bench.run(account.derived_key("d"))
    assert key == bench.run(account.derived_key("d")) == "d-1"
    bench.run(account.post_video(CLIP, privacy_level="SELF_ONLY", key=key, wait=False))
    bench.clock.advance(2 * 3_600)
    assert bench.run(account.derived_key("d")) == "d-1"
    bench.run(account.resume(key))
    bench.clock.advance(3_500)
    assert bench.run(account.derived_key("d")) == "d-1"
    bench.clock.advance(200)
    assert bench.run(account.derived_key("d")) == "d-2"
    assert bench.run(account.derived_key("other")) == "other-1"


def test_a_failed_posts_key_is_not_given_again(bench: Any) -> None:
    """Every caller gets the next number, so callers that race make one post."""
    account = bench.signed_in()
    bench.sim.faults.add("init=fail:internal")
    with pytest.raises(PublishFailed):
        bench.run(account.post_video(CLIP, privacy_level="SELF_ONLY", key=bench.run(account.derived_key("d"))))
    assert bench.run(account.derived_key("d")) == bench.run(account.derived_key("d")) == "d-2"
    assert bench.run(account.post_video(CLIP, privacy_level="SELF_ONLY", key="d-2")).is_final
    assert bench.run(account.derived_key("d")) == "d-2"


def test_a_refused_posts_key_begins_it_anew(bench: Any) -> None:
    """Nothing was posted under it, so it serves again."""
    account = bench.signed_in()
    bench.sim.faults.add("init=code:spam_risk_too_many_posts")
    with pytest.raises(Exception, match="spam_risk_too_many_posts"):
        bench.run(account.post_video(CLIP, privacy_level="SELF_ONLY", key=bench.run(account.derived_key("d"))))
    assert bench.run(account.derived_key("d")) == "d-1"


def test_a_key_whose_record_is_forgotten_is_never_given_again(bench: Any) -> None:
    """Its trace would answer in the place of a new post."""
    account = bench.signed_in()
    bench.run(account.post_video(CLIP, privacy_level="SELF_ONLY", key=bench.run(account.derived_key("d"))))
    bench.run(account.forget("d-1"))
    assert bench.run(account.derived_key("d")) == "d-2"


def test_a_key_of_an_earlier_release_counts_too(bench: Any) -> None:
    """Keys that ended in a second are still known within the hour, and do not disturb the numbers."""
    account = bench.signed_in()
    old = "d-20261130T035526"
    bench.run(account.post_video(CLIP, privacy_level="SELF_ONLY", key=old))
    assert bench.run(account.derived_key("d")) == old
    bench.clock.advance(3_700)
    assert bench.run(account.derived_key("d")) == "d-1"


def test_a_longer_prefix_has_keys_of_its_own(bench: Any) -> None:
    """A prefix that begins like another one does not take that one's posts for its own."""
    account = bench.signed_in()
    bench.run(account.post_video(CLIP, privacy_level="SELF_ONLY", key="clip-2-1"))
    assert bench.run(account.derived_key("clip")) == "clip-1"
    assert bench.run(account.derived_key("clip-2")) == "clip-2-1"


def test_a_key_whose_unreadable_record_was_removed_asks_for_a_look_at_the_account(bench: Any) -> None:
    """Nobody knows whether its post exists, so the same wish does not silently make another one."""
    account = bench.signed_in()
    (app, open_id, key) = (bench.tiktok.app.client_key, account.open_id, bench.run(account.derived_key("d")))
    bench.run(account.post_video(CLIP, privacy_level="SELF_ONLY", key=key))
    trace = Trace(digest=name_digest(record_name(app, open_id, key)), end=None)
    ask = bench.journal.trace
    bench.journal.remove(record_name(app, open_id, key))
    bench.journal.trace = lambda name: trace if name == record_name(app, open_id, key) else ask(name)
    assert bench.run(account.derived_key("d")) == key
    with pytest.raises(InvalidPost, match="look at the account"):
        bench.run(account.post_video(CLIP, privacy_level="SELF_ONLY", key=key))
    assert len(bench.sim.posts) == 1
