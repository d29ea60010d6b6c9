"""Pictures: what JPEG and WebP files show from their first byte to their last, and which of their figures TikTok accepts."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from small_pictures import JPEGS, UNUSUAL_JPEGS, WEBPS
from tiktok_core.domain.blocks import BLOCK
from tiktok_core.domain.pictures import (
    PictureFacts,
    picture_doubts,
    picture_facts,
    picture_problems,
    picture_url_doubts,
)

MEDIA = Path(__file__).parents[1] / "media"
PICTURE = PictureFacts(size=1_000_000, kind="a JPEG picture", width=1080, height=1920)
FACTS = st.builds(
    PictureFacts,
    size=st.none() | st.integers(0, 30_000_000),
    kind=st.sampled_from(["a JPEG picture", "a WebP picture", "a PNG picture", "a video", ""]),
    width=st.none() | st.integers(1, 5000),
    height=st.none() | st.integers(1, 5000),
    bits=st.sampled_from([None, 8, 12]),
    codings=st.sampled_from([(), ("lossless",), ("lossless", "hierarchical")]),
    is_cut=st.booleans(),
    has_gap=st.booleans(),
    has_junk=st.booleans(),
    is_animated=st.booleans(),
    lacks_padding=st.booleans(),
)
FILES = {name: (MEDIA / name).read_bytes() for name in ("good.jpg", "1254.jpg", "good.webp", "lossless.webp")}
WHOLE_JPEGS = {**JPEGS, "good.jpg": FILES["good.jpg"], "1254.jpg": FILES["1254.jpg"]}
WHOLE = {**WHOLE_JPEGS, **WEBPS, "good.webp": FILES["good.webp"], "lossless.webp": FILES["lossless.webp"]}
ANY = {**WHOLE, **UNUSUAL_JPEGS, "animated.webp": (MEDIA / "animated.webp").read_bytes()}
EOI = b"\xff\xd9"
FRAME = b"\x08\x07\x80\x04\x38\x03"


def reading(data: bytes, *, most: int = 1 << 30) -> Callable[[int, int], bytes]:
    """Return what reads these bytes, at most so many at once."""
    return lambda start, length: data[start : start + min(length, most)]


def facts(data: bytes) -> PictureFacts:
    """Return the properties of a file."""
    return picture_facts(len(data), reading(data))


def refusals(found: PictureFacts) -> list[str]:
    """Return why a picture is refused."""
    return [problem.message for problem in picture_problems("photo", found)]


def doubts(found: PictureFacts) -> list[str]:
    """Return why a picture is doubted."""
    return [problem.message for problem in picture_doubts("photo", found)]


def segment(marker: int, body: bytes = b"") -> bytes:
    """Return a segment of a JPEG."""
    return bytes([0xFF, marker]) + (2 + len(body)).to_bytes(2) + body


def jpeg(*parts: bytes) -> bytes:
    """Return a JPEG of these parts, from its first marker to its last."""
    return b"\xff\xd8" + b"".join(parts) + EOI


def table(number: int, first: int) -> bytes:
    """Return a Huffman table of two symbols."""
    return bytes([number, 1, 1, *bytes(14), first, 9])


def scan(coded: bytes, *, tables: bytes = b"\0", band: bytes = b"\0\x3f\0") -> bytes:
    """Return the header of a scan, with a component for each byte of tables, and its coded data."""
    chosen = b"".join(bytes([number, one]) for number, one in enumerate(tables))
    return segment(0xDA, bytes([len(tables)]) + chosen + band) + coded


def chunk(kind: bytes, body: bytes) -> bytes:
    """Return a chunk of a WebP, padded."""
    return kind + len(body).to_bytes(4, "little") + body + bytes(len(body) % 2)


def webp(*chunks: bytes, end: int | None = None) -> bytes:
    """Return a WebP of these chunks. Its header states its true length unless another one is given."""
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + (len(body) if end is None else end).to_bytes(4, "little") + body


def lossy(width: int, height: int) -> bytes:
    """Return the chunk of a lossy picture, without its coded data."""
    return chunk(b"VP8 ", b"\0\0\0\x9d\x01*" + width.to_bytes(2, "little") + height.to_bytes(2, "little"))


def canvas(width: int, height: int, *, flags: int = 0) -> bytes:
    """Return the chunk that states the size of an extended WebP."""
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return chunk(b"VP8X", bytes([flags, 0, 0, 0]) + sides)


# --- What is measured ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("good.jpg", ("a JPEG picture", 1080, 1920)),
        ("1254.jpg", ("a JPEG picture", 1254, 1254)),
        ("good.webp", ("a WebP picture", 1080, 1920)),
        ("lossless.webp", ("a WebP picture", 1080, 1920)),
        ("animated.webp", ("a WebP picture", 64, 48)),
        ("square.png", ("a PNG picture", None, None)),
        ("good.mp4", ("a video", None, None)),
        ("make.sh", ("", None, None)),
    ],
)
def test_pictures_are_measured(name: str, expected: tuple[str, int | None, int | None]) -> None:
    """JPEG and the three kinds of WebP state their pixels; other files are named if their type is known."""
    data = (MEDIA / name).read_bytes()
    found = facts(data)
    assert (found.kind, found.width, found.height) == expected
    assert found.size == len(data)


@pytest.mark.parametrize("name", [*JPEGS, *UNUSUAL_JPEGS, *WEBPS])
def test_pictures_of_many_programs_are_measured(name: str) -> None:
    """Each small picture states the size with which it was made."""
    sides = {"lossless.jpg": (8, 8), "odd.webp": (1, 3)}.get(name, (24, 16))
    assert (facts(ANY[name]).width, facts(ANY[name]).height) == sides


@pytest.mark.parametrize("marker", [0xC0, 0xC1, 0xC2, 0xC9])
def test_a_frame_is_found_behind_everything_else(marker: int) -> None:
    """The check skips thumbnails in a comment, fill bytes, restart markers and tables.

    It reads progressive frames, too. None of this is a reason to doubt the picture.
    """
    thumbnail = segment(0xE1, jpeg(segment(0xC0, b"\x08\0\x10\0\x10\x01"), scan(b"x")))
    found = facts(jpeg(thumbnail, b"\xff\xff\xd0\xff\x01", segment(0xC4, b"ab"), segment(marker, FRAME), scan(b"x")))
    assert (found.width, found.height, found.has_junk, found.is_cut) == (1080, 1920, False, False)


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xd8\xff",
        jpeg(scan(bytes(20))),
        jpeg(),
        jpeg(segment(0xE0, b"ab")),
        jpeg(segment(0xC0, b"\x08\0\0\0\x10\x03"), scan(b"x"), segment(0xDC, b"\0\x10")),
        b"\xff\xd8" + b"\xff" * 90_000,
        webp(lossy(0, 1)),
        webp(lossy(1, 0)),
        webp(chunk(b"VP8 ", bytes(9))),
        webp(chunk(b"VP8 ", bytes(40))),
        webp(chunk(b"VP8L", bytes(40))),
        webp(chunk(b"VP8L", b"\x2f")),
        webp(chunk(b"VP8X", bytes(9))),
        webp(chunk(b"XXXX", bytes(40))),
    ],
)
def test_a_picture_that_cannot_be_measured_has_no_pixels(data: bytes) -> None:
    """Damaged headers, and a height that stands behind the first scan, leave the size unknown."""
    found = facts(data)
    assert found.kind in ("a JPEG picture", "a WebP picture")
    assert (found.width, found.height) == (None, None)


@pytest.mark.parametrize("frame", [(400, 300), (1200, 1100)])
@pytest.mark.parametrize("whole", [(640, 480), (480, 640), (1, 3000)])
def test_of_two_sizes_of_a_webp_the_larger_is_judged(frame: tuple[int, int], whole: tuple[int, int]) -> None:
    """A WebP may state another size in its header than in its frame. TikTok may read either."""
    found = facts(webp(canvas(*whole), lossy(*frame)))
    assert (found.width, found.height) == max(whole, frame, key=min)


# --- Whole, cut off, damaged -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("rest", [b"", b"\0", bytes(3000), JPEGS["grey.jpg"]])
def test_a_whole_picture_is_whole(name: str, rest: bytes) -> None:
    """Bytes behind the end do not matter, such as a second picture, a film or zeros: phones and programs leave them."""
    found = evolve(facts(WHOLE[name] + rest), width=None)
    assert (refusals(found), doubts(found)) == ([], [])


@given(st.sampled_from(sorted(WHOLE_JPEGS)), st.floats(0, 1))
def test_a_jpeg_that_is_cut_anywhere_is_refused(name: str, share: float) -> None:
    """Even without its last byte: nobody can tell whether it lacks the end marker alone, or a part of the picture, too."""
    whole = WHOLE_JPEGS[name]
    found = facts(whole[: 3 + int((len(whole) - 4) * share)])
    assert ["cut off" in message for message in refusals(evolve(found, width=None))] == [True]


@given(st.sampled_from(sorted(JPEGS)), st.floats(0.3, 1))
def test_a_jpeg_whose_rest_is_zeros_is_refused(name: str, share: float) -> None:
    """A copy that was interrupted has its whole length, and zeros from some point on."""
    whole = JPEGS[name]
    length = int((len(whole) - 1) * share)
    found = facts(whole[:length].ljust(len(whole), b"\0"))
    assert ["cut off or damaged" in message for message in refusals(found)] == [True]


def ends_in_padding(whole: bytes) -> bool:
    """Whether the last chunk of a WebP has an odd length, so that a byte fills it up."""
    position = length = 12
    while position < len(whole):
        length = int.from_bytes(whole[position + 4 : position + 8], "little")
        position += 8 + length + length % 2
    return length % 2 == 1


@given(st.sampled_from([*WEBPS, "animated.webp"]), st.floats(0, 1))
def test_a_webp_that_is_cut_anywhere_is_refused(name: str, share: float) -> None:
    """The header of a WebP says how long it is. Only the padding of its last chunk may be missing."""
    whole = ANY[name]
    length = 12 + int((len(whole) - 13) * share)
    found = facts(whole[:length])
    if ends_in_padding(whole) and length == len(whole) - 1:
        assert (refusals(found), len(doubts(found))) == ([], 1)
    else:
        assert ["cut off" in message for message in refusals(found)] == [True]


@pytest.mark.parametrize(
    ("data", "is_cut", "lacks_padding"),
    [
        (webp(lossy(8, 8), chunk(b"EXIF", b"abc"))[:-1], False, True),
        (webp(lossy(8, 8), chunk(b"EXIF", b"abc")[:-1]), False, True),
        (webp(lossy(8, 8), chunk(b"EXIF", b"abc")[:-1]) + b"\0", False, False),
        (webp(lossy(8, 8), chunk(b"EXIF", b"abcd"))[:-1], True, False),
        (webp(lossy(8, 8), chunk(b"EXIF", b"abc"))[:-2], True, False),
        (webp(lossy(8, 8)) + b"more", False, False),
        (webp(lossy(8, 8), b"EXIF\0\0"), False, False),
        (webp(lossy(8, 8), end=20) + bytes(99), True, False),
        (webp(lossy(8, 8), end=0), True, False),
        (webp(lossy(8, 8), end=23), False, True),
        (webp(lossy(8, 8), end=24), True, False),
        (webp(canvas(8, 8)), True, False),
        (webp(), True, False),
    ],
)
def test_a_webp_lacks_nothing_but_its_padding(data: bytes, is_cut: bool, lacks_padding: bool) -> None:
    """The chunks have to fit into the length that the header states, that length into the file, and one has the picture."""
    found = facts(data)
    assert (found.is_cut, found.lacks_padding) == (is_cut, lacks_padding)


@pytest.mark.parametrize("data", [jpeg(), jpeg(scan(b"x")), jpeg(segment(0xC0, FRAME)), jpeg(segment(0xC4, b"ab"))])
def test_a_jpeg_without_a_picture_is_damaged(data: bytes) -> None:
    """A JPEG needs a frame and a scan before its end."""
    assert ["damaged" in message for message in refusals(facts(data))] == [True]


@given(st.sampled_from(sorted(ANY)), st.floats(0, 1), st.integers(0, 10**6))
def test_of_what_lies_behind_a_head_nothing_is_claimed(name: str, share: float, more: int) -> None:
    """If only the beginning is at hand, as of a URL, a picture that goes on is not called cut off; nor if no size is known."""
    whole = ANY[name]
    head = whole[: int(len(whole) * share)]
    for size in (None, len(whole), len(whole) + more):
        found = picture_facts(size, reading(head))
        assert not found.is_cut
        assert not found.lacks_padding


@pytest.mark.parametrize(
    ("data", "size"),
    [(webp(lossy(8, 8), end=900), 500), (webp(canvas(8, 8), b"VP8 \xff\xff\0\0", end=80_000), 60_000)],
)
def test_a_head_may_promise_more_than_the_whole_file_has(data: bytes, size: int) -> None:
    """The server says how long the file is, and the beginning says that this is too short."""
    assert picture_facts(size, reading(data[:40])).is_cut
    assert not picture_facts(None, reading(data[:40])).is_cut


# --- What nobody knows -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("marker", "words"),
    [
        (0xC3, ["lossless"]),
        (0xC5, ["hierarchical"]),
        (0xC6, ["hierarchical"]),
        (0xC7, ["lossless", "hierarchical"]),
        (0xC9, ["arithmetic"]),
        (0xCA, ["arithmetic"]),
        (0xCB, ["lossless", "arithmetic"]),
        (0xCD, ["hierarchical", "arithmetic"]),
        (0xCE, ["hierarchical", "arithmetic"]),
        (0xCF, ["lossless", "hierarchical", "arithmetic"]),
        (0xDE, ["hierarchical"]),
        (0xF7, ["JPEG-LS"]),
    ],
)
def test_a_jpeg_that_many_programs_cannot_read_is_doubted(marker: int, words: list[str]) -> None:
    """Each unusual way of coding has its own word, even if a usual frame comes later."""
    found = facts(jpeg(segment(marker, FRAME), segment(0xC1, FRAME), scan(b"x")))
    assert (found.codings, refusals(found)) == (tuple(words), [])
    assert [word in message for word, message in zip(words, doubts(found), strict=True)] == [True] * len(words)


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("arithmetic.jpg", "arithmetic"),
        ("lossless.jpg", "lossless"),
        ("12 bits.jpg", "12 bits"),
        ("JPEG-LS.jpg", "JPEG-LS"),
    ],
)
def test_unusual_pictures_of_programs_are_doubted(name: str, word: str) -> None:
    """Such a whole picture has one doubt."""
    found = facts(UNUSUAL_JPEGS[name])
    assert (refusals(found), [word in message for message in doubts(found)]) == ([], [True])


@pytest.mark.parametrize("name", ["baseline.jpg", "restarts.jpg", "grey.jpg", "cmyk.jpg", "thumbnail.jpg"])
@pytest.mark.parametrize(("zeros", "is_doubted"), [(8, False), (256, True), (70_000, True)])
def test_zeros_in_the_middle_of_a_picture_are_doubted(name: str, zeros: int, is_doubted: bool) -> None:
    """A sector that got lost leaves zeros, with the end of the picture after them."""
    middle = len(JPEGS[name]) - 12
    found = facts(JPEGS[name][:middle] + bytes(zeros) + JPEGS[name][middle:])
    assert refusals(found) == []
    assert ["zeros" in message for message in doubts(found)] == [True] * is_doubted


@pytest.mark.parametrize(
    ("marker", "tables", "parts", "has_gap"),
    [
        (0xC0, [(0x00, 0), (0x10, 0)], {}, False),
        (0xC0, [(0x00, 3), (0x10, 0)], {}, True),
        (0xC1, [(0x00, 0), (0x10, 1)], {}, True),
        (0xC0, [(0x00, 0), (0x10, 0), (0x11, 1)], {"tables": b"\0\1"}, True),
        (0xC0, [(0x00, 0), (0x10, 0), (0x11, 1)], {"tables": b"\0\0"}, False),
        (0xC0, [(0x00, 3), (0x00, 0)], {}, False),
        (0xC0, [], {}, False),
        (0xC2, [(0x00, 0), (0x10, 1)], {"band": b"\0\0\1"}, False),
        (0xC2, [(0x00, 2)], {"band": b"\0\0\1"}, True),
        (0xC2, [(0x00, 2)], {"band": b"\0\0\x10"}, False),
        (0xC2, [(0x00, 2), (0x10, 0x00)], {"band": b"\1\5\0"}, False),
        (0xC2, [(0x00, 2), (0x10, 0xE0)], {"band": b"\1\5\0"}, False),
        (0xC2, [(0x10, 0xF0)], {"band": b"\1\5\0"}, True),
        (0xC2, [(0x10, 0x01)], {"band": b"\1\5\0"}, True),
        (0xC2, [(0x10, 0x01)], {"band": b"\1"}, False),
        (0xC9, [(0x00, 3), (0x10, 1)], {}, False),
    ],
)
def test_zeros_that_the_code_explains_are_a_plain_area(
    marker: int, tables: list[tuple[int, int]], parts: dict[str, Any], has_gap: bool
) -> None:
    """The first symbol of each table has a code of zero bits. If it means that nothing changes, zeros are a white page."""
    known = segment(0xC4, b"".join(table(*one) for one in tables))
    found = facts(jpeg(segment(marker, FRAME), known, scan(bytes(2_000), **parts)))
    assert (found.has_gap, found.is_cut) == (has_gap, False)


@pytest.mark.parametrize("junk", [b"\0", b"junk", b"\xff\0", b"\xff\x02", b"\xff\xd8", b"\xff\xe0\0\1", bytes(9_000)])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_junk_between_segments_is_doubted(junk: bytes, place: int) -> None:
    """Readers skip it with a warning, or refuse the picture."""
    parts = [segment(0xE0, b"ab"), segment(0xC0, FRAME), scan(b"x")]
    found = facts(
        jpeg(*parts[: place + 1], junk, *parts[place + 1 :]) if place < 2 else jpeg(*parts, b"\xff\xfe\0\2", junk)
    )
    assert (refusals(found), ["belong to no part" in message for message in doubts(found)]) == ([], [True])
    assert (found.width, found.height) == (1080, 1920)


@pytest.mark.parametrize(
    ("coded", "is_doubted"),
    [
        (b"\xff\0\xff\xd0x\xff\xd7\xff\xff\0", False),
        (b"a\xff\x01b", True),
        (b"a\xff\xbfb", True),
        (b"a\xff\xff", False),
        (b"a\xff\xfe\0\4abc", True),
        (b"a\xff\xd8b", True),
    ],
)
def test_a_marker_in_coded_data_is_doubted(coded: bytes, is_doubted: bool) -> None:
    """Stuffed zeros, restart markers and fill bytes belong there."""
    for length in (0, BLOCK - 36, BLOCK):
        found = facts(jpeg(segment(0xC0, FRAME), scan(b"x" * length + coded)))
        assert (found.has_junk, found.is_cut) == (is_doubted, False)
    assert not facts(jpeg(segment(0xF7, FRAME), scan(b"a\xff\x01b"))).has_junk


@pytest.mark.parametrize("fill", range(5))
def test_an_empty_segment_and_fill_bytes_are_no_junk(fill: int) -> None:
    """A segment has at least its own length, and as many fill bytes before it as a writer likes."""
    found = facts(jpeg(b"\xff" * fill + segment(0xFE), segment(0xC0, FRAME), scan(b"x")))
    assert (found.has_junk, found.is_cut, found.width) == (False, False, 1080)


@pytest.mark.parametrize("name", WEBPS)
def test_only_an_animation_is_an_animation(name: str) -> None:
    """A still WebP has no doubt; nobody knows whether TikTok takes animated ones."""
    assert not facts(WEBPS[name]).is_animated
    found = facts(ANY["animated.webp"])
    assert (refusals(found), ["animated" in message for message in doubts(found)]) == ([], [True])


@pytest.mark.parametrize(
    "chunks", [[canvas(8, 8, flags=2), lossy(8, 8)], [lossy(8, 8), chunk(b"ANIM", bytes(6))], [chunk(b"ANMF", b"abc")]]
)
def test_an_animation_shows_in_its_header_or_its_chunks(chunks: list[bytes]) -> None:
    """Each of the three shows it alone."""
    assert facts(webp(*chunks)).is_animated


# --- Reading ---------------------------------------------------------------------------------------------------------


@given(st.sampled_from(sorted(ANY)), st.integers(1, 600), st.binary(max_size=4), st.floats(0, 1), st.integers(0, 300))
def test_it_does_not_matter_where_a_block_ends(name: str, most: int, new: bytes, share: float, zeros: int) -> None:
    """Whole and damaged pictures have the same properties, however few bytes one read gives."""
    place = int(len(ANY[name]) * share)
    data = ANY[name][:place] + new + bytes(zeros) + ANY[name][place + len(new) :]
    assert picture_facts(len(data), reading(data, most=most)) == facts(data)


def blocks(data: bytes, size: int) -> Iterator[tuple[int, int]]:
    """Yield each part that is read of a file of this size which begins with `data`, as its start and length."""
    seen = []

    def read(start: int, length: int) -> bytes:
        seen.append((start, length))
        return data[start : start + length].ljust(min(length, size - start), b"\x55")

    picture_facts(size, read)
    yield from seen


@pytest.mark.parametrize(
    ("data", "size", "most"),
    [
        (jpeg(segment(0xC0, FRAME), scan(b"x"))[:-2], 20 * 1024**2, 80),
        (jpeg(segment(0xC0, FRAME), scan(b"x"))[:-2], 20 * 1024**2 + 1, 1),
        (jpeg(segment(0xE0, bytes(65_000)), segment(0xC0, FRAME), scan(b"x"))[:-2], 50_000_000, 2),
        (webp(canvas(8, 8), b"VP8 " + (9_000_000).to_bytes(4, "little"), end=30_000_000), 30_000_008, 1),
        (webp(canvas(8, 8), b"VP8 " + (9_000_000).to_bytes(4, "little"), end=20_000_000), 20_000_008, 2),
        (b"\xff\xd8" + segment(0xE0) * 100_000, 20_000_000, 2),
        (webp(chunk(b"XXXX", b"") * 100_000, end=20_000_000), 20_000_008, 3),
        (b"\x89PNG\r\n\x1a\n", 20_000_000, 1),
    ],
)
def test_a_file_is_read_once_in_large_blocks(data: bytes, size: int, most: int) -> None:
    """Each read may cost a way over a network. Of a file above the limit, and of one of countless parts, the end is not read."""
    parts = list(blocks(data, size))
    assert len(parts) <= most
    assert all(length <= BLOCK for _, length in parts)
    assert all(start + length <= after for (start, length), (after, _) in pairwise(parts))
    assert sum(length for _, length in parts) <= size


@pytest.mark.parametrize("data", [b"\xff\xd8" + segment(0xE0) * 30_000, webp(chunk(b"XXXX", b"") * 30_000)])
def test_a_picture_of_countless_parts_is_given_up(data: bytes) -> None:
    """The check of such a file is bounded, and does not refuse it."""
    assert refusals(facts(data)) == []


@given(
    st.sampled_from([b"\xff\xd8\xff", b"\xff\xd8\xff\xda", b"\xff\xd8\xff\xc4", b"RIFF\x40\0\0\0WEBPVP8X", b""]),
    st.binary(max_size=99),
)
def test_any_bytes_are_a_picture_or_none(head: bytes, tail: bytes) -> None:
    """For any bytes, both sides are known and positive, or neither is known."""
    found = facts(head + tail)
    assert (found.width is None) == (found.height is None)
    assert found.width is None or (found.width > 0 and found.height)
    assert len(refusals(found)) + len(doubts(found)) <= 9


@given(
    st.sampled_from(sorted(ANY)), st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=9)), max_size=5)
)
def test_a_damaged_picture_raises_nothing(name: str, changes: list[tuple[float, bytes]]) -> None:
    """Whatever the damage is, the picture has properties, and a file of another type has only that type."""
    data = bytearray(ANY[name])
    for share, new in changes:
        place = int(len(data) * share)
        data[place : place + len(new)] = new
    found = facts(bytes(data))
    if found.kind not in ("a JPEG picture", "a WebP picture"):
        assert found == PictureFacts(size=len(data), kind=found.kind)
    assert all("\n" not in message for message in [*refusals(found), *doubts(found)])


# --- The rules -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (evolve(PICTURE, kind="a PNG picture"), "the file is a PNG picture; TikTok takes JPEG and WebP"),
        (evolve(PICTURE, kind=""), "the file is not a known type of picture; TikTok takes JPEG and WebP"),
        (evolve(PICTURE, size=21_000_000), "the file has 21,000,000 bytes; TikTok takes at most 20 MB (20,971,520)"),
        (
            evolve(PICTURE, width=1254, height=1254),
            "the picture has 1254 x 1254 pixels; TikTok takes up to 1080p, so at most 1080 on the short side",
        ),
        (
            evolve(PICTURE, width=1086, height=1448),
            "the picture has 1086 x 1448 pixels; TikTok takes up to 1080p, so at most 1080 on the short side",
        ),
        (
            evolve(PICTURE, is_cut=True),
            "the file is cut off or damaged: its 1,000,000 bytes do not hold the whole picture",
        ),
        (
            evolve(PICTURE, is_cut=True, size=None),
            "the file is cut off or damaged: it does not hold the whole picture",
        ),
    ],
)
def test_a_wrong_picture_is_told_with_its_figure(found: PictureFacts, sentence: str) -> None:
    """The error has one sentence, under the picture's name."""
    assert [(one.field, one.message) for one in picture_problems("photo_images[3]", found)] == [
        ("photo_images[3]", sentence)
    ]


