"""Leases: taken as a whole or not at all, and given back also by a call that is cancelled or interrupted, once or twice.

What belongs here: how a lease is taken and given back. What is done under one is in the other flows.

A cancelled `try_lease` may have taken the lease or not. Under `protect` it ends before the cancellation goes on, so that
giving back comes after it. So a lease is always taken inside of `released_after`, and never in front of it.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from tiktok_core.errors import StoreError
from tiktok_core.flows.calls.context import Context
from tiktok_core.flows.calls.surely import surely
from tiktok_core.ports import LONGEST_LEASE, AsyncJournal, RenewsLeases

__all__ = ["release", "released_after", "renewal", "take_over", "try_lease"]

T_co = TypeVar("T_co", covariant=True)


class _Leases(Protocol[T_co]):
    """What a journal and a token store have in common."""

    async def try_lease(self, name: str, /, *, owner: str, now: datetime, until: datetime) -> T_co: ...

    async def release(self, name: str, /, *, owner: str) -> None: ...


async def try_lease(context: Context, leases: _Leases[T_co], name: str, owner: str, lasting: timedelta) -> T_co:
    """Take or renew a lease, and return what the store says to it. To be called inside of `released_after`."""

    async def tried() -> T_co:
        now = context.clock.now()
        return await leases.try_lease(name, owner=owner, now=now, until=now + min(lasting, LONGEST_LEASE))

    return await context.protect(tried())


def renewal(context: Context, name: str, owner: str, lasting: timedelta) -> Callable[[timedelta], None] | None:
    """Return a function that renews a lease from plain code, for as long as given beyond `lasting`; None if the journal cannot.

    It is called at each block of a body, and does nothing before a third of the lease is over; or a tenth, where the lease is to last
    longer.
    """
    journal, renewed_at = context.journal, context.clock.now()
    if not isinstance(journal, RenewsLeases):
        return None

    def renew(longer: timedelta) -> None:
        nonlocal renewed_at
        now = context.clock.now()
        if abs(now - renewed_at) >= lasting / (10 if longer else 3):
            renewed_at = now
            journal.renew(name, owner=owner, now=now, until=now + min(lasting + longer, LONGEST_LEASE))

    return renew


async def take_over(context: Context, journal: AsyncJournal, name: str, owner: str, lasting: timedelta) -> int | None:
    """Take the lease of a post that another owner may hold, and return its number.

    The other owner finds its number out of date before its next act, and stops. To be called inside of `released_after`, and
    only for what a person wants at once.
    """

    async def taken() -> int | None:
        now = context.clock.now()
        return await journal.try_lease(name, owner=owner, now=now, until=now + lasting, by_force=True)

    return await context.protect(taken())


@asynccontextmanager
async def released_after(context: Context, leases: _Leases[object], name: str, owner: str) -> AsyncIterator[None]:
    """Give the lease of this owner back at the end of the block, however it ends; nothing happens where there is none."""
    try:
        yield
    except GeneratorExit:
        raise  # Who closes a coroutine, such as an event loop that ends, awaits nothing. The lease runs out by itself.
    except BaseException:
        await release(context, leases, name, owner)
        raise
    else:
        await release(context, leases, name, owner)


async def release(context: Context, leases: _Leases[object], name: str, owner: str) -> None:
    """Give a lease back; nothing happens where the owner has none.

    Where the store cannot, that is only logged: the error of the work under the lease matters more, and the lease runs out
    by itself.
    """

    async def released() -> None:
        try:
            await leases.release(name, owner=owner)
        except StoreError as error:
            context.log.warning("A lease is left to run out: %s", error)

    await surely(context, released)
