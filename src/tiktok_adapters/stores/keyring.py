"""Token store in the operating system's keychain: Secret Service, macOS Keychain, Windows Credential Manager.

What belongs here: how tokens lie in a keychain, and what is said when it does not answer. It is used where it was chosen,
and nothing is ever kept elsewhere instead.
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
"""Characters of an entry. Windows takes 2,560 bytes of UTF-16 (`CRED_MAX_CREDENTIAL_BLOB_SIZE`) and says so badly."""
NUMBER: Final = 20
"""Characters for an entry's generation, at most."""
NUMBERED: Final = re.compile(r"([0-9]{1,19}) ")
ELSEWHERE: Final = "or choose another store"
NO_KEYCHAIN: Final = f"this system has no keychain: install one (on Linux gnome-keyring or KWallet), {ELSEWHERE}"
LOCKED: Final = f"the keychain is locked: unlock it and try again, {ELSEWHERE}"


class Keychain(Protocol):
    """What is asked of a keychain; a `keyring.backend.KeyringBackend` is one."""

    def get_password(self, service: str, username: str, /) -> str | None:
        """Return an entry, or None."""
        ...

    def set_password(self, service: str, username: str, password: str, /) -> None:
        """Keep an entry, in place of what was there."""
        ...

    def delete_password(self, service: str, username: str, /) -> None:
        """Remove an entry."""
        ...


class KeyringTokenStore:
    """Tokens in the keychain, one entry for each account; names and leases in a store beside it, without any secret.

    A keychain cannot list its entries, and cannot say who may renew: hence the store beside it. Entries are named by a
    digest of the account.

    Threads may share it; processes too, as far as they may share the store beside it; a forked child opens its own. The
    keychain is asked in a thread of its own, so that one which waits for a password holds up nobody: after `limit`
    seconds the call is a `StoreError`. What had been begun by then may still be done, before whatever is asked later.

    A keychain cannot compare before it writes: the store beside it does, and gives each save its number, which stands in the
    entry. Whoever was overtaken between the two does not write.

    Every method may raise `StoreError`: also when there is no keychain, when it is locked or keeps nothing, and, but for
    `close`, once the store is closed.

    Args:
        service: under which name the entries stand; one for each app, because an `open_id` means nothing to another one.
        beside: keeps the accounts' names, with their scopes and times, and the leases. Closing this store closes it.
        keychain: asked in place of the one that `keyring` finds.
        limit: seconds to wait for the keychain.

    Raises:
        ImportError: `keyring` is not installed, and no keychain is given.
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
        """Keep the tokens in place of what was there, and return their generation; None where `seen` is not there.

        An entry that cannot be read is not replaced by anything.
        """
        name, document = _name(account), Secret(dump_tokens(tokens).decode())
        if (length := len(document.reveal()) + NUMBER) > LARGEST:
            said = f"the tokens take {length} characters of at most {LARGEST}: choose another store"
            raise self._error(said, "full")

        # In this order: whoever comes between the two looks is found out by the save beside.
        beside = self._beside.load(account)
        kept = self.load(account)
        if seen is not None and (beside is None or kept is None or kept.generation != seen):
            return None
        # First, so that no entry is ever one that nobody knows of.
        known = evolve(tokens, access_token=Secret(""), refresh_token=Secret(""))
        over = None if seen is None or beside is None else beside.generation
        generation = self._beside.save(account, known, seen=over)
        if generation is None:
            return None
        entry = Secret(f"{generation} {document.reveal()}")

        def keep(keychain: Keychain) -> bool:
            latest = self._beside.load(account)
            if latest is None or latest.generation != generation:
                return True  # Somebody has replaced them in the meantime.
            keychain.set_password(self._service, name, entry.reveal())
            # There are keychains that keep nothing, or cut what they keep.
            return _entry(keychain, self._service, name) == entry

        if not self._ask(keep):
            raise self._error("the keychain did not keep what it was given: choose another store")
        return generation

    def delete(self, account: str, /, *, seen: int | None = None) -> None:
        """Forget the account's tokens, where they are those `seen`; nothing happens when it is unknown."""
        name = _name(account)
        # What cannot be read there is no reason to keep it.
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
        # Whoever owns the keychain may have removed an entry.
        return tuple(account for account in names if self._has_entry(account))

    def try_lease(self, account: str, /, *, owner: str, now: datetime, until: datetime) -> bool:
        """Take or renew the lease until `until`; False while another owner's has not run out at `now`."""
        return self._beside.try_lease(account, owner=owner, now=now, until=until)

    def release(self, account: str, /, *, owner: str) -> None:
        """Give the lease back; nothing happens when `owner` does not hold it."""
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
    # A name may be longer than that of an entry may be, or hold what no keychain takes.
    return hashlib.sha256(account.encode("utf-8", "surrogatepass")).hexdigest()


