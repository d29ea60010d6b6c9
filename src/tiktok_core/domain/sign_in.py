"""A sign-in under way, and the answer that the browser brings back.

Sources: developers.tiktok.com/doc/login-kit-web, /doc/login-kit-desktop; RFC 9700 on state.
"""

from typing import Final

from attrs import frozen

from tiktok_core.domain.pkce import same_state
from tiktok_core.domain.refusals import explain
from tiktok_core.domain.tokens import Secret
from tiktok_core.errors import AccessDenied, GrantRejected, SignInFailed, StateMismatch

__all__ = ["Authorization", "Callback", "failed", "granted_code"]

NO_CODE: Final = Secret("")
CLASSES: Final[dict[str, type[SignInFailed]]] = {"access_denied": AccessDenied, "invalid_grant": GrantRejected}


@frozen(kw_only=True)
class Authorization:
    """A sign-in that was begun, to be kept until the answer comes.

    A web application keeps its strings in the person's session (`state.reveal()`, `code_verifier.reveal()`) and makes
    an equal value of them when the answer comes: secrets are not pickled.

    Attributes:
        url: the page to open in the person's browser.
        redirect_uri: where the answer comes; sent again with the code, to the letter.
        scopes: what is asked for.
        state: comes back with the answer and ties it to this sign-in.
        code_verifier: proves that the code is spent by whoever asked for it; None when no challenge was sent.
    """

    url: str
    redirect_uri: str
    scopes: tuple[str, ...]
    state: Secret
    code_verifier: Secret | None

    def __repr__(self) -> str:
        # The URL carries the state.
        return f"Authorization(redirect_uri={self.redirect_uri!r}, scopes={self.scopes!r})"


@frozen(kw_only=True)
class Callback:
    """The answer of TikTok's page, as the redirect carried it.

    Attributes:
        state: echoed; empty when missing.
        code: spent once for tokens; empty on failure.
        scopes: what the person granted, which may be fewer than were asked for.
        error: OAuth's word on failure.
        error_description: in words.
    """

    state: str = ""
    code: Secret = NO_CODE
    scopes: tuple[str, ...] = ()
    error: str = ""
    error_description: str = ""


def granted_code(authorization: Authorization, callback: Callback) -> Secret:
    """Return the code of an answer that belongs to this sign-in.

    The state is checked before anything else is believed: an `error` can be forged as well as a code.

    Raises:
        StateMismatch: the answer belongs to another sign-in, or was forged.
        SignInFailed: TikTok or the person said no (`AccessDenied`), or the answer has neither code nor error.
    """
    if not callback.state or not same_state(authorization.state.reveal(), callback.state):
        raise StateMismatch("state_mismatch", "the answer does not belong to this sign-in; start it again")
    if callback.error:
        raise failed(callback.error, callback.error_description)
    if not callback.code:
        raise SignInFailed("invalid_callback", "the answer has neither a code nor an error")
    return callback.code


def failed(code: str, message: str = "", log_id: str = "", status: int | None = None) -> SignInFailed:
    """Return the error for one of OAuth's words; unknown ones stay `SignInFailed`."""
    return CLASSES.get(code, SignInFailed)(code, message, log_id, status, explain(code))
