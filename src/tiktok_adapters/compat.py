"""The interface of `tiktok-api-client` on top of this core: programs can move here by changing one import line.

What belongs here: that library's names, parameters and return values, which are TikTok's own JSON documents. Its errors are
corrected here: drafts of videos go to the inbox, scopes are used, the challenge is hexadecimal, the cover index counts from the
first photo, a program may set tokens, and an empty answer to the last chunk is no failure.

Longer than 400 lines because it is the whole interface of another library.
"""

import json
import os
import secrets
from builtins import TimeoutError as TimeoutError  # noqa: PLC0414 - documented as one of this module's exceptions
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final, NoReturn, Self, cast
from urllib.parse import urlencode, urlsplit

from tiktok_adapters.assembly import load_settings
from tiktok_adapters.background import ThreadBackground
from tiktok_adapters.clocks import SystemClock
from tiktok_adapters.probes import usual_probe
from tiktok_adapters.protect import MainThreadProtect
from tiktok_adapters.sources import open_source
from tiktok_adapters.stores.memory import MemoryJournal, MemoryTokenStore
from tiktok_core import (
    DEFAULT_SCOPES,
    Account,
    ApiError,
    App,
    Authorization,
    Endpoints,
    InvalidInput,
    PublishFailed,
    Secret,
    SignInRequired,
    TimedOut,
    Tokens,
    TransportError,
    UnexpectedResponse,
    UploadError,
)
from tiktok_core import TikTok as Client
from tiktok_core.domain.app import check_scopes
from tiktok_core.domain.pkce import challenge_of, encoding_for, make_state, make_verifier, same_state
from tiktok_core.domain.tokens import parse_scope
from tiktok_core.errors import StateMismatch
from tiktok_core.hidden import Hidden
from tiktok_core.ports import Clock, Request, Response, Transport
from tiktok_core.wire.oauth import authorization_url

__all__ = ["HTTPError", "TikTok", "TimeoutError"]

SOURCES: Final = {
    "FILE_UPLOAD": ("POST_VIDEO_FILE", "UPLOAD_VIDEO_FILE"),
    "PULL_FROM_URL": ("POST_VIDEO_URL", "UPLOAD_VIDEO_URL"),
}
POST_MODES: Final = ("DIRECT_POST", "MEDIA_UPLOAD")
TOKENS: Final = ("access_token", "refresh_token")
UNNAMED: Final = "unnamed"
"""The account name of tokens that the program set without an `open_id`."""
GIVEN: Final = "given"
"""The account name of a token that the program passes to one call."""
UNKNOWN_LIFE: Final = timedelta(days=365)
"""The assumed life of a token without an end: this module uses it until TikTok refuses it."""


class HTTPError(Exception):
    """TikTok refused a call or could not be reached. `__cause__` is the typed error of `tiktok_core`."""


