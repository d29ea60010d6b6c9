"""The caller's own code that runs while a request is sent, and what it raises.

What belongs here: wrapping the callback, the source and the sink of one request, so that whatever they raise reaches the
caller as that very object, through any HTTP library. Libraries treat some errors as trouble on the line, wrap others, and
wait for ever after a `KeyboardInterrupt` in one of their tasks.
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
    """Stands for what the caller's code raised, as long as a library has it in hands. `Guests` keeps the error itself."""


@define
class Guests:
    """The callback, the source and the sink of one request.

    A transport sends `watched(request)` in place of the request, lets `GuestFailed` through to its `send`, and
    raises what `take` returns there.

    Attributes:
        error: what the first of them raised that failed; None while none has. `SourceChanged` of a source is none: it is
            the port's own word, and passes as it is.
        gave_all: whether the source has given the last byte of the body.
        was_stopped: whether `on_sent` failed before the last byte had left; then it never leaves.
    """

    error: BaseException | None = None
    gave_all: bool = field(default=False, init=False)
    was_stopped: bool = field(default=False, init=False)

    def watched(self, request: Request) -> Request:
        """Return the request with its callback, source and sink wrapped; once one has failed, none is called any more."""
        on_sent, sink = request.on_sent, request.sink
        request = evolve(
            request,
            on_sent=None if on_sent is None else _Callback(on_sent, self, request.content_length),
            sink=None if sink is None else _ChooseSink(sink, self),
        )
        # A body of bytes may hold secrets: no variable holds it.
        body = request.body if isinstance(request.body, FileSlice) else None
        if body is None:
            return request
        kind = _WatchedBuffers if isinstance(body.source, FillsBuffers) else _Watched
        return evolve(request, body=evolve(body, source=kind(body.source, self, body.start + body.length)))

    def explain(self, error: BaseException | None) -> bool:
        """Whether one of them is behind what a `send` has ended with; None stands for an answer.

        An interruption that comes from elsewhere meanwhile (Ctrl-C, a cancelled task) is none of theirs.
        """
        return self.error is not None and (error is self.error or error is None or isinstance(error, Exception))

    def take(self) -> BaseException:
        """Return what one of them raised, to be raised outside of any `except`, which would change the error's context.

        It is kept no longer, for its traceback leads back here.
        """
        error, self.error = self.error, None
        return error or GuestFailed("none of them has failed")

    def call(self, function: Callable[..., T], *arguments: object, passing: tuple[type[Exception], ...] = ()) -> T:
        """Call code of the caller's.

        Args:
            function: what to call.
            arguments: what with.
            passing: errors that are the port's own words, and pass.

        Raises:
            GuestFailed: it raised something else, which is remembered, or one of them has failed before.
        """
        if self.error is not None:
            raise GuestFailed
        try:
            return function(*arguments)
        except passing:
            raise
        except BaseException as error:  # noqa: BLE001 - it is raised again where no library can touch it
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
