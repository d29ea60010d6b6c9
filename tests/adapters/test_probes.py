"""The probe of the extra `media`: what it reads of each kind of film, and that it never stops a post."""

import asyncio
import subprocess
import sys
import threading
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from tiktok_adapters import probes
from tiktok_adapters.probes import MediaInfoProbe, ThreadedProbe, usual_probe
from tiktok_adapters.sources import BytesSource, FileSource
from tiktok_core import SourceChanged, VideoFacts
from tiktok_core.domain.media import media_problems

MEDIA = Path(__file__).parents[1] / "media"
KNOWN = {
    "good.mp4": VideoFacts(codec="H.264", frame_rate=30.0, width=720, height=1280, duration=5.0),
    "index-first.mp4": VideoFacts(codec="H.264", frame_rate=30.0, width=720, height=1280, duration=5.0),
    "fragmented.mp4": VideoFacts(codec="H.264", frame_rate=24.0, width=360, height=640, duration=1.0),
    "h265.mov": VideoFacts(codec="H.265", frame_rate=29.97, width=360, height=640, duration=1.001),
    "vp8.webm": VideoFacts(codec="VP8", frame_rate=60.0, has_variable_rate=True, width=360, height=640, duration=1.0),
    "vp9.webm": VideoFacts(codec="VP9", frame_rate=30.0, has_variable_rate=True, width=360, height=640, duration=1.0),
    "live.webm": VideoFacts(codec="VP8", frame_rate=30.0, has_variable_rate=True, width=360, height=640),
    "varying.mp4": VideoFacts(
        codec="H.264", frame_rate=12.787, has_variable_rate=True, width=360, height=640, duration=1.934
    ),
}
WRONG = {
    "15fps.mp4": ["the frame rate is 15 a second; TikTok takes 23 to 60"],
    "5000-wide.mp4": ["the width is 5000 pixels; TikTok takes 360 to 4096"],
    "200-high.mp4": ["the height is 200 pixels; TikTok takes 360 to 4096"],
    "mpeg4.mp4": ["the codec is MPEG-4 Visual; TikTok takes H.264, H.265, VP8, VP9"],
    "eleven-minutes.mp4": [
        "the frame rate is 1 a second; TikTok takes 23 to 60",
        "it lasts 660.0 s; TikTok takes at most 600 s",
    ],
}


@pytest.mark.parametrize("name", KNOWN)
def test_each_kind_of_film_is_known(name: str) -> None:
    """In each container, the probe reads what ffmpeg was told to make, and TikTok accepts all of it."""
    found = MediaInfoProbe().facts(FileSource(MEDIA / name))
    assert found == KNOWN[name]
    assert list(media_problems(found)) == []


@pytest.mark.parametrize("name", WRONG)
def test_what_tiktok_refuses_is_read_from_the_film(name: str) -> None:
    """The probe reads each wrong figure as it is, and the check names it."""
    found = MediaInfoProbe().facts(FileSource(MEDIA / name))
    assert [problem.message for problem in media_problems(found)] == WRONG[name]


@pytest.mark.parametrize("name", ["sound.m4a", "good.jpg", "make.sh", "cut-index.mp4"])
def test_of_what_is_no_film_nothing_is_claimed(name: str) -> None:
    """Sounds, pictures, texts and a film without its index have no codec, no rate and no size."""
    found = MediaInfoProbe().facts(FileSource(MEDIA / name))
    assert (found.codec, found.frame_rate, found.width, found.height) == (None, None, None, None)
    assert found.has_picture is (False if name == "sound.m4a" else None), "sound alone is no film"


def test_each_video_track_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """TikTok does not say at which of them it looks. The duration is that of the longest."""
    tracks = [{"format": "AVC", "width": 1, "duration": 2000}, {"format": "JPEG", "width": 9000}]
    _found(monkeypatch, tracks, [{"duration": 5000}])
    assert MediaInfoProbe().facts(BytesSource(b"x")) == VideoFacts(
        codec="H.264", width=1, duration=5.0, others=(VideoFacts(codec="JPEG", width=9000),)
    )


