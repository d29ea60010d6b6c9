"""Use blocking adapters under coroutines: `lift_*` wraps a blocking port as an asynchronous one that never suspends.

This module holds one `lift_*` for each port of `ports`, and `drive`, which runs a coroutine over such ports to its end. An
asynchronous client can use a lifted adapter too, if that never blocks for long: the event loop waits while it works.
"""

from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import datetime, timedelta
from inspect import iscoroutinefunction
from typing import Any, TypeVar

from tiktok_core.domain.forgetting import Trace
from tiktok_core.domain.journal import Record
from tiktok_core.domain.media import VideoFacts
from tiktok_core.domain.tokens import Tokens
from tiktok_core.errors import InvalidPost, Problem, StoreError
from tiktok_core.ports import (
    Background,
    Clock,
    Closes,
    HasPath,
    Intake,
    Journal,
    OpensGiven,
    Pacer,
    Probe,
    Protect,
    Receives,
    Request,
    Response,
    Source,
    TokenStore,
    Transport,
    UploadSlots,
)

__all__ = [
    "drive",
    "lift_background",
    "lift_clock",
    "lift_journal",
    "lift_open_source",
    "lift_pacer",
    "lift_probe",
    "lift_protect",
    "lift_slots",
    "lift_tokens",
    "lift_transport",
]

T = TypeVar("T")


