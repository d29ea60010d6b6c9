"""The servers that are sent to: `sinks.py uploads` and `sinks.py calls`, each a process of its own.

What belongs here: as little work as possible between a head and its answer, so that the client is what is measured. A
sink prints its port, and ends when its standard input does.
"""

import json
import re
import socket
import sys
import threading
from collections.abc import Callable
from typing import Final

__all__: list[str] = []

BUFFER: Final = 1 << 20
LONGEST_HEAD: Final = 16 * 1024
ANSWER_LENGTH: Final = 400
CONTENT_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
CONTENT_RANGE: Final = re.compile(rb"\r\ncontent-range: *bytes \d+-(\d+)/(\d+)", re.IGNORECASE)


def upload_answer(head: bytes) -> bytes:
    """Return what the upload host says: 201 to the last chunk or a whole file, 206 to any other chunk."""
    found = CONTENT_RANGE.search(head)
    is_last = found is None or int(found[1]) + 1 == int(found[2])
    status = b"201 Created" if is_last else b"206 Partial Content"
    return b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n"


def creator_info() -> bytes:
    """Return a whole answer with creator info, its JSON of exactly 400 bytes."""
    body = _creator_info_json(ANSWER_LENGTH - len(_creator_info_json(0)))
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def _creator_info_json(padding: int) -> bytes:
    data = {
        "creator_avatar_url": "https://example.com/" + "a" * padding,
        "creator_username": "tiktok",
        "creator_nickname": "TikTok",
        "privacy_level_options": ["PUBLIC_TO_EVERYONE", "SELF_ONLY"],
        "comment_disabled": False,
        "duet_disabled": False,
        "stitch_disabled": True,
        "max_video_post_duration_sec": 300,
    }
    error = {"code": "ok", "message": "", "log_id": "2026010112000000000000"}
    return json.dumps({"data": data, "error": error}).encode()


def converse(connection: socket.socket, answer: Callable[[bytes], bytes]) -> None:
    """Read one request after the other and answer each, until the other side hangs up."""
    buffer = memoryview(bytearray(BUFFER))
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
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
            connection.sendall(answer(head))


def read_head(connection: socket.socket, buffer: memoryview) -> tuple[bytes, int] | None:
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


def accept(listener: socket.socket, answer: Callable[[bytes], bytes]) -> None:
    """Take connections for ever, each in a thread of its own."""
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=converse, args=(connection, answer), daemon=True).start()


def main(kind: str) -> None:
    """Serve until standard input ends."""
    info = creator_info()
    answer = {"uploads": upload_answer, "calls": lambda _head: info}[kind]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        threading.Thread(target=accept, args=(listener, answer), daemon=True).start()
        sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])
