"""Creator info, the inits, status, cancel, drafts, caps and quotas."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from example_counts import at_most
from tiktok_adapters.simulator import API_URL, App, Creator
from tiktok_adapters.simulator.checks import UNAUDITED
from tiktok_adapters.simulator.publishing import PHOTO_TITLE
from tiktok_core.wire.http import Request

JSON = {"Content-Type": "application/json; charset=UTF-8"}


def test_main_job(play: Any) -> None:
    """A video with `SELF_ONLY` is processed, completes, and never gets a public id."""
    begun = play.video(100)
    assert begun.data["publish_id"].startswith("v_pub_file~v2-1.")
    assert begun.data["upload_url"].startswith("https://open-upload.tiktokapis.com/video/?upload_id=")
    assert len(begun.data["publish_id"]) <= 64
    assert len(begun.data["upload_url"]) <= 256
    publish_id = play.upload(begun)
    assert play.status(publish_id).data["status"] == "PROCESSING_UPLOAD"
    play.clock.advance(2)
    assert play.status(publish_id).data == {
        "status": "PUBLISH_COMPLETE",
        "publicaly_available_post_id": [],
        "uploaded_bytes": 100,
    }
    play.clock.advance(3600)
    assert play.status(publish_id).data["publicaly_available_post_id"] == []


def test_envelope(play: Any) -> None:
    """Every answer has the envelope, and its log id is a time stamp and hexadecimal digits."""
    error = play.video().document["error"]
    assert (error["code"], error["message"]) == ("ok", "")
    assert len(error["log_id"]) == 34
    assert error["log_id"].startswith(f"{play.clock.now():%Y%m%d%H%M%S}")
    int(error["log_id"][14:], 16)


def test_creator_info(play: Any) -> None:
    """The privacy options depend on whether the account is private or public."""
    data = play.post("/v2/post/publish/creator_info/query/").data
    assert data["privacy_level_options"] == ["FOLLOWER_OF_CREATOR", "MUTUAL_FOLLOW_FRIENDS", "SELF_ONLY"]
    assert data["max_video_post_duration_sec"] == 300
    play.sim.creator.private = False
    data = play.post("/v2/post/publish/creator_info/query/", {}).data
    assert data["privacy_level_options"] == ["PUBLIC_TO_EVERYONE", "MUTUAL_FOLLOW_FRIENDS", "SELF_ONLY"]


@pytest.mark.parametrize(
    ("private", "chosen", "duet", "stitch"),
    [
        (True, {}, True, True),
        (False, {}, False, False),
        (True, {"duet_disabled": False}, False, True),
        (False, {"stitch_disabled": True}, False, True),
    ],
)
def test_a_private_creator_lets_nobody_duet_or_stitch(
    play: Any, private: bool, chosen: dict[str, bool], duet: bool, stitch: bool
) -> None:
    """Both are off on a private account and on with a public one, unless a test sets them."""
    play.sim.creator.private = private
    for name, value in chosen.items():
        setattr(play.sim.creator, name, value)
    data = play.post("/v2/post/publish/creator_info/query/").data
    assert (data["comment_disabled"], data["duet_disabled"], data["stitch_disabled"]) == (False, duet, stitch)


# --- Every documented code -----------------------------------------------------------------------------------------

CREATOR_INFO = "/v2/post/publish/creator_info/query/"


def _fill_day(play: Any) -> None:
    play.sim.creator.daily_posts = 1
    play.upload(play.video())


def _fill_users(play: Any) -> None:
    play.sim.switches.active_user_cap = 1
    play.sim.creators.append(Creator(open_id="-000other", username="other"))
    token = play.token("other")
    play.upload(play.video(token=token))


def _ban(play: Any) -> None:
    play.sim.creator.banned = True


def _scopes(*names: str) -> Callable[[Any], None]:
    def narrow(play: Any) -> None:
        play.tokens[""] = play.sign_in(scopes=names)

    return narrow


def _expire(play: Any) -> None:
    play.token()
    play.clock.advance(7_200)


def _repeat(times: int, call: Callable[[Any], Any]) -> Callable[[Any], None]:
    def spend(play: Any) -> None:
        for _ in range(times):
            call(play)

    return spend


def _public(play: Any) -> None:
    play.sim.creator.private = False


def _old_phone(play: Any) -> None:
    play.sim.creator.app_version = "31.7.9"


def _nothing(play: Any) -> None:
    return None


def _fault(text: str) -> Callable[[Any], None]:
    def add(play: Any) -> None:
        play.token()
        play.sim.faults.add(text)

    return add


def info(play: Any) -> Any:
    """Ask for creator info."""
    return play.post(CREATOR_INFO)


def elsewhere(play: Any) -> Any:
    """Pull from a host that the app does not own."""
    return play.pull("https://elsewhere.example/a.mp4")


SITUATIONS = [
    (200, "spam_risk_too_many_posts", _fill_day, info),
    (200, "spam_risk_user_banned_from_posting", _ban, info),
    (200, "reached_active_user_cap", _fill_users, info),
    (401, "access_token_invalid", _expire, info),
    (401, "scope_not_authorized", _scopes("user.info.basic", "video.upload"), info),
    (429, "rate_limit_exceeded", _repeat(20, info), info),
    (500, "internal_error", _fault("creator_info=code:internal_error"), info),
    (400, "invalid_params", _nothing, lambda play: play.video(title="x" * 2201)),
    (401, "access_token_invalid", _expire, lambda play: play.video()),
    (401, "scope_not_authorized", _scopes("video.upload"), lambda play: play.video()),
    (403, "spam_risk_too_many_posts", _fill_day, lambda play: play.video()),
    (403, "spam_risk_user_banned_from_posting", _ban, lambda play: play.video()),
    (403, "reached_active_user_cap", _fill_users, lambda play: play.video()),
    (403, "unaudited_client_can_only_post_to_private_accounts", _public, lambda play: play.video()),
    (
        403,
        "unaudited_client_can_only_post_to_private_accounts",
        _nothing,
        lambda play: play.video(privacy_level="PUBLIC_TO_EVERYONE"),
    ),
    (403, "url_ownership_unverified", _nothing, elsewhere),
    (403, "privacy_level_option_mismatch", _nothing, lambda play: play.video(privacy_level=None)),
    (400, "invalid_params", _nothing, lambda play: play.video(privacy_level="FRIENDS")),
    (400, "invalid_params", _nothing, lambda play: play.photos(post_info={"privacy_level": "FRIENDS"})),
    (
        403,
        "privacy_level_option_mismatch",
        lambda play: (setattr(play.sim.app, "audited", True), _public(play)),
        lambda play: play.video(privacy_level="FOLLOWER_OF_CREATOR"),
    ),
    (429, "rate_limit_exceeded", _repeat(6, lambda play: play.video()), lambda play: play.video()),
    (500, "internal_error", _fault("init=code:internal_error"), lambda play: play.video()),
    (400, "invalid_params", _nothing, lambda play: play.draft(0)),
    (401, "access_token_invalid", _expire, lambda play: play.draft()),
    (401, "scope_not_authorized", _scopes("video.publish"), lambda play: play.draft()),
    (403, "spam_risk_too_many_pending_share", _repeat(5, lambda play: play.draft()), lambda play: play.draft()),
    (403, "spam_risk_user_banned_from_posting", _ban, lambda play: play.draft()),
    (
        403,
        "url_ownership_unverified",
        _nothing,
        lambda play: play.post(
            "/v2/post/publish/inbox/video/init/",
            {"source_info": {"source": "PULL_FROM_URL", "video_url": "https://elsewhere.example/a.mp4"}},
        ),
    ),
    (429, "rate_limit_exceeded", _repeat(6, lambda play: play.draft()), lambda play: play.draft()),
    (400, "invalid_params", _nothing, lambda play: play.photos(post_info={"title": "x" * (PHOTO_TITLE + 1)})),
    (
        400,
        "invalid_params",
        _nothing,
        lambda play: play.photos("MEDIA_UPLOAD", post_info={"title": "x" * (PHOTO_TITLE + 1)}),
    ),
    (400, "app_version_check_failed", _old_phone, lambda play: play.photos("MEDIA_UPLOAD")),
    (401, "access_token_invalid", _expire, lambda play: play.photos()),
    (401, "scope_not_authorized", _scopes("video.upload"), lambda play: play.photos()),
    (401, "scope_not_authorized", _scopes("video.publish"), lambda play: play.photos("MEDIA_UPLOAD")),
    (403, "spam_risk_too_many_posts", _fill_day, lambda play: play.photos()),
    (403, "spam_risk_user_banned_from_posting", _ban, lambda play: play.photos()),
    (
        403,
        "spam_risk_too_many_pending_share",
        _repeat(5, lambda play: play.draft()),
        lambda play: play.photos("MEDIA_UPLOAD"),
    ),
    (403, "reached_active_user_cap", _fill_users, lambda play: play.photos()),
    (403, "unaudited_client_can_only_post_to_private_accounts", _public, lambda play: play.photos()),
    (
        403,
        "url_ownership_unverified",
        lambda play: setattr(play.sim.app, "url_properties", ()),
        lambda play: play.photos(),
    ),
    (403, "privacy_level_option_mismatch", _nothing, lambda play: play.photos(post_info={"title": "x"})),
    (429, "rate_limit_exceeded", _repeat(6, lambda play: play.photos()), lambda play: play.photos()),
    (400, "invalid_publish_id", _nothing, lambda play: play.status("v_pub_file~v2-1.0")),
    (401, "access_token_invalid", _expire, lambda play: play.status("x")),
    (401, "scope_not_authorized", _scopes("user.info.basic"), lambda play: play.status("x")),
    (429, "rate_limit_exceeded", _repeat(30, lambda play: play.status("x")), lambda play: play.status("x")),
    (500, "internal_error", _fault("status=code:internal_error"), lambda play: play.status("x")),
    (400, "invalid_publish_id", _nothing, lambda play: play.cancel("x")),
    (400, "publish_not_cancellable", _nothing, lambda play: play.cancel(play.upload(play.video()))),
    (401, "access_token_invalid", _expire, lambda play: play.cancel("x")),
    (401, "scope_not_authorized", _scopes("user.info.basic"), lambda play: play.cancel("x")),
    (
        429,
        "rate_limit_exceeded",
        lambda play: play.sim.switches.flip({"cancel_per_minute": 0}),
        lambda play: play.cancel("x"),
    ),
    (401, "scope_not_authorized", _scopes("user.info.basic"), lambda play: play.get("/v2/user/info/?fields=username")),
    (
        400,
        "scope_permission_missed",
        lambda play: (play.token(), setattr(play.sim.app, "scopes", ("user.info.basic",))),
        lambda play: play.get("/v2/user/info/?fields=username"),
    ),
    (400, "invalid_params", _nothing, lambda play: play.get("/v2/user/info/")),
    (400, "invalid_params", _nothing, lambda play: play.post("/v2/video/list/?fields=id", {"max_count": 21})),
    (401, "scope_not_authorized", _scopes("video.upload"), lambda play: play.post("/v2/video/list/?fields=id", {})),
]


@pytest.mark.parametrize(("status", "code", "prepare", "call"), SITUATIONS)
def test_every_code_has_its_situation(play: Any, status: int, code: str, prepare: Any, call: Any) -> None:
    """Each endpoint sends each documented refusal in the situation that its page describes, with its HTTP status."""
    prepare(play)
    answer = call(play)
    assert (answer.status, answer.code) == (status, code)
    assert answer.document["data"] == {}


def test_publish_id_of_somebody_else(play: Any) -> None:
    """Status and cancel refuse the id of another creator's post."""
    play.sim.creators.append(Creator(open_id="-000other", username="other"))
    publish_id = play.pull().data["publish_id"]
    token = play.token("other")
    expected = "token_not_authorized_for_specified_publish_id"
    assert play.status(publish_id, token=token).code == expected
    assert play.cancel(publish_id, token=token).code == expected


