"""Publishing: what the client refuses before it sends anything, what TikTok gets, and what the caller gets."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from clips import CLIP, CLIP_BYTES, HEAD, PHOTO, PULLED
from example_counts import at_most
from tiktok_adapters.clocks import ManualClock
from tiktok_adapters.simulator import DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, SimulatedTikTok, parse_fault
from tiktok_adapters.sources import BytesSource
from tiktok_adapters.stores.memory import MemoryJournal, MemoryTokenStore
from tiktok_adapters.transports.fake import FakeTransport
from tiktok_core import (
    ApiError,
    App,
    Interrupted,
    InvalidPost,
    NotSent,
    OutcomeUnknown,
    PostingRefused,
    PrivacyLevel,
    Progress,
    PublishFailed,
    PublishStatus,
    RateLimited,
    ScopeMissing,
    SignInRequired,
    SourceChanged,
    StillProcessing,
    TikTok,
    UploadError,
    UploadExpired,
)
from tiktok_core.errors import ForeignUploadHost, UnexpectedRedirect
from tiktok_core.flows.calls.pace import OwnPacer
from tiktok_core.ports import Request, Response
from tiktok_core.wire.http import FileSlice, FillsBuffers

SELF_ONLY = PrivacyLevel.SELF_ONLY
PHOTOS = (PHOTO, "https://media.example.com/2.webp")


def test_a_video_file_is_posted_and_followed_to_its_end(bench: Any, clip: Path) -> None:
    """TikTok has the file's bytes, the caption and the level, and the result says that the post is complete."""
    account = bench.signed_in()
    done = bench.run(account.post_video(clip, title="Hello #world", privacy_level=SELF_ONLY, disable_duet=True))
    post = bench.sim.post(done.publish_id)
    assert done.status == PublishStatus.PUBLISH_COMPLETE
    assert post.sha256 == hashlib.sha256(CLIP_BYTES).hexdigest()
    assert post.title == "Hello #world"
    assert post.privacy_level == "SELF_ONLY"
    assert post.post_info["disable_duet"] is True
    assert len(bench.sim.posts) == 1


def test_a_name_a_path_and_a_source_are_all_videos(bench: Any, clip: Path) -> None:
    """A file's name, its path, and a source of bytes all make the same post."""
    account = bench.signed_in()
    for video in (str(clip), clip, CLIP):
        done = bench.run(account.post_video(video, privacy_level=SELF_ONLY))
        assert bench.sim.post(done.publish_id).sha256 == hashlib.sha256(CLIP_BYTES).hexdigest()


def test_a_draft_goes_to_the_inbox_without_settings(bench: Any, clip: Path) -> None:
    """A draft needs no privacy level and no creator info, and ends in the inbox."""
    account = bench.signed_in()
    done = bench.run(account.post_video(clip, draft=True))
    assert done.status == PublishStatus.SEND_TO_USER_INBOX
    assert done.is_final
    assert bench.sim.count("creator_info") == 0
    assert bench.sim.count("inbox_init") == 1


def test_a_large_file_goes_in_chunks_one_after_another(bench: Any) -> None:
    """Above 64,000,000 bytes the client sends several PUTs, and TikTok gets the file."""
    account = bench.signed_in()
    data = HEAD + os.urandom(1 << 20) * 67
    done = bench.run(account.post_video(BytesSource(data), privacy_level=SELF_ONLY))
    assert bench.sim.count("put") == len(data) // 10_000_000
    assert bench.sim.post(done.publish_id).sha256 == hashlib.sha256(data).hexdigest()


