"""The same without `await`: the coroutines of `client` driven by hand over ports that never suspend.

What belongs here: `TikTok` and `Account`. `blocking` makes a method of theirs from the asynchronous one, with its whole signature.
"""

import secrets
from collections.abc import Callable, Coroutine, Iterator
from functools import wraps
from inspect import signature
from typing import Any, Concatenate, Generic, NoReturn, ParamSpec, Self, TypeVar

from tiktok_core.account import AsyncAccount
from tiktok_core.client import AsyncTikTok
from tiktok_core.domain.app import App, Endpoints
from tiktok_core.domain.display import Video
from tiktok_core.flows.display import AsyncVideos
from tiktok_core.lifting import (
    drive,
    lift_background,
    lift_clock,
    lift_journal,
    lift_pacer,
    lift_probe,
    lift_protect,
    lift_slots,
    lift_tokens,
    lift_transport,
)
from tiktok_core.ports import (
    Background,
    Clock,
    HasPath,
    Journal,
    OpenDestination,
    Pacer,
    Probe,
    Protect,
    Source,
    TokenStore,
    Transport,
    UploadSlots,
)

__all__ = ["Account", "TikTok", "Videos"]

A = TypeVar("A")
B = TypeVar("B")
M = TypeVar("M", bound="Mirror[Any]")
P = ParamSpec("P")
T = TypeVar("T")


class Mirror(Generic[A]):
    """A blocking face over its asynchronous twin."""

    def __init__(self, face: A) -> None:
        self._face = face