def test_cancel_may_look_at_ownership(play: Any) -> None:
    """With a switch, cancel checks that the app owns the URL of the pull."""
    publish_id = play.pull().data["publish_id"]
    play.sim.app.url_properties = ()
    play.sim.switches.cancel_checks_ownership = True
    assert play.cancel(publish_id).code == "url_ownership_unverified"
    play.sim.switches.cancel_checks_ownership = False
    assert play.cancel(publish_id).code == "ok"


# --- Parameters ----------------------------------------------------------------------------------------------------


def _video_body(**changes: object) -> dict[str, object]:
    return {
        "post_info": {"privacy_level": "SELF_ONLY"},
        "source_info": {"source": "FILE_UPLOAD", "video_size": 9, "chunk_size": 9, "total_chunk_count": 1},
        **changes,
    }


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (_video_body(post_info={}), "The request post info is empty or incorrect"),
        (_video_body(post_info=None), "The request post info is empty or incorrect"),
        (_video_body(post_info={"title": 3}), "The request post info is empty or incorrect"),
        (_video_body(post_info={"privacy_level": "FRIENDS"}), "The request post info is empty or incorrect"),
        (_video_body(post_info={"title": "x" * 2201}), "The request post info is empty or incorrect"),
        (_video_body(source_info=None), "The request source info is empty or incorrect"),
        (_video_body(source_info={"source": "CARRIER_PIGEON"}), "The request source info is empty or incorrect"),
        (_video_body(post_info={"privacy_level": "SELF_ONLY", "disable_duet": "yes"}), "disable_duet"),
        (_video_body(source_info={"source": "PULL_FROM_URL", "video_url": "http://media.example.com/"}), "https"),
        (
            _video_body(
                source_info={"source": "FILE_UPLOAD", "video_size": "9", "chunk_size": 9, "total_chunk_count": 1}
            ),
            "video_size",
        ),
        (
            _video_body(
                source_info={
                    "source": "FILE_UPLOAD",
                    "video_size": 66_259_900,
                    "chunk_size": 66_259_900,
                    "total_chunk_count": 1,
                }
            ),
            "The chunk size is invalid",
        ),
        (
            _video_body(
                post_info={"privacy_level": "SELF_ONLY", "brand_content_toggle": True},
            ),
            "Branded content",
        ),
        ([], "object"),
    ],
)
def test_bad_video_parameters(play: Any, body: object, message: str) -> None:
    """The message names a bad parameter of a video, and no post begins."""
    answer = play.post("/v2/post/publish/video/init/", body)
    assert (answer.status, answer.code) == (400, "invalid_params")
    assert message in answer.document["error"]["message"]
    assert play.sim.posts == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"media_type": "VIDEO"},
        {"post_mode": "DIRECT POST"},
        {"is_aigc": "yes"},
        {"post_info": {"description": "x" * 4001, "privacy_level": "SELF_ONLY"}},
        {"source_info": {"source": "FILE_UPLOAD"}},
        {"source_info": {"source": "PULL_FROM_URL", "photo_images": [], "photo_cover_index": 0}},
        {"source_info": {"source": "PULL_FROM_URL", "photo_images": ["https://media.example.com/1"] * 36}},
        {"source_info": {"source": "PULL_FROM_URL", "photo_images": ["https://media.example.com/1"]}},
        {
            "source_info": {
                "source": "PULL_FROM_URL",
                "photo_images": ["https://media.example.com/1"],
                "photo_cover_index": 1,
            }
        },
    ],
)
def test_bad_photo_parameters(play: Any, changes: dict[str, object]) -> None:
    """A bad parameter of photos is refused."""
    assert play.photos(**changes).code == "invalid_params"
    assert play.sim.posts == ()


