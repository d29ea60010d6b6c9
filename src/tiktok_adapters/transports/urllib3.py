"""The blocking transport, over urllib3's connections.

What belongs here: sending one request over a socket, and deciding between "not sent" and "interrupted". This module does not
use urllib3's pool. The pool repeats requests, logs complete URLs, and hides whether it failed before or after the first byte.
"""

import http.client
import io
import os
import socket
import ssl
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException, RemoteDisconnected
from importlib.metadata import packages_distributions
from types import TracebackType
from typing import Final, NoReturn, Self, TypeAlias, cast

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, ReadTimeoutError
from urllib3.response import HTTPResponse
from urllib3.util import SKIP_HEADER

from tiktok_adapters.transports.common import (
    Target,
    body_blocks,
    hide_queries,
    in_utf8,
    joined_headers,
    target_of,
    unforeseen,
    wire_headers,
)
from tiktok_adapters.transports.dialling import Refuse, dial
from tiktok_adapters.transports.heads import check_head
from tiktok_adapters.transports.proxies import Proxy
from tiktok_adapters.transports.reading import AHEAD, LEAVE, Block, Reading
from tiktok_adapters.transports.sockets import PatientSocket, Waits
from tiktok_adapters.transports.tls import chosen_context, default_context
from tiktok_core.errors import Interrupted, Misused, NotSent, SourceChanged, TimedOut
from tiktok_core.hidden import Hidden
from tiktok_core.wire.guests import GuestFailed, Guests
from tiktok_core.wire.http import BLOCK, MAX_RESPONSE, FileSlice, FillsBuffers, Request, Response, Sink

__all__ = ["Urllib3Transport"]

Origin: TypeAlias = tuple[str, str, int]

IDLE: Final = 100
"""Largest number of idle connections per origin."""
LOOK: Final = 0.05
"""Seconds between two checks, during an upload, whether the server has already answered."""

# Errors of urllib3, http.client and the socket after bytes were sent, and their meaning. The first entry that fits counts.
TALKING: Final[tuple[tuple[type[Exception], str], ...]] = (
    (TimeoutError, "no answer came in time"),
    (ReadTimeoutError, "no answer came in time"),
    (RemoteDisconnected, "the server closed the connection before the answer was complete"),
    (OSError, "the connection was lost"),
    (HTTPException, "the answer is not HTTP"),
    (HTTPError, "the answer broke off"),
)
LATE: Final = (TimeoutError, ReadTimeoutError)

REMEDIES: Final = {
    "urllib3-future": "reinstall both so that each has its own name: URLLIB3_NO_OVERRIDE=1 pip install --force-reinstall "
    "--no-deps --no-binary urllib3-future urllib3-future urllib3"
}
"""For each package that replaces urllib3: how to install both side by side."""


