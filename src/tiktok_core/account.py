"""`AsyncAccount`: one signed-in person, in whose name posts are made.

Each method is a line or two over a flow; `blocking` shows the same without `await`.

Longer than 400 lines because most of it is the description of the methods that a user calls, which stand together.
"""

from collections.abc import Callable, Iterable, Sequence
from textwrap import indent
from typing import TypeVar

from attrs import evolve

from tiktok_core.domain.creator import CreatorInfo
from tiktok_core.domain.display import FoundPost, UserInfo, Video, VideoPage
from tiktok_core.domain.forgetting import Unreadable
from tiktok_core.domain.journal import Record
from tiktok_core.domain.portability import DataArchive, DataFormat, DataRequest
from tiktok_core.domain.posts import PhotoPost, VideoPost
from tiktok_core.domain.publishing import Progress, Publication, Step
from tiktok_core.domain.retry import RetryLimits
from tiktok_core.domain.tokens import Tokens
from tiktok_core.flows import display, find, portability, sign_in
from tiktok_core.flows.calls.access import usable_tokens
from tiktok_core.flows.calls.context import Context
from tiktok_core.flows.display import AsyncVideos
from tiktok_core.flows.posting import follow, publish
from tiktok_core.ports import Destination, HasPath, Source

__all__ = ["AsyncAccount"]


M = TypeVar("M", bound=Callable[..., object])


def _with_settings_of(post: type) -> Callable[[M], M]:
    """Let the documentation of a method describe the settings of a post in the words of the post itself."""

    def documented(method: M) -> M:
        _, _, attributes = (post.__doc__ or "").partition("Attributes:\n")
        lines = [line[8:] for line in attributes.rstrip().splitlines()]
        method.__doc__ = (method.__doc__ or "").replace("{settings}", indent("\n".join(lines), " " * 12).lstrip())
        return method

    return documented


