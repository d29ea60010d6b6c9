"""The simulated TikTok: one function `Request -> Response`, and what a test may see and change behind it.

What belongs here: which path is which operation, and the way of every request through log, faults and room. It imports
nothing of the core but `wire.http`, so that client and simulator cannot share a mistake.
"""

import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from tiktok_adapters.clocks import SystemClock
from tiktok_adapters.simulator import consent, following, library, oauth, portability, publishing, qr, uploads
from tiktok_adapters.simulator.accounts import App, Creator
from tiktok_adapters.simulator.answers import (
    OAuthRefused,
    Refused,
    data_refusal,
    oauth_refusal,
    plain,
    refusal,
    success,
)
from tiktok_adapters.simulator.calls import Call, TooLarge
from tiktok_adapters.simulator.control import LogEntry, control, is_control
from tiktok_adapters.simulator.faults import Fault, Faults
from tiktok_adapters.simulator.mishaps import after, before
from tiktok_adapters.simulator.switches import Switches
from tiktok_adapters.simulator.tasks import Post, Task
from tiktok_adapters.simulator.webhooks import Delivery, due
from tiktok_adapters.simulator.world import Chance, Now, World
from tiktok_core.wire.http import Request, Response

__all__ = ["API_URL", "AUTH_URL", "UPLOAD_BASE", "SimulatedTikTok", "callback_values"]

API_URL: Final = "https://open.tiktokapis.com"
"""Where the simulated API is, for whoever calls it in memory."""
AUTH_URL: Final = "https://www.tiktok.com/v2/auth/authorize/"
"""Its authorization page."""
UPLOAD_BASE: Final = "https://open-upload.tiktokapis.com"
"""The host of its upload URLs."""

_Room = Callable[[World, Call], Mapping[str, Any] | None]

_AUTHORIZE: Final = "/v2/auth/authorize/"
_OAUTH: Final[Mapping[str, tuple[str, Callable[[World, Call], Response]]]] = {
    "/v2/oauth/token/": ("token", oauth.token),
    "/v2/oauth/revoke/": ("revoke", oauth.revoke),
    "/v2/oauth/get_qrcode/": ("get_qrcode", qr.get_qrcode),
    "/v2/oauth/check_qrcode/": ("check_qrcode", qr.check_qrcode),
}
_API: Final[Mapping[str, tuple[str, str, _Room]]] = {
    "/v2/user/info/": ("GET", "user_info", library.user_info),
    "/v2/video/list/": ("POST", "video_list", library.video_list),
    "/v2/video/query/": ("POST", "video_query", library.video_query),
    "/v2/post/publish/creator_info/query/": ("POST", "creator_info", publishing.creator_info),
    "/v2/post/publish/video/init/": ("POST", "video_init", publishing.video_init),
    "/v2/post/publish/inbox/video/init/": ("POST", "inbox_init", publishing.inbox_init),
    "/v2/post/publish/content/init/": ("POST", "photo_init", publishing.photo_init),
    "/v2/post/publish/status/fetch/": ("POST", "status", following.status),
    "/v2/post/publish/cancel/": ("POST", "cancel", following.cancel),
}
_DATA: Final[Mapping[str, tuple[str, Callable[[World, Call], Response]]]] = {
    "/v2/user/data/add/": ("data_add", portability.add),
    "/v2/user/data/check/": ("data_check", portability.check),
    "/v2/user/data/cancel/": ("data_cancel", portability.cancel),
    "/v2/user/data/download/": ("data_download", portability.download),
}
_UPLOADS: Final = frozenset({"/video/", "/upload", "/upload/"})
_UNSUPPORTED: Final = "Unsupported path(Janus)"


