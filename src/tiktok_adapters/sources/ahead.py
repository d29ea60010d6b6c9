"""Ranges of objects that lie elsewhere: fetched before they are asked for, and bounded for a client as a whole.

What belongs here: which ranges are fetched, kept and dropped, and when. How a range is fetched is the matter of a `Remote`.

A read of a mebibyte waits for the storage each time, so ranges of 8 MiB are fetched, and two of them ahead of a reader that reads one
block after the other. A look into a video jumps about: it gets the range around each place, and nothing ahead. No reader
waits for room: where there is none, it fetches what it asked for, and no more.
"""

import os
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from attrs import define, evolve

from tiktok_core.errors import SourceChanged

if TYPE_CHECKING:
    from tiktok_adapters.sources.remote import Remote

__all__ = ["RANGE", "ROOM", "Ahead", "Ranges"]

RANGE: Final = 8 * 1024 * 1024
"""Bytes of a range. The first one of an object is shorter, so that an index at the end of a video mostly lies in one range."""
FLIGHTS: Final = 2
"""The most ranges of one source that are on their way while one is read."""
MOST: Final = FLIGHTS + 2
"""The most ranges of one source in memory: the one that is read, those ahead, and the tail, which looks into videos visit first."""
ROOM: Final = 10
"""Ranges in memory, of all sources of a client together."""
RUN: Final = 8
"""An eighth of a range, a mebibyte, that is read in one go makes a reader a sender, for which the next ranges are fetched."""
LEFT: Final = 32
"""A range that no reader touched while bytes of so many ranges were read gives way to others: its post may wait for hours."""
LOOK: Final = 0.5
"""Seconds after which a wait checks for signals."""
LEAVE: Final = 1.0
"""Seconds that closing waits for what is on its way. It ends with the next bytes that come."""


def _started(job: Callable[[], None]) -> None:
    threading.Thread(target=job, name="tiktok-range", daemon=True).start()


def _waited(changed: threading.Condition) -> None:
    # A wait does not notice a signal that comes just as it begins. So each wait is short.
    changed.wait(LOOK)


@define(eq=False)
class _Range:
    """One range of an object.

    Attributes:
        length: its bytes.
        data: the bytes, once they are here.
        error: why they do not come.
        used: the time of the client's reading at which it was last touched.
        is_spent: whether a reader has gone through it and on to the next.
    """

    length: int
    data: bytes | memoryview | None = None
    error: BaseException | None = None
    used: int = 0
    is_spent: bool = False


