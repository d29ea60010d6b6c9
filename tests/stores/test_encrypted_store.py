"""What the encrypted store promises beyond the contract of its port: secrecy, binding, wrong keys, and new keys."""

import asyncio
import pickle
import string
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from attrs import evolve
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from stored import NOW, TOKENS
from tiktok_adapters.clocks import AsyncioClock, ManualClock
from tiktok_adapters.stores.encrypted import AsyncEncryptedTokenStore, EncryptedTokenStore
from tiktok_adapters.stores.memory import MemoryTokenStore
from tiktok_adapters.stores.sqlite import SqliteTokenStore
from tiktok_adapters.stores.threaded import ThreadedTokenStore
from tiktok_core.domain.tokens import Secret, Tokens
from tiktok_core.errors import InvalidSettings, StoreError

LETTERS = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
OLD, NEW, WRONG = (Fernet.generate_key().decode() for _ in range(3))


@pytest.fixture
def inner() -> MemoryTokenStore:
    """Give the store that keeps the encrypted tokens."""
    return MemoryTokenStore()


@pytest.fixture
def store(inner: MemoryTokenStore) -> EncryptedTokenStore:
    """Give an encrypted store with the old key."""
    return EncryptedTokenStore(inner, [OLD])


def kept(inner: MemoryTokenStore, account: str = "me") -> Tokens:
    """Return what the inner store has."""
    found = inner.load(account)
    assert found is not None
    return found


# --- Secrecy ---------------------------------------------------------------------------------------------------------


def test_no_secret_reaches_the_file(tmp_path: Path) -> None:
    """Neither token is in the file at any moment; names, scopes and times are."""
    path = tmp_path / "tokens.db"
    store = EncryptedTokenStore(SqliteTokenStore(path), [OLD])
    store.save("me", TOKENS)
    store.close()
    content = path.read_bytes()
    assert b"canary" not in content
    assert b"video.publish" in content
    assert TOKENS.expires_at.isoformat().encode() in content


def test_the_same_tokens_never_look_the_same(store: EncryptedTokenStore, inner: MemoryTokenStore) -> None:
    """The inner store does not show whether two accounts, or two saves, have the same tokens."""
    store.save("me", TOKENS)
    first = kept(inner)
    store.save("me", TOKENS)
    assert kept(inner).access_token != first.access_token


def test_nothing_shows_a_key(store: EncryptedTokenStore) -> None:
    """Neither repr nor pickle shows a key."""
    both = (store, AsyncEncryptedTokenStore(ThreadedTokenStore(MemoryTokenStore()), [OLD]))
    for one in both:
        assert OLD not in repr(one)
        with pytest.raises(TypeError, match="it holds keys"):
            pickle.dumps(one)


# --- What does not open ----------------------------------------------------------------------------------------------


def test_a_wrong_key_is_told_and_nothing_is_overwritten(store: EncryptedTokenStore, inner: MemoryTokenStore) -> None:
    """With another key loading and saving raise an error, and the stored tokens stay. Only deleting works."""
    store.save("me", TOKENS)
    before = kept(inner)
    wrong = EncryptedTokenStore(inner, [WRONG])
    for call in (lambda: wrong.load("me"), lambda: wrong.save("me", TOKENS), lambda: wrong.rotate(ManualClock())):
        with pytest.raises(StoreError, match="no key decrypts them: give the key that encrypted them") as caught:
            call()
        assert caught.value.__cause__ is None
        assert kept(inner) == before
    assert store.load("me") == TOKENS
    wrong.delete("me")
    wrong.save("me", TOKENS)
    assert wrong.load("me") == TOKENS


def test_tokens_that_are_not_encrypted_are_not_taken(store: EncryptedTokenStore, inner: MemoryTokenStore) -> None:
    """The store refuses plain tokens from before it had keys, and does not encrypt them in passing."""
    inner.save("me", TOKENS)
    for call in (lambda: store.load("me"), lambda: store.save("me", TOKENS)):
        with pytest.raises(StoreError, match="they are not encrypted"):
            call()
    assert kept(inner) == TOKENS


def test_another_accounts_tokens_do_not_open(store: EncryptedTokenStore, inner: MemoryTokenStore) -> None:
    """A program that can write to the inner store cannot let one account post in another's name."""
    store.save("me", TOKENS)
    inner.save("you", kept(inner))
    with pytest.raises(StoreError, match="belong to another account"):
        store.load("you")


