"""Token store in the operating system's keychain: Secret Service, macOS Keychain, Windows Credential Manager.

What belongs here: how entries of a keychain hold tokens, and the errors for a keychain that does not answer. The store is
used only where the user chose it. It never falls back to another place.
"""

import hashlib
import importlib.util
import os
import queue
import re
import sys
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime
from typing import Any, Final, NoReturn, Protocol, TypeVar

from attrs import evolve

from tiktok_core.domain.tokens import Secret, Tokens
from tiktok_core.errors import StoreError, StoreTrouble
from tiktok_core.hidden import Hidden
from tiktok_core.ports import TokenStore
from tiktok_core.wire.records import OtherVersion, dump_tokens, load_tokens

__all__ = ["Keychain", "KeyringTokenStore"]

T = TypeVar("T")

LARGEST: Final = 1_280 if sys.platform == "win32" else 64 * 1_024
"""Characters of an entry. Windows takes 2,560 bytes of UTF-16 (`CRED_MAX_CREDENTIAL_BLOB_SIZE`). Its error is unclear."""
NUMBER: Final = 20
"""Largest number of characters that the generation takes in an entry."""
NUMBERED: Final = re.compile(r"([0-9]{1,19}) ")
ELSEWHERE: Final = "or choose another store"
NO_KEYCHAIN: Final = f"this system has no keychain: install one (on Linux gnome-keyring or KWallet), {ELSEWHERE}"
LOCKED: Final = f"the keychain is locked: unlock it and try again, {ELSEWHERE}"


class Keychain(Protocol):
    """The methods that the store needs of a keychain. A `keyring.backend.KeyringBackend` has them."""

    def get_password(self, service: str, username: str, /) -> str | None:
        """Return an entry, or None."""
        ...

    def set_password(self, service: str, username: str, password: str, /) -> None:
        """Store an entry, replacing any earlier one."""
        ...

    def delete_password(self, service: str, username: str, /) -> None:
        """Remove an entry."""
        ...