class AsyncAccount:
    """One signed-in person, in whose name posts are made."""

    def __init__(self, context: Context, open_id: str) -> None:
        self._context = context
        self._open_id = open_id

    @property
    def open_id(self) -> str:
        """The account, as this app sees it."""
        return self._open_id

    def with_options(
        self,
        *,
        timeout: float | None = None,
        deadline: float | None = None,
        retries: int | None = None,
        patience: float | None = None,
    ) -> "AsyncAccount":
        """Return the same account with other options for its calls; what is not given stays as it is.

        Args:
            timeout: seconds for each single wait of a request, and for a source that is asked for bytes.
            deadline: seconds for a call with all its repetitions.
            retries: how often a call is repeated where that can do no harm.
            patience: seconds to follow a post before saying that it is still processing.
        """
        context, trying = self._context, self._context.retry_limits
        changed = evolve(
            context,
            timeout=context.timeout if timeout is None else timeout,
            patience=context.patience if patience is None else patience,
            retry_limits=RetryLimits(
                retries=trying.retries if retries is None else retries,
                deadline=trying.deadline if deadline is None else deadline,
            ),
        )
        return AsyncAccount(changed, self._open_id)

    async def creator_info(self) -> CreatorInfo:
        """Ask what this creator may post now; to be asked anew whenever an export page is shown.

        Source: developers.tiktok.com/doc/content-posting-api-reference-query-creator-info (20 a minute).

        Raises:
            PostingRefused: the creator may not post now.
            SignInRequired, ScopeMissing, ApiError, TransportError, UnexpectedResponse: the call failed.
        """
        return await publish.creator_info(self._context, self._open_id)

    async def user_info(self, fields: Iterable[str] | None = None) -> UserInfo:
        """Ask for the profile: the fields given, or all that the granted scopes open.

        Source: developers.tiktok.com/doc/tiktok-api-v2-get-user-info (600 a minute).

        Raises:
            InvalidInput: a field that does not exist.
            SignInRequired, ScopeMissing, ApiError, TransportError, UnexpectedResponse: the call failed.
        """
        return await display.user_info(self._context, self._open_id, fields)

    def videos(self, cursor: int | None = None, *, fields: Iterable[str] | None = None) -> AsyncVideos:
        """Return the public videos, the newest first, asked for page by page as they are needed.

        Args:
            cursor: where to begin, in ms since 1970 (UTC): only older ones are given. The iterator's own `cursor` says
                where another one goes on.
            fields: what to ask of each video; everything unless given.

        Source: developers.tiktok.com/doc/tiktok-api-v2-video-list (600 a minute).

        Raises:
            InvalidInput: at the first step: a field that does not exist, or a cursor that is no time.
            SignInRequired, ScopeMissing, ApiError, TransportError, UnexpectedResponse: at a step: the call failed; the
                iterator can be asked again.
        """
        return AsyncVideos(self._context, self._open_id, cursor, fields)

    async def video_page(
        self, cursor: int | None = None, *, count: int = 20, fields: Iterable[str] | None = None
    ) -> VideoPage:
        """Ask for one page of the public videos.

        Args:
            cursor: where to begin, in ms since 1970 (UTC); at the newest unless given.
            count: at most 20.
            fields: what to ask of each video; everything unless given.

        Source: developers.tiktok.com/doc/tiktok-api-v2-video-list (600 a minute).

        Raises:
            InvalidInput: a field that does not exist, or a count or cursor that TikTok would refuse.
            SignInRequired, ScopeMissing, ApiError, TransportError, UnexpectedResponse: the call failed.
        """
        return await display.video_page(self._context, self._open_id, cursor, count, fields)

    async def query_videos(self, video_ids: Sequence[str], *, fields: Iterable[str] | None = None) -> tuple[Video, ...]:
        """Ask for these videos, twenty at a time; those that are not the account's own, or not public, are left out.

        Args:
            video_ids: ids of public posts.
            fields: what to ask of each video; everything unless given.

        Source: developers.tiktok.com/doc/tiktok-api-v2-video-query (600 a minute).

        Raises:
            InvalidInput: what is no id, or a field that does not exist.
            SignInRequired, ScopeMissing, ApiError, TransportError, UnexpectedResponse: the call failed.
        """
        return await display.query_videos(self._context, self._open_id, video_ids, fields)

    async def find_post(self, post: str, *, wait: bool = False) -> tuple[FoundPost, ...]:
        """Return what a post has become in public: nothing while it is not, one, or several of a draft.

        TikTok names the public id long after completion, in its status or by a webhook, and never for a private post.
        Where it has not, the account's videos are searched for the caption of the post and a time that it can have: if it
        is a direct post of a video in the journal, and the scope `video.list` was granted. What is known to be another of
        the journal's posts is never taken for it.

        The page of a post is `share_url` in the list of videos or, where that does not have it (photos are never in it),
        `https://www.tiktok.com/@handle/video/ID` or `.../photo/ID`, with the handle of the profile (`user.info.profile`)
        or the creator info (`video.publish`); None where the scopes open neither.

        Args:
            post: its key, or its publish id.
            wait: ask again until TikTok names it, and search the videos only when patience has ended. A post that has
                failed, or that nobody else may watch, is not waited for.

        Raises:
            SignInRequired, ApiError, TransportError, UnexpectedResponse: a call failed; while waiting, five in a row.
            StoreError: the journal cannot be read.
        """
        return await find.find_post(self._context, self._open_id, post, wait=wait)

    async def cancel(self, publish_id: str) -> Publication:
        """Ask TikTok to stop pulling a post, and return how it is doing afterwards: it may have been too late.

        A file is cancelled by sending no more of it.

        Source: developers.tiktok.com/doc/content-posting-api-media-transfer-guide.

        Raises:
            InvalidInput: that is no publish id.
            SignInRequired, ScopeMissing, ApiError, TransportError, UnexpectedResponse: TikTok did not take it; a post that
                has ended is `ApiError` with the code `publish_not_cancellable`.
        """
        return await follow.cancel(self._context, self._open_id, publish_id)

    @_with_settings_of(VideoPost)
    async def post_video(  # noqa: D417 - the settings of a post are described once, at the post
        self,
        video: str | HasPath | Source,
        *,
        title: str = "",
        privacy_level: str | None = None,
        disable_comment: bool = False,
        disable_duet: bool = False,
        disable_stitch: bool = False,
        video_cover_timestamp_ms: int | None = None,
        brand_content_toggle: bool = False,
        brand_organic_toggle: bool = False,
        is_aigc: bool = False,
        draft: bool = False,
        chunk_size: int | None = None,
        key: str | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        wait: bool = True,
    ) -> Publication:
        """Post a video and follow it to its end.

        Args:
            video: a file's name, a source, or an https URL that TikTok pulls.
            {settings}
            chunk_size: bytes of a chunk; planned unless given.
            key: names this wish: the same key never makes a second post, and answers with the first one. Of a post that
                ended 90 days ago the journal keeps only how it ended and its publish id, so the wishes are no longer
                compared. A random key unless given; it stands in the result and in every error.
            on_progress: called with the bytes sent and with each status. What it raises ends the call, and reaches the caller
                as it is (`StopIteration` as the cause of a `RuntimeError`: PEP 479); the post can be resumed.
            wait: follow the post to its end; otherwise return once it is handed over.

        Source: developers.tiktok.com/doc/content-posting-api-reference-direct-post, -upload-video (6 a minute).

        Raises:
            InvalidPost: every problem at once; nothing was posted.
            PostingRefused, ScopeMissing, RateLimited, ApiError: TikTok refused it; nothing was posted.
            SignInRequired: the account's tokens are gone; nothing was posted.
            UploadExpired, SourceChanged: the bytes could not be handed over; nothing was posted.
            OutcomeUnknown: the answer to a pull, or to the last bytes of a file, was lost; it may have been posted.
            PublishFailed: TikTok took it and gave it up.
            StillProcessing: it was handed over and has not ended yet.
            TransportError, UploadError, UnexpectedResponse: no answer, a refusal of bytes, or what makes no sense;
                `resume` with the error's key goes on, and never makes a second post.
        """
        post = VideoPost(
            title=title,
            privacy_level=privacy_level,
            disable_comment=disable_comment,
            disable_duet=disable_duet,
            disable_stitch=disable_stitch,
            video_cover_timestamp_ms=video_cover_timestamp_ms,
            brand_content_toggle=brand_content_toggle,
            brand_organic_toggle=brand_organic_toggle,
            is_aigc=is_aigc,
            draft=draft,
        )
        return await publish.post_video(
            self._context,
            self._open_id,
            video,
            post,
            chunk_size=chunk_size,
            key=key,
            on_progress=on_progress,
            wait=wait,
        )

    @_with_settings_of(PhotoPost)
    async def post_photos(  # noqa: D417 - the settings of a post are described once, at the post
        self,
        photo_images: Sequence[str],
        *,
        title: str = "",
        description: str = "",
        privacy_level: str | None = None,
        photo_cover_index: int = 0,
        disable_comment: bool = False,
        auto_add_music: bool = True,
        brand_content_toggle: bool = False,
        brand_organic_toggle: bool = False,
        is_aigc: bool = False,
        draft: bool = False,
        key: str | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        wait: bool = True,
    ) -> Publication:
        """Post photos that TikTok pulls, and follow the post to its end.

        Args:
            {settings}
            key: names this wish, as for `post_video`.
            on_progress: told of each status. What it raises ends the call, and reaches the caller as it is
                (`StopIteration` as the cause of a `RuntimeError`: PEP 479); the post can be resumed.
            wait: follow the post to its end; otherwise return once TikTok took it.

        Source: developers.tiktok.com/doc/content-posting-api-reference-photo-post (6 a minute).

        Raises:
            InvalidPost: every problem at once; nothing was posted.
            OutcomeUnknown: the answer was lost; it may have been posted.
            PublishFailed, StillProcessing, PostingRefused, ScopeMissing, RateLimited, ApiError, SignInRequired,
            TransportError, UnexpectedResponse: as for `post_video`.
        """
        post = PhotoPost(
            photo_images=tuple(photo_images),
            photo_cover_index=photo_cover_index,
            title=title,
            description=description,
            privacy_level=privacy_level,
            disable_comment=disable_comment,
            auto_add_music=auto_add_music,
            brand_content_toggle=brand_content_toggle,
            brand_organic_toggle=brand_organic_toggle,
            is_aigc=is_aigc,
            draft=draft,
        )
        return await publish.post_photos(
            self._context, self._open_id, post, key=key, on_progress=on_progress, wait=wait
        )

    async def resume(
        self,
        key: str,
        video: str | HasPath | Source | None = None,
        *,
        on_progress: Callable[[Progress], None] | None = None,
        wait: bool = True,
    ) -> Publication:
        """Go on with a post of the journal, in this process or after another one ended; an ended one is just told.

        One that was refused is refused again, with the same error; to try it anew, post it under the same key. Of a post
        whose details the journal has forgotten, its status and publish id are told.

        Args:
            key: what the post is known by.
            video: the file again, where it was a source without a name, or has moved.
            on_progress: told of bytes sent and of each status. What it raises ends the call, and reaches the caller as it is
                (`StopIteration` as the cause of a `RuntimeError`: PEP 479); the post can be resumed.
            wait: follow the post to its end; otherwise return once it is handed over.

        Raises:
            InvalidInput: the journal of this account has no such post.
            OutcomeUnknown: nobody can say whether it was posted; see `settle`.
            TikTokError: as for `post_video`.
        """
        return await publish.resume(self._context, self._open_id, key, video, on_progress=on_progress, wait=wait)

    async def advance(self, key: str, video: str | HasPath | Source | None = None) -> Step:
        """Take one step of a post of the journal, and say when to come again. Any number of processes may call it.

        Raises:
            InvalidInput: the journal of this account has no such post.
            TikTokError: as the step ended; what is known by then is stored.
        """
        return await publish.advance(self._context, self._open_id, key, video)

    async def posts(self) -> tuple[Record, ...]:
        """Return the journal of this account: posts under way and those of the last 90 days, the oldest first.

        Records that cannot be read are left out; see `unreadable`.

        Raises:
            StoreError: the journal cannot be read.
        """
        return await publish.posts(self._context, self._open_id)

    async def unfinished(self) -> tuple[Record, ...]:
        """Return this account's posts that have not ended, the oldest first.

        Records that cannot be read are left out; see `unreadable`.

        Raises:
            StoreError: the journal cannot be read.
        """
        return await publish.unfinished(self._context, self._open_id)

    async def unreadable(self) -> tuple[Unreadable, ...]:
        """Return which of this account's records cannot be read, because they are damaged or of another release.

        They cost no other post anything. To use the key of one raises the same `StoreError`; `forget` removes one.

        Raises:
            StoreError: the journal itself cannot be read.
        """
        return await publish.unreadable(self._context, self._open_id)

    async def forget(self, key: str) -> None:
        """Remove a post's record from the journal now: one that cannot be read, or whose post has ended.

        That the key was used stays known for good, so it never makes another post: unless it is known that nothing was
        posted, as the record of a refused post says. Nothing happens where the record is gone already.

        Raises:
            InvalidInput: the journal of this account has no such post, or the post has not ended.
            LeaseLost: another process is at work on it.
            StoreError: the journal cannot be written.
        """
        await publish.forget(self._context, self._open_id, key)

    async def settle(self, key: str, *, posted: bool) -> Publication:
        """Write down how a post ended whose outcome was unknown, as a person found out by looking at the account.

        Raises:
            InvalidInput: there is no such post, or its outcome is not unknown.
            LeaseLost: another process is at work on it.
        """
        return await publish.settle(self._context, self._open_id, key, posted=posted)

    async def publish_status(self, publish_id: str) -> Publication:
        """Ask how a post is doing; a failed one is told, not raised.

        Source: developers.tiktok.com/doc/content-posting-api-reference-get-video-status (30 a minute).

        Raises:
            SignInRequired, ScopeMissing, ApiError, TransportError, UnexpectedResponse: the call failed.
        """
        return await follow.publish_status(self._context, self._open_id, publish_id)

    async def wait(self, publish_id: str) -> Publication:
        """Follow a post to its end: by asking TikTok, until the journal knows it, as a webhook may have told it.

        Raises:
            PublishFailed: TikTok gave it up.
            StillProcessing: patience ended first.
            StoreError: the journal cannot be read.
            SignInRequired, ScopeMissing, ApiError, TransportError, UnexpectedResponse: a call failed.
        """
        return await follow.wait(self._context, self._open_id, publish_id)

    async def request_data(self, categories: Iterable[str], *, data_format: str = DataFormat.JSON) -> int:
        """Ask TikTok for a copy of this account's data; it takes seconds to hours to be ready.

        A one-time scope (`portability.*.single`) is spent by it. So it is never repeated after a doubt: where the answer was
        lost, the webhook `DownloadReady` still tells the id of what was asked for.

        Args:
            categories: one or more of `DataCategory`; `all_data` takes precedence over the others.
            data_format: of the files in the archive, a `DataFormat`.

        Returns:
            The request's id, a 64-bit number.

        Source: developers.tiktok.com/doc/data-portability-api-add-data-request (1000 a minute; people in the EEA and the UK).

        Raises:
            InvalidInput: no category, one that does not exist, or a format that does not; nothing was sent.
            ScopeMissing: the person did not grant these categories, or the one-time scope is spent.
            Interrupted: the answer was lost; TikTok may have taken it.
            SignInRequired, ApiError, TransportError, UnexpectedResponse: the call failed.
        """
        return await portability.request_data(self._context, self._open_id, categories, data_format)

    async def check_data(self, request_id: int) -> DataRequest:
        """Ask how a request for data is doing. The webhook `DownloadReady` tells the same without asking.

        Args:
            request_id: as `request_data` returned it.

        Source: developers.tiktok.com/doc/data-portability-api-check-status-of-data-request (1000 a minute).

        Raises:
            InvalidInput: that is no id of a request.
            SignInRequired, ScopeMissing, ApiError, TransportError, UnexpectedResponse: the call failed; a request that TikTok
                does not know is `ApiError` with the code `invalid_params`.
        """
        return await portability.check_data(self._context, self._open_id, request_id)

    async def cancel_data(self, request_id: int) -> DataRequest:
        """Cancel a request for data, and return how it is doing afterwards.

        Args:
            request_id: as `request_data` returned it.

        Source: developers.tiktok.com/doc/data-portability-api-cancel-data-request (1000 a minute).

        Raises:
            InvalidInput: that is no id of a request.
            SignInRequired, ScopeMissing, ApiError, TransportError, UnexpectedResponse: a call failed.
        """
        return await portability.cancel_data(self._context, self._open_id, request_id)

    async def download_data(
        self, request_id: int, to: str | HasPath | Destination, *, overwrite: bool = False
    ) -> DataArchive:
        """Download the archive of a request that is ready, block by block, however large it is.

        Nothing stands at its destination before all of it has come. A download that breaks off begins anew, as long as the
        deadline for repetitions allows.

        Args:
            request_id: as `request_data` returned it, or `DownloadReady` told it.
            to: the zip file to be made, readable by its owner only; or a destination of your own.
            overwrite: replace a file that is there.

        Source: developers.tiktok.com/doc/data-portability-api-download (1000 a minute; for four days once it is ready).

        Raises:
            InvalidInput: that is no id of a request, there is no such folder, or the file is there already.
            StoreError: the archive could not be written.
            Interrupted: it broke off, and is not at its destination.
            SignInRequired, ScopeMissing, ApiError, TransportError, UnexpectedResponse: the call failed; a request that is not
                ready is `ApiError` with the code `invalid_params`.
        """
        return await portability.download_data(self._context, self._open_id, request_id, to, overwrite=overwrite)

    async def tokens(self) -> Tokens:
        """Return tokens that can be used now, renewed if their end is near.

        Raises:
            SignInRequired: there are none, or they can no longer be renewed.
        """
        return await usable_tokens(self._context, self._open_id)

    async def refresh(self) -> Tokens:
        """Renew the tokens now, however long they would have lived.

        Raises:
            SignInRequired: there are none, or they can no longer be renewed.
            TransportError, ApiError, SignInFailed, UnexpectedResponse: TikTok did not renew them.
        """
        return await sign_in.renew(self._context, self._open_id)

    async def revoke(self) -> None:
        """End what the person granted, at TikTok and then in the store.

        Raises:
            TransportError, ApiError, SignInFailed, UnexpectedResponse: TikTok did not end it; the tokens are kept.
        """
        await sign_in.revoke(self._context, self._open_id)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._open_id!r})"
