"""The log of many posts at once: by its text alone, each line is found by the post and by the request that it is about.

What belongs here: what a whole client writes to the log. How one line is written is tested in `tests/core/test_logs.py`.
"""

import asyncio
import heapq
import json
import logging
import random
import re
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from typing import Any

import pytest
from attrs import Factory, define, evolve, field, frozen

from clips import PULLED, clip
from tiktok_adapters.protect import AsyncioProtect, MainThreadProtect
from tiktok_adapters.simulator import (
    DEFAULT_CLIENT_KEY,
    DEFAULT_CLIENT_SECRET,
    Creator,
    SimulatedTikTok,
    Switches,
    parse_fault,
)
from tiktok_adapters.stores.memory import MemoryJournal, MemoryTokenStore
from tiktok_adapters.transports.fake import ConnectionDropped, FakeTransport
from tiktok_core import (
    ApiError,
    App,
    AsyncTikTok,
    Interrupted,
    NotSent,
    PrivacyLevel,
    RateLimited,
    StoreError,
    TikTok,
    TikTokError,
)
from tiktok_core.logs import FIELDS, SAID, sentence
from tiktok_core.ports import Request, Response
from yielding import Yielding

APP = App(DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, "http://127.0.0.1:*/callback/")
FIELD = r'(\w+)=("(?:[^"\\]|\\.)*"|[0-9.]+)'
BRACKETS = re.compile(rf" \[({FIELD}(?: {FIELD})*)\]$")
ACCOUNTS, POSTS = 10, 200


# --- A virtual clock for many at once, and a line to TikTok ------------------------------------------------------------