@settings(max_examples=at_most(40), deadline=None)
@given(
    size=st.integers(len(HEAD), 23_000_000),
    chunk=st.sampled_from([None, 5_242_880, 7_000_003, 11_000_000]),
    mb=st.data(),
)
def test_whatever_the_size_and_the_reading_of_mb_the_plan_is_taken(size: int, chunk: int | None, mb: Any) -> None:
    """Under each reading of MB, TikTok accepts every plan that the client does not refuse, and gets the file."""
    clock = ManualClock()
    sim = SimulatedTikTok(clock)
    sim.switches.mb = mb.draw(st.sampled_from(["strict", "decimal", "binary"]))
    app = App(DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, "http://127.0.0.1:9/callback/")
    sim.app.redirect_uris = (app.redirect_uri,)
    tiktok = TikTok(
        app, transport=FakeTransport(sim.handle), tokens=MemoryTokenStore(), journal=MemoryJournal(), clock=clock
    )
    begun = tiktok.authorization()
    account = tiktok.sign_in(begun, sim.authorize(begun.url))
    data = (HEAD + hashlib.sha256(str(size).encode()).digest() * (size // 32 + 1))[:size]
    refused: tuple[str, ...] = ()
    try:
        done = account.post_video(BytesSource(data), privacy_level=SELF_ONLY, chunk_size=chunk)
    except InvalidPost as error:
        refused = tuple(problem.field for problem in error.problems)
    if refused:
        assert (chunk is None, refused, sim.posts) == (False, ("chunk_size",), ())
    else:
        assert sim.post(done.publish_id).sha256 == hashlib.sha256(data).hexdigest()
    sim.close()


def test_progress_grows_to_the_size_and_then_tells_the_status(bench: Any) -> None:
    """The sent bytes never shrink and end at the size. Then the progress reports the words of the status."""
    account = bench.signed_in()
    seen: list[Progress] = []
    data = HEAD + bytes(11_999_988)
    bench.run(
        account.post_video(BytesSource(data), privacy_level=SELF_ONLY, chunk_size=6_000_000, on_progress=seen.append)
    )
    sent = [progress.sent_bytes for progress in seen]
    assert sent == sorted(sent)
    assert sent[-1] == len(data)
    uploading = [progress for progress in seen if progress.stage == "uploading"]
    assert len(uploading) >= 12
    assert uploading[-1].plan is not None
    assert uploading[-1].plan.total_chunk_count == 2
    assert seen[-1].status == PublishStatus.PUBLISH_COMPLETE


def test_a_url_is_pulled_by_tiktok(bench: Any) -> None:
    """TikTok gets the https URL unchanged, the client sends no byte of the video, and the post completes."""
    account = bench.signed_in()
    done = bench.run(account.post_video("https://media.example.com/clip.mp4", privacy_level=SELF_ONLY))
    assert done.status == PublishStatus.PUBLISH_COMPLETE
    assert bench.sim.count("put") == 0


def test_photos_are_posted_with_their_cover_and_label(bench: Any) -> None:
    """TikTok gets the texts, the cover counted from 0, and the AI label."""
    account = bench.signed_in()
    done = bench.run(
        account.post_photos(PHOTOS, title="Doors", description="#doors", privacy_level=SELF_ONLY, photo_cover_index=1)
    )
    post = bench.sim.post(done.publish_id)
    assert done.status == PublishStatus.PUBLISH_COMPLETE
    assert (post.title, post.mode) == ("Doors", "DIRECT_POST")
    draft = bench.run(account.post_photos(PHOTOS, draft=True))
    assert draft.status == PublishStatus.SEND_TO_USER_INBOX


def test_without_waiting_the_call_returns_once_the_post_is_handed_over(bench: Any, clip: Path) -> None:
    """With `wait=False` the client asks for no status; the account's `wait` may follow later."""
    account = bench.signed_in()
    handed = bench.run(account.post_video(clip, privacy_level=SELF_ONLY, wait=False))
    assert not handed.is_final
    assert bench.sim.count("status") == 0
    assert bench.run(account.wait(handed.publish_id)).status == PublishStatus.PUBLISH_COMPLETE


def test_every_problem_is_told_at_once_and_nothing_is_asked(bench: Any, tmp_path: Path) -> None:
    """One error names the bad file and the bad settings, before the client asks for the creator."""
    account = bench.signed_in()
    empty = tmp_path / "empty.mp4"
    empty.touch()
    with pytest.raises(InvalidPost) as raised:
        bench.run(account.post_video(empty, title="x" * 2201, privacy_level="EVERYONE"))
    assert [problem.field for problem in raised.value.problems] == ["video", "title", "privacy_level"]
    assert bench.sim.count("creator_info") == 0
    assert bench.sim.posts == ()


def test_a_level_that_the_creator_does_not_have_is_refused_before_the_post_begins(bench: Any, clip: Path) -> None:
    """A private account cannot post to everyone. The error names the levels that it has."""
    account = bench.signed_in()
    with pytest.raises(InvalidPost, match="FOLLOWER_OF_CREATOR"):
        bench.run(account.post_video(clip, privacy_level=PrivacyLevel.PUBLIC_TO_EVERYONE))
    assert bench.sim.count("video_init") == 0


def test_the_unaudited_refusal_says_that_the_account_must_be_private(bench: Any, clip: Path) -> None:
    """The explanation of a refusal that misleads many users: it concerns the account, not the post."""
    account = bench.signed_in()
    bench.sim.creator.private = False
    with pytest.raises(PostingRefused, match="the account must be private") as raised:
        bench.run(account.post_video(clip, privacy_level=SELF_ONLY))
    assert raised.value.code == "unaudited_client_can_only_post_to_private_accounts"
    assert raised.value.log_id in str(raised.value)
    assert bench.sim.posts == ()


@pytest.mark.parametrize(
    "code", ["spam_risk_too_many_posts", "spam_risk_user_banned_from_posting", "reached_active_user_cap"]
)
def test_a_creator_who_may_not_post_now_is_found_before_the_post_begins(bench: Any, clip: Path, code: str) -> None:
    """Creator info gives these refusals with HTTP 200, and the client raises them."""
    account = bench.signed_in()
    bench.sim.faults.add(parse_fault(f"creator_info=code:{code}@200"))
    with pytest.raises(PostingRefused, match=code) as raised:
        bench.run(account.post_video(clip, privacy_level=SELF_ONLY))
    assert raised.value.status == 200
    assert bench.sim.count("video_init") == 0


def test_a_missing_scope_is_told(bench: Any, clip: Path) -> None:
    """Without `video.publish`, the error of a direct post names the missing consent."""
    begun = bench.tiktok.authorization(["user.info.basic"], redirect_uri="http://127.0.0.1:4000/callback/")
    account = bench.run(bench.tiktok.sign_in(begun, bench.sim.authorize(begun.url)))
    with pytest.raises(ScopeMissing):
        bench.run(account.post_video(clip, privacy_level=SELF_ONLY))


def test_nobody_signed_in_is_told_after_the_file_was_looked_at(bench: Any, clip: Path) -> None:
    """A revoked account cannot post."""
    account = bench.signed_in()
    bench.run(account.revoke())
    with pytest.raises(SignInRequired):
        bench.run(account.post_video(clip, privacy_level=SELF_ONLY))


def test_no_byte_goes_to_a_foreign_upload_host(bench: Any, clip: Path) -> None:
    """The client refuses a foreign upload URL before a byte leaves."""
    account = bench.signed_in()
    bench.sim.faults.add(parse_fault("video_init=foreign-upload-host"))
    with pytest.raises(ForeignUploadHost, match="no byte was sent") as raised:
        bench.run(account.post_video(clip, privacy_level=SELF_ONLY))
    assert "upload_token" not in str(raised.value)
    assert bench.sim.count("put") == 0


@pytest.mark.parametrize("operation", ["creator_info", "video_init", "put", "status"])
def test_a_redirect_is_never_followed(bench: Any, clip: Path, operation: str) -> None:
    """Wherever a redirect leads, the client sends no request there."""
    account = bench.signed_in()
    bench.sim.faults.add(parse_fault(f"{operation}=redirect:https://elsewhere.example/"))
    # Once TikTok has the bytes, the error is about the post, and the redirect is its cause.
    with pytest.raises((UnexpectedRedirect, StillProcessing)) as raised:
        bench.run(account.post_video(clip, privacy_level=SELF_ONLY))
    assert isinstance(raised.value.__cause__ if operation == "status" else raised.value, UnexpectedRedirect)
    assert bench.sim.count("other") == 0


@pytest.mark.parametrize("fault", ["drop-after", "status:503", "code:internal_error@500", "truncate"])
def test_a_pull_whose_answer_is_lost_is_unknown_and_not_repeated(bench: Any, fault: str) -> None:
    """TikTok may have begun to publish, so the client sends exactly one request."""
    account = bench.signed_in()
    for operation, call in (
        ("video_init", lambda: account.post_video(PHOTO, privacy_level=SELF_ONLY)),
        ("photo_init", lambda: account.post_photos(PHOTOS, privacy_level=SELF_ONLY)),
    ):
        bench.sim.faults.add(parse_fault(f"{operation}={fault}"))
        with pytest.raises(OutcomeUnknown, match="before you post again"):
            bench.run(call())
        assert bench.sim.count(operation) == 1


def test_a_pull_that_never_left_is_not_unknown(bench: Any) -> None:
    """The client sent nothing, so the outcome is not in doubt."""
    account = bench.signed_in()
    bench.sim.faults.add(parse_fault("video_initx3=unreachable"))
    with pytest.raises(Exception, match="video/init") as raised:
        bench.run(account.post_video(PHOTO, privacy_level=SELF_ONLY))
    assert not isinstance(raised.value, OutcomeUnknown)
    assert bench.sim.posts == ()


def test_a_refused_token_at_a_pull_proves_that_nothing_was_done(bench: Any) -> None:
    """After a 401 at the init of a pull, the client renews the token and repeats the init. There is one post."""
    account = bench.signed_in()
    bench.sim.faults.add(parse_fault("video_init=code:access_token_invalid"))
    bench.run(account.post_video(PULLED, privacy_level=SELF_ONLY))
    assert len(bench.sim.posts) == 1


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("expire", UploadExpired),
        ("status:404", UploadExpired),
        ("status:403", UploadExpired),
        ("status:416", UploadError),
        ("status:400", UploadError),
        ("status:502", UploadError),
        ("status:206", UploadError),
        ("drop-at:100", Interrupted),
        ("unreachable", NotSent),
    ],
)
def test_bytes_that_cannot_be_handed_over_are_told(bench: Any, clip: Path, fault: str, error: type) -> None:
    """Trouble that does not end becomes the error of the call, with the key of the post. TikTok publishes nothing."""
    account = bench.signed_in()
    bench.sim.faults.add(parse_fault(f"putx99={fault}"))
    with pytest.raises(error) as raised:
        bench.run(account.post_video(clip, privacy_level=SELF_ONLY))
    assert {post.status for post in bench.sim.posts} == {"PROCESSING_UPLOAD"}
    assert len(bench.sim.posts) <= 3
    (record,) = bench.journal.records()
    assert raised.value.key == record.key


