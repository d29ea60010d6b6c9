"""The interface of `tiktok-api-client`: its documented calls return the documented keys, and its errors are corrected."""

import hashlib
import pickle
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from clips import CLIP_BYTES
from tiktok_adapters.compat import HTTPError, TikTok
from tiktok_adapters.simulator import DEFAULT_CLIENT_SECRET, App, SimulatedTikTok, parse_fault
from tiktok_adapters.simulator.server import SandboxServer
from tiktok_core import OutcomeUnknown, SignInRequired, TikTokError
from tiktok_core.errors import GrantRejected, StateMismatch

KEY, CALLBACK = "sbawexample", "https://your-app.com/callback"
VIDEO_URL = "https://media.example.com/video.mp4"
PHOTOS = ["https://media.example.com/photo1.jpg", "https://media.example.com/photo2.webp"]
ENVELOPE = {"data", "error"}


@pytest.fixture
def sim(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedTikTok]:
    """Yield a sandbox, served at the address in the environment variables."""
    app = App(client_key=KEY, redirect_uris=(CALLBACK, "http://127.0.0.1:*/callback/"), kind="both")
    sim = SimulatedTikTok(apps=[app])
    with closing(sim), SandboxServer(sim).run_in_thread() as server:
        monkeypatch.setenv("TIKTOK_API_URL", server.url)
        monkeypatch.setenv("TIKTOK_AUTH_URL", f"{server.url}/v2/auth/authorize/")
        yield sim


@pytest.fixture
def tik(sim: SimulatedTikTok) -> Iterator[TikTok]:
    """Yield a client that has signed in."""
    with TikTok(client_key=KEY, client_secret=DEFAULT_CLIENT_SECRET, redirect_uri=CALLBACK) as tik:
        tik.exchange_code_for_token(code=answered(sim, tik)["code"])
        yield tik


@pytest.fixture
def clip(tmp_path: Path) -> str:
    """Return a small file that starts as an MP4 does."""
    path = tmp_path / "video.mp4"
    path.write_bytes(CLIP_BYTES)
    return str(path)


def answered(sim: SimulatedTikTok, tik: TikTok) -> dict[str, str]:
    """Consent on TikTok's page, and return the parameters that it sends back."""
    query = urlsplit(sim.authorize(tik.get_authorization_url())).query
    return {name: values[0] for name, values in parse_qs(query).items()}


# --- What is documented ------------------------------------------------------------------------------------------------


def test_signing_in_in_two_processes(sim: SimulatedTikTok) -> None:
    """One client opens the page; another, with its verifier and state, exchanges the code."""
    first = TikTok(
        client_key=KEY,
        client_secret=DEFAULT_CLIENT_SECRET,
        redirect_uri=CALLBACK,
        state={"user_id": "user1"},
        scopes=["video.publish", "user.info.basic"],
    )
    answer = answered(sim, first)
    assert sorted(answer["scopes"].split(",")) == ["user.info.basic", "video.publish"]
    second = TikTok(KEY, DEFAULT_CLIENT_SECRET, CALLBACK, state={"user_id": "user1"})
    second.code_verifier = first.code_verifier
    token_data = second.exchange_code_for_token(code=answer["code"], state=answer["state"])
    assert set(token_data) == {
        "access_token",
        "expires_in",
        "open_id",
        "refresh_expires_in",
        "refresh_token",
        "scope",
        "token_type",
    }
    assert set(second.token_data) == set(token_data)
    assert second.token_data["access_token"] == second.access_token == token_data["access_token"]
    first.close()
    second.close()


def test_tokens_are_renewed_and_ended(tik: TikTok) -> None:
    """Calls renew and revoke the kept token or a passed one; afterwards there are no tokens."""
    before = tik.refresh_token
    assert tik.refresh_access_token()["refresh_token"] != before
    again = tik.refresh_access_token(refresh_token=tik.refresh_token)
    assert tik.access_token == again["access_token"]
    assert tik.revoke_access_token() == {}
    assert tik.token_data == {}
    with pytest.raises(SignInRequired):
        tik.get_creator_info()


def test_the_creator_info_is_tiktoks_document(tik: TikTok) -> None:
    """The creator info has `data` and `error`, and all documented fields."""
    creator_info = tik.get_creator_info()
    assert set(creator_info) == ENVELOPE
    assert creator_info["error"]["code"] == "ok"
    assert set(creator_info["data"]) == {
        "creator_avatar_url",
        "creator_nickname",
        "creator_username",
        "privacy_level_options",
        "comment_disabled",
        "duet_disabled",
        "stitch_disabled",
        "max_video_post_duration_sec",
    }