class Together:
    """A virtual clock for many at once: it moves on only while all of them wait, to the end of the shortest wait."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now = datetime(2026, 1, 1, 12, tzinfo=UTC)
        self._naps: list[tuple[datetime, int, Any]] = []
        self._numbers = count()
        self.awake = 1

    def now(self) -> datetime:
        """Return the time."""
        return self._now

    def sleep(self, seconds: float, /) -> None:
        """Wait with the others."""
        if seconds > 0:
            over = threading.Event()
            self.nap(seconds, over)
            assert over.wait(60)

    def nap(self, seconds: float, over: "threading.Event | asyncio.Event") -> None:
        """Set `over` when so many seconds have gone."""
        with self._lock:
            heapq.heappush(self._naps, (self._now + timedelta(seconds=seconds), next(self._numbers), over))
        self.leave()

    def leave(self) -> None:
        """Be waited for no more."""
        with self._lock:
            self.awake -= 1
            if self.awake or not self._naps:
                return
            self._now = self._naps[0][0]
            while self._naps and self._naps[0][0] == self._now:
                self.awake += 1
                heapq.heappop(self._naps)[2].set()


@frozen
class TogetherInTasks:
    """The same clock for tasks."""

    clock: Together

    def now(self) -> datetime:
        """Return the time."""
        return self.clock.now()

    async def sleep(self, seconds: float, /) -> None:
        """Wait with the others."""
        if seconds > 0:
            over = asyncio.Event()
            self.clock.nap(seconds, over)
            await over.wait()


@frozen
class Sent:
    """One request, as the line saw it."""

    log_id: str
    what: str
    seconds: float
    account: str
    key: str
    publish_id: str


@define
class Line:
    """What lies between a client and the simulated TikTok: it takes its time, and notes whose each request is.

    Whose it is follows from the requests and answers themselves: a post's title is its key.
    """

    sim: SimulatedTikTok
    store: MemoryTokenStore = field(factory=MemoryTokenStore)
    sent: list[Sent] = field(factory=list)
    _keys: dict[str, str] = field(factory=dict)
    _asked: set[str] = field(factory=set)
    _numbers: Iterator[int] = field(factory=count)
    inner: FakeTransport = field(init=False, default=Factory(lambda line: FakeTransport(line.answer), takes_self=True))

    def seconds(self) -> float:
        """Return how long the next request takes; no two in a row take the same time."""
        return 0.01 + next(self._numbers) % 89 / 1000

    def answer(self, request: Request) -> Response:
        """Answer as TikTok does; each answer has a log id. The first question for the status of each seventh post gets a 503."""
        header = {"x-tt-logid": f"made-{next(self._numbers)}"}
        asked = body(request.body).get("publish_id", "") if "/fetch/" in request.url else ""
        if asked and asked not in self._asked:
            self._asked.add(asked)
            if int("".join(filter(str.isdigit, self._keys[asked]))) % 7 == 0:
                return Response(503, header)
        response = self.sim.handle(request)
        return response if b'"log_id"' in response.body else evolve(response, headers={**response.headers, **header})

    def note(self, request: Request, response: Response, seconds: float) -> None:
        """Note a request and its answer."""
        asked, said = body(request.body), body(response.body)
        key, publish_id = "", ""
        if "/init/" in request.url:
            key = asked["post_info"]["title"]
            if data := said.get("data"):
                self._keys[data["publish_id"]] = key
                self._keys[data["upload_url"]] = data["publish_id"]
        elif request.method == "PUT":
            publish_id = self._keys[request.url]
        else:
            publish_id = asked.get("publish_id", "")
        log_id = said.get("error", {}).get("log_id") or response.headers["x-tt-logid"]
        what = f"{request.method} {request.url.partition('?')[0]}"
        key = key or self._keys.get(publish_id, "")
        self.sent.append(Sent(log_id, what, seconds, self._account(request), key, publish_id))

    def _account(self, request: Request) -> str:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        known = {name: self.store.load(name) for name in self.store.accounts()}
        return next((name for name, one in known.items() if one and one.access_token.reveal() == token), "")


def body(of: object) -> dict[str, Any]:
    """Return the JSON object in a body; an empty one where there is none."""
    with suppress(ValueError):
        found = json.loads(of) if isinstance(of, bytes) else None
        return found if isinstance(found, dict) else {}
    return {}


@frozen
class InThreads:
    """The line as a transport of the blocking client."""

    line: Line
    clock: Together

    def send(self, request: Request, /) -> Response:
        """Send, and take the time that it takes."""
        self.clock.sleep(seconds := self.line.seconds())
        response = self.line.inner.send(request)
        self.line.note(request, response, seconds)
        return response

    def close(self) -> None:
        """Close."""


@frozen
class InTasks:
    """The line as a transport of the asynchronous client."""

    line: Line
    clock: TogetherInTasks

    async def send(self, request: Request, /) -> Response:
        """Send, and take the time that it takes."""
        await self.clock.sleep(seconds := self.line.seconds())
        response = self.line.inner.send(request)
        self.line.note(request, response, seconds)
        return response

    async def close(self) -> None:
        """Close."""


# --- A client with ten accounts ----------------------------------------------------------------------------------------


@define
class Many:
    """Ten accounts of a client, and what they do at once."""

    clock: Together
    sim: SimulatedTikTok
    line: Line
    is_blocking: bool

    def client(self) -> Any:
        """Return a new client with stores of its own."""
        journal = MemoryJournal()
        self.line.store = tokens = MemoryTokenStore()
        entropy = random.Random(7).randbytes
        if self.is_blocking:
            transport = InThreads(self.line, self.clock)
            return TikTok(
                APP,
                transport=transport,
                tokens=tokens,
                journal=journal,
                clock=self.clock,
                protect=MainThreadProtect(),
                entropy=entropy,
            )
        tasks = TogetherInTasks(self.clock)
        return AsyncTikTok(
            APP,
            transport=InTasks(self.line, tasks),
            tokens=Yielding(tokens),
            journal=Yielding(journal),
            clock=tasks,
            protect=AsyncioProtect(),
            entropy=entropy,
        )

    def at_once(self, works: list[Callable[[Any], Any]]) -> list[Any]:
        """Do each of the works, which get the accounts of a new client, at the same time; return what each gave or raised."""
        begin = self._in_threads if self.is_blocking else lambda *given: asyncio.run(self._in_tasks(*given))
        return begin(self.client(), works)

    def _in_threads(self, tiktok: Any, works: list[Callable[[Any], Any]]) -> list[Any]:
        accounts = []
        for number in range(ACCOUNTS):
            asked = tiktok.authorization(redirect_uri="http://127.0.0.1:4000/callback/")
            accounts.append(tiktok.sign_in(asked, self.sim.authorize(asked.url, account=f"maker_{number}")))

        def done(work: Callable[[Any], Any]) -> Any:
            try:
                return work(accounts)
            except TikTokError as error:
                return error
            finally:
                self.clock.leave()

        self.clock.awake = len(works)
        with ThreadPoolExecutor(len(works)) as pool:
            found = list(pool.map(done, works))
        self.clock.awake = 1
        tiktok.close()
        return found

    async def _in_tasks(self, tiktok: Any, works: list[Callable[[Any], Any]]) -> list[Any]:
        accounts = []
        for number in range(ACCOUNTS):
            asked = tiktok.authorization(redirect_uri="http://127.0.0.1:4000/callback/")
            accounts.append(await tiktok.sign_in(asked, self.sim.authorize(asked.url, account=f"maker_{number}")))

        async def done(work: Callable[[Any], Any]) -> Any:
            try:
                return await work(accounts)
            except TikTokError as error:
                return error
            finally:
                self.clock.leave()

        self.clock.awake = len(works)
        found = await asyncio.gather(*map(done, works))
        self.clock.awake = 1
        await tiktok.close()
        return found


@pytest.fixture(params=["blocking", "asynchronous"])
def many(request: pytest.FixtureRequest) -> Iterator[Many]:
    """Give ten accounts in each world."""
    clock = Together()
    creators = [
        Creator(open_id=f"-{number}", username=f"maker_{number}", daily_posts=POSTS) for number in range(ACCOUNTS)
    ]
    sim = SimulatedTikTok(clock, creators=creators, switches=Switches(active_user_cap=ACCOUNTS))
    with closing(sim):
        yield Many(clock, sim, Line(sim), request.param == "blocking")


@frozen
class Written:
    """A line of the log."""

    at: datetime
    text: str
    record: logging.LogRecord

    @property
    def fields(self) -> dict[str, Any]:
        """The fields that its text shows."""
        found = BRACKETS.search(self.text)
        return {name: json.loads(value) for name, value in re.findall(FIELD, found[1])} if found else {}


@pytest.fixture
def lines(many: Many) -> Iterator[list[Written]]:
    """Give the lines that the library writes at any level."""
    log, found = logging.getLogger("tiktok_core"), list[Written]()
    handler = logging.Handler()
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    handler.emit = lambda record: found.append(Written(many.clock.now(), handler.format(record), record))  # type: ignore[method-assign]
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    yield found
    log.setLevel(logging.NOTSET)
    log.removeHandler(handler)


# --- What is found in the log ------------------------------------------------------------------------------------------


def key_of(number: int) -> str:
    """Return the key of a post. Some keys begin as others do, and some have to be escaped."""
    return f"post-{number}" if number % 3 else f'a "post" [{number}]'


@pytest.mark.full
def test_the_lines_of_200_posts_at_once_are_told_apart_by_their_text(many: Many, lines: list[Written]) -> None:
    """A search for a post's key finds each line of its requests and no other's.

    Each line of a request has account, log id, duration and attempt, as TikTok's end of the line counts them.
    """
    done = many.at_once([_posting(number) for number in range(POSTS)])
    assert {one.status for one in done} == {"PUBLISH_COMPLETE"}
    sent = {one.log_id: one for one in many.line.sent}
    assert len(sent) == len(many.line.sent) > 4 * POSTS
    requests = [line for line in lines if "://" in line.text]
    assert Counter(line.fields["log_id"] for line in requests if "HTTP" in line.text) == Counter(sent.keys())
    for line in requests:
        found = sent[line.fields["log_id"]]
        assert found.what in line.text
        assert line.fields["duration"] == pytest.approx(found.seconds)
        assert line.fields.get("account", "") == (found.account or many_account(done, found.key))
        assert line.fields["attempt"] in {1, 2}
    _each_post_is_found(many, lines, done)
    _repetitions_are_told_apart(requests)
    _no_quota_is_warned_of_twice_in_a_minute(lines)


def _posting(number: int) -> Callable[[Any], Any]:
    return lambda accounts: accounts[number % ACCOUNTS].post_video(
        clip(number), title=key_of(number), privacy_level=PrivacyLevel.SELF_ONLY, key=key_of(number)
    )


def many_account(done: list[Any], key: str) -> str:
    """Return whose post it is; the upload host is given no token, and at a sign-in nobody knows the account yet."""
    return next((f"-{number % ACCOUNTS}" for number, one in enumerate(done) if one.key == key), "")


def _each_post_is_found(many: Many, lines: list[Written], done: list[Any]) -> None:
    of_key = defaultdict[str, set[str]](set)
    for one in many.line.sent:
        of_key[one.key].add(one.log_id)
    questions = {one.log_id: one.account for one in many.line.sent if "creator_info" in one.what}
    asked = list[str]()
    for number, post in enumerate(done):
        mine = [line for line in lines if f"key={json.dumps(key_of(number))}" in line.text]
        ids = {line.fields["log_id"] for line in mine if "HTTP" in line.text}
        assert ids - questions.keys() == of_key[post.key]
        assert {questions[one] for one in ids & questions.keys()} == {f"-{number % ACCOUNTS}"}
        asked += ids & questions.keys()
        assert {line.fields["key"] for line in mine} == {post.key}
        after_init = [line for line in mine if "PUT" in line.text or "/status/" in line.text]
        assert {line.fields["publish_id"] for line in after_init} == {post.publish_id}
    assert sorted(asked) == sorted(questions)


def _repetitions_are_told_apart(requests: list[Written]) -> None:
    refused = {line.fields["log_id"]: line.fields for line in requests if "HTTP 503" in line.text}
    warned = {line.fields["log_id"]: line.fields for line in requests if "again in" in line.text}
    assert warned == refused
    # Every seventh post of 200 was refused once, and asked about again.
    assert Counter(line.fields["attempt"] for line in requests if "HTTP" in line.text)[2] == len(refused) == 29


def _no_quota_is_warned_of_twice_in_a_minute(lines: list[Written]) -> None:
    given = defaultdict[tuple[str, str], list[datetime]](list)
    for line in lines:
        if "WARNING" in line.text and "quota" in line.fields:
            given[line.fields["account"], line.fields["quota"]].append(line.at)
    assert {account for account, quota in given if quota == "init"} == {f"-{number}" for number in range(ACCOUNTS)}
    for times in given.values():
        assert all(later - earlier >= timedelta(minutes=1) for earlier, later in pairwise(times))
    waits = [line for line in lines if "waits for the same quota" in line.text]
    assert len(waits) > sum(map(len, given.values()))
    assert all(line.fields["key"] and line.record.pause > 0 for line in waits)  # type: ignore[attr-defined]


def test_text_and_record_say_the_same(many: Many, lines: list[Written]) -> None:
    """Each field in a line's text is an attribute of its record with the same value, and the other way round."""
    many.at_once([_posting(number) for number in range(ACCOUNTS)])
    assert lines
    for line in lines:
        there = {name: getattr(line.record, name) for name in FIELDS if hasattr(line.record, name)}
        assert there.keys() - SAID == line.fields.keys()
        for name, value in line.fields.items():
            assert there[name] == pytest.approx(value, abs=0.001) if name == "duration" else there[name] == value


