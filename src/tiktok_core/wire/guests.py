"""Guests: the caller's own code that runs during a request, and the exceptions that it raises.

This module wraps the callback, the source and the sink of one request. An exception of theirs then reaches the caller as the
same object, through any HTTP library. Without the wrapping, a library takes some exceptions for network errors, wraps others,
and waits for ever after a `KeyboardInterrupt` in one of its tasks.
"""

from collections.abc import Callable
from typing import TypeVar

from attrs import define, evolve, field, frozen

from tiktok_core.errors import SourceChanged
from tiktok_core.wire.http import (
    FileSlice,
    FillsBuffers,
    Request,
    Response,
    Sink,
    Source,
    read_from,
    read_from_into,
)

__all__ = ["GuestFailed", "Guests"]

T = TypeVar("T")


class GuestFailed(Exception):
    """Takes the place of an exception of the caller's code while an HTTP library handles it. `Guests` holds the original."""


@define
class Guests:
    """The callback, the source and the sink of one request.

    A transport sends `watched(request)` in place of the request, lets `GuestFailed` pass up to its `send`, and there raises
    the exception that `take` returns.

    Attributes:
        error: the exception of the first of them that failed; None while none has. A source's `SourceChanged` does not
            count: it belongs to the port's contract and passes unchanged.
        gave_all: whether the source has given the last byte of the body.
        was_stopped: whether `on_sent` failed before the last byte had left; that byte then never leaves.
    """

    error: BaseException | None = None
    gave_all: bool = field(default=False, init=False)
    was_stopped: bool = field(default=False, init=False)

    def watched(self, request: Request) -> Request:
        """Return the request with its callback, source and sink wrapped. After one of them fails, no more calls reach them."""
        on_sent, sink = request.on_sent, request.sink
        request = evolve(
            request,
            on_sent=None if on_sent is None else _Callback(on_sent, self, request.content_length),
            sink=None if sink is None else _ChooseSink(sink, self),
        )
        # A body of bytes may hold secrets, so no variable may hold it.
        body = request.body if isinstance(request.body, FileSlice) else None
        if body is None:
            return request
        kind = _WatchedBuffers if isinstance(body.source, FillsBuffers) else _Watched
        return evolve(request, body=evolve(body, source=kind(body.source, self, body.start + body.length)))

    def explain(self, error: BaseException | None) -> bool:
        """Whether one of them caused the exception with which `send` ended; pass None if `send` ended with an answer.

        They do not cause an interruption from elsewhere (Ctrl-C, a cancelled task).
        """
        return self.error is not None and (error is self.error or error is None or isinstance(error, Exception))

    def take(self) -> BaseException:
        """Return the exception that one of them raised. Raise it outside any `except`, which would change its context.

        `Guests` then drops the exception, because its traceback refers back to `Guests`.
        """
        error, self.error = self.error, None
        return error or GuestFailed("none of them has failed")

    def call(self, function: Callable[..., T], *arguments: object, passing: tuple[type[Exception], ...] = ()) -> T:
        """Call the caller's code.

        Args:
            function: the function to call.
            arguments: its arguments.
            passing: exceptions that belong to the port's contract and pass unchanged.

        Raises:
            GuestFailed: the function raised another exception, which `error` now holds, or a call has failed before.
        """
        if self.error is not None:
            raise GuestFailed
        try:
            return function(*arguments)
        except passing:
            raise
        except BaseException as error:  # noqa: BLE001 - `send` raises it again, where no library can touch it
            self.error = error
        raise GuestFailed


@frozen
class _Callback:
    _on_sent: Callable[[int], None]
    _guests: Guests
    _length: int

    def __call__(self, sent: int) -> None:
        try:
            self._guests.call(self._on_sent, sent)
        except GuestFailed:
            self._guests.was_stopped = self._guests.was_stopped or sent < self._length
            raise


@frozen
class _Watched:
    _source: Source
    _guests: Guests
    _end: int

    @property
    def size(self) -> int:
        return self._source.size

    @property
    def fingerprint(self) -> str:
        return self._source.fingerprint

    def read(self, start: int, length: int, /) -> bytes:
        block = self._guests.call(read_from, self._source, start, length, passing=(SourceChanged,))
        self._given(start + len(block))
        return block

    def _given(self, position: int) -> None:
        self._guests.gave_all = self._guests.gave_all or position >= self._end


@frozen
class _WatchedBuffers(_Watched):
    def read_into(self, start: int, buffer: memoryview, /) -> int:
        got = self._guests.call(read_from_into, self._source, start, buffer, passing=(SourceChanged,))
        self._given(start + got)
        return got


@frozen
class _ChooseSink:
    _sink: Callable[[Response], Sink | None]
    _guests: Guests

    def __call__(self, head: Response) -> Sink | None:
        chosen = self._guests.call(self._sink, head)
        return None if chosen is None else _Sink(chosen, self._guests)


@frozen
class _Sink:
    _sink: Sink
    _guests: Guests

    def write(self, block: bytes, /) -> object:
        return self._guests.call(self._sink.write, block)
