"""What the core needs from the world: both port families on one page.

The plain names block; the `Async` ones are the same, awaited. Each port is as small as the flows allow. The contracts
that an adapter has to keep are tests: `tiktok_adapters.testing.contracts`.

This module also hands on the other names that the author of an adapter needs: requests, answers and their bodies for a
transport, and the bytes as which a store keeps tokens (`dump_tokens`, `load_tokens`) and records (`dump_record`, `load_record`).

Longer than 400 lines because both families of ports stand on one page, each beside its twin.
"""

from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any, Final, Protocol, TypeVar, runtime_checkable

from tiktok_core.domain.forgetting import Trace, forgetting, lasting, name_digest, trace_of
from tiktok_core.domain.journal import Record
from tiktok_core.domain.media import VideoFacts
from tiktok_core.domain.tokens import Tokens
from tiktok_core.wire.http import (
    BLOCK,
    MAX_RESPONSE,
    Body,
    FileSlice,
    FillsBuffers,
    Request,
    Response,
    Sink,
    Source,
)
from tiktok_core.wire.records import OtherVersion, dump_record, dump_tokens, load_record, load_tokens

__all__ = [
    "BLOCK",
    "LONGEST_LEASE",
    "MAX_RESPONSE",
    "AsyncBackground",
    "AsyncClock",
    "AsyncJournal",
    "AsyncPacer",
    "AsyncProbe",
    "AsyncProtect",
    "AsyncTokenStore",
    "AsyncTransport",
    "AsyncUploadSlots",
    "Background",
    "Body",
    "Clock",
    "Destination",
    "FileSlice",
    "FillsBuffers",
    "HasPath",
    "Journal",
    "OpenDestination",
    "OtherVersion",
    "Pacer",
    "Probe",
    "Protect",
    "Request",
    "Response",
    "Sink",
    "Source",
    "TokenStore",
    "Trace",
    "Transport",
    "UploadSlots",
    "dump_record",
    "dump_tokens",
    "forgetting",
    "lasting",
    "load_record",
    "load_tokens",
    "name_digest",
    "trace_of",
]

T = TypeVar("T")

LONGEST_LEASE: Final = timedelta(minutes=30)
"""No lease is taken for longer."""


@runtime_checkable
class HasPath(Protocol):
    """An object that names a file (`pathlib.Path` does)."""

    def __fspath__(self) -> str:
        """Return the path."""
        ...


class Transport(Protocol):
    """Send one HTTP request, once. Any status is an answer, but for 1xx: what comes after it is.

    It follows no redirect, repeats nothing by itself, decodes no content, and lets no exception of a library through: a
    request ends with an answer or with one of the errors below, and with nothing else. Used from a second event loop or a
    forked child it works, or raises `NotSent` with a sentence that says what to do; a child never writes into its parent's
    connections.

    What the caller's own code raises meanwhile (`on_sent`, a source, a sink) leaves `send` as that very object; nothing more
    of the request leaves then, and the connection serves no other. `tiktok_core.wire.guests.Guests` does that for any library.
    """

    def send(self, request: Request, /) -> Response:
        """Send the request and return the answer.

        Raises:
            NotSent: nothing left this machine; repeating is safe.
            Interrupted: something left and no whole answer came (`TimedOut` where it did not come in time).
            SourceChanged: the body's source ended early, or hangs; what was sent is incomplete.
            StoreError: the sink took no bytes in time.
        """
        ...

    def close(self) -> None:
        """Close all connections; a second call does nothing."""
        ...


