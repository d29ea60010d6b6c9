"""Where a transport may be used: in the process and event loop it belongs to, until it is closed, and never in a pickle.

What belongs here: mistakes of a program, each of which is named instead of hanging or mixing up answers.
"""

import asyncio
import copy
import pickle
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tiktok_adapters.testing.contracts.behaviour import BehaviourServer
from tiktok_adapters.transports.aiohttp import AiohttpTransport
from tiktok_adapters.transports.urllib3 import Urllib3Transport
from tiktok_core.errors import NotSent
from tiktok_core.wire.http import Request

Kind = type[Urllib3Transport] | type[AiohttpTransport]

both = pytest.mark.parametrize("kind", [Urllib3Transport, AiohttpTransport])

# A real fork, in a program with one thread. The child tries to send and to close, and leaves the parent's alone.
BLOCKING = """
import os, sys
from tiktok_adapters.transports.urllib3 import Urllib3Transport
from tiktok_core.errors import NotSent
from tiktok_core.wire.http import Request

request = Request(method="GET", url=sys.argv[1] + "/status/200")
http = Urllib3Transport()
print(http.send(request).status, flush=True)
if (child := os.fork()) == 0:
    try:
        http.send(request)
    except NotSent as error:
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
from tiktok_core.errors import NotSent
from tiktok_core.wire.http import Request

request = Request(method="GET", url=sys.argv[1] + "/status/200")

async def in_child(inherited):
    try:
        await inherited.send(request)
    except NotSent as error:
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
    """Two processes on one connection would read each other's answers; what the child does harms the parent's nothing."""
    command = [sys.executable, "-W", "error", "-c", program, server.base_url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    said = "this transport belongs to another process: make a new client (or transport) after the fork"
    assert done.stdout.splitlines() == ["200", said, "200", "200"]
    # The parent goes on over the connection that it had.
    assert [seen.connection for seen in server.seen] == [0, 1, 0]


def test_another_event_loop_is_refused(server: BehaviourServer) -> None:
    """Connections belong to the loop they were made in; the mistake is named instead of hanging."""
    request = Request(method="GET", url=f"{server.base_url}/status/200")
    http = AiohttpTransport()
    with asyncio.Runner() as runner:
        runner.run(http.send(request))
        said = r"belongs to another event loop: make a client \(or transport\) for each loop"
        with pytest.raises(NotSent, match=said):
            _run_elsewhere(lambda: http.send(request))
        with pytest.raises(RuntimeError, match=said):
            _run_elsewhere(http.close)
        runner.run(http.close())
    assert len(server.seen) == 1


def test_an_event_loop_that_has_ended_is_another_one(server: BehaviourServer) -> None:
    """A second `asyncio.run` is a second loop: what is left of the first is of no use to it."""
    request = Request(method="GET", url=f"{server.base_url}/status/200")
    http = AiohttpTransport()

    async def first() -> None:
        await http.send(request)
        await http.close()

    asyncio.run(first())
    with pytest.raises(NotSent, match="another event loop"):
        asyncio.run(_sent(http, request))


def test_without_an_event_loop_it_is_refused() -> None:
    """Nothing is begun where nobody could go on with it."""
    sending = AiohttpTransport().send(Request(method="GET", url="http://127.0.0.1:9/"))
    with pytest.raises(NotSent, match="no running event loop"):
        sending.send(None)


def test_a_blocking_transport_serves_any_thread_and_any_loop(server: BehaviourServer) -> None:
    """It belongs to a process only."""
    request = Request(method="GET", url=f"{server.base_url}/status/200")
    with Urllib3Transport() as http:

        async def from_a_thread() -> int:
            return (await asyncio.to_thread(http.send, request)).status

        assert [asyncio.run(from_a_thread()) for _ in range(2)] == [200, 200]


@both
def test_use_after_close_is_not_sent(kind: Kind, server: BehaviourServer) -> None:
    """A plain sentence says why, and nothing reaches the server; closing again is no mistake."""
    request = Request(method="GET", url=f"{server.base_url}/status/200?token=1")

    async def main() -> None:
        http = kind()
        await _done(http.send(request))
        for _ in range(2):
            await _done(http.close())
            with pytest.raises(NotSent) as caught:
                await _done(http.send(request))
            assert str(caught.value) == f"GET {server.base_url}/status/200: the transport is closed."

    asyncio.run(main())
    assert len(server.seen) == 1


@both
@pytest.mark.parametrize("copied", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_transport_is_not_copied(kind: Kind, copied: Callable[[object], object]) -> None:
    """Connections do not travel to another process, and no copy shares them."""
    with pytest.raises(TypeError, match="a transport is not pickled: it holds connections"):
        copied(kind())


def test_a_transport_that_was_never_used_closes() -> None:
    """Closing needs nothing to have been opened."""
    asyncio.run(AiohttpTransport().close())
    Urllib3Transport().close()


def _run_elsewhere(call: Callable[[], Coroutine[Any, Any, object]]) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(call())).result()


async def _sent(http: AiohttpTransport, request: Request) -> None:
    await http.send(request)


async def _done(work: Any) -> None:
    if asyncio.iscoroutine(work):
        await work
