"""The formats of OAuth: the authorization page's address, the answer in the redirect, the token endpoint, and QR codes.

Sources: developers.tiktok.com/doc/login-kit-web, /doc/login-kit-desktop, /doc/login-kit-qr-code-authorization,
/doc/oauth-user-access-token-management, /doc/client-access-token-management, /doc/oauth-error-handling. TikTok may report a
failure with HTTP 200, so the library trusts only the body.
"""

from collections.abc import Mapping
from datetime import datetime
from json import JSONDecoder
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from attrs import frozen

from tiktok_core.domain.app import App, Endpoints
from tiktok_core.domain.qr import QrAnswer, QrCode
from tiktok_core.domain.refusals import explain
from tiktok_core.domain.sign_in import Callback, failed, refused
from tiktok_core.domain.tokens import ClientToken, Secret, Tokens, lifetime_end, parse_scope
from tiktok_core.errors import InvalidInput, Problem, ServerError
from tiktok_core.wire.envelope import (
    DECODER,
    Seconds,
    log_id_of,
    open_envelope,
    read_json,
    said_besides,
    secret_fields,
    structured,
    unexpected,
    unreadable,
)
from tiktok_core.wire.http import Request, Response
from tiktok_core.wire.reading import plain, word

__all__ = [
    "authorization_url",
    "callback_of",
    "check_qr_code_request",
    "client_token_request",
    "code_request",
    "qr_code_request",
    "read_client_token",
    "read_qr_answer",
    "read_qr_code",
    "read_revoked",
    "read_tokens",
    "refresh_request",
    "revoke_request",
]

TOKEN_PATH: Final = "/v2/oauth/token/"  # noqa: S105 - a path, not a secret; without its last slash TikTok answers 404
REVOKE_PATH: Final = "/v2/oauth/revoke/"
QR_CODE_PATH: Final = "/v2/oauth/get_qrcode/"
CHECK_QR_CODE_PATH: Final = "/v2/oauth/check_qrcode/"
TICKET: Final = "client_ticket=tobefilled"
"""The placeholder in the address of a QR code, which the client replaces with its own ticket."""
TIKTOKS_TROUBLE: Final = ("server_error", "temporarily_unavailable")
QR_DECODER: Final = secret_fields("code", "client_ticket")
NOTHING: Final = Secret("")
SHORTEST_ACCESS: Final = Seconds(7_200)
SHORTEST_REFRESH: Final = Seconds(15_552_000)


def authorization_url(
    app: App,
    endpoints: Endpoints,
    *,
    redirect_uri: str,
    scopes: tuple[str, ...],
    state: str | Secret,
    challenge: str | None,
    always_ask: bool,
) -> str:
    """Return the address of the page where the person consents. It is a secret, because it contains the state."""
    answered = Secret(state)
    del state
    before = {
        "client_key": app.client_key,
        "scope": ",".join(scopes),
        "response_type": "code",
        "redirect_uri": redirect_uri,
    }
    after = {} if challenge is None else {"code_challenge": challenge, "code_challenge_method": "S256"}
    if always_ask:
        after["disable_auto_auth"] = "1"
    return f"{endpoints.auth_url}?{urlencode({**before, 'state': answered.reveal(), **after})}"


def callback_of(url: str | Secret) -> Callback:
    """Return the answer in a redirect's URL, in its query alone, or in the address of TikTok's own error page.

    This is the one place that decodes the code.

    Raises:
        InvalidInput: an important parameter comes twice, so it is unclear which value counts.
    """
    answer = Secret(url)
    del url
    values: dict[str, Secret] = {}
    for name, value in _parameters(answer):
        if name in values and name in {"code", "state", "error", "scopes"}:
            raise InvalidInput((Problem(name, "appears twice in the answer of TikTok's page"),))
        values[name] = value
    return Callback(
        state=values.get("state", NOTHING),
        code=values.get("code", NOTHING),
        scopes=parse_scope(values.get("scopes", NOTHING).reveal()),
        # Errors show these, and anyone can write such an address.
        error=plain(values.get("error", NOTHING).reveal()),
        error_description=plain(values.get("error_description", NOTHING).reveal()),
        error_type=plain(values.get("error_type", NOTHING).reveal()),
        error_code=plain(values.get("errCode", NOTHING).reveal()),
    )


def _parameters(url: Secret) -> list[tuple[str, Secret]]:
    return [(name, Secret(value)) for name, value in parse_qsl(_query(url.reveal()), keep_blank_values=True)]


