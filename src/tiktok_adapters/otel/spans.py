"""What is recorded of a request, a wait and a post, and under which name.

What belongs here: spans, their attributes, and the instruments. Nothing that is recorded is a text that TikTok, a person or an
exception wrote, but for identifiers: host names, the account's `open_id`, the post's key and publish id, and TikTok's log id.
Paths, codes and statuses are recorded only if this library knows them. So a token, a code or the query of an upload URL has no
way into a span.
"""

import logging
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from time import perf_counter
from types import MappingProxyType
from typing import Any, Final, Self, TypeVar

from attrs import evolve, frozen
from opentelemetry import context, metrics, trace

from tiktok_core import Publication, PublishStatus, explain
from tiktok_core.domain.publishing import NOT_POSTED
from tiktok_core.errors import TikTokError
from tiktok_core.ports import AsyncClock, Clock, Request, Response
from tiktok_core.version import __version__
from tiktok_core.wire.guests import GuestFailed

__all__ = ["Meters", "PostSpan", "RequestSpan", "WaitSpan"]

T = TypeVar("T")
Traits = dict[str, str | int | float]

SCOPE: Final = "tiktok_adapters.otel"
log: Final = logging.getLogger("tiktok_core")

OPERATIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "/v2/oauth/token/": "token",
        "/v2/oauth/revoke/": "revoke",
        "/v2/oauth/get_qrcode/": "get_qrcode",
        "/v2/oauth/check_qrcode/": "check_qrcode",
        "/v2/user/info/": "user_info",
        "/v2/video/list/": "video_list",
        "/v2/video/query/": "video_query",
        "/v2/post/publish/creator_info/query/": "creator_info",
        "/v2/post/publish/video/init/": "video_init",
        "/v2/post/publish/inbox/video/init/": "inbox_init",
        "/v2/post/publish/content/init/": "photo_init",
        "/v2/post/publish/status/fetch/": "status",
        "/v2/post/publish/cancel/": "cancel",
        "/v2/user/data/add/": "data_add",
        "/v2/user/data/check/": "data_check",
        "/v2/user/data/cancel/": "data_cancel",
        "/v2/user/data/download/": "data_download",
    }
)
"""The paths of TikTok's API, and for each the word that the simulator's log and faults have for it."""
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})
STATUSES: Final = frozenset({*PublishStatus, NOT_POSTED})
OTHER: Final = "_OTHER"
"""OpenTelemetry's word for a value that is not on the list of known ones."""
NAME: Final = re.compile(r"\S+ (https?)://(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::([0-9]{1,5}))?(/.*|)", re.IGNORECASE)
"""The name of a request: its method, and its URL without query, fragment and user name."""
LOG_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
"""The boundaries of a request's durations, by OpenTelemetry's conventions."""
LONG_SECONDS: Final = (0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000)

# An instrumentation of an HTTP library makes a second span of each request, with the whole URL in it. OpenTelemetry has no
# public name for the key by which its own packages switch that off.
SUPPRESS: Final[str | None] = getattr(context, "_SUPPRESS_HTTP_INSTRUMENTATION_KEY", None)


@frozen
class Meters:
    """What takes the spans, and the instruments."""

    tracer: trace.Tracer
    requests: metrics.Histogram
    sent: metrics.Counter
    waits: metrics.Histogram
    posts: metrics.Histogram

    @classmethod
    def of(
        cls, tracer_provider: trace.TracerProvider | None = None, meter_provider: metrics.MeterProvider | None = None
    ) -> Self:
        """Return those of the providers, or of the program's own ones."""
        meter = metrics.get_meter(SCOPE, __version__, meter_provider)

        def durations(name: str, description: str, boundaries: tuple[float, ...]) -> metrics.Histogram:
            return meter.create_histogram(name, "s", description, explicit_bucket_boundaries_advisory=boundaries)

        return cls(
            trace.get_tracer(SCOPE, __version__, tracer_provider),
            requests=durations("http.client.request.duration", "How long requests took.", SECONDS),
            sent=meter.create_counter("tiktok.sent", "By", "Bytes of request bodies that left."),
            waits=durations("tiktok.wait.duration", "How long the client waited between calls.", LONG_SECONDS),
            posts=durations("tiktok.post.duration", "How long calls that post took.", LONG_SECONDS),
        )


