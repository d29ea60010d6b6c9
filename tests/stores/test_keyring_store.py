"""What the keychain store promises beyond the contract of its port: a keychain that hangs, fails, keeps nothing, or is none."""

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
    """Give a store that loses its patience soon."""
    with closing(KeyringTokenStore("app", MemoryTokenStore(), keychain=keychain, limit=0.1)) as made:
        yield made


def failing(error: Exception) -> Any:
    """Return a keychain that can do nothing."""
    made = MemoryKeychain()

    def fail(*_: str) -> Any:
        raise error

    made.get_password = made.set_password = made.delete_password = fail  # type: ignore[method-assign]
    return made


# --- What lies where -------------------------------------------------------------------------------------------------


def test_secrets_are_in_the_keychain_alone(keychain: HaltingKeychain) -> None:
    """The store beside it has the name, and no secret; the keychain has the tokens under a name that tells nothing."""
    beside = MemoryTokenStore()
    with closing(KeyringTokenStore("app", beside, keychain=keychain)) as store:
        store.save("me", TOKENS)
        kept = beside.load("me")
        assert kept == evolve(TOKENS, access_token=Secret(""), refresh_token=Secret(""))
        ((service, name),) = keychain.entries
        assert (service, "me" in name, len(name)) == ("app", False, 64)
        assert "canary" not in repr(store)


def test_a_save_that_the_store_beside_it_cannot_number_writes_nothing(keychain: HaltingKeychain) -> None:
    """Without a number nobody could tell it from another one: the old entry stays, and the lease had held the room."""

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
    """The entry says which save it comes from, whatever the store beside it has counted since."""
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
    """A keychain cannot compare: so it is looked once more, right before the entry is written."""
    beside = MemoryTokenStore()
    with closing(KeyringTokenStore("app", beside, keychain=keychain)) as store:
        seen = store.save("me", TOKENS)
        load, looks = beside.load, itertools.count()

        def load_after_a_sign_in(account: str, /) -> Tokens | None:
            if next(looks) == 1:  # The second one is made in the keychain's thread.
                beside.load = load  # type: ignore[method-assign]
                newer = beside.save(account, TOKENS)
                keychain.entries["app", module._name("me")] = f"{newer} {dump_tokens(NEWER).decode()}"
            return load(account)

        beside.load = load_after_a_sign_in  # type: ignore[method-assign]
        store.save("me", evolve(TOKENS, refresh_token=Secret("rft.late")), seen=seen)
        assert store.load("me") == NEWER


def test_what_is_known_beside_the_keychain_may_be_damaged(keychain: HaltingKeychain, tmp_path: Path) -> None:
    """Then nothing is saved over it, and forgetting the account is how one begins anew."""
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
    """It has no number yet; from its next save on it has one."""
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
    """Whoever deletes an entry in the system's own window has signed that account out here."""
    store.save("me", TOKENS)
    store.save("you", TOKENS)
    del keychain.entries["app", module._name("me")]
    assert store.accounts() == ("you",)
    assert store.load("me") is None
    store.delete("me")
    assert store.accounts() == ("you",)


def test_apps_do_not_share_entries(keychain: HaltingKeychain) -> None:
    """Each service is a place of its own."""
    with (
        closing(KeyringTokenStore("one", MemoryTokenStore(), keychain=keychain)) as one,
        closing(KeyringTokenStore("other", MemoryTokenStore(), keychain=keychain)) as other,
    ):
        one.save("me", TOKENS)
        assert other.load("me") is None


@pytest.mark.parametrize("damage", ["", "{}", "9" * 5_000 + " {}", "\ud83d", "x" * 100_000, '{"version": 2}'])
def test_a_damaged_entry_is_told_and_kept(store: KeyringTokenStore, keychain: HaltingKeychain, damage: str) -> None:
    """An entry that cannot be read is a `StoreError`, and stays as it is."""
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
    """Tokens that are too large for an entry are a `StoreError` with the figures, and nothing is kept of them."""
    monkeypatch.setattr(module, "LARGEST", 1_280)
    store.save("me", TOKENS)
    with pytest.raises(StoreError, match=r"take 1\d{3} characters of at most 1280: choose another store"):
        store.save("me", evolve(TOKENS, access_token=Secret("a" * 1_100)))
    assert store.load("me") == TOKENS
    assert len(keychain.entries) == 1


# --- A keychain that does not answer ---------------------------------------------------------------------------------


