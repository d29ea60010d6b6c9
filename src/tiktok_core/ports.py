"""The ports: everything that the core needs from its adapters, for both worlds on one page.

The plain names block; the `Async` ones are the same, awaited. Each port is as small as the flows allow. The rules of each port
are tests, which its adapters run: `tiktok_adapters.testing.contracts`.

This module also exports the other names that the author of an adapter needs: requests, answers, their bodies and `Guests` for a
transport; for a store the conversion of tokens (`dump_tokens`, `load_tokens`), records (`dump_record`, `load_record`) and traces
(`dump_trace`, `load_trace`) to and from bytes, and the rules by which a journal forgets.

Longer than 400 lines because both families of ports stand on one page, each beside its twin.
"""

from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any, Final, Protocol, TypeVar, runtime_checkable

from tiktok_core.domain.forgetting import Forgetting, Trace, forgetting, lasting, name_digest, name_parts, trace_of
from tiktok_core.domain.journal import Record, learned_chunk
from tiktok_core.domain.media import VideoFacts
from tiktok_core.domain.tokens import Tokens
from tiktok_core.wire.guests import GuestFailed, Guests
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
from tiktok_core.wire.records import (
    OtherVersion,
    dump_record,
    dump_tokens,
    dump_trace,
    load_record,
    load_tokens,
    load_trace,
)

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
    "Closes",
    "Destination",
    "FileSlice",
    "FillsBuffers",
    "Forgetting",
    "GuestFailed",
    "Guests",
    "HasPath",
    "Journal",
    "OpenDestination",
    "OtherVersion",
    "Pacer",
    "Probe",
    "Protect",
    "RenewsLeases",
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
    "dump_trace",
    "forgetting",
    "lasting",
    "learned_chunk",
    "load_record",
    "load_tokens",
    "load_trace",
    "name_digest",
    "name_parts",
    "trace_of",
]

T = TypeVar("T")

LONGEST_LEASE: Final = timedelta(minutes=30)
"""The library takes no lease for longer than this."""


@runtime_checkable
class HasPath(Protocol):
    """The path of a file, such as a `pathlib.Path`."""

    def __fspath__(self) -> str:
        """Return the path."""
        ...


@runtime_checkable
class Closes(Protocol):
    """An optional method of `open_source`: what it holds for the sources that it has opened ends with the client."""

    def close(self) -> None:
        """Close what was opened; a second call does nothing. The client calls it on any thread."""
        ...


class Transport(Protocol):
    """Sends one HTTP request, once. An answer may have any status except 1xx: the transport skips those.

    A transport follows no redirect, repeats nothing by itself, and decodes no content. It lets no exception of its HTTP
    library through: each request ends with an answer, or with one of the errors below. In a second event loop or a forked
    child it works, or raises `Misused` with a sentence that says what to do. A child never writes to its parent's
    connections.

    If the caller's own code (`on_sent`, a source, a sink) raises an exception during the request, `send` raises that same
    object. The transport then sends no more of the request, and does not use the connection again.
    `Guests` does this for any HTTP library.
    """

    def send(self, request: Request, /) -> Response:
        """Send the request and return the answer.

        Raises:
            NotSent: nothing left this machine, so a repetition is safe (`Misused` if none can help: the transport is closed, or
                belongs to another event loop or process).
            Interrupted: something left, and no complete answer came (`TimedOut` if it did not come in time).
            SourceChanged: the body's source ended early or hangs, so the request is incomplete.
            StoreError: the sink did not take bytes in time.
        """
        ...

    def close(self) -> None:
        """Close all connections; a second call does nothing."""
        ...


