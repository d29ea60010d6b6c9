"""The rules for pictures that TikTok takes, and the reading of JPEG and WebP files from their first byte to their last.

This module holds TikTok's limits for pictures, the values to compare with them, and the functions that find these values in a
file. They read each byte at most once, in large blocks, through `read(start, length)`. What they could not read is unknown,
and no rule refuses what is unknown.

Sources: developers.tiktok.com/doc/content-posting-api-media-transfer-guide (image restrictions); ITU-T T.81, annex B (segments
and coded data), annexes C and F (what a code of zero bits means); RFC 9649 (WebP).
"""

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote

from attrs import define, evolve, field, frozen

from tiktok_core.domain.blocks import Blocks, Ended
from tiktok_core.domain.media import HEAD_LENGTH, picture_kind
from tiktok_core.domain.reading import Read
from tiktok_core.errors import Problem

__all__ = ["PictureFacts", "picture_doubts", "picture_facts", "picture_problems", "picture_url_doubts"]

PICTURES: Final = ("a JPEG picture", "a WebP picture")
PICTURE_SIDES: Final = (1080, 1920)
"""The most pixels of a picture's short and long side. TikTok says "up to 1080p". Users saw it refuse pictures whose short side
was above 1080; the limit of the long side follows from the word "1080p" alone."""
LARGEST_PICTURE: Final = 20 * 1024**2
DOUBTFUL_PICTURE: Final = 20_000_000
"""Bytes. A larger picture exceeds TikTok's limit of "20 MB" if TikTok means decimal megabytes."""
BITS: Final = 8
"""The bits of a sample that every reader of JPEG knows."""
OTHER_PICTURE: Final = re.compile(
    r"[a-z][a-z0-9+.-]*://[^/]*/.*\.(png|heic|heif|avif|gif|bmp|tiff?)", re.IGNORECASE | re.DOTALL
)
"""A URL, without its query, whose path ends as the name of a picture that is neither JPEG nor WebP."""

MOST_STEPS: Final = 20_000
"""The most segments or chunks to read in a file."""
GAP: Final = 256
"""Zero bytes in a row that no coded picture has unless its code of zero bits means "nothing changes here". Half of what the
smallest sector of a disk holds, so a sector that got lost has as many, wherever it begins."""

EOI, SOS, DHT, DHP, LS_FRAME = 0xD9, 0xDA, 0xC4, 0xDE, 0xF7
STANDALONE: Final = (0x01, *range(0xD0, 0xD8))
"""JPEG markers that no length follows."""
NO_MARKERS: Final = (0x00, *range(0x02, 0xC0), 0xD8)
"""What is no marker between the segments of a JPEG. The last one is the beginning of another picture."""
FRAMES: Final = (*(marker for marker in range(0xC0, 0xD0) if marker not in (DHT, 0xC8, 0xCC)), DHP, LS_FRAME)
"""JPEG markers of a segment that holds the picture's size."""
SEQUENTIAL, PROGRESSIVE = (0xC0, 0xC1), 0xC2
CODINGS: Final = {
    "lossless": (0xC3, 0xC7, 0xCB, 0xCF),
    "hierarchical": (0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF, DHP),
    "arithmetic": (0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF),
    "JPEG-LS": (LS_FRAME,),
}
"""The ways to code a JPEG that many readers do not know, and the frames that say so."""
MARKER: Final = re.compile(rb"\xff[\xc0-\xcf\xd8-\xfe]")
"""What ends coded data. A stuffed zero or a restart marker does not."""
STRAY: Final = re.compile(rb"\xff[\x01-\xbf]")
"""What coded data never hold."""
ZEROS: Final = 0xF0
"""The symbol for sixteen coefficients that are zero, after which others come."""


