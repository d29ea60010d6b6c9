"""Each limit of TikTok's for films: at it, under it and over it, in each container, and by several programs.

What belongs here: codecs, constant frame rates, sides, and lengths that a header tells plainly.
"""

from functools import partial
from typing import Final

from corpus.made import (
    FFMPEG,
    GSTREAMER,
    H264,
    H265,
    VP8,
    VP9,
    Limit,
    Made,
    Step,
    copied,
    moving,
    opened,
    refused,
    taken,
)
from corpus.patches import taken_from

__all__ = ["CODECS", "LENGTHS_TOLD", "RATES", "SIDES"]

KINDS: Final[dict[str, tuple[str, str]]] = {
    "h264.mp4": (H264, "ten.mp4"),
    "h265.mov": (H265, "ten.mov"),
    "vp8.webm": (VP8, "ten-vp8.webm"),
    "vp9.webm": (VP9, "ten-vp9.webm"),
}
"""The codec's options, and the film that is repeated where it has to last long."""
FILM_RATES: Final = ("22", "23", "24", "25", "30000/1001", "30", "50", "60000/1001", "60", "61", "120")
OUTSIDE: Final = ("22", "61", "120")
SIZES: Final = ((358, 640), (640, 358), (360, 360), (362, 362), (4096, 360), (360, 4096), (4098, 360), (360, 4098))
TEST: Final = (
    f"{GSTREAMER} videotestsrc num-buffers={{}} ! video/x-raw,format=I420,width=360,height=640,framerate={{}}/1"
    " ! {} ! filesink location={{{{out}}}}"
)
WITH: Final[dict[str, str]] = {
    "mp4": "x264enc speed-preset=ultrafast ! h264parse ! mp4mux",
    "mov": "x265enc speed-preset=ultrafast ! h265parse ! qtmux",
    "webm": "vp8enc deadline=1 cpu-used=8 ! webmmux",
}


def _rate(kind: str, rate: str) -> Made:
    number = f"{round(_number(rate), 2):g}"
    name, step = f"rate-{number}-{kind}", f"{FFMPEG} {moving(rate=rate)} {KINDS[kind][0]} {{out}}"
    is_quick = kind == "h264.mp4" and rate in {"22", "23", "60", "61"}
    if rate in OUTSIDE:
        return refused(name, Limit.RATE, "rate", f"{number} frames a second", step, is_quick=is_quick)
    return taken(name, "rate", f"{number} frames a second", step, is_quick=is_quick)


def _number(rate: str) -> float:
    """Return a rate as a number."""
    above, _, below = rate.partition("/")
    return int(above) / int(below or 1)


def _others(ending: str, rate: int) -> Made:
    name, why = f"rate-{rate}-g.{ending}", f"{rate} frames a second by GStreamer"
    step = TEST.format(rate, rate, WITH[ending]).format()
    if str(rate) in OUTSIDE:
        return refused(name, Limit.RATE, "rate", why, step, producer="GStreamer")
    return taken(name, "rate", why, step, producer="GStreamer")


def _merged(rate: int) -> Made:
    name, why, step = (
        f"rate-{rate}-m.webm",
        f"{rate} frames a second by mkvmerge",
        f"mkvmerge -q --webm -o {{out}} rate-{rate}-vp9.webm",
    )
    if str(rate) in OUTSIDE:
        return refused(name, Limit.RATE, "rate", why, step, producer="mkvmerge")
    return taken(name, "rate", why, step, producer="mkvmerge")


