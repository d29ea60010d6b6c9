"""`doctor` finds each obstacle to a post, and says what to change and where."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from tiktok_adapters import connect
from tiktok_adapters.assembly import token_file
from tiktok_adapters.cli import doctor as room
from tiktok_adapters.simulator import Creator, SimulatedTikTok, parse_fault
from tiktok_adapters.stores.sqlite import SqliteTokenStore
from tiktok_adapters.transports.fake import FakeTransport
from tiktok_core import App, Endpoints
from tiktok_core.ports import Request, Response

CHECKS = [
    "settings",
    "redirect URI",
    "store",
    "proxy",
    "certificates",
    "TikTok's API",
    "clock",
    "sign-in",
    "scopes",
    "creator",
    "account",
    "posts of the last day",
    "upload host",
]
PORTAL = "TikTok's developer portal, Manage apps, your app, "
CREDENTIALS = f'{PORTAL}"App details": "Client key" and "Client secret"'
REDIRECTS = f'{PORTAL}Login Kit: "Redirect URI"'
SCOPES = f'{PORTAL}"Products" and "Scopes"'
AUDIT = "developers.tiktok.com/application/content-posting-api"


def examined(cli: Any, *arguments: str, env: dict[str, str] | None = None) -> tuple[int, dict[str, dict[str, str]]]:
    """Run the command; return its status and the findings by check."""
    done = cli("doctor", "--json", *arguments, env=env)
    document = json.loads(done.stdout)
    assert document["can_post"] == (done.exit_code == 0)
    assert set(CHECKS) == {finding["check"] for finding in document["findings"]}
    return done.exit_code, {finding["check"]: finding for finding in document["findings"]}


@pytest.mark.usefixtures("signed_in")
def test_all_is_well(cli: Any) -> None:
    """The command runs every check, in the order in which a post needs them, and finds no trouble."""
    status, found = examined(cli)
    assert status == 0
    assert list(found) == CHECKS
    assert {finding["verdict"] for finding in found.values()} == {"fine"}
    assert "client_key from TIKTOK_CLIENT_KEY" in found["settings"]["message"]
    assert "Desktop" in found["redirect URI"]["message"]
    assert "Login Kit" in found["redirect URI"]["where"]


@pytest.mark.usefixtures("signed_in")
def test_people_get_lines(cli: Any) -> None:
    """For a person each check is a mark and a sentence, and below it what to change."""
    done = cli("doctor")
    assert done.exit_code == 0
    assert "+ creator: maker_one may post now; videos up to 300 s" in done.stdout


@pytest.mark.usefixtures("signed_in")
def test_the_private_hosts_of_media_are_shown(cli: Any, environ: dict[str, str]) -> None:
    """Where the setting allows some, a finding lists them; a word that names no host is sent to its place."""
    done = cli("doctor", env=environ | {"TIKTOK_MEDIA_HOSTS": "minio.local:9000,10.0.0.5"})
    assert (
        "+ media hosts: videos are read from minio.local:9000, 10.0.0.5 also where that is a private address"
        in done.stdout
    )
    wrong = cli("doctor", env=environ | {"TIKTOK_MEDIA_HOSTS": "https://minio.local"})
    assert wrong.exit_code == 2
    assert "'https://minio.local' is no host: write media.example.com or 10.0.0.5:8443" in wrong.stdout
    assert "TIKTOK_MEDIA_HOSTS" in wrong.stdout


def test_missing_settings_are_named_with_their_place_in_the_portal(cli: Any) -> None:
    """The command names all wrong settings at once, and checks nothing else."""
    status, found = examined(cli, env={"TIKTOK_CLIENT_KEY": "", "TIKTOK_CLIENT_SECRET": ""})
    assert status == 2
    assert "developer portal" in found["settings"]["message"]
    assert found["settings"]["where"] == CREDENTIALS
    assert {finding["verdict"] for name, finding in found.items() if name != "settings"} == {"not looked at"}


def test_the_key_of_a_sandbox_is_pointed_out(cli: Any, environ: dict[str, str]) -> None:
    """If the key looks like a sandbox's, the command says that only target users can sign in."""
    assert "target users" in examined(cli, env={"TIKTOK_CLIENT_KEY": "sbawexample"})[1]["settings"]["message"]
    away = {"TIKTOK_CLIENT_KEY": "awexample", "TIKTOK_API_URL": "https://unreachable.invalid"}
    assert "once TikTok has approved the app" in examined(cli, env=away)[1]["settings"]["message"]