@pytest.mark.parametrize(("width", "height"), [(1080, 1920), (1920, 1080), (1, 1), (1080, 1080), (None, 9000)])
@pytest.mark.parametrize("kind", ["a JPEG picture", "a WebP picture"])
def test_a_picture_at_the_edges_is_taken(width: int | None, height: int, kind: str) -> None:
    """A picture of 1080 by 1920, either way round, of up to 20 decimal MB, has no refusal and no doubt."""
    found = PictureFacts(size=20_000_000, kind=kind, width=width, height=height)
    assert (refusals(found), doubts(found)) == ([], [])


@pytest.mark.parametrize(
    ("found", "word"),
    [
        (evolve(PICTURE, height=2400), "1920"),
        (evolve(PICTURE, size=20_000_001), "20,000,000"),
        (evolve(PICTURE, bits=12), "12 bits"),
        (evolve(PICTURE, codings=("lossless",)), "lossless"),
        (evolve(PICTURE, has_gap=True), "zeros"),
        (evolve(PICTURE, has_junk=True), "belong to no part"),
        (evolve(PICTURE, is_animated=True), "animated"),
        (evolve(PICTURE, lacks_padding=True), "last byte"),
    ],
)
def test_what_nobody_knows_is_a_doubt(found: PictureFacts, word: str) -> None:
    """What one reading of TikTok's words allows, and what some programs read, gives a warning and no refusal."""
    assert refusals(found) == []
    assert [word in message for message in doubts(found)] == [True]


