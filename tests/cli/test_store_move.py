"""`tiktok store move` and `check`: a home folder goes to a database, and nothing of it is lost, doubled or left usable."""

import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from crash_report import Watch
from postgres_place import Database
from postgres_server import PASSWORD, free_port
from stored import RECORD, TOKENS, MemoryKeychain
from tiktok_adapters import connect
from tiktok_adapters.assembly import load_settings
from tiktok_adapters.assembly.home import journal_file, token_file
from tiktok_adapters.assembly.moving import HomeMove
from tiktok_adapters.simulator import SimulatedTikTok
from tiktok_adapters.stores.postgres import PostgresStores
from tiktok_adapters.stores.sqlite import SqliteJournal, SqliteTokenStore
from tiktok_adapters.stores.sqlite_leaving import LeavingJournal
from tiktok_adapters.stores.sqlite_moved import BEING_MOVED, Move
from tiktok_core import App, StoreError
from tiktok_core.domain.journal import Stage

KEY = "Zm9yIHRlc3RzIGFuZCBub3RoaW5nIGVsc2UgYXQgYWw="


@pytest.fixture
def there(database: Database) -> dict[str, str]:
    """The setting that names the database."""
    return {"TIKTOK_STORE_URL": database.url}


@pytest.fixture
def hides(hides: Callable[[str], str]) -> Callable[[str], str]:
    """Assert that a text holds no password, either."""

    def check(text: str) -> str:
        assert PASSWORD not in hides(text)
        return text

    return check


@pytest.fixture
def home(environ: dict[str, str]) -> Path:
    """The home folder."""
    return Path(environ["TIKTOK_HOME"])


@pytest.fixture
def app(sim: SimulatedTikTok) -> App:
    """The app of the settings."""
    return App(sim.app.client_key, "secret", "https://app.example.com/callback/")


def moved(done: Any) -> bool:
    """Whether a command has refused a home that was moved."""
    return done.exit_code == 1 and "its home was moved to PostgreSQL 127.0.0.1" in done.stderr


