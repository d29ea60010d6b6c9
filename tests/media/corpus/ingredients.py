"""Films and pictures from which the others are made; the corpus judges none of them.

What belongs here: what two or more files need. The long ones are a still picture, so that they are small; `busy.mp4` is as
large as what people film.
"""

from functools import partial
from typing import Final

from corpus.made import FFMPEG, H264, H265, VP8, VP9, Made, copied, ingredient, moving
from corpus.patches import written

__all__ = ["INGREDIENTS"]

STILL: Final = moving(seconds=10, kind="smptebars")
EVERY_SECOND: Final = "-g 30 -keyint_min 30"
TONE: Final = "-f lavfi -i sine=frequency=300:sample_rate=8000:duration={}"

INGREDIENTS: Final[tuple[Made, ...]] = (
    ingredient("good.mp4", f"{FFMPEG} {moving(seconds=2)} {H264} {{out}}"),
    ingredient("good-fast.mp4", f"{FFMPEG} -i good.mp4 -c copy -movflags faststart {{out}}"),
    ingredient("good.mov", f"{FFMPEG} -i good.mp4 -c copy {{out}}"),
    ingredient("good-fast.mov", f"{FFMPEG} -i good.mp4 -c copy -movflags faststart {{out}}"),
    ingredient("good-hevc.mov", f"{FFMPEG} {moving(seconds=2)} {H265} {{out}}"),
    ingredient("good-sound.mp4", f"{FFMPEG} {moving(seconds=2)} {TONE.format(2)} {H264} -c:a aac {{out}}"),
    ingredient("good.webm", f"{FFMPEG} {moving(seconds=2)} {VP8} {{out}}"),
    ingredient("good-vp9.webm", f"{FFMPEG} {moving(seconds=2)} {VP9} {{out}}"),
    ingredient("wide.webm", f"{FFMPEG} {moving('640x360', seconds=2)} {VP8} {{out}}"),
    ingredient("ten.mp4", f"{FFMPEG} {STILL} {H264} -crf 40 {EVERY_SECOND} {{out}}"),
    ingredient("ten.mov", f"{FFMPEG} {STILL} {H265} -crf 40 {EVERY_SECOND} {{out}}"),
    ingredient("ten-vp8.webm", f"{FFMPEG} {STILL} {VP8} -b:v 20k {EVERY_SECOND} {{out}}"),
    ingredient("ten-vp9.webm", f"{FFMPEG} {STILL} {VP9} -b:v 20k {EVERY_SECOND} {{out}}"),
    ingredient("busy.mp4", f"{FFMPEG} {moving('640x360', seconds=10)} {H264} -crf 33 {EVERY_SECOND} {{out}}"),
    ingredient("film-590.mp4", copied("ten.mp4", 590)),
    ingredient("film-660.mp4", copied("ten.mp4", 660)),
    ingredient("film-660.mov", copied("ten.mov", 660)),
    ingredient("film-590.webm", copied("ten-vp8.webm", 590)),
    ingredient("film-660.webm", copied("ten-vp8.webm", 660)),
    ingredient("film-660-vp9.webm", copied("ten-vp9.webm", 660)),
    ingredient("tone-2.m4a", f"{FFMPEG} {TONE.format(2)} -c:a aac -b:a 8k {{out}}"),
    ingredient("tone-30.m4a", f"{FFMPEG} {TONE.format(30)} -c:a aac -b:a 8k {{out}}"),
    ingredient("tone-590.m4a", f"{FFMPEG} {TONE.format(590)} -c:a aac -b:a 8k {{out}}"),
    ingredient("tone-700.m4a", f"{FFMPEG} {TONE.format(700)} -c:a aac -b:a 8k {{out}}"),
    ingredient("tone-2.webm", f"{FFMPEG} {TONE.format(2)} -c:a libopus -b:a 8k {{out}}"),
    ingredient("tone-590.webm", f"{FFMPEG} {TONE.format(590)} -c:a libopus -b:a 8k {{out}}"),
    ingredient("tone-700.webm", f"{FFMPEG} {TONE.format(700)} -c:a libopus -b:a 8k {{out}}"),
    ingredient("cover.png", f"{FFMPEG} -f lavfi -i color=red:size=300x300 -frames:v 1 {{out}}"),
    ingredient("cover.jpg", f"{FFMPEG} -f lavfi -i color=red:size=300x300 -frames:v 1 {{out}}"),
    ingredient("picture.ppm", f"{FFMPEG} {moving('1080x1080')} -frames:v 1 {{out}}"),
    ingredient("picture.jpg", f"{FFMPEG} {moving('1080x1080')} -frames:v 1 -q:v 5 {{out}}"),
    ingredient("picture.png", f"{FFMPEG} {moving('1080x1080')} -frames:v 1 {{out}}"),
    ingredient("picture.webp", f"{FFMPEG} {moving('1080x1080')} -frames:v 1 -quality 60 {{out}}"),
    ingredient(
        "lies.xml",
        partial(
            written,
            data=b"""<?xml version="1.0"?><Tags><Tag><Targets/>
<Simple><Name>DURATION</Name><String>00:11:40.000000000</String></Simple></Tag></Tags>""",
        ),
    ),
    ingredient(
        "short.xml",
        partial(
            written,
            data=b"""<?xml version="1.0"?><Tags><Tag><Targets/>
<Simple><Name>DURATION</Name><String>00:00:05.000000000</String></Simple></Tag></Tags>""",
        ),
    ),
)
