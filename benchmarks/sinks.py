"""The server of the measurements, a separate process: `sinks.py`, or `sinks.py PEM` for TLS with that certificate.

It answers only the calls that a post needs: tokens, creator info, init, chunks, status. What belongs here: as little work as
possible between a request's head and its answer, so that the measurements show the client. A sink prints its port, and ends with
its standard input.
"""

import json
import re
import socket
import ssl
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

__all__: list[str] = []

BUFFER: Final = 1 << 20
LONGEST_HEAD: Final = 16 * 1024
ANSWER_LENGTH: Final = 400
CIPHER: Final = "TLS_AES_256_GCM_SHA384"
"""The cipher that OpenSSL chooses on both sides by default."""
HEADER: Final = 5
AROUND: Final = HEADER + 1 + 16
"""The bytes of a record besides its content: header, type, tag."""
LONGEST_RECORD: Final = 1 << 14
"""The bytes of a record's content."""
NONCE: Final = 12
APPLICATION_DATA: Final = 23
KEY: Final = "CLIENT_TRAFFIC_SECRET_0"
"""The first word of a line in the key log that holds the secret of a client's requests."""
RANDOM: Final = slice(11, 43)
"""The place of the random bytes in a client's first message; they identify its keys in the log."""

CONTENT_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
CONTENT_RANGE: Final = re.compile(rb"\r\ncontent-range: *bytes \d+-(\d+)/(\d+)", re.IGNORECASE)


class Line(Protocol):
    """A connection to read from and write to."""

    def recv_into(self, buffer: memoryview, size: int = 0, /) -> int:
        """Receive at most `size` bytes, or as many as fit; 0 at the end."""
        ...

    def skip(self, size: int) -> int:
        """Discard some of the next `size` bytes, and return their number; 0 at the end."""
        ...

    def sendall(self, data: bytes, /) -> None:
        """Send all bytes."""
        ...


Speak = Callable[[socket.socket], Line]


class PlainLine:
    """A socket that receives all bodies into the same memory."""

    def __init__(self, inner: socket.socket) -> None:
        self.recv_into = inner.recv_into
        self.sendall = inner.sendall
        self._passed = memoryview(bytearray(BUFFER))

    def skip(self, size: int) -> int:
        """Discard some of the next `size` bytes, and return their number; 0 at the end."""
        return self.recv_into(self._passed, min(size, BUFFER))


class Keys:
    """The keys in OpenSSL's log; each line is read once. Threads may share this object."""

    def __init__(self, path: str) -> None:
        Path(path).touch()
        self._lines = open(path, encoding="ascii")  # noqa: SIM115, PTH123 - the file stays open as long as the sink runs
        self._lock = threading.Lock()
        self._secrets: dict[str, str] = {}

    def of(self, random: bytes) -> bytes:
        """Return the secret of a client's requests, by the random bytes in its first message."""
        with self._lock:
            for line in self._lines:
                label, *rest = line.split()
                if label == KEY:
                    client, secret = rest
                    self._secrets[client] = secret
            return bytes.fromhex(self._secrets.pop(random.hex()))


class TlsLine:
    """TLS 1.3 that counts bodies without decrypting them, because the sink's work would slow down the measured client.

    OpenSSL makes the handshake and encrypts the answers. This class splits the received bytes into records (RFC 8446 section
    5.2): a record's length gives the size of its content, and only content that the sink reads is decrypted.
    """

    def __init__(self, inner: socket.socket, context: ssl.SSLContext, keys: Keys) -> None:
        self._inner = inner
        incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(incoming, self._outgoing, server_side=True)
        self._cipher, self._nonce = self._handshake(incoming, keys)
        self._records = 0
        self._plain = b""
        self._passed = memoryview(bytearray(LONGEST_RECORD))
        self._arrived = memoryview(bytearray(BUFFER))
        self._at, self._filled = 0, incoming.pending
        self._arrived[: self._filled] = incoming.read()

    def recv_into(self, buffer: memoryview, size: int = 0, /) -> int:
        """Receive at most `size` bytes, or as many as fit; 0 at the end."""
        if not self._plain and (record := self._record()):
            nonce = (self._nonce ^ self._records).to_bytes(NONCE, "big")
            whole = self._cipher.decrypt(nonce, bytes(record[HEADER:]), bytes(record[:HEADER])).rstrip(b"\0")
            self._plain = whole[:-1] if whole[-1] == APPLICATION_DATA else b""
            self._next(record)
        taken = min(size or len(buffer), len(self._plain))
        buffer[:taken], self._plain = self._plain[:taken], self._plain[taken:]
        return taken

    def skip(self, size: int) -> int:
        """Discard some of the next `size` bytes, in whole records if possible, and return their number; 0 at the end."""
        skipped = 0
        while skipped < size and not self._plain and (record := self._record()):
            if len(record) - AROUND > size - skipped:
                break
            skipped += len(record) - AROUND
            self._next(record)
        return skipped or self.recv_into(self._passed, min(size, len(self._passed)))

    def sendall(self, data: bytes, /) -> None:
        """Send all bytes."""
        self._tls.write(data)
        self._inner.sendall(self._outgoing.read())

    def _record(self) -> memoryview:
        """Return the next record, still encrypted; an empty one at the end."""
        while True:
            rest = self._arrived[self._at : self._filled]
            if len(rest) >= HEADER and len(rest) >= (length := HEADER + (rest[3] << 8 | rest[4])):
                return rest[:length]
            self._arrived[: len(rest)] = rest
            got = self._inner.recv_into(self._arrived[len(rest) :])
            self._at, self._filled = 0, len(rest) + got
            if not got:
                return self._arrived[:0]

    def _next(self, record: memoryview) -> None:
        self._at += len(record)
        self._records += 1

    def _handshake(self, incoming: ssl.MemoryBIO, keys: Keys) -> tuple[AESGCM, int]:
        """Make the handshake; return the cipher, and the nonce that each record's number is combined with."""
        hello = b""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._inner.sendall(self._outgoing.read())
                arrived = self._inner.recv(BUFFER)
                if not arrived:
                    raise ConnectionError("the client closed the connection during the handshake") from None
                hello = hello or arrived
                incoming.write(arrived)
            else:
                break
        self._inner.sendall(self._outgoing.read())
        if (self._tls.cipher() or "?")[0] != CIPHER:
            raise ConnectionError(f"this sink decrypts {CIPHER} only")
        secret = keys.of(hello[RANDOM])
        return AESGCM(derived(secret, b"key", 32)), int.from_bytes(derived(secret, b"iv", NONCE), "big")


