"""The journal: one post for one key, wherever a process ends, and whichever process continues."""

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve

from clips import CLIP, HEAD, PHOTO, PHOTOS
from tiktok_adapters.simulator import parse_fault
from tiktok_adapters.sources import BytesSource, FileSource
from tiktok_core import (
    ApiError,
    InvalidInput,
    InvalidPost,
    NotSent,
    OutcomeUnknown,
    PublishFailed,
    PublishStatus,
    SourceChanged,
    Stage,
    StillProcessing,
    TikTokError,
    UnexpectedResponse,
    UploadExpired,
    VideoPost,
)
from tiktok_core.errors import LeaseLost
from tiktok_core.ports import Request, Response

DATA = HEAD + hashlib.shake_128(b"a film").digest(12_000_001 - len(HEAD))
FILM = BytesSource(HEAD + DATA)


class Killed(BaseException):
    """The end of a process, which no `except` of the library can catch."""


def kill_at(bench: Any, operation: str, *, nth: int = 1, answered: bool) -> None:
    """End the process at the `nth` request of an operation, before or after TikTok has handled it."""
    inner = getattr(bench.tiktok, "_face", bench.tiktok)._context
    transport = inner.transport
    send: Callable[[Request], Any] = transport.send
    release = bench.journal.release
    left = nth
    paths = {"video_init": "video/init/", "photo_init": "content/init/", "put": "upload_id=", "status": "status/fetch"}

    async def sent(request: Request, /) -> Response:
        nonlocal left
        if paths[operation] in request.url:
            left -= 1
            if left == 0:
                transport.send, bench.journal.release = send, release
                if answered:
                    await send(request)
                raise Killed
        response: Response = await send(request)
        return response

    transport.send = sent
    # A dead process gives nothing back: the next one waits until its lease runs out.
    bench.journal.release = lambda name, *, owner: None


def posted(bench: Any) -> list[Any]:
    """Return the posts that TikTok has published or is about to."""
    return [post for post in bench.sim.posts if post.status != "PROCESSING_UPLOAD" or post.bytes_received == post.size]


def test_the_same_key_never_makes_a_second_post(bench: Any) -> None:
    """A second call with the same key, file and settings returns the post that the key has."""
    account = bench.signed_in()
    first = bench.run(account.post_video(CLIP, draft=True, key="mine"))
    again = bench.run(account.post_video(CLIP, draft=True, key="mine"))
    assert again == first
    assert first.key == "mine"
    assert bench.sim.count("inbox_init") == 1


def test_a_key_belongs_to_an_account(bench: Any) -> None:
    """The same key in two accounts stands for two posts."""
    account = bench.signed_in()
    bench.run(account.post_video(CLIP, draft=True, key="mine"))
    (record,) = bench.journal.records()
    assert (record.account, record.app) == (account.open_id, bench.tiktok.app.client_key)
    bench.journal.save(evolve(record, account="-000Other", key="theirs", stage=Stage.PLANNED), fence=None)
    assert bench.run(account.unfinished()) == ()
    with pytest.raises(InvalidInput, match="no post 'theirs'"):
        bench.run(account.resume("theirs"))


@pytest.mark.parametrize(
    ("video", "settings"), [(BytesSource(DATA), {}), (CLIP, {"title": "other"}), (PHOTO, {"title": "other"})]
)
def test_a_key_stands_for_one_wish(bench: Any, video: Any, settings: dict[str, Any]) -> None:
    """The client refuses the same key with another file or other settings, and leaves the first post alone."""
    account = bench.signed_in()
    bench.run(account.post_video(CLIP, draft=True, key="mine"))
    with pytest.raises(InvalidPost, match="another post"):
        bench.run(account.post_video(video, draft=True, key="mine", **settings))
    assert len(bench.sim.posts) == 1


def test_a_refused_wish_frees_its_key(bench: Any) -> None:
    """TikTok refused the post, so there is none, and the key can be used again once the reason is gone."""
    account = bench.signed_in()
    bench.sim.creator.private = False
    with pytest.raises(ApiError):
        bench.run(account.post_video(CLIP, privacy_level="SELF_ONLY", key="mine"))
    assert bench.run(account.unfinished()) == ()
    bench.sim.creator.private = True
    assert bench.run(account.post_video(CLIP, privacy_level="SELF_ONLY", key="mine")).is_final


