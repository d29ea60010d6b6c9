"""What follows from an answer about a post that TikTok has, or may have: one table for each kind of answer."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from attrs import evolve

from tiktok_core.domain.journal import Record, Stage, Wish
from tiktok_core.domain.kept_refusal import Refusal
from tiktok_core.domain.posts import PhotoPost, VideoPost
from tiktok_core.domain.publishing import Publication, PublishStatus
from tiktok_core.domain.verdicts import (
    after_end,
    after_forgotten,
    after_handover,
    after_patience,
    after_person,
    after_reported_end,
    after_status,
    finished,
    is_forgotten,
    is_not_known_yet,
    is_status_of,
    not_refused,
    outcome_unknown,
    pause_before_question,
    says_nothing,
    still_processing,
    while_unknown,
)
from tiktok_core.errors import (
    ApiError,
    InvalidInput,
    Misused,
    NotSent,
    OutcomeUnknown,
    PostingRefused,
    PublishFailed,
    RateLimited,
    ServerError,
    StillProcessing,
    TikTokError,
    UnexpectedResponse,
)

NOW: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
PULL: Final = Wish(post=VideoPost(), video="https://media.example.com/a.mp4")
PHOTOS: Final = Wish(post=PhotoPost(photo_images=("https://media.example.com/1.jpg",)))
ENDS: Final = (Stage.COMPLETE, Stage.IN_INBOX, Stage.FAILED, Stage.ABANDONED, Stage.GIVEN_UP)


def record(stage: Stage, **changes: Any) -> Record:
    """Return a record of a pull in this stage."""
    given: dict[str, Any] = {"wish": PULL, "publish_id": "p", "handed_at": NOW, "created_at": NOW, **changes}
    return Record(key="k", app="a", account="o", stage=stage, updated_at=NOW, **given)


@pytest.mark.parametrize(("stage", "again_in"), [(Stage.PROCESSING, 1.0), (Stage.UPLOADING, 0.0)])
def test_what_tiktok_has_is_asked_about_in_a_second(stage: Stage, again_in: float) -> None:
    """While bytes are missing, the next chunk leaves at once."""
    assert after_handover(record(stage)).again_in == again_in


@pytest.mark.parametrize("stage", Stage)
def test_after_a_status_an_ended_post_is_left_alone(stage: Stage) -> None:
    """The client asks about any other post again, the later the longer ago TikTok got it."""
    now = NOW + timedelta(seconds=4)
    verdict = after_status(record(stage), now)
    assert verdict.again_in == (None if stage in ENDS else 3.0)
    assert (verdict.record, verdict.error) == (record(stage), None)
    assert after_end(record(stage)).again_in is None


def test_the_pause_counts_from_the_handover() -> None:
    """The pause counts from the wish if TikTok has got nothing yet."""
    later = NOW + timedelta(seconds=2)
    assert pause_before_question(record(Stage.PROCESSING), later) == 2.0
    assert pause_before_question(record(Stage.PROCESSING, handed_at=None, created_at=later), later) == 1.0


def test_an_end_that_tiktok_reports_is_stored() -> None:
    """The record has TikTok's own words."""
    said = Publication(publish_id="p", status=PublishStatus.FAILED, fail_reason="internal")
    verdict = after_reported_end(record(Stage.UPLOADING), NOW, said)
    assert (verdict.record.stage, verdict.record.last, verdict.again_in) == (Stage.FAILED, said, None)


@pytest.mark.parametrize(("wish", "what"), [(PULL, "The video post"), (PHOTOS, "The photo post")])
def test_an_unknown_outcome_waits_for_a_person(wish: Wish, what: str) -> None:
    """The error says what TikTok may have posted, and when."""
    lost = record(Stage.UNKNOWN, wish=wish, init_at=NOW)
    verdict = while_unknown(lost)
    assert isinstance(verdict.error, OutcomeUnknown)
    assert str(verdict.error).startswith(what)
    assert verdict.record == lost
    assert str(outcome_unknown(lost, "a reason")).startswith(what)


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("posted", [True, False])
def test_a_person_settles_an_unknown_outcome_alone(stage: Stage, posted: bool) -> None:
    """For any other stage the call is refused, and nothing is stored."""
    verdict = after_person(record(stage), NOW, posted=posted)
    if stage is Stage.UNKNOWN:
        assert verdict.record.stage is (Stage.COMPLETE if posted else Stage.ABANDONED)
        assert verdict.error is None
    else:
        assert verdict.record == record(stage)
        assert isinstance(verdict.error, InvalidInput)
        assert str(stage) in str(verdict.error)


