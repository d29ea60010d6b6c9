"""The envelope of every call: building a request, and reading the envelope of its answer.

Source: developers.tiktok.com/doc/tiktok-api-v2-error-handling. A call succeeded if `error.code` is `ok`. The HTTP status alone
does not show it, because TikTok sends some refusals with 200. The library reads answers tolerantly: a field may be missing,
null, new, or of a similar type.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from math import isfinite
from typing import Any, Final, NewType, TypeVar, get_args

import attrs

from tiktok_core.domain.app import Endpoints
from tiktok_core.domain.refusals import explain
from tiktok_core.domain.tokens import Secret
from tiktok_core.errors import (
    AccessTokenInvalid,
    ApiError,
    PostingRefused,
    RateLimited,
    ScopeMissing,
    ServerError,
    UnexpectedRedirect,
    UnexpectedResponse,
)
from tiktok_core.version import __version__
from tiktok_core.wire.http import MAX_RESPONSE, Request, Response
from tiktok_core.wire.reading import Unreadable, covering, json_value, keeping, plain, whole_number, word

__all__ = [
    "USER_AGENT",
    "Seconds",
    "api_request",
    "log_id_of",
    "log_id_within",
    "open_envelope",
    "read_json",
    "retry_after",
    "said_besides",
    "secret_fields",
    "structured",
    "unexpected",
    "unreadable",
]

T = TypeVar("T")

Seconds = NewType("Seconds", int)
"""A number of seconds of any size, without its fraction. The code that uses it has to limit it."""

USER_AGENT: Final = f"tiktok-open/{__version__}"
JSON_TYPE: Final = "application/json; charset=UTF-8"
EXCERPT: Final = 200
ENDLESS: Final = 10**640
SAYS: Final = "; TikTok says: "
TOKEN_LIKE: Final = re.compile(r"\b(?:act|rft|clt)\.\S*|[\w.~*!%+=-]{24,}")
LONGEST_RETRY_AFTER: Final = 86_400.0
A_MINUTE: Final = 60.0
MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
IMF_FIXDATE: Final = re.compile(
    rf"[A-Z][a-z]{{2}}, (\d\d) ({'|'.join(MONTHS)}) (\d{{4}}) (\d\d):(\d\d):(\d\d) GMT", re.ASCII
)
SECONDS: Final = re.compile(r"[0-9]+(?:\.[0-9]*)?")


SECRET_FIELDS: Final = frozenset(
    {"access_token", "refresh_token", "token", "upload_url", "redirect_uri", "scan_qrcode_url"}
)
"""The fields of an answer that hold secrets. The parser wraps them in `Secret`, so no later code sees them as plain text."""


def secret_fields(*names: str) -> json.JSONDecoder:
    """Return a decoder that wraps these fields and `SECRET_FIELDS` in `Secret`, at any depth of the document."""
    return covering(*SECRET_FIELDS, *names)


DECODER: Final = secret_fields()
LOG_IDS: Final = keeping("error", "log_id", "logid")
"""Reads an answer for its log id alone, so that nothing else of it is kept, secret or not."""
CLASSES: Final[dict[str, type[ApiError]]] = {
    "access_token_invalid": AccessTokenInvalid,
    "scope_not_authorized": ScopeMissing,
    "scope_permission_missed": ScopeMissing,
    "rate_limit_exceeded": RateLimited,
    "internal_error": ServerError,
    "spam_risk_too_many_posts": PostingRefused,
    "spam_risk_user_banned_from_posting": PostingRefused,
    "spam_risk_too_many_pending_share": PostingRefused,
    "spam_risk_text": PostingRefused,
    "spam_risk": PostingRefused,
    "reached_active_user_cap": PostingRefused,
    "unaudited_client_can_only_post_to_private_accounts": PostingRefused,
    "url_ownership_unverified": PostingRefused,
    "privacy_level_option_mismatch": PostingRefused,
    "app_version_check_failed": PostingRefused,
}


def api_request(
    endpoints: Endpoints,
    method: str,
    path: str,
    access_token: Secret,
    document: Mapping[str, Any] | None = None,
) -> Request:
    """Return a request to the v2 API. Without a document, its body is empty."""
    return Request(
        method=method,
        url=endpoints.at(path),
        headers={
            "Authorization": f"Bearer {access_token.reveal()}",
            "Content-Type": JSON_TYPE,
            "Accept": "application/json",
        },
        body=b"" if document is None else json.dumps(document, ensure_ascii=False).encode(),
    )


def read_json(request: Request, response: Response, decoder: json.JSONDecoder = DECODER) -> Mapping[str, Any]:
    """Return the JSON object of an answer. The values of `SECRET_FIELDS` in it are `Secret`s.

    Raises:
        UnexpectedRedirect: the answer is a redirect.
        RateLimited, ServerError: the status is 429, or 408 or 5xx, and the body is not a JSON object.
        UnexpectedResponse: the body is not a JSON object, or is too long.
    """
    if 300 <= response.status < 400:
        raise UnexpectedRedirect(request.name, "it is a redirect, and this library follows none", response.status)
    try:
        return _object(response, decoder)
    except Unreadable as error:
        raise unreadable(request, response, f"{error}: {_excerpt(response.body)}") from None


def open_envelope(request: Request, response: Response) -> Mapping[str, Any]:
    """Return the `data` of a v2 answer; empty if it has none.

    Raises:
        ApiError: TikTok answered with a code other than `ok`. The code, or HTTP 408, 429 or 5xx, decides the class.
        UnexpectedResponse: the answer has no envelope.
    """
    document = read_json(request, response)
    error = document.get("error")
    if not isinstance(error, dict) or not isinstance(error.get("code"), str):
        raise unreadable(request, response, "it has no error.code", log_id_of(document), said_besides(document))
    code, data = error["code"], document.get("data")
    if code == "ok" and response.status < 400 and (data is None or isinstance(data, dict)):
        return data or {}
    log_id = log_id_of(error, document, response.headers)
    if code != "ok":
        raise _api_error(code, word(error.get("message")), log_id, _as_told(response, error))
    if response.status >= 400:
        raise unreadable(request, response, "error.code is ok, but the HTTP status is an error", log_id)
    raise unexpected(request, response, "its data is not an object", log_id)


def structured(cls: type[T], request: Request, response: Response, data: Mapping[str, Any], **known: object) -> T:
    """Return `data` as a value of `cls`. Skip unknown fields, treat nulls as missing, and let `known` override fields.

    Raises:
        UnexpectedResponse: a required field is missing, or a field is of another type.
    """
    try:
        return _converter()({**data, **known} if known else data, cls)
    except Exception:  # noqa: BLE001 - any error of the converter means that the answer differs from its documentation
        # Without its cause: the converter's message quotes the answer, which may hold a token.
        raise unexpected(request, response, f"fields of {cls.__name__} are missing or of another type") from None


def unexpected(request: Request, response: Response, reason: str, log_id: str = "") -> UnexpectedResponse:
    """Return the error for an answer that does not have the documented shape."""
    log_id = log_id or log_id_within(response)
    return UnexpectedResponse(request.name, reason, response.status, log_id)


def log_id_within(response: Response) -> str:
    """Return TikTok's id of the exchange, from wherever an answer has it; empty if it has none, or cannot be read."""
    try:
        document = _object(response, LOG_IDS)
    except Unreadable:
        document = {}
    error = document.get("error")
    return log_id_of(error if isinstance(error, dict) else {}, document, response.headers)