@given(FACTS)
def test_pictures_are_judged_by_each_figure_alone(found: PictureFacts) -> None:
    """There are as many sentences as wrong figures, by this test's own count. No figure is both refused and doubted."""
    sides = [side for side in (found.width, found.height) if side is not None]
    measured, size = len(sides) == 2, found.size or 0
    wrong = [
        found.kind not in ("a JPEG picture", "a WebP picture"),
        found.is_cut,
        size > 20_971_520,
        measured and min(sides) > 1080,
    ]
    doubted = [
        20_000_000 < size <= 20_971_520,
        measured and min(sides) <= 1080 and max(sides) > 1920,
        found.bits == 12,
        found.has_gap,
        found.has_junk,
        found.is_animated,
        found.lacks_padding,
    ]
    assert len(refusals(found)) == sum(wrong)
    assert len(doubts(found)) == sum(doubted) + len(found.codings)


@given(FACTS, st.sampled_from(["size", "width", "height", "bits"]))
def test_what_is_unknown_is_never_refused(found: PictureFacts, name: str) -> None:
    """A figure that could not be read takes its own sentence with it, and adds none."""
    unknown = evolve(found, **{name: None}, is_cut=False)
    assert set(refusals(unknown)) <= set(refusals(found))
    assert set(doubts(unknown)) <= set(doubts(found))


