"""Videos behind https URLs: read by ranges, or copied once where the server gives none.

What belongs here: what is asked of a web server, and which of its answers are believed. The transport is given, so this module opens no
connection, and knows neither proxies nor certificates.

Sources: RFC 9110 sections 8.8.3 (ETag), 13.1.1 (If-Match), 14 (ranges) and 15 (statuses).
"""

import errno
import re
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from mmap import mmap
from queue import Empty, SimpleQueue
from typing import Final, TypeVar

from attrs import define, field, frozen

from tiktok_adapters.sources.ahead import Ahead
from tiktok_adapters.sources.answers import REFUSED, length_of, of_status, span_of, unusable
from tiktok_adapters.sources.files import why
from tiktok_adapters.sources.hosts import ALLOW, MediaHosts
from tiktok_adapters.sources.remote import RemoteSource
from tiktok_adapters.sources.spooled import Copy
from tiktok_core.domain.chunks import LARGEST_VIDEO
from tiktok_core.errors import InvalidPost, Misused, Problem, SourceChanged, TransportError
from tiktok_core.hidden import Hidden
from tiktok_core.ports import Request, Response, Sink, Source, Transport
from tiktok_core.wire.http import redacted

__all__ = ["Patience", "RangedRemote", "Web", "open_url"]

T = TypeVar("T", bound=Sink)

