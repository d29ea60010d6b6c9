"""Webhooks that come at once: in any order of their reads and writes the furthest state stays, and nothing is lost."""

from collections.abc import Callable, Coroutine, Iterator
from datetime import timedelta
from types import coroutine
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from clips import PHOTOS
from tiktok_adapters.clocks import ManualClock
from tiktok_adapters.simulator import Faults
from tiktok_adapters.stores.memory import MemoryJournal
from tiktok_adapters.testing.fakes import AsyncFake, make_async_fake
from tiktok_core import AsyncAccount, AsyncTikTok, Stage
from tiktok_core.domain import events
from tiktok_core.lifting import drive, lift_clock, lift_tokens, lift_transport

TOLD: dict[str, Callable[..., events.PostEvent]] = {
    "delivered": events.DraftDelivered,
    "complete": events.PostComplete,
    "public as 7": lambda **said: events.PostPublic(**said, post_id=7),
    "public as 8": lambda **said: events.PostPublic(**said, post_id=8),
}
FOLLOWER = "a follower, whose question TikTok answered before"


@coroutine
def pause() -> Iterator[None]:
    """Let the other tasks run."""
    yield


class Interrupted:
    """A journal that lets another task run between any two calls."""

    def __init__(self, journal: MemoryJournal) -> None:
        self._journal = journal

    def __getattr__(self, name: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            await pause()  # type: ignore[misc]
            return getattr(self._journal, name)(*args, **kwargs)

        return call


def run(works: dict[str, Coroutine[Any, Any, Any]], choose: Callable[[list[str]], str]) -> None:
    """Let each task run up to its next call of the journal, in the chosen order, until all have ended."""
    try:
        while works:
            step(works, choose(sorted(works)))
    finally:
        # When there are no more choices, every task still runs to its end.
        while works:
            step(works, next(iter(works)))


def step(works: dict[str, Coroutine[Any, Any, Any]], name: str) -> None:
    """Let one task run up to its next call."""
    try:
        works[name].send(None)
    except StopIteration:
        del works[name]
    except BaseException:
        del works[name]
        raise


@given(
    st.sets(st.sampled_from(sorted(TOLD)), min_size=1),
    st.booleans(),
    st.sampled_from(["nobody", "another", FOLLOWER]),
    st.data(),
)
def test_no_order_takes_back_what_is_further(told: set[str], repeated: bool, holder: str, data: Any) -> None:
    """Each event comes once or twice, alone or while another client holds the post.

    The post ends as the furthest event says.
    """
    with make_async_fake(ManualClock(), Faults()) as fake:
        done = drive(fake.account.post_photos(PHOTOS, draft=True, key="mine", wait=False))
        fake.clock.advance(60)
        (record,) = fake.journal.records()
        if holder == "another":
            now = fake.clock.now()
            fake.journal.try_lease(record.name, owner="another", now=now, until=now + timedelta(seconds=60))
        tiktok, account = interrupted(fake)
        now = fake.clock.now()
        said = {
            "name": "",
            "client_key": record.app,
            "open_id": record.account,
            "created_at": now,
            "signed_at": now,
            "content": {},
            "publish_id": done.publish_id,
        }
        works: dict[str, Coroutine[Any, Any, Any]] = {
            f"{name}, time {time}": tiktok.received(TOLD[name](**said)) for name in told for time in range(1 + repeated)
        }
        if holder == FOLLOWER:
            works[holder] = account.advance("mine")
        run(works, lambda names: data.draw(st.sampled_from(names)))
        (end,) = fake.journal.records()
    is_posted = bool(told - {"delivered"})
    assert end.stage is (Stage.COMPLETE if is_posted else Stage.IN_INBOX)
    assert end.last is not None
    assert set(end.last.post_ids) == {int(name[-1]) for name in told if name[-1].isdigit()}


def interrupted(fake: AsyncFake) -> tuple[AsyncTikTok, AsyncAccount]:
    """Return a client over the same TikTok and the same journal, which other tasks use at the same time."""
    tiktok = AsyncTikTok(
        fake.tiktok.app,
        transport=lift_transport(fake.transport),
        tokens=lift_tokens(fake.tokens),
        journal=Interrupted(fake.journal),  # type: ignore[arg-type]
        clock=lift_clock(fake.clock),
    )
    return tiktok, drive(tiktok.account())
