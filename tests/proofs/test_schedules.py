"""Random schedules of two processes with one wish: whatever happens, it is at most one post, whole or not at all.

Two clients share one journal and take turns, between any two exchanges with TikTok and at every save: they post,
continue, take single steps, and die. Faults and refusals come and go, time passes, and a person settles unknown
outcomes. In the
end all faults are over, and a process continues. The short form runs with the tests; `make prove-schedules` runs 10,000
for
each world (`SCHEDULES` sets the number), and `docs/proofs.md` has the figures.
"""

import hashlib
import os
import random
import threading
from collections import Counter
from collections.abc import Callable, Generator
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from clips import PHOTOS, PULLED, film
from elsewhere import ELSEWHERE, FRESH, SIGNED, Elsewhere
from postgres_place import Place
from tiktok_adapters.clocks import ManualClock
from tiktok_adapters.simulator import DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, SimulatedTikTok, Switches, parse_fault
from tiktok_adapters.stores.memory import MemoryJournal, MemoryTokenStore
from tiktok_adapters.transports.fake import FakeTransport
from tiktok_core import (
    ApiError,
    App,
    AsyncTikTok,
    InvalidInput,
    InvalidPost,
    OutcomeUnknown,
    PostingRefused,
    PublishFailed,
    Record,
    SignInFailed,
    SignInRequired,
    SourceChanged,
    Stage,
    StillProcessing,
    TikTok,
    TikTokError,
    TimedOut,
    TransportError,
    UnexpectedResponse,
    UploadError,
)
from tiktok_core.errors import LeaseLost
from tiktok_core.lifting import lift_tokens
from tiktok_core.ports import Journal, Request, Response

SCHEDULES = int(os.environ.get("SCHEDULES", "250"))
ON_SERVER = int(os.environ.get("SCHEDULES_ON_SERVER", "20"))
"""Schedules over stores in PostgreSQL, whose every call goes through a socket."""
APP = App(DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, "https://app.example.com/callback/")
CHUNK = 5_242_880
FILMS = [film(size) for size in (1, 1_000, CHUNK * 2, CHUNK * 2 + 77)]
DIGESTS = [hashlib.sha256(film.read(0, film.size)).hexdigest() for film in FILMS]
WISHES = [*range(len(FILMS)), "pull", "photos", "elsewhere"]
"""A file; what TikTok pulls, photos or a video; and a video from whose URL it may not pull, so that it becomes an upload."""
LYING = film(1_001)
"""What lies at the URLs."""
DOCUMENTED = (
    ApiError,
    LeaseLost,
    OutcomeUnknown,
    PublishFailed,
    SignInFailed,
    SignInRequired,
    StillProcessing,
    TransportError,
    UnexpectedResponse,
    UploadError,
)
LYING_DIGEST = hashlib.sha256(LYING.read(0, LYING.size)).hexdigest()
LONGEST = 3_000.0
"""Seconds that one call may wait in all."""
NETWORK = ["unreachable", "drop-before", "drop-after", "truncate", "status:500", "status:503", "slow:45"]
TOLD = ["code:internal_error", "code:rate_limit_exceeded", "code:access_token_invalid"]
REFUSED = [
    *("code:spam_risk", "code:scope_not_authorized", "code:something_new", "foreign-upload-host"),
    *("code:url_ownership_unverified", "code:url_ownership_unverified@400"),
]
BYTES = ["drop-at:0", "drop-at:1", "drop-at:500", "drop-at:2600000", "drop-at:5242879", "expire", "status:408"]
LIVES = ["fail:internal", "backwards", "never-ends", "word:NEW"]

