"""The kind of a store's trouble, for programs: messages are for people and may change."""

import pickle
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from stored import TOKENS
from tiktok_adapters.stores.encrypted import EncryptedTokenStore
from tiktok_adapters.stores.keyring import KeyringTokenStore
from tiktok_adapters.stores.memory import MemoryTokenStore
from tiktok_adapters.stores.sqlite import SqliteTokenStore
from tiktok_core import Secret, StoreError

KEYS = ["Zm9yIHRlc3RzIGFuZCBub3RoaW5nIGVsc2UgYXQgYWw=", "b3RoZXIgdGVzdHMsIGFuZCBub3RoaW5nIGVsc2UgaXM="]


def by_hand(path: Path, statement: str) -> None:
    """Change the file without its store."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement)


def locked(path: Path) -> None:
    """Load while another process writes."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with closing(SqliteTokenStore(path, busy_wait=0.01)):
            pass


def full(path: Path) -> None:
    """Save more than there is room for."""
    with closing(SqliteTokenStore(path)) as store:
        assert store._connection is not None
        store._connection.execute("PRAGMA max_page_count = 1")
        store.save("me", evolve(TOKENS, refresh_token=Secret("x" * 100_000)))


def too_large(path: Path) -> None:
    """Save more than any store accepts."""
    with closing(SqliteTokenStore(path)) as store:
        store.save("me", evolve(TOKENS, refresh_token=Secret("x" * 9_000_000)))


def damaged_file(path: Path) -> None:
    """Open a file that is no database."""
    path.write_bytes(b"junk" * 2_000)
    SqliteTokenStore(path)


def empty_file(path: Path) -> None:
    """Open a file that has lost all its content."""
    path.write_bytes(b"")
    SqliteTokenStore(path)


def damaged_record(path: Path) -> None:
    """Load half of a document."""
    by_hand(path, "UPDATE tokens SET record = x'7b'")
    with closing(SqliteTokenStore(path)) as store:
        store.load("me")


def newer_record(path: Path) -> None:
    """Load what another release has saved."""
    by_hand(path, """UPDATE tokens SET record = CAST('{"version": 99}' AS BLOB)""")
    with closing(SqliteTokenStore(path)) as store:
        store.load("me")


def newer_file(path: Path) -> None:
    """Open the file of another release."""
    by_hand(path, "PRAGMA user_version = 99")
    SqliteTokenStore(path)


def other_database(path: Path) -> None:
    """Open another program's database."""
    by_hand(path, "PRAGMA application_id = 99")
    SqliteTokenStore(path)


def folder(path: Path) -> None:
    """Open a folder."""
    SqliteTokenStore(path.parent)


def closed(path: Path) -> None:
    """Load from a closed store."""
    store = SqliteTokenStore(path)
    store.close()
    store.load("me")


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        (locked, "locked"),
        (full, "full"),
        (too_large, "full"),
        (damaged_file, "damaged"),
        (empty_file, "damaged"),
        (damaged_record, "damaged"),
        (newer_record, "version"),
        (newer_file, "version"),
        (other_database, "foreign"),
        (folder, "foreign"),
        (closed, "closed"),
    ],
)
def test_a_file_tells_what_is_the_case(tmp_path: Path, trouble: Callable[[Path], None], kind: str) -> None:
    """One word names the cause, and survives a pickle."""
    path = tmp_path / "tokens.db"
    with closing(SqliteTokenStore(path)) as store:
        store.save("me", TOKENS)
    with pytest.raises(StoreError) as caught:
        trouble(path)
    assert caught.value.kind == kind
    assert pickle.loads(pickle.dumps(caught.value)).kind == kind


@pytest.mark.parametrize(
    ("error", "kind"), [("KeyringLocked", "locked"), ("NoKeyringError", "missing"), ("InitError", "failed")]
)
def test_a_keychain_tells_what_is_the_case(error: str, kind: str) -> None:
    """A keychain does the same; a locked one may be unlocked."""

    def fail(*_: str) -> Any:
        raise type(error, (Exception,), {})

    keychain: Any = type("Failing", (), dict.fromkeys(("get_password", "set_password", "delete_password"), fail))()
    with closing(KeyringTokenStore("app", MemoryTokenStore(), keychain=keychain)) as store:
        with pytest.raises(StoreError) as caught:
            store.load("me")
        assert caught.value.kind == kind
    with pytest.raises(StoreError) as caught:
        store.load("me")
    assert caught.value.kind == "closed"


def test_encrypted_tokens_tell_what_is_the_case() -> None:
    """A wrong key is no damage: the right key opens the tokens."""
    inner = MemoryTokenStore()
    EncryptedTokenStore(inner, KEYS[:1]).save("me", TOKENS)
    with pytest.raises(StoreError) as caught:
        EncryptedTokenStore(inner, KEYS[1:]).load("me")
    assert caught.value.kind == "key"
    sealed = inner.load("me")
    assert sealed is not None
    inner.save("you", sealed)
    with pytest.raises(StoreError) as caught:
        EncryptedTokenStore(inner, KEYS).load("you")
    assert caught.value.kind == "damaged"
    inner.save("me", TOKENS)
    with pytest.raises(StoreError) as caught:
        EncryptedTokenStore(inner, KEYS).load("me")
    assert caught.value.kind == "version"