def _query(url: str) -> str:
    # Not with `urlsplit`: it raises on some texts that people paste, and misreads a query that contains `://` or `?`.
    head, mark, tail = url.strip().partition("#")[0].partition("?")
    return tail if mark and "=" not in head.partition("://")[0] else head + mark + tail


def code_request(
    app: App, endpoints: Endpoints, code: Secret, *, redirect_uri: str, code_verifier: Secret | None
) -> Request:
    """Return the request that exchanges a code for tokens."""
    fields: dict[str, str | Secret] = {"code": code, "grant_type": "authorization_code", "redirect_uri": redirect_uri}
    if code_verifier is not None:
        fields["code_verifier"] = code_verifier
    return _form(endpoints, TOKEN_PATH, app, **fields)


def refresh_request(app: App, endpoints: Endpoints, refresh_token: Secret) -> Request:
    """Return the request that renews an access token."""
    return _form(endpoints, TOKEN_PATH, app, grant_type="refresh_token", refresh_token=refresh_token)


def revoke_request(app: App, endpoints: Endpoints, access_token: Secret) -> Request:
    """Return the request that revokes a person's grant."""
    return _form(endpoints, REVOKE_PATH, app, token=access_token)


def client_token_request(app: App, endpoints: Endpoints) -> Request:
    """Return the request for a token of the app itself."""
    return _form(endpoints, TOKEN_PATH, app, grant_type="client_credentials")


def qr_code_request(app: App, endpoints: Endpoints, scopes: tuple[str, ...]) -> Request:
    """Return the request for a QR code. It does not contain the client secret."""
    return _posted(endpoints, QR_CODE_PATH, {"client_key": app.client_key, "scope": ",".join(scopes)})


def check_qr_code_request(app: App, endpoints: Endpoints, token: Secret) -> Request:
    """Return the request for the status of a QR code."""
    return _form(endpoints, CHECK_QR_CODE_PATH, app, token=token)


def read_tokens(request: Request, response: Response, now: datetime) -> Tokens:
    """Return the tokens in an answer. After a renewal, `open_id`, `refresh_token` and `scope` may be empty.

    Raises:
        SignInFailed: the answer is an OAuth error, with any HTTP status (`GrantRejected` for `invalid_grant`).
        UnexpectedResponse: the answer has neither tokens nor an OAuth error.
    """
    answer = _token_answer(request, response)
    return Tokens(
        open_id=answer.open_id,
        access_token=answer.access_token,
        refresh_token=answer.refresh_token,
        scope=parse_scope(answer.scope),
        issued_at=now,
        expires_at=lifetime_end(now, answer.expires_in),
        refresh_expires_at=lifetime_end(now, answer.refresh_expires_in),
    )


def read_client_token(request: Request, response: Response, now: datetime) -> ClientToken:
    """Return the app's own token.

    Raises:
        SignInFailed: the answer is an OAuth error, with any HTTP status.
        UnexpectedResponse: the answer has neither a token nor an OAuth error.
    """
    answer = _token_answer(request, response)
    return ClientToken(access_token=answer.access_token, issued_at=now, expires_at=lifetime_end(now, answer.expires_in))


def read_qr_code(
    request: Request, response: Response, ticket: Secret, scopes: tuple[str, ...], now: datetime
) -> QrCode:
    """Return the QR code in an answer, with our ticket in its address.

    Raises:
        SignInFailed: the answer is an OAuth error.
        UnexpectedResponse: the answer has no address to draw, or the address has no place for the ticket.
    """
    document = _accepted(request, response)
    answer = structured(_QrCodeAnswer, request, response, document)
    url = answer.scan_qrcode_url
    if not answer.token or url.reveal().count(TICKET) != 1 or not _is_plain(url):
        reason = f"it has no QR code with a place for our ticket{said_besides(document)}"
        raise unexpected(request, response, reason, log_id_of(document))
    return QrCode(
        url=Secret(url.reveal().replace(TICKET, f"client_ticket={ticket.reveal()}")),
        token=answer.token,
        client_ticket=ticket,
        scopes=scopes,
        begun_at=now,
    )


