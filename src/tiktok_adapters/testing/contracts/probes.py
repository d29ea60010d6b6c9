"""The contract of `Probe` and `AsyncProbe`.

What belongs here: promises that hold for every probe, independent of how it reads the video.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Final

import pytest

import tiktok_adapters
from tiktok_adapters.sources import BytesSource, FileSource
from tiktok_adapters.testing.contracts import Contract, Run
from tiktok_core.domain.media import VideoFacts
from tiktok_core.errors import SourceChanged
from tiktok_core.ports import AsyncProbe, Probe

__all__ = ["ProbeContract"]

AnyProbe = Probe | AsyncProbe

FILM: Final = Path(tiktok_adapters.__file__).parent / "cli" / "film" / "demo.mp4"
FACTS: Final = VideoFacts(codec="H.264", frame_rate=30.0, width=640, height=360, duration=4.0)
NOISE: Final = Random(11).randbytes(50_000)  # noqa: S311 - reproducible bytes, not a secret
MOST: Final = 32 * 1024**2
"""Largest number of bytes that one call may read."""


class ProbeContract(Contract):
    """Bind it with the fixture `probe`."""

    @pytest.fixture
    def probe(self) -> AnyProbe:
        """Return the probe to test."""
        raise NotImplementedError("a binding defines the fixture `probe`")

    def test_a_film_is_known(self, probe: AnyProbe, run: Run) -> None:
        """The probe reads codec, frame rate, size and duration of an ordinary video. A fact that it leaves out is None."""
        found = run(probe.facts(FileSource(FILM)))
        for name in ("codec", "frame_rate", "width", "height", "duration"):
            assert getattr(found, name) in (None, getattr(FACTS, name))
        assert found != VideoFacts()
        assert not found.has_variable_rate

    def test_the_name_of_a_source_says_nothing(self, probe: AnyProbe, run: Run) -> None:
        """The same bytes without a name, or with a wrong one, give the same facts."""
        data = FILM.read_bytes()
        found = run(probe.facts(FileSource(FILM)))
        assert run(probe.facts(BytesSource(data))) == run(probe.facts(BytesSource(data, name="picture.jpg"))) == found

    @pytest.mark.parametrize("data", [b"", b"\0", NOISE, FILM.read_bytes()[:40] + NOISE, FILM.read_bytes()[:900]])
    def test_what_cannot_be_read_is_unknown(self, probe: AnyProbe, run: Run, data: bytes) -> None:
        """Noise, an empty source and half of a header cause no error, and every number in the result is valid."""
        found = run(probe.facts(BytesSource(data)))
        for figure in (found.frame_rate, found.width, found.height, found.duration):
            assert figure is None or figure > 0

    def test_a_source_that_is_gone_is_told(self, probe: AnyProbe, run: Run) -> None:
        """The probe raises the source's error unchanged."""
        with pytest.raises(SourceChanged, match="out of reach"):
            run(probe.facts(_Gone(FILM.read_bytes())))

    def test_a_large_film_is_not_read_through(self, probe: AnyProbe, run: Run) -> None:
        """Of a gigabyte after the index, the probe reads only a small part."""
        source = _Padded(FILM.read_bytes(), 10**9)
        assert run(probe.facts(source)).duration in (None, 4.0)
        assert source.given < MOST

    def test_a_film_is_left_as_it_is(self, probe: AnyProbe, run: Run) -> None:
        """The probe changes no byte, and the source can be read afterwards."""
        source = FileSource(FILM)
        before = source.fingerprint
        run(probe.facts(source))
        assert source.fingerprint == before
        assert source.read(0, source.size) == FILM.read_bytes()

    def test_threads_may_share_a_blocking_probe(self, probe: AnyProbe, run: Run) -> None:
        """Many concurrent calls give the same result as one call."""
        alone = run(probe.facts(FileSource(FILM)))
        with ThreadPoolExecutor(8) as pool:
            looks = [pool.submit(probe.facts, FileSource(FILM)) for _ in range(40)]
        assert {run(look.result()) for look in looks} == {alone}


class _Gone(BytesSource):
    def read(self, start: int, length: int, /) -> bytes:  # noqa: ARG002 - nothing is read
        raise SourceChanged(None, "the file is gone or out of reach")


class _Padded:
    """A video followed by zeros. It counts the bytes that were read."""

    def __init__(self, data: bytes, size: int) -> None:
        self._data = data
        self.size = size
        self.fingerprint = str(size)
        self.given = 0

    def read(self, start: int, length: int, /) -> bytes:
        length = max(0, min(length, self.size - start))
        self.given += length
        return self._data[start : start + length].ljust(length, b"\0")
