"""Measure the steps of a post whose journal, tokens and pacer lie in PostgreSQL: statements, time behind a long line, and rate.

It starts a server of its own (PostgreSQL has to be installed) and prints one table. A relay counts the statements and adds the line's
delay. The rate is compared with that of the same statements through bare psycopg, on loopback, in turns. A step asks a TikTok that is
simulated in memory for the status of a post, so its own time is small and counts as ours.

    .venv/bin/python benchmarks/shared_store.py
"""

import itertools
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Any, Final

sys.path[:0] = [str(Path(__file__).parents[1] / "tests" / "shared")]

import psycopg  # noqa: E402 - after the path

from postgres_server import Server, binary  # noqa: E402
from tiktok_adapters.clocks import ManualClock  # noqa: E402
from tiktok_adapters.simulator import (  # noqa: E402
    DEFAULT_CLIENT_KEY,
    DEFAULT_CLIENT_SECRET,
    DEFAULT_REDIRECT_URI,
    SimulatedTikTok,
    Switches,
)
from tiktok_adapters.sources import BytesSource  # noqa: E402
from tiktok_adapters.stores.postgres import PostgresStores  # noqa: E402
from tiktok_adapters.stores.postgres.pools import ThreadPool  # noqa: E402
from tiktok_adapters.transports.fake import FakeTransport  # noqa: E402
from tiktok_core import App, Secret, TikTok  # noqa: E402
from tiktok_core.hidden import Hidden  # noqa: E402

STEPS: Final = 14
"""The pacer lets 30 questions through in a minute, by the server's clock."""
ROUNDS: Final = 25
LINE: Final = 0.020
"""Seconds of a round trip of the slow line."""
FILM: Final = b"\0\0\0\x18ftypisom" + bytes(1_000)


class Relay:
    """Passes bytes on to a server, late, and counts the statements in them."""

    def __init__(self, port: int) -> None:
        self.delay = 0.0
        self.statements = 0
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                client, _address = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._port))
                for one in (client, server):
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._pass_on, args=(client, server, True), daemon=True).start()
                threading.Thread(target=self._pass_on, args=(server, client, False), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, is_question: bool) -> None:
        with suppress(OSError), source, sink:
            while block := source.recv(2**20):
                if is_question:
                    # Each statement ends with one Sync, or is one simple query.
                    self.statements += block.count(b"S\0\0\0\x04") or block.startswith(b"Q")
                if self.delay:
                    time.sleep(self.delay / 2)
                sink.sendall(block)


_schemas = itertools.count()


@contextmanager
def client(url: str) -> Iterator[TikTok]:
    """Give a signed-in client whose stores lie on the server, and whose TikTok answers at once."""
    clock = ManualClock()
    sim = SimulatedTikTok(clock, Switches(processing_seconds=1e9), keep_bytes=False)
    stores = PostgresStores(Secret(url), schema=f"bench_{next(_schemas)}", connections=1)

    with (
        closing(sim),
        TikTok(
            App(DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, DEFAULT_REDIRECT_URI),
            transport=FakeTransport(sim.handle),
            tokens=stores.tokens(),
            journal=stores.journal(),
            pacer=stores.pacer(),
            clock=clock,
            probe=False,
        ) as tiktok,
    ):
        authorization = tiktok.authorization(redirect_uri="http://127.0.0.1:4000/callback/")
        tiktok.sign_in(authorization, sim.authorize(authorization.url))
        yield tiktok


def steps(tiktok: TikTok, key: str, count: int = STEPS) -> Callable[[], None]:
    """Return a function that takes steps of a post that TikTok processes, as one owner."""
    account, left = tiktok.account(), iter(range(count))
    account.post_video(BytesSource(FILM), draft=True, key=key, wait=False)

    def work() -> None:
        account.advance(key, until_wait=60.0, stop=lambda: next(left, None) == count - 1)

    return work


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that some work takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


@contextmanager
def recorded() -> Iterator[list[tuple[bytes, dict[str, Any]]]]:
    """Give the statements that the stores send, with their values."""
    sent: list[tuple[bytes, dict[str, Any]]] = []
    execute = ThreadPool.execute

    async def noted(pool: Any, connection: Any, statement: str, values: Any) -> Any:
        plain = {name: value.reveal() if isinstance(value, Hidden) else value for name, value in values.items()}
        sent.append((statement.encode(), plain))
        return await execute(pool, connection, statement, values)

    ThreadPool.execute = noted  # type: ignore[method-assign]
    try:
        yield sent
    finally:
        ThreadPool.execute = execute  # type: ignore[method-assign]


def bare(url: str, sent: list[tuple[bytes, dict[str, Any]]]) -> Callable[[], None]:
    """Return a function that sends the same statements through psycopg alone."""
    connection = psycopg.connect(url, autocommit=True, prepare_threshold=None)

    def work() -> None:
        for statement, values in sent:
            answered = connection.execute(statement, values, binary=True)
            if answered.description is not None:
                answered.fetchall()

    return work


def main() -> None:
    """Measure, and print."""
    if binary("initdb") is None:
        raise SystemExit("PostgreSQL is not installed: apt-get install postgresql")
    server = Server()
    try:
        relay, slow, ratios, rates = Relay(server.port), [], [], []
        for _ in range(3):
            with client(server.url().replace(str(server.port), str(relay.port))) as tiktok:
                work, few = steps(tiktok, "slow"), steps(tiktok, "few", STEPS // 2)
                relay.statements, relay.delay = 0, LINE
                slow.append(timed(work) / STEPS)
                relay.delay = 0.0
                counted = relay.statements
                few()
                # What a stretch of steps needs besides is in both.
                counted = (2 * counted - relay.statements) / (STEPS - STEPS // 2)
        for _ in range(ROUNDS):
            with client(server.url()) as tiktok:
                with recorded() as sent:
                    steps(tiktok, "recorded")()
                work, plain = steps(tiktok, "quick"), bare(server.url(), sent)
                ours, theirs = timed(work), timed(plain)
            ratios.append(theirs / ours)
            rates.append(STEPS / ours)
    finally:
        server.close()
    print(f"statements a step                    {counted:.1f}")
    print(
        f"behind {LINE * 1000:.0f} ms, a step                 {median(slow) * 1000:.0f} ms ({min(slow) * 1000:.0f} to {max(slow) * 1000:.0f})"
    )
    print(f"on loopback, steps a second          {median(rates):.0f} ({min(rates):.0f} to {max(rates):.0f})")
    print(f"rate over that of bare statements    {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
