"""Videos whose first bytes, sample descriptions or ends are unusual.

What belongs here: which container it is, whether anybody knows its codec, and whether a part of it is missing.
"""

from functools import partial
from typing import Final

from corpus.made import FFMPEG, GSTREAMER, H264, VP8, Limit, Made, Step, moving, opened, refused, taken
from corpus.patches import (
    appended,
    box,
    boxed_before,
    cut,
    cut_before_fragment,
    entries_renamed,
    first_box_dropped,
    first_box_renamed,
    joined,
    last_box_open,
    taken_from,
    written,
    zeroed,
)

__all__ = ["CUT", "FIRST_BOXES", "UNKNOWN_CODECS"]

ONE: Final = f"{FFMPEG} {moving()}"
TEST: Final = f"{GSTREAMER} videotestsrc num-buffers=30 ! video/x-raw,width=360,height=640,framerate=30/1"
FIRST: Final = "first box"


def _first(name: str, why: str, *steps: Step, is_quick: bool = True) -> Made:
    return taken(name, FIRST, why, *steps, producer="bytes", is_quick=is_quick)


FIRST_BOXES: Final[tuple[Made, ...]] = (
    taken(
        "index-last.mp4", FIRST, "ffmpeg's usual order: ftyp, free, mdat, moov", f"{ONE} {H264} {{out}}", is_quick=True
    ),
    taken(
        "index-first.mp4", FIRST, "ftyp, moov, free, mdat", f"{ONE} {H264} -movflags faststart {{out}}", is_quick=True
    ),
    taken(
        "index-last-g.mp4",
        FIRST,
        "GStreamer's usual order",
        f"{TEST} ! x264enc ! h264parse ! mp4mux ! filesink location={{out}}",
        producer="GStreamer",
    ),
    taken(
        "index-first-g.mov",
        FIRST,
        "moov before mdat",
        f"{TEST} ! x264enc ! h264parse ! qtmux faststart=true ! filesink location={{out}}",
        producer="GStreamer",
    ),
    taken(
        "reserved-g.mp4",
        FIRST,
        "room for moov is reserved, and what is left of it is a free box",
        f"{TEST} ! x264enc ! h264parse ! mp4mux reserved-max-duration=60000000000 reserved-moov-update-period=1000000000 "
        "! filesink location={out}",
        producer="GStreamer",
    ),
    taken("reserved.mp4", FIRST, "a free box behind moov", f"{FFMPEG} -i good.mp4 -c copy -moov_size 60000 {{out}}"),
    _first("wide.mov", "wide and mdat first, no ftyp", partial(first_box_renamed, source="good.mov", kind=b"wide")),
    _first("free.mov", "free first, no ftyp", partial(first_box_renamed, source="good.mov", kind=b"free")),
    _first("skip.mov", "skip first, no ftyp", partial(first_box_renamed, source="good-fast.mov", kind=b"skip")),
    _first("moov.mov", "moov first, no ftyp", partial(first_box_dropped, source="good-fast.mov")),
    _first("mdat.mov", "mdat first after eight bytes of wide, no ftyp", partial(first_box_dropped, source="good.mov")),
    _first("free-ftyp.mov", "free before ftyp", partial(boxed_before, source="good.mov", kind=b"free", length=400)),
    _first(
        "wide-ftyp.mov",
        "wide before ftyp",
        partial(boxed_before, source="good-hevc.mov", kind=b"wide", length=8),
        is_quick=False,
    ),
    _first("rest.mp4", "mdat has the length 0: it reaches to the end", partial(last_box_open, source="good-fast.mp4")),
    opened(
        "free-ftyp.mp4",
        FIRST,
        "ISO wants ftyp as early as possible, and free stands before it",
        partial(boxed_before, source="good.mp4", kind=b"free", length=200),
        producer="bytes",
    ),
    opened(
        "no-ftyp.mp4",
        FIRST,
        "ISO wants an ftyp; QuickTime does not",
        partial(first_box_dropped, source="good-fast.mp4"),
        producer="bytes",
    ),
    opened(
        "uuid-first.mp4",
        FIRST,
        "a box of somebody's own before ftyp",
        partial(boxed_before, source="good.mp4", kind=b"uuid", length=60),
        producer="bytes",
    ),
    opened(
        "zeros-behind.mp4",
        FIRST,
        "zeros behind the last box",
        partial(appended, source="good.mp4", data=bytes(5_000)),
        producer="bytes",
    ),
    opened(
        "text-behind.mp4",
        FIRST,
        "a text behind the last box",
        partial(appended, source="good.mp4", data=b"thanks\n" * 9),
        producer="bytes",
    ),
    opened("seen-3gp.mp4", FIRST, "3GP with H.264", f"{FFMPEG} -i good.mp4 -c copy -f 3gp {{out}}"),
    opened("seen-f4v.mp4", FIRST, "F4V with H.264", f"{FFMPEG} -i good.mp4 -c copy -f f4v {{out}}"),
    taken("brand-m4v.mp4", FIRST, "the brand M4V of Apple's programs", f"{FFMPEG} -i good.mp4 -c copy -f ipod {{out}}"),
    taken(
        "brand-qt.mp4", FIRST, "a MOV by its bytes, an MP4 by its name", f"{FFMPEG} -i good.mp4 -c copy -f mov {{out}}"
    ),
    taken(
        "brand-isom.mov",
        FIRST,
        "an MP4 by its bytes, a MOV by its name",
        f"{FFMPEG} -i good.mp4 -c copy -f mp4 {{out}}",
    ),
    taken("webm.mp4", FIRST, "a WebM by its bytes, an MP4 by its name", f"{ONE} {VP8} -f webm {{out}}"),
)