class TikTok:
    """An app at TikTok and one account, with the interface of `tiktok-api-client`.

    Args:
        client_key: the portal's "Client key".
        client_secret: the portal's "Client secret".
        redirect_uri: as registered in the portal.
        state: TikTok's page returns it with its answer; a dictionary is sent as JSON (default: a random text).
        scopes: the scopes to ask for (default: `user.info.basic`, `video.upload` and `video.publish`).
        timeout: seconds for each single wait of a request.
        endpoints: the addresses of TikTok (default: `TIKTOK_API_URL` and `TIKTOK_AUTH_URL`, otherwise the real ones).
        transport: sends requests (default: urllib3, through the proxy and with the authorities of the settings).
        clock: tells the time (default: the machine's clock).

    Attributes:
        code_verifier: proves that the process that exchanges the code also asked for it. Keep it, and set it again if another
            process exchanges the code.
        state: the argument; you may change it before you open the page.
        scopes: the argument; you may change it too.
        redirect_uri: the argument. If its port is a wildcard, set it to the URI with the port that you listen on.

    Videos are checked before the post.

    Raises:
        ValueError: an argument cannot be used.
    """

    def __init__(
        self,
        client_key: str,
        client_secret: str,
        redirect_uri: str,
        state: str | Mapping[str, Any] = "",
        scopes: Sequence[str] | None = None,
        timeout: float = 30.0,
        *,
        endpoints: Endpoints | None = None,
        transport: Transport | None = None,
        clock: Clock | None = None,
    ) -> None:
        secret = Secret(client_secret)
        del client_secret  # A crash report would show it.
        self.state = state
        del state
        with _as_documented():
            self._app = App(client_key, secret, redirect_uri)
            self._endpoints = endpoints or load_settings({}, os.environ).endpoints()
            self.scopes = check_scopes(DEFAULT_SCOPES if scopes is None else scopes)
            self._heard = _Heard(transport or _usual_transport())
        self.client_key, self.redirect_uri, self.timeout = client_key, redirect_uri, timeout
        self.code_verifier = make_verifier(secrets.token_bytes)
        self._store, self._clock = MemoryTokenStore(), clock or SystemClock()
        self._name = UNNAMED
        self._client = Client(
            self._app,
            transport=self._heard,
            tokens=self._store,
            journal=MemoryJournal(),
            clock=self._clock,
            protect=MainThreadProtect(),
            background=ThreadBackground(),
            probe=usual_probe(),
            open_source=open_source,
            endpoints=self._endpoints,
            timeout=timeout,
        )

    # --- Signing in --------------------------------------------------------------------------------------------------

    @property
    def code_verifier(self) -> str:
        """The proof that this program asked for the code. You may set it to one that you kept."""
        return self._verifier.reveal()

    @code_verifier.setter
    def code_verifier(self, verifier: str) -> None:
        self._verifier = Secret(verifier)

    @property
    def state(self) -> str | Mapping[str, Any]:
        """The state that you passed, which TikTok's page returns with its answer; empty if the state is random."""
        return self._state.reveal()

    @state.setter
    def state(self, state: str | Mapping[str, Any]) -> None:
        given = Hidden(state)
        del state  # A crash report would show it.
        self._sent_state = Secret(_spelled(given) or make_state(secrets.token_bytes))
        self._state = given

    def get_authorization_url(self) -> str:
        """Return the page to open in the person's browser.

        Raises:
            ValueError: a scope is unknown, or the redirect URI is not the app's, with a port in place of a wildcard.
        """
        with _as_documented():
            scopes = check_scopes(self.scopes)
        if not self._app.accepts_redirect(self.redirect_uri):
            raise ValueError(f"redirect_uri is {self.redirect_uri}: set it to {self._app.redirect_uri} with a port")
        return authorization_url(
            self._app,
            self._endpoints,
            redirect_uri=self.redirect_uri,
            scopes=scopes,
            state=self._sent_state,
            challenge=challenge_of(self.code_verifier, encoding_for(self._app.kind)),
            always_ask=False,
        )

    def exchange_code_for_token(self, code: str, state: str | Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Exchange the code from TikTok's page for tokens, keep them, and return TikTok's answer.

        Args:
            code: the code from the callback, decoded.
            state: the state from the callback; it is checked if you pass it. Pass it, because it exposes a forged answer.

        Raises:
            StateMismatch: the answer belongs to another sign-in.
            SignInFailed: TikTok refused the code.
            TimeoutError, HTTPError: TikTok could not be reached.
        """
        brought, received = Secret(code), Hidden(state)
        del code, state  # A crash report would show them.
        if received.reveal() is not None and not same_state(self._sent_state.reveal(), _spelled(received)):
            raise StateMismatch("state_mismatch", "the answer does not belong to this sign-in; start it again")
        begun = Authorization(
            url="",
            redirect_uri=self.redirect_uri,
            scopes=self.scopes,
            state=self._sent_state,
            code_verifier=self._verifier,
        )
        with _as_documented():
            callback = Secret(urlencode({"code": brought.reveal(), "state": self._sent_state.reveal()}))
            self._name = self._client.sign_in(begun, callback).open_id
        return self._heard.latest("/v2/oauth/token/")

    def refresh_access_token(self, refresh_token: str | None = None) -> dict[str, Any]:
        """Renew the tokens, keep the new ones, and return TikTok's answer.

        Args:
            refresh_token: the token to use instead of the kept one. If TikTok refuses it, the kept one stays.

        Raises:
            SignInRequired: there is no refresh token, or TikTok no longer accepts it.
            SignInFailed, TimeoutError, HTTPError: TikTok did not renew the tokens.
        """
        given = None if refresh_token is None else Secret(refresh_token)
        del refresh_token  # A crash report would show it.
        with _as_documented():
            if given is None:
                self._signed_in(None).refresh()
            else:
                self._keep(GIVEN, {"refresh_token": given})
                self._client.account(GIVEN).refresh()
                self._keep_in_place(Hidden(self._heard.latest("/v2/oauth/token/")))
        return self._heard.latest("/v2/oauth/token/")

    def revoke_access_token(self, access_token: str | None = None) -> dict[str, Any]:
        """Revoke the person's grant, delete the tokens, and return TikTok's answer, which is empty.

        Raises:
            SignInRequired: there is no access token.
            TimeoutError, HTTPError: TikTok did not revoke the grant; the tokens stay.
        """
        given = None if access_token is None else Secret(access_token)
        del access_token  # A crash report would show it.
        with _as_documented():
            self._signed_in(given).revoke()
        return self._heard.latest("/v2/oauth/revoke/")

    @property
    def token_data(self) -> dict[str, Any]:
        """The tokens, in the shape of TikTok's answer; empty before the sign-in. You may set them."""
        tokens = self._store.load(self._name)
        if tokens is None:
            return {}
        now = self._clock.now()
        return {
            "access_token": tokens.access_token.reveal(),
            "expires_in": round((tokens.expires_at - now).total_seconds()),
            "open_id": tokens.open_id,
            "refresh_expires_in": round((tokens.refresh_expires_at - now).total_seconds()),
            "refresh_token": tokens.refresh_token.reveal(),
            "scope": ",".join(tokens.scope),
            "token_type": "Bearer",
        }

    @token_data.setter
    def token_data(self, known: Mapping[str, Any]) -> None:
        covered = Hidden(known)
        del known  # A crash report would show it.
        self._keep_in_place(covered)

    @property
    def access_token(self) -> str | None:
        """The access token. You may set it."""
        return self.token_data.get("access_token")

    @access_token.setter
    def access_token(self, token: str) -> None:
        given = Secret(token)
        del token  # A crash report would show it.
        self._keep_in_place(Hidden({**self.token_data, "access_token": given}))

    @property
    def refresh_token(self) -> str | None:
        """The refresh token. You may set it."""
        return self.token_data.get("refresh_token")

    @refresh_token.setter
    def refresh_token(self, token: str) -> None:
        given = Secret(token)
        del token  # A crash report would show it.
        self._keep_in_place(Hidden({**self.token_data, "refresh_token": given}))

    # --- Posting -----------------------------------------------------------------------------------------------------

    def get_creator_info(self, access_token: str | None = None) -> dict[str, Any]:
        """Return TikTok's answer: what this creator may post now.

        Raises:
            SignInRequired: there is no access token, or TikTok no longer renews it.
            TimeoutError, HTTPError: TikTok refused the call or could not be reached.
        """
        given = None if access_token is None else Secret(access_token)
        del access_token  # A crash report would show it.
        with _as_documented():
            self._signed_in(given).creator_info()
        return self._heard.latest("/v2/post/publish/creator_info/query/")

    def create_video(
        self,
        source: str,
        upload_type: str,
        title: str,
        privacy_level: str,
        disable_duet: bool = False,
        disable_comment: bool = False,
        disable_stitch: bool = False,
        video_cover_timestamp_ms: int = 1000,
        access_token: str | None = None,
        video_path: str | None = None,
        video_url: str | None = None,
    ) -> dict[str, Any]:
        """Post a video, or send it to the creator's inbox, and return once TikTok has the whole video.

        Args:
            source: `FILE_UPLOAD` or `PULL_FROM_URL`.
            upload_type: `POST_VIDEO_FILE`, `POST_VIDEO_URL`, or for the inbox `UPLOAD_VIDEO_FILE`, `UPLOAD_VIDEO_URL`.
            title: the caption; ignored for a draft.
            privacy_level: one of the creator's options; ignored for a draft.
            disable_duet: allow no duets.
            disable_comment: allow no comments.
            disable_stitch: allow no stitches.
            video_cover_timestamp_ms: the time of the frame to show as the cover, in ms.
            access_token: the token to use for this call instead of the kept one.
            video_path: the file, for `FILE_UPLOAD`.
            video_url: an https URL, for `PULL_FROM_URL`.

        Returns:
            For a file `initial_response`, TikTok's answer to the init, and `final_response`, which is None; for a URL
            that answer itself.

        Raises:
            ValueError: arguments are wrong; the error names every problem at once, and nothing was sent.
            SignInRequired: there is no access token, or TikTok no longer renews it.
            OutcomeUnknown: the answer to a pull was lost. TikTok may have made the post: look before you repeat it.
            TimeoutError, HTTPError: TikTok refused the call or could not be reached.
        """
        if source not in SOURCES:
            raise ValueError(f"source must be one of {list(SOURCES)}")
        if upload_type not in SOURCES[source]:
            raise ValueError(f"upload_type must be one of {list(SOURCES[source])} for {source}")
        named, video = ("video_path", video_path) if source == "FILE_UPLOAD" else ("video_url", video_url)
        if not video:
            raise ValueError(f"{named} must be provided when source is {source}")
        is_draft = upload_type.startswith("UPLOAD_")
        given = None if access_token is None else Secret(access_token)
        del access_token  # A crash report would show it.
        with _as_documented():
            self._signed_in(given).post_video(
                video,
                title="" if is_draft else title,
                privacy_level=None if is_draft else privacy_level,
                disable_comment=disable_comment and not is_draft,
                disable_duet=disable_duet and not is_draft,
                disable_stitch=disable_stitch and not is_draft,
                video_cover_timestamp_ms=None if is_draft else video_cover_timestamp_ms,
                draft=is_draft,
                # Whoever names the source means it.
                upload=False if source == "PULL_FROM_URL" else None,
                wait=False,
            )
        begun = self._heard.latest(f"/v2/post/publish/{'inbox/' if is_draft else ''}video/init/")
        return begun if source == "PULL_FROM_URL" else {"initial_response": begun, "final_response": None}

    def create_photo(
        self,
        post_mode: str,
        title: str,
        privacy_level: str,
        description: str = "",
        disable_comment: bool = False,
        auto_add_music: bool = False,
        photo_cover_index: int = 1,
        photo_images: Sequence[str] = (),
        access_token: str | None = None,
    ) -> dict[str, Any]:
        """Post photos that TikTok pulls, or send them to the creator's inbox.

        Args:
            post_mode: `DIRECT_POST`, or for the inbox `MEDIA_UPLOAD`.
            title: the text above the description.
            privacy_level: one of the creator's options; ignored for a draft.
            description: the text below the title; tags and mentions go here.
            disable_comment: allow no comments.
            auto_add_music: let TikTok add music.
            photo_cover_index: the number of the cover photo, counted from 1.
            photo_images: 1 to 35 https URLs.
            access_token: the token to use for this call instead of the kept one.

        Returns:
            `photo_upload_response`, TikTok's answer.

        Raises:
            ValueError: arguments are wrong; the error names every problem at once, and nothing was sent.
            SignInRequired: there is no access token, or TikTok no longer renews it.
            OutcomeUnknown: the answer was lost. TikTok may have made the post: look before you repeat it.
            TimeoutError, HTTPError: TikTok refused the call or could not be reached.
        """
        if post_mode not in POST_MODES:
            raise ValueError(f"post_mode must be one of {list(POST_MODES)}")
        if not 1 <= photo_cover_index <= max(1, len(photo_images)):
            raise ValueError("photo_cover_index must be between 1 and the number of images provided")
        is_draft = post_mode == "MEDIA_UPLOAD"
        given = None if access_token is None else Secret(access_token)
        del access_token  # A crash report would show it.
        with _as_documented():
            self._signed_in(given).post_photos(
                tuple(photo_images),
                title=title,
                description=description,
                privacy_level=None if is_draft else privacy_level,
                photo_cover_index=photo_cover_index - 1,
                disable_comment=disable_comment and not is_draft,
                auto_add_music=auto_add_music,
                draft=is_draft,
                wait=False,
            )
        return {"photo_upload_response": self._heard.latest("/v2/post/publish/content/init/")}

    def check_upload_status(self, publish_id: str, access_token: str | None = None) -> dict[str, Any]:
        """Return TikTok's answer: the status of the post.

        Raises:
            ValueError: `publish_id` is not a publish id.
            SignInRequired: there is no access token, or TikTok no longer renews it.
            TimeoutError, HTTPError: TikTok refused the call or could not be reached.
        """
        given = None if access_token is None else Secret(access_token)
        del access_token  # A crash report would show it.
        with _as_documented():
            self._signed_in(given).publish_status(publish_id)
        return self._heard.latest("/v2/post/publish/status/fetch/")

    # --- The client's own state --------------------------------------------------------------------------------------

    def close(self) -> None:
        """Close the connections, and delete the tokens from memory."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"TikTok(client_key={self.client_key!r}, redirect_uri={self.redirect_uri!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a client cannot be pickled: make a new one in each process")

    def _signed_in(self, access_token: Secret | None) -> Account:
        if access_token is not None:
            self._keep(GIVEN, {"access_token": access_token})
            return self._client.account(GIVEN)
        if self._store.load(self._name) is None:
            raise SignInRequired(None, "there are no tokens: call exchange_code_for_token, or set token_data")
        return self._client.account(self._name)

    def _keep_in_place(self, known: Hidden[Mapping[str, Any]]) -> None:
        self._store.delete(self._name)
        self._name = str(known.reveal().get("open_id") or UNNAMED)
        covered: dict[str, Any] = {}
        for name in known.reveal():
            is_covered = name not in TOKENS or isinstance(known.reveal()[name], Secret)
            covered[name] = known.reveal()[name] if is_covered else Secret(str(known.reveal()[name] or ""))
        self._keep(self._name, covered)

    def _keep(self, name: str, known: Mapping[str, Any]) -> None:
        now = self._clock.now()

        def end(field: str) -> Any:
            seconds = known.get(field)
            return now + (UNKNOWN_LIFE if seconds is None else timedelta(seconds=float(seconds)))

        tokens = Tokens(
            open_id=str(known.get("open_id") or ""),
            access_token=known.get("access_token") or Secret(""),
            refresh_token=known.get("refresh_token") or Secret(""),
            scope=parse_scope(str(known.get("scope") or "")),
            issued_at=now,
            # Without an access token, an end at this moment makes the client renew before its first call.
            expires_at=end("expires_in") if known.get("access_token") else now,
            refresh_expires_at=end("refresh_expires_in"),
        )
        self._store.save(name, tokens)


class _Heard:
    """A transport that keeps TikTok's latest answer for each path, because this module returns TikTok's own documents."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._answers: dict[str, Hidden[bytes]] = {}

    def send(self, request: Request, /) -> Response:
        response = self._transport.send(request)
        self._answers[urlsplit(request.url).path] = Hidden(response.body)
        return response

    def close(self) -> None:
        self._answers.clear()
        self._transport.close()

    def latest(self, path: str) -> dict[str, Any]:
        body = self._answers.get(path)
        if body is None or not body.reveal().strip():
            return {}
        return cast(dict[str, Any], json.loads(body.reveal()))


def _usual_transport() -> Transport:
    from tiktok_adapters.assembly.ports import blocking_transport  # noqa: PLC0415 - a program with another transport does not need it

    return blocking_transport(load_settings({}, os.environ))


def _spelled(state: Hidden[Any]) -> str:
    if isinstance(state.reveal(), str):
        return str(state.reveal())
    try:
        return json.dumps(dict(state.reveal()), separators=(",", ":"))
    except TypeError as error:
        raise ValueError(f"state must be a text or a dictionary that fits JSON: {error}") from error


@contextmanager
def _as_documented() -> Iterator[None]:
    """Raise the exceptions that the other library documents; errors that it lacks pass unchanged."""
    try:
        yield
    except TimedOut as error:
        raise TimeoutError(str(error)) from error
    except InvalidInput as error:
        raise ValueError(str(error)) from error
    except (ApiError, TransportError, UploadError, PublishFailed, UnexpectedResponse) as error:
        raise HTTPError(str(error)) from error
