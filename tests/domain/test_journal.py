"""The journal's record: how a post moves through its stages, and what its figures prove."""

from datetime import UTC, datetime, timedelta

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from tiktok_core.domain.chunks import plan_chunks
from tiktok_core.domain.given_up import SAID_BY_A_PERSON
from tiktok_core.domain.journal import (
    Record,
    Stage,
    Wish,
    anew,
    begun,
    ended,
    init_sent,
    joined,
    learned_chunk,
    leaving,
    moved,
    next_chunk,
    not_begun,
    proved_offset,
    record_name,
    settled,
    told,
    unknown,
    upload_left,
)
from tiktok_core.domain.media import MediaType
from tiktok_core.domain.posts import PhotoPost, VideoPost
from tiktok_core.domain.publishing import NOT_POSTED, Publication, PublishStatus, Ticket
from tiktok_core.domain.tokens import Secret

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(seconds=5)
PLAN = plan_chunks(70_000_000)
FILM = Wish(post=VideoPost(), video="/a.mp4", fingerprint="f", media_type=MediaType.MP4, plan=PLAN)
PULL = Wish(post=VideoPost(), video="https://media.example.com/a.mp4")
PHOTOS = Wish(post=PhotoPost(photo_images=("https://media.example.com/1.jpg",)))


def record(wish: Wish = FILM) -> Record:
    """Return a record that was just planned."""
    return Record(key="k", app="a", account="o", wish=wish, created_at=NOW, updated_at=NOW, plan=wish.plan)


def uploading(offset: int = 0) -> Record:
    """Return the record of an upload under way."""
    sent = init_sent(record(), NOW, PLAN)
    return evolve(begun(sent, NOW, Ticket(publish_id="p", upload_url=Secret("https://u"))), offset=offset)


def test_names_do_not_collide() -> None:
    """A key belongs to an app and an account."""
    names = {record_name(app, account, key) for app in "ab" for account in "cd" for key in "ef"}
    assert len(names) == 8
    assert record().name == record_name("a", "o", "k")


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (FILM, True),
        (evolve(FILM, video="/elsewhere.mp4"), True),
        (evolve(FILM, plan=plan_chunks(70_000_000, 32_000_000), is_cut_chosen=True), True),
        (evolve(FILM, fingerprint="g"), False),
        (evolve(FILM, post=VideoPost(title="t")), False),
        (PULL, False),
        (PHOTOS, False),
    ],
)
def test_a_wish_is_the_media_and_the_settings(other: Wish, same: bool) -> None:
    """How a file is called and cut is not part of the wish; its bytes and the settings are."""
    assert FILM.is_same(other) == same
    assert PULL.is_same(evolve(PULL))
    assert not PULL.is_same(evolve(PULL, video="https://media.example.com/b.mp4"))


def test_a_file_moves_from_the_wish_to_its_end() -> None:
    """Planned, sent, uploading, processing, complete; the upload URL stays no longer than it is needed."""
    sent = init_sent(record(), NOW, PLAN)
    assert (sent.stage, sent.inits, sent.init_at) == (Stage.INIT_SENT, 1, NOW)
    named = begun(sent, NOW, Ticket(publish_id="p", upload_url=Secret("https://u")))
    assert (named.stage, named.publish_id, named.handed_at) == (Stage.UPLOADING, "p", None)
    half = moved(named, LATER, 10_000_000)
    assert (half.stage, half.offset, half.upload_url) == (Stage.UPLOADING, 10_000_000, Secret("https://u"))
    whole = moved(half, LATER, 70_000_000)
    assert (whole.stage, whole.handed_at, whole.upload_url) == (Stage.PROCESSING, LATER, None)
    done = told(whole, LATER, Publication(publish_id="p", status=PublishStatus.PUBLISH_COMPLETE))
    assert done.is_ended
    assert (done.shown.key, done.shown.uploaded_bytes) == ("k", 70_000_000)


