"""`AsyncAccount`: one signed-in account, with the calls that post and read in its name.

Each method calls a flow in a line or two. `blocking` offers the same methods without `await`.

Longer than 400 lines because most of it is the description of the methods that a user calls, which stand together.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from textwrap import dedent, indent
from typing import TypeVar

from attrs import evolve

from tiktok_core.domain.creator import CreatorInfo
from tiktok_core.domain.display import FoundPost, UserInfo, Video, VideoPage
from tiktok_core.domain.forgetting import Unreadable
from tiktok_core.domain.journal import Record
from tiktok_core.domain.names import covered
from tiktok_core.domain.portability import DataArchive, DataFormat, DataRequest
from tiktok_core.domain.posts import PhotoPost, VideoPost
from tiktok_core.domain.publishing import Progress, Publication, Step
from tiktok_core.domain.retry import RetryLimits
from tiktok_core.domain.schedule import schedule
from tiktok_core.domain.tokens import Tokens
from tiktok_core.flows import display, find, portability, posts, sign_in
from tiktok_core.flows.calls.access import usable_tokens
from tiktok_core.flows.calls.context import Context
from tiktok_core.flows.display import AsyncVideos
from tiktok_core.flows.posting import follow, publish
from tiktok_core.flows.posting.entry import Terms
from tiktok_core.ports import Destination, HasPath, Source

__all__ = ["AsyncAccount"]


M = TypeVar("M", bound=Callable[..., object])


def _with_settings_of(post: type) -> Callable[[M], M]:
    """Copy the descriptions of a post's settings from its class into the docstring of a method."""

    def documented(method: M) -> M:
        # From Python 3.13 on, the compiler takes the common indentation out of docstrings.
        settings, text = dedent((post.__doc__ or "").partition("Attributes:\n")[2].rstrip()), method.__doc__ or ""
        margin = text.partition("{settings}")[0].rpartition("\n")[2]
        method.__doc__ = text.replace("{settings}", indent(settings, margin).lstrip())
        return method

    return documented


