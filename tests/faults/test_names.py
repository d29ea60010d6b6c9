"""Row 26 of the fault matrix: a host name that cannot be resolved, now or in time, or that leads to another place.

A test's resolver replaces the machine's; both transports ask it.
"""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tiktok_adapters.clocks import SystemClock
from tiktok_core import Endpoints, NotSent
from tiktok_core.lifting import lift_clock

NAME = "localhost"
Address = tuple[Any, ...]
real_getaddrinfo = socket.getaddrinfo


class Resolver:
    """Gives a test's answers for one name, and counts the questions."""

    def __init__(self) -> None:
        self.asked = 0
        self.says: Callable[[], str] = lambda: "127.0.0.1"

    def __call__(self, host: Any, port: Any, *more: Any, **options: Any) -> list[Address]:
        """Answer as `socket.getaddrinfo`."""
        if host not in {NAME, NAME.encode()}:
            return real_getaddrinfo(host, port, *more, **options)
        self.asked += 1
        return real_getaddrinfo(self.says(), port, *more, **options)


def unknown() -> str:
    """Say that there is no such name (NXDOMAIN)."""
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def broken() -> str:
    """Say that the resolver cannot tell now (SERVFAIL)."""
    raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")


def elsewhere() -> str:
    """Return an address where no server answers."""
    return "127.0.0.2"


def in_turn(*answers: Callable[[], str]) -> Callable[[], str]:
    """Give these answers one after the other, and the right one from then on."""
    left = list(answers)
    return lambda: left.pop(0)() if left else "127.0.0.1"


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    """Put a resolver in the machine's place."""
    made = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", made)
    return made


@pytest.fixture
def named(bench: Any, resolver: Resolver) -> Iterator[Any]:
    """Give a bench whose client reaches TikTok by a host name."""
    bench.connect(endpoints=Endpoints(api_url=f"http://{NAME}:{urlsplit(bench.front.url).port}"))
    yield bench
    with contextlib.suppress(Exception):
        bench.run(bench.way.close())


@pytest.mark.parametrize("answer", [unknown, broken, elsewhere], ids=lambda answer: answer.__name__)
def test_row_26_a_name_without_a_host_is_not_sent(named: Any, resolver: Resolver, answer: Callable[[], str]) -> None:
    """The request has not left, so the client tries again, and the final error names the host."""
    resolver.says = answer
    end = named.outcome(lambda it: it.account.creator_info())
    assert isinstance(end, NotSent), end
    assert NAME in str(end)
    assert named.way.sent == ["creator_info"] * 3
    assert named.sim.arrived == []


@pytest.mark.parametrize("answer", [unknown, broken, elsewhere], ids=lambda answer: answer.__name__)
def test_row_26_a_resolver_that_recovers_costs_nothing(named: Any, resolver: Resolver, answer: Any) -> None:
    """The call succeeds, even for a pull, which the client never repeats after a doubt: here there is none."""
    resolver.says = in_turn(answer, answer)
    done = named.run(
        named.account.post_video("https://media.example.com/a.mp4", privacy_level="SELF_ONLY", key="wish", wait=False)
    )
    assert done.publish_id
    assert len(named.inits) == 1


def test_row_26_a_name_that_changes_is_followed(named: Any, resolver: Resolver) -> None:
    """The old server is gone and the name leads to a new one. The next connection finds it."""
    named.way.alone = True
    assert named.run(named.account.creator_info())
    resolver.says = in_turn(elsewhere)
    assert named.run(named.account.creator_info())
    assert resolver.asked >= 3


def test_row_26_the_deadline_holds_while_a_name_is_looked_up(bench: Any, resolver: Resolver) -> None:
    """A resolver that never answers does not block the call, which ends at its deadline as not sent."""
    clock = SystemClock()
    bench.clock = clock
    named = Endpoints(api_url=f"http://{NAME}:{urlsplit(bench.front.url).port}")
    found, asked_for = threading.Event(), threading.Event()

    def silent() -> str:
        asked_for.set()
        assert found.wait(60), "the call waited for the resolver"
        return "127.0.0.1"

    resolver.says = silent
    bench.connect(endpoints=named, **({} if bench.world == "blocking" else {"clock": lift_clock(clock)}))
    account = bench.account.with_options(timeout=0.2, deadline=0.3, retries=0)
    try:
        end = bench.outcome(lambda _: account.user_info(["open_id"]))
        assert asked_for.is_set()
        assert isinstance(end, NotSent), end
    finally:
        found.set()
    assert bench.sim.arrived == []
