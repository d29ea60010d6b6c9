"""Looking before posting: no post begins with a wrong video or picture.

The client asks for a URL only where the caller wants that.
"""

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from attrs import define, evolve

from clips import CLIP
from tiktok_adapters.probes import MediaInfoProbe, ThreadedProbe
from tiktok_adapters.sources import BytesSource
from tiktok_adapters.transports.fake import ConnectionDropped, FakeTransport
from tiktok_adapters.transports.urllib3 import Urllib3Transport
from tiktok_core import (
    CreatorInfo,
    InvalidPost,
    Misused,
    PhotoPost,
    PublishFailed,
    SourceChanged,
    Stage,
    VideoFacts,
    VideoPost,
)
from tiktok_core.domain.posts import PHOTO_TITLE
from tiktok_core.lifting import lift_probe, lift_transport
from tiktok_core.ports import Request, Response

MEDIA = Path(__file__).parents[2] / "media"
SELF_ONLY = {"privacy_level": "SELF_ONLY"}
PREFIX = "https://media.example.com/p/"
WRONG_VIDEOS = {
    "15fps.mp4": "the frame rate is 15 a second; TikTok takes 23 to 60",
    "5000-wide.mp4": "the width is 5000 pixels; TikTok takes 360 to 4096",
    "renamed.mp4": "the file is a JPEG picture; TikTok takes MP4, MOV and WebM videos",
    "cut-index.mp4": "the file is cut off: it has 1,500 bytes, and its own layout promises",
    "cut-frames.mp4": "the file is cut off: it has 4,000 bytes, and its own layout promises 8,555",
    "cut.webm": "the file is cut off: it has 1,000 bytes, and its own layout promises 4,274",
    "mpeg4.mp4": "the codec is MPEG-4 Visual",
    "sound.m4a": "the file is an MPEG-4 sound",
}
WRONG_PICTURES = {
    "square.png": "square.png: the file is a PNG picture; TikTok takes JPEG and WebP",
    "1254.jpg": "1254.jpg: the picture has 1254 x 1254 pixels; TikTok takes up to 1080p",
    "heavy.jpg": "heavy.jpg: the file has 21,000,000 bytes; TikTok takes at most 20 MB (20,971,520)",
    "half.jpg": "half.jpg: the file is cut off or damaged: its 6,221 bytes do not hold the whole picture",
    "zeros.jpg": "zeros.jpg: the file is cut off or damaged: its 12,443 bytes do not hold the whole picture",
    "half.webp": "half.webp: the file is cut off or damaged: its 1,888 bytes do not hold the whole picture",
}
DOUBTFUL_URLS = ("a.png", "A.PNG?size=1", "b.heic", "c.Tiff", "d.gif", "e.avif?from=e.jpg")


def context(bench: Any) -> Any:
    """Return the client that has a context, blocking or asynchronous."""
    return getattr(bench.tiktok, "_face", bench.tiktok)


@pytest.fixture
def looking(bench: Any) -> Any:
    """Give both clients in turn, with a probe for videos."""
    probe: Any = MediaInfoProbe()
    face = context(bench)
    face._context = evolve(face._context, probe=lift_probe(probe) if face is not bench.tiktok else ThreadedProbe(probe))
    return bench


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Give a folder of pictures, one of which has 21 MB, and some of which have their first half only."""
    for name in ("good.jpg", "good.webp", "square.png", "1254.jpg"):
        shutil.copy(MEDIA / name, tmp_path)
    whole, other = (MEDIA / "good.jpg").read_bytes(), (MEDIA / "good.webp").read_bytes()
    (tmp_path / "heavy.jpg").write_bytes(whole.ljust(21_000_000, b"\0"))
    (tmp_path / "half.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "zeros.jpg").write_bytes(whole[: len(whole) // 2].ljust(len(whole), b"\0"))
    (tmp_path / "half.webp").write_bytes(other[: len(other) // 2])
    return tmp_path


@define
class FixedFacts:
    """A probe that finds the same facts in every video."""

    found: VideoFacts

    def facts(self, _source: Any) -> VideoFacts:
        """Return the facts."""
        return self.found


@define
class Server:
    """A media server in memory, in front of TikTok.

    Attributes:
        files: what it serves below `PREFIX`.
        asked: the requests that it got.
        answer: answers in place of the usual answer, if given.
    """

    files: dict[str, bytes]
    asked: list[Request]
    answer: Callable[[Request], Response] | None = None

    def handle(self, request: Request) -> Response:
        """Answer as a server that knows ranges."""
        self.asked.append(request)
        return self.answered(request) if self.answer is None else self.answer(request)

    def answered(self, request: Request) -> Response:
        """Answer as a server that knows ranges, without a note of it."""
        data = self.files.get(request.url.removeprefix(PREFIX))
        if data is None:
            return Response(404)
        first, last = (int(word) for word in request.headers["Range"].removeprefix("bytes=").split("-"))
        part = data[first : last + 1]
        return Response(206, {"Content-Range": f"bytes {first}-{first + len(part) - 1}/{len(data)}"}, part)


@pytest.fixture
def server(bench: Any) -> Iterator[Server]:
    """Put a media server beside TikTok."""
    files = {path.name: path.read_bytes() for path in MEDIA.iterdir() if path.is_file()}
    served = Server({**files, "heavy.jpg": files["good.jpg"].ljust(21_000_000, b"\0")}, [])
    face = context(bench)

    def handle(request: Request) -> Response:
        return served.handle(request) if request.url.startswith(PREFIX) else bench.sim.handle(request)

    face._context = evolve(face._context, transport=lift_transport(FakeTransport(handle)))
    return served


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what the client warned of."""
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