@pytest.mark.parametrize("ending", ["png", "PNG", "heic", "HeIf", "avif", "gif", "bmp", "tif", "tiff", "%70ng"])
@pytest.mark.parametrize("tail", ["", "?v=1", "#top", "?a=b.jpg#c"])
def test_a_url_that_ends_as_another_picture_is_doubted(ending: str, tail: str) -> None:
    """TikTok takes such a URL and refuses the post later. But a server may give a JPEG there, so this is no refusal."""
    (found,) = picture_url_doubts("photo_images[1]", f"https://media.example.com/p/1.{ending}{tail}")
    assert found.field == "photo_images[1]"
    assert "after the init; check what the URL gives" in found.message


@pytest.mark.parametrize(
    "url",
    [
        "https://media.example.com/1.jpg",
        "https://media.example.com/1.webp?from=1.png",
        "https://media.example.com/1.jpg#1.png",
        "https://media.example.com/png",
        "https://media.example.com/1.png/",
        "https://media.example.com/1.png.jpg",
        "https://media.example.png",
        "https://media.example.png?x",
        "",
    ],
)
def test_any_other_url_has_no_doubt(url: str) -> None:
    """Only the last name of the path counts."""
    assert list(picture_url_doubts("p", url)) == []


@given(st.text())
def test_any_text_is_doubted_at_most_once(text: str) -> None:
    """No text raises an error, whatever it is."""
    assert len(list(picture_url_doubts("p", text))) <= 1
    assert len(list(picture_url_doubts("p", f"https://media.example.com/{text}.png"))) == (not {"?", "#"} & set(text))