class TokenStore(Protocol):
    """Stores each account's tokens, and leases the right to renew them. Account names are opaque keys.

    Every method may raise `StoreError`. Tokens that cannot be read (damaged, too large, of another version, or encrypted with
    another key) raise it, and stay in the store: only `delete` removes them.
    """

    def load(self, account: str, /) -> Tokens | None:
        """Return the account's tokens with their generation; None if there are none."""
        ...

    def save(self, account: str, tokens: Tokens, /, *, seen: int | None = None) -> int | None:
        """Store the tokens durably, in place of the old ones. The store compares and writes in one atomic act.

        Args:
            account: the account's name.
            tokens: the tokens to store; the store ignores their own `generation`.
            seen: the generation of the tokens to replace; the store writes nothing if it holds others, or none. None
                means that a person signed in: the new tokens replace any that can be read.

        Returns:
            The new generation: a number that the store never gives to this account twice, not even after a deletion. None
            if the store wrote nothing.
        """
        ...

    def delete(self, account: str, /, *, seen: int | None = None) -> None:
        """Delete the account's tokens; do nothing if there are none.

        Args:
            account: the account's name.
            seen: delete only tokens of this generation; None deletes any tokens, readable or not.
        """
        ...

    def accounts(self) -> tuple[str, ...]:
        """Return the names of all accounts that have tokens, sorted."""
        ...

    def try_lease(self, account: str, /, *, owner: str, now: datetime, until: datetime) -> bool:
        """Take or renew the lease on this account's tokens until `until`, without waiting.

        Return False if another owner's lease has not expired at `now`. Ignore a lease with more than `LONGEST_LEASE` left:
        its owner took it before the clock went back. A store with a clock of its own reads from `now` and `until` only how
        long the lease lasts.
        """
        ...

    def release(self, account: str, /, *, owner: str) -> None:
        """Release the lease; do nothing if `owner` does not hold it."""
        ...

    def close(self) -> None:
        """Close the store; a second call does nothing."""
        ...


class Journal(Protocol):
    """Stores the record of each post, and leases the right to continue it. Names are opaque keys (`Record.name`).

    Every method may raise `StoreError`.
    """

    def load(self, name: str, /) -> Record | None:
        """Return the record, or None. For a record that cannot be read, raise a `StoreError` that names its key and account."""
        ...

    def save(self, record: Record, /, *, fence: int | None) -> None:
        """Store the record durably under its name, in place of the old one.

        Args:
            record: the record to store.
            fence: the number of the caller's lease; None writes without regard to leases.

        Raises:
            LeaseLost: another owner has taken the lease since; the journal wrote nothing.
        """
        ...

    def replace(self, record: Record, /, *, seen: Record) -> bool:
        """Store the record in place of `seen`, without regard to leases. The journal compares and writes in one atomic act.

        Return False and write nothing if the journal no longer holds `seen`. So a caller can record TikTok's news while another
        owner works on the post, and neither overwrites the other.
        """
        ...

    def records(
        self, under: str = "", /, *, since: datetime | None = None, until: datetime | None = None
    ) -> tuple[Record, ...]:
        """Return the readable records whose name begins with `under`, oldest first by `created_at`.

        Args:
            under: the beginning of the names; empty for all records.
            since: only records whose `updated_at` is this or later.
            until: only records whose `created_at` is this or earlier.
        """
        ...

    def unfinished(self, under: str = "", /, *, due: datetime | None = None) -> tuple[Record, ...]:
        """Return the readable records that have not ended and whose name begins with `under`, oldest first by `created_at`.

        Args:
            under: the beginning of the names; empty for all records.
            due: only records whose `due_at` is this or earlier.
        """
        ...

    def of_post(self, publish_id: str, under: str = "", /) -> Record | None:
        """Return the oldest readable record that has this `publish_id` and whose name begins with `under`; None if none has."""
        ...

    def learned(self, app: str, /) -> int | None:
        """Return the chunk size that the app's posts have taught last (`learned_chunk`), by `updated_at`; None if none has.

        It stays when the record is replaced or forgotten.
        """
        ...

    def unreadable(self, under: str = "", /) -> tuple[str, ...]:
        """Return the sorted names, beginning with `under`, of the records that cannot be read.

        A record is unreadable if it is damaged, or if another release wrote it. `load` of its name raises `StoreError`.

        A journal need not read every document for this. Of a post that has ended, it may miss damage that leaves a JSON document
        with the right version and name.
        """
        ...

    def forget(self, now: datetime, /, *, keep: timedelta) -> None:
        """Remove old records, at most once a day. The library calls this before each post.

        The function `forgetting(seen, now, keep)` of this module decides. Its `seen` is a time that the journal stores for
        all processes that share it. If the function returns None, this call writes nothing; so most calls only read one time.
        Otherwise the journal stores the returned `seen`. It removes each readable record that has ended and whose
        `updated_at` is before the returned `before` (None removes no record), and in the same act stores the record's trace
        (`trace_of`) for good. If the name has a trace already, `lasting` decides which of the two stays.
        """
        ...

    def remove(self, name: str, /) -> bool:
        """Remove this record and store its trace, in one act. Keep a record that can be read and has not ended.

        The trace of an unreadable record has no end and no publish id. Return whether a record was removed.
        """
        ...

    def trace(self, name: str, /) -> Trace | None:
        """Return the trace of the removed record of this name; None if no record of this name was removed.

        The trace stays when a record is saved under the name again. A caller that finds the record does not ask for the trace.
        """
        ...

    def try_lease(
        self, name: str, /, *, owner: str, now: datetime, until: datetime, by_force: bool = False
    ) -> int | None:
        """Take or renew the lease on this post until `until`, without waiting.

        Return the lease's number: larger than that of any lease before it, and the same at each renewal. Return None if
        another owner's lease has not expired at `now`. Ignore a lease with more than `LONGEST_LEASE` left: its owner took it
        before the clock went back. A journal that serves a single machine gives away a lease at once if its owner's process
        has ended. With `by_force`, take the lease from its owner, whose number is out of date then.

        A journal with a clock of its own, such as a database's, reads from `now` and `until` only how long the lease lasts.
        """
        ...

    def release(self, name: str, /, *, owner: str) -> None:
        """Release the lease; do nothing if `owner` does not hold it."""
        ...

    def close(self) -> None:
        """Close the journal; a second call does nothing."""
        ...


