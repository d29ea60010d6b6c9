"""The choice of the token store: its source, what each store needs, and that no store replaces another."""

import asyncio
import base64
import importlib.util
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from stored import MemoryKeychain
from tiktok_adapters import connect, connect_async
from tiktok_adapters.assembly import load_settings, prepare, token_file
from tiktok_adapters.simulator import DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, SimulatedTikTok
from tiktok_adapters.simulator.server import SandboxServer
from tiktok_core import App, InvalidSettings, SignInRequired, StoreError, TikTok

REDIRECT = "https://app.example.com/callback/"
APP = App(DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, REDIRECT)
KEY, OTHER = (base64.urlsafe_b64encode(bytes([number]) * 32).decode() for number in (1, 2))


@pytest.fixture(scope="module")
def sim() -> Iterator[SimulatedTikTok]:
    """Yield a simulated TikTok."""
    with closing(SimulatedTikTok()) as simulated:
        yield simulated


@pytest.fixture(scope="module")
def url(sim: SimulatedTikTok) -> Iterator[str]:
    """Serve the simulated TikTok."""
    with SandboxServer(sim).run_in_thread() as server:
        yield server.url


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return the home folder."""
    return tmp_path / "home"


@pytest.fixture
def environ(url: str, home: Path) -> dict[str, str]:
    """Return settings that connect to the simulated TikTok, without a choice of store."""
    return {
        "TIKTOK_CLIENT_KEY": DEFAULT_CLIENT_KEY,
        "TIKTOK_CLIENT_SECRET": DEFAULT_CLIENT_SECRET,
        "TIKTOK_REDIRECT_URI": REDIRECT,
        "TIKTOK_API_URL": url,
        "TIKTOK_AUTH_URL": f"{url}/v2/auth/authorize/",
        "TIKTOK_HOME": str(home),
    }


@pytest.fixture
def keychain(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], str]:
    """Give the machine a keychain, and return its entries."""
    import keyring.core  # noqa: PLC0415
    from keyring.backend import KeyringBackend  # noqa: PLC0415

    class Ours(MemoryKeychain, KeyringBackend):  # type: ignore[misc]
        priority = 5

    ours = Ours()
    monkeypatch.setattr(keyring.core, "_keyring_backend", ours)
    return ours.entries


def sign_in(tiktok: TikTok, sim: SimulatedTikTok) -> None:
    """Sign in."""
    asked = tiktok.authorization()
    tiktok.sign_in(asked, sim.authorize(asked.url))


def bytes_of(home: Path) -> bytes:
    """Return the content of all files in the home folder."""
    return b"".join(file.read_bytes() for file in home.iterdir())


# --- Each of them ----------------------------------------------------------------------------------------------------


def test_the_keychain_is_used_where_it_was_chosen(
    environ: dict[str, str], sim: SimulatedTikTok, home: Path, keychain: dict[tuple[str, str], str]
) -> None:
    """Tokens go to the keychain, and no secret to the home folder; signing out removes the entry."""
    environ["TIKTOK_STORE"] = "keyring"
    with connect(environ=environ) as tiktok:
        assert tiktok.accounts() == ()
        assert not home.exists()
        sign_in(tiktok, sim)
    ((service, _),) = keychain
    digest = token_file(home, APP).stem.removeprefix("tokens-")
    assert service == f"tiktok-open {digest}"
    with connect(environ=environ) as tiktok:
        tokens = tiktok.account().tokens()
        assert tokens.access_token.reveal().encode() not in bytes_of(home)
        assert tokens.refresh_token.reveal().encode() not in bytes_of(home)
        assert {file.name for file in home.iterdir()} == {f"keychain-{digest}.db"}
        tiktok.account().revoke()
    assert keychain == {}


def test_tokens_are_encrypted_where_that_was_chosen(environ: dict[str, str], sim: SimulatedTikTok, home: Path) -> None:
    """With a key from the environment the home folder contains no secret; without the key the tokens do not open."""
    environ |= {"TIKTOK_STORE": "encrypted", "TIKTOK_STORE_KEY": KEY}
    with connect(environ=environ) as tiktok:
        sign_in(tiktok, sim)
    with connect(environ=environ) as tiktok:
        assert tiktok.account().tokens().access_token.reveal().encode() not in bytes_of(home)
    with connect(environ=environ | {"TIKTOK_STORE_KEY": f"{OTHER},{KEY}"}) as tiktok:
        tiktok.account().refresh()
    with connect(environ=environ) as tiktok, pytest.raises(StoreError, match="no key decrypts them"):
        tiktok.account().tokens()


def test_the_awaited_client_uses_the_same_store(environ: dict[str, str], sim: SimulatedTikTok, tmp_path: Path) -> None:
    """Both clients find each other's sign-in in every store; a parameter can choose the store too."""
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    file.chmod(0o600)
    environ["TIKTOK_STORE_KEY_FILE"] = str(file)
    with connect(environ=environ, store="encrypted") as tiktok:
        sign_in(tiktok, sim)

    async def story() -> str:
        async with connect_async(environ=environ, store="encrypted") as tiktok:
            return (await tiktok.account()).open_id

    assert asyncio.run(story()) == sim.creator.open_id