PASSING = (
    *("drop-before", "drop-after", "drop-at:0", "drop-at:1", "drop-at:3000000", "drop-at:5999999", "unreachable"),
    *("status:416", "status:500", "status:502", "status:408", "status:429", "status:404", "expire", "truncate"),
)


# The first chunk leaves out a 206 without stored bytes: the client believes what TikTok says that it has.
@pytest.mark.parametrize(("fault", "nth"), [*((fault, nth) for fault in PASSING for nth in (1, 2)), ("status:206", 2)])
@pytest.mark.parametrize("kept", ["discard", "keep"])
@pytest.mark.parametrize("header", ["count", "last"])
def test_trouble_that_passes_loses_no_byte_and_posts_once(
    bench: Any, fault: str, nth: int, kept: str, header: str
) -> None:
    """One fault at either chunk, whatever TikTok keeps of half a chunk and however it counts: one post, with all bytes."""
    account = bench.signed_in()
    bench.sim.switches.partial_bytes, bench.sim.switches.progress_header = kept, header
    bench.sim.faults.add(parse_fault(f"put:{nth}={fault}"))
    data = HEAD + hashlib.shake_128(b"film").digest(12_000_001 - len(HEAD))
    seen: list[int] = []
    done = bench.run(
        account.post_video(
            BytesSource(data),
            privacy_level=SELF_ONLY,
            chunk_size=6_000_000,
            on_progress=lambda progress: seen.append(progress.sent_bytes),
        )
    )
    assert bench.sim.post(done.publish_id).sha256 == hashlib.sha256(data).hexdigest()
    assert [post.status for post in bench.sim.posts if post.status != "PROCESSING_UPLOAD"] == ["PUBLISH_COMPLETE"]
    assert seen == sorted(seen)
    assert seen[-1] == len(data)


