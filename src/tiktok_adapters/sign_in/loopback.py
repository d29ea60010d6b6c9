"""The listener on the loopback redirect URI: it waits for the one answer that belongs to the sign-in.

What belongs here: sockets and HTTP of that one page. The listener trusts no request before its state fits, because every
program on this machine and every web page can reach the port.
"""

import os
import socket
import socketserver
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from html import escape
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import SplitResult, urlsplit

from attrs import frozen

from tiktok_adapters.sign_in import Answers, belongs
from tiktok_core.domain.tokens import Secret
from tiktok_core.errors import InvalidSettings, Problem
from tiktok_core.hidden import Hidden
from tiktok_core.wire.oauth import callback_of

__all__ = ["LoopbackListener", "unlistenable"]

ADDRESS: Final = "127.0.0.1"
NAMES: Final = ("127.0.0.1", "localhost")
NOTHING: Final = Secret("")
LIMIT: Final = 8192
"""Largest size in bytes of a request."""
READ_TIMEOUT: Final = 5.0
"""Seconds for a whole request to arrive."""
MOST: Final = 32
"""Largest number of open connections. Each has its own thread."""
HEADERS: Final = (
    ("Content-Type", "text/html; charset=utf-8"),
    ("Cache-Control", "no-store"),
    ("Referrer-Policy", "no-referrer"),
    ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    ("X-Content-Type-Options", "nosniff"),
    ("Connection", "close"),
)
PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>:root {{ color-scheme: light dark }}
body {{ font: 1.1rem/1.5 system-ui, sans-serif; max-width: 32rem; margin: 20vh auto 0; padding: 0 1rem }}</style>
</head><body><main><h1>{title}</h1><p>{text}</p></main></body></html>
"""


def unlistenable(redirect_uri: str) -> str:
    """Return why the listener cannot serve this redirect URI, as a clause, or an empty string if it can."""
    parts = _parts(redirect_uri)
    if parts.hostname not in NAMES:
        return f"{redirect_uri} is not on this machine"
    if parts.scheme != "http":
        return f"{redirect_uri} is https, for which the listener would need a certificate"
    return ""


class LoopbackListener:
    """Listens on 127.0.0.1 only, from construction until `close`.

    The listener refuses every request with a wrong path, method, host or state, and goes on waiting for the answer.

    Args:
        redirect_uri: the redirect URI as registered. If its port is `*`, the listener takes a free port.
        read_timeout: seconds for a whole request to arrive.

    Raises:
        InvalidSettings: the redirect URI is not one that this listener can serve.
        OSError: the port is in use, or the system does not allow it.
    """

    def __init__(self, redirect_uri: str, *, read_timeout: float = READ_TIMEOUT) -> None:
        if reason := unlistenable(redirect_uri):
            raise InvalidSettings((Problem("redirect_uri", reason),))
        wished = 0 if ":*/" in redirect_uri else _parts(redirect_uri).port or 80
        self._server = _Server((ADDRESS, wished), _Connection, bind_and_activate=False)
        try:
            self._server.server_bind()
            self._server.server_activate()
        except BaseException:
            self._server.server_close()
            raise
        self._port: int = self._server.server_address[1]
        self._redirect_uri = redirect_uri.replace(":*/", f":{self._port}/", 1)
        self._read_timeout = read_timeout
        self._thread: threading.Thread | None = None

    @property
    def redirect_uri(self) -> str:
        """The redirect URI with its actual port. Send this one with the authorization."""
        return self._redirect_uri

    @property
    def address(self) -> tuple[str, int]:
        """The address and port on which the listener is bound."""
        return ADDRESS, self._port

    def start(self, accepts: Callable[[str], bool], answers: Answers) -> None:
        """Start to serve requests. The first one that belongs to the sign-in goes to `answers`.

        Args:
            accepts: checks whether a state belongs to this sign-in.
            answers: receives the answer.
        """
        self._server.reader = _Reader(self._redirect_uri, accepts, answers, self._read_timeout)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="tiktok-listener", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop listening; a second call does nothing."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._thread = None
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


@frozen
class _Answer:
    status: HTTPStatus
    title: str
    text: str
    callback: Secret = NOTHING

    def spelled(self) -> bytes:
        body = PAGE.format(title=escape(self.title), text=escape(self.text)).encode("utf-8", "replace")
        head = [f"HTTP/1.1 {self.status.value} {self.status.phrase}"]
        head += [f"{name}: {value}" for name, value in HEADERS]
        head += [f"Content-Length: {len(body)}"]
        if self.status is HTTPStatus.METHOD_NOT_ALLOWED:
            head += ["Allow: GET"]
        return "\r\n".join(head).encode() + b"\r\n\r\n" + body


class _Reader:
    """Judges requests. It accepts the first one that is the answer, and none after it."""

    def __init__(
        self, redirect_uri: str, accepts: Callable[[str], bool], answers: Answers, read_timeout: float
    ) -> None:
        parts = urlsplit(redirect_uri)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._path = parts.path or "/"
        self._hosts = {parts.netloc.lower(), parts.netloc.lower().removesuffix(":80")}
        self._accepts = accepts
        self._answers = answers
        self._lock = threading.Lock()
        self._is_answered = False
        self.read_timeout = read_timeout

    def judge(self, head: Hidden[bytes]) -> _Answer:
        """Return the response to a request's head."""
        request, *lines = map(Secret, head.reveal().decode("latin-1").split("\r\n"))
        words = [Secret(word) for word in request.reveal().split(" ")]
        if len(words) != 3 or not words[2].reveal().startswith("HTTP/1."):
            return _refused("That was not an HTTP request.")
        method, target, _version = words
        hosts = [line.reveal().partition(":")[2].strip() for line in lines if line.reveal().lower().startswith("host:")]
        # Another site can point its own name at this machine (DNS rebinding). Its requests then carry that name as host.
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            return _refused("The request names another host.")
        path = target.reveal().partition("?")[0]
        if path != self._path:
            return _Answer(HTTPStatus.NOT_FOUND, "Nothing here", "The sign-in waits at another address.")
        if method.reveal() != "GET":
            return _Answer(HTTPStatus.METHOD_NOT_ALLOWED, "Wrong method", "This page answers GET only.")
        callback = Secret(f"{self._origin}{path}?{target.reveal().partition('?')[2]}")
        if not belongs(callback, self._accepts):
            return _refused("This answer does not belong to the current sign-in, which still waits for its own.")
        return self._taken(callback)

    def deliver(self, answer: _Answer) -> None:
        """Hand over the answer after its page was sent, because the process may end right after."""
        if answer.callback:
            self._answers.put(answer.callback)

    def _taken(self, callback: Secret) -> _Answer:
        with self._lock:
            if self._is_answered:
                return _refused("The sign-in already has its answer.")
            self._is_answered = True
        answer = callback_of(callback)
        if answer.is_refusal:
            said = ", ".join(filter(None, (answer.error, answer.error_type, answer.error_code)))
            return _Answer(HTTPStatus.OK, "Not signed in", f"TikTok said: {said}. You can close this window.", callback)
        return _Answer(
            HTTPStatus.OK, "Thank you", "You can close this window and go back to where you came from.", callback
        )


