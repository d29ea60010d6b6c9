"""A cancelled call keeps nothing locked. The tests cut it at each port call in turn, once and twice, with both clients.

What belongs here: one scene for each call that holds something, and what has to be free after the cut. With the
asynchronous client a cut is a cancellation; with the blocking one it is a signal, whose handler raises.
"""

import asyncio
import gc
import signal
import weakref
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from attrs import define, evolve, field, frozen

from clips import HEAD, PHOTOS, PULLED
from tiktok_adapters.clocks import ManualClock
from tiktok_adapters.destinations import open_destination
from tiktok_adapters.protect import AsyncioProtect, MainThreadProtect
from tiktok_adapters.simulator import (
    DEFAULT_CLIENT_KEY,
    DEFAULT_CLIENT_SECRET,
    DEFAULT_REDIRECT_URI,
    SimulatedTikTok,
    parse_fault,
)
from tiktok_adapters.slots import AsyncioUploadSlots, ThreadUploadSlots
from tiktok_adapters.sources import FileSource
from tiktok_adapters.stores.memory import MemoryJournal, MemoryTokenStore
from tiktok_adapters.transports.fake import FakeTransport
from tiktok_core import App, AsyncTikTok, OutcomeUnknown, SignInRequired, Stage, TikTok, TikTokError
from tiktok_core.ports import Request, Response

APP = App(DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, DEFAULT_REDIRECT_URI)
REDIRECT = "http://127.0.0.1:4000/callback/"
CHUNK = 5_242_880
SCOPES = ["user.info.basic", "video.publish", "video.upload", "portability.all.ongoing"]


class TimeIsUp(BaseException):
    """The error that a worker's time limit raises."""


@define
class Cuts:
    """Counts the calls of ports, and cuts the client's call off at some of them."""

    at: tuple[int, ...] = ()
    turns: int = 0
    made: int = 0
    cut: Callable[[], object] = lambda: None

    def turn(self) -> None:
        """Count one call of a port."""
        self.turns += 1
        if self.turns in self.at:
            self.made += 1
            self.cut()


class Port:
    """A port that is cut off before or after its work. Closing it does not close the port behind it."""

    def __init__(self, inner: Any, cuts: Cuts) -> None:
        self._inner, self._cuts = inner, cuts

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._inner, name)

        def run(*args: Any, **options: Any) -> Any:
            self._cuts.turn()
            result = call(*args, **options)
            self._cuts.turn()
            return result

        return run

    def now(self) -> Any:
        """Tell a clock's time, which is no wait."""
        return self._inner.now()

    def close(self) -> None:
        """Close nothing: the test looks into the port afterwards."""


class AsyncPort(Port):
    """The same for awaited ports: each call suspends."""

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._inner, name)

        async def run(*args: Any, **options: Any) -> Any:
            self._cuts.turn()
            await asyncio.sleep(0)
            result = call(*args, **options)
            self._cuts.turn()
            await asyncio.sleep(0)
            return result

        return run

    async def close(self) -> None:  # type: ignore[override]
        """Close nothing: the test looks into the port afterwards."""


