"""A small object storage: it answers GET and HEAD as S3, Google Cloud Storage and Azure Blob Storage do, as far as sources need it.

What belongs here: a server that tests and a benchmark start. All three ask for `/bucket/key`, with a range and If-Match, and believe the
same headers. Signatures are not checked.
"""

import hashlib
import re
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from attrs import define, field, frozen

VARIABLES = ("AWS_", "GOOGLE_", "AZURE_")
SECRETS = (
    "AKIDEXAMPLE00000SECRET",
    "wJalrXUtnFEMI-secret-key",
    "c2VjcmV0LWtleS1vZi1henVyZQ==",
    "ya29.secret-token-of-google",
)
"""What no message may show: the credentials of `environment`."""


@frozen
class Lying:
    """An object as it lies there.

    Attributes:
        data: its bytes; with `size`, only the first ones.
        size: its bytes as the storage tells them.
        etag: its ETag.
        version: the name of this version.
    """

    data: Any
    size: int
    etag: str
    version: str


@frozen
class Answer:
    """An answer that takes the place of the right one.

    Attributes:
        status: its status.
        code: the error's code in its body; empty for none.
        headers: more headers.
        more: more of the body, or all of it where there is no code.
    """

    status: int
    code: str = ""
    headers: dict[str, str] = field(factory=dict)
    more: str = ""


@define
class Asked:
    """A request that came.

    Attributes:
        method: GET or HEAD.
        key: the bucket and the key, decoded.
        query: its query.
        headers: its headers.
    """

    method: str
    key: str
    query: dict[str, list[str]]
    headers: dict[str, str]


class ObjectServer(ThreadingHTTPServer):
    """The storage. Use it in a `with` block.

    Attributes:
        objects: the versions of each object, by `bucket/key`; the last is the present one, and None means deleted.
        asked: what was asked, in order.
        script: answers for the next requests; None for the right one, and a function for what else a connection may do.
        quirks: what this storage does wrong: `no-etag`, `weak-etag`, `empty-etag`, `no-ranges`, `no-if-match`.
        released: ends what hangs.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, list[Lying | None]] = defaultdict(list)
        self.asked: list[Asked] = []
        self.script: list[Answer | Callable[[Any], None] | None] = []
        self.quirks: set[str] = set()
        self.released = threading.Event()

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"http://127.0.0.1:{self.server_port}"

    def put(self, name: str, data: Any, *, size: int | None = None) -> Lying:
        """Let an object lie at `bucket/key`, in place of the one before."""
        versions = self.objects[name]
        content = data if size is None else f"{size}-{len(versions)}".encode()
        etag = f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
        made = Lying(data, len(data) if size is None else size, etag, f"v{len(versions) + 1}")
        versions.append(made)
        return made

    def delete(self, name: str) -> None:
        """Delete the object. Its versions stay."""
        self.objects[name].append(None)

    def environment(self) -> dict[str, str]:
        """Return the variables with which all three kinds of names lead here."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": SECRETS[0],
            "AWS_SECRET_ACCESS_KEY": SECRETS[1],
            "AWS_REGION": "eu-west-1",
            "GOOGLE_BASE_URL": self.url,
            "GOOGLE_BEARER_TOKEN": SECRETS[3],
            "AZURE_STORAGE_ENDPOINT": self.url,
            "AZURE_STORAGE_ACCOUNT_NAME": "account",
            "AZURE_STORAGE_ACCOUNT_KEY": SECRETS[2],
        }

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that leaves in the midst of an answer is part of the tests."""

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self.shutdown()
        self.server_close()


def hang(handler: Any) -> None:
    """Send nothing until the test has ended."""
    handler.server.released.wait(60)
    handler.close_connection = True


def drop(handler: Any) -> None:
    """Close the connection without an answer."""
    handler.close_connection = True


@contextmanager
def object_server() -> Iterator[ObjectServer]:
    """Start a storage, and end it."""
    with ObjectServer() as server:
        yield server


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # Otherwise head and body are two packets, and the second waits for 40 ms.
    disable_nagle_algorithm = True
    server: ObjectServer

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        key, query = unquote(parts.path).removeprefix("/"), parse_qs(parts.query)
        server = self.server
        server.asked.append(Asked(self.command, key, query, {k.lower(): v for k, v in self.headers.items()}))
        scripted = server.script.pop(0) if server.script else None
        if isinstance(scripted, Answer):
            body = f"<Error><Code>{scripted.code}</Code>{scripted.more}</Error>" if scripted.code else scripted.more
            return self._answer(scripted.status, scripted.headers, body.encode())
        if scripted is not None:
            return scripted(self)
        return self._lying(key, query)

    do_HEAD = do_GET  # noqa: N815 - the name that `BaseHTTPRequestHandler` calls

    def _lying(self, key: str, query: dict[str, list[str]]) -> None:
        versions = self.server.objects.get(key)
        if versions is None:
            bucket = f"{key.partition('/')[0]}/"
            is_there = any(name.startswith(bucket) for name in self.server.objects)
            return self._answer(
                404, {}, f"<Error><Code>{'NoSuchKey' if is_there else 'NoSuchBucket'}</Code></Error>".encode()
            )
        wanted = (query.get("versionId") or query.get("generation") or query.get("versionid") or [""])[0]
        found = next((one for one in versions if one and one.version == wanted), None) if wanted else versions[-1]
        if found is None:
            return self._answer(404, {}, b"<Error><Code>NoSuchVersion</Code></Error>" if wanted else b"")
        quirks = self.server.quirks
        head = {"ETag": found.etag, "Last-Modified": "Mon, 30 Nov 2026 12:00:00 GMT", "Accept-Ranges": "bytes"}
        if "no-etag" in quirks:
            del head["ETag"]
        if "weak-etag" in quirks:
            head["ETag"] = f"W/{found.etag}"
        if "empty-etag" in quirks:
            head["ETag"] = '""'
        match = self.headers["If-Match"]
        if match not in {None, found.etag} and "no-if-match" not in quirks:
            return self._answer(412, head, b"<Error><Code>PreconditionFailed</Code></Error>")
        span = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers["Range"] or "")
        if span is None or "no-ranges" in quirks:
            return self._answer(200, head, found.data, found.size)
        first, last = int(span[1]), min(int(span[2] or found.size), found.size - 1)
        if first > last:
            return self._answer(416, {"Content-Range": f"bytes */{found.size}"})
        head["Content-Range"] = f"bytes {first}-{last}/{found.size}"
        return self._answer(206, head, memoryview(found.data)[first : last + 1], last + 1 - first)

    def _answer(self, status: int, headers: dict[str, str], body: Any = b"", length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass
