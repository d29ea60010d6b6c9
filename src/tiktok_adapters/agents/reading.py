"""The tools that read: nothing that they do can be seen by anybody else.

What belongs here: tools without an effect. Their docstrings are what an agent reads of them.
"""

import asyncio
from typing import Final

from attrs import frozen

from tiktok_adapters.agents.answers import (
    AccountRow,
    AccountsAnswer,
    Check,
    CheckAnswer,
    CreatorAnswer,
    Data,
    DoctorAnswer,
    ExplainAnswer,
    PlanAnswer,
    PostAnswer,
    PostsAnswer,
    VideoRow,
    VideosAnswer,
)
from tiktok_adapters.agents.desk import Desk, moment
from tiktok_adapters.agents.faults import answering, meaning_of, wrong_of
from tiktok_adapters.agents.films import facts_of
from tiktok_core import ApiError, InvalidInput, InvalidPost, Problem, Video, VideoPost, explain
from tiktok_core.domain.names import is_url

__all__ = ["Reading"]

MOST: Final = 50
"""How many posts a list has at most, so that an answer stays short."""
CHUNKS_SHOWN: Final = 1000


@frozen
class Reading:
    """The tools that read."""

    desk: Desk

    @answering(AccountsAnswer)
    async def accounts(self) -> AccountsAnswer:
        """List the signed-in accounts. Other tools take `open_id` as `account`; empty means the only or the usual one."""
        rows = [
            AccountRow(
                open_id=one.open_id,
                scopes=list(one.scope),
                refresh_expires_at=moment(one.refresh_expires_at),
                posts_without_release=one.open_id in self.desk.permits.accounts,
            )
            for one in await self.desk.tiktok.accounts()
        ]
        return AccountsAnswer(accounts=rows)

    @answering(CreatorAnswer)
    async def creator_info(self, account: str = "") -> CreatorAnswer:
        """Ask TikTok what this creator may post now: privacy levels, what is switched off, the longest video."""
        found = await (await self.desk.account_of(account)).creator_info()
        return CreatorAnswer(
            username=Data(untrusted_text=found.creator_username),
            nickname=Data(untrusted_text=found.creator_nickname),
            privacy_level_options=list(found.privacy_level_options),
            comment_disabled=found.comment_disabled,
            duet_disabled=found.duet_disabled,
            stitch_disabled=found.stitch_disabled,
            max_video_post_duration_sec=found.max_video_post_duration_sec,
        )

    @answering(PlanAnswer)
    async def plan(self, video: str) -> PlanAnswer:
        """Show how a film is cut into chunks: a file below a named folder, or an https URL of a named host."""
        media = self.desk.permits.media(video)
        wish = await self.desk.tiktok.check_video(media, VideoPost(draft=True), upload=True if is_url(media) else None)
        plan = wish.plan
        if plan is None:
            raise InvalidInput((Problem("video", "is not cut: TikTok pulls it as a whole"),))
        return PlanAnswer(
            video_size=plan.video_size,
            chunk_size=plan.chunk_size,
            total_chunk_count=plan.total_chunk_count,
            chunks=[list(one) for one in plan.ranges()][:CHUNKS_SHOWN],
        )

    @answering(CheckAnswer)
    async def check_video(
        self,
        video: str,
        account: str = "",
        title: str = "",
        privacy_level: str = "",
        draft: bool = False,
    ) -> CheckAnswer:
        """Say what is known of a film, and everything that is wrong with its post for this creator. Nothing is posted."""
        media = self.desk.permits.media(video)
        film = None if is_url(media) else await asyncio.to_thread(facts_of, media)
        one = await self.desk.account_of(account)
        post = VideoPost(title=title, privacy_level=privacy_level or None, draft=draft)
        creator = None if draft else await one.creator_info()
        try:
            await self.desk.tiktok.check_video(media, post, creator=creator)
        except InvalidPost as error:
            return CheckAnswer(film=film, problems=list(map(wrong_of, error.problems)))
        return CheckAnswer(can_post=True, film=film)

    @answering(PostAnswer)
    async def status(self, key: str, account: str = "") -> PostAnswer:
        """Show how far a post is, by its key or publish id. TikTok is asked where it has the post and no end is known."""
        one = await self.desk.account_of(account)
        record = await self.desk.record_of(one, key)
        if record.publish_id is not None and not record.is_ended and not record.is_before_handover:
            try:
                await one.publish_status(record.publish_id)
            except ApiError as error:
                # TikTok may not know an id yet in the first minute after it has given it.
                if error.code != "invalid_publish_id":
                    raise
            record = await self.desk.record_of(one, record.key)
        return PostAnswer(post=self.desk.row(record), next=self.desk.next_of(record))

    @answering(PostsAnswer)
    async def posts(self, account: str = "", unfinished_only: bool = False) -> PostsAnswer:
        """List the posts of an account in the journal, the newest first: those of the last 90 days, or the unfinished ones."""
        one = await self.desk.account_of(account)
        found = list(await (one.unfinished() if unfinished_only else one.posts()))[::-1]
        return PostsAnswer(posts=list(map(self.desk.row, found[:MOST])), left_out=max(0, len(found) - MOST))

    @answering(VideosAnswer)
    async def videos(self, account: str = "", count: int = 20, cursor: int = 0) -> VideosAnswer:
        """List the public videos of an account, newest first, at most 20. `cursor` is that of the answer before; 0 begins."""
        one = await self.desk.account_of(account)
        page = await one.video_page(cursor or None, count=count)
        return VideosAnswer(videos=list(map(_video, page.videos)), cursor=page.cursor)

    @answering(ExplainAnswer)
    async def explain(self, code: str) -> ExplainAnswer:
        """Explain an error code or a fail reason of TikTok's: whose fault it is, whether a retry helps, what to change."""
        found = explain(code.strip())
        if found is None:
            raise InvalidInput((Problem("code", "is none that TikTok's documents or its users mention"),))
        return ExplainAnswer(code=code.strip(), explanation=meaning_of(found))

    @answering(DoctorAnswer)
    async def doctor(self) -> DoctorAnswer:
        """Check everything that a post needs, in order, and say what to change and where."""
        found = await asyncio.to_thread(self.desk.examine)
        rows = [
            Check(
                check=one.check,
                verdict=one.verdict,
                message=Data(untrusted_text=one.message),
                change=one.change,
                where=one.where,
            )
            for one in found
        ]
        return DoctorAnswer(can_post=all(one.verdict != "trouble" for one in rows), findings=rows)


def _video(one: Video) -> VideoRow:
    return VideoRow(
        id=one.id,
        create_time=one.create_time,
        share_url=one.share_url,
        title=None if one.title is None else Data(untrusted_text=one.title),
        duration=one.duration,
        view_count=one.view_count,
        like_count=one.like_count,
        comment_count=one.comment_count,
        share_count=one.share_count,
    )