class TokenStore(Protocol):
    """Keep each account's tokens, and say who may refresh them. Account names are opaque keys.

    Every method may raise `StoreError`. What cannot be read (it is damaged, too large, of another version, or encrypted with
    another key) is an error and is kept: only `delete` removes it.
    """

    def load(self, account: str, /) -> Tokens | None:
        """Return the account's tokens with their generation, or None."""
        ...

    def save(self, account: str, tokens: Tokens, /, *, seen: int | None = None) -> int | None:
        """Keep the tokens, durably and as a whole, in place of what was there; the comparison is part of the save.

        Args:
            account: whose they are.
            tokens: what to keep; their own `generation` counts for nothing.
            seen: the generation of those which they replace; nothing is written where others lie, or none. None is a
                person's new sign-in, and takes the place of what can be read.

        Returns:
            Their generation: a number that this account has never had, also before it was deleted, and never will again;
            None when nothing was written.
        """
        ...

    def delete(self, account: str, /, *, seen: int | None = None) -> None:
        """Forget the account; nothing happens when it is unknown.

        Args:
            account: whose tokens.
            seen: forget tokens of this generation only; None forgets what is there, readable or not.
        """
        ...

    def accounts(self) -> tuple[str, ...]:
        """Return the names of all accounts that have tokens, sorted."""
        ...

    def try_lease(self, account: str, /, *, owner: str, now: datetime, until: datetime) -> bool:
        """Take (or renew) the right to refresh this account's tokens until `until`; never wait.

        Return False while another owner's lease has not run out at `now`. One that would live for longer than
        `LONGEST_LEASE` was taken before the clock went back, and counts for nothing.
        """
        ...

    def release(self, account: str, /, *, owner: str) -> None:
        """Give the lease back; nothing happens when `owner` does not hold it."""
        ...

    def close(self) -> None:
        """Close the store; a second call does nothing."""
        ...


class Journal(Protocol):
    """Keep the record of each post, and say who may go on with it. Names are opaque keys (`Record.name`).

    Every method may raise `StoreError`.
    """

    def load(self, name: str, /) -> Record | None:
        """Return the record, or None. One that cannot be read is a `StoreError` that names its key and account."""
        ...

    def save(self, record: Record, /, *, fence: int | None) -> None:
        """Keep the record under its name, durably and as a whole, in place of what was there.

        Args:
            record: what to keep.
            fence: the number of the lease under which it is written; None writes also while another owner holds the lease.

        Raises:
            LeaseLost: another owner has taken the lease since; nothing was written.
        """
        ...

    def replace(self, record: Record, /, *, seen: Record) -> bool:
        """Keep the record in place of `seen`, also while another owner holds the lease, compared and written in one.

        Return False, with nothing written, where another one, or none, is there by now. So what TikTok tells is written
        down while another owner goes on with the post, and nothing that this owner wrote meanwhile is lost.
        """
        ...

    def records(self, under: str = "", /, *, since: datetime | None = None) -> tuple[Record, ...]:
        """Return the records whose name begins with `under`, the oldest wish first; what cannot be read is left out.

        Args:
            under: all of them unless given.
            since: only those that were last true then or later.
        """
        ...

    def unreadable(self, under: str = "", /) -> tuple[str, ...]:
        """Return the names, beginning with `under`, of the records that `records` leaves out, sorted.

        A record is unreadable when it is damaged, or when another release wrote it. `load` of its name is a `StoreError`.
        """
        ...

    def forget(self, now: datetime, /, *, keep: timedelta) -> None:
        """Take note of the time, and once a day remove the records whose end lies `keep` back. Called before each post.

        The rule is the function `forgetting(seen, now, keep)` of this module, where `seen` is the time that the journal
        remembers, for all that share it. Where it returns None, this call writes nothing, so most calls only read one
        time. Otherwise the journal remembers the rule's `seen`, and removes each record that can be read, has ended, and
        was last true before the rule's `before`. In the same act it keeps the record's trace (`trace_of`), for good; of two
        traces of one name `lasting` says which one stays.
        """
        ...

    def remove(self, name: str, /) -> bool:
        """Remove this record now and keep its trace, in one act; a record that can be read and has not ended stays.

        The trace of a record that cannot be read has no end and no publish id. Return whether a record was removed.
        """
        ...

    def trace(self, name: str, /) -> Trace | None:
        """Return what remains of the record of this name that was removed; None where none was.

        A trace stays when a record is saved under its name again. A caller that finds a record asks for no trace.
        """
        ...

    def try_lease(self, name: str, /, *, owner: str, now: datetime, until: datetime) -> int | None:
        """Take (or renew) the right to go on with this post until `until`; never wait.

        Return a number that is larger than that of any lease before, and the same at each renewal; None while another
        owner's lease has not run out at `now`. One that would live for longer than `LONGEST_LEASE` was taken before the
        clock went back, and counts for nothing. A store that serves the processes of one machine alone hands a lease
        over at once when its holder's process is gone.
        """
        ...

    def release(self, name: str, /, *, owner: str) -> None:
        """Give the lease back; nothing happens when `owner` does not hold it."""
        ...

    def close(self) -> None:
        """Close the journal; a second call does nothing."""
        ...


