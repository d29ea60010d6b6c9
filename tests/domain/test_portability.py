"""What a program may request of an account's data, and the words for the state of a request."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_core import InvalidInput
from tiktok_core.domain.portability import check_request_id, select_data
from tiktok_core.portability import DataCategory, DataFormat, DataRequest, DataStatus

WORDS = st.sampled_from([*DataCategory])


@given(st.lists(WORDS, min_size=1), st.sampled_from([*DataFormat]))
def test_a_selection_is_what_was_asked_for(words: list[str], data_format: str) -> None:
    """A selection has each category once, in the given order. `all` means everything, and stands alone."""
    chosen = select_data(iter(words), data_format)
    assert chosen.data_format == data_format
    if DataCategory.ALL_DATA in words:
        assert chosen.categories == ("all_data",)
    else:
        assert chosen.categories == tuple(dict.fromkeys(words))
    assert all(type(word) is str for word in (*chosen.categories, chosen.data_format))


def test_a_single_word_is_a_selection() -> None:
    """A single string counts as one category, not as its letters."""
    assert select_data("profile", "text").categories == ("profile",)


def test_what_cannot_be_asked_for_is_refused_at_once() -> None:
    """One error has all problems, each with its field."""
    with pytest.raises(InvalidInput) as caught:
        select_data(["profile", "likes", "friends"], "xml")
    assert [problem.field for problem in caught.value.problems] == [*["category_selection_list"] * 2, "data_format"]
    assert "'likes' is not one of all_data, video, profile" in str(caught.value)
    with pytest.raises(InvalidInput, match="is empty: ask for all_data"):
        select_data([], "json")


@given(st.one_of(st.integers(max_value=0), st.integers(min_value=2**63), st.booleans(), st.text(), st.none()))
def test_what_is_no_id_is_refused(wrong: object) -> None:
    """An id is a positive 64-bit number, and nothing that only looks like one."""
    with pytest.raises(InvalidInput, match="request_id"):
        check_request_id(wrong)


@given(st.integers(1, 2**63 - 1))
def test_an_id_is_any_positive_64_bit_number(request_id: int) -> None:
    """The largest 64-bit number is included."""
    check_request_id(request_id)


@pytest.mark.parametrize(
    ("status", "is_ready", "has_ended"),
    [
        (DataStatus.PENDING, False, False),
        (DataStatus.DOWNLOADING, True, False),
        (DataStatus.EXPIRED, False, True),
        (DataStatus.CANCELLED, False, True),
        ("a new word", False, False),
    ],
)
def test_a_status_says_what_can_be_done(status: str, is_ready: bool, has_ended: bool) -> None:
    """`downloading` is TikTok's word for ready. A new word is kept, and is neither ready nor over."""
    found = DataRequest(request_id=1, status=status)
    assert (found.is_ready, found.has_ended) == (is_ready, has_ended)
    assert found.status == status
