"""Where a program may use a transport: in its own process and event loop, until it is closed, and never from a pickle.

What belongs here: mistakes of a program. Each raises an error that names it; none hangs or mixes up answers.
"""

import asyncio
import copy
import gc
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tiktok_adapters.testing.contracts.behaviour import BehaviourServer
from tiktok_adapters.transports.aiohttp import AiohttpTransport
from tiktok_adapters.transports.urllib3 import Urllib3Transport
from tiktok_core.errors import Misused
from tiktok_core.wire.http import Request

Kind = type[Urllib3Transport] | type[AiohttpTransport]

both = pytest.mark.parametrize("kind", [Urllib3Transport, AiohttpTransport])

# A real fork, in a program with one thread. The child tries to send and to close, and leaves its parent's
# connections alone.
BLOCKING = """
import os, sys
from tiktok_adapters.transports.urllib3 import Urllib3Transport
from tiktok_core.errors import Misused
from tiktok_core.wire.http import Request

request = Request(method="GET", url=sys.argv[1] + "/status/200")
http = Urllib3Transport()
print(http.send(request).status, flush=True)
if (child := os.fork()) == 0:
    try:
        http.send(request)
    except Misused as error:
        print(error.reason, flush=True)
    http.close()
    with Urllib3Transport() as own:
        print(own.send(request).status, flush=True)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print(http.send(request).status)
http.close()
"""
ASYNCHRONOUS = """
import asyncio, os, sys
from tiktok_adapters.transports.aiohttp import AiohttpTransport
from tiktok_core.errors import Misused
from tiktok_core.wire.http import Request

request = Request(method="GET", url=sys.argv[1] + "/status/200")

async def in_child(inherited):
    try:
        await inherited.send(request)
    except Misused as error:
        print(error.reason, flush=True)
    await inherited.close()
    async with AiohttpTransport() as own:
        print((await own.send(request)).status, flush=True)

async def main():
    async with AiohttpTransport() as http:
        print((await http.send(request)).status, flush=True)
        if (child := os.fork()) == 0:
            asyncio.run(in_child(http))
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        print((await http.send(request)).status)

asyncio.run(main())
"""


@pytest.fixture
def server() -> Iterator[BehaviourServer]:
    """Return a server on loopback."""
    with BehaviourServer() as server:
        yield server


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
@pytest.mark.parametrize("program", [BLOCKING, ASYNCHRONOUS], ids=["urllib3", "aiohttp"])
def test_a_forked_child_makes_its_own(server: BehaviourServer, program: str) -> None:
    """Two processes on one connection would read each other's answers.

    What the child does leaves the parent's connections intact.
    """
    command = [sys.executable, "-W", "error", "-c", program, server.base_url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    said = "this transport belongs to another process: make a new client (or transport) after the fork"
    assert done.stdout.splitlines() == ["200", said, "200", "200"]
    # The parent continues on its own connection.
    assert [seen.connection for seen in server.seen] == [0, 1, 0]


def test_another_event_loop_is_refused(server: BehaviourServer) -> None:
    """Connections belong to the loop in which they were made. The error names the mistake, and the call does not hang."""
    request = Request(method="GET", url=f"{server.base_url}/status/200")
    http = AiohttpTransport()
    with asyncio.Runner() as runner:
        runner.run(http.send(request))
        said = r"belongs to another event loop: make a client \(or transport\) for each loop"
        with pytest.raises(Misused, match=said):
            _run_elsewhere(lambda: http.send(request))
        with pytest.raises(Misused, match="its connections belong to another event loop: close it there"):
            _run_elsewhere(http.close)
        runner.run(http.send(request))
        runner.run(http.close())
    assert [seen.connection for seen in server.seen] == [0, 0]


def test_an_event_loop_that_has_ended_is_another_one(server: BehaviourServer) -> None:
    """A second `asyncio.run` is a second loop, and cannot use the connections of the first."""
    request = Request(method="GET", url=f"{server.base_url}/status/200")
    http = AiohttpTransport()

    async def first() -> None:
        await http.send(request)
        await http.close()

    asyncio.run(first())
    with pytest.raises(Misused, match="another event loop"):
        asyncio.run(_sent(http, request))


def test_what_an_event_loop_left_open_is_closed_in_another_one(server: BehaviourServer) -> None:
    """A program may end its loop and close its client in the next one. No connection stays open, and nothing is refused."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # asyncio warns of what its loop left open.
        _left_open_and_closed(server)
        gc.collect()


def _left_open_and_closed(server: BehaviourServer) -> None:
    http = AiohttpTransport()
    requests = [
        Request(method="GET", url=f"{server.base_url}/status/200", fresh_connection=fresh) for fresh in (False, True)
    ]
    asyncio.run(_sent(http, *requests))
    opened = list(http._sockets)
    assert any(made.fileno() >= 0 for made in opened)
    for _ in range(2):
        asyncio.run(http.close())
        assert all(made.fileno() < 0 for made in opened)
    with pytest.raises(Misused):
        asyncio.run(_sent(http, *requests))


def test_without_an_event_loop_it_is_refused() -> None:
    """Without a running loop the transport begins nothing."""
    sending = AiohttpTransport().send(Request(method="GET", url="http://127.0.0.1:9/"))
    with pytest.raises(Misused, match="no running event loop"):
        sending.send(None)


def test_a_blocking_transport_serves_any_thread_and_any_loop(server: BehaviourServer) -> None:
    """A blocking transport belongs to its process only."""
    request = Request(method="GET", url=f"{server.base_url}/status/200")
    with Urllib3Transport() as http:

        async def from_a_thread() -> int:
            return (await asyncio.to_thread(http.send, request)).status

        assert [asyncio.run(from_a_thread()) for _ in range(2)] == [200, 200]


@both
def test_use_after_close_is_not_sent(kind: Kind, server: BehaviourServer) -> None:
    """The error says in a plain sentence why, and the server gets nothing. A second close does nothing."""
    request = Request(method="GET", url=f"{server.base_url}/status/200?token=1")

    async def main() -> None:
        http = kind()
        await _done(http.send(request))
        for _ in range(2):
            await _done(http.close())
            with pytest.raises(Misused) as caught:
                await _done(http.send(request))
            assert str(caught.value) == f"GET {server.base_url}/status/200: the transport is closed."

    asyncio.run(main())
    assert len(server.seen) == 1


@both
@pytest.mark.parametrize("copied", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_transport_is_not_copied(kind: Kind, copied: Callable[[object], object]) -> None:
    """Connections do not go to another process, and no copy shares them."""
    with pytest.raises(TypeError, match="a transport is not pickled: it holds connections"):
        copied(kind())


def test_a_transport_that_was_never_used_closes() -> None:
    """A transport closes even if it never opened a connection."""
    asyncio.run(AiohttpTransport().close())
    Urllib3Transport().close()


def _run_elsewhere(call: Callable[[], Coroutine[Any, Any, object]]) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(call())).result()


async def _sent(http: AiohttpTransport, *requests: Request) -> None:
    for request in requests:
        await http.send(request)


async def _done(work: Any) -> None:
    if asyncio.iscoroutine(work):
        await work
