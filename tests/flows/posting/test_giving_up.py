"""A post that a person gave up: it is never begun again, the process that works on it stops, and later calls hear why."""

import hashlib
import hmac
import json
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from tiktok_adapters.simulator import parse_fault
from tiktok_adapters.sources import BytesSource
from tiktok_adapters.stores.sqlite import SqliteJournal
from tiktok_adapters.testing.contracts.journal_model import forget_before
from tiktok_adapters.transports.fake import FakeTransport
from tiktok_core import InvalidInput, InvalidPost, OutcomeUnknown, Stage, TikTok, TikTokError
from tiktok_core.errors import LeaseLost
from tiktok_core.ports import Request, Response

CHUNK = 6_000_000
FILM = BytesSource(b"\0\0\0\x18ftyp" + bytes(13_000_000))
CLIP = BytesSource(b"\0\0\0\x18ftypisom" + bytes(1_000))
PHOTOS = ["https://media.example.com/1.jpg"]
PULL = "https://media.example.com/clip.mp4"


class Left(Exception):
    """A person presses Ctrl-C."""


def post(account: Any, what: str, **more: Any) -> Any:
    """Ask for a post under the key `wish`."""
    if what == "photos":
        return account.post_photos(PHOTOS, privacy_level="SELF_ONLY", key="wish", **more)
    video, size = (PULL, None) if what == "pull" else (FILM, CHUNK)
    return account.post_video(video, privacy_level="SELF_ONLY", chunk_size=size, key="wish", **more)


def other(bench: Any, journal: Any = None) -> Any:
    """Return the account on a second, blocking client: another process, as far as the stores can tell."""
    client = TikTok(
        bench.tiktok.app,
        transport=FakeTransport(bench.sim.handle),
        tokens=bench.store,
        journal=journal or bench.journal,
        clock=bench.clock,
    )
    return client.account()


def interrupted(bench: Any, account: Any) -> None:
    """Begin the upload of a film, and leave in its first chunk."""

    def leave(_: Any) -> None:
        raise Left

    with pytest.raises(Left):
        bench.run(post(account, "film", on_progress=leave))


def refused(bench: Any, ask: Callable[[], Any]) -> TikTokError:
    """Return the error that comes of asking."""
    with pytest.raises(TikTokError) as caught:
        bench.run(ask())
    return caught.value


def live(bench: Any) -> list[Any]:
    """Return the posts that TikTok has published or is about to."""
    return [one for one in bench.sim.posts if one.status != "FAILED" and one.bytes_received == one.size]


def while_sent(bench: Any, path: str, act: Callable[[], None]) -> None:
    """Do something while the first request of a kind is answered."""
    original, done = bench.handle, []

    def handle(request: Request) -> Response:
        response: Response = original(request)
        if path in request.url and not done:
            done.append(path)
            act()
        return response

    bench.handle = handle


def test_an_interrupted_upload_is_given_up_for_good(bench: Any) -> None:
    """Nothing more is asked of TikTok under its key, in this process or another, and each call hears since when."""
    account = bench.signed_in()
    interrupted(bench, account)
    given = bench.run(account.abandon("wish"))
    assert (given.status, given.key, given.publish_id) == ("NOT_POSTED", "wish", bench.sim.posts[0].publish_id)
    (record,) = bench.journal.records()
    assert (record.stage, record.upload_url) == (Stage.GIVEN_UP, None)
    assert bench.run(account.unfinished()) == ()
    asked = len(bench.sim.log)
    for days in (0, 1, 80):
        bench.clock.advance(timedelta(days=days).total_seconds())
        for ask in (
            lambda: post(account, "film"),
            lambda: account.resume("wish", FILM),
            lambda: account.advance("wish", FILM),
            lambda: other(bench).resume("wish"),
        ):
            error = refused(bench, ask)
            assert isinstance(error, InvalidPost)
            assert f"given up by a person at {record.updated_at:%Y-%m-%d %H:%M:%S} UTC" in str(error)
            assert error.key == "wish"
        assert bench.run(account.abandon("wish")) == given
    assert len(bench.sim.log) == asked
    assert live(bench) == []


@pytest.mark.parametrize("what", ["film", "pull", "photos"])
def test_a_post_that_waits_for_the_network_is_given_up(bench: Any, what: str) -> None:
    """Its init was never sent, so nothing can have been published, whatever its kind."""
    account = bench.signed_in()
    bench.sim.faults.add(parse_fault("initx9=unreachable"))
    refused(bench, lambda: post(account, what))
    bench.sim.faults.clear()
    assert bench.run(account.abandon("wish")).status == "NOT_POSTED"
    assert isinstance(refused(bench, lambda: post(account, what)), InvalidPost)
    assert bench.sim.posts == ()


