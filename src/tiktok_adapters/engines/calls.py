"""A call for a post, as a message of an engine, and what a worker's process does with it.

What belongs here: what the adapters of engines share and an engine does not see.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from attrs import frozen

from tiktok_adapters.engines.worker import Alarm, Worker

__all__ = ["TASK", "Call", "Ringing", "told"]

TASK: Final = "tiktok_open.post"
"""The name of the task in every engine."""

log: Final = logging.getLogger("tiktok_core")


@frozen
class Call:
    """One call.

    Attributes:
        account: the account's `open_id`.
        key: the post's key.
        at: the time for which it is made.
    """

    account: str
    key: str
    at: datetime

    def written(self) -> dict[str, str]:
        """Return the call as texts, which every engine's JSON takes."""
        return {"account": self.account, "key": self.key, "at": self.at.astimezone(UTC).isoformat()}

    @classmethod
    def read(cls, account: str, key: str, at: str) -> "Call":
        """Return the call that was written so.

        Raises:
            ValueError: no call was.
        """
        return cls(account, key, datetime.fromisoformat(at))

    def answer(self, worker: Worker, alarm: Alarm) -> None:
        """Do what the call is for. What goes wrong is logged, and left to the sweeper: an engine's repetitions help nobody."""
        try:
            worker.called(alarm, self.account, self.key, self.at)
        except Exception as error:  # noqa: BLE001 - whatever it is, the journal says what is left to do
            log.warning("The call for post %s failed, and is made again: %s", self.key, told(error))


@frozen
class Ringing:
    """An alarm that gives its calls to a function.

    Attributes:
        make: makes a call; raises what `Alarm.ring` may raise.
    """

    make: Callable[[Call], None]

    def ring(self, account: str, key: str, at: datetime, /) -> None:
        """Make a call."""
        self.make(Call(account, key, at))


def told(error: BaseException) -> str:
    """Return what went wrong, on one line. Some engines say it in the cause alone."""
    lines = str(error.__cause__ or error).strip().splitlines()
    return f"{type(error).__name__}: {lines[-1].strip() if lines else 'no reason is given'}"
