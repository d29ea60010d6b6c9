"""One request and its answer; and the context that every flow is given: the app, the ports, and how patient to be."""

from collections.abc import Callable
from typing import TypeVar

from attrs import evolve, field, frozen

from tiktok_core.domain.app import App, Endpoints
from tiktok_core.ports import AsyncClock, AsyncProtect, AsyncTokenStore, AsyncTransport, HasPath, Source
from tiktok_core.wire.envelope import USER_AGENT
from tiktok_core.wire.http import Request, Response

__all__ = ["Context", "exchange"]

T = TypeVar("T")


@frozen(kw_only=True)
class Context:
    """What a flow works with.

    Attributes:
        app: the app in whose name calls are made.
        endpoints: where TikTok is.
        transport: sends requests.
        tokens: keeps tokens and leases.
        clock: time and waiting.
        protect: finishes what must not be cut in two.
        entropy: returns that many unpredictable bytes.
        open_source: opens a named file; None where the embedder gives sources only.
        timeout: seconds for each single wait of a request.
        patience: seconds to follow a post before saying that it is still processing.
    """

    app: App
    endpoints: Endpoints
    transport: AsyncTransport = field(repr=False)
    tokens: AsyncTokenStore = field(repr=False)
    clock: AsyncClock = field(repr=False)
    protect: AsyncProtect = field(repr=False)
    entropy: Callable[[int], bytes] = field(repr=False)
    open_source: Callable[[str | HasPath], Source] | None = field(repr=False)
    timeout: float = 30.0
    patience: float = 900.0


async def exchange(context: Context, request: Request, read: Callable[[Request, Response], T]) -> T:
    """Send a request and return what `read` makes of the answer.

    Raises:
        TransportError: no answer.
        ApiError, SignInFailed, UnexpectedResponse: as `read` finds.
    """
    request = evolve(request, headers={"User-Agent": USER_AGENT, **request.headers}, timeout=context.timeout)
    return read(request, await context.transport.send(request))
