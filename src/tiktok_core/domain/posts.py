"""The settings of a post, with every documented limit, and the checks that find every problem at once.

Sources: developers.tiktok.com/doc/content-posting-api-reference-direct-post, -upload-video, -photo-post;
/doc/content-sharing-guidelines.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from attrs import evolve, field, frozen

from tiktok_core.domain.creator import CreatorInfo, PrivacyLevel
from tiktok_core.domain.media import url_problems
from tiktok_core.domain.names import digested, is_digested, shown
from tiktok_core.domain.text import text_problems
from tiktok_core.errors import Problem

__all__ = [
    "MOST_PHOTOS",
    "PHOTO_DESCRIPTION",
    "PHOTO_TITLE",
    "VIDEO_TITLE",
    "PhotoPost",
    "VideoPost",
    "creator_problems",
    "is_documented",
    "photo_field",
    "photo_problems",
    "privacy_problems",
    "video_problems",
]

VIDEO_TITLE: Final = 2_200
PHOTO_TITLE: Final = 90
PHOTO_DESCRIPTION: Final = 4_000
MOST_PHOTOS: Final = 35
INT32: Final = 2**31 - 1


@frozen(kw_only=True)
class VideoPost:
    """The settings of a video post.

    Attributes:
        title: the caption, up to {VIDEO_TITLE:,} UTF-16 units; `#tags` and `@mentions` count.
        privacy_level: who may watch, one of the creator's options; required for a direct post.
        disable_comment: allow no comments. The creator's own settings take precedence over this and the next two.
        disable_duet: allow no duets.
        disable_stitch: allow no stitches.
        video_cover_timestamp_ms: the cover frame, in ms from the start; TikTok uses the first frame unless given.
        brand_content_toggle: the post is a paid partnership with a third party.
        brand_organic_toggle: the post promotes the creator's own business.
        is_aigc: AI made the content, and TikTok labels it so.
        draft: send the post to the creator's inbox, to be finished in the app; TikTok then ignores every other setting.
    """

    title: str = ""
    privacy_level: str | None = None
    disable_comment: bool = False
    disable_duet: bool = False
    disable_stitch: bool = False
    video_cover_timestamp_ms: int | None = None
    brand_content_toggle: bool = False
    brand_organic_toggle: bool = False
    is_aigc: bool = False
    draft: bool = False


def _shown_urls(urls: Iterable[str]) -> str:
    return repr(tuple(map(shown, urls)))


@frozen(kw_only=True)
class PhotoPost:
    """The settings of a photo post.

    Attributes:
        photo_images: 1 to {MOST_PHOTOS} https URLs of JPEG or WebP pictures, under a domain or prefix that the app verified.
        photo_cover_index: the index of the cover picture, counted from 0.
        title: the title, up to {PHOTO_TITLE:,} UTF-16 units.
        description: the text below the title, up to {PHOTO_DESCRIPTION:,} UTF-16 units; tags and mentions belong here.
        privacy_level: who may watch, one of the creator's options; required for a direct post.
        disable_comment: allow no comments.
        auto_add_music: let TikTok add music, which the creator can change later.
        brand_content_toggle: the post is a paid partnership with a third party.
        brand_organic_toggle: the post promotes the creator's own business.
        is_aigc: AI made the content, and TikTok labels it so.
        draft: send the post to the creator's inbox, to be finished in the app.
    """

    photo_images: tuple[str, ...] = field(repr=_shown_urls)
    photo_cover_index: int = 0
    title: str = ""
    description: str = ""
    privacy_level: str | None = None
    disable_comment: bool = False
    auto_add_music: bool = True
    brand_content_toggle: bool = False
    brand_organic_toggle: bool = False
    is_aigc: bool = False
    draft: bool = False

    @property
    def without_queries(self) -> "PhotoPost":
        """The same post with a digest in place of the query of each URL, for which a query is a secret."""
        return evolve(self, photo_images=tuple(map(digested, self.photo_images)))

    @property
    def is_without_queries(self) -> bool:
        """Whether the query of a URL was taken away."""
        return any(map(is_digested, self.photo_images))


for _kind in (VideoPost, PhotoPost):
    # The constants above hold each limit; the docstrings take it from there.
    _kind.__doc__ = (_kind.__doc__ or "").format_map(globals())


def video_problems(post: VideoPost, options: Iterable[str] = ()) -> Iterator[Problem]:
    """Yield every problem of a video post that can be found before the library asks for the creator info.

    Args:
        post: the settings.
        options: privacy levels that exist beside the documented ones, such as a creator's options.
    """
    yield from text_problems("title", post.title, VIDEO_TITLE)
    yield from privacy_problems(post, options)
    cover = post.video_cover_timestamp_ms
    if cover is not None and not 0 <= cover <= INT32:
        yield Problem("video_cover_timestamp_ms", f"must be a time in ms from 0 to {INT32}, not {cover}")


def photo_problems(post: PhotoPost, options: Iterable[str] = ()) -> Iterator[Problem]:
    """Yield every problem of a photo post that can be found before the library asks for the creator info.

    Args:
        post: the settings.
        options: as for `video_problems`.
    """
    yield from text_problems("title", post.title, PHOTO_TITLE)
    yield from text_problems("description", post.description, PHOTO_DESCRIPTION)
    yield from privacy_problems(post, options)
    count = len(post.photo_images)
    if not 1 <= count <= MOST_PHOTOS:
        yield Problem("photo_images", f"TikTok takes 1 to {MOST_PHOTOS} photos, not {count}")
    elif not 0 <= post.photo_cover_index < count:
        yield Problem(
            "photo_cover_index",
            f"counts from 0: with {count} photos it must be at most {count - 1}, not {post.photo_cover_index}",
        )
    for index in range(min(count, MOST_PHOTOS)):
        yield from url_problems(photo_field(index), post.photo_images[index])


def photo_field(index: int) -> str:
    """Return the field name of a photo in a `Problem`; `index` counts from 0."""
    return f"photo_images[{index}]"


def creator_problems(post: VideoPost | PhotoPost, creator: CreatorInfo) -> Iterator[Problem]:
    """Yield the settings of a valid post that this creator may not use now."""
    options = creator.privacy_level_options
    if options and post.privacy_level not in options:
        yield Problem(
            "privacy_level", f"this creator may choose {_listed(options)} at present, not {post.privacy_level}"
        )


def is_documented(level: str | None) -> bool:
    """Whether TikTok documents this privacy level, or none is given. TikTok may add others."""
    return level is None or level in list(PrivacyLevel)


def privacy_problems(post: VideoPost | PhotoPost, options: Iterable[str] = ()) -> Iterator[Problem]:
    """Yield the problems of a post's privacy level that can be found before the library asks for the creator info.

    Args:
        post: the settings.
        options: as for `video_problems`.
    """
    level = post.privacy_level
    if level is None:
        if not post.draft:
            yield Problem("privacy_level", f"is required for a direct post: one of {_listed(list(PrivacyLevel))}")
    elif not is_documented(level) and level not in options:
        yield Problem("privacy_level", f"{level!r} is not one of {_listed(list(PrivacyLevel))}")
    elif level == PrivacyLevel.SELF_ONLY and post.brand_content_toggle and not post.draft:
        yield Problem("brand_content_toggle", "branded content visibility cannot be set to private (SELF_ONLY)")


def _listed(words: Sequence[str]) -> str:
    return ", ".join(str(word) for word in words)
