"""Films whose frames do not come evenly, and films with more than one video track.

What belongs here: what a counter of frames has to tell apart from a constant rate, and which track is the film.
"""

from typing import Final

from corpus.made import FFMPEG, GSTREAMER, H264, H265, VP8, VP9, Limit, Made, moving, opened, refused, taken

__all__ = ["MISLEADING", "TRACKS", "VARYING"]

CASE: Final = "varying rate"
FINE: Final = "-enc_time_base 1/90000 -video_track_timescale 90000 -vsync passthrough"


def _at(times: str, coder: str, rate: int = 30, seconds: float = 5, *, more: str = FINE) -> str:
    """Return a command for a film whose N-th frame is shown at the given time, in seconds."""
    return f"{FFMPEG} {moving(rate=rate, seconds=seconds)} -vf \"settb=1/90000,setpts='({times})/TB'\" {coder} {more} {{out}}"


def _some(choice: str, coder: str, rate: int, seconds: float = 5) -> str:
    """Return a command for a film that leaves out frames."""
    return f"{FFMPEG} {moving('360x360', rate, seconds)} -vf \"select='{choice}'\" -vsync vfr {coder} {{out}}"


SLOW_MOTION: Final = "(N+0.2*mod(N,3))/239.8"
SCREEN_30: Final = "if(lt(N,75),N/60,1.25+(N-75)/20)"
"""60 frames a second at first, then 20: 30 on the whole."""
SCREEN_12: Final = "if(lt(N,45),N/30,1.5+(N-45)/7.5)"
SCREEN_70: Final = "if(lt(N,280),N/120,280/120+(N-280)/30)"
SHAKEN: Final = "(N+0.03*mod(N*7,5))/29.97"

VARYING: Final[tuple[Made, ...]] = (
    refused(
        "slow-motion.mp4", Limit.RATE, CASE, "a phone's slow motion: 239.8 on average", _at(SLOW_MOTION, H264, 240, 2)
    ),
    refused(
        "slow-motion.mov",
        Limit.RATE,
        CASE,
        "a phone's slow motion: 239.8 on average, H.265",
        _at(SLOW_MOTION, H265, 240, 2),
    ),
    refused(
        "slow-motion.webm",
        Limit.RATE,
        CASE,
        "240 frames a second, told in milliseconds",
        f"{FFMPEG} {moving(rate=240, seconds=2)} {VP8} {{out}}",
    ),
    refused(
        "slow-motion-m.webm",
        Limit.RATE,
        CASE,
        "240 frames a second, told in milliseconds",
        "mkvmerge -q --webm -o {out} slow-motion.webm",
        producer="mkvmerge",
    ),
    opened("screen-30.mp4", CASE, "60 a second, then 20: 30 on average", _at(SCREEN_30, H264)),
    opened("screen-30.mov", CASE, "60 a second, then 20: 30 on average, H.265", _at(SCREEN_30, H265)),
    opened(
        "screen-30.webm", CASE, "60 a second, then 20: 30 on average", _at(SCREEN_30, VP8, more="-vsync passthrough")
    ),
    opened("screen-12.mp4", CASE, "30 a second, then 7.5: 12 on average", _at(SCREEN_12, H264, seconds=3)),
    opened("screen-12.mov", CASE, "30 a second, then 7.5: 12 on average", _at(SCREEN_12, H264, seconds=3)),
    opened(
        "screen-12.webm",
        CASE,
        "30 a second, then 7.5: 12 on average",
        _at(SCREEN_12, VP9, seconds=3, more="-vsync passthrough"),
    ),
    refused("screen-70.mp4", Limit.RATE, CASE, "120 a second, then 30: 72 on average", _at(SCREEN_70, H264, 120, 3)),
    refused("screen-70.mov", Limit.RATE, CASE, "120 a second, then 30: 72 on average", _at(SCREEN_70, H265, 120, 3)),
    refused(
        "screen-70.webm",
        Limit.RATE,
        CASE,
        "120 a second, then 30: 72 on average",
        _at(SCREEN_70, VP8, 120, 3, more="-vsync passthrough"),
    ),
    taken("shaken.mp4", CASE, "a phone's steps: each within four thousandths of 29.97", _at(SHAKEN, H264, 30, 5)),
    taken("shaken.mov", CASE, "a phone's steps: each within four thousandths of 29.97", _at(SHAKEN, H265, 30, 5)),
    taken(
        "shaken-fragments.mp4",
        CASE,
        "a phone's steps, in fragments",
        _at(SHAKEN, H264, more=f"{FINE} -movflags frag_keyframe+empty_moov"),
    ),
    taken(
        "24-then-50.mp4",
        CASE,
        "24 a second, then 50: all of it within 23 to 60",
        _at("if(lt(N,72),N/24,3+(N-72)/50)", H264),
    ),
    opened("one-missing.mp4", CASE, "one of 150 frames is missing", _some("not(eq(n,70))", H264, 30)),
    opened("first-stays.mov", CASE, "the first frame stays for two seconds", _at("if(eq(N,0),0,2+N/30)", H264)),
    opened(
        "screen-fragments.mp4",
        CASE,
        "60 a second, then 20, in fragments",
        _at(SCREEN_30, H264, more=f"{FINE} -g 20 -movflags frag_keyframe+empty_moov"),
    ),
)

