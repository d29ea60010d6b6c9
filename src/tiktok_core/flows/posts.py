"""The posts that the journal knows: lists of them, the key of one that is asked for again, and a person's word on one.

What belongs here: what a client's method does with posts without making a step of one. Steps are in `posting`.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Final

from tiktok_core.domain.beginning import after_release
from tiktok_core.domain.derived_keys import is_of, meant_again, next_number
from tiktok_core.domain.forgetting import END_NOT_KNOWN, Trace, Unreadable, name_parts
from tiktok_core.domain.giving_up import after_giving_up, why_not
from tiktok_core.domain.journal import Record, record_name
from tiktok_core.domain.publishing import Publication
from tiktok_core.domain.verdicts import Verdict, after_person
from tiktok_core.errors import InvalidInput, LeaseLost, Problem, StoreError
from tiktok_core.flows.calls.context import Context
from tiktok_core.flows.calls.leases import released_after, try_lease
from tiktok_core.flows.posting.entry import known, no_post
from tiktok_core.flows.posting.follow import find_record
from tiktok_core.flows.posting.turn import STEP_LEASE, Gone, from_now, judged

__all__ = [
    "abandon",
    "derived_key",
    "due_posts",
    "forget",
    "post",
    "posts",
    "release",
    "settle",
    "unfinished",
    "unfinished_of_all",
    "unreadable",
]

NOT_OF_THE_RECORD: Final = ("locked", "full", "closed")
"""Troubles of a whole store, which say nothing of the record that was asked for."""


async def derived_key(context: Context, account: str, prefix: str) -> str:
    """Return the key of the earlier post that is meant, or the next key of the prefix that the journal has never seen."""
    under = record_name(context.app.client_key, account, f"{prefix}-")
    records = await context.journal.records(under)
    if (meant := meant_again(prefix, records, context.clock.now())) is not None:
        return meant.key
    lost = [key for name in await context.journal.unreadable(under) if is_of(prefix, key := name_parts(name)[2])]
    if lost:
        # It may be this very post: using its key raises the error that says why the record cannot be read.
        return lost[0]
    number = next_number(prefix, (record.key for record in records))
    while (
        trace := await context.journal.trace(record_name(context.app.client_key, account, f"{prefix}-{number}"))
    ) is not None:
        if trace.end is None:
            # A person removed a record that could not be read: using its key raises the error that says to look at the account.
            break
        number += 1
    return f"{prefix}-{number}"


async def post(context: Context, account: str, name: str) -> Record | None:
    """Return the record of a post by its key or, where no post has that key, by its publish id; None if there is none."""
    mine = record_name(context.app.client_key, account, "")
    return await context.journal.load(mine + name) or await find_record(context, account, name)


async def posts(context: Context, account: str, since: datetime | None) -> tuple[Record, ...]:
    """Return the account's records, or those updated since then, the oldest first."""
    if since is not None and since.utcoffset() is None:
        raise InvalidInput((Problem("since", "has no time zone: give an aware datetime"),))
    return await context.journal.records(record_name(context.app.client_key, account, ""), since=since)


async def unfinished(context: Context, account: str) -> tuple[Record, ...]:
    """Return the account's records of posts that have not ended, the oldest first."""
    return await context.journal.unfinished(record_name(context.app.client_key, account, ""))


async def unfinished_of_all(context: Context) -> tuple[Record, ...]:
    """Return the records of the app's posts that have not ended, over all accounts, the oldest first."""
    return await context.journal.unfinished(f"{context.app.client_key}\n")


async def due_posts(context: Context, within: float) -> tuple[Record, ...]:
    """Return the records of the app's posts that workers are to go on with by then, the one that is due first at first."""
    due = await context.journal.unfinished(f"{context.app.client_key}\n", due=from_now(context, within))
    return tuple(sorted(due, key=lambda record: record.due_at or record.created_at))


async def release(context: Context, account: str, key: str) -> Record:
    """Let a post be begun that is held, or late."""
    context = context.about(account=account, key=key)
    found = await known(context, account, key)
    if isinstance(found, Trace):
        raise InvalidInput((Problem("key", "has ended, so there is nothing to release"),))
    return await _judged(context, found, after_release, at_once=False)


async def unreadable(context: Context, account: str) -> tuple[Unreadable, ...]:
    """Return the account's records that this release cannot read, each with the reason."""
    found = []
    for name in await context.journal.unreadable(record_name(context.app.client_key, account, "")):
        try:
            await context.journal.load(name)
        except StoreError as error:
            if error.kind in NOT_OF_THE_RECORD:
                raise
            found.append(Unreadable(key=name_parts(name)[2], account=account, kind=error.kind, reason=str(error)))
    return tuple(found)


async def forget(context: Context, account: str, key: str) -> None:
    """Remove a record that cannot be read, or has ended; its trace stays."""
    context = context.about(account=account, key=key)
    name, owner = record_name(context.app.client_key, account, key), context.entropy(16).hex()
    async with released_after(context, context.journal, name, owner):
        if await try_lease(context, context.journal, name, owner, STEP_LEASE) is None:
            raise LeaseLost(key)
        if await context.journal.remove(name):
            return
        found = await known(context, account, key)
    if isinstance(found, Record):
        raise InvalidInput((Problem("key", f"{key!r} is {found.stage}: a post that has not ended is not forgotten"),))


async def settle(context: Context, account: str, key: str, *, posted: bool) -> Publication:
    """Store what a person found out about a post whose outcome was unknown."""
    context = context.about(account=account, key=key)
    found = await known(context, account, key)
    if isinstance(found, Trace):
        said = f"is {found.end}; only an unknown outcome can be settled" if found.end else END_NOT_KNOWN
        raise InvalidInput((Problem("key", said),))
    return (await _judged(context, found, partial(after_person, posted=posted), at_once=False)).shown


async def abandon(context: Context, account: str, key: str) -> Publication:
    """Give a post up for a person, also while another owner works on it: that one stops before its next act."""
    context = context.about(account=account, key=key)
    found = await known(context, account, key)
    # An owner whose post cannot be given up any more keeps the lease.
    if error := why_not(found):
        raise error
    if isinstance(found, Trace):
        return found.shown(key)
    return (await _judged(context, found, after_giving_up, at_once=True)).shown


async def _judged(
    context: Context, found: Record, judge: Callable[[Record, datetime], Verdict], *, at_once: bool
) -> Record:
    try:
        return await judged(context, found, judge, at_once=at_once)
    except Gone:
        raise no_post(found.key) from None