def read_qr_answer(request: Request, response: Response) -> QrAnswer:
    """Return the status of a QR code, with the decoded code if the person has confirmed.

    Raises:
        SignInFailed: the answer is an OAuth error.
        UnexpectedResponse: the answer has no status.
    """
    document = _accepted(request, response, QR_DECODER)
    answer = structured(_QrStatusAnswer, request, response, document)
    if not answer.status:
        raise unexpected(request, response, f"it has no status{said_besides(document)}", log_id_of(document))
    try:
        callback = callback_of(Secret(answer.redirect_uri.reveal().partition("?")[2]))
    except InvalidInput:
        raise unexpected(
            request, response, "a parameter appears twice in its redirect URI", log_id_of(document)
        ) from None
    if callback.is_refusal:
        raise refused(callback, log_id_of(document), response.status)
    return QrAnswer(
        status=plain(answer.status),
        client_ticket=answer.client_ticket,
        # TikTok's two tables disagree: the code is in the redirect URI, or in its own field.
        code=callback.code or answer.code,
        redirect_uri=answer.redirect_uri.reveal().partition("?")[0],
    )


def read_revoked(request: Request, response: Response) -> None:
    """Check the answer of a revocation. On success its body is empty or `{}`.

    Raises:
        SignInFailed: the answer is an OAuth error.
        UnexpectedResponse: the answer is an error of TikTok's older shape.
    """
    if response.body.strip() or not 200 <= response.status < 300:
        document = _accepted(request, response)
        data = document.get("data")
        number = data.get("error_code") if isinstance(data, dict) else None
        if document.get("message") == "error" or number not in (None, 0, "0", ""):
            reason = f"it does not confirm the revocation{said_besides(document)}"
            raise unexpected(request, response, reason, log_id_of(document))


@frozen(kw_only=True)
class _TokenAnswer:
    """The fields of a token answer. A missing lifetime counts as the shortest that TikTok ever documented."""

    access_token: Secret = NOTHING
    refresh_token: Secret = NOTHING
    open_id: str = ""
    scope: str = ""
    # `lifetime_end` limits these later. To refuse an answer for its figures would lose the only copy of its tokens.
    expires_in: Seconds = SHORTEST_ACCESS
    refresh_expires_in: Seconds = SHORTEST_REFRESH

    @property
    def tokens(self) -> tuple[Secret, Secret]:
        return self.access_token, self.refresh_token


@frozen(kw_only=True)
class _QrCodeAnswer:
    scan_qrcode_url: Secret = NOTHING
    token: Secret = NOTHING


@frozen(kw_only=True)
class _QrStatusAnswer:
    status: str = ""
    client_ticket: Secret = NOTHING
    redirect_uri: Secret = NOTHING
    code: Secret = NOTHING


def _token_answer(request: Request, response: Response) -> _TokenAnswer:
    document = _accepted(request, response)
    answer = structured(_TokenAnswer, request, response, document)
    if not answer.access_token:
        reason = f"it has neither access_token nor error{said_besides(document)}"
        raise unexpected(request, response, reason, log_id_of(document))
    if not answer.open_id.isprintable():
        raise unexpected(request, response, "its open_id contains a control character", log_id_of(document))
    if not all(_is_plain(token) and " " not in token.reveal() for token in answer.tokens):
        raise unexpected(request, response, "a token contains characters that cannot be sent", log_id_of(document))
    return answer


def _is_plain(secret: Secret) -> bool:
    return secret.reveal().isascii() and secret.reveal().isprintable()


def _form(endpoints: Endpoints, path: str, app: App, **fields: str | Secret) -> Request:
    return _posted(endpoints, path, {"client_key": app.client_key, "client_secret": app.client_secret, **fields})


def _posted(endpoints: Endpoints, path: str, fields: Mapping[str, str | Secret]) -> Request:
    return Request(
        method="POST",
        url=endpoints.at(path),
        headers={
            "Content-Type": "application/x-www-form-urlencoded",
            "Cache-Control": "no-cache",
            "Accept": "application/json",
        },
        body=urlencode(
            [(name, value.reveal() if isinstance(value, Secret) else value) for name, value in fields.items()]
        ).encode(),
    )


def _accepted(request: Request, response: Response, decoder: JSONDecoder = DECODER) -> Mapping[str, Any]:
    document = read_json(request, response, decoder)
    error = document.get("error")
    if isinstance(error, str) and error:
        description = plain(word(document.get("error_description")))
        log_id = log_id_of(document, response.headers)
        if error in TIKTOKS_TROUBLE:
            raise ServerError(error, description, log_id, response.status, explain(error))
        raise failed(plain(error), description, log_id, response.status)
    if isinstance(error, dict):
        open_envelope(request, response)
    if response.status >= 400:
        raise unreadable(request, response, "it has no OAuth error", log_id_of(document), said_besides(document))
    return document
