"""The sandbox's own calls and page: other programs read and change the simulated world, and no secret leaves it."""

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from attrs import fields, fields_dict
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from example_counts import at_most
from tiktok_adapters.clocks import ManualClock
from tiktok_adapters.simulator import API_URL, App, Creator, SimulatedTikTok, Switches
from tiktok_adapters.simulator.control import PAGES
from tiktok_adapters.simulator.overview import described
from tiktok_adapters.simulator.switches import NUMBER, WHOLE, read_switch, values_of
from tiktok_adapters.simulator.world import Token
from tiktok_adapters.transports.fake import ConnectionDropped
from tiktok_core.wire.http import Request, Response

HERE = "http://127.0.0.1:8000"


@pytest.fixture
def ask(play: Any) -> Callable[..., Response]:
    """Send a request to the sandbox's own part; a dictionary goes as JSON, a list of pairs as a form."""

    def send(method: str, path: str, body: Any = b"") -> Response:
        if isinstance(body, dict):
            body = json.dumps(body).encode()
        elif isinstance(body, list):
            body = urlencode(body).encode()
        answer: Response = play.sim.handle(Request(method=method, url=HERE + path, headers={}, body=body))
        return answer

    return send


def told(answer: Response) -> Any:
    """Return the document of a good answer."""
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def test_a_program_adds_and_changes_creators(play: Any, ask: Any) -> None:
    """The username names one; a new name makes a new account, with which a person signs in at once."""
    before = told(ask("GET", "/_sandbox/creators"))
    assert [one["username"] for one in before] == ["maker_one"]
    told(ask("POST", "/_sandbox/creators", {"username": "maker_two", "private": False, "options": ["SELF_ONLY"]}))
    after = told(ask("POST", "/_sandbox/creators", {"username": "maker_one", "banned": True, "options": None}))
    assert [(one["username"], one["private"], one["banned"]) for one in after] == [
        ("maker_one", True, True),
        ("maker_two", False, False),
    ]
    assert play.sim.creators[1].options == ("SELF_ONLY",)
    assert play.sign_in("maker_two")["open_id"] == play.sim.creators[1].open_id


def test_a_program_adds_and_changes_apps(play: Any, ask: Any) -> None:
    """The client key names one. A secret goes in and never comes out. A change holds for those who are signed in."""
    token = play.token()
    secret = "canary-of-an-app"
    told(ask("POST", "/_sandbox/apps", {"client_key": "aw2", "client_secret": secret, "kind": "web"}))
    shown = ask("POST", "/_sandbox/apps", {"client_key": play.sim.app.client_key, "audited": True})
    assert [one["audited"] for one in told(shown)] == [True, False]
    assert not {secret, play.sim.app.client_secret} & set(str(told(shown)).replace("'", " ").split())
    assert play.sim.apps[1].client_secret == secret
    play.sim.creator.private = False
    assert play.video(token=token, privacy_level="PUBLIC_TO_EVERYONE").code == "ok"


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("creators", {"private": True}, "username is missing"),
        ("creators", {"username": "maker_one", "private": "false"}, 'private cannot be "false"'),
        ("creators", {"username": "maker_one", "privat": True}, "no field 'privat'; did you mean private?"),
        ("creators", {"username": "maker_one", "daily_posts": True}, "daily_posts cannot be true"),
        ("creators", {"username": "maker_two", "open_id": "-000SimulatedMakerOne00000000"}, "same open_id"),
        ("creators", {"username": 5}, "username cannot be 5"),
        ("apps", {"client_key": "aw2", "scopes": ["video.pubish"]}, "no scope video.pubish"),
        ("apps", {"client_key": "aw2", "redirect_uris": ["http://example.com/"]}, "http://example.com/"),
        ("apps", {"client_key": "aw2", "kind": "phone"}, "kind cannot be"),
        ("switches", {"mbb": "binary"}, "did you mean mb?"),
        ("switches", {"xyzzy": "binary"}, "no such switch: xyzzy; the sandbox's page lists them"),
        ("switches", {"mb": "metric"}, "mb takes strict, decimal or binary, not 'metric'"),
        ("switches", {"pending_cap": -1}, "pending_cap takes a whole number from 0, not -1"),
        ("creators", {"username": ""}, "'' is no username"),
        ("creators", {"username": "  "}, "'  ' is no username"),
        ("drafts", {"public": True}, "Write {"),
        ("drafts", {"publish_id": "p", "public": "yes"}, "Write {"),
    ],
)
def test_a_wrong_value_changes_nothing(play: Any, ask: Any, path: str, body: Any, said: str) -> None:
    """The answer is one sentence with status 400."""
    before = [ask("GET", f"/_sandbox/{name}").body for name in ("apps", "creators", "switches")]
    answer = ask("POST", f"/_sandbox/{path}", body)
    assert (answer.status, said in answer.body.decode()) == (400, True), answer.body
    assert [ask("GET", f"/_sandbox/{name}").body for name in ("apps", "creators", "switches")] == before


