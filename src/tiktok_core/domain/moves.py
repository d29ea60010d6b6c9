"""How a post's record moves from stage to stage: one table of moves, and a plain function for each move.

What belongs here: the table `NEXT` and the functions in it. Each function takes a record and returns the record to store. A
move of ours that the table does not have raises `ForbiddenMove`. What TikTok says is never refused: `reported` and `joined`
keep every answer, also one that the table does not foresee. The page "How a post works" is drawn from `NEXT`.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import wraps
from typing import Concatenate, Final, ParamSpec

from attrs import evolve

from tiktok_core.domain.chunks import ChunkPlan
from tiktok_core.domain.journal import END_OF, Record, Stage, Wish, next_chunk
from tiktok_core.domain.kept_refusal import SAID_BY_A_PERSON, Refusal, given_up_at
from tiktok_core.domain.publishing import Begun, Publication, PublishStatus

__all__ = [
    "NEXT",
    "SAID_BY_TIKTOK",
    "ForbiddenMove",
    "begun",
    "ended",
    "given_up",
    "init_sent",
    "is_foreseen",
    "joined",
    "leaving",
    "moved",
    "not_begun",
    "not_left",
    "opened",
    "reported",
    "restarted",
    "settled",
    "to_be_uploaded",
    "unknown",
]

P = ParamSpec("P")

SAID_BY_TIKTOK: Final = ("reported", "joined")
"""The moves that write down what TikTok said. They are never refused."""
REPORTED_ENDS: Final = (Stage.COMPLETE, Stage.IN_INBOX, Stage.FAILED)


def _to(*stages: Stage) -> frozenset[Stage]:
    return frozenset(stages)


NEXT: Final[Mapping[Stage, Mapping[str, frozenset[Stage]]]] = {
    Stage.PLANNED: {
        "opened": _to(Stage.PLANNED),
        "init_sent": _to(Stage.INIT_SENT),
        "ended": _to(Stage.ABANDONED),
        "given_up": _to(Stage.GIVEN_UP),
        "reported": _to(Stage.PLANNED),
        "joined": _to(Stage.PLANNED),
    },
    Stage.INIT_SENT: {
        "init_sent": _to(Stage.INIT_SENT),
        "begun": _to(Stage.UPLOADING, Stage.PROCESSING),
        "not_begun": _to(Stage.PLANNED),
        "to_be_uploaded": _to(Stage.PLANNED),
        "unknown": _to(Stage.UNKNOWN),
        "ended": _to(Stage.ABANDONED),
        "given_up": _to(Stage.GIVEN_UP),
        "reported": _to(Stage.INIT_SENT),
        "joined": _to(Stage.INIT_SENT, Stage.PROCESSING),
    },
    Stage.UPLOADING: {
        "leaving": _to(Stage.UPLOADING),
        "not_left": _to(Stage.UPLOADING),
        "moved": _to(Stage.UPLOADING, Stage.PROCESSING),
        "restarted": _to(Stage.PLANNED),
        "unknown": _to(Stage.UNKNOWN),
        "ended": _to(Stage.ABANDONED),
        "given_up": _to(Stage.GIVEN_UP),
        "reported": _to(Stage.UPLOADING, *REPORTED_ENDS),
        "joined": _to(Stage.UPLOADING),
    },
    Stage.PROCESSING: {
        "unknown": _to(Stage.UNKNOWN),
        "reported": _to(Stage.PROCESSING, *REPORTED_ENDS),
        "joined": _to(Stage.PROCESSING),
    },
    Stage.UNKNOWN: {
        "moved": _to(Stage.PROCESSING),
        "restarted": _to(Stage.PLANNED),
        "ended": _to(Stage.ABANDONED),
        "settled": _to(Stage.COMPLETE, Stage.IN_INBOX, Stage.ABANDONED),
        "reported": _to(Stage.UNKNOWN, *REPORTED_ENDS),
        "joined": _to(Stage.UNKNOWN, Stage.PROCESSING),
    },
    Stage.COMPLETE: {
        "reported": _to(Stage.COMPLETE, Stage.FAILED),
        "joined": _to(Stage.COMPLETE),
    },
    Stage.IN_INBOX: {
        "reported": _to(Stage.IN_INBOX, Stage.COMPLETE, Stage.FAILED),
        "joined": _to(Stage.IN_INBOX),
    },
    Stage.FAILED: {
        "reported": _to(Stage.FAILED),
        "joined": _to(Stage.FAILED),
    },
    Stage.ABANDONED: {
        "reported": _to(Stage.ABANDONED),
        "joined": _to(Stage.ABANDONED, Stage.PROCESSING),
    },
    Stage.GIVEN_UP: {
        "reported": _to(Stage.GIVEN_UP, Stage.COMPLETE, Stage.IN_INBOX),
        "joined": _to(Stage.GIVEN_UP),
    },
}
"""For each stage, the moves that a record may make there, and the stages to which each of them leads.