def test_a_failed_post_keeps_failing_under_its_key(bench: Any) -> None:
    """The client raises the failure again, and makes no other post."""
    account = bench.signed_in()
    bench.sim.faults.add(parse_fault("init=fail:duration_check_failed"))
    for _ in range(2):
        with pytest.raises(PublishFailed, match="duration_check_failed") as raised:
            bench.run(account.post_video(CLIP, draft=True, key="mine"))
        assert raised.value.key == "mine"
    assert len(bench.sim.posts) == 1


@pytest.mark.parametrize("answered", [False, True])
@pytest.mark.parametrize(("operation", "nth"), [("video_init", 1), ("put", 1), ("put", 2), ("status", 1)])
def test_a_file_is_gone_on_with_after_the_process_ended(
    bench: Any, tmp_path: Any, operation: str, nth: int, answered: bool
) -> None:
    """The process is killed at any request, before or after TikTok handled it.

    Resumed, there is one post, and it is the file.
    """
    path = tmp_path / "film.mp4"
    path.write_bytes(DATA)
    account = bench.signed_in()
    kill_at(bench, operation, nth=nth, answered=answered)
    with pytest.raises(Killed):
        bench.run(account.post_video(path, privacy_level="SELF_ONLY", chunk_size=6_000_000, key="mine"))
    bench.clock.advance(600)
    (record,) = bench.run(account.unfinished())
    done = bench.run(account.resume(record.key))
    assert done.status == PublishStatus.PUBLISH_COMPLETE
    (post,) = posted(bench)
    assert (post.publish_id, post.sha256) == (done.publish_id, hashlib.sha256(DATA).hexdigest())
    assert bench.run(account.unfinished()) == ()


@pytest.mark.parametrize("answered", [False, True])
def test_a_pull_that_was_sent_before_the_process_ended_is_unknown(bench: Any, answered: bool) -> None:
    """TikTok may publish the pull or not, so the client does not repeat it until a person has looked."""
    account = bench.signed_in()
    kill_at(bench, "photo_init", answered=answered)
    with pytest.raises(Killed):
        bench.run(account.post_photos(PHOTOS, privacy_level="SELF_ONLY", key="mine"))
    bench.clock.advance(600)
    for _ in range(2):
        with pytest.raises(OutcomeUnknown) as raised:
            bench.run(account.post_photos(PHOTOS, privacy_level="SELF_ONLY", key="mine"))
        assert raised.value.key == "mine"
    assert bench.sim.count("photo_init") == answered


@pytest.mark.parametrize("draft", [False, True])
def test_every_error_of_a_call_that_posts_can_be_asked_for_the_post(bench: Any, draft: bool) -> None:
    """Before the post has a key, both are None. Once TikTok has refused it, the error has the key and no publish id."""
    account = bench.signed_in()
    bench.sim.faults.add(parse_fault("photo_init=code:unaudited_client_can_only_post_to_private_accounts@403"))
    with pytest.raises(TikTokError) as raised:
        bench.run(account.post_photos(PHOTOS, key="mine", draft=draft))
    assert (raised.value.key, raised.value.publish_id) == ("mine" if draft else None, None)


@pytest.mark.parametrize(("posted_indeed", "inits"), [(True, 1), (False, 2)])
def test_an_unknown_outcome_is_settled_by_a_person(bench: Any, posted_indeed: bool, inits: int) -> None:
    """If the person says that it is posted, the key is done. Otherwise the key may post."""
    account = bench.signed_in()
    bench.sim.faults.add(parse_fault("photo_init=drop-after"))
    with pytest.raises(OutcomeUnknown):
        bench.run(account.post_photos(PHOTOS, privacy_level="SELF_ONLY", key="mine"))
    told = bench.run(account.settle("mine", posted=posted_indeed))
    assert (told.status == PublishStatus.PUBLISH_COMPLETE) == posted_indeed
    with pytest.raises(InvalidInput, match="only an unknown outcome"):
        bench.run(account.settle("mine", posted=True))
    bench.run(account.post_photos(PHOTOS, privacy_level="SELF_ONLY", key="mine"))
    assert bench.sim.count("photo_init") == inits