CODE: Final = "unknown codec"
KEYS: Final = (
    "-encryption_scheme cenc-aes-ctr -encryption_key 00112233445566778899aabbccddeeff -encryption_kid " + "a5" * 16
)

UNKNOWN_CODECS: Final[tuple[Made, ...]] = (
    opened(
        "protected.mp4", CODE, "encrypted: the sample entry is encv", f"{FFMPEG} -i good.mp4 -c copy {KEYS} {{out}}"
    ),
    opened(
        "protected-sound.mp4",
        CODE,
        "picture and sound are encrypted",
        f"{FFMPEG} -i good-sound.mp4 -c copy {KEYS} {{out}}",
    ),
    opened(
        "protected-fragments.mp4",
        CODE,
        "encrypted, in fragments",
        f"{FFMPEG} -i good.mp4 -c copy {KEYS} -movflags empty_moov+frag_keyframe {{out}}",
    ),
    opened(
        "protected.mov",
        CODE,
        "called encv, and nothing says how it was encrypted",
        partial(entries_renamed, source="good-hevc.mov", was=b"hvc1", becomes=b"encv"),
        producer="bytes",
    ),
    opened(
        "drmi.mp4",
        CODE,
        "called drmi, as bought films are",
        partial(entries_renamed, source="good.mp4", was=b"avc1", becomes=b"drmi"),
        producer="bytes",
    ),
    opened(
        "unknown-entry.mp4",
        CODE,
        "a sample entry that nobody knows",
        partial(entries_renamed, source="good.mp4", was=b"avc1", becomes=b"zz01"),
        producer="bytes",
        is_quick=True,
    ),
    opened(
        "unknown-entry.mov",
        CODE,
        "a sample entry that nobody knows",
        partial(entries_renamed, source="good.mov", was=b"avc1", becomes=b"\xa9xyz"),
        producer="bytes",
    ),
    opened(
        "dolby.mp4",
        CODE,
        "H.265 called dvh1, as films in Dolby Vision are",
        partial(entries_renamed, source="good-hevc.mov", was=b"hvc1", becomes=b"dvh1"),
        producer="bytes",
    ),
    taken(
        "avc3.mp4",
        CODE,
        "H.264 called avc3",
        f"{FFMPEG} -i good.mp4 -c copy -tag:v avc3 {{out}}",
    ),
)

END: Final = "cut"


def _cut(name: str, why: str, *steps: Step, producer: str = "ffmpeg", is_quick: bool = False) -> Made:
    return refused(name, Limit.CUT, END, why, *steps, producer=producer, is_quick=is_quick)


