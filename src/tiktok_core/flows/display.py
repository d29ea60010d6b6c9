"""Reading what an account shows of itself."""

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
"""Videos of one page or one query; source: developers.tiktok.com/doc/tiktok-api-v2-video-list."""


async def user_info(context: Context, account: str, fields: Iterable[str] | None) -> UserInfo:
    """Ask for the profile: the fields wanted, or all that the granted scopes open."""
    tokens = await usable_tokens(context, account)
    names = user_fields(tokens.scope, fields)
    if not names:
        raise InvalidInput((Problem("fields", "none to ask for: the granted scopes open no part of the profile"),))
    return await authorized(
        context, account, lambda token: user_info_request(context.endpoints, token, names), read_user_info
    )


async def video_page(
    context: Context, account: str, cursor: int | None, count: int, fields: Iterable[str] | None
) -> VideoPage:
    """Ask for a page of the public videos.

    Raises:
        InvalidInput: a field that does not exist, or a count or cursor that TikTok would refuse.
    """
    names = video_fields(fields)
    if not 1 <= count <= MOST_VIDEOS:
        raise InvalidInput((Problem("count", f"is 1 to {MOST_VIDEOS}, not {count}"),))
    if cursor is not None and cursor < 0:
        raise InvalidInput((Problem("cursor", f"is a time in ms since 1970, not {cursor}"),))
    return await authorized(
        context,
        account,
        lambda token: video_list_request(context.endpoints, token, names, cursor, count),
        read_videos,
    )


async def query_videos(
    context: Context, account: str, video_ids: Sequence[str], fields: Iterable[str] | None
) -> tuple[Video, ...]:
    """Ask for these videos, twenty at a time; those that are not the account's own, or not public, are left out."""
    names, ids = video_fields(fields), [str(video_id) for video_id in dict.fromkeys(video_ids)]
    if wrong := [video_id for video_id in ids if not (video_id.isascii() and video_id.isdigit())]:
        raise InvalidInput((Problem("video_ids", f"{wrong[0]!r} is no id of a video, which is a number"),))
    found: list[Video] = []
    for first in range(0, len(ids), MOST_VIDEOS):
        some = ids[first : first + MOST_VIDEOS]
        ask = partial(_query, context, names, some)
        found += (await authorized(context, account, ask, read_videos)).videos
    return tuple(found)


def _query(context: Context, names: tuple[str, ...], ids: Sequence[str], token: Secret) -> Request:
    return video_query_request(context.endpoints, token, names, ids)


class AsyncVideos(AsyncIterator[Video]):
    """The public videos, the newest first, asked for page by page as they are needed.

    Attributes:
        cursor: where to go on in another walk (ms), also after an error; a walk that stops within a page gets that page again. None
            at the beginning, and after the last video.
        is_done: whether all have been given.
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
        # Each page is older than the one before: a cursor that does not move would be walked for ever.
        stands = self._next is not None and self.cursor is not None and self._next >= self.cursor
        self.is_done = self._next is None or stands
        self.cursor = None if self.is_done else self._next
