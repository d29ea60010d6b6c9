"""The contract of `Source`.

What belongs here: promises that hold for every source, wherever it keeps its bytes.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import TypeAlias

import pytest

from tiktok_core.wire.http import FileSlice, FillsBuffers, Source

__all__ = ["MakeSource", "SourceContract"]

MakeSource: TypeAlias = Callable[[bytes], Source]
"""Makes a source of some bytes."""

DATA = bytes(Random(7).randbytes(300_000))  # noqa: S311 - reproducible bytes, not a secret


class SourceContract:
    """Bind it with the fixture `make_source`: a function from bytes to a source of these bytes."""

    @pytest.fixture
    def make_source(self) -> MakeSource:
        """Return the maker of the sources to test."""
        raise NotImplementedError("a binding defines the fixture `make_source`")

    @pytest.mark.parametrize("size", [0, 1, 65_536, 300_000])
    def test_the_size_is_that_of_the_bytes(self, make_source: MakeSource, size: int) -> None:
        """`size` counts all bytes."""
        assert make_source(DATA[:size]).size == size

    @pytest.mark.parametrize(("start", "length"), [(0, 300_000), (0, 1), (1, 65_536), (299_999, 1), (123_456, 100_000)])
    def test_any_part_can_be_read(self, make_source: MakeSource, start: int, length: int) -> None:
        """`read(start, length)` returns exactly these bytes."""
        assert make_source(DATA).read(start, length) == DATA[start : start + length]

    @pytest.mark.parametrize(("start", "length"), [(299_990, 100), (300_000, 1), (400_000, 10), (5, 0)])
    def test_reading_beyond_the_end_gives_what_there_is(self, make_source: MakeSource, start: int, length: int) -> None:
        """At the end of the source, `read` returns fewer bytes or none."""
        assert make_source(DATA).read(start, length) == DATA[start : start + length]

    def test_reading_moves_nothing(self, make_source: MakeSource) -> None:
        """There is no cursor: the same read gives the same bytes, in any order."""
        source = make_source(DATA)
        first = source.read(1000, 500)
        source.read(0, 300_000)
        assert source.read(1000, 500) == first == DATA[1000:1500]

    def test_threads_do_not_disturb_one_another(self, make_source: MakeSource) -> None:
        """Each of many concurrent readers gets the bytes that it asked for."""
        source = make_source(DATA)
        starts = [index * 997 % 290_000 for index in range(400)]
        with ThreadPoolExecutor(8) as pool:
            blocks = list(pool.map(lambda start: source.read(start, 9_999), starts))
        assert blocks == [DATA[start : start + 9_999] for start in starts]

    def test_the_fingerprint_stays_while_the_bytes_do(self, make_source: MakeSource) -> None:
        """Reading does not change the fingerprint."""
        source = make_source(DATA)
        before = source.fingerprint
        source.read(0, 1000)
        assert before
        assert source.fingerprint == before

    @pytest.mark.parametrize("position", [0, 150_000, 299_999])
    def test_other_bytes_have_another_fingerprint(self, make_source: MakeSource, position: int) -> None:
        """A change at the head, in the middle or at the tail shows in the fingerprint."""
        changed = bytearray(DATA)
        changed[position] ^= 1
        assert make_source(DATA).fingerprint != make_source(bytes(changed)).fingerprint

    def test_more_bytes_have_another_fingerprint(self, make_source: MakeSource) -> None:
        """A source that has grown has another fingerprint."""
        assert make_source(DATA).fingerprint != make_source(DATA + DATA[:1]).fingerprint

    def test_a_slice_lies_in_the_buffers_that_it_was_given(self, make_source: MakeSource) -> None:
        """A block keeps its content until its buffer is used again, whether or not the source fills buffers."""
        body, size = FileSlice(make_source(DATA), 100, 200_000), 65_536
        previous, found = memoryview(b""), bytearray()
        for block in body.blocks_in(memoryview(bytearray(size)), memoryview(bytearray(size))):
            assert previous == found[len(found) - len(previous) :]
            previous = memoryview(block)
            found += block
        assert bytes(found) == DATA[100:200_100]

    @pytest.mark.parametrize(
        ("start", "length"), [(0, 300_000), (123_456, 100_000), (299_990, 100), (300_000, 1), (5, 0)]
    )
    def test_a_buffer_is_filled_as_far_as_there_are_bytes(
        self, make_source: MakeSource, start: int, length: int
    ) -> None:
        """A source that fills buffers writes the same bytes that `read` returns, and changes nothing after them."""
        source, buffer = make_source(DATA), bytearray(b"\xaa" * length)
        expected = DATA[start : start + length]
        got = source.read_into(start, memoryview(buffer)) if isinstance(source, FillsBuffers) else None
        assert got in {None, len(expected)}
        assert got is None or buffer == expected + b"\xaa" * (length - len(expected))

    def test_a_slice_yields_its_part_in_blocks(self, make_source: MakeSource) -> None:
        """A slice of the source yields exactly its part, in blocks of the requested size."""
        blocks = list(FileSlice(make_source(DATA), 100, 200_000).blocks(65_536))
        assert [len(block) for block in blocks] == [65_536, 65_536, 65_536, 3_392]
        assert b"".join(blocks) == DATA[100:200_100]
