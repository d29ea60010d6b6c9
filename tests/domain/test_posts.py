"""Posts: each documented limit at its edge, and every problem at once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_core.domain.creator import CreatorInfo, PrivacyLevel
from tiktok_core.domain.posts import PHOTO_TITLE, PhotoPost, VideoPost, creator_problems, photo_problems, video_problems
from tiktok_core.domain.text import text_problems, utf16_units

ENCODABLE = st.text(st.characters(exclude_categories=["Cs"]))
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"  # one picture of three people: 8 units
ARABIC = "\u0645\u0631\u062d\u0628\u0627"
URL = "https://media.example.com/p/1.jpg"


def video(title: str = "", privacy_level: str | None = "SELF_ONLY", **settings: bool | int | None) -> list[str]:
    """Return the fields that are wrong with such a video post."""
    post = VideoPost(title=title, privacy_level=privacy_level, **settings)  # type: ignore[arg-type]
    return [problem.field for problem in video_problems(post)]


def photos(post: PhotoPost) -> list[str]:
    """Return the fields that are wrong with a photo post."""
    return [problem.field for problem in photo_problems(post)]


def photo(count: int = 1, cover: int = 0, title: str = "", description: str = "") -> PhotoPost:
    """Return a private photo post."""
    return PhotoPost(
        photo_images=(URL,) * count,
        photo_cover_index=cover,
        title=title,
        description=description,
        privacy_level="SELF_ONLY",
    )


@given(ENCODABLE)
def test_units_are_those_of_utf_16(text: str) -> None:
    """For any text, the count is that of its UTF-16 encoding."""
    assert utf16_units(text) == len(text.encode("utf-16-le")) // 2


@given(ENCODABLE.filter(lambda text: "\0" not in text), st.integers(0, 40))
def test_a_text_is_refused_exactly_above_its_limit(text: str, limit: int) -> None:
    """A text without NUL and lone surrogates is refused exactly if its UTF-16 encoding is too long."""
    found = [problem.field for problem in text_problems("title", text, limit)]
    assert found == (["title"] if len(text.encode("utf-16-le")) > 2 * limit else [])


@given(ENCODABLE, st.characters(categories=["Cs"]), ENCODABLE)
def test_half_a_pair_is_refused_wherever_it_stands(before: str, half: str, after: str) -> None:
    """A lone surrogate, which no request can carry, is refused wherever it is."""
    assert [problem for problem in text_problems("title", before + half + after, 10**6) if "half" in problem.message]


@pytest.mark.parametrize("text", ["\0", "a\0b"])
def test_nul_is_refused(text: str) -> None:
    """A NUL character never leaves."""
    assert [problem.field for problem in text_problems("description", text, 10)] == ["description"]


@pytest.mark.parametrize("unit", ["x", "é", ARABIC[0], "\u200d", "\n"])
@pytest.mark.parametrize("beside", [-1, 0, 1])
def test_limits_are_kept_to_the_unit(unit: str, beside: int) -> None:
    """A video's title has 2,200 units, a photo post's texts 90 and 4,000. One more is refused by name."""
    wrong = beside > 0
    assert video(unit * (2_200 + beside)) == ["title"] * wrong
    assert photos(photo(title=unit * (90 + beside))) == ["title"] * wrong
    assert photos(photo(description=unit * (4_000 + beside))) == ["description"] * wrong


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("\uffff", 1),
        ("\U00010000", 2),
        ("\U0001f600", 2),
        (FAMILY, 8),
        ("\u202e" + ARABIC, 6),
        ("e\u0301", 2),
        ("\U0001f1e9\U0001f1ea", 4),
    ],
)
def test_what_looks_like_one_character_counts_its_units(text: str, units: int) -> None:
    """Emoji, families, flags and right-to-left text count by units, not by what a person sees."""
    assert utf16_units(text) == units
    fits = 2_200 // units
    rest = "x" * (2_200 - fits * units)
    assert video(text * fits + rest) == []
    assert video(text * fits + rest + "x") == ["title"]


def test_every_problem_of_a_video_is_told_at_once() -> None:
    """One refusal lists every problem, so that a caller corrects a post once."""
    wrong = VideoPost(title="\ud800" * 2_201 + "\0", privacy_level="EVERYBODY", video_cover_timestamp_ms=-1)
    assert [problem.field for problem in video_problems(wrong)] == [
        "title",
        "title",
        "title",
        "privacy_level",
        "video_cover_timestamp_ms",
    ]


def test_every_problem_of_a_photo_post_is_told_at_once() -> None:
    """One refusal names texts, privacy, cover and each single URL."""
    wrong = PhotoPost(
        photo_images=(URL, "http://127.0.0.1/x", "ftp://[::1"),
        photo_cover_index=3,
        title="x" * (PHOTO_TITLE + 1),
        description="\0",
        privacy_level=None,
    )
    assert photos(wrong) == [
        "title",
        "description",
        "privacy_level",
        "photo_cover_index",
        "photo_images[1]",
        "photo_images[1]",
        "photo_images[2]",
    ]


@pytest.mark.parametrize("level", list(PrivacyLevel))
def test_each_documented_level_is_taken(level: str) -> None:
    """The four documented levels are accepted, as words too."""
    assert video(privacy_level=level) == []
    assert video(privacy_level=str(level)) == []


def test_a_direct_post_needs_a_level_and_a_draft_does_not() -> None:
    """There is no default privacy. A draft gets its level in the app."""
    assert video(privacy_level=None) == ["privacy_level"]
    assert video(privacy_level="") == ["privacy_level"]
    assert video(privacy_level=None, draft=True) == []


@pytest.mark.parametrize(
    ("settings", "fields"),
    [({}, ["brand_content_toggle"]), ({"draft": True}, []), ({"brand_content_toggle": False}, [])],
)
def test_branded_content_is_not_private(settings: dict[str, bool], fields: list[str]) -> None:
    """TikTok's guidelines refuse a private paid partnership, unless it is a draft."""
    assert video(**{"brand_content_toggle": True, **settings}) == fields  # type: ignore[arg-type]