class Pacer(Protocol):
    """Counts calls for all clients that share an account's quotas. Names are opaque keys.

    Either method may raise `StoreError`; the library then makes the call all the same.
    """

    def pause(self, name: str, /, *, limit: int, now: datetime) -> float:
        """Return the seconds to wait before one more call, so that no minute has more than `limit` calls under this name.

        If the result is 0, count the call as made at `now`. Ignore calls later than `now`: the clock went back. A pacer with a
        clock of its own, such as a database's, takes its own time for `now`.
        """
        ...

    def close(self) -> None:
        """Close the pacer; a second call does nothing."""
        ...


class UploadSlots(Protocol):
    """Limits how many uploads run at once. A post waits before it has an upload URL, whose hour has not begun then."""

    def enter(self, account: str, /) -> None:
        """Wait for a slot and take it. Posts of one account take slots in their order, and accounts take turns."""
        ...

    def leave(self) -> None:
        """Release a slot."""
        ...


class Probe(Protocol):
    """Reads the properties of a video. A probe reads a small part of the source and changes nothing."""

    def facts(self, source: Source, /) -> VideoFacts:
        """Return the properties of the video. A property that cannot be read is None and raises no error.

        Raises:
            SourceChanged: the source can no longer be read.
        """
        ...


class Destination(Protocol):
    """Stores a long answer, which appears there only once it is complete. Both worlds use the same destinations.

    Every method may raise `StoreError`.
    """

    def begin(self) -> Sink:
        """Begin again from the first byte, discarding earlier writes, and return the sink for the bytes."""
        ...

    def keep(self) -> None:
        """Store the written bytes durably under their final name; the caller has written all of them."""
        ...

    def discard(self) -> None:
        """Remove everything written, after waiting for a write that is still running. After `keep`, do nothing."""
        ...


class OpenDestination(Protocol):
    """Opens the path of a file as a destination."""

    def __call__(self, path: str | HasPath, /, *, overwrite: bool = False) -> Destination:
        """Return the destination.

        Raises:
            InvalidInput: the folder does not exist, or the file exists and `overwrite` is false.
        """
        ...