@frozen(kw_only=True)
class PictureFacts:
    """The properties of a picture.

    Attributes:
        size: bytes of the file; None if unknown.
        kind: what the file is, in words, judged by its first bytes; empty if they are of no known type.
        width: pixels; None if it could not be read.
        height: pixels; None if it could not be read.
        bits: bits of a sample of a JPEG; None if it could not be read.
        codings: the ways in which a JPEG is coded that many readers do not know: the keys of `CODINGS`.
        is_cut: whether a part of the picture is missing for certain.
        has_gap: whether a JPEG's coded data hold a row of zeros that its own code does not explain.
        has_junk: whether a JPEG has bytes that belong to no part of it, other than behind its end.
        is_animated: whether a WebP is an animation.
        lacks_padding: whether a WebP lacks the byte that makes the length of its last chunk even.
    """

    size: int | None
    kind: str
    width: int | None = None
    height: int | None = None
    bits: int | None = None
    codings: tuple[str, ...] = ()
    is_cut: bool = False
    has_gap: bool = False
    has_junk: bool = False
    is_animated: bool = False
    lacks_padding: bool = False


def picture_problems(field: str, facts: PictureFacts) -> Iterator[Problem]:
    """Yield each reason for which TikTok would refuse a picture, and so the whole post, with the figure and its limit."""
    if facts.kind not in PICTURES:
        yield Problem(field, f"the file is {facts.kind or 'not a known type of picture'}; TikTok takes JPEG and WebP")
    if facts.is_cut:
        length = "it does" if facts.size is None else f"its {facts.size:,} bytes do"
        yield Problem(field, f"the file is cut off or damaged: {length} not hold the whole picture")
    if facts.size is not None and facts.size > LARGEST_PICTURE:
        yield Problem(field, f"the file has {facts.size:,} bytes; TikTok takes at most 20 MB ({LARGEST_PICTURE:,})")
    sides = _sides(facts)
    if sides and sides[0] > PICTURE_SIDES[0]:
        yield Problem(field, f"{_pixels(facts)}; TikTok takes up to 1080p, so at most 1080 on the short side")


def picture_doubts(field: str, facts: PictureFacts) -> Iterator[Problem]:
    """Yield each reason for which TikTok may or may not refuse a picture."""
    if facts.size is not None and DOUBTFUL_PICTURE < facts.size <= LARGEST_PICTURE:
        yield Problem(
            field, f"the file has {facts.size:,} bytes; TikTok's limit of 20 MB may mean {DOUBTFUL_PICTURE:,}"
        )
    sides = _sides(facts)
    if sides and sides[0] <= PICTURE_SIDES[0] and sides[1] > PICTURE_SIDES[1]:
        yield Problem(field, f"{_pixels(facts)}; TikTok's limit of 1080p may mean 1920 on the long side")
    for coding in facts.codings:
        yield Problem(
            field, f"it is a JPEG with {coding} coding, which many programs cannot read; save it as a usual one"
        )
    if facts.bits not in (None, BITS):
        yield Problem(
            field, f"it is a JPEG with {facts.bits} bits a sample, which many programs cannot read; save it with {BITS}"
        )
    if facts.has_gap:
        yield Problem(field, "a part of the picture is zeros, as after a damaged copy; look at it, or copy it again")
    if facts.has_junk:
        yield Problem(
            field, "the file has bytes that belong to no part of the picture; it may be damaged, so look at it"
        )
    if facts.is_animated:
        yield Problem(field, "it is an animated WebP; TikTok does not say whether it takes those as photos")
    if facts.lacks_padding:
        yield Problem(
            field, "its last byte is missing, which only fills it up; some programs refuse it, so save it anew"
        )


def picture_url_doubts(field: str, url: str) -> Iterator[Problem]:
    """Yield a doubt if a URL's path ends as the name of a picture that TikTok does not take. Its bytes may be others."""
    found = OTHER_PICTURE.fullmatch(unquote(re.split("[?#]", url, maxsplit=1)[0]))
    if found:
        kind = found[1].upper()
        yield Problem(
            field, f"the URL ends in .{found[1]}: TikTok refuses {kind} after the init; check what the URL gives"
        )


def _sides(facts: PictureFacts) -> tuple[int, int] | None:
    if facts.width is None or facts.height is None:
        return None
    return min(facts.width, facts.height), max(facts.width, facts.height)


def _pixels(facts: PictureFacts) -> str:
    return f"the picture has {facts.width} x {facts.height} pixels"