RATES: Final[tuple[Made, ...]] = (
    *(_rate(kind, rate) for kind in KINDS for rate in FILM_RATES),
    *(_others(ending, rate) for ending in WITH for rate in (22, 23, 60, 61)),
    *(_merged(rate) for rate in (22, 23, 60, 61)),
    taken(
        "rate-60-600.mp4",
        "rate",
        "60 frames a second, counted in 600ths",
        f"{FFMPEG} {moving(rate=60)} {H264} -video_track_timescale 600 {{out}}",
    ),
    taken(
        "rate-29.97-1000.mp4",
        "rate",
        "29.97 frames a second, counted in 1000ths: the steps are 33 and 34",
        f"{FFMPEG} {moving(rate='30000/1001', seconds=3)} {H264} -video_track_timescale 1000 {{out}}",
    ),
    taken(
        "rate-29.97-600.mov",
        "rate",
        "29.97 frames a second, counted in 600ths: nearly all steps are 20",
        f"{FFMPEG} {moving(rate='30000/1001', seconds=3)} {H264} -video_track_timescale 600 {{out}}",
    ),
    taken(
        "rate-59.94-1000.mp4",
        "rate",
        "59.94 frames a second, counted in 1000ths: the steps are 16 and 17",
        f"{FFMPEG} {moving(rate='60000/1001', seconds=3)} {H264} -video_track_timescale 1000 {{out}}",
    ),
    taken(
        "rate-60.02.mov",
        "rate",
        "60.02 frames a second, as cameras film that say 60",
        f"{FFMPEG} {moving(rate='6002/100', seconds=3)} {H264} -video_track_timescale 6002 {{out}}",
    ),
    taken(
        "rate-22.98.mp4",
        "rate",
        "22.98 frames a second",
        f"{FFMPEG} {moving(rate='2298/100', seconds=3)} {H264} -video_track_timescale 2298 {{out}}",
    ),
    refused(
        "rate-10.mp4",
        Limit.RATE,
        "rate",
        "ten frames a second",
        f"{FFMPEG} {moving(rate=10, seconds=3)} {H264} {{out}}",
    ),
    refused(
        "rate-1.mov", Limit.RATE, "rate", "one frame a second", f"{FFMPEG} {moving(rate=1, seconds=5)} {H264} {{out}}"
    ),
    opened(
        "rate-one-frame.mp4", "rate", "a single frame has no rate", f"{FFMPEG} {moving()} -frames:v 1 {H264} {{out}}"
    ),
)


def _side(kind: str, width: int, height: int) -> Made:
    name, why = f"{width}x{height}-{kind}", f"{width} x {height} pixels"
    step = f"{FFMPEG} {moving(f'{width}x{height}', seconds=0.2)} {KINDS[kind][0]} {{out}}"
    is_quick = kind == "h264.mp4" and width <= 360
    if min(width, height) < 360 or max(width, height) > 4096:
        return refused(name, Limit.SIDES, "sides", why, step, is_quick=is_quick)
    return taken(name, "sides", why, step, is_quick=is_quick)


SIDES: Final[tuple[Made, ...]] = (
    *(_side(kind, width, height) for kind in KINDS for width, height in SIZES),
    refused(
        "200x200-g.mp4",
        Limit.SIDES,
        "sides",
        "200 x 200 pixels",
        f"{GSTREAMER} videotestsrc num-buffers=30 ! "
        "video/x-raw,width=200,height=200,framerate=30/1 ! x264enc ! h264parse ! mp4mux ! filesink location={out}",
        producer="GStreamer",
    ),
    refused(
        "5000x360-g.webm",
        Limit.SIDES,
        "sides",
        "5000 x 360 pixels",
        f"{GSTREAMER} videotestsrc num-buffers=5 ! "
        "video/x-raw,width=5000,height=360,framerate=30/1 ! vp8enc deadline=1 ! webmmux ! filesink location={out}",
        producer="GStreamer",
    ),
    refused(
        "358x640-m.webm",
        Limit.SIDES,
        "sides",
        "358 x 640 pixels",
        "mkvmerge -q --webm -o {out} 358x640-vp8.webm",
        producer="mkvmerge",
    ),
    taken(
        "1080x1920.mp4", "sides", "coded as 1088 x 1920", f"{FFMPEG} {moving('1080x1920', seconds=0.2)} {H264} {{out}}"
    ),
    taken(
        "2160x3840.mov", "sides", "2160 x 3840 in H.265", f"{FFMPEG} {moving('2160x3840', seconds=0.1)} {H265} {{out}}"
    ),
    taken(
        "shape-2.mp4",
        "sides",
        "pixels twice as wide as high",
        f"{FFMPEG} {moving('360x640')} -vf setsar=2/1 {H264} {{out}}",
    ),
    opened(
        "shown-small.webm",
        "sides",
        "640 x 360 pixels, to be shown as 320 x 180",
        "mkvmerge -q --webm -o {out} --display-dimensions 0:320x180 wide.webm",
        producer="mkvmerge",
    ),
    opened(
        "cropped-under.webm",
        "sides",
        "640 x 360 pixels, of which 600 x 320 are shown",
        "mkvmerge -q --webm -o {out} --cropping 0:20,20,20,20 wide.webm",
        producer="mkvmerge",
    ),
    opened(
        "cropped-under-e.webm",
        "sides",
        "640 x 360 pixels, of which 640 x 300 are shown",
        "cp wide.webm {out} && mkvpropedit -q {out} --edit track:v1 --set pixel-crop-top=60",
        producer="mkvmerge",
    ),
    opened(
        "cropped-into.webm",
        "sides",
        "4098 x 360 pixels, of which 4000 x 360 are shown",
        "mkvmerge -q --webm -o {out} --cropping 0:98,0,0,0 4098x360-vp8.webm",
        producer="mkvmerge",
    ),
    opened(
        "cropped-into-low.webm",
        "sides",
        "360 x 4098 pixels, of which 360 x 4096 are shown",
        "mkvmerge -q --webm -o {out} --cropping 0:0,1,0,1 360x4098-vp9.webm",
        producer="mkvmerge",
    ),
    taken(
        "cropped-within.webm",
        "sides",
        "640 x 360 pixels, of which 600 x 360 are shown",
        "mkvmerge -q --webm -o {out} --cropping 0:20,0,20,0 wide.webm",
        producer="mkvmerge",
    ),
)


