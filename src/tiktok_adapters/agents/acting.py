"""The tools that act: what they enter waits for a person, unless it is a draft or the account was named at the start.

What belongs here: tools with an effect. Each enters its post in the journal before anything is sent, so that a call that breaks off
loses nothing and a repeated one posts once.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

from attrs import asdict, frozen
from mcp.server.mcpserver import AcceptedElicitation, Elicit, ElicitationResult, Resolve
from mcp_types import CallToolResult
from pydantic import BaseModel, Field

from tiktok_adapters.agents.answers import PostAnswer
from tiktok_adapters.agents.desk import Desk
from tiktok_adapters.agents.faults import answering
from tiktok_core import AsyncAccount, InvalidInput, PhotoPost, Problem, Record, TikTokError, VideoPost, Wish
from tiktok_core.domain.names import shown

__all__ = ["Acting", "Consent", "asking"]

LEFT: Final = "was begun by a person, who goes on with it: 'tiktok resume {}'"
OWN: Final = "belongs to a person: nothing was changed; 'tiktok abandon {}' gives it up"


@frozen
class Acting:
    """The tools that act."""

    desk: Desk

    @answering(PostAnswer)
    async def post_video(
        self,
        video: str,
        *,
        account: str = "",
        title: str = "",
        privacy_level: str = "",
        disable_comment: bool = False,
        disable_duet: bool = False,
        disable_stitch: bool = False,
        video_cover_timestamp_ms: int = 0,
        brand_content_toggle: bool = False,
        brand_organic_toggle: bool = False,
        is_aigc: bool = False,
        draft: bool = False,
    ) -> PostAnswer:
        """Ask for a post of a video: a file below a named folder, or an https URL of a named host.

        The post waits until a person releases it; a draft goes to the creator's inbox at once. The same call again means the same
        post. `privacy_level` is one of those that creator_info offers.
        """
        post = VideoPost(
            title=title,
            privacy_level=privacy_level or None,
            disable_comment=disable_comment,
            disable_duet=disable_duet,
            disable_stitch=disable_stitch,
            video_cover_timestamp_ms=video_cover_timestamp_ms or None,
            brand_content_toggle=brand_content_toggle,
            brand_organic_toggle=brand_organic_toggle,
            is_aigc=is_aigc,
            draft=draft,
        )
        media = self.desk.permits.media(video)
        one = await self.desk.account_of(account)
        creator = None if draft else await one.creator_info()
        wish = await self.desk.tiktok.check_video(media, post, creator=creator)

        async def enter(key: str, *, held: bool) -> Record:
            return await one.enter_video(media, key=key, held=held, **asdict(post))

        return await self._entered(one, wish, enter)

    @answering(PostAnswer)
    async def post_photos(
        self,
        photo_images: list[str],
        *,
        account: str = "",
        title: str = "",
        description: str = "",
        privacy_level: str = "",
        photo_cover_index: int = 0,
        disable_comment: bool = False,
        auto_add_music: bool = True,
        brand_content_toggle: bool = False,
        brand_organic_toggle: bool = False,
        is_aigc: bool = False,
        draft: bool = False,
    ) -> PostAnswer:
        """Ask for a post of photos at https URLs of named hosts, which TikTok pulls.

        The post waits until a person releases it; a draft goes to the creator's inbox at once. The same call again means the same
        post. `photo_cover_index` counts from 0.
        """
        post = PhotoPost(
            photo_images=tuple(self.desk.permits.url("photo_images", url) for url in photo_images),
            title=title,
            description=description,
            privacy_level=privacy_level or None,
            photo_cover_index=photo_cover_index,
            disable_comment=disable_comment,
            auto_add_music=auto_add_music,
            brand_content_toggle=brand_content_toggle,
            brand_organic_toggle=brand_organic_toggle,
            is_aigc=is_aigc,
            draft=draft,
        )
        one = await self.desk.account_of(account)
        creator = None if draft else await one.creator_info()
        wish = await self.desk.tiktok.check_photos(post, creator=creator)

        async def enter(key: str, *, held: bool) -> Record:
            settings: dict[str, Any] = asdict(post)
            return await one.enter_photos(settings.pop("photo_images"), key=key, held=held, **settings)

        return await self._entered(one, wish, enter)

    @answering(PostAnswer)
    async def resume(self, key: str, account: str = "") -> PostAnswer:
        """Go on with a post that was asked for here, once a person released it: send what is missing, and ask TikTok how far it is.

        It never posts twice. Of a post that waits for a person it only says so.
        """
        one = await self.desk.account_of(account)
        record = await self.desk.record_of(one, key)
        if not (record.is_entered or record.is_ended):
            raise InvalidInput((Problem("key", LEFT.format(record.key)),))
        return await self._gone_on(one, record, is_same=True)

    @answering(PostAnswer)
    async def give_up(self, key: str, account: str = "") -> PostAnswer:
        """Take back a post that still waits for a person. It is never posted. Other posts are a person's to give up."""
        one = await self.desk.account_of(account)
        record = await self.desk.record_of(one, key)
        if not self.desk.needs_release(record):
            raise InvalidInput((Problem("key", OWN.format(record.key)),))
        await one.abandon(record.key)
        return await self._answer(one, record.key, is_same=True)

    async def _entered(self, one: AsyncAccount, wish: Wish, enter: Callable[..., Awaitable[Record]]) -> PostAnswer:
        """Enter a post, and begin it where no person has to release it."""
        key, is_same = await self.desk.key_for(one, wish)
        if is_same:
            return await self._answer(one, key, is_same=True)
        record = await enter(key, held=self.desk.permits.is_held(one.open_id, wish.post))
        if self.desk.needs_release(record):
            return await self._answer(one, key, is_same=False)
        return await self._gone_on(one, record, is_same=False)

    async def _gone_on(self, one: AsyncAccount, record: Record, *, is_same: bool) -> PostAnswer:
        if not record.is_ended:
            try:
                await self.desk.go_on(one, record.key)
            except TikTokError as error:
                if error.key is None:
                    error.key = record.key
                raise
        return await self._answer(one, record.key, is_same=is_same)

    async def _answer(self, one: AsyncAccount, key: str, *, is_same: bool) -> PostAnswer:
        record = await self.desk.record_of(one, key)
        return PostAnswer(post=self.desk.row(record), is_same_post=is_same, next=self.desk.next_of(record))