def test_what_lies_readable_is_not_believed(store: EncryptedTokenStore, inner: MemoryTokenStore) -> None:
    """A scope or time that was changed in the inner store has no effect."""
    store.save("me", TOKENS)
    inner.save("me", evolve(kept(inner), open_id="x", scope=("all",), expires_at=NOW + timedelta(days=999)))
    assert store.load("me") == TOKENS


@pytest.mark.parametrize("at", [0, 7, 8, 20, 100, -1])
def test_what_was_changed_does_not_open(store: EncryptedTokenStore, inner: MemoryTokenStore, at: int) -> None:
    """One changed or missing character is enough."""
    store.save("me", TOKENS)
    text = kept(inner).access_token.reveal()
    other = text[:at] + ("A" if text[at] != "A" else "B") + text[at:][1:]
    for damaged in (other, text[:at] + text[at:][1:], "fernet1:", "fernet1:\0"):
        inner.save("me", evolve(kept(inner), access_token=Secret(damaged)))
        with pytest.raises(StoreError, match=r"no key decrypts them|not encrypted"):
            store.load("me")


@given(
    number=st.integers(0, 10_000),
    other=st.sampled_from(["", "A", "_", "=", "==", "+", " ", "\n", "é", "\0"]),
    extra=st.booleans(),
)
def test_only_the_text_that_was_written_opens(number: int, other: str, extra: bool) -> None:
    """The text itself opens. No other text does, not even one that a lenient decoder would take for the same bytes."""
    inner = MemoryTokenStore()
    store = EncryptedTokenStore(inner, [OLD])
    store.save("me", TOKENS)
    sealed = kept(inner)
    text = sealed.access_token.reveal()
    at = number % (len(text) + 1)
    changed = text[:at] + other + text[at if extra else at + 1 :]
    inner.save("me", evolve(sealed, access_token=Secret(changed)))
    if changed == text:
        assert store.load("me") == TOKENS
        return
    with pytest.raises(StoreError, match=r"no key decrypts them|not encrypted"):
        store.load("me")


def test_bits_that_mean_nothing_do_not_open(store: EncryptedTokenStore, inner: MemoryTokenStore) -> None:
    """The last letter before the padding has bits that decode to nothing. A text with other such bits does not open."""
    lengths = (evolve(TOKENS, open_id="m" * length) for length in (1, 2, 3, *range(14, 33)))
    spelled = []
    for tokens in lengths:
        store.save("me", tokens)
        sealed = kept(inner)
        text = sealed.access_token.reveal()
        bare = text.rstrip("=")
        if bare == text:
            continue
        spelled.append(text)
        inner.save("me", evolve(sealed, access_token=Secret(text.replace(bare, _next_letter(bare)))))
        with pytest.raises(StoreError, match="no key decrypts them"):
            store.load("me")
        with pytest.raises(StoreError, match="no key decrypts them"):
            asyncio.run(AsyncEncryptedTokenStore(ThreadedTokenStore(inner), [OLD]).load("me"))
        store.delete("me")
    assert spelled


def _next_letter(bare: str) -> str:
    return bare[:-1] + LETTERS[LETTERS.index(bare[-1]) ^ 1]


def test_a_document_of_another_release_is_told(store: EncryptedTokenStore, inner: MemoryTokenStore) -> None:
    """If the document opens and makes no sense, the error says so without showing it."""
    store.save("me", TOKENS)
    content = Fernet(OLD).decrypt(kept(inner).access_token.reveal().removeprefix("fernet1:"))
    newer = Fernet(OLD).encrypt(content.replace(b'"version": 1', b'"version": 9')).decode()
    inner.save("me", evolve(kept(inner), access_token=Secret(f"fernet1:{newer}")))
    with pytest.raises(StoreError, match="record of version 9") as caught:
        store.load("me")
    assert "canary" not in str(caught.value)


# --- Keys ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keys", [[], [""], ["short"], [OLD, "canary-of-a-key"], [OLD + OLD], ["é" * 44], ["\0"]])
def test_what_is_no_key_is_refused(keys: list[str], inner: MemoryTokenStore) -> None:
    """The store refuses an impossible key before it keeps anything, and does not show it."""
    with pytest.raises(InvalidSettings, match="store_key") as caught:
        EncryptedTokenStore(inner, keys)
    assert "canary" not in str(caught.value)


def test_the_first_key_encrypts_and_all_decrypt(store: EncryptedTokenStore, inner: MemoryTokenStore) -> None:
    """A new key comes before the old one. From then on it encrypts what is saved."""
    store.save("me", TOKENS)
    both = EncryptedTokenStore(inner, [Secret(NEW), Secret(OLD)])
    assert both.load("me") == TOKENS
    both.save("me", TOKENS)
    assert EncryptedTokenStore(inner, [NEW]).load("me") == TOKENS


