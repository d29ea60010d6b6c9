"""A server that behaves well or badly depending on the path, and its good paths in memory.

What belongs here: the server for the transports' contracts. It works on raw sockets, because no HTTP library would make the
mistakes that it must make.

Longer than 400 lines because one server plays every behaviour that a transport has to meet.
"""

import gzip
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Final, Protocol, Self, TypeAlias
from urllib.parse import urlsplit

from attrs import define, frozen

from tiktok_core.wire.http import FileSlice, Request, Response

__all__ = ["REFUSED", "TAKEN", "BehaviourServer", "MemoryPlace", "Place", "Seen"]

Headers: TypeAlias = tuple[tuple[str, str], ...]

STEP: Final = 0.02
"""Seconds between the bytes of a slow answer."""

LONG: Final = 10
"""Seconds after which a silent server answers after all. A client that waits beyond its limit gets that answer, and fails."""

TLS: Final = b"\x16"
"""The first byte of a TLS handshake."""

RESET: Final = struct.pack("ii", 1, 0)
"""With this value of SO_LINGER, closing a socket resets its connection."""


@define
class Seen:
    """One request, as it arrived.

    Attributes:
        method: the method as received.
        target: path and query as received.
        headers: the headers in order, with names in lower case.
        connection: the number of its connection, counted from 0.
        body: the part of the body that the server has read.
    """

    method: str
    target: str
    headers: Headers
    connection: int = 0
    body: bytes = b""

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    def header(self, name: str) -> str | None:
        """Return the value of the first header of this (lower-case) name."""
        return dict(reversed(self.headers)).get(name)


class Place(Protocol):
    """The destination of the requests of a contract."""

    @property
    def base_url(self) -> str:
        """URL without a path."""
        ...

    @property
    def seen(self) -> list[Seen]:
        """All requests so far."""
        ...


@frozen
class _Answer:
    status: int = 200
    headers: Headers = ()
    body: bytes = b""


def _answer(seen: Seen) -> _Answer:
    """Give a good answer: echo, a status, odd headers, many bytes, compressed bytes."""
    what, _, value = seen.path[1:].partition("/")
    if what == "status":
        location = seen.header("x-location") or "/landed"
        return _Answer(int(value), (("Location", location), ("Set-Cookie", "crumb=1; Path=/")), b"as asked")
    if what == "headers":
        return _Answer(headers=(("X-MiXeD", "one"), ("X-Twice", "a"), ("x-twice", "b"), ("X-Odd", 'a; b="c, d"; ü=✓')))
    if what == "large":
        return _Answer(body=bytes(int(value)))
    if what == "gzip":
        return _Answer(headers=(("Content-Encoding", "gzip"),), body=gzip.compress(b"plain", mtime=0))
    return _Answer(body=seen.body)


class MemoryPlace:
    """The good paths without a socket. A fake transport calls `handle`."""

    base_url = "http://behaviour.invalid"

    def __init__(self) -> None:
        self.seen: list[Seen] = []

    def handle(self, request: Request) -> Response:
        """Give the same answer as the server."""
        body = b"".join(request.body.blocks()) if isinstance(request.body, FileSlice) else request.body
        headers = tuple((name.lower(), value) for name, value in request.headers.items())
        parts = urlsplit(request.url)
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        self.seen.append(seen := Seen(request.method, target, headers, body=body))
        answer = _answer(seen)
        joined: dict[str, str] = {}
        for name, value in answer.headers:
            joined[name.lower()] = ", ".join(filter(None, (joined.get(name.lower()), value)))
        return Response(answer.status, joined, answer.body)


