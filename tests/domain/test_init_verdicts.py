"""What follows from an init: one table for each result of the request."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from tiktok_core.domain.chunks import fallback_plans, plan_chunks
from tiktok_core.domain.init_verdicts import (
    MOST_INITS,
    MOST_LOST_INITS,
    after_begun_init,
    after_creator_check,
    after_init_error,
    after_lost_answer,
    after_no_upload,
    after_refused_init,
    after_unanswered_init,
    after_unsent_init,
)
from tiktok_core.domain.journal import Record, Stage, Wish
from tiktok_core.domain.kept_refusal import refusal_of
from tiktok_core.domain.media import MediaType
from tiktok_core.domain.posts import PhotoPost, VideoPost
from tiktok_core.domain.publishing import Begun
from tiktok_core.domain.tokens import Secret
from tiktok_core.errors import (
    AccessTokenInvalid,
    ApiError,
    ForeignUploadHost,
    Interrupted,
    InvalidPost,
    Misused,
    NotSent,
    OutcomeUnknown,
    PostingRefused,
    Problem,
    RateLimited,
    ServerError,
    TikTokError,
    TimedOut,
    UnexpectedRedirect,
    UnexpectedResponse,
)

NOW: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER: Final = NOW + timedelta(seconds=5)
PLAN: Final = plan_chunks(70_000_000)
FILE: Final = Wish(post=VideoPost(), video="/a.mp4", fingerprint="f", media_type=MediaType.MP4, plan=PLAN)
PULL: Final = Wish(post=VideoPost(), video="https://media.example.com/a.mp4")
PHOTOS: Final = Wish(post=PhotoPost(photo_images=("https://media.example.com/1.jpg",)))
PULLED: Final = [pytest.param(PULL, id="pull"), pytest.param(PHOTOS, id="photos")]

NOT_SENT: Final = NotSent("POST init", "no route")
MISUSED: Final = Misused("POST init", "the transport is closed")
LIMITED: Final = RateLimited("rate_limit_exceeded", "", "", 429, None, 30.0)
LOST: Final = [
    Interrupted("POST init", "the line broke"),
    TimedOut("POST init", "no answer"),
    ServerError("internal_error", "", "", 500, None),
    UnexpectedResponse("POST init", "it is no JSON", 200),
]
NO_POST: Final = [
    ForeignUploadHost("POST init", "elsewhere", 200),
    UnexpectedRedirect("POST init", "it sends elsewhere", 302),
]
TOKEN: Final = AccessTokenInvalid("access_token_invalid", "", "", 401, None)
REFUSED: Final = [
    PostingRefused("spam_risk_too_many_posts", "", "", 403, None),
    ApiError("invalid_params", "The title is odd", "", 400, None),
]
CUT: Final = ApiError("invalid_params", "The chunk size is invalid", "", 400, None)


def sent(wish: Wish = FILE, **changes: Any) -> Record:
    """Return the record of an init that has left."""
    record = Record(
        key="k", app="a", account="o", wish=wish, stage=Stage.INIT_SENT, created_at=NOW, updated_at=NOW, plan=wish.plan
    )
    return evolve(record, **{"inits": 1, "lost_inits": 1, "init_at": NOW, **changes})


@pytest.mark.parametrize("wish", [FILE, PULL, PHOTOS], ids=["file", "pull", "photos"])
@pytest.mark.parametrize(("error", "again_in"), [(NOT_SENT, 0.5), (LIMITED, 30.0)])
def test_an_init_that_was_not_sent_or_came_too_soon_is_planned_again(
    wish: Wish, error: NotSent | RateLimited, again_in: float
) -> None:
    """Such an init began nothing, for any wish, so it does not count. The pause is the one that TikTok asks for."""
    verdict = after_unsent_init(sent(wish), LATER, error)
    assert (verdict.record.stage, verdict.record.inits, verdict.record.lost_inits) == (Stage.PLANNED, 0, 0)
    assert (verdict.again_in, verdict.trouble, verdict.error) == (again_in, error, None)
    assert after_init_error(sent(wish), LATER, error) == verdict


@pytest.mark.parametrize("wish", [FILE, PULL, PHOTOS], ids=["file", "pull", "photos"])
def test_an_init_of_a_misused_client_ends_the_call(wish: Wish) -> None:
    """It began nothing, so the post is planned as before. No later step of this client could begin it."""
    verdict = after_init_error(sent(wish), LATER, MISUSED)
    assert (verdict.record.stage, verdict.record.inits, verdict.record.lost_inits) == (Stage.PLANNED, 0, 0)
    assert (verdict.again_in, verdict.trouble, verdict.error) == (None, None, MISUSED)


UNVERIFIED: Final = PostingRefused("url_ownership_unverified", "Not verified.", "log", 403, None)


def test_a_pull_that_the_app_may_not_make_becomes_an_upload() -> None:
    """The record says so first, and no init counts. Where nothing can be opened, or no upload is wanted, the refusal is the end."""
    verdict = after_init_error(sent(PULL), LATER, UNVERIFIED, can_upload=True)
    assert (verdict.again_in, verdict.error, verdict.record.inits) == (0.0, None, 0)
    assert (verdict.record.stage, verdict.record.wish.is_unopened) == (Stage.PLANNED, True)
    for record, can_upload in (
        (sent(PULL), False),
        (sent(evolve(PULL, upload=False)), True),
        (sent(PHOTOS), True),
        (sent(FILE), True),
        (sent(PULL, others=("p",)), True),
        (sent(PULL, publish_id="p"), True),
    ):
        verdict = after_init_error(record, LATER, UNVERIFIED, can_upload=can_upload)
        assert (verdict.record.stage, verdict.error) == (Stage.ABANDONED, UNVERIFIED)


def test_what_cannot_be_uploaded_either_is_refused_as_tiktok_did() -> None:
    """With both reasons in one sentence; where TikTok's was lost from the record, with ours."""
    refused = after_init_error(sent(PULL), LATER, UNVERIFIED, can_upload=True).record
    gone = InvalidPost((Problem("video", "nothing lies there"),))
    verdict = after_no_upload(refused, LATER, gone)
    assert isinstance(verdict.error, PostingRefused)
    assert verdict.error.message == "Not verified; it cannot be uploaded instead, because nothing lies there"
    assert verdict.record.stage is Stage.ABANDONED
    damaged = after_no_upload(evolve(refused, refusal=None), LATER, gone)
    assert str(damaged.error) == str(gone)


