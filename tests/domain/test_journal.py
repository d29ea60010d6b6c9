"""The journal's record: its names, and what its figures prove."""

from datetime import timedelta

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from tiktok_core.domain.chunks import plan_chunks
from tiktok_core.domain.journal import (
    Wish,
    learned_chunk,
    next_chunk,
    record_name,
    upload_left,
)
from tiktok_core.domain.posts import VideoPost
from wishes import FILE, LATER, NOW, PHOTOS, PLAN, PULL, record, uploading


def test_names_do_not_collide() -> None:
    """A key belongs to an app and an account."""
    names = {record_name(app, account, key) for app in "ab" for account in "cd" for key in "ef"}
    assert len(names) == 8
    assert record().name == record_name("a", "o", "k")


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (FILE, True),
        (evolve(FILE, video="/elsewhere.mp4"), True),
        (evolve(FILE, plan=plan_chunks(70_000_000, 32_000_000), is_cut_chosen=True), True),
        (evolve(FILE, fingerprint="g"), False),
        (evolve(FILE, post=VideoPost(title="t")), False),
        (PULL, False),
        (PHOTOS, False),
    ],
)
def test_a_wish_is_the_media_and_the_settings(other: Wish, same: bool) -> None:
    """Name and chunks of a file are not part of the wish; its bytes and the settings are."""
    assert FILE.is_same(other) == same
    assert PULL.is_same(evolve(PULL))
    assert not PULL.is_same(evolve(PULL, video="https://media.example.com/b.mp4"))


def test_an_upload_url_lives_an_hour_from_its_init() -> None:
    """The hour begins when the init leaves, which is before TikTok's hour begins."""
    assert upload_left(record(), NOW) == 0
    assert upload_left(uploading(), NOW + timedelta(minutes=59)) == 60
    assert upload_left(uploading(), NOW + timedelta(hours=1)) == 0


@given(st.integers(0, 69_999_999))
def test_what_is_sent_next_ends_with_its_chunk(offset: int) -> None:
    """The next bytes go from the offset to the end of its chunk in the plan."""
    first, last = next_chunk(uploading(offset))
    assert first == offset
    assert any(start <= offset and last == end for start, end in PLAN.ranges())


def test_what_tiktok_pulls_has_no_chunks() -> None:
    """Asking for chunks of a pull is a mistake of the library's."""
    with pytest.raises(ValueError, match="no chunks"):
        next_chunk(record(PULL))


def test_a_cut_that_tiktok_took_instead_is_learned() -> None:
    """Usual and refused sizes teach nothing."""
    other = plan_chunks(70_000_000, 32_000_000)
    taken = evolve(uploading(), plan=other, updated_at=LATER)
    for untaught in (uploading(), record(PULL), evolve(taken, publish_id=None)):
        assert learned_chunk(untaught) is None
    assert learned_chunk(taken) == 32_000_000