CUT: Final[tuple[Made, ...]] = (
    _cut(
        "cut-frames.mp4",
        "the second half is missing, moov lies before",
        partial(cut, source="good-fast.mp4", end=0.5),
        is_quick=True,
    ),
    _cut(
        "cut-index.mp4",
        "the second half is missing, and with it moov",
        partial(cut, source="good.mp4", end=0.5),
        is_quick=True,
    ),
    _cut("cut-last-byte.mp4", "the last byte is missing", partial(cut, source="good-fast.mp4", end=-1)),
    _cut("cut-in-index.mp4", "it ends within moov", partial(cut, source="good.mp4", end=-200)),
    _cut(
        "only-ftyp.mp4",
        "nothing but ftyp",
        partial(written, data=box(b"ftyp", b"isom\0\0\2\0isomiso2avc1mp41")),
        producer="bytes",
    ),
    _cut(
        "no-index.mp4",
        "ftyp and mdat: what a phone leaves that ran out of power",
        partial(written, data=box(b"ftyp", b"mp42\0\0\0\0isommp42") + box(b"mdat", bytes(range(256)) * 900)),
        producer="bytes",
    ),
    _cut(
        "cut.mov",
        "the second half is missing, and with it moov",
        partial(cut, source="good-hevc.mov", end=0.5),
    ),
    _cut(
        "cut-g.mp4",
        "its last third is missing",
        f"{TEST} ! x264enc ! h264parse ! mp4mux ! filesink location={{here}}/whole.mp4",
        partial(taken_from, made="whole.mp4"),
        partial(cut, source="making/cut-g.mp4/cut-g.mp4", end=0.66),
        producer="GStreamer",
    ),
    _cut(
        "cut-fragment.mp4",
        "it ends within a fragment",
        f"{FFMPEG} -i ten.mp4 -c copy -movflags empty_moov+frag_keyframe+skip_trailer {{out}}",
        partial(cut, source="making/cut-fragment.mp4/cut-fragment.mp4", end=-100),
    ),
    _cut("cut.webm", "the segment is longer than the file", partial(cut, source="good.webm", end=0.5), is_quick=True),
    _cut("cut-vp9.webm", "the segment is longer than the file", partial(cut, source="good-vp9.webm", end=0.9)),
    _cut(
        "cut-m.webm",
        "the segment is longer than the file",
        "mkvmerge -q --webm -o {out} good.webm",
        partial(cut, source="making/cut-m.webm/cut-m.webm", end=0.7),
        producer="mkvmerge",
    ),
    _cut("cut-head.webm", "it ends within its head", partial(cut, source="good.webm", end=0.001)),
    opened(
        "zeros.webm",
        END,
        "as long as it should be, and zeros from the middle on",
        partial(zeroed, source="good.webm", start=0.5),
    ),
    opened(
        "zeros-inside.mp4",
        END,
        "as long as it should be, and its last frames are zeros",
        partial(zeroed, source="good-fast.mp4", start=0.5),
    ),
    opened(
        "cut-live.webm",
        END,
        "segment and cluster have no length, so nothing shows that the end is missing",
        f"{FFMPEG} -i good.webm -c copy -live 1 {{out}}",
        partial(cut, source="making/cut-live.webm/cut-live.webm", end=0.6),
    ),
    opened(
        "cut-between-fragments.mp4",
        END,
        "the last fragments are missing, and nothing says how many there were",
        f"{FFMPEG} -i ten.mp4 -c copy -movflags empty_moov+frag_keyframe+skip_trailer {{out}}",
        partial(cut_before_fragment, source="making/cut-between-fragments.mp4/cut-between-fragments.mp4", number=5),
    ),
    _cut(
        "segments.mp4",
        "two segments of a stream without their head",
        f"{FFMPEG} -i ten.mp4 -c copy -f hls -hls_time 4 "
        "-hls_segment_type fmp4 -hls_playlist_type vod -hls_segment_filename {here}/part%d.m4s {here}/list.m3u8",
        partial(joined, sources=("/part0.m4s", "/part1.m4s")),
    ),
)
