"""Media: which bytes or names count as a video, which figures TikTok accepts, and which URLs it can pull."""

import ipaddress
from urllib.parse import urlsplit

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from tiktok_core.domain.app import App
from tiktok_core.domain.creator import CreatorInfo
from tiktok_core.domain.media import (
    HEAD_LENGTH,
    MediaType,
    VideoFacts,
    media_doubts,
    media_problems,
    media_type,
    ownership_problems,
    picture_kind,
    property_problem,
    url_problems,
)
from tiktok_core.domain.names import is_url
from tiktok_core.errors import InvalidPost, InvalidSettings

MP4 = b"\0\0\0\x18ftypisom\0\0\2\0isomiso2"
MOV = b"\0\0\0\x14ftypqt  \0\0\0\0qt  "
WEBM = b"\x1aE\xdf\xa3\x9fB\x86\x81\1B\xf7\x81\1B\xf2\x81\4B\xf3\x81\x08B\x82\x84webm"
MATROSKA = WEBM.replace(b"\x84webm", b"\x88matroska")
DISGUISED_ADDRESSES = (
    "127.0.0.1",
    "127.0.0.1.",
    "127.1",
    "127.0.1",
    "0177.0.0.1",
    "0x7f000001",
    "0X7F.0.0.1",
    "0x7f.1",
    "2130706433",
    "017700000001",
    "20.30.40.50",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[fe80::1%25eth0]",
    "[v1.media.example.com]",
    "media.example.com[::1]",
    "media.example.com[v1.example.com]",
    "\uff11\uff12\uff17.\uff10.\uff10.\uff11",
    "\u2460\u2461\u2466.\u24ea.\u24ea.\u2460",
    "127\u30020\u30020\u30021",
    "127\uff0e0\uff0e0\uff0e1",
)


def wrong(url: str) -> list[str]:
    """Return the problems of pulling a URL."""
    return [problem.message for problem in url_problems("video_url", url)]


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (MP4, MediaType.MP4),
        (b"\0\0\0\x1cftypmp42", MediaType.MP4),
        (b"\0\0\0\x1cftyp3gp4", MediaType.MP4),
        (MOV, MediaType.QUICKTIME),
        (b"\0\0\0\x08wide\0\0\0\0mdat", MediaType.QUICKTIME),
        (b"\0\0\1\0moov", MediaType.QUICKTIME),
        (WEBM, MediaType.WEBM),
    ],
)
def test_the_bytes_tell_a_video(head: bytes, kind: MediaType) -> None:
    """The first bytes decide the type of a video."""
    assert media_type(head[:HEAD_LENGTH]) is kind


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (b"\xff\xd8\xff\xe0", "JPEG"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"GIF89a", "GIF"),
        (b"\0\0\0\x18ftypheic", "HEIF"),
        (b"\0\0\0\x18ftypavif", "AVIF"),
        (b"\0\0\0\x18ftypM4A ", "MPEG-4 sound"),
        (b"RIFF\0\0\0\0WEBP", "WebP"),
        (b"RIFF\0\0\0\0AVI ", "AVI"),
        (b"RIFF\0\0\0\0WAVE", "WAV"),
        (b"RIFF\0\0\0\0XXXX", "RIFF"),
        (MATROSKA, "Matroska"),
        (b"<!DOCTYPE html>", "web page"),
        (b"%PDF-1.7", "PDF"),
        (b"FLV\1", "Flash"),
        (b"ID3\4", "MP3"),
        (b"OggS", "Ogg"),
        (b"\xef\xbb\xbf\n <html>", "web page"),
        (b'\n{"error": 1}', "JSON"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:", "git lfs pull"),
        (b"", "begins as neither"),
        (b"\0" * 64, "begins as neither"),
        (b"no magic here", "begins as neither"),
        (b"#!/bin/sh\n", "begins as neither"),
    ],
)
def test_what_is_no_video_is_refused_by_its_bytes(head: bytes, what: str) -> None:
    """The error names a picture renamed to .mp4 for what it is, before a byte of it leaves."""
    with pytest.raises(InvalidPost, match=what) as caught:
        media_type(head)
    assert [problem.field for problem in caught.value.problems] == ["video"]


