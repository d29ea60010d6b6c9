"""Telemetry: what `traced` records of requests, waits and posts, in both worlds, and what it never records.

What belongs here: spans and metrics as an exporter gets them. That a traced port keeps its promises is in `contract_tests`.
"""

import asyncio
import contextvars
import inspect
import logging
import re
import runpy
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import pytest
from attrs import Factory, define, frozen
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import context, trace
from opentelemetry.metrics import Histogram, Meter, NoOpHistogram, NoOpMeter, NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from clips import CLIP, PHOTOS, clip, film
from tiktok_adapters.clocks import AsyncioClock, ManualClock
from tiktok_adapters.otel import Providers, traced
from tiktok_adapters.otel.spans import OPERATIONS, SUPPRESS
from tiktok_adapters.simulator import DEFAULT_CLIENT_KEY, SimulatedTikTok, parse_fault, router
from tiktok_adapters.simulator import App as PortalApp
from tiktok_adapters.simulator.quotas import Quotas
from tiktok_adapters.simulator.server import SandboxServer
from tiktok_adapters.stores.memory import MemoryJournal, MemoryTokenStore
from tiktok_adapters.testing.contracts import ended
from tiktok_adapters.transports.aiohttp import AiohttpTransport
from tiktok_adapters.transports.fake import FakeTransport
from tiktok_adapters.transports.urllib3 import Urllib3Transport
from tiktok_core import (
    Account,
    App,
    AsyncAccount,
    AsyncTikTok,
    Endpoints,
    Interrupted,
    NotSent,
    Progress,
    TikTok,
    TikTokError,
)
from tiktok_core.lifting import lift_clock, lift_journal, lift_tokens, lift_transport
from tiktok_core.ports import FileSlice, Request, Response
from yielding import Yielding

GUIDE: Final = Path(__file__).parents[2] / "docs" / "guides" / "telemetry.md"
SECRET: Final = "canary-of-a-client-secret"
CANARY: Final = "canary4711"
WORLDS: Final = ("blocking", "asynchronous")
PLACE: Final = "https://open.tiktokapis.com"


@frozen
class Heard:
    """What the telemetry of a test recorded, in memory."""

    exporter: InMemorySpanExporter = Factory(InMemorySpanExporter)
    reader: InMemoryMetricReader = Factory(InMemoryMetricReader)
    providers: Providers = Factory(lambda self: self._made(), takes_self=True)

    def _made(self) -> Providers:
        spans = TracerProvider()
        spans.add_span_processor(SimpleSpanProcessor(self.exporter))
        return {"tracer_provider": spans, "meter_provider": MeterProvider([self.reader])}

    @property
    def spans(self) -> list[ReadableSpan]:
        """All spans, in the order in which they began."""
        return sorted(self.exporter.get_finished_spans(), key=lambda span: span.start_time or 0)

    def named(self, name: str) -> list[ReadableSpan]:
        """Return the spans with this name."""
        return [span for span in self.spans if span.name == name]

    def below(self, parent: ReadableSpan) -> list[ReadableSpan]:
        """Return the spans right below this one."""
        return [span for span in self.spans if span.parent and span.parent.span_id == identity(parent)]

    def points(self, name: str) -> list[Any]:
        """Return the data points of a metric."""
        data = self.reader.get_metrics_data()
        metrics = [] if data is None else [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics]
        return [point for metric in metrics if metric.name == name for point in metric.data.data_points]

    def text(self) -> str:
        """Return everything that was recorded, as an exporter writes it."""
        data = self.reader.get_metrics_data()
        return "\n".join([*(span.to_json() for span in self.spans), "" if data is None else data.to_json()])


def identity(span: Any) -> int:
    """Return a span's id."""
    return int(span.get_span_context().span_id)


def outcome(span: ReadableSpan) -> tuple[StatusCode, Any]:
    """Return a span's status and error type, having checked that it holds no text of an exception."""
    assert span.status.description is None
    assert span.events == ()
    return span.status.status_code, (span.attributes or {}).get("error.type")


def attributes(span: ReadableSpan) -> dict[str, Any]:
    """Return a span's attributes."""
    return dict(span.attributes or {})


