"""Rows 9 to 13: what the upload host says about the bytes that it has, and how long its URL and the token are valid."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clips import HEAD
from example_counts import at_most
from tiktok_adapters.sources import BytesSource
from tiktok_adapters.transports.fake import ConnectionDropped
from tiktok_core import (
    OutcomeUnknown,
    PublishFailed,
    RateLimited,
    Stage,
    StillProcessing,
    TikTokError,
    UnexpectedResponse,
    UploadError,
    UploadExpired,
)
from tiktok_core.ports import FileSlice, Request, Response

CHUNK = 5_242_880
SIZE = 2 * CHUNK + 77 + 8
"""Bytes of the film, and of each of its chunks but the last."""
Handle = Callable[[], Response]


def has(bench: Any, count: int) -> None:
    """Let the upload host have the first `count` bytes of the film instead of what it had."""
    upload = next(iter(bench.sim.world.tasks.values())).upload
    upload.offset, upload._hasher, upload.last_range = 0, hashlib.sha256(), None
    upload.append(bench.film.read(0, count))
    upload.completed_at = bench.clock.now() if count == upload.size else None


def told(count: int, header: str) -> dict[str, str]:
    """Return the header that reports so many bytes."""
    last = count if header == "count" else count - 1
    return {} if header == "absent" or last < 0 else {"Content-Range": f"bytes 0-{last}/{SIZE}"}


# --- Row 9 -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", ["count", "last", "absent"])
@pytest.mark.parametrize(
    ("nth", "stored", "puts"),
    [(1, CHUNK, 2), (2, SIZE, 2), (2, 0, 4), (2, 1_000, 4), (2, CHUNK + 1_000, 3), (1, 0, 3), (2, CHUNK, 3)],
    ids=["ahead", "all there", "lost all", "lost much", "half a chunk ahead", "contradicts", "contradicts later"],
)
def test_row_09_a_range_that_does_not_fit_is_settled(bench: Any, header: str, nth: int, stored: int, puts: int) -> None:
    """After 416, TikTok is ahead of the client, behind it, or says nothing.

    The client continues where TikTok stands, byte for byte.
    """
    bench.sim.switches.progress_header = "last" if header == "last" else "count"

    def refuse(_request: Request, _handle: Handle) -> Response:
        has(bench, stored)
        return Response(416, told(stored, header))

    bench.sim.says("put", refuse, nth=nth)
    bench.post_film()
    assert bench.way.sent.count("put") == puts
    assert bench.sim.count("video_init") == 1


@pytest.mark.parametrize("said", [None, 0, 1, CHUNK, SIZE, SIZE + 1, 10**14])
def test_row_09_ranges_that_never_fit_are_told(bench: Any, said: int | None) -> None:
    """The loop is bounded for any answer, TikTok posts nothing, and the journal keeps the post for later."""
    bench.sim.says("put", Response(416, {} if said is None else {"Content-Range": f"bytes 0-{said}/{SIZE}"}), times=99)
    end = bench.outcome(lambda _: bench.post_film())
    assert type(end) is UploadError
    assert end.status == 416
    assert bench.way.sent.count("put") == 6
    kept(bench)


def test_row_09_a_host_that_forgets_is_not_fed_for_ever(bench: Any) -> None:
    """The host acknowledges each chunk and loses it again. The client counts no progress, so the loop is bounded."""

    def forgets(request: Request, _handle: Handle) -> Response:
        first = next(value for name, value in request.headers.items() if name.lower() == "content-range")
        return Response(206 if first.startswith("bytes 0-") else 416)

    bench.sim.says("put", forgets, times=9_999)
    end = bench.outcome(lambda _: bench.post_film())
    assert type(end) is UploadError
    assert bench.way.sent.count("put") == 12
    assert bench.clock.slept < 60
    kept(bench)


def kept(bench: Any) -> None:
    """Assert that the journal keeps the post, and that it can be resumed once TikTok makes sense again."""
    (record,) = bench.journal.records()
    assert record.stage is Stage.UPLOADING
    bench.check_posts()
    bench.sim.silence()
    bench.post_film()
    assert bench.sim.count("video_init") == 1


# --- Row 10 ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", ["count", "last"])
@pytest.mark.parametrize(("nth", "stored"), [(1, 1_000), (1, 0), (2, CHUNK + 1_000), (2, CHUNK)])
def test_row_10_an_acknowledgement_of_less_is_gone_on_from(bench: Any, header: str, nth: int, stored: int) -> None:
    """206 acknowledges less than was sent. The client sends the rest from there, and TikTok has each byte once."""
    bench.sim.switches.progress_header = header

    def less(_request: Request, _handle: Handle) -> Response:
        has(bench, stored)
        return Response(206, told(stored, header))

    bench.sim.says("put", less, nth=nth)
    bench.post_film()
    # A last offset cannot say that there are no bytes, so the next chunk finds out.
    assert bench.way.sent.count("put") == (4 if (header, stored) == ("last", 0) else 3)


@pytest.mark.parametrize(
    ("status", "said"), [(206, CHUNK + 1), (206, SIZE), (201, None), (200, None), (204, None), (202, 5)]
)
def test_row_10_an_acknowledgement_of_more_is_not_believed(bench: Any, status: int, said: int | None) -> None:
    """The host acknowledges more than was sent, or success before the last byte.

    The answer is unexpected, and the journal keeps the post.
    """
    headers = {} if said is None else {"Content-Range": f"bytes 0-{said}/{SIZE}"}
    bench.sim.says("put", Response(status, headers))
    end = bench.outcome(lambda _: bench.post_film())
    assert type(end) is UnexpectedResponse
    assert end.status == status
    assert bench.way.sent.count("put") == 1
    kept(bench)


ENDS = (UploadError, UnexpectedResponse, OutcomeUnknown, PublishFailed, RateLimited, StillProcessing)
answers = st.builds(
    Response,
    st.sampled_from([200, 201, 202, 204, 206, 206, 206, 400, 403, 404, 408, 409, 416, 416, 416, 429, 500, 503]),
    st.one_of(
        st.just({}),
        st.integers(0, 2 * SIZE).map(lambda said: {"Content-Range": f"bytes 0-{said}/{SIZE}"}),
        st.sampled_from([0, 1, CHUNK - 1, CHUNK, SIZE - 1, SIZE]).map(
            lambda said: {"Content-Range": f"bytes 0-{said}/{SIZE}", "Retry-After": "1"}
        ),
        st.text("bytes 0-9/*", max_size=20).map(lambda text: {"Content-Range": text}),
    ),
)


@settings(max_examples=at_most(60), suppress_health_check=list(HealthCheck))
@given(script=st.lists(st.tuples(st.integers(1, 5), answers, st.booleans()), min_size=1, max_size=4))
def test_row_10_whatever_the_upload_host_says_the_bytes_are_the_files(
    open_bench: Any, script: list[tuple[int, Response, bool]]
) -> None:
    """The host answers with any status and range, and stores the bytes or not.

    There is at most one post with the file's bytes, and a typed end.
    """
    with open_bench("blocking") as bench:
        for nth, answer, is_stored in script:
            bench.sim.says("put", lambda _, handle, a=answer, s=is_stored: (handle() if s else None, a)[1], nth=nth)
        for _ in range(2):
            end = bench.outcome(lambda _: bench.post_film())
            # The client waits for the post after a last chunk that was acknowledged and not stored.
            assert isinstance(end, ENDS) or end.is_final
            bench.check_posts()
            bench.sim.silence()
            bench.clock.advance(120)


# --- Row 11 ----------------------------------------------------------------------------------------------------------


LONG = BytesSource(HEAD + bytes(3 * CHUNK))
"""A film of three chunks."""


def dead(bench: Any, status: int) -> Callable[[Request, Handle], Response]:
    """Return the answer of a host whose upload URL has just died."""

    def says(_request: Request, _handle: Handle) -> Response:
        next(reversed(bench.sim.world.tasks.values())).upload.expires_at = bench.clock.now()
        return Response(status)

    return says


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize("then", ["stay", "fail"])
def test_row_11_an_upload_url_that_dies_is_replaced(bench: Any, status: int, nth: int, then: str) -> None:
    """It dies at the first chunk, in between or at the last.

    TikTok says that bytes are missing, so the client begins the file again.
    """
    bench.film = LONG
    bench.sim.switches.expired_upload = then
    bench.sim.says("put", dead(bench, status), nth=nth)
    bench.post_film()
    assert bench.sim.count("video_init") == 2
    assert bench.way.sent.count("put") == nth + 3


@pytest.mark.parametrize(("then", "error"), [("stay", OutcomeUnknown), ("fail", PublishFailed)])
def test_row_11_a_last_chunk_in_doubt_is_not_begun_anew(bench: Any, then: str, error: type[TikTokError]) -> None:
    """TikTok does not say how much it has, and it may have all.

    So a person has to look, unless TikTok has given the post up.
    """
    bench.sim.switches.expired_upload, bench.sim.switches.failed_body = then, "short"

    def silent(_request: Request, handle: Handle) -> Response:
        document = json.loads(handle().body)
        document["data"].pop("uploaded_bytes", None)
        return Response(200, {}, json.dumps(document).encode())

    bench.sim.says("put", dead(bench, 403), nth=2)
    bench.sim.says("status", silent, times=999)
    for _ in range(2):
        end = bench.outcome(lambda _: bench.post_film())
        assert type(end) is error
        assert end.key == "wish"
    assert bench.sim.count("video_init") == 1


@settings(max_examples=at_most(80), suppress_health_check=list(HealthCheck))
@given(
    world=st.sampled_from(["blocking", "asynchronous"]),
    answer=st.sampled_from([408, 500, 503, "lost", "truncated", "killed"]),
    resent=st.sampled_from(["refuse", "forget", "expire"]),
    late=st.tuples(st.sampled_from([0.0, 1.0, 8.0, 100.0, 2_000.0]), st.sampled_from(["stored", "chunks", "missing"])),
    dies=st.booleans(),
)
def test_row_11_a_last_chunk_that_was_stored_is_not_posted_again(
    open_bench: Any, *, world: str, answer: Any, resent: str, late: tuple[float, str], dies: bool
) -> None:
    """Its answer was lost, its upload forgotten, and the status is late.

    A count that is short is no reason to begin again.
    """
    lag, counts = late
    with open_bench(world) as bench:
        bench.sim.switches.flip({"status_lag_seconds": lag, "uploaded_bytes": counts, "processing_seconds": 20})
        bench.sim.switches.finished_upload = "forget" if resent == "forget" else "refuse"

        def stored(request: Request, handle: Handle) -> Response:
            handle()
            if resent == "expire":
                dead(bench, 403)(request, handle)
            if answer == "killed":
                raise KeyboardInterrupt
            if answer == "lost":
                raise ConnectionDropped(sent=True)
            return Response(200, {"content-length": "9"}) if answer == "truncated" else Response(answer)

        bench.sim.says("put", stored, nth=2)
        for _ in range(2):
            try:
                end = bench.outcome(lambda _: bench.post_film())
            except KeyboardInterrupt:
                end = None
            bench.check_posts()
            assert bench.sim.count("video_init") == 1
            assert end is None or not isinstance(end, TikTokError) or isinstance(end, (OutcomeUnknown, StillProcessing))
            bench.clock.advance(7_200 if dies else 60)
        if lag < 900:
            assert bench.outcome(lambda _: bench.post_film()).is_final


def test_row_11_a_post_that_is_unknown_is_told_by_tiktok_in_the_end(near: Any) -> None:
    """TikTok reports later what was unknown at the time. The client asks again, and no person has to decide."""
    near.sim.switches.flip({"status_lag_seconds": 1_000, "finished_upload": "forget"})
    near.sim.says("put", lambda _, handle: (handle(), Response(503))[1], nth=2)
    end = near.outcome(lambda _: near.post_film())
    assert isinstance(end, OutcomeUnknown)
    assert near.journal.records()[0].stage is Stage.UNKNOWN
    near.clock.advance(200)
    near.post_film()
    assert near.sim.count("video_init") == 1


def test_row_11_only_that_bytes_are_missing_lets_an_upload_in_doubt_begin_anew(near: Any) -> None:
    """The client died while the last chunk left, and an hour later TikTok has given the post up.

    One fresh init makes one post.
    """

    def killed(request: Request, _handle: Handle) -> Response:
        assert isinstance(request.body, FileSlice)
        assert list(request.body.blocks())
        raise KeyboardInterrupt

    near.sim.says("put", killed, nth=2)
    with pytest.raises(KeyboardInterrupt):
        near.post_film()
    near.clock.advance(7_200)
    end = near.outcome(lambda _: near.post_film())
    assert isinstance(end, OutcomeUnknown)
    assert near.sim.count("video_init") == 1
    near.sim.switches.expired_upload = "fail"
    near.post_film()
    assert near.sim.count("video_init") == 2


@pytest.mark.parametrize("polls", [1, 3])
def test_row_11_an_upload_url_that_dies_while_tiktok_does_not_know_the_post_yet_is_replaced(
    near: Any, polls: int
) -> None:
    """Before a fresh init TikTok is asked until it knows the post."""
    near.sim.switches.status_unknown_polls = polls
    near.sim.says("put", dead(near, 403))
    near.post_film()
    assert near.sim.count("video_init") == 2
    assert near.way.sent.count("status") > polls


@pytest.mark.parametrize("reason", ["duration_check_failed", "spam_risk", "auth_removed"])
def test_row_11_a_post_that_failed_for_its_own_sake_is_not_begun_anew(bench: Any, reason: str) -> None:
    """The same file would fail again, so the error gives the reason."""

    def failed(request: Request, handle: Handle) -> Response:
        task = next(iter(bench.sim.world.tasks.values()))
        task.cut = (bench.clock.now(), reason)
        return dead(bench, 403)(request, handle)

    bench.sim.says("put", failed)
    end = bench.outcome(lambda _: bench.post_film())
    assert type(end) is PublishFailed
    assert end.reason == reason
    assert bench.sim.count("video_init") == 1


@pytest.mark.parametrize("status", [403, 404])
def test_row_11_upload_urls_are_not_replaced_for_ever(bench: Any, status: int) -> None:
    """A key may cost three inits at most, because each may take one of the creator's pending shares."""
    bench.sim.says("put", Response(status), times=99)
    end = bench.outcome(lambda _: bench.post_film())
    assert type(end) is UploadExpired
    assert end.status == status
    assert bench.sim.count("video_init") == 3


