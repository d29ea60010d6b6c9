"""The look at media: what is no video, what its headers state, and what nobody can know."""

import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_adapters.simulator import Creator, SimulatedTikTok
from tiktok_adapters.simulator.media import Bytes, pull_problem, video_problem

MEDIA = Path(__file__).parents[1] / "media"
FORMAT, SIZE = "file_format_check_failed", "picture_size_check_failed"
DURATION, RATE = "duration_check_failed", "frame_rate_check_failed"
STUB = b"\0\0\0\x18ftypisom" + bytes(88)


def judged(content: bytes, check: Any = "certain", longest: float = 600) -> str | None:
    """Judge bytes that are all there."""
    return video_problem(Bytes(content), len(content), longest, check)


def box(name: bytes, *parts: bytes) -> bytes:
    """Return a box of an MP4."""
    body = b"".join(parts)
    return struct.pack(">I", 8 + len(body)) + name + body


def track(kind: bytes, code: bytes, sides: tuple[int, int], runs: list[tuple[int, int]], scale: int) -> bytes:
    """Return a track whose frames come in runs of a count and a number of ticks each."""
    ticks = sum(count * each for count, each in runs)
    entry = box(code, bytes(24), struct.pack(">HH", *sides), bytes(50))
    table = box(
        b"stbl",
        box(b"stsd", bytes(4), struct.pack(">I", 1), entry),
        box(b"stts", bytes(4), struct.pack(">I", len(runs)), *(struct.pack(">II", *run) for run in runs)),
    )
    header = box(b"mdhd", bytes(12), struct.pack(">II", scale, ticks), bytes(4))
    return box(b"trak", box(b"mdia", header, box(b"hdlr", bytes(8), kind, bytes(12)), box(b"minf", table)))


def film(
    *,
    seconds: int = 5,
    rate: int = 30,
    sides: tuple[int, int] = (720, 1280),
    code: bytes = b"avc1",
    more: bytes = b"",
    runs: list[tuple[int, int]] | None = None,
) -> bytes:
    """Return an MP4 of black film, without the film."""
    header = box(b"mvhd", bytes(12), struct.pack(">II", 1000, 1000 * seconds), bytes(80))
    pictures = track(b"vide", code, sides, [(seconds * rate, 1000)] if runs is None else runs, 1000 * rate)
    return box(b"ftyp", b"isom", bytes(4)) + box(b"mdat", bytes(50)) + box(b"moov", header, more, pictures)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("good.mp4", None),
        ("index-first.mp4", None),
        ("fragmented.mp4", None),
        ("h265.mov", None),
        ("vp8.webm", None),
        ("vp9.webm", None),
        ("live.webm", None),
        ("varying.mp4", None),
        ("eleven-minutes.mp4", DURATION),
        ("15fps.mp4", RATE),
        ("5000-wide.mp4", SIZE),
        ("200-high.mp4", SIZE),
        ("mpeg4.mp4", FORMAT),
        ("sound.m4a", FORMAT),
        ("renamed.mp4", FORMAT),
        ("good.jpg", FORMAT),
        ("square.png", FORMAT),
        ("good.webp", FORMAT),
    ],
)
@pytest.mark.parametrize("check", ["certain", "begins", "whole"])
def test_real_files_are_judged_as_ffmpeg_made_them(name: str, reason: str | None, check: str) -> None:
    """Each file passes, or fails for the one thing that is wrong with it."""
    assert judged((MEDIA / name).read_bytes(), check) == reason


