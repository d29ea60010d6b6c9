"""The life of a post, the pace of status questions, the fields of a profile, and the explanation of every refusal."""

from itertools import pairwise

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from fail_reasons import FAIL_REASONS
from tiktok_core.domain.display import USER_FIELDS, user_fields
from tiktok_core.domain.publishing import Publication, PublishStatus, check_publish_id, further, poll_pause
from tiktok_core.domain.refusals import REFUSALS, explain
from tiktok_core.errors import InvalidInput

FINAL = ("SEND_TO_USER_INBOX", "PUBLISH_COMPLETE", "FAILED")
STATUSES = st.sampled_from([*FINAL, "PROCESSING_UPLOAD", "PROCESSING_DOWNLOAD", "EXPIRED", "PUBLISH_SUCCESS", ""])


def publication(status: str) -> Publication:
    """Return a post in this state."""
    return Publication(publish_id="v_pub_file~v2-1.1", status=status)


@given(STATUSES)
def test_three_words_are_final(status: str) -> None:
    """The three documented final words end a post, one of them as a failure; unknown words do not."""
    told = publication(status)
    assert told.is_final == (status in FINAL)
    assert told.is_failed == (status == "FAILED")


def test_the_words_are_tiktoks() -> None:
    """The words are spelled as TikTok spells them."""
    assert {str(word) for word in PublishStatus} == {"PROCESSING_UPLOAD", "PROCESSING_DOWNLOAD", *FINAL}


@given(st.lists(STATUSES, min_size=1))
def test_a_post_that_has_ended_stays_ended(words: list[str]) -> None:
    """In any order of statuses, the furthest word stays: an end before an inbox, and an inbox before all others."""
    known: Publication | None = None
    for word in words:
        known = further(known, publication(word))
        assert known.status in words
    inbox, ends = [word for word in words if word in FINAL[:1]], [word for word in words if word in FINAL[1:]]
    assert known is not None
    assert known.status == (ends or inbox or words)[-1]


@given(st.lists(st.tuples(STATUSES, st.booleans()), min_size=1))
def test_an_id_that_was_named_stays_named(words: list[tuple[str, bool]]) -> None:
    """A later answer without the id does not remove it; TikTok's lists are often missing."""
    known: Publication | None = None
    for word, names_it in words:
        told = evolve(publication(word), post_ids=(7,) if names_it else ())
        before, known = known, further(known, told)
        assert known.post_ids == (7,) or before is None or not before.post_ids


@pytest.mark.parametrize(
    ("before", "after"),
    [("PUBLISH_COMPLETE", "FAILED"), ("SEND_TO_USER_INBOX", "PUBLISH_COMPLETE"), ("PROCESSING_UPLOAD", "NEW_WORD")],
)
def test_later_news_replace_older_ones(before: str, after: str) -> None:
    """A late failure, a draft that was posted, and an unknown word replace the earlier status."""
    assert further(publication(before), publication(after)).status == after


def pauses(count: int) -> list[float]:
    """Return the waits before that many questions, each asked as soon as the wait is over."""
    found: list[float] = []
    for _ in range(count):
        found.append(poll_pause(sum(found)))
    return found


@pytest.mark.parametrize("publish_id", ["", "x" * 65, "a b", "a\nb", "é", "\ud800"])
def test_what_cannot_be_a_publish_id_is_refused(publish_id: str) -> None:
    """TikTok's ids are up to 64 printable characters. Anything else is the caller's mistake."""
    with pytest.raises(InvalidInput, match="publish_id"):
        check_publish_id(publish_id)
    check_publish_id("v_pub_file~v2-1.7300000000000000001")


def test_questions_come_ever_more_slowly() -> None:
    """The waits are 1, 1.5, 2.25 and so on, and never more than ten seconds."""
    waits = pauses(50)
    assert waits[:4] == [1.0, 1.5, 2.25, 3.375]
    assert all(later == pytest.approx(min(earlier * 1.5, 10.0)) for earlier, later in pairwise(waits))
    assert waits[-1] == 10.0


def test_fewer_questions_a_minute_than_tiktok_allows() -> None:
    """No minute has more than the thirty questions of TikTok's quota."""
    waits = pauses(200)
    assert all(sum(waits[start : start + 30]) > 60 for start in range(len(waits) - 30))


@given(st.lists(st.sampled_from(["user.info.basic", "user.info.profile", "user.info.stats", "video.list"])))
def test_only_granted_fields_are_asked_for(scopes: list[str]) -> None:
    """One field outside the scopes fails the whole call, so the default has none of these."""
    assert set(user_fields(scopes)) == {name for name, scope in USER_FIELDS.items() if scope in scopes}
    assert len(USER_FIELDS) == 14


def test_wanted_fields_come_once_and_exist() -> None:
    """The fields keep the caller's order. One error names all that do not exist."""
    assert user_fields([], ["username", "open_id", "username"]) == ("username", "open_id")
    with pytest.raises(InvalidInput) as caught:
        user_fields([], ["open_id", "email", "phone&x=1"])
    assert [problem.field for problem in caught.value.problems] == ["fields", "fields"]
    assert "'email'" in str(caught.value)


@pytest.mark.parametrize("code", REFUSALS)
def test_every_explanation_says_what_can_be_done(code: str) -> None:
    """An explanation is a sentence, and says when to try again exactly if trying again helps."""
    found = explain(code)
    assert found is not None
    assert found.meaning.endswith(".")
    assert found.retry_helps == bool(found.retry_when)
    assert str(found).startswith(found.meaning)
    assert found.advice in str(found)
    assert ("Try again" in str(found)) == found.retry_helps


@pytest.mark.parametrize(("reason", "again"), FAIL_REASONS.items())
def test_every_fail_reason_is_explained(*, reason: str, again: bool) -> None:
    """Each documented reason of a failed post has an explanation. Both say the same about trying again."""
    found = explain(reason)
    assert found is not None
    assert found.retry_helps is again


@given(st.text().filter(lambda word: word not in REFUSALS))
def test_unknown_words_are_not_explained_away(word: str) -> None:
    """A word that no source explains has no explanation."""
    assert explain(word) is None