def test_a_film_that_was_read_in_part_may_be_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The probe reads no more than enough of a file. Of the rest it knows nothing, and says so."""

    class Found:
        video_tracks: ClassVar = [SimpleNamespace(to_data=lambda: {"frame_rate": 15, "frame_rate_mode": "CFR"})]
        general_tracks: ClassVar = [SimpleNamespace(to_data=lambda: {"duration": 5000})]
        audio_tracks: ClassVar[list[Any]] = []

    def parse(reader: Any, **_: object) -> type[Found]:
        reader.read(probes.ENOUGH)
        return Found

    monkeypatch.setattr("pymediainfo.MediaInfo.parse", parse)
    found = MediaInfoProbe().facts(BytesSource(bytes(probes.ENOUGH + 1)))
    assert found == VideoFacts(frame_rate=15.0, has_variable_rate=True, duration=5.0, may_be_longer=True)


@pytest.mark.parametrize("value", ["", "many", "nan", "inf", "-1", 0, None, [], "1e999"])
def test_a_figure_that_is_none_is_left_out(monkeypatch: pytest.MonkeyPatch, value: object) -> None:
    """If the library gives something else in place of a figure, the figure is unknown, without an error or a refusal."""
    track = dict.fromkeys(("format", "frame_rate", "width", "height", "duration"), value)
    _found(monkeypatch, [{**track, "frame_rate_mode": "CFR", "format": None}], [])
    assert MediaInfoProbe().facts(BytesSource(b"x")) == VideoFacts()


def test_a_rate_that_the_library_is_not_sure_of_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the library does not say whether the rate is constant, the rate would be a guess."""
    _found(monkeypatch, [{"frame_rate": "1000.000"}], [])
    assert MediaInfoProbe().facts(BytesSource(b"x")).frame_rate is None