class Pacer(Protocol):
    """Remember when calls were made, for all that share the quotas of an account. Names are opaque keys.

    Either method may raise `StoreError`, which never keeps a call from being made.
    """

    def pause(self, name: str, /, *, limit: int, now: datetime) -> float:
        """Return the seconds to wait before one more call, so that no minute has more than `limit` under this name.

        When it is none, the call counts as made at `now`. Calls later than `now` count for nothing: the clock went back.
        """
        ...

    def close(self) -> None:
        """Close the pacer; a second call does nothing."""
        ...


class UploadSlots(Protocol):
    """Bound how many uploads run at once: a caller waits before an upload URL begins its hour."""

    def enter(self, account: str, /) -> None:
        """Wait for a slot and take it: an account's posts in their order, and the accounts by turns."""
        ...

    def leave(self) -> None:
        """Give a slot back."""
        ...


class Probe(Protocol):
    """Look into a video, to say what it is. It reads through the source, a small part of it, and changes nothing."""

    def facts(self, source: Source, /) -> VideoFacts:
        """Return what is known of the video; what cannot be read is None, and never an error.

        Raises:
            SourceChanged: the source can no longer be read.
        """
        ...


class Destination(Protocol):
    """Where a long answer is kept, once all of it has come; until then nothing stands there. The same in both worlds.

    Every method may raise `StoreError`.
    """

    def begin(self) -> Sink:
        """Return where the bytes go, from the first one on: what was written before counts for nothing."""
        ...

    def keep(self) -> None:
        """Keep what was written, durably: all of it has come."""
        ...

    def discard(self) -> None:
        """Leave nothing behind; nothing happens after `keep`. A write that is still going on is waited for."""
        ...


class OpenDestination(Protocol):
    """Says where a named file is to be kept."""

    def __call__(self, path: str | HasPath, /, *, overwrite: bool = False) -> Destination:
        """Return the destination.

        Raises:
            InvalidInput: there is no such folder, or the file is there already and may not be overwritten.
        """
        ...


class Background(Protocol):
    """Make a call that waits for a disk. Where that one hangs, the caller goes on after a while."""

    def __call__(
        self, work: Callable[[], T], /, *, within: float, late: Exception, is_movable: bool, is_needed: bool = True
    ) -> T:
        """Make the call and return what it returns.

        Args:
            work: the call; it raises what it likes. One that has begun goes on until it ends, though nothing waits for it.
            within: seconds to wait for its end.
            late: what is raised where it has not ended by then.
            is_movable: whether the call may be made on another thread. Otherwise it is made on the caller's, where it can
                hang for ever.
            is_needed: whether the call is made even if nothing waits for it any more when its turn comes.
        """
        ...


class Clock(Protocol):
    """Tell the time and wait."""

    def now(self) -> datetime:
        """Return the time, aware, in UTC."""
        ...

    def sleep(self, seconds: float, /) -> None:
        """Wait; zero or less returns at once."""
        ...


class Protect(Protocol):
    """Finish this work even if the caller is interrupted (Ctrl-C); deliver the interruption afterwards."""

    def __call__(self, work: Coroutine[Any, Any, T], /) -> T:
        """Run a coroutine that never suspends, and return its result."""
        ...

    def close(self) -> None:
        """Wait until all work is finished, that of other threads too, and take no more; a second call does nothing."""
        ...


class AsyncTransport(Protocol):
    """As `Transport`, awaited."""

    async def send(self, request: Request, /) -> Response:
        """As `Transport.send`; a cancelled call closes its connection."""
        ...

    async def close(self) -> None:
        """As `Transport.close`."""
        ...


