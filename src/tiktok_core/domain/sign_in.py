"""A sign-in under way, and the answer that the browser brings back.

Sources: developers.tiktok.com/doc/login-kit-web, /doc/login-kit-desktop; RFC 9700 on state and PKCE.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import unquote

from attrs import field, frozen

from tiktok_core.domain.pkce import same_state
from tiktok_core.domain.refusals import explain
from tiktok_core.domain.tokens import Secret
from tiktok_core.errors import AccessDenied, GrantRejected, InvalidInput, Problem, SignInFailed, StateMismatch
from tiktok_core.hidden import Hidden

__all__ = [
    "Authorization",
    "Callback",
    "bare_code",
    "check_age",
    "failed",
    "granted_code",
    "granted_code_alone",
    "kept_moment",
    "kept_texts",
]

LIFE: Final = timedelta(minutes=10)
NO_CODE: Final = Secret("")
# Codes were seen with `*` and `!`; in an address these are escaped. A word that a person types is shorter than any code.
BARE_CODE: Final = re.compile(r"[A-Za-z0-9*!._~-]{20,2048}")
CLASSES: Final[dict[str, type[SignInFailed]]] = {"access_denied": AccessDenied, "invalid_grant": GrantRejected}


@frozen(kw_only=True)
class Authorization:
    """A sign-in that was begun, to be kept until the answer comes.

    A web application keeps `reveal()` in the person's session, and makes the value again with `restore` when the answer
    comes, in whichever process. What was kept serves once: take it out of the session as it is used.

    Attributes:
        url: the page to open in the person's browser; empty in a restored value, which no longer needs it.
        redirect_uri: where the answer comes; sent again with the code, to the letter.
        scopes: what is asked for.
        state: comes back with the answer and ties it to this sign-in.
        code_verifier: proves that the code is spent by the program that asked for it; None when no challenge was sent.
        begun_at: when (UTC), for an answer is believed for ten minutes; None where that is not known and not looked at.
    """

    _url: Secret = field(converter=Secret)
    redirect_uri: str
    scopes: tuple[str, ...]
    state: Secret
    code_verifier: Secret | None
    begun_at: datetime | None = None

    @property
    def url(self) -> str:
        """The page to open in the person's browser; empty in a restored value, which no longer needs it."""
        return self._url.reveal()

    def reveal(self) -> dict[str, str]:
        """Return what has to be kept until the answer comes, as texts that JSON or a form can carry. They are secret."""
        return {
            "redirect_uri": self.redirect_uri,
            "scopes": ",".join(self.scopes),
            "state": self.state.reveal(),
            "code_verifier": self.code_verifier.reveal() if self.code_verifier else "",
            "begun_at": self.begun_at.isoformat() if self.begun_at else "",
        }

    @classmethod
    def restore(cls, kept: Mapping[str, str]) -> "Authorization":
        """Return the sign-in from what `reveal` returned.

        Raises:
            InvalidInput: it is not what `reveal` returned.
        """
        redirect_uri, scopes, state, verifier, begun_at = kept_texts(
            Hidden(kept), "redirect_uri", "scopes", "state", "code_verifier", "begun_at"
        )
        del kept
        return cls(
            url="",
            redirect_uri=redirect_uri.reveal(),
            scopes=tuple(scopes.reveal().split(",")),
            state=state,
            code_verifier=verifier or None,
            begun_at=kept_moment(begun_at.reveal()) if begun_at else None,
        )

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

    _state: Secret = field(default=NO_CODE, converter=Secret, repr=False)
    code: Secret = NO_CODE
    scopes: tuple[str, ...] = ()
    error: str = ""
    error_description: str = ""

    @property
    def state(self) -> str:
        """What was echoed; empty when missing."""
        return self._state.reveal()


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


def bare_code(text: str | Secret) -> Secret | None:
    """Return the code that a text is and nothing besides, decoded if it was copied from an address; None for any other."""
    code = Secret(unquote(Secret(text).reveal().strip()))
    return code if BARE_CODE.fullmatch(code.reveal()) else None


def granted_code_alone(authorization: Authorization, text: str | Secret) -> Secret:
    """Return a code that came without its state, by a person's own hand.

    Nothing but PKCE ties it to this sign-in then: TikTok takes the verifier for a code that was asked for with its
    challenge, and for no other (RFC 9700 section 2.1). Without a verifier it could be anybody's.

    Raises:
        InvalidInput: the text is no code.
        SignInFailed: this sign-in has no verifier.
    """
    code = bare_code(text)
    del text
    if code is None:
        raise InvalidInput((Problem("code", "is not a code as TikTok's page gives it"),))
    if authorization.code_verifier is None:
        message = "without a code challenge a code alone could be anybody's; give the whole address, with its state"
        raise SignInFailed("unbound_code", message)
    return code


def check_age(begun_at: datetime | None, now: datetime) -> None:
    """See that a sign-in is not too old to be answered.

    Raises:
        SignInFailed: it was begun more than ten minutes ago.
    """
    if begun_at is not None and now - begun_at > LIFE:
        minutes = int(LIFE.total_seconds() // 60)
        raise SignInFailed("expired", f"the sign-in was begun more than {minutes} minutes ago; start it again")


def failed(code: str, message: str = "", log_id: str = "", status: int | None = None) -> SignInFailed:
    """Return the error for one of OAuth's words; unknown ones stay `SignInFailed`."""
    return CLASSES.get(code, SignInFailed)(code, message, log_id, status, explain(code))


def kept_texts(kept: Hidden[Mapping[str, str]], *names: str) -> list[Secret]:
    """Return these texts of what was kept of a sign-in.

    Raises:
        InvalidInput: one of them is not there, or is no text.
    """
    # A session may have lost it, and what is in a cookie may be anybody's.
    for name in names:
        if not isinstance(kept.reveal().get(name), str):
            raise _not_kept(name)
    return [Secret(kept.reveal()[name]) for name in names]


def kept_moment(text: str) -> datetime:
    """Return the time of `begun_at`.

    Raises:
        InvalidInput: it is none.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _not_kept("begun_at") from None
    if moment.tzinfo is None:
        raise _not_kept("begun_at")
    return moment


def _not_kept(name: str) -> InvalidInput:
    return InvalidInput((Problem(name, "is not what was kept of a sign-in that was begun; begin it again"),))
