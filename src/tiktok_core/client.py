"""`AsyncTikTok`: the client of one app, over adapters of your choice.

Each method calls a flow in a line or two. `blocking` offers the same methods without `await`.

Longer than 400 lines because most of it is the description of the methods that a user calls, which stand together.
"""

import secrets
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Literal, NoReturn, Self

from tiktok_core.account import AsyncAccount
from tiktok_core.domain.app import App, Endpoints
from tiktok_core.domain.creator import CreatorInfo
from tiktok_core.domain.events import AuthorizationRemoved, Event, PostEvent
from tiktok_core.domain.journal import Record, Wish
from tiktok_core.domain.names import covered
from tiktok_core.domain.pkce import ChallengeEncoding
from tiktok_core.domain.posts import PhotoPost, VideoPost
from tiktok_core.domain.publishing import Publication
from tiktok_core.domain.qr import QrCheck, QrCode
from tiktok_core.domain.retry import RetryLimits
from tiktok_core.domain.sign_in import LIFE, Authorization
from tiktok_core.domain.tokens import ClientToken, Secret, Tokens
from tiktok_core.errors import SignInRequired
from tiktok_core.flows import posts, qr, sign_in
from tiktok_core.flows.calls.context import Context
from tiktok_core.flows.calls.pace import OwnPacer
from tiktok_core.flows.calls.plain_ports import AtOnce, Unprotected
from tiktok_core.flows.calls.renew import close
from tiktok_core.flows.posting.check import photo_wish, video_wish
from tiktok_core.flows.posting.entry import usually_cut
from tiktok_core.flows.posting.follow import receive
from tiktok_core.flows.posting.turn import postpone
from tiktok_core.ports import (
    AsyncBackground,
    AsyncClock,
    AsyncJournal,
    AsyncPacer,
    AsyncProbe,
    AsyncProtect,
    AsyncTokenStore,
    AsyncTransport,
    AsyncUploadSlots,
    HasPath,
    OpenDestination,
    Source,
)
from tiktok_core.wire.webhooks import TOLERANCE, verify_webhook

__all__ = ["AsyncTikTok"]


