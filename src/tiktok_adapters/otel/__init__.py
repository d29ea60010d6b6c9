"""Telemetry through OpenTelemetry: spans and metrics of requests, waits and posts.

What belongs here: `traced`, and the wrappers that it makes. The core does not know them: they are ports around ports, and an
account whose methods that post are wrapped. What they record is in `spans`.
"""

from collections.abc import Callable, Mapping
from copy import copy
from datetime import datetime
from functools import wraps
from inspect import iscoroutinefunction, signature
from typing import Any, Final, TypedDict, TypeVar, Unpack, overload

try:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "opentelemetry":
        raise
    raise ImportError("telemetry needs opentelemetry-api: pip install 'tiktok-open[otel]'", name=error.name) from None

from tiktok_adapters.otel.spans import Meters, PostSpan, RequestSpan, WaitSpan
from tiktok_core import Account, AsyncAccount
from tiktok_core.ports import AsyncClock, AsyncTransport, Clock, Request, Response, Transport

__all__ = ["Providers", "traced"]

A = TypeVar("A", bound=Account | AsyncAccount)

POSTING: Final = ("post_video", "post_photos", "resume")


class Providers(TypedDict, total=False):
    """Where `traced` sends spans and metrics, if not to the program's own providers.

    Attributes:
        tracer_provider: takes the spans.
        meter_provider: takes the metrics.
    """

    tracer_provider: TracerProvider
    meter_provider: MeterProvider


@overload
def traced(port: Transport, /, **providers: Unpack[Providers]) -> Transport: ...
@overload
def traced(port: AsyncTransport, /, **providers: Unpack[Providers]) -> AsyncTransport: ...
@overload
def traced(port: Clock, /, **providers: Unpack[Providers]) -> Clock: ...
@overload
def traced(port: AsyncClock, /, **providers: Unpack[Providers]) -> AsyncClock: ...
@overload
def traced(port: A, /, **providers: Unpack[Providers]) -> A: ...
def traced(port: Any, /, **providers: Unpack[Providers]) -> Any:
    """Return a transport, a clock or an account that does the same and tells OpenTelemetry about it.

    A transport makes a span of each request, a clock one of each wait, and an account one of each call of `post_video`,
    `post_photos` and `resume`. The requests and waits of a post lie within its span. Give the transport and the clock to a
    client, and wrap each account that you get from it. Every call ends as it would without this, even if telemetry fails.

    Args:
        port: a transport or a clock, blocking or asynchronous (its `send` or `sleep` is an `async def`), or an account.
        **providers: where spans and metrics go, see `Providers`. Unless given, to the program's own providers. Nothing is
            recorded if it has none, because OpenTelemetry's SDK is not installed or not set up.

    Raises:
        TypeError: the value is none of these.
        ImportError: at the import of this module: opentelemetry-api is not installed.
    """
    meters = Meters.of(**providers)
    if isinstance(port, (Account, AsyncAccount)):
        return _traced_account(port, meters)
    if not isinstance(port, type):
        if callable(send := getattr(port, "send", None)):
            return _AsyncTransport(port, meters) if iscoroutinefunction(send) else _Transport(port, meters)
        if callable(sleep := getattr(port, "sleep", None)):
            return _AsyncClock(port, meters) if iscoroutinefunction(sleep) else _Clock(port, meters)
    given = f"the class {port.__name__}" if isinstance(port, type) else type(port).__name__
    raise TypeError(
        f"traced() takes a transport, a clock or an account, not {given}; of a client, it takes these parts"
    )


class _Transport:
    def __init__(self, port: Transport, meters: Meters) -> None:
        self._port = port
        self._meters = meters

    def send(self, request: Request, /) -> Response:
        with RequestSpan(self._meters, request) as act:
            return act.answered(self._port.send(act.request))

    def close(self) -> None:
        self._port.close()


class _AsyncTransport:
    def __init__(self, port: AsyncTransport, meters: Meters) -> None:
        self._port = port
        self._meters = meters

    async def send(self, request: Request, /) -> Response:
        with RequestSpan(self._meters, request) as act:
            return act.answered(await self._port.send(act.request))

    async def close(self) -> None:
        await self._port.close()


class _Clock:
    def __init__(self, port: Clock, meters: Meters) -> None:
        self._port = port
        self._meters = meters

    def now(self) -> datetime:
        return self._port.now()

    def sleep(self, seconds: float, /) -> None:
        if not seconds > 0:
            return self._port.sleep(seconds)
        with WaitSpan(self._meters, self._port, seconds):
            return self._port.sleep(seconds)


class _AsyncClock:
    def __init__(self, port: AsyncClock, meters: Meters) -> None:
        self._port = port
        self._meters = meters

    def now(self) -> datetime:
        return self._port.now()

    async def sleep(self, seconds: float, /) -> None:
        if not seconds > 0:
            return await self._port.sleep(seconds)
        with WaitSpan(self._meters, self._port, seconds):
            return await self._port.sleep(seconds)


def _traced_account(account: A, meters: Meters) -> A:
    """Return a copy of the account whose methods that post make spans."""
    twin = copy(account)
    methods: dict[str, Callable[..., Any]] = {name: _posting(account, name, meters) for name in POSTING}
    methods["with_options"] = lambda **options: _traced_account(account.with_options(**options), meters)
    for name, method in methods.items():
        given = getattr(account, name)
        made: Any = wraps(given)(method)
        made.__signature__ = signature(given)  # `wraps` may copy one with `self`.
        setattr(twin, name, made)
    return twin


def _posting(account: Account | AsyncAccount, name: str, meters: Meters) -> Callable[..., Any]:
    method = getattr(account, name)

    def act(positional: tuple[Any, ...], named: Mapping[str, Any]) -> PostSpan:
        key = positional[0] if positional and name == "resume" else named.get("key")
        return PostSpan(meters, name, account.open_id, key)

    def post(*positional: Any, **named: Any) -> Any:
        with act(positional, named) as begun:
            return begun.ended(method(*positional, **named))

    async def post_async(*positional: Any, **named: Any) -> Any:
        with act(positional, named) as begun:
            return begun.ended(await method(*positional, **named))

    return post_async if isinstance(account, AsyncAccount) else post
