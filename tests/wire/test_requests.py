"""Requests, letter by letter: TikTok gets what its documents print."""

import json
from collections import deque
from collections.abc import Callable
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_core.domain.app import App, Endpoints
from tiktok_core.domain.chunks import plan_chunks
from tiktok_core.domain.media import MediaType
from tiktok_core.domain.posts import PhotoPost, VideoPost
from tiktok_core.domain.tokens import Secret
from tiktok_core.errors import SourceChanged
from tiktok_core.wire.display import user_info_request
from tiktok_core.wire.http import FileSlice, Request, Response, redacted
from tiktok_core.wire.oauth import (
    authorization_url,
    check_qr_code_request,
    client_token_request,
    code_request,
    qr_code_request,
    refresh_request,
    revoke_request,
)
from tiktok_core.wire.publishing import (
    chunk_request,
    creator_info_request,
    photo_init_request,
    status_request,
    video_init_request,
)

TIKTOK = Endpoints()
TOKEN = Secret("act.exampleAccess000")
APP = App("awexample0000000", "SECRET", "http://127.0.0.1:3455/callback/")
HOST = "https://open.tiktokapis.com"
UPLOAD_URL = "https://open-upload.tiktokapis.com/video/?upload_id=7300000000000000001&upload_token=1111-2222"


class Bytes:
    """A source in memory that gives at most `most` bytes at a time."""

    fingerprint = "same"

    def __init__(self, content: bytes, most: int = 1 << 30, size: int | None = None) -> None:
        self.content, self.most = content, most
        self.size = len(content) if size is None else size

    def read(self, start: int, length: int, /) -> bytes:
        """Return the next bytes, in small pieces."""
        return self.content[start : start + min(length, self.most)]


class Filling(Bytes):
    """A source that also fills buffers, at most `most` bytes at a time."""

    def read_into(self, start: int, buffer: memoryview, /) -> int:
        """Fill the buffer with the next bytes."""
        part = self.read(start, len(buffer))
        buffer[: len(part)] = part
        return len(part)


def document(request: Request) -> object:
    """Return the JSON of a body."""
    assert isinstance(request.body, bytes)
    return json.loads(request.body)


def form(request: Request) -> dict[str, str]:
    """Return the fields of a form; each has to come once."""
    assert isinstance(request.body, bytes)
    pairs = parse_qsl(request.body.decode("ascii"), keep_blank_values=True, strict_parsing=True)
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def assert_api(request: Request, method: str, path: str) -> None:
    """Assert method, URL and the headers of the v2 API."""
    assert (request.method, request.url) == (method, HOST + path)
    assert request.headers["Authorization"] == "Bearer act.exampleAccess000"
    assert request.headers["Content-Type"] == "application/json; charset=UTF-8"
    assert set(request.headers) == {"Authorization", "Content-Type", "Accept"}


def test_creator_info_has_no_body() -> None:
    """The request for the creator info has headers only."""
    request = creator_info_request(TIKTOK, TOKEN)
    assert_api(request, "POST", "/v2/post/publish/creator_info/query/")
    assert request.body == b""
    assert request.content_length == 0


def test_a_direct_video_is_the_documents_example() -> None:
    """The documents' direct post from a file, member by member."""
    post = VideoPost(
        title="evening light #kyoto @friend",
        privacy_level="SELF_ONLY",
        disable_duet=True,
        disable_stitch=True,
        video_cover_timestamp_ms=1000,
    )
    request = video_init_request(TIKTOK, TOKEN, post, plan_chunks(50_000_123, 10_000_000))
    assert_api(request, "POST", "/v2/post/publish/video/init/")
    assert document(request) == {
        "post_info": {
            "title": "evening light #kyoto @friend",
            "privacy_level": "SELF_ONLY",
            "disable_duet": True,
            "disable_comment": False,
            "disable_stitch": True,
            "video_cover_timestamp_ms": 1000,
            "brand_content_toggle": False,
            "brand_organic_toggle": False,
            "is_aigc": False,
        },
        "source_info": {
            "source": "FILE_UPLOAD",
            "video_size": 50_000_123,
            "chunk_size": 10_000_000,
            "total_chunk_count": 5,
        },
    }


