"""A run: one owner takes one step of a post after another, until it ends, patience runs out, or every step fails.

What belongs here: the loop, the owner's lease, the upload slot, the file, and what the caller hears about the progress. Each step
is in `advance`, the counting of what goes wrong in `pauses`.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Final, TypeVar

from attrs import Factory, define, field

from tiktok_core.domain.beginning import not_yet
from tiktok_core.domain.journal import Record
from tiktok_core.domain.publishing import Progress, Publication, Step
from tiktok_core.domain.verdicts import after_patience, finished, not_refused
from tiktok_core.errors import LeaseLost, OutcomeUnknown, StoreError, TikTokError
from tiktok_core.flows.calls.context import Context
from tiktok_core.flows.calls.dispatch import Raised
from tiktok_core.flows.calls.leases import release, released_after
from tiktok_core.flows.calls.stopwatch import Stopwatch
from tiktok_core.flows.posting.advance import advance
from tiktok_core.flows.posting.pauses import Pauses
from tiktok_core.flows.posting.turn import STEP_LEASE, Progressed, postpone
from tiktok_core.flows.posting.video_file import VideoFile, reopened

__all__ = ["OnProgress", "Run"]

T = TypeVar("T")
OnProgress = Callable[[Progress], None]

LONGEST_IN_SLOT: Final = 5.0
"""Seconds that an upload may do nothing without giving its slot to another."""
LONGEST_SLEEP: Final = 60.0
"""Seconds after which a run that waits for the time of its post looks at the clock again: it may have been set."""


@define
class Run:
    """One owner's way with one post.

    Attributes:
        context: what to work with.
        record: the post, as it was last seen.
        video_file: its file, if the caller gave it open.
        on_progress: called with the bytes sent and with each status.
    """

    context: Context
    record: Record
    video_file: VideoFile | None
    on_progress: OnProgress | None
    _owner: str = ""
    _pauses: Pauses = field(init=False, default=Factory(lambda run: Pauses(run.context), takes_self=True))
    _followed: Stopwatch | None = None
    _furthest: int = 0
    _is_ours: bool = True
    _is_certain: bool = False
    _opened: VideoFile | None = None
    _has_slot: bool = False

    async def to_its_end(self, *, wait: bool) -> Publication:
        """Take steps until the post has ended, or, unless `wait`, until TikTok has all that it needs.

        Raises:
            PublishFailed: TikTok gave the post up.
            StillProcessing: patience ended first.
            TikTokError: as a step ended; every one of them carries the key.
        """
        return await self._owning(partial(self._to_its_end, wait=wait))

    async def _to_its_end(self, *, wait: bool) -> Publication:
        while True:
            pause = await self._next_in_slot()
            if pause is None:
                return finished(not_refused(self.record).shown)
            if self.record.is_processing and not wait:
                return self.record.shown
            self._check_patience(pause)
            await self._sleep(min(pause, LONGEST_SLEEP) if self._is_early else pause)

    async def _sleep(self, pause: float) -> None:
        if pause > STEP_LEASE.total_seconds():
            # The lease would expire meanwhile, and no act is done under a lease that was slept through.
            await release(self.context, self.context.journal, self.record.name, self._owner)
        await self.context.clock.sleep(pause)
        self._pauses.slept(self.record, pause)
        if self._followed is not None:
            self._followed.slept(pause)

    async def advance(self, until_wait: float | None, stop: Callable[[], bool] | None) -> Step:
        """Take one step, or steps until the next wait is longer than `until_wait` seconds, or `stop` says so."""
        step = self._advance if until_wait is None else partial(self._advance_until, until_wait, stop)
        return await self._owning(step)

    async def _advance(self) -> Step:
        done = await self._step()
        return Step(publication=not_refused(done.record).shown, again_in=done.again_in, is_ours=done.is_ours)

    async def _advance_until(self, longest: float, stop: Callable[[], bool] | None) -> Step:
        while True:
            pause = await self._next_in_slot()
            not_refused(self.record)
            if pause is None or pause > longest or not self._is_ours or (stop is not None and stop()):
                if pause and self._is_ours:
                    await postpone(self.context, self.record, pause)
                return Step(publication=self.record.shown, again_in=pause, is_ours=self._is_ours)
            await self._sleep(pause)

    async def _owning(self, work: Callable[[], Awaitable[T]]) -> T:
        """Take steps under one name, sign the errors that end them, and release the lease.

        What the caller's own code raised on the way leaves as it is.
        """
        self._owner = self.context.entropy(16).hex()
        self._is_certain = self.record.is_planned  # No other process can have sent any of it.
        try:
            async with released_after(self.context, self.context.journal, self.record.name, self._owner):
                try:
                    return await work()
                except LeaseLost as error:
                    error.name_post(self.record.key, self.record.publish_id)
                    await self._check_given_up(error)
                    raise
                except TikTokError as error:
                    error.name_post(self.record.key, self.record.publish_id)
                    raise
                finally:
                    self._leave_slot()
        except Raised as carried:
            raised = carried.error
        try:
            # Outside of the `except`, which would change its context. (`StopIteration` no coroutine can raise: PEP 479.)
            raise raised
        finally:
            del raised  # Its traceback holds this frame, and this frame an open file.

    async def _check_given_up(self, lost: LeaseLost) -> None:
        """Raise the reason where the lease was lost because a person gave the post up."""
        found = None
        with suppress(StoreError):
            found = await self.context.journal.load(self.record.name)
        if found is not None and found.is_given_up:
            try:
                not_refused(found)
            except TikTokError as reason:
                reason.name_post(found.key, lost.publish_id)
                raise reason from lost

    # --- One step after another --------------------------------------------------------------------------------------

    async def _next_in_slot(self) -> float | None:
        """Take a step in an upload slot where bytes may leave, as `_next`."""
        await self._take_slot()
        pause = await self._next()
        if not self._is_uploading or pause is None or pause > LONGEST_IN_SLOT:
            self._leave_slot()
        return pause

    async def _next(self) -> float | None:
        """Take a step, and return the seconds to wait before the next one; None when the post has ended."""
        before = self.record
        try:
            progressed = await self._step()
        except TikTokError as error:
            # While TikTok works by itself, trouble on the way to it says nothing about the post.
            if not self.record.is_processing or isinstance(error, (LeaseLost, OutcomeUnknown, StoreError)):
                raise
            pause = self._pauses.after_miss(error)
            if pause is None:
                raise self._still(error) from error
            return pause
        self.record, self._is_ours = progressed.record, progressed.is_ours
        self._is_certain = progressed.is_ours and progressed.trouble is None
        self._tell_status(before)
        return self._pauses.after_step(before, progressed)

    async def _step(self) -> Progressed:
        return await advance(
            self.context,
            self.record,
            self._owner,
            open_video=self._open_video,
            on_sent=self._tell_sent,
            is_certain=self._is_certain,
        )

    def _check_patience(self, pause: float) -> None:
        if self.record.is_before_handover and self._is_ours:
            return
        self._followed = self._followed or Stopwatch(self.context.clock)
        if self._followed.look(most=self.context.retry_limits.deadline) + pause > self.context.patience:
            raise self._still()

    def _still(self, trouble: TikTokError | None = None) -> TikTokError:
        return after_patience(self.record, self._followed.seconds if self._followed else 0.0, trouble)

    # --- Many at once ------------------------------------------------------------------------------------------------

    @property
    def _is_uploading(self) -> bool:
        is_file = not self.record.wish.is_pulled and self.record.is_before_handover
        return self._is_ours and is_file and not self._is_early

    @property
    def _is_early(self) -> bool:
        return not_yet(self.record, self.context.clock.now()) is not None

    async def _take_slot(self) -> None:
        # Before the init, for the upload URL that it brings lives for an hour only.
        if self.context.slots is not None and self._is_uploading and not self._has_slot:
            await self.context.slots.enter(self.record.account)
            self._has_slot = True

    def _leave_slot(self) -> None:
        # The file, too, is open only while it is read.
        self._opened = None
        if self.context.slots is not None and self._has_slot:
            self._has_slot = False
            self.context.slots.leave()

    # --- The file, and what the caller hears -------------------------------------------------------------------------

    async def _open_video(self, record: Record) -> VideoFile:
        self._opened = self.video_file or self._opened or await reopened(self.context, record, self._owner)
        return self._opened

    def _tell_sent(self, record: Record, sent: int) -> None:
        self._furthest = max(self._furthest, sent)
        if self.on_progress:
            self.on_progress(self._progress(record, ""))

    def _tell_status(self, before: Record) -> None:
        if self.on_progress and self.record.last is not None and self.record.last != before.last:
            self._furthest = max(self._furthest, self.record.offset)
            try:
                self.on_progress(self._progress(self.record, self.record.last.status))
            except BaseException as error:  # noqa: BLE001 - it is raised again by `_owning`
                raise Raised(error) from None

    def _progress(self, record: Record, status: str) -> Progress:
        return Progress(
            stage="processing" if status else "uploading",
            sent_bytes=self._furthest,
            video_size=record.plan.video_size if record.plan else 0,
            publish_id=record.publish_id or "",
            status=status,
            plan=record.plan,
        )
