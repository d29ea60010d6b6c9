"""The moves of a record: the table, each move, and TikTok's statuses beside them."""

from collections.abc import Callable
from contextlib import suppress
from typing import Final

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from tiktok_core.domain import moves as module
from tiktok_core.domain.chunks import plan_chunks
from tiktok_core.domain.journal import (
    END_OF,
    ENDS,
    Record,
    Stage,
    Wish,
    next_chunk,
)
from tiktok_core.domain.kept_refusal import SAID_BY_A_PERSON, Refusal
from tiktok_core.domain.moves import (
    NEXT,
    SAID_BY_TIKTOK,
    ForbiddenMove,
    begun,
    ended,
    given_up,
    init_sent,
    is_foreseen,
    joined,
    leaving,
    moved,
    not_begun,
    not_left,
    opened,
    reported,
    restarted,
    settled,
    to_be_uploaded,
    unknown,
)
from tiktok_core.domain.posts import PhotoPost, VideoPost
from tiktok_core.domain.publishing import NOT_POSTED, Begun, Publication, PublishStatus
from tiktok_core.domain.tokens import Secret
from tiktok_core.wire.records import dump_record, load_record
from wishes import FILE, LATER, NOW, PHOTOS, PLAN, PULL, record, uploading


def test_a_file_moves_from_the_wish_to_its_end() -> None:
    """Planned, sent, uploading, processing, complete: the record keeps the upload URL no longer than it needs it."""
    sent = init_sent(record(), NOW, PLAN)
    assert (sent.stage, sent.inits, sent.init_at) == (Stage.INIT_SENT, 1, NOW)
    named = begun(sent, NOW, Begun(publish_id="p", upload_url=Secret("https://u")))
    assert (named.stage, named.publish_id, named.handed_at) == (Stage.UPLOADING, "p", None)
    half = moved(named, LATER, 10_000_000)
    assert (half.stage, half.offset, half.upload_url) == (Stage.UPLOADING, 10_000_000, Secret("https://u"))
    whole = moved(half, LATER, 70_000_000)
    assert (whole.stage, whole.handed_at, whole.upload_url) == (Stage.PROCESSING, LATER, None)
    done = reported(whole, LATER, Publication(publish_id="p", status=PublishStatus.PUBLISH_COMPLETE))
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
    """A known final status ends the post; any other leaves the stage unchanged."""
    after = reported(uploading(), LATER, Publication(publish_id="p", status=word))
    assert after.stage is stage
    assert (after.upload_url is None) == after.is_ended


def test_a_pull_is_handed_over_by_its_init() -> None:
    """TikTok has all that it needs at once, and the status is downloading."""
    pulled = begun(init_sent(record(PULL), NOW, None), LATER, Begun(publish_id="p"))
    assert (pulled.stage, pulled.handed_at) == (Stage.PROCESSING, LATER)
    assert (pulled.shown.status, pulled.shown.uploaded_bytes) == ("PROCESSING_DOWNLOAD", None)


def test_what_tiktok_refused_to_pull_is_an_upload_from_then_on() -> None:
    """The refused init began nothing and does not count. Once opened, the record is that of a file, without the refusal."""
    why = Refusal(kind="PostingRefused", what="url_ownership_unverified", status=403)
    refused = to_be_uploaded(init_sent(record(PULL), NOW, None), LATER, why)
    assert (refused.stage, refused.inits, refused.lost_inits, refused.refusal) == (Stage.PLANNED, 0, 0, why)
    assert (refused.wish.is_pulled, refused.wish.is_unopened, refused.wish.video) == (False, True, PULL.video)
    wish = evolve(refused.wish, fingerprint="f", media_type=FILE.media_type, plan=PLAN)
    ready = opened(refused, LATER, wish)
    assert (ready.stage, ready.plan, ready.refusal, ready.wish.is_unopened) == (Stage.PLANNED, PLAN, None, False)
    named = begun(init_sent(ready, LATER, PLAN), LATER, Begun(publish_id="p", upload_url=Secret("https://u")))
    assert named.stage is Stage.UPLOADING


