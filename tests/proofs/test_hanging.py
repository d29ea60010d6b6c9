"""A hung source or disk stops neither other calls nor the end of the program.

What belongs here: sources and stores that never answer, under whole clients and in separate programs. Sources hang on
an event that is never set, as a file on a dead network drive does.
"""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field

from clips import CLIP, HEAD
from signed_in import signed_in
from tiktok_adapters import connect, connect_async
from tiktok_adapters.simulator import SimulatedTikTok
from tiktok_core import SourceChanged
from tiktok_core.domain.media import HEAD_LENGTH

SIZE = 3_000_000
TIMEOUT = 0.5
PLACES = ["size", "fingerprint", "type", "body"]
"""Where a source hangs; each of them is something that an upload cannot do without."""


@define(eq=False)
class Hanging:
    """A source that hangs at one place until the test releases it. It knows which threads have called it."""

    at: str
    go_on: threading.Event = field(factory=threading.Event)
    hangs: threading.Event = field(factory=threading.Event)
    threads: set[int] = field(factory=set)

    def _at(self, place: str) -> None:
        self.threads.add(threading.get_ident())
        if place == self.at:
            self.hangs.set()
            self.go_on.wait()

    @property
    def size(self) -> int:
        """Bytes in all."""
        self._at("size")
        return SIZE

    @property
    def fingerprint(self) -> str:
        """Return its fingerprint."""
        self._at("fingerprint")
        return "hanging"

    def read(self, start: int, length: int, /) -> bytes:
        """Return bytes. The first look is for the type, and longer ones are for the layout."""
        self._at("type" if length <= HEAD_LENGTH else "layout")
        return (HEAD + bytes(SIZE - len(HEAD)))[start : start + length]

    def read_into(self, start: int, buffer: memoryview, /) -> int:
        """Fill a buffer with what is to be sent."""
        self._at("body")
        block = (HEAD + bytes(SIZE - len(HEAD)))[start : start + len(buffer)]
        buffer[: len(block)] = block
        return len(block)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[tuple[SimulatedTikTok, dict[str, str]]]:
    """Serve a TikTok at which an account has signed in."""
    sim = SimulatedTikTok()
    sim.switches.processing_seconds = 0.0
    with signed_in(sim, tmp_path / "home") as environ:
        yield sim, environ


def post(account: Any, source: Any, key: str) -> Any:
    """Post a source."""
    return account.post_video(source, privacy_level="SELF_ONLY", key=key)


# --- Other calls -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", PLACES)
def test_a_source_that_hangs_stops_no_other_call_asynchronous(place: Any, at: str) -> None:
    """The call that hangs ends with one sentence after the time-out.

    Another upload gets its slot, and tokens come at once.
    """
    _, environ = place
    sources = [Hanging(at) for _ in range(5)]  # And one source that does not hang: TikTok accepts six inits a minute.

    async def main() -> None:
        async with connect_async(environ=environ, timeout=TIMEOUT, uploads=1, probe=False) as tiktok:
            account = await tiktok.account()
            posting = [asyncio.create_task(post(account, one, str(number))) for number, one in enumerate(sources)]
            while not any(source.hangs.is_set() for source in sources):  # noqa: ASYNC110 - told by another thread
                await asyncio.sleep(0)
            assert (await account.tokens()).open_id == account.open_id
            assert not all(task.done() for task in posting)
            good = asyncio.create_task(post(account, CLIP, "good"))
            for error in await asyncio.gather(*posting, return_exceptions=True):
                assert isinstance(error, SourceChanged)
                assert "within 0.5 s; check whether" in str(error)
            assert (await good).is_final
            # Only the loop's own calls may be on its thread.
            assert threading.get_ident() not in set().union(*(source.threads for source in sources))

    try:
        asyncio.run(main())
    finally:
        for source in sources:
            source.go_on.set()


@pytest.mark.parametrize("at", PLACES)
def test_a_source_that_hangs_stops_no_other_call_blocking(place: Any, at: str) -> None:
    """The call that hangs ends with one sentence after the time-out, and gives its slot back."""
    _, environ = place
    source = Hanging(at)
    with connect(environ=environ, timeout=TIMEOUT, uploads=1, probe=False) as tiktok:
        account = tiktok.account()
        try:
            with pytest.raises(SourceChanged, match=r"within 0\.5 s; check whether"):
                post(account, source, "hangs")
            assert post(account, CLIP, "good").is_final
        finally:
            source.go_on.set()


@pytest.mark.parametrize("world", ["blocking", "asynchronous"])
def test_what_cannot_be_looked_at_in_time_is_doubted_and_not_refused(
    place: Any, world: str, caplog: pytest.LogCaptureFixture
) -> None:
    """An unreadable layout is no reason against the post. The log says that the client did not look at it."""
    sim, environ = place
    source = Hanging("layout")
    try:
        if world == "blocking":
            with connect(environ=environ, timeout=TIMEOUT, probe=False) as tiktok:
                assert post(tiktok.account(), source, "wish").is_final
        else:

            async def main() -> None:
                async with connect_async(environ=environ, timeout=TIMEOUT, probe=False) as tiktok:
                    assert (await post(await tiktok.account(), source, "wish")).is_final

            asyncio.run(main())
    finally:
        source.go_on.set()
    assert [one.bytes_received for one in sim.posts] == [SIZE]
    assert "is not looked into before it is posted: the source did not answer within 0.5 s" in caplog.text


