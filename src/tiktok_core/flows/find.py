"""Finding the public post that came of a post: by the id that TikTok reports, or else by caption and time.

TikTok may report the id long after the post is complete, and never does for a private post. The flow waits for the id first. It
accepts a video with a fitting caption and time only if no id came, and never if it knows the video to be another post.
"""

from collections.abc import Sequence
from typing import Final

from attrs import define

from tiktok_core.domain.app import Scope
from tiktok_core.domain.display import FoundPost
from tiktok_core.domain.finding import (
    caption,
    found_post,
    has_photos,
    is_alike,
    is_listed,
    is_private,
    moved,
    post_times,
)
from tiktok_core.domain.journal import Record, Stage, record_name
from tiktok_core.domain.pacing import DAY
from tiktok_core.domain.publishing import Publication, further, poll_pause
from tiktok_core.domain.trouble import MOST_MISSES
from tiktok_core.domain.verdicts import UNKNOWN_ID, is_not_known_yet, is_unanswered
from tiktok_core.errors import ApiError, RateLimited, TikTokError, TransportError
from tiktok_core.flows.calls.access import usable_tokens
from tiktok_core.flows.calls.context import Context
from tiktok_core.flows.calls.stopwatch import Stopwatch
from tiktok_core.flows.display import AsyncVideos, query_videos, user_info
from tiktok_core.flows.posting.follow import publish_status, write_status
from tiktok_core.flows.posting.publish import creator_info
from tiktok_core.flows.posts import post

__all__ = ["find_post"]

FIELDS: Final = ("id", "create_time", "title", "video_description", "share_url", "embed_link")


async def find_post(context: Context, account: str, name: str, *, wait: bool) -> tuple[FoundPost, ...]:
    """Return the public posts that came of a post; none while it is not public, or if it is private.

    Args:
        context: the client's ports and settings.
        account: the account that made the post.
        name: the post's key in the journal, or its publish id.
        wait: ask again until the post is found or patience runs out.
    """
    search, watch = _Search(context.about(account=account), account, name, is_patient=wait), Stopwatch(context.clock)
    while True:
        found = await search.named()
        waited = watch.look(most=context.retry_limits.deadline)
        pause = max(poll_pause(waited), search.pause)
        is_over = not search.is_patient or waited + pause > context.patience
        if not found and (is_over or not search.publish_id):
            found = await search.alike()
        if found or is_over:
            return found
        await context.clock.sleep(pause)
        watch.slept(pause)