def derived(secret: bytes, label: bytes, length: int) -> bytes:
    """Return the HKDF-Expand-Label of RFC 8446 section 7.1, without a context."""
    label = b"tls13 " + label
    return HKDFExpand(SHA384(), length, length.to_bytes(2, "big") + bytes([len(label)]) + label + b"\0").derive(secret)


# --- Answers ---------------------------------------------------------------------------------------------------------


def documents(base: str) -> dict[bytes, bytes]:
    """Return the whole answers, by the end of the request's path."""
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
    """Return an answer with this body."""
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def enveloped(data: dict[str, Any]) -> bytes:
    """Return the body of a v2 answer."""
    error = {"code": "ok", "message": "", "log_id": "2026010112000000000000"}
    return json.dumps({"data": data, "error": error}).encode()


def upload_answer(head: bytes) -> bytes:
    """Return the upload host's answer: 201 to the last chunk or a whole file, 206 to any other chunk."""
    found = CONTENT_RANGE.search(head)
    is_last = found is None or int(found[1]) + 1 == int(found[2])
    status = b"201 Created" if is_last else b"206 Partial Content"
    return b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n\r\n{}"  # Some clients read it as JSON.


def creator_info() -> bytes:
    """Return an answer with creator info, whose JSON has exactly 400 bytes."""
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
    """Read one request after another and answer each, until the client closes the connection."""
    buffer = memoryview(bytearray(LONGEST_HEAD))
    while (request := read_head(connection, buffer)) is not None:
        head, early = request
        found = CONTENT_LENGTH.search(head)
        left = (int(found[1]) if found else 0) - early
        if left < 0:
            raise ValueError("the client sent more bytes than its head declared")
        while left:
            if not (got := connection.skip(left)):
                raise ConnectionError("the client closed the connection in the middle of a body")
            left -= got
        path = head.partition(b" ")[2].partition(b" ")[0]
        said = next((said for end, said in answers.items() if path.endswith(end)), None)
        connection.sendall(said or upload_answer(head))


def read_head(connection: Line, buffer: memoryview) -> tuple[bytes, int] | None:
    """Return the head and the number of body bytes that came with it; None at the end of the stream."""
    filled = 0
    while filled < LONGEST_HEAD:
        got = connection.recv_into(buffer[filled:])
        if not got:
            return None
        filled += got
        head, end, body = bytes(buffer[:filled]).partition(b"\r\n\r\n")
        if end:
            return head, len(body)
    raise ValueError("the head of the request is too long")


def serve(inner: socket.socket, speak: Speak, answers: dict[bytes, bytes]) -> None:
    """Serve one connection to its end."""
    with inner:
        inner.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            converse(speak(inner), answers)
        except OSError as error:  # The benchmark ends clients abruptly, so a broken connection is normal.
            print(f"sink: {error!r}", file=sys.stderr)


def accept(listener: socket.socket, speak: Speak, answers: dict[bytes, bytes]) -> None:
    """Accept connections for ever, each in a separate thread."""
    while True:
        inner, _ = listener.accept()
        threading.Thread(target=serve, args=(inner, speak, answers), daemon=True).start()


def speaking_tls(certificate: str) -> Speak:
    """Return a TLS context with this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.keylog_filename = f"{certificate}.keys"
    keys = Keys(context.keylog_filename)
    return lambda inner: TlsLine(inner, context, keys)


def main(certificate: str = "") -> None:
    """Serve until standard input ends."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        port = listener.getsockname()[1]
        scheme, speak = ("https", speaking_tls(certificate)) if certificate else ("http", PlainLine)
        answers = documents(f"{scheme}://127.0.0.1:{port}")
        print(port, flush=True)
        threading.Thread(target=accept, args=(listener, speak, answers), daemon=True).start()
        sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