def test_a_creator_whose_open_id_was_changed_to_anothers_stays_as_it_was(play: Any, ask: Any) -> None:
    """Twins are refused, also by a change."""
    told(ask("POST", "/_sandbox/creators", {"username": "maker_two"}))
    answer = ask("POST", "/_sandbox/creators", {"username": "maker_two", "open_id": play.sim.creator.open_id})
    assert (answer.status, b"same open_id" in answer.body) == (400, True)
    assert play.sim.creators[1].open_id != play.sim.creator.open_id


def test_sign_ins_are_listed_and_ended(play: Any, ask: Any) -> None:
    """Each account is listed once for an app, however many tokens it has; ending it kills them."""
    first = play.sign_in()
    play.sign_in()
    (shown,) = told(ask("GET", "/_sandbox/sign-ins"))
    assert (shown["username"], shown["account"]) == ("maker_one", first["open_id"])
    assert set(shown["scopes"]) == set(first["scope"].split(","))
    assert ask("DELETE", "/_sandbox/sign-ins").status == 400
    assert ask("DELETE", "/_sandbox/sign-ins?account=nobody").status == 404
    assert told(ask("DELETE", "/_sandbox/sign-ins?account=maker_one")) == []
    assert play.video(token=first["access_token"]).code == "access_token_invalid"


def test_a_draft_is_posted_and_webhooks_are_given_out(play: Any, ask: Any) -> None:
    """Another program plays the creator and TikTok's sender of webhooks."""
    publish_id = play.upload(play.draft())
    play.clock.advance(60)
    assert ask("POST", "/_sandbox/drafts", {"publish_id": "v_inbox_file~v2.1"}).status == 404
    (post,) = told(ask("POST", "/_sandbox/drafts", {"publish_id": publish_id, "public": True}))
    assert post["status"] == "PUBLISH_COMPLETE"
    play.clock.advance(60)
    found = told(ask("POST", "/_sandbox/webhooks"))
    assert "post.publish.publicly_available" in {one["event"] for one in found}
    assert all(one["headers"]["TikTok-Signature"].startswith("t=") for one in found)
    assert told(ask("POST", "/_sandbox/webhooks")) == []
    assert [one["body"] for one in told(ask("POST", "/_sandbox/webhooks?again=on"))] == [one["body"] for one in found]


def test_a_reset_forgets_what_happened_and_keeps_what_was_set(play: Any, ask: Any) -> None:
    """Posts, sign-ins, requests and faults go; creators, apps and switches stay, and a person signs in anew."""
    old = play.token()
    play.upload(play.video())
    told(ask("POST", "/_sandbox/creators", {"username": "maker_two"}))
    play.sim.faults.add("put=drop-after")
    play.sim.switches.mb = "binary"
    assert told(ask("POST", "/_sandbox/reset")) == {}
    for name in ("posts", "log", "sign-ins", "faults"):
        assert told(ask("GET", f"/_sandbox/{name}")) == [], name
    assert (len(play.sim.creators), play.sim.switches.mb) == (2, "binary")
    assert play.video(token=old).code == "access_token_invalid"
    play.tokens.clear()
    assert play.video().code == "ok"


def test_the_log_says_what_tiktok_answered(play: Any, ask: Any) -> None:
    """Time, code, log id and the answer's own words; a lost answer has none of them."""
    play.sim.faults.add("init:2=drop-before")
    play.video(privacy_level="FRIENDS")
    with pytest.raises(ConnectionDropped):
        play.video()
    *_, refused, lost = told(ask("GET", "/_sandbox/log"))
    assert (refused["status"], refused["code"], refused["operation"]) == (400, "invalid_params", "video_init")
    assert refused["log_id"] in refused["answer"]
    assert refused["at"].startswith(f"{play.clock.now():%Y-%m-%dT}")
    assert (lost["status"], lost["code"], lost["log_id"], lost["answer"]) == (None, "", "", "")


