"""What a source over an object elsewhere promises beyond the contract: how often it asks, what it notices, and what it leaves.

What belongs here: the source over a remote in memory. Random orders are in `tests/proofs/test_ahead.py`, real servers in `test_ranges.py`.
"""

import gc
import os
import pickle
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any

import pytest
from attrs import define, field

from tiktok_adapters.sources.ahead import MOST, RANGE, ROOM, Ahead
from tiktok_adapters.sources.remote import RemoteSource
from tiktok_adapters.testing.fakes import Fake
from tiktok_core.errors import SourceChanged

GRAIN = 64 * 1024
DATA = Random(11).randbytes(20 * GRAIN + 77)
RANGES = 21
EVEN = DATA[77:]
"""An object of whole ranges."""
BLOCK = GRAIN // 8
NAME = "https://media.example.com/clip.mp4?X-Signature=canary"


@define(eq=False, slots=False)
class Stored:
    """A `Remote` in memory, which counts what it is asked.

    Attributes:
        data: what lies there now.
        asked: each range that was asked for, and 0 and 0 for a look.
        fails: raised by each request from now on.
        hold: cleared, requests wait until it is set.
    """

    data: bytes = DATA
    opened: bytes = DATA
    asked: list[tuple[int, int]] = field(factory=list)
    fails: Exception | None = None
    hold: threading.Event = field(factory=threading.Event)
    closed: int = 0
    name: str = NAME

    def __attrs_post_init__(self) -> None:
        self.hold.set()

    @property
    def size(self) -> int:
        """The bytes that were opened."""
        return len(self.opened)

    @property
    def etag(self) -> str:
        """What was opened."""
        return f'"{hash(self.opened)}"'

    def look(self) -> tuple[str, int]:
        """Say what lies there now."""
        self.asked.append((0, 0))
        if self.fails is not None:
            raise self.fails
        return f'"{hash(self.data)}"', len(self.data)

    def fetch(self, start: int, length: int, /) -> bytes:
        """Return a range of what was opened."""
        self.asked.append((start, length))
        self.hold.wait(20)
        if self.closed:
            raise SourceChanged(None, "the source was closed")
        if self.fails is not None:
            raise self.fails
        if self.data != self.opened:
            raise SourceChanged(None, "the object was replaced")
        return self.data[start : start + length]

    def close(self) -> None:
        """Let go who waits."""
        self.closed += 1
        self.hold.set()


@pytest.fixture
def ahead() -> Iterator[Ahead]:
    """Give the bound of a client; at its end no thread of it runs."""
    ahead = Ahead(grain=GRAIN)
    yield ahead
    ahead.close()
    assert [thread.name for thread in threading.enumerate() if thread.name == "tiktok-range"] == []


def sent(source: RemoteSource, start: int = 0, block: int = BLOCK) -> bytes:
    """Read the source as a transport does that sends it."""
    return b"".join(source.read(at, block) for at in range(start, source.size, block))


# --- How often it asks -----------------------------------------------------------------------------------------------


def test_each_range_is_fetched_once_however_it_is_read(ahead: Ahead) -> None:
    """A sender reads small blocks; the storage is asked for whole ranges, each once, and once more at the end whether they still hold."""
    stored = Stored()
    with RemoteSource(stored, ahead) as source:
        before = source.fingerprint
        assert sent(source) == DATA
        assert sorted(stored.asked) == [(0, 77), *((77 + number * GRAIN, GRAIN) for number in range(RANGES - 1))]
        assert source.fingerprint == before
        assert stored.asked[RANGES:] == [(0, 0)]