@pytest.mark.usefixtures("signed_in")
def test_nobody_answers(cli: Any) -> None:
    """Without a network the API and the upload host are in trouble; the checks of the home folder still run."""
    status, found = examined(cli, env={"TIKTOK_API_URL": "http://127.0.0.1:1"})
    assert status == 5
    assert [name for name, finding in found.items() if finding["verdict"] == "trouble"] == [
        "TikTok's API",
        "creator",
        "upload host",
    ]
    assert found["sign-in"]["verdict"] == "fine"
    assert found["clock"]["verdict"] == "not looked at"


def test_nobody_is_signed_in(cli: Any) -> None:
    """If no account is signed in, the advice is one command."""
    status, found = examined(cli)
    assert status == 3
    assert found["sign-in"]["change"] == "Sign in: tiktok login"
    assert found["creator"]["verdict"] == "not looked at"
    assert found["upload host"]["verdict"] == "fine"


@pytest.mark.parametrize(
    ("environment", "check", "change", "where"),
    [
        ({"TIKTOK_CLIENT_SECRET": ""}, "settings", "Copy it from your app's page", CREDENTIALS),
        ({"TIKTOK_REDIRECT_URI": ""}, "settings", "Register a redirect URI of this kind", REDIRECTS),
        ({"TIKTOK_STORE": "encrypted"}, "settings", "Give the key", "TIKTOK_STORE_KEY, or TIKTOK_STORE_KEY_FILE"),
        ({"TIKTOK_STORE": "drawer"}, "settings", "Choose one of the stores", "TIKTOK_STORE, or config.toml"),
        ({"TIKTOK_API_URL": "http://api.example.com"}, "settings", "Leave it out", "TIKTOK_API_URL, or config.toml"),
        ({"TIKTOK_AUTH_URL": "ftp://example.com"}, "settings", "Leave it out", "TIKTOK_AUTH_URL, or config.toml"),
        ({"TIKTOK_PROXY": "ftp://a"}, "settings", "Name an http proxy, or none", "TIKTOK_PROXY, or config.toml"),
        ({"all_proxy": "socks5://a"}, "settings", "Name an http proxy, or unset", "all_proxy"),
        ({"TIKTOK_CA_FILE": "/"}, "settings", "Name a file", "TIKTOK_CA_FILE, or config.toml"),
        ({"SSL_CERT_FILE": "/"}, "settings", "Name a file", "SSL_CERT_FILE"),
        ({"TIKTOK_LOG": "LOUD"}, "settings", "Correct it as the sentence says", "the environment, or config.toml"),
        ({"TIKTOK_KIND": "toaster"}, "settings", "Name the Login Kit platform", REDIRECTS),
    ],
)
def test_a_wrong_setting_is_sent_to_its_own_place(
    cli: Any, environment: dict[str, str], check: str, change: str, where: str
) -> None:
    """The advice names the place of each setting: the portal for the app's, this machine for the store's and for addresses."""
    status, found = examined(cli, env=environment)
    assert (status, found[check]["verdict"]) == (2, "trouble")
    assert found[check]["change"].startswith(change)
    assert found[check]["where"] == where


@pytest.mark.parametrize(
    ("uri", "kind", "words"),
    [
        ("http://127.0.0.1/callback/", "", "of a desktop app needs a port"),
        ("http://127.0.0.1:3455/callback/", "web", "of a web app must be an absolute https URL"),
        ("https://app.example.com/callback/", "desktop", "of a desktop app must be on localhost or 127.0.0.1"),
        ("https://app.example.com/callback/?a=1", "", "must not have a query"),
    ],
)
def test_a_redirect_uri_that_does_not_fit_its_kind_is_told(cli: Any, uri: str, kind: str, words: str) -> None:
    """A wrong redirect URI is a finding of its own, with the place in the portal where it is registered."""
    status, found = examined(cli, env={"TIKTOK_REDIRECT_URI": uri, "TIKTOK_KIND": kind})
    assert (status, found["redirect URI"]["verdict"]) == (2, "trouble")
    assert words in found["redirect URI"]["message"]
    assert found["redirect URI"]["where"] == REDIRECTS
    assert found["settings"]["verdict"] == "fine"
    assert found["sign-in"]["verdict"] == "not looked at"


