"""Entering a wish in the journal under its key, once; and finding what the journal knows of a key.

What belongs here: the look before a record is stored, and the lease under which it is. Two callers with the same key get the same
record.

Its tests: `tests/flows/posting/test_advance.py`, `tests/flows/posting/test_refused_again.py`, `tests/faults/test_forgotten.py`.
"""

from typing import Final

from attrs import evolve, frozen

from tiktok_core.domain.chunks import DOUBTFUL_VIDEO, fallback_plans
from tiktok_core.domain.elsewhere import as_wished
from tiktok_core.domain.forgetting import Trace, is_free, trace_refusal
from tiktok_core.domain.journal import KEEP, Record, Wish, record_name
from tiktok_core.domain.pacing import DAY, quota_warning
from tiktok_core.domain.posts import VideoPost
from tiktok_core.domain.publishing import Publication
from tiktok_core.domain.schedule import Schedule, schedule_problems, shown
from tiktok_core.domain.verdicts import Verdict, not_refused
from tiktok_core.errors import InvalidInput, InvalidPost, LeaseLost, Problem, SignInRequired, StoreError, refuse
from tiktok_core.flows.calls.context import Context
from tiktok_core.flows.calls.leases import released_after, try_lease
from tiktok_core.flows.calls.stopwatch import Stopwatch
from tiktok_core.flows.posting.turn import HELD_PAUSE, STEP_LEASE, judged

__all__ = ["Terms", "enter", "has_all", "known", "left_to_workers", "no_post", "remembered", "unseen", "usually_cut"]

LONGEST_KEY: Final = 200


@frozen(kw_only=True)
class Terms:
    """When a wish may be begun, and by whom.

    Attributes:
        schedule: the earliest and the latest time; None for any time.
        is_held: whether a person has to release it first.
        is_entered: whether workers go on with it.
    """

    schedule: Schedule | None = None
    is_held: bool = False
    is_entered: bool = False


async def usually_cut(context: Context, wish: Wish) -> Wish:
    """Return the wish with its file cut as planned or, unless a person chose the size, as TikTok last took it."""
    if wish.plan is None or wish.is_cut_chosen or wish.plan.total_chunk_count == 1:
        return wish
    try:
        learned = await context.journal.learned(context.app.client_key)
    except StoreError as error:
        # What was learned saves a refused init, and is worth no post.
        context.log.warning(
            "The usual chunk size is taken, because the journal does not say what TikTok took before: %s", error
        )
        return wish
    plan = next((plan for plan in fallback_plans(wish.plan) if plan.chunk_size == learned), wish.plan)
    return evolve(wish, plan=plan)


async def enter(context: Context, account: str, wish: Wish, key: str, terms: Terms = Terms()) -> Record | Trace:
    """Return the record of the key: the one that the journal has, or a new one.

    Where the journal has removed the record of the key, and the post may exist, its trace is returned: nothing is begun.

    Raises:
        SignInRequired: the account is not signed in.
        InvalidPost: the key stands for another post, or for one at another time; or the time is over or too far ahead.
        LeaseLost: another owner holds the lease of the key, and has entered nothing under it.
    """
    if await context.tokens.load(account) is None:
        raise SignInRequired(account, "it never signed in, or its sign-in was ended")
    now = context.clock.now()
    await context.journal.forget(now, keep=KEEP)
    _check(key)
    found = await _looked_up(context, record_name(context.app.client_key, account, key))
    if found is None:
        refuse(InvalidPost, schedule_problems(terms.schedule, now))
        wish = await usually_cut(context, wish)
        fresh = Record(
            key=key,
            app=context.app.client_key,
            account=account,
            wish=wish,
            created_at=now,
            updated_at=now,
            plan=wish.plan,
            schedule=terms.schedule,
            is_held=terms.is_held,
            is_entered=terms.is_entered,
        )
        found = await _entered(context, fresh)
    if isinstance(found, Trace):
        return found
    refuse(InvalidPost, _other_than(found, wish, terms))
    return await _as_wished(context, found, wish)


async def has_all(context: Context, account: str, wish: Wish, key: str) -> bool:
    """Whether TikTok needs no more bytes of the post of this key: it has them, or the post has ended.

    Asked before a URL is opened. It may have expired by now, and where its server gives no ranges a whole copy would be made.
    """
    _check(key)
    found = await _looked_up(context, record_name(context.app.client_key, account, key))
    if not isinstance(found, Record):
        return found is not None
    return found.wish.is_same(wish) and (found.is_ended or found.is_processing)


async def left_to_workers(context: Context, found: Record | Trace, key: str, terms: Terms) -> Record:
    """Return the record of a key, which workers go on with from now on where the terms say so."""
    if isinstance(found, Trace):
        raise trace_refusal(found, InvalidPost) or InvalidPost(
            (Problem("key", f"{key!r} was posted before; take another key"),)
        )
    if not_refused(found).is_ended or found.is_entered or not terms.is_entered:
        return found
    # A caller began it by itself before, and now leaves it to the workers.
    try:
        return await judged(
            context, found, lambda record, _now: Verdict(record=evolve(record, is_entered=True)), at_once=False
        )
    except LeaseLost:
        return found  # Its owner goes on with it.


