"""A sign-in by QR code: what is drawn, how it is doing, and the answer that belongs to it.

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
    """How a QR code is doing; TikTok may have words that are not known here."""

    NEW = "new"
    SCANNED = "scanned"
    CONFIRMED = "confirmed"
    EXPIRED = "expired"
    UTILISED = "utilised"


@frozen(kw_only=True)
class QrCode:
    """A sign-in by QR code that was begun, to be kept until the person has agreed on the phone.

    It can be kept by `reveal` and `restore`, as an `Authorization` can.

    Attributes:
        url: what to draw, whole: the phone opens it. Anybody who sees it can sign in here, so show it to the person alone.
        token: TikTok's name for it, by which it is asked about.
        client_ticket: our own name for it; comes back with the answer and ties it to what was drawn.
        scopes: what is asked for.
        begun_at: when (UTC), for an answer is believed for ten minutes.
    """

    _url: Secret = field(converter=Secret)
    token: Secret
    client_ticket: Secret
    scopes: tuple[str, ...]
    begun_at: datetime

    @property
    def url(self) -> str:
        """What to draw, whole: the phone opens it. Anybody who sees it can sign in here, so show it to the person alone."""
        return self._url.reveal()

    def reveal(self) -> dict[str, str]:
        """Return what has to be kept until the person has agreed, as texts that JSON or a form can carry. They are secret."""
        return {
            "url": self.url,
            "token": self.token.reveal(),
            "client_ticket": self.client_ticket.reveal(),
            "scopes": ",".join(self.scopes),
            "begun_at": self.begun_at.isoformat(),
        }

    @classmethod
    def restore(cls, kept: Mapping[str, str]) -> "QrCode":
        """Return the sign-in from what `reveal` returned.

        Raises:
            InvalidInput: it is not what `reveal` returned.
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
    """What TikTok says of a QR code.

    Attributes:
        status: one of `QrStatus`, or a word that is not known here.
        client_ticket: ours, echoed.
        code: spent once for tokens; empty until the person has agreed.
        redirect_uri: to be sent with the code; empty where TikTok names none.
    """

    status: str
    _client_ticket: Secret = field(default=NO_CODE, converter=Secret, repr=False)
    code: Secret = NO_CODE
    redirect_uri: str = ""

    @property
    def client_ticket(self) -> str:
        """Ours, echoed."""
        return self._client_ticket.reveal()


@frozen(kw_only=True)
class QrCheck:
    """How a sign-in by QR code is doing.

    Attributes:
        status: one of `QrStatus`, or a word that is not known here.
        open_id: who has signed in, once it is confirmed; None until then.
    """

    status: str
    open_id: str | None = None


def granted_code_of_qr(begun: QrCode, answer: QrAnswer) -> Secret:
    """Return the code of a confirmed answer that belongs to what was drawn.

    The ticket does what a state does elsewhere, so none is sent.

    Source: developers.tiktok.com/doc/login-kit-qr-code-authorization, which wants the ticket compared.

    Raises:
        StateMismatch: the ticket is another one's.
        SignInFailed: there is no code.
    """
    if not same_state(begun.client_ticket.reveal(), answer.client_ticket):
        raise StateMismatch("state_mismatch", "the answer does not belong to the QR code that was drawn; start again")
    if not answer.code:
        raise SignInFailed("invalid_callback", "the QR code is confirmed, and there is no code in the answer")
    return answer.code
