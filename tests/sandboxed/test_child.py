"""A command without a warden, as on systems other than Linux; and what a warden's other end does when the warden is gone."""

import asyncio
import os
import signal
import sys

import pytest

from tiktok_adapters.sandboxed.child import Alone, Child, exit_status
from worlds import need_namespaces


@pytest.mark.parametrize(("status", "told"), [(0, 0), (7, 7), (-9, 137), (-15, 143)])
def test_a_status_is_told_as_a_shell_tells_it(status: int, told: int) -> None:
    """A signal is 128 and its number."""
    assert exit_status(status) == told


def test_a_command_alone_begins_gets_signals_and_ends() -> None:
    """It begins with `go`, gets the signals, and its status is that of its end; afterwards signals are nobody's."""

    async def ended() -> int:
        child = Alone(["sh", "-c", "trap 'exit 5' TERM; kill -STOP $$; sleep 20 & wait"], dict(os.environ))
        await child.go()
        child.signal(signal.SIGTERM)
        child.signal(signal.SIGCONT)
        status = await child.ended()
        child.signal(signal.SIGTERM)
        await child.close()
        return status

    assert asyncio.run(ended()) in {5, -signal.SIGTERM}


def test_a_command_alone_is_killed_at_the_end() -> None:
    """Who closes it before its end kills it."""

    async def closed() -> int:
        child = Alone([sys.executable, "-c", "import time; time.sleep(300)"], dict(os.environ))
        await child.close()
        await child.go()
        await child.close()
        return await child.ended()

    assert asyncio.run(closed()) == -signal.SIGKILL


def test_a_command_that_has_not_begun_has_no_end() -> None:
    """To wait for it is a mistake of the caller's."""
    with pytest.raises(RuntimeError, match="has not begun"):
        asyncio.run(Alone(["true"], {}).ended())


def test_a_missing_command_is_the_systems_error() -> None:
    """It is told where the command begins."""
    with pytest.raises(FileNotFoundError):
        asyncio.run(Alone(["no-such-program-here"], dict(os.environ)).go())


@pytest.mark.skipif(sys.platform != "linux", reason="wardens need Linux")
def test_a_connection_to_a_warden_that_is_gone_is_refused() -> None:
    """Who waits for a connection into the namespace gets an error, not silence, when the warden is killed."""
    from tiktok_adapters.sandboxed.warded import Warded  # noqa: PLC0415

    need_namespaces()

    async def refused() -> int:
        world = {"address": "10.0.0.1", "covers": [], "reach": []}
        child = Warded(["sleep", "300"], dict(os.environ), "/nonexistent", world)
        for one in await child.ready():
            one.close()
        await child.go()
        with pytest.raises(ConnectionRefusedError):
            await child.connect(9)
        os.kill(child._process.pid, signal.SIGSTOP)
        waiting = [asyncio.ensure_future(child.connect(9)) for _ in range(2)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        os.kill(child._process.pid, signal.SIGKILL)
        with pytest.raises(ConnectionRefusedError):
            await waiting[1]
        checked: Child = child
        checked.signal(signal.SIGTERM)
        status = await checked.ended()
        await checked.close()
        return status

    assert asyncio.run(refused()) == -signal.SIGKILL


@pytest.mark.skipif(sys.platform != "linux", reason="wardens need Linux")
def test_a_connection_that_nobody_waits_for_any_more_is_closed() -> None:
    """Answers come in order: a cancelled wait does not take the connection of the next one, and leaves none open."""
    from tiktok_adapters.sandboxed.warded import Warded  # noqa: PLC0415

    need_namespaces()

    async def dialled() -> bytes:
        reads, writes = os.pipe()
        os.set_inheritable(writes, True)
        serve = (
            f"import os, socket; one = socket.create_server(('127.0.0.1', 9)); os.write({writes}, b'ready')\n"
            "while True: one.accept()[0].sendall(b'hello')"
        )
        world = {"address": "10.0.0.1", "covers": [], "reach": []}
        child = Warded([sys.executable, "-c", serve], dict(os.environ), "/nonexistent", world)
        os.close(writes)
        for one in await child.ready():
            one.close()
        await child.go()
        await asyncio.to_thread(os.read, reads, 6)
        os.close(reads)
        first, second = (asyncio.ensure_future(child.connect(9)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        with await second as connection:
            said = await asyncio.get_running_loop().sock_recv(connection, 5)
        await child.close()
        return said

    assert asyncio.run(dialled()) == b"hello"