@pytest.mark.parametrize("what", ["pull", "photos"])
def test_what_an_init_may_have_published_is_not_given_up(bench: Any, what: str) -> None:
    """While its init is under way, after a lost answer, and while TikTok pulls; the process that posts notices nothing."""
    account, said = bench.signed_in(), []
    bench.sim.switches.download_seconds = 60
    while_sent(bench, "init/", lambda: said.append(refused(bench, lambda: other(bench).abandon("wish"))))
    bench.run(post(account, what, wait=False))
    said.append(refused(bench, lambda: account.abandon("wish")))
    assert ["was sent" in str(said[0]), f"cancel {bench.sim.posts[0].publish_id}" in str(said[1])] == [True, True]
    assert bench.run(account.resume("wish")).is_final
    assert "is complete" in str(refused(bench, lambda: account.abandon("wish")))


def test_an_unknown_outcome_is_settled_and_not_given_up(bench: Any) -> None:
    """A person has to look at the account first."""
    account = bench.signed_in()
    bench.sim.faults.add(parse_fault("photo_init=drop-after"))
    assert isinstance(refused(bench, lambda: post(account, "photos")), OutcomeUnknown)
    before = bench.journal.records()
    assert "settle it" in str(refused(bench, lambda: account.abandon("wish")))
    assert bench.journal.records() == before


def test_the_process_that_sends_the_file_stops_before_its_next_act(bench: Any) -> None:
    """Given up from another process in the first chunk: no other byte leaves, and its call ends with the reason."""
    account, given = bench.signed_in(), []
    while_sent(bench, "upload_id=", lambda: given.append(other(bench).abandon("wish")))
    error = refused(bench, lambda: post(account, "film"))
    assert isinstance(error, InvalidPost)
    assert "given up by a person" in str(error)
    assert (error.key, error.publish_id) == ("wish", bench.sim.posts[0].publish_id)
    assert bench.sim.count("put") == 1
    assert [one.status for one in given] == ["NOT_POSTED"]
    assert bench.journal.records()[0].stage is Stage.GIVEN_UP
    bench.clock.advance(7_200)
    assert live(bench) == []


def test_a_file_whose_last_byte_leaves_is_not_given_up(bench: Any) -> None:
    """The other process is not disturbed: its post is published, as if no one had asked."""
    account, said = bench.signed_in(), []
    bench.sim.switches.processing_seconds = 0
    last = FILM.size // CHUNK

    def ask(progress: Any) -> None:
        if progress.stage == "uploading" and progress.sent_bytes > CHUNK * (last - 1) and not said:
            with pytest.raises(InvalidInput) as caught:
                other(bench).abandon("wish")
            said.append(str(caught.value))

    assert bench.run(post(account, "film", on_progress=ask)).status == "PUBLISH_COMPLETE"
    assert len(said) == 1
    assert "its last byte may have reached TikTok" in said[0]
    assert "is complete" in str(refused(bench, lambda: account.abandon("wish")))


def test_a_last_byte_that_was_reported_not_sent_can_be_given_up(bench: Any) -> None:
    """The upload host was out of reach for the last chunk, so that nothing can have been published."""
    account = bench.signed_in()
    bench.sim.faults.add(parse_fault("put:2x99=unreachable"))
    refused(bench, lambda: post(account, "film"))
    (record,) = bench.journal.records()
    assert (record.offset, record.last_left) == (CHUNK, False)
    assert bench.run(account.abandon("wish")).status == "NOT_POSTED"
    assert [one.bytes_received for one in bench.sim.posts] == [CHUNK]


