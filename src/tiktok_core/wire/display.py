"""The formats of the Display API: the profile and the public videos.

Sources: developers.tiktok.com/doc/tiktok-api-v2-get-user-info, /doc/tiktok-api-v2-video-list, /doc/tiktok-api-v2-video-query.
"""

from collections.abc import Sequence
from typing import Any

from tiktok_core.domain.app import Endpoints
from tiktok_core.domain.display import UserInfo, Video, VideoPage
from tiktok_core.domain.tokens import Secret
from tiktok_core.wire.envelope import api_request, open_envelope, structured, unexpected
from tiktok_core.wire.http import Request, Response
from tiktok_core.wire.reading import whole_number

__all__ = [
    "read_user_info",
    "read_videos",
    "user_info_request",
    "video_list_request",
    "video_query_request",
]


def user_info_request(endpoints: Endpoints, access_token: Secret, fields: tuple[str, ...]) -> Request:
    """Return the request for these fields of the profile."""
    return api_request(endpoints, "GET", f"/v2/user/info/?fields={','.join(fields)}", access_token)


def read_user_info(request: Request, response: Response) -> UserInfo:
    """Return the profile in an answer."""
    user = open_envelope(request, response).get("user")
    if not isinstance(user, dict):
        raise unexpected(request, response, "it has no data.user")
    return structured(UserInfo, request, response, user)


def video_list_request(
    endpoints: Endpoints, access_token: Secret, fields: tuple[str, ...], cursor: int | None, count: int
) -> Request:
    """Return the request for the public videos before `cursor` (ms since 1970, UTC), newest first."""
    document: dict[str, Any] = {"max_count": count} if cursor is None else {"max_count": count, "cursor": cursor}
    return api_request(endpoints, "POST", f"/v2/video/list/?fields={','.join(fields)}", access_token, document)


def video_query_request(
    endpoints: Endpoints, access_token: Secret, fields: tuple[str, ...], video_ids: Sequence[str]
) -> Request:
    """Return the request for at most 20 of the account's own videos, by their ids."""
    document = {"filters": {"video_ids": list(video_ids)}}
    return api_request(endpoints, "POST", f"/v2/video/query/?fields={','.join(fields)}", access_token, document)


def read_videos(request: Request, response: Response) -> VideoPage:
    """Return the videos in an answer."""
    data = open_envelope(request, response)
    listed, cursor = data.get("videos"), data.get("cursor")
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise unexpected(request, response, "it has no data.videos")
    videos = tuple(structured(Video, request, response, one) for one in listed)
    return VideoPage(videos=videos, cursor=_next(cursor) if data.get("has_more") is True else None)


def _next(cursor: object) -> int | None:
    """Return the cursor of the next page; None if it is not a usable number."""
    try:
        return whole_number(cursor, least=0)
    except ValueError:
        return None
