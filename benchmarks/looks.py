"""Measure how long a look into a film takes on a slow disk, as a share of its limit, and whether the event loop goes on meanwhile.

What belongs here: the promise that no look stops a program. The time that a read takes is set here, so that it is no machine's.
"""

import asyncio
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from ground import HERE

from tiktok_adapters.background import AsyncioBackground
from tiktok_adapters.clocks import AsyncioClock
from tiktok_adapters.simulator import SimulatedTikTok
from tiktok_adapters.sources import BytesSource
from tiktok_adapters.stores.memory import MemoryJournal, MemoryTokenStore
from tiktok_adapters.transports.fake import FakeTransport
from tiktok_core import App, AsyncTikTok, InvalidPost, VideoPost
from tiktok_core.flows.posting.video_file import LOOK
from tiktok_core.lifting import lift_journal, lift_tokens, lift_transport

__all__: list[str] = []

MEDIA: Final = HERE.parent / "tests" / "media"
READS: Final = (0.0, 0.005, 0.05)
"""Seconds for one read."""
PARTS: Final = 1_324
"""Fragments of the long film: that many key frames has a film of 22 minutes that was made to be streamed."""


class Slow(BytesSource):
    """A source whose reads take their time."""

    def __init__(self, data: bytes, seconds: float) -> None:
        super().__init__(data)
        self._seconds = seconds

    def read(self, start: int, length: int, /) -> bytes:
        """Wait, and read."""
        time.sleep(self._seconds)
        return super().read(start, length)


def main() -> None:
    """Print a row for each film and each speed of the disk."""
    films = {path.name: path.read_bytes() for path in map(MEDIA.joinpath, ("good.mp4", "live.webm"))}
    films[f"{PARTS:,} fragments"] = long_film(MEDIA / "fragmented.mp4")
    print(f"{'film':20}{'a read':>10}{'the look':>22}{'longest pause of the loop':>30}")
    for name, data in films.items():
        for seconds in READS:
            took, pause = asyncio.run(looked(Slow(data, seconds)))
            limit = LOOK.total_seconds()
            print(
                f"{name:20}{seconds * 1000:>7g} ms{took / limit:>12.3f} x its limit{pause / limit:>20.3f} x the limit"
            )


def long_film(path: Path) -> bytes:
    """Return a film in many fragments, without a list of them."""
    whole = path.read_bytes()
    begins, time_at = whole.index(b"moof") - 4, whole.index(b"tfdt") + 8
    width, end = 8 if whole[time_at - 4] == 1 else 4, whole.index(b"mfra") - 4 if b"mfra" in whole else len(whole)
    rest = whole[time_at + width : end] + b"\0\0\x80\0free" + bytes(0x7FF8)
    return whole[:begins] + b"".join(
        whole[begins:time_at] + (12_288 * number).to_bytes(width) + rest for number in range(PARTS)
    )


async def looked(source: Slow) -> tuple[float, float]:
    """Return the seconds that a check takes, and the longest in which the event loop did not turn."""
    with closing(SimulatedTikTok()) as sim:
        tiktok = AsyncTikTok(
            App("key", "secret", "https://app.example.com/callback/"),
            transport=lift_transport(FakeTransport(sim.handle)),
            tokens=lift_tokens(MemoryTokenStore()),
            journal=lift_journal(MemoryJournal()),
            clock=AsyncioClock(),
            background=AsyncioBackground(),
        )
        pauses = [0.0]

        async def turn() -> None:
            while True:
                before = time.perf_counter()
                await asyncio.sleep(0.001)
                pauses.append(time.perf_counter() - before)

        turning = asyncio.ensure_future(turn())
        began = time.perf_counter()
        with suppress(InvalidPost):  # The long film is refused, as soon as it was seen to be too long.
            await tiktok.check_video(source, VideoPost(draft=True))
        took = time.perf_counter() - began
        turning.cancel()
        return took, max(pauses)


if __name__ == "__main__":
    main()