@pytest.mark.parametrize(("cover", "code"), [(0, "ok"), (1, "ok"), (-1, "invalid_params"), (True, "invalid_params")])
def test_the_cover_of_one_photo(play: Any, cover: object, code: str) -> None:
    """A client that counts photos from 1 passes where the switch says so; what is no index is refused in any case."""
    play.sim.switches.photo_cover = "any"
    source = {
        "source": "PULL_FROM_URL",
        "photo_images": ["https://media.example.com/1.jpg"],
        "photo_cover_index": cover,
    }
    assert play.photos(source_info=source).code == code


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"media_type": "VIDEO"}, "The request media_type or post_mode is invalid"),
        ({"media_type": None}, "The request media_type or post_mode is invalid"),
        ({"post_mode": "DIRECT POST"}, "The request media_type or post_mode is invalid"),
        ({"post_info": {}}, "The request post info is empty or incorrect"),
        ({"post_info": {"title": "x" * (PHOTO_TITLE + 1)}}, "The request post info is empty or incorrect"),
        ({"source_info": {"source": "FILE_UPLOAD"}}, "The request source info is empty or incorrect"),
        ({"source_info": None}, "The request source info is empty or incorrect"),
    ],
)
def test_the_three_sentences_about_photos(play: Any, changes: dict[str, object], sentence: str) -> None:
    """The message is the sentence that was observed for this fault."""
    answer = play.photos(**changes)
    assert (answer.status, answer.document["error"]["message"]) == (400, sentence)


