"""What follows during the upload of a file: one table for each result of a request."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from tiktok_core.domain.chunk_answers import Doubt, Outcome
from tiktok_core.domain.chunks import plan_chunks
from tiktok_core.domain.init_verdicts import MOST_INITS
from tiktok_core.domain.journal import Record, Stage, Wish
from tiktok_core.domain.media import MediaType
from tiktok_core.domain.moves import leaving, unknown
from tiktok_core.domain.posts import VideoPost
from tiktok_core.domain.publishing import Publication, PublishStatus
from tiktok_core.domain.tokens import Secret
from tiktok_core.domain.upload_verdicts import (
    after_doubt,
    after_expired_url,
    at_offset,
    dead_url,
    expired_url,
    outcome_by_now,
    record_after_chunk,
    while_damaged,
)
from tiktok_core.domain.verdicts import Verdict
from tiktok_core.errors import (
    ApiError,
    Interrupted,
    OutcomeUnknown,
    ServerError,
    TikTokError,
    UploadError,
    UploadExpired,
)

NOW: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER: Final = NOW + timedelta(minutes=5)
SIZE: Final = 70_000_000
CHUNK: Final = 10_000_000
LAST: Final = 60_000_000
"""Where the last chunk begins."""
PLAN: Final = plan_chunks(SIZE)
FILE: Final = Wish(post=VideoPost(), video="/a.mp4", fingerprint="f", media_type=MediaType.MP4, plan=PLAN)
BROKEN: Final = Interrupted("PUT", "the line broke")
SILENT: Final = ServerError("internal_error", "", "", 500, None)
DEAD: Final = UploadExpired("p", "the upload URL has expired (it lives one hour)", 403)


def uploading(offset: int = 0, **changes: Any) -> Record:
    """Return the record of an upload under way."""
    return evolve(
        Record(key="k", app="a", account="o", wish=FILE, created_at=NOW, updated_at=NOW, plan=PLAN),
        **{
            "stage": Stage.UPLOADING,
            "inits": 1,
            "init_at": NOW,
            "publish_id": "p",
            "upload_url": Secret("https://u"),
            "offset": offset,
            **changes,
        },
    )


def status(word: str = "PROCESSING_UPLOAD", counted: int | None = None, reason: str = "") -> Publication:
    """Return TikTok's status of the post."""
    return Publication(publish_id="p", status=word, uploaded_bytes=counted, fail_reason=reason)


@pytest.mark.parametrize(
    ("offset", "trouble", "stage", "again_in"),
    [
        (CHUNK, None, Stage.UPLOADING, 0.0),
        (0, BROKEN, Stage.UPLOADING, 0.5),
        (SIZE, None, Stage.PROCESSING, 1.0),
        (SIZE, BROKEN, Stage.PROCESSING, 1.0),
    ],
)
def test_the_next_byte_is_the_one_after_what_tiktok_has(
    offset: int, trouble: TikTokError | None, stage: Stage, again_in: float
) -> None:
    """If every byte is there, TikTok works, and the client asks in a second.

    After trouble the next chunk waits a moment.
    """
    verdict = at_offset(uploading(20_000_000), LATER, offset, trouble)
    assert (verdict.record.stage, verdict.record.offset) == (stage, offset)
    assert (verdict.again_in, verdict.trouble, verdict.error) == (again_in, trouble, None)


def test_the_same_offset_changes_nothing() -> None:
    """Even the time at which the record was last true stays."""
    assert at_offset(uploading(CHUNK), LATER, CHUNK).record == uploading(CHUNK)


REFUSED: Final = UploadError("p", "TikTok has others", 416)
DOUBTS: Final = [
    # Without TikTok's status, only the upload host's figure is known.
    (0, None, SILENT, Stage.UPLOADING, 0, SILENT),
    (0, Doubt(BROKEN), SILENT, Stage.UPLOADING, 0, BROKEN),
    (0, Doubt(BROKEN, CHUNK - 1), SILENT, Stage.UPLOADING, CHUNK, BROKEN),
    (0, Doubt(BROKEN, SIZE - 1), SILENT, Stage.UPLOADING, 0, BROKEN),
    # The status counts bytes, and its count replaces the upload host's figure.
    (0, None, status(counted=20_000_000), Stage.UPLOADING, 20_000_000, None),
    (0, Doubt(BROKEN, CHUNK), status(counted=20_000_000), Stage.UPLOADING, 20_000_000, BROKEN),
    (LAST, Doubt(BROKEN), status(counted=SIZE), Stage.PROCESSING, SIZE, BROKEN),
    (LAST, Doubt(BROKEN), status(counted=SIZE + 5), Stage.PROCESSING, SIZE, BROKEN),
    # A status without a count leaves the upload host's figure.
    (0, Doubt(BROKEN, CHUNK - 1), status(), Stage.UPLOADING, CHUNK, BROKEN),
    (LAST, Doubt(BROKEN, SIZE - 1), status(), Stage.PROCESSING, SIZE, BROKEN),
    (0, Doubt(BROKEN), status(), Stage.UPLOADING, 0, BROKEN),
    # If the upload host refused to continue, the same offset is not the answer.
    (CHUNK, Doubt(REFUSED, 20_000_000, refused=True), status(counted=CHUNK), Stage.UPLOADING, 20_000_000, REFUSED),
    (CHUNK, Doubt(REFUSED, CHUNK, refused=True), status(counted=0), Stage.UPLOADING, 0, REFUSED),
]