def _entry(keychain: Keychain, service: str, name: str) -> Secret | None:
    found = Hidden(keychain.get_password(service, name))
    return None if found.reveal() is None else Secret(found.reveal() or "")


def _parted(entry: Secret) -> tuple[int, Hidden[bytes]]:
    """Return an entry's generation and its document; the first release wrote the document alone."""
    numbered = NUMBERED.match(entry.reveal())
    generation, beginning = (int(numbered[1]), numbered.end()) if numbered else (0, 0)
    return generation, Hidden(entry.reveal()[beginning:].encode("utf-8", "surrogatepass"))


class _Trouble(Exception):
    """Why the keychain could not be asked, as a clause, and which kind of trouble that is."""


_Question = tuple[Callable[[Keychain], Any], "Future[Any]"]


class _Worker:
    """The thread in which a keychain is asked, one question after the other.

    A daemon: a keychain that never answers must not keep the process from ending.
    """

    def __init__(self, keychain: Keychain | None, limit: float) -> None:
        self._limit = limit
        self._pid = os.getpid()
        self._questions: queue.SimpleQueue[_Question | None] = queue.SimpleQueue()
        # The thread holds on to the questions alone, so that a store which nobody closed ends it, too.
        self._end = weakref.finalize(self, self._questions.put, None)
        self._end.atexit = False
        thread = threading.Thread(target=_answer, args=(keychain, self._questions), name="tiktok-keychain", daemon=True)
        thread.start()

    def ask(self, question: Callable[[Keychain], T]) -> T:
        """Return the answer.

        Raises:
            _Trouble: there is none.
        """
        if os.getpid() != self._pid:
            raise _Trouble("it was opened by another process: open it again after the fork", "closed")
        if not self._end.alive:
            raise _Trouble("it is closed", "closed")
        answer: Future[T] = Future()
        self._questions.put((question, answer))
        try:
            return answer.result(self._limit)
        except TimeoutError:
            # What was not begun by now never will be.
            answer.cancel()
            raise _Trouble(
                f"the keychain did not answer within {self._limit:g} s: it may be locked, or wait for its password on the "
                f"screen; unlock it and try again, {ELSEWHERE}",
                "locked",
            ) from None

    def close(self) -> None:
        """Let the thread end after what it has begun; a second call does nothing."""
        self._end()


def _answer(keychain: Keychain | None, questions: "queue.SimpleQueue[_Question | None]") -> None:
    while (asked := questions.get()) is not None:
        question, answer = asked
        if answer.set_running_or_notify_cancel():
            try:
                if keychain is None:
                    keychain = _found()
                answer.set_result(question(keychain))
            except Exception as error:  # noqa: BLE001 - a backend raises what it likes
                answer.set_exception(_told(error))
        # While it waits for the next question, the thread holds no secret.
        del asked, question, answer


def _found() -> Keychain:
    """Return the operating system's keychain; finding it may take as long as asking it."""
    import keyring  # noqa: PLC0415 - only where it was chosen

    found = keyring.get_keyring()
    # Below are files without protection, and one that keeps nothing: nobody chose those by choosing a keychain.
    if found.priority < 1:
        raise _Trouble(NO_KEYCHAIN, "missing")
    return found


def _told(error: Exception) -> _Trouble:
    """Return what happened, in words of our own: a backend's may quote what it was given."""
    if isinstance(error, _Trouble):
        return error
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if "KeyringLocked" in kinds:
        return _Trouble(LOCKED, "locked")
    if "NoKeyringError" in kinds:
        return _Trouble(NO_KEYCHAIN, "missing")
    return _Trouble(f"the keychain failed ({type(error).__name__}): see that it runs and is unlocked, {ELSEWHERE}")
