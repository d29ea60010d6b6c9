"""Copies of the data in the simulator: its calls behave as TikTok's pages say."""

import io
import json
import zipfile
from typing import Any

import pytest

from tiktok_adapters.simulator import API_URL, DEFAULT_SCOPES
from tiktok_core.wire.http import Request

ADD, CHECK, CANCEL, DOWNLOAD = (f"/v2/user/data/{name}/" for name in ("add", "check", "cancel", "download"))
FIELDS = "?fields=request_id,apply_time,collect_time,status,data_format,category_selection_list"


def token(play: Any, *scopes: str) -> str:
    """Return a token with these `portability.*` scopes."""
    wanted = [f"portability.{scope}" for scope in scopes]
    play.sim.app.scopes = tuple(dict.fromkeys((*play.sim.app.scopes, *wanted)))
    answer = play.exchange(play.code(scope=",".join(["user.info.basic", *wanted])))
    return str(answer.document["access_token"])


def add(play: Any, access: str, *categories: str, data_format: object = "json") -> Any:
    """Ask for a copy."""
    body = {"data_format": data_format, "category_selection_list": list(categories)}
    return play.post(f"{ADD}?fields=request_id", body, token=access)


def about(play: Any, path: str, access: str, request_id: object) -> Any:
    """Check a copy."""
    return play.post(path, {"request_id": request_id}, token=access)


def download(play: Any, access: str, request_id: int) -> Any:
    """Download a copy; return the answer unchanged."""
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {access}"}
    body = json.dumps({"request_id": request_id}).encode()
    return play.sim.handle(Request(method="POST", url=API_URL + DOWNLOAD, headers=headers, body=body))


def test_a_copy_lives_as_its_page_says(play: Any, clock: Any) -> None:
    """A copy is pending, then ready for four days, then expired; the answers have the documented members."""
    access = token(play, "all.ongoing")
    begun = int(clock.now().timestamp())
    request_id = add(play, access, "activity", "all_data").data["request_id"]
    words = []
    for seconds in (599, 1, 345_599, 1):
        clock.advance(seconds)
        words.append(about(play, CHECK + FIELDS, token(play, "all.ongoing"), request_id).data["status"])
    assert words == ["pending", "downloading", "downloading", "expired"]
    assert about(play, CHECK + FIELDS, token(play, "all.ongoing"), request_id).data == {
        "request_id": request_id,
        "apply_time": begun,
        "collect_time": begun,
        "status": "expired",
        "data_format": "json",
        "category_selection_list": ["all_data"],
    }


@pytest.mark.parametrize(
    ("scopes", "categories", "is_taken"),
    [
        (("activity.single",), ("activity",), True),
        (("activity.single",), ("activity", "video"), False),
        (("activity.single",), ("all_data",), False),
        (("postsandprofile.ongoing",), ("video", "profile"), True),
        (("directmessages.ongoing", "activity.single"), ("direct_message", "activity"), True),
        (("all.single",), ("direct_message", "video"), True),
        ((), ("profile",), False),
    ],
)
def test_each_category_needs_its_scope(
    play: Any, scopes: tuple[str, ...], categories: tuple[str, ...], is_taken: bool
) -> None:
    """Each category needs exactly the scopes in the table of TikTok's add page."""
    assert (add(play, token(play, *scopes), *categories).code == "ok") is is_taken


def test_a_one_time_scope_is_spent(play: Any) -> None:
    """As in the documents' example, a request uses up `all` first, and the rest allows one more request."""
    access = token(play, "all.single", "activity.single")
    assert add(play, access, "activity", "video").code == "ok"
    assert add(play, access, "video").code == "scope_not_authorized"
    assert add(play, access, "activity").code == "ok"
    assert add(play, access, "activity").code == "scope_not_authorized"
    lasting = token(play, "activity.ongoing", "all.single")
    assert [add(play, lasting, "activity").code for _ in range(3)] == ["ok"] * 3
    assert [add(play, lasting, "video").code for _ in range(2)] == ["ok", "scope_not_authorized"]


@pytest.mark.parametrize(
    "changes",
    [
        {"category_selection_list": []},
        {"category_selection_list": "profile"},
        {"category_selection_list": ["likes"]},
        {"data_format": "xml"},
        {"data_format": None},
    ],
)
def test_a_bad_request_is_refused_in_the_documented_shape(play: Any, changes: dict[str, object]) -> None:
    """A refusal names the HTTP status in its error, and has that status, or 200 with a switch."""
    access = token(play, "all.single")
    body = {"data_format": "json", "category_selection_list": ["profile"], **changes}
    for switch, status in (("told", 400), ("200", 200)):
        play.sim.switches.data_failure_status = switch
        answer = play.post(f"{ADD}?fields=request_id", body, token=access)
        assert (answer.status, answer.code, answer.document["error"]["http_status_code"]) == (
            status,
            "invalid_params",
            400,
        )
        assert answer.data == {}
    assert play.post(ADD, body, token=access).code == "invalid_params"
    assert add(play, access, "profile").code == "ok"