def test_the_choice_is_remembered_in_the_file(environ: dict[str, str], home: Path) -> None:
    """The store in `config.toml` applies to every program with this home folder; the environment overrides it."""
    home.mkdir()
    (home / "config.toml").write_text('store = "keyring"\nstore_key_file = "/etc/key"\n')
    found = load_settings({}, environ)
    assert (found.store, found.store_key_file) == ("keyring", "/etc/key")
    assert load_settings({}, environ | {"TIKTOK_STORE": "sqlite"}).store == "sqlite"
    assert load_settings({"store": "encrypted"}, environ | {"TIKTOK_STORE": "sqlite"}).store == "encrypted"


# --- None in place of another ----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("keychain")
def test_tokens_of_another_store_are_told_of_and_not_used(
    environ: dict[str, str], sim: SimulatedTikTok, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A new store has no sign-in yet, and one warning names the store whose tokens the client ignores."""
    with connect(environ=environ) as tiktok:
        sign_in(tiktok, sim)
        tiktok.account()
    assert "ignores them" not in caplog.text
    for store in ("keyring", "encrypted"):
        with connect(environ=environ | {"TIKTOK_STORE": store, "TIKTOK_STORE_KEY": KEY}) as tiktok:
            for _ in range(2):
                with pytest.raises(SignInRequired):
                    tiktok.account()
            assert not token_file(home, APP, store).exists()
        (said,) = [line for line in caplog.messages if "ignores them" in line]
        assert said == (
            f"The store 'sqlite' has tokens of this app too ({token_file(home, APP)}): the client "
            f"ignores them, because it uses the store {store!r}"
        )
        caplog.clear()


@pytest.mark.usefixtures("keychain")
def test_plain_tokens_beside_protected_ones_are_told_of(
    environ: dict[str, str], sim: SimulatedTikTok, caplog: pytest.LogCaptureFixture
) -> None:
    """If a sign-in goes into a plain file although the keychain has tokens, a warning names the keychain's tokens."""
    with connect(environ=environ, store="keyring") as tiktok:
        sign_in(tiktok, sim)
    caplog.clear()
    with connect(environ=environ) as tiktok:
        sign_in(tiktok, sim)
    assert "The store 'keyring' has tokens of this app too" in caplog.text


def test_accounts_of_another_client_key_are_told_of(
    environ: dict[str, str], sim: SimulatedTikTok, caplog: pytest.LogCaptureFixture
) -> None:
    """Who has mistyped the key misses the accounts, and would sign in to no avail; who has accounts with it is told nothing."""
    with connect(environ=environ) as tiktok:
        sign_in(tiktok, sim)
        tiktok.account()
    assert "another client key" not in caplog.text
    with connect(environ=environ | {"TIKTOK_CLIENT_KEY": "awmistyped"}) as tiktok:
        for _ in range(2):
            with pytest.raises(SignInRequired):
                tiktok.account()
    assert caplog.text.count("Accounts are signed in with another client key here") == 1


def test_a_file_of_another_store_that_cannot_be_read_is_no_obstacle(
    environ: dict[str, str], home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A broken file of an unused store does no harm."""
    home.mkdir()
    token_file(home, APP).write_bytes(b"nonsense")
    with connect(environ=environ | {"TIKTOK_STORE_KEY": KEY}, store="encrypted") as tiktok:
        assert tiktok.accounts() == ()
    assert "ignores them" not in caplog.text


# --- Before a person is asked ----------------------------------------------------------------------------------------


def test_a_locked_keychain_is_found_before_anybody_consents(
    environ: dict[str, str], keychain: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`prepare` opens the keychain, so that a locked one does not lose a grant."""
    import keyring.core  # noqa: PLC0415
    from keyring.errors import KeyringLocked  # noqa: PLC0415

    settings = load_settings({}, environ | {"TIKTOK_STORE": "keyring"})
    prepare(settings, APP)

    def locked(*_: Any) -> None:
        raise KeyringLocked

    monkeypatch.setattr(type(keyring.core.get_keyring()), "get_password", locked)
    with pytest.raises(StoreError, match="the keychain is locked"):
        prepare(settings, APP)


def test_a_wrong_key_is_found_before_anybody_consents(environ: dict[str, str], sim: SimulatedTikTok) -> None:
    """`prepare` decrypts the existing tokens, so that one store never holds tokens of two keys by accident."""
    environ |= {"TIKTOK_STORE": "encrypted", "TIKTOK_STORE_KEY": KEY}
    prepare(load_settings({}, environ), APP)
    with connect(environ=environ) as tiktok:
        sign_in(tiktok, sim)
    prepare(load_settings({}, environ), APP)
    with pytest.raises(StoreError, match="no key decrypts them"):
        prepare(load_settings({}, environ | {"TIKTOK_STORE_KEY": OTHER}), APP)


# --- Settings that cannot work ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("give_app", [False, True])
@pytest.mark.parametrize(
    ("store", "words"),
    [
        ("keychain", "store: 'keychain' is not one of sqlite, keyring, encrypted.*TIKTOK_STORE"),
        ("encrypted", "store_key: is missing: set TIKTOK_STORE_KEY, or TIKTOK_STORE_KEY_FILE to a file outside"),
    ],
)
def test_a_store_that_cannot_be_used_is_told(environ: dict[str, str], store: str, words: str, give_app: bool) -> None:
    """No other store replaces a wrong or missing one, with or without an app as argument."""
    with pytest.raises(InvalidSettings, match=words):
        connect(APP if give_app else None, environ=environ | {"TIKTOK_STORE": store})


@pytest.mark.parametrize(("store", "package"), [("keyring", "keyring"), ("encrypted", "cryptography")])
def test_a_missing_package_is_told(
    environ: dict[str, str], store: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says what to install."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(InvalidSettings, match=rf"needs {package}: pip install 'tiktok-open\[{store}\]'"):
        connect(environ=environ | {"TIKTOK_STORE": store, "TIKTOK_STORE_KEY": KEY})


def test_everything_wrong_with_the_store_comes_with_the_rest(environ: dict[str, str]) -> None:
    """One error names both a missing key and a missing secret."""
    with pytest.raises(InvalidSettings) as caught:
        connect(environ=environ | {"TIKTOK_STORE": "encrypted", "TIKTOK_CLIENT_SECRET": ""})
    assert [problem.field for problem in caught.value.problems] == ["client_secret", "store_key"]


def test_a_key_does_not_stand_beside_what_it_encrypts(environ: dict[str, str], home: Path) -> None:
    """A key may be neither in the settings' file nor in a file of the home folder, by any path."""
    home.mkdir()
    (home / "config.toml").write_text(f'store_key = "{KEY}"\n')
    with pytest.raises(InvalidSettings, match=r"must not be in .*, beside the tokens it encrypts") as caught:
        load_settings({}, environ)
    assert KEY not in str(caught.value)
    (home / "config.toml").unlink()
    inside = home / "key"
    inside.write_text(KEY)
    inside.chmod(0o600)
    link, roundabout = home.parent / "link", home.parent / "x" / ".." / "home" / "key"
    link.symlink_to(inside)
    for file in (inside, link, roundabout):
        chosen = {"TIKTOK_STORE": "encrypted", "TIKTOK_STORE_KEY_FILE": str(file)}
        with pytest.raises(InvalidSettings, match="lies beside the tokens, so a thief would get both"):
            connect(environ=environ | chosen)


@pytest.mark.parametrize(
    ("mode", "content", "words"),
    [
        (0o640, KEY.encode(), "other users can read or write .*: replace the key, and chmod 600 the file"),
        (0o604, KEY.encode(), "other users can read or write"),
        (0o600, b"", "holds no key"),
        (0o600, b" \n,\n", "holds no key"),
        (0o600, b"canary-of-a-key", "store_key: key 1 is malformed: a key is 32 random bytes in URL-safe base64"),
        (0o600, b"\xff\xfe", "cannot be read: it is not UTF-8 text"),
    ],
)
def test_a_key_file_that_cannot_be_used_is_told(
    environ: dict[str, str], tmp_path: Path, mode: int, content: bytes, words: str
) -> None:
    """Only the owner may have rights to the key file, and it must hold a key; no error shows its content."""
    file = tmp_path / "key"
    file.write_bytes(content)
    file.chmod(mode)
    with pytest.raises(InvalidSettings, match=words) as caught:
        connect(environ=environ | {"TIKTOK_STORE": "encrypted", "TIKTOK_STORE_KEY_FILE": str(file)})
    assert KEY not in str(caught.value)
    assert "canary" not in str(caught.value)
    assert file.stat().st_mode & 0o777 == mode


def test_what_is_no_key_file_is_told(environ: dict[str, str], tmp_path: Path) -> None:
    """The error names a missing file, a folder, a pipe without a writer and another user's file, and waits for none."""
    os.mkfifo(tmp_path / "pipe", 0o600)
    places = {"missing": "no such file", ".": "is a directory|not a regular file", "pipe": "not a regular file"}
    if os.geteuid() == 0:
        (tmp_path / "theirs").touch(0o600)
        os.chown(tmp_path / "theirs", 12345, -1)
        places["theirs"] = "belongs to another user"
    for name, words in places.items():
        chosen = {"TIKTOK_STORE": "encrypted", "TIKTOK_STORE_KEY_FILE": str(tmp_path / name)}
        environ["TIKTOK_HOME"] = str(tmp_path / "home" / "deeper")
        with pytest.raises(InvalidSettings, match=words):
            connect(environ=environ | chosen)


@pytest.mark.parametrize("text", [f"{KEY}\n{OTHER}\n", f"{KEY}, {OTHER}", f"  {KEY} {OTHER}  "])
def test_keys_stand_one_after_the_other(environ: dict[str, str], tmp_path: Path, text: str) -> None:
    """Line ends, commas and spaces separate the keys; the first is the newest; the environment overrides the file."""
    file = tmp_path / "keys"
    file.write_text(text)
    file.chmod(0o400)
    chosen = {"TIKTOK_STORE": "encrypted", "TIKTOK_STORE_KEY_FILE": str(file)}
    assert [key.reveal() for key in load_settings({}, environ | chosen).store_keys()] == [KEY, OTHER]
    chosen["TIKTOK_STORE_KEY"] = OTHER
    found = load_settings({}, environ | chosen)
    assert [key.reveal() for key in found.store_keys()] == [OTHER]
    assert OTHER not in repr(found)


def test_only_an_encrypted_store_asks_for_keys(environ: dict[str, str]) -> None:
    """The client ignores the keys if the chosen store does not need them."""
    assert load_settings({}, environ | {"TIKTOK_STORE_KEY_FILE": "/nowhere"}).store_keys() == ()
