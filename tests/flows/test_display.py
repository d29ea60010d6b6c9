"""The account's public videos, finding a post among them, and cancelling a pull, with both clients."""

from itertools import combinations, islice
from typing import Any

import pytest
from attrs import asdict

from clips import clip
from tiktok_adapters.simulator import display, parse_fault, router
from tiktok_core import ApiError, InvalidInput, ScopeMissing, ServerError, Video
from tiktok_core.domain.display import USER_FIELDS

PUBLIC = "PUBLIC_TO_EVERYONE"
SCOPES = ["user.info.basic", "video.upload", "video.publish", "video.list"]


@pytest.fixture
def account(bench: Any) -> Any:
    """Give a public account of an audited app, which may list its videos and post often."""
    bench.sim.app.audited, bench.sim.creator.private, bench.sim.creator.daily_posts = True, False, 1000
    asked = bench.tiktok.authorization(SCOPES, redirect_uri="http://127.0.0.1:4000/callback/")
    return bench.run(bench.tiktok.sign_in(asked, bench.sim.authorize(asked.url)))


OPENED = {scope: {name for name, by in USER_FIELDS.items() if by == scope} for scope in set(USER_FIELDS.values())}


@pytest.mark.parametrize("granted", [list(some) for count in (1, 2, 3) for some in combinations(sorted(OPENED), count)])
def test_a_profile_is_what_the_scopes_open(bench: Any, granted: list[str]) -> None:
    """The client asks for exactly the granted fields.

    A chosen field comes alone; TikTok refuses one outside the scopes.
    """
    bench.sim.switches.basic_scope = "asked"
    asked = bench.tiktok.authorization(granted, redirect_uri="http://127.0.0.1:4000/callback/")
    account = bench.run(bench.tiktok.sign_in(asked, bench.sim.authorize(asked.url)))
    opened = set().union(*(OPENED[scope] for scope in granted))
    whole = asdict(bench.run(account.user_info()))
    assert {name for name, value in whole.items() if value is not None} == opened
    for name in USER_FIELDS:
        if name in opened:
            chosen = asdict(bench.run(account.user_info([name])))
            assert {one: value for one, value in chosen.items() if value is not None} == {name: whole[name]}
        else:
            with pytest.raises(ScopeMissing):
                bench.run(account.user_info([name]))


def publish(bench: Any, account: Any, count: int, title: str = "clip {}") -> list[str]:
    """Post that many videos and wait until all of them are public; return their publish ids."""
    ids = []
    for number in range(count):
        done = bench.run(account.post_video(clip(number), title=title.format(number), privacy_level=PUBLIC))
        ids.append(done.publish_id)
    bench.clock.advance(3600)
    return ids


def walk(bench: Any, videos: Any, limit: int | None = None) -> list[Video]:
    """Take that many steps of an iterator, blocking or asynchronous."""
    if hasattr(videos, "__next__"):
        return list(islice(videos, limit))

    async def collect() -> list[Video]:
        found: list[Video] = []
        while limit is None or len(found) < limit:
            try:
                found.append(await anext(videos))
            except StopAsyncIteration:
                break
        return found

    collected: list[Video] = bench.run(collect())
    return collected


def test_all_videos_come_newest_first(bench: Any, account: Any) -> None:
    """The client gives each video once, over several pages, and asks for a page only when the program needs it."""
    publish(bench, account, 45)
    videos = account.videos()
    assert bench.sim.count("video_list") == 0
    found = walk(bench, videos)
    assert [video.title for video in found] == [f"clip {number}" for number in reversed(range(45))]
    assert bench.sim.count("video_list") == 3
    assert videos.is_done
    assert videos.cursor is None
    assert walk(bench, videos) == []


def test_a_walk_goes_on_where_another_one_stood(bench: Any, account: Any) -> None:
    """A second walk may start from the cursor of the first.

    After whole pages no video comes twice; within a page, the page comes again.
    """
    publish(bench, account, 45)
    first = account.videos()
    begun = walk(bench, first, 20)
    rest = walk(bench, account.videos(first.cursor))
    assert len({video.id for video in (*begun, *rest)}) == 45 == len(begun) + len(rest)
    within = account.videos()
    some = walk(bench, within, 25)
    more = walk(bench, account.videos(within.cursor))
    assert len({video.id for video in (*some, *more)}) == 45


def test_a_walk_goes_on_after_an_error(bench: Any, account: Any) -> None:
    """After an error a program can use the same iterator again: it continues where it was."""
    publish(bench, account, 30)
    videos = account.with_options(retries=0).videos()
    found = walk(bench, videos, 20)
    bench.sim.faults.add(parse_fault("video_list=status:503"))
    with pytest.raises(ServerError):
        walk(bench, videos)
    found += walk(bench, videos)
    assert len({video.id for video in found}) == 30


def test_a_cursor_that_stands_still_is_not_walked_for_ever(bench: Any, account: Any, monkeypatch: Any) -> None:
    """Each page has to be older than the page before. Otherwise the walk ends."""
    publish(bench, account, 30)
    whole = display.video_list
    stuck = {"cursor": 1, "has_more": True}
    paths = router._API
    entry = (*paths["/v2/video/list/"][:2], lambda world, call: {**whole(world, call), **stuck})
    monkeypatch.setitem(paths, "/v2/video/list/", entry)
    walk(bench, account.videos())
    assert bench.sim.count("video_list") <= 3