faults = st.one_of(
    st.builds("creator_info:{}={}".format, st.integers(1, 3), st.sampled_from([*NETWORK, *TOLD, REFUSED[0]])),
    st.builds("init:{}={}".format, st.integers(1, 3), st.sampled_from([*NETWORK, *TOLD, *REFUSED, "garbage"])),
    st.builds("init={}".format, st.sampled_from(LIVES)),
    st.builds("put:{}={}".format, st.integers(1, 4), st.sampled_from([*NETWORK, *BYTES, "status:416", "status:429"])),
    st.builds("status:{}={}".format, st.integers(1, 5), st.sampled_from(NETWORK + TOLD)),
    st.builds("token:{}={}".format, st.integers(1, 2), st.sampled_from(["unreachable", "status:503", "drop-before"])),
)
CALLS = st.sampled_from(["post", "post", "post as upload", "resume", "advance", "advance far"])
switches = st.builds(
    Switches,
    mb=st.sampled_from(["strict", "decimal", "binary"]),
    partial_bytes=st.sampled_from(["discard", "keep"]),
    progress_header=st.sampled_from(["count", "last"]),
    repeat_chunk=st.sampled_from(["refuse", "accept"]),
    last_chunk_status=st.sampled_from([201, 200]),
    put_body=st.sampled_from(["null", "", "{}"]),
    expired_upload=st.sampled_from(["stay", "fail"]),
    finished_upload=st.sampled_from(["refuse", "forget"]),
    status_lag_seconds=st.sampled_from([0.0, 0.0, 8.0, 100.0]),
    uploaded_bytes=st.sampled_from(["stored", "stored", "chunks", "missing"]),
    lifetimes=st.sampled_from(["2026-11", "legacy"]),
    retry_after=st.booleans(),
    failure_data=st.sampled_from(["empty", "absent", "null"]),
    processing_seconds=st.sampled_from([0.0, 2.0, 100.0]),
)


def is_upload(post: Any) -> bool:
    """Return whether a post of TikTok's is published by its bytes, and not by its init."""
    return "file" in post.publish_id.partition("~")[0]


# --- Processes -------------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """The end of a process."""


class Process:
    """A client that runs in turns, and may die at any of them. The schedule counts what its call waits for.

    An asynchronous call is a coroutine that suspends at each turn. A blocking call has a thread, which waits for its
    turn. Either way only the process whose turn it is runs.
    """

    def __init__(
        self, sim: SimulatedTikTok, clock: ManualClock, stores: tuple[Any, Any], entropy: Any, elsewhere: Elsewhere
    ) -> None:
        self.dead = self.busy = False
        self.end: Any = None
        self.wakes_at: datetime | None = None
        self.slept = 0.0
        self.world_clock, self.off = clock, timedelta(0)
        self.wire = FakeTransport(sim.handle, wait=clock.advance)
        self.tokens, self.journal = stores
        self.entropy = entropy
        self.elsewhere = elsewhere

    def now(self) -> datetime:
        """Return the time of its clock, which may be wrong."""
        shown: datetime = self.world_clock.now() + self.off
        return shown

    def beyond(self, request: Request, since: datetime) -> bool:
        """Return whether a request has taken longer than it may."""
        limit = request.time_limit
        return limit is not None and (self.world_clock.now() - since).total_seconds() > limit

    def naps(self, seconds: float) -> None:
        """Fall asleep: its next turn is when the time has come."""
        if seconds > 0:
            self.slept += seconds
            assert self.slept < LONGEST, "a call waited too long"
            self.wakes_at = self.world_clock.now() + timedelta(seconds=seconds)

    def wakes(self) -> None:
        """Let the time pass for which it sleeps."""
        if self.wakes_at is not None:
            self.world_clock.advance(max(0.0, (self.wakes_at - self.world_clock.now()).total_seconds()))
            self.wakes_at = None

    def ended(self, end: Any) -> None:
        """Note how the call has ended."""
        self.busy, self.end, self.slept, self.wakes_at = False, end, 0.0, None

    # The journal: a dead process gives nothing back, and a save is a separate turn.

    def __getattr__(self, name: str) -> Any:
        return getattr(self.journal, name)