@define
class Bench:
    """A client of either world over a simulated TikTok in memory, both traced.

    Attributes:
        world: `blocking` or `asynchronous`.
        heard: what was recorded since the sign-in.
        run: returns the result of a call in either world.
        sim: the simulated TikTok.
        clock: the clock of both.
        tiktok: the client.
        account: the traced account.
        handle: answers the requests.
    """

    world: str
    heard: Heard
    run: Callable[[Any], Any]
    sim: SimulatedTikTok
    clock: ManualClock
    tiktok: Any = None
    account: Any = None
    handle: Callable[[Request], Response] = Factory(lambda self: self.sim.handle, takes_self=True)

    def connect(self, app: App, transport: Any = None, **options: Any) -> tuple[Any, str]:
        """Make the client, sign in, and return the sign-in with its answer; in memory unless a transport is given."""
        providers = self.heard.providers
        ports: dict[str, Any] = {"tokens": MemoryTokenStore(), "journal": MemoryJournal(), "clock": self.clock}
        if self.world == "blocking":
            transport = transport or FakeTransport(self.handled)
            kind: Any = TikTok
        else:
            transport = transport or Yielding(FakeTransport(self.handled))
            kind = AsyncTikTok
            lifts: dict[str, Any] = {"tokens": lift_tokens, "journal": lift_journal, "clock": lift_clock}
            ports = {name: lifts[name](port) for name, port in ports.items()}
        ports |= {"transport": traced(transport, **providers), "clock": traced(ports["clock"], **providers)}
        self.tiktok = kind(app, **ports, **options)
        begun = self.tiktok.authorization()
        callback = self.sim.authorize(begun.url)
        self.account = traced(self.run(self.tiktok.sign_in(begun, callback)), **providers)
        return begun, callback

    def handled(self, request: Request) -> Response:
        """Answer a request."""
        return self.handle(request)

    def post(self, video: Any = CLIP, **options: Any) -> Any:
        """Post a video."""
        return self.run(self.post_later(video, **options))

    def post_later(self, video: Any = CLIP, **options: Any) -> Any:
        """Post a video, or return what to await for it."""
        return self.account.post_video(video, privacy_level="SELF_ONLY", **options)

    def ended(self, call: Callable[[], Any]) -> Any:
        """Return the result of a call, or the error with which it ended."""
        return ended(self.run, call)


APP: Final = App(DEFAULT_CLIENT_KEY, SECRET, "https://app.example.com/callback/")


@contextmanager
def benched(world: str, heard: Heard, sim: SimulatedTikTok, clock: ManualClock) -> Iterator[Bench]:
    """Yield a bench whose client is still to be connected."""
    with closing(sim), asyncio.Runner() as runner:

        def run(value: Any) -> Any:
            return runner.run(awaited(value)) if inspect.isawaitable(value) else value

        bench = Bench(world, heard, run, sim, clock)
        yield bench
        run(bench.tiktok.close())


async def awaited(value: Any) -> Any:
    """Return the result of an awaitable."""
    return await value


@pytest.fixture
def heard() -> Heard:
    """Return telemetry in memory."""
    return Heard()


@pytest.fixture(params=WORLDS)
def bench(request: pytest.FixtureRequest, heard: Heard) -> Iterator[Bench]:
    """Return a signed-in client of each world."""
    clock = ManualClock()
    sim = SimulatedTikTok(clock, apps=[PortalApp(client_secret=SECRET)])
    with benched(request.param, heard, sim, clock) as bench:
        bench.connect(APP)
        heard.exporter.clear()
        yield bench


# --- A post, its requests and its waits --------------------------------------------------------------------------------


def test_a_post_lies_over_its_requests_and_waits(bench: Bench) -> None:
    """Each request that TikTok got, and each wait, is a span below the post, in order."""
    before = len(bench.sim.log)
    done = bench.post(film(200_000), key="a-key")
    (post,) = bench.heard.named("tiktok.post_video")
    assert post.parent is None
    assert post.kind is SpanKind.INTERNAL
    assert attributes(post) == {
        "tiktok.operation": "post_video",
        "tiktok.account": bench.account.open_id,
        "tiktok.key": "a-key",
        "tiktok.publish_id": done.publish_id,
        "tiktok.status": "PUBLISH_COMPLETE",
    }
    assert outcome(post) == (StatusCode.UNSET, None)
    below = bench.heard.below(post)
    assert len(below) == len(bench.heard.spans) - 1
    requests = [span for span in below if span.kind is SpanKind.CLIENT]
    assert [attributes(span)["tiktok.operation"] for span in requests] == [
        entry.operation for entry in bench.sim.log[before:]
    ]
    waits = [attributes(span)["tiktok.wait"] for span in below if span.name == "tiktok.wait"]
    assert tuple(waits) == bench.clock.naps


def test_a_request_is_described_by_the_names_of_the_conventions(bench: Bench) -> None:
    """Method, host, port, path and status are there; the query is not."""
    bench.run(bench.account.user_info())
    (span,) = bench.heard.spans
    assert span.name == "GET user_info"
    assert span.kind is SpanKind.CLIENT
    assert attributes(span) == {
        "http.request.method": "GET",
        "server.address": "open.tiktokapis.com",
        "server.port": 443,
        "url.path": "/v2/user/info/",
        "http.response.status_code": 200,
        "tiktok.operation": "user_info",
    }