def test_a_late_answer_to_a_pull_never_becomes_that_of_an_upload() -> None:
    """Even if both inits left at the same time: TikTok is publishing what it pulls, and that is another post."""
    sent = init_sent(record(PULL), NOW, None)
    late = begun(sent, LATER, Begun(publish_id="late"))
    upload = init_sent(opened(to_be_uploaded(sent, NOW, WHY), NOW, evolve(FILE, upload=True)), NOW, PLAN)
    assert (upload.inits, upload.init_at) == (late.inits, late.init_at)
    kept = joined(upload, late)
    assert (kept.stage, kept.publish_id, kept.others) == (Stage.INIT_SENT, None, ("late",))


@pytest.mark.parametrize("end", ["given_up", "ended", "settled", "COMPLETE", "IN_INBOX", "FAILED"])
@pytest.mark.parametrize(
    "wish",
    [
        Wish(post=VideoPost(), video="https://media.example.com/a.mp4?sig=canary"),
        Wish(
            post=PhotoPost(
                photo_images=("https://media.example.com/1.jpg?sig=canary", "https://media.example.com/2.jpg")
            )
        ),
    ],
    ids=["video", "photos"],
)
def test_no_end_keeps_the_query_of_a_url(wish: Wish, end: str) -> None:
    """The record of what has ended is that of the same wish, and of no other one, without any query."""
    sent = init_sent(record(wish), NOW, None)
    words = {Stage.COMPLETE: "PUBLISH_COMPLETE", Stage.IN_INBOX: "SEND_TO_USER_INBOX", Stage.FAILED: "FAILED"}
    after = {
        "given_up": lambda: given_up(sent, LATER),
        "ended": lambda: ended(sent, LATER, WHY),
        "settled": lambda: settled(unknown(sent, LATER), LATER, posted=True),
        **{
            str(stage.name): lambda word=word: reported(
                begun(sent, LATER, Begun(publish_id="p")), LATER, Publication(publish_id="p", status=word)
            )
            for stage, word in words.items()
        },
    }[end]()
    assert after.is_ended
    assert "canary" not in f"{dump_record(after)!r} {after!r}"
    assert not after.wish.secrets
    assert after.wish.without_queries == after.wish
    assert sent.wish.secrets
    assert after.wish.is_same(wish)
    assert load_record(dump_record(after)) == after
    other = load_record(dump_record(sent).replace(b"canary", b"another")).wish
    assert not after.wish.is_same(other)


def test_a_begun_init_forgets_the_one_before() -> None:
    """A fresh init starts with nothing uploaded, and counts."""
    again = init_sent(restarted(uploading(20_000_000), LATER), LATER, PLAN)
    assert (again.inits, again.offset, again.publish_id, again.upload_url) == (2, 0, None, None)


@given(st.integers(0, 69_999_999))
def test_what_leaves_with_the_last_byte_may_complete_the_post(offset: int) -> None:
    """From then on the post may be complete, whatever count there is, until another init."""
    after = leaving(uploading(offset), LATER)
    assert after.last_left == (next_chunk(after)[1] == PLAN.video_size - 1)
    assert moved(after, LATER, 0).last_left == after.last_left
    assert unknown(after, LATER).last_left == after.last_left
    assert not restarted(after, LATER).last_left


def test_an_init_that_began_nothing_is_planned_again() -> None:
    """The plan may be another one or the same."""
    other, sent = plan_chunks(70_000_000, 32_000_000), init_sent(init_sent(record(), NOW, PLAN), NOW, PLAN)
    assert not_begun(sent, LATER, other).plan == other
    assert not_begun(sent, LATER).plan == PLAN
    assert not_begun(sent, LATER).stage is Stage.PLANNED
    assert (not_begun(sent, LATER).inits, not_begun(sent, LATER).lost_inits) == (1, 1)
    assert (restarted(uploading(), LATER).inits, restarted(uploading(), LATER).lost_inits) == (1, 0)


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("is_its_own", [True, False])
def test_a_late_answer_and_what_was_stored_meanwhile_are_both_kept(stage: Stage, is_its_own: bool) -> None:
    """Facts about one init never replace those about another, and no publish id is lost."""
    sent = init_sent(record(PULL), NOW, None)
    late = begun(sent, LATER, Begun(publish_id="late"))
    if is_its_own:
        stored = settled(unknown(sent, NOW), NOW, posted=True) if stage is Stage.COMPLETE else evolve(sent, stage=stage)
    else:
        stored = evolve(begun(init_sent(sent, LATER, None), LATER, Begun(publish_id="newer")), stage=stage)
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
    """Posted means complete. Not posted means abandoned, so that the key can be used again."""
    lost = unknown(init_sent(record(PHOTOS), NOW, None), LATER)
    assert (lost.stage, lost.is_ended) == (Stage.UNKNOWN, False)
    assert settled(lost, LATER, posted=True).shown.status == PublishStatus.PUBLISH_COMPLETE
    assert settled(lost, LATER, posted=False).stage is Stage.ABANDONED
    assert ended(uploading(), LATER, SAID_BY_A_PERSON).upload_url is None
    assert ended(uploading(), LATER, SAID_BY_A_PERSON).shown.status == NOT_POSTED
    assert settled(lost, LATER, posted=False).shown.is_final


