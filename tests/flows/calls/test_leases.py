"""Two owners of one post: a client that waits holds nothing, and a client that acts holds a valid lease.

The second owner is another client over the same stores. It acts while the first one waits, or while TikTok answers it.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clips import CLIP, HEAD, PHOTOS, PULLED
from example_counts import at_most
from tiktok_adapters.protect import AsyncioProtect
from tiktok_adapters.simulator import parse_fault
from tiktok_adapters.sources import BytesSource
from tiktok_adapters.transports.fake import FakeTransport
from tiktok_core import (
    AsyncTikTok,
    OutcomeUnknown,
    ServerError,
    SignInFailed,
    Stage,
    StoreError,
    TikTok,
    TikTokError,
)
from tiktok_core.errors import LeaseLost
from tiktok_core.lifting import lift_journal, lift_tokens, lift_transport
from tiktok_core.ports import Request, Response

WISHES: dict[str, Callable[[Any], Any]] = {
    "clip": lambda account: account.post_video(CLIP, privacy_level="SELF_ONLY", key="wish"),
    "draft": lambda account: account.post_video(CLIP, draft=True, key="wish"),
    "pull": lambda account: account.post_video(PULLED, privacy_level="SELF_ONLY", key="wish"),
    "photos": lambda account: account.post_photos(PHOTOS, privacy_level="SELF_ONLY", key="wish"),
    "photo draft": lambda account: account.post_photos(PHOTOS, draft=True, key="wish"),
}
wishes = pytest.mark.parametrize("wish", WISHES)
pulls = pytest.mark.parametrize("wish", ["pull", "photos", "photo draft"])


def other(bench: Any) -> Any:
    """Return the account on a second client; for the stores it is another process."""
    transport = FakeTransport(bench.sim.handle, wait=bench.clock.advance)
    client = TikTok(bench.tiktok.app, transport=transport, tokens=bench.store, journal=bench.journal, clock=bench.clock)
    return client.account()


def outcome(bench: Any, ask: Callable[[], Any]) -> Any:
    """Return a result, or the library's error."""
    try:
        return bench.run(ask())
    except TikTokError as error:
        return error


def while_waiting(bench: Any, longer_than: float, act: Callable[[], object], *, after: float) -> None:
    """Let the second owner act during the first wait of that length, so many seconds after the wait began."""
    sleep, acted = bench.clock.sleep, []

    def slept(seconds: float, /) -> None:
        if seconds <= longer_than or acted:
            return sleep(seconds)
        acted.append(1)
        sleep(min(after, seconds))
        act()
        return sleep(seconds - min(after, seconds))

    bench.clock.sleep = slept


def scripted(bench: Any, path: str, says: Callable[[Request, Callable[[Request], Response]], Response]) -> list[str]:
    """Let `says` answer the first client's next request of this path; return the paths that the client sends."""
    handle, sent = bench.sim.handle, []

    def asked(request: Request) -> Response:
        sent.append(request.url.partition("?")[0])
        if path in request.url and sum(path in url for url in sent) == 1:
            return says(request, handle)
        response: Response = handle(request)
        return response

    bench.handle = asked
    return sent


def limited(seconds: int) -> Callable[[Request, Callable[[Request], Response]], Response]:
    """Return an answer that refuses for so many seconds."""
    return lambda _request, _handle: Response(429, {"retry-after": str(seconds)})


# --- A client that waits ---------------------------------------------------------------------------------------------


@wishes
@pytest.mark.parametrize("after", [0.5, 5.0, 15.0, 59.0])
def test_a_wait_before_the_init_holds_nothing(bench: Any, wish: str, after: float) -> None:
    """TikTok refuses an init for a minute, and another process continues meanwhile.

    There is one post, and both have its result.
    """
    account, results = bench.signed_in(), []
    scripted(bench, "/init/", limited(60))
    while_waiting(bench, 30, lambda: results.append(WISHES[wish](other(bench))), after=after)
    mine = bench.run(WISHES[wish](account))
    assert results == [mine]
    assert [post.publish_id for post in bench.sim.posts] == [mine.publish_id]
    assert bench.journal.records()[0].inits == 1


