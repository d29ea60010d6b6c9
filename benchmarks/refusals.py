"""Measure how quickly wrong media are refused, in turns with the start of an empty interpreter.

What belongs here: the promise that a refusal is quick. Only the ratio is valid on another machine.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Final

from ground import HERE

from tiktok_adapters.clocks import ManualClock
from tiktok_adapters.probes import MediaInfoProbe
from tiktok_adapters.simulator import SimulatedTikTok
from tiktok_adapters.sources import FileSource, open_source
from tiktok_adapters.stores.memory import MemoryJournal, MemoryTokenStore
from tiktok_adapters.transports.fake import FakeTransport
from tiktok_core import App, InvalidPost, PhotoPost, TikTok, VideoPost

__all__: list[str] = []

MEDIA: Final = HERE.parent / "tests" / "media"
VIDEOS: Final = (
    "15fps.mp4",
    "5000-wide.mp4",
    "renamed.mp4",
    "cut-frames.mp4",
    "cut-index.mp4",
    "cut.webm",
    "mpeg4.mp4",
)
PICTURES: Final = ("square.png", "1254.jpg")
FRESH: Final = (
    "import sys; from tiktok_adapters.probes import MediaInfoProbe; from tiktok_adapters.sources import FileSource; "
    "MediaInfoProbe().facts(FileSource(sys.argv[1]))"
)


def main() -> None:
    """Print a row for each file, and one for a check in a separate process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    with closing(SimulatedTikTok()) as sim:
        tiktok = TikTok(
            App("key", "secret", "https://app.example.com/callback/"),
            transport=FakeTransport(sim.handle),
            tokens=MemoryTokenStore(),
            journal=MemoryJournal(),
            clock=ManualClock(),
            open_source=open_source,
            probe=MediaInfoProbe(),
        )
        MediaInfoProbe().facts(FileSource(MEDIA / "good.mp4"))  # This loads the library before the measurement.
        for name in VIDEOS:
            post = VideoPost(privacy_level="SELF_ONLY")
            show(name, lambda name=name, post=post: refused(lambda: tiktok.check_video(MEDIA / name, post)), rounds)
        for name in PICTURES:
            photos = PhotoPost(photo_images=("https://media.example.com/1.jpg",), privacy_level="SELF_ONLY")
            check = lambda name=name, photos=photos: tiktok.check_photos(photos, files=[MEDIA / name])  # noqa: E731
            show(name, lambda check=check: refused(check), rounds)
    show("a look in a process of its own", lambda: started(FRESH, MEDIA / "15fps.mp4"), rounds)


def show(name: str, act: Callable[[], object], rounds: int) -> None:
    """Print the median ratio of the check's time to the start of an empty interpreter in the same round."""
    ratios = sorted(took(act) / took(lambda: started("pass")) for _ in range(rounds))
    print(f"{name:32} {median(ratios):6.3f} x an empty interpreter ({ratios[0]:.3f} to {ratios[-1]:.3f})")


def refused(check: Callable[[], object]) -> None:
    """Check a file that has to be refused."""
    try:
        check()
    except InvalidPost:
        return
    raise RuntimeError("the wrong file was not refused")


def started(code: str, *arguments: Path) -> None:
    """Run a fresh interpreter."""
    subprocess.run([sys.executable, "-c", code, *map(str, arguments)], check=True)


def took(act: Callable[[], object]) -> float:
    """Return the seconds that a function takes."""
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
