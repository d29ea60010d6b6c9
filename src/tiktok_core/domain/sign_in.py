"""A sign-in that has begun, and the answer that the browser brings back.

Sources: developers.tiktok.com/doc/login-kit-web, /doc/login-kit-desktop; RFC 9700 on state and PKCE.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final
from urllib.parse import unquote

from attrs import field, frozen

from tiktok_core.domain.pkce import same_state
from tiktok_core.domain.refusals import explain
from tiktok_core.domain.tokens import Secret
from tiktok_core.errors import AccessDenied, GrantRejected, InvalidInput, Problem, SignInFailed, StateMismatch
from tiktok_core.hidden import Hidden

__all__ = [
    "LIFE",
    "Authorization",
    "Callback",
    "bare_code",
    "check_age",
    "failed",
    "granted_code",
    "granted_code_alone",
    "kept_moment",
    "kept_texts",
    "refused",
]

LIFE: Final = 600.0
"""Seconds for which an answer counts, unless the caller chooses."""
NO_CODE: Final = Secret("")
# Real codes have contained `*` and `!`, which addresses escape. A word that a person types by mistake is shorter than a code.
BARE_CODE: Final = re.compile(r"[A-Za-z0-9*!._~-]{20,2048}")
CLASSES: Final[dict[str, type[SignInFailed]]] = {"access_denied": AccessDenied, "invalid_grant": GrantRejected}


@frozen(kw_only=True)
class Authorization:
    """A sign-in that has begun. Keep it until the answer comes.

    A web application keeps `reveal()` in the person's session. When the answer comes, in any process, it makes the value again
    with `restore`. Use the kept value once: take it out of the session when you use it.

    Attributes:
        url: the page to open in the person's browser; empty in a restored value, which no longer needs it.
        redirect_uri: the address to which TikTok sends the answer; the exchange of the code repeats it exactly.
        scopes: the scopes that the sign-in asks for.
        state: a random text that the answer repeats, which ties the answer to this sign-in.
        code_verifier: the secret that proves that this sign-in asked for the code; None if it sent no challenge.
        begun_at: when the sign-in began (UTC); an answer counts for ten minutes, unless the caller chooses another
            time. None if unknown: then its age is not checked.
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
        """Return the values to keep until the answer comes, as strings that JSON or a form can hold. They are secret."""
        return {
            "redirect_uri": self.redirect_uri,
            "scopes": ",".join(self.scopes),
            "state": self.state.reveal(),
            "code_verifier": self.code_verifier.reveal() if self.code_verifier else "",
            "begun_at": self.begun_at.isoformat() if self.begun_at else "",
        }

    @classmethod
    def restore(cls, kept: Mapping[str, str]) -> "Authorization":
        """Return the sign-in whose `reveal` returned these values.

        Raises:
            InvalidInput: a value is missing or damaged.
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
    """The answer of TikTok's page, read from the redirect.

    Attributes:
        state: the state that the answer repeats; empty if missing.
        code: the code to exchange once for tokens; empty on failure.
        scopes: the scopes that the person granted, possibly fewer than the sign-in asked for.
        error: OAuth's error word; empty on success.
        error_description: TikTok's description of the error.
        error_type: the parameter that TikTok's own error page names, such as `client_key`; empty if it names none.
        error_code: the number of that page (`errCode`), such as `10007`; empty if it has none.
    """

    _state: Secret = field(default=NO_CODE, converter=Secret, repr=False)
    code: Secret = NO_CODE
    scopes: tuple[str, ...] = ()
    error: str = ""
    error_description: str = ""
    error_type: str = ""
    error_code: str = ""

    @property
    def state(self) -> str:
        """The state that the answer repeats; empty if missing."""
        return self._state.reveal()

    @property
    def is_refusal(self) -> bool:
        """Whether it carries one of the words of an error."""
        return bool(self.error or self.error_type or self.error_code)


def granted_code(authorization: Authorization, callback: Callback) -> Secret:
    """Check that an answer belongs to this sign-in, and return its code.

    The function checks the state first, because an attacker can forge an `error` as well as a code.

    Raises:
        StateMismatch: the answer belongs to another sign-in, or is forged.
        SignInFailed: TikTok or the person refused (`AccessDenied`), or the answer has neither code nor error.
    """
    if not callback.state or not same_state(authorization.state.reveal(), callback.state):
        raise StateMismatch("state_mismatch", "the answer does not belong to this sign-in; start it again")
    if callback.is_refusal:
        raise refused(callback)
    if not callback.code:
        raise SignInFailed("invalid_callback", "the answer has neither a code nor an error")
    return callback.code


def bare_code(text: str | Secret) -> Secret | None:
    """Return a text that is a code and nothing else, decoded if a person copied it from an address; None for other texts."""
    code = Secret(unquote(Secret(text).reveal().strip()))
    return code if BARE_CODE.fullmatch(code.reveal()) else None


def granted_code_alone(authorization: Authorization, text: str | Secret) -> Secret:
    """Return a code that a person copied by hand, without its state.

    Only PKCE ties such a code to this sign-in: TikTok accepts the verifier only with the code of the sign-in that sent its
    challenge (RFC 9700 section 2.1). Without a verifier, the code could come from any sign-in.

    Raises:
        InvalidInput: the text cannot be a code.
        SignInFailed: this sign-in has no verifier.
    """
    code = bare_code(text)
    del text
    if code is None:
        raise InvalidInput((Problem("code", "is not a code like those that TikTok's page gives"),))
    if authorization.code_verifier is None:
        message = (
            "this sign-in sent no code challenge, so a code alone is not enough; give the whole address, with its state"
        )
        raise SignInFailed("unbound_code", message)
    return code


def check_age(begun_at: datetime | None, now: datetime, max_age: float = LIFE) -> None:
    """Check that a sign-in is not too old for its answer.

    Raises:
        SignInFailed: the sign-in began more than `max_age` seconds ago.
    """
    if begun_at is not None and (now - begun_at).total_seconds() > max_age:
        ago = f"{max_age / 60:g} minutes" if max_age >= 60 else f"{max_age:g} seconds"
        raise SignInFailed("expired", f"the sign-in began more than {ago} ago; start it again")


def failed(code: str, message: str = "", log_id: str = "", status: int | None = None) -> SignInFailed:
    """Return the error for one of OAuth's error words; an unknown word gives `SignInFailed` itself."""
    return CLASSES.get(code, SignInFailed)(code, message, log_id, status, explain(code))