def test_a_keychain_that_hangs_is_waited_for_within_the_limit(
    store: KeyringTokenStore, keychain: HaltingKeychain
) -> None:
    """Every call ends after the limit with what to do; when the keychain answers again, so does the store."""
    store.save("me", TOKENS)
    keychain.open.clear()
    for call in (
        lambda: store.load("me"),
        store.accounts,
        lambda: store.save("me", NEWER),
        lambda: store.delete("me"),
    ):
        with pytest.raises(StoreError, match=r"did not answer within 0\.1 s: .* unlock it and try again, or choose"):
            call()
    keychain.open.set()
    # Of those that nobody waited for any more, only what had been begun was done.
    assert store.load("me") == TOKENS


def test_what_is_done_late_is_done_before_what_is_asked_later(
    store: KeyringTokenStore, keychain: HaltingKeychain
) -> None:
    """A save that was begun and not waited for does not come back over a newer one."""
    keychain.open.clear()
    with pytest.raises(StoreError, match="did not answer"):
        store.save("me", TOKENS)
    threading.Timer(0.02, keychain.open.set).start()
    store.save("me", NEWER)
    assert store.load("me") == NEWER


def test_a_keychain_that_hangs_does_not_keep_the_process() -> None:
    """Whoever is done can end, whatever the keychain is doing."""
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
    """Nobody who asks waits for longer, unless somebody says so."""
    assert KeyringTokenStore.__init__.__kwdefaults__["limit"] == 3.0


# --- A keychain that fails, or is none -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("KeyringLocked", "the keychain is locked: unlock it and try again, or choose another store"),
        ("NoKeyringError", "this system has no keychain: install one"),
        ("PasswordSetError", r"the keychain failed \(PasswordSetError\): check that it runs"),
    ],
)
def test_what_keyring_raises_is_told(error: str, words: str) -> None:
    """Every error of `keyring` is a `StoreError` of one sentence, in our words and without its own."""
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
    """So is any other error: each keychain has its own."""
    for error in (ConnectionRefusedError("x"), TimeoutError("x"), UnicodeError("x")):
        with (
            closing(KeyringTokenStore("app", MemoryTokenStore(), keychain=failing(error))) as store,
            pytest.raises(StoreError, match=rf"the keychain failed \({type(error).__name__}\)"),
        ):
            store.load("me")


def test_a_keychain_that_keeps_nothing_is_found_out(keychain: HaltingKeychain) -> None:
    """Some backends forget what they are given: that is an error at the first sign-in, and not at the first post."""
    keychain.set_password = lambda *_: None  # type: ignore[method-assign]
    with (
        closing(KeyringTokenStore("app", MemoryTokenStore(), keychain=keychain)) as store,
        pytest.raises(StoreError, match="did not keep the entry: choose another store"),
    ):
        store.save("me", TOKENS)


@pytest.mark.parametrize("name", ["fail", "null"])
def test_what_is_no_keychain_is_not_used(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where `keyring` finds no keychain of the system, nothing is kept anywhere else instead."""
    import importlib  # noqa: PLC0415

    import keyring.core  # noqa: PLC0415 - beside the module of the same name

    backend = importlib.import_module(f"keyring.backends.{name}").Keyring()
    monkeypatch.setattr(keyring.core, "_keyring_backend", backend)
    with closing(KeyringTokenStore("app", MemoryTokenStore())) as store:
        for call in (lambda: store.load("me"), lambda: store.save("me", TOKENS)):
            with pytest.raises(StoreError, match="this system has no keychain: install one"):
                call()


def test_the_keychain_that_keyring_finds_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless one is given, it is the one that `keyring` chooses, and a file of plain text is none."""
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
    """Importing the store costs nothing; without `keyring` making one says what to install, unless a keychain is given."""
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
    """Return how many threads ask keychains."""
    return sum(thread.name == "tiktok-keychain" for thread in threading.enumerate())


def until(holds: Callable[[], bool]) -> bool:
    """Wait for it, not for ever."""
    end = time.monotonic() + 5
    while not holds() and time.monotonic() < end:
        time.sleep(0.01)
    return holds()


def test_the_thread_ends_with_its_store(keychain: HaltingKeychain) -> None:
    """Closing ends the thread, and so does the garbage collector where nobody closes."""
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
    """A store that came through a fork says so at once: its thread did not come along."""
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(StoreError, match="another process opened it"):
        store.load("me")


def test_it_is_not_pickled(store: KeyringTokenStore) -> None:
    """A store does not travel to another process by accident."""
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(store)
