"""Get the answer of TikTok's page: by a listener on the loopback redirect URI, a browser, a pasted answer or a QR code.

What belongs here: the ways in which an answer reaches this process, and the check that it belongs to this sign-in. The core
decides what the answer means.
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
"""Seconds to wait until the person answers on TikTok's page."""


class Answers:
    """The first answer that belongs to a sign-in. The listener or the person who pastes it may bring it."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Secret | None] = queue.SimpleQueue()

    def put(self, callback: str | Secret) -> None:
        """Hand over an answer. Only the first one counts."""
        self._queue.put(Secret(callback))

    def give_up(self) -> None:
        """End the wait: no answer can come any more."""
        self._queue.put(None)

    def wait(self, seconds: float = LIFETIME) -> str:
        """Return the first answer, which holds a code.

        Raises:
            SignInFailed: no answer came in time, or no answer can come any more.
        """
        try:
            callback = self._queue.get(timeout=seconds)
        except queue.Empty:
            message = (
                f"no answer came from TikTok's page within {seconds:.0f} seconds; if the page shows an error, look up the word "
                "that it names (client_key, redirect_uri, scope or code_challenge), else sign in again"
            )
            raise SignInFailed("no_answer", message) from None
        if callback is None:
            raise SignInFailed(
                "no_answer", "the input ended before the answer of TikTok's page was pasted; sign in again"
            )
        return callback.reveal()


def accepts_state(authorization: Authorization) -> Callable[[str], bool]:
    """Return the predicate that checks whether a state belongs to this sign-in."""
    return lambda state: same_state(authorization.state.reveal(), state)


def belongs(callback: str | Secret, accepts: Callable[[str], bool]) -> bool:
    """Return whether a callback URL is an answer to the sign-in whose state `accepts` recognises.

    An error needs the state as well, because anyone can forge one. The address of TikTok's own error page has the state, too.
    """
    brought = Secret(callback)
    del callback  # A crash report shows local variables.
    try:
        answer = callback_of(brought)
    except (InvalidInput, ValueError):
        return False
    return bool(answer.state) and accepts(answer.state) and bool(answer.code or answer.is_refusal)