class Ahead:
    """The threads and the memory that all sources of a client share. Close it with the client.

    Args:
        room: ranges in memory, of all sources together.
        grain: bytes of a range.
        start: does a job in another thread. It raises `RuntimeError` if there can be no more threads.
        wait: waits, under the lock, until the condition may have changed.
    """

    def __init__(
        self,
        *,
        room: int = ROOM,
        grain: int = RANGE,
        start: Callable[[Callable[[], None]], None] = _started,
        wait: Callable[[threading.Condition], None] = _waited,
    ) -> None:
        self.grain = grain
        self._room = room * grain
        self._left = LEFT * grain
        self._start, self._wait = start, wait
        self._pid = os.getpid()
        self._flights: set[_Range] = set()
        self._sources: set[Ranges] = set()
        self._closed = False
        # The garbage collector may close a source at any moment, also in a thread that holds this lock. So what it calls takes none.
        self.changed = threading.Condition()
        self.time = 0
        """The bytes that were read so far: the time by which ranges grow old. A clock would be wrong on a slow line."""

    def close(self) -> None:
        """Close all sources, and wait for a moment until nothing is on its way. A second call does nothing."""
        if os.getpid() != self._pid:
            return  # The lock may belong to a thread that does not exist in a forked child.
        end = time.monotonic() + LEAVE
        with self.changed:
            self._closed = True
            for source in self._sources:
                source.close()
            self._sources = set()
            self.changed.notify_all()
            while self._flights and time.monotonic() < end:
                self.wait()

    def close_source(self, close: Callable[[], object]) -> None:
        """Close one source, and wake who waits for it."""
        if os.getpid() != self._pid:
            close()
            return
        with self.changed:
            close()
            self.changed.notify_all()

    # --- For the ranges of a source; all under the lock --------------------------------------------------------------

    def check(self) -> None:
        """Refuse to work in a forked child, where no range would ever come.

        Raises:
            SourceChanged: this is another process.
        """
        if os.getpid() != self._pid:
            raise SourceChanged(None, "the source belongs to another process: open it again after the fork")

    def admit(self, source: "Ranges") -> None:
        """Count a source in.

        Raises:
            SourceChanged: the client is closed.
        """
        if self._closed:
            raise SourceChanged(None, "the client is closed")
        self._sources = {source, *(other for other in self._sources if not other.is_closed)}

    def share(self) -> int:
        """Return how many ranges each source may have that is being read."""
        active = sum(not source.is_closed and self.time - source.used <= self._left for source in self._sources)
        return max(1, self._room // self.grain // max(1, active))

    def make_room(self, length: int) -> bool:
        """Return whether there is room for so many bytes, once ranges are dropped that no reader waits for."""
        held = {
            part: (source, number)
            for source in self._sources
            for number, part in source.parts.items()
            if part.data is not None
        }
        used = sum(part.length for part in {*held, *self._flights})
        for part in sorted(held, key=lambda part: (not part.is_spent, part.used)):
            if used + length <= self._room:
                break
            if not part.is_spent and self.time - part.used <= self._left:
                return False
            source, number = held[part]
            source.parts.pop(number, None)
            used -= part.length
        return used + length <= self._room

    def begin(self, source: "Ranges", number: int, length: int) -> _Range | None:
        """Fetch a range in another thread. Return None where there can be no more threads."""
        part = _Range(length, used=self.time)
        self._flights.add(part)
        try:
            self._start(partial(source.fetch, number, part))
        except BaseException as error:
            self._flights.discard(part)
            if isinstance(error, RuntimeError):
                return None
            raise
        return part

    def ended(self, part: _Range) -> None:
        """Note that a range is no longer on its way."""
        self._flights.discard(part)
        self.changed.notify_all()

    def wait(self) -> None:
        """Wait until something may have changed."""
        self._wait(self.changed)


class Ranges:
    """The ranges of one object that are here or on their way. Threads may share it.

    It does not know the source over it, so that the garbage collector can close one that is forgotten while ranges are on their way.

    Args:
        remote: the object.
        ahead: what it shares with others.
        head: the first bytes, if the opening brought them.
    """

    def __init__(self, remote: "Remote", ahead: Ahead, head: bytes) -> None:
        self._remote, self._ahead, self._head = remote, ahead, head
        self._grain = ahead.grain
        self._shift = -remote.size % ahead.grain
        self._size, self._known = remote.size, f"{remote.etag}-{remote.size}"
        self.parts: dict[int, _Range] = {}
        self._failed: set[int] = set()  # What could not be fetched ahead is not tried again before a reader needs it.
        self.is_closed = False
        self.used = 0
        self._run = self._position = 0  # Where the present reader began, and where it will go on.
        # How often the last byte was given, and up to which of these times a look, or a fetch, has answered for it.
        self._ends = self._looked = 0
        self._has_given, self._has_fetched, self._is_first = False, False, True
        self._ended_from = 0
        with ahead.changed:
            ahead.admit(self)
            self.used = ahead.time

    def close(self) -> None:
        """Drop all ranges, and end what is on its way. It takes no lock: while a reader may be at work, it is called under that of `Ahead`."""
        self.is_closed = True
        self.parts = {}
        self._head = b""
        self._remote.close()

    def block(self, start: int, end: int) -> memoryview:
        """Return bytes from `start`, at least one and not beyond `end`, which lies inside of the object.

        Raises:
            SourceChanged: what lies there is not what was opened, or cannot be read.
        """
        self._ahead.check()
        number = (start + self._shift) // self._grain
        first, after = self._bounds(number)
        stop = min(end, after)
        with self._ahead.changed:
            self._check_open()
            if start != self._position:
                self._run = start
            is_run = end - self._run >= self._grain // RUN
            if start < len(self._head):
                found = memoryview(self._head)[start:end]
                self._gave(start + len(found), len(found))
                return found
            part = self.parts.get(number) or self._asked(number, is_run=is_run)
            if part is not None:
                # So that it does not give way to what is fetched ahead.
                part.used, part.is_spent = self._ahead.time, False
            if is_run:
                self._look_ahead(number)
            if part is not None:
                found = self._awaited(part)[start - first : stop - first]
                part.used, part.is_spent = self._ahead.time, is_run and self._run <= first and stop == after
                self._gave(stop, len(found))
                return found
        found = memoryview(self._fetched(start, stop - start))
        with self._ahead.changed:
            self._check_open()
            self._has_fetched = True
            self._gave(stop, len(found))
        return found

    def fingerprint(self) -> str:
        """Return the ETag and the size: those of the opening as long as a later request will notice a change.

        Each request for bytes carries If-Match, so it fails once another object lies there. What it cannot notice is a change after the
        last range was fetched. So only once the last byte was given, a look asks for what lies there now. The exception is a look into
        the tail of a video before anything of it is sent: the range that was fetched for it answers, too.

        Raises:
            SourceChanged: nothing lies there any more, or it cannot be asked.
        """
        self._ahead.check()
        with self._ahead.changed:
            self._check_open()
            ends = self._ends
            is_answered = self._is_first and self._has_fetched and self._ended_from > 0
            self._is_first = self._is_first and not self._has_given
            self._has_fetched = False
            if ends == self._looked or is_answered:
                self._looked = ends
                return self._known
        etag, size = self._remote.look()
        found = f"{etag}-{size}"
        if found == self._known:
            with self._ahead.changed:
                self._looked = max(self._looked, ends)
        return found

    def fetch(self, number: int, part: _Range) -> None:
        """Fetch a range, in a thread of its own."""
        data: bytes | memoryview | None = None
        error: BaseException | None = None
        try:
            data = self._fetched(self._bounds(number)[0], part.length)
        except BaseException as raised:  # noqa: BLE001 - the reader that waits for the range gets it
            # Without what it refers to: the frames of the request hold what had come so far.
            error = evolve(raised) if isinstance(raised, SourceChanged) else _bare(raised)
        with self._ahead.changed:
            if error is not None and self.parts.get(number) is part:
                del self.parts[number]
                self._failed.add(number)
            part.data, part.error, part.used = data, error, self._ahead.time
            self._has_fetched = True
            self._ahead.ended(part)

    def _bounds(self, number: int) -> tuple[int, int]:
        """Return where a range begins, and where the next one does."""
        after = (number + 1) * self._grain - self._shift
        return max(0, after - self._grain), after

    def _fetched(self, start: int, length: int) -> bytes | memoryview:
        data = self._remote.fetch(start, length)
        if len(data) != length:
            raise SourceChanged(None, f"the storage sent {len(data):,} bytes of {length:,}")
        return data

    def _check_open(self) -> None:
        if self.is_closed:
            raise SourceChanged(None, "the source was closed")

    def _gave(self, position: int, count: int) -> None:
        self._position = position
        self._ahead.time += count
        self.used = self._ahead.time
        self._has_given = True
        if position == self._size:
            self._ends += 1
            self._ended_from = self._run

    def _awaited(self, part: _Range) -> memoryview:
        while part.data is None:
            if part.error is not None:
                raise part.error
            self._check_open()
            self._ahead.wait()
        return memoryview(part.data)

    def _asked(self, number: int, *, is_run: bool) -> _Range | None:
        """Begin to fetch the range that a reader waits for. Return None where there is no room."""
        if len(self.parts) >= MOST and not self._gave_way(number, is_run=is_run):
            return None
        return self._begun(number)

    def _look_ahead(self, number: int) -> None:
        """Begin to fetch the next ranges, as far as a source may that shares the room with others."""
        window = range(number, min(number + FLIGHTS, (self._size + self._shift) // self._grain - 1) + 1)
        for following in window[1:]:
            if following in self.parts or following in self._failed:
                continue
            is_enough = sum(part.data is None for part in self.parts.values()) >= FLIGHTS
            if is_enough or sum(other in self.parts for other in window) >= self._ahead.share():
                return
            if len(self.parts) >= MOST and not self._gave_way(number, is_run=True):
                return
            if self._begun(following) is None:
                return

    def _gave_way(self, number: int, *, is_run: bool) -> bool:
        """Return whether a range of this source was dropped, for which a reader at `number` has the least use."""
        ready = {other: part for other, part in self.parts.items() if part.data is not None}
        behind = [other for other, part in ready.items() if part.is_spent and other != number]
        if is_run:
            # The reader comes to them again, if at all, after everything else. The tail it needs last, and gets it from here.
            behind = (
                behind
                or [other for other in ready if other < number]
                or [other for other in ready if other > number + FLIGHTS]
            )
        if not behind:
            return False
        del self.parts[min(behind, key=lambda other: ready[other].used)]
        return True

    def _begun(self, number: int) -> _Range | None:
        first, after = self._bounds(number)
        length = after - first
        if not self._ahead.make_room(length):
            return None
        part = self._ahead.begin(self, number, length)
        if part is not None:
            self.parts[number] = part
            self._failed.discard(number)
        return part


def _bare(error: BaseException) -> BaseException:
    error.__context__ = error.__cause__ = None
    return error.with_traceback(None)
