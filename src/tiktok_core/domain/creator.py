"""The creator info: what TikTok allows a creator to post at this moment.

Source: developers.tiktok.com/doc/content-posting-api-reference-query-creator-info.
"""

from enum import StrEnum

from attrs import frozen

__all__ = ["CreatorInfo", "PrivacyLevel"]


class PrivacyLevel(StrEnum):
    """Who may watch a post. `CreatorInfo.privacy_level_options` lists the levels that a creator may choose."""

    PUBLIC_TO_EVERYONE = "PUBLIC_TO_EVERYONE"
    MUTUAL_FOLLOW_FRIENDS = "MUTUAL_FOLLOW_FRIENDS"
    FOLLOWER_OF_CREATOR = "FOLLOWER_OF_CREATOR"
    SELF_ONLY = "SELF_ONLY"


@frozen(kw_only=True)
class CreatorInfo:
    """A creator's name and present choices. Ask for it again before each post.

    Attributes:
        creator_avatar_url: the URL of the creator's picture, valid for two hours.
        creator_username: the creator's handle.
        creator_nickname: the creator's display name, which an export page has to show.
        privacy_level_options: the levels that this creator may choose now, with any that TikTok adds later.
        comment_disabled: the creator switched comments off.
        duet_disabled: the creator switched duets off.
        stitch_disabled: the creator switched stitches off.
        max_video_post_duration_sec: the longest video, in seconds; None if TikTok did not say.
    """

    creator_avatar_url: str = ""
    creator_username: str = ""
    creator_nickname: str = ""
    privacy_level_options: tuple[str, ...] = ()
    comment_disabled: bool = False
    duet_disabled: bool = False
    stitch_disabled: bool = False
    max_video_post_duration_sec: int | None = None