def test_an_init_whose_answer_comes_late_adds_its_id_and_begins_no_upload(bench: Any) -> None:
    """Given up while the init of a file is under way: TikTok's id is kept, and what TikTok reports of it later, too."""
    account = bench.signed_in()
    while_sent(bench, "video/init/", lambda: other(bench).abandon("wish"))
    assert isinstance(refused(bench, lambda: post(account, "film")), InvalidPost)
    (record,) = bench.journal.records()
    assert (record.stage, record.publish_id) == (Stage.GIVEN_UP, bench.sim.posts[0].publish_id)
    assert (record.upload_url, bench.sim.count("put")) == (None, 0)
    body = json.dumps(
        {
            "client_key": bench.tiktok.app.client_key,
            "event": "post.publish.failed",
            "create_time": int(bench.clock.now().timestamp()),
            "user_openid": account.open_id,
            "content": json.dumps(
                {"publish_id": record.publish_id, "reason": "internal", "publish_type": "DIRECT_PUBLISH"}
            ),
        }
    ).encode()
    at = int(bench.clock.now().timestamp())
    key = bench.tiktok.app.client_secret.reveal().encode()
    signature = hmac.new(key, f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    event = bench.tiktok.verify_webhook(body, f"t={at},s={signature}")
    assert bench.run(bench.tiktok.received(event)).status == "NOT_POSTED"
    (record,) = bench.journal.records()
    assert record.stage is Stage.GIVEN_UP, "it failed, as the person wished"
    assert record.last.fail_reason == "internal"
    refused(bench, lambda: post(account, "film"))
    assert len(bench.sim.posts) == 1


def test_a_key_that_was_given_up_stays_so_when_its_record_is_forgotten(bench: Any) -> None:
    """Its trace says the same without the time, to every call."""
    account = bench.signed_in()
    interrupted(bench, account)
    bench.run(account.abandon("wish"))
    forget_before(bench.journal, lambda done: done, bench.clock.now() + timedelta(days=1))
    assert bench.journal.records() == ()
    for ask in (lambda: post(account, "film"), lambda: account.resume("wish"), lambda: account.advance("wish")):
        assert "given up by a person, so nothing" in str(refused(bench, ask))
    assert bench.run(account.abandon("wish")).status == "NOT_POSTED"
    assert len(bench.sim.posts) == 1


def test_what_the_journal_does_not_know_is_not_given_up(bench: Any) -> None:
    """An unknown key, a post that was refused, and a forgotten post that was published."""
    account = bench.signed_in()
    assert "no post 'other'" in str(refused(bench, lambda: account.abandon("other")))
    bench.run(account.post_video(CLIP, draft=True, key="wish"))
    assert "is in inbox" in str(refused(bench, lambda: account.abandon("wish")))
    bench.run(account.forget("wish"))
    assert "is in inbox" in str(refused(bench, lambda: account.abandon("wish")))
    bench.sim.creator.private = False
    refused(bench, lambda: account.post_video(CLIP, privacy_level="SELF_ONLY", key="public"))
    assert "was refused" in str(refused(bench, lambda: account.abandon("public")))


def test_a_journal_that_goes_by_its_own_clock_lets_an_owner_be_stopped(bench: Any, monkeypatch: Any) -> None:
    """Its leases are durations, so that nobody's clock can take one early; a person's wish still stops the owner."""
    account, said = bench.signed_in(), []
    try_lease = type(bench.journal).try_lease

    def own(journal: Any, name: str, /, *, owner: str, now: Any, until: Any, by_force: bool = False) -> int | None:
        here = bench.clock.now() + timedelta(days=400)
        return try_lease(journal, name, owner=owner, now=here, until=here + (until - now), by_force=by_force)

    monkeypatch.setattr(type(bench.journal), "try_lease", own)
    while_sent(bench, "upload_id=", lambda: said.append(bench.run(other(bench).abandon("wish"))))
    assert isinstance(refused(bench, lambda: post(account, "film")), InvalidPost)
    assert [one.status for one in said] == ["NOT_POSTED"]


@pytest.mark.parametrize("lasting", [timedelta(seconds=10), timedelta(minutes=20)])
def test_a_lease_in_a_file_is_taken_from_a_living_owner(bench: Any, tmp_path: Path, lasting: timedelta) -> None:
    """However long an upload has asked for it: what the owner writes afterwards under its number is refused."""
    account = bench.signed_in()
    interrupted(bench, account)
    (record,) = bench.journal.records()
    path = tmp_path / "journal.db"
    with closing(SqliteJournal(path)) as journal, closing(SqliteJournal(path)) as its:
        journal.save(record, fence=None)
        now = bench.clock.now()
        fence = its.try_lease(record.name, owner="its", now=now, until=now + lasting)
        assert other(bench, journal).abandon("wish").status == "NOT_POSTED"
        with pytest.raises(LeaseLost):
            its.save(evolve(record, last_left=True), fence=fence)
        assert journal.load(record.name).stage is Stage.GIVEN_UP
        assert its.try_lease(record.name, owner="its", now=now, until=now + lasting) > fence