@pytest.mark.parametrize(("offset", "doubt", "heard", "stage", "proved", "trouble"), DOUBTS)
def test_after_a_doubt_tiktoks_word_wins(  # noqa: PLR0917 - a row of the table
    offset: int,
    doubt: Doubt | None,
    heard: Publication | TikTokError,
    stage: Stage,
    proved: int,
    trouble: TikTokError | None,
) -> None:
    """In each row the count of the status decides, or else the only possible meaning of the upload host's figure."""
    verdict = after_doubt(uploading(offset), LATER, doubt, heard)
    assert (verdict.record.stage, verdict.record.offset, verdict.trouble) == (stage, proved, trouble)
    assert verdict.error is None


def test_bytes_that_the_upload_host_has_and_the_status_does_not_know_are_not_sent_again() -> None:
    """The last byte may be there: the outcome is unknown, and the client asks TikTok about it."""
    record = uploading(LAST, last_left=True)
    verdict = after_doubt(record, LATER, Doubt(REFUSED, SIZE - 1, refused=True), status(counted=LAST))
    assert (verdict.record.stage, verdict.error) == (Stage.UNKNOWN, None)
    assert verdict.again_in is not None
    plain = after_doubt(evolve(record, last_left=False), LATER, Doubt(REFUSED, SIZE - 1, refused=True), status())
    assert plain.record.stage is not Stage.UNKNOWN


@pytest.mark.parametrize("word", ["PUBLISH_COMPLETE", "SEND_TO_USER_INBOX", "FAILED"])
def test_an_end_that_tiktok_reports_is_an_end(word: str) -> None:
    """The end counts, whatever was in doubt."""
    verdict = after_doubt(uploading(), LATER, Doubt(BROKEN), status(word, reason="file_format_check_failed"))
    assert (verdict.record.is_ended, verdict.again_in, verdict.error) == (True, None, None)
    assert verdict.record.last == status(word, reason="file_format_check_failed")


RESTARTS, ASKS, ENDS = Stage.PLANNED, Stage.UNKNOWN, None
EXPIRED: Final = [
    # offset, last_left, TikTok's status, what follows
    (CHUNK, False, status(counted=CHUNK), RESTARTS),
    (CHUNK, False, status(), RESTARTS),
    (CHUNK, False, status("FAILED", CHUNK), RESTARTS),
    (CHUNK, False, status("FAILED", CHUNK, "internal"), RESTARTS),
    (CHUNK, False, status("FAILED", CHUNK, "file_format_check_failed"), Stage.FAILED),
    (LAST, True, status(counted=LAST), ASKS),
    (LAST, True, status(), ASKS),
    (LAST, True, status("FAILED", LAST), RESTARTS),
    (LAST, True, status("FAILED"), Stage.FAILED),
    (LAST, True, status(counted=SIZE), Stage.PROCESSING),
    (LAST, True, status("PUBLISH_COMPLETE"), Stage.COMPLETE),
    (LAST, False, status(counted=LAST), RESTARTS),
    (LAST, False, status(), ASKS),
]


@pytest.mark.parametrize(("offset", "last_left", "heard", "stage"), EXPIRED)
@pytest.mark.parametrize("known", [Stage.UPLOADING, Stage.UNKNOWN])
def test_after_an_expired_upload_url_no_second_post_is_begun(
    known: Stage, offset: int, last_left: bool, heard: Publication, stage: Stage
) -> None:
    """A fresh init follows only if the post cannot be complete. Otherwise the client asks TikTok until it knows."""
    record = uploading(offset, last_left=last_left, stage=known)
    verdict = after_expired_url(record, LATER, DEAD, heard)
    assert (verdict.record.stage, verdict.error) == (stage, None)
    assert verdict.trouble == (DEAD if stage is RESTARTS else None)
    assert verdict.again_in == 0.0 or stage is not RESTARTS
    assert (verdict.again_in is None) == verdict.record.is_ended


def test_an_upload_that_expires_too_often_is_given_up() -> None:
    """Each init may cost a pending share."""
    verdict = after_expired_url(uploading(inits=MOST_INITS), LATER, DEAD, status(counted=0))
    assert (verdict.record.stage, verdict.error) == (Stage.ABANDONED, DEAD)


