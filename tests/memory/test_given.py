"""A large upload is posted without being loaded into memory: 100 MB as each framework gives it, and as a stream.

What belongs here: the peak of what Python allocates while a thing that was given is posted, with the simulated TikTok in the same process.
"""

import asyncio
import tempfile
import tracemalloc
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, Final

import pytest

from clips import HEAD
from tiktok_adapters.background import AsyncioBackground, ThreadBackground
from tiktok_adapters.clocks import ManualClock
from tiktok_adapters.protect import AsyncioProtect
from tiktok_adapters.simulator import DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, DEFAULT_REDIRECT_URI, SimulatedTikTok
from tiktok_adapters.sources import open_source
from tiktok_adapters.stores.memory import MemoryJournal, MemoryTokenStore
from tiktok_adapters.transports.fake import FakeTransport
from tiktok_core import App, AsyncTikTok, TikTok
from tiktok_core.lifting import lift_clock, lift_journal, lift_tokens, lift_transport

BLOCK: Final = HEAD + bytes(1_000_000 - len(HEAD))
BLOCKS: Final = 100
MOST: Final = 24 << 20
"""Bytes: parts of 4 MiB and blocks of 1 MiB, with their copies on the way, and what the flows allocate by themselves."""


@pytest.fixture
def film() -> Iterator[Any]:
    """Give an open temporary file of 100 MB, as a framework makes it."""
    with tempfile.SpooledTemporaryFile(max_size=1 << 20) as file:
        for _ in range(BLOCKS):
            file.write(BLOCK)
        file.seek(0)
        yield file


def flask(film: Any) -> Any:
    """Give an upload of Flask's."""
    found = pytest.importorskip("werkzeug.datastructures", reason="flask comes with `make check`")
    return found.FileStorage(film, "clip.mp4")


def django(film: Any) -> Any:
    """Give an upload of Django's."""
    found = pytest.importorskip("django.core.files.uploadedfile", reason="django comes with `make check`")
    from django.conf import settings  # noqa: PLC0415

    if not settings.configured:
        settings.configure(ALLOWED_HOSTS=["127.0.0.1"], LOGGING_CONFIG=None)
    return found.UploadedFile(film, "clip.mp4", "video/mp4", BLOCKS * len(BLOCK))


def fastapi(film: Any) -> Any:
    """Give an upload of FastAPI's."""
    found = pytest.importorskip("starlette.datastructures", reason="fastapi comes with `make check`")
    return found.UploadFile(film, filename="clip.mp4")


def aiohttp(film: Any) -> Any:
    """Give a field of a form of aiohttp's."""
    from aiohttp import web  # noqa: PLC0415
    from multidict import CIMultiDict, CIMultiDictProxy  # noqa: PLC0415

    return web.FileField("film", "clip.mp4", film, "video/mp4", CIMultiDictProxy(CIMultiDict()))


def stream(film: Any) -> Any:
    """Give what comes once."""
    return iter(lambda: film.read(1 << 20), b"")


def arriving(film: Any) -> Any:
    """Give what an event loop brings."""

    async def blocks() -> AsyncIterator[bytes]:
        while block := film.read(1 << 20):
            yield block

    return blocks()


def peak(work: Callable[[], Any]) -> int:
    """Return the most bytes that were allocated at once while the work was done."""
    tracemalloc.start(1)
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        work()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def clients(sim: SimulatedTikTok, clock: ManualClock) -> tuple[TikTok, AsyncTikTok]:
    """Return both clients of the simulated TikTok, over the same stores."""
    app = App(DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, DEFAULT_REDIRECT_URI)
    transport, tokens, journal = FakeTransport(sim.handle), MemoryTokenStore(), MemoryJournal()
    blocking = TikTok(
        app,
        transport=transport,
        tokens=tokens,
        journal=journal,
        clock=clock,
        background=ThreadBackground(),
        open_source=open_source,
    )
    asynchronous = AsyncTikTok(
        app,
        transport=lift_transport(transport),
        tokens=lift_tokens(tokens),
        journal=lift_journal(journal),
        clock=lift_clock(clock),
        protect=AsyncioProtect(),
        background=AsyncioBackground(),
        open_source=open_source,
    )
    return blocking, asynchronous


@pytest.mark.full
@pytest.mark.parametrize("is_blocking", [True, False], ids=["blocking", "asynchronous"])
@pytest.mark.parametrize("give", [flask, django, fastapi, aiohttp, stream, arriving])
def test_100_mb_are_posted_in_constant_memory(film: Any, give: Callable[[Any], Any], *, is_blocking: bool) -> None:
    """Less than a quarter of the film is ever in memory, and TikTok gets all of it."""
    if is_blocking and give is arriving:
        pytest.skip("only an event loop can read it")
    clock = ManualClock()
    sim = SimulatedTikTok(clock, keep_bytes=False)
    blocking, asynchronous = clients(sim, clock)
    authorization = blocking.authorization(redirect_uri="http://127.0.0.1:4000/callback/")
    account = blocking.sign_in(authorization, sim.authorize(authorization.url))
    account.post_video(HEAD + b"small", privacy_level="SELF_ONLY")  # What is imported at the first post does not count.
    given = give(film)

    async def post() -> None:
        theirs = await asynchronous.account()
        await theirs.post_video(given, privacy_level="SELF_ONLY")

    def work() -> None:
        if is_blocking:
            account.post_video(given, privacy_level="SELF_ONLY")
        else:
            made: Coroutine[Any, Any, None] = post()
            asyncio.run(made)

    assert peak(work) < MOST
    (_, posted) = sim.posts
    assert (posted.status, posted.bytes_received) == ("PUBLISH_COMPLETE", BLOCKS * len(BLOCK))
    sim.close()
