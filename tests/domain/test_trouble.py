"""When the client gives up after steps that fail again and again."""

from datetime import UTC, datetime
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_core.domain.chunks import plan_chunks
from tiktok_core.domain.journal import Record, Stage, Wish
from tiktok_core.domain.posts import VideoPost
from tiktok_core.domain.retry import RetryLimits
from tiktok_core.domain.trouble import (
    MOST_DOUBTS,
    MOST_MISSES,
    began_nothing,
    is_another_upload,
    pause_after_miss,
    pause_after_trouble,
    proved_bytes,
)
from tiktok_core.errors import Interrupted, Misused, NotSent, PostingRefused, RateLimited, ServerError, TikTokError

NOW: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
PLAN: Final = plan_chunks(70_000_000)
LIMITS: Final = RetryLimits(retries=2, deadline=120)
NOT_SENT: Final = NotSent("PUT", "no route")
BROKEN: Final = Interrupted("PUT", "the line broke")
LIMITED: Final = RateLimited("rate_limit_exceeded", "", "", 429, None, 30.0)
FAR: Final = RateLimited("rate_limit_exceeded", "", "", 429, None, 121.0)


def record(stage: Stage, **changes: Any) -> Record:
    """Return the record of a file in this stage."""
    wish = Wish(post=VideoPost(), video="/a.mp4", fingerprint="f", plan=PLAN)
    given: dict[str, Any] = {"wish": wish, "publish_id": "p", **changes}
    return Record(key="k", app="a", account="o", stage=stage, created_at=NOW, updated_at=NOW, **given)


@pytest.mark.parametrize(
    ("stage", "trouble", "nothing"),
    [
        (Stage.PLANNED, NOT_SENT, True),
        (Stage.PLANNED, LIMITED, True),
        (Stage.PLANNED, BROKEN, False),
        (Stage.UPLOADING, NOT_SENT, False),
        (Stage.INIT_SENT, BROKEN, False),
    ],
)
def test_an_init_that_was_not_sent_began_nothing(stage: Stage, trouble: TikTokError, nothing: bool) -> None:
    """An init that came too soon began nothing either. A chunk is different."""
    assert began_nothing(record(stage), trouble) == nothing


@pytest.mark.parametrize(
    ("stage", "trouble", "times", "spent", "pause"),
    [
        # Before an init has begun anything, the limits are those of any other call.
        (Stage.PLANNED, NOT_SENT, 1, 0.0, 0.5),
        (Stage.PLANNED, NOT_SENT, 3, 0.0, None),
        (Stage.PLANNED, NOT_SENT, 1, 119.9, None),
        (Stage.PLANNED, LIMITED, 1, 0.0, 30.5),
        # In doubt, the client goes on until six steps in a row have brought nothing.
        (Stage.UPLOADING, BROKEN, 1, 999.0, 0.5),
        (Stage.UPLOADING, BROKEN, MOST_DOUBTS - 1, 0.0, 8.0),
        (Stage.UPLOADING, BROKEN, MOST_DOUBTS, 0.0, None),
        (Stage.UPLOADING, LIMITED, 1, 0.0, 30.0),
        (Stage.UPLOADING, FAR, 1, 0.0, None),
    ],
)
def test_trouble_is_waited_out_until_it_is_enough(
    stage: Stage, trouble: TikTokError, times: int, spent: float, pause: float | None
) -> None:
    """Each wait is longer than the last, never shorter than TikTok asks, and never longer than the deadline."""
    given = {"times": times, "spent": spent, "limits": LIMITS, "jitter": 1.0}
    assert pause_after_trouble(record(stage), trouble, **given) == pause  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "times", "pause"),
    [
        (BROKEN, 1, 0.5),
        (ServerError("internal_error", "", "", 500, None), MOST_MISSES - 1, 4.0),
        (BROKEN, MOST_MISSES, None),
        (Misused("POST", "the transport is closed"), 1, None),
        (LIMITED, 1, 30.0),
        (PostingRefused("reached_active_user_cap", "", "", 403, None), 1, None),
    ],
)
def test_a_question_without_an_answer_is_asked_again(error: TikTokError, times: int, pause: float | None) -> None:
    """Five in a row are enough; so is one answer that no repetition changes."""
    assert pause_after_miss(error, times=times, jitter=1.0) == pause


@pytest.mark.parametrize(
    ("stage", "publish_id", "is_another"),
    [(Stage.UPLOADING, "p", False), (Stage.UPLOADING, "q", True), (Stage.PLANNED, None, True)],
)
def test_bytes_of_another_upload_count_for_nothing(stage: Stage, publish_id: str | None, is_another: bool) -> None:
    """Bytes of the same upload stay proved."""
    assert is_another_upload(record(Stage.UPLOADING), record(stage, publish_id=publish_id)) == is_another


@given(st.integers(0, 70_000_000), st.integers(0, 70_000_000))
def test_a_chunk_that_is_there_once_more_brings_the_upload_no_further(offset: int, known: int) -> None:
    """Only more bytes than were ever there count as progress."""
    proved = proved_bytes(record(Stage.UPLOADING, offset=offset), known)
    assert proved == max(offset, known)
