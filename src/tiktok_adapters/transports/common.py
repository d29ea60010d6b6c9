"""The common part of the transports over real sockets: how to write a request, and what must not be logged.

What belongs here: pure functions that every HTTP library needs. Nothing here sends.
"""

import logging
import re
import socket
import string
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final
from urllib.parse import quote, urlsplit

from attrs import frozen

from tiktok_core.errors import NotSent
from tiktok_core.hidden import Hidden
from tiktok_core.wire.http import BLOCK, FileSlice, Request

__all__ = [
    "Target",
    "body_blocks",
    "hide_queries",
    "in_utf8",
    "joined_headers",
    "ready",
    "target_of",
    "unforeseen",
    "wire_headers",
]

BODYLESS: Final = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})
NOT_SENT: Final[int | None] = getattr(socket, "TCP_NOTSENT_LOWAT", None)  # Windows has none.
UNSENT: Final = 128 * 1024
"""Largest number of bytes that the operating system buffers before it sends them. By default it takes megabytes, which a slow
line still sends while the transport already waits for the answer."""
QUERY: Final = re.compile(r"\?[^\s\"'<>()]+")


@frozen(kw_only=True)
class Target:
    """The parts of the URL to which a request goes.

    Attributes:
        scheme: `http` or `https`.
        host: the host without brackets.
        port: the port of the URL, or the default port of the scheme.
        path: the path with the query.
        url: the whole URL in ASCII. A URL that is ASCII already keeps its exact spelling, because it may be signed.
    """

    scheme: str
    host: str
    port: int
    _path: Hidden[str]
    _url: Hidden[str]

    @property
    def path(self) -> str:
        """The path with the query, which may be a secret."""
        return self._path.reveal()

    @property
    def url(self) -> str:
        """The whole URL in ASCII. A URL that is ASCII already keeps its exact spelling, because it may be signed."""
        return self._url.reveal()


def target_of(request: Request) -> Target:
    """Return the target of the request.

    Raises:
        NotSent: the URL is not a complete http or https URL, or names a user.
    """
    try:
        # A query may be a secret, so such a URL is not cached.
        return _target(Hidden(request.url)) if "?" in request.url else _known_target(Hidden(request.url))
    except ValueError as problem:
        raise NotSent(request.name, str(problem)) from None


def _target(url: Hidden[str]) -> Target:
    parts = Hidden(urlsplit(url.reveal() if url.reveal().isascii() else quote(url.reveal(), safe=string.punctuation)))
    scheme, host = parts.reveal().scheme, parts.reveal().hostname
    try:
        port = parts.reveal().port
    except ValueError:
        port = 0
    if scheme not in {"http", "https"} or not host or port == 0:
        raise ValueError("the URL is not a complete http or https URL")
    if parts.reveal().username is not None:
        raise ValueError("the URL carries a user name")
    parts = Hidden(parts.reveal()._replace(path=parts.reveal().path or "/", fragment=""))
    return Target(
        scheme=scheme,
        host=host,
        port=port or (443 if scheme == "https" else 80),
        path=Hidden(parts.reveal()._replace(scheme="", netloc="").geturl()),
        url=Hidden(parts.reveal().geturl()),
    )


_known_target: Final = lru_cache(maxsize=64)(_target)


def wire_headers(request: Request) -> dict[str, str]:
    """Return the headers to send: the request's own, the body's length, and a refusal of compression.

    Raises:
        NotSent: a header holds half of a character, which UTF-8 cannot express.
    """
    try:
        "".join(request.headers.values()).encode()
    except UnicodeEncodeError:  # One library would leave the character out, and the other put a "?" in its place.
        raise NotSent(request.name, "a header holds half of a character") from None
    names = [name for name in request.headers if name.lower() != "content-length"]
    has_body = request.content_length or request.method not in BODYLESS
    # In one expression, so that no local variable holds a value: it may be a secret, and a crash report shows variables.
    return {
        **{name: request.headers[name] for name in names},
        **({} if any(name.lower() == "accept-encoding" for name in names) else {"Accept-Encoding": "identity"}),
        **({"Content-Length": str(request.content_length)} if has_body else {}),
    }


def body_blocks(request: Request) -> Iterator[bytes | memoryview]:
    """Return the body in blocks. If it comes from a source, only one block is in memory.

    Raises:
        SourceChanged: during iteration, if the source ends early.
    """
    if isinstance(request.body, FileSlice):
        return request.body.blocks_in(memoryview(bytearray(min(BLOCK, request.body.length))))
    view = memoryview(request.body)
    return (view[start : start + BLOCK] for start in range(0, len(view), BLOCK))


def unforeseen(error: Exception) -> str:
    """Return the reason for an unexpected error. It does not quote the error's message, which may hold a secret."""
    return f"the HTTP library failed with {type(error).__name__}"


def in_utf8(headers: dict[str, str]) -> dict[str, str]:
    """Return the headers so that http.client, which encodes them as Latin-1, sends UTF-8, as the other libraries do."""
    if all(map(str.isascii, headers.values())):
        return headers
    return {name: value.encode().decode("latin-1") for name, value in headers.items()}


def joined_headers(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the headers of an answer: names in lower case, and the values of a repeated header joined by ", "."""
    joined: dict[str, str] = {}
    for name, value in headers:
        key = name.lower()
        joined[key] = f"{joined[key]}, {value}" if key in joined else value
    return joined


def ready(connection: socket.socket) -> None:
    """Set a socket's options: send small packets at once, and keep little in the system's buffer."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if NOT_SENT is not None:
        connection.setsockopt(socket.IPPROTO_TCP, NOT_SENT, UNSENT)


class _QueryFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = QUERY.sub("?***", record.getMessage())
        record.args = ()
        return True


_filter = _QueryFilter()


def hide_queries(*loggers: str) -> None:
    """Remove the queries of URLs from what these loggers write. A second call does nothing."""
    for name in loggers:
        logging.getLogger(name).addFilter(_filter)
