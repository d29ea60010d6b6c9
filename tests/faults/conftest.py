"""What the rows of the fault matrix share: the operations, what the client promises of each, and a client with its TikTok.

The client is blocking or asynchronous, and works over sockets (`bench`) or in memory (`near`). TikTok is the simulated
one. Time is virtual unless a test says otherwise, and the random part of every pause has its largest value.
"""

import asyncio
import hashlib
import inspect
import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from attrs import define, evolve, field, frozen

from clips import CLIP, HEAD, PHOTOS, PULLED
from tiktok_adapters.clocks import ManualClock
from tiktok_adapters.protect import AsyncioProtect, MainThreadProtect
from tiktok_adapters.simulator import DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, LogEntry, SimulatedTikTok
from tiktok_adapters.simulator.server import SandboxServer
from tiktok_adapters.sources import BytesSource, open_source
from tiktok_adapters.stores.memory import MemoryJournal, MemoryTokenStore
from tiktok_adapters.testing.proxy import FaultProxy
from tiktok_adapters.transports.aiohttp import AiohttpTransport
from tiktok_adapters.transports.fake import FakeTransport
from tiktok_adapters.transports.urllib3 import Urllib3Transport
from tiktok_core import (
    App,
    AsyncTikTok,
    Endpoints,
    OutcomeUnknown,
    SignInRequired,
    TikTok,
    TikTokError,
)
from tiktok_core.lifting import lift_clock, lift_journal, lift_tokens, lift_transport
from tiktok_core.ports import Request, Response

APP = App(DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, "https://app.example.com/callback/")
CHUNK = 5_242_880
FILM = BytesSource(HEAD + hashlib.shake_128(b"film").digest(2 * CHUNK + 73))

WORDS = {
    "/v2/oauth/token/": "token",
    "/v2/oauth/revoke/": "revoke",
    "/v2/post/publish/creator_info/query/": "creator_info",
    "/v2/post/publish/video/init/": "video_init",
    "/v2/post/publish/inbox/video/init/": "inbox_init",
    "/v2/post/publish/content/init/": "photo_init",
    "/v2/post/publish/status/fetch/": "status",
}


def word_of(request: Request) -> str:
    """Return the simulator's word for a request."""
    return "put" if request.method == "PUT" else WORDS.get(urlsplit(request.url).path, "other")


# --- What is promised of each operation ------------------------------------------------------------------------------


@frozen
class Outcome:
    """The expected result of one fault.

    Attributes:
        sends: how many requests of this operation leave.
        error: the class of the error at the end; None if the call succeeds.
    """

    sends: int
    error: type[Exception] | None = None


@frozen(kw_only=True)
class Promise:
    """One call to TikTok, with its row of the retry contract.

    Attributes:
        name: a name for people.
        where: the simulator's word for the request.
        nth: which request of that word the fault hits.
        ask: makes the whole call with the client.
        cut: the result after one request that broke off on its way.
        lost: the result after one lost answer to a request that TikTok handled.
        never: how many requests leave when each stays without an answer; the last error is raised.
    """

    name: str
    where: str
    nth: int = 1
    ask: Callable[["Bench"], Any]
    cut: Outcome
    lost: Outcome
    never: int

    @property
    def is_pull(self) -> bool:
        """Whether the call publishes by itself, so that a person has to settle a doubt."""
        return self.cut.error is OutcomeUnknown

    def __str__(self) -> str:
        return self.name


def _film(bench: "Bench") -> Any:
    return bench.account.post_video(bench.film, privacy_level="SELF_ONLY", chunk_size=CHUNK, key="wish", wait=False)


def _clip(bench: "Bench") -> Any:
    return bench.account.post_video(CLIP, privacy_level="SELF_ONLY", key="wish", wait=False)


def _pull(bench: "Bench") -> Any:
    return bench.account.post_video(PULLED, privacy_level="SELF_ONLY", key="wish", wait=False)


def _photos(bench: "Bench") -> Any:
    return bench.account.post_photos(PHOTOS, privacy_level="SELF_ONLY", key="wish", wait=False)


def _status(bench: "Bench") -> Any:
    return bench.account.publish_status(bench.run(_clip(bench)).publish_id)


def _creator_info(bench: "Bench") -> Any:
    return bench.account.creator_info()


def _refresh(bench: "Bench") -> Any:
    return bench.account.refresh()


