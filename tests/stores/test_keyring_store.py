"""What the keychain store promises beyond the contract of its port: a keychain that hangs, fails, forgets, or is none."""

import gc
import itertools
import os
import pickle
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from stored import NEWER, TOKENS, MemoryKeychain
from tiktok_adapters.stores import keyring as module
from tiktok_adapters.stores.keyring import KeyringTokenStore
from tiktok_adapters.stores.memory import MemoryTokenStore
from tiktok_adapters.stores.sqlite import SqliteTokenStore
from tiktok_core.domain.tokens import Secret, Tokens
from tiktok_core.errors import StoreError
from tiktok_core.wire.records import dump_tokens


class HaltingKeychain(MemoryKeychain):
    """It stands still while `open` is not set."""

    def __init__(self) -> None:
        super().__init__()
        self.open = threading.Event()
        self.open.set()

    def get_password(self, service: str, username: str) -> str | None:
        """Return an entry, or None."""
        self.open.wait(10)
        return super().get_password(service, username)

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep an entry."""
        self.open.wait(10)
        super().set_password(service, username, password)


@pytest.fixture
def keychain() -> Iterator[HaltingKeychain]:
    """Give the keychain."""
    made = HaltingKeychain()
    yield made
    made.open.set()


@pytest.fixture
def store(keychain: HaltingKeychain) -> Iterator[KeyringTokenStore]:
    """Give a store that waits for a short time only."""
    with closing(KeyringTokenStore("app", MemoryTokenStore(), keychain=keychain, limit=1.0)) as made:
        yield made


def failing(error: Exception) -> Any:
    """Return a keychain whose calls all fail."""
    made = MemoryKeychain()

    def fail(*_: str) -> Any:
        raise error

    made.get_password = made.set_password = made.delete_password = fail  # type: ignore[method-assign]
    return made


# --- Where the data is -----------------------------------------------------------------------------------------------


def test_secrets_are_in_the_keychain_alone(keychain: HaltingKeychain) -> None:
    """The store beside the keychain has the name and no secret.

    The keychain has the tokens, under a name that says nothing.
    """
    beside = MemoryTokenStore()
    with closing(KeyringTokenStore("app", beside, keychain=keychain)) as store:
        store.save("me", TOKENS)
        kept = beside.load("me")
        assert kept == evolve(TOKENS, access_token=Secret(""), refresh_token=Secret(""))
        ((service, name),) = keychain.entries
        assert (service, "me" in name, len(name)) == ("app", False, 64)
        assert "canary" not in repr(store)


def test_a_save_that_the_store_beside_it_cannot_number_writes_nothing(keychain: HaltingKeychain) -> None:
    """Without a number a save could not be told from another one.

    The old entry stays, and the lease held the room for it.
    """

    class Full(MemoryTokenStore):
        def save(self, account: str, tokens: Tokens, /, *, seen: int | None = None) -> int | None:
            if self.accounts():
                raise StoreError("disk", "full")
            return super().save(account, tokens, seen=seen)

    with closing(KeyringTokenStore("app", Full(), keychain=keychain)) as store:
        seen = store.save("me", TOKENS)
        with pytest.raises(StoreError, match="full"):
            store.save("me", NEWER, seen=seen)
        assert store.load("me") == TOKENS


def test_a_save_that_died_between_number_and_entry_can_be_repeated(keychain: HaltingKeychain) -> None:
    """The entry says which save it comes from, whatever number the store beside it has reached since."""
    with closing(KeyringTokenStore("app", MemoryTokenStore(), keychain=keychain)) as store:
        seen = store.save("me", TOKENS)
        keep, keychain.set_password = keychain.set_password, lambda *_: None  # type: ignore[method-assign]
        with pytest.raises(StoreError, match="did not keep"):
            store.save("me", NEWER, seen=seen)
        keychain.set_password = keep  # type: ignore[method-assign]
        assert store.load("me") == TOKENS
        assert store.save("me", NEWER, seen=seen) is not None
        assert store.load("me") == NEWER


def test_who_was_overtaken_between_number_and_entry_writes_nothing(keychain: HaltingKeychain) -> None:
    """A keychain cannot compare, so the store looks once more right before it writes the entry."""
    beside = MemoryTokenStore()
    with closing(KeyringTokenStore("app", beside, keychain=keychain)) as store:
        seen = store.save("me", TOKENS)
        load, looks = beside.load, itertools.count()

        def load_after_a_sign_in(account: str, /) -> Tokens | None:
            if next(looks) == 1:  # The keychain's thread makes the second one.
                beside.load = load  # type: ignore[method-assign]
                newer = beside.save(account, TOKENS)
                keychain.entries["app", module._name("me")] = f"{newer} {dump_tokens(NEWER).decode()}"
            return load(account)

        beside.load = load_after_a_sign_in  # type: ignore[method-assign]
        store.save("me", evolve(TOKENS, refresh_token=Secret("rft.late")), seen=seen)
        assert store.load("me") == NEWER


def test_what_is_known_beside_the_keychain_may_be_damaged(keychain: HaltingKeychain, tmp_path: Path) -> None:
    """Then the store saves nothing over it, and forgetting the account makes a new start possible."""
    path = tmp_path / "names.db"
    with closing(KeyringTokenStore("app", SqliteTokenStore(path), keychain=keychain)) as store:
        store.save("me", TOKENS)
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE tokens SET record = x'7b'")
        with pytest.raises(StoreError, match="damaged"):
            store.save("me", NEWER)
        assert store.load("me") == TOKENS
        store.delete("me")
        assert keychain.entries == {}
        store.save("me", NEWER)
        assert store.load("me") == NEWER


def test_an_entry_of_the_first_release_is_read(keychain: HaltingKeychain) -> None:
    """Such an entry has no number; its next save gives it one."""
    beside = MemoryTokenStore()
    beside.save("me", evolve(TOKENS, access_token=Secret(""), refresh_token=Secret("")))
    keychain.entries["app", module._name("me")] = dump_tokens(TOKENS).decode()
    with closing(KeyringTokenStore("app", beside, keychain=keychain)) as store:
        loaded = store.load("me")
        assert loaded == TOKENS
        assert store.save("me", NEWER, seen=loaded.generation) is not None
        assert store.save("me", TOKENS, seen=loaded.generation) is None
        assert store.load("me") == NEWER


def test_an_entry_that_was_removed_by_hand_is_no_account(store: KeyringTokenStore, keychain: HaltingKeychain) -> None:
    """A person who deletes an entry in the system's own window has signed that account out here."""
    store.save("me", TOKENS)
    store.save("you", TOKENS)
    del keychain.entries["app", module._name("me")]
    assert store.accounts() == ("you",)
    assert store.load("me") is None
    store.delete("me")
    assert store.accounts() == ("you",)


