"""Errors: each class survives a pickle, shows its log_id, and has its documented place in the tree."""

import copy
import inspect
import pickle
from datetime import UTC, datetime

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_core import errors
from tiktok_core.errors import ApiError, Explanation, InvalidPost, Problem, TikTokError, refuse

LOG_ID = "202609110102030A0B0C0D0E0F10111213"
WHY = Explanation("app", "It is not audited.", retry_helps=True, retry_when="tomorrow", advice="Apply.")
# A realistic value for each field that any error has.
VALUES: dict[str, object] = {
    "problems": (Problem("title", "is too long"), Problem("privacy_level", "is required")),
    "account": "-000AbC",
    "reason": "it ended",
    "code": "some_code",
    "message": "Some words\u202e of TikTok's",
    "log_id": LOG_ID,
    "status": 403,
    "explanation": WHY,
    "request": "POST https://open.tiktokapis.com/v2/post/publish/video/init/",
    "retry_after": 17.5,
    "passes": True,
    "publish_id": "v_pub_file~v2-1.7300000000000000001",
    "what": "the post",
    "since": datetime(2026, 11, 22, 12, 30, tzinfo=UTC),
    "cause": "connection reset",
    "waited": 900.0,
    "trouble": "signed out",
    "store": "token store",
    "kind": "locked",
    "post": "key-1",
    "event": WHY,
    "fail_reason": "internal",
    "error_type": "code_challenge",
    "error_code": "10007",
}
CLASSES = [found for _, found in inspect.getmembers(errors, inspect.isclass) if issubclass(found, TikTokError)]
classes = pytest.mark.parametrize("error_class", CLASSES)


def example(error_class: type[TikTokError]) -> TikTokError:
    """Return an error with a value in each of its fields."""
    return error_class(*(VALUES[field.name] for field in attrs.fields(error_class) if field.init))


def fields(error: TikTokError) -> dict[str, object]:
    """Return an error's fields."""
    return attrs.asdict(error, recurse=False)


@classes
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_error_survives_a_pickle(error_class: type[TikTokError], protocol: int) -> None:
    """Every error comes back from a worker process as it was: class, fields and sentence."""
    error = example(error_class)
    back = pickle.loads(pickle.dumps(error, protocol))
    assert type(back) is error_class
    assert fields(back) == fields(error)
    assert (str(back), repr(back)) == (str(error), repr(error))
    assert back.args == error.args


@classes
def test_every_error_can_be_copied(error_class: type[TikTokError]) -> None:
    """Copies and evolved errors keep their fields."""
    error = example(error_class)
    for other in (copy.copy(error), copy.deepcopy(error), attrs.evolve(error)):
        assert fields(other) == fields(error)


@classes
def test_every_error_says_which_post_it_is_about(error_class: type[TikTokError]) -> None:
    """Each error has `key` and `publish_id`, which are None until the post is known. An error's own id stays."""
    error = example(error_class)
    own = error.publish_id
    assert error.key is None
    assert own == (VALUES["publish_id"] if "publish_id" in error_class.__match_args__ else None)
    error.name_post("key-1", "another")
    error.name_post()
    assert (error.key, error.publish_id) == ("key-1", own or "another")


@classes
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_the_post_of_an_error_survives_pickles_and_copies(error_class: type[TikTokError], protocol: int) -> None:
    """A copy, even from another process, has the post. The error's arguments and sentence do not change."""
    error = example(error_class)
    taken, shown = error.args, repr(error)
    error.name_post("key-1", "p1")
    for other in (pickle.loads(pickle.dumps(error, protocol)), copy.copy(error), copy.deepcopy(error)):
        assert (other.key, other.publish_id) == ("key-1", error.publish_id)
        assert other.args == taken
    assert error.args == taken
    if error_class is not errors.OutcomeUnknown:  # Its sentence names the key to settle.
        assert repr(error) == shown


@classes
def test_every_error_with_a_log_id_prints_it(error_class: type[TikTokError]) -> None:
    """TikTok's support asks for the log_id, so every error that has one shows it."""
    error = example(error_class)
    assert (LOG_ID in str(error)) == ("log_id" in fields(error))


@classes
def test_every_error_prints_what_it_knows(error_class: type[TikTokError]) -> None:
    """The sentence has the error's text, post and explanation, and the repr names the class."""
    error = example(error_class)
    held = fields(error)
    taken = {field.name for field in attrs.fields(error_class) if field.init}
    shown = {"code", "request", "publish_id", "what", "cause", "store", "account"} & taken
    assert not [name for name in shown if str(held[name]) not in str(error)]
    assert "explanation" not in held or "It is not audited. Try again tomorrow. Apply." in str(error)
    assert repr(error).startswith(error_class.__name__ + "(")
    assert ".." not in str(error)


@classes
def test_every_error_is_exported_and_rooted(error_class: type[TikTokError]) -> None:
    """One `except TikTokError` catches all, and every class can be imported by name."""
    assert error_class.__name__ in errors.__all__
    assert issubclass(error_class, TikTokError)


@classes
def test_errors_can_be_raised_caught_and_hashed(error_class: type[TikTokError]) -> None:
    """Two errors with the same fields are two errors, and each can be a member of a set."""
    one, two = example(error_class), example(error_class)
    assert len({one, two}) == 2
    with pytest.raises(error_class):
        raise one


def test_errors_speak_with_the_little_they_know() -> None:
    """Missing details leave no gaps in the sentences."""
    assert (
        str(errors.SignInRequired(None, "no account is signed in"))
        == "TikTok needs a sign-in: no account is signed in."
    )
    assert str(errors.UploadError(None, "refused")) == "Upload failed: refused."
    assert str(errors.PublishFailed("p1", "")) == "Post p1 failed: TikTok gave no reason."
    assert str(ApiError("odd_code")) == "TikTok refused (odd_code)."
    assert str(errors.UnexpectedResponse("GET /x", "no JSON")) == "GET /x: unexpected answer: no JSON."


def test_a_late_rate_limit_says_how_long() -> None:
    """If TikTok names no time, the wait is a minute, which is TikTok's window."""
    assert errors.RateLimited("rate_limit_exceeded").retry_after == 60.0


@given(st.lists(st.tuples(st.text(), st.text())))
def test_problems_are_told_all_at_once(pairs: list[tuple[str, str]]) -> None:
    """The error has every problem in its order. Without a problem nothing is raised."""
    problems = [Problem(*pair) for pair in pairs]
    if not problems:
        refuse(InvalidPost, problems)
        return
    with pytest.raises(InvalidPost) as caught:
        refuse(InvalidPost, iter(problems))
    assert caught.value.problems == tuple(problems)
    assert str(caught.value) == "; ".join(f"{field}: {message}" for field, message in pairs)
