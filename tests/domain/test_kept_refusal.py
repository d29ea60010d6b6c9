"""Why a wish was given up: the error comes back from the journal as it was."""

import pytest
from attrs import fields
from hypothesis import given
from hypothesis import strategies as st

from tiktok_core.domain.kept_refusal import KINDS, Refusal, refusal_of, refused_again
from tiktok_core.domain.refusals import REFUSALS, explain
from tiktok_core.errors import ApiError, InvalidInput, NotSent, OutcomeUnknown, Problem, TikTokError, UploadExpired

texts = st.text(max_size=9)
codes = st.sampled_from(sorted(REFUSALS)) | texts


@st.composite
def errors(draw: st.DrawFn) -> TikTokError:
    """Draw an error after which TikTok posted nothing."""
    kind = draw(st.sampled_from(sorted(KINDS.values(), key=str)))
    if issubclass(kind, InvalidInput):
        return kind(tuple(draw(st.lists(st.builds(Problem, texts, texts), max_size=3))))
    if issubclass(kind, ApiError):
        code = draw(codes)
        return kind(code, draw(texts), draw(texts), draw(st.integers(0, 599)), explain(code))
    if issubclass(kind, UploadExpired):
        return kind("p", draw(texts), draw(st.none() | st.integers(0, 599)))
    values = [draw(texts), draw(texts), draw(st.none() | st.integers(0, 599)), draw(texts)]
    return kind(*values[: len([one for one in fields(kind) if one.init])])


@given(errors())
def test_an_error_that_was_kept_is_the_same(error: TikTokError) -> None:
    """Class, fields and text are the same."""
    again = refused_again(refusal_of(error), "p")
    assert type(again) is type(error)
    assert [getattr(again, one.name) for one in fields(type(error))] == [
        getattr(error, one.name) for one in fields(type(error))
    ]
    assert str(again) == str(error)


def test_what_is_no_refusal_is_not_kept_as_one() -> None:
    """After these errors TikTok may have posted."""
    for error in (OutcomeUnknown("It", None, "x"), NotSent("POST", "x")):  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=r"not certain|no such refusal"):
            refusal_of(error)
    with pytest.raises(ValueError, match="no such"):
        Refusal(kind="InvalidPost", fields=("a",))
