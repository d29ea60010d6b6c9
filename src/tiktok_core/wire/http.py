"""One HTTP request and its answer as values, and the bodies they carry.

What belongs here: what every transport and the simulator must agree on, and no rule of TikTok's.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import cycle
from operator import index
from typing import Final, Protocol, TypeAlias, runtime_checkable
from urllib.parse import urlsplit

from attrs import Attribute, field, frozen

from tiktok_core.errors import SourceChanged

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
    request, and no more once `send` has raised or returned on the blocking one.
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


class Sink(Protocol):
    """Takes the body of an answer block by block, in order, so that nobody has to hold all of it."""

    def write(self, block: bytes, /) -> object:
        """Take the next bytes; what this raises reaches whoever sent the request."""
        ...


def redacted(url: str) -> str:
    """Return the URL without its query, fragment and user: those may carry secrets."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"


def _no_control_characters(_request: object, attribute: "Attribute[str]", value: str) -> None:
    # A line break in a URL or header would let one value smuggle in another request.
    if BLANK_OR_CONTROL.search(value):
        raise ValueError(f"{attribute.name} holds a blank or a control character")


def _clean_headers(_request: object, _attribute: "Attribute[Mapping[str, str]]", value: Mapping[str, str]) -> None:
    # One look at all of them: a request is made, and copied, at every call.
    if CONTROL.search("".join((*value, *value.values()))) or not "".join(value).isascii():
        name = next(name for name, content in value.items() if CONTROL.search(name + content) or not name.isascii())
        raise ValueError(f"header {name!r} holds a control character")


@frozen(kw_only=True)
class Request:
    """One HTTP request, to be sent exactly once.

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
    url: str = field(repr=redacted, validator=_no_control_characters)
    headers: Mapping[str, str] = field(factory=dict[str, str], repr=False, validator=_clean_headers)
    body: Body = field(default=b"", repr=False)
    timeout: float = 30.0
    time_limit: float | None = None
    on_sent: Callable[[int], None] | None = field(default=None, repr=False)
    fresh_connection: bool = False
    sink: "Callable[[Response], Sink | None] | None" = field(default=None, repr=False)

    @property
    def content_length(self) -> int:
        """Bytes in the body."""
        return len(self.body) if isinstance(self.body, bytes) else self.body.length

    @property
    def name(self) -> str:
        """Method and URL without its query: fit for messages and logs."""
        return f"{self.method} {redacted(self.url)}"


@frozen
class Response:
    """An answer, whatever its status.

    Attributes:
        status: HTTP status.
        headers: names in lower case; the values of a repeated one are joined by ", ".
        body: at most `MAX_RESPONSE` + 1 bytes, not decoded; empty where it went to a sink.
    """

    status: int
    headers: Mapping[str, str] = field(factory=dict[str, str], repr=False)
    body: bytes = field(default=b"", repr=False)