`reported` and `joined` are never refused. Their rows say what is foreseen; a caller logs any other answer and keeps it, too.
"""


class ForbiddenMove(ValueError):
    """A move of ours that the table does not have: a mistake in this library, and never TikTok's doing."""


def is_foreseen(before: Record, move: str, after: Record) -> bool:
    """Whether the table has this move between these two records."""
    return after.stage in NEXT[before.stage].get(move, ())


def _ours(move: Callable[Concatenate[Record, P], Record]) -> Callable[Concatenate[Record, P], Record]:
    """Let a move through only where the table has it."""

    @wraps(move)
    def checked(record: Record, /, *args: P.args, **kwargs: P.kwargs) -> Record:
        after = move(record, *args, **kwargs)
        if not is_foreseen(record, move.__name__, after):
            raise ForbiddenMove(
                f"the move {move.__name__} does not lead from {record.stage!s} to {after.stage!s}: "
                "this is a mistake in tiktok_core, please report it"
            )
        return after

    return checked


# --- Before the bytes ------------------------------------------------------------------------------------------------


@_ours
def init_sent(record: Record, now: datetime, plan: ChunkPlan | None) -> Record:
    """Return the record to store before an init leaves."""
    return evolve(
        record,
        stage=Stage.INIT_SENT,
        updated_at=now,
        inits=record.inits + 1,
        lost_inits=record.lost_inits + 1,
        init_at=now,
        plan=plan,
        publish_id=None,
        upload_url=None,
        offset=0,
        last_left=False,
        handed_at=None,
        last=None,
    )


@_ours
def begun(record: Record, now: datetime, answer: Begun) -> Record:
    """Return the record to store before the first byte leaves: TikTok has named the post."""
    return evolve(
        record,
        stage=Stage.PROCESSING if record.wish.is_pulled else Stage.UPLOADING,
        updated_at=now,
        handed_at=now if record.wish.is_pulled else None,
        lost_inits=0,
        publish_id=answer.publish_id,
        upload_url=answer.upload_url,
    )


@_ours
def not_begun(record: Record, now: datetime, plan: ChunkPlan | None = None) -> Record:
    """Return the record after an init that certainly began nothing.

    Args:
        record: the post, as it was stored before the init left.
        now: the time.
        plan: how to cut the file at the next init; as before, unless given.
    """
    planned = _planned_again(record, now)
    return evolve(planned, inits=record.inits - 1, lost_inits=record.lost_inits - 1, plan=plan or record.plan)


@_ours
def to_be_uploaded(record: Record, now: datetime, why: Refusal) -> Record:
    """Return the record after TikTok refused to pull: nothing was begun, and from now on this is an upload.

    It is stored before the URL is opened, so that no later step, in any process, asks TikTok to pull again.

    Args:
        record: the post, as it was stored before the init left.
        now: the time.
        why: TikTok's refusal, which is what the caller hears if the URL cannot be opened either.
    """
    planned = _planned_again(record, now)
    wish = evolve(record.wish, upload=True)
    return evolve(planned, inits=record.inits - 1, lost_inits=record.lost_inits - 1, wish=wish, refusal=why)


@_ours
def opened(record: Record, now: datetime, wish: Wish) -> Record:
    """Return the record to store once the video that TikTok refused to pull was opened: it is held to what it was then."""
    return evolve(record, updated_at=now, wish=wish, plan=wish.plan, refusal=None)


# --- While bytes leave -----------------------------------------------------------------------------------------------


@_ours
def leaving(record: Record, now: datetime) -> Record:
    """Return the record to store before the next chunk leaves.

    Once the last byte may have reached TikTok, the post may be complete, even if TikTok counts fewer bytes.
    """
    is_last = record.plan is not None and next_chunk(record)[1] + 1 == record.plan.video_size
    return evolve(record, updated_at=now, last_left=True) if is_last and not record.last_left else record