def test_a_last_chunk_may_be_answered_with_200(bench: Any, clip: Path) -> None:
    """Some hosts answer 200 where TikTok's guide says 201."""
    account = bench.signed_in()
    bench.sim.switches.last_chunk_status = 200
    assert bench.run(account.post_video(clip, privacy_level=SELF_ONLY)).status == PublishStatus.PUBLISH_COMPLETE


@pytest.mark.parametrize("change", ["replaced", "grown", "truncated", "removed"])
def test_a_file_that_changes_between_chunks_is_not_completed(bench: Any, tmp_path: Path, change: str) -> None:
    """No byte of the changed file follows bytes of the first one."""
    account = bench.signed_in()
    path = tmp_path / "clip.mp4"
    path.write_bytes(HEAD + bytes(12_000_000 - len(HEAD)))
    seen: list[int] = []

    def meddle(progress: Progress) -> None:
        if seen or progress.stage != "uploading":
            return
        seen.append(progress.sent_bytes)
        if change == "replaced":
            other = tmp_path / "other.mp4"
            other.write_bytes(HEAD + b"\x01" * (12_000_000 - len(HEAD)))
            other.replace(path)
        elif change == "grown":
            with path.open("ab") as file:
                file.write(b"more")
        elif change == "truncated":
            os.truncate(path, 500)
        else:
            path.unlink()

    with pytest.raises(SourceChanged) as raised:
        bench.run(account.post_video(path, privacy_level=SELF_ONLY, chunk_size=6_000_000, on_progress=meddle))
    assert raised.value.publish_id == bench.sim.posts[0].publish_id
    assert bench.sim.count("put") == 1
    assert bench.sim.posts[0].status == "PROCESSING_UPLOAD"


