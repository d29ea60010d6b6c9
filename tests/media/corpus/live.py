"""Recordings: WebM whose header was written before anybody knew how long it would last, and what web pages record.

What belongs here: live WebM by each program, and Chromium's MediaRecorder, whose frames come when the page has drawn them.
"""

from functools import partial
from typing import Any, Final

from corpus.made import FFMPEG, GSTREAMER, LONG, Label, Limit, Made, Step, copied, refused, taken
from corpus.patches import hushed
from corpus.recorder import recorded, recorded_faster

__all__ = ["LIVE"]

LIVELY: Final = "live WebM"
VP9_WEBM: Final = "video/webm;codecs=vp9"
H264_MP4: Final = "video/mp4;codecs=avc1"
LIVES: Final = f"{FFMPEG} -i {{}} -c copy -live 1 {{{{out}}}}"
STREAMED: Final = (
    f"{GSTREAMER} filesrc location={{}} ! matroskademux ! webmmux streamable=true ! fdsink | cat > {{{{out}}}}"
)


def _live(name: str, seconds: int, why: str, *steps: Step, producer: str = "ffmpeg") -> Made:
    if seconds > 600:
        return refused(name, Limit.DURATION, LIVELY, LONG + why, *steps, producer=producer)
    return taken(name, LIVELY, why, *steps, producer=producer)


def _page(name: str, label: Label, why: str, *, limit: Limit | None = None, speed: int = 1, **how: Any) -> Made:
    how = {"kind": "video/webm;codecs=vp8", "slice_ms": 1000, "size": (400, 360), **how}
    step = partial(recorded_faster, speed=speed, **how) if speed > 1 else partial(recorded, **how)
    return Made(name=name, steps=(step,), label=label, limit=limit, case=LIVELY, why=why, producer="Chromium")


LIVE: Final[tuple[Made, ...]] = (
    taken("live.webm", LIVELY, "two seconds", LIVES.format("good.webm"), is_quick=True),
    _live("live-590.webm", 590, "ffmpeg's, VP8", LIVES.format("film-590.webm")),
    _live("live-660.webm", 660, "ffmpeg's, VP8", LIVES.format("film-660.webm")),
    _live("live-vp9-660.webm", 660, "ffmpeg's, VP9", LIVES.format("film-660-vp9.webm")),
    _live("live-300.webm", 300, "ffmpeg's", copied("ten-vp8.webm", 300, "-live 1")),
    _live(
        "live-sound-660.webm",
        660,
        "ffmpeg's, with sound",
        f"{FFMPEG} -i film-660.webm -i tone-590.webm -map 0 -map 1 -c copy -live 1 {{out}}",
    ),
    _live("live-g-2.webm", 2, "GStreamer's", STREAMED.format("good.webm"), producer="GStreamer"),
    _live("live-g-590.webm", 590, "GStreamer's", STREAMED.format("film-590.webm"), producer="GStreamer"),
    _live("live-g-660.webm", 660, "GStreamer's", STREAMED.format("film-660.webm"), producer="GStreamer"),
    _live("hushed-2.webm", 2, "a Void where the Duration was", partial(hushed, source="good.webm"), producer="bytes"),
    _live(
        "hushed-660.webm",
        660,
        "a Void where the Duration was",
        partial(hushed, source="film-660.webm"),
        producer="bytes",
    ),
    _page("page-vp8.webm", Label.OPEN, "recorded by a page, in one part", seconds=5, rate=30, slice_ms=0),
    _page(
        "page-vp9.webm", Label.OPEN, "recorded by a page, in one part", seconds=5, rate=30, kind=VP9_WEBM, slice_ms=0
    ),
    _page("page-slices.webm", Label.OPEN, "recorded by a page, in parts of a second", seconds=5, rate=30),
    _page(
        "page-slices-vp9.webm",
        Label.OPEN,
        "recorded by a page, in parts of a second",
        seconds=5,
        rate=30,
        kind=VP9_WEBM,
    ),
    _page("page-300.webm", Label.OPEN, "five minutes, recorded by a page in parts", seconds=300, rate=24, speed=4),
    _page(
        "page-720.webm",
        Label.REFUSED,
        LONG + "recorded by a page in parts",
        seconds=720,
        rate=24,
        speed=8,
        limit=Limit.DURATION,
    ),
    _page(
        "page-av1.webm",
        Label.REFUSED,
        "AV1, recorded by a page",
        seconds=3,
        rate=30,
        kind="video/webm;codecs=av1",
        limit=Limit.CODEC,
    ),
    _page("page-h264.mp4", Label.OPEN, "H.264 in fragments, recorded by a page", seconds=5, rate=30, kind=H264_MP4),
    _page(
        "page-whole.mp4",
        Label.OPEN,
        "H.264 recorded by a page in one part",
        seconds=5,
        rate=30,
        kind=H264_MP4,
        slice_ms=0,
    ),
    _page(
        "page-vp9.mp4", Label.OPEN, "VP9 in an MP4, recorded by a page", seconds=5, rate=30, kind="video/mp4;codecs=vp9"
    ),
    _page(
        "page-720.mp4",
        Label.REFUSED,
        LONG + "H.264 in fragments, recorded by a page",
        seconds=720,
        rate=24,
        speed=8,
        kind=H264_MP4,
        limit=Limit.DURATION,
    ),
    _page(
        "page-slow-100.mp4",
        Label.REFUSED,
        "100 s of two frames a second; the last sample of each fragment is told as 1/30 s",
        seconds=100,
        rate=2,
        speed=10,
        kind=H264_MP4,
        limit=Limit.RATE,
    ),
    _page(
        "page-slow-720.mp4",
        Label.REFUSED,
        LONG + "two frames a second",
        seconds=720,
        rate=2,
        speed=20,
        kind=H264_MP4,
        limit=Limit.DURATION,
    ),
    _page(
        "page-slow-vp9.mp4",
        Label.REFUSED,
        "30 s of five frames a second",
        seconds=30,
        rate=5,
        speed=5,
        kind="video/mp4;codecs=vp9",
        limit=Limit.RATE,
    ),
    _page(
        "page-slow.webm", Label.REFUSED, "30 s of two frames a second", seconds=30, rate=2, speed=5, limit=Limit.RATE
    ),
    _page(
        "page-slow-720.webm",
        Label.REFUSED,
        LONG + "two frames a second",
        seconds=720,
        rate=2,
        speed=20,
        limit=Limit.DURATION,
    ),
)
