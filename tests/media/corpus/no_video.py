"""Files that are no video at all, although their names say so: texts, sounds, pictures, and other containers.

What belongs here: what TikTok has to refuse for its container alone.
"""

from functools import partial
from typing import Any, Final

from corpus.made import FFMPEG, GSTREAMER, H264, VP8, Limit, Made, Step, moving, refused
from corpus.patches import box, taken_from, written
from corpus.recorder import recorded

__all__ = ["NO_VIDEO"]

NONE: Final = "no video"
TEXTS: Final[dict[str, bytes]] = {
    "json.mp4": b'{"error": {"code": "not_found"}}',
    "empty-json.mp4": b"{}",
    "page.mp4": b"<!doctype html>\n<html><head><title>404</title></head><body>Not found</body></html>",
    "page.mov": b"\n\n  <html lang=en><body>Sign in</body></html>",
    "xml.webm": b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>',
    "pointer.mp4": b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"4d" * 32 + b"\nsize 12345678\n",
    "text.mov": b"Notes for the next film.\n" * 40,
    "script.mp4": b"#!/bin/sh\nexec ffmpeg -i in.mov out.mp4\n",
    "playlist.mp4": b"#EXTM3U\n#EXT-X-VERSION:7\n#EXTINF:6.0,\n0.m4s\n#EXT-X-ENDLIST\n",
    "one-byte.mp4": b"\0",
    "blank-line.webm": b"\r\n",
    "zeros.mp4": bytes(500_000),
    "all-bytes.mov": bytes(range(256)) * 64,
    "email.mp4": b"From: a@example.com\r\nSubject: film\r\n\r\nIt is attached.\r\n",
}
ONE: Final = f"{FFMPEG} {moving()}"
SINE: Final = f"{FFMPEG} -f lavfi -i sine=duration=3"
TEST: Final = f"{GSTREAMER} videotestsrc num-buffers=30 ! video/x-raw,width=360,height=640,framerate=30/1"
TICKS: Final = f"{GSTREAMER} audiotestsrc num-buffers=100"


def _no(name: str, why: str, *steps: Step, **more: Any) -> Made:
    return refused(name, Limit.CONTAINER, NONE, why, *steps, **more)