def picture_facts(size: int | None, read: Read) -> PictureFacts:
    """Return the properties of a picture.

    Of a file above TikTok's limit the function reads only what stands before the coded picture.

    Args:
        size: bytes of the file; None if unknown. Only a known size shows that a file ends too early.
        read: returns `length` bytes from `start`, or fewer at the end of the file. If only the beginning of the file is at
            hand, it returns fewer at the end of that. What lies behind is then unknown.
    """
    window = Blocks(size, read)
    head = window.at(0, HEAD_LENGTH)
    facts = PictureFacts(size=size, kind=picture_kind(head))
    if facts.kind not in PICTURES:
        return facts
    is_large = size is not None and size > LARGEST_PICTURE
    reader: _Jpeg | _WebP
    position: int | None
    if facts.kind == "a JPEG picture":
        reader, position = _Jpeg(window, facts, is_large), 2
    else:
        end = 8 + int.from_bytes(head[4:8], "little")
        # If a single byte is missing, it may be the last padding: the chunks show that.
        facts = evolve(facts, is_cut=window.is_beyond(end - 1))
        reader, position = _WebP(window, facts, is_large, end), 12
    try:
        for _ in range(MOST_STEPS):
            position = reader.after(position)
            if position is None:
                break
    except Ended as ended:
        return evolve(reader.facts, is_cut=ended.is_cut or reader.facts.is_cut)
    return reader.facts


@define
class _Jpeg:
    """Follows a JPEG from segment to segment, up to the marker that ends the picture.

    Attributes:
        window: what is read of the file.
        facts: what was found up to now.
        is_large: whether the file is above TikTok's limit. That alone refuses it, so nobody waits for its end.
        frame: the marker of the last frame; 0 before the first.
        firsts: the first symbol of each Huffman table, by the table's class and number. Its code is zero bits.
        has_scan: whether coded data were found.
    """

    window: Blocks
    facts: PictureFacts
    is_large: bool
    frame: int = 0
    firsts: dict[int, int] = field(factory=dict[int, int])
    has_scan: bool = False

    def after(self, position: int) -> int | None:
        """Return where the next marker stands after what stands here; None if nothing else has to be read.

        Raises:
            Ended: the file ends, or what is known of it.
        """
        lead, marker = self.window.need(position, 2)
        if lead != 0xFF or marker in NO_MARKERS:
            return self._after_junk(position + 1)
        if marker == 0xFF:
            # Fill bytes: the last one leads the marker.
            rest = self.window.data[position - self.window.start :]
            return position + len(rest) - len(rest.lstrip(b"\xff")) - 1
        if marker in STANDALONE:
            return position + 2
        if marker == EOI:
            self.facts = evolve(self.facts, is_cut=not (self.frame and self.has_scan))
            return None
        length = int.from_bytes(self.window.need(position + 2, 2))
        return self._after_junk(position + 2) if length < 2 else self._after_segment(marker, position + 4, length - 2)

    def _after_junk(self, position: int) -> int:
        self.facts = evolve(self.facts, has_junk=True)
        return self._next_marker(position)

    def _after_segment(self, marker: int, position: int, length: int) -> int | None:
        if marker in FRAMES:
            self._read_frame(marker, self.window.need(position, 5))
        elif marker == DHT:
            self._read_tables(self.window.need(position, length))
        elif marker == SOS:
            if self.is_large:
                return None
            self.has_scan = True
            explained = self._explains_zeros(self.window.need(position, length))
            return self._next_marker(position + length, has_coded=True, explains_zeros=explained)
        return position + length

    def _read_frame(self, marker: int, body: bytes) -> None:
        codings = tuple(coding for coding, frames in CODINGS.items() if marker in frames)
        self.facts = evolve(self.facts, codings=tuple(dict.fromkeys((*self.facts.codings, *codings))))
        if not self.frame:
            self.facts = evolve(self.facts, bits=body[0])
            # A height of 0 means that it stands behind the first scan.
            self.facts = _measured(self.facts, int.from_bytes(body[3:5]), int.from_bytes(body[1:3]))
        self.frame = marker

    def _read_tables(self, body: bytes) -> None:
        position = 0
        while len(body) > position + 17:
            table, symbols = body[position], position + 17
            self.firsts[table] = body[symbols]
            position = symbols + sum(body[position + 1 : symbols])

    def _explains_zeros(self, scan: bytes) -> bool:
        """Whether zero bits mean in this scan that nothing changes, so that a plain area is a row of zeros.

        The code of the first symbol of each table is zero bits. Of a table that is not in the file nothing is known.
        """
        ends = 1 + 2 * scan[0] if scan else 0
        tables, rest = scan[2:ends:2], scan[ends:]
        differences = [self.firsts.get(table >> 4, 0) for table in tables]
        coefficients = [self.firsts.get(0x10 | table & 0xF, 0) for table in tables]
        if self.frame in SEQUENTIAL:
            return not any(differences) and not any(coefficients)
        if self.frame != PROGRESSIVE or len(rest) < 3:
            return True
        if rest[0]:
            return all(symbol & 0xF == 0 and symbol != ZEROS for symbol in coefficients)
        # A later scan of the same coefficients holds one bit for each, without a code.
        return rest[2] > 0xF or not any(differences)

    def _next_marker(self, position: int, *, has_coded: bool = False, explains_zeros: bool = True) -> int:
        """Return where the next marker stands behind coded data, or behind junk.

        Raises:
            Ended: there is none in what is known.
        """
        while True:
            is_last = len(self.window.at(position, GAP)) < GAP
            data, offset = self.window.data, position - self.window.start
            found = MARKER.search(data, offset)
            end = found.start() if found else len(data)
            if not explains_zeros and data.find(bytes(GAP), offset, end) >= 0:
                self.facts = evolve(self.facts, has_gap=True)
            if has_coded and self.frame != LS_FRAME and STRAY.search(data, offset, end):
                self.facts = evolve(self.facts, has_junk=True)
            if found:
                return self.window.start + end
            if is_last:
                raise Ended(is_cut=self.window.is_beyond(self.window.start + end + 1))
            # A marker, or a row of zeros, may begin in the last bytes.
            position = self.window.start + end - GAP + 1


