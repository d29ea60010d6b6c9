"""Random schedules of broken connections, over real sockets: one wish is at most one post, whole or not at all.

The same promises as in `test_schedules.py`, with nothing simulated between the client and the server: each transport of
the library talks through a proxy that resets, cuts, delays and refuses. The short form runs with the tests; `make
prove-sockets` runs 1,000 for each transport (`SOCKET_SCHEDULES` sets the number), and `docs/proofs.md` has the figures.
"""

import asyncio
import hashlib
import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from attrs import define, evolve
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from clips import PHOTOS, film
from tiktok_adapters.clocks import ManualClock
from tiktok_adapters.protect import AsyncioProtect, MainThreadProtect
from tiktok_adapters.simulator import DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, SimulatedTikTok, Switches
from tiktok_adapters.simulator.server import SandboxServer
from tiktok_adapters.stores.memory import MemoryJournal, MemoryTokenStore
from tiktok_adapters.testing.proxy import FaultProxy
from tiktok_adapters.transports.aiohttp import AiohttpTransport
from tiktok_adapters.transports.fake import FakeTransport
from tiktok_adapters.transports.urllib3 import Urllib3Transport
from tiktok_core import (
    ApiError,
    App,
    AsyncTikTok,
    Endpoints,
    OutcomeUnknown,
    PublishFailed,
    SignInRequired,
    Stage,
    StillProcessing,
    TikTok,
    TikTokError,
    TransportError,
    UnexpectedResponse,
    UploadError,
)
from tiktok_core.lifting import lift_clock, lift_journal, lift_tokens
from tiktok_core.ports import Request, Response

SCHEDULES = int(os.environ.get("SOCKET_SCHEDULES", "50"))
APP = App(DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, "https://app.example.com/callback/")
CHUNK = 5_242_880
FILMS = [film(size) for size in (1, 100_000, CHUNK * 2, CHUNK * 2 + 77)]
DIGESTS = [hashlib.sha256(film.read(0, film.size)).hexdigest() for film in FILMS]
PATIENCE = 0.5
"""Seconds, of the real clock, for each wait of a request."""
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

faults = st.one_of(
    st.builds("reset-request:{}".format, st.sampled_from([0, 1, 100, 600, 70_000, 3_000_000, 5_242_880, 999_999_999])),
    st.builds("reset-answer:{}".format, st.sampled_from([0, 1, 20, 200, 350])),
    st.builds("cut-answer:{}".format, st.sampled_from([0, 1, 20, 200, 350])),
    st.builds("delay-answer:{}".format, st.sampled_from([0.05, PATIENCE * 1.4])),
    # Until the client has waited a few times.
    st.just("refuse:600"),
)
# The second request is usually the init.
places = st.sampled_from([2, 2, 2, 1, 3, 3, 4, 5, 6, 7, 8])
scripts = st.lists(st.tuples(st.sampled_from(["request", "connection"]), places, faults), min_size=1, max_size=7)
switches = st.builds(
    Switches,
    partial_bytes=st.sampled_from(["discard", "keep"]),
    progress_header=st.sampled_from(["count", "last"]),
    repeat_chunk=st.sampled_from(["refuse", "accept"]),
    access_seconds=st.sampled_from([None, None, 20]),
    last_chunk_status=st.sampled_from([201, 200]),
    put_body=st.sampled_from(["null", "", "{}"]),
    processing_seconds=st.sampled_from([0.0, 2.0, 100.0]),
)


class Clock(ManualClock):
    """Virtual time. A server that refuses connections accepts them again after a few waits."""

    proxy: FaultProxy | None = None

    def sleep(self, seconds: float, /) -> None:
        """Move the clock on, and let an outage end."""
        super().sleep(seconds)
        if self.proxy and len(self.naps) % 3 == 0:
            self.proxy.listen()


@define(eq=False)
class Counted:
    """A transport that counts the requests that it gets."""

    port: Any
    sends: int = 0

    def send(self, request: Request, /) -> Response:
        """Count and send; an asynchronous transport's result is awaited."""
        self.sends += 1
        response: Response = self.port.send(request)
        return response

    def close(self) -> Any:
        """Close."""
        return self.port.close()