class AsyncTikTok:
    """The client of one app, over adapters of your choice.

    Args:
        app: the app, as registered in TikTok's developer portal.
        transport: sends requests.
        tokens: stores the tokens of each account.
        journal: stores the record of each post, so that no post is made twice and each can be continued.
        clock: tells the time and waits.
        pacer: keeps to TikTok's quotas across all clients that share it; unless given, this client counts its own calls only.
        slots: limits how many uploads run at once; the others wait before they begin. No limit unless given.
        probe: reads the videos that the library cannot read by itself. False: only first bytes and layout are checked.
        protect: finishes a renewal that is cancelled half-way; without it, such a renewal can lose the sign-in.
        background: reads files outside of the event loop, and gives up on a disk that hangs; without it, they are read in it.
        open_source: opens a file by its path, or what lies at a URL, for `post_video`; without it, only sources can be uploaded. If
            it has a method `close`, the client calls it at its end.
        open_destination: opens a path for `download_data`; without it, `download_data` takes only destinations.
        endpoints: TikTok's addresses; the real ones unless given.
        entropy: returns the requested number of unpredictable bytes.
        timeout: seconds for each single wait of a request, and for each read of a source.
        deadline: seconds for a call, together with its repetitions.
        retries: how often the library repeats a call that it can safely repeat.
        patience: seconds to follow a post before `StillProcessing` is raised.
        account: the `open_id` that `account()` returns by default; the only account that is signed in unless given.

    As a context manager, the client closes all its adapters at the end, after `protect` has finished its work. Without
    `with`, call `close`. Over aiohttp the client belongs to the event loop of its first call: in another one, such as that
    of a second `asyncio.run`, each call raises `Misused` and sends nothing.
    """

    def __init__(
        self,
        app: App,
        *,
        transport: AsyncTransport,
        tokens: AsyncTokenStore,
        journal: AsyncJournal,
        clock: AsyncClock,
        pacer: AsyncPacer | None = None,
        slots: AsyncUploadSlots | None = None,
        probe: AsyncProbe | Literal[False] | None = None,
        protect: AsyncProtect | None = None,
        background: AsyncBackground | None = None,
        open_source: Callable[[str | HasPath], Source] | None = None,
        open_destination: OpenDestination | None = None,
        endpoints: Endpoints | None = None,
        entropy: Callable[[int], bytes] = secrets.token_bytes,
        timeout: float = 30.0,
        deadline: float = 120.0,
        retries: int = 2,
        patience: float = 900.0,
        account: str | None = None,
    ) -> None:
        self._context = Context(
            app=app,
            endpoints=endpoints or Endpoints(),
            transport=transport,
            tokens=tokens,
            journal=journal,
            clock=clock,
            protect=protect or Unprotected(),
            background=background or AtOnce(),
            entropy=entropy,
            open_source=open_source,
            open_destination=open_destination,
            timeout=timeout,
            retry_limits=RetryLimits(retries=retries, deadline=deadline),
            pacer=pacer or OwnPacer(),
            slots=slots,
            probe=probe,
            patience=patience,
        )
        self._account = account

    @property
    def app(self) -> App:
        """The app that the client was given."""
        return self._context.app

    @property
    def clock(self) -> AsyncClock:
        """The clock that the client was given."""
        return self._context.clock

    def authorization(
        self,
        scopes: Iterable[str] | None = None,
        *,
        redirect_uri: str | None = None,
        challenge_encoding: ChallengeEncoding | None = None,
        always_ask: bool = False,
    ) -> Authorization:
        """Begin a sign-in. Open the returned `url` in the person's browser, and keep the value for `sign_in`.

        Args:
            scopes: the scopes to ask for; `user.info.basic`, `video.upload` and `video.publish` unless given.
            redirect_uri: the app's redirect URI, with a concrete port in place of a wildcard; the app's own unless given.
            challenge_encoding: the encoding of the PKCE challenge; the app's `challenge` unless given.
            always_ask: show the consent page even to a person who consented before, so that they can switch the account.

        Source: developers.tiktok.com/doc/login-kit-web, /doc/login-kit-desktop.

        Raises:
            InvalidSettings: a scope is unknown, or the redirect URI is not the app's.
        """
        return sign_in.begin(self._context, scopes, redirect_uri, challenge_encoding, always_ask=always_ask)

    async def sign_in(
        self, authorization: Authorization, callback: str | Secret, *, max_age: float = LIFE
    ) -> AsyncAccount:
        """Finish a sign-in with the URL (or its query) to which TikTok sent the browser back, and store the tokens.

        The person may have signed in with another account than you expected: compare `open_id`. The person may also have
        granted fewer scopes than you asked for: see `missing` of the account's tokens.

        An answer counts for `max_age` seconds. The address of TikTok's own error page is an answer, too.
        Source: developers.tiktok.com/doc/oauth-user-access-token-management.

        Raises:
            StateMismatch: the answer does not belong to this sign-in.
            AccessDenied: the person refused.
            GrantRejected: the code is expired, used, or for another redirect URI.
            SignInFailed: the sign-in is too old, TikTok's page named a parameter to correct, or TikTok gave no tokens.
            TransportError, ApiError, UnexpectedResponse: TikTok gave no tokens.
        """
        answer = Secret(callback)
        del callback  # A crash report would show it.
        tokens = await sign_in.complete(self._context, authorization, answer, max_age)
        return AsyncAccount(self._context, tokens.open_id)

    async def sign_in_with_code(
        self, authorization: Authorization, code: str | Secret, *, max_age: float = LIFE
    ) -> AsyncAccount:
        """Finish a sign-in with a code that a person copied by hand, plain or percent-encoded as in an address.

        Such a code comes without its state, so only PKCE ties it to this sign-in. That is enough if TikTok checks the
        challenge, which it documents for desktop apps. The route of a web application must call `sign_in` instead.

        Source: developers.tiktok.com/doc/login-kit-desktop; RFC 9700 section 2.1.

        Raises:
            InvalidInput: the text cannot be a code.
            GrantRejected: the code is expired, used, or for another redirect URI.
            SignInFailed: the sign-in sent no challenge, is too old, or TikTok gave no tokens.
            TransportError, ApiError, UnexpectedResponse: TikTok gave no tokens.
        """
        alone = Secret(code)
        del code  # A crash report would show it.
        tokens = await sign_in.complete_with_code(self._context, authorization, alone, max_age)
        return AsyncAccount(self._context, tokens.open_id)

    async def qr_code(self, scopes: Iterable[str] | None = None) -> QrCode:
        """Begin a sign-in by QR code. Draw the returned `url`, and call `check_qr_code` every few seconds.

        Args:
            scopes: the scopes to ask for; `user.info.basic`, `video.upload` and `video.publish` unless given.

        Source: developers.tiktok.com/doc/login-kit-qr-code-authorization.

        Raises:
            InvalidSettings: a scope is unknown.
            SignInFailed, TransportError, ApiError, UnexpectedResponse: TikTok gave no QR code.
        """
        return await qr.begin_qr(self._context, scopes)

    async def check_qr_code(self, begun: QrCode, *, max_age: float = LIFE) -> QrCheck:
        """Ask TikTok once for the status of a QR code. If the person has agreed, finish the sign-in and store the tokens.

        Returns:
            The status, with the account's `open_id` if it is confirmed. If the code has expired, begin again with `qr_code`.

        Source: developers.tiktok.com/doc/login-kit-qr-code-authorization.

        Raises:
            StateMismatch: the answer does not belong to this QR code.
            SignInFailed, TransportError, ApiError, UnexpectedResponse: TikTok gave no status, or no tokens.
        """
        return await qr.check_qr(self._context, begun, max_age)

    async def sign_in_by_qr_code(
        self,
        show: Callable[[QrCode], None],
        scopes: Iterable[str] | None = None,
        *,
        on_status: Callable[[str], None] | None = None,
        limit: float = 300.0,
    ) -> AsyncAccount:
        """Sign in by QR code from beginning to end, and store the tokens.

        Args:
            show: called with each QR code, to draw it. When a code expires, the library begins another one.
            scopes: as for `qr_code`.
            on_status: called with each new status.
            limit: seconds for the whole sign-in.

        Source: developers.tiktok.com/doc/login-kit-qr-code-authorization.

        Raises:
            InvalidSettings: a scope is unknown.
            StateMismatch: the answer does not belong to this QR code.
            SignInFailed: the person did not agree in time, or TikTok gave no tokens.
            TransportError, ApiError, UnexpectedResponse: TikTok gave no QR code, or no tokens.
        """
        tokens = await qr.sign_in_by_qr(self._context, show, scopes, on_status, limit)
        return AsyncAccount(self._context, tokens.open_id)

    async def client_token(self) -> ClientToken:
        """Return a new token of the app itself, for calls on behalf of no account. The library does not store it.

        Source: developers.tiktok.com/doc/client-access-token-management (two hours; for Research and Commercial Content).

        Raises:
            SignInFailed: TikTok refused, for example because the app may not use this grant.
            TransportError, ApiError, UnexpectedResponse: TikTok gave no token.
        """
        return await sign_in.client_token(self._context)

    async def check_video(
        self,
        video: str | HasPath | Source,
        post: VideoPost,
        *,
        chunk_size: int | None = None,
        upload: bool | None = None,
        creator: CreatorInfo | None = None,
        fetch: bool = False,
    ) -> Wish:
        """Check a video and its settings as `post_video` does before it calls TikTok. This needs no sign-in.

        The chunk plan in the result is the one that `post_video` would use. It differs from the usual plan if the journal
        knows that TikTok refused that one.

        Args:
            video: the path of a file, a source, or the URL of what lies elsewhere.
            post: the settings.
            chunk_size: bytes of a chunk; the library chooses it unless given.
            upload: whether the library sends what lies at a URL, as for `post_video`. If so, the URL is opened and looked into.
            creator: the answer of `creator_info`; if given, the creator's options and longest duration are checked too.
            fetch: fetch the first bytes of a video that TikTok pulls; otherwise the library does not contact that server.

        Returns:
            The post as it would be made, with the chunk plan of what is uploaded.

        Raises:
            InvalidPost: the post is wrong; the error lists every problem.
            SourceChanged: the file can no longer be read, or a read takes too long.
        """
        media = covered(video)
        del video  # A crash report would show the query of a URL.
        wish, _ = await video_wish(self._context, media, post, chunk_size, creator=creator, fetch=fetch, upload=upload)
        return await usually_cut(self._context, wish)

    async def check_photos(
        self,
        post: PhotoPost,
        *,
        files: Sequence[str | HasPath | Source] = (),
        creator: CreatorInfo | None = None,
        fetch: bool = False,
    ) -> Wish:
        """Check photos and their settings as `post_photos` does before it calls TikTok. This needs no sign-in.

        Args:
            post: the settings, with the URLs that TikTok pulls.
            files: the same pictures as files or sources, in the same order; if given, the library checks them.
            creator: the answer of `creator_info`; if given, the creator's options are checked too.
            fetch: fetch the beginning of each picture and check it; otherwise the library does not contact those servers.

        Raises:
            InvalidPost: the post is wrong; the error lists every problem, each with its picture (`photo_images[3]`, or `files[3]`).
        """
        return await photo_wish(self._context, post, files=files, creator=creator, fetch=fetch)

    def verify_webhook(
        self, body: bytes, signature: str | None, *, received_at: datetime | None = None, tolerance: float = TOLERANCE
    ) -> Event:
        """Check that TikTok signed a webhook, and return its event.

        Args:
            body: the request's body, byte for byte as it came.
            signature: the header `TikTok-Signature`.
            received_at: when the webhook came, if it has waited in a queue since; now unless given.
            tolerance: seconds by which the signature's time may lie before or after that time.

        Source: developers.tiktok.com/doc/webhooks-verification.

        Raises:
            WebhookRejected: TikTok did not sign these bytes for this app, or the signature's time lies in the future.
            StaleWebhook: TikTok signed it longer ago than the tolerance; the error carries the event.
            InvalidInput: the tolerance is negative or not a finite number.
            TypeError: the body is not bytes, or the signature is not a string.
        """
        now = received_at or self._context.clock.now()
        return verify_webhook(self._context.app, body, signature, now=now, tolerance=tolerance)

    async def received(self, event: Event) -> Publication | None:
        """Record an event's news of a post in the journal. A call that waits for the post then ends without asking TikTok.

        `AuthorizationRemoved` marks the account's tokens as refused, if they were issued before the event.

        Returns:
            The post's state after the event. None if the journal has no details of such a post, or cannot read them.

        Raises:
            StoreError: the journal, or the store of the tokens, cannot be read or written.
        """
        if isinstance(event, AuthorizationRemoved) and event.open_id:
            await sign_in.removed(self._context, event.open_id, event.created_at)
        return await receive(self._context, event) if isinstance(event, PostEvent) else None

    async def account(self, open_id: str | None = None) -> AsyncAccount:
        """Return a signed-in account: the given one, the client's default, or the only one.

        Raises:
            SignInRequired: the account is not signed in, or none is.
            InvalidSettings: several accounts are signed in, and neither the call nor the client names one.
        """
        chosen = open_id or self._account or await sign_in.only_account(self._context)
        if await self._context.tokens.load(chosen) is None:
            raise SignInRequired(chosen, "it never signed in, or its sign-in was ended")
        return AsyncAccount(self._context, chosen)

    async def forget(self, open_id: str) -> None:
        """Delete an account's tokens from the store, even tokens that cannot be read. This does not call TikTok.

        The person's grant stays valid at TikTok until it expires or the person removes it in the app; `revoke` ends it.

        Raises:
            StoreError: the store cannot be written.
        """
        await self._context.tokens.delete(open_id)

    async def unfinished(self) -> tuple[Record, ...]:
        """Return the posts that have not ended, over all accounts of this app, oldest first.

        The result leaves out records that cannot be read; see `Account.unreadable`.

        Raises:
            StoreError: the journal cannot be read.
        """
        return await posts.unfinished_of_all(self._context)

    async def due_posts(self, *, within: float = 0.0) -> tuple[Record, ...]:
        """Return the posts that workers are to go on with now, over all accounts of this app, by the time they were due.

        These were entered for workers (`enter_video`), have not ended, and wait neither for their time nor for a person.

        Args:
            within: seconds from now; posts that are due by then are returned, too.

        Raises:
            StoreError: the journal cannot be read.
        """
        return await posts.due_posts(self._context, within)

    async def postpone(self, record: Record, seconds: float) -> bool:
        """Store when a worker is to come for a post again, as what `due_posts` goes by. Of several callers one succeeds.

        `advance` with `until_wait` does it by itself. A worker calls this after an error, and a sweeper before it calls a worker.

        Args:
            record: the post, as `due_posts` or `unfinished` returned it.
            seconds: from now.

        Returns:
            False if the post has changed since, is due later anyway, has ended, is held, or was not entered for workers; nothing was
            stored.

        Raises:
            StoreError: the journal cannot be written.
        """
        return await postpone(self._context, record, seconds)

    async def accounts(self) -> tuple[Tokens, ...]:
        """Return the tokens of all signed-in accounts but those that cannot be read: the log warns of each of these.

        Raises:
            StoreError: the store cannot be read, or it holds tokens and none of them can be read.
        """
        return await sign_in.all_tokens(self._context)

    async def close(self) -> None:
        """Wait for the protected work, then close the transport, the token store, the journal, the pacer and `open_source`.

        If another task or thread is renewing tokens, this waits for TikTok's answer and saves the tokens first.

        Raises:
            StoreError: the store still cannot save renewed tokens; they are lost.
            Misused: the client belongs to another event loop, which has not ended: close it there. All but the connections is
                closed already; nothing is while tokens are renewed there.
        """
        await close(self._context)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a client is not pickled: make one where it is needed")