@pytest.mark.full
def test_a_quota_is_warned_of_once_for_all_that_wait(many: Many, lines: list[Written]) -> None:
    """Of thirty calls of each account at once that a used-up quota keeps waiting, one warns; the others say it for who debugs.

    Another client knows nothing of it, and warns once by itself.
    """

    def asking(number: int) -> Callable[[Any], Any]:
        return lambda accounts: accounts[number % ACCOUNTS].with_options(deadline=30.0, retries=0).creator_info()

    for _ in range(2):
        del lines[:]
        many.clock.sleep(61)
        found = many.at_once([asking(number) for number in range(50 * ACCOUNTS)])
        # A wait beyond the deadline is no wait: TikTok is asked, and refuses.
        assert sum(isinstance(one, RateLimited) for one in found) >= 25 * ACCOUNTS
        told = [line for line in lines if line.fields.get("quota") == "creator_info"]
        warned = [line for line in told if line.record.levelno == logging.WARNING]
        assert sorted(line.fields["account"] for line in warned) == sorted(f"-{number}" for number in range(ACCOUNTS))
        assert all(
            "questions for the creator info a minute of the account -" in sentence(line.record) for line in warned
        )
        assert {line.record.levelname for line in told if line not in warned} == {"DEBUG"}
        assert len(told) >= 25 * ACCOUNTS


