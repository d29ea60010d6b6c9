"""One HTTP request and its answer as values, with their bodies.

This module holds what all transports and the simulator must agree on. It holds none of TikTok's rules.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import cycle
from operator import index
from typing import Final, Protocol, TypeAlias, runtime_checkable

from attrs import field, frozen

from tiktok_core.errors import SourceChanged
from tiktok_core.hidden import Hidden

__all__ = [
    "BLOCK",
    "MAX_RESPONSE",
    "Body",
    "FileSlice",
    "FillsBuffers",
    "Request",
    "Response",
    "Sink",
    "Source",
    "read_from",
    "read_from_into",
    "redacted",
]

MAX_RESPONSE: Final = 1 << 20
"""The most bytes of an answer that a transport reads. It keeps at most one byte more, which shows that the answer is longer. An
answer that goes to a sink may have any length."""

BLOCK: Final = 1 << 20
"""The bytes that a transport reads from a source and sends at a time, and the most that it passes to a sink at a time."""


CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
BLANK_OR_CONTROL: Final = re.compile(r"[\x00-\x20\x7f]")


class Source(Protocol):
    """Bytes that any reader can read from any offset, in any order and more than once.

    A source has no cursor, so a retry or another thread cannot disturb a reader.
    """

    @property
    def size(self) -> int:
        """The number of bytes when the source was opened."""
        ...

    @property
    def fingerprint(self) -> str:
        """A text that changes if the bytes may have changed. The source computes it at each access."""
        ...

    def read(self, start: int, length: int, /) -> bytes:
        """Return `length` bytes from `start`, or fewer at the end of the source.

        The library cuts off bytes beyond `length`. A result that is not bytes (`None`, text) ends the request with
        `SourceChanged`.

        Raises:
            SourceChanged: the source is gone or can no longer be read.
        """
        ...


@runtime_checkable
class FillsBuffers(Protocol):
    """An optional method of a source: to read into existing memory, because allocating a large block costs more than reading it.

    A transport may call the method on its own thread, so that the next block is ready when this one has left. It makes one call
    at a time for a request. A blocking transport makes none after `send` has raised or returned, unless a call hangs for longer
    than the time-out.
    """

    def read_into(self, start: int, buffer: memoryview, /) -> int:
        """Fill the buffer with the bytes from `start`. Return their number, which is smaller only at the end of the source.

        Raises:
            SourceChanged: the source is gone or can no longer be read.
        """
        ...


def read_from(source: Source, start: int, length: int) -> bytes:
    """Read at most `length` bytes from a source that may break its contract, into memory that does not change afterwards.

    The function cuts off extra bytes: on the connection they would stand where the next request begins.

    Raises:
        SourceChanged: the source can no longer be read, or its result is not bytes.
    """
    block: object = source.read(start, length)
    if type(block) is bytes:
        return block if len(block) <= length else block[:length]
    try:
        # A source may return the same buffer each time, with other bytes in it.
        return bytes(memoryview(block))[:length]  # type: ignore[arg-type]
    except TypeError:
        said = f"the source's read() returned {type(block).__name__}, but has to return bytes"
    raise SourceChanged(None, said)


def read_from_into(source: FillsBuffers, start: int, buffer: memoryview) -> int:
    """Let a source that may break its contract fill a buffer, and return the number of bytes that it gave.

    Raises:
        SourceChanged: the source can no longer be read, or its result is not a number of bytes that fits the buffer.
    """
    got: object = source.read_into(start, buffer)
    try:
        count = index(got)  # type: ignore[arg-type]
    except TypeError:
        raise SourceChanged(
            None, f"the source's read_into() returned {type(got).__name__}, but has to return int"
        ) from None
    if not 0 <= count <= len(buffer):
        raise SourceChanged(None, f"the source's read_into() returned {count} for a buffer of {len(buffer)} bytes")
    return count


@frozen
class FileSlice:
    """A body of `length` bytes of a source, from `start`. It is a value, so a transport can send it more than once."""

    source: Source
    start: int
    length: int

    def blocks(self, size: int = BLOCK) -> Iterator[bytes]:
        """Yield the slice in blocks of at most `size` bytes, together exactly `length` bytes.

        Raises:
            SourceChanged: the source ends before the slice does.
        """
        position, end = self.start, self.start + self.length
        while position < end:
            block = read_from(self.source, position, min(size, end - position))
            if not block:
                raise self._ended(position)
            yield block
            position += len(block)

    def blocks_in(self, *buffers: memoryview) -> Iterator[bytes | memoryview]:
        """Yield the slice in blocks that lie in these buffers by turns. A block stays valid until its buffer's next turn.

        If the source cannot fill buffers, yield blocks of the same size that it returns.

        Raises:
            SourceChanged: the source ends before the slice does.
        """
        if not isinstance(self.source, FillsBuffers):
            yield from self.blocks(len(buffers[0]))
            return
        position, end = self.start, self.start + self.length
        turns = cycle(buffers)
        while position < end:
            part = next(turns)[: end - position]
            got = read_from_into(self.source, position, part)
            if not got:
                raise self._ended(position)
            yield part[:got]
            position += got

    def _ended(self, position: int) -> SourceChanged:
        promised = self.start + self.length
        return SourceChanged(None, f"the source ended at byte {position} of the {promised} that it announced")


Body: TypeAlias = bytes | FileSlice
"""The body of a request: bytes in memory, or a part of a source, which the transport reads while it sends."""


class Sink(Protocol):
    """Takes the body of an answer block by block, in order, so that memory never holds the whole body."""

    def write(self, block: bytes, /) -> object:
        """Take the next bytes. An exception that this raises reaches the caller of `send`."""
        ...


def redacted(url: str | Hidden[str]) -> str:
    """Return the URL without its query, fragment and user name, which may hold secrets. Any text is allowed."""
    # Not with `urlsplit`, which raises on some texts: errors and logs show the result.
    bare = re.split(r"[?#]", url.reveal() if isinstance(url, Hidden) else url, maxsplit=1)[0]
    scheme, separator, _ = bare.rpartition("://")
    host, slash, path = bare[len(scheme) + len(separator) :].partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


class _Url(Hidden[str]):
    """The URL of a request, after the check."""

    __slots__ = ()


class _Headers(Hidden[Mapping[str, str]]):
    """The headers of a request, after the check."""

    __slots__ = ()


def _checked_url(url: str | Hidden[str]) -> Hidden[str]:
    if isinstance(url, _Url):  # Every call copies its request, and one check is enough.
        return url
    found = _Url(url.reveal() if isinstance(url, Hidden) else url)
    del url
    # With a line break in a URL or header, one value could smuggle in another request.
    if BLANK_OR_CONTROL.search(found.reveal()):
        raise ValueError("the URL contains a blank or a control character")
    return found


def _checked_headers(headers: Mapping[str, str] | Hidden[Mapping[str, str]]) -> Hidden[Mapping[str, str]]:
    if isinstance(headers, _Headers):
        return headers
    found = _Headers(headers.reveal() if isinstance(headers, Hidden) else headers)
    del headers
    # One search over all headers, for speed: every call makes a request.
    if CONTROL.search("".join((*found.reveal(), *found.reveal().values()))) or not "".join(found.reveal()).isascii():
        name = next(
            name for name in found.reveal() if CONTROL.search(name + found.reveal()[name]) or not name.isascii()
        )
        raise ValueError(f"header {name!r} contains a control character, or its name is not ASCII")
    return found


def _hidden_body(body: Body | Hidden[Body]) -> Hidden[Body]:
    return body if isinstance(body, Hidden) else Hidden(body)


def _hidden_bytes(body: bytes | Hidden[bytes]) -> Hidden[bytes]:
    return body if isinstance(body, Hidden) else Hidden(body)


def _hidden_headers(headers: Mapping[str, str] | Hidden[Mapping[str, str]]) -> Hidden[Mapping[str, str]]:
    return headers if isinstance(headers, Hidden) else Hidden(headers)


@frozen(kw_only=True)
class Request:
    """One HTTP request, which a transport sends exactly once.

    The URL, the headers and the body may hold secrets. The request wraps each of them, so that no crash report shows it, and its
    attributes return ordinary strings, mappings or bytes. An adapter keeps them out of crash reports too if it reads an
    attribute within the expression that passes it to the HTTP library, and not into a variable.

    Attributes:
        method: the method, in upper case.
        url: the absolute URL with its query. No error or log shows it.
        headers: the headers without Content-Length, which the transport derives from the body and always sends.
        body: bytes, or a slice of a source, which the transport reads in blocks.
        timeout: seconds for each single wait: for the connection, for more bytes to leave, and for the next bytes to come.
        time_limit: seconds for the whole request; None for no limit.
        on_sent: called after each block with the number of body bytes sent so far, on the caller's thread or loop. An exception
            that it raises ends the request and reaches the caller of `send` unchanged.
        fresh_connection: send on a new connection, so that a dropped idle one cannot make the outcome doubtful.
        sink: called with the head of the answer (its body is still empty) before the transport reads the body. It returns a
            sink for the body, which may have any length, or None to keep the body as usual. Each send calls it again. The
            transport may call `write` on another thread.

    Raises:
        ValueError: the URL or a header contains a control character.
    """

    method: str
    _url: Hidden[str] = field(converter=_checked_url)
    _headers: Hidden[Mapping[str, str]] = field(factory=dict[str, str], converter=_checked_headers)
    _body: Hidden[Body] = field(default=b"", converter=_hidden_body)
    timeout: float = 30.0
    time_limit: float | None = None
    on_sent: Callable[[int], None] | None = None
    fresh_connection: bool = False
    sink: "Callable[[Response], Sink | None] | None" = None

    @property
    def url(self) -> str:
        """The absolute URL with its query. No error or log shows it."""
        return self._url.reveal()

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers without Content-Length, which the transport derives from the body and always sends."""
        return self._headers.reveal()

    @property
    def body(self) -> Body:
        """Bytes, or a slice of a source, which the transport reads in blocks."""
        return self._body.reveal()

    @property
    def content_length(self) -> int:
        """The number of bytes in the body."""
        return len(self.body) if isinstance(self.body, bytes) else self.body.length

    @property
    def name(self) -> str:
        """The method and the URL without its query, for messages and logs."""
        return f"{self.method} {redacted(self._url)}"

    def __repr__(self) -> str:
        return (
            f"Request(method={self.method!r}, url={redacted(self._url)}, timeout={self.timeout!r}, "
            f"time_limit={self.time_limit!r}, fresh_connection={self.fresh_connection!r})"
        )


@frozen
class Response:
    """An answer with any status.

    The headers and the body may hold secrets, so the answer wraps them, as a `Request` does.

    Attributes:
        status: HTTP status.
        headers: the headers with names in lower case; ", " joins the values of a repeated header.
        body: at most `MAX_RESPONSE` + 1 bytes, not decoded; empty if the body went to a sink.
    """

    status: int
    _headers: Hidden[Mapping[str, str]] = field(factory=dict[str, str], converter=_hidden_headers, repr=False)
    _body: Hidden[bytes] = field(default=b"", converter=_hidden_bytes, repr=False)

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers with names in lower case; ", " joins the values of a repeated header."""
        return self._headers.reveal()

    @property
    def body(self) -> bytes:
        """At most `MAX_RESPONSE` + 1 bytes, not decoded; empty if the body went to a sink."""
        return self._body.reveal()
