"""The commands about accounts, and the options that are allowed everywhere."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import evolve

from tiktok_adapters import connect
from tiktok_adapters.assembly import load_settings, token_file
from tiktok_adapters.simulator import Creator, SimulatedTikTok
from tiktok_adapters.stores.sqlite import SqliteTokenStore
from tiktok_core.domain.display import USER_FIELDS


@pytest.mark.parametrize("arguments", [("--json", "accounts"), ("accounts", "--json")])
def test_accounts_lists_no_token(arguments: tuple[str, ...], cli: Any, signed_in: str) -> None:
    """The document has the four fields, wherever --json stands."""
    result = cli(*arguments)
    assert result.exit_code == 0, result.stderr
    (account,) = json.loads(result.stdout)["accounts"]
    assert list(account) == ["open_id", "scope", "expires_at", "refresh_expires_at"]
    assert (account["open_id"], account["scope"]) == (signed_in, "user.info.basic,video.publish,video.upload")


@pytest.mark.parametrize(("days", "word"), [(-1, "ended"), (29, "ends")])
def test_a_sign_in_that_ends_soon_is_told(
    days: int, word: str, cli: Any, signed_in: str, environ: dict[str, str]
) -> None:
    """From 30 days before a sign-in ends, `accounts` also says on standard error who has to sign in again."""
    settings = load_settings({}, environ)
    end = datetime.now(UTC) + timedelta(days=days)
    with closing(SqliteTokenStore(token_file(settings.home, settings.app()))) as store:
        tokens = store.load(signed_in)
        assert tokens is not None
        store.save(signed_in, evolve(tokens, refresh_expires_at=end))
    result = cli("accounts", "--json")
    assert len(json.loads(result.stdout)["accounts"]) == 1
    assert f"The sign-in of {signed_in} {word} on {end:%Y-%m-%d}; sign in again" in result.stderr


def test_a_refused_sign_in_is_told(cli: Any, signed_in: str, sim: SimulatedTikTok) -> None:
    """Once TikTok has refused a refresh token, `accounts` says so."""
    sim.disconnect(signed_in)
    assert cli("refresh").exit_code == 3
    assert f"no longer accepts the refresh token of {signed_in}; sign in again" in cli("accounts").stderr


def test_what_cannot_be_read_can_be_forgotten(cli: Any, signed_in: str, environ: dict[str, str]) -> None:
    """The error about a damaged record names its account and keeps the record; `logout --forget` deletes it by name."""
    settings = load_settings({}, environ)
    with closing(sqlite3.connect(token_file(settings.home, settings.app()))) as connection, connection:
        connection.execute("UPDATE tokens SET record = x'7b'")
    for command in (("accounts",), ("logout", signed_in), ("whoami",)):
        done = cli(*command, "--json")
        error = json.loads(done.stdout)["error"]
        assert (done.exit_code, error["type"], error["code"]) == (1, "StoreError", "damaged")
        assert signed_in in error["message"]
    assert cli("logout", "--forget").exit_code == 2
    assert (
        cli("logout", "--forget", signed_in).stdout
        == f"{signed_in} is forgotten on this machine only; its tokens stay valid at TikTok\n"
    )
    assert json.loads(cli("accounts", "--json").stdout) == {"accounts": []}


def test_nobody_is_an_empty_list(cli: Any, tmp_path: Any) -> None:
    """Before the first sign-in the list is empty, and the command makes no folder."""
    assert json.loads(cli("accounts", "--json").stdout) == {"accounts": []}
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("place", ["before", "after"])
def test_home_may_stand_before_and_after(place: str, cli: Any, signed_in: str, tmp_path: Any) -> None:
    """--home wins over TIKTOK_HOME wherever it stands."""
    option = ["--home", str(tmp_path / "home")]
    arguments = [*option, "accounts"] if place == "before" else ["accounts", *option]
    assert signed_in in cli(*arguments, env={"TIKTOK_HOME": str(tmp_path / "elsewhere")}).stdout


def test_whoami_and_creator_use_tiktoks_names(cli: Any, signed_in: str) -> None:
    """Documents have the field names of TikTok's documents."""
    who = json.loads(cli("whoami", "--json").stdout)
    assert (who["open_id"], who["display_name"]) == (signed_in, "Maker One")
    info = json.loads(cli("creator", "--json").stdout)
    assert info["creator_username"] == "maker_one"
    assert info["privacy_level_options"] == ["FOLLOWER_OF_CREATOR", "MUTUAL_FOLLOW_FRIENDS", "SELF_ONLY"]
    assert info["max_video_post_duration_sec"] == 300
    assert "privacy_level_options: FOLLOWER_OF_CREATOR, " in cli("creator").stdout