def test_chosen_fields_alone_are_asked_for(bench: Any, account: Any) -> None:
    """A field that the program did not choose is None. The client refuses an unknown field before it sends anything."""
    publish(bench, account, 1)
    (video,) = walk(bench, account.videos(fields=["id", "title"]))
    assert (video.title, video.duration) == ("clip 0", None)
    with pytest.raises(InvalidInput, match="'colour' is not one of id"):
        walk(bench, account.videos(fields=["colour"]))
    for wrong in ({"count": 21}, {"count": 0}, {"cursor": -1}):
        with pytest.raises(InvalidInput):
            bench.run(account.video_page(**wrong))
    assert bench.sim.count("video_list") == 1


def test_videos_are_queried_twenty_at_a_time(bench: Any, account: Any) -> None:
    """The program may ask for any number of ids. Each video comes once, and a video of another account is left out."""
    publish(bench, account, 25)
    ids = [video.id for video in walk(bench, account.videos(fields=["id"]))]
    found = bench.run(account.query_videos([*ids, ids[0], "1"], fields=["id", "title"]))
    assert sorted(video.id for video in found) == sorted(ids)
    assert bench.sim.count("video_query") == 2
    assert bench.run(account.query_videos([])) == ()
    with pytest.raises(InvalidInput, match="cannot be the id"):
        bench.run(account.query_videos(["mine"]))


@pytest.mark.parametrize("spelling", ["strings", "numbers"])
def test_ids_that_come_as_numbers_are_the_same_ids(bench: Any, account: Any, spelling: str) -> None:
    """TikTok documents strings, and was seen to send numbers of 19 digits; the program gets strings, digit for digit."""
    bench.sim.switches.video_ids = spelling
    (publish_id,) = publish(bench, account, 1)
    (post_id,) = bench.sim.post(publish_id).post_ids
    (listed,) = walk(bench, account.videos())
    (queried,) = bench.run(account.query_videos([listed.id], fields=["id"]))
    assert listed.id == queried.id == str(post_id)
    (found,) = bench.run(account.find_post(publish_id))
    assert (found.id, found.is_certain, found.share_url) == (str(post_id), True, listed.share_url)


def test_without_the_scope_nothing_is_listed(bench: Any) -> None:
    """TikTok refuses the list, and the error names the missing scope."""
    account = bench.signed_in()
    with pytest.raises(ScopeMissing):
        walk(bench, account.videos())


def test_a_post_is_found_by_the_id_that_tiktok_names(bench: Any, account: Any) -> None:
    """Key and publish id both find the post, with its page and its embed link.

    Before TikTok names the id, nothing is found.
    """
    done = bench.run(account.post_video(clip(0), title="mine", privacy_level=PUBLIC, key="order"))
    assert bench.run(account.find_post(done.publish_id)) == ()
    bench.clock.advance(3600)
    for name in ("order", done.publish_id):
        (found,) = bench.run(account.find_post(name))
        assert found.is_certain
        assert found.id in found.share_url
        assert found.id in found.embed_link


def test_one_can_wait_for_a_post_to_be_public(bench: Any, account: Any) -> None:
    """Moderation takes its time. A private post never becomes public, and the wait ends after its patience."""
    bench.run(account.post_video(clip(0), title="mine", privacy_level=PUBLIC, key="order"))
    (found,) = bench.run(account.find_post("order", wait=True))
    assert found.is_certain
    bench.run(account.post_video(clip(1), privacy_level="SELF_ONLY", key="private"))
    before = bench.clock.slept
    assert bench.run(account.with_options(patience=100).find_post("private", wait=True)) == ()
    assert bench.clock.slept - before <= 100


def test_a_post_without_an_id_is_found_by_caption_and_time(bench: Any, account: Any) -> None:
    """TikTok may never name the id.

    If two videos look alike, the client returns both, because it cannot tell them apart.
    """
    bench.sim.switches.status_ids = "missing"
    bench.run(account.post_video(clip(0), title="the same", privacy_level=PUBLIC))
    bench.clock.advance(3600)
    bench.run(account.post_video(clip(1), title="the same", privacy_level=PUBLIC, key="later"))
    bench.clock.advance(60)
    (found,) = bench.run(account.find_post("later"))
    assert not found.is_certain
    bench.run(account.post_video(clip(2), title="the same", privacy_level=PUBLIC))
    bench.clock.advance(60)
    assert len(bench.run(account.find_post("later"))) == 2


def test_a_pull_is_cancelled_while_it_downloads(bench: Any, account: Any) -> None:
    """Afterwards the status of the post is failed, with the reason cancelled.

    A post that has ended cannot be cancelled.
    """
    bench.sim.switches.download_seconds = 600
    done = bench.run(account.post_video("https://media.example.com/a.mp4", draft=True, key="mine", wait=False))
    cancelled = bench.run(account.cancel(done.publish_id))
    assert (cancelled.status, cancelled.fail_reason) == ("FAILED", "publish_cancelled")
    with pytest.raises(ApiError) as raised:
        bench.run(account.cancel(done.publish_id))
    assert raised.value.code == "publish_not_cancellable"
    with pytest.raises(InvalidInput):
        bench.run(account.cancel("not an id"))