def test_what_a_person_gave_up_holds_no_secret_and_says_when() -> None:
    """It has ended as not posted, keeps TikTok's id, and a late answer adds an id and begins nothing."""
    after = given_up(uploading(20_000_000), LATER)
    assert (after.stage, after.is_ended, after.is_given_up, after.upload_url) == (Stage.GIVEN_UP, True, True, None)
    assert (after.shown.status, after.shown.publish_id, after.shown.is_final) == (NOT_POSTED, "p", True)
    assert after.refusal is not None
    assert "2026-03-01 12:00:05 UTC" in after.refusal.messages[0]
    sent = init_sent(record(), NOW, PLAN)
    late = begun(sent, LATER, Begun(publish_id="late", upload_url=Secret("https://u")))
    kept = joined(given_up(sent, LATER), late)
    assert (kept.stage, kept.publish_id, kept.upload_url) == (Stage.GIVEN_UP, "late", None)
    failed = reported(kept, LATER, Publication(publish_id="late", status="FAILED", fail_reason="internal"))
    assert (failed.stage, failed.shown.status) == (Stage.GIVEN_UP, NOT_POSTED), "it failed, as the person wished"
    assert failed.last is not None
    assert failed.last.fail_reason == "internal"
    assert reported(kept, LATER, Publication(publish_id="late", status="PUBLISH_COMPLETE")).stage is Stage.COMPLETE


@pytest.mark.parametrize("wish", [FILE, PHOTOS], ids=["film", "photos"])
@pytest.mark.parametrize("draft", [False, True])
def test_what_a_person_saw_is_told_as_tiktok_would(wish: Wish, draft: bool) -> None:
    """A draft that the person saw is in the inbox, any other post is published. The upload URL is removed."""
    lost = evolve(uploading(), wish=evolve(wish, post=evolve(wish.post, draft=draft)), stage=Stage.UNKNOWN)
    done = settled(lost, LATER, posted=True)
    assert (done.stage, done.upload_url) == (Stage.IN_INBOX if draft else Stage.COMPLETE, None)
    assert done.shown.status == ("SEND_TO_USER_INBOX" if draft else "PUBLISH_COMPLETE")


# --- The table -------------------------------------------------------------------------------------------------------

OTHER: Final = plan_chunks(70_000_000, 32_000_000)
WHY: Final = Refusal(kind="ApiError", what="invalid_params")
OURS: Final[dict[str, Callable[[st.DrawFn, Record], Record]]] = {
    "init_sent": lambda draw, record: init_sent(record, LATER, draw(st.sampled_from([PLAN, OTHER, None]))),
    "begun": lambda _, record: begun(record, LATER, Begun(publish_id="new", upload_url=Secret("https://new"))),
    "not_begun": lambda draw, record: not_begun(record, LATER, draw(st.sampled_from([OTHER, None]))),
    "to_be_uploaded": lambda _, record: to_be_uploaded(record, LATER, WHY),
    "opened": lambda _, record: opened(record, LATER, FILE),
    "leaving": lambda _, record: leaving(record, LATER),
    "not_left": lambda _, record: not_left(record, record),
    "moved": lambda draw, record: moved(record, LATER, draw(st.integers(0, 70_000_001))),
    "restarted": lambda _, record: restarted(record, LATER),
    "unknown": lambda _, record: unknown(record, LATER),
    "ended": lambda _, record: ended(record, LATER, WHY),
    "given_up": lambda _, record: given_up(record, LATER),
    "settled": lambda draw, record: settled(record, LATER, posted=draw(st.booleans())),
}
"""Each move of ours, with whatever it may be given."""


