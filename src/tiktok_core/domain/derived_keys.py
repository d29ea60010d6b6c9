"""Which key stands for a post that is asked for again without a key: the earlier post's, or the next one of a row.

A prefix names what is asked for, such as a digest of the account, the media and the settings. Its keys are `prefix-1`, `prefix-2`,
and so on: callers that race count the same records, and so get the same key, under which only one post is made.
"""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from tiktok_core.domain.journal import Record, Stage

__all__ = ["SAME", "is_meant", "is_of", "meant_again", "next_number"]

SAME: Final = timedelta(minutes=60)
"""For how long after its end a post is meant when the same is asked for again."""
NUMBER: Final = re.compile(r"[0-9]{1,6}")
OF_A_SECOND: Final = re.compile(r"[0-9]{8}T[0-9]{6}")
"""How keys of an earlier release ended."""


def is_meant(record: Record, now: datetime) -> bool:
    """Whether a repeated wish means this post: one that goes on, or has ended well within the last hour.

    A failed post, and one that a person gave up, are never meant again. A post that was refused before anything was posted is:
    its key begins it anew.
    """
    if record.stage is Stage.FAILED or record.is_given_up:
        return False
    return not record.is_ended or now - record.updated_at < SAME


def meant_again(prefix: str, records: Iterable[Record], now: datetime) -> Record | None:
    """Return the newest post of the prefix that is meant again; None if a new key is due."""
    mine = [record for record in records if is_of(prefix, record.key) and is_meant(record, now)]
    return max(mine, key=lambda record: record.created_at, default=None)


def next_number(prefix: str, keys: Iterable[str]) -> int:
    """Return the number after the highest that a key of the prefix has; 1 for the first."""
    ends = [key.removeprefix(f"{prefix}-") for key in keys if is_of(prefix, key)]
    return 1 + max((int(end) for end in ends if NUMBER.fullmatch(end)), default=0)


def is_of(prefix: str, key: str) -> bool:
    """Whether the key is one of the row of this prefix, and not one of a longer prefix's row."""
    end = key.removeprefix(f"{prefix}-")
    return end != key and any(kind.fullmatch(end) for kind in (NUMBER, OF_A_SECOND))