def test_a_pulled_video_names_its_url_only() -> None:
    """A pull declares no size, and leaves absent settings out instead of sending null."""
    url = "https://media.example.com/videos/user/clip.mp4"
    post = VideoPost(privacy_level="SELF_ONLY", brand_organic_toggle=True, is_aigc=True, disable_comment=True)
    found = document(video_init_request(TIKTOK, TOKEN, post, Secret(url)))
    assert found == {
        "post_info": {
            "privacy_level": "SELF_ONLY",
            "disable_comment": True,
            "disable_duet": False,
            "disable_stitch": False,
            "brand_content_toggle": False,
            "brand_organic_toggle": True,
            "is_aigc": True,
        },
        "source_info": {"source": "PULL_FROM_URL", "video_url": url},
    }


@pytest.mark.parametrize("title", ["", "a title that the inbox drops"])
def test_a_draft_sends_its_source_only(title: str) -> None:
    """The inbox upload of TikTok's documents has no post_info, for any settings."""
    post = VideoPost(title=title, privacy_level="SELF_ONLY", is_aigc=True, draft=True)
    request = video_init_request(TIKTOK, TOKEN, post, plan_chunks(30_567_100))
    assert_api(request, "POST", "/v2/post/publish/inbox/video/init/")
    source = {"source": "FILE_UPLOAD", "video_size": 30_567_100, "chunk_size": 30_567_100, "total_chunk_count": 1}
    assert document(request) == {"source_info": source}


PHOTOS = ("https://media.example.com/p/1.jpg", "https://media.example.com/p/2.webp")


def test_a_photo_post_is_the_documents_example() -> None:
    """The documents' photo post. The AI label is at the root of the body, and absent when it is off."""
    post = PhotoPost(
        photo_images=PHOTOS,
        title="three doors",
        description="doors of the old town #doors",
        privacy_level="SELF_ONLY",
    )
    request = photo_init_request(TIKTOK, TOKEN, post)
    assert_api(request, "POST", "/v2/post/publish/content/init/")
    assert document(request) == {
        "post_info": {
            "title": "three doors",
            "description": "doors of the old town #doors",
            "privacy_level": "SELF_ONLY",
            "disable_comment": False,
            "auto_add_music": True,
            "brand_content_toggle": False,
            "brand_organic_toggle": False,
        },
        "source_info": {"source": "PULL_FROM_URL", "photo_cover_index": 0, "photo_images": list(PHOTOS)},
        "post_mode": "DIRECT_POST",
        "media_type": "PHOTO",
    }


def test_a_photo_draft_keeps_its_texts_and_its_label() -> None:
    """A draft of photos has another mode, has its texts, and has none of the settings of a direct post."""
    post = PhotoPost(
        photo_images=PHOTOS, photo_cover_index=1, title="t", privacy_level="SELF_ONLY", is_aigc=True, draft=True
    )
    assert document(photo_init_request(TIKTOK, TOKEN, post)) == {
        "post_info": {"title": "t"},
        "source_info": {"source": "PULL_FROM_URL", "photo_cover_index": 1, "photo_images": list(PHOTOS)},
        "post_mode": "MEDIA_UPLOAD",
        "media_type": "PHOTO",
        "is_aigc": True,
    }


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_text_arrives_as_it_was_written(text: str) -> None:
    """Titles and descriptions leave in UTF-8 and arrive the same: emoji, quotes, line breaks and all."""
    photo = PhotoPost(photo_images=PHOTOS, title=text, description=text, privacy_level="SELF_ONLY")
    for request in (
        video_init_request(TIKTOK, TOKEN, VideoPost(title=text, privacy_level="SELF_ONLY"), plan_chunks(1)),
        photo_init_request(TIKTOK, TOKEN, photo),
    ):
        found = document(request)
        assert isinstance(found, dict)
        assert found["post_info"]["title"] == text
        assert found["post_info"].get("description", text) == text


def test_the_status_is_asked_by_publish_id() -> None:
    """The id leaves unchanged, with its tilde and dots."""
    request = status_request(TIKTOK, TOKEN, "v_pub_file~v2-1.7300000000000000001")
    assert_api(request, "POST", "/v2/post/publish/status/fetch/")
    assert document(request) == {"publish_id": "v_pub_file~v2-1.7300000000000000001"}