class Recorded:
    """A span, current while the `with` block runs, and its measurement. Whatever ends the block leaves it unchanged.

    Attributes:
        meters: what takes both.
        name: the span's name.
        kind: the span's kind.
        traits: attributes of the span and of the measurement.
        own: attributes of the span alone.
    """

    kind = trace.SpanKind.INTERNAL

    def __init__(self, meters: Meters, name: str) -> None:
        self.meters = meters
        self.name = name
        self.traits: Traits = {}
        self.own: Traits = {}
        self._span: trace.Span = trace.INVALID_SPAN
        self._token: Any = None
        self._began = 0.0

    def __enter__(self) -> Self:
        _harmless(self._begin)
        self._began = perf_counter()
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        seconds = perf_counter() - self._began
        _harmless(lambda: self._record(error, seconds))
        _harmless(lambda: self._end(error))

    def _begin(self) -> None:
        self.describe()
        self._span = self.meters.tracer.start_span(self.name, kind=self.kind, attributes=self.traits | self.own)
        self._token = context.attach(self.around(trace.set_span_in_context(self._span)))

    def _record(self, error: BaseException | None, seconds: float) -> None:
        if error is not None:
            # Only its class: an exception's text may quote a URL or an answer.
            self.traits["error.type"] = type(error).__qualname__
        self.learn(error)
        self._span.set_attributes(self.traits | self.own)
        if "error.type" in self.traits:
            self._span.set_status(trace.StatusCode.ERROR)
        self.measure(seconds)

    def _end(self, error: BaseException | None) -> None:
        # An event loop that ends may close a coroutine in another context, in which this span was never current.
        is_here = not isinstance(error, GeneratorExit) or trace.get_current_span() is self._span
        if self._token is not None and is_here:
            context.detach(self._token)
        self._span.end()

    def describe(self) -> None:
        """Add the attributes that are known at the beginning."""

    def around(self, inner: context.Context) -> context.Context:
        """Return the context of the block, given the one in which the span is current."""
        return inner

    def learn(self, error: BaseException | None) -> None:
        """Add the attributes that only the end shows."""

    def measure(self, seconds: float) -> None:
        """Record the measurement. The span is still current, so that the measurement can lead to it."""


def _harmless(work: Callable[[], None]) -> None:
    """Do some work for telemetry; if it fails, say so in the log, and let the call go on."""
    try:
        work()
    except Exception as error:  # noqa: BLE001 - no failure of telemetry may end a request whose outcome matters
        with suppress(Exception):  # A handler of the log may fail, too.
            log.warning("Telemetry failed: %s", type(error).__name__)


# --- Requests ----------------------------------------------------------------------------------------------------------


