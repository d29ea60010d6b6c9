"""One HTTP request and its answer as values, and the bodies they carry.

What belongs here: what every transport and the simulator must agree on, and no rule of TikTok's.
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
"""Bytes of an answer that are read: a transport keeps at most one more, by which a longer one is recognised. What goes to a
sink may be of any length."""

BLOCK: Final = 1 << 20
"""Bytes that are read from a source and sent at a time, and at most what a sink is given at a time."""


CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
BLANK_OR_CONTROL: Final = re.compile(r"[\x00-\x20\x7f]")


class Source(Protocol):
    """Bytes that can be read again from any offset, by anyone, in any order.

    It has no cursor, so that a retry or another thread cannot disturb a reader.
    """

    @property
    def size(self) -> int:
        """Bytes in all, as they were when the source was opened."""
        ...

    @property
    def fingerprint(self) -> str:
        """A word that changes when the bytes may have changed; read anew at each access."""
        ...

    def read(self, start: int, length: int, /) -> bytes:
        """Return the `length` bytes from `start`, or fewer where the source has ended.

        What comes beyond `length` is cut off; what is no bytes (`None`, text) ends the request with `SourceChanged`.

        Raises:
            SourceChanged: the source is gone or can no longer be read.
        """
        ...


@runtime_checkable
class FillsBuffers(Protocol):
    """What a source may offer besides: to read into memory that is there already.

    A large block of new memory costs more than the reading itself. A source without it is sent all the same. A transport
    may call it on a thread of its own, so that the next block is there when this one has left; never twice at a time for one
    request, and no more once `send` has raised or returned on the blocking one, unless it hangs for longer than the time-out.
    """

    def read_into(self, start: int, buffer: memoryview, /) -> int:
        """Fill the buffer with the bytes from `start`; return how many there were, fewer only where the source has ended.

        Raises:
            SourceChanged: the source is gone or can no longer be read.
        """
        ...


def read_from(source: Source, start: int, length: int) -> bytes:
    """Read from a source that anybody may have written: at most `length` bytes, and memory that nobody writes to again.

    Bytes that were not asked for are cut off: on the line they would stand where the next request begins.

    Raises:
        SourceChanged: the source is gone, or what it gave are no bytes.
    """
    block: object = source.read(start, length)
    if type(block) is bytes:
        return block if len(block) <= length else block[:length]
    try:
        # A source may give the same buffer each time, with other bytes in it.
        return bytes(memoryview(block))[:length]  # type: ignore[arg-type]
    except TypeError:
        said = f"the source's read() returned {type(block).__name__}, and has to return bytes"
    raise SourceChanged(None, said)


def read_from_into(source: FillsBuffers, start: int, buffer: memoryview) -> int:
    """Let a source that anybody may have written fill a buffer, and return how many bytes it gave.

    Raises:
        SourceChanged: the source is gone, or what it returned is no number of bytes in the buffer.
    """
    got: object = source.read_into(start, buffer)
    try:
        count = index(got)  # type: ignore[arg-type]
    except TypeError:
        raise SourceChanged(
            None, f"the source's read_into() returned {type(got).__name__}, and has to return int"
        ) from None
    if not 0 <= count <= len(buffer):
        raise SourceChanged(None, f"the source's read_into() says {count} bytes of a buffer that holds {len(buffer)}")
    return count


@frozen
class FileSlice:
    """`length` bytes of a source, from `start`: a body that can be sent again, because it is a value."""

    source: Source
    start: int
    length: int

    def blocks(self, size: int = BLOCK) -> Iterator[bytes]:
        """Yield the slice in blocks of at most `size` bytes, never more nor less than `length` in all.

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
        """Yield the slice in blocks that lie in these buffers, each in its turn: a block lasts until its buffer's next.

        Where the source does not fill buffers, the blocks are its own, of the same size.

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
        return SourceChanged(None, f"the source ended at byte {position} of the {promised} that were promised")


Body: TypeAlias = bytes | FileSlice
"""What a request carries: bytes in memory, or a part of a source that is read as it is sent."""


class Sink(Protocol):
    """Takes the body of an answer block by block, in order, so that nobody has to hold all of it."""

    def write(self, block: bytes, /) -> object:
        """Take the next bytes; what this raises reaches whoever sent the request."""
        ...


def redacted(url: str | Hidden[str]) -> str:
    """Return the URL without its query, fragment and user: those may carry secrets. It takes any text."""
    # By hand: `urlsplit` raises on some texts, and this is what errors and logs show.
    bare = re.split(r"[?#]", url.reveal() if isinstance(url, Hidden) else url, maxsplit=1)[0]
    scheme, separator, _ = bare.rpartition("://")
    host, slash, path = bare[len(scheme) + len(separator) :].partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


class _Url(Hidden[str]):
    """The URL of a request, which was looked at."""

    __slots__ = ()


class _Headers(Hidden[Mapping[str, str]]):
    """The headers of a request, which were looked at."""

    __slots__ = ()


def _checked_url(url: str | Hidden[str]) -> Hidden[str]:
    if isinstance(url, _Url):  # A request is copied at every call.
        return url
    found = _Url(url.reveal() if isinstance(url, Hidden) else url)
    del url
    # A line break in a URL or header would let one value smuggle in another request.
    if BLANK_OR_CONTROL.search(found.reveal()):
        raise ValueError("url holds a blank or a control character")
    return found


def _checked_headers(headers: Mapping[str, str] | Hidden[Mapping[str, str]]) -> Hidden[Mapping[str, str]]:
    if isinstance(headers, _Headers):
        return headers
    found = _Headers(headers.reveal() if isinstance(headers, Hidden) else headers)
    del headers
    # One look at all of them: a request is made at every call.
    if CONTROL.search("".join((*found.reveal(), *found.reveal().values()))) or not "".join(found.reveal()).isascii():
        name = next(
            name for name in found.reveal() if CONTROL.search(name + found.reveal()[name]) or not name.isascii()
        )
        raise ValueError(f"header {name!r} holds a control character")
    return found


def _hidden_body(body: Body | Hidden[Body]) -> Hidden[Body]:
    return body if isinstance(body, Hidden) else Hidden(body)


def _hidden_bytes(body: bytes | Hidden[bytes]) -> Hidden[bytes]:
    return body if isinstance(body, Hidden) else Hidden(body)


def _hidden_headers(headers: Mapping[str, str] | Hidden[Mapping[str, str]]) -> Hidden[Mapping[str, str]]:
    return headers if isinstance(headers, Hidden) else Hidden(headers)


@frozen(kw_only=True)
class Request:
    """One HTTP request, to be sent exactly once.

    URL, headers and body may hold secrets. Each is covered while the request holds it, so that no crash report shows it, and
    is an ordinary string, mapping or bytes as soon as an adapter reads the attribute. An adapter that reads them within the
    expression that gives them to its HTTP library, and not into a variable, keeps them out of crash reports, too.

    Attributes:
        method: upper case.
        url: absolute, with its query; never shown.
        headers: without Content-Length, which the transport derives from the body and always sends.
        body: bytes, or a slice of a source that the transport reads in blocks.
        timeout: seconds for each single wait: for the connection, for more bytes to leave, for the next ones to come.
        time_limit: seconds for all of it together; None for no limit.
        on_sent: called with the body's bytes sent so far after each block, on the caller's thread or loop. What it raises
            ends the request, and reaches whoever sent it as it is.
        fresh_connection: send on a new connection, so that a dropped idle one cannot make the outcome doubtful.
        sink: called with the head of the answer (its body is still empty), before its body is read: returns where that goes,
            however long it is, or None to keep it as usual. Called anew at each send; `write` may come on another thread.

    Raises:
        ValueError: a control character in the URL or a header.
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
        """Absolute, with its query; never shown."""
        return self._url.reveal()

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers but Content-Length, which the transport derives from the body and always sends."""
        return self._headers.reveal()

    @property
    def body(self) -> Body:
        """Bytes, or a slice of a source that the transport reads in blocks."""
        return self._body.reveal()

    @property
    def content_length(self) -> int:
        """Bytes in the body."""
        return len(self.body) if isinstance(self.body, bytes) else self.body.length

    @property
    def name(self) -> str:
        """Method and URL without its query: fit for messages and logs."""
        return f"{self.method} {redacted(self._url)}"

    def __repr__(self) -> str:
        return (
            f"Request(method={self.method!r}, url={redacted(self._url)}, timeout={self.timeout!r}, "
            f"time_limit={self.time_limit!r}, fresh_connection={self.fresh_connection!r})"
        )


@frozen
class Response:
    """An answer, whatever its status.

    Headers and body may hold secrets, and are covered as those of a `Request` are.

    Attributes:
        status: HTTP status.
        headers: names in lower case; the values of a repeated one are joined by ", ".
        body: at most `MAX_RESPONSE` + 1 bytes, not decoded; empty where it went to a sink.
    """

    status: int
    _headers: Hidden[Mapping[str, str]] = field(factory=dict[str, str], converter=_hidden_headers, repr=False)
    _body: Hidden[bytes] = field(default=b"", converter=_hidden_bytes, repr=False)

    @property
    def headers(self) -> Mapping[str, str]:
        """Names in lower case; the values of a repeated one are joined by ", "."""
        return self._headers.reveal()

    @property
    def body(self) -> bytes:
        """At most `MAX_RESPONSE` + 1 bytes, not decoded; empty where it went to a sink."""
        return self._body.reveal()