@pytest.mark.parametrize("fault", ["garbage", "truncate", "status:500", "drop-after", "code:internal_error"])
def test_an_odd_answer_to_a_pull_is_unknown_too(bench: Any, fault: str) -> None:
    """An answer that makes no sense does not prove that TikTok posted nothing."""
    account = bench.signed_in()
    bench.sim.faults.add(parse_fault(f"photo_initx9={fault}"))
    with pytest.raises(OutcomeUnknown):
        bench.run(account.post_photos(PHOTOS, privacy_level="SELF_ONLY"))
    assert bench.sim.count("photo_init") == 1


def test_a_lost_answer_to_the_init_of_a_file_is_asked_for_once_more(bench: Any) -> None:
    """Without bytes TikTok posts nothing, so the client repeats the init once. The journal counts both attempts."""
    account = bench.signed_in()
    bench.sim.faults.add(parse_fault("video_init=drop-after"))
    done = bench.run(account.post_video(CLIP, privacy_level="SELF_ONLY", key="mine"))
    assert bench.sim.count("video_init") == 2
    assert [post.publish_id for post in posted(bench)] == [done.publish_id]
    assert bench.journal.records()[0].inits == 2


def test_inits_without_an_answer_are_bounded(bench: Any) -> None:
    """Each init may cost the creator a pending share, so the client tries two at most."""
    account = bench.signed_in()
    bench.sim.faults.add(parse_fault("video_initx9=drop-after"))
    with pytest.raises(Exception, match="video/init"):
        bench.run(account.post_video(CLIP, privacy_level="SELF_ONLY"))
    assert bench.sim.count("video_init") == 2
    assert posted(bench) == []


def test_the_next_cut_is_tried_when_tiktok_refuses_one_and_is_remembered(bench: Any) -> None:
    """One server of TikTok's refuses chunks of 10,000,000 bytes.

    The client tries others, and begins the next post with the accepted size.
    """
    account = bench.signed_in()
    big = BytesSource(HEAD + bytes(64_000_001))
    refusal = evolve(parse_fault("video_init=code:invalid_params"))
    bench.sim.faults.add(refusal)
    original = bench.sim.handle
    refused: list[int] = []

    def picky(request: Request) -> Response:
        if b'"chunk_size": 10000000' in (request.body if isinstance(request.body, bytes) else b""):
            refused.append(1)
            body = b'{"data":{},"error":{"code":"invalid_params","message":"The chunk size is invalid","log_id":"L"}}'
            return Response(400, {}, body)
        response: Response = original(request)
        return response

    bench.sim.faults.clear()
    bench.handle = picky
    for _ in range(2):
        done = bench.run(account.post_video(big, privacy_level="SELF_ONLY"))
        assert done.status == PublishStatus.PUBLISH_COMPLETE
        # The client sends the plan that it showed beforehand.
        checked = bench.run(bench.tiktok.check_video(big, VideoPost(privacy_level="SELF_ONLY")))
        assert checked.plan.chunk_size == 32_000_000
    assert {record.plan.chunk_size for record in bench.journal.records()} == {32_000_000}
    assert len(refused) == 1
    chosen = bench.run(bench.tiktok.check_video(big, VideoPost(privacy_level="SELF_ONLY"), chunk_size=6_000_000))
    assert chosen.plan.chunk_size == 6_000_000


@pytest.mark.parametrize("said", ["The chunk size is invalid", "The total chunk count is invalid"])
def test_the_cuts_that_are_tried_are_bounded(bench: Any, said: str) -> None:
    """If TikTok accepts none, the client tries each legal size once and raises the last refusal.

    No post counts as begun.
    """
    account = bench.signed_in()
    tried: list[int] = []
    original = bench.handle

    def picky(request: Request) -> Response:
        if "video/init" not in request.url:
            response: Response = original(request)
            return response
        tried.append(json.loads(bytes(request.body))["source_info"]["chunk_size"])
        error = {"code": "invalid_params", "message": said, "log_id": "L"}
        return Response(400, {}, json.dumps({"data": {}, "error": error}).encode())

    bench.handle = picky
    with pytest.raises(ApiError, match=said):
        bench.run(account.post_video(BytesSource(HEAD + bytes(69_999_997)), draft=True))
    assert tried == [10_000_000, 32_000_000, 5_242_880, 35_000_004]
    assert bench.journal.records()[0].inits == 1