def test_apps_do_not_share_entries(keychain: HaltingKeychain) -> None:
    """Each service is a separate place."""
    with (
        closing(KeyringTokenStore("one", MemoryTokenStore(), keychain=keychain)) as one,
        closing(KeyringTokenStore("other", MemoryTokenStore(), keychain=keychain)) as other,
    ):
        one.save("me", TOKENS)
        assert other.load("me") is None


@pytest.mark.parametrize("damage", ["", "{}", "9" * 5_000 + " {}", "\ud83d", "x" * 100_000, '{"version": 2}'])
def test_a_damaged_entry_is_told_and_kept(store: KeyringTokenStore, keychain: HaltingKeychain, damage: str) -> None:
    """An unreadable entry is a `StoreError`, and stays as it is."""
    store.save("me", TOKENS)
    key = next(iter(keychain.entries))
    keychain.entries[key] = damage
    for call in (lambda: store.load("me"), lambda: store.save("me", NEWER)):
        with pytest.raises(StoreError, match="record"):
            call()
    assert keychain.entries[key] == damage


def test_what_windows_would_cut_is_refused(
    store: KeyringTokenStore, keychain: HaltingKeychain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tokens too large for an entry are a `StoreError` with the figures, and the store keeps no part of them."""
    monkeypatch.setattr(module, "LARGEST", 1_280)
    store.save("me", TOKENS)
    with pytest.raises(StoreError, match=r"take 1\d{3} characters of at most 1280: choose another store"):
        store.save("me", evolve(TOKENS, access_token=Secret("a" * 1_100)))
    assert store.load("me") == TOKENS
    assert len(keychain.entries) == 1


# --- A keychain that does not answer ---------------------------------------------------------------------------------


def test_a_keychain_that_hangs_is_waited_for_within_the_limit(keychain: HaltingKeychain) -> None:
    """Every call ends after the limit, with what to do. When the keychain answers again, so does the store."""
    names = MemoryTokenStore()
    store = KeyringTokenStore("app", names, keychain=keychain, limit=1.0)
    store.save("me", TOKENS)
    keychain.open.clear()
    with closing(store), closing(KeyringTokenStore("app", names, keychain=keychain, limit=0.1)) as hasty:
        for call in (
            lambda: hasty.load("me"),
            hasty.accounts,
            lambda: hasty.save("me", NEWER),
            lambda: hasty.delete("me"),
        ):
            with pytest.raises(StoreError, match=r"did not answer within 0.1 s: .* unlock it and try again, or choose"):
                call()
        keychain.open.set()
        # Of the calls that were given up, only those that had begun were finished.
        assert store.load("me") == TOKENS


def test_what_is_done_late_is_done_before_what_is_asked_later(
    store: KeyringTokenStore, keychain: HaltingKeychain
) -> None:
    """An unfinished save that its caller gave up does not replace a newer one."""
    keychain.open.clear()
    with pytest.raises(StoreError, match="did not answer"):
        store.save("me", TOKENS)
    threading.Timer(0.02, keychain.open.set).start()
    store.save("me", NEWER)
    assert store.load("me") == NEWER


def test_a_keychain_that_hangs_does_not_keep_the_process() -> None:
    """The process can end while the keychain hangs."""
    script = (
        "import threading\n"
        "from tiktok_adapters.stores.keyring import KeyringTokenStore\n"
        "from tiktok_adapters.stores.memory import MemoryTokenStore\n"
        "class Hangs:\n"
        "    def get_password(self, service, username): threading.Event().wait()\n"
        "store = KeyringTokenStore('app', MemoryTokenStore(), keychain=Hangs(), limit=0.1)\n"
        "try: store.load('me')\n"
        "except Exception as error: print(type(error).__name__)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=20)
    assert (done.returncode, done.stdout, done.stderr) == (0, "StoreError\n", "")


def test_the_limit_is_three_seconds() -> None:
    """A caller waits no longer, unless the program sets another limit."""
    assert KeyringTokenStore.__init__.__kwdefaults__["limit"] == 3.0


# --- A keychain that fails, or does not exist ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("KeyringLocked", "the keychain is locked: unlock it and try again, or choose another store"),
        ("NoKeyringError", "this system has no keychain: install one"),
        ("PasswordSetError", r"the keychain failed \(PasswordSetError\): check that it runs"),
    ],
)
def test_what_keyring_raises_is_told(error: str, words: str) -> None:
    """Every error of `keyring` becomes a `StoreError` with one sentence of the library's, and without its own text."""
    import keyring.errors  # noqa: PLC0415 - beside the module of the same name

    broken = failing(getattr(keyring.errors, error)("act.canary"))
    beside = MemoryTokenStore()
    beside.save("me", TOKENS)
    with closing(KeyringTokenStore("app", beside, keychain=broken)) as store:
        for call in (
            lambda: store.load("me"),
            lambda: store.save("me", TOKENS),
            lambda: store.delete("me"),
            store.accounts,
        ):
            with pytest.raises(StoreError, match=words) as caught:
                call()
            assert "canary" not in str(caught.value)
            assert caught.value.__cause__ is None


def test_what_a_backend_raises_is_told() -> None:
    """Any other error becomes a `StoreError`, too, because each keychain has errors of its own."""
    for error in (ConnectionRefusedError("x"), TimeoutError("x"), UnicodeError("x")):
        with (
            closing(KeyringTokenStore("app", MemoryTokenStore(), keychain=failing(error))) as store,
            pytest.raises(StoreError, match=rf"the keychain failed \({type(error).__name__}\)"),
        ):
            store.load("me")


def test_a_keychain_that_keeps_nothing_is_found_out(keychain: HaltingKeychain) -> None:
    """Some backends forget what they get. This is an error at the first sign-in, and not at the first post."""
    keychain.set_password = lambda *_: None  # type: ignore[method-assign]
    with (
        closing(KeyringTokenStore("app", MemoryTokenStore(), keychain=keychain)) as store,
        pytest.raises(StoreError, match="did not keep the entry: choose another store"),
    ):
        store.save("me", TOKENS)


@pytest.mark.parametrize("name", ["fail", "null"])
def test_what_is_no_keychain_is_not_used(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """If `keyring` finds no keychain of the system, the store keeps the tokens nowhere else instead."""
    import importlib  # noqa: PLC0415

    import keyring.core  # noqa: PLC0415 - beside the module of the same name

    backend = importlib.import_module(f"keyring.backends.{name}").Keyring()
    monkeypatch.setattr(keyring.core, "_keyring_backend", backend)
    with closing(KeyringTokenStore("app", MemoryTokenStore())) as store:
        for call in (lambda: store.load("me"), lambda: store.save("me", TOKENS)):
            with pytest.raises(StoreError, match="this system has no keychain: install one"):
                call()


def test_the_keychain_that_keyring_finds_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an argument, the store uses the keychain that `keyring` chooses. It refuses a file of plain text."""
    import keyring.core  # noqa: PLC0415 - beside the module of the same name
    from keyring.backend import KeyringBackend  # noqa: PLC0415

    class Ours(MemoryKeychain, KeyringBackend):  # type: ignore[misc] # one in memory is as good as any
        priority = 5

    ours = Ours()
    monkeypatch.setattr(keyring.core, "_keyring_backend", ours)
    with closing(KeyringTokenStore("app", MemoryTokenStore())) as store:
        store.save("me", TOKENS)
        assert store.load("me") == TOKENS
        assert len(ours.entries) == 1
    Ours.priority = 0.5
    with (
        closing(KeyringTokenStore("app", MemoryTokenStore())) as store,
        pytest.raises(StoreError, match="this system has no keychain"),
    ):
        store.load("me")


def test_keyring_is_brought_in_where_it_is_used() -> None:
    """Importing the store imports no library.

    Without `keyring`, making a store says what to install, unless it is given a keychain.
    """
    script = (
        "import sys\n"
        "from tiktok_adapters.stores.keyring import KeyringTokenStore\n"
        "from tiktok_adapters.stores.memory import MemoryTokenStore\n"
        "print('keyring' in sys.modules)\n"
        "import importlib.util\n"
        "importlib.util.find_spec = lambda name: None\n"
        "try: KeyringTokenStore('app', MemoryTokenStore())\n"
        "except ImportError as error: print(error)\n"
        "KeyringTokenStore('app', MemoryTokenStore(), keychain=object()).close()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["False", "the keychain needs keyring: pip install 'tiktok-open[keyring]'"]


# --- Its end ---------------------------------------------------------------------------------------------------------


def running() -> int:
    """Return how many threads call keychains."""
    return sum(thread.name == "tiktok-keychain" for thread in threading.enumerate())


def until(holds: Callable[[], bool]) -> bool:
    """Wait for the condition, but not for ever."""
    end = time.monotonic() + 5
    while not holds() and time.monotonic() < end:
        time.sleep(0.01)
    return holds()


def test_the_thread_ends_with_its_store(keychain: HaltingKeychain) -> None:
    """Closing ends the thread. Without closing, the garbage collector ends it."""
    assert until(lambda: running() == 0)
    store = KeyringTokenStore("app", MemoryTokenStore(), keychain=keychain)
    store.load("me")
    assert running() == 1
    store.close()
    assert until(lambda: running() == 0)
    store = KeyringTokenStore("app", MemoryTokenStore(), keychain=keychain)
    store.load("me")
    del store
    gc.collect()
    assert until(lambda: running() == 0)


def test_a_forked_child_is_told_to_open_its_own(store: KeyringTokenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a forked child the store says so at once, because its thread is not there."""
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(StoreError, match="another process opened it"):
        store.load("me")


def test_it_is_not_pickled(store: KeyringTokenStore) -> None:
    """A store does not go to another process by accident."""
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(store)