# --- Row 12 ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("repeated", ["refuse", "accept"])
@pytest.mark.parametrize("heard", [0, 1])
@pytest.mark.parametrize("nth", [1, 2])
def test_row_12_a_chunk_that_arrives_twice_is_stored_once(bench: Any, repeated: str, heard: int, nth: int) -> None:
    """A network doubles a chunk. The client may get either answer, and TikTok may make anything of the second chunk."""
    bench.sim.switches.repeat_chunk = repeated
    bench.sim.says("put", lambda _, handle: (handle(), handle())[heard], nth=nth)
    bench.post_film()
    assert bench.way.sent.count("put") == 2
    assert bench.sim.count("put") == 3


@pytest.mark.parametrize(
    "fault", ["reset-request:0", "reset-body:0", "reset-body:3000000", "reset-answer:0", "cut-answer:9"]
)
@pytest.mark.parametrize("nth", [1, 2])
def test_row_12_a_chunk_leaves_once(bench: Any, fault: str, nth: int) -> None:
    """On an idle or a new connection, the server gets each chunk as often as the client gave it to its transport."""
    bench.run(bench.account.creator_info())
    bench.way.when("put", lambda: bench.front.on_request(1, fault), nth=nth)
    bench.post_film()
    assert len(bench.front.requests) == len(bench.way.sent)
    assert [name.partition(" ")[0] for name in bench.front.requests].count("PUT") == bench.way.sent.count("put")