def test_an_upload_says_how_much_left_but_not_whereto(bench: Bench) -> None:
    """The path of an upload URL is TikTok's secret as much as its query."""
    video = film(1000)
    bench.post(video)
    (put,) = bench.heard.named("PUT put")
    assert attributes(put) == {
        "http.request.method": "PUT",
        "server.address": "open-upload.tiktokapis.com",
        "server.port": 443,
        "http.request.body.size": video.size,
        "http.response.status_code": 201,
        "tiktok.operation": "put",
        "tiktok.sent": video.size,
    }


def test_photos_and_a_resumed_post_are_posts_too(bench: Bench) -> None:
    """Each way to post makes its own span, also over an account with other options."""
    bench.run(bench.account.post_photos(PHOTOS, privacy_level="SELF_ONLY", key="photos"))
    bench.run(bench.account.with_options(patience=30).resume("photos"))
    bench.run(bench.account.resume(key="photos"))
    names = ("tiktok.post_photos", "tiktok.resume", "tiktok.resume")
    assert tuple(span.name for span in bench.heard.spans if span.parent is None) == names
    assert {attributes(span)["tiktok.key"] for span in bench.heard.spans if span.parent is None} == {"photos"}


@pytest.mark.parametrize("named", [True, False])
def test_a_call_that_finds_no_post_shows_the_key_that_it_was_given(bench: Bench, named: bool) -> None:
    """The error knows no key yet; the span has the one that the program asked for."""
    call = partial(bench.account.resume, key="a-key") if named else partial(bench.account.resume, "a-key")
    assert bench.ended(call).key is None
    (post,) = bench.heard.spans
    assert outcome(post) == (StatusCode.ERROR, "InvalidInput")
    assert attributes(post)["tiktok.key"] == "a-key"


def test_the_programs_own_span_lies_over_everything(bench: Bench) -> None:
    """A request that belongs to no post, and a post, are children of the span that is current."""
    tracer = bench.heard.providers["tracer_provider"].get_tracer("the program")

    async def job() -> None:
        with tracer.start_as_current_span("job"):
            for call in (bench.account.creator_info, bench.post_later):
                result = call()
                if inspect.isawaitable(result):
                    await result

    bench.run(job())
    (job,) = bench.heard.named("job")
    assert [span.name for span in bench.heard.below(job)] == ["POST creator_info", "tiktok.post_video"]
    assert not trace.get_current_span().get_span_context().is_valid


def test_each_request_lies_below_its_own_post(bench: Bench) -> None:
    """Several posts at once, in threads or tasks: no request is below another's post."""
    seen: list[tuple[str, int]] = []

    def handle(request: Request) -> Response:
        span: Any = trace.get_current_span()
        if isinstance(request.body, FileSlice):
            number = int.from_bytes(request.body.source.read(0, request.body.source.size)[-4:], "big")
            seen.append((f"post-{number}", span.parent.span_id))
        elif found := re.search(rb'"title": ?"(post-\d)"', request.body):
            seen.append((found[1].decode(), span.parent.span_id))
        return bench.sim.handle(request)

    bench.handle = handle

    def begun(number: int) -> Any:
        name = f"post-{number}"
        return bench.account.post_video(clip(number), privacy_level="SELF_ONLY", title=name, key=name)

    async def all_at_once() -> None:
        await asyncio.gather(*map(begun, range(5)))

    if bench.world == "blocking":
        with ThreadPoolExecutor(5) as pool:
            assert len(list(pool.map(begun, range(5)))) == 5
    else:
        bench.run(all_at_once())
    posts = {attributes(span)["tiktok.key"]: identity(span) for span in bench.heard.named("tiktok.post_video")}
    assert set(posts) == {f"post-{number}" for number in range(5)}
    assert len(seen) == 10
    assert all(posts[name] == parent for name, parent in seen)
    for span in bench.heard.named("tiktok.post_video"):
        operations = [attributes(one).get("tiktok.operation") for one in bench.heard.below(span)]
        assert operations.count("video_init") == operations.count("put") == 1