def _length(kind: str, seconds: float) -> Made:
    name, why, step = f"{seconds:g}s-{kind}", f"{seconds:g} seconds", copied(KINDS[kind][1], seconds)
    if seconds >= 602:
        return refused(name, Limit.DURATION, "length", why, step)
    return taken(name, "length", why, step)


LONGER: Final = "filesrc location={} ! {} ! filesink location={{out}}"
LENGTHS_TOLD: Final[tuple[Made, ...]] = (
    *(_length(kind, seconds) for kind in KINDS for seconds in (599, 600, 602, 660)),
    taken("600.9s.mp4", "length", "ten minutes and 0.9 s", copied("ten.mp4", 600.9)),
    taken("600.9s.mov", "length", "ten minutes and 0.9 s", copied("ten.mov", 600.9)),
    taken(
        "599s-g.mp4",
        "length",
        "599 seconds",
        f"{GSTREAMER} {LONGER.format('599s-h264.mp4', 'qtdemux ! h264parse ! mp4mux')}",
        producer="GStreamer",
    ),
    refused(
        "660s-g.mov",
        Limit.DURATION,
        "length",
        "660 seconds",
        f"{GSTREAMER} {LONGER.format('film-660.mp4', 'qtdemux ! h264parse ! qtmux faststart=true')}",
        producer="GStreamer",
    ),
    refused(
        "660s-g.webm",
        Limit.DURATION,
        "length",
        "660 seconds",
        f"{GSTREAMER} {LONGER.format('film-660.webm', 'matroskademux ! webmmux')}",
        producer="GStreamer",
    ),
    refused(
        "660s-m.webm",
        Limit.DURATION,
        "length",
        "660 seconds",
        "mkvmerge -q --webm -o {out} film-660-vp9.webm",
        producer="mkvmerge",
    ),
    taken("599s-m.webm", "length", "599 seconds", "mkvmerge -q --webm -o {out} 599s-vp8.webm", producer="mkvmerge"),
    taken(
        "direct-660.mp4", "length", "660 seconds, by a creator who may post an hour", copied("ten.mp4", 660), most=3600
    ),
    taken(
        "direct-300.webm",
        "length",
        "300.5 seconds, by a creator who may post 300",
        copied("ten-vp8.webm", 300.5),
        most=300,
    ),
    refused(
        "direct-310.mov",
        Limit.DURATION,
        "length",
        "310 seconds, by a creator who may post 300",
        copied("ten.mov", 310),
        most=300,
    ),
    refused(
        "direct-live-190.webm",
        Limit.DURATION,
        "length",
        "190 live seconds, by a creator who may post 180",
        copied("ten-vp8.webm", 190, "-live 1"),
        most=180,
    ),
)

ONE: Final = f"{FFMPEG} {moving()}"


def _codec(name: str, why: str, *steps: Step, producer: str = "ffmpeg", is_quick: bool = False) -> Made:
    return refused(name, Limit.CODEC, "codec", why, *steps, producer=producer, is_quick=is_quick)