def test_photos_have_their_ai_label_at_the_root(play: Any) -> None:
    """For photos `is_aigc` counts at the root of the body, for videos inside post_info."""
    play.photos(is_aigc=True)
    play.photos(post_info={"privacy_level": "SELF_ONLY", "is_aigc": True})
    play.video(is_aigc=True)
    assert [post.is_aigc for post in play.sim.posts] == [True, False, True]


def test_unknown_members_are_tolerated(play: Any) -> None:
    """TikTok ignores unknown members."""
    assert play.post("/v2/post/publish/video/init/", _video_body(new="thing")).code == "ok"


def test_title_length_counts_utf16(play: Any) -> None:
    """A caption may have 2200 UTF-16 units; an emoji takes two."""
    assert play.video(title="😀" * 1100).code == "ok"
    assert play.video(title="😀" * 1100 + "x").code == "invalid_params"


@pytest.mark.parametrize(
    ("switches", "status", "code", "data"),
    [
        ({}, 400, "invalid_params", {"data": {}}),
        ({"param_spelling": "invalid_param"}, 400, "invalid_param", {"data": {}}),
        ({"failure_data": "absent"}, 400, "invalid_params", {}),
        ({"failure_data": "null"}, 400, "invalid_params", {"data": None}),
        ({"long_title_code": "title_too_long"}, 400, "title_too_long", {"data": {}}),
    ],
)
def test_spelling_of_failures(play: Any, switches: dict[str, Any], status: int, code: str, data: Any) -> None:
    """The switches decide the spelling of a failure."""
    play.sim.switches.flip(switches)
    answer = play.video(title="x" * 2201)
    document = dict(answer.document)
    error = document.pop("error")
    assert (answer.status, error["code"], document) == (status, code, data)


def test_switches_of_a_post(play: Any) -> None:
    """The switches choose each point about a post that the documents leave open."""
    hidden = {"brand_content_toggle": True}
    assert play.video(**hidden).code == "invalid_params"
    play.sim.switches.brand_self_only = "accept"
    assert play.video(**hidden).code == "ok"
    play.sim.switches.brand_toggles = "required"
    assert play.video(**hidden).code == "invalid_params"
    assert play.draft(post_info={"title": "x"}).code == "ok"
    play.sim.switches.inbox_post_info = "refuse"
    assert play.draft(post_info={"title": "x"}).code == "invalid_params"
    play.sim.switches.video_draft_min_version = "99.0"
    assert play.draft().code == "app_version_check_failed"
    play.sim.switches.flip({"caps_status": 200, "privacy_mismatch_code": "privacy_level_not_authorized"})
    assert play.video(privacy_level=None, brand_content_toggle=False, brand_organic_toggle=False).code == (
        "privacy_level_not_authorized"
    )
    play.sim.creator.banned = True
    refused = play.photos("MEDIA_UPLOAD")
    assert (refused.status, refused.code) == (200, "spam_risk_user_banned_from_posting")


