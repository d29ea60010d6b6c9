"""A post whose video lies at a URL, and is uploaded from there: its URL may expire, and a fresh one stands for the same bytes.

What belongs here: plain functions on a record and the name under which its video was opened. How names are kept and shown is in
`names`.
"""

from typing import Final

from attrs import evolve

from tiktok_core.domain.journal import Record, Wish
from tiktok_core.domain.names import bare, query_of
from tiktok_core.domain.tokens import Secret
from tiktok_core.errors import SourceChanged

__all__ = ["another_file", "as_wished", "is_its_url", "of_post", "renamed"]

ANOTHER: Final = "the file is not the one that this post began with; post it under another key"
FRESH: Final = (
    "if its URL has expired, go on with a fresh one: 'tiktok resume {} URL', or `resume` with this key and the URL"
)


def as_wished(record: Record, wish: Wish) -> Record:
    """Return the record of a pull that no init has asked for yet, as the upload that a later call with its key wants."""
    may_exist = record.publish_id is not None or bool(record.others)
    if not (wish.upload and wish.plan and record.is_planned and record.wish.is_pulled) or may_exist:
        return record
    return evolve(record, wish=wish, plan=wish.plan)


def another_file(record: Record) -> SourceChanged:
    """Return the error for a file that is not the one that a post was planned with."""
    return SourceChanged(record.publish_id, ANOTHER)


def of_post(error: SourceChanged, record: Record) -> SourceChanged:
    """Return the error of a source, as one about this post; of a URL that may have expired with the way to go on."""
    reason, fresh = error.reason.rstrip("."), FRESH.format(record.key)
    if record.wish.upload and not error.passes and reason != ANOTHER and fresh not in reason:
        reason = f"{reason}; {fresh}"
    return evolve(error, publish_id=record.publish_id, reason=reason)


def is_its_url(record: Record, name: Secret | None) -> bool:
    """Whether a name is the URL that TikTok refused to pull, with any query: nothing else is known of that video yet."""
    return name is not None and bare(name) == record.wish.video


def renamed(record: Record, name: Secret | None, fingerprint: str) -> Record:
    """Return the record with the URL under which its bytes were opened now: the earlier one may have expired.

    A repeated call for the post names the earlier one.
    """
    wish = record.wish
    if not wish.upload or name is None or name == wish.name or fingerprint != wish.fingerprint:
        return record
    return evolve(record, wish=evolve(wish, video=bare(name), query=query_of(name), query_digest=wish.identity or ""))
