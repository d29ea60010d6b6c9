"""The whole command line over a database that `TIKTOK_STORE_URL` names, and what is said where it cannot be used."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from crash_report import Watch
from postgres_place import Database
from postgres_server import PASSWORD, free_port
from tiktok_adapters import connect, connect_async
from tiktok_adapters.assembly import load_settings, prepare
from tiktok_adapters.cli.kept import offset
from tiktok_adapters.clocks import SystemClock
from tiktok_adapters.simulator import SimulatedTikTok
from tiktok_adapters.simulator.faults import OPERATIONS
from tiktok_adapters.stores.memory import MemoryJournal, MemoryTokenStore
from tiktok_adapters.stores.postgres.clock import PostgresClock
from tiktok_core import InvalidSettings, Secret, StoreError

Start = Callable[..., "subprocess.Popen[str]"]

FILM = Path(__file__).parents[1] / "media" / "good.mp4"


class NoPacer:
    """Lets every call through."""

    def pause(self, name: str, /, *, limit: int, now: datetime) -> float:
        """Return no pause."""
        return 0.0 * len((name, limit, now))

    def close(self) -> None:
        """Do nothing."""


KEY = "Zm9yIHRlc3RzIGFuZCBub3RoaW5nIGVsc2UgYXQgYWw="


@pytest.fixture
def environ(environ: dict[str, str], database: Database) -> dict[str, str]:
    """The settings of a machine whose stores are in the database."""
    return environ | {"TIKTOK_STORE_URL": database.url}


@pytest.fixture
def hides(hides: Callable[[str], str]) -> Callable[[str], str]:
    """Assert that a text holds no password, either."""

    def check(text: str) -> str:
        assert PASSWORD not in hides(text)
        return text

    return check


# --- The whole command line ------------------------------------------------------------------------------------------


def test_two_machines_share_one_database(
    cli: Any, sim: SimulatedTikTok, signed_in: str, film: Path, tmp_path: Path
) -> None:
    """What one signs in, the other posts; a key makes one post on both, and neither writes a store into its home folder."""
    other = {"TIKTOK_HOME": str(tmp_path / "other")}
    assert signed_in in cli("accounts", env=other).stdout
    done = cli("post", "video", str(film), "--draft", "--key", "one", "--json", env=other)
    assert (done.exit_code, json.loads(done.stdout)["status"]) == (0, "SEND_TO_USER_INBOX")
    again = cli("post", "video", str(film), "--draft", "--key", "one", "--json")
    assert json.loads(again.stdout)["publish_id"] == json.loads(done.stdout)["publish_id"]
    assert sim.count("inbox_init") == 1
    assert cli("uploads", "--json").exit_code == 0
    assert cli("refresh").exit_code == 0
    assert cli("whoami", env=other).exit_code == 0
    assert cli("logout", env=other).exit_code == 0
    assert "No account is signed in" in cli("accounts").stdout
    assert not [path for name in ("home", "other") for path in (tmp_path / name).glob("*.db*")]


def test_one_machine_goes_on_with_what_another_left(
    cli: Any, environ: dict[str, str], signed_in: str, film: Path, tmp_path: Path
) -> None:
    """`resume` and the worker find what was entered elsewhere."""
    other = {"TIKTOK_HOME": str(tmp_path / "other")}
    assert signed_in
    for key in ("first", "second"):
        entered = cli("post", "video", str(film), "--draft", "--key", key, "--enter-only")
        assert entered.exit_code == 0, entered.output
    assert [one["key"] for one in json.loads(cli("uploads", "--json", env=other).stdout)["posts"]] == [
        "first",
        "second",
    ]
    assert cli("resume", "first", env=other).exit_code == 0
    assert cli("worker", "--once", env=other).exit_code == 0
    with connect(environ=environ) as tiktok:
        assert [record.is_ended for record in tiktok.account().posts()] == [True, True]


def test_login_checks_the_store_first(cli: Any, sim: SimulatedTikTok, process: Start, tmp_path: Path) -> None:
    """A server that cannot be reached is told before a person consents; a sign-in elsewhere is one on both machines."""
    gone = {"TIKTOK_STORE_URL": f"postgresql://me:{PASSWORD}@127.0.0.1:{free_port()}/db"}
    said = cli("login", "--no-browser", env=gone)
    assert (said.exit_code, "http" in said.stdout) == (1, False)
    assert "cannot connect" in said.stderr
    running = process("login", "--no-browser", env={"TIKTOK_HOME": str(tmp_path / "other")})
    assert running.stdout is not None
    url = running.stdout.readline().strip()
    assert running.stdin is not None
    running.stdin.write(sim.authorize(url) + "\n")
    running.stdin.flush()
    running.communicate(timeout=60)
    assert running.returncode == 0
    assert len(json.loads(cli("accounts", "--json").stdout)["accounts"]) == 1


def test_it_goes_on_in_the_other_world(environ: dict[str, str], signed_in: str, film: Path) -> None:
    """The asynchronous client has the same stores, slots and clock, and the keys of a post are the same ones."""

    async def main() -> tuple[str, timedelta]:
        async with connect_async(environ=environ) as tiktok:
            done = await (await tiktok.account(signed_in)).post_video(film, draft=True, key="one")
            return done.publish_id, tiktok.clock.now() - datetime.now(UTC)

    publish_id, apart = asyncio.run(main())
    with connect(environ=environ) as tiktok:
        assert tiktok.account().post_video(film, draft=True, key="one").publish_id == publish_id
        assert isinstance(tiktok.clock, PostgresClock)
    assert abs(apart) < timedelta(minutes=1)


def test_tokens_of_two_apps_are_apart(environ: dict[str, str], signed_in: str) -> None:
    """Another client key sees no account of this one."""
    assert signed_in
    with connect(environ=environ | {"TIKTOK_CLIENT_KEY": "another"}) as tiktok:
        assert tiktok.accounts() == ()


def test_keys_encrypt_what_lies_there(
    cli: Any, sim: SimulatedTikTok, environ: dict[str, str], database: Database, film: Path
) -> None:
    """With keys, no token and no record can be read past them; without them each call is an error; a keychain is not asked."""
    keys = {"TIKTOK_STORE_KEY": KEY}
    with connect(environ=environ | keys) as tiktok:
        begun = tiktok.authorization(redirect_uri="http://127.0.0.1:3455/callback/")
        tiktok.sign_in(begun, sim.authorize(begun.url)).enter_video(film, draft=True, key="one")
    assert cli("worker", "--once", env={**keys, "TIKTOK_STORE": "keyring"}).exit_code == 0
    assert sim.count("inbox_init") == 1
    documents = [
        bytes(one)
        for (one,) in database.execute("SELECT document FROM {s}.tokens UNION SELECT document FROM {s}.records")
    ]
    assert len(documents) == 2
    assert not any(b"clip.mp4" in one or token.encode() in one for one in documents for token in sim.world.tokens)
    without = cli("accounts")
    assert (without.exit_code, "StoreError" in cli("accounts", "--json").stdout) == (1, True)
    refused = cli("accounts", env={"TIKTOK_STORE": "encrypted"})
    assert (refused.exit_code, "store_key" in refused.stderr) == (2, True)


def test_looking_opens_nothing(cli: Any, environ: dict[str, str]) -> None:
    """Help, and a client that makes no call, connect to no server."""
    gone = {"TIKTOK_STORE_URL": f"postgresql://me:{PASSWORD}@127.0.0.1:{free_port()}/db"}
    assert cli("--help", env=gone).exit_code == cli("post", "video", "--help", env=gone).exit_code == 0
    with connect(environ=environ | gone) as tiktok:
        assert tiktok.app.client_key


def test_ports_of_ones_own_come_first(environ: dict[str, str]) -> None:
    """With tokens, journal and pacer of one's own, no database is used at all, and the machine's clock counts."""
    gone = environ | {"TIKTOK_STORE_URL": f"postgresql://me@127.0.0.1:{free_port()}/db"}
    with connect(environ=gone, tokens=MemoryTokenStore(), journal=MemoryJournal(), pacer=NoPacer()) as tiktok:
        assert tiktok.accounts() == ()
        assert isinstance(tiktok.clock, SystemClock)


def test_the_store_is_reached_before_a_person_consents(environ: dict[str, str], signed_in: str) -> None:
    """Without a home folder, and with a look at what the key opens."""
    assert signed_in
    settings = load_settings({}, environ | {"TIKTOK_HOME": f"{environ['TIKTOK_HOME']}/none"})
    prepare(settings, settings.app())
    sealed = load_settings({}, environ | {"TIKTOK_STORE_KEY": KEY})
    with pytest.raises(StoreError, match="not encrypted"):
        prepare(sealed, sealed.app())


def test_tokens_of_ones_own_beside_the_database(environ: dict[str, str], signed_in: str) -> None:
    """The other stores come from the database."""
    assert signed_in
    with connect(environ=environ, tokens=MemoryTokenStore()) as tiktok:
        assert tiktok.accounts() == ()
        assert tiktok.unfinished() == ()
        assert isinstance(tiktok.clock, PostgresClock)


# --- What cannot be used ---------------------------------------------------------------------------------------------

ELSEWHERE = f"postgresql://me:{PASSWORD}@127.0.0.1:1/db"
WRONG = [
    (
        f"mysql://me:{PASSWORD}@host/db",
        2,
        "begins with mysql://, and PostgreSQL is the only such store: write postgresql://",
    ),
    (f"me:{PASSWORD}@host/db", 2, "is no URL of a PostgreSQL database: write postgresql://user@host/database"),
    (f"postgresql://me:{PASSWORD}@host:port/%zz?nonsense={PASSWORD}", 2, "is no URL of a PostgreSQL database"),
    (ELSEWHERE, 1, "PostgreSQL 127.0.0.1:1/db: cannot connect: "),
    (ELSEWHERE.replace("postgresql", "postgres"), 1, "PostgreSQL 127.0.0.1:1/db: cannot connect: "),
]


@pytest.mark.parametrize(("named", "status", "said"), WRONG)
def test_a_url_that_cannot_be_used_is_one_sentence(
    cli: Any, sim: SimulatedTikTok, named: str, status: int, said: str
) -> None:
    """It names the setting or the server, and never the password; nothing is sent to TikTok."""
    for command in (["accounts"], ["post", "video", str(FILM), "--draft", "--json"], ["worker", "--once"]):
        done = cli(*command, env={"TIKTOK_STORE_URL": named})
        assert done.exit_code == status, done.output
        assert said in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
    assert not any(map(sim.count, OPERATIONS))
    found = json.loads(cli("doctor", "--json", env={"TIKTOK_STORE_URL": named}).stdout)["findings"]
    wrong = next(one for one in found if one["verdict"] == "trouble")
    assert (wrong["check"], said in wrong["message"]) == ("settings" if status == 2 else "store", True)
    assert wrong["where"] == "TIKTOK_STORE_URL, or config.toml"


def test_a_package_that_is_missing_is_named(
    cli: Any, process: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without psycopg, or without a libpq for it, the sentence has the command that installs both."""
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "psycopg", None)
        done = cli("accounts")
    assert (done.exit_code, "pip install 'tiktok-open[postgres]'" in done.stderr) == (2, True)
    # A part of the package itself is nothing that anybody could install.
    for missing, status in (("psycopg.adapt", 2), ("tiktok_adapters.stores.postgres.troubles", 1)):
        with monkeypatch.context() as without:
            for name in ("pools", "schema", "server", "troubles"):
                without.delitem(sys.modules, f"tiktok_adapters.stores.postgres.{name}", raising=False)
                without.delattr(f"tiktok_adapters.stores.postgres.{name}", raising=False)
            without.setitem(sys.modules, missing, None)
            done = cli("accounts")
            assert (done.exit_code, "pip install 'tiktok-open[postgres]'" in done.stderr) == (status, status == 2)
    (tmp_path / "psycopg").mkdir()
    (tmp_path / "psycopg" / "__init__.py").write_text("raise ImportError('no pq wrapper available')")
    running = process("accounts", env={"PYTHONPATH": str(tmp_path)})
    said = running.communicate(timeout=60)[1]
    assert (running.returncode, "pip install 'tiktok-open[postgres]'" in said) == (2, True), said


