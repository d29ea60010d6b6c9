"""A web server with one video on loopback: honest, or wrong in one of many ways.

What belongs here: the server and its tricks. What a source makes of each trick is in `tests/adapters/test_ranges.py`.
"""

import hashlib
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias

from attrs import define, field

__all__ = ["SECRET", "TRICKS", "Asked", "MediaServer", "Trick", "served"]

SECRET = "canary-of-a-signature"

Trick: TypeAlias = "Callable[[Asked], object]"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_: Any) -> None:
        """Say nothing: clients break connections on purpose here."""


@define
class MediaServer:
    """The video, and how its server behaves.

    Attributes:
        data: the video.
        url: where it lies; the query is a secret.
        trick: answers in place of the honest server; None for the honest one.
        applies: to which requests the trick applies.
        seen: the headers of each request.
        running: how many requests are being answered.
        let_go: set at the end, for tricks that wait.
    """

    data: bytes
    url: str
    trick: "Trick | None" = None
    applies: "Callable[[Asked], bool]" = lambda _asked: True
    seen: list[dict[str, str]] = field(factory=list)
    running: int = 0
    let_go: threading.Event = field(factory=threading.Event)
    tricked: int = 0
    """How many requests the trick has answered."""
    lock: threading.Lock = field(factory=threading.Lock)

    @property
    def etag(self) -> str:
        """The strong ETag of the video as it is now."""
        return f'"{hashlib.md5(self.data, usedforsecurity=False).hexdigest()}"'

    def answer(self, asked: "Asked") -> None:
        """Answer a request, with the trick where it applies."""
        with self.lock:
            self.seen.append(dict(asked.handler.headers))
            self.running += 1
            trick = self.trick if self.trick is not None and self.applies(asked) else None
            self.tricked += trick is not None
        try:
            (trick or honest)(asked)
        finally:
            with self.lock:
                self.running -= 1


@define
class Asked:
    """One request, and the ways to answer it.

    Attributes:
        server: the server that was asked.
        handler: the connection.
        first: the first byte that was asked for; None where no range was.
        last: the last one.
    """

    server: MediaServer
    handler: BaseHTTPRequestHandler
    first: int | None
    last: int

    @property
    def size(self) -> int:
        """The bytes of the video."""
        return len(self.server.data)

    @property
    def span(self) -> tuple[int, int]:
        """The first and the last byte of the answer, inside of the video."""
        return self.first or 0, min(self.last, self.size - 1)

    @property
    def body(self) -> bytes:
        """The bytes that were asked for."""
        return self.server.data[self.span[0] : self.span[1] + 1]

    @property
    def content_range(self) -> str:
        """The range that was asked for, as an answer names it."""
        return f"bytes {self.span[0]}-{self.span[1]}/{self.size}"

    def give(self, status: int, body: bytes = b"", **headers: str | None) -> None:
        """Send an answer. A header `content_length=None` is left out."""
        named = {"content_length": str(len(body)), "content_type": "video/mp4"} | headers
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in named.items() if value is not None]
        with suppress(OSError):
            self.handler.wfile.write("\r\n".join([f"HTTP/1.1 {status} -", *lines, "", ""]).encode() + body)

    def part(self, body: bytes | None = None, **headers: str | None) -> None:
        """Send a range as an honest server does, except for what is given."""
        usual = {"etag": self.server.etag, "content_range": self.content_range}
        self.give(206, self.body if body is None else body, **(usual | headers))

    def whole(self, body: bytes | None = None, **headers: str | None) -> None:
        """Send the whole video."""
        self.give(200, self.server.data if body is None else body, **({"etag": self.server.etag} | headers))

    def end(self) -> None:
        """Close the connection."""
        self.handler.close_connection = True


def honest(asked: Asked) -> None:
    """Answer as RFC 9110 says."""
    wanted = asked.handler.headers["If-Match"]
    if wanted not in {None, asked.server.etag}:
        asked.give(412)
    elif asked.first is None:
        asked.whole()
    elif asked.first >= asked.size:
        asked.give(416, content_range=f"bytes */{asked.size}")
    else:
        asked.part()


# --- The tricks ------------------------------------------------------------------------------------------------------


def _only_of_ranges(trick: Trick) -> Trick:
    return lambda asked: honest(asked) if asked.first is None else trick(asked)


def _ignores_ranges(asked: Asked) -> None:
    asked.whole()


def _another_range(asked: Asked) -> None:
    first, last = asked.span
    asked.part(content_range=f"bytes {first + 1}-{last + 1}/{asked.size + 1}")


def _another_size(asked: Asked) -> None:
    asked.part(content_range=asked.content_range.rpartition("/")[0] + f"/{asked.size + 7}")


def _an_unknown_size(asked: Asked) -> None:
    asked.part(content_range=asked.content_range.rpartition("/")[0] + "/*")


def _a_shorter_range(asked: Asked) -> None:
    first, last = asked.span
    asked.part(asked.body[:-5], content_range=f"bytes {first}-{last - 5}/{asked.size}")


def _fewer_bytes(asked: Asked) -> None:
    asked.part(asked.body[:-5])


def _more_bytes(asked: Asked) -> None:
    asked.part(asked.body + b"and more")


def _lying_length(asked: Asked) -> None:
    asked.part(asked.body[:-5], content_length=str(len(asked.body)))
    asked.end()


def _more_than_announced(asked: Asked) -> None:
    asked.part(asked.body + b"and more", content_length=str(len(asked.body)))


def _weak_etag(asked: Asked) -> None:
    asked.part(etag='W/"x"')


def _no_etag(asked: Asked) -> None:
    asked.part(etag=None)


def _two_etags(asked: Asked) -> None:
    asked.part(etag='"x", "y"')


