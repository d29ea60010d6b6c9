"""The server that is sent to, a process of its own: `sinks.py`, or `sinks.py PEM` to speak TLS with that certificate.

It knows what a post needs and nothing more: tokens, creator info, init, chunks, status. What belongs here: as little work
as possible between a head and its answer, so that the client is what is measured. A sink prints its port, and ends when
its standard input does.
"""

import json
import re
import socket
import ssl
import sys
import threading
from collections.abc import Callable
from typing import Any, Final, Protocol

__all__: list[str] = []

BUFFER: Final = 1 << 20
LONGEST_HEAD: Final = 16 * 1024
ANSWER_LENGTH: Final = 400
CONTENT_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
CONTENT_RANGE: Final = re.compile(rb"\r\ncontent-range: *bytes \d+-(\d+)/(\d+)", re.IGNORECASE)


class Line(Protocol):
    """What is read from and written to."""

    def recv_into(self, buffer: memoryview, size: int = 0, /) -> int:
        """Receive at most `size` bytes, or as many as fit."""
        ...

    def sendall(self, data: bytes, /) -> None:
        """Send all of it."""
        ...


class TlsLine:
    """TLS in memory: many records come with one system call, so that the sink has time to spare."""

    def __init__(self, inner: socket.socket, context: ssl.SSLContext) -> None:
        self._inner = inner
        self._arrived = memoryview(bytearray(BUFFER // 2))
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._done(self._tls.do_handshake)

    def recv_into(self, buffer: memoryview, size: int = 0, /) -> int:
        """Receive at most `size` bytes, or as many as fit."""
        try:
            return int(self._done(self._tls.read, size or len(buffer), buffer))
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
            return 0

    def sendall(self, data: bytes, /) -> None:
        """Send all of it."""
        self._done(self._tls.write, data)

    def _done(self, act: Callable[..., Any], *arguments: object) -> Any:
        while True:
            try:
                result = act(*arguments)
            except ssl.SSLWantReadError:
                self._flush()
                if got := self._inner.recv_into(self._arrived):
                    self._incoming.write(self._arrived[:got])
                else:
                    self._incoming.write_eof()
            else:
                self._flush()
                return result

    def _flush(self) -> None:
        if self._outgoing.pending:
            self._inner.sendall(self._outgoing.read())


# --- Answers ---------------------------------------------------------------------------------------------------------


def documents(base: str) -> dict[bytes, bytes]:
    """Return whole answers, by the end of the path that is asked for."""
    tokens = {
        "access_token": "act.for-the-benchmark",
        "expires_in": 86_400,
        "open_id": "somebody",
        "refresh_token": "rft.for-the-benchmark",
        "refresh_expires_in": 31_536_000,
        "scope": "user.info.basic,video.publish,video.upload",
        "token_type": "Bearer",
    }
    init = {"publish_id": "v_pub_file~v2-1.1", "upload_url": f"{base}/video/?upload_id=1&upload_token=1"}
    return {
        b"/oauth/token/": answer(json.dumps(tokens).encode()),
        b"/creator_info/query/": creator_info(),
        b"/video/init/": answer(enveloped(init)),
        b"/status/fetch/": answer(enveloped({"status": "PUBLISH_COMPLETE", "publicaly_available_post_id": []})),
    }


def answer(body: bytes) -> bytes:
    """Return an answer with that body."""
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def enveloped(data: dict[str, Any]) -> bytes:
    """Return a v2 answer's body."""
    error = {"code": "ok", "message": "", "log_id": "2026010112000000000000"}
    return json.dumps({"data": data, "error": error}).encode()


def upload_answer(head: bytes) -> bytes:
    """Return what the upload host says: 201 to the last chunk or a whole file, 206 to any other chunk."""
    found = CONTENT_RANGE.search(head)
    is_last = found is None or int(found[1]) + 1 == int(found[2])
    status = b"201 Created" if is_last else b"206 Partial Content"
    return b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n\r\n{}"  # Some clients read it as JSON.


def creator_info() -> bytes:
    """Return an answer with creator info, its JSON of exactly 400 bytes."""
    return answer(_creator_info_json(ANSWER_LENGTH - len(_creator_info_json(0))))


def _creator_info_json(padding: int) -> bytes:
    return enveloped(
        {
            "creator_avatar_url": "https://example.com/" + "a" * padding,
            "creator_username": "tiktok",
            "creator_nickname": "TikTok",
            "privacy_level_options": ["PUBLIC_TO_EVERYONE", "SELF_ONLY"],
            "comment_disabled": False,
            "duet_disabled": False,
            "stitch_disabled": True,
            "max_video_post_duration_sec": 300,
        }
    )


# --- Connections -----------------------------------------------------------------------------------------------------


def converse(connection: Line, answers: dict[bytes, bytes]) -> None:
    """Read one request after the other and answer each, until the other side hangs up."""
    buffer = memoryview(bytearray(BUFFER))
    while (request := read_head(connection, buffer)) is not None:
        head, early = request
        found = CONTENT_LENGTH.search(head)
        left = (int(found[1]) if found else 0) - early
        if left < 0:
            raise ValueError("more came than the head had promised")
        while left:
            got = connection.recv_into(buffer, min(left, BUFFER))
            if not got:
                raise ConnectionError("the body broke off")
            left -= got
        path = head.partition(b" ")[2].partition(b" ")[0]
        said = next((said for end, said in answers.items() if path.endswith(end)), None)
        connection.sendall(said or upload_answer(head))


def read_head(connection: Line, buffer: memoryview) -> tuple[bytes, int] | None:
    """Return the head and how many bytes of the body came along; None at the end of the stream."""
    filled = 0
    while filled < LONGEST_HEAD:
        got = connection.recv_into(buffer[filled:LONGEST_HEAD])
        if not got:
            return None
        filled += got
        head, end, body = bytes(buffer[:filled]).partition(b"\r\n\r\n")
        if end:
            return head, len(body)
    raise ValueError("the head is too long")


def serve(inner: socket.socket, context: ssl.SSLContext | None, answers: dict[bytes, bytes]) -> None:
    """Serve one connection to its end."""
    with inner:
        inner.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            converse(inner if context is None else TlsLine(inner, context), answers)
        except OSError as error:  # Clients are ended as they are, and what they leave is no news.
            print(f"sink: {error!r}", file=sys.stderr)


def accept(listener: socket.socket, context: ssl.SSLContext | None, answers: dict[bytes, bytes]) -> None:
    """Take connections for ever, each in a thread of its own."""
    while True:
        inner, _ = listener.accept()
        threading.Thread(target=serve, args=(inner, context, answers), daemon=True).start()


def main(certificate: str = "") -> None:
    """Serve until standard input ends."""
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        port = listener.getsockname()[1]
        answers = documents(f"{'https' if certificate else 'http'}://127.0.0.1:{port}")
        print(port, flush=True)
        threading.Thread(target=accept, args=(listener, context, answers), daemon=True).start()
        sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
