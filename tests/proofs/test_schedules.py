"""Random schedules of faults, crashes and resumptions: whatever happens, one wish is at most one post, whole or not at all.

The short form runs with the tests; `make prove-schedules` runs 10,000 for each world (`SCHEDULES` sets the number), and
`docs/proofs.md` has the figures.
"""

import asyncio
import hashlib
import inspect
import os
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tiktok_adapters.clocks import ManualClock
from tiktok_adapters.protect import AsyncioProtect, MainThreadProtect
from tiktok_adapters.simulator import DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, SimulatedTikTok, Switches, parse_fault
from tiktok_adapters.sources import BytesSource
from tiktok_adapters.stores.memory import MemoryJournal, MemoryTokenStore
from tiktok_adapters.transports.fake import FakeTransport
from tiktok_core import (
    ApiError,
    App,
    AsyncTikTok,
    OutcomeUnknown,
    PublishFailed,
    Request,
    Response,
    SignInRequired,
    Stage,
    StillProcessing,
    TikTok,
    TikTokError,
    TransportError,
    UnexpectedResponse,
    UploadError,
)
from tiktok_core.blocking import lift_clock, lift_journal, lift_tokens, lift_transport

SCHEDULES = int(os.environ.get("SCHEDULES", "500"))
APP = App(DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, "https://app.example.com/callback/")
CHUNK = 5_242_880
FILMS = [
    BytesSource(b"\0\0\0\x18ftyp" + hashlib.shake_128(str(size).encode()).digest(size))
    for size in (1, 1_000, CHUNK * 2, CHUNK * 2 + 77)
]
DIGESTS = [hashlib.sha256(film.read(0, film.size)).hexdigest() for film in FILMS]
PHOTOS = ["https://media.example.com/1.jpg"]
DOCUMENTED = (
    ApiError,
    OutcomeUnknown,
    PublishFailed,
    SignInRequired,
    StillProcessing,
    TransportError,
    UnexpectedResponse,
    UploadError,
)
NETWORK = ["unreachable", "drop-before", "drop-after", "truncate", "status:500", "status:503", "slow:45"]
TOLD = ["code:internal_error", "code:rate_limit_exceeded", "code:access_token_invalid"]
BYTES = ["drop-at:0", "drop-at:1", "drop-at:500", "drop-at:2600000", "drop-at:5242879", "expire", "status:408"]

faults = st.one_of(
    st.builds("creator_info:{}={}".format, st.integers(1, 3), st.sampled_from(NETWORK + TOLD)),
    st.builds("init:{}={}".format, st.integers(1, 3), st.sampled_from([*NETWORK, *TOLD, "garbage"])),
    st.builds(
        "init:{}={}".format, st.just(1), st.sampled_from(["fail:internal", "backwards", "never-ends", "word:NEW"])
    ),
    st.builds("put:{}={}".format, st.integers(1, 4), st.sampled_from([*NETWORK, *BYTES, "status:416", "status:429"])),
    st.builds("status:{}={}".format, st.integers(1, 5), st.sampled_from(NETWORK + TOLD)),
    st.builds("token:{}={}".format, st.integers(1, 2), st.sampled_from(["unreachable", "status:503", "drop-before"])),
)
switches = st.builds(
    Switches,
    mb=st.sampled_from(["strict", "decimal", "binary"]),
    partial_bytes=st.sampled_from(["discard", "keep"]),
    progress_header=st.sampled_from(["count", "last"]),
    repeat_chunk=st.sampled_from(["refuse", "accept"]),
    last_chunk_status=st.sampled_from([201, 200]),
    expired_upload=st.sampled_from(["stay", "fail"]),
    lifetimes=st.sampled_from(["2026-11", "legacy"]),
    retry_after=st.booleans(),
    failure_data=st.sampled_from(["empty", "absent", "null"]),
    processing_seconds=st.sampled_from([0.0, 2.0, 100.0]),
)


class Killed(BaseException):
    """Stands for the end of a process."""


class Mortal:
    """A way to TikTok that ends the process at a chosen request, before or after TikTok has dealt with it."""

    def __init__(self, handle: Callable[[Request], Response], dies_at: int | None, *, answered: bool) -> None:
        self._handle = handle
        self._left = dies_at
        self._answered = answered

    def __call__(self, request: Request) -> Response:
        """Answer as TikTok does, or die."""
        if self._left is not None:
            self._left -= 1
            if self._left == 0:
                if self._answered:
                    self._handle(request)
                raise Killed
        return self._handle(request)