def test_branded_content_may_be_public_and_own_brand_private() -> None:
    """Only the pair of paid partnership and SELF_ONLY is refused."""
    assert video(privacy_level="PUBLIC_TO_EVERYONE", brand_content_toggle=True) == []
    assert video(brand_organic_toggle=True) == []


@pytest.mark.parametrize(("cover", "wrong"), [(None, False), (0, False), (2**31 - 1, False), (-1, True), (2**31, True)])
def test_the_cover_of_a_video_is_a_time(*, cover: int | None, wrong: bool) -> None:
    """TikTok's field has 32 bits and no negative times."""
    assert video(video_cover_timestamp_ms=cover) == ["video_cover_timestamp_ms"] * wrong


@pytest.mark.parametrize(("count", "wrong"), [(0, True), (1, False), (35, False), (36, True), (1_000, True)])
def test_one_to_thirty_five_photos(*, count: int, wrong: bool) -> None:
    """One photo is enough and thirty-five are the most."""
    assert photos(photo(count)) == ["photo_images"] * wrong


def test_a_cover_that_is_none_is_told_the_last_one() -> None:
    """The last of two photos is photo 1."""
    (problem,) = photo_problems(photo(2, 2))
    assert "with 2 photos it must be at most 1, not 2" in problem.message


@given(st.integers(1, 35), st.integers(-50, 50))
def test_the_cover_is_one_of_the_photos(count: int, cover: int) -> None:
    """The cover's index counts from 0 and names one of the photos."""
    assert photos(photo(count, cover)) == ([] if cover in range(count) else ["photo_cover_index"])


@given(st.lists(st.sampled_from([*PrivacyLevel, "NEW_LEVEL"]), unique=True), st.sampled_from([*PrivacyLevel, None]))
def test_the_level_is_one_of_the_creators(options: list[str], level: str | None) -> None:
    """A level that the creator may not choose is refused by name. If TikTok listed none, TikTok decides."""
    post = VideoPost(privacy_level=level)
    found = [problem.field for problem in creator_problems(post, CreatorInfo(privacy_level_options=tuple(options)))]
    assert found == (["privacy_level"] if options and level not in options else [])