def expire(environ: dict[str, str], account: str) -> Path:
    """Make the access token expire, and return its file."""
    past = datetime.now(UTC) - timedelta(hours=3)
    change_tokens(environ, account, issued_at=past, expires_at=past)
    app = App(environ["TIKTOK_CLIENT_KEY"], environ["TIKTOK_CLIENT_SECRET"], environ["TIKTOK_REDIRECT_URI"])
    return token_file(Path(environ["TIKTOK_HOME"]), app)


def test_a_wrong_client_secret_is_sent_to_the_portal(cli: Any, environ: dict[str, str], signed_in: str) -> None:
    """A wrong client secret shows when a token has to be renewed; neither the account nor the sign-in is at fault."""
    expire(environ, signed_in)
    status, found = examined(cli, env={"TIKTOK_CLIENT_SECRET": "canary-of-a-wrong-secret"})
    assert (status, found["sign-in"]["verdict"]) == (4, "trouble")
    assert "invalid_client" in found["sign-in"]["message"]
    assert found["sign-in"]["change"].startswith("Copy both again from TikTok's developer portal")
    assert found["sign-in"]["where"] == CREDENTIALS


def test_an_ended_token_and_no_network_is_no_reason_to_sign_in(
    cli: Any, environ: dict[str, str], signed_in: str
) -> None:
    """Without a network a sign-in cannot help: the advice is to fix the network."""
    expire(environ, signed_in)
    status, found = examined(cli, env={"TIKTOK_API_URL": "http://127.0.0.1:1"})
    assert (status, found["sign-in"]["verdict"]) == (5, "trouble")
    assert found["sign-in"]["change"].startswith("Check that this machine can reach TikTok")


def test_a_damaged_token_file_is_sent_to_the_file(cli: Any, environ: dict[str, str], signed_in: str) -> None:
    """The advice on a damaged file names the file, because another account would not help."""
    file = expire(environ, signed_in)
    file.write_bytes(b"junk" * 2_000)
    status, found = examined(cli)
    assert (status, found["sign-in"]["verdict"]) == (1, "trouble")
    assert found["sign-in"]["change"].startswith("Restore it from a backup")
    assert str(file) in found["sign-in"]["where"]


def test_a_damaged_journal_is_told(cli: Any, environ: dict[str, str], signed_in: str) -> None:
    """A damaged journal is a finding, not an error of the command."""
    (Path(environ["TIKTOK_HOME"]) / "journal.db").write_bytes(b"junk" * 2_000)
    status, found = examined(cli)
    assert (status, found["posts of the last day"]["verdict"]) == (1, "trouble")
    assert "journal.db" in found["posts of the last day"]["where"]
    assert found["upload host"]["verdict"] == "fine"


@pytest.mark.usefixtures("signed_in")
def test_a_record_that_cannot_be_read_is_a_warning(cli: Any, environ: dict[str, str]) -> None:
    """The advice names the command that lists such records, and the one that removes them."""
    assert cli("post", "photo", "https://media.example.com/1.jpg", "--privacy", "SELF_ONLY").exit_code == 0
    with closing(sqlite3.connect(Path(environ["TIKTOK_HOME"]) / "journal.db")) as journal, journal:
        journal.execute("UPDATE records SET record = x'7b7d'")
    status, found = examined(cli)
    assert (status, found["posts of the last day"]["verdict"]) == (0, "warning")
    assert "records that cannot be read: 1" in found["posts of the last day"]["message"]
    assert "--forget KEY" in found["posts of the last day"]["change"]


def test_several_accounts_have_to_be_chosen_from(cli: Any, sim: SimulatedTikTok, signed_in: str) -> None:
    """The advice to choose an account comes only if several are signed in."""
    sim.creators.append(Creator(open_id="-000Second", username="maker_two"))
    with connect(environ=cli.environ) as client:
        begun = client.authorization(redirect_uri="http://127.0.0.1:3455/callback/")
        client.sign_in(begun, sim.authorize(begun.url, account="maker_two"))
    status, found = examined(cli)
    assert (status, found["sign-in"]["verdict"]) == (2, "trouble")
    assert found["sign-in"]["change"] == "Choose one that 'tiktok accounts' lists."
    assert found["sign-in"]["where"] == "--account, or TIKTOK_ACCOUNT"
    assert examined(cli, "--account", signed_in)[0] == 0


