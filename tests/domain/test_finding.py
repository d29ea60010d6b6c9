"""Recognising a post among public videos, and the URL of its page."""

from datetime import UTC, datetime, timedelta

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from tiktok_core.domain.display import Video
from tiktok_core.domain.finding import found_post, has_photos, is_alike, is_listed, is_private, post_times
from tiktok_core.domain.journal import Record, Wish
from tiktok_core.domain.posts import PhotoPost, VideoPost

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
POST = Record(
    key="mine",
    app="app",
    account="me",
    wish=Wish(post=VideoPost(title="daily clip", privacy_level="PUBLIC_TO_EVERYONE")),
    created_at=NOW,
    updated_at=NOW,
    init_at=NOW,
)
PHOTOS = evolve(POST, wish=Wish(post=PhotoPost(photo_images=(), title="daily clip")))


@given(st.integers(-90_000, 90_000), st.integers(0, 3600), st.sampled_from(["daily clip", "daily", ""]))
def test_a_video_is_alike_by_caption_and_time(seconds: int, upload: int, title: str) -> None:
    """A video is not alike if it is older than the post, much later than its bytes, or has another caption."""
    record = evolve(POST, handed_at=NOW + timedelta(seconds=upload))
    video = Video(id="7", create_time=int(NOW.timestamp()) + seconds, title=title)
    possible = -120 <= seconds <= upload + 7200 + 120
    assert is_alike(record, video) == (possible and title == "daily clip")
    first, last = post_times(record)
    assert first < NOW < last


@given(st.text(max_size=300))
def test_the_caption_is_compared_as_far_as_it_is_shown(title: str) -> None:
    """The list has the first 150 characters in one of two fields. For an empty caption only the time decides."""
    record = evolve(POST, wish=Wish(post=VideoPost(title=title)))
    shown, seconds = title[:150], int(NOW.timestamp())
    assert is_alike(record, Video(id="7", create_time=seconds, title=shown))
    assert is_alike(record, Video(id="7", create_time=seconds, video_description=shown))
    assert not is_alike(record, Video(id="7", create_time=seconds, title=f"x{shown}"))


def test_what_lacks_its_id_or_time_is_not_alike() -> None:
    """It would be unclear which post such a video is."""
    assert not is_alike(POST, Video(create_time=int(NOW.timestamp()), title="daily clip"))
    assert not is_alike(POST, Video(id="7", title="daily clip"))


def test_only_a_direct_post_of_a_video_is_listed_under_its_caption() -> None:
    """Photos, private posts and unsent ones are not listed. The caption of a draft is its creator's."""
    assert is_listed(POST)
    private, draft = VideoPost(privacy_level="SELF_ONLY"), VideoPost(draft=True, privacy_level="SELF_ONLY")
    others = [PHOTOS, evolve(POST, init_at=None), *(evolve(POST, wish=Wish(post=post)) for post in (private, draft))]
    assert not any(is_listed(other) for other in others)
    assert [is_private(other) for other in others] == [False, False, True, False]


def test_a_page_is_named_by_tiktok_or_by_the_handle() -> None:
    """The page is the one in the list of videos, or the one under the handle, which differs for photos and videos.

    Without a handle it is unknown.
    """
    told = Video(id="7", share_url="https://www.tiktok.com/@maker/video/7?utm_source=x", embed_link="https://e/7")
    found = found_post("7", told, handle="maker", photos=False)
    assert (found.share_url, found.embed_link) == (told.share_url, told.embed_link)
    assert found_post("7", None, handle="maker", photos=True).share_url == "https://www.tiktok.com/@maker/photo/7"
    assert found_post("7", Video(), handle="maker", photos=False).share_url == "https://www.tiktok.com/@maker/video/7"
    unknown = found_post("7", None, handle="", photos=False)
    assert (unknown.share_url, unknown.embed_link) == (None, "https://www.tiktok.com/embed/v2/7")


def test_photos_are_known_by_the_journal_or_by_the_publish_id() -> None:
    """The journal knows what the post was. Without a record, the documented spelling of the id decides."""
    assert [has_photos(record, "v_pub_url~v2.1") for record in (POST, PHOTOS, None)] == [False, True, False]
    assert has_photos(None, "p_pub_url~v2.1")