@define(eq=False)
class World:
    """What the successive clients of one wish share: TikTok, the way to it, and the stores.

    Attributes:
        sim: the simulated TikTok, behind its server.
        clock: the clock of both sides.
        proxy: the way to the server.
        tokens, journal: the stores, which outlive a client.
        sends: how many requests the clients gave to their transports.
    """

    sim: SimulatedTikTok
    clock: Clock
    proxy: FaultProxy
    tokens: MemoryTokenStore
    journal: MemoryJournal
    sends: int = 0

    def live(self, transport: str, which: int) -> Any:
        """Make a client, let it make the wish, and return the post or the error."""
        port = Counted(Urllib3Transport() if transport == "urllib3" else AiohttpTransport())
        before = self.clock.slept
        with asyncio.Runner() as runner:

            def run(result: Any) -> Any:
                return runner.run(result) if inspect.iscoroutine(result) else result

            try:
                return self._posted(run, self._client(transport, port), which)
            except TikTokError as error:
                return error
            finally:
                run(port.close())
                self.sends += port.sends
                assert self.clock.slept - before < 3_000, "it waited too long"

    def _client(self, transport: str, port: Any) -> Any:
        common: dict[str, Any] = {"endpoints": Endpoints(api_url=self.proxy.url), "timeout": PATIENCE}
        if transport == "urllib3":
            stores: dict[str, Any] = {"tokens": self.tokens, "journal": self.journal, "clock": self.clock}
            return TikTok(APP, transport=port, protect=MainThreadProtect(), **stores, **common)
        return AsyncTikTok(
            APP,
            transport=port,
            tokens=lift_tokens(self.tokens),
            journal=lift_journal(self.journal),
            clock=lift_clock(self.clock),
            protect=AsyncioProtect(),
            **common,
        )

    def _posted(self, run: Callable[[Any], Any], tiktok: Any, which: int) -> Any:
        account = run(tiktok.account())
        if which < 0:
            return run(account.post_photos(PHOTOS, privacy_level="SELF_ONLY", key="wish"))
        progress: list[int] = []
        try:
            return run(
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


@contextmanager
def world(switches: Switches) -> Iterator[World]:
    """Start a server and a proxy with a signed-in account. At the end everything on its way has arrived."""
    clock = Clock()
    sim = SimulatedTikTok(clock, evolve(switches), keep_bytes=False)
    tokens, journal = MemoryTokenStore(), MemoryJournal()
    client = TikTok(APP, transport=FakeTransport(sim.handle), tokens=tokens, journal=journal, clock=clock)
    begun = client.authorization()
    client.sign_in(begun, sim.authorize(begun.url))
    with closing(sim), SandboxServer(sim).run_in_thread() as server, Urllib3Transport() as http:
        with FaultProxy(server.url) as proxy:
            sim.upload_base, clock.proxy = proxy.url, proxy
            yield World(sim, clock, proxy, tokens, journal)
        # The server accepts connections in order: once it answers this one, it has accepted all of the proxy's.
        http.send(Request(method="GET", url=f"{server.url}/_sandbox/posts"))


@pytest.mark.parametrize("transport", ["urllib3", "aiohttp"])
@settings(max_examples=SCHEDULES, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
@given(which=st.sampled_from([-1, -1, 0, 1, 2, 3]), script=scripts, switches=switches)
def test_a_wish_over_broken_connections_is_at_most_one_post(
    transport: str, which: int, script: list[tuple[str, int, str]], switches: Switches
) -> None:
    """There are never two posts for one key, the client hides no repetition, and every end has a documented result."""
    ends: list[Any] = []
    with world(switches) as here:
        for what, nth, fault in script:
            (here.proxy.on_request if what == "request" else here.proxy.on_connection)(nth, fault)
        for _ in range(2):
            ends.append(here.live(transport, which))
            here.clock.advance(30)
        here.proxy.clear()
        here.proxy.listen()
        here.clock.advance(4_000)
        ends += [here.live(transport, which) for _ in range(2)]
        for fault in {struck.what for struck in here.proxy.struck}:
            event(f"struck: {fault}")
    check(here, which, ends)


def check(here: World, which: int, ends: list[Any]) -> None:
    """Compare what the client returned with what TikTok has seen."""
    sim, end = here.sim, ends[-1]
    event(f"first end: {type(ends[0]).__name__}")
    event(f"last end: {type(end).__name__}")
    (record,) = here.journal.records()
    live = [post for post in sim.posts if which < 0 or post.bytes_received == post.size]
    assert len(live) <= 1, "two posts for one key"
    for post in live:
        if which >= 0:
            assert post.sha256 == DIGESTS[which], "other bytes than the file's"
    for known in ends:
        if isinstance(known, TikTokError):
            assert isinstance(known, DOCUMENTED), f"an end without a word for it: {known!r}"
            assert known.key == "wish"
            assert known.__cause__ is None or isinstance(known.__cause__, TikTokError), "somebody else's error"
        else:
            assert [post.publish_id for post in live] == [known.publish_id]
            assert known.key == "wish"
    if which >= 0 and not isinstance(end, (ApiError, OutcomeUnknown, SignInRequired, UnexpectedResponse, UploadError)):
        assert live, "a file that could have been posted was not"
    if record.stage is Stage.ABANDONED:
        assert not live, "said to have come to nothing, and posted"
    if record.publish_id and live and record.stage is not Stage.UNKNOWN:
        assert record.publish_id == live[0].publish_id, "the journal follows another post"
    # An init that TikTok refused has begun nothing. The client may begin a file again once it knows that the first init
    # made no post.
    inits = sum(entry.operation in {"photo_init", "video_init"} and entry.status in {200, None} for entry in sim.log)
    assert inits <= (1 if which < 0 else 3 * len(ends)), "more inits than were ever allowed"
    answered = sum(entry.operation not in {"authorize", "token"} for entry in sim.log)
    assert answered <= len(here.proxy.requests) <= here.sends, "something was sent that the client did not send"
