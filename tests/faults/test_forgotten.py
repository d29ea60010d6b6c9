"""Row 25, and row 22 for the journal: clocks by which a journal would forget, and unreadable records."""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from clips import HEAD, PHOTOS
from tiktok_adapters.sources import BytesSource
from tiktok_adapters.stores.sqlite import SqliteJournal, SqliteTokenStore
from tiktok_core import InvalidInput, InvalidPost, PublishFailed, PublishStatus, StoreError
from tiktok_core.domain.journal import KEEP

# The file is too large for one chunk, so the client asks the journal which chunk size TikTok accepted before.
FILM = BytesSource(HEAD + bytes(64_000_001))
DAY = timedelta(days=1)


def post(bench: Any, key: str = "wish", **options: Any) -> Any:
    """Post photos under a key."""
    return bench.run(bench.account.post_photos(PHOTOS, privacy_level="SELF_ONLY", key=key, **options))


def forgets(bench: Any) -> None:
    """Let the journal forget every ended record."""
    for days in (100, 101, 102, 103):
        bench.journal.forget(bench.clock.now() + DAY * days, keep=KEEP)
    assert bench.journal.records() == ()


@pytest.fixture
def journal(near: Any, tmp_path: Path) -> Iterator[SqliteJournal]:
    """Give the bench a journal in a file."""
    with closing(SqliteJournal(tmp_path / "journal.db")) as journal:
        near.journal = journal
        near.connect()
        yield journal


def spoil(journal: SqliteJournal, key: str, how: str) -> None:
    """Make the record of a key unreadable."""
    assert journal._connection is not None
    old, new = ('"version": 2', '"version": 99') if how == "version" else ('"version": 2', '"version": x')
    changed = journal._connection.execute(
        "UPDATE records SET record = CAST(replace(CAST(record AS TEXT), ?, ?) AS BLOB) WHERE CAST(name AS TEXT) LIKE ?",
        (old, new, f"%\n{key}"),
    )
    assert changed.rowcount == 1


# --- Clocks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("days", [100, 365, 36_500, -20_000])
def test_whatever_a_clock_says_at_times_an_explicit_key_posts_once(near: Any, days: int) -> None:
    """The journal looks once at a wrong clock, and again days later. The client posts nothing more under the key."""
    first = post(near)
    right = near.clock.now
    for off in (timedelta(days=days), timedelta(days=days + 2), timedelta(days=days + 4), timedelta(0)):
        near.clock.now = lambda off=off: right() + off
        near.connect()
        again = post(near)
        assert (again.publish_id, again.status, again.key) == (first.publish_id, first.status, "wish")
    assert near.sim.count("photo_init") == 1


def test_a_record_written_by_a_clock_of_1970_keeps_its_key_used(near: Any) -> None:
    """By the right clock its end lies 56 years back.

    The journal forgets the record, and the client does not post it again.
    """
    right = near.clock.now
    near.clock.now = lambda: right() - DAY * 20_000
    near.connect()
    first = post(near)
    near.clock.now = right
    near.connect()
    for _ in range(4):
        assert post(near).publish_id == first.publish_id
        near.clock.advance(DAY.total_seconds())
    assert near.journal.records() == ()
    assert near.sim.count("photo_init") == 1