@pytest.mark.parametrize(
    ("word", "stage"),
    [
        ("PUBLISH_COMPLETE", Stage.COMPLETE),
        ("SEND_TO_USER_INBOX", Stage.IN_INBOX),
        ("FAILED", Stage.FAILED),
        ("PROCESSING_UPLOAD", Stage.UPLOADING),
        ("SOMETHING_NEW", Stage.UPLOADING),
    ],
)
def test_tiktoks_words_are_ends_or_none(word: str, stage: Stage) -> None:
    """A known last word ends the post; any other leaves it where it is."""
    after = told(uploading(), LATER, Publication(publish_id="p", status=word))
    assert after.stage is stage
    assert (after.upload_url is None) == after.is_ended


def test_a_pull_is_handed_over_by_its_init() -> None:
    """TikTok has all that it needs at once, and shows as downloading."""
    pulled = begun(init_sent(record(PULL), NOW, None), LATER, Ticket(publish_id="p"))
    assert (pulled.stage, pulled.handed_at) == (Stage.PROCESSING, LATER)
    assert (pulled.shown.status, pulled.shown.uploaded_bytes) == ("PROCESSING_DOWNLOAD", None)
    assert moved(pulled, LATER, 0).stage is Stage.PROCESSING


def test_a_begun_init_forgets_the_one_before() -> None:
    """A fresh init starts with nothing uploaded, and counts."""
    again = init_sent(uploading(20_000_000), LATER, PLAN)
    assert (again.inits, again.offset, again.publish_id, again.upload_url) == (2, 0, None, None)


@given(st.integers(0, 69_999_999))
def test_what_leaves_with_the_last_byte_may_complete_the_post(offset: int) -> None:
    """From then on the post may be complete, whatever is counted, until another init."""
    after = leaving(uploading(offset), LATER)
    assert after.last_left == (next_chunk(after)[1] == PLAN.video_size - 1)
    assert moved(after, LATER, 0).last_left == after.last_left
    assert unknown(after, LATER).last_left == after.last_left
    assert not init_sent(after, LATER, PLAN).last_left


def test_an_init_that_began_nothing_is_planned_again() -> None:
    """With another cut, or the same."""
    other, sent = plan_chunks(70_000_000, 32_000_000), init_sent(init_sent(record(), NOW, PLAN), NOW, PLAN)
    assert not_begun(sent, LATER, other).plan == other
    assert not_begun(sent, LATER).plan == PLAN
    assert not_begun(sent, LATER).stage is Stage.PLANNED
    assert (not_begun(sent, LATER).inits, not_begun(sent, LATER).lost_inits) == (1, 1)
    assert (anew(uploading(), LATER).inits, anew(uploading(), LATER).lost_inits) == (1, 0)


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("is_its_own", [True, False])
def test_a_late_answer_and_what_was_stored_meanwhile_are_both_kept(stage: Stage, is_its_own: bool) -> None:
    """What is known of one init is never written over what is known of another, and no publish id is forgotten."""
    sent = init_sent(record(PULL), NOW, None)
    late = begun(sent, LATER, Ticket(publish_id="late"))
    if is_its_own:
        stored = settled(sent, NOW, posted=True) if stage is Stage.COMPLETE else evolve(sent, stage=stage)
    else:
        stored = evolve(begun(init_sent(sent, LATER, None), LATER, Ticket(publish_id="newer")), stage=stage)
    kept = joined(stored, late)
    assert {"late", stored.publish_id} <= {kept.publish_id, *kept.others, None}
    assert joined(kept, late) == kept or kept == late
    if is_its_own and stage in (Stage.INIT_SENT, Stage.UNKNOWN, Stage.ABANDONED):
        assert kept == late
    else:
        assert (kept.stage, kept.inits) == (stored.stage, stored.inits)
        assert kept.publish_id == (stored.publish_id or "late")
        assert kept.shown.publish_id == kept.publish_id


