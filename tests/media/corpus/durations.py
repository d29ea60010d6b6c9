"""Films whose length is hard to tell.

What belongs here: tracks of different lengths, tags that lie, headers without a length, and edit lists.
"""

from functools import partial
from typing import Final

from corpus.made import FFMPEG, GSTREAMER, H264, VP8, Limit, Made, moving, opened, refused, taken
from corpus.patches import taken_from, unlasting

__all__ = ["EDITS", "LENGTHS", "UNKNOWN_LENGTHS"]

APART: Final = "tracks of different lengths"
SPLIT: Final = "mkvmerge -q --webm --split {} -o {{here}}/part.webm {}"

LENGTHS: Final[tuple[Made, ...]] = (
    *(
        made
        for ending in ("mp4", "mov")
        for made in (
            refused(
                f"sound-longer.{ending}",
                Limit.DURATION,
                APART,
                "two seconds of picture, 700 of sound",
                f"{FFMPEG} -i good.mp4 -i tone-700.m4a -map 0 -map 1 -c copy {{out}}",
            ),
            refused(
                f"sound-shorter.{ending}",
                Limit.DURATION,
                APART,
                "660 seconds of picture, two of sound",
                f"{FFMPEG} -i film-660.mp4 -i tone-2.m4a -map 0 -map 1 -c copy {{out}}",
            ),
            taken(
                f"sound-30.{ending}",
                APART,
                "two seconds of picture, 30 of sound",
                f"{FFMPEG} -i good.mp4 -i tone-30.m4a -map 0 -map 1 -c copy {{out}}",
            ),
        )
    ),
    refused(
        "sound-longer-g.mp4",
        Limit.DURATION,
        APART,
        "two seconds of picture, 700 of sound",
        f"{GSTREAMER} mp4mux name=m ! filesink location={{out}} filesrc location=good.mp4 ! qtdemux ! h264parse ! queue ! m. "
        "filesrc location=tone-700.m4a ! qtdemux ! aacparse ! queue ! m.",
        producer="GStreamer",
    ),
    refused(
        "sound-longer.webm",
        Limit.DURATION,
        APART,
        "two seconds of picture, 700 of sound",
        f"{FFMPEG} -i good.webm -i tone-700.webm -map 0 -map 1 -c copy {{out}}",
    ),
    refused(
        "sound-longer-m.webm",
        Limit.DURATION,
        APART,
        "two seconds of picture, 700 of sound",
        "mkvmerge -q --webm -o {out} good.webm tone-700.webm",
        producer="mkvmerge",
    ),
    taken(
        "sound-under.webm",
        APART,
        "two seconds of picture, 590 of sound",
        f"{FFMPEG} -i good.webm -i tone-590.webm -map 0 -map 1 -c copy {{out}}",
    ),
    *(
        taken(
            f"split-{seconds}-{number}.webm",
            "tags that lie",
            "a part of a film whose DURATION tag tells of the whole film",
            SPLIT.format(f"{seconds}s", source),
            partial(taken_from, made=f"part-{number:03}.webm"),
            producer="mkvmerge",
        )
        for seconds, source, number in (
            (60, "film-660.webm", 1),
            (60, "film-660.webm", 2),
            (60, "film-660-vp9.webm", 11),
            (330, "film-660.webm", 2),
        )
    ),
    taken(
        "tag-longer.webm",
        "tags that lie",
        "two seconds, and a DURATION tag of 700",
        "mkvmerge -q --webm -o {out} --global-tags lies.xml --tags 0:lies.xml good.webm",
        producer="mkvmerge",
    ),
    taken(
        "tag-longer-e.webm",
        "tags that lie",
        "two seconds, and a DURATION tag of 700",
        "cp good.webm {out} && mkvpropedit -q {out} --tags track:v1:lies.xml",
        producer="mkvmerge",
    ),
    refused(
        "tag-shorter.webm",
        Limit.DURATION,
        "tags that lie",
        "660 seconds, and a DURATION tag of five",
        "cp film-660.webm {out} && mkvpropedit -q {out} --tags track:v1:short.xml",
        producer="mkvmerge",
    ),
    refused(
        "tag-shorter-f.webm",
        Limit.DURATION,
        "tags that lie",
        "660 seconds; each track's tag is ffmpeg's own",
        f"{FFMPEG} -i film-660.webm -c copy -metadata:s:v DURATION=00:00:05 {{out}}",
    ),
)

UNTOLD: Final = "unknown length"
EVERY: Final = (b"mvhd", b"tkhd", b"mdhd")


def _unlasting(source: str, kinds: tuple[bytes, ...] = EVERY, digit: int = 255) -> "partial[None]":
    return partial(unlasting, source=source, kinds=kinds, digit=digit)


