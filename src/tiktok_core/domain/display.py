"""What an account shows of itself: its profile and its public videos.

Sources: developers.tiktok.com/doc/tiktok-api-v2-get-user-info, /doc/tiktok-api-v2-video-list, /doc/tiktok-api-v2-video-object.
"""

from collections.abc import Iterable
from typing import Final

from attrs import fields, frozen

from tiktok_core.domain.app import Scope
from tiktok_core.errors import InvalidInput, Problem, refuse

__all__ = [
    "CAPTION_SHOWN",
    "USER_FIELDS",
    "VIDEO_FIELDS",
    "FoundPost",
    "UserInfo",
    "Video",
    "VideoPage",
    "user_fields",
    "video_fields",
]

USER_FIELDS: Final = {
    "open_id": Scope.USER_INFO_BASIC,
    "union_id": Scope.USER_INFO_BASIC,
    "avatar_url": Scope.USER_INFO_BASIC,
    "avatar_url_100": Scope.USER_INFO_BASIC,
    "avatar_large_url": Scope.USER_INFO_BASIC,
    "display_name": Scope.USER_INFO_BASIC,
    "bio_description": Scope.USER_INFO_PROFILE,
    "profile_deep_link": Scope.USER_INFO_PROFILE,
    "is_verified": Scope.USER_INFO_PROFILE,
    "username": Scope.USER_INFO_PROFILE,
    "follower_count": Scope.USER_INFO_STATS,
    "following_count": Scope.USER_INFO_STATS,
    "likes_count": Scope.USER_INFO_STATS,
    "video_count": Scope.USER_INFO_STATS,
}
"""Each field of a profile and the scope that opens it."""


@frozen(kw_only=True)
class UserInfo:
    """A profile. A field that was not asked for, or that the scopes do not open, is None.

    Attributes:
        open_id: the account, as this app sees it.
        union_id: the account, as all apps of one developer see it.
        avatar_url: picture.
        avatar_url_100: picture of 100 by 100 pixels.
        avatar_large_url: large picture.
        display_name: name shown.
        bio_description: what the person wrote.
        profile_deep_link: opens the profile in the app.
        is_verified: TikTok verified the account.
        username: handle.
        follower_count: followers.
        following_count: accounts followed.
        likes_count: likes received.
        video_count: public videos.
    """

    open_id: str | None = None
    union_id: str | None = None
    avatar_url: str | None = None
    avatar_url_100: str | None = None
    avatar_large_url: str | None = None
    display_name: str | None = None
    bio_description: str | None = None
    profile_deep_link: str | None = None
    is_verified: bool | None = None
    username: str | None = None
    follower_count: int | None = None
    following_count: int | None = None
    likes_count: int | None = None
    video_count: int | None = None


def user_fields(scopes: Iterable[str], wanted: Iterable[str] | None = None) -> tuple[str, ...]:
    """Return the fields to ask for: those wanted, or all that the granted scopes open.

    TikTok refuses the whole call when one field is outside the scopes, so nothing else is asked for by itself.

    Raises:
        InvalidInput: a wanted field does not exist.
    """
    if wanted is not None:
        fields = tuple(dict.fromkeys(wanted))
        known = ", ".join(USER_FIELDS)
        refuse(
            InvalidInput,
            [Problem("fields", f"{name!r} is not one of {known}") for name in fields if name not in USER_FIELDS],
        )
        return fields
    granted = set(scopes)
    return tuple(name for name, scope in USER_FIELDS.items() if scope in granted)


CAPTION_SHOWN: Final = 150
"""Characters of a caption that the list of videos shows."""


@frozen(kw_only=True)
class Video:
    """A public video. A field that was not asked for is None.

    Attributes:
        id: the post; a text here, a number in a status.
        create_time: when it was posted, in seconds since 1970 (UTC).
        cover_image_url: picture; the link lives six hours.
        share_url: the page of the video.
        video_description: the caption's first 150 characters.
        duration: seconds.
        height: pixels.
        width: pixels.
        title: the caption's first 150 characters.
        embed_html: to be put into a page.
        embed_link: shows the video alone.
        like_count: likes.
        comment_count: comments.
        share_count: shares.
        view_count: views.
    """

    id: str | None = None
    create_time: int | None = None
    cover_image_url: str | None = None
    share_url: str | None = None
    video_description: str | None = None
    duration: int | None = None
    height: int | None = None
    width: int | None = None
    title: str | None = None
    embed_html: str | None = None
    embed_link: str | None = None
    like_count: int | None = None
    comment_count: int | None = None
    share_count: int | None = None
    view_count: int | None = None


VIDEO_FIELDS: Final = tuple(field.name for field in fields(Video))


@frozen(kw_only=True)
class VideoPage:
    """A part of the list of public videos, the newest first.

    Attributes:
        videos: at most 20.
        cursor: where the next page begins, in ms since 1970 (UTC); None after the last one.
    """

    videos: tuple[Video, ...]
    cursor: int | None


@frozen(kw_only=True)
class FoundPost:
    """What a post has become in public.

    Attributes:
        id: the public post.
        share_url: its page, as the list of videos has it or under the creator's handle; None where the scopes open neither.
        embed_link: shows it alone.
        is_certain: TikTok named it as this post; otherwise caption and time fit, and more than one may.
    """

    id: str
    share_url: str | None
    embed_link: str
    is_certain: bool


def video_fields(wanted: Iterable[str] | None) -> tuple[str, ...]:
    """Return the fields to ask for: those wanted, or all of them.

    Raises:
        InvalidInput: a wanted field does not exist.
    """
    if wanted is None:
        return VIDEO_FIELDS
    names = tuple(dict.fromkeys(wanted))
    known = ", ".join(VIDEO_FIELDS)
    refuse(
        InvalidInput,
        [Problem("fields", f"{name!r} is not one of {known}") for name in names if name not in VIDEO_FIELDS],
    )
    return names or VIDEO_FIELDS
