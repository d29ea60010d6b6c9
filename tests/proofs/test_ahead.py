"""Random schedules of the read-ahead: in whatever order ranges come, fail and change, no post gets bytes of two versions.

What belongs here: the proof. One thread plays all threads: wherever one waits for another, or for a storage, the schedule chooses what
happens meanwhile. So nothing sleeps, each schedule is the same each time, and a failing one shrinks to the few choices that matter.
"""

import gc
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from attrs import define, field
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from tiktok_adapters.sources.ahead import Ahead
from tiktok_adapters.sources.remote import RemoteSource
from tiktok_core.errors import SourceChanged

SCHEDULES = int(os.environ.get("AHEAD_SCHEDULES", "500"))
PART = 1_000
TAPES = st.binary(min_size=60, max_size=240)
GRAIN = 64
"""Bytes of a range here."""
VERSIONS = [Random(number).randbytes(8 * GRAIN) for number in range(4)]
ENDS: Counter[str] = Counter()
"""How the posts of all schedules have ended."""
NOWHERE = -1
"""The version of an object that was deleted."""
DEEPEST = 4
"""How many waits the schedule plays within one another."""


class Interrupted(BaseException):
    """A person, or a task that is cancelled, ends a wait."""


@define(eq=False)
class Thing:
    """An object in the storage.

    Attributes:
        size: its bytes.
        version: what lies there now.
        was_disturbed: whether anything happened to it, or to a source of it, for which a reader may be refused.
    """

    size: int
    version: int = 0
    was_disturbed: bool = False

    def bytes_of(self, version: int) -> bytes:
        """Return what lies there in a version."""
        return VERSIONS[version][: self.size]


@define(eq=False)
class SimulatedRemote:
    """A `Remote` whose every request the schedule may delay, fail, or let something else come first."""

    world: "World"
    thing: Thing
    name: str = "https://media.example.com/clip.mp4?secret"
    opened: int = 0
    is_closed: bool = False

    @property
    def size(self) -> int:
        """The bytes of the object."""
        return self.thing.size

    @property
    def etag(self) -> str:
        """The version at the opening."""
        return f'"{self.opened}"'

    def look(self) -> tuple[str, int]:
        """Say what lies there now."""
        with self.world.request(self):
            if self.thing.version == NOWHERE:
                raise SourceChanged(None, "gone")
            return f'"{self.thing.version}"', self.size

    def fetch(self, start: int, length: int, /) -> bytes:
        """Return the bytes of the version that was opened, and of no other."""
        assert 0 <= start < start + length <= self.size, "a range outside of the object was asked for"
        with self.world.request(self):
            if self.thing.version != self.opened:
                raise SourceChanged(None, "replaced")
            return self.thing.bytes_of(self.opened)[start : start + length]

    def close(self) -> None:
        """Note that the source is closed."""
        self.is_closed = True