@define(eq=False)
class Granted:
    """A token store that notes whether it refused a lease."""

    inner: Any
    refused: int = 0

    def try_lease(self, name: str, /, **options: Any) -> Any:
        """Take a lease, and note a refusal."""
        fence = self.inner.try_lease(name, **options)
        self.refused += not fence
        return fence

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@define(eq=False, slots=False)
class World:
    """A simulated TikTok, the stores, and two clients on them: one that is cut off, and another that continues.

    Attributes:
        folder: where files are.
        sim: the simulated TikTok.
        account: the signed-in account on the client that continues.
        opened: the sources that were opened by the client that is cut off.
    """

    folder: Path
    clock: ManualClock = field(factory=ManualClock)
    cuts: Cuts = field(factory=Cuts)
    store: MemoryTokenStore = field(factory=MemoryTokenStore)
    journal: MemoryJournal = field(factory=MemoryJournal)
    opened: list[Any] = field(factory=list)
    slots: Any = None
    prepared: Any = None

    def __attrs_post_init__(self) -> None:
        self.sim = SimulatedTikTok(self.clock)
        self.sim.app.scopes = tuple(dict.fromkeys((*self.sim.app.scopes, *SCOPES)))
        self.leases = Granted(self.journal), Granted(self.store)
        self.other = TikTok(
            APP,
            transport=FakeTransport(self.sim.handle, wait=self.clock.advance),
            tokens=self.leases[1],
            journal=self.leases[0],
            clock=self.clock,
            open_source=FileSource,
            open_destination=open_destination,
        )
        asked = self.other.authorization(SCOPES, redirect_uri=REDIRECT)
        self.account = self.other.sign_in(asked, self.sim.authorize(asked.url))

    @property
    def film(self) -> Path:
        """A film of several chunks."""
        path = self.folder / "film.mp4"
        if not path.exists():
            path.write_bytes(HEAD + bytes(2 * CHUNK + 77))
        return path

    def open(self, path: Any) -> FileSource:
        """Open a file, and remember it without keeping it open."""
        source = FileSource(path)
        self.opened.append(weakref.ref(source))
        return source

    def ports(self, kind: type[Port], slots: Any) -> dict[str, Any]:
        """Return the ports of the client that is cut off."""
        self.slots = slots
        return {
            "transport": kind(FakeTransport(self.sim.handle, wait=self.clock.advance), self.cuts),
            "tokens": kind(self.store, self.cuts),
            "journal": kind(self.journal, self.cuts),
            "clock": kind(self.clock, self.cuts),
            "slots": slots,
            "open_source": self.open,
            "open_destination": open_destination,
            "account": self.account.open_id,
        }


# --- Scenes ----------------------------------------------------------------------------------------------------------


@frozen
class Scene:
    """A call that is cut off.

    Attributes:
        call: makes the call, with a client and an account on it; the result of an asynchronous client is awaited.
        prepare: makes what has to be there before; returns what the call needs.
        again: how the other client continues; the same call unless given.
    """

    call: Callable[[World, Any, Any], Any]
    prepare: Callable[[World], Any] = lambda world: None
    again: Callable[[World, Any, Any], Any] | None = None


def uploading(world: World) -> None:
    """A post has an upload URL, and none of its bytes has left."""
    world.sim.faults.add(parse_fault("putx30=unreachable"))
    with suppress(TikTokError):
        post_film(world, world.other, world.account)
    world.sim.faults.clear()
    (record,) = world.journal.records()
    assert record.stage is Stage.UPLOADING


def handed_over(world: World) -> str:
    """TikTok has a whole post, and has ended it meanwhile."""
    done = world.account.post_photos(PHOTOS, privacy_level="SELF_ONLY", key="wish", wait=False)
    world.clock.advance(60)
    return str(done.publish_id)


def in_doubt(world: World) -> None:
    """The outcome of a post is unknown."""
    world.sim.faults.add(parse_fault("photo_init=drop-after"))
    with suppress(OutcomeUnknown):
        world.account.post_photos(PHOTOS, privacy_level="SELF_ONLY", key="wish")
    world.sim.faults.clear()


def an_event(world: World) -> Any:
    """A webhook says that a post has ended whose upload is still under way by the journal."""
    handed_over(world)
    (record,) = world.journal.records()
    world.journal.save(evolve(record, stage=Stage.UPLOADING), fence=None)
    (delivery,) = world.sim.webhooks()
    return world.other.verify_webhook(delivery.body, delivery.headers["TikTok-Signature"])


def ready_data(world: World) -> int:
    """A copy of the account's data is ready to be fetched."""
    request_id = world.account.request_data(["profile"])
    world.clock.advance(600)
    return int(request_id)