@pytest.mark.parametrize(
    ("content", "certain", "begins", "whole"),
    [
        (STUB, None, None, FORMAT),
        (b"\x1a\x45\xdf\xa3" + bytes(50), None, None, FORMAT),
        ((MEDIA / "cut-index.mp4").read_bytes(), None, None, FORMAT),
        (b"v" * 100, None, FORMAT, FORMAT),
        (b"\x00", None, FORMAT, FORMAT),
        (b"{}", FORMAT, FORMAT, FORMAT),
        (b'{"error": "not found"}\n', FORMAT, FORMAT, FORMAT),
        (b"[1, 2]", FORMAT, FORMAT, FORMAT),
        (b"{" + b'"a": 1,' * 1000 + b"}", FORMAT, FORMAT, FORMAT),
        (b"{ this is no JSON", None, FORMAT, FORMAT),
        (b"[" * 100_000, FORMAT, FORMAT, FORMAT),
        (b"\xef\xbb\xbf  <!DOCTYPE html><title>404</title>", FORMAT, FORMAT, FORMAT),
        (b"<!-- a comment -->", FORMAT, FORMAT, FORMAT),
        (b"<html>", FORMAT, FORMAT, FORMAT),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", FORMAT, FORMAT, FORMAT),
        (b"RIFF\0\0\0\0AVI LIST", FORMAT, FORMAT, FORMAT),
        (b"\0\0\0\x18ftypheic" + bytes(20), FORMAT, FORMAT, FORMAT),
    ],
)
def test_what_is_certainly_no_video_fails_and_what_nobody_knows_is_a_switch(
    content: bytes, certain: str | None, begins: str | None, whole: str | None
) -> None:
    """By default only another known format fails; the bytes that tests post as a video are taken."""
    assert judged(content, "certain") == certain
    assert judged(content, "begins") == begins
    assert judged(content, "whole") == whole
    assert judged(content, "off") is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (film(), None),
        (film(sides=(360, 4096)), None),
        (film(sides=(359, 640)), SIZE),
        (film(sides=(640, 4097)), SIZE),
        (film(rate=23), None),
        (film(rate=60), None),
        (film(rate=22), RATE),
        (film(rate=61), RATE),
        (film(runs=[(100, 1000), (1, 40_000)]), None),
        (film(runs=[(10, 1000), (10, 9000)]), None),
        (film(runs=[(10, 100), (10, 200)]), RATE),
        (film(seconds=600), None),
        (film(seconds=601), DURATION),
        (film(seconds=0), None),
        (film(code=b"av01"), FORMAT),
        (film(code=b"zzzz"), None),
        (film(more=track(b"vide", b"jpeg", (120, 90), [(1, 1)], 1)), None),
        (film(more=track(b"vide", b"avc1", (120, 90), [(90, 1000)], 30_000)), SIZE),
        (film(more=track(b"soun", b"mp4a", (0, 0), [(90, 1024)], 44_100)), None),
        (film().replace(b"vide", b"soun"), FORMAT),
        (film().replace(b"mvhd", b"free"), None),
    ],
)
def test_the_figures_of_the_headers_are_held_to_the_limits(content: bytes, reason: str | None) -> None:
    """Sides, rate, duration and codec, where the headers state them; a cover or a sound track is passed over."""
    assert judged(content) == reason


@given(st.data())
def test_no_bytes_break_the_look(data: st.DataObject) -> None:
    """Whatever is changed in a file, cut off it or put into it, it passes or fails."""
    names = ("good.mp4", "fragmented.mp4", "h265.mov", "vp8.webm", "live.webm")
    content = bytearray((MEDIA / data.draw(st.sampled_from(names))).read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=20)):
        content[place] = data.draw(st.integers(0, 255))
    start, end = sorted(data.draw(st.tuples(*2 * [st.integers(0, len(content))])))
    check = data.draw(st.sampled_from(["certain", "begins", "whole"]))
    assert judged(bytes(content[start:end]), check) in {None, FORMAT, SIZE, DURATION, RATE}