def blocking(
    method: Callable[Concatenate[A, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Mirror[A], P], T]:
    """Return the method of the twin, run to its end."""

    @wraps(method)
    def run(self: Mirror[A], /, *args: P.args, **kwargs: P.kwargs) -> T:
        work = method(self._face, *args, **kwargs)
        del args, kwargs  # An answer of TikTok's page may be among them, and a crash report would show it.
        return drive(work)

    return run


def blocking_as(
    method: Callable[Concatenate[A, P], Coroutine[Any, Any, B]], face: Callable[[B], T]
) -> Callable[Concatenate[Mirror[A], P], T]:
    """Return the method of the twin, run to its end, its result shown by `face`."""

    @wraps(method)
    def run(self: Mirror[A], /, *args: P.args, **kwargs: P.kwargs) -> T:
        work = method(self._face, *args, **kwargs)
        del args, kwargs  # As above.
        return face(drive(work))

    return _returning(face, run)


def passing(method: Callable[Concatenate[A, P], T]) -> Callable[Concatenate[Mirror[A], P], T]:
    """Return the method of the twin, which has nothing to wait for."""

    @wraps(method)
    def run(self: Mirror[A], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return method(self._face, *args, **kwargs)

    return run


def passing_as(
    method: Callable[Concatenate[A, P], B], face: Callable[[B], T]
) -> Callable[Concatenate[Mirror[A], P], T]:
    """Return the method of the twin, which has nothing to wait for, its result shown by `face`."""

    @wraps(method)
    def run(self: Mirror[A], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return face(method(self._face, *args, **kwargs))

    return _returning(face, run)


def passing_same(method: Callable[Concatenate[A, P], A]) -> Callable[Concatenate[M, P], M]:
    """Return the method of the twin, which has nothing to wait for and returns another twin."""

    @wraps(method)
    def run(self: M, /, *args: P.args, **kwargs: P.kwargs) -> M:
        return type(self)(method(self._face, *args, **kwargs))

    return _returning(Self, run)


def _returning(face: Any, run: Callable[P, T]) -> Callable[P, T]:
    """Let `help` and the documents say that the method returns this face, not the twin that `wraps` took over."""
    run.__annotations__ = {**run.__annotations__, "return": face}
    run.__signature__ = signature(run).replace(return_annotation=face)  # type: ignore[attr-defined]
    return run


class Videos(Mirror[AsyncVideos], Iterator[Video]):
    """The public videos, the newest first, asked for page by page as they are needed."""

    @property
    def cursor(self) -> int | None:
        """Where to go on in another walk (ms), also after an error; None at the beginning and after the last video."""
        return self._face.cursor

    @property
    def is_done(self) -> bool:
        """Whether all have been given."""
        return self._face.is_done

    def __next__(self) -> Video:
        try:
            return drive(self._face.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None


class Account(Mirror[AsyncAccount]):
    """One signed-in person, in whose name posts are made."""

    @property
    def open_id(self) -> str:
        """The account, as this app sees it."""
        return self._face.open_id

    with_options = passing_same(AsyncAccount.with_options)
    creator_info = blocking(AsyncAccount.creator_info)
    user_info = blocking(AsyncAccount.user_info)
    videos = passing_as(AsyncAccount.videos, Videos)
    video_page = blocking(AsyncAccount.video_page)
    query_videos = blocking(AsyncAccount.query_videos)
    find_post = blocking(AsyncAccount.find_post)
    cancel = blocking(AsyncAccount.cancel)
    post_video = blocking(AsyncAccount.post_video)
    post_photos = blocking(AsyncAccount.post_photos)
    resume = blocking(AsyncAccount.resume)
    advance = blocking(AsyncAccount.advance)
    posts = blocking(AsyncAccount.posts)
    unfinished = blocking(AsyncAccount.unfinished)
    unreadable = blocking(AsyncAccount.unreadable)
    forget = blocking(AsyncAccount.forget)
    settle = blocking(AsyncAccount.settle)
    publish_status = blocking(AsyncAccount.publish_status)
    wait = blocking(AsyncAccount.wait)
    request_data = blocking(AsyncAccount.request_data)
    check_data = blocking(AsyncAccount.check_data)
    cancel_data = blocking(AsyncAccount.cancel_data)
    download_data = blocking(AsyncAccount.download_data)
    tokens = blocking(AsyncAccount.tokens)
    refresh = blocking(AsyncAccount.refresh)
    revoke = blocking(AsyncAccount.revoke)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.open_id!r})"


class TikTok(Mirror[AsyncTikTok]):
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
        protect: finishes a renewal that is interrupted half-way; without it such a renewal can lose the sign-in.
        background: reads files, and gives up a disk that hangs; without it such a disk holds the call for ever.
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
        transport: Transport,
        tokens: TokenStore,
        journal: Journal,
        clock: Clock,
        pacer: Pacer | None = None,
        slots: UploadSlots | None = None,
        probe: Probe | None = None,
        protect: Protect | None = None,
        background: Background | None = None,
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
        super().__init__(
            AsyncTikTok(
                app,
                transport=lift_transport(transport),
                tokens=lift_tokens(tokens),
                journal=lift_journal(journal),
                clock=lift_clock(clock),
                pacer=None if pacer is None else lift_pacer(pacer),
                slots=None if slots is None else lift_slots(slots),
                probe=None if probe is None else lift_probe(probe),
                protect=None if protect is None else lift_protect(protect),
                background=None if background is None else lift_background(background),
                open_source=open_source,
                open_destination=open_destination,
                endpoints=endpoints,
                entropy=entropy,
                timeout=timeout,
                deadline=deadline,
                retries=retries,
                patience=patience,
                account=account,
            )
        )

    @property
    def app(self) -> App:
        """The app."""
        return self._face.app

    authorization = passing(AsyncTikTok.authorization)
    check_video = blocking(AsyncTikTok.check_video)
    check_photos = blocking(AsyncTikTok.check_photos)
    verify_webhook = passing(AsyncTikTok.verify_webhook)
    received = blocking(AsyncTikTok.received)
    sign_in = blocking_as(AsyncTikTok.sign_in, Account)
    sign_in_with_code = blocking_as(AsyncTikTok.sign_in_with_code, Account)
    qr_code = blocking(AsyncTikTok.qr_code)
    check_qr_code = blocking(AsyncTikTok.check_qr_code)
    sign_in_by_qr_code = blocking_as(AsyncTikTok.sign_in_by_qr_code, Account)
    client_token = blocking(AsyncTikTok.client_token)
    account = blocking_as(AsyncTikTok.account, Account)
    forget = blocking(AsyncTikTok.forget)
    accounts = blocking(AsyncTikTok.accounts)
    close = blocking(AsyncTikTok.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a client is not pickled: make one where it is needed")
