"""The account's public videos, finding a post among them, and cancelling a pull: in both worlds."""

from itertools import combinations, islice
from typing import Any

import pytest
from attrs import asdict

from tiktok_adapters.simulator import display, parse_fault, router
from tiktok_adapters.sources import BytesSource
from tiktok_core import ApiError, InvalidInput, ScopeMissing, ServerError, Video
from tiktok_core.domain.display import USER_FIELDS

PUBLIC = "PUBLIC_TO_EVERYONE"
SCOPES = ["user.info.basic", "video.upload", "video.publish", "video.list"]


def clip(number: int) -> BytesSource:
    """Return a small video."""
    return BytesSource(b"\0\0\0\x18ftypisom" + number.to_bytes(4, "big"))


@pytest.fixture
def account(bench: Any) -> Any:
    """Give a public account of an audited app, which may list its videos and post often."""
    bench.sim.app.audited, bench.sim.creator.private, bench.sim.creator.daily_posts = True, False, 1000
    asked = bench.tiktok.authorization(SCOPES, redirect_uri="http://127.0.0.1:4000/callback/")
    return bench.run(bench.tiktok.sign_in(asked, bench.sim.authorize(asked.url)))


OPENED = {scope: {name for name, by in USER_FIELDS.items() if by == scope} for scope in set(USER_FIELDS.values())}


@pytest.mark.parametrize("granted", [list(some) for count in (1, 2, 3) for some in combinations(sorted(OPENED), count)])
def test_a_profile_is_what_the_scopes_open(bench: Any, granted: list[str]) -> None:
    """All that was granted and nothing else is asked for; a chosen field comes alone, and one outside is TikTok's refusal."""
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
    """Post that many videos and wait until all are public; return their publish ids."""
    ids = []
    for number in range(count):
        done = bench.run(account.post_video(clip(number), title=title.format(number), privacy_level=PUBLIC))
        ids.append(done.publish_id)
    bench.clock.advance(3600)
    return ids


def walk(bench: Any, videos: Any, limit: int | None = None) -> list[Video]:
    """Take steps of an iterator of either world."""
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
    """Over several pages, each once; asked for only as they are needed."""
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
    """After whole pages nothing comes twice; within a page, the page does."""
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
    """The same iterator can be asked again: it stands where it was."""
    publish(bench, account, 30)
    videos = account.with_options(retries=0).videos()
    found = walk(bench, videos, 20)
    bench.sim.faults.add(parse_fault("video_list=status:503"))
    with pytest.raises(ServerError):
        walk(bench, videos)
    found += walk(bench, videos)
    assert len({video.id for video in found}) == 30


def test_a_cursor_that_stands_still_is_not_walked_for_ever(bench: Any, account: Any, monkeypatch: Any) -> None:
    """Each page has to be older than the one before."""
    publish(bench, account, 30)
    whole = display.video_list
    stuck = {"cursor": 1, "has_more": True}
    paths = router._API
    entry = (*paths["/v2/video/list/"][:2], lambda world, call: {**whole(world, call), **stuck})
    monkeypatch.setitem(paths, "/v2/video/list/", entry)
    walk(bench, account.videos())
    assert bench.sim.count("video_list") <= 3


def test_chosen_fields_alone_are_asked_for(bench: Any, account: Any) -> None:
    """What was not asked for is None; what does not exist is refused before anything is sent."""
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
    """In any number, each once; what is not the account's own is left out."""
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
    """TikTok says so, and the error names the scope."""
    account = bench.signed_in()
    with pytest.raises(ScopeMissing):
        walk(bench, account.videos())


def test_a_post_is_found_by_the_id_that_tiktok_names(bench: Any, account: Any) -> None:
    """By its key and by its publish id, with page and embed; before that, nothing is."""
    done = bench.run(account.post_video(clip(0), title="mine", privacy_level=PUBLIC, key="order"))
    assert bench.run(account.find_post(done.publish_id)) == ()
    bench.clock.advance(3600)
    for name in ("order", done.publish_id):
        (found,) = bench.run(account.find_post(name))
        assert found.is_certain
        assert found.id in found.share_url
        assert found.id in found.embed_link


def test_one_can_wait_for_a_post_to_be_public(bench: Any, account: Any) -> None:
    """Moderation takes its time; a private post never comes, and patience ends."""
    bench.run(account.post_video(clip(0), title="mine", privacy_level=PUBLIC, key="order"))
    (found,) = bench.run(account.find_post("order", wait=True))
    assert found.is_certain
    bench.run(account.post_video(clip(1), privacy_level="SELF_ONLY", key="private"))
    before = bench.clock.slept
    assert bench.run(account.with_options(patience=100).find_post("private", wait=True)) == ()
    assert bench.clock.slept - before <= 100


def test_a_post_without_an_id_is_found_by_caption_and_time(bench: Any, account: Any) -> None:
    """Where TikTok never names it; of two alike both are told, for nobody can say which it is."""
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
    """Afterwards the post has failed as cancelled; what has ended cannot be cancelled."""
    bench.sim.switches.download_seconds = 600
    done = bench.run(account.post_video("https://media.example.com/a.mp4", draft=True, key="mine", wait=False))
    cancelled = bench.run(account.cancel(done.publish_id))
    assert (cancelled.status, cancelled.fail_reason) == ("FAILED", "publish_cancelled")
    with pytest.raises(ApiError) as raised:
        bench.run(account.cancel(done.publish_id))
    assert raised.value.code == "publish_not_cancellable"
    with pytest.raises(InvalidInput):
        bench.run(account.cancel("not an id"))
