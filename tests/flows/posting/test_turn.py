"""If a request certainly never left, the journal never records that it might have.

What belongs here: failures of anything that a flow calls, before a request reached the transport or in the transport
itself, and what the journal says afterwards.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from inspect import iscoroutinefunction
from itertools import count
from typing import Any

import pytest
from attrs import define

from clips import CLIP, CLIP_BYTES, PHOTOS, PULLED
from tiktok_adapters.simulator import parse_fault
from tiktok_adapters.sources import BytesSource
from tiktok_core import Interrupted, OutcomeUnknown, Stage, StoreError, TikTokError
from tiktok_core.domain.journal import Record, record_name
from tiktok_core.errors import LeaseLost
from tiktok_core.ports import Request, Response


class Own(BaseException):
    """An error that is no `Exception`."""


@define
class Fault:
    """Fails once, at the n-th call of anything that it watches, before or after the call has done its work."""

    make: Callable[[], BaseException]
    after: bool
    left: int = 0
    error: BaseException | None = None
    where: str = ""

    def tapped(self, where: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return the call with the fault in it."""
        if iscoroutinefunction(call):

            async def awaited(*args: Any, **options: Any) -> Any:
                self.pass_by(where, is_over=False)
                result = await call(*args, **options)
                self.pass_by(where, is_over=True)
                return result

            return awaited

        def plain(*args: Any, **options: Any) -> Any:
            self.pass_by(where, is_over=False)
            result = call(*args, **options)
            self.pass_by(where, is_over=True)
            return result

        return plain

    def pass_by(self, where: str, *, is_over: bool) -> None:
        """Fail, if this is the call."""
        if is_over is not self.after or self.left == 0:
            return
        self.left -= 1
        if self.left == 0:
            self.error, self.where = self.make(), where
            raise self.error


class Tapped:
    """A port with a fault in each of its methods."""

    def __init__(self, name: str, inner: Any, fault: Fault) -> None:
        self._name = name
        self._inner = inner
        self._fault = fault

    def __getattr__(self, name: str) -> Any:
        return self._fault.tapped(f"{self._name}.{name}", getattr(self._inner, name))


class TappedSource(BytesSource):
    """A source with a fault in its reading and its fingerprint."""

    fault: Fault

    @property
    def fingerprint(self) -> str:
        """The fingerprint, or the fault."""
        return str(self.fault.tapped("source.fingerprint", lambda: super(TappedSource, self).fingerprint)())

    def read(self, start: int, length: int, /) -> bytes:
        """Return the bytes, or fail."""
        return bytes(self.fault.tapped("source.read", super().read)(start, length))


class TappedLog(logging.Handler):
    """A handler of the log that fails."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(logging.DEBUG)
        self._fault = fault

    def emit(self, _record: logging.LogRecord) -> None:
        """Take a line, or fail."""
        self._fault.pass_by("log", is_over=self._fault.after)


def context_of(bench: Any) -> Any:
    """Return the client's context."""
    return getattr(bench.tiktok, "_face", bench.tiktok)._context


def swap(bench: Any, **ports: Any) -> None:
    """Give the client other ports."""
    for name, port in ports.items():
        object.__setattr__(context_of(bench), name, port)


def stored(bench: Any, account: Any, key: str) -> Record | None:
    """Return the record of a key."""
    found: Record | None = bench.journal.load(record_name(context_of(bench).app.client_key, account.open_id, key))
    return found


def outcome(bench: Any, call: Callable[..., Any], *args: Any) -> Any:
    """Return what a call gave or raised."""
    try:
        return bench.run(call(*args))
    except BaseException as error:  # noqa: BLE001 - the test judges it
        return error


@define
class Entered:
    """Counts the requests that reached the transport."""

    bench: Any
    inits: int = 0
    puts: int = 0

    def __attrs_post_init__(self) -> None:
        transport = context_of(self.bench).transport
        send = transport.send

        async def sent(request: Request, /) -> Response:
            self.inits += "/init/" in request.url
            self.puts += request.method == "PUT"
            response: Response = await send(request)
            return response

        transport.send = sent