def test_a_chosen_chunk_size_is_not_replaced(bench: Any) -> None:
    """If the caller names a chunk size, TikTok gets exactly this one, and the caller gets TikTok's refusal."""
    account = bench.signed_in()
    original = bench.handle

    def picky(request: Request) -> Response:
        if "video/init" in request.url:
            body = b'{"data":{},"error":{"code":"invalid_params","message":"The chunk size is invalid","log_id":"L"}}'
            return Response(400, {}, body)
        response: Response = original(request)
        return response

    bench.handle = picky
    with pytest.raises(ApiError, match="chunk size"):
        bench.run(account.post_video(FILM, privacy_level="SELF_ONLY", chunk_size=6_000_000))
    with pytest.raises(ApiError, match="chunk size"):
        bench.run(account.post_video(FILM, privacy_level="SELF_ONLY"))


def test_a_changed_file_is_not_gone_on_with(bench: Any, tmp_path: Any) -> None:
    """Between two processes another program changed the file.

    The client sends no byte of it after bytes of the first file.
    """
    path = tmp_path / "film.mp4"
    path.write_bytes(DATA)
    account = bench.signed_in()
    kill_at(bench, "put", nth=2, answered=False)
    with pytest.raises(Killed):
        bench.run(account.post_video(path, privacy_level="SELF_ONLY", chunk_size=6_000_000, key="mine"))
    bench.clock.advance(600)
    path.write_bytes(HEAD + DATA[: len(HEAD) - 1 : -1])
    puts = bench.sim.count("put")
    with pytest.raises(SourceChanged) as raised:
        bench.run(account.resume("mine"))
    assert (raised.value.key, bench.sim.count("put")) == ("mine", puts)
    path.unlink()
    with pytest.raises(SourceChanged):
        bench.run(account.resume("mine"))


@pytest.mark.parametrize("draft", [True, False])
def test_a_file_that_changed_before_its_post_is_begun_begins_none(bench: Any, tmp_path: Any, draft: bool) -> None:
    """TikTok is asked for no post that could never get its bytes: a draft like that would wait in the inbox for an hour."""
    path = tmp_path / "film.mp4"
    path.write_bytes(DATA)
    account = bench.signed_in()
    level = None if draft else "SELF_ONLY"
    bench.run(account.enter_video(path, draft=draft, privacy_level=level, key="mine"))
    path.write_bytes(HEAD + DATA[: len(HEAD) - 1 : -1])
    with pytest.raises(SourceChanged):
        bench.run(account.advance("mine", until_wait=5.0))
    path.unlink()
    with pytest.raises(SourceChanged):
        bench.run(account.advance("mine", until_wait=5.0))
    assert bench.sim.posts == ()


def test_a_source_without_a_name_is_given_again(bench: Any) -> None:
    """Bytes in memory end with their process. The caller has to give them again, and they have to be the same."""
    account = bench.signed_in()
    kill_at(bench, "put", nth=2, answered=False)
    with pytest.raises(Killed):
        bench.run(account.post_video(FILM, privacy_level="SELF_ONLY", chunk_size=6_000_000, key="mine"))
    bench.clock.advance(600)
    with pytest.raises(InvalidPost, match="give it again"):
        bench.run(account.resume("mine"))
    with pytest.raises(SourceChanged):
        bench.run(account.resume("mine", BytesSource(DATA)))
    assert bench.run(account.resume("mine", FILM)).is_final


def test_a_file_that_tiktok_has_already_is_not_needed_again(bench: Any) -> None:
    """Only TikTok's last answer was lost, so the post continues without its file."""
    account = bench.signed_in()
    kill_at(bench, "put", nth=2, answered=True)
    with pytest.raises(Killed):
        bench.run(account.post_video(FILM, privacy_level="SELF_ONLY", chunk_size=6_000_000, key="mine"))
    bench.clock.advance(600)
    assert bench.run(account.resume("mine")).is_final