def test_a_forgotten_post_is_told_by_its_key(near: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Posting, resuming, stepping and searching return its status and publish id.

    The log says that no more is known.
    """
    first = post(near)
    forgets(near)
    for ask in (lambda: near.account.resume("wish"), lambda: post_again(near)):
        told = near.run(ask())
        assert (told.publish_id, told.status, told.key) == (first.publish_id, PublishStatus.PUBLISH_COMPLETE, "wish")
    step = near.run(near.account.advance("wish"))
    assert (step.again_in, step.publication.publish_id) == (None, first.publish_id)
    assert "its details are forgotten" in caplog.text
    assert near.run(near.account.find_post("wish")) == ()
    with pytest.raises(InvalidInput, match="is complete; only an unknown outcome"):
        near.run(near.account.settle("wish", posted=True))
    near.run(near.account.forget("wish"))
    assert near.sim.count("photo_init") == 1


def post_again(bench: Any) -> Any:
    """Make the call for the same photos again, without awaiting it."""
    return bench.account.post_photos(PHOTOS, privacy_level="SELF_ONLY", key="wish")


def test_a_forgotten_failure_fails_again_with_its_reason(near: Any) -> None:
    """The trace keeps TikTok's reason, and the client posts nothing again under the key."""
    near.sim.faults.add("init=fail:picture_size_check_failed")
    with pytest.raises(PublishFailed):
        post(near)
    forgets(near)
    for ask in (lambda: post_again(near), lambda: near.account.resume("wish")):
        with pytest.raises(PublishFailed, match="picture_size_check_failed") as caught:
            near.run(ask())
        assert (caught.value.key, bool(caught.value.publish_id)) == ("wish", True)
    assert near.run(near.account.advance("wish")).publication.is_failed
    assert near.sim.count("photo_init") == 1


def test_a_forgotten_refusal_posted_nothing_and_frees_its_key(near: Any) -> None:
    """Resuming says that nothing was posted, and posting again makes the post."""
    near.sim.creator.private = False
    near.outcome(post)
    near.sim.creator.private = True
    forgets(near)
    with pytest.raises(InvalidInput, match="given up before anything was posted"):
        near.run(near.account.resume("wish"))
    assert post(near).is_final


@pytest.mark.parametrize("ask", [lambda account: account.resume("wish"), lambda account: account.advance("wish")])
def test_a_record_that_is_forgotten_under_a_run_is_told_by_its_trace(near: Any, ask: Callable[[Any], Any]) -> None:
    """Another process, whose clock is ahead, removes the ended record between the client's look and its lease."""
    first = post(near)
    inner = near.journal.try_lease

    def forgotten_first(*args: Any, **options: Any) -> Any:
        forgets(near)
        return inner(*args, **options)

    near.journal.try_lease = forgotten_first
    near.connect()
    told = near.run(ask(near.account))
    assert getattr(told, "publication", told).publish_id == first.publish_id


# --- Records that cannot be read -------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["version", "damaged"])
def test_one_record_that_cannot_be_read_costs_no_other_post(near: Any, journal: SqliteJournal, how: str) -> None:
    """Other calls skip it, `unreadable` names its key and account, a call with its key raises, and `forget` removes it."""
    first = post(near, "lost")
    spoil(journal, "lost", how)
    near.run(near.account.post_video(near.film, privacy_level="SELF_ONLY", chunk_size=5_242_880, key="chosen"))
    near.run(near.account.post_video(FILM, privacy_level="SELF_ONLY", key="other"))
    assert [record.key for record in near.run(near.account.posts())] == ["chosen", "other"]
    (lost,) = near.run(near.account.unreadable())
    assert (lost.key, lost.account, lost.kind) == ("lost", near.account.open_id, how)
    assert ("upgrade" in lost.reason) == (how == "version")
    for ask in (lambda: post(near, "lost"), lambda: near.run(near.account.resume("lost"))):
        with pytest.raises(StoreError) as caught:
            ask()
        assert caught.value.kind == how
        for word in ("'lost'", near.account.open_id, "tiktok uploads --forget"):
            assert word in str(caught.value)
    with pytest.raises(InvalidInput, match="no post 'nothing'"):
        near.run(near.account.forget("nothing"))
    near.run(near.account.forget("lost"))
    near.run(near.account.forget("lost"))
    assert near.run(near.account.unreadable()) == ()
    for error, ask in (
        (InvalidPost, lambda: post(near, "lost")),
        (InvalidInput, lambda: near.run(near.account.resume("lost"))),
        (InvalidInput, lambda: near.run(near.account.settle("lost", posted=True))),
    ):
        with pytest.raises(error, match="whether it was posted is not known"):
            ask()
    assert [entry.operation for entry in near.inits] == ["photo_init", "video_init", "video_init"]
    assert first.is_final


def test_a_post_that_goes_on_is_not_forgotten(near: Any, journal: SqliteJournal) -> None:
    """A readable record that has not ended stays, and the refusal says how far it is."""
    near.sim.switches.download_seconds = 1_000
    post(near, wait=False)
    with pytest.raises(InvalidInput, match="is processing: a post that has not ended is not forgotten"):
        near.run(near.account.forget("wish"))
    assert len(journal.records()) == 1


def test_a_webhook_of_another_post_still_works(near: Any, journal: SqliteJournal) -> None:
    """The client records an event for its own post, whatever else the journal holds."""
    post(near, "lost")
    near.sim.switches.download_seconds = 1_000
    done = post(near, "other", wait=False)
    spoil(journal, "lost", "damaged")
    near.clock.advance(2_000)
    heard = []
    for delivery in near.sim.webhooks():
        event = near.tiktok.verify_webhook(delivery.body, delivery.headers["TikTok-Signature"])
        heard.append(near.run(near.tiktok.received(event)))
    # The event of the unreadable record belongs to no post that the journal can read.
    assert [(told.key, told.publish_id, told.status) for told in heard if told is not None] == [
        ("other", done.publish_id, PublishStatus.PUBLISH_COMPLETE)
    ]


def test_a_journal_that_cannot_list_costs_no_post(near: Any) -> None:
    """The known chunk sizes and the count of the day's posts are courtesies; the post succeeds without them."""

    def broken(*_: Any, **__: Any) -> Any:
        raise StoreError("Journal", "it does not answer")

    near.journal.records = broken
    near.connect()
    assert near.run(near.account.post_video(FILM, privacy_level="SELF_ONLY", key="wish")).is_final


# --- Token stores ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["record = x'7b'", "account = x'ff'"])
def test_tokens_that_cannot_be_read_cost_no_other_account(
    near: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    """The client lists the other accounts, a warning names the unreadable one, and `forget` removes it by that name."""
    mine = near.tokens.load(near.account.open_id)
    with closing(SqliteTokenStore(tmp_path / "tokens.db")) as store:
        store.save("lost", mine)
        assert store._connection is not None
        store._connection.execute(f"UPDATE tokens SET {what}")
        store.save(near.account.open_id, mine)
        near.tokens = store
        near.connect(account=near.account.open_id)
        assert near.run(near.tiktok.accounts()) == (mine,)
        (lost,) = set(store.accounts()) - {near.account.open_id}
        assert repr(lost) in caplog.text
        assert "tiktok logout --forget" in caplog.text
        near.run(near.tiktok.forget(lost))
        assert store.accounts() == (near.account.open_id,)
        store.delete(near.account.open_id)
        store.save("lost", mine)
        store._connection.execute(f"UPDATE tokens SET {what}")
        with pytest.raises(StoreError, match="it is kept"):
            near.run(near.tiktok.accounts())