class Urllib3Transport:
    """Send requests over pooled connections, blocking. Threads may share it. A forked child must make its own.

    It keeps no cookies, follows no redirects, sends no request twice, and reads no environment variables.

    Args:
        proxy: URL of an HTTP proxy, `http://user:password@host:port`. User and password are optional. A `Proxy` can also
            name hosts that are called without it.
        ca_file: PEM file of the authorities to trust in place of the system's.
        ssl_context: complete TLS settings in place of `ca_file`. They must check certificates and host names.
        refuse: called with host, port and address before each direct connection; returns why none is made, or an empty text.

    Raises:
        ValueError: the proxy is not an http URL, or the context does not check certificates and host names.
        OSError: the file of authorities is missing or holds no authority.
        ImportError: another package has replaced urllib3 in this environment.
    """

    def __init__(
        self,
        *,
        proxy: str | Proxy | None = None,
        ca_file: str | None = None,
        ssl_context: ssl.SSLContext | None = None,
        refuse: Refuse | None = None,
    ) -> None:
        _check_urllib3()
        hide_queries("urllib3.connection")
        given = Hidden(proxy)
        del proxy  # It may hold a password, which a crash report would show.
        self._proxy = Proxy.chosen(given)
        self._tls = chosen_context(ca_file, ssl_context)
        self._refuse = refuse
        self._lock = threading.Lock()
        self._reading = Reading()
        self._idle: dict[Origin, list[HTTPConnection]] = {}
        self._closed = False
        self._pid = os.getpid()

    def send(self, request: Request, /) -> Response:
        """Send the request and return the answer.

        Raises:
            NotSent: no byte left this machine; `Misused` if the transport is closed or belongs to another process.
            Interrupted: part of the request left, and no complete answer came. `TimedOut` if it did not come in time.
            SourceChanged: the body's source ended early, so the server got an incomplete body.
        """
        guests = Guests()
        with suppress(GuestFailed):
            return self._sent(guests.watched(request))
        raise guests.take()

    def _sent(self, request: Request) -> Response:
        if os.getpid() != self._pid:
            # The connections belong to the parent. Two processes that share one would read each other's answers.
            said = "this transport belongs to another process: make a new client (or transport) after the fork"
            raise Misused(request.name, said)
        try:
            target = target_of(request)
            origin = target.scheme, target.host, target.port
            proxy = self._proxy if self._proxy is not None and self._proxy.serves(target.host, target.port) else None
            connection = self._connection(request, origin, proxy)
        except NotSent:
            raise
        except Exception as foreign:  # noqa: BLE001 - the caller gets one of our errors for each foreign one
            raise NotSent(request.name, unforeseen(foreign)) from None
        exchange = _Exchange(request, target, connection, self._reading)
        try:
            response = exchange.answer(proxy if target.scheme == "http" else None)
            if exchange.may_go_on and not request.fresh_connection:
                self._give_back(origin, connection)
            else:
                connection.close()
        except BaseException:
            exchange.abandon()
            raise
        return response

    def close(self) -> None:
        """Close all idle connections. A second call, or a call in a forked child, does nothing.

        Running requests continue, and close their connections at their end.
        """
        if os.getpid() != self._pid:
            return  # The lock may belong to a thread that does not exist in the child.
        with self._lock:
            self._closed = True
            connections = [connection for idle in self._idle.values() for connection in idle]
            self._idle.clear()
        for connection in connections:
            connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a transport is not pickled: it holds connections")

    # --- Connections -------------------------------------------------------------------------------------------------

    def _connection(self, request: Request, origin: Origin, proxy: Proxy | None) -> HTTPConnection:
        waits = Waits(request.timeout, request.time_limit)
        while (connection := self._idle_one(request, origin)) is not None:
            # Check outside of the lock: a system call lets other threads run, and each would stop at the lock.
            if _socket(connection).is_quiet():
                _socket(connection).begin(waits)
                return connection
            connection.close()  # The server has closed the connection, or sent bytes without a request.
        return self._new_connection(request, origin, proxy, waits)

    def _idle_one(self, request: Request, origin: Origin) -> HTTPConnection | None:
        with self._lock:
            if self._closed:
                raise Misused(request.name, "the transport is closed")
            idle = self._idle.get(origin)
            return idle.pop() if idle and not request.fresh_connection else None

    def _new_connection(self, request: Request, origin: Origin, proxy: Proxy | None, waits: Waits) -> HTTPConnection:
        scheme, host, port = origin
        tls = self._tls_context() if scheme == "https" else None
        # urllib3 only uses the given socket. It must not connect by itself, because it would also reconnect.
        connection = (HTTPConnection if tls is None else HTTPSConnection)(host, port, blocksize=BLOCK)
        connection.auto_open = 0
        sock = dial(request.name, host, port, waits, proxy=proxy, tls=tls, refuse=self._refuse)
        connection.sock = cast(socket.socket, sock)
        return connection

    def _tls_context(self) -> ssl.SSLContext:
        with self._lock:
            if self._tls is None:
                self._tls = default_context()
            return self._tls

    def _give_back(self, origin: Origin, connection: HTTPConnection) -> None:
        with self._lock:
            idle = self._idle.setdefault(origin, [])
            if not self._closed and len(idle) < IDLE:
                idle.append(connection)
                return
        connection.close()