def test_audited_app_posts_publicly(play: Any) -> None:
    """An audited app posts to a public account; the id comes after moderation, as a number of 19 digits, and is listed."""
    play.sim.app.audited, play.sim.creator.private = True, False
    publish_id = play.upload(play.video(privacy_level="PUBLIC_TO_EVERYONE", title="hello"))
    play.clock.advance(2)
    assert play.status(publish_id).data["publicaly_available_post_id"] == []
    play.clock.advance(30)
    (post_id,) = play.status(publish_id).data["publicaly_available_post_id"]
    assert len(str(post_id)) == 19
    videos = play.post("/v2/video/list/?fields=id,title,create_time", {}).data
    assert [video["id"] for video in videos["videos"]] == [str(post_id)]
    assert videos["has_more"] is False
    queried = play.post("/v2/video/query/?fields=title", {"filters": {"video_ids": [str(post_id), "1"]}}).data
    assert queried["videos"] == [{"title": "hello"}]


@pytest.mark.parametrize(
    ("shape", "spell"),
    [("numbers", lambda i: [i]), ("strings", lambda i: [str(i)]), ("scalar", lambda i: i), ("missing", lambda i: None)],
)
def test_shapes_of_the_id_list(play: Any, shape: str, spell: Any) -> None:
    """The list of ids comes in every shape that was observed."""
    play.sim.app.audited, play.sim.creator.private = True, False
    play.sim.switches.status_ids = shape
    publish_id = play.upload(play.video(privacy_level="PUBLIC_TO_EVERYONE"))
    play.clock.advance(60)
    (post_id,) = play.sim.post(publish_id).post_ids
    assert play.status(publish_id).data.get("publicaly_available_post_id") == spell(post_id)


@settings(deadline=None, max_examples=at_most(25))
@given(count=st.integers(0, 45), page=st.integers(1, 20))
def test_pages_hold_every_video_once(new_play: Callable[[], Any], count: int, page: int) -> None:
    """Following the cursor gives every public video once, newest first, even those of one instant."""
    play = new_play()
    play.sim.app.audited, play.sim.creator.private, play.sim.creator.daily_posts = True, False, 1000
    for number in range(count):
        if number % 6 == 5:
            play.clock.advance(61)
        play.upload(play.video(12, privacy_level="PUBLIC_TO_EVERYONE", title=str(number)), 12)
    play.clock.advance(60)
    seen, body, more = [], {"max_count": page}, True
    while more:
        data = play.post("/v2/video/list/?fields=id,create_time", body).data
        seen += data["videos"]
        body, more = {"max_count": page, "cursor": data["cursor"]}, data["has_more"]
    assert len({video["id"] for video in seen}) == len(seen) == count
    assert [video["create_time"] for video in seen] == sorted((video["create_time"] for video in seen), reverse=True)


def test_publish_ids_are_spelled_as_on_the_wire(play: Any) -> None:
    """Each call has the prefix that was observed; the ids of a pull and of a photo draft differ from the documents' samples."""
    pulled = {"source": "PULL_FROM_URL", "video_url": "https://media.example.com/a.mp4"}
    begun = [
        play.video(),
        play.pull(),
        play.draft(),
        play.post("/v2/post/publish/inbox/video/init/", {"source_info": pulled}),
        play.photos(),
        play.photos("MEDIA_UPLOAD"),
    ]
    assert [answer.data["publish_id"].partition(".")[0] for answer in begun] == [
        "v_pub_file~v2-1",
        "v_pub_url~v2-1",
        "v_inbox_file~v2",
        "v_inbox_url~v2",
        "p_pub_url~v2",
        "p_inbox_url~v2",
    ]


@pytest.mark.parametrize(
    ("switches", "word", "spell"),
    [
        ({}, "DIRECT_PUBLISH", str),
        ({"webhook_publish_type": "DIRECT_POST", "webhook_post_id": "number"}, "DIRECT_POST", int),
    ],
)
def test_webhooks_name_a_direct_post_and_its_id_as_on_the_wire(
    play: Any, switches: dict[str, Any], word: str, spell: Callable[[int], object]
) -> None:
    """The way of posting is `DIRECT_PUBLISH` and the id a string; switches spell them in the other ways."""
    play.sim.switches.flip(switches)
    play.sim.app.audited, play.sim.creator.private = True, False
    publish_id = play.upload(play.video(privacy_level="PUBLIC_TO_EVERYONE"))
    play.clock.advance(60)
    contents = [json.loads(json.loads(delivery.body)["content"]) for delivery in play.sim.webhooks()]
    assert {content["publish_type"] for content in contents} == {word}
    (post_id,) = play.sim.post(publish_id).post_ids
    assert contents[-1]["post_id"] == spell(post_id)


@pytest.mark.parametrize(("switch", "is_renewed"), [("renewed", True), ("kept", False)])
def test_a_webhook_that_nobody_answered_comes_again(play: Any, switch: str, is_renewed: bool) -> None:
    """Each comes again with the same bytes; the switch says whether its signature and time are new. New ones do not come so."""
    play.sim.switches.webhook_retry_stamp = switch
    assert play.sim.webhooks(again=True) == ()
    play.upload(play.video())
    play.clock.advance(60)
    first = play.sim.webhooks()
    play.clock.advance(600)
    again = play.sim.webhooks(again=True)
    assert [one.body for one in again] == [one.body for one in first] != []
    assert [one != other for one, other in zip(first, again, strict=True)] == [is_renewed] * len(first)
    assert play.sim.webhooks(App(client_key="aw2", client_secret="s"), again=True) == ()


