"""Sockets whose every wait ends in time, plain and TLS.

What belongs here: bytes in and out for a blocking transport. A time-out of the socket alone starts anew with each byte
that comes, so a server that sends one byte a second could hold a caller for ever; and it does not start anew while a long
block leaves slowly, so an uplink that is slow but works would fail.
"""

import io
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from http.client import RemoteDisconnected
from typing import TYPE_CHECKING, Final, TypeVar

from urllib3.util import wait_for_read, wait_for_write

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

__all__ = ["PatientSocket", "TlsSocket", "Waits"]

T = TypeVar("T")

SHORTEST: Final = 0.001
"""Seconds; a time-out of zero would mean "do not wait at all" to a socket."""

READ_BUFFER: Final = 64 * 1024
RECORDS: Final = 64 * 1024
"""Bytes of TLS records that are taken from the network at a time."""
PIECE: Final = 256 * 1024
"""Bytes that are encrypted at a time: a whole block would need as much memory again."""


class Waits:
    """How long the next wait may take.

    Args:
        each: seconds for each single wait.
        limit: seconds for all of them together, from now on; None for no limit.
    """

    def __init__(self, each: float, limit: float | None) -> None:
        self._each = max(each, SHORTEST)
        self._end = None if limit is None else time.monotonic() + limit

    def next(self) -> float:
        """Return the seconds for the next wait.

        Raises:
            TimeoutError: the limit is used up.
        """
        if self._end is None:
            return self._each
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time limit is used up")
        return min(self._each, max(left, SHORTEST))


class PatientSocket:
    """A connected socket that is waited for by ourselves: a time-out of its own costs two more system calls each time.

    It has what http.client and urllib3 use of a socket.
    """

    def __init__(self, inner: socket.socket, waits: Waits) -> None:
        inner.setblocking(False)
        self._inner = inner
        self.waits = waits

    def sendall(self, data: "ReadableBuffer", /) -> None:
        """Send all of `data`; each wait is for some of it to leave."""
        with memoryview(data) as view:
            rest = view
            while rest:
                try:
                    rest = rest[self._inner.send(rest) :]
                except BlockingIOError:
                    self._wait(wait_for_write)

    def receive_into(self, buffer: "WriteableBuffer", /) -> int:
        """Receive what comes next, within one wait; 0 at the end."""
        while True:
            self._wait(wait_for_read)
            with suppress(BlockingIOError):  # It was for nothing: there was a bad packet.
                return self._inner.recv_into(buffer)

    def is_quiet(self) -> bool:
        """Return whether the other side has neither said anything that was not read yet, nor hung up."""
        return not wait_for_read(self._inner, timeout=0.0)

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return a reader; the socket stays open until both are closed, as with any socket."""
        return _Lines(_Reader(self, self._inner.makefile("rb", buffering=0)), READ_BUFFER)

    def settimeout(self, _seconds: float | None, /) -> None:
        """Do nothing: the waits decide."""

    def shutdown(self, how: int, /) -> None:
        """Shut the connection down."""
        self._inner.shutdown(how)

    def close(self) -> None:
        """Close the socket."""
        self._inner.close()

    def _wait(self, until_ready: Callable[..., bool]) -> None:
        if not until_ready(self._inner, timeout=self.waits.next()):
            raise TimeoutError("nothing moved in time")


class TlsSocket(PatientSocket):
    """The same, under TLS. Records are made in memory, so that one `send` carries many of them.

    Args:
        inner: a connected socket.
        waits: as above; the handshake keeps to them.
        context: whom to trust.
        host: whose certificate the server has to show.

    Raises:
        OSError: the handshake failed (`ssl.SSLError` where TLS says why).
    """

    def __init__(self, inner: socket.socket, waits: Waits, context: ssl.SSLContext, host: str) -> None:
        super().__init__(inner, waits)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._records = memoryview(bytearray(RECORDS))
        self._early = b""
        try:
            self._done(self._tls.do_handshake)
        except ssl.SSLError:
            with suppress(OSError):  # The server is told why, if it can still be.
                self._flush()
            raise

    def sendall(self, data: "ReadableBuffer", /) -> None:
        """Encrypt and send all of `data`; each wait is for some of it to leave."""
        with memoryview(data) as view:
            for start in range(0, len(view), PIECE):
                self._done(self._tls.write, view[start : start + PIECE])

    def receive_into(self, buffer: "WriteableBuffer", /) -> int:
        """Receive and decrypt what comes next; 0 at the end, whether or not the other side said that it is one."""
        with memoryview(buffer) as view:
            if self._early:
                taken = min(len(self._early), len(view))
                view[:taken], self._early = self._early[:taken], self._early[taken:]
                return taken
            try:
                return int(self._done(self._tls.read, len(view), view))
            except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
                return 0

    def is_quiet(self) -> bool:
        """Return whether the other side has neither said anything nor hung up.

        Not every byte that waits was said: servers send tickets for a next session, unasked.
        """
        while not self._early:
            try:
                self._early = self._tls.read(RECORDS)
            except ssl.SSLWantReadError:
                if super().is_quiet():
                    return True
                self._fill()
            except ssl.SSLError:
                return False
            else:
                return False  # It spoke, or it said good-bye.
        return False

    def _done(self, act: Callable[..., T], *arguments: object) -> T:
        """Let TLS do something; it says by an error that it needs more bytes first."""
        while True:
            try:
                result = act(*arguments)
            except ssl.SSLWantReadError:
                self._flush()
                self._fill()
            else:
                self._flush()
                return result

    def _flush(self) -> None:
        if self._outgoing.pending:
            super().sendall(self._outgoing.read())

    def _fill(self) -> None:
        if got := super().receive_into(self._records):
            self._incoming.write(self._records[:got])
        else:
            self._incoming.write_eof()


class _Lines(io.BufferedReader):
    def readline(self, size: int | None = -1, /) -> bytes:
        # http.client takes the end of the stream for the end of the head: an answer that was cut there would pass for
        # a whole one.
        line = super().readline(size)
        if not line.endswith(b"\n") and len(line) != size:
            raise RemoteDisconnected("the stream ended within a line")
        return line


class _Reader(io.RawIOBase):
    def __init__(self, patient: PatientSocket, raw: io.RawIOBase) -> None:
        self._patient = patient
        self._raw = raw  # Never read from; the socket counts it, and stays open while it is.

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        return self._patient.receive_into(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()
