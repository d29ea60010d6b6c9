"""The server of the local page: its routes, its port on this machine, and how it begins and ends.

What belongs here: sockets and the order of beginning and ending.
"""

import errno
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final, Self, TypeAlias

from aiohttp import web

from tiktok_adapters.studio import export_routes, other_routes, post_routes
from tiktok_adapters.studio.desk import Desk, Finding
from tiktok_adapters.studio.given import GivenFiles
from tiktok_adapters.studio.guard import ADDRESS, Guard
from tiktok_adapters.studio.layout import Layout
from tiktok_adapters.studio.posting import Poster
from tiktok_adapters.studio.signing import SigningIn
from tiktok_adapters.studio.words import answer_to
from tiktok_core import AsyncTikTok, InvalidSettings, Problem

__all__ = ["FOLDER", "Studio"]

FOLDER: Final = "studio"
"""The folder in the home folder that keeps what was given."""
LARGEST_FORM: Final = 256 * 1024
"""Bytes of a form. A film is no form, and is not held in memory."""
Route: TypeAlias = Callable[[Desk, web.Request], Awaitable[web.StreamResponse]]
ROUTES: Final[tuple[tuple[str, str, Route], ...]] = (
    ("GET", "/", post_routes.accounts),
    ("GET", "/a/{account}", post_routes.account),
    ("GET", "/a/{account}/events", post_routes.events),
    ("POST", "/a/{account}/posts/{action}", post_routes.act),
    ("PUT", "/a/{account}/films", export_routes.keep_film),
    ("POST", "/a/{account}/pictures", export_routes.keep_pictures),
    ("GET", "/a/{account}/given/{given}", export_routes.export),
    ("POST", "/a/{account}/given/{given}", export_routes.submit),
    ("POST", "/a/{account}/given/{given}/remove", export_routes.remove),
    ("GET", "/given/{given}/video", export_routes.preview),
    ("GET", "/sign-in", other_routes.sign_in),
    ("POST", "/sign-in", other_routes.begin_sign_in),
    ("GET", "/sign-in/state", other_routes.sign_in_state),
    ("POST", "/sign-in/answer", other_routes.answer_sign_in),
    ("GET", "/doctor", other_routes.offer_check_up),
    ("POST", "/doctor", other_routes.check_up),
    ("GET", "/{file}", other_routes.file),
)


class Studio:
    """Serves the local page of one person while its block runs, in the event loop of the client.

    Args:
        tiktok: the client. The studio does not close it.
        home: the home folder, in which films are kept until they are posted.
        port: the port; 0 for a free one.
        note: what each page says below its links; empty for nothing.
        app_name: the name of the app, which stands at the top of each page; empty for none.
        examine: makes the check-up, in a thread; None for no check-up.
        pause: seconds between two looks at the journal for a page that is open.

    As an asynchronous context manager, it raises `InvalidSettings` if the port cannot be used. At its end it stops the posts that
    run: the journal keeps them.
    """

    def __init__(
        self,
        tiktok: AsyncTikTok,
        home: Path,
        *,
        port: int = 0,
        note: str = "",
        app_name: str = "",
        examine: Callable[[], Sequence[Finding]] | None = None,
        pause: float = 1.0,
    ) -> None:
        self._port = port
        self._url = ""
        self._runner: web.AppRunner | None = None
        guard = Guard(self._refused)
        self._layout = Layout(guard, note, app_name)
        self._desk = Desk(
            tiktok=tiktok,
            guard=guard,
            layout=self._layout,
            given=GivenFiles(home / FOLDER),
            poster=Poster(),
            signing=SigningIn(tiktok),
            examine=examine,
            pause=pause,
        )

    @property
    def url(self) -> str:
        """The address to open. It opens the page once: the browser gets a cookie for the rest of the run."""
        return self._url

    def _refused(self, status: int, sentence: str, is_own: bool) -> web.StreamResponse:
        return self._layout.refusal(status, sentence, is_own=is_own)

    async def __aenter__(self) -> Self:
        app = self._application()
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await self._listen(runner)
            await self._desk.wait_again()
        except BaseException:
            await runner.cleanup()
            await self._desk.poster.close()
            raise
        self._runner = runner
        return self

    async def _listen(self, runner: web.AppRunner) -> None:
        try:
            await web.TCPSite(runner, ADDRESS, self._port).start()
        except OSError as error:
            why = (
                "another program, perhaps another studio, has it" if error.errno == errno.EADDRINUSE else error.strerror
            )
            said = f"{self._port} cannot be used: {why}; choose another one, or none for a free one"
            raise InvalidSettings((Problem("port", said),)) from None
        self._url = self._desk.guard.listens_on(runner.addresses[0][1])

    async def __aexit__(self, *_details: object) -> None:
        self._desk.is_ending.set()
        self._desk.poster.wake()
        # First nothing new can be asked for, then what runs is stopped.
        if self._runner is not None:
            await self._runner.cleanup()
        await self._desk.signing.close()
        await self._desk.poster.close()

    def _application(self) -> web.Application:
        guard = self._desk.guard
        app = web.Application(middlewares=[guard.middleware(answer_to)], client_max_size=LARGEST_FORM)
        for method, path, route in ROUTES:
            app.router.add_route(method, f"/{guard.place}{path}", partial(route, self._desk))
        app.on_response_prepare.append(guard.head)
        return app