async def _as_wished(context: Context, found: Record, wish: Wish) -> Record:
    if as_wished(found, wish) == found:
        return found
    try:
        return await judged(context, found, lambda one, _now: Verdict(record=as_wished(one, wish)), at_once=False)
    except LeaseLost:
        return found  # Its owner goes on with it, as it was wished first.


def _other_than(found: Record, wish: Wish, terms: Terms) -> tuple[Problem, ...]:
    """Return why a record does not stand for what is wished under its key."""
    if not found.wish.is_same(wish):
        return (Problem("key", f"{found.key!r} stands for another post; take another key for this one"),)
    if wish.upload is False and found.wish.upload and found.is_before_handover:
        return (
            Problem(
                "upload", f"cannot be False: the post of {found.key!r} is an upload by now; give it up, or let it go on"
            ),
        )
    at, wished = found.schedule, terms.schedule
    if wished is None and not found.is_planned:
        return ()  # It is under way or has ended: its time says nothing any more.
    if at == wished or (at is not None and wished is not None and at.is_same(wished)):
        return ()
    if at is None:
        return (Problem("key", f"{found.key!r} stands for a post without a time; take another key for this one"),)
    said = (
        f"{found.key!r} stands for a post at {shown(at.not_before)}; take another key for this one, or resume that one"
    )
    return (Problem("key", said),)


async def _looked_up(context: Context, name: str) -> Record | Trace | None:
    """Return what keeps a post from being begun under this name; None where nothing does."""
    record = await context.journal.load(name)
    # In this order: a record that is removed leaves its trace in the same act.
    found = await context.journal.trace(name) if record is None else record
    return None if is_free(found) else found


async def _entered(context: Context, fresh: Record) -> Record | Trace:
    owner, watch, deadline = context.entropy(16).hex(), Stopwatch(context.clock), context.retry_limits.deadline
    while watch.look(most=deadline) <= deadline:
        async with released_after(context, context.journal, fresh.name, owner):
            fence = await try_lease(context, context.journal, fresh.name, owner, STEP_LEASE)
            try:
                # The owner of the lease may have entered the wish by now, or between our look and our lease.
                found = await _looked_up(context, fresh.name)
                if found is not None:
                    return found
                if fence is not None:
                    await context.journal.save(fresh, fence=fence)
                    await _warn(context, fresh)
                    return fresh
            except LeaseLost:
                context.log.debug("The lease was slept through: %s is looked at again", fresh.key)
        await context.clock.sleep(HELD_PAUSE)
        watch.slept(HELD_PAUSE)
    error = LeaseLost(fresh.key)
    error.name_post(fresh.key)
    raise error


async def _warn(context: Context, fresh: Record) -> None:
    """Warn of what TikTok may refuse; only its answer says whether it does."""
    plan = fresh.wish.plan
    if plan is not None and plan.video_size > DOUBTFUL_VIDEO:
        said = "The file has %s bytes; TikTok's limit of 4 GB may mean %s"
        context.log.warning(said, f"{plan.video_size:,}", f"{DOUBTFUL_VIDEO:,}")
    mine = record_name(fresh.app, fresh.account, "")
    try:
        warning = quota_warning(await context.journal.records(mine, since=fresh.created_at - DAY), fresh)
    except StoreError as error:
        # The wish is entered; that no warning can be given must not lose its key.
        warning = f"Whether the day's share is used up is not known: {error}"
    if warning is not None:
        context.log.warning("%s", warning)


def _check(key: str) -> None:
    if not key or len(key) > LONGEST_KEY or not key.isprintable():
        raise InvalidPost((Problem("key", f"is 1 to {LONGEST_KEY} printable characters"),))


async def known(context: Context, account: str, key: str) -> Record | Trace:
    """Return the record of a key, or what remains of it.

    Raises:
        InvalidInput: the journal of this account has no such post.
    """
    name = record_name(context.app.client_key, account, key)
    found = await context.journal.load(name) or await context.journal.trace(name)
    if found is None:
        raise no_post(key)
    return found


def unseen(context: Context, account: str, key: str) -> Record:
    """Return a stand-in for the record of a key, of which nothing but its name counts: the first step reads the record itself."""
    now, wish = context.clock.now(), Wish(post=VideoPost())
    return Record(key=key, app=context.app.client_key, account=account, wish=wish, created_at=now, updated_at=now)


def no_post(key: str) -> InvalidInput:
    """Return the error for a key that the journal does not know."""
    return InvalidInput((Problem("key", f"the journal of this account has no post {key!r}"),))


def remembered(context: Context, trace: Trace, key: str, error: type[InvalidInput]) -> Publication:
    """Return a post of which the journal has kept the trace alone.

    Raises:
        InvalidInput: its end is not known, nothing was posted and why is not known, or a person gave it up.
    """
    if (refusal := trace_refusal(trace, error)) is not None:
        raise refusal
    said = "The journal keeps of post %s only that it is %s: its details are forgotten, and nothing more is posted"
    context.log.warning(said, key, trace.end, publish_id=trace.publish_id)
    return trace.shown(key)
