"""What a callback raises reaches the caller unchanged, and the client repeats nothing because of it.

What belongs here: what `on_progress` raises during a post, through every transport, and what the journal says of the
post afterwards; and sources that break their port's promise.
"""

import asyncio
import hashlib
import inspect
import queue
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import pytest
import urllib3.exceptions
from attrs import define

from clips import HEAD
from tiktok_adapters.clocks import ManualClock
from tiktok_adapters.simulator import DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, SimulatedTikTok
from tiktok_adapters.simulator.server import SandboxServer
from tiktok_adapters.slots import ThreadUploadSlots
from tiktok_adapters.sources import BytesSource, open_source
from tiktok_adapters.stores.memory import MemoryJournal, MemoryTokenStore
from tiktok_adapters.transports.aiohttp import AiohttpTransport
from tiktok_adapters.transports.fake import FakeTransport
from tiktok_adapters.transports.urllib3 import Urllib3Transport
from tiktok_core import (
    App,
    AsyncTikTok,
    Endpoints,
    Interrupted,
    InvalidPost,
    NotSent,
    Progress,
    RateLimited,
    SourceChanged,
    Stage,
    StoreError,
    TikTok,
    TimedOut,
    UploadExpired,
)
from tiktok_core.domain.journal import Record, record_name
from tiktok_core.errors import Problem
from tiktok_core.lifting import lift_clock, lift_journal, lift_slots, lift_tokens, lift_transport

BLOCKS = 3
CLIP = HEAD + Random(5).randbytes(BLOCKS * (1 << 20) - 13)
CALLBACK = "https://app.example.com/callback/"


class Own(BaseException):
    """An error that is no `Exception`."""


RAISED: dict[str, Callable[[], BaseException]] = {
    "an error of its own": lambda: ZeroDivisionError("mine"),
    "a time-out": lambda: TimeoutError("mine"),
    "trouble with a file": lambda: OSError(28, "mine"),
    "an empty queue": queue.Empty,
    "not sent": lambda: NotSent("PUT x", "mine"),
    "interrupted": lambda: Interrupted("PUT x", "mine"),
    "timed out": lambda: TimedOut("PUT x", "mine"),
    "a rate limit": lambda: RateLimited("rate_limit_exceeded", retry_after=0.1),
    "a refusal": lambda: InvalidPost((Problem("title", "mine"),)),
    "a changed file": lambda: SourceChanged(None, "mine"),
    "an expired URL": lambda: UploadExpired(None, "mine"),
    "a store": lambda: StoreError("mine", "mine"),
    "urllib3's": lambda: urllib3.exceptions.HTTPError("mine"),
    "aiohttp's": lambda: aiohttp.ClientConnectionError("mine"),
    "a cancellation": asyncio.CancelledError,
    "Ctrl-C": KeyboardInterrupt,
    "an exit": lambda: SystemExit(3),
    "an end of an asynchronous iteration": StopAsyncIteration,
    "a closed generator": GeneratorExit,
    "an error of a kind of its own": Own,
}


@define
class Client:
    """A client over one of the transports, with one upload slot.

    Attributes:
        tiktok: the client; of either world.
        account: a signed-in creator.
        sim: the simulated TikTok that it talks to.
        journal: its records.
        slots: its slots.
        clock: its clock.
        run: returns what a call gave, awaited where there is something to await.
    """

    tiktok: Any
    account: Any
    sim: SimulatedTikTok
    journal: MemoryJournal
    slots: ThreadUploadSlots
    clock: ManualClock
    run: Callable[[Any], Any]

    def ended(self, call: Callable[[], Any]) -> Any:
        """Return what a call gave, or the very object that it raised."""

        async def awaited(value: Any) -> Any:
            try:
                return await value
            except BaseException as error:  # noqa: BLE001 - the test judges it
                return error

        try:
            value = call()
        except BaseException as error:  # noqa: BLE001 - the test judges it
            return error
        return self.run(awaited(value)) if inspect.isawaitable(value) else value

    def record(self, key: str) -> Record:
        """Return the record of a key."""
        found = self.journal.load(record_name(DEFAULT_CLIENT_KEY, self.account.open_id, key))
        assert found is not None
        return found

    def check_nothing_is_held(self, key: str) -> None:
        """Assert that the slot and the lease of the post are free."""
        assert self.slots._turns._free == 1
        now, name = self.clock.now(), self.record(key).name
        assert self.journal.try_lease(name, owner="other", now=now, until=now + timedelta(seconds=1)) is not None
        self.journal.release(name, owner="other")