def post_film(world: World, _client: Any, account: Any) -> Any:
    """Post a film of several chunks."""
    return account.post_video(world.film, privacy_level="SELF_ONLY", chunk_size=CHUNK, key="wish")


def resume(_world: World, _client: Any, account: Any) -> Any:
    """Resume the post."""
    return account.resume("wish")


def sign_in(world: World, client: Any, _account: Any) -> Any:
    """Sign in; this replaces the earlier sign-in."""
    asked = world.other.authorization(SCOPES, redirect_uri=REDIRECT)
    return client.sign_in(asked, world.sim.authorize(asked.url))


def revoke(_world: World, _client: Any, account: Any) -> Any:
    """End the grant at TikTok."""
    return account.revoke()


SCENES = {
    "film": Scene(post_film),
    "pull": Scene(lambda _w, _c, account: account.post_video(PULLED, privacy_level="SELF_ONLY", key="wish")),
    "photos": Scene(lambda _w, _c, account: account.post_photos(PHOTOS, privacy_level="SELF_ONLY", key="wish")),
    "resume": Scene(resume, uploading),
    "advance": Scene(lambda _w, _c, account: account.advance("wish"), uploading, resume),
    "wait": Scene(lambda world, _c, account: account.wait(world.prepared), handed_over),
    "settle": Scene(lambda _w, _c, account: account.settle("wish", posted=True), in_doubt, lambda *_: None),
    "received": Scene(lambda world, client, _a: client.received(world.prepared), an_event),
    "refresh": Scene(lambda _w, _c, account: account.refresh()),
    "revoke": Scene(revoke),
    "sign-in": Scene(sign_in),
    "qr": Scene(lambda world, client, _a: client.sign_in_by_qr_code(lambda code: world.sim.scan(code.url))),
    "data": Scene(
        lambda world, _c, account: account.download_data(world.prepared, world.folder / "data.zip", overwrite=True),
        ready_data,
    ),
}


# --- Cutting ---------------------------------------------------------------------------------------------------------


def cancelled(scene: Scene, world: World) -> None:
    """Make the call in an event loop, cancel it at each cut, and close the client."""

    async def main() -> None:
        ports = world.ports(AsyncPort, AsyncioUploadSlots(1))
        client = AsyncTikTok(APP, protect=AsyncioProtect(), **ports)
        at, world.cuts.at = world.cuts.at, ()
        account = await client.account()
        world.cuts.turns, world.cuts.at = 0, at
        call: Coroutine[Any, Any, Any] = scene.call(world, client, account)
        task = asyncio.create_task(call)
        world.cuts.cut = task.cancel
        await asyncio.wait({task})
        if not task.cancelled():
            task.result()
        # A task keeps the frames that its cancellation passed through, and what they had open.
        del task, call
        world.cuts.at, world.cuts.cut = (), lambda: None
        async with asyncio.timeout(10):
            await client.close()

    asyncio.run(main())


@contextmanager
def heard(number: int, error: type[BaseException]) -> Iterator[None]:
    """Let a signal raise an error."""

    def handler(_number: int, _frame: object) -> None:
        raise error

    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)


def interrupted(scene: Scene, world: World) -> None:
    """Make the call, send a signal at each cut (Ctrl-C and a worker's time limit in turns), and close the client."""
    kinds = [signal.SIGINT, getattr(signal, "SIGALRM", signal.SIGTERM)]
    world.cuts.cut = lambda: signal.raise_signal(kinds[world.cuts.turns % 2])
    client = TikTok(APP, protect=MainThreadProtect(), **world.ports(Port, ThreadUploadSlots(1)))
    with heard(kinds[0], KeyboardInterrupt), heard(kinds[1], TimeIsUp):
        at, world.cuts.at = world.cuts.at, ()
        account = client.account()
        world.cuts.turns, world.cuts.at = 0, at
        with suppress(KeyboardInterrupt, TimeIsUp):
            scene.call(world, client, account)
        world.cuts.at = ()
        client.close()