# --- What goes wrong ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "name", "found"),
    [
        ("video_init=status:500", "POST video_init", {"http.response.status_code": 500, "error.type": "500"}),
        ("creator_infox9=code:access_token_invalid", "POST creator_info", {"error.type": "401"}),
        ("putx9=unreachable", "PUT put", {"error.type": "NotSent"}),
        ("put=drop-before", "PUT put", {"error.type": "Interrupted"}),
        ("put=slow:31", "PUT put", {"error.type": "TimedOut"}),
    ],
)
def test_a_request_that_fails_has_a_status_and_no_text(
    bench: Bench, fault: str, name: str, found: dict[str, Any]
) -> None:
    """The status of an answer that refuses, or the class of the error, and nothing that a person wrote."""
    bench.sim.faults.add(fault)
    result = bench.ended(bench.post_later)  # Some of these posts go on, and some end.
    assert str(result) not in bench.heard.text()
    first = bench.heard.named(name)[0]
    assert outcome(first) == (StatusCode.ERROR, found["error.type"])
    assert found.items() <= attributes(first).items()


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        (
            "creator_info=code:spam_risk_too_many_posts",
            {"error.type": "PostingRefused", "tiktok.code": "spam_risk_too_many_posts"},
        ),
        ("creator_info=code:word_of_tomorrow", {"error.type": "ApiError"}),
        (
            "init=fail:frame_rate_check_failed",
            {"error.type": "PublishFailed", "tiktok.code": "frame_rate_check_failed"},
        ),
        ("init=never-ends", {"error.type": "StillProcessing"}),
        ("*x99=unreachable", {"error.type": "NotSent"}),
    ],
)
def test_a_post_that_fails_says_how(bench: Bench, fault: str, found: dict[str, Any]) -> None:
    """The class of the error, the code if the library can explain it, and what names the post; no text."""
    bench.sim.faults.add(fault)
    error = bench.ended(partial(bench.post_later, key="a-key"))
    (post,) = bench.heard.named("tiktok.post_video")
    assert outcome(post) == (StatusCode.ERROR, found["error.type"])
    rest = {"tiktok.operation": "post_video", "tiktok.account": bench.account.open_id, "tiktok.key": "a-key"}
    names = {"tiktok.publish_id": error.publish_id, "tiktok.log_id": getattr(error, "log_id", None)}
    assert attributes(post) == found | rest | {name: text for name, text in names.items() if text}
    assert str(error) not in bench.heard.text()


def test_a_word_that_tiktok_adds_later_is_no_value_of_its_own(bench: Bench) -> None:
    """A status that the library does not know is `_OTHER`: a metric must not grow with what TikTok says."""
    bench.sim.faults.add(f"init=word:{CANARY}")
    bench.post(wait=False)
    assert bench.run(bench.account.resume(bench.run(bench.account.posts())[0].key, wait=False)).status == CANARY
    statuses = [attributes(span)["tiktok.status"] for span in bench.heard.spans if span.parent is None]
    assert statuses[-1] == "_OTHER"
    assert CANARY not in bench.heard.text()


def test_ctrl_c_ends_both_spans_with_an_error(bench: Bench) -> None:
    """An exception of a callback, of whatever kind, leaves as it is, and both spans end."""
    stop = KeyboardInterrupt(CANARY)

    def on_progress(progress: Progress) -> None:
        if progress.sent_bytes:
            raise stop

    assert bench.ended(partial(bench.post_later, on_progress=on_progress)) is stop
    for name, kind in {"PUT put": "callback", "tiktok.post_video": "KeyboardInterrupt"}.items():
        (span,) = bench.heard.named(name)
        assert outcome(span) == (StatusCode.ERROR, kind)
    assert CANARY not in bench.heard.text()
    assert not trace.get_current_span().get_span_context().is_valid