class RequestSpan(Recorded):
    """A request.

    Attributes:
        request: the request to send: the given one, whose progress is heard.
    """

    kind = trace.SpanKind.CLIENT

    def __init__(self, meters: Meters, request: Request) -> None:
        super().__init__(meters, "HTTP")
        self.request = request
        self._told = request.on_sent
        self._sent = 0
        self._response: Response | None = None

    def answered(self, response: Response) -> Response:
        """Take note of the answer, and return it."""
        self._response = response
        return response

    def describe(self) -> None:
        """Add method, server, path and operation."""
        request = self.request
        method = request.method if request.method in METHODS else OTHER
        operation = "put" if method == "PUT" else "other"
        self.traits["http.request.method"] = method
        if (found := NAME.fullmatch(request.name)) is not None:
            self.traits["server.address"] = found[2] or found[3]
            self.traits["server.port"] = int(found[4] or (80 if found[1].lower() == "http" else 443))
            # The path of another server may hold a secret, such as a signature.
            path = found[5][max(found[5].rfind("/v2/"), 0) :]
            if path in OPERATIONS:
                operation, self.own["url.path"] = OPERATIONS[path], path
        self.traits["tiktok.operation"] = operation
        self.name = method if operation == "other" else f"{method} {operation}"
        if request.content_length:
            self.own["http.request.body.size"] = request.content_length
            self.request = evolve(request, on_sent=self._hear)

    def _hear(self, sent: int) -> None:
        self._sent = sent
        if self._told is not None:
            self._told(sent)

    def around(self, inner: context.Context) -> context.Context:
        """Switch the instrumentation of HTTP libraries off."""
        return inner if SUPPRESS is None else context.set_value(SUPPRESS, True, inner)

    def learn(self, error: BaseException | None) -> None:
        """Add the answer, and how much of the body left."""
        if isinstance(error, GuestFailed):
            # The core hides the exception of a callback, a source or a sink from transports; the post's span has its class.
            self.traits["error.type"] = "callback"
        if self._sent:
            self.own["tiktok.sent"] = self._sent
        if self._response is not None:
            self.traits["http.response.status_code"] = self._response.status
            if self._response.status >= 400:
                self.traits["error.type"] = str(self._response.status)
            _add_log_id(self.own, self._response.headers.get("x-tt-logid"))

    def measure(self, seconds: float) -> None:
        """Record how long it took, and the bytes that left."""
        self.meters.requests.record(seconds, self.traits)
        if self._sent:
            self.meters.sent.add(self._sent, {"tiktok.operation": self.traits["tiktok.operation"]})


def _add_log_id(traits: Traits, log_id: object) -> None:
    if isinstance(log_id, str) and LOG_ID.fullmatch(log_id):
        traits["tiktok.log_id"] = log_id


# --- Waits -------------------------------------------------------------------------------------------------------------


class WaitSpan(Recorded):
    """A wait, measured by the clock that waits."""

    def __init__(self, meters: Meters, clock: Clock | AsyncClock, seconds: float) -> None:
        super().__init__(meters, "tiktok.wait")
        self._clock = clock
        self._seconds = seconds

    def describe(self) -> None:
        """Add the seconds that the wait shall take."""
        self.own["tiktok.wait"] = self._seconds
        self._since = self._clock.now()

    def measure(self, _seconds: float) -> None:
        """Record how long it took; the clock may have been set meanwhile."""
        waited = (self._clock.now() - self._since).total_seconds()
        self.meters.waits.record(min(max(waited, 0.0), self._seconds), self.traits)


# --- Posts -------------------------------------------------------------------------------------------------------------


class PostSpan(Recorded):
    """A call that posts."""

    def __init__(self, meters: Meters, operation: str, account: str, key: object) -> None:
        super().__init__(meters, f"tiktok.{operation}")
        self.traits["tiktok.operation"] = operation
        self.own["tiktok.account"] = account
        self._add_texts(key=key)
        self._publication: object = None

    def ended(self, publication: T) -> T:
        """Take note of the post at the end of the call, and return it."""
        self._publication = publication
        return publication

    def learn(self, error: BaseException | None) -> None:
        """Add the post, and how it or the call ended."""
        if isinstance(error, TikTokError):
            self._add_texts(key=error.key, publish_id=error.publish_id)
            # A word that the library cannot explain could be any text.
            code = getattr(error, "code", "") or getattr(error, "reason", "")
            if explain(code) is not None:
                self.traits["tiktok.code"] = code
            _add_log_id(self.own, getattr(error, "log_id", None))
        if isinstance(self._publication, Publication):
            self._add_texts(key=self._publication.key, publish_id=self._publication.publish_id)
            status = self._publication.status
            self.traits["tiktok.status"] = status if status in STATUSES else OTHER

    def _add_texts(self, **texts: object) -> None:
        self.own |= {f"tiktok.{name}": text for name, text in texts.items() if text and isinstance(text, str)}

    def measure(self, seconds: float) -> None:
        """Record how long the call took."""
        self.meters.posts.record(seconds, self.traits)