def test_an_unknown_outcome_is_settled_either_way() -> None:
    """Posted: complete. Not posted: abandoned, so that the key may be used."""
    lost = unknown(record(PHOTOS), LATER)
    assert (lost.stage, lost.is_ended) == (Stage.UNKNOWN, False)
    assert settled(lost, LATER, posted=True).shown.status == PublishStatus.PUBLISH_COMPLETE
    assert settled(lost, LATER, posted=False).stage is Stage.ABANDONED
    assert ended(uploading(), LATER, SAID_BY_A_PERSON).upload_url is None
    assert ended(uploading(), LATER, SAID_BY_A_PERSON).shown.status == NOT_POSTED
    assert settled(lost, LATER, posted=False).shown.is_final


@pytest.mark.parametrize("wish", [FILM, PHOTOS], ids=["film", "photos"])
@pytest.mark.parametrize("draft", [False, True])
def test_what_a_person_saw_is_told_as_tiktok_would(wish: Wish, draft: bool) -> None:
    """A draft that was seen is in the inbox, anything else is published; no upload URL outlives that."""
    lost = evolve(uploading(), wish=evolve(wish, post=evolve(wish.post, draft=draft)), stage=Stage.UNKNOWN)
    done = settled(lost, LATER, posted=True)
    assert (done.stage, done.upload_url) == (Stage.IN_INBOX if draft else Stage.COMPLETE, None)
    assert done.shown.status == ("SEND_TO_USER_INBOX" if draft else "PUBLISH_COMPLETE")


def test_an_upload_url_lives_an_hour_from_its_init() -> None:
    """Counted from when the init left, which is before TikTok counts."""
    assert upload_left(record(), NOW) == 0
    assert upload_left(uploading(), NOW + timedelta(minutes=59)) == 60
    assert upload_left(uploading(), NOW + timedelta(hours=1)) == 0


@given(st.integers(0, 69_999_999))
def test_what_is_sent_next_ends_with_its_chunk(offset: int) -> None:
    """From the offset to the end of the chunk that it lies in, as the plan cuts it."""
    first, last = next_chunk(uploading(offset))
    assert first == offset
    assert any(start <= offset and last == end for start, end in PLAN.ranges())


@given(st.integers(0, 6), st.booleans())
def test_a_figure_at_a_border_is_read_both_ways(index: int, as_count: bool) -> None:
    """Whether TikTok counts or names the last offset, at the end of a chunk the same is proved."""
    end = PLAN.chunk(index)[1] + 1
    assert proved_offset(uploading(), end if as_count else end - 1, refused=False) == end


@given(st.integers(0, 10**15), st.integers(0, 69_999_999), st.booleans())
def test_no_figure_proves_more_than_the_file(said: int, offset: int, refused: bool) -> None:
    """Whatever is said, the offset stays inside the file, next to what was said, and off where TikTok refused."""
    proved = proved_offset(uploading(offset), said, refused=refused)
    assert 0 <= proved <= PLAN.video_size
    if proved != offset:
        assert proved in (said, said + 1)
    if refused and said <= PLAN.video_size - 1:
        assert proved != offset or said not in (offset, offset - 1)


def test_what_tiktok_pulls_has_no_chunks() -> None:
    """Asking for them is a mistake of ours."""
    with pytest.raises(ValueError, match="no chunks"):
        next_chunk(record(PULL))
    with pytest.raises(ValueError, match="no chunks"):
        proved_offset(record(PULL), 1, refused=False)


def test_a_cut_that_tiktok_took_instead_is_learned() -> None:
    """The latest counts; usual cuts and refused ones teach nothing."""
    other = plan_chunks(70_000_000, 32_000_000)
    taken = evolve(uploading(), plan=other, updated_at=LATER)
    older = evolve(uploading(), plan=plan_chunks(70_000_000, 5_242_880))
    refused = evolve(taken, publish_id=None, updated_at=LATER + timedelta(1))
    assert learned_chunk([uploading(), record(PULL), refused]) is None
    assert learned_chunk([older, taken, uploading(), refused]) == 32_000_000