NO_VIDEO: Final[tuple[Made, ...]] = (
    *(
        _no(
            name,
            "bytes of another kind under a video's name",
            partial(written, data=data),
            producer="bytes",
            is_quick=True,
        )
        for name, data in TEXTS.items()
    ),
    _no("sound.mp4", "AAC alone", f"{SINE} -c:a aac {{out}}", is_quick=True),
    _no("sound.mov", "AAC alone", f"{SINE} -c:a aac {{out}}"),
    _no("sound.webm", "Opus alone", f"{SINE} -c:a libopus {{out}}", is_quick=True),
    _no(
        "sound-fragments.mp4",
        "AAC alone, in fragments",
        f"{SINE} -c:a aac -movflags empty_moov+default_base_moof {{out}}",
    ),
    _no("sound-g.mp4", "AAC alone", f"{TICKS} ! avenc_aac ! mp4mux ! filesink location={{out}}", producer="GStreamer"),
    _no("sound-g.mov", "PCM alone", f"{TICKS} ! qtmux ! filesink location={{out}}", producer="GStreamer"),
    _no(
        "sound-g.webm",
        "Vorbis alone",
        f"{TICKS} ! audioconvert ! vorbisenc ! webmmux ! filesink location={{out}}",
        producer="GStreamer",
    ),
    _no("sound-m.webm", "Opus alone", "mkvmerge -q --webm -o {out} tone-2.webm", producer="mkvmerge"),
    _no(
        "sound-c.webm",
        "Opus alone, recorded by a page",
        partial(recorded, kind="audio/webm;codecs=opus", seconds=2, rate=0, sound=True),
        producer="Chromium",
    ),
    _no(
        "sound-c.mp4",
        "Opus alone in an MP4, recorded by a page",
        partial(recorded, kind="audio/mp4;codecs=opus", seconds=2, rate=0, sound=True),
        producer="Chromium",
    ),
    _no("mp3.mp4", "an MP3", f"{SINE} -c:a libmp3lame -f mp3 {{out}}"),
    _no("wav.mov", "a WAV", f"{SINE} -f wav {{out}}"),
    _no("jpeg.mp4", "a picture", f"{ONE} -frames:v 1 -f mjpeg {{out}}", is_quick=True),
    _no("png.mov", "a picture", f"{ONE} -frames:v 1 -f image2 -c:v png {{out}}"),
    _no("webp.webm", "a picture", f"{ONE} -frames:v 1 -c:v libwebp -f webp {{out}}"),
    _no("gif.mp4", "an animated picture", f"{ONE} -f gif {{out}}"),
    _no(
        "heic.mp4",
        "a picture of the brand heic",
        "heif-enc -q 40 picture.png -o {here}/made.heic",
        partial(taken_from, made="made.heic"),
        producer="libheif",
    ),
    _no(
        "avif.mp4",
        "a picture of the brand avif",
        f"{FFMPEG} {moving('64x64')} -frames:v 1 -c:v libaom-av1 -cpu-used 8 -f avif {{out}}",
    ),
    _no(
        "heic-brand.mp4",
        "the brand heic before an item list and no film",
        partial(
            written, data=box(b"ftyp", b"heic\0\0\0\0mif1heic") + box(b"meta", bytes(400)) + box(b"mdat", bytes(900))
        ),
        producer="bytes",
    ),
    _no("avi.mp4", "another container", f"{ONE} {H264} -f avi {{out}}", is_quick=True),
    _no(
        "avi-g.mov", "another container", f"{TEST} ! jpegenc ! avimux ! filesink location={{out}}", producer="GStreamer"
    ),
    _no("flv.mp4", "another container", f"{ONE} {H264} -f flv {{out}}"),
    _no(
        "flv-g.mp4", "another container", f"{TEST} ! x264enc ! flvmux ! filesink location={{out}}", producer="GStreamer"
    ),
    _no("ts.mp4", "an MPEG transport stream", f"{ONE} {H264} -f mpegts {{out}}", is_quick=True),
    _no(
        "ts-g.mp4",
        "an MPEG transport stream",
        f"{TEST} ! x264enc ! mpegtsmux ! filesink location={{out}}",
        producer="GStreamer",
    ),
    _no(
        "m2ts.mov",
        "an MPEG transport stream of 192 bytes a packet",
        f"{ONE} {H264} -f mpegts -mpegts_m2ts_mode 1 {{out}}",
    ),
    _no("ps.mp4", "an MPEG program stream", f"{ONE} -c:v mpeg2video -f vob {{out}}"),
    _no(
        "ps-g.mov",
        "an MPEG program stream",
        f"{TEST} ! x264enc ! h264parse ! mpegpsmux ! filesink location={{out}}",
        producer="GStreamer",
    ),
    _no("mkv.webm", "Matroska by its DocType", f"{ONE} {H264} -f matroska {{out}}", is_quick=True),
    _no("mkv.mp4", "Matroska by its DocType", f"{ONE} {VP8} -f matroska {{out}}"),
    _no(
        "mkv-m.webm",
        "Matroska by its DocType",
        "mkvmerge -q -o {here}/whole.mkv good.mp4",
        partial(taken_from, made="whole.mkv"),
        producer="mkvmerge",
    ),
    _no(
        "mkv-g.webm",
        "Matroska by its DocType",
        f"{TEST} ! x264enc ! matroskamux ! filesink location={{out}}",
        producer="GStreamer",
    ),
    _no(
        "h264-c.webm",
        "asked for video/webm;codecs=h264, a page gets the DocType matroska",
        partial(recorded, kind="video/webm;codecs=h264", seconds=2, rate=30),
        producer="Chromium",
    ),
    _no("ogg.webm", "Theora in Ogg", f"{ONE} -c:v libtheora -f ogg {{out}}"),
    _no("ogg-g.mp4", "Theora in Ogg", f"{TEST} ! theoraenc ! oggmux ! filesink location={{out}}", producer="GStreamer"),
    _no("asf.mp4", "Windows Media", f"{ONE} -c:v wmv2 -f asf {{out}}"),
    _no(
        "asf-g.mov", "Windows Media", f"{TEST} ! avenc_wmv2 ! asfmux ! filesink location={{out}}", producer="GStreamer"
    ),
    _no("mxf.mov", "MXF", f"{ONE} -c:v mpeg2video -f mxf {{out}}"),
    _no("stream.mp4", "H.264 without a container", f"{ONE} {H264} -f h264 {{out}}"),
    _no("stream.mov", "H.265 without a container", f"{FFMPEG} -i good-hevc.mov -c copy -f hevc {{out}}"),
    _no("ivf.webm", "VP8 in IVF", f"{ONE} {VP8} -f ivf {{out}}"),
    _no("nut.mp4", "NUT", f"{ONE} {H264} -f nut {{out}}"),
    _no("y4m.mp4", "raw pictures", f"{FFMPEG} {moving('64x64')} -f yuv4mpegpipe {{out}}"),
)