def test_what_is_no_json_and_another_method_are_named(ask: Any) -> None:
    """Each is one sentence in our own words."""
    answer = ask("POST", "/_sandbox/switches", b"mb=binary")
    assert (answer.status, answer.body) == (400, b'The body must be a JSON object, such as {"mb": "binary"}.\n')
    answer = ask("PUT", "/_sandbox/faults")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, POST, DELETE")


def test_unknown_paths_are_answered_with_what_there_is(ask: Any) -> None:
    """A typing error needs no manual."""
    answer = ask("GET", "/_sandbox/switch")
    assert answer.status == 404
    assert [f"{method} {path}" for method, path in PAGES] == answer.body.decode().splitlines()[1:]


# --- The page --------------------------------------------------------------------------------------------------------


def test_each_button_of_the_page_does_what_it_says(play: Any, ask: Any) -> None:
    """Buttons are forms: they work without a script, and show the page again at their part."""
    sim = play.sim
    publish_id = play.upload(play.draft())
    play.clock.advance(10)
    for pairs in (
        [("fault", "init"), ("nth", "2"), ("what", "status"), ("detail", "503"), ("at", "faults")],
        [("switch", "processing_seconds"), ("value", "7.5")],
        [("switch", "retry_after"), ("value", "on")],
        [("switch", "access_seconds"), ("value", "none")],
        [("creator", "maker_one"), ("private", "off")],
        [("creator", "maker_one"), ("banned", "on")],
        [("app", sim.app.client_key), ("audited", "on")],
        [("app", sim.app.client_key), ("approved", "off")],
        [("draft", publish_id)],
        [("disconnect", "maker_one")],
    ):
        answer = ask("POST", "/", pairs)
        assert (answer.status, answer.headers["location"]) == (303, f"/#{dict(pairs).get('at', '')}"), answer.body
    assert [str(fault) for fault in sim.faults.pending] == ["init:2=status:503"]
    assert (sim.switches.processing_seconds, sim.switches.retry_after, sim.switches.access_seconds) == (7.5, True, None)
    assert (sim.creator.private, sim.creator.banned, sim.app.audited, sim.app.approved) == (False, True, True, False)
    assert (sim.post(publish_id).status, sim.sign_ins) == ("PUBLISH_COMPLETE", ())
    assert ask("POST", "/", [("no-faults", "1")]).status == 303
    assert sim.faults.pending == ()
    assert ask("POST", "/", [("reset", "1")]).status == 303
    assert sim.posts == ()


@pytest.mark.parametrize(
    ("pairs", "status"),
    [
        ([], 400),
        ([("fault", "init"), ("what", "nonsense")], 400),
        ([("switch", "mb"), ("value", "metric")], 400),
        ([("switch", "mbb"), ("value", "binary")], 400),
        ([("creator", "nobody"), ("private", "on")], 404),
        ([("app", "nothing"), ("audited", "on")], 404),
        ([("draft", "p")], 404),
        ([("disconnect", "nobody")], 404),
    ],
)
def test_a_form_that_is_no_button_changes_nothing(play: Any, ask: Any, pairs: Any, status: int) -> None:
    """What a page of ours would never send is refused with a sentence."""
    assert ask("POST", "/", pairs).status == status
    assert (play.sim.faults.pending, play.sim.switches) == ((), Switches())


def test_every_switch_is_on_the_page_with_a_sentence_and_its_values() -> None:
    """The page reads names and sentences from the docstring of the switches; each default is one of the shown values."""
    shown = {name: text for _group, switches in described() for name, text in switches}
    assert list(shown) == [one.name for one in fields(Switches)]
    assert all(text.endswith(".") for text in shown.values())


@given(st.data(), st.sampled_from([one.name for one in fields(Switches)]))
@settings(max_examples=at_most(200), deadline=None)
def test_a_switch_that_is_spelled_is_read_again(data: st.DataObject, name: str) -> None:
    """Each value that a switch takes has a word, and the word gives the value back."""
    values = values_of(name)
    free = {
        "": st.nothing(),
        "a text": st.text(max_size=10).map(str.strip).filter(lambda text: text.lower() not in values.words),
        WHOLE: st.integers(0, 10**9),
        NUMBER: st.integers(0, 10**9) | st.floats(0, 10**9),
    }[values.free]
    value = data.draw(st.sampled_from(list(values.words.values())) | free if values.words else free)
    read = read_switch(f"{name.replace('_', '-')}={values.spell(value)}")
    assert read == (name, value)
    Switches().flip(dict([read]))