@pytest.mark.parametrize("stage", Stage)
def test_patience_ends_with_what_is_known(stage: Stage) -> None:
    """The error does not say of a post with an unknown outcome that TikTok processes it."""
    error = after_patience(record(stage), 9.0, NotSent("POST", "no route"))
    assert isinstance(error, OutcomeUnknown if stage is Stage.UNKNOWN else StillProcessing)


def test_a_post_that_goes_on_is_told_with_its_last_status() -> None:
    """The error has the last status, and the trouble that ended the wait, if any."""
    known = Publication(publish_id="p", status="PROCESSING_DOWNLOAD")
    assert "no route" in str(still_processing(known, 9.0, NotSent("POST", "no route")))
    assert still_processing(known, 9.0).status == "PROCESSING_DOWNLOAD"


UNKNOWN_ID: Final = ApiError("invalid_publish_id", "", "", 400)


@pytest.mark.parametrize(
    ("error", "seconds", "early", "nothing"),
    [
        (UNKNOWN_ID, 0, True, True),
        (UNKNOWN_ID, 59, True, True),
        (UNKNOWN_ID, 60, False, False),
        (UNKNOWN_ID, None, False, False),
        (ApiError("scope_not_authorized", "", "", 401), 0, False, False),
        (ServerError("internal_error", "", "", 500), 60, False, True),
        (RateLimited("rate_limit_exceeded", "", "", 429), None, False, True),
        (NotSent("POST", "no route"), 60, False, True),
        (Misused("POST", "the transport is closed"), 0, False, False),
        (UnexpectedResponse("POST", "no JSON"), 0, False, False),
    ],
)
def test_which_answers_say_nothing_about_a_post(
    error: TikTokError, seconds: int | None, *, early: bool, nothing: bool
) -> None:
    """That TikTok does not know an id says nothing in the first minute after our init, and only of a post in the journal."""
    begun = record(Stage.PROCESSING, init_at=None if seconds is None else NOW)
    now = NOW + timedelta(seconds=seconds or 0)
    assert (is_not_known_yet(begun, now, error), says_nothing(begun, now, error)) == (early, nothing)
    assert is_forgotten(begun, now, error) == (getattr(error, "code", "") == "invalid_publish_id" and not early)
    assert not is_not_known_yet(None, now, error)
    assert says_nothing(None, now, error) == (nothing and not early)


@pytest.mark.parametrize("stage", [Stage.UPLOADING, Stage.PROCESSING, Stage.UNKNOWN])
def test_a_post_that_tiktok_has_forgotten_may_be_settled_by_a_person(stage: Stage) -> None:
    """Its outcome is not known, and since when TikTok had it stays as it was."""
    later = NOW + timedelta(days=3)
    verdict = after_forgotten(record(stage), later)
    assert (verdict.record.stage, verdict.record.handed_at, verdict.again_in) == (Stage.UNKNOWN, NOW, None)
    assert isinstance(verdict.error, OutcomeUnknown)
    assert "TikTok no longer knows its publish id" in str(verdict.error)
    assert after_person(verdict.record, later, posted=False).record.stage is Stage.ABANDONED


def test_a_failed_post_is_raised_and_any_other_returned() -> None:
    """The error has TikTok's reason."""
    done = Publication(publish_id="p", status=PublishStatus.PUBLISH_COMPLETE)
    assert finished(done) is done
    with pytest.raises(PublishFailed, match="internal"):
        finished(evolve(done, status=PublishStatus.FAILED, fail_reason="internal"))


def test_a_refused_post_is_refused_again_with_the_same_error() -> None:
    """If the reason was not stored, the error says so. Any other record is returned."""
    why = Refusal(kind="PostingRefused", what="spam_risk_too_many_posts", status=403)
    with pytest.raises(PostingRefused):
        not_refused(record(Stage.ABANDONED, refusal=why))
    with pytest.raises(InvalidInput, match="why was not written down"):
        not_refused(record(Stage.ABANDONED))
    assert not_refused(record(Stage.COMPLETE)) == record(Stage.COMPLETE)


@pytest.mark.parametrize(
    ("stage", "publish_id", "its_own"),
    [
        *((stage, "p", True) for stage in Stage if stage not in (Stage.PLANNED, Stage.INIT_SENT, Stage.ABANDONED)),
        *((stage, "p", False) for stage in (Stage.PLANNED, Stage.INIT_SENT, Stage.ABANDONED)),
        *((stage, "q", False) for stage in Stage),
        *((stage, None, False) for stage in Stage),
    ],
)
def test_a_status_is_written_into_the_record_of_its_post(stage: Stage, publish_id: str | None, its_own: bool) -> None:
    """The status goes into no other record: not after another init has left, and not with another publish id."""
    assert is_status_of(record(stage), publish_id) == its_own
