"""MP4 and MOV in fragments: their header says nothing of how long they last, and each program writes them in its own way.

What belongs here: films of a few seconds, just under and well over ten minutes, by each way of writing fragments.
"""

from functools import partial
from typing import Final

from corpus.made import FFMPEG, GSTREAMER, LONG, Limit, Made, copied, refused, taken
from corpus.patches import taken_from

__all__ = ["FRAGMENTS"]

PIECES: Final = "fragments"
FLAGS: Final[dict[str, tuple[str, str]]] = {
    "mfra": ("frag_keyframe+empty_moov", "an index (mfra) at the end"),
    "no-mfra": ("frag_keyframe+empty_moov+skip_trailer", "no index at all"),
    "sidx": ("frag_keyframe+empty_moov+dash+skip_trailer", "an index (sidx) before each fragment"),
    "one-sidx": ("frag_keyframe+empty_moov+dash+global_sidx", "one index (sidx) before all fragments"),
    "base-moof": ("frag_keyframe+empty_moov+default_base_moof", "offsets that count from the fragment"),
    "no-offset": ("frag_keyframe+empty_moov+omit_tfhd_offset", "fragments without an offset of their data"),
    "cmaf": ("frag_keyframe+cmaf", "CMAF"),
    "delayed": ("frag_keyframe+delay_moov", "moov is written after the first fragment"),
    "first-in-moov": ("frag_keyframe", "the first second lies in moov, the rest in fragments"),
    "mdat-each": ("frag_keyframe+empty_moov+separate_moof+default_base_moof", "a fragment for each track"),
}
STREAM: Final = "mp4mux fragment-duration=2000 streamable=true"
REMUX: Final = "filesrc location={} ! qtdemux ! h264parse ! {} ! filesink location={{out}}"


def _both(name: str, why: str, command: str, **more: str) -> tuple[Made, Made]:
    """Return a film of 590 s and one of 660 s; the command names the film of which each is made `FILM`."""
    under, over = (f"{name}-{seconds}.mp4" for seconds in (590, 660))
    return (
        taken(under, PIECES, why, command.replace("FILM", "film-590.mp4"), **more),
        refused(over, Limit.DURATION, PIECES, LONG + why, command.replace("FILM", "film-660.mp4"), **more),
    )


def _gstreamer(name: str, muxer: str, why: str) -> tuple[Made, Made]:
    return _both(name, why, f"{GSTREAMER} {REMUX.format('FILM', muxer)}", producer="GStreamer")


FRAGMENTS: Final[tuple[Made, ...]] = (
    *(
        made
        for name, (flags, why) in FLAGS.items()
        for made in _both(f"fragments-{name}", why, f"{FFMPEG} -i FILM -c copy -movflags {flags} {{out}}")
    ),
    taken(
        "fragments.mp4",
        PIECES,
        "two seconds",
        f"{FFMPEG} -i good.mp4 -c copy -movflags frag_keyframe+empty_moov {{out}}",
        is_quick=True,
    ),
    taken("fragments-600.mp4", PIECES, "ten minutes", copied("ten.mp4", 600, "-movflags frag_keyframe+empty_moov")),
    taken(
        "fragments-busy-590.mp4", PIECES, "large frames", copied("busy.mp4", 590, "-movflags frag_keyframe+empty_moov")
    ),
    refused(
        "fragments-busy-660.mp4",
        Limit.DURATION,
        PIECES,
        LONG + "large frames",
        copied("busy.mp4", 660, "-movflags frag_keyframe+empty_moov"),
    ),
    refused(
        "fragments-busy-660-no-mfra.mp4",
        Limit.DURATION,
        PIECES,
        LONG + "large frames, no index",
        copied("busy.mp4", 660, "-movflags frag_keyframe+empty_moov+skip_trailer"),
    ),
    taken(
        "fragments-frames-590.mp4",
        PIECES,
        "a fragment for each frame",
        f"{FFMPEG} -i film-590.mp4 -c copy -movflags frag_every_frame+empty_moov {{out}}",
    ),
    refused(
        "fragments-frames-660.mp4",
        Limit.DURATION,
        PIECES,
        LONG + "a fragment for each frame",
        f"{FFMPEG} -i film-660.mp4 -c copy -movflags frag_every_frame+empty_moov {{out}}",
    ),
    taken(
        "fragments-sound-590.mp4",
        PIECES,
        "picture and sound",
        f"{FFMPEG} -i film-590.mp4 -i tone-590.m4a -c copy "
        "-movflags frag_keyframe+empty_moov+default_base_moof {out}",
    ),
    refused(
        "fragments-sound-660.mp4",
        Limit.DURATION,
        PIECES,
        LONG + "picture and sound",
        f"{FFMPEG} -i film-660.mp4 -i tone-700.m4a -c copy -movflags frag_keyframe+empty_moov+default_base_moof {{out}}",
    ),
    taken("fragments.mov", PIECES, "a MOV", f"{FFMPEG} -i good.mp4 -c copy -movflags frag_keyframe+empty_moov {{out}}"),
    refused(
        "fragments-660.mov",
        Limit.DURATION,
        PIECES,
        LONG + "a MOV with H.265",
        f"{FFMPEG} -i film-660.mov -c copy -movflags frag_keyframe+empty_moov {{out}}",
    ),
    refused(
        "fragments-hls-660.mp4",
        Limit.DURATION,
        PIECES,
        LONG + "the one file of a stream for HLS",
        f"{FFMPEG} -i film-660.mp4 -c copy -f hls -hls_segment_type fmp4 -hls_flags single_file -hls_playlist_type vod "
        "-hls_segment_filename {here}/all.m4s {here}/list.m3u8",
        partial(taken_from, made="all.m4s"),
    ),
    refused(
        "fragments-dash-660.mp4",
        Limit.DURATION,
        PIECES,
        LONG + "the one file of a stream for DASH",
        f"{FFMPEG} -i film-660.mp4 -c copy -f dash -single_file 1 -single_file_name all.mp4 -seg_duration 4 {{here}}/list.mpd",
        partial(taken_from, made="all.mp4"),
    ),
    *_gstreamer("fragments-g", "mp4mux fragment-duration=1000", "GStreamer's fragments of a second"),
    *_both(
        "fragments-stream-g",
        "GStreamer's fragments into a pipe: no index, and no length in the header",
        f"{GSTREAMER} filesrc location=FILM ! qtdemux ! h264parse ! {STREAM} ! fdsink | cat > {{out}}",
        producer="GStreamer",
    ),
    *_gstreamer(
        "fragments-final-g",
        "mp4mux fragment-duration=2000 fragment-mode=first-moov-then-finalise",
        "GStreamer's fragments, and a moov in the end",
    ),
    *_gstreamer(
        "fragments-dash-g", "mp4mux fragment-mode=dash-or-mss fragment-duration=2000", "GStreamer's fragments for DASH"
    ),
    refused(
        "fragments-g-660.mov",
        Limit.DURATION,
        PIECES,
        LONG + "GStreamer's fragments in a MOV",
        f"{GSTREAMER} {REMUX.format('film-660.mp4', 'qtmux fragment-duration=1000')}",
        producer="GStreamer",
    ),
)
