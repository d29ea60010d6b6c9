"""Many processes continue one post at once: one of them acts, and all see the same end."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from clips import HEAD
from signed_in import signed_in
from tiktok_adapters import connect
from tiktok_adapters.simulator import SimulatedTikTok
from tiktok_core.domain.pacing import Quota

PROCESSES = 32
RESUME = 'account.resume("mine")'
POSTS = {
    "a video": 'account.post_video(os.environ["FILM"], privacy_level="SELF_ONLY", key="mine")',
    "photos": 'account.post_photos(["https://media.example.com/1.jpg"], privacy_level="SELF_ONLY", key="mine")',
}
# One interpreter imports everything once. Its children share only the files and what a fork copies.
CROWD = """
import os, sys
from tiktok_adapters import connect
import tiktok_adapters.stores.sqlite, tiktok_adapters.transports.urllib3, cattrs

children = []
for number in range(int(os.environ["PROCESSES"])):
    child = os.fork()
    if child == 0:
        try:
            with connect() as tiktok:
                account = tiktok.account()
                done = eval(os.environ["DOES"])
            line = f"{done.publish_id} {done.status}\\n"
        except BaseException as error:
            line = f"{type(error).__name__} {getattr(error, 'code', error)}\\n"
        os.write(1, line.encode())
        os._exit(0)
    children.append(child)
for child in children:
    os.waitpid(child, 0)
"""


@pytest.fixture
def environ(tmp_path: Path) -> Iterator[tuple[SimulatedTikTok, dict[str, str]]]:
    """Give a sandbox with a signed-in account, and the settings that name it."""
    simulated = SimulatedTikTok()
    simulated.switches.processing_seconds = 1.0
    with signed_in(simulated, tmp_path / "home") as settings:
        yield simulated, settings


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the crowd is made by forking")
def test_one_of_many_processes_acts_and_all_see_the_same(
    environ: tuple[SimulatedTikTok, dict[str, str]], tmp_path: Path
) -> None:
    """An upload was interrupted after its first chunk.

    32 processes resume it: each byte leaves once, and there is one post.
    """
    simulated, settings = environ
    film = tmp_path / "film.mp4"
    film.write_bytes(HEAD + bytes(16_000_000))
    with connect(environ=settings) as tiktok, pytest.raises(KeyboardInterrupt):
        tiktok.account().post_video(
            film,
            privacy_level="SELF_ONLY",
            chunk_size=5_242_880,
            key="mine",
            on_progress=lambda told: _interrupt() if told.sent_bytes > 6_000_000 else None,
        )
    before = simulated.count("put")
    ends = _crowd(settings, RESUME)
    (post,) = simulated.posts
    assert ends == {f"{post.publish_id} PUBLISH_COMPLETE": PROCESSES}
    assert post.bytes_received == film.stat().st_size
    assert simulated.count("video_init") == 1
    assert simulated.count("put") - before == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the crowd is made by forking")
@pytest.mark.parametrize("what", POSTS)
def test_many_processes_that_post_the_same_at_once_make_one_post(
    environ: tuple[SimulatedTikTok, dict[str, str]], tmp_path: Path, what: str
) -> None:
    """32 processes post under one key, from nothing: one init, one post, and all of them return it."""
    simulated, settings = environ
    ends = _crowd({**settings, "FILM": str(_film(tmp_path))}, POSTS[what])
    (post,) = simulated.posts
    assert ends == {f"{post.publish_id} PUBLISH_COMPLETE": PROCESSES}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the crowd is made by forking")
@pytest.mark.parametrize("what", POSTS)
def test_many_processes_whose_post_is_refused_all_hear_of_it(
    environ: tuple[SimulatedTikTok, dict[str, str]], tmp_path: Path, what: str
) -> None:
    """No process takes another's refusal for a success."""
    simulated, settings = environ
    simulated.creator.private = False
    # Each process after a refusal tries again. More processes than these would wait for TikTok's minute.
    ends = _crowd({**settings, "FILM": str(_film(tmp_path))}, POSTS[what], processes=Quota.INIT.value)
    assert ends == {"PostingRefused unaudited_client_can_only_post_to_private_accounts": Quota.INIT.value}
    assert not simulated.posts


def _film(folder: Path) -> Path:
    film = folder / "film.mp4"
    film.write_bytes(HEAD + bytes(100_000))
    return film


def _crowd(settings: dict[str, str], does: str, processes: int = PROCESSES) -> Counter[str]:
    crowd = subprocess.run(
        [sys.executable, "-W", "error", "-c", CROWD],
        env={**os.environ, **settings, "DOES": does, "PROCESSES": str(processes)},
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    assert not crowd.stderr
    return Counter(crowd.stdout.splitlines())


def _interrupt() -> None:
    raise KeyboardInterrupt
