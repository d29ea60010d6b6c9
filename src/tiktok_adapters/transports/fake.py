"""The in-memory transport: it passes each request to a function and returns the function's answer.

What belongs here: the fake transport, and the two classes by which a handler simulates the network (`ConnectionDropped`,
`DelayedResponse`). The transport knows no rule of TikTok's. It takes any function from `Request` to `Response`.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import TypeAlias

from attrs import evolve, frozen

from tiktok_core.errors import Interrupted, Misused, NotSent, SourceChanged, TimedOut
from tiktok_core.wire.guests import GuestFailed, Guests
from tiktok_core.wire.http import BLOCK, MAX_RESPONSE, FileSlice, Request, Response, Source, read_from

__all__ = ["ConnectionDropped", "DelayedResponse", "FakeTransport", "Handler"]

Handler: TypeAlias = Callable[[Request], Response]
"""Answers a request. It may raise `ConnectionDropped`, and return a `DelayedResponse`."""


class ConnectionDropped(Exception):
    """A handler raises it to simulate a lost connection without an answer.

    Args:
        sent: whether part of the request had left the client, so that it may have had an effect.
        reason: the reason, as a clause.
    """

    def __init__(self, *, sent: bool, reason: str = "the connection was dropped") -> None:
        super().__init__(reason)
        self.sent = sent
        self.reason = reason


@frozen
class DelayedResponse(Response):
    """An answer that comes `seconds` late. The server has already acted on the request."""

    seconds: float = 0.0


class FakeTransport:
    """A blocking transport that calls `handle` in place of a network. Each `send` delivers the request exactly once.

    The handler gets bytes as bytes, and slices as slices. Progress is reported while the handler reads a slice. The transport
    reads the rest of the slice afterwards, because a network would have sent it too. A sink gets the answer in blocks. As on
    a network, the transport only notices after the last block that an answer is too short.

    Args:
        handle: answers each request. It may raise `ConnectionDropped` or return a `DelayedResponse`.
        wait: called with the seconds of a delay, for example the `advance` of a virtual clock. By default no time passes.
    """

    def __init__(self, handle: Handler, *, wait: Callable[[float], None] | None = None) -> None:
        self._handle = handle
        self._wait = wait
        self._closed = False

    def send(self, request: Request, /) -> Response:
        """Pass the request to the handler and return its answer, cut off one byte after `MAX_RESPONSE`.

        Raises:
            NotSent: the handler dropped the connection before anything was sent.
            Misused: this transport is closed.
            Interrupted: the handler dropped the connection, or its answer is shorter than its Content-Length.
            TimedOut: the delay is longer than the request allows.
            SourceChanged: the body's source ended early.
        """
        guests = Guests()
        with suppress(GuestFailed):
            response = self._sent(guests.watched(request))
            if guests.error is None:
                return response
        raise guests.take()

    def _sent(self, request: Request) -> Response:
        if self._closed:
            raise Misused(request.name, "the transport is closed")
        meter = _Meter(request)
        try:
            response = self._handle(meter.watched())
        except ConnectionDropped as drop:
            if not drop.sent:
                raise NotSent(request.name, drop.reason) from drop
            meter.settle()
            raise Interrupted(request.name, drop.reason) from drop
        except (GuestFailed, NotSent, Interrupted, SourceChanged):
            raise
        except Exception as error:
            # The handler stands for a server, which may have acted on the request before it failed.
            raise Interrupted(request.name, f"the handler failed with {type(error).__name__}") from error
        meter.finish()
        self._pass_time(request, response)
        return _as_received(request, response)

    def close(self) -> None:
        """Refuse all later requests. A second call does nothing."""
        self._closed = True

    def _pass_time(self, request: Request, response: Response) -> None:
        seconds = response.seconds if isinstance(response, DelayedResponse) else 0.0
        limit = request.timeout if request.time_limit is None else min(request.timeout, request.time_limit)
        if seconds and self._wait is not None:
            self._wait(min(seconds, limit))
        if seconds > limit:
            raise TimedOut(request.name, f"no answer within {limit:g} s")


class _Meter:
    """Reports to `on_sent` how much of one request's body has been read."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._sent = 0

    def watched(self) -> Request:
        """Return the request with a body that reports each read."""
        body = _slice(self._request)
        if body is None:
            return self._request
        return evolve(self._request, body=FileSlice(_Watched(body.source, body.start, self._reached), 0, body.length))

    def settle(self) -> None:
        """Report a body of bytes block by block, because reading bytes cannot be observed."""
        if isinstance(self._request.body, bytes):
            for position in range(BLOCK, len(self._request.body) + BLOCK, BLOCK):
                self._reached(min(position, len(self._request.body)))

    def finish(self) -> None:
        """Read the rest of the body that the handler has not read, and report it."""
        body = _slice(self._request)
        if body is None:
            self.settle()
            return
        rest = FileSlice(body.source, body.start + self._sent, body.length - self._sent)
        for block in rest.blocks():
            self._reached(self._sent + len(block))

    def _reached(self, position: int) -> None:
        if position > self._sent:
            self._sent = position
            if self._request.on_sent is not None:
                self._request.on_sent(position)


def _slice(request: Request) -> FileSlice | None:
    # Return no bytes: they may be a form with secrets, which no local variable may hold.
    return request.body if isinstance(request.body, FileSlice) else None


class _Watched:
    """A part of another source, beginning at `start`, that reports how far it was read."""

    def __init__(self, source: Source, start: int, reached: Callable[[int], None]) -> None:
        self._source = source
        self._start = start
        self._reached = reached

    @property
    def size(self) -> int:
        return self._source.size - self._start

    @property
    def fingerprint(self) -> str:
        return self._source.fingerprint

    def read(self, start: int, length: int, /) -> bytes:
        block = read_from(self._source, self._start + start, length)
        if block:
            self._reached(start + len(block))
        return block


def _as_received(request: Request, response: Response) -> Response:
    head = Response(response.status, {name.lower(): value for name, value in response.headers.items()})
    claimed = head.headers.get("content-length", "")
    sink = None if request.sink is None else request.sink(head)
    if sink is not None:
        for start in range(0, len(response.body), BLOCK):
            sink.write(response.body[start : start + BLOCK])
    if claimed.isdecimal() and len(response.body) < int(claimed) and request.method != "HEAD":
        raise Interrupted(request.name, f"the answer ended after {len(response.body)} of its {claimed} bytes")
    return head if sink is not None else Response(head.status, head.headers, response.body[: MAX_RESPONSE + 1])