def marks(home: Path) -> set[int]:
    """Return the marks of the files of a home: none, being moved, moved."""
    found = set()
    for path in home.glob("*.db"):
        with closing(sqlite3.connect(path)) as connection:
            found.add(connection.execute("PRAGMA user_version").fetchone()[0] // BEING_MOVED)
    return found


# --- Moving ----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("signed_in")
def test_a_home_moves(cli: Any, sim: SimulatedTikTok, film: Path, there: dict[str, str], home: Path) -> None:
    """A key answers with its post, what was entered goes on, and each command refuses the home and says where it went."""
    done = cli("post", "video", str(film), "--draft", "--key", "one", "--json")
    assert cli("post", "video", str(film), "--draft", "--key", "two", "--enter-only").exit_code == 0
    said = cli("store", "move", "--yes", env=there)
    assert (said.exit_code, said.stderr) == (0, "")
    assert "Moved 1 accounts and 2 posts to PostgreSQL 127.0.0.1:" in said.stdout
    again = cli("post", "video", str(film), "--draft", "--key", "one", "--json", env=there)
    assert json.loads(again.stdout)["publish_id"] == json.loads(done.stdout)["publish_id"]
    assert cli("worker", "--once", env=there).exit_code == 0
    assert sim.count("inbox_init") == 2
    assert marks(home) == {2}
    for command in (
        ["accounts"],
        ["post", "video", str(film), "--draft"],
        ["worker", "--once"],
        ["login", "--no-browser"],
    ):
        assert moved(cli(*command)), command
    assert sim.count("inbox_init") == 2
    once_more = json.loads(cli("store", "move", "--yes", "--json", env=there).stdout)
    assert (once_more["moved"], once_more["posts"]) == (True, 2)
    assert (cli("accounts", env=there).stderr, cli("store", "move", "--cancel", env=there).exit_code) == ("", 1)


@pytest.mark.usefixtures("signed_in")
def test_who_has_it_open_is_stopped(
    cli: Any, sim: SimulatedTikTok, environ: dict[str, str], film: Path, there: dict[str, str]
) -> None:
    """A client that was made before the move begins no post in the home, and sends nothing for one."""
    with connect(environ=environ) as client:
        account = client.account()
        account.post_video(film, draft=True, key="before")
        assert cli("store", "move", "--yes", env=there).exit_code == 0
        with pytest.raises(StoreError, match="its home was moved to PostgreSQL") as caught:
            account.post_video(film, draft=True, key="after")
        assert caught.value.kind == "moved"
        with pytest.raises(StoreError, match="its home was moved to PostgreSQL"):
            account.refresh()
    assert (sim.count("inbox_init"), sim.count("token")) == (1, 1)


@pytest.mark.parametrize("store", ["encrypted", "keyring"])
@pytest.mark.usefixtures("keychain")
def test_each_kind_of_store_moves(
    cli: Any, environ: dict[str, str], sim: SimulatedTikTok, there: dict[str, str], store: str
) -> None:
    """Tokens are read through their store: sealed ones by their key, those of a keychain from there."""
    settings = {"TIKTOK_STORE": store, "TIKTOK_STORE_KEY": KEY if store == "encrypted" else ""}
    with connect(environ=environ | settings) as client:
        begun = client.authorization(redirect_uri="http://127.0.0.1:3455/callback/")
        tokens = client.sign_in(begun, sim.authorize(begun.url)).tokens()
    assert cli("store", "move", "--yes", env=settings | there).exit_code == 0
    assert moved(cli("accounts", env=settings))
    with connect(environ=environ | settings | there) as client:
        found = client.account().tokens()
    assert (found.access_token, found.refresh_token) == (tokens.access_token, tokens.refresh_token)


@pytest.fixture
def keychain(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The keychain of this process, in memory."""
    import keyring.core  # noqa: PLC0415
    from keyring.backend import KeyringBackend  # noqa: PLC0415

    class Ours(MemoryKeychain, KeyringBackend):  # type: ignore[misc]
        priority = 5  # type: ignore[assignment]

    found = Ours()
    monkeypatch.setattr(keyring.core, "_keyring_backend", found)
    return found


def test_two_homes_move_to_one_database(
    cli: Any, app: App, there: dict[str, str], tmp_path: Path, signed_in: str
) -> None:
    """Each with accounts of its own. An account that both have is refused, and then the second home is as it was."""
    other = tmp_path / "other"
    with closing(SqliteTokenStore(token_file(other, app))) as tokens:
        tokens.save("somebody", evolve(TOKENS, open_id="somebody"))
    with closing(SqliteJournal(journal_file(other))) as journal:
        journal.save(evolve(RECORD, app=app.client_key, account="somebody"), fence=None)
    assert cli("store", "move", "--yes", env=there).exit_code == 0
    assert cli("store", "move", "--yes", "--home", str(other), env=there).exit_code == 0
    found = json.loads(cli("accounts", "--json", env=there).stdout)["accounts"]
    assert {one["open_id"] for one in found} == {signed_in, "somebody"}
    third = tmp_path / "third"
    with closing(SqliteTokenStore(token_file(third, app))) as tokens:
        tokens.save("somebody", evolve(TOKENS, open_id="somebody"))
    said = cli("store", "move", "--yes", "--home", str(third), env=there)
    assert said.exit_code == 1
    assert "account 'somebody' is signed in there already: forget one of both sign-ins" in said.stderr
    assert said.stderr.rstrip().endswith("nothing was changed.")
    assert marks(third) == {0}


def test_a_post_that_the_database_has_is_refused(
    cli: Any, app: App, there: dict[str, str], database: Database, home: Path
) -> None:
    """A key stands for one post, so two records of one name are not both kept, and neither is dropped."""
    with PostgresStores(database.url) as stores:
        stores.journal().save(evolve(RECORD, app=app.client_key), fence=None)
    with closing(SqliteJournal(journal_file(home))) as journal:
        journal.save(evolve(RECORD, app=app.client_key, stage=Stage.COMPLETE, upload_url=None), fence=None)
    said = cli("store", "move", "--yes", env=there)
    assert (said.exit_code, "has a post 'key' of account 'me', too" in said.stderr) == (1, True)
    assert marks(home) == {0}


# --- Who is asked, and who is in the way -----------------------------------------------------------------------------


@pytest.mark.usefixtures("signed_in")
def test_a_person_is_asked(cli: Any, there: dict[str, str], home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal, with what is moved and where to. Without one, and with `--json`, the command wants `--yes`."""
    refused = cli("store", "move", env=there)
    assert (refused.exit_code, "say --yes" in refused.stderr) == (2, True)
    monkeypatch.setattr("tiktok_adapters.cli.store._is_terminal", lambda: True)
    assert cli("store", "move", "--json", env=there).exit_code == 2
    asked = cli("store", "move", env=there, typed="n\n")
    assert asked.exit_code == 0
    assert f"This moves 1 accounts and 0 posts from {home} to PostgreSQL 127.0.0.1:" in asked.stderr
    # Some releases of click's test runner write what is typed there, too.
    assert asked.stdout.endswith("Nothing was moved.\n")
    assert marks(home) == {0}
    assert "Moved 1 accounts" in cli("store", "move", env=there, typed="y\n").stdout
    assert cli("store", "move", "--yes", "--cancel", env=there).exit_code == 2


def test_who_works_on_a_post_is_named(cli: Any, app: App, there: dict[str, str], home: Path, signed_in: str) -> None:
    """The process, the post and the account, by a lease or by a process that has not given one back; nothing is changed."""
    now = datetime.now(UTC)
    with (
        closing(SqliteJournal(journal_file(home))) as journal,
        closing(SqliteTokenStore(token_file(home, app))) as tokens,
    ):
        for number in range(7):
            name = evolve(RECORD, app=app.client_key, key=f"key-{number}").name
            journal.try_lease(name, owner="one", now=now, until=now + timedelta(seconds=10))
        said = cli("store", "move", "--yes", env=there)
        assert (said.exit_code, f"process {os.getpid()} works on post 'key-0' of account 'me'" in said.stderr) == (
            1,
            True,
        )
        assert "and 2 more: wait for the end of that, or end the process" in said.stderr
        for number in range(7):
            journal.release(evolve(RECORD, app=app.client_key, key=f"key-{number}").name, owner="one")
        # Its time is over, but its process was only stopped, and may go on.
        tokens.try_lease(signed_in, owner="one", now=now - timedelta(hours=1), until=now - timedelta(minutes=59))
        said = cli("store", "move", "--yes", env=there)
        assert f"process {os.getpid()} renews the sign-in of {signed_in!r}" in said.stderr
        assert marks(home) == {0}
        # Its process has ended, so nobody goes on under it.
        with closing(sqlite3.connect(token_file(home, app))) as connection, connection:
            connection.execute("UPDATE leases SET started = started - 1, until = ?", (2**62,))
        assert cli("store", "move", "--yes", env=there).exit_code == 0


def test_a_lease_that_is_taken_meanwhile_takes_the_move_back(
    environ: dict[str, str], app: App, there: dict[str, str], home: Path, signed_in: str
) -> None:
    """Between the look and the mark of a file somebody may renew: the journal's mark goes again, and the database knows."""
    now = datetime.now(UTC)
    with (
        closing(SqliteTokenStore(token_file(home, app))) as tokens,
        HomeMove(load_settings({}, environ | there)) as moving,
    ):
        moving._check = lambda: tokens.try_lease(  # type: ignore[method-assign,assignment]  # just after the real look
            signed_in, owner="one", now=now, until=now + timedelta(seconds=10)
        )
        with pytest.raises(StoreError, match="renews the sign-in") as caught:
            moving.run()
    assert caught.value.kind == "locked"
    assert marks(home) == {0}
    assert database_states(there) == ["cancelled"]


def database_states(there: dict[str, str]) -> list[str]:
    """Return the states of the moves that the database knows."""
    import psycopg  # noqa: PLC0415

    with psycopg.connect(there["TIKTOK_STORE_URL"]) as connection:
        return [state for (state,) in connection.execute("SELECT state FROM tiktok.moves").fetchall()]


# --- What cannot be moved --------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("signed_in")
def test_without_a_database_nothing_begins(cli: Any, home: Path, there: dict[str, str]) -> None:
    """No URL, a server that is not there, an empty home: one sentence each, and nothing is marked."""
    said = cli("store", "move", "--yes")
    assert (said.exit_code, "store_url: is missing: set TIKTOK_STORE_URL" in said.stderr) == (2, True)
    gone = {"TIKTOK_STORE_URL": f"postgresql://me:{PASSWORD}@127.0.0.1:{free_port()}/db"}
    assert "cannot connect" in cli("store", "move", "--yes", env=gone).stderr
    assert "the only such store" in cli("store", "move", "--yes", env={"TIKTOK_STORE_URL": "mysql://host/db"}).stderr
    empty = cli("store", "move", "--yes", "--home", str(home / "empty"), env=there)
    assert (empty.exit_code, "there is nothing to move" in empty.stderr) == (1, True)
    assert not (home / "empty").exists()
    assert marks(home) == {0}


def test_what_cannot_be_read_stops_the_move(
    cli: Any, app: App, home: Path, there: dict[str, str], signed_in: str
) -> None:
    """Damaged tokens, and accounts that only another kind of store has. The sentence names the account and the way out."""
    with closing(SqliteTokenStore(token_file(home, app, "encrypted"))) as tokens:
        tokens.save("somebody", TOKENS)
    said = cli("store", "move", "--yes", env=there)
    assert "the store 'encrypted' has accounts that the store 'sqlite' has not (somebody)" in said.stderr
    token_file(home, app, "encrypted").unlink()
    with closing(sqlite3.connect(token_file(home, app))) as connection, connection:
        connection.execute("UPDATE tokens SET record = x'00'")
    said = cli("store", "move", "--yes", env=there)
    assert (said.exit_code, f"account {signed_in!r}: damaged record" in said.stderr) == (1, True)
    assert "'tiktok logout --forget'" in said.stderr
    assert marks(home) == {0}


@pytest.mark.usefixtures("signed_in")
def test_tokens_of_another_kind_that_are_superseded_are_left(
    cli: Any, app: App, home: Path, there: dict[str, str], signed_in: str
) -> None:
    """An account that the chosen store has, too, moves from there. The other file is marked, and its tokens stay in it."""
    with closing(SqliteTokenStore(token_file(home, app, "encrypted"))) as tokens:
        tokens.save(signed_in, TOKENS)
    assert cli("store", "move", "--yes", env=there).exit_code == 0
    assert marks(home) == {2}


# --- A move that was begun -------------------------------------------------------------------------------------------


@pytest.fixture
def begun(home: Path, signed_in: str) -> Move:
    """A move that ended after the journal was marked, and that no database was told of."""
    assert signed_in
    move = Move(b"id of this move", "PostgreSQL elsewhere/'it'")
    with closing(LeavingJournal(journal_file(home))) as journal:
        assert journal.mark(move, datetime.now(UTC)) == ()
    return move


def test_a_move_that_was_begun_is_told(cli: Any, begun: Move, there: dict[str, str], film: Path) -> None:
    """By each command that posts, over the home or over a database, by `doctor` and by `check`."""
    told = "its home is being moved to PostgreSQL elsewhere/'it': 'tiktok store move' goes on with it"
    assert begun.sentence.startswith(told)
    for env in ({}, there):
        refused = cli("post", "video", str(film), "--draft", env=env)
        assert (refused.exit_code, told in refused.stderr) == (1, True)
        checked = cli("store", "check", "--json", env=env)
        assert (checked.exit_code, told in json.loads(checked.stdout)["troubles"][0]["reason"]) == (1, True)
    store = next(one for one in json.loads(cli("doctor", "--json").stdout)["findings"] if one["check"] == "store")
    assert (store["verdict"], told in store["message"], store["change"]) == (
        "trouble",
        True,
        "Do what the sentence says.",
    )


def test_another_database_cannot_go_on_with_it(cli: Any, begun: Move, there: dict[str, str], home: Path) -> None:
    """It may have taken over: so neither `move` nor `--cancel` do anything with a database that knows nothing of the move."""
    for arguments in (["--yes"], ["--cancel"]):
        said = cli("store", "move", *arguments, env=there)
        assert said.exit_code == 1
        assert f"its move to {begun.place} was begun, and PostgreSQL 127.0.0.1" in said.stderr
        assert ("Run the same command again to go on, or with --cancel" in said.stderr) is (arguments == ["--yes"])
    assert marks(home) == {0, 1}


def test_the_database_that_was_meant_goes_on_or_takes_it_back(
    cli: Any, begun: Move, there: dict[str, str], home: Path, database: Database
) -> None:
    """Without a question. What was taken back can be used, and be moved anew."""
    with PostgresStores(database.url) as stores:
        stores.arrival().announce(begun.id)
    assert "can be used again" in cli("store", "move", "--cancel", env=there).stdout
    assert marks(home) == {0}
    assert "until" in cli("accounts").stdout
    assert cli("store", "move", "--cancel", env=there).stdout.startswith("No move of")
    with closing(LeavingJournal(journal_file(home))) as journal:
        journal.mark(evolve(begun, id=b"a second one"), datetime.now(UTC))
    with PostgresStores(database.url) as stores:
        stores.arrival().announce(b"a second one")
    done = json.loads(cli("store", "move", "--json", env=there).stdout)
    assert done["moved"] is True
    assert "until" in cli("accounts", env=there).stdout


def test_a_move_that_was_taken_back_half_way_does_not_go_on(
    cli: Any, begun: Move, there: dict[str, str], database: Database
) -> None:
    """The database says so, and the sentence names the command that brings it to its end."""
    with PostgresStores(database.url) as stores:
        stores.arrival().announce(begun.id)
        assert stores.arrival().cancel(begun.id) == "cancelled"
    assert "'tiktok store move --cancel' brings that to its end" in cli("store", "move", env=there).stderr
    assert cli("store", "move", "--cancel", env=there).exit_code == 0


def test_another_process_that_moves_it_meanwhile_is_told(begun: Move, home: Path) -> None:
    """A mark of one move is not replaced by that of another one."""
    with closing(LeavingJournal(journal_file(home))) as journal:
        with pytest.raises(StoreError, match="another process has done that just now"):
            journal.mark(evolve(begun, id=b"another"), datetime.now(UTC))
        assert journal.move() == begun


@pytest.mark.usefixtures("signed_in")
def test_a_server_that_ends_in_the_midst_is_told_how_to_go_on(
    there: dict[str, str], database: Database, cli: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The home is marked, so the command says that it goes on when it is run again; and so it does."""

    def broken() -> None:
        database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
            database.name,
        )

    received = HomeMove._received

    def after(moving: HomeMove, move: Move) -> str | None:
        broken()
        return received(moving, move)

    with monkeypatch.context() as patched:
        patched.setattr(HomeMove, "_received", after)
        said = cli("store", "move", "--yes", env=there)
    assert said.exit_code == 1
    assert "Run the same command again to go on" in said.stderr
    assert cli("store", "move", "--yes", env=there).exit_code == 0


# --- Looking at a store ----------------------------------------------------------------------------------------------


def checked(cli: Any, **env: str) -> tuple[int, dict[str, Any]]:
    """Run `store check`, and return its exit status and its document."""
    done = cli("store", "check", "--json", env=env)
    return done.exit_code, json.loads(done.stdout)


@pytest.mark.usefixtures("signed_in")
def test_a_home_is_read_as_a_whole(cli: Any, app: App, home: Path, film: Path) -> None:
    """How many accounts and posts there are, the versions, and by name what cannot be read, also a record that has ended."""
    assert cli("post", "video", str(film), "--draft", "--key", "one").exit_code == 0
    status, found = checked(cli)
    assert (status, found["accounts"], found["posts"], found["troubles"]) == (0, 1, 1, [])
    assert found["versions"] == {token_file(home, app).name: "2", "journal.db": "1", "pace.db": "1"}
    lines = cli("store", "check").stdout.splitlines()
    assert lines[0].startswith(f"{home}: 1 accounts, 1 posts (tokens-")
    assert lines[1] == "Everything can be read."
    with closing(sqlite3.connect(journal_file(home))) as connection, connection:
        connection.execute(
            "UPDATE records SET record = CAST(replace(CAST(record AS TEXT), '\"offset\"', '\"off\"') AS BLOB)"
        )
    with closing(sqlite3.connect(token_file(home, app))) as connection, connection:
        connection.execute("UPDATE tokens SET record = x'00'")
    status, found = checked(cli)
    assert status == 1
    assert ["post 'one' of account" in one["what"] for one in found["troubles"]] == [False, True]
    assert "damaged record" in found["troubles"][0]["reason"]
    assert "x post 'one'" in cli("store", "check").stdout
    with closing(sqlite3.connect(journal_file(home))) as connection, connection:
        row = [(f"app\nme\n{number:04}", 1, 2, 0, b"{}") for number in range(501)]
        connection.executemany(
            "INSERT INTO records (name, created, updated, ended, record) VALUES (?, ?, ?, ?, ?)", row
        )
    assert "of its 502 records can be read" in checked(cli)[1]["troubles"][-1]["reason"]
    journal_file(home).write_bytes(b"no database at all, but long enough for a header" * 20)
    status, found = checked(cli)
    assert (status, found["troubles"][-1]["what"]) == (1, "journal.db")


def test_an_empty_home_is_no_trouble(cli: Any, home: Path) -> None:
    """Looking makes no file."""
    assert checked(cli)[0] == 0
    assert not home.exists()


def test_a_database_is_read_as_a_whole(
    cli: Any, database: Database, app: App, there: dict[str, str], home: Path
) -> None:
    """Tables that were just made are told; tokens and records of every app are read, sealed ones by their keys."""
    status, found = checked(cli, **there)
    assert (status, found["notes"]) == (0, ["there were no tables: they were made just now"])
    keys = {"TIKTOK_STORE_KEY": KEY}
    with PostgresStores(database.url, keys=[KEY]) as stores:
        stores.tokens("another app").save("me", TOKENS)
        stores.tokens(app.client_key).save("me", TOKENS)
        for number in range(3):
            stores.journal().save(evolve(RECORD, key=f"key-{number}"), fence=None)
    status, found = checked(cli, **there, **keys)
    assert (status, found["accounts"], found["posts"], found["notes"]) == (0, 2, 3, [])
    assert found["store"].startswith("PostgreSQL 127.0.0.1:")
    assert set(found["versions"]) == {"server", "tables in the schema tiktok"}
    status, found = checked(cli, **there)
    assert status == 1
    assert {one["what"] for one in found["troubles"]} == {
        "account 'me'",
        *(f"post 'key-{number}' of account 'me'" for number in range(3)),
    }
    assert all("give the key" in one["reason"] for one in found["troubles"])
    gone = {"TIKTOK_STORE_URL": f"postgresql://me:{PASSWORD}@127.0.0.1:{free_port()}/db"}
    status, found = checked(cli, **gone)
    assert (status, "cannot connect" in found["troubles"][0]["reason"]) == (1, True)
    with closing(SqliteJournal(journal_file(home))) as journal:
        journal.save(RECORD, fence=None)
    status, found = checked(cli, **there, **keys)
    assert (status, found["notes"]) == (
        0,
        [f"the home folder {home} has 0 accounts and 1 posts, which are not used: 'tiktok store move' moves them"],
    )


def test_no_local_variable_holds_a_secret(
    cli: Any, home: Path, film: Path, there: dict[str, str], signed_in: str
) -> None:
    """Neither tokens nor upload URLs nor the password, at any call of a move or a check."""
    assert signed_in
    with closing(SqliteJournal(journal_file(home))) as journal:
        journal.save(RECORD, fence=None)
    with closing(SqliteTokenStore(home / "tokens-000000000000.db")) as tokens:
        tokens.save("me", TOKENS)
    keys = {"TIKTOK_STORE_KEY": KEY}
    assert cli("post", "video", str(film), "--draft").exit_code == 0
    with Watch() as watch:
        assert cli("store", "check").exit_code == 0
        assert cli("store", "move", "--yes", env=there | keys).exit_code == 0
        assert cli("store", "check", env=there | keys).exit_code == 0
    assert watch.leaks({PASSWORD, KEY, "act.canary", "rft.canary", "upload_token=canary"}) == []