class BehaviourServer:
    """The server, on loopback, with a thread for each connection. Use it as a context manager.

    The good paths are those of `MemoryPlace`. The bad paths are in `FAULTS`.

    Args:
        slam: whether to reset every connection as soon as it is made.
        tls: the TLS settings. None serves plain http.
        narrow: whether to keep the buffers small, as on a real line.
    """

    def __init__(self, *, slam: bool = False, tls: ssl.SSLContext | None = None, narrow: bool = False) -> None:
        self.seen: list[Seen] = []
        self.stopping = threading.Event()
        self._slam = slam
        self.tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        if narrow:  # Connections inherit the buffer size.
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 * 1024)
            self._listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1400)
        self._port: int = self._listener.getsockname()[1]
        self._conversations: list[_Conversation] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def base_url(self) -> str:
        """URL without a path."""
        return f"{'http' if self.tls is None else 'https'}://127.0.0.1:{self._port}"

    @property
    def connections(self) -> int:
        """The number of connections made so far."""
        return len(self._conversations)

    def requests_to(self, path: str) -> list[Seen]:
        """Return the requests to this path so far."""
        return [seen for seen in self.seen if seen.path == path]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stopping.set()
        with suppress(OSError), socket.create_connection(("127.0.0.1", self._port), timeout=1):
            pass  # Wake the accepting thread.
        self._thread.join(5)
        self._listener.close()
        for conversation in self._conversations:
            conversation.end()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            if self.stopping.is_set():
                connection.close()
                return
            if self._slam:
                _reset(connection)
                continue
            conversation = _Conversation(self, connection, len(self._conversations))
            self._conversations.append(conversation)
            conversation.thread.start()


class _Conversation:
    """One connection, and the methods by which faults use it."""

    def __init__(self, server: BehaviourServer, connection: socket.socket, number: int) -> None:
        self.server = server
        self.connection = connection
        self.number = number
        self.requests = 0
        self.thread = threading.Thread(target=self._talk, daemon=True)

    def end(self) -> None:
        """End it from another thread, and wait until its own thread has ended."""
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        self.thread.join(5)

    def read_body(self, seen: Seen, *, piece: int = 1 << 20, pause: float = 0) -> None:
        """Read the whole body, in pieces with a pause after each.

        Raises:
            ConnectionError: the body ended early.
        """
        left = int(seen.header("content-length") or 0)
        blocks = []
        while left and not self.server.stopping.is_set():
            block = self._reader.read(min(piece, left))
            if not block:
                raise ConnectionError("the body ended early")
            blocks.append(block)
            left -= len(block)
            self.server.stopping.wait(pause)
        seen.body = b"".join(blocks)

    def read_some(self, size: int) -> None:
        """Read only the beginning of the body."""
        self._reader.read(size)

    def say(self, data: bytes) -> None:
        """Send raw bytes."""
        self.connection.sendall(data)

    def answer(self, answer: _Answer, *, method: str = "") -> None:
        """Send a complete answer."""
        lines = [f"HTTP/1.1 {answer.status} Whatever", *(f"{name}: {value}" for name, value in answer.headers)]
        if answer.status != 204:
            lines.append(f"Content-Length: {len(answer.body)}")
        body = b"" if method == "HEAD" or answer.status in {204, 304} else answer.body
        self.say("\r\n".join([*lines, "", ""]).encode() + body)

    def trickle(self, data: bytes) -> None:
        """Send bytes one by one, slowly."""
        for byte in data:
            self.say(bytes([byte]))
            if self.server.stopping.wait(STEP):
                return

    def hold(self) -> None:
        """Keep the connection open and do nothing, until the server ends."""
        self.server.stopping.wait()

    def _talk(self) -> None:
        # Errors are expected here: one side has broken the connection on purpose.
        with suppress(OSError), self._opened(), self._reader:
            for seen in self._requests():
                self.requests += 1
                if (fault := FAULTS.get(seen.path)) is not None:
                    if not fault(self, seen):
                        return
                    continue
                self.read_body(seen)
                self.answer(_answer(seen), method=seen.method)

    @contextmanager
    def _opened(self) -> Iterator[None]:
        with self.connection:
            tls = self.server.tls
            # Wrapping a connection that the client has already reset would leak it.
            if tls is not None and self.connection.recv(1, socket.MSG_PEEK):
                # Delay the handshake, so that `end` can close a connection during it.
                self.connection = tls.wrap_socket(self.connection, server_side=True, do_handshake_on_connect=False)
            with self.connection:
                if isinstance(self.connection, ssl.SSLSocket):
                    self.connection.do_handshake()
                self._reader = self.connection.makefile("rb")
                yield

    def _requests(self) -> Iterator[Seen]:
        while len(first := self._first_line()) == 3:
            headers = []
            while line := self._reader.readline().decode("utf-8", "replace").strip():
                name, _, value = line.partition(":")
                headers.append((name.lower(), value.strip()))
            seen = Seen(first[0], first[1], tuple(headers), self.number)
            self.server.seen.append(seen)
            yield seen

    def _first_line(self) -> list[str]:
        if self._reader.peek(1)[:1] == TLS:  # A TLS handshake has no line that would end.
            return []
        return self._reader.readline().decode("latin-1").split()


