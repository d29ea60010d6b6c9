"""Bringing the answer of TikTok's page back: a listener on the loopback redirect URI, a browser, a pasted answer, a QR code.

What belongs here: how an answer reaches this process, and the one check that it belongs to this sign-in. What it is
worth is decided by the core.
"""

import queue
from collections.abc import Callable
from typing import Final

from tiktok_core.domain.pkce import same_state
from tiktok_core.domain.sign_in import Authorization
from tiktok_core.domain.tokens import Secret
from tiktok_core.errors import InvalidInput, SignInFailed
from tiktok_core.wire.oauth import callback_of

__all__ = ["LIFETIME", "Answers", "accepts_state", "belongs"]

LIFETIME: Final = 300.0
"""Seconds to wait for a person on TikTok's page."""


class Answers:
    """The first answer that belongs to a sign-in, whoever brings it: the listener or the person who pastes it."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Secret | None] = queue.SimpleQueue()

    def put(self, callback: str | Secret) -> None:
        """Hand over an answer; the first one counts."""
        self._queue.put(Secret(callback))

    def give_up(self) -> None:
        """Say that no answer can come any more."""
        self._queue.put(None)

    def wait(self, seconds: float = LIFETIME) -> str:
        """Return the first answer, which holds a code.

        Raises:
            SignInFailed: none came in time, or none can come.
        """
        try:
            callback = self._queue.get(timeout=seconds)
        except queue.Empty:
            message = f"nobody answered TikTok's page within {seconds:.0f} seconds; sign in again"
            raise SignInFailed("no_answer", message) from None
        if callback is None:
            raise SignInFailed("no_answer", "the input ended before the answer of TikTok's page was pasted")
        return callback.reveal()


def accepts_state(authorization: Authorization) -> Callable[[str], bool]:
    """Return the predicate that tells whether a state is this sign-in's."""
    return lambda state: same_state(authorization.state.reveal(), state)


def belongs(callback: str | Secret, accepts: Callable[[str], bool]) -> bool:
    """Whether a callback URL is an answer at all, and to the sign-in whose states `accepts` knows.

    An `error` needs the state as well: anyone can forge one.
    """
    brought = Secret(callback)
    del callback  # A crash report would show it.
    try:
        answer = callback_of(brought)
    except (InvalidInput, ValueError):
        return False
    return bool(answer.state) and accepts(answer.state) and bool(answer.code or answer.error)
