"""What is given to the clients that `connect` makes, over real sockets: on which threads it is read.

What belongs here: what the core, the background and the transports make of it together.
"""

import asyncio
import io
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from clips import film
from signed_in import signed_in
from tiktok_adapters import connect, connect_async
from tiktok_adapters.simulator import SimulatedTikTok

FILM = film(3_000_000)
FILM_BYTES = FILM.read(0, FILM.size)


class Watched(io.BytesIO):
    """An open file that notes on which threads it is touched."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.threads: set[int] = set()

    def read(self, size: int | None = -1, /) -> bytes:
        """Read, and note the thread."""
        self.threads.add(threading.get_ident())
        return super().read(size)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Seek, and note the thread."""
        self.threads.add(threading.get_ident())
        return super().seek(offset, whence)


@pytest.fixture
def sim() -> SimulatedTikTok:
    """Return the TikTok that is served."""
    found = SimulatedTikTok()
    found.switches.processing_seconds = 0
    return found


@pytest.fixture
def environ(sim: SimulatedTikTok, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Yield settings with which a client is signed in there."""
    with signed_in(sim, tmp_path / "home") as settings:
        yield settings


def is_posted(sim: SimulatedTikTok) -> bool:
    """Whether TikTok has the film, once."""
    (post,) = sim.posts
    return sim.read_video(post.publish_id) == FILM_BYTES


def test_an_asynchronous_client_reads_nothing_on_its_loop(sim: SimulatedTikTok, environ: dict[str, str]) -> None:
    """A slow disk under an upload delays no other task."""
    file = Watched(FILM_BYTES)

    async def main() -> None:
        async with connect_async(environ=environ) as tiktok:
            account = await tiktok.account()
            await account.post_video(file, privacy_level="SELF_ONLY")

    asyncio.run(main())
    assert is_posted(sim)
    assert file.threads
    assert threading.get_ident() not in file.threads


def test_a_blocking_client_reads_a_strangers_object_on_the_callers_thread(
    sim: SimulatedTikTok, environ: dict[str, str]
) -> None:
    """Such an object may belong to its thread, as a value of an SQLite database does; MediaInfo would read it on another."""
    with closing(sqlite3.connect(":memory:")) as database, connect(environ=environ, probe=False) as tiktok:
        database.execute("CREATE TABLE films (film BLOB)")
        database.execute("INSERT INTO films VALUES (?)", (FILM_BYTES,))
        with database.blobopen("films", "film", 1, readonly=True) as blob:
            given: Any = blob
            tiktok.account().post_video(given, privacy_level="SELF_ONLY")
    assert is_posted(sim)


def test_posts_of_one_open_file_run_at_once(sim: SimulatedTikTok, environ: dict[str, str]) -> None:
    """They share its cursor, and each gets the bytes that it asked for."""
    file, wrong = io.BytesIO(FILM_BYTES), []

    def post(number: int) -> None:
        try:
            tiktok.account().post_video(file, privacy_level="SELF_ONLY", title=str(number))
        except Exception as error:  # noqa: BLE001 - told below
            wrong.append(error)

    with connect(environ=environ) as tiktok:
        threads = [threading.Thread(target=post, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []
    assert [sim.read_video(one.publish_id) == FILM_BYTES for one in sim.posts] == [True] * 3