@define
class _Search:
    """The state of a search for one post.

    Attributes:
        context: the client's ports and settings.
        account: the account that made the post.
        name: the key or publish id that the caller gave.
        is_patient: whether to ask again; false once that cannot help.
        publish_id: the id with which to ask TikTok; empty if there is none to ask with.
        record: the post in the journal; None if the journal has none.
        pause: seconds that TikTok asks the client to wait.
    """

    context: Context
    account: str
    name: str
    is_patient: bool
    publish_id: str = ""
    record: Record | None = None
    pause: float = 0.0
    _misses: int = 0
    _is_unknown: bool = False
    _has_failed: bool = False

    async def named(self) -> tuple[FoundPost, ...]:
        """Return the public posts that TikTok reports, now or earlier to the journal."""
        self.record = await self._recorded()
        if self.record is None:
            known, self.publish_id = None, self.name
        else:
            known, self.publish_id = self.record.last, self.record.publish_id or ""
            self._has_failed = self.record.stage in {Stage.FAILED, Stage.ABANDONED, Stage.GIVEN_UP}
            # The creator may have made a private post public since. So the flow asks for it once, but does not wait.
            self.is_patient &= not is_private(self.record)
            self.context = self.context.about(key=self.record.key)
        if self._is_unknown or self._has_failed:
            self.publish_id = ""
        if self.publish_id:
            known = await self._asked(known)
        self._has_failed |= known is not None and known.is_failed
        self.is_patient &= not self._has_failed
        return () if known is None else await _shown(self.context, self.account, known, self.record)

    async def alike(self) -> tuple[FoundPost, ...]:
        """Return videos whose caption and time fit. One match is likely the post; several are ambiguous."""
        record = self.record
        if self._has_failed or record is None or not is_listed(record):
            return ()
        if not (await usable_tokens(self.context, self.account)).allows(Scope.VIDEO_LIST):
            return ()
        first, last = post_times(record)
        found = []
        async for video in AsyncVideos(self.context, self.account, int(last.timestamp() * 1000) + 1, FIELDS):
            if video.create_time is not None and video.create_time < first.timestamp():
                break
            if is_alike(record, video):
                found.append(video)
        others = await self._others(record) if found else frozenset()
        return tuple(
            found_post(video.id, video, handle="", photos=False, is_certain=False)
            for video in found
            if video.id and video.id not in others
        )

    async def _recorded(self) -> Record | None:
        journal = self.context.journal
        if self.record is not None:
            return await journal.load(self.record.name) or self.record
        found = await post(self.context, self.account, self.name)
        name = record_name(self.context.app.client_key, self.account, self.name)
        trace = await journal.trace(name) if found is None else None
        if trace is not None:
            # The record of this key is gone, but its trace has the publish id, with which the flow can still ask TikTok.
            self.name = trace.publish_id or ""
        return found

    async def _asked(self, known: Publication | None) -> Publication | None:
        """Ask TikTok for the post's status, and record it. Without an answer, return what was known before."""
        try:
            heard = await publish_status(self.context, self.account, self.publish_id)
        except (TransportError, ApiError) as error:
            if is_not_known_yet(self.record, self.context.clock.now(), error):
                return known
            if is_unanswered(error):
                self._pass_over(error, known)
                return known
            if not isinstance(error, ApiError) or error.code != UNKNOWN_ID or self.record is None:
                raise
            self._is_unknown, self.publish_id = True, ""
            return known
        self._misses, self.pause = 0, 0.0
        if self.record is None or self.record.stage is Stage.UPLOADING:
            return heard
        stored = await write_status(self.context, self.record, lambda found: further(found.last, heard))
        return heard if stored is None else stored.last

    def _pass_over(self, error: TikTokError, known: Publication | None) -> None:
        self._misses += 1
        self.pause = error.retry_after if isinstance(error, RateLimited) else 0.0
        names_it = known is not None and known.post_ids
        if not names_it and (self._misses >= MOST_MISSES or not self.is_patient):
            raise error

    async def _others(self, record: Record) -> frozenset[str]:
        """Return the public ids of the account's other posts: those in the journal, and for similar posts TikTok's answer now."""
        ids: set[int] = set()
        first, last = post_times(record)
        mine = record_name(record.app, record.account, "")
        # The videos that were found appeared between these times. A post that ended more than a day earlier, or was wished later,
        # is none of them, and an account may have thousands of those.
        for other in await self.context.journal.records(mine, since=moved(first, -DAY), until=last):
            if other.name == record.name:
                continue
            named: Sequence[int] = other.last.post_ids if other.last is not None else ()
            earliest, latest = post_times(other)
            may_be_it = is_listed(other) and caption(other) == caption(record) and earliest <= last and first <= latest
            if may_be_it and other.publish_id and not named:
                named = await self._ids_of(other, other.publish_id)
            ids.update(named)
        return frozenset(str(post_id) for post_id in ids)

    async def _ids_of(self, other: Record, publish_id: str) -> Sequence[int]:
        try:
            return (await publish_status(self.context.about(key=other.key), self.account, publish_id)).post_ids
        except (TransportError, ApiError):
            return ()


async def _shown(context: Context, account: str, known: Publication, record: Record | None) -> tuple[FoundPost, ...]:
    """Return the posts that TikTok reported, each with its address from the list of videos or from the creator's handle."""
    ids = [str(post_id) for post_id in known.post_ids]
    if not ids:
        return ()
    photos, videos = has_photos(record, known.publish_id), {}
    may_list = (await usable_tokens(context, account)).allows(Scope.VIDEO_LIST)
    if may_list and not photos:
        try:
            videos = {video.id: video for video in await query_videos(context, account, ids, FIELDS)}
        except TikTokError as error:
            # The post is found even if the list of videos does not give its address.
            context.log.debug("Could not ask for the list of videos: %s", error)
    lacks_page = any(post_id not in videos for post_id in ids)
    handle = await _handle(context, account) if lacks_page else ""
    return tuple(found_post(post_id, videos.get(post_id), handle=handle, photos=photos) for post_id in ids)


async def _handle(context: Context, account: str) -> str:
    """Return the creator's handle from the profile or the creator info; empty if the granted scopes allow neither."""
    tokens = await usable_tokens(context, account)
    try:
        if tokens.allows(Scope.USER_INFO_PROFILE):
            return (await user_info(context, account, ["username"])).username or ""
        if tokens.allows(Scope.VIDEO_PUBLISH):
            return (await creator_info(context, account)).creator_username
    except TikTokError as error:
        context.log.debug("Could not ask for the creator's handle: %s", error)
    return ""