@pytest.mark.parametrize(("switch", "codes"), [("levels", ["invalid_params", "ok"]), ("all", [UNAUDITED, UNAUDITED])])
def test_the_rule_of_unaudited_apps_may_come_first(play: Any, switch: str, codes: list[str]) -> None:
    """One record has it for a video without `post_info` and for a draft of photos. An audited app never meets it."""
    play.sim.switches.unaudited_scope = switch
    bare = {"source_info": play.source(100)}
    posts = (lambda: play.post("/v2/post/publish/video/init/", bare), lambda: play.photos("MEDIA_UPLOAD"))
    assert [post().code for post in posts] == codes
    play.sim.app.audited = True
    assert [post().code for post in posts] == ["invalid_params", "ok"]


# --- Life ----------------------------------------------------------------------------------------------------------


def test_pull(play: Any) -> None:
    """A pull downloads, is processed, and completes by itself."""
    publish_id = play.pull().data["publish_id"]
    assert publish_id.startswith("v_pub_url~v2-1.")
    play.clock.advance(2)
    data = play.status(publish_id).data
    assert (data["status"], data["downloaded_bytes"]) == ("PROCESSING_DOWNLOAD", 2_500_000)
    assert "uploaded_bytes" not in data
    play.clock.advance(4)
    assert play.status(publish_id).data["status"] == "PUBLISH_COMPLETE"


def test_cancel_stops_a_download_only(play: Any) -> None:
    """Cancel stops a pull while it downloads, has no effect while it is processed, and is refused afterwards."""
    early, late = play.pull().data["publish_id"], play.pull().data["publish_id"]
    answer = play.cancel(early)
    assert set(answer.document) == {"error"}
    assert play.status(early).data["fail_reason"] == "publish_cancelled"
    assert play.cancel(early).code == "publish_not_cancellable"
    play.clock.advance(5)
    assert play.cancel(late).code == "ok"
    play.clock.advance(5)
    assert play.status(late).data["status"] == "PUBLISH_COMPLETE"


def test_draft(play: Any) -> None:
    """A draft reaches the inbox and waits; the creator may post it more than once."""
    publish_id = play.upload(play.draft())
    with pytest.raises(ValueError, match="inbox"):
        play.sim.finish_draft(publish_id)
    play.clock.advance(2)
    assert play.status(publish_id).data["status"] == "SEND_TO_USER_INBOX"
    play.sim.finish_draft(publish_id, public=True)
    play.sim.finish_draft(publish_id, public=True)
    play.sim.finish_draft(publish_id)
    assert play.status(publish_id).data["status"] == "PUBLISH_COMPLETE"
    play.clock.advance(30)
    assert len(play.status(publish_id).data["publicaly_available_post_id"]) == 2


def test_draft_may_vanish(play: Any) -> None:
    """With a switch the creator can finish a draft for a limited time; a direct post can never be finished."""
    play.sim.switches.draft_seconds = 100
    publish_id = play.upload(play.draft())
    play.clock.advance(100)
    with pytest.raises(ValueError, match="no longer"):
        play.sim.finish_draft(publish_id)
    with pytest.raises(ValueError, match="not a draft"):
        play.sim.finish_draft(play.upload(play.video()))


def test_a_finished_draft_frees_its_place(play: Any) -> None:
    """The sixth draft is refused until one is posted or a day has passed."""
    ids = [play.upload(play.draft()) for _ in range(5)]
    play.clock.advance(61)
    assert play.draft().code == "spam_risk_too_many_pending_share"
    play.sim.finish_draft(ids[0])
    assert play.draft().code == "ok"
    assert play.draft().code == "spam_risk_too_many_pending_share"
    play.clock.advance(86_400)
    play.tokens.clear()
    assert play.draft().code == "ok"


def test_an_expired_draft_frees_its_place(play: Any) -> None:
    """With a switch the inbox drops drafts after some time, and then the next one is taken."""
    for _ in range(5):
        play.upload(play.draft())
    play.clock.advance(100)
    assert play.draft().code == "spam_risk_too_many_pending_share"
    play.sim.switches.draft_seconds = 100
    assert play.draft().code == "ok"


def test_daily_cap_frees_after_a_day(play: Any) -> None:
    """Posts count for 24 hours, and inits that never got their bytes do not count."""
    play.sim.creator.daily_posts = 1
    assert play.video().code == "ok"
    play.upload(play.video())
    assert play.video().code == "spam_risk_too_many_posts"
    play.clock.advance(86_400)
    play.tokens.clear()
    assert play.video().code == "ok"


def test_daily_cap_is_checked_again_when_the_bytes_are_there(play: Any) -> None:
    """Of two simultaneous posts, only as many succeed as the cap allows."""
    play.sim.creator.daily_posts = 1
    both = [play.video(), play.video()]
    first, second = (play.upload(begun) for begun in both)
    play.clock.advance(2)
    assert play.sim.post(first).status == "PUBLISH_COMPLETE"
    assert play.sim.post(second).fail_reason == "spam_risk_too_many_posts"