class AsyncTokenStore(Protocol):
    """As `TokenStore`, awaited."""

    async def load(self, account: str, /) -> Tokens | None:
        """As `TokenStore.load`."""
        ...

    async def save(self, account: str, tokens: Tokens, /, *, seen: int | None = None) -> int | None:
        """As `TokenStore.save`."""
        ...

    async def delete(self, account: str, /, *, seen: int | None = None) -> None:
        """As `TokenStore.delete`."""
        ...

    async def accounts(self) -> tuple[str, ...]:
        """As `TokenStore.accounts`."""
        ...

    async def try_lease(self, account: str, /, *, owner: str, now: datetime, until: datetime) -> bool:
        """As `TokenStore.try_lease`."""
        ...

    async def release(self, account: str, /, *, owner: str) -> None:
        """As `TokenStore.release`."""
        ...

    async def close(self) -> None:
        """As `TokenStore.close`."""
        ...


class AsyncJournal(Protocol):
    """As `Journal`, awaited."""

    async def load(self, name: str, /) -> Record | None:
        """As `Journal.load`."""
        ...

    async def save(self, record: Record, /, *, fence: int | None) -> None:
        """As `Journal.save`."""
        ...

    async def replace(self, record: Record, /, *, seen: Record) -> bool:
        """As `Journal.replace`."""
        ...

    async def records(self, under: str = "", /, *, since: datetime | None = None) -> tuple[Record, ...]:
        """As `Journal.records`."""
        ...

    async def unreadable(self, under: str = "", /) -> tuple[str, ...]:
        """As `Journal.unreadable`."""
        ...

    async def forget(self, now: datetime, /, *, keep: timedelta) -> None:
        """As `Journal.forget`."""
        ...

    async def remove(self, name: str, /) -> bool:
        """As `Journal.remove`."""
        ...

    async def trace(self, name: str, /) -> Trace | None:
        """As `Journal.trace`."""
        ...

    async def try_lease(self, name: str, /, *, owner: str, now: datetime, until: datetime) -> int | None:
        """As `Journal.try_lease`."""
        ...

    async def release(self, name: str, /, *, owner: str) -> None:
        """As `Journal.release`."""
        ...

    async def close(self) -> None:
        """As `Journal.close`."""
        ...


class AsyncPacer(Protocol):
    """As `Pacer`, awaited."""

    async def pause(self, name: str, /, *, limit: int, now: datetime) -> float:
        """As `Pacer.pause`."""
        ...

    async def close(self) -> None:
        """As `Pacer.close`."""
        ...


class AsyncUploadSlots(Protocol):
    """As `UploadSlots`; only waiting is awaited."""

    async def enter(self, account: str, /) -> None:
        """As `UploadSlots.enter`; who is cancelled while waiting takes none."""
        ...

    def leave(self) -> None:
        """As `UploadSlots.leave`."""
        ...


class AsyncProbe(Protocol):
    """As `Probe`, awaited."""

    async def facts(self, source: Source, /) -> VideoFacts:
        """As `Probe.facts`."""
        ...


class AsyncBackground(Protocol):
    """As `Background`, awaited: while the call waits for its disk, the event loop goes on."""

    async def __call__(
        self, work: Callable[[], T], /, *, within: float, late: Exception, is_movable: bool, is_needed: bool = True
    ) -> T:
        """As `Background.__call__`; every call may be made on another thread, and a cancelled one still ends."""
        ...


class AsyncClock(Protocol):
    """As `Clock`; only waiting is awaited."""

    def now(self) -> datetime:
        """Return the time, aware, in UTC."""
        ...

    async def sleep(self, seconds: float, /) -> None:
        """As `Clock.sleep`."""
        ...


class AsyncProtect(Protocol):
    """Finish this work even if the caller is cancelled; deliver the cancellation afterwards."""

    async def __call__(self, work: Coroutine[Any, Any, T], /) -> T:
        """Await the work, shielded, and return its result."""
        ...

    async def close(self) -> None:
        """Wait until all work is finished, also if cancelled meanwhile, and take no more; a second call does nothing."""
        ...