UNKNOWN_LENGTHS: Final[tuple[Made, ...]] = (
    opened("ones.mp4", UNTOLD, "every duration is all ones", _unlasting("good.mp4"), producer="bytes", is_quick=True),
    opened("ones.mov", UNTOLD, "every duration is all ones", _unlasting("good-hevc.mov"), producer="bytes"),
    opened(
        "ones-mvhd.mp4",
        UNTOLD,
        "the film's duration is all ones",
        _unlasting("good-fast.mp4", (b"mvhd",)),
        producer="bytes",
    ),
    opened(
        "ones-mdhd.mp4",
        UNTOLD,
        "the track's duration is all ones",
        _unlasting("good.mp4", (b"mdhd",)),
        producer="bytes",
    ),
    opened(
        "ones-sound.mp4",
        UNTOLD,
        "every duration is all ones, with sound",
        _unlasting("good-sound.mp4"),
        producer="bytes",
    ),
    opened(
        "ones-fragments.mp4",
        UNTOLD,
        "every duration is all ones, in fragments",
        f"{FFMPEG} -i good.mp4 -c copy -movflags frag_keyframe+empty_moov {{out}}",
        _unlasting("making/ones-fragments.mp4/ones-fragments.mp4"),
        producer="bytes",
    ),
    opened(
        "ones-wide.mp4",
        UNTOLD,
        "durations of 64 bits, all ones",
        f"{FFMPEG} {moving(seconds=3)} {H264} -video_track_timescale 2000000000 {{out}}",
        _unlasting("making/ones-wide.mp4/ones-wide.mp4"),
        producer="bytes",
    ),
    refused(
        "ones-660.mp4",
        Limit.DURATION,
        UNTOLD,
        "every duration is all ones; the samples last 660 s",
        _unlasting("film-660.mp4"),
        producer="bytes",
    ),
    opened("noughts.mp4", UNTOLD, "every duration is zero", _unlasting("good.mp4", digit=0), producer="bytes"),
    refused(
        "noughts-660.mp4",
        Limit.DURATION,
        UNTOLD,
        "every duration is zero; the samples last 660 s",
        _unlasting("film-660.mp4", digit=0),
        producer="bytes",
    ),
)

EDIT: Final = "edits"
EDITS: Final[tuple[Made, ...]] = (
    taken(
        "begun-later.mp4",
        EDIT,
        "its beginning was cut off without coding anew",
        f"{FFMPEG} -ss 3.5 -i ten.mp4 -c copy {{out}}",
    ),
    taken(
        "begun-later.mov",
        EDIT,
        "its beginning was cut off without coding anew",
        f"{FFMPEG} -ss 3.5 -i ten.mov -c copy {{out}}",
    ),
    taken(
        "begun-later-590.mp4",
        EDIT,
        "660 s, of which 71.5 were cut off",
        f"{FFMPEG} -ss 71.5 -i film-660.mp4 -c copy {{out}}",
    ),
    taken(
        "delayed.mp4",
        EDIT,
        "an empty edit of half a second",
        f"{FFMPEG} -itsoffset 0.5 -i good.mp4 -i tone-2.m4a -c copy {{out}}",
    ),
    taken(
        "between.mp4",
        EDIT,
        "B-frames",
        f"{FFMPEG} {moving(seconds=2)} -c:v libx264 -preset medium -bf 3 -pix_fmt yuv420p {{out}}",
        is_quick=True,
    ),
    taken(
        "between.mov",
        EDIT,
        "B-frames in H.265",
        f"{FFMPEG} {moving(seconds=2)} -c:v libx265 -preset medium -bf 4 "
        "-x265-params log-level=none -pix_fmt yuv420p {out}",
    ),
    taken(
        "between-negative.mp4",
        EDIT,
        "B-frames with negative offsets",
        f"{FFMPEG} {moving(seconds=2)} -c:v libx264 -bf 3 -pix_fmt yuv420p -movflags negative_cts_offsets {{out}}",
    ),
    taken(
        "turned.mp4",
        EDIT,
        "stored on its side, with a matrix that turns it",
        f"{FFMPEG} {moving('640x360')} {H264} -metadata:s:v rotate=90 {{out}}",
    ),
    taken(
        "turned.mov",
        EDIT,
        "stored on its side, with a matrix that turns it",
        f"{FFMPEG} {moving('1920x1080')} -i tone-2.m4a {H264} -c:a copy -metadata:s:v rotate=270 {{out}}",
    ),
    taken(
        "ten-bits.mp4",
        EDIT,
        "H.264 of ten bits",
        f"{FFMPEG} {moving()} -c:v libx264 -preset ultrafast -pix_fmt yuv420p10le {{out}}",
    ),
    taken(
        "ten-bits.mov",
        EDIT,
        "H.265 of ten bits",
        f"{FFMPEG} {moving()} -c:v libx265 -preset ultrafast -pix_fmt yuv420p10le "
        "-x265-params log-level=none -tag:v hvc1 {out}",
    ),
    taken(
        "ten-bits.webm",
        EDIT,
        "VP9 of ten bits",
        f"{FFMPEG} {moving()} -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -pix_fmt yuv420p10le {{out}}",
    ),
    taken(
        "alpha.webm",
        EDIT,
        "VP8 with transparency",
        f"{FFMPEG} {moving()} {VP8} -auto-alt-ref 0 -pix_fmt yuva420p {{out}}",
    ),
    taken("interlaced.mp4", EDIT, "interlaced", f"{FFMPEG} {moving()} {H264} -flags +ildct+ilme {{out}}"),
)
