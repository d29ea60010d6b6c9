"""One step of a post: the record's stage says which. The owner of the lease takes it; any other caller hears when to come again.

Calling this twice, from two processes, is safe, and so is never calling it again: each step is stored before the next.

What belongs here: the one choice by a record's stage. What each step does is in `begin`, `upload` and `follow`.
"""

from collections.abc import Awaitable, Callable

from tiktok_core.domain.journal import Record, Stage
from tiktok_core.domain.verdicts import after_end, while_unknown
from tiktok_core.errors import TikTokError
from tiktok_core.flows.calls.context import Context
from tiktok_core.flows.posting.begin import begin, begin_again
from tiktok_core.flows.posting.follow import poll
from tiktok_core.flows.posting.turn import Progressed, Turn, held_elsewhere, take_turn
from tiktok_core.flows.posting.upload import ask_about_lost_upload, upload
from tiktok_core.flows.posting.video_file import VideoFile

__all__ = ["advance"]


async def advance(
    context: Context,
    record: Record,
    owner: str,
    *,
    open_video: Callable[[Record], Awaitable[VideoFile]],
    on_sent: Callable[[Record, int], None],
    is_certain: bool,
) -> Progressed:
    """Take one step.

    Args:
        context: what to work with.
        record: the post, as it was last seen.
        owner: who takes the step; the same at each step of one run.
        open_video: gives the file of the record; asked only when it is looked into, or bytes of it have to leave.
        on_sent: called with how many bytes of the video have left.
        is_certain: whether the step before was ours and ended without a doubt.

    Raises:
        Gone: the journal has no record of this post.
        LeaseLost: another owner has taken the post over.
        OutcomeUnknown: the post may exist or not; a person has to say.
        TikTokError: as the step ends.
    """
    turn = await take_turn(context, record.name, owner)
    if turn is None:
        return await held_elsewhere(context, record)
    try:
        return await _taken(turn, open_video, on_sent, is_certain=is_certain)
    except TikTokError as error:
        error.name_post(turn.record.key, turn.record.publish_id)
        raise


async def _taken(
    turn: Turn,
    open_video: Callable[[Record], Awaitable[VideoFile]],
    on_sent: Callable[[Record, int], None],
    *,
    is_certain: bool,
) -> Progressed:
    match turn.record.stage:
        case Stage.PLANNED:
            return await begin(turn, open_video)
        case Stage.INIT_SENT:
            return await begin_again(turn)
        case Stage.UPLOADING:
            return await upload(turn, open_video, on_sent, is_certain=is_certain)
        case Stage.PROCESSING:
            return await poll(turn)
        case Stage.UNKNOWN if turn.record.publish_id and turn.record.wish.is_pulled:
            return await poll(turn)
        case Stage.UNKNOWN if turn.record.publish_id and turn.record.plan:
            return await ask_about_lost_upload(turn)
        case Stage.UNKNOWN:
            return await turn.settle(while_unknown(turn.record))
        case _:
            return await turn.settle(after_end(turn.record))
