"""Videos at URLs whose bytes the library sends: when it does, what the journal says of it, and that it is one post.

What belongs here: the ways from a pull to an upload, fresh URLs, and repeated wishes. That queries are shown nowhere is in
`tests/core/test_locals.py` and `tests/cli/test_elsewhere.py`.
"""

import json
from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve

from clips import CLIP_BYTES, PULLED
from elsewhere import ELSEWHERE, FRESH, SIGNATURE, SIGNED, Elsewhere, opening
from tiktok_adapters.simulator import parse_fault
from tiktok_core import (
    InvalidPost,
    NotSent,
    OutcomeUnknown,
    PostingRefused,
    SourceChanged,
    Stage,
    TikTokError,
    VideoPost,
)
from tiktok_core.ports import Request, Response
from tiktok_core.wire.records import dump_record

KEY = "wish"
POST = {"privacy_level": "SELF_ONLY", "key": KEY}


@pytest.fixture
def elsewhere() -> Elsewhere:
    """Return what lies elsewhere."""
    return Elsewhere()


@pytest.fixture
def account(bench: Any, elsewhere: Elsewhere) -> Any:
    """Return an account whose client opens URLs."""
    opening(bench.tiktok, elsewhere)
    return bench.signed_in()


def record_of(bench: Any) -> Any:
    """Return the one record."""
    (record,) = bench.journal.records()
    return record


def inits(bench: Any) -> list[str]:
    """Note from now on which kind of source each init names."""
    found: list[str] = []
    handle = bench.handle

    def noted(request: Request) -> Response:
        if request.url.endswith("/init/") and isinstance(request.body, bytes):
            found.append("pull" if b"PULL_FROM_URL" in request.body else "upload")
        answer: Response = handle(request)
        return answer

    bench.handle = noted
    return found


# --- When the bytes are sent -----------------------------------------------------------------------------------------


def test_what_tiktok_may_not_pull_is_uploaded_and_said(
    bench: Any, account: Any, elsewhere: Elsewhere, caplog: pytest.LogCaptureFixture
) -> None:
    """After `url_ownership_unverified` the bytes at the URL are sent: one post, one line that says why."""
    sent = inits(bench)
    done = bench.run(account.post_video(SIGNED, **POST))
    assert done.status == "PUBLISH_COMPLETE"
    assert sent == ["pull", "upload"]
    (post,) = bench.sim.posts
    assert (post.publish_id, post.bytes_received) == (done.publish_id, len(CLIP_BYTES))
    (line,) = [line.getMessage() for line in caplog.records if "uploaded from here" in line.getMessage()]
    assert line.startswith(f"TikTok may not pull {ELSEWHERE}?..., because ")
    record = record_of(bench)
    assert (record.wish.upload, record.wish.video, record.wish.query) == (True, ELSEWHERE, None)
    assert elsewhere.opened[0] == SIGNED


