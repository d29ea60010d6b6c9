"""Check the head of an answer before its body is read. Every transport uses this check.

What belongs here: rules of RFC 9112 on which HTTP libraries differ. The end of a body is the beginning of the next answer on
the same connection. So a transport refuses an answer whose head leaves the end open, and closes the connection.
"""

import re
from collections.abc import Iterable
from typing import Final

from tiktok_core.errors import Interrupted
from tiktok_core.wire.http import Request

__all__ = ["MOST_FIELDS", "check_head"]

MOST_FIELDS: Final = 100
"""Largest number of fields of one head, or of one trailer."""
LONGEST_FIELD: Final = 65_536
"""Largest number of characters of a field's name and value. http.client and aiohttp refuse longer lines."""
LENGTH: Final = re.compile(r"[0-9]{1,18}")
CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
VERSIONS: Final = ((1, 0), (1, 1))


def check_head(
    request: Request, version: tuple[int, int], status: int, reason: str, fields: Iterable[tuple[str, str]]
) -> None:
    """Refuse a head that HTTP/1.1 does not allow, or that leaves the end of the body open.

    Args:
        request: the request that is answered.
        version: the version of HTTP in the status line.
        status: the status of the final answer, so no interim status but 101.
        reason: the text after the status.
        fields: the names and values of the head, with each repeated field on its own.

    Raises:
        Interrupted: the head is refused. The server may have acted on the request.
    """
    problem = _problem(version, status, reason, [(name.lower(), value) for name, value in fields])
    del fields  # A crash report shows local variables.
    if problem:
        raise Interrupted(request.name, f"the answer is not HTTP: {problem}")


def _problem(version: tuple[int, int], status: int, reason: str, fields: list[tuple[str, str]]) -> str:
    if version not in VERSIONS or not 100 <= status <= 999:
        return "its status line is not one of HTTP/1.0 or HTTP/1.1"
    if len(fields) > MOST_FIELDS:
        return f"its head has more than {MOST_FIELDS} fields"
    if any(len(name) + len(value) > LONGEST_FIELD for name, value in fields):
        return f"its head has a field of more than {LONGEST_FIELD:,} characters"
    if CONTROL.search(reason) or any(CONTROL.search(value) for _, value in fields):
        return "its head holds a control character"
    lengths = [value.strip(" \t") for name, value in fields if name == "content-length"]
    codings = [value.strip(" \t").lower() for name, value in fields if name == "transfer-encoding"]
    if len(lengths) > 1 or not all(map(LENGTH.fullmatch, lengths)):
        return "its Content-Length is not one number"
    if codings and (codings != ["chunked"] or lengths):
        return "its Transfer-Encoding is not just chunked, or it has a Content-Length as well"
    if status == 204 and (codings or lengths not in ([], ["0"])):
        return "its status is 204 (no content), but it announces content"
    return ""