class BlockingProcess(Process):
    """A process whose calls block."""

    def __init__(self, *ports: Any) -> None:
        super().__init__(*ports)
        self.mine, self.others = threading.Semaphore(0), threading.Semaphore(0)
        kept = _Ports(self)
        self.tiktok = TikTok(
            APP,
            transport=kept,
            tokens=self.tokens,
            journal=kept.journal,
            clock=kept,
            entropy=self.entropy,
            open_source=self.elsewhere,
        )

    def turn(self) -> None:
        """Let the others run until it is this process's turn again."""
        if self.dead:
            raise Killed
        self.others.release()
        self.mine.acquire()
        if self.dead:
            raise Killed

    def begin(self, ask: Callable[[Any], Any]) -> None:
        """Begin a call; it does nothing before its first turn."""

        def work() -> None:
            self.mine.acquire()
            try:
                self.ended(ask(self.tiktok.account()))
            except (TikTokError, AssertionError) as error:
                self.ended(error)
            except Killed:
                self.ended(None)
            self.others.release()

        self.busy = True
        threading.Thread(target=work, daemon=True).start()

    def go(self) -> None:
        """Run for one turn."""
        self.wakes()
        self.mine.release()
        self.others.acquire()

    def die(self) -> None:
        """Die, wherever it is."""
        self.dead = True
        if self.busy:
            self.go()


class _Ports:
    """Transport and clock of a blocking process, and its journal."""

    def __init__(self, process: BlockingProcess) -> None:
        self.process, self.journal, self.now = process, _Journal(process), process.now

    def send(self, request: Request, /) -> Response:
        since = self.process.world_clock.now()
        self.process.turn()
        if self.process.beyond(request, since):
            raise TimedOut(request.name, "it took too long to leave")
        response = self.process.wire.send(request)
        self.process.turn()
        if self.process.beyond(request, since):
            raise TimedOut(request.name, "its answer took too long")
        return response

    def sleep(self, seconds: float, /) -> None:
        self.process.naps(seconds)
        self.process.turn()

    def close(self) -> None:
        pass


PASSED_ON = {name for name in vars(Journal) if not name.startswith("_")} - {"save", "release"}
"""The methods of a journal that no process makes a turn of."""


class _Journal:
    """The journal of a blocking process."""

    def __init__(self, process: Process) -> None:
        self.process = process
        for name in PASSED_ON:
            setattr(self, name, getattr(process.journal, name))

    def save(self, record: Any, /, *, fence: int | None) -> None:
        self.process.turn()  # type: ignore[attr-defined]
        self.process.journal.save(record, fence=fence)

    def release(self, name: str, /, *, owner: str) -> None:
        # A dead process gives nothing back.
        if not self.process.dead:
            self.process.journal.release(name, owner=owner)


class _Turn:
    """Suspends a coroutine until it is its turn again."""

    def __await__(self) -> Generator[None, None, None]:
        yield


class AsyncProcess(Process):
    """A process whose calls are awaited."""

    def __init__(self, *ports: Any) -> None:
        super().__init__(*ports)
        kept = _AsyncPorts(self)
        self.tiktok = AsyncTikTok(
            APP,
            transport=kept,
            tokens=lift_tokens(self.tokens),
            journal=kept.journal,
            clock=kept,
            entropy=self.entropy,
            open_source=self.elsewhere,
        )
        self.call: Any = None

    def begin(self, ask: Callable[[Any], Any]) -> None:
        """Begin a call; it does nothing before its first turn."""

        async def work() -> Any:
            return await ask(await self.tiktok.account())

        self.busy, self.call = True, work()

    def go(self) -> None:
        """Run for one turn."""
        self.wakes()
        try:
            self.call.send(None)
        except StopIteration as done:
            self.ended(done.value)
        except (TikTokError, AssertionError) as error:
            self.ended(error)

    def die(self) -> None:
        """Die."""
        self.dead = True
        if self.busy:
            self.call.close()
            self.ended(None)


class _AsyncPorts:
    """Transport and clock of an asynchronous process, and its journal."""

    def __init__(self, process: AsyncProcess) -> None:
        self.process, self.journal, self.now = process, _AsyncJournal(process), process.now

    async def send(self, request: Request, /) -> Response:
        since = self.process.world_clock.now()
        await _Turn()
        if self.process.beyond(request, since):
            raise TimedOut(request.name, "it took too long to leave")
        response = self.process.wire.send(request)
        await _Turn()
        if self.process.beyond(request, since):
            raise TimedOut(request.name, "its answer took too long")
        return response

    async def sleep(self, seconds: float, /) -> None:
        self.process.naps(seconds)
        await _Turn()

    async def close(self) -> None:
        pass


