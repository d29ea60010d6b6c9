"""Media: what passes for a video by its bytes or name, and which URLs TikTok can pull."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_core.domain.media import HEAD_LENGTH, MediaType, is_url, media_type, url_problems
from tiktok_core.errors import InvalidPost

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
    """Return what is said against pulling a URL."""
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
@pytest.mark.parametrize("name", [None, "clip.webm", "clip.MP4", "clip.txt", "clip"])
def test_the_bytes_win_over_the_name(head: bytes, kind: MediaType, name: str | None) -> None:
    """A video is what its first bytes say, whatever it is called."""
    assert media_type(head[:HEAD_LENGTH], name) is kind


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (b"\xff\xd8\xff\xe0", "JPEG"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"GIF89a", "GIF"),
        (b"\0\0\0\x18ftypheic", "HEIF"),
        (b"\0\0\0\x18ftypavif", "AVIF"),
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
    ],
)
@pytest.mark.parametrize("name", [None, "clip.mp4"])
def test_what_is_no_video_is_refused_by_its_bytes(head: bytes, what: str, name: str | None) -> None:
    """A picture renamed to .mp4 is named for what it is, before a byte of it leaves."""
    with pytest.raises(InvalidPost, match=what) as caught:
        media_type(head, name)
    assert [problem.field for problem in caught.value.problems] == ["video"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("clip.mp4", MediaType.MP4),
        ("CLIP.MP4", MediaType.MP4),
        ("/films.old/my clip.m4v", MediaType.MP4),
        ("a.b.mov", MediaType.QUICKTIME),
        ("x.WebM", MediaType.WEBM),
        (None, MediaType.MP4),
    ],
)
@pytest.mark.parametrize("head", [b"", b"\0" * 64, b"no magic here"])
def test_the_name_decides_where_the_bytes_say_nothing(head: bytes, name: str | None, kind: MediaType) -> None:
    """Unknown bytes are believed by their ending, and are MP4 where there is no name."""
    assert media_type(head, name) is kind


@pytest.mark.parametrize("name", ["", "clip", "clip.", "clip.avi", "clip.mp4.part", "/films.mp4/clip", "mp4"])
def test_a_name_that_says_nothing_does_not_help(name: str) -> None:
    """Neither bytes nor name: refused."""
    with pytest.raises(InvalidPost, match="not known to be a video"):
        media_type(b"\0" * 64, name)


@given(st.binary(max_size=HEAD_LENGTH), st.none() | st.text(max_size=20))
def test_any_bytes_are_judged(head: bytes, name: str | None) -> None:
    """Whatever the bytes and the name, the answer is a type or a refusal of the video."""
    try:
        assert media_type(head, name) in MediaType
    except InvalidPost as error:
        assert [problem.field for problem in error.problems] == ["video"]  # noqa: PT017 - not all are refused


@pytest.mark.parametrize("text", ["https://a.example/x.mp4", "HTTP://x", "ftp://x", "s3+x://bucket"])
def test_urls_are_told_from_names(text: str) -> None:
    """Whatever has a scheme is meant as a URL."""
    assert is_url(text)


@pytest.mark.parametrize("text", ["clip.mp4", "C://films/clip.mp4", "/a/b://c", "a:b", "", "//host/x", "1ab://x"])
def test_names_are_told_from_urls(text: str) -> None:
    """Paths, a Windows drive included, are files."""
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
    """A domain over https is fine, in any script and with any path, port and query."""
    assert wrong(url) == []


@pytest.mark.parametrize("host", DISGUISED_ADDRESSES)
def test_addresses_are_refused_in_every_disguise(host: str) -> None:
    """TikTok pulls from domains only: an IP address is recognised however it is written."""
    assert len(wrong(f"https://{host}/clip.mp4")) == 1
    assert len(wrong(f"https://{host}:8443/clip.mp4")) == 1


@given(address=st.ip_addresses(), as_number=st.booleans(), in_hex=st.booleans())
def test_no_address_is_pulled_from(
    *, address: ipaddress.IPv4Address | ipaddress.IPv6Address, as_number: bool, in_hex: bool
) -> None:
    """Any address of either family, dotted, as one number or in hexadecimal, is refused."""
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
    """Every fault of a URL's spelling is told, once each."""
    assert len(wrong(url)) == problems


@given(st.text(st.characters(exclude_categories=()), max_size=30))
def test_what_can_be_pulled_can_be_sent(tail: str) -> None:
    """Any text is judged without breaking, and what passes can be written into a request."""
    url = "https://media.example.com/" + tail
    if not wrong(url):
        assert url.encode()
        assert not set(url) & set(" \\\r\n\t\0")
    assert wrong(tail)