@pytest.mark.parametrize("path", [CHECK + FIELDS, CANCEL, DOWNLOAD])
@pytest.mark.parametrize("request_id", [1, "1", None, True])
def test_a_wrong_id_is_refused_in_the_documents_words(play: Any, path: str, request_id: object) -> None:
    """An unknown request id, and one that is not a number, are refused."""
    answer = about(play, path, token(play, "all.ongoing"), request_id)
    assert answer.document["error"]["message"] == "Incorrect `request_id`. Please validate the request."


def test_another_app_has_no_copy_of_it(play: Any, second_app: Any) -> None:
    """An app cannot use another app's request id."""
    request_id = add(play, token(play, "all.ongoing"), "profile").data["request_id"]
    second_app.scopes = (*DEFAULT_SCOPES, "portability.all.ongoing")
    play.client_key, play.secret = second_app.client_key, second_app.client_secret
    assert about(play, CANCEL, token(play), request_id).code == "invalid_params"


def test_an_archive_is_a_zip(play: Any) -> None:
    """The archive has a file for each category in the requested format; switches set its size and its type."""
    play.sim.switches.data_seconds = 0
    access = token(play, "all.ongoing")
    request_id = add(play, access, "profile", "activity", data_format="text").data["request_id"]
    answer = download(play, access, request_id)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/zip")
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        assert archive.namelist() == ["profile.txt", "activity.txt"]
        assert play.sim.creator.username in archive.read("profile.txt").decode()
    play.sim.switches.data_bytes, play.sim.switches.data_media_type = 100_000, "application/octet-stream"
    larger = download(play, access, request_id)
    assert len(larger.body) > 100_000
    assert larger.headers["content-type"] == "application/octet-stream"
    assert download(play, access, 1).headers["content-type"] == "application/octet-stream"


def test_a_ready_copy_is_told_by_webhook(play: Any, clock: Any) -> None:
    """One webhook comes when a copy is ready, none for a cancelled one. A switch leaves the user out, as the sample does."""
    access = token(play, "all.ongoing")
    first, second = (add(play, access, "profile").data["request_id"] for _ in range(2))
    assert about(play, CANCEL, access, second).document.keys() == {"error"}
    assert play.sim.webhooks() == ()
    clock.advance(600)
    (told,) = play.sim.webhooks()
    document = json.loads(told.body)
    assert (told.event, json.loads(document["content"])) == ("portability.download.ready", {"request_id": first})
    assert document["user_openid"] == play.sim.creator.open_id
    assert play.sim.webhooks() == ()
    play.sim.switches.webhook_data_user = "absent"
    assert add(play, access, "profile").code == "ok"
    clock.advance(600)
    assert "user_openid" not in json.loads(play.sim.webhooks()[-1].body)


def test_direct_messages_are_spelled_both_ways(play: Any) -> None:
    """A switch spells the category of direct messages as the table does, or as the sample answer does."""
    access = token(play, "all.ongoing")
    request_id = add(play, access, "direct_message").data["request_id"]
    for spelling in ("direct_message", "direct_messages"):
        play.sim.switches.data_spelling = spelling
        answer = about(play, CHECK + FIELDS, access, request_id)
        assert answer.data["category_selection_list"] == [spelling]


def test_a_thousand_calls_a_minute(play: Any, clock: Any) -> None:
    """Each call has its quota; the next call is refused until the minute has passed."""
    access = token(play, "all.ongoing")
    request_id = add(play, access, "profile").data["request_id"]
    codes = {about(play, CHECK + FIELDS, access, request_id).code for _ in range(1000)}
    assert codes == {"ok"}
    refused = about(play, CHECK + FIELDS, access, request_id)
    assert (refused.status, refused.code) == (429, "rate_limit_exceeded")
    assert about(play, CANCEL, access, request_id).code == "ok"
    clock.advance(60)
    assert about(play, CHECK + FIELDS, access, request_id).code == "ok"


def test_it_is_asked_by_post_only(play: Any) -> None:
    """The call takes POST only, as TikTok's pages say."""
    assert play.get(CHECK + FIELDS, token=token(play, "all.ongoing")).status == 405