def _reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    connection.close()


# --- Faults: each returns whether the connection may go on -----------------------------------------------------------

Fault: TypeAlias = Callable[[_Conversation, Seen], bool]


def _reset_after_head(talk: _Conversation, _seen: Seen) -> bool:
    talk.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    return False


def _reset_after_body(talk: _Conversation, seen: Seen) -> bool:
    talk.read_body(seen)
    return _reset_after_head(talk, seen)


def _close_after_body(talk: _Conversation, seen: Seen) -> bool:
    talk.read_body(seen)
    return False


def _says(data: bytes) -> Fault:
    def fault(talk: _Conversation, seen: Seen) -> bool:
        talk.read_body(seen)
        talk.say(data)
        return False

    return fault


def _trickles(quick: bytes, slow: bytes) -> Fault:
    def fault(talk: _Conversation, seen: Seen) -> bool:
        talk.read_body(seen)
        talk.say(quick)
        talk.trickle(slow)
        return False

    return fault


def _silent(talk: _Conversation, seen: Seen) -> bool:
    talk.read_body(seen)
    talk.server.stopping.wait(LONG)
    talk.answer(_Answer(), method=seen.method)
    return False


def _stalled(talk: _Conversation, seen: Seen) -> bool:
    talk.server.stopping.wait(LONG)
    talk.read_body(seen)
    talk.answer(_Answer(), method=seen.method)
    return False


def _slow_reader(talk: _Conversation, seen: Seen) -> bool:
    talk.read_body(seen, piece=64 * 1024, pause=STEP)
    talk.answer(_Answer())
    return False


def _slow_line(talk: _Conversation, seen: Seen) -> bool:
    talk.read_body(seen, piece=16 * 1024, pause=1.5 * STEP)
    talk.answer(_Answer())
    return True


def _early(talk: _Conversation, _seen: Seen) -> bool:
    talk.answer(_Answer(403, (("Connection", "close"),), b"too early"))
    return False


def _early_open(talk: _Conversation, _seen: Seen) -> bool:
    talk.answer(_Answer(403, (), b"too early"))
    talk.hold()
    return False


def _early_midway(talk: _Conversation, _seen: Seen) -> bool:
    talk.read_some(3 << 20)
    return _early_open(talk, _seen)