@pytest.fixture(params=["fake, blocking", "fake, asynchronous", "urllib3, blocking", "aiohttp, asynchronous"])
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    """Give a client over each transport in turn."""
    clock, sim, journal, slots = ManualClock(), SimulatedTikTok(), MemoryJournal(), ThreadUploadSlots(1)
    sim.switches.processing_seconds = 0.0
    app, tokens = App(DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, CALLBACK), MemoryTokenStore()
    what, world = request.param.split(", ")
    with ExitStack() as opened:
        runner = opened.enter_context(asyncio.Runner())
        ports: dict[str, Any] = {"open_source": open_source, "timeout": 5.0}
        if what != "fake":
            server = opened.enter_context(SandboxServer(sim).run_in_thread())
            ports["endpoints"] = Endpoints(api_url=server.url, auth_url=f"{server.url}/v2/auth/authorize/")
        fake = FakeTransport(sim.handle)
        if world == "blocking":
            ports |= {"transport": fake if what == "fake" else Urllib3Transport(), "tokens": tokens}
            tiktok: Any = TikTok(app, journal=journal, clock=clock, slots=slots, **ports)
        else:
            ports |= {"transport": lift_transport(fake) if what == "fake" else AiohttpTransport()}
            ports |= {"tokens": lift_tokens(tokens), "journal": lift_journal(journal)}
            tiktok = AsyncTikTok(app, clock=lift_clock(clock), slots=lift_slots(slots), **ports)

        def run(value: Any) -> Any:
            async def awaited() -> Any:
                return await value

            return runner.run(awaited()) if inspect.isawaitable(value) else value

        asked = tiktok.authorization()
        account = run(tiktok.sign_in(asked, sim.authorize(asked.url)))
        yield Client(tiktok, account, sim, journal, slots, clock, run)
        run(tiktok.close())
    sim.close()


def stopping(error: BaseException, at: int) -> tuple[Callable[[Progress], None], list[Progress]]:
    """Return a callback that raises at its n-th call, and the list of what it got."""
    heard: list[Progress] = []

    def on_progress(progress: Progress) -> None:
        heard.append(progress)
        if len(heard) == at:
            raise error

    return on_progress, heard


@pytest.mark.parametrize("at", [1, BLOCKS], ids=["in the midst", "after the last byte"])
@pytest.mark.parametrize("make", RAISED.values(), ids=RAISED)
def test_what_a_callback_raises_reaches_the_caller_as_it_is_and_repeats_nothing(
    client: Client, make: Callable[[], BaseException], at: int
) -> None:
    """One init and one chunk left. The journal counts the last byte as possibly sent only if it left.

    Afterwards the client holds nothing, and resuming gives the one post.
    """
    stop = make()
    on_progress, heard = stopping(stop, at)
    source = BytesSource(CLIP)
    found = client.ended(
        lambda: client.account.post_video(source, privacy_level="SELF_ONLY", key="mine", on_progress=on_progress)
    )
    assert found is stop
    assert [progress.sent_bytes for progress in heard] == [(block + 1) << 20 for block in range(at - 1)] + [
        min(at << 20, len(CLIP))
    ]
    assert client.sim.count("video_init") == 1
    assert client.sim.count("put") <= 1
    record = client.record("mine")
    assert (record.stage, record.offset, record.inits) == (Stage.UPLOADING, 0, 1)
    assert record.last_left == (at == BLOCKS)
    client.check_nothing_is_held("mine")
    resumed = client.run(client.account.resume("mine", source))
    assert resumed.is_final
    assert resumed.publish_id == record.publish_id
    assert client.sim.count("video_init") == 1
    assert client.sim.post(resumed.publish_id).sha256 == hashlib.sha256(CLIP).hexdigest()


@pytest.mark.parametrize("make", RAISED.values(), ids=RAISED)
def test_what_a_callback_raises_at_the_status_reaches_the_caller_as_it_is(
    client: Client, make: Callable[[], BaseException]
) -> None:
    """The post has ended by then, and the journal says so. A later call gets the answer, and posts nothing."""
    stop = make()
    on_progress, heard = stopping(stop, BLOCKS + 1)
    source = BytesSource(CLIP)
    found = client.ended(
        lambda: client.account.post_video(source, privacy_level="SELF_ONLY", key="mine", on_progress=on_progress)
    )
    assert found is stop
    assert heard[-1].status == "PUBLISH_COMPLETE"
    assert client.record("mine").stage is Stage.COMPLETE
    client.check_nothing_is_held("mine")
    assert client.run(client.account.post_video(source, privacy_level="SELF_ONLY", key="mine")).is_final
    assert (client.sim.count("video_init"), client.sim.count("put"), client.sim.count("status")) == (1, 1, 1)


@pytest.mark.parametrize("at", [1, BLOCKS, BLOCKS + 1])
def test_the_end_of_an_iteration_arrives_as_the_cause_of_a_runtime_error(client: Client, at: int) -> None:
    """`StopIteration` cannot leave a coroutine (PEP 479), and the flows of both clients run in one.

    The very object is the cause.
    """
    stop = StopIteration("mine")
    on_progress, _heard = stopping(stop, at)
    source = BytesSource(CLIP)
    found = client.ended(
        lambda: client.account.post_video(source, privacy_level="SELF_ONLY", key="mine", on_progress=on_progress)
    )
    assert type(found) is RuntimeError
    assert found.__cause__ is stop
    client.check_nothing_is_held("mine")
    assert client.run(client.account.resume("mine", source)).is_final
    assert client.sim.count("video_init") == 1


