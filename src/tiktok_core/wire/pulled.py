"""What a media server says of a file that TikTok shall pull: a request for its beginning, and the answer to it.

Source: RFC 9110, sections 14 (ranges) and 15 (statuses). Nothing of the account goes to that server.
"""

import re
from typing import Final

from attrs import frozen

from tiktok_core.domain.media import HEAD_LENGTH
from tiktok_core.wire.http import Request, Response

__all__ = ["Pulled", "pull_request", "read_pulled"]

PICTURE_HEAD: Final = 256 * 1024
"""Bytes in which a picture tells its size, behind whatever a camera wrote before it."""
WHOLE_SIZE: Final = re.compile(r"bytes\s+0-\d{1,15}/(\d{1,15})", re.IGNORECASE)


@frozen(kw_only=True)
class Pulled:
    """What a media server said.

    Attributes:
        status: HTTP status.
        size: bytes of the whole file, as it said; None where it did not.
        head: the bytes at the file's beginning; empty unless it gave the file.
    """

    status: int
    size: int | None
    head: bytes

    @property
    def is_given(self) -> bool:
        """Whether the file was given, or a part of it."""
        return self.status in (200, 206)

    def read(self, start: int, length: int) -> bytes:
        """Return bytes of the beginning, or fewer where it ends."""
        return self.head[start : start + length]


def pull_request(url: str, *, is_picture: bool) -> Request:
    """Return the request for the beginning of a file."""
    last = (PICTURE_HEAD if is_picture else HEAD_LENGTH) - 1
    return Request(method="GET", url=url, headers={"Accept": "*/*", "Range": f"bytes=0-{last}"})


def read_pulled(_request: Request, response: Response) -> Pulled:
    """Return what was said; whether TikTok can do with it is another question."""
    partial = WHOLE_SIZE.fullmatch(response.headers.get("content-range", "").strip())
    length = response.headers.get("content-length", "").strip()
    size: int | None = None
    if response.status == 206 and partial:
        size = int(partial[1])
    elif response.status == 200 and re.fullmatch(r"[0-9]{1,15}", length):
        size = int(length)
    is_given = response.status in (200, 206)
    return Pulled(status=response.status, size=size, head=response.body if is_given else b"")