class Stuck:
    """An asynchronous transport whose uploads never end."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.reached = asyncio.Event()

    async def send(self, request: Request) -> Response:
        """Answer, or wait for ever."""
        if request.method != "PUT":
            answer: Response = await self._inner.send(request)
            return answer
        self.reached.set()
        await asyncio.Event().wait()
        raise AssertionError

    async def close(self) -> None:
        """Do nothing."""


def test_a_cancelled_post_ends_its_spans(heard: Heard) -> None:
    """The request that was under way, and the post, carry the class of the cancellation."""
    clock = ManualClock()
    sim = SimulatedTikTok(clock, apps=[PortalApp(client_secret=SECRET)])
    stuck = Stuck(lift_transport(FakeTransport(sim.handle)))

    async def cancelled(post: Callable[[], Any]) -> None:
        task = asyncio.create_task(post())
        await stuck.reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not trace.get_current_span().get_span_context().is_valid

    with benched("asynchronous", heard, sim, clock) as bench:
        bench.connect(APP, stuck)
        bench.run(cancelled(bench.post_later))
    for name in ("PUT put", "tiktok.post_video"):
        (span,) = heard.named(name)
        assert outcome(span) == (StatusCode.ERROR, "CancelledError")


def test_a_cancelled_wait_counts_for_what_it_took(heard: Heard) -> None:
    """A wait that is cut short does not count as a whole one."""

    async def main() -> None:
        task = asyncio.create_task(traced(AsyncioClock(), **heard.providers).sleep(1000))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    (span,) = heard.named("tiktok.wait")
    assert outcome(span) == (StatusCode.ERROR, "CancelledError")
    (point,) = heard.points("tiktok.wait.duration")
    assert (point.count, dict(point.attributes)) == (1, {"error.type": "CancelledError"})
    assert 0 <= point.sum < 1000


@pytest.mark.parametrize(("change", "counted"), [(-3600, 0), (0, 5), (3600, 5)])
def test_a_clock_that_is_set_does_not_spoil_the_sum(heard: Heard, change: float, counted: float) -> None:
    """A wait counts for no less than nothing, and for no more than was asked."""

    class Set(ManualClock):
        shown = 0.0

        def now(self) -> datetime:
            return datetime.fromtimestamp(super().now().timestamp() + self.shown, UTC)

        def sleep(self, seconds: float, /) -> None:
            super().sleep(seconds)
            self.shown = change

    traced(Set(), **heard.providers).sleep(5)
    (point,) = heard.points("tiktok.wait.duration")
    assert point.sum == counted


class Once:
    """An awaitable that suspends its coroutine once, under any driver."""

    def __await__(self) -> Iterator[None]:
        yield


class Suspending:
    """An asynchronous transport that suspends before it answers."""

    async def send(self, _request: Request) -> Response:
        """Suspend, and answer."""
        await Once()
        return Response(200)

    async def close(self) -> None:
        """Do nothing."""


@pytest.mark.parametrize("where", ["the same context", "another context"])
def test_a_coroutine_that_is_closed_ends_its_span_quietly(
    heard: Heard, caplog: pytest.LogCaptureFixture, where: str
) -> None:
    """An event loop that ends closes what is left, in another context: no error is logged, and no span stays current."""
    work = traced(Suspending(), **heard.providers).send(Request(method="GET", url=PLACE))
    (contextvars.copy_context().run if where == "another context" else lambda call, *given: call(*given))(
        work.send, None
    )
    work.close()
    assert not trace.get_current_span().get_span_context().is_valid
    (span,) = heard.spans
    assert outcome(span) == (StatusCode.ERROR, "GeneratorExit")
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


class Careless:
    """A transport that leaves a span of its own current, and ends as told."""

    def __init__(self, end: BaseException | None) -> None:
        self._end = end

    def send(self, _request: Request) -> Response:
        """Begin a span and never end it."""
        context.attach(trace.set_span_in_context(trace.NonRecordingSpan(trace.SpanContext(1, 1, is_remote=False))))
        if self._end is not None:
            raise self._end
        return Response(200)

    def close(self) -> None:
        """Do nothing."""


@pytest.mark.parametrize("end", [None, KeyboardInterrupt(), NotSent("GET x", "it did not leave")], ids=repr)
def test_what_a_port_leaves_current_ends_with_its_request(heard: Heard, end: BaseException | None) -> None:
    """After the request, the span from before it is current again, whatever happened meanwhile."""
    call = traced(Careless(end), **heard.providers).send
    result = contextvars.copy_context().run(_current_after, lambda: call(Request(method="GET", url=PLACE)))
    assert result is trace.INVALID_SPAN


def _current_after(call: Callable[[], Any]) -> Any:
    ended(lambda value: value, call)
    return trace.get_current_span()


# --- Metrics -----------------------------------------------------------------------------------------------------------


def test_the_metrics_count_what_tiktok_and_the_clock_counted(bench: Bench) -> None:
    """Requests by operation and outcome, bytes, waits and posts: as many as there were."""
    bench.sim.faults.add("put=status:500")
    bench.sim.faults.add("put:2=drop-after")
    bench.post(film(5000))
    bench.sim.faults.add("creator_info=code:spam_risk_too_many_posts")
    bench.ended(partial(bench.post_later, clip(1)))
    counted = Counter[str]()
    outcomes = Counter[tuple[str, Any]]()
    for point in bench.heard.points("http.client.request.duration"):
        found = dict(point.attributes)
        counted[found["tiktok.operation"]] += point.count
        outcomes[found["tiktok.operation"], found.get("error.type")] += point.count
        assert {"http.request.method", "server.address", "server.port"} < set(found)
        assert found.get("error.type") or found["http.response.status_code"] < 400
        assert point.explicit_bounds[-1] == 10
    assert counted == Counter(entry.operation for entry in bench.sim.log if entry.operation != "authorize")
    assert outcomes["put", "500"] == outcomes["put", "Interrupted"] == 1
    sent = {point.attributes["tiktok.operation"]: point.value for point in bench.heard.points("tiktok.sent")}
    puts = [attributes(span).get("tiktok.sent", 0) for span in bench.heard.named("PUT put")]
    assert sent["put"] == sum(puts) > 5000
    assert sum(point.sum for point in bench.heard.points("tiktok.wait.duration")) == pytest.approx(bench.clock.slept)
    assert sum(point.count for point in bench.heard.points("tiktok.wait.duration")) == len(bench.clock.naps) > 0
    ends = {
        (point.attributes.get("tiktok.status"), point.attributes.get("error.type")): point.count
        for point in bench.heard.points("tiktok.post.duration")
    }
    assert ends == {("PUBLISH_COMPLETE", None): 1, (None, "PostingRefused"): 1}


class Cut:
    """A transport that loses the connection after 400 bytes."""

    def send(self, request: Request) -> Response:
        """Report them, and raise."""
        assert request.on_sent is not None
        request.on_sent(100)
        request.on_sent(400)
        raise Interrupted(request.name, "it broke off")

    def close(self) -> None:
        """Do nothing."""


def test_bytes_count_once_they_have_left(heard: Heard) -> None:
    """Of a request that broke off, only what had left counts; its own callback hears the same."""
    told: list[int] = []
    request = Request(method="PUT", url=f"{PLACE}/video/", body=bytes(1000), on_sent=told.append)
    with pytest.raises(Interrupted):
        traced(Cut(), **heard.providers).send(request)
    (span,), (point,) = heard.spans, heard.points("tiktok.sent")
    assert told == [100, 400]
    assert (attributes(span)["http.request.body.size"], attributes(span)["tiktok.sent"]) == (1000, 400)
    assert (point.value, dict(point.attributes)) == (400, {"tiktok.operation": "put"})


def test_every_call_of_the_api_has_its_word() -> None:
    """The operations are those of the simulator's log, so that there is one word for each."""
    tables: Any = ({path: row[0] for path, row in table.items()} for table in (router._OAUTH, router._DATA))
    words = {path: row[1] for path, row in router._API.items()}
    for table in tables:
        words |= table
    assert words == OPERATIONS