class _Server(socketserver.ThreadingTCPServer):
    # On Windows this option would let another program take over the port.
    allow_reuse_address = os.name != "nt"
    # A program that opens many connections at once must not keep the browser waiting.
    request_queue_size = 128
    daemon_threads = True
    block_on_close = False
    reader: _Reader

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._room = threading.Semaphore(MOST)
        self._lock = threading.Lock()
        self._open: dict[Any, None] = {}

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give the connection a thread. If `MOST` connections are open, first close the oldest one."""
        # Do not close the new one: it may be the browser's.
        if not self._room.acquire(blocking=False):
            self._hang_up_on_oldest()
            self._room.acquire()
        with self._lock:
            self._open[request] = None
        try:
            super().process_request(request, client_address)
        except BaseException:  # No thread could be started.
            self._forget(request)
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Read the request and answer it, in its thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._forget(request)

    def _hang_up_on_oldest(self) -> None:
        with self._lock:
            oldest = next(iter(self._open), None)
            if oldest is not None:
                # Its thread then reads the end of the stream, and closes the socket.
                with suppress(OSError):
                    oldest.shutdown(socket.SHUT_RDWR)

    def _forget(self, request: Any) -> None:
        with self._lock:
            self._open.pop(request, None)
        self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing: broken connections are normal, and a traceback could show the answer."""


class _Connection(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        """Read one request, answer it, and close the connection."""
        reader = self.server.reader
        head = self._head(reader.read_timeout)
        if head is None:
            return
        answer = reader.judge(head) if head else _too_large()
        self.request.settimeout(reader.read_timeout)
        try:
            self.request.sendall(answer.spelled())
        finally:
            reader.deliver(answer)

    def _head(self, seconds: float) -> Hidden[bytes] | None:
        """Return the request's head, which may hold a code. Empty: it was too long. None: it did not arrive completely."""
        # One time limit for the whole head, so that single slow bytes cannot keep the connection open.
        end = time.monotonic() + seconds
        got = Hidden(b"")
        while b"\r\n\r\n" not in got.reveal():
            if len(got.reveal()) >= LIMIT:
                return Hidden(b"")
            self.request.settimeout(max(0.001, end - time.monotonic()))
            try:
                more = Hidden(self.request.recv(LIMIT - len(got.reveal())))
            except OSError:
                return None
            if not more or time.monotonic() > end:
                return None
            got = Hidden(got.reveal() + more.reveal())
        return Hidden(got.reveal().partition(b"\r\n\r\n")[0])


def _refused(text: str) -> _Answer:
    return _Answer(HTTPStatus.BAD_REQUEST, "That did not fit", text)


def _too_large() -> _Answer:
    return _Answer(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "That did not fit", "The request is too long.")


def _parts(redirect_uri: str) -> SplitResult:
    return urlsplit(redirect_uri.replace(":*/", ":1/", 1))