@pytest.mark.parametrize("size", [1, 100, GRAIN, GRAIN + 1, 3 * GRAIN, len(DATA)])
@pytest.mark.parametrize("tail", [0, 100, GRAIN // 2], ids=["index first", "index last", "long index last"])
def test_a_look_into_the_video_and_the_checks_of_its_fingerprint_cost_two_requests(
    ahead: Ahead, size: int, tail: int
) -> None:
    """As the core does it: a look that jumps to the tail, and two checks around each chunk. The opening and one look are all of it."""
    stored = Stored(DATA[:size], DATA[:size])
    source = RemoteSource(stored, ahead, head=DATA[: min(size, BLOCK)])
    known = source.fingerprint
    source.read(0, 64)
    source.read(0, BLOCK)
    if tail:
        source.read(max(0, size - tail), tail)
    for chunk in range(0, size, 3 * GRAIN - 5):
        assert source.fingerprint == known
        for at in range(chunk, min(size, chunk + 3 * GRAIN - 5), BLOCK):
            source.read(at, min(BLOCK, chunk + 3 * GRAIN - 5 - at))
        assert source.fingerprint == known
    of_the_opening, ranges = 1, -(-size // GRAIN)
    assert of_the_opening + len(stored.asked) <= ranges + 2
    source.close()


def test_a_jumping_reader_fetches_nothing_ahead(ahead: Ahead) -> None:
    """A look gets the range around each place; once it has as many as one source may have, what it asks for and no more."""
    stored = Stored()
    source = RemoteSource(stored, ahead)
    for number in range(RANGES):
        start = max(0, number - 1) * GRAIN + 77 * (number > 0) + 5
        assert source.read(start, 10) == DATA[start : start + 10]
    whole = [(0, 77), *((number * GRAIN + 77, GRAIN) for number in range(MOST - 1))]
    assert stored.asked == [*whole, *((number * GRAIN + 82, 10) for number in range(MOST - 1, RANGES - 1))]
    source.close()


def test_two_ranges_are_on_their_way_while_one_is_read(ahead: Ahead) -> None:
    """The reader is served from the first range while the storage still works on the two that follow."""
    stored = Stored(EVEN, EVEN)
    source = RemoteSource(stored, ahead)
    source.read(0, 10)
    stored.hold.clear()
    assert source.read(10, BLOCK) == EVEN[10 : 10 + BLOCK]
    until(lambda: len(stored.asked) == 3)
    assert sorted(stored.asked) == [(0, GRAIN), (GRAIN, GRAIN), (2 * GRAIN, GRAIN)]
    assert source.read(10 + BLOCK, BLOCK) == EVEN[10 + BLOCK : 10 + 2 * BLOCK]
    stored.hold.set()
    assert sent(source) == EVEN
    source.close()


def test_what_could_not_be_fetched_ahead_is_tried_once_more_when_it_is_needed(ahead: Ahead) -> None:
    """Each block that is read in between asks for nothing again."""
    stored = Stored(EVEN, EVEN)
    source = RemoteSource(stored, ahead)
    source.read(0, 10)
    stored.fails = SourceChanged(None, "the server answers with HTTP 503", passes=True)
    for at in range(0, GRAIN, BLOCK // 2):
        source.read(at, BLOCK // 2)
        until(lambda: not ahead._flights)
    assert len(stored.asked) == 3
    with pytest.raises(SourceChanged, match="HTTP 503") as caught:
        source.read(GRAIN, BLOCK)
    assert caught.value.passes
    stored.fails = None
    assert source.read(GRAIN, BLOCK) == EVEN[GRAIN : GRAIN + BLOCK]
    source.close()


# --- What it notices -------------------------------------------------------------------------------------------------


def test_a_change_is_noticed_at_each_time_that_the_last_byte_is_given(ahead: Ahead) -> None:
    """Also where the last chunk is sent a second time, out of what is in memory, and the object was replaced in between."""
    stored = Stored(DATA[:100], DATA[:100])
    source = RemoteSource(stored, ahead)
    known = source.fingerprint
    for _ in range(2):
        sent(source)
        assert source.fingerprint == known
    sent(source)
    stored.data = DATA[100:200]
    assert source.fingerprint != known
    assert source.fingerprint != known
    source.close()


def test_an_object_that_is_gone_at_the_end_is_noticed(ahead: Ahead) -> None:
    """The look fails, and so does the next one."""
    stored = Stored(DATA[:100], DATA[:100])
    source = RemoteSource(stored, ahead)
    sent(source)
    stored.fails = SourceChanged(None, "there is nothing any more")
    for _ in range(2):
        with pytest.raises(SourceChanged, match="nothing any more"):
            _ = source.fingerprint
    source.close()


@pytest.mark.parametrize("foreign", [SourceChanged(None, "replaced"), LookupError("a library's own")])
def test_an_error_reaches_each_reader_that_waits_and_keeps_no_frame(ahead: Ahead, foreign: Exception) -> None:
    """Two readers wait for the same range; both get the error, and what the failed request held is free."""
    stored = Stored(fails=foreign)
    stored.hold.clear()
    source = RemoteSource(stored, ahead)
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(source.read, at, 10) for at in (0, 20)]
        until(lambda: len(stored.asked) == 1)
        stored.hold.set()
        errors = [one.exception(10) for one in waiting]
    assert {type(error) for error in errors} == {type(foreign)}
    assert str(errors[0]) == str(foreign)
    source.close()


def test_too_few_bytes_are_no_range(ahead: Ahead) -> None:
    """An adapter that breaks its promise is found out."""
    stored = Stored(EVEN, EVEN)
    source = RemoteSource(stored, ahead)
    stored.fetch = lambda _start, length: bytes(length - 1)  # type: ignore[method-assign]
    with pytest.raises(SourceChanged, match="the storage sent 65,535 bytes of 65,536"):
        source.read(0, 10)
    source.close()


def test_a_post_over_it_arrives_whole(ahead: Ahead, tiktok_fake: Fake) -> None:
    """The client posts it as any other source, and the record has the name by which any machine finds it."""
    stored = Stored(b"\0\0\0\x18ftypisom" + DATA, b"\0\0\0\x18ftypisom" + DATA)
    with RemoteSource(stored, ahead) as source:
        done = tiktok_fake.account.post_video(source, title="Hello", privacy_level="SELF_ONLY")
    (post,) = tiktok_fake.simulator.posts
    assert post.bytes_received == post.size == len(stored.data)
    assert done.publish_id == post.publish_id


# --- Room ------------------------------------------------------------------------------------------------------------


def test_many_sources_share_the_room(ahead: Ahead) -> None:
    """Thirty posts at once get the right bytes, and together never hold more than the room."""
    stored = [Stored() for _ in range(30)]
    most = 0

    def one(remote: Stored) -> bool:
        nonlocal most
        with RemoteSource(remote, ahead) as source:
            found = bytearray()
            for at in range(0, source.size, BLOCK):
                found += source.read(at, BLOCK)
                with ahead.changed:
                    parts = {part for other in ahead._sources for part in other.parts.values()} | ahead._flights
                    most = max(most, sum(part.length for part in parts))
        return found == DATA

    with ThreadPoolExecutor(30) as pool:
        assert all(pool.map(one, stored))
    assert 2 * GRAIN < most <= ROOM * GRAIN


def test_a_source_that_nobody_reads_gives_way(ahead: Ahead) -> None:
    """Posts that were looked at and now wait keep their ranges only until others have read much."""
    waiting = [RemoteSource(Stored(EVEN, EVEN), ahead) for _ in range(ROOM)]
    for source in waiting:
        source.read(0, 10)
    with RemoteSource(Stored(EVEN, EVEN), ahead) as reading:
        for _ in range(3):
            assert sent(reading) == EVEN
        assert sum(len(source._ranges.parts) for source in waiting) < ROOM
    assert sent(waiting[0]) == EVEN


def test_where_no_thread_can_start_the_reader_fetches_by_itself() -> None:
    """It gets its bytes, if more slowly."""

    def no_more(_job: Callable[[], None]) -> None:
        raise RuntimeError("can't start new thread")

    stored = Stored()
    ahead = Ahead(grain=GRAIN, start=no_more)
    with RemoteSource(stored, ahead) as source:
        assert sent(source) == DATA
    assert len(stored.asked) > RANGES


def test_an_error_at_the_start_of_a_thread_is_the_readers(ahead: Ahead) -> None:
    """What is no lack of threads is not hidden, and the room is free again."""

    def fails(_job: Callable[[], None]) -> None:
        raise MemoryError

    ahead._start = fails
    source = RemoteSource(Stored(), ahead)
    with pytest.raises(MemoryError):
        source.read(0, 10)
    assert ahead._flights == set()


# --- What it leaves --------------------------------------------------------------------------------------------------


def test_closing_wakes_who_waits_and_drops_what_comes(ahead: Ahead) -> None:
    """A reader whose source is closed gets an error at once, and the memory is free."""
    stored = Stored()
    stored.hold.clear()
    stored.close = lambda: None  # type: ignore[method-assign]
    source = RemoteSource(stored, ahead)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(source.read, 0, 10)
        until(lambda: len(stored.asked) == 1)
        source.close()
        with pytest.raises(SourceChanged, match="the source was closed"):
            waiting.result(10)
    with pytest.raises(SourceChanged, match="the source was closed"):
        source.read(0, 10)
    with pytest.raises(SourceChanged, match="the source was closed"):
        _ = source.fingerprint
    stored.hold.set()
    until(lambda: not ahead._flights)
    assert source._ranges.parts == {}


def test_a_source_that_is_forgotten_is_closed(ahead: Ahead) -> None:
    """Who posts one film need not close it: its ranges and what is on its way end with it, also within a read of another source."""
    stored = Stored()
    source = RemoteSource(stored, ahead)
    source.read(0, BLOCK)
    ranges = weakref.ref(source._ranges)
    with ahead.changed:
        del source
        gc.collect()
    assert stored.closed == 1
    until(lambda: not ahead._flights)
    RemoteSource(Stored(), ahead).close()
    gc.collect()
    assert ranges() is None


def test_closing_the_client_closes_its_sources(ahead: Ahead) -> None:
    """Nothing is opened afterwards; a second call does nothing."""
    stored = Stored()
    source = RemoteSource(stored, ahead)
    source.read(0, BLOCK)
    ahead.close()
    ahead.close()
    assert stored.closed == 1
    with pytest.raises(SourceChanged, match="the source was closed"):
        source.read(0, BLOCK)
    with pytest.raises(SourceChanged, match="the client is closed"):
        RemoteSource(Stored(), ahead)


def test_ctrl_c_ends_a_wait(ahead: Ahead) -> None:
    """The reader's wait ends with whatever a signal raises, and the source still works."""
    stored = Stored()
    stored.hold.clear()
    source = RemoteSource(stored, ahead)

    def interrupted(_changed: threading.Condition) -> None:
        raise KeyboardInterrupt

    usual, ahead._wait = ahead._wait, interrupted
    with pytest.raises(KeyboardInterrupt):
        source.read(0, 10)
    ahead._wait = usual
    stored.hold.set()
    assert source.read(0, 10) == DATA[:10]
    source.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_is_told(ahead: Ahead) -> None:
    """No range would ever come there, so it gets an error in place of a wait; closing there does nothing."""
    source = RemoteSource(Stored(), ahead)
    source.read(0, 10)
    child = os.fork()
    if not child:  # pragma: no cover - it runs in the child
        try:
            source.read(0, 10)
        except SourceChanged as error:
            source.close()
            ahead.close()
            os._exit(0 if "belongs to another process" in str(error) else 1)
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert source.read(0, 10) == DATA[:10]
    source.close()


def test_its_name_has_no_query_and_its_path_has(ahead: Ahead) -> None:
    """What is shown holds no signature; what another process opens it by is the whole name. An open object is not pickled."""
    source = RemoteSource(Stored(), ahead)
    assert source.name == "https://media.example.com/clip.mp4"
    assert "canary" not in repr(source)
    assert os.fspath(source) == NAME
    with pytest.raises(TypeError, match="open it again by its name"):
        pickle.dumps(source)
    source.close()


def test_a_range_is_eight_mebibytes() -> None:
    """The usual size of a range, and what all of them together may take."""
    assert Ahead().grain == RANGE == 8 * 1024**2
    assert ROOM * RANGE == 80 * 1024**2


def until(holds: Callable[[], Any]) -> None:
    """Wait for what another thread does."""
    while not holds():
        time.sleep(0.001)
