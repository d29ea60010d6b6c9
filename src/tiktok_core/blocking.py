"""The blocking client: it runs the coroutines of `client` by hand, over ports that never suspend.

This module holds `TikTok`, `Account` and `Videos`. `blocking` and its siblings make each of their methods from the asynchronous
one, with the same signature.
"""

import secrets
from collections.abc import Callable, Coroutine, Iterator
from functools import wraps
from inspect import isfunction, signature
from typing import Any, Concatenate, Generic, Literal, NoReturn, ParamSpec, Self, TypeVar

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
    """A blocking object over its asynchronous twin."""

    def __init__(self, face: A) -> None:
        self._face = face

    def __init_subclass__(cls) -> None:
        """Name each method after the class that has it: `wraps` has copied the name of the twin's method."""
        super().__init_subclass__()
        for name, method in vars(cls).items():
            if isfunction(method):
                method.__module__, method.__qualname__ = cls.__module__, f"{cls.__qualname__}.{name}"


def blocking(
    method: Callable[Concatenate[A, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Mirror[A], P], T]:
    """Return a method that runs the twin's coroutine to its end."""

    @wraps(method)
    def run(self: Mirror[A], /, *args: P.args, **kwargs: P.kwargs) -> T:
        work = method(self._face, *args, **kwargs)
        del args, kwargs  # They may hold an answer of TikTok's page, and a crash report would show it.
        return drive(work)

    return run


def blocking_as(
    method: Callable[Concatenate[A, P], Coroutine[Any, Any, B]], face: Callable[[B], T]
) -> Callable[Concatenate[Mirror[A], P], T]:
    """Return a method that runs the twin's coroutine to its end, and passes the result through `face`."""

    @wraps(method)
    def run(self: Mirror[A], /, *args: P.args, **kwargs: P.kwargs) -> T:
        work = method(self._face, *args, **kwargs)
        del args, kwargs  # As above.
        return face(drive(work))

    return _returning(face, run)


def passing(method: Callable[Concatenate[A, P], T]) -> Callable[Concatenate[Mirror[A], P], T]:
    """Return a method that calls the twin's plain method."""

    @wraps(method)
    def run(self: Mirror[A], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return method(self._face, *args, **kwargs)

    return run


def passing_as(
    method: Callable[Concatenate[A, P], B], face: Callable[[B], T]
) -> Callable[Concatenate[Mirror[A], P], T]:
    """Return a method that calls the twin's plain method, and passes the result through `face`."""

    @wraps(method)
    def run(self: Mirror[A], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return face(method(self._face, *args, **kwargs))

    return _returning(face, run)


def passing_same(method: Callable[Concatenate[A, P], A]) -> Callable[Concatenate[M, P], M]:
    """Return a method that calls the twin's plain method, which returns another twin."""

    @wraps(method)
    def run(self: M, /, *args: P.args, **kwargs: P.kwargs) -> M:
        return type(self)(method(self._face, *args, **kwargs))

    return _returning(Self, run)


def _returning(face: Any, run: Callable[P, T]) -> Callable[P, T]:
    """Set the return type that `help` and the documentation show: `face`, in place of the twin's type that `wraps` copied."""
    run.__annotations__ = {**run.__annotations__, "return": face}
    run.__signature__ = signature(run).replace(return_annotation=face)  # type: ignore[attr-defined]
    return run


class Videos(Mirror[AsyncVideos], Iterator[Video]):
    """An iterator over the public videos, newest first. It asks TikTok for each page when it needs it."""

    @property
    def cursor(self) -> int | None:
        """Where another iterator continues, also after an error, in ms since 1970 (UTC).

        A new iterator gives the videos of an unfinished page again. None at the beginning, and after the last video.
        """
        return self._face.cursor

    @property
    def is_done(self) -> bool:
        """Whether the iterator has given all videos."""
        return self._face.is_done

    def __next__(self) -> Video:
        try:
            return drive(self._face.__anext__())
        except StopAsyncIteration:
            raise StopIteration from None


class Account(Mirror[AsyncAccount]):
    """One signed-in account, with the calls that post and read in its name."""

    @property
    def open_id(self) -> str:
        """TikTok's id of the account, which holds for this app only."""
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
    enter_video = blocking(AsyncAccount.enter_video)
    enter_photos = blocking(AsyncAccount.enter_photos)
    release = blocking(AsyncAccount.release)
    resume = blocking(AsyncAccount.resume)
    advance = blocking(AsyncAccount.advance)
    post = blocking(AsyncAccount.post)
    posts = blocking(AsyncAccount.posts)
    unfinished = blocking(AsyncAccount.unfinished)
    unreadable = blocking(AsyncAccount.unreadable)
    forget = blocking(AsyncAccount.forget)
    derived_key = blocking(AsyncAccount.derived_key)
    settle = blocking(AsyncAccount.settle)
    abandon = blocking(AsyncAccount.abandon)
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
    """The client of one app, over adapters of your choice.

    Args:
        app: the app, as registered in TikTok's developer portal.
        transport: sends requests.
        tokens: stores the tokens of each account.
        journal: stores the record of each post, so that no post is made twice and each can be continued.
        clock: tells the time and waits.
        pacer: keeps to TikTok's quotas across all clients that share it; unless given, this client counts its own calls only.
        slots: limits how many uploads run at once; the others wait before they begin. No limit unless given.
        probe: reads the properties of videos that the library cannot read by itself. False: only the first bytes and the
            layout of a video are checked before it is posted.
        protect: finishes a renewal that is interrupted half-way; without it, such a renewal can lose the sign-in.
        background: reads files, and gives up on a disk that hangs; without it, such a disk blocks the call for ever.
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
    `with`, call `close`.
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
        probe: Probe | Literal[False] | None = None,
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
                probe=lift_probe(probe) if probe else None if probe is None else False,
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
        self._clock = clock

    @property
    def app(self) -> App:
        """The app that the client was given."""
        return self._face.app

    @property
    def clock(self) -> Clock:
        """The clock that the client was given."""
        return self._clock

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
    unfinished = blocking(AsyncTikTok.unfinished)
    due_posts = blocking(AsyncTikTok.due_posts)
    postpone = blocking(AsyncTikTok.postpone)
    accounts = blocking(AsyncTikTok.accounts)
    close = blocking(AsyncTikTok.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a client is not pickled: make one where it is needed")
