"""The pauses of one run: how long it waits after steps that brought only trouble, and after questions without an answer.

What belongs here: the counts of a run, and paying for repetitions. When it is enough is decided by `domain.trouble`.

Its tests: `tests/domain/test_trouble.py`, `tests/faults/test_rough.py`.
"""

from attrs import define

from tiktok_core.domain.journal import Record
from tiktok_core.domain.pacing import Quota
from tiktok_core.domain.trouble import (
    began_nothing,
    is_another_upload,
    pause_after_miss,
    pause_after_trouble,
    proved_bytes,
)
from tiktok_core.errors import RateLimited, TikTokError
from tiktok_core.flows.calls.context import Context
from tiktok_core.flows.calls.pace import quota_name
from tiktok_core.flows.calls.stopwatch import Stopwatch
from tiktok_core.flows.posting.turn import Progressed

__all__ = ["Pauses"]


@define
class Pauses:
    """Counts what goes wrong in a run, and says how long to wait before the next step, or that it is enough.

    Attributes:
        context: what to work with.
    """

    context: Context
    _steps: int = 0
    _misses: int = 0
    _proved: int = 0
    _since: Stopwatch | None = None
    _is_limited: bool = False

    def after_step(self, before: Record, progressed: Progressed) -> float | None:
        """Return the seconds to wait after a step, longer where it brought trouble; None when the post has ended.

        Raises:
            TikTokError: the trouble of this step, where that is enough.
        """
        self._misses = 0
        record, pause, trouble = progressed.record, progressed.again_in, progressed.trouble
        is_another = is_another_upload(before, record)
        known = 0 if is_another else self._proved
        self._proved = proved_bytes(record, known)
        is_further = self._proved > known
        if trouble is not None and pause is not None:
            return max(pause, self._after(record, trouble, is_further=is_further))
        if self._steps and (is_further or is_another):
            self.context.budgets.earn(record.account, repeated=self._steps)
            self._steps = 0
        return pause

    def after_miss(self, error: TikTokError) -> float | None:
        """Return the seconds to wait after a question that ended with an error; None where that is enough."""
        self._misses += 1
        return pause_after_miss(error, times=self._misses, jitter=self.context.jitter())

    def slept(self, record: Record, seconds: float) -> None:
        """Note that the run has slept, and so waited out the rate limit that it was asked to wait for."""
        if self._is_limited:
            self._is_limited = False
            self.context.cooldown.over(quota_name(record.account, Quota.INIT))
        if self._since is not None:
            self._since.slept(seconds)

    def _after(self, record: Record, trouble: TikTokError, *, is_further: bool) -> float:
        context = self.context
        self._steps = 1 if is_further else self._steps + 1
        if self._steps == 1 or self._since is None:
            self._since = Stopwatch(context.clock)
        is_unbegun = began_nothing(record, trouble)
        pause = pause_after_trouble(
            record,
            trouble,
            times=self._steps,
            spent=self._since.look(most=context.retry_limits.deadline) if is_unbegun else 0.0,
            limits=context.retry_limits,
            jitter=context.jitter(),
        )
        if pause is None or not context.budgets.spend(record.account):
            raise trouble
        context.log.warning(
            "Post %s: %s; again in %.1f s",
            record.key,
            type(trouble).__name__,
            pause,
            publish_id=record.publish_id,
            log_id=getattr(trouble, "log_id", ""),
            pause=pause,
        )
        self._is_limited = is_unbegun and isinstance(trouble, RateLimited)
        return pause
