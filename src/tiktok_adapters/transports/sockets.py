"""A socket whose every wait ends in time.

What belongs here: time-outs for a blocking transport. A time-out of the socket alone starts anew with each byte, so a
server that sends one byte a second could hold a caller for ever.
"""

import io
import socket
import time
from http.client import RemoteDisconnected
from typing import TYPE_CHECKING, Final, cast

from urllib3.connection import HTTPConnection

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

__all__ = ["PatientSocket", "Waits"]

SHORTEST: Final = 0.001
"""Seconds; a time-out of zero would mean "do not wait at all" to a socket."""

READ_BUFFER: Final = 64 * 1024


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
    """The socket of an HTTP connection, asked for its time-out before each wait.

    It has what http.client and urllib3 use of a connected socket, plain or TLS.
    """

    def __init__(self, inner: socket.socket, waits: Waits) -> None:
        self._inner = inner
        self.waits = waits

    @classmethod
    def put_on(cls, connection: HTTPConnection, waits: Waits) -> None:
        """Put a patient socket in place of the connection's own."""
        if connection.sock is not None:
            connection.sock = cast(socket.socket, cls(connection.sock, waits))

    def sendall(self, data: "ReadableBuffer", /) -> None:
        """Send all of `data`, within one wait."""
        self._inner.settimeout(self.waits.next())
        self._inner.sendall(data)

    def receive_into(self, buffer: "WriteableBuffer", /) -> int:
        """Receive what comes next, within one wait."""
        self._inner.settimeout(self.waits.next())
        return self._inner.recv_into(buffer)

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return a reader; the socket stays open until both are closed, as with any socket."""
        return _Lines(_Reader(self, self._inner.makefile("rb", buffering=0)), READ_BUFFER)

    def settimeout(self, _seconds: float | None, /) -> None:
        """Do nothing: the waits decide."""

    def fileno(self) -> int:
        """Return the descriptor, to poll it."""
        return self._inner.fileno()

    def shutdown(self, how: int, /) -> None:
        """Shut the connection down."""
        self._inner.shutdown(how)

    def close(self) -> None:
        """Close the socket."""
        self._inner.close()


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
