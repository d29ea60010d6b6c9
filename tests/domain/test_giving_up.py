"""Which posts a person may give up: one table of stages for files, and one for what TikTok pulls."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from attrs import evolve

from tiktok_core.domain.chunks import plan_chunks
from tiktok_core.domain.events import DraftDelivered, status_after
from tiktok_core.domain.forgetting import Trace, is_free, lasting, trace_of, trace_refusal
from tiktok_core.domain.giving_up import after_giving_up, why_not
from tiktok_core.domain.journal import UPLOAD_LIFE, Record, Stage, Wish
from tiktok_core.domain.kept_refusal import given_up_at
from tiktok_core.domain.posts import PhotoPost, VideoPost
from tiktok_core.domain.publishing import NOT_POSTED, Publication, PublishStatus
from tiktok_core.domain.schedule import schedule
from tiktok_core.domain.tokens import Secret
from tiktok_core.domain.verdicts import is_status_of, not_refused
from tiktok_core.errors import InvalidInput, InvalidPost

NOW: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER: Final = NOW + timedelta(minutes=5)
PLAN: Final = plan_chunks(70_000_000)
FILE: Final = Wish(post=VideoPost(), video="/a.mp4", fingerprint="f", plan=PLAN)
PULL: Final = Wish(post=VideoPost(), video="https://media.example.com/a.mp4")
PHOTOS: Final = Wish(post=PhotoPost(photo_images=("https://media.example.com/1.jpg",)))
ENDED: Final = "nothing to give up"
FILES: Final[list[tuple[Stage, dict[str, Any], str | None]]] = [
    (Stage.PLANNED, {}, None),
    (Stage.INIT_SENT, {"inits": 1, "init_at": NOW}, None),
    (Stage.UPLOADING, {"publish_id": "p"}, None),
    (Stage.UPLOADING, {"publish_id": "p", "offset": 60_000_000}, None),
    (Stage.UPLOADING, {"publish_id": "p", "last_left": True}, "its last byte may have reached TikTok"),
    (Stage.UPLOADING, {"publish_id": "p", "offset": 70_000_000}, "damaged"),
    (Stage.UPLOADING, {"publish_id": "p", "plan": None}, "damaged"),
    (Stage.PROCESSING, {"publish_id": "p"}, "TikTok has the whole file"),
    (Stage.UNKNOWN, {}, "settle it as posted or as not posted"),
    (Stage.COMPLETE, {}, ENDED),
    (Stage.IN_INBOX, {}, ENDED),
    (Stage.FAILED, {}, ENDED),
    (Stage.ABANDONED, {}, "refused before anything was posted"),
]
PULLS: Final[list[tuple[Stage, dict[str, Any], str | None]]] = [
    (Stage.PLANNED, {}, None),
    (Stage.PLANNED, {"publish_id": "p", "others": ("q",)}, "TikTok has begun p and q"),
    (Stage.INIT_SENT, {}, "may be posted: the request that publishes it was sent"),
    (Stage.PROCESSING, {"publish_id": "p"}, "cancel p"),
    (Stage.UNKNOWN, {}, "settle it as posted or as not posted"),
    (Stage.COMPLETE, {}, ENDED),
    (Stage.IN_INBOX, {}, ENDED),
    (Stage.FAILED, {}, ENDED),
    (Stage.ABANDONED, {}, "refused before anything was posted"),
]


def record(wish: Wish, stage: Stage, **changes: Any) -> Record:
    """Return a record in this stage."""
    given: dict[str, Any] = {"plan": wish.plan, "upload_url": Secret("https://u"), **changes}
    return Record(key="k", app="a", account="o", wish=wish, stage=stage, created_at=NOW, updated_at=NOW, **given)


@pytest.mark.parametrize(
    ("wish", "stage", "changes", "why"),
    [(wish, *row) for wish, rows in ((FILE, FILES), (PULL, PULLS), (PHOTOS, PULLS)) for row in rows],
)
def test_what_may_have_been_published_is_not_given_up(
    wish: Wish, stage: Stage, changes: dict[str, Any], why: str | None
) -> None:
    """Each refusal says why, and changes nothing; everything else is given up, with the time of that."""
    before = record(wish, stage, **changes)
    verdict = after_giving_up(before, LATER)
    if why is None:
        assert verdict.error is None
        assert verdict.record == evolve(
            before, stage=Stage.GIVEN_UP, updated_at=LATER, upload_url=None, refusal=given_up_at(LATER)
        )
    else:
        assert verdict.record == before
        assert isinstance(verdict.error, InvalidInput)
        assert why in str(verdict.error)
    assert (why_not(before) is None) == (why is None)


def test_each_stage_of_a_post_is_in_the_tables() -> None:
    """Only `uploading` is no stage of what TikTok pulls, and what was given up has a test of its own."""
    assert {stage for stage, *_ in FILES} == set(Stage) - {Stage.GIVEN_UP}
    assert {stage for stage, *_ in PULLS} == set(Stage) - {Stage.GIVEN_UP, Stage.UPLOADING}


@pytest.mark.parametrize("wish", [FILE, PULL, PHOTOS], ids=["file", "pull", "photos"])
def test_what_was_given_up_stays_so(wish: Wish) -> None:
    """A second time changes nothing; its key is not free, later calls get its reason, and TikTok's status is written into it."""
    given = after_giving_up(record(wish, Stage.PLANNED), NOW).record
    assert after_giving_up(given, LATER) == after_giving_up(given, NOW)
    assert (after_giving_up(given, LATER).record, after_giving_up(given, LATER).error) == (given, None)
    assert not is_free(given)
    assert is_status_of(evolve(given, publish_id="p"), "p")
    with pytest.raises(InvalidPost, match="2026-03-01 12:00:00 UTC"):
        not_refused(given)


