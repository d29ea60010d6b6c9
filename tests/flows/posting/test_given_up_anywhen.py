"""A person gives a post up at any moment of the call that makes it: before or after any request, save or pause.

The call runs in one process, the person's in another, over the same stores. Faults, lost answers and answers that come late befall
the requests. Two processes that both go on, die and give up are in `tests/proofs/test_schedules.py`.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from attrs import define, field
from hypothesis import example, given, settings
from hypothesis import strategies as st

from example_counts import at_most
from tiktok_adapters.clocks import ManualClock
from tiktok_adapters.simulator import DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, SimulatedTikTok, Switches, parse_fault
from tiktok_adapters.sources import BytesSource
from tiktok_adapters.stores.memory import MemoryJournal, MemoryTokenStore
from tiktok_adapters.transports.fake import FakeTransport
from tiktok_core import App, AsyncTikTok, InvalidInput, InvalidPost, Publication, Record, TikTok, TikTokError
from tiktok_core.lifting import lift_clock, lift_journal, lift_tokens, lift_transport
from tiktok_core.ports import Request, Response

APP = App(DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, "https://app.example.com/callback/")
CHUNK = 5_242_880
FILMS = {
    "clip": BytesSource(b"\0\0\0\x18ftypisom" + bytes(500)),
    "film": BytesSource(b"\0\0\0\x18ftyp" + hashlib.shake_128(b"film").digest(2 * CHUNK + 77)),
}
KINDS = ("clip", "film", "pull", "photos")
FAULTS = ("drop-before", "drop-after", "unreachable", "slow:45", "status:503", "truncate")
faults = st.builds(
    "{}:{}={}".format, st.sampled_from(["init", "put", "status"]), st.integers(1, 3), st.sampled_from(FAULTS)
)
FOUND: Counter[str] = Counter()
"""How often a post was given up, and how often that was refused."""


@define
class Moments:
    """Calls `act` once, at the n-th moment."""

    left: int
    act: Callable[[], None]
    is_over: bool = False

    def pass_by(self) -> None:
        """Count a moment."""
        self.left -= 1
        if self.left == 0 and not self.is_over:
            self.is_over = True
            self.act()


@define
class Tapped:
    """The ports of the process that posts, with a moment before and after each request and save, and before each pause."""

    sim: SimulatedTikTok
    clock: ManualClock
    journal: MemoryJournal
    moments: Moments = field(init=False)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.journal, name)

    def handle(self, request: Request) -> Response:
        """Answer a request; the answer may have been on its way for long."""
        self.moments.pass_by()
        response = self.sim.handle(request)
        self.moments.pass_by()
        return response

    def save(self, record: Record, /, *, fence: int | None) -> None:
        """Save a record."""
        self.moments.pass_by()
        self.journal.save(record, fence=fence)
        self.moments.pass_by()

    def now(self) -> Any:
        """Return the time."""
        return self.clock.now()

    def sleep(self, seconds: float, /) -> None:
        """Let the time pass."""
        self.moments.pass_by()
        self.clock.sleep(seconds)

    def close(self) -> None:
        """Leave the stores open for the other process."""


def asked(account: Any, kind: str, *, draft: bool) -> Any:
    """Ask for the post."""
    wish: dict[str, Any] = {"key": "wish", "draft": draft, "privacy_level": None if draft else "SELF_ONLY"}
    if kind == "photos":
        return account.post_photos(["https://media.example.com/1.jpg"], **wish)
    if kind == "pull":
        return account.post_video("https://media.example.com/clip.mp4", **wish)
    return account.post_video(FILMS[kind], chunk_size=CHUNK if kind == "film" else None, **wish)


def to_its_end(world: str, ports: Tapped, tokens: MemoryTokenStore, kind: str, *, draft: bool) -> Any:
    """Make the post in this world, and return its result or its error."""
    transport = FakeTransport(ports.handle, wait=ports.clock.advance)
    kept: Any = ports
    try:
        if world == "blocking":
            client = TikTok(APP, transport=transport, tokens=tokens, journal=kept, clock=kept)
            return asked(client.account(), kind, draft=draft)
        twin = AsyncTikTok(
            APP,
            transport=lift_transport(transport),
            tokens=lift_tokens(tokens),
            journal=lift_journal(kept),
            clock=lift_clock(kept),
        )

        async def work() -> Any:
            return await asked(await twin.account(), kind, draft=draft)

        return asyncio.run(work())
    except TikTokError as error:
        return error


@pytest.mark.parametrize("world", ["blocking", "asynchronous"])
@pytest.mark.parametrize("kind", KINDS)
def test_whenever_a_person_gives_a_post_up_it_is_given_up_or_may_be_published(world: str, kind: str) -> None:
    """Given up: never published, never begun again, and each call says so. Refused: nothing is changed, and it goes its way."""
    FOUND.clear()

    @settings(max_examples=at_most(100), deadline=None)
    @given(
        draft=st.booleans(),
        moment=st.integers(1, 24),
        ahead=st.lists(faults, max_size=2),
        lag=st.sampled_from([0.0, 8.0]),
    )
    @example(draft=False, moment=3, ahead=[], lag=0.0)
    @example(draft=False, moment=2, ahead=[], lag=0.0)
    def holds(draft: bool, moment: int, ahead: list[str], lag: float) -> None:
        clock = ManualClock()
        sim = SimulatedTikTok(clock, Switches(status_lag_seconds=lag), keep_bytes=False)
        tokens, journal = MemoryTokenStore(), MemoryJournal()
        person = TikTok(APP, transport=FakeTransport(sim.handle), tokens=tokens, journal=journal, clock=clock)
        begun = person.authorization()
        account = person.sign_in(begun, sim.authorize(begun.url))
        for fault in ahead:
            sim.faults.add(parse_fault(fault))
        said: list[Publication | InvalidInput] = []
        posts_by_then: list[int] = []

        def give_up() -> None:
            before = journal.records()
            posts_by_then.append(len(sim.posts))
            try:
                said.append(account.abandon("wish"))
            except InvalidInput as error:
                said.append(error)
                assert journal.records() == before, "refused, and changed"

        def live() -> list[Any]:
            return [
                one
                for one in sim.posts
                if one.status != "FAILED" and (kind in ("pull", "photos") or one.bytes_received == one.size)
            ]

        ports = Tapped(sim, clock, journal)
        ports.moments = Moments(moment, give_up)
        end = to_its_end(world, ports, tokens, kind, draft=draft)
        sim.faults.clear()
        if not said or isinstance(said[0], InvalidInput):
            FOUND["refused" if said else "too late"] += 1
            assert "given up by a person" not in str(end)
        else:
            FOUND["given up"] += 1
            assert isinstance(end, TikTokError), "given up, and returned as posted"
            for seconds in (0, 600, 7_200):
                clock.advance(seconds)
                with pytest.raises(InvalidPost, match="given up by a person at"):
                    asked(account, kind, draft=draft)
                assert live() == [], "given up, and published"
            assert all(record.is_given_up for record in journal.records())
            # The answer to one init of a file may have been under way.
            assert len(sim.posts) <= posts_by_then[0] + (kind in FILMS), "given up, and begun again"
        sim.close()

    holds()
    assert FOUND["given up"], FOUND
    assert FOUND["refused"], FOUND
