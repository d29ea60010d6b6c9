"""What the head of a web server's answer says of a video: which bytes of it come, how many, and why they are no video.

What belongs here: plain functions over one answer. What follows from it is decided in `ranges`.
"""

import re
from typing import Final

from tiktok_core.ports import Response

__all__ = ["REFUSED", "length_of", "of_status", "span_of", "unusable"]

CONTENT_RANGE: Final = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})", re.ASCII)
LENGTH: Final = re.compile(r"\d{1,15}", re.ASCII)
TEXT: Final = re.compile(r"text/(html|xml|json)|application/([\w.-]{1,60}\+)?(xml|json)", re.ASCII)
REFUSED: Final = {
    401: "the server refuses it (HTTP 401): its signature has expired, or is for another method than GET",
    403: "the server refuses it (HTTP 403): its signature has expired, or is for another method than GET",
    404: "the server has nothing there (HTTP 404)",
    410: "the server has nothing there any more (HTTP 410)",
}


def span_of(answer: Response) -> tuple[int, int, int] | None:
    """Return the first and the last byte of the range that an answer has, and the size of the whole."""
    found = CONTENT_RANGE.fullmatch(answer.headers.get("content-range", "").strip())
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def length_of(answer: Response) -> int:
    """Return the announced length of the body in bytes; -1 where none is announced."""
    length = answer.headers.get("content-length", "").strip()
    return int(length) if LENGTH.fullmatch(length) else -1


def unusable(answer: Response) -> str:
    """Return as a clause why the body of this answer is no video, or an empty text."""
    if answer.status not in (200, 206):
        return of_status(answer)
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if TEXT.fullmatch(kind):
        return f"a page or another text lies there ({kind}), and no video"
    coding = answer.headers.get("content-encoding", "identity").strip().lower()
    if coding != "identity":
        return f"the server compresses it ({coding[:20]}), although it was asked not to"
    if answer.status == 200 and length_of(answer) < 0 and "transfer-encoding" not in answer.headers:
        return "the server does not say how long it is, so a copy that is cut off would look whole"
    return ""


def of_status(answer: Response) -> str:
    """Return as a clause what a status means that brings no video."""
    if answer.status in REFUSED:
        return REFUSED[answer.status]
    if 300 <= answer.status < 400:
        return f"the server redirects (HTTP {answer.status}), which is not followed: give the URL to which it leads"
    return f"the server answers with HTTP {answer.status}"