def test_a_sign_in_that_is_refused_is_told(
    cli: Any, environ: dict[str, str], sim: SimulatedTikTok, signed_in: str
) -> None:
    """A refused refresh token is a warning while the access token is valid, and trouble afterwards."""
    change_tokens(environ, signed_in, is_refused=True)
    status, found = examined(cli)
    assert (status, found["sign-in"]["verdict"]) == (0, "warning")
    assert found["sign-in"]["change"] == "Sign in again: tiktok login"
    change_tokens(environ, signed_in, is_refused=True, expires_at=datetime.now(UTC))
    status, found = examined(cli)
    assert (status, found["sign-in"]["change"]) == (3, "Sign in: tiktok login")
    assert sim.count("token") == 1


@pytest.mark.parametrize(
    ("purpose", "scope"),
    [("post", "video.publish"), ("draft", "video.upload"), ("videos", "video.list"), ("whoami", "user.info.basic")],
)
def test_what_shall_be_done_says_which_scope_is_needed(
    cli: Any, environ: dict[str, str], signed_in: str, purpose: str, scope: str
) -> None:
    """With `--for`, a missing scope of that command is trouble, and its scope alone is enough."""
    everything = {"user.info.basic", "video.publish", "video.upload", "video.list"}
    change_tokens(environ, signed_in, scope=(scope,))
    assert examined(cli, "--for", purpose)[1]["scopes"]["verdict"] == "fine"
    change_tokens(environ, signed_in, scope=tuple(sorted(everything - {scope})))
    status, found = examined(cli, "--for", purpose)
    assert (status, found["scopes"]["verdict"]) == (3, "trouble")
    assert scope in found["scopes"]["message"]


def test_the_upload_host_of_the_documents_is_asked() -> None:
    """The check asks the documents' upload host, not the API's, without a token; a simulated TikTok is its own upload host."""
    asked: list[str] = []

    def handle(request: Request) -> Response:
        asked.append(request.url)
        return Response(404)

    for endpoints in (Endpoints(), Endpoints(api_url="http://127.0.0.1:8088")):
        assert room._upload_host(FakeTransport(handle), endpoints).verdict == "fine"
    assert asked == ["https://open-upload.tiktokapis.com/video/", "http://127.0.0.1:8088"]


@pytest.mark.parametrize(
    ("scope", "end"),
    [
        (("user.info.basic", "video.upload"), (0, "warning")),
        (("user.info.basic", "video.publish"), (0, "warning")),
        (("user.info.basic",), (3, "trouble")),
    ],
)
def test_what_was_not_granted_is_told(
    cli: Any, environ: dict[str, str], signed_in: str, scope: tuple[str, ...], end: tuple[int, str]
) -> None:
    """With neither scope nothing can be posted; with one of them, only drafts or only direct posts."""
    change_tokens(environ, signed_in, scope=scope)
    exit_code, found = examined(cli)
    assert (exit_code, found["scopes"]["verdict"]) == end
    assert found["scopes"]["where"] == SCOPES
    asked = found["scopes"]["change"].partition("tiktok login")[2].split()
    assert set(asked) - {"--scope"} == {"user.info.basic", "video.publish", "video.upload"}
    assert (found["creator"]["verdict"] == "not looked at") == ("video.publish" not in scope)


def change_tokens(environ: dict[str, str], account: str, **changes: Any) -> None:
    """Change the stored tokens of an account."""
    app = App(environ["TIKTOK_CLIENT_KEY"], environ["TIKTOK_CLIENT_SECRET"], environ["TIKTOK_REDIRECT_URI"])
    store = SqliteTokenStore(token_file(Path(environ["TIKTOK_HOME"]), app))
    tokens = store.load(account)
    assert tokens is not None
    store.save(account, evolve(tokens, **changes))
    store.close()


def test_a_sign_in_that_ends_soon_is_told(cli: Any, environ: dict[str, str], signed_in: str) -> None:
    """A sign-in that ends within 30 days is a warning."""
    change_tokens(environ, signed_in, refresh_expires_at=datetime.now(UTC) + timedelta(days=29))
    status, found = examined(cli)
    assert (status, found["sign-in"]["verdict"]) == (0, "warning")
    assert "before then" in found["sign-in"]["change"]


