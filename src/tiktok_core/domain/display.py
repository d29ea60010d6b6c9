"""The public data of an account: its profile and its public videos.

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
"""Each field of a profile, and the scope that it needs."""


@frozen(kw_only=True)
class UserInfo:
    """A profile. A field is None if the caller did not ask for it or the granted scopes do not allow it.

    Attributes:
        open_id: TikTok's id of the account, which holds for this app only.
        union_id: TikTok's id of the account, which holds for all apps of one developer.
        avatar_url: the URL of the picture.
        avatar_url_100: the URL of the picture in 100 by 100 pixels.
        avatar_large_url: the URL of the large picture.
        display_name: the name that TikTok shows.
        bio_description: the person's own description.
        profile_deep_link: a link that opens the profile in the TikTok app.
        is_verified: whether TikTok verified the account.
        username: the handle.
        follower_count: number of followers.
        following_count: number of accounts that this one follows.
        likes_count: number of likes received.
        video_count: number of public videos.
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
    """Return the fields to ask for: the wanted ones, or every field that the granted scopes allow.

    TikTok refuses the whole call if it asks for a single field outside the scopes. So the default asks for no such field.

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
"""The number of characters of a caption that the list of videos shows."""


@frozen(kw_only=True)
class Video:
    """A public video. A field is None if the caller did not ask for it.

    Attributes:
        id: TikTok's id of the public post: a string here, a number in a status.
        create_time: when it was posted, in seconds since 1970 (UTC).
        cover_image_url: the URL of the cover picture, valid for six hours.
        share_url: the URL of the video's page.
        video_description: the first 150 characters of the caption.
        duration: seconds.
        height: pixels.
        width: pixels.
        title: the first 150 characters of the caption.
        embed_html: HTML that embeds the video in a page.
        embed_link: the URL of a page that shows only the video.
        like_count: number of likes.
        comment_count: number of comments.
        share_count: number of shares.
        view_count: number of views.
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
    """A page of the list of public videos, newest first.

    Attributes:
        videos: at most 20 videos.
        cursor: where the next page begins, in ms since 1970 (UTC); None on the last page.
    """

    videos: tuple[Video, ...]
    cursor: int | None


@frozen(kw_only=True)
class FoundPost:
    """A public post that came of a post of this app.

    Attributes:
        id: TikTok's id of the public post.
        share_url: the URL of its page, from the list of videos or made from the creator's handle; None if the granted scopes
            allow neither.
        embed_link: the URL of a page that shows only this post.
        is_certain: whether TikTok itself named it for this post. Otherwise its caption and time fit, and more than one may.
    """

    id: str
    share_url: str | None
    embed_link: str
    is_certain: bool


def video_fields(wanted: Iterable[str] | None) -> tuple[str, ...]:
    """Return the fields to ask for: the wanted ones, or all of them.

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