@pytest.mark.parametrize("polls", [1, 2, 3])
@pytest.mark.parametrize("is_stored", [True, False])
@pytest.mark.parametrize("nth", [1, 2])
def test_row_12_a_chunk_lost_while_tiktok_does_not_know_the_post_yet_is_sent_again(
    near: Any, polls: int, is_stored: bool, nth: int
) -> None:
    """A new publish id is unknown at the first questions. That says nothing, so one init makes one post with every byte."""
    near.sim.switches.status_unknown_polls = polls

    def lost(_request: Request, handle: Handle) -> Response:
        if is_stored:
            handle()
        raise ConnectionDropped(sent=True)

    near.sim.says("put", lost, nth=nth)
    near.post_film()
    assert near.sim.count("video_init") == 1
    assert near.way.sent.count("status") > polls


def lost_a_minute_later(near: Any) -> Callable[[Request, Handle], Response]:
    """Return an answer that never comes, to a chunk that takes a minute."""

    def answer(_request: Request, handle: Handle) -> Response:
        handle()
        near.clock.advance(60)
        raise ConnectionDropped(sent=True)

    return answer


def test_row_12_an_upload_whose_id_tiktok_has_forgotten_is_begun_again(near: Any) -> None:
    """Without its last byte it was never published, so another init makes no second post."""
    near.sim.switches.status_unknown_polls = 10**6

    def again(_request: Request, handle: Handle) -> Response:
        near.sim.switches.status_unknown_polls = 0
        return handle()

    near.sim.says("put", lost_a_minute_later(near))
    near.sim.says("video_init", again, nth=2)
    near.post_film()
    assert near.sim.count("video_init") == 2