@pytest.mark.parametrize(
    "error", [OSError("no library"), RuntimeError("no version"), ValueError("no text"), SyntaxError("no XML")]
)
def test_a_library_that_fails_is_not_in_the_way(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """If the library cannot be loaded, or returns nonsense, the probe refuses no video."""

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("pymediainfo.MediaInfo.parse", fail)
    assert MediaInfoProbe().facts(BytesSource(b"x")) == VideoFacts()


def test_while_too_many_looks_do_not_end_no_more_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    """A further look returns nothing known. Once one of them has ended, the next look works again."""
    ended, begun = threading.Event(), list[int]()

    def busy(*_: object, **__: object) -> None:
        begun.append(1)
        ended.wait(10)
        raise OSError("never mind")

    monkeypatch.setattr("pymediainfo.MediaInfo.parse", busy)
    probe = MediaInfoProbe(time_limit=0.05)
    for _ in range(probes.LOOKS + 2):
        assert probe.facts(BytesSource(b"x")) == VideoFacts()
    assert len(begun) == probes.LOOKS
    ended.set()
    probe._time_limit = 10
    probe.facts(BytesSource(b"x"))
    assert len(begun) == probes.LOOKS + 1


def test_what_a_source_raises_is_raised() -> None:
    """The caller of the look gets the error of its own source. It is not lost in another thread."""

    class Broken(BytesSource):
        def read(self, start: int, length: int, /) -> bytes:
            raise KeyError(start)

    with pytest.raises(KeyError):
        MediaInfoProbe().facts(Broken(b"x" * 100))


class Own(BaseException):
    """An error that is no `Exception`."""


@pytest.mark.parametrize("error", [Own(), KeyboardInterrupt(), SystemExit()])
def test_what_a_source_raises_is_raised_as_it_is(error: BaseException) -> None:
    """Even an error that is no `Exception` reaches the caller of the look as the same object, with both probes."""

    class Broken(BytesSource):
        def read(self, _start: int, _length: int, /) -> bytes:
            raise error

    broken = Broken(b"x" * 100)
    with pytest.raises(type(error)) as raised:
        MediaInfoProbe().facts(broken)
    assert raised.value is error
    with pytest.raises(type(error)) as awaited:
        asyncio.run(ThreadedProbe(MediaInfoProbe()).facts(broken))
    assert awaited.value is error


@pytest.mark.parametrize("given", [None, "text", 7.5])
def test_a_source_that_gives_no_bytes_is_told_in_a_sentence(given: object) -> None:
    """The error is one sentence, and the thread prints nothing."""

    class Odd(BytesSource):
        def read(self, _start: int, _length: int, /) -> bytes:
            return given  # type: ignore[return-value]

    with pytest.raises(SourceChanged, match="has to return bytes"):
        MediaInfoProbe().facts(Odd(b"x" * 100))


def test_a_look_for_which_there_is_no_thread_takes_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the system has no thread for several looks, later videos are looked into as before."""

    def refused(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    probe, source = MediaInfoProbe(), BytesSource(b"x" * 100)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refused)
        for _ in range(probes.LOOKS):
            with pytest.raises(RuntimeError):
                probe.facts(source)
    assert probe._free.acquire(blocking=False)


def test_without_the_extra_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pymediainfo there is no probe; with it there is one."""
    assert isinstance(usual_probe(), MediaInfoProbe)
    monkeypatch.setattr(probes, "find_spec", lambda _: None)
    assert usual_probe() is None


def test_importing_the_room_loads_no_library() -> None:
    """The first look imports the library, not the import of the module."""
    code = "import sys, tiktok_adapters.probes as m; m.usual_probe(); print('pymediainfo' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]


@pytest.fixture
def endless() -> bytes:
    """Give a film whose index claims such a length that MediaInfo reads for minutes."""
    data = bytearray((MEDIA / "good.mp4").read_bytes())
    data[data.index(b"stts") + 8] = 0xFF
    return bytes(data)


@pytest.mark.parametrize("seed", range(4))
def test_damaged_films_end_no_process(seed: int) -> None:
    """The probe reads films with random changes, or does not. None ends the process, or takes longer than the limit."""
    chance = Random(seed)
    probe = MediaInfoProbe(time_limit=1.0)
    for name in ("good.mp4", "h265.mov", "vp9.webm", "fragmented.mp4"):
        data = (MEDIA / name).read_bytes()
        for _ in range(10):
            changed = bytearray(data)
            for _ in range(chance.randint(1, 4)):
                changed[chance.randrange(len(changed))] = chance.randrange(256)
            found = probe.facts(BytesSource(bytes(changed)))
            assert found.width is None or found.width > 0


def test_a_film_that_keeps_the_library_busy_is_left_alone(endless: bytes, tmp_path: Path) -> None:
    """After the time limit the film is unknown.

    While too many looks are under way, the probe begins no more, and the process can end.
    """
    (tmp_path / "endless.mp4").write_bytes(endless)
    code = (
        "import sys\n"
        "from tiktok_adapters import probes\n"
        "from tiktok_adapters.sources import FileSource\n"
        "probes.LOOKS = 2\n"
        "probe = probes.MediaInfoProbe(time_limit=0.2)\n"
        "print([probe.facts(FileSource(path)).codec for path in sys.argv[1:]])\n"
    )
    films = [
        MEDIA / "good.mp4",
        tmp_path / "endless.mp4",
        MEDIA / "good.mp4",
        tmp_path / "endless.mp4",
        MEDIA / "good.mp4",
    ]
    done = subprocess.run([sys.executable, "-c", code, *films], capture_output=True, text=True, check=False, timeout=20)
    assert (done.returncode, done.stdout, done.stderr) == (0, "['H.264', None, 'H.264', None, None]\n", "")


def test_the_event_loop_goes_on_meanwhile() -> None:
    """A look runs in a worker thread: it ends only after another task has had its turn."""
    turned = threading.Event()

    class Slow:
        def facts(self, source: object, /) -> VideoFacts:
            return VideoFacts(width=1 if turned.wait(30) else None)

    async def turn() -> None:
        turned.set()

    async def main() -> VideoFacts:
        look = asyncio.ensure_future(ThreadedProbe(Slow()).facts(BytesSource(b"")))
        await asyncio.gather(look, turn())
        return await look

    assert asyncio.run(main()) == VideoFacts(width=1)


def _found(monkeypatch: pytest.MonkeyPatch, videos: list[dict[str, object]], whole: list[dict[str, object]]) -> None:
    class Track:
        def __init__(self, data: dict[str, object]) -> None:
            self._data = data

        def to_data(self) -> dict[str, object]:
            return self._data

    class Found:
        video_tracks = tuple(Track(data) for data in videos)
        general_tracks = tuple(Track(data) for data in whole)
        audio_tracks = ()

    monkeypatch.setattr("pymediainfo.MediaInfo.parse", lambda *_, **__: Found)