def refused(callback: Callback, log_id: str = "", status: int | None = None) -> SignInFailed:
    """Return the error for an answer that is a refusal. What explains it is the most exact of the words that it carries."""
    said = (callback.error_code, callback.error_type, callback.error)
    why = next((found for word in said if (found := explain(word))), None)
    # TikTok calls it `access_denied`, too, but the person has refused nothing.
    is_denied = callback.error_type != "non_sandbox_target"
    kind = CLASSES.get(callback.error, SignInFailed) if is_denied else SignInFailed
    code = callback.error or callback.error_type or callback.error_code
    return kind(code, callback.error_description, log_id, status, why, callback.error_type, callback.error_code)


def kept_texts(kept: Hidden[Mapping[str, str]], *names: str) -> list[Secret]:
    """Return these values of a kept sign-in.

    Raises:
        InvalidInput: a value is missing, or is not a string.
    """
    # A session may have lost a value, and anyone can write a cookie.
    for name in names:
        if not isinstance(kept.reveal().get(name), str):
            raise _not_kept(name)
    return [Secret(kept.reveal()[name]) for name in names]


def kept_moment(text: str) -> datetime:
    """Return the time that `begun_at` spells.

    Raises:
        InvalidInput: the text is not a time with a time zone.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _not_kept("begun_at") from None
    if moment.tzinfo is None:
        raise _not_kept("begun_at")
    return moment


def _not_kept(name: str) -> InvalidInput:
    return InvalidInput((Problem(name, "is missing or damaged in the kept sign-in; begin the sign-in again"),))