# --- Secrets -----------------------------------------------------------------------------------------------------------

ERRORS: Final[tuple[Callable[[], BaseException], ...]] = (
    lambda: NotSent(f"GET {CANARY}", CANARY),
    lambda: Interrupted(f"GET {CANARY}", CANARY),
    lambda: OSError(CANARY),
    lambda: KeyboardInterrupt(CANARY),
)
PATHS: Final = st.sampled_from(
    [*OPERATIONS, "", "/", f"/{CANARY}", f"/{CANARY}/v2/user/info/", f"/v2/user/info/{CANARY}", f"/v2/{CANARY}/v2/"]
)


@frozen
class Ends:
    """A transport that ends as told."""

    end: Response | BaseException

    def send(self, _request: Request) -> Response:
        """Return the answer, or raise the error."""
        if isinstance(self.end, BaseException):
            raise self.end
        return self.end

    def close(self) -> None:
        """Do nothing."""


@given(
    method=st.sampled_from(["GET", "POST", "PUT", CANARY.upper()]),
    place=st.sampled_from(
        [
            "https://h.example",
            "HTTP://[::1]:8080",
            f"https://{CANARY}:{CANARY}@h.example",
            f"https://{CANARY}@h.example:1",
        ]
    ),
    path=PATHS,
    query=st.sampled_from(["", f"?token={CANARY}", f"#{CANARY}", f"?a=/v2/user/info/#{CANARY}"]),
    body=st.sampled_from([b"", CANARY.encode()]),
    end=st.one_of(
        st.sampled_from(ERRORS).map(lambda make: make()),
        st.sampled_from([200, 302, 404, 500]).map(
            lambda status: Response(
                status, {"location": CANARY, "set-cookie": CANARY, "x-tt-logid": f"a {CANARY}"}, CANARY.encode()
            )
        ),
    ),
)
def test_no_part_of_a_request_or_an_answer_that_may_be_secret_is_recorded(  # noqa: PLR0917 - Hypothesis names them
    method: str, place: str, path: str, query: str, body: bytes, end: Response | BaseException
) -> None:
    """Only host, port, a path of TikTok's API, the status, sizes and the class of an error are recorded."""
    heard = Heard()
    request = Request(method=method, url=place + path + query, headers={"Authorization": CANARY}, body=body)
    assert ended(lambda value: value, lambda: traced(Ends(end), **heard.providers).send(request)) is end
    (span,) = heard.spans
    outcome(span)
    assert attributes(span)["server.address"] in {"h.example", "::1"}
    assert CANARY not in heard.text().lower()


def test_the_log_id_of_an_answer_is_recorded(heard: Heard) -> None:
    """TikTok's support asks for it, and TikTok's proxies send it beside every answer."""
    answer = Response(200, {"x-tt-logid": "20261129123456ABCDEF0123456789"})
    assert traced(Ends(answer), **heard.providers).send(Request(method="GET", url=PLACE)) is answer
    (span,) = heard.spans
    assert attributes(span)["tiktok.log_id"] == "20261129123456ABCDEF0123456789"