def _empty_etag(asked: Asked) -> None:
    asked.part(etag='""')


def _another_etag_each_time(asked: Asked) -> None:
    asked.part(etag=f'"{len(asked.server.seen)}"')


def _many_ranges(asked: Asked) -> None:
    inner = f"--x\r\nContent-Range: {asked.content_range}\r\n\r\n".encode() + asked.body + b"\r\n--x--\r\n"
    asked.give(206, inner, etag=asked.server.etag, content_type="multipart/byteranges; boundary=x")


def _status(status: int, **headers: str) -> Trick:
    return lambda asked: asked.give(status, b"{}", content_type="text/plain", **headers)


def _a_page(asked: Asked) -> None:
    asked.whole(b"<html>Sign in</html>", content_type="text/html; charset=utf-8")


def _a_part_of_a_page(asked: Asked) -> None:
    asked.part(content_type="text/html")


def _compressed(asked: Asked) -> None:
    asked.part(content_encoding="gzip")


def _no_answer(asked: Asked) -> None:
    asked.end()


def _breaks_off(asked: Asked) -> None:
    asked.part(asked.body[: len(asked.body) // 2], content_length=str(len(asked.body)))
    asked.end()


def _hangs(asked: Asked) -> None:
    asked.server.let_go.wait(30)
    asked.end()


def _hangs_within(asked: Asked) -> None:
    asked.part(asked.body[: len(asked.body) // 2], content_length=str(len(asked.body)))
    _hangs(asked)


def _no_http(asked: Asked) -> None:
    with suppress(OSError):
        asked.handler.wfile.write(b"220 mail.example.com ESMTP\r\n")
    asked.end()


def _chunked(asked: Asked) -> None:
    body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (asked.body[:7], asked.body[7:]) if part)
    give = asked.part if asked.first is not None else asked.whole
    give(body + b"0\r\n\r\n", content_length=None, transfer_encoding="chunked")


def _chunked_whole(asked: Asked) -> None:
    asked.whole(
        b"%x\r\n%s\r\n0\r\n\r\n" % (asked.size, asked.server.data), content_length=None, transfer_encoding="chunked"
    )


def _until_it_closes(asked: Asked) -> None:
    asked.whole(content_length=None)
    asked.end()


def _a_whole_of_5_gib(asked: Asked) -> None:
    asked.whole(b"", content_length=str(5 * 1024**3))
    asked.end()


def _a_part_of_5_gib(asked: Asked) -> None:
    asked.part(content_range=asked.content_range.rpartition("/")[0] + f"/{5 * 1024**3}")


def _once(trick: Trick, times: int = 1) -> Trick:
    return lambda asked: (trick if asked.server.tricked <= times else honest)(asked)


TRICKS: dict[str, Trick] = {
    "honest": honest,
    "ignores ranges": _ignores_ranges,
    "another range": _only_of_ranges(_another_range),
    "another size": _only_of_ranges(_another_size),
    "an unknown size": _only_of_ranges(_an_unknown_size),
    "a shorter range": _only_of_ranges(_a_shorter_range),
    "fewer bytes": _only_of_ranges(_fewer_bytes),
    "more bytes": _only_of_ranges(_more_bytes),
    "a lying length": _lying_length,
    "more than announced": _more_than_announced,
    "a weak ETag": _only_of_ranges(_weak_etag),
    "no ETag": _only_of_ranges(_no_etag),
    "two ETags": _only_of_ranges(_two_etags),
    "an empty ETag": _only_of_ranges(_empty_etag),
    "another ETag each time": _only_of_ranges(_another_etag_each_time),
    "many ranges": _only_of_ranges(_many_ranges),
    "401": _status(401),
    "403": _status(403),
    "404": _status(404),
    "410": _status(410),
    "412": _status(412),
    "416": _only_of_ranges(_status(416)),
    "418": _status(418),
    "204": lambda asked: asked.give(204, content_length=None),
    "a redirect": _status(302, location=f"https://elsewhere.example.com/?{SECRET}"),
    "a page": _a_page,
    "a part of a page": _a_part_of_a_page,
    "compressed": _compressed,
    "503 always": _status(503),
    "503 twice": _once(_status(503), 2),
    "429 once": _once(_status(429)),
    "no answer": _no_answer,
    "no answer once": _once(_no_answer),
    "breaks off": _breaks_off,
    "breaks off once": _once(_breaks_off),
    "hangs": _hangs,
    "hangs within": _hangs_within,
    "hangs once": _once(_hangs),
    "no HTTP": _no_http,
    "in chunks": _chunked,
    "whole in chunks": _chunked_whole,
    "until it closes": _until_it_closes,
    "a whole of 5 GiB": _a_whole_of_5_gib,
    "a part of 5 GiB": _a_part_of_5_gib,
}
"""What a server does instead of answering as RFC 9110 says."""


@contextmanager
def served(data: bytes) -> Iterator[MediaServer]:
    """Serve a video on loopback."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers["Range"] or "")
            media.answer(Asked(media, self, int(found[1]) if found else None, int(found[2]) if found else 2**60))

        def do_PUT(self) -> None:
            """Take whatever is sent, and answer with its digest."""
            digest, left = hashlib.sha256(), int(self.headers["Content-Length"])
            while left:
                block = self.rfile.read(min(left, 2**16))
                digest.update(block)
                left -= len(block)
            body = digest.hexdigest().encode()
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

        def log_message(self, *_: Any) -> None:
            """Write no log."""

    with _Server(("127.0.0.1", 0), Handler) as server:
        media = MediaServer(data, f"http://127.0.0.1:{server.server_port}/clip.mp4?X-Signature={SECRET}")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield media
        finally:
            media.let_go.set()
            server.shutdown()
            thread.join()