def test_an_error_of_the_callers_keeps_its_cause_and_its_context(client: Client) -> None:
    """The caller's error keeps its own cause and context. The transport adds nothing to them."""
    source = BytesSource(CLIP)

    def on_progress(_progress: Progress) -> None:
        try:
            raise KeyError("first")
        except KeyError:
            raise OSError("second")  # noqa: B904 - its context is what is looked at

    found = client.ended(lambda: client.account.post_video(source, draft=True, on_progress=on_progress))
    assert str(found) == "second"
    assert (found.__cause__, found.__suppress_context__) == (None, False)
    assert isinstance(found.__context__, KeyError)


@pytest.mark.parametrize("make", RAISED.values(), ids=RAISED)
@pytest.mark.parametrize("at", [0, 2 << 20], ids=["before its first byte", "in the midst"])
def test_what_a_source_raises_reaches_the_caller_as_it_is(
    client: Client, make: Callable[[], BaseException], at: int
) -> None:
    """A source's error is no trouble of the network, and the last byte did not leave: the post can be resumed."""
    broken = make()

    class Failing(BytesSource):
        is_broken = False

        def read(self, start: int, length: int, /) -> bytes:
            if self.is_broken and start >= at:
                raise broken
            return super().read(start, length)

    source = Failing(CLIP)

    def is_begun(_record: Record, **_options: Any) -> None:
        source.is_broken = source.is_broken or _record.stage is Stage.UPLOADING
        save(_record, **_options)

    save = client.journal.save
    client.journal.save = is_begun  # type: ignore[method-assign]
    found = client.ended(lambda: client.account.post_video(source, privacy_level="SELF_ONLY", key="mine"))
    if isinstance(broken, SourceChanged):  # The port's own method: it gets the post's id.
        assert (type(found), found.reason) == (SourceChanged, broken.reason)
    else:
        assert found is broken
    record = client.record("mine")
    assert (record.stage, record.last_left) == (Stage.UPLOADING, False)
    client.check_nothing_is_held("mine")
    source.is_broken = False
    client.journal.save = save  # type: ignore[method-assign]
    assert client.run(client.account.resume("mine", source)).is_final
    assert client.sim.count("video_init") == 1


class Odd(BytesSource):
    """A source that breaks its port's promise."""

    odd: Callable[[bytes, int], Any]

    def read(self, start: int, length: int, /) -> Any:
        """Return an answer of the wrong kind."""
        return type(self).odd(self._data[start:], length)


class TooMuch(Odd):
    """Gives more bytes than asked for."""

    odd = staticmethod(lambda rest, length: rest[: length + 1000])


class TooLittle(Odd):
    """Gives fewer bytes than asked for."""

    odd = staticmethod(lambda rest, length: rest[: (length + 1) // 2])


class Mutable(Odd):
    """Gives memory that can be written to."""

    odd = staticmethod(lambda rest, length: bytearray(rest[:length]))


class View(Odd):
    """Gives a view."""

    odd = staticmethod(lambda rest, length: memoryview(rest)[:length])


class Nothing(Odd):
    """Gives nothing."""

    odd = staticmethod(lambda _rest, _length: None)


class Text(Odd):
    """Gives text."""

    odd = staticmethod(lambda _rest, length: "x" * length)


@pytest.mark.parametrize("kind", [TooMuch, TooLittle, Mutable, View])
def test_a_source_that_gives_more_or_less_than_asked_is_posted_byte_for_byte(client: Client, kind: type[Odd]) -> None:
    """With both clients and over every transport, TikTok gets the bytes of the file and no more."""
    done = client.run(client.account.post_video(kind(CLIP), privacy_level="SELF_ONLY"))
    assert client.sim.post(done.publish_id).sha256 == hashlib.sha256(CLIP).hexdigest()
    assert client.sim.count("put") == 1


@pytest.mark.parametrize("kind", [Nothing, Text])
def test_a_source_that_gives_no_bytes_is_told_in_one_sentence(client: Client, kind: type[Odd]) -> None:
    """With both clients and over every transport, the error is one sentence, and nothing begins at TikTok."""
    found = client.ended(lambda: client.account.post_video(kind(CLIP), privacy_level="SELF_ONLY", key="mine"))
    assert isinstance(found, SourceChanged)
    assert "has to return bytes" in str(found)
    assert client.sim.posts == ()


def test_a_file_is_posted_over_every_transport(client: Client, tmp_path: Path) -> None:
    """The plain case of all the tests above."""
    path = tmp_path / "clip.mp4"
    path.write_bytes(CLIP)
    done = client.run(client.account.post_video(path, privacy_level="SELF_ONLY"))
    assert client.sim.post(done.publish_id).sha256 == hashlib.sha256(CLIP).hexdigest()
