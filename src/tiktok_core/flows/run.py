"""A run: steps of one post, by one owner, until it has ended, patience has, or trouble is all that comes."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeVar

from attrs import define

from tiktok_core.domain.given_up import NOT_WRITTEN_DOWN, refused_again
from tiktok_core.domain.journal import Record, Stage
from tiktok_core.domain.pacing import Quota
from tiktok_core.domain.publishing import Progress, Publication, Step
from tiktok_core.domain.retry import Operation, backoff, pause_before_retry
from tiktok_core.errors import (
    InvalidPost,
    LeaseLost,
    NotSent,
    OutcomeUnknown,
    Problem,
    RateLimited,
    SourceChanged,
    StillProcessing,
    StoreError,
    TikTokError,
)
from tiktok_core.flows.advance import advance
from tiktok_core.flows.exchange import Context, Raised, log
from tiktok_core.flows.follow import MISSES, PASSING, finished, still
from tiktok_core.flows.hold import LEASE, Progressed, outcome_unknown
from tiktok_core.flows.leases import give_back, given_back
from tiktok_core.flows.pace import quota_name
from tiktok_core.flows.upload import Film
from tiktok_core.flows.watch import Watch
from tiktok_core.flows.wish import open_film

__all__ = ["OnProgress", "Run"]

T = TypeVar("T")
OnProgress = Callable[[Progress], None]

UPLOADS: Final = (Stage.PLANNED, Stage.INIT_SENT, Stage.UPLOADING)
LONGEST_IN_SLOT: Final = 5.0
"""Seconds that an upload may do nothing without giving its slot to another."""
DOUBTS: Final = 6
"""Steps in a row that may bring nothing but trouble."""


@define
class Run:
    """One owner's way with one post.

    Attributes:
        context: what to work with.
        record: the post, as it was last seen.
        film: its file, if whoever asks gave it open.
        on_progress: told of bytes sent and of each status.
    """

    context: Context
    record: Record
    film: Film | None
    on_progress: OnProgress | None
    _owner: str = ""
    _furthest: int = 0
    _is_ours: bool = True
    _is_certain: bool = False
    _is_limited: bool = False
    _doubts: int = 0
    _proved: int = 0
    _misses: int = 0
    _followed: Watch | None = None
    _troubled: Watch | None = None
    _opened: Film | None = None
    _has_slot: bool = False

    async def to_its_end(self, *, until_final: bool) -> Publication:
        """Take steps until the post has ended, or, unless `until_final`, until TikTok has all that it needs.

        Raises:
            PublishFailed: TikTok gave the post up.
            StillProcessing: patience ended first.
            TikTokError: as a step ended; every one of them carries the key.
        """
        # What was just planned is begun here: nobody else can have sent any of it.
        self._is_certain = self.record.stage is Stage.PLANNED
        return await self._owning(partial(self._to_its_end, until_final=until_final))

    async def _to_its_end(self, *, until_final: bool) -> Publication:
        while True:
            await self._take_slot()
            pause = await self._next()
            if pause is None:
                return finished(_not_refused(self.record).shown)
            if self.record.stage is Stage.PROCESSING and not until_final:
                return self.record.shown
            self._check_patience(pause)
            if not self._is_uploading or pause > LONGEST_IN_SLOT:
                self._leave_slot()
            await self._sleep(pause)

    async def _sleep(self, pause: float) -> None:
        if pause > LEASE.total_seconds():
            # It would have run out: nobody acts by a lease that he slept over.
            await give_back(self.context, self.context.journal, self.record.name, self._owner)
        await self.context.clock.sleep(pause)
        if self._is_limited:
            self._is_limited = False
            self.context.quiet.over(quota_name(self.record.account, Quota.INIT))
        for watch in (self._followed, self._troubled):
            if watch is not None:
                watch.slept(pause)

    async def one_step(self) -> Step:
        """Take one step.

        Raises:
            TikTokError: as the step ended; it carries the key.
        """
        return await self._owning(self._one_step)

    async def _one_step(self) -> Step:
        progressed = await self._step()
        _not_refused(progressed.record)
        return Step(publication=progressed.record.shown, again_in=progressed.again_in)

    async def _owning(self, work: Callable[[], Awaitable[T]]) -> T:
        """Take steps under one name, sign the errors that end them, and give the lease back.

        What the caller's own code raised on the way leaves as it is.
        """
        self._owner = self.context.entropy(16).hex()
        try:
            async with given_back(self.context, self.context.journal, self.record.name, self._owner):
                try:
                    return await work()
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

    # --- Many at once ------------------------------------------------------------------------------------------------

    @property
    def _is_uploading(self) -> bool:
        return self._is_ours and not self.record.wish.is_pulled and self.record.stage in UPLOADS

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

    async def _next(self) -> float | None:
        """Take a step, and return the seconds to wait before the next one; None when the post has ended."""
        before = self.record
        try:
            progressed = await self._step()
        except TikTokError as error:
            # While TikTok works by itself, trouble on the way to it says nothing of the post.
            if self.record.stage is not Stage.PROCESSING or isinstance(error, (LeaseLost, StoreError)):
                raise
            if not isinstance(error, PASSING):
                raise self._still(error) from error
            return self._missed(error)
        self._misses = 0
        self.record, self._is_ours = progressed.record, progressed.is_ours
        self._is_certain = progressed.is_ours and progressed.trouble is None
        self._tell_status(before)
        pause = progressed.again_in
        is_another = self.record.stage is not Stage.UPLOADING or self.record.publish_id != before.publish_id
        is_further = self._is_further(is_another=is_another)
        if progressed.trouble is not None and pause is not None:
            return max(pause, self._doubted(progressed.trouble, is_further=is_further))
        if self._doubts and (is_further or is_another):
            self.context.budgets.earn(self.record.account, repeated=self._doubts)
            self._doubts = 0
        return pause

    def _is_further(self, *, is_another: bool) -> bool:
        """Whether more of the upload is there than ever was: a chunk that is there once more brings it no further."""
        known = 0 if is_another else self._proved
        self._proved = max(known, self.record.offset)
        return self._proved > known

    async def _step(self) -> Progressed:
        return await advance(
            self.context,
            self.record,
            self._owner,
            film=self._film_of,
            on_sent=self._tell_sent,
            is_certain=self._is_certain,
        )

    # --- Trouble and patience ----------------------------------------------------------------------------------------

    def _doubted(self, trouble: TikTokError, *, is_further: bool) -> float:
        self._doubts = 1 if is_further else self._doubts + 1
        if self._doubts == 1 or self._troubled is None:
            self._troubled = Watch(self.context.clock)
        began_nothing = self.record.stage is Stage.PLANNED and isinstance(trouble, (NotSent, RateLimited))
        pause = self._pause_before_init(trouble) if began_nothing else self._pause_in_doubt(trouble)
        if pause is None or not self.context.budgets.spend(self.record.account):
            raise trouble
        said = "Post %s: %s; again in %.1f s"
        log.warning(said, self.record.key, type(trouble).__name__, pause, extra={"pause": pause})
        self._is_limited = began_nothing and isinstance(trouble, RateLimited)
        return pause

    def _pause_before_init(self, trouble: TikTokError) -> float | None:
        patience, watch = self.context.patience, self._troubled or Watch(self.context.clock)
        return pause_before_retry(
            Operation.INIT_PULL if self.record.wish.is_pulled else Operation.INIT_UPLOAD,
            trouble,
            tried=self._doubts,
            spent=watch.look(most=patience.deadline),
            patience=patience,
            jitter=self.context.jitter(),
        )

    def _pause_in_doubt(self, trouble: TikTokError) -> float | None:
        is_far = isinstance(trouble, RateLimited) and trouble.retry_after > self.context.patience.deadline
        return None if is_far or self._doubts >= DOUBTS else self._pause_after(trouble, self._doubts)

    def _missed(self, error: TikTokError) -> float:
        self._misses += 1
        if self._misses >= MISSES:
            raise self._still(error) from error
        return self._pause_after(error, self._misses)

    def _pause_after(self, trouble: TikTokError, times: int) -> float:
        pause = backoff(times, self.context.jitter())
        return max(pause, trouble.retry_after) if isinstance(trouble, RateLimited) else pause

    def _check_patience(self, pause: float) -> None:
        if self.record.stage in UPLOADS and self._is_ours:
            return
        self._followed = self._followed or Watch(self.context.clock)
        if self._followed.look(most=self.context.patience.deadline) + pause > self.context.follow_for:
            raise self._still()

    def _still(self, trouble: TikTokError | None = None) -> StillProcessing | OutcomeUnknown:
        if self.record.stage is Stage.UNKNOWN:
            return outcome_unknown(self.record, "its upload ended while its last bytes were in doubt")
        return still(self.record.shown, self._followed.seconds if self._followed else 0.0, trouble)

    # --- The file, and whoever watches -------------------------------------------------------------------------------

    async def _film_of(self, record: Record) -> Film:
        self._opened = self.film or self._opened or await _found_again(self.context, record)
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


def _not_refused(record: Record) -> Record:
    """Return the record, unless its post was given up: whoever asks is told the same as whoever met the refusal."""
    if record.stage is Stage.ABANDONED:
        raise refused_again(record.refusal or NOT_WRITTEN_DOWN, record.publish_id)
    return record


async def _found_again(context: Context, record: Record) -> Film:
    if record.wish.video is None:
        raise InvalidPost((Problem("video", "was a source without a name; give it again to go on"),))
    try:
        return await open_film(context, record.wish.video, None)
    except InvalidPost as error:
        # There was a file, so that there is none now is a change and no slip of whoever asks.
        raise SourceChanged(record.publish_id, str(error)) from error