def refused(error: InvalidPost) -> dict[str, str]:
    """Return the problems by their field; each field appears once."""
    found = {problem.field: problem.message for problem in error.problems}
    assert len(found) == len(error.problems)
    return found


@pytest.mark.parametrize("name", WRONG_VIDEOS)
def test_a_wrong_video_never_begins(looking: Any, name: str) -> None:
    """The error gives the figure and its limit. TikTok gets no request, and the journal stays empty."""
    account = looking.signed_in()
    asked = len(looking.sim.log)
    with pytest.raises(InvalidPost) as caught:
        looking.run(account.post_video(MEDIA / name, **SELF_ONLY))
    assert any(problem.message.startswith(WRONG_VIDEOS[name]) for problem in caught.value.problems)
    assert {problem.field for problem in caught.value.problems} == {"video"}
    assert len(looking.sim.log) == asked
    assert looking.run(account.posts()) == ()


@pytest.mark.parametrize("name", ["good.mp4", "index-first.mp4", "fragmented.mp4", "h265.mov", "vp9.webm", "live.webm"])
def test_a_good_video_is_posted(looking: Any, name: str) -> None:
    """A look refuses no good film of any container, and TikTok gets the file's bytes."""
    done = looking.run(looking.signed_in().post_video(MEDIA / name, **SELF_ONLY))
    assert looking.sim.post(done.publish_id).bytes_received == (MEDIA / name).stat().st_size


def test_everything_wrong_with_file_and_settings_comes_at_once(looking: Any) -> None:
    """One error names three problems: frame rate, title and level."""
    with pytest.raises(InvalidPost) as caught:
        looking.run(looking.signed_in().post_video(MEDIA / "15fps.mp4", title="x" * 2_201))
    assert sorted(problem.field for problem in caught.value.problems) == ["privacy_level", "title", "video"]


def test_the_creators_own_figure_judges_a_direct_post_longer_than_ten_minutes(
    looking: Any,
) -> None:
    """TikTok lets some creators post an hour. Without a figure the limit of ten minutes counts, after TikTok was asked."""
    face = context(looking)
    eleven = VideoFacts(codec="H.264", frame_rate=30.0, width=640, height=360, duration=650.0)
    given: Any = FixedFacts(eleven)
    face._context = evolve(
        face._context, probe=lift_probe(given) if face is not looking.tiktok else ThreadedProbe(given)
    )
    account = looking.signed_in()
    looking.sim.creator.max_video_post_duration_sec = 3600
    assert looking.run(account.post_video(CLIP, key="long", **SELF_ONLY)).is_final
    looking.sim.creator.max_video_post_duration_sec = 600
    with pytest.raises(InvalidPost, match=r"it lasts 650.0 s; this creator may post at most 600 s"):
        looking.run(account.post_video(CLIP, key="short", **SELF_ONLY))
    with pytest.raises(InvalidPost, match=r"it lasts 650.0 s; TikTok takes at most 600 s"):
        looking.run(account.post_video(CLIP, draft=True))
    assert looking.sim.count("inbox_init") == 0


