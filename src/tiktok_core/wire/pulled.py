"""Checking a URL that TikTok will pull: a request to its media server for the file's beginning, and the answer.

Source: RFC 9110, sections 14 (ranges) and 15 (statuses). The request carries no data of the account.
"""

import re
from collections.abc import Iterator
from typing import Final

from attrs import frozen

from tiktok_core.domain.media import HEAD_LENGTH
from tiktok_core.domain.tokens import Secret
from tiktok_core.errors import Problem
from tiktok_core.wire.http import Request, Response

__all__ = ["Pulled", "answer_problems", "pull_request", "read_pulled"]

PICTURE_HEAD: Final = 256 * 1024
"""The bytes within which a picture states its width and height, after the data that a camera writes before them."""
TEXT: Final = re.compile(r"text/(html|xml|json)|application/([\w.-]{1,60}\+)?(xml|json)", re.ASCII)
"""Pages, and documents such as an error of a storage service, as their servers call them."""
WHOLE_SIZE: Final = re.compile(r"bytes\s+0-\d{1,15}/(\d{1,15})", re.IGNORECASE)


@frozen(kw_only=True)
class Pulled:
    """The answer of a media server.

    Attributes:
        status: HTTP status.
        size: bytes of the whole file; None if the server did not say.
        head: the first bytes of the file; empty if the server did not give the file.
        media_type: what the server calls the file, in lower case and without parameters; empty if it did not say.
    """

    status: int
    size: int | None
    head: bytes
    media_type: str = ""

    @property
    def is_given(self) -> bool:
        """Whether the server gave the file or a part of it."""
        return self.status in (200, 206)

    @property
    def is_file(self) -> bool:
        """Whether the server gave a file or a part of one."""
        return self.is_given and not self.is_text

    @property
    def is_text(self) -> bool:
        """Whether the server says that it gives a page, or another text for browsers and programs, instead of a file."""
        return TEXT.fullmatch(self.media_type) is not None

    def read(self, start: int, length: int) -> bytes:
        """Return `length` bytes from `start`, or fewer at the end of `head`."""
        return self.head[start : start + length]


def pull_request(url: Secret, *, is_picture: bool) -> Request:
    """Return the request for the first bytes of a file."""
    last = (PICTURE_HEAD if is_picture else HEAD_LENGTH) - 1
    return Request(method="GET", url=url, headers={"Accept": "*/*", "Range": f"bytes=0-{last}"})


def read_pulled(_request: Request, response: Response) -> Pulled:
    """Return the answer of the media server. `answer_problems` judges it."""
    partial = WHOLE_SIZE.fullmatch(response.headers.get("content-range", "").strip())
    length = response.headers.get("content-length", "").strip()
    size: int | None = None
    if response.status == 206 and partial:
        size = int(partial[1])
    elif response.status == 200 and re.fullmatch(r"[0-9]{1,15}", length):
        size = int(length)
    is_given = response.status in (200, 206)
    return Pulled(
        status=response.status,
        size=size,
        head=response.body if is_given else b"",
        media_type=re.split("[;,]", response.headers.get("content-type", ""), maxsplit=1)[0].strip().lower(),
    )


def answer_problems(field: str, pulled: Pulled) -> Iterator[Problem]:
    """Yield why TikTok could not pull from a server that answers so, whatever it gives; the first alone where it gives no file."""
    if 300 <= pulled.status < 400:
        yield Problem(field, f"sends elsewhere (HTTP {pulled.status}), and TikTok follows no redirect")
        return
    if not pulled.is_given:
        yield Problem(field, f"its server answers HTTP {pulled.status}")
        return
    if pulled.is_text:
        what = "a page" if "html" in pulled.media_type else "a text"
        yield Problem(field, f"its server gives {what} ({pulled.media_type}), not a file")
        return
    if pulled.status == 200:
        yield Problem(field, "its server gives no part of a file by itself (Range), which a long pull may need")
    if pulled.size is None:
        yield Problem(field, "its server does not say how long the file is")