class Consent(BaseModel):
    """What a person answers when the agent's program asks them."""

    release: bool = Field(description="Let this be posted to TikTok now")


def asking(desk: Desk) -> Callable[..., Awaitable[CallToolResult]]:
    """Return the tool that asks the person, through the agent's program, to release a post. The agent cannot answer for them."""
    acting = Acting(desk)

    async def question(key: str, account: str = "") -> Elicit[Consent]:
        """Say what is to be posted. The same post gives the same question each time."""
        record = await desk.record_of(await desk.account_of(account), key)
        post, media = (
            record.wish.post,
            record.wish.shown or ", ".join(map(shown, getattr(record.wish.post, "photo_images", ()))),
        )
        who = post.privacy_level or "the inbox"
        return Elicit(
            f"Post {media} to TikTok? Account {record.account}, visible to {who}, title: {post.title!r}", Consent
        )

    async def release_by_asking(
        key: str, answer: Annotated[ElicitationResult[Consent], Resolve(question)], account: str = ""
    ) -> Annotated[CallToolResult, PostAnswer]:
        """Ask the person to release a post that waits for them, and begin it if they do.

        Needs a program that can ask its user (elicitation). Without one, a person uses 'tiktok release KEY' or 'tiktok studio'.
        """
        return await release(key, answer, account)

    @answering(PostAnswer)
    async def _release(self: Acting, key: str, answer: ElicitationResult[Consent], account: str) -> PostAnswer:
        one = await desk.account_of(account)
        record = await desk.record_of(one, key)
        if desk.needs_release(record):
            if not isinstance(answer, AcceptedElicitation) or not answer.data.release:
                return await self._answer(one, record.key, is_same=True)
            record = await one.release(record.key)
        return await self._gone_on(one, record, is_same=True)

    async def release(key: str, answer: ElicitationResult[Consent], account: str) -> CallToolResult:
        return await _release(acting, key, answer, account)

    return release_by_asking