@given(st.binary(max_size=HEAD_LENGTH))
def test_any_bytes_are_judged(head: bytes) -> None:
    """For any bytes, the answer is a type or a refusal of the video."""
    try:
        assert media_type(head) in MediaType
    except InvalidPost as error:
        assert [problem.field for problem in error.problems] == ["video"]  # noqa: PT017 - not all are refused


@pytest.mark.parametrize("text", ["https://a.example/x.mp4", "HTTP://x", "ftp://x", "s3+x://bucket"])
def test_urls_are_told_from_names(text: str) -> None:
    """A text with a scheme counts as a URL."""
    assert is_url(text)


@pytest.mark.parametrize("text", ["clip.mp4", "C://films/clip.mp4", "/a/b://c", "a:b", "", "//host/x", "1ab://x"])
def test_names_are_told_from_urls(text: str) -> None:
    """Paths, including those with a Windows drive, are files."""
    assert not is_url(text)


@pytest.mark.parametrize(
    "url",
    [
        "https://media.example.com/videos/user/clip.mp4",
        "https://media.example.com:8443/a?b=c&d=%20",
        "https://MEDIA.example.com/",
        "https://media.example.com./x",
        "https://b\u00fccher.example/x.mp4",
        "https://xn--bcher-kva.example/x",
        "https://my_bucket.s3.example.com/x",
        "https://1.2.3.4.example.com/x",
    ],
)
def test_public_https_urls_can_be_pulled(url: str) -> None:
    """TikTok can pull from a domain over https, in any script and with any path, port and query."""
    assert wrong(url) == []


@pytest.mark.parametrize("host", DISGUISED_ADDRESSES)
def test_addresses_are_refused_in_every_disguise(host: str) -> None:
    """TikTok pulls from domains only. The check recognises an IP address in any spelling."""
    assert len(wrong(f"https://{host}/clip.mp4")) == 1
    assert len(wrong(f"https://{host}:8443/clip.mp4")) == 1


@given(address=st.ip_addresses(), as_number=st.booleans(), in_hex=st.booleans())
def test_no_address_is_pulled_from(
    *, address: ipaddress.IPv4Address | ipaddress.IPv6Address, as_number: bool, in_hex: bool
) -> None:
    """The check refuses any address of either family: dotted, as one number or in hexadecimal."""
    if isinstance(address, ipaddress.IPv6Address):
        host = f"[{address.exploded if as_number else address}]"
    else:
        number = hex(int(address)) if in_hex else str(int(address))
        host = number if as_number else str(address)
    assert wrong(f"https://{host}/clip.mp4")


@pytest.mark.parametrize(
    ("url", "problems"),
    [
        ("http://media.example.com/x", 1),
        ("ftp://media.example.com/x", 1),
        ("media.example.com/x", 2),
        ("", 2),
        ("https:///x", 1),
        ("https://localhost/x", 1),
        ("https://example.com../x", 1),
        ("https://.example.com/x", 1),
        ("https://-a.example.com/x", 1),
        ("https://a..example.com/x", 1),
        ("https://" + "a" * 64 + ".example.com/x", 1),
        ("https://exa%6dple.com/x", 1),
        ("https://user@media.example.com/x", 1),
        ("https://user:word@127.0.0.1/x", 2),
        ("http://user@localhost/x#y", 4),
        ("https://media.example.com/x#start", 1),
        ("https://media.example.com:99999/x", 1),
        ("https://media.example.com:port/x", 1),
        ("https://[::1/x", 1),
        ("https://media.example.com/a b", 1),
        ("https://media.example.com/\r\nHost: evil", 1),
        ("https://media.example.com\\@evil.com/x", 1),
        ("https://media.example.com/\0", 1),
        ("https://media.example.com/\x7f", 1),
        ("https://media.example.com/\ud800", 1),
    ],
)
def test_urls_that_tiktok_cannot_pull_are_refused(url: str, problems: int) -> None:
    """Every fault in a URL's spelling is reported once."""
    assert len(wrong(url)) == problems


