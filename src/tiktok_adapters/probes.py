"""Probes: they read the properties of a video from its file.

What belongs here: the adapters of the `Probe` and `AsyncProbe` ports. They know no limit of TikTok's. They return the
properties that they can read, and None for the others.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from math import isfinite
from typing import Any, Final

from attrs import evolve

from tiktok_adapters.threads import Lane
from tiktok_core.domain.media import VideoFacts
from tiktok_core.ports import Probe, Source
from tiktok_core.wire.http import read_from

__all__ = ["MediaInfoProbe", "ThreadedProbe", "usual_probe"]

ENOUGH: Final = 16 * 1024**2
"""Largest number of bytes read of a file: enough for the index of hours of video, and too few to keep the probe busy."""
LOOKS: Final = 4
"""Largest number of videos that one `MediaInfoProbe` reads at the same time."""
AT_ONCE: Final = 16
"""Largest number of concurrent calls of one `ThreadedProbe`. Further calls wait for their turn."""
CODECS: Final = {"AVC": "H.264", "HEVC": "H.265"}
"""Maps MediaInfo's names of codecs to those in TikTok's documents."""


def usual_probe() -> "MediaInfoProbe | None":
    """Return a probe, or None where the extra `media` is not installed."""
    return None if find_spec("pymediainfo") is None else MediaInfoProbe()


class MediaInfoProbe:
    """Read videos with MediaInfo. Needs the extra `media`. Threads may share it.

    It reads only the relevant parts of a file, through the source, and opens no file itself. It leaves out every property
    that MediaInfo does not know, is not sure of, or does not find in time.

    Args:
        time_limit: seconds for one video. MediaInfo cannot be interrupted, and a damaged file can keep it busy for minutes.
            The probe then leaves that thread running. While several such threads run, it reads no further video.
    """

    def __init__(self, time_limit: float = 2.0) -> None:
        self._time_limit = time_limit
        self._free = threading.Semaphore(LOOKS)

    def facts(self, source: Source, /) -> VideoFacts:
        """Return the known properties of a video.

        Raises:
            SourceChanged: the source can no longer be read.
            ImportError: pymediainfo is not installed.
        """
        # Import it only here: loading the library takes longer than reading a file with it.
        try:
            from pymediainfo import MediaInfo  # noqa: PLC0415
        except ModuleNotFoundError as error:
            if error.name != "pymediainfo":
                raise
            message = "reading the properties of videos needs pymediainfo: pip install 'tiktok-open[media]'"
            raise ImportError(message, name="pymediainfo") from None

        if not self._free.acquire(timeout=self._time_limit):
            return VideoFacts()
        reader, found = _Reader(source), list[Any]()
        # A daemon thread, so that the interpreter can exit while MediaInfo is still busy.
        look = threading.Thread(target=self._look, args=(MediaInfo.parse, reader, found), daemon=True)
        try:
            look.start()
        except BaseException:
            self._free.release()  # No thread could start, so none will release it.
            raise
        look.join(self._time_limit)
        if reader.trouble is not None:
            raise reader.trouble
        return _facts(found[0], has_run_out=reader.has_run_out) if found else VideoFacts()

    def _look(self, parse: Callable[..., Any], reader: "_Reader", found: list[Any]) -> None:
        # If the library cannot be loaded or returns nonsense, that proves nothing about the video: ignore it.
        try:
            with suppress(OSError, RuntimeError, ValueError, SyntaxError):
                found.append(parse(reader, parse_speed=0))
        finally:
            self._free.release()


class ThreadedProbe:
    """Run a blocking probe in a worker thread, so that the event loop is not blocked.

    Args:
        probe: a blocking probe that threads may share.
        time_limit: seconds for one video. After that, no property counts as known.
    """

    def __init__(self, probe: Probe, *, time_limit: float = 10.0) -> None:
        self._probe = probe
        self._time_limit = time_limit
        self._lane = Lane(AT_ONCE)

    async def facts(self, source: Source, /) -> VideoFacts:
        """See `Probe.facts`."""
        late = TimeoutError()
        try:
            work = partial(self._probe.facts, source)
            return await self._lane.call(work, within=self._time_limit, late=late, always=False)
        except TimeoutError as error:
            if error is not late:
                raise
            return VideoFacts()


class _Reader:
    """A source as a file with a cursor, for MediaInfo. On an error the file seems to end: foreign code sees no exception."""

    mode = "rb"

    def __init__(self, source: Source) -> None:
        self._source = source
        self._position = 0
        self._left = ENOUGH
        self.trouble: BaseException | None = None
        self.has_run_out = False

    def seek(self, offset: int, whence: int = 0) -> None:
        self._position = offset + (self._source.size if whence else 0)

    def tell(self) -> int:
        return self._position

    def read(self, length: int) -> bytes:
        try:
            room = max(0, self._source.size - self._position)
            data = read_from(self._source, self._position, min(length, self._left, room))
        except BaseException as error:  # noqa: BLE001 - `facts` raises it to its caller
            self.trouble = error
            return b""
        self._position += len(data)
        self._left -= len(data)
        self.has_run_out = self.has_run_out or self._left <= 0
        return data


def _facts(found: Any, *, has_run_out: bool) -> VideoFacts:
    whole: dict[str, Any] = next((track.to_data() for track in found.general_tracks), {})
    # Of a WebM, MediaInfo takes the first gaps between frames for the rate of the whole.
    is_doubtful = has_run_out or whole.get("format") in ("WebM", "Matroska")
    videos = [_track_facts(track.to_data(), is_doubtful=is_doubtful) for track in found.video_tracks]
    lasting = [_positive(track.to_data().get("duration")) for track in found.video_tracks]
    duration = max(filter(None, (_positive(whole.get("duration")), *lasting)), default=None)
    return evolve(
        videos[0] if videos else VideoFacts(),
        duration=None if duration is None else duration / 1000,
        # MediaInfo adds up what it has read, and does not say that there may be more.
        may_be_longer=duration is not None and has_run_out,
        # Without any track MediaInfo has not found its way through the file, which says nothing.
        has_picture=False if found.audio_tracks and not videos and not has_run_out else None,
        others=tuple(videos[1:]),
    )


def _track_facts(video: dict[str, Any], *, is_doubtful: bool) -> VideoFacts:
    mode, codec = video.get("frame_rate_mode"), video.get("format")
    return VideoFacts(
        codec=CODECS.get(codec, codec) if isinstance(codec, str) and codec else None,
        frame_rate=_positive(video.get("frame_rate")) if mode in ("CFR", "VFR") else None,
        has_variable_rate=mode == "VFR" or (mode == "CFR" and is_doubtful),
        width=_whole(video.get("width")),
        height=_whole(video.get("height")),
    )


def _positive(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if isfinite(number) and number > 0 else None


def _whole(value: Any) -> int | None:
    number = _positive(value)
    return None if number is None else int(number)