def _object(response: Response, decoder: json.JSONDecoder = DECODER) -> dict[str, Any]:
    if len(response.body) > MAX_RESPONSE:
        raise Unreadable(f"it is longer than {MAX_RESPONSE:,} bytes")
    document = json_value(response.body, decoder)
    if not isinstance(document, dict):
        del document  # It may be a list or a text that holds a secret.
        raise Unreadable("it is not a JSON object")
    return document


def said_besides(document: Mapping[str, Any]) -> str:
    """Return TikTok's words in an answer of its older shape, as a clause to append; empty if it has none.

    That shape is `{"message": ..., "data": {"error_code": ..., "description": ...}}`. The function reads no other field, and
    masks text that looks like a token.
    """
    data = document.get("data")
    inner = data if isinstance(data, dict) else {}
    found = (document.get("message"), inner.get("error_code"), inner.get("description"))
    words = ", ".join(filter(None, (plain(TOKEN_LIKE.sub("***", word(one))) for one in found)))
    return SAYS + words if words else ""


def unreadable(
    request: Request, response: Response, reason: str, log_id: str = "", said: str = ""
) -> RateLimited | ServerError | UnexpectedResponse:
    """Return the error for an answer without an error code of TikTok's. HTTP 408, 429 and 5xx decide the class.

    Args:
        request: the request.
        response: the answer.
        reason: one clause that says what is missing or wrong.
        log_id: TikTok's id of the exchange, if known.
        said: other words of TikTok's in the answer, as `said_besides` returns them.
    """
    log_id = log_id or log_id_of(response.headers)
    if response.status == 429:
        code = "rate_limit_exceeded"
        words = said.removeprefix(SAYS)
        return RateLimited(code, words, log_id, 429, explain(code), retry_after(response.headers))
    if _is_trouble(response.status):
        message = f"the answer has no error code of TikTok's{said}"
        return ServerError(f"http_{response.status}", message, log_id, response.status)
    return unexpected(request, response, reason + said, log_id)


def _api_error(code: str, message: str, log_id: str, response: Response) -> ApiError:
    code, message = plain(code), plain(message)
    explanation = explain(code)
    if code == "rate_limit_exceeded" or response.status == 429:
        return RateLimited(code, message, log_id, response.status, explanation, retry_after(response.headers))
    default = ServerError if _is_trouble(response.status) else ApiError
    return CLASSES.get(code, default)(code, message, log_id, response.status, explanation)