def test_a_file_is_posted(tik: TikTok, sim: SimulatedTikTok, clip: str) -> None:
    """The answer names the post and its upload URL; when the call returns, TikTok has the bytes and a status."""
    response = tik.create_video(
        title="Hello World",
        source="FILE_UPLOAD",
        upload_type="POST_VIDEO_FILE",
        privacy_level="SELF_ONLY",
        video_path=clip,
        disable_comment=False,
        disable_duet=False,
        disable_stitch=False,
        video_cover_timestamp_ms=1000,
    )
    assert set(response) == {"initial_response", "final_response"}
    assert set(response["initial_response"]["data"]) == {"publish_id", "upload_url"}
    (post,) = sim.posts
    assert post.bytes_received == len(CLIP_BYTES)
    status = tik.check_upload_status(publish_id=response["initial_response"]["data"]["publish_id"])
    assert set(status) == ENVELOPE
    assert status["data"]["status"] in {"PROCESSING_UPLOAD", "PUBLISH_COMPLETE"}


def test_a_url_is_posted(tik: TikTok) -> None:
    """The answer is TikTok's document with the publish id."""
    response = tik.create_video(
        title="Remote Video",
        source="PULL_FROM_URL",
        upload_type="POST_VIDEO_URL",
        privacy_level="SELF_ONLY",
        video_url=VIDEO_URL,
    )
    assert set(response) == ENVELOPE
    assert set(response["data"]) == {"publish_id"}


@pytest.mark.parametrize(
    ("source", "upload_type"), [("PULL_FROM_URL", "UPLOAD_VIDEO_URL"), ("FILE_UPLOAD", "UPLOAD_VIDEO_FILE")]
)
def test_drafts_go_to_the_inbox(tik: TikTok, sim: SimulatedTikTok, clip: str, source: str, upload_type: str) -> None:
    """Both upload types that the documentation calls drafts are drafts."""
    media: dict[str, Any] = {"video_url": VIDEO_URL} if source == "PULL_FROM_URL" else {"video_path": clip}
    tik.create_video(title="hello", source=source, upload_type=upload_type, privacy_level="SELF_ONLY", **media)
    assert sim.count("inbox_init") == 1
    assert sim.count("video_init") == 0


@pytest.mark.parametrize("post_mode", ["DIRECT_POST", "MEDIA_UPLOAD"])
def test_photos_are_posted(tik: TikTok, sim: SimulatedTikTok, post_mode: str) -> None:
    """Photos go to the profile or to the inbox; the default cover is the first photo."""
    response = tik.create_photo(title="My Photos", post_mode=post_mode, privacy_level="SELF_ONLY", photo_images=PHOTOS)
    assert set(response) == {"photo_upload_response"}
    assert set(response["photo_upload_response"]["data"]) == {"publish_id"}
    assert len(sim.posts) == 1


# --- What is not kept -----------------------------------------------------------------------------------------------------


def test_the_page_is_asked_for_the_scopes_that_were_given(sim: SimulatedTikTok) -> None:
    """The URL joins the scopes with commas, as TikTok expects; the random state cannot be guessed."""
    with TikTok(KEY, DEFAULT_CLIENT_SECRET, CALLBACK, scopes=["user.info.basic", "video.upload"]) as tik:
        query = parse_qs(urlsplit(tik.get_authorization_url()).query)
        assert query["scope"] == ["user.info.basic,video.upload"]
        assert len(query["state"][0]) >= 43
        assert tik.get_authorization_url() == tik.get_authorization_url()
    with pytest.raises(ValueError, match="scope"):
        TikTok(KEY, DEFAULT_CLIENT_SECRET, CALLBACK, scopes=["everything"])


def test_a_challenge_for_a_loopback_redirect_is_hexadecimal(sim: SimulatedTikTok) -> None:
    """The challenge is hexadecimal, as TikTok requires for desktop apps; TikTok then accepts the code."""
    with TikTok(KEY, DEFAULT_CLIENT_SECRET, "http://127.0.0.1:4000/callback/") as tik:
        query = parse_qs(urlsplit(tik.get_authorization_url()).query)
        assert query["code_challenge"] == [hashlib.sha256(tik.code_verifier.encode()).hexdigest()]
        assert tik.exchange_code_for_token(answered(sim, tik)["code"])["token_type"] == "Bearer"