def test_a_fresh_publish_id_may_be_unknown_for_a_moment(play: Any) -> None:
    """With a switch the first status calls of a post say that there is no such id, although there is."""
    play.sim.switches.status_unknown_polls = 2
    publish_id = play.pull().data["publish_id"]
    assert [play.status(publish_id).code for _ in range(3)] == ["invalid_publish_id", "invalid_publish_id", "ok"]


def test_the_title_of_a_video_draft_may_survive(play: Any) -> None:
    """TikTok documents no `post_info` for a video draft; with a switch its title alone is kept."""
    info = {"title": "kept", "privacy_level": "SELF_ONLY"}
    for kept, title in (("ignore", ""), ("title", "kept")):
        play.sim.switches.inbox_post_info = kept
        post = play.sim.post(play.draft(post_info=info).data["publish_id"])
        assert (post.title, post.privacy_level) == (title, "")


def test_a_publish_id_may_be_forgotten(play: Any) -> None:
    """With a switch the status of a publish_id can be fetched for a limited time."""
    publish_id = play.pull().data["publish_id"]
    play.sim.switches.publish_id_seconds = 50
    play.clock.advance(50)
    assert play.status(publish_id).code == "invalid_publish_id"


def test_failed_post_in_short(play: Any) -> None:
    """The status call succeeds for a failed post; with a switch its answer has only two fields."""
    play.token()
    play.sim.faults.add("init=fail:picture_size_check_failed")
    publish_id = play.photos().data["publish_id"]
    play.clock.advance(60)
    assert play.status(publish_id).data["publicaly_available_post_id"] == []
    play.sim.switches.failed_body = "short"
    assert play.status(publish_id).data == {"status": "FAILED", "fail_reason": "picture_size_check_failed"}


# --- Quotas --------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=at_most(60))
@given(pauses=st.lists(st.sampled_from([0.0, 0.5, 5.0, 9.5, 20.0, 59.0, 60.0]), max_size=40))
def test_quota_slides(new_play: Callable[[], Any], pauses: list[float]) -> None:
    """With any spacing of calls, at most six succeed in a minute, and none is refused below the quota."""
    play = new_play()
    play.sim.creator.daily_posts = 1000
    play.token()
    good: list[float] = []
    now = 0.0
    for pause in pauses:
        play.clock.advance(pause)
        now += pause
        recent = sum(now - at < 60 for at in good)
        answer = play.video()
        assert answer.code == ("ok" if recent < 6 else "rate_limit_exceeded")
        if answer.code == "ok":
            good.append(now)


def test_buckets(play: Any) -> None:
    """Each init has its own quota; with a switch they share one; with another the answer says how long to wait."""
    for _ in range(6):
        play.photos()
    assert play.video().code == "ok"
    assert "retry-after" not in play.photos().headers
    play.sim.switches.flip({"init_buckets": "shared", "retry_after": True})
    for _ in range(6):
        assert play.photos().code == "ok"
    play.clock.advance(18.5)
    refused = play.video()
    assert (refused.code, refused.headers["retry-after"]) == ("rate_limit_exceeded", "42")


def test_tokens_have_quotas_of_their_own(play: Any) -> None:
    """A quota counts per access token."""
    for _ in range(7):
        last = play.video()
    assert last.code == "rate_limit_exceeded"
    assert play.video(token=play.sign_in()["access_token"]).code == "ok"


@pytest.mark.parametrize(("whose", "code"), [("token", "ok"), ("app", "rate_limit_exceeded")])
def test_library_quota(play: Any, whose: str, code: str) -> None:
    """A switch counts the 600 calls of user info per token or per app, because the documents leave that open."""
    play.sim.switches.library_quota = whose
    path = "/v2/user/info/?fields=open_id"
    for _ in range(600):
        assert play.get(path).code == "ok"
    assert play.get(path, token=play.sign_in()["access_token"]).code == code


# --- Other calls ---------------------------------------------------------------------------------------------------


def test_user_info(play: Any) -> None:
    """User info returns the requested fields; with a switch it leaves out those beyond the scopes."""
    token = play.sign_in(scopes=["user.info.basic"])["access_token"]
    path = "/v2/user/info/?fields=open_id,display_name,username"
    play.sim.switches.field_scope = "omit"
    assert play.get(path, token=token).data == {
        "user": {"open_id": play.sim.creator.open_id, "display_name": "Maker One"},
    }
    assert play.get("/v2/user/info/?fields=profile_web_link").code == "invalid_params"
    play.sim.switches.profile_web_link = True
    assert play.get("/v2/user/info/?fields=profile_web_link").data["user"]["profile_web_link"].endswith("@maker_one")


def test_the_avatar_that_stands_in_no_table_is_answered(play: Any) -> None:
    """`avatar_url_200` is accepted, and has a URL; another unknown field is refused."""
    assert play.get("/v2/user/info/?fields=avatar_url_200").data["user"]["avatar_url_200"].startswith("https://")
    assert play.get("/v2/user/info/?fields=avatar_url_300").code == "invalid_params"