# --- One call in trouble -----------------------------------------------------------------------------------------------


@pytest.fixture
def heard(caplog: pytest.LogCaptureFixture) -> Callable[[str], list[Any]]:
    """Give a search for lines by a part of their sentence."""
    caplog.set_level(logging.DEBUG, "tiktok_core")
    return lambda part: [one for one in caplog.records if one.name == "tiktok_core" and part in sentence(one)]


@pytest.mark.parametrize(("fault", "kind"), [("unreachable", NotSent), ("drop-after", Interrupted)])
def test_a_request_without_an_answer_leaves_a_line(bench: Any, heard: Any, fault: str, kind: type[Exception]) -> None:
    """It has all but a log id, as nobody gave one: a warning where it is repeated, and a line to debug with at the end."""
    account = bench.signed_in()
    bench.sim.faults.add(parse_fault(f"user_infox9={fault}"))
    with pytest.raises(kind):
        bench.run(account.user_info())
    found = heard(f"user/info/: {kind.__name__}")
    assert [(one.levelname, one.attempt) for one in found] == [("WARNING", 1), ("WARNING", 2), ("DEBUG", 3)]
    assert {one.account for one in found} == {account.open_id}
    assert all(one.duration >= 0 and not hasattr(one, "log_id") for one in found)


def test_a_duration_is_the_requests_own(bench: Any, heard: Any) -> None:
    """It leaves out the waits before, also of a request that is repeated, and that of a clock that is set back is none."""
    account, jumps = bench.signed_in(), iter([7.0, 3.0, -50.0])

    def slow(request: Request) -> Response:
        bench.clock.advance(by := next(jumps))
        if by == 7.0:
            raise ConnectionDropped(sent=False)
        response: Response = bench.sim.handle(request)
        return response

    bench.handle = slow
    bench.run(account.user_info())
    bench.run(account.user_info())
    assert [one.duration for one in heard("user/info/")] == [7.0, 3.0, 0.0]