@pytest.mark.usefixtures("signed_in")
@pytest.mark.parametrize(
    ("code", "words", "advice"),
    [
        (
            "spam_risk_too_many_posts",
            "today's limit of posts",
            (
                "Try again after 24 hours. Posting by hand in the TikTok app still works.",
                "the TikTok app of the creator",
            ),
        ),
        (
            "spam_risk_user_banned_from_posting",
            "banned",
            ("Only the creator can resolve it with TikTok.", "the TikTok app of the creator"),
        ),
        (
            "reached_active_user_cap",
            "the number of people who may post through it in a day",
            ("Try again after 24 hours. The cap counts for the app, not for this account; the audit raises it.", AUDIT),
        ),
        (
            "scope_not_authorized",
            "scope",
            (
                "Sign in again and leave the scope ticked on TikTok's page; the scope must also be added to the app.",
                SCOPES,
            ),
        ),
        ("rate_limit_exceeded", "within a minute", ("Try again after a minute.", "")),
        ("never_heard_of", "never_heard_of", ("Send the log_id to TikTok's support.", "")),
    ],
)
def test_a_refusal_of_the_creator_info_is_explained(
    cli: Any, sim: SimulatedTikTok, code: str, words: str, advice: tuple[str, str]
) -> None:
    """Each refusal gets its advice and place, including the three that TikTok sends with HTTP 200."""
    sim.faults.add(parse_fault(f"creator_infox9=code:{code}@200"))
    status, found = examined(cli)
    assert (status, found["creator"]["verdict"]) == (3 if code == "scope_not_authorized" else 4, "trouble")
    assert words in found["creator"]["message"]
    assert (found["creator"]["change"], found["creator"]["where"]) == advice


@pytest.mark.usefixtures("signed_in")
def test_a_public_account_is_a_warning(cli: Any, sim: SimulatedTikTok) -> None:
    """A public account is a warning: TikTok does not say whether it audited the app."""
    sim.creators[0].private = False
    status, found = examined(cli)
    assert (status, found["account"]["verdict"]) == (0, "warning")
    assert "audited" in found["account"]["message"]
    assert "Private account" in found["account"]["where"]


@pytest.mark.usefixtures("signed_in")
def test_a_full_inbox_is_a_warning(cli: Any, film: Path) -> None:
    """After five drafts in a day the command warns that TikTok may refuse the sixth."""
    for number in range(5):
        assert cli("post", "video", str(film), "--draft", "--key", str(number)).exit_code == 0
    status, found = examined(cli)
    assert (status, found["posts of the last day"]["verdict"]) == (0, "warning")
    assert "5 of 5 drafts" in found["posts of the last day"]["message"]
    assert "the TikTok app" in found["posts of the last day"]["where"]


@pytest.mark.usefixtures("signed_in")
def test_a_post_of_unknown_outcome_is_a_warning(cli: Any, sim: SimulatedTikTok) -> None:
    """For an unknown outcome the advice is to look, and it names the command that records the result."""
    sim.faults.add(parse_fault("photo_init=drop-after"))
    assert cli("post", "photo", "https://media.example.com/1.jpg", "--privacy", "SELF_ONLY").exit_code == 6
    found = examined(cli)[1]["posts of the last day"]
    assert found["verdict"] == "warning"
    assert "--settle" in found["change"]


@pytest.mark.parametrize(
    ("behind", "verdict"),
    [(0, "fine"), (-50, "fine"), (90, "warning"), (-90, "warning"), (900, "trouble"), (-900, "trouble")],
)
def test_a_clock_that_is_wrong_is_told(behind: int, verdict: str) -> None:
    """The check compares with TikTok's Date header: one minute off is a warning, five minutes are trouble."""
    there = format_datetime(datetime.now(UTC) + timedelta(seconds=behind), usegmt=True)
    finding = room._clock(Response(status=401, headers={"date": there}), room.StoreClock())
    assert finding.verdict == verdict
    assert ("behind" if behind > 0 else "ahead of") in finding.message or behind == 0


@pytest.mark.parametrize("date", ["", "yesterday", "\N{SNOWMAN}"])
def test_a_date_that_cannot_be_read_is_no_trouble(date: str) -> None:
    """Without a readable Date the command says that it could not check the clock."""
    assert (
        room._clock(Response(status=401, headers={"date": date} if date else {}), room.StoreClock()).verdict
        == "not looked at"
    )


def test_nothing_is_left_behind_by_looking(cli: Any, environ: dict[str, str]) -> None:
    """If no account is signed in, the command does not make the home folder."""
    examined(cli)
    assert not Path(environ["TIKTOK_HOME"]).exists()