def _code(bench: "Bench") -> Any:
    begun = bench.tiktok.authorization()
    return bench.tiktok.sign_in(begun, bench.sim.authorize(begun.url))


def _revoke(bench: "Bench") -> Any:
    return bench.account.revoke()


AGAIN = Outcome(2)
UNKNOWN = Outcome(1, OutcomeUnknown)
READ: dict[str, Any] = {"cut": AGAIN, "lost": AGAIN, "never": 3}
PULL: dict[str, Any] = {"cut": UNKNOWN, "lost": UNKNOWN, "never": 1}
# Two chunks, and one of them again unless TikTok has it.
BYTES: dict[str, Any] = {"where": "put", "ask": _film, "cut": Outcome(3), "lost": AGAIN, "never": 6}
PROMISES = (
    Promise(name="init of a file", where="video_init", ask=_clip, cut=AGAIN, lost=AGAIN, never=2),
    Promise(name="init of a pull", where="video_init", ask=_pull, **PULL),
    Promise(name="init of photos", where="photo_init", ask=_photos, **PULL),
    Promise(name="chunk", nth=1, **BYTES),
    Promise(name="last chunk", nth=2, **BYTES),
    Promise(name="status", where="status", ask=_status, **READ),
    Promise(name="creator info", where="creator_info", ask=_creator_info, **READ),
    # TikTok has replaced the token, and only the lost answer had the new one.
    Promise(name="refresh", where="token", ask=_refresh, cut=AGAIN, lost=Outcome(2, SignInRequired), never=2),
    # A code works once, so the person signs in again.
    Promise(name="code", where="token", ask=_code, cut=Outcome(1, TikTokError), lost=Outcome(1, TikTokError), never=1),
    Promise(name="revoke", where="revoke", ask=_revoke, **READ),
)


@pytest.fixture(params=PROMISES, ids=str)
def operation(request: pytest.FixtureRequest) -> Promise:
    """Give each operation in turn."""
    return request.param


@pytest.fixture(params=[one for one in PROMISES if one.where in {"video_init", "photo_init", "put"}], ids=str)
def step(request: pytest.FixtureRequest) -> Promise:
    """Give each operation of a post in turn."""
    return request.param


# --- TikTok ----------------------------------------------------------------------------------------------------------

Says = Callable[[Request, Callable[[], Response]], Response]


@define
class _Scripted:
    where: str
    left: int
    times: int
    says: Says


class ScriptedTikTok(SimulatedTikTok):
    """The simulated TikTok, which can give a test's answers instead of its own."""

    def __init__(self, clock: Any) -> None:
        super().__init__(clock)
        self.arrived: list[str] = []
        self._script: list[_Scripted] = []

    def says(self, where: str, answer: Response | Says, *, nth: int = 1, times: int = 1) -> None:
        """Give this answer to the `nth` request of an operation from now on, and to the following `times` - 1 ones.

        A plain answer means that TikTok did nothing. A function may let TikTok do its work, and gets a function for
        TikTok's answer.
        """
        says: Says = (lambda _request, _handle: answer) if isinstance(answer, Response) else answer
        self._script.append(_Scripted(where, nth, times, says))

    def silence(self) -> None:
        """Give only TikTok's own answers from now on."""
        self._script.clear()

    def handle(self, request: Request) -> Response:
        """Answer a request."""
        word = word_of(request)
        self.arrived.append(word)
        for scripted in [one for one in self._script if one.where == word]:
            scripted.left -= 1
            if scripted.left <= 0:
                scripted.times -= 1
                if not scripted.times:
                    self._script.remove(scripted)
                return self._said(scripted.says, request)
        return super().handle(request)

    def _said(self, says: Says, request: Request) -> Response:
        with self.lock:
            logged = len(self.log)
            response = says(request, lambda: SimulatedTikTok.handle(self, request))
            if len(self.log) == logged:
                self._router.log.append(
                    LogEntry(
                        request.method,
                        urlsplit(request.url).path,
                        word_of(request),
                        response.status,
                        "",
                        self.world.now,
                    )
                )
            return response


# --- The way there ---------------------------------------------------------------------------------------------------