@given(st.text(st.characters(exclude_categories=()), max_size=30))
def test_what_can_be_pulled_can_be_sent(tail: str) -> None:
    """The check of any text ends without an exception, and an accepted URL can be written into a request."""
    url = "https://media.example.com/" + tail
    if not wrong(url):
        assert url.encode()
        assert not set(url) & set(" \\\r\n\t\0")
    assert wrong(tail)


GOOD = VideoFacts(codec="H.264", frame_rate=30.0, width=1080, height=1920, duration=59.9)
FACTS = st.builds(
    VideoFacts,
    codec=st.sampled_from([None, "H.264", "H.265", "VP8", "VP9", "AV1", "MPEG-4 Visual"]),
    frame_rate=st.none() | st.floats(0.01, 1000),
    has_variable_rate=st.booleans(),
    width=st.none() | st.integers(1, 9000),
    height=st.none() | st.integers(1, 9000),
    duration=st.none() | st.floats(0.01, 4000),
)


def refused(facts: VideoFacts, longest: int | None = None) -> list[str]:
    """Return the problems of a video, for a creator with a longest duration."""
    creator = None if longest is None else CreatorInfo(max_video_post_duration_sec=longest)
    return [problem.message for problem in media_problems(facts, creator)]


@pytest.mark.parametrize("codec", ["H.264", "H.265", "VP8", "VP9"])
@pytest.mark.parametrize("rate", [22.976, 23.976, 24.0, 29.97, 59.94, 60.0, 60.4])
@pytest.mark.parametrize("side", [360, 4096])
@pytest.mark.parametrize("duration", [0.04, 600.0, 600.9])
def test_a_video_at_the_edges_is_taken(codec: str, rate: float, side: int, duration: float) -> None:
    """The check accepts every documented limit, rates just beside it such as 23.976, and a part of a second beyond it."""
    facts = VideoFacts(codec=codec, frame_rate=rate, width=side, height=side, duration=duration)
    assert refused(facts) == []
    assert list(media_doubts(facts)) == []


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        (evolve(GOOD, codec="AV1"), "the codec is AV1; TikTok takes H.264, H.265, VP8, VP9"),
        (evolve(GOOD, frame_rate=15.0), "the frame rate is 15 a second; TikTok takes 23 to 60"),
        (evolve(GOOD, frame_rate=120.0), "the frame rate is 120 a second; TikTok takes 23 to 60"),
        (evolve(GOOD, width=5000), "the width is 5000 pixels; TikTok takes 360 to 4096"),
        (evolve(GOOD, height=359), "the height is 359 pixels; TikTok takes 360 to 4096"),
        (evolve(GOOD, duration=601.0), "it lasts 601.0 s; TikTok takes at most 600 s"),
    ],
)
def test_a_wrong_figure_is_told_with_its_limit(facts: VideoFacts, sentence: str) -> None:
    """The error has one sentence for the wrong figure, and no other."""
    assert refused(facts) == [sentence]


def test_everything_wrong_with_a_video_is_told_at_once() -> None:
    """Four wrong figures of five give four sentences."""
    assert len(refused(VideoFacts(codec="AV1", frame_rate=1.0, width=1, height=9000, duration=3.0))) == 4


