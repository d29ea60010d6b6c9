"""Layouts: what boxes, elements and segments show about a file; and random bytes cause no error."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_core.domain.containers import film, layout_problems

MEDIA = Path(__file__).parents[1] / "media"
FTYP = b"\0\0\0\x18ftypisom\0\0\2\0isomiso2"
WHOLE = ("good.mp4", "index-first.mp4", "fragmented.mp4", "h265.mov", "vp8.webm", "vp9.webm", "live.webm", "sound.m4a")


def box(kind: bytes, body: bytes = b"", *, size: int | None = None, long: bool = False) -> bytes:
    """Return a box that claims the given size."""
    told = len(body) + (16 if long else 8) if size is None else size
    if long:
        return b"\0\0\0\1" + kind + told.to_bytes(8) + body
    return told.to_bytes(4) + kind + body


def said(data: bytes) -> list[str]:
    """Return the problems that a video's layout shows."""
    found = film(len(data), lambda start, length: data[start : start + length])
    return [problem.message for problem in layout_problems(found)]


@pytest.mark.parametrize("name", WHOLE)
def test_whole_films_are_not_called_cut_off(name: str) -> None:
    """Films of every container, with the index first, last or in fragments, and one written to a pipe, are whole."""
    assert said((MEDIA / name).read_bytes()) == []


@pytest.mark.parametrize("name", ["good.mp4", "index-first.mp4", "h265.mov", "vp8.webm", "vp9.webm"])
def test_a_film_cut_anywhere_in_its_middle_is_told(name: str) -> None:
    """The film is cut at each length from the beginning of the frames to the last byte.

    No sentence is wrong, and its figures fit.
    """
    data = (MEDIA / name).read_bytes()
    begun = data.index(b"mdat") + 4 if b"mdat" in data else data.index(b"\x18S\x80g") + 12
    for length in range(begun, len(data)):
        for message in said(data[:length]):
            assert "cut off" in message
            assert "moov" in message or f"has {length:,} bytes" in message
    assert said(data[: (begun + len(data)) // 2])


def test_the_promised_length_is_told() -> None:
    """The sentence says how many bytes there are and how many there should be."""
    data = FTYP + box(b"moov") + box(b"mdat", size=5_000_000)
    assert said(data) == ["the file is cut off: it has 40 bytes, and its own layout promises 5,000,032"]


@pytest.mark.parametrize(
    "data",
    [
        FTYP + box(b"moov") + box(b"mdat", bytes(9)),
        FTYP + box(b"moov") + box(b"mdat", bytes(9), long=True),
        FTYP + box(b"moov") + box(b"mdat", bytes(9), size=0),
        FTYP + box(b"free") + box(b"mdat", bytes(9)) + box(b"moov", bytes(3)),
        box(b"wide") + box(b"mdat", bytes(9)) + box(b"moov"),
        FTYP + box(b"mdat", bytes(9)) + b"\0\0\0\x20XXXX" + bytes(3),
        FTYP + box(b"mdat", size=3) + bytes(9),
        FTYP + box(b"mdat", bytes(9)) + box(b"free", size=10**6),
        FTYP + bytes(1_000),
        FTYP[:10],
        FTYP[:6],
        b"",
        b"no video at all",
    ],
)
def test_what_is_whole_or_unknown_is_not_refused(data: bytes) -> None:
    """The check reads long and open lengths. Strange boxes, a cut filling, and files that are no video give no sentence."""
    assert said(data) == []


@pytest.mark.parametrize(
    "data",
    [
        FTYP + box(b"mdat", bytes(9)),
        FTYP + box(b"free") + box(b"mdat", bytes(9), size=0),
        FTYP + box(b"moof", bytes(9)) + box(b"mdat", bytes(9)),
        FTYP,
    ],
)
def test_a_film_without_an_index_is_cut_off(data: bytes) -> None:
    """A recorder that stops before it writes the index leaves a file that no player can play."""
    assert "moov" in said(data)[0]


def test_a_film_of_countless_boxes_is_given_up() -> None:
    """The check of a file of countless boxes is bounded, and does not refuse the file."""
    endless = box(b"free")
    looked = []

    def read(start: int, length: int) -> bytes:
        looked.append(start)
        return endless[:length]

    assert list(layout_problems(film(10**9, read))) == []
    assert len(looked) <= 200_000


@pytest.mark.parametrize(
    ("tail", "missing"),
    [
        (b"\x01\xff\xff\xff\xff\xff\xff\xff", False),
        (b"\xff", False),
        (b"\x01\0\0\0\0\0\0\x04", False),
        (b"\x84", False),
        (b"\x01\0\0\0\0\0\0\x05", True),
        (b"\x85", True),
        (b"\x42\0", True),
    ],
)
def test_the_length_of_a_segment_is_read_in_every_width(tail: bytes, missing: bool) -> None:
    """An unknown length gives no sentence. The check compares a known one, of any width, with the file."""
    data = b"\x1aE\xdf\xa3\x82\0\0" + b"\x18S\x80g" + tail + b"1234"
    assert bool(said(data)) is missing


@pytest.mark.parametrize(
    "data",
    [
        b"\x1aE\xdf\xa3",
        b"\x1aE\xdf\xa3\xff" + bytes(9),
        b"\x1aE\xdf\xa3\x00",
        b"\x1aE\xdf\xa3\x82\0\0",
        b"\x1aE\xdf\xa3\x82\0\0\xec\x81\0" + bytes(9),
    ],
)
def test_other_elements_say_nothing(data: bytes) -> None:
    """A header that is not whole, or another element behind it, is no reason to refuse the file."""
    assert said(data) == []


@given(st.sampled_from([b"", FTYP, b"\x1aE\xdf\xa3", (MEDIA / "vp8.webm").read_bytes()[:60]]), st.binary(max_size=200))
def test_any_bytes_have_a_layout_or_none(head: bytes, tail: bytes) -> None:
    """For any bytes, the answer is a sentence or None, and never an exception."""
    assert len(said(head + tail)) <= 1