def test_a_video_too_long_for_this_creator_never_begins(looking: Any) -> None:
    """The limit is the creator's own longest duration, which TikTok gives just before the init.

    The key can be used again.
    """
    looking.sim.creator.max_video_post_duration_sec = 3
    account = looking.signed_in()
    with pytest.raises(InvalidPost, match=r"it lasts 5.0 s; this creator may post at most 3 s"):
        looking.run(account.post_video(MEDIA / "good.mp4", key="k", **SELF_ONLY))
    assert looking.sim.count("video_init") == 0
    assert [record.stage for record in looking.run(account.posts())] == [Stage.ABANDONED]
    looking.sim.creator.max_video_post_duration_sec = 300
    assert looking.run(account.post_video(MEDIA / "good.mp4", key="k", **SELF_ONLY)).is_final


def test_a_draft_may_be_longer_than_the_creators_posts(looking: Any) -> None:
    """The creator can trim a draft in the app, so the client does not ask for this creator's limit."""
    looking.sim.creator.max_video_post_duration_sec = 3
    assert looking.run(looking.signed_in().post_video(MEDIA / "good.mp4", draft=True)).is_final
    assert looking.sim.count("creator_info") == 0


def test_a_client_that_does_not_look_posts_what_it_is_given(bench: Any) -> None:
    """A client may leave the frame rate to TikTok. It still refuses a film that is cut off."""
    face = context(bench)
    face._context = evolve(face._context, probe=False)
    account = bench.signed_in()
    with pytest.raises(PublishFailed, match="frame_rate_check_failed"):
        bench.run(account.post_video(MEDIA / "15fps.mp4", **SELF_ONLY))
    with pytest.raises(InvalidPost, match="cut off"):
        bench.run(account.post_video(MEDIA / "cut-index.mp4", **SELF_ONLY))


def test_a_file_that_is_gone_before_its_turn_waits_for_it(looking: Any, tmp_path: Path) -> None:
    """The client planned a file that it cannot look at any more. It neither begins the post nor gives it up."""
    account = looking.signed_in()
    shutil.copy(MEDIA / "good.mp4", tmp_path / "clip.mp4")
    looking.sim.faults.add("creator_infox9=unreachable")
    with pytest.raises(Exception, match="creator_info"):
        looking.run(account.post_video(tmp_path / "clip.mp4", key="k", **SELF_ONLY))
    looking.sim.faults.clear()
    (tmp_path / "clip.mp4").rename(tmp_path / "moved.mp4")
    with pytest.raises(SourceChanged, match="there is no file"):
        looking.run(account.resume("k"))
    assert looking.sim.count("video_init") == 0
    (tmp_path / "moved.mp4").rename(tmp_path / "clip.mp4")
    assert looking.run(account.resume("k")).is_final


def test_a_rate_that_varies_is_warned_of(looking: Any, caplog: pytest.LogCaptureFixture) -> None:
    """TikTok may accept the video or not, so the client posts it with a warning."""
    assert looking.run(looking.signed_in().post_video(MEDIA / "varying.mp4", **SELF_ONLY)).is_final
    assert any("it may vary" in record.getMessage() for record in caplog.records)


def test_what_is_known_of_the_creator_can_be_held_against_a_video_without_asking(looking: Any) -> None:
    """`check_video` with the creator info of an export page finds what `post_video` would find, without any request."""
    creator = CreatorInfo(privacy_level_options=("SELF_ONLY",), max_video_post_duration_sec=3)
    post = VideoPost(privacy_level="PUBLIC_TO_EVERYONE")
    with pytest.raises(InvalidPost) as caught:
        looking.run(looking.tiktok.check_video(MEDIA / "good.mp4", post, creator=creator))
    assert set(refused(caught.value)) == {"privacy_level", "video"}
    draft = evolve(post, draft=True, privacy_level=None)
    with pytest.raises(InvalidPost) as caught:
        looking.run(looking.tiktok.check_video(MEDIA / "good.mp4", draft, creator=creator))
    assert set(refused(caught.value)) == {"video"}
    assert not looking.sim.log


# --- Pictures --------------------------------------------------------------------------------------------------------


def photos(*names: str) -> PhotoPost:
    """Return a wish for a private post of these pictures below `PREFIX`."""
    return PhotoPost(photo_images=tuple(f"{PREFIX}{name}" for name in names), privacy_level="SELF_ONLY")