@pytest.mark.parametrize(
    ("duration", "longest", "wrong"), [(180.9, 180, 0), (181.0, 180, 1), (650.0, 3600, 0), (3601.0, 3600, 1)]
)
def test_each_creator_has_a_longest_duration(duration: float, longest: int, wrong: int) -> None:
    """Once the creator's own limit is known, the check compares the video with it. The API's limit also stays."""
    found = refused(evolve(GOOD, duration=duration), longest)
    assert len(found) == wrong
    assert all(f"this creator may post at most {longest} s" in message for message in found)


@pytest.mark.parametrize(("duration", "longest", "limit"), [(650.0, 3600, 600), (650.0, 60, 60), (599.0, 3600, None)])
def test_a_draft_lasts_ten_minutes_at_most(duration: float, longest: int, limit: int | None) -> None:
    """A creator's longer limit is for direct posts alone; a shorter one counts for drafts too."""
    creator = CreatorInfo(max_video_post_duration_sec=longest)
    found = [problem.message for problem in media_problems(evolve(GOOD, duration=duration), creator, draft=True)]
    assert len(found) == (limit is not None)
    assert all(f"at most {limit} s" in message for message in found)


def test_a_creator_without_a_longest_duration_has_that_of_the_api() -> None:
    """TikTok need not name such a limit."""
    assert list(media_problems(evolve(GOOD, duration=500.0), CreatorInfo())) == []
    assert list(media_problems(evolve(GOOD, duration=700.0), CreatorInfo()))


def test_a_rate_that_varies_is_a_doubt() -> None:
    """TikTok does not say which rate counts, so the check warns of such a video and does not refuse it."""
    facts = evolve(GOOD, frame_rate=12.8, has_variable_rate=True)
    assert refused(facts) == []
    assert "it may vary" in next(iter(media_doubts(facts))).message


@given(FACTS, st.sampled_from(["codec", "frame_rate", "width", "height", "duration"]))
def test_what_is_unknown_is_never_refused(facts: VideoFacts, name: str) -> None:
    """Leaving out a figure removes its own sentence and changes no other. Without figures nothing is refused."""
    known, forgotten = refused(facts), refused(evolve(facts, **{name: None}))
    assert set(forgotten) <= set(known)
    assert len(known) - len(forgotten) in (0, 1)
    assert refused(VideoFacts()) == []


@given(FACTS)
def test_no_figure_is_both_refused_and_doubted(facts: VideoFacts) -> None:
    """A doubt exists only without a refusal, and each names the video."""
    said = [*media_problems(facts), *media_doubts(facts)]
    assert {one.field for one in said} <= {"video"}
    assert sum("frame rate" in one.message for one in said) <= 1


@pytest.mark.parametrize(
    ("head", "kind"),
    [(b"\xff\xd8\xff\xe0", "a JPEG picture"), (b"\x89PNG\r\n\x1a\n", "a PNG picture"), (MP4, "a video"), (b"x", "")],
)
def test_pictures_are_told_by_their_first_bytes(head: bytes, kind: str) -> None:
    """The first bytes say what kind of picture it is."""
    assert picture_kind(head) == kind


