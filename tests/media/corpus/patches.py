"""Functions that make a file of the corpus by its bytes: what no program writes on purpose, and what happens to files on their way.

Each takes the folder of the corpus, the path of the new file, and what else it needs. What belongs here: copying, cutting, and
changing single boxes, elements and segments. Nothing here is shared with the library that the corpus judges.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

__all__ = [
    "appended",
    "box",
    "boxed_before",
    "cut",
    "cut_before_fragment",
    "entries_renamed",
    "first_box_dropped",
    "first_box_renamed",
    "hushed",
    "inserted_in_jpeg",
    "joined",
    "last_box_open",
    "taken_from",
    "unlasting",
    "webp_lacking",
    "written",
    "zeroed",
]

PARENTS: Final = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"moof", b"traf", b"mvex")
DURATIONS: Final = {b"mvhd": (16, 24), b"mdhd": (16, 24), b"tkhd": (20, 28)}
"""Where the duration lies after the version of a box, in its version 0 and in its version 1."""


def written(folder: Path, out: Path, data: bytes) -> None:
    """Write the given bytes."""
    out.write_bytes(data)


def taken_from(folder: Path, out: Path, made: str) -> None:
    """Take one of the files that a command has made beside the new file."""
    (out.parent / made).rename(out)


def cut(folder: Path, out: Path, source: str, end: float) -> None:
    """Leave out the end of a file. `end` is what is left of it: a part, or if it is below zero the bytes that are missing."""
    data = (folder / source).read_bytes()
    out.write_bytes(data[: int(end) if end < 0 else round(len(data) * end)])


def zeroed(folder: Path, out: Path, source: str, start: float) -> None:
    """Write zeros from some part of a file on, as a download does that reserves the space and then ends."""
    data = (folder / source).read_bytes()
    kept = data[: round(len(data) * start)]
    out.write_bytes(kept.ljust(len(data), b"\0"))


def appended(folder: Path, out: Path, source: str, data: bytes) -> None:
    """Add bytes to the end of a file."""
    out.write_bytes((folder / source).read_bytes() + data)


def joined(folder: Path, out: Path, sources: tuple[str, ...]) -> None:
    """Write files one after the other; a name that begins with a slash lies beside the new file."""
    paths = [out.parent / source[1:] if source.startswith("/") else folder / source for source in sources]
    out.write_bytes(b"".join(path.read_bytes() for path in paths))


def webp_lacking(folder: Path, out: Path, source: str, *, is_data: bool) -> None:
    """Leave out the end of a WebP of one chunk: the last byte of its data, or only the byte that fills it up to an even length."""
    data = (folder / source).read_bytes()
    length = int.from_bytes(data[16:20], "little")
    if is_data:
        out.write_bytes(data[: 20 + length - 1])
    else:
        odd = length | 1
        whole = (13 + odd).to_bytes(4, "little")
        out.write_bytes(
            data[:4] + whole + data[8:16] + odd.to_bytes(4, "little") + data[20 : 20 + length].ljust(odd, b"\0")
        )


# --- MP4 and QuickTime ------------------------------------------------------------------------------------------------


def box(kind: bytes, content: bytes = b"") -> bytes:
    """Return a box."""
    return (8 + len(content)).to_bytes(4) + kind + content


def _boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """Yield the kind of each box, where its content begins, and where it ends; a parent before its children."""
    end = len(data) if end is None else end
    while start + 8 <= end:
        length, kind, header = int.from_bytes(data[start : start + 4]), data[start + 4 : start + 8], 8
        if length == 1:
            length, header = int.from_bytes(data[start + 8 : start + 16]), 16
        after = start + length if length else end
        yield kind, start + header, after
        if kind in PARENTS:
            yield from _boxes(data, start + header, after)
        start = after


def _moved(data: bytes, by: int) -> bytes:
    """Return a file whose chunks are said to lie further behind."""
    changed = bytearray(data)
    for kind, start, _ in _boxes(data):
        width = {b"stco": 4, b"co64": 8}.get(kind)
        if width is not None:
            count = int.from_bytes(data[start + 4 : start + 8])
            for at in range(start + 8, start + 8 + count * width, width):
                changed[at : at + width] = (int.from_bytes(data[at : at + width]) + by).to_bytes(width)
    return bytes(changed)


def boxed_before(folder: Path, out: Path, source: str, kind: bytes, length: int) -> None:
    """Put a box before the first one."""
    first = box(kind, bytes(length - 8))
    out.write_bytes(first + _moved((folder / source).read_bytes(), len(first)))


def first_box_dropped(folder: Path, out: Path, source: str) -> None:
    """Leave out the first box."""
    data = (folder / source).read_bytes()
    length = int.from_bytes(data[:4])
    out.write_bytes(_moved(data, -length)[length:])


def first_box_renamed(folder: Path, out: Path, source: str, kind: bytes) -> None:
    """Call the first box otherwise, so that readers pass it over."""
    data = (folder / source).read_bytes()
    out.write_bytes(data[:4] + kind + data[8:])


def last_box_open(folder: Path, out: Path, source: str) -> None:
    """Give the last box the length 0: it reaches to the end of the file."""
    data = bytearray((folder / source).read_bytes())
    *_, (_, start, _) = ((kind, start, end) for kind, start, end in _boxes(bytes(data)) if end == len(data))
    data[start - 8 : start - 4] = bytes(4)
    out.write_bytes(data)


def entries_renamed(folder: Path, out: Path, source: str, was: bytes, becomes: bytes) -> None:
    """Call the codec in the sample descriptions otherwise."""
    data = bytearray((folder / source).read_bytes())
    for kind, start, end in list(_boxes(bytes(data))):
        if kind == b"stsd":
            data[start:end] = data[start:end].replace(was, becomes)
    out.write_bytes(data)


def cut_before_fragment(folder: Path, out: Path, source: str, number: int) -> None:
    """Leave out a fragment, counted from 1, and all that follow."""
    data = (folder / source).read_bytes()
    starts = [start - 8 for kind, start, _ in _boxes(data) if kind == b"moof"]
    out.write_bytes(data[: starts[number - 1]])


def unlasting(folder: Path, out: Path, source: str, kinds: tuple[bytes, ...], digit: int) -> None:
    """Write the durations of some kinds of boxes as all ones, which means that they are unknown, or as all zeros."""
    data = bytearray((folder / source).read_bytes())
    for kind, start, _ in list(_boxes(bytes(data))):
        if kind in kinds:
            version = data[start]
            at, width = start + DURATIONS[kind][version], 8 if version else 4
            data[at : at + width] = bytes([digit]) * width
    out.write_bytes(data)


# --- WebM -------------------------------------------------------------------------------------------------------------


def hushed(folder: Path, out: Path, source: str) -> None:
    """Make the Duration of a WebM a Void element of the same length."""
    data = (folder / source).read_bytes()
    duration = b"\x44\x89\x88"
    assert data.count(duration, 0, 1_000) == 1
    out.write_bytes(data.replace(duration, b"\xec\x89\0", 1))


# --- JPEG -------------------------------------------------------------------------------------------------------------


def inserted_in_jpeg(folder: Path, out: Path, source: str, data: bytes, *, size: int = 0) -> None:
    """Put bytes behind the first segment of a JPEG, and comments of zeros until the file has so many bytes."""
    whole = (folder / source).read_bytes()
    after = 4 + int.from_bytes(whole[4:6])
    left = size - len(whole) - len(data)
    while left > 4:
        length = min(left, 60_000)
        data += b"\xff\xfe" + (length - 2).to_bytes(2) + bytes(length - 4)
        left -= length
    out.write_bytes(whole[:after] + data + whole[after:])
