"""The check of `doctor` about where tokens and posts are kept, and whose clock counts.

What belongs here: a look from outside, which opens the journal and reads no record. `tiktok store check` reads everything.
"""

from contextlib import closing
from datetime import UTC, datetime, timedelta

from attrs import frozen

from tiktok_adapters.assembly import Settings
from tiktok_adapters.assembly.home import home_journal
from tiktok_adapters.assembly.shared import shared_stores
from tiktok_adapters.cli.advice import advice_on
from tiktok_adapters.cli.findings import Finding
from tiktok_adapters.cli.output import status_of
from tiktok_core import StoreError

__all__ = ["StoreClock", "offset", "where_kept"]


@frozen
class StoreClock:
    """The clock by which posts and tokens go.

    Attributes:
        whose: who it is, as the beginning of a sentence.
        of: whose clock it is.
        ahead: how far it is ahead of this machine's.
    """

    whose: str = "this machine"
    of: str = "this machine"
    ahead: timedelta = timedelta()


def where_kept(found: Settings) -> tuple[Finding, StoreClock]:
    """Say where tokens and posts are kept, and return the clock that counts."""
    try:
        if found.store_url:
            return _in_database(found)
        with closing(home_journal(found.home)) as journal:
            journal.load("")  # No record has this name: the call only finds out whether the file can be used.
    except StoreError as error:
        change, where = advice_on(error)
        status = status_of(error)
        return (
            Finding(check="store", verdict="trouble", message=str(error), change=change, where=where, status=status),
            StoreClock(),
        )
    said = f"tokens and posts are in {found.home}, tokens in the store {found.store!r}"
    return Finding(check="store", verdict="fine", message=said), StoreClock()


def _in_database(found: Settings) -> tuple[Finding, StoreClock]:
    with closing(shared_stores(found)) as stores:
        facts = stores.look()
        ahead = facts.time - datetime.now(UTC)
    sealed = "encrypted" if found.store_keys() else "not encrypted"
    made = ", which were made just now" if facts.is_new else ""
    said = (
        f"tokens and posts are in {facts.name}, {sealed}: server {facts.server}, tables of version {facts.version} in the schema "
        f"{facts.schema!r}{made}; {offset(ahead)}"
    )
    clock = StoreClock("the database's clock", f"the server of {facts.name}", ahead)
    return Finding(check="store", verdict="fine", message=said), clock


def offset(ahead: timedelta) -> str:
    """Return how far the clock of a database, which counts, is apart from this machine's."""
    seconds = round(ahead.total_seconds(), 1)
    if abs(seconds) < 0.5:
        return "its clock, which counts, agrees with this machine's"
    return f"its clock, which counts, is {abs(seconds):g} s {'ahead of' if seconds > 0 else 'behind'} this machine's"
