"""Test an application that posts to TikTok, without TikTok: the fake transport and a virtual clock make the test instant.

Run with `pytest examples/downstream_test.py`.
"""

from collections.abc import Iterator

import pytest

from tiktok_adapters.clocks import ManualClock
from tiktok_adapters.simulator import DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, SimulatedTikTok, parse_fault
from tiktok_adapters.sources import BytesSource
from tiktok_adapters.stores.memory import MemoryJournal, MemoryTokenStore
from tiktok_adapters.transports.fake import FakeTransport
from tiktok_core import Account, App, PublishFailed, TikTok


def announce(account: Account, video: bytes) -> str:
    """The application under test: it posts a draft and returns the result in words."""
    try:
        done = account.post_video(BytesSource(video), draft=True)
    except PublishFailed as error:
        return f"TikTok did not take it: {error.reason}"
    return f"waiting in your inbox as {done.publish_id}"


@pytest.fixture
def clock() -> ManualClock:
    """Return a clock that advances only when the client sleeps."""
    return ManualClock()


@pytest.fixture
def tiktok(clock: ManualClock) -> Iterator[SimulatedTikTok]:
    """Return a simulated TikTok that uses this clock."""
    simulated = SimulatedTikTok(clock)
    yield simulated
    simulated.close()


@pytest.fixture
def account(tiktok: SimulatedTikTok, clock: ManualClock) -> Account:
    """Yield an account that is signed in."""
    app = App(DEFAULT_CLIENT_KEY, DEFAULT_CLIENT_SECRET, "https://app.example.com/callback/")
    client = TikTok(
        app, transport=FakeTransport(tiktok.handle), tokens=MemoryTokenStore(), journal=MemoryJournal(), clock=clock
    )
    authorization = client.authorization()
    return client.sign_in(authorization, tiktok.authorize(authorization.url))


def test_a_draft_waits_in_the_inbox(account: Account, tiktok: SimulatedTikTok) -> None:
    """The application returns the status of the post, and TikTok has its bytes."""
    video = b"\0\0\0\x18ftypisom" + bytes(5_000)
    assert announce(account, video) == f"waiting in your inbox as {tiktok.posts[0].publish_id}"
    assert tiktok.read_video(tiktok.posts[0].publish_id) == video


def test_a_refused_film_is_told(account: Account, tiktok: SimulatedTikTok) -> None:
    """A test can choose any failure of TikTok in advance."""
    tiktok.faults.add(parse_fault("init=fail:duration_check_failed"))
    assert announce(account, b"\0\0\0\x18ftypisom") == "TikTok did not take it: duration_check_failed"
