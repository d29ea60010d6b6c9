"""The log of the simulated TikTok: each request and its answer, without secrets.

What belongs here: what of a request and of its answer may be read by anybody who sees the sandbox's page, or a picture of it.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from attrs import frozen

from tiktok_core.wire.http import Response

__all__ = ["LogEntry", "shown"]

SECRETS: Final = frozenset(
    {"access_token", "refresh_token", "code", "client_ticket", "client_secret", "code_verifier", "token"}
)
"""The fields of TikTok's answers that let their reader act for somebody."""
HIDDEN: Final = "(hidden)"
LONGEST: Final = 2000
"""The most characters of an answer that are kept."""


@frozen
class LogEntry:
    """One request in the log.

    Attributes:
        method: the method, in upper case.
        path: the path without the query, which may hold secrets.
        operation: the name in the vocabulary of faults; `other` for an unknown path.
        status: the HTTP status of the answer; None if the connection was lost.
        account: the `open_id` of the request's token or upload URL; empty if it had none.
        at: the time of the answer (UTC).
        code: the answer's own word for what came of it: TikTok's error code, `ok`, or empty where it has none.
        log_id: TikTok's id of the answer; empty if it has none.
        answer: the answer's body without secrets, or what it is; empty if the connection was lost.
    """

    method: str
    path: str
    operation: str
    status: int | None
    account: str
    at: datetime
    code: str = ""
    log_id: str = ""
    answer: str = ""


def shown(response: Response | None) -> tuple[str, str, str]:
    """Return the code, the log id and the text of an answer, without any secret in it."""
    if response is None:
        return "", "", ""
    media_type = response.headers.get("content-type", "").partition(";")[0]
    if media_type != "application/json":
        return "", "", _named(response, media_type)
    try:
        document = json.loads(response.body)
    except ValueError:
        return "", "", f"({len(response.body):,} bytes that are no JSON)"
    whole = document if isinstance(document, dict) else {}
    error = whole.get("error", "")
    envelope = error if isinstance(error, dict) else None
    code, log_id = (error, whole.get("log_id", "")) if envelope is None else (error.get("code"), error.get("log_id"))
    text = json.dumps(_without_secrets(document, envelope), ensure_ascii=False)
    return str(code or ""), str(log_id or ""), text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _named(response: Response, media_type: str) -> str:
    if not response.body:
        return "(no body)"
    if media_type == "text/plain":
        return response.body[:LONGEST].decode("utf-8", "replace")
    return f"({len(response.body):,} bytes of {media_type or 'no type'})"


def _without_secrets(value: Any, envelope: Any) -> Any:
    if isinstance(value, Mapping):
        # The code in the error of an envelope is TikTok's word, and no authorization code.
        told = {"code"} if value is envelope else set()
        return {
            name: HIDDEN if one and name in SECRETS - told else _without_secrets(one, envelope)
            for name, one in value.items()
        }
    if isinstance(value, list):
        return [_without_secrets(one, envelope) for one in value]
    return _without_query(value) if isinstance(value, str) else value


def _without_query(text: str) -> str:
    """Return a URL without its query, which may be a secret, and any other text as it is."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return text
    return parts._replace(query=HIDDEN, fragment="").geturl() if parts.scheme and parts.query else text
