"""A sign-in by QR code: the code to draw, its status, and the answer that belongs to it.

Source: developers.tiktok.com/doc/login-kit-qr-code-authorization.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from attrs import field, frozen

from tiktok_core.domain.pkce import same_state
from tiktok_core.domain.sign_in import NO_CODE, kept_moment, kept_texts
from tiktok_core.domain.tokens import Secret
from tiktok_core.errors import SignInFailed, StateMismatch
from tiktok_core.hidden import Hidden

__all__ = ["QrAnswer", "QrCheck", "QrCode", "QrStatus", "granted_code_of_qr"]


class QrStatus(StrEnum):
    """The status of a QR code. TikTok may use other words too."""

    NEW = "new"
    SCANNED = "scanned"
    CONFIRMED = "confirmed"
    EXPIRED = "expired"
    UTILISED = "utilised"


@frozen(kw_only=True)
class QrCode:
    """A sign-in by QR code that has begun. Keep it until the person has agreed on the phone.

    `reveal` and `restore` save and load it, as for an `Authorization`.

    Attributes:
        url: the whole text to draw, which the phone opens. Anyone who sees it can sign in here: show it to the person only.
        token: TikTok's id of the QR code, with which to ask for its status.
        client_ticket: a random text that the answer repeats, which ties the answer to this QR code.
        scopes: the scopes that the sign-in asks for.
        begun_at: when the sign-in began (UTC); an answer counts for ten minutes.
    """

    _url: Secret = field(converter=Secret)
    token: Secret
    client_ticket: Secret
    scopes: tuple[str, ...]
    begun_at: datetime

    @property
    def url(self) -> str:
        """The whole text to draw, which the phone opens. Anyone who sees it can sign in here: show it to the person only."""
        return self._url.reveal()

    def reveal(self) -> dict[str, str]:
        """Return the values to keep until the person has agreed, as strings that JSON or a form can hold. They are secret."""
        return {
            "url": self.url,
            "token": self.token.reveal(),
            "client_ticket": self.client_ticket.reveal(),
            "scopes": ",".join(self.scopes),
            "begun_at": self.begun_at.isoformat(),
        }

    @classmethod
    def restore(cls, kept: Mapping[str, str]) -> "QrCode":
        """Return the sign-in whose `reveal` returned these values.

        Raises:
            InvalidInput: a value is missing or damaged.
        """
        url, token, ticket, scopes, begun_at = kept_texts(
            Hidden(kept), "url", "token", "client_ticket", "scopes", "begun_at"
        )
        del kept
        return cls(
            url=url,
            token=token,
            client_ticket=ticket,
            scopes=tuple(scopes.reveal().split(",")),
            begun_at=kept_moment(begun_at.reveal()),
        )

    def __repr__(self) -> str:
        return f"QrCode(scopes={self.scopes!r}, begun_at={self.begun_at!r})"


@frozen(kw_only=True)
class QrAnswer:
    """TikTok's answer to a question for the status of a QR code.

    Attributes:
        status: one of `QrStatus`, or another word of TikTok's.
        client_ticket: the ticket that the answer repeats.
        code: the code to exchange once for tokens; empty until the person has agreed.
        redirect_uri: the redirect URI to send with the code; empty if TikTok names none.
    """

    status: str
    _client_ticket: Secret = field(default=NO_CODE, converter=Secret, repr=False)
    code: Secret = NO_CODE
    redirect_uri: str = ""

    @property
    def client_ticket(self) -> str:
        """The ticket that the answer repeats."""
        return self._client_ticket.reveal()


@frozen(kw_only=True)
class QrCheck:
    """The state of a sign-in by QR code.

    Attributes:
        status: one of `QrStatus`, or another word of TikTok's.
        open_id: the account that has signed in; None until the person has confirmed.
    """

    status: str
    open_id: str | None = None


def granted_code_of_qr(begun: QrCode, answer: QrAnswer) -> Secret:
    """Check that a confirmed answer belongs to this QR code, and return its code.

    The ticket takes the place of a state, so this sign-in sends no state.

    Source: developers.tiktok.com/doc/login-kit-qr-code-authorization, which asks the app to compare the ticket.

    Raises:
        StateMismatch: the ticket belongs to another QR code.
        SignInFailed: the answer has no code.
    """
    if not same_state(begun.client_ticket.reveal(), answer.client_ticket):
        raise StateMismatch("state_mismatch", "the answer does not belong to this QR code; start the sign-in again")
    if not answer.code:
        raise SignInFailed("invalid_callback", "the person has confirmed, but TikTok's answer has no code")
    return answer.code