def role(database: Database, how: str) -> str:
    """Make a user of the server, and return its URL of the database."""
    name = f"user_{database.name}"
    database.execute(f"CREATE ROLE {name} LOGIN {how}")
    return database.server.url(database.name, user=name, password=PASSWORD)


@pytest.fixture
def user(database: Database) -> Iterator[Callable[[str], str]]:
    """Make a user, who goes with the database."""
    yield lambda how: role(database, how)
    database.execute(f"DROP OWNED BY user_{database.name}")
    database.execute(f"DROP ROLE user_{database.name}")


@pytest.mark.parametrize(
    ("prepared", "said"),
    [
        (
            "CREATE SCHEMA {s}; CREATE TABLE {s}.tokens (id integer)",
            "has a table 'tokens' of another program: name a schema",
        ),
        (
            "CREATE SCHEMA {s}; CREATE TABLE {s}.meta AS SELECT 'tiktok-open'::text AS application, 99 AS version",
            "its tables have version 99, and this release reads version 1: upgrade to the release that made them",
        ),
        ("ALTER DATABASE {d} SET default_transaction_read_only = on", "the server takes no writes"),
        ("ALTER DATABASE {d} SET synchronous_commit = off", "synchronous_commit is off"),
    ],
)
def test_a_database_that_does_not_fit_is_told(cli: Any, database: Database, prepared: str, said: str) -> None:
    """Another program's tables, those of a newer release, a read-only server: one sentence, by every command and by doctor."""
    for statement in prepared.split("; "):
        database.execute(statement.replace("{d}", database.name))
    done = cli("accounts")
    assert (done.exit_code, said in done.stderr, done.stderr.count("\n")) == (1, True, 1), done.stderr
    found = json.loads(cli("doctor", "--json").stdout)["findings"]
    assert said in next(one for one in found if one["check"] == "store")["message"]


