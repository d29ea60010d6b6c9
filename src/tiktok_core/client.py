"""`AsyncTikTok`: an app at TikTok, with every port an adapter of your choice.

Each method is a line or two over a flow; `blocking` shows the same without `await`.
"""

import secrets
from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from typing import NoReturn, Self

from tiktok_core.account import AsyncAccount
from tiktok_core.domain.app import App, Endpoints
from tiktok_core.domain.creator import CreatorInfo
from tiktok_core.domain.events import Event, PostEvent
from tiktok_core.domain.journal import Wish
from tiktok_core.domain.pkce import ChallengeEncoding
from tiktok_core.domain.posts import PhotoPost, VideoPost
from tiktok_core.domain.publishing import Publication
from tiktok_core.domain.qr import QrCheck, QrCode
from tiktok_core.domain.retry import RetryLimits
from tiktok_core.domain.sign_in import Authorization
from tiktok_core.domain.tokens import ClientToken, Secret, Tokens
from tiktok_core.errors import SignInRequired
from tiktok_core.flows import qr, sign_in
from tiktok_core.flows.calls.context import Context
from tiktok_core.flows.calls.pace import OwnPacer
from tiktok_core.flows.calls.plain_ports import AtOnce, Unprotected
from tiktok_core.flows.calls.renew import save_what_is_held
from tiktok_core.flows.posting.check import photo_wish, video_wish
from tiktok_core.flows.posting.entry import usually_cut
from tiktok_core.flows.posting.follow import receive
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
    """An app at TikTok, with every port an adapter of your choice.

    Args:
        app: the app, as registered in TikTok's developer portal.
        transport: sends requests.
        tokens: keeps tokens.
        journal: keeps the record of each post, so that none is made twice and each can be gone on with.
        clock: time and waiting.
        pacer: keeps to TikTok's quotas, together with whoever shares it; this client alone unless given.
        slots: bounds how many uploads run at once; the others wait before they begin. All run unless given.
        probe: looks into videos before they are posted; without it only their first bytes and their layout are looked at.
        protect: finishes a renewal that is cancelled half-way; without it such a renewal can lose the sign-in.
        background: reads files where that holds up no other task, and gives up a disk that hangs; without it they are read in
            the event loop.
        open_source: opens a named file for `post_video`; without it only sources and URLs can be posted.
        open_destination: says where a named file of `download_data` is kept; without it only destinations can be given.
        endpoints: where TikTok is, unless it is the real one.
        entropy: returns that many unpredictable bytes.
        timeout: seconds for each single wait of a request, and for a source that is asked for bytes.
        deadline: seconds for a call with all its repetitions.
        retries: how often a call is repeated where that can do no harm.
        patience: seconds to follow a post before saying that it is still processing.
        account: the `open_id` that `account()` means where none is named; the only one signed in unless given.

    Whoever makes the adapters closes them: as a context manager this closes all of them at the end, once what `protect`
    has begun is finished.
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
        probe: AsyncProbe | None = None,
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
        """The app."""
        return self._context.app

    def authorization(
        self,
        scopes: Iterable[str] | None = None,
        *,
        redirect_uri: str | None = None,
        challenge_encoding: ChallengeEncoding | None = None,
        always_ask: bool = False,
    ) -> Authorization:
        """Begin a sign-in: open the returned `url` in the person's browser and keep the value for `sign_in`.

        Args:
            scopes: what to ask for; `user.info.basic`, `video.upload` and `video.publish` unless given.
            redirect_uri: the app's, with its port when that is a wildcard; the app's own unless given.
            challenge_encoding: how PKCE's challenge is written; TikTok's hexadecimal unless given.
            always_ask: show the page even to somebody who consented before, so that the account can be switched.

        Source: developers.tiktok.com/doc/login-kit-web, /doc/login-kit-desktop.

        Raises:
            InvalidSettings: an unknown scope, or a redirect URI that is not the app's.
        """
        return sign_in.begin(self._context, scopes, redirect_uri, challenge_encoding, always_ask=always_ask)

    async def sign_in(self, authorization: Authorization, callback: str | Secret) -> AsyncAccount:
        """Finish a sign-in with the URL (or query) that the browser was sent back to, and keep the tokens.

        Who has signed in need not be whom you expected: compare the account's `open_id`. What was granted may be less than
        was asked for: see `missing` of its tokens.

        Source: developers.tiktok.com/doc/oauth-user-access-token-management.

        Raises:
            StateMismatch: the answer does not belong to this sign-in.
            AccessDenied: the person said no.
            GrantRejected: the code is expired, used, or for another redirect URI.
            SignInFailed: the sign-in was begun more than ten minutes ago, or TikTok gave no tokens.
            TransportError, ApiError, UnexpectedResponse: TikTok gave no tokens.
        """
        answer = Secret(callback)
        del callback  # A crash report would show it.
        tokens = await sign_in.complete(self._context, authorization, answer)
        return AsyncAccount(self._context, tokens.open_id)

    async def sign_in_with_code(self, authorization: Authorization, code: str | Secret) -> AsyncAccount:
        """Finish a sign-in with a code alone, which a person brought by hand; as it is, or as an address spells it.

        A code alone carries no state, so PKCE alone ties it to this sign-in. That is enough where TikTok checks the
        challenge, which it documents for desktop apps; a web application's route takes `sign_in`, and never this.

        Source: developers.tiktok.com/doc/login-kit-desktop; RFC 9700 section 2.1.

        Raises:
            InvalidInput: that is no code.
            GrantRejected: the code is expired, used, or for another redirect URI.
            SignInFailed: no challenge was sent, the sign-in is too old, or TikTok gave no tokens.
            TransportError, ApiError, UnexpectedResponse: TikTok gave no tokens.
        """
        alone = Secret(code)
        del code  # A crash report would show it.
        tokens = await sign_in.complete_with_code(self._context, authorization, alone)
        return AsyncAccount(self._context, tokens.open_id)

    async def qr_code(self, scopes: Iterable[str] | None = None) -> QrCode:
        """Begin a sign-in by QR code: draw the returned `url`, and ask `check_qr_code` every few seconds.

        Args:
            scopes: what to ask for; `user.info.basic`, `video.upload` and `video.publish` unless given.

        Source: developers.tiktok.com/doc/login-kit-qr-code-authorization.

        Raises:
            InvalidSettings: an unknown scope.
            SignInFailed, TransportError, ApiError, UnexpectedResponse: TikTok gave no QR code.
        """
        return await qr.begin_qr(self._context, scopes)

    async def check_qr_code(self, begun: QrCode) -> QrCheck:
        """Ask once how a QR code is doing; when the person has agreed, finish the sign-in and keep the tokens.

        Returns:
            Its status, and the `open_id` once it is confirmed. An expired code needs another one.

        Source: developers.tiktok.com/doc/login-kit-qr-code-authorization.

        Raises:
            StateMismatch: the answer does not belong to what was drawn.
            SignInFailed, TransportError, ApiError, UnexpectedResponse: TikTok gave no status, or no tokens.
        """
        return await qr.check_qr(self._context, begun)

    async def sign_in_by_qr_code(
        self,
        show: Callable[[QrCode], None],
        scopes: Iterable[str] | None = None,
        *,
        on_status: Callable[[str], None] | None = None,
        limit: float = 300.0,
    ) -> AsyncAccount:
        """Sign in by QR code from beginning to end, and keep the tokens.

        Args:
            show: draws a code; called again with another one when it has expired.
            scopes: as for `qr_code`.
            on_status: told of each new status.
            limit: seconds for all of it.

        Source: developers.tiktok.com/doc/login-kit-qr-code-authorization.

        Raises:
            InvalidSettings: an unknown scope.
            StateMismatch: the answer does not belong to what was drawn.
            SignInFailed: nobody has agreed in time, or TikTok gave no tokens.
            TransportError, ApiError, UnexpectedResponse: TikTok gave no QR code, or no tokens.
        """
        tokens = await qr.sign_in_by_qr(self._context, show, scopes, on_status, limit)
        return AsyncAccount(self._context, tokens.open_id)

    async def client_token(self) -> ClientToken:
        """Return a new token of the app itself, for calls in nobody's name. Nothing keeps it but you.

        Source: developers.tiktok.com/doc/client-access-token-management (two hours; for Research and Commercial Content).

        Raises:
            SignInFailed: TikTok refused, say because the app may not use this grant.
            TransportError, ApiError, UnexpectedResponse: TikTok gave no token.
        """
        return await sign_in.client_token(self._context)

    async def check_video(
        self,
        video: str | HasPath | Source,
        post: VideoPost,
        *,
        chunk_size: int | None = None,
        creator: CreatorInfo | None = None,
        fetch: bool = False,
    ) -> Wish:
        """Check a video and its settings as `post_video` does before it asks TikTok; nobody need have signed in.

        The plan is the one by which it would be sent: where TikTok has refused the usual one, as the journal knows, another.

        Args:
            video: a file's name, a source, or an https URL that TikTok pulls.
            post: the settings.
            chunk_size: bytes of a chunk; planned unless given.
            creator: who shall post it, as `creator_info` told; their options and longest duration count, too, if given.
            fetch: ask the server of a URL for the video's first bytes; nothing is ever asked of it otherwise.

        Returns:
            What would be posted, with the plan by which a file would be cut.

        Raises:
            InvalidPost: every problem at once.
            SourceChanged: the file does not answer in time, or can no longer be read.
        """
        wish, _ = await video_wish(self._context, video, post, chunk_size, creator=creator, fetch=fetch)
        return await usually_cut(self._context, wish)

    async def check_photos(
        self,
        post: PhotoPost,
        *,
        files: Sequence[str | HasPath | Source] = (),
        creator: CreatorInfo | None = None,
        fetch: bool = False,
    ) -> Wish:
        """Check photos and their settings as `post_photos` does before it asks TikTok; nobody need have signed in.

        Args:
            post: the settings, with the URLs that TikTok pulls.
            files: the same pictures as files or sources, in the same order, to be looked at.
            creator: who shall post them, as `creator_info` told; their options count, too, if given.
            fetch: ask the servers of the URLs for the beginning of each picture, and look at it; nothing is ever asked of
                them otherwise.

        Raises:
            InvalidPost: every problem at once, each with the picture that it is about (`photo_images[3]`).
        """
        return await photo_wish(self._context, post, files=files, creator=creator, fetch=fetch)

    def verify_webhook(
        self, body: bytes, signature: str | None, *, received_at: datetime | None = None, tolerance: float = TOLERANCE
    ) -> Event:
        """Return the event of a webhook, once it is certain that TikTok sent it. To be given the bytes as they came.

        Args:
            body: the request's body, byte for byte.
            signature: the header `TikTok-Signature`.
            received_at: when it came, where it has waited in a queue since; now unless given.
            tolerance: seconds by which the signature's time may differ from that, either way.

        Source: developers.tiktok.com/doc/webhooks-verification.

        Raises:
            WebhookRejected: not signed by TikTok for this app, changed on the way, or from the future.
            StaleWebhook: signed by TikTok, but longer ago than the tolerance; it carries the event.
            InvalidInput: the tolerance is no length of time.
            TypeError: the body is not bytes, or the signature not a text.
        """
        now = received_at or self._context.clock.now()
        return verify_webhook(self._context.app, body, signature, now=now, tolerance=tolerance)

    async def received(self, event: Event) -> Publication | None:
        """Let the journal know what an event tells of a post, so that whoever follows the post need not ask any longer.

        Returns:
            The post as it is known now; None where the event is about none of the journal's posts, or about one whose
            details the journal has forgotten or cannot read.

        Raises:
            StoreError: the journal cannot be read or written.
        """
        return await receive(self._context, event) if isinstance(event, PostEvent) else None

    async def account(self, open_id: str | None = None) -> AsyncAccount:
        """Return an account that is signed in: the one named, the client's own, or the only one.

        Raises:
            SignInRequired: nobody is signed in, or not the one named.
            InvalidSettings: several are, and none was named.
        """
        chosen = open_id or self._account or await sign_in.only_account(self._context)
        if await self._context.tokens.load(chosen) is None:
            raise SignInRequired(chosen, "nobody has signed in, or the sign-in was ended")
        return AsyncAccount(self._context, chosen)

    async def forget(self, open_id: str) -> None:
        """Forget an account's tokens here, without a word to TikTok: also such as cannot be read.

        What the person granted lives on there until it ends, or is ended in the TikTok app; `revoke` of the account ends it.

        Raises:
            StoreError: the store cannot be written.
        """
        await self._context.tokens.delete(open_id)

    async def accounts(self) -> tuple[Tokens, ...]:
        """Return the tokens of all accounts that are signed in, as they are stored.

        Those that cannot be read cost the other accounts nothing: they are left out, and a warning in the log names them.

        Raises:
            StoreError: the store cannot be read, or there are tokens and none of them can be read.
        """
        return await sign_in.all_tokens(self._context)

    async def close(self) -> None:
        """Close the transport, the token store, the journal and the pacer, once what they protect is finished.

        A renewal that is under way in another task or thread is saved first: that takes as long as TikTok does to answer.

        Raises:
            StoreError: renewed tokens that could not be saved before still cannot be, and are lost.
        """
        context = self._context
        async with AsyncExitStack() as closing:
            # The last one comes first.
            for port in (context.pacer, context.journal, context.tokens, context.transport):
                closing.push_async_callback(port.close)
            closing.push_async_callback(save_what_is_held, context)
            closing.push_async_callback(context.protect.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a client is not pickled: make one where it is needed")