def test_the_profile_is_asked_by_fields() -> None:
    """The fields are in the query, separated by commas."""
    request = user_info_request(TIKTOK, TOKEN, ("open_id", "union_id", "avatar_url", "display_name"))
    assert_api(request, "GET", "/v2/user/info/?fields=open_id,union_id,avatar_url,display_name")
    assert request.body == b""


def test_a_chunk_carries_no_token() -> None:
    """The PUT goes to the exact upload URL, with the type, an exact inclusive range, and no token."""
    source, told = Bytes(b"", size=50_000_123), list[int]()
    request = chunk_request(Secret(UPLOAD_URL), source, (40_000_000, 50_000_122), MediaType.MP4, told.append)
    assert (request.method, request.url) == ("PUT", UPLOAD_URL)
    assert request.headers == {"Content-Type": "video/mp4", "Content-Range": "bytes 40000000-50000122/50000123"}
    assert request.body == FileSlice(source, 40_000_000, 10_000_123)
    assert request.content_length == 10_000_123
    assert request.on_sent == told.append


@given(st.binary(min_size=1, max_size=300), st.data())
def test_a_slice_gives_its_bytes_and_no_others(content: bytes, data: st.DataObject) -> None:
    """For any source and any block size, the blocks are the slice, and none is larger than asked for."""
    start = data.draw(st.integers(0, len(content) - 1))
    length = data.draw(st.integers(0, len(content) - start))
    size = data.draw(st.integers(1, 50))
    blocks = list(FileSlice(Bytes(content, data.draw(st.integers(1, 60))), start, length).blocks(size))
    assert b"".join(blocks) == content[start : start + length]
    assert max(map(len, blocks), default=1) <= size
    assert all(blocks)


@given(st.binary(min_size=1, max_size=300), st.data())
def test_a_slice_in_buffers_gives_the_same_bytes(content: bytes, data: st.DataObject) -> None:
    """For any number of buffers and any source, each block stays whole until its buffer is used again."""
    start = data.draw(st.integers(0, len(content) - 1))
    length = data.draw(st.integers(0, len(content) - start))
    size, count = data.draw(st.integers(1, 50)), data.draw(st.integers(1, 3))
    source = data.draw(st.sampled_from([Bytes, Filling]))(content, data.draw(st.integers(1, 60)))
    found = bytearray()
    alive: deque[tuple[bytes, bytes | memoryview]] = deque(maxlen=count)
    for block in FileSlice(source, start, length).blocks_in(*(memoryview(bytearray(size)) for _ in range(count))):
        alive.append((bytes(block), block))
        assert all(copy == bytes(view) for copy, view in alive)
        assert 0 < len(block) <= size
        found += block
    assert found == content[start : start + length]


@pytest.mark.parametrize("kind", [Bytes, Filling])
def test_a_source_that_ends_early_is_noticed(kind: type[Bytes]) -> None:
    """Missing bytes raise an error."""
    body = FileSlice(kind(b"0123456789"), 8, 4)
    for blocks in (body.blocks(), body.blocks_in(memoryview(bytearray(4)))):
        assert next(blocks) == b"89"
        with pytest.raises(SourceChanged, match="ended at byte 10 of the 12"):
            next(blocks)


CREDENTIALS = {"client_key": "awexample0000000", "client_secret": "SECRET"}


def assert_form(request: Request, path: str) -> None:
    """Assert method, URL and headers of an OAuth call: no token, and a form."""
    assert (request.method, request.url) == ("POST", HOST + path)
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert "Authorization" not in request.headers


def test_a_code_is_spent_as_documented() -> None:
    """The code leaves decoded once and escaped once, with the same redirect URI and the verifier."""
    uri, code = "http://127.0.0.1:3455/callback/", Secret("Xy12*1!4608.va")
    request = code_request(APP, TIKTOK, code, redirect_uri=uri, code_verifier=Secret("dBjftJeZ4CVP"))
    assert_form(request, "/v2/oauth/token/")
    assert form(request) == {
        **CREDENTIALS,
        "code": "Xy12*1!4608.va",
        "grant_type": "authorization_code",
        "redirect_uri": uri,
        "code_verifier": "dBjftJeZ4CVP",
    }
    assert "code_verifier" not in form(code_request(APP, TIKTOK, code, redirect_uri=uri, code_verifier=None))