@pytest.mark.parametrize(
    ("kind", "urls", "reason"),
    [
        ("photo", ["https://media.example.com/1.jpg", "https://media.example.com/2.webp"], None),
        ("photo", ["https://media.example.com/1.jpg", "https://media.example.com/2.PNG?x=1.jpg"], FORMAT),
        ("photo", ["https://media.example.com/1.heic"], FORMAT),
        ("photo", ["https://media.example.com/1.mp4"], FORMAT),
        ("photo", ["https://media.example.com/picture", "https://media.example.com/v1.2/x"], None),
        ("video", ["https://media.example.com/a.mp4"], None),
        ("video", ["https://media.example.com/a.png"], FORMAT),
        ("video", ["https://media.example.com/a.mkv"], FORMAT),
    ],
)
def test_the_ending_of_a_pulled_url_may_name_another_format(kind: str, urls: list[str], reason: str | None) -> None:
    """One bad picture spoils them all; a URL that names no format is taken."""
    assert pull_problem(kind, urls) == reason


def _ended(play: Any, publish_id: str) -> tuple[str, str]:
    play.clock.advance(60)
    post = play.sim.post(publish_id)
    return post.status, post.fail_reason


def _sent(play: Any, content: bytes, begin: str = "video") -> str:
    begun = getattr(play, begin)(len(content))
    assert play.put(begun.data["upload_url"], 0, content, len(content)).status == 201
    return str(begun.data["publish_id"])


def test_a_page_posted_as_a_video_is_taken_and_then_fails(play: Any) -> None:
    """The upload host takes any bytes; the status tells the reason after the processing, and so does the webhook."""
    publish_id = _sent(play, b"<!doctype html>")
    assert play.sim.post(publish_id).status == "PROCESSING_UPLOAD"
    assert _ended(play, publish_id) == ("FAILED", FORMAT)
    (told,) = play.sim.webhooks()
    assert told.event == "post.publish.failed"
    assert _ended(play, _sent(play, STUB)) == ("PUBLISH_COMPLETE", "")
    play.sim.switches.media_check = "off"
    assert _ended(play, _sent(play, b"<!doctype html>")) == ("PUBLISH_COMPLETE", "")


def test_png_by_url_is_refused_after_the_init(play: Any) -> None:
    """The init of a PNG passes, and the post then fails; with a switch it is published."""
    source = {
        "source": "PULL_FROM_URL",
        "photo_images": ["https://media.example.com/1.jpg", "https://media.example.com/2.png"],
        "photo_cover_index": 0,
    }
    assert _ended(play, play.photos(source_info=source).data["publish_id"]) == ("FAILED", FORMAT)
    play.sim.switches.media_check = "off"
    assert _ended(play, play.photos(source_info=source).data["publish_id"]) == ("PUBLISH_COMPLETE", "")


def test_a_direct_post_lasts_as_long_as_its_creator_may_and_a_draft_ten_minutes(play: Any) -> None:
    """The creator's own figure is the limit of direct posts alone."""
    long = film(seconds=900)
    assert _ended(play, _sent(play, long)) == ("FAILED", DURATION)
    play.sim.creator.max_video_post_duration_sec = 3600
    assert _ended(play, _sent(play, long)) == ("PUBLISH_COMPLETE", "")
    assert _ended(play, _sent(play, long, "draft")) == ("FAILED", DURATION)


def test_a_failure_that_a_test_ordered_comes_first(play: Any) -> None:
    """A fault keeps its reason, whatever the bytes are."""
    play.token()
    play.sim.faults.add("init=fail:spam_risk")
    assert _ended(play, _sent(play, b"{}")) == ("FAILED", "spam_risk")


@pytest.mark.parametrize(
    ("content", "reason"), [(b"{}", FORMAT), (film(rate=10), RATE), (b"\0" * 5000, FORMAT), (STUB, "")]
)
def test_first_bytes_are_judged_even_if_no_bytes_are_kept(play: Any, content: bytes, reason: str) -> None:
    """The first 4 KiB are always there for the look."""
    play.sim = SimulatedTikTok(play.clock, creators=[Creator()], keep_bytes=False)
    assert _ended(play, _sent(play, content))[1] == reason