def _interim(talk: _Conversation, seen: Seen) -> bool:
    talk.say(b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n")
    talk.server.stopping.wait(STEP)
    talk.read_body(seen)
    talk.say(b"HTTP/1.1 102 Processing\r\n\r\n")
    talk.server.stopping.wait(STEP)
    talk.answer(_Answer(body=b"the real one"), method=seen.method)
    return True


def _second_dropped(talk: _Conversation, seen: Seen) -> bool:
    talk.read_body(seen)
    if talk.requests > 1:
        return False
    talk.answer(_Answer())
    return True


def _hang_up(talk: _Conversation, seen: Seen) -> bool:
    talk.read_body(seen)
    talk.answer(_Answer())
    return False


def _drips_interim(talk: _Conversation, seen: Seen) -> bool:
    talk.read_body(seen)
    while not talk.server.stopping.wait(STEP):
        talk.say(b"HTTP/1.1 102 Processing\r\n\r\n")
    return False


def _says_two(talk: _Conversation, seen: Seen) -> bool:
    talk.read_body(seen)
    talk.say(OK + LENGTH + b"\r\nok" + OK + b"Content-Length: 4\r\n\r\nevil")
    return True


OK: Final = b"HTTP/1.1 200 OK\r\n"
LENGTH: Final = b"Content-Length: 2\r\n"
CHUNKED: Final = b"Transfer-Encoding: chunked\r\n"
CHUNKS: Final = b"\r\n2\r\nok\r\n0\r\n\r\n"
END: Final = b"0\r\n\r\n"
REFUSED: Final[dict[str, bytes]] = {
    "length-negative": OK + b"Content-Length: -5\r\n\r\nhello",
    "length-with-plus": OK + b"Content-Length: +2\r\n\r\nok",
    "length-with-underscore": OK + b"Content-Length: 0_2\r\n\r\nok",
    "length-in-hexadecimal": OK + b"Content-Length: 0x2\r\n\r\nok",
    "length-empty": OK + b"Content-Length: \r\n\r\nok",
    "length-with-fraction": OK + b"Content-Length: 2.0\r\n\r\nok",
    "length-of-30-digits": OK + b"Content-Length: " + b"9" * 30 + b"\r\n\r\nok",
    "length-of-5000-digits": OK + b"Content-Length: " + b"9" * 5_000 + b"\r\n\r\nok",
    "lengths-that-differ": OK + LENGTH + b"Content-Length: 3\r\n\r\nok",
    "length-and-chunked": OK + LENGTH + CHUNKED + CHUNKS,
    "coding-unknown": OK + b"Transfer-Encoding: gzip, chunked\r\n" + CHUNKS,
    "coding-like-chunked": OK + b"Transfer-Encoding: xchunked\r\n" + CHUNKS,
    "204-with-length": b"HTTP/1.1 204 No\r\n" + LENGTH + b"\r\nok",
    "204-chunked": b"HTTP/1.1 204 No\r\n" + CHUNKED + CHUNKS,
    "value-with-nul": OK + b"X-A: a\0b\r\n" + LENGTH + b"\r\nok",
    "value-with-cr": OK + b"X-A: a\rX-B: b\r\n" + LENGTH + b"\r\nok",
    "value-with-escape": OK + b"X-A: a\x1bb\r\n" + LENGTH + b"\r\nok",
    "name-with-nul": OK + b"X\0A: a\r\n" + LENGTH + b"\r\nok",
    "name-with-blank": OK + b"X A: a\r\n" + LENGTH + b"\r\nok",
    "name-empty": OK + b": a\r\n" + LENGTH + b"\r\nok",
    "field-without-colon": OK + b"nothing\r\n" + LENGTH + b"\r\nok",
    "field-too-long": OK + b"X-A: " + b"a" * 100_000 + b"\r\n" + LENGTH + b"\r\nok",
    "fields-120": OK + b"X-A: a\r\n" * 120 + LENGTH + b"\r\nok",
    "fields-10000": OK + b"X-A: a\r\n" * 10_000 + LENGTH + b"\r\nok",
    "status-of-4-digits": b"HTTP/1.1 1000 OK\r\n" + LENGTH + b"\r\nok",
    "status-below-100": b"HTTP/1.1 099 OK\r\n" + LENGTH + b"\r\nok",
    "status-negative": b"HTTP/1.1 -200 OK\r\n" + LENGTH + b"\r\nok",
    "status-in-other-digits": "HTTP/1.1 \u0662\u0660\u0660 OK\r\n".encode() + LENGTH + b"\r\nok",
    "status-missing": b"HTTP/1.1\r\n" + LENGTH + b"\r\nok",
    "status-behind-a-tab": b"HTTP/1.1\t200 OK\r\n" + LENGTH + b"\r\nok",
    "version-0.9": b"HTTP/0.9 200 OK\r\n" + LENGTH + b"\r\nok",
    "version-1.9": b"HTTP/1.9 200 OK\r\n" + LENGTH + b"\r\nok",
    "version-2.0": b"HTTP/2.0 200 OK\r\n" + LENGTH + b"\r\nok",
    "version-in-small-letters": b"http/1.1 200 OK\r\n" + LENGTH + b"\r\nok",
    "reason-with-nul": b"HTTP/1.1 200 O\0K\r\n" + LENGTH + b"\r\nok",
    "interim-alone": b"HTTP/1.1 100 Continue\r\n\r\n",
    "chunk-negative": OK + CHUNKED + b"\r\n-2\r\nok\r\n" + END,
    "chunk-with-plus": OK + CHUNKED + b"\r\n+2\r\nok\r\n" + END,
    "chunk-with-0x": OK + CHUNKED + b"\r\n0x2\r\nok\r\n" + END,
    "chunk-with-underscore": OK + CHUNKED + b"\r\n0_2\r\nok\r\n" + END,
    "chunk-without-size": OK + CHUNKED + b"\r\n\r\nok\r\n" + END,
    "chunk-without-end": OK + CHUNKED + b"\r\n2\r\nokXX" + END,
    "chunk-too-large": OK + CHUNKED + b"\r\n" + b"f" * 20 + b"\r\nok\r\n" + END,
    "trailer-without-colon": OK + CHUNKED + b"\r\n2\r\nok\r\n0\r\nnothing\r\n\r\n",
    "trailer-20000": OK + CHUNKED + b"\r\n2\r\nok\r\n0\r\n" + b"X-A: a\r\n" * 20_000 + b"\r\n",
    "trailer-cut": OK + CHUNKED + b"\r\n2\r\nok\r\n0\r\nX-A: a\r\n",
    "no-line-at-all": b"a" * 1_000_000,
    "zeros": bytes(100),
}
"""Answers that are not HTTP, or that leave their end open. A transport must not accept them."""
TAKEN: Final[dict[str, bytes]] = {
    "no-reason": b"HTTP/1.1 200\r\n" + LENGTH + b"\r\nok",
    "version-1.0": b"HTTP/1.0 200 OK\r\n" + LENGTH + b"\r\nok",
    "90-fields": OK + b"X-A: a\r\n" * 90 + LENGTH + b"\r\nok",
    "field-of-60-kilobytes": OK + b"X-A: " + b"a" * 60_000 + b"\r\n" + LENGTH + b"\r\nok",
    "no-length": OK + b"\r\nok",
    "many-interim-answers": b"HTTP/1.1 100 Continue\r\n\r\n" * 100 + OK + LENGTH + b"\r\nok",
    "chunk-extension": OK + CHUNKED + b"\r\n2;a=b\r\nok\r\n" + END,
    "chunked-in-capitals": OK + b"Transfer-Encoding: Chunked\r\n" + CHUNKS,
    "trailer": OK + CHUNKED + b"\r\n2\r\nok\r\n0\r\nX-T: a\r\n\r\n",
    "value-in-latin-1": OK + b"X-A: a\xffb\r\n" + LENGTH + b"\r\nok",
}
"""Unusual answers that HTTP allows. Each has the body `ok`."""
HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n"
FAULTS: Final[dict[str, Fault]] = {
    "/reset-after-head": _reset_after_head,
    "/reset-after-body": _reset_after_body,
    "/close-after-body": _close_after_body,
    "/truncated": _says(HEAD + b"\r\nshort"),
    "/truncated-head": _says(HEAD),
    "/truncated-chunks": _says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\nff\r\ncut"),
    "/chunks": _says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nwhole\r\n6\r\n chunk\r\n0\r\n\r\n"),
    "/garbage": _says(b"220 ready for mail\r\n\r\n"),
    "/trickle": _trickles(HEAD + b"\r\n", b"x" * 1000),
    "/trickle-head": _trickles(b"", HEAD + b"X-Long: " + b"x" * 1000),
    "/silent": _silent,
    "/stalled": _stalled,
    "/slow-reader": _slow_reader,
    "/slow-line": _slow_line,
    "/early": _early,
    "/early-open": _early_open,
    "/early-midway": _early_midway,
    "/interim": _interim,
    "/second-dropped": _second_dropped,
    "/hang-up": _hang_up,
    "/interim-drip": _drips_interim,
    "/two-answers": _says_two,
    **{f"/odd/{name}": _says(answer) for name, answer in {**REFUSED, **TAKEN}.items()},
}