class Life:
    """One process: a client that may die, over a journal that does not."""

    def __init__(self, world: str, clock: ManualClock, stores: tuple[Any, Any], way: Mortal) -> None:
        tokens, journal = stores
        transport = FakeTransport(way, wait=clock.advance)
        mortal = _Forgetful(journal)
        self._journal = mortal
        self._runner = asyncio.Runner() if world == "asynchronous" else None
        self.tiktok: Any
        if self._runner:
            self.tiktok = AsyncTikTok(
                APP,
                transport=lift_transport(transport),
                tokens=lift_tokens(tokens),
                journal=lift_journal(mortal),
                clock=lift_clock(clock),
                protect=AsyncioProtect(),
            )
        else:
            self.tiktok = TikTok(
                APP, transport=transport, tokens=tokens, journal=mortal, clock=clock, protect=MainThreadProtect()
            )

    def run(self, result: Any) -> Any:
        """Return a result of either world."""
        if not inspect.iscoroutine(result):
            return result
        assert self._runner
        return self._runner.run(result)

    def end(self) -> None:
        """End the process."""
        self._journal.dead = True
        if self._runner:
            self._runner.close()


class _Forgetful:
    """A journal whose leases are not given back by a process that has died."""

    def __init__(self, journal: MemoryJournal) -> None:
        self.dead = False
        self._journal = journal
        for name in ("load", "save", "replace", "records", "forget", "try_lease", "close"):
            setattr(self, name, getattr(journal, name))

    def release(self, name: str, /, *, owner: str) -> None:
        if not self.dead:
            self._journal.release(name, owner=owner)


@pytest.mark.parametrize("world", ["blocking", "asynchronous"])
@settings(
    max_examples=SCHEDULES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
@given(
    which=st.integers(-1, len(FILMS) - 1),
    faults=st.lists(faults, max_size=6),
    switches=switches,
    lives=st.lists(st.tuples(st.integers(1, 14), st.booleans(), st.sampled_from([1, 30, 700, 4000])), max_size=3),
)
def test_a_wish_is_at_most_one_post(
    world: str, which: int, faults: list[str], switches: Switches, lives: list[tuple[int, bool, int]]
) -> None:
    """Never two posts for one key, never a byte lost or doubled, no wait without end, no end without a word for it."""
    clock = ManualClock()
    sim = SimulatedTikTok(clock, evolve(switches), keep_bytes=False)
    tokens, journal = MemoryTokenStore(), MemoryJournal()
    with closing(sim):
        client = TikTok(APP, transport=FakeTransport(sim.handle), tokens=tokens, journal=journal, clock=clock)
        begun = client.authorization()
        client.sign_in(begun, sim.authorize(begun.url))
        for fault in faults:
            sim.faults.add(parse_fault(fault))
        sent: list[int] = []
        ends: list[Any] = []
        for number, (dies_at, answered, later) in enumerate([*lives, (None, False, 0), (None, False, 0)]):
            life = Life(world, clock, (tokens, journal), Mortal(sim.handle, dies_at, answered=answered))
            before = clock.slept
            try:
                ends.append(_posted(life, which, sent))
            except Killed:
                ends.append(None)
            except TikTokError as error:
                ends.append(error)
            finally:
                life.end()
            assert clock.slept - before < 3_000, f"life {number} waited too long"
            clock.advance(later)
            if isinstance(ends[-1], (ApiError, UnexpectedResponse, UploadError)):
                break
        _check(sim, journal, which, ends[-1], sent)


def _posted(life: Life, which: int, sent: list[int]) -> Any:
    account = life.run(life.tiktok.account())
    progress: list[int] = []
    if which < 0:
        return life.run(account.post_photos(PHOTOS, privacy_level="SELF_ONLY", key="wish"))
    try:
        return life.run(
            account.post_video(
                FILMS[which],
                privacy_level="SELF_ONLY",
                chunk_size=CHUNK if FILMS[which].size > CHUNK else None,
                key="wish",
                on_progress=lambda told: progress.append(told.sent_bytes),
            )
        )
    finally:
        assert progress == sorted(progress)
        assert all(number <= FILMS[which].size for number in progress)
        sent.extend(progress)


ENDS: Counter[str] = Counter()


def _check(sim: SimulatedTikTok, journal: MemoryJournal, which: int, end: Any, sent: list[int]) -> None:
    (record,) = journal.records() or (None,)
    live = [post for post in sim.posts if which < 0 or post.bytes_received == post.size]
    ENDS[type(end).__name__] += 1
    assert len(live) <= 1, "two posts for one key"
    for post in live:
        if which >= 0:
            assert post.sha256 == DIGESTS[which], "other bytes than the file's"
    if isinstance(end, TikTokError):
        assert isinstance(end, DOCUMENTED), f"an end without a word for it: {end!r}"
        assert end.key == "wish"
        if isinstance(end, PublishFailed):
            # Its status may be told to go back for a moment, by a fault; what counts is that it was not published.
            assert sim.post(end.publish_id).status in {"FAILED", "PROCESSING_UPLOAD", "PROCESSING_DOWNLOAD"}
    else:
        assert live
        assert end.publish_id == live[0].publish_id
        assert end.key == "wish"
    if record is not None and record.stage is Stage.ABANDONED:
        assert not live, "said to have come to nothing, and posted"
    if record is not None and record.publish_id and live and record.stage is not Stage.UNKNOWN:
        assert record.publish_id == live[0].publish_id, "the journal follows another post"
