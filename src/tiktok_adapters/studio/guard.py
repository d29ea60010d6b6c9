"""Who may ask the local page for anything: a browser of the person who started it, and no page of another origin.

What belongs here: the check of each request before a route sees it, and the headers of each answer. Every web page that the person
opens can send requests to a port of this machine, and so can every user of the machine. The cookie keeps both out. It holds only for
paths below a name that is drawn at each start: browsers send the cookies of 127.0.0.1 to all of its ports, but other servers there do
not know that name.
"""

import hmac
import secrets
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import hdrs, web

from tiktok_adapters.studio.faults import tell_where

__all__ = ["ADDRESS", "CSRF", "CSRF_HEADER", "IMAGES", "Guard", "Refused"]

ADDRESS: Final = "127.0.0.1"
CSRF: Final = "csrf"
"""The field of each form that shows that the form is one of this page's."""
CSRF_HEADER: Final = "X-Studio-Csrf"
"""The header that says the same where a script sends no form."""
FORM: Final = "application/x-www-form-urlencoded"
METHODS: Final = ("GET", "POST", "PUT")
WRITES: Final = ("POST", "PUT")
ENTER: Final = "enter"
IMAGES: Final = web.RequestKey("images", tuple)
"""The origins of the pictures that the answer to a request shows."""
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src {images}; media-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # With "no-referrer" browsers send "null" as the origin of a form, so that no form of this page could be told from a foreign one.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
STALE: Final = "This page is not of the studio that runs now: open the address that `tiktok studio` printed."
FOREIGN: Final = "Only a page of this studio may ask for this."

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Shown = Callable[[int, str, bool], web.StreamResponse]


class Refused(Exception):
    """A request that is refused, with one sentence for the person.

    Args:
        sentence: what is wrong, and what to do.
        status: the HTTP status.
    """

    def __init__(self, sentence: str, status: int = 400) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.status = status


class Guard:
    """Checks each request of one run of the page.

    Args:
        show: makes the answer that tells a person why a request was refused: the HTTP status, the sentence, and whether the request
            came from the person's own page, so that the answer may lead back to it.

    Attributes:
        place: the name below which all paths of this run lie.
        csrf: what each form and each script of this run's pages sends back.
    """

    def __init__(self, show: Shown) -> None:
        self._show = show
        self._ticket = secrets.token_urlsafe(32)
        self._session = secrets.token_urlsafe(32)
        self._host = ""
        self.place = secrets.token_urlsafe(9)
        self.csrf = secrets.token_urlsafe(32)

    def listens_on(self, port: int) -> str:
        """Note the port, and return the address to open. It opens the page once; the cookie that it sets opens it from then on."""
        self._host = f"{ADDRESS}:{port}"
        return f"http://{self._host}{self.path(ENTER)}?ticket={self._ticket}"

    def path(self, *parts: str) -> str:
        """Return a path of this run."""
        return "/".join(("", self.place, *parts))

    async def check(self, request: web.Request) -> web.StreamResponse | None:
        """Return the answer to a request that no route is to see; None for one that may pass.

        Raises:
            Refused: the request comes from elsewhere, or from a page of another run.
        """
        self._check_origin(request)
        if request.path == self.path(ENTER) and request.method == "GET":
            return self._enter(request)
        if not request.path.startswith(self.path("")):
            raise Refused("Nothing is here.", 404)
        if not self._has_cookie(request):
            raise Refused(STALE, 403)
        if request.method in WRITES:
            await self._check_csrf(request)
        return None

    def middleware(
        self, sentence_of: Callable[[Exception], tuple[str, int] | None]
    ) -> Callable[..., Awaitable[web.StreamResponse]]:
        """Return the middleware that checks each request, and tells a person of each refusal and of each error.

        Args:
            sentence_of: returns the sentence and the status of an error; None for one that is nobody's answer.
        """

        @web.middleware
        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
            is_own = False
            try:
                if (answer := await self.check(request)) is not None:
                    return answer
                is_own = True
                return await handler(request)
            except web.HTTPException as error:
                if error.status < 400:
                    raise
                # Whoever asks for what no page leads to gets no page of this run.
                is_own, told = False, ("Nothing is here." if error.status == 404 else f"{error.reason}.", error.status)
            except Exception as error:  # noqa: BLE001 - every error becomes one sentence for the person
                told = sentence_of(error) or _unexpected(error)
            return self._show(told[1], told[0], is_own)

        return guarded

    async def head(self, request: web.Request, response: web.StreamResponse) -> None:
        """Give an answer the headers that each one has."""
        response.headers.update(HEADERS)
        images = " ".join(("'self'", *request.get(IMAGES, ())))
        response.headers["Content-Security-Policy"] = POLICY.format(images=images)

    # --- The checks --------------------------------------------------------------------------------------------------

    def _check_origin(self, request: web.Request) -> None:
        # Another site can point its own name at this machine (DNS rebinding). Its requests then carry that name.
        if request.headers.getall(hdrs.HOST, []) != [self._host]:
            raise Refused("The request names another host.", 421)
        if request.method not in METHODS or hdrs.UPGRADE in request.headers:
            raise Refused("This page answers GET, POST and PUT only.", 405)
        origins = request.headers.getall(hdrs.ORIGIN, [])
        is_own = origins == [f"http://{self._host}"]
        if (origins or request.method in WRITES) and not is_own:
            raise Refused(FOREIGN, 403)
        # A person who types or follows an address outside of any page sends "none". Old browsers send nothing; a browser that knows
        # the header sends it to this machine, too.
        site = request.headers.getall("Sec-Fetch-Site", ["same-origin"])
        if site != ["same-origin"] and (site != ["none"] or request.method in WRITES):
            raise Refused(FOREIGN, 403)

    def _enter(self, request: web.Request) -> web.StreamResponse:
        given = request.query.get("ticket", "")
        is_right = bool(self._ticket) and _is_same(given, self._ticket)
        if not is_right and not self._has_cookie(request):
            raise Refused(
                "This address was opened before: use the browser in which it was, or start `tiktok studio` again.", 403
            )
        answer = web.Response(status=303, headers={hdrs.LOCATION: self.path("")})
        if is_right:
            self._ticket = ""
            answer.set_cookie(self._cookie, self._session, path=self.path(""), httponly=True, samesite="Strict")
        return answer

    @property
    def _cookie(self) -> str:
        return f"studio-{self.place}"

    def _has_cookie(self, request: web.Request) -> bool:
        return _is_same(request.cookies.get(self._cookie, ""), self._session)

    async def _check_csrf(self, request: web.Request) -> None:
        given = request.headers.get(CSRF_HEADER, "")
        if not given and request.content_type == FORM:
            given = str((await request.post()).get(CSRF, ""))
        if not _is_same(given, self.csrf):
            raise Refused(STALE, 403)


def _unexpected(error: Exception) -> tuple[str, int]:
    tell_where(error)
    said = f"An unexpected error ({type(error).__name__}): start the studio with TIKTOK_LOG=DEBUG to see where."
    return said, 500


def _is_same(given: str, known: str) -> bool:
    """Compare a secret in a time that tells nothing of it. What came from outside may hold halves of surrogate pairs."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), known.encode())