@wishes
def test_a_step_does_not_wait(bench: Any, wish: str) -> None:
    """TikTok refuses for now. The step returns the time to come again, and the journal says that nothing was begun."""
    account = bench.signed_in()
    scripted(bench, "/init/", limited(60))
    bench.clock.sleep = lambda _seconds: (_ for _ in ()).throw(KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        bench.run(WISHES[wish](account))
    del bench.clock.sleep
    (record,) = bench.journal.records()
    assert (record.stage, record.inits) == (Stage.PLANNED, 0)
    scripted(bench, "/init/", limited(60))
    before = bench.clock.slept
    step = bench.run(account.advance("wish", CLIP if "clip" in wish or wish == "draft" else None))
    assert step.again_in == 60
    assert bench.clock.slept == before


@pulls
def test_a_wait_is_cancelled_at_once(bench: Any, wish: str) -> None:
    """If the caller cancels while no request is under way, the client ends at once and posts nothing afterwards."""
    account = bench.signed_in()
    face = getattr(account, "_face", account)
    scripted(bench, "/init/", limited(60))

    class Clock:
        def __init__(self) -> None:
            self.slept = asyncio.Event()

        def now(self) -> datetime:
            return bench.clock.now()  # type: ignore[no-any-return]

        async def sleep(self, _seconds: float, /) -> None:
            self.slept.set()
            await asyncio.Event().wait()

    async def story() -> None:
        clock = Clock()
        client = AsyncTikTok(
            bench.tiktok.app,
            transport=lift_transport(face._context.transport._port),
            tokens=lift_tokens(bench.store),
            journal=lift_journal(bench.journal),
            clock=clock,
            protect=AsyncioProtect(),
        )
        task = asyncio.create_task(WISHES[wish](await client.account()))
        await clock.slept.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            async with asyncio.timeout(10):
                await task

    asyncio.run(story())
    assert not bench.sim.posts
    assert bench.journal.records()[0].stage is Stage.PLANNED
    assert bench.run(WISHES[wish](account)).is_final


@wishes
@pytest.mark.parametrize("nth", [1, 2])
@pytest.mark.parametrize("lost", [False, True], ids=["answered", "lost"])
def test_a_status_that_outlasts_the_lease_is_no_error(bench: Any, wish: str, nth: int, lost: bool) -> None:
    """Another process takes over and finishes while the first one only asks for the status.

    Both return the same result.
    """
    account, results, asked = bench.signed_in(), [], []
    bench.sim.switches.processing_seconds = 5
    handle = bench.sim.handle

    def slow(request: Request) -> Response:
        if "status/fetch" in request.url:
            asked.append(1)
            if len(asked) == nth:
                bench.clock.advance(15)
                results.append(other(bench).resume("wish"))
                if lost:
                    return Response(503)
        response: Response = handle(request)
        return response

    bench.handle = slow
    assert [bench.run(WISHES[wish](account))] == results


# --- A client that acts ----------------------------------------------------------------------------------------------


@wishes
@pytest.mark.parametrize("seconds", [9.0, 29.0, 100.0])
def test_an_init_on_its_way_is_not_taken_over(bench: Any, wish: str, seconds: float) -> None:
    """While a client waits for the answer, its lease is valid: no other sends an init or calls the outcome unknown."""
    account, steps = bench.signed_in(), []

    def slow(request: Request, handle: Callable[[Request], Response]) -> Response:
        response = handle(request)
        bench.clock.advance(seconds)
        steps.append(other(bench).advance("wish"))
        return response

    scripted(bench, "/init/", slow)
    assert bench.run(WISHES[wish](account)).is_final
    assert [step.again_in for step in steps] == [1.0]
    assert len(bench.sim.posts) == 1


def test_a_chunk_on_its_way_is_not_taken_over(bench: Any) -> None:
    """A chunk may take as long as its bytes need on a slow line. Meanwhile no other client continues the post.

    Each block that leaves renews the lease; after the last one it lasts as long as the answer may take.
    """
    account, steps = bench.signed_in(), []
    film = BytesSource(HEAD + bytes(5_300_000))

    def slow(request: Request, handle: Callable[[Request], Response]) -> Response:
        assert request.on_sent is not None
        for sent in (*range(0, film.size, 1_000_000), film.size):
            request.on_sent(sent)
            bench.clock.advance(9 if sent < film.size else 39)
            steps.append(other(bench).advance("wish", film))
        return handle(evolve(request, on_sent=None))

    sent = scripted(bench, "/video/", lambda request, handle: handle(request))
    scripted(bench, "upload", slow)
    assert bench.run(account.post_video(film, draft=True, key="wish")).is_final
    assert [step.again_in for step in steps] == [1.0] * 7
    assert bench.sim.count("put") == 1
    assert sent == []


def test_a_chunk_whose_process_has_ended_is_soon_gone_on_with(bench: Any) -> None:
    """Ten seconds after its last bytes its lease has run out, however many bytes the chunk had left."""
    account, ends = bench.signed_in(), []
    film = BytesSource(HEAD + bytes(5_300_000))

    def killed(request: Request, handle: Callable[[Request], Response]) -> Response:
        assert request.on_sent is not None
        for sent in range(0, film.size, 1_000_000):
            bench.clock.advance(9)
            request.on_sent(sent)
        bench.clock.advance(9)
        ends.append(other(bench).advance("wish", film).again_in)
        bench.clock.advance(1)
        ends.append(other(bench).advance("wish", film).publication.uploaded_bytes)
        return handle(evolve(request, on_sent=None))

    scripted(bench, "upload", killed)
    with pytest.raises(LeaseLost):
        bench.run(account.post_video(film, draft=True, key="wish"))
    assert ends == [1.0, film.size]


def test_a_journal_that_cannot_renew_lends_a_chunk_its_time(bench: Any) -> None:
    """Then the lease is as long as a slow line needs for the chunk."""

    class Plain:
        def __init__(self, journal: Any) -> None:
            names = {name for name in dir(journal) if not name.startswith("_")} - {"renew"}
            self.__dict__.update({name: getattr(journal, name) for name in names})

    account, steps = bench.signed_in(), []
    film = BytesSource(HEAD + bytes(5_300_000))

    def slow(request: Request, handle: Callable[[Request], Response]) -> Response:
        bench.clock.advance(50)
        steps.append(other(bench).advance("wish", film))
        return handle(request)

    face = getattr(bench.tiktok, "_face", bench.tiktok)
    face._context = evolve(face._context, journal=Plain(face._context.journal))
    scripted(bench, "upload", slow)
    assert bench.run(bench.run(bench.tiktok.account(account.open_id)).post_video(film, draft=True, key="wish")).is_final
    assert [step.again_in for step in steps] == [1.0]


def _settled_and_posted(account: Any, wish: str) -> None:
    account.settle("wish", posted=False)
    WISHES[wish](account)


MEANWHILE: dict[str, Callable[[Any, str], object]] = {
    "taken over": lambda _account, _wish: None,
    "settled as posted": lambda account, _wish: account.settle("wish", posted=True),
    "settled as not posted": lambda account, _wish: account.settle("wish", posted=False),
    "settled and posted again": _settled_and_posted,
}


@pulls
@pytest.mark.parametrize("meanwhile", MEANWHILE)
def test_a_late_answer_is_kept_beside_what_was_stored_meanwhile(
    bench: Any, wish: str, meanwhile: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A process sleeps past the end of its lease.

    It still stores that its post exists, and overwrites nothing newer.
    """
    account, ids = bench.signed_in(), []

    def late(request: Request, handle: Callable[[Request], Response]) -> Response:
        response = handle(request)
        ids.append(bench.sim.posts[0].publish_id)
        bench.clock.advance(1_000)
        with pytest.raises(OutcomeUnknown):
            other(bench).resume("wish")
        MEANWHILE[meanwhile](other(bench), wish)
        return response

    scripted(bench, "/init/", late)
    end = outcome(bench, lambda: WISHES[wish](account))
    assert isinstance(end, LeaseLost)
    (mine,) = ids
    (record,) = bench.journal.records()
    assert vars(end)["publish_id"] == mine
    assert mine in (record.publish_id, *record.others)
    if meanwhile == "settled and posted again":
        assert {post.publish_id for post in bench.sim.posts} == {record.publish_id, mine}
        assert record.is_ended
        assert mine in caplog.text
    else:
        assert bench.run(account.resume("wish")).publish_id == mine
        assert len(bench.sim.posts) == 1


# --- What is no doubt ------------------------------------------------------------------------------------------------

TROUBLES: dict[str, tuple[str, type[TikTokError]]] = {
    "refresh lost": ("tokenx9=drop-before", TikTokError),
    "refresh in trouble": ("tokenx9=status:503", ServerError),
    "app refused": ("tokenx9=code:invalid_client", SignInFailed),
}


@wishes
@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("is_refused", [False, True], ids=["ended", "refused at the init"])
def test_trouble_with_the_token_is_no_doubt_of_the_post(bench: Any, wish: str, trouble: str, is_refused: bool) -> None:
    """No init left, or TikTok refused the token. The post stays planned, and is made once the token is valid."""
    account = bench.signed_in()
    fault, error = TROUBLES[trouble]
    bench.sim.faults.add(parse_fault(fault))
    if is_refused:
        bench.sim.faults.add(parse_fault("init=code:access_token_invalid"))
    else:
        bench.clock.advance(7_300)
    end = outcome(bench, lambda: WISHES[wish](account))
    assert isinstance(end, error)
    assert not isinstance(end, OutcomeUnknown)
    (record,) = bench.journal.records()
    assert (record.stage, record.inits, record.lost_inits) == (Stage.PLANNED, 0, 0)
    bench.sim.faults.clear()
    bench.clock.advance(60)
    assert bench.run(WISHES[wish](account)).is_final
    assert len(bench.sim.posts) == 1


@wishes
def test_a_store_that_fails_before_the_init_is_no_doubt_of_the_post(bench: Any, wish: str) -> None:
    """Any read of the token store may fail: the post is not begun, and not in doubt."""
    account = bench.signed_in()
    load = bench.store.load
    for nth in range(1, 9):
        asked = []

        def fails(name: str, /, *, nth: int = nth, asked: list[int] = asked) -> Any:
            asked.append(1)
            if len(asked) == nth:
                raise StoreError("Tokens", "the database is locked")
            return load(name)

        bench.store.load = fails
        end = outcome(bench, lambda: WISHES[wish](account))
        assert not isinstance(end, OutcomeUnknown)
        assert not {record.stage for record in bench.journal.records()} & {Stage.INIT_SENT, Stage.UNKNOWN}
        bench.clock.advance(60)
    bench.store.load = load
    assert bench.run(WISHES[wish](account)).is_final
    assert len(bench.sim.posts) == 1


# --- What counts as an init --------------------------------------------------------------------------------------------

NOTHING_BEGUN = ["unreachable", "code:rate_limit_exceeded", "code:access_token_invalid"]
THEN = ["video_init=drop-before", "video_init=drop-after", "put=expire", "putx2=expire"]


@settings(max_examples=at_most(60), suppress_health_check=list(HealthCheck), deadline=None)
@given(faults=st.lists(st.sampled_from(NOTHING_BEGUN), max_size=5), then=st.sampled_from(THEN))
def test_only_what_may_have_begun_a_post_counts_as_an_init(bench: Any, faults: list[str], then: str) -> None:
    """Failed connections and limits do not count, however many there were.

    The client repeats an init after a lost answer, and replaces a dead URL.
    """
    if not bench.store.accounts():
        bench.signed_in()
    bench.clock.advance(timedelta(days=2).total_seconds())
    account = bench.run(bench.tiktok.account())
    post = lambda one: one.post_video(CLIP, privacy_level="SELF_ONLY", key=f"{faults} {then}")  # noqa: E731
    for fault in faults:
        bench.sim.faults.clear()
        bench.sim.faults.add(parse_fault(f"video_initx2={fault}"))
        assert isinstance(outcome(bench, lambda: post(account.with_options(retries=0))), TikTokError)
        record = bench.run(account.posts())[-1]
        assert (record.stage, record.inits, record.lost_inits) == (Stage.PLANNED, 0, 0)
    bench.sim.faults.clear()
    bench.sim.faults.add(parse_fault(then))
    done = bench.run(post(account))
    assert done.is_final
    assert bench.sim.post(done.publish_id).bytes_received == CLIP.size