CODECS: Final[tuple[Made, ...]] = (
    _codec("av1.mp4", "AV1", f"{ONE} -c:v libsvtav1 -preset 12 -svtav1-params lp=1 {{out}}"),
    _codec("av1.webm", "AV1", f"{ONE} -c:v libaom-av1 -usage realtime -cpu-used 8 {{out}}"),
    _codec("mpeg4.mp4", "MPEG-4 part 2", f"{ONE} -c:v mpeg4 {{out}}", is_quick=True),
    _codec("xvid.mov", "MPEG-4 part 2 by Xvid", f"{ONE} -c:v libxvid {{out}}"),
    _codec("mjpeg.mov", "Motion JPEG", f"{ONE} -c:v mjpeg -pix_fmt yuvj420p {{out}}", is_quick=True),
    _codec("mjpeg.mp4", "Motion JPEG", f"{ONE} -c:v mjpeg -pix_fmt yuvj420p {{out}}"),
    _codec("mjpeg-g.mov", "Motion JPEG", TEST.format(30, 30, "jpegenc ! qtmux").format(), producer="GStreamer"),
    _codec("prores.mov", "ProRes", f"{ONE} -c:v prores_ks {{out}}"),
    _codec(
        "prores-g.mov",
        "ProRes",
        TEST.format(30, 30, "videoconvert ! avenc_prores_ks ! qtmux").format(),
        producer="GStreamer",
    ),
    _codec("dnxhr.mov", "DNxHR", f"{ONE} -c:v dnxhd -profile:v dnxhr_lb -pix_fmt yuv422p {{out}}"),
    _codec("animation.mov", "QuickTime Animation", f"{ONE} -c:v qtrle {{out}}"),
    _codec("png-frames.mov", "PNG frames", f"{ONE} -c:v png {{out}}"),
    _codec(
        "raw.mov", "raw frames", f"{FFMPEG} {moving('360x360', seconds=0.2)} -c:v rawvideo -pix_fmt uyvy422 {{out}}"
    ),
    _codec("mpeg2.mp4", "MPEG-2", f"{ONE} -c:v mpeg2video {{out}}"),
    _codec(
        "mpeg4-g.mp4",
        "MPEG-4 part 2",
        TEST.format(30, 30, "avenc_mpeg4 ! mp4mux").format(),
        producer="GStreamer",
    ),
    _codec("h263.mp4", "H.263 in 3GP", f"{FFMPEG} {moving('704x576', rate='30000/1001')} -c:v h263 -f 3gp {{out}}"),
    _codec("jpeg2000.mov", "JPEG 2000", f"{FFMPEG} {moving('360x360', seconds=0.2)} -c:v jpeg2000 {{out}}"),
    _codec(
        "av1-fragments.mp4",
        "AV1 in fragments",
        f"{FFMPEG} -i av1.mp4 -c copy -movflags empty_moov+frag_keyframe {{out}}",
    ),
    _codec("av1-m.webm", "AV1", "mkvmerge -q --webm -o {out} av1.webm", producer="mkvmerge"),
    taken("vp9.mp4", "codec", "VP9 in an MP4", f"{FFMPEG} -i good-vp9.webm -c copy {{out}}"),
    taken(
        "hvc1.mp4",
        "codec",
        "H.265 called hvc1",
        f"{FFMPEG} -i good-hevc.mov -c copy -tag:v hvc1 {{out}}",
    ),
    taken(
        "hev1.mp4",
        "codec",
        "H.265 called hev1",
        f"{FFMPEG} -i good-hevc.mov -c copy -tag:v hev1 {{out}}",
    ),
    taken("h264.mov", "codec", "H.264 in a MOV", f"{FFMPEG} -i good.mp4 -c copy {{out}}"),
    taken(
        "openh264-g.mp4",
        "codec",
        "H.264 by openh264",
        TEST.format(30, 30, "openh264enc ! h264parse ! mp4mux").format(),
        producer="GStreamer",
    ),
    taken(
        "vp9-g.webm",
        "codec",
        "VP9",
        TEST.format(30, 30, "vp9enc deadline=1 cpu-used=8 ! webmmux").format(),
        producer="GStreamer",
    ),
    taken(
        "alone-m.webm",
        "codec",
        "the picture of a film with sound",
        "mkvmerge -q --webm -A -o {out} good-vp9.webm",
        producer="mkvmerge",
    ),
    taken(
        "split-h265.mp4",
        "codec",
        "H.265 in a file of an HLS stream",
        f"{FFMPEG} -i good-hevc.mov -c copy -tag:v hvc1 -f hls "
        "-hls_segment_type fmp4 -hls_flags single_file -hls_segment_filename {here}/all.m4s {here}/list.m3u8",
        partial(taken_from, made="all.m4s"),
    ),
)
