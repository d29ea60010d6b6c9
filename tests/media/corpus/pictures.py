"""Pictures: what TikTok takes as a photo, what it refuses, and what nobody knows.

What belongs here: formats, kinds of JPEG and WebP, damage, sizes in pixels and in bytes.
"""

from functools import partial
from typing import Any, Final

from corpus.made import FFMPEG, Limit, Made, Step, moving, opened, refused, taken
from corpus.patches import appended, cut, inserted_in_jpeg, joined, taken_from, webp_lacking, zeroed
from corpus.pillow import drawn

__all__ = ["PICTURES"]

CASE: Final = "picture"
COMMENT: Final = b"\xff\xfe\0\x10" + b"made by hand  "
EXIF: Final = b"\xff\xe1\0\x22Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"
"""An Exif segment with one entry: the picture is to be turned by 90 degrees."""


def _taken(name: str, why: str, *steps: Step, **more: Any) -> Made:
    return taken(name, CASE, why, *steps, **more)


def _open(name: str, why: str, *steps: Step, **more: Any) -> Made:
    return opened(name, CASE, why, *steps, **more)


def _refused(name: str, limit: Limit, why: str, *steps: Step, **more: Any) -> Made:
    return refused(name, limit, CASE, why, *steps, **more)


def _sized(size: str, codec: str = "-q:v 8") -> str:
    return f"{FFMPEG} {moving(size)} -frames:v 1 {codec} {{out}}"


def _drawn(words: str) -> "partial[None]":
    return partial(drawn, words=words)


PICTURE: Final = f"{FFMPEG} {moving('1080x1080')} -frames:v 1"
PLAIN: Final = "picture().save(out, 'JPEG', {})"