def test_a_user_without_rights_is_told(cli: Any, database: Database, user: Callable[[str], str]) -> None:
    """Who may not make the tables is told so, and that rights are to be granted."""
    database.execute(f"REVOKE CREATE ON DATABASE {database.name} FROM PUBLIC")
    done = cli("accounts", env={"TIKTOK_STORE_URL": user("")})
    assert (done.exit_code, "permission denied for database" in done.stderr) == (1, True)
    assert "grant the user the rights that the guide names" in done.stderr


def test_a_wrong_password_is_told(cli: Any, database: Database) -> None:
    """The sentence names the user, and no password."""
    database.execute("CREATE ROLE locked LOGIN PASSWORD 'another one'")
    try:
        url = database.server.url(database.name, user="locked", password=PASSWORD)
        done = cli("accounts", env={"TIKTOK_STORE_URL": url})
    finally:
        database.execute("DROP ROLE locked")
    assert (done.exit_code, 'password authentication failed for user "locked"' in done.stderr) == (1, True)


def test_a_store_of_a_home_and_a_url_are_not_both_asked_for(environ: dict[str, str]) -> None:
    """An argument that names a store of the home folder is refused beside a URL; a keychain of the settings is for `move`."""
    with pytest.raises(InvalidSettings, match="'keyring' is a store of a home folder, and store_url names a database"):
        connect(environ=environ, store="keyring")
    connect(environ=environ | {"TIKTOK_STORE": "keyring"}).close()


