"""Reading the public data of an account: its profile and its videos."""

from collections.abc import AsyncIterator, Iterable, Sequence
from functools import partial
from typing import Final

from tiktok_core.domain.display import UserInfo, Video, VideoPage, user_fields, video_fields
from tiktok_core.domain.tokens import Secret
from tiktok_core.errors import InvalidInput, Problem
from tiktok_core.flows.calls.access import authorized, usable_tokens
from tiktok_core.flows.calls.context import Context
from tiktok_core.wire.display import (
    read_user_info,
    read_videos,
    user_info_request,
    video_list_request,
    video_query_request,
)
from tiktok_core.wire.http import Request

__all__ = ["MOST_VIDEOS", "AsyncVideos", "query_videos", "user_info", "video_page"]

MOST_VIDEOS: Final = 20
"""The most videos of one page or one query; source: developers.tiktok.com/doc/tiktok-api-v2-video-list."""


async def user_info(context: Context, account: str, fields: Iterable[str] | None) -> UserInfo:
    """Ask for the profile: for the wanted fields, or for every field that the granted scopes allow."""
    tokens = await usable_tokens(context, account)
    names = user_fields(tokens.scope, fields)
    if not names:
        raise InvalidInput(
            (Problem("fields", "there are none to ask for: the granted scopes allow no field of the profile"),)
        )
    return await authorized(
        context, account, lambda token: user_info_request(context.endpoints, token, names), read_user_info
    )


async def video_page(
    context: Context, account: str, cursor: int | None, count: int, fields: Iterable[str] | None
) -> VideoPage:
    """Ask for a page of the public videos.

    Raises:
        InvalidInput: a field does not exist, or TikTok would refuse the count or the cursor.
    """
    names = video_fields(fields)
    if not 1 <= count <= MOST_VIDEOS:
        raise InvalidInput((Problem("count", f"must be 1 to {MOST_VIDEOS}, not {count}"),))
    if cursor is not None and cursor < 0:
        raise InvalidInput((Problem("cursor", f"must be a time in ms since 1970, not {cursor}"),))
    return await authorized(
        context,
        account,
        lambda token: video_list_request(context.endpoints, token, names, cursor, count),
        read_videos,
    )


async def query_videos(
    context: Context, account: str, video_ids: Sequence[str], fields: Iterable[str] | None
) -> tuple[Video, ...]:
    """Ask for these videos, twenty in a call. TikTok leaves out other accounts' videos and those not public."""
    names, ids = video_fields(fields), [str(video_id) for video_id in dict.fromkeys(video_ids)]
    if wrong := [video_id for video_id in ids if not (video_id.isascii() and video_id.isdigit())]:
        raise InvalidInput((Problem("video_ids", f"{wrong[0]!r} cannot be the id of a video, which is a number"),))
    found: list[Video] = []
    for first in range(0, len(ids), MOST_VIDEOS):
        some = ids[first : first + MOST_VIDEOS]
        ask = partial(_query, context, names, some)
        found += (await authorized(context, account, ask, read_videos)).videos
    return tuple(found)


def _query(context: Context, names: tuple[str, ...], ids: Sequence[str], token: Secret) -> Request:
    return video_query_request(context.endpoints, token, names, ids)


class AsyncVideos(AsyncIterator[Video]):
    """An iterator over the public videos, newest first. It asks TikTok for each page when it needs it.

    Attributes:
        cursor: where another iterator continues, also after an error, in ms since 1970 (UTC). A new iterator gives the videos
            of an unfinished page again. None at the beginning, and after the last video.
        is_done: whether the iterator has given all videos.
    """

    def __init__(self, context: Context, account: str, cursor: int | None, fields: Iterable[str] | None) -> None:
        self._context = context
        self._account = account
        self._fields = None if fields is None else tuple(fields)
        self._next: int | None = None
        self._page: list[Video] = []
        self.cursor = cursor
        self.is_done = False

    async def __anext__(self) -> Video:
        while not self._page:
            if self.is_done:
                raise StopAsyncIteration
            await self._turn()
        video = self._page.pop(0)
        if not self._page:
            self._leave()
        return video

    async def _turn(self) -> None:
        page = await video_page(self._context, self._account, self.cursor, MOST_VIDEOS, self._fields)
        self._page, self._next = list(page.videos), page.cursor
        if not self._page:
            self._leave()

    def _leave(self) -> None:
        # Each page must be older than the one before: a cursor that does not move would give an endless iteration.
        stands = self._next is not None and self.cursor is not None and self._next >= self.cursor
        self.is_done = self._next is None or stands
        self.cursor = None if self.is_done else self._next