@define(eq=False)
class Way:
    """The client's transport, watched: it notes what leaves, and a test may act before that.

    Attributes:
        inner: the transport.
        sent: the simulator's word for each request, in order.
        requests: each of them with its word.
        alone: give each request a connection of its own.
    """

    inner: Any
    sent: list[str] = field(factory=list)
    requests: list[tuple[str, Request]] = field(factory=list)
    alone: bool = False
    _acts: list[list[Any]] = field(factory=list)

    def when(self, where: str, act: Callable[[], object], *, nth: int = 1) -> None:
        """Act just before the `nth` request of this operation from now on leaves."""
        self._acts.append([where, nth, act])

    def send(self, request: Request, /) -> Any:
        """Send; an asynchronous transport's result is awaited."""
        word = word_of(request)
        self.sent.append(word)
        self.requests.append((word, request))
        for waiting in [one for one in self._acts if one[0] == word]:
            waiting[1] -= 1
            if not waiting[1]:
                self._acts.remove(waiting)
                waiting[2]()
        return self.inner.send(evolve(request, fresh_connection=True) if self.alone else request)

    def close(self) -> Any:
        """Close."""
        return self.inner.close()


def _entropy(count: int) -> bytes:
    # The library asks for four random bytes to spread a pause.
    return b"\xff" * 4 if count == 4 else secrets.token_bytes(count)


@define(eq=False)
class Bench:
    """A client with a signed-in account, and TikTok.

    Attributes:
        world: `blocking` or `asynchronous`.
        sim: the simulated TikTok.
        clock: the clock of both.
        way: the client's transport.
        front: what it talks to over sockets.
        tokens, journal: the client's stores.
        tiktok: the client, blocking or asynchronous; its results go through `run`.
        account: the account.
        film: a video of more than one chunk.
    """

    world: str
    sim: ScriptedTikTok
    clock: Any
    way: Way
    front: Any
    tokens: Any
    journal: Any
    runner: asyncio.Runner
    tiktok: Any = None
    account: Any = None
    film: Any = FILM

    def connect(self, **options: Any) -> None:
        """Make the client again with these options. The account stays signed in."""
        common = {"protect": MainThreadProtect(), "open_source": open_source, "entropy": _entropy, "timeout": 5.0}
        if self.front is not None:
            common["endpoints"] = Endpoints(api_url=self.front.url)
        ports = {"transport": self.way, "tokens": self.tokens, "journal": self.journal, "clock": self.clock}
        if self.world == "blocking":
            self.tiktok = TikTok(APP, **{**common, **ports, **options})
        else:
            way = self.way if inspect.iscoroutinefunction(self.way.inner.send) else lift_transport(self.way)
            lifted = {
                "transport": way,
                "tokens": lift_tokens(self.tokens),
                "journal": lift_journal(self.journal),
                "clock": lift_clock(self.clock),
                "protect": AsyncioProtect(),
            }
            self.tiktok = AsyncTikTok(APP, **{**common, **lifted, **options})
        if self.tokens.accounts():
            self.account = self.run(self.tiktok.account())

    def ready(self) -> "Bench":
        """Sign in without the watched and faulty way, and return the bench."""
        self.connect()
        near = TikTok(
            APP,
            transport=FakeTransport(super(ScriptedTikTok, self.sim).handle),
            tokens=self.tokens,
            journal=self.journal,
            clock=self.clock,
        )
        begun = near.authorization()
        near.sign_in(begun, self.sim.authorize(begun.url))
        self.account = self.run(self.tiktok.account())
        self.sim.arrived.clear()
        return self

    def run(self, result: Any) -> Any:
        """Return a blocking method's result, or await an asynchronous one's."""
        return self.runner.run(result) if inspect.iscoroutine(result) else result

    def outcome(self, ask: Callable[["Bench"], Any]) -> Any:
        """Return the result of the call, or the library's error."""
        try:
            return self.run(ask(self))
        except TikTokError as error:
            return error

    @property
    def inits(self) -> list[LogEntry]:
        """The inits that TikTok has got, whether it answered or not."""
        return [entry for entry in self.sim.log if entry.operation.endswith("init")]

    def when(self, operation: Promise, act: Callable[[], object]) -> None:
        """Act just before the request of an operation leaves."""
        self.way.when(operation.where, act, nth=operation.nth)

    def check(self, operation: Promise, expected: Outcome, *, handled: int | None = None) -> Any:
        """Make the call, and assert its end, what left, how often TikTok handled it, and that there is at most one post.

        Args:
            operation: the call.
            expected: the expected result.
            handled: how many requests of this operation TikTok handled; as many as left, unless given.
        """
        already = self.sim.count(operation.where)
        end = self.outcome(operation.ask)
        self.check_end(end, expected.error)
        assert self.way.sent.count(operation.where) == expected.sends
        answered = [entry for entry in self.sim.log if entry.operation == operation.where and entry.status is not None]
        assert len(answered) - already == (expected.sends if handled is None else handled)
        self.check_posts()
        return end

    def post_film(self, **options: Any) -> Any:
        """Post the film in its chunks, follow it to its end, and assert that TikTok has every byte once."""
        told: list[int] = []
        options = {"privacy_level": "SELF_ONLY", "chunk_size": CHUNK, "key": "wish", **options}
        watch = lambda seen: told.append(seen.sent_bytes)  # noqa: E731 - a callback
        try:
            done = self.run(self.account.post_video(self.film, on_progress=watch, **options))
        finally:
            assert told == sorted(told)
            assert max(told, default=0) <= self.film.size
        self.check_posts()
        post = self.sim.post(done.publish_id)
        assert (post.bytes_received, post.status) == (self.film.size, "PUBLISH_COMPLETE")
        return done

    def check_end(self, end: Any, error: type[Exception] | None) -> None:
        """Assert that the call succeeded, or raised this error."""
        if error is None:
            assert not isinstance(end, Exception), repr(end)
        else:
            assert isinstance(end, error), repr(end)

    def check_posts(self) -> None:
        """Assert that TikTok has at most one post that can be published, and that its bytes are the file's."""
        live = [post for post in self.sim.posts if post.urls or post.bytes_received == post.size]
        assert len(live) <= 1
        for post in live:
            if post.size:
                film = CLIP if post.size == CLIP.size else self.film
                assert post.sha256 == hashlib.sha256(film.read(0, film.size)).hexdigest()