def _as_told(response: Response, error: Mapping[str, Any]) -> Response:
    # Data Portability writes the status into the error. Its documents do not say whether the answer has that status too.
    told = error.get("http_status_code")
    if response.status < 400 and isinstance(told, int) and 400 <= told < 600:
        return attrs.evolve(response, status=told)
    return response


def _is_trouble(status: int) -> bool:
    # 408: the server stopped waiting for the request. As after a 5xx, it may or may not have acted on it.
    return status == 408 or status >= 500


def retry_after(headers: Mapping[str, str]) -> float:
    """Return the seconds to wait by the `Retry-After` header: its number, or its date minus the `Date` header.

    Return 60, TikTok's own window, if the header is missing or makes no sense (RFC 9110 section 10.2.3).
    """
    value = headers.get("retry-after", "").strip()
    try:
        seconds = (
            float(value)
            if SECONDS.fullmatch(value)
            else (_date(value) - _date(headers.get("date", ""))).total_seconds()
        )
    except ValueError:
        return A_MINUTE
    if not isfinite(seconds) or seconds < 0:
        return A_MINUTE
    return min(seconds, LONGEST_RETRY_AFTER)


def _date(text: str) -> datetime:
    # Not with `email.utils`, which would import sockets, nor `strptime`, whose month names depend on the locale.
    found = IMF_FIXDATE.fullmatch(text.strip())
    if not found:
        raise ValueError("not an IMF-fixdate")
    day, month, year, hour, minute, second = found.groups()
    return datetime(int(year), MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second), tzinfo=UTC)


def log_id_of(*holders: Mapping[str, Any]) -> str:
    """Return TikTok's id of the exchange from the first holder (error, document, headers) that has one."""
    # The tables in the documents spell it `logid`, the answers `log_id`. TikTok's proxies add the header.
    found = (holder.get(name) for holder in holders for name in ("log_id", "logid", "x-tt-logid"))
    return next(filter(None, (plain(word(one)) for one in found)), "")


def _excerpt(body: bytes) -> str:
    if not body:
        return "empty"
    if body.lstrip(b"\xef\xbb\xbf\xfe\xff\0 \t\r\n")[:1] in (b"{", b"[", b'"'):
        return f"{len(body):,} bytes, not shown because they may hold a token"
    return repr(TOKEN_LIKE.sub("***", body[:EXCERPT].decode("utf-8", "replace")))


@cache
def _converter() -> Callable[[Mapping[str, Any], type[T]], T]:
    # Imported at the first answer, because it would double the time of `import tiktok_core`.
    from cattrs import Converter  # noqa: PLC0415
    from cattrs.gen import make_dict_structure_fn  # noqa: PLC0415

    converter = Converter(detailed_validation=False)
    converter.register_structure_hook(int, _as_int)
    converter.register_structure_hook(Seconds, _as_seconds)
    converter.register_structure_hook(str, _as_text)
    converter.register_structure_hook(bool, _as_bool)
    converter.register_structure_hook(Secret, _as_secret)

    def tuples(cls: Any) -> Callable[[Any, object], tuple[Any, ...]]:
        kind = get_args(cls)[0]
        structure = converter.get_structure_hook(kind)
        return lambda value, _: tuple([structure(one, kind) for one in _as_list(value)])

    def without_nulls(cls: type[Any]) -> Callable[[Mapping[str, Any], object], Any]:
        structure = make_dict_structure_fn(cls, converter)

        def structured(data: Mapping[str, Any], _: object) -> Any:
            if None in data.values():
                data = {name: value for name, value in data.items() if value is not None}
            return structure(data, cls)

        return structured

    converter.register_structure_hook_factory(_is_tuple, tuples)
    converter.register_structure_hook_factory(attrs.has, without_nulls)
    return converter.structure


def _as_int(value: Any, _: object) -> int:
    return whole_number(value)


def _as_seconds(value: Any, _: object) -> int:
    # The JSON reader has limited whole numbers to 640 digits, and floats to finite ones.
    return whole_number(int(value) if isinstance(value, float) else value, least=-ENDLESS, most=ENDLESS)


def _is_tuple(cls: Any) -> bool:
    return getattr(cls, "__origin__", None) is tuple


def _as_list(value: Any) -> list[Any]:
    if isinstance(value, list):
        return [one for one in value if one is not None]
    return [value]


def _as_text(value: Any, _: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise TypeError("not a text")


def _as_secret(value: Any, kind: object) -> Secret:
    return value if isinstance(value, Secret) else Secret(_as_text(value, kind))


def _as_bool(value: Any, _: object) -> bool:
    if isinstance(value, bool):
        return value
    if value in (0, 1):
        return bool(value)
    raise TypeError("not a truth value")