class World:
    """One schedule: the tape decides what happens next, wherever something may happen."""

    def __init__(self, tape: bytes) -> None:
        self.tape = iter(tape)
        self.jobs: list[Callable[[], None]] = []
        self.running = self.depth = self.in_job = 0
        self.room = 1 + self.choose(5)
        self.ahead = Ahead(room=self.room, grain=GRAIN, start=self.start, wait=self.wait)
        self.things: list[Thing] = []
        self.remotes: list[SimulatedRemote] = []
        self.posts: list[Post] = []

    def choose(self, count: int) -> int:
        """Return a number below `count`; 0, the quietest, once the tape has ended."""
        return next(self.tape, 0) % count

    def open(self, thing: Thing) -> RemoteSource | None:
        """Open what lies there now."""
        if thing.version == NOWHERE:
            return None
        remote = SimulatedRemote(self, thing, opened=thing.version)
        self.remotes.append(remote)
        head = thing.bytes_of(thing.version)[: self.choose(3) * 8]
        return RemoteSource(remote, self.ahead, head=head)

    # --- What the read-ahead asks for ----------------------------------------------------------------------------------

    def start(self, job: Callable[[], None]) -> None:
        """Take a job that another thread is to do, unless there can be no more threads."""
        if self.choose(16) == 15:
            raise RuntimeError("can't start new thread")
        self.jobs.append(job)

    def wait(self, _changed: threading.Condition) -> None:
        """Let something happen while a thread waits. Something must be under way, or it would wait for ever."""
        self.check()
        assert self.jobs, "a reader waits for what nobody brings"
        if self.choose(64) == 63:
            raise Interrupted
        self.happens(is_waiting=True)

    def request(self, remote: SimulatedRemote) -> Any:
        """Play one request: other things happen before the server looks, and before its answer is here."""
        return _Request(self, remote)

    # --- What happens ----------------------------------------------------------------------------------------------------

    def happens(self, *, is_waiting: bool = False) -> None:
        """Let one thing happen."""
        what = self.choose(32)
        if what < 16 and self.jobs:
            self.do_a_job()
        elif what < 30 and self.step():
            return
        elif what == 30 and self.things:
            thing = self.things[self.choose(len(self.things))]
            thing.version = (NOWHERE, 1, 2, 3)[self.choose(4)]
            thing.was_disturbed = True
        elif what == 31 and self.posts:
            self.posts[self.choose(len(self.posts))].left(is_closed=bool(self.choose(2)))
        elif is_waiting and self.jobs:
            self.do_a_job()

    def do_a_job(self) -> None:
        """Let one of the threads run, whichever: the order is that of the storage's latency."""
        job = self.jobs.pop(self.choose(len(self.jobs)))
        self.in_job += 1
        job()
        self.in_job -= 1
        self.check()

    def step(self) -> bool:
        """Let one post go on, and return whether one could. What runs in a thread of the read-ahead waits for no post."""
        ready = [post for post in self.posts if not post.is_busy and post.end is None]
        if not ready or self.in_job or self.depth >= DEEPEST:
            return False
        self.depth += 1
        ready[self.choose(len(ready))].go_on()
        self.depth -= 1
        self.check()
        return True

    def check(self) -> None:
        """The memory of all sources together is bounded, at every moment."""
        open_ones = [source for source in self.ahead._sources if not source.is_closed]
        parts = {part for source in open_ones for part in source.parts.values()} | self.ahead._flights
        assert sum(part.length for part in parts) <= self.room * GRAIN

    def finish(self) -> None:
        """Let everything go on to its end, and close the client: nothing of it may be left."""
        while any(post.end is None for post in self.posts):
            self.tape = iter(()) if not self.step() else self.tape
            self.step()
        closes_early = self.choose(2)
        if not closes_early:
            while self.jobs:
                self.do_a_job()
        self.ahead.close()
        assert (self.jobs, self.running, self.ahead._flights) == ([], 0, set())
        ENDS.update(post.end or "" for post in self.posts)
        self.posts.clear()
        gc.collect(0)
        assert all(remote.is_closed for remote in self.remotes)


@define
class _Request:
    world: World
    remote: SimulatedRemote

    def __enter__(self) -> None:
        self.world.running += 1
        self._others()
        if self.world.choose(64) == 63:
            self.world.running -= 1
            self.remote.thing.was_disturbed = True
            raise SourceChanged(None, "does not answer")
        if self.remote.is_closed:
            self.world.running -= 1
            raise SourceChanged(None, "closed")

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._others()
        self.world.running -= 1

    def _others(self) -> None:
        for _ in range(self.world.choose(3)):
            self.world.happens()


