"""Beginning a post: ask the creator info, store that the init leaves, send it, store what came back.

A step sends one init. The step waits for a token, for the quota, and for the end of a rate limit only while no init is under
way: before the record says that one leaves, or after it says that none was begun.

What belongs here: the order of these acts. What follows from an answer is decided by `domain.init_verdicts`.

Its tests: `tests/faults/test_answers.py`, `tests/flows/posting/test_turn.py`, `tests/domain/test_init_verdicts.py`.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import cast

from attrs import evolve

from tiktok_core.domain.beginning import not_yet
from tiktok_core.domain.creator import CreatorInfo
from tiktok_core.domain.elsewhere import another_file, is_its_url
from tiktok_core.domain.init_verdicts import (
    INIT_ERRORS,
    after_begun_init,
    after_creator_check,
    after_init_error,
    after_no_upload,
    after_unanswered_init,
)
from tiktok_core.domain.journal import Record
from tiktok_core.domain.media import VideoFacts, media_problems
from tiktok_core.domain.moves import init_sent, joined, not_begun, opened
from tiktok_core.domain.names import without
from tiktok_core.domain.pacing import Quota
from tiktok_core.domain.posts import PhotoPost, VideoPost, creator_problems
from tiktok_core.domain.publishing import Begun
from tiktok_core.domain.retry import Operation, RetryLimits
from tiktok_core.domain.tokens import Secret
from tiktok_core.domain.verdicts import Verdict
from tiktok_core.errors import (
    AccessTokenInvalid,
    ApiError,
    InvalidPost,
    LeaseLost,
    TikTokError,
    UnexpectedResponse,
    refuse,
)
from tiktok_core.flows.calls.access import authorized, pause_for_quota, usable_tokens
from tiktok_core.flows.calls.context import Context
from tiktok_core.flows.calls.disks import look
from tiktok_core.flows.calls.dispatch import Dispatch
from tiktok_core.flows.calls.exchange import exchange
from tiktok_core.flows.calls.renew import refreshed
from tiktok_core.flows.posting.check import look_at_video
from tiktok_core.flows.posting.entry import usually_cut
from tiktok_core.flows.posting.turn import Progressed, Turn
from tiktok_core.flows.posting.video_file import VideoFile, check_unchanged, looked_into, planned
from tiktok_core.wire.http import Request
from tiktok_core.wire.publishing import (
    creator_info_request,
    photo_init_request,
    read_begun,
    read_creator_info,
    video_init_request,
)

__all__ = ["begin", "begin_again"]


async def begin(turn: Turn, open_video: Callable[[Record], Awaitable[VideoFile]]) -> Progressed:
    """Check the post against the creator as they are now, and send the init; or say when the quota allows one.

    Args:
        turn: our right to take this step.
        open_video: gives the file of the record.

    Raises:
        ReleaseRequired: it is held, or late; a person has to release it.
        SourceChanged: the file is out of reach, or is no longer the one that was planned; the post waits for it.
        InvalidPost, PostingRefused, ScopeMissing, ApiError: it may not be posted; nothing was.
        OutcomeUnknown: it may have been posted.
        TikTokError: the creator could not be asked, or the tokens are of no use; it can be tried again.
    """
    context, record = turn.context, turn.record
    if (waits := not_yet(record, turn.now)) is not None:
        return await turn.settle(waits)
    if record.wish.is_unopened:
        try:
            return await _plan(turn, open_video)
        except InvalidPost as error:
            return await turn.settle(after_no_upload(record, turn.now, error))
    if (pause := await pause_for_quota(context, record.account, Quota.INIT)) > 0:
        return await turn.settle(Verdict(record=record, again_in=pause))
    post = record.wish.post
    facts = VideoFacts() if record.wish.is_pulled else await _looked_at(context, record, await open_video(record))
    try:
        if not post.draft:
            ask = partial(creator_info_request, context.endpoints)
            creator: CreatorInfo = await authorized(
                context, record.account, ask, read_creator_info, quota=Quota.CREATOR_INFO
            )
            refuse(InvalidPost, (*creator_problems(post, creator), *media_problems(facts, creator)))
    except (ApiError, InvalidPost) as error:
        return await turn.settle(after_creator_check(record, turn.now, error))
    return await _init(turn)


async def _looked_at(context: Context, record: Record, video_file: VideoFile) -> VideoFacts:
    """Return what the file says about itself; nothing for a draft, whose creator's limits do not count yet.

    Raises:
        SourceChanged: it is not the file that was planned: an init for it would begin a post that never gets its bytes.
    """
    await look(context, video_file.source, partial(check_unchanged, video_file, record), record.publish_id)
    return VideoFacts() if record.wish.post.draft else (await looked_into(context, video_file.source)).facts


async def _plan(turn: Turn, open_video: Callable[[Record], Awaitable[VideoFile]]) -> Progressed:
    """Open the video that TikTok refused to pull, and store how it is to be uploaded. The next step sends an init for it."""
    context, record = turn.context, turn.record
    video_file = await open_video(record)
    if not is_its_url(record, video_file.name):
        raise another_file(record)
    refuse(InvalidPost, await look_at_video(context, video_file.source, cast(VideoPost, record.wish.post)))
    wish = await usually_cut(context, planned(record.wish, video_file))
    if not await turn.lengthen(timedelta(0)):
        return await turn.held_elsewhere()
    return await turn.settle(Verdict(record=opened(record, turn.now, wish), again_in=0.0))


async def begin_again(turn: Turn) -> Progressed:
    """Continue a post whose last init has no stored answer, because it was lost or its process ended.

    Raises:
        OutcomeUnknown: it may have been posted.
        ReleaseRequired: it is late; a person has to release it.
        UnexpectedResponse: several inits of a file went without an answer; nothing was posted.
    """
    verdict = after_unanswered_init(turn.record, turn.now) or not_yet(turn.record, turn.now)
    if verdict is not None:
        return await turn.settle(verdict)
    if (pause := await pause_for_quota(turn.context, turn.record.account, Quota.INIT)) > 0:
        return await turn.settle(Verdict(record=turn.record, again_in=pause))
    return await _init(turn)


async def _init(turn: Turn) -> Progressed:
    context, account = turn.context, turn.record.account
    tokens = await usable_tokens(context, account)
    try:
        return await context.protect(_sent_and_saved(turn, tokens.access_token))
    except AccessTokenInvalid:
        # It proves that nothing was begun, so even what publishes by itself may be asked for again.
        tokens = await refreshed(context, account, tokens)
    return await context.protect(_sent_and_saved(turn, tokens.access_token))


async def _sent_and_saved(turn: Turn, token: Secret) -> Progressed:
    """Store that an init leaves, send it, and store its answer.

    A cancelled caller loses neither fact: that a post exists, or that none was begun.
    """
    if not await turn.lengthen(timedelta(seconds=turn.context.retry_limits.deadline)):
        return await turn.held_elsewhere()
    sent = init_sent(turn.record, turn.now, turn.record.plan or turn.record.wish.plan)
    dispatch = Dispatch()
    try:
        await turn.save(sent)
        progressed = await _sent(turn, token, dispatch)
    except GeneratorExit:
        raise  # The coroutine is being closed, as where an event loop ends without it, and can await nothing.
    except BaseException:
        if not dispatch.may_have_acted:
            # By its own time: the clock may be what has failed.
            await turn.take_back(not_begun(sent, sent.updated_at))
        dispatch.let_out()
        raise
    dispatch.let_out()
    return progressed


async def _sent(turn: Turn, token: Secret, dispatch: Dispatch) -> Progressed:
    context, record = turn.context, turn.record
    operation = Operation.INIT_PULL if record.wish.is_pulled else Operation.INIT_UPLOAD
    read = partial(read_begun, endpoints=context.endpoints, uploads=not record.wish.is_pulled)
    once = evolve(context, retry_limits=RetryLimits(retries=0, deadline=context.retry_limits.deadline))
    request, account = _request(context, record, token), record.account
    try:
        answer = await exchange(once, request, read, operation, account=account, quota=Quota.INIT, dispatch=dispatch)
    except INIT_ERRORS as error:
        told, can_upload = _without_query(error, record), context.open_source is not None
        progressed = await turn.settle(after_init_error(record, turn.now, told, can_upload=can_upload))
        if progressed.record.wish.is_unopened:
            said = "TikTok may not pull %s, because it is under none of the app's verified URL properties: its bytes are uploaded from here"
            context.log.warning(said, record.wish.shown, log_id=getattr(error, "log_id", ""))
        return progressed
    return await _answered(turn, answer)


def _without_query(error: TikTokError, record: Record) -> TikTokError:
    """Return the error without the queries of URLs, which TikTok's answer may quote."""
    if isinstance(error, ApiError):
        error.message = without(error.message, record.wish.secrets)
    elif isinstance(error, UnexpectedResponse):
        error.reason = without(error.reason, record.wish.secrets)
    return error


async def _answered(turn: Turn, answer: Begun) -> Progressed:
    verdict = after_begun_init(turn.record, turn.now, answer)
    try:
        return await turn.settle(verdict)
    except LeaseLost as error:
        error.name_post(publish_id=answer.publish_id)
        await _keep_both(turn.context, verdict.record)
        raise


async def _keep_both(context: Context, record: Record) -> None:
    stored = await context.journal.load(record.name) or record
    if not (record.wish.is_pulled or stored.is_given_up):
        return  # An upload that no owner goes on with comes to nothing. What is pulled is being published: that must be known.
    kept = joined(stored, record)
    if kept.publish_id != record.publish_id:
        said = "Post %s was begun under the key %s, which stands for another by now: look at the account"
        context.log.warning(said, record.publish_id, record.key, publish_id=record.publish_id)
    await context.journal.save(kept, fence=None)


def _request(context: Context, record: Record, token: Secret) -> Request:
    post = record.wish.post
    if isinstance(post, PhotoPost):
        request = photo_init_request(context.endpoints, token, post)
    else:
        request = video_init_request(context.endpoints, token, post, record.plan or record.wish.name or Secret(""))
    return evolve(request, fresh_connection=True, time_limit=context.retry_limits.deadline)
