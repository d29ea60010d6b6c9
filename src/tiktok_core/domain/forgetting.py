"""Forgetting: when a journal may remove the record of a post that has ended, and the trace that stays in its place.

A trace holds no name, account or caption, so it may stay for good: a key that was posted once is never posted again,
even if a clock was wrong. What belongs here: the rule and the values; where they are kept is the journal's.
"""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Final

from attrs import frozen

from tiktok_core.domain.journal import END_OF, Record, Stage
from tiktok_core.domain.kept_refusal import GIVEN_UP_ONCE, NOT_WRITTEN_DOWN, refused_again
from tiktok_core.domain.publishing import NOT_POSTED, Publication
from tiktok_core.errors import InvalidInput, Problem, StoreTrouble, TikTokError

__all__ = [
    "END_NOT_KNOWN",
    "Forgetting",
    "Trace",
    "Unreadable",
    "forgetting",
    "is_free",
    "lasting",
    "name_digest",
    "name_parts",
    "trace_of",
    "trace_refusal",
]

END_NOT_KNOWN: Final = (
    "had a record that could not be read and was removed, so whether it was posted is not known: look at the account, and "
    "take another key if it is not there"
)
APART: Final = timedelta(days=1)
"""How far apart the two looks at a clock lie that a journal believes."""
EARLIEST: Final = datetime.min.replace(tzinfo=UTC)
SAYS_LEAST_FIRST: Final = (Stage.ABANDONED, Stage.GIVEN_UP, None, Stage.FAILED, Stage.IN_INBOX, Stage.COMPLETE)


@frozen(kw_only=True)
class Trace:
    """What remains of a post whose record was removed from the journal.

    Attributes:
        digest: SHA-256 of the record's name, in hexadecimal.
        end: how the post ended; None where the record could not be read, so that its end is not known.
        publish_id: TikTok's id of the post; None where there was none, or it is not known.
        fail_reason: TikTok's reason, where it failed the post; empty otherwise.
    """

    digest: str
    end: Stage | None
    publish_id: str | None = None
    fail_reason: str = ""

    def shown(self, key: str) -> Publication:
        """Return the post as its owner sees it, of which the key alone does not stand in the trace.

        Raises:
            ValueError: its end is not known.
        """
        words = {stage: word for word, stage in END_OF.items()} | dict.fromkeys(
            (Stage.ABANDONED, Stage.GIVEN_UP), NOT_POSTED
        )
        if self.end not in words:
            raise ValueError("its end is not known")
        status = words[self.end]
        return Publication(publish_id=self.publish_id or "", status=status, fail_reason=self.fail_reason, key=key)


@frozen(kw_only=True)
class Unreadable:
    """A record that the journal holds and this release cannot read.

    Attributes:
        key: the post's key.
        account: the account's `open_id`.
        kind: `version` where another release wrote it, `damaged` otherwise, or as the store says.
        reason: one sentence: what is wrong and what to do.
    """

    key: str
    account: str
    kind: StoreTrouble
    reason: str


@frozen
class Forgetting:
    """What a journal writes after a look at a clock.

    Attributes:
        seen: the time to remember in place of the one that was remembered.
        before: the ended records that were last true before this time may be removed; None where none may.
    """

    seen: datetime
    before: datetime | None


def forgetting(seen: datetime | None, now: datetime, keep: timedelta) -> Forgetting | None:
    """Return what a journal writes after a look at a clock; None on most looks: then it writes nothing.

    One look may be wrong by years. So a time is believed once two looks agree that it is over, at least a day apart by
    the clock, and no look between them was earlier. The time that is believed is that of the first look, so a single
    wrong look, early or late, can never move it ahead of what the clock has shown before.

    Args:
        seen: the time that the journal remembers; None before the first look.
        now: what the clock says.
        keep: for how long a record stays after its end.
    """
    if seen is None or now < seen:
        return Forgetting(now, None)
    if now - seen < APART:
        return None
    return Forgetting(now, seen - keep if seen - EARLIEST >= keep else EARLIEST)


def lasting(older: Trace | None, newer: Trace) -> Trace:
    """Return which of two traces of one name stays: the one that speaks of more of a post; the older one of equals."""
    return newer if older is None else max(older, newer, key=lambda trace: SAYS_LEAST_FIRST.index(trace.end))


def is_free(found: Record | Trace | None) -> bool:
    """Whether a key may begin a post: the journal has nothing under it, or only a post that was refused."""
    end = found.end if isinstance(found, Trace) else found and found.stage
    return found is None or end is Stage.ABANDONED


def name_digest(name: str) -> str:
    """Return the digest under which the trace of a record is kept."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


def name_parts(name: str) -> tuple[str, str, str]:
    """Return app, account and key of a record's name; what is missing in a damaged name is empty."""
    app, _, rest = name.partition("\n")
    account, _, key = rest.partition("\n")
    return app, account, key


def trace_of(record: Record) -> Trace:
    """Return what remains of a record that is removed."""
    reason = record.last.fail_reason if record.last is not None and record.stage is Stage.FAILED else ""
    return Trace(digest=name_digest(record.name), end=record.stage, publish_id=record.publish_id, fail_reason=reason)


def trace_refusal(trace: Trace, error: type[InvalidInput]) -> TikTokError | None:
    """Return the error for a call with the key of a forgotten post; None where the trace says what TikTok made of it."""
    match trace.end:
        case None:
            return error((Problem("key", END_NOT_KNOWN),))
        case Stage.ABANDONED:
            return refused_again(NOT_WRITTEN_DOWN, trace.publish_id)
        case Stage.GIVEN_UP:
            return refused_again(GIVEN_UP_ONCE, trace.publish_id)
        case _:
            return None
