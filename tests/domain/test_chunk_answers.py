"""What an answer to a chunk proves: one row for each status and figure."""

from datetime import UTC, datetime
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_core.domain.chunk_answers import ChunkAnswer, Doubt, chunk_outcome, proved_offset
from tiktok_core.domain.chunks import plan_chunks
from tiktok_core.domain.journal import Record, Stage, Wish
from tiktok_core.domain.posts import VideoPost
from tiktok_core.errors import (
    RateLimited,
    TikTokError,
    UnexpectedRedirect,
    UnexpectedResponse,
    UploadError,
    UploadExpired,
)

NOW: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
PLAN: Final = plan_chunks(70_000_000)
SIZE: Final = 70_000_000
END: Final = 10_000_000
"""Where the first chunk ends."""


def uploading(offset: int = 0, **changes: Any) -> Record:
    """Return the record of an upload under way."""
    wish = Wish(post=VideoPost(), video="/a.mp4", fingerprint="f", plan=PLAN)
    given: dict[str, Any] = {"plan": PLAN, "publish_id": "p", "offset": offset, "stage": Stage.UPLOADING, **changes}
    return Record(key="k", app="a", account="o", wish=wish, created_at=NOW, updated_at=NOW, **given)


def outcome(status: int, said: int | None, *, is_last: bool, may_have_come: bool = True) -> Any:
    """Return what an answer proves of the first or the last chunk."""
    last = SIZE - 1 if is_last else END - 1
    return chunk_outcome(ChunkAnswer(status, said, 7.0), uploading(), last, may_have_come=may_have_come)


@pytest.mark.parametrize(
    ("status", "said", "is_last", "proved"),
    [
        (201, None, True, SIZE),
        (200, None, True, SIZE),
        (206, None, False, END),
        (206, END, False, END),
        (206, END - 1, False, END),
    ],
)
def test_an_answer_can_prove_the_chunk(status: int, said: int | None, is_last: bool, proved: int) -> None:
    """TikTok's figure may be a count or the last offset."""
    assert outcome(status, said, is_last=is_last) == proved


@pytest.mark.parametrize(
    ("status", "said", "is_last", "kind", "kept", "refused"),
    [
        (206, END - 5, False, UploadError, END - 5, False),
        (206, None, True, UploadError, None, False),
        (206, SIZE, True, UploadError, SIZE, False),
        (429, None, False, RateLimited, None, False),
        (416, 20_000_000, False, UploadError, 20_000_000, True),
        (416, None, False, UploadError, None, True),
        (408, None, False, UploadError, None, False),
        (500, 5, False, UploadError, None, False),
        (503, None, True, UploadError, None, False),
    ],
)
def test_an_answer_can_leave_a_doubt(  # noqa: PLR0917 - a row of the table
    status: int, said: int | None, is_last: bool, kind: type[TikTokError], kept: int | None, refused: bool
) -> None:
    """The doubt has the upload host's figure, if this figure says something about the bytes."""
    for may_have_come in (True, False):
        doubt = outcome(status, said, is_last=is_last, may_have_come=may_have_come)
        assert isinstance(doubt, Doubt)
        assert type(doubt.error) is kind
        assert (doubt.said, doubt.refused, doubt.may_have_come) == (kept, refused, may_have_come)
    assert getattr(doubt.error, "retry_after", 7.0) == 7.0


@pytest.mark.parametrize("status", [403, 404])
def test_a_dead_upload_url_is_no_doubt(status: int) -> None:
    """TikTok accepts no more bytes of this upload."""
    assert isinstance(outcome(status, None, is_last=False), UploadExpired)


@pytest.mark.parametrize(
    ("status", "said", "is_last", "kind"),
    [
        (302, None, False, UnexpectedRedirect),
        (200, None, False, UnexpectedResponse),
        (201, None, False, UnexpectedResponse),
        (204, None, True, UnexpectedResponse),
        (206, END + 1, False, UnexpectedResponse),
        (400, None, False, UploadError),
        (401, None, True, UploadError),
    ],
)
def test_an_answer_that_contradicts_the_chunk_or_refuses_it_is_raised(
    status: int, said: int | None, is_last: bool, kind: type[TikTokError]
) -> None:
    """Nothing follows from such an answer."""
    with pytest.raises(kind):
        outcome(status, said, is_last=is_last)


@given(st.integers(0, 6), st.booleans())
def test_a_figure_at_a_border_is_read_both_ways(index: int, as_count: bool) -> None:
    """TikTok may count or name the last offset: at the end of a chunk both prove the same."""
    end = PLAN.chunk(index)[1] + 1
    assert proved_offset(uploading(), end if as_count else end - 1, refused=False) == end


@given(st.integers(0, 10**15), st.integers(0, 69_999_999), st.booleans())
def test_no_figure_proves_more_than_the_file(said: int, offset: int, refused: bool) -> None:
    """For any figure, the offset stays inside the file and next to the figure, and off the one that TikTok refused."""
    proved = proved_offset(uploading(offset), said, refused=refused)
    assert 0 <= proved <= PLAN.video_size
    if proved != offset:
        assert proved in (said, said + 1)
    if refused and said <= PLAN.video_size - 1:
        assert proved != offset or said not in (offset, offset - 1)


def test_a_refusal_says_what_the_host_expected_only_where_it_did() -> None:
    """Other statuses carry no figure."""
    with pytest.raises(UploadError, match="did not take the bytes"):
        outcome(400, 7, is_last=False)
    assert "TikTok has 7 bytes and expected others" in str(outcome(416, 7, is_last=False).error)


def test_what_tiktok_pulls_proves_no_offset() -> None:
    """Asking for an offset of a pull is a mistake of the library's."""
    with pytest.raises(ValueError, match="no chunks"):
        proved_offset(uploading(plan=None), 1, refused=False)