class AsyncAccount:
    """One signed-in account, with the calls that post and read in its name."""

    def __init__(self, context: Context, open_id: str) -> None:
        self._context = context
        self._open_id = open_id

    @property
    def open_id(self) -> str:
        """TikTok's id of the account, which holds for this app only."""
        return self._open_id

    def with_options(
        self,
        *,
        timeout: float | None = None,
        deadline: float | None = None,
        retries: int | None = None,
        patience: float | None = None,
    ) -> "AsyncAccount":
        """Return the same account with other options for its calls. Options that are not given keep their values.

        Args:
            timeout: seconds for each single wait of a request, and for each read of a source.
            deadline: seconds for a call, together with its repetitions.
            retries: how often the library repeats a call that it can safely repeat.
            patience: seconds to follow a post before `StillProcessing` is raised.
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
        """Ask TikTok what this creator may post now. Ask again each time you show an export page.

        Source: developers.tiktok.com/doc/content-posting-api-reference-query-creator-info (20 a minute).

        Raises:
            PostingRefused: the creator may not post now.
            SignInRequired, ScopeMissing, ApiError, TransportError, UnexpectedResponse: the call failed.
        """
        return await publish.creator_info(self._context, self._open_id)

    async def user_info(self, fields: Iterable[str] | None = None) -> UserInfo:
        """Ask TikTok for the profile: for the given fields, or for every field that the granted scopes allow.

        Source: developers.tiktok.com/doc/tiktok-api-v2-get-user-info (600 a minute).

        Raises:
            InvalidInput: a field does not exist.
            SignInRequired, ScopeMissing, ApiError, TransportError, UnexpectedResponse: the call failed.
        """
        return await display.user_info(self._context, self._open_id, fields)

    def videos(self, cursor: int | None = None, *, fields: Iterable[str] | None = None) -> AsyncVideos:
        """Return an iterator over the public videos, newest first. It asks TikTok for each page when it needs it.

        Args:
            cursor: a time in ms since 1970 (UTC); the iterator gives only older videos. To continue later, pass the
                iterator's own `cursor`. The newest video comes first unless given.
            fields: the fields to ask for; all fields unless given.

        Source: developers.tiktok.com/doc/tiktok-api-v2-video-list (600 a minute).

        Raises:
            InvalidInput: at the first step: a field does not exist, or the cursor is not a time.
            SignInRequired, ScopeMissing, ApiError, TransportError, UnexpectedResponse: at a step: the call failed; the
                caller can step the iterator again.
        """
        return AsyncVideos(self._context, self._open_id, cursor, fields)

    async def video_page(
        self, cursor: int | None = None, *, count: int = 20, fields: Iterable[str] | None = None
    ) -> VideoPage:
        """Ask TikTok for one page of the public videos, newest first.

        Args:
            cursor: a time in ms since 1970 (UTC); the page has only older videos. It begins at the newest unless given.
            count: how many videos to ask for, at most 20.
            fields: the fields to ask for; all fields unless given.

        Source: developers.tiktok.com/doc/tiktok-api-v2-video-list (600 a minute).

        Raises:
            InvalidInput: a field does not exist, or TikTok would refuse the count or the cursor.
            SignInRequired, ScopeMissing, ApiError, TransportError, UnexpectedResponse: the call failed.
        """
        return await display.video_page(self._context, self._open_id, cursor, count, fields)

    async def query_videos(self, video_ids: Sequence[str], *, fields: Iterable[str] | None = None) -> tuple[Video, ...]:
        """Ask TikTok for these videos, twenty in a call. TikTok leaves out other accounts' videos and those not public.

        Args:
            video_ids: ids of public posts.
            fields: the fields to ask for; all fields unless given.

        Source: developers.tiktok.com/doc/tiktok-api-v2-video-query (600 a minute).

        Raises:
            InvalidInput: an id is not a number, or a field does not exist.
            SignInRequired, ScopeMissing, ApiError, TransportError, UnexpectedResponse: the call failed.
        """
        return await display.query_videos(self._context, self._open_id, video_ids, fields)

    async def find_post(self, post: str, *, wait: bool = False) -> tuple[FoundPost, ...]:
        """Return the public posts that came of a post: none while it is not public, one, or several for a draft.

        TikTok reports the public id long after completion, in the status or in a webhook, and never for a private post.
        While TikTok has not reported it, the library searches the account's videos for the post's caption and a fitting
        time. It does so only for a direct video post in the journal, and only if the person granted the scope `video.list`.
        It never returns a video that it knows to be another post of the journal.

        The address of a post is its `share_url` in the list of videos. For a post that is not in that list (photos never
        are), it is `https://www.tiktok.com/@handle/video/ID` or `.../photo/ID`. The handle comes from the profile (scope
        `user.info.profile`) or the creator info (`video.publish`). The address is None if neither scope was granted.

        Args:
            post: the post's key, or its publish id.
            wait: ask again until TikTok reports the public id, and search the videos only after patience has run out. The
                library does not wait for a post that has failed or that only its creator may watch.

        Raises:
            SignInRequired, ApiError, TransportError, UnexpectedResponse: a call failed; while waiting, five in a row failed.
            StoreError: the journal cannot be read.
        """
        return await find.find_post(self._context, self._open_id, post, wait=wait)

    async def cancel(self, publish_id: str) -> Publication:
        """Ask TikTok to stop pulling a post's media, and return the post's status afterwards: it may have been too late.

        If the journal has the post, the status is stored there, too.

        TikTok cannot cancel the upload of a file. It publishes none before the last byte: see `abandon`.

        Source: developers.tiktok.com/doc/content-posting-api-media-transfer-guide.

        Raises:
            InvalidInput: the text cannot be a publish id.
            SignInRequired, ScopeMissing, ApiError, TransportError, UnexpectedResponse: TikTok did not cancel the post, or
                did not give its status afterwards. For a post that has ended, the error is `ApiError` with the code
                `publish_not_cancellable`; so it may be after a cancellation whose answer was lost.
        """
        return await follow.cancel(self._context, self._open_id, publish_id)

    @_with_settings_of(VideoPost)
    async def post_video(  # noqa: D417 - the class of a post describes its settings
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
        upload: bool | None = None,
        key: str | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        wait: bool = True,
    ) -> Publication:
        """Post a video and follow it to its end.

        Args:
            video: the path of a file, a source, or the URL of what lies elsewhere. The query of a URL is a secret: no message, log or
                record that has ended shows it.
            {settings}
            chunk_size: bytes of a chunk; the library chooses it unless given.
            upload: whether the library sends what lies at a URL, opened by `open_source`, instead of letting TikTok pull it. Unless
                given, TikTok pulls an https URL. The library uploads it only if it is under none of the app's `verified_urls`, where
                these are listed, or if TikTok refuses it as `url_ownership_unverified`. Names with `s3://`, `gs://` and
                `az://` are always opened. With False, nothing is uploaded.
            key: your name for this post. A second call with the same key makes no second post and returns the first one. The
                library compares the two requests, but not once the post ended 90 days ago: from then on the journal
                keeps only the outcome and the publish id. A random key unless given. The result and every error carry it.
            on_progress: called with the bytes sent so far, and with each status. An exception that it raises ends the call
                and reaches the caller unchanged (but PEP 479 makes a `StopIteration` the cause of a `RuntimeError`); the
                post can then be resumed.
            wait: follow the post to its end; otherwise return once TikTok has all the bytes, or has accepted the URL.

        Source: developers.tiktok.com/doc/content-posting-api-reference-direct-post, -upload-video (6 a minute).

        Raises:
            InvalidPost: the post is wrong; the error lists every problem, and nothing was posted. Or a person gave it up.
            PostingRefused, ScopeMissing, RateLimited, ApiError: TikTok refused a call. Nothing was posted, unless the error has
                a `publish_id`: TikTok may have the post then, and `resume` with its key finds out.
            SignInRequired: the account's tokens are gone. Whether anything was posted, as above.
            UploadExpired, SourceChanged: the library could not upload the file; nothing was posted.
            OutcomeUnknown: the answer to a pull, or to the last bytes of a file, was lost; TikTok may have posted it.
            PublishFailed: TikTok accepted the post and later failed it.
            StillProcessing: TikTok has the post and has not finished it yet.
            TransportError, UploadError, UnexpectedResponse: TikTok did not answer, refused bytes, or gave an answer that
                cannot be understood. `resume` with the error's key continues, and never makes a second post.
        """
        media = covered(video)
        del video  # A crash report would show the query of a URL.
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
            media,
            post,
            chunk_size=chunk_size,
            upload=upload,
            key=key,
            on_progress=on_progress,
            wait=wait,
        )

    @_with_settings_of(PhotoPost)
    async def post_photos(  # noqa: D417 - the class of a post describes its settings
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
            key: your name for this post, as for `post_video`.
            on_progress: called with each status. An exception that it raises ends the call, as for `post_video`.
            wait: follow the post to its end; otherwise return once TikTok has accepted it.

        Source: developers.tiktok.com/doc/content-posting-api-reference-photo-post (6 a minute).

        Raises:
            InvalidPost: the post is wrong; the error lists every problem, and nothing was posted.
            OutcomeUnknown: the answer was lost; TikTok may have posted it.
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
        del photo_images  # A crash report would show the queries of their URLs.
        return await publish.post_photos(
            self._context, self._open_id, post, key=key, on_progress=on_progress, wait=wait
        )

    @_with_settings_of(VideoPost)
    async def enter_video(  # noqa: D417 - the class of a post describes its settings
        self,
        video: str | HasPath,
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
        upload: bool | None = None,
        key: str | None = None,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        held: bool = False,
        for_workers: bool = True,
    ) -> Record:
        """Enter a video in the journal without posting it: workers post it, or `resume` and `advance` with its key.

        Args:
            video: the path of a file, or the URL of what lies elsewhere. A worker opens the same path.
            {settings}
            chunk_size: bytes of a chunk; the library chooses it unless given.
            upload: whether the library sends what lies at a URL, as for `post_video`. A worker opens the same URL.
            key: your name for this post, as for `post_video`. For a key that was entered before, nothing changes.
            not_before: the earliest time to begin it, with a time zone, at most 90 days ahead; at once unless given.
            not_after: the latest time to begin it; one hour after `not_before` unless given. Then a person has to release it.
            held: a person has to `release` it before it is begun.
            for_workers: whether workers post it; otherwise only a call with its key does.

        Returns:
            The post's record: a new one, or that of an earlier call with the same key.

        Raises:
            InvalidPost: the post is wrong, or its time is over or too far ahead; the error lists every problem. Or the key stands
                for another post, or for one that was given up.
            SignInRequired: the account is not signed in.
            StoreError: the journal cannot be written.
        """
        media = covered(video)
        del video  # A crash report would show the query of a URL.
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
        terms = Terms(schedule=schedule(not_before, not_after), is_held=held, is_entered=for_workers)
        return await publish.enter_video(
            self._context, self._open_id, media, post, terms, chunk_size=chunk_size, upload=upload, key=key
        )

    @_with_settings_of(PhotoPost)
    async def enter_photos(  # noqa: D417 - the class of a post describes its settings
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
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        held: bool = False,
        for_workers: bool = True,
    ) -> Record:
        """Enter photos in the journal without posting them, as `enter_video` does with a video.

        Args:
            {settings}
            key, not_before, not_after, held, for_workers: as for `enter_video`.

        Returns:
            The post's record: a new one, or that of an earlier call with the same key.

        Raises:
            InvalidPost, SignInRequired, StoreError: as for `enter_video`.
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
        del photo_images  # As for `post_photos`.
        terms = Terms(schedule=schedule(not_before, not_after), is_held=held, is_entered=for_workers)
        return await publish.enter_photos(self._context, self._open_id, post, terms, key=key)

    async def release(self, key: str) -> Record:
        """Let a post be begun that is held, or that was not begun in time. A late one may be begun within an hour from now.

        A post whose time has not come still waits for it.

        Raises:
            InvalidInput: the journal of this account has no such post, or it is neither held nor late.
            LeaseLost: another process is working on the post.
            StoreError: the journal cannot be written.
        """
        return await posts.release(self._context, self._open_id, key)

    async def resume(
        self,
        key: str,
        video: str | HasPath | Source | None = None,
        *,
        on_progress: Callable[[Progress], None] | None = None,
        wait: bool = True,
    ) -> Publication:
        """Continue a post of the journal, which this or another process began. For a post that has ended, return the result.

        For a post that TikTok refused, the call raises the same error again; to try again, post under the same key. For
        a post whose details the journal has forgotten, the call returns its status and publish id.

        Args:
            key: the post's key.
            video: the file again, if it was a source without a name or has moved; or a fresh URL of the same bytes, if the former one
                has expired. Of what TikTok pulls it is not needed.
            on_progress: called with the bytes sent so far, and with each status. An exception that it raises ends the call,
                as for `post_video`.
            wait: follow the post to its end; otherwise return once TikTok has all the bytes, or has accepted the URL.

        Raises:
            InvalidInput: the journal of this account has no such post, or a person gave it up.
            OutcomeUnknown: TikTok may or may not have posted it; see `settle`.
            TikTokError: as for `post_video`.
        """
        media = covered(video)
        del video  # A crash report would show the query of a URL.
        return await publish.resume(self._context, self._open_id, key, media, on_progress=on_progress, wait=wait)

    async def advance(
        self,
        key: str,
        video: str | HasPath | Source | None = None,
        *,
        until_wait: float | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> Step:
        """Take one step with a post of the journal, and return when to call again. Any number of processes may call this.

        A step is an init, a chunk, or a question for the status. With `until_wait`, the call takes step after step, as one owner
        and in an upload slot, so that TikTok is not asked before each chunk how much it has.

        Args:
            key: the post's key.
            video: the file again, or a fresh URL, as for `resume`.
            until_wait: take steps until the next one is more than this many seconds away; one step unless given.
            stop: asked after each of these steps; the call returns once it says True.

        Raises:
            InvalidInput: the journal of this account has no such post.
            ReleaseRequired: the post is held, or was not begun in time: a person has to `release` it.
            TikTokError: a step failed; the journal holds what the library knew by then. `come_again` says when to call again.
        """
        media = covered(video)
        del video  # A crash report would show the query of a URL.
        return await publish.advance(self._context, self._open_id, key, media, until_wait=until_wait, stop=stop)

    async def post(self, name: str) -> Record | None:
        """Return one post of this account in the journal; None if the journal has none of this name.

        Args:
            name: the post's key or, where no post has that key, its publish id.

        Raises:
            StoreError: the journal, or the record of this key, cannot be read.
        """
        return await posts.post(self._context, self._open_id, name)

    async def posts(self, *, since: datetime | None = None) -> tuple[Record, ...]:
        """Return this account's posts in the journal, oldest first: the unfinished ones and those of the last 90 days.

        The result leaves out records that cannot be read; see `unreadable`.

        Args:
            since: only posts in which something happened at this time or later; it needs a time zone.

        Raises:
            InvalidInput: the time has no time zone.
            StoreError: the journal cannot be read.
        """
        return await posts.posts(self._context, self._open_id, since)

    async def unfinished(self) -> tuple[Record, ...]:
        """Return this account's posts that have not ended, oldest first.

        The result leaves out records that cannot be read; see `unreadable`.

        Raises:
            StoreError: the journal cannot be read.
        """
        return await posts.unfinished(self._context, self._open_id)

    async def unreadable(self) -> tuple[Unreadable, ...]:
        """List this account's records that cannot be read, because they are damaged or another release wrote them.

        Other posts work as usual. A call with the key of such a record raises its `StoreError`; `forget` removes it. The list may
        lack a post that had ended before its record was damaged.

        Raises:
            StoreError: the journal itself cannot be read.
        """
        return await posts.unreadable(self._context, self._open_id)

    async def forget(self, key: str) -> None:
        """Remove a post's record from the journal now: a record that cannot be read, or one whose post has ended.

        The journal remembers for good that the key was used, so the key never makes another post. The exception is a
        refused post: its record says that nothing was posted. If the record is gone already, nothing happens.

        Raises:
            InvalidInput: the journal of this account has no such post, or the post has not ended.
            LeaseLost: another process is working on the post.
            StoreError: the journal cannot be written.
        """
        await posts.forget(self._context, self._open_id, key)

    async def derived_key(self, prefix: str) -> str:
        """Return the key under which to post what `prefix` names, such as a digest of the media and the settings.

        While an earlier post of the prefix goes on, and for 60 minutes after it has ended well, its key is returned, so that a
        repeated wish makes no second post. After a failure, after a person gave it up, and later, a new key is returned: the prefix
        with the next number. Callers that race get the same key.

        Raises:
            StoreError: the journal cannot be read.
        """
        return await posts.derived_key(self._context, self._open_id, prefix)

    async def settle(self, key: str, *, posted: bool) -> Publication:
        """Record the outcome of a post after `OutcomeUnknown`, once a person has looked at the account.

        Raises:
            InvalidInput: there is no such post, or its outcome is known.
            LeaseLost: another process is working on the post.
        """
        return await posts.settle(self._context, self._open_id, key, posted=posted)

    async def abandon(self, key: str) -> Publication:
        """Give a post up before it can be published, for good: its key never begins another post.

        A file can be given up until the request with its last byte begins, because TikTok publishes nothing before. A pull or
        photos can be given up only before their init is sent; afterwards see `cancel`. A post that has an unknown outcome is
        settled (`settle`). TikTok drops the bytes that it has of a file by itself.

        A process that works on the post stops before its next act, and its call raises the same error as each later call with
        this key: `InvalidPost`, which says when the post was given up. To post after all, take another key. If the post was
        given up before, nothing happens. If TikTok reports an end of the post all the same, the record shows that end.

        Raises:
            InvalidInput: there is no such post, it has ended, or it may have been published; nothing was changed.
            LeaseLost: another process is working on the post, and the journal does not let it be stopped.
            StoreError: the journal cannot be written.
        """
        return await posts.abandon(self._context, self._open_id, key)

    async def publish_status(self, publish_id: str) -> Publication:
        """Ask TikTok for a post's status. For a failed post, return the status too, and raise nothing.

        TikTok may not know a publish id yet in the first minute after it has given it. The answer is `ApiError` with the code
        `invalid_publish_id` then: ask again, or use `wait`, which does.

        Source: developers.tiktok.com/doc/content-posting-api-reference-get-video-status (30 a minute).

        Raises:
            SignInRequired, ScopeMissing, ApiError, TransportError, UnexpectedResponse: the call failed.
        """
        return await follow.publish_status(self._context, self._open_id, publish_id)

    async def wait(self, publish_id: str) -> Publication:
        """Ask for a post's status until it has ended, and return it. An end that a webhook reported to the journal counts.

        Raises:
            PublishFailed: TikTok failed the post.
            StillProcessing: patience ran out first.
            StoreError: the journal cannot be read.
            SignInRequired, ScopeMissing, ApiError, TransportError, UnexpectedResponse: a call failed.
        """
        return await follow.wait(self._context, self._open_id, publish_id)

    async def request_data(self, categories: Iterable[str], *, data_format: str = DataFormat.JSON) -> int:
        """Ask TikTok for a copy of this account's data. TikTok needs seconds to hours to prepare it.

        The call spends a one-time scope (`portability.*.single`). So the library does not repeat it after a lost answer: the
        webhook `DownloadReady` still reports the request's id.

        Args:
            categories: one or more of `DataCategory`; `all_data` takes precedence over the others.
            data_format: the format of the files in the archive, a `DataFormat`.

        Returns:
            The request's id, a 64-bit number.

        Source: developers.tiktok.com/doc/data-portability-api-add-data-request (1000 a minute; people in the EEA and the UK).

        Raises:
            InvalidInput: no category was given, or a category or the format does not exist; nothing was sent.
            ScopeMissing: the person did not grant these categories, or the one-time scope is spent.
            Interrupted: the answer was lost; TikTok may have accepted the request.
            SignInRequired, ApiError, TransportError, UnexpectedResponse: the call failed.
        """
        return await portability.request_data(self._context, self._open_id, categories, data_format)

    async def check_data(self, request_id: int) -> DataRequest:
        """Ask TikTok for the status of a request for data. The webhook `DownloadReady` reports when the archive is ready.

        Args:
            request_id: as `request_data` returned it.

        Source: developers.tiktok.com/doc/data-portability-api-check-status-of-data-request (1000 a minute).

        Raises:
            InvalidInput: the id is not a positive 64-bit number.
            SignInRequired, ScopeMissing, ApiError, TransportError, UnexpectedResponse: the call failed. For a request that
                TikTok does not know, the error is `ApiError` with the code `invalid_params`.
        """
        return await portability.check_data(self._context, self._open_id, request_id)

    async def cancel_data(self, request_id: int) -> DataRequest:
        """Cancel a request for data, and return its status afterwards.

        Args:
            request_id: as `request_data` returned it.

        Source: developers.tiktok.com/doc/data-portability-api-cancel-data-request (1000 a minute).

        Raises:
            InvalidInput: the id is not a positive 64-bit number.
            SignInRequired, ScopeMissing, ApiError, TransportError, UnexpectedResponse: a call failed.
        """
        return await portability.cancel_data(self._context, self._open_id, request_id)

    async def download_data(
        self, request_id: int, to: str | HasPath | Destination, *, overwrite: bool = False
    ) -> DataArchive:
        """Download the archive of a request that is ready. The library streams it, so it may be of any size.

        The file appears at its destination only once it is complete. If a download breaks off, the library begins again from
        the start, within the deadline.

        Args:
            request_id: as `request_data` returned it, or as `DownloadReady` reported it.
            to: the path of the zip file, which only its owner can read; or a destination of your own.
            overwrite: replace a file that exists.

        Source: developers.tiktok.com/doc/data-portability-api-download (1000 a minute; for four days once it is ready).

        Raises:
            InvalidInput: the id is not a positive 64-bit number, the folder does not exist, or the file exists already.
            StoreError: the archive could not be written.
            Interrupted: the download broke off; there is no file at the destination.
            SignInRequired, ScopeMissing, ApiError, TransportError, UnexpectedResponse: the call failed. For a request that
                is not ready, the error is `ApiError` with the code `invalid_params`.
        """
        return await portability.download_data(self._context, self._open_id, request_id, to, overwrite=overwrite)

    async def tokens(self) -> Tokens:
        """Return tokens that are valid now. The library renews them first if they end soon.

        Raises:
            SignInRequired: the account has no tokens, or they can no longer be renewed.
        """
        return await usable_tokens(self._context, self._open_id)

    async def refresh(self) -> Tokens:
        """Renew the tokens now, even if they are valid for longer.

        Raises:
            SignInRequired: the account has no tokens, or they can no longer be renewed.
            TransportError, ApiError, SignInFailed, UnexpectedResponse: TikTok did not renew them.
        """
        return await sign_in.renew(self._context, self._open_id)

    async def revoke(self) -> None:
        """Revoke the person's grant at TikTok, then delete the tokens from the store.

        Raises:
            TransportError, ApiError, SignInFailed, UnexpectedResponse: TikTok did not revoke it; the store keeps the tokens.
        """
        await sign_in.revoke(self._context, self._open_id)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._open_id!r})"
