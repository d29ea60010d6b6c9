"""The two lines of `elsewhere.py`, a separate process: `lines.py FILE LATENCY DOWN UP` serves FILE as an object, and takes uploads.

What belongs here: a storage behind a line with latency, whose connections have a highest rate each, and an upload host behind a slow
line. Buffers are bounded, so a sender feels the line. It prints two ports, and ends with its standard input.
"""

import mmap
import socket
import sys
import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

sys.path[:0] = [str(Path(__file__).parents[1] / "tests" / "shared")]

from sinks import BUFFER, PlainLine, documents, serve  # noqa: E402 - as above

from object_server import ObjectServer  # noqa: E402 - after the path

BLOCK: Final = 1 << 16
KERNEL: Final = 1 << 18
"""Bytes that the kernel may hold for a socket; it doubles the number."""


class Bucket:
    """Lets bytes through at a rate, whoever sends them."""

    def __init__(self, rate: float) -> None:
        self._rate, self._lock = rate, threading.Lock()
        self._free = time.perf_counter()

    def take(self, count: int) -> None:
        """Wait until so many bytes have come through."""
        with self._lock:
            now = time.perf_counter()
            self._free = max(self._free, now - 0.05) + count / self._rate
            pause = self._free - now
        if pause > 0:
            time.sleep(pause)


class PacedLine(PlainLine):
    """A connection of the upload line."""

    def __init__(self, inner: socket.socket, bucket: Bucket) -> None:
        super().__init__(inner)
        self._bucket = bucket

    def skip(self, size: int) -> int:
        """Discard some of the next `size` bytes, at the line's rate."""
        got = self.recv_into(self._passed, min(size, BLOCK, BUFFER))
        self._bucket.take(got)
        return got


class Late:
    """Passes bytes on in one direction, each after the delay. The bytes on their way are bounded, and with them the rate."""

    def __init__(self, source: socket.socket, sink: socket.socket, delay: float, most: int) -> None:
        self._source, self._sink, self._delay, self._most = source, sink, delay, most
        self._blocks: deque[tuple[float, bytes]] = deque()
        self._held, self._changed = 0, threading.Condition()
        for work in (self._read, self._write):
            threading.Thread(target=work, daemon=True).start()

    def _read(self) -> None:
        block = b"-"
        while block:
            try:
                block = self._source.recv(BLOCK)
            except OSError:
                block = b""
            with self._changed:
                self._changed.wait_for(lambda: self._held < self._most)
                self._held += len(block)
                self._blocks.append((time.perf_counter() + self._delay, block))
                self._changed.notify_all()

    def _write(self) -> None:
        with suppress(OSError):
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._blocks)
                    due, block = self._blocks[0]
                if (pause := due - time.perf_counter()) > 0:
                    time.sleep(pause)
                if not block:
                    break
                self._sink.sendall(block)
                with self._changed:
                    self._blocks.popleft()
                    self._held -= len(block)
                    self._changed.notify_all()
        with suppress(OSError):
            self._sink.shutdown(socket.SHUT_WR)


def relay(listener: socket.socket, port: int, latency: float, rate: float) -> None:
    """Pass connections on to a server, behind a line with this time for a round trip."""
    while True:
        client, _ = listener.accept()
        server = socket.create_connection(("127.0.0.1", port))
        for one in (client, server):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL)
        # The kernel answers the client's greeting at once, so the first bytes wait for one round trip more.
        Late(client, server, latency / 2, BLOCK * 4)
        threading.Timer(latency, Late, (server, client, latency / 2, int(rate * latency / 2))).start()


def accept(listener: socket.socket, bucket: Bucket, answers: dict[bytes, bytes]) -> None:
    """Accept uploads for ever."""

    def speak(inner: socket.socket) -> PacedLine:
        return PacedLine(inner, bucket)

    while True:
        inner, _ = listener.accept()
        threading.Thread(target=serve, args=(inner, speak, answers), daemon=True).start()


def main(path: str, latency: str, down: str, up: str) -> None:
    """Serve until standard input ends."""
    with (
        open(path, "rb") as file,  # noqa: PTH123 - as short
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
        ObjectServer() as server,
        socket.create_server(("127.0.0.1", 0), backlog=64) as storage,
        socket.create_server(("127.0.0.1", 0), backlog=64) as uploads,
    ):
        uploads.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL)
        whole: Any = data
        server.put("videos/large.mp4", whole, size=len(data))
        for number in range(16):
            server.put(f"videos/{number}.mp4", whole, size=64 << 20)
        server.put("videos/small.mp4", whole, size=1 << 20)
        ports = storage.getsockname()[1], uploads.getsockname()[1]
        relaying = (storage, server.server_port, float(latency), float(down))
        threading.Thread(target=relay, args=relaying, daemon=True).start()
        taking = (uploads, Bucket(float(up)), documents(f"http://127.0.0.1:{ports[1]}"))
        threading.Thread(target=accept, args=taking, daemon=True).start()
        print(*ports, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