@_ours
def not_left(record: Record, before: Record) -> Record:
    """Return the record after a chunk whose last byte certainly did not arrive: `last_left` is as it was before."""
    return evolve(record, updated_at=before.updated_at, last_left=before.last_left)


@_ours
def moved(record: Record, now: datetime, offset: int) -> Record:
    """Return the record after TikTok proved to have `offset` bytes; once it has them all, its own work begins."""
    size = record.plan.video_size if record.plan else 0
    if offset >= size:
        return evolve(record, stage=Stage.PROCESSING, updated_at=now, handed_at=now, offset=size, upload_url=None)
    return evolve(record, updated_at=now, offset=offset)


@_ours
def restarted(record: Record, now: datetime) -> Record:
    """Return the record of a file whose upload came to nothing, so that it needs another init."""
    return _planned_again(record, now)


def _planned_again(record: Record, now: datetime) -> Record:
    return evolve(
        record,
        stage=Stage.PLANNED,
        updated_at=now,
        publish_id=None,
        upload_url=None,
        offset=0,
        last_left=False,
        handed_at=None,
    )


# --- Ends, and no end ------------------------------------------------------------------------------------------------


@_ours
def unknown(record: Record, now: datetime) -> Record:
    """Return the record of a post that may exist or not; where TikTok has named it, TikTok can be asked."""
    return evolve(record, stage=Stage.UNKNOWN, updated_at=now, upload_url=None, handed_at=record.handed_at or now)


@_ours
def ended(record: Record, now: datetime, why: Refusal) -> Record:
    """Return the record of a post that was refused before anything was published."""
    return _abandoned(record, now, why)


@_ours
def given_up(record: Record, now: datetime) -> Record:
    """Return the record of a post that a person gave up before it could be published: its key never begins it again."""
    return _secretless(evolve(record, stage=Stage.GIVEN_UP, updated_at=now, refusal=given_up_at(now)))


@_ours
def settled(record: Record, now: datetime, *, posted: bool) -> Record:
    """Return the record after a person has said how an unknown outcome ended."""
    if posted:
        word = PublishStatus.SEND_TO_USER_INBOX if record.wish.post.draft else PublishStatus.PUBLISH_COMPLETE
        return reported(record, now, Publication(publish_id=record.publish_id or "", status=word))
    return _abandoned(record, now, SAID_BY_A_PERSON)


def _abandoned(record: Record, now: datetime, why: Refusal) -> Record:
    return _secretless(evolve(record, stage=Stage.ABANDONED, updated_at=now, refusal=why))


def _secretless(record: Record) -> Record:
    return evolve(record, upload_url=None, wish=record.wish.without_queries)


# --- What TikTok said ------------------------------------------------------------------------------------------------


def reported(record: Record, now: datetime, publication: Publication) -> Record:
    """Return the record after TikTok reported the post's status. Never refused: TikTok's word is kept.

    A post that a person gave up and TikTok then failed stays given up: nothing was published, as the person wished. More that is
    said of an end, such as the public id, leaves the time of that end as it was.
    """
    end = next((stage for word, stage in END_OF.items() if word == publication.status), None)
    if end is None or (end is Stage.FAILED and record.is_given_up):
        end = record.stage
    is_known = record.is_ended and end is record.stage
    heard = evolve(record, stage=end, updated_at=record.updated_at if is_known else now, last=publication)
    return _secretless(heard) if end in REPORTED_ENDS else heard


def joined(stored: Record, late: Record) -> Record:
    """Merge a late init answer into a record that another owner has changed since. Never refused: no publish id is lost.

    Args:
        stored: the record as it is now.
        late: the record as the answer would have made it.
    """
    is_of_its_init = (stored.inits, stored.init_at) == (late.inits, late.init_at)
    # What was pulled and is an upload by now has sent another init since.
    is_its_own = stored.publish_id is None and is_of_its_init and stored.wish.is_pulled == late.wish.is_pulled
    if is_its_own and stored.stage in (Stage.INIT_SENT, Stage.UNKNOWN, Stage.ABANDONED):
        return late
    if is_its_own:
        last = evolve(stored.last, publish_id=late.publish_id or "") if stored.last else None
        return evolve(stored, publish_id=late.publish_id, last=last)
    if late.publish_id is None or late.publish_id in (stored.publish_id, *stored.others):
        return stored
    return evolve(stored, others=(*stored.others, late.publish_id))