@pytest.mark.parametrize(
    ("one", "url", "covered"),
    [
        ("static.example.com", "https://static.example.com/x.mp4", True),
        ("static.example.com", "https://video.static.example.com/a/b?c", True),
        ("static.example.com", "https://STATIC.example.com.:8443/x", True),
        ("Static.Example.com", "https://static.example.com/x", True),
        ("static.example.com", "https://example.com/x", False),
        ("static.example.com", "https://notstatic.example.com/x", False),
        ("b\u00fccher.example", "https://xn--bcher-kva.example/x", True),
        ("https://example.com/videos/user/", "https://example.com/videos/user/123/x.mp4", True),
        ("https://example.com/videos/user/", "https://EXAMPLE.com:443/videos/user/x.mp4?y", True),
        ("https://example.com/videos/user/", "https://example.com/videos/2023/user/x.mp4", False),
        ("https://example.com/videos/user/", "https://example.com/videos/user", False),
        ("https://example.com/videos/user/", "https://example.com/Videos/user/x.mp4", False),
        ("https://example.com/videos/user/", "https://www.example.com/videos/user/x.mp4", False),
        ("https://example.com/videos/user/", "https://example.com:8443/videos/user/x.mp4", False),
        ("https://example.com/", "https://example.com/?x=https://example.com/", True),
        ("https://example.com/videos/user/", "https://example.com/videos/user/../other/x.mp4", False),
        ("https://example.com/videos/user/", "https://example.com/videos/user/%2e%2E/x.mp4", False),
        ("https://example.com/videos/user/", "https://example.com/videos/user/a/../x.mp4", True),
        ("https://example.com/videos/user/", "https://example.com/x/../videos/user/x.mp4", False),
        ("https://example.com/videos/user/", "https://example.com/videos/user/..x.mp4", True),
    ],
)
def test_a_verified_property_covers_what_tiktok_says(one: str, url: str, covered: bool) -> None:
    """A domain covers its subdomains and all paths. A prefix covers what begins with it, letter by letter."""
    assert property_problem(one) is None
    found = list(ownership_problems("video_url", url, [one]))
    assert (found == []) is covered
    assert all(one in problem.message for problem in found)


def test_one_covering_property_is_enough_and_none_is_no_rule() -> None:
    """Without a list nothing is refused. Otherwise one of several properties is enough."""
    url = "https://media.example.com/x.mp4"
    assert list(ownership_problems("video_url", url, [])) == []
    assert list(ownership_problems("video_url", url, ["other.example", "example.com"])) == []
    assert len(list(ownership_problems("video_url", url, ["other.example", "more.example"]))) == 1


@pytest.mark.parametrize(
    "one",
    [
        "",
        "localhost",
        "203.0.113.7",
        "example.com/path/",
        "example.com:8443",
        "user@example.com",
        "exam ple.com",
        "http://example.com/p/",
        "https://203.0.113.7/p/",
        "https://example.com/p",
        "https://example.com",
        "https://example.com/p/?x=/",
        "https://example.com/p/#/",
        "https://user@example.com/p/",
    ],
)
def test_what_is_no_property_of_the_portal_is_told(one: str) -> None:
    """A property is a domain, or an https prefix that ends in a slash."""
    assert repr(one) in str(property_problem(one))


@given(st.text(max_size=40), st.text(st.characters(exclude_categories=()), max_size=30))
def test_whatever_passes_for_a_property_can_be_asked(one: str, tail: str) -> None:
    """The check of any text ends without an exception. A good property covers itself, and can be compared with any URL."""
    url = f"https://{one}/x" if "://" not in one else f"{one}x"
    if property_problem(one) is None:
        assert list(ownership_problems("f", url, [one])) == []
        assert urlsplit(url).hostname
    assert len(list(ownership_problems("f", f"https://media.example.com/{tail}", ["other.example"]))) <= 1
    assert len(list(ownership_problems("f", tail, ["other.example"]))) <= 1


def test_an_app_takes_properties_as_the_portal_lists_them() -> None:
    """Domains and prefixes keep their order; a single one needs no list; each wrong one is reported."""
    made = App("key", "secret", "https://app.example.com/", verified_urls=["example.com", "https://a.example/p/"])
    assert made.verified_urls == ("example.com", "https://a.example/p/")
    assert App("key", "secret", "https://app.example.com/", verified_urls="example.com").verified_urls == (
        "example.com",
    )
    assert App("key", "secret", "https://app.example.com/").verified_urls == ()
    with pytest.raises(InvalidSettings) as caught:
        App("key", "secret", "https://app.example.com/", verified_urls=["http://a.example/p/", "example.com", "x"])
    assert [problem.field for problem in caught.value.problems] == ["verified_urls"] * 2


# --- Several tracks, and crops ---------------------------------------------------------------------------------------