# --- Benches ---------------------------------------------------------------------------------------------------------

Opens = Callable[[str], AbstractContextManager[Bench]]


@contextmanager
def _proxy(sim: ScriptedTikTok) -> Iterator[FaultProxy]:
    with SandboxServer(sim).run_in_thread() as server, FaultProxy(server.url) as proxy:
        yield proxy


@pytest.fixture
def new_clock() -> Callable[[], Any]:
    """Return what makes the clock of both sides; a file of tests may have another one."""
    return ManualClock


@pytest.fixture
def new_front() -> Callable[[ScriptedTikTok], AbstractContextManager[Any]]:
    """Return what makes the way to TikTok, whose `url` clients talk to; a file of tests may have another one."""
    return _proxy


@pytest.fixture
def open_bench(new_clock: Callable[[], Any], new_front: Callable[[ScriptedTikTok], Any]) -> Opens:
    """Return what opens a bench: over sockets for `urllib3` and `aiohttp`, in memory for `blocking` and `asynchronous`."""

    @contextmanager
    def opened(kind: str) -> Iterator[Bench]:
        clock = new_clock()
        with closing(ScriptedTikTok(clock)) as sim, asyncio.Runner() as runner:
            sim.switches.put_body = "stored" * 20
            sim.switches.revoke_body = "object"
            stores = MemoryTokenStore(), MemoryJournal()
            if kind in {"blocking", "asynchronous"}:
                wait = clock.advance if isinstance(clock, ManualClock) else None
                way = Way(FakeTransport(sim.handle, wait=wait))
                yield Bench(kind, sim, clock, way, None, *stores, runner).ready()
                return
            is_blocking = kind == "urllib3"
            way = Way(Urllib3Transport() if is_blocking else AiohttpTransport())
            with new_front(sim) as front:
                sim.upload_base = front.url
                bench = Bench("blocking" if is_blocking else "asynchronous", sim, clock, way, front, *stores, runner)
                try:
                    yield bench.ready()
                finally:
                    bench.run(way.close())

    return opened


@pytest.fixture(params=["urllib3", "aiohttp"])
def bench(request: pytest.FixtureRequest, open_bench: Opens) -> Iterator[Bench]:
    """Give a client over each transport in turn, signed in, over sockets."""
    with open_bench(request.param) as made:
        yield made


@pytest.fixture(params=["blocking", "asynchronous"])
def near(request: pytest.FixtureRequest, open_bench: Opens) -> Iterator[Bench]:
    """Give a client of each world in turn, signed in, over TikTok in memory."""
    with open_bench(request.param) as made:
        yield made