def test_the_trace_of_what_was_given_up_keeps_its_key() -> None:
    """It is not free, says that it was given up, and takes the place of a refusal only."""
    trace = trace_of(record(FILE, Stage.GIVEN_UP))
    assert not is_free(trace)
    assert (why_not(trace), trace.shown("k").status) == (None, NOT_POSTED)
    error = trace_refusal(trace, InvalidPost)
    assert isinstance(error, InvalidPost)
    assert "given up by a person" in str(error)
    refused = evolve(trace, end=Stage.ABANDONED)
    assert lasting(refused, trace) == trace
    for end in (None, Stage.FAILED, Stage.IN_INBOX, Stage.COMPLETE):
        assert lasting(evolve(trace, end=end), trace).end is end
        assert why_not(evolve(trace, end=end)) is not None


@pytest.mark.parametrize(
    ("end", "said"), [(None, "not known"), (Stage.ABANDONED, "why was not written down"), (Stage.COMPLETE, None)]
)
def test_what_a_trace_says_to_later_calls(end: Stage | None, said: str | None) -> None:
    """A post that TikTok took is shown; for any other the error says what is known."""
    error = trace_refusal(Trace(digest="d", end=end), InvalidInput)
    assert (error is None) == (said is None)
    assert said is None or said in str(error)


@pytest.mark.parametrize(
    ("wish", "stage", "changes", "stale"),
    [
        (FILE, Stage.PLANNED, {}, True),
        (FILE, Stage.INIT_SENT, {"init_at": NOW}, True),
        (FILE, Stage.UPLOADING, {"init_at": NOW, "publish_id": "p"}, True),
        (FILE, Stage.UNKNOWN, {"init_at": NOW, "publish_id": "p"}, True),
        (FILE, Stage.UPLOADING, {"init_at": NOW + timedelta(seconds=1), "publish_id": "p"}, False),
        (FILE, Stage.PROCESSING, {"init_at": NOW, "publish_id": "p"}, False),
        (FILE, Stage.COMPLETE, {"init_at": NOW}, False),
        (PHOTOS, Stage.PLANNED, {}, True),
        (PHOTOS, Stage.INIT_SENT, {"init_at": NOW}, False),
        (PHOTOS, Stage.UNKNOWN, {"init_at": NOW}, False),
    ],
)
def test_what_may_be_begun_again_after_an_hour_is_stale(
    wish: Wish, stage: Stage, changes: dict[str, Any], stale: bool
) -> None:
    """Whatever may send an init, once the hour of its upload URL is over; never what only waits for TikTok or a person."""
    assert record(wish, stage, **changes).is_stale(NOW + UPLOAD_LIFE) is stale
    assert not record(wish, stage, **changes).is_stale(NOW + UPLOAD_LIFE - timedelta(seconds=1))
    timed = record(wish, stage, **changes, schedule=schedule(NOW, None))
    assert not timed.is_stale(NOW + UPLOAD_LIFE), "its own latest time says when it is too late"


def test_a_draft_that_reaches_the_inbox_after_all_is_not_hidden() -> None:
    """TikTok's word counts: "not posted" is ours, and no end that an event could come too late for."""
    given_up = Publication(publish_id="p", status=NOT_POSTED)
    delivered = DraftDelivered(
        name="post.publish.inbox_delivered",
        client_key="app",
        open_id="me",
        created_at=NOW,
        signed_at=NOW,
        content={},
        create_time=None,
        publish_id="p",
    )
    assert status_after(delivered, given_up).status == PublishStatus.SEND_TO_USER_INBOX
    posted = evolve(given_up, status=PublishStatus.PUBLISH_COMPLETE)
    assert status_after(delivered, posted).status == PublishStatus.PUBLISH_COMPLETE
