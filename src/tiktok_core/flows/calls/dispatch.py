"""What is known of one request while it is made and afterwards: whether any of it may have left, and what a callback raised.

What belongs here: giving a request to the transport, once. Repeating it, and reading its answer, is in `exchange`.
"""

from collections.abc import Callable
from typing import Final

from attrs import define, field

from tiktok_core.errors import Interrupted, NotSent, SourceChanged, StoreError
from tiktok_core.ports import AsyncTransport
from tiktok_core.wire.guests import Guests
from tiktok_core.wire.http import FileSlice, Request, Response

__all__ = ["Dispatch", "Raised"]

OF_THE_PORT: Final = (NotSent, Interrupted, SourceChanged, StoreError)
"""What a transport may raise."""


class Raised(BaseException):
    """Carries what the caller's own code raised past every `except` of the flows; the outermost one raises it.

    A callback may raise what a flow would handle: `NotSent`, which is repeated, or `StoreError`, which is logged.

    Args:
        error: what was raised.
    """

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error


@define
class Dispatch:
    """What is known of a request while it is made and afterwards: the one place that says whether any of it may have left.

    A flow that stores something before a request makes a dispatch. Where nothing has come of the request, it stores again what
    was true before.

    Attributes:
        may_have_acted: whether TikTok may have acted on it: the transport was given it, and neither the transport
            (`NotSent`) nor TikTok (`RateLimited`) has said that nothing was done.
        error: what the caller's own code raised meanwhile: a callback, a source, a sink, a handler of the log.
    """

    may_have_acted: bool = False
    error: BaseException | None = None
    _guests: Guests = field(factory=Guests)
    _is_slice: bool = False

    @property
    def may_be_whole(self) -> bool:
        """Whether the last byte of its body may have left."""
        gave_all = self._guests.gave_all or not self._is_slice
        return self.may_have_acted and gave_all and not self._guests.was_stopped

    def let_out(self) -> None:
        """Raise what the caller's own code raised, as `Raised`, now that everything is stored."""
        if self.error is not None:
            error, self.error = self.error, None  # Its traceback leads back here.
            raise Raised(error)

    def overhear(self, say: Callable[[], None]) -> None:
        """Write to the log beside an answer that must not be lost because a handler fails."""
        try:
            say()
        except BaseException as error:  # noqa: BLE001 - it is let out later
            self.error = error

    async def send(self, transport: AsyncTransport, request: Request) -> Response:
        """Give the request to the transport, once.

        Raises:
            NotSent, Interrupted, SourceChanged, StoreError: as the transport says; `Interrupted` also for an error that no
                transport may raise, which is its cause.
            Raised: the caller's own code raised something.
        """
        self._guests, self._is_slice = Guests(), isinstance(request.body, FileSlice)
        request = self._guests.watched(request)
        self.may_have_acted = True
        try:
            response = await transport.send(request)
        except BaseException as error:
            if not self._guests.explain(error):
                self.may_have_acted = not isinstance(error, NotSent)
                if isinstance(error, OF_THE_PORT) or not isinstance(error, Exception):
                    raise
                said = f"the transport raised {type(error).__name__}, so whether the request arrived is unknown"
                raise Interrupted(request.name, said) from error
        else:
            if not self._guests.explain(None):
                return response
        raise Raised(self._guests.take())
