"""The shapes of the simulated TikTok's answers: both envelopes, the refusals in them, and their HTTP statuses.

What belongs here: shapes of answers. Sources: https://developers.tiktok.com/doc/tiktok-api-v2-error-handling and
/doc/oauth-error-handling, and the table of each endpoint's own page.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from tiktok_adapters.simulator.switches import Switches
from tiktok_core.wire.http import Response

__all__ = [
    "API_CODES",
    "OAUTH_CODES",
    "OAuthRefused",
    "Refused",
    "data_refusal",
    "json_answer",
    "oauth_refusal",
    "plain",
    "refusal",
    "success",
]

PARAM: Final = "invalid_params"
GUIDELINES: Final = (
    "Please review our integration guidelines at https://developers.tiktok.com/doc/content-sharing-guidelines"
)
CAPS: Final = frozenset(
    {"spam_risk_too_many_posts", "spam_risk_user_banned_from_posting", "reached_active_user_cap"}
    | {"spam_risk_too_many_pending_share"}
)

API_CODES: Final[Mapping[str, int]] = {
    "access_token_invalid": 401,
    "scope_not_authorized": 401,
    "scope_permission_missed": 400,
    "invalid_params": 400,
    "invalid_param": 400,
    "invalid_file_upload": 400,
    "app_version_check_failed": 400,
    "invalid_publish_id": 400,
    "token_not_authorized_for_specified_publish_id": 400,
    "publish_not_cancellable": 400,
    **dict.fromkeys(sorted(CAPS), 403),
    "unaudited_client_can_only_post_to_private_accounts": 403,
    "url_ownership_unverified": 403,
    "privacy_level_option_mismatch": 403,
    "privacy_level_not_authorized": 403,
    "rate_limit_exceeded": 429,
    "internal_error": 500,
}
"""The HTTP status of every documented code; creator_info sends some codes with 200."""

OAUTH_CODES: Final = frozenset(
    {"access_denied", "invalid_client", "invalid_grant", "invalid_request", "invalid_scope", "unauthorized_client"}
    | {"unsupported_grant_type", "unsupported_response_type", "server_error", "temporarily_unavailable"}
)


class Refused(Exception):
    """The refusal of a v2 call.

    Args:
        code: `error.code`; a switch decides the spelling of `invalid_params`.
        message: `error.message`; every 403 carries the same one.
        status: the HTTP status, if it is not the documented one.
        retry_after: seconds, if a quota is the reason.
    """

    def __init__(
        self, code: str, message: str = "", *, status: int | None = None, retry_after: int | None = None
    ) -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        self.status = status if status is not None else API_CODES.get(code, 400)
        self.retry_after = retry_after

    @classmethod
    def param(cls, message: str) -> "Refused":
        """Return the refusal of a bad parameter."""
        return cls(PARAM, message)


class OAuthRefused(Exception):
    """The refusal of an OAuth call, in the flat shape."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(error)
        self.error = error
        self.description = description


def json_answer(document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON answer."""
    body = json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return Response(status, {"content-type": "application/json; charset=utf-8", **(headers or {})}, body)


def plain(text: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer in plain text."""
    return Response(status, {"content-type": "text/plain; charset=utf-8", **(headers or {})}, text.encode())


def success(data: Mapping[str, Any] | None, log_id: str) -> Response:
    """Return the envelope of a success; `data` None leaves that member out."""
    error = {"code": "ok", "message": "", "log_id": log_id}
    return json_answer({"error": error} if data is None else {"data": data, "error": error})


def refusal(refused: Refused, switches: Switches, log_id: str, *, spelling: str = "") -> Response:
    """Return the envelope of a failure; the switch, or `spelling`, decides the code of a bad parameter."""
    code = (spelling or switches.param_spelling) if refused.code == PARAM else refused.code
    status = switches.caps_status if refused.code in CAPS and refused.status == 403 else refused.status
    message = GUIDELINES if refused.status == 403 else refused.message or code
    document: dict[str, Any] = {} if switches.failure_data == "absent" else {"data": {}}
    if switches.failure_data == "null":
        document["data"] = None
    document["error"] = {"code": code, "message": message, "log_id": log_id}
    waits = switches.retry_after and refused.retry_after is not None
    return json_answer(document, status, {"retry-after": str(refused.retry_after)} if waits else None)


def data_refusal(refused: Refused, switches: Switches, log_id: str, *, spelling: str = "") -> Response:
    """Return the failure of a Data Portability call: its error names an HTTP status, and a switch may send 200 instead."""
    whole = refusal(refused, switches, log_id, spelling=spelling)
    document = json.loads(whole.body)
    document["error"]["http_status_code"] = whole.status
    status = 200 if switches.data_failure_status == "200" else whole.status
    headers = {**whole.headers, "content-type": switches.data_media_type or whole.headers["content-type"]}
    return json_answer(document, status, headers)


def oauth_refusal(refused: OAuthRefused, switches: Switches, log_id: str) -> Response:
    """Return the flat answer of a failed OAuth call."""
    document = {"error": refused.error, "error_description": refused.description, "log_id": log_id}
    return json_answer(document, switches.oauth_error_status, {"cache-control": "no-store"})