FAULTS: dict[str, Callable[[], BaseException]] = {
    "a store that fails": lambda: StoreError("Store", "it failed"),
    "no memory": MemoryError,
    "a cancellation": asyncio.CancelledError,
    "an error that is no Exception": Own,
}
WISHES: dict[str, Callable[[Any, Any, str, Fault], Any]] = {
    "a file": lambda account, source, key, tell: account.post_video(source, draft=True, key=key, on_progress=tell),
    "a pull": lambda account, _source, key, tell: account.post_video(PULLED, draft=True, key=key, on_progress=tell),
    "photos": lambda account, _source, key, tell: account.post_photos(PHOTOS, draft=True, key=key, on_progress=tell),
}
OF_THE_CALLER = ("log", "on_progress", "source", "entropy")
"""What fails here reaches the caller as that very object. A store may be asked for a courtesy, which costs no post."""


@pytest.fixture
def loud() -> Iterator[logging.Logger]:
    """Let the log pass every line."""
    log = logging.getLogger("tiktok_core")
    before = log.level
    log.setLevel(logging.DEBUG)
    yield log
    log.setLevel(before)
    for handler in [one for one in log.handlers if isinstance(one, TappedLog)]:
        log.removeHandler(handler)


@pytest.mark.parametrize("after", [False, True], ids=["before it acts", "after it has acted"])
@pytest.mark.parametrize("make", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("wish", WISHES.values(), ids=WISHES)
def test_what_certainly_never_left_is_never_recorded_as_if_it_might_have(
    bench: Any, loud: logging.Logger, wish: Any, make: Any, after: bool
) -> None:
    """Any call of any port may fail. Only what reached the transport is in doubt, and in the end there is one post."""
    account, fault, context = bench.signed_in(), Fault(make, after), context_of(bench)
    bench.sim.switches.processing_seconds = 0.0
    bench.sim.switches.pending_cap = 10_000
    names = ("journal", "tokens", "clock", "pacer")
    swap(bench, **{name: Tapped(name, getattr(context, name), fault) for name in names})
    swap(bench, entropy=fault.tapped("entropy", context.entropy))
    loud.addHandler(TappedLog(fault))
    entered, places = Entered(bench), set[str]()
    for number in count(1):
        bench.clock.advance(61)  # No quota is used up by now, so each run makes the same calls.
        source = TappedSource(CLIP_BYTES + number.to_bytes(4, "big"))
        source.fault = fault
        key, posts, tell = f"key {number}", len(bench.sim.posts), fault.tapped("on_progress", lambda _progress: None)
        entered.inits = entered.puts = 0
        fault.left, fault.error, fault.where = number, None, ""
        found = outcome(bench, wish, account, source, key, tell)
        fault.left = 0
        if fault.error is None:
            break
        places.add(fault.where.partition(".")[0])
        record = stored(bench, account, key)
        if fault.where.partition(".")[0] in OF_THE_CALLER:
            assert found is fault.error
        if record is not None and record.stage in {Stage.INIT_SENT, Stage.UNKNOWN}:
            assert entered.inits == 1
        assert record is None or not record.last_left or entered.puts == 1
        again = outcome(bench, wish, account, source, key, tell)
        if isinstance(again, OutcomeUnknown):
            assert entered.inits == 1
            assert len(bench.sim.posts) == posts + 1
        else:
            assert again.is_final
            assert [post.status for post in bench.sim.posts[posts:]].count("SEND_TO_USER_INBOX") == 1
    assert {"log", "journal", "clock", "entropy", "pacer"} <= places


@pytest.mark.parametrize("error", [RuntimeError("Event loop is closed"), KeyError("x"), MemoryError()])
@pytest.mark.parametrize("arrives", [True, False])
def test_what_no_transport_may_raise_is_a_doubt(bench: Any, error: Exception, arrives: bool) -> None:
    """The transport broke its contract after it got a pull, so TikTok may publish it.

    The error asks a person to look and says why.
    """
    account, transport = bench.signed_in(), context_of(bench).transport
    send = transport.send

    async def broken(request: Request, /) -> Response:
        if "video/init/" not in request.url:
            response: Response = await send(request)
            return response
        if arrives:
            await send(request)
        raise error

    transport.send = broken
    with pytest.raises(OutcomeUnknown, match=type(error).__name__) as raised:
        bench.run(account.post_video(PULLED, draft=True, key="mine"))
    doubt = raised.value.__cause__
    assert type(doubt) is Interrupted
    assert doubt.__cause__ is error


def test_a_chunk_that_no_source_gave_whole_is_not_taken_for_whole(bench: Any) -> None:
    """A source fails in any way before its last byte. The client begins the post again once the upload URL is dead."""
    account, error = bench.signed_in(), ConnectionError("the object store is gone")

    class Failing(BytesSource):
        def read(self, start: int, length: int, /) -> bytes:
            if bench.sim.count("inbox_init") and start + length > 100:
                raise error
            return super().read(start, length)

    failing = Failing(CLIP_BYTES)
    failing._fingerprint = CLIP.fingerprint
    found = outcome(bench, lambda: account.post_video(failing, draft=True, key="mine"))
    assert found is error
    record = stored(bench, account, "mine")
    assert record is not None
    assert (record.stage, record.last_left) == (Stage.UPLOADING, False)
    bench.clock.advance(3_700)
    assert bench.run(account.resume("mine", CLIP)).is_final


def test_a_refused_token_with_a_broken_log_is_not_asked_twice(bench: Any, loud: logging.Logger) -> None:
    """A log handler fails at the line about an answer. The client keeps the answer, and raises the handler's error."""
    account = bench.signed_in()
    fault = Fault(lambda: ZeroDivisionError("in a handler"), after=False)
    bench.sim.faults.add(parse_fault("inbox_init=code:access_token_invalid"))
    handler = TappedLog(fault)
    loud.addHandler(handler)
    entered = Entered(bench)
    said: list[str] = []
    handler.addFilter(lambda line: said.append(line.getMessage()) or True)
    fault.left = 1
    found = outcome(bench, lambda: account.post_video(PULLED, draft=True, key="mine"))
    assert found is fault.error
    assert entered.inits == 1
    record = stored(bench, account, "mine")
    assert record is not None
    assert record.stage is Stage.PLANNED
    assert not isinstance(found, TikTokError)


@pytest.mark.parametrize("loses", ["the lease", "the journal", "the journal and the log"])
def test_what_kept_a_request_from_leaving_is_told_though_nothing_can_be_stored(
    bench: Any, loud: logging.Logger, loses: str
) -> None:
    """The client tries once to take the record back. It raises the first error, whatever comes of this try."""
    account, journal = bench.signed_in(), bench.journal
    first, save = StoreError("Journal", "it failed"), journal.save

    def failing(record: Record, /, *, fence: int | None) -> None:
        if record.stage is Stage.INIT_SENT:
            save(record, fence=fence)
            raise first
        if record.inits == 0 and stored(bench, account, "mine") is not None:
            raise LeaseLost("mine") if loses == "the lease" else OSError("a second one")
        save(record, fence=fence)

    journal.save = failing
    fault = Fault(lambda: ZeroDivisionError("in a handler"), after=False)
    if loses == "the journal and the log":
        loud.addHandler(TappedLog(fault))
        release = journal.release

        def armed(name: str, *, owner: str) -> None:
            release(name, owner=owner)
            fault.left = 1

        journal.release = armed  # The last call before the init of a post that the journal has just got.
    found = outcome(bench, lambda: account.post_video(PULLED, draft=True, key="mine"))
    assert found is first