RAW: Final = "video/x-raw,width=360,height=640"
WEBM: Final = "vp8enc deadline=1 ! webmmux ! filesink location={out}"
GAPS: Final = "first gaps"
SKIP_FIRST: Final = "if(lt(n,8),not(mod(n,2)),1)"
SKIP_LATER: Final = "if(lt(n,8),1,not(mod(n,2)))"

MISLEADING: Final[tuple[Made, ...]] = (
    opened(
        "slow-first.webm",
        GAPS,
        "15 a second for four frames, then 30: 29 on average",
        _some(SKIP_FIRST, VP8, 30),
        is_quick=True,
    ),
    opened("slow-first-vp9.webm", GAPS, "15 a second for four frames, then 30", _some(SKIP_FIRST, VP9, 30)),
    opened(
        "slow-first-m.webm",
        GAPS,
        "15 a second for four frames, then 30",
        "mkvmerge -q --webm -o {out} slow-first.webm",
        producer="mkvmerge",
    ),
    opened(
        "slow-first-g.webm",
        GAPS,
        "15 a second for four frames, then 30",
        f"{GSTREAMER} filesrc location=slow-first.webm ! matroskademux ! webmmux ! filesink location={{out}}",
        producer="GStreamer",
    ),
    opened("slow-first.mp4", GAPS, "15 a second for four frames, then 30", _some(SKIP_FIRST, H264, 30)),
    opened("quick-first.webm", GAPS, "30 a second for eight frames, then 15", _some(SKIP_LATER, VP8, 30)),
    opened("quick-first-vp9.webm", GAPS, "30 a second for eight frames, then 15", _some(SKIP_LATER, VP9, 30)),
    opened(
        "quick-first-m.webm",
        GAPS,
        "30 a second for eight frames, then 15",
        "mkvmerge -q --webm -o {out} quick-first.webm",
        producer="mkvmerge",
    ),
    opened(
        "burst-first.webm", GAPS, "120 a second for 16 frames, then 30", _some("if(lt(n,16),1,not(mod(n,4)))", VP8, 120)
    ),
    opened(
        "even-with-pause.webm", GAPS, "30 a second, with a pause of a second", _some("not(between(n,60,90))", VP8, 30)
    ),
    *(
        refused(
            f"slow-{rate}-{codec}.webm", Limit.RATE, GAPS, f"{rate} frames a second all along", step, producer=producer
        )
        for rate in (2, 10)
        for codec, step, producer in (
            ("vp8", f"{FFMPEG} {moving(rate=rate, seconds=8)} {VP8} {{out}}", "ffmpeg"),
            ("vp9", f"{FFMPEG} {moving(rate=rate, seconds=8)} {VP9} {{out}}", "ffmpeg"),
            ("m", f"mkvmerge -q --webm -o {{out}} slow-{rate}-vp8.webm", "mkvmerge"),
            (
                "g",
                f"{GSTREAMER} videotestsrc num-buffers={rate * 8} ! {RAW},framerate={rate}/1 ! {WEBM}",
                "GStreamer",
            ),
            ("live", f"{FFMPEG} {moving(rate=rate, seconds=8)} {VP8} -live 1 {{out}}", "ffmpeg"),
        )
    ),
    opened(
        "told-30.webm",
        GAPS,
        "ten frames a second, and a header that tells of 30",
        "cp slow-10-vp9.webm {out} && mkvpropedit -q {out} --edit track:v1 --set default-duration=33333333",
        producer="mkvmerge",
    ),
    opened(
        "told-10.webm",
        GAPS,
        "30 frames a second, and a header that tells of ten",
        "cp good.webm {out} && mkvpropedit -q {out} --edit track:v1 --set default-duration=100000000",
        producer="mkvmerge",
    ),
    opened(
        "told-120.webm",
        GAPS,
        "30 frames a second, and a header that tells of 120",
        "cp good.webm {out} && mkvpropedit -q {out} --edit track:v1 --set default-duration=8333333",
        producer="mkvmerge",
    ),
)