@st.composite
def records(draw: st.DrawFn) -> Record:
    """Draw a record of any stage, of a file or of a pull, with or without a status of TikTok's."""
    wish = draw(st.sampled_from([FILE, PULL, PHOTOS]))
    draft = draw(st.booleans())
    return evolve(
        record(evolve(wish, post=evolve(wish.post, draft=draft))),
        stage=draw(st.sampled_from(Stage)),
        inits=draw(st.integers(1, 3)),
        lost_inits=draw(st.integers(1, 2)),
        init_at=draw(st.sampled_from([NOW, LATER])),
        publish_id=draw(st.sampled_from([None, "p"])),
        offset=draw(st.integers(0, 69_999_999)) if wish.plan else 0,
        last_left=draw(st.booleans()),
        last=draw(st.none() | statuses()),
    )


def statuses() -> st.SearchStrategy[Publication]:
    """Draw a status that TikTok may send, with words that it may add later."""
    words = st.sampled_from([*PublishStatus, "SOMETHING_NEW", ""])
    return st.builds(Publication, publish_id=st.just("p"), status=words)


def test_the_table_has_a_row_for_each_stage_and_each_move() -> None:
    """Each stage has its moves, each move of the module is in the table, and each stage can be reached."""
    assert set(NEXT) == set(Stage)
    named = {move for moves in NEXT.values() for move in moves}
    assert named == {*OURS, *SAID_BY_TIKTOK}
    assert named | {"NEXT", "SAID_BY_TIKTOK", "ForbiddenMove", "is_foreseen"} == set(module.__all__)
    assert {stage for moves in NEXT.values() for ends in moves.values() for stage in ends} == set(Stage)


def test_the_end_of_a_post_is_left_by_no_move_of_ours() -> None:
    """A post that ended or was given up moves on only by TikTok's status."""
    for stage in ENDS:
        assert set(NEXT[stage]) == set(SAID_BY_TIKTOK)


@settings(max_examples=300)
@given(st.data(), records(), st.sampled_from(sorted(OURS)))
def test_a_move_of_ours_that_is_not_in_the_table_raises(data: st.DataObject, before: Record, move: str) -> None:
    """Each pair of stage and move leads to a stage of the table, or raises; it never leads anywhere else."""

    @st.composite
    def after(draw: st.DrawFn) -> Record:
        return OURS[move](draw, before)

    if move not in NEXT[before.stage]:
        with pytest.raises(ForbiddenMove, match=rf"move {move} does not lead from {before.stage} "):
            data.draw(after())
        return
    with suppress(ForbiddenMove):
        assert data.draw(after()).stage in NEXT[before.stage][move]


def test_a_post_of_unknown_outcome_is_not_uploaded_further() -> None:
    """Its upload URL is gone, so only TikTok's statement that every byte is there moves it."""
    lost = unknown(uploading(20_000_000), LATER)
    assert moved(lost, LATER, 70_000_000).stage is Stage.PROCESSING
    with pytest.raises(ForbiddenMove):
        moved(lost, LATER, 69_999_999)


@given(records(), statuses(), st.sampled_from([None, "p", "late"]))
def test_nothing_that_tiktok_says_is_refused(stored: Record, said: Publication, publish_id: str | None) -> None:
    """In every stage the record keeps TikTok's status unchanged, and each publish id.

    The table says which of them was foreseen. Only a failure of what a person gave up does not change the end, and more that is said
    of an end does not change its time: a post that became public days later is not a new one.
    """
    after = reported(stored, LATER, said)
    assert after.last == said
    end = next((end for word, end in END_OF.items() if word == said.status), stored.stage)
    assert after.stage is (stored.stage if stored.is_given_up and end is Stage.FAILED else end)
    is_news = not stored.is_ended or after.stage is not stored.stage
    assert after.updated_at == (LATER if is_news else stored.updated_at)
    late = evolve(stored, stage=Stage.PROCESSING, publish_id=publish_id, updated_at=LATER)
    kept = joined(stored, late)
    assert {stored.publish_id, publish_id, *stored.others} <= {kept.publish_id, *kept.others, None}
    assert is_foreseen(stored, "joined", kept)


def test_a_chunk_that_did_not_leave_leaves_the_record_as_it_was() -> None:
    """The record noted the last byte as leaving before it left. If it certainly did not arrive, the note is removed."""
    before = uploading(60_000_000)
    departing = leaving(before, LATER)
    assert departing.last_left
    assert not_left(departing, before) == before