def check(scene: Scene, world: World) -> None:
    """Assert that nothing is locked or open, and that the other client continues at once."""
    assert world.store._leases == {}
    assert [lease for lease in world.journal._leases.values() if lease.owner is not None] == []
    assert world.slots._turns.take()
    if any(source() is not None for source in world.opened):
        gc.collect()
    assert [source() for source in world.opened if source() is not None] == []
    assert list(world.folder.glob(".tiktok-*")) == []
    with suppress(SignInRequired):
        (scene.again or scene.call)(world, world.other, world.account)
    assert sum(one.refused for one in world.leases) == 0
    assert len(world.sim.posts) <= 1


WORLDS = {"blocking": interrupted, "asynchronous": cancelled}


@pytest.mark.parametrize("world_of", WORLDS)
@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("second", [None, 1, 2])
def test_a_cancelled_call_keeps_nothing_locked(name: str, world_of: str, second: int | None, tmp_path: Path) -> None:
    """Cut at any port call, and once more some calls later: no lease, slot or open file stays, and `close` returns."""
    scene, nth, is_over = SCENES[name], 0, False
    while not is_over:
        # After a second cut every further call comes up over time, but not in order.
        nth += 1 if second is None else 3
        world = World(tmp_path)
        world.prepared = scene.prepare(world)
        world.cuts.at = (nth,) if second is None else (nth, nth + second)
        try:
            WORLDS[world_of](scene, world)
            is_over = world.cuts.made == 0
            check(scene, world)
        finally:
            world.sim.close()
    assert nth > 2


@pytest.mark.parametrize("world_of", WORLDS)
@pytest.mark.parametrize("second", [1, 2])
def test_a_call_that_is_cancelled_twice_records_no_last_byte_that_never_left(
    world_of: str, second: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second cut may come while the client stores that nothing was sent. The journal says so all the same."""
    scene, nth, is_over = SCENES["film"], 0, False
    while not is_over:
        nth += 1
        world = World(tmp_path)
        world.cuts.at = (nth, nth + second)
        handle, reached = world.sim.handle, []

        def noted(
            request: Request, handle: Callable[[Request], Response] = handle, reached: list[str] = reached
        ) -> Response:
            first_and_last, _, size = request.headers.get("Content-Range", "").partition("/")
            if size and first_and_last.endswith(f"-{int(size) - 1}"):
                reached.append(first_and_last)
            return handle(request)

        monkeypatch.setattr(world.sim, "handle", noted)
        try:
            WORLDS[world_of](scene, world)
            is_over = world.cuts.made == 0
            assert reached or not any(record.last_left for record in world.journal.records())
        finally:
            world.sim.close()
    assert nth > 20


def at_once(call: Coroutine[Any, Any, Any]) -> Any:
    """Return the result of a call that no event loop runs."""
    while True:
        try:
            call.send(None)
        except StopIteration as done:
            return done.value


def fail() -> None:
    """Fail as a port's call does that a time limit ends."""
    raise TimeIsUp


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("failed_before", [None, 0, 1, 2])
def test_a_coroutine_that_is_closed_awaits_nothing_more(name: str, failed_before: int | None, tmp_path: Path) -> None:
    """Closed at any port call, or some calls after one that failed: an event loop that ends closes what is left in this way."""
    scene, nth, is_over = SCENES[name], 0, False
    while not is_over:
        nth += 1
        world = World(tmp_path)
        world.prepared = scene.prepare(world)
        client = AsyncTikTok(APP, **world.ports(AsyncPort, None))
        account = at_once(client.account())
        world.cuts.turns = 0
        if failed_before is not None:
            world.cuts.at, world.cuts.cut = (nth - failed_before,), fail
        call: Coroutine[Any, Any, Any] = scene.call(world, client, account)
        try:
            while world.cuts.turns < nth:
                call.send(None)
            call.close()
        except (StopIteration, TimeIsUp):
            is_over = not world.cuts.made
        finally:
            world.sim.close()
    assert nth > 2