@define(eq=False)
class Post:
    """A post as the core makes it: it looks into the video, and sends it in chunks, some of them twice.

    Attributes:
        source: what it sends.
        end: how it ended.
        is_busy: whether it is in the midst of a step.
    """

    world: World
    thing: Thing
    source: RemoteSource | None
    opened: int
    end: str | None = None
    is_busy: bool = False
    was_interrupted: bool = False
    steps: Iterator[None] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.steps = self._posted()

    def go_on(self) -> None:
        """Take the next step."""
        self.is_busy = True
        try:
            next(self.steps)
        except StopIteration:
            self.end = self.end or "posted"
        except SourceChanged:
            self.end = "refused"
            assert self.thing.was_disturbed or self.was_interrupted, "an undisturbed post was refused"
        except Interrupted:
            self.end = "interrupted"
        finally:
            self.is_busy = False
            if self.end is not None:
                self.source = None  # As a caller does whose call has ended.
                self.steps = iter(())

    def left(self, *, is_closed: bool) -> None:
        """Close the source while it is read, or forget the post between two steps, as a cancelled task does."""
        if self.end is not None or self.source is None:
            return
        self.was_interrupted = self.thing.was_disturbed = True
        if is_closed:
            self.source.close()
        elif not self.is_busy:
            self.end, self.source, self.steps = "forgotten", None, iter(())

    def _posted(self) -> Iterator[None]:
        source, choose, size = self.source, self.world.choose, self.thing.size
        assert source is not None
        assert source.size == size
        known = source.fingerprint
        self._read(source, 0, 8)
        yield
        for _ in range(choose(4)):
            start = size - 1 - choose(GRAIN) if choose(2) else choose(size)
            self._read(source, max(0, start), 1 + choose(GRAIN))
            yield
        offset, again = choose(size) if choose(4) == 3 else 0, choose(6)
        while offset < size:
            end = min(size, offset + (20, 50, 90, size)[choose(4)])
            if source.fingerprint != known:
                self.end = "changed"
                return
            position = offset
            while position < end:
                was_replaced = self.thing.version != self.opened
                position += self._read(source, position, min(8 + choose(9), end - position))
                if position < size:
                    yield
                    continue
                if source.fingerprint != known:
                    self.end = "changed"
                    return
                assert not was_replaced, "the last byte left after the object had been replaced"
            if again >= 4 and end == size:
                again = 0  # TikTok did not get the chunk: it is sent once more.
                continue
            if end < size and source.fingerprint != known:
                self.end = "changed"
                return
            offset = end
            yield

    def _read(self, source: RemoteSource, start: int, length: int) -> int:
        expected = self.thing.bytes_of(self.opened)[start : start + length]
        if self.world.choose(2):
            assert source.read(start, length) == expected, "bytes of another version or place"
        else:
            buffer = bytearray(length)
            assert source.read_into(start, memoryview(buffer)) == len(expected)
            assert buffer[: len(expected)] == expected, "bytes of another version or place"
        return len(expected)


def test_no_schedule_mixes_two_versions_or_leaves_anything_behind() -> None:
    """A post gets the bytes of the version that it began with, all or an error, and its last byte only while that one lies there.

    Memory is bounded at every moment, nobody waits for what nobody brings, and at the end no range, request or source is open.
    """
    # In parts, each with a seed of its own: Hypothesis remembers all examples of a run.
    for part in range(-(-SCHEDULES // PART)):
        seed(part)(settings(max_examples=min(PART, SCHEDULES))(given(tape=TAPES)(played)))()


def played(tape: bytes) -> None:
    """Play one schedule to its end."""
    world = World(tape)
    for _ in range(1 + world.choose(3)):
        world.things.append(Thing(size=1 + world.choose(256) * 2))
    for _ in range(1 + world.choose(4)):
        thing = world.things[world.choose(len(world.things))]
        if (source := world.open(thing)) is not None:
            world.posts.append(Post(world, thing, source, thing.version))
            del source
    for _ in range(200):
        world.happens()
    world.finish()


def test_the_schedules_reach_every_end() -> None:
    """Posts are posted, refused, found changed, interrupted and forgotten, so the proof above does not pass by refusing everything."""
    world = World(b"")
    thing = Thing(size=8 * GRAIN)
    world.posts.append(Post(world, thing, world.open(thing), 0))
    world.finish()
    print(f"{SCHEDULES:,} schedules, posts by their ends: {dict(ENDS)}")
    assert ENDS.keys() == {"posted", "refused", "changed", "interrupted", "forgotten"}