def test_a_wildcard_is_not_sent(sim: SimulatedTikTok) -> None:
    """TikTok accepts no asterisk as a port: the program has to set the port that it listens on."""
    with TikTok(KEY, DEFAULT_CLIENT_SECRET, "http://127.0.0.1:*/callback/") as tik:
        for wrong in (tik.redirect_uri, "https://elsewhere.example/"):
            tik.redirect_uri = wrong
            with pytest.raises(ValueError, match="with a port"):
                tik.get_authorization_url()
        tik.redirect_uri = "http://127.0.0.1:4000/callback/"
        assert tik.exchange_code_for_token(answered(sim, tik)["code"])["token_type"] == "Bearer"


def test_state_and_scopes_may_be_set_later(sim: SimulatedTikTok) -> None:
    """Scopes and state set before the page opens are sent and checked; invalid ones raise when they are set or used."""
    with TikTok(KEY, DEFAULT_CLIENT_SECRET, CALLBACK) as tik:
        tik.state, tik.scopes = {"user": 1}, ["user.info.basic"]
        answer = answered(sim, tik)
        assert (answer["state"], answer["scopes"]) == ('{"user":1}', "user.info.basic")
        with pytest.raises(StateMismatch):
            tik.exchange_code_for_token(answer["code"], state="")
        tik.exchange_code_for_token(answer["code"], state={"user": 1})
        with pytest.raises(ValueError, match="a dictionary that fits JSON"):
            tik.state = {"user": {1, 2}}
        assert tik.state == {"user": 1}
        tik.scopes = ["everything"]
        with pytest.raises(ValueError, match="scope"):
            tik.get_authorization_url()
    with pytest.raises(ValueError, match="a dictionary that fits JSON"):
        TikTok(KEY, DEFAULT_CLIENT_SECRET, CALLBACK, state={"user": {1, 2}})


def test_a_wrong_refresh_token_costs_nothing(tik: TikTok, sim: SimulatedTikTok) -> None:
    """After a refused refresh token the kept tokens stay; an accepted one replaces them."""
    kept = tik.token_data
    with pytest.raises(SignInRequired):
        tik.refresh_access_token(refresh_token="rft.wrong")
    assert tik.token_data == kept
    assert tik.get_creator_info()["error"]["code"] == "ok"
    again = tik.refresh_access_token(refresh_token=kept["refresh_token"])
    assert (tik.access_token, tik.refresh_token) == (again["access_token"], again["refresh_token"])
    with TikTok(KEY, DEFAULT_CLIENT_SECRET, CALLBACK) as other:
        assert other.refresh_access_token(refresh_token=tik.refresh_token)["open_id"] == kept["open_id"]
        assert other.get_creator_info()["error"]["code"] == "ok"


def test_a_wrong_video_is_refused_before_it_is_sent(tik: TikTok, sim: SimulatedTikTok) -> None:
    """This module checks videos before the post, too."""
    wrong = Path(__file__).parents[1] / "media" / "15fps.mp4"
    with pytest.raises(ValueError, match="15 a second"):
        tik.create_video("FILE_UPLOAD", "POST_VIDEO_FILE", "", "SELF_ONLY", video_path=str(wrong))
    assert sim.count("video_init") == 0


@pytest.mark.parametrize("state", ["", "mine", {"user": 1}])
def test_a_state_that_is_given_is_checked(sim: SimulatedTikTok, state: Any) -> None:
    """A forged state raises before the code is exchanged; the true state works as a text and as the dictionary."""
    with TikTok(KEY, DEFAULT_CLIENT_SECRET, CALLBACK, state=state) as tik:
        answer = answered(sim, tik)
        for forged in ("other", "", {"user": 2}):
            with pytest.raises(StateMismatch):
                tik.exchange_code_for_token(answer["code"], state=forged)
        assert sim.count("token") == 0
        tik.exchange_code_for_token(answer["code"], state=state or answer["state"])