def test_row_12_an_upload_that_tiktok_never_knows_is_not_begun_for_ever(near: Any) -> None:
    """Three inits at most, as where upload URLs die."""
    near.sim.switches.status_unknown_polls = 10**6
    near.sim.says("put", lost_a_minute_later(near), times=99)
    end = near.outcome(lambda _: near.post_film())
    assert type(end) is UploadExpired
    assert "no longer knows its publish id" in str(end)
    assert near.sim.count("video_init") == 3


def test_row_12_a_whole_upload_whose_id_tiktok_has_forgotten_is_for_a_person_to_settle(near: Any) -> None:
    """Its last byte has left, so it may be published: no init follows. Each later call asks TikTok once more."""
    near.sim.switches.status_unknown_polls = 10**6
    near.sim.says("put", lost_a_minute_later(near), nth=2)
    for _ in range(2):
        end = near.outcome(lambda _: near.post_film())
        assert type(end) is OutcomeUnknown
        assert "no longer knows its publish id" in str(end)
        (record,) = near.journal.records()
        assert record.stage is Stage.UNKNOWN
    near.sim.switches.status_unknown_polls = 0
    assert near.post_film().status == "PUBLISH_COMPLETE"
    assert near.sim.count("video_init") == 1


# --- Row 13 ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("where", "nth"), [("video_init", 1), ("put", 1), ("put", 2), ("status", 1), ("status", 3)])
@pytest.mark.parametrize("is_known", [True, False], ids=["in time", "by a 401"])
def test_row_13_a_token_that_ends_on_the_way_never_begins_another_post(
    bench: Any, where: str, nth: int, is_known: bool
) -> None:
    """The token ends before, between or after the chunks. The chunks need no token: one init and one renewal."""
    bench.sim.switches.processing_seconds = 100
    bench.sim.switches.access_seconds = 600
    bench.run(bench.account.refresh())

    def ends(_request: Request, handle: Handle) -> Response:
        response = handle()
        if is_known:
            bench.clock.advance(600)
        else:
            for token in bench.sim.world.tokens.values():
                token.dead |= token.kind == "access"
        return response

    bench.sim.says(where, ends, nth=nth)
    bench.post_film()
    assert bench.sim.count("video_init") == 1
    assert bench.way.sent.count("put") == 2
    assert bench.way.sent.count("token") == 2


def test_row_13_a_token_that_ends_at_once_is_renewed_while_waiting(near: Any) -> None:
    """Each token is valid for a second, and the wait takes two minutes.

    The client renews it again and again, with one init.
    """
    near.sim.switches.access_seconds, near.sim.switches.processing_seconds = 1, 120
    near.run(near.account.refresh())
    near.post_film()
    assert near.sim.count("video_init") == 1
    assert near.way.sent.count("token") > 3


def test_row_13_a_token_refused_at_the_init_is_renewed_and_the_init_repeated_once(bench: Any, step: Any) -> None:
    """A 401 proves that nothing was begun, so the client may repeat even a request that publishes by itself."""
    bench.sim.faults.add("init=expire")
    bench.check_end(bench.outcome(step.ask), None)
    assert bench.way.sent.count("token") == 1
    assert len(bench.sim.posts) == 1


def test_row_13_no_chunk_carries_a_token(bench: Any) -> None:
    """The secret in the upload URL is the only one that the upload host gets."""
    heads: list[Any] = []
    bench.sim.says("put", lambda request, handle: (heads.append(request.headers), handle())[1], times=2)
    bench.post_film()
    assert [{"authorization", "cookie"} & {name.lower() for name in head} for head in heads] == [set(), set()]