def test_a_failed_post_tells_its_reason_and_what_to_do(bench: Any, clip: Path) -> None:
    """The error has TikTok's reason and its explanation."""
    account = bench.signed_in()
    bench.sim.faults.add(parse_fault("init=fail:frame_rate_check_failed"))
    with pytest.raises(PublishFailed, match="23 to 60") as raised:
        bench.run(account.post_video(clip, privacy_level=SELF_ONLY))
    assert raised.value.reason == "frame_rate_check_failed"
    assert raised.value.publish_id == bench.sim.posts[0].publish_id


def test_a_file_that_may_be_too_large_is_warned_about(
    bench: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Between the two readings of 4 GB the client posts the file with a warning; above both it refuses the file."""
    account = bench.signed_in()
    path = tmp_path / "huge.mp4"
    path.write_bytes(HEAD)
    os.truncate(path, 4_000_000_001)
    bench.sim.faults.add(parse_fault("video_init=code:invalid_params"))
    with pytest.raises(ApiError):
        bench.run(account.post_video(path, privacy_level=SELF_ONLY))
    assert "4,000,000,001 bytes" in caplog.text
    os.truncate(path, 4 * 1024**3 + 1)
    with pytest.raises(InvalidPost, match="4 GB"):
        bench.run(account.post_video(path, privacy_level=SELF_ONLY))


def test_a_chosen_chunk_size_is_for_files(bench: Any) -> None:
    """A pull has no chunks, so the client refuses a chunk size and does not ignore it."""
    account = bench.signed_in()
    with pytest.raises(InvalidPost, match="chunk_size"):
        bench.run(account.post_video(PHOTO, privacy_level=SELF_ONLY, chunk_size=10_000_000))


def test_a_client_without_files_posts_sources_only(bench: Any, clip: Path) -> None:
    """Without `open_source` the client refuses a name with a clear sentence, and posts a source."""
    sim = bench.sim
    app = App(DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, "http://127.0.0.1:*/callback/")
    tiktok = TikTok(
        app, transport=FakeTransport(sim.handle), tokens=bench.store, journal=bench.journal, clock=bench.clock
    )
    bench.signed_in()
    account = tiktok.account()
    with pytest.raises(InvalidPost, match="open_source"):
        account.post_video(clip, privacy_level=SELF_ONLY)
    assert account.post_video(CLIP, privacy_level=SELF_ONLY).is_final


def test_the_profile_is_asked_for_by_what_the_scopes_open(bench: Any) -> None:
    """The client asks only for the fields of granted scopes. TikTok refuses a field outside them."""
    account = bench.signed_in()
    assert bench.run(account.user_info()).display_name == "Maker One"
    assert bench.run(account.user_info(["open_id"])).display_name is None
    with pytest.raises(ScopeMissing):
        bench.run(account.user_info(["username"]))
    with pytest.raises(Exception, match="not one of"):
        bench.run(account.user_info(["name"]))


def test_a_rate_limit_is_waited_out(bench: Any) -> None:
    """The client delays the twenty-first question of a minute until TikTok accepts it, so that TikTok refuses none."""
    account = bench.signed_in()
    for _ in range(21):
        bench.run(account.creator_info())
    assert 59 <= bench.clock.slept <= 61


def test_a_rate_limit_is_told_with_the_time_to_wait_where_nothing_is_repeated(bench: Any) -> None:
    """Without repetitions the refusal reaches the caller at once, and says how long to wait."""
    account = bench.signed_in()
    bench.sim.switches.retry_after = True
    # Another program with the same token has used up the minute, so pacing its own calls does not help the client.
    for _ in range(20):
        bench.run(account.creator_info())
    again = account.with_options(retries=0)
    inner = getattr(again, "_face", again)
    inner._context = evolve(inner._context, pacer=OwnPacer())
    with pytest.raises(RateLimited) as raised:
        bench.run(again.creator_info())
    assert 0 < raised.value.retry_after <= 60
    assert bench.clock.slept == 0


@pytest.mark.parametrize("kind", ["video", "photos"])
def test_a_level_that_tiktok_added_is_posted(bench: Any, kind: str) -> None:
    """The creator's list decides.

    The client sends a level from it that no program here knows, and refuses one that is not in it.
    """
    account = bench.signed_in()
    original, sent = bench.handle, list[str]()

    def newer(request: Request) -> Response:
        if request.url.endswith("/creator_info/query/"):
            data = {"creator_username": "maker_one", "privacy_level_options": ["NEW_LEVEL", "SELF_ONLY"]}
            return Response(200, {}, json.dumps({"data": data, "error": {"code": "ok"}}).encode())
        if request.url.endswith("/init/"):
            sent.append(json.loads(bytes(request.body))["post_info"]["privacy_level"])
            body = bytes(request.body).replace(b"NEW_LEVEL", b"SELF_ONLY")
            return original(evolve(request, body=body, headers={**request.headers, "Content-Length": str(len(body))}))
        return original(request)

    bench.handle = newer
    media = CLIP if kind == "video" else [PHOTO]
    post = account.post_video if kind == "video" else account.post_photos
    assert bench.run(post(media, privacy_level="NEW_LEVEL")).status == "PUBLISH_COMPLETE"
    assert sent == ["NEW_LEVEL"]
    with pytest.raises(InvalidPost, match="this creator may choose NEW_LEVEL, SELF_ONLY at present, not EVERYBODY"):
        bench.run(post(media, privacy_level="EVERYBODY"))
    bench.handle = original
    bench.sim.faults.add(parse_fault("creator_infox9=code:spam_risk_too_many_posts"))
    with pytest.raises(InvalidPost, match="'EVERYBODY' is not one of"):
        bench.run(post(media, privacy_level="EVERYBODY"))
    assert sent == ["NEW_LEVEL"]


class Filling(BytesSource):
    """A source that reads into memory which the caller gives."""

    def read_into(self, start: int, buffer: memoryview, /) -> int:
        """Fill the buffer."""
        part = self.read(start, len(buffer))
        buffer[: len(part)] = part
        return len(part)


@pytest.mark.parametrize("kind", [BytesSource, Filling])
def test_a_source_is_asked_as_it_can_be(kind: type[BytesSource]) -> None:
    """A transport may read into its own memory if the source allows it. The last look at the file still works."""
    clock, seen = ManualClock(), []
    sim = SimulatedTikTok(clock)
    fake = FakeTransport(sim.handle, wait=clock.advance)

    class Watched:
        def send(self, request: Request, /) -> Response:
            if isinstance(request.body, FileSlice):
                blocks = request.body.blocks_in(memoryview(bytearray(100)))
                assert b"".join(map(bytes, blocks)) == CLIP_BYTES
                seen.append(isinstance(request.body.source, FillsBuffers))
            return fake.send(request)

        def close(self) -> None:
            fake.close()

    app = App(DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, "https://app.example.com/callback/")
    with TikTok(app, transport=Watched(), tokens=MemoryTokenStore(), journal=MemoryJournal(), clock=clock) as tiktok:
        begun = tiktok.authorization()
        account = tiktok.sign_in(begun, sim.authorize(begun.url))
        assert account.post_video(kind(CLIP_BYTES), privacy_level=SELF_ONLY).is_final
    sim.close()
    assert seen == [kind is Filling]