class SimulatedTikTok:
    """TikTok's Open API in memory, with virtual time, switches for what the documents leave open, and faults.

    As it stands: one app that is not audited, one creator whose account is private, and the switches' defaults. So a
    direct post with `SELF_ONLY` works, and a public one is refused as in the documents. It may be called from threads.

    Args:
        clock: anything with `now()`; the machine's clock when none is given.
        switches: how it behaves where TikTok may go either way.
        apps: what the portal knows; the first one calls creators by their own `open_id`.
        creators: the accounts; the consent page offers all of them.
        seed: of all ids and tokens, so that a run can be repeated; None where they must not be guessed.
        keep_bytes: keep the bytes of videos, not just their digest.

    Attributes:
        switches, faults, apps, creators: may be changed at any time.
        upload_base: scheme, host and port of upload URLs.
        lock: held while a request is handled.
    """

    def __init__(
        self,
        clock: Now | None = None,
        switches: Switches | None = None,
        *,
        apps: Sequence[App] = (),
        creators: Sequence[Creator] = (),
        seed: int | None = 0,
        keep_bytes: bool = True,
    ) -> None:
        self.lock = threading.RLock()
        self.faults = Faults()
        self.keep_bytes = keep_bytes
        self.world = World(
            clock=clock or SystemClock(),
            switches=switches or Switches(),
            chance=Chance(seed),
            apps=list(apps) or [App()],
            creators=list(creators) or [Creator()],
            keep_bytes=keep_bytes,
            upload_base=UPLOAD_BASE,
        )
        self._log: list[LogEntry] = []
        self._closer = weakref.finalize(self, _close_files, self.world.tasks)

    # --- What a test sees and changes ---------------------------------------------------------------------------------

    @property
    def switches(self) -> Switches:
        """How it behaves where TikTok may go either way."""
        return self.world.switches

    @switches.setter
    def switches(self, switches: Switches) -> None:
        self.world.switches = switches

    @property
    def apps(self) -> list[App]:
        """What the developer portal knows."""
        return self.world.apps

    @property
    def app(self) -> App:
        """The first app."""
        return self.world.apps[0]

    @property
    def creators(self) -> list[Creator]:
        """The accounts."""
        return self.world.creators

    @property
    def creator(self) -> Creator:
        """The first creator."""
        return self.world.creators[0]

    @property
    def upload_base(self) -> str:
        """Scheme, host and port of upload URLs."""
        return self.world.upload_base

    @upload_base.setter
    def upload_base(self, base: str) -> None:
        self.world.upload_base = base

    @property
    def posts(self) -> tuple[Post, ...]:
        """Every post begun so far, in order, as it is now."""
        with self.lock:
            return tuple(task.shown(self.world.now, self.switches) for task in self.world.tasks.values())

    def post(self, publish_id: str) -> Post:
        """Return one post as it is now.

        Raises:
            KeyError: there is no such post.
        """
        with self.lock:
            return self._task(publish_id).shown(self.world.now, self.switches)

    def webhooks(self, app: App | None = None) -> tuple[Delivery, ...]:
        """Return the webhooks of what has happened since the last call, signed now; a test delivers them, or not.

        Args:
            app: whose; the first one's unless given.
        """
        with self.lock:
            return due(self.world, app or self.app)

    @property
    def log(self) -> tuple[LogEntry, ...]:
        """Every request seen so far, in order, the sandbox's own pages left out."""
        with self.lock:
            return tuple(self._log)

    def count(self, operation: str) -> int:
        """Return how many requests of this operation were seen, refused and dropped ones included."""
        return sum(entry.operation == operation for entry in self.log)

    def read_video(self, publish_id: str, start: int = 0, length: int | None = None) -> bytes:
        """Return stored bytes of an upload; nothing where they are not kept.

        Raises:
            KeyError: there is no such post.
        """
        with self.lock:
            upload = self._task(publish_id).upload
            return b"" if upload is None else upload.read(start, upload.size if length is None else length)

    def media_type(self, publish_id: str) -> str:
        """Return the `Content-Type` under which an upload came.

        Raises:
            KeyError: there is no such upload.
        """
        upload = self._task(publish_id).upload
        if upload is None:
            raise KeyError(publish_id)
        return upload.media_type

    def finish_draft(self, publish_id: str, *, public: bool | None = None) -> None:
        """Let the creator post a draft; visible to everyone unless the account is private or `public` says otherwise.

        Raises:
            KeyError: there is no such post.
            ValueError: it is not a draft in the inbox.
        """
        with self.lock:
            task = self._task(publish_id)
            following.finish(self.world, task, public=not task.creator.private if public is None else public)

    def disconnect(self, account: str, *, app: App | None = None) -> None:
        """Let a creator (user name or `open_id`) remove the app: its tokens die, posts in progress fail.

        Raises:
            KeyError: there is no such creator.
        """
        with self.lock:
            creator = self.world.creator(account)
            if creator is None:
                raise KeyError(account)
            self.world.disconnect(app or self.app, creator)

    def authorize(
        self, url: str, *, account: str | None = None, scopes: Sequence[str] | None = None, allow: bool = True
    ) -> str:
        """Visit the authorization page, decide, and return the callback URL to which the browser is sent.

        Args:
            url: the page's URL with its query, as the client made it.
            account: user name of the account that consents; the first one by default.
            scopes: the boxes that stay ticked; all by default.
            allow: press Allow, or Deny.

        Raises:
            ValueError: the page shows an error; the message names the faulty parameter.
        """
        answer = self._visit(url, account, scopes, allow=allow)
        if answer.status != 302:
            raise ValueError(f"the authorization page refuses {_faulty(answer)}")
        return answer.headers["location"]

    def scan(
        self,
        url: str,
        *,
        account: str | None = None,
        scopes: Sequence[str] | None = None,
        allow: bool | None = True,
    ) -> None:
        """Scan a QR code with the phone, and decide.

        Args:
            url: what the QR code says.
            account: user name of the account that consents; the first one by default.
            scopes: the boxes that stay ticked; all by default.
            allow: press Allow, or Deny, or (None) nothing yet.

        Raises:
            ValueError: the phone shows an error; the message names what is faulty.
        """
        page = f"http://localhost{qr.PHONE}?{urlencode({'scanned': url})}"
        answer = self._visit(page, account, scopes, allow=allow)
        if answer.status != 200:
            raise ValueError(f"the phone refuses {_faulty(answer)}")

    def _visit(self, url: str, account: str | None, scopes: Sequence[str] | None, *, allow: bool | None) -> Response:
        """Open a consent page and press a button on it; return the last answer, that of a page without a form included."""
        page = self.handle(Request(method="GET", url=url))
        if page.status != 200 or allow is None:
            return page
        form = consent.ConsentForm(page.body.decode())
        body = form.answered(account, None if scopes is None else tuple(scopes), allow=allow)
        where = urlsplit(url)._replace(query="").geturl()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.handle(Request(method="POST", url=where, headers=headers, body=body))

    def close(self) -> None:
        """Close the files that hold videos; a second call does nothing."""
        self._closer()

    def _task(self, publish_id: str) -> Task:
        return self.world.tasks[publish_id]

    # --- The way of a request -----------------------------------------------------------------------------------------

    def handle(self, request: Request) -> Response:
        """Answer one request, whatever it is.

        Raises:
            ConnectionDropped: a fault cuts the connection.
            SourceChanged: the body's source ended early; none of the chunk is kept, unless a switch says so.
        """
        with self.lock:
            call = Call(request)
            if is_control(call.path) and not _is_tiktok(call):
                return control(self, call)
            operation, answer = self._route(call)
            status: int | None = None
            try:
                response = self._faulted(call, operation, answer)
                status = response.status
                return response
            finally:
                self._log.append(LogEntry(request.method, call.path, operation, status, self._account(call, operation)))

    def lost(self, request: Request, received: int) -> None:
        """Take a request whose client went away after `received` bytes of its body; nobody hears an answer."""
        with self.lock:
            call = Call(request)
            operation, _answer = self._route(call)
            if operation == "put":
                uploads.put_partly(self.world, call, received)
            if not is_control(call.path):
                self._log.append(LogEntry(request.method, call.path, operation, None, self._account(call, operation)))

    def _faulted(self, call: Call, operation: str, answer: Callable[[], Response]) -> Response:
        faults = self.faults.take(operation)
        known = len(self.world.tasks)
        response = self._before(call, operation, faults)
        if response is None:
            response = answer()
        begun = next(reversed(self.world.tasks)) if len(self.world.tasks) > known else None
        for fault in faults:
            response = after(self.world, fault, response, begun)
        return response

    def _before(self, call: Call, operation: str, faults: Sequence[Fault]) -> Response | None:
        for fault in faults:
            response = before(self.world, call, operation, fault)
            if response is not None:
                return response
        return None

    def _route(self, call: Call) -> tuple[str, Callable[[], Response]]:
        """Return the operation's name, and how to answer it."""
        path = call.path
        if not _host_serves(call, self.upload_base):
            return "other", lambda: plain("404 page not found", 404)
        if path == _AUTHORIZE:
            return "authorize", lambda: self._page(call, consent.authorize)
        if path == qr.PHONE and not _is_tiktok(call):
            return "phone", lambda: self._page(call, qr.phone)
        if path in _OAUTH:
            name, flat = _OAUTH[path]
            return name, lambda: self._oauth(call, flat)
        if path in _DATA:
            name, whole = _DATA[path]
            return name, lambda: self._data(call, whole)
        if path in _API:
            method, name, room = _API[path]
            return name, lambda: self._api(call, method, room)
        if path in _UPLOADS:
            return "put", lambda: uploads.put(self.world, call) if call.request.method == "PUT" else _not_allowed("PUT")
        return "other", lambda: plain(_UNSUPPORTED if path.startswith("/v2/") else "404 page not found", 404)

    def _page(self, call: Call, room: Callable[[World, Call], Response]) -> Response:
        if call.request.method not in {"GET", "POST"}:
            return _not_allowed("GET, POST")
        try:
            return room(self.world, call)
        except TooLarge:
            return plain("", 413)

    def _oauth(self, call: Call, room: Callable[[World, Call], Response]) -> Response:
        if call.request.method != "POST":
            return _not_allowed("POST")
        try:
            return room(self.world, call)
        except OAuthRefused as refused:
            return oauth_refusal(refused, self.switches, self.world.log_id())
        except TooLarge:
            return plain("", 413)

    def _api(self, call: Call, method: str, room: _Room) -> Response:
        if call.request.method != method:
            return _not_allowed(method)
        try:
            return success(room(self.world, call), self.world.log_id())
        except Refused as refused:
            return refusal(refused, self.switches, self.world.log_id())
        except TooLarge:
            return plain("", 413)

    def _data(self, call: Call, room: Callable[[World, Call], Response]) -> Response:
        if call.request.method != "POST":
            return _not_allowed("POST")
        try:
            return room(self.world, call)
        except Refused as refused:
            return data_refusal(refused, self.switches, self.world.log_id())
        except TooLarge:
            return plain("", 413)

    def _account(self, call: Call, operation: str) -> str:
        if operation == "put":
            task = uploads.find(self.world, call)
            return task.account if task else ""
        token = self.world.tokens.get(call.bearer())
        return self.world.account(token.app, token.creator) if token and token.creator else ""


def _faulty(page: Response) -> str:
    return consent.ConsentForm(page.body.decode("utf-8", "replace")).parameter or str(page.status)


def _not_allowed(methods: str) -> Response:
    return plain("405 method not allowed", 405, {"allow": methods})


def _is_tiktok(call: Call) -> bool:
    host = urlsplit(call.request.url).hostname or ""
    return host.endswith((".tiktokapis.com", ".tiktok.com"))


def _host_serves(call: Call, upload_base: str) -> bool:
    """Return whether this host has this path: TikTok's hosts share nothing, any other stands for all of them."""
    if not _is_tiktok(call):
        return True
    if call.path == _AUTHORIZE:
        return call.origin == AUTH_URL.removesuffix(_AUTHORIZE)
    return call.origin == (upload_base if call.path in _UPLOADS else API_URL)


def _close_files(tasks: Mapping[str, Task]) -> None:
    for task in tasks.values():
        if task.upload is not None and task.upload.file is not None:
            task.upload.file.close()
            task.upload.file = None


def callback_values(url: str) -> dict[str, str]:
    """Return the decoded parameters of a callback URL."""
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