@pytest.mark.parametrize("wish", PULLED)
@pytest.mark.parametrize("error", LOST, ids=lambda error: type(error).__name__)
def test_after_a_lost_answer_a_pull_or_photos_may_be_published(wish: Wish, error: TikTokError) -> None:
    """The outcome is unknown, and the error says why."""
    verdict = after_lost_answer(sent(wish), LATER, error)
    assert verdict.record.stage is Stage.UNKNOWN
    assert isinstance(verdict.error, OutcomeUnknown)
    assert verdict.trouble is error
    assert str(error).rstrip(".") in str(verdict.error)
    assert type(after_init_error(sent(wish), LATER, error).error) is OutcomeUnknown


@pytest.mark.parametrize("error", LOST, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize(
    ("inits", "lost", "enough"),
    [(1, 1, False), (2, 1, False), (2, MOST_LOST_INITS, True), (MOST_INITS, 1, True)],
)
def test_after_a_lost_answer_a_file_costs_an_init(error: TikTokError, inits: int, lost: int, enough: bool) -> None:
    """Without bytes TikTok posts nothing. The client sends another init, until two in a row or three in all are lost."""
    record = sent(inits=inits, lost_inits=lost)
    verdict = after_lost_answer(record, LATER, error)
    assert after_init_error(record, LATER, error) == verdict
    if enough:
        assert (verdict.record.stage, verdict.record.refusal) == (Stage.ABANDONED, refusal_of(error))
        assert verdict.error is error
    else:
        assert (verdict.record, verdict.again_in, verdict.trouble, verdict.error) == (record, 0.5, error, None)


@pytest.mark.parametrize("wish", [FILE, PULL], ids=["file", "pull"])
@pytest.mark.parametrize("error", NO_POST, ids=lambda error: type(error).__name__)
def test_an_answer_that_sends_elsewhere_ends_the_post(wish: Wish, error: TikTokError) -> None:
    """A server answered, and began no post to which the client can upload."""
    verdict = after_init_error(sent(wish), LATER, error)
    assert (verdict.record.stage, verdict.error) == (Stage.ABANDONED, error)


@pytest.mark.parametrize("wish", [FILE, PULL], ids=["file", "pull"])
@pytest.mark.parametrize("error", REFUSED, ids=lambda error: type(error).__name__)
def test_a_refusal_ends_the_post_with_its_reason(wish: Wish, error: ApiError) -> None:
    """TikTok refused the post, so there is none. The record keeps the reason."""
    verdict = after_refused_init(sent(wish), LATER, error)
    assert (verdict.record.stage, verdict.record.refusal, verdict.error) == (
        Stage.ABANDONED,
        refusal_of(error),
        error,
    )
    assert after_init_error(sent(wish), LATER, error) == verdict


def test_a_refused_token_says_nothing_about_the_post() -> None:
    """The post is planned again, and the caller may renew the token."""
    verdict = after_init_error(sent(), LATER, TOKEN)
    assert (verdict.record.stage, verdict.record.inits, verdict.error) == (Stage.PLANNED, 0, TOKEN)


def test_refused_cuts_are_tried_down_the_ladder() -> None:
    """Each legal size is tried once, the usual one first. After the last one the refusal counts."""
    record, tried = sent(), [PLAN]
    while (verdict := after_refused_init(record, LATER, CUT)).error is None:
        assert (verdict.again_in, verdict.trouble, verdict.record.stage) == (0.0, CUT, Stage.PLANNED)
        assert verdict.record.plan is not None
        tried.append(verdict.record.plan)
        record = sent(plan=verdict.record.plan)
    assert tried == [PLAN, *fallback_plans(PLAN)]
    assert verdict.record.stage is Stage.ABANDONED


@pytest.mark.parametrize("wish", [evolve(FILE, is_cut_chosen=True), PULL], ids=["chosen", "pull"])
def test_a_cut_that_a_person_chose_is_not_replaced(wish: Wish) -> None:
    """A pull has no other size either. The refusal counts."""
    assert after_refused_init(sent(wish), LATER, CUT).error is CUT


@pytest.mark.parametrize("wish", PULLED)
def test_a_pull_whose_init_has_no_stored_answer_may_have_published(wish: Wish) -> None:
    """After such an init of a pull or of photos, a person has to look."""
    verdict = after_unanswered_init(sent(wish), LATER)
    assert verdict is not None
    assert verdict.record.stage is Stage.UNKNOWN
    assert isinstance(verdict.error, OutcomeUnknown)


@pytest.mark.parametrize(
    ("inits", "lost", "enough"),
    [(1, 1, False), (2, 1, False), (2, MOST_LOST_INITS, True), (MOST_INITS, 1, True)],
)
def test_an_unanswered_init_of_a_file_is_sent_again(inits: int, lost: int, enough: bool) -> None:
    """The client sends it until two in a row, or three in all, stayed without an answer."""
    verdict = after_unanswered_init(sent(inits=inits, lost_inits=lost), LATER)
    if enough:
        assert verdict is not None
        assert verdict.record.stage is Stage.ABANDONED
        assert isinstance(verdict.error, UnexpectedResponse)
    else:
        assert verdict is None


@pytest.mark.parametrize(
    ("error", "stage"),
    [
        (InvalidPost((Problem("title", "is too long"),)), Stage.ABANDONED),
        (REFUSED[0], Stage.ABANDONED),
        (LIMITED, Stage.PLANNED),
        (ServerError("internal_error", "", "", 500, None), Stage.PLANNED),
        (TOKEN, Stage.PLANNED),
    ],
    ids=lambda one: type(one).__name__,
)
def test_what_the_creator_may_not_post_is_given_up(error: ApiError | InvalidPost, stage: Stage) -> None:
    """If the question did not reach TikTok, nothing follows for the post: it stays planned."""
    planned = evolve(sent(), stage=Stage.PLANNED, inits=0, lost_inits=0)
    verdict = after_creator_check(planned, LATER, error)
    assert (verdict.record.stage, verdict.error) == (stage, error)
    assert (verdict.record == planned) == (stage is Stage.PLANNED)


@pytest.mark.parametrize(("wish", "stage"), [(FILE, Stage.UPLOADING), (PULL, Stage.PROCESSING)], ids=["file", "pull"])
def test_an_answered_init_begins_a_post(wish: Wish, stage: Stage) -> None:
    """Bytes of a file leave at once. The client asks for the status of a pull in a second."""
    verdict = after_begun_init(sent(wish), LATER, Begun(publish_id="p", upload_url=Secret("https://u")))
    assert (verdict.record.stage, verdict.record.publish_id, verdict.record.lost_inits) == (stage, "p", 0)
    assert verdict.again_in == (0.0 if stage is Stage.UPLOADING else 1.0)


@given(
    st.sampled_from([NOT_SENT, MISUSED, LIMITED, *LOST, *NO_POST, TOKEN, *REFUSED, CUT]),
    st.integers(1, 5),
    st.integers(1, 5),
)
def test_no_error_of_an_init_leaves_a_post_that_is_forgotten(error: TikTokError, inits: int, lost: int) -> None:
    """Each verdict continues, waits for a person, or gives up with the error. None does two of these, or none."""
    for wish in (FILE, PULL, PHOTOS):
        verdict = after_init_error(sent(wish, inits=max(inits, lost), lost_inits=lost), LATER, error)
        assert (verdict.error is None) == (verdict.again_in is not None)
        assert verdict.record.stage in (Stage.PLANNED, Stage.INIT_SENT, Stage.UNKNOWN, Stage.ABANDONED)
        assert not (verdict.record.wish.is_pulled and verdict.record.stage is Stage.INIT_SENT)