@define
class _WebP:
    """Follows a WebP from chunk to chunk, up to the end that its header states.

    Attributes:
        window: what is read of the file.
        facts: what was found up to now.
        is_large: whether the file is above TikTok's limit. That alone refuses it, so nobody waits for its end.
        end: where the file ends by its own header.
        has_picture: whether a coded picture was found.
    """

    window: Blocks
    facts: PictureFacts
    is_large: bool
    end: int
    has_picture: bool = False

    def after(self, position: int) -> int | None:
        """Return where the next chunk begins after the one that begins here; None if nothing else has to be read.

        Raises:
            Ended: the file ends, or what is known of it.
        """
        if position + 8 > self.end:
            is_cut = self.facts.is_cut or not self.has_picture
            lacks_padding = not is_cut and self.window.is_beyond(max(self.end, position))
            self.facts = evolve(self.facts, is_cut=is_cut, lacks_padding=lacks_padding)
            return None
        head = self.window.need(position, 8)
        length = int.from_bytes(head[4:], "little")
        self._read_chunk(head[:4], self.window.at(position + 8, min(length, 10)))
        end = position + 8 + length
        if end > self.end or self.window.is_beyond(end):
            self.facts = evolve(self.facts, is_cut=True)
            return None
        return None if self.is_large and self.has_picture else end + length % 2

    def _read_chunk(self, kind: bytes, data: bytes) -> None:
        self.has_picture |= kind in (b"VP8 ", b"VP8L", b"ANMF")
        is_animated, sides = kind in (b"ANIM", b"ANMF"), (0, 0)
        if kind == b"VP8X" and len(data) == 10:
            is_animated = bool(data[0] & 2)
            sides = 1 + int.from_bytes(data[4:7], "little"), 1 + int.from_bytes(data[7:], "little")
        elif kind == b"VP8L" and len(data) >= 5 and data[0] == 0x2F:
            bits = int.from_bytes(data[1:5], "little")
            sides = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        elif kind == b"VP8 " and len(data) == 10 and data[3:6] == b"\x9d\x01*":
            sides = int.from_bytes(data[6:8], "little") & 0x3FFF, int.from_bytes(data[8:], "little") & 0x3FFF
        self.facts = evolve(_measured(self.facts, *sides), is_animated=self.facts.is_animated or is_animated)


def _measured(facts: PictureFacts, width: int, height: int) -> PictureFacts:
    """Return the facts with a size, if it is larger than the known one. A side of 0 means that the size is elsewhere."""
    is_larger = sorted((width, height)) > sorted((facts.width or 0, facts.height or 0))
    return evolve(facts, width=width, height=height) if width and height and is_larger else facts
