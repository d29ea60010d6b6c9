"""The key of a post that is asked for without one, so that a repeated wish does not become a second post.

What belongs here: asking the journal. Which post is meant is decided by `domain.derived_keys`.
"""

from tiktok_core.domain.derived_keys import is_of, meant_again, next_number
from tiktok_core.domain.forgetting import name_parts
from tiktok_core.domain.journal import record_name
from tiktok_core.flows.calls.context import Context

__all__ = ["derived_key"]


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