FAULTS: Final = (
    "put=drop-at:10",
    "put=status:500",
    "put=expire",
    "video_init=foreign-upload-host",
    "video_init=garbage",
    "init=fail:internal",
    f"init=fail:{CANARY}",
    f"init=code:{CANARY}",
    "creator_info=code:spam_risk_too_many_posts@200",
    "token=code:invalid_grant",
    f"put=redirect:https://elsewhere.example/{CANARY}",
)


def secrets_of(sim: SimulatedTikTok, begun: Any, callback: str) -> set[str]:
    """Return every secret of a run."""
    uploads = {task.upload.upload_token for task in sim.world.tasks.values() if task.upload}
    assert uploads
    code = dict(parse_qsl(urlsplit(callback).query))["code"]
    shown = {begun.state.reveal(), begun.code_verifier.reveal(), code, SECRET, CANARY}
    return {*shown, *sim.world.tokens, *sim.world.codes, *uploads}


@pytest.mark.parametrize("world", WORLDS)
def test_a_whole_run_over_sockets_records_no_secret(heard: Heard, world: str) -> None:
    """Sign-in, posts, a renewal and every kind of failure over a real transport: each request has its span, and no secret."""
    clock = ManualClock(datetime.now(UTC))
    sim = SimulatedTikTok(seed=None, apps=[PortalApp(client_secret=SECRET)])
    sim.switches.processing_seconds = 0
    with benched(world, heard, sim, clock) as bench, SandboxServer(sim).run_in_thread() as server:
        place = Endpoints(api_url=server.url, auth_url=f"{server.url}/v2/auth/authorize/")
        transport: Any = Urllib3Transport() if world == "blocking" else AiohttpTransport()
        begun, callback = bench.connect(APP, transport, endpoints=place, timeout=5)
        assert bench.post().status == "PUBLISH_COMPLETE"
        for fault in FAULTS:
            sim.faults.clear()
            sim.world.quotas = Quotas()
            sim.faults.add(parse_fault(fault.replace("=", "x99=", 1)))
            call = bench.account.refresh if fault.startswith("token") else bench.post_later
            assert isinstance(bench.ended(call), TikTokError), fault
        requests = [span for span in heard.spans if span.kind is SpanKind.CLIENT]
        there = Counter(entry.operation for entry in sim.log if entry.operation != "authorize")
        assert Counter(attributes(span)["tiktok.operation"] for span in requests) == there
        where = {(attributes(span)["server.address"], attributes(span)["server.port"]) for span in requests}
        assert where == {("127.0.0.1", urlsplit(server.url).port)}
        assert {outcome(span)[1] for span in heard.named("tiktok.post_video")} >= {None, "PublishFailed", "ApiError"}
        text = heard.text()
        assert [secret for secret in secrets_of(sim, begun, callback) if secret in text] == []
        bench.run(bench.tiktok.close())


# --- Telemetry that is broken, absent, or of somebody else ---------------------------------------------------------------


@frozen
class BrokenSpans(SpanProcessor):
    """A processor that fails whenever a span begins, or whenever one ends."""

    at: str

    def on_start(self, *_: Any, **__: Any) -> None:
        """Fail, if it is to."""
        if self.at == "start":
            raise RuntimeError(CANARY)

    def on_end(self, *_: Any) -> None:
        """Fail, if it is to."""
        if self.at == "end":
            raise RuntimeError(CANARY)


class BrokenHistogram(NoOpHistogram):
    """An instrument that fails."""

    def record(self, *_: Any, **__: Any) -> None:
        """Fail."""
        raise RuntimeError(CANARY)


class BrokenMeter(NoOpMeter):
    """A meter with such instruments."""

    def create_histogram(self, *given: Any, **_: Any) -> Histogram:
        """Return one."""
        return BrokenHistogram(given[0])


class BrokenMeters(NoOpMeterProvider):
    """A provider of such a meter."""

    def get_meter(self, *given: Any, **_: Any) -> Meter:
        """Return it."""
        return BrokenMeter(given[0])


@pytest.mark.parametrize("at", ["start", "end"])
def test_telemetry_that_fails_changes_no_call(bench: Bench, caplog: pytest.LogCaptureFixture, at: str) -> None:
    """A request whose span cannot be made was still sent: its outcome must not become unknown."""
    spans, meters = TracerProvider(), BrokenMeters()
    spans.add_span_processor(BrokenSpans(at))
    providers: Providers = {"tracer_provider": spans, "meter_provider": meters}
    bench.heard = Heard(providers=providers)
    bench.connect(bench.tiktok.app)
    assert bench.post().status == "PUBLISH_COMPLETE"
    bench.sim.faults.add("creator_info=code:spam_risk_too_many_posts")
    assert type(bench.ended(partial(bench.post_later, clip(2)))).__name__ == "PostingRefused"
    said = [record for record in caplog.records if record.name == "tiktok_core" and "Telemetry" in record.message]
    assert {record.getMessage() for record in said} == {"Telemetry failed: RuntimeError"}
    assert not trace.get_current_span().get_span_context().is_valid