@given(st.text())
@settings(max_examples=at_most(200), deadline=None)
def test_any_other_text_is_refused_in_one_sentence(text: str) -> None:
    """What is no switch is a `ValueError` with the text in it."""
    name = text.partition("=")[0].strip().lower().replace("-", "_")
    assume(name not in fields_dict(Switches))
    with pytest.raises(ValueError, match=re.escape(repr(text))):
        read_switch(text)


# --- Secrets ---------------------------------------------------------------------------------------------------------


@given(st.data())
@settings(max_examples=at_most(30), deadline=None)
def test_no_secret_stands_in_the_log_or_on_the_page(new_play: Callable[[], Any], data: st.DataObject) -> None:
    """Whatever was done and however it went: no token, code, secret, verifier, ticket or upload URL can be read there."""
    play = new_play()
    sim: SimulatedTikTok = play.sim
    sim.switches.flip(
        {
            "qr_code_in": data.draw(st.sampled_from(["redirect_uri", "code"])),
            "failure_data": data.draw(st.sampled_from(["empty", "absent", "null"])),
        }
    )
    for fault in data.draw(st.lists(st.sampled_from(["token:2=garbage", "init=code:spam_risk", "put=truncate"]))):
        sim.faults.add(fault)
    acts: dict[str, Callable[[], Any]] = {
        "sign in": play.sign_in,
        "refresh": lambda: play.refresh(play.sign_in().get("refresh_token", "")),
        "wrong code": lambda: play.exchange(play.code() + "x"),
        "upload": lambda: play.upload(play.video()),
        "draft": lambda: play.upload(play.draft()),
        "pull": lambda: play.pull("https://media.example.com/a.mp4?signature=canary-of-a-query"),
        "qr": lambda: _scanned(play),
        "client token": lambda: play.form("/v2/oauth/token/", grant_type="client_credentials"),
    }
    for name in data.draw(st.lists(st.sampled_from(sorted(acts)), min_size=1, max_size=6)):
        try:
            acts[name]()
        except (AssertionError, KeyError, TypeError, ConnectionDropped):
            continue  # a fault met it; what matters is what can be read afterwards
    world = sim.world
    secrets = {*world.codes, *world.tokens, *world.qr_codes, "canary-of-a-query", play.secret, play.verifier}
    secrets |= {one.ticket for one in world.qr_codes.values()} | {one.code for one in world.qr_codes.values()}
    secrets |= {task.upload.upload_token for task in world.tasks.values() if task.upload is not None}
    for method, path in PAGES:
        if method == "GET":
            shown = sim.handle(Request(method="GET", url=HERE + path, headers={})).body.decode()
            # Other programs get the URLs of a pull as they were sent, to compare them.
            hidden = secrets - {"canary-of-a-query"} if path == "/_sandbox/posts" else secrets
            assert [secret for secret in hidden if secret and secret in shown] == [], path


def _scanned(play: Any) -> None:
    drawn = play.form("/v2/oauth/get_qrcode/", scope="user.info.basic", state="s", client_secret=None).document
    play.sim.scan(drawn["scan_qrcode_url"].replace("tobefilled", "canary-of-a-ticket"))
    play.form("/v2/oauth/check_qrcode/", token=drawn["token"])


def test_a_sandbox_with_two_apps_shows_each_sign_in_apart() -> None:
    """An account that is signed in to two apps is listed for each."""
    sim = SimulatedTikTok(ManualClock(), apps=[App(), App(client_key="aw2", client_secret="s2", name="Other")])
    world, later = sim.world, sim.world.later(60)
    for number, app in enumerate(sim.apps):
        world.tokens[f"t{number}"] = _token(app, sim.creator, later)
    assert [(one.app, one.account == sim.creator.open_id) for one in sim.sign_ins] == [
        ("Sandbox App", True),
        ("Other", False),
    ]
    assert API_URL not in str(sim.shown())


def _token(app: App, creator: Creator, until: Any) -> Any:
    return Token(kind="access", app=app, creator=creator, scopes=("user.info.basic",), expires_at=until)
