"""What a worker does when it is called for a post, and the sweeper that calls one where an engine lost a call.

What belongs here: the port `Alarm`, and all that the adapters of engines share. An engine knows no rule of a post: each call leads to
a look at the journal, which says what is due.

An engine may lose a call, make it twice, late or early. So a call for a post that is not due does nothing: whoever made it due later
has made another call. That one carries the time of which it is, and is made again if it comes too early. A post that is due is gone on
with by the first call that comes, one at a time; each makes one other call at most, and the sweeper makes one where none came.
"""

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Protocol

from tiktok_core import ReleaseRequired, SignInRequired, StoreError, TikTok, TikTokError, come_again
from tiktok_core.domain.journal import Record
from tiktok_core.ports import Clock

__all__ = ["GRACE", "LONGEST", "Alarm", "Worker"]

GRACE: Final = 10.0
"""Seconds by which a post may be overdue before the sweeper takes its call for lost."""
UNTIL_WAIT: Final = 5.0
"""Seconds of waiting that are not worth another call: a worker sleeps through them."""
LONGEST: Final = 300.0
"""Seconds of one stretch. An engine may take a worker that is at one call for half an hour for dead."""
MOST: Final = 100
"""How many posts one sweep calls workers for. Where more are overdue, workers are short, and more calls would not help."""
FOR_A_PERSON: Final = 300.0
"""Seconds before a worker looks again whether a person has done what the post needs, such as signing in."""

log: Final = logging.getLogger("tiktok_core")


class Alarm(Protocol):
    """Calls a worker for a post at a time. This is the port that the adapter of an engine implements."""

    def ring(self, account: str, key: str, at: datetime, /) -> None:
        """Have `Worker.called` called with these three, at that time (UTC) or as soon after it as can be.

        A call that comes early is made again. For one that never comes, the sweeper makes another.

        Raises:
            Exception: the engine does not take the call. The sweeper makes it later.
        """
        ...


class Worker:
    """Goes on with posts, one stretch of steps at a time. Threads may share it.

    Args:
        tiktok: the client; the worker does not close it.
        clock: the clock of the client.
        stop: asked after each step; once it says True, the worker leaves the rest to others.
        until_wait: seconds; a stretch ends where the next step is further away.
        longest: seconds after which a stretch ends between two steps, for another call to go on.
        grace: seconds by which a post may be overdue before `sweep` calls a worker for it.
    """

    def __init__(
        self,
        tiktok: TikTok,
        *,
        clock: Clock,
        stop: Callable[[], bool] = lambda: False,
        until_wait: float = UNTIL_WAIT,
        longest: float = LONGEST,
        grace: float = GRACE,
    ) -> None:
        self._tiktok = tiktok
        self._clock = clock
        self._stop = stop
        self._until_wait = until_wait
        self._longest = timedelta(seconds=longest)
        self._grace = timedelta(seconds=grace)
        self._lock = threading.Lock()
        self._failed: dict[str, int] = {}

    def now(self) -> datetime:
        """Return the time by which the worker goes (UTC)."""
        return self._clock.now()

    def called(self, alarm: Alarm, account: str, key: str, at: datetime) -> None:
        """Do what an engine's call is for: go on with the post if it is due, and make the next call.

        Args:
            alarm: makes the next call.
            account: the account's `open_id`.
            key: the post's key.
            at: the time that `Alarm.ring` was given.

        Raises:
            StoreError: the journal cannot be read. The sweeper makes the call again.
        """
        record = self._found(account, key)
        if record is None or record.due_at is None:
            return
        if record.due_at > self.now():
            if record.due_at == at:
                # Some engines wait for a few minutes at most, and others go by a clock of their own.
                alarm.ring(account, key, at)
            return
        again = self.work(record)
        if again is not None:
            alarm.ring(account, key, again)

    def work(self, record: Record) -> datetime | None:
        """Go on with a post until its next step is further away, and return when that is.

        Returns:
            The time (UTC). None if the post has ended, waits for a person, or belongs to another worker now: then nobody needs to
            be called, unless the journal says so later.
        """
        until = self.now() + self._longest
        try:
            account = self._tiktok.account(record.account)
            step = account.advance(
                record.key, until_wait=self._until_wait, stop=lambda: self._stop() or self.now() >= until
            )
            self._succeeded(record)
            return self._due(record) if step.is_ours and step.again_in is not None else None
        except TikTokError as error:
            return self._after(record, error)

    def sweep(self, alarm: Alarm) -> int:
        """Call a worker for each post that is overdue: its call was lost, or its worker has ended. Return how many these are.

        Of several sweepers, one calls a worker. For a post that a worker is at, it comes to nothing.

        Raises:
            StoreError: the journal cannot be read or written.
            Exception: the engine takes no calls; as `Alarm.ring`.
        """
        called = 0
        for record in self._tiktok.due_posts(within=-self._grace.total_seconds()):
            if timedelta() <= self.now() - record.updated_at < self._grace:
                # A worker has just stored something of it, so one is there.
                continue
            if self._tiktok.postpone(record, 0.0) and (at := self._due(record)) is not None:
                alarm.ring(record.account, record.key, at)
                called += 1
            if called >= MOST:
                break
        return called

    def _after(self, record: Record, error: TikTokError) -> datetime | None:
        times = self._failures(record)
        pause = come_again(error, times=times)
        if isinstance(error, ReleaseRequired):
            # Known, and shown by `tiktok uploads`: not worth a line each time.
            log.debug("Post %s: %s", record.key, error)
        elif times == 1 or pause is not None:
            after = "a person is needed" if pause is None else f"a worker comes again in {pause:.0f} s"
            log.warning("Post %s: %s (%s)", record.key, error, after)
        try:
            current = self._found(record.account, record.key)
            if current is None or not self._tiktok.postpone(current, FOR_A_PERSON if pause is None else pause):
                return None
            return None if pause is None else self._due(record)
        except StoreError as trouble:
            log.warning("Post %s: when to come again could not be stored: %s", record.key, trouble)
            return None

    def _found(self, account: str, key: str) -> Record | None:
        try:
            return self._tiktok.account(account).post(key)
        except SignInRequired:
            # The record is there all the same.
            mine = (one for one in self._tiktok.unfinished() if one.account == account and one.key == key)
            return next(mine, None)

    def _due(self, record: Record) -> datetime | None:
        """Return the time that the journal has by now, as it is stored: a call is held against it."""
        found = self._found(record.account, record.key)
        return None if found is None else found.due_at

    def _failures(self, record: Record) -> int:
        with self._lock:
            self._failed[record.name] = times = self._failed.get(record.name, 0) + 1
        return times

    def _succeeded(self, record: Record) -> None:
        with self._lock:
            self._failed.pop(record.name, None)
