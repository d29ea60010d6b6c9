"""Clients over a simulated TikTok, ready for tests. The fixtures of `plugin` return them.

What belongs here: connecting clients, simulator and clock. Tests without pytest can use these functions directly.
"""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Final, Generic, TypeVar

from attrs import Factory, asdict, field, frozen

from tiktok_adapters.clocks import ManualClock
from tiktok_adapters.destinations import open_destination
from tiktok_adapters.simulator import DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, Faults, SimulatedTikTok
from tiktok_adapters.sources import open_source
from tiktok_adapters.stores.memory import MemoryJournal, MemoryTokenStore
from tiktok_adapters.transports.fake import FakeTransport
from tiktok_core import Account, App, AsyncAccount, AsyncTikTok, TikTok
from tiktok_core.lifting import drive, lift_clock, lift_journal, lift_tokens, lift_transport

__all__ = ["AnyFake", "AsyncFake", "Fake", "Sandbox", "make_async_fake", "make_fake", "serve_sandbox"]

CALLBACK: Final = "https://app.example.com/callback/"


C = TypeVar("C")
A = TypeVar("A")


@frozen(kw_only=True)
class AnyFake(Generic[C, A]):
    """A client of either world over a simulated TikTok in memory.

    Attributes:
        tiktok: the client.
        account: the simulated creator, signed in with all scopes that posting needs.
        simulator: the simulated TikTok. Tests may inspect and change it.
        transport: sends requests to the simulated TikTok. Tests may give it to their own clients, asynchronous ones through `lift_transport`.
        clock: the clock of the client and of the simulated TikTok.
        tokens: the client's tokens.
        journal: the client's journal.
    """

    tiktok: C
    account: A
    simulator: SimulatedTikTok
    transport: FakeTransport
    clock: ManualClock
    tokens: MemoryTokenStore
    journal: MemoryJournal


class Fake(AnyFake[TikTok, Account]):
    """A blocking client over a simulated TikTok in memory."""


class AsyncFake(AnyFake[AsyncTikTok, AsyncAccount]):
    """An asynchronous client over a simulated TikTok in memory."""


@frozen(kw_only=True)
class Sandbox:
    """A simulated TikTok that a server on this machine serves.

    Attributes:
        url: scheme, host and port of the server. TikTok's paths and the sandbox's own page are below it.
        simulator: the simulated TikTok. Tests may inspect and change it.
        environ: environment variables that make `connect`, `tiktok` and other programs use the server. Their home folder is
            empty, and is removed at the end.
    """

    url: str
    simulator: SimulatedTikTok
    environ: Mapping[str, str]


@contextmanager
def make_fake(clock: ManualClock, faults: Faults) -> Iterator[Fake]:
    """Give a blocking client over a simulated TikTok in memory."""
    with _simulated(clock, faults) as simulator:
        parts = _Parts(simulator, clock)
        tiktok = TikTok(
            _app(),
            transport=parts.transport,
            tokens=parts.tokens,
            journal=parts.journal,
            clock=clock,
            open_source=open_source,
            open_destination=open_destination,
        )
        asked = tiktok.authorization()
        account = tiktok.sign_in(asked, simulator.authorize(asked.url))
        yield Fake(tiktok=tiktok, account=account, **asdict(parts, recurse=False))


@contextmanager
def make_async_fake(clock: ManualClock, faults: Faults) -> Iterator[AsyncFake]:
    """Give an asynchronous client over a simulated TikTok in memory."""
    with _simulated(clock, faults) as simulator:
        parts = _Parts(simulator, clock)
        tiktok = AsyncTikTok(
            _app(),
            transport=lift_transport(parts.transport),
            tokens=lift_tokens(parts.tokens),
            journal=lift_journal(parts.journal),
            clock=lift_clock(clock),
            open_source=open_source,
            open_destination=open_destination,
        )
        asked = tiktok.authorization()
        # These ports never suspend, so no event loop is needed.
        account = drive(tiktok.sign_in(asked, simulator.authorize(asked.url)))
        yield AsyncFake(tiktok=tiktok, account=account, **asdict(parts, recurse=False))


@contextmanager
def serve_sandbox(faults: Faults) -> Iterator[Sandbox]:
    """Give a simulated TikTok on a free port. It completes posts at once, because its clock is the machine's."""
    from tiktok_adapters.simulator.server import SandboxServer  # noqa: PLC0415 - needs aiohttp

    with _simulated(None, faults) as simulator, tempfile.TemporaryDirectory(prefix="tiktok-sandbox-") as home:
        simulator.switches.processing_seconds = 0.0
        with SandboxServer(simulator).run_in_thread() as server:
            yield Sandbox(
                url=server.url,
                simulator=simulator,
                environ={
                    "TIKTOK_CLIENT_KEY": DEFAULT_CLIENT_KEY,
                    "TIKTOK_CLIENT_SECRET": DEFAULT_CLIENT_SECRET,
                    "TIKTOK_REDIRECT_URI": CALLBACK,
                    "TIKTOK_API_URL": server.url,
                    "TIKTOK_AUTH_URL": f"{server.url}/v2/auth/authorize/",
                    "TIKTOK_HOME": home,
                },
            )


@frozen
class _Parts:
    """What lies under the client of a fake, the same in both worlds."""

    simulator: SimulatedTikTok
    clock: ManualClock
    transport: FakeTransport = field(
        default=Factory(lambda self: FakeTransport(self.simulator.handle, wait=self.clock.advance), takes_self=True)
    )
    tokens: MemoryTokenStore = field(factory=MemoryTokenStore)
    journal: MemoryJournal = field(factory=MemoryJournal)


@contextmanager
def _simulated(clock: ManualClock | None, faults: Faults) -> Iterator[SimulatedTikTok]:
    with closing(SimulatedTikTok(clock)) as simulator:
        simulator.faults = faults
        yield simulator


def _app() -> App:
    return App(DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, CALLBACK)