# --- The program's end -----------------------------------------------------------------------------------------------

ASYNCHRONOUS = """
import asyncio, sys, threading
from test_hanging import Hanging, HangingStore, post
from tiktok_adapters import connect_async
from tiktok_adapters.stores.threaded import ThreadedTokenStore

async def hung(*sources):
    while not all(source.hangs.is_set() for source in sources):
        await asyncio.sleep(0)

async def begun(tiktok, at):
    source = Hanging(at)
    task = asyncio.create_task(post(await tiktok.account(), source, "wish"))
    await hung(source)
    return task

async def alone(tiktok):
    "The call ends by itself."
    await post(await tiktok.account(), Hanging("body"), "wish")

async def cancelled(tiktok):
    "The call is cancelled while it hangs, as by a time limit of the caller's."
    task = await begun(tiktok, "body")
    task.cancel()
    await task

async def looking(tiktok):
    "The loop ends while a look hangs."
    task = await begun(tiktok, "fingerprint")
    sys.exit(7)

async def closed(tiktok):
    "The client is closed while the call hangs."
    sources = [Hanging("body") for _ in range(6)]
    account = await tiktok.account()
    tasks = [asyncio.create_task(post(account, one, str(number))) for number, one in enumerate(sources)]
    await hung(*sources)
    await tiktok.close()
    sys.exit(7)

async def store(tiktok):
    "Another client's disk hangs, and is not waited for."
    hangs = HangingStore()
    task = asyncio.create_task(ThreadedTokenStore(hangs).load("me"))
    await hung(hangs)
    assert (await (await tiktok.account()).tokens()).open_id
    sys.exit(7)

async def main():
    async with connect_async(timeout=0.5 if sys.argv[1] == "alone" else 3600, probe=False) as tiktok:
        await globals()[sys.argv[1]](tiktok)

try:
    asyncio.run(main())
except BaseException as error:
    print(type(error).__name__)
    raise SystemExit(7)
"""

BLOCKING = """
import signal, sys, threading
from test_hanging import Hanging, post
from tiktok_adapters import connect

def interrupted(tiktok, at):
    source = Hanging(at)
    main = threading.main_thread().ident
    def interrupt():
        source.hangs.wait()
        signal.pthread_kill(main, signal.SIGINT)
    threading.Thread(target=interrupt, daemon=True).start()
    post(tiktok.account(), source, "wish")

def alone(tiktok):
    "The call ends by itself."
    post(tiktok.account(), Hanging("body"), "wish")

def cancelled(tiktok):
    "Ctrl-C while the call hangs."
    interrupted(tiktok, "body")

def looking(tiktok):
    "Ctrl-C while a look hangs."
    interrupted(tiktok, "fingerprint")

def closed(tiktok):
    "The client is closed while the call hangs in a thread of the program's."
    source = Hanging("body")
    account = tiktok.account()
    threading.Thread(target=lambda: post(account, source, "wish"), daemon=True).start()
    source.hangs.wait()
    tiktok.close()
    sys.exit(7)

try:
    with connect(timeout=0.5 if sys.argv[1] == "alone" else 3600, probe=False) as tiktok:
        globals()[sys.argv[1]](tiktok)
except BaseException as error:
    print(type(error).__name__)
    raise SystemExit(7)
"""

ENDS = {
    "alone": "SourceChanged",
    "cancelled": "CancelledError",
    "looking": "SystemExit",
    "closed": "SystemExit",
    "store": "SystemExit",
}


class HangingStore:
    """A token store whose disk hangs for ever."""

    def __init__(self) -> None:
        self.hangs = threading.Event()

    def load(self, _account: str, /) -> None:
        """Hang."""
        self.hangs.set()
        threading.Event().wait()


def run(program: str, how: str, environ: dict[str, str]) -> tuple[int, str]:
    """Run a program to its end; a program that does not end is a failure."""
    paths = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[1] / "shared"), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", program, how],
        env={**os.environ, **environ, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout.strip()


@pytest.mark.parametrize("how", ENDS)
def test_a_program_ends_though_a_source_or_a_disk_hangs_asynchronous(place: Any, how: str) -> None:
    """The program ends by itself, with the status that it chose, however it left the call that hangs."""
    assert run(ASYNCHRONOUS, how, place[1]) == (7, ENDS[how])


@pytest.mark.parametrize("how", ["alone", "cancelled", "looking", "closed"])
@pytest.mark.skipif(not hasattr(os, "fork"), reason="signals are sent to a thread")
def test_a_program_ends_though_a_source_or_a_disk_hangs_blocking(place: Any, how: str) -> None:
    """The program ends by itself, with the status that it chose, however it left the call that hangs."""
    expected = "KeyboardInterrupt" if how in ("cancelled", "looking") else ENDS[how]
    assert run(BLOCKING, how, place[1]) == (7, expected)
