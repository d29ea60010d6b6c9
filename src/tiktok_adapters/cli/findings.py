"""What a check of `doctor` finds.

What belongs here: the value; the checks are in `doctor` and `reach`.
"""

from typing import Literal

from attrs import frozen

__all__ = ["Finding", "Verdict"]

Verdict = Literal["fine", "warning", "trouble", "not looked at"]


@frozen(kw_only=True)
class Finding:
    """The result of one check.

    Attributes:
        check: the name of the check.
        verdict: `trouble` prevents posts; a `warning` may prevent them, now or later.
        message: what the check found.
        change: what to do about it; empty if there is nothing to do.
        where: where to do it; empty if that is clear.
        status: the exit status of a command that meets this trouble.
    """

    check: str
    verdict: Verdict
    message: str
    change: str = ""
    where: str = ""
    status: int = 0