def test_whoami_shows_the_fields_that_were_chosen(cli: Any, sim: SimulatedTikTok, environ: dict[str, str]) -> None:
    """`whoami` shows every field that the scopes allow, or only the named ones; it refuses unknown and ungranted fields."""
    scopes = ["user.info.basic", "user.info.profile", "user.info.stats"]
    with connect(environ=environ) as client:
        asked = client.authorization(scopes, redirect_uri="http://127.0.0.1:3455/callback/")
        client.sign_in(asked, sim.authorize(asked.url))
    whole = json.loads(cli("whoami", "--json").stdout)
    assert whole.keys() == USER_FIELDS.keys()
    chosen = json.loads(cli("whoami", "--field", "username", "--field", "follower_count", "--json").stdout)
    assert chosen == {name: whole[name] for name in ("username", "follower_count")}
    unknown = cli("whoami", "--field", "email")
    assert (unknown.exit_code, "'email' is not one of" in unknown.stderr) == (2, True)
    with connect(environ=environ) as client:
        asked = client.authorization(["user.info.basic"], redirect_uri="http://127.0.0.1:3455/callback/")
        client.sign_in(asked, sim.authorize(asked.url))
    assert json.loads(cli("whoami", "--json").stdout).keys() < whole.keys()
    assert cli("whoami", "--field", "username").exit_code == 3


def test_refresh_renews(cli: Any, sim: SimulatedTikTok, signed_in: str) -> None:
    """`refresh` asks TikTok once and keeps the new tokens."""
    before = sim.count("token")
    assert json.loads(cli("refresh", "--json").stdout)["open_id"] == signed_in
    assert sim.count("token") == before + 1
    assert cli("whoami").exit_code == 0


def test_refresh_all_renews_every_account_even_after_one_fails(
    cli: Any, sim: SimulatedTikTok, signed_in: str, environ: dict[str, str]
) -> None:
    """The document names the renewed accounts and the failed ones; the exit status is the worst."""
    sim.creators.append(Creator(open_id="-000Second", username="maker_two", nickname="Maker Two"))
    with connect(environ=environ) as client:
        asked = client.authorization(redirect_uri="http://127.0.0.1:3455/callback/")
        client.sign_in(asked, sim.authorize(asked.url, account="maker_two"))
    both = json.loads(cli("refresh", "--all", "--json").stdout)
    assert {one["open_id"] for one in both["accounts"]} == {signed_in, "-000Second"}
    sim.disconnect(signed_in)
    result = cli("refresh", "--all", "--json")
    document = json.loads(result.stdout)
    assert result.exit_code == 3
    assert [one["open_id"] for one in document["accounts"]] == ["-000Second"]
    assert [(one["open_id"], one["error"]["type"]) for one in document["failed"]] == [(signed_in, "SignInRequired")]


def test_refresh_all_without_accounts_says_so(cli: Any) -> None:
    """There is nothing to renew, which is no error."""
    result = cli("refresh", "--all")
    assert result.exit_code == 0
    assert "tiktok login" in result.stdout


@pytest.mark.parametrize("named", [True, False])
def test_logout_revokes_and_forgets(named: bool, cli: Any, sim: SimulatedTikTok, signed_in: str) -> None:
    """After a logout TikTok has ended the sign-in and the tokens are gone."""
    result = cli("logout", signed_in, "--json") if named else cli("logout", "--json")
    assert json.loads(result.stdout) == {"open_id": signed_in}, result.output
    assert sim.count("revoke") == 1
    assert json.loads(cli("accounts", "--json").stdout) == {"accounts": []}
    assert cli("whoami").exit_code == 3


@pytest.mark.usefixtures("signed_in")
def test_logout_mistakes_no_account_for_an_option(cli: Any) -> None:
    """`logout` takes an open_id that begins with a dash as a whole, and still refuses a misspelt option."""
    assert "-000have needs a sign-in" in cli("logout", "-000have").stderr
    assert cli("logout", "--al").exit_code == 2


def test_several_accounts_want_a_name(cli: Any, sim: SimulatedTikTok, signed_in: str, environ: dict[str, str]) -> None:
    """With two accounts a command asks for one; the option and the variable each choose one."""
    sim.creators.append(Creator(open_id="-000Second", username="maker_two", nickname="Maker Two"))
    with connect(environ=environ) as client:
        authorization = client.authorization(redirect_uri="http://127.0.0.1:3455/callback/")
        client.sign_in(authorization, sim.authorize(authorization.url, account="maker_two"))
    result = cli("whoami")
    assert result.exit_code == 2
    assert signed_in in result.stderr
    assert "-000Second" in result.stderr
    assert "Maker Two" in cli("whoami", "--account=-000Second").stdout
    assert "Maker Two" in cli("--account", "-000Second", "whoami").stdout
    assert "Maker One" in cli("whoami", env={"TIKTOK_ACCOUNT": signed_in}).stdout
    assert cli("whoami", "--account", "nobody").exit_code == 3