@pytest.mark.parametrize("wrong", ["v_pub_file~v2-1.7300000000000000001", "", "1.5", "²", None, [1]])
def test_a_query_by_publish_id_is_refused_because_an_id_is_an_integer(play: Any, wrong: object) -> None:
    """An id that is no integer spoils the whole query; with a switch only its answer is missing."""
    path, body = "/v2/video/query/?fields=id", {"filters": {"video_ids": ["7300000000000000099", wrong]}}
    answer = play.post(path, body)
    assert (answer.status, answer.code) == (400, "invalid_params")
    assert answer.document["error"]["message"] == "The video id must be an integer"
    play.sim.switches.query_ids = "any"
    assert play.post(path, body).data == {"videos": []}


@pytest.mark.parametrize(("spelling", "spell"), [("strings", str), ("numbers", int)])
def test_ids_of_videos_may_be_numbers(play: Any, spelling: str, spell: Callable[[int], object]) -> None:
    """List and query spell ids as documented, or with a switch as bare numbers; both spellings may be asked for."""
    play.sim.switches.video_ids = spelling
    play.sim.app.audited, play.sim.creator.private = True, False
    publish_id = play.upload(play.video(privacy_level="PUBLIC_TO_EVERYONE"))
    play.clock.advance(60)
    (post_id,) = play.sim.post(publish_id).post_ids
    assert play.post("/v2/video/list/?fields=id", {}).data["videos"] == [{"id": spell(post_id)}]
    for asked in (str(post_id), post_id):
        queried = play.post("/v2/video/query/?fields=id", {"filters": {"video_ids": [asked]}}).data
        assert queried["videos"] == [{"id": spell(post_id)}]


@pytest.mark.parametrize("path", ["/v2/user/info", "/v2/post/publish/video/init", "/v2/nothing/", "/nothing"])
def test_unknown_paths(play: Any, path: str) -> None:
    """Every documented path ends in a slash, and no other path exists."""
    assert play.post(path, {}).status == 404


def test_hosts_share_no_paths(play: Any) -> None:
    """Each of TikTok's hosts has its own paths."""
    for url in ("https://www.tiktok.com/v2/oauth/token/", "https://open.tiktokapis.com/v2/auth/authorize/"):
        assert play.sim.handle(Request(method="POST", url=url)).status == 404


def test_methods_and_content_types(play: Any) -> None:
    """The wrong method is refused with 405, the wrong content type and broken JSON as bad parameters."""
    assert play.post("/v2/user/info/?fields=open_id").status == 405
    bearer = {"Authorization": f"Bearer {play.token()}"}
    url = f"{API_URL}/v2/post/publish/status/fetch/"
    for headers, body in [
        ({"Content-Type": "text/plain"}, b"{}"),
        (JSON, b"{"),
        (JSON, b"\xff"),
        (JSON, b"[" * 100_000),
    ]:
        answer = play.send(Request(method="POST", url=url, headers={**bearer, **headers}, body=body))
        assert (answer.status, answer.code) == (400, "invalid_params")
    big = json.dumps({"publish_id": "x" * (1 << 20)}).encode()
    assert play.sim.handle(Request(method="POST", url=url, headers={**bearer, **JSON}, body=big)).status == 413


def test_apps_are_kept_apart(play: Any, second_app: App) -> None:
    """Another app's token does not see this app's posts."""
    publish_id = play.pull().data["publish_id"]
    code = play.code(client_key=second_app.client_key)
    token = play.exchange(code, client_key=second_app.client_key, client_secret="other-secret").document
    assert play.status(publish_id, token=token["access_token"]).code == "token_not_authorized_for_specified_publish_id"


def test_switches_refuse_what_they_do_not_have(play: Any) -> None:
    """A misspelt switch or value is refused, and no switch changes."""
    for values in (
        {"no_such": 1},
        {"mb": "metric"},
        {"retry_after": "yes", "mb": "binary"},
        {"processing_seconds": -1},
        {"processing_seconds": float("inf")},
        {"pending_cap": True},
    ):
        with pytest.raises(ValueError, match=r"no such switch|takes"):
            play.sim.switches.flip(values)
    assert play.sim.switches.mb == "strict"
    with pytest.raises(ValueError, match="mb"):
        play.sim.switches.mb = "metric"


def test_a_public_video_can_be_embedded(play: Any) -> None:
    """The site's oEmbed needs no token; what is not public is not there."""
    play.sim.app.audited, play.sim.creator.private = True, False
    publish_id = play.upload(play.video(title="A door", privacy_level="PUBLIC_TO_EVERYONE"))

    def asked(url: str, **more: str) -> Any:
        query = urlencode({"url": url, **more})
        return play.send(Request(method="GET", url=f"https://www.tiktok.com/oembed?{query}"))

    assert asked("https://www.tiktok.com/@maker_one/video/1").status == 404
    play.clock.advance(60)
    (post_id,) = play.sim.post(publish_id).post_ids
    page = f"https://www.tiktok.com/@maker_one/video/{post_id}"
    shown = asked(f"{page}?lang=en").document
    assert (shown["type"], shown["title"], shown["author_name"]) == ("video", "A door", "Maker One")
    assert page in shown["html"]
    assert asked(page, format="xml").status == 501
    assert play.send(Request(method="GET", url=f"{API_URL}/oembed?url={page}")).status == 404
