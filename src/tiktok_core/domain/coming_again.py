"""When to come again to a post after an error: what a worker does, whichever engine wakes it.

What belongs here: one plain function over errors. Trouble within one run of steps is `trouble`'s; the repetition of one call is
`retry`'s.
"""

from typing import Final

from tiktok_core.errors import (
    ForeignUploadHost,
    LeaseLost,
    Misused,
    RateLimited,
    ServerError,
    SourceChanged,
    StillProcessing,
    StoreError,
    TikTokError,
    TransportError,
    UnexpectedRedirect,
    UnexpectedResponse,
)

__all__ = ["come_again"]

SOON: Final = 10.0
"""Seconds after which another owner's lease has ended, if its process has."""
LATER: Final = 30.0
"""Seconds before the first return after trouble that passes by itself; doubled at each further one."""
LATEST: Final = 900.0
PASSING: Final = (TransportError, ServerError, StillProcessing, UnexpectedResponse)
NOT_PASSING: Final = (Misused, ForeignUploadHost, UnexpectedRedirect)
WAITING_HELPS: Final = ("locked", "full", "failed")


def come_again(error: TikTokError, *, times: int = 1) -> float | None:
    """Return the seconds after which to take the next step of a post whose step ended with an error; None: a person is needed.

    A post that has ended needs nobody to come again, whatever its last error was: look at its record.

    Args:
        error: how the step ended.
        times: how many steps in a row have ended with an error, at least 1.
    """
    patient = min(LATER * 2.0 ** min(times - 1, 10), LATEST)
    match error:
        case RateLimited():
            return max(error.retry_after, 1.0)
        case LeaseLost():
            return SOON
        case StoreError():
            return patient if error.kind in WAITING_HELPS else None
        case SourceChanged():
            return patient if error.passes else None
        case _ if isinstance(error, PASSING) and not isinstance(error, NOT_PASSING):
            return patient
        case _:
            return None
