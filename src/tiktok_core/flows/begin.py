"""Beginning a post: ask the creator info, write down that the init leaves, send it, write down what came back.

The answer to the init decides what is known. Of a file nothing is posted without bytes, so a lost answer costs an init. A
pull or photos publish by the init alone, so after a lost answer nobody knows, and a person has to say.

A step sends one init. Whatever has to be waited for, a token, the quota, or the end of a rate limit, is waited for while
none is under way: before it is written down that one leaves, or after it is written down that none was begun.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Final

from attrs import evolve

from tiktok_core.domain.chunks import ChunkPlan, fallback_plans
from tiktok_core.domain.creator import CreatorInfo
from tiktok_core.domain.given_up import refusal_of
from tiktok_core.domain.journal import (
    MOST_INITS,
    MOST_LOST_INITS,
    Record,
    Stage,
    begun,
    ended,
    init_sent,
    joined,
    not_begun,
    unknown,
)
from tiktok_core.domain.media import VideoFacts, media_problems
from tiktok_core.domain.pacing import Quota
from tiktok_core.domain.posts import PhotoPost, creator_problems
from tiktok_core.domain.publishing import Ticket, poll_pause
from tiktok_core.domain.retry import Operation, Patience
from tiktok_core.domain.tokens import Secret
from tiktok_core.errors import (
    AccessTokenInvalid,
    ApiError,
    ForeignUploadHost,
    Interrupted,
    InvalidPost,
    LeaseLost,
    NotSent,
    RateLimited,
    ServerError,
    TikTokError,
    UnexpectedRedirect,
    UnexpectedResponse,
    refuse,
)
from tiktok_core.flows.access import authorized, pause_for_quota, usable_tokens
from tiktok_core.flows.exchange import Context, Dispatch, exchange, log
from tiktok_core.flows.follow import PASSING
from tiktok_core.flows.hold import AGAIN, Hold, Progressed, keep, outcome_unknown, save, take_back, theirs
from tiktok_core.flows.look import video_facts
from tiktok_core.flows.renew import refreshed
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
NOT_OF_THE_POST: Final = (*PASSING, AccessTokenInvalid)
"""Refusals that say nothing of the post: it stays as it was planned."""


async def begin(context: Context, hold: Hold, film: Callable[[Record], Awaitable[Film]]) -> Progressed:
    """Check the post against the creator as they are now, and send the init; or tell when the quota allows one.

    Args:
        context: what to work with.
        hold: the post, and our right to go on with it.
        film: gives the file of the record; asked only where somebody looks into it.

    Raises:
        SourceChanged: the file is out of reach; the post waits for it.
        InvalidPost, PostingRefused, ScopeMissing, ApiError: it may not be posted; nothing was.
        OutcomeUnknown: it may have been posted.
        TikTokError: the creator could not be asked, or the tokens are of no use; it can be tried again.
    """
    if (pause := await pause_for_quota(context, hold.record.account, Quota.INIT)) > 0:
        return Progressed(record=hold.record, again_in=pause)
    post = hold.record.wish.post
    looks = context.probe is not None and not post.draft and not hold.record.wish.is_pulled
    facts = await video_facts(context, (await film(hold.record)).source) if looks else VideoFacts()
    try:
        if not post.draft:
            ask = partial(creator_info_request, context.endpoints)
            creator: CreatorInfo = await authorized(
                context, hold.record.account, ask, read_creator_info, quota=Quota.CREATOR_INFO
            )
            refuse(InvalidPost, (*creator_problems(post, creator), *media_problems(facts, creator)))
    except NOT_OF_THE_POST:
        raise
    except (ApiError, InvalidPost) as error:
        await save(context, hold, ended(hold.record, context.clock.now(), refusal_of(error)))
        raise
    return await _init(context, hold)


async def after_lost_init(context: Context, hold: Hold) -> Progressed:
    """Go on where whoever sent the init never wrote down an answer.

    Raises:
        OutcomeUnknown: it may have been posted.
        UnexpectedResponse: several inits of a file went without an answer; nothing was posted.
    """
    record = hold.record
    if record.wish.is_pulled:
        record = await save(context, hold, unknown(record, context.clock.now()))
        raise outcome_unknown(record, "whoever sent it ended before an answer came")
    if _had_enough(record):
        error = UnexpectedResponse("init", f"{record.lost_inits} of them went without an answer; nothing was posted")
        await save(context, hold, ended(record, context.clock.now(), refusal_of(error)))
        raise error
    if (pause := await pause_for_quota(context, record.account, Quota.INIT)) > 0:
        return Progressed(record=record, again_in=pause)
    return await _init(context, hold)


async def _init(context: Context, hold: Hold) -> Progressed:
    tokens = await usable_tokens(context, hold.record.account)
    try:
        return await context.protect(_sent_and_saved(context, hold, tokens.access_token))
    except AccessTokenInvalid:
        # It proves that nothing was begun, so even what publishes by itself may be asked for again.
        tokens = await refreshed(context, hold.record.account, tokens)
    return await context.protect(_sent_and_saved(context, hold, tokens.access_token))


async def _sent_and_saved(context: Context, hold: Hold, token: Secret) -> Progressed:
    """Send one init between two records: a cancelled caller loses neither a post that exists nor that none was begun."""
    if not await keep(context, hold, timedelta(seconds=context.patience.deadline)):
        return await theirs(context, hold.record)
    plan = hold.record.plan or hold.record.wish.plan
    record = init_sent(hold.record, context.clock.now(), plan)
    dispatch = Dispatch()
    try:
        await save(context, hold, record)
        progressed = await _sent(context, evolve(hold, record=record), token, dispatch)
    except GeneratorExit:
        raise  # The coroutine is being closed, as where an event loop ends without it, and can await nothing.
    except BaseException:
        if not dispatch.may_have_acted:
            # By its own time: the clock may be what has failed.
            await take_back(context, hold, not_begun(record, record.updated_at))
        dispatch.let_out()
        raise
    dispatch.let_out()
    return progressed


async def _sent(context: Context, hold: Hold, token: Secret, dispatch: Dispatch) -> Progressed:
    record = hold.record
    operation = Operation.INIT_PULL if record.wish.is_pulled else Operation.INIT_UPLOAD
    read = partial(read_ticket, endpoints=context.endpoints, uploads=not record.wish.is_pulled)
    once = evolve(context, patience=Patience(retries=0, deadline=context.patience.deadline))
    request, account = _request(context, record, token), record.account
    try:
        ticket = await exchange(once, request, read, operation, account=account, quota=Quota.INIT, dispatch=dispatch)
    except (NotSent, RateLimited) as error:
        record = await save(context, hold, not_begun(record, context.clock.now()))
        wait = error.retry_after if isinstance(error, RateLimited) else 0.0
        return Progressed(record=record, again_in=max(AGAIN, wait), trouble=error)
    except (Interrupted, ServerError, UnexpectedResponse) as error:
        return await _without_answer(context, hold, error)
    except ApiError as error:
        return await _refused(context, hold, error)
    return await _answered(context, hold, ticket)


async def _answered(context: Context, hold: Hold, ticket: Ticket) -> Progressed:
    record = begun(hold.record, context.clock.now(), ticket)
    try:
        await save(context, hold, record)
    except LeaseLost as error:
        error.name_post(publish_id=ticket.publish_id)
        if record.wish.is_pulled:
            # It is being published, whoever holds the lease: that must be known.
            await _keep_both(context, record)
        raise
    return Progressed(record=record, again_in=poll_pause(0) if record.stage is Stage.PROCESSING else 0.0)


async def _keep_both(context: Context, record: Record) -> None:
    stored = await context.journal.load(record.name) or record
    kept = joined(stored, record)
    if kept.publish_id != record.publish_id:
        said = "Post %s was begun under the key %s, which stands for another by now: look at the account"
        log.warning(said, record.publish_id, record.key)
    await context.journal.save(kept, fence=None)


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
        await save(context, hold, ended(hold.record, now, refusal_of(error)))
        raise error
    if hold.record.wish.is_pulled:
        record = await save(context, hold, unknown(hold.record, now))
        raise outcome_unknown(record, str(error).rstrip(".")) from error
    if _had_enough(hold.record):
        await save(context, hold, ended(hold.record, now, refusal_of(error)))
        raise error
    return Progressed(record=hold.record, again_in=AGAIN, trouble=error)


def _had_enough(record: Record) -> bool:
    return record.lost_inits >= MOST_LOST_INITS or record.inits >= MOST_INITS


async def _refused(context: Context, hold: Hold, error: ApiError) -> Progressed:
    record, now = hold.record, context.clock.now()
    plan = _next_plan(record) if any(word in error.message for word in PLAN_REFUSED) else None
    if plan is not None:
        # Nothing was created, so another cut may be tried.
        record = await save(context, hold, not_begun(record, now, plan))
        return Progressed(record=record, again_in=0.0, trouble=error)
    is_of_the_post = not isinstance(error, NOT_OF_THE_POST)
    await save(context, hold, ended(record, now, refusal_of(error)) if is_of_the_post else not_begun(record, now))
    raise error


def _next_plan(record: Record) -> ChunkPlan | None:
    first, refused = record.wish.plan, record.plan
    if first is None or refused is None or record.wish.is_cut_chosen:
        return None
    ladder = (first, *fallback_plans(first))
    after = ladder[ladder.index(refused) + 1 :] if refused in ladder else ()
    return after[0] if after else None
