"""`connect` and `connect_async` take any port by name; they use the usual adapters for the other ports."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tiktok_adapters import AsyncPorts, Ports, assembly, connect, connect_async
from tiktok_adapters.clocks import ManualClock
from tiktok_adapters.simulator import DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, SimulatedTikTok
from tiktok_adapters.stores.memory import MemoryJournal, MemoryTokenStore
from tiktok_adapters.transports.fake import FakeTransport
from tiktok_core import App, NotSent, StoreError
from tiktok_core.lifting import lift_clock, lift_journal, lift_tokens, lift_transport
from tiktok_core.ports import Request

APP = App(DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, "http://127.0.0.1:3455/callback/")
WORLDS = [(connect, "TikTok", Ports), (connect_async, "AsyncTikTok", AsyncPorts)]
NAMES = sorted(Ports.__annotations__)
worlds = pytest.mark.parametrize(("make", "client", "family"), WORLDS)


@pytest.fixture
def made_from(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Make a client, and return its ports."""

    def ports(make: Callable[..., Any], client: str, **given: Any) -> dict[str, Any]:
        monkeypatch.setattr(assembly, client, lambda app, **ports: ports)
        found: dict[str, Any] = make(APP, home=tmp_path, environ={}, **given)
        return {name: port for name, port in found.items() if name in NAMES}

    return ports


@worlds
@pytest.mark.parametrize("name", NAMES)
def test_a_port_that_is_given_is_used_and_the_others_are_the_usual_ones(
    name: str, make: Any, client: str, family: Any, made_from: Callable[..., dict[str, Any]]
) -> None:
    """To change one adapter takes one argument; the client gets it unchanged."""
    usual, own = made_from(make, client), object()
    found = made_from(make, client, **{name: own})
    assert found.pop(name) is own
    usual.pop(name, None)
    assert {name: type(port) for name, port in found.items()} == {name: type(port) for name, port in usual.items()}


@worlds
def test_both_worlds_have_the_same_ports(
    make: Any, client: str, family: Any, made_from: Callable[..., dict[str, Any]]
) -> None:
    """Both clients have the same ports, and each gets all of them; its entropy is the core's own unless you pass one."""
    assert sorted(family.__annotations__) == NAMES
    assert set(made_from(make, client)) == set(NAMES) - {"entropy"}


@worlds
def test_a_probe_may_be_left_out(make: Any, client: str, family: Any, made_from: Callable[..., dict[str, Any]]) -> None:
    """With `probe=False` the client checks no properties; `probe=True` means the usual probe."""
    assert made_from(make, client, probe=False)["probe"] is False
    assert type(made_from(make, client, probe=True)["probe"]) is type(made_from(make, client)["probe"])


@worlds
def test_a_port_that_does_not_exist_is_refused(make: Any, client: str, family: Any, tmp_path: Path) -> None:
    """A misspelt port is an error that names the wrong word."""
    with pytest.raises(TypeError, match=rf"{make.__name__}\(\) got an unexpected keyword argument 'transprot'"):
        make(APP, home=tmp_path, environ={}, transprot=object())


@worlds
def test_a_store_that_is_given_needs_no_key_of_the_settings_store(
    make: Any, client: str, family: Any, made_from: Callable[..., dict[str, Any]]
) -> None:
    """If you pass `tokens`, the settings may name a store whose key is missing."""
    own = object()
    assert made_from(make, client, store="encrypted", tokens=own)["tokens"] is own


def test_a_blocking_client_works_with_what_was_given_and_closes_it(tmp_path: Path) -> None:
    """A sign-in uses the given transport and store; closing the client closes both, and the journal."""
    clock, tokens, journal = ManualClock(), MemoryTokenStore(), MemoryJournal()
    sim = SimulatedTikTok(clock)
    transport = FakeTransport(sim.handle)
    ports = {"transport": transport, "tokens": tokens, "journal": journal, "clock": clock}
    with connect(APP, home=tmp_path, environ={}, **ports) as tiktok:  # type: ignore[arg-type]
        begun = tiktok.authorization()
        tiktok.sign_in(begun, sim.authorize(begun.url))
        assert tokens.accounts() == (sim.creator.open_id,)
    assert list(tmp_path.glob("tokens*")) == []
    they_are_closed(transport, tokens, journal)
    sim.close()


def test_an_awaited_client_works_with_what_was_given_and_closes_it(tmp_path: Path) -> None:
    """The same with the asynchronous client."""
    clock, tokens, journal = ManualClock(), MemoryTokenStore(), MemoryJournal()
    sim = SimulatedTikTok(clock)
    transport = FakeTransport(sim.handle)

    async def job() -> None:
        async with connect_async(
            APP,
            home=tmp_path,
            environ={},
            transport=lift_transport(transport),
            tokens=lift_tokens(tokens),
            journal=lift_journal(journal),
            clock=lift_clock(clock),
        ) as tiktok:
            begun = tiktok.authorization()
            await tiktok.sign_in(begun, sim.authorize(begun.url))
            assert tokens.accounts() == (sim.creator.open_id,)

    asyncio.run(job())
    assert list(tmp_path.glob("tokens*")) == []
    they_are_closed(transport, tokens, journal)
    sim.close()


def they_are_closed(transport: FakeTransport, tokens: MemoryTokenStore, journal: MemoryJournal) -> None:
    """Check that all of them are closed."""
    with pytest.raises(NotSent, match="closed"):
        transport.send(Request(method="GET", url="https://open.tiktokapis.com/"))
    for store in (tokens.accounts, journal.records):
        with pytest.raises(StoreError, match="closed"):
            store()


def test_with_a_transport_of_ones_own_aiohttp_is_not_needed(tmp_path: Path) -> None:
    """The client does not import the usual adapter of a port that you pass."""
    script = (
        "import sys; sys.modules['aiohttp'] = None\n"
        "from tiktok_adapters import connect_async\nfrom tiktok_core import App\n"
        "print(connect_async(App('k', 's', 'http://127.0.0.1:*/c/'), home=sys.argv[1], transport=object()).app.client_key)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "k"