def test_while_tiktok_cannot_be_asked_an_expired_upload_waits() -> None:
    """Nothing is known, so nothing begins."""
    verdict = after_expired_url(uploading(LAST, last_left=True), LATER, DEAD, SILENT)
    assert verdict.record == uploading(LAST, last_left=True)
    assert (verdict.again_in, verdict.trouble, verdict.error) == (0.5, SILENT, None)


FORGOTTEN: Final = ApiError("invalid_publish_id", "", "", 400, None)


@pytest.mark.parametrize(
    ("changes", "stage", "error"),
    [
        ({}, RESTARTS, None),
        ({"inits": MOST_INITS}, Stage.ABANDONED, UploadExpired),
        ({"last_left": True}, ASKS, OutcomeUnknown),
        ({"stage": Stage.UNKNOWN}, ASKS, OutcomeUnknown),
        ({"offset": SIZE + 1}, ASKS, OutcomeUnknown),
    ],
)
@pytest.mark.parametrize(
    "verdict",
    [
        lambda record, heard: after_doubt(record, LATER, Doubt(BROKEN), heard),
        lambda record, heard: after_expired_url(record, LATER, DEAD, heard),
    ],
)
def test_an_upload_whose_id_tiktok_has_forgotten_is_begun_again_only_without_its_last_byte(
    verdict: Callable[[Record, TikTokError], Verdict],
    changes: dict[str, Any],
    stage: Stage,
    error: type[TikTokError] | None,
) -> None:
    """In the first minute an unknown id says nothing."""
    found = verdict(uploading(**changes), FORGOTTEN)
    assert (found.record.stage, found.error and type(found.error)) == (stage, error)
    just_begun = uploading(**{**changes, "init_at": LATER})
    assert verdict(just_begun, FORGOTTEN).record == just_begun


@given(st.sampled_from([None, *range(0, SIZE + 1, CHUNK)]), st.sampled_from([*PublishStatus, "NEW"]), st.booleans())
def test_once_the_last_byte_may_be_there_only_a_failure_begins_another_upload(
    counted: int | None, word: str, is_known: bool
) -> None:
    """Whatever TikTok counts, the same key never makes a second post."""
    record = uploading(LAST, last_left=True, stage=Stage.UNKNOWN if is_known else Stage.UPLOADING)
    heard = status(word, counted)
    verdict = after_expired_url(record, LATER, DEAD, heard)
    assert verdict.record.stage is not Stage.PLANNED or (heard.is_failed and counted is not None and counted < SIZE)


def test_an_upload_url_lives_an_hour() -> None:
    """After that a doubt about a chunk means a dead URL. A chunk that arrived does not."""
    over = NOW + timedelta(hours=1)
    doubt = Doubt(BROKEN)
    assert expired_url(uploading(), LATER) is None
    assert isinstance(expired_url(uploading(), over), UploadExpired)
    assert outcome_by_now(uploading(), LATER, doubt) == doubt
    assert isinstance(outcome_by_now(uploading(), over, doubt), UploadExpired)
    assert outcome_by_now(uploading(), over, CHUNK) == CHUNK
    assert outcome_by_now(uploading(), LATER, DEAD) is DEAD
    assert dead_url(uploading()).publish_id == "p"


@pytest.mark.parametrize(
    ("outcome", "arrived"),
    [(SIZE, True), (Doubt(BROKEN), True), (Doubt(BROKEN, may_have_come=False), False), (DEAD, False)],
    ids=["proved", "doubt", "doubt, and it stopped before", "refused"],
)
def test_the_journal_says_of_a_last_byte_what_may_be_true(outcome: Outcome, arrived: bool) -> None:
    """If the last byte certainly did not arrive, the record is as it was before it left."""
    before = uploading(LAST)
    departing = leaving(before, LATER)
    assert record_after_chunk(departing, before, outcome) == (departing if arrived else before)


@pytest.mark.parametrize(
    ("changes", "damaged"),
    [({}, False), ({"offset": SIZE}, False), ({"offset": SIZE + 1}, True), ({"plan": None}, True)],
)
def test_an_upload_whose_record_makes_no_sense_sends_nothing(changes: dict[str, Any], damaged: bool) -> None:
    """Its figures contradict one another: an error says so, and the outcome is unknown until a person settles it."""
    record = evolve(uploading(), **changes)
    verdict = while_damaged(record, LATER)
    assert (verdict is not None) == damaged
    if verdict is not None:
        assert isinstance(verdict.error, UploadError)
        assert verdict.record == unknown(record, LATER)
        heard = Publication(publish_id="p", status=PublishStatus.PROCESSING_UPLOAD, uploaded_bytes=SIZE)
        asked = after_expired_url(verdict.record, LATER, DEAD, heard)
        assert asked.record.stage is Stage.UNKNOWN
        final = evolve(heard, status=PublishStatus.PUBLISH_COMPLETE)
        assert after_expired_url(verdict.record, LATER, DEAD, final).record.stage is Stage.COMPLETE