def doubted(facts: VideoFacts) -> list[str]:
    """Return what is doubtful of a video."""
    return [doubt.message for doubt in media_doubts(facts)]


SMALL_TRACK = VideoFacts(codec="MPEG-4 Visual", frame_rate=30.0, width=200, height=200)


def test_one_good_track_of_several_is_enough_not_to_be_refused() -> None:
    """What is wrong with the others is a doubt, in whichever order they come; where all are wrong, the video is refused."""
    for facts in (evolve(GOOD, others=(SMALL_TRACK,)), evolve(SMALL_TRACK, others=(GOOD, SMALL_TRACK))):
        assert list(media_problems(facts)) == []
        assert len(doubted(facts)) == 3
        assert all(f"one of its {len(facts.others) + 1} video tracks: " in doubt for doubt in doubted(facts))
    both = evolve(SMALL_TRACK, others=(SMALL_TRACK,))
    assert len(list(media_problems(both))) == 3
    assert doubted(both) == []


@pytest.mark.parametrize(
    ("stored", "shown", "problems", "doubts"),
    [
        ((640, 360), (600, 360), 0, 0),
        ((640, 360), (600, 320), 0, 1),
        ((5000, 360), (4000, 360), 0, 1),
        ((5000, 300), (5000, 200), 2, 0),
    ],
)
def test_a_crop_is_a_doubt_where_it_decides(
    stored: tuple[int, int], shown: tuple[int, int], problems: int, doubts: int
) -> None:
    """Nobody knows whether TikTok goes by the stored or by the shown pixels. Where both are wrong, the video is refused."""
    facts = evolve(GOOD, width=stored[0], height=stored[1], shown=shown)
    for doubt in doubted(facts):
        sides = f"stores {stored[0]} x {stored[1]} pixels and shows {shown[0]} x {shown[1]}: TikTok takes 360 to 4096"
        assert sides in (doubt if isinstance(doubt, str) else doubt.message)
    assert (len(list(media_problems(facts))), len(doubted(facts))) == (problems, doubts)


@pytest.mark.parametrize(("rate", "is_taken"), [(22.49, False), (22.5, True), (60.5, True), (60.51, False)])
def test_a_rate_is_rounded_as_cameras_do(rate: float, is_taken: bool) -> None:
    """23 to 60, to the nearest whole number."""
    assert (list(media_problems(evolve(GOOD, frame_rate=rate))) == []) is is_taken


def test_a_fast_average_is_refused_although_the_rate_varies() -> None:
    """A part of the video is faster still. A slow one is a doubt."""
    fast, slow = (evolve(GOOD, frame_rate=rate, has_variable_rate=True) for rate in (239.76, 12.0))
    assert ["239.8 a second" in problem.message for problem in media_problems(fast)] == [True]
    assert (list(media_problems(slow)), len(doubted(slow)), doubted(fast)) == ([], 1, [])


def test_a_video_without_a_picture_is_refused_and_a_lower_bound_is_called_one() -> None:
    """Both are known facts."""
    assert "no picture" in next(media_problems(VideoFacts(has_picture=False))).message
    assert "at least 700.0 s" in next(media_problems(VideoFacts(duration=700.0, may_be_longer=True))).message


@pytest.mark.parametrize(
    ("duration", "may_be_longer", "cover", "is_doubted"),
    [(5.0, False, 5_001, True), (5.0, False, 5_000, False), (5.0, True, 9_000, False), (None, False, 9_000, False)],
)
def test_a_cover_is_doubted_beyond_a_known_end(
    duration: float | None, may_be_longer: bool, cover: int, is_doubted: bool
) -> None:
    """Where the end is unknown, nothing is claimed."""
    facts = VideoFacts(duration=duration, may_be_longer=may_be_longer)
    assert bool(list(media_doubts(facts, cover))) is is_doubted
    assert list(media_doubts(facts)) == []