class Background(Protocol):
    """Makes calls that wait for a disk. If the disk hangs, the caller continues after a time-out."""

    def __call__(
        self, work: Callable[[], T], /, *, within: float, late: Exception, is_movable: bool, is_needed: bool = True
    ) -> T:
        """Make the call and return its result.

        Args:
            work: the call; it may raise any exception. A call that has begun runs to its end, even after the time-out.
            within: seconds to wait for the call to end.
            late: the exception to raise if the call has not ended by then.
            is_movable: whether the call may run on another thread. Otherwise it runs on the caller's thread, where it can
                hang for ever.
            is_needed: whether to make the call even if the caller has stopped waiting before the call could begin.
        """
        ...


class Clock(Protocol):
    """Tells the time, and waits."""

    def now(self) -> datetime:
        """Return the current time as an aware `datetime` in UTC."""
        ...

    def sleep(self, seconds: float, /) -> None:
        """Wait for so many seconds; return at once if they are zero or fewer."""
        ...


class Protect(Protocol):
    """Finishes its work even if the caller is interrupted (Ctrl-C), and then delivers the interruption."""

    def __call__(self, work: Coroutine[Any, Any, T], /) -> T:
        """Run a coroutine that never suspends, and return its result."""
        ...

    def close(self) -> None:
        """Wait for all work to finish, on other threads too, and accept no more. A second call does nothing."""
        ...


class AsyncTransport(Protocol):
    """As `Transport`, awaited."""

    async def send(self, request: Request, /) -> Response:
        """As `Transport.send`; a cancelled call closes its connection."""
        ...

    async def close(self) -> None:
        """As `Transport.close`.

        Raises:
            Misused: the connections belong to another event loop, which has not ended. Only a call there closes them.
        """
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

    async def records(
        self, under: str = "", /, *, since: datetime | None = None, until: datetime | None = None
    ) -> tuple[Record, ...]:
        """As `Journal.records`."""
        ...

    async def unfinished(self, under: str = "", /, *, due: datetime | None = None) -> tuple[Record, ...]:
        """As `Journal.unfinished`."""
        ...

    async def of_post(self, publish_id: str, under: str = "", /) -> Record | None:
        """As `Journal.of_post`."""
        ...

    async def learned(self, app: str, /) -> int | None:
        """As `Journal.learned`."""
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

    async def try_lease(
        self, name: str, /, *, owner: str, now: datetime, until: datetime, by_force: bool = False
    ) -> int | None:
        """As `Journal.try_lease`."""
        ...

    async def release(self, name: str, /, *, owner: str) -> None:
        """As `Journal.release`."""
        ...

    async def close(self) -> None:
        """As `Journal.close`."""
        ...


@runtime_checkable
class RenewsLeases(Protocol):
    """What an `AsyncJournal` may offer besides: renewing a lease from plain code, while bytes of a chunk leave.

    Without it the lease of a chunk is as long as a slow line needs, and another machine waits as long after a crash.
    """

    def renew(self, name: str, /, *, owner: str, now: datetime, until: datetime) -> None:
        """Begin to renew the lease as `try_lease` does, and return at once. A renewal that fails changes nothing."""
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
        """As `UploadSlots.enter`; a call that is cancelled while it waits takes no slot."""
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
    """As `Background`, awaited: the event loop goes on while the call waits for its disk."""

    async def __call__(
        self, work: Callable[[], T], /, *, within: float, late: Exception, is_movable: bool, is_needed: bool = True
    ) -> T:
        """As `Background.__call__`. Every call may run on another thread, and a cancelled call still runs to its end."""
        ...


class AsyncClock(Protocol):
    """As `Clock`; only waiting is awaited."""

    def now(self) -> datetime:
        """Return the current time as an aware `datetime` in UTC."""
        ...

    async def sleep(self, seconds: float, /) -> None:
        """As `Clock.sleep`."""
        ...


class AsyncProtect(Protocol):
    """Finishes its work even if the caller is cancelled, and then delivers the cancellation."""

    async def __call__(self, work: Coroutine[Any, Any, T], /) -> T:
        """Await the work, shielded, and return its result."""
        ...

    async def close(self) -> None:
        """Wait for all work to finish, even if this call is cancelled, and accept no more. A second call does nothing.

        Raises:
            Misused: work of another event loop is unfinished, and that loop has not ended. The protection stays open.
        """
        ...