class _Exchange:
    """Sends one request on one connection, and reads its answer."""

    def __init__(self, request: Request, target: Target, connection: HTTPConnection, reading: Reading) -> None:
        self._request = request
        self._reading = reading
        self._target = target
        self._connection = connection
        self._line = _socket(connection)
        self._response: HTTPResponse | None = None
        self._sent = 0
        self._ended = False

    @property
    def may_go_on(self) -> bool:
        """Whether the connection can serve another request: all bytes were sent and read, and it is still open."""
        is_final = self._response is not None and self._response.status >= 200
        return (
            is_final and self._ended and self._sent == self._request.content_length and not self._connection.is_closed
        )

    def answer(self, proxy: Proxy | None) -> Response:
        """Send the request and read the answer."""
        with self._talking():
            self._send(proxy)
            self._line.waits.begin_head()
            response = self._response = self._connection.getresponse()
            self._line.waits.end_head()
            head = Response(
                response.status, joined_headers((name, _text(value)) for name, value in response.headers.items())
            )
            version = divmod(response.version, 10)
            check_head(self._request, version, head.status, response.reason or "", response.headers.items())
            if (sink := self._sink(head)) is not None:
                self._pour(response, sink)
                self._check_end()
                return head
            answer = Response(head.status, head.headers, _read(response))
            self._ended = len(answer.body) <= MAX_RESPONSE
            if not self._ended:
                self.abandon()
            self._check_end()
            return answer

    def _check_end(self) -> None:
        if self._ended and self._line.left_over:
            raise Interrupted(self._request.name, "the answer is not HTTP: it is longer than it announced")

    def abandon(self) -> None:
        """Close the connection and the unread answer."""
        self._connection.close()
        if self._response is not None:
            self._response.close()

    def _sink(self, head: Response) -> Sink | None:
        return None if self._request.sink is None else self._request.sink(head)

    def _pour(self, response: HTTPResponse, sink: Sink) -> None:
        # Read until an empty block, as in `_read`.
        while block := response.read(BLOCK, decode_content=False):
            sink.write(block)
        self._ended = True

    def _send(self, proxy: Proxy | None) -> None:
        blocks = self._blocks()
        try:
            self._connection.request(
                self._request.method,
                self._target.path if proxy is None else self._target.url,
                body=cast(Iterator[bytes], blocks) if self._request.content_length else None,
                headers=self._headers(proxy),
                preload_content=False,
                decode_content=False,
            )
        except TimeoutError:
            # A server that refuses a request may stop reading it. Then its answer can already be read.
            if not self._line.has_answered():
                raise
        except OSError:
            pass  # The server may have closed the connection after its answer, which can still be read.
        finally:
            blocks.close()

    def _headers(self, proxy: Proxy | None) -> dict[str, str]:
        names = {name.lower() for name in self._request.headers}
        # In one expression, so that no local variable holds a secret.
        return {
            **in_utf8(wire_headers(self._request)),
            **({} if "user-agent" in names else {"User-Agent": SKIP_HEADER}),
            **({} if proxy is None else proxy.headers),
        }

    def _blocks(self) -> Generator[Block, None, None]:
        look = 0.0
        with self._line.in_full_packets(), self._body() as blocks:
            for block in blocks:
                if (now := time.monotonic()) >= look:
                    if self._line.has_answered():
                        return  # The server has answered or closed the connection, and will not read the rest of the body.
                    look = now + LOOK
                yield block
                self._sent += len(block)
                self._report()

    @contextmanager
    def _body(self) -> Iterator[Iterator[Block]]:
        # The bytes of a form hold secrets, which no local variable may hold.
        body = self._request.body if isinstance(self._request.body, FileSlice) else None
        # A source without `read_into` may not allow another thread. So read it on this thread, even if it may hang.
        if body is None or not isinstance(body.source, FillsBuffers):
            yield body_blocks(self._request)
            return
        with self._reading.ahead(body, by=AHEAD if self._reading.pays_for(body) else 0) as ahead:
            patience = self._request.timeout
            try:
                yield ahead.blocks(patience)
            except BaseException as error:
                # The sender has already waited for a source that hangs, and after Ctrl-C it must not wait for long.
                if isinstance(error, SourceChanged) or not isinstance(error, (Exception, GeneratorExit)):
                    patience = LEAVE
                raise
            finally:
                ahead.join(patience)

    def _report(self) -> None:
        if self._request.on_sent is not None:
            self._request.on_sent(self._sent)

    @contextmanager
    def _talking(self) -> Iterator[None]:
        """Turn foreign errors into ours. Drop their messages, which may quote the URL."""
        try:
            yield
        except (GuestFailed, NotSent, Interrupted, SourceChanged):
            raise
        except Exception as foreign:  # noqa: BLE001 - the caller gets one of our errors for each foreign one
            name = self._request.name
            if self._line.is_untouched:
                raise NotSent(name, unforeseen(foreign)) from None
            error = TimedOut if isinstance(foreign, LATE) else Interrupted
            reasons = (reason for kind, reason in TALKING if isinstance(foreign, kind))
            raise error(name, next(reasons, unforeseen(foreign))) from None


def _check_urllib3() -> None:
    """Check that the module urllib3 is the real one: another package's connection would not use the socket it is given.

    Raises:
        ImportError: another package has replaced urllib3.
    """
    if issubclass(HTTPConnection, http.client.HTTPConnection):
        return
    others = sorted({*packages_distributions().get("urllib3", ())} - {"urllib3"})
    remedy = next((REMEDIES[other] for other in others if other in REMEDIES), "reinstall urllib3")
    raise ImportError(
        f"{' or '.join(others) or 'another package'} has replaced urllib3 in this environment, and the blocking "
        f"client cannot work with it: install this library in a separate environment, or {remedy}",
        name="urllib3",
    )


def _read(response: HTTPResponse) -> bytes:
    # One read may return less than asked for. Without a Content-Length, only an empty read proves that the end was checked.
    body = io.BytesIO()  # Its `repr` does not show the content.
    while body.tell() <= MAX_RESPONSE and body.write(
        response.read(MAX_RESPONSE + 1 - body.tell(), decode_content=False)
    ):
        if response.length_remaining == 0:
            break
    return body.getvalue()


def _socket(connection: HTTPConnection) -> PatientSocket:
    return cast(PatientSocket, connection.sock)


def _text(value: str) -> str:
    return value if value.isascii() else value.encode("latin-1", "replace").decode("utf-8", "replace")