HEAD: Final = 64 * 1024
"""Bytes that the opening asks for: it has to ask for some, and these are the first that a look into a video reads."""
NO_BYTES: Final = re.compile(r"bytes \*/0", re.ASCII)
STRONG: Final = re.compile(r'"[^"]+"')
"""A strong ETag. An empty one is not believed: such a server gives it to every version."""
TRANSIENT: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same request may be answered."""
FULL: Final = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG)  # Windows has no quotas.


@frozen(kw_only=True)
class Patience:
    """How long to wait for a server. Together, the tries of a read end before the client gives the source up.

    Attributes:
        timeout: seconds for each single wait.
        limit: seconds for one range, all tries together.
        longest: seconds for one whole copy, all tries together.
        pauses: seconds before each further try of a request that changed nothing.
    """

    timeout: float = 8.0
    limit: float = 120.0
    longest: float = 3600.0
    pauses: tuple[float, ...] = (0.1, 0.5)


@define
class Web:
    """What all videos of a client are read through.

    Attributes:
        transport: sends the requests. It refuses by itself to connect to addresses that `hosts` does not allow.
        hosts: from which hosts media are read.
        patience: how long to wait for a server.
        is_closed: whether the client is closed: nothing that runs goes on.
    """

    transport: Transport
    hosts: MediaHosts = field(factory=MediaHosts)
    patience: Patience = field(factory=Patience)
    is_closed: bool = False

    def close(self) -> None:
        """End what runs with the next bytes that come, and close the transport."""
        self.is_closed = True
        self.transport.close()


def open_url(url: Hidden[str], web: Web, ahead: Ahead) -> Source:
    """Open a video behind an https URL.

    Raises:
        InvalidPost: the URL cannot be read, or a page lies there; or the video is too large.
        SourceChanged: the server does not answer now; or the video has to be copied, and the disk is full.
    """
    if problem := web.hosts.problem(url):
        raise _refusal(url, problem)
    line = _Line(url, web)
    whole = _Whole(line)
    try:
        answer = line.ask({"Range": f"bytes=0-{HEAD - 1}"}, whole.sink, within=web.patience.longest)
        if (opened := _by_ranges(line, answer, ahead)) is not None:
            return opened
        if answer.status in (206, 416):  # It gives ranges, but not so that they could be trusted.
            answer = line.ask({}, whole.sink, within=web.patience.longest)
        if (copy := whole.copy) is not None and answer.status == 200:
            whole.copy = None
            return copy.source(url)
        raise _refusal(url, unusable(answer) or f"the server answered with HTTP {answer.status}")
    finally:
        if whole.copy is not None:
            whole.copy.close()


def _by_ranges(line: "_Line", answer: Response, ahead: Ahead) -> RemoteSource | None:
    """Return the source that reads by ranges, or None if the server does not give them reliably."""
    etag = answer.headers.get("etag", "")
    if answer.status == 416 and NO_BYTES.fullmatch(answer.headers.get("content-range", "").strip()):
        return RemoteSource(RangedRemote(line, etag, 0), ahead)
    if answer.status != 206 or not STRONG.fullmatch(etag):
        return None
    span = span_of(answer)
    if span is None or span[:2] != (0, min(HEAD, span[2]) - 1) or len(answer.body) != span[1] + 1 or unusable(answer):
        return None
    if span[2] > LARGEST_VIDEO:
        raise _too_large(line.url)
    return RemoteSource(RangedRemote(line, etag, span[2]), ahead, head=answer.body)


class RangedRemote:
    """A `Remote` behind a URL whose server gives ranges and a strong ETag. Threads may share it.

    Args:
        line: asks the server.
        etag: the ETag of the opening.
        size: the bytes of the object.
    """

    def __init__(self, line: "_Line", etag: str, size: int) -> None:
        self._line = line
        self.etag = etag
        self.size = size

    @property
    def name(self) -> str:
        """The URL, whose query is a secret."""
        return self._line.url.reveal()

    def look(self) -> tuple[str, int]:
        """Return the ETag and the size of what lies there now. It asks for one byte, because a presigned URL is for GET alone.

        Raises:
            SourceChanged: nothing lies there any more, or the server does not answer as before.
        """
        answer = self._line.ask({"Range": "bytes=0-0"}, lambda _head: None)
        span = span_of(answer)
        if answer.status == 206 and span is not None and span[:2] == (0, 0):
            return answer.headers.get("etag", ""), span[2]
        if answer.status == 416 and NO_BYTES.fullmatch(answer.headers.get("content-range", "").strip()):
            return answer.headers.get("etag", ""), 0
        raise self._changed(answer)

    def fetch(self, start: int, length: int, /) -> memoryview:
        """Return exactly these bytes of what was opened.

        Raises:
            SourceChanged: what lies there is not what was opened, or the server does not answer with this range.
        """
        wanted = (start, start + length - 1, self.size)

        def is_it(head: Response) -> bool:
            is_same = head.headers.get("etag", "") == self.etag
            return head.status == 206 and is_same and span_of(head) == wanted and not unusable(head)

        block = _Block(self._line, length)
        headers = {"Range": f"bytes={start}-{wanted[1]}", "If-Match": self.etag}
        answer = self._line.ask(headers, lambda head: block.afresh() if is_it(head) else None)
        if not is_it(answer):
            raise self._changed(answer)
        return block.taken()

    def close(self) -> None:
        """End what still runs, with the next bytes that come."""
        self._line.close()

    def _changed(self, answer: Response) -> SourceChanged:
        where = redacted(self._line.url)
        etag = answer.headers.get("etag", "")
        if answer.status in (412, 416) or (answer.status in (200, 206) and etag and etag != self.etag):
            return SourceChanged(
                None, f"{where} was replaced while it was read, or its servers give it different ETags"
            )
        if answer.status in REFUSED:
            return SourceChanged(None, f"{where} can no longer be read: {REFUSED[answer.status]}")
        if answer.status in (200, 206):
            why = unusable(answer) or "the answer is not the range that was asked for"
            return SourceChanged(None, f"{where} can no longer be read by ranges: {why} (HTTP {answer.status})")
        return SourceChanged(None, f"{where} can no longer be read: {of_status(answer)}")


class _Line:
    """Asks the server of one URL, and again after trouble that passes. A read changes nothing, so it may be repeated."""

    def __init__(self, url: Hidden[str], web: Web) -> None:
        self.url = url
        self._web = web
        self._is_closed = False
        self._ended: SimpleQueue[None] = SimpleQueue()

    def ask(
        self,
        headers: Mapping[str, str],
        sink: Callable[[Response], Sink | None],
        *,
        within: float | None = None,
    ) -> Response:
        """Return the server's answer, unless it is trouble that passes.

        Args:
            headers: the request's own.
            sink: takes the body.
            within: seconds for all tries; those for a range unless given.

        Raises:
            InvalidPost: the host leads to an address from which no media are read.
            SourceChanged: there is no answer, after some tries; or the source was closed.
        """
        patience = self._web.patience
        left = within or patience.limit
        end = time.monotonic() + left
        trouble = ""
        for pause in (0.0, *patience.pauses):
            self._pause(pause)
            request = Request(
                method="GET",
                url=self.url,
                headers={"Accept": "*/*", **headers},
                timeout=patience.timeout,
                time_limit=left,
                sink=sink,
            )
            try:
                answer = self._web.transport.send(request)
            except Misused as error:
                raise SourceChanged(None, f"{redacted(self.url)} cannot be read: {error.reason}") from None
            except TransportError as error:
                if error.reason.endswith(ALLOW):
                    raise _refusal(self.url, error.reason) from None
                trouble = error.reason
            else:
                if answer.status not in TRANSIENT:
                    return answer
                trouble = f"the server answers with HTTP {answer.status}"
            if (left := end - time.monotonic()) <= 0:
                break
        raise SourceChanged(None, f"{redacted(self.url)} cannot be read now: {trouble}", passes=True)

    def close(self) -> None:
        """Ask no more, and end what runs with the next bytes that come. The garbage collector may call it: it takes no lock."""
        self._is_closed = True
        self._ended.put(None)

    def check_open(self) -> None:
        """Raise `SourceChanged` if the source or the client was closed."""
        if self._is_closed or self._web.is_closed:
            raise SourceChanged(None, "the source was closed")

    def _pause(self, seconds: float) -> None:
        self.check_open()
        if seconds:
            with suppress(Empty):
                self._ended.get(timeout=seconds)
                self._ended.put(None)  # For the other requests of this line.
            self.check_open()


class _Block:
    """Takes the bytes of one range.

    They lie in pages of their own, which go back to the system at once. Blocks of 8 MiB that many threads take from the heap leave holes
    there, and sixteen posts would keep twice the memory that their ranges fill.
    """

    def __init__(self, line: _Line, length: int) -> None:
        self._line = line
        self._body = memoryview(mmap(-1, length))
        self._got = 0

    def afresh(self) -> "_Block":
        """Forget what an earlier try has brought."""
        self._got = 0
        return self

    def write(self, block: bytes, /) -> None:
        """Take the next bytes.

        Raises:
            SourceChanged: they are too many, or the source was closed.
        """
        self._line.check_open()
        if self._got + len(block) > len(self._body):
            raise self._wrong("more")
        self._body[self._got : self._got + len(block)] = block
        self._got += len(block)

    def taken(self) -> memoryview:
        """Return the bytes, which are complete.

        Raises:
            SourceChanged: they are too few.
        """
        if self._got < len(self._body):
            raise self._wrong("fewer")
        return self._body

    def _wrong(self, how: str) -> SourceChanged:
        said = f"its server sends {how} bytes than the {len(self._body):,} of the range"
        return SourceChanged(None, f"{redacted(self._line.url)} can no longer be read by ranges: {said}")


class _Whole:
    """Takes a whole video into a temporary copy.

    Attributes:
        copy: what the latest answer brought; None where that was no video.
    """

    def __init__(self, line: _Line) -> None:
        self._line = line
        self.copy: Copy | None = None

    def sink(self, head: Response) -> "_Whole | None":
        """Return what takes the body, if it is a whole video whose end can be seen."""
        if self.copy is not None:  # An earlier try broke off.
            self.copy.close()
            self.copy = None
        if head.status != 200 or unusable(head):
            return None
        if length_of(head) > LARGEST_VIDEO:
            raise _too_large(self._line.url)
        self.copy = Copy(self._no_room)
        return self

    def write(self, block: bytes, /) -> None:
        """Take the next bytes.

        Raises:
            InvalidPost: they are too many for TikTok.
            SourceChanged: they are too many for the disk; or the source was closed.
        """
        self._line.check_open()
        if self.copy is not None:
            if self.copy.size + len(block) > LARGEST_VIDEO:
                raise _too_large(self._line.url)
            self.copy.write(block)

    def _no_room(self, error: OSError) -> SourceChanged:
        # A full disk of this machine says nothing about the post, which another one can go on with.
        folder = tempfile.gettempdir() if tempfile.tempdir else "the temporary folder"
        said = (
            f"{redacted(self._line.url)} cannot be read: it has to be copied before it is sent, because its server gives no ranges, "
            f"and {folder} cannot take it: {'its disk is full' if error.errno in FULL else why(error)}; free up to 4 GiB there, or set "
            "TMPDIR to another folder"
        )
        return SourceChanged(None, said)


def _too_large(url: Hidden[str]) -> InvalidPost:
    said = f"{redacted(url)} is larger than 4 GB ({LARGEST_VIDEO:,} bytes), the most that TikTok takes"
    return InvalidPost((Problem("video", said),))


def _refusal(url: Hidden[str], why: str) -> InvalidPost:
    return InvalidPost((Problem("video", f"{redacted(url)} cannot be read: {why}"),))