def test_a_file_is_found_again_from_another_folder(bench: Any, tmp_path: Any, monkeypatch: Any) -> None:
    """The journal keeps a relative name as an absolute one."""
    (tmp_path / "film.mp4").write_bytes(DATA)
    monkeypatch.chdir(tmp_path)
    account = bench.signed_in()
    kill_at(bench, "put", answered=False)
    with pytest.raises(Killed):
        bench.run(account.post_video("film.mp4", privacy_level="SELF_ONLY", key="mine"))
    monkeypatch.chdir("/")
    bench.clock.advance(600)
    assert bench.run(account.resume("mine")).is_final
    assert FileSource(tmp_path / "film.mp4").__fspath__() == str(tmp_path / "film.mp4")


def test_an_upload_url_that_died_overnight_is_replaced(bench: Any) -> None:
    """The hour is over and the post cannot be complete.

    The client begins again with a fresh init, and there is one post.
    """
    account = bench.signed_in()
    kill_at(bench, "put", nth=1, answered=True)
    with pytest.raises(Killed):
        bench.run(account.post_video(FILM, privacy_level="SELF_ONLY", chunk_size=6_000_000, key="mine"))
    bench.clock.advance(timedelta(hours=12).total_seconds())
    done = bench.run(account.resume("mine", FILM))
    assert bench.sim.count("video_init") == 2
    assert [post.publish_id for post in posted(bench)] == [done.publish_id]


def test_an_upload_that_may_be_complete_is_never_begun_again(bench: Any) -> None:
    """The last answer was lost, the hour is over, and TikTok does not say what it has. A person has to decide."""
    account = bench.signed_in()
    kill_at(bench, "put", nth=1, answered=True)
    with pytest.raises(Killed):
        bench.run(account.post_video(CLIP, privacy_level="SELF_ONLY", key="mine"))
    bench.clock.advance(timedelta(hours=2).total_seconds())
    silent = b'{"data":{"status":"PROCESSING_UPLOAD"},"error":{"code":"ok","message":"","log_id":"L"}}'
    original = bench.handle
    bench.handle = lambda request: Response(200, {}, silent) if "status/fetch" in request.url else original(request)
    with pytest.raises(OutcomeUnknown):
        bench.run(account.resume("mine", CLIP))
    assert bench.sim.count("video_init") == 1


def test_an_upload_url_is_not_replaced_for_ever(bench: Any) -> None:
    """A key may cost three inits at most."""
    account = bench.signed_in()
    bench.sim.faults.add(parse_fault("putx99=expire"))
    with pytest.raises(UploadExpired):
        bench.run(account.post_video(CLIP, privacy_level="SELF_ONLY"))
    assert bench.sim.count("video_init") == 3


def test_advancing_step_by_step_ends_where_a_run_does(bench: Any) -> None:
    """A worker that takes one step at a time reaches the same end. Each step says when to come again."""
    account = bench.signed_in()
    kill_at(bench, "video_init", answered=False)
    with pytest.raises(Killed):
        bench.run(account.post_video(FILM, privacy_level="SELF_ONLY", chunk_size=6_000_000, key="mine"))
    bench.clock.advance(600)
    for _ in range(30):
        step = bench.run(account.advance("mine", FILM))
        if step.again_in is None:
            break
        assert 0 <= step.again_in <= 10
        bench.clock.advance(step.again_in)
    assert step.publication.status == PublishStatus.PUBLISH_COMPLETE
    assert len(posted(bench)) == 1


def test_a_post_that_somebody_else_holds_is_left_alone(bench: Any) -> None:
    """While another owner's lease is valid, a step does nothing and says when to come again."""
    account = bench.signed_in()
    bench.sim.switches.processing_seconds = 10_000
    with pytest.raises(StillProcessing):
        bench.run(account.post_video(CLIP, privacy_level="SELF_ONLY", key="mine"))
    (record,) = bench.journal.records()
    now = bench.clock.now()
    assert bench.journal.try_lease(record.name, owner="other", now=now, until=now + timedelta(seconds=60))
    asked = bench.sim.count("status")
    assert bench.run(account.advance("mine")).again_in == 1.0
    assert bench.sim.count("status") == asked