def test_the_apps_token_and_qr_codes_are_asked_for_as_documented() -> None:
    """The app's own token needs only the credentials. A QR code needs no secret, and the question after one does."""
    token = client_token_request(APP, TIKTOK)
    assert_form(token, "/v2/oauth/token/")
    assert form(token) == {**CREDENTIALS, "grant_type": "client_credentials"}
    drawn = qr_code_request(APP, TIKTOK, ("user.info.basic", "video.upload"))
    assert_form(drawn, "/v2/oauth/get_qrcode/")
    assert form(drawn) == {"client_key": CREDENTIALS["client_key"], "scope": "user.info.basic,video.upload"}
    asked = check_qr_code_request(APP, TIKTOK, Secret("tok&000"))
    assert_form(asked, "/v2/oauth/check_qrcode/")
    assert form(asked) == {**CREDENTIALS, "token": "tok&000"}


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_token_survives_the_form(token: str) -> None:
    """Renewing and revoking send the token unchanged, with any characters, and nothing else."""
    refresh = refresh_request(APP, TIKTOK, Secret(token))
    assert_form(refresh, "/v2/oauth/token/")
    assert form(refresh) == {**CREDENTIALS, "grant_type": "refresh_token", "refresh_token": token}
    revoke = revoke_request(APP, TIKTOK, Secret(token))
    assert_form(revoke, "/v2/oauth/revoke/")
    assert form(revoke) == {**CREDENTIALS, "token": token}


def test_the_authorization_page_is_the_documents_example() -> None:
    """The URL has the documented parameters, among them `client_key`, with commas between the scopes."""
    challenge = "13d31e961a1ad8ec2f16b10c4c982e0876a878ad6df144566ee1894acb70f9c3"
    scopes = ("user.info.basic", "video.upload", "video.publish")
    uri = "http://127.0.0.1:3455/callback/"
    url = authorization_url(
        APP, TIKTOK, redirect_uri=uri, scopes=scopes, state="5f2c9d", challenge=challenge, always_ask=False
    )
    assert url == (
        "https://www.tiktok.com/v2/auth/authorize/?client_key=awexample0000000"
        "&scope=user.info.basic%2Cvideo.upload%2Cvideo.publish&response_type=code"
        "&redirect_uri=http%3A%2F%2F127.0.0.1%3A3455%2Fcallback%2F&state=5f2c9d"
        f"&code_challenge={challenge}&code_challenge_method=S256"
    )


def test_the_authorization_page_without_challenge_and_with_a_question() -> None:
    """Without a challenge there is no method either. `always_ask` is TikTok's `disable_auto_auth`."""
    url = authorization_url(
        APP, TIKTOK, redirect_uri="https://x.example/", scopes=("a",), state="s&t=1", challenge=None, always_ask=True
    )
    query = parse_qs(urlsplit(url).query, strict_parsing=True)
    assert query["disable_auto_auth"] == ["1"]
    assert query["state"] == ["s&t=1"]
    assert not {"code_challenge", "code_challenge_method"} & query.keys()


@pytest.mark.parametrize("evil", ["\r", "\n", "\0", "\r\nX-Injected: 1", "\x7f"])
def test_no_line_break_gets_into_a_request(evil: str) -> None:
    """A control character in a URL or a header cannot smuggle in another request."""
    requests: list[Callable[[], Request]] = [
        lambda: Request(method="GET", url=f"https://x.example/{evil}"),
        lambda: Request(method="GET", url="https://x.example/", headers={"X": f"a{evil}"}),
        lambda: Request(method="GET", url="https://x.example/", headers={f"X{evil}": "a"}),
        lambda: creator_info_request(TIKTOK, Secret(f"act.{evil}")),
    ]
    for build in requests:
        with pytest.raises(ValueError, match="control character"):
            build()


def test_a_requests_name_has_no_secret() -> None:
    """Logs show neither user nor query nor fragment."""
    assert redacted("https://user:word@x.example:8443/a/b?token=1#y") == "https://x.example:8443/a/b"
    assert Request(method="PUT", url=UPLOAD_URL).name == "PUT https://open-upload.tiktokapis.com/video/"
    assert Response(200).body == b""