MORE: Final = "two video tracks"
PAIR: Final = f"{FFMPEG} {{}} {{}} -map 0:v -map 1:v"
GOOD: Final = moving(seconds=2)

TRACKS: Final[tuple[Made, ...]] = (
    taken(
        "cover.mp4",
        MORE,
        "a cover as iTunes and yt-dlp add it",
        f"{FFMPEG} -i good.mp4 -i cover.png -map 0 -map 1 -c copy -disposition:v:1 attached_pic {{out}}",
    ),
    taken(
        "cover-jpeg.mp4",
        MORE,
        "a cover before a film with sound",
        f"{FFMPEG} -i good-sound.mp4 -i cover.jpg -map 0 -map 1 -c copy "
        "-disposition:v:1 attached_pic -movflags faststart {out}",
    ),
    taken(
        "cover-a.mp4",
        MORE,
        "a cover by AtomicParsley",
        "AtomicParsley good-sound.mp4 --artwork cover.jpg -o {out} >{here}/said",
        producer="AtomicParsley",
    ),
    opened(
        "still.mp4",
        MORE,
        "a track with one JPEG beside the film",
        f"{FFMPEG} -i good.mp4 -i cover.jpg -map 0 -map 1 -c:v:0 copy -c:v:1 mjpeg {{out}}",
        is_quick=True,
    ),
    opened(
        "still-first.mov",
        MORE,
        "a track with one JPEG before the film",
        f"{FFMPEG} -i cover.jpg -i good.mov -map 0 -map 1 -c:v:0 mjpeg -c:v:1 copy {{out}}",
    ),
    opened(
        "still-png.mov",
        MORE,
        "a track with one PNG beside the film",
        f"{FFMPEG} -i good.mov -i cover.png -map 0 -map 1 -c copy {{out}}",
    ),
    opened(
        "thumbnails.mp4",
        MORE,
        "a small film of one frame a second beside the film",
        f"{PAIR.format(GOOD, moving('160x90', 1, 2))} {H264} {{out}}",
    ),
    opened(
        "thumbnails.webm",
        MORE,
        "a small film of one frame a second beside the film",
        f"{PAIR.format(GOOD, moving('160x90', 1, 2))} {VP8} {{out}}",
    ),
    opened("twins.mp4", MORE, "two good tracks", f"{PAIR.format(GOOD, GOOD)} {H264} {{out}}"),
    opened(
        "twins.webm",
        MORE,
        "two good tracks",
        "mkvmerge -q --webm -o {out} good.webm good-vp9.webm",
        producer="mkvmerge",
    ),
    opened(
        "twins-g.mov",
        MORE,
        "two good tracks",
        f"{GSTREAMER} qtmux name=m ! filesink location={{out}} filesrc location=good.mp4 ! "
        "qtdemux ! h264parse ! queue ! m. filesrc location=good-hevc.mov ! qtdemux ! h265parse ! queue ! m.",
        producer="GStreamer",
    ),
    opened(
        "one-slow.mp4",
        MORE,
        "a good track, and one of 15 frames a second",
        f"{PAIR.format(GOOD, moving(rate=15, seconds=2))} {H264} {{out}}",
    ),
    opened(
        "one-slow-first.mov",
        MORE,
        "one of 15 frames a second, and a good track",
        f"{PAIR.format(moving(rate=15, seconds=2), GOOD)} {H264} {{out}}",
    ),
    opened(
        "one-small.webm",
        MORE,
        "a good track, and one of 200 x 200 pixels",
        f"{PAIR.format(GOOD, moving('200x200', seconds=2))} {VP8} {{out}}",
    ),
    refused(
        "both-mpeg4.mp4",
        Limit.CODEC,
        MORE,
        "both are MPEG-4 part 2 of 200 x 200 pixels",
        f"{PAIR.format(moving('200x200', seconds=2), moving('200x200', seconds=2))} -c:v mpeg4 {{out}}",
        is_quick=True,
    ),
    refused(
        "both-slow.mp4",
        Limit.RATE,
        MORE,
        "both have 15 frames a second",
        f"{PAIR.format(moving(rate=15, seconds=2), moving(rate=15, seconds=2))} {H264} {{out}}",
    ),
    refused(
        "both-wide.mov",
        Limit.SIDES,
        MORE,
        "both are 4200 pixels wide",
        f"{PAIR.format(moving('4200x360', seconds=0.3), moving('4200x400', seconds=0.3))} {H264} {{out}}",
    ),
    refused(
        "both-small.webm",
        Limit.SIDES,
        MORE,
        "both have 200 x 200 pixels",
        f"{PAIR.format(moving('200x200', seconds=2), moving('200x200', seconds=2))} {VP8} {{out}}",
    ),
)