class KeyringTokenStore:
    """Tokens in the keychain, one entry for each account. A second store keeps names and leases, but no secret.

    A keychain can neither list its entries nor grant leases, so the store needs the second store `beside`. An entry's name is
    a digest of the account.

    Threads may share the store. Processes may share it if they may share the store `beside`. A forked child must open its
    own. A separate thread calls the keychain, because a keychain may block while it asks for a password. After `limit` seconds
    the method raises `StoreError`. The keychain may still finish that call later, but always before any later call.

    A keychain cannot compare and write in one step. The store `beside` can: it gives each save a generation, and the entry
    holds that number. A save writes no entry once a later save has a newer generation.

    Every method may raise `StoreError`, for example when there is no keychain, or the keychain is locked or does not keep
    its entries. Once the store is closed, every method but `close` raises it.

    Args:
        service: the service name of the entries. Use one for each app, because an `open_id` is valid for one app only.
        beside: keeps the accounts' names, scopes, times and leases. Closing this store closes it.
        keychain: used in place of the one that `keyring` finds.
        limit: seconds to wait for the keychain.

    Raises:
        ImportError: `keyring` is not installed, and `keychain` is None.
    """

    def __init__(
        self, service: str, beside: TokenStore, *, keychain: Keychain | None = None, limit: float = 3.0
    ) -> None:
        if keychain is None and importlib.util.find_spec("keyring") is None:
            raise ImportError("the keychain needs keyring: pip install 'tiktok-open[keyring]'", name="keyring")
        self._service = service
        self._beside = beside
        self._worker = _Worker(keychain, limit)

    def load(self, account: str, /) -> Tokens | None:
        """Return the account's tokens, or None."""
        name = _name(account)
        kept = self._ask(lambda keychain: _entry(keychain, self._service, name))
        if kept is None:
            return None
        generation, document = _parted(kept)
        try:
            return evolve(load_tokens(document), generation=generation)
        except ValueError as error:
            kind: StoreTrouble = "version" if isinstance(error, OtherVersion) else "damaged"
            said = f"account {account!r}: {error}: it is kept, and 'tiktok logout --forget' with this name forgets it"
            raise self._error(said, kind) from None

    def save(self, account: str, tokens: Tokens, /, *, seen: int | None = None) -> int | None:
        """Store the tokens and return their generation. With `seen`, only replace that generation; else return None.

        An entry that cannot be read is never replaced.
        """
        name, document = _name(account), Secret(dump_tokens(tokens).decode())
        if (length := len(document.reveal()) + NUMBER) > LARGEST:
            said = f"the tokens take {length} characters of at most {LARGEST}: choose another store"
            raise self._error(said, "full")

        # Load `beside` first: if another save comes between the two loads, the save to `beside` below notices it.
        beside = self._beside.load(account)
        kept = self.load(account)
        if seen is not None and (beside is None or kept is None or kept.generation != seen):
            return None
        # Save `beside` first: a keychain cannot list entries, so one without its name in `beside` could not be found again.
        known = evolve(tokens, access_token=Secret(""), refresh_token=Secret(""))
        over = None if seen is None or beside is None else beside.generation
        generation = self._beside.save(account, known, seen=over)
        if generation is None:
            return None
        entry = Secret(f"{generation} {document.reveal()}")

        def keep(keychain: Keychain) -> bool:
            latest = self._beside.load(account)
            if latest is None or latest.generation != generation:
                return True  # A later save has replaced these tokens.
            keychain.set_password(self._service, name, entry.reveal())
            # Read it back: some keychains keep nothing, and some truncate.
            return _entry(keychain, self._service, name) == entry

        if not self._ask(keep):
            raise self._error("the keychain did not keep the entry: choose another store")
        return generation

    def delete(self, account: str, /, *, seen: int | None = None) -> None:
        """Delete the account's tokens, if it has any. With `seen`, only delete that generation."""
        name = _name(account)
        # Without `seen` do not read `beside`: an unreadable entry must be deletable.
        beside = None if seen is None else self._beside.load(account)

        def remove(keychain: Keychain) -> bool:
            entry = _entry(keychain, self._service, name)
            if seen is not None and (entry is None or _parted(entry)[0] != seen):
                return False
            if entry is not None:
                keychain.delete_password(self._service, name)
            return True

        if self._ask(remove):
            self._beside.delete(account, seen=None if beside is None else beside.generation)

    def accounts(self) -> tuple[str, ...]:
        """Return the names of all accounts that have tokens, sorted."""
        names = self._beside.accounts()
        # The keychain's owner may have removed an entry.
        return tuple(account for account in names if self._has_entry(account))

    def try_lease(self, account: str, /, *, owner: str, now: datetime, until: datetime) -> bool:
        """Take or renew the lease until `until`. Return False while another owner's lease is valid at `now`."""
        return self._beside.try_lease(account, owner=owner, now=now, until=until)

    def release(self, account: str, /, *, owner: str) -> None:
        """Release the lease, if `owner` holds it."""
        self._beside.release(account, owner=owner)

    def close(self) -> None:
        """Close the store; a second call does nothing."""
        self._worker.close()
        self._beside.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._service!r}, {self._beside!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an open store is not pickled: open it again where it is needed")

    def _has_entry(self, account: str) -> bool:
        name = _name(account)
        return self._ask(lambda keychain: _entry(keychain, self._service, name)) is not None

    def _ask(self, question: Callable[[Keychain], T]) -> T:
        try:
            return self._worker.ask(question)
        except _Trouble as trouble:
            raise self._error(*trouble.args) from None

    def _error(self, reason: str, kind: StoreTrouble = "failed") -> StoreError:
        return StoreError(f"Keychain, service {self._service!r}", reason, kind)


def _name(account: str) -> str:
    # An account's name may be too long for an entry's name, or hold characters that a keychain refuses.
    return hashlib.sha256(account.encode("utf-8", "surrogatepass")).hexdigest()


def _entry(keychain: Keychain, service: str, name: str) -> Secret | None:
    found = Hidden(keychain.get_password(service, name))
    return None if found.reveal() is None else Secret(found.reveal() or "")


def _parted(entry: Secret) -> tuple[int, Hidden[bytes]]:
    """Return an entry's generation and its document. The first release wrote no generation: it counts as 0."""
    numbered = NUMBERED.match(entry.reveal())
    generation, beginning = (int(numbered[1]), numbered.end()) if numbered else (0, 0)
    return generation, Hidden(entry.reveal()[beginning:].encode("utf-8", "surrogatepass"))


class _Trouble(Exception):
    """The keychain failed. The arguments are the reason, as a clause, and the kind of trouble."""


_Question = tuple[Callable[[Keychain], Any], "Future[Any]"]


class _Worker:
    """A thread that calls the keychain, one call after the other.

    It is a daemon thread: a keychain that never answers must not keep the process from ending.
    """

    def __init__(self, keychain: Keychain | None, limit: float) -> None:
        self._limit = limit
        self._pid = os.getpid()
        self._questions: queue.SimpleQueue[_Question | None] = queue.SimpleQueue()
        # The thread refers to the queue only, not to this object: so collecting an unclosed store ends the thread too.
        self._end = weakref.finalize(self, self._questions.put, None)
        self._end.atexit = False
        thread = threading.Thread(target=_answer, args=(keychain, self._questions), name="tiktok-keychain", daemon=True)
        thread.start()

    def ask(self, question: Callable[[Keychain], T]) -> T:
        """Run the question in the thread, and return its result.

        Raises:
            _Trouble: the store is closed, or the keychain did not answer in time.
        """
        if os.getpid() != self._pid:
            raise _Trouble("another process opened it: open it again after the fork", "closed")
        if not self._end.alive:
            raise _Trouble("it is closed", "closed")
        answer: Future[T] = Future()
        self._questions.put((question, answer))
        try:
            return answer.result(self._limit)
        except TimeoutError:
            # A call that the thread has not begun is never made.
            answer.cancel()
            raise _Trouble(
                f"the keychain did not answer within {self._limit:g} s: it may be locked, or ask for its password on the "
                f"screen; unlock it and try again, {ELSEWHERE}",
                "locked",
            ) from None

    def close(self) -> None:
        """End the thread after the calls that it has been given. A second call does nothing."""
        self._end()


def _answer(keychain: Keychain | None, questions: "queue.SimpleQueue[_Question | None]") -> None:
    while (asked := questions.get()) is not None:
        question, answer = asked
        if answer.set_running_or_notify_cancel():
            try:
                if keychain is None:
                    keychain = _found()
                answer.set_result(question(keychain))
            except Exception as error:  # noqa: BLE001 - a backend may raise any exception
                answer.set_exception(_trouble(error))
        # An idle thread must hold no secret.
        del asked, question, answer


def _found() -> Keychain:
    """Return the operating system's keychain. Finding it may block as long as calling it."""
    import keyring  # noqa: PLC0415 - only where it is used

    found = keyring.get_keyring()
    # Backends of a lower priority are unprotected files, and one that keeps nothing. They are no keychains.
    if found.priority < 1:
        raise _Trouble(NO_KEYCHAIN, "missing")
    return found


def _trouble(error: Exception) -> _Trouble:
    """Describe an error in our own words. A backend's message may quote the secret."""
    if isinstance(error, _Trouble):
        return error
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if "KeyringLocked" in kinds:
        return _Trouble(LOCKED, "locked")
    if "NoKeyringError" in kinds:
        return _Trouble(NO_KEYCHAIN, "missing")
    return _Trouble(f"the keychain failed ({type(error).__name__}): check that it runs and is unlocked, {ELSEWHERE}")