def test_only_inits_that_leave_count_towards_the_quota(
    bench: Any, account: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Three posts whose pull is refused and whose bytes are sent make the six inits that an account has in a minute."""
    sent = inits(bench)
    for key in ("one", "two", "three"):
        bench.run(account.post_video(SIGNED, **(POST | {"key": key}), wait=False))
    assert sent == ["pull", "upload"] * 3
    assert not [line for line in caplog.records if "a minute of the account" in line.getMessage()]


def test_an_upload_that_is_wanted_asks_for_no_pull(bench: Any, account: Any) -> None:
    """With `upload=True` a URL from which TikTok might pull is opened, too."""
    opening(bench.tiktok, found := Elsewhere({PULLED: CLIP_BYTES}))
    account = bench.signed_in()
    sent = inits(bench)
    assert bench.run(account.post_video(PULLED, upload=True, **POST)).status == "PUBLISH_COMPLETE"
    assert (sent, set(found.opened)) == (["upload"], {PULLED})


def test_a_pull_that_is_wanted_uploads_nothing(bench: Any, account: Any, elsewhere: Elsewhere) -> None:
    """With `upload=False` TikTok's refusal ends the post, as it does where the client can open nothing."""
    for upload, opener in ((False, elsewhere), (None, None)):
        opening(bench.tiktok, opener)
        account = bench.signed_in()
        sent = inits(bench)
        with pytest.raises(PostingRefused) as caught:
            bench.run(account.post_video(ELSEWHERE, upload=upload, **POST))
        assert caught.value.code == "url_ownership_unverified"
        assert "--upload" in str(caught.value.explanation)
        assert sent == ["pull"]
        assert record_of(bench).stage is Stage.ABANDONED
    assert elsewhere.opened == []
    assert bench.sim.posts == ()


def test_what_no_listed_property_covers_is_uploaded_from_the_start(
    bench: Any, elsewhere: Elsewhere, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the app lists its verified URLs, TikTok is not asked to pull what lies elsewhere. `upload=False` refuses it at once."""
    opening(bench.tiktok, elsewhere, verified_urls=("media.example.com",))
    account = bench.signed_in()
    sent = inits(bench)
    with pytest.raises(InvalidPost, match="none of the app's verified URL properties"):
        bench.run(account.post_video(ELSEWHERE, upload=False, **POST))
    assert bench.run(account.post_video(ELSEWHERE, **POST)).status == "PUBLISH_COMPLETE"
    assert bench.run(account.post_video(PULLED, privacy_level="SELF_ONLY", key="pull")).status == "PUBLISH_COMPLETE"
    assert sent == ["upload", "pull"]
    assert "so its bytes are uploaded from here" in caplog.text


@pytest.mark.parametrize(
    "name", ["s3://bucket/clip.mp4?versionId=3", "gs://bucket/clip.mp4", "az://container/clip.mp4"]
)
def test_an_object_in_a_store_is_always_opened(bench: Any, name: str) -> None:
    """TikTok cannot pull it, so the library opens it unless it may not."""
    bare = name.partition("?")[0]
    opening(bench.tiktok, found := Elsewhere({bare: CLIP_BYTES}))
    account = bench.signed_in()
    assert bench.run(account.post_video(name, **POST)).status == "PUBLISH_COMPLETE"
    assert (set(found.opened), record_of(bench).wish.video) == ({name}, bare)
    with pytest.raises(InvalidPost, match="TikTok pulls from https URLs only"):
        bench.run(account.post_video(name, upload=False, privacy_level="SELF_ONLY"))


@pytest.mark.parametrize(
    "fault",
    ["drop-before", "drop-after", "status:500", "garbage", "truncate", "code:internal_error"],
)
def test_after_a_doubt_nothing_is_uploaded(bench: Any, account: Any, elsewhere: Elsewhere, fault: str) -> None:
    """TikTok may have begun to pull. A person has to look, and no call opens the URL."""
    bench.sim.faults.add(parse_fault(f"init={fault}"))
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            bench.run(account.post_video(ELSEWHERE, **POST))
    assert elsewhere.opened == []
    assert record_of(bench).wish.upload is None


@pytest.mark.parametrize("code", ["spam_risk_too_many_posts", "something_new", "url_ownership_unverified@400"])
def test_after_any_other_refusal_nothing_is_uploaded(bench: Any, account: Any, elsewhere: Elsewhere, code: str) -> None:
    """Only HTTP 403 with `url_ownership_unverified` says that the app may not pull from here."""
    bench.sim.faults.add(parse_fault(f"init=code:{code}"))
    with pytest.raises(TikTokError):
        bench.run(account.post_video(ELSEWHERE, **POST))
    assert elsewhere.opened == []
    assert record_of(bench).stage is Stage.ABANDONED


def test_photos_are_never_uploaded(bench: Any, account: Any, elsewhere: Elsewhere) -> None:
    """TikTok takes photos from URLs only."""
    with pytest.raises(PostingRefused):
        bench.run(account.post_photos([ELSEWHERE], **POST))
    assert elsewhere.opened == []


def test_a_refusal_with_a_post_that_may_exist_uploads_nothing(bench: Any, account: Any, elsewhere: Elsewhere) -> None:
    """Where TikTok has named a post of this wish before, another one is not begun in another way."""
    bench.run(account.enter_video(ELSEWHERE, **POST))
    record = record_of(bench)
    bench.journal.save(evolve(record, others=("v_pub_url~v2-1.1",)), fence=None)
    with pytest.raises(PostingRefused):
        bench.run(account.resume(KEY))
    assert elsewhere.opened == []


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (403, {"error": {"code": "url_ownership_unverified", "message": SIGNED, "log_id": "1"}}, PostingRefused),
        (200, {"error": {"code": "ok", "message": SIGNED}, "data": {"publish_id": f"{SIGNED} "}}, OutcomeUnknown),
    ],
)
@pytest.mark.parametrize("kind", ["video", "photos"])
def test_what_tiktok_quotes_of_a_url_is_kept_nowhere(
    *, bench: Any, account: Any, status: int, body: dict[str, Any], error: type[TikTokError], kind: str
) -> None:
    """Neither the error nor the refusal in the journal has the query that TikTok's message repeats."""
    bench.handle = lambda request: (
        Response(status, {}, json.dumps(body).encode()) if request.url.endswith("/init/") else bench.sim.handle(request)
    )
    post = account.post_photos if kind == "photos" else account.post_video
    with pytest.raises(error) as caught:
        bench.run(post([SIGNED], **POST) if kind == "photos" else post(SIGNED, upload=False, **POST))
    assert SIGNATURE not in f"{caught.value} {caught.value.__cause__} {record_of(bench)!r}"
    assert record_of(bench).is_ended == (status == 403)
    assert (SIGNATURE.encode() in dump_record(record_of(bench))) == (status != 403)


# --- Crashes, and what cannot be opened ------------------------------------------------------------------------------


class Killed(BaseException):
    """The end of a process."""


@pytest.mark.parametrize("draft", [False, True])
def test_a_crash_at_any_save_goes_on_to_one_post(bench: Any, account: Any, draft: bool) -> None:
    """Another process finds the wish as it was stored: to be uploaded, and never to be pulled once more."""
    post = {"key": KEY, "draft": draft, "privacy_level": None if draft else "SELF_ONLY"}
    save, left, kept = bench.journal.save, [0], bench.journal

    def dying(record: Any, /, *, fence: int | None) -> None:
        save(record, fence=fence)
        left[0] -= 1
        if left[0] == 0:
            raise Killed

    for saves in range(1, 20):
        bench.journal._records.clear()
        posts, sent = len(bench.sim.posts), inits(bench)
        left[0], kept.save = saves, dying
        try:
            bench.run(account.post_video(SIGNED, **post))
            break
        except Killed:
            kept.save = save
        bench.clock.advance(90_000)  # TikTok counts the drafts of a day.
        lost = record_of(bench)
        sent.clear()
        if lost.stage is Stage.INIT_SENT and lost.wish.is_pulled:
            with pytest.raises(OutcomeUnknown):
                bench.run(account.resume(KEY))
            assert sent == []
            continue
        done = bench.run(account.post_video(SIGNED, **post))
        assert done.is_final
        assert "pull" not in sent or lost.wish.is_pulled
        assert sum(one.status != "FAILED" and one.bytes_received > 0 for one in bench.sim.posts[posts:]) == 1
    else:
        pytest.fail("there is no end to the saves")
    kept.save = save
    assert saves > 6


def test_what_can_be_neither_pulled_nor_opened_is_refused_in_one_sentence(
    bench: Any, account: Any, elsewhere: Elsewhere
) -> None:
    """The refusal is TikTok's, with the reason why an upload does not help. The same call begins anew."""
    elsewhere.expired.add(SIGNED)
    for _ in range(2):
        with pytest.raises(PostingRefused, match=r"cannot be uploaded instead, because .* HTTP 403") as caught:
            bench.run(account.post_video(SIGNED, **POST))
        assert caught.value.code == "url_ownership_unverified"
        assert record_of(bench).stage is Stage.ABANDONED
    elsewhere.expired.clear()
    elsewhere.objects[ELSEWHERE] = b"no video" * 100
    with pytest.raises(PostingRefused, match=r"cannot be uploaded instead, because the file is no video"):
        bench.run(account.post_video(SIGNED, **POST))
    elsewhere.objects[ELSEWHERE] = CLIP_BYTES
    assert bench.run(account.post_video(SIGNED, **POST)).status == "PUBLISH_COMPLETE"
    assert len(bench.sim.posts) == 1


def test_a_server_that_does_not_answer_leaves_the_upload_to_the_next_call(
    bench: Any, account: Any, elsewhere: Elsewhere
) -> None:
    """The record stays to be uploaded, and the next call goes on with it without asking TikTok to pull."""
    elsewhere.troubles.append(SourceChanged(None, f"{ELSEWHERE} cannot be read now"))
    with pytest.raises(SourceChanged, match="cannot be read now") as caught:
        bench.run(account.post_video(SIGNED, **POST))
    assert f"'tiktok resume {KEY} URL'" in str(caught.value)
    assert (record_of(bench).stage, record_of(bench).wish.is_unopened) == (Stage.PLANNED, True)
    sent = inits(bench)
    assert bench.run(account.resume(KEY)).status == "PUBLISH_COMPLETE"
    assert sent == ["upload"]


def test_a_lease_that_is_lost_while_a_url_is_opened_changes_nothing(
    bench: Any, account: Any, elsewhere: Elsewhere
) -> None:
    """What was found there is not stored. Once the other owner is gone, the URL is opened again."""

    def slow(name: Any) -> Any:
        if not elsewhere.opened:
            now = bench.clock.now()
            until = now + timedelta(seconds=10)
            bench.journal.try_lease(record_of(bench).name, owner="another", now=now, until=until, by_force=True)
        return elsewhere(name)

    opening(bench.tiktok, slow)
    account = bench.signed_in()
    assert bench.run(account.post_video(SIGNED, **POST)).status == "PUBLISH_COMPLETE"
    assert len(elsewhere.opened) > 1
    assert len(bench.sim.posts) == 1


def test_nobody_takes_a_post_over_while_its_video_is_copied(bench: Any, account: Any, elsewhere: Elsewhere) -> None:
    """A copy may take longer than a step. Another worker would begin one of its own meanwhile, and none would ever be sent."""
    record = bench.run(account.enter_video(SIGNED, upload=True, **POST))
    taken: list[int | None] = []

    def slow(name: Any) -> Any:
        bench.clock.advance(1500)
        now = bench.clock.now()
        until = now + timedelta(seconds=10)
        taken.append(bench.journal.try_lease(record.name, owner="another", now=now, until=until))
        return elsewhere(name)

    opening(bench.tiktok, slow)
    account = bench.signed_in()
    assert bench.run(account.resume(KEY)).status == "PUBLISH_COMPLETE"
    assert taken == [None]


def test_nothing_elsewhere_is_taken_for_what_tiktok_refused_to_pull(
    bench: Any, account: Any, elsewhere: Elsewhere
) -> None:
    """Until it was opened, only the URL says which video is meant: another one is refused, a fresh query is not."""
    elsewhere.troubles.append(SourceChanged(None, "it cannot be read now"))
    with pytest.raises(SourceChanged):
        bench.run(account.post_video(SIGNED, **POST))
    elsewhere.objects[other := "https://bucket.elsewhere.example/other.mp4"] = CLIP_BYTES
    elsewhere.expired.add(SIGNED)
    with pytest.raises(SourceChanged, match="not the one that this post began with"):
        bench.run(account.resume(KEY, other))
    done = bench.run(account.resume(KEY, FRESH))
    assert done.status == "PUBLISH_COMPLETE"
    assert bench.run(account.post_video(SIGNED, **POST)).publish_id == done.publish_id


# --- Fresh URLs ------------------------------------------------------------------------------------------------------


def test_a_url_that_has_expired_says_to_go_on_with_a_fresh_one(bench: Any, account: Any, elsewhere: Elsewhere) -> None:
    """Of the same bytes, a fresh URL takes the post to its end, and the journal goes on under it."""
    bench.sim.faults.add(parse_fault("putx2=unreachable"))
    bench.run(account.enter_video(SIGNED, upload=True, **POST))
    first = bench.run(account.advance(KEY))
    assert (record_of(bench).stage, first.again_in) == (Stage.UPLOADING, 0.0)
    elsewhere.expired.add(SIGNED)
    for call in (account.resume, account.advance):
        with pytest.raises(SourceChanged, match=rf"HTTP 403; if its URL has expired.*'tiktok resume {KEY} URL'"):
            bench.run(call(KEY))
    elsewhere.objects[elsewhere_too := ELSEWHERE.replace("clip", "other")] = CLIP_BYTES + b"more"
    with pytest.raises(SourceChanged, match="not the one that this post began with"):
        bench.run(account.resume(KEY, elsewhere_too))
    assert bench.run(account.advance(KEY, FRESH)).again_in is not None
    assert record_of(bench).wish.name.reveal() == FRESH
    done = bench.run(account.resume(KEY))
    assert done.status == "PUBLISH_COMPLETE"
    # Whoever asked for the post knows the earlier URL only.
    assert bench.run(account.post_video(SIGNED, **POST)).publish_id == done.publish_id
    assert len(bench.sim.posts) == 1


def test_what_was_replaced_is_not_uploaded(bench: Any, account: Any, elsewhere: Elsewhere) -> None:
    """What lies at the URL is held to what it was when it was opened first."""
    bench.run(account.enter_video(SIGNED, upload=True, **POST))
    elsewhere.objects[ELSEWHERE] = CLIP_BYTES + b"more"
    with pytest.raises(SourceChanged, match="not the one that this post began with"):
        bench.run(account.resume(KEY))
    assert [one for one in bench.sim.posts if one.bytes_received] == []


def test_a_fresh_url_of_a_pull_is_not_opened(bench: Any, account: Any, elsewhere: Elsewhere) -> None:
    """TikTok pulls from the URL that it was given."""
    bench.run(account.post_video(PULLED, wait=False, **POST))
    assert bench.run(account.resume(KEY, PULLED)).status == "PUBLISH_COMPLETE"
    assert elsewhere.opened == []


# --- The same wish ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [None, True])
@pytest.mark.parametrize("again", [None, True])
def test_the_same_url_under_the_same_key_is_one_post(bench: Any, account: Any, first: Any, again: Any) -> None:
    """Whether it was pulled, became an upload or was one: while it goes on, and once its query is gone."""
    begun = bench.run(account.post_video(SIGNED, upload=first, wait=False, **POST))
    for _ in range(2):
        assert bench.run(account.post_video(SIGNED, upload=again, **POST)).publish_id == begun.publish_id
    assert len(bench.sim.posts) == 1
    assert record_of(bench).wish.query is None
    with pytest.raises(InvalidPost, match="stands for another post"):
        bench.run(account.post_video(SIGNED.replace("clip", "other"), **POST))
    with pytest.raises(InvalidPost, match="stands for another post"):
        bench.run(account.post_video(SIGNED, title="another", **POST))


def test_a_fresh_query_is_the_same_wish_where_the_bytes_are(bench: Any, account: Any, elsewhere: Elsewhere) -> None:
    """Of two uploads what was opened decides; of a pull the URL."""
    begun = bench.run(account.post_video(SIGNED, upload=True, wait=False, **POST))
    assert bench.run(account.post_video(FRESH, upload=True, **POST)).publish_id == begun.publish_id
    with pytest.raises(InvalidPost, match="stands for another post"):
        bench.run(account.post_video(FRESH, **POST))
    elsewhere.objects[ELSEWHERE] = CLIP_BYTES + b"more"
    with pytest.raises(InvalidPost, match="stands for another post"):
        bench.run(account.post_video(SIGNED, upload=True, **POST))


@pytest.mark.parametrize("again", [None, True, False])
def test_a_pull_is_the_same_post_once_its_query_is_gone(bench: Any, account: Any, again: Any) -> None:
    """The journal keeps a digest of the URL, and no query. Whoever asks again gets the post that TikTok pulled."""
    opening(bench.tiktok, Elsewhere({PULLED: CLIP_BYTES}))
    account = bench.signed_in()
    begun = bench.run(account.post_video(f"{PULLED}?token=canary-of-a-token", **POST))
    assert (record_of(bench).wish.query, record_of(bench).wish.shown) == (None, f"{PULLED}?...")
    same = bench.run(account.post_video(f"{PULLED}?token=canary-of-a-token", upload=again, **POST))
    assert same.publish_id == begun.publish_id
    for other in (PULLED, f"{PULLED}?token=another"):
        with pytest.raises(InvalidPost, match="stands for another post"):
            bench.run(account.post_video(other, **POST))


def test_an_upload_is_not_gone_on_with_where_none_may_be(bench: Any, account: Any, elsewhere: Elsewhere) -> None:
    """`upload=False` under the key of an upload is refused while bytes would leave, and gets the post once it has ended."""
    elsewhere.troubles.append(SourceChanged(None, "it cannot be read now"))
    with pytest.raises(SourceChanged):
        bench.run(account.post_video(SIGNED, **POST))
    with pytest.raises(InvalidPost, match="upload: cannot be False: the post of 'wish' is an upload by now"):
        bench.run(account.post_video(SIGNED, upload=False, **POST))
    done = bench.run(account.post_video(SIGNED, **POST))
    assert bench.run(account.post_video(SIGNED, upload=False, **POST)).publish_id == done.publish_id


def test_a_pull_that_was_not_asked_for_becomes_the_upload_that_is_wanted(bench: Any, account: Any) -> None:
    """Before its first init a later call may want its bytes sent; from then on the post goes on as it began."""
    opening(bench.tiktok, Elsewhere({PULLED: CLIP_BYTES}))
    account = bench.signed_in()
    bench.run(account.enter_video(PULLED, **POST))
    sent = inits(bench)
    record = bench.run(account.enter_video(PULLED, upload=True, **POST))
    assert (record.is_entered, record.wish.is_pulled, record.plan.video_size) == (True, False, len(CLIP_BYTES))
    assert bench.run(account.resume(KEY)).status == "PUBLISH_COMPLETE"
    bench.run(account.post_video(PULLED, privacy_level="SELF_ONLY", key="pulled", wait=False))
    bench.run(account.post_video(PULLED, upload=True, privacy_level="SELF_ONLY", key="pulled"))
    assert sent == ["upload", "pull"]


def test_a_process_that_works_on_a_pull_goes_on_as_it_was_wished(bench: Any, account: Any) -> None:
    """Its lease keeps another call from changing the post under its hands."""
    opening(bench.tiktok, Elsewhere({PULLED: CLIP_BYTES}))
    account = bench.signed_in()
    record = bench.run(account.enter_video(PULLED, **POST))
    now = bench.clock.now()
    assert bench.journal.try_lease(record.name, owner="another", now=now, until=now + timedelta(seconds=10)) is not None
    assert bench.run(account.enter_video(PULLED, upload=True, **POST)).wish.is_pulled


def test_a_client_that_opens_nothing_leaves_an_upload_to_others(bench: Any, account: Any, elsewhere: Elsewhere) -> None:
    """It does not end a post that another process can go on with."""
    elsewhere.troubles.append(SourceChanged(None, "it cannot be read now"))
    with pytest.raises(SourceChanged):
        bench.run(account.post_video(SIGNED, **POST))
    opening(bench.tiktok, None)
    with pytest.raises(SourceChanged, match="this client was given no open_source"):
        bench.run(bench.signed_in().resume(KEY))
    opening(bench.tiktok, elsewhere)
    assert bench.run(bench.signed_in().resume(KEY)).status == "PUBLISH_COMPLETE"


# --- What is refused before anything is sent -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("video", "options", "said"),
    [
        (ELSEWHERE, {"chunk_size": 6_000_000}, "chunk_size: is for uploads; .*--upload"),
        ("http://media.example.com/clip.mp4", {}, "https URLs only, not http; with `upload=True`"),
        ("https://10.0.0.1/clip.mp4", {}, "from the address 10.0.0.1; with `upload=True`"),
        ("https://me:secret@media.example.com/clip.mp4", {}, "must not contain a user name$"),
        ("https://me:secret@media.example.com/clip.mp4", {"upload": True}, "must not contain a user name$"),
        ("https://media.example.com/a b.mp4", {"upload": True}, "contains a blank"),
        ("https://media.example.com/clip.mp4?x=1#part", {"upload": True}, "has a fragment"),
        ("/no/such/file.mp4", {"upload": False}, "there is no file.*upload: can be False for a URL only"),
        ("https://nothing.example.com/clip.mp4", {"upload": True}, "HTTP 404"),
    ],
)
def test_a_name_that_cannot_work_is_refused(
    bench: Any, account: Any, video: str, options: dict[str, Any], said: str
) -> None:
    """One sentence for each problem, and the way out where there is one."""
    with pytest.raises(InvalidPost, match=said) as caught:
        bench.run(account.post_video(video, privacy_level="SELF_ONLY", **options))
    assert "secret" not in str(caught.value)
    assert bench.journal.records() == ()


def test_a_client_without_an_opener_says_so(bench: Any) -> None:
    """The error names the URL without its query."""
    opening(bench.tiktok, None)
    account = bench.signed_in()
    with pytest.raises(InvalidPost, match=r"clip.mp4\?\.\.\. is a URL, and this client was given no open_source"):
        bench.run(account.post_video(SIGNED, upload=True, **POST))


def test_a_check_says_what_would_be_sent(bench: Any, account: Any) -> None:
    """Of an upload the plan, of a pull none; and no check asks TikTok."""
    post = VideoPost(privacy_level="SELF_ONLY")
    pulled = bench.run(bench.tiktok.check_video(SIGNED, post))
    uploaded = bench.run(bench.tiktok.check_video(SIGNED, post, upload=True))
    assert (pulled.plan, uploaded.plan.video_size) == (None, len(CLIP_BYTES))
    assert pulled.is_same(uploaded)
    assert uploaded.is_same(pulled)
    assert (pulled.shown, uploaded.shown) == (f"{ELSEWHERE}?...",) * 2


def test_trouble_on_the_way_to_an_upload_stays_trouble(bench: Any, account: Any) -> None:
    """What was refused as a pull and then cannot reach TikTok is gone on with as an upload."""
    bench.sim.faults.add(parse_fault("init:2x9=unreachable"))
    with pytest.raises(NotSent):
        bench.run(account.post_video(SIGNED, **POST))
    bench.sim.faults.clear()
    sent = inits(bench)
    assert bench.run(account.post_video(SIGNED, **POST)).status == "PUBLISH_COMPLETE"
    assert sent == ["upload"]