def test_whoever_lost_the_lease_does_nothing_more(bench: Any) -> None:
    """Another process took over during a chunk.

    The client neither overwrites its work with the answer nor sends another chunk.
    """
    account = bench.signed_in()
    seen: list[int] = []

    def taken_over(_: Any) -> None:
        if not seen:
            seen.append(1)
            (record,) = bench.journal.records()
            later = bench.clock.now() + timedelta(days=1)
            assert bench.journal.try_lease(record.name, owner="other", now=later, until=later + timedelta(days=1))

    with pytest.raises(LeaseLost) as raised:
        bench.run(
            account.post_video(
                FILM, privacy_level="SELF_ONLY", chunk_size=6_000_000, key="mine", on_progress=taken_over
            )
        )
    assert raised.value.key == "mine"
    assert bench.sim.count("put") == 1


def test_the_answer_to_a_pull_is_written_down_even_without_the_lease(bench: Any) -> None:
    """Another process took over while TikTok answered. The client still stores that the post exists."""
    account = bench.signed_in()
    original = bench.handle

    def slow(request: Request) -> Response:
        response: Response = original(request)
        if "content/init" in request.url:
            (record,) = bench.journal.records()
            later = bench.clock.now() + timedelta(days=1)
            bench.journal.try_lease(record.name, owner="other", now=later, until=later)
        return response

    bench.handle = slow
    with pytest.raises(LeaseLost):
        bench.run(account.post_photos(PHOTOS, privacy_level="SELF_ONLY", key="mine"))
    (record,) = bench.journal.records()
    assert record.publish_id == bench.sim.posts[0].publish_id
    bench.clock.advance(timedelta(days=2).total_seconds())
    assert bench.run(account.resume("mine")).status == PublishStatus.PUBLISH_COMPLETE
    assert len(bench.sim.posts) == 1


def test_the_upload_url_is_forgotten_once_it_is_of_no_use(bench: Any) -> None:
    """The record of a finished post holds no secret."""
    account = bench.signed_in()
    bench.run(account.post_video(CLIP, draft=True, key="mine"))
    (record,) = bench.journal.records()
    assert record.upload_url is None
    assert record.is_ended


def test_finished_posts_are_kept_for_90_days(bench: Any) -> None:
    """They are listed for 90 days.

    When two looks at the clock, days apart, agree that these are over, the journal keeps only the traces.
    """
    account = bench.signed_in()
    bench.run(account.post_video(CLIP, draft=True, key="old"))
    bench.clock.advance(timedelta(days=89).total_seconds())
    bench.run(account.post_video(CLIP, draft=True, key="new"))
    assert len(bench.journal.records()) == 2
    for key in ("newer", "newest"):
        bench.clock.advance(timedelta(days=2).total_seconds())
        bench.run(account.post_video(CLIP, draft=True, key=key))
    assert [record.key for record in bench.journal.records()] == ["new", "newer", "newest"]


@pytest.mark.parametrize("key", ["", "x" * 201, "line\nbreak"])
def test_a_key_that_cannot_be_shown_is_refused(bench: Any, key: str) -> None:
    """The client refuses such a key, because people print, type and compare keys."""
    account = bench.signed_in()
    with pytest.raises(InvalidPost, match="key"):
        bench.run(account.post_video(CLIP, draft=True, key=key))


def test_a_network_that_is_gone_before_the_post_began_leaves_it_to_be_resumed(bench: Any) -> None:
    """The client sent nothing. The wish stays in the journal, and the client resumes it when the network is back."""
    account = bench.signed_in()
    bench.sim.faults.add(parse_fault("video_initx3=unreachable"))
    with pytest.raises(NotSent):
        bench.run(account.post_video(CLIP, privacy_level="SELF_ONLY", key="mine"))
    (record,) = bench.run(account.unfinished())
    assert record.stage is Stage.PLANNED
    assert bench.run(account.resume("mine", CLIP)).is_final


def test_an_init_that_was_twice_without_an_answer_says_that_nothing_was_posted(bench: Any) -> None:
    """The process is killed at each of two inits. The client sends no third one."""
    account = bench.signed_in()
    for _ in range(2):
        kill_at(bench, "video_init", answered=True)
        with pytest.raises(Killed):
            bench.run(account.post_video(CLIP, privacy_level="SELF_ONLY", key="mine"))
        bench.clock.advance(600)
    with pytest.raises(UnexpectedResponse, match="nothing was posted"):
        bench.run(account.resume("mine", CLIP))
    assert posted(bench) == []