def test_without_a_provider_nothing_is_recorded(bench: Bench) -> None:
    """A program that has set up no telemetry gets the same answers, and no span is recording meanwhile."""
    seen = []

    def handle(request: Request) -> Response:
        seen.append(trace.get_current_span().is_recording())
        return bench.sim.handle(request)

    bench.heard, bench.handle = Heard(providers={}), handle
    bench.connect(bench.tiktok.app)
    assert bench.post().status == "PUBLISH_COMPLETE"
    assert set(seen) == {False}
    assert bench.heard.spans == []


def test_other_instrumentation_of_http_is_off_within_a_request(bench: Bench) -> None:
    """It would record each request again, with the whole URL of an upload, and add a header, as we do not."""
    assert SUPPRESS is not None
    seen = []

    def handle(request: Request) -> Response:
        assert not {"traceparent", "tracestate", "baggage"} & {name.lower() for name in request.headers}
        seen.append(context.get_value(SUPPRESS))
        return bench.sim.handle(request)

    bench.handle = handle
    bench.post()
    assert seen
    assert set(seen) == {True}
    assert context.get_value(SUPPRESS) is None


# --- The face ------------------------------------------------------------------------------------------------------------


def test_a_traced_account_is_the_same_account(bench: Bench) -> None:
    """It is of the same class, has the same methods with the same signatures, and the given one stays untraced."""
    plain = bench.run(bench.tiktok.account())
    again = traced(plain, **bench.heard.providers)
    assert type(again) is type(plain) is (Account if bench.world == "blocking" else AsyncAccount)
    assert (repr(again), again.open_id) == (repr(plain), plain.open_id)
    for name in ("post_video", "post_photos", "resume", "with_options"):
        assert inspect.signature(getattr(again, name)) == inspect.signature(getattr(plain, name))
        assert getattr(again, name).__doc__ == getattr(plain, name).__doc__
    assert again.posts == plain.posts or again.posts.__func__ is plain.posts.__func__
    bench.run(plain.post_video(CLIP, privacy_level="SELF_ONLY"))
    assert bench.heard.named("tiktok.post_video") == []


@pytest.mark.parametrize(
    "value", [None, Urllib3Transport, MemoryTokenStore(), "text"], ids=["none", "class", "store", "text"]
)
def test_what_cannot_be_traced_is_refused(value: Any) -> None:
    """The error says what can be."""
    with pytest.raises(TypeError, match="takes a transport, a clock or an account, not"):
        traced(value)


def test_a_client_is_refused_with_what_to_do(bench: Bench) -> None:
    """Its ports are given when it is made."""
    with pytest.raises(TypeError, match=r"not (Async)?TikTok; of a client, it takes these parts"):
        traced(bench.tiktok)


@pytest.mark.parametrize(
    ("lacking", "said"),
    [
        ("opentelemetry", r"^telemetry needs opentelemetry-api: pip install 'tiktok-open\[otel\]'$"),
        ("typing_extensions", "^no typing_extensions$"),
    ],
)
def test_a_missing_package_is_one_sentence(monkeypatch: pytest.MonkeyPatch, lacking: str, said: str) -> None:
    """The sentence names the extra; a package that OpenTelemetry itself lacks is not covered up."""

    class Lacking:
        def find_spec(self, name: str, *_: Any) -> None:
            if name.startswith("opentelemetry"):
                raise ModuleNotFoundError(f"no {lacking}", name=lacking)

    for name in [name for name in sys.modules if name.startswith("opentelemetry")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Lacking(), *sys.meta_path])
    with pytest.raises(ImportError, match=said):
        runpy.run_path(str(inspect.getsourcefile(traced)))


# --- The guide -----------------------------------------------------------------------------------------------------------


def rows(section: str) -> set[str]:
    """Return the names in the first column of a section's table."""
    text = GUIDE.read_text().partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `([a-z_.]+)` \|", text, re.MULTILINE))


def test_the_guide_lists_what_is_recorded_and_nothing_else(bench: Bench) -> None:
    """Each attribute and each metric has its row, and each row is recorded; so has each operation its word."""
    bench.sim.faults.add("put=drop-before")
    bench.post(film(5000))
    bench.sim.faults.add("creator_info=code:spam_risk_too_many_posts")
    bench.ended(bench.post_later)
    data: Any = bench.heard.reader.get_metrics_data()
    metrics = [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics]
    assert {metric.name for metric in metrics} == rows("Metrics")
    assert {name for span in bench.heard.spans for name in attributes(span)} == rows("Attributes")
    words = set(re.findall(r"`(\w+)`", GUIDE.read_text().partition("Operations have the words")[2].partition("## ")[0]))
    assert words == {*OPERATIONS.values(), "put", "other"}
