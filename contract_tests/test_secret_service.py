"""The keychain of a Linux desktop (gnome-keyring over D-Bus) keeps the contract of token stores; how a locked one fails.

What belongs here: what only a real Secret Service shows. The tests have a separate bus, home and password.
"""

import gc
import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from tiktok_adapters.stores.keyring import Keychain, KeyringTokenStore
from tiktok_adapters.stores.sqlite import SqliteTokenStore
from tiktok_adapters.testing.contracts.stores import TOKENS, DurableTokenStoreContract, OpenStore, Spoil
from tiktok_core.errors import StoreError

MISSING = [name for name in ("dbus-daemon", "gnome-keyring-daemon") if shutil.which(name) is None]
pytestmark = [
    pytest.mark.skipif(
        bool(MISSING) or sys.platform != "linux", reason=f"a Secret Service needs {' and '.join(MISSING) or 'Linux'}"
    ),
    # `keyring` leaves its connection to the bus to the garbage collector if a keychain does not open.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]
PROMPTER = "org.gnome.keyring.SystemPrompter"
BUS = """<busconfig>
  <type>session</type>
  <listen>unix:dir={folder}</listen>
  <auth>EXTERNAL</auth>
  <servicedir>{folder}/services</servicedir>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""
"""A bus that starts only what a test names. The usual one starts a second keychain for whoever asks before ours is up."""


@contextmanager
def session(home: Path) -> Iterator[str]:
    """Run a session bus with an unlocked keychain, and give its address."""
    environ = {name: value for name, value in os.environ.items() if name not in {"DISPLAY", "WAYLAND_DISPLAY"}}
    environ |= dict.fromkeys(("HOME", "XDG_RUNTIME_DIR", "XDG_DATA_HOME", "XDG_DATA_DIRS"), str(home))
    configuration = home / "bus.xml"
    configuration.write_text(BUS.format(folder=home))
    (home / "services").mkdir()
    with ExitStack() as stack:
        bus = _started(stack, environ, "dbus-daemon", f"--config-file={configuration}", "--nofork", "--print-address=1")
        assert bus.stdout is not None
        environ["DBUS_SESSION_BUS_ADDRESS"] = bus.stdout.readline().strip()
        daemon = _started(stack, environ, "gnome-keyring-daemon", "--foreground", "--components=secrets", "--unlock")
        assert daemon.stdin is not None
        daemon.stdin.write("the password of the keychain")
        daemon.stdin.close()
        yield environ["DBUS_SESSION_BUS_ADDRESS"]


def _started(stack: ExitStack, environ: dict[str, str], *command: str) -> "subprocess.Popen[str]":
    pipe = subprocess.PIPE
    process = stack.enter_context(
        subprocess.Popen(command, env=environ, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True)
    )
    stack.callback(process.kill)
    return process


def keychain_of(address: str, monkeypatch: pytest.MonkeyPatch) -> Keychain:
    """Return the keychain of a session as `keyring` has it, once it answers."""
    from keyring.backends.SecretService import Keyring  # noqa: PLC0415 - there is none elsewhere

    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
    found = Keyring()
    for _attempt in range(600):  # A busy machine needs time to start two daemons.
        try:
            found.set_password("is it", "there?", "yes")
        except Exception:  # noqa: BLE001 - whatever it is: the daemon has not come up yet
            time.sleep(0.05)
        else:
            gc.collect()
            return found
    pytest.fail("the keychain did not come up within 30 s")


@pytest.fixture(scope="module")
def bus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the address of a session for all tests of the contract."""
    with session(tmp_path_factory.mktemp("session")) as address:
        yield address


class TestSecretService(DurableTokenStoreContract):
    """Entries in gnome-keyring beside a SQLite file."""

    @pytest.fixture
    def place(self, bus: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Keychain, str]:
        """Return the keychain, and a separate service for the test."""
        return keychain_of(bus, monkeypatch), f"tests {uuid.uuid4()}"

    @pytest.fixture
    def open_store(self, place: tuple[Keychain, str], tmp_path: Path) -> OpenStore:
        """Return a function that opens the place under contract."""
        keychain, service = place
        return lambda: KeyringTokenStore(service, SqliteTokenStore(tmp_path / "names.db"), keychain=keychain)

    @pytest.fixture
    def spoil(self, place: tuple[Keychain, str]) -> Spoil:
        """Return a function that puts another document into an entry."""

        def spoil(account: str, document: bytes) -> None:
            keychain, service = place
            # D-Bus carries no more at once.
            keychain.set_password(service, hashlib.sha256(account.encode()).hexdigest(), document[:1_000_000].decode())

        return spoil


@pytest.fixture
def locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KeyringTokenStore]:
    """Give a store whose keychain, in a separate session, is locked."""
    import secretstorage  # noqa: PLC0415 - there is none elsewhere

    with session(tmp_path) as address:
        keychain = keychain_of(address, monkeypatch)
        with closing(KeyringTokenStore("tests", SqliteTokenStore(tmp_path / "names.db"), keychain=keychain)) as store:
            store.save("me", TOKENS)
            with closing(secretstorage.dbus_init()) as connection:
                secretstorage.get_default_collection(connection).lock()
            yield store
    for thread in threading.enumerate():
        if thread.name == "tiktok-keychain":
            thread.join(10)
    gc.collect()


def test_a_locked_keychain_is_told_at_once(locked: KeyringTokenStore) -> None:
    """If there is no screen to ask for the password, each call raises an error that says what to do."""
    for call in (lambda: locked.load("me"), lambda: locked.save("me", TOKENS), lambda: locked.delete("me")):
        # A keychain that asks on a screen has another error.
        with pytest.raises(StoreError, match="the keychain is locked: unlock it"):
            call()


def test_a_password_that_nobody_types_is_waited_for_three_seconds(locked: KeyringTokenStore, tmp_path: Path) -> None:
    """The keychain asks on a screen and gets no answer. The call ends after its limit."""
    asks_for_ever = f"[D-BUS Service]\nName={PROMPTER}\nExec={shutil.which('sleep')} 5\n"
    (tmp_path / "services" / f"{PROMPTER}.service").write_text(asks_for_ever)
    with pytest.raises(StoreError, match=r"did not answer within 3 s: it may be locked.*unlock it and try again"):
        locked.load("me")