def test_after_a_rotation_the_old_key_can_go(store: EncryptedTokenStore, inner: MemoryTokenStore) -> None:
    """Rotating encrypts once what the first key did not encrypt, and leaves the leases free."""
    both, new = EncryptedTokenStore(inner, [NEW, OLD]), EncryptedTokenStore(inner, [NEW])
    store.save("me", TOKENS)
    store.save("you", evolve(TOKENS, open_id="you"))
    new.save("them", TOKENS)
    assert both.rotate(ManualClock(NOW)) == ("me", "you")
    assert both.rotate(ManualClock(NOW)) == ()
    assert new.load("me") == TOKENS
    assert new.load("you") == evolve(TOKENS, open_id="you")
    for account in new.accounts():
        assert new.try_lease(account, owner="a", now=NOW, until=NOW + timedelta(seconds=1))
    with pytest.raises(StoreError, match="no key decrypts them"):
        store.load("me")


def test_a_rotation_waits_for_a_renewal(store: EncryptedTokenStore, inner: MemoryTokenStore) -> None:
    """While another owner holds the lease, a rotation waits. Then it encrypts the tokens that the owner saved."""
    clock = ManualClock(NOW)
    store.save("me", TOKENS)
    assert store.try_lease("me", owner="renewal", now=NOW, until=NOW + timedelta(seconds=60))
    newer = evolve(TOKENS, refresh_token=Secret("rft.newer"))
    sleep = clock.sleep

    def renew(seconds: float, /) -> None:
        sleep(seconds)
        store.save("me", newer)
        store.release("me", owner="renewal")

    clock.sleep = renew  # type: ignore[method-assign]
    assert EncryptedTokenStore(inner, [NEW, OLD]).rotate(clock) == ("me",)
    assert EncryptedTokenStore(inner, [NEW]).load("me") == newer
    assert len(clock.naps) == 1


def test_a_rotation_skips_who_signs_out_meanwhile(inner: MemoryTokenStore) -> None:
    """An account that is gone when its turn comes needs no encryption."""

    class Gone(MemoryTokenStore):
        def accounts(self) -> tuple[str, ...]:
            return ("gone",)

    assert EncryptedTokenStore(Gone(), [NEW]).rotate(ManualClock(NOW)) == ()


def test_the_awaited_one_rotates_too(inner: MemoryTokenStore, store: EncryptedTokenStore) -> None:
    """The asynchronous store does the same."""
    store.save("me", TOKENS)
    both = AsyncEncryptedTokenStore(ThreadedTokenStore(inner), [NEW, OLD])
    assert asyncio.run(both.rotate(AsyncioClock())) == ("me",)
    assert EncryptedTokenStore(inner, [NEW]).load("me") == TOKENS


def test_stores_of_the_wrong_world_are_refused() -> None:
    """The blocking store refuses an asynchronous inner store with a clear error."""
    with pytest.raises(TypeError, match="coroutine"):
        EncryptedTokenStore(ThreadedTokenStore(MemoryTokenStore()), [OLD])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("missing", "said"),
    [("cryptography", "pip install 'tiktok-open"), ("cryptography.fernet", "pip install"), ("base64", "base64")],
)
def test_only_a_missing_package_of_ours_is_named(monkeypatch: pytest.MonkeyPatch, missing: str, said: str) -> None:
    """Without `cryptography` the error says what to install. An import that fails inside of it keeps its own words."""
    monkeypatch.delitem(sys.modules, "cryptography.fernet")
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=said):
        EncryptedTokenStore(MemoryTokenStore(), ["x"])


def test_cryptography_is_brought_in_where_it_is_used() -> None:
    """Importing the store imports no library. Without `cryptography`, making a store says what to install."""
    script = (
        "import sys\n"
        "from tiktok_adapters.stores.encrypted import EncryptedTokenStore\n"
        "from tiktok_adapters.stores.memory import MemoryTokenStore\n"
        "print('cryptography' in sys.modules)\n"
        "sys.modules['cryptography'] = None\n"
        "try: EncryptedTokenStore(MemoryTokenStore(), ['x'])\n"
        "except ImportError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    said = "an encrypted store needs cryptography: pip install 'tiktok-open[encrypted]'"
    assert done.stdout.splitlines() == ["False", said]