# --- What is told ----------------------------------------------------------------------------------------------------


def test_doctor_says_where_the_stores_are(cli: Any, database: Database, signed_in: str) -> None:
    """Where they are, the server's version, that of the tables, and how far the clocks are apart; not user and password."""
    assert signed_in
    found = {one["check"]: one for one in json.loads(cli("doctor", "--json").stdout)["findings"]}
    said = found["store"]["message"]
    assert said.startswith(
        f"tokens and posts are in PostgreSQL 127.0.0.1:{database.server.port}/{database.name}, not encrypted: "
    )
    assert "tables of version 1 in the schema 'tiktok'; its clock, which counts, agrees with this machine's" in said
    assert "the database's clock is" in found["clock"]["message"]
    assert "store_url from TIKTOK_STORE_URL" in found["settings"]["message"]
    assert found["store"]["verdict"] == "fine"


def test_offsets_of_clocks_are_told() -> None:
    """With the direction, and nothing of milliseconds."""
    assert offset(timedelta(seconds=-61)) == "its clock, which counts, is 61 s behind this machine's"
    assert offset(timedelta(seconds=2.5)) == "its clock, which counts, is 2.5 s ahead of this machine's"


def test_a_home_that_was_left_is_told(cli: Any, environ: dict[str, str], sim: SimulatedTikTok) -> None:
    """Accounts that lie in the home folder are not used any more, so a warning names them, and the command that moves them."""
    at_home = {"TIKTOK_STORE_URL": ""}
    with connect(environ=environ | at_home) as client:
        begun = client.authorization(redirect_uri="http://127.0.0.1:3455/callback/")
        client.sign_in(begun, sim.authorize(begun.url))
    assert "'tiktok store move' moves them" in cli("accounts").stderr
    assert cli("accounts", env=at_home).stderr == ""


def test_a_config_with_the_url_is_only_its_owners(cli: Any, environ: dict[str, str], database: Database) -> None:
    """The URL in `config.toml` counts, and the file gets the mode 0600 that a file with a secret has."""
    home = Path(environ["TIKTOK_HOME"])
    home.mkdir()
    config = home / "config.toml"
    config.write_text(f'store_url = "{database.url}"\n')
    config.chmod(0o644)
    found = {
        one["check"]: one
        for one in json.loads(cli("doctor", "--json", env={"TIKTOK_STORE_URL": ""}).stdout)["findings"]
    }
    assert database.name in found["store"]["message"]
    assert config.stat().st_mode & 0o777 == 0o600


def test_no_local_variable_holds_the_password(
    cli: Any, environ: dict[str, str], signed_in: str, film: Path, database: Database
) -> None:
    """Not at any call of the command line or of either client, whether or not the call fails."""
    assert signed_in

    async def main() -> None:
        async with connect_async(environ=environ, store_url=database.url) as tiktok:
            await tiktok.accounts()

    with Watch() as watch:
        cli("post", "video", str(film), "--draft")
        cli("doctor")
        cli("accounts", env={"TIKTOK_STORE_URL": ELSEWHERE})
        cli("accounts", env={"TIKTOK_STORE_URL": WRONG[0][0]})
        cli("accounts", env={"TIKTOK_STORE_URL": WRONG[2][0]})
        connect(environ=environ, store_url=Secret(database.url)).close()
        asyncio.run(main())
    assert watch.leaks({PASSWORD}) == []
    assert len(watch.frames) > 100