@pytest.mark.parametrize("name", WRONG_PICTURES)
def test_the_wrong_picture_of_a_carousel_is_named(bench: Any, pictures: Path, name: str) -> None:
    """The error names the wrong one of four pictures by its place and name, and needs no extra package."""
    names = ("good.jpg", "good.webp", name, "good.jpg")
    with pytest.raises(InvalidPost) as caught:
        bench.run(bench.tiktok.check_photos(photos(*names), files=[pictures / one for one in names]))
    assert set(refused(caught.value)) == {"files[2]"}
    assert WRONG_PICTURES[name] in refused(caught.value)["files[2]"]


def test_pictures_may_be_sources_and_paths(bench: Any, pictures: Path) -> None:
    """Good pictures pass, as sources and as paths."""
    files = [str(pictures / "good.jpg"), BytesSource((MEDIA / "good.webp").read_bytes())]
    assert bench.run(bench.tiktok.check_photos(photos("1.jpg", "2.webp"), files=files)).is_pulled
    with pytest.raises(InvalidPost) as caught:
        bench.run(bench.tiktok.check_photos(photos("1.jpg"), files=[BytesSource(b"GIF89a")]))
    assert refused(caught.value) == {"files[0]": "the file is a GIF picture; TikTok takes JPEG and WebP"}


def test_every_problem_of_a_carousel_comes_at_once(bench: Any, pictures: Path) -> None:
    """One error names all: settings, a missing file, a wrong picture, and more or fewer files than photos."""
    post = evolve(photos("1.jpg", "2.jpg"), title="x" * (PHOTO_TITLE + 1))
    files = [pictures / "none.jpg", pictures / "square.png", pictures / "good.jpg"]
    with pytest.raises(InvalidPost) as caught:
        bench.run(bench.tiktok.check_photos(post, files=files, creator=CreatorInfo(privacy_level_options=("X",))))
    assert set(refused(caught.value)) == {"title", "privacy_level", "files", "files[0]", "files[1]"}
    assert "there is no file" in refused(caught.value)["files[0]"]


