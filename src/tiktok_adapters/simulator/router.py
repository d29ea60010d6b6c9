"""The router of the simulated TikTok: it takes a request and finds its answer.

What belongs here: the host and path of each operation, and the log, faults and refusals around its answer. From the core it
imports only `wire.http`, so that client and simulator cannot share a mistake.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from tiktok_adapters.simulator import consent, display, following, oauth, portability, publishing, qr, uploads
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
from tiktok_adapters.simulator.control import is_control
from tiktok_adapters.simulator.faults import Fault, Faults
from tiktok_adapters.simulator.log import LogEntry, shown
from tiktok_adapters.simulator.mishaps import after, before
from tiktok_adapters.simulator.world import World
from tiktok_core.wire.http import Response

__all__ = ["API_URL", "AUTH_URL", "UPLOAD_BASE", "Router", "is_tiktok"]

API_URL: Final = "https://open.tiktokapis.com"
"""The address of the simulated API, for calls in memory."""
AUTH_URL: Final = "https://www.tiktok.com/v2/auth/authorize/"
"""The address of its authorization page."""
UPLOAD_BASE: Final = "https://open-upload.tiktokapis.com"
"""The host of its upload URLs."""

_AUTH_ORIGIN: Final = "https://www.tiktok.com"

_Operation = Callable[[World, Call], Mapping[str, Any] | None]

_AUTHORIZE: Final = frozenset({"/v2/auth/authorize/", "/v2/auth/authorize"})
"""The documented path, and the one that clients without the slash have used; no other path has two spellings."""
_OEMBED: Final = "/oembed"
_OAUTH: Final[Mapping[str, tuple[str, Callable[[World, Call], Response]]]] = {
    "/v2/oauth/token/": ("token", oauth.token),
    "/v2/oauth/revoke/": ("revoke", oauth.revoke),
    "/v2/oauth/get_qrcode/": ("get_qrcode", qr.get_qrcode),
    "/v2/oauth/check_qrcode/": ("check_qrcode", qr.check_qrcode),
}
_API: Final[Mapping[str, tuple[str, str, _Operation]]] = {
    "/v2/user/info/": ("GET", "user_info", display.user_info),
    "/v2/video/list/": ("POST", "video_list", display.video_list),
    "/v2/video/query/": ("POST", "video_query", display.video_query),
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


class Router:
    """Answers requests from a world. The caller must pass one request at a time.

    Attributes:
        world: the state of the simulator.
        faults: the pending faults.
        log: every answered request, in order.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.faults = Faults()
        self.log: list[LogEntry] = []

    def answer(self, call: Call) -> Response:
        """Answer one request, and log it.

        Raises:
            ConnectionDropped: a fault cuts the connection.
            SourceChanged: the body's source ended early; the simulator keeps none of the chunk, unless a switch says so.
        """
        operation, answer = self._route(call)
        response: Response | None = None
        try:
            response = self._faulted(call, operation, answer)
            return response
        finally:
            self._note(call, operation, response)

    def lost(self, call: Call, received: int) -> None:
        """Handle a request whose client disconnected after `received` bytes of its body. It gets no answer."""
        operation, _answer = self._route(call)
        if operation == "put":
            uploads.put_partly(self.world, call, received)
        if not is_control(call.path):
            self._note(call, operation, None)

    def _note(self, call: Call, operation: str, response: Response | None) -> None:
        status, account = None if response is None else response.status, self._account(call, operation)
        entry = LogEntry(call.request.method, call.path, operation, status, account, self.world.now, *shown(response))
        self.log.append(entry)

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
        """Return the operation's name, and the function that answers it."""
        path = call.path
        if not _host_serves(call, self.world.upload_base):
            return "other", lambda: plain("404 page not found", 404)
        if path in _AUTHORIZE:
            return "authorize", lambda: self._page(call, consent.authorize)
        if path == _OEMBED:
            return "other", lambda: self._page(call, display.oembed)
        if path == qr.PHONE and not is_tiktok(call):
            return "phone", lambda: self._page(call, qr.phone)
        if path in _OAUTH:
            name, flat = _OAUTH[path]
            return name, lambda: self._oauth(call, flat)
        if path in _DATA:
            name, whole = _DATA[path]
            return name, lambda: self._data(call, whole)
        if path in _API:
            method, name, operate = _API[path]
            return name, lambda: self._api(call, method, operate)
        if path in _UPLOADS:
            return "put", lambda: uploads.put(self.world, call) if call.request.method == "PUT" else _not_allowed("PUT")
        return "other", lambda: plain(_UNSUPPORTED if path.startswith("/v2/") else "404 page not found", 404)

    def _page(self, call: Call, operate: Callable[[World, Call], Response]) -> Response:
        if call.request.method not in {"GET", "POST"}:
            return _not_allowed("GET, POST")
        try:
            return operate(self.world, call)
        except TooLarge:
            return plain("", 413)

    def _oauth(self, call: Call, operate: Callable[[World, Call], Response]) -> Response:
        if call.request.method != "POST":
            return _not_allowed("POST")
        try:
            return operate(self.world, call)
        except OAuthRefused as refused:
            return oauth_refusal(refused, self.world.switches, self.world.log_id())
        except TooLarge:
            return plain("", 413)

    def _api(self, call: Call, method: str, operate: _Operation) -> Response:
        if call.request.method != method:
            return _not_allowed(method)
        try:
            return success(operate(self.world, call), self.world.log_id())
        except Refused as refused:
            return refusal(refused, self.world.switches, self.world.log_id())
        except TooLarge:
            return plain("", 413)

    def _data(self, call: Call, operate: Callable[[World, Call], Response]) -> Response:
        if call.request.method != "POST":
            return _not_allowed("POST")
        try:
            return operate(self.world, call)
        except Refused as refused:
            return data_refusal(refused, self.world.switches, self.world.log_id())
        except TooLarge:
            return plain("", 413)

    def _account(self, call: Call, operation: str) -> str:
        if operation == "put":
            task = uploads.find(self.world, call)
            return task.account if task else ""
        token = self.world.tokens.get(call.bearer())
        return self.world.account(token.app, token.creator) if token and token.creator else ""


def _not_allowed(methods: str) -> Response:
    return plain("405 method not allowed", 405, {"allow": methods})


def is_tiktok(call: Call) -> bool:
    """Return whether a request goes to one of TikTok's own hosts."""
    host = urlsplit(call.request.url).hostname or ""
    return host.endswith((".tiktokapis.com", ".tiktok.com"))


def _host_serves(call: Call, upload_base: str) -> bool:
    """Return whether this host has this path. TikTok's hosts share no paths; any other host has the paths of all of them."""
    if not is_tiktok(call):
        return True
    if call.path in {*_AUTHORIZE, _OEMBED}:
        return call.origin == _AUTH_ORIGIN
    return call.origin == (upload_base if call.path in _UPLOADS else API_URL)