PICTURES: Final[tuple[Made, ...]] = (
    _taken("baseline.jpg", "ffmpeg's", f"{PICTURE} -q:v 5 {{out}}", is_quick=True),
    _taken(
        "baseline-c.jpg", "libjpeg-turbo's", "cjpeg -quality 80 -outfile {out} picture.ppm", producer="libjpeg-turbo"
    ),
    _taken("baseline-p.jpg", "Pillow's", _drawn(PLAIN.format("quality=80")), producer="Pillow"),
    _taken(
        "progressive-c.jpg", "progressive", "cjpeg -progressive -outfile {out} picture.ppm", producer="libjpeg-turbo"
    ),
    _taken("progressive-p.jpg", "progressive", _drawn(PLAIN.format("progressive=True")), producer="Pillow"),
    _taken(
        "restart-c.jpg",
        "a restart marker in each row",
        "cjpeg -restart 1 -outfile {out} picture.ppm",
        producer="libjpeg-turbo",
    ),
    _taken(
        "restart-progressive-c.jpg",
        "progressive, with restart markers",
        "cjpeg -progressive -restart 1 -outfile {out} picture.ppm",
        producer="libjpeg-turbo",
    ),
    _taken("grey-c.jpg", "grey", "cjpeg -grayscale -outfile {out} picture.ppm", producer="libjpeg-turbo"),
    _taken("grey.jpg", "grey", f"{PICTURE} -pix_fmt gray {{out}}"),
    _taken("full-colour.jpg", "colour in every pixel", f"{PICTURE} -pix_fmt yuvj444p {{out}}"),
    _taken(
        "exif-p.jpg",
        "an Exif segment",
        _drawn("exif = Image.Exif(); exif[271] = 'Maker'; exif[0x112] = 6; picture().save(out, 'JPEG', exif=exif)"),
        producer="Pillow",
    ),
    _taken(
        "exif.jpg",
        "an Exif segment that turns it",
        partial(inserted_in_jpeg, source="picture.jpg", data=EXIF),
        producer="bytes",
    ),
    _taken("comment.jpg", "a comment", partial(inserted_in_jpeg, source="picture.jpg", data=COMMENT), producer="bytes"),
    _taken(
        "filled.jpg",
        "fill bytes before a marker",
        partial(inserted_in_jpeg, source="picture.jpg", data=b"\xff\xff\xff"),
        producer="bytes",
    ),
    _taken(
        "profile-p.jpg",
        "a colour profile",
        _drawn(
            "profile = ImageCms.ImageCmsProfile(ImageCms.createProfile('sRGB')).tobytes(); "
            "picture().save(out, 'JPEG', icc_profile=profile)"
        ),
        producer="Pillow",
    ),
    _open("cmyk-p.jpg", "four inks", _drawn("picture().convert('CMYK').save(out, 'JPEG')"), producer="Pillow"),
    _open(
        "mpo-p.jpg",
        "two pictures in one file (MPO)",
        _drawn("picture().save(out, 'MPO', save_all=True, append_images=[picture().resize((300, 300))])"),
        producer="Pillow",
    ),
    _open(
        "motion.jpg",
        "a phone's picture with its film behind",
        partial(joined, sources=("picture.jpg", "good.mp4")),
        producer="bytes",
    ),
    _open(
        "trailer.jpg",
        "a text behind its end",
        partial(appended, source="picture.jpg", data=b"SEFT" * 50),
        producer="bytes",
    ),
    _open(
        "arithmetic-c.jpg",
        "arithmetic coding, which few readers know",
        "cjpeg -arithmetic -outfile {out} picture.ppm",
        producer="libjpeg-turbo",
    ),
    _open(
        "junk.jpg",
        "bytes between two segments that belong to none",
        partial(inserted_in_jpeg, source="picture.jpg", data=b"junk\0\0junk"),
        producer="bytes",
        is_quick=True,
    ),
    # ITU-T T.81, annex B.2.1: a picture ends with its marker. Without it, nothing shows how much is missing.
    _refused("no-end.jpg", Limit.CUT, "the end marker is missing", partial(cut, source="picture.jpg", end=-2)),
    _refused(
        "half.jpg", Limit.CUT, "its second half is missing", partial(cut, source="picture.jpg", end=0.5), is_quick=True
    ),
    _refused(
        "half-progressive-c.jpg",
        Limit.CUT,
        "its second half is missing",
        "cjpeg -progressive -outfile {out} picture.ppm",
        partial(cut, source="making/half-progressive-c.jpg/half-progressive-c.jpg", end=0.5),
        producer="libjpeg-turbo",
    ),
    _refused("head.jpg", Limit.CUT, "it ends within its tables", partial(cut, source="picture.jpg", end=0.001)),
    _refused(
        "half-zeros.jpg",
        Limit.CUT,
        "its second half is zeros",
        partial(zeroed, source="picture.jpg", start=0.5),
        is_quick=True,
    ),
    _taken("lossy.webp", "lossy", f"{PICTURE} -quality 60 {{out}}", is_quick=True),
    _taken("lossy-c.webp", "lossy", "cwebp -quiet -q 60 picture.png -o {out}", producer="libwebp"),
    _taken("lossless.webp", "lossless", f"{PICTURE} -lossless 1 {{out}}"),
    _taken("lossless-c.webp", "lossless", "cwebp -quiet -lossless -z 1 picture.png -o {out}", producer="libwebp"),
    _taken(
        "alpha-p.webp",
        "transparent",
        _drawn("pale = picture(); pale.putalpha(90); pale.save(out, 'WEBP')"),
        producer="Pillow",
    ),
    _open("animated.webp", "moving", f"{FFMPEG} {moving('360x360', 5)} -c:v libwebp_anim {{out}}"),
    _open(
        "animated-p.webp",
        "moving",
        _drawn("picture().save(out, 'WEBP', save_all=True, append_images=[picture(9)])"),
        producer="Pillow",
    ),
    _open(
        "animated-c.webp",
        "moving",
        f"{FFMPEG} {moving('360x360', 5)} {{here}}/moving.gif",
        "gif2webp -quiet {here}/moving.gif -o {out}",
        producer="libwebp",
    ),
    _refused(
        "lacking.webp",
        Limit.CUT,
        "the last byte of its data is missing",
        partial(webp_lacking, source="picture.webp", is_data=True),
    ),
    _open(
        "lacking-filler.webp",
        "the byte that fills an odd chunk up is missing, and the header counts it",
        partial(webp_lacking, source="lossless.webp", is_data=False),
        producer="bytes",
    ),
    _refused(
        "half.webp",
        Limit.CUT,
        "its second half is missing",
        partial(cut, source="picture.webp", end=0.5),
        is_quick=True,
    ),
    _refused("square.png", Limit.CONTAINER, "PNG", f"{PICTURE} {{out}}", is_quick=True),
    _refused("png.jpg", Limit.CONTAINER, "PNG by its bytes", f"{PICTURE} -c:v png -f image2 {{out}}"),
    _refused("moving.gif", Limit.CONTAINER, "GIF", f"{FFMPEG} {moving('360x360', 5)} {{out}}"),
    _refused("phone.heic", Limit.CONTAINER, "HEIC", "heif-enc -q 40 picture.png -o {out}", producer="libheif"),
    _refused(
        "phone.jpg",
        Limit.CONTAINER,
        "HEIC by its bytes",
        "heif-enc -q 40 picture.png -o {here}/made.heic",
        partial(taken_from, made="made.heic"),
        producer="libheif",
    ),
    _refused(
        "picture.avif",
        Limit.CONTAINER,
        "AVIF",
        f"{FFMPEG} {moving('64x64')} -frames:v 1 -c:v libaom-av1 -cpu-used 8 {{out}}",
    ),
    _refused("picture.tiff", Limit.CONTAINER, "TIFF", f"{PICTURE} {{out}}"),
    _refused("picture.bmp", Limit.CONTAINER, "BMP", f"{PICTURE} {{out}}"),
    _refused("picture.jp2", Limit.CONTAINER, "JPEG 2000", _drawn("picture().save(out, 'JPEG2000')"), producer="Pillow"),
    _refused("picture.jxl", Limit.CONTAINER, "JPEG XL", f"{FFMPEG} {moving('64x64')} -frames:v 1 -c:v libjxl {{out}}"),
    _refused("film.jpg", Limit.CONTAINER, "a film by its bytes", f"{FFMPEG} -i good.mp4 -c copy -f mp4 {{out}}"),
    _taken("1080x1920.jpg", "the largest that is surely fine", _sized("1080x1920")),
    _taken("1920x1080.jpg", "the same on its side", _sized("1920x1080")),
    _taken("1080x1350.webp", "four by five", _sized("1080x1350", "-quality 60")),
    _taken("360x360.jpg", "small", _sized("360x360")),
    _refused("1086x1448.jpg", Limit.SIDES, "its short side is above 1080", _sized("1086x1448"), is_quick=True),
    _refused("1254x1254.webp", Limit.SIDES, "its short side is above 1080", _sized("1254x1254", "-quality 60")),
    _refused(
        "1254x1254-c.jpg",
        Limit.SIDES,
        "its short side is above 1080",
        f"{FFMPEG} {moving('1254x1254')} -frames:v 1 {{here}}/a.ppm",
        "cjpeg -progressive -outfile {out} {here}/a.ppm",
        producer="libjpeg-turbo",
    ),
    _refused(
        "4032x3024-p.jpg",
        Limit.SIDES,
        "as phones photograph",
        _drawn("picture().resize((4032, 3024)).save(out, 'JPEG', quality=50)"),
        producer="Pillow",
    ),
    _open("1080x4000.jpg", "nobody knows how long the long side may be", _sized("1080x4000")),
    _open("1080x2340.webp", "a phone's screen", _sized("1080x2340", "-quality 60")),
    _taken(
        "19-mb.jpg",
        "19,000,000 bytes",
        partial(inserted_in_jpeg, source="picture.jpg", data=b"", size=19_000_000),
        producer="bytes",
    ),
    _open(
        "20.5-mb.jpg",
        "20,500,000 bytes: below 20 MB of 1,048,576 bytes, above 20 MB of 1,000,000",
        partial(inserted_in_jpeg, source="picture.jpg", data=b"", size=20_500_000),
        producer="bytes",
    ),
    _refused(
        "21-mb.jpg",
        Limit.SIZE,
        "21,000,000 bytes",
        partial(inserted_in_jpeg, source="picture.jpg", data=b"", size=21_000_000),
        producer="bytes",
    ),
    _refused(
        "22-mb.webp",
        Limit.SIZE,
        "22,000,000 bytes, with a chunk of zeros",
        _drawn("picture().save(out, 'WEBP', exif=bytes(22_000_000))"),
        producer="Pillow",
    ),
    _refused(
        "noise-p.jpg",
        Limit.SIZE,
        "noise that fills 20 MB, and sides above 1080",
        _drawn("Image.effect_noise((3600, 3600), 200).save(out, 'JPEG', quality=100)"),
        producer="Pillow",
    ),
)