def test_a_long_picture_is_warned_of(bench: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One reading of 1080p allows the picture, so the client posts it with a warning."""
    data = bytearray((MEDIA / "good.jpg").read_bytes())
    frame = data.index(b"\xff\xc0") + 5
    data[frame : frame + 2] = (2400).to_bytes(2)
    bench.run(bench.tiktok.check_photos(photos("1.jpg"), files=[BytesSource(bytes(data))]))
    assert any("1080 x 2400" in record.getMessage() for record in caplog.records)


def test_a_damaged_and_an_unusual_picture_are_warned_of(bench: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Some readers show such pictures, so the client names each with a warning, and refuses none."""
    data = (MEDIA / "good.jpg").read_bytes()
    files = [BytesSource(data[:2] + b"\xff\xe0\0\2" + b"junk" + data[2:]), MEDIA / "animated.webp"]
    assert bench.run(bench.tiktok.check_photos(photos("1.jpg", "2.webp"), files=files)).is_pulled
    told = warnings(caplog)
    assert [("files[0]" in one, "files[1]" in one) for one in told] == [(True, False), (False, True)]
    assert ("belong to no part" in told[0], "animated" in told[1]) == (True, True)


# --- URLs ------------------------------------------------------------------------------------------------------------


def test_no_url_is_asked_for_unless_wanted(bench: Any, server: Server) -> None:
    """Posting and checking ask no media server: TikTok pulls, this library does not."""
    account = bench.signed_in()
    bench.run(bench.tiktok.check_video(f"{PREFIX}good.mp4", VideoPost(**SELF_ONLY)))
    bench.run(bench.tiktok.check_photos(photos("good.jpg")))
    bench.run(account.post_video(f"{PREFIX}good.mp4", **SELF_ONLY))
    bench.run(account.post_photos([f"{PREFIX}good.jpg"], **SELF_ONLY))
    assert server.asked == []


@pytest.mark.parametrize("name", ["good.mp4", "h265.mov", "vp9.webm", "live.webm", "index-first.mp4"])
def test_a_good_url_passes_a_wanted_look(bench: Any, server: Server, name: str) -> None:
    """The client sends one request for a few bytes, without a token."""
    bench.run(bench.tiktok.check_video(f"{PREFIX}{name}", VideoPost(**SELF_ONLY), fetch=True))
    request = server.asked[-1]
    assert (request.method, request.headers["Range"]) == ("GET", "bytes=0-63")
    assert not {name.lower() for name in request.headers} & {"authorization", "cookie"}


def test_good_pictures_pass_a_wanted_look(bench: Any, server: Server) -> None:
    """The client asks for each picture once."""
    post = photos("good.jpg", "good.webp", "animated.webp", "lossless.webp")
    assert bench.run(bench.tiktok.check_photos(post, fetch=True)).post == post
    assert [request.url for request in server.asked] == list(post.photo_images)


def test_wrong_pictures_behind_urls_are_named(bench: Any, server: Server) -> None:
    """The client looks at the picture behind each URL as at a file, with the size that the server gives."""
    post = photos("good.jpg", "1254.jpg", "square.png", "heavy.jpg", "none.jpg", "make.sh")
    with pytest.raises(InvalidPost) as caught:
        bench.run(bench.tiktok.check_photos(post, fetch=True))
    said = refused(caught.value)
    assert set(said) == {f"photo_images[{index}]" for index in range(1, 6)}
    for index, word in enumerate(("1254 x 1254", "PNG", "21,000,000", "HTTP 404", "not a known type of picture"), 1):
        assert word in said[f"photo_images[{index}]"]


def test_a_misused_client_is_not_the_fault_of_a_url(bench: Any) -> None:
    """The program has to make another client; the address of the pictures may be fine."""

    def misused(request: Request) -> Response:
        raise Misused(request.name, "the transport is closed")

    bench.handle = misused
    with pytest.raises(Misused, match="the transport is closed"):
        bench.run(bench.tiktok.check_photos(photos("good.jpg"), fetch=True))


def test_a_url_that_ends_as_another_picture_is_warned_of(bench: Any, caplog: pytest.LogCaptureFixture) -> None:
    """TikTok takes the URL, and refuses the post later if the server gives such a picture."""
    assert bench.run(bench.tiktok.check_photos(photos("good.jpg", *DOUBTFUL_URLS))).is_pulled
    told = warnings(caplog)
    assert [f"photo_images[{index}]" in one for index, one in enumerate(told, 1)] == [True] * len(DOUBTFUL_URLS)
    assert all("after the init" in one for one in told)


def test_of_a_url_that_is_fetched_the_bytes_decide_alone(
    bench: Any, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """The URL's ending counts no more: some servers give a JPEG or WebP at each of these."""
    server.files.update({name.partition("?")[0]: server.files["good.jpg"] for name in DOUBTFUL_URLS})
    server.answer = lambda request: server.answered(evolve(request, url=request.url.partition("?")[0]))
    assert bench.run(bench.tiktok.check_photos(photos(*DOUBTFUL_URLS), fetch=True)).is_pulled
    assert warnings(caplog) == []


def test_of_a_long_picture_behind_a_url_the_rest_is_not_judged(bench: Any, server: Server) -> None:
    """The client asks for the beginning only. A picture that goes on is not cut off, unless its own layout says so."""
    whole = server.files["good.jpg"]
    server.files["long.jpg"] = whole[:-2] + bytes(300_000) + whole[-2:]
    assert bench.run(bench.tiktok.check_photos(photos("long.jpg"), fetch=True)).is_pulled
    server.files["half.jpg"] = whole[: len(whole) // 2]
    with pytest.raises(InvalidPost, match="cut off or damaged: its 6,221 bytes"):
        bench.run(bench.tiktok.check_photos(photos("half.jpg"), fetch=True))
    server.answer = lambda _: Response(206, {"Content-Range": "bytes 0-6220/*"}, server.files["half.jpg"])
    with pytest.raises(InvalidPost) as caught:
        bench.run(bench.tiktok.check_photos(photos("half.jpg"), fetch=True))
    assert refused(caught.value) == {"photo_images[0]": "its server does not say how long the file is"}


def fetched(bench: Any, server: Server, name: str, content_type: str, status: int = 206) -> dict[str, str]:
    """Return the problems of a file behind a URL whose server calls it so."""
    data = server.files[name]
    headers = {"Content-Type": content_type, "Content-Length": str(len(data))}
    if status == 206:
        headers["Content-Range"] = f"bytes 0-{len(data) - 1}/{len(data)}"
    server.answer = lambda _: Response(status, headers, data)
    try:
        if name.endswith("mp4"):
            bench.run(bench.tiktok.check_video(f"{PREFIX}{name}", VideoPost(**SELF_ONLY), fetch=True))
        else:
            bench.run(bench.tiktok.check_photos(photos(name), fetch=True))
    except InvalidPost as error:
        return refused(error)
    return {}


@pytest.mark.parametrize(
    ("content_type", "said"),
    [
        ("text/html", "a page (text/html)"),
        ("Text/HTML; charset=utf-8", "a page (text/html)"),
        ("text/html, text/html", "a page (text/html)"),
        ("application/xhtml+xml", "a page (application/xhtml+xml)"),
        ("application/json", "a text (application/json)"),
        ("application/problem+json;x=y", "a text (application/problem+json)"),
        ("application/xml", "a text (application/xml)"),
        ("text/xml", "a text (text/xml)"),
    ],
)
@pytest.mark.parametrize("field", ["photo_images[0]", "video_url"])
def test_a_page_in_place_of_a_file_is_told(
    bench: Any, server: Server, content_type: str, said: str, field: str
) -> None:
    """The server says itself that it gives a page, such as one for a sign-in, so its bytes do not matter."""
    name = "good.mp4" if field == "video_url" else "good.jpg"
    sentence = {field: f"its server gives {said}, not a file"}
    assert fetched(bench, server, name, content_type) == sentence
    assert fetched(bench, server, name, content_type, status=200) == sentence


@pytest.mark.parametrize(
    "content_type", ["image/jpeg", "video/mp4", "application/octet-stream", "text/plain", "xml", ""]
)
@pytest.mark.parametrize("name", ["good.jpg", "good.mp4"])
def test_any_other_name_for_a_file_is_no_reason_to_refuse_it(
    bench: Any, server: Server, content_type: str, name: str
) -> None:
    """Servers name files in many ways, and the bytes are right."""
    assert fetched(bench, server, name, content_type) == {}


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (
            Response(302, {"Location": "https://elsewhere.example/"}),
            "sends elsewhere (HTTP 302), and TikTok follows no",
        ),
        (Response(403), "its server answers HTTP 403"),
        (Response(500), "its server answers HTTP 500"),
        (Response(204), "its server answers HTTP 204"),
        (
            Response(200, {"Content-Length": "8555"}, (MEDIA / "good.mp4").read_bytes()),
            "no part of a file by itself",
        ),
        (
            Response(206, {"Content-Range": "bytes 0-63/*"}, (MEDIA / "good.mp4").read_bytes()[:64]),
            "how long the file is",
        ),
        (
            Response(206, {"Content-Range": "bytes 0-63/5000000000"}, (MEDIA / "good.mp4").read_bytes()[:64]),
            "at most 4 GB",
        ),
        (Response(206, {"Content-Range": "bytes 0-2/3"}, b"GIF"), "begins as neither an MP4, a MOV nor a WebM"),
        (Response(206, {"Content-Range": "bytes 0-5/9999"}, b"GIF89a"), "a GIF picture"),
        (
            Response(206, {"Content-Range": "bytes 0-63/1500"}, (MEDIA / "index-first.mp4").read_bytes()[:64]),
            "is cut off",
        ),
    ],
)
def test_what_keeps_tiktok_from_pulling_is_told(bench: Any, server: Server, answer: Response, sentence: str) -> None:
    """A redirect, a refusal, a missing length and a wrong file are each one sentence about the URL.

    No other server gets a request.
    """
    server.answer = lambda _: answer
    url = f"{PREFIX}clip" if "known" in sentence else f"{PREFIX}clip.mp4"
    with pytest.raises(InvalidPost) as caught:
        bench.run(bench.tiktok.check_video(url, VideoPost(**SELF_ONLY), fetch=True))
    assert sentence in refused(caught.value)["video_url"]
    assert len(server.asked) == 1
    assert not bench.sim.log


def test_a_server_out_of_reach_is_told(bench: Any, server: Server) -> None:
    """The client repeats the request as any reading call. Then it reports a problem of the URL, without its query."""

    def drop(_: Request) -> Response:
        raise ConnectionDropped(sent=False, reason="the host is out of reach")

    server.answer = drop
    with pytest.raises(InvalidPost, match="out of reach") as caught:
        bench.run(bench.tiktok.check_video(f"{PREFIX}clip.mp4?sig=secret", VideoPost(**SELF_ONLY), fetch=True))
    assert "secret" not in str(caught.value)


def test_only_a_well_spelled_url_of_a_listed_property_is_asked_for(bench: Any, server: Server) -> None:
    """The client refuses an address, another domain and a path outside the listed prefix, without any request."""
    face = context(bench)
    face._context = evolve(
        face._context, app=evolve(face._context.app, verified_urls=[f"{PREFIX}mine/", "static.example.com"])
    )
    check = bench.tiktok.check_video
    for url, word in (
        (f"{PREFIX}clip.mp4", "under none of the app's verified URL properties"),
        ("https://elsewhere.example/clip.mp4", "under none of the app's verified URL properties"),
        ("https://127.0.0.1/clip.mp4", "not from the address"),
    ):
        with pytest.raises(InvalidPost, match=word):
            bench.run(check(url, VideoPost(**SELF_ONLY), fetch=True, upload=False))
    with pytest.raises(InvalidPost) as caught:
        bench.run(bench.tiktok.check_photos(photos("a.jpg", "mine/b.jpg", "c.jpg")))
    assert set(refused(caught.value)) == {"photo_images[0]", "photo_images[2]"}
    assert server.asked == []
    account = bench.signed_in()
    with pytest.raises(InvalidPost, match="URL properties"):
        bench.run(account.post_video(f"{PREFIX}clip.mp4", upload=False, **SELF_ONLY))
    assert bench.run(account.post_video(f"{PREFIX}mine/clip.mp4", **SELF_ONLY)).publish_id


def test_a_probe_that_must_be_awaited_is_refused_by_the_blocking_client() -> None:
    """The blocking client refuses it, as it refuses every other asynchronous port."""

    class Awaited:
        async def facts(self, source: object, /) -> VideoFacts:
            return VideoFacts()

    with pytest.raises(TypeError, match="coroutine"):
        lift_probe(Awaited())  # type: ignore[arg-type]


@define
class Rerouted:
    """Sends a request for `PREFIX` to a server on loopback, over a real socket."""

    port: int
    inner: Urllib3Transport

    def send(self, request: Request, /) -> Response:
        """As `Transport.send`."""
        url = request.url.replace(PREFIX, f"http://127.0.0.1:{self.port}/")
        return self.inner.send(evolve(request, url=url))

    def close(self) -> None:
        """As `Transport.close`."""
        self.inner.close()


@pytest.fixture
def socket_server(bench: Any) -> Iterator[list[str]]:
    """Serve pictures on loopback to the client of the bench; give the paths that were asked for."""
    asked: list[str] = []
    good = (MEDIA / "good.jpg").read_bytes()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            if self.path == "/moved.jpg":
                self.answer(307, b"", Location=f"http://127.0.0.1:{self.server.server_port}/good.jpg")
            elif self.path == "/whole.jpg":
                self.answer(200, good.ljust(3_000_000, b"\0"))
            else:
                first, last = (int(word) for word in self.headers["Range"].removeprefix("bytes=").split("-"))
                part = good[first : last + 1]
                self.answer(206, part, **{"Content-Range": f"bytes {first}-{first + len(part) - 1}/{len(good)}"})

        def answer(self, status: int, body: bytes, **headers: str) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(OSError):
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server, Urllib3Transport() as transport:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        face = context(bench)
        face._context = evolve(face._context, transport=lift_transport(Rerouted(server.server_port, transport)))
        yield asked
        server.shutdown()
        thread.join()


def test_over_a_socket_a_picture_is_looked_at_and_no_redirect_followed(bench: Any, socket_server: list[str]) -> None:
    """One range is enough, and the client cuts a whole file short. It does not follow a redirect."""
    assert bench.run(bench.tiktok.check_photos(photos("good.jpg"), fetch=True)).is_pulled
    with pytest.raises(InvalidPost) as caught:
        bench.run(bench.tiktok.check_photos(photos("moved.jpg", "whole.jpg"), fetch=True))
    assert "no redirect" in refused(caught.value)["photo_images[0]"]
    assert "no part of a file by itself" in refused(caught.value)["photo_images[1]"]
    assert socket_server == ["/good.jpg", "/moved.jpg", "/whole.jpg"]


# --- The look itself -------------------------------------------------------------------------------------------------


class Slow(BytesSource):
    """A source on a network drive: each read takes its time, by the clock of the test."""

    def __init__(self, data: bytes, bench: Any, seconds: float) -> None:
        super().__init__(data)
        self.bench, self.seconds, self.reads = bench, seconds, 0
        self.threads: set[int] = set()

    def read(self, start: int, length: int, /) -> bytes:
        """Read, and let time pass."""
        self.reads += 1
        self.threads.add(threading.get_ident())
        self.bench.clock.advance(self.seconds)
        return super().read(start, length)


def long_film() -> bytes:
    """A film in many fragments, far apart, without a list of them at its end."""
    whole = (MEDIA / "fragmented.mp4").read_bytes()
    begins = whole.index(b"moof") - 4
    end = whole.index(b"mfra") - 4 if b"mfra" in whole else len(whole)
    at = whole.index(b"tfdt") + 8
    width = 8 if whole[at - 4] == 1 else 4
    parts = (
        whole[begins:at]
        + (12_288 * number).to_bytes(width)
        + whole[at + width : end]
        + b"\0\0\x80\0free"
        + bytes(0x7FF8)
        for number in range(200)
    )
    return whole[:begins] + b"".join(parts)


def test_a_look_ends_in_time_on_a_slow_disk(bench: Any) -> None:
    """At 50 ms a read, a look into hundreds of fragments ends after two seconds, and the post goes on."""
    source = Slow(long_film(), bench, 0.05)
    before = bench.clock.now()
    bench.run(bench.tiktok.check_video(source, VideoPost(draft=True)))
    assert 10 < source.reads < 60
    assert (bench.clock.now() - before).total_seconds() < 3


@pytest.mark.parametrize("is_delegating", [False, True])
def test_a_source_of_ones_own_is_taken(bench: Any, is_delegating: bool) -> None:
    """A class that hands its calls on to another source is one, too; its size is not asked for before its turn."""

    class Own:
        """All that a source has to have."""

        fingerprint = CLIP.fingerprint

        @property
        def size(self) -> int:
            return CLIP.size

        def read(self, start: int, length: int, /) -> bytes:
            return CLIP.read(start, length)

    class Delegating:
        """The same by delegation."""

        def __getattr__(self, name: str) -> Any:
            return getattr(CLIP, name)

        def read(self, start: int, length: int, /) -> bytes:
            return CLIP.read(start, length)

    source: Any = Delegating() if is_delegating else Own()
    assert bench.run(bench.signed_in().post_video(source, draft=True)).is_final


def test_a_look_at_a_picture_ends_in_time_on_a_slow_disk(bench: Any, caplog: pytest.LogCaptureFixture) -> None:
    """At five seconds a read the look ends after ten, with a warning, also where the source can only be read in the caller's thread."""
    data = (MEDIA / "good.jpg").read_bytes()
    source = Slow(data[:2] + 40 * (b"\xff\xfe\xff\xff" + bytes(65_533)) + data[2:], bench, 5.0)
    before = bench.clock.now()
    assert bench.run(bench.tiktok.check_photos(photos("1.jpg"), files=[source])).is_pulled
    assert (bench.clock.now() - before).total_seconds() <= 20
    assert "is not looked into before it is posted" in caplog.text


def test_a_video_that_cannot_be_read_is_a_doubt(bench: Any, caplog: pytest.LogCaptureFixture) -> None:
    """It is posted with a warning. Of a client that checks no properties nobody wants to hear it."""
    said = "its codec, rate, size and duration are not checked"
    assert bench.run(bench.signed_in().post_video(CLIP, draft=True)).is_final
    assert said in caplog.text
    caplog.clear()
    bench.run(bench.tiktok.check_video(MEDIA / "good.mp4", VideoPost(draft=True)))
    context(bench)._context = evolve(context(bench)._context, probe=False)
    bench.run(bench.tiktok.check_video(CLIP, VideoPost(draft=True)))
    assert said not in caplog.text


def test_a_probe_is_not_asked_about_what_the_library_reads(bench: Any) -> None:
    """Its word would count otherwise, and it takes longer."""
    face, given = context(bench), FixedFacts(VideoFacts(duration=9_999.0))
    probe: Any = given
    face._context = evolve(face._context, probe=lift_probe(probe) if face is not bench.tiktok else ThreadedProbe(probe))
    assert bench.run(bench.tiktok.check_video(MEDIA / "good.mp4", VideoPost(draft=True)))
    with pytest.raises(InvalidPost, match=r"9,999.0 s"):
        bench.run(bench.tiktok.check_video(CLIP, VideoPost(draft=True)))


def test_a_cover_beyond_the_end_is_a_doubt(bench: Any, caplog: pytest.LogCaptureFixture) -> None:
    """TikTok takes the first frame then."""
    for cover, expected in ((5_000, False), (5_001, True)):
        caplog.clear()
        post = VideoPost(privacy_level="SELF_ONLY", video_cover_timestamp_ms=cover)
        bench.run(bench.tiktok.check_video(MEDIA / "good.mp4", post))
        assert ("is beyond the end of the video (5.0 s); TikTok then takes the first frame" in caplog.text) is expected