def test_later_steps_work_with_tokens_from_outside(tik: TikTok, sim: SimulatedTikTok, clip: str) -> None:
    """Tokens work for every call if they are set together, set one by one, or passed to the call."""
    known = tik.token_data
    with TikTok(KEY, DEFAULT_CLIENT_SECRET, CALLBACK) as other:
        assert other.get_creator_info(access_token=known["access_token"])["error"]["code"] == "ok"
        assert other.token_data == {}
        other.access_token = known["access_token"]
        other.create_video("FILE_UPLOAD", "POST_VIDEO_FILE", "a", "SELF_ONLY", video_path=clip)
        other.token_data = {"access_token": known["access_token"], "refresh_token": known["refresh_token"]}
        assert other.refresh_access_token()["open_id"] == known["open_id"]
        other.create_video("FILE_UPLOAD", "POST_VIDEO_FILE", "b", "SELF_ONLY", video_path=clip)
    assert len(sim.posts) == 2


def test_a_dead_token_is_renewed_on_the_way(tik: TikTok, sim: SimulatedTikTok) -> None:
    """With a refresh token the client renews by itself; the program needs no timer."""
    sim.faults.add(parse_fault("creator_info=code:access_token_invalid"))
    before = tik.access_token
    assert tik.get_creator_info()["error"]["code"] == "ok"
    assert tik.access_token != before


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ({"source": "FILE"}, "source must be one of"),
        ({"upload_type": "POST_VIDEO_URL"}, "upload_type must be one of"),
        ({"video_path": None}, "video_path must be provided"),
        ({"video_path": "/no/such/file.mp4"}, "file"),
        ({"privacy_level": "EVERYBODY"}, "privacy"),
        ({"title": "x" * 2201}, "title"),
    ],
)
def test_what_cannot_be_posted_is_a_value_error(
    tik: TikTok, sim: SimulatedTikTok, clip: str, call: dict[str, Any], words: str
) -> None:
    """Wrong arguments raise with one sentence, before an init is sent."""
    right = {"source": "FILE_UPLOAD", "upload_type": "POST_VIDEO_FILE", "title": "", "privacy_level": "SELF_ONLY"}
    with pytest.raises(ValueError, match=words):
        tik.create_video(**{**right, "video_path": clip, **call})  # type: ignore[arg-type]
    assert sim.count("video_init") == 0


def test_what_cannot_be_posted_as_photos_is_a_value_error(tik: TikTok) -> None:
    """A wrong mode or cover, or a broken limit of TikTok, raises."""
    with pytest.raises(ValueError, match="post_mode must be one of"):
        tik.create_photo("POST", "", "SELF_ONLY", photo_images=PHOTOS)
    with pytest.raises(ValueError, match="photo_cover_index"):
        tik.create_photo("DIRECT_POST", "", "SELF_ONLY", photo_images=PHOTOS, photo_cover_index=3)
    with pytest.raises(ValueError, match="photo"):
        tik.create_photo("DIRECT_POST", "", "SELF_ONLY")


def test_errors_are_the_documented_classes(tik: TikTok, sim: SimulatedTikTok) -> None:
    """Refusals raise `HTTPError` with the typed error as the cause; OAuth errors are typed already."""
    sim.faults.add(parse_fault("creator_info=code:spam_risk_too_many_posts"))
    with pytest.raises(HTTPError, match="spam_risk_too_many_posts") as refused:
        tik.get_creator_info()
    assert isinstance(refused.value.__cause__, TikTokError)
    with pytest.raises(GrantRejected):
        tik.exchange_code_for_token("no such code")
    sim.faults.add(parse_fault("photo_init=drop-after"))
    with pytest.raises(OutcomeUnknown):
        tik.create_photo("DIRECT_POST", "", "SELF_ONLY", photo_images=PHOTOS)


def test_a_time_out_is_the_documented_class(sim: SimulatedTikTok) -> None:
    """A time-out raises Python's own `TimeoutError`."""
    with TikTok(KEY, DEFAULT_CLIENT_SECRET, CALLBACK, timeout=0.2) as tik:
        tik.access_token = "act.any"
        sim.faults.add(parse_fault("creator_infox9=slow:2"))
        with pytest.raises(TimeoutError):
            tik.get_creator_info()


def test_secrets_do_not_show(tik: TikTok) -> None:
    """Secrets appear neither in a repr nor in a pickle."""
    assert str(tik.access_token) not in repr(tik)
    assert DEFAULT_CLIENT_SECRET not in repr(tik)
    with pytest.raises(TypeError):
        pickle.dumps(tik)