def drive(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never suspends, and return its result.

    Raises:
        RuntimeError: the coroutine suspends, so one of its ports is asynchronous where a blocking one belongs.
    """
    try:
        work.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    name = getattr(work, "__qualname__", repr(work))
    work.close()
    raise RuntimeError(f"{name} waits for an event loop: the blocking client takes blocking adapters only")


def _refuse_coroutines(port: object, *names: str) -> None:
    for name in names:
        if iscoroutinefunction(getattr(port, name)):
            raise TypeError(f"{type(port).__name__}.{name} is a coroutine: the blocking client takes blocking adapters")


class _LiftedTransport:
    def __init__(self, port: Transport) -> None:
        _refuse_coroutines(port, "send", "close")
        self._port = port

    async def send(self, request: Request, /) -> Response:
        return self._port.send(request)

    async def close(self) -> None:
        self._port.close()


class _LiftedTokenStore:
    def __init__(self, port: TokenStore) -> None:
        _refuse_coroutines(port, "load", "save", "delete", "accounts", "try_lease", "release", "close")
        self._port = port

    async def load(self, account: str, /) -> Tokens | None:
        return self._port.load(account)

    async def save(self, account: str, tokens: Tokens, /, *, seen: int | None = None) -> int | None:
        return self._port.save(account, tokens, seen=seen)

    async def delete(self, account: str, /, *, seen: int | None = None) -> None:
        self._port.delete(account, seen=seen)

    async def accounts(self) -> tuple[str, ...]:
        return self._port.accounts()

    async def try_lease(self, account: str, /, *, owner: str, now: datetime, until: datetime) -> bool:
        return self._port.try_lease(account, owner=owner, now=now, until=until)

    async def release(self, account: str, /, *, owner: str) -> None:
        self._port.release(account, owner=owner)

    async def close(self) -> None:
        self._port.close()


class _LiftedJournal:
    def __init__(self, port: Journal) -> None:
        _refuse_coroutines(
            port,
            *("load", "save", "replace", "records", "unfinished", "of_post", "learned", "unreadable"),
            *("forget", "remove", "trace", "try_lease", "release", "close"),
        )
        self._port = port

    async def load(self, name: str, /) -> Record | None:
        return self._port.load(name)

    async def save(self, record: Record, /, *, fence: int | None) -> None:
        self._port.save(record, fence=fence)

    async def replace(self, record: Record, /, *, seen: Record) -> bool:
        return self._port.replace(record, seen=seen)

    async def records(
        self, under: str = "", /, *, since: datetime | None = None, until: datetime | None = None
    ) -> tuple[Record, ...]:
        return self._port.records(under, since=since, until=until)

    async def unfinished(self, under: str = "", /, *, due: datetime | None = None) -> tuple[Record, ...]:
        return self._port.unfinished(under, due=due)

    async def of_post(self, publish_id: str, under: str = "", /) -> Record | None:
        return self._port.of_post(publish_id, under)

    async def learned(self, app: str, /) -> int | None:
        return self._port.learned(app)

    async def unreadable(self, under: str = "", /) -> tuple[str, ...]:
        return self._port.unreadable(under)

    async def forget(self, now: datetime, /, *, keep: timedelta) -> None:
        self._port.forget(now, keep=keep)

    async def remove(self, name: str, /) -> bool:
        return self._port.remove(name)

    async def trace(self, name: str, /) -> Trace | None:
        return self._port.trace(name)

    async def try_lease(
        self, name: str, /, *, owner: str, now: datetime, until: datetime, by_force: bool = False
    ) -> int | None:
        return self._port.try_lease(name, owner=owner, now=now, until=until, by_force=by_force)

    def renew(self, name: str, /, *, owner: str, now: datetime, until: datetime) -> None:
        with suppress(StoreError):
            self._port.try_lease(name, owner=owner, now=now, until=until)

    async def release(self, name: str, /, *, owner: str) -> None:
        self._port.release(name, owner=owner)

    async def close(self) -> None:
        self._port.close()


class _LiftedPacer:
    def __init__(self, port: Pacer) -> None:
        _refuse_coroutines(port, "pause", "close")
        self._port = port

    async def pause(self, name: str, /, *, limit: int, now: datetime) -> float:
        return self._port.pause(name, limit=limit, now=now)

    async def close(self) -> None:
        self._port.close()


class _LiftedUploadSlots:
    def __init__(self, port: UploadSlots) -> None:
        _refuse_coroutines(port, "enter", "leave")
        self._port = port

    async def enter(self, account: str, /) -> None:
        self._port.enter(account)

    def leave(self) -> None:
        self._port.leave()


class _LiftedProbe:
    def __init__(self, port: Probe) -> None:
        _refuse_coroutines(port, "facts")
        self._port = port

    async def facts(self, source: Source, /) -> VideoFacts:
        return self._port.facts(source)


class _LiftedClock:
    def __init__(self, port: Clock) -> None:
        _refuse_coroutines(port, "sleep")
        self._port = port

    def now(self) -> datetime:
        return self._port.now()

    async def sleep(self, seconds: float, /) -> None:
        self._port.sleep(seconds)


class _LiftedBackground:
    def __init__(self, port: Background) -> None:
        _refuse_coroutines(port, "__call__")
        self._port = port

    async def __call__(
        self, work: Callable[[], T], /, *, within: float, late: Exception, is_movable: bool, is_needed: bool = True
    ) -> T:
        return self._port(work, within=within, late=late, is_movable=is_movable, is_needed=is_needed)


class _LiftedProtect:
    def __init__(self, port: Protect) -> None:
        _refuse_coroutines(port, "__call__", "close")
        self._port = port

    async def __call__(self, work: Coroutine[Any, Any, T], /) -> T:
        return self._port(work)

    async def close(self) -> None:
        self._port.close()


class _LiftedOpenSource:
    """Opens what a blocking client can read: an intake that waits for an event loop is refused."""

    def __init__(self, port: Callable[[str | HasPath], Source], opens: OpensGiven) -> None:
        self._port = port
        self._opens = opens

    def __call__(self, name: str | HasPath, /) -> Source:
        try:
            return self._port(name)
        finally:
            del name  # A crash report would show the query of a URL.

    def open_given(self, given: object, /) -> Intake | None:
        intake = self._opens.open_given(given)
        if isinstance(intake, Receives):
            said = (
                "can only be awaited; post it with an asynchronous client (connect_async), or store it as a file first"
            )
            raise InvalidPost((Problem("video", said),))
        return intake

    def close(self) -> None:
        if isinstance(self._opens, Closes):
            self._opens.close()


def lift_open_source(port: Callable[[str | HasPath], Source]) -> Callable[[str | HasPath], Source]:
    """Return an `open_source` that refuses what only an event loop can read; one that opens names alone is returned as it is."""
    opens: object = port
    return _LiftedOpenSource(port, opens) if isinstance(opens, OpensGiven) else port


def lift_transport(port: Transport) -> _LiftedTransport:
    """Wrap a blocking transport as an asynchronous one that never suspends."""
    return _LiftedTransport(port)


def lift_tokens(port: TokenStore) -> _LiftedTokenStore:
    """Wrap a blocking token store as an asynchronous one that never suspends."""
    return _LiftedTokenStore(port)


def lift_journal(port: Journal) -> _LiftedJournal:
    """Wrap a blocking journal as an asynchronous one that never suspends."""
    return _LiftedJournal(port)


def lift_pacer(port: Pacer) -> _LiftedPacer:
    """Wrap a blocking pacer as an asynchronous one that never suspends."""
    return _LiftedPacer(port)


def lift_slots(port: UploadSlots) -> _LiftedUploadSlots:
    """Wrap blocking upload slots as asynchronous ones that never suspend."""
    return _LiftedUploadSlots(port)


def lift_probe(port: Probe) -> _LiftedProbe:
    """Wrap a blocking probe as an asynchronous one that never suspends."""
    return _LiftedProbe(port)


def lift_clock(port: Clock) -> _LiftedClock:
    """Wrap a blocking clock as an asynchronous one that never suspends."""
    return _LiftedClock(port)


def lift_background(port: Background) -> _LiftedBackground:
    """Wrap a blocking background as an asynchronous one that never suspends."""
    return _LiftedBackground(port)


def lift_protect(port: Protect) -> _LiftedProtect:
    """Wrap a blocking protection as an asynchronous one that never suspends."""
    return _LiftedProtect(port)
