"""Posts as a person asks for them: every documented setting and limit, and what is wrong with them, all at once.

Sources: developers.tiktok.com/doc/content-posting-api-reference-direct-post, -upload-video, -photo-post;
/doc/content-sharing-guidelines.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from attrs import frozen

from tiktok_core.domain.creator import CreatorInfo, PrivacyLevel
from tiktok_core.domain.media import url_problems
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
        title: caption, up to {VIDEO_TITLE:,} UTF-16 units; `#tags` and `@mentions` count.
        privacy_level: who may watch; required for a direct post, and one of the creator's options.
        disable_comment: no comments. The creator's own settings win over the three.
        disable_duet: no duets.
        disable_stitch: no stitches.
        video_cover_timestamp_ms: the frame to show as cover, in ms from the start; TikTok takes the first one otherwise.
        brand_content_toggle: a paid partnership with a third party.
        brand_organic_toggle: promotes the creator's own business.
        is_aigc: made by AI, to be labelled so.
        draft: goes to the creator's inbox, to be finished in the app; TikTok drops every other setting then.
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


@frozen(kw_only=True)
class PhotoPost:
    """The settings of a photo post.

    Attributes:
        photo_images: 1 to {MOST_PHOTOS} https URLs of JPEG or WebP pictures, under a domain or prefix that the app verified.
        photo_cover_index: which of them is the cover, counted from 0.
        title: up to {PHOTO_TITLE:,} UTF-16 units.
        description: up to {PHOTO_DESCRIPTION:,} UTF-16 units; tags and mentions go here.
        privacy_level: who may watch; required for a direct post, and one of the creator's options.
        disable_comment: no comments.
        auto_add_music: lets TikTok add music, which the creator can change later.
        brand_content_toggle: a paid partnership with a third party.
        brand_organic_toggle: promotes the creator's own business.
        is_aigc: made by AI, to be labelled so.
        draft: goes to the creator's inbox, to be finished in the app.
    """

    photo_images: tuple[str, ...]
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


for _kind in (VideoPost, PhotoPost):
    # Each limit stands once, above; what is documented to be a limit is filled in.
    _kind.__doc__ = (_kind.__doc__ or "").format_map(globals())


def video_problems(post: VideoPost, options: Iterable[str] = ()) -> Iterator[Problem]:
    """Yield everything that is wrong with a video post before the creator is asked.

    Args:
        post: the settings.
        options: levels that are known to exist beside the documented ones, as a creator's are.
    """
    yield from text_problems("title", post.title, VIDEO_TITLE)
    yield from privacy_problems(post, options)
    cover = post.video_cover_timestamp_ms
    if cover is not None and not 0 <= cover <= INT32:
        yield Problem("video_cover_timestamp_ms", f"is a time in ms from 0 to {INT32}, not {cover}")


def photo_problems(post: PhotoPost, options: Iterable[str] = ()) -> Iterator[Problem]:
    """Yield everything that is wrong with a photo post before the creator is asked.

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
            f"counts from 0, so with {count} photos it is at most {count - 1}, not {post.photo_cover_index}",
        )
    for index, url in enumerate(post.photo_images[:MOST_PHOTOS]):
        yield from url_problems(photo_field(index), url)


def photo_field(index: int) -> str:
    """Return what a photo is called in a `Problem`, counted from 0."""
    return f"photo_images[{index}]"


def creator_problems(post: VideoPost | PhotoPost, creator: CreatorInfo) -> Iterator[Problem]:
    """Yield what this creator may not do now, though the post is well spelled."""
    options = creator.privacy_level_options
    if options and post.privacy_level not in options:
        yield Problem(
            "privacy_level", f"this creator may choose {_listed(options)} at present, not {post.privacy_level}"
        )


def is_documented(level: str | None) -> bool:
    """Whether a level is one of those that TikTok documents, or none; it may add others."""
    return level is None or level in list(PrivacyLevel)


def privacy_problems(post: VideoPost | PhotoPost, options: Iterable[str] = ()) -> Iterator[Problem]:
    """Yield what is wrong with who may watch a post, before the creator is asked.

    Args:
        post: the settings.
        options: as for `video_problems`.
    """
    level = post.privacy_level
    if level is None:
        if not post.draft:
            yield Problem("privacy_level", f"is required for a direct post: one of {_listed(list(PrivacyLevel))}")
    elif not is_documented(level) and level not in options:
        yield Problem("privacy_level", f"{level!r} is none of {_listed(list(PrivacyLevel))}")
    elif level == PrivacyLevel.SELF_ONLY and post.brand_content_toggle and not post.draft:
        yield Problem("brand_content_toggle", "branded content visibility cannot be set to private (SELF_ONLY)")


def _listed(words: Sequence[str]) -> str:
    return ", ".join(str(word) for word in words)