def test_the_doubts_of_a_post_without_a_key_are_found_by_the_key_that_it_gets(bench: Any, heard: Any) -> None:
    """What is looked at before the post is in the journal is the post's already."""
    account = bench.signed_in()
    done = bench.run(account.post_video(clip(1), draft=True))
    assert done.key
    assert {one.key for one in heard("")[1:]} == {done.key}
    assert heard("cannot be read: TikTok may refuse it")


def test_a_call_by_publish_id_is_found_by_it(bench: Any, heard: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A question, a wait and a cancellation name the post as the caller does, and by the key where the journal is asked."""
    account = bench.signed_in()
    done = bench.run(account.post_video(PULLED, draft=True, key="mine", wait=False))
    caplog.clear()
    bench.run(account.publish_status(done.publish_id))
    bench.run(account.cancel(done.publish_id))
    assert len(heard("HTTP 200")) == 3
    assert {one.publish_id for one in heard("HTTP 200")} == {done.publish_id}
    caplog.clear()
    with suppress(TikTokError):
        bench.run(account.wait(done.publish_id))
    assert {(one.key, one.publish_id) for one in heard("HTTP 200")} == {("mine", done.publish_id)}


def test_the_renewal_that_a_post_needs_is_found_by_its_key(bench: Any, heard: Any) -> None:
    """A renewal has the account, and the key of the post that could not go on without it."""
    account = bench.signed_in()
    bench.clock.advance(7_300)
    bench.run(account.post_video(PULLED, draft=True, key="mine"))
    (renewal,) = heard("oauth/token/")[1:]
    assert (renewal.account, renewal.key) == (account.open_id, "mine")


def test_troubles_of_stores_name_the_account_and_the_post(bench: Any, heard: Any) -> None:
    """A lease that cannot be given back, and a list that cannot be read, cost no post: the log says of which post that was."""
    account, journal = bench.signed_in(), bench.journal

    def failing(*_: object, **__: object) -> Any:
        raise StoreError("Journal", "it is locked", "locked")

    journal.release = failing
    done = bench.run(account.post_video(PULLED, draft=True, key="mine"))
    assert done.key == "mine"
    left = heard("A lease is left to run out")
    assert left
    assert {(one.account, one.key) for one in left} == {(account.open_id, "mine")}


def test_a_download_that_is_left_behind_names_the_account(bench: Any, heard: Any) -> None:
    """The error of the call comes to the caller, and the log says what could not be tidied up, and whose that is."""

    class Stuck:
        def begin(self) -> Any:
            raise AssertionError("TikTok gives nothing")

        def keep(self) -> None:
            raise AssertionError("there is nothing to keep")

        def discard(self) -> None:
            raise StoreError("Destination", "it hangs")

    account = bench.signed_in()
    with pytest.raises(ApiError):
        bench.run(account.download_data(1, Stuck()))
    (said,) = heard("What was downloaded is left behind for now: Destination: it hangs.")
    assert said.account == account.open_id


def test_a_line_is_where_it_is_written(bench: Any, heard: Any) -> None:
    """The record names the module of the flow, and not that of the log."""
    account = bench.signed_in()
    bench.run(account.post_video(clip(1), draft=True))
    assert {one.module for one in heard("HTTP")} == {"exchange"}
    assert {one.module for one in heard("TikTok may refuse it")} == {"check"}


def test_where_nobody_debugs_an_answer_is_read_once(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer's log id is looked for only if the level is on."""
    account, log, read = bench.signed_in(), logging.getLogger("tiktok_core"), list[int]()
    whole = Response.body
    monkeypatch.setattr(Response, "body", property(lambda self: (read.append(1), whole.fget(self))[1]))
    counts = []
    for level in (logging.DEBUG, logging.WARNING):
        log.setLevel(level)
        read.clear()
        bench.run(account.user_info())
        counts.append(len(read))
    log.setLevel(logging.NOTSET)
    assert counts[0] > counts[1] > 0
