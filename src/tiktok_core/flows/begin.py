"""Beginning a post: ask the creator info, write down that the init leaves, send it, write down what came back.

The answer to the init decides what is known. Of a file nothing is posted without bytes, so a lost answer costs an init. A
pull or photos publish by the init alone, so after a lost answer nobody knows, and a person has to say.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

from attrs import evolve

from tiktok_core.domain.chunks import ChunkPlan, fallback_plans
from tiktok_core.domain.creator import CreatorInfo
from tiktok_core.domain.journal import MOST_LOST_INITS, Record, Stage, begun, ended, init_sent, not_begun, unknown
from tiktok_core.domain.media import VideoFacts, media_problems
from tiktok_core.domain.pacing import Quota
from tiktok_core.domain.posts import PhotoPost, creator_problems
from tiktok_core.domain.publishing import Ticket, poll_pause
from tiktok_core.domain.retry import Operation
from tiktok_core.domain.tokens import Secret
from tiktok_core.errors import (
    ApiError,
    ForeignUploadHost,
    Interrupted,
    InvalidPost,
    LeaseLost,
    NotSent,
    RateLimited,
    ServerError,
    SignInRequired,
    TikTokError,
    UnexpectedRedirect,
    UnexpectedResponse,
    refuse,
)
from tiktok_core.flows.access import authorized, pause_for_quota
from tiktok_core.flows.exchange import Context
from tiktok_core.flows.follow import PASSING
from tiktok_core.flows.hold import AGAIN, Hold, Progressed, outcome_unknown, save
from tiktok_core.flows.look import video_facts
from tiktok_core.flows.upload import Film
from tiktok_core.wire.http import Request
from tiktok_core.wire.publishing import (
    creator_info_request,
    photo_init_request,
    read_creator_info,
    read_ticket,
    video_init_request,
)

__all__ = ["after_lost_init", "begin"]

PLAN_REFUSED: Final = ("chunk size is invalid", "chunk count is invalid")


async def begin(context: Context, hold: Hold, film: Callable[[Record], Film]) -> Progressed:
    """Check the post against the creator as they are now, and send the init; or tell when the quota allows one.

    Args:
        context: what to work with.
        hold: the post, and our right to go on with it.
        film: gives the file of the record; asked only where somebody looks into it.

    Raises:
        SourceChanged: the file is out of reach; the post waits for it.
        InvalidPost, PostingRefused, ScopeMissing, SignInRequired, ApiError: it may not be posted; nothing was.
        OutcomeUnknown: it may have been posted.
        TransportError, RateLimited, ServerError: the creator could not be asked; it can be tried again.
    """
    if (pause := await pause_for_quota(context, hold.record.account, Quota.INIT)) > 0:
        return Progressed(record=hold.record, again_in=pause)
    post = hold.record.wish.post
    looks = context.probe is not None and not post.draft and not hold.record.wish.is_pulled
    facts = await video_facts(context, film(hold.record).source) if looks else VideoFacts()
    try:
        if not post.draft:
            ask = partial(creator_info_request, context.endpoints)
            creator: CreatorInfo = await authorized(
                context, hold.record.account, ask, read_creator_info, quota=Quota.CREATOR_INFO
            )
            refuse(InvalidPost, (*creator_problems(post, creator), *media_problems(facts, creator)))
    except PASSING:
        raise
    except TikTokError:
        await save(context, hold, ended(hold.record, context.clock.now()))
        raise
    return await _init(context, hold)


async def after_lost_init(context: Context, hold: Hold) -> Progressed:
    """Go on where whoever sent the init never wrote down an answer.

    Raises:
        OutcomeUnknown: it may have been posted.
        UnexpectedResponse: several inits of a file went without an answer; nothing was posted.
    """
    if hold.record.wish.is_pulled:
        record = await save(context, hold, unknown(hold.record, context.clock.now()))
        raise outcome_unknown(record, "whoever sent it ended before an answer came")
    if hold.record.inits >= MOST_LOST_INITS:
        await save(context, hold, ended(hold.record, context.clock.now()))
        raise UnexpectedResponse("init", f"{hold.record.inits} of them went without an answer; nothing was posted")
    if (pause := await pause_for_quota(context, hold.record.account, Quota.INIT)) > 0:
        return Progressed(record=hold.record, again_in=pause)
    return await _init(context, hold)


async def _init(context: Context, hold: Hold) -> Progressed:
    plan = hold.record.plan or hold.record.wish.plan
    record = await save(context, hold, init_sent(hold.record, context.clock.now(), plan))
    hold = evolve(hold, record=record)
    try:
        # The answer and its record belong together: a cancelled caller must not lose a post that exists.
        record = await context.protect(_sent_and_saved(context, hold))
    except (Interrupted, ServerError, UnexpectedResponse) as error:
        return await _without_answer(context, hold, error)
    except (NotSent, RateLimited, SignInRequired):
        await save(context, hold, not_begun(record, context.clock.now()))
        raise
    except ApiError as error:
        return await _refused(context, hold, error)
    return Progressed(record=record, again_in=poll_pause(0) if record.stage is Stage.PROCESSING else 0.0)


async def _sent_and_saved(context: Context, hold: Hold) -> Record:
    record = hold.record
    operation = Operation.INIT_PULL if record.wish.is_pulled else Operation.INIT_UPLOAD
    read = partial(read_ticket, endpoints=context.endpoints, uploads=not record.wish.is_pulled)
    request = partial(_request, context, record)
    ticket: Ticket = await authorized(context, record.account, request, read, operation=operation)
    record = begun(record, context.clock.now(), ticket)
    try:
        return await save(context, hold, record)
    except LeaseLost:
        if record.wish.is_pulled:
            # It is being published, whoever holds the lease: that must be known.
            await context.journal.save(record, fence=None)
        raise


def _request(context: Context, record: Record, token: Secret) -> Request:
    post = record.wish.post
    if isinstance(post, PhotoPost):
        request = photo_init_request(context.endpoints, token, post)
    else:
        request = video_init_request(context.endpoints, token, post, record.plan or record.wish.video or "")
    return evolve(request, fresh_connection=True, time_limit=context.patience.deadline)


async def _without_answer(context: Context, hold: Hold, error: TikTokError) -> Progressed:
    now = context.clock.now()
    if isinstance(error, (ForeignUploadHost, UnexpectedRedirect)):
        # Something answered, and it was no post that could be uploaded to, or none at all.
        await save(context, hold, ended(hold.record, now))
        raise error
    if hold.record.wish.is_pulled:
        record = await save(context, hold, unknown(hold.record, now))
        raise outcome_unknown(record, str(error).rstrip(".")) from error
    if hold.record.inits >= MOST_LOST_INITS:
        await save(context, hold, ended(hold.record, now))
        raise error
    return Progressed(record=hold.record, again_in=AGAIN, trouble=error)


async def _refused(context: Context, hold: Hold, error: ApiError) -> Progressed:
    record, now = hold.record, context.clock.now()
    plan = _next_plan(record) if any(word in error.message for word in PLAN_REFUSED) else None
    if plan is None:
        await save(context, hold, ended(record, now))
        raise error
    # Nothing was created, so another cut may be tried.
    record = await save(context, hold, not_begun(record, now, plan))
    return Progressed(record=record, again_in=0.0, trouble=error)


def _next_plan(record: Record) -> ChunkPlan | None:
    first, refused = record.wish.plan, record.plan
    if first is None or refused is None or record.wish.is_cut_chosen:
        return None
    ladder = (first, *fallback_plans(first))
    after = ladder[ladder.index(refused) + 1 :] if refused in ladder else ()
    return after[0] if after else None