class _AsyncJournal:
    """The journal of an asynchronous process."""

    def __init__(self, process: Process) -> None:
        self.process = process

    def __getattr__(self, name: str) -> Any:
        if name not in PASSED_ON:
            raise AttributeError(name)
        kept = getattr(self.process.journal, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            return kept(*args, **kwargs)

        return call

    async def save(self, record: Any, /, *, fence: int | None) -> None:
        await _Turn()
        self.process.journal.save(record, fence=fence)

    def renew(self, name: str, /, **lease: Any) -> None:
        self.process.journal.try_lease(name, **lease)

    async def release(self, name: str, /, *, owner: str) -> None:
        # A dead process gives nothing back.
        if not self.process.dead:
            self.process.journal.release(name, owner=owner)


# --- Schedules -------------------------------------------------------------------------------------------------------

ENDS: Counter[str] = Counter()
UPLOADED: Counter[str] = Counter()
"""How often what TikTok refused to pull has become a post by its bytes."""
GIVEN: Counter[str] = Counter()
"""How often a post was given up, was not, and how often a later call said so."""
TURNS = 4_000
"""Turns in which anything has to end."""


class Schedules(RuleBasedStateMachine):
    """One wish, two processes, and all that may happen to them."""

    kind: type[Process]

    @initialize(
        wish=st.sampled_from(WISHES), draft=st.booleans(), switches=switches, faults=st.lists(faults, max_size=5)
    )
    def wished(self, wish: Any, draft: bool, switches: Switches, faults: list[str]) -> None:
        """Begin: a wish, a TikTok with one answer to each open question, an account, and two processes."""
        self.wish, self.draft = wish, draft
        self.clock, self.stores = self.placed()
        self.entropy = random.Random(0).randbytes
        self.sim = SimulatedTikTok(self.clock, switches, keep_bytes=False)
        self.elsewhere = Elsewhere(dict.fromkeys((ELSEWHERE, PULLED), LYING.read(0, LYING.size)))
        client = TikTok(
            APP,
            transport=FakeTransport(self.sim.handle),
            tokens=self.stores[0],
            journal=self.stores[1],
            clock=self.clock,
        )
        self.signs_in = lambda: client.sign_in(begun := client.authorization(), self.sim.authorize(begun.url))
        self.signs_in()
        for fault in faults:
            self.goes_wrong(fault)
        self.processes = [self.born(), self.born()]
        self.doing: list[Any] = [None, None]
        self.was_seen = False

    def placed(self) -> tuple[ManualClock, tuple[Any, Any]]:
        """Return a clock, and the empty stores that go by it."""
        return ManualClock(), (MemoryTokenStore(), MemoryJournal())

    def born(self) -> Any:
        """Return a new process."""
        return self.kind(self.sim, self.clock, self.stores, self.entropy, self.elsewhere)

    # What happens.

    @rule(fault=faults)
    def goes_wrong(self, fault: str) -> None:
        """Let one of the next requests go wrong."""
        self.sim.faults.add(parse_fault(fault))

    @rule(what=st.sampled_from(["unreachable", "expired", "fresh"]))
    def changes_elsewhere(self, what: str) -> None:
        """Let what lies at a URL be out of reach for once, or the URL expire, or live again."""
        if what == "unreachable":
            self.elsewhere.troubles.append(SourceChanged(None, "it cannot be read now"))
        elif what == "expired":
            self.elsewhere.expired.add(SIGNED)
        else:
            self.elsewhere.expired.clear()

    @rule()
    def changes_the_account(self) -> None:
        """Make the account public, so that TikTok refuses the post, or private again."""
        self.sim.creator.private = not self.sim.creator.private

    @rule(seconds=st.sampled_from([1, 12, 70, 700, 4_000]))
    def passes(self, seconds: int) -> None:
        """Let time pass."""
        self.clock.advance(seconds)

    @rule(which=st.integers(0, 1), call=CALLS, turns=st.sampled_from([1, 2, 3, 5, 9, 30]))
    def goes_on(self, which: int, call: str, turns: int) -> None:
        """Let a process run some turns of its call, or of another one."""
        if not self.processes[which].busy:
            self.begins(which, call)
        for _ in range(turns):
            if not self.processes[which].busy:
                break
            self.turns(which)

    @rule(call=CALLS, turns=st.lists(st.sampled_from([1, 2, 3, 5]), min_size=2, max_size=8))
    def both_go_on(self, call: str, turns: list[int]) -> None:
        """Let both processes run in turn."""
        for number, count in enumerate(turns):
            self.goes_on(number % 2, call, count)

    @rule(which=st.integers(0, 1))
    def is_killed(self, which: int) -> None:
        """Let a process die, and another one take its place."""
        self.processes[which].die()
        self.processes[which], self.doing[which] = self.born(), None

    @precondition(lambda self: [one.stage for one in self.stores[1].records()] == [Stage.UNKNOWN])
    @rule(which=st.integers(0, 1))
    def is_settled(self, which: int) -> None:
        """Let a person settle an unknown outcome."""
        # A person looks. By then every request has arrived, or never will.
        if not self.processes[which].busy and not self.processes[1 - which].busy:
            self.begins(which, f"settle {bool(self.live)}")

    # What holds at every moment.

    @invariant()
    def there_is_at_most_one_post(self) -> None:
        """Assert that TikTok has one post at most, and that its bytes are the file's."""
        if not hasattr(self, "sim"):
            return
        assert len(self.live) <= 1, "two posts for one key"
        for post in self.live:
            if is_upload(post):
                wished = DIGESTS[self.wish] if isinstance(self.wish, int) else LYING_DIGEST
                assert post.sha256 == wished, "other bytes than the file's"

    @invariant()
    def no_offset_is_without_proof(self) -> None:
        """Assert that the journal counts no byte that TikTok does not have.

        One figure may mean either of two counts: one byte less than a whole chunk as a count, or a whole chunk as its
        last offset. The client then takes the border, and the next refusal takes it back.
        """
        for record in self.stores[1].records() if hasattr(self, "sim") else ():
            if record.publish_id and record.wish.plan and record.stage in (Stage.UPLOADING, Stage.PROCESSING):
                at_border = record.plan is not None and record.offset % record.plan.chunk_size == 0
                held = self.sim.post(record.publish_id).bytes_received
                assert record.offset <= held + at_border, "bytes that TikTok does not have"

    @property
    def live(self) -> list[Any]:
        """The posts that TikTok has published, or will publish."""
        return [
            one
            for one in self.sim.posts
            if one.status != "FAILED" and (not is_upload(one) or one.bytes_received == one.size)
        ]

    # How a process makes a call, and how the call ends.

    def begins(self, which: int, call: str) -> None:
        """Let a process begin a call."""
        progress: list[int] = []
        self.doing[which] = call, progress
        self.processes[which].begin(lambda account: self.asked(account, call, progress))

    def asked(self, account: Any, call: str, progress: list[int]) -> Any:
        """Make a call."""
        film = FILMS[self.wish] if isinstance(self.wish, int) else None
        watch = lambda told: progress.append(told.sent_bytes)  # noqa: E731 - a callback
        fresh = FRESH if self.wish == "elsewhere" else film
        if call == "resume":
            return account.resume("wish", fresh, on_progress=watch)
        if call == "advance":
            return account.advance("wish", film)
        if call == "advance far":
            return account.advance("wish", fresh, until_wait=5.0)
        if call == "abandon":
            return account.abandon("wish")
        if call.startswith("settle"):
            self.was_seen |= call == "settle True"
            return account.settle("wish", posted=call == "settle True")
        wish: dict[str, Any] = {"key": "wish", "draft": self.draft, "on_progress": watch}
        wish["privacy_level"] = None if self.draft else "SELF_ONLY"
        if self.wish == "photos":
            return account.post_photos(PHOTOS, **wish)
        size = CHUNK if film is not None and film.size > CHUNK else None
        if call == "post as upload" and film is None:
            wish["upload"] = True
        return account.post_video(film or (SIGNED if self.wish == "elsewhere" else PULLED), chunk_size=size, **wish)

    def turns(self, which: int) -> None:
        """Run for one turn, and check the end of the call if it ended."""
        process = self.processes[which]
        process.go()
        if process.busy:
            return
        call, progress = self.doing[which]
        call = call.removesuffix(" as upload")
        assert progress == sorted(progress)
        assert all(number <= FILMS[self.wish].size for number in progress if isinstance(self.wish, int))
        self.check(call, process.end)

    def to_the_end(self, which: int, call: str) -> Any:
        """Let a process make a call and run all its turns."""
        self.begins(which, call)
        for _ in range(TURNS):
            if not self.processes[which].busy:
                return self.processes[which].end
            self.turns(which)
        raise AssertionError("no end is in sight")

    def check(self, call: str, end: Any) -> None:
        """Check what is promised of every end."""
        ENDS[type(end).__name__] += 1
        (record,) = self.stores[1].records() or (None,)
        if isinstance(end, AssertionError):
            raise end
        if isinstance(end, InvalidInput) and not isinstance(end, DOCUMENTED):
            # There is nothing to resume or to settle.
            cannot_be_opened = "HTTP 403" in str(end) and self.wish == "elsewhere"
            assert call != "post" or cannot_be_opened or "settled as not posted" in str(end), end
            assert not self.live or record is None or record.stage is not Stage.ABANDONED
        elif isinstance(end, TikTokError):
            assert isinstance(end, DOCUMENTED), f"an end without a word for it: {end!r}"
            is_before_the_post = isinstance(end, SourceChanged) and end.key is None
            assert end.key == "wish" or is_before_the_post or call.startswith(("settle", "abandon"))
            if isinstance(end, PublishFailed):
                # A fault may let its status go back for a moment, to any word. What counts is that TikTok did not publish it.
                assert self.sim.post(end.publish_id).status not in {"PUBLISH_COMPLETE", "SEND_TO_USER_INBOX"}
        elif call in {"post", "resume"}:
            assert end.is_final
            assert end.status != "NOT_POSTED", "refused, and told as a success"
            # The post that a person saw may have failed since.
            assert self.live or self.was_seen, "told as posted, and is not"
            assert end.publish_id in ("", *(one.publish_id for one in self.live))
        if (
            record is not None
            and record.stage is Stage.ABANDONED
            and not self.processes[0].busy
            and not self.processes[1].busy
        ):
            assert not self.live, "said to have come to nothing, and posted"

    def teardown(self) -> None:
        """End the schedule."""
        if not hasattr(self, "sim"):
            return
        try:
            self.all_is_well()
        finally:
            for process in self.processes:
                process.die()
            self.sim.close()

    def all_is_well(self) -> None:
        """Let no fault happen any more, and let a process continue: there is one post, or an error says why there is none."""
        self.nothing_goes_wrong()
        self.sim.creator.private = True
        self.is_killed(0)
        while self.processes[1].busy:
            self.turns(1)
        self.clock.advance(4_000)
        for _ in range(4):
            end = self.to_the_end(0, "post")
            (record,) = self.stores[1].records()
            if isinstance(end, SignInRequired):
                # A process died between a renewal and its record.
                self.signs_in()
            elif isinstance(end, OutcomeUnknown):
                self.to_the_end(0, f"settle {bool(self.live)}")
            elif isinstance(end, PostingRefused):
                self.drafts_are_taken_again()
            elif record.stage is not Stage.ABANDONED:
                break
        self.there_is_at_most_one_post()
        (record,) = self.stores[1].records()
        if isinstance(end, TikTokError):
            assert isinstance(end, (PublishFailed, StillProcessing)), end
        else:
            assert record.stage in (Stage.COMPLETE, Stage.IN_INBOX)
        if record.publish_id and self.live:
            assert record.publish_id == self.live[0].publish_id, "the journal follows another post"
            UPLOADED[str(self.wish)] += record.wish.upload is True

    def nothing_goes_wrong(self) -> None:
        """Let no fault happen any more, and what lies elsewhere be opened."""
        self.sim.faults.clear()
        self.elsewhere.troubles.clear()
        self.elsewhere.expired.clear()

    def drafts_are_taken_again(self) -> None:
        """Let the day pass after which TikTok counts this creator's drafts anew: each lost init of a draft counts as one."""
        self.clock.advance(86_400)


class WrongClocks(Schedules):
    """The same schedules, and at any moment either process's clock may be set years ahead or back."""

    @rule(which=st.integers(0, 1), days=st.sampled_from([0, 1, 100, 365, 3_650, -1, -365, -3_650]))
    def is_set(self, which: int, days: int) -> None:
        """Set the clock of a process to another time than TikTok's."""
        self.processes[which].off = timedelta(days=days)

    @rule(which=st.integers(0, 1), ahead=st.lists(st.sampled_from([0, 100, 365, 3_650]), min_size=1, max_size=3))
    def asks_again_and_again(self, which: int, ahead: list[int]) -> None:
        """Let a process make a call to its end, and once more at each of some times. Each call notes the time."""
        while self.processes[which].busy:
            self.turns(which)
        for days in ahead:
            self.processes[which].off = timedelta(days=days)
            self.to_the_end(which, "post")

    def check(self, call: str, end: Any) -> None:
        """Check what is promised of every end, and that only a post that the journal has forgotten may lack its reason."""
        if "why was not written down" not in str(end):
            super().check(call, end)

    def all_is_well(self) -> None:
        """Set the clocks right and let no fault happen any more. Asked again, the key returns the one post that exists."""
        self.nothing_goes_wrong()
        self.sim.creator.private = True
        self.is_killed(0)
        self.processes[1].off = timedelta(0)
        while self.processes[1].busy:
            self.turns(1)
        self.clock.advance(4_000)
        for _ in range(6):
            end = self.to_the_end(0, "post")
            if isinstance(end, SignInRequired):
                self.signs_in()
            elif isinstance(end, OutcomeUnknown):
                self.to_the_end(0, f"settle {bool(self.live)}")
            elif isinstance(end, PostingRefused):
                self.drafts_are_taken_again()
            elif isinstance(end, PublishFailed | StillProcessing) or not isinstance(end, TikTokError):
                break
        self.there_is_at_most_one_post()
        if isinstance(end, TikTokError):
            assert isinstance(end, (PublishFailed, StillProcessing)), end
        elif self.live:
            assert end.publish_id in ("", self.live[0].publish_id)


MOMENTS: dict[str, Callable[[Record], bool]] = {
    "planned": lambda record: record.is_planned,
    "before the answer of an init": lambda record: record.stage is Stage.INIT_SENT,
    "uploading": lambda record: record.is_uploading,
    "between two chunks": lambda record: record.offset > 0,
    "with the last byte": lambda record: record.is_uploading and record.last_left,
}
"""Moments in which a post is given up, or is refused to be."""


class GivenUp(Schedules):
    """The same, where a person may give the post up at any moment, from either process."""

    was_given_up = False
    posts_by_then = 0

    @precondition(lambda self: not self.was_given_up)
    @rule(
        which=st.integers(0, 1),
        call=CALLS,
        moment=st.sampled_from(sorted(MOMENTS)),
        after=st.integers(0, 2),
        turns=st.sampled_from([5, 2, 1]),
    )
    def is_given_up(self, which: int, call: str, moment: str, after: int, turns: int) -> None:
        """Let a person give the post up in one process, while the other one is at any moment of its call."""
        for _ in range(30):
            if any(MOMENTS[moment](record) for record in self.stores[1].records()):
                break
            self.goes_on(1 - which, call, 1)
        self.goes_on(1 - which, call, after)
        if not self.processes[which].busy:
            self.goes_on(which, "abandon", turns)

    @invariant()
    def what_was_given_up_is_neither_begun_again_nor_published(self) -> None:
        """Hold that from the moment when the journal says so, no upload follows, and TikTok publishes nothing."""
        (record,) = (self.stores[1].records() if hasattr(self, "sim") else ()) or (None,)
        if record is not None and record.is_given_up and not self.was_given_up:
            self.was_given_up, self.posts_by_then = True, len(self.sim.posts)
        if self.was_given_up:
            assert record is not None
            assert record.stage is Stage.GIVEN_UP, "given up, and gone on with"
            assert record.upload_url is None
            assert not self.live, "given up, and published"
            # The answer to one init may have been under way; a pull's would have published it.
            may_begin = record.wish.plan is not None
            assert len(self.sim.posts) <= self.posts_by_then + may_begin, "given up, and begun again"

    def check(self, call: str, end: Any) -> None:
        """Hold what is promised of every end; and that what may have been published is not given up."""
        (record,) = self.stores[1].records() or (None,)
        self.what_was_given_up_is_neither_begun_again_nor_published()
        if call == "abandon" and not isinstance(end, (TikTokError, AssertionError)):
            GIVEN["given up"] += 1
            assert self.was_given_up
            assert (end.status, end.key) == ("NOT_POSTED", "wish")
        elif call == "abandon" and isinstance(end, InvalidInput):
            GIVEN["refused" if record else "not known"] += 1
            assert not self.was_given_up
        elif "given up by a person" in str(end):
            GIVEN["said"] += 1
            assert self.was_given_up
            assert isinstance(end, InvalidPost)
            assert end.key == "wish"
        else:
            super().check(call, end)

    def all_is_well(self) -> None:
        """Let nothing go wrong any more: each call says that the post was given up, however late it is."""
        self.nothing_goes_wrong()
        self.sim.creator.private = True
        self.is_killed(0)
        while self.processes[1].busy:
            self.turns(1)
        self.what_was_given_up_is_neither_begun_again_nor_published()
        if not self.was_given_up:
            super().all_is_well()
            return
        for call in ("post", "resume", "advance", "abandon"):
            self.clock.advance(4_000)
            end = self.to_the_end(0, call)
            if isinstance(end, SignInRequired):
                self.signs_in()
                end = self.to_the_end(0, call)
            assert "given up by a person" in str(end) or (call, end.status) == ("abandon", "NOT_POSTED")
            self.what_was_given_up_is_neither_begun_again_nor_published()


@pytest.mark.parametrize("world", [BlockingProcess, AsyncProcess], ids=["blocking", "asynchronous"])
def test_what_was_given_up_is_never_published(world: type[Process]) -> None:
    """At any moment of any kind of post: given up for good, or refused because it may have been published."""

    class Machine(GivenUp):
        kind = world

    GIVEN.clear()
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=max(1, SCHEDULES // 2),
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
    assert all(GIVEN[end] for end in ("given up", "refused", "said")), GIVEN


@pytest.mark.parametrize("world", [BlockingProcess, AsyncProcess], ids=["blocking", "asynchronous"])
def test_whatever_a_clock_says_at_times_an_explicit_key_posts_once(world: type[Process]) -> None:
    """Clocks go years ahead or back, at any step, in either process.

    The key makes one post at most, and no call waits for ever.
    """

    class Machine(WrongClocks):
        kind = world

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=max(1, SCHEDULES // 5),
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )


@pytest.mark.parametrize("world", [BlockingProcess, AsyncProcess], ids=["blocking", "asynchronous"])
def test_a_wish_is_at_most_one_post(world: type[Process]) -> None:
    """There are never two posts for one key.

    No byte is lost or doubled, every wait ends, and every end has a documented result.
    """

    class Machine(Schedules):
        kind = world

    UPLOADED.clear()
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=SCHEDULES,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
    assert UPLOADED["elsewhere"], "no pull has become an upload"


class _ServersClock(ManualClock):
    """A clock with which the server's time passes, too."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self._place = place

    def advance(self, seconds: float, /) -> None:
        super().advance(seconds)
        self._place.pass_time(seconds)


TABLES = "tokens token_leases records record_leases learned traces seen pace slots"


@pytest.mark.full
@pytest.mark.timeout(300 + 30 * ON_SERVER)
@pytest.mark.parametrize("machine", [Schedules, WrongClocks, GivenUp])
@pytest.mark.parametrize("world", [BlockingProcess, AsyncProcess], ids=["blocking", "asynchronous"])
def test_the_same_holds_over_postgresql(world: type[Process], machine: type[Schedules], place: Place) -> None:
    """Two machines share the database, which goes by a clock of its own."""
    with place.stores() as opened:
        tokens, journal = opened.tokens(), opened.journal()
        assert journal.records() == ()

        class Machine(machine):  # type: ignore[valid-type,misc]
            kind = world

            def placed(self) -> tuple[ManualClock, tuple[Any, Any]]:
                place.execute(", ".join(f"{{s}}.{table}" for table in TABLES.split()).join(("TRUNCATE ", "")))
                place.execute("INSERT INTO {s}.seen VALUES (NULL)")
                return _ServersClock(place), (tokens, journal)

        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=ON_SERVER,
                stateful_step_count=20,
                deadline=None,
                suppress_health_check=list(HealthCheck),
                print_blob=True,
            ),
        )
